"""What one sample's graph inputs are given by a cut with rules in place of derivatives: relevance, multipliers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from onnxray.arrays import Array, Arrays
from onnxray.engines.chunks import chunks
from onnxray.engines.cotangents import Cotangents, Tensors, gradients
from onnxray.engines.twin import Twin
from onnxray.errors import NotDifferentiable
from onnxray.graph.fixed_batch import fixed_batch_of, has_no_batch
from onnxray.importer.imported_module import ImportedModule, forward_all, told_as_refusal
from onnxray.importer.nodes.weights import numpy_array
from onnxray.importer.walk import Importer


@dataclass(frozen=True, eq=False)
class Given:
    """Of one sample, by graph input: what the rules give its numbers, as the network takes them, (1, ...).

    differences: from the reference, where there is one, else the numbers themselves. begun: the sum of what it began
    with. kept: what biases kept.
    """

    differences: Arrays
    found: Arrays
    begun: float
    kept: float


def pulled_by_rules(
    twin: Twin, variables: Arrays, names: tuple[str, ...], start: Cotangents,
    make: Callable[[Importer], ImportedModule], reference: Arrays | None = None,
) -> Given:  # fmt: skip
    """What comes to the inputs from ``start`` at ``names``, for a batch of one sample.

    make: the cut, which takes the graph's inputs, then those of ``reference`` where that is given, then a ledger.
    A file that fixes its batch is fed copies, of which the first counts.
    Errors: NotDifferentiable, RuntimeRefusal, UnsupportedOperator.
    """
    twin.check_differentiable(names)
    cut = make(twin.importer)
    known = {n: t.detach().requires_grad_(t.is_floating_point()) for n, t in _entries(twin, variables).items()}
    beside = {} if reference is None else _entries(twin, reference)
    ledger = torch.zeros((), device=twin.device, requires_grad=True)
    values = dict(zip(names, told_as_refusal(lambda: forward_all(cut, (*known.values(), *beside.values(), ledger)))))
    real = {name: tensor for name, tensor in known.items() if tensor.requires_grad}
    if not real:
        raise NotDifferentiable("the model's inputs hold whole numbers; relevance exists for real numbers alone")
    fed = fixed_batch_of(twin.graph) or 1
    begun = 0.0

    def begin(values: Tensors, place: slice) -> Mapping[str, torch.Tensor]:
        nonlocal begun
        given = start(values, place)
        begun = float(sum(part.double().sum() for part in given.values()))
        return given

    *found, kept = gradients(values, [*real.values(), ledger], begin, slice(0, 1), fed)
    return Given(
        {name: _first(twin, x - beside[name] if beside else x, fed) for name, x in real.items()},
        {name: _first(twin, tensor, fed) for name, tensor in zip(real, found)},
        begun,
        float(kept),
    )


def _entries(twin: Twin, variables: Arrays) -> Tensors:
    """The graph's inputs of one sample, filled up to the file's own batch."""
    (chunk,) = chunks(twin.graph, variables, fixed_batch_of(twin.graph) or 1)
    return twin.entries(chunk.feeds)


def _first(twin: Twin, tensor: torch.Tensor, fed: int) -> Array:
    """The first sample's rows."""
    array = numpy_array(tensor)
    return array if fed == 1 or has_no_batch(twin.graph) or not array.ndim else array[: len(array) // fed]
