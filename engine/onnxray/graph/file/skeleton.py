"""What is kept of a model's bytes: all that protobuf knows, but for the data of large initialisers.

The file is walked by its lengths alone, so that a weight, or a field that is no part of ONNX, costs nothing however
large it is. A message of more than a kilobyte is looked into; smaller ones are kept as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from google.protobuf.descriptor import Descriptor, FieldDescriptor

INLINE_LIMIT = 4096
"""Initialisers up to this many bytes stay in the skeleton: shapes, axes and other constants that inference needs."""

LARGEST_SKELETON = 2**30
"""Bytes that a model may hold beside the raw data of its initialisers: nodes, names, constants, numbers written out."""

_LOOKED_INTO = 1024
DEEPEST = 100
"""Messages in messages, as protobuf itself limits them."""

_WINDOW = 65536
_MANY = 16
"""Numbers of one field in a row, after which the rest of the row is looked for at once."""
_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_WIRE = {
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FIXED64: _FIXED64,
    FieldDescriptor.TYPE_SFIXED64: _FIXED64,
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
    FieldDescriptor.TYPE_FIXED32: _FIXED32,
    FieldDescriptor.TYPE_SFIXED32: _FIXED32,
    FieldDescriptor.TYPE_STRING: _DELIMITED,
    FieldDescriptor.TYPE_BYTES: _DELIMITED,
    FieldDescriptor.TYPE_MESSAGE: _DELIMITED,
}
_UNUSED = {"training_info", "doc_string"}
"""How a model is to be trained, and words about it: no engine reads them. Long ones are left out."""

Read = Callable[[int, int], bytes]
"""(start, end) -> these bytes of the model."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of message: field number -> the message that it holds, or None; the (number, wire type) that it knows."""

    name: str
    messages: Mapping[int, Descriptor | None]
    known: frozenset[tuple[int, int]]


@functools.cache
def kind_of(descriptor: Descriptor) -> Kind:
    """What is known of a kind of message."""
    fields = [field for field in descriptor.fields if field.name not in _UNUSED]
    known = {(field.number, _WIRE.get(field.type, _VARINT)) for field in fields}
    known |= {(field.number, _DELIMITED) for field in fields if _is_repeated(field)}  # numbers are packed, or are not
    return Kind(descriptor.name, {f.number: f.message_type for f in fields}, frozenset(known))


def _is_repeated(field: FieldDescriptor) -> bool:
    """protobuf 6 brought is_repeated, protobuf 7 took label away."""
    found = getattr(field, "is_repeated", None)
    return bool(field.label == FieldDescriptor.LABEL_REPEATED if found is None else found)


_GRAPH = onnx.ModelProto.DESCRIPTOR.fields_by_name["graph"].number
_INITIALIZER = onnx.GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
_RAW_DATA = onnx.TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number


class _Walk:
    """The pieces of the model that are kept, in order: spans of its bytes, and lengths written anew."""

    def __init__(self, read: Read) -> None:
        self.read = read
        self.spans: dict[int, Span] = {}
        self._initializers = 0

    def message(self, descriptor: Descriptor, start: int, end: int, path: tuple[int, ...]) -> tuple[list[Piece], int]:
        """What is kept of a message, and its length."""
        if len(path) > DEEPEST:
            raise ValueError(f"it holds messages in messages, more than {DEEPEST} deep")
        kind = kind_of(descriptor)
        pieces: list[Piece] = []
        size, kept = 0, start
        raw = self._raw_data(start, end) if path == (_GRAPH, _INITIALIZER) else None
        for number, wire, first, body, last in fields_of(self.read, start, end):
            top = path == (_GRAPH,) and number == _INITIALIZER and wire == _DELIMITED
            inner = kind.messages.get(number)
            looked_into = wire == _DELIMITED and inner is not None and last - body > _LOOKED_INTO
            if (number, wire) in kind.known and (body, last) != raw and not looked_into:
                self._initializers += top
                continue
            pieces.append((kept, first))
            size += first - kept
            kept = last
            if looked_into and inner is not None:
                found, length = self.message(inner, body, last, (*path, number))
                head = head_of(number, length)
                pieces += [head, *found]
                size += len(head) + length
                self._initializers += top
        pieces.append((kept, end))
        return pieces, size + end - kept

    def _raw_data(self, start: int, end: int) -> Span | None:
        """Where the data of a large initialiser lies, noted as a span that is left out."""
        if end - start <= INLINE_LIMIT:
            return None
        found = [(body, last) for n, w, _, body, last in fields_of(self.read, start, end) if (n, w) == (_RAW_DATA, 2)]
        if len(found) != 1 or found[0][1] - found[0][0] <= INLINE_LIMIT:
            return None
        self.spans[self._initializers] = (found[0][0], found[0][1] - found[0][0])
        return found[0]


Piece = Span | bytes


def skeleton_of(read: Read, size: int) -> tuple[bytes, dict[int, Span]]:
    """The serialised model without the raw data of large initialisers; initialiser index -> (offset, length) of that.

    Errors: ValueError where the bytes are no protobuf message, or where more than LARGEST_SKELETON would be kept.
    """
    walk = _Walk(read)
    pieces, length = walk.message(onnx.ModelProto.DESCRIPTOR, 0, size, ())
    if length > LARGEST_SKELETON:
        raise ValueError(
            f"it holds {length:,} bytes beside the raw data of its weights, {LARGEST_SKELETON:,} are the most; "
            "write its weights as raw or external data"
        )
    return b"".join(piece if isinstance(piece, bytes) else read(*piece) for piece in _joined(pieces)), walk.spans


def _joined(pieces: list[Piece]) -> Iterator[Piece]:
    """The pieces, those that lie side by side as one."""
    waiting: Span | None = None
    for piece in pieces:
        if not isinstance(piece, bytes) and waiting is not None and piece[0] == waiting[1]:
            waiting = (waiting[0], piece[1])
            continue
        if waiting is not None and waiting[0] < waiting[1]:
            yield waiting
        waiting = None
        if isinstance(piece, bytes):
            yield piece
        else:
            waiting = piece
    if waiting is not None and waiting[0] < waiting[1]:
        yield waiting


def fields_of(read: Read, position: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Walk a protobuf message: (field number, wire type, start of the key, start of the payload, end).

    A long run of numbers of one field, each with its key, counts as one: a tree ensemble writes millions of them.
    """
    window, base = b"", position
    before, alike = -1, 0
    while position < end:
        start = position
        if start - base + 20 > len(window) and base + len(window) < end:  # a key and a length take 20 bytes at most
            window, base = read(start, min(start + _WINDOW, end)), start
        key, place = _varint(window, start - base, base)
        number, wire = key >> 3, key & 7
        body = base + place
        if wire == _VARINT:
            _, place = _varint(window, place, base)
            position = base + place
        elif wire == _FIXED64:
            position = body + 8
        elif wire == _FIXED32:
            position = body + 4
        elif wire == _DELIMITED:
            length, place = _varint(window, place, base)
            body = base + place
            position = body + length
        else:
            raise ValueError(f"unknown wire type {wire} at byte {start}")
        if number == 0 or position > end:
            raise ValueError(f"the field at byte {start} runs past the end")
        alike = alike + 1 if key == before else 0
        before = key
        if alike >= _MANY and wire != _DELIMITED:
            position += _run(window[position - base :], window[start - base : body - base], wire)
            alike = 0
        yield number, wire, start, body, position


def _run(window: bytes, key: bytes, wire: int) -> int:
    """How many bytes of the window are whole numbers of this wire type, each behind this very key."""
    numbers = np.frombuffer(window, np.uint8)
    if wire != _VARINT:
        width = len(key) + (8 if wire == _FIXED64 else 4)
        rows = numbers[: len(numbers) // width * width].reshape(-1, width)
        other = (rows[:, : len(key)] != np.frombuffer(key, np.uint8)).any(1)
        return int(other.argmax() if other.any() else len(other)) * width
    # A number ends with the first byte below 128, and so does a key: they take turns.
    ends = np.flatnonzero(numbers < 0x80) + 1
    ends = ends[: len(ends) // 2 * 2]
    starts, firsts = np.concatenate(([0], ends[1:-1:2])), ends[::2]
    starts = starts[: len(firsts)]
    other = (firsts - starts != len(key)) | (ends[1::2] - firsts > 10)
    for place, byte in enumerate(key):
        other |= numbers[np.minimum(starts + place, len(numbers) - 1)] != byte
    count = int(other.argmax() if other.any() else len(other))
    return int(ends[2 * count - 1]) if count else 0


def _varint(window: bytes, place: int, base: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(window) and shift < 64:
        byte = window[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, place
        shift += 7
    raise ValueError(f"a number at byte {base + place} does not end")


def head_of(number: int, length: int) -> bytes:
    """Key and length of a field that holds a message."""
    head = bytearray()
    for value in (number << 3 | _DELIMITED, length):
        while value > 0x7F:
            head.append(value & 0x7F | 0x80)
            value >>= 7
        head.append(value)
    return bytes(head)
