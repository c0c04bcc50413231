from __future__ import annotations

import pytest

from onnxray.cli.terminal.progress_lines import Estimate, ProgressLines, duration


class Told:
    """A clock that is set by hand, and what was said."""

    def __init__(self) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.lines = ProgressLines(self.said.append, 60.0, lambda: self.now)

    def at(self, now: float, done: int, total: int, what: str = "images") -> list[str]:
        self.now = now
        self.said.clear()
        self.lines(done, total, what)
        return [*self.said]


def test_a_line_a_minute_with_the_time_left():
    told = Told()
    assert told.at(1, 1, 100) == []
    assert told.at(59, 20, 100) == []
    # 30 units since the first call in 60 s: 2 s each, 69 to come
    assert told.at(61, 31, 100) == ["31%: images, about 2 min left"]
    assert told.at(100, 60, 100) == []
    assert told.at(121, 81, 100) == ["81%: images, about 28 s left"]
    assert told.at(190, 100, 100) == ["100%: images"]


def test_what_is_taken_over_or_just_begun_promises_nothing():
    told = Told()
    assert told.at(70, 90, 100) == ["90%: images"]
    assert told.at(140, 91, 100) == ["91%: images, about 10 min left"]


def test_units_of_another_kind_have_times_of_their_own():
    told = Told()
    told.at(0, 0, 10, "curves")
    told.at(59, 10, 10, "curves")
    assert told.at(61, 1, 1000, "masks") == ["0%: masks"]
    assert told.at(122, 62, 1000, "masks") == ["6%: masks, about 16 min left"]


def test_what_is_done_is_text():
    assert Told().at(61, 1, 2, "\x1b[2Jof a file") == ["50%: \\x1b[2Jof a file"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (59, "59 s"), (60, "1 min"), (3560, "59 min"), (3599, "1 h 0 min"), (12_000, "3 h 20 min")],
)
def test_durations(seconds: float, said: str):
    assert duration(seconds) == said


def told(steps: list[tuple[float, int, int]], whole: int = 1) -> tuple[list[str], int]:
    """What an estimate says of (seconds, done, total), and how much progress it passes on."""
    now, said, passed = [0.0], list[str](), list[int]()
    estimate = Estimate(lambda done, *_: passed.append(done), said.append, whole, "be quick", clock=lambda: now[0])
    for seconds, done, total in steps:
        now[0] = seconds
        estimate(done, total, "work")
    return said, len(passed)


def test_an_estimate_is_the_time_of_what_is_done_times_what_is_not() -> None:
    # 2 of 20 in 12 s: 6 s each, 18 to come
    assert told([(5.0, 0, 20), (11.0, 1, 20), (17.0, 2, 20), (23.0, 3, 20)]) == (["about 2 min left; be quick"], 4)
    assert told([(0.0, 0, 20), (40.0, 1, 20)], whole=2)[0] == [], "methods of one image are not alike"
    assert told([(0.0, 0, 20), (40.0, 1, 20), (41.0, 2, 20)], whole=2)[0] == ["about 6 min left; be quick"]
    assert told([(0.0, 0, 20), (12.0, 10, 20)])[0] == [], "12 s are not worth a word"
    assert told([(0.0, 0, 20), (9.0, 1, 20)])[0] == [], "too early"
    assert told([(0.0, 10, 20), (20.0, 11, 20)])[0] == ["about 3 min left; be quick"], (
        "what was taken over took no time"
    )
