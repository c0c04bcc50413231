"""Layers of three generations as one: V1 (``layers``, types in capitals) and V0 (``layers { layer {} }``) become V2.

As Caffe's upgrade_proto.cpp: options of V0 move into the message of their type, and a padding layer's pad into the
layer behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from onnxray.errors.short_values import short
from onnxray_adapters.caffe.fields import KINDS, V0_TYPES, V1_TYPES
from onnxray_adapters.caffe.limits import NAME
from onnxray_adapters.caffe.options import Options
from onnxray_adapters.caffe.text_format import Message, Value, Word

_CONVOLUTION: Final = {
    "num_output": "num_output", "biasterm": "bias_term", "pad": "pad", "kernelsize": "kernel_size", "group": "group",
    "stride": "stride",
}  # fmt: skip
_V0: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = MappingProxyType({
    "Convolution": ("convolution_param", _CONVOLUTION),
    "InnerProduct": ("inner_product_param", {"num_output": "num_output", "biasterm": "bias_term"}),
    "Pooling": ("pooling_param", {"pad": "pad", "kernelsize": "kernel_size", "stride": "stride", "pool": "pool"}),
    "Dropout": ("dropout_param", {"dropout_ratio": "dropout_ratio"}),
    "LRN": ("lrn_param", {"local_size": "local_size", "alpha": "alpha", "beta": "beta", "k": "k"}),
    "Concat": ("concat_param", {"concat_dim": "concat_dim"}),
    "Data": ("transform_param", {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size"}),
    "ImageData": ("transform_param", {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size"}),
})  # fmt: skip
"""V2 type -> the field of its options, and V0 option -> its name there."""
_OWN: Final = frozenset(KINDS["LayerParameter"]) | frozenset(KINDS["V1LayerParameter"])


@dataclass(frozen=True, slots=True)
class Plain:
    """A layer as V2 states it. options: what is no message of options. bottoms, tops: names of blobs."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    options: Options
    parameters: Mapping[str, Message]
    line: int


def plain_layers(net: Options) -> list[Plain]:
    """The layers of a net, whichever generation it is written in. Errors: ValueError."""
    new, old = net.message.fields.get("layer", ()), net.message.fields.get("layers", ())
    if new and old:
        raise ValueError("it states both layer and layers, of two generations of Caffe; write one of them")
    kind = "LayerParameter" if new else "V1LayerParameter"
    return _without_padding([_plain(one, kind) for one in new or old if isinstance(one, Message)])


def _plain(message: Message, kind: str) -> Plain:
    own = {name: values for name, values in message.fields.items() if name in _OWN or not name.endswith("_param")}
    options = Options(kind, Message(MappingProxyType(own), message.line))
    parameters: dict[str, Message] = {}
    for name, values in message.fields.items():
        if name in own:
            continue
        if len(values) != 1 or not isinstance(values[0], Message):
            raise ValueError(f"line {message.line}: {short(name[:80])} is no single message of options")
        parameters[name] = values[0]
    name = options.one("name", "")
    if len(name) > NAME:
        raise ValueError(f"line {message.line}: the name of a layer has {len(name)} characters; {NAME} are the most")
    bottoms, tops = options.all("bottom"), options.all("top")
    kind_of = options.one("type", "")
    inner = options.messages("layer") if kind == "V1LayerParameter" else ()
    if inner:
        kind_of = V0_TYPES.get(inner[0].one("type", ""), inner[0].one("type", ""))
        name = inner[0].one("name", name)
        parameters |= _v0_parameters(kind_of, inner[0])
    elif kind == "V1LayerParameter":
        kind_of = V1_TYPES.get(kind_of, kind_of)
    if not kind_of:
        raise ValueError(f"line {message.line}: layer {short(name[:80])} states no type")
    return Plain(name, kind_of, bottoms, tops, options, MappingProxyType(parameters), message.line)


def _v0_parameters(kind: str, stated: Options) -> dict[str, Message]:
    field, names = _V0.get(kind, ("", {}))
    if kind == "Reshape" or any(stated.has(f"new_{one}") for one in ("num", "channels")):
        raise ValueError(f"line {stated.message.line}: layers of the first generation cannot be reshaped")
    fields: dict[str, tuple[Value, ...]] = {
        own: tuple(Word(one) if old == "pool" else one for one in stated.message.fields[old])
        for old, own in names.items() if stated.has(old)
    }  # fmt: skip
    return {field: Message(MappingProxyType(fields), stated.message.line)} if fields else {}


def _without_padding(layers: list[Plain]) -> list[Plain]:
    """A V0 padding layer's pad becomes that of the convolution or pooling that reads it."""
    padded: dict[str, tuple[str, tuple[Value, ...]]] = {}
    found = []
    for layer in layers:
        if layer.type == "Padding":
            inner = layer.options.messages("layer")
            if len(layer.bottoms) != 1 or len(layer.tops) != 1 or not inner:
                raise ValueError(f"line {layer.line}: a padding layer reads one blob and gives one")
            padded[layer.tops[0]] = (layer.bottoms[0], inner[0].message.fields.get("pad", (0,)))
            continue
        taken = [padded[name] for name in layer.bottoms if name in padded]
        for top in layer.tops:
            padded.pop(top, None)
        if not taken:
            found.append(layer)
            continue
        field = {"Convolution": "convolution_param", "Pooling": "pooling_param"}.get(layer.type)
        if field is None or len(layer.bottoms) != 1:
            raise ValueError(f"line {layer.line}: a padding layer stands before a {layer.type} layer")
        before = layer.parameters.get(field, Message(MappingProxyType({}), layer.line))
        message = Message(MappingProxyType({**before.fields, "pad": taken[0][1]}), before.line)
        parameters = MappingProxyType({**layer.parameters, field: message})
        found.append(replace(layer, bottoms=(taken[0][0],), parameters=parameters))
    return found
