"""A net as an ONNX model whose large weights stay where they are, in the caffemodel.

Shapes are followed layer by layer, with the size that the prototxt states, for Caffe's rules depend on them. The number
of samples is left free, unless a layer states it or computes across samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import onnx
import onnx.helper

from onnxray._version import __version__
from onnxray.errors.near_misses import did_you_mean
from onnxray.errors.short_values import short
from onnxray_adapters.caffe.inputs import with_shapes
from onnxray_adapters.caffe.layers.catalogue import KINDS, REFUSED, STOPPED_BEFORE, Kind
from onnxray_adapters.caffe.limits import AXES, ELEMENTS
from onnxray_adapters.caffe.net import Layer, Net, NetInput
from onnxray_adapters.caffe.scope import Array, Blob, FixedBatch, Scope, Writer, shown
from onnxray_adapters.caffe.weights import StoredBlob

OPSET: Final = 17
IR_VERSION: Final = 8
_NAMED: Final = 8

Weights = Mapping[str, tuple[StoredBlob, ...]]


@dataclass(frozen=True, slots=True)
class Conversion:
    """model: its external weights lie in ``scope.LOCATION``. notes: what is to be said of it."""

    model: onnx.ModelProto
    inputs: tuple[NetInput, ...]
    notes: tuple[str, ...]


def convert(
    net: Net, weights: Weights, read: Callable[[StoredBlob], Array], size: tuple[int, int] | None = None
) -> Conversion:
    """The net as an ONNX model. size: height and width in place of those that are stated.

    Errors: ValueError naming the layer, its type and its line.
    """
    net = replace(net, inputs=with_shapes(net, weights, size))
    _check_inputs(net.inputs)
    samples = {one.shape[0] if one.shape else 0 for one in net.inputs}
    left_out = ", ".join(net.left_out[:_NAMED])
    notes = [f"left out, for training and measuring alone: {left_out}"] if left_out else []
    try:
        if len(samples) > 1:
            raise FixedBatch
        writer, outputs, said = _written(net, weights, read, free=True)
    except FixedBatch:
        writer, outputs, said = _written(net, weights, read, free=False)
        notes.append("its layers state the number of samples, or compute across them, so the batch is fixed")
    graph = onnx.helper.make_graph(
        writer.nodes, net.name or "caffe", [_info(_blob_of(one, free=writer.free)) for one in net.inputs],
        [_info(one) for one in outputs], initializer=writer.weights,
    )  # fmt: skip
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
        producer_name="onnxray-caffe", producer_version=__version__,
    )  # fmt: skip
    return Conversion(model, net.inputs, (*notes, *said))


def _check_inputs(inputs: tuple[NetInput, ...]) -> None:
    for one in inputs:
        shape = one.shape or ()
        count = 1
        for size in shape[1:]:
            count *= max(size, 0)
        if not 1 <= len(shape) <= AXES or min(shape) < 1 or count > ELEMENTS:
            raise ValueError(
                f"input {short(one.name[:80])} has the shape {shown(shape)}; sizes from 1 on were expected, and "
                f"{ELEMENTS:,} numbers at most"
            )


def _blob_of(one: NetInput, *, free: bool) -> Blob:
    return Blob(one.name, one.shape or (), free)


def _info(blob: Blob) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(blob.name, onnx.TensorProto.FLOAT, list(blob.onnx_shape))


def _written(
    net: Net, weights: Weights, read: Callable[[StoredBlob], Array], *, free: bool
) -> tuple[Writer, list[Blob], list[str]]:
    """Every layer's nodes, and the outputs. Errors: ValueError; FixedBatch."""
    names = {name for layer in net.layers for name in layer.outputs}
    writer = Writer(free, taken=names | {one.name for one in net.inputs})
    blobs = {one.name: _blob_of(one, free=free) for one in net.inputs}
    outputs, said = dict.fromkeys(net.outputs), []
    stopped: dict[str, str] = {}
    for layer in net.layers:
        if layer.type in STOPPED_BEFORE:
            for name in layer.outputs:
                outputs.pop(name, None)
                stopped[name] = layer.place
            outputs.update(dict.fromkeys(name for name in layer.reads if name in blobs))
            said.append(f"the model ends before {layer.place}: what it reads are outputs")
            continue
        behind = next((stopped[name] for name in layer.reads if name in stopped), None)
        if behind is not None:
            raise ValueError(f"{layer.place}: it stands behind {behind}, which the model ends before")
        kind = _kind_of(layer)
        scope = Scope(layer, tuple(blobs[name] for name in layer.reads), _blobs(layer, kind, weights), writer, read)
        for name, blob in zip(layer.outputs, _computed(scope, kind), strict=True):
            blobs[name] = blob
    inputs = {one.name for one in net.inputs}
    return writer, [blobs[name] for name in outputs if name not in inputs], said


def _computed(scope: Scope, kind: Kind) -> tuple[Blob, ...]:
    try:
        scope.layer.check_parameters({kind.options})
        found = kind.convert(scope)
    except ValueError as error:
        if str(error).startswith("layer "):
            raise
        raise ValueError(f"{scope.layer.place}: {error}") from None
    if len(found) != len(scope.layer.outputs):
        scope.refuse(f"it has {len(scope.layer.outputs)} tops; {len(found)} were expected")
    return found


def _kind_of(layer: Layer) -> Kind:
    kind = KINDS.get(layer.type)
    if kind is None and layer.type in REFUSED:
        raise ValueError(f"{layer.place}: layers of this type are not converted: {REFUSED[layer.type]}")
    if kind is None:
        hint = did_you_mean(layer.type, KINDS) or "docs/caffe.md lists those that are. "
        raise ValueError(f"{layer.place}: layers of this type are not converted; {hint}".strip())
    return kind


def _blobs(layer: Layer, kind: Kind, weights: Weights) -> tuple[StoredBlob, ...]:
    blobs = weights.get(layer.name, ())
    if kind.learned and not blobs and len(layer.reads) == 1:
        hint = did_you_mean(layer.name, weights)
        names = ", ".join(name[:80] for name in list(weights)[:_NAMED]) + (", ..." if len(weights) > _NAMED else "")
        raise ValueError(
            f"{layer.place}: the caffemodel has no weights for a layer of this name; {hint}it has some for "
            f"{names or 'none'}; do the two files belong together?"
        )
    return blobs if kind.learned else ()
