"""Sequences: scores of classes at each of several steps, samples first or steps first."""

from __future__ import annotations

from onnxray.graph.facts import Dim, Graph
from onnxray.graph.outputs.facts import OutputFacts, holds_floats, several
from onnxray.graph.outputs.origins import SIGMOIDS, SOFTMAXES, layer_behind, moved_origin_of, softmax_axis
from onnxray.graph.samples.mixing import places
from onnxray.graph.samples.places import Apart

_RECURRENT = frozenset({"LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"})
_NORMALISING = frozenset({"LayerNormalization", "SkipLayerNormalization", "SimplifiedLayerNormalization"})


def sequence_of(graph: Graph, name: str, shape: tuple[Dim, ...] | None) -> OutputFacts | None:
    """What an output (N, T, K), (T, N, K) or (N, K, T) is: a sequence of scores, or of features; None of others."""
    if shape is None or len(shape) != 3 or not holds_floats(graph, name):
        return None
    if sum(map(several, shape[1:])) < 2 and shape[1] == 1 and not several(shape[0]):
        return None
    node = moved_origin_of(graph, name)
    operator = "" if node is None else node.operator
    time = 0 if _samples_axis(graph, name, shape) == 1 else 1
    steps = "steps first, samples second" if time == 0 else "samples first"
    if node is not None and operator in SOFTMAXES:
        axis, _ = softmax_axis(graph, node)
        axis = axis % 3
        if axis == 1 and time == 1:
            time = 2
        said = f"a {operator} over axis {axis} closes it, at each step; {steps}"
        return OutputFacts(name=name, kind="sequence", grounds=said, axis=axis, time=time)
    if operator in SIGMOIDS:
        said = f"a {operator} closes it, at each step; {steps}"
        return OutputFacts(name=name, kind="sequence", grounds=said, axis=2, time=time)
    if operator in _RECURRENT | _NORMALISING:
        said = f"{shape[2] or 'some'} numbers a step, as {operator} gives them"
        return OutputFacts(name=name, kind="feature map", grounds=said, axis=2, time=time)
    layer = layer_behind(graph, name)
    if layer is not None and several(shape[2]):
        said = f"{shape[2] or 'some'} numbers a step by a {layer[0].operator}, and nothing closes them; {steps}"
        return OutputFacts(name=name, kind="sequence", grounds=said, assumed=True, axis=2, time=time)
    return None


def _samples_axis(graph: Graph, name: str, shape: tuple[Dim, ...]) -> int:
    """Where the samples lie: as the graph moves them; else where the input's own batch stands."""
    place = graph.once(places).get(name)
    if isinstance(place, Apart):
        return place.axis
    batch = {value.shape[0] for value in graph.inputs if value.shape and value.shape[0] is not None}
    return 1 if shape[0] not in batch and shape[1] in batch else 0
