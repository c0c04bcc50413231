"""Our own converters, one file a family, looked up before onnx2torch's."""

from onnxray.importer.nodes.scope import Converters
from onnxray.importer.ops.classical import encoders_and_scalers as ml
from onnxray.importer.ops.classical import linear_models as ml_linear
from onnxray.importer.ops.classical import trees as ml_trees
from onnxray.importer.ops.microsoft import attention as microsoft_attention
from onnxray.importer.ops.microsoft import bits as microsoft_bits
from onnxray.importer.ops.microsoft import fused as microsoft_fused
from onnxray.importer.ops.microsoft import layout as microsoft_layout
from onnxray.importer.ops.microsoft import quantized as microsoft_quantized
from onnxray.importer.ops.microsoft import quantized_lstm as microsoft_lstm
from onnxray.importer.ops.neural import (
    activations,
    attention,
    convolution,
    linear,
    losses,
    normalization,
    norms,
    pooling,
    recurrent,
    softmax,
    unpooling,
)
from onnxray.importer.ops.neural import transposed_convolution as transposed
from onnxray.importer.ops.pictures import detection, experimental, resizing, sampling, signal
from onnxray.importer.ops.quantised import casting, integer_products, quantization
from onnxray.importer.ops.tensors import (
    arithmetic,
    comparison,
    control,
    elementwise,
    indexing,
    joining,
    random,
    reduction,
    scattering,
    searching,
    sequences,
    shaping,
)
from onnxray.importer.ops.tensors import generators as making

_FAMILIES = (
    activations, arithmetic, attention, casting, comparison, control, convolution, detection, elementwise,
    experimental, indexing, integer_products, joining, linear, losses, making, microsoft_attention, microsoft_bits,
    microsoft_fused, microsoft_layout, microsoft_lstm, microsoft_quantized, ml, ml_linear, ml_trees, normalization,
    norms, pooling, quantization, random, recurrent, reduction, resizing, sampling, scattering, searching, sequences,
    shaping, signal, softmax, transposed, unpooling,
)  # fmt: skip

CONVERTERS: Converters = {key: converter for family in _FAMILIES for key, converter in family.CONVERTERS.items()}
