r"""Text of strangers, made fit for the place where it is shown: one function a place.

Names, labels, paths and native libraries' messages may hold anything: what moves a terminal's cursor or changes its
title, what turns the direction of reading, what cannot be seen. Each such letter is shown as the escape that Python
writes for it (``\x1b``, ``\u202e``, ``\n``); none is dropped. An escape is plain ASCII, so that escaping twice is the
same as once, and a backslash stays what it is. Rich's markup: ``cli/parts/console.py``; plots and sheets:
``images/drawing/text.py``; names of files: ``results/file_names.py``.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from typing import Any

_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
# Letters by their category that no font draws: fillers, joiners, variation selectors, tags.
_IGNORABLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]")
_SUSPECT, _SUSPECT_IN_JSON = re.compile("[^ -~]"), re.compile("[^\n -~]")
_LINE_ENDS = re.compile("[\t\n\r\f\v]+")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONGEST_LINE = 2000


def terminal(text: str, longest: int | None = None) -> str:
    """``text`` on one line, as a terminal may show it; longer than ``longest``, its two ends and the count."""
    return _SUSPECT.sub(_escaped, text if longest is None else shortened(text, longest))


def one_line(message: str) -> str:
    """A message, often of several lines and often with names in it, as one line of bounded length."""
    parts = (part.strip(" ") for part in _LINE_ENDS.split(message))
    return terminal(" ".join(part for part in parts if part), _LONGEST_LINE)


def shortened(text: str, longest: int) -> str:
    """``text``, or its two ends with the number of its characters between: names differ at their ends."""
    if len(text) <= longest:
        return text
    return f"{text[: longest * 2 // 3]}… ({len(text)} characters) …{text[-(longest // 3) :]}"


def json_text(value: Any, *, ascii: bool = False) -> str:
    r"""A JSON document that is valid in UTF-8 and safe to print: what cannot be seen stands as ``\u202e``.

    It reads back as the same value; so do lone surrogates, which stand in paths for bytes that are no UTF-8. ``ascii``:
    for where not even UTF-8 can be written.
    """
    # Outside of strings a document has no such letters, but for the ends of its lines.
    return _SUSPECT_IN_JSON.sub(_escaped_in_json, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=ascii))


def html_text(text: str) -> str:
    """``text`` as it may stand in a page, between tags and in the quotes of an attribute: one line, all of it text."""
    return html.escape(terminal(text), quote=True)


def is_unicode(text: str) -> bool:
    """Whether ``text`` can be written as UTF-8; paths whose bytes are none cannot, and hold lone surrogates instead."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def toml_string(text: str) -> str:
    """``text`` as a TOML string. Errors: UnicodeEncodeError for lone surrogates, which TOML has no way to write."""
    text.encode()
    # JSON's escapes are TOML's, but for those of letters beyond 16 bits; TOML wants DEL escaped too.
    return _SUSPECT.sub(_escaped_in_toml, json.dumps(text, ensure_ascii=False))


def _is_seen(letter: str) -> bool:
    return unicodedata.category(letter) not in _UNSEEN and _IGNORABLE.match(letter) is None


def _escaped(found: re.Match[str]) -> str:
    letter = found.group()
    if _is_seen(letter):
        return letter
    code = ord(letter)
    return _SHORT.get(letter) or (f"\\x{code:02x}" if code < 0x100 else _escaped_in_toml(found))


def _escaped_in_toml(found: re.Match[str]) -> str:
    letter = found.group()
    code = ord(letter)
    return letter if _is_seen(letter) else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escaped_in_json(found: re.Match[str]) -> str:
    letter = found.group()
    return letter if _is_seen(letter) else json.dumps(letter)[1:-1]
