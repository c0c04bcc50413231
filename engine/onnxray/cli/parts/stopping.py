"""Ctrl-C and SIGTERM: the first ends a run with what it has finished, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it, the first of these signals raises KeyboardInterrupt; after that they do what they do by themselves.

    A signal that is ignored (as in what a shell starts in the background) stays so. While something is being imported
    the first waits for its end: native code that is interrupted in its initialisation fails in ways of its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    waiting, again = threading.Event(), threading.Event()

    def first(number: int, frame: FrameType | None) -> None:
        repeated = again.is_set()
        again.clear()
        if _is_importing(frame) and (repeated or not waiting.is_set()):
            waiting.set()
            threading.Thread(target=_after_the_import, args=(number, again), daemon=True).start()
            return
        for each in heard:
            signal.signal(each, signal.SIG_DFL)
        if _is_importing(frame):  # a second one came before the first could be heard
            signal.raise_signal(number)
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


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _after_the_import(number: int, again: threading.Event) -> None:
    """Send the signal once more when the main thread imports nothing."""
    main = threading.main_thread().ident
    while main is not None and _is_importing(sys._current_frames().get(main)):
        time.sleep(0.005)
    again.set()
    os.kill(os.getpid(), number)
