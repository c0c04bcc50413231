"""Among whose representations a picture has come to lie (Sabour, Cao, Faghri, Fleet 2016, arXiv 1511.05122, section 4).

    rank of p around a   1 + how many of the others are nearer to a than p, by Euclidean distance at the layer
    K = 3                N(a) the K of the pictures beside that are nearest to a

``guide_rank``, ``source_rank``: of the guide and the source around the saved picture a, among the pictures beside and
these two. ``neighbours_shared``: |N(a) and N(g)| / K. ``rank_shift``: the mean over N(a) of the rank around g less that
around a, 0 where the guide has the same neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAREST = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbourhood:
    """Representations of the pictures beside, (m, numbers), m at least NEAREST."""

    beside: NDArray[np.float64]

    def numbers(
        self, own: NDArray[np.float64], source: NDArray[np.float64], guide: NDArray[np.float64]
    ) -> dict[str, Any]:
        """The figures of one picture, by its representation and those of its source and its guide."""
        own_apart, guide_apart = self._apart(own), self._apart(guide)
        to_guide, to_source = (float(np.linalg.norm(own - one)) for one in (guide, source))
        own_order, guide_order = (np.argsort(apart, kind="stable") for apart in (own_apart, guide_apart))
        own_rank, guide_rank = (np.argsort(order) + 1 for order in (own_order, guide_order))
        near = own_order[:NEAREST]
        return {
            "guide_rank": 1 + int((own_apart < to_guide).sum()) + int(to_source < to_guide),
            "source_rank": 1 + int((own_apart < to_source).sum()) + int(to_guide < to_source),
            "neighbours_shared": len({*near.tolist()} & {*guide_order[:NEAREST].tolist()}) / NEAREST,
            "rank_shift": float((guide_rank[near] - own_rank[near]).mean()),
        }

    def _apart(self, one: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm(self.beside - one, axis=1))
