"""The names that a file's weights and nodes have inside torch modules: ours, never text of the file.

torch.fx writes the attributes that a graph reads into Python source and runs it, so a quote in a weight's name was code
once. What a graph reads is ``weights.weight_17``, and modules of nodes are ``nodes.n17_Conv``. A Parameter keeps its
ONNX name beside that only where it is made of letters, digits and ``_ : / - .``, which end no string in any language.
"""

from __future__ import annotations

import keyword
import re
from typing import Literal

from torch import nn

WEIGHTS, NODES = "weights", "nodes"
"""The submodules that hold what graphs read, and the modules of nodes."""

_IDENTIFIER = re.compile(r"[A-Za-z0-9_]{1,80}", re.ASCII)
_PARAMETER = re.compile(r"[A-Za-z0-9_:/-]+(\.[A-Za-z0-9_:/-]+)*", re.ASCII)
DEEPEST = 32
"""Parts of a Parameter's name: each is a module in a module, and copying follows them by recursion."""
_ABSOLUTE = re.compile(r"/|[A-Za-z]:")


def weight_attribute(place: int) -> str:
    """The attribute of the constant at a place in the file, as graphs read it."""
    return f"{WEIGHTS}.weight_{place}"


def node_attribute(kind: str, index: int, operator: str) -> str:
    """The attribute of a node's module: its place in the file, and its operator where that is a plain word."""
    return f"{NODES}.{kind}{index}_{operator if _IDENTIFIER.fullmatch(operator) else 'operator'}"


def helper_attribute(kind: Literal["each", "output"], *places: int) -> str:
    """The attribute of a module that belongs to no one node."""
    return f"{NODES}.{'_'.join([kind, *map(str, places)])}"


def input_name(place: int) -> str:
    """An input as graphs take it."""
    return f"input_{place}"


def keeps_its_name(name: str, module: nn.Module) -> bool:
    """Whether a Parameter may be registered in a module under its ONNX name: plain, and no attribute of torch's own.

    What stands before a dot becomes a submodule, and ``GraphModule.to_folder`` writes each to a file of that name: no
    absolute path, which would lead out of the folder.
    """
    parts = name.split(".", DEEPEST)
    return (
        len(parts) <= DEEPEST
        and _PARAMETER.fullmatch(name) is not None
        and not any(
            part.startswith("__") or keyword.iskeyword(part) or hasattr(nn.Module, part) or _of_its_own(module, part)
            for part in parts
        )
        and not any(_ABSOLUTE.match(part) for part in parts[:-1])
    )


def _of_its_own(module: nn.Module, part: str) -> bool:
    """Whether it is an attribute of the module itself: Swin's weights are called layers.0.…, as a field of ours is."""
    return part in {WEIGHTS, NODES} or hasattr(type(module), part) or part in vars(module)
