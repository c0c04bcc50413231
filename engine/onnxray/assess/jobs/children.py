"""Processes of our own that are started anew: what they may take from here, and when they end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_ENVIRONMENT: Final = {"PYTHONSAFEPATH": "1", "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "passive")}


@contextmanager
def environment_of_children() -> Iterator[None]:
    """What a child is started with.

    Python starts it by ``python -c``, which takes modules from the working folder: there may lie a stranger's
    ``socket.py`` beside the model. ``PYTHONSAFEPATH`` keeps them out; then the child's own list of folders becomes that
    of its parent. Torch's threads spin while they wait for each other: those of several processes on the same cores for
    each other's turns (five times the processor time, and ten times the time, of an attack on LeNet).
    """
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def end_with_the_parent() -> None:
    """In a child: end when its parent is gone, whatever is being done then."""
    threading.Thread(target=_end, daemon=True).start()


def _end() -> None:
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
