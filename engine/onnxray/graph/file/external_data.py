"""Weights that lie in files of their own: found beside the model alone, and read as they were when it was opened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType

import numpy as np
import onnx

from onnxray.errors import ModelFileError
from onnxray.graph.file.opened_file import opened
from onnxray.graph.file.tensors import inner_tensors

LARGEST_INNER = 2**28
"""Bytes of external data that attributes, subgraphs, functions and sparse tensors may come to: they are held."""


@dataclass(frozen=True, slots=True)
class Region:
    """Where the bytes of one weight lie: in the file ``path``, or in the model's own bytes where it is None."""

    path: Path | None
    offset: int
    length: int


class ExternalData:
    """The files beside one model. ``shown``: its path as the caller wrote it; None where it came as bytes.

    ``named``: location -> a file that the caller named, wherever it lies. Errors: OSError.
    """

    def __init__(self, shown: Path | None, named: Mapping[str, Path] = MappingProxyType({})) -> None:
        self._shown = shown
        self.files = {path.resolve(): opened(path, str(path)) for path in named.values()}
        self.locations = {location: path.resolve() for location, path in named.items()}

    def take(self, tensor: onnx.TensorProto, described: str) -> Region:
        """Where the data of a tensor lies; the tensor itself no longer says so. Errors: ModelFileError."""
        region = self._region({entry.key: entry.value for entry in tensor.external_data}, described)
        if tensor.data_type == onnx.TensorProto.STRING:
            raise ModelFileError(f"{described} holds text, which cannot be external data; the file is damaged")
        del tensor.external_data[:]
        tensor.data_location = onnx.TensorProto.DEFAULT
        return region

    def put_in(self, model: onnx.ModelProto) -> None:
        """Give every tensor that is no initialiser of the graph its external data. Errors: ModelFileError."""
        total = 0
        for described, tensor in inner_tensors(model):
            if tensor.data_location != onnx.TensorProto.EXTERNAL:
                continue
            region = self.take(tensor, described)
            assert region.path is not None
            total += region.length
            if total > LARGEST_INNER:
                raise ModelFileError(
                    f"the external data of constants and subgraphs comes to {total:,} bytes with {described}, "
                    f"{LARGEST_INNER:,} are the most; make them initialisers of the graph"
                )
            _check_length(tensor, region, described)
            data = np.empty(region.length, np.uint8)
            self.files[region.path].read_into(data, region.offset)
            tensor.raw_data = data.tobytes()

    def _region(self, entries: dict[str, str], described: str) -> Region:
        location = entries.get("location", "")
        if self._shown is None:
            raise ModelFileError(f"{described} lies in {location!r} beside the model; open the model by its path")
        path = self.locations.get(location) or self._found(location, described)
        size = self.files[path].size
        try:
            offset = int(entries.get("offset") or 0)
            length = int(entries["length"]) if entries.get("length") else size - offset
        except ValueError:
            raise ModelFileError(f"{described} has a damaged external-data entry: {entries}") from None
        if offset < 0 or length < 0 or offset + length > size:
            raise ModelFileError(
                f"{described} wants bytes {offset} to {offset + length} of {location!r}, which has {size}; "
                "is the file whole?"
            )
        return Region(path, offset, length)

    def _found(self, location: str, described: str) -> Path:
        """The file that a location means, noted. Errors: ModelFileError."""
        assert self._shown is not None
        relative = PureWindowsPath(location) if "\\" in location else PurePosixPath(location)
        absolute = relative.is_absolute() or PureWindowsPath(location).drive
        # As ONNX Runtime looks it up: beside the path as given, which may be a link, as in Hugging Face's cache.
        try:
            path = (self._shown.parent / Path(*relative.parts)).resolve() if not absolute else Path(location)
            folders = (self._shown.resolve().parent, self._shown.parent.resolve())
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a link to itself
            raise ModelFileError(f"{described} lies in {location!r}, which cannot be read: {error}") from None
        if not location or absolute or not any(path.is_relative_to(folder) for folder in folders):
            raise ModelFileError(
                f"{described} points at {location!r}, outside the model's folder; external data must lie beside the "
                "model"
            )
        if not path.is_file():
            hint = f"; the path is a link, give {self._shown.resolve()} itself" if self._shown.is_symlink() else ""
            raise ModelFileError(f"{described} lies in {location!r}, which is missing beside {self._shown}{hint}")
        try:
            self.files.setdefault(path, opened(path, f"{location!r} beside {self._shown}"))
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            raise ModelFileError(f"{described} lies in {location!r}, which cannot be read: {said}") from None
        self.locations[location] = path
        return path


def _check_length(tensor: onnx.TensorProto, region: Region, described: str) -> None:
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except (KeyError, ValueError, TypeError):
        raise ModelFileError(f"{described} is of type {tensor.data_type}, which onnx does not know") from None
    size = math.prod(tensor.dims) * dtype.itemsize
    if dtype.isbuiltin == 1 and size != region.length:  # others may be packed; both engines look by themselves
        raise ModelFileError(
            f"{described} has the shape {list(tensor.dims)}, which takes {size} bytes, it has {region.length}; "
            "is the file whole?"
        )
