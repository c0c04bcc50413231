"""What is read of copies of an image."""

import pytest

from onnxray.errors import InputError
from onnxray.methods.saliency.perturbation.copies import Copies
from onnxray.objectives.targets import read_target
from support.dark import LIGHT, open_dark


def test_scores_of_nan_are_said_and_the_class_is_not_left_out() -> None:
    model = open_dark()
    pixels = model.pixels(LIGHT)
    objective = read_target(model, pixels, "ip1:0")
    assert Copies(model, model.pixels(LIGHT // 3), objective, 64).head is not None
    with pytest.raises(InputError, match="output 'prob' holds NaN, so no class can be told"):
        Copies(model, pixels, objective, 64)
