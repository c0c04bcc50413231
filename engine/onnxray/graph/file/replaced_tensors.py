"""Other numbers for some constants of a file, every other byte of it as it was.

    ModelProto { graph = 7 { initializer = 5 { .., raw_data = 9 }
                             node = 1 { attribute = 5 { t = 5 { .., raw_data = 9 } } } } }

The bytes of the file are walked, and the one field that holds a tensor's numbers is exchanged; where that is as long as
before, which raw data always is, not even a length changes. External data goes into copies of its files, each number at
its place. Nothing is there before all of it is; a file that is replaced is there until then.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxray.errors import InputError, OutputError
from onnxray.errors.short_values import short
from onnxray.graph.file.attribute_values import held_tensor
from onnxray.graph.file.container import Container
from onnxray.graph.file.external_data import Region
from onnxray.graph.file.skeleton import Read, Span, fields_of, head_of

_MODEL: Final = onnx.ModelProto.DESCRIPTOR.fields_by_name
_GRAPH: Final = onnx.GraphProto.DESCRIPTOR.fields_by_name
_NODE: Final = onnx.NodeProto.DESCRIPTOR.fields_by_name
_ATTRIBUTE: Final = onnx.AttributeProto.DESCRIPTOR.fields_by_name
_TENSOR: Final = onnx.TensorProto.DESCRIPTOR.fields_by_name
_DELIMITED: Final = 2
_PART: Final = 2**22
_AS_BITS: Final = frozenset({"bfloat16", "float16"})
"""Types whose numbers stand in int32_data by their bits."""

Piece = Span | bytes
Arrays = Mapping[str, NDArray[Any]]


def replaced_bytes(container: Container, arrays: Arrays) -> bytes:
    """The model's own bytes with other numbers for these constants, none of which may lie in external data.

    Errors: InputError for a constant that is not in the file's graph, of another type or shape, or external.
    """
    _check(container, arrays)
    external = next((name for name in arrays if _is_external(container, name)), None)
    if external is not None:
        raise InputError(f"the weight {short(external)} lies in a file of its own; write the model to a file")
    with container.reading() as (read, size):
        return b"".join(_bytes(read, _pieces(read, size, arrays)))


def write_replaced(container: Container, arrays: Arrays, path: Path, *, in_place: bool = False) -> list[Path]:
    """Write the model to ``path``, and the files of its external data beside it as they lay beside the model.

    in_place: what lies there is the model itself, and is replaced. Gives the files.
    Errors: InputError as above; OutputError where a file is there already, or cannot be written.
    """
    _check(container, arrays)
    inner = {name: array for name, array in arrays.items() if not _is_external(container, name)}
    targets = {source: path.parent / location for location, source in container.external.items()}
    outside = [t for t in targets.values() if not t.resolve().is_relative_to(path.parent.resolve())]
    if outside:
        raise OutputError(f"the model's weights lie in {outside[0]}, outside the folder that is written to")
    if not in_place:
        there = next((target for target in (path, *targets.values()) if target.exists()), None)
        if there is not None:
            raise OutputError(f"{there} is there already; give another place, or replace the model with --in-place")
    partial = {t: t.with_name(f"{t.name}.{os.getpid()}.partial") for t in (*targets.values(), path)}
    try:
        for source, target in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            with container.files[source].reading() as file, partial[target].open("wb") as stream:
                shutil.copyfileobj(file, stream, _PART)
                for region, array in _external(container, arrays):
                    if region.path == source:
                        stream.seek(region.offset)
                        stream.write(_raw(array))
                _synced(stream)
        with container.reading() as (read, size), partial[path].open("wb") as stream:
            stream.writelines(_bytes(read, _pieces(read, size, inner)))
            _synced(stream)
        for target, written in partial.items():
            written.replace(target)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        for left in partial.values():
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)
    return [path, *targets.values()]


def _synced(stream: IO[bytes]) -> None:
    """On the disk before it takes another file's place."""
    stream.flush()
    os.fsync(stream.fileno())


def _check(container: Container, arrays: Arrays) -> None:
    """Refuse what is not in the file's graph or does not fit. Errors: InputError."""
    if container.again is not None:
        raise InputError(
            f"{container.path} was made of files of another kind as it was opened; write it as an ONNX file first: "
            f"onnxray convert {container.path}"
        )
    held = dict(_held(container.skeleton))
    for name, array in arrays.items():
        tensor = held.get(name)
        if tensor is None:
            raise InputError(f"the file's graph holds no constant {short(name)} that other numbers could be put in")
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        if array.dtype != dtype or tuple(array.shape) != tuple(tensor.dims):
            raise InputError(
                f"the constant {short(name)} is {dtype} of shape {list(tensor.dims)}; {array.dtype} of "
                f"{list(array.shape)} cannot take its place"
            )


def _held(model: onnx.ModelProto) -> Iterator[tuple[str, onnx.TensorProto]]:
    for tensor in model.graph.initializer:
        yield tensor.name, tensor
    for node in model.graph.node:
        tensor = held_tensor(node)
        if tensor is not None and len(node.output) == 1:
            yield node.output[0], tensor


def _is_external(container: Container, name: str) -> bool:
    region = container.regions.get(name)
    return region is not None and region.path in container.external.values()


def _external(container: Container, arrays: Arrays) -> Iterator[tuple[Region, NDArray[Any]]]:
    for name, array in arrays.items():
        if _is_external(container, name):
            yield container.regions[name], array


def _bytes(read: Read, pieces: Iterable[Piece]) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        for start in range(piece[0], piece[1], _PART):
            yield read(start, min(start + _PART, piece[1]))


@dataclass(frozen=True)
class _Field:
    """A field of a message in the file, its key and length with it."""

    number: int
    wire: int
    start: int
    body: int
    end: int


def _fields(read: Read, start: int, end: int) -> list[_Field]:
    return [_Field(*field) for field in fields_of(read, start, end)]


def _pieces(read: Read, size: int, arrays: Arrays) -> list[Piece]:
    """The model: spans of its own bytes, and what takes the place of others. Errors: InputError."""
    left = set(arrays)

    def graph(start: int, end: int) -> list[Piece] | None:
        return _message(read, start, end, {"initializer": tensor, "node": node}, _GRAPH)

    def tensor(start: int, end: int) -> list[Piece] | None:
        name = _text(read, _fields(read, start, end), _TENSOR["name"].number)
        return taken(name, start, end)

    def taken(name: str | None, start: int, end: int) -> list[Piece] | None:
        if name not in left:
            return None
        left.discard(name)
        return _exchanged(read, start, end, arrays[name])

    def node(start: int, end: int) -> list[Piece] | None:
        fields = _fields(read, start, end)
        if _text(read, fields, _NODE["op_type"].number) != "Constant":
            return None
        name = _text(read, fields, _NODE["output"].number)

        def attribute(first: int, last: int) -> list[Piece] | None:
            return _message(read, first, last, {"t": lambda a, b: taken(name, a, b)}, _ATTRIBUTE)

        return None if name not in left else _message(read, start, end, {"attribute": attribute}, _NODE)

    found = _message(read, 0, size, {"graph": graph}, _MODEL) or [(0, size)]
    if left:
        raise InputError(f"the file's graph holds no constant {short(min(left))} that other numbers could be put in")
    return found


def _message(
    read: Read, start: int, end: int, inner: Mapping[str, Any], known: Mapping[str, Any]
) -> list[Piece] | None:
    """A message with some of the messages in it changed; None where none of them was.

    inner: name of a field -> what gives the pieces of such a message, or None where it stays.
    """
    by_number = {known[name].number: change for name, change in inner.items()}
    pieces: list[Piece] = []
    kept, changed = start, False
    for field in _fields(read, start, end):
        change = by_number.get(field.number) if field.wire == _DELIMITED else None
        found = None if change is None else change(field.body, field.end)
        if found is None:
            continue
        changed = True
        pieces += [(kept, field.start), *_framed(field, found)]
        kept = field.end
    return [*pieces, (kept, end)] if changed else None


def _framed(field: _Field, found: list[Piece]) -> list[Piece]:
    """A field with other contents: its own key and length where they are as long as before."""
    size = sum(len(piece) if isinstance(piece, bytes) else piece[1] - piece[0] for piece in found)
    same = size == field.end - field.body
    return [(field.start, field.body) if same else head_of(field.number, size), *found]


def _text(read: Read, fields: Iterable[_Field], number: int) -> str | None:
    """The last text of that number, as protobuf has it."""
    found = [field for field in fields if field.number == number and field.wire == _DELIMITED]
    return read(found[-1].body, found[-1].end).decode("utf-8", "replace") if found else None


def _exchanged(read: Read, start: int, end: int, array: NDArray[Any]) -> list[Piece]:
    """A tensor with other numbers in the field that held them."""
    fields = _fields(read, start, end)
    for name in ("raw_data", "float_data", "int32_data", "double_data"):
        number = _TENSOR[name].number
        own = [field for field in fields if field.number == number]
        if own:
            packed = all(field.wire == _DELIMITED for field in own)
            data = _raw(array) if name == "raw_data" else _numbers(array, name, None if packed else own[0], read)
            pieces: list[Piece] = []
            kept = start
            for place, field in enumerate(own):
                pieces.append((kept, field.start))
                if not place:
                    pieces += _framed(field, [data]) if packed else [data]
                kept = field.end
            return [*pieces, (kept, end)]
    raise InputError("a constant's numbers are in none of the fields that ONNX has for them")


def _raw(array: NDArray[Any]) -> bytes:
    plain = np.ascontiguousarray(array)
    return plain.astype(plain.dtype.newbyteorder("<"), copy=False).tobytes()


def _numbers(array: NDArray[Any], name: str, single: _Field | None, read: Read) -> bytes:
    """The numbers as a field of numbers holds them. single: the first of them, where each has a key of its own."""
    if name == "int32_data":
        whole = array.view(np.uint16) if str(array.dtype) in _AS_BITS else array
        parts = [_varint(int(one)) for one in whole.reshape(-1).tolist()]
    else:
        plain = _raw(array)
        width = 4 if name == "float_data" else 8
        if single is None:
            return plain
        parts = [plain[k : k + width] for k in range(0, len(plain), width)]
    if single is None:
        return b"".join(parts)
    key = _varint(single.number << 3 | single.wire)
    assert read(single.start, single.start + len(key)) == key
    return b"".join(key + part for part in parts)


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
