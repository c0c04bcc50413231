"""Picture files through Pillow: decoding to 8-bit grey or RGB, and PNGs written and read back exactly.

Whatever a file holds, what leaves this module is an image of mode L, RGB or F (float grey), or a one-line error.
"""

from __future__ import annotations

import contextlib
import io
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from onnxray.errors import ImageError, InputError, OutputError
from onnxray.errors.library_warnings import warned
from onnxray.images.decoding_memory import MAX_PIXELS, check_file, check_picture
from onnxray.images.eight_bits import to_uint8
from onnxray.images.orientation import turning, upright

# Only decoders that read pixels: EPS and its like start other programs.
FORMATS: Final = ("PNG", "JPEG", "MPO", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF", "TGA", "PCX")
_UPPER_8: Final = "16 bits a channel cut to the upper 8"
_UPPER_OF_12_BITS: Final = 15
ZERO_AND_ONE: Final = "0 and 1 alone: taken as black and white"
SUFFIXES: Final = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2")
) | {".avif", ".tga", ".pcx"}
# Pixels that are converted at a time where whole copies would take too much memory.
_BAND: Final = 2**18
_MODES: Final = frozenset(("1", "L", "RGB", "F", "P", "RGBX", "CMYK", "YCbCr", "HSV"))


def read_picture(source: Path | Image.Image, label: str, *, grey: bool) -> tuple[Image.Image, list[str]]:
    """Return a picture as mode L (grey=True) or RGB, or F for float pictures, and notes on what was converted.

    Errors: ImageError for what cannot be read, is no image, is cut off, is larger than MAX_PIXELS, or would take more
    than six bytes for each of MAX_PIXELS while it is read, which its header tells.
    """
    try:
        # Pillow warns of odd metadata and of size; the first is passed on as a note, the second is refused below.
        with warned("always") as caught:
            if isinstance(source, Path):
                if not source.exists():
                    raise ImageError(f"{label}: no such file")
                if not source.is_file():  # a pipe or a device would block for ever
                    raise ImageError(f"{label}: is no regular file")
                if source.stat().st_size == 0:
                    raise ImageError(f"{label}: is an empty file")
                with source.open("rb") as stream:
                    check_file(stream, label)
                    image, notes = _decode(_open(stream, FORMATS), label, grey=grey)
            else:
                image, notes = _decode(source, label, grey=grey)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{label}: is no image of a known format ({', '.join(FORMATS)})") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{label}: {error}; at most {MAX_PIXELS} pixels are taken") from error
    except Exception as error:  # a hostile file makes Pillow's decoders raise nearly anything
        raise ImageError(f"{label}: cannot be read as an image ({type(error).__name__}: {error})") from error
    unlike = (one for one in caught if not issubclass(one.category, Image.DecompressionBombWarning))
    return image, notes + [f"Pillow warns: {' '.join(str(one.message).split())}" for one in unlike]


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) of a picture file as it is read here, turned as its EXIF says. Errors: ImageError."""
    return read_picture(path, str(path), grey=False)[0].size


def _open(stream: Any, formats: tuple[str, ...]) -> Image.Image:
    Image.preinit()  # the common formats; the decoders of all take longer to import than most pictures to read
    with contextlib.suppress(UnidentifiedImageError):
        return Image.open(stream, formats=tuple(name for name in formats if name in Image.OPEN))
    stream.seek(0)
    Image.init()
    return Image.open(stream, formats=tuple(name for name in formats if name in Image.OPEN))


def _decode(image: Image.Image, label: str, *, grey: bool) -> tuple[Image.Image, list[str]]:
    _check_mode(image, label)
    check_picture(image, label, turned=turning(image) != 1)
    notes: list[str] = []
    if getattr(image, "is_animated", False):
        image.seek(0)
        notes.append("first frame of several taken")
    # Pillow reads 16-bit colour as 8-bit without a word; only the decoder's raw mode tells, before loading.
    if any(
        str(arg).startswith(("RGB;16", "RGBA;16", "LA;16"))
        for tile in getattr(image, "tile", ())
        for arg in _args(tile)
    ):
        notes.append(_UPPER_8)
    image.load()
    if _UPPER_8 in notes and 0 < (most := _extrema(image.convert("RGB"))[1]) <= _UPPER_OF_12_BITS:
        raise ImageError(
            f"{label}: 16 bits a channel, of which the upper 8 are at most {most}; convert it to 8 bits, for Pillow "
            "reads no others and it would be black"
        )
    turned = turning(image)
    if turned != 1:
        check_picture(image, label, turned=True)  # PNG may tell it behind the pixels
        notes.append(f"EXIF orientation {turned} applied")
    image = upright(_plain(image, label, notes), turned)
    if image.mode == "RGB" and grey:
        image = image.convert("L")
        notes.append("colour converted to grey (ITU-R 601 luma)")
    elif image.mode == "L" and not grey:
        image = image.convert("RGB")
        notes.append("grey repeated in red, green and blue")
    return image, notes


def _args(tile: Any) -> tuple[Any, ...]:
    args = tile[3]
    return args if isinstance(args, tuple) else (args,)


def _check_mode(image: Image.Image, label: str) -> None:
    """Refuse modes that have no agreed grey or RGB, before they are decoded. Errors: ImageError."""
    mode = image.mode
    known = mode.startswith("I;16") or (mode == "I" and image.format in ("PNG", "PPM")) or mode in _MODES
    if not known and (not image.has_transparency_data or mode == "I"):
        raise ImageError(f"{label}: Pillow's mode {mode!r} has no agreed grey or RGB; save it as 8-bit grey or RGB")


def _plain(image: Image.Image, label: str, notes: list[str]) -> Image.Image:
    """Return an image of any mode as L, RGB or F."""
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and image.format in ("PNG", "PPM")):
        divisor, said = _scale_of(image)
        notes.append(said)
        return in_bands(image, "L", lambda band: _divided(band, divisor))
    if image.has_transparency_data and mode not in ("I", "F"):
        target = "L" if mode in ("1", "L", "LA", "La") else "RGB"
        opaque = True

        def on_white(band: Image.Image) -> Image.Image:
            nonlocal opaque
            band = band.convert("RGBA")
            if band.getchannel("A").getextrema() != (255, 255):
                opaque = False
                band = Image.alpha_composite(Image.new("RGBA", band.size, "white"), band)
            return band.convert(target)

        image = in_bands(image, target, on_white)
        if not opaque:
            notes.append("alpha channel: composited on white")
        return image
    if mode in ("L", "RGB") and _extrema(image) == (0, 1):
        notes.append(ZERO_AND_ONE)
        return in_bands(image, mode, lambda band: Image.fromarray(np.asarray(band) * np.uint8(255)))
    if mode in ("L", "RGB", "F"):
        return image
    if mode == "1":
        return image.convert("L")
    if mode in ("P", "RGBX", "CMYK", "YCbCr", "HSV"):
        if mode != "RGBX":
            notes.append(f"{'palette' if mode == 'P' else mode} converted to RGB")
        return image.convert("RGB")
    raise ImageError(f"{label}: Pillow's mode {mode!r} has no agreed grey or RGB; save it as 8-bit grey or RGB")


def bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """A picture a few rows at a time, each with the place of its first row."""
    width, height = image.size
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(height, top + rows)))


def in_bands(image: Image.Image, mode: str, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """A picture converted to a mode a few rows at a time, so that no more than the two exist as a whole."""
    result = Image.new(mode, image.size)
    for top, band in bands(image):
        result.paste(convert(band), (0, top))
    return result


def _scale_of(image: Image.Image) -> tuple[float, str]:
    """What 16-bit grey is divided by, told from its largest number: cameras keep 12 bits and masks 8 or 1 in 16."""
    low, high = _extrema(image)
    if (low, high) == (0, 1):
        return 1 / 255, ZERO_AND_ONE
    if high <= 255:
        return 1.0, f"16-bit grey of at most {high}: taken as 8 bits"
    if high <= 4095:
        return 4095 / 255, f"16-bit grey of at most {high}: taken as 12 bits (255 value / 4095, rounded)"
    return 257.0, "16-bit grey scaled to 8 bits (value / 257, rounded)"


def _extrema(image: Image.Image) -> tuple[int, int]:
    """The least and the largest number of all channels."""
    found = [(int(array.min()), int(array.max())) for array in (np.asarray(band) for _, band in bands(image))]
    return min(low for low, _ in found), max(high for _, high in found)


def _divided(band: Image.Image, divisor: float) -> Image.Image:
    """rint(value / divisor)."""
    return Image.fromarray(to_uint8(np.asarray(band).astype(np.float64) / divisor))


def png_bytes(image: NDArray[Any]) -> bytes:
    """Return a PNG of uint8 pixels of shape (1 or 3, height, width), or of uint16 grey of (1, height, width).

    Errors: InputError for any other array.
    """
    channels = {np.dtype(np.uint8): (1, 3), np.dtype(np.uint16): (1,)}.get(image.dtype, ())
    if image.ndim != 3 or image.shape[0] not in channels or 0 in image.shape:
        raise InputError(
            f"an image of shape {image.shape} and type {image.dtype}; expected uint8 of (1 or 3, height, width), or "
            "uint16 of (1, height, width)"
        )
    stream = io.BytesIO()
    pixels = image[0] if image.shape[0] == 1 else image.transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    return stream.getvalue()


def save_png(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write a PNG beside its place and move it there: a reader sees the whole file or none.

    Errors: OutputError if the file cannot be written; InputError as in png_bytes.
    """
    data, target = png_bytes(image), Path(path)
    partial = target.parent / f".{uuid.uuid4().hex}.part"
    try:
        try:
            partial.write_bytes(data)
            partial.replace(target)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()
    except (OSError, ValueError) as error:
        raise OutputError(f"{target}: cannot be written ({error})") from error


def read_png(path: str | Path, *, deep: bool = False) -> NDArray[Any]:
    """Return the exact pixels of an 8-bit grey or RGB PNG, shape (1 or 3, height, width); ``deep``: 16-bit grey too.

    Errors: ImageError for any other PNG or file, because a conversion would not be exact.
    """
    source = Path(path)
    try:
        with warned("ignore", Image.DecompressionBombWarning), source.open("rb") as stream:
            image = _open(stream, ("PNG",))
            if image.size[0] * image.size[1] > MAX_PIXELS:
                raise ImageError(f"{source}: more than {MAX_PIXELS} pixels")
            raw = [_args(tile)[0] for tile in getattr(image, "tile", ())]
            if raw not in (["L"], ["RGB"]) and not (deep and raw == ["I;16B"]):
                raise ImageError(
                    f"{source}: is no 8-bit grey or RGB PNG (mode {image.mode}); expected one as saved here"
                )
            pixels = np.array(image)
    except ImageError:
        raise
    except Exception as error:  # as in read_picture
        raise ImageError(f"{source}: cannot be read as a PNG ({type(error).__name__}: {error})") from error
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
