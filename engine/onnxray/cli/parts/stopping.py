"""Ctrl-C and SIGTERM: the first ends a run with what it has finished, the second ends the process at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it, the first of these signals raises KeyboardInterrupt; after that they do what they do by themselves.

    A signal that is ignored (as in what a shell starts in the background) stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def first(number: int, frame: FrameType | None) -> None:
        for each in heard:
            signal.signal(each, signal.SIG_DFL)
        handler = before[signal.Signals(number)]
        if callable(handler):  # a child of --timeout answers its parent; Python's own raises
            handler(number, frame)
        raise KeyboardInterrupt

    for number in heard:
        signal.signal(number, first)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number] or signal.SIG_DFL)
