"""Images that stand for "nothing there": what an attribution is counted from."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.model.model import Model

Colour = Literal["black", "mean", "white"]
Baseline = Literal["black", "mean", "white", "blurred", "random"]


def constant_baseline(kind: Colour, model: Model, pixels: Pixels) -> NDArray[np.float32]:
    """One image, (C, H, W): 0, the profile's mean, or 255 everywhere.

    The mean is what becomes an input of zero, clipped to [0, 255]; a colour, or the profile's mean image. Of samples
    that are no images there is black alone: all zero. Errors: InputError.
    """
    shape = pixels.array.shape[1:]
    if pixels.plain or model.profile is None:
        if kind != "black":
            raise InputError(f"the baseline {kind!r} is an image's, and this model's input is none; black means zero")
        return np.zeros(shape, np.float32)
    if kind == "mean":
        nothing = np.zeros_like(model.profile.encode(pixels.array[:1]))
        return np.asarray(np.clip(model.profile.decode(nothing)[0], 0, 255), np.float32)
    return np.full(shape, 255 if kind == "white" else 0, np.float32)


def baselines(
    kind: Baseline, model: Model, pixels: Pixels, row: int, *, blur: float, trials: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """(T, C, H, W): the baselines of the image ``row``; T is ``trials`` for random ones, else 1.

    blurred: by a Gaussian of ``blur`` pixels, its border continued; random: each number uniform in [0, 255].
    """
    shape = pixels.array.shape[1:]
    if kind not in {"blurred", "random"}:
        return constant_baseline(kind, model, pixels)[None]  # type: ignore[arg-type]
    if pixels.plain:
        constant_baseline("white", model, pixels)
    if kind == "random":
        return random.uniform(0, 255, (trials, *shape)).astype(np.float32)
    from skimage.filters import gaussian

    blurred = gaussian(pixels.array[row], blur, mode="nearest", preserve_range=True, channel_axis=0)
    return np.asarray(blurred, np.float32)[None]
