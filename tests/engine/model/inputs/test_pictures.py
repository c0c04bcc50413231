"""Pictures for one of several inputs, and clips of frames, as the file takes them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import onnxray
from onnxray.errors import InputError, ProfileError
from support import kinds_of_input
from support.models import parse

STATED = {"kind": "picture", "scale": 0.5, "mean": [1.0, 2.0, 3.0], "std": [2.0, 4.0, 8.0]}


def save(path: Path, seed: int, grey: bool = False) -> np.ndarray:
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16) if grey else (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def test_two_pictures_are_encoded_as_each_input_was_stated(tmp_path: Path) -> None:
    rgb, depth = save(tmp_path / "rgb.png", 0), save(tmp_path / "depth.png", 1, grey=True)
    model = onnxray.open(kinds_of_input.two().SerializeToString(), inputs={"rgb": STATED})
    pixels = model.pixels([f"rgb={tmp_path / 'rgb.png'}", f"depth={tmp_path / 'depth.png'}"])
    mean, std = (np.reshape(STATED[key], (3, 1, 1)) for key in ("mean", "std"))
    np.testing.assert_allclose(pixels.array[0], (0.5 * rgb.transpose(2, 0, 1) - mean) / std, rtol=1e-6)
    np.testing.assert_allclose(pixels.beside["depth"][0, 0], depth / 255, rtol=1e-6)
    assert [note.split(":")[0] for note in pixels.notes] == [
        "depth"
    ]  # what was guessed is said, what was stated is not


@pytest.mark.parametrize(
    ("shape", "order"), [("N,3,4,16,16", "CTHW"), ("N,4,3,16,16", "TCHW"), ("N,4,16,16,3", "THWC")]
)
def test_a_folder_of_frames_is_a_clip(tmp_path: Path, shape: str, order: str) -> None:
    frames = np.stack([save(tmp_path / "clip" / f"{k}.png", k) for k in range(4)])
    model = onnxray.open(parse(f"g (float[{shape}] video) => (float y) {{ y = Identity (video) }}").SerializeToString())
    expected = np.moveaxis(frames, [0, 1, 2, 3], [order.index(letter) for letter in "THWC"]) / 255
    listed = [str(tmp_path / "clip" / f"{k}.png") for k in range(4)]
    for given in (str(tmp_path / "clip"), listed, {"video": str(tmp_path / "clip")}):
        np.testing.assert_allclose(model.pixels(given).array[0], expected, rtol=1e-6)


def test_another_number_of_frames_is_refused(tmp_path: Path) -> None:
    for k in range(3):
        save(tmp_path / "clip" / f"{k}.png", k)
    model = onnxray.open(kinds_of_input.clip().SerializeToString())
    with pytest.raises(InputError, match="3 frames were given, and the input 'video' takes 4"):
        model.pixels(str(tmp_path / "clip"))


def test_a_picture_for_four_channels_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 0)
    model = onnxray.open(parse("g (float[N,4,16,16] x) => (float y) { y = Identity (x) }").SerializeToString())
    with pytest.raises(InputError, match="a picture was given, and the input 'x' is read as array"):
        model.pixels(str(tmp_path / "a.png"))


def test_a_stated_profile_that_cannot_be_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "rgb.png", 0)
    model = onnxray.open(kinds_of_input.two().SerializeToString(), inputs={"rgb": {**STATED, "std": [0.0, 1.0, 1.0]}})
    with pytest.raises(ProfileError, match="std"):
        model.pixels([f"rgb={tmp_path / 'rgb.png'}", "depth=zeros"])
