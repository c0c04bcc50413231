"""What stands in the place of what is taken out of an image."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile

FILLS = "mean (the profile's mean colour), black, grey, white, blur, noise, or a number of grey levels"
_LEVELS = {"black": 0.0, "grey": 127.5, "white": 255.0}


def check_fill(fill: str) -> None:
    """Refuse what is no fill. Errors: InputError."""
    if not isinstance(fill, str) or (fill not in {"mean", "blur", "noise", *_LEVELS} and _number(fill) is None):
        raise InputError(f"fill is {fill!r}; one of these was expected: {FILLS}")


def filled_image(
    profile: Profile, image: NDArray[np.float32], fill: str, sigma: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """An image (C, height, width) of the fill alone.

    blur: the image under a Gaussian of ``sigma`` pixels. noise: uniform in [0, 255], one draw.
    """
    if fill == "blur":
        import cv2

        planes = [cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT) for plane in image]
        return np.stack(planes).astype(np.float32)
    if fill == "noise":
        return random.uniform(0, 255, image.shape).astype(np.float32)
    colour = profile.mean_colour if fill == "mean" else (_LEVELS.get(fill, _number(fill)),) * len(image)
    return np.broadcast_to(np.array(colour, np.float32).reshape(-1, 1, 1), image.shape).copy()


def filled_sample(pixels: Pixels, row: int, fill: str) -> NDArray[Any]:
    """A sample that is no image, of the fill alone: of a number, or of its own mean."""
    sample = pixels.array[row]
    number = float(sample.mean()) if fill == "mean" else _number(fill)
    if number is None:
        raise InputError(f"fill {fill!r} is for images; for samples give a number, or mean (of the sample's numbers)")
    whole = np.rint(number) if sample.dtype.kind in "iu" else number
    return np.full_like(sample, whole)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
