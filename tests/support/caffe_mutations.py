"""A prototxt and a caffemodel made wrong at random places: numbers above all, words, lines, lengths, bytes."""

from __future__ import annotations

import re

import numpy as np

_NUMBER = re.compile(r"(?<=: )-?[0-9.]+(?:e-?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z_]{2,}")
_NUMBERS = (
    "0",
    "-1",
    *"0123456789" * 2,
    "16",
    "100",
    "5000",
    "65536",
    "2147483647",
    "4294967296",
    "1e18",
    "1e-45",
    "nan",
    "0.5",
)
_WORDS = (
    "dim",
    "MAX",
    "AVE",
    "TRAIN",
    "true",
    "Convolution",
    "Pooling",
    "Reshape",
    "axis",
    "bottom",
    "top",
    "layer",
    "inf",
)
_STRUCTURE = 200
"""Bytes at the beginning of each message in which lengths and keys lie, rather than the numbers of a blob."""


def mutated(text: str, data: bytes, random: np.random.Generator) -> tuple[bytes, bytes]:
    """The two files with one of them, or both, made wrong in one to three places."""
    raw = text.encode()
    for _ in range(int(random.choice((1, 1, 1, 2, 3)))):
        if random.random() < 0.7:
            raw = _wrong_text(raw.decode(errors="replace"), random)
        else:
            data = _wrong_bytes(data, random)
    return raw, data


def _wrong_text(text: str, random: np.random.Generator) -> bytes:
    kind = int(random.integers(-4, 7))
    if kind <= 2:
        return _replaced(text, _NUMBER, str(random.choice(_NUMBERS)), random).encode()
    if kind == 3:
        return _replaced(text, _WORD, str(random.choice(_WORDS)), random).encode()
    lines = text.split("\n")
    first, second = (int(random.integers(0, len(lines))) for _ in range(2))
    if kind == 4:
        lines[first], lines[second] = lines[second], lines[first]
    elif kind == 5:
        del lines[first]
    else:
        lines.insert(first, lines[second])
    return "\n".join(lines).encode()


def _replaced(text: str, pattern: re.Pattern[str], by: str, random: np.random.Generator) -> str:
    found = list(pattern.finditer(text))
    if not found:
        return text + by
    one = found[int(random.integers(0, len(found)))]
    return text[: one.start()] + by + text[one.end() :]


def _wrong_bytes(data: bytes, random: np.random.Generator) -> bytes:
    kind = int(random.integers(0, 5))
    names = [found.start() for found in re.finditer(rb"[a-z0-9_/]{3,}", data[:4096])] or [0]
    at = (
        min(int(random.choice(names)) + int(random.integers(-4, _STRUCTURE)), len(data) - 1)
        if random.random() < 0.7
        else int(random.integers(0, len(data)))
    )
    at = max(at, 0)
    if kind == 0:
        return data[:at]
    changed = bytearray(data)
    if kind == 1:
        changed[at] ^= 1 << int(random.integers(0, 8))
    elif kind == 2:
        changed[at] = int(random.integers(0, 256))
    elif kind == 3:
        changed[at:at] = b"\xff" * int(random.integers(1, 11))
    else:
        del changed[at : at + int(random.integers(1, 9))]
    return bytes(changed)
