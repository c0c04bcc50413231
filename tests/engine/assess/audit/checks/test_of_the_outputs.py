"""Checks of the file's own answers, which need no label: determinism, batch invariance, invariance, quantisation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import onnxray
from onnxray.assess.audit.checks.batch_invariance import BatchInvariance
from onnxray.assess.audit.checks.determinism import Determinism
from onnxray.assess.audit.checks.invariance import Invariance
from onnxray.assess.audit.checks.quantisation import Quantisation
from onnxray.errors import InputError
from support import models
from support.auditing import levels, opened, outcome, saved, values

LINEAR = "g (float[N,3,4,4] x) => (float[N,2] y) { f = Flatten (x) y = MatMul (f, w) }"
RANDOM = """g (float[N,3,4,4] x) => (float[N,2] y) { f = Flatten (x) m = MatMul (f, w)
  n = RandomNormalLike (m) y = Add (m, n) }"""
MIXING = """g (float[N,3,4,4] x) => (float[N,2] y) { f = Flatten (x) m = MatMul (f, w)
  t = ReduceMean <axes = [0], keepdims = 1> (m) y = Sub (m, t) }"""
W = {"w": models.random(0, 48, 2)}
X = np.random.default_rng(0).integers(0, 256, (4, 3, 4, 4))


def test_determinism_of_a_plain_file_and_of_one_that_draws(tmp_path: Path) -> None:
    pictures = saved(tmp_path / "a", X)
    plain = outcome(Determinism(), opened(LINEAR, W, output="y=logits"), pictures)
    assert values(plain) == {("same bytes", None): 1.0, ("largest difference", None): 0.0}
    assert levels(plain) == []
    check, model = Determinism(), opened(RANDOM, W, output="y=logits")
    drawn = check.summarise(check.measure(model, pictures, 0), pictures, 0.95)
    assert values(drawn)["same bytes", None] == 0.0
    assert set(levels(drawn)) == {"error"}


def test_batch_invariance_of_a_plain_file_and_of_one_that_mixes(tmp_path: Path) -> None:
    pictures = saved(tmp_path / "a", X)
    plain = outcome(BatchInvariance(), opened(LINEAR, W, output="y=logits"), pictures)
    assert values(plain)["answered alike", None] == 1.0
    assert levels(plain) == []
    mixed = outcome(BatchInvariance(among=3), opened(MIXING, W, output="y=logits"), pictures)
    assert values(mixed)["answered alike", None] == 0.0
    assert levels(mixed) == ["error"]
    fixed = opened(LINEAR.replace("N", "1"), W, output="y=logits")
    assert BatchInvariance().unfit(fixed) == "the file takes one picture at a time"
    three = opened(LINEAR.replace("N", "3"), W, output="y=logits")
    assert "3 pictures at a time" in str(BatchInvariance().unfit(three))


def test_consistency_counts_changes_that_keep_the_class(tmp_path: Path) -> None:
    model, pictures = opened(LINEAR, W, output="y=logits"), saved(tmp_path / "a", X, [0, 0, 1, 1])
    told = values(outcome(Invariance(changes="flip,brightness", levels=9), model, pictures))
    before = model.classify(X.astype(np.float32))
    forms = {"flip": X[:, :, :, ::-1], "brighter": np.minimum(X + 9, 255), "darker": np.maximum(X - 9, 0)}
    kept = {word: model.classify(np.ascontiguousarray(form, np.float32)) == before for word, form in forms.items()}
    for word, own in kept.items():
        assert told["consistency", f"change={word}"] == own.mean()
    assert told["consistency", None] == pytest.approx(np.mean(list(kept.values())))
    assert told["consistency", "class=1"] == pytest.approx(np.mean([own[2:] for own in kept.values()]))
    with pytest.raises(InputError, match="no change 'shfit'; did you mean 'shift'"):
        Invariance(changes="shfit")


def test_a_file_beside_the_float_file(tmp_path: Path) -> None:
    weights = {"w": models.random(0, 48, 2)}
    float_file, other = tmp_path / "float.onnx", tmp_path / "other.onnx"
    coarse = {"w": np.round(weights["w"])}
    for path, own in ((float_file, weights), (other, coarse)):
        path.write_bytes(models.parse(LINEAR, own).SerializeToString())
        path.with_suffix(".toml").write_text(
            "name = 'unit'\nlayout = 'NCHW'\nchannels = 'RGB'\nscale = 1.0\nmean = [0.0, 0.0, 0.0]\nstd = [255.0, 255.0, 255.0]\n"
            "size = [4, 4]\n[head]\noutput = 'y'\nkind = 'logits'\n"
        )
    model, pictures = onnxray.open(other), saved(tmp_path / "a", X, [0, 1, 0, None])
    check = Quantisation(beside=str(float_file))
    told = values(outcome(check, model, pictures))
    own, its = model.predict(X.astype(np.float32)), onnxray.open(float_file).predict(X.astype(np.float32))
    assert told["agreement", None] == np.mean(own.classes == its.classes)
    assert told["largest difference", None] == pytest.approx(np.abs(own.probabilities - its.probabilities).max())
    assert told["accuracy", None] == np.mean(own.classes[:3] == [0, 1, 0])
    assert told["accuracy of the float file", None] == np.mean(its.classes[:3] == [0, 1, 0])
    moved = tmp_path / "moved.onnx"
    moved.write_bytes(float_file.read_bytes())
    assert Quantisation(beside=str(moved)).options() == check.options()
    assert str(tmp_path) not in str(check.options())
    assert "others are compared with" in str(check.unfit(onnxray.open(float_file)))
    assert "no float file" in str(Quantisation().unfit(model))
    with pytest.raises(InputError, match="10 and 2 classes|2 and 10 classes"):
        Quantisation(beside="lenet").measure(model, pictures[:1], 0)
