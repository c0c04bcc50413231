"""The rules of layer-wise relevance propagation as values: what each linear layer, and each other node, does.

A linear layer z = W x + b takes the relevance R of its output and gives that of its input. With s(z) = z + e sign(z),
sign(0) = 1, a^+ = max(a, 0), a^- = min(a, 0), and * element by element:

    Epsilon       x * W^T (R / s(W x + b))                                                  Bach et al. 2015, eq. 58
    AlphaBeta     alpha (x^+ * V^+T c^+ + x^- * V^-T c^+) - beta (x^+ * V^-T c^- + x^- * V^+T c^-)      ibid., eq. 60
                  c^+ = R / s(V^+ x^+ + V^- x^- + b^+),   c^- = R / s(V^- x^+ + V^+ x^- + b^-);   V = W
                  alpha 1, beta 0 is z-plus (Montavon et al. 2017)
    Gamma         the same sums with V^+ = W + gamma W^+, V^- = W + gamma W^-: the c^+ half where z > 0, the c^- half
                  where z < 0                                             Montavon et al. 2019; Andeol et al. 2021
    ZBox          x * W^T c - l * W^+T c - h * W^-T c,   c = R / s(W x - W^+ l - W^- h)         Montavon et al. 2017
    WSquare       (W * W)^T (R / s((W * W) 1 + b^2))                                            Montavon et al. 2017
    Flat          1^T (R / s(1 1)), a one for each weight                                   Lapuschkin et al. 2019

as zennit 1.0 has them, to which they are held in the tests. Every rule but these is a ``Step``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray


@dataclass(frozen=True)
class Epsilon:
    """Relevance in the proportions of the summands; what the bias adds to the sum, it keeps."""

    name: ClassVar[str] = "epsilon"
    epsilon: float = 1e-6


@dataclass(frozen=True)
class AlphaBeta:
    """What speaks for and what against apart, alpha and -beta of each; alpha - beta = 1."""

    alpha: float = 2.0
    beta: float = 1.0
    stabilizer: float = 1e-6

    @property
    def name(self) -> str:
        """By its numbers; of 1 and 0 the usual name."""
        return "z-plus" if self.beta == 0 else f"alpha{self.alpha:g}-beta{self.beta:g}"


@dataclass(frozen=True)
class Gamma:
    """What agrees with the sum's sign favoured by gamma."""

    name: ClassVar[str] = "gamma"
    gamma: float = 0.25
    stabilizer: float = 1e-6


@dataclass(frozen=True)
class Fixed:
    """A constant array that compares and hashes by its numbers."""

    shape: tuple[int, ...]
    numbers: bytes

    @classmethod
    def of(cls, array: NDArray[Any]) -> Fixed:
        """An array in float32."""
        return cls(array.shape, np.ascontiguousarray(array, np.float32).tobytes())

    def tensor(self) -> torch.Tensor:
        """Its numbers."""
        return torch.from_numpy(np.frombuffer(self.numbers, np.float32).reshape(self.shape).copy())


@dataclass(frozen=True)
class ZBox:
    """For a layer whose input lies between ``low`` and ``high``, (1, ...) each."""

    name: ClassVar[str] = "z-box"
    low: Fixed
    high: Fixed
    stabilizer: float = 1e-6


@dataclass(frozen=True)
class WSquare:
    """By the squares of the weights, whatever the input is."""

    name: ClassVar[str] = "w-square"
    stabilizer: float = 1e-6


@dataclass(frozen=True)
class Flat:
    """The same to every input of a sum, whatever input and weights are."""

    name: ClassVar[str] = "flat"
    stabilizer: float = 1e-6


LinearRule = Epsilon | AlphaBeta | Gamma | ZBox | WSquare | Flat


@dataclass(frozen=True)
class Step:
    """What a node that is no linear layer does with its relevance R; y is its value, x_k what it reads.

        pass           R to the one receiver, summed over what was broadcast
        equal          R / n to each of n receivers (Mul of two computed values: Achtibat et al. 2024, eq. 14)
        proportional   x_k * J_k^T (R / s(parts y)): sums, means, and products of two computed matrices with parts = 2
                       (ibid., eq. 13)
        softmax        x * (R - y sum R) along the softmax (ibid., eq. 11)

    receivers: the values that it goes to. axis: of a softmax; onwards: all from it on. absorbs: whether a constant
    summand keeps the rest.
    """

    kind: Literal["pass", "equal", "proportional", "softmax"]
    receivers: tuple[str, ...]
    parts: int = 1
    stabilizer: float = 1e-6
    axis: int = -1
    onwards: bool = False
    absorbs: bool = False


@dataclass(frozen=True)
class Plan:
    """The rule of every node that relevance comes through: by the node's place in the file.

    layers: of a linear layer by the last of its nodes. What is in neither lets it through as it lets gradients.
    fused: places of nodes that stand for a pattern (GELU, layer normalisation) and pass on what comes. biases: whether
    they count among the summands of linear layers, and keep their share.
    """

    layers: tuple[tuple[int, LinearRule], ...]
    steps: tuple[tuple[int, Step], ...]
    fused: tuple[int, ...] = ()
    biases: bool = True

    @cached_property
    def layer_rules(self) -> Mapping[int, LinearRule]:
        """The rules of the linear layers."""
        return dict(self.layers)

    @cached_property
    def other_rules(self) -> Mapping[int, Step]:
        """The rules of all other nodes."""
        return dict(self.steps)
