"""Reads tree ensembles of ``ai.onnx.ml``, old and new, into the columns that are evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
import torch

from onnxray.importer.nodes.scope import Converted, Converters, Scope
from onnxray.importer.ops.classical.class_scores import (
    Labels,
    of_domain,
    post_transform,
    reals,
    texts,
)
from onnxray.importer.ops.classical.tree_ensembles import (
    LEAF,
    MEMBER,
    MODES,
    Ensemble,
    TreeClassifier,
    TreeRegressor,
    Trees,
)

_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
MOST_NODES = 500_000
"""Nodes of an ensemble that are imported: each takes about a kilobyte on the way, and gives no gradient."""
_NUMBERED_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


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
    children = [child for k in range(total) if modes[k] != LEAF for child in (yes[k], no[k])]
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
    leaf = [mode == LEAF for mode in modes]
    return Trees(
        torch.tensor(roots), torch.tensor(modes), torch.tensor(features), values, torch.tensor(missing),
        torch.tensor([k if leaf[k] else yes[k] for k in own]), torch.tensor([k if leaf[k] else no[k] for k in own]),
        targets, amounts, members,
    )  # fmt: skip


def _checked_size(scope: Scope) -> None:
    """Refuse an ensemble whose import would take many times the file."""
    longest = max((len(entry.ints) for entry in scope.node.proto.attribute), default=0)
    if longest > MOST_NODES:
        raise scope.refuse(
            f"its {longest:,} nodes are more than the {MOST_NODES:,} that are imported; they have no gradient, and "
            "ONNX Runtime evaluates them: predict, occlusion and RISE work"
        )


def _old(scope: Scope, kind: str, count: int) -> Trees:
    """The trees of TreeEnsembleClassifier and TreeEnsembleRegressor: nodes are named by tree and number."""
    get, names = scope.attributes.get, texts(scope, "nodes_modes")
    ids = list(zip(get("nodes_treeids", ()), get("nodes_nodeids", ())))
    places = {key: k for k, key in enumerate(ids)}
    if len(places) != len(ids) or not set(names) <= set(MODES) - {"BRANCH_MEMBER"} or len(names) != len(ids):
        raise scope.refuse("its nodes are repeated, or of a mode that is not known")
    modes = [MODES.index(name) for name in names]
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
    given = [entry for entry in given if modes[entry[0]] == LEAF]
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
    _checked_size(scope)
    count, aggregate = int(scope.attributes.get("n_targets", 0)), str(scope.attributes.get("aggregate_function", "SUM"))
    base, transform = reals(scope, "base_values"), post_transform(scope)
    if count < 1 or aggregate not in _AGGREGATES or base.numel() not in {0, count}:
        raise scope.refuse(f"it has {count} targets, {base.numel()} base values and the aggregate {aggregate!r}")
    ensemble = _ensemble(scope, _old(scope, "target", count), count, aggregate)
    base = base if base.numel() else torch.zeros(count)
    return Converted(TreeRegressor(ensemble, base, transform, torch.float32), scope.node.inputs)


def _tree_classifier(scope: Scope) -> Converted:
    _checked_size(scope)
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
    _checked_size(scope)
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
        scope, [int(root) for root in get("tree_roots", ())], modes + [LEAF] * len(leaves), values, yes + fillers,
        no + fillers, given, leaves.dtype, count, _members(scope, modes),
    )  # fmt: skip
    ensemble = _ensemble(scope, trees, count, _AGGREGATES[aggregate])
    name = _NUMBERED_TRANSFORMS[transform]
    return Converted(TreeRegressor(ensemble, torch.zeros(count), name, leaves.dtype), scope.node.inputs)


def _members(scope: Scope, modes: list[int]) -> Mapping[int, torch.Tensor]:
    """The sets of the membership nodes, in their order; NaN ends each."""
    positions = [k for k, mode in enumerate(modes) if mode == MEMBER]
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
