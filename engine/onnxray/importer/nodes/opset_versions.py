"""The version of an operator that an opset means."""

from __future__ import annotations

import onnx


def since_version(operator: str, domain: str, opset: int) -> int:
    """The since-version of an operator under an opset; the opset itself where onnx does not know the operator."""
    try:
        return int(onnx.defs.get_schema(operator, opset, domain).since_version)
    except onnx.defs.SchemaError:
        return opset
