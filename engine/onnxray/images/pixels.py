"""Images of any kind to the pixels a method sees: float32 NCHW, RGB or grey, in [0, 255], at the model's size.

This is the one place where pictures are resized. An image already at the model's size is taken bit for bit.
Files are decoded in files.py, whose PNG functions are offered here too.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxray.errors import ImageError
from onnxray.images.array_files import read_npy
from onnxray.images.decoding_memory import MAX_PIXELS
from onnxray.images.eight_bits import to_uint8
from onnxray.images.files import ZERO_AND_ONE, bands, in_bands, png_bytes, read_picture, read_png, save_png
from onnxray.images.folders import LeftOut, in_folders
from onnxray.images.placement import placement
from onnxray.images.samples import Pixels

if TYPE_CHECKING:
    from onnxray.images.profile.profile import Profile

__all__ = ["Pixels", "fit", "png_bytes", "read_at_own_size", "read_images", "read_png", "save_png"]

_RESAMPLING: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
_IN_UNIT: Final = "values in [0, 1]: taken as shares of 255; give pixels in [0, 255] if they are nearly black"
# Rec. 601, as Pillow's conversion to grey
_LUMA: Final = np.array([0.299, 0.587, 0.114])


def read_images(images: object, profile: Profile, *, strict: bool = False) -> Pixels:
    """Return images as pixels at the profile's size.

    images: one of these or a sequence of them: the path of a file (.npy: an array), or of a folder, which stands for
    its image files in order of name; a PIL image; an array of uint8 or floats in [0, 255]. Arrays are NCHW (CHW and,
    for grey, HW for one image); NHWC and HWC where the last axis is 1 or 3 and the channel axis of NCHW is neither.
    Transparent pictures are laid on white, float arrays resized as floats (whole numbers as the 8-bit image they are).
    Arrays in [0, 1] are taken as shares of 255, which is noted and warned of, and 0 and 1 alone as black and white.
    A picture of a folder that cannot be read is left out, which the notes say and ``left_out`` counts; strict: it is
    refused, as one that was named is.
    Errors: ImageError naming the image, what is wrong with it and what was expected.
    """
    found = _read(images, profile, strict=strict)
    return Pixels(
        np.concatenate([one.array for one in found]), tuple(name for one in found for name in one.names),
        tuple(note for one in found for note in one.notes), left_out=sum(one.left_out for one in found),
    )  # fmt: skip


def read_at_own_size(images: object, profile: Profile, longest: int, *, strict: bool = False) -> list[Pixels]:
    """Return images as pixels at their own sizes, one ``Pixels`` of a single image for each; see ``read_images``.

    Only the profile's channels and interpolation count. longest: the longer side is reduced to it, aspect kept; what is
    smaller stays as it is. strict: as for ``read_images``. Errors: ImageError.
    """
    if isinstance(images, Pixels):
        return [images.rows(slice(k, k + 1)) for k in range(len(images))]
    return _read(images, profile, longest, strict=strict)


def _read(images: object, profile: Profile, longest: int | None = None, *, strict: bool) -> list[Pixels]:
    """Each image by itself, with its own notes. longest: see ``read_at_own_size``; None: at the profile's size."""
    single = isinstance(images, str | os.PathLike | Image.Image) or not isinstance(images, Sequence)
    items: Sequence[object] = [images] if single else images  # type: ignore[assignment]
    found: list[Pixels] = []
    in_unit: str | None = None
    left_out = LeftOut(strict)
    for item, folder in in_folders(items):
        name = str(item) if isinstance(item, Path) else None
        for one, said in left_out.unless_broken(folder, _pixels(item, len(found), profile, longest)):
            notes = tuple(f"{_label(item, len(found))}: {note}" for note in said)
            if name is None and _IN_UNIT in said:
                in_unit = in_unit or next(note for note in notes if note.endswith(_IN_UNIT))
            found.append(Pixels(one[None], (name,), notes))
    left_out.refuse_if_all(len(found))
    if not found:
        raise ImageError("no images given; expected paths, PIL images or arrays")
    more = left_out.notes(len(found))
    found[0] = replace(found[0], notes=(*found[0].notes, *more), left_out=left_out.count)
    if in_unit is not None:
        # Of arrays alone: a command says the notes, and not everything that is asked of a model can hold them.
        warnings.warn(in_unit, UserWarning, stacklevel=5)
    return found


def _at(profile: Profile, size: tuple[int, int], longest: int | None) -> Profile:
    """The profile by which a picture of (height, width) is brought to its size."""
    if longest is None:
        return profile
    share = min(1.0, longest / max(size))
    own = (max(1, round(size[0] * share)), max(1, round(size[1] * share)))
    # A mean image has a size of its own.
    return replace(profile, mean=(0.0,) * profile.channel_count, size=own, resize="stretch", resized=None)


def _label(item: object, index: int) -> str:
    """Return what an image is called in notes and errors: its path, or its place among the pixels."""
    return str(item) if isinstance(item, Path) else f"image {index}"


def _pixels(
    item: object, first: int, profile: Profile, longest: int | None
) -> Iterator[tuple[NDArray[np.float32], list[str]]]:
    """Yield every image of one item as (channels, height, width), with notes; first is the place of the first."""
    label, notes = _label(item, first), list[str]()
    if isinstance(item, Path) and item.suffix.lower() == ".npy":
        for array in _batch(read_npy(item), label):
            yield _placed(array, profile, label, [])
        return
    if isinstance(item, Path | Image.Image):
        picture, notes = read_picture(item, label, grey=profile.channels == "GREY")
        profile = _at(profile, (picture.height, picture.width), longest)
        if picture.mode != "F":
            picture, resized = fit(picture, profile, label)
            yield _chw(np.asarray(picture, dtype=np.float32)), notes + resized
            return
        yield _placed_floats(picture, profile, label, notes)
        return
    arrays = _batch(item, label)
    for index, array in enumerate(arrays, first):
        yield _placed(array, _at(profile, array.shape[1:], longest), _label(item, index), notes)


def _batch(item: object, label: str) -> NDArray[Any]:
    """Return an array of one or many images as NCHW."""
    expected = "expected a path, a PIL image, or an array of uint8 or floats in [0, 255]"
    if not hasattr(item, "__array__"):
        raise ImageError(f"{label}: is a {type(item).__name__}; {expected}")
    try:
        array = np.asarray(item)
    except Exception as error:  # other libraries' arrays: on a device, wanting gradients
        raise ImageError(f"{label}: gives no array ({error}); {expected}") from error
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise ImageError(f"{label}: is an array of {array.dtype}; {expected}")
    shape, refused = array.shape, False
    if array.ndim == 2:
        array = array[None, None]
    elif array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or 0 in shape:
        refused = True
    elif array.shape[1] not in (1, 3):
        refused = array.shape[3] not in (1, 3)
        array = array.transpose(0, 3, 1, 2)
    if refused:
        raise ImageError(
            f"{label}: is an array of shape {shape}; expected NCHW, or NHWC with 1 or 3 channels last "
            "(one image: CHW, HWC, or HW for grey)"
        )
    return array


def _placed(
    array: NDArray[Any], profile: Profile, label: str, notes: list[str]
) -> tuple[NDArray[np.float32], list[str]]:
    """Bring one (channels, height, width) array to the profile's channels and size."""
    grey, notes = profile.channels == "GREY", list(notes)
    if array.dtype != np.uint8:
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 255):  # NaN fails every comparison
            raise ImageError(f"{label}: values from {low:g} to {high:g}; expected pixels in [0, 255], no NaN")
        if (array == np.rint(array)).all():
            array = array.astype(np.uint8)
        elif high <= 1:
            notes.append(_IN_UNIT)
            array = array * array.dtype.type(255)
    if array.dtype == np.uint8 and (int(array.min()), int(array.max())) == (0, 1):
        notes.append(ZERO_AND_ONE)
        array = array * np.uint8(255)
    if array.shape == profile.shape:
        return array.astype(np.float32), notes
    if array.dtype == np.uint8:
        picture, said = read_picture(Image.fromarray(_hwc(array)), label, grey=grey)
        picture, resized = fit(picture, profile, label)
        return _chw(np.asarray(picture, dtype=np.float32)), notes + said + resized
    if grey and len(array) == 3:
        array = np.tensordot(_LUMA, array, axes=1)[None]
        notes.append("colour converted to grey (ITU-R 601 luma)")
    elif not grey and len(array) == 1:
        array = np.repeat(array, 3, axis=0)
        notes.append("grey repeated in red, green and blue")
    planes = [
        fit(Image.fromarray(plane), profile, label, channel) for channel, plane in enumerate(array.astype(np.float32))
    ]
    # Bicubic and Lanczos overshoot.
    pixels = np.clip(np.stack([np.asarray(plane) for plane, _ in planes]), 0, 255)
    return pixels, notes + planes[0][1]


def _placed_floats(
    picture: Image.Image, profile: Profile, label: str, notes: list[str]
) -> tuple[NDArray[np.float32], list[str]]:
    """The same for a picture of mode F, grey, of which no whole copy is made."""
    grey, notes = profile.channels == "GREY", list(notes)
    low, high, whole = np.float32(np.inf), np.float32(-np.inf), True
    for _, band in bands(picture):
        array = np.asarray(band)
        low, high = np.minimum(low, array.min()), np.maximum(high, array.max())  # NaN stays
        whole = whole and bool((array == np.rint(array)).all())
    if not (low >= 0 and high <= 255):
        raise ImageError(f"{label}: values from {low:g} to {high:g}; expected pixels in [0, 255], no NaN")
    if whole:
        picture = in_bands(picture, "L", lambda band: Image.fromarray(to_uint8(np.asarray(band))))
        picture, said = read_picture(picture, label, grey=grey)
        picture, resized = fit(picture, profile, label)
        return _chw(np.asarray(picture, dtype=np.float32)), notes + said + resized
    if high <= 1:
        notes.append(_IN_UNIT)
        picture = in_bands(picture, "F", lambda band: Image.fromarray(np.asarray(band) * np.float32(255)))
    if not grey:
        notes.append("grey repeated in red, green and blue")
    planes = [fit(picture, profile, label, channel) for channel in range(profile.channel_count)]
    return np.clip(np.stack([np.asarray(plane) for plane, _ in planes]), 0, 255), notes + planes[0][1]


def _hwc(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array[0] if len(array) == 1 else array.transpose(1, 2, 0))


def _chw(array: NDArray[np.float32]) -> NDArray[np.float32]:
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def fit(image: Image.Image, profile: Profile, label: str = "image", channel: int = 0) -> tuple[Image.Image, list[str]]:
    """Bring a picture to the profile's size by its rule; one that has the size is returned itself.

    The rules are told in placement.py; the rest of a padded picture is the profile's fill colour. Reducing is
    anti-aliased.
    image: mode L, RGB, or F, which is then the given channel. Returns the picture and notes.
    Errors: ImageError for a picture so elongated that it would take more than MAX_PIXELS.
    """
    height, width = profile.size
    w, h = image.size
    if (h, w) == (height, width):
        return image, []
    place = placement(profile, w, h)
    new_w, new_h = place.resized
    if new_w * new_h > MAX_PIXELS:
        raise ImageError(f"{label}: {w}x{h} would be resized to {new_w}x{new_h}; cut it to a less elongated picture")
    resized = image.resize((new_w, new_h), _RESAMPLING[profile.interpolation]) if (new_w, new_h) != (w, h) else image
    note = f"resized {w}x{h} -> {new_w}x{new_h}"
    if profile.resize == "stretch" and (new_h, new_w) == (height, width):
        return resized, [note]
    if new_w >= width and new_h >= height and profile.resize != "pad":
        box = (place.left, place.top, place.left + width, place.top + height)
        return resized.crop(box), [f"{note}, centre crop {width}x{height}"]
    colour = profile.fill_colour
    fill: Any = colour[channel] if image.mode == "F" else tuple(round(value) for value in colour)
    canvas = Image.new(image.mode, (width, height), fill if image.mode != "L" else fill[0])
    canvas.paste(resized, (-place.left, -place.top))
    return canvas, [f"{note}, padded to {width}x{height}"]
