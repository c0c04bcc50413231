"""Every type of layer that is converted, with the field of its options; and those that are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from onnxray_adapters.caffe.layers import (
    activations,
    arithmetic,
    detection,
    linear,
    normalisation,
    pooling,
    reshaping,
    resizing,
)
from onnxray_adapters.caffe.scope import Blob, Scope

Converter = Callable[[Scope], tuple[Blob, ...]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of layer: its converter, the field of its options, and whether the caffemodel has blobs for it."""

    convert: Converter
    options: str = ""
    learned: bool = False


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "Convolution": Kind(linear.convolution, "convolution_param", True),
        "Deconvolution": Kind(linear.deconvolution, "convolution_param", True),
        "ConvolutionDepthwise": Kind(linear.depthwise, "convolution_param", True),
        "DepthwiseConvolution": Kind(linear.depthwise, "convolution_param", True),
        "InnerProduct": Kind(linear.inner_product, "inner_product_param", True),
        "Embed": Kind(linear.embed, "embed_param", True),
        "Pooling": Kind(pooling.pooling, "pooling_param"),
        "ReLU": Kind(activations.relu, "relu_param"),
        "ReLU6": Kind(activations.relu6, "relu6_param"),
        "PReLU": Kind(activations.prelu, "prelu_param", True),
        "ELU": Kind(activations.elu, "elu_param"),
        "Sigmoid": Kind(activations.sigmoid, "sigmoid_param"),
        "TanH": Kind(activations.tanh, "tanh_param"),
        "AbsVal": Kind(activations.absolute),
        "Power": Kind(activations.power, "power_param"),
        "Exp": Kind(activations.exponential, "exp_param"),
        "Log": Kind(activations.logarithm, "log_param"),
        "BNLL": Kind(activations.bnll),
        "Swish": Kind(activations.swish, "swish_param"),
        "HardSwish": Kind(activations.hard_swish, "hard_swish_param"),
        "Clip": Kind(activations.clip, "clip_param"),
        "Threshold": Kind(activations.threshold, "threshold_param"),
        "Softmax": Kind(activations.softmax, "softmax_param"),
        "Dropout": Kind(activations.dropout, "dropout_param"),
        "LRN": Kind(normalisation.lrn, "lrn_param"),
        "BatchNorm": Kind(normalisation.batch_norm, "batch_norm_param", True),
        "BN": Kind(normalisation.batch_norm_of_forks, "bn_param", True),
        "Scale": Kind(normalisation.scale, "scale_param", True),
        "Bias": Kind(normalisation.bias, "bias_param", True),
        "Normalize": Kind(normalisation.normalize, "norm_param", True),
        "MVN": Kind(normalisation.mvn, "mvn_param"),
        "Eltwise": Kind(arithmetic.eltwise, "eltwise_param"),
        "Mul": Kind(arithmetic.multiply),
        "Reduction": Kind(arithmetic.reduction, "reduction_param"),
        "ArgMax": Kind(arithmetic.arg_max, "argmax_param"),
        "Concat": Kind(reshaping.concat, "concat_param"),
        "Slice": Kind(reshaping.slices, "slice_param"),
        "Split": Kind(reshaping.split),
        "Crop": Kind(reshaping.crop, "crop_param"),
        "Flatten": Kind(reshaping.flatten, "flatten_param"),
        "Reshape": Kind(reshaping.reshape, "reshape_param"),
        "Permute": Kind(reshaping.permute, "permute_param"),
        "Squeeze": Kind(reshaping.squeeze, "squeeze_param"),
        "Tile": Kind(reshaping.tile, "tile_param"),
        "Interp": Kind(resizing.interp, "interp_param"),
        "Upsample": Kind(resizing.upsample, "upsample_param"),
        "PriorBox": Kind(detection.prior_box, "prior_box_param"),
    }
)
"""Type -> how it is converted."""

STOPPED_BEFORE: Final = frozenset({"DetectionOutput"})
"""Types that the net ends before: what they read become outputs."""

REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Python": "it runs a program that is in neither file",
        "Proposal": "it picks boxes by rules of Faster R-CNN's own programs",
        "PSROIPooling": "ONNX has no position-sensitive pooling",
        "PSROIAlign": "ONNX has no position-sensitive pooling",
        "ROIPooling": "its windows depend on boxes that a Proposal layer picks",
        "Recurrent": "recurrent layers are unrolled by Caffe itself when it runs",
        "RNN": "recurrent layers are unrolled by Caffe itself when it runs",
        "LSTM": "recurrent layers are unrolled by Caffe itself when it runs",
        "SPP": "it pools by windows that depend on the size in ways of its own",
        "Im2col": "it is a part of convolution, and of no net that is used",
        "Filter": "how many samples it keeps depends on their numbers",
        "BatchReindex": "how many samples it keeps depends on their numbers",
        "Parameter": "it is a weight without a layer",
    }
)
"""Types that are refused, and why."""
