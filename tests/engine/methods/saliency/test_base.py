"""What every saliency method says of the model before it explains it."""

import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from support.dark import LIGHT, open_dark

TARGET = "ip1:0"


@pytest.fixture(scope="module")
def dark() -> onnxray.Model:
    return open_dark()


@pytest.mark.parametrize("method", [Gradient(), Occlusion()])
def test_scores_of_nan_are_said_and_the_model_is_still_a_classifier(method, dark: onnxray.Model) -> None:
    (item,) = method(dark, LIGHT // 3, TARGET).items
    assert item.class_ is not None
    with pytest.raises(InputError, match="output 'prob' holds NaN, so no class can be told"):
        method(dark, LIGHT, TARGET)
