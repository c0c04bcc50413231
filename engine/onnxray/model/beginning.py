"""A model that begins at an inner value: the value is its input, and what else its outputs need lies beside it.

    f(x) = g(h(x), k(x)):   g as a model of its own, fed with h = the value and k = what goes round it

What is asked of it (gradients, occlusion, integrals) is asked with respect to the value; names are those of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import onnx
import onnx.numpy_helper

from onnxray.arrays import Arrays
from onnxray.errors import NotDifferentiable
from onnxray.graph.dequantised import whole_numbers_of
from onnxray.graph.facts import Graph
from onnxray.graph.outputs.stated import StatedOutput
from onnxray.graph.reading import read_graph
from onnxray.images.pixels import Pixels
from onnxray.model.inputs.samples import beside
from onnxray.model.model import Model

_FOR_ALL = ("count", "still")
"""Where the samples lie in a value that has none: a shape that counts them, or what they do not reach."""
_ONE = slice(0, 1)


def beginning_at(model: Model, value: str, names: Sequence[str], pixels: Pixels) -> tuple[Model, Pixels]:
    """The model from ``value`` on, and samples of the value for these images, by ONNX Runtime.

    Its outputs are those of the file and ``names`` as far as they depend on the value.
    Errors: UnknownValue; NotDifferentiable where none of ``names`` depends on it, or the file goes on with the whole
    numbers that it stands for.
    """
    graph = model.graph
    reached = computed_from(graph, [value])
    whole = whole_numbers_of(graph, value)
    if whole is not None:
        raise NotDifferentiable(
            f"{value!r} stands beside {whole!r}, the whole numbers that the file goes on with, so no network begins at "
            f"it; class activation maps look at it as a layer: --layer {value}"
        )
    if not reached.intersection(names):
        raise NotDifferentiable(
            f"{', '.join(map(repr, names))} does not depend on {value!r}, so nothing of it explains the target"
        )
    outputs = [*(output.name for output in graph.outputs), *names]
    wanted = [name for name in dict.fromkeys(outputs) if name in reached]
    given = (value, *graph.beside(value, wanted))
    held = [name for name in given[1:] if model.mixing.places.get(name, "still") in _FOR_ALL]
    counted = any(model.mixing.places.get(name) == "count" for name in held)
    arrays = model.judge.values(model.feeds(pixels), [name for name in given if name not in held])
    alike = model.judge.values(model.feeds(pixels.rows(_ONE)), held) if held else {}
    stated = _answered(model) if model.head.name in wanted else StatedOutput()
    cut = _cut(graph, wanted, arrays, alike, counted=counted)
    inner = Model(
        read_graph(cut.SerializeToString()), None, model.device, approximate=model.approximate,
        output=replace(stated, labels=model.answering.labels),
    )  # fmt: skip
    return inner, samples_at(model, inner, value, arrays, pixels)


def _answered(model: Model) -> StatedOutput:
    """What the whole model is answered with: from a value on it may look like something else."""
    stated = model.answering.stated
    threshold = None if stated is None else stated.threshold
    return StatedOutput(output=model.head.name, kind=model.head.kind, threshold=threshold)


def samples_at(model: Model, inner: Model, value: str, arrays: Arrays, pixels: Pixels) -> Pixels:
    """Samples of a value as the model that begins at it takes them, named and labelled as the images are."""
    tokens = any(one.gathered == value for one in model.inputs.each)
    found = beside(inner.inputs, arrays, value, names=pixels.names, words=pixels.words if tokens else ())
    return found.of_kind("token ids") if tokens else found


def computed_from(graph: Graph, names: Iterable[str]) -> set[str]:
    """What depends on one of some values, but for themselves."""
    given = frozenset(names)
    found = set(given)
    for node in graph.nodes:
        if found.intersection(node.reads):
            found.update(name for name in node.outputs if name)
    return found - given


def _cut(graph: Graph, names: Sequence[str], arrays: Arrays, alike: Arrays, *, counted: bool) -> onnx.ModelProto:
    """The file from the values ``arrays`` on; the batch is free where the file leaves it free.

    alike: what is one for all samples, such as a shape, which becomes a weight. counted: there are such that count the
    samples; they are those of one, which is then the batch.
    """
    cut = graph.cut(names, given=(*arrays, *alike))
    for tensor in cut.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:  # in the user's file, which the copy is not
            tensor.CopyFrom(onnx.numpy_helper.from_array(graph.weight(tensor.name), tensor.name))
    cut.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in alike.items())
    inputs = [info for info in cut.graph.input if info.name not in alike]
    cut.graph.ClearField("input")
    cut.graph.input.extend(inputs)
    first = next((value.shape[0] for value in graph.inputs if value.shape), None)
    for info in cut.graph.input:
        if info.name not in arrays:
            continue
        info.type.tensor_type.ClearField("shape")
        shape = info.type.tensor_type.shape
        for axis, size in enumerate(arrays[info.name].shape):
            free = axis == 0 and not isinstance(first, int)
            if free and not counted:
                shape.dim.add(dim_param=first or "N")
            else:
                shape.dim.add(dim_value=1 if free else size)
    return cut
