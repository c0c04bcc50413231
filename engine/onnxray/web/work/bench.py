"""What the page looks into: models as they are opened now, and what was worked out of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar, final

from onnxray.cli.parts.shared_options import Opening
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.receptive.unit_fields import UnitFields
from onnxray.images.pixels import Pixels
from onnxray.methods.features.parts.unit_layers import fields_of
from onnxray.model.layers.grid import Space, read_space
from onnxray.model.model import Model
from onnxray.web.work.graph_view import GraphView

T = TypeVar("T")
Before = tuple[str, Mapping[str, str | None]]
"""What a process that was ended had opened: the file's sha256, and fields of its profile that were stated."""
PROFILE_FIELDS: Final = ("size", "resize", "channels", "mean", "std", "scale")
_HOW: Final = tuple(one.name for one in dataclasses.fields(Opening) if one.name not in {"json", "out", "overwrite"})
_KEPT: Final = 8


@final
class Desk:
    """One model: where it is from, how it is opened, and what was worked out of it since."""

    def __init__(self, source: str, how: Opening) -> None:
        self.source, self.how = source, how
        self.model: Model = how.other(source, None, silent=True)
        self._view: GraphView | None = None
        self._space: Space | None = None
        self._fields: dict[str, UnitFields] | None = None
        self._read: dict[tuple[str, int, int], Pixels] = {}
        self._once: dict[tuple[object, ...], Any] = {}

    @property
    def view(self) -> GraphView:
        """Its graph as it is drawn."""
        if self._view is None:
            self._view = GraphView(self.model.graph)
        return self._view

    @property
    def space(self) -> Space:
        """Where its values keep rows and columns. Errors: InputError where that cannot be told."""
        if self._space is None:
            self._space = read_space(self.model)
        return self._space

    @property
    def fields(self) -> Mapping[str, UnitFields]:
        """What the units of its values see of the picture. Errors: as for ``space``."""
        if self._fields is None:
            self._fields = fields_of(self.model, self.space)
        return self._fields

    def pixels(self, picture: str) -> Pixels:
        """A picture's file as the model takes it, read anew where it was changed. Errors: ImageError, InputError."""
        try:
            stated = Path(picture).stat()
        except OSError:  # which reading says better
            return self.model.encoded([picture])
        key = picture, stated.st_mtime_ns, stated.st_size
        if key not in self._read:
            if len(self._read) >= _KEPT:
                del self._read[next(iter(self._read))]
            self._read[key] = self.model.encoded([picture])
        return self._read[key]

    def once(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What was worked out for a key, the latest few of which are kept."""
        if key not in self._once:
            made = make()
            while len(self._once) >= _KEPT:
                del self._once[next(iter(self._once))]
            self._once[key] = made
        found: T = self._once[key]
        return found

    def restated(self, fields: Mapping[str, str | None]) -> Desk:
        """The same model with fields of its profile stated otherwise; None takes a statement back.

        Errors: ProfileError where they do not fit; the desk stays as it is then.
        """
        for name in fields:
            if name not in PROFILE_FIELDS:
                raise InputError(f"the profile has no field {short(name)}; it has {', '.join(PROFILE_FIELDS)}")
        found = Desk(self.source, _restated(self.how, fields))
        if found.model.graph.sha256 == self.model.graph.sha256:
            found._view = self._view  # which is of the graph alone
        return found

    def typed(self) -> dict[str, Any]:
        """How the model is opened, as options of a command, those that were stated alone."""
        empty = _stated(Opening())
        return {name: value for name, value in _stated(self.how).items() if value != empty[name]}

    def is_opened_by(self, how: Opening, source: str, profile: str | None) -> bool:
        """Whether these options open the model just so."""
        return source == self.source and profile is None and _stated(how) == _stated(self.how)


def _stated(how: Opening) -> dict[str, Any]:
    """What is stated of opening, without where a result goes. ``how`` may state more, of a command of its own."""
    return {name: value for name, value in vars(how).items() if name in _HOW}


def _restated(how: Opening, fields: Mapping[str, str | None]) -> Opening:
    stated: dict[str, Any] = {f"profile_{name}": text or None for name, text in fields.items()}
    return dataclasses.replace(how, **stated)


@final
class Bench:
    """All models that the page was opened with. before: by their numbers, those that the page has been told of."""

    def __init__(
        self, sources: Sequence[str], how: Opening, before: Mapping[int, Before] = MappingProxyType({})
    ) -> None:
        self._sources, self._how, self._before = tuple(sources), how, before
        self._desks: dict[int, Desk] = {}

    def desk(self, number: int = 0) -> Desk:
        """One of the models, opened when it is first asked for. Errors: those of opening; InputError."""
        if not 0 <= number < len(self._sources):
            raise InputError(f"there is no model {number}; there are {len(self._sources)}")
        if number not in self._desks:
            before, fields = self._before.get(number, (None, {}))
            found = Desk(self._sources[number], _restated(self._how, fields))
            now = found.model.graph.sha256
            if before is not None and before != now:
                raise InputError(
                    f"{self._sources[number]} was changed since the page opened it (sha256 {before[:12]}, now "
                    f"{now[:12]}); start onnxray explore once more"
                )
            self._desks[number] = found
        return self._desks[number]

    def restate(self, number: int, fields: Mapping[str, str | None]) -> Desk:
        """State fields of a model's profile. Errors: ProfileError; it is as it was then."""
        self._desks[number] = self.desk(number).restated(fields)
        return self._desks[number]

    def looked_at(self, source: str) -> Model:
        """A further model, opened as the others are and not kept. Errors: those of opening."""
        return self._how.other(source, None, silent=True)

    def held(self, how: Opening, source: str, profile: str | None) -> Model | None:
        """The model that a command's options open, where it is open here."""
        desks = list(self._desks.values())
        return next((desk.model for desk in desks if desk.is_opened_by(how, source, profile)), None)
