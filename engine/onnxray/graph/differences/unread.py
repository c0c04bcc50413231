"""What no engine reads of a file: words (doc_string), how it is to be trained, and fields that ONNX does not have.

The skeleton leaves these out where they are long, so that a file with a payload in them opens as one without. Here the
file's own bytes are walked for them, however short they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import onnx
from google.protobuf.descriptor import Descriptor

from onnxray.errors.short_values import short
from onnxray.graph.differences.change import Change
from onnxray.graph.file.container import Container
from onnxray.graph.file.skeleton import DEEPEST, Read, Span, fields_of, kind_of

_PART: Final = 2**22
_WORDS: Final = 60
"""Bytes of a single field that are shown as text; of others the length and the hash are told."""


def unread_changes(old: Container, new: Container) -> Iterator[Change]:
    """A change for each kind of field that no engine reads and that the files do not share, in order."""
    sides = _unread(old), _unread(new)
    for where in sorted(sides[0].keys() | sides[1].keys()):
        before, after = (side.get(where) for side in sides)
        if before != after:
            yield Change("unread", where, before, after)


def _unread(container: Container) -> dict[str, str]:
    """Kind of message and field -> what all of them together hold, in short. Errors: ModelFileError."""
    with container.reading() as (read, size):
        spans: dict[str, list[Span]] = {}
        for where, span in _walk(read, onnx.ModelProto.DESCRIPTOR, 0, size, 0):
            spans.setdefault(where, []).append(span)
        return {where: _said(read, found) for where, found in spans.items()}


def _walk(read: Read, descriptor: Descriptor, start: int, end: int, depth: int) -> Iterator[tuple[str, Span]]:
    if depth > DEEPEST:
        raise ValueError(f"messages in messages, more than {DEEPEST} deep")
    kind = kind_of(descriptor)
    for number, wire, first, body, last in fields_of(read, start, end):
        inner = kind.messages.get(number)
        if (number, wire) not in kind.known:
            field = descriptor.fields_by_number.get(number)
            yield f"{kind.name}.{field.name if field is not None else number}", (body if wire == 2 else first, last)
        elif inner is not None and wire == 2:
            yield from _walk(read, inner, body, last, depth + 1)


def _said(read: Read, spans: list[Span]) -> str:
    """Of one short field its words, of more the number of bytes and a hash, in which each one's length counts."""
    total = sum(last - first for first, last in spans)
    if len(spans) == 1 and total <= _WORDS:
        return short(read(*spans[0]).decode("utf-8", "backslashreplace"))
    digest = hashlib.sha256()
    for first, last in spans:
        digest.update((last - first).to_bytes(8, "little"))
        for start in range(first, last, _PART):
            digest.update(read(start, min(start + _PART, last)))
    return f"{total:,} bytes in {len(spans)}, sha256 {digest.hexdigest()[:16]}"
