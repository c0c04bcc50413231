"""What an operator does with a constant that it reads, as far as training goes: a weight, or what is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from onnxray.graph.operator_kinds import MOVING

_LAYER: Final = {1: "weight", 2: "bias"}
_SCALED: Final = {1: "scale", 2: "bias"}
_RECURRENT: Final = {1: "weight", 2: "recurrent weight", 3: "bias"}

LEARNT: Final[Mapping[str, Mapping[int, str]]] = {
    "Conv": _LAYER, "ConvTranspose": _LAYER, "FusedConv": _LAYER, "Gemm": {0: "weight", **_LAYER},
    "FusedGemm": {0: "weight", **_LAYER}, "MatMul": {0: "weight", 1: "weight"},
    "FusedMatMul": {0: "weight", 1: "weight"}, "BatchNormalization": _SCALED, "InstanceNormalization": _SCALED,
    "LayerNormalization": _SCALED, "GroupNormalization": _SCALED, "RMSNormalization": {1: "scale"},
    "SimplifiedLayerNormalization": {1: "scale"}, "PRelu": {1: "slope"}, "Gather": {0: "table"},
    "LSTM": _RECURRENT, "GRU": _RECURRENT, "RNN": _RECURRENT,
}  # fmt: skip
"""Operator -> the inputs that are learnt, each by what it is called."""

ARITHMETIC: Final = frozenset({"Add", "Sub", "Mul", "Div", "Sum"})
"""Operators place by place, whose constants are learnt where they hold several numbers: biases, scales, positions."""

STATISTICS: Final[Mapping[str, Mapping[int, str]]] = {
    "BatchNormalization": {3: "running mean", 4: "running variance"},
}
"""What is measured on data, and never moved along a gradient."""

CHAINED: Final = MOVING | {"Cast", "Concat", "QuantizeLinear", "Slice"}
"""Operators through which a constant is trained that they make another constant of: the source, the chain is kept."""

WHOLE_ONLY: Final = frozenset({
    "ConvInteger", "DynamicQuantizeMatMul", "MatMulInteger", "MatMulIntegerToFloat", "QGemm", "QLinearConv",
    "QLinearMatMul",
})  # fmt: skip
"""Operators whose weights are whole numbers, with no real one in the file that a gradient could be of."""
