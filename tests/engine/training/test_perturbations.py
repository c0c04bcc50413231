"""Perturbations and losses of training, restated in numpy on a linear network; within the ball and the range."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, softmax

import onnxray
import onnxray_models
from onnxray.graph.trainable.listing import chosen, constants_of
from onnxray.training.losses import Virtual, adversarial, divergence, trades
from onnxray.training.network import Network
from onnxray.training.perturbations import KINDS, Perturbing
from support import models

R = models.random
W = R(0, 12, 5, scale=0.01)


def linear(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(1) @ torch.from_numpy(W)


def perturbing(eps: float = 8.0, steps: int = 3) -> Perturbing:
    def values(x: torch.Tensor, names: list[str]) -> dict[str, torch.Tensor]:
        return {name: linear(x) for name in names}

    return Perturbing(
        values=values, logits="z", layers=("z",), eps=eps, steps=steps, random=torch.Generator().manual_seed(0)
    )


X = torch.from_numpy(np.random.default_rng(1).uniform(0, 255, (6, 1, 3, 4)).astype(np.float32))
Y = torch.arange(6) % 5


def probabilities(x: np.ndarray) -> np.ndarray:
    z = x.reshape(len(x), -1) @ W
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("eps", [0.5, 8.0, 300.0])
def test_every_perturbation_keeps_to_the_ball_and_the_range(kind: str, eps: float) -> None:
    moved = perturbing(eps).by(kind, X, Y)
    assert moved.shape == X.shape
    assert float((moved - X).abs().max()) <= eps + 1e-4
    assert float(moved.min()) >= 0
    assert float(moved.max()) <= 255
    assert not torch.equal(moved, X)
    assert not moved.requires_grad


def test_fgsm_is_a_step_of_the_sign_of_the_gradient() -> None:
    x = X.numpy()
    g = (probabilities(x) - np.eye(5)[Y.numpy()]) @ W.T
    wanted = np.clip(x + 8 * np.sign(g).reshape(x.shape), 0, 255)
    np.testing.assert_allclose(perturbing().by("fgsm", X, Y).numpy(), wanted, atol=1e-4)


def test_fast_is_one_long_step_from_a_point_of_the_ball() -> None:
    x = X.numpy()
    drawn = torch.rand(X.shape, generator=torch.Generator().manual_seed(0)).numpy() * 2 - 1
    begin = np.clip(x + 8 * drawn, 0, 255)
    g = ((probabilities(begin) - np.eye(5)[Y.numpy()]) @ W.T).reshape(x.shape)
    wanted = np.clip(np.clip(begin + 10 * np.sign(g), x - 8, x + 8), 0, 255)
    np.testing.assert_allclose(perturbing().by("fast", X, Y).numpy(), wanted, atol=1e-4)


def test_hot_cold_goes_from_the_own_class_to_the_runner_up() -> None:
    x = X.numpy()
    h = x.reshape(6, -1) @ W
    w = np.zeros_like(h)
    for k, y in enumerate(Y.tolist()):
        hot = max((j for j in range(5) if j != y), key=lambda j: h[k, j])
        w[k, y], w[k, hot] = -abs(h[k, y]), abs(h[k, hot])
    wanted = np.clip(x + 8 * np.sign(w @ W.T).reshape(x.shape), 0, 255)
    np.testing.assert_allclose(perturbing().by("hot-cold", X, Y).numpy(), wanted, atol=1e-4)


def test_lots_follows_the_pulled_back_difference_to_another_picture() -> None:
    x, t = X.numpy(), np.roll(X.numpy(), 1, 0)
    target, moved, step = t.reshape(6, -1) @ W, x.copy(), 2.5 * 8 / 3
    for _ in range(3):
        eta = ((target - moved.reshape(6, -1) @ W) @ W.T).reshape(x.shape)
        moved = moved + step * eta / np.abs(eta).max((1, 2, 3), keepdims=True)
        moved = np.clip(np.clip(moved, x - 8, x + 8), 0, 255)
    np.testing.assert_allclose(perturbing().by("lots", X, Y).numpy(), moved, atol=2e-3)


def test_pgd_raises_the_loss_more_than_fgsm_on_a_real_network() -> None:
    model = onnxray.open("lenet")
    network = Network(model, chosen(constants_of(model.graph)))
    digits = onnxray_models.samples("lenet")[:30]
    x = torch.from_numpy(np.array(model.pixels(list(digits)).array))
    y = torch.tensor([int(path.stem[0]) for path in digits])
    own = Perturbing(
        values=network.values, logits="ip2", layers=("conv2", "ip1"), eps=30.0, steps=10,
        random=torch.Generator().manual_seed(0),
    )  # fmt: skip
    losses = {name: float(cross_entropy(own.scores(own.by(name, x, y)), y).detach()) for name in KINDS}
    assert losses["pgd"] >= losses["fgsm"] > float(cross_entropy(own.scores(x), y).detach())
    assert all(master.stepped.grad is None for master in network.masters)

    def distance(moved: torch.Tensor) -> float:
        found = [own.values(p, ["conv2"])["conv2"].detach() for p in (moved, x, x.roll(1, 0))]
        return float((found[0] - found[2]).norm() / (found[1] - found[2]).norm())

    one = Perturbing(
        values=network.values, logits="ip2", layers=("conv2",), eps=60.0, steps=10,
        random=torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert distance(one.by("lots", x, y)) < 0.9
    assert distance(one.by("feature", x, y)) < 0.9


def test_the_losses_are_their_formulas() -> None:
    x, moved = X.numpy(), np.clip(X.numpy() + 3, 0, 255)
    p, q = probabilities(x), probabilities(moved)
    ce = [-np.log(one[np.arange(6), Y.numpy()]).mean() for one in (p, q)]
    for clean in (0.0, 0.25, 1.0):
        found = float(adversarial(linear, X, torch.from_numpy(moved), Y, clean))
        assert found == pytest.approx(clean * ce[0] + (1 - clean) * ce[1], rel=1e-4)
    kl = (p * (np.log(p) - np.log(q))).sum(1)
    np.testing.assert_allclose(
        divergence(softmax(linear(X), 1), linear(torch.from_numpy(moved))), kl, rtol=1e-2, atol=1e-6
    )
    assert float(trades(linear, perturbing(), X, Y, 0.0)) == pytest.approx(ce[0], rel=1e-4)
    assert float(trades(linear, perturbing(), X, Y, 6.0)) > ce[0]


def test_the_virtual_direction_is_the_one_that_changes_a_prediction_most() -> None:
    """The top eigenvector of J^T H J, H the Fisher matrix of the softmax: a power iteration comes near it."""
    virtual = Virtual(radius=20.0, xi=2.55, rounds=40)
    drawn = torch.randn(X.shape, generator=torch.Generator().manual_seed(3))
    found = virtual.direction(perturbing(), X, drawn).numpy().reshape(6, -1)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    for k, p in enumerate(probabilities(X.numpy())):
        fisher = W @ (np.diag(p) - np.outer(p, p)) @ W.T
        values, vectors = np.linalg.eigh(fisher)
        if values[-1] > 1.5 * values[-2]:
            assert abs(found[k] @ vectors[:, -1]) > 0.98


def test_a_length_that_float32_loses_is_told() -> None:
    own = perturbing()
    assert Virtual(radius=20.0, xi=2.55).agreement(own, X) > 0.9
    assert Virtual(radius=20.0, xi=1e-6).agreement(own, X) < 0.9
