"""Kinds of operators, by name. A question that takes a different set states it as a difference from one of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LINEAR: Final = frozenset({"FusedGemm", "FusedMatMul", "Gemm", "MatMul"})
CONVOLUTIONS: Final = frozenset({"Conv", "ConvTranspose", "FusedConv"})
INTEGER_LINEAR: Final = frozenset(
    {"DynamicQuantizeMatMul", "MatMulInteger", "MatMulIntegerToFloat", "QGemm", "QLinearMatMul"}
)
INTEGER_CONVOLUTIONS: Final = frozenset({"ConvInteger", "QLinearConv"})
"""Layers with weights, in real numbers and in whole ones; a fused one has its activation in it."""

LAYER_OPERANDS: Final[Mapping[str, tuple[int, ...]]] = {
    "Conv": (1, 2), "ConvTranspose": (1, 2), "Gemm": (1, 2), "MatMul": (1,), "ConvInteger": (1,), "MatMulInteger": (1,),
    "QGemm": (3, 6), "QLinearConv": (3, 8), "QLinearMatMul": (3,), "DynamicQuantizeMatMul": (1, 4),
    "MatMulIntegerToFloat": (1, 6), "FusedConv": (1, 2), "FusedGemm": (1, 2), "FusedMatMul": (1,),
}  # fmt: skip
"""Every operator that is a layer with weights where they are constant -> the input that is its weight, and its bias."""

ZERO_POINTS: Final[Mapping[tuple[str, str], int]] = {
    ("", "QuantizeLinear"): 2,
    ("", "QLinearConv"): 7,
    ("", "QLinearMatMul"): 7,
    ("com.microsoft", "QuantizeLinear"): 2,
    ("com.microsoft", "QLinearConv"): 7,
    ("com.microsoft", "QLinearWhere"): 8,
    ("com.microsoft", "QLinearAdd"): 7,
    ("com.microsoft", "QLinearMul"): 7,
    ("com.microsoft", "QLinearConcat"): 1,
    ("com.microsoft", "QLinearGlobalAveragePool"): 4,
    ("com.microsoft", "QLinearAveragePool"): 4,
    ("com.microsoft", "QLinearLeakyRelu"): 4,
    ("com.microsoft", "QLinearSigmoid"): 4,
    ("com.microsoft", "QLinearSoftmax"): 4,
    ("com.microsoft", "QGemm"): 8,
}
"""Operators that quantise what they give, and which input is its zero point; its scale stands before that."""

RESHAPING: Final = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
"""Operators that keep every number and their order, and change the shape alone."""

UNCHANGING: Final = frozenset({"Dropout", "Identity"})
"""Operators that do nothing in a network that is not being trained."""

MOVING: Final = RESHAPING | UNCHANGING | {"Transpose"}
"""Operators that keep every number, whatever its place and the shape."""

QUANTISING: Final = frozenset({"DequantizeLinear", "QuantizeLinear"})
POOLING: Final = frozenset({"AveragePool", "LpPool", "MaxPool"})

ELEMENTWISE: Final = frozenset({
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BiasGelu", "BitwiseNot", "Cast", "Ceil",
    "Celu", "Clip", "Cos", "Cosh", "DequantizeLinear", "Dropout", "Elu", "Erf", "Exp", "FastGelu", "Floor",
    "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Neg",
    "Not", "QLinearLeakyRelu", "QLinearSigmoid", "QuantizeLinear", "QuickGelu", "Reciprocal", "Relu", "Round",
    "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan",
    "Tanh", "ThresholdedRelu",
})  # fmt: skip
"""Operators that take each number of their first input by itself."""

BROADCASTING: Final = frozenset({
    "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater",
    "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow",
    "QLinearAdd", "QLinearMul", "Sub", "Sum", "Where", "Xor",
})  # fmt: skip
"""Operators that take the numbers at one place of each of their inputs, which are broadcast to one shape."""

NORMALISING: Final = frozenset({
    "BatchNormalization", "GroupNormalization", "InstanceNormalization", "LRN", "LayerNormalization", "LogSoftmax",
    "LpNormalization", "MeanVarianceNormalization", "QLinearSoftmax", "RMSNormalization",
    "SimplifiedLayerNormalization", "Softmax",
})  # fmt: skip
"""Operators whose output has the places of their first input, each scaled by numbers of several."""

SPATIAL: Final = CONVOLUTIONS | INTEGER_CONVOLUTIONS | POOLING | {
    "DepthToSpace", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "QLinearAveragePool",
    "QLinearGlobalAveragePool", "SpaceToDepth",
}  # fmt: skip
"""Operators of rows and columns that stand behind an axis of samples and one of channels."""
