"""A gradient that is lost: the error names the value at which it becomes zero."""

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError, NotDifferentiable, ZeroGradient
from onnxray.images.pixels import Pixels
from onnxray.methods.saliency.gradient.deconvnet import DeconvNet
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.gradient.guided_backpropagation import GuidedBackpropagation
from onnxray.methods.saliency.gradient.input_x_gradient import InputXGradient
from onnxray.methods.saliency.gradient.integrated_gradients import IntegratedGradients
from onnxray.methods.saliency.gradient.lost_gradient import refuse_zero_gradient
from onnxray.methods.saliency.gradient.smoothgrad import SmoothGrad
from onnxray.objectives.targets import read_target
from support import models
from support.trusted import trusted

TEXT = """
net (float[{batch},6] x) => (float[{batch},3] z) {{
  {nodes}
}}
"""
DEAD = """h = MatMul (x, w)
  low = Sub (h, far)
  [dies] r = Relu (low)
  z = MatMul (r, v)"""
SATURATED = """h = MatMul (x, w)
  high = Add (h, far)
  [full] s = Sigmoid (high)
  t = Tanh (s)
  z = MatMul (t, v)"""
BRANCHES = """h = MatMul (x, w)
  low = Sub (h, far)
  high = Add (h, far)
  [left] a = Relu (low)
  [right] b = Sigmoid (high)
  c = Mul (a, two)
  both = Add (c, b)
  z = MatMul (both, v)"""
WEIGHTS = {
    "w": models.random(1, 6, 8), "v": models.random(2, 8, 3), "far": np.float32(1000), "two": np.float32(2),
}  # fmt: skip
X = models.random(3, 2, 6)


def opened(nodes: str, batch: int | str = "N", **weights: Any) -> onnxray.Model:
    text = TEXT.format(batch=batch, nodes=nodes)
    used = {name: np.asarray(array) for name, array in {**WEIGHTS, **weights}.items() if name in nodes}
    model = onnxray.open(models.parse(text, used))
    trusted(model)
    return model


@pytest.mark.parametrize("batch", ["N", 1, 3])
@pytest.mark.parametrize(
    ("nodes", "named"),
    [
        (DEAD, r"it becomes zero at 'low' \(from -1\d\d\d to -9\d\d\.?\d?\), read by Relu 'dies', which"),
        (SATURATED, r"it becomes zero at 'high' \(from 9\d\d\.?\d? to 10\d\d\), read by Sigmoid 'full', which"),
    ],
)
@pytest.mark.parametrize(
    "method", [Gradient(), InputXGradient(), SmoothGrad(samples=2), IntegratedGradients(steps=2, max_steps=2)]
)
def test_the_value_that_saturated_is_named(method: Any, nodes: str, named: str, batch: Any) -> None:
    with pytest.raises(ZeroGradient, match=f"image 0: the gradient of z:1 is zero everywhere: {named}"):
        method(opened(nodes, batch), X, "z:1")


def test_every_branch_is_named_nearest_to_the_target_first() -> None:
    with pytest.raises(ZeroGradient) as caught:
        Gradient()(opened(BRANCHES), X, "z:1")
    text = str(caught.value)
    assert text.index("'high'") < text.index("'low'")
    assert "\n" not in text


def test_one_image_of_several() -> None:
    """The second alone is dead: its bias by far the lowest."""
    nodes = DEAD.replace("Sub (h, far)", "Identity (h)")
    w = np.abs(WEIGHTS["w"])
    images = np.stack([np.ones(6), -np.ones(6)]).astype(np.float32)
    with pytest.raises(ZeroGradient, match="image 1: .*'low'.*Relu 'dies'"):
        Gradient()(opened(nodes, w=w), images, "z:1")
    model = opened(nodes, w=w)
    named = Pixels(images, ("a.png", "b.png"), plain=True)
    objective = read_target(model, named, "z:1")
    refuse_zero_gradient(model, named, 0, objective)
    with pytest.raises(ZeroGradient, match=r"^b\.png: "):
        refuse_zero_gradient(model, named, 1, objective)


def test_a_probability_that_is_one() -> None:
    nodes = "h = MatMul (x, w)\n  q = MatMul (h, v)\n  z = Softmax <axis = 1> (q)"
    model = opened(nodes, w=WEIGHTS["w"] * 1e4)
    assert Gradient()(model, X).items[0].attribution.any()
    with pytest.raises(ZeroGradient, match="the score itself no longer changes with 'q'; explain another score"):
        Gradient(score="probability")(model, X)
    with pytest.raises(ZeroGradient, match="'q' .*, read by Softmax"):
        Gradient()(model, X, "value:z:0")


def test_a_rule_that_lets_nothing_through() -> None:
    """Every weight of the target is negative, so that no part speaks for it."""
    model = opened("h = MatMul (x, w)\n  r = Relu (h)\n  z = MatMul (r, v)", v=-np.abs(WEIGHTS["v"]))
    assert Gradient()(model, X, "z:1").items[0].attribution.any()
    for method, rule in ((GuidedBackpropagation(), "guided"), (DeconvNet(), "deconvnet")):
        with pytest.raises(ZeroGradient, match=f"zero everywhere under the {rule} rule: it becomes zero at 'h'"):
            method(model, X, "z:1")


def test_a_map_that_is_zero_though_the_gradient_is_not() -> None:
    model = opened("h = MatMul (x, w)\n  z = MatMul (h, v)")
    nothing = InputXGradient()(model, np.zeros((1, 6), np.float32), "z:1").items[0]
    assert not nothing.attribution.any()
    assert nothing.reason == "the map is zero everywhere, though the gradient is not"
    assert SmoothGrad(average="variance", samples=3)(model, X, "z:1").items[0].attribution.max() < 1e-12


def test_a_target_that_does_not_depend_on_the_input() -> None:
    model = opened("h = MatMul (x, w)\n  z = MatMul (h, v)\n  c = Mul (far, two)")
    with pytest.raises(NotDifferentiable, match="'c' does not depend on the input"):
        Gradient()(model, X, "value:c")


RELUS = "h = MatMul (x, w)\n  r = RECTIFIER\n  z = MatMul (r, v)"


@pytest.mark.parametrize(
    ("rectifier", "options", "message"),
    [
        ("Tanh (h)", {}, "needs Relu between the input and 'z', and there is none (there: 1 Tanh); quantised and"),
        ("Identity (h)", {}, "and there is none; quantised"),
        ("LeakyRelu (h)", {}, "there is none (there: 1 LeakyRelu); name those with --rectifiers LeakyRelu"),
        ("Relu (h)", {"rectifiers": "Relu6"}, "needs Clip between"),
        (
            "Relu (h)",
            {"rectifiers": ("Relu", "Gelu")},
            "rectifiers is Gelu; Relu, Clip, LeakyRelu, PRelu were expected",
        ),
        ("Relu (h)", {"rectifiers": ()}, "rectifiers is empty"),
    ],
)
@pytest.mark.parametrize("method", [GuidedBackpropagation, DeconvNet])
def test_networks_without_rectifiers_are_refused(method: Any, rectifier: str, options: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        method(**options)(opened(RELUS.replace("RECTIFIER", rectifier)), X, "z:1")
    assert message in str(caught.value)


def test_what_the_rule_takes_hold_of_is_said() -> None:
    nodes = """h = MatMul (x, w)
  a = Relu (h)
  b = Clip (h, zero, six)
  c = Sigmoid (h)
  d = Add (a, b)
  e = Add (c, d)
  z = MatMul (e, v)
  beside = Relu (x)"""
    model = opened(nodes, zero=np.float32(0), six=np.float32(6))
    method = GuidedBackpropagation()
    assert (
        "guided rule on 1 Relu; 1 Clip, 1 Sigmoid with their own derivative" in method(model, X, "z:1").provenance.notes
    )
    both = DeconvNet(rectifiers=("Relu", "Relu6"))(model, X, "z:1")
    assert "deconvnet rule on 1 Clip, 1 Relu; 1 Sigmoid with their own derivative" in both.provenance.notes
    assert np.abs(both.items[0].attribution - method(model, X, "z:1").items[0].attribution).max() > 0


IF = """r = If (yes) <
    then_branch = then_g () => (float[N,8] y) { y = Relu (h) },
    else_branch = else_g () => (float[N,8] n) { n = Identity (h) }
  >"""


def test_rectifiers_inside_of_bodies_are_not_ruled_and_that_is_said() -> None:
    nodes = RELUS.replace("r = RECTIFIER", IF)
    yes = np.array(True)
    with pytest.raises(InputError, match="there is none; those inside 1 If are not reached by the rule"):
        GuidedBackpropagation()(opened(nodes, yes=yes), X, "z:1")
    one_outside = opened(
        nodes.replace("MatMul (x, w)", "MatMul (x, w)\n  p = Relu (h)").replace("(h) }", "(p) }"), yes=yes
    )
    notes = GuidedBackpropagation()(one_outside, X, "z:1").provenance.notes
    assert "guided rule on 1 Relu; those inside 1 If with their own derivative" in notes
