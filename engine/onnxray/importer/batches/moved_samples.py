"""Samples moved from axis to axis: the functions that cuts for several of the file's own batches call."""

from __future__ import annotations

import torch

from onnxray.errors import InputError
from onnxray.importer.walk import Tracer


def batches(own: int, *inputs: torch.Tensor) -> int:
    """How many of the file's own batches are fed. Errors: InputError where that is no whole number, or not common."""
    lengths = {len(tensor) if tensor.ndim else 0 for tensor in inputs}
    length = lengths.pop() if len(lengths) == 1 else 0
    if length < 1 or length % own:
        given = ", ".join(str(list(tensor.shape)) for tensor in inputs)
        raise InputError(
            f"the file fixes its batch at {own}, and was given {given}; give the same multiple of {own} for each input"
        )
    return length // own


def refolded(x: torch.Tensor, count: int, source: int, target: int) -> torch.Tensor:
    """The samples moved from the outer part of one axis to that of another."""
    parts = x.reshape(*x.shape[:source], count, -1, *x.shape[source + 1 :])
    return parts.movedim(source, target).flatten(target, target + 1)


def repeated(x: torch.Tensor, count: int, axis: int) -> torch.Tensor:
    """The same for each of ``count`` batches, one after the other along an axis."""
    return x.unsqueeze(axis).expand(*x.shape[:axis], count, *x.shape[axis:]).flatten(axis, axis + 1)


def deepened(x: torch.Tensor, missing: int) -> torch.Tensor:
    """Axes of length 1 in front."""
    return x.reshape((1,) * missing + x.shape)


class SamplesTracer(Tracer):
    """Unpickles such a cut."""

    functions = (*Tracer.functions, batches, refolded, repeated, deepened)
