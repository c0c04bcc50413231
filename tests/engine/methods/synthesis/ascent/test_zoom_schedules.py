"""Zooming schedules: denoising, windows and whole runs restated in numpy; the published constants; facets; bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.errors import InputError, OnnxrayError
from onnxray.images.interpolation import bilinear
from onnxray.images.pixels import png_bytes
from onnxray.images.profile.profile import Profile
from onnxray.methods.run import Run
from onnxray.methods.synthesis.ascent.loop import Ascent, climb
from onnxray.methods.synthesis.ascent.optimizers import Normalized
from onnxray.methods.synthesis.ascent.parametrizations import Windowed
from onnxray.methods.synthesis.ascent.projections import Bounds, Denoise
from onnxray.methods.synthesis.ascent.stages import climb_in_turn
from onnxray.methods.synthesis.ascent.zoom_schedules import CENTRE_BIAS, FROM_A_MEAN, zooming
from onnxray.methods.synthesis.maximize import Maximize
from onnxray.methods.synthesis.parts.image_kinds import facets, k_means, principal
from onnxray.objectives.target_lists import one_target
from support import models

SIDE = 10
RAW = Profile(name="raw", layout="NCHW", channels="GREY", scale=1, mean=(0,), std=(1,), size=(SIDE, SIDE))
WEIGHT = models.random(1, SIDE * SIDE, 3, scale=0.05)
LINEAR = f"l (float[N,1,{SIDE},{SIDE}] x) => (float[N,3] p) {{ f = Flatten (x)  z = MatMul (f, w)  p = Softmax (z) }}"


def linear() -> onnxray.Model:
    return onnxray.open(models.parse(LINEAR, {"w": WEIGHT}), RAW)


def run_of(seed: int = 0) -> Run:
    return Run(np.random.default_rng(seed), lambda *_: None, [])


def bregman(x: np.ndarray, w: float) -> np.ndarray:
    """The docstring's formula, sweep by sweep."""
    rows, columns = x.shape
    u = np.zeros((rows + 2, columns + 2))
    u[1:-1, 1:-1] = x
    u[0, 1:-1], u[-1, 1:-1], u[1:-1, 0], u[1:-1, -1] = x[1], x[-1], x[:, 1], x[:, -1]
    d, b = np.zeros((2, *u.shape)), np.zeros((2, *u.shape))
    for _ in range(100):
        changed = 0.0
        for i in range(1, rows + 1):
            for j in range(1, columns + 1):
                before = u[i, j]
                slope = np.array([u[i, j + 1] - before, u[i + 1, j] - before])
                e = d - b
                around = u[i + 1, j] + u[i - 1, j] + u[i, j + 1] + u[i, j - 1]
                spread = e[0, i, j - 1] - e[0, i, j] + e[1, i - 1, j] - e[1, i, j]
                u[i, j] = (2 * w * (around + spread) + w * x[i - 1, j - 1]) / (9 * w)
                changed += (u[i, j] - before) ** 2
                t = slope + b[:, i, j]
                d[:, i, j] = t * (1 - 1 / (2 * w * np.sqrt((t**2).sum()) + 1))
                b[:, i, j] = t - d[:, i, j]
        if np.sqrt(changed / x.size) < 1e-3:
            break
    return u[1:-1, 1:-1]


@pytest.mark.parametrize(("step", "weight"), [(0, 0.02), (2, 0.51), (4, 1.0)])
def test_denoising_is_split_bregman_with_a_weight_that_ends_where_it_says(step: int, weight: float) -> None:
    x = np.random.default_rng(0).uniform(0, 255, (2, 3, 7, 8))
    denoise = Denoise(start=0.02, end=1.0, steps=5)
    found = denoise(torch.from_numpy(x), torch.zeros(x.shape), step).numpy()
    for n, c in ((0, 0), (1, 2)):
        np.testing.assert_allclose(found[n, c], bregman(x[n, c], weight), rtol=1e-6)
    grey = denoise(torch.from_numpy(x[:, :1]), torch.zeros(2, 1, 7, 8), step).numpy()
    np.testing.assert_array_equal(grey, found[:, :1])


def corner(random: torch.Generator, play: int, spread: float) -> tuple[int, int]:
    drawn = [play / 2 + spread * play * float(torch.randn((), generator=random)) for _ in range(2)]
    return int(np.clip(drawn[0], 0, play)), int(np.clip(drawn[1], 0, play))


@pytest.mark.parametrize("margin", [0.0, 0.2])
def test_a_window_is_moved_denoised_and_put_back_at_every_step(margin: float) -> None:
    steps, canvas, spread = 6, 14, 0.4
    start = np.random.default_rng(2).uniform(60, 190, (2, 1, SIDE, SIDE)).astype(np.float32)
    plan = Ascent(
        steps=steps, parametrization=Windowed(zoom=1.4, spread=spread, margin=margin),
        projections=(Bounds(high=200.0), Denoise(start=0.1, end=0.6, steps=steps)),
        optimizer=Normalized(start=3, end=5, norm="mean"),
    )  # fmt: skip
    model = linear()
    found = climb(model, one_target(model, "z[1]"), plan, run_of(4), start=start)
    random = torch.Generator().manual_seed(int(np.random.default_rng(4).integers(2**63)))
    whole = bilinear(start.astype(np.float64), (canvas, canvas))[:, 0]
    g = WEIGHT[:, 1].reshape(SIDE, SIDE).astype(np.float64)
    edge = round(margin * SIDE)
    g = np.pad(g[edge : SIDE - edge, edge : SIDE - edge], edge)
    corners = []
    for step in range(steps):
        i, j = corner(random, canvas - SIDE, spread)
        corners.append((i, j))
        window = whole[:, i : i + SIDE, j : j + SIDE]
        window = np.clip(window + (3 + 2 * step / (steps - 1)) * g / np.abs(g).mean(), 0, 200)
        window = np.stack([bregman(one, 0.1 + 0.5 * step / (steps - 1)) for one in window])
        whole[:, i : i + SIDE, j : j + SIDE] = window
    assert len(set(corners)) > 3
    np.testing.assert_allclose(found.whole[:, 0], whole, atol=0.02)
    np.testing.assert_allclose(found.images[:, 0], whole[:, 2:-2, 2:-2], atol=0.02)


def test_each_phase_goes_on_from_the_whole_of_the_last_and_snapshots_count_through() -> None:
    model = linear()
    objective = one_target(model, "z[1]")
    start = np.random.default_rng(2).uniform(60, 190, (1, 1, SIDE, SIDE)).astype(np.float32)

    def plan(zoom: float, steps: int) -> Ascent:
        optimizer = Normalized(start=2, end=2, norm="mean")
        return Ascent(steps=steps, parametrization=Windowed(zoom=zoom), projections=(Bounds(),), optimizer=optimizer)

    stages = (plan(1.0, 3), plan(1.4, 4))
    both = climb_in_turn(model, (objective,) * 2, stages, run_of(1), start=start, every=2)
    run = run_of(1)
    first = climb(model, objective, stages[0], run, start=start)
    second = climb(model, objective, stages[1], run, start=first.whole)
    third = climb_in_turn(model, (objective,) * 3, (*stages, plan(1.4, 1)), run_of(1), start=start)
    np.testing.assert_array_equal(both.images, second.images)
    np.testing.assert_array_equal(both.whole, second.whole)
    assert both.trace["objective"].shape == (7, 1)
    assert sorted(both.snapshots) == [2, 4, 6]
    moved = np.abs(third.whole - second.whole)
    assert third.whole.shape == (1, 1, 14, 14)
    assert moved.max() > 0
    assert (moved > 0).sum() <= SIDE * SIDE  # one window of the canvas, the rest as it was


PUBLISHED = {
    "centre-bias": (CENTRE_BIAS, [
        (190, (11, 11), (0.001, 0.05), 1.0, 0), (150, (6, 6), (0.01, 0.08), 1.2, 0), (150, (1, 1), (0.01, 2), 1.44, 0),
        (30, (3, 3), (0.1, 2), 1.44, 50), (10, (6, 3), (0.01, 2), 1.44, 0),
    ]),
    "multifaceted": (FROM_A_MEAN, [
        (190, (1, 2), (0.4, 0.4), 1.0, 0), (150, (1, 1), (0.01, 2), 1.2, 0), (20, (2, 2), (0.1, 2), 1.2, 50),
        (10, (2, 2), (0.4, 2), 1.2, 0),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("preset", PUBLISHED)
def test_the_schedules_are_the_authors(preset: str) -> None:
    phases, table = PUBLISHED[preset]
    stages = zooming(phases, (227, 227), None, None, 1.0)
    assert len(stages) == len(table)
    for stage, (steps, rate, weight, zoom, margin) in zip(stages, table):
        assert stage.steps == steps
        assert stage.optimizer == Normalized(start=rate[0], end=rate[1], norm="mean")
        assert stage.projections == (Bounds(), Denoise(start=weight[0], end=weight[1], steps=steps))
        assert isinstance(stage.parametrization, Windowed)
        assert (stage.parametrization.zoom, round(227 * stage.parametrization.margin)) == (zoom, margin)
        assert stage.keep == "last"


def test_steps_rate_and_smoothness_scale_a_schedule() -> None:
    for steps in (5, 6, 53, 530, 1000):
        counts = [stage.steps for stage in zooming(CENTRE_BIAS, (227, 227), steps, None, 1.0)]
        assert sum(counts) == steps
        assert min(counts) >= 1
    half = zooming(CENTRE_BIAS, (454, 454), None, 22.0, 4.0)
    assert [stage.optimizer.start for stage in half if isinstance(stage.optimizer, Normalized)] == [22, 12, 2, 6, 12]
    assert half[0].projections[1] == Denoise(start=0.001 / 8, end=0.05 / 8, steps=190)
    assert zooming(CENTRE_BIAS, (227, 227), None, None, 0.0)[0].projections == (Bounds(),)
    with pytest.raises(InputError, match="steps is 4; the preset has 5 phases"):
        zooming(CENTRE_BIAS, (227, 227), 4, None, 1.0)


def test_centre_bias_climbs_the_probability_first_and_then_the_logit() -> None:
    model = linear()
    item = Maximize(preset="centre-bias", steps=12, weight=0)(model, None, "class:1").items[0]
    early = sum(stage.steps for stage in zooming(CENTRE_BIAS, (SIDE, SIDE), 12, None, 0.0)[:2])
    objective = item.trace["objective"]
    start = 175 + 8 * np.random.default_rng(0).standard_normal((1, 1, SIDE, SIDE))
    z = start.astype(np.float32).reshape(1, -1).astype(np.float64) @ WEIGHT.astype(np.float64)
    first = float(z[0, 1] - np.log(np.exp(z - z.max()).sum()) - z.max())
    assert objective[0] == pytest.approx(first, rel=1e-4, abs=1e-5)
    logs, logits = (
        Maximize(preset="centre-bias", steps=12, weight=0, score=score)(model, None, "class:1").items[0].trace
        for score in ("log-probability", "logit")
    )
    assert len(objective) == 12
    assert objective[:early] == logs["objective"][:early]
    assert objective[early] > logs["objective"][early] + 1  # the same image; a logit is no logarithm of a share
    assert logits["objective"][0] == pytest.approx(float(z[0, 1]), rel=1e-4)


def test_principal_components_are_those_of_the_covariance() -> None:
    points = models.random(0, 30, 8).astype(np.float64) * np.arange(1, 9)
    found = principal(points, 3)
    values, vectors = np.linalg.eigh(np.cov(points.T))
    expected = (points - points.mean(0)) @ vectors[:, ::-1][:, :3]
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-8)
    np.testing.assert_allclose((found**2).sum(0) / 29, values[::-1][:3], rtol=1e-8)
    assert principal(points[:5], 50).shape == (5, 5)


def test_k_means_finds_what_lies_apart_and_its_centres_are_means() -> None:
    random = np.random.default_rng(3)
    truth = random.permutation(np.repeat(np.arange(4), [20, 12, 7, 1]))
    points = np.array([[0, 0], [30, 0], [0, 30], [30, 30]])[truth] + random.standard_normal((40, 2))
    labels, centres = k_means(points, 4, np.random.default_rng(0))
    for k in range(4):
        assert len(set(truth[labels == k])) == 1
        np.testing.assert_allclose(centres[k], points[labels == k].mean(0))
    again, _ = k_means(points, 4, np.random.default_rng(0))
    np.testing.assert_array_equal(labels, again)
    labels, _ = k_means(points[:5], 5, np.random.default_rng(1))
    assert sorted(labels) == [0, 1, 2, 3, 4]


def test_a_facet_starts_from_the_mean_of_the_fifteen_nearest_to_its_centre() -> None:
    random = np.random.default_rng(5)
    truth = np.repeat([0, 1], [25, 10])
    codes = np.array([[0, 0, 0], [50, 0, 0]])[truth] + random.standard_normal((35, 3))
    images = random.uniform(0, 255, (35, 1, 4, 4)).astype(np.float32)
    large, small = facets(codes, images, 2, random)
    assert (large.count, small.count) == (25, 10)
    assert sorted(small.nearest) == list(range(25, 35))
    distances = np.linalg.norm(codes[:25] - codes[:25].mean(0), axis=1)  # components turn the codes, no more
    assert sorted(large.nearest) == sorted(np.argsort(distances)[:15].tolist())
    np.testing.assert_allclose(large.mean, images[list(large.nearest)].mean(0), rtol=1e-5)


def kinds() -> list[np.ndarray]:
    """Nine pictures of upright stripes, then six of level ones, each with noise of its own."""
    random = np.random.default_rng(0)
    stripes = np.broadcast_to(127 + 80 * np.sin(np.arange(14) * 1.5), (14, 14))
    drawn = [stripes] * 9 + [stripes.T] * 6
    return [np.uint8(np.clip(one + 8 * random.standard_normal((14, 14)), 0, 255)) for one in drawn]


def test_each_target_gets_an_image_for_each_facet() -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    method = Maximize(preset="multifaceted", facets=2, steps=30, together=3, every=15)
    result = method(model, kinds(), ("class:1", "class:3"))
    assert [item.numbers_["images"] for item in result.items] == [9, 6, 9, 6]
    assert [item.numbers_["facet"] for item in result.items] == [0, 1, 0, 1]
    assert {int(k) for k in result.items[1].numbers_["mean of"]} == set(range(9, 15))
    mean = np.mean(kinds()[:9], 0)
    np.testing.assert_allclose(result.items[0].images["mean"][0], mean, atol=0.51)
    for item, target in zip(result.items, (1, 1, 3, 3)):
        before = model.values([item.images["mean"][0]], ["logits"])["ip2"][0, target]
        assert item.numbers_["activation"] > before
        assert item.trace["objective"][0] == pytest.approx(before, abs=0.05)
        assert set(item.snapshots) == {15, 30}
    assert "facets of 15 images by 'ip1'" in result.provenance.notes[0]
    again = method(model, kinds(), ("class:1", "class:3"))
    assert [i.images["image"].tobytes() for i in again.items] == [i.images["image"].tobytes() for i in result.items]


def test_the_command_takes_a_folder_and_puts_every_facet_on_one_sheet(tmp_path) -> None:
    folder, out = tmp_path / "images", tmp_path / "out"
    folder.mkdir()
    for k, image in enumerate(kinds()):
        (folder / f"{k:02}.png").write_bytes(png_bytes(image[None]))
    options = ["--preset", "multifaceted", "--facets", "2", "--steps", "4", "--target", "class:1", "--json"]
    result = CliRunner().invoke(app, ["visualize", "maximize", "lenet", str(folder), *options, "-o", str(out)])
    assert result.exit_code == 0, result.stderr
    items = json.loads(result.stdout)["items"]
    assert [item["images"] for item in items] == [9, 6]
    assert {Path(path).name for path in items[1]["mean of"].values()} == {f"{k:02}.png" for k in range(9, 15)}
    assert all({"image", "mean"} <= set(item["files"]) for item in items)
    assert (out / "sheet.png").is_file()


def test_codes_that_differ_by_rounding_alone_are_one() -> None:
    codes = np.array([[1.0, 2.0], [1.0, 2.0 + 1e-7], [5.0, 1.0]])
    images = np.zeros((3, 1, 2, 2), np.float32)
    assert [facet.count for facet in facets(codes, images, 2, np.random.default_rng(0))] == [2, 1]
    with pytest.raises(InputError, match="facets is 3; the 3 images have 2 different codes"):
        facets(codes, images, 3, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("options", "images", "said"),
    [
        ({}, 0, "begins from images of the target"),
        ({"facets": 3}, 2, "facets is 3; the 2 images have 2 different codes"),
        ({"facets": 2}, -3, "facets is 2; the 3 images have 1 different codes"),
        ({"facets": 2, "facets_layer": "nothere"}, 4, "no value 'nothere'"),
        ({"facets": 2, "facets_layer": "w1"}, 4, "w1"),
        ({"facets": 2, "steps": 3}, 4, "steps is 3; the preset has 4 phases"),
        ({"preset": "centre-bias"}, 1, "begins from none"),
    ],
)
def test_facets_that_cannot_be_are_refused_in_one_line(options: dict, images: int, said: str) -> None:
    given = kinds()[:images] if images > 0 else kinds()[:1] * -images or None
    with pytest.raises(OnnxrayError, match=said) as caught:
        Maximize(**{"preset": "multifaceted", "steps": 4, **options})(
            onnxray.open(models.lenet(), models.GREY), given, "1"
        )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"), [({"facets": 0}, "facets is 0"), ({"samples": 2}, "gives an image a facet: --facets")]
)
def test_options_out_of_range_are_refused(options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Maximize(preset="multifaceted", **options)
