"""Predictions are numbers and words: they travel, and hold nothing of what was fed."""

import gc
import pickle
import weakref

import numpy as np
import pytest

import onnxray
from onnxray.graph.classifier.predictions import Prediction
from support import models

X = models.pictures(3)


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open(models.lenet(), models.GREY)


def ending_in_scores() -> onnxray.Model:
    text = models.LENET.format(batch="N").replace("prob = Softmax <axis = 1> (ip2)", "prob = Identity (ip2)")
    return onnxray.open(models.parse(text, models.lenet_weights()), models.GREY)


def test_predictions_come_back_from_a_pickle(lenet: onnxray.Model) -> None:
    said = lenet.predict(X, scores=True)
    other = pickle.loads(pickle.dumps(said))
    for name in ("classes", "probabilities", "scores", "logits"):
        np.testing.assert_array_equal(getattr(other, name), getattr(said, name))
    assert (other.labels, other.head, other.notes) == (said.labels, said.head, said.notes)
    expected = models.run(models.lenet(), {"x": models.GREY.encode(X)}, ["ip2"])[0]
    np.testing.assert_allclose(other.scores, expected, rtol=1e-5)


def test_what_was_fed_is_not_held(lenet: onnxray.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    fed = list[weakref.ref[np.ndarray]]()
    feeds = onnxray.Model.feeds

    def watched(model: onnxray.Model, images: object) -> dict[str, np.ndarray]:
        arrays = dict(feeds(model, images))
        fed.extend(map(weakref.ref, arrays.values()))
        return arrays

    monkeypatch.setattr(onnxray.Model, "feeds", watched)
    said = lenet.predict(X, scores=True)
    gc.collect()
    assert [array() for array in fed] == [None]
    assert said.scores.shape == (3, 5)


def test_a_row_is_the_winning_class_with_its_numbers(lenet: onnxray.Model) -> None:
    said = lenet.predict(X, scores=True)
    logits, prob = models.run(models.lenet(), {"x": models.GREY.encode(X)}, ["ip2", "prob"])
    for k in range(3):
        winner, row = int(prob[k].argmax()), said.row(k)
        assert (row.class_, row.label) == (winner, str(winner))
        assert (row.score, row.probability) == pytest.approx((logits[k, winner], prob[k, winner]), rel=1e-5)


def test_scores_that_nobody_asked_for_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    known = model.predict(X, scores=True)
    real, runs = model.judge.values, []
    monkeypatch.setattr(model.judge, "values", lambda *args: runs.append(args) or real(*args))
    said = model.predict(X)
    winner = int(said.classes[1])
    assert said.row(1, scored=False) == Prediction(
        class_=winner, label=said.labels[1], score=None, probability=said.probabilities[1, winner]
    )
    assert not runs
    for _ in range(2):
        np.testing.assert_array_equal(said.scores, known.scores)
        np.testing.assert_array_equal(said.logits, known.logits)
    assert said.row(1).score == known.scores[1, winner]
    assert len(runs) == 1


def test_a_pickle_holds_the_scores_whether_they_were_read_or_not() -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    known = model.predict(X, scores=True)
    for said in (model.predict(X), known):
        back = pickle.loads(pickle.dumps(said))
        np.testing.assert_array_equal(back.scores, known.scores)
        assert back.row(0) == known.row(0)


def test_scores_that_are_the_output_are_always_there(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ending_in_scores()
    monkeypatch.setattr(model.judge, "values", lambda *_: pytest.fail("a second session was run"))
    said = model.predict(X)
    np.testing.assert_array_equal(said.scores, said.logits.astype(np.float64))
    assert said.row(2).score == said.scores[2].max()
