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
_SHARE: Final = 0.99
"""Share of the pixels that move a cell which are drawn below the full colour; single ones move it far more."""


def value_shown(bench: Bench, *, model: int = 0, value: str, picture: str, first: int = 0) -> dict[str, Any]:
    """A value of a picture: numbers about it, a histogram, and channels as tiles of one picture, strongest first.

    The strength of a channel is its largest absolute number. first: how many of the strongest are left out.
    Errors: UnknownValue, ImageError, RuntimeRefusal.
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
        order = np.argsort(-np.abs(flat.astype(np.float64)), kind="stable")[first : first + _MOST_CHANNELS]
        channels = [{"channel": int(k), "strength": float(flat[k])} for k in order]
        return {**found, "channels": channels, "count": int(flat.size), "reason": _no_grid(desk, name)}
    maps = grid.maps(array)[0].astype(np.float32)
    strength = np.abs(maps).reshape(len(maps), -1).max(1)
    order = np.argsort(-strength, kind="stable")[first : first + _MOST_CHANNELS]
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
        "value": name, "channel": channel, "row": row, "column": column, "number": float(array[(0, *place)]),
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
    cotangent[(0, *place)] = 1
    gradient = desk.model.pullback(pixels, {name: cotangent})
    if pixels.plain or not isinstance(gradient, np.ndarray):
        return {**found, "reason": "the model's input is no picture, so there is none of the pullback"}
    heat = gradient[0].sum(0).astype(np.float32)
    size = np.abs(heat)
    drawn_to = float(np.quantile(size[size > 0], _SHARE)) if size.any() else 0.0
    drawn = draw_overlay(to_uint8(pixels.array[0]), heat, drawn_to, signed=True)
    top, left, bottom, right = found["box"] or (0, 0, *heat.shape)
    inside = drawn[:, top:bottom, left:right] if 0 < (bottom - top) * (right - left) < heat.size else None
    return {
        **found, "png": png(drawn), "inside": None if inside is None else png(inside),
        "span": float(size.max(initial=0)), "size": list(heat.shape),
    }  # fmt: skip


def _read(desk: Desk, value: str, picture: str) -> tuple[str, NDArray[Any], Grid | None]:
    name = desk.model.select_values([value])[0]
    array = np.asarray(desk.model.values(desk.pixels(picture), [name])[name])
    try:
        grid = desk.space.grid(name)
        grid.maps(array)
    except OnnxrayError:
        grid = None
    return name, array[:1], grid


def _place(array: NDArray[Any], grid: Grid | None, channel: int, row: int, column: int) -> tuple[int, ...]:
    """Where a cell stands in the value, without the axis of samples."""
    if grid is None:
        inside = 0 <= channel < array[0].size
    else:
        inside = 0 <= channel < grid.channels and 0 <= row < grid.height and 0 <= column < grid.width
    if not inside:
        raise InputError(f"there is no cell {channel},{row},{column} in a value of the shape {list(array.shape)}")
    if grid is None:
        return tuple(int(k) for k in np.unravel_index(channel, array.shape[1:]))
    numbered = np.arange(array[0].size).reshape(1, *array.shape[1:])
    flat = int(grid.maps(numbered)[0, channel, row, column])
    return tuple(int(k) for k in np.unravel_index(flat, array.shape[1:]))


def _no_grid(desk: Desk, name: str) -> str:
    try:
        desk.space.grid(name)
    except OnnxrayError as error:
        return str(error)
    return "its rows and columns cannot be told"


def _peak(one: NDArray[np.float32]) -> list[int]:
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
    return {
        "least": float(numbers.min()), "most": float(numbers.max()), "mean": float(numbers.mean()),
        "deviation": float(numbers.std()), "zeros": float((numbers == 0).mean()),
        "not_finite": int(array.size - numbers.size),
    }  # fmt: skip


def _histogram(numbers: NDArray[np.float64]) -> dict[str, Any] | None:
    if not numbers.size:
        return None
    counts, edges = np.histogram(numbers, _BINS)
    return {"counts": counts.tolist(), "from": float(edges[0]), "to": float(edges[-1])}


def _tiles(maps: NDArray[np.float32]) -> tuple[NDArray[np.uint8], dict[str, int]]:
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
        drawn.append(draw_map(one, span, signed=signed).repeat(factor, 1).repeat(factor, 2))
    high, wide = drawn[0].shape[1] + _LINE, drawn[0].shape[2] + _LINE
    sheet = np.full((3, rows * high, columns * wide), 128, np.uint8)
    for k, tile in enumerate(drawn):
        top, left = k // columns * high, k % columns * wide
        sheet[:, top : top + high - _LINE, left : left + wide - _LINE] = tile
    return sheet, {"height": high, "width": wide, "columns": columns, "line": _LINE}
