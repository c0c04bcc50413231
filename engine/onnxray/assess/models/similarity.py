"""Two models on the same pictures, layer by layer: how alike they arrange them, and the layer where they part.

Formulas of CKA and Procrustes: kernel_alignment.py. Mutual neighbours: of the k nearest of a picture in the one layer
(Euclidean) the share that is among its k nearest in the other, the mean over pictures; of chance it is k / (n - 1).
Layers are matched as in alignment.py; different networks are compared by their layers with weights, each of the first
beside that of the second which is most alike by CKA. They part at the first layer, in the order of the first model,
whose 1 - CKA is at least 0.001 and ten times that of every layer before it. Values and predictions are ONNX Runtime's,
and each model sees the pictures through its own profile. Of some pictures the saliency maps of the two, of the class
that the first says, stand beside each other by Spearman's rank correlation (maps.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import spread_places
from onnxray.assess.maps.calls import method_of
from onnxray.assess.models.alignment import align
from onnxray.assess.models.kernel_alignment import FEWEST, cka, procrustes, root_of_gram
from onnxray.assess.models.layer_errors import parting
from onnxray.assess.models.maps import map_agreement
from onnxray.assess.models.similarity_item import SimilarityItem
from onnxray.errors import InputError
from onnxray.graph.weight_layers import weight_layers
from onnxray.images.picture_list import PictureList
from onnxray.images.pixels import Pixels
from onnxray.methods.as_typed import opening, path_texts, plain_fields
from onnxray.methods.features.base import Features, asked, flat, pictures_of
from onnxray.methods.features.parts.nearest import nearest
from onnxray.methods.features.parts.pooling import Pool, pool_of
from onnxray.methods.features.parts.walk import Block, Question, Walked, walk
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.model.model import Model
from onnxray.results.finished_items import Tape

_CLASS: Final = "class"
_TURNED: Final = 1024
"""Pictures that Procrustes is of at most, spread over all: it takes their number to the third."""
_LARGEST: Final = 2**34
"""Bytes of the values of one model that are kept on disk while they are compared."""

Match = tuple[int, int, str]
"""Place of a layer of the first model, of one of the second, and what they are matched by."""


@final
@dataclass(frozen=True, kw_only=True)
class LayerSimilarity(Features[SimilarityItem]):
    """How alike the layers of two models arrange the same pictures, and the layer where the models part.

    other: the model that stands beside the one this is called on.
    """

    name: ClassVar[str] = "layer-similarity"
    item_type: ClassVar[type[Any]] = SimilarityItem

    other: Model
    pool: Annotated[Pool, "what is compared of a value with rows and columns: all (none), or a number a channel"] = (
        "none"
    )
    k: Annotated[int, "nearest neighbours of each picture that may be mutual", Range(1, 1000)] = 5
    maps: Annotated[
        int, "pictures, spread over all, whose saliency maps by the two models are compared", Range(0, 1000)
    ] = 8
    map_method: Annotated[str, "saliency method of those maps"] = "grad-cam"
    most: Annotated[int, "layers of each model, spread over all, where none is named", Range(2, 200)] = 24

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for it."""
        return "features", "compare"

    def as_typed(self, images: object, goal: object) -> dict[str, Any]:
        """The command's options."""
        typed = {"images": path_texts("the images", images), **plain_fields(self, without=("other", "true_labels"))}
        opened = opening(self.other)
        return {**typed, "other": opened["model"], "other_profile": opened["profile"]}

    def options(self) -> dict[str, Any]:
        """The options, the other model by what it is, as they stand in provenance."""
        path = self.other.graph.path
        described = {"path": None if path is None else str(path), **self.other.graph.identity}
        return {**super().options(), "other": described}

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[SimilarityItem]:
        """Give every layer of the first model beside its counterpart."""
        pictures = pictures_of(run)
        method_of(self.map_method)  # what is no method is refused before anything is run
        theirs = _read_by(self.other, pictures)
        own, others, matches = self._layers(model, run)
        with run.work_folder() as folder:
            question = self._question(model, own, len(pictures))
            found = asked(model, pictures, question, folder / "a", run, "values of the first", share=(0, len(theirs)))
            beside = _beside(self.other, theirs, self._question(self.other, others, len(theirs)), folder / "b", run)
            both, rows, their_rows = np.intersect1d(found.places, beside.places, return_indices=True)
            layers = [_rows(found.arrays[f"layer {name}"], rows) for name in own]
            other_layers = [_rows(beside.arrays[f"layer {name}"], their_rows) for name in others]
            matrix = _matrix(layers, other_layers, run)
            if matrix is None:
                run.note(f"of {len(both)} pictures there is no CKA; give {FEWEST} or more")
            matches = matches or _most_alike(matrix, len(own))
            run.tell("seen", {
                "layers": list(own), "other_layers": list(others),
                "agreement": _agreement(found, beside, rows, their_rows),
                "cka": None if matrix is None else [[_number(value) for value in row] for row in matrix],
            })  # fmt: skip
            run.tell("saliency", self._maps(model, pictures, theirs, found, both, run))
            roots = _Roots(layers, other_layers)
            for match, part in run.units(matches):
                yield self._item(match, (own, others), (layers, other_layers), matrix, roots)
                part.progress(1, 1, f"layer {own[match[0]]}")

    def _layers(self, model: Model, run: Run) -> tuple[tuple[str, ...], tuple[str, ...], list[Match]]:
        """Layers of both, and which stand beside which; none where that is told by CKA. Errors: InputError."""
        named = None if self.layer is None else self.layers(model, run)
        alignment = align(model, self.other)
        run.note(alignment.reason or alignment.said())
        pairs = [pair for pair in alignment.pairs if named is None or pair.a in named]
        if pairs:
            pairs = pairs if named is not None else _spread(pairs, self.most, run)
            others = tuple(dict.fromkeys(pair.b for pair in pairs))
            matched = [(k, others.index(pair.b), str(pair.by)) for k, pair in enumerate(pairs)]
            return tuple(pair.a for pair in pairs), others, matched
        own = named or tuple(_spread(weight_layers(model.graph), self.most, run))
        others = tuple(_spread(weight_layers(self.other.graph), self.most, run))
        if not own or not others:
            raise InputError("one of the models has no layers with weights; name layers with --layer")
        return own, others, []

    def _maps(
        self, model: Model, pictures: PictureList, theirs: PictureList, found: Walked, both: NDArray[np.int64], run: Run
    ) -> dict[str, Any] | None:
        """How far the maps of the two models agree; None where none were asked for."""
        if not self.maps or not len(both):
            return None
        places = both[spread_places(len(both), self.maps)].tolist()
        said = found.arrays.get(_CLASS)
        classes = {} if said is None else dict(zip(found.places.tolist(), np.asarray(said).tolist()))
        return map_agreement(
            method_of(self.map_method), (model, self.other), (pictures, theirs), places, classes, run,
            lambda done: run.progress(done, len(places), f"maps of {len(places)} pictures"),
        )  # fmt: skip

    def _question(self, model: Model, layers: Sequence[str], count: int) -> Question:
        codes = {name: _codes(model, name, self.pool) for name in layers}

        def keep(block: Block) -> Mapping[str, NDArray[Any]]:
            kept: dict[str, NDArray[Any]] = {f"layer {name}": codes[name](block.values[name]) for name in layers}
            size = sum(one[0].nbytes for one in kept.values()) * count
            if size > _LARGEST:
                raise InputError(
                    f"the values of {len(layers)} layers of {count} pictures take {size >> 30} GiB, more than "
                    f"{_LARGEST >> 30}; take --pool mean, fewer layers (--layer, --most), or fewer pictures"
                )
            said = model.verdict(block.pixels)
            return kept if said is None else {**kept, _CLASS: said.classes.astype(np.int64)}

        return Question(layers=tuple(layers), keep=keep)

    def _item(
        self, match: Match, names: Any, layers: Any, matrix: NDArray[np.float64] | None, roots: _Roots
    ) -> SimilarityItem:  # fmt: skip
        i, j, by = match
        one, other = layers[0][i], layers[1][j]
        alike = None if matrix is None else _number(matrix[i, j])
        few = f"there are {len(one)} pictures alone"
        reasons = []
        if alike is None:
            reasons.append(f"cka: {few if matrix is None else 'a layer gives the same for all pictures'}")
        shared = None if len(one) <= self.k + 1 else _mutual(one, other, self.k)
        if shared is None:
            reasons.append(f"mutual_neighbors: {few}, all of which are the {self.k} nearest")
        turned = procrustes(*roots.of(i, j)) if len(one) > 1 else None
        if turned is None:
            reasons.append("procrustes: a layer gives the same for all pictures")
        return SimilarityItem(
            layer=names[0][i], other_layer=names[1][j], matched_by=by, pictures_seen=len(one), cka=alike,
            mutual_neighbors=shared, procrustes=turned, reason="; ".join(reasons) or None,
        )  # fmt: skip

    def extra(self, tape: Tape[SimilarityItem]) -> dict[str, Any]:
        """``layers``, ``other_layers``, the matrix ``cka`` of all of them, ``agreement`` of predictions, ``saliency``
        (of maps), and ``parts_at``.
        """
        seen: dict[str, Any] = next(iter(tape.facts("seen")), {})
        items = list(tape.items)
        matched = all(item.matched_by != "cka" for item in items)
        place = parting([None if item.cka is None else 1 - item.cka for item in items]) if matched else None
        maps = next(iter(tape.facts("saliency")), None)
        return {
            **super().extra(tape),
            **seen,
            "saliency": maps,
            "parts_at": None if place is None else items[place].layer,
        }


@final
class _Roots:
    """K^(1/2) of each layer of the two models, made when it is asked for; those of the second are made once."""

    def __init__(self, own: Sequence[NDArray[Any]], others: Sequence[NDArray[Any]]) -> None:
        self._own, self._others = own, others
        self._made: dict[int, NDArray[np.float64] | None] = {}

    def of(self, i: int, j: int) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
        """Of a layer of each."""
        some = np.unique(np.linspace(0, len(self._own[i]) - 1, _TURNED).astype(int))
        if j not in self._made:
            self._made = {j: root_of_gram(_rows(self._others[j], some))}
        return root_of_gram(_rows(self._own[i], some)), self._made[j]


def _codes(model: Model, name: str, pool: Pool) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    pooled, plain = pool_of(model, name, pool), flat(name)
    return lambda value: plain(pooled(value))


def _read_by(model: Model, pictures: PictureList) -> PictureList:
    """The same pictures as a model reads them. Errors: InputError."""
    if model.profile is None:
        raise InputError("the second model takes no pictures; name two models of pictures")
    if pictures.held is not None and model.profile.shape != pictures.profile.shape:
        raise InputError(
            f"pictures in memory are of the first model's shape {list(pictures.profile.shape)}, and the second takes "
            f"{list(model.profile.shape)}; give files, which each model reads by itself"
        )
    return replace(pictures, profile=model.profile)


def _beside(model: Model, pictures: PictureList, question: Question, folder: Path, run: Run) -> Walked:
    """The same of the second model; what is wrong with pictures was said of the first."""
    folder.mkdir(exist_ok=True)
    count = len(pictures)
    return walk(
        model, pictures, question, folder, lambda done, _: run.progress(count + done, 2 * count, "values of the second")
    )


def _matrix(own: Sequence[Any], others: Sequence[Any], run: Run) -> NDArray[np.float64] | None:
    if len(own[0]) < FEWEST:
        return None
    return cka(own, others, tick=lambda done, count: run.progress(done, count, "blocks of pairs of pictures"))


def _most_alike(matrix: NDArray[np.float64] | None, count: int) -> list[Match]:
    if matrix is None:
        return [(i, 0, "cka") for i in range(count)]
    return [(i, int(np.nan_to_num(row, nan=-2).argmax()), "cka") for i, row in enumerate(matrix)]


def _mutual(one: NDArray[Any], other: NDArray[Any], k: int) -> float:
    """The share of the k nearest in the one that are among the k nearest in the other."""
    own = np.arange(len(one))
    near, beside = (nearest(codes, codes, k, "euclidean", own=own).places for codes in (one, other))
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(near.tolist(), beside.tolist())]))


def _agreement(found: Walked, beside: Walked, rows: Any, their_rows: Any) -> dict[str, Any] | None:
    """Of how many pictures both say the same class; None where one of them is no classifier."""
    if _CLASS not in found.arrays or _CLASS not in beside.arrays:
        return None
    same = np.asarray(found.arrays[_CLASS])[rows] == np.asarray(beside.arrays[_CLASS])[their_rows]
    return {"same_class": int(same.sum()), "pictures": len(same), "share": float(same.mean())}


def _rows(codes: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    return codes if len(rows) == len(codes) else codes[rows]


def _spread(layers: Sequence[Any], most: int, run: Run) -> list[Any]:
    """So many at most, spread over all, the first and the last among them."""
    if len(layers) <= most:
        return list(layers)
    run.note(f"{most} of {len(layers)} layers are compared, spread over all; more by --most, or name them by --layer")
    return [layers[k] for k in np.linspace(0, len(layers) - 1, most).round().astype(int)]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
