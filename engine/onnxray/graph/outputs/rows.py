"""One row of numbers a sample: classes that a softmax or sigmoid closes, logits, an embedding, a regression."""

from __future__ import annotations

from onnxray.graph.facts import Dim, Graph, Node
from onnxray.graph.operator_kinds import LAYER_OPERANDS
from onnxray.graph.outputs.facts import OutputFacts, OutputKind, width_of, words
from onnxray.graph.outputs.origins import SIGMOIDS, SOFTMAXES, layer_behind, nodes_before, origin_of

_WORDS_OF_EMBEDDINGS = frozenset({
    "embedding", "embeddings", "embed", "embeds", "emb", "feature", "features", "feat", "feats", "representation",
    "descriptor", "descriptors", "pooler", "latent", "encoding", "xvector", "dvector",
})  # fmt: skip
_WORDS_OF_CLASSES = frozenset({
    "logit", "logits", "class", "classes", "prob", "probs", "probability", "probabilities", "softmax", "cls", "label",
    "labels", "prediction", "predictions",
})  # fmt: skip
_WORDS_OF_NUMBERS = frozenset({
    "landmark", "landmarks", "keypoint", "keypoints", "pose", "angle", "angles", "age", "box", "boxes", "bbox",
    "offset", "offsets", "coord", "coords", "coordinates", "reg", "regression", "velocity", "steering",
    "price", "value", "variable", "temperature", "depth",
})  # fmt: skip
_BOUNDING = frozenset({"Tanh", "Softplus", "HardSigmoid"})
_ROOT = frozenset({"Sqrt", "ReduceSum", "Clip", "Max", "Add", "Expand", "Unsqueeze", "Reshape"})
"""What may stand between a value and its length, beside the square."""
_STEPS_OF_A_NORM = 8
_NORMALISING = frozenset(
    {"BatchNormalization", "LayerNormalization", "InstanceNormalization", "SkipLayerNormalization"}
)
_POOLING = frozenset({"GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "AveragePool", "ReduceMax"})
_AVERAGING = frozenset({"Add", "Sum", "Mean", "Mul", "Div", "Max", "ReduceMean", "Concat", "Unsqueeze", "Squeeze"})
_FARTHEST = 60


def row_of(graph: Graph, name: str, shape: tuple[Dim, ...] | None) -> OutputFacts | None:
    """What an output of one row a sample is; None of others, and where nothing tells."""
    width = width_of(shape)
    if width == "no row":
        return None
    node = origin_of(graph, name)
    operator = "" if node is None else node.operator
    if operator in SOFTMAXES and width != 1:
        return _facts(name, "classes", f"a {operator} closes it")
    if operator in SIGMOIDS:
        if width == 1:
            return _facts(name, "binary", f"one number, and a {operator} closes it")
        return _facts(name, "multi-label", f"a {operator} closes it, each number by itself", assumed=width is None)
    if operator == "LpNormalization" or (node is not None and operator == "Div" and _is_norm(graph, node)):
        return _facts(name, "embedding", "its length is made 1 (L2)")
    if node is not None and operator == "Concat" and width in (2, None) and _are_both(graph, node):
        return _facts(name, "probabilities", "what a Sigmoid gives, beside 1 less that")
    if _are_shares(graph, name):
        return _facts(name, "probabilities", "shares of a sum, or means of what a Softmax gives")
    return _bare(graph, name, width, operator)


def _bare(graph: Graph, name: str, width: Dim, operator: str) -> OutputFacts | None:
    """What nothing closes."""
    said = words(name)
    many = "some numbers" if width is None else "one number" if width == 1 else f"{width} numbers"
    if operator in _BOUNDING and not (said & _WORDS_OF_EMBEDDINGS and width != 1):
        return _facts(name, "regression", f"{many}, bounded by {operator}", assumed=True)
    if width == 1:
        doubt = not said & _WORDS_OF_NUMBERS
        also = ", or the logit of a binary classifier" if doubt else f", called {name!r}"
        return _facts(name, "regression", f"one number, and nothing closes it{also}", assumed=True)
    if said & _WORDS_OF_EMBEDDINGS:
        return _facts(name, "embedding", f"{many} that nothing closes, called {name!r}", assumed=True)
    if said & _WORDS_OF_NUMBERS:
        return _facts(name, "regression", f"{many} that nothing closes, called {name!r}", assumed=True)
    layer = layer_behind(graph, name)
    named = bool(said & _WORDS_OF_CLASSES)
    layers = any(node.operator in LAYER_OPERANDS for node in nodes_before(graph, name))
    if operator in _NORMALISING and layers and not named:
        return _facts(name, "embedding", f"{many}, and a {operator} ends it", assumed=True)
    if operator in _POOLING and layer is not None and "BatchNormalization" in layer[1] and not named:
        return _facts(name, "embedding", f"{many}, pooled from a layer's, and no layer after it", assumed=True)
    if layer is not None:
        return _facts(name, "logits", f"{many} by a {layer[0].operator}, and nothing closes them", assumed=True)
    if operator in _POOLING and layers:
        return _facts(name, "embedding", f"{many} by {operator}, and no layer after it", assumed=True)
    if not named and len(graph.outputs) > 1:
        return None
    told = f"called {name!r}" if named else "and no layer tells what they are"
    return _facts(name, "logits", f"{many} that nothing closes, {told}", assumed=True)


def _facts(name: str, kind: OutputKind, grounds: str, *, assumed: bool = False) -> OutputFacts:
    return OutputFacts(name=name, kind=kind, grounds=grounds, assumed=assumed)


def _is_norm(graph: Graph, node: Node) -> bool:
    """Whether a value is divided by its own length: x / sqrt(sum x^2), with a floor or not."""
    value, name = node.inputs[0], node.inputs[-1]
    for _ in range(_STEPS_OF_A_NORM):
        step = graph.producer_of.get(name)
        if step is None or not step.inputs:
            return False
        if step.operator in {"ReduceL2", "ReduceSumSquare", "Pow"}:
            return step.inputs[0] == value
        if step.operator == "Mul":
            return set(step.inputs) == {value}
        if step.operator not in _ROOT:
            return False
        name = step.inputs[0]
    return False


def _are_both(graph: Graph, node: Node) -> bool:
    """Whether 1 - p and p of one sigmoid are joined."""
    if len(node.inputs) != 2:
        return False
    first, second = (origin_of(graph, part) for part in node.inputs)
    if first is None or second is None or {first.operator, second.operator} & SIGMOIDS == set():
        return False
    rest, own = (first, node.inputs[1]) if second.operator in SIGMOIDS else (second, node.inputs[0])
    return rest.operator == "Sub" and origin_of(graph, rest.inputs[1]) == origin_of(graph, own)


def _are_shares(graph: Graph, name: str) -> bool:
    """Whether numbers are x / sum x, or means of nothing but what softmaxes give."""
    node = origin_of(graph, name)
    if node is not None and node.operator == "Div" and len(node.inputs) == 2:
        total = graph.producer_of.get(node.inputs[1])
        if total is not None and total.operator == "ReduceSum" and total.inputs[0] == node.inputs[0]:
            return True
    pending, closed = [name], False
    for _ in range(_FARTHEST):
        if not pending:
            return closed
        node = origin_of(graph, pending.pop())
        if node is None:
            return False
        if node.operator in {"Softmax", "QLinearSoftmax"}:
            closed = True
        elif node.operator in _AVERAGING:
            pending += [one for one in node.inputs if one in graph.depends_on_input]
        else:
            return False
    return False
