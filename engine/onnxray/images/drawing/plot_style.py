"""Plots by matplotlib's own defaults.

matplotlib reads a file ``matplotlibrc`` in the working folder, where a stranger's may lie beside the model: it can have
TeX run over every text, with lines of its own before them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_style() -> Iterator[None]:
    """Draw and save within this, or in a function that is decorated with it, as if nobody had set anything."""
    import matplotlib as mpl

    defaults = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"}
    with mpl.rc_context(defaults):
        yield
