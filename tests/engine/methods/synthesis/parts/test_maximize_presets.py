"""The presets' constants and their order, each restated step by step in numpy on a linear network; the redirected ReLU."""

import numpy as np
import onnx
import pytest
import scipy.ndimage
import torch
from onnx import numpy_helper

import onnxray
from onnxray.errors import InputError
from onnxray.images.profile.profile import Profile
from onnxray.importer.backward_rules import REDIRECTED
from onnxray.methods.synthesis.ascent.optimizers import Adam, DecayingAdaGrad, Progress
from onnxray.methods.synthesis.ascent.parametrizations import Fourier
from onnxray.methods.synthesis.ascent.transforms import Similarity
from onnxray.methods.synthesis.maximize import Maximize
from onnxray.methods.synthesis.parts.maximize_presets import MaximizeSetting, maximize_recipe
from support import models

SIDE, MEAN = 8, 100.0
RAW = Profile(name="raw", layout="NCHW", channels="GREY", scale=1, mean=(MEAN,), std=(1,), size=(SIDE, SIDE))
WEIGHT = models.random(1, SIDE * SIDE, 2, scale=0.05)
LINEAR = f"linear (float[N,1,{SIDE},{SIDE}] x) => (float[N,2] z) {{ flat = Flatten (x)\n z = MatMul (flat, w) }}"


def linear() -> onnxray.Model:
    return onnxray.open(models.parse(LINEAR, {"w": WEIGHT}), RAW)


def setting(preset: str, **options) -> MaximizeSetting:
    return MaximizeSetting(preset=preset, shape=(1, SIDE, SIDE), mean=(MEAN,), **options)


TABLE = {
    "yosinski-a": (0.0, 0.5, 4, ("norm", 50), 500, (100.0, 2.0)),
    "yosinski-b": (0.3, 0.0, 0, ("norm", 20), 750, (100.0, None)),
    "yosinski-c": (0.0001, 1.0, 4, None, 1000, (100.0, None)),
    "yosinski-d": (0.0, 0.5, 4, ("contribution", 90), 1000, (1e8, 2.0)),
}


@pytest.mark.parametrize("preset", TABLE)
def test_yosinskis_sets_are_table_1_in_its_order(preset):
    decay, blur, every, clip, steps, (most, desired) = TABLE[preset]
    made = maximize_recipe(setting(preset))
    assert made.stages[0].steps == steps
    assert made.stages[0].keep == "best"
    count = 10
    start = made.start(setting(preset), 1, np.random.default_rng(0))
    g = WEIGHT[:, 1].reshape(SIDE, SIDE).astype(np.float64)
    x = start[0, 0].astype(np.float64)
    objectives, seen = [], []
    for step in range(count):
        objectives.append(float((g * (x - MEAN)).sum()))
        seen.append(x)
        rate = most if desired is None else min(most, desired / (g**2).sum())
        d = (x + rate * g - MEAN) * (1 - decay)
        if blur and step % every == 0:
            d = scipy.ndimage.gaussian_filter(d, blur)
        if clip is not None:
            size = np.abs(d) if clip[0] == "norm" else np.abs(d * g)
            d = np.where(size < np.percentile(size, clip[1]), 0, d)
        x = np.clip(MEAN + d, 0, 255)
    result = _climbed(preset, count, start)
    np.testing.assert_allclose(result.trace["objective"][:, 0], objectives, rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(result.images[0, 0], seen[int(np.argmax(objectives))], atol=0.05)


def _climbed(preset, count, start):
    import dataclasses

    from onnxray.methods.run import Run
    from onnxray.methods.synthesis.ascent.loop import climb
    from onnxray.objectives.target_lists import one_target

    model = linear()
    plan = dataclasses.replace(maximize_recipe(setting(preset)).stages[0], steps=count)
    run = Run(np.random.default_rng(0), lambda *_: None, [])
    return climb(model, one_target(model, "z[1]"), plan, run, start=start)


def test_simonyan_climbs_from_the_mean_image_against_the_norm_about_it():
    made = maximize_recipe(setting("simonyan"))
    start = made.start(setting("simonyan"), 1, np.random.default_rng(0))
    assert (start == MEAN).all()
    result = _climbed("simonyan", 2, start)
    g = WEIGHT[:, 1].reshape(SIDE, SIDE).astype(np.float64)
    factor = 10 / (SIDE * SIDE * 80.0**2)
    moved = 2 * g / np.abs(g).mean()
    total = (g * moved).sum() - factor * (moved**2).sum()
    assert result.trace["total"][1, 0] == pytest.approx(total, rel=1e-4)
    second = g - 2 * factor * moved
    expected = MEAN + moved + 0.5 * second / np.abs(second).mean()
    np.testing.assert_allclose(result.images[0, 0], np.clip(expected, 0, 255), atol=1e-2)


def test_mahendran_is_the_papers_energy():
    made = maximize_recipe(setting("mahendran"))
    assert made.divides
    assert made.factor == pytest.approx(100**2 / SIDE**2)
    assert isinstance(made.stages[0].optimizer, DecayingAdaGrad)
    assert made.stages[0].optimizer.schedule == ((pytest.approx(0.05 * 80**2 / 6 * SIDE**2), 300),)
    x = models.pictures(1)[:, :, :SIDE, :SIDE].astype(np.float64)
    alpha, variation = (float(r.weight * r.penalty(torch.from_numpy(x))[0]) for r in made.stages[0].regularizers)
    assert alpha == pytest.approx((np.abs(x - MEAN) / 80) ** 6 @ np.ones(SIDE) @ np.ones(SIDE) / SIDE**2, rel=1e-6)
    p = np.pad(x[0, 0], ((0, 1), (0, 1)), mode="edge")
    squares = (p[:-1, 1:] - x[0, 0]) ** 2 + (p[1:, :-1] - x[0, 0]) ** 2
    assert variation == pytest.approx(squares.sum() / SIDE**2 / (80 / 6.5) ** 2, rel=1e-6)
    start = made.start(setting("mahendran"), 2, np.random.default_rng(0)) - MEAN
    assert start.shape == (2, 1, SIDE + 7, SIDE + 7)
    assert np.quantile(np.abs(start[1]), 0.95) == pytest.approx(80 / 3**0.5, rel=1e-3)


def test_lucid_is_its_published_constants():
    plan = maximize_recipe(setting("lucid")).stages[0]
    assert plan.steps == 512
    assert plan.parametrization == Fourier(deviation=0.01, decay=1.0, decorrelated=True)
    assert plan.optimizer == Adam(learning_rate=0.05)
    assert plan.transforms == (
        Similarity(
            scales=tuple(1 + (i - 5) / 50 for i in range(11)),
            degrees=(*range(-10, 11), 0, 0, 0, 0, 0),
            jitters=(8, 4),
            ground=127.5,
        ),
    )
    assert plan.redirected == 16


def test_progress_promises_what_is_desired_and_no_more_than_most():
    x = torch.zeros(3, 2, requires_grad=True)
    optimizer = Progress(most=0.5, desired=2.0).build([x])
    slopes = torch.tensor([[3.0, 4.0], [0.1, 0.0], [0.0, 0.0]])

    def closure():
        x.grad = -slopes
        return 0.0

    optimizer.step(closure)
    np.testing.assert_allclose(x.detach().numpy(), [[0.24, 0.32], [0.05, 0], [0, 0]], rtol=1e-6)


@pytest.mark.parametrize("operator", ["Relu", "Clip"])
def test_redirected_rectifiers_let_through_what_revives_a_dead_sample(operator):
    clip = operator == "Clip"
    text = f"g (float[N,4] x) => (float[N,4] y) {{ y = {operator} (x{', low, high' if clip else ''}) }}"
    bounds = {"low": np.float32(0).reshape(()), "high": np.float32(6).reshape(())} if clip else {}
    file = models.parse(text, bounds)
    model = onnxray.open(file)
    x = np.array([[-1, -2, -3, -4], [-1, 2, -3, 4], [-1, 7 if clip else -7, -1, 7 if clip else -7]], np.float32)
    slope = np.array([[1, -1, 2, -2], [1, -1, 2, -2], [1, 1, -1, -1]], np.float32)  # of a loss
    variable = torch.from_numpy(x).requires_grad_()
    value = model.twin.differentiable(("y",), rules=REDIRECTED)(variable)["y"]
    np.testing.assert_array_equal(value.detach().numpy(), models.run(file, {"x": x})[0])
    (found,) = torch.autograd.grad(value, variable, torch.from_numpy(slope))
    expected = [
        [0, -1, 0, -2],  # dead: what lowers the loss by raising x
        [0, -1, 0, -2],  # alive: its own gradient, at 2 and 4
        [0, 1, -1, 0] if clip else [0, 0, -1, -1],
    ]
    np.testing.assert_array_equal(found.numpy(), expected)


def test_a_dead_start_is_climbed_by_lucid_alone():
    text = f"""dead (float[N,1,{SIDE},{SIDE}] x) => (float[N,2] z) {{
      flat = Flatten (x)\n a = MatMul (flat, w)\n b = Sub (a, c)\n z = Relu (b) }}"""
    grey = (127.5 - MEAN) * WEIGHT.sum(0) + 8  # what a grey image falls short by 8 of
    model = onnxray.open(models.parse(text, {"w": WEIGHT, "c": grey}), RAW)
    item = Maximize(preset="lucid", steps=40)(model, None, "z[1]").items[0]
    assert item.trace["objective"][0] == 0
    assert item.numbers_["activation"] > 0
    with pytest.raises(onnxray.errors.ZeroGradient, match="zero everywhere at the start"):
        Maximize(preset="plain", steps=2)(model, None, "z[1]")


def generator(path, weight, bias, side=SIDE + 2) -> str:
    text = f"""generator (float[N,{len(weight)}] h) => (float[N,1,{side},{side}] y) {{
      a = MatMul (h, w)\n b = Add (a, c)\n y = Reshape (b, s) }}"""
    shape = numpy_helper.from_array(np.array([-1, 1, side, side], np.int64), "s")
    model = models.parse(text, {"w": weight, "c": bias})
    model.graph.initializer.append(shape)
    onnx.save(model, path)
    return str(path)


def test_dgn_am_moves_the_code_alone(tmp_path):
    side = SIDE + 2
    weight, bias = models.random(3, 5, side * side, scale=0.05), models.random(4, side * side, scale=0.1)
    file = generator(tmp_path / "g.onnx", weight, bias)
    steps = 4
    result = Maximize(preset="dgn-am", generator=file, steps=steps, rate=0.5, code_decay=0.1, code_most=1.0)(
        linear(), None, "z[1]", seed=5
    )
    cut = weight.reshape(5, side, side)[:, 1:-1, 1:-1].reshape(5, -1).astype(np.float64)
    g = 127.5 * cut @ WEIGHT[:, 1]
    random = torch.Generator().manual_seed(int(np.random.default_rng(5).integers(2**63)))
    h = torch.randn((1, 5), generator=random).clamp(-3, 1)[0].double().numpy()
    for step in range(steps):
        rate = 0.5 + (1e-10 - 0.5) * step / (steps - 1)
        h = np.clip(0.9 * (h + rate * g / np.abs(g).mean()), -3, 1)
    middle = bias.reshape(side, side)[1:-1, 1:-1].ravel()
    expected = np.clip(127.5 * (h @ cut + middle + 1), 0, 255).reshape(SIDE, SIDE)
    np.testing.assert_allclose(result.items[0].images["image"][0], np.rint(expected), atol=1)


def test_generators_that_do_not_fit_are_refused(tmp_path):
    side = SIDE - 1
    small = generator(tmp_path / "g.onnx", models.random(3, 5, side * side), models.random(4, side * side), side)
    with pytest.raises(InputError, match=r"the generator gives \[1, 1, 7, 7\]"):
        Maximize(preset="dgn-am", generator=small, steps=1)(linear(), None, "z[1]")
    with pytest.raises(InputError, match="belong together"):
        Maximize(preset="lucid", generator=small, steps=1)(linear(), None, "z[1]")
    onnx.save(models.parse(LINEAR.replace("N,1", "N,C"), {"w": WEIGHT}), tmp_path / "free.onnx")
    with pytest.raises(InputError, match="one code of known size"):
        Maximize(preset="dgn-am", generator=str(tmp_path / "free.onnx"), steps=1)(linear(), None, "z[1]")
