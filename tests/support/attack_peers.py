"""What peers' attacks are given: a plain torch module from pictures in [0, 1] to the logits of the same file.

In float64: their cross-entropy in float32 has lost the slope where a probability is nearly 1; ours has not.
"""

from __future__ import annotations

import sys
import types
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


def adv_lib() -> Any:
    """adv_lib, which imports visdom for a logger that nobody here wants. Errors: ImportError."""
    if "visdom" not in sys.modules:
        stub = types.ModuleType("visdom")
        stub.Visdom = object  # type: ignore[attr-defined]
        sys.modules["visdom"] = stub
    import adv_lib.attacks

    return adv_lib.attacks
