"""``onnxray.compare`` and ``onnxray.check``: the same as the objects that they make, from names, classes or methods."""

import numpy as np
import pytest

import onnxray
from onnxray.assess.maps.check import Check
from onnxray.assess.maps.comparison import Comparison
from onnxray.errors import InputError
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from onnxray.methods.saliency.gradient.gradient import Gradient
from support import models


@pytest.fixture(scope="module")
def model() -> onnxray.Model:
    return onnxray.open(models.lenet(), models.GREY)


def test_compare_is_a_comparison(model: onnxray.Model) -> None:
    images = models.pictures(2)
    asked = onnxray.compare(model, images, ["gradient", GradCAM], target=[1, 3], curve_steps=4)
    made = Comparison(methods=(Gradient(), GradCAM()), curve_steps=4)(model, images, [1, 3])
    assert [item.map.target for item in asked.items] == ["logit of class 1"] * 2 + ["logit of class 3"] * 2
    for one, other in zip(asked.items, made.items, strict=True):
        assert np.array_equal(one.map.heat, other.map.heat)
        assert one.figures["insertion"] == other.figures["insertion"]
    alone = onnxray.compare(model, images[:1], GradCAM(layer="conv1"), curve_steps=0)
    assert [item.map.layer for item in alone.items] == ["conv1"]


def test_without_methods_all_are_compared(model: onnxray.Model) -> None:
    result = onnxray.compare(model, models.pictures(1)[:, :, :14, :14], curve_steps=0)
    seen = {item.map.method for item in result.items} | {one["method"] for one in result.extra["refused"]}
    assert {"gradient", "grad-cam", "rise", "occlusion", "cam", "attention-rollout"} <= seen


def test_check_is_a_check(model: onnxray.Model) -> None:
    images = models.pictures(1)
    options = {"curve_steps": 0, "weights": "none", "noise_copies": 2}
    made = Check(method=Gradient(), **options)(model, images, 2).items[0]  # type: ignore[arg-type]
    for method in ("gradient", Gradient, Gradient()):
        asked = onnxray.check(method, model, images, target=2, **options).items[0]
        assert asked.figures["noise"] == made.figures["noise"]
        assert asked.map.target == "logit of class 2"


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (["gradcam"], "there is no method 'gradcam'; did you mean 'grad-cam'?"),
        ("smothgrad", "did you mean 'smoothgrad'?"),
        ([3], "a method is 3; a saliency method, its class or its name was expected"),
        ([onnxray.methods.LOTS], "a saliency method, its class or its name was expected"),
        ([], "no methods were given to compare"),
    ],
)
def test_what_is_no_method_is_said(methods: list[object], said: str, model: onnxray.Model) -> None:
    with pytest.raises(InputError) as error:
        onnxray.compare(model, models.pictures(1), methods)  # type: ignore[arg-type]
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "near"),
    [("GradCam", "GradCAM"), ("gradcam", "GradCAM"), ("Smoothgrad", "SmoothGrad"), ("LOT", "LOTS"), ("rize", "RISE")],
)
def test_a_method_that_is_none_has_near_misses(name: str, near: str) -> None:
    with pytest.raises(AttributeError, match=f"did you mean .*{near}"):
        getattr(onnxray.methods, name)
