"""What an input that leaves its sides free is taken to be."""

import pytest

from onnxray.errors import ProfileError
from onnxray.graph.reading import read_graph
from onnxray.images.profile.families import FAMILIES, MAX_SIDE, ImageInput, free_size, guess_family, image_input
from support import models


def input_of(sides: str) -> ImageInput:
    return image_input(read_graph(models.parse(f"g (float[N,3,{sides}] x) => (float[N,3,A,B] y) {{ y = Relu (x) }}")))


@pytest.mark.parametrize(
    ("sides", "expected", "said"),
    [
        ("20,30", (20, 30), ()),
        ("H,W", (24, 36), ("size 24x36: the model leaves height or width free",)),
        ("20,W", (20, 36), ("size 20x36: the model leaves height or width free",)),
        ("H,30", (24, 30), ("size 24x30: the model leaves height or width free",)),
    ],
)
def test_free_sides_are_filled_in_and_said(sides: str, expected: tuple[int, int], said: tuple[str, ...]) -> None:
    assert free_size(input_of(sides), (24, 36)) == (expected, said)


def test_a_side_that_is_too_long_is_refused() -> None:
    assert free_size(input_of(f"{MAX_SIDE},9"), (1, 1)) == ((MAX_SIDE, 9), ())
    with pytest.raises(ProfileError, match=f"the model's input 'x' is {MAX_SIDE + 1}x9; at most {MAX_SIDE} a side"):
        free_size(input_of(f"{MAX_SIDE + 1},9"), (1, 1))


PUBLISHED = {
    # https://caffe.berkeleyvision.org, VGG Face (Parkhi et al. 2015), torchvision's transforms, timm's and Keras' "tf"
    "caffe-imagenet": ("BGR", 1.0, (104, 117, 123), (1, 1, 1), (224, 224), "stretch", "bilinear", 0.875, 256),
    "vgg-face": ("BGR", 1.0, (93.5940, 104.7624, 129.1863), (1, 1, 1), (224, 224), "crop", "bilinear", 0.875, None),
    "torchvision": (
        "RGB",
        1 / 255,
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
        (224, 224),
        "crop",
        "bilinear",
        0.875,
        None,
    ),
    "timm-half": ("RGB", 1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), (224, 224), "crop", "bicubic", 0.9, None),
    "tensorflow": ("RGB", 1 / 127.5, (1, 1, 1), (1, 1, 1), (224, 224), "stretch", "nearest", 0.875, None),
    "unit": ("RGB", 1 / 255, (0, 0, 0), (1, 1, 1), (224, 224), "crop", "bilinear", 0.875, None),
    "raw": ("RGB", 1.0, (0, 0, 0), (1, 1, 1), (224, 224), "crop", "bilinear", 0.875, None),
    "lenet": ("GREY", 1 / 256, (0,), (1,), (28, 28), "stretch", "bilinear", 0.875, None),
}


def test_families_are_what_their_sources_publish() -> None:
    assert {
        name: (
            one.channels, one.scale, one.mean, one.std, one.size, one.resize, one.interpolation, one.crop_fraction, one.canonical,
        ) for name, one in FAMILIES.items()
    } == PUBLISHED  # fmt: skip


@pytest.mark.parametrize(
    ("producer", "kind", "shape", "name", "family"),
    [
        ("CNTK", "float", "N,3,H,W", "x", "raw"), ("caffe2onnx", "float", "N,3,H,W", "x", "caffe-imagenet"),
        ("pytorch", "float", "N,3,H,W", "x", "torchvision"), ("keras2onnx", "float", "N,3,H,W", "x", "tensorflow"),
        ("tf2onnx", "float", "N,3,H,W", "x", "tensorflow"), ("other", "float", "N,3,H,W", "x", "unit"),
        ("pytorch", "uint8", "N,3,H,W", "x", "raw"), ("pytorch", "float", "N,1,H,W", "x", "unit"),
        ("caffe", "float", "N,1,28,28", "x", "lenet"), ("other", "float", "N,1,28,28", "data", "lenet"),
        ("other", "float", "N,1,28,28", "x", "unit"), ("caffe", "float", "N,1,28,29", "x", "unit"), ("caffe", "float", "N,1,29,28", "x", "unit"),
    ],
)  # fmt: skip
def test_a_family_is_guessed_by_the_producer(producer: str, kind: str, shape: str, name: str, family: str) -> None:
    model = models.parse(f"g ({kind}[{shape}] {name}) => ({kind}[{shape}] y) {{ y = Identity ({name}) }}")
    model.producer_name = producer
    graph = read_graph(model)
    found, why = guess_family(graph, image_input(graph))
    assert found is FAMILIES[family]
    assert why.startswith(f"{family}: ")
