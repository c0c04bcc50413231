"""What relevance does at each operator that is no linear layer.

THROUGH moves, copies or picks numbers: the relevance goes the way of the gradient (to the winner of a maximum; summed
where a number was copied). PASS is f(x) element by element, or x times a factor that a normalisation computes: the
relevance of the value is that of x. PROPORTIONAL are sums and means of what is computed. Mul, Div, MatMul, Softmax and
what adds a constant have their rules in ``assignment.py``. Every other operator is refused.
"""

from __future__ import annotations

from onnxray.graph.facts import Graph, Node

THROUGH = frozenset(
    {
        "Compress", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND",
        "GlobalMaxPool", "Identity", "Max", "MaxPool", "Min", "Pad", "ReduceMax", "ReduceMin", "Reshape", "Slice",
        "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Where",
    }
)  # fmt: skip
PASS = frozenset(
    {
        "BatchNormalization", "Cast", "CastLike", "Celu", "Clip", "DequantizeLinear", "Dropout", "Elu",
        "Gelu", "GroupNormalization", "HardSigmoid", "HardSwish", "InstanceNormalization", "LRN", "LayerNormalization",
        "LeakyRelu", "LpNormalization", "MeanVarianceNormalization", "Mish", "Neg", "PRelu", "QuantizeLinear",
        "RMSNormalization", "Relu", "Selu", "Sigmoid", "SimplifiedLayerNormalization", "Softplus", "Softsign", "Swish",
        "Tanh", "ThresholdedRelu",
    }
)  # fmt: skip
PROPORTIONAL = frozenset({"Add", "AveragePool", "GlobalAveragePool", "Mean", "ReduceMean", "ReduceSum", "Sub", "Sum"})
RESIZES = frozenset({"Resize", "Upsample"})
FOREIGN = frozenset({"BiasGelu", "FastGelu", "Gelu", "QuickGelu", "SimplifiedLayerNormalization"})
"""Operators of com.microsoft that are such functions as well."""
AFFINE = frozenset(
    {"Add", "Cast", "Concat", "Div", "Flatten", "Identity", "Mul", "Neg", "Pad", "Reshape", "Slice", "Split", "Squeeze",
     "Sub", "Transpose", "Unsqueeze"}
)  # fmt: skip
"""What may stand between the input and a first layer whose rule goes by the bounds of its input."""

MAXIMA = frozenset({"GlobalMaxPool", "Max", "MaxPool", "ReduceMax"})
LINEAR = (
    THROUGH.difference(MAXIMA, {"Min", "ReduceMin"}) | PROPORTIONAL | RESIZES
    | {"BatchNormalization", "Cast", "CastLike", "CumSum", "DequantizeLinear", "Dropout", "Einsum", "Neg"}
)  # fmt: skip
"""Linear in the one thing, or in all together, that comes from the input: a multiplier goes the gradient's way."""
WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm"})
"""Linear in the first thing that they read where their weights are constants."""
STATISTICS = frozenset({"GroupNormalization", "InstanceNormalization", "LayerNormalization"})
"""Normalisations by the statistics of what they read, with constant scales."""
ELEMENTWISE = frozenset(
    {
        "Abs", "Celu", "Clip", "Cos", "Elu", "Erf", "Exp", "FastGelu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu",
        "Log", "Max", "Min", "Mish", "PRelu", "Pow", "QuantizeLinear", "QuickGelu", "Reciprocal", "Relu", "Selu",
        "Sigmoid", "Sin", "Softplus", "Softsign", "Sqrt", "Swish", "Tanh", "ThresholdedRelu",
    }
)  # fmt: skip
"""Functions of one number each, where that alone comes from the input."""

_QUANTISED = frozenset({"int2", "int4", "int8", "int16", "int32", "uint2", "uint4", "uint8", "uint16"})
_SQUASHING = {"Sigmoid": 2, "HardSigmoid": 2, "Tanh": 2, "Softmax": 2, "Erf": 1, "Clip": 1}
_AROUND = frozenset({"Add", "Div", "Expand", "Mul", "Reshape", "Sub", "Unsqueeze"})


def carriers(graph: Graph) -> frozenset[str]:
    """The values through which the input's own numbers come: what is made of its shape or its places alone is none."""
    found = {value.name for value in graph.inputs if holds_numbers(graph, value.name)}
    for node in graph.every_node:
        if found.intersection(node.reads):
            found.update(name for name in node.outputs if name and holds_numbers(graph, name))
    return frozenset(found)


def gate_rank(graph: Graph, name: str) -> int:
    """How surely a value is a gate: 2 from a sigmoid or its kin, 1 from a Clip or an Erf, 0 else.

    Factors, shifts and shapes behind it do not count.
    """
    while True:
        node = graph.producer_of.get(name)
        if node is None:
            return 0
        if not node.domain and node.operator in _SQUASHING:
            return _SQUASHING[node.operator]
        computed = computed_reads(graph, node)
        if node.domain or node.operator not in _AROUND or len(computed) != 1:
            return 0
        name = computed[0]


def computed_reads(graph: Graph, node: Node) -> tuple[str, ...]:
    """What a node reads of the input's own numbers, each once."""
    carrying = graph.once(carriers)
    return tuple(dict.fromkeys(name for name in node.inputs if name in carrying))


def holds_numbers(graph: Graph, name: str) -> bool:
    """Whether a value may hold real numbers, or such as they were quantised to: sizes, places and truths are none."""
    value = graph.values.get(name)
    return value is None or not value.dtype or value.is_float or value.dtype in _QUANTISED
