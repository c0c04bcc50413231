"""A model of another framework's files, written as an ONNX file, checked and run once before it is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.checker

from onnxray.arrays import Array
from onnxray.errors import InputError, MismatchError, ModelFileError, OnnxrayError, OutputError
from onnxray.errors.short_values import short
from onnxray.graph.file.container import Container
from onnxray.graph.file.made_model import Wishes, kinds, made_of
from onnxray.graph.file.written_model import write_model
from onnxray.graph.reading import read_graph
from onnxray.model.encoding import seeded
from onnxray.model.model import Model
from onnxray.model.opening import open_model

_SIDES = 2


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written: the model, opened; its files and those beside it; what is to be said of the conversion.

    outputs: output -> its shape for the seeded inputs that ONNX Runtime was run on.
    """

    model: Model
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    outputs: Mapping[str, tuple[int, ...]]


def convert_model(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    prototxt: str | None = None,
    mean: str | None = None,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> Converted:
    """Write the model of another framework's files as the ONNX file ``out``, and open it.

    prototxt, mean: of Caffe, the net and the mean image that the weights were trained with. size: height and width of
    the input, for nets that take several. What the framework says of preprocessing goes into the file; a mean image
    beside it, with a TOML that names it.
    Errors: ModelFileError; InputError for a kind of file that nothing reads; OutputError for a file that is there.
    """
    target = Path(out)
    if size is not None and (len(size) != _SIDES or min(size) < 1):
        raise InputError(f"the size is {short(size)}; height and width, from 1 on, were expected")
    if target.suffix.lower() != ".onnx":
        raise OutputError(f"{target}: the name of an ONNX file, ending in .onnx, was expected")
    made = made_of(source, Wishes(prototxt=prototxt, mean=mean, size=size, name=target.stem))
    if made is None:
        known = ", ".join(f".{kind}" for kind in kinds())
        raise InputError(f"{short(os.fspath(source))}: no converter reads such a file; those there are read {known}")
    side = {target.with_name(target.stem + suffix): data for suffix, data in made.side.items()}
    if not overwrite and (there := next((path for path in (target, *side) if path.exists()), None)) is not None:
        raise OutputError(f"{there} is there already; give another name, or replace it by --overwrite")
    graph = read_graph(made)
    _check(graph.container)
    files = write_model(graph.container, target)
    try:
        for path, data in side.items():
            path.write_bytes(data)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None
    try:
        opened = open_model(target)
        outputs = _run(opened)
    except OnnxrayError:
        for path in (*files, *side):
            path.unlink(missing_ok=True)
        raise
    return Converted(opened, (*files, *side), made.notes, {name: array.shape for name, array in outputs.items()})


def _run(model: Model) -> dict[str, Array]:
    """The outputs of seeded inputs, whose shapes are those that the file states. Errors: MismatchError."""
    outputs = model.judge.outputs(model.feeds(seeded(model.graph, model.profile, model.judge.outputs)), once=True)
    for value in model.graph.outputs:
        shape = outputs[value.name].shape
        stated = value.shape if value.shape is not None else shape
        if len(stated) != len(shape) or any(isinstance(a, int) and a != b for a, b in zip(stated, shape)):
            raise MismatchError(
                f"ONNX Runtime computes {value.name!r} of shape {shape}, where the conversion states {stated}; please "
                "report it with the two files"
            )
    return outputs


def _check(container: Container) -> None:
    """Ask onnx's checker, shapes included; large weights stand in as inputs. Errors: ModelFileError."""
    model = onnx.ModelProto()
    model.CopyFrom(container.skeleton)
    tensors = list(model.graph.initializer)
    model.graph.ClearField("initializer")
    for tensor in tensors:
        if tensor.name in container.regions:
            info = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            model.graph.input.append(info)
        else:
            model.graph.initializer.append(tensor)
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # whatever the C++ side threw
        said = str(error).strip().splitlines()
        raise ModelFileError(f"the converted model is not what ONNX asks for: {said[0] if said else error}") from None
