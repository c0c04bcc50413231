"""A unit of work: the smallest thing that is never half done, named by what goes into it and never by names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self, final


def canonical(value: Any) -> str:
    """JSON of which equal values have one text. Errors: ValueError for NaN and infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def digest(value: Any) -> str:
    """The sha256 of that text."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


@final
@dataclass(frozen=True, kw_only=True)
class Unit:
    """What a unit is of.

    model: of the file and its external data. profile: how pictures become its input, and how its output is read.
    check: name@version. params: canonical JSON of the options, the seed in it. images: sha256 of each picture, with its
    label behind it where that counts.
    """

    model: str
    profile: str
    check: str
    params: str
    images: tuple[str, ...] = ()

    @cached_property
    def family(self) -> str:
        """What units of other pictures share with it."""
        return digest([self.model, self.profile, self.check, self.params])

    @cached_property
    def key(self) -> str:
        """sha256 of all of it."""
        return digest([self.family, list(self.images)])

    def to_dict(self) -> dict[str, Any]:
        """Plain for JSON."""
        return {**asdict(self), "images": list(self.images)}

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """A unit from what ``to_dict`` gave. Errors: KeyError, TypeError, ValueError."""
        texts = {name: told[name] for name in ("model", "profile", "check", "params")}
        images = tuple(told["images"])
        if not all(isinstance(text, str) for text in (*texts.values(), *images)):
            raise TypeError("a unit is of texts")
        return cls(**texts, images=images)
