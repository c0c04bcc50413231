"""The twin: the same graph as a torch autodiff graph, cut to what is asked, read and pulled back from by ONNX names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from onnxray.batching import Array, Arrays, chunk_size, in_chunks
from onnxray.errors import DeviceError, InputError, NotDifferentiable, RuntimeRefusal
from onnxray.graph import Graph, Value
from onnxray.importer.build import ImportedModule, Importer, forward_all

Tensors = dict[str, torch.Tensor]
Encode = Callable[[torch.Tensor], torch.Tensor]
Cotangents = Callable[[Tensors, slice], Mapping[str, torch.Tensor]]
"""(values of a chunk's samples, their place in the batch) -> a cotangent of the value's own shape for each value."""


class Twin:
    """The torch side of one model.

    ``encode`` maps the variable (pixels) to the model's input and is inside the differentiated graph.
    """

    def __init__(self, graph: Graph, encode: Encode, device: str = "cpu") -> None:
        self.graph = graph
        self.device = torch_device(device)
        self.importer = Importer(graph, channels_last=self.device.type == "cpu", fused=True)
        self._encode = encode

    def values(self, variables: Arrays, names: Sequence[str]) -> dict[str, Array]:
        """Give the values ``names`` for a batch of any size."""
        module = self._cut(tuple(names))

        def chunk(part: Arrays) -> list[Array]:
            with torch.no_grad():
                tensors = self._tensors(part, requires_grad=False)
                return [_array(value) for value in self._forward(module, tensors)]

        return in_chunks(self.graph, variables, module.output_names, chunk_size(self.graph, variables), chunk)

    def prepare(self, names: Sequence[str]) -> None:
        """Build what gives the values ``names`` ahead of its first use. Errors: UnsupportedOperator."""
        self._cut(tuple(names))

    def pullback(self, variables: Arrays, names: Sequence[str], cotangents: Cotangents) -> dict[str, Array]:
        """Give J^T c for every variable: d<c, value>/d variable, c held fixed.

        ``cotangents`` is called once a chunk with the values, so that a cotangent may depend on them (LOTS' t - f(x)).
        Errors: NotDifferentiable where a value holds no real numbers, where no variable reaches it, or where the
        gradient is NaN or infinite.
        """
        wanted = tuple(names)
        self._check_differentiable(wanted)
        module = self._cut(wanted)
        total = max(len(array) if array.ndim else 1 for array in variables.values())
        place = 0

        def chunk(part: Arrays) -> list[Array]:
            nonlocal place
            tensors = self._tensors(part, requires_grad=True)
            variable = {name: tensor for name, tensor in tensors.items() if tensor.requires_grad}
            values = dict(zip(wanted, self._forward(module, tensors)))
            for name, value in values.items():
                if not value.requires_grad:
                    raise NotDifferentiable(f"value {name!r} is a step function of the input; no gradient reaches it")
            fed = max(len(array) if array.ndim else 1 for array in part.values())
            count = min(fed, total - place)  # fewer than fed where the chunk was filled up to the file's own batch
            seen = [_samples(value, count, fed) for value in values.values()]
            with torch.no_grad():
                detached = {name: value.detach() for name, value in zip(wanted, seen)}
                given = cotangents(detached, slice(place, place + count))
            place += count
            root: torch.Tensor = _Pairing.apply(tuple(given[name] for name in wanted), *seen)  # type: ignore[no-untyped-call]
            gradients = torch.autograd.grad(root, list(variable.values()), allow_unused=True)
            found = [
                torch.zeros_like(tensor) if gradient is None else gradient
                for tensor, gradient in zip(variable.values(), gradients)
            ]
            if not all(bool(torch.isfinite(gradient).all()) for gradient in found):
                raise NotDifferentiable(
                    f"the gradient of {', '.join(map(repr, wanted))} holds NaN or infinity; are there NaN in the "
                    "weights, or in the values on the way?"
                )
            return [_array(gradient) for gradient in found]

        real = [name for name, array in variables.items() if np.issubdtype(array.dtype, np.floating)]
        if not real:
            raise NotDifferentiable("the model's inputs hold whole numbers; gradients exist for real numbers alone")
        labels = tuple(f"d/d {name}" for name in real)
        joined = in_chunks(self.graph, variables, labels, chunk_size(self.graph, variables), chunk)
        return {name: joined[label] for name, label in zip(real, labels)}

    def _cut(self, names: tuple[str, ...]) -> ImportedModule:
        module = self.importer.cut(names)
        return module if self.device.type == "cpu" else module.to(self.device)

    def _tensors(self, part: Arrays, *, requires_grad: bool) -> Tensors:
        tensors = {}
        for name, array in part.items():
            tensor = torch.from_numpy(np.array(array, order="C")).to(self.device)
            tensors[name] = tensor.requires_grad_(requires_grad and tensor.is_floating_point())
        return tensors

    def _forward(self, module: ImportedModule, tensors: Tensors) -> tuple[torch.Tensor, ...]:
        try:
            inputs = tuple(_as_input(self._encode(tensors[value.name]), value) for value in self.graph.inputs)
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


class _Pairing(torch.autograd.Function):
    """sum of <c, v> over pairs, as the root of a gradient: d/dv is c. The sum itself nobody reads: it is given as 0.

    A root of one number: for any other torch imports sympy, a third of a second, to compare two shapes.
    """

    @staticmethod
    def forward(ctx: Any, cotangents: tuple[torch.Tensor, ...], *values: torch.Tensor) -> torch.Tensor:
        """Keep the cotangents."""
        ctx.cotangents = cotangents
        return values[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Give them."""
        return (None, *ctx.cotangents)


def _array(tensor: torch.Tensor) -> Array:
    """The tensor's numbers in C order, whatever layout the convolutions computed in."""
    tensor = tensor.detach().cpu().contiguous()
    return np.asarray((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy())  # numpy has no bfloat16


def _as_input(tensor: torch.Tensor, value: Value) -> torch.Tensor:
    """The variable in the graph input's kind of float; whole-number inputs take real numbers as they are."""
    return tensor.to(getattr(torch, value.dtype)) if value.is_float and tensor.is_floating_point() else tensor


def _samples(value: torch.Tensor, count: int, fed: int) -> torch.Tensor:
    """The part of a chunk's value that belongs to its first ``count`` samples of ``fed``."""
    return value if count == fed or not value.ndim else value[: len(value) // fed * count]


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
            if array.dtype.kind not in "fiub":
                raise InputError(f"the cotangent of {name!r} has the type {array.dtype}; real numbers were expected")
            rows = len(value) // (place.stop - place.start) if value.ndim else 0  # patches give a sample several rows
            whole = (total * rows, *value.shape[1:]) if value.ndim else ()
            if value.ndim and array.shape == whole:
                part = array[place.start * rows : place.stop * rows]
            elif array.shape == value.shape or (value.ndim and array.shape in {whole[1:], (1, *whole[1:])}):
                part = array
            else:
                raise InputError(
                    f"the cotangent of {name!r} has the shape {list(array.shape)}; {list(whole)}, or {list(whole[1:])} "
                    "for every sample, was expected"
                )
            whole_and_writeable = part.flags.c_contiguous and part.flags.writeable
            shared = torch.from_numpy(part if whole_and_writeable else np.array(part, order="C"))
            tensor = shared.to(value.device, value.dtype)
            found[name] = checked_cotangent(name, tensor, value, broadcast=True)
        return found

    return give


def checked_cotangent(
    name: str, cotangent: torch.Tensor, value: torch.Tensor, *, broadcast: bool = False
) -> torch.Tensor:
    """A cotangent of its value's shape and type. Errors: InputError for another shape, NaN or infinity."""
    if cotangent.shape != value.shape and not broadcast:
        raise InputError(
            f"the cotangent of {name!r} has the shape {list(cotangent.shape)}; {list(value.shape)} was expected"
        )
    if cotangent.numel() and not torch.stack(torch.aminmax(cotangent)).isfinite().all():  # one pass; NaN wins
        raise InputError(f"the cotangent of {name!r} holds NaN or infinity; finite numbers were expected")
    return cotangent.to(value).expand(value.shape)
