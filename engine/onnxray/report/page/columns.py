"""The table of a page: which numbers and words of the items stand in columns, and which are the same for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Scalar = str | int | float | bool | None

_LEFT_OUT: Final = frozenset({
    "files", "numbers", "arrays", "trace", "stem", "homography", "moved", "colormap", "shown_at", "shown_from",
})  # fmt: skip
"""What is no fact of an item, or longer than a table can show; all of it is in result.json."""
_FIRST: Final = ("path", "name", "label", "class", "probability", "target", "target score", "method", "layer")
"""Columns that stand first; figures are next, then the rest as the items have them."""
_LONGEST_LIST, _DEEPEST = 6, 3


@dataclass(frozen=True)
class Table:
    """columns: name -> a value a row, missing ones None. same: name -> the value that all rows have."""

    columns: Mapping[str, Sequence[Scalar]]
    same: Mapping[str, Scalar]

    def numeric(self, name: str) -> bool:
        """Whether a column holds numbers alone, where it holds something."""
        return all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.columns[name] if v is not None)


def table_of(items: Sequence[Mapping[str, Any]]) -> Table:
    """Items as a table. One alone has all in columns, but for what it does not have."""
    rows = [dict(_flat(item)) for item in items]
    figures = {name for item in items for name, _ in _flat({"figures": item.get("figures", {})})}
    names = sorted(
        dict.fromkeys(name for row in rows for name in row),
        key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST) + (name not in figures),
    )
    columns = {name: [row.get(name) for row in rows] for name in names}
    held = {name: column for name, column in columns.items() if any(value is not None for value in column)}
    same = {name: column[0] for name, column in held.items() if len(items) > 1 and _all_alike(column)}
    return Table({name: column for name, column in held.items() if name not in same}, same)


def _all_alike(column: Sequence[Scalar]) -> bool:
    return all(value == column[0] and type(value) is type(column[0]) for value in column)


def _flat(value: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, Scalar]]:
    """Every scalar, and every short list of them, with the names on the way to it."""
    for key, entry in value.items():
        way = (*above, str(key))
        if not above and key in _LEFT_OUT:
            continue
        if isinstance(entry, Mapping):
            if len(way) < _DEEPEST:
                yield from _flat(entry, way)
        elif isinstance(entry, list | tuple):
            plain = not any(isinstance(one, Mapping | list | tuple) for one in entry)
            if plain and not above and len(entry) <= _LONGEST_LIST:
                yield _name(way), ", ".join(map(shown, entry)) or None
        else:
            yield _name(way), entry


def _name(way: Sequence[str]) -> str:
    """Names as they are read: without the word for what stands beside a map, and with blanks."""
    return " ".join(way[1:] if way[0] == "figures" and len(way) > 1 else way).replace("_", " ")


def shown(value: Scalar) -> str:
    """A value as text; numbers short."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
