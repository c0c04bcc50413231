"""``to_torch``: an ONNX model as a plain torch module, for every tool that wants one."""

from __future__ import annotations

import torch

from onnxray.batching import Arrays
from onnxray.graph import read_graph
from onnxray.importer.build import ImportedModule, Importer, forward_all, register_weights
from onnxray.model import Model, Source, bundled
from onnxray.runtime import Judge
from onnxray.structure import closing_softmax, verdict_output
from onnxray.verification import check_outputs, seeded_inputs


def to_torch(model_or_path: Model | Source, *, trainable: bool = False, verify: bool = True) -> ImportedModule:
    """Convert a model to a plain ``torch.nn.Module`` in eval mode, ``forward(*graph inputs)``, no profile in front.

    One output comes back as a Tensor, several as a tuple in the graph's order. Every node is a submodule (nn.ReLU for
    Relu), found by ``module.layer(onnx_name)``. trainable: the float initialisers are Parameters that require
    gradients, under their ONNX names; else frozen. verify: compare the outputs with ONNX Runtime's on seeded inputs.
    Errors: UnsupportedOperator, MismatchError, RuntimeRefusal where verify is on and ONNX Runtime refuses the model.
    """
    graph = model_or_path.graph if isinstance(model_or_path, Model) else read_graph(bundled(model_or_path))
    importer = Importer(graph, trainable=trainable)
    module = importer.cut(tuple(output.name for output in graph.outputs))
    register_weights(module, importer.weights)
    if verify:
        _verify(module, Judge(graph), seeded_inputs(graph))
    return module


def _verify(module: ImportedModule, judge: Judge, feeds: Arrays) -> None:
    with torch.no_grad():
        inputs = tuple(torch.from_numpy(feeds[name].copy()) for name in module.input_names)
        found = {n: t.numpy() for n, t in zip(module.output_names, forward_all(module, inputs))}
    softmax = verdict_output(judge.graph)
    closed = closing_softmax(judge.graph, softmax)
    check_outputs(
        judge.graph,
        judge.outputs(feeds, module.output_names),
        found,
        softmax if closed is not None and closed.operator == "Softmax" else None,
    )
