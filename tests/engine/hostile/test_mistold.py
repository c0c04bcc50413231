"""What a file tells wrongly of its values ends in one line, not in a traceback."""

import numpy as np
import onnx
import pytest
from PIL import Image

import onnxray
from onnxray.applying import apply_network
from onnxray.errors import InputError, OnnxrayError
from support import models


def test_a_sequence_that_shape_inference_does_not_reach() -> None:
    """A weight of another kind stops onnx's inference, and then nothing tells that ``s`` is a sequence."""
    model = models.parse(
        "g (float[N,4] x) => (float[N,8] y) { a = Relu (x) s = SequenceConstruct (a, x) y = ConcatFromSequence <axis = 1> (s) }"
    )
    model.graph.initializer.add()
    model.graph.sparse_initializer.add().indices.string_data.append(b"text")
    try:
        onnxray.open(model).verify(np.ones((2, 4), np.float32))
    except OnnxrayError as error:
        assert "'s' is no tensor" in str(error)  # noqa: PT017


def test_a_network_that_answers_in_words_is_not_applied() -> None:
    node = onnx.helper.make_node(
        "LinearClassifier", ["f"], ["label", "y"], domain="ai.onnx.ml", coefficients=[0.1] * 12, intercepts=[0.1] * 3,
        classlabels_strings=["a", "b", "c"],
    )  # fmt: skip
    model = models.parse("g (float[N,1,2,2] x) => (string[N] label) { f = Flatten (x) }")
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 3))
    model.graph.node.append(node)
    opened = onnxray.open(model, "unit")
    with pytest.raises(InputError, match="'label' holds text"):
        apply_network(opened, np.asarray(Image.new("L", (2, 2)), np.float32)[None])
