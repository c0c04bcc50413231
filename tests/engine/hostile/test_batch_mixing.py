"""A file whose samples depend on each other is never fed in parts without a word: at once, or not at all."""

from typing import Any

import numpy as np
import onnx
import pytest
import torch

import onnxray
from onnxray.errors import InputError
from onnxray.graph.samples.mixing import places
from onnxray.graph.samples.places import Apart, Lost
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from support import models

R = models.random
MANY = R(0, 300, 4)

CENTRED = "g (float[N,4] x) => (float[N,4] y) { mu = ReduceMean <axes = [0]> (x)  y = Sub (x, mu) }"
MIXING = {
    "mean": CENTRED,
    "largest": "g (float[N,4] x) => (float[N,4] y) { m = ReduceMax <keepdims = 0> (x)  y = Div (x, m) }",
    "softmax": "g (float[N,4] x) => (float[N,4] y) { y = Softmax <axis = 0> (x) }",
    "gram": "g (float[N,4] x) => (float[N,4] y) { t = Transpose (x)  m = MatMul (t, x)  y = MatMul (x, m) }",
    "quantised": """g (float[N,4] x) => (float[N,4] y) {
        q, s, z = DynamicQuantizeLinear (x)  y = DequantizeLinear (q, s, z) }""",
    "branch": """g (float[N,4] x) => (float[N,4] y) {
        m = ReduceMean <keepdims = 0> (x)  c = Greater (m, zero)
        y = If (c) < then_branch = a () => (o) { o = Neg (x) }, else_branch = b () => (p) { p = Mul (x, x) } > }""",
    "count": """g (float[N,4] x) => (float[N,4] y) {
        s = Shape (x)  n = Gather (s, first)  f = Cast <to = 1> (n)  y = Div (x, f) }""",
    "training": """g (float[N,4] x) => (float[N,4] y) {
        y, a, b = BatchNormalization <training_mode = 1> (x, four, four, four, four) }""",
    "running sum": "g (float[N,4] x) => (float[N,4] y) { y = CumSum (x, first) }",
    "scan": """g (float[N,4] x) => (float[N,4] y) {
        l, y = Scan <num_scan_inputs = 1, body = b (float[4] s, float[4] r) => (float[4] t, float[4] o) {
            t = Add (s, r)  o = Identity (t) }> (four, x) }""",
}
WEIGHTS = {"zero": np.float32(0), "first": np.array(0), "four": np.ones(4, np.float32)}


def net(text: str) -> onnx.ModelProto:
    return models.parse(text, {name: array for name, array in WEIGHTS.items() if name in text})


@pytest.mark.parametrize("kind", MIXING)
def test_more_than_a_chunk_goes_at_once(kind: str) -> None:
    proto = net(MIXING[kind])
    model, (want,) = onnxray.open(proto), models.run(proto, {"x": MANY}, ["y"])
    np.testing.assert_array_equal(model.values(MANY, ["y"])["y"], want)
    np.testing.assert_array_equal(model.predict(MANY).probabilities.shape, want.shape)
    if kind not in {"training", "scan"}:  # the twin takes neither
        np.testing.assert_allclose(model.values(MANY, ["y"], engine="twin")["y"], want, rtol=1e-4, atol=1e-5)
    assert any("depends on those fed with it" in note for note in model.predict(MANY).notes)


def test_the_gradient_of_a_mixing_batch_is_that_of_the_whole_batch() -> None:
    """y_i = x_i - mean x: J^T c = c - mean c, over all 300 samples."""
    c = R(1, 300, 4)
    found = onnxray.open(net(CENTRED)).pullback(MANY, {"y": c})
    np.testing.assert_allclose(found, c - c.mean(0), atol=1e-5)


def test_what_lies_before_the_mixing_is_fed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = onnxray.open(
        net("g (float[N,4] x) => (float[N,4] y) { a = Neg (x) m = ReduceMean <axes = [0]> (a) y = Sub (a, m) }")
    )
    assert model.mixing.chunk({"x": MANY}, ("a",), 256) == 256
    assert model.mixing.chunk({"x": MANY}, ("y",), 256) == 300
    assert model.mixing.chunk({"x": MANY}, ("m",), 256) == 300


def test_without_memory_for_all_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxray.graph.samples.mixing._room", lambda: 2.0**20)
    monkeypatch.setattr("onnxray.graph.samples.mixing._LIGHT", 100)
    model, many = onnxray.open(net(CENTRED)), R(0, 60_000, 4)
    for engine in ("judge", "twin"):
        with pytest.raises(
            InputError, match=r"node .* \(ReduceMean\) puts the samples .* 60000 samples are not fed in parts"
        ):
            model.values(many, ["y"], engine=engine)  # type: ignore[arg-type]


def test_the_memory_that_is_missing_is_that_of_all_values_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 bytes for 4 numbers given, 4 of the mean and 4 of the difference, a sample."""
    monkeypatch.setattr("onnxray.graph.samples.mixing._room", lambda: 2.0**30)
    many = np.broadcast_to(np.float32(0), (2**27, 4))
    with pytest.raises(InputError, match=r"134217728 samples .* may take 6\.0 GiB, more than the 1\.0 GiB to spare"):
        onnxray.open(net(CENTRED)).mixing.chunk({"x": many}, ("y",), 256)


def test_a_fixed_batch_that_mixes_is_neither_cut_nor_filled() -> None:
    model = onnxray.open(net(CENTRED.replace("N,4", "4,4")))
    assert model.values(MANY[:4], ["y"])["y"].shape == (4, 4)
    assert model.pullback(MANY[:4], {"y": lambda v, _: v}).shape == (4, 4)
    for count in (1, 3, 5, 8):
        for engine in ("judge", "twin"):
            with pytest.raises(InputError, match=f"the file fixes its batch at 4; exactly 4 samples .*, not {count}"):
                model.values(MANY[:count], ["y"], engine=engine)  # type: ignore[arg-type]
    plain = onnxray.open(net("g (float[4,4] x) => (float[4,4] y) { y = Neg (x) }"))
    assert plain.values(MANY[:7], ["y"])["y"].shape == (7, 4)


PICTURES = """g (float[N,1,14,14] x) => (float[N,2] y) {
  top = ReduceMax <keepdims = 0> (x)  u = Div (x, top)  c = Conv (u, w, b)  p = GlobalAveragePool (c)  y = Flatten (p)
}"""


def test_results_say_that_the_batch_is_mixed() -> None:
    proto = models.parse(
        PICTURES, {"w": np.array([1, -1], np.float32).reshape(2, 1, 1, 1), "b": np.array([0, 1.5], np.float32)}
    )
    model = onnxray.open(proto, models.GREY)
    x = models.pictures(2).round()
    said = "what is found for one sample depends on those fed with it: node "
    for method in (Gradient(), Occlusion()):
        assert [note for note in method(model, x, 0).provenance.notes if note.startswith(said)]
    assert [note for note in model.predict(x).notes if note.startswith(said)]
    assert model.predict(x[:1]).notes == ()


def apart(text: str, weights: Any = None) -> Any:
    return places(onnxray.open(models.parse(text, weights)).graph)


def test_ordinary_networks_are_told_apart_by_the_graph_alone() -> None:
    found = places(onnxray.open(models.lenet()).graph)
    assert set(found.values()) == {Apart()}


def test_a_transformer_is_told_apart_by_the_graph_alone() -> None:
    """Heads on an axis of their own before the samples', a class token copied for each, shapes that are computed."""
    text = """g (float[N,6,8] x) => (float[N,3] y) {
      s = Shape (x)  n = Gather (s, first)  one = Unsqueeze (n, ax)  ts = Concat <axis = 0> (one, rest)
      token = Expand (cls, ts)  t = Concat <axis = 1> (token, x)
      qkv = MatMul (t, w)  five = Reshape (qkv, to5)  o = Transpose <perm = [2, 0, 3, 1, 4]> (five)
      q = Gather <axis = 0> (o, i0)  k = Gather <axis = 0> (o, i1)  v = Gather <axis = 0> (o, i2)
      kt = Transpose <perm = [0, 1, 3, 2]> (k)  a = MatMul (q, kt)  p = Softmax (a)  z = MatMul (p, v)
      b = Transpose <perm = [0, 2, 1, 3]> (z)  c = Reshape (b, to3)  r = Add (c, t)
      l = LayerNormalization (r, g, g)  f = Gather <axis = 1> (l, i0)  y = MatMul (f, h)
    }"""
    weights = {
        "first": np.array(0), "ax": np.array([0]), "rest": np.array([1, 8]), "cls": R(0, 1, 1, 8), "w": R(1, 8, 24),
        "to5": np.array([0, 7, 3, 2, 4]), "i0": np.array(0), "i1": np.array(1), "i2": np.array(2),
        "to3": np.array([-1, 7, 8]), "g": np.ones(8, np.float32), "h": R(2, 8, 3),
    }  # fmt: skip
    found = apart(text, weights)
    assert found["y"] == Apart()
    assert found["o"] == Apart(1, 1)
    assert found["token"] == "copies"
    assert not [name for name, place in found.items() if isinstance(place, Lost)]


def test_what_no_rule_knows_is_tried_once_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "g (float[N,4] x) => (float[N,4] y) { y = Einsum <equation = 'ij,jk->ik'> (x, w) }".replace("'", '"')
    proto = models.parse(text, {"w": R(0, 4, 4)})
    model = onnxray.open(proto)
    assert isinstance(model.mixing.places["y"], Lost)
    assert model.values(MANY, ["y"])["y"].shape == (300, 4)
    assert model.mixing.found(("y",)) is None
    again = onnxray.open(proto)
    monkeypatch.setattr("onnxray.engines.agreement.batch_decision._compared", lambda *_: pytest.fail("tried again"))
    assert again.values(MANY, ["y"])["y"].shape == (300, 4)


@pytest.mark.parametrize(
    "operator", ["ReduceMean", "Softmax", "Transpose", "Concat", "Split", "Flatten", "Gather", "Pad"]
)
@pytest.mark.parametrize("damage", ["kind", "no operands", "no axes"])
def test_of_damaged_nodes_nothing_is_said(operator: str, damage: str) -> None:
    shape = "" if damage == "no axes" else "[N,4]"
    proto = models.parse(f"g (float{shape} x) => (float y) {{ y = {operator} <axis = 1, axes = [1]> (x) }}")
    node = proto.graph.node[0]
    for attribute in node.attribute:
        if damage == "kind":
            attribute.CopyFrom(onnx.helper.make_attribute(attribute.name, "text"))
    if damage == "no operands":
        proto.graph.node[0].CopyFrom(onnx.helper.make_node(operator, ["", "x"], ["y"]))
    found = places(onnxray.open(proto).graph)["y"]
    assert isinstance(found, Apart | Lost) or found in {"still", "count", "copies"}


UNEVEN = {
    "count": "s = Shape (x)  n = Gather (s, first)  d = Cast <to = 1> (n)  u = Div (x, d)",
    "no rule": """h = Hardmax <axis = 1> (x)  z = NonZero (h)  t = Size (z)  d = Cast <to = 1> (t)  v = Mul (x, d)
        u = Div (v, thousand)""",
    "largest": "m = ReduceMax <keepdims = 0> (x)  u = Div (x, m)",
    "least and largest": """m = ReduceMax <keepdims = 0> (x)  l = ReduceMin <keepdims = 0> (x)  a = Sub (x, l)  b = Sub (m, l)
        u = Div (a, b)""",
    "sum over samples": "m = ReduceSum <keepdims = 0> (x)  s = Mul (x, x)  u = Div (s, m)",
    "branch": """m = ReduceMean <keepdims = 0> (x)  k = Greater (m, half)
        u = If (k) < then_branch = a () => (o) { o = Neg (x) }, else_branch = b () => (p) { p = Mul (x, x) } >""",
    "statistics of channels": """m = ReduceMean <axes = [0, 2, 3]> (x)  a = Sub (x, m)  s = Mul (a, a)
        v = ReduceMean <axes = [0, 2, 3]> (s)  w1 = Add (v, half)  w2 = Sqrt (w1)  u = Div (a, w2)""",
}
"""What comes out for a picture, where others are fed with it."""
FIVE = np.random.default_rng(3).integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)
FIVE[0] //= 4


def uneven(kind: str) -> onnx.ModelProto:
    weights = {
        "first": np.array(0), "thousand": np.float32(1000), "half": np.float32(0.5), "w": R(1, 4, 3, 3, 3),
        "head": R(2, 4, 5),
    }  # fmt: skip
    text = (
        f"g (float[N,3,8,8] x) => (float[N,5] y) {{ {UNEVEN[kind]}  c = Conv <pads = [1, 1, 1, 1]> (u, w)  r = Relu (c) "
        "p = GlobalAveragePool (r)  f = Flatten (p)  y = MatMul (f, head) }"
    )
    return models.parse(text, {name: array for name, array in weights.items() if name in text})


def alone(proto: onnx.ModelProto, name: str = "y") -> np.ndarray:
    """What ONNX Runtime gives for each picture by itself."""
    fed = [(image[None] / 255).astype(np.float32) for image in FIVE]
    return np.concatenate([models.run(proto, {"x": one}, [name])[0] for one in fed])


@pytest.mark.parametrize("kind", UNEVEN)
def test_pictures_that_would_change_each_other_are_asked_one_by_one(kind: str) -> None:
    """Each as if it were alone: its class, its values and its gradients; which results and inspect say."""
    proto = uneven(kind)
    model = onnxray.open(proto, profile="unit")
    expected = alone(proto)
    together = model.predict(FIVE, scores=True)
    np.testing.assert_allclose(together.scores, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.classify(FIVE), expected.argmax(1))
    assert any("so each is fed alone" in note for note in together.notes)
    assert "so each is fed alone" in str(model.mixing.note())
    for name in "ycf":
        np.testing.assert_allclose(model.values(FIVE, [name])[name], alone(proto, name), rtol=1e-5, atol=1e-6)
    if kind == "no rule":
        return  # torch has no place for how many there are
    np.testing.assert_allclose(model.values(FIVE, ["c"], "twin")["c"], alone(proto, "c"), rtol=1e-4, atol=1e-5)
    maps = Gradient()(model, FIVE, 0).items
    cotangent = {"c": R(7, 4, 8, 8)}
    pulled = model.pullback(FIVE, cotangent)
    at_layer = model.pullback(FIVE, {"y": R(8, 5)}, wrt="c")
    for row, image in enumerate(FIVE):
        np.testing.assert_array_equal(maps[row].heat, Gradient()(model, image[None], 0).items[0].heat)
        np.testing.assert_array_equal(pulled[row], model.pullback(image[None], cotangent)[0])
        np.testing.assert_array_equal(at_layer[row], model.pullback(image[None], {"y": R(8, 5)}, wrt="c")[0])
    found = model.verify(FIVE)
    assert found.agrees, found.reason
    assert "m" in {row.name for row in found.comparisons} or kind == "count"


def test_pictures_that_are_climbed_to_do_not_change_each_other() -> None:
    model = onnxray.open(uneven("largest"), profile="unit")
    values = model.twin.differentiable(["y"])
    pixels = torch.from_numpy(FIVE.astype(np.float32)).requires_grad_()
    y = values(pixels)["y"]
    np.testing.assert_allclose(y.detach().numpy(), alone(uneven("largest")), rtol=1e-4, atol=1e-5)
    (slope,) = torch.autograd.grad(y[0].sum(), pixels)
    assert slope[0].abs().max() > 0
    assert not slope[1:].any()


@pytest.mark.parametrize("name", ["m", "k"])
def test_what_is_one_for_all_pictures_is_refused_for_several(name: str) -> None:
    model = onnxray.open(uneven("branch"), profile="unit")
    assert model.values(FIVE[:1], [name])[name].shape == ()
    with pytest.raises(
        InputError, match=rf"value '{name}' of shape \[\] is one for all samples .* one sample at a time"
    ):
        model.values(FIVE, [name])
    if name == "m":
        assert model.pullback(FIVE[:1], {"m": np.float32(1)}).shape == (1, 3, 8, 8)
        with pytest.raises(InputError, match="give one sample at a time"):
            model.pullback(FIVE, {"m": np.float32(1)})


def test_a_statistic_of_channels_is_no_row_of_samples() -> None:
    model = onnxray.open(uneven("statistics of channels"), profile="unit")
    with pytest.raises(InputError, match=r"value 'm' of shape \[1, 3, 1, 1\] is one for all samples"):
        model.values(FIVE, ["m"])


def test_pictures_that_leave_each_other_alone_are_fed_together() -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    assert model.mixing.note() is None
    feeds = model.feeds(models.pictures(7))
    assert model.mixing.chunk(feeds, ("prob",), 64) == 64
