"""One picture minus another, as grey around the middle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from onnxray.errors import InputError
from onnxray.images.distances import l2, linf
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.images.files import png_bytes, read_png


def difference(first: Path, second: Path) -> dict[str, Any]:
    """The second minus the first, and its norms in grey levels. Errors: InputError for pictures of other sizes."""
    one, other = read_png(first), read_png(second)
    if one.shape[1:] != other.shape[1:]:
        sizes = (f"{picture.shape[2]} × {picture.shape[1]}" for picture in (one, other))
        raise InputError(f"the pictures are of the sizes {' and '.join(sizes)}, so there is no difference of them")
    if len(one) != len(other):
        one, other = (np.broadcast_to(each, (3, *each.shape[1:])) for each in (one, other))
    drawn, gain = signed_to_grey(other.astype(np.int16) - one)
    return {"png": png_bytes(drawn), "gain": gain, "l2": l2(other, one), "linf": linf(other, one)}
