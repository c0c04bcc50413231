"""What was meant by a word that is none of those there are."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_LONGEST = 80
"""Letters of a word that are compared: likening takes their number squared."""


def did_you_mean(text: str, known: Collection[str], *, count: int = 1) -> str:
    """``did you mean 'grad-cam'? `` of the words most like ``text``, at most ``count``; nothing where none is."""
    plain = {word.lower(): word for word in known}
    near = difflib.get_close_matches(text[:_LONGEST].lower(), plain, n=count)
    return f"did you mean {' or '.join(repr(plain[word]) for word in near)}? " if near else ""
