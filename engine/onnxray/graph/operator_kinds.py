"""Kinds of operators, by name. A question that takes a different set states it as a difference from one of these."""

from __future__ import annotations

from typing import Final

LINEAR: Final = frozenset({"Gemm", "MatMul"})
CONVOLUTIONS: Final = frozenset({"Conv", "ConvTranspose"})
INTEGER_LAYERS: Final = frozenset({"ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"})
"""Layers with weights, in real numbers and in whole ones."""

RESHAPING: Final = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
"""Operators that keep every number and their order, and change the shape alone."""

UNCHANGING: Final = frozenset({"Dropout", "Identity"})
"""Operators that do nothing in a network that is not being trained."""

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
    "LpNormalization", "MeanVarianceNormalization", "RMSNormalization", "SimplifiedLayerNormalization", "Softmax",
})  # fmt: skip
"""Operators whose output has the places of their first input, each scaled by numbers of several."""

SPATIAL: Final = CONVOLUTIONS | POOLING | {
    "ConvInteger", "DepthToSpace", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "QLinearAveragePool",
    "QLinearConv", "QLinearGlobalAveragePool", "SpaceToDepth",
}  # fmt: skip
"""Operators of rows and columns that stand behind an axis of samples and one of channels."""
