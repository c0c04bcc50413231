"""How far a run is: a bar of tqdm's, in the output of a notebook's cell, or on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from onnxray.errors import InputError
from onnxray.errors.library_warnings import warned
from onnxray.errors.shown_text import terminal
from onnxray.errors.type_checks import check_callable
from onnxray.notebooks.surroundings import in_notebook

Tick = Callable[[int, int, str], None]
"""(units done, units in all, what is being done)."""

_LONGEST, _DELAY = 60, 0.5
_FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


def check_progress(stated: object) -> None:
    """Refuse what is neither a truth value nor a function of (done, total, what), nor None. Errors: InputError."""
    if not isinstance(stated, bool):
        check_callable("progress", stated, "done", "total", "what", optional=True)


@contextmanager
def shown(stated: Tick | bool | None) -> Iterator[Tick | None]:
    """What is called as a run goes on; None where nothing is.

    stated: a function is it itself; True asks for a bar; None for one where there is a notebook and tqdm is installed.
    The bar comes after half a second, and goes at the end. Errors: InputError for True where tqdm is not installed.
    """
    if stated is False or (stated is None and not in_notebook()):
        yield None
        return
    if callable(stated):
        yield stated
        return
    try:
        with warned("ignore"):  # of notebooks without widgets, where the bar is made of text
            from tqdm.auto import tqdm
    except ImportError:
        if stated is None:
            yield None
            return
        raise InputError(
            "progress=True needs the package tqdm: pip install onnxray[notebooks]; or give a function of "
            "(done, total, what)"
        ) from None
    with warned("ignore"):
        bar = tqdm(total=1, bar_format=_FORMAT, leave=False, delay=_DELAY)

    def tick(done: int, total: int, what: str) -> None:
        if total != bar.total:
            bar.reset(total)  # a widget takes it by no other way
        bar.set_description_str(terminal(what, _LONGEST), refresh=False)
        bar.update(done - bar.n)

    try:
        yield tick
    finally:
        bar.close()
