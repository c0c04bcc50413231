"""What the classifiers and regressors of ``ai.onnx.ml`` share: inputs, post-transforms, labels.

Values are those of ONNX Runtime, which computes them in float32; doubles are computed as doubles and given as float32.
Labels are whole numbers without a gradient. Labels that are strings cannot be tensors: such an output is refused
where it is read, and the scores beside it come out all the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from onnxray.errors import UnsupportedOperator
from onnxray.importer.nodes.scope import Converter, Converters, Scope

DOMAIN = "ai.onnx.ml"


def of_domain(operator: str, versions: tuple[int, ...], converter: Converter) -> Converters:
    """The same converter for several since-versions of an operator of ``ai.onnx.ml``."""
    return {(DOMAIN, operator, version): converter for version in versions}


def real(x: torch.Tensor) -> torch.Tensor:
    """Numbers to compute with: doubles stay doubles, everything else becomes float32."""
    return x if x.dtype == torch.float64 else x.to(torch.float32)


def rows(x: torch.Tensor) -> torch.Tensor:
    """A matrix of samples; a vector is one sample."""
    return real(x.reshape(1, -1) if x.ndim < 2 else x)


def texts(scope: Scope, name: str) -> list[str]:
    """An attribute that is a list of strings."""
    return [part.decode() if isinstance(part, bytes) else str(part) for part in scope.attributes.get(name, ())]


def reals(scope: Scope, name: str) -> torch.Tensor:
    """An attribute that is a list of floats, or that with ``_as_tensor`` behind its name, as a flat tensor."""
    import onnx

    tensor = scope.attributes.get(f"{name}_as_tensor")
    if tensor is not None:
        return torch.from_numpy(onnx.numpy_helper.to_array(tensor).reshape(-1).copy())
    return torch.tensor(list(scope.attributes.get(name, ())), dtype=torch.float32)


class Labels:
    """Class indices as the labels that the file lists. ``refusal`` in their place where they are strings."""

    def __init__(self, scope: Scope) -> None:
        self.numbers = [int(label) for label in scope.attributes.get("classlabels_ints", ())]
        self.numbers = self.numbers or [int(label) for label in scope.attributes.get("classlabels_int64s", ())]
        strings = texts(scope, "classlabels_strings")
        self.count = len(strings) or len(self.numbers)
        self.refusal = (
            scope.refuse("its labels are strings, which torch does not hold; its scores are given") if strings else None
        )

    def of(self, index: torch.Tensor) -> torch.Tensor | UnsupportedOperator:
        """The labels of indices; an error to be raised where it is read if the labels are strings."""
        if self.refusal is not None:
            return self.refusal
        return torch.tensor(self.numbers, dtype=torch.int64, device=index.device)[index]

    def of_pair(self, positive: torch.Tensor) -> torch.Tensor | UnsupportedOperator:
        """The second label where ``positive``, else the first; 1 and 0 where the file does not list two."""
        if self.refusal is not None or len(self.numbers) == 2:
            return self.of(positive.to(torch.int64))
        return positive.to(torch.int64)


Transform = Callable[[torch.Tensor], torch.Tensor]


def _probit(x: torch.Tensor) -> torch.Tensor:
    """sqrt(2) times an approximation of the inverse error function of 2 x - 1: the runtime's, with its constants."""
    signed = 2 * x - 1
    log = torch.log((1 - signed) * (1 + signed))
    v = 2 / (3.14159 * 0.147) + 0.5 * log
    root = torch.sqrt(torch.sqrt(v * v - log / 0.147) - v)
    return math.sqrt(2) * torch.where(signed < 0, -root, root)


def _softmax_zero(x: torch.Tensor) -> torch.Tensor:
    """A softmax over the scores that are not zero; a zero stays what it is (times exp(-max), over the same sum)."""
    top = x.amax(-1, keepdim=True)
    zero = x.abs() <= 1e-7
    powers = torch.where(zero, x * torch.exp(-top), torch.exp(x - top))
    return powers / torch.where(zero, 0, powers).sum(-1, keepdim=True)


TRANSFORMS: Mapping[str, Transform] = {
    "NONE": lambda x: x,
    "LOGISTIC": torch.sigmoid,
    "SOFTMAX": lambda x: torch.softmax(x, -1),
    "SOFTMAX_ZERO": _softmax_zero,
    "PROBIT": _probit,
}


def post_transform(scope: Scope) -> str:
    """The name of a node's post-transform."""
    name = str(scope.attributes.get("post_transform", "NONE"))
    if name not in TRANSFORMS:
        raise scope.refuse(f"its post_transform is {name!r}; {', '.join(TRANSFORMS)} are known")
    return name


def transformed(scores: torch.Tensor, name: str) -> torch.Tensor:
    """Scores after the transform. A single column knows PROBIT alone, as in ONNX Runtime."""
    return TRANSFORMS[name](scores) if scores.shape[-1] > 1 or name == "PROBIT" else scores


def as_two(score: torch.Tensor, name: str, mixed: bool) -> torch.Tensor:
    """One column as the scores of two classes: (1 - s, s), and (-s, s) where weights are of ``mixed`` signs.

    LOGISTIC gives its own (-s, s), PROBIT keeps to one column, and the others do nothing.
    """
    if name == "PROBIT":
        return TRANSFORMS[name](score)
    if name == "LOGISTIC":
        return torch.sigmoid(torch.cat([-score, score], -1))
    return torch.cat([-score if mixed else 1 - score, score], -1)


def flag(value: Any) -> bool:
    """An integer attribute as yes or no."""
    return bool(int(value))
