"""Protocol buffers' text format, as far as prototxt files use it: read to messages of plain values.

    name: "conv1"   kernel_size: 5   weight_filler { type: "xavier" }   dim: [1, 3, 224, 224]   # a comment

Nothing of it is looked up or run. Time and memory are bounded by the length of the text, depth by ``limits.DEPTH``.
Errors: ValueError with the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from onnxray.errors.short_values import short
from onnxray_adapters.caffe.limits import DEPTH

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\f\v]+|\#[^\n]*)|(?P<newline>\n)
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<number>-?(?:0[xX][0-9a-fA-F]{1,16}|(?:[0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})(?:[eE][-+]?[0-9]{1,9})?)[fF]?(?![\w.]))
    |(?P<word>-?[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>[:{}<>\[\],;])""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
_PLAIN: Final = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_CLOSES: Final = {"{": "}", "<": ">"}


class Word(str):
    """A word without quotes: the name of an enum's value, or true and false."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Message:
    """A message: field -> its values in order; ``line``: where it begins."""

    fields: Mapping[str, tuple[Value, ...]]
    line: int = 0


Value: TypeAlias = "int | float | str | Word | Message"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def parse(text: str) -> Message:
    """The message that a whole text is. Errors: ValueError naming the line."""
    reader = _Reader(_tokens(text))
    message = reader.message("", 0)
    assert reader.current.kind == "end"
    return message


def _tokens(text: str) -> Iterator[_Token]:
    line, position = 1, 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise ValueError(f"line {line}: {short(text[position : position + 20])} is not understood")
        kind, position = str(found.lastgroup), found.end()
        if kind == "newline":
            line += 1
        elif kind != "space":
            yield _Token(kind, found.group(), line)
    yield _Token("end", "", line)


class _Reader:
    """Recursive descent, one token ahead."""

    def __init__(self, tokens: Iterator[_Token]) -> None:
        self._tokens = tokens
        self.current = next(tokens)

    def message(self, closing: str, depth: int) -> Message:
        line = self.current.line
        if depth > DEPTH:
            raise ValueError(f"line {line}: messages lie in messages more than {DEPTH} deep")
        found: dict[str, list[Value]] = {}
        while not self._is(closing) if closing else self.current.kind != "end":
            name = self._take("word", "the name of a field" + (f", or {closing!r}" if closing else ""))
            found.setdefault(name.text, []).extend(self._values(depth))
            while self._is(",") or self._is(";"):
                self._next()
        if closing:
            self._next()
        return Message(MappingProxyType({name: tuple(values) for name, values in found.items()}), line)

    def _values(self, depth: int) -> list[Value]:
        stated = self._is(":")
        if stated:
            self._next()
        if not self._is("["):
            return [self._value(depth, stated)]
        self._next()
        values: list[Value] = []
        while not self._is("]"):
            values.append(self._value(depth, stated))
            if self._is(","):
                self._next()
            elif not self._is("]"):
                raise self._unexpected("',' or ']'")
        self._next()
        return values

    def _value(self, depth: int, stated: bool) -> Value:
        token = self.current
        if token.text in _CLOSES and token.kind == "sign":
            self._next()
            return self.message(_CLOSES[token.text], depth + 1)
        if not stated:
            raise self._unexpected("':' or '{'")
        if token.kind == "text":
            parts = []
            while self.current.kind == "text":  # texts beside each other are one
                parts.append(_unescaped(self.current))
                self._next()
            return "".join(parts)
        if token.kind == "number":
            self._next()
            return _number(token)
        return Word(self._take("word", "a value").text)

    def _is(self, sign: str) -> bool:
        return self.current.kind == "sign" and self.current.text == sign

    def _take(self, kind: str, expected: str) -> _Token:
        token = self.current
        if token.kind != kind:
            raise self._unexpected(expected)
        self._next()
        return token

    def _next(self) -> None:
        self.current = next(self._tokens)

    def _unexpected(self, expected: str) -> ValueError:
        shown = "the text ends" if self.current.kind == "end" else f"{short(self.current.text[:80])} stands there"
        return ValueError(f"line {self.current.line}: {expected} was expected, {shown}")


def _number(token: _Token) -> int | float:
    text = token.text
    digits = text.lstrip("-")
    if digits[:2].lower() == "0x":
        number: int | float = int(digits, 16)
    elif digits.isdigit():
        octal = len(digits) > 1 and digits[0] == "0"
        if octal and not set(digits) <= set("01234567"):
            raise ValueError(f"line {token.line}: {text[:40]!r} begins with a zero and is no octal number")
        number = int(digits, 8 if octal else 10)
    else:
        number = float(digits.rstrip("fF"))
    if number in (float("inf"), float("-inf")) or abs(number) > 1.8e308:
        raise ValueError(f"line {token.line}: {text[:40]!r} is beyond every number")
    return -number if text.startswith("-") else number


def _unescaped(token: _Token) -> str:
    raw = token.text[1:-1].encode("utf-8", "surrogatepass")

    def meant(found: re.Match[bytes]) -> bytes:
        octal, digits, sign = found.groups()
        if octal is not None:
            return bytes([int(octal, 8) & 255])
        return bytes([int(digits, 16)]) if digits is not None else _PLAIN.get(sign, sign)

    try:
        return _ESCAPE.sub(meant, raw).decode()
    except UnicodeDecodeError:
        raise ValueError(f"line {token.line}: {short(token.text)} is no UTF-8 text") from None
