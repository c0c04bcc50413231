"""What the parts of a graph are to a classifier."""

import pytest

from onnxray.graph import read_graph
from onnxray.structure import closing_softmax, verdict_output, weight_layers
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
        ("p = Softmax (z) y = Sigmoid (p)", "y", False),
        ("f = Flatten (z) y = Softmax (f)", "f", True),
    ],
)
def test_logits(ends: str, logits: str, closes: bool) -> None:
    graph = read_graph(
        models.parse(f"g (float[N,4] x) => (float[N,3] y) {{ z = Gemm (x, w, b) {ends} }}", WEIGHTS, opset=13)
    )
    assert graph.logits == logits
    assert (closing_softmax(graph, "y") is not None) == closes
    assert verdict_output(graph) == "y"


def test_an_inner_softmax_closes_nothing() -> None:
    graph = read_graph(
        models.parse(
            "g (float[N,4] x) => (float[N,3] y) { a = Softmax (x) m = Mul (a, x) y = Gemm (m, w, b) }", WEIGHTS
        )
    )
    assert graph.logits == "y"


def test_of_several_outputs_the_one_that_a_softmax_closes() -> None:
    graph = read_graph(
        models.parse(
            "g (float[N,4] x) => (float[N,4] boxes, float[N,3] p, float[N,4] more) "
            "{ boxes = Relu (x) z = Gemm (x, w, b) p = Softmax (z) more = Neg (x) }",
            WEIGHTS,
        )
    )
    assert graph.logits == "z"
    assert verdict_output(graph) == "p"


def test_of_several_outputs_without_softmax_the_first() -> None:
    graph = read_graph(
        models.parse("g (float[N,4] x) => (float[N,4] u, float[N,4] v) { v = Relu (x) u = Neg (x) }", WEIGHTS)
    )
    assert graph.logits == verdict_output(graph) == "u"


def test_features_and_last_convolution() -> None:
    graph = read_graph(models.lenet())
    assert (graph.features, graph.aliases["last-conv"]) == ("ip1", "conv2")


def test_features_of_a_fully_convolutional_net() -> None:
    graph = read_graph(
        models.parse(
            "g (float[N,2,4,4] x) => (float[N,3,1,1] y) { h = Relu (x) c = Conv (h, k) y = GlobalAveragePool (c) }",
            {"k": models.random(0, 3, 2, 1, 1)},
        )
    )
    assert graph.features == "h"


def test_a_graph_without_weights_has_neither() -> None:
    graph = read_graph(models.parse("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }"))
    assert graph.features is None
    assert set(graph.aliases) == {"logits"}
    assert weight_layers(graph) == ()


def test_a_product_of_two_moving_values_is_no_weight_layer() -> None:
    graph = read_graph(
        models.parse(
            "g (float[4,4] x) => (float[4,3] y) { t = Transpose (x) a = MatMul (x, t) y = MatMul (a, w) }", WEIGHTS
        )
    )
    assert weight_layers(graph) == ("y",)
    assert graph.features == "a"


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
    assert graph.features == "x"
