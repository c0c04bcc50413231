"""Factors by which a picture changes and its content does not, each at several levels, the picture itself among them.

Pictures are (channels, height, width) in grey levels, at the model's size, and stay in [0, 255]. Those that are moved
are continued by their mirror image at the border and interpolated linearly.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxray.images.eight_bits import to_uint8

Picture = NDArray[np.float32]
_COLOURS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Factor:
    """levels: in ``unit``; own: the level at which the picture is itself. change: a picture at a level."""

    name: str
    unit: str
    levels: tuple[float, ...]
    own: float
    change: Callable[[Picture, float], NDArray[np.floating]]
    coloured: bool = False

    def variants(self, picture: Picture) -> Picture:
        """(levels, channels, height, width); that at the own level is the picture, bit for bit."""
        found = [picture if level == self.own else self.change(picture, level) for level in self.levels]
        return np.clip(np.stack(found), 0, 255).astype(np.float32)

    def fits(self, channels: int) -> bool:
        """Whether pictures of so many channels have what it changes."""
        return not self.coloured or channels == _COLOURS


def _moved(picture: Picture, matrix: NDArray[np.float64], shift: tuple[float, float] = (0.0, 0.0)) -> Picture:
    """Each place reads the place at ``matrix`` times its way from the middle, less a shift."""
    from scipy.ndimage import affine_transform

    middle = (np.array(picture.shape[1:]) - 1) / 2
    offset = middle - matrix @ (middle + np.array(shift))
    planes = [affine_transform(plane, matrix, offset, order=1, mode="reflect") for plane in picture]
    return np.stack(planes)


def _rotated(picture: Picture, degrees: float) -> Picture:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return _moved(picture, np.array([[cosine, sine], [-sine, cosine]]))


def _scaled(picture: Picture, factor: float) -> Picture:
    return _moved(picture, np.eye(2) / factor)


def _shifted(picture: Picture, share: float) -> Picture:
    return _moved(picture, np.eye(2), (0.0, share * picture.shape[2]))


def _contrast(picture: Picture, factor: float) -> Picture:
    middle = picture.mean((1, 2), keepdims=True)
    return np.asarray(middle + factor * (picture - middle))


def _hue(picture: Picture, degrees: float) -> NDArray[np.floating]:
    from skimage.color import hsv2rgb, rgb2hsv

    hsv = rgb2hsv(np.clip(picture, 0, 255).transpose(1, 2, 0).astype(np.float64) / 255)
    hsv[..., 0] = (hsv[..., 0] + degrees / 360) % 1
    return np.asarray(255 * hsv2rgb(hsv).transpose(2, 0, 1))


def _blurred(picture: Picture, share: float) -> Picture:
    from scipy.ndimage import gaussian_filter

    sigma = share * max(picture.shape[1:])
    return np.stack([gaussian_filter(plane, sigma, mode="reflect") for plane in picture])


def _jpeg(picture: Picture, quality: float) -> Picture:
    pixels = to_uint8(picture)
    plain = pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))
    stream = io.BytesIO()
    Image.fromarray(plain).save(stream, "JPEG", quality=int(quality))
    read = np.asarray(Image.open(stream, formats=("JPEG",)), np.float32)
    return read[None] if read.ndim == 2 else read.transpose(2, 0, 1)


def _occluded(picture: Picture, share: float) -> Picture:
    changed = picture.copy()
    (height, width) = picture.shape[1:]
    high, wide = max(1, round(share * height)), max(1, round(share * width))
    top, left = (height - high) // 2, (width - wide) // 2
    changed[:, top : top + high, left : left + wide] = picture.mean((1, 2), keepdims=True)
    return changed


def _flipped(picture: Picture, _: float) -> Picture:
    return np.ascontiguousarray(picture[:, :, ::-1])


def _lit(picture: Picture, levels: float) -> Picture:
    return np.asarray(picture + np.float32(levels))


_ALL = (
    Factor(name="rotation", unit="degrees", levels=(-30, -20, -10, 0, 10, 20, 30), own=0, change=_rotated),
    Factor(name="scale", unit="times", levels=(0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3), own=1, change=_scaled),
    Factor(
        name="translation", unit="of the width", levels=(-0.15, -0.1, -0.05, 0, 0.05, 0.1, 0.15), own=0, change=_shifted
    ),
    Factor(name="light", unit="grey levels", levels=(-60, -40, -20, 0, 20, 40, 60), own=0, change=_lit),
    Factor(name="contrast", unit="times", levels=(0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6), own=1, change=_contrast),
    Factor(name="hue", unit="degrees", levels=(-90, -60, -30, 0, 30, 60, 90), own=0, change=_hue, coloured=True),
    Factor(
        name="blur", unit="sigma, of the longer side", levels=(0, 0.004, 0.008, 0.012, 0.016, 0.024, 0.032), own=0,
        change=_blurred,
    ),
    Factor(name="jpeg", unit="quality", levels=(100, 90, 70, 50, 30, 15, 5), own=100, change=_jpeg),
    Factor(
        name="occlusion", unit="of each side, in the middle", levels=(0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), own=0,
        change=_occluded,
    ),
    Factor(name="flip", unit="left to right", levels=(0, 1), own=0, change=_flipped),
)  # fmt: skip
FACTORS: Final[Mapping[str, Factor]] = {one.name: one for one in _ALL}
"""By name; ``jpeg`` 100 stands for the picture as it is, and blur 0 too."""
