"""Arrays that no profile describes: any number of channels, no batch axis, pictures one pixel wide, several inputs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

import onnxray
from onnxray.errors import InputError
from onnxray.graph.fixed_batch import fixed_batch_of, has_no_batch
from onnxray.graph.reading import read_graph
from onnxray.methods.saliency.activation.eigen_cam import EigenCAM
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from onnxray.methods.saliency.activation.score_cam import ScoreCAM
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.gradient.input_x_gradient import InputXGradient
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from support import models

HEAD = "c = Conv <pads = [1, 1, 1, 1]> ({before}, w) r = Relu (c) p = GlobalAveragePool (r) y = Flatten (p)"


def network(channels: int, *, last: bool = False) -> onnx.ModelProto:
    shape = f"N,9,7,{channels}" if last else f"N,{channels},9,7"
    moved = "t = Transpose <perm = [0, 3, 1, 2]> (x) " if last else ""
    text = f"g (float[{shape}] x) => (float[N,4] y) {{ {moved}{HEAD.format(before='t' if last else 'x')} }}"
    return models.parse(text, {"w": models.random(0, 4, channels, 3, 3)})


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("channels", [2, 4, 11])
def test_class_activation_maps_of_any_number_of_channels(channels: int, last: bool) -> None:
    """Grad-CAM's formula: mean_ij dS/dA_k is 1 / (h w) for the class's own map, 0 elsewhere, as the head is a mean."""
    model = network(channels, last=last)
    x = np.abs(models.random(1, 2, *((9, 7, channels) if last else (channels, 9, 7))))
    opened = onnxray.open(model.SerializeToString())
    assert opened.profile is None
    layer = models.run(model, {"x": x}, ["r"])[0]
    for method in (GradCAM(), GradCAM(layer="r")):
        items = method(opened, x, 1).items
        for row, item in enumerate(items):
            assert item.layer == "r"
            np.testing.assert_allclose(item.heat, layer[row, 1] / 63, rtol=1e-3, atol=1e-6)
    assert EigenCAM()(opened, x, 1).items[0].heat.shape == (9, 7)


def test_what_has_no_rows_and_columns_says_so() -> None:
    flat = models.parse("g (float[N,6] x) => (float[N,3] y) { y = MatMul (x, w) }", {"w": models.random(0, 6, 3)})
    with pytest.raises(InputError, match="no rows and columns"):
        GradCAM()(onnxray.open(flat.SerializeToString()), models.random(1, 1, 6), 1)
    text = "g (float[N,5,6,4] x) => (float[N,3] y) { f = Flatten (x) y = MatMul (f, w) }"
    unknown = models.parse(text, {"w": models.random(0, 120, 3)})
    with pytest.raises(InputError, match="--profile"):
        GradCAM()(onnxray.open(unknown.SerializeToString()), models.random(1, 1, 5, 6, 4), 1)


def test_a_method_that_needs_pictures_still_says_so() -> None:
    with pytest.raises(InputError, match="score-cam works on images"):
        ScoreCAM()(onnxray.open(network(4).SerializeToString()), models.random(1, 1, 4, 9, 7), 1)


SHAPES = [(3, 12, 12), (12, 12), (12, 12, 3), (7,), (5, 1, 9)]


def without_batch(shape: tuple[int, ...]) -> tuple[onnx.ModelProto, NDArray[Any]]:
    size = int(np.prod(shape))
    w = models.random(0, size, 4)
    text = f"g (float[{','.join(map(str, shape))}] x) => (float[1,4] y) {{ f = Reshape (x, s) y = MatMul (f, w) }}"
    return models.parse(text, {"s": np.array([1, -1], np.int64), "w": w}), w


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", [Gradient, InputXGradient])
def test_an_input_without_a_batch_axis_is_one_sample(shape: tuple[int, ...], method: Callable[[], Any]) -> None:
    model, w = without_batch(shape)
    opened = onnxray.open(model.SerializeToString())
    assert has_no_batch(opened.graph)
    assert fixed_batch_of(opened.graph) is None
    x = models.random(1, *shape)
    (item,) = method()(opened, x, 2).items
    expected = np.abs(w[:, 2].reshape(shape) * (x if method is InputXGradient else 1))
    np.testing.assert_allclose(item.heat, expected, rtol=1e-3, atol=1e-6)
    assert not [note for note in opened.notes if "fed with" in note]
    assert opened.verify(x).agrees


@pytest.mark.parametrize("shape", [(3, 12, 12)])
def test_several_samples_at_once_of_such_a_file_are_refused_in_one_line(shape: tuple[int, ...]) -> None:
    model, _ = without_batch(shape)
    with pytest.raises(InputError, match="without a batch axis"):
        Occlusion()(onnxray.open(model.SerializeToString()), models.random(1, *shape), 2)


@pytest.mark.parametrize(
    ("inputs", "outputs", "alone"),
    [("4,10", "4,3", False), ("4,10", "8,3", False), ("N,10", "N,3", False), ("2,3,8,8", "1,3", False),
     ("3,8,8", "K,3", False), ("3,8,8", "1,3", True), ("3,8,8", "", True)],
)  # fmt: skip
def test_which_shapes_have_no_batch(inputs: str, outputs: str, alone: bool) -> None:
    text = f"g (float[{inputs}] x) => (float[{outputs}] y) {{ y = own.F (x) }}"
    if not outputs:
        text = text.replace("float[] y", "float y")
    assert has_no_batch(read_graph(models.parse(text))) is alone


@pytest.mark.parametrize(("height", "width"), [(9, 1), (1, 9), (1, 1)])
def test_pictures_one_pixel_wide(height: int, width: int) -> None:
    text = f"g (float[N,3,{height},{width}] x) => (float[N,4] y) {{ {HEAD.format(before='x')} }}"
    opened = onnxray.open(models.parse(text, {"w": models.random(0, 4, 3, 3, 3)}).SerializeToString(), profile="unit")
    picture = np.random.default_rng(0).integers(0, 256, (1, 3, height, width), dtype=np.uint8)
    assert Gradient()(opened, picture, 1).items[0].heat.shape == (height, width)
    if height * width > 1:
        assert Occlusion(size=1, stride=1)(opened, picture, 1).items[0].heat.shape == (height, width)
