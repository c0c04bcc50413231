"""Objectives as a researcher writes them: one for all images or one for each, added up; what is wrong is one line."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxray
import onnxray_models
from onnxray.errors import InputError, OnnxrayError, UnknownValue
from onnxray.objectives import Channels, ClassScore, Objective
from onnxray.objectives.objective import Each
from support import models

FOUR, NINE = (next(p for p in onnxray_models.samples("lenet") if p.stem == name) for name in ("4_0", "9_0"))
IMAGES = [str(FOUR), str(NINE)]
Z = np.random.default_rng(0).normal(size=(2, 10))


def gradient(model: onnxray.Model, row: int, number: int) -> Any:
    """d logit_number / d pixels of one image."""
    return model.pullback([IMAGES[row]], {"ip2": np.eye(10, dtype=np.float32)[number]})[0]


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open("lenet")


def test_a_class_for_all_and_one_for_each() -> None:
    for classes, expected in ((4, Z[[0, 1], [4, 4]]), (np.int64(4), Z[[0, 1], [4, 4]]), ([4, 9], Z[[0, 1], [4, 9]])):
        score = ClassScore("ip2", classes)
        assert np.allclose(score.score({"ip2": Z}, slice(0, 2)), expected)
        second = score.rows(np.array([1, 1]))
        assert np.allclose(second.score({"ip2": Z[[1, 1]]}, slice(0, 2)), [expected[1]] * 2)
    assert ClassScore("ip2", 4).count is None
    assert ClassScore("ip2", [4, 9]).count == 2
    assert [ClassScore("ip2", 4, labels=("four",)).describe(row) for row in (0, 1)] == ["logit of class 4 (four)"] * 2
    assert (ClassScore("ip2", 4).rows(np.arange(3))).count == 3


def test_they_add_up() -> None:
    values, place = {"ip2": Z}, slice(0, 2)
    four, nine = ClassScore("ip2", 4), ClassScore("ip2", 9)
    assert np.allclose((four - nine).score(values, place), Z[:, 4] - Z[:, 9])
    assert np.allclose((2 * four + nine * 0.5).score(values, place), 2 * Z[:, 4] + 0.5 * Z[:, 9])
    assert np.allclose(sum([four, nine]).score(values, place), Z[:, 4] + Z[:, 9])
    assert np.allclose((-four).score(values, place), -Z[:, 4])
    assert (four - ClassScore("ip2", [1, 2])).count == 2


def test_channels_for_all_and_one_for_each() -> None:
    a = np.random.default_rng(1).normal(size=(2, 5, 3, 3))
    assert np.allclose(Channels("a", 3).score({"a": a}, slice(0, 2)), a[:, 3].mean((1, 2)))
    assert np.allclose(Channels("a", [3, 1]).score({"a": a}, slice(0, 2)), a[[0, 1], [3, 1]].mean((1, 2)))
    assert Channels("a", 3).describe(1) == "mean of a:3"
    assert Channels("a", 3).count is None


def test_a_map_of_a_difference_is_the_difference_of_maps(lenet: onnxray.Model) -> None:
    difference = ClassScore("ip2", 4) - ClassScore("ip2", 9)
    items = onnxray.methods.Gradient(channels="sum")(lenet, IMAGES, target=difference).items
    for row, item in enumerate(items):
        expected = gradient(lenet, row, 4) - gradient(lenet, row, 9)
        assert np.allclose(item.heat, expected.sum(0), atol=1e-6 * np.abs(expected).max())
        assert item.target == "1 * logit of class 4 + -1 * logit of class 9"


@pytest.mark.parametrize("targets", [[9, 4], ("9", "class:4"), np.array([9, 4]), ClassScore("ip2", [9, 4])], ids=str)
def test_a_target_for_each_image(targets: object, lenet: onnxray.Model) -> None:
    items = onnxray.methods.Gradient(channels="sum")(lenet, IMAGES, targets).items
    for row, (item, number) in enumerate(zip(items, (9, 4))):
        expected = gradient(lenet, row, number).sum(0)
        assert np.allclose(item.heat, expected, atol=1e-6 * np.abs(expected).max())
        assert item.target == f"logit of class {number}"


def test_targets_of_several_kinds_and_more_images_than_go_at_once(lenet: onnxray.Model) -> None:
    images = [str(path) for path in onnxray_models.samples("lenet")[:18]]
    targets = [k % 10 if k != 17 else "conv2:3" for k in range(18)]
    items = onnxray.methods.Gradient()(lenet, images, target=targets).items
    assert [item.target for item in items] == [*(f"logit of class {k % 10}" for k in range(17)), "mean of conv2:3"]
    one = onnxray.methods.Gradient()(lenet, images[17:], target="conv2:3").items[0]
    assert np.allclose(one.heat, items[17].heat, atol=1e-6 * np.abs(one.heat).max())


@pytest.mark.parametrize("method", ["GradCAM", "CAM", "Occlusion", "ScoreCAM", "IntegratedGradients"])
def test_every_kind_of_map_takes_one_for_each(method: str) -> None:
    model = onnxray.open(POOLED, models.GREY) if method == "CAM" else onnxray.open("lenet")
    made = getattr(onnxray.methods, method)()
    classes = [1, 2] if method == "CAM" else [9, 4]
    images = models.pictures(2) if method == "CAM" else IMAGES
    together = made(model, images, target=classes).items
    for row, item in enumerate(together):
        alone = made(model, images[row : row + 1], target=classes[row]).items[0]
        assert item.target == alone.target
        assert np.allclose(item.heat, alone.heat, atol=1e-5 * np.abs(alone.heat).max())


def test_goal_and_target_are_one_thing(lenet: onnxray.Model) -> None:
    by_name = onnxray.methods.LOTS(layer="ip1")(lenet, IMAGES[:1], target=IMAGES[1:]).items[0]
    by_place = onnxray.methods.LOTS(layer="ip1")(lenet, IMAGES[:1], IMAGES[1:]).items[0]
    assert by_name.linf == by_place.linf
    assert by_name.label == by_place.label
    with pytest.raises(InputError, match="goal is 4 and target 9; they are one thing"):
        onnxray.methods.Gradient()(lenet, IMAGES, 4, target=9)


POOLED = models.parse(
    "g (float[N,1,14,14] x) => (float[N,3] y) "
    "{ c = Conv (x, w) r = Relu (c) p = GlobalAveragePool (r) f = Flatten (p) y = Gemm (f, v) }",
    {"w": models.random(0, 4, 1, 3, 3), "v": models.random(1, 4, 3)},
)


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "text": (lambda: ClassScore("ip2", "4"), "the classes of a ClassScore are '4'; a whole number"),  # type: ignore[arg-type]
    "negative": (lambda: ClassScore("ip2", -1), "are -1"),
    "a fraction": (lambda: ClassScore("ip2", 0.5), "are 0.5"),  # type: ignore[arg-type]
    "a truth": (lambda: ClassScore("ip2", True), "are True"),
    "kind": (lambda: ClassScore("ip2", 4, "nonsense"), "the kind of a ClassScore is 'nonsense'"),  # type: ignore[arg-type]
    "value": (lambda: ClassScore(3, 4), "the value of a ClassScore is 3; text was expected"),  # type: ignore[arg-type]
    "channel": (lambda: Channels("conv1", "a"), "the channels of Channels are 'a'"),  # type: ignore[arg-type]
    "plus a number": (lambda: ClassScore("ip2", 4) + 3, "added to another, not to 3"),  # type: ignore[operator]
    "minus a number": (lambda: ClassScore("ip2", 4) - 3, "added to another, not to 3"),  # type: ignore[operator]
    "a number plus": (lambda: 3 + ClassScore("ip2", 4), "added to another, not to 3"),
    "times text": (lambda: ClassScore("ip2", 4) * "x", "a finite number, not by 'x'"),  # type: ignore[operator]
    "times nan": (lambda: float("nan") * ClassScore("ip2", 4), "a finite number, not by nan"),
    "times another": (lambda: ClassScore("ip2", 4) * ClassScore("ip2", 9), "a finite number, not by"),  # type: ignore[operator]
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_when_it_is_made(name: str) -> None:
    make, said = WRONG[name]
    with pytest.raises(InputError) as error:
        make()
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        (ClassScore("ip2", 12), "there is no class 12 in 'ip2'; it has 10, 0 to 9"),
        (ClassScore("ip2", [4, 10]), "there is no class 10"),
        (ClassScore("ip2", [4, 9, 1]), "3 targets were given for 2 images"),
        (ClassScore("ip2", [4]), "1 targets were given for 2 images"),
        (ClassScore("logits", 4), "the objective reads 'logits'; name the value itself: 'ip2'"),
        (Channels("conv2", 99), "there is no channel 99"),
        (Channels("ip2", [1, 2, 3]), "3 targets were given for 2 images"),
        ([4], "1 targets were given for 2 images; give one for all, or one for each"),
        ([4, 9, 1], "3 targets were given for 2 images"),
        ([4, "nonsense"], "nonsense"),
        (Each((ClassScore("ip2", 4),)), "1 targets were given for 2 images"),
    ],
)
@pytest.mark.parametrize("method", ["Gradient", "GradCAM", "Occlusion"])
def test_what_does_not_fit_the_model_is_said(
    method: str, objective: Objective | list[object], said: str, lenet: onnxray.Model
) -> None:
    with pytest.raises(OnnxrayError) as error:
        getattr(onnxray.methods, method)()(lenet, IMAGES, target=objective)
    assert said in str(error.value)


def test_a_value_that_is_none_is_unknown(lenet: onnxray.Model) -> None:
    with pytest.raises(UnknownValue):
        onnxray.methods.Gradient()(lenet, IMAGES, target=ClassScore("nonsense", 4) - ClassScore("ip2", 9))
