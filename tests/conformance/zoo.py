"""Real trained models, which are not part of this repository, against their oracles and against the judge.

They lie in ``../shared/zoo`` beside the checkout, or where ``ONNXRAY_ZOO`` says: ``SET/MODEL.onnx`` and
``oracle/SET__MODEL.npz`` with real inputs and the outputs that ONNX Runtime gave for them.
"""

from __future__ import annotations

import os
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import torch

from conformance.cases import operators
from conformance.outcome import Outcome, refused
from onnxray.engines.agreement.comparison import compare
from onnxray.engines.judge import Judge
from onnxray.engines.twin import Twin
from onnxray.errors import UnsupportedOperator
from onnxray.graph.reading import read_graph
from onnxray.model.model import Model

TOLERANCES = {"float32": 1e-3, "float16": 1e-3, "int8": 5e-2}
"""Largest difference of an output, relative to its largest number, by the file's arithmetic; ``compare`` adds what
float16 rounds. int8: on these inputs ONNX Runtime's fused kernels are several steps from its own unfused ones, so the
file's outputs are held to 5e-2, and what every node makes of the judge's inputs to what ``Model.verify`` lets pass.
The oracle was made where products of uint8 and int8 are exact; where this processor saturates them, the judge is made
so."""

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
    judge, twin = Judge(graph).where_exact().outputs(feeds, outputs), Twin(graph, lambda x: x)
    found = twin.values(feeds, outputs)
    for sides, who in ((known, "the oracle"), (judge, "the judge")):
        for name, array in sides.items():
            if not compare(graph, name, array, found[name], tolerance).agrees:
                return f"output {name!r} is not what {who} says"
            if who == "the oracle" and not compare(graph, name, array, judge[name], tolerance).agrees:
                return f"the judge's output {name!r} is not the oracle's"
    verified = Model(graph, None).verify(feeds)
    gradients = twin.pullback(
        feeds, outputs, lambda values, place: {n: torch.ones_like(v) * v for n, v in values.items()}
    )
    if not all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in gradients.values()):
        return "the gradient is not finite, or zero"
    wrong = verified.fault is not None or (not verified.agrees and arithmetic != "int8")
    return verified.reason if wrong else ""


def _arithmetic(proto: onnx.ModelProto) -> str:
    quantised = {"QuantizeLinear", "QLinearConv", "DynamicQuantizeLinear"}
    if operators(proto) & quantised:
        return "int8"
    half = any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in proto.graph.initializer)
    return "float16" if half else "float32"
