"""Files of each kind are hardened for an epoch: the numbers of what is trained are others, and not another byte is."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

import onnxray
import onnxray_models
from onnxray.graph.differences.files import differences
from onnxray.results.keeping import Keeping
from onnxray.training.hardening import Harden
from support import exporting, models, packages
from support.efficientnet import EfficientNetLite0

R = models.random
DIGITS = list(onnxray_models.samples("lenet"))[::2]
LABELS = [path.stem[0] for path in DIGITS]
ONE_EPOCH = {"attacks": "fgsm", "epochs": 1, "eps": 8.0, "evaluate": 0, "batch": 16, "best_by": "last", "max_drop": 1.0}

RESIDUAL = """
g (float[N,1,28,28] x) => (float[N,10] y) {
  a = Conv <strides = [4, 4]> (x, w1)
  n = BatchNormalization (a, s1, b1, m1, v1) r = Relu (n)
  c = Conv <pads = [1, 1, 1, 1]> (r, w2)
  k = BatchNormalization (c, s2, b2, m2, v2)
  t = Add (k, r) u = Relu (t) f = Flatten (u) y = Gemm (f, g, h)
}"""
QDQ = """
g (float[N,1,28,28] x) => (float[N,10] y) {
  xq = QuantizeLinear (x, xs, xz) xr = DequantizeLinear (xq, xs, xz)
  w = DequantizeLinear <axis = 0> (wq, ws, wz)
  a = Conv <strides = [4, 4]> (xr, w) r = Relu (a)
  rq = QuantizeLinear (r, rs, rz) rr = DequantizeLinear (rq, rs, rz)
  f = Flatten (rr) g = DequantizeLinear (gq, gs) y = MatMul (f, g)
}"""


def residual() -> onnx.ModelProto:
    """A block that adds what it was given, its batch normalisations in the file."""
    weights = {
        "w1": R(0, 6, 1, 5, 5, scale=0.005), "w2": R(1, 6, 6, 3, 3, scale=0.2), "g": R(2, 216, 10, scale=0.1),
        "h": R(3, 10, scale=0.1),
    }  # fmt: skip
    for k in (1, 2):
        weights |= {f"s{k}": R(4 + k, 6) + 1, f"b{k}": R(6 + k, 6), f"m{k}": R(8 + k, 6), f"v{k}": R(9 + k, 6) ** 2 + 1}
    return models.parse(RESIDUAL, {name: array.astype(np.float32) for name, array in weights.items()})


def quantised() -> onnx.ModelProto:
    """Weights of 8 bits behind DequantizeLinear, one of them by channel."""
    random = np.random.default_rng(0)
    return models.parse(QDQ, {
        "xs": np.float32(1), "xz": np.uint8(0), "wq": random.integers(-120, 120, (6, 1, 5, 5), np.int8),
        "ws": np.float32(random.uniform(2e-5, 6e-5, 6)), "wz": np.zeros(6, np.int8),
        "rs": np.float32(0.02), "rz": np.uint8(0), "gq": random.integers(-120, 120, (216, 10), np.int8),
        "gs": np.float32(0.001),
    })  # fmt: skip


def with_constants() -> onnx.ModelProto:
    """The residual network with a Constant node in place of each initialiser."""
    proto = residual()
    nodes = [onnx.helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in proto.graph.initializer]
    nodes += proto.graph.node
    proto.graph.ClearField("initializer")
    proto.graph.ClearField("node")
    proto.graph.node.extend(nodes)
    return proto


def tensors_of(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from proto.graph.initializer
    for node in proto.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t


def without_numbers(data: bytes, names: set[str]) -> bytes:
    """The bytes of a file with zeros for the numbers of these tensors."""
    proto = onnx.load_from_string(data)
    held = {tensor.name: tensor for tensor in tensors_of(proto)}
    held |= {
        node.output[0]: node.attribute[0].t
        for node in proto.graph.node
        if node.op_type == "Constant" and node.attribute
    }
    for name in names:
        raw = held[name].raw_data
        assert len(raw) > 8
        assert data.count(raw) == 1, name
        data = data.replace(raw, bytes(len(raw)))
    return data


def assert_only_numbers_differ(old: onnxray.Model, path: Path, written: Path) -> set[str]:
    """What ``onnxray diff`` says and what the bytes say; the names of what was trained."""
    new = onnxray.open(written, old.profile)
    result = differences(old.graph, new.graph)
    assert result.only_weights
    names = {one.name for one in result.tensors}
    before, after = path.read_bytes(), written.read_bytes()
    external = {name for name in names if name in old.graph.container.regions and old.graph.container.external}
    assert without_numbers(before, names - external) == without_numbers(after, names - external)
    return names


FILES = {"batch normalisation": residual, "quantised": quantised, "external": residual, "constants": with_constants}


@pytest.mark.parametrize("kind", FILES)
def test_an_epoch_of_each_kind_of_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    beside = {"save_as_external_data": True, "location": "net.bin", "size_threshold": 0} if kind == "external" else {}
    proto = FILES[kind]()
    for tensor in tensors_of(proto):  # as exporters write them
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    onnx.save(proto, path, **beside)  # type: ignore[arg-type]
    model = onnxray.open(path, "raw")
    with Keeping.into(tmp_path / "out", "harden") as keep:
        result = Harden(**{**ONE_EPOCH, "rate": 1e-2})(model, DIGITS, LABELS, keep=keep)
        keep.complete(result)
    written = tmp_path / "out" / "net.onnx"
    trained = assert_only_numbers_differ(model, path, written)
    assert trained == {"wq", "gq"} if kind == "quantised" else trained >= {"w1", "w2", "s1", "b1", "s2", "b2", "g", "h"}
    assert not trained & {"m1", "v1", "m2", "v2", "xs", "ws", "rs", "gs"}
    assert result.extra["hardening"]["verified"]["agrees"]
    assert result.extra["hardening"]["written"] == ["net.onnx", "net.bin"] if beside else ["net.onnx"]
    pixels = np.array(model.pixels(DIGITS[:8]).array)
    (scores,) = onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"]).run(["y"], {"x": pixels})
    assert not np.allclose(scores, model.values(pixels, ["y"])["y"])
    np.testing.assert_allclose(onnxray.open(written, "raw").values(pixels, ["y"])["y"], scores, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_real_network_with_its_batch_normalisations_is_hardened_on_photographs(
    lite0: EfficientNetLite0, tmp_path: Path
) -> None:
    packages.needed("foolbox", "foolbox/data/imagenet_00_243.jpg")
    photographs = packages.imagenet_photos()[:11]
    path = tmp_path / "lite0.onnx"
    with exporting.quiet():
        torch.onnx.export(
            lite0.network, (torch.zeros(1, 3, 224, 224),), path, dynamo=False, opset_version=17, input_names=["image"],
            output_names=["logits"], dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        )  # fmt: skip
    model = onnxray.open(path, lite0.profile)
    assert sum(node.operator == "BatchNormalization" for node in model.graph.nodes) > 40
    classes = [str(number) for _, number in photographs]
    with Keeping.into(tmp_path / "out", "harden") as keep:
        method = Harden(**{**ONE_EPOCH, "eps": 1.0, "rate": 1e-5, "batch": 4, "clip": 1.0})
        result = method(
            onnxray.open(path, lite0.profile, labels="none"), [p for p, _ in photographs], classes, keep=keep
        )
        keep.complete(result)
    trained = assert_only_numbers_differ(model, path, tmp_path / "out" / "lite0.onnx")
    assert not any("running" in name for name in trained)
    assert result.extra["hardening"]["verified"]["agrees"]
