"""What class names may be, wherever they are stated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

MAX_LABELS: Final = 1_000_000
"""Class names of a model."""
MAX_LABEL: Final = 1000
"""Characters of a class name."""


def label_fault(labels: object) -> tuple[Any, str] | None:
    """What is wrong with class names, and what was expected; None where nothing is."""
    if isinstance(labels, str) or not isinstance(labels, Sequence) or not labels:
        return labels, "a list of class names, one a logit"
    if len(labels) > MAX_LABELS:
        return labels, f"at most {MAX_LABELS} class names, not {len(labels)}"
    for label in labels:
        if not isinstance(label, str):
            return label, "text"
        try:
            label.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can carry and no file can
            return label, "text that can be written as UTF-8"
        if len(label) > MAX_LABEL:
            return label, f"class names of at most {MAX_LABEL} characters, not {len(label)}"
    return None
