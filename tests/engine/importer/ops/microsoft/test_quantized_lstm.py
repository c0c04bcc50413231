"""DynamicQuantizeLSTM: its numbers are ONNX Runtime's own, and a gradient through it is refused in one line."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import onnxray
from onnxray.engines.processor import runtime_threads
from onnxray.errors import NotDifferentiable
from onnxray.graph.reading import read_graph
from onnxray.importer.nodes.threads import threads_of
from onnxray.importer.walk import Importer
from support import models

R = models.random
HIDDEN, INPUTS, GATES = 6, 5, 24
TEXT = """<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>
speech (float[T,N,5] x) => (float[T,D,N,6] y, float[D,N,6] h, float[D,N,6] c) {
  a = Tanh (x)
  y, h, c = com.microsoft.DynamicQuantizeLSTM <hidden_size = 6, ATTRIBUTES>
    (a, w, r, b, lengths, first_h, first_c, p, ws, wz, rs, rz)
}"""
KINDS: dict[str, tuple[str, set[str]]] = {
    "plain": ('direction = "forward"', set()),
    "bias": ('direction = "forward"', {"b"}),
    "reverse": ('direction = "reverse"', {"b"}),
    "both directions": ('direction = "bidirectional"', {"b"}),
    "states": ('direction = "forward"', {"b", "first_h", "first_c"}),
    "lengths": ('direction = "forward"', {"b", "lengths"}),
    "peepholes": ('direction = "forward"', {"b", "p"}),
    "clip": ('direction = "forward", clip = 0.3', {"b"}),
    "activations": ('direction = "forward", activations = ["HardSigmoid", "Relu", "Tanh"]', {"b"}),
    "coupled": ('direction = "forward", input_forget = 1', {"b"}),
}


def network(
    kind: str, *, samples: int = 1, steps: int = 12, each: bool = False, signed: bool = True
) -> onnx.ModelProto:
    """each: a scale for each gate, whose zero points ONNX Runtime wants alike, 0 for int8. Weights of 7 bits, whose
    products no processor cuts off."""
    attributes, used = KINDS[kind]
    dirs = 2 if "bidirectional" in attributes else 1
    generator, low = np.random.default_rng(3), -63 if signed else 0
    kind_of, shape = (np.int8 if signed else np.uint8), (dirs, GATES) if each else (dirs,)
    points = np.full(shape, 0 if signed else 65) if each else generator.integers(low + 60, low + 66, shape)
    weights: dict[str, np.ndarray] = {
        "w": generator.integers(low, low + 127, (dirs, INPUTS, GATES)).astype(kind_of),
        "r": generator.integers(low, low + 127, (dirs, HIDDEN, GATES)).astype(kind_of),
        "ws": generator.uniform(0.01, 0.02, shape).astype(np.float32),
        "rs": generator.uniform(0.005, 0.01, shape).astype(np.float32),
        "wz": points.astype(kind_of), "rz": points.astype(kind_of),
        "b": R(5, dirs, 2 * GATES, scale=0.3), "first_h": R(6, dirs, samples, HIDDEN), "p": R(8, dirs, 3 * HIDDEN),
        "first_c": R(7, dirs, samples, HIDDEN), "lengths": generator.integers(3, steps - 2, samples).astype(np.int32),
    }  # fmt: skip
    optional = {"b", "lengths", "first_h", "first_c", "p"}
    model = onnx.parser.parse_model(TEXT.replace("ATTRIBUTES", attributes).replace("D,", f"{dirs},"))
    node = model.graph.node[1]
    left_out = optional - used
    node.input[:] = ["" if name in left_out else name for name in node.input]
    kept = {name: array for name, array in weights.items() if name not in left_out}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in kept.items())
    return model


def judged(model: onnx.ModelProto, x: np.ndarray, threads: int = 0) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(["y", "h", "c"], {"x": x}))


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("each", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_those_of_onnx_runtime(kind: str, each: bool, signed: bool) -> None:
    model, x = network(kind, each=each, signed=signed), R(0, 12, 1, INPUTS)
    module = onnxray.to_torch(model, verify=False)
    for found, expected in zip(module(torch.from_numpy(x)), judged(model, x)):
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("samples", [2, 3, 5, 8])
def test_rows_are_quantised_in_as_many_parts_as_there_are_threads(samples: int, threads: int) -> None:
    model, x = network("states", samples=samples), R(0, 12, samples, INPUTS) * np.linspace(0.2, 2, samples)[:, None]
    graph = read_graph(model)
    graph.settle(threads_of, threads)
    module = Importer(graph).cut(("y", "h", "c"))
    found, expected = module(torch.from_numpy(x.astype(np.float32))), judged(model, x.astype(np.float32), threads)
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-4, atol=2e-6)


def test_how_many_threads_there_are_is_found_out() -> None:
    """By what ONNX Runtime gives here for several rows, which is none of ours with another number."""
    model, x = network("states", samples=7), R(0, 12, 7, INPUTS) * np.linspace(0.2, 2, 7, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(judged(model, x)[0], judged(model, x, runtime_threads())[0])


@pytest.fixture
def opened() -> onnxray.Model:
    return onnxray.open(network("bias"), inputs="arrays")


def test_the_file_is_verified_and_its_values_are_given(opened: onnxray.Model) -> None:
    x = R(0, 12, 1, INPUTS)
    found = opened.verify({"x": x})
    assert found.agrees, found.reason
    assert {"a", "y", "h", "c"} <= {row.name for row in found.comparisons}
    np.testing.assert_allclose(
        opened.values({"x": x}, ["y"], "twin")["y"], opened.values({"x": x}, ["y"])["y"], rtol=1e-4, atol=2e-6
    )
    assert "DynamicQuantizeLSTM" in str(opened.mixing.note())


def test_a_gradient_through_it_is_refused_in_one_line(opened: onnxray.Model) -> None:
    x = R(0, 12, 1, INPUTS)
    cotangent: dict[str, Any] = {"h": np.float32(1) * np.ones((1, 1, HIDDEN), np.float32)}
    with pytest.raises(NotDifferentiable, match=r"DynamicQuantizeLSTM\) rounds its state .* RISE need none.* wrt 'y'$"):
        opened.pullback({"x": x}, cotangent)
    before = opened.pullback({"x": x}, {"a": np.ones((12, 1, INPUTS), np.float32)})
    np.testing.assert_allclose(before, 1 - np.tanh(x) ** 2, rtol=1e-4, atol=1e-6)


def test_gradients_behind_it_are_given() -> None:
    model = network("bias")
    model.graph.node.append(onnx.helper.make_node("Mul", ["y", "y"], ["z"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("z", 1, ["T", 1, "N", HIDDEN]))
    opened = onnxray.open(model, inputs="arrays")
    x = R(0, 12, 1, INPUTS)
    found = opened.pullback({"x": x}, {"z": np.ones((12, 1, 1, HIDDEN), np.float32)}, wrt="y")
    np.testing.assert_allclose(found, 2 * opened.values({"x": x}, ["y"])["y"], rtol=1e-3, atol=1e-5)


def test_weights_of_8_bits_are_checked_where_the_judge_is_made_exact() -> None:
    """On a processor that cuts products off; elsewhere as it is."""
    model = network("bias")
    for tensor in model.graph.initializer:
        if tensor.name in {"w", "r"}:
            array = onnx.numpy_helper.to_array(tensor)
            wide = np.clip(array.astype(np.int16) * 2, -128, 127).astype(np.int8)
            tensor.CopyFrom(onnx.numpy_helper.from_array(wide, tensor.name))
    opened = onnxray.open(model, inputs="arrays")
    found = opened.verify({"x": R(0, 12, 1, INPUTS)})
    assert found.agrees, found.reason
    assert opened.pullback({"x": R(0, 12, 1, INPUTS)}, {"a": np.ones((12, 1, INPUTS), np.float32)}).any()
