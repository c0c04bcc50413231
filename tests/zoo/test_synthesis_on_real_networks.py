"""Synthesis on trained networks from outside the repository; skipped where they are not there."""

import numpy as np
import pytest

import onnxray
from conformance import zoo
from onnxray.methods.synthesis.deepdream import DeepDream
from onnxray.methods.synthesis.maximize import Maximize

FILE = "squeezenet_v1.1_qdq_int8.onnx"
pytestmark = pytest.mark.skipif(not zoo.files(), reason="no models in ../shared/zoo, nor where ONNXRAY_ZOO says")


@pytest.fixture(scope="module")
def quantised() -> onnxray.Model:
    return onnxray.open(zoo.folder() / "squeezenet-v1.1-onnx" / FILE, "caffe-imagenet")


def test_the_int8_squeezenets_zebra_rises(quantised: onnxray.Model) -> None:
    (item,) = Maximize(preset="plain", rate=4.0, steps=4)(quantised, None, "class:340").items
    assert item.numbers_["activation"] > item.trace["objective"][0] + 5


def test_the_int8_squeezenet_dreams(quantised: onnxray.Model) -> None:
    photo = zoo.folder() / "data-photos" / "cat.jpg"
    pixels = quantised.pixels(photo)
    image = np.rint(pixels.array).astype(np.uint8)
    (item,) = DeepDream(layer="last-conv", octaves=1, steps=4)(quantised, image).items
    (before,) = quantised.values(image, ["last-conv"]).values()
    (after,) = quantised.values(item.images["image"][None], ["last-conv"]).values()
    assert (after.astype(float) ** 2).sum() > 1.5 * (before.astype(float) ** 2).sum()
