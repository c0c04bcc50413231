"""A number of a value, a box's score, a class's region: each is the number that ONNX Runtime gives, and so is its slope."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import InputError, NotAClassifier
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from onnxray.objectives.gradients import gradient, judged
from onnxray.objectives.targets import Like, read_target
from support import models
from support.detectors import DETECTORS, detector
from support.models import Array
from support.trusted import trusted

PROFILE = Profile(name="unit", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0,) * 3, std=(1,) * 3, size=(8, 8))
X = np.random.default_rng(0).uniform(0, 255, (1, 3, 8, 8)).astype(np.float32)
ONE = Pixels(X, (None,))


def value_of(proto: onnx.ModelProto, name: str, x: Array = X) -> Array:
    return models.run(proto, {"x": PROFILE.encode(x)}, [name])[0].astype(np.float64)


def check_slope(model: onnxray.Model, target: object, steps: int = 6) -> None:
    """The gradient against central differences of the judge's own number, at a few pixels."""
    objective = read_target(trusted(model), ONE, target)
    found = gradient(model, ONE, objective).reshape(-1)
    for place in np.linspace(0, 191, steps, dtype=int):
        moved = np.zeros(192, np.float32)
        moved[place] = 2.0
        near = [judged(model, ONE.replaced(X + s * moved.reshape(X.shape)), objective)[0] for s in (1, -1)]
        assert found[place] == pytest.approx((near[0] - near[1]) / 4, rel=2e-2, abs=2e-6)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("scores[3,1]", (0, 3, 1)), ("scores[-1,-2]", (0, 63, 0)), ("scores[-64,1]", (0, 0, 1)),
        ("scores[max,1]", None), ("scores[-1,max]", None),
    ],
)  # fmt: skip
def test_numbers_of_a_value_with_samples(text: str, place: tuple[int, ...] | None) -> None:
    proto = detector("sigmoids beside boxes")
    model = onnxray.open(proto, PROFILE)
    array = value_of(proto, "scores")
    expected = array[place] if place else (array[0, :, 1].max() if "[max" in text else array[0, 63].max())
    (item,) = Gradient()(model, X, text).items
    assert item.target_score == pytest.approx(expected, abs=1e-6)
    assert (item.class_, item.label, item.probability) == (None, None, None)
    check_slope(model, text)


@pytest.mark.parametrize(("text", "place"), [("scores[0,1]", (0, 1)), ("scores[-1,-1]", (-1, -1))])
def test_numbers_of_rows_that_are_no_samples(text: str, place: tuple[int, int]) -> None:
    proto = detector("suppressed")
    model = onnxray.open(proto, PROFILE)
    (item,) = Gradient()(model, X, text).items
    assert item.target_score == pytest.approx(value_of(proto, "scores")[place], abs=1e-6)
    assert (item.class_, item.probability) == (None, None)
    check_slope(model, text)


@pytest.mark.parametrize(("text", "place"), [("r[2]", 2), ("r[-1]", 3), ("r[max]", None)])
def test_numbers_of_a_value_that_has_lost_its_samples(text: str, place: int | None) -> None:
    """Of one image: its index is of all axes. Of several it is refused."""
    nodes = "f = Flatten (x) y = MatMul (f, w) r = Squeeze (y, zero)"
    proto = models.parse(
        f"g (float[1,3,8,8] x) => (float[1,4] y) {{ {nodes} }}", {"w": models.random(0, 192, 4), "zero": np.array([0])}
    )
    model, r = onnxray.open(proto, PROFILE), value_of(proto, "r")
    (item,) = Gradient()(model, X, text).items
    assert item.target_score == pytest.approx(r.max() if place is None else r[place], abs=1e-5)
    check_slope(model, text)
    with pytest.raises(InputError):
        read_target(model, Pixels(np.concatenate([X, X]), (None, None)), text)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("suppressed", "scores[0]", r"needs 2 numbers, one an axis, it has no axis of images"),
        ("suppressed", "scores[99,0]", r"99 is beyond the axis of \d+ in the shape"),
        ("suppressed", "scores[-99,0]", r"-99 is beyond the axis of \d+ in the shape"),
        ("sigmoids beside boxes", "scores[0]", r"needs 2 numbers, one an axis, batch left out"),
        ("sigmoids beside boxes", "scores[0,2]", r"2 is beyond the axis of 2 in the shape \[1, 64, 2\]"),
        ("sigmoids beside boxes", "scores[0,-3]", r"-3 is beyond the axis of 2"),
        ("sigmoids beside boxes", "boxes[99].score", r"\d+ boxes are listed for the image, so there is no boxes\[99\]"),
        ("sigmoids beside boxes", "mask(class=1)", "it is no mask"),
    ],
)
def test_what_is_not_there(name: str, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        Gradient()(onnxray.open(detector(name), PROFILE), X, text)


def test_a_class_of_a_detector_is_refused() -> None:
    with pytest.raises(NotAClassifier, match="output 'boxes' is boxes .* not one score a class"):
        Gradient()(onnxray.open(detector("suppressed"), PROFILE), X, 1)


@pytest.mark.parametrize("place", [0, 1, -1])
@pytest.mark.parametrize("name", [name for name in DETECTORS if name != "bare scores beside boxes"])
def test_the_score_of_a_box_is_what_is_listed(name: str, place: int) -> None:
    model = onnxray.open(detector(name), PROFILE)
    (listed,) = model.predict(ONE).samples
    if len(listed) < 2:
        with pytest.raises(InputError, match="listed for the image|is listed"):
            Gradient()(model, X, "boxes[1].score")
        return
    (item,) = Gradient()(model, X, f"boxes[{place}].score").items
    assert listed.scores is not None
    assert item.target_score == pytest.approx(listed.scores[place], abs=1e-6)
    check_slope(model, f"boxes[{place}].score", steps=3)


def test_several_images_of_chosen_rows_go_one_by_one() -> None:
    model = onnxray.open(detector("suppressed"), PROFILE)
    two = np.concatenate([X, 255 - X])
    items = Gradient()(model, two, "boxes[0].score").items
    alone = [Gradient()(model, two[k : k + 1], "boxes[0].score").items[0] for k in range(2)]
    assert [item.target for item in items] == [item.target for item in alone]
    for item, one in zip(items, alone):
        np.testing.assert_array_equal(item.heat, one.heat)


def test_copies_of_a_detectors_picture_are_fed_one_by_one() -> None:
    model = onnxray.open(detector("suppressed"), PROFILE)
    (item,) = Occlusion(size=4, stride=4, fill="black")(model, X, "scores[0,0]").items
    hidden = X.copy()
    hidden[:, :, :4, :4] = 0
    first = value_of(detector("suppressed"), "scores")[0, 0] - value_of(detector("suppressed"), "scores", hidden)[0, 0]
    assert item.attribution[0, 0] == pytest.approx(first, abs=1e-6)


def test_scores_and_slopes_of_several_images_are_each_ones_own() -> None:
    model = onnxray.open(detector("suppressed"), PROFILE)
    two = Pixels(np.concatenate([X, 255 - X]), (None, None))
    objective = read_target(model, ONE, "scores[0,0]").rows(np.array([0, 0]))
    alone = [value_of(detector("suppressed"), "scores", two.array[k : k + 1])[0, 0] for k in range(2)]
    np.testing.assert_allclose(judged(model, two, objective), alone, atol=1e-6)
    found = gradient(model, two, objective)
    for k in range(2):
        np.testing.assert_array_equal(
            found[k], gradient(model, two.rows(slice(k, k + 1)), objective.rows(np.array([k])))[0]
        )


@pytest.mark.parametrize("name", DETECTORS)
def test_the_target_that_is_told_fits(name: str) -> None:
    """Whichever output is answered with: of chosen rows the numbers are of all axes."""
    for output in onnxray.open(detector(name), PROFILE).graph.outputs:
        model = onnxray.open(detector(name), PROFILE, output=output.name)
        with pytest.raises(InputError, match="say what is: --target") as caught:
            read_target(model, ONE, None)
        told = str(caught.value).rpartition("--target ")[2].strip("'")
        assert read_target(model, ONE, told).values


def test_a_row_that_a_changed_image_has_not() -> None:
    model = onnxray.open(detector("suppressed"), PROFILE)
    last = len(value_of(detector("suppressed"), "scores")) - 1
    objective = read_target(model, ONE, f"scores[{last},0]")
    flat = ONE.replaced(np.full_like(X, 128.0))
    assert len(value_of(detector("suppressed"), "scores", flat.array)) <= last
    with pytest.raises(InputError, match=f"for a changed image, and no scores.{last},0.: its rows are chosen anew"):
        judged(model, flat, objective)


def test_that_rows_are_chosen_anew_is_said() -> None:
    found = Gradient()(onnxray.open(detector("suppressed"), PROFILE), X, "boxes[0].score")
    assert any("the rows of 'scores' are chosen anew where an image is changed" in n for n in found.provenance.notes)


SEGMENTERS = {
    "softmax": ("c = Conv (x, k) y = Softmax <axis = 1> (c)", "float[N,4,8,8] y"),
    "channels last": ("c = Conv (x, k) t = Transpose <perm = [0, 2, 3, 1]> (c) y = Softmax (t)", "float[N,8,8,4] y"),
    "classes": ("c = Conv (x, k) y = ArgMax <axis = 1, keepdims = 0> (c)", "int64[N,8,8] y"),
    "classes of scores of unknown rank": (
        "c = Conv (x, k) s = Shape (c) i = NonZero (s) j = Flatten <axis = 0> (i) q = Squeeze (j, zero) u = Gather (s, q)"
        " r = Reshape (c, u) y = ArgMax <axis = -3, keepdims = 0> (r)",
        "int64[N,8,8] y",
    ),
}


@pytest.mark.parametrize("text", ["mask(class=2)", "mask(2)", "mask(class=car)"])
@pytest.mark.parametrize("name", SEGMENTERS)
def test_a_class_over_the_region_that_it_wins(name: str, text: str) -> None:
    nodes, outputs = SEGMENTERS[name]
    proto = models.parse(
        f"g (float[N,3,8,8] x) => ({outputs}) {{ {nodes} }}", {"k": models.random(8, 4, 3, 1, 1), "zero": np.array([0])}
    )
    model = onnxray.open(proto, replace(PROFILE, labels=("sky", "road", "car", "tree")))
    scores = value_of(proto, "c")[0]
    region = scores.argmax(0) == 2
    assert region.any()
    (item,) = Gradient()(model, X, text).items
    assert item.target_score == pytest.approx(scores[2][region].mean(), abs=1e-5)
    assert item.target.startswith("mean of class car in ")
    assert item.class_ is None
    check_slope(model, text)


@pytest.mark.parametrize("inside", [0, 1])
def test_a_mask_of_one_number_a_place(inside: int) -> None:
    text = "g (float[N,3,8,8] x) => (float[N,1,8,8] y) { c = Conv (x, k) y = Sigmoid (c) }"
    proto = models.parse(text, {"k": models.random(0, 1, 3, 1, 1)})
    z = value_of(proto, "c")[0, 0]
    region = (z > 0) == bool(inside)
    (item,) = Gradient()(onnxray.open(proto, PROFILE), X, f"mask(class={inside})").items
    assert item.target_score == pytest.approx((z if inside else -z)[region].mean(), abs=1e-5)


def test_a_class_that_wins_nowhere_and_one_that_is_none() -> None:
    text = "g (float[N,3,8,8] x) => (float[N,2,8,8] y) { c = Conv (x, k) y = Softmax <axis = 1> (c) }"
    model = onnxray.open(
        models.parse(text, {"k": np.array([1.0, -1.0], np.float32).reshape(2, 1, 1, 1).repeat(3, 1)}), PROFILE
    )
    with pytest.raises(InputError, match="class '1' wins nowhere in the image; it has: class 0 100.0%"):
        Gradient()(model, X, "mask(class=1)")
    with pytest.raises(InputError, match="the mask has no class '7'; give a number from 0 to 1, or a label"):
        Gradient()(model, X, "mask(class=7)")


LINEAR = "g (float[N,3,8,8] x) => (float[N,{count}] {name}) {{ f = Flatten (x) {name} = MatMul (f, w) }}"


def linear(count: int, name: str = "y") -> onnx.ModelProto:
    return models.parse(LINEAR.format(count=count, name=name), {"w": models.random(1, 192, count)})


@pytest.mark.parametrize("target", [None, "output", "y", "output[0]", "output[-1]"])
def test_the_one_number_of_a_regression(target: str | None) -> None:
    proto = linear(1)
    model = onnxray.open(proto, PROFILE)
    found = Gradient()(model, X, target)
    (item,) = found.items
    assert item.target_score == pytest.approx(value_of(proto, "y")[0, 0], rel=1e-5)
    assert (item.class_, item.label, item.score, item.probability) == (None,) * 4
    if target is None:
        assert "the one number of output 'y' is explained" in found.provenance.notes
    check_slope(model, target)


@pytest.mark.parametrize(
    ("proto", "hint"),
    [
        (linear(5, "landmarks"), r"--target 'output\[0\]'"),
        (linear(5, "embedding"), "--target 'like:FILE'"),
        (detector("suppressed"), r"--target 'boxes\[0\].score'"),
        (detector("yolo, numbers first"), r"--target 'boxes\[0\].score'"),
    ],
)
def test_what_is_no_classifier_asks_for_a_target_that_fits(proto: onnx.ModelProto, hint: str) -> None:
    with pytest.raises(InputError, match=f"no class is explained by itself; say what is: {hint}"):
        Gradient()(onnxray.open(proto, PROFILE), X)


def test_an_embedding_like_a_file(tmp_path: Path) -> None:
    """The cosine with what is in the file, whichever way it is said."""
    proto = linear(5, "embedding")
    model = onnxray.open(proto, PROFILE)
    wanted = models.random(2, 5)
    np.save(tmp_path / "v.npy", wanted)
    own = value_of(proto, "embedding")[0]
    cosine = own @ wanted / (np.linalg.norm(own) * np.linalg.norm(wanted))
    for text in (f"embedding like {tmp_path / 'v.npy'}", f"like:{tmp_path / 'v.npy'}"):
        (item,) = Gradient()(model, X, text).items
        assert item.target_score == pytest.approx(cosine, rel=1e-5)
        assert item.class_ is None


def test_like_is_at_the_embedding_and_not_at_the_first_output() -> None:
    text = """g (float[N,3,8,8] x) => (float[N,4] first, float[N,5] embedding)
      { f = Flatten (x) first = MatMul (f, v) embedding = MatMul (f, w) }"""
    proto = models.parse(text, {"w": models.random(1, 192, 5), "v": models.random(2, 192, 4)})
    (item,) = Gradient()(onnxray.open(proto, PROFILE), X, Like(image=255 - X)).items
    assert item.target.startswith("cosine of embedding with")
