"""A saved perturbation on other pictures: the rate, and files that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.images.files import read_png
from onnxray.methods import Apply, Universal
from support.paths import ROOT

SAMPLES = ROOT / "models" / "onnxray_models" / "lenet" / "samples"


@pytest.mark.parametrize(("norm", "eps"), [("linf", 64.0), ("l2", 1500.0)])
def test_it_does_what_it_did_when_it_was_made(norm: Any, eps: float, tmp_path: Path) -> None:
    model, files = onnxray.open("lenet"), sorted(SAMPLES.glob("*_[0-3].png"))
    made = Universal(norm=norm, eps=eps, by="gradient", epochs=2)(model, files)
    made.save(tmp_path / "made")
    applied = Apply(perturbation=str(tmp_path / "made" / "universal.npy"), norm=norm)(model, files)
    assert applied.extra["fooling_rate"] == made.items[0].rates["fitted"]
    applied.save(tmp_path / "applied")
    for item, origin in zip(applied.items, model.pixels(files).array):
        assert item.norms[norm] <= eps * (1 + 1e-6)
        assert np.abs(item.images["image"] - np.clip(origin + made.items[0].perturbation, 0, 255)).max() <= 1.001
    first = applied.to_dict()["items"][0]["files"]["image"]
    assert np.array_equal(read_png(tmp_path / "applied" / first), applied.items[0].images["image"])


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((1, 28, 28), np.float32), "holds nothing but 0"),
        (np.full((1, 28, 28), np.nan, np.float32), "not all finite"),
        (np.ones((1, 28, 28), np.uint8), "an array of uint8"),
        (np.ones((3, 28, 28), np.float32), r"has the shape \[3, 28, 28\], and pictures of this model \[1, 28, 28\]"),
        (np.array(["a"]), "an array of <U1"),
        (np.array([{}], object), "is no .npy or .npz file of numbers or text"),
    ],
)
def test_a_file_that_is_no_perturbation_is_refused(array: Any, said: str, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match=said):
        Apply(perturbation=str(tmp_path / "v.npy"))(onnxray.open("lenet"), [SAMPLES / "4_0.png"])


def test_it_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--perturbation universal.npy"):
        Apply()
    with pytest.raises(InputError, match="no such file"):
        Apply(perturbation=str(tmp_path / "v.npy"))(onnxray.open("lenet"), [SAMPLES / "4_0.png"])
