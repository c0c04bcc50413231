"""What each output is said to be, by what stands behind it: several producers' forms of each kind."""

from __future__ import annotations

import onnx
import pytest

from onnxray.graph.outputs.facts import OutputFacts
from onnxray.graph.outputs.output_kinds import answered_output, outputs_of
from onnxray.graph.reading import read_graph
from support import models

WEIGHTS = {
    "k": models.random(0, 6, 3, 1, 1), "k1": models.random(1, 1, 3, 1, 1), "k4": models.random(2, 4, 3, 1, 1),
    "w": models.random(3, 6, 5), "w1": models.random(4, 6, 1), "w6": models.random(5, 6, 6), "b": models.random(6, 5),
    "g": models.random(9, 5), "v": abs(models.random(10, 5)),
}  # fmt: skip
HEAD = "g (float[N,3,{side},{side}] x) => ({outputs}) {{ {nodes} }}"
POOLED = "c = Conv (x, k) r = Relu (c) p = GlobalAveragePool (r) f = Flatten (p) "
LINEAR = POOLED + "z = Gemm (f, w, b) "


def graph_of(nodes: str, outputs: str, opset: int = 17, side: int = 8, producer: str = "") -> onnx.ModelProto:
    text = HEAD.format(side=side, outputs=outputs, nodes=nodes)
    used = {name: array for name, array in WEIGHTS.items() if f" {name}" in text or f"({name}" in text}
    model = models.parse(text, used, opset=opset)
    model.producer_name = producer
    return model


def facts(nodes: str, outputs: str, opset: int = 17, side: int = 8) -> dict[str, OutputFacts]:
    return {one.name: one for one in outputs_of(read_graph(graph_of(nodes, outputs, opset, side)))}


ROWS = {
    "softmax": (LINEAR + "y = Softmax (z)", "float[N,5] y", "classes", False),
    "softmax of old opsets": (LINEAR + "y = Softmax <axis = 1> (z)", "float[N,5] y", "classes", False),
    "log-softmax": (LINEAR + "y = LogSoftmax (z)", "float[N,5] y", "classes", False),
    "pictures of one pixel": (
        "c = Conv (x, k) p = GlobalAveragePool (c) y = Softmax <axis = 1> (p)", "float[N,6,1,1] y", "classes", False,
    ),
    "channels last": (
        "c = Conv (x, k) p = GlobalAveragePool (c) t = Transpose <perm = [0, 2, 3, 1]> (p) y = Softmax (t)",
        "float[N,1,1,6] y", "classes", False,
    ),
    "a quantised end": (
        LINEAR + "u = Softmax (z) s = Constant <value_float = 0.004> () o = Constant <value = uint8[1] {0}> () "
        "h = Squeeze (o) q = QuantizeLinear (u, s, h) y = DequantizeLinear (q, s, h)", "float[N,5] y", "classes", False,
    ),
    "one sigmoid": (POOLED + "z = MatMul (f, w1) y = Sigmoid (z)", "float[N,1] y", "binary", False),
    "one sigmoid a sample, no axis": (
        POOLED + "z = MatMul (f, w1) s = Sigmoid (z) y = Squeeze (s)", "float[N] y", "binary", False,
    ),
    "sigmoids": (LINEAR + "y = Sigmoid (z)", "float[N,5] y", "multi-label", False),
    "nothing": (LINEAR + "y = Identity (z)", "float[N,5] y", "logits", True),
    "nothing, with a bias apart": (POOLED + "m = MatMul (f, w) y = Add (m, b)", "float[N,5] y", "logits", True),
    "a convolution and pooling": ("c = Conv (x, k) p = GlobalAveragePool (c) y = Flatten (p)", "float[N,6] y", "logits", True),
    "shares": (
        LINEAR + "e = Exp (z) a = Constant <value_ints = [1]> () n = ReduceSum (e, a) y = Div (e, n)", "float[N,5] y",
        "probabilities", False,
    ),
    "an ensemble": (
        LINEAR + "a = Softmax (z) n = Neg (z) d = Softmax (n) y = Mean (a, d)", "float[N,5] y", "probabilities", False,
    ),
    "a sigmoid and 1 less that": (
        POOLED + "z = MatMul (f, w1) s = Sigmoid (z) i = Constant <value_float = 1.0> () q = Sub (i, s) "
        "y = Concat <axis = 1> (q, s)", "float[N,2] y", "probabilities", False,
    ),
    "numbers from 0 to 1": (POOLED + "z = MatMul (f, w1) y = HardSigmoid (z)", "float[N,1] y", "regression", True),
    "a pooled state": (LINEAR + "pooler_output = Tanh (z)", "float[N,5] pooler_output", "embedding", True),
    "one number": (POOLED + "y = MatMul (f, w1)", "float[N,1] y", "regression", True),
    "one number above zero": (POOLED + "z = MatMul (f, w1) y = Softplus (z)", "float[N,1] y", "regression", True),
    "bounded numbers": (LINEAR + "y = Tanh (z)", "float[N,5] y", "regression", True),
    "numbers called landmarks": (LINEAR + "landmarks = Identity (z)", "float[N,5] landmarks", "regression", True),
    "L2 by LpNormalization": (LINEAR + "y = LpNormalization <axis = 1, p = 2> (z)", "float[N,5] y", "embedding", False),
    "L2 as torch's normalize": (
        LINEAR + "n = ReduceL2 <axes = [1]> (z) e = Constant <value_float = 0.000001> () h = Clip (n, e) "
        "s = Shape (z) x2 = Expand (h, s) y = Div (z, x2)", "float[N,5] y", "embedding", False,
    ),
    "L2 written out": (
        LINEAR + "q = Mul (z, z) a = Constant <value_ints = [1]> () t = ReduceSum (q, a) r2 = Sqrt (t) y = Div (z, r2)",
        "float[N,5] y", "embedding", False,
    ),
    "an embedding by its name": (LINEAR + "embedding = Identity (z)", "float[N,5] embedding", "embedding", True),
    "an embedding by its last normalisation": (
        LINEAR + "y = BatchNormalization (z, g, b, b, v)", "float[N,5] y", "embedding", True,
    ),
    "pooled features": (
        "c = Conv (x, k) r = Relu (c) a = Add (r, c) p = GlobalAveragePool (a) y = Flatten (p)", "float[N,6] y",
        "embedding", True,
    ),
    "a label": (LINEAR + "y = ArgMax <axis = 1, keepdims = 0> (z)", "int64[N] y", "labels", False),
    "anything else": ("f = Flatten (x) y = Sin (f)", "float[N,192] y", "logits", True),
    "pooled pixels": ("p = GlobalAveragePool (x) y = Flatten (p)", "float[N,3] y", "logits", True),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_one_row_a_sample(name: str) -> None:
    nodes, outputs, kind, assumed = ROWS[name]
    (found,) = facts(nodes, outputs, opset=12 if name == "softmax of old opsets" else 17).values()
    assert (found.kind, found.assumed) == (kind, assumed)
    assert found.grounds


PLACES = {
    "softmax at each place": ("c = Conv (x, k) y = Softmax <axis = 1> (c)", "float[N,6,8,8] y", "mask", 1),
    "softmax at each place, channels last": (
        "c = Conv (x, k) t = Transpose <perm = [0, 2, 3, 1]> (c) y = Softmax (t)", "float[N,8,8,6] y", "mask", 3,
    ),
    "a softmax that is moved after": (
        "c = Conv (x, k) s = Softmax <axis = 1> (c) y = Transpose <perm = [0, 2, 3, 1]> (s)", "float[N,8,8,6] y", "mask", 3,
    ),
    "a sigmoid at each place": ("c = Conv (x, k1) y = Sigmoid (c)", "float[N,1,8,8] y", "mask", 1),
    "classes at each place": ("c = Conv (x, k) y = ArgMax <axis = 1, keepdims = 0> (c)", "int64[N,8,8] y", "mask", None),
    "classes at each place, an axis kept": (
        "c = Conv (x, k) y = ArgMax <axis = 1> (c)", "int64[N,1,8,8] y", "mask", None,
    ),
    "enlarged scores": (
        "c = Conv (x, k) s = Constant <value_floats = [1.0, 1.0, 2.0, 2.0]> () y = Resize (c, , s)",
        "float[N,6,16,16] y", "mask", 1,
    ),
    "a map": ("y = Conv (x, k)", "float[N,6,8,8] y", "feature map", 1),
    "a picture": ("c = Conv (x, k) t = Slice (c, a, e, d) y = Sigmoid (t)", "float[N,3,8,8] y", "feature map", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_numbers_at_each_place(name: str) -> None:
    nodes, outputs, kind, axis = PLACES[name]
    if name == "a picture":
        nodes = "".join(f"{n} = Constant <value_ints = [{k}]> () " for n, k in (("a", 0), ("e", 3), ("d", 1))) + nodes
    (found,) = facts(nodes, outputs).values()
    assert (found.kind, found.axis) == (kind, axis)
    assert found.assumed == (name in {"enlarged scores", "a picture"})  # which nothing in the file settles


STEPS = "c = Conv (x, k1) s = Squeeze (c, o) "
ONE = "o = Constant <value_ints = [1]> () "
SEQUENCES = {
    "softmax, samples first": ("z = MatMul (s, w8) y = Softmax (z)", "float[N,8,5] y", 2, 1),
    "log-softmax, steps first": (
        "z = MatMul (s, w8) t = Transpose <perm = [1, 0, 2]> (z) y = LogSoftmax (t)", "float[8,N,5] y", 2, 0,
    ),
    "softmax over the middle": (
        "z = MatMul (s, w8) t = Transpose <perm = [0, 2, 1]> (z) y = Softmax <axis = 1> (t)", "float[N,5,8] y", 1, 2,
    ),
    "nothing": ("y = MatMul (s, w8)", "float[N,8,5] y", 2, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", SEQUENCES)
def test_scores_at_each_step(name: str) -> None:
    nodes, outputs, axis, time = SEQUENCES[name]
    text = HEAD.format(side=8, outputs=outputs, nodes=ONE + STEPS + nodes)
    (found,) = outputs_of(read_graph(models.parse(text, {"k1": WEIGHTS["k1"], "w8": models.random(0, 8, 5)})))
    assert (found.kind, found.axis, found.time, found.assumed) == ("sequence", axis, time, name == "nothing")


def test_a_sequence_behind_a_recurrence_is_no_scores() -> None:
    """What the states hold are features, which nothing reads as classes."""
    text = """g (float[T,N,3] x) => (float[T,N,2] y) {
      a, h = GRU <hidden_size = 2> (x, w, r) o = Constant <value_ints = [1]> () y = Squeeze (a, o) }"""
    graph = read_graph(models.parse(text, {"w": models.random(0, 1, 6, 3), "r": models.random(1, 1, 6, 2)}))
    assert outputs_of(graph)[0].kind == "feature map"


def kinds(nodes: str, outputs: str) -> tuple[str, dict[str, str]]:
    graph = read_graph(graph_of(nodes, outputs))
    return answered_output(graph).name, {one.name: one.kind for one in outputs_of(graph)}


@pytest.mark.parametrize("first", [True, False])
def test_features_beside_logits_are_told_apart(first: bool) -> None:
    """Whatever their order and names: what the last layer reads is no classifier's output."""
    outputs = ["float[N,6] a", "float[N,5] y"]
    nodes = "c = Conv (x, k) p = GlobalAveragePool (c) a = Flatten (p) y = Gemm (a, w, b)"
    assert kinds(nodes, ", ".join(outputs if first else outputs[::-1])) == ("y", {"a": "embedding", "y": "logits"})


@pytest.mark.parametrize("first", [True, False])
def test_logits_beside_their_softmax(first: bool) -> None:
    outputs = ["float[N,5] z", "float[N,5] y"]
    nodes = LINEAR + "y = Softmax (z)"
    assert kinds(nodes, ", ".join(outputs if first else outputs[::-1])) == ("y", {"z": "logits", "y": "classes"})


@pytest.mark.parametrize("first", [True, False])
def test_features_that_are_not_what_the_last_layer_reads(first: bool) -> None:
    """Both are given by a layer, and nothing closes either: the deeper one is the classifier's."""
    outputs = ["float[N,6] a", "float[N,5] y"]
    nodes = "c = Conv (x, k) p = GlobalAveragePool (c) a = Flatten (p) r = Relu (c) q = GlobalAveragePool (r) "
    nodes += "f = Flatten (q) y = Gemm (f, w, b)"
    assert kinds(nodes, ", ".join(outputs if first else outputs[::-1]))[0] == "y"


def test_features_that_are_reshaped_for_the_output_alone() -> None:
    nodes = "c = Conv (x, k) p = GlobalAveragePool (c) a = Flatten (p) s = Squeeze (p, o) y = Gemm (s, w, b)"
    found = kinds("o = Constant <value_ints = [2, 3]> () " + nodes, "float[N,6] a, float[N,5] y")
    assert found == ("y", {"a": "embedding", "y": "logits"})


def test_a_feature_map_beside_logits() -> None:
    nodes = "c = Conv (x, k) p = GlobalAveragePool (c) f = Flatten (p) y = Gemm (f, w, b)"
    assert kinds(nodes, "float[N,6,8,8] c, float[N,5] y") == ("y", {"c": "feature map", "y": "logits"})


def test_numbers_beside_classes_are_none() -> None:
    """MTCNN: a box and landmarks beside face or not."""
    nodes = LINEAR + "box = MatMul (f, w) q = MatMul (f, w) y = Softmax (q)"
    assert kinds(nodes, "float[N,5] z, float[N,5] box, float[N,5] y") == (
        "y", {"z": "regression", "box": "regression", "y": "classes"},
    )  # fmt: skip


def test_what_closes_counts_more_than_the_place() -> None:
    nodes = LINEAR + "s = Sigmoid (z) q = MatMul (f, w) y = Softmax (q)"
    assert kinds(nodes, "float[N,5] s, float[N,5] y")[0] == "y"


CLASSICAL = """<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 3]>
g (float[N,2] x) => ({outputs}) {{ {nodes} }}"""
CLASSIFIER = (
    "label, p = ai.onnx.ml.LinearClassifier <classlabels_ints = [7, 3], coefficients = [1.0, 2.0, 3.0, 4.0], "
    'intercepts = [0.1, 0.2], post_transform = "SOFTMAX"> (x) '
)


@pytest.mark.parametrize(
    ("nodes", "outputs", "expected"),
    [
        (CLASSIFIER, "int64[N] label, float[N,2] p", {"label": "labels", "p": "probabilities"}),
        (
            CLASSIFIER + 'n = ai.onnx.ml.Normalizer <norm = "L1"> (p) '
            "z = ai.onnx.ml.ZipMap <classlabels_int64s = [7, 3]> (n)",
            "int64[N] label, seq(map(int64, float)) z", {"label": "labels", "z": "probabilities"},
        ),
        (
            CLASSIFIER + 'n = ai.onnx.ml.Normalizer <norm = "L1"> (p)', "int64[N] label, float[N,2] n",
            {"label": "labels", "n": "probabilities"},
        ),
        (CLASSIFIER, "int64[N] label", {"label": "labels"}),
        (
            "y = ai.onnx.ml.LinearRegressor <coefficients = [1.0, 2.0], intercepts = [0.1]> (x)", "float[N,1] y",
            {"y": "regression"},
        ),
    ],
)  # fmt: skip
def test_classical_models(nodes: str, outputs: str, expected: dict[str, str]) -> None:
    model = onnx.parser.parse_model(CLASSICAL.format(nodes=nodes, outputs=outputs))
    assert {one.name: one.kind for one in outputs_of(read_graph(model))} == expected
