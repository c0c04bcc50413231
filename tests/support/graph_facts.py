"""A stand-in for a graph of which only a few facts are asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def graph_facts(*, logits: str = "out", features: str | None = None, **facts: Any) -> Any:
    """What has these facts, and these values for logits and features."""
    found = {"_find_logits": logits, "_find_features": features}
    return SimpleNamespace(**facts, once=lambda question: found[question.__name__])
