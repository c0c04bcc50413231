"""Pictures as points whose coordinates are their pixels: at the model's size, reduced where that is large."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxray.images.eight_bits import to_uint8


def pixel_codes(pictures: NDArray[np.float32], longest: int) -> NDArray[np.uint8]:
    """(n, channels, height, width) in grey levels -> (n, numbers): means over squares of whole pixels, so large that no
    side is longer than ``longest``; 8 bits.
    """
    return np.ascontiguousarray(reduced(pictures, longest).reshape(len(pictures), -1))


def reduced(pictures: NDArray[np.float32], longest: int) -> NDArray[np.uint8]:
    """The same as pictures; rows and columns at the end that fill no square are left out."""
    height, width = pictures.shape[2:]
    side = -(-max(height, width) // longest)
    if side == 1:
        return to_uint8(pictures)
    high, wide = max(height // side, 1), max(width // side, 1)
    tall, broad = min(side, height), min(side, width)
    cut = pictures[:, :, : high * tall, : wide * broad]
    return to_uint8(cut.reshape(*pictures.shape[:2], high, tall, wide, broad).mean((3, 5)))


def pixel_words(shape: tuple[int, ...], longest: int) -> str:
    """What the coordinates are, in words. shape: of a picture, (channels, height, width)."""
    side = -(-max(shape[1:]) // longest)
    if side == 1:
        return f"pixels at the model's size, {shape[2]} x {shape[1]}"
    return f"means of {side} x {side} pixels at the model's size, {shape[2]} x {shape[1]}"
