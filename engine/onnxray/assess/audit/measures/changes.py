"""Changes of a picture that leave what it shows alone, on 8-bit pictures (1 or 3, height, width).

shift        by so many pixels in each of four directions; what comes in is as the edge
brightness   so many grey levels more, and less
contrast     (x - 127.5) times 1.25, and by it, plus 127.5
flip         left and right changed
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, get_args

import numpy as np

from onnxray.arrays import Image8
from onnxray.images.eight_bits import to_uint8

ChangeName = Literal["shift", "brightness", "contrast", "flip"]
NAMES: Final[tuple[str, ...]] = get_args(ChangeName)
_CONTRAST: Final = 1.25


def changed(picture: Image8, name: str, *, pixels: int, levels: int) -> Iterator[tuple[str, Image8]]:
    """Each form of one change, with what it is called."""
    if name == "shift":
        for direction, (down, right) in {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}.items():
            yield f"shift {direction}", _shifted(picture, down * pixels, right * pixels)
    elif name == "brightness":
        yield "brighter", to_uint8(picture.astype(np.float64) + levels)
        yield "darker", to_uint8(picture.astype(np.float64) - levels)
    elif name == "contrast":
        for word, factor in (("more contrast", _CONTRAST), ("less contrast", 1 / _CONTRAST)):
            yield word, to_uint8((picture - 127.5) * factor + 127.5)
    else:
        yield "flip", np.ascontiguousarray(picture[:, :, ::-1])


def _shifted(picture: Image8, down: int, right: int) -> Image8:
    height, width = picture.shape[1:]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return np.ascontiguousarray(picture[:, rows[:, None], columns])
