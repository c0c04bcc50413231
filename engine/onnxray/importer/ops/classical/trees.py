"""Tree ensembles of ``ai.onnx.ml``: evaluated exactly, all samples and trees at once, a level at a time.

No gradient: an ensemble is constant between its thresholds, and what is returned requires none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
import torch
from torch import nn

from onnxray.errors import UnsupportedOperator
from onnxray.importer.nodes.scope import Converted, Converters, Scope
from onnxray.importer.ops.classical.class_scores import (
    TRANSFORMS,
    Labels,
    as_two,
    of_domain,
    post_transform,
    reals,
    rows,
    texts,
    transformed,
)

_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF")
_LEAF, _MEMBER = _MODES.index("LEAF"), _MODES.index("BRANCH_MEMBER")
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
_COLUMNS = ("roots", "modes", "features", "values", "missing", "yes", "no", "targets", "weights")
_NUMBERED_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


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
        inner = (self.modes != _LEAF).tolist()
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
        self.kinds = sorted(set(trees.modes.tolist()) - {_LEAF})
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
            if kind == _MEMBER:
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


def _columns(
    scope: Scope, roots: list[int], modes: list[int], values: torch.Tensor, yes: list[int], no: list[int],
    given: Sequence[tuple[int, int, float]], weights: torch.dtype, count: int, members: Mapping[int, torch.Tensor],
) -> Trees:  # fmt: skip
    """Check and pack. Leaves lead to themselves, and have as many weights as the one with most.

    ``given``: (node, target, weight) of every leaf; the fillers' target is ``count``.
    """
    total = len(modes)
    features = [int(number) for number in scope.attributes.get("nodes_featureids", ())]
    features += [0] * (total - len(features))
    missing = [bool(number) for number in scope.attributes.get("nodes_missing_value_tracks_true", ())]
    missing += [False] * (total - len(missing))
    if {len(values), len(yes), len(no), len(features), len(missing)} != {total} or not roots:
        raise scope.refuse("its columns of nodes are not of one length, or there are none")
    children = [child for k in range(total) if modes[k] != _LEAF for child in (yes[k], no[k])]
    if any(not 0 <= child < total for child in (*children, *roots)) or any(
        not 0 <= target < count for _, target, _ in given
    ):
        raise scope.refuse("a node or a target that it names is not there")
    by_node: dict[int, list[tuple[int, float]]] = {}
    for node, target, weight in given:
        by_node.setdefault(node, []).append((target, weight))
    width = max((len(found) for found in by_node.values()), default=1)
    targets, amounts = torch.full((total, width), count), torch.zeros(total, width, dtype=weights)
    for node, found in by_node.items():
        for column, (target, weight) in enumerate(found):
            targets[node, column], amounts[node, column] = target, weight
    own = list(range(total))
    leaf = [mode == _LEAF for mode in modes]
    return Trees(
        torch.tensor(roots), torch.tensor(modes), torch.tensor(features), values, torch.tensor(missing),
        torch.tensor([k if leaf[k] else yes[k] for k in own]), torch.tensor([k if leaf[k] else no[k] for k in own]),
        targets, amounts, members,
    )  # fmt: skip


def _old(scope: Scope, kind: str, count: int) -> Trees:
    """The trees of TreeEnsembleClassifier and TreeEnsembleRegressor: nodes are named by tree and number."""
    get, names = scope.attributes.get, texts(scope, "nodes_modes")
    ids = list(zip(get("nodes_treeids", ()), get("nodes_nodeids", ())))
    places = {key: k for k, key in enumerate(ids)}
    if len(places) != len(ids) or not set(names) <= set(_MODES) - {"BRANCH_MEMBER"} or len(names) != len(ids):
        raise scope.refuse("its nodes are repeated, or of a mode that is not known")
    modes = [_MODES.index(name) for name in names]
    children = {
        name: [places.get((tree, child), -1) for (tree, _), child in zip(ids, get(f"nodes_{name}nodeids", ()))]
        for name in ("true", "false")
    }
    roots = [k for k, (tree, _) in enumerate(ids) if k == 0 or ids[k - 1][0] != tree]
    amounts = reals(scope, f"{kind}_weights")
    leaves = [places.get(key, -1) for key in zip(get(f"{kind}_treeids", ()), get(f"{kind}_nodeids", ()))]
    targets = [int(target) for target in get(f"{kind}_ids", ())]
    if min(leaves, default=0) < 0 or not len(leaves) == len(targets) == len(amounts):
        raise scope.refuse("its weights belong to nodes that are not there")
    given = [(leaf, target, float(weight)) for leaf, target, weight in zip(leaves, targets, amounts.tolist())]
    given = [entry for entry in given if modes[entry[0]] == _LEAF]
    return _columns(
        scope, roots, modes, reals(scope, "nodes_values"), children["true"], children["false"],
        given, amounts.dtype, count, {},
    )  # fmt: skip


def _ensemble(scope: Scope, trees: Trees, count: int, aggregate: str) -> Ensemble:
    try:
        return Ensemble(trees, count, aggregate)
    except ValueError as error:
        raise scope.refuse(str(error)) from None


def _tree_regressor(scope: Scope) -> Converted:
    count, aggregate = int(scope.attributes.get("n_targets", 0)), str(scope.attributes.get("aggregate_function", "SUM"))
    base, transform = reals(scope, "base_values"), post_transform(scope)
    if count < 1 or aggregate not in _AGGREGATES or base.numel() not in {0, count}:
        raise scope.refuse(f"it has {count} targets, {base.numel()} base values and the aggregate {aggregate!r}")
    ensemble = _ensemble(scope, _old(scope, "target", count), count, aggregate)
    base = base if base.numel() else torch.zeros(count)
    return Converted(TreeRegressor(ensemble, base, transform, torch.float32), scope.node.inputs)


def _tree_classifier(scope: Scope) -> Converted:
    labels, base, transform = Labels(scope), reals(scope, "base_values"), post_transform(scope)
    named = {int(target) for target in scope.attributes.get("class_ids", ())}
    if labels.count < 2 or base.numel() not in {0, 1, labels.count}:
        raise scope.refuse(f"it has {labels.count} classes and {base.numel()} base values")
    single = min(named) if labels.count == 2 and len(named) == 1 else None
    if labels.count == 2 and (transform == "PROBIT" or base.numel() > (single == 0)):
        raise scope.refuse(
            f"two classes with {base.numel()} base values and the transform {transform}, which is left open"
        )
    ensemble = _ensemble(scope, _old(scope, "class", labels.count), labels.count, "SUM")
    return Converted(TreeClassifier(ensemble, base, transform, labels, single), scope.node.inputs, several=True)


def _tree_ensemble(scope: Scope) -> Converted:
    get = scope.attributes.get
    count, aggregate, transform = (
        int(get("n_targets", 1)),
        int(get("aggregate_function", 1)),
        int(get("post_transform", 0)),
    )
    splits, leaves = _tensor(get("nodes_splits")), _tensor(get("leaf_weights"))
    modes = [int(mode) for mode in _tensor(get("nodes_modes")).tolist()]
    if not 0 <= aggregate < 4 or not 0 <= transform < 5 or not set(modes) <= set(range(7)):
        raise scope.refuse(
            f"its aggregate_function {aggregate}, post_transform {transform} or nodes_modes are not known"
        )
    total = len(modes)
    yes, no = (
        [
            int(child) + (total if leaf else 0)
            for child, leaf in zip(get(f"nodes_{name}nodeids", ()), get(f"nodes_{name}leafs", ()))
        ]
        for name in ("true", "false")
    )
    targets = [int(target) for target in get("leaf_targetids", ())]
    given = [(total + k, target, float(weight)) for k, (target, weight) in enumerate(zip(targets, leaves.tolist()))]
    fillers = [0] * len(leaves)
    values = torch.cat([splits, splits.new_zeros(len(leaves))])
    trees = _columns(
        scope, [int(root) for root in get("tree_roots", ())], modes + [_LEAF] * len(leaves), values, yes + fillers,
        no + fillers, given, leaves.dtype, count, _members(scope, modes),
    )  # fmt: skip
    ensemble = _ensemble(scope, trees, count, _AGGREGATES[aggregate])
    name = _NUMBERED_TRANSFORMS[transform]
    return Converted(TreeRegressor(ensemble, torch.zeros(count), name, leaves.dtype), scope.node.inputs)


def _members(scope: Scope, modes: list[int]) -> Mapping[int, torch.Tensor]:
    """The sets of the membership nodes, in their order; NaN ends each."""
    positions = [k for k, mode in enumerate(modes) if mode == _MEMBER]
    if not positions:
        return {}
    numbers = _tensor(scope.attributes.get("membership_values"))
    ends = [k for k, number in enumerate(numbers.isnan().tolist()) if number]
    if len(ends) != len(positions):
        raise scope.refuse(f"it has {len(positions)} membership nodes and {len(ends)} sets for them")
    starts = [0, *(end + 1 for end in ends)]
    return {position: numbers[start:end] for position, start, end in zip(positions, starts, ends)}


def _tensor(proto: Any) -> torch.Tensor:
    return (
        torch.from_numpy(onnx.numpy_helper.to_array(proto).reshape(-1).copy()) if proto is not None else torch.zeros(0)
    )


CONVERTERS: Converters = {
    **of_domain("TreeEnsembleClassifier", (1, 3), _tree_classifier),
    **of_domain("TreeEnsembleRegressor", (1, 3), _tree_regressor),
    **of_domain("TreeEnsemble", (5,), _tree_ensemble),
}
