"""One node of the twin alone, fed with what the judge gave for its inputs: its own error, without what it inherits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from onnxray.arrays import Array
from onnxray.errors import OnnxrayError
from onnxray.graph.facts import Graph, Node
from onnxray.importer.nodes.weights import numpy_array, torch_tensor
from onnxray.importer.walk import Importer


def given_alone(
    importer: Importer, node: Node, known: Mapping[str, Array], device: torch.device
) -> dict[str, Array] | None:
    """What the twin's module for ``node`` gives for the inputs ``known``: output name -> array.

    None where it cannot be run alone: an input is not known (a sequence, a map), or the module refuses it.
    """
    try:
        converted = importer.convert(node)
        inputs = [_input(importer, known, name, device) for name in converted.inputs]
        with torch.no_grad():
            result = converted.module.to(device)(*inputs)
    except (OnnxrayError, RuntimeError, TypeError, ValueError, IndexError, KeyError):
        return None
    several: Sequence[Any] = result if isinstance(result, list | tuple) else (result,)
    return {
        name: numpy_array(value)
        for name, value in zip(node.outputs, several)
        if name and isinstance(value, torch.Tensor)
    }


def tensors_of(graph: Graph, names: Iterable[str]) -> list[str]:
    """Those of ``names`` that are tensors of numbers, as far as the graph tells; not sequences, maps or strings."""
    source = graph.proto.graph
    infos = (*source.value_info, *source.input, *source.output)
    others = {info.name for info in infos if info.type.WhichOneof("value") not in {None, "tensor_type"}}
    others |= {value.name for value in graph.values.values() if value.dtype in {"object", "map"}}
    return [name for name in names if name not in others]


def _input(importer: Importer, known: Mapping[str, Array], name: str, device: torch.device) -> torch.Tensor | None:
    if not name:
        return None
    tensor = torch_tensor(known[name], name) if name in known else importer.weights.tensor(name)
    return tensor.to(device)
