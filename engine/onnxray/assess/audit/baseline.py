"""The audit that drops are measured against: an audit.json of before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Final, final

from onnxray.assess.audit.policy import Use
from onnxray.assess.audit.verdicts import Before
from onnxray.assess.audit.work import params_of
from onnxray.assess.jobs.plain_file import plain_file
from onnxray.errors import InputError
from onnxray.errors.short_values import short

SCHEMA: Final = 1
_LARGEST: Final = 2**29


def read_audit(path: Path) -> dict[str, Any]:
    """An audit.json, or the one in a folder. Errors: InputError where it is none, or a newer version's."""
    place = path / "audit.json" if path.is_dir() else path
    try:
        data = plain_file(place, _LARGEST)
        told: dict[str, Any] = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"the audit {place} cannot be read ({error}); an audit.json was expected") from None
    schema = told.get("schema") if isinstance(told, dict) and told.get("kind") == "audit" else None
    tables = () if not isinstance(told, dict) else (told.get("results"), told.get("models"))
    if not isinstance(schema, int) or not all(isinstance(table, list) and _rows(table) for table in tables):
        raise InputError(f"{place} is no audit.json; the document that `onnxray audit` writes was expected")
    if schema > SCHEMA:
        raise InputError(f"{place} is of schema {short(schema)}, written by a newer onnxray; {SCHEMA} was expected")
    return told


def _rows(table: list[object]) -> bool:
    return all(isinstance(row, dict) for row in table)


@final
class Baseline:
    """What an earlier audit has of a check on a model. None: there is none.

    models: paths of this audit. A model is the earlier one of the same path, else of the same file name where both
    audits have one of that name, else the only one where both have one model.
    """

    def __init__(self, told: Mapping[str, Any] | None, models: Sequence[str]) -> None:
        self._told = told
        self._results: dict[tuple[int, str], Mapping[str, Any]] = {}
        for one in () if told is None else told["results"]:
            if isinstance(number := one.get("model"), int):
                self._results.setdefault((number, str(one.get("name"))), one)
        self._of = {} if told is None else matched([str(one.get("path")) for one in told["models"]], models)

    def __call__(self, path: str, use: Use, seed: int, pictures: str) -> Before:
        """Its figures, if they are of the same check, version, options and seed."""
        if self._told is None:
            return Before()
        number = self._of.get(path)
        if number is None:
            return Before(reason="it has no model of that path or name")
        result = self._results.get((number, use.name))
        if result is None:
            return Before(reason=f"it has no check {use.name!r} of that model")
        made = f"{result.get('check')}@{result.get('version')}"
        if made != f"{use.check.name}@{use.check.version}":
            return Before(reason=f"it measured {made}, this audit {use.check.name}@{use.check.version}")
        if result.get("params") != params_of(use.check, seed):
            return Before(reason=f"it measured {made} with other options or another seed")
        told = result.get("figures")
        figures = tuple(one for one in told if isinstance(one, dict)) if isinstance(told, list) else ()
        same = result.get("pictures_sha256") == pictures
        return Before(figures=figures, same_pictures=same, reason="it has no value of it")


def matched(old: Sequence[str], new: Sequence[str]) -> dict[str, int]:
    """Path of a new model -> number of the old one."""
    if len(old) == len(new) == 1:
        return {new[0]: 0}
    paths, names, fresh = _places(old), _places(map(_name, old)), _places(map(_name, new))
    found: dict[str, int] = {}
    for path in new:
        same, named = paths.get(path, ()), names.get(_name(path), ())
        if len(same) == 1:
            found[path] = same[0]
        elif len(named) == 1 and len(fresh[_name(path)]) == 1:
            found[path] = named[0]
    return found


def _name(path: str) -> str:
    return PurePath(path).name


def _places(texts: Iterable[str]) -> dict[str, list[int]]:
    """Where each text stands."""
    found: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        found.setdefault(text, []).append(place)
    return found
