"""Processes of our own that are started anew: what they may take from here, and when they end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SAFE: Final = "PYTHONSAFEPATH"


@contextmanager
def no_code_from_here() -> Iterator[None]:
    """Python starts a child by ``python -c``, which takes modules from the working folder: there may lie a stranger's
    ``socket.py`` beside the model. Then the child's own list of folders becomes that of its parent.
    """
    before = os.environ.get(_SAFE)
    os.environ[_SAFE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE]
        else:
            os.environ[_SAFE] = before


def end_with_the_parent() -> None:
    """In a child: end when its parent is gone, whatever is being done then."""
    threading.Thread(target=_end, daemon=True).start()


def _end() -> None:
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
