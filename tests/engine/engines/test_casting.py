"""What is given for inputs: an error says what to give, and how a picture enters where it is one."""

import numpy as np
import pytest
from PIL import Image

import onnxray
from onnxray.errors import InputError
from support import models


@pytest.mark.parametrize("shape", ["N,C,H,W", ""])
def test_a_picture_for_an_input_of_any_shape_is_told_of_profiles(shape: str) -> None:
    text = f"g (float[{shape}] x) => (float[] y) {{ p = GlobalAveragePool (x) y = Flatten (p) }}"
    model = models.parse(text).SerializeToString()
    picture = Image.fromarray(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(InputError, match="--profile unit"):
        onnxray.open(model).predict(picture)
    assert onnxray.open(model, profile="unit").predict(picture).classes.tolist() == [0]
