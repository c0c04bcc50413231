"""How active each channel of a layer is over many pictures, how selective for a class, and which of them are alike.

    mean         m_c = mean over pictures n and places of a[n, c, y, x]
    zeros        the share of those numbers that are 0; a channel is dead where all are
    selectivity  (s_max - s_rest) / (s_max + s_rest)               (Morcos et al. 2018, arXiv 1803.06959)
    correlation  Pearson's, over pictures, of u_nc and u_nd,       u_nc = mean over places of a[n, c, y, x]

s_max: the largest of the means of u over the pictures of one class each, s_rest: the mean of the others over their
classes; it is defined of channels that are nowhere below 0 (behind a rectifier), between 0 (all classes alike) and 1
(one class alone). Classes are the labels, else what the file says of each picture. Values are ONNX Runtime's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.methods.features.base import Features, asked, labels_of, pictures_of
from onnxray.methods.features.parts.unit_layers import UnitLayer, unit_layers
from onnxray.methods.features.parts.walk import Block, Question, Walked
from onnxray.methods.features.units_item import UnitsItem
from onnxray.methods.run import Run
from onnxray.model.model import Model
from onnxray.results.file_names import stem_named

Floats = NDArray[np.float64]

_MOST = 8192
"""Channels of a layer, whose correlations are as many squared."""
_BLOCK = 1024
_CLASS = "class"


@final
@dataclass(frozen=True, kw_only=True)
class Units(Features[UnitsItem]):
    """How active each channel of a layer is over many pictures, how selective, and which of them are alike."""

    name: ClassVar[str] = "units"
    item_type: ClassVar[type[Any]] = UnitsItem

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[UnitsItem]:
        """Give every layer."""
        layers = unit_layers(model, self.layers(model, run))
        for layer in layers:
            if layer.channels > _MOST:
                raise InputError(
                    f"{layer.name!r} has {layer.channels} channels; of {_MOST} at most all pairs are compared: name "
                    "another layer"
                )
        pictures, predicts = pictures_of(run), self.true_labels is None

        def keep(block: Block) -> Mapping[str, NDArray[Any]]:
            kept = _sums(layers, block)
            said = model.verdict(block.pixels) if predicts else None
            return kept if said is None else {**kept, _CLASS: said.classes.astype(np.int64)}

        with run.work_folder() as folder:
            question = Question(layers=tuple(layer.name for layer in layers), keep=keep)
            found = asked(model, pictures, question, folder / "units", run, "values")
            classes, words, by = self._classes(model, found, run)
            for done, (layer, own) in enumerate(run.units(layers)):
                yield _item(layer, found, classes, words, by, own)
                run.progress(len(pictures), len(pictures), f"{done + 1} layers")

    def _classes(
        self, model: Model, found: Walked, run: Run
    ) -> tuple[NDArray[np.int64], Sequence[str], str | None]:  # fmt: skip
        """The class of each picture, -1 for none, the classes' names, and what they are told by."""
        if self.true_labels is not None:
            labels = labels_of(pictures_of(run), found.places, self.true_labels, run)
            words = sorted({label for label in labels if label is not None})
            numbers = {word: number for number, word in enumerate(words)}
            return np.array([-1 if label is None else numbers[label] for label in labels]), words, "labels"
        if _CLASS not in found.arrays:
            run.note("no labels were given and the file is no classifier, so there is no selectivity")
            return np.full(len(found.places), -1), (), None
        known, classes = np.unique(found.arrays[_CLASS], return_inverse=True)
        run.note("classes are what the file says of each picture; state others with --labels")
        return classes.astype(np.int64), [model.label(int(one)) for one in known], "predictions"


def _sums(layers: Sequence[UnitLayer], block: Block) -> dict[str, NDArray[Any]]:
    """Of every picture and channel the mean, the share of zeros, the least and the largest number."""
    kept: dict[str, NDArray[Any]] = {}
    for layer in layers:
        maps = layer.maps(block.values[layer.name])
        maps = maps.reshape(*maps.shape[:2], -1)
        kept[f"mean {layer.name}"] = maps.mean(2, dtype=np.float64)
        kept[f"zeros {layer.name}"] = (maps == 0).mean(2).astype(np.float32)
        kept[f"least {layer.name}"] = maps.min(2).astype(np.float32)
        kept[f"largest {layer.name}"] = maps.max(2).astype(np.float32)
    return kept


def _item(
    layer: UnitLayer, found: Walked, classes: NDArray[np.int64], words: Sequence[str], by: str | None, run: Run
) -> UnitsItem:  # fmt: skip
    means = found.arrays[f"mean {layer.name}"]
    zeros = np.asarray(found.arrays[f"zeros {layer.name}"]).mean(0, dtype=np.float64)
    least = np.asarray(found.arrays[f"least {layer.name}"]).min(0)
    largest = np.asarray(found.arrays[f"largest {layer.name}"]).max(0)
    mean, correlations, deviation = _correlations(means)
    chosen, selectivity = _selectivity(means, classes, len(words))
    dead, still = zeros == 1, least == largest
    beside = np.abs(correlations)
    np.fill_diagonal(beside, -1)
    partner = np.nan_to_num(beside, nan=-1).argmax(1) if layer.channels > 1 else np.zeros(1, int)
    channels = []
    for c in range(layer.channels):
        related = layer.channels > 1 and bool(np.isfinite(correlations[c, partner[c]]))
        reasons = []
        if chosen is None:
            reasons.append("selectivity: there is one class alone" if words else "selectivity: there are no classes")
        elif least[c] < 0:
            reasons.append("selectivity: the channel has numbers below 0")
        elif not np.isfinite(selectivity[c]):
            reasons.append("selectivity: the channel is 0 everywhere")
        if not related:
            alone = layer.channels == 1
            reasons.append(f"correlation: {'there is no other channel' if alone else 'the channel does not vary'}")
        known = chosen is not None and least[c] >= 0 and np.isfinite(selectivity[c])
        channels.append({
            "channel": c, "mean": float(mean[c]), "deviation": float(deviation[c]), "largest": float(largest[c]),
            "zeros": float(zeros[c]), "dead": bool(dead[c]),
            "selectivity": float(selectivity[c]) if known else None,
            "class": words[int(chosen[c])] if known and chosen is not None else None,
            "correlated_with": int(partner[c]) if related else None,
            "correlation": float(correlations[c, partner[c]]) if related else None,
            "reason": "; ".join(reasons) or None,
        })  # fmt: skip
    if dead.any():
        run.note(f"{int(dead.sum())} of {layer.channels} channels of {layer.name!r} are 0 in all {len(means)} pictures")
    return UnitsItem(
        layer=layer.name, pictures_seen=len(means), channels=channels, dead=int(dead.sum()),
        constant=int((still & ~dead).sum()), classes=len(words), labelled_by=by,
        reason="of one picture nothing can be correlated" if len(means) == 1 else None,
        stem=stem_named(layer.name, 0, "units"),
        correlations=np.nan_to_num(correlations).astype(np.float32),
    )  # fmt: skip


def _correlations(means: NDArray[Any]) -> tuple[Floats, Floats, Floats]:
    """The mean of each channel, Pearson's correlation of all pairs (NaN where one does not vary), the deviations."""
    count, width = means.shape
    mean = np.zeros(width)
    for start in range(0, count, _BLOCK):
        mean += np.asarray(means[start : start + _BLOCK], np.float64).sum(0)
    mean /= count
    products = np.zeros((width, width))
    for start in range(0, count, _BLOCK):
        apart = np.asarray(means[start : start + _BLOCK], np.float64) - mean
        products += apart.T @ apart
    deviation = np.sqrt(np.diag(products) / count)
    varies = deviation > 1e-6 * np.maximum(np.abs(mean), np.finfo(np.float32).tiny)
    scale = np.where(varies, deviation, np.nan)
    return mean, np.clip(products / count / np.outer(scale, scale), -1, 1), deviation


def _selectivity(
    means: NDArray[Any], classes: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64] | None, Floats]:  # fmt: skip
    """The class that each channel is most active for, and how selective it is; None where there are not two."""
    present = [k for k in range(count) if (classes == k).any()]
    if len(present) <= 1:
        return None, np.full(means.shape[1], np.nan)
    of_class = np.stack([np.asarray(means[classes == k], np.float64).mean(0) for k in present])
    best = of_class.argmax(0)
    top = of_class.max(0)
    rest = (of_class.sum(0) - top) / (len(present) - 1)
    whole = top + rest
    return np.array(present)[best], np.where(whole > 0, (top - rest) / np.where(whole > 0, whole, 1), np.nan)
