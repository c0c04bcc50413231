"""The best path is the file's own, and CTC is written out."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.graph.outputs.facts import OutputFacts
from onnxray.images.profile.profile import Profile
from onnxray.model.answers.sequences import sequence
from support import models

PROFILE = Profile(name="unit", layout="NCHW", channels="GREY", scale=1 / 255, mean=(0,), std=(1,), size=(6, 9))
X = np.random.default_rng(0).integers(0, 256, (3, 1, 6, 9), dtype=np.uint8)
BEGIN = "o = Constant <value_ints = [1]> () s = Squeeze (x, o) c = Transpose <perm = [0, 2, 1]> (s) z = MatMul (c, w) "
ENDS = {
    "samples first": ("y = Softmax (z)", "float[N,9,5] y", (0, 1, 2)),
    "steps first": ("t = Transpose <perm = [1, 0, 2]> (z) y = LogSoftmax (t)", "float[9,N,5] y", (1, 0, 2)),
    "classes before steps": (
        "t = Transpose <perm = [0, 2, 1]> (z) y = Softmax <axis = 1> (t)", "float[N,5,9] y", (0, 2, 1),
    ),
}  # fmt: skip


def reader(name: str, producer: str = "") -> onnx.ModelProto:
    nodes, outputs, _ = ENDS[name]
    proto = models.parse(f"g (float[N,1,6,9] x) => ({outputs}) {{ {BEGIN} {nodes} }}", {"w": models.random(1, 6, 5)})
    proto.producer_name = producer
    return proto


def collapsed(path: list[int], blank: int) -> list[int]:
    return [one for one, _ in groupby(path) if one != blank]


@pytest.mark.parametrize("producer", ["pytorch", "tf2onnx"])
@pytest.mark.parametrize("name", ENDS)
def test_the_best_path_and_what_ctc_makes_of_it(name: str, producer: str) -> None:
    proto = reader(name, producer)
    (given,) = models.run(proto, {"x": (X / 255).astype(np.float32)})
    path = given.transpose(ENDS[name][2]).argmax(2)
    found = onnxray.open(proto, PROFILE).predict(X)
    np.testing.assert_array_equal(found.steps, path)
    blank = 4 if producer == "tf2onnx" else 0
    assert found.blank == blank
    for k in range(3):
        assert list(found.collapsed(k)) == collapsed(path[k].tolist(), blank)


@pytest.mark.parametrize(
    ("labels", "blank", "words"),
    [
        (("a", "b", "c", "d"), 0, ("", "a", "b", "c", "d")),
        (("a", "b", "<blank>", "c", "d"), 2, ("a", "b", "<blank>", "c", "d")),
    ],
)
def test_labels_with_the_blank_and_without(labels: tuple[str, ...], blank: int, words: tuple[str, ...]) -> None:
    proto = reader("samples first")
    found = onnxray.open(proto, replace(PROFILE, labels=labels)).predict(X)
    assert (found.blank, found.labels) == (blank, words)
    for k in range(3):
        assert found.text(k) == "".join(words[one] for one in collapsed(found.steps[k].tolist(), blank))


def test_labels_that_do_not_fit_are_not_used() -> None:
    found = onnxray.open(reader("samples first"), replace(PROFILE, labels=("a", "b"))).predict(X)
    assert found.labels is None
    assert "2 labels are stated and a step has 5 classes: steps are given as numbers" in found.notes
    assert found.text(0) == " ".join(map(str, collapsed(found.steps[0].tolist(), 0)))


def test_of_token_ids_every_step_is_kept() -> None:
    """A label a token: nothing is collapsed."""
    text = "g (int64[N,4] x) => (float[N,4,3] y) { e = Gather (t, x) z = MatMul (e, w) y = Softmax (z) }"
    proto = models.parse(text, {"t": models.random(0, 9, 6), "w": models.random(1, 6, 3)})
    ids = np.array([[1, 1, 2, 0], [8, 8, 8, 8]])
    found = onnxray.open(proto).predict(ids)
    assert (found.kind, found.blank) == ("sequence", None)
    np.testing.assert_array_equal(found.steps, models.run(proto, {"x": ids})[0].argmax(2))
    assert [found.collapsed(k) for k in range(2)] == [tuple(row) for row in found.steps.tolist()]


def test_formula() -> None:
    facts = OutputFacts(name="y", kind="sequence", grounds="", axis=2, time=1)
    scores = np.eye(3)[[[0, 1, 1, 0, 1, 2, 2]]]
    found = sequence(facts, scores, ("-", "a", "b"), ctc=True, last=False)
    assert found.collapsed(0) == (1, 1, 2)
    assert found.text(0) == "aab"
