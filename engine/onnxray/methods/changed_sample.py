"""What a result says and shows of one sample that was changed: distances, arrays, pictures and figures, by name.

l2, linf: of an array in its own units, of a picture in grey levels; PASS and SSIM are of pictures alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.errors import InputError
from onnxray.images.distances import PassScore, l2, linf, perceptual_similarity
from onnxray.images.drawing.samples import SampleFigures, SamplePictures
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.methods.array_variable import ArrayVariable


@dataclass(frozen=True, kw_only=True, eq=False)
class ChangedSample:
    """One sample as it was and as it is, both as they are saved.

    units: what a step adds (see spaces.py). kinds: what each is drawn as; inner: they are values inside the network, of
    which no kind is said but that of embeddings. pictures: those that were given as pictures.
    words: what the places of a sample are called.
    """

    before: Mapping[str, NDArray[Any]]
    after: Mapping[str, NDArray[Any]]
    units: Mapping[str, float]
    kinds: Mapping[str, str]
    inner: bool
    pictures: frozenset[str]
    words: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, variable: ArrayVariable, row: int, x: NDArray[Any]) -> ChangedSample:
        """A sample of a variable, and what came of it, saved."""
        words, own = variable.samples.words, variable.samples.input
        return cls(
            before={name: array[0] for name, array in variable.parts(variable.start[[row]]).items()},
            after={name: array[0] for name, array in variable.parts(x[None]).items()},
            units={name: float(space.units[row]) for name, space in variable.spaces.items()},
            kinds={name: variable.kind(name) for name in variable.names},
            inner=variable.whole is not variable.model, pictures=frozenset(variable.profiles),
            words={own: words[row]} if words and own is not None else {},
        )  # fmt: skip

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
        return {name: self._numbers(name) for name in self.after}

    def _numbers(self, name: str) -> dict[str, Any]:
        before, after = self.before[name], self.after[name]
        kind = "value" if self.inner and self.kinds[name] != "token ids" else self.kinds[name]
        found = {
            "kind": kind, "unit": self.units[name], "l2": l2(after, before), "linf": linf(after, before),
        }  # fmt: skip
        if name not in self.pictures:
            return found
        score = self._similarity(name)
        if isinstance(score, str):
            return {**found, "pass": None, "ssim": None, "reason": score}
        return {**found, "pass": score.score, "ssim": score.ssim}

    def _similarity(self, name: str) -> PassScore | str:
        """Of a picture, or why there is none."""
        try:
            return perceptual_similarity(self.after[name], self.before[name])
        except InputError as error:
            return f"no SSIM and PASS: {error}"

    @property
    def similarity(self) -> PassScore | str:
        """Where a picture alone was changed, its own; else why there is none of all together."""
        if len(self.after) == 1 and self.pictures.issuperset(self.after):
            return self._similarity(next(iter(self.after)))
        return "no SSIM and PASS of all together: those of pictures stand in moved"

    def perturbation(self, name: str) -> NDArray[Any]:
        """What was added; of a picture in float64, which uint8 cannot hold."""
        own = self.after[name].astype(np.float64) if name in self.pictures else self.after[name]
        return np.asarray(own - self.before[name])

    def saved(
        self, of: Mapping[str, Mapping[str, NDArray[Any]]], heat: str, sample: str, title: str, shown: str
    ) -> tuple[dict[str, NDArray[Any]], SampleFigures]:
        """The arrays and the pictures, by ROLE NAME, of what is saved in each role.

        Of an array there is a ``figure`` beside: its ``sample`` role, and its ``heat`` role in colours, of embeddings
        of tokens the norm of each. title: stands above, with the name. shown: what the colours are.
        """
        arrays, drawn = dict[str, NDArray[Any]](), dict[str, SamplePictures | Image8]()
        for name in self.after:
            if name in self.pictures:
                drawn |= {
                    f"{role} {name}": signed_to_grey(own[name])[0] if role == "perturbation" else own[name]
                    for role, own in of.items()
                }
                continue
            arrays |= {f"{role} {name}": own[name] for role, own in of.items()}
            drawn[f"figure {name}"] = self._figure(name, of[heat][name], of[sample][name], f"{title}: {name}", shown)
        return arrays, SampleFigures(drawn)

    def _figure(
        self, name: str, array: NDArray[Any], sample: NDArray[Any], title: str, shown: str
    ) -> SamplePictures:  # fmt: skip
        heat = array.astype(np.float32)
        embedding = self.kinds[name] == "token ids" and heat.ndim > 1
        heat = np.linalg.norm(heat, axis=-1) if embedding else heat
        return SamplePictures(
            sample=sample, heat=heat, span=float(np.abs(heat).max(initial=0)) or 1.0, signed=not embedding,
            colormap="auto", words=self.words.get(name, ()), kind=self.kinds[name], title=title, shown=shown,
        )  # fmt: skip
