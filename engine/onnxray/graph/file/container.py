"""The bytes of an ONNX file, read without holding its weights.

A weight is a region (file, offset, length), read when an engine asks for it. The rest, the *skeleton*, is an ordinary
ModelProto of some kilobytes whose large initialisers have lost their data. That is how a 600 MB file is inspected in
milliseconds, and how each engine holds the weights once. Every read is of the file as it was when it was opened.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, EncodeError
from numpy.typing import NDArray

from onnxray.errors import ModelFileError
from onnxray.errors.shown_text import is_unicode
from onnxray.graph.file.external_data import ExternalData, Region
from onnxray.graph.file.made_model import MadeModel, made_of
from onnxray.graph.file.opened_file import OpenedFile, fill, opened
from onnxray.graph.file.private_copies import PrivateCopies
from onnxray.graph.file.skeleton import INLINE_LIMIT, Read, skeleton_of

__all__ = ["INLINE_LIMIT", "Container", "Region", "read_container"]

_PLAIN = frozenset("fdiqhbIQHBe?")


@dataclass(frozen=True)
class Container:
    """A model's skeleton, its bytes, and the regions of the initialisers that the skeleton leaves out.

    ``path`` is as the caller wrote it, to be shown; ``absolute`` is what is read, wherever the process has moved since.
    ``files``: what regions lie in, as it was when it was opened. ``external``: location, as the model states it -> one
    of these files. ``again``: what opens a model that was made of other files, which has both a path and bytes;
    ``notes``: what is to be said of how it was made.
    """

    path: Path | None
    data: bytes | None
    skeleton: onnx.ModelProto
    regions: Mapping[str, Region]
    absolute: Path | None = None
    files: Mapping[Path, OpenedFile] = field(default_factory=lambda: MappingProxyType({}))
    external: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))
    again: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def made(self) -> bool:
        """Whether the model was made of files of another kind; ``path`` is the one that states the graph."""
        return self.again is not None

    @cached_property
    def copies(self) -> PrivateCopies:
        """Copies of the files, for sessions to map."""
        return PrivateCopies(self.files)

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
        except ModelFileError as error:
            raise ModelFileError(f"weight {tensor.name!r} cannot be read: {error}") from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ModelFileError(f"weight {tensor.name!r} cannot be read ({error}); is the file whole?") from None

    def _read_into(self, array: NDArray[Any], region: Region) -> None:
        target = array.reshape(-1).view(np.uint8)
        if region.path is None:
            target[:] = np.frombuffer(self.data or b"", np.uint8, region.length, region.offset)
        else:
            self.files[region.path].read_into(target, region.offset)

    def _bytes(self, region: Region) -> bytes:
        array = np.empty(region.length, np.uint8)
        self._read_into(array, region)
        return array.tobytes()

    def with_weights(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """Point every left-out initialiser of ``model`` at its region again: in files as external data, else inline."""
        root = self.external_folder
        for tensor in model.graph.initializer:
            region = self.regions.get(tensor.name)
            if region is None:
                continue
            location = None if region.path is None else region.path.relative_to(root).as_posix()
            if location is None or not is_unicode(location):  # which a protobuf's text has to be
                tensor.raw_data = self._bytes(region)
                continue
            tensor.data_location = onnx.TensorProto.EXTERNAL
            pairs = {"location": location, "offset": str(region.offset), "length": str(region.length)}
            for key, value in pairs.items():
                tensor.external_data.add(key=key, value=value)
        return model

    def whole(self) -> onnx.ModelProto:
        """A copy of the model with all of its weights in it. Errors: ModelFileError where a file changed."""
        model = onnx.ModelProto()
        model.CopyFrom(self.skeleton)
        for tensor in model.graph.initializer:
            if tensor.name in self.regions:
                tensor.raw_data = self._bytes(self.regions[tensor.name])
        return model

    @contextmanager
    def reading(self) -> Iterator[tuple[Read, int]]:
        """What reads the model's own bytes, as they were when it was opened, and how many there are."""
        if self.data is not None:
            data = self.data
            yield lambda start, end: data[start:end], len(data)
            return
        own = self.own_file
        assert own is not None
        with own.reading() as file:
            yield _reader(file, own.shown), own.size

    @property
    def folder(self) -> Path:
        """The folder that the model's own file lies in, links followed."""
        return (self.absolute or Path("model.onnx")).resolve().parent

    @property
    def external_folder(self) -> Path:
        """The folder that every region lies in: the model's own, or what it shares with that of its link."""
        return Path(os.path.commonpath([self.folder, *(path.parent for path in self.files)]))

    @property
    def own_file(self) -> OpenedFile | None:
        """The model's own file; None where it came as bytes."""
        return next(iter(self.files.values()), None)

    def sha256(self) -> str:
        """Hash the model's own bytes (not its external data). Errors: ModelFileError where they changed."""
        own = self.own_file
        return own.sha256() if own is not None else hashlib.sha256(self.data or b"").hexdigest()

    def external_sha256(self) -> dict[str, str]:
        """Hash every file of external data: location -> SHA-256. Errors: ModelFileError where one changed."""
        found = {path: self.files[path].sha256() for path in dict.fromkeys(self.external.values())}
        return {location: found[self.external[location]] for location in sorted(self.external)}


def read_container(source: str | os.PathLike[str] | bytes | onnx.ModelProto | MadeModel) -> Container:
    """Read a path, bytes or a ModelProto; of a path of another kind of file, what a converter makes of it.

    Errors: ModelFileError where the file is missing, empty, truncated, no ONNX model, or where its external data is
    missing or lies outside the model's folder.
    """
    if isinstance(source, onnx.ModelProto):
        try:
            source = source.SerializeToString()
        except (EncodeError, ValueError) as error:
            raise ModelFileError(f"the ModelProto is too large or too deep, give the path of a file: {error}") from None
    if isinstance(source, bytes):
        view = memoryview(source)
        return _container(None, source, None, lambda start, end: bytes(view[start:end]), len(source))
    made = source if isinstance(source, MadeModel) else made_of(source)
    if made is not None:
        return _read_made(made)
    assert not isinstance(source, MadeModel)
    return _read_path(Path(source))


def _read_made(made: MadeModel) -> Container:
    """A model that was made of other files, whose weights lie in them. Errors: ModelFileError."""
    data = made.model.SerializeToString()
    try:
        own, external = opened(made.path, str(made.path)), ExternalData(made.path, made.files)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{made.path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    found = _container(made.path, data, own, lambda start, end: data[start:end], len(data), external)
    return replace(found, again=made.again, notes=made.notes)


def _read_path(path: Path) -> Container:
    try:
        if path.is_dir():
            raise ModelFileError(f"{path} is a folder; give the .onnx file in it")
        if path.stat().st_size == 0:
            raise ModelFileError(f"{path} is empty; an ONNX file was expected")
        own = opened(path, str(path))
        with own.reading() as file:
            return _container(path, None, own, _reader(file, str(path)), own.size)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file; give the path of an .onnx file") from None
    except ModelFileError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte in it
        shown = str(path) if len(str(path)) < 300 else f"{str(path)[:300]}..."
        raise ModelFileError(f"{shown!r} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _reader(file: io.FileIO, shown: str) -> Read:
    def read(start: int, end: int) -> bytes:
        found = bytearray(end - start)
        fill(file, found, start, shown)
        return bytes(found)

    return read


def _container(
    path: Path | None, data: bytes | None, own: OpenedFile | None, read: Read, size: int,
    external: ExternalData | None = None,
) -> Container:  # fmt: skip
    name = str(path) if path else "the model's bytes"
    start = read(0, min(size, 8))
    if start == b"\x89PNG\r\n\x1a\n" or start[:3] == b"\xff\xd8\xff":
        raise ModelFileError(f"{name} is a picture, not an ONNX model; the model comes first, then the images")
    try:
        stripped, spans = skeleton_of(read, size)
        model = onnx.ModelProto.FromString(stripped)
    except (DecodeError, ValueError, IndexError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "its bytes are no protobuf message"
        raise ModelFileError(f"{name} is not an ONNX model, or is truncated: {reason}") from None
    if not model.graph.node and not model.graph.output:
        raise ModelFileError(f"{name} is not an ONNX model: it holds no graph")
    counts = Counter(tensor.name for tensor in model.graph.initializer)
    twice = next((initializer for initializer, count in counts.items() if count > 1), None)
    if twice is not None:
        raise ModelFileError(f"{name} has two initialisers called {twice!r}; a value may be defined once")
    regions: dict[str, Region] = {}
    place = path.resolve() if path else None
    external = external or ExternalData(path)
    for index, tensor in enumerate(model.graph.initializer):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            regions[tensor.name] = external.take(tensor, f"weight {tensor.name!r}")
        elif index in spans:
            regions[tensor.name] = Region(None if data is not None else place, *spans[index])
    external.put_in(model)
    files = {place: own, **external.files} if place is not None and own is not None else {}
    frozen = MappingProxyType
    return Container(
        path, data, model, frozen(regions), path.absolute() if path else None, frozen(files),
        frozen(external.locations),
    )  # fmt: skip
