r"""Class names as exporters write them into a file's metadata, read by a grammar of our own: nothing is evaluated.

    ["cat", "dog"]          {"0": "cat", "1": "dog"}          JSON
    ['cat', 'dog']          {0: 'cat', 1: 'dog'}              Python's repr of a list, a tuple or a dict

Text in double quotes throughout is JSON with JSON's escapes, all else has Python's (but no ``\N{...}``).
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from onnxray.graph.outputs.label_checks import MAX_LABELS

MAX_TEXT: Final = 2**20
"""Characters of an entry of the metadata that is read as class names."""

_AROUND: Final = " \t\r\n'\"`\u2018\u2019\u201c\u201d"
_WORDNET: Final = re.compile(r"(n[0-9]{8}) +")
_MOST_COMPARED: Final = 30_000
_LONGEST_COMPARED: Final = 200

_CLOSING: Final = {"[": "]", "(": ")", "{": "}"}
_SPACE: Final = re.compile(r"[ \t\r\n]*+")
_STEPS: Final = {'"': re.compile(r'\\.|["\n]', re.DOTALL), "'": re.compile(r"\\.|['\n]", re.DOTALL)}
"""Quote -> what is met on the way to it: an escape, the quote, or a line's end, where no string reaches."""
_NUMBER: Final = re.compile(r"(?:0|[1-9][0-9]{0,6})(?![0-9])")
_ESCAPE: Final = re.compile(
    r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([xuUN])|(.))", re.DOTALL
)
_SIMPLE: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\n": ""} | {
    sign: sign for sign in "\\'\""
}


def places_of(labels: Sequence[str], text: str) -> list[int]:
    """Where a text is a class name: as it is written; else, case and quotes aside, whole; else as one of its synonyms.

    "n01443537 goldfish, Carassius auratus" is found by goldfish, by Carassius auratus and by n01443537 too.
    """
    exact = [place for place, label in enumerate(labels) if label == text]
    wanted = _plain(text)
    if exact or not wanted:
        return exact
    names = [_synonyms(label) for label in labels]
    whole = [place for place, found in enumerate(names) if wanted in found[:2]]
    return whole or [place for place, found in enumerate(names) if wanted in found]


def short_name(label: str) -> str:
    """What a class is called where there is little room: the first of its names, without its WordNet number."""
    number = _WORDNET.match(label)
    name = label[number.end() :] if number else label
    return name.partition(",")[0].strip() or label


def near_names(labels: Sequence[str], text: str) -> list[str]:
    """Up to three synonyms of class names that are written nearly so."""
    known = dict.fromkeys(
        name for label in labels[:_MOST_COMPARED] for name in _synonyms(label[:_LONGEST_COMPARED])[1:]
    )
    return difflib.get_close_matches(_plain(text[:_LONGEST_COMPARED]), known, n=3, cutoff=0.75)


def _synonyms(label: str) -> list[str]:
    """The label, the label without its WordNet number, that number, and what commas part."""
    plain = _plain(label)
    number = _WORDNET.match(plain)
    names = plain[number.end() :] if number else plain
    return [plain, names, *([number.group(1)] if number else []), *map(_plain, names.split(","))]


def _plain(text: str) -> str:
    return " ".join(text.strip(_AROUND).casefold().replace("_", " ").split())


def labels_of(value: object) -> tuple[str, ...] | None:
    """Return class names from a list, or from a mapping of 0..n-1; None for anything else, gaps included."""
    if isinstance(value, list | tuple) and value and all(isinstance(one, str) for one in value):
        return tuple(value)
    if not isinstance(value, Mapping) or not 0 < len(value) <= MAX_LABELS:
        return None
    by_index = {str(key): name for key, name in value.items()}
    names = [by_index.get(str(index)) for index in range(len(value))]
    return tuple(str(name) for name in names) if all(isinstance(name, str) for name in names) else None


def read_class_names(text: str) -> tuple[str, ...] | None:
    """Class names out of a text in one of the forms above; None for any other, and above MAX_TEXT characters."""
    if len(text) > MAX_TEXT:
        return None
    try:
        return labels_of(_read(text))
    except ValueError:
        return None


def _read(text: str) -> list[str] | dict[str | int, str]:
    """The items of a list or a dict, in one pass. Errors: ValueError."""
    place = _after_space(text, 0)
    opening = text[place : place + 1]
    if opening not in _CLOSING or not opening:
        raise ValueError(opening)
    closing, place = _CLOSING[opening], _after_space(text, place + 1)
    keys: list[str | int] = []
    items: list[str] = []
    json_too, comma = True, False
    while text[place : place + 1] != closing:
        if items and not comma:
            raise ValueError(place)
        if opening == "{":
            key, place, plain = _number_or_string(text, place)
            keys.append(key)
            json_too = json_too and plain
            if text[place : place + 1] != ":":
                raise ValueError(place)
            place = _after_space(text, place + 1)
        item, place, plain = _string(text, place)
        json_too = json_too and plain
        items.append(item)
        comma = text[place : place + 1] == ","
        place = _after_space(text, place + comma)
    if place + 1 != len(text.rstrip(" \t\r\n")) or (opening == "(" and len(items) == 1 and not comma):
        raise ValueError(place)
    decode = _from_json if json_too else _from_python
    items = [decode(item) for item in items]
    if opening != "{":
        return items
    return dict(zip((decode(key) if isinstance(key, str) else key for key in keys), items))


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    assert found is not None
    return found.end()


def _string(text: str, place: int) -> tuple[str, int, bool]:
    """What stands between quotes as it is written, the place after it, and whether the quotes are JSON's."""
    quote = text[place : place + 1]
    for found in _STEPS[quote].finditer(text, place + 1) if quote in _STEPS else ():
        if found.group() == quote:
            return text[place + 1 : found.start()], _after_space(text, found.end()), quote == '"'
        if found.group() == "\n":
            break
    raise ValueError(place)


def _number_or_string(text: str, place: int) -> tuple[str | int, int, bool]:
    found = _NUMBER.match(text, place)
    if found is None:
        return _string(text, place)
    return int(found.group()), _after_space(text, found.end()), False


def _from_json(written: str) -> str:
    if "\\" not in written:
        return written
    try:
        return str(json.loads(f'"{written}"'))
    except ValueError:
        return _from_python(written)


def _from_python(written: str) -> str:
    return _ESCAPE.sub(_meant, written) if "\\" in written else written


def _letter(code: int) -> str:
    if code > sys.maxunicode:
        raise ValueError(code)
    return chr(code)


def _meant(found: re.Match[str]) -> str:
    octal, two, four, eight, broken, sign = found.groups()
    if broken:
        raise ValueError(found.group())
    if octal:
        return chr(int(octal, 8))
    code = two or four or eight
    if code:
        return _letter(int(code, 16))
    return _SIMPLE.get(sign, found.group())
