"""How results show themselves: the sheet, the first of the items in a table, and where they came from, folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.display.parts import Html, captioned, facts, folded, heading, line, picture, table, warning, whole
from onnxray.display.sheets import top_of_sheet
from onnxray.images.files import png_bytes
from onnxray.notebooks.tables import flat
from onnxray.results.item import Item
from onnxray.results.provenance import Provenance
from onnxray.results.result import Result

_ROWS, _COLUMNS, _PICTURES, _FACTS, _NOTES = 10, 9, 6, 60, 3
_SMALL, _LARGE = 160, 224
_FIRST: Final = (
    "path", "origin.path", "image", "target.path", "method", "mode", "layer", "name", "target", "target_score", "goal",
    "true_label", "correct", "label", "probability", "success", "norm", "eps", "smallest", "attack", "l2", "linf",
    "pass", "error", "concept", "significant", "p_value", "rank_correlation", "figures.insertion.area",
    "figures.deletion.area", "object.box.0", "reason",
)  # fmt: skip
"""The columns that are shown first, where a run has them."""
_PATHS: Final = ("path", "origin.path", "target.path")
_MAIN: Final = ("overlay-original", "overlay", "image", "figure", "map")


def result(value: Result[Any]) -> str:
    """A result: its sheet, the first items, notes and, folded, where it came from."""
    stamp = value.provenance
    parts = [heading(repr(value)[1:-1])]
    if value.incomplete or stamp.interrupted:
        parts.append(warning("these are the items that were finished; the run did not come to its end"))
    parts += [warning(note) for note in stamp.notes if note.startswith("ASSUMED")]
    drawn = top_of_sheet(value)
    if drawn is not None:
        data, is_all = drawn
        parts.append(picture(data, f"contact sheet of {stamp.method['name']}"))
        parts += [] if is_all else [line("the top of the sheet; the whole of it: result.sheet()")]
    parts.append(_table(value[:_ROWS].rows(), len(value)))
    parts += [line(note) for note in stamp.notes[:_NOTES] if not note.startswith("ASSUMED")]
    return whole(*parts, folded("where this came from", *_stamp(stamp)))


def result_png(value: Result[Any]) -> bytes | None:
    """The top of its sheet."""
    drawn = top_of_sheet(value)
    return None if drawn is None else drawn[0]


def item(value: Item) -> str:
    """An item: its pictures and, folded, its numbers."""
    shown = [(_shown(image, role), role) for role, (_, image) in value.pictures().items() if _is_picture(image)]
    numbers = flat(value.numbers())
    return whole(
        heading(repr(value)[1:-1]), captioned(shown[:_PICTURES]),
        folded("all numbers", facts(dict(list(numbers.items())[:_FACTS]))),
    )  # fmt: skip


def item_png(value: Item) -> bytes | None:
    """The picture that tells most of it, small ones enlarged by whole numbers."""
    pictures = {role: image for role, (_, image) in value.pictures().items() if _is_picture(image)}
    for role in (*_MAIN, *pictures):
        if role in pictures:
            image = pictures[role]
            times = max(1, _SMALL // max(image.shape[1:]))
            return png_bytes(image.repeat(times, 1).repeat(times, 2))
    return None


def provenance(value: Provenance) -> str:
    """Where something came from."""
    return whole(heading(repr(value)[1:-1]), *_stamp(value))


def _stamp(stamp: Provenance) -> list[Html]:
    model, machine = stamp.model, _texts("", stamp.machine)
    named = {
        "model": model["path"], "sha256": model["sha256"], **_texts("opset", model.get("opsets")),
        "producer": model.get("producer"), "logits": model.get("logits"), "method": stamp.method["name"],
        **_texts("option", stamp.method["options"]), "seed": stamp.seed, "device": stamp.device,
        "seconds": stamp.seconds, **_texts("version of", stamp.versions),
        "command": " ".join(stamp.command), "machine": ", ".join(f"{name} {one}" for name, one in machine.items()),
    }  # fmt: skip
    profile = [folded("profile", facts(_texts("", stamp.profile)))] if stamp.profile is not None else []
    notes = [folded(f"{len(stamp.notes)} notes", *map(line, stamp.notes))] if stamp.notes else []
    return [facts(dict(list(named.items())[:_FACTS])), *profile, *notes]


def _texts(name: str, values: object) -> dict[str, str]:
    if not isinstance(values, Mapping):
        return {}
    said = {key: ", ".join(map(str, one)) if isinstance(one, list | tuple) else str(one) for key, one in values.items()}
    return {f"{name} {key}".strip(): one for key, one in said.items()}


def _table(rows: Sequence[Mapping[str, Any]], count: int) -> Html:
    there = {name for row in rows for name, value in row.items() if value is not None}
    there -= {"origin.path"} if "path" in there else set()  # the same one
    columns: list[str] = [name for name in _FIRST if name in there]
    columns += [
        name for name in dict.fromkeys(name for row in rows for name in row)
        if name in there and name not in columns and not name.startswith(("files.", "origin.", "target."))
    ]  # fmt: skip
    columns = columns[:_COLUMNS]
    cells = [[_of_row(row, name) for name in columns] for row in rows]
    return table([name.replace("_", " ") for name in columns], cells, left_out=count - len(rows))


def _of_row(row: Mapping[str, Any], name: str) -> Any:
    value = row.get(name)
    return PurePath(value).name if name in _PATHS and isinstance(value, str) else value


def _is_picture(image: NDArray[Any]) -> bool:
    return image.dtype == np.uint8


def _shown(image: NDArray[Any], role: str) -> Html:
    side = max(image.shape[1:])
    width = min(image.shape[2], _LARGE) if side >= _SMALL else image.shape[2] * (_SMALL // side)
    return picture(png_bytes(image), role, width=width, pixelated=side < _SMALL)
