"""What the parts of a graph are to a classifier."""

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.graph.classifier.output import aliases_of, closing_of, features_of, logits_of, verdict_output
from onnxray.graph.reading import read_graph
from onnxray.graph.weight_layers import weight_layers
from support import models

WEIGHTS = {"w": models.random(0, 4, 3), "b": models.random(1, 3)}


@pytest.mark.parametrize(
    ("ends", "logits", "closes"),
    [
        ("y = Identity (z)", "y", False),
        ("y = Relu (z)", "y", False),
        ("y = Softmax (z)", "z", True),
        ("y = LogSoftmax (z)", "z", True),
        ("p = Softmax (z) y = Identity (p)", "z", True),
        ("s = Constant <value = int64[2] {0, 3}> () p = Softmax (z) y = Reshape (p, s)", "z", True),
        ("p = Softmax (z) f = Flatten (p) y = Cast <to = 1> (f)", "z", True),
        ("p = Softmax (z) y = Sigmoid (p)", "p", False),
        ("y = Sigmoid (z)", "z", False),
        ("p = Sigmoid (z) y = Identity (p)", "z", False),
        ("f = Flatten (z) y = Softmax (f)", "f", True),
    ],
)
def test_logits(ends: str, logits: str, closes: bool) -> None:
    graph = read_graph(
        models.parse(f"g (float[N,4] x) => (float[N,3] y) {{ z = Gemm (x, w, b) {ends} }}", WEIGHTS, opset=13)
    )
    assert logits_of(graph) == logits
    assert (closing_of(graph).kind in {"softmax", "log-softmax"}) == closes
    assert verdict_output(graph) == "y"


def test_an_inner_softmax_closes_nothing() -> None:
    graph = read_graph(
        models.parse(
            "g (float[N,4] x) => (float[N,3] y) { a = Softmax (x) m = Mul (a, x) y = Gemm (m, w, b) }", WEIGHTS
        )
    )
    assert logits_of(graph) == "y"


def test_of_several_outputs_the_one_that_a_softmax_closes() -> None:
    graph = read_graph(
        models.parse(
            "g (float[N,4] x) => (float[N,4] boxes, float[N,3] p, float[N,4] more) "
            "{ boxes = Relu (x) z = Gemm (x, w, b) p = Softmax (z) more = Neg (x) }",
            WEIGHTS,
        )
    )
    assert logits_of(graph) == "z"
    assert verdict_output(graph) == "p"


def test_of_several_outputs_without_softmax_the_first() -> None:
    graph = read_graph(
        models.parse("g (float[N,4] x) => (float[N,4] u, float[N,4] v) { v = Relu (x) u = Neg (x) }", WEIGHTS)
    )
    assert logits_of(graph) == verdict_output(graph) == "u"


def test_features_and_last_convolution() -> None:
    graph = read_graph(models.lenet())
    assert (features_of(graph), aliases_of(graph)["last-conv"]) == ("ip1", "conv2")


def test_features_of_a_fully_convolutional_net() -> None:
    graph = read_graph(
        models.parse(
            "g (float[N,2,4,4] x) => (float[N,3,1,1] y) { h = Relu (x) c = Conv (h, k) y = GlobalAveragePool (c) }",
            {"k": models.random(0, 3, 2, 1, 1)},
        )
    )
    assert features_of(graph) == "h"


def test_a_graph_without_weights_has_neither() -> None:
    graph = read_graph(models.parse("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }"))
    assert features_of(graph) is None
    assert set(aliases_of(graph)) == {"logits"}
    assert weight_layers(graph) == ()


def test_a_product_of_two_moving_values_is_no_weight_layer() -> None:
    graph = read_graph(
        models.parse(
            "g (float[4,4] x) => (float[4,3] y) { t = Transpose (x) a = MatMul (x, t) y = MatMul (a, w) }", WEIGHTS
        )
    )
    assert weight_layers(graph) == ("y",)
    assert features_of(graph) == "a"


def test_weight_layers_take_their_biases_along() -> None:
    """A bias in an Add of its own belongs to the layer; an Add of two moving values (a residual) does not."""
    graph = read_graph(
        models.parse(
            """g (float[N,4] x) => (float[N,3] y) {
              m1 = MatMul (x, square)
              a1 = Add (bias4, m1)
              r1 = Relu (a1)
              m2 = MatMul (r1, square)
              sum = Add (m2, x)
              y = Gemm (sum, w, b)
            }""",
            {**WEIGHTS, "square": models.random(2, 4, 4), "bias4": models.random(3, 4)},
        )
    )
    assert weight_layers(graph) == ("a1", "m2", "y")


def test_weights_may_come_from_constants_and_shape_changes() -> None:
    """CNTK reshapes its weights in the graph; Paddle keeps them in Constant nodes."""
    graph = read_graph(
        models.parse(
            """g (float[N,4] x) => (float[N,3] y) {
              shape = Constant <value = int64[2] {4, 3}> ()
              w2 = Reshape (flat, shape)
              m = MatMul (x, w2)
              c = Constant <value_floats = [1.0, 2.0, 3.0]> ()
              y = Add (m, c)
            }""",
            {"flat": models.random(0, 12)},
        )
    )
    assert weight_layers(graph) == ("y",)
    assert features_of(graph) == "x"


@pytest.mark.parametrize(
    ("before", "logits"),
    [("q = QuantizeLinear (z, s, o)", "z"), ("a = QuantizeLinear (z, s, o) q = Identity (a)", "q_dequantized")],
)
def test_a_quantised_softmax_closes(before: str, logits: str) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]> g (float[N,4] x) => (float[N,3] y) '
        "<float s = {0.05}, uint8 o = {128}, float t = {0.00390625}, uint8 n = {0}> "
        f"{{ z = Gemm (x, w, b) {before} p = com.microsoft.QLinearSoftmax <axis = 1, opset = 13> (q, s, o, t, n) "
        "y = DequantizeLinear (p, t, n) }"
    )
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in WEIGHTS.items())
    graph = read_graph(model)
    assert (logits_of(graph), verdict_output(graph)) == (logits, "y")
    x = models.random(2, 5, 4)
    found = onnxray.open(model).predict(x, scores=True)
    (given,) = models.run(model, {"x": x}, ["y"])
    np.testing.assert_array_equal(found.probabilities, given)
    if logits == "z":
        np.testing.assert_allclose(found.scores, x @ WEIGHTS["w"] + WEIGHTS["b"], rtol=1e-5)


def classical(
    nodes: str, label: str = "int64[N] label", scores: str = "float[N,3] p", opset: int = 1
) -> onnx.ModelProto:
    """A linear classifier as scikit-learn's converter writes it, label first."""
    return onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": {opset}]> g (float[N,2] x) => ({label}, {scores}) {{ {nodes} }}'
    )


LINEAR = (
    "{label}, {scores} = ai.onnx.ml.LinearClassifier <{labels}, coefficients = [1.0, -2.0, 3.0, 0.5, -1.5, 2.5], "
    'intercepts = [0.1, 0.2, -0.3], post_transform = "{transform}"> (x)'
)
NUMBERS, WORDS = "classlabels_ints = [7, 3, 5]", 'classlabels_strings = ["red", "green", "blue"]'
W, B = np.array([[1, -2], [3, 0.5], [-1.5, 2.5]]), np.array([0.1, 0.2, -0.3])
X = models.random(3, 6, 2)
Z = X @ W.T + B
P = np.exp(Z) / np.exp(Z).sum(1, keepdims=True)


@pytest.mark.parametrize("transform", ["SOFTMAX", "NONE"])
@pytest.mark.parametrize(
    ("labels", "kind", "named"), [(NUMBERS, "int64", ("7", "3", "5")), (WORDS, "string", ("red", "green", "blue"))]
)
def test_a_classical_classifiers_scores_and_not_its_label_are_the_verdict(
    transform: str, labels: str, kind: str, named: tuple[str, ...]
) -> None:
    model = classical(LINEAR.format(label="label", scores="p", labels=labels, transform=transform), f"{kind}[N] label")
    graph = read_graph(model)
    assert verdict_output(graph) == logits_of(graph) == "p"
    found = onnxray.open(model).predict(X)
    np.testing.assert_allclose(found.probabilities, P, rtol=1e-5)
    assert found.labels == tuple(named[k] for k in P.argmax(1))
    assert found.labels == tuple(str(one) for one in models.run(model, {"x": X}, ["label"])[0])


@pytest.mark.parametrize(
    ("labels", "listed", "kind", "named"),
    [
        (NUMBERS, "classlabels_int64s = [7, 3, 5]", "int64", ("7", "3", "5")),
        (WORDS, WORDS, "string", ("red", "green", "blue")),
    ],
)
def test_a_zip_map_is_read_in_the_order_of_the_scores(
    labels: str, listed: str, kind: str, named: tuple[str, ...]
) -> None:
    """ONNX Runtime's dictionaries are sorted by label: 3, 5, 7."""
    model = classical(
        LINEAR.format(label="label", scores="p", labels=labels, transform="SOFTMAX")
        + f" zipped = ai.onnx.ml.ZipMap <{listed}> (p)",
        f"{kind}[N] label", f"seq(map({kind}, float)) zipped",
    )  # fmt: skip
    graph = read_graph(model)
    assert (verdict_output(graph), logits_of(graph)) == ("zipped", "p")
    opened = onnxray.open(model)
    found = opened.predict(X, scores=True)
    np.testing.assert_allclose(found.probabilities, P, rtol=1e-5)
    np.testing.assert_allclose(found.scores, P, rtol=1e-5)
    assert found.labels == tuple(named[k] for k in P.argmax(1))
    np.testing.assert_array_equal(opened.classify(X), P.argmax(1))


def test_a_label_beside_no_scores_stays_the_verdict() -> None:
    model = classical(
        LINEAR.format(label="label", scores="p", labels=NUMBERS, transform="NONE") + " up = Add (label, label)",
        "int64[N] label", "int64[N] up",
    )  # fmt: skip
    assert verdict_output(read_graph(model)) == "label"


def test_whole_numbers_before_real_ones_are_not_taken_for_a_label() -> None:
    """A detector's count, say: only what ai.onnx.ml computes is a label."""
    model = models.parse(
        "g (float[N,4] x) => (int64[N] top, float[N,4] y) { top = ArgMax <axis = 1, keepdims = 0> (x) y = Neg (x) }"
    )
    assert verdict_output(read_graph(model)) == "top"
