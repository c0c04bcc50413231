"""KerasHub's image converters as profiles: their formula restated, and what makes none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import ProfileError
from onnxray.images.placement import Placement, placement
from onnxray.images.profile.profile import Profile
from support import models

SCALE, OFFSET = [0.0171, 0.0175, 0.0174], [-2.1179, -2.0357, -1.8044]


def saved(
    folder: Path,
    config: Any,
    *,
    name: str = "ResNetImageConverter",
    file: str = "image_converter.json",
    shape: str = "8,6,3",
) -> Path:
    """A model of one picture, and the file beside it."""
    size = int(np.prod([int(part) for part in shape.split(",")]))
    text = f"g (float[N,{shape}] x) => (float[N,5] y) {{ f = Flatten (x) z = MatMul (f, w) y = Softmax (z) }}"
    onnx.save(models.parse(text, {"w": models.random(0, size, 5)}), folder / "m.onnx")
    document: Any = {
        "module": "keras_hub.src.models.resnet.resnet_image_converter",
        "class_name": name,
        "config": config,
    }
    if file == "preprocessor.json":
        document = {"class_name": "ResNetImageClassifierPreprocessor", "config": {"image_converter": document}}
    (folder / file).write_text(json.dumps(document))
    return folder / "m.onnx"


def profile_of(path: Path) -> Profile:
    profile = onnxray.open(path).profile
    assert profile is not None
    return profile


@pytest.mark.parametrize("file", ["image_converter.json", "preprocessor.json"])
@pytest.mark.parametrize(
    ("scale", "offset"),
    [
        (SCALE, OFFSET),
        (1 / 255, None),
        (None, [-103.9, -116.8, -123.7]),
        (None, None),
        (1 / 127.5, -1.0),
        (SCALE, -1.0),
        ([0.1] * 3, OFFSET),
    ],
)
def test_the_formula(tmp_path: Path, scale: Any, offset: Any, file: str) -> None:
    profile = profile_of(saved(tmp_path, {"image_size": [8, 6], "scale": scale, "offset": offset}, file=file))
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 3, 8, 6)).astype(np.float32)
    by_channel = [
        np.reshape(1.0 if value is None and k == 0 else 0.0 if value is None else value, (-1, 1, 1))
        for k, value in enumerate((scale, offset))
    ]
    expected = (pixels * by_channel[0] + by_channel[1]).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(profile.encode(pixels), expected, rtol=1e-5, atol=1e-5)
    assert (profile.source, profile.assumed, profile.layout, profile.channels) == (file, False, "NHWC", "RGB")


@pytest.mark.parametrize(
    ("config", "rule", "placed"),
    [
        ({}, "crop", Placement((60, 20), (24, 8), 9, 0)),
        ({"crop_to_aspect_ratio": False}, "stretch", Placement((60, 20), (6, 8), 0, 0)),
        ({"pad_to_aspect_ratio": True, "crop_to_aspect_ratio": False}, "pad", Placement((60, 20), (6, 2), 0, -3)),
    ],
)
def test_the_way_to_the_size(tmp_path: Path, config: Any, rule: str, placed: Placement) -> None:
    profile = profile_of(saved(tmp_path, {"image_size": [8, 6], **config}))
    assert profile.resize == rule
    assert placement(profile, 60, 20) == placed
    assert profile.fill == (0.0 if rule == "pad" else None)


@pytest.mark.parametrize(
    ("given", "expected"), [("nearest", "nearest"), ("bicubic", "bicubic"), ("lanczos3", "lanczos"), (None, "bilinear")]
)
def test_interpolation(tmp_path: Path, given: str | None, expected: str) -> None:
    config = {"image_size": 8} if given is None else {"image_size": 8, "interpolation": given}
    assert profile_of(saved(tmp_path, config, shape="8,8,3")).interpolation == expected


def test_a_size_that_is_left_out_is_the_graph_s(tmp_path: Path) -> None:
    assert profile_of(saved(tmp_path, {"image_size": None})).size == (8, 6)


def test_a_grey_model_takes_the_means(tmp_path: Path) -> None:
    profile = profile_of(
        saved(tmp_path, {"image_size": [8, 6], "scale": [1, 2, 3], "offset": [0, 3, 6]}, shape="8,6,1")
    )
    assert (profile.channels, profile.scale, profile.mean, profile.std) == ("GREY", 2.0, (-3.0,), (1.0,))


def test_a_class_of_other_steps_is_assumed(tmp_path: Path) -> None:
    profile = profile_of(saved(tmp_path, {"image_size": [8, 6]}, name="SAMImageConverter"))
    assert profile.assumed
    assert any("what else 'SAMImageConverter' may do is not known here" in reason for reason in profile.reasons)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"class_name": "Tokenizer", "config": {}},
        {"class_name": 3},
        {"class_name": "XImageConverter", "config": 3},
        [],
    ],
)
def test_what_is_no_converter_is_passed_over(tmp_path: Path, document: Any) -> None:
    path = saved(tmp_path, {})
    (tmp_path / "image_converter.json").write_text(json.dumps(document))
    assert onnxray.open(path).profile is None  # a Flatten alone is no ground to take its input for a picture


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"image_size": "8"}, r"image_converter\.json: image_size is '8'"), ({"scale": [1, 2]}, "scale is .* one number or 3 were expected"),
        ({"scale": 0}, "scale is 0; numbers other than 0"), ({"scale": "a"}, "scale is 'a'; expected a list of numbers"),
        ({"offset": [1, None, 2]}, "offset is"), ({"interpolation": "area"}, "interpolation is 'area'; expected one of bilinear"),
        ({"interpolation": 3}, "interpolation is 3"), ({"image_size": [9, 6]}, "the model's input 'x' is"), ({"scale": True}, "scale is"),
    ],
)  # fmt: skip
def test_values_that_make_no_profile(tmp_path: Path, config: Any, message: str) -> None:
    with pytest.raises(ProfileError, match=message) as caught:
        onnxray.open(saved(tmp_path, {"image_size": [8, 6], **config}))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, {})
    (tmp_path / "image_converter.json").write_text("{")
    with pytest.raises(ProfileError, match=r"image_converter\.json: is no JSON"):
        onnxray.open(path)
    assert onnxray.open(path, profile="raw").profile is not None
