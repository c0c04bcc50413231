"""What onnx itself would stumble over is refused in one line: versions, equations, constants of another size."""

import math

import numpy as np
import onnx
import pytest
from onnx import helper

from onnxray.errors import ModelFileError
from onnxray.graph.file.checks import check_equation, check_opsets, check_tensors
from support import models


@pytest.mark.parametrize(("domain", "called"), [("", "ai.onnx"), ("com.microsoft", "com.microsoft")])
@pytest.mark.parametrize(("version", "right"), [(0, True), (17, True), (2**31 - 1, True), (2**31, False), (-1, False)])
def test_versions_of_operator_sets(domain: str, called: str, version: int, right: bool) -> None:
    model = models.parse("g (float[N] x) => (float[N] y) { y = Neg (x) }")
    of_a_function = helper.make_function(
        "here", "F", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], [helper.make_opsetid(domain, version)]
    )
    for where in ("model", "function"):
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        if where == "model":
            changed.opset_import.add(domain=domain, version=version)
        else:
            changed.functions.append(of_a_function)
        if right:
            check_opsets(changed)
        else:
            with pytest.raises(
                ModelFileError, match=f"^the opset of domain '{called}' is {version}; one such as 17 was expected$"
            ):
                check_opsets(changed)


@pytest.mark.parametrize(
    ("equation", "wrong"),
    [
        ("ij,jk->ik", ""),
        ("...ij,...jk->...ik", ""),
        ("i...", ""),
        ("..ij->i", "..ij"),
        ("ij,.->i", "."),
        ("......->i", "......"),
        ("i->..", ".."),
    ],
)
def test_dots_of_an_equation(equation: str, wrong: str) -> None:
    node = helper.make_node("Einsum", ["a", "b"], ["y"], equation=equation)
    if not wrong:
        check_equation(node)
    else:
        with pytest.raises(
            ModelFileError, match=r"Einsum \['y'\] has .* in its equation; letters and one '...' were expected"
        ):
            check_equation(node)
    check_equation(helper.make_node("Einsum", ["a"], ["y"], equation="i->i", comment=".. in another attribute"))
    check_equation(helper.make_node("Other", ["a"], ["y"], equation="..i"))


NUMBERS = {"float_data": onnx.TensorProto.FLOAT, "int32_data": onnx.TensorProto.INT32, "int64_data": onnx.TensorProto.INT64,
           "double_data": onnx.TensorProto.DOUBLE, "uint64_data": onnx.TensorProto.UINT64, "string_data": onnx.TensorProto.STRING}  # fmt: skip


@pytest.mark.parametrize("field", ["raw_data", *NUMBERS])
def test_constants_hold_as_many_numbers_as_their_shape_takes(field: str) -> None:
    def model(*dims: int) -> onnx.ModelProto:
        made = models.parse("g (float[N] x) => (float[N] y) { y = Neg (x) }")
        tensor = made.graph.initializer.add(name="w", dims=dims, data_type=NUMBERS.get(field, onnx.TensorProto.FLOAT))
        if field == "raw_data":
            tensor.raw_data = np.zeros(6, np.float32).tobytes()
        elif field == "string_data":
            tensor.string_data.extend([b"a"] * 6)
        else:
            getattr(tensor, field).extend([0] * 6)
        return made

    for dims in ((6,), (2, 3), (0, 9), ()):
        check_tensors(model(*dims), ())
    for dims, said in (
        ((7, 1000), "holds no 7000 numbers"),
        ((-1,), "sizes of 0 and more were expected"),
        ((-2, -3), "sizes of 0 and more"),
    ):
        with pytest.raises(ModelFileError, match=f"has the shape .*{said}"):
            check_tensors(model(*dims), ())
        check_tensors(model(*dims), ("w",))
    assert math.prod((7, 1000)) > 6 * 8 * 8
