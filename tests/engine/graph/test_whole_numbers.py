"""Which values hold whole numbers that were quantised."""

import numpy as np

import onnxray
from onnxray.graph.reading import read_graph
from onnxray.graph.whole_numbers import holds_reals
from support import models, quantised


def test_whole_numbers_without_a_stated_type_are_known_by_what_computes_them() -> None:
    """Of Microsoft's operators no types are inferred."""
    text = quantised.TEXT.replace("z = com", "zq = com").replace(
        "w3, ws, none, b3)", "w3, ws, none, b3, cs, mid) t = Identity (zq) z = DequantizeLinear (t, cs, mid)"
    )
    graph = read_graph(quantised.with_weights(text))
    assert [name for name in graph.values if graph.values[name].kind == "node" and not holds_reals(graph, name)] == [
        "q", "c1", "aq", "c2", "p", "gq", "zq", "t",
    ]  # fmt: skip
    graph = read_graph(quantised.network())
    assert holds_reals(graph, "z")  # QGemm gives real numbers where no scale of its output is stated


def test_scores_of_a_qgemm_that_gives_real_numbers() -> None:
    """It leaves out the scale that others quantise their output by."""
    x = models.pictures(2)
    said = onnxray.open(quantised.network(), models.GREY).predict(x, scores=True)
    z, y = models.run(quantised.network(), {"x": models.GREY.encode(x)}, ["z", "y"])
    np.testing.assert_allclose(said.scores, z, rtol=1e-5)
    np.testing.assert_allclose(said.probabilities, y, rtol=1e-5)
