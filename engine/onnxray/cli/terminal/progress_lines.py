"""Progress where nobody looks at a terminal: a line a minute, with the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import final

from onnxray.errors.shown_text import terminal

_EVERY = 60.0
_SURE = 10.0
"""Seconds of work by which the rest is estimated."""
_LONG = 60.0
LONGEST_TASK = 200


@final
class ProgressLines:
    """Called as a run goes on; says at most every ``every`` seconds, first when so many have passed.

    The time left is what the k units since the first call took each, times those that are to come: t (n - done) / k.
    What was done by then was taken over from an earlier run, or took the time of starting the engines too.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        every: float = _EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every, self._clock, self._say = every, clock, say
        self._last = self._begun = clock()
        self._total = self._first = self._done = 0

    def __call__(self, done: int, total: int, what: str) -> None:
        """``done`` of ``total`` units of what is being done."""
        now = self._clock()
        if total != self._total or done < self._done:  # units of another kind, which have times of their own
            self._total, self._first, self._begun = total, done, now
        self._done = done
        if now - self._last < self._every:
            return
        self._last = now
        worked, spent = done - self._first, now - self._begun
        left = f", about {duration(spent * (total - done) / worked)} left" if worked > 0 and done < total else ""
        self._say(f"{done / max(total, 1):.0%}: {terminal(what, LONGEST_TASK)}{left}")


@final
class Estimate:
    """Passes progress on, and says once how long the rest will take, where that is a minute or more.

    It is said when ten seconds have passed and ``whole`` units are done: as many as are alike, as all methods on one
    image. hint: how it would go faster.
    """

    def __init__(
        self,
        progress: Callable[[int, int, str], None],
        say: Callable[[str], None],
        whole: int = 1,
        hint: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress, self._say, self._whole, self._hint, self._clock = progress, say, whole, hint, clock
        self._begun: float | None = None
        self._total = self._first = 0
        self._said = False

    def __call__(self, done: int, total: int, what: str) -> None:
        """``done`` of ``total`` units of what is being done."""
        self._progress(done, total, what)
        now = self._clock()
        if self._begun is None or total != self._total or done < self._first:
            self._begun, self._total, self._first = now, total, done
        worked, spent = done - self._first, now - self._begun
        if self._said or worked < self._whole or spent < _SURE:
            return
        self._said = True
        left = spent * (total - done) / worked
        if left >= _LONG:
            self._say(f"about {duration(left)} left{f'; {self._hint}' if self._hint else ''}")


def duration(seconds: float) -> str:
    """Seconds in the words of people: 40 s, 12 min, 3 h 20 min."""
    if seconds < 60:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
