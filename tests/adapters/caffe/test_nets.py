"""Whole nets: generations of Caffe, phases, names of what is written in place, free and fixed batches, sizes."""

import pickle
from pathlib import Path

import numpy as np
import pytest

import onnxray
from onnxray.errors import ModelFileError
from support import caffe_nets
from support.caffe_definitions import convolution, inner_product, pooling, softmax
from support.caffe_files import caffemodel, inputs, layer, write

X = np.random.default_rng(0).standard_normal((3, 1, 8, 8)).astype(np.float32)


def expected() -> dict[str, np.ndarray]:
    weights = caffe_nets.small()[1]
    found = {"conv1": convolution({}, X, *weights["conv1"])[0]}
    found["relu1"] = np.maximum(found["conv1"], 0)
    found["pool1"] = pooling({"kernel_size": 2, "stride": 2}, found["relu1"])[0]
    found["ip1"] = inner_product({}, found["pool1"], *weights["ip1"])[0]
    found["drop2"] = found["relu2"] = np.maximum(found["ip1"], 0)
    found["ip2"] = inner_product({}, found["relu2"], *weights["ip2"])[0]
    found["prob"] = softmax({}, found["ip2"])[0]
    return found


@pytest.mark.parametrize("stored", ["packed", "unpacked", "pieces", "double"])
@pytest.mark.parametrize(("net", "generation"), [("small", 2), ("old", 1), ("oldest", 0), ("small", 1)])
def test_every_generation_gives_each_layer_under_its_name(
    net: str, generation: int, stored: str, tmp_path: Path
) -> None:
    model = onnxray.open(write(tmp_path, *getattr(caffe_nets, net)(), generation=generation, stored=stored))
    assert [(value.name, value.shape) for value in model.graph.inputs] == [("data", ("N", 1, 8, 8))]
    assert [value.name for value in model.graph.outputs] == ["prob"]
    names = expected()
    found = model.judge.values({"data": X}, list(names))
    for name, array in names.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_net_as_it_is_trained_loses_what_training_needs(tmp_path: Path) -> None:
    model = onnxray.open(write(tmp_path, *caffe_nets.training()))
    assert [value.shape for value in model.graph.inputs] == [("N", 1, 8, 8)]
    assert [value.name for value in model.graph.outputs] == ["ip2"]
    found = model.judge.outputs({"data": X})["ip2"]
    np.testing.assert_allclose(found, expected()["ip2"], rtol=1e-5, atol=1e-6)
    profile = model.profile
    assert profile is not None
    assert (profile.scale, profile.mean, profile.channels, profile.assumed) == (1 / 256, (33 / 256,), "GREY", False)


def test_a_train_phase_alone_is_no_net(tmp_path: Path) -> None:
    text = layer("ReLU", "only", ["data"], include={"phase": "TRAIN"}) + layer("ReLU", "one", ["data"], phase="TRAIN")
    with pytest.raises(ModelFileError, match="no layer for testing"):
        onnxray.open(write(tmp_path, text, {}))


def test_rules_of_levels_and_stages(tmp_path: Path) -> None:
    """As Net::FilterNet: without a level and stages, a layer of another is left out."""
    text = inputs(data=(1, 4)) + (
        layer("ReLU", "a", ["data"], exclude={"phase": "TRAIN"}) + layer("AbsVal", "b", ["a"], include={"stage": "deploy"})
        + layer("AbsVal", "c", ["a"], exclude={"min_level": 1}) + layer("AbsVal", "d", ["a"], include={"min_level": 1})
        + layer("AbsVal", "e", ["a"], include=[{"phase": "TRAIN"}, {"not_stage": "deploy"}])
    )  # fmt: skip
    model = onnxray.open(write(tmp_path, text, b"\xa2\x06\x03\x0a\x01x"))
    assert [value.name for value in model.graph.outputs] == ["c", "e"]


def test_names_that_meet_are_told_apart(tmp_path: Path) -> None:
    text = inputs(data=(1, 4)) + layer("ReLU", "a", ["data"], ["data"]) + layer("AbsVal", "a", ["data"], ["data"])
    text += (
        layer("Split", "s", ["data"], ["a", "x"]) + layer("ReLU", "x", ["x"], ["y"]) + layer("ReLU", "", ["a"], ["z"])
    )
    model = onnxray.open(write(tmp_path, text, b"\xa2\x06\x03\x0a\x01x"))
    nodes = [(node.operator, node.inputs, node.outputs) for node in model.graph.nodes]
    assert nodes == [
        ("Relu", ("data",), ("a",)), ("Abs", ("a",), ("a__2",)), ("Identity", ("a__2",), ("a__3",)),
        ("Identity", ("a__2",), ("x__2",)), ("Relu", ("x__2",), ("x",)), ("Relu", ("a__3",), ("z",)),
    ]  # fmt: skip


def test_a_batch_that_a_layer_states_is_fixed(tmp_path: Path) -> None:
    text = inputs(data=(2, 6)) + layer("Reshape", "flat", ["data"], reshape_param={"shape": {"dim": [12]}})
    model = onnxray.open(write(tmp_path, text, b"\xa2\x06\x03\x0a\x01x"))
    assert [value.shape for value in model.graph.inputs] == [(2, 6)]
    assert [value.shape for value in model.graph.outputs] == [(12,)]


def test_a_detector_ends_before_its_boxes_are_picked(tmp_path: Path) -> None:
    text = inputs(data=(1, 3, 8, 8)) + (
        layer("Pooling", "loc", ["data"], pooling_param={"pool": "AVE", "kernel_size": 4})
        + layer("AbsVal", "conf", ["data"]) + layer("PriorBox", "prior", ["loc", "data"], prior_box_param={"min_size": [4.0]})
        + layer("DetectionOutput", "out", ["loc", "conf", "prior"], detection_output_param={"num_classes": 2})
    )  # fmt: skip
    model = onnxray.open(write(tmp_path, text, b"\xa2\x06\x03\x0a\x01x"))
    assert [value.name for value in model.graph.outputs] == ["loc", "conf", "prior"]
    more = layer("ReLU", "after", ["out"])
    with pytest.raises(ModelFileError, match=r"layer 'after' .* stands behind layer 'out' \(DetectionOutput"):
        onnxray.open(write(tmp_path, text + more, b"\xa2\x06\x03\x0a\x01x"))


def test_weights_stay_in_the_caffemodel(tmp_path: Path) -> None:
    weights = {"ip": [np.arange(4000, dtype=np.float32).reshape(2, 2000)]}
    text = inputs(data=(1, 2000)) + layer(
        "InnerProduct", "ip", ["data"], inner_product_param={"num_output": 2, "bias_term": False}
    )
    source = write(tmp_path, text, weights)
    model = onnxray.open(source)
    (region,) = model.graph.container.regions.values()
    assert region.path == (tmp_path / "net.caffemodel").resolve()
    assert model.graph.identity.keys() == {"sha256", "external:net.caffemodel"}
    ones = np.ones((1, 2000), np.float32)
    np.testing.assert_allclose(model.judge.outputs({"data": ones})["ip"], weights["ip"][0].sum(1)[None], rtol=1e-6)
    np.testing.assert_array_equal(model.graph.weight("ip.0"), weights["ip"][0])
    again = pickle.loads(pickle.dumps(model))
    assert dict(again.graph.identity) == dict(model.graph.identity)
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(weights)[:-1] + b"\1")
    with pytest.raises(ModelFileError, match=r"net\.caffemodel changed since it was opened"):
        model.graph.weight("ip.0")


def test_gradients_come_through_the_twin(tmp_path: Path) -> None:
    """d(ip2_k)/dx by the twin, which is compared with ONNX Runtime before: central differences of the judge."""
    model = onnxray.open(write(tmp_path, *caffe_nets.small()), "lenet", picture={"size": (8, 8)})
    image = np.random.default_rng(1).integers(60, 200, (8, 8), dtype=np.uint8)
    cotangent = np.zeros((1, 4), np.float32)
    cotangent[0, 2] = 1
    gradient = model.pullback([image], {"ip2": cotangent})[0, 0]
    x = image[None, None].astype(np.float32)
    for y, z in ((0, 0), (3, 4), (7, 7)):
        step = np.zeros_like(x)
        step[0, 0, y, z] = 2
        ends = [model.judge.values({"data": (x + sign * step) / 256}, ["ip2"])["ip2"][0, 2] for sign in (1, -1)]
        assert gradient[y, z] == pytest.approx((ends[0] - ends[1]) / 4, abs=2e-4)
