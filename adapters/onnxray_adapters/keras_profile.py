"""What keras.applications' networks take, by the name that Keras gives them, put into the model.

    caffe     BGR, less 103.939, 116.779, 123.68            VGG16, VGG19, ResNet50 to 152
    tf        RGB / 127.5 - 1                               Inception, Xception, MobileNet 1 and 2, NASNet, ResNet V2
    torch     RGB / 255, less the mean, by the deviation    DenseNet
    (none)    0 to 255: the graph scales itself             EfficientNet, ConvNeXt, MobileNet V3, RegNet, ResNet-RS

Pictures are stretched, and the nearest pixel taken, as keras.utils.load_img(path, target_size=...) does.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, Final

import onnx

from onnxray.errors.short_values import short
from onnxray.images.profile.discovery import METADATA_KEY
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.toml_form import toml_of

_CAFFE: Final[Any] = MappingProxyType({"channels": "BGR", "scale": 1.0, "mean": (103.939, 116.779, 123.68)})
_TF: Final[Any] = MappingProxyType({"channels": "RGB", "scale": 1 / 127.5, "mean": (1.0,) * 3})
_TORCH: Final[Any] = MappingProxyType(
    {"channels": "RGB", "scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
)
_WHOLE: Final[Any] = MappingProxyType({"channels": "RGB", "scale": 1.0, "mean": (0.0,) * 3})
_NETWORKS: Final = (
    (r"(vgg1[69]|resnet(50|101|152))", _CAFFE),
    (r"(inception_v3|inception_resnet_v2|xception|mobilenet(v2)?_[0-9.]+_[0-9]+|nasnet.*|resnet(50|101|152)v2)", _TF),
    (r"densenet[0-9]+", _TORCH),
    (r"(efficientnet.*|convnext.*|mobilenetv3.*|regnet.*|resnet-?rs.*)", _WHOLE),
)
_AXES: Final = 4


def put_profile(model: onnx.ModelProto, name: Any) -> tuple[str, ...]:
    """Write what is known of a network of this name into the metadata; what is to be said of it."""
    sizes = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    fields = next((own for pattern, own in _NETWORKS if re.fullmatch(pattern, str(name).lower())), None)
    if fields is None or len(model.graph.input) != 1 or len(sizes) != _AXES or sizes[3] != len(fields["mean"]):
        return ()
    profile = Profile(
        name="keras", layout="NHWC", size=(sizes[1], sizes[2]), resize="stretch", interpolation="nearest",
        **{"std": (1.0,) * 3, **fields},
    )  # fmt: skip
    model.metadata_props.add(key=METADATA_KEY, value=toml_of(profile))
    return (f"preprocessing is that of keras.applications' {short(str(name))}, for the model is called so",)
