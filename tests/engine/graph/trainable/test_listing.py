"""Which constants of a file are trained: by what the network does with them, each other one with its reason."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from onnxray.errors import InputError
from onnxray.graph.reading import read_graph
from onnxray.graph.trainable.listing import Constant, chosen, constants_of
from support import models

R = models.random


def listed(model: onnx.ModelProto, outputs: tuple[str, ...] = ()) -> dict[str, Constant]:
    return {one.name: one for one in constants_of(read_graph(model), outputs)}


def network() -> onnx.ModelProto:
    """Pixels normalised, a convolution, batch normalisation, a scalar, a clip, a chained and a shared weight."""
    weights = {
        "mean": R(0, 1, 3, 1, 1), "w": R(1, 4, 3, 1, 1), "s": R(2, 4), "b": R(3, 4), "m": R(4, 4), "v": R(5, 4) ** 2,
        "two": np.float32([2]), "low": np.float32(0), "high": np.float32(9), "wt": R(6, 5, 4), "bias": R(7, 5),
        "one": R(8, 5, 1), "one_bias": np.float32([3]), "unread": R(9, 3), "shape": np.int64([0, -1]),
    }  # fmt: skip
    return models.parse(
        """g (float[N,3,2,2] x) => (float[N,1] y, float[N,5] z) {
          c = Sub (x, mean) a = Conv (c, w) n = BatchNormalization (a, s, b, m, v) k = Mul (n, two)
          k2 = Clip (k, low, high) p = GlobalAveragePool (k2) f = Reshape (p, shape)
          t = Transpose <perm = [1, 0]> (wt) h = MatMul (f, t) z = Add (h, bias) o = MatMul (z, one) y = Add (o, one_bias)
        }""",
        weights,
    )


def test_what_is_trained_and_why_the_rest_is_not() -> None:
    found = listed(network())
    assert {name for name, one in found.items() if not one.reason} == {"w", "s", "b", "wt", "bias", "one", "one_bias"}
    said = {name: one.reason for name, one in found.items() if one.reason}
    assert "running mean" in said["m"]
    assert "running variance" in said["v"]
    assert "where pixels are normalised" in said["mean"]
    assert "a single number of Mul" in said["two"]
    assert "an option" in said["low"]
    assert "an option" in said["high"]
    assert "no output" in said["unread"]
    assert "shape" not in found
    assert found["wt"].reads == ("MatMul 'MatMul_8': weight",)
    assert found["w"].count == 12


def test_only_what_the_output_that_is_trained_on_depends_on() -> None:
    found = listed(network(), ("z",))
    assert "no output" in found["one"].reason
    assert found["bias"].reason == ""


def test_numbers_that_lie_in_no_plain_tensor_are_listed_and_left() -> None:
    model = models.parse(
        """g (float[N,3] x) => (float[N,3] y) {
          a = Constant <value_floats = [1.0, 2.0, 3.0]> () m = Mul (x, a) n = MatMul (m, w)
          b = Constant <value_float = 2.0> () y = Mul (n, b)
        }""",
        {},
    )
    values = numpy_helper.from_array(np.float32([1, 2]), "w")
    places = numpy_helper.from_array(np.int64([0, 4]), "places")
    model.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, places, [3, 3]))
    found = listed(model)
    said = {name: (one.shape, one.reason.partition(",")[0]) for name, one in found.items()}
    assert said == {
        "a": ((3,), "it lies in the node's attribute value_floats"),
        "b": ((), "it lies in the node's attribute value_float"),
        "w": ((3, 3), "it lies in a sparse tensor"),
    }
    with pytest.raises(InputError, match=r"'a' cannot be trained.*value_floats"):
        chosen(constants_of(read_graph(model)), train=["a"])


def test_constant_nodes_and_half_precision() -> None:
    model = models.parse(
        """g (float[N,3] x) => (float[N,2] y) {
          w = Constant <value = float16[3,2] {1, 2, 3, 4, 5, 6}> ()
          c = Cast <to = 1> (w) h = MatMul (x, c) b = Constant <value = float[2] {1, 2}> () y = Add (h, b)
        }"""
    )
    found = listed(model)
    assert [(one.name, one.held, one.dtype, one.reason) for one in found.values()] == [
        ("w", "constant", "float16", ""), ("b", "constant", "float32", ""),
    ]  # fmt: skip


def test_whole_numbers_that_stand_for_weights_and_those_that_only_integer_operators_read() -> None:
    weights = {
        "w": np.int8([[1, 2], [3, 4], [5, 6]]), "s": np.float32(0.1), "z": np.int8(0), "xs": np.float32(0.1),
        "xz": np.uint8(3), "q": np.int8([[1, 2], [3, 4]]),
    }  # fmt: skip
    model = models.parse(
        """g (float[N,3] x) => (float[N,2] y, uint8[N,2] u) {
          r = DequantizeLinear (w, s, z) y = MatMul (x, r) i = QuantizeLinear (y, xs, xz)
          u = QLinearMatMul (i, xs, xz, q, s, z, xs, xz)
        }""",
        weights,
    )
    found = listed(model)
    assert (found["w"].reason, found["w"].real, found["w"].quantised) == ("", "r", True)
    assert "QLinearMatMul" in found["q"].reason
    assert "QDQ" in found["q"].reason
    assert all(found[name].reason for name in ("s", "xs"))


def test_weights_that_a_body_reads_and_those_of_functions_are_left() -> None:
    model = models.parse(
        """g (float[N,3] x, bool c) => (float[N,3] y) {
          y = If (c) <then_branch = t () => (float[N,3] a) { a = Mul (x, w) },
                      else_branch = e () => (float[N,3] b) { b = Identity (x) }>
        }""",
        {"w": R(0, 3)},
    )
    assert "inside the body of If" in listed(model)["w"].reason
    text = """<ir_version: 8, opset_import: ["": 17, "own": 1]>
      g (float[N,2] x) => (float[N,2] y) { y = own.f (x) }
      <domain: "own", opset_import: ["": 17]> f (x) => (y) {
        w = Constant <value = float[2,2] {1, 2, 3, 4}> () y = MatMul (x, w) }"""
    assert [one.reason for one in listed(onnx.parser.parse_model(text)).values()] == [
        "it lies in a function of the file, not in its graph"
    ]


def test_names_and_patterns_choose() -> None:
    found = tuple(constants_of(read_graph(network())))
    assert [one.name for one in chosen(found, ["b*"])] == ["b", "bias"]
    assert [one.name for one in chosen(found, freeze=["w*", "one*"])] == ["s", "b", "bias"]
    assert [one.name for one in chosen(found, ["two"])] == ["two"]
    with pytest.raises(InputError, match="'m' cannot be trained: running mean"):
        chosen(found, ["m"])
    with pytest.raises(InputError, match="no constant is called 'biass'; did you mean 'bias'"):
        chosen(found, ["biass"])
    with pytest.raises(InputError, match="nothing is left to train"):
        chosen(found, ["w"], ["w"])


def test_a_file_of_integer_operators_alone_is_refused_by_name() -> None:
    weights = {"s": np.float32(0.1), "z": np.uint8(3), "q": np.int8([[1, 2], [3, 4]]), "qz": np.int8(0)}
    model = models.parse("g (uint8[N,2] x) => (uint8[N,2] u) { u = QLinearMatMul (x, s, z, q, s, qz, s, z) }", weights)
    with pytest.raises(InputError, match="nothing is left to train: whole numbers of QLinearMatMul.*QDQ form"):
        chosen(tuple(constants_of(read_graph(model))))


def test_a_position_that_is_added_behind_an_embedding_is_trained() -> None:
    model = models.parse(
        "g (int64[N,2] x) => (float[N,2,3] y) { e = Gather (table, x) y = Add (e, positions) }",
        {"table": R(0, 7, 3), "positions": R(1, 2, 3)},
    )
    assert [one.reason for one in listed(model).values()] == ["", ""]
    assert numpy_helper.to_array(model.graph.initializer[1]).shape == (2, 3)
