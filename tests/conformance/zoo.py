"""Real trained models, which are not part of this repository, against their oracles and against the judge.

They lie in ``../shared/zoo`` beside the checkout, or where ``ONNXRAY_ZOO`` says: ``SET/MODEL.onnx`` and
``oracle/SET__MODEL.npz`` with real inputs and the outputs that ONNX Runtime gave for them.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from conformance.cases import operators
from conformance.outcome import Outcome, refused
from onnxray.batching import Arrays
from onnxray.errors import UnsupportedOperator
from onnxray.graph import Graph, Node, read_graph
from onnxray.importer.build import Importer
from onnxray.importer.scope import torch_tensor
from onnxray.model import Model
from onnxray.runtime import Judge
from onnxray.twin import Twin
from onnxray.verification import compare

TOLERANCES = {"float32": 1e-3, "float16": 1e-2, "int8": 5e-2}
"""Largest difference, relative to the value's largest number, by the file's arithmetic. float16: the judge rounds every
value to 11 bits. int8: one step of 256 more or less per layer adds up over 26 layers, so that the outputs are held to
5e-2 and every node, fed with what the judge fed it, to one step of its own."""

STEP = 1
"""By how many steps of quantisation a node's whole-numbered output may differ from the judge's."""

BORROWED = {
    "squeezenet-v1.1-onnx/SqueezeNet_fp16": "squeezenet-v1.1-onnx__squeezenet_v1.1_fp32_from_fp16",
    "squeezenet-v1.1-onnx/squeezenet_v1.1_qop_uint8": "squeezenet-v1.1-onnx__squeezenet_v1.1_fp32_from_fp16",
}
"""Models without an oracle of their own -> whose inputs they share; their outputs are the judge's alone."""


def folder() -> Path:
    """Where the models lie, or would."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "zoo"
    return Path(os.environ.get("ONNXRAY_ZOO") or beside)


@cache
def files() -> tuple[str, ...]:
    """Every model there is, as ``SET/MODEL.onnx``."""
    return tuple(sorted(path.relative_to(folder()).as_posix() for path in folder().glob("*/*.onnx")))


def run(name: str) -> Outcome:
    """Check one model: outputs, every inner value, and a gradient that is finite and not zero."""
    path = folder() / name
    proto = onnx.load(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            words = _check(path, _arithmetic(proto))
        except UnsupportedOperator as error:
            return refused(proto, str(error))
        except Exception as error:  # whatever it is, it is not ours
            return Outcome("crash", f"{type(error).__name__}: {' '.join(str(error).split())}")
    return Outcome("wrong", words) if words else Outcome("pass")


def _check(path: Path, arithmetic: str) -> str:
    """What is wrong, in words; "" where nothing is."""
    key = f"{path.parent.name}/{path.stem}"
    with np.load(folder() / "oracle" / f"{BORROWED.get(key, key.replace('/', '__'))}.npz") as oracle:
        given = oracle["input"]
        known = {
            n.removeprefix("out:"): oracle[n] for n in oracle.files if n.startswith("out:") and key not in BORROWED
        }
    graph = read_graph(path)
    feeds = {graph.inputs[0].name: given.astype(graph.inputs[0].dtype)}
    tolerance = TOLERANCES[arithmetic]
    outputs = [output.name for output in graph.outputs if output.is_float]
    judge, twin = Judge(graph).outputs(feeds, outputs), Twin(graph, lambda x: x)
    found = twin.values(feeds, outputs)
    for sides, who in ((known, "the oracle"), (judge, "the judge")):
        for name, array in sides.items():
            if not compare(graph, name, array, found[name], tolerance).agrees:
                return f"output {name!r} is not what {who} says"
            if who == "the oracle" and not compare(graph, name, array, judge[name], tolerance).agrees:
                return f"the judge's output {name!r} is not the oracle's"
    words = _node_by_node(graph, feeds) if arithmetic == "int8" else _every_value(graph, feeds, tolerance)
    gradients = twin.pullback(
        feeds, outputs, lambda values, place: {n: torch.ones_like(v) * v for n, v in values.items()}
    )
    if not all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in gradients.values()):
        return "the gradient is not finite, or zero"
    return words


def _every_value(graph: Graph, feeds: Arrays, tolerance: float) -> str:
    found = Model(graph, None).verify(feeds, tolerance=tolerance)
    first = found.first_divergence
    return "" if first is None else f"value {first.name!r} ({first.operator}) is off by {first.relative:.2g}"


def _node_by_node(graph: Graph, feeds: Arrays) -> str:
    """Every node fed with what the judge gives for its inputs: its own error, without what it inherits.

    One sample: values that do not grow with the batch (Shape) cannot be put together from several runs.
    """
    feeds = {name: array[:1] for name, array in feeds.items()}
    nodes = [node for node in graph.nodes if node.operator != "Constant"]
    wanted = [name for node in nodes for name in node.outputs if name]
    known = {**feeds, **Judge(graph).values(feeds, wanted)}
    importer = Importer(graph)
    for node in nodes:
        for name, words in _own_error(graph, importer, node, known).items():
            if words:
                return f"value {name!r} ({node.operator}), from the judge's inputs: {words}"
    return ""


def _own_error(graph: Graph, importer: Importer, node: Node, known: Mapping[str, Any]) -> dict[str, str]:
    converted = importer.convert(node)
    with torch.no_grad():
        result = converted.module(*(_value(importer, known, name) for name in converted.inputs))
    several: Sequence[Any] = result if isinstance(result, list | tuple) else (result,)
    found = {}
    for name, got in zip(node.outputs, several):
        want = known[name]
        array = got.float().numpy() if got.is_floating_point() else got.numpy()
        if array.shape != want.shape:
            found[name] = f"shape {array.shape} for {want.shape}"
        elif np.issubdtype(want.dtype, np.floating):
            compared = compare(graph, name, want, array)
            found[name] = "" if compared.agrees else f"off by {compared.relative:.2g}"
        else:
            steps = int(np.abs(array.astype(np.int64) - want.astype(np.int64)).max(initial=0))
            found[name] = "" if steps <= STEP else f"off by {steps} steps"
    return found


def _value(importer: Importer, known: Mapping[str, Any], name: str) -> torch.Tensor | None:
    if not name:
        return None
    return torch_tensor(known[name], name) if name in known else importer.weights.tensor(name)


def _arithmetic(proto: onnx.ModelProto) -> str:
    quantised = {"QuantizeLinear", "QLinearConv", "DynamicQuantizeLinear"}
    if operators(proto) & quantised:
        return "int8"
    half = any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in proto.graph.initializer)
    return "float16" if half else "float32"
