"""What a run has finished so far: its items in the order of its units, and what was noted on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, final

from onnxray.results.item import ItemT
from onnxray.results.journal import Ended, Unit

if TYPE_CHECKING:
    from onnxray.results.keeping import Keeping


@final
class Tape(Generic[ItemT]):
    """Collects a run; hands what is finished to ``keep`` at once, where there is one, and begins with what that has.

    A unit is a part of a run whose numbers do not depend on the others: see ``Run.units``.
    """

    def __init__(self, keep: Keeping | None = None) -> None:
        self.keep = keep
        self._unit: Unit = ()
        self._items: list[tuple[Unit, ItemT]] = []
        self._ended: dict[Unit, Ended] = {}
        self._notes: dict[Unit, list[str]] = {(): []}
        self._facts: dict[Unit, dict[str, list[Any]]] = {(): {}}
        self._numbers: dict[Unit, int] = {}
        self.seconds = 0.0
        """What an earlier run that is gone on with took."""

    def begin(self, items: list[tuple[Unit, ItemT]], ended: Mapping[Unit, Ended]) -> None:
        """Take over what an earlier run finished."""
        self._items = items
        for unit, found in ended.items():
            self._ended[unit] = found
            self._notes[unit], self._facts[unit] = list(found.notes), {k: list(v) for k, v in found.facts.items()}
            self.seconds = max(self.seconds, found.seconds)

    def next_unit(self, above: Unit) -> tuple[int, bool]:
        """The number of the next unit of ``above``, and whether an earlier run finished it."""
        number = self._numbers.get(above, 0)
        self._numbers[above] = number + 1
        return number, (*above, number) in self._ended

    def enter(self, unit: Unit) -> None:
        """What comes now belongs to the unit."""
        self._unit = unit
        self._notes[unit], self._facts[unit] = [], {}

    def leave(self, unit: Unit) -> None:
        """The unit is finished."""
        self._unit = unit[:-1]
        if self.keep is not None:
            self.keep.end(unit, self._notes[unit], self._facts[unit])

    def add(self, item: ItemT) -> None:
        """An item is finished."""
        self._items.append((self._unit, item))
        self.settle()

    def settle(self) -> None:
        """Keep what is not kept yet: what an interruption came between."""
        if self.keep is not None:
            for number in range(self.keep.count, len(self._items)):
                self.keep.add(*self._items[number])

    @property
    def items(self) -> tuple[ItemT, ...]:
        """The items, in the order of their units."""
        return tuple(item for _, item in sorted(self._items, key=lambda entry: entry[0]))

    def notes_of(self, unit: Unit) -> list[str]:
        """Where the unit's notes go."""
        return self._notes[unit]

    def tell(self, unit: Unit, kind: str, fact: Any) -> None:
        """Something that is found beside the items, plain for JSON."""
        self._facts[unit].setdefault(kind, []).append(fact)

    @property
    def notes(self) -> list[str]:
        """All notes, those of the run first, then in the order of the units; each once."""
        return list(dict.fromkeys(note for unit in sorted(self._notes) for note in self._notes[unit]))

    def facts(self, kind: str) -> Iterator[Any]:
        """All facts of a kind, in the order of the units."""
        for unit in sorted(self._facts):
            yield from self._facts[unit].get(kind, ())
