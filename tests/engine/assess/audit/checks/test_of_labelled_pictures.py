"""Corruptions, layer stability, saliency sanity and near duplicates, from their formulas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import onnxray
from onnxray.assess.audit.check import seed_of
from onnxray.assess.audit.checks.corruptions import Corruptions
from onnxray.assess.audit.checks.layer_stability import LayerStability
from onnxray.assess.audit.checks.near_duplicates import NearDuplicates
from onnxray.assess.audit.checks.saliency_sanity import SaliencySanity
from onnxray.assess.maps.rank_correlation import rank_correlation
from onnxray.errors import InputError
from onnxray.images.corruptions.catalogue import corrupted
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from support import models
from support.auditing import digits, levels, opened, outcome, saved, values

LINEAR = "g (float[N,3,4,4] x) => (float[N,2] y) { f = Flatten (x) y = MatMul (f, w) }"
W = {"w": models.random(0, 48, 2)}
X = np.random.default_rng(0).integers(0, 256, (4, 3, 4, 4))


def test_the_mean_corruption_error_is_the_mean_over_kinds_severities_and_pictures(tmp_path: Path) -> None:
    model, pictures = opened(LINEAR, W, output="y=logits"), saved(tmp_path / "a", X, [0, 1, 0, 1])
    kinds, check = ["impulse-noise", "contrast"], Corruptions(kinds="impulse-noise,contrast", severities="1,5")
    told = values(outcome(check, model, pictures, seed=3))
    wrong = np.zeros((2, 2, 4))
    for p, one in enumerate(pictures):
        for k, kind in enumerate(kinds):
            for s, severity in enumerate((1, 5)):
                random = np.random.default_rng([seed_of(3, check, one), k, severity])
                worse = corrupted(X[p].astype(np.uint8), kind, severity, random)
                wrong[k, s, p] = model.classify(worse[None].astype(np.float32))[0] != one.label
    clean = np.mean(model.classify(X.astype(np.float32)) != [0, 1, 0, 1])
    assert told["mean corruption error", None] == pytest.approx(wrong.mean())
    assert told["relative mean corruption error", None] == pytest.approx(wrong.mean() - clean)
    assert told["clean error", None] == clean
    assert told["mean corruption error", "corruption=contrast"] == pytest.approx(wrong[1].mean())
    assert told["mean corruption error", "family=noise"] == pytest.approx(wrong[0].mean())
    assert told["mean corruption error", "severity=5"] == pytest.approx(wrong[:, 1].mean())
    assert told["mean corruption error", "class=1"] == pytest.approx(wrong[:, :, 1::2].mean())
    for options in ({"kinds": "mist"}, {"severities": "0,6"}, {"severities": ""}):
        with pytest.raises(InputError):
            Corruptions(**options)


def test_corruptions_of_digits_hurt_and_need_no_label() -> None:
    pictures = digits(3, labelled=False)
    told = outcome(Corruptions(kinds="noise,glass-blur", severities="5"), onnxray.open("lenet"), pictures)
    assert values(told)["clean error", None] == 0.0
    assert any("no label" in note for note in told.notes)


def test_a_layer_is_pushed_by_lots() -> None:
    model, pictures = onnxray.open("lenet"), digits(2, labelled=False)
    check = LayerStability(eps=64.0, layers=2)
    told = values(outcome(check, model, pictures))
    gains, kept = [], []
    for one in pictures:
        own = []
        for sign in ("magnify", "inhibit"):
            (item,) = LOTS(layer="conv1", until="linf", linf=64.0)(model, [one.path], sign).items
            kept.append(item.class_ == int(one.path.name[0]))
            own.append(abs(item.distance_after - item.distance_before) / item.distance_before)
        gains.append(max(own))
    assert told["gain", "layer=conv1"] == pytest.approx(np.median(gains))
    assert told["stability", "layer=conv1"] == np.mean([kept[0] and kept[1], kept[2] and kept[3]])
    assert {name for _, name in told} == {None, "layer=conv1", "layer=ip2", "folder=digits"}


def test_a_map_of_another_network_is_another_map() -> None:
    model, (one,) = onnxray.open("lenet"), digits(1, labelled=False)
    check = SaliencySanity(method="grad-cam", stages=2)
    (row,) = check.measure(model, [one], 0)
    assert [entry["layer"] for entry in row["stages"]] == ["ip2", "conv1"]
    told = values(check.summarise([row], [one], 0.95))
    last = abs(row["stages"][-1]["correlation"])
    assert told["correlation with weights drawn anew", None] == pytest.approx(last)
    assert last < 0.9
    heat = GradCAM()(model, [one.path]).items[0].heat
    assert rank_correlation(heat, heat) == pytest.approx(1)
    with pytest.raises(InputError, match="no method 'grad-cm'"):
        SaliencySanity(method="grad-cm")
    identity = opened("g (float[N,3,4,4] x) => (float[N,48] y) { y = Flatten (x) }", output="y=logits")
    assert "no layer with weights" in str(check.unfit(identity))
    assert "no layer with weights" in str(LayerStability().unfit(identity))


def test_near_duplicates_are_all_pairs_between_folders_and_labels(tmp_path: Path) -> None:
    large = np.random.default_rng(1).integers(0, 256, (3, 3, 64, 48))
    near = np.clip(large[0] + np.random.default_rng(2).integers(-1, 2, large[0].shape), 0, 255)
    train = saved(tmp_path / "train", [large[0], large[1]], [0, 1])
    test = saved(tmp_path / "test", [near, large[1], large[2]], [0, 1, 0])
    model = onnxray.open(models.parse(
        "g (float[N,3,64,48] x) => (float[N,2] y) { a = GlobalAveragePool (x) f = Flatten (a) y = MatMul (f, w) }",
        {"w": models.random(0, 3, 2)},
    ).SerializeToString())  # fmt: skip
    told = outcome(NearDuplicates(angle=0.0), model, [*train, *test])
    found = values(told)
    assert found["near duplicates by pixels", None] == 4 / 5
    assert found["identical pairs", None] == 1
    messages = [one.message for one in told.findings if "grey levels" in one.message]
    assert levels(told) == ["warning"] * len(told.findings)
    assert messages[0] == "'1.png' in 'train', labelled 1 and '1.png' in 'test', labelled 1 lie 0 grey levels apart"
    assert "'0.png' in 'train'" in messages[1]
    same = outcome(NearDuplicates(), model, [replace(one, folder="all", label=None) for one in (*train, *test)])
    assert values(same)["near duplicates by pixels", None] == 0.0
    assert any("nothing to compare" in note for note in same.notes)
    other = [replace(train[0], label="cat"), replace(train[0], label="dog")]
    assert values(outcome(NearDuplicates(), model, other))["near duplicates by pixels", None] == 1.0
    apart = outcome(NearDuplicates(rms=0.0), model, [train[0], test[0]])
    assert values(apart)["near duplicates by pixels", None] == 0.0
