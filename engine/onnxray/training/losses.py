"""What training goes down.

    adversarial  (1 - clean) CE(f(x'), y) + clean CE(f(x), y),  x' a perturbation of x  (Madry et al. 2018)
    trades       CE(f(x), y) + beta KL(p(x) | p(x')),  x' up that KL within the ball  (Zhang et al. 2019)
    virtual      CE(f(x), y) + weight KL(p(u) | p(u + r)), u without label, or x if none is  (Miyato et al. 2018):
                 d ~ N(0, I),  g = grad_d KL(p(u) | p(u + xi d / |d|)),  r = radius g / |g|, p(u) held fixed

f(x) are numbers whose softmax is what the file says of the K classes:

    classes, logits   z, as they stand before the softmax
    binary            (-z / 2, z / 2): the softmax is (1 - sigmoid z, sigmoid z), and CE the binary one
    probabilities     log p

|.| is the L2 norm of a sample in grey levels. xi = 2.55 (0.01 of the range) by default: the paper's 1e-6 is below what
float32 keeps of a prediction; ``agreement`` compares two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from onnxray.graph.classifier.readings import both_classes
from onnxray.graph.outputs.facts import OutputKind
from onnxray.training.perturbations import Perturbing, Reading, gradient, plain

Scores = Callable[[torch.Tensor], torch.Tensor]

_LEAST = 1e-30
_NEAR = 0.001 * 255
"""TRADES starts from x + 0.001 N(0, 1) of the range, for its loss has no gradient at x."""


def _binary(value: torch.Tensor) -> torch.Tensor:
    both: torch.Tensor = both_classes(value.float() / 2, probability=False)
    return both


def _logarithms(value: torch.Tensor) -> torch.Tensor:
    return plain(value).clamp(min=_LEAST).log()


def reading_of(kind: OutputKind) -> Reading:
    """How the value that ``logits`` names is read, of an output of this kind."""
    return {"binary": _binary, "probabilities": _logarithms}.get(kind, plain)


def divergence(held: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """KL(p | q) of each sample: p the probabilities that are held, q those of the scores."""
    return kl_div(log_softmax(scores, 1), held, reduction="none").sum(1)


def adversarial(scores: Scores, x: torch.Tensor, moved: torch.Tensor, y: torch.Tensor, clean: float) -> torch.Tensor:
    """Of a perturbed batch, and a share of the clean one."""
    loss = cross_entropy(scores(moved), y) if clean < 1 else torch.zeros(())
    return loss if clean == 0 else (1 - clean) * loss + clean * cross_entropy(scores(x), y)


def trades(scores: Scores, own: Perturbing, x: torch.Tensor, y: torch.Tensor, beta: float) -> torch.Tensor:
    """TRADES; the perturbation goes up the divergence from the clean prediction."""
    with torch.no_grad():
        held = softmax(own.scores(x), 1)

    def direction(p: torch.Tensor) -> torch.Tensor:
        return gradient(lambda q: divergence(held, own.scores(q)).sum(), p).sign()

    noise = torch.randn(x.shape, generator=own.random).to(x)
    moved = own.climbed(x, own.within(x, x + _NEAR * noise), direction)
    clean = scores(x)
    return cross_entropy(clean, y) + beta * divergence(softmax(clean, 1), scores(moved)).mean()


@dataclass(frozen=True, kw_only=True)
class Virtual:
    """Virtual adversarial training: the radius, the length at which the direction is looked for, how often."""

    radius: float
    xi: float
    rounds: int = 1

    def direction(self, own: Perturbing, x: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
        """r / radius: the direction that changes the prediction most, each sample's of norm 1."""
        with torch.no_grad():
            held = softmax(own.scores(x), 1)
        d = _unit(drawn.to(x))
        for _ in range(self.rounds):
            d = _unit(gradient(lambda p: divergence(held, own.scores(x + self.xi * p)).sum(), d))
        return d

    def loss(self, scores: Scores, own: Perturbing, x: torch.Tensor) -> torch.Tensor:
        """The divergence over the batch, p(x) held fixed."""
        drawn = torch.randn(x.shape, generator=own.random)
        moved = x + self.radius * self.direction(own, x, drawn)
        with torch.no_grad():
            held = softmax(scores(x), 1)
        return divergence(held, scores(moved)).mean()

    def agreement(self, own: Perturbing, x: torch.Tensor) -> float:
        """The mean cosine of the directions by xi and by ten times xi: near 1 where neither is rounding noise."""
        drawn = torch.randn(x.shape, generator=own.random)
        far = Virtual(radius=self.radius, xi=10 * self.xi, rounds=self.rounds)
        pair = [one.direction(own, x, drawn).flatten(1) for one in (self, far)]
        return float((pair[0] * pair[1]).sum(1).mean())


def _unit(d: torch.Tensor) -> torch.Tensor:
    """Each sample over its L2 norm; over its largest number first, which keeps float32 from running out."""
    d = d / d.abs().flatten(1).amax(1).clamp(min=1e-30).reshape(-1, 1, 1, 1)
    length = torch.linalg.vector_norm(d.flatten(1), dim=1)
    unit: torch.Tensor = d / length.clamp(min=1e-30).reshape(-1, 1, 1, 1)
    return unit
