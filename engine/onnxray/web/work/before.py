"""What is known of a model before its process is there to ask; it loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Before:
    """What a process that was ended had opened: the file's content, and fields of its profile that were stated."""

    sha256: str
    fields: Mapping[str, str | None] = field(default_factory=dict)
