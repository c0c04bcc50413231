"""What every framework's converter needs: packages named where they are missing, trust, shapes and examples read."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final
from warnings import catch_warnings, simplefilter

import numpy as np
import onnx

from onnxray.arrays import Array
from onnxray.errors import InputError, ModelFileError, OnnxrayError
from onnxray.errors.short_values import short
from onnxray.graph.file.made_model import Wishes
from onnxray.images.array_files import read_npy, read_npz

_SHAPE: Final = re.compile(r"[0-9]{1,9}(x[0-9]{1,9})*")
_NUMBERED: Final = re.compile(r"(Column_|f|x)[0-9]{1,9}")
"""What libraries call columns that nobody named."""
_LARGEST_INPUT: Final = 2**28
"""Numbers in one input that is made up: a gigabyte."""
_LARGEST: Final = 2**31 - 2**20
_SPREADS: Final = (0.1, 1.0, 10.0, 100.0)
_ROWS: Final = 64
_CLOSE: Final = 1e-5
"""Of the best score: the next is a tie."""


def needed(module: str, extra: str, what: str) -> Any:
    """A framework's module. Errors: ModelFileError names the extra that installs it."""
    try:
        with quiet():
            return importlib.import_module(module)
    except ImportError as error:
        missing = error.name or module
        raise ModelFileError(f"{what} needs {missing}, which is not there: pip install 'onnxray[{extra}]'") from None


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """What a library asks of its environment when it is imported, where the user states nothing."""
    stated = name in os.environ
    os.environ.setdefault(name, value)
    try:
        yield
    finally:
        if not stated:
            os.environ.pop(name, None)


def existing(source: str) -> Path:
    """The path of a file or folder that is there. Errors: ModelFileError."""
    if not os.path.exists(source):  # noqa: PTH110 - also of a name that no file can have
        raise ModelFileError(f"{short(source)}: no such file")
    return Path(source)


def trusted(source: str, wishes: Wishes, why: str) -> None:
    """Go on only where the user trusts the file. Errors: ModelFileError."""
    if not wishes.trust:
        raise ModelFileError(
            f"{short(source)}: {why}, so reading it can run whatever its author wrote into it; it was not read. State "
            "--trust if you know where it comes from"
        )


def may_have_run(source: str) -> str:
    """What is said of a file that was read because it is trusted."""
    return f"{short(source)} was read, for --trust was stated: what its author wrote into it may have been run"


@contextmanager
def quiet() -> Iterator[None]:
    """What frameworks print and warn of is kept from the output, which is a document."""
    with catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        simplefilter("ignore")
        yield


@contextmanager
def told(source: str, doing: str) -> Iterator[None]:
    """Whatever a framework raises is one line. Errors: ModelFileError."""
    try:
        with quiet():
            yield
    except OnnxrayError:
        raise
    except RecursionError:
        raise ModelFileError(f"{short(source)} {doing}: it is nested deeper than can be read") from None
    except MemoryError:
        raise ModelFileError(f"{short(source)} {doing}: it takes more memory than there is") from None
    except (Exception, SystemExit) as error:  # of other people's code, which may raise anything
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
        raise ModelFileError(f"{short(source)} {doing}: {said}") from None


def shapes_of(wishes: Wishes, names: Sequence[str] = ()) -> list[tuple[str | None, tuple[int, ...]]]:
    """The shapes that are stated, with their inputs' names where these stand there. Errors: InputError."""
    found = []
    for text in wishes.shapes:
        name, _, sizes = text.rpartition("=")
        if not _SHAPE.fullmatch(sizes) or 0 in (shape := tuple(map(int, sizes.split("x")))):
            raise InputError(f"the shape is {short(text)}; sizes from 1 on were expected, as 1x3x224x224 or NAME=1x16")
        if float(np.prod(np.array(shape, np.float64))) > _LARGEST_INPUT:
            raise InputError(f"the shape {short(text)} takes more than a gigabyte; state a smaller one")
        if name and names and name not in names:
            raise InputError(f"the shape is of {short(name)}; the inputs are {', '.join(map(short, names))}")
        found.append((name or None, shape))
    return found


def examples_of(wishes: Wishes) -> dict[str, Array]:
    """The arrays of the files that are given, never unpickled; "" is the name of one without. Errors: InputError."""
    found: dict[str, Array] = {}
    for text in wishes.examples:
        name, _, file = text.rpartition("=") if not os.path.exists(text) else ("", "", text)  # noqa: PTH110
        path = Path(file)
        arrays = read_npz(path) if path.suffix.lower() == ".npz" else {name: read_npy(path)}
        for key, array in arrays.items():
            if key in found:
                raise InputError(f"the example {short(text)}: input {short(key)} is given twice")
            found[key] = array
    return found


def named(arrays: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
    """Examples by the inputs' names, a single one by its place. Errors: InputError."""
    if list(arrays) == [""] and len(names) == 1:
        return {names[0]: arrays[""]}
    if arrays and arrays.keys() != set(names):
        raise InputError(
            f"the examples are of {', '.join(map(short, arrays))}; the inputs are {', '.join(map(short, names))}"
        )
    return dict(arrays)


def rows(columns: int) -> Array:
    """Seeded rows for what takes tables: small and large numbers, so that trees are gone down in many ways."""
    random = np.random.default_rng(0)
    parts = [random.standard_normal((_ROWS, columns)) * spread for spread in _SPREADS]
    return np.concatenate(parts).astype(np.float32)


def row_proofs(name: str, columns: int, wishes: Wishes) -> tuple[Mapping[str, Array], ...]:
    """What a table's model is compared on: seeded rows, and the examples. Errors: InputError for other columns."""
    own = named(examples_of(wishes), (name,))
    if own and (own[name].ndim != 2 or own[name].shape[1] != columns):
        raise InputError(f"the example is of shape {own[name].shape}; rows of {columns} columns were expected")
    return ({name: rows(columns)}, *({key: array.astype(np.float32)} for key, array in own.items()))


def join_columns(model: onnx.ModelProto, name: str) -> None:
    """One input, a row a sample, in place of an input a column; the columns are values of the model."""
    columns = [f"{value.name}_column" if value.name == name else value.name for value in model.graph.input]
    for node in model.graph.node:
        renamed = [f"{one}_column" if one == name else one for one in node.input]
        del node.input[:]
        node.input.extend(renamed)
    sizes = onnx.helper.make_tensor(f"{name}_sizes", onnx.TensorProto.INT64, [len(columns)], [1] * len(columns))
    model.graph.initializer.append(sizes)
    split = onnx.helper.make_node("Split", [name, sizes.name], list(columns), axis=1)
    model.graph.node.insert(0, split)
    del model.graph.input[:]
    shape: list[str | int | None] = ["rows", len(columns)]
    model.graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))


def columns_note(name: str, columns: Sequence[str] | None) -> tuple[str, ...]:
    """Which columns a row has, where they have names."""
    if columns is None or not len(columns) or all(_NUMBERED.fullmatch(str(one)) for one in columns):
        return ()
    shown = ", ".join(short(str(one)[:40]) for one in columns[:5]) + (", ..." if len(columns) > 5 else "")
    return (f"the columns of {name!r} are, in this order: {shown}",)


def undecided(labels: Array, scores: Array) -> Array:
    """Labels, hidden where the two best scores are so close that rounding says which wins; one score: close to 0."""
    best = np.sort(scores.astype(np.float64), axis=-1)
    close = _CLOSE * np.abs(best).max(axis=-1, initial=1e-30)
    gap = best[:, -1] - best[:, -2] if scores.shape[-1] > 1 else np.abs(best[:, -1])
    hidden = gap <= close
    return np.ma.MaskedArray(labels, hidden) if labels.shape == hidden.shape else labels


def fits(model: onnx.ModelProto, source: str) -> onnx.ModelProto:
    """The model, where one message can hold it. Errors: ModelFileError."""
    if model.ByteSize() > _LARGEST:
        raise ModelFileError(f"{short(source)}: the converted model is larger than 2 GiB, which is not supported")
    return model
