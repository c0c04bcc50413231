"""A picture is refused before it is decoded, or takes six bytes a pixel of the limit at most; its tags stay small."""

import io
import json
import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from onnxray.errors import ImageError
from onnxray.images.decoding_memory import MAX_BYTES, MAX_PIXELS, MAX_SCANS, bytes_to_read
from onnxray.images.files import read_picture
from onnxray.images.orientation import turning, upright
from onnxray.images.pixels import read_images
from onnxray.images.profile.profile import Profile


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, *more: bytes, rows: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def jpeg_of_size(width: int, height: int, **options: Any) -> bytes:
    """A JPEG whose header says this size, whatever follows."""
    data = saved(Image.new("RGB", (16, 16)), "JPEG", **options)
    place = max(data.find(b"\xff\xc0\x00\x11"), data.find(b"\xff\xc2\x00\x11")) + 5
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


def tiff_of_size(width: int, height: int, mode: str, **options: Any) -> bytes:
    """A TIFF whose tags say this size, whatever follows."""
    data = saved(Image.new(mode, (8, 8)), "TIFF", **options)
    for tag, size in ((256, width), (257, height)):
        (old,) = [entry for kind in (3, 4) if (entry := struct.pack("<HHII", tag, kind, 1, 8)) in data]
        data = data.replace(old, struct.pack("<HHII", tag, 4, 1, size))
    return data


def refusal(data: bytes, tmp_path: Path) -> str:
    path = tmp_path / "picture"
    path.write_bytes(data)
    started = time.process_time()
    with pytest.raises(ImageError) as caught:
        read_picture(path, "picture", grey=False)
    assert time.process_time() - started < 2
    return str(caught.value)


SIDE = 13_000  # 169 million pixels, below MAX_PIXELS
LARGE = {
    "RGBA": png(SIDE, SIDE, 8, 6),
    "CMYK": tiff_of_size(SIDE, SIDE, "CMYK", compression="raw"),
    "strip": tiff_of_size(SIDE, SIDE, "RGB", compression="tiff_lzw", tiffinfo={278: SIDE}),
    "progressive": jpeg_of_size(SIDE, SIDE, progressive=True),
    "turned": png(SIDE, SIDE, 8, 2, chunk(b"eXIf", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0")),
}  # fmt: skip


@pytest.mark.parametrize("kind", LARGE)
def test_what_takes_more_is_refused_before_it_is_decoded(kind: str, tmp_path: Path) -> None:
    assert f"{SIDE}x{SIDE} pixels take " in (said := refusal(LARGE[kind], tmp_path))
    assert f"at most {MAX_BYTES >> 20} are taken" in said


@pytest.mark.parametrize("data", [png(SIDE, SIDE, 8, 2), jpeg_of_size(SIDE, SIDE)], ids=["PNG", "JPEG"])
def test_plain_colour_of_the_limit_is_not_refused_for_its_memory(data: bytes) -> None:
    with pytest.warns(Image.DecompressionBombWarning), Image.open(io.BytesIO(data)) as image:
        assert bytes_to_read(image) <= 5 * SIDE * SIDE <= MAX_BYTES


def test_modes_without_an_agreed_meaning_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    for mode in ("I", "LAB"):
        data = saved(Image.new(mode, (8, 8)), "TIFF")
        assert f"Pillow's mode {mode!r} has no agreed" in refusal(data, tmp_path)


def test_sizes_above_the_limit(tmp_path: Path) -> None:
    for data in (png(65_500, 65_500, 1, 0), jpeg_of_size(65_500, 65_500, progressive=True), png(2**31 - 1, 1, 8, 0)):
        assert str(MAX_PIXELS) in refusal(data, tmp_path)


def directory(order: str, tags: int, size: int) -> bytes:
    """A TIFF structure of so many tags, each naming all ``size`` bytes behind the directory."""
    start = 8 + 2 + 12 * tags + 4
    entries = b"".join(struct.pack(f"{order}HHII", tag, 7, size, start) for tag in range(1000, 1000 + tags))
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}IH", 8, tags) + entries + bytes(4) + bytes(size)


@pytest.mark.parametrize("order", "<>")
def test_tags_that_name_the_same_bytes_again_and_again(order: str, tmp_path: Path) -> None:
    bomb = directory(order, 3000, 1_000_000)
    assert "its tags (EXIF) take more than 64 MiB" in refusal(bomb, tmp_path)
    avif = saved(Image.new("RGB", (16, 16)), "AVIF", exif=b"Exif\0\0" + directory(order, 1, 100))
    (tmp_path / "fine.avif").write_bytes(avif)
    read_picture(tmp_path / "fine.avif", "fine", grey=False)
    assert "its tags (EXIF)" in refusal(avif + bomb, tmp_path)
    plain = saved(Image.new("RGB", (16, 16)), "JPEG")
    parts = [b"Exif\0\0" + (b"" if k else directory(order, 4000, 100))[:60_000] + bytes(100) for k in range(40)]
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part for part in parts)
    assert "its tags (EXIF)" in refusal(plain[:2] + segments + plain[2:], tmp_path)


def test_exif_of_any_content_is_read_for_one_number(tmp_path: Path) -> None:
    exif = directory("<", 3000, 1_000_000)
    for kind, data in (("PNG", png(2, 2, 8, 0, chunk(b"eXIf", exif), rows=bytes(6))),
                       ("WEBP", saved(Image.new("RGB", (16, 16)), "WEBP", exif=exif))):  # fmt: skip
        path = tmp_path / kind
        path.write_bytes(data)
        started = time.process_time()
        read_picture(path, kind, grey=False)
        assert time.process_time() - started < 2


def test_scans_of_a_jpeg_are_counted(tmp_path: Path) -> None:
    data = saved(Image.new("RGB", (64, 64)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    bomb = data[:last] + data[last:-2] * (MAX_SCANS + 1) + data[-2:]
    assert f"scans; at most {MAX_SCANS} are taken" in refusal(bomb, tmp_path)


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_pictures_are_turned_as_pillow_turns_them(orientation: int, kind: str) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(io.BytesIO(saved(image, kind, exif=exif))) as opened:
        opened.load()
        expected = ImageOps.exif_transpose(opened.copy() if kind == "TIFF" else opened)
        found = upright(opened, turning(opened))
        assert found.size == expected.size
        assert np.array_equal(np.asarray(found), np.asarray(expected))


def test_the_orientation_of_xmp_counts_where_exif_has_none() -> None:
    xmp = b'<x tiff:Orientation="6"/>'
    with Image.open(io.BytesIO(saved(Image.new("L", (4, 6)), "JPEG", xmp=xmp))) as opened:
        assert turning(opened) == 6 == opened.getexif()[0x0112]


CHILD = """
import json, sys
from pathlib import Path
from PIL import Image
from onnxray.errors import ImageError
from onnxray.images.pixels import read_images
from onnxray.images.decoding_memory import bytes_to_read
from onnxray.images.orientation import turning
from onnxray.images.profile.profile import Profile

def status(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key)) * 1024

def measured(path, channels):
    count = 1 if channels == "GREY" else 3
    profile = Profile(name="t", layout="NCHW", channels=channels, scale=1, mean=(0,) * count, std=(1,) * count, size=(32, 32))
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    read_images(path, profile)
    return status("VmHWM") - before

paths = sorted(Path(sys.argv[1]).iterdir())
measured(paths[0], "RGB")  # what is allocated once
found = {}
for path in paths:
    with Image.open(path) as image:
        told = bytes_to_read(image, turning(image) != 1)
    found[path.name] = [told, *(measured(path, channels) for channels in sys.argv[2:])]
print(json.dumps(found))
"""


def pictures(folder: Path, width: int, height: int, left_out: tuple[str, ...]) -> None:
    grey = np.add.outer(np.arange(height), np.arange(width)).astype(np.uint8)
    plane = Image.fromarray(grey)
    rgb, rgba = Image.merge("RGB", [plane] * 3), Image.merge("RGBA", [plane] * 4)
    palette = rgb.resize((16, 16)).quantize(16).resize((width, height))
    exif = Image.Exif()
    exif[0x0112] = 6
    fast = {"compress_level": 1}
    for name, image, options in (
        ("l.png", plane, fast), ("rgb.png", rgb, fast), ("rgba.png", rgba, fast), ("la.png", Image.merge("LA", [plane] * 2), fast),
        ("p.png", palette, fast), ("clear.png", palette, fast | {"transparency": 3}), ("l_clear.png", plane, fast | {"transparency": 3}),
        ("bits.png", plane.convert("1"), fast), ("16.png", Image.fromarray(grey.astype(np.uint16) * 257), fast),
        ("16.tif", Image.fromarray(grey.astype(np.uint16) * 257), {}), ("f.tif", Image.fromarray(grey.astype(np.float32)), {}),
        ("f2.tif", Image.fromarray(grey.astype(np.float32) / 2), {"compression": "tiff_deflate"}),
        ("cmyk.jpg", rgb.convert("CMYK"), {}), ("rgb.jpg", rgb, {}), ("progressive.jpg", rgb, {"progressive": True, "subsampling": 0}),
        ("turned.jpg", rgb, {"exif": exif}), ("p.gif", palette, {}), ("rgb.webp", rgb, {"method": 0}), ("rgba.webp", rgba, {"method": 0}),
        ("rgb.jp2", rgb, {}), ("rgb.avif", rgb, {"speed": 10}), ("rgba.avif", rgba, {"speed": 10}), ("rgb.bmp", rgb, {}), ("rgba.tga", rgba, {}),
        ("lzw.tif", rgb, {"compression": "tiff_lzw"}), ("strip.tif", rgb, {"compression": "tiff_deflate", "tiffinfo": {278: height}}),
    ):  # fmt: skip
        if name not in left_out:
            image.save(folder / name, **options)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of a process is reset by Linux alone")
@pytest.mark.parametrize(
    ("size", "left_out", "channels"),
    [
        ((1600, 1250), ("rgb.jp2", "rgb.avif", "rgba.avif", "rgba.webp", "rgb.png", "bits.png"), ("RGB",)),
        pytest.param((8000, 5000), (), ("RGB", "GREY"), marks=pytest.mark.slow),
    ],
)
def test_reading_takes_what_the_header_told(
    size: tuple[int, int], left_out: tuple[str, ...], channels: tuple[str, ...], tmp_path: Path
) -> None:
    pictures(tmp_path, *size, left_out)
    kept = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}  # so that nothing large is kept for the next
    command = [sys.executable, "-c", CHILD, str(tmp_path), *channels]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=kept)
    assert done.returncode == 0, done.stderr
    pixels, constant = size[0] * size[1], 10 * 2**20
    for name, (told, *measured) in json.loads(done.stdout).items():
        assert max(measured) <= told + constant, (name, told / pixels, max(measured) / pixels)


@pytest.mark.filterwarnings("ignore:image 0. values in")
def test_a_float_picture_is_read_as_its_array_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for array in (rng.uniform(0, 255, (40, 30)), rng.integers(0, 256, (40, 30)), rng.uniform(0, 1, (40, 30))):
        floats = array.astype(np.float32)
        path = tmp_path / "f.tif"
        Image.fromarray(floats).save(path)
        for channels, count in (("RGB", 3), ("GREY", 1)):
            for resize in ("crop", "pad", "stretch"):
                for size in ((20, 20), (40, 30)):
                    profile = Profile(
                        name="t", layout="NCHW", channels=channels, scale=1, mean=(9, 99, 200)[:count],
                        std=(1,) * count, size=size, resize=resize,
                    )  # fmt: skip
                    assert np.array_equal(read_images(path, profile).array, read_images(floats, profile).array)
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(path)
    with pytest.raises(ImageError, match="values from nan to nan"):
        read_images(path, profile)
