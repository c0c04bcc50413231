"""Universal perturbations: the algorithm restated on a linear model, what is saved, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.images.pixels import save_png
from onnxray.methods import Universal
from onnxray.methods.attack.picture_sets import digests, generator_of_all
from support import models
from support.attacking import straight
from support.linear import RAW, SIDE
from support.paths import ROOT

SAMPLES = ROOT / "models" / "onnxray_models" / "lenet" / "samples"


def grey_pictures(count: int, seed: int = 0) -> Any:
    """None near black or white, so that nothing is cut off."""
    return np.random.default_rng(seed).integers(90, 166, (count, 1, SIDE, SIDE)).astype(np.uint8)


def in_order(model: Any, images: Any) -> Any:
    pixels = model.pixels(images)
    return pixels.rows(np.array(sorted(range(len(images)), key=lambda k: digests(pixels)[k])))


def project(v: Any, norm: str, eps: float) -> Any:
    return np.clip(v, -eps, eps) if norm == "linf" else v * min(1.0, eps / np.linalg.norm(v))


@pytest.mark.parametrize(("norm", "eps"), [("linf", 10.0), ("l2", 150.0)])
def test_it_is_the_algorithm_of_the_paper(norm: Any, eps: float) -> None:
    """Of a linear model DeepFool is one step: over the nearest boundary, and 1e-4 of the range and 2 % beyond."""
    model, w = straight(classes=4)
    images = grey_pictures(12)
    item = Universal(norm=norm, eps=eps, epochs=2, fooling_rate=1.0)(model, images).items[0]
    pixels = in_order(model, images)
    x = pixels.array.reshape(12, -1).astype(np.float64)
    clean, random, best, most = (x @ w.T).argmax(1), generator_of_all(pixels, 0), None, -1.0
    v = np.zeros(x.shape[1])
    for _ in range(2):
        for k in random.permutation(12):
            z = w @ (x[k] + v)
            if z.argmax() != clean[k]:
                continue
            slopes = w - w[clean[k]]
            away = [np.inf if j == clean[k] else (z[clean[k]] - z[j]) / np.linalg.norm(slopes[j]) for j in range(4)]
            j = int(np.argmin(away))
            v = project(v + 1.02 * (away[j] + 0.0255) * slopes[j] / np.linalg.norm(slopes[j]), norm, eps)
        saved = np.rint(x + v)
        rate = float(((saved @ w.T).argmax(1) != clean).mean())
        if rate >= most:
            best, most = v, rate
    assert best is not None
    assert np.abs(item.perturbation.ravel() - best).max() < 2e-3 * np.abs(best).max()
    assert item.history[-1]["rate"] == pytest.approx(rate, abs=1 / 12)
    assert {"linf": np.abs(item.perturbation).max(), "l2": np.linalg.norm(item.perturbation)}[norm] <= eps * (1 + 1e-6)


def test_the_gradient_finds_what_is_best_of_a_linear_model() -> None:
    """Of two classes, and pictures of one of them: every number as far as it may, the way of w_1 - w_0."""
    images = grey_pictures(20)
    x, (_, w) = images.reshape(20, -1).astype(np.float64), straight(classes=2)
    best = 6.0 * np.sign(w[1] - w[0])
    bias = float(np.median((x + best) @ (w[0] - w[1])))  # half of them are brought over, and none is there before
    model, _ = straight(classes=2, bias=[0.0, bias])
    item = Universal(by="gradient", eps=6.0, epochs=4, batch=8, fooling_rate=1.0, step_size=1.0)(model, images).items[0]
    assert np.array_equal(item.perturbation.ravel(), best.astype(np.float32))
    assert item.rates["fitted"]["reached"] == ((x + best) @ (w[1] - w[0]) + bias > 0).sum() == 10


def test_neither_the_order_of_pictures_nor_a_second_run_changes_it() -> None:
    model, _ = straight(classes=3)
    images, held = grey_pictures(8), grey_pictures(4, seed=9)
    save = [
        Universal(epochs=1, by=by)(model, given).items[0]
        for by in ("deepfool", "gradient")
        for given in (images, images[::-1])
    ]  # type: ignore[arg-type]
    assert np.array_equal(save[0].perturbation, save[1].perturbation)
    assert np.array_equal(save[2].perturbation, save[3].perturbation)
    other = Universal(epochs=1)(model, np.concatenate([images, held])).items[0]
    assert not np.array_equal(other.perturbation, save[0].perturbation)


def test_rates_are_what_the_judge_says_of_saved_pictures(tmp_path: Path) -> None:
    """On LeNet, at a budget that shows: beyond random signs, and the same again from the run's own files."""
    model = onnxray.open("lenet")
    files = sorted(SAMPLES.glob("*.png"))
    result = Universal(by="gradient", eps=90.0, epochs=5, batch=10, loss="margin", held_out="0.3")(model, files)
    result.save(tmp_path / "run")
    item = result.items[0]
    counts = {name: rate["count"] for name, rate in item.rates.items()}
    assert counts == {"fitted": 70, "held_out": 30, "random_fitted": 70, "random_held_out": 30}
    assert item.rates["fitted"]["share"] > item.rates["random_fitted"]["share"] + 0.1
    v = np.load(tmp_path / "run" / "universal.npy")
    assert v.shape == (1, 28, 28)
    assert v.dtype == np.float32
    x = model.pixels(files).array
    saved = np.clip(np.rint(x + np.rint(v)), 0, 255).astype(np.uint8)
    fooled = (model.classify(saved) != model.classify(x.astype(np.uint8))).sum()
    assert fooled == item.rates["fitted"]["reached"] + item.rates["held_out"]["reached"]
    assert sum(one["pictures"] for one in item.classes) == item.rates["held_out"]["reached"]
    assert item.classes[0]["pictures"] >= item.classes[-1]["pictures"]
    again = onnxray.load(tmp_path / "run").items[0]
    assert again.numbers() == item.numbers()
    assert np.array_equal(again.perturbation, item.perturbation)
    assert "held out" in repr(item)


def test_a_class_that_is_wanted_leaves_its_own_pictures_out() -> None:
    model = onnxray.open("lenet")
    files = sorted(SAMPLES.glob("[89]_*.png"))
    item = Universal(by="gradient", eps=90.0, epochs=2)(model, files, "8").items[0]
    assert item.goal == "8"
    assert item.left_out == {"fitted": 10}
    assert item.rates["fitted"]["count"] == 10
    assert {one["class"] for one in item.classes} <= {8}
    with pytest.raises(InputError, match="of class 8 already"):
        Universal()(model, sorted(SAMPLES.glob("8_*.png")), "8")


def test_pictures_that_are_in_both_are_refused(tmp_path: Path) -> None:
    model, images = straight()[0], grey_pictures(6)
    (tmp_path / "held").mkdir()
    save_png(tmp_path / "held" / "same.png", images[2])
    with pytest.raises(InputError, match=r"same.png' is held out, and a universal perturbation is made of the same"):
        Universal(held_out=str(tmp_path / "held"))(model, images)


def test_a_share_never_parts_equal_pictures() -> None:
    model, images = straight()[0], grey_pictures(5)
    doubled = np.concatenate([images, images])
    item = Universal(held_out="0.4", epochs=1)(model, doubled).items[0]
    assert item.rates["held_out"]["count"] == 4
    assert item.rates["fitted"]["count"] == 6


@pytest.mark.parametrize(
    ("options", "count", "said"),
    [
        ({}, 1, "made of many: give at least 2"),
        ({"held_out": "0.9"}, 3, "leaves 0; it is made of at least 2"),
        ({"held_out": "1.5"}, 4, "a share above 0 and below 1"),
        ({"held_out": "nowhere"}, 4, "nowhere"),
    ],
)
def test_too_few_pictures_are_refused(options: Any, count: int, said: str) -> None:
    with pytest.raises(onnxray.errors.OnnxrayError, match=said):
        Universal(**options)(straight()[0], grey_pictures(count))


@pytest.mark.parametrize(
    ("options", "said"),
    [({"eps": 0.0}, "eps is 0.0"), ({"eps": 256.0}, "eps is 256.0"), ({"fooling_rate": 1.5}, "fooling_rate is 1.5")],
)
def test_options_out_of_range_are_refused(options: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Universal(**options)


def test_a_model_without_pictures_is_refused() -> None:
    model = onnxray.open(
        models.parse("t (float[N,4] x) => (float[N,3] z) { z = MatMul (x, w) }", {"w": np.eye(4, 3, dtype=np.float32)})
    )
    with pytest.raises(InputError, match="universal works on images"):
        Universal()(model, np.zeros((3, 4), np.float32))


@pytest.mark.parametrize("by", ["deepfool", "gradient"])
def test_a_number_is_brought_beyond_another_for_all_pictures(by: Any) -> None:
    """Of a linear model with one number: no perturbation raises it more than eps times the sum of its weights' sizes."""
    w = np.random.default_rng(0).normal(0, 0.01, (SIDE * SIDE, 1)).astype(np.float32)
    text = f"r (float[N,1,{SIDE},{SIDE}] x) => (float[N,1] y) {{ flat = Flatten (x) y = MatMul (flat, w) }}"
    model, images = onnxray.open(models.parse(text, {"w": w}), RAW), grey_pictures(8)
    before, most = images.reshape(8, -1) @ w[:, 0], 20.0 * np.abs(w).sum()
    goal = float(before.max() + 0.5 * (before.min() + most - before.max()))  # within reach of all, and none is there
    item = Universal(by=by, eps=20.0, batch=4)(model, images, f"y > {goal:.4f}").items[0]
    assert item.goal == f"y > {goal:.4f}"
    assert item.rates["fitted"]["share"] >= 0.8
    after = (images.reshape(8, -1) + np.rint(item.perturbation.ravel())) @ w[:, 0]
    assert item.rates["fitted"]["reached"] == (after > goal).sum()
    assert item.classes == ()
