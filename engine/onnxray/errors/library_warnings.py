"""Warnings of other libraries, kept from the terminal: one thread at a time, for Python's filters are everyone's.

Two threads inside ``warnings.catch_warnings`` put back each other's filters, and may leave the wrong ones for good.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from onnxray.errors.forks import ProcessLock

_ONE: Final = ProcessLock()


@contextmanager
def warned(
    action: Literal["always", "ignore", "error"], category: type[Warning] = Warning
) -> Iterator[list[warnings.WarningMessage]]:
    """What is warned of inside: listed (``always``), dropped (``ignore``) or raised (``error``)."""
    with _ONE, warnings.catch_warnings(record=action == "always") as caught:
        warnings.simplefilter(action, category)
        yield [] if caught is None else caught
