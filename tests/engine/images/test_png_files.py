"""The 8-bit image that is saved: rounding, exact PNGs, and files that cannot be written or read exactly."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxray.errors import ImageError, InputError, OutputError
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import png_bytes, read_png, save_png


def picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


WHOLE = png_bytes(picture(3, 60, 80))


def test_to_uint8_rounds_half_to_even_and_clips() -> None:
    array = np.array([-3.0, -0.5, 0.49, 0.5, 1.5, 2.5, 254.5, 255.5, 300.0, np.inf, -np.inf])
    assert to_uint8(array).tolist() == [0, 0, 0, 0, 2, 2, 254, 255, 255, 255, 0]
    assert to_uint8(array).dtype == np.uint8
    same = picture(3, 2, 2)
    assert to_uint8(same) is same
    with pytest.raises(InputError, match="hold NaN"):
        to_uint8(np.array([1.0, np.nan]))


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 5, 7), (3, 1, 1)])
def test_png_round_trip_is_exact(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = picture(*shape)
    save_png(tmp_path / "a.png", array)
    assert (tmp_path / "a.png").read_bytes() == png_bytes(array)
    back = read_png(str(tmp_path / "a.png"))
    assert back.dtype == np.uint8
    assert np.array_equal(back, array)
    save_png(tmp_path / "a.png", array // 2)
    assert np.array_equal(read_png(tmp_path / "a.png"), array // 2)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    "bad",
    [np.zeros((3, 2, 2)), np.zeros((2, 2), np.uint8), np.zeros((4, 2, 2), np.uint8), np.zeros((3, 0, 2), np.uint8)],
)
def test_png_refuses(bad: Any) -> None:
    with pytest.raises(InputError, match=r"expected uint8 of \(1 or 3, height, width\)"):
        png_bytes(bad)


def test_png_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"absent.a\.png: cannot be written"):
        save_png(tmp_path / "absent" / "a.png", picture(3, 2, 2))
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        save_png(tmp_path / "a.png", picture(3, 2, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_read_png_refuses_what_is_not_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for mode in ("RGBA", "P", "1", "LA"):
        Image.new(mode, (4, 4)).save(tmp_path / "a.png")
        with pytest.raises(ImageError, match=r"a\.png: is no 8-bit grey or RGB PNG"):
            read_png(tmp_path / "a.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "b.png", "JPEG")
    for name, content in (("b.png", None), ("c.png", b""), ("d.png", WHOLE[:99])):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match=rf"{name}: cannot be read as a PNG"):
            read_png(tmp_path / name)
    with pytest.raises(ImageError, match=r"e\.png: cannot be read as a PNG"):
        read_png(tmp_path / "e.png")
    (tmp_path / "f.png").write_bytes(png(13400, 13400, 8, 2, b"\0"))
    with pytest.raises(ImageError, match=r"limit of 178956970 pixels"):
        read_png(tmp_path / "f.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(ImageError, match=r"f\.png: more than 178956970 pixels"):
        read_png(tmp_path / "f.png")
    (tmp_path / "g.png").write_bytes(png(1, 1, 16, 2, b"\0" * 7))
    with pytest.raises(ImageError, match="is no 8-bit grey or RGB PNG"):
        read_png(tmp_path / "g.png")
