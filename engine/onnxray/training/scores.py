"""What the loss of a classifier is of: (N, K) numbers whose softmax is what the file says of the K classes.

classes, logits   z, as they stand before the softmax
binary            (-z / 2, z / 2): the softmax is (1 - sigmoid z, sigmoid z), and cross-entropy the binary one
probabilities     log p
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from onnxray.graph.classifier.readings import both_classes
from onnxray.graph.outputs.facts import OutputKind

Reading = Callable[[torch.Tensor], torch.Tensor]

_LEAST = 1e-30


def plain(value: torch.Tensor) -> torch.Tensor:
    """Of numbers that a softmax makes probabilities."""
    return value.float().flatten(1)


def _binary(value: torch.Tensor) -> torch.Tensor:
    both: torch.Tensor = both_classes(value.float() / 2, probability=False)
    return both


def _logarithms(value: torch.Tensor) -> torch.Tensor:
    return plain(value).clamp(min=_LEAST).log()


def reading_of(kind: OutputKind) -> Reading:
    """How the value that ``logits`` names is read, of an output of this kind."""
    return {"binary": _binary, "probabilities": _logarithms}.get(kind, plain)
