"""What a node's attribute holds."""

from __future__ import annotations

from typing import Any

import onnx

from onnxray.errors import ModelFileError


def value_of(attribute: onnx.AttributeProto) -> Any:
    """What it holds. Errors: ModelFileError where it stands for a function's, and its node is in none."""
    if attribute.ref_attr_name:
        raise ModelFileError(
            f"attribute {attribute.name!r} refers to a function's attribute {attribute.ref_attr_name[:200]!r}, and its "
            "node is in none; the file is damaged"
        )
    return onnx.helper.get_attribute_value(attribute)


def held_tensor(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """The tensor that a Constant node holds, itself and no copy; None of others, and where it is given as a number."""
    for entry in node.attribute if node.op_type == "Constant" else ():
        if entry.name == "value":
            tensor: onnx.TensorProto = entry.t
            return tensor
    return None
