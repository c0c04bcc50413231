"""What sheets say of something that was made of some pictures and tried on others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxray.methods.attack.rates import rate_text

SAID = {
    "held_out": "held out", "fitted": "made of", "random_held_out": "random, held out",
    "random_fitted": "random, made of",
}  # fmt: skip
"""What rates are of, in words and in the order of their weight."""


def rate_lines(rates: Mapping[str, Mapping[str, Any] | None]) -> tuple[str, ...]:
    """A line for each."""
    return tuple(f"{words}: {rate_text(rate)}" for name, words in SAID.items() if (rate := rates.get(name)) is not None)


def name_of(example: Mapping[str, Any]) -> str:
    """The file's name."""
    return Path(example["path"]).name if example["path"] else "picture"


def verdict_of(example: Mapping[str, Any]) -> str:
    """From which label to which, or whether the goal was reached where there are none."""
    if example["label"] is None:
        return "reached" if example["reached"] else "not reached"
    kept = "" if example["reached"] else " (not reached)"
    return f"{example['label']} -> {example['label_after']}{kept}"
