"""Bisection: a node's own error apart from what it inherits; one step of quantisation, and no more."""

import json
from typing import Any

import numpy as np
import onnx
import pytest
from torch import nn

import onnxray
from onnxray.engines.agreement.quantisation_steps import Steps
from onnxray.engines.agreement.verification import Verification
from onnxray.errors import MismatchError
from onnxray.graph.reading import read_graph
from onnxray.importer.ops.quantised import quantization
from onnxray.model import encoding
from support import models

R = models.random

STEPPED = """g (float[N,3] x) => (float[N,3] y) {
  [push] a = Relu (x)
  q = QuantizeLinear (a, one, zero)
  d = DequantizeLinear (q, one, zero)
  [tail] y = Mul (d, two)
}"""
CONSTANTS = {"one": np.float32(1), "zero": np.uint8(0), "two": np.float32(2)}
HALFWAY = np.float32([[2.5, 1, 4], [7, 0.25, 3]])
"""2.5 is rounded to 2, and whatever is larger to 3."""


def stepped(text: str = STEPPED) -> onnx.ModelProto:
    return models.parse(text, CONSTANTS, opset=13)


def scaled(monkeypatch: pytest.MonkeyPatch, owner: type[nn.Module], factor: float) -> None:
    real = owner.forward
    monkeypatch.setattr(owner, "forward", lambda self, *inputs: real(self, *inputs) * factor)


def pushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin's Relu, off by far less than the tolerance, but to the other side of a half."""
    scaled(monkeypatch, nn.ReLU, 1 + 1e-6)


def verdicts(found: Verification) -> dict[str, str]:
    return {row.name: row.verdict for row in found.comparisons}


# One step, inherited


def test_one_step_that_is_inherited_is_let_pass_and_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    pushed(monkeypatch)
    found = onnxray.open(stepped()).verify(HALFWAY)
    assert verdicts(found) == {"a": "agrees", "q": "one step", "d": "one step", "y": "one step"}
    rows = {row.name: row for row in found.comparisons}
    assert [rows[name].steps for name in "aqdy"] == [None, 1, 1, None]
    assert rows["y"].absolute == 2  # the difference itself stays in sight
    assert rows["d"].rule == "one step of quantisation"
    assert rows["y"].rule == "what one step of 'd' makes of it"
    assert all(rows[name].own is not None and rows[name].own.absolute == 0 for name in "qdy")
    assert found.agrees
    assert found.fault is None
    assert "3 values are off by one step" in found.reason


def test_two_steps_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step times two, quantised again: two steps of the second scale."""
    text = STEPPED.replace("[tail] y", "[tail] m").replace(
        "two)", "two) q2 = QuantizeLinear (m, one, zero) y = DequantizeLinear (q2, one, zero)"
    )
    pushed(monkeypatch)
    found = onnxray.open(stepped(text)).verify(HALFWAY)
    assert verdicts(found)["m"] == "one step"
    assert (verdicts(found)["q2"], verdicts(found)["y"]) == ("inherited", "inherited")
    assert found.fault is None
    assert not found.agrees
    assert "accumulated rounding; no node is at fault alone, but output 'y'" in found.reason
    assert "2 steps" in found.reason


def test_what_is_inherited_and_does_not_reach_the_output_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    text = STEPPED.replace("[tail] y", "[tail] m").replace(
        "two)",
        "two) q2 = QuantizeLinear (m, one, zero) w = DequantizeLinear (q2, one, zero) "
        "h = Constant <value_float = 100.0> () y = Max (w, h)",
    )
    pushed(monkeypatch)
    found = onnxray.open(stepped(text)).verify(HALFWAY)
    assert verdicts(found)["w"] == "inherited"
    assert verdicts(found)["y"] == "agrees"
    assert found.agrees
    assert found.first_divergence is not None
    assert found.first_divergence.name == "q2"
    assert "2 values are off by what they inherit, the outputs agree" in found.reason


@pytest.mark.parametrize("converter", [quantization.FixedQuantize, quantization.Dequantize, nn.ReLU])
def test_a_broken_converter_of_a_quantised_file_is_named(
    converter: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it moves a value by no more than one step."""
    scaled(monkeypatch, converter, 1.5)
    x = np.float32([[2.6, 1, 4], [7, 0, 3]])
    found = onnxray.open(stepped()).verify(x)
    named = {
        quantization.FixedQuantize: ("QuantizeLinear", 13, "q"),
        quantization.Dequantize: ("DequantizeLinear", 13, "d"),
        nn.ReLU: ("Relu", 13, "a"),
    }[converter]
    assert not found.agrees
    assert found.fault is not None
    assert (found.fault.operator, found.fault.version, found.fault.value) == named
    assert found.reason == str(found.fault)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["fault"]["operator"] == named[0]
    assert told["fault"]["own"]["verdict"] == "at fault"


def test_a_fault_of_less_than_a_step_does_not_pass_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    scaled(monkeypatch, nn.ReLU, 1.01)
    x = np.float32([[49.6, 30.2, 7]])  # the second becomes 30.502, so 31
    found = onnxray.open(stepped()).verify(x)
    rows = {row.name: row for row in found.comparisons}
    assert rows["q"].steps == 1
    assert found.fault is not None
    assert found.fault.node == "push"
    assert found.fault.own.relative == pytest.approx(0.01, rel=1e-3)
    assert not found.agrees


def test_the_gate_of_gradients_lets_one_inherited_step_pass_and_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "accepted_inputs", lambda graph, run: {"x": HALFWAY})
    monkeypatch.setattr("onnxray.model.to_torch.accepted_inputs", lambda graph, run: {"x": HALFWAY})
    cotangent = {"y": np.ones((2, 3), np.float32)}
    with monkeypatch.context() as patch:
        scaled(patch, quantization.FixedQuantize, 2)
        with pytest.raises(MismatchError, match="'y'"):
            onnxray.open(stepped()).pullback(HALFWAY, cotangent)
        with pytest.raises(MismatchError, match="'y'"):
            onnxray.to_torch(stepped())
    pushed(monkeypatch)
    np.testing.assert_allclose(onnxray.open(stepped()).pullback(HALFWAY, cotangent), 2, rtol=1e-5)
    onnxray.to_torch(stepped())


# Bisection


def test_the_node_at_fault_and_not_those_that_it_feeds(lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    scaled(monkeypatch, nn.AvgPool2d, 1.01)
    found = onnxray.open(lenet, models.GREY).verify()
    assert found.fault is not None
    assert (found.fault.node, found.fault.operator, found.fault.version) == ("AveragePool_5", "AveragePool", 11)
    assert found.fault.own.relative == pytest.approx(0.01, rel=1e-2)
    told = verdicts(found)
    assert told["pool2"] == "at fault"
    assert {told["flat"], told["ip2"]} == {"inherited"}
    assert told["conv2"] == "agrees"
    rows = {row.name: row for row in found.comparisons}
    assert rows["ip2"].own is not None
    assert rows["ip2"].own.relative < 1e-5 < rows["ip2"].relative
    assert "version 11, is at fault: from the judge's own inputs it gives 'pool2' with" in found.reason


def test_the_first_of_two_nodes_at_fault(lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    scaled(monkeypatch, nn.AvgPool2d, 1.01)
    scaled(monkeypatch, nn.MaxPool2d, 1.01)
    found = onnxray.open(lenet, models.GREY).verify()
    assert found.fault is not None
    assert found.fault.value == "pool1"
    assert [row.name for row in found.comparisons if row.verdict == "at fault"] == ["pool1", "pool2"]


def test_a_fault_in_whole_numbers_is_found_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The places are compared with nothing; what is gathered from them is off, by inheritance."""
    model = models.parse(
        """g (float[N,4] x) => (float[N,4] y) {
          top = ArgMax <axis = 1, keepdims = 1> (x)
          f = Cast <to = 1> (top)
          y = Add (x, f)
        }"""
    )
    opened = onnxray.open(model)
    node = opened.graph.producer_of["top"]
    module = opened._new_twin().importer.convert(node).module
    scaled(monkeypatch, type(module), 2)
    found = opened.verify(np.float32([[0, 1, 5, 2], [1, 0, 0, 3]]))
    assert verdicts(found) == {"f": "inherited", "y": "inherited"}
    assert found.fault is not None
    assert (found.fault.value, found.fault.operator) == ("top", "ArgMax")
    assert not found.agrees


def test_of_many_chunks_the_one_that_differs_is_bisected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that fixes its batch at 2; only the fifth of five samples is past the bend of a broken Relu."""
    model = models.parse("g (float[2,3] x) => (float[2,3] y) { a = Relu (x) y = Mul (a, two) }", CONSTANTS)
    real = nn.ReLU.forward
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: real(self, x).clamp(max=10))
    x = R(0, 5, 3)
    x[4, 1] = 20
    found = onnxray.open(model).verify(x)
    assert found.fault is not None
    assert found.fault.value == "a"
    assert found.fault.own.absolute == 10


def test_what_cannot_be_run_alone_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sequence is no array that the judge could be asked for by name."""
    model = models.parse(
        """g (float[N,3] x) => (float[N,3] y) {
          a = Relu (x)
          s = SequenceConstruct (a, x)
          i = Constant <value_int = 0> ()
          b = SequenceAt (s, i)
          y = Neg (b)
        }"""
    )
    assert onnxray.open(model).verify().agrees
    opened = onnxray.open(model)
    at = opened._new_twin().importer.convert(opened.graph.producer_of["b"]).module
    scaled(monkeypatch, type(at), 2)
    found = opened.verify()
    assert verdicts(found)["b"] == "not settled"
    assert found.fault is None
    assert not found.agrees
    assert "could not be run alone" in found.reason


# Steps


def test_steps_of_what_is_dequantised_a_channel_at_a_time() -> None:
    model = models.parse(
        """g (float[N,2,2] x) => (float[N,2,2] y) {
          q = QuantizeLinear <axis = 1> (x, s, z)
          t = Transpose <perm = [0, 2, 1]> (q)
          y = DequantizeLinear <axis = 2> (t, s, z)
        }""",
        {"s": np.float32([0.5, 4]), "z": np.int8([0, 0])},
        opset=13,
    )
    steps = Steps(read_graph(model))
    assert steps.quantised == {"q", "t"}
    judge = np.zeros((1, 2, 2), np.float32)
    twin = np.float32([[[0.5, 0], [1.0, 4]]])  # 1 and 2 steps of 0.5, 1 step of 4
    assert steps.between("y", judge, twin, {}) == 2
    assert steps.between("t", np.int8([[3, 4]]), np.int8([[2, 7]]), {}) == 3
    assert steps.between("x", judge, twin, {}) is None


def test_sources_are_the_nearest_values_with_a_step() -> None:
    model = models.parse(
        """g (float[N,4] x) => (float[N,4] y) {
          q, s, z = DynamicQuantizeLinear (x)
          d = DequantizeLinear (q, s, z)
          n = Neg (x)
          a = Add (d, n)
          p = MatMulInteger (q, w, z, k)
          f = Cast <to = 1> (p)
          y = Add (a, f)
        }""",
        {"w": np.zeros((4, 4), np.uint8), "k": np.uint8(0)},
    )
    steps = Steps(read_graph(model))
    assert steps.quantised == {"q"}  # sums of products are off by any number of steps
    assert steps.sources["n"] == frozenset()
    assert steps.sources["a"] == {"d"}
    assert steps.sources["y"] == {"d", "q"}
    assert steps.computed_scale("d") == "s"
    judge, twin = np.float32([1, 2]), np.float32([1, 2.5])
    assert steps.between("d", judge, twin, {"s": np.float32(0.25)}) == 2
    assert steps.between("d", judge, twin, {}) is None


def test_dynamic_quantisation_may_be_one_step_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scale 1 for numbers from 0 to 255; a half is pushed over."""
    model = models.parse(
        """g (float[N,3] x) => (float[N,3] y) {
          a = Relu (x)
          q, s, z = DynamicQuantizeLinear (a)
          p = MatMulInteger (q, w, z)
          f = Cast <to = 1> (p)
          y = Mul (f, s)
        }""",
        {"w": np.eye(3, dtype=np.uint8)},
    )
    x = np.float32([[2.5, 255, 4]])
    assert onnxray.open(model).verify(x).agrees
    real = nn.ReLU.forward

    def nudged(self: nn.ReLU, value: Any) -> Any:
        found = real(self, value).clone()
        found[found == 2.5] += 1e-5
        return found

    monkeypatch.setattr(nn.ReLU, "forward", nudged)
    found = onnxray.open(model).verify(x)
    assert {name for name, verdict in verdicts(found).items() if verdict == "one step"} >= {"q", "y"}
    assert found.agrees


def test_values_without_numbers_are_told_apart_from_those_that_agree() -> None:
    text = """g (float[N,3] x) => (float[N,3] y, float[M,3] z) {
      y = Relu (x)
      none = Slice (x, nought, nought)
      z = Neg (none)
    }"""
    found = onnxray.open(models.parse(text, {"nought": np.array([0])})).verify(np.ones((2, 3), np.float32))
    assert verdicts(found) == {"y": "agrees", "none": "empty", "z": "empty"}
    assert found.agrees
    assert found.reason == "every value agrees; 2 are empty, with nothing to compare"


def test_a_mask_of_nan_inside_is_nothing_to_compare() -> None:
    """ConstantOfShape(NaN) where nothing is kept of it; the gradient and the verification say the same."""
    text = """g (float[N,3] x) => (float[N,3] y) {
      s = Shape (x)
      n = ConstantOfShape <value = float[1] {nan}> (s)
      m = IsNaN (x)
      y = Where (m, n, x)
    }"""
    model = models.parse(text)
    opened = onnxray.open(model.SerializeToString())
    x = models.random(0, 2, 3)
    found = opened.verify(x)
    assert {row.name: row.verdict for row in found.comparisons}["n"] == "empty"
    assert found.agrees, found.reason
    assert opened.pullback(x, {"y": np.ones(3, np.float32)}).tolist() == np.ones((2, 3)).tolist()


def test_an_output_of_nan_alone_is_still_no_agreement() -> None:
    text = "g (float[N,3] x) => (float[N,3] y) { s = Shape (x) n = ConstantOfShape <value = float[1] {nan}> (s) y = Add (x, n) }"
    assert not onnxray.open(models.parse(text).SerializeToString()).verify(models.random(0, 2, 3)).agrees
