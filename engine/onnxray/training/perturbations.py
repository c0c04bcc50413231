"""Perturbations of a batch by the network in training, within eps grey levels of L_inf and of [0, 255].

    fgsm     x + eps sign g,  g the gradient of the cross-entropy with the true class  (Goodfellow et al. 2015)
    fast     one step P(x + 1.25 eps sign g) from a uniform start in the ball  (Wong, Rice, Kolter 2020, 2001.03994)
    pgd      from a uniform start in the ball, `steps` times x <- P(x + 2.5 eps / steps sign g)  (Madry et al. 2018)
    hot-cold x + eps sign J^T w at the logits h: w_y = -|h_y|, w_t = |h_t| of the runner-up t  (Rozsa et al. 2016)
    lots     `steps` times x <- P(x + 2.5 eps / steps eta / max |eta|),  eta = J_l^T (f_l(t) - f_l(x)),  at a layer l
             that is drawn for each batch, t another picture of it  (Rozsa, Guenther, Boult 2016, section 6)
    feature  as pgd, down |f_l(x) - f_l(t)|^2 at such a layer  (after Sabour et al. 2016, by steps of the sign)

P projects to the ball and the range. What is drawn is seeded by the epoch. These are the training's own, without the
judge; what an attack achieves is said by onnxray's attacks, on saved pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch.nn.functional import cross_entropy

from onnxray.engines.cotangents import Tensors

_STEP: Final = 2.5
_FAST: Final = 1.25
Values = Callable[[torch.Tensor, Sequence[str]], Tensors]
Reading = Callable[[torch.Tensor], torch.Tensor]


def plain(value: torch.Tensor) -> torch.Tensor:
    """Scores as a softmax takes them, (N, K)."""
    return value.float().flatten(1)


@dataclass(frozen=True, kw_only=True)
class Perturbing:
    """What perturbs. values: named values of pixels. layers: those that are drawn from. read: scores of the logits."""

    values: Values
    logits: str
    layers: tuple[str, ...]
    eps: float
    steps: int
    random: torch.Generator
    read: Reading = plain

    def by(self, name: str, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The batch x (N, C, H, W) in grey levels of the classes y, perturbed; no gradient goes through it."""
        return KINDS[name](self, x, y)

    def scores(self, x: torch.Tensor) -> torch.Tensor:
        """Scores whose softmax is what the file says, (N, classes)."""
        return self.read(self.values(x, [self.logits])[self.logits])

    def layer(self) -> str:
        """One of the layers, drawn."""
        return self.layers[int(torch.randint(len(self.layers), (), generator=self.random))]

    def within(self, x: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
        """The nearest point of the ball around x and of the range."""
        return torch.clamp(torch.minimum(torch.maximum(moved, x - self.eps), x + self.eps), 0, 255)

    def start(self, x: torch.Tensor) -> torch.Tensor:
        """A uniform point of the ball."""
        drawn = torch.rand(x.shape, generator=self.random) * 2 - 1
        return self.within(x, x + self.eps * drawn.to(x))

    def climbed(
        self, x: torch.Tensor, begin: torch.Tensor, direction: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """`steps` steps along a direction of L_inf norm 1."""
        moved = begin
        for _ in range(self.steps):
            moved = self.within(x, moved + _STEP * self.eps / self.steps * direction(moved))
        return moved


def gradient(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """d function / d x, of the sum over a batch."""
    point = x.detach().requires_grad_()
    (found,) = torch.autograd.grad(function(point), point)
    return found


def _fgsm(own: Perturbing, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    g = gradient(lambda p: cross_entropy(own.scores(p), y, reduction="sum"), x)
    return own.within(x, x + own.eps * g.sign())


def _fast(own: Perturbing, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    begin = own.start(x)
    g = gradient(lambda p: cross_entropy(own.scores(p), y, reduction="sum"), begin)
    return own.within(x, begin + _FAST * own.eps * g.sign())


def _pgd(own: Perturbing, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    def direction(p: torch.Tensor) -> torch.Tensor:
        return gradient(lambda q: cross_entropy(own.scores(q), y, reduction="sum"), p).sign()

    return own.climbed(x, own.start(x), direction)


def _hot_cold(own: Perturbing, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    rows = torch.arange(len(x), device=y.device)

    def pulled(p: torch.Tensor) -> torch.Tensor:
        h = own.scores(p)
        fixed = h.detach()
        others = fixed.clone()
        others[rows, y] = -torch.inf
        hot = others.argmax(1)
        w = torch.zeros_like(fixed)
        w[rows, y], w[rows, hot] = -fixed[rows, y].abs(), fixed[rows, hot].abs()
        return (h * w).sum()

    return own.within(x, x + own.eps * gradient(pulled, x).sign())


def _lots(own: Perturbing, x: torch.Tensor, _y: torch.Tensor) -> torch.Tensor:
    layer = own.layer()
    with torch.no_grad():
        target = own.values(x, [layer])[layer].roll(1, 0)

    def direction(p: torch.Tensor) -> torch.Tensor:
        def pulled(q: torch.Tensor) -> torch.Tensor:
            value = own.values(q, [layer])[layer]
            return (value * (target - value.detach())).sum()

        eta = gradient(pulled, p)
        return eta / eta.abs().flatten(1).amax(1).clamp(min=1e-30).reshape(-1, 1, 1, 1)

    return own.climbed(x, x, direction)


def _feature(own: Perturbing, x: torch.Tensor, _y: torch.Tensor) -> torch.Tensor:
    layer = own.layer()
    with torch.no_grad():
        target = own.values(x, [layer])[layer].roll(1, 0)

    def direction(p: torch.Tensor) -> torch.Tensor:
        return -gradient(lambda q: (own.values(q, [layer])[layer] - target).square().sum(), p).sign()

    return own.climbed(x, own.start(x), direction)


KINDS: Final[Mapping[str, Callable[[Perturbing, torch.Tensor, torch.Tensor], torch.Tensor]]] = {
    "fgsm": _fgsm, "fast": _fast, "pgd": _pgd, "hot-cold": _hot_cold, "lots": _lots, "feature": _feature,
}  # fmt: skip
"""By name."""
