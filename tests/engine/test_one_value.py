"""Where one value is meant, a pattern of several is refused, and none of them is taken in silence."""

from collections.abc import Callable

import numpy as np
import pytest

import onnxray
from onnxray.errors import UnknownValue
from onnxray.methods.attack.gradient.feature_adversary import FeatureAdversary
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.perturbation.value_occlusion import ValueOcclusion
from onnxray.methods.synthesis.maximize import Maximize
from onnxray.methods.synthesis.style import StyleTransfer
from onnxray.objectives.targets import Like
from support.paths import ROOT

DIGITS = ROOT / "models/onnxray_models/lenet/samples"
FOUR, NINE = str(DIGITS / "4_0.png"), str(DIGITS / "9_0.png")

Asked = Callable[[onnxray.Model], object]
ASKED: dict[str, Asked] = {
    "pullback": lambda model: model.pullback([FOUR], {"conv*": 1.0}),
    "feature adversary": lambda model: FeatureAdversary(layer="conv*")(model, [FOUR], NINE),
    "value occlusion": lambda model: ValueOcclusion(layer="conv*")(model, [FOUR]),
    "likeness": lambda model: Gradient()(model, [FOUR], Like(image=NINE, at="conv*")),
    "element": lambda model: Gradient()(model, [FOUR], "conv*[0,0,0]"),
    "channels": lambda model: Maximize(layer="conv*", channels="0-1", steps=1)(model),
    "style": lambda model: StyleTransfer(style=NINE, content_layer="conv*", steps=2)(model, [FOUR]),
    "fine-tuning": lambda model: onnxray.training.fine_tune(
        model, [([FOUR], np.zeros(1))], lambda values, _: values["conv*"].sum(), values=["conv*"]
    ),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_pattern_of_two_is_refused(name: str) -> None:
    with pytest.raises(UnknownValue, match=r"'conv\*' stands for 2 values: 'conv1', 'conv2'; one was expected"):
        ASKED[name](onnxray.open("lenet"))


def test_a_pattern_of_one_is_its_value() -> None:
    model = onnxray.open("lenet")
    assert model.select_value("pro*") == "prob"
