"""Tree ensembles of ``ai.onnx.ml``: evaluated exactly, all samples and trees at once, a level at a time.

No gradient: an ensemble is constant between its thresholds, and what is returned requires none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from onnxray.errors import UnsupportedOperator
from onnxray.importer.ops.classical.class_scores import TRANSFORMS, Labels, as_two, rows, transformed

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF")
LEAF, MEMBER = MODES.index("LEAF"), MODES.index("BRANCH_MEMBER")
_COLUMNS = ("roots", "modes", "features", "values", "missing", "yes", "no", "targets", "weights")


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Nodes of all trees as columns, children by position, and the targets and weights of what leaves add.

    ``members``: the position of a membership node -> the numbers that it lets through.
    """

    roots: torch.Tensor
    modes: torch.Tensor
    features: torch.Tensor
    values: torch.Tensor
    missing: torch.Tensor
    yes: torch.Tensor
    no: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    members: Mapping[int, torch.Tensor]

    def depth(self) -> int:
        """How many levels there are, checked to end: a node that comes again on its own path never ends."""
        level, deep = set(self.roots.tolist()), 0
        inner = (self.modes != LEAF).tolist()
        yes, no = self.yes.tolist(), self.no.tolist()
        while level := {child for node in level if inner[node] for child in (yes[node], no[node])}:
            deep += 1
            if deep > len(inner):
                raise ValueError("its nodes form a circle")
        return deep


class Ensemble(nn.Module):
    """The weights of the leaves that a sample ends in, joined by target: SUM, AVERAGE, MIN or MAX over the trees."""

    roots: torch.Tensor
    modes: torch.Tensor
    features: torch.Tensor
    values: torch.Tensor
    missing: torch.Tensor
    yes: torch.Tensor
    no: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor

    def __init__(self, trees: Trees, count: int, aggregate: str) -> None:
        super().__init__()
        self.count, self.aggregate, self.deep = count, aggregate, trees.depth()
        self.members = dict(trees.members)
        self.kinds = sorted(set(trees.modes.tolist()) - {LEAF})
        for name in _COLUMNS:
            self.register_buffer(name, getattr(trees, name), persistent=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(samples, targets) in the weights' type, and where a leaf said something of a target."""
        x = rows(x.detach())
        at = self.roots.expand(x.shape[0], -1)
        for _ in range(self.deep):
            number = x.gather(1, self.features[at])
            at = torch.where(self._holds(number, at), self.yes[at], self.no[at])
        kind = self.weights.dtype
        targets, weights = self.targets[at].flatten(1), self.weights[at].flatten(1)
        shape = (x.shape[0], self.count + 1)  # the last column takes the fillers of leaves with fewer weights
        said = torch.zeros(shape, device=x.device).scatter_add(
            1, targets, torch.ones_like(weights, dtype=torch.float32)
        )
        if self.aggregate in {"MIN", "MAX"}:
            how = "amin" if self.aggregate == "MIN" else "amax"
            y = torch.zeros(shape, dtype=kind, device=x.device)
            y = y.scatter_reduce(1, targets, weights, how, include_self=False)
        else:
            y = torch.zeros(shape, dtype=kind, device=x.device).scatter_add(1, targets, weights)
            if self.aggregate == "AVERAGE":
                y = y / len(self.roots)
        return y[:, :-1], said[:, :-1] > 0

    def _holds(self, number: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        """Whether each sample goes to the first child."""
        value, mode = self.values[at].to(number.dtype), self.modes[at]
        compared = (
            lambda: number <= value, lambda: number < value, lambda: number >= value,
            lambda: number > value, lambda: number == value, lambda: number != value,
        )  # fmt: skip
        result = torch.zeros_like(mode, dtype=torch.bool)
        for kind in self.kinds:
            if kind == MEMBER:
                for position, allowed in self.members.items():
                    result |= (at == position) & torch.isin(number, allowed.to(number))
            else:
                result |= (mode == kind) & compared[kind]()
        return result | (self.missing[at] & number.isnan())


class TreeRegressor(nn.Module):
    """transform(aggregate of the leaves + base value) for every target, as float32 (or the weights' double).

    Of several targets, one that no leaf named is 0 before the transform, whatever its base value, as in ONNX Runtime.
    """

    base: torch.Tensor

    def __init__(self, ensemble: Ensemble, base: torch.Tensor, transform: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.ensemble, self.transform, self.dtype = ensemble, transform, dtype
        self.register_buffer("base", base, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Evaluate."""
        y, said = self.ensemble(x)
        y = y + self.base.to(y.dtype)
        if y.shape[1] > 1:
            y = torch.where(said, y, 0)
        return transformed(y, self.transform).to(self.dtype)


class TreeClassifier(nn.Module):
    """The labels of the largest sums, and the sums + base values after the transform.

    Two classes of which the leaves name one alone (``single``) are decided by that one's sum s: above 0.5 where all
    weights are positive, above 0 otherwise; boosted trees are written so. The scores are 1 - s and s, or -s and s,
    where it is the first that they name, and 0 and s where it is the second. Of two that they name both, the second
    wins where its sum is above 0, and the labels are then 1 and 0. All that as in ONNX Runtime.
    """

    base: torch.Tensor

    def __init__(
        self, ensemble: Ensemble, base: torch.Tensor, transform: str, labels: Labels, single: int | None
    ) -> None:
        super().__init__()
        self.ensemble, self.transform, self.labels, self.single = ensemble, transform, labels, single
        self.positive = bool((ensemble.weights >= 0).all())
        self.register_buffer("base", base, persistent=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor | UnsupportedOperator, torch.Tensor]:
        """Classify."""
        sums, said = self.ensemble(x)
        base = self.base.to(sums.dtype)
        if self.labels.count > 2:
            scores = sums + base if len(base) else sums
            known = said if not len(base) else torch.ones_like(said)
            best = torch.where(known, scores, -torch.inf).argmax(-1)
            return self.labels.of(best), transformed(scores, self.transform).to(torch.float32)
        if self.single is not None:
            score = sums[:, self.single, None] + (base if len(base) else 0)
            positive = score[:, 0] > (0.5 if self.positive else 0.0)
            both = TRANSFORMS[self.transform](sums) if self.single else as_two(score, self.transform, not self.positive)
            return self.labels.of_pair(positive), both.to(torch.float32)
        first, second = sums[:, :1], said[:, 1:]
        positive = torch.where(second, sums[:, 1:], first)[:, 0] > 0
        scores = torch.where(second, TRANSFORMS[self.transform](sums), as_two(first, self.transform, mixed=True))
        label = self.labels.refusal or positive.to(torch.int64)
        return label, scores.to(torch.float32)
