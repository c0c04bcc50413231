"""A model written to one file, its weights streamed into it from where they lie: none of it is held but a part.

    ModelProto  { ..., graph = 7 { ..., initializer = 5 { name, dims, ..., raw_data = 9 } } }

Protocol buffers end at 2 GiB: what is larger gets its weights in a file of their own beside it, as ONNX has them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final

import onnx

from onnxray.errors import OutputError
from onnxray.graph.file.container import Container, Region
from onnxray.graph.file.opened_file import fill

LARGEST_FILE: Final = 2**31 - 2**20
"""Bytes of one file of protocol buffers."""

_GRAPH: Final = onnx.ModelProto.DESCRIPTOR.fields_by_name["graph"].number
_INITIALIZER: Final = onnx.GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
_RAW_DATA: Final = onnx.TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number
_PART: Final = 2**22
_ALIGNED: Final = 64


def write_model(container: Container, path: Path, *, largest: int = LARGEST_FILE) -> list[Path]:
    """Write a model to ``path``, and its weights to ``path.data`` where it is larger than ``largest``.

    Nothing is there before all of it is. Errors: OutputError; ModelFileError where a file changed.
    """
    data = path.with_name(f"{path.name}.data")
    partial = {target: target.with_name(f"{target.name}.{os.getpid()}.partial") for target in (path, data)}
    try:
        model = onnx.ModelProto()
        model.CopyFrom(container.skeleton)
        with partial[path].open("wb") as stream:
            beside = _size(container, model) > largest
            if beside:
                with partial[data].open("wb") as weights:
                    _point_at(model, container, data.name, weights)
            _write(stream, model, {} if beside else dict(container.regions), container)
        if beside:
            partial[data].replace(data)
        partial[path].replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        for left in partial.values():
            left.unlink(missing_ok=True)
    return [path, data] if beside else [path]


def _write(stream: IO[bytes], model: onnx.ModelProto, regions: dict[str, Region], container: Container) -> None:
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    tensors = list(graph.initializer)
    graph.ClearField("initializer")
    model.ClearField("graph")
    plain = graph.SerializeToString()
    heads = [_heads(tensor, regions.get(tensor.name)) for tensor in tensors]
    lengths = [regions[t.name].length if t.name in regions else 0 for t in tensors]
    total = len(plain) + sum(len(head) + length for head, length in zip(heads, lengths))
    stream.write(model.SerializeToString() + _key(_GRAPH) + _varint(total) + plain)
    for tensor, head in zip(tensors, heads):
        stream.write(head)
        if tensor.name in regions:
            for part in _parts(container, regions[tensor.name]):
                stream.write(part)


def _heads(tensor: onnx.TensorProto, region: Region | None) -> bytes:
    """What stands before the bytes of an initialiser's region; all of it, where it has none."""
    own: bytes = tensor.SerializeToString()
    if region is None:
        return _key(_INITIALIZER) + _varint(len(own)) + own
    head = own + _key(_RAW_DATA) + _varint(region.length)
    return _key(_INITIALIZER) + _varint(len(head) + region.length) + head


def _size(container: Container, model: onnx.ModelProto) -> int:
    return int(model.ByteSize()) + sum(region.length + 32 for region in container.regions.values())


def _point_at(model: onnx.ModelProto, container: Container, location: str, weights: IO[bytes]) -> None:
    """Write every region to a file of weights, and say in the model where it is there."""
    for tensor in model.graph.initializer:
        region = container.regions.get(tensor.name)
        if region is None:
            continue
        weights.write(b"\0" * (-weights.tell() % _ALIGNED))
        tensor.data_location = onnx.TensorProto.EXTERNAL
        pairs = {"location": location, "offset": str(weights.tell()), "length": str(region.length)}
        for key, value in pairs.items():
            tensor.external_data.add(key=key, value=value)
        for part in _parts(container, region):
            weights.write(part)


def _parts(container: Container, region: Region) -> Iterator[bytes]:
    """The bytes of a region, a few megabytes at a time."""
    end = region.offset + region.length
    with ExitStack() as stack:
        file = None if region.path is None else stack.enter_context(container.files[region.path].reading())
        for start in range(region.offset, end, _PART):
            last = min(start + _PART, end)
            if file is None:
                yield (container.data or b"")[start:last]
                continue
            found = bytearray(last - start)
            fill(file, found, start, str(region.path))
            yield bytes(found)


def _key(number: int) -> bytes:
    return _varint(number << 3 | 2)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
