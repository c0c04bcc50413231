"""Real trained nets of Caffe, where they are: against their ONNX twins, OpenCV, and each other's pictures."""

from typing import Any

import numpy as np
import pytest

import onnxray
import onnxray_models
from onnxray.methods.lots.lots import LOTS
from support.paths import ROOT

ZOO = ROOT.parent / "shared" / "zoo"
NETS = {
    "lenet": ("lenet-bvlc-caffe/lenet.prototxt", "lenet-bvlc-caffe/lenet_iter_10000.caffemodel", "lenet-bvlc-caffe/lenet_bvlc.onnx", "lenet-bvlc-caffe__lenet_bvlc"),
    "cifar10": ("cifar10-full-caffe/cifar10_full.prototxt", "cifar10-full-caffe/cifar10_full_iter_70000.caffemodel", "cifar10-full-caffe/cifar10_full.onnx", "cifar10-full-caffe__cifar10_full"),
    "rfb-320": ("ultraface/RFB-320.prototxt", "ultraface/RFB-320.caffemodel", "ultraface/version-RFB-320.onnx", "ultraface__version-RFB-320"),
}  # fmt: skip

pytestmark = pytest.mark.skipif(not ZOO.exists(), reason="no folder of real trained models beside the repository")


def pair(name: str) -> str:
    return "+".join(str(ZOO / part) for part in NETS[name][:2])


@pytest.mark.parametrize("name", ["lenet", "cifar10"])
def test_the_twin_gives_the_same_on_real_inputs(name: str) -> None:
    oracle = np.load(ZOO / "oracle" / f"{NETS[name][3]}.npz")
    model = onnxray.open(pair(name))
    found = model.judge.outputs({model.graph.inputs[0].name: oracle["input"]})
    (key,) = [key for key in oracle.files if key.startswith("out:")]
    np.testing.assert_allclose(found["prob"], oracle[key], rtol=1e-5, atol=1e-6)


def test_a_detector_gives_the_scores_of_its_twin() -> None:
    """Boxes are decoded in the ONNX file alone, so they are not compared."""
    oracle = np.load(ZOO / "oracle" / f"{NETS['rfb-320'][3]}.npz")
    model = onnxray.open(pair("rfb-320"))
    found = model.judge.outputs({"input": oracle["input"]})
    assert found["scores"].shape == oracle["out:scores"].shape
    np.testing.assert_allclose(found["scores"], oracle["out:scores"], atol=1e-4)


@pytest.mark.parametrize("name", NETS)
def test_opencv_gives_the_same_at_every_layer(name: str) -> None:
    cv2: Any = pytest.importorskip("cv2")
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        pytest.skip("OpenCV 5 reads no Caffe: pip install 'opencv-python-headless<5' in an environment of its own")
    model = onnxray.open(pair(name))
    shape = [dim if isinstance(dim, int) else 1 for dim in model.graph.inputs[0].shape or ()]
    x = np.random.default_rng(0).random(shape).astype(np.float32)
    net = cv2.dnn.readNetFromCaffe(*(str(ZOO / part) for part in NETS[name][:2]))
    net.enableFusion(False)
    net.enableWinograd(False)
    net.setInput(x)
    layers = list(net.getLayerNames())
    assert set(layers) <= set(model.graph.values)
    found = model.judge.values({model.graph.inputs[0].name: x}, layers)
    for layer in layers:
        expected = np.array(net.forward(layer)).reshape(found[layer].shape)
        assert abs(found[layer] - expected).max() <= 1e-5 * abs(expected).max(), layer


def test_lots_gives_exactly_what_it_gives_on_the_twin() -> None:
    images = list(onnxray_models.samples("lenet"))[17:18]
    results = [
        LOTS(layer=("conv2", "ip1"))(onnxray.open(source), images, "inhibit")
        for source in (pair("lenet"), ZOO / NETS["lenet"][2])
    ]
    ours, theirs = (result.items for result in results)
    assert len(ours) == len(theirs) == 2
    for one, other in zip(ours, theirs):
        assert one.numbers() == other.numbers()
        for role, image in one.images.items():
            np.testing.assert_array_equal(np.asarray(image), np.asarray(other.images[role]))
