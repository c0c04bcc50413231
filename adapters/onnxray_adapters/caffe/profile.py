"""The profile of a Caffe net: transform_param and the mean as ``input = (scale * pixels - mean) / std``.

Caffe: (pixels[B, G, R] - mean) * scale, the centre of crop_size cut out of pictures and mean image alike
here:   scale * pixels - scale * mean
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from onnxray.errors import ProfileError
from onnxray.images.profile.mean_image import MeanImage
from onnxray.images.profile.profile import Profile
from onnxray_adapters.caffe.net import NetInput
from onnxray_adapters.caffe.options import Options
from onnxray_adapters.caffe.scope import Array, shown

_FIELDS: Final = ("transform_param", "data_param", "image_data_param")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What a prototxt states of it. mean_file: the name of one that it states, which lay with who trained the net."""

    scale: float = 1.0
    means: tuple[float, ...] = ()
    mean_file: str | None = None
    stated: bool = False


def stated_by(inputs: tuple[NetInput, ...]) -> Preprocessing:
    """What the layer of the one input of pictures states. Errors: ValueError."""
    layer = inputs[0].layer if len(inputs) == 1 else None
    if layer is None:
        return Preprocessing()
    for field in _FIELDS:
        if field not in layer.parameters:
            continue
        options = layer.options(field)
        means = _means(options) if field == "transform_param" else ()
        found = Preprocessing(float(options.one("scale", 1.0)), means, options.one("mean_file"))
        if found != Preprocessing():
            return Preprocessing(found.scale, found.means, found.mean_file, stated=True)
    return Preprocessing()


def _means(options: Options) -> tuple[float, ...]:
    found = options.all("mean_value")
    if found and options.has("mean_file"):
        raise ValueError("transform_param has both mean_value and mean_file")
    return found


def profile_of(inputs: tuple[NetInput, ...], stated: Preprocessing, mean: Array | None, path: str) -> Profile | None:
    """The profile; None where nothing is stated, a mean file is that is not given, or the input takes no pictures.

    mean: (channels, height, width), blue first, as a binaryproto holds it; it counts in place of what is stated.
    path: of the file that a mean image is written to. Errors: ValueError; ProfileError.
    """
    shape = inputs[0].shape if len(inputs) == 1 else None
    unknown = not stated.stated or stated.mean_file is not None
    if shape is None or len(shape) != 4 or shape[1] not in (1, 3) or (mean is None and unknown):
        if mean is not None:
            raise ValueError("a mean is for a net of one input of pictures, of 1 or 3 channels")
        return None
    channels, size = shape[1], (shape[2], shape[3])
    means = stated.means or (0.0,)
    if len(means) not in (1, channels):
        raise ValueError(f"transform_param states {len(means)} mean_value for {channels} channels")
    spread: Any = tuple(float(one) * stated.scale for one in (means * channels if len(means) == 1 else means))
    geometry: dict[str, Any] = {"resize": "crop", "crop_offset": "floor"}
    if mean is not None:
        spread = _mean(mean, channels, size, stated.scale, path)
        if mean.shape[1:] != (1, 1):
            geometry = {"resize": "stretch", "crop_offset": "floor", "resized": (mean.shape[1], mean.shape[2])}
    elif channels == 1:
        geometry = {"resize": "stretch"}
    return Profile(
        name="caffe", layout="NCHW", channels="GREY" if channels == 1 else "BGR", scale=stated.scale, mean=spread,
        std=(1.0,) * channels, size=size, **geometry,
    )  # fmt: skip


def _mean(mean: Array, channels: int, size: tuple[int, int], scale: float, path: str) -> MeanImage | tuple[float, ...]:
    """The centre of a mean image, as Caffe cuts it; one number a channel where it is of one pixel."""
    if mean.ndim != 3 or mean.shape[0] != channels or not np.isfinite(mean).all():
        raise ValueError(f"the mean is {shown(mean.shape)}; {channels} channels of finite numbers were expected")
    if mean.shape[1:] == (1, 1):
        return tuple(float(one) * scale for one in mean.reshape(-1))
    if mean.shape[1] < size[0] or mean.shape[2] < size[1]:
        raise ValueError(f"the mean is {shown(mean.shape)}, smaller than the input, {channels}x{shown(size)}")
    top, left = (mean.shape[1] - size[0]) // 2, (mean.shape[2] - size[1]) // 2
    centre = mean[:, top : top + size[0], left : left + size[1]] * np.float32(scale)
    try:
        return MeanImage(centre, path)
    except ProfileError as error:
        raise ValueError(str(error)) from None
