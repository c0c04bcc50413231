"""Sound files as samples in time: never resampled; cut, filled and averaged only with a note."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import InputError
from support import kinds_of_input


def model(folder: Path, proto: onnx.ModelProto | None = None, **options: Any) -> Any:
    onnx.save(proto or kinds_of_input.wave(), folder / "m.onnx")
    return onnxray.open(folder / "m.onnx", **options)


def save_sound(path: Path, samples: Any, rate: int = 16000) -> None:
    pytest.importorskip("soundfile").write(str(path), samples, rate, subtype="PCM_16")


TONE = np.round(np.sin(np.arange(800) / 9) * 2**14) / 2**15


def test_a_sound_of_the_right_length_is_taken_as_it_is(tmp_path: Path) -> None:
    save_sound(tmp_path / "a.wav", TONE)
    opened = model(tmp_path)
    pixels = opened.pixels(str(tmp_path / "a.wav"))
    np.testing.assert_array_equal(pixels.array, TONE.astype(np.float32)[None, None])
    assert pixels.notes == ("a.wav: 16000 samples a second; the file does not tell the model's",)
    expected = opened.values(TONE.astype(np.float32)[None, None], ["y"])["y"]
    np.testing.assert_array_equal(opened.values(f"audio={tmp_path / 'a.wav'}", ["y"])["y"], expected)


@pytest.mark.parametrize("length", [700, 900])
def test_another_length_is_filled_or_cut_and_said(tmp_path: Path, length: int) -> None:
    sound = np.resize(TONE, length)
    save_sound(tmp_path / "a.wav", sound)
    pixels = model(tmp_path, inputs={"audio": {"kind": "waveform", "rate": 16000}}).pixels(str(tmp_path / "a.wav"))
    np.testing.assert_array_equal(pixels.array[0, 0], np.pad(sound[:800], (0, max(0, 800 - length))).astype(np.float32))
    said = "700 samples, followed by silence up to 800" if length < 800 else "the first 800 of 900 samples"
    assert said in pixels.notes[0]


def test_channels_are_averaged_and_said(tmp_path: Path) -> None:
    save_sound(tmp_path / "a.wav", np.stack([TONE, np.zeros(800)], axis=1))
    pixels = model(tmp_path).pixels(str(tmp_path / "a.wav"))
    np.testing.assert_allclose(pixels.array[0, 0], TONE / 2, atol=1e-6)
    assert "a.wav: 2 channels averaged" in pixels.notes


@pytest.mark.parametrize("where", ["stated", "metadata", "config"])
def test_another_rate_is_refused_with_the_one_that_is_wanted(tmp_path: Path, where: str) -> None:
    save_sound(tmp_path / "a.wav", TONE, 8000)
    proto, options = kinds_of_input.wave(), {}
    if where == "stated":
        options = {"inputs": {"audio": {"kind": "waveform", "rate": 16000}}}
    elif where == "metadata":
        onnx.helper.set_model_props(proto, {"sample_rate": "16000"})
    else:
        (tmp_path / "preprocessor_config.json").write_text('{"sampling_rate": 16000}')
    with pytest.raises(InputError, match="has 8000 samples a second, and the model takes 16000; convert it first"):
        model(tmp_path, proto, **options).pixels(str(tmp_path / "a.wav"))


def test_what_is_no_sound_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    opened = model(tmp_path)
    if "soundfile" in sys.modules or __import__("importlib.util").util.find_spec("soundfile"):
        with pytest.raises(InputError, match="cannot be read as sound"):
            opened.pixels(str(tmp_path / "a.wav"))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(InputError, match=r"pip install onnxray\[sound\]"):
        opened.pixels(str(tmp_path / "a.wav"))
