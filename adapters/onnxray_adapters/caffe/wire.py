"""Protocol buffers' wire format, walked by its lengths: what a message holds, without reading what is large.

A key is a varint of (field number * 8 + wire type); then comes a varint, 8 bytes, a length and its bytes, or 4 bytes.
Errors: ValueError where a length goes beyond the message that it lies in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onnxray_adapters.caffe.limits import FIELDS

VARINT: Final = 0
FIXED64: Final = 1
DELIMITED: Final = 2
FIXED32: Final = 5
_WINDOW: Final = 65536
_ROW: Final = 16
"""Numbers of one field in a row, after which the rest of the row is looked for at once."""

Read = Callable[[int, int], bytes]
"""(start, end) -> these bytes of the file."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its number and wire type; ``value`` of a varint; else its bytes lie from ``start`` to ``end``.

    ``count``: numbers in a row, each behind a key of its own, ``start`` being the first one's, ``stride`` bytes apart.
    """

    number: int
    wire: int
    value: int
    start: int
    end: int
    count: int = 1


class Walker:
    """A file that is walked over; how many fields it may have in all is bounded."""

    def __init__(self, read: Read, size: int) -> None:
        self._read, self.size = read, size
        self._left = FIELDS
        self._start, self._held = 0, b""

    def taken(self, start: int, end: int) -> bytes:
        """These bytes of the file."""
        if end > self.size:
            raise ValueError(f"it ends at byte {self.size}, before byte {end}")
        if end - start > _WINDOW:
            return self._read(start, end)
        if not self._start <= start <= end <= self._start + len(self._held):
            self._start, self._held = start, self._read(start, min(start + _WINDOW, self.size))
        return self._held[start - self._start : end - self._start]

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message from ``start`` to ``end``, in order."""
        before, row = b"", 0
        while start < end:
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"it has more than {FIELDS:,} fields")
            key, body = self._varint(start, end)
            wire, number, value, last = key & 7, key >> 3, 0, 0
            if not number:
                raise ValueError(f"field 0 at byte {start}, which there is not")
            if wire == VARINT:
                value, last = self._varint(body, end)
            elif wire == DELIMITED:
                length, body = self._varint(body, end)
                last = body + length
            elif wire in (FIXED32, FIXED64):
                last = body + (4 if wire == FIXED32 else 8)
            else:
                raise ValueError(f"wire type {wire} at byte {start}, which no Caffe file has")
            if last > end:
                raise ValueError(f"a field at byte {start} reaches to byte {last}, what it lies in ends at {end}")
            mark = self.taken(start, body) if wire in (FIXED32, FIXED64) else b""
            row = row + 1 if mark and mark == before else 0
            before = mark
            count = self._row(mark, last - start, start, end) if row > _ROW else 1
            step = last - start
            yield Field(number, wire, value, body, last + (count - 1) * step, count)
            start = last + (count - 1) * step

    def _varint(self, start: int, end: int) -> tuple[int, int]:
        """A number and where it ends."""
        found = self.taken(start, min(start + 10, end))
        value = 0
        for index, byte in enumerate(found):
            value |= (byte & 127) << (7 * index)
            if byte < 128:
                return value, start + index + 1
        raise ValueError(f"a number at byte {start} does not end")

    def _row(self, mark: bytes, step: int, start: int, end: int) -> int:
        """How many numbers of ``step`` bytes, each behind ``mark``, follow each other from ``start`` on."""
        count, size = 0, 2 * _ROW
        while True:  # looked for twice as far each time: a file of short rows is not read once a row
            most = min((end - start) // step - count, size)
            first = start + count * step
            rows = np.frombuffer(self.taken(first, first + most * step), np.uint8).reshape(most, step)
            same = (rows[:, : len(mark)] == np.frombuffer(mark, np.uint8)).all(axis=1)
            if not same.all():
                return count + int(np.argmin(same))
            count += most
            if most < size or count >= _WINDOW * 16:
                return count
            size *= 2

    def numbers(self, field: Field, dtype: str) -> NDArray[np.floating]:
        """Floats or doubles of a field, packed or each behind a key."""
        found = np.dtype(dtype)
        if field.wire == DELIMITED:
            if (field.end - field.start) % found.itemsize:
                raise ValueError(f"numbers from byte {field.start} to {field.end}, which are not whole ones")
            return np.frombuffer(self.taken(field.start, field.end), found)
        if field.count == 1:
            return np.frombuffer(self.taken(field.start, field.end), found)
        step = (field.end - field.start + self._key(field)) // field.count
        raw = self.taken(field.start - self._key(field), field.end)
        rows = np.frombuffer(raw, np.uint8).reshape(field.count, step)[:, self._key(field) :]
        return np.ascontiguousarray(rows).view(found).reshape(-1)

    @staticmethod
    def _key(field: Field) -> int:
        """Bytes of a field's key."""
        return max(1, -(-(field.number * 8 + field.wire).bit_length() // 7))

    def varints(self, field: Field) -> list[int]:
        """Whole numbers of a field, packed or one; those below zero as protobuf means them."""
        if field.wire == VARINT:
            return [_signed(field.value)]
        found, at = [], field.start
        while at < field.end:
            value, at = self._varint(at, field.end)
            found.append(_signed(value))
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"it has more than {FIELDS:,} fields and numbers")
        return found


def _signed(value: int) -> int:
    value &= 2**64 - 1
    return value - 2**64 if value >> 63 else value
