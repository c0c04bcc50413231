"""The file with a probe in it: the graph up to a layer, the probe as its end, and a profile with the probe's classes.

    ... -> layer -> [Cast] -> [Slice -> ReduceMean or ReduceMax] -> Flatten -> Gemm -> Softmax -> probe

What comes before the layer is the file's own, names included, and nothing that is not needed for it is left. The
profile stands in the metadata, which is the file's own otherwise; so ``classify`` opens it and says the probe's
classes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from onnxray.errors import InputError
from onnxray.graph.facts import Graph
from onnxray.images.profile.discovery import METADATA_KEY
from onnxray.images.profile.mean_image import MeanImage
from onnxray.images.profile.toml_form import toml_of
from onnxray.methods.features.parts.pooling import Pool, grid_of
from onnxray.model.layers.grid import Grid
from onnxray.model.model import Model

PROBE_KEY: Final = "onnxray.probe"
_OF_OLD_CLASSES: Final = frozenset({METADATA_KEY, PROBE_KEY, "labels", "names", "character"})
_AXES_AS_INPUT: Final = 18
_ENDS_AS_INPUT: Final = 10
_BROADCAST: Final = 7
_FILE_ORDER: Final = 4
"""The version of ONNX's own format from which weights need not be inputs as well."""


def probe_model(
    model: Model, layer: str, pool: Pool, weights: NDArray[Any], bias: NDArray[Any], classes: Sequence[str],
    facts: Mapping[str, Any],
) -> bytes:  # fmt: skip
    """The file's bytes. weights: (classes, numbers) of the pooled, flattened layer; facts: stand in the metadata.

    Errors: InputError where it is larger than such a file can be, or the profile's mean is a picture; ModelFileError.
    """
    graph, profile = model.graph, model.profile
    assert profile is not None
    if isinstance(profile.mean, MeanImage):
        raise InputError(
            f"the profile {profile.name!r} subtracts a mean picture, which a file cannot hold in its metadata; "
            "state a mean of one number a channel (--mean)"
        )
    cut = graph.cut([layer])
    _hold_weights(cut, graph)
    _end(cut, graph, layer, grid_of(model, layer) if pool != "none" else None, pool, weights, bias)
    own = replace(
        profile, name=f"{profile.name} with a probe", labels=tuple(classes), logits=None, features=None, head=None
    )
    kept = [(entry.key, entry.value) for entry in cut.metadata_props if entry.key not in _OF_OLD_CLASSES]
    cut.ClearField("metadata_props")
    stated = {METADATA_KEY: toml_of(own), PROBE_KEY: json.dumps({"layer": layer, "pool": pool, **facts})}
    for key, value in (*kept, *stated.items()):
        cut.metadata_props.add(key=key, value=value)
    cut.ir_version = max(cut.ir_version, _FILE_ORDER)
    try:
        return bytes(cut.SerializeToString())
    except ValueError:
        raise InputError("the file with the probe is larger than 2 GiB, and is not written") from None


def _hold_weights(cut: onnx.ModelProto, graph: Graph) -> None:
    """Take weights that lie in other files into this one."""
    for tensor in cut.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            array = graph.container.read(tensor)
            tensor.ClearField("external_data")
            tensor.data_location = onnx.TensorProto.DEFAULT
            tensor.raw_data = numpy_helper.from_array(array).raw_data


def _end(
    cut: onnx.ModelProto, graph: Graph, layer: str, grid: Grid | None, pool: Pool, weights: NDArray[Any],
    bias: NDArray[Any],
) -> None:  # fmt: skip
    """The probe behind the layer, as the only output."""
    names = _Names(cut)
    opset = graph.opsets.get("ai.onnx", 1)
    ending: list[onnx.NodeProto] = []

    def add(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        name = names.new(output)
        ending.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def hold(array: NDArray[Any], name: str) -> str:
        held = names.new(name)
        cut.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), held))
        return held

    value = layer
    if graph.values[layer].dtype != "float32":
        value = add("Cast", [value], "probe_numbers", to=onnx.TensorProto.FLOAT)
    if grid is not None:
        axes = sorted({grid.rows, grid.columns})
        if grid.rows == grid.columns and grid.before + grid.after:
            bounds = grid.before, grid.before + grid.height * grid.width
            if opset >= _ENDS_AS_INPUT:
                ends = [
                    hold(np.array([end], np.int64), f"probe_{which}") for end, which in zip(bounds, ("first", "last"))
                ]
                value = add("Slice", [value, *ends, hold(np.array(axes, np.int64), "probe_axis")], "probe_tokens")
            else:
                value = add("Slice", [value], "probe_tokens", starts=[bounds[0]], ends=[bounds[1]], axes=axes)
        operator = "ReduceMean" if pool == "mean" else "ReduceMax"
        if opset >= _AXES_AS_INPUT:
            value = add(operator, [value, hold(np.array(axes, np.int64), "probe_axes")], "probe_pooled", keepdims=0)
        else:
            value = add(operator, [value], "probe_pooled", keepdims=0, axes=axes)
    value = add("Flatten", [value], "probe_codes", axis=1)
    old = {"broadcast": 1} if opset < _BROADCAST else {}
    held = hold(weights.T.astype(np.float32), "probe_weights"), hold(bias.astype(np.float32), "probe_bias")
    scores = add("Gemm", [value, *held], "probe_scores", **old)
    last = add("Softmax", [scores], "probe", axis=1)
    cut.graph.node.extend(ending)
    cut.graph.ClearField("output")
    first = cut.graph.input[0].type.tensor_type.shape.dim if cut.graph.input else ()
    batch: Any = "N" if not first else first[0].dim_param or (first[0].dim_value or "N")
    cut.graph.output.append(helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, [batch, len(weights)]))


class _Names:
    """Names that the graph has not."""

    def __init__(self, cut: onnx.ModelProto) -> None:
        graph = cut.graph
        self._taken = {one.name for part in (graph.input, graph.initializer) for one in part}
        self._taken |= {name for node in graph.node for name in (*node.input, *node.output, node.name)}

    def new(self, name: str) -> str:
        found, number = name, 2
        while found in self._taken:
            found, number = f"{name}_{number}", number + 1
        self._taken.add(found)
        return found
