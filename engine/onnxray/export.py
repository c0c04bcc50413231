"""``to_torch``: an ONNX model as a plain torch module, for every tool that wants one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from onnxray.batching import Array, Arrays
from onnxray.full_verification import Verification
from onnxray.full_verification import verify as verify_in_full
from onnxray.graph import read_graph
from onnxray.importer.build import ImportedModule, Importer, forward_all, register_weights
from onnxray.model import Model, Source, bundled
from onnxray.runtime import Judge
from onnxray.seeding import accepted_inputs
from onnxray.twin import Twin, told_as_refusal
from onnxray.verification import check_outputs


def to_torch(model_or_path: Model | Source, *, trainable: bool = False, verify: bool = True) -> ImportedModule:
    """Convert a model to a plain ``torch.nn.Module`` in eval mode, ``forward(*graph inputs)``, no profile in front.

    One output comes back as a Tensor, several as a tuple in the graph's order. Every node is a submodule (nn.ReLU for
    Relu), found by ``module.layer(onnx_name)``. trainable: the float initialisers are Parameters that require
    gradients, under their ONNX names; else frozen. verify: compare the outputs with ONNX Runtime's on seeded inputs.
    Errors: UnsupportedOperator, MismatchError, RuntimeRefusal where verify is on and ONNX Runtime or the module
    cannot run on seeded inputs.
    """
    graph = model_or_path.graph if isinstance(model_or_path, Model) else read_graph(bundled(model_or_path))
    importer = Importer(graph, trainable=trainable)
    module = importer.cut(tuple(output.name for output in graph.outputs))
    register_weights(module, importer.weights)
    if verify:
        judge = Judge(graph)
        _verify(module, importer, judge, accepted_inputs(graph, judge.outputs))
    return module


def _verify(module: ImportedModule, importer: Importer, judge: Judge, feeds: Arrays) -> None:
    inputs = tuple(torch.from_numpy(feeds[name].copy()) for name in module.input_names)

    def twin(names: Sequence[str]) -> dict[str, Array]:
        known = set(names) <= set(module.output_names)
        cut = module if known else importer.cut(tuple(names))
        with torch.no_grad():
            found = dict(zip(cut.output_names, told_as_refusal(lambda: forward_all(cut, inputs))))
        return {name: found[name].numpy() for name in names}

    def full() -> Verification:
        return verify_in_full(judge, Twin(judge.graph, lambda x: x), feeds, feeds, "seeded")

    check_outputs(
        judge.graph, lambda names: judge.values(feeds, names), twin,
        plain=lambda names: judge.plain_outputs(feeds, names), full=full,
    )  # fmt: skip
