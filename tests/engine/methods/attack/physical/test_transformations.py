"""Transformations as text and as values, and what they do to a picture, beside NumPy, SciPy and Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from onnxray.errors import InputError
from onnxray.methods.attack.physical.transformations import (
    KINDS,
    Draw,
    Jpeg,
    Rotation,
    draw,
    read_transformations,
)
from onnxray.methods.attack.physical.views import viewed


def pictures(count: int = 2, channels: int = 3) -> Any:
    return np.random.default_rng(3).uniform(0, 255, (count, channels, 16, 16)).astype(np.float32)


def test_text_is_read_and_written_alike() -> None:
    texts = ["scale=0.9..1.1", "rotation=-20..20", "translation=-0.05..0.05", "blur=0..1", "contrast=0.8..1.2"]
    texts += ["brightness=-20..20", "noise=0..8", "jpeg=50..95"]
    assert [str(one) for one in read_transformations(texts[::-1])] == texts
    assert read_transformations(" rotation = 30 ") == (Rotation(30.0, 30.0),)
    assert set(KINDS) == {text.partition("=")[0] for text in texts}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rotaton=1..2", "did you mean 'rotation'"),
        ("rotation", "rotation=-20..20"),
        ("rotation=a..b", "NAME=LEAST..MOST"),
        ("rotation=20..-20", "the smaller number comes first"),
        ("rotation=0..400", "rotation is 400.0"),
        ("noise=-1..2", "noise is -1.0"),
        ("blur=nan", "blur is nan"),
        (("noise=1", "noise=2"), "noise is stated twice"),
    ],
)
def test_text_that_means_nothing_is_one_line(text: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_transformations(text)


def test_amounts_lie_within_their_ranges() -> None:
    kinds, random = (
        read_transformations(("rotation=-20..20", "jpeg=50..60", "noise=2", "translation=-0.1..0.2")),
        np.random.default_rng(0),
    )
    draws = [draw(kinds, (1, 8, 8), random) for _ in range(200)]
    turns = np.array([one.rotation for one in draws])
    assert -20 <= turns.min() < -15
    assert 15 < turns.max() <= 20
    assert {one.quality for one in draws} <= set(range(50, 61))
    assert all(-0.1 <= part <= 0.2 for one in draws for part in one.shift)
    assert len({one.shift[0] - one.shift[1] for one in draws}) > 1
    noise = np.stack([one.noise for one in draws if one.noise is not None])
    assert noise.std() == pytest.approx(2, rel=0.05)


def test_a_quarter_turn_and_a_shift_are_exact() -> None:
    x = pictures()
    assert np.abs(viewed(x, [Draw(rotation=90.0)] * 2).array - np.rot90(x, 1, (2, 3))).max() < 1e-2
    moved = viewed(x, [Draw(shift=(0.25, -0.125))] * 2).array
    assert np.abs(moved[:, :, 4:, :-2] - x[:, :, :-4, 2:]).max() < 1e-2
    assert np.abs(moved[:, :, 0] - moved[:, :, 3]).max() < 1e-2  # the edge, repeated


def test_twice_the_size_is_the_middle_enlarged() -> None:
    ramp = np.broadcast_to(np.arange(16, dtype=np.float32) * 8, (1, 1, 16, 16)).copy()
    seen = viewed(ramp, [Draw(scale=2.0)]).array
    middle = (np.arange(16) - 7.5) / 2 + 7.5
    assert np.abs(seen[0, 0] - middle * 8).max() < 1e-2


def test_light_noise_and_blur_are_their_formulae() -> None:
    x, noise = pictures(1), np.random.default_rng(1).normal(0, 9, (3, 16, 16)).astype(np.float32)
    seen = viewed(x, [Draw(contrast=0.7, brightness=12.0, noise=noise)]).array
    assert np.abs(seen - np.clip((x - 127.5) * 0.7 + 127.5 + 12 + noise, 0, 255)).max() < 1e-3
    pair = viewed(np.repeat(x, 2, 0), [Draw(blur=1.0), Draw()]).array
    assert np.abs(pair[0] - gaussian_filter(x[0], (0, 1, 1), mode="nearest", truncate=3)).max() < 1e-2
    assert np.abs(pair[1] - x[0]).max() < 1e-3


def test_jpeg_is_pillows_and_passes_straight_through() -> None:
    x = np.rint(pictures(1))
    views = viewed(x, [Draw(quality=40)])
    stream = io.BytesIO()
    Image.fromarray(x[0].astype(np.uint8).transpose(1, 2, 0)).save(stream, "JPEG", quality=40)
    assert np.abs(views.array[0] - np.asarray(Image.open(stream)).transpose(2, 0, 1)).max() < 1e-3
    inside = (x > 0) & (x < 255)
    slope = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    assert np.allclose(views.back(slope)[inside], slope[inside])
    grey = viewed(pictures(1, 1), [Draw(quality=90)]).array
    assert grey.shape == (1, 1, 16, 16)
    assert str(Jpeg(40, 40)) == "jpeg=40..40"


def test_the_way_back_is_the_derivative() -> None:
    """<g, T(x + h) - T(x)> = <T'(x)^T g, h>, of what is linear within [0, 255]."""
    x, random = pictures() / 4 + 90, np.random.default_rng(5)
    draws = [
        Draw(scale=1.1, rotation=13.0, shift=(0.1, 0.0), blur=0.8, contrast=0.9, brightness=5.0),
        Draw(rotation=-40.0),
    ]
    h, g = (random.normal(size=x.shape).astype(np.float32) for _ in range(2))
    views = viewed(x, draws)
    change = float((g * (viewed(x + h, draws).array - views.array)).sum())
    assert float((views.back(g) * h).sum()) == pytest.approx(change, rel=1e-3)


def test_company_changes_no_view() -> None:
    x, random = pictures(3), np.random.default_rng(0)
    kinds = read_transformations(("scale=0.8..1.2", "rotation=-30..30", "blur=0..2", "noise=0..9", "jpeg=30..90"))
    draws = [draw(kinds, x.shape[1:], random) for _ in range(3)]
    together = viewed(x, draws).array
    for k in range(3):
        assert np.abs(viewed(x[k : k + 1], [draws[k]]).array[0] - together[k]).mean() < 0.5
