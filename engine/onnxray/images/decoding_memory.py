"""What a picture takes in memory while it is read, told from its header before anything is decoded.

    bytes <= max(stored + decoder, stored + result, result + turned result) <= MAX_BYTES, six for each of MAX_PIXELS

stored: as Pillow keeps the mode, four bytes a pixel for all colours; decoder: what a format's library allocates beside
it, as measured. What needs more than six bytes a pixel is refused from fewer pixels on.
"""

from __future__ import annotations

from math import prod
from typing import IO, Any, Final, Literal

from PIL import Image

from onnxray.errors import ImageError

# Twice Pillow's default limit, where it too would refuse.
MAX_PIXELS: Final = 178_956_970
MAX_BYTES: Final = 6 * MAX_PIXELS
MAX_WHOLE: Final = 128 * 2**20
"""Bytes of a WebP or AVIF file, which Pillow reads as a whole."""
MAX_SCANS: Final = 100
"""Passes over the picture in one JPEG, each of which takes time for all pixels; encoders write 10 to 30."""
MAX_TAGS: Final = 64 * 2**20
"""Bytes of all tags in a TIFF's or an EXIF's first directory: 65,536 of them may name the same bytes."""
_MAX_EXIFS: Final = 2
_MAX_HEADERS: Final = 1000
_CHUNK: Final = 2**20

_STORED: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
_COLOURS: Final = 4
# Whole canvases of libwebp and libavif, and Pillow's copies of them; they live as long as the picture.
_HELD: Final = {"WEBP": 16, "AVIF": 16}
_HEADERS: Final[dict[bytes, tuple[Literal["little", "big"], bool]]] = {
    b"II*\0": ("little", False), b"MM\0*": ("big", False), b"II+\0": ("little", True), b"MM\0+": ("big", True),
}  # fmt: skip
_TYPES: Final = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def check_file(stream: IO[bytes], label: str) -> None:
    """Refuse a file that would take memory or time out of proportion to its picture, without decoding anything.

    Errors: ImageError. The stream stands at its start afterwards.
    """
    length = stream.seek(0, 2)
    if length > MAX_BYTES:
        raise ImageError(f"{label}: a file of {length} bytes; at most {MAX_BYTES} are taken for a picture")
    stream.seek(0)
    start = stream.read(12)
    whole = start[4:8] == b"ftyp" or start[8:12] == b"WEBP"
    if whole and length > MAX_WHOLE:
        raise ImageError(f"{label}: a WebP or AVIF of {length} bytes; at most {MAX_WHOLE} are taken")
    stream.seek(0)
    tags = exifs = 0
    if start[:2] == b"\xff\xd8":
        scans = _count(stream, b"\xff\xda")
        if scans > MAX_SCANS:
            raise ImageError(f"{label}: a JPEG of {scans} scans; at most {MAX_SCANS} are taken")
        exifs = _count(stream, b"Exif\0\0")  # one of two segments is joined by Pillow, and stays small
    elif start[:4] in _HEADERS:
        tags = _directory_bytes(stream, 0, length, *_HEADERS[start[:4]])
    elif start[4:8] == b"ftyp":
        tags = _all_directories(stream, length)
    if tags > MAX_TAGS or exifs > _MAX_EXIFS:
        raise ImageError(f"{label}: its tags (EXIF) take more than {MAX_TAGS >> 20} MiB; save it without them")
    stream.seek(0)


def _count(stream: IO[bytes], pattern: bytes) -> int:
    """How often a pattern stands in a file."""
    stream.seek(0)
    found, rest = 0, b""
    while chunk := stream.read(_CHUNK):
        data = rest + chunk
        found += data.count(pattern)
        rest = data[1 - len(pattern) :]
    return found


def _all_directories(stream: IO[bytes], length: int) -> int:
    """The most bytes that the tags of one directory take, of all that TIFF headers anywhere in a file open."""
    data = stream.read()
    places = [(place, *kind) for magic, kind in _HEADERS.items() for place in _places(data, magic)]
    if len(places) > _MAX_HEADERS:
        return MAX_TAGS + 1
    return max((_directory_bytes(stream, place, length, order, big) for place, order, big in places), default=0)


def _places(data: bytes, magic: bytes) -> list[int]:
    found = [data.find(magic)]
    while found[-1] >= 0 and len(found) <= _MAX_HEADERS + 1:
        found.append(data.find(magic, found[-1] + 1))
    return [place for place in found if place >= 0]


def _directory_bytes(stream: IO[bytes], start: int, length: int, order: Literal["little", "big"], big: bool) -> int:
    """The bytes of all tags of the first directory behind a TIFF header, none beyond the file's own length."""

    def number(place: int, size: int) -> int:
        stream.seek(min(place, length))
        return int.from_bytes(stream.read(size), order)

    first = start + (number(start + 8, 8) if big else number(start + 4, 4))
    count = min(number(first, 8 if big else 2), 65_536)
    entry = 20 if big else 12
    stream.seek(min(first + (8 if big else 2), length))
    table = stream.read(count * entry)
    total = 0
    for place in range(0, len(table) - entry + 1, entry):
        kind = int.from_bytes(table[place + 2 : place + 4], order)
        items = int.from_bytes(table[place + 4 : place + (12 if big else 8)], order)
        total += min(items * _TYPES.get(kind, 1), length)
    return total


def check_picture(image: Image.Image, label: str, turned: bool = False) -> None:
    """Refuse a picture that is too large, or whose reading would take more than MAX_BYTES; nothing is decoded.

    turned: it is brought upright, into a second copy. Errors: ImageError with its size and what it would take.
    """
    width, height = image.size
    pixels = width * height
    if pixels > MAX_PIXELS:
        raise ImageError(f"{label}: {width}x{height} pixels; at most {MAX_PIXELS} pixels are taken")
    if width < 1 or height < 1:
        raise ImageError(f"{label}: {width}x{height} pixels; an image has at least one")
    needed = bytes_to_read(image, turned)
    if needed > MAX_BYTES:
        raise ImageError(
            f"{label}: {width}x{height} pixels take {needed >> 20} MiB to read from {image.format or 'a picture'} of "
            f"mode {image.mode}{', turned' if turned else ''}; at most {MAX_BYTES >> 20} are taken; save it smaller, "
            "or as an 8-bit PNG of grey or RGB"
        )


def bytes_to_read(image: Image.Image, turned: bool = False) -> int:
    """The most bytes that a picture takes at a time while it is read and laid before a model, at its own size."""
    pixels = prod(image.size)
    stored = pixels * (_STORED.get(image.mode, _COLOURS) + _HELD.get(image.format or "", 0))
    result = pixels * (1 if image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I") else _COLOURS)
    upright = 2 * result if turned else 0
    if image.mode == "F":  # whole numbers: as grey, and then as colour
        result = 5 * pixels
    elif image.mode in ("L", "RGB") and not image.has_transparency_data:
        result = 0
    # A result of one byte a pixel becomes colour when the picture itself is gone.
    return max(stored + _decoder(image), stored + result, upright, (1 + _COLOURS) * pixels)


def _decoder(image: Image.Image) -> int:
    """The bytes that a format's library allocates to decode a picture, and gives back then; none where it did."""
    if not getattr(image, "tile", ()):
        return 0
    pixels, bands = prod(image.size), len(image.getbands())
    if image.format == "JPEG2000":
        return 7 * bands * pixels
    if image.format in ("JPEG", "MPO"):
        return 2 * bands * pixels if _buffered(image, bands) else 0
    if image.format == "TIFF" and image.info.get("compression") != "raw":
        return _piece(image) + _length(image)  # libtiff maps the file
    return 0


def _length(image: Any) -> int:
    """The bytes of the file that a picture stands in."""
    place = image.fp.tell()
    length = image.fp.seek(0, 2)
    image.fp.seek(place)
    return int(length)


def _buffered(image: Any, bands: int) -> bool:
    """Whether a JPEG comes in several scans, so that libjpeg keeps all coefficients, two bytes each.

    Pillow has read it to the end of the first scan's header, which says how many components the scan has.
    """
    if image.info.get("progressive"):
        return True
    size = 8 + 2 * bands
    place = image.fp.tell()
    image.fp.seek(max(0, place - size))
    header = image.fp.read(size)
    image.fp.seek(place)
    return not (header[:2] == b"\xff\xda" and len(header) == size and header[4] == bands)


def _piece(image: Any) -> int:
    """The bytes of one strip or tile of a TIFF, which libtiff decodes as a whole."""

    def tag(number: int, default: int) -> int:
        value = image.tag_v2.get(number, default)
        value = value[0] if isinstance(value, tuple) and value else value
        return int(value) if isinstance(value, int) else default

    width, height = int(image.size[0]), int(image.size[1])
    bits = image.tag_v2.get(258, (8,))
    depth = max((bit for bit in bits if isinstance(bit, int)), default=8) if isinstance(bits, tuple) else 8
    sample = max(_COLOURS, tag(277, 1) * -(-depth // 8))
    if 322 in image.tag_v2:
        return tag(322, width) * tag(323, height) * sample
    return width * min(height, tag(278, height)) * sample
