"""What peers' attacks are given: a plain torch module from pictures in [0, 1] to the logits of the same file.

In float64: their cross-entropy in float32 has lost the slope where a probability is nearly 1; ours has not.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch

import onnxray
from onnxray.model.model import Model


def logits_module(model: Model, logits: str, folder: Path) -> Any:
    """The file cut at its logits, behind the model's own profile."""
    cut = folder / "logits.onnx"
    onnx.utils.extract_model(str(model.graph.path), str(cut), [model.graph.inputs[0].name], [logits])
    inner, profile = onnxray.to_torch(str(cut)), model.profile
    assert profile is not None

    class Unit(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Any) -> Any:
            return self.inner(profile.encode(255 * x))

    return Unit().eval().double()


def adv_lib(attack: str) -> Any:
    """An attack of adv_lib, by its file: its package imports torchvision and visdom for what nobody here asks for.

    Errors: ImportError.
    """
    found = importlib.util.find_spec("adv_lib")
    if found is None or not found.submodule_search_locations:
        raise ImportError("adv_lib")
    for name, folder in (("adv_lib.attacks", "attacks"), ("adv_lib.utils", "utils"), ("visdom", "")):
        if name not in sys.modules:
            stub = types.ModuleType(name)
            stub.__path__ = [str(Path(found.submodule_search_locations[0]) / folder)]
            stub.Visdom = object  # type: ignore[attr-defined]
            sys.modules[name] = stub
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"adv_lib.attacks.{attack}")
