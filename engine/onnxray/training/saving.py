"""What was trained, written as the file that it came from: the same graph, names, attributes and metadata."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import InputError, OutputError
from onnxray.errors.short_values import short
from onnxray.errors.type_checks import as_path, check_kind
from onnxray.graph.file.container import Container
from onnxray.graph.file.replaced_tensors import write_replaced
from onnxray.model.model import Model

if TYPE_CHECKING:
    from onnxray.importer.imported_module import ImportedModule


def save(trained: Model | ImportedModule, path: str | os.PathLike[str], *, in_place: bool = False) -> list[Path]:
    """Write a model, or a module of ``to_torch(trainable=True)``: the file that it came from, with other weights.

    Of a module the parameters that differ from the file's are written, each in the type and the place that the file has
    it in; no other byte changes (``onnxray diff`` says so). External data goes into files beside it, as it lies beside
    the model. in_place: the path is the model's own file, which is replaced once the new one is whole.
    Gives the files that were written. Errors: InputError for what came from no file, and for parameters that training
    ruined; OutputError where a file is there.
    """
    target = as_path("path", path)
    check_kind("in_place", in_place, bool)
    if isinstance(trained, Model):
        container, arrays = trained.graph.container, dict[str, Array]()
    else:
        container, arrays = _of_module(trained)
    check_target(container, target, in_place=in_place)
    return write_replaced(container, arrays, target, in_place=in_place)


def check_target(container: Container, target: Path, *, in_place: bool) -> None:
    """Refuse to write over what is there, but for the model itself where that is said; and names of other kinds of
    files than the model's. Errors: OutputError.
    """
    own = container.absolute
    if target.suffix.lower() not in {".onnx", "" if own is None else own.suffix.lower()} - {""}:
        raise OutputError(f"{short(str(target))}: the name of an ONNX file, ending in .onnx, was expected")
    same = own is not None and target.exists() and own.exists() and target.samefile(own)
    if same and not in_place:
        raise OutputError(f"{target} is the model itself; give another name, or replace it with in_place (--in-place)")
    if in_place and not same:
        raise OutputError(f"{target} is not the model's own file, which alone is replaced in place")


def _of_module(module: Any) -> tuple[Container, dict[str, Array]]:
    """The file, and the numbers that are others than its own. Errors: InputError."""
    from torch import nn

    from onnxray.importer.imported_module import Origin
    from onnxray.training.masters import as_stored

    origin = vars(module).get("origin") if isinstance(module, nn.Module) else None
    if not isinstance(origin, Origin):  # what a pickle gives is of a class of torch's own
        raise InputError(
            f"{short(type(module).__name__)} cannot be saved; a Model, or a module of to_torch, was expected"
        )
    graph = origin.graph
    if graph is None:
        raise InputError(
            "the module does not know which file it came from; save one that to_torch gave, or a copy of it"
        )
    parameters = dict(module.named_parameters())
    arrays: dict[str, Array] = {}
    for name, attribute in module.parameter_names.items():
        parameter = parameters.get(attribute)
        if parameter is None:
            raise InputError(f"the module has lost its parameter {short(attribute)}; save it before it is changed")
        array = as_stored(parameter)
        if name in graph.initializers:
            old = graph.weight(name)
        else:
            from onnxray.graph.node_attributes import constant

            held = constant(graph, name)
            assert held is not None
            old = held
        if array.tobytes() != np.ascontiguousarray(old).tobytes():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise InputError(
                    f"the parameter {short(name)} holds what is no finite number; it would ruin the file, so nothing "
                    "was written"
                )
            arrays[name] = array.astype(old.dtype, copy=False)
    return graph.container, arrays
