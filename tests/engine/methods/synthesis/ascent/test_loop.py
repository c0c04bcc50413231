"""The loop against closed forms on linear networks, and how it ends: divergence, Ctrl-C, the best kept, seeds."""

import numpy as np
import pytest
import torch

import onnxray
from onnxray.errors import InputError, NotDifferentiable, ZeroGradient
from onnxray.graph.value_names import Selection
from onnxray.methods.run import Progress, Run
from onnxray.methods.synthesis.ascent import optimizers
from onnxray.methods.synthesis.ascent.loop import Ascent, Climbed, climb
from onnxray.methods.synthesis.ascent.optimizers import LBFGS, Adam, DecayingAdaGrad, Momentum, Normalized, Optimizer
from onnxray.methods.synthesis.ascent.parametrizations import Pixels
from onnxray.methods.synthesis.ascent.projections import Bounds
from onnxray.methods.synthesis.ascent.regularizers import AlphaNorm, TotalVariation
from onnxray.methods.synthesis.ascent.stages import climb_in_turn
from onnxray.methods.synthesis.ascent.transforms import Crop
from onnxray.objectives.matching import Match
from onnxray.objectives.objective import Objective
from onnxray.objectives.parts_of_values import Element, Part
from support import models
from support.linear import SIDE, Linear, pictures

NET = Linear.random()
STEADY = Pixels(mean=(127.5,), noise=10)


def run_of(seed: int = 0, progress: Progress = lambda *_: None) -> Run:
    return Run(np.random.default_rng(seed), progress, [])


def score(class_: int, count: int = 1) -> Objective:
    return Element("z", np.full((count, 1), class_))


def gradient_ascent(rate: float, steps: int, **options) -> Ascent:
    return Ascent(
        steps=steps, parametrization=STEADY, optimizer=Momentum(schedule=((rate, steps),), momentum=0), **options
    )


def test_the_maximiser_of_a_linear_score_under_l2_is_w_over_two_lambda():
    direction = (NET.v @ NET.w)[2].reshape(1, SIDE, SIDE).astype(float)
    weight = np.abs(direction).max() / 200  # so that the maximiser, about the middle grey, stays within [0, 255]
    prior = AlphaNorm(weight=weight, alpha=2, centre=(127.5,))
    found = climb(NET.open(), score(2), gradient_ascent(0.4 / weight, 60, regularizers=(prior,)), run_of())
    np.testing.assert_allclose(found.images[0], 127.5 + direction / (2 * weight), atol=0.01)
    at = direction.ravel() / (2 * weight)
    best = direction.ravel() @ (127.5 + at) + NET.b[2] - weight * at @ at
    assert found.trace["total"][-1, 0] == pytest.approx(best, rel=1e-4)
    np.testing.assert_allclose(found.trace["total"], found.trace["objective"] - found.trace["norm-2"], rtol=1e-4)


def test_the_pre_image_of_a_full_rank_linear_map_is_the_image():
    side = SIDE * SIDE
    w = np.eye(side) + 0.3 * np.random.default_rng(1).uniform(-1, 1, (side, side)) / side**0.5
    net = Linear(w, NET.v[:, :4] @ np.eye(4, side), NET.b)
    image = pictures(2, seed=7)
    references = np.stack([net.h(one) for one in image]).astype(np.float32)
    plan = Ascent(steps=3, parametrization=STEADY, optimizer=LBFGS(evaluations=60), keep="best")
    found = climb(net.open(), Match("h", references), plan, run_of(), count=2)
    np.testing.assert_allclose(found.images, image, atol=0.05)


def test_the_pre_image_of_a_singular_map_is_the_start_plus_the_pseudo_inverse_of_what_is_missing():
    image = pictures(1, seed=7)
    plan = Ascent(steps=4, parametrization=Pixels(), optimizer=LBFGS(evaluations=60), keep="best")
    start = np.full((1, 1, SIDE, SIDE), 127.5, np.float32)
    found = climb(NET.open(), Match("h", NET.h(image)[None].astype(np.float32)), plan, run_of(), start=start)
    missing = np.linalg.pinv(NET.w.astype(float)) @ (NET.h(image) - NET.h(start))
    np.testing.assert_allclose(found.images[0].ravel(), 127.5 + missing, atol=0.05)


def test_images_of_a_batch_do_not_see_each_other():
    plan = gradient_ascent(0.05, 5, regularizers=(TotalVariation(weight=1, beta=1),), projections=(Bounds(),))
    start = pictures(3, seed=2).astype(np.float32)
    together = climb(NET.open(), Element("z", np.array([[0], [1], [2]])), plan, run_of(), start=start)
    for row in range(3):
        alone = climb(NET.open(), score(row), plan, run_of(), start=start[row : row + 1])
        np.testing.assert_allclose(together.images[row], alone.images[0], atol=1e-3)
        np.testing.assert_allclose(together.trace["total"][:, row], alone.trace["total"][:, 0], rtol=1e-5)


def test_a_file_that_fixes_its_batch_gives_what_a_free_one_gives():
    plan = gradient_ascent(0.05, 4)
    start = pictures(3, seed=2).astype(np.float32)
    objective = Element("z", np.array([[0], [1], [2]]))
    free = climb(NET.open(), objective, plan, run_of(), start=start)
    for batch in (1, 2):
        fixed = climb(NET.open(batch), objective, plan, run_of(), start=start)
        np.testing.assert_allclose(fixed.images, free.images, atol=1e-3)


def overshooting(keep: str, steps: int = 8) -> Climbed:
    """A quadratic whose rate is too large: every step makes it worse than the one before."""
    plan = Ascent(
        steps=steps, parametrization=STEADY, optimizer=Momentum(schedule=((1.5, steps),), momentum=0), keep=keep,
        regularizers=(AlphaNorm(weight=1, alpha=2, centre=(100.0,)),),
    )  # fmt: skip
    return climb(NET.open(), 1e-3 * score(0), plan, run_of())


def test_the_best_image_is_the_one_that_was_scored_best():
    best, last = overshooting("best"), overshooting("last")
    assert best.trace["total"][:, 0].argmax() == 0
    first = np.random.default_rng(0).integers(2**63)
    noise = torch.randn((1, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(int(first))).numpy()
    np.testing.assert_array_equal(best.images, np.float32(127.5) + np.float32(10) * noise)
    assert np.abs(last.images - best.images).max() > 50


@pytest.mark.parametrize("keep", ["last", "best"])
def test_a_run_that_diverges_is_stopped_and_said_and_its_best_kept(keep: str):
    found = overshooting(keep, steps=200)
    assert found.reason is not None
    assert found.reason == f"the run diverged at step {found.steps + 1} of 200; the best image before is kept"
    assert found.steps < 200
    assert len(found.trace["total"]) == found.steps
    assert np.isfinite(found.trace["total"]).all()
    np.testing.assert_array_equal(found.images, overshooting("best").images)


def test_ctrl_c_keeps_the_best_so_far():
    def progress(done: int, total: int, what: str) -> None:
        if done == 5:
            raise KeyboardInterrupt

    found = climb(NET.open(), score(1), gradient_ascent(0.01, 50), run_of(progress=progress))
    whole = climb(NET.open(), score(1), gradient_ascent(0.01, 50), run_of())
    assert found.interrupted
    assert found.steps == 5
    np.testing.assert_array_equal(found.trace["total"], whole.trace["total"][:5])
    again = climb(NET.open(), score(1), gradient_ascent(0.01, 4), run_of())
    np.testing.assert_array_equal(found.images, again.images)  # a linear score grows: the fifth evaluated is the best


def test_ctrl_c_before_the_first_step_has_nothing_to_keep():
    class Interrupted(Pixels):
        def image(self, parameters):
            if parameters[0].requires_grad:
                raise KeyboardInterrupt
            return super().image(parameters)

    plan = Ascent(steps=3, parametrization=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        climb(NET.open(), score(0), plan, run_of())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    plan = Ascent(steps=5, parametrization=STEADY, transforms=(Crop(pixels=3),), optimizer=Adam(learning_rate=2))
    one, same, other = (climb(NET.open(), score(1), plan, run_of(seed), count=2) for seed in (3, 3, 4))
    assert one.images.tobytes() == same.images.tobytes()
    assert one.images.tobytes() != other.images.tobytes()
    assert (one.images[0] != one.images[1]).any()
    assert one.images.shape == (2, 1, SIDE, SIDE)  # the margin of the crop is cut off


def test_snapshots_are_the_images_after_their_steps():
    found = climb(NET.open(), score(1), gradient_ascent(0.01, 7), run_of(), every=3)
    assert sorted(found.snapshots) == [3, 6]
    short = climb(NET.open(), score(1), gradient_ascent(0.01, 3), run_of())
    np.testing.assert_array_equal(found.snapshots[3], np.rint(short.images).astype(np.uint8))


def dead() -> onnxray.Model:
    """A rectifier that no image opens, and a step."""
    text = "g (float[N,1,4,4] x) => (float[N,1,4,4] y, float[N,1,4,4] s) { low = Sub (x, c)  y = Relu (low)  s = Sign (x) }"
    profile = onnxray.images.profile.profile.Profile(
        name="raw", layout="NCHW", channels="GREY", scale=1, mean=(0,), std=(1,), size=(4, 4)
    )
    return onnxray.open(models.parse(text, {"c": np.float32(1e6)}), profile)


def test_an_objective_without_a_gradient_is_refused_whatever_the_regularisers_say():
    priors = (AlphaNorm(weight=1, alpha=2),)
    with pytest.raises(ZeroGradient, match="mean of y is zero everywhere"):
        climb(dead(), Part(Selection("y")), Ascent(steps=2, parametrization=STEADY, regularizers=priors), run_of())
    with pytest.raises((NotDifferentiable, ZeroGradient), match="mean of s"):
        climb(dead(), Part(Selection("s")), Ascent(steps=2, parametrization=STEADY, regularizers=priors), run_of())


@pytest.mark.parametrize("steps", [0, -1, True, 1.5])
def test_steps_that_are_none_are_refused(steps):
    with pytest.raises(InputError, match="steps is"):
        Ascent(steps=steps)


def test_what_is_kept_is_the_best_or_the_last():
    with pytest.raises(InputError, match="keep is 'fist'; 'last' or 'best' was expected"):
        Ascent(steps=1, keep="fist")


def test_projections_need_pixels_and_a_start_must_fit():
    with pytest.raises(InputError, match="use the pixel parametrisation"):
        Ascent(steps=1, projections=(Bounds(),))
    with pytest.raises(InputError, match="the start has the shape"):
        climb(NET.open(), score(0), gradient_ascent(1, 1), run_of(), start=np.zeros((1, 1, 30, 30), np.float32))


def test_two_regularisers_of_one_name_are_added_in_the_trace():
    one = climb(NET.open(), score(0), gradient_ascent(1e-3, 2, regularizers=(TotalVariation(weight=3),)), run_of())
    parts = (TotalVariation(weight=1), TotalVariation(weight=2))
    two = climb(NET.open(), score(0), gradient_ascent(1e-3, 2, regularizers=parts), run_of())
    np.testing.assert_allclose(two.trace["total-variation-2"], one.trace["total-variation-2"], rtol=1e-5)


def numbers_of(climbed: Climbed, step: int) -> list[float]:
    images, totals = climbed.images, climbed.trace["total"][:, 1]
    return [images[0].mean(), images[1, 0, 3, 4], images[0, 0, 7, 2], totals[step], totals[-1]]


@pytest.mark.parametrize(
    ("optimizer", "recorded"),
    [
        (Adam(learning_rate=2), (128.08989, 117.0536, 125.53798, 5541.5693, 6112.2954)),
        (
            Momentum(schedule=((0.02, 3), (0.01, 3)), momentum=0.9),
            (127.71772, 107.11416, 123.89581, 5541.5693, 5733.584),
        ),
        (LBFGS(evaluations=6), (127.69611, 106.18512, 123.7303, 5541.5693, 6103.3301)),
        (DecayingAdaGrad(schedule=((0.5, 6),)), (127.93666, 115.40207, 125.03466, 5541.5693, 5974.7461)),
        (Normalized(start=2, end=0.5, norm="mean"), (128.05978, 118.74583, 124.78143, 5541.5693, 6055.0488)),
        (optimizers.Progress(most=100, desired=2), (127.69664, 106.199, 123.73098, 5541.5693, 5702.1338)),
    ],
)
def test_a_seeded_ascent_gives_what_it_once_gave(optimizer: Optimizer, recorded: tuple[float, ...]):
    """Recorded before the loop became an object; every digit is the machine's, so a few are held."""
    plan = Ascent(
        steps=6, parametrization=STEADY, transforms=(Crop(pixels=3),), regularizers=(TotalVariation(weight=0.01),),
        projections=(Bounds(),), optimizer=optimizer, redirected=2,
    )  # fmt: skip
    found = climb(NET.open(), score(1, 2), plan, run_of(5), count=2)
    np.testing.assert_allclose(numbers_of(found, 0), recorded, rtol=1e-5)


def test_seeded_stages_give_what_they_once_gave():
    stages = (
        Ascent(steps=4, parametrization=STEADY, optimizer=Adam(learning_rate=3), projections=(Bounds(),)),
        Ascent(steps=2, parametrization=Pixels(), optimizer=LBFGS(evaluations=5), keep="best"),
        Ascent(steps=3, parametrization=Pixels(), optimizer=DecayingAdaGrad(schedule=((0.5, 3),))),
    )
    match = Match("h", np.stack([NET.h(one) for one in pictures(2, seed=3)]).astype(np.float32))
    found = climb_in_turn(NET.open(), (score(0, 2), match, score(2, 2)), stages, run_of(2), count=2, every=3)
    recorded = (127.76071, 147.62776, 111.15408, -0.21163467, 2748.5278)
    np.testing.assert_allclose(numbers_of(found, 4), recorded, rtol=1e-4)
    assert sorted(found.snapshots) == [3, 6, 9]
