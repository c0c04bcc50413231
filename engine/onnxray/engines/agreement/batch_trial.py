"""Which way more samples than a file's own batch go through the twin: the first that gives the judge's numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from onnxray.arrays import Array, Arrays
from onnxray.engines.agreement.comparison import compare
from onnxray.engines.chunks import Batch, Way
from onnxray.engines.judge import Judge
from onnxray.engines.seeded_inputs import seeded_inputs
from onnxray.errors import InputError, MismatchError, NotDifferentiable
from onnxray.errors.library_warnings import warned
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.importer.batches.any_batch import FreeCuts
from onnxray.importer.batches.ways import by_loop, by_rewrite, by_vmap
from onnxray.importer.nodes.weights import numpy_array
from onnxray.importer.walk import Importer

_SIZES = (2, 3)
_INNER = 24
_GRADIENTS = 1e-2
"""How far a gradient may be from the loop's, relative to its length: a ReLU may flip by the rounding of one sum."""

Inputs = tuple[torch.Tensor, ...]
Run = Callable[[Inputs], Inputs]


def decide(importer: Importer, judge: Judge, device: torch.device) -> Batch:
    """Try the ways that a file of a fixed batch can go, the fastest first.

    A way counts where the graph's outputs and inner values spread over it, on two and on three of the file's own
    batches with different seeded samples, equal the judge's batch by batch, shapes included, and where its input
    gradient is the loop's.
    """
    graph, own = importer.graph, fixed_batch_of(importer.graph)
    if own is None:
        raise InputError("the file leaves its batch free; there is nothing to decide")
    if any(not isinstance(dim, int) for value in graph.inputs for dim in (value.shape or (None,))[1:]):
        described = "; shapes were tried with free dimensions of 2"
    else:
        described = ""
    names = _compared(graph)
    try:
        first = seeded_inputs(graph)
        shared = {name: array for name, array in first.items() if not array.ndim}
        feeds = [seeded_inputs(graph, seed=seed) | shared for seed in range(sum(_SIZES))]
        expected = judge.values(_joined(feeds), names, once=True)
        module = importer.cut(names)
        trial = _Trial(graph, names, own, feeds, expected, lambda inputs: by_loop(module, names, inputs, own), device)
        with warned("error", UserWarning):
            trial.compare(trial.loop)
            gradients = trial.gradients(trial.loop)
    except Exception as error:  # whatever keeps the file from running: nothing is claimed of it
        return Batch(own, "loop", f"no other way could be tried: {_first_line(error)}")
    cuts = FreeCuts(importer)
    ways: Mapping[Way, Run] = {
        "rewrite": lambda inputs: by_rewrite(cuts, names, inputs, own),
        "vmap": lambda inputs: by_vmap(module, inputs, own),
    }
    reasons = []
    for way, run in ways.items():
        try:
            with warned("error", UserWarning):  # such as torch.vmap's, that it has only a slow way
                worst = trial.compare(run)
                trial.compare_gradients(run, gradients)
        except Exception as error:  # whatever torch says of a way that it cannot take: the next one is tried
            reasons.append(f"no {way}: {_first_line(error)}")
        else:
            sizes = " and ".join(str(size * own) for size in _SIZES)
            found = f"{worst:.1g} of the judge on {len(names)} values at batches of {sizes}{described}"
            return Batch(own, way, "; ".join([*reasons, f"within {found}"]))
    return Batch(own, "loop", "; ".join(reasons))


class _Trial:
    """The seeded batches, what the judge says of each, and the comparison of one way with it."""

    def __init__(
        self, graph: Graph, names: tuple[str, ...], own: int, feeds: list[dict[str, Array]],
        expected: dict[str, Array], loop: Run, device: torch.device,
    ) -> None:  # fmt: skip
        self.graph, self.names, self.own, self.loop, self.device = graph, names, own, loop, device
        self.feeds, self.expected = feeds, expected

    def compare(self, run: Run) -> float:
        """The largest relative difference from the judge. Errors: MismatchError naming the first value."""
        worst = 0.0
        for first, size in zip(np.cumsum((0, *_SIZES)), _SIZES):
            with torch.no_grad():
                values = run(self._inputs(first, size))
            for name, value in zip(self.names, values):
                joined = self.expected[name]
                if name in self.graph.depends_on_input:
                    rows = len(joined) // len(self.feeds)
                    joined = joined[first * rows : (first + size) * rows]
                found = compare(self.graph, name, joined, numpy_array(value))
                if not found.agrees:
                    raise MismatchError(
                        f"value {name!r} of {size} batches is {found.relative:.2g} off the judge's, "
                        f"shape {list(value.shape)}, {list(joined.shape)} was expected"
                    )
                worst = max(worst, found.relative)
        return worst

    def gradients(self, run: Run) -> list[torch.Tensor]:
        """d<c, outputs>/d inputs of the larger batch, c seeded; none where no output has one."""
        inputs = self._inputs(_SIZES[0], _SIZES[1])
        variables = [tensor.requires_grad_() for tensor in inputs if tensor.is_floating_point()]
        values = [value for value in run(inputs) if value.requires_grad]
        if not values:
            return []
        generator = torch.Generator().manual_seed(0)
        seeded = [torch.randn(value.shape, generator=generator).to(value) for value in values]
        found = torch.autograd.grad(values, variables, seeded, allow_unused=True)
        return [torch.zeros_like(x) if g is None else g for x, g in zip(variables, found)]

    def compare_gradients(self, run: Run, expected: list[torch.Tensor]) -> None:
        """Errors: NotDifferentiable where the gradient is not the loop's."""
        found = self.gradients(run)
        if len(found) != len(expected):
            raise NotDifferentiable("no gradient comes through")
        for got, wanted in zip(found, expected):
            off, length = float((got - wanted).double().norm()), float(wanted.double().norm())
            if not off <= _GRADIENTS * length:
                raise NotDifferentiable(f"its gradient is {off / (length or 1):.2g} of its length off the loop's")

    def _inputs(self, first: int, size: int) -> Inputs:
        arrays = _joined(self.feeds[first : first + size])
        return tuple(torch.from_numpy(np.array(arrays[value.name])).to(self.device) for value in self.graph.inputs)


def _joined(feeds: Sequence[Arrays]) -> dict[str, Array]:
    """Batches one after the other; an input without axes is that of the first."""
    first = feeds[0]
    return {name: np.concatenate([part[name] for part in feeds]) if first[name].ndim else first[name] for name in first}


def _compared(graph: Graph) -> tuple[str, ...]:
    """The graph's outputs, and real values spread evenly over what they are computed from."""
    outputs = dict.fromkeys(output.name for output in graph.outputs if output.dtype != "object")
    needed = graph.needed_for(outputs)
    inner = [node.outputs[0] for node in needed if node.outputs[0] in graph.depends_on_input]
    real = [name for name in inner if name in graph.values and graph.values[name].is_float and name not in outputs]
    return (*outputs, *real[:: max(1, -(-len(real) // _INNER))])


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]
