"""Picture files: every mode and conversion, and whatever is no picture refused in one line."""

import os
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxray.errors import ImageError
from onnxray.images.pixels import png_bytes, read_images, save_png
from onnxray.images.profile.profile import Profile

RNG = np.random.default_rng(11)


def profile(size: tuple[int, int] = (6, 8), channels: str = "RGB", **more: Any) -> Profile:
    count = 1 if channels == "GREY" else 3
    fields: dict[str, Any] = {"name": "t", "layout": "NCHW", "channels": channels, "scale": 1, "size": size}
    return Profile(**fields | {"mean": (10.0, 20.0, 30.0)[:count], "std": (1,) * count} | more)


def picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# --- conversions


def luma(rgb: np.ndarray) -> np.ndarray:
    red, green, blue = rgb.astype(int)
    return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16


def test_colour_to_grey() -> None:
    array = picture(3, 6, 8)
    found = read_images(array, profile(channels="GREY"))
    assert np.array_equal(found.array[0, 0], luma(array))
    assert found.notes == ("image 0: colour converted to grey (ITU-R 601 luma)",)
    floats = array + np.float64(0.25) * (array < 255)
    found = read_images(floats, profile(channels="GREY"))
    expected = 0.299 * floats[0] + 0.587 * floats[1] + 0.114 * floats[2]
    np.testing.assert_allclose(found.array[0, 0], expected, rtol=1e-6)
    assert found.notes == ("image 0: colour converted to grey (ITU-R 601 luma)",)


def test_grey_floats_for_a_colour_model() -> None:
    array = np.full((6, 8), 7.5)
    found = read_images(array, profile())
    assert np.array_equal(found.array, np.full((1, 3, 6, 8), 7.5))
    assert found.notes == ("image 0: grey repeated in red, green and blue",)


def test_alpha_is_composited_on_white() -> None:
    rgba = picture(6, 8, 4)
    rgba[0, :, 3], rgba[1, :, 3] = 0, 255
    found = read_images(Image.fromarray(rgba), profile())
    alpha = rgba[..., 3:] / 255
    expected = rgba[..., :3] * alpha + 255 * (1 - alpha)
    np.testing.assert_allclose(found.array[0].transpose(1, 2, 0), expected, atol=1)
    assert (found.array[0, :, 0] == 255).all()
    assert np.array_equal(found.array[0, :, 1], rgba[1, :, :3].T)
    assert found.notes == ("image 0: alpha channel: composited on white",)
    rgba[..., 3] = 255
    opaque = read_images(Image.fromarray(rgba), profile())
    assert np.array_equal(opaque.array[0], rgba[..., :3].transpose(2, 0, 1))
    assert opaque.notes == ()
    grey = Image.merge("LA", [Image.new("L", (8, 6), 100), Image.new("L", (8, 6), 0)])
    assert (read_images(grey, profile(channels="GREY")).array == 255).all()


def test_palette_bilevel_cmyk_and_the_rest() -> None:
    indexed = Image.fromarray(picture(6, 8, 3)).quantize(16)
    expected = np.asarray(indexed.convert("RGB")).transpose(2, 0, 1)
    found = read_images(indexed, profile())
    assert np.array_equal(found.array[0], expected)
    assert found.notes == ("image 0: palette converted to RGB",)
    clear = indexed.copy()
    clear.info["transparency"] = 0
    see_through = read_images(clear, profile())
    assert (see_through.array[0][:, np.asarray(indexed) == 0] == 255).all()
    assert "composited on white" in see_through.notes[0]
    bits = read_images(Image.fromarray(picture(6, 8) > 127), profile(channels="GREY"))
    assert np.array_equal(bits.array[0, 0], (picture(6, 8) > 127) * 255)
    for mode, black in (("CMYK", (0, 0, 0, 255)), ("HSV", (0, 0, 0)), ("YCbCr", (0, 128, 128))):
        found = read_images(Image.new(mode, (8, 6), black), profile())
        assert (found.array == 0).all()
        assert found.notes == (f"image 0: {mode} converted to RGB",)
    for mode in ("LAB", "I"):
        with pytest.raises(ImageError, match=f"image 0: Pillow's mode '{mode}' has no agreed grey or RGB"):
            read_images(Image.new(mode, (8, 6)), profile())


@pytest.mark.parametrize(
    ("most", "scale", "said"),
    [
        (4095, 255 / 4095, "taken as 12 bits"), (1023, 255 / 4095, "taken as 12 bits"), (255, 1.0, "taken as 8 bits"),
        (1, 255.0, "0 and 1 alone"), (4096, 1 / 257, "scaled to 8 bits (value / 257"),
    ],
)  # fmt: skip
def test_16_bit_files_of_fewer_bits_are_not_black(tmp_path: Path, most: int, scale: float, said: str) -> None:
    values = RNG.integers(0, most + 1, (6, 8)).astype(">u2")
    values[0, :2] = 0, most
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    (tmp_path / "g.png").write_bytes(png(8, 6, 16, 0, rows))
    found = read_images(tmp_path / "g.png", profile(channels="GREY"))
    assert np.array_equal(found.array[0, 0], np.rint(values * scale))
    assert said in found.notes[0]


def test_colour_of_12_bits_in_16_is_asked_about(tmp_path: Path) -> None:
    colour = RNG.integers(0, 4096, (6, 8, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in colour)
    (tmp_path / "c.png").write_bytes(png(8, 6, 16, 2, rows))
    with pytest.raises(
        ImageError, match="16 bits a channel, of which the upper 8 are at most 15; convert it to 8 bits"
    ):
        read_images(tmp_path / "c.png", profile())


def test_16_bit_files(tmp_path: Path) -> None:
    values = RNG.integers(0, 65536, (6, 8)).astype(">u2")
    values[0, :2] = 0, 65535
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    (tmp_path / "g.png").write_bytes(png(8, 6, 16, 0, rows))
    found = read_images(tmp_path / "g.png", profile(channels="GREY"))
    assert np.array_equal(found.array[0, 0], np.rint(values / 257))
    assert "16-bit grey scaled to 8 bits" in found.notes[0]
    colour = RNG.integers(0, 65536, (6, 8, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in colour)
    (tmp_path / "c.png").write_bytes(png(8, 6, 16, 2, rows))
    found = read_images(tmp_path / "c.png", profile())
    assert np.array_equal(found.array[0], (colour >> 8).transpose(2, 0, 1))
    assert "16 bits a channel cut to the upper 8" in found.notes[0]


def test_float_pictures() -> None:
    values = RNG.uniform(0, 255, (6, 8)).astype(np.float32)
    assert np.array_equal(read_images(Image.fromarray(values), profile(channels="GREY")).array[0, 0], values)
    with pytest.raises(ImageError, match="values from"):
        read_images(Image.fromarray(values + 300), profile(channels="GREY"))


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a)),
    ],
)
def test_exif_orientation(tmp_path: Path, orientation: int, turned: Any) -> None:
    array = picture(6, 8, 3) if orientation < 5 else picture(8, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(array).save(tmp_path / "a.png", exif=exif)
    found = read_images(tmp_path / "a.png", profile())
    assert np.array_equal(found.array[0], turned(array).transpose(2, 0, 1))
    assert found.notes == (f"{tmp_path / 'a.png'}: EXIF orientation {orientation} applied",)


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((6, 8), level, np.uint8)) for level in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    found = read_images(tmp_path / "a.gif", profile(channels="GREY"))
    assert (found.array == 10).all()
    assert found.notes[0] == f"{tmp_path / 'a.gif'}: first frame of several taken"
    image = Image.open(tmp_path / "a.gif")
    image.seek(1)
    assert (read_images(image, profile(channels="GREY")).array == 10).all()
    image.close()


# --- files


def test_paths_folders_and_notes(tmp_path: Path) -> None:
    for name in ("b.png", "a.PNG", ".hidden.png"):
        save_png(tmp_path / name, picture(3, 6, 8))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    expected = (str(tmp_path / "a.PNG"), str(tmp_path / "b.png"))
    assert read_images(tmp_path, profile()).names == expected
    assert read_images([str(tmp_path)], profile()).names == expected
    assert read_images(str(tmp_path / "b.png"), profile((3, 4), resize="stretch")).notes == (
        f"{tmp_path / 'b.png'}: resized 8x6 -> 4x3",
    )
    with pytest.raises(ImageError, match=r"folder.png: a folder without image files; looked for .*\.png"):
        read_images(tmp_path / "folder.png", profile())


@pytest.mark.parametrize("suffix", ["bmp", "png", "tif", "ppm", "tga", "webp", "jp2"])
def test_lossless_formats_are_exact(tmp_path: Path, suffix: str) -> None:
    array = picture(6, 8, 3)
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(array).save(tmp_path / f"a.{suffix}", **options)
    assert np.array_equal(read_images(tmp_path / f"a.{suffix}", profile()).array[0], array.transpose(2, 0, 1))


def test_jpeg(tmp_path: Path) -> None:
    Image.fromarray(picture(6, 8, 3)).save(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        expected = np.asarray(image)
    assert np.array_equal(read_images(tmp_path / "a.jpg", profile()).array[0], expected.transpose(2, 0, 1))


WHOLE = png_bytes(picture(3, 60, 80))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is an empty file"),
        (b"hello, this is no image", "is no image of a known format (PNG, JPEG"),
        (WHOLE[: len(WHOLE) // 2], "cannot be read as an image"),
        (WHOLE[:20], "cannot be read as an image"),
        (WHOLE[:40] + bytes(len(WHOLE) - 40), "is no image of a known format"),
        (WHOLE[:90] + bytes(len(WHOLE) - 90), "cannot be read as an image"),
        (png(20000, 20000, 8, 2, b"\0" * 100), "at most 178956970 pixels are taken"),
        (png(13400, 13400, 8, 2, b"\0" * 100), "at most 178956970 pixels are taken"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no image of a known format"),
    ],
)
def test_malformed_files_are_one_line_with_the_path(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=re.escape(f"{path}: ")) as caught:
        read_images(path, profile())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_limit_holds_where_pillows_own_is_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    (tmp_path / "x.png").write_bytes(png(13400, 13400, 1, 0, b"\0"))
    with pytest.raises(ImageError, match=r"x\.png: 13400x13400 pixels; at most 178956970"):
        read_images(tmp_path / "x.png", profile())


def test_a_large_picture_below_the_limit_only_warns_in_pillow(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    row = b"\0" + bytes(10_000 // 8)
    path.write_bytes(png(10_000, 9_000, 1, 0, row * 9_000))
    found = read_images(path, profile(channels="GREY", resize="stretch", interpolation="nearest"))
    assert (found.array == 0).all()
    assert found.notes == (f"{path}: resized 10000x9000 -> 8x6",)


def test_every_cut_of_every_format_is_read_or_refused(tmp_path: Path) -> None:
    for suffix in ("png", "jpg", "gif", "bmp", "tif", "webp", "ppm", "tga", "pcx", "jp2"):
        whole = tmp_path / f"whole.{suffix}"
        Image.fromarray(picture(16, 16, 3)).save(whole)
        data = whole.read_bytes()
        refused = 0
        for end in [*range(0, min(64, len(data)), 3), *range(64, len(data), max(1, len(data) // 25))]:
            (tmp_path / f"cut.{suffix}").write_bytes(data[:end])
            try:
                read_images(tmp_path / f"cut.{suffix}", profile())
            except ImageError:
                refused += 1
        assert refused > 10, suffix


def test_corrupted_bytes_are_read_or_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    refused = 0
    for suffix in ("png", "gif", "tif", "webp", "jpg", "bmp"):
        Image.fromarray(picture(16, 16, 3)).save(tmp_path / f"whole.{suffix}")
        data = np.frombuffer((tmp_path / f"whole.{suffix}").read_bytes(), np.uint8)
        for _ in range(40):
            broken = data.copy()
            broken[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
            (tmp_path / f"x.{suffix}").write_bytes(broken.tobytes())
            try:
                read_images(tmp_path / f"x.{suffix}", profile())
            except ImageError:
                refused += 1
    assert refused > 40


@pytest.mark.parametrize("path", ["absent.png", "absent/a.png"])
def test_absent_files(path: str) -> None:
    with pytest.raises(ImageError, match=f"{path}: no such file"):
        read_images(path, profile())


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(ImageError, match="expected the path of an image or a folder"):
        read_images(path, profile())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="is no regular file"):
        read_images(tmp_path / "pipe.png", profile())


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_png(tmp_path / "a.png", picture(3, 6, 8))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageError, match=r"a.png: cannot be read as an image \(PermissionError.*Permission denied"):
        read_images(tmp_path / "a.png", profile())
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(ImageError, match=r"cannot be read \(.*Permission denied"):
        read_images(tmp_path, profile())


def test_warnings_of_pillow_become_notes(tmp_path: Path) -> None:
    Image.fromarray(picture(6, 8, 3)).save(tmp_path / "a.tif")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = struct.unpack("<I", data[4:8])[0]
    count = struct.unpack("<H", data[at : at + 2])[0]
    entry = at + 2 + 12 * (count - 1)
    data[entry : entry + 12] = struct.pack("<HHII", 65000, 2, 4000, len(data) + 10)  # text that lies beyond the end
    (tmp_path / "b.tif").write_bytes(data)
    found = read_images(tmp_path / "b.tif", profile())
    assert any("b.tif: Pillow warns: " in note for note in found.notes)


def test_empty_pictures_in_memory() -> None:
    with pytest.raises(ImageError, match="image 0: 0x5 pixels; an image has at least one"):
        read_images(Image.new("RGB", (0, 5)), profile())
