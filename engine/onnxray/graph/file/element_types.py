"""ONNX's numbers of element types, by numpy's names."""

from __future__ import annotations

import onnx


def element_type_name(number: int) -> str:
    """``float32`` for 1, and so on; ``type 77`` for a number that onnx does not know, as a damaged file may hold."""
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(number))
    except (KeyError, ValueError, TypeError):
        return f"type {number}"
