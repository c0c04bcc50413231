"""Inversion of trained networks from outside the repository; each skipped where it is not there."""

from typing import TYPE_CHECKING

import pytest

import onnxray
from conformance import zoo
from onnxray.methods.synthesis.invert import Invert
from support import packages

if TYPE_CHECKING:
    from support.efficientnet import EfficientNetLite0

LIMITS = (0.05, 0.10, 0.15, 0.25)
beside = pytest.mark.skipif(not zoo.files(), reason="no models in ../shared/zoo, nor where ONNXRAY_ZOO says")


def open_squeezenet(name: str) -> onnxray.Model:
    return onnxray.open(zoo.folder() / "squeezenet-v1.1-onnx" / f"{name}.onnx", "caffe-imagenet")


def check(items) -> None:
    assert len(items) == len(LIMITS)
    for item, limit in zip(items, LIMITS):
        assert item.numbers_["error"] < limit, item.layer
        assert item.numbers_["same_class"] or item is items[-1], item.layer


@beside
@pytest.mark.slow
def test_four_depths_of_squeezenet() -> None:
    check(Invert()(open_squeezenet("squeezenet_v1.1_fp32_from_fp16"), zoo.folder() / "data-photos" / "cat.jpg").items)


@pytest.mark.slow
def test_four_depths_of_efficientnet(lite0: "EfficientNetLite0") -> None:
    packages.needed("foolbox", "foolbox/data/imagenet_00_243.jpg")
    photo = packages.imagenet_photos()[0][0]
    check(Invert()(onnxray.open(lite0.path, lite0.profile), photo).items)


@beside
def test_the_int8_squeezenet_is_inverted_straight_through_its_quantisation() -> None:
    model = open_squeezenet("squeezenet_v1.1_qdq_int8")
    (item,) = Invert(layer="last-conv", steps=30)(model, zoo.folder() / "data-photos" / "cat.jpg").items
    assert item.numbers_["error"] < -item.trace["objective"][0] / 2


@beside
def test_a_network_of_keras_that_takes_its_channels_last() -> None:
    model = onnxray.open(zoo.folder() / "mtcnn" / "onet.onnx")
    assert model.profile is not None
    assert model.profile.layout == "NHWC"
    items = Invert(steps=150)(model, zoo.folder() / "data-photos" / "cat.jpg").items
    assert [item.numbers_["error"] < limit for item, limit in zip(items, LIMITS)] == [True] * 4
