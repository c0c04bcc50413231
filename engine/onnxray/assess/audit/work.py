"""What workers of an audit do: describe a model, and measure a check on pictures. A task goes to a process and back.

A model is opened where it is worked on, never by who hands work out: a file may hang or crash whoever opens it. A
worker holds the model that it had last.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, final

from onnxray.assess.audit.check import Check, Picture, Row
from onnxray.assess.jobs.unit import Unit, canonical, digest
from onnxray.engines.machine import describe_machine, versions
from onnxray.errors import ImageError, InputError, ModelFileError
from onnxray.errors.shown_text import one_line
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.stated_fields import read_fields
from onnxray.model.inputs.stated import read_option
from onnxray.model.model import Model
from onnxray.model.opening import open_model

UNREADABLE: Final = "unreadable"
"""What a row says of a picture that cannot be decoded: why."""
_TELLS_NOTHING: Final = frozenset({"source", "assumed", "reasons", "labels_assumed", "name"})
"""Fields of a profile that say where it comes from."""


@final
@dataclass(frozen=True, kw_only=True)
class Opening:
    """How the models of an audit are opened, as the command line states it."""

    profile: str | None = None
    labels: str | None = None
    output: str | None = None
    inputs: tuple[str, ...] = ()
    picture: tuple[tuple[str, str | None], ...] = ()
    device: str = "cpu"
    strict: bool = False
    approximate: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class Described:
    """A task: say what a model is, and which of the checks it is unfit for."""

    path: str
    opening: Opening
    checks: tuple[tuple[str, Check], ...]

    def group(self) -> str:
        """Tasks of one file."""
        return self.path


@final
@dataclass(frozen=True, kw_only=True)
class Measured:
    """A task: measure a check on the pictures of a unit."""

    path: str
    opening: Opening
    check: Check
    unit: Unit
    pictures: tuple[Picture, ...]
    seed: int
    place: int
    """Which of the audit's (model, check) it is of."""

    def group(self) -> str:
        """Tasks of one file."""
        return self.path


Task = Described | Measured


def work(task: Task) -> bytes:
    """Do a task: JSON of the facts of a model, or of {"rows", "seconds", "machine"}. Errors: OnnxrayError."""
    started = time.perf_counter()
    if isinstance(task, Described):
        return json.dumps(_facts(task), allow_nan=False).encode()
    model = _opened(task.path, task.opening)
    if model_digest(model) != task.unit.model:
        _opened.cache_clear()
        raise ModelFileError(f"{task.path}: the file changed while it was audited")
    for picture in task.pictures:
        if hashlib.sha256(picture.path.read_bytes()).hexdigest() != picture.sha256:
            raise ImageError(f"{picture.path}: the picture changed while it was audited")
    plain = (
        task.pictures if task.check.labelled else tuple(replace(one, label=None, folder="") for one in task.pictures)
    )
    rows = _rows(task.check, model, plain, task.seed)
    told = {"rows": rows, "seconds": time.perf_counter() - started, "machine": dict(machine(model.device))}
    return json.dumps(told, allow_nan=False).encode()


def forget() -> None:
    """Let go of the model that was worked on last."""
    _opened.cache_clear()


def model_digest(model: Model) -> str:
    """The sha256 of the file and of its external data, as units are named by."""
    return digest(dict(model.graph.identity))


def profile_digest(model: Model) -> str:
    """The sha256 of what its numbers depend on beside the file: the profile, how the output is read, the device."""
    profile = model.profile
    told: dict[str, Any] = {"head": [model.head.name, model.head.kind], "device": model.device}
    if profile is not None:
        told |= {name: value for name, value in profile.to_dict().items() if name not in _TELLS_NOTHING}
        told["labels"] = model.answering.labels
    told["inputs"] = [repr(one.kind) for one in model.inputs.each]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def params_of(check: Check, seed: int) -> str:
    """The options of a check and the seed, as units are named by. Errors: InputError for what is no number."""
    try:
        return canonical({"options": check.options(), "seed": seed})
    except ValueError as error:
        raise InputError(f"the options of {check.name}: {error}") from None


@functools.cache
def machine(device: str) -> Mapping[str, Any]:
    """What numbers were made on, asked once a process."""
    told = describe_machine()
    facts = {**versions(device), "processor": told["processor"], "flags": told["flags"], "cores": told["cores"]}
    return MappingProxyType(facts)


def unreadable(picture: Picture, error: ImageError) -> Row:
    """The row of a picture that cannot be decoded: why, without its path, of which no row is made."""
    return {UNREADABLE: str(error).removeprefix(f"{one_line(str(picture.path))}: ")}


def _rows(check: Check, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
    """Rows of the pictures. Those that cannot be decoded say so, where the others can."""
    try:
        rows = check.measure(model, pictures, seed)
    except ImageError as error:
        if check.chunk < 1 or not pictures:
            raise
        if len(pictures) == 1:
            return [unreadable(pictures[0], error)]
        return [row for picture in pictures for row in _rows(check, model, [picture], seed)]
    if check.chunk > 0 and len(rows) != len(pictures):
        raise TypeError(
            f"check {check.name!r} gave {len(rows)} rows for {len(pictures)} pictures; its author mends that"
        )
    return rows


def _facts(task: Described) -> dict[str, Any]:
    model = _opened(task.path, task.opening)
    graph, profile = model.graph, model.profile
    identity = dict(graph.identity)
    own = graph.container.own_file
    return {
        "identity": model_digest(model), "file": str(graph.path) if graph.container.made else task.path,
        "sha256": identity.pop("sha256"),
        "external": {name.removeprefix("external:"): digest for name, digest in sorted(identity.items())},
        "bytes": None if own is None else own.size,
        "opsets": dict(graph.opsets), "producer": graph.producer, "nodes": len(graph.nodes),
        "parameters": graph.parameters, "output": {"name": model.head.name, "kind": model.head.kind},
        "profile": None if profile is None else _plain(profile), "profile_sha256": profile_digest(model),
        "assumed": profile is not None and profile.assumed,
        "unfit": {name: reason for name, check in task.checks if (reason := check.unfit(model)) is not None},
        "versions": model.versions(),
    }  # fmt: skip


def _plain(profile: Profile) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(json.dumps(profile.to_dict(), default=str, allow_nan=False))
    return found


@functools.lru_cache(maxsize=1)
def _opened(path: str, opening: Opening) -> Model:
    stated = {field.name: getattr(opening, field.name) for field in dataclasses.fields(opening)}
    stated["inputs"] = read_option(opening.inputs)
    stated["picture"] = read_fields(dict(opening.picture))
    return open_model(path, **stated)
