"""What in a file's bytes does not belong into a model: secrets in its text, weights out of range, bytes nobody reads.

All of it is told as kinds and places; the text itself is never repeated, for a report travels further than the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import onnx

from onnxray.graph.facts import Graph
from onnxray.graph.file.tensors import all_nodes

SECRETS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType({
    "private key": re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----"),
    "AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "GitHub token": re.compile(r"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{40,})"),
    "GitLab token": re.compile(r"\bglpat-[0-9A-Za-z_-]{20}"),
    "Hugging Face token": re.compile(r"\bhf_[0-9A-Za-z]{30,}"),
    "Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}"),
    "Slack token": re.compile(r"\bxox[abeprs]-[0-9A-Za-z-]{10,}"),
    "API key": re.compile(r"\bsk-[0-9A-Za-z_-]{32,}"),
    "JSON web token": re.compile(r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}"),
    "password in a URL": re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,100}:[^\s/@]{1,100}@"),
    "password": re.compile(r"(?i)\b(?:password|passwd|secret|api_?key)[\"']?\s{0,3}[:=]\s{0,3}[\"']?[^\s\"']{8,}"),
})  # fmt: skip
PATHS: Final = re.compile(r"(?:/home/|/Users/|/root/|[A-Za-z]:\\Users\\|\\\\[\w.-]{1,60}\\)[^\s\"']{1,200}")
"""Paths of somebody's own machine: they name people and places."""
RUNS_CODE: Final = frozenset({"PyOp", "PyCustomOp", "PythonOp", "PythonOpGrad"})
"""Operators that call Python, by whatever domain."""
_LONGEST: Final = 1_000_000
_LARGEST: Final = 2**28
_LEAST: Final = 1000
_FAR: Final = 100.0


def texts(graph: Graph) -> Iterator[tuple[str, str]]:
    """(where it stands, text) of everything in a file that is said and not computed."""
    model = graph.proto
    yield from ((f"metadata {entry.key!r}", entry.value) for entry in model.metadata_props)
    yield "the producer", f"{model.producer_name} {model.producer_version}"
    yield "the description of the model", model.doc_string
    yield "the description of the graph", model.graph.doc_string
    for function in model.functions:
        yield f"the description of function {function.name!r}", function.doc_string
    for node in all_nodes(node for nodes in (model.graph.node, *(f.node for f in model.functions)) for node in nodes):
        yield f"the description of node {node.name or node.op_type!r}", node.doc_string
        for entry in getattr(node, "metadata_props", ()):
            yield f"metadata {entry.key!r} of node {node.name or node.op_type!r}", entry.value
    for info in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        yield f"the description of {info.name!r}", info.doc_string
    for tensor in model.graph.initializer:
        yield f"the description of weight {tensor.name!r}", tensor.doc_string


def secrets(graph: Graph) -> list[tuple[str, str]]:
    """(kind, where) of what looks like a secret, each once."""
    found: dict[tuple[str, str], None] = {}
    for where, text in texts(graph):
        if text:
            found |= {(kind, where): None for kind, form in SECRETS.items() if form.search(text[:_LONGEST])}
    return list(found)


def own_paths(graph: Graph) -> list[str]:
    """Where a path of somebody's machine stands."""
    return [where for where, text in texts(graph) if text and PATHS.search(text[:_LONGEST])]


def weights(graph: Graph) -> dict[str, Any]:
    """``not_finite``: weights with NaN or infinity; ``far``: those with numbers far out of what the rest is, with how
    many times the 99.9th percentile of their sizes; ``skipped``: those too large to be looked through.
    """
    broken, far, skipped = list[str](), list[tuple[str, float]](), list[str]()
    for tensor in graph.proto.graph.initializer:
        if tensor.data_type not in _REAL:
            continue
        if 8 * np.prod(tensor.dims, dtype=np.float64) > _LARGEST:
            skipped.append(tensor.name)
            continue
        values = np.abs(np.ravel(graph.container.read(tensor)).astype(np.float32))
        if not np.isfinite(values).all():
            broken.append(tensor.name)
        elif values.size >= _LEAST and len(tensor.dims) > 1:
            usual, most = float(np.quantile(values, 0.999)), float(values.max())
            if usual > 0 and most > _FAR * usual:
                far.append((tensor.name, round(most / usual, 1)))
    return {"not_finite": broken, "far": far, "skipped": skipped}


_REAL: Final = frozenset({
    onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.BFLOAT16
})  # fmt: skip


def unread(graph: Graph) -> dict[str, int]:
    """Weights that no node reads and no output gives -> the numbers they hold."""
    read = {name for node in graph.nodes for name in node.reads} | {output.name for output in graph.outputs}
    held = {tensor.name: int(np.prod(tensor.dims, dtype=np.int64)) for tensor in graph.proto.graph.initializer}
    return {name: count for name, count in held.items() if name not in read}


def unread_bytes(graph: Graph) -> dict[str, tuple[int, int]]:
    """File of external data -> (its bytes, those of them that belong to no weight)."""
    container = graph.container
    found = {}
    for location, path in sorted(container.external.items()):
        spans = sorted(
            (region.offset, region.offset + region.length)
            for region in container.regions.values()
            if region.path == path
        )
        size, end, covered = container.files[path].size, 0, 0
        for start, stop in spans:
            covered += max(0, stop - max(start, end))
            end = max(end, stop)
        found[location] = (size, size - covered)
    return found
