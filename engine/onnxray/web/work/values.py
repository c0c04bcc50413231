"""A value under the mouse: its channels as maps, strongest first, its numbers, and what one cell sees and asks for."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError, OnnxrayError
from onnxray.images.drawing.heat_map import draw_map, draw_overlay
from onnxray.images.eight_bits import to_uint8
from onnxray.model.layers.grid import Grid
from onnxray.web.work.bench import Bench, Desk
from onnxray.web.work.pictures import png

_MOST_CHANNELS: Final = 256
_BINS: Final = 32
_TILE: Final = 56
_COLUMNS: Final = 10
_LINE: Final = 2
_ROUNDING: Final = ("QuantizeLinear", "DynamicQuantize", "QLinear", "QGemm")
"""What operators are called that round what they are handed, or what they compute, to whole numbers."""
_SHARE: Final = 0.99
"""Share of the pixels that move a cell which are drawn below the full colour; single ones move it far more."""


def value_shown(bench: Bench, *, model: int = 0, value: str, picture: str, first: int = 0) -> dict[str, Any]:
    """A value of a picture: numbers about it, a histogram, and channels as tiles of one picture, strongest first.

    The strength of a channel is its largest absolute number. first: how many of the strongest are left out.
    Errors: UnknownValue, ImageError, RuntimeRefusal; InputError where nothing is left.
    """
    desk = bench.desk(model)
    name, array, grid = _read(desk, value, picture)
    numbers = array[np.isfinite(array)].astype(np.float64) if array.dtype.kind in "fiu" else np.zeros(0)
    found: dict[str, Any] = {
        "value": name, "shape": list(array.shape), "dtype": str(array.dtype),
        "statistics": _statistics(array, numbers), "histogram": _histogram(numbers),
        "rows": None, "columns": None, "channels": [], "count": 0, "png": None, "tile": None, "reason": None,
    }  # fmt: skip
    if numbers.size != array.size or not array.size:
        return {**found, "reason": "holds no numbers, or some that are not finite, so nothing is drawn of it"}
    if grid is None:
        flat = array.reshape(-1)
        order = _strongest(np.abs(flat.astype(np.float64)), first)
        channels = [{"channel": int(k), "strength": float(flat[k])} for k in order]
        return {**found, "channels": channels, "count": int(flat.size), "reason": _no_grid(desk, name)}
    maps = grid.maps(array)[0].astype(np.float64)
    strength = np.abs(maps).reshape(len(maps), -1).max(1)
    order = _strongest(strength, first)
    tiles, tile = _tiles(maps[order])
    return {
        **found, "rows": grid.height, "columns": grid.width, "count": len(maps), "png": png(tiles), "tile": tile,
        "channels": [{"channel": int(k), "strength": float(strength[k]), "peak": _peak(maps[k])} for k in order],
        "field": _field(desk, name),
    }  # fmt: skip


def cell_shown(
    bench: Bench, *, model: int = 0, value: str, picture: str, channel: int, row: int, column: int
) -> dict[str, Any]:
    """One cell: its number, what it sees of the picture, and its pullback: how each pixel moves it.

    Errors: InputError for a cell that is not there; those of gradients.
    """
    desk = bench.desk(model)
    name, array, grid = _read(desk, value, picture)
    place = _place(array, grid, channel, row, column)
    found: dict[str, Any] = {
        "value": name, "channel": channel, "row": row, "column": column, "number": _plain(array[place]),
        "box": None, "reason": None, "png": None, "inside": None, "size": None,
    }  # fmt: skip
    try:
        field = desk.fields.get(name)
        if field is not None and field.unbounded is None and grid is not None:
            found["box"] = list(field.box(row, column))
        elif field is not None:
            found["reason"] = field.unbounded
    except OnnxrayError as error:
        found["reason"] = str(error)
    pixels = desk.pixels(picture)
    cotangent = np.zeros(array.shape, np.float32)
    cotangent[place] = 1
    try:
        gradient = desk.model.pullback(pixels, {name: cotangent})
    except OnnxrayError as error:  # whole numbers have none; the number and what it sees are there all the same
        return {**found, "reason": str(error)}
    if pixels.plain or not isinstance(gradient, np.ndarray):
        return {**found, "reason": "the model's input is no picture, so there is none of the pullback"}
    heat = gradient[0].sum(0).astype(np.float32)
    size = np.abs(heat)
    if not np.isfinite(size).all():
        return {**found, "reason": "some of its derivatives are not finite, so none is drawn"}
    drawn_to = float(np.quantile(size[size > 0], _SHARE)) if size.any() else 0.0
    drawn = draw_overlay(to_uint8(pixels.array[0]), heat, drawn_to, signed=True)
    top, left, bottom, right = found["box"] or (0, 0, *heat.shape)
    inside = drawn[:, top:bottom, left:right] if 0 < (bottom - top) * (right - left) < heat.size else None
    return {
        **found, "png": png(drawn), "inside": None if inside is None else png(inside),
        "span": float(size.max(initial=0)), "size": list(heat.shape), "rounded": _rounded(desk, name),
    }  # fmt: skip


def _rounded(desk: Desk, name: str) -> bool:
    """Whether numbers are quantised on the way from the input: what is called a derivative passes that over."""
    graph = desk.model.graph
    return any(
        node.operator.startswith(_ROUNDING) and any(read in graph.depends_on_input for read in node.inputs)
        for node in graph.needed_for([name])
    )


def _read(desk: Desk, value: str, picture: str) -> tuple[str, NDArray[Any], Grid | None]:
    """A value of one picture, all of it: of shapes and lists of boxes the first axis is none of samples."""
    name = desk.model.select_value(value)
    array = np.asarray(desk.model.values(desk.pixels(picture), [name])[name])
    try:
        grid = desk.space.grid(name)
        return name, array, grid if len(grid.maps(array)) == 1 else None
    except OnnxrayError:
        return name, array, None


def _place(array: NDArray[Any], grid: Grid | None, channel: int, row: int, column: int) -> tuple[int, ...]:
    """Where a cell stands in the value. Errors: InputError for a cell that is not there, or holds no number."""
    if array.dtype.kind not in "fiub":
        raise InputError(f"the value holds {array.dtype}, of which a cell is no number")
    if grid is None:
        inside = 0 <= channel < array.size
    else:
        inside = 0 <= channel < grid.channels and 0 <= row < grid.height and 0 <= column < grid.width
    if not inside:
        raise InputError(f"there is no cell {channel},{row},{column} in a value of the shape {list(array.shape)}")
    flat = channel
    if grid is not None:
        flat = int(grid.maps(np.arange(array.size).reshape(array.shape))[0, channel, row, column])
    return tuple(int(k) for k in np.unravel_index(flat, array.shape))


def _strongest(strength: NDArray[np.float64], first: int) -> NDArray[np.int64]:
    """The channels from the ``first`` strongest on."""
    if not 0 <= first < strength.size:
        raise InputError(f"first is {first}; a number from 0 to {strength.size - 1} was expected")
    return np.argsort(-strength, kind="stable")[first : first + _MOST_CHANNELS]


def _no_grid(desk: Desk, name: str) -> str:
    try:
        desk.space.grid(name)
    except OnnxrayError as error:
        return str(error)
    return "its rows and columns cannot be told"


def _peak(one: NDArray[np.float64]) -> list[int]:
    """Row and column of a channel's strongest cell."""
    return [int(k) for k in np.unravel_index(int(np.abs(one).argmax()), one.shape)]


def _field(desk: Desk, name: str) -> dict[str, Any] | None:
    try:
        field = desk.fields.get(name)
    except OnnxrayError:
        return None
    return None if field is None else dict(field.to_dict())


def _statistics(array: NDArray[Any], numbers: NDArray[np.float64]) -> dict[str, Any]:
    if not numbers.size:
        return {"reason": "no finite numbers"}
    largest = float(np.abs(numbers).max()) or 1.0
    shares = numbers / largest  # sums of the largest numbers that there are would be none
    return {
        "least": float(numbers.min()), "most": float(numbers.max()), "mean": float(shares.mean()) * largest,
        "deviation": float(shares.std()) * largest, "zeros": float((numbers == 0).mean()),
        "not_finite": int(array.size - numbers.size),
    }  # fmt: skip


def _histogram(numbers: NDArray[np.float64]) -> dict[str, Any] | None:
    """How many numbers lie in each of equal parts between the least and the most; where those are one, in the first."""
    if not numbers.size:
        return None
    least, most = float(numbers.min()), float(numbers.max())
    halves = numbers / 2 - least / 2  # in halves, for the whole may be more than a number can be
    width = most / 2 - least / 2
    counts, _ = np.histogram(halves / width if width else halves, _BINS, (0.0, 1.0))
    return {"counts": counts.tolist(), "from": least, "to": most}


def _plain(number: Any) -> float | str:
    return float(number) if np.isfinite(number) else "not finite"


def _tiles(maps: NDArray[np.float64]) -> tuple[NDArray[np.uint8], dict[str, int]]:
    """Channels side by side in the colours of heat maps, each on its own scale, and how tiles lie in the picture."""
    _, height, width = maps.shape
    factor = max(1, _TILE // max(height, width))
    columns = min(_COLUMNS, len(maps))
    rows = -(-len(maps) // columns)
    step = max(1, max(height, width) // (2 * _TILE))
    signed = bool((maps < 0).any())
    drawn = []
    for one in maps[:, ::step, ::step]:
        span = float(np.abs(one).max()) or 1.0
        drawn.append(draw_map((one / span).astype(np.float32), 1.0, signed=signed).repeat(factor, 1).repeat(factor, 2))
    high, wide = drawn[0].shape[1] + _LINE, drawn[0].shape[2] + _LINE
    sheet = np.full((3, rows * high, columns * wide), 128, np.uint8)
    for k, tile in enumerate(drawn):
        top, left = k // columns * high, k % columns * wide
        sheet[:, top : top + high - _LINE, left : left + wide - _LINE] = tile
    return sheet, {"height": high, "width": wide, "columns": columns, "line": _LINE}
