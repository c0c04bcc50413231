"""What a result says and shows of arrays that were changed: distances in their own units, the arrays, and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.images.distances import l2, linf
from onnxray.images.drawing.samples import SampleFigures, SamplePictures
from onnxray.methods.array_variable import ArrayVariable

NO_PICTURES = "no SSIM and PASS: they are of pictures"


@dataclass(frozen=True, kw_only=True, eq=False)
class ChangedArrays:
    """One sample as it was and as it is, by name.

    before, after: the arrays. units: u of each (see ``Variable``). kinds: what each is read as.
    """

    before: Mapping[str, NDArray[Any]]
    after: Mapping[str, NDArray[Any]]
    units: Mapping[str, float]
    kinds: Mapping[str, str]
    words: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, variable: ArrayVariable, row: int, x: NDArray[Any]) -> ChangedArrays:
        """A sample of a variable, and what came of it, saved."""
        words, own = variable.samples.words, variable.samples.input
        return cls(
            before={name: array[row] for name, array in variable.arrays.items()},
            after={name: array[0] for name, array in variable.parts(x[None]).items()},
            units={name: float(units[row]) for name, units in variable.units.items()},
            kinds={name: variable.kind(name) for name in variable.names},
            words={own: words[row]} if words and own is not None else {},
        )

    @property
    def l2(self) -> float:
        """Over all of them, each in its own units."""
        return float(np.linalg.norm([l2(x, self.before[name]) for name, x in self.after.items()]))

    @property
    def linf(self) -> float:
        """The largest, each in its own units."""
        return max(linf(x, self.before[name]) for name, x in self.after.items())

    def numbers(self) -> dict[str, dict[str, Any]]:
        """Plain values for JSON, by name."""
        return {
            name: {
                "kind": self.kinds[name], "unit": self.units[name],
                "l2": l2(x, self.before[name]), "linf": linf(x, self.before[name]),
            }
            for name, x in self.after.items()
        }  # fmt: skip

    def figures(
        self, heats: Mapping[str, NDArray[Any]], samples: Mapping[str, NDArray[Any]], title: str, shown: str
    ) -> SampleFigures:
        """``figure NAME``: a sample, and numbers of its shape in colours; of embeddings of tokens the norm of each.

        title: stands above, with the name. shown: what the colours are.
        """
        drawn = {}
        for name, array in heats.items():
            heat = array.astype(np.float32)
            embedding = self.kinds[name] == "token ids" and heat.ndim > 1
            heat = np.linalg.norm(heat, axis=-1) if embedding else heat
            drawn[f"figure {name}"] = SamplePictures(
                sample=samples[name], heat=heat, span=float(np.abs(heat).max(initial=0)) or 1.0, signed=not embedding,
                colormap="auto", words=self.words.get(name, ()), kind=self.kinds[name], title=f"{title}: {name}",
                shown=shown,
            )  # fmt: skip
        return SampleFigures(drawn)
