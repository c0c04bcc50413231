"""The shapes of a net's inputs: as they are stated, by --size, or of a data layer as far as that tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onnxray.errors.short_values import short
from onnxray_adapters.caffe.net import Net, NetInput
from onnxray_adapters.caffe.weights import StoredBlob

_PICTURE = 4


def with_shapes(
    net: Net, weights: Mapping[str, tuple[StoredBlob, ...]], size: tuple[int, int] | None
) -> tuple[NetInput, ...]:
    """The inputs with their shapes. size: of the one input that takes pictures. Errors: ValueError."""
    found = [one if one.shape is not None else _of_data(one, net, weights, size) for one in net.inputs]
    if size is None:
        return tuple(found)
    pictures = [one for one in found if one.shape is not None and len(one.shape) == _PICTURE]
    if len(pictures) != 1:
        raise ValueError(f"--size is for a net of one input of pictures; this one has {len(pictures)}")
    chosen = pictures[0]
    assert chosen.shape is not None
    sized = replace(chosen, shape=(*chosen.shape[:2], *size))
    return tuple(sized if one is chosen else one for one in found)


def _of_data(
    one: NetInput, net: Net, weights: Mapping[str, tuple[StoredBlob, ...]], size: tuple[int, int] | None
) -> NetInput:
    """An input that a data layer fed: its size by what the layer cuts out, its channels by the first convolution."""
    stated = sides(one) or size
    channels = _channels(one, net, weights)
    if stated is None or channels is None:
        what = "the size" if stated is None else "the number of channels"
        kind = "input" if one.layer is None else one.layer.type
        raise ValueError(
            f"its input {short(one.name[:80])} comes from a {kind} layer that does not tell {what}, as in a prototxt "
            "for training; give the deploy prototxt, or state it: onnxray convert --size 224x224"
        )
    return replace(one, shape=(1, channels, *(size or stated)))


def sides(one: NetInput) -> tuple[int, int] | None:
    """Height and width that a data layer states. Errors: ValueError."""
    layer = one.layer
    if layer is None:
        return None
    for field in ("transform_param", "data_param", "image_data_param"):
        crop = layer.options(field).one("crop_size", 0) if field in layer.parameters else 0
        if crop:
            return crop, crop
    if "memory_data_param" in layer.parameters:
        memory = layer.options("memory_data_param")
        return memory.one("height", 0), memory.one("width", 0)
    if "image_data_param" in layer.parameters:
        image = layer.options("image_data_param")
        if image.one("new_height", 0) and image.one("new_width", 0):
            return image.one("new_height"), image.one("new_width")
    return None


def _channels(one: NetInput, net: Net, weights: Mapping[str, tuple[StoredBlob, ...]]) -> int | None:
    if one.layer is not None and "memory_data_param" in one.layer.parameters:
        return int(one.layer.options("memory_data_param").one("channels", 0))
    for layer in net.layers:
        blobs = weights.get(layer.name, ())
        if layer.type == "Convolution" and one.name in layer.reads and blobs and len(blobs[0].shape) == _PICTURE:
            return blobs[0].shape[1] * int(layer.options("convolution_param").one("group", 1))
    return None
