"""Several different pictures of one thing differ in the style of a value that has places."""

import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.images.profile.profile import Profile
from onnxray.methods.synthesis.maximize import Maximize
from support import models

TEXT = "g (float[N,1,14,14] x) => (float[N,6] y) { c = Conv (x, w)  p = GlobalAveragePool (c)  y = Flatten (p) }"
PROFILE = Profile(name="grey", layout="NCHW", channels="GREY", scale=1.0, mean=(0.0,), std=(1.0,), size=(14, 14))


@pytest.mark.parametrize(("layer", "shape"), [("p", r"\['N', 6, 1, 1\]"), ("y", r"\['N', 6\]")])
def test_one_place_has_no_style(layer: str, shape: str) -> None:
    model = onnxray.open(models.parse(TEXT, {"w": models.random(0, 6, 1, 3, 3)}), PROFILE)
    with pytest.raises(
        InputError, match=f"'{layer}' has the shape {shape}, so it has no style; name another: --diversity-layer"
    ):
        Maximize(steps=1, samples=2, diversity=1.0, diversity_layer=layer)(model, None, "c:1")
    assert len(Maximize(steps=1, samples=2, diversity=1.0, diversity_layer="c")(model, None, "c:1").items) == 2
