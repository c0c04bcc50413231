"""What becomes of a case: pass, refused for one of a closed list of reasons, wrong, or crash."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any

import onnx
import torch

import onnxray
from conformance.cases import Case, operators
from conformance.compare import difference, tensors
from onnxray.errors import UnsupportedOperator
from onnxray.importer.imported_module import forward_all

REASONS = {
    "strings": "torch has no strings",
    "string-sequences": "nor sequences of them",
    "training": "optimisers and gradients as operators (ai.onnx.preview.training): this is about inference",
    "image-decoding": "JPEG, PNG, WebP and others inside of the graph",
    "type": "4-bit and smaller floats and other types that torch does not hold",
    "stated": "a converter says what it does not do, by operator, version and reason",
    "no-converter": "nobody wrote one yet",
}
"""Every reason to refuse a case, as the tables in ``expected`` name them."""

RANDOM = frozenset({
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
})  # fmt: skip
"""Operators whose numbers are drawn: shapes and types alone are compared. Dropout too, where it is told to train."""

_NAMED = re.compile(r"operator \S+ version \d+ is not supported: \S|which torch does not hold")
_LACKING = {
    onnx.TensorProto.FLOAT4E2M1, onnx.TensorProto.INT4, onnx.TensorProto.UINT4,
    *(getattr(onnx.TensorProto, name) for name in ("INT2", "UINT2") if hasattr(onnx.TensorProto, name)),
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """``kind`` as the tables have it (pass, refused:REASON, wrong, crash), and why, in words."""

    kind: str
    why: str = ""


def run(case: Case) -> Outcome:
    """Convert a case with ``to_torch`` and compare what it gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module = onnxray.to_torch(case.model, verify=case.verify)
            for inputs, outputs in case.data:
                with torch.no_grad():
                    got = list(forward_all(module, tuple(tensors(value) for value in inputs)))
                words = difference(got, tensors(outputs), case.rtol, case.atol, values=not is_random(case.model))
                if words is not None:
                    return Outcome("wrong", words)
        except UnsupportedOperator as error:
            return refused(case.model, str(error))
        except Exception as error:  # whatever it is, it is not ours
            return Outcome("crash", f"{type(error).__name__}: {' '.join(str(error).split())}")
    return Outcome("pass")


def is_random(model: onnx.ModelProto) -> bool:
    """Whether the outputs are drawn."""
    used = operators(model)
    return bool(used & RANDOM) or ("Dropout" in used and "training_dropout" in model.graph.name)


def refused(model: onnx.ModelProto, message: str) -> Outcome:
    """The outcome of a refusal; one that does not say what it refuses is no better than a crash."""
    if not _NAMED.search(message):
        return Outcome("crash", f"a refusal that does not name operator, version and reason: {message}")
    return Outcome(f"refused:{_reason(model, message)}", message)


def _reason(model: onnx.ModelProto, message: str) -> str:
    used = operators(model)
    if any(name.startswith("ai.onnx.preview.training.") for name in used):
        return "training"
    if "ImageDecoder" in used:
        return "image-decoding"
    values: list[Any] = [*model.graph.input, *model.graph.output]
    if any(_element(value.type.sequence_type.elem_type) == onnx.TensorProto.STRING for value in values):
        return "string-sequences"
    held = {_element(value.type) for value in values} | {tensor.data_type for tensor in model.graph.initializer}
    if onnx.TensorProto.STRING in held:
        return "strings"
    if "there is no converter for it" in message:
        return "no-converter"
    return "type" if held & _LACKING or "which torch does not hold" in message else "stated"


def _element(kind: onnx.TypeProto) -> int:
    if kind.HasField("optional_type"):
        return _element(kind.optional_type.elem_type)
    if kind.HasField("sequence_type"):
        return _element(kind.sequence_type.elem_type)
    return int(kind.tensor_type.elem_type)
