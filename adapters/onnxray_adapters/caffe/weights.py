"""The weights in a caffemodel: layer name -> its blobs, where their numbers lie in the file.

Three ways of writing layers are read: V2 (field ``layer``), V1 (``layers``) and V0 (``layers { layer {} }``); and both
shapes of a blob, BlobShape and (num, channels, height, width).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray_adapters.caffe.fields import NUMBERS
from onnxray_adapters.caffe.limits import AXES, HELD, LAYERS, NAME
from onnxray_adapters.caffe.wire import DELIMITED, FIXED32, FIXED64, VARINT, Field, Walker

_BLOB: Final = NUMBERS["BlobProto"]
_LEGACY: Final = tuple(_BLOB[name] for name in ("num", "channels", "height", "width"))
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """One blob: its shape, and its float32 numbers: ``count`` of them from byte ``offset`` on, or held in ``array``.

    legacy: whether its shape is (num, channels, height, width), where ones may stand before what is meant.
    """

    shape: tuple[int, ...]
    legacy: bool
    count: int
    offset: int = -1
    array: NDArray[np.float32] | None = None

    @property
    def plain_shape(self) -> tuple[int, ...]:
        """The shape without the ones before it, which say nothing."""
        return without_ones(self.shape)


def without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the ones at its beginning."""
    first = next((index for index, size in enumerate(shape) if size != 1), len(shape))
    return shape[first:]


def read_weights(walker: Walker) -> Mapping[str, tuple[StoredBlob, ...]]:
    """Layer name -> blobs, of every layer that has some. Errors: ValueError where the file is no caffemodel."""
    found: dict[str, tuple[StoredBlob, ...]] = {}
    net = NUMBERS["NetParameter"]
    kinds = {net["layer"]: "LayerParameter", net["layers"]: "V1LayerParameter"}
    layers = 0
    for field in walker.fields(0, walker.size):
        if field.wire != DELIMITED or field.number not in kinds:
            continue
        layers += 1
        if layers > LAYERS:
            raise ValueError(f"it has more than {LAYERS:,} layers")
        name, blobs = _layer(walker, field, kinds[field.number])
        if blobs:
            if name in found:
                raise ValueError(f"two of its layers are called {name[:_SHOWN]!r}")
            found[name] = blobs
    if not layers:
        raise ValueError("it holds no layers")
    return MappingProxyType(found)


def _layer(walker: Walker, layer: Field, kind: str) -> tuple[str, tuple[StoredBlob, ...]]:
    numbers = NUMBERS[kind]
    name, blobs, inner = "", [], None
    for field in walker.fields(layer.start, layer.end):
        if field.wire != DELIMITED:
            continue
        if field.number == numbers["name"]:
            name = _name(walker, field)
        elif field.number == numbers["blobs"]:
            blobs.append(field)
        elif field.number == numbers.get("layer"):
            inner = field
    if inner is not None:
        own, within = _layer(walker, inner, "V0LayerParameter")
        return own or name, within
    try:
        return name, tuple(read_blob(walker, blob.start, blob.end) for blob in blobs)
    except ValueError as error:
        raise ValueError(f"layer {name[:_SHOWN]!r}: {error}") from None


def _name(walker: Walker, field: Field) -> str:
    if field.end - field.start > NAME:
        raise ValueError(f"the name of a layer at byte {field.start} has more than {NAME} characters")
    try:
        return walker.taken(field.start, field.end).decode()
    except UnicodeDecodeError:
        raise ValueError(f"the name of a layer at byte {field.start} is no UTF-8 text") from None


def read_blob(walker: Walker, start: int, end: int) -> StoredBlob:
    """The BlobProto from ``start`` to ``end``. Errors: ValueError."""
    legacy, shape = dict.fromkeys(_LEGACY, 0), None
    data: list[tuple[Field, str]] = []
    for field in walker.fields(start, end):
        if field.wire == VARINT and field.number in legacy:
            legacy[field.number] = walker.varints(field)[0]
        elif field.wire == DELIMITED and field.number == _BLOB["shape"]:
            shape = _shape(walker, field)
        elif field.number == _BLOB["data"] and field.wire in (DELIMITED, FIXED32):
            data.append((field, "<f4"))
        elif field.number == _BLOB["double_data"] and field.wire in (DELIMITED, FIXED64):
            data.append((field, "<f8"))
    if len({dtype for _, dtype in data}) > 1:
        raise ValueError("a blob holds both float and double numbers")
    dims = tuple(legacy.values()) if shape is None else shape
    if any(size < 0 for size in dims):
        raise ValueError(f"a blob has the shape {_shown(dims)}")
    expected = math.prod(dims)
    stored = [(field, dtype) for field, dtype in data if field.end > field.start]
    if len(stored) == 1 and stored[0][1] == "<f4" and stored[0][0].wire == DELIMITED:
        field = stored[0][0]
        length = field.end - field.start
        _check_count(dims, expected, length // 4 if length % 4 == 0 else -1)
        return StoredBlob(dims, shape is None, expected, offset=field.start)
    counts = [_count(field, dtype) for field, dtype in stored]
    _check_count(dims, expected, sum(counts))
    if expected > HELD:
        raise ValueError(f"a blob of {expected:,} numbers is not stored as floats in one piece; {HELD:,} are the most")
    parts = [walker.numbers(field, dtype) for field, dtype in stored]
    array: Any = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    with np.errstate(over="ignore"):  # a double beyond float32 is infinity, as in Caffe
        return StoredBlob(dims, shape is None, expected, array=array.astype(np.float32))


def _count(field: Field, dtype: str) -> int:
    return (field.end - field.start) // np.dtype(dtype).itemsize if field.wire == DELIMITED else field.count


def _check_count(dims: tuple[int, ...], expected: int, count: int) -> None:
    if expected != count:
        raise ValueError(
            f"a blob has the shape {_shown(dims)}, which takes {expected:,} numbers, and holds "
            f"{'broken ones' if count < 0 else format(count, ',')}; is the file whole?"
        )


def _shape(walker: Walker, field: Field) -> tuple[int, ...]:
    dims: list[int] = []
    for dim in walker.fields(field.start, field.end):
        if dim.number == NUMBERS["BlobShape"]["dim"] and dim.wire in (VARINT, DELIMITED):
            if dim.wire == DELIMITED and dim.end - dim.start > 10 * AXES:
                raise ValueError(f"a blob has more than {AXES} axes")
            dims += walker.varints(dim)
    if len(dims) > AXES:
        raise ValueError(f"a blob has more than {AXES} axes")
    return tuple(dims)


def _shown(dims: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in dims) or "()"
