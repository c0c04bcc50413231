"""Whether an input takes pictures: 1, 3 or 4 channels, and grounds that its other axes are rows and columns."""

from __future__ import annotations

from onnxray.graph.facts import Dim, Graph, Value
from onnxray.graph.inputs.names import says, shown_word
from onnxray.graph.inputs.windows import windows_over

_LEAST_SIDE = 8
"""Below this an input of equal sides may be anything (a board, a kernel, a patch of features)."""
_HOLDING = frozenset({"float16", "bfloat16", "float32", "float64", "uint8", "uint16", "int16", "int32", "int64"})


def picture_grounds(graph: Graph, value: Value) -> str | None:
    """Why an input is thought to take pictures, (N, C, H, W) or (N, H, W, C); None where nothing tells that it does.

    Grounds are windows that slide over rows and columns, equal sides, or a name. One channel asks for more, since a
    spectrogram has one as well: rows and columns that are equal, both free, or a name that speaks of pictures.
    """
    shape = value.shape
    if shape is None or len(shape) != 4 or value.dtype not in _HOLDING:
        return None
    sizes = [size if isinstance(size, int) and size > 0 else None for size in shape]
    if sizes[1] in (1, 3, 4):
        channels, rows, columns = sizes[1], 2, 3
    elif sizes[3] in (1, 3, 4):
        channels, rows, columns = sizes[3], 1, 2
    else:
        return None
    height, width = sizes[rows], sizes[columns]
    text = " ".join([value.name, *(size for size in shape if isinstance(size, str))])
    named = says(text, "picture")
    if channels != 3 and not named and (says(text, "spectrum") or not _as_pictures_are(height, width)):
        return None
    if channels == 3 and not named and says(text, "spectrum") and height != width:
        return None
    what = f"{channels} channel{'' if channels == 1 else 's'}"
    slid: set[int] = set()
    for window in windows_over(graph, value):
        slid.update(window.axes)
        if {rows, columns} <= slid:
            return f"{what}, and a {window.operator} slides over rows and columns"
    if height == width and (height or 0) >= _LEAST_SIDE:
        return f"{what} of {height} x {width}"
    if named and min(height or _LEAST_SIDE, width or _LEAST_SIDE) >= _LEAST_SIDE:
        return f"{what}, and it is named {shown_word(named)}"
    return None


def _as_pictures_are(height: Dim, width: Dim) -> bool:
    """Whether sides are equal, or both free."""
    return height == width
