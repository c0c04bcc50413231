"""Processes in place of the one that the page's models are worked with in; children import them by name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from onnxray.web.work.bench import Before


def deaf(*_: Any) -> None:
    """A process that a native library holds: it hears nothing."""
    time.sleep(60)


def echoing(parent: Any, sources: Any, how: Any, memory: Any, before: Mapping[int, Before]) -> None:
    """A process that answers each question with what it was told at its beginning."""
    while True:
        _, number, *_ = parent.recv()
        told = {model: dict(one[1]) for model, one in before.items()}
        parent.send(("answer", number, {"sha256": "abc", "told": told}))
