"""One difference between two files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """One difference. what: which part of the model; where: its name; old, new: in short, None where it is missing."""

    what: str
    where: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        named = f"{self.what} {self.where}".strip()
        if self.old is None:
            return f"{named}: only in the new file ({self.new})"
        if self.new is None:
            return f"{named}: only in the old file ({self.old})"
        return f"{named}: {self.old} -> {self.new}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"what": self.what, "where": self.where, "old": self.old, "new": self.new}
