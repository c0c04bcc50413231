"""What an input that leaves its sides free is taken to be."""

import pytest

from onnxray.errors import ProfileError
from onnxray.graph.reading import read_graph
from onnxray.images.profile.families import MAX_SIDE, ImageInput, free_size, image_input
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
