"""The twin: the same graph as a torch autodiff graph, cut to what is asked, read and pulled back from by ONNX names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from onnxray.batching import Array, Arrays, chunk_size, in_chunks
from onnxray.errors import DeviceError, InputError, NotDifferentiable, RuntimeRefusal
from onnxray.graph import Graph
from onnxray.importer.build import ImportedModule, Importer, forward_all

Tensors = dict[str, torch.Tensor]
Encode = Callable[[torch.Tensor], torch.Tensor]
Cotangents = Callable[[Tensors, slice], Mapping[str, torch.Tensor]]
"""(values of a chunk, its place in the batch) -> a cotangent a value."""


class Twin:
    """The torch side of one model.

    ``encode`` maps the variable (pixels) to the model's input and is inside the differentiated graph.
    """

    def __init__(self, graph: Graph, encode: Encode, device: str = "cpu") -> None:
        self.graph = graph
        self.importer = Importer(graph)
        self.device = torch_device(device)
        self._encode = encode

    def values(self, variables: Arrays, names: Sequence[str]) -> dict[str, Array]:
        """Give the values ``names`` for a batch of any size."""
        module = self._cut(tuple(names))

        def chunk(part: Arrays) -> list[Array]:
            with torch.no_grad():
                tensors = self._tensors(part, requires_grad=False)
                return [value.cpu().numpy() for value in self._forward(module, tensors)]

        return in_chunks(self.graph, variables, module.output_names, chunk_size(self.graph, variables), chunk)

    def pullback(
        self, variables: Arrays, names: Sequence[str], cotangents: Cotangents
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Give J^T c for every variable, and the values themselves: d<c, value>/d variable, c held fixed.

        ``cotangents`` is called once a chunk with the values, so that a cotangent may depend on them (LOTS' t - f(x)).
        Errors: NotDifferentiable where a value holds no real numbers, or where no variable reaches it.
        """
        wanted = tuple(names)
        self._check_differentiable(wanted)
        module = self._cut(wanted)
        place = 0

        def chunk(part: Arrays) -> list[Array]:
            nonlocal place
            tensors = self._tensors(part, requires_grad=True)
            variable = {name: tensor for name, tensor in tensors.items() if tensor.requires_grad}
            values = dict(zip(wanted, self._forward(module, tensors)))
            count = len(next(iter(part.values())))
            with torch.no_grad():
                given = cotangents(
                    {name: value.detach() for name, value in values.items()}, slice(place, place + count)
                )
            place += count
            gradients = torch.autograd.grad(
                [values[name] for name in given], variable.values(), [given[name] for name in given], allow_unused=True
            )
            found = [
                torch.zeros_like(tensor) if gradient is None else gradient
                for tensor, gradient in zip(variable.values(), gradients)
            ]
            return [tensor.detach().cpu().numpy() for tensor in (*values.values(), *found)]

        real = [name for name, array in variables.items() if np.issubdtype(array.dtype, np.floating)]
        labels = tuple(f"d/d {name}" for name in real)
        joined = in_chunks(self.graph, variables, (*wanted, *labels), chunk_size(self.graph, variables), chunk)
        return (
            {name: joined[name] for name in wanted},
            {name: joined[label] for name, label in zip(real, labels)},
        )

    def _cut(self, names: tuple[str, ...]) -> ImportedModule:
        module = self.importer.cut(names)
        return module if self.device.type == "cpu" else module.to(self.device)

    def _tensors(self, part: Arrays, *, requires_grad: bool) -> Tensors:
        tensors = {}
        for name, array in part.items():
            tensor = torch.tensor(np.ascontiguousarray(array), device=self.device)
            tensors[name] = tensor.requires_grad_(requires_grad and tensor.is_floating_point())
        return tensors

    def _forward(self, module: ImportedModule, tensors: Tensors) -> tuple[torch.Tensor, ...]:
        try:
            inputs = tuple(self._encode(tensors[name]) for name in module.input_names)
            return forward_all(module, inputs)
        except (RuntimeError, IndexError, TypeError, ValueError, KeyError) as error:
            first = str(error).strip().splitlines() or [type(error).__name__]
            raise RuntimeRefusal(f"the torch twin cannot run the model on this input: {first[0][:300]}") from None

    def _check_differentiable(self, names: tuple[str, ...]) -> None:
        for name in names:
            value = self.graph.values.get(name)
            if value is not None and value.dtype and not value.is_float:
                raise NotDifferentiable(f"value {name!r} holds {value.dtype}; gradients exist for real numbers alone")
            if name not in self.graph.depends_on_input:
                raise NotDifferentiable(f"value {name!r} does not depend on the input; its gradient is nowhere defined")


def torch_device(device: str) -> torch.device:
    """The torch device that ``cpu`` or ``cuda`` means. Errors: DeviceError where it is not there."""
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError("device 'cuda': torch finds no CUDA device here; use --device cpu")
    if device not in {"cpu", "cuda"}:
        raise DeviceError(f"unknown device {device!r}; use 'cpu' or 'cuda'")
    return torch.device(device)


def fixed_cotangents(arrays: Mapping[str, NDArray[Any]], total: int) -> Cotangents:
    """Cotangents that are given beforehand: a value's own shape, or that of one sample, which then serves for all.

    Errors: InputError where a cotangent has neither shape.
    """

    def give(values: Tensors, place: slice) -> Mapping[str, torch.Tensor]:
        found = {}
        for name, value in values.items():
            array = np.asarray(arrays[name])
            whole = (total, *value.shape[1:])
            if array.shape == whole:
                part = array[place]
                if len(part) < len(value):  # a chunk that was filled up to the file's own batch
                    part = np.concatenate([part, np.zeros((len(value) - len(part), *part.shape[1:]), part.dtype)])
            elif array.shape in {tuple(value.shape[1:]), (1, *value.shape[1:])}:
                part = np.broadcast_to(array, value.shape)
            else:
                raise InputError(
                    f"the cotangent of {name!r} has the shape {list(array.shape)}; {list(whole)}, or {list(whole[1:])} "
                    "for every sample, was expected"
                )
            if not np.isfinite(part).all():
                raise InputError(f"the cotangent of {name!r} holds NaN or infinity; finite numbers were expected")
            found[name] = torch.tensor(part, dtype=value.dtype, device=value.device)
        return found

    return give
