"""What the tags of a TIFF take is counted by the sizes that TIFF 6 and BigTIFF give their types."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxray.errors import ImageError
from onnxray.images.decoding_memory import MAX_BYTES, MAX_PIXELS, bytes_to_read, check_file

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""BYTE ASCII SHORT LONG RATIONAL SBYTE UNDEFINED SSHORT SLONG SRATIONAL FLOAT DOUBLE IFD LONG8 SLONG8 IFD8."""


def tiff(order: str, kind: int, counts: list[tuple[int, int]], *, big: bool) -> io.BytesIO:
    """A file with one directory of tags, (items, how many tags of so many), and nothing else."""
    magic, many = {"<": b"II", ">": b"MM"}[order], sum(often for _, often in counts)
    start = struct.pack(order + "HHHQQ", 43, 8, 0, 16, many) if big else struct.pack(order + "HIH", 42, 8, many)
    form = order + ("HHQQ" if big else "HHII")
    return io.BytesIO(
        magic + start + b"".join(struct.pack(form, 700, kind, items, 0) * often for items, often in counts)
    )


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", SIZES)
def test_tags_may_take_so_many_bytes_and_no_more(kind: int, order: str, big: bool) -> None:
    tags, items = 2**15, 2**11 // SIZES[kind]
    stream = tiff(order, kind, [(items, tags)], big=big)
    check_file(stream, "p.tif")
    assert stream.tell() == 0
    for counts in ([(items, tags), (1, 1)], [(1, 1), (items, tags)], [(items + 1, 1), (items, tags - 1)]):
        with pytest.raises(
            ImageError, match=r"^p\.tif: its tags \(EXIF\) take more than 64 MiB; save it without them$"
        ):
            check_file(tiff(order, kind, counts, big=big), "p.tif")


@pytest.mark.parametrize("big", [False, True])
def test_no_tag_takes_more_than_the_file(big: bool) -> None:
    check_file(tiff("<", 12, [(2**31, 5)], big=big), "p.tif")


@pytest.mark.parametrize("start", [b"RIFF\0\0\0\0WEBP", b"\0\0\0\x20ftypavif"])
def test_what_pillow_reads_as_a_whole_may_be_128_mib(start: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    path.write_bytes(start)
    for length, taken in ((128 * 2**20, True), (128 * 2**20 + 1, False)):
        with path.open("r+b") as file:
            file.truncate(length)
            if taken and start[8:] == b"WEBP":
                check_file(file, "p")
            if not taken:
                with pytest.raises(
                    ImageError, match="^p: a WebP or AVIF of 134217729 bytes; at most 134217728 are taken$"
                ):
                    check_file(file, "p")


def test_as_many_pixels_are_taken_as_pillow_refuses_at() -> None:
    """Pillow warns at a quarter of a gigabyte of RGB, and refuses at twice that."""
    assert MAX_PIXELS == 2 * (2**30 // 4 // 3)
    assert MAX_BYTES == 6 * MAX_PIXELS


@pytest.mark.parametrize(("mode", "bands"), [("RGB", 3), ("CMYK", 4)])
def test_a_jpeg_in_several_scans_is_decoded_from_all_its_coefficients(mode: str, bands: int) -> None:
    """libjpeg holds them whole, two bytes each, beside the picture of four bytes a pixel."""
    stream = io.BytesIO()
    Image.new(mode, (40, 30)).save(stream, "JPEG", progressive=True)
    with Image.open(stream) as image:
        assert bytes_to_read(image) == 40 * 30 * (4 + 2 * bands)


def test_a_tiff_that_says_nothing_of_its_samples_has_one_a_pixel() -> None:
    """By TIFF 6. libtiff holds a strip as a whole, here all floats of four bytes, beside the picture and the file."""
    stream = io.BytesIO()
    noise = np.random.default_rng(0).uniform(size=(30, 40)).astype(np.float32)  # which takes more than its result
    Image.fromarray(noise).save(stream, "TIFF", compression="tiff_deflate", tiffinfo={278: 30})
    with Image.open(stream) as image:
        assert 277 not in image.tag_v2
        assert bytes_to_read(image) == 40 * 30 * (4 + 4) + len(stream.getvalue())
