"""Predictions are numbers and words: they travel, and hold nothing of what was fed."""

import csv
import gc
import pickle
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.graph.classifier.predictions import Prediction
from onnxray.images.files import save_png
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


def named(*, count: int = 5) -> onnxray.Model:
    return onnxray.open(models.lenet(), replace(models.GREY, labels=tuple(f"word {k}" for k in range(count))))


@pytest.mark.parametrize("k", [1, 2, 5, 99])
def test_the_likeliest_classes_are_those_of_the_sorted_probabilities(k: int) -> None:
    said = named().predict(X)
    for index, own in enumerate(said.top(k)):
        order = sorted(range(5), key=lambda c: (-said.probabilities[index, c], c))[:k]
        assert [one.class_ for one in own] == order
        assert [one.label for one in own] == [f"word {c}" for c in order]
        assert [one.probability for one in own] == [said.probabilities[index, c] for c in order]
        assert {one.score for one in own} == {None}
        assert own[0].class_ == said.classes[index]
    scored = said.top(2, scored=True)
    assert scored[1][1].score == said.scores[1, scored[1][1].class_]


def test_of_equal_probabilities_the_lower_class_comes_first() -> None:
    said = replace(named().predict(X), probabilities=np.full((3, 5), 0.2))
    assert [one.class_ for one in said.top(3)[0]] == [0, 1, 2]


def test_without_words_classes_are_numbers(lenet: onnxray.Model) -> None:
    said = lenet.predict(X)
    assert {one.label for own in said.top(5) for one in own} == {"0", "1", "2", "3", "4"}


def test_no_other_count_is_taken(lenet: onnxray.Model) -> None:
    said = lenet.predict(X)
    for wrong in (0, -1, True, 1.5, "2", None):
        with pytest.raises(InputError, match="a whole number from 1"):
            said.top(wrong)  # type: ignore[arg-type]


def test_predictions_are_a_table_of_what_was_read(tmp_path: Path) -> None:
    paths = []
    for k, picture in enumerate(X):
        save_png(tmp_path / f"={k}.png", np.rint(picture).astype(np.uint8))
        paths.append(str(tmp_path / f"={k}.png"))
    said = named().predict(paths)
    assert said.paths == tuple(paths)
    rows = said.rows()
    assert [row["path"] for row in rows] == paths
    assert [(row["class"], row["label"], row["rank"]) for row in rows] == [
        (int(c), f"word {c}", 1) for c in said.classes
    ]
    assert [(row["image"], row["rank"]) for row in said.rows(top=2)] == [(i, r) for i in range(3) for r in (1, 2)]
    said.to_csv(tmp_path / "table.csv", top=2)
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    assert [float(row["probability"]) for row in read] == [row["probability"] for row in said.rows(top=2)]
    assert {row["path"] for row in named().predict(X).rows()} == {None}


def test_predictions_are_a_data_frame() -> None:
    pytest.importorskip("pandas")
    frame = named().predict(X).to_pandas(top=2)
    assert list(frame.columns) == ["image", "path", "rank", "class", "label", "probability"]
    assert len(frame) == 6
