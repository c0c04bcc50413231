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
    integer_products,
    joining,
    linear,
    losses,
    making,
    microsoft_attention,
    microsoft_fused,
    microsoft_layout,
    microsoft_quantized,
    ml,
    ml_linear,
    ml_trees,
    normalization,
    norms,
    pooling,
    quantization,
    random,
    recurrent,
    reduction,
    resizing,
    sampling,
    scattering,
    searching,
    sequences,
    shaping,
    signal,
    softmax,
    transposed,
    unpooling,
)
from onnxray.importer.scope import Converters

_FAMILIES = (
    activations, arithmetic, attention, casting, comparison, control, convolution, detection, elementwise, indexing,
    integer_products, joining, linear, losses, making, microsoft_attention, microsoft_fused, microsoft_layout,
    microsoft_quantized, ml, ml_linear, ml_trees, normalization, norms, pooling, quantization, random, recurrent,
    reduction, resizing, sampling, scattering, searching, sequences, shaping, signal, softmax, transposed, unpooling,
)  # fmt: skip

CONVERTERS: Converters = {key: converter for family in _FAMILIES for key, converter in family.CONVERTERS.items()}
