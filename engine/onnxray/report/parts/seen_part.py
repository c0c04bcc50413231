"""What the model saw of a picture: the whole file, and where on it what was fed lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from onnxray.errors import ImageError
from onnxray.images.drawing.contact_sheet import Cell
from onnxray.images.drawing.object_outline import DIMMED, frame
from onnxray.images.drawing.plot_style import SKY, rgb
from onnxray.images.eight_bits import to_uint8
from onnxray.images.files import read_picture
from onnxray.images.placement import Box, placement
from onnxray.images.profile.profile import Profile

_SHOWN: Final = 224
_WHOLE, _STRETCHED = 0.98, 1.1
"""Shares of a picture, and quotients of its sides, from which on nothing is said."""


def seen_cells(paths: Iterable[str | None], profile: Mapping[str, Any] | None) -> dict[str, Cell]:
    """Path -> the file with what the model saw of it, where its profile was guessed and that is not all as it is."""
    if profile is None or not profile["assumed"]:
        return {}
    files = dict.fromkeys(path for path in paths if path is not None and not path.lower().endswith(".npy"))
    found = {path: _seen_cell(path, profile) for path in files}
    return {path: cell for path, cell in found.items() if cell is not None}


def seen_warnings(cells: Mapping[str, Cell], profile: Mapping[str, Any] | None) -> list[str]:
    """That the model was not fed these files as they are."""
    if not cells or profile is None:
        return []
    (high, wide), which = profile["size"], "the file" if len(cells) == 1 else f"{len(cells)} files"
    return [
        f"The model did not see all of {which}, or not in its own shape: what it saw, at {wide} x {high} pixels, is "
        "outlined in blue"
    ]


def _seen_cell(path: str, profile: Mapping[str, Any]) -> Cell | None:
    try:
        picture, _ = read_picture(Path(path), path, grey=False)
    except ImageError:  # gone since: the run has no need of it any more
        return None
    share, stretch, box = _seen(profile, picture.width, picture.height)
    if share >= _WHOLE and stretch < _STRETCHED:
        return None
    small = picture.convert("RGB")
    small.thumbnail((_SHOWN, _SHOWN), Image.Resampling.LANCZOS)
    factor = small.width / picture.width, small.height / picture.height
    place = box[0] * factor[0], box[1] * factor[1], box[2] * factor[0], box[3] * factor[1]
    shown = np.asarray(small).transpose(2, 0, 1)
    inside = frame(shown.shape[1:], place, max(shown.shape))
    drawn = to_uint8(np.where(inside, shown, DIMMED * shown))
    drawn[:, frame(shown.shape[1:], place, 2)] = np.array(rgb(SKY), np.uint8)[:, None]
    said = [f"{share:.0%} of it was seen" if share < _WHOLE else "all of it was seen"]
    if stretch >= _STRETCHED:
        said.append(f"a side stretched {stretch:.2f} times")
    return Cell(drawn, tuple(said), heading=("the file",))


def _seen(profile: Mapping[str, Any], width: int, height: int) -> tuple[float, float, Box]:
    """The share of a picture that was fed, how much one side was stretched against the other, and where that lies."""
    channels = profile["channels"]
    count = 1 if channels == "GREY" else 3
    known = Profile(
        name="seen", layout=profile["layout"], channels=channels, scale=1.0, mean=(0.0,) * count, std=(1.0,) * count,
        size=tuple(profile["size"]), resize=profile["resize"], crop_fraction=profile["crop_fraction"],
        resized=None if profile["resized"] is None else tuple(profile["resized"]), crop_offset=profile["crop_offset"],
    )  # fmt: skip
    placed = placement(known, width, height)
    box = placed.to_original((0, 0, known.size[1], known.size[0]))
    across, down = placed.resized[0] / width, placed.resized[1] / height
    return (box[2] - box[0]) * (box[3] - box[1]) / (width * height), max(across / down, down / across), box
