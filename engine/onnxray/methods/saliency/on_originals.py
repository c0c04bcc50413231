"""The maps of a run over the pictures as they are, beside those at the model's size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from onnxray.errors import InputError
from onnxray.images.drawing.on_picture import draw_on_picture
from onnxray.images.files import read_picture
from onnxray.images.placement import placement
from onnxray.methods.saliency.item import MapItem
from onnxray.model.model import Model

ROLE: Final = "original-overlay"


def on_originals(model: Model) -> Callable[[MapItem], MapItem]:
    """What adds the picture ``original-overlay`` to an item. Errors: InputError where the model takes no picture, and
    for an item whose image is no picture file; ImageError for one that is gone.
    """
    profile = model.profile
    if profile is None:
        raise InputError("maps are drawn over the original where the model takes a picture, and this one takes none")

    def draw(item: MapItem) -> MapItem:
        if item.path is None or item.path.lower().endswith(".npy") or "image" not in item.images:
            raise InputError(
                f"{item.path or 'the image'} is no picture file, whose original a map could be drawn over; leave "
                "--overlay-original out"
            )
        picture, _ = read_picture(Path(item.path), item.path, grey=profile.channels == "GREY")
        array = np.asarray(picture if picture.mode != "F" else picture.convert("L"))
        drawn = draw_on_picture(
            array[None] if array.ndim == 2 else array.transpose(2, 0, 1), item.heat - np.float32(item.shown_from),
            item.shown_at - item.shown_from, placement(profile, picture.width, picture.height),
            signed=item.signed, colormap=item.colormap,
        )  # fmt: skip
        return replace(item, images={**item.images, ROLE: drawn})

    return draw
