"""What each input of a model is read as: told from the file, or stated by whoever opens it.

onnxray.open(path, inputs={"audio": "waveform"})      --input audio=waveform      --input arrays

[inputs.audio]                    in the TOML of --profile, or beside the model
kind = "waveform"
rate = 16000                      also: tokenizer = "tokenizer.json", columns = ["age", "weight"], and for a
                                  picture or a video clip the keys of a profile
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.facts import Dim, Graph, Value
from onnxray.graph.inputs.kinds import KINDS, Kind, input_kinds

ARRAYS: Final = "arrays"
"""Stated in place of kinds: every input takes arrays as they are."""
_PICTURE_KEYS: Final = (
    "layout", "channels", "scale", "mean", "std", "size", "resize", "interpolation", "crop_fraction", "resized",
    "crop_offset", "fill",
)  # fmt: skip
_KEYS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "picture": _PICTURE_KEYS,
    "video clip": _PICTURE_KEYS,
    "token ids": ("tokenizer",),
    "waveform": ("rate",),
    "table row": ("columns",),
    "string": ("columns",),
    "array": (),
}


@dataclass(frozen=True, kw_only=True)
class Input:
    """One input: what it is read as, and why; stated: by the user, not told from the file. options: see the top."""

    value: Value
    kind: Kind
    grounds: str
    stated: bool = False
    gathered: str | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def name(self) -> str:
        """Its name in the file."""
        return self.value.name

    @property
    def takes(self) -> str:
        """Type and shape, as the file states them, for messages."""
        return f"{self.value.dtype or 'numbers'} of shape {shown_shape(self.value.shape)}"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What every input of a model is read as, in the file's order. folder: where the model's own side files lie."""

    each: tuple[Input, ...]
    folder: Path | None = None

    def named(self, name: str) -> Input:
        """The input of a name. Errors: InputError with the names there are."""
        for one in self.each:
            if one.name == name:
                return one
        raise InputError(f"the model has no input {short(name)}; its inputs are {self.names}")

    def of_kind(self, *kinds: Kind) -> tuple[Input, ...]:
        """Those of some kinds."""
        return tuple(one for one in self.each if one.kind in kinds)

    @property
    def names(self) -> str:
        """The names, for messages."""
        return ", ".join(short(one.name) for one in self.each[:20])

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """For documents."""
        return {
            one.name: {"kind": one.kind, "grounds": one.grounds, "stated": one.stated, **plain(one.options)}
            for one in self.each
        }


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options for JSON."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}


def shown_shape(shape: tuple[Dim, ...] | None) -> str:
    """A shape as people write it; what is free by its name or as ?."""
    if shape is None:
        return "unknown"
    return "[" + ", ".join("?" if size is None else str(size)[:40] for size in shape[:12]) + "]"


def inputs_of(graph: Graph, stated: Mapping[str, Any] | str | None = None, *, folder: Path | None = None) -> Inputs:
    """What each input is read as: as stated, else as the file shows it.

    stated: input name -> kind, or a table with ``kind`` and options; ``"arrays"``: every input as it is. folder: of the
    TOML that states them; the model's own where left out.
    Errors: InputError for a name that is no input, an unknown kind or option, a kind that the file contradicts.
    """
    own = graph.path.parent if graph.path is not None else None
    found = Inputs(
        each=tuple(
            Input(value=value, kind=facts.kind, grounds=facts.grounds, gathered=facts.gathered)
            for value, facts in zip(graph.inputs, graph.once(input_kinds))
        ),
        folder=folder or own,
    )
    if stated is None:
        return found
    if stated == ARRAYS:
        as_is = (
            replace(one, kind="array", grounds="stated", stated=True, options=MappingProxyType({}))
            for one in found.each
        )
        return replace(found, each=tuple(as_is))
    if not isinstance(stated, Mapping):
        raise InputError(f"inputs is {short(stated)}; {ARRAYS!r}, or a dict of kinds by names of inputs was expected")
    tables = {found.named(str(name)).name: _table(str(name), entry) for name, entry in stated.items()}
    return replace(found, each=tuple(_stated(one, tables.get(one.name)) for one in found.each))


def read_option(texts: Sequence[str]) -> Mapping[str, Any] | str | None:
    """What ``--input`` states: ``arrays``, or NAME=KIND, repeated. Errors: InputError."""
    if not texts:
        return None
    if list(texts) == [ARRAYS]:
        return ARRAYS
    found: dict[str, str] = {}
    for text in texts:
        name, equals, kind = text.rpartition("=")
        if not equals or not name:
            raise InputError(f"--input is {short(text)}; NAME=KIND or {ARRAYS} was expected, KIND one of {_kinds()}")
        found[name] = kind
    return found


def _kinds() -> str:
    return ", ".join(kind.replace(" ", "-") for kind in KINDS)


def _table(name: str, entry: object) -> Mapping[str, Any]:
    table = {"kind": entry} if isinstance(entry, str) else entry
    if not isinstance(table, Mapping):
        raise InputError(f"inputs.{short(name)} is {short(entry)}; a kind or a table with a kind was expected")
    return table


def _stated(one: Input, table: Mapping[str, Any] | None) -> Input:
    if table is None:
        return one
    options = {str(key): tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    kind = options.pop("kind", one.kind)
    spelled = kind.replace("-", " ").replace("_", " ") if isinstance(kind, str) else kind
    known = next((known for known in KINDS if known == spelled), None)
    if known is None:
        raise InputError(f"the kind of the input {short(one.name)} is {short(kind)}; expected one of {_kinds()}")
    why = _contradiction(one.value, known)
    if why is not None:
        raise InputError(f"the input {short(one.name)} is {one.takes}, no {known}: {why}; state another kind")
    for key in options:
        if key not in _KEYS[known]:
            keys = ", ".join(_KEYS[known]) or "none"
            raise InputError(f"inputs.{short(one.name)} has the key {short(key)}; those of a {known} are: {keys}")
    _check_options(one.name, options)
    return replace(one, kind=known, grounds="stated", stated=True, options=MappingProxyType(options))


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    rate = options.get("rate", 1)
    if type(rate) is not int or not 1 <= rate <= 1_000_000:
        raise InputError(f"inputs.{short(name)}: rate is {short(rate)}; samples a second, a whole number, was expected")
    columns = options.get("columns", ())
    if not isinstance(columns, tuple) or not all(isinstance(one, str) for one in columns):
        raise InputError(f"inputs.{short(name)}: columns is {short(columns)}; a list of their names was expected")
    if not isinstance(options.get("tokenizer", ""), str):
        raise InputError(f"inputs.{short(name)}: tokenizer is {short(options['tokenizer'])}; a file name was expected")


def _contradiction(value: Value, kind: Kind) -> str | None:
    """Why an input cannot be of a kind; None where it can."""
    text = value.dtype == "object"
    rank = None if value.shape is None else len(value.shape)
    if kind == "string":
        return None if text else "the file wants numbers"
    if text:
        return "the file wants text" if kind not in {"array", "table row"} else None
    if kind == "token ids":
        return None if "int" in value.dtype else "token ids are whole numbers"
    if kind in {"waveform", "video clip"} and not value.is_float and value.dtype not in {"int16", "uint8"}:
        return "its samples are real numbers"
    ranks = {"picture": (4,), "video clip": (5,), "waveform": (1, 2, 3), "table row": (0, 1, 2)}.get(kind)
    if ranks is None or rank is None or rank in ranks:
        return None
    return f"{' or '.join(map(str, ranks))} axes were expected"
