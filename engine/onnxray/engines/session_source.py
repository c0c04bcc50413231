"""What a session of ONNX Runtime is made from: the file as it was when it was opened, never as it has become."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray

from onnxray.graph.file.container import Container
from onnxray.graph.file.private_copies import NoRoom

_FOLDER = "session.model_external_initializers_file_folder_path"


@dataclass(frozen=True, slots=True)
class SessionSource:
    """``model``: a path or serialised; ``entries`` configure the session; ``weights`` are handed over in memory."""

    model: str | bytes
    entries: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@contextmanager
def file_source(container: Container) -> Iterator[SessionSource]:
    """The model itself, to make a session of within the context. Errors: ModelFileError where a file changed."""
    own = container.own_file
    if container.external:  # else ONNX Runtime would look for it by itself
        with cut_source(container, container.with_weights(_copy_of(container.skeleton))) as source:
            yield source
    elif own is None or container.data is not None:
        yield SessionSource(container.data or b"")
    else:
        with own.reading() as file:
            # The open handle by its name, so that it is this very file whatever the path leads to by now.
            handle = Path(f"/proc/self/fd/{file.fileno()}")
            yield SessionSource(str(handle if sys.platform == "linux" and handle.exists() else own.path))


@contextmanager
def cut_source(container: Container, model: onnx.ModelProto) -> Iterator[SessionSource]:
    """A model ``container.with_weights``, to make a session of within the context.

    Errors: ModelFileError where a file changed.
    """
    outside = [t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    if not outside:
        yield SessionSource(model.SerializeToString())
        return
    with ExitStack() as stack:
        try:
            named = container.copies.named([container.regions[t.name] for t in outside], container.external_folder)
            folder = stack.enter_context(named)
        except NoRoom:
            source = _in_memory(container, model)
        else:
            source = SessionSource(model.SerializeToString(), {_FOLDER: str(folder)})
        yield source


def _in_memory(container: Container, model: onnx.ModelProto) -> SessionSource:
    weights = {}
    for tensor in model.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        array = container.read(tensor)
        if array.dtype.isbuiltin == 1:
            weights[tensor.name] = array
        else:  # types that numpy has not, and ONNX Runtime takes no array of
            tensor.ClearField("external_data")
            tensor.data_location = onnx.TensorProto.DEFAULT
            tensor.raw_data = onnx.numpy_helper.from_array(array).raw_data
    return SessionSource(model.SerializeToString(), weights=weights)


def _copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy
