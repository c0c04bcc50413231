"""Values behind a TopK with an order of its own (``graph/unordered.py``), in the order that ONNX Runtime gave."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from onnxray.graph.unordered import axis_of, open_orders, places_of
from onnxray.importer.backward_rules import BackwardRules
from onnxray.importer.imported_module import forward_all
from onnxray.importer.walk import Importer

Tensors = Mapping[str, torch.Tensor]


def forward_in_order(
    importer: Importer, names: tuple[str, ...], known: Tensors, picked: Tensors, rules: BackwardRules
) -> tuple[torch.Tensor, ...]:
    """The values ``names`` from known ones: y_j = x[i_j] where a node picks, by the places i in ``picked``."""
    known = dict(known)
    for node in open_orders(importer.graph, names, known):
        places = places_of(node)
        if places in picked:
            (x,) = forward_all(importer.cut(node.inputs[:1], given=tuple(known), rules=rules), tuple(known.values()))
            known[node.outputs[0]] = torch.take_along_dim(x, picked[places], axis_of(node))
            known[places] = picked[places]
    return forward_all(importer.cut(names, given=tuple(known), rules=rules), tuple(known.values()))
