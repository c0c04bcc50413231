"""The bytes of an ONNX file, read without holding its weights.

A weight is a region (file, offset, length), read when an engine asks for it. The rest, the *skeleton*, is an ordinary
ModelProto of some kilobytes whose large initialisers have lost their data. That is how a 600 MB file is inspected in
milliseconds, and how each engine holds the weights once.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from onnxray.errors import ModelFileError
from onnxray.shown_text import is_unicode

INLINE_LIMIT = 4096
"""Initialisers up to this many bytes stay in the skeleton: shapes, axes and other constants that inference needs."""

_MODEL_GRAPH, _GRAPH_INITIALIZER, _TENSOR_RAW_DATA = 7, 5, 9
_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_PLAIN = frozenset("fdiqhbIQHBe?")


@dataclass(frozen=True, slots=True)
class Region:
    """Where the bytes of one weight lie: in the file ``path``, or in the model's own bytes where it is None."""

    path: Path | None
    offset: int
    length: int


@dataclass(frozen=True)
class Container:
    """A model's skeleton, its bytes, and the regions of the initialisers that the skeleton leaves out.

    ``path`` is as the caller wrote it, to be shown; ``absolute`` is what is read, wherever the process has moved since.
    """

    path: Path | None
    data: bytes | None
    skeleton: onnx.ModelProto
    regions: Mapping[str, Region]
    absolute: Path | None = None

    def read(self, tensor: onnx.TensorProto) -> NDArray[Any]:
        """Give an initialiser's values as a fresh array; a large one is read from its region now."""
        region = self.regions.get(tensor.name)
        try:
            if region is None:
                return np.array(onnx.numpy_helper.to_array(tensor))
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
            if dtype.char not in _PLAIN:
                whole = onnx.TensorProto(data_type=tensor.data_type, dims=tensor.dims, raw_data=self._bytes(region))
                return np.array(onnx.numpy_helper.to_array(whole))
            size = math.prod(tensor.dims) * dtype.itemsize
            if size != region.length:  # before the memory is taken: a damaged shape may ask for any amount
                raise ValueError(f"its shape {tuple(tensor.dims)} takes {size} bytes, it has {region.length}")
            array = np.empty(tuple(tensor.dims), dtype.newbyteorder("<"))
            self._read_into(array, region)
            return array
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ModelFileError(f"weight {tensor.name!r} cannot be read ({error}); is the file whole?") from None

    def _read_into(self, array: NDArray[Any], region: Region) -> None:
        target = array.reshape(-1).view(np.uint8)
        if region.path is None:
            target[:] = np.frombuffer(self.data or b"", np.uint8, region.length, region.offset)
            return
        with region.path.open("rb") as file:
            file.seek(region.offset)
            if file.readinto(target.data) != region.length:
                raise ValueError(f"{region.path.name} ends before byte {region.offset + region.length}")

    def _bytes(self, region: Region) -> bytes:
        array = np.empty(region.length, np.uint8)
        self._read_into(array, region)
        return array.tobytes()

    def with_weights(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """Point every left-out initialiser of ``model`` at its region again: in files as external data, else inline."""
        for tensor in model.graph.initializer:
            region = self.regions.get(tensor.name)
            if region is None:
                continue
            location = None if region.path is None else region.path.relative_to(self.external_folder).as_posix()
            if location is None or not is_unicode(location):  # which a protobuf's text has to be
                tensor.raw_data = self._bytes(region)
                continue
            tensor.data_location = onnx.TensorProto.EXTERNAL
            pairs = {"location": location, "offset": str(region.offset), "length": str(region.length)}
            for key, value in pairs.items():
                tensor.external_data.add(key=key, value=value)
        return model

    @property
    def folder(self) -> Path:
        """The folder that the model's own file lies in, links followed."""
        return (self.absolute or Path("model.onnx")).resolve().parent

    @property
    def external_folder(self) -> Path:
        """The folder that every region lies in: the model's own, or what it shares with that of its link."""
        folders = [self.folder, *(region.path.parent for region in self.regions.values() if region.path is not None)]
        return Path(os.path.commonpath(folders))

    def sha256(self) -> str:
        """Hash the model's own bytes (not its external data), in hexadecimal."""
        if self.data is not None:
            return hashlib.sha256(self.data).hexdigest()
        assert self.absolute is not None
        with self.absolute.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def read_container(source: str | os.PathLike[str] | bytes | onnx.ModelProto) -> Container:
    """Read a path, bytes or a ModelProto.

    Errors: ModelFileError where the file is missing, empty, truncated, no ONNX model, or where its external data is
    missing or lies outside the model's folder.
    """
    if isinstance(source, onnx.ModelProto):
        source = source.SerializeToString()
    if isinstance(source, bytes):
        return _container(None, source, memoryview(source))
    path = Path(source)
    try:
        if path.is_dir():
            raise ModelFileError(f"{path} is a folder; give the .onnx file in it")
        if path.stat().st_size == 0:
            raise ModelFileError(f"{path} is empty; an ONNX file was expected")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            view = memoryview(mapped)
            try:
                return _container(path, None, view)
            finally:
                view.release()
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file; give the path of an .onnx file") from None
    except ModelFileError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte in it
        shown = str(path) if len(str(path)) < 300 else f"{str(path)[:300]}..."
        raise ModelFileError(f"{shown!r} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _container(path: Path | None, data: bytes | None, view: memoryview) -> Container:
    name = str(path) if path else "the model's bytes"
    if bytes(view[:8]) == b"\x89PNG\r\n\x1a\n" or bytes(view[:3]) == b"\xff\xd8\xff":
        raise ModelFileError(f"{name} is a picture, not an ONNX model; the model comes first, then the images")
    try:
        stripped, spans = _strip(view)
        model = onnx.ModelProto.FromString(stripped)
    except (DecodeError, ValueError, IndexError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "its bytes are no protobuf message"
        raise ModelFileError(f"{name} is not an ONNX model, or is truncated: {reason}") from None
    if not model.graph.node and not model.graph.output:
        raise ModelFileError(f"{name} is not an ONNX model: it holds no graph")
    regions: dict[str, Region] = {}
    container = Container(path, data, model, MappingProxyType(regions), path.absolute() if path else None)
    names = [tensor.name for tensor in model.graph.initializer]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ModelFileError(f"{name} has two initialisers called {twice!r}; a value may be defined once")
    for index, tensor in enumerate(model.graph.initializer):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            regions[tensor.name] = _external_region(tensor, container)
            del tensor.external_data[:]
            tensor.data_location = onnx.TensorProto.DEFAULT
        elif index in spans:
            offset, length = spans[index]
            regions[tensor.name] = Region(path.resolve() if path else None, offset, length)
    return container


def _external_region(tensor: onnx.TensorProto, container: Container) -> Region:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if container.path is None:
        raise ModelFileError(
            f"weight {tensor.name!r} lies in {location!r} beside the model; open the model by its path"
        )
    relative = PureWindowsPath(location) if "\\" in location else PurePosixPath(location)
    absolute = relative.is_absolute() or PureWindowsPath(location).drive
    # As ONNX Runtime looks it up: beside the path as given, which may be a link; so are both in Hugging Face's cache.
    try:
        path = (container.path.parent / Path(*relative.parts)).resolve() if not absolute else Path(location)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a link to itself
        raise ModelFileError(f"weight {tensor.name!r} lies in {location!r}, which cannot be read: {error}") from None
    inside = any(path.is_relative_to(folder) for folder in (container.folder, container.path.parent.resolve()))
    if not location or absolute or not inside:
        raise ModelFileError(
            f"weight {tensor.name!r} points at {location!r}, outside the model's folder; external data must lie beside "
            "the model"
        )
    if not path.is_file():
        hint = f"; the path is a link, give {container.path.resolve()} itself" if container.path.is_symlink() else ""
        raise ModelFileError(
            f"weight {tensor.name!r} lies in {location!r}, which is missing beside {container.path}{hint}"
        )
    try:
        offset = int(entries.get("offset") or 0)
        length = int(entries["length"]) if entries.get("length") else path.stat().st_size - offset
    except ValueError:
        raise ModelFileError(f"weight {tensor.name!r} has a damaged external-data entry: {entries}") from None
    if offset < 0 or length < 0 or offset + length > path.stat().st_size:
        raise ModelFileError(
            f"weight {tensor.name!r} wants bytes {offset} to {offset + length} of {location!r}, which has "
            f"{path.stat().st_size}; is the file whole?"
        )
    return Region(path, offset, length)


def _strip(view: memoryview) -> tuple[bytes, dict[int, tuple[int, int]]]:
    """Leave the raw data of large initialisers out; give the rest, and initialiser index -> (offset, length)."""
    spans: dict[int, tuple[int, int]] = {}
    graphs = [field for field in _fields(view, 0, len(view)) if field[:2] == (_MODEL_GRAPH, _DELIMITED)]
    if len(graphs) != 1:  # none, or protobuf's rarely used merge of several: protobuf itself decides
        return bytes(view), spans
    _, _, start, body, end = graphs[0]
    parts: list[bytes] = []
    kept = body
    index = 0
    for number, wire, first, inner, last in _fields(view, body, end):
        if (number, wire) != (_GRAPH_INITIALIZER, _DELIMITED):
            continue
        if last - inner > INLINE_LIMIT:
            raw = [f for f in _fields(view, inner, last) if f[:2] == (_TENSOR_RAW_DATA, _DELIMITED)]
            if len(raw) == 1 and raw[0][4] - raw[0][3] > INLINE_LIMIT:
                _, _, raw_start, raw_body, raw_end = raw[0]
                spans[index] = (raw_body, raw_end - raw_body)
                tensor = bytes(view[inner:raw_start]) + bytes(view[raw_end:last])
                parts += [bytes(view[kept:first]), _delimited(_GRAPH_INITIALIZER, tensor)]
                kept = last
        index += 1
    parts.append(bytes(view[kept:end]))
    graph = _delimited(_MODEL_GRAPH, b"".join(parts))
    return bytes(view[:start]) + graph + bytes(view[end:]), spans


def _fields(view: memoryview, position: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Walk a protobuf message: (field number, wire type, start of the key, start of the payload, end)."""
    while position < end:
        start = position
        key, position = _varint(view, position, end)
        number, wire = key >> 3, key & 7
        body = position
        if wire == _VARINT:
            _, position = _varint(view, position, end)
        elif wire == _FIXED64:
            position += 8
        elif wire == _FIXED32:
            position += 4
        elif wire == _DELIMITED:
            length, body = _varint(view, position, end)
            position = body + length
        else:
            raise ValueError(f"unknown wire type {wire} at byte {start}")
        if number == 0 or position > end:
            raise ValueError(f"the field at byte {start} runs past the end")
        yield number, wire, start, body, position


def _varint(view: memoryview, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end and shift < 64:
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
    raise ValueError(f"a number at byte {position} does not end")


def _delimited(number: int, payload: bytes) -> bytes:
    head = bytearray()
    for value in (number << 3 | _DELIMITED, len(payload)):
        while value > 0x7F:
            head.append(value & 0x7F | 0x80)
            value >>= 7
        head.append(value)
    return bytes(head) + payload
