"""Inversion: the error restated with ONNX Runtime, the presets' energies restated in numpy, what cannot be inverted."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.cli.app import app
from onnxray.errors import InputError, NotDifferentiable, OnnxrayError, UnknownValue
from onnxray.graph.depths import depths
from onnxray.images.profile.profile import Profile
from onnxray.methods.synthesis.invert import Invert
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.methods.synthesis.parts.invert_presets import InvertSetting, invert_recipe
from onnxray.objectives.goals import TargetValues
from onnxray.objectives.matching import Match, mask_of
from onnxray.results.result import Result
from support import models
from support.linear import Linear, pictures

FOUR = Path(onnxray_models.path("lenet")).parent / "samples" / "4_0.png"
NET = Linear.random()


def values_of(proto, image: np.ndarray, name: str) -> np.ndarray:
    """By a plain ONNX Runtime session."""
    return models.run(proto, {proto.graph.input[0].name: image}, [name])[0].astype(np.float64)


def error_of(found: np.ndarray, wanted: np.ndarray, mask: np.ndarray | float = 1.0) -> float:
    return float((((found - wanted) * mask) ** 2).sum() / ((wanted * mask) ** 2).sum())


@pytest.mark.parametrize("part", ["all", "centre", "half-channels"])
def test_the_error_is_that_of_the_saved_picture_by_onnx_runtime(part: str):
    proto = models.lenet()
    originals = np.rint(models.pictures(2))
    result = Invert(layer="relu1", preset="plain", part=part, steps=120, samples=2)(
        onnxray.open(proto, models.GREY), originals
    )
    assert [item.numbers_["sample"] for item in result.items] == [0, 1, 0, 1]
    mask = np.ones((1, 1, 12, 12))
    if part == "centre":
        mask[:] = 0
        mask[:, :, 4:9, 4:9] = 1
    for place, item in enumerate(result.items):
        picture, original = item.images["image"], originals[place // 2]
        assert item.images["original"] == pytest.approx(original)
        scaled = [((x[None] / 255 - 0.5) / 0.5).astype(np.float32) for x in (picture, original)]
        found, wanted = (values_of(proto, x, "relu1") for x in scaled)
        if part == "half-channels":
            mask = np.zeros((1, found.shape[1], 1, 1))
            mask[:, : found.shape[1] // 2] = 1
        assert item.numbers_["error"] == pytest.approx(error_of(found, wanted, mask), rel=1e-3)
        assert item.numbers_["error"] < -item.trace["objective"][0] / 3
        classes = [models.run(proto, {"x": x})[0].argmax() for x in scaled]
        assert item.numbers_["same_class"] == (classes[0] == classes[1])
        distance = np.linalg.norm(picture.astype(float) - original)
        assert item.numbers_["l2"] == pytest.approx(distance)
    first, second = (item.images["image"].astype(float) for item in result.items[:2])
    assert result.items[0].numbers_["other_samples_l2"] == pytest.approx(np.linalg.norm(first - second))
    assert np.linalg.norm(first - second) > 0


def test_four_depths_of_the_bundled_lenet_come_below_the_papers_errors_and_keep_the_class():
    result = Invert()(onnxray.open("lenet"), [FOUR])
    assert [item.layer for item in result.items] == ["conv1", "conv2", "ip1", "ip2"]
    for item, limit in zip(result.items, (0.05, 0.10, 0.15, 0.25)):
        assert item.numbers_["error"] < limit
        assert item.numbers_["same_class"] or item.layer == "ip2"
    assert result.items[0].numbers_["pass"] > 0.9


def setting(preset: str, **options) -> InvertSetting:
    given = {"shape": (3, 20, 30), "mean": (123.0, 117.0, 104.0), "depth": 0.5, "stride": 16}
    return InvertSetting(preset=preset, **(given | options))


def prior_of(preset: str, x: np.ndarray, **options) -> float:
    import torch

    (stage, *_) = invert_recipe(setting(preset, **options)).stages
    return sum(float(r.weight * r.penalty(torch.from_numpy(x[None]))) for r in stage.regularizers)


def variation(x: np.ndarray, beta: float) -> float:
    across = np.diff(x, axis=2, append=x[:, :, -1:])
    down = np.diff(x, axis=1, append=x[:, -1:])
    return float(((across**2 + down**2) ** (beta / 2)).sum())


def test_the_priors_of_the_presets_are_the_papers():
    x = np.random.default_rng(0).uniform(0, 255, (3, 20, 30))
    moved = x - np.reshape((123.0, 117.0, 104.0), (3, 1, 1))
    assert invert_recipe(setting("plain")).stages[0].regularizers == ()
    v = 80 / 6.5
    assert prior_of("tv1", x) == pytest.approx(0.005 * 40**0.5 * variation(x, 1) / (600 * v), rel=1e-4)
    assert prior_of("tv2", x, weight=2.0) == pytest.approx(0.006 * 66**0.5 * variation(x, 2) / (600 * v**2), rel=1e-6)
    assert prior_of("alpha-norm", x) == pytest.approx(0.01 * ((moved / 80) ** 6).sum() / 1800, rel=1e-6)
    sigma = 27098.1157 * np.sqrt(1800 / (3 * 227 * 227))
    for depth, smoothness in ((0.3, 0.5), (0.31, 5), (0.6, 5), (0.61, 50)):
        expected = (smoothness * variation(x, 2) + 4e-10 * (moved**6).sum()) / sigma**2
        assert prior_of("mahendran-2015", x, depth=depth) == pytest.approx(expected, rel=1e-6)
    norms = np.sqrt((moved**2).sum(0))
    expected = ((norms / 80) ** 6).sum() / 600 + variation(x, 2) / v**2 / 600
    assert prior_of("mahendran-2016", x) == pytest.approx(expected, rel=1e-6)


def test_the_schedules_of_the_presets_are_the_papers():
    squared = 27098.1157**2 * 1800 / (3 * 227 * 227)
    (only,) = invert_recipe(setting("mahendran-2015")).stages
    rates = [only.optimizer.rate(step, 400) for step in (0, 99, 100, 299, 300, 399)]
    assert only.steps == 400
    assert np.array(rates) / squared == pytest.approx(np.repeat((0.004, 0.0004, 0.00004), 2), rel=1e-3)
    shaken, still = invert_recipe(setting("mahendran-2016")).stages
    assert (shaken.steps, still.steps, shaken.margin, still.margin) == (300, 50, 3, 0)
    assert shaken.optimizer.rate(0, 300) == pytest.approx(0.05 * 80**2 / 6 * 600)
    assert still.optimizer.rate(0, 50) == pytest.approx(0.005 * 80**2 / 6 * 600)
    for preset in ("plain", "tv1", "tv2", "alpha-norm", "mahendran-2015", "mahendran-2016"):
        for steps in (1, 2, 7):
            assert sum(stage.steps for stage in invert_recipe(setting(preset, steps=steps)).stages) == steps


def test_the_starts_are_the_papers_noise():
    random, mean = np.random.default_rng(0), np.reshape((123.0, 117.0, 104.0), (1, 3, 1, 1))
    given = setting("mahendran-2015")
    noise = invert_recipe(given).start(given, 2, random) - mean
    assert np.linalg.norm(noise.reshape(2, -1), axis=1) == pytest.approx(27098.1157 * np.sqrt(1800 / (3 * 227 * 227)))
    given = setting("mahendran-2016")
    noise = invert_recipe(given).start(given, 2, random) - mean
    assert noise.shape == (2, 3, 23, 33)
    assert np.quantile(np.abs(noise).reshape(2, -1), 0.95, axis=1) == pytest.approx(80 / np.sqrt(3), rel=1e-3)


@pytest.mark.parametrize("preset", ["plain", "tv1", "tv2", "alpha-norm", "mahendran-2015", "mahendran-2016"])
def test_every_preset_comes_nearer_on_a_network(preset: str):
    model = onnxray.open(models.lenet(), models.GREY)
    original = np.rint(models.pictures(1))
    (item,) = Invert(layer="conv1", preset=preset, steps=40)(model, original).items
    assert item.steps == 40
    assert len(item.trace["total"]) == 40
    assert -item.trace["objective"][0] / -item.trace["objective"][-1] > 2


def test_a_representation_alone_gives_what_its_image_gives(tmp_path: Path):
    model = onnxray.open(models.lenet(), models.GREY)
    original = np.rint(models.pictures(1))
    method = Invert(layer="conv2", steps=10)
    (own,) = method(model, original).items
    values = model.values(original, ["conv2"])["conv2"]
    for goal in (TargetValues(values=values), TargetValues(values={"conv2": values[0]})):
        (alone,) = method(model, None, goal).items
        assert alone.images["image"].tobytes() == own.images["image"].tobytes()
        assert alone.numbers_["error"] == own.numbers_["error"]
        assert "l2" not in alone.numbers_
    result = Invert(steps=2)(model, None, TargetValues(values={"conv2": values}))
    assert [item.layer for item in result.items] == ["conv2"]
    saved = result.save(tmp_path / "run")
    assert saved.folder is not None
    again = Result.load(saved.folder, SynthesisItem)
    assert again.items[0].numbers() == json.loads(json.dumps(result.items[0].numbers()))


def test_layers_come_in_graph_order_and_the_default_spans_the_depths():
    model = onnxray.open(models.lenet(), models.GREY)
    result = Invert(layer=("conv2", "conv1"), steps=1)(model, models.pictures(2))
    assert [item.layer for item in result.items] == ["conv1", "conv1", "conv2", "conv2"]
    text = """
    g (float[N,1,4,4] x) => (float[N,2,4,4] y) {
      a = Conv (x, w)  b = Conv (a, v)  r = Relu (b)  c = Conv (a, v)
      sum = Add (r, c)  d = Conv (sum, v)  s = Shape (a)  y = Reshape (d, s)
    }"""
    weights = {"w": models.random(0, 2, 1, 1, 1), "v": models.random(1, 2, 2, 1, 1)}
    graph = onnxray.open(models.parse(text, weights)).graph
    assert depths(graph, "y", 9) == ("a", "sum", "d")  # branches count where they meet; shapes are no branch
    assert depths(graph, "y", 2) == ("a", "d")


@pytest.mark.parametrize("batch", [1, 2])
def test_a_file_that_fixes_its_batch(batch: int):
    method = Invert(layer="h", steps=5, samples=3)
    free, fixed = (method(net, pictures(1)) for net in (NET.open(), NET.open(batch)))
    for one, other in zip(free.items, fixed.items):
        difference = one.images["image"].astype(int) - other.images["image"]
        assert np.abs(difference).max() <= 1


def test_a_network_that_takes_its_channels_last():
    text = """
    g (float[N,12,12,3] x) => (float[N,5] z) {
      t = Transpose <perm = [0, 3, 1, 2]> (x)  c = Conv (t, w)  r = Relu (c)  l = Transpose <perm = [0, 2, 3, 1]> (r)
      f = Flatten (l)  z = MatMul (f, v)
    }"""
    weights = {"w": models.random(0, 4, 3, 3, 3), "v": models.random(1, 400, 5)}
    profile = Profile(
        name="last", layout="NHWC", channels="BGR", scale=1 / 255, mean=(0.4, 0.5, 0.6), std=(1, 1, 1), size=(12, 12)
    )
    proto = models.parse(text, weights)
    original = np.random.default_rng(0).integers(0, 256, (1, 3, 12, 12)).astype(np.uint8)
    result = Invert(layer=("l", "z"), preset="plain", steps=100)(onnxray.open(proto, profile), original)
    for item in result.items:
        fed = [
            (x[::-1].transpose(1, 2, 0)[None] / 255 - np.array((0.4, 0.5, 0.6))).astype(np.float32)
            for x in (item.images["image"], original[0])
        ]
        found, wanted = (values_of(proto, x, str(item.layer)) for x in fed)
        assert item.numbers_["error"] == pytest.approx(error_of(found, wanted), rel=1e-3)
        assert item.numbers_["error"] < 0.1


REFUSED = [
    ({"layer": "conv1"}, np.zeros((3, 3)), InputError, r"has the shape \[3, 3\]"),
    ({"layer": "conv1"}, np.full((6, 12, 12), np.nan), InputError, "finite numbers"),
    ({"layer": "conv1"}, np.zeros((6, 12, 12)), InputError, "zero throughout"),
    ({}, np.zeros((6, 12, 12)), InputError, "without its layer"),
    ({"layer": "conv1:99"}, None, UnknownValue, "there is no channel 99"),
    ({"layer": "conv9"}, None, UnknownValue, "no value 'conv9'"),
    ({"layer": "k"}, None, NotDifferentiable, "does not depend on the input"),
    ({"layer": "flat", "part": "centre"}, None, InputError, "5 x 5 neighbourhood"),
]


@pytest.mark.parametrize(("options", "values", "kind", "match"), REFUSED)
def test_what_cannot_be_inverted_is_refused_in_one_line(options, values, kind, match):
    text = """
    g (float[N,1,14,14] x) => (float[N,5] z) {
      conv1 = Conv (x, w)  relu = Relu (conv1)  flat = Flatten (relu)  m = MatMul (flat, v)  k = Exp (b)  z = Add (m, k)
    }"""
    weights = {"w": models.random(0, 6, 1, 3, 3), "v": models.random(1, 864, 5), "b": models.random(2, 5)}
    model = onnxray.open(models.parse(text, weights), models.GREY)
    goal = None if values is None else TargetValues(values=values)
    with pytest.raises(kind, match=match) as raised:
        Invert(steps=2, **options)(model, models.pictures(1) if goal is None else None, goal)
    assert isinstance(raised.value, OnnxrayError)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 0},
        {"steps": 1.5},
        {"samples": 0},
        {"weight": -1.0},
        {"rate": 0.0},
        {"jitter": -1},
        {"preset": "tv3"},
        {"part": "left"},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(InputError, match=f"{next(iter(options))} is"):
        Invert(**options)


def test_images_or_a_representation_and_not_both():
    goal = TargetValues(values=np.ones(6))
    for images, given in ((None, None), (pictures(1), goal)):
        with pytest.raises(InputError, match="either images or a representation"):
            Invert(layer="h")(NET.open(), images, given)
    with pytest.raises(InputError, match="the goal is 'inhibit'"):
        Invert(layer="h")(NET.open(), pictures(1), "inhibit")


def test_a_diverging_run_is_stopped_said_and_its_best_kept():
    model = onnxray.open(models.lenet(), models.GREY)
    method = Invert(layer="conv2", preset="mahendran-2015", rate=1e6, steps=100)
    (item,) = method(model, models.pictures(1)).items
    assert item.reason is not None
    assert "diverged" in item.reason
    assert item.steps < 100
    best = Invert(layer="conv2", preset="mahendran-2015", rate=1e6, steps=1)(model, models.pictures(1)).items[0]
    assert item.images["image"].tobytes() == best.images["image"].tobytes()


def test_pictures_too_small_for_ssim_say_so():
    text = "g (float[N,1,4,4] x) => (float[N,16] y) { y = Flatten (x) }"
    profile = Profile(name="raw", layout="NCHW", channels="GREY", scale=1, mean=(0,), std=(1,), size=(4, 4))
    (item,) = Invert(layer="y", steps=5)(onnxray.open(models.parse(text), profile), np.full((1, 1, 4, 4), 9.0)).items
    assert item.numbers_["pass"] is None
    assert "no SSIM and PASS" in str(item.reason)


def test_a_match_is_the_same_for_both_engines_and_checks_its_shapes():
    import torch

    given, wanted = np.random.default_rng(0).standard_normal((2, 3, 4, 5, 6)).astype(np.float32)
    mask = np.random.default_rng(1).random((4, 5, 6)) > 0.5
    expected = [-error_of(given[n], wanted[n], mask) for n in range(3)]
    match = Match("v", wanted, mask)
    assert match.score({"v": given}, slice(0, 3)) == pytest.approx(expected, rel=1e-5)
    assert match.score({"v": torch.from_numpy(given)}, slice(0, 3)).numpy() == pytest.approx(expected, rel=1e-5)
    assert match.rows(np.array([2, 0])).score({"v": given[[2, 0]]}, slice(0, 2)) == pytest.approx(
        [expected[2], expected[0]], rel=1e-5
    )
    with pytest.raises(InputError, match="has the shape"):
        match.score({"v": given[:, :3]}, slice(0, 3))
    with pytest.raises(InputError, match="the mask has the shape"):
        Match("v", wanted, mask[0])
    with pytest.raises(InputError, match="half of the channels"):
        mask_of("half-channels", "v", (7, 8))


def test_the_command_writes_pictures_numbers_and_the_trace_and_repeats_itself(tmp_path: Path):
    def run(*arguments) -> int:
        return CliRunner().invoke(app, ["invert", "lenet", *map(str, arguments)]).exit_code

    common = (FOUR, "--layer", "conv1", "--layer", "ip1", "--steps", 4, "--samples", 2, "--every", 2)
    assert run(*common, "-o", tmp_path / "a") == 0
    assert run(*common, "-o", tmp_path / "b") == 0
    found = json.loads((tmp_path / "a" / "result.json").read_text())
    assert [item["layer"] for item in found["items"]] == ["conv1", "conv1", "ip1", "ip1"]
    assert {"original", "image", "step-2", "step-4"} == set(found["items"][0]["files"])
    for item in found["items"]:
        for name in item["files"].values():
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / "sheet.png").is_file()
    assert (tmp_path / "a" / "trace.png").is_file()
    values = tmp_path / "values"
    assert CliRunner().invoke(app, ["values", "lenet", str(FOUR), "--value", "ip1", "-o", str(values)]).exit_code == 0
    assert run("--values", values / "values.npz", "--steps", 3, "-o", tmp_path / "c") == 0
    (item,) = json.loads((tmp_path / "c" / "result.json").read_text())["items"]
    assert item["layer"] == "ip1"
    assert run(FOUR, "--steps", 0, "-o", tmp_path / "d") == 1
    assert not (tmp_path / "d").exists()


def test_a_quantised_network_is_inverted_straight_through():
    text = """
    g (float[N,1,14,14] x) => (float[N,4,12,12] y) {
      c = Conv (x, w)  q = QuantizeLinear (c, s, z)  y = DequantizeLinear (q, s, z)
    }"""
    weights = {"s": np.float32(0.0713), "z": np.int8(0), "w": models.random(0, 4, 1, 3, 3)}
    proto = models.parse(text, {name: np.asarray(array) for name, array in weights.items()})
    original = np.rint(models.pictures(1))
    (item,) = Invert(layer="y", preset="plain", steps=80)(onnxray.open(proto, models.GREY), original).items
    fed = [((x.reshape(1, 1, 14, 14) / 255 - 0.5) / 0.5).astype(np.float32) for x in (item.images["image"], original)]
    found, wanted = (values_of(proto, x, "y") for x in fed)
    assert item.numbers_["error"] == pytest.approx(error_of(found, wanted), rel=1e-3)
    assert item.numbers_["error"] < 0.05
