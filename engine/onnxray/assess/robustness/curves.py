"""What the smallest norms of images say of a model, and of the attacks that found them.

robust accuracy at eps   of all images, the share that is named rightly and has no success of norm <= eps
interval                 Wilson's, of 95 %: methods/attack/rates.py
optimality               1 - (m_a - m) / (e - m), m_a the mean over rightly named images of min(n_a, e), m that of the
                         smallest norm of all attacks, e the largest of those: 1 where an attack alone would have done
                         (AttackBench, Cina et al. 2025, arXiv 2404.19460, local optimality)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.assess.robustness.item import RobustnessItem
from onnxray.methods.attack.rates import share_of, share_with_interval, wilson

Norms = NDArray[np.float64]


def summary(
    items: Sequence[RobustnessItem], eps: Sequence[float], seconds: Mapping[str, float], alone: Sequence[str]
) -> dict[str, Any]:
    """The evaluation of a model, plain for JSON. seconds: what each attack took, over all images.

    alone: the attacks that were tried on every image whatever the others found, and have a curve of their own; of all
    ``after`` is the robust accuracy once they and those before them are run, as AutoAttack has it.
    """
    right = [item for item in items if item.correct]
    worst = _norms([item.smallest for item in right])
    names = list(dict.fromkeys(name for item in right for name in item.norms))
    by_attack = {name: _norms([item.norms.get(name) for item in right]) for name in names}
    own, after, least = [name for name in names if name in alone], dict[str, Norms](), np.full(len(right), np.inf)
    for name in names:
        after[name] = least = np.minimum(least, by_attack[name])
    count = len(items)
    return {
        "images": count, "misclassified": count - len(right),
        "clean_accuracy": share_with_interval(len(right), count),
        "curve": [
            {
                "eps": bound, "robust_accuracy": share_of(int((worst > bound).sum()), count),
                "interval": list(wilson(int((worst > bound).sum()), count)),
                "attacks": {name: share_of(int((by_attack[name] > bound).sum()), count) for name in own},
                "after": {name: share_of(int((norms > bound).sum()), count) for name, norms in after.items()},
            }
            for bound in (0.0, *eps)
        ],
        "smallest_norm": _spread(worst),
        "attacks": {
            name: {
                **_spread(norms), "optimality": optimality(norms, worst) if name in own else None,
                "seconds": round(seconds.get(name, 0.0), 3),
                "tried": sum(name in item.norms for item in right),
                "best_of": sum(item.attack == name for item in right), "queries": _queries(right, name),
            }
            for name, norms in by_attack.items()
        },
        "classes": _classes(items), "flips": _flips(right),
    }  # fmt: skip


def optimality(norms: Norms, best: Norms) -> float | None:
    """The formula at the top of the file; None where no attack succeeded, or all smallest norms are one."""
    finite = best[np.isfinite(best)]
    if not finite.size:
        return None
    end = float(finite.max())
    own, least = (float(np.minimum(one, end).mean()) for one in (norms, best))
    return 1 - (own - least) / (end - least) if end > least else 1.0


def quantile(norms: Norms, share: float) -> float | None:
    """A quantile where what was not reached counts as infinite; None where it is infinite."""
    if not norms.size:
        return None
    found = np.quantile(norms, share, method="inverted_cdf" if np.isinf(norms).any() else "linear")
    return float(found) if np.isfinite(found) else None


def _norms(values: Sequence[float | None]) -> Norms:
    return np.array([math.inf if value is None else value for value in values], np.float64)


def _spread(norms: Norms) -> dict[str, Any]:
    """Median and quartiles over rightly named images, the share that was flipped."""
    flipped = int(np.isfinite(norms).sum())
    return {
        "median": quantile(norms, 0.5), "lower_quartile": quantile(norms, 0.25),
        "upper_quartile": quantile(norms, 0.75), "flipped": share_of(flipped, len(norms)),
    }  # fmt: skip


def _queries(right: Sequence[RobustnessItem], name: str) -> dict[str, float]:
    """The mean over the images that the attack was run on."""
    counts = [item.queries[name] for item in right if name in item.queries]
    kinds = ("judge", "forward", "backward")
    return {kind: float(np.mean([count[kind] for count in counts])) if counts else 0.0 for kind in kinds}


def _classes(items: Sequence[RobustnessItem]) -> list[dict[str, Any]]:
    """Of each true class: how many, how many named rightly, and the spread of the smallest norms."""
    found = []
    for true in sorted({item.true for item in items}):
        own = [item for item in items if item.true == true]
        right = [item for item in own if item.correct]
        found.append({
            "class": true, "label": own[0].true_label, "images": len(own), "correct": len(right),
            **_spread(_norms([item.smallest for item in right])),
        })  # fmt: skip
    return found


def _flips(right: Sequence[RobustnessItem]) -> list[dict[str, Any]]:
    """From which class to which the smallest perturbations went, most frequent first."""
    counts: dict[tuple[int, str, int, str], int] = {}
    for item in right:
        if item.after is not None and item.after.class_ is not None:
            key = (item.true, item.true_label, item.after.class_, str(item.after.label))
            counts[key] = counts.get(key, 0) + 1
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [
        {"from": a, "from_label": la, "to": b, "to_label": lb, "images": n} for (a, la, b, lb), n in ordered
    ]  # fmt: skip
