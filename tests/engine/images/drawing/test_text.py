"""Words of strangers broken into lines: every piece fits and is the longest that does, and a long word costs no more."""

from __future__ import annotations

import pytest

from onnxray.images.drawing.text import clean_text, pieces

WORDS = ("", "x", "W" * 90, "/layer1/block0/conv_Output_0aaaaaaaaaaaaaaaaaaaa", "é__a:" * 20, "." * 41)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("width", [1, 2, 7, 40])
def test_pieces_are_the_longest_that_fit(word: str, width: int) -> None:
    lines = list(pieces(word, lambda text: len(text) <= width))
    assert "".join(lines) == word
    assert all(len(line) <= width for line in lines)
    # Shorter ones end behind a sign, in the second half of what would have fitted.
    assert all(len(line) == width or (line[-1] in "/\\_.:,;=-" and len(line) > width // 2) for line in lines[:-1])


def test_a_sign_that_does_not_fit_stands_alone() -> None:
    assert list(pieces("abc", lambda text: False)) == ["a", "b", "c"]


def test_a_long_word_of_escapes_is_measured_in_parts() -> None:
    """Its length squared was measured, for every piece: minutes."""
    measured = 0

    def fits(text: str) -> bool:
        nonlocal measured
        measured += len(text)
        return len(text) <= 20

    word = clean_text("\u202e" * 1000)
    assert "".join(pieces(word, fits)) == word
    assert measured < 20 * len(word)
