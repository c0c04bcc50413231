"""t-SNE of a layer's codes: a map on which pictures that are near in the layer's space are near (van der Maaten 2008).

    p(j|i) ~ exp(-d(i, j)^2 / 2 s_i^2), s_i: the perplexity of p(.|i) is as stated;   p_ij = (p(j|i) + p(i|j)) / 2n
    q_ij ~ 1 / (1 + |y_i - y_j|^2);   y minimises  KL(p || q) = sum p_ij log(p_ij / q_ij)

d: distances of all numbers of the layer, by ONNX Runtime. The map begins with the first two principal components, with
the seed as ``random_state``: it is scikit-learn's own; of more than five thousand pictures openTSNE's, where that is
installed. Distances between groups and their sizes mean nothing on such a map. So beside it stand trustworthiness and
continuity (map_quality.py) and how often the majority of a picture's nearest has its label, in the original space and
on the map; where the first is high and the second low, the map has torn apart what the layer holds together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.picture_list import PictureList
from onnxray.images.pixels import Pixels
from onnxray.methods.features.base import Features, asked, flat, labels_of, pictures_of, seed_of
from onnxray.methods.features.extraction import pyarrow
from onnxray.methods.features.parts.libraries import scikit_learn
from onnxray.methods.features.parts.map_quality import map_quality
from onnxray.methods.features.parts.nearest import Metric, nearest
from onnxray.methods.features.parts.pixel_space import reduced
from onnxray.methods.features.parts.pooling import Pool, pool_of
from onnxray.methods.features.parts.said import CLASS, PROBABILITY, class_names, correctness, said_of
from onnxray.methods.features.parts.tsne_points import Layout, Library, library_for
from onnxray.methods.features.parts.votes import shared_labels
from onnxray.methods.features.parts.walk import Block, Question, Walked
from onnxray.methods.features.tsne_item import TsneItem
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.model.model import Model
from onnxray.results.file_names import stem_named
from onnxray.results.finished_items import Tape

EXPORTS: Final = ("embedding-atlas", "projector")

_THUMBNAIL: Final = "thumbnail"
_SHEET, _LARGEST, _SMALLEST = 4096, 64, 8
"""Pixels of the side of all thumbnails together, and of one of them at most and at least."""
_FEWEST: Final = 4
_PERPLEXITY: Final = 30.0
_MANY: Final = 5000
"""Points above which openTSNE is faster by far."""
_PARTS: Final = 2
"""Of the progress of a layer: its map, and how true that is, each as long as the values of all layers."""
_MOST_BYTES: Final = 2**32


@final
@dataclass(frozen=True, kw_only=True)
class TSNE(Features[TsneItem]):
    """A t-SNE map of pictures in a layer's space, with what tells whether it can be believed."""

    name: ClassVar[str] = "tsne"
    item_type: ClassVar[type[Any]] = TsneItem

    perplexity: Annotated[
        float | None, "how many neighbours count; default: 30, of few pictures a third of them", Range(1.0, 10_000.0)
    ] = None
    metric: Annotated[Metric, "how far apart codes are"] = "euclidean"
    pool: Annotated[Pool, "what is mapped of a value with rows and columns: all (none), or a number a channel"] = "none"
    components: Annotated[
        int | None,
        "principal components that a layer is reduced to first; default: all of its numbers",
        Range(2, 10_000),
    ] = None
    k: Annotated[int, "neighbours that the map is judged by, and that the page shows", Range(1, 100)] = 5
    library: Annotated[
        Library, "auto: scikit-learn, and of more than 5,000 pictures openTSNE where it is installed"
    ] = "auto"
    export: Annotated[
        str | tuple[str, ...] | None, "files for another program: embedding-atlas (Parquet), projector (TensorBoard's)"
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        strange = [name for name in self.exports if name not in EXPORTS]
        if strange:
            raise InputError(f"export is {short(strange[0])}; {' or '.join(EXPORTS)} was expected")

    @property
    def exports(self) -> tuple[str, ...]:
        """What files are written for other programs."""
        return (self.export,) if isinstance(self.export, str) else self.export or ()

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[TsneItem]:
        """Give every layer's map."""
        scikit_learn("maps are made")
        self._check_libraries()
        pictures, layers = pictures_of(run), self.layers(model, run)
        self._refuse_perplexity(len(pictures))
        with run.work_folder() as folder:
            question = self._question(model, layers, len(pictures))
            after = _PARTS * len(layers) * len(pictures)
            found = asked(model, pictures, question, folder / "tsne", run, "values", share=(0, after))
            perplexity = self._perplexity(len(found.places), run)
            labels = labels_of(pictures, found.places, self.true_labels, run)
            known = _known(model, pictures, found, labels)
            run.tell("points", known)
            layout = Layout(perplexity=perplexity, metric=self.metric, seed=seed_of(run))
            for layer, own in run.units(layers):
                before = len(pictures) * (1 + _PARTS * layers.index(layer))

                def tick(share: float, what: str, own: Run = own, before: int = before) -> None:
                    own.progress(before + int(share * _PARTS * len(pictures)), len(pictures) + after, what)

                yield self._item(layer, found, known, layout, own, tick)
                tick(1.0, f"map of {layer}")

    def _check_libraries(self) -> None:
        """Refuse what is not installed before anything is run. Errors: InputError."""
        if self.library == "opentsne" and library_for("opentsne", 0, 0) is None:
            raise InputError("openTSNE is not installed: pip install 'onnxray[features]'; or --library scikit-learn")
        if "embedding-atlas" in self.exports:
            pyarrow()

    def _refuse_perplexity(self, count: int) -> None:
        """Refuse one that so many pictures cannot have. Errors: InputError."""
        if self.perplexity is not None and self.perplexity >= count >= _FEWEST:
            raise InputError(
                f"the perplexity is {self.perplexity:g}, and there are {count} pictures; it has to be below their "
                "number, a third of it at most to mean anything"
            )

    def _perplexity(self, count: int, run: Run) -> float:
        """The perplexity of so many pictures. Errors: InputError."""
        if count < _FEWEST:
            raise InputError(f"a map takes {_FEWEST} pictures or more; {count} can be read")
        self._refuse_perplexity(count)
        if self.perplexity is not None:
            return self.perplexity
        chosen = min(_PERPLEXITY, float(max((count - 1) // 3, 1)))
        if chosen < _PERPLEXITY:
            run.note(f"the perplexity is {chosen:g} in place of {_PERPLEXITY:g}, for there are {count} pictures alone")
        return chosen

    def _question(self, model: Model, layers: Sequence[str], count: int) -> Question:
        side = max(_SMALLEST, min(_LARGEST, _SHEET // (math.isqrt(count) + 1)))
        codes = {name: (pool_of(model, name, self.pool), flat(name)) for name in layers}

        def keep(block: Block) -> Mapping[str, NDArray[Any]]:
            kept = {name: plain(pooled(block.values[name])) for name, (pooled, plain) in codes.items()}
            for name, value in kept.items():
                if value[0].nbytes * count > _MOST_BYTES:
                    raise InputError(
                        f"{name!r} of {count} pictures takes {value[0].nbytes * count >> 30} GiB, more than "
                        f"{_MOST_BYTES >> 30}; take --pool mean, another layer, or fewer pictures"
                    )
            thumbnails = reduced(block.pixels.array, side)
            return {**{f"codes {name}": value for name, value in kept.items()}, _THUMBNAIL: thumbnails,
                    **said_of(model, block)}  # fmt: skip

        return Question(layers=tuple(layers), keep=keep)

    def _item(self, layer: str, found: Walked, known: Mapping[str, Any], layout: Layout, run: Run,
              tick: Callable[[float, str], None]) -> TsneItem:  # fmt: skip
        codes = np.asarray(found.arrays[f"codes {layer}"])
        count = len(codes)
        if not (codes != codes[0]).any():
            raise InputError(f"{layer!r} is the same for all {count} pictures, so there is no map; name another layer")
        mapped = self._reduced(codes, layout.seed)
        library = library_for(self.library, count, _MANY)
        if library is None and count > _MANY and self.library == "auto":
            run.note(
                f"{count} pictures are mapped by scikit-learn; openTSNE is faster: pip install 'onnxray[features]'"
            )
        tick(0.0, f"map of {layer}")
        if library is None or mapped.shape[1] < 2:
            points = layout.by_scikit_learn(mapped)
        else:
            points = layout.by_open_tsne(library, mapped, lambda done, of: tick(done / of / _PARTS, f"map of {layer}"))
        k = min(self.k, count - 1)
        own = np.arange(count)
        near = nearest(codes, codes, k, self.metric, own=own)
        on_map = nearest(points.positions, points.positions, k, "euclidean", own=own)
        quality = map_quality(
            codes, points.positions, near.places, on_map.places, self.metric,
            tick=lambda share: tick((1 + share) / _PARTS, f"quality of the map of {layer}"),
        )  # fmt: skip
        by, labels = (
            ("labels", known["label"]) if self.true_labels is not None else ("predictions", known["prediction"])
        )
        reasons = [quality.reason] if quality.reason else []
        accuracy = None
        if labels is not None:
            shares = [shared_labels(one.places, labels, labels)[1] for one in (near, on_map)]
            if shares[0]:
                accuracy = {"original": float(np.mean(shares[0])), "map": float(np.mean(shares[1]))}
        if accuracy is None:
            reasons.append("accuracy: there are no labels, and the file is no classifier")
        if not math.isfinite(points.divergence):
            reasons.append("divergence: the library gave none")
        arrays = {
            "positions": points.positions, "neighbors": near.places.astype(np.int32),
            "distances": near.distances.astype(np.float32),
        }  # fmt: skip
        if "projector" in self.exports:
            arrays["codes"] = mapped
        sheet, columns = _sheet(np.asarray(found.arrays[_THUMBNAIL]))
        stems = {role: stem_named(layer, 0, "tsne", role) for role in arrays}
        return TsneItem(
            layer=layer, pictures_seen=count, numbers_each=codes.shape[1], metric=self.metric,
            perplexity=layout.perplexity, k=k, made_by=points.by,
            divergence=points.divergence if math.isfinite(points.divergence) else None,
            trustworthiness=quality.trustworthiness, continuity=quality.continuity, quality_of=quality.asked,
            labelled_by=None if accuracy is None else by, accuracy=accuracy, columns=columns,
            reason="; ".join(reasons) or None, numbers_=arrays, images={"thumbnails": sheet},
            stems={**stems, "thumbnails": stem_named("pictures", 0, "tsne", "thumbnails")},
        )  # fmt: skip

    def _reduced(self, codes: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
        """What is mapped: the codes, or as many principal components of them."""
        if self.components is None or self.components >= min(codes.shape):
            return codes
        library = scikit_learn("principal components are found")
        made = library.decomposition.PCA(n_components=self.components, random_state=seed % 2**32)
        return np.asarray(made.fit_transform(codes), np.float32)

    def extra(self, tape: Tape[TsneItem]) -> dict[str, Any]:
        """``points``: of each picture what is known of it, in the order of the arrays."""
        return {**super().extra(tape), "points": next(iter(tape.facts("points")), {})}


def _known(model: Model, pictures: PictureList, found: Walked, labels: Sequence[str | None]) -> dict[str, Any]:
    """``path``, ``label``, ``prediction``, ``probability`` and ``correct`` of each picture; None for what all lack."""
    likely = None
    if PROBABILITY in found.arrays:
        likely = [float(one) if np.isfinite(one) else None for one in np.asarray(found.arrays[PROBABILITY])]
    return {
        "path": [pictures.names[int(place)] for place in found.places],
        "label": None if all(label is None for label in labels) else list(labels),
        "prediction": class_names(model, found.arrays), "probability": likely,
        "correct": correctness(model, found.arrays, labels) if CLASS in found.arrays else None,
    }  # fmt: skip


def _sheet(thumbnails: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """All thumbnails in one picture, row by row, and how many stand in a row: as many as rows, or one more."""
    count, channels, high, wide = thumbnails.shape
    columns = math.isqrt(count - 1) + 1
    rows = -(-count // columns)
    whole = np.zeros((rows * columns, channels, high, wide), np.uint8)
    whole[:count] = thumbnails
    grid = whole.reshape(rows, columns, channels, high, wide).transpose(2, 0, 3, 1, 4)
    return np.ascontiguousarray(grid.reshape(channels, rows * high, columns * wide)), columns
