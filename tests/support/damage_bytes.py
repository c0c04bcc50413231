"""Damage to a model's bytes."""

from collections.abc import Callable

import numpy as np

Random = np.random.Generator


def flip(data: bytearray, random: Random) -> bytes:
    for place in random.integers(0, len(data), int(random.integers(1, 12))):
        data[place] ^= 1 << int(random.integers(0, 8))
    return bytes(data)


def flip_head(data: bytearray, random: Random) -> bytes:
    """Where the structure is, and no weights."""
    for place in random.integers(0, min(len(data), 1500), int(random.integers(1, 6))):
        data[place] = int(random.integers(0, 256))
    return bytes(data)


def truncate(data: bytearray, random: Random) -> bytes:
    return bytes(data[: int(random.integers(0, len(data)))])


def cut_out(data: bytearray, random: Random) -> bytes:
    start = int(random.integers(0, len(data)))
    del data[start : start + int(random.integers(1, 60))]
    return bytes(data)


def repeat(data: bytearray, random: Random) -> bytes:
    start = int(random.integers(0, len(data)))
    piece = data[start : start + int(random.integers(1, 200))]
    return bytes(data[:start] + piece + data[start:])


def insert(data: bytearray, random: Random) -> bytes:
    start = int(random.integers(0, min(len(data), 3000)))
    return bytes(data[:start]) + random.bytes(int(random.integers(1, 30))) + bytes(data[start:])


def long_numbers(data: bytearray, random: Random) -> bytes:
    start = int(random.integers(0, min(len(data), 3000)))
    data[start : start + 9] = b"\xff" * 8 + b"\x01"
    return bytes(data)


def bury(data: bytearray, random: Random) -> bytes:
    """Subgraphs in subgraphs, deeper than protobuf's own limit; as a second graph, which protobuf merges."""
    inner = b""
    for _ in range(int(random.choice([20, 33, 40, 100, 3000]))):
        attribute = _field(1, b"then_branch") + _field(6, inner) + b"\xa0\x01\x05"
        inner = _field(1, _field(4, b"If") + _field(2, b"o") + _field(5, attribute))
    return bytes(data) + _field(7, inner)


def _field(number: int, payload: bytes) -> bytes:
    """A delimited protobuf field."""
    length, size = bytearray(), len(payload)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes(length) + bytes([size]) + payload


BYTES: list[Callable[..., bytes]] = [flip, flip_head, truncate, cut_out, repeat, insert, long_numbers, bury]
