"""The base of attacks that look along one direction: the smallest scale of it that the judge takes, as it is saved.

    d(s) = round(within(s v)),   max |v| = 1,   s as line_search.py has it

Hard positives go on beyond the boundary: d(c s), c >= 1 (Rozsa, Rudd, Boult 2016, section 4.3).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.base import Attack, Attacked, Perturbations
from onnxray.methods.attack.line_search import Line, direction_of, resolve_search, search_scale
from onnxray.methods.attack.threat import NORMS, Floats, Norm
from onnxray.methods.option_checks import Range


@dataclass(frozen=True, kw_only=True)
class AlongDirection(Attack):
    """An attack along one direction, which one gradient gives."""

    max_scale: Annotated[
        int, "largest scale of the line search; pixels saturate, so more than 255 can matter", Range(1, 65_536)
    ] = 1024
    search: Annotated[
        Literal["auto", "exhaustive", "integers", "bisection"],
        "line search over every sixteenth of a grey level (exhaustive), over all whole numbers and every sixteenth of "
        "the last 32 (integers), or by growth and bisection; auto: integers or bisection, by the size of the image",
    ] = "auto"
    beyond: Annotated[
        float, "how far beyond the boundary to go: what the scale is multiplied by (hard positives: 1.05)",
        Range(1.0, 100.0),
    ] = 1.0  # fmt: skip

    @property
    @final
    def measure(self) -> Norm:
        """The scale is that of the largest number."""
        return NORMS["linf"]

    @property
    @final
    def budget(self) -> float | None:
        """None: the smallest scale is looked for."""
        return None

    @abstractmethod
    def directions(self, attacked: Attacked) -> Floats:
        """(n, numbers): where to go, of any length; zero where there is no way."""

    @final
    def perturb(self, attacked: Attacked) -> Perturbations:
        """The smallest scale of each direction; 0 where none reaches the goal."""
        oracle, found = attacked.oracle, self.directions(attacked)
        search = resolve_search(self.search, oracle.numbers)
        d = np.zeros((len(attacked), oracle.numbers), np.float32)
        whole, scales = d.copy(), list[float | None]()
        for place, row in enumerate(attacked.rows.tolist()):
            attacked.tell(place, len(attacked), "line search")
            direction = direction_of(found[place])
            scales.append(None)
            if direction is None:
                continue
            one = np.array([row])

            def saved(moved: NDArray[Any], one: NDArray[np.int64] = one) -> Floats:
                flat = moved.reshape(-1, oracle.numbers)
                return oracle.rounded(flat, np.repeat(one, len(flat)), self.measure).reshape(moved.shape)

            def hits(moved: NDArray[Any], one: NDArray[np.int64] = one) -> NDArray[np.bool_]:
                flat = moved.reshape(-1, oracle.numbers)
                asked = len(flat)
                if oracle.limit is not None:
                    asked = min(asked, max(0, oracle.limit - int(oracle.queries.total[one[0]])))
                met = np.zeros(len(flat), bool)
                met[:asked] = oracle.met(flat[:asked], np.repeat(one, asked))
                return met

            line = Line(np.zeros(oracle.numbers), direction, saved)
            end = search_scale(line, hits, max_scale=self.max_scale, search=search)
            scales[-1] = end.scale * self.beyond if end.reached else None
            if end.reached:
                d[place] = oracle.within((end.scale * self.beyond * direction)[None], one)[0]
                whole[place] = saved(d[place])
        return Perturbations(d=d, whole=whole, numbers={"scale": scales})
