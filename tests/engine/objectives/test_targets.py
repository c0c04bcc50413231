"""What a target's text means: classes, parts of values, likenesses; and what a part of a value reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.graph.value_names import Selection
from onnxray.objectives.class_score import ClassScore
from onnxray.objectives.goals import Own, TargetImages, TargetValues
from onnxray.objectives.likeness import Similarity
from onnxray.objectives.parts_of_values import Element, Part
from onnxray.objectives.targets import Like, class_index, read_target
from support import models

LABELLED = replace(models.GREY, labels=("cat", "dog", "7", "cat", "bird"))


def lenet(labels: bool = False) -> onnxray.Model:
    return onnxray.open(models.lenet(), LABELLED if labels else models.GREY)


@pytest.mark.parametrize(
    ("text", "expected"), [("dog", 1), ("class:bird", 4), ("0", 0), ("4", 4), ("7", 2), ("class:3", 3)]
)
def test_a_class_by_label_or_number(text: str, expected: int) -> None:
    assert class_index(lenet(labels=True), text, 5) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [("cat", "the classes 0, 3 are all labelled 'cat'"), ("5", "there is no class '5'"), ("cow", "there is no class 'cow'"), ("-1", "there is no class '-1'"),
     ("1234567890", "there is no class '1234567890'")],
)  # fmt: skip
def test_a_class_that_is_none_or_several(text: str, said: str) -> None:
    with pytest.raises(InputError, match=f"{said}; (did you mean .*? )?give a number from 0 to 4, or a label"):
        class_index(lenet(labels=True), text, 5)


def test_a_label_of_several_classes_is_not_likened_to_itself() -> None:
    with pytest.raises(InputError) as error:
        class_index(lenet(labels=True), "cat", 5)
    assert "did you mean" not in str(error.value)


def test_without_a_target_the_judges_class_of_each_image() -> None:
    model, pixels = lenet(), lenet().pixels(models.pictures(4, seed=3))
    found = read_target(model, pixels, None)
    assert isinstance(found, ClassScore)
    assert found.classes.tolist() == model.predict(pixels).classes.tolist()


def test_an_output_of_unknown_rank_is_read_as_scores() -> None:
    """Its shape is one that is computed: places of numbers that are not zero."""
    text = models.LENET.format(batch=1).replace("prob = Softmax", "last = Softmax").rstrip().rstrip("}")
    text = (
        text.replace("prob) {", "y) {").replace("float[1,5] prob", "float[A,B] y")
        + "  places = NonZero (c)  s = Reshape (places, minus)  y = Reshape (last, s) }"
    )
    proto = models.parse(text, {**models.lenet_weights(), "c": np.int64([0, 1, 0, 0, 0, 1]), "minus": np.int64([-1])})
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    model = onnxray.open(proto, models.GREY)
    assert model.graph.values["y"].shape is None
    found = read_target(model, model.pixels(models.pictures(1)), None)
    assert isinstance(found, ClassScore)


def test_one_number_of_a_value_and_where_it_is_largest() -> None:
    model = lenet()
    pixels = model.pixels(models.pictures(3))
    values = model.values(pixels, ["relu2", "ip1"])
    found = read_target(model, pixels, "relu2[max,2,max]")
    assert isinstance(found, Element)
    for row, (channel, line, column) in enumerate(found.index):
        best = np.unravel_index(values["relu2"][row, :, 2].argmax(), (32, 6))
        assert (channel, line, column) == (best[0], 2, best[1])
    fixed = read_target(model, pixels, "ip1[7]")
    assert isinstance(fixed, Element)
    assert fixed.index.tolist() == [[7]] * 3
    np.testing.assert_array_equal(fixed.score(values, slice(0, 3)), values["ip1"][:, 7])
    for text, said in (
        ("ip1[20]", "20 is beyond the axis of 20"),
        ("ip1[1,2]", "needs 1 numbers"),
        ("relu2[max]", "needs 3 numbers"),
    ):
        with pytest.raises(InputError, match=said):
            read_target(model, pixels, text)


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection("a", 4), r"'a' has the shape \[2, 4, 6, 5\]; there is no channel 4"),
        (Selection("a", 9), "there is no channel 9"),
        (Selection("a", 3, (6, 0)), r"'a' has no position 6,0 in a channel of the shape \[6, 5\]"),
        (Selection("a", 3, (0, 5)), "no position 0,5 in a channel"),
        (Selection("a", 3, (0, 99)), "no position 0,99 in a channel"),
        (Selection("a", 3, (99, 0)), "no position 99,0 in a channel"),
        (Selection("b", 3, (0, 0)), r"no position 0,0 in a channel of the shape \[\]"),
        (Selection("b", 7), "there is no channel 7"),
        (Selection("c", 0), r"'c' has the shape \[2\]; there is no channel 0"),
    ],
)
def test_a_part_that_is_not_there_when_it_is_read(selection: Selection, said: str) -> None:
    """Where the file states no shape the first values tell."""
    values = {"a": models.random(0, 2, 4, 6, 5), "b": models.random(1, 2, 7), "c": models.random(2, 2)}
    with pytest.raises(InputError, match=said):
        Part(selection).score(values, slice(0, 2))
    last = {"a": Selection("a", 3, (5, 4)), "b": Selection("b", 6), "c": Selection("c")}[selection.value]
    expected = {"a": values["a"][:, 3, 5, 4], "b": values["b"][:, 6], "c": values["c"]}[selection.value]
    np.testing.assert_array_equal(Part(last).score(values, slice(0, 2)), expected)


@pytest.mark.parametrize(
    ("text", "described"), [("relu2:3", "mean of relu2:3"), ("relu2:3,5,1", "relu2:3,5,1"), ("ip1:3", "ip1:3")]
)
def test_a_part_is_a_mean_or_a_number(text: str, described: str) -> None:
    model = lenet()
    pixels = model.pixels(models.pictures(2))
    found, values = read_target(model, pixels, text), model.values(pixels, ["relu2", "ip1"])
    assert isinstance(found, Part)
    assert found.describe(0) == described
    expected = {
        "relu2:3": values["relu2"][:, 3].mean((1, 2)),
        "relu2:3,5,1": values["relu2"][:, 3, 5, 1],
        "ip1:3": values["ip1"][:, 3],
    }
    np.testing.assert_allclose(found.score(values, slice(0, 2)), expected[text], rtol=1e-6)


def test_a_likeness_says_what_of() -> None:
    model = lenet()
    pixels = model.pixels(models.pictures(2))
    given = np.arange(1.0, 21.0)
    found = read_target(model, pixels, Like(values=given, at="ip1"))
    assert isinstance(found, Similarity)
    assert "a given embedding" in found.describe(0)
    values = model.values(pixels, ["ip1"])
    expected = values["ip1"] @ given / np.linalg.norm(values["ip1"], axis=1) / np.linalg.norm(given)
    np.testing.assert_allclose(found.score(values, slice(0, 2)), expected, rtol=1e-5)
    image = read_target(model, pixels, Like(image=models.pictures(1), at="ip1"))
    assert image.score(values, slice(0, 2))[0] == pytest.approx(1)
    for like, said in (
        (Like(), "a Like needs one of image and values"),
        (Like(image=models.pictures(1), values=given), "a Like needs one of image and values"),
        (Like(image=models.pictures(2)), "2 images are given to be like"),
        (Like(values=np.zeros(20), at="ip1"), "the embedding of a given embedding is zero or not finite"),
    ):
        with pytest.raises(InputError, match=said):
            read_target(model, pixels, like)


def test_an_embedding_in_a_file_is_named_by_it(tmp_path: Path) -> None:
    model = lenet()
    pixels = model.pixels(models.pictures(2))
    np.save(tmp_path / "e.npy", np.ones(20))
    found = read_target(model, pixels, f"like:{tmp_path}/e.npy@ip1")
    assert isinstance(found, Similarity)
    assert f"{tmp_path}/e.npy" in found.describe(1)


def test_goals_are_told_by_name_alone() -> None:
    for kind in (TargetImages, TargetValues, Own):
        with pytest.raises(TypeError):
            kind("inhibit")  # type: ignore[misc]
