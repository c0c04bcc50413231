"""Which of Caffe's files belong together, and the converter that the entry point names.

net.caffemodel                   with its prototxt beside it
deploy.prototxt                  with its caffemodel beside it
deploy.prototxt+net.caffemodel   the two, wherever they lie
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from onnxray.errors import ModelFileError, ProfileError
from onnxray.errors.short_values import short
from onnxray.graph.file.made_model import MadeModel, Wishes
from onnxray.graph.file.opened_file import OpenedFile, fill, opened
from onnxray.images.profile.discovery import METADATA_KEY
from onnxray.images.profile.mean_image import MeanImage
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.toml_form import toml_of
from onnxray_adapters.caffe.conversion import convert
from onnxray_adapters.caffe.limits import ELEMENTS, PROTOTXT
from onnxray_adapters.caffe.net import Net, NetInput, read_net
from onnxray_adapters.caffe.profile import Preprocessing, profile_of, stated_by
from onnxray_adapters.caffe.scope import LOCATION, Array
from onnxray_adapters.caffe.weights import StoredBlob, read_blob, read_weights
from onnxray_adapters.caffe.wire import Walker

_PROTOTXT, _CAFFEMODEL = ".prototxt", ".caffemodel"
_MEAN_NAME: Final = "mean.npy"
_ITERATION: Final = re.compile(r"[_-]?iter[_-]?[0-9]{1,12}$")
_TRAINING: Final = re.compile(r"solver|train")
_MOST_NAMED: Final = 5


def from_caffe(source: str, wishes: Wishes) -> MadeModel:
    """The model of a prototxt and its caffemodel.

    Errors: ModelFileError, one line naming the file and the place in it.
    """
    try:
        return _made(source, wishes)
    except RecursionError:
        raise ModelFileError(f"{short(source)}: it is nested deeper than can be read") from None
    except MemoryError:
        raise ModelFileError(f"{short(source)}: it takes more memory to read than there is") from None


def _made(source: str, wishes: Wishes) -> MadeModel:
    prototxt, caffemodel = _pair(source, wishes.prototxt)
    net = _net(prototxt)
    weights_file = _opened(caffemodel)

    def read(blob: StoredBlob) -> Array:
        if blob.array is not None:
            return blob.array
        numbers = np.empty(blob.count, "<f4")
        weights_file.read_into(numbers.view(np.uint8), blob.offset)
        return numbers

    with weights_file.reading() as file:

        def bytes_of(start: int, end: int) -> bytes:
            found = bytearray(end - start)
            fill(file, found, start, str(caffemodel))
            return bytes(found)

        try:
            weights = read_weights(Walker(bytes_of, weights_file.size))
        except ValueError as error:
            raise ModelFileError(f"{caffemodel} is no caffemodel, or is damaged: {error}") from None
    try:
        conversion = convert(net, weights, read, wishes.size)
        stated = stated_by(conversion.inputs)
        profile = _profile(conversion.inputs, stated, wishes)
    except ValueError as error:
        raise ModelFileError(f"{prototxt} with {caffemodel.name}: {error}") from None
    model, notes = conversion.model, list(conversion.notes)
    side = _put(model, profile)
    if stated.mean_file is not None and wishes.mean is None:
        notes.append(
            f"the prototxt takes off a mean of the file {short(stated.mean_file[:200])}, which is not read unless it "
            "is given: onnxray convert --mean mean.binaryproto; until then the profile is none of the prototxt's"
        )
    location = _located(model, caffemodel, prototxt)
    again = f"{prototxt.absolute()}+{caffemodel.absolute()}"
    return MadeModel(model, prototxt, {location: caffemodel}, again, side, tuple(notes))


def _pair(source: str, stated: str | None) -> tuple[Path, Path]:
    """The prototxt and the caffemodel. Errors: ModelFileError."""
    parts = [source] if os.path.exists(source) else _parts(source)  # noqa: PTH110
    if stated is not None:
        parts = [*(part for part in parts if not part.lower().endswith(_PROTOTXT)), stated]
    by_kind = {Path(part).suffix.lower(): Path(part) for part in parts}
    if len(parts) > 2 or len(by_kind) != len(parts) or not by_kind.keys() <= {_PROTOTXT, _CAFFEMODEL}:
        raise ModelFileError(f"{short(source)}: deploy.prototxt+net.caffemodel, or one of the two, was expected")
    for path in by_kind.values():
        if not os.path.exists(path):  # noqa: PTH110 - also of a name that no file can have
            raise ModelFileError(f"{path}: no such file")
    prototxt, caffemodel = by_kind.get(_PROTOTXT), by_kind.get(_CAFFEMODEL)
    if prototxt is None and caffemodel is not None:
        prototxt = _beside(caffemodel, _PROTOTXT, "weights without the net that they are of")
    if caffemodel is None and prototxt is not None:
        caffemodel = _beside(prototxt, _CAFFEMODEL, "a net without weights")
    assert prototxt is not None
    assert caffemodel is not None
    return prototxt, caffemodel


def _parts(source: str) -> list[str]:
    """Two files joined by a plus, each of which may have one in its name: the two that are there, if any are."""
    pairs = [[source[:index], source[index + 1 :]] for index, sign in enumerate(source) if sign == "+"]
    pairs = [pair for pair in pairs if all(Path(one).suffix.lower() in (_PROTOTXT, _CAFFEMODEL) for one in pair)]
    return next((pair for pair in pairs if all(map(os.path.exists, pair))), pairs[0] if pairs else [source])


def _beside(path: Path, suffix: str, what: str) -> Path:
    """The one file of the other kind that belongs to this one. Errors: ModelFileError."""
    try:
        every = sorted(one for one in path.absolute().parent.iterdir() if one.suffix.lower() == suffix)
    except OSError as error:
        raise ModelFileError(f"{path}: its folder cannot be read ({error.strerror})") from None
    there = [path.parent / one.name for one in every]
    stem = _ITERATION.sub("", path.stem)
    near = [one for one in there if _ITERATION.sub("", one.stem) == stem]
    fitting = near or [one for one in there if one.stem in (f"{stem}_deploy", f"deploy_{stem}")]
    if not fitting and suffix == _PROTOTXT:
        fitting = [one for one in there if one.stem == "deploy"]
        fitting = fitting or [one for one in there if not _TRAINING.search(one.stem)]
    fitting = fitting or there
    if len(fitting) == 1:
        return fitting[0]
    pair = f"{path}+FILE{suffix}" if suffix == _CAFFEMODEL else f"FILE{suffix}+{path}"
    named = ", ".join(one.name[:80] for one in fitting[:_MOST_NAMED]) + (", ..." if len(fitting) > _MOST_NAMED else "")
    found = f"{len(fitting)} files {suffix} lie beside it ({named})" if fitting else f"no file {suffix} lies beside it"
    raise ModelFileError(f"{path}: {what}; {found}. Give both: {pair}")


def _opened(path: Path) -> OpenedFile:
    try:
        return opened(path, str(path))
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _net(path: Path) -> Net:
    """The net of a prototxt. Errors: ModelFileError."""
    file = _opened(path)
    if file.size > PROTOTXT:
        raise ModelFileError(f"{path} has {file.size:,} bytes; a prototxt has {PROTOTXT:,} at most")
    data = np.empty(file.size, np.uint8)
    file.read_into(data, 0)
    try:
        return read_net(data.tobytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{path} is no prototxt: no UTF-8 text at byte {error.start}") from None
    except ValueError as error:
        raise ModelFileError(f"{path}: {error}") from None


def _profile(inputs: tuple[NetInput, ...], stated: Preprocessing, wishes: Wishes) -> Profile | None:
    """The profile that prototxt and mean state. Errors: ValueError."""
    mean = None if wishes.mean is None else read_mean(Path(wishes.mean))
    try:
        return profile_of(inputs, stated, mean, f"{wishes.name}.{_MEAN_NAME}")
    except ProfileError as error:
        raise ValueError(str(error)) from None


def read_mean(path: Path) -> Array:
    """The mean image of a binaryproto, (channels, height, width). Errors: ValueError."""
    file = _opened(path)
    with file.reading() as stream:

        def bytes_of(start: int, end: int) -> bytes:
            found = bytearray(end - start)
            fill(stream, found, start, str(path))
            return bytes(found)

        try:
            blob = read_blob(Walker(bytes_of, file.size), 0, file.size)
        except ValueError as error:
            raise ValueError(f"the mean {path} is no binaryproto, or is damaged: {error}") from None
        shape = blob.shape[1:] if len(blob.shape) == 4 and blob.shape[0] == 1 else blob.shape
        if len(shape) != 3 or not 0 < blob.count <= ELEMENTS:
            raise ValueError(f"the mean {path} has the shape {blob.shape}; channels, height and width were expected")
        if blob.array is None:
            return np.frombuffer(bytes_of(blob.offset, blob.offset + 4 * blob.count), "<f4").reshape(shape)
        return blob.array.reshape(shape)


def _put(model: onnx.ModelProto, profile: Profile | None) -> dict[str, bytes]:
    """Write a profile into the model's metadata; one with a mean image is told in files beside it."""
    if profile is None:
        return {}
    if isinstance(profile.mean, MeanImage):
        return {".toml": toml_of(profile).encode(), f".{_MEAN_NAME}": profile.mean.npy_bytes()}
    model.metadata_props.add(key=METADATA_KEY, value=toml_of(profile))
    return {}


def _located(model: onnx.ModelProto, caffemodel: Path, prototxt: Path) -> str:
    """Name the file of weights as it lies from the prototxt's folder."""
    try:
        location = Path(os.path.relpath(caffemodel.absolute(), prototxt.absolute().parent)).as_posix()
        location.encode()
    except (ValueError, UnicodeEncodeError):  # on another drive; a name that is no Unicode
        location = "weights.caffemodel"
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location" and entry.value == LOCATION:
                entry.value = location
    return location
