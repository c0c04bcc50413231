"""What a check is: a frozen value whose fields are its options; ``measure`` gives rows, ``summarise`` figures.

A *row* is a JSON object. Where a check goes picture by picture (``chunk`` > 0) there is one a picture, in their order.
Rows are kept by content (the model's bytes, its profile, check@version, options, seed, the pictures' bytes), and later
audits take them over, so ``measure`` is a pure function of these: it does not depend on the order of the pictures, on
how many are measured at a time, on their paths or on the process. Whoever changes what a row says raises ``version``.
What is random is seeded by :func:`seed_of`: the audit's seed, the check and the picture's bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self, final

from onnxray.methods.attack.rates import wilson
from onnxray.methods.option_checks import check_choices
from onnxray.model.model import Model

Row = Mapping[str, Any]
"""What was measured of a picture, or of the model, plain for JSON: in place of NaN and infinity None, with a reason."""

Better = Literal["higher", "lower"]

ALL: Final = -1
"""``chunk`` of a check that sees all pictures at once."""


@final
@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture of the audit. label: its class as stated (a number or a name). folder: the one that it lies in."""

    path: Path
    sha256: str
    label: int | str | None = None
    folder: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number that a policy may bound. low, high: its confidence interval; both the value where it is exact.

    count: of how many pictures (or nodes, ...) it is. unit: "share", "grey levels", "ms", ... better: which way is up;
    None: neither. slice: "class=NAME" or "folder=NAME" of a part. reason: why there is no value.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    count: int
    unit: str
    better: Better | None
    slice: str | None = None
    reason: str | None = None

    @classmethod
    def exact(
        cls, name: str, value: float, *, count: int = 1, unit: str = "", better: Better | None = None,
        slice: str | None = None,
    ) -> Self:  # fmt: skip
        """One that no sampling has a part in: of the file itself, or of every case there is."""
        return cls(name=name, value=value, low=value, high=value, count=count, unit=unit, better=better, slice=slice)

    @classmethod
    def share(
        cls, name: str, successes: int, count: int, confidence: float, *, better: Better | None = "higher",
        slice: str | None = None,
    ) -> Self:  # fmt: skip
        """A share of so many, with Wilson's interval; without a value where there are none."""
        low, high = wilson(successes, count, confidence) if count else (None, None)
        return cls(
            name=name, value=successes / count if count else None, low=low, high=high, count=count, unit="share",
            better=better, slice=slice, reason=None if count else "there are no pictures of it",
        )  # fmt: skip


@final
@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check says beside its figures. ``error`` fails the check, whatever its figures are; ``warning`` does not.

    Text of a model in it is shown escaped by whoever shows it. node, value: the ONNX names that it is about.
    """

    level: Literal["error", "warning", "note"]
    message: str
    node: str | None = None
    value: str | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the rows of a check come to. The first figure is the headline, which a policy's limits are for."""

    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    pictures: tuple[tuple[str, bytes], ...] = ()
    """(file name, PNG)."""


class Check(ABC):
    """A configured check. Subclasses are frozen keyword-only dataclasses, one file each in ``checks/``.

    Options are annotated as those of methods are (help text and Range). Their names are none of a policy's own keys,
    see ``policy.py``.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised with every change of what a row says."""
    title: ClassVar[str]
    """One line: what is measured."""
    chunk: ClassVar[int]
    """Pictures a unit; 0: one unit for the model, without pictures; ``ALL``: all pictures in one unit."""
    labelled: ClassVar[bool] = False
    """Whether ``measure`` reads the pictures' labels, which count as content then; else they are None there.
    ``summarise`` has them always."""
    needs_labels: ClassVar[bool] = False
    """Whether without labels it says nothing."""
    files: ClassVar[tuple[str, ...]] = ()
    """Options that are paths of files, which a policy states relative to its folder."""
    judges: ClassVar[bool] = False
    """Whether it can fail by findings of its own, without a limit in the policy."""

    def __post_init__(self) -> None:
        """Refuse options that do not fit. Errors: InputError."""
        check_choices(self)

    def unfit(self, model: Model) -> str | None:  # noqa: ARG002
        """Why it says nothing of this model, which is reported as such and never as passed; None where it does.

        It is asked before anything is run, and told from the graph.
        """
        return None

    @abstractmethod
    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """The rows of these pictures; without pictures, of the model. Errors: OnnxrayError; its text is the result."""

    @abstractmethod
    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """What rows come to. pictures: those of the rows, with their labels; the intervals are of ``confidence``."""

    def options(self) -> dict[str, Any]:
        """The options, plain for JSON."""
        assert dataclasses.is_dataclass(self)
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def seed_of(seed: int, check: Check, picture: Picture | None = None) -> int:
    """A seed of 63 bits for one picture, or for the model: of the audit's seed, the check and the picture's bytes."""
    text = f"{seed} {check.name}@{check.version} {'' if picture is None else picture.sha256}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def slices_of(pictures: Sequence[Picture]) -> dict[str, list[int]]:
    """``class=NAME`` and ``folder=NAME`` -> places of the pictures in it, in order of name."""
    found: dict[str, list[int]] = {}
    for place, picture in enumerate(pictures):
        if picture.label is not None:
            found.setdefault(f"class={picture.label}", []).append(place)
        if picture.folder:
            found.setdefault(f"folder={picture.folder}", []).append(place)
    return dict(sorted(found.items()))
