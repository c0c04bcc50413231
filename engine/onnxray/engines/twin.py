"""The twin: the same graph as a torch autodiff graph, cut to what is asked, read and pulled back from by ONNX names."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import torch

from onnxray.arrays import Array, Arrays
from onnxray.engines.chunks import Batch, Through, chunk_size, in_chunks, sample_count
from onnxray.engines.cotangents import Cotangents, Tensors, gradients, samples, slope_of
from onnxray.errors import DeviceError, InputError, NotDifferentiable, UnsupportedOperator
from onnxray.errors.forks import check_process
from onnxray.graph.dequantised import real_numbers_of, whole_numbers_of
from onnxray.graph.facts import Graph, Value
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.samples.mixing import Mixing
from onnxray.graph.unordered import open_orders, places_of, why_no_gradient
from onnxray.importer.backward_rules import PLAIN, BackwardRules
from onnxray.importer.batches.any_batch import FreeCuts
from onnxray.importer.batches.moved_samples import batches
from onnxray.importer.batches.sample_axes import NotPlaced
from onnxray.importer.batches.ways import by_rewrite, by_vmap, check_lengths
from onnxray.importer.imported_module import forward_all, told_as_refusal
from onnxray.importer.nodes.weights import numpy_array, torch_tensor
from onnxray.importer.picked_places import forward_in_order
from onnxray.importer.walk import Importer

Encode = Callable[[torch.Tensor], torch.Tensor]
Judged = Callable[[Arrays, Sequence[str]], Mapping[str, Array]]

STARTED_BY: Final = os.getpid()
"""The process that loaded the twins: whose torch has the threads that they need."""


class Twin:
    """The torch side of one model.

    ``encode`` maps the variable (pixels) to the model's input and is inside the differentiated graph. ``batch``: how
    more samples than the file's own batch go through; one batch after the other where it is None. ``judge``: what ONNX
    Runtime gives for values, (feeds, names): asked for an order that is its own (``graph/unordered.py``).
    """

    def __init__(
        self, graph: Graph, encode: Encode, device: str = "cpu", batch: Batch | None = None,
        mixing: Mixing | None = None, judge: Judged | None = None,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.judge = judge
        self.mixing = mixing or Mixing(graph)
        self.batch = batch
        self.device = torch_device(device)
        self.importer = Importer(graph, channels_last=self.device.type == "cpu", fused=True, device=self.device)
        self._cuts = FreeCuts(self.importer)
        self._encode = encode

    def going(self, batch: Batch) -> Twin:
        """Another twin of the same cuts, through which more samples than the file's own batch go by ``batch``."""
        other = copy.copy(self)
        other.batch = batch
        return other

    def values(self, variables: Arrays, names: Sequence[str], *, through: Through | None = None) -> dict[str, Array]:
        """Give the values ``names`` for a batch of any size."""
        wanted = tuple(names)

        def chunk(part: Arrays) -> list[Array]:
            with torch.no_grad():
                tensors = self._tensors(part, requires_grad=False)
                return [_of_tensor(name, value) for name, value in zip(wanted, self._forward(wanted, tensors))]

        feed = chunk if through is None else through(chunk)
        return in_chunks(self.graph, variables, wanted, self._chunk_size(wanted, variables), feed)

    def entries(self, variables: Arrays) -> Tensors:
        """The graph's inputs for one batch, by name: where a way through it in parts begins."""
        with torch.no_grad():
            inputs = self._inputs(self._tensors(variables, requires_grad=False))
        if fixed_batch_of(self.graph) is None:
            check_lengths([(v.name, v.shape[0] if v.shape else None) for v in self.graph.inputs], inputs)
        return dict(zip((value.name for value in self.graph.inputs), inputs))

    def part(self, names: Sequence[str], known: Tensors) -> Tensors:
        """The values ``names`` from those that are known, inputs among them, fed as they are; without a gradient."""
        wanted = tuple(names)
        cut = self.importer.cut(wanted, given=tuple(known))
        with torch.no_grad():
            found = told_as_refusal(lambda: forward_all(cut, tuple(known.values())))
        for name, value in zip(wanted, found):
            _of_tensor(name, value)
        return dict(zip(wanted, found))

    def prepare(self, names: Sequence[str]) -> None:
        """Build what gives the values ``names`` ahead of its first use. Errors: UnsupportedOperator."""
        self.importer.cut(tuple(names))

    def pullback(
        self, variables: Arrays, names: Sequence[str], cotangents: Cotangents, *, rules: BackwardRules = PLAIN
    ) -> dict[str, Array]:
        """Give J^T c for every variable: d<c, value>/d variable, c held fixed.

        ``cotangents`` is called once a chunk with the values, so that a cotangent may depend on them (LOTS' t - f(x)).
        ``rules``: what takes the place of the rectifiers' derivative.
        Errors: NotDifferentiable where a value holds no real numbers, where no variable reaches it, or where the
        gradient is NaN or infinite.
        """
        wanted = tuple(names)
        self.check_differentiable(wanted)
        total = sample_count(variables, self.graph)
        place = 0

        def chunk(part: Arrays) -> list[Array]:
            nonlocal place
            tensors = self._tensors(part, requires_grad=True)
            variable = {name: tensor for name, tensor in tensors.items() if tensor.requires_grad}
            values = dict(zip(wanted, self._forward(wanted, tensors, rules)))
            fed = sample_count(part, self.graph)
            count = min(fed, total - place)  # fewer than fed where the chunk was filled up to the file's own batch
            found = gradients(values, list(variable.values()), cotangents, slice(place, place + count), fed)
            place += count
            return [numpy_array(gradient) for gradient in found]

        real = [name for name, array in variables.items() if np.issubdtype(array.dtype, np.floating)]
        if not real:
            raise NotDifferentiable("the model's inputs hold whole numbers; gradients exist for real numbers alone")
        labels = tuple(f"d/d {name}" for name in real)
        size = self._chunk_size(wanted, variables, rules)
        joined = in_chunks(self.graph, variables, labels, size, chunk)
        return {name: joined[label] for name, label in zip(real, labels)}

    def layer_pullback(
        self,
        variables: Arrays,
        layer: str,
        names: Sequence[str],
        cotangents: Cotangents,
        *,
        rules: BackwardRules = PLAIN,
    ) -> tuple[Array, Array]:
        """Give the value ``layer`` and J^T c with respect to it: what Grad-CAM and its kin read.

        Costs the forward pass and the backward pass from ``names`` to the layer alone: what stands before the layer is
        run without a gradient. At what quantised values stand for, r = (q - z) s, the gradient is that at q over s.
        Errors: as for ``pullback``; NotDifferentiable where no name depends on the layer.
        """
        wanted = tuple(names)
        self.check_differentiable((*wanted, layer))
        at = layer if layer in wanted else whole_numbers_of(self.graph, layer) or layer
        read = wanted if at == layer else (*wanted, layer)
        beside = self.graph.beside(at, read)
        if set(wanted) & set(beside):
            name = next(name for name in wanted if name in beside)
            raise NotDifferentiable(f"value {name!r} does not depend on {layer!r}; there is no gradient between them")
        before = (at, *beside)
        self.importer.cut(read, given=before, rules=rules)  # what it refuses it refuses before anything is run
        total = sample_count(variables, self.graph)
        place = 0

        def chunk(part: Arrays) -> list[Array]:
            nonlocal place
            tensors = self._tensors(part, requires_grad=False)
            with torch.no_grad():
                given = self._forward(before, tensors)
                picked = self._picked(read, self._inputs(tensors), before)
            point = (given[0] if at == layer else given[0].float()).detach().requires_grad_()
            known = dict(zip(before, (point, *given[1:])))
            after = told_as_refusal(lambda: forward_in_order(self.importer, read, known, picked, rules))
            values = dict(zip(read, after))
            real = values.pop(layer) if at != layer else point
            step = slope_of(real, point) if at != layer else None
            fed = sample_count(part, self.graph)
            count = min(fed, total - place)
            (found,) = gradients(values, [point], cotangents, slice(place, place + count), fed)
            place += count
            return [numpy_array(real), numpy_array(found if step is None else found / step)]

        labels = (layer, f"d/d {layer}")
        size = self.mixing.chunk(variables, (*wanted, layer), chunk_size(self.graph, variables))
        joined = in_chunks(self.graph, variables, labels, size, chunk)
        return joined[labels[0]], joined[labels[1]]

    def differentiable(
        self, names: Sequence[str], *, rules: BackwardRules = PLAIN
    ) -> Callable[[torch.Tensor], Tensors]:
        """The values ``names`` as a function of pixels, through which torch differentiates: what an ascent climbs.

        Takes (N, ...) tensors of any N on any device, gives values on the twin's own; where the file fixes its batch,
        the samples go through in its portions, and one by one where they would change each other. ``rules``: what takes
        the place of the rectifiers' derivative.
        Errors: NotDifferentiable where a value holds no real numbers or does not depend on the input; InputError for
        models of several inputs.
        """
        wanted = tuple(names)
        self.check_differentiable(wanted)
        if len(self.graph.inputs) != 1:
            raise InputError(f"the model has {len(self.graph.inputs)} inputs; images are synthesised for one alone")
        entry, own = self.graph.inputs[0].name, fixed_batch_of(self.graph)

        def values(pixels: torch.Tensor) -> Tensors:
            count, pixels = len(pixels), pixels.to(self.device)
            portion = own or (1 if self.mixing.apart else count)
            if portion == count:
                return dict(zip(wanted, self._forward(wanted, {entry: pixels}, rules)))
            missing = -count % portion
            filled = torch.cat([pixels, *[pixels[-1:]] * missing]) if missing else pixels
            like = np.broadcast_to(np.float32(0), tuple(filled.shape))  # to be counted, without what a device holds
            size = self._chunk_size(wanted, {entry: like}, rules, {entry: filled[:portion].detach()})
            parts = [self._forward(wanted, {entry: part}, rules) for part in torch.split(filled, size)]
            joined = (torch.cat(pieces) for pieces in zip(*parts))
            return {name: samples(v, count, len(filled)) for name, v in zip(wanted, joined)}

        return values

    def _chunk_size(
        self, names: tuple[str, ...], variables: Arrays, rules: BackwardRules = PLAIN, first: Tensors | None = None
    ) -> int:
        """Samples at once: as many as memory takes, or one batch of the file's own where they go one by one.

        first: one batch of the file's own, where ``variables`` tell shapes alone.
        """
        return self.mixing.chunk(variables, names, self._together(names, variables, rules, first))

    def _together(self, names: tuple[str, ...], variables: Arrays, rules: BackwardRules, first: Tensors | None) -> int:
        own, total = fixed_batch_of(self.graph), sample_count(variables, self.graph)
        if own is None or self.batch is None or self.batch.twin == "loop" or total <= own:
            return chunk_size(self.graph, variables)
        if self.judge is not None and open_orders(self.graph, names):
            return chunk_size(self.graph, variables)
        if self.batch.twin == "rewrite":
            if first is None:
                first = self._tensors({n: a[:own] if a.ndim else a for n, a in variables.items()}, requires_grad=False)
            try:  # a value that no output depends on may lie behind a node that is not placed
                self._cuts.cut(names, self._inputs(first), rules)
            except NotPlaced:
                return own
        return chunk_size(self.graph, variables, together=True)

    def slopes(
        self,
        variables: Arrays,
        names: Sequence[str],
        cotangents: Cotangents,
        at: Sequence[str],
        *,
        rules: BackwardRules = PLAIN,
    ) -> dict[str, tuple[Array, Array]]:
        """Give (value, d<c, names>/d value) for every value in ``at``, by one backward pass: where a gradient is lost.

        The batch is fed at once, as it is. Values that no gradient is defined at are left out; it is zero where
        ``names`` do not depend on a value. Errors: NotDifferentiable.
        """
        wanted = tuple(names)
        self.check_differentiable(wanted)
        asked = tuple(dict.fromkeys((*wanted, *at)))
        values = dict(zip(asked, self._forward(asked, self._tensors(variables, requires_grad=True), rules)))
        points = {name: values[name] for name in at if values[name].requires_grad}
        ends = {name: values[name] for name in wanted}
        total = sample_count(variables, self.graph)
        found = gradients(ends, list(points.values()), cotangents, slice(0, total), total)
        return {name: (numpy_array(value), numpy_array(slope)) for (name, value), slope in zip(points.items(), found)}

    def _tensors(self, part: Arrays, *, requires_grad: bool) -> Tensors:
        tensors = {}
        for name, array in part.items():
            tensor = torch_tensor(np.array(array, order="C"), f"input {name!r}").to(self.device)
            tensors[name] = tensor.requires_grad_(requires_grad and tensor.is_floating_point())
        return tensors

    def _inputs(self, tensors: Tensors) -> tuple[torch.Tensor, ...]:
        return tuple(_as_input(self._encode(tensors[value.name]), value) for value in self.graph.inputs)

    def _forward(
        self, names: tuple[str, ...], tensors: Tensors, rules: BackwardRules = PLAIN
    ) -> tuple[torch.Tensor, ...]:
        check_process(STARTED_BY, "the torch twin")
        own = fixed_batch_of(self.graph)

        def run() -> tuple[torch.Tensor, ...]:
            inputs = self._inputs(tensors)
            if own is None:
                check_lengths([(v.name, v.shape[0] if v.shape else None) for v in self.graph.inputs], inputs)
            picked = self._picked(names, inputs)
            if picked:
                known = {value.name: tensor for value, tensor in zip(self.graph.inputs, inputs)}
                return forward_in_order(self.importer, names, known, picked, rules)
            if own is None:
                return forward_all(self.importer.cut(names, rules=rules), inputs)
            if batches(own, *(tensor for tensor in inputs if tensor.ndim)) == 1:
                return forward_all(self.importer.cut(names, rules=rules), inputs)
            if self.batch is not None and self.batch.twin == "rewrite":
                return by_rewrite(self._cuts, names, inputs, own, rules)
            return by_vmap(self.importer.cut(names, rules=rules), inputs, own)

        return told_as_refusal(run)

    def _picked(self, names: Sequence[str], inputs: tuple[torch.Tensor, ...], given: Sequence[str] = ()) -> Tensors:
        """The places that nodes on the way pick in an order of ONNX Runtime's own, as it gives them."""
        nodes = open_orders(self.graph, names, given) if self.judge is not None else ()
        if self.judge is None or not nodes:
            return {}
        wanted = [places_of(node) for node in nodes]
        feeds = {value.name: numpy_array(tensor.detach()) for value, tensor in zip(self.graph.inputs, inputs)}
        return {name: torch_tensor(array, name).to(self.device) for name, array in self.judge(feeds, wanted).items()}

    def check_differentiable(self, names: tuple[str, ...]) -> None:
        """Refuse values of no real numbers, no input, or an order that is left open. Errors: NotDifferentiable."""
        for name in names:
            value = self.graph.values.get(name)
            if value is not None and value.dtype and not value.is_float:
                real = real_numbers_of(self.graph, name)
                instead = "" if real is None else f"; those that it stands for are {real!r}"
                raise NotDifferentiable(
                    f"value {name!r} holds {value.dtype}; gradients exist for real numbers alone{instead}"
                )
            if name not in self.graph.depends_on_input:
                raise NotDifferentiable(f"value {name!r} does not depend on the input; its gradient is nowhere defined")
            why = why_no_gradient(self.graph, name) if self.judge is None else None
            if why is not None:
                raise NotDifferentiable(why)


def _of_tensor(name: str, value: object) -> Array:
    """A value's numbers. Errors: UnsupportedOperator for a sequence, which the file may not have told of."""
    if not isinstance(value, torch.Tensor):
        raise UnsupportedOperator(f"value {name!r} is no tensor but a {type(value).__name__}; read what it is made of")
    return numpy_array(value)


def _as_input(tensor: torch.Tensor, value: Value) -> torch.Tensor:
    """The variable in the graph input's kind of float; whole-number inputs take real numbers as they are."""
    return tensor.to(getattr(torch, value.dtype)) if value.is_float and tensor.is_floating_point() else tensor


def use_one_thread() -> None:
    """Let torch compute without a pool: for a forked process, to which the pool's threads did not come along."""
    torch.set_num_threads(1)


def torch_device(device: str) -> torch.device:
    """The torch device that ``cpu`` or ``cuda`` means. Errors: DeviceError where it is not there."""
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError("device 'cuda': torch finds no CUDA device here; use --device cpu")
    if device not in {"cpu", "cuda"}:
        raise DeviceError(f"unknown device {device!r}; use 'cpu' or 'cuda'")
    return torch.device(device)
