"""Which files multiply uint8 by int8: by operator, by type, by what was dequantised just before, and in bodies."""

import numpy as np
import onnx
import pytest

from onnxray.engines.integer_products import Products, products
from onnxray.graph.reading import read_graph

TYPES = {"u": np.uint8, "i": np.int8}


def found(nodes: str, *, inputs: str = "uint8[2,2] x, int8[2,2] k, float[2,2] f") -> Products:
    text = f'<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>\ng ({inputs}) => (float[A,B] z) {{ {nodes} }}'
    model = onnx.parser.parse_model(text)
    weights = {
        "u": np.ones((2, 2), np.uint8),
        "i": np.ones((2, 2), np.int8),
        "s": np.float32(1),
        "uz": np.uint8(1),
        "iz": np.int8(1),
        "c": np.array(True),
    }
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()
    )
    return products(read_graph(model))


MATMUL = "y = MatMulInteger (LEFT, RIGHT)  z = Cast <to = 1> (y)"
QLINEAR = "y = QLinearMatMul (LEFT, s, uz, RIGHT, s, iz, s, uz)  z = Cast <to = 1> (y)"


@pytest.mark.parametrize(("text", "place"), [(MATMUL, 1), (QLINEAR, 3), (MATMUL.replace("MatMulInteger", "ConvInteger"), 1),
    (MATMUL.replace("MatMulInteger (LEFT, RIGHT)", "com.microsoft.MatMulIntegerToFloat (LEFT, RIGHT, s, s)"), 1),
    (QLINEAR.replace("QLinearMatMul", "com.microsoft.QGemm"), 3), (QLINEAR.replace("QLinearMatMul", "QLinearConv"), 3),
    (QLINEAR.replace("QLinearMatMul", "com.microsoft.QLinearConv"), 3),
    (MATMUL.replace("MatMulInteger (LEFT, RIGHT)", "com.microsoft.QAttention (LEFT, RIGHT, s, s, s)"), 1)])  # fmt: skip
def test_uint8_times_int8_alone(text: str, place: int) -> None:
    for left in ("x", "k", "u", "i"):
        for right in ("u", "i", "x", "k"):
            one = found(text.replace("LEFT", left).replace("RIGHT", right))
            saturating = left in "xu" and right in "ik"
            assert one.any == saturating
            assert [(node.outputs[0], where) for node, where in one.direct] == ([("y", place)] if saturating else [])
            assert one.computed == (saturating and right == "k")
            assert one.avoidable != (saturating and right == "k")


def test_what_an_operator_quantises_itself_is_uint8() -> None:
    text = "z = com.microsoft.DynamicQuantizeMatMul (f, RIGHT, s)"
    assert [where for _, where in found(text.replace("RIGHT", "i")).direct] == [1]
    assert not found(text.replace("RIGHT", "u")).any


def test_types_that_are_not_told_count() -> None:
    odd = "w = other.Odd (x)  y = MatMulInteger (w, i)  z = Cast <to = 1> (y)"
    assert found(odd).any
    assert not found(odd.replace("(w, i)", "(w, u)")).any
    assert found(odd.replace("(w, i)", "(x, w)")).computed


DEQUANTISED = "a = DequantizeLinear (LEFT, s)  b = DequantizeLinear (RIGHT, s)  MOVED  z = MatMul (m, b)"


@pytest.mark.parametrize("moved", ["m = Transpose (a)", "t = Transpose (a)  m = Flatten (t)", ""])
def test_products_that_are_fused_with_what_was_dequantised(moved: str) -> None:
    """ONNX Runtime shifts an int8 left factor to uint8, so that both saturate; two of uint8 do not."""
    text = DEQUANTISED.replace("MOVED", moved) if moved else DEQUANTISED.replace("MOVED", "").replace("(m,", "(a,")
    for left in "xkui":
        for right in "xkui":
            one = found(text.replace("LEFT", left).replace("RIGHT", right))
            assert (one.fused, one.any, one.direct, one.avoidable) == (right in "ik", right in "ik", (), True)


def test_products_of_real_numbers_are_none() -> None:
    assert not found("z = MatMul (f, f)").any
    assert not found("b = DequantizeLinear (i, s)  z = MatMul (f, b)").any
    assert not found("a = DequantizeLinear (x, s)  r = Relu (a)  b = DequantizeLinear (i, s)  z = MatMul (r, b)").any
    assert not found("a = DequantizeLinear (x, s)  b = DequantizeLinear (i, s)  z = Add (a, b)").any
    assert not Products((), False, (), False).any
    assert Products((), False, (), True).any


def test_products_in_bodies_cannot_be_avoided() -> None:
    body = (
        "y = If (c) <then_branch = g () => (o) { INNER }, else_branch = h () => (p) { p = Identity (f) }>  z = Neg (y)"
    )
    inner = "m = MatMulInteger (x, u)  o = Cast <to = 1> (m)"
    one = found(body.replace("INNER", inner))
    assert (len(one.inside), one.any, one.avoidable, one.fused) == (1, True, False, False)
    nested = (
        "o = If (c) <then_branch = k () => (q) { "
        + inner.replace("o =", "q =")
        + " }, else_branch = l () => (r) { r = Identity (f) }>"
    )
    assert len(found(body.replace("INNER", nested)).inside) == 1
    assert not found(body.replace("INNER", "o = Neg (f)")).inside
