"""Gradients and judged scores of objectives: the one place where methods meet the two engines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import NotDifferentiable
from onnxray.graph.fixed_batch import has_no_batch
from onnxray.images.pixels import Pixels
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective

if TYPE_CHECKING:
    import torch

    from onnxray.importer.backward_rules import BackwardRules

Floats = NDArray[np.float32]


def judged(model: Model, pixels: Pixels, objective: Objective) -> NDArray[np.float64]:
    """(N,): the objective by ONNX Runtime on the pixels as they are, in float64 from the values on.

    Errors: UnknownValue, RuntimeRefusal.
    """
    if objective.one_by_one and len(pixels) > 1:
        return np.concatenate([judged(model, *one) for one in _each(pixels, objective)])
    values = model.judge.values(model.feeds(pixels), objective.values)
    return np.asarray(objective.score(widened(values), slice(0, len(pixels))), np.float64)


def _each(pixels: Pixels, objective: Objective) -> Iterator[tuple[Pixels, Objective]]:
    """Each sample by itself, with what is asked of it."""
    for k in range(len(pixels)):
        yield pixels.rows(slice(k, k + 1)), objective.rows(np.array([k]))


def widened(values: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Numbers in float64; text stays as it is."""
    return {name: a.astype(np.float64) if a.dtype.kind in "fiub" else a for name, a in values.items()}


def gradient(
    model: Model, pixels: Pixels, objective: Objective, rules: BackwardRules | None = None
) -> NDArray[np.float32]:
    """d objective_n / d pixels_n, (N, channels, height, width), per grey level; of a model whose input is no image, an
    array like the input that the samples are for.

    rules: what takes the place of the rectifiers' derivative (guided backpropagation, deconvnet).
    Errors: NotDifferentiable, MismatchError, UnsupportedOperator.
    """
    from onnxray.importer.backward_rules import PLAIN

    refuse_whole_numbers(model, pixels)
    if objective.one_by_one and len(pixels) > 1:
        return np.concatenate([gradient(model, *one, rules) for one in _each(pixels, objective)])
    found = model.twin_for(len(pixels)).pullback(
        model.variables(pixels), objective.values, cotangents(objective), rules=rules or PLAIN
    )
    array = found[pixels.input] if pixels.input is not None else next(iter(found.values()))
    return np.asarray(array[None] if has_no_batch(model.graph) else array)


def scored_gradient(
    model: Model, pixels: Pixels, objective: Objective, also: Sequence[Objective] = (), wrt: Sequence[str] | None = None
) -> tuple[tuple[NDArray[np.float64], ...], dict[str, NDArray[Any]]]:
    """The numbers (N,) of ``also``, by the twin, and d objective_n / d variables_n by name: one pass there and back.

    wrt: the inputs that are differentiated by, where the model has several.
    Errors: as ``gradient``.
    """
    refuse_whole_numbers(model, pixels)
    if objective.one_by_one and len(pixels) > 1:
        parts = [
            scored_gradient(model, one, own, [other.rows(np.array([k])) for other in also], wrt)
            for k, (one, own) in enumerate(_each(pixels, objective))
        ]
        joined = tuple(np.concatenate(numbers) for numbers in zip(*(part[0] for part in parts)))
        return joined, {name: np.concatenate([part[1][name] for part in parts]) for name in parts[0][1]}
    names = tuple(dict.fromkeys(name for one in (objective, *also) for name in one.values))
    give, scores = cotangents(objective), [np.zeros(len(pixels)) for _ in also]

    def read(values: Mapping[str, torch.Tensor], place: slice) -> Mapping[str, torch.Tensor]:
        numbers = widened({name: value.detach().cpu().numpy() for name, value in values.items()})
        for one, its in zip(also, scores):
            its[place] = one.score(numbers, place)
        slopes = give({name: values[name] for name in objective.values}, place)
        return {
            name: slopes[name] if name in slopes else value.new_zeros(value.shape) for name, value in values.items()
        }

    found = model.twin_for(len(pixels)).pullback(model.variables(pixels), names, read)
    taken = found if wrt is None else {name: found[name] for name in wrt}
    return tuple(scores), {name: a[None] if has_no_batch(model.graph) else a for name, a in taken.items()}


def refuse_whole_numbers(model: Model, pixels: Pixels) -> None:
    """Refuse the gradient of an input that holds no real numbers. Errors: NotDifferentiable, naming what to take."""
    if pixels.input is None or np.issubdtype(pixels.array.dtype, np.floating):
        return
    gathered = model.inputs.named(pixels.input).gathered
    instead = "another input" if gathered is None else f"the embeddings that it gathers, {gathered!r}"
    raise NotDifferentiable(
        f"the input {pixels.input!r} holds {pixels.array.dtype}; gradients exist for real numbers alone: explain "
        f"{instead} (wrt)"
    )


def layer_gradient(
    model: Model, pixels: Pixels, layer: str, objective: Objective, rules: BackwardRules | None = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The value ``layer`` and d objective_n / d layer, both of the layer's shape; nothing before it is differentiated.

    Errors: NotDifferentiable where the objective does not depend on the layer; as ``gradient``.
    """
    from onnxray.importer.backward_rules import PLAIN

    return model.twin.layer_pullback(
        model.variables(pixels), layer, objective.values, cotangents(objective), rules=rules or PLAIN
    )


def cotangents(objective: Objective) -> Any:
    """d objective / d values at the values of a chunk: what the twin pulls back."""
    import torch

    def give(values: Mapping[str, torch.Tensor], place: slice) -> Mapping[str, torch.Tensor]:
        with torch.enable_grad():
            leaves = {name: value.detach().requires_grad_() for name, value in values.items()}
            total = objective.score(leaves, place).sum()
        if not total.requires_grad:
            raise NotDifferentiable(f"{objective.describe(0)} does not change with {', '.join(objective.values)}")
        found = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
        return {
            name: torch.zeros_like(leaf) if slope is None else slope
            for (name, leaf), slope in zip(leaves.items(), found)
        }

    return give
