from __future__ import annotations

import sys

import pytest

from onnxray.cli.terminal.shown_names import shown_names

LONG = "photographs-of-birds-taken-in-the-summer-of-2019-near-the-lake-number-0001.jpg"


@pytest.mark.parametrize(
    ("paths", "shown"),
    [
        ([], []),
        ([None], ["array"]),
        (["a.png"], ["a.png"]),
        (["d/a.png"], ["a.png"]),
        (["d/a.png", "d/b.png", None], ["a.png", "b.png", "array"]),
        (["d/cat/1.png", "d/dog/1.png"], ["cat/1.png", "dog/1.png"]),
        (["/x/cat/1.png", "/x/2.png"], ["cat/1.png", "2.png"]),
        (["x/1.png", "y/1.png"], ["x/1.png", "y/1.png"]),
        (["../x/1.png", "../y/1.png"], ["x/1.png", "y/1.png"]),
        (["/x/1.png", "1.png"], ["/x/1.png", "1.png"]),
        (["/1.png", "/x/2.png"], ["1.png", "x/2.png"]),
        ([LONG], [LONG]),
    ],
)
def test_names_are_relative_to_the_folder_that_holds_all(paths: list[str | None], shown: list[str]):
    assert shown_names(paths) == shown


def test_on_a_terminal_a_long_name_loses_its_middle(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    (name, short) = shown_names([f"d/{LONG}", "d/" + "x" * 44 + ".png"])
    assert len(name) == 48
    head, tail = name.split("\u2026")
    assert LONG.startswith(head)
    assert LONG.endswith(tail)
    assert tail.endswith("0001.jpg")
    assert short == "x" * 44 + ".png"
