"""Our own converters, one file a family, looked up before onnx2torch's."""

from onnxray.importer.ops import convolution, cutting, elementwise, linear, normalization, pooling, reduction, shaping
from onnxray.importer.scope import Converters

CONVERTERS: Converters = {
    **convolution.CONVERTERS,
    **cutting.CONVERTERS,
    **elementwise.CONVERTERS,
    **linear.CONVERTERS,
    **normalization.CONVERTERS,
    **pooling.CONVERTERS,
    **reduction.CONVERTERS,
    **shaping.CONVERTERS,
}
