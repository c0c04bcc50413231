"""``to_torch``: an ONNX model as a plain torch module, for every tool that wants one."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import torch

from onnxray.arrays import Array, Arrays
from onnxray.engines.agreement.batch_decision import decided
from onnxray.engines.agreement.batch_trial import decide
from onnxray.engines.agreement.first_check import check
from onnxray.engines.agreement.full_check import verify as verify_in_full
from onnxray.engines.agreement.reference import outputs_or_reference
from onnxray.engines.agreement.verification import Verification
from onnxray.engines.judge import Judge
from onnxray.engines.machine import versions
from onnxray.engines.processor import settle_threads
from onnxray.engines.seeded_inputs import accepted_inputs, seeded_inputs
from onnxray.engines.twin import Twin
from onnxray.errors import InputError, RuntimeRefusal
from onnxray.errors.type_checks import check_kind
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.reading import read_graph
from onnxray.graph.trainable.listing import constants_of
from onnxray.importer.batches.any_batch import FreeCuts
from onnxray.importer.batches.ways import by_loop, looped
from onnxray.importer.imported_module import (
    ImportedModule,
    Origin,
    forward_all,
    register_weights,
    told_as_refusal,
)
from onnxray.importer.nodes.weights import numpy_array, torch_tensor
from onnxray.importer.walk import Importer
from onnxray.model.model import Model
from onnxray.model.sources import Source, bundled


def to_torch(
    model_or_path: Model | Source, *, trainable: bool = False, verify: bool = True, fused: bool = False
) -> ImportedModule:
    """Convert a model to a plain ``torch.nn.Module`` in eval mode, ``forward(*graph inputs)``, no profile in front.

    One output comes back as a Tensor, several as a tuple in the graph's order. Every node is a submodule (nn.ReLU for
    Relu), found by ``module.layer(onnx_name)``. trainable: the float initialisers are Parameters that require
    gradients, under their ONNX names, and so are Constant nodes that hold weights (``onnxray.save`` writes them back
    into the file); else frozen. verify: compare the outputs with ONNX Runtime's on seeded inputs.
    fused: compute as the pullbacks do, which is faster: nodes together where only their last value is read, batch
    normalisation folded into convolutions (equal but for rounding); ``layer`` then finds those last values alone, and
    attention has no second derivatives.

    Where no seeded inputs are found that the file takes (lengths that must fit, sequences), a UserWarning says so, and
    the module is compared on the first inputs that it is given, which may raise MismatchError; its copies and pickles
    are not. Of a model that ONNX Runtime does not take, onnx's reference implementation is what outputs are compared
    with.

    A file that fixes its batch at b becomes a module for every multiple of b. Where it can be rewritten, and ONNX
    Runtime's numbers batch by batch confirm that, all samples go through at once. Elsewhere, and with verify off where
    nothing was confirmed before, they go b at a time, and a hook on a layer is called once for each b.
    Errors: InputError where trainable and fused are both asked for, UnsupportedOperator, MismatchError, RuntimeRefusal
    where verify is on and neither can run the model; the module raises InputError for other batches, and where an
    output has no batch axis to join b and b along.
    """
    for name, value in (("trainable", trainable), ("verify", verify), ("fused", fused)):
        check_kind(name, value, bool)
    graph = model_or_path.graph if isinstance(model_or_path, Model) else read_graph(bundled(model_or_path))
    if trainable and fused:
        raise InputError("fused=True computes with weights of its own, which trainable=True cannot train; ask for one")
    settle_threads(graph)
    named = _trained(graph) if trainable else False
    importer = Importer(graph, trainable=named, channels_last=fused, fused=fused)
    judge = Judge(graph)
    names = tuple(output.name for output in graph.outputs)
    module = importer.cut(names)
    refusal = _verified_on_seeded(module, importer, judge) if verify else None
    module = _for_any_batch(importer, judge, names, verify=verify and refusal is None)
    register_weights(module, importer.weights)
    module.origin = Origin(graph)
    if refusal is not None:
        warnings.warn(
            f"no seeded inputs are taken ({refusal}); the module is compared on the first that it is given",
            stacklevel=2,
        )
        module.register_forward_pre_hook(_FirstCall(importer, judge))
    return module


def _trained(graph: Graph) -> frozenset[str]:
    """The float initialisers, and the Constant nodes that hold weights."""
    held = (one.name for one in constants_of(graph) if one.held == "constant" and not one.reason and not one.quantised)
    return frozenset((*graph.initializers, *held))


def _verified_on_seeded(module: ImportedModule, importer: Importer, judge: Judge) -> str | None:
    """Compare on seeded inputs; why none are taken, None where some are. Errors: RuntimeRefusal where none can be."""
    run = functools.partial(outputs_or_reference, judge)
    try:
        feeds = accepted_inputs(judge.graph, run)
    except (RuntimeRefusal, InputError) as error:
        return str(error)
    try:
        _verify(module, importer, judge, feeds)
    except RuntimeRefusal:
        try:
            run(feeds)  # seeded inputs are not always run before; where they are taken it is the module that refuses
        except RuntimeRefusal as error:
            return str(error)
        raise
    return None


class _FirstCall:
    """Compares a module with the judge on the first inputs that it is given; its copies and pickles compare nothing."""

    def __init__(self, importer: Importer, judge: Judge) -> None:
        self.importer, self.judge, self.done = importer, judge, False

    def __call__(self, module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        assert isinstance(module, ImportedModule)
        if not self.done:
            given = zip(module.input_names, inputs)
            feeds = {name: _as_arrays(value) for name, value in given if value is not None}
            _verify(module, self.importer, self.judge, feeds)
            self.done = True

    def __reduce__(self) -> tuple[Any, ...]:
        return _Uncompared, ()


class _Uncompared:
    """What stands in a copy in place of a first call's comparison, which needs the file."""

    def __call__(self, *_given: object) -> None:
        """Compare nothing."""
        return


def _as_arrays(value: Any) -> Any:
    """A value as the judge takes and gives it: an array, a list of them for a sequence, None for an empty optional."""
    if value is None:
        return None
    return [_as_arrays(part) for part in value] if isinstance(value, list | tuple) else numpy_array(value)


def _as_tensors(value: Any, name: str) -> Any:
    """An input as a module takes it."""
    if isinstance(value, list):
        return [_as_tensors(part, name) for part in value]
    return None if value is None else torch_tensor(value.copy(), f"input {name!r}")


def _for_any_batch(importer: Importer, judge: Judge, names: tuple[str, ...], *, verify: bool) -> ImportedModule:
    """The module itself where the batch is free, else the rewritten one, else one that feeds the file's own batch."""
    graph, cpu = importer.graph, torch.device("cpu")
    if all(not value.shape or not isinstance(value.shape[0], int) for value in graph.inputs) and not fixed_batch_of(
        graph
    ):
        return importer.cut(names)
    batch = decided(graph, versions("cpu"), (lambda: decide(importer, judge.where_exact(), cpu)) if verify else None)
    if batch is not None and batch.twin == "rewrite" and _all_fixed(graph):
        feeds = seeded_inputs(graph)
        return FreeCuts(importer).cut(
            names, tuple(torch_tensor(feeds[v.name], f"input {v.name!r}") for v in graph.inputs)
        )
    return looped(importer.cut(names), graph)


def _all_fixed(graph: Graph) -> bool:
    """Whether the shapes that a rewritten graph states are those of every input that it will be given."""
    dims = (dim for value in graph.inputs for dim in (value.shape or (None,))[1:])
    return all(isinstance(dim, int) for dim in dims) and all(value.shape is not None for value in graph.inputs)


def _verify(module: ImportedModule, importer: Importer, judge: Judge, feeds: Arrays) -> None:
    inputs = tuple(_as_tensors(feeds.get(name), name) for name in module.input_names)

    def twin(names: Sequence[str]) -> dict[str, Array]:
        known = set(names) <= set(module.output_names)
        cut = module if known else importer.cut(tuple(names))
        own = fixed_batch_of(importer.graph)

        def run() -> tuple[torch.Tensor, ...]:
            return forward_all(cut, inputs) if own is None else by_loop(cut, cut.output_names, inputs, own)

        with torch.no_grad():
            found = dict(zip(cut.output_names, told_as_refusal(run)))
        return {name: _as_arrays(found[name]) for name in names}

    def full(judge: Judge) -> Verification:
        return verify_in_full(judge, Twin(judge.graph, lambda x: x), feeds, feeds, "seeded")

    check(judge, feeds, twin, full)
