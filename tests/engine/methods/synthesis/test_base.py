"""What the judge says of the pictures that are made."""

import numpy as np
import pytest

from onnxray.errors import InputError
from onnxray.methods.synthesis.ascent.loop import Climbed
from onnxray.methods.synthesis.base import Pictures, Synthesis
from onnxray.methods.synthesis.texture import Texture
from support.dark import LIGHT, open_dark


def climbed(images: np.ndarray) -> Climbed:
    floats = images.astype(np.float32)
    return Climbed(images=floats, whole=floats, trace={}, snapshots={}, steps=0)


SAID = "output 'prob' holds NaN, so no class can be told"


def test_scores_of_nan_are_said_and_the_class_is_not_left_out() -> None:
    model, method = open_dark(), Texture(layer="conv1")
    assert isinstance(method, Synthesis)
    assert method.item(model, LIGHT[0] // 3, stem="a", target="b").class_ is not None
    assert Pictures.of(model, climbed(LIGHT // 3)).verdict is not None
    with pytest.raises(InputError, match=SAID):
        method.item(model, LIGHT[0], stem="a", target="b")
    with pytest.raises(InputError, match=SAID):
        Pictures.of(model, climbed(LIGHT))
