"""A model of another framework's files, written as an ONNX file, checked and run once before it is there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.checker

from onnxray.arrays import Array
from onnxray.errors import InputError, MismatchError, ModelFileError, OutputError
from onnxray.errors.short_values import short
from onnxray.graph.file.container import Container
from onnxray.graph.file.made_model import Wishes, kinds, made_of
from onnxray.graph.file.written_model import write_model
from onnxray.graph.reading import read_graph
from onnxray.model.encoding import seeded
from onnxray.model.model import Model
from onnxray.model.opening import open_model
from onnxray.model.proving import Proof, prove

_SIDES = 2


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written: the model, opened; its files and those beside it; what is to be said of the conversion.

    outputs: output -> its shape for the seeded inputs that ONNX Runtime was run on. proof: how far its numbers are from
    the framework's own, where that computed them.
    """

    model: Model
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    outputs: Mapping[str, tuple[int, ...]]
    proof: Proof | None = None


def convert_model(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    prototxt: str | None = None,
    mean: str | None = None,
    size: tuple[int, int] | None = None,
    trust: bool = False,
    shapes: tuple[str, ...] = (),
    examples: tuple[str, ...] = (),
    overwrite: bool = False,
) -> Converted:
    """Write the model of another framework's files as the ONNX file ``out``, and open it.

    prototxt, mean: of Caffe, the net and the mean image that the weights were trained with. size: height and width of
    the input, for nets that take several. trust: read files that can run programs of their author's (pickles,
    PyTorch's). shapes, examples: of the inputs, where the source does not state them (see Wishes). What the framework
    says of preprocessing goes into the file; a mean image beside it, with a TOML that names it. Nothing is there before
    all of it was run, and compared with the framework's own numbers where that is what converts it.
    Errors: ModelFileError; InputError for a kind of file that nothing reads; OutputError for a file that is there;
    MismatchError.
    """
    target = Path(out)
    if size is not None and (len(size) != _SIDES or min(size) < 1):
        raise InputError(f"the size is {short(size)}; height and width, from 1 on, were expected")
    if target.suffix.lower() != ".onnx":
        raise OutputError(f"{target}: the name of an ONNX file, ending in .onnx, was expected")
    if not overwrite and target.exists():  # before a framework works for minutes
        raise _there(target)
    wishes = Wishes(
        prototxt=prototxt, mean=mean, size=size, name=target.stem, trust=trust, shapes=shapes, examples=examples
    )
    made = made_of(source, wishes)
    if made is None:
        raise InputError(
            f"{short(os.fspath(source))}: no converter reads such a file; those there are read {', '.join(kinds())}"
        )
    names = [target.name, *(target.stem + suffix for suffix in made.side)]
    if not overwrite and (there := next((one for one in map(target.with_name, names) if one.exists()), None)):
        raise _there(there)
    if target.exists() and target.samefile(made.path):
        raise OutputError(f"{target} is the file that is converted; give another name")
    graph = read_graph(made)
    _check(graph.container)
    with _beside(target) as folder:
        written = write_model(graph.container, folder / target.name)
        for suffix, data in made.side.items():
            written.append(folder / (target.stem + suffix))
            written[-1].write_bytes(data)
        trial = open_model(folder / target.name)
        outputs = _run(trial)
        proof = None if made.reference is None else prove(trial, made.reference, made.proofs)
        files = tuple(path.replace(target.with_name(path.name)) for path in written)
    return Converted(open_model(target), files, made.notes, {key: one.shape for key, one in outputs.items()}, proof)


def _there(path: Path) -> OutputError:
    return OutputError(f"{path} is there already; give another name, or replace it by --overwrite")


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder for files that are not finished, on the disk that they will lie on. Errors: OutputError."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=".convert-", dir=target.absolute().parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from None


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
