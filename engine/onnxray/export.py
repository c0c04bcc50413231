"""``to_torch``: an ONNX model as a plain torch module, for every tool that wants one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from onnxray.batching import Array, Arrays
from onnxray.errors import InputError
from onnxray.graph import read_graph
from onnxray.importer.build import ImportedModule, Importer, forward_all, register_weights
from onnxray.model import Model, Source, bundled
from onnxray.runtime import Judge
from onnxray.verification import check_outputs, seeded_inputs


def to_torch(
    model_or_path: Model | Source, *, trainable: bool = False, verify: bool = True, fused: bool = False
) -> ImportedModule:
    """Convert a model to a plain ``torch.nn.Module`` in eval mode, ``forward(*graph inputs)``, no profile in front.

    One output comes back as a Tensor, several as a tuple in the graph's order. Every node is a submodule (nn.ReLU for
    Relu), found by ``module.layer(onnx_name)``. trainable: the float initialisers are Parameters that require
    gradients, under their ONNX names; else frozen. verify: compare the outputs with ONNX Runtime's on seeded inputs.
    fused: compute as the pullbacks do, which is faster: nodes together where only their last value is read, batch
    normalisation folded into convolutions (equal but for rounding); ``layer`` then finds those last values alone, and
    attention has no second derivatives.
    Errors: InputError where trainable and fused are both asked for, UnsupportedOperator, MismatchError, RuntimeRefusal
    where verify is on and ONNX Runtime refuses the model.
    """
    graph = model_or_path.graph if isinstance(model_or_path, Model) else read_graph(bundled(model_or_path))
    if trainable and fused:
        raise InputError("fused=True computes with weights of its own, which trainable=True cannot train; ask for one")
    importer = Importer(graph, trainable=trainable, channels_last=fused, fused=fused)
    module = importer.cut(tuple(output.name for output in graph.outputs))
    register_weights(module, importer.weights)
    if verify:
        _verify(module, importer, Judge(graph), seeded_inputs(graph))
    return module


def _verify(module: ImportedModule, importer: Importer, judge: Judge, feeds: Arrays) -> None:
    inputs = tuple(torch.from_numpy(feeds[name].copy()) for name in module.input_names)

    def twin(names: Sequence[str]) -> dict[str, Array]:
        known = set(names) <= set(module.output_names)
        cut = module if known else importer.cut(tuple(names))
        with torch.no_grad():
            found = dict(zip(cut.output_names, forward_all(cut, inputs)))
        return {name: found[name].numpy() for name in names}

    check_outputs(judge.graph, lambda names: judge.values(feeds, names), twin)
