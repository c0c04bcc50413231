"""The boxes that are listed are the file's own rows, best first; the formulas are written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest

import onnxray
from onnxray.errors import ProfileError
from onnxray.graph.outputs.stated import StatedOutput
from onnxray.images.profile.profile import Profile
from support import models
from support.detectors import DETECTORS, detector
from support.models import Array

PROFILE = Profile(name="unit", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0,) * 3, std=(1,) * 3, size=(8, 8))
X = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8), dtype=np.uint8)
NAMES = tuple(DETECTORS)


def outputs(name: str, image: Array) -> dict[str, Array]:
    """Each output for one image by a plain session, in float64."""
    proto = detector(name)
    given = models.run(proto, {"x": PROFILE.encode(image[None].astype(np.float32))})
    return {out.name: array.astype(np.float64) for out, array in zip(proto.graph.output, given)}


def table(name: str, raw: dict[str, Array]) -> tuple[Array, Array, Array]:
    """(boxes, score of each row, class of each row) of one image, by what the detector's text says."""
    if name == "yolo, numbers first":
        rows = raw["y"][0].T
        return rows[:, :4], rows[:, 4:].max(1), rows[:, 4:].argmax(1)
    if name == "yolo, places first with objectness":
        rows = raw["y"][0]
        scores = rows[:, 5:] * rows[:, 4:5]
        return rows[:, :4], scores.max(1), scores.argmax(1)
    if name == "maps":
        size, offset, heat = (raw[key][0] for key in ("size", "offset", "heat"))
        boxes = np.concatenate([size, offset]).reshape(4, -1).T
        return boxes, heat.reshape(-1), np.zeros(64)
    if name == "maps of a class each":
        boxes = np.concatenate([raw["size"][0], raw["offset"][0]]).reshape(4, -1).T
        heat = raw["heat"][0].reshape(5, -1)
        return boxes, heat.max(0), heat.argmax(0)
    if name == "suppressed, in one":
        return raw["rows"][:, 2:], raw["rows"][:, 1], raw["rows"][:, 0]
    if name == "suppressed, a class and a score a row":
        return raw["boxes"], raw["best"], raw["labels"]
    boxes, scores = raw["boxes"].reshape(-1, 4), raw["scores"].reshape(-1, raw["scores"].shape[-1])
    if name == "one score beside boxes":
        return boxes, raw["scores"].reshape(-1), np.zeros(64)
    if name in {"softmax beside boxes", "channels last, at each place"}:  # class 0 is the background
        return boxes, scores[:, 1], np.ones(len(boxes))
    return boxes, scores.max(1), scores.argmax(1)


@pytest.mark.parametrize("name", NAMES)
def test_boxes_are_the_files_own_best_first(name: str) -> None:
    found = onnxray.open(detector(name), PROFILE).predict(X)
    assert (found.kind, len(found)) == ("boxes", 2)
    for k in range(2):
        boxes, scores, classes = table(name, outputs(name, X[k]))
        least = 0.5 if scores.min() >= 0 and scores.max() <= 1 else -np.inf
        order = [int(row) for row in np.argsort(-scores, kind="stable") if scores[row] > least]
        own = found.samples[k]
        assert own.rows.tolist() == order
        np.testing.assert_allclose(own.boxes, boxes[order], rtol=1e-6)
        np.testing.assert_allclose(own.scores, scores[order], rtol=1e-6)
        if own.classes is not None:
            np.testing.assert_array_equal(own.classes, classes[order])
        assert len(found.numbers(k)["boxes"]) == len(order)
        assert found.describe(k).startswith(f"{len(order)} box" if order else "no box")
    assert onnxray.open(detector(name), PROFILE).verdict(X) is None


@pytest.mark.parametrize("threshold", [0.1, 0.6])
def test_the_threshold_that_is_stated(threshold: float) -> None:
    model = onnxray.open(detector("sigmoids beside boxes"), PROFILE, output=StatedOutput(threshold=threshold))
    _, scores, _ = table("sigmoids beside boxes", outputs("sigmoids beside boxes", X[0]))
    assert len(model.predict(X).samples[0]) == (scores > threshold).sum()


@pytest.mark.parametrize(("labels", "nothing"), [(("background", "cat"), 0), (("cat", "N/A"), 1), (("cat",), 0)])
def test_the_class_that_means_nothing_is_told_by_labels(labels: tuple[str, ...], nothing: int) -> None:
    from dataclasses import replace

    model = onnxray.open(detector("softmax beside boxes"), replace(PROFILE, labels=labels))
    found = model.predict(X[:1])
    assert set(found.samples[0].classes.tolist()) <= {1 - nothing}
    assert found.label(1 - nothing) == "cat"
    assert f"class {nothing} is taken to mean that there is nothing, and is not listed" in found.notes


@pytest.mark.parametrize("name", ["sigmoids beside boxes", "softmax beside boxes", "yolo, numbers first", "suppressed"])
def test_labels_that_are_not_one_a_class_are_refused(name: str) -> None:
    from dataclasses import replace

    model = onnxray.open(detector(name), replace(PROFILE, labels=("a", "b", "c", "d")))
    with pytest.raises(ProfileError, match="4 labels are stated and output .* gives 2 classes"):
        model.predict(X)


def test_as_many_boxes_as_there_are_in_each_picture() -> None:
    """An axis of one sample kept, and another number of rows for each picture."""
    nodes = DETECTORS["suppressed, a class and a score a row"][0]
    ends = ("boxes", "best", "labels")
    for name in ends:
        nodes = nodes.replace(f" {name} = ", f" {name}_ = ")
    nodes += "".join(f" {name} = Unsqueeze ({name}_, zero)" for name in ends)
    weights = {"kb": models.random(0, 4, 3, 1, 1), "ks": models.random(1, 2, 3, 1, 1)}
    text = f"g (float[1,3,8,8] x) => (float[1,n,4] boxes, float[1,n] best, int64[1,n] labels) {{ {nodes} }}"
    proto = models.parse(text, weights)
    found = onnxray.open(proto, PROFILE).predict(X)
    for k in range(2):
        boxes, best, labels = models.run(proto, {"x": PROFILE.encode(X[k : k + 1].astype(np.float32))})
        order = [row for row in np.argsort(-best[0], kind="stable") if best[0, row] > 0.5]
        np.testing.assert_array_equal(found.samples[k].boxes, boxes[0, order])
        np.testing.assert_array_equal(found.samples[k].classes, labels[0, order])


def test_a_picture_without_an_axis_of_samples() -> None:
    """As torchvision's detectors are exported."""
    nodes, given, _ = DETECTORS["suppressed"]
    text = f"g (float[3,8,8] x0) => ({given}) {{ first = Constant <value_ints = [0]> () x = Unsqueeze (x0, first) {nodes} }}"
    proto = models.parse(text, {"kb": models.random(0, 4, 3, 1, 1), "ks": models.random(1, 2, 3, 1, 1)})
    x = models.random(5, 3, 8, 8)
    found = onnxray.open(proto).predict(x)
    boxes, scores = models.run(proto, {"x0": x})
    assert len(found) == 1
    order = [row for row in np.argsort(-scores.max(1), kind="stable") if scores[row].max() > 0.5]
    np.testing.assert_array_equal(found.samples[0].boxes, boxes[order])


def test_how_many_are_meant() -> None:
    """Rows that were filled up are left out, whatever they hold."""
    from onnxray.graph.outputs.facts import OutputFacts
    from onnxray.model.answers.detections import detections

    facts = [
        OutputFacts(name="num", kind="box count", grounds=""), OutputFacts(name="b", kind="boxes", grounds="", axis=2),
        OutputFacts(name="s", kind="box scores", grounds=""), OutputFacts(name="c", kind="box classes", grounds=""),
    ]  # fmt: skip
    raw = {
        "num": np.array([[2], [0]]), "b": np.arange(24.0).reshape(2, 3, 4), "s": np.full((2, 3), 0.9),
        "c": np.array([[4, 5, 6], [7, 8, 9]]),
    }  # fmt: skip
    found = detections(facts, raw, None, exclusive=False, threshold=None)
    assert [one.classes.tolist() for one in found.samples if one.classes is not None] == [[4, 5], []]
    assert found.describe(1) == "no box"
