"""Our own converters, one file a family, looked up before onnx2torch's."""

from onnxray.importer.ops import (
    activations,
    arithmetic,
    attention,
    casting,
    comparison,
    control,
    convolution,
    detection,
    elementwise,
    indexing,
    joining,
    linear,
    losses,
    normalization,
    pooling,
    quantization,
    random,
    recurrent,
    reduction,
    resizing,
    searching,
    sequences,
    shaping,
    signal,
    softmax,
)
from onnxray.importer.scope import Converters

_FAMILIES = (
    activations, arithmetic, attention, casting, comparison, control, convolution, detection, elementwise, indexing,
    joining, linear, losses, normalization, pooling, quantization, random, recurrent, reduction, resizing, searching,
    sequences, shaping, signal, softmax,
)  # fmt: skip

CONVERTERS: Converters = {key: converter for family in _FAMILIES for key, converter in family.CONVERTERS.items()}
