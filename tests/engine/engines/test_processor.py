"""Files with products of uint8 and int8: served, noted or refused by what this processor makes of them.

Every expectation is stated for both kinds of processor, by the probe's answer; the numbers are those of the definition.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.engines.agreement import first_check
from onnxray.engines.integer_products import products, saturates
from onnxray.engines.processor import u8s8_saturates
from onnxray.errors import MismatchError, RuntimeRefusal
from onnxray.graph.reading import read_graph
from onnxray.importer.ops.quantised import quantization
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from support import defined, models

SATURATES = u8s8_saturates()
X = models.pictures(1, seed=3)


def eight_bits(kind: Any, seed: int, *shape: int) -> models.Array:
    limits = np.iinfo(kind)
    return np.random.default_rng(seed).integers(limits.min, limits.max + 1, shape).astype(kind)


SCALES = {
    "one": np.float32(1),
    "step": np.float32(1000),
    "wide": np.float32(2e6),
    "u": np.uint8(0),
    "i": np.int8(0),
    "mid": np.uint8(99),
}
K, W = eight_bits(np.int8, 1, 8, 1, 4, 4), eight_bits(np.int8, 2, 8 * 11 * 11, 3)

QDQ = """g (float[N,1,14,14] x) => (float[N,3] y) {
  [pixels] q = QuantizeLinear (x, one, u)
  d = DequantizeLinear (q, one, u)
  dk = DequantizeLinear (k, one, i)
  c = Conv (d, dk)
  p = QuantizeLinear (c, step, mid)
  e = DequantizeLinear (p, step, mid)
  f = Flatten (e)
  dw = DequantizeLinear (w, one, i)
  m = MatMul (f, dw)
  o = QuantizeLinear (m, wide, mid)
  y = DequantizeLinear (o, wide, mid)
}"""
DIRECT = """g (float[N,1,14,14] x) => (float[N,3] y) {
  [pixels] q = QuantizeLinear (x, one, u)
  [products] p = QLinearConv (q, one, u, k, one, i, step, mid)
  f = Flatten (p)
  m = QLinearMatMul (f, step, mid, w, one, i, wide, mid)
  y = DequantizeLinear (m, wide, mid)
}"""
MIXED = """g (float[N,1,14,14] x) => (float[N,3] y) {
  [pixels] q = QuantizeLinear (x, one, u)
  [products] p = QLinearConv (q, one, u, k, one, i, step, mid)
  d = DequantizeLinear (p, step, mid)
  f = Flatten (d)
  s = QuantizeLinear (f, step, i)
  m = QLinearMatMul (s, step, i, w, one, i, wide, i)
  y = DequantizeLinear (m, wide, i)
}"""
"""u8 x s8 and s8 x s8: under x64quantprecision ONNX Runtime finds no kernel for the latter."""

COMPUTED = """g (float[N,1,14,14] x) => (float[N,3] y) {
  [pixels] q = QuantizeLinear (x, tiny, u)
  h = Mul (x, half)
  s = QuantizeLinear (h, tiny, i)
  [products] m = MatMulInteger (q, s)
  r = Cast <to = 1> (m)
  d = Div (r, wide)
  f = Flatten (d)
  y = MatMul (f, v)
}"""
INSIDE = """g (float[N,1,14,14] x) => (float[N,3] y) {
  [pixels] q = QuantizeLinear (x, tiny, u)
  m = If (yes) <
    then_branch = left () => (o) { o = MatMulInteger (q, square) },
    else_branch = right () => (p) { p = MatMulInteger (q, square) } >
  r = Cast <to = 1> (m)
  d = Div (r, wide)
  f = Flatten (d)
  y = MatMul (f, v)
}"""
PROFILES = {text: dataclasses.replace(models.GREY, scale=1.0, mean=(0.0,), std=(1.0,)) for text in (QDQ, DIRECT, MIXED)}
UNIT = dataclasses.replace(models.GREY, mean=(0.0,), std=(1.0,))


OTHERS = {
    "half": np.float32(0.5), "tiny": np.float32(1 / 255), "v": models.random(4, 196, 3), "yes": np.array(True),
    "square": eight_bits(np.int8, 5, 14, 14),
}  # fmt: skip


def model(text: str, **more: Any) -> onnx.ModelProto:
    weights = {**SCALES, "k": K, "w": W, **OTHERS, **more}
    used = {name: np.asarray(array) for name, array in weights.items() if f" {name}" in text or f"({name}" in text}
    return models.parse(text, used, opset=13)


def opened(text: str, *, approximate: bool = False, **more: Any) -> onnxray.Model:
    return onnxray.open(model(text, **more), PROFILES.get(text, UNIT), approximate=approximate)


def exact_output(q: models.Array, kernels: models.Array = K, weights: models.Array = W) -> models.Array:
    """What the definition gives for ``QDQ`` and ``DIRECT``."""
    sums = defined.convolution(q, 0, kernels, group=1, pads=[0] * 4, strides=[1, 1])
    hidden = defined.requantised(sums, 1 / 1000, np.uint8(99)).reshape(len(q), -1)
    return defined.requantised(defined.product(hidden, 99, weights, 0), 1000 / 2e6, np.uint8(99))


def gradient(opened: onnxray.Model) -> models.Array:
    return np.asarray(opened.pullback(X, {opened.graph.outputs[0].name: lambda value, place: value * 0 + 1}))


def test_the_probe_tells_what_products_are_here() -> None:
    """The largest numbers, 64 deep, through another operator: exact where the probe says so, and not where it does not."""
    a, b = np.full((3, 64), 255, np.uint8), np.full((64, 5), 127, np.int8)
    (given,) = models.run(models.node("MatMulInteger", {"a": a, "b": b}, opset=10), {"a": a, "b": b})
    assert (given == 64 * 255 * 127).all() == (not SATURATES)


@pytest.mark.parametrize("off", [None, 0, 1, 2])
def test_the_probe_on_other_processors(off: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact sums by onnx's own evaluation of the probe, but for one kernel: of matrices, of vectors, of convolutions."""

    class Session:
        def __init__(self, model: bytes, options: object, providers: list[str]) -> None:
            self.model = ReferenceEvaluator(onnx.load_from_string(model))

        def run(self, names: None, feeds: dict[str, models.Array]) -> list[models.Array]:
            return [sums - (place == off) for place, sums in enumerate(self.model.run(names, feeds))]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    assert u8s8_saturates.__wrapped__() == (off is not None)


def relabelled(left: str, right: str) -> onnx.ModelProto:
    kinds = {"l": left, "r": right}
    return models.parse(
        f"g ({kinds['l']}[2,4] a, {kinds['r']}[4,3] b) => (int32[2,3] y) {{ y = MatMulInteger (a, b) }}"
    )


IF = """g (float[2,4] x) => (int32[2,3] y) {
  q = QuantizeLinear (x, one, u)
  y = If (yes) <
    then_branch = left () => (o) { o = MatMulInteger (q, k) },
    else_branch = right () => (p) { p = MatMulInteger (q, k) } >
}"""


@pytest.mark.parametrize(
    ("found", "direct", "computed", "fused"),
    [
        (model(QDQ), set(), False, True), (model(DIRECT), {"products", "QLinearMatMul_3"}, False, False),
        (model(COMPUTED), {"products"}, True, False), (relabelled("uint8", "int8"), {"MatMulInteger_0"}, True, False),
        (relabelled("int8", "int8"), set(), False, False), (relabelled("uint8", "uint8"), set(), False, False),
        (model(QDQ, k=np.abs(K.astype(int)).astype(np.uint8), w=W.astype(np.uint8), i=np.uint8(0)), set(), False, False),
        (models.parse(IF, {**{k: SCALES[k] for k in ("one", "u")}, "yes": np.array(True), "k": K[:4, 0, 0, :3]}), set(), False, False),
        (models.lenet(), set(), False, False),
    ],
)  # fmt: skip
def test_which_files_are_touched(found: onnx.ModelProto, direct: set[str], computed: bool, fused: bool) -> None:
    graph = read_graph(found)
    told = products(graph)
    assert ({node.name for node, _ in told.direct}, told.computed, told.fused) == (direct, computed, fused)
    assert len(told.inside) == ("If" in {node.operator for node in graph.nodes})
    assert saturates(graph) is (SATURATES if told.any else None)


@pytest.mark.parametrize("text", [QDQ, DIRECT, MIXED])
def test_what_can_be_made_exact_is_served_and_said(text: str) -> None:
    opened_ = opened(text)
    result = Gradient()(opened_, X, "y:1")
    found = opened_.verify(X)
    assert found.agrees, found.reason
    assert found.arithmetic.count("made exact") == SATURATES
    twin = opened_.values(X, ["y"], engine="twin")["y"]
    q = defined.requantised(X, 1, np.uint8(0))
    if text != MIXED:
        np.testing.assert_allclose(twin / 2e6 + 99, exact_output(q), atol=1.001)  # float sums may round one step off
    stamp = result.provenance
    assert stamp.machine["u8s8_saturates"] is SATURATES
    notes = [note for note in stamp.notes if "u8 x s8" in note]
    assert len(notes) == SATURATES
    assert all("predictions and values of this file are this processor's own; gradients" in note for note in notes)
    assert all("ONNX Runtime made exact" in note for note in notes)
    assert not any("APPROXIMATE" in note for note in notes)
    again = opened(text)
    assert gradient(again).any()  # as it is remembered, with the same note
    assert again.notes == tuple(notes)
    assert onnxray.to_torch(model(text)) is not None


def test_the_verdict_is_that_of_the_file_as_it_ships() -> None:
    found = opened(DIRECT)
    (shipped,) = models.run(model(DIRECT), {"x": X})
    np.testing.assert_array_equal(found.values(X, ["y"])["y"], shipped)
    q = defined.requantised(X, 1, np.uint8(0))
    off = np.abs(shipped / 2e6 + 99 - exact_output(q)).max()
    assert (off > 1.5) == SATURATES


def test_seven_bits_saturate_nowhere() -> None:
    found = opened(QDQ, k=K // 2, w=W // 2)
    gradient(found)
    assert len(found.notes) == SATURATES
    assert all("agreed with ONNX Runtime here" in note for note in found.notes)
    q = defined.requantised(X, 1, np.uint8(0))
    given = found.values(X, ["y"])["y"] / 2e6 + 99
    np.testing.assert_allclose(given, exact_output(q, K // 2, W // 2), atol=1.001)


def test_what_cannot_be_made_exact_is_refused_or_approximate() -> None:
    """Gradients of the approximation are the same on both kinds of processor; only what is said differs."""
    if SATURATES:
        with pytest.raises(MismatchError) as refused:
            gradient(opened(COMPUTED))
        said = str(refused.value)
        for part in ("u8 x s8", "no gradient is given", "predictions, values, occlusion, RISE", "--approximate"):
            assert part in said
        with pytest.raises(MismatchError, match="u8 x s8.*verify=False"):
            onnxray.to_torch(model(COMPUTED))
    else:
        assert gradient(opened(COMPUTED)).any()
    found = opened(COMPUTED, approximate=True)
    expected = found._new_twin().pullback(
        {"x": X}, (found.graph.outputs[0].name,), lambda values, place: {n: v * 0 + 1 for n, v in values.items()}
    )["x"]
    np.testing.assert_array_equal(gradient(found), expected)
    assert len(found.notes) == SATURATES
    assert all("APPROXIMATE gradients, as asked for" in note and "relative off" in note for note in found.notes)
    if SATURATES:  # what was let pass for one who asked is not remembered for others
        with pytest.raises(MismatchError):
            gradient(opened(COMPUTED))


@pytest.mark.parametrize("text", [COMPUTED, INSIDE])
def test_what_needs_no_gradient_works_where_none_is_given(text: str) -> None:
    found = opened(text)
    result = Occlusion(size=7, stride=7)(found, X, "y:1")
    assert np.isfinite(result.items[0].attribution).all()
    assert sum("u8 x s8" in note for note in result.provenance.notes) == SATURATES
    assert found.predict(X).classes.shape == (1,)
    if SATURATES:
        with pytest.raises(MismatchError, match="u8 x s8"):
            _ = found.twin


@pytest.mark.parametrize("text", [QDQ, DIRECT, MIXED, COMPUTED])
def test_a_twin_that_is_wrong_is_no_approximation(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another node is at fault: neither saturation nor having asked excuses it."""
    broken = quantization.FixedQuantize
    real = broken.forward
    monkeypatch.setattr(broken, "forward", lambda self, x: real(self, x * 1.1))
    with pytest.raises(MismatchError):
        gradient(opened(text, approximate=True))


def test_a_probe_that_says_yes_where_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong answer of the probe costs a note, not a gradient."""
    for owner in (first_check, onnxray.model.model):
        monkeypatch.setattr(owner, "saturates", lambda graph: True)
    found = onnxray.open(models.lenet(), models.GREY)
    assert np.asarray(found.pullback(X, {"logits": lambda value, place: value})).any()
    assert "agreed with ONNX Runtime here" in found.notes[0]


def test_a_judge_that_cannot_be_exact_says_so() -> None:
    graph = read_graph(model(COMPUTED))
    judge = onnxray.model.model.Judge(graph)
    assert (judge.where_exact() is judge) == (not SATURATES)
    if SATURATES:
        with pytest.raises(RuntimeRefusal, match="computed int8"):
            judge.where_exact().outputs({"x": X})
    assert judge.outputs({"x": X})["y"].shape == (1, 3)


def test_files_without_such_products_are_not_tried() -> None:
    found = onnxray.open(models.lenet(), models.GREY)
    result = Gradient()(found, X, 0)
    assert result.provenance.machine["u8s8_saturates"] is None
    assert not any("u8 x s8" in note for note in result.provenance.notes)


def test_the_command_line_asks_by_name(tmp_path: Path) -> None:
    path, picture = tmp_path / "m.onnx", tmp_path / "x.png"
    path.write_bytes(model(COMPUTED).SerializeToString())
    from PIL import Image

    Image.fromarray(X[0, 0].astype(np.uint8)).save(picture)
    arguments = ["saliency", "gradient", str(path), str(picture), "--profile", "unit", "--target", "y:1"]
    plain = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "a")])
    asked = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "b"), "--approximate"])
    assert plain.exit_code == int(SATURATES), plain.stderr
    assert asked.exit_code == 0, asked.stderr
    assert ("APPROXIMATE" in " ".join(asked.stderr.split())) == SATURATES
    classified = CliRunner().invoke(app, ["classify", str(path), str(picture), "--profile", "unit"])
    assert ("u8 x s8" in " ".join(classified.stderr.split())) == SATURATES
