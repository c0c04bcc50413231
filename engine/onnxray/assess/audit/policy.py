"""A policy: what an audit measures and what must hold, read from TOML; whatever is not understood is an error.

    policy = 1                          # of this format
    name = "face-gate-2026"
    [scope]                             # each may be stated on the command line instead
    models = ["release/*.onnx"]         images = "validation/"      labels = "validation/labels.csv" | "folders"
    seed = 0                            profile = "required"        # a guessed preprocessing fails the audit
    [defaults]                          # of each check, which may state its own
    level = "block"                     # block | warn | record
    confidence = 0.95                   min_images = 100            sequential = false
    [[check]]
    use = "accuracy"                    # name = "..." where a check is used twice
    min = 0.92                          max_drop = 0.005            # and max, max_drop_relative
    figure = "accuracy"                 # which figure they are for; left out, the check's first
    slices = { by = "class", min = 0.85 }
    images = 500                        # at most so many pictures, drawn by the seed
    models = ["release/*-int8.onnx"]    # of these alone: paths, patterns or sha256:...; left out, of all
    # every further key is an option of the check
    [baseline]
    report = "audits/2026-10/audit.json"
    [[waiver]]
    model = "release/legacy.onnx"       check = "robustness"        reason = "retired 2027-01"
    owner = "j.doe"                     until = 2027-01-31

Paths are relative to the policy's folder.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final, Literal, final

from onnxray.assess.audit.catalogue import check_class
from onnxray.assess.audit.check import Check
from onnxray.assess.audit.policy_keys import (
    CHECK_KEYS,
    DEFAULT_KEYS,
    LEVELS,
    LIMITS,
    SLICE_KEYS,
    Table,
    option_names,
    options_from,
)
from onnxray.assess.jobs.plain_file import plain_file
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.profile.side_text import MAX_TOML, parse_toml

VERSION: Final = 1
_MOST_CHECKS: Final = 1000
Level = Literal["block", "warn", "record"]
By = Literal["class", "folder"]


@final
@dataclass(frozen=True, kw_only=True)
class Limit:
    """What a figure must meet. figure: its name; None: the check's first. by: of every slice of that kind."""

    kind: Literal["min", "max", "max_drop", "max_drop_relative"]
    bound: float
    figure: str | None = None
    by: By | None = None
    min_images: int = 1


@final
@dataclass(frozen=True, kw_only=True)
class Use:
    """A check as a policy uses it. models: which it is of, as a waiver names its own; none: all."""

    name: str
    check: Check
    level: Level
    confidence: float
    sequential: bool
    images: int | None
    limits: tuple[Limit, ...]
    min_images: int
    models: tuple[str, ...] = ()


@final
@dataclass(frozen=True, kw_only=True)
class Waiver:
    """Who answers for a failure until when. model: a path as the audit has it, a pattern of one, or sha256:..."""

    model: str
    check: str
    reason: str
    owner: str
    until: datetime.date


@final
@dataclass(frozen=True, kw_only=True)
class Scope:
    """What is audited, where the policy says so."""

    models: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    labels: str | None = None
    seed: int = 0
    profile: Literal["required", "any"] = "any"


@final
@dataclass(frozen=True, kw_only=True)
class Policy:
    """A policy as it was read. source: its path, or "default". folder: what its paths are relative to."""

    name: str
    scope: Scope
    uses: tuple[Use, ...]
    waivers: tuple[Waiver, ...]
    baseline: Path | None
    text: str
    source: str
    folder: Path

    @property
    def sha256(self) -> str:
        """Of its text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def names_model(text: str, folder: Path, path: str, sha256: str | None) -> bool:
    """Whether a text of a policy in ``folder`` means a model: its path as it stands, a pattern of it, its contents."""
    if text.startswith("sha256:"):
        return text == f"sha256:{sha256}"
    return path == text or Path(path).absolute().match(str((folder / text).absolute()))


def read_policy(path: Path) -> Policy:
    """Read a policy. Errors: InputError."""
    try:
        text = plain_file(path, 4 * MAX_TOML).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"the policy {path} cannot be read ({error}); a TOML file was expected") from None
    return policy_from(text, source=str(path), folder=path.parent)


def policy_from(text: str, *, source: str, folder: Path) -> Policy:
    """A policy from its text. folder: what its paths are relative to. Errors: InputError naming the place in it."""
    try:
        told = parse_toml(text)
    except ValueError as error:
        raise InputError(f"{source}: is no TOML ({error})") from None
    table = Table(told, source)
    version = table.value("policy", int, required=True)
    if version != VERSION:
        raise InputError(f"{source}: policy is {short(version)}; version {VERSION} of the format was expected")
    table.refuse_unknown(("policy", "name", "scope", "defaults", "check", "baseline", "waiver"))
    defaults = table.table("defaults")
    defaults.refuse_unknown(DEFAULT_KEYS)
    checks = table.tables("check")
    if len(checks) > _MOST_CHECKS:
        raise InputError(f"{source}: there are {len(checks):,} [[check]]; {_MOST_CHECKS:,} at most were expected")
    uses = tuple(_use(one, defaults, folder) for one in checks)
    if not uses:
        raise InputError(f"{source}: there is no [[check]]; an audit that checks nothing would pass whatever it is of")
    names = [use.name for use in uses]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{source}: the check {short(twice)} is used twice; give each a name of its own: name = ...")
    baseline = table.table("baseline")
    baseline.refuse_unknown(("report",))
    report = baseline.value("report", str, required=bool(baseline.told))
    for use in uses:
        if report is None and any(limit.kind.startswith("max_drop") for limit in use.limits):
            raise InputError(f"{source}: the check {short(use.name)} states a max_drop; [baseline] report was expected")
    return Policy(
        name=table.value("name", str, default="") or source, scope=_scope(table.table("scope"), folder), uses=uses,
        waivers=tuple(_waiver(one, names) for one in table.tables("waiver")),
        baseline=None if report is None else folder / report, text=text, source=source,
        folder=folder,
    )  # fmt: skip


def _scope(table: Table, folder: Path) -> Scope:
    table.refuse_unknown(("models", "images", "labels", "seed", "profile"))
    labels = table.value("labels", str)
    seed = table.value("seed", int, default=0)
    if seed < 0:
        raise table.error("seed", seed, "a whole number from 0")
    profile = table.choice("profile", ("required", "any"), "any")
    models = tuple(place for text in table.texts("models") for place in _globbed(table, folder, text))
    return Scope(
        models=models, images=tuple(str(folder / text) for text in table.texts("images")),
        labels=labels if labels in {None, "folders"} else str(folder / labels), seed=seed,
        profile="required" if profile == "required" else "any",
    )  # fmt: skip


def _globbed(table: Table, folder: Path, text: str) -> list[str]:
    """The files of a pattern, in order of name. Errors: InputError where there are none."""
    if not any(sign in text for sign in "*?["):
        return [str(folder / text)]
    parts = PurePath(text).parts
    first = next(index for index, part in enumerate(parts) if any(sign in part for sign in "*?["))
    if ".." in parts[first:]:  # every folder's parent, again and again
        raise table.error("models", text, "a pattern without .. behind its first * ? or [")
    try:
        found = sorted(str(path) for path in folder.glob(text))
    except (OSError, ValueError, NotImplementedError) as error:
        raise table.error("models", text, f"a pattern of paths in the policy's folder ({error})") from None
    if not found:
        raise table.error("models", text, "a pattern that a file fits")
    return found


def _use(table: Table, defaults: Table, folder: Path) -> Use:
    name = table.value("use", str, required=True)
    try:
        kind = check_class(name)
    except InputError as error:
        raise InputError(f"{table.place}: use: {error}") from None
    table.refuse_unknown((*CHECK_KEYS, *option_names(kind)))
    confidence = _either(table, defaults, "confidence", float, 0.95)
    if not 0.5 <= confidence < 1:
        raise table.error("confidence", confidence, "a number from 0.5, below 1")
    least = _either(table, defaults, "min_images", int, 1) if kind.chunk else 1  # without pictures none are too few
    images = table.value("images", int)
    for key, value in (("min_images", least), ("images", images)):
        if value is not None and value < 1:
            raise table.error(key, value, "a whole number from 1")
    level = (table if "level" in table.told else defaults).choice("level", LEVELS, "block")
    figure = table.value("figure", str)
    limits = _limits(table, figure, None, least)
    slices = table.table("slices")
    slices.refuse_unknown(SLICE_KEYS)
    if slices.told:
        by: By = "class" if slices.choice("by", ("class", "folder"), None) == "class" else "folder"
        own = _limits(slices, figure, by, slices.value("min_images", int, default=1))
        if not own:
            raise slices.error("slices", slices.told, f"one of {', '.join(LIMITS)} in it")
        limits += own
    if level != "record" and not limits and not kind.judges:
        raise table.error("use", name, f'one of {", ".join(LIMITS)} beside it, or level = "record": it states no limit')
    return Use(
        name=table.value("name", str, default="") or name, check=options_from(table, kind, folder), level=_level(level),
        confidence=confidence, sequential=_either(table, defaults, "sequential", bool, False), images=images,
        limits=tuple(limits), min_images=least, models=tuple(table.texts("models")),
    )  # fmt: skip


def _limits(table: Table, figure: str | None, by: By | None, least: int) -> list[Limit]:
    found = []
    for kind in LIMITS:
        bound = table.value(kind, float)
        if bound is None:
            continue
        if kind.startswith("max_drop") and bound < 0:
            raise table.error(kind, bound, "a number from 0")
        found.append(Limit(kind=kind, bound=float(bound), figure=figure, by=by, min_images=least))
    return found


def _level(text: str) -> Level:
    return "block" if text == "block" else "warn" if text == "warn" else "record"


def _either(table: Table, defaults: Table, key: str, kind: type, default: Any) -> Any:
    return table.value(key, kind, default=defaults.value(key, kind, default=default))


def _waiver(table: Table, names: list[str]) -> Waiver:
    table.refuse_unknown(("model", "check", "reason", "owner", "until"))
    texts: Mapping[str, str] = {
        key: table.value(key, str, required=True) for key in ("model", "check", "reason", "owner")
    }
    empty = next((key for key, text in texts.items() if not text.strip()), None)
    if empty is not None:
        raise table.error(empty, texts[empty], "some text")
    if texts["check"] not in names:
        raise table.error("check", texts["check"], f"one of this policy's: {', '.join(names)}")
    until = table.told.get("until")
    if not isinstance(until, datetime.date) or isinstance(until, datetime.datetime):
        raise table.error("until", until, "the date that it ends on: until = 2027-01-31")
    return Waiver(**texts, until=until)
