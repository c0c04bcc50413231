"""Pictures that are still being made, shown to who asked to look on: the page that is explored in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from onnxray.arrays import Image8

Look = Callable[[Callable[[], Image8]], None]
"""Given what makes the pictures as they are now, (N, C, H, W), which costs nothing until it is called."""

_LOOKING: ContextVar[Look | None] = ContextVar("looking", default=None)


@contextmanager
def looking_on(look: Look) -> Iterator[None]:
    """Within it ``look`` is offered pictures that are being made, as often as a method has new ones."""
    before = _LOOKING.set(look)
    try:
        yield
    finally:
        _LOOKING.reset(before)


def offer(make: Callable[[], Image8]) -> None:
    """Offer the pictures as they are now to who looks on, if anybody does."""
    look = _LOOKING.get()
    if look is not None:
        look(make)
