"""Which fields Caffe's messages have: their names, kinds, and the numbers of those that are read from a caffemodel.

From BVLC/caffe's caffe.proto and the public forks (SSD, DeepLab, PSPNet, SegNet, Synopsys). A field that is none of
these is refused by its line: a misspelt one would otherwise be passed over, and the net be another.

    "ConvolutionParameter": "num_output:uint bias_term:bool pad:uint* ..."       * may be repeated

Kinds: int, uint, bool, float, text, a message's name, enum names joined by "|"; "any" is passed over unread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class FieldKind:
    """kind: as above; repeated: whether it may stand more than once."""

    kind: str
    repeated: bool


_ENGINE: Final = "engine:DEFAULT|CAFFE|CUDNN|CAFFE3D|MKL2017|MKLDNN|CAFFE_GPU"
_AXES: Final = "axis:int num_axes:int filler:any"
_WINDOW: Final = "kernel_h:uint kernel_w:uint stride_h:uint stride_w:uint pad_h:uint pad_w:uint"

_STATED: Final = {
    "NetParameter": "name:text input:text* input_shape:BlobShape* input_dim:int* force_backward:any state:any "
    "debug_info:any layer:LayerParameter* layers:V1LayerParameter* profile_info:any* profile_iter:any "
    "profile_warmup:any optimize_mem:any bn_stats:any",
    "BlobShape": "dim:int*",
    "NetStateRule": "phase:TRAIN|TEST min_level:int max_level:int stage:text* not_stage:text*",
    "LayerParameter": "name:text type:text bottom:text* top:text* phase:TRAIN|TEST loss_weight:float* param:any* "
    "blobs:any* propagate_down:any* include:NetStateRule* exclude:NetStateRule*",
    "V1LayerParameter": "name:text type:text bottom:text* top:text* param:any* blob_share_mode:any* blobs:any* "
    "blobs_lr:any* weight_decay:any* loss_weight:any* include:NetStateRule* exclude:NetStateRule* "
    "layer:V0LayerParameter",
    "V0LayerParameter": "name:text type:text num_output:uint biasterm:bool weight_filler:any bias_filler:any pad:uint "
    "kernelsize:uint group:uint stride:uint pool:MAX|AVE|STOCHASTIC dropout_ratio:float local_size:uint alpha:float "
    "beta:float k:float source:text scale:float meanfile:text batchsize:uint cropsize:uint mirror:bool blobs:any* "
    "blobs_lr:any* weight_decay:any* rand_skip:any det_fg_threshold:any det_bg_threshold:any det_fg_fraction:any "
    "det_context_pad:any det_crop_mode:any new_num:int new_channels:int new_height:int new_width:int "
    "shuffle_images:any concat_dim:uint hdf5_output_param:any",
    "TransformationParameter": "scale:float mirror:bool crop_size:uint mean_file:text mean_value:float* "
    "force_color:bool force_gray:bool resize_param:any noise_param:any distort_param:any expand_param:any "
    "emit_constraint:any crop_h:uint crop_w:uint",
    "ArgMaxParameter": "out_max_val:bool top_k:uint axis:int",
    "BatchNormParameter": "use_global_stats:bool moving_average_fraction:any eps:float engine:any",
    "BiasParameter": _AXES,
    "BNParameter": "slope_filler:any bias_filler:any scale_filler:any shift_filler:any frozen:any momentum:any "
    "eps:float bn_mode:LEARN|INFERENCE var_eps:float engine:any icnet:any",
    "ClipParameter": "min:float max:float",
    "ConcatParameter": "axis:int concat_dim:uint",
    "ConvolutionParameter": "num_output:uint bias_term:bool pad:uint* kernel_size:uint* stride:uint* dilation:uint* "
    f"group:uint {_WINDOW} weight_filler:any bias_filler:any {_ENGINE} axis:int force_nd_im2col:any hole:uint "
    "hole_h:uint hole_w:uint cudnn_opt:any",
    "CropParameter": "axis:int offset:uint*",
    "DropoutParameter": "dropout_ratio:float scale_train:bool",
    "EltwiseParameter": "operation:PROD|SUM|MAX coeff:float* stable_prod_grad:any",
    "ELUParameter": "alpha:float",
    "EmbedParameter": "num_output:uint input_dim:uint bias_term:bool weight_filler:any bias_filler:any",
    "ExpParameter": "base:float scale:float shift:float",
    "FlattenParameter": "axis:int end_axis:int",
    "HardSwishParameter": "",
    "InnerProductParameter": f"num_output:uint bias_term:bool weight_filler:any bias_filler:any axis:int "
    f"transpose:bool {_ENGINE}",
    "InputParameter": "shape:BlobShape*",
    "InterpParameter": "height:int width:int zoom_factor:int shrink_factor:int pad_beg:int pad_end:int",
    "LogParameter": "base:float scale:float shift:float",
    "LRNParameter": "local_size:uint alpha:float beta:float norm_region:ACROSS_CHANNELS|WITHIN_CHANNEL k:float "
    f"{_ENGINE}",
    "MVNParameter": "normalize_variance:bool across_channels:bool eps:float",
    "NormalizeParameter": "across_spatial:bool scale_filler:any channel_shared:bool eps:float",
    "PermuteParameter": "order:uint*",
    "PoolingParameter": f"pool:MAX|AVE|STOCHASTIC pad:uint kernel_size:uint stride:uint {_WINDOW} {_ENGINE} "
    "global_pooling:bool round_mode:CEIL|FLOOR ceil_mode:bool",
    "PowerParameter": "power:float scale:float shift:float",
    "PReLUParameter": "filler:any channel_shared:bool",
    "PriorBoxParameter": "min_size:float* max_size:float* aspect_ratio:float* flip:bool clip:bool variance:float* "
    "img_size:uint img_h:uint img_w:uint step:float step_h:float step_w:float offset:float",
    "ReductionParameter": "operation:SUM|ASUM|SUMSQ|MEAN axis:int coeff:float",
    "ReLUParameter": f"negative_slope:float {_ENGINE}",
    "ReLU6Parameter": "negative_slope:float",
    "ReshapeParameter": "shape:BlobShape axis:int num_axes:int",
    "ScaleParameter": f"{_AXES} bias_term:bool bias_filler:any",
    "SigmoidParameter": _ENGINE,
    "SliceParameter": "axis:int slice_point:uint* slice_dim:uint",
    "SoftmaxParameter": f"{_ENGINE} axis:int",
    "SqueezeParameter": "axis:int*",
    "SwishParameter": "beta:float",
    "TanHParameter": _ENGINE,
    "ThresholdParameter": "threshold:float",
    "TileParameter": "axis:int tiles:int",
    "UpsampleParameter": "scale:uint scale_h:uint scale_w:uint pad_out_h:bool pad_out_w:bool upsample_h:uint "
    "upsample_w:uint",
    "MemoryDataParameter": "batch_size:uint channels:uint height:uint width:uint",
    "DataParameter": "scale:float mean_file:text crop_size:uint mirror:any source:text batch_size:uint rand_skip:any "
    "backend:any force_encoded_color:any prefetch:any",
    "ImageDataParameter": "scale:float mean_file:text crop_size:uint mirror:any source:text batch_size:uint "
    "rand_skip:any shuffle:any new_height:uint new_width:uint is_color:bool root_folder:text",
}

PARAMETERS: Final[Mapping[str, str]] = MappingProxyType({
    "transform_param": "TransformationParameter", "argmax_param": "ArgMaxParameter",
    "batch_norm_param": "BatchNormParameter", "bias_param": "BiasParameter", "bn_param": "BNParameter",
    "clip_param": "ClipParameter", "concat_param": "ConcatParameter", "convolution_param": "ConvolutionParameter",
    "crop_param": "CropParameter", "dropout_param": "DropoutParameter", "eltwise_param": "EltwiseParameter",
    "elu_param": "ELUParameter", "embed_param": "EmbedParameter", "exp_param": "ExpParameter",
    "flatten_param": "FlattenParameter", "hard_swish_param": "HardSwishParameter",
    "inner_product_param": "InnerProductParameter", "input_param": "InputParameter",
    "interp_param": "InterpParameter", "log_param": "LogParameter", "lrn_param": "LRNParameter",
    "mvn_param": "MVNParameter", "norm_param": "NormalizeParameter", "permute_param": "PermuteParameter",
    "pooling_param": "PoolingParameter", "power_param": "PowerParameter", "prelu_param": "PReLUParameter",
    "prior_box_param": "PriorBoxParameter", "reduction_param": "ReductionParameter", "relu_param": "ReLUParameter",
    "relu6_param": "ReLU6Parameter", "reshape_param": "ReshapeParameter", "scale_param": "ScaleParameter",
    "sigmoid_param": "SigmoidParameter", "slice_param": "SliceParameter", "softmax_param": "SoftmaxParameter",
    "squeeze_param": "SqueezeParameter", "swish_param": "SwishParameter", "tanh_param": "TanHParameter",
    "threshold_param": "ThresholdParameter", "tile_param": "TileParameter", "upsample_param": "UpsampleParameter",
    "memory_data_param": "MemoryDataParameter", "data_param": "DataParameter",
    "image_data_param": "ImageDataParameter",
})  # fmt: skip
"""The field of a layer that holds its options -> the message that it is."""


def _kinds(stated: str) -> Mapping[str, FieldKind]:
    found = {}
    for word in stated.split():
        name, _, kind = word.partition(":")
        found[name] = FieldKind(kind.removesuffix("*"), kind.endswith("*"))
    return MappingProxyType(found)


KINDS: Final[Mapping[str, Mapping[str, FieldKind]]] = MappingProxyType(
    {name: _kinds(stated) for name, stated in _STATED.items()}
)
"""Message -> its fields."""

NUMBERS: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType({
    "NetParameter": {"name": 1, "layers": 2, "layer": 100},
    "LayerParameter": {"name": 1, "type": 2, "blobs": 7},
    "V1LayerParameter": {"layer": 1, "name": 4, "type": 5, "blobs": 6},
    "V0LayerParameter": {"name": 1, "type": 2, "blobs": 50},
    "BlobProto": {
        "num": 1, "channels": 2, "height": 3, "width": 4, "data": 5, "diff": 6, "shape": 7, "double_data": 8,
        "double_diff": 9,
    },
    "BlobShape": {"dim": 1},
})  # fmt: skip
"""Message -> the numbers of those fields that a caffemodel is read for."""

V1_TYPES: Final[Mapping[str, str]] = MappingProxyType({
    "ABSVAL": "AbsVal", "ACCURACY": "Accuracy", "ARGMAX": "ArgMax", "BNLL": "BNLL", "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss", "CONVOLUTION": "Convolution", "DATA": "Data",
    "DECONVOLUTION": "Deconvolution", "DROPOUT": "Dropout", "DUMMY_DATA": "DummyData",
    "EUCLIDEAN_LOSS": "EuclideanLoss", "ELTWISE": "Eltwise", "EXP": "Exp", "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data", "HDF5_OUTPUT": "HDF5Output", "HINGE_LOSS": "HingeLoss", "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData", "INFOGAIN_LOSS": "InfogainLoss", "INNER_PRODUCT": "InnerProduct", "LRN": "LRN",
    "MEMORY_DATA": "MemoryData", "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss", "MVN": "MVN",
    "POOLING": "Pooling", "POWER": "Power", "RELU": "ReLU", "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss", "SILENCE": "Silence", "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss", "SPLIT": "Split", "SLICE": "Slice", "TANH": "TanH",
    "WINDOW_DATA": "WindowData", "THRESHOLD": "Threshold", "BN": "BN", "INTERP": "Interp", "PRELU": "PReLU",
    "RESHAPE": "Reshape", "UPSAMPLE": "Upsample", "CROP": "Crop",
})  # fmt: skip
"""Types of V1 layers and of forks' -> of V2 layers."""

V0_TYPES: Final[Mapping[str, str]] = MappingProxyType({
    "accuracy": "Accuracy", "bnll": "BNLL", "concat": "Concat", "conv": "Convolution", "data": "Data",
    "dropout": "Dropout", "euclidean_loss": "EuclideanLoss", "flatten": "Flatten", "hdf5_data": "HDF5Data",
    "hdf5_output": "HDF5Output", "im2col": "Im2col", "images": "ImageData", "infogain_loss": "InfogainLoss",
    "innerproduct": "InnerProduct", "lrn": "LRN", "multinomial_logistic_loss": "MultinomialLogisticLoss",
    "pool": "Pooling", "relu": "ReLU", "sigmoid": "Sigmoid", "softmax": "Softmax", "softmax_loss": "SoftmaxWithLoss",
    "split": "Split", "tanh": "TanH", "window_data": "WindowData", "padding": "Padding",
})  # fmt: skip
"""Types of V0 layers -> of V2 layers; what was padding is put into the convolution behind it."""
