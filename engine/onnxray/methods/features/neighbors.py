"""Nearest neighbours in the space of a layer, beside those in pixel space (Krizhevsky et al. 2012, figure 4).

    euclidean  d(q, r) = |f(q) - f(r)|           cosine  d(q, r) = 1 - f(q) . f(r) / (|f(q)| |f(r)|)

f: all numbers of the layer, by ONNX Runtime; in pixel space the picture as the model sees it, in grey levels. Exact
(nearest.py). A query is not its own neighbour. With ``among`` the neighbours are pictures of another folder, of which
none is the query itself: pictures of a training set that stand in a test set, say. A neighbour is called a duplicate
where its distance is below ``duplicate`` of the median distance between pictures in both spaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.images.picture_list import PictureList
from onnxray.images.pixels import Pixels
from onnxray.methods.features.base import Features, asked, flat, labels_of, listed, pictures_of
from onnxray.methods.features.neighbors_item import NeighborsItem
from onnxray.methods.features.parts.nearest import Nearest, distances_to, nearest
from onnxray.methods.features.parts.pixel_space import pixel_codes, pixel_words, reduced
from onnxray.methods.features.parts.votes import shared_labels
from onnxray.methods.features.parts.walk import Block, Question, Walked
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.model.model import Model
from onnxray.results.file_names import stem_of
from onnxray.results.finished_items import Tape

_PIXELS = "pixels"
_UNIT = 256
"""Queries whose items are made together."""
_SHOWN = 96
"""Pixels of the longer side of a picture on a sheet."""


@final
@dataclass(frozen=True, kw_only=True)
class Neighbors(Features[NeighborsItem]):
    """Nearest neighbours of pictures in a layer's space, beside those in pixel space."""

    name: ClassVar[str] = "neighbors"
    item_type: ClassVar[type[Any]] = NeighborsItem

    k: Annotated[int, "neighbours of each picture", Range(1, 1000)] = 5
    metric: Annotated[Literal["euclidean", "cosine"], "how far apart codes are; pixels are the same way"] = "euclidean"
    among: Annotated[
        str | tuple[str, ...] | None, "folder whose pictures are the neighbours; may be repeated; default: the same"
    ] = None
    duplicate: Annotated[
        float, "share of the median distance below which, in both spaces, a picture is a duplicate", Range(0.0, 1.0)
    ] = 0.1
    pixel_size: Annotated[int, "longest side in pixel space; larger pictures are reduced by means", Range(1, 4096)] = 64
    sheets: Annotated[int, "queries whose neighbours are drawn, spread over all", Range(0, 10_000)] = 40

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[NeighborsItem]:
        """Give every picture's neighbours at every layer."""
        queries, layers = pictures_of(run), self.layers(model, run)
        others = queries if self.among is None else listed(model, self.among, self.true_labels)
        assert model.profile is not None
        run.note(f"pixel space: {pixel_words(model.profile.shape, self.pixel_size)}")
        with run.work_folder() as folder:
            more = 0 if others is queries else len(others)
            question = self._question(layers)
            found = asked(model, queries, question, folder / "queries", run, "values", share=(0, more))
            beside = found
            if others is not queries:
                beside = asked(model, others, question, folder / "among", run, "values", share=(len(queries), 0))
            labels = labels_of(queries, found.places, self.true_labels, run)
            their_labels = labels if others is queries else labels_of(others, beside.places, self.true_labels, run)
            if others is queries and len(found.places) < 2:
                run.note("there is one picture alone, which has no neighbours; give more, or another folder by --among")
            search = _Search(self, queries, others, found, beside, labels, their_labels)
            for layer, own in run.units(layers):
                yield from search.items(layer, own, len(layers))

    def _question(self, layers: Sequence[str]) -> Question:
        def keep(block: Block) -> dict[str, NDArray[Any]]:
            codes: dict[str, NDArray[Any]] = {name: flat(name)(value) for name, value in block.values.items()}
            return {**codes, _PIXELS: pixel_codes(block.pixels.array, self.pixel_size)}

        return Question(layers=tuple(layers), keep=keep)

    def extra(self, tape: Tape[NeighborsItem]) -> dict[str, Any]:
        """Of each layer and of pixel space how many neighbours share the query's label, and the duplicates."""
        return {**super().extra(tape), "spaces": list(tape.facts("space"))}


@final
@dataclass(frozen=True, eq=False)
class _Search:
    """Two sets of pictures with their codes, which may be one, and what is asked of them."""

    method: Neighbors
    queries: PictureList
    others: PictureList
    found: Walked
    beside: Walked
    labels: Sequence[str | None]
    their_labels: Sequence[str | None]

    def items(self, layer: str, run: Run, layers: int) -> Iterator[NeighborsItem]:
        """Every query's neighbours in the space of one layer."""
        at = self._nearest(layer, run)
        in_pixels = self._nearest(_PIXELS, run)
        for space, one in ((layer, at), (_PIXELS, in_pixels)):
            run.tell("space", {"space": space, "metric": self.method.metric, **self._told(one)})
        drawn = self._drawn()
        count = len(self.found.places)
        fewer = at.places.shape[1] < self.method.k
        duplicates = 0
        for row in range(count):
            near, plain = (self._neighbors(one, row) for one in (at, in_pixels))
            twins = self._duplicates(layer, at, in_pixels, row)
            duplicates += bool(twins)
            images = self._images(row, at, in_pixels) if row in drawn else {}
            stem = {role: stem_of(self._path(row), row, layer, "neighbors", role) for role in images}
            yield NeighborsItem(
                path=self._path(row), place=row, layer=layer, metric=self.method.metric, label=self.labels[row],
                neighbors=near, pixel_neighbors=plain, duplicate_of=twins, stems=stem, images=images,
                reason=f"there are {at.places.shape[1]} other pictures" if fewer else None,
            )  # fmt: skip
        if duplicates:
            run.note(
                f"{duplicates} of {count} pictures have a near duplicate: below {self.method.duplicate:g} of the "
                f"median distance in {layer!r} and in pixel space"
            )

    def _nearest(self, key: str, run: Run) -> Nearest:
        codes = self.beside.arrays[key]
        own = np.arange(len(codes)) if self.beside is self.found else None
        whole = len(codes)

        def tick(done: int) -> None:
            run.progress(done, whole, f"neighbours in {key}")

        return nearest(self.found.arrays[key], codes, self.method.k, self.method.metric, own=own, tick=tick)

    def _told(self, near: Nearest) -> dict[str, Any]:
        """How many neighbours share the query's label, of those queries and neighbours that have one."""
        shared, votes = shared_labels(near.places, self.labels, self.their_labels)
        known = any(label is not None for label in self.labels)
        reason = None if shared else "no labels were given" if not known else "no neighbour has a label"
        return {
            "queries": len(shared), "share_of_label": float(np.mean(shared)) if shared else None,
            "majority_right": float(np.mean(votes)) if votes else None, "typical_distance": near.typical,
            "reason": reason,
        }  # fmt: skip

    def _path(self, row: int) -> str | None:
        return self.queries.names[int(self.found.places[row])]

    def _neighbors(self, near: Nearest, row: int) -> list[dict[str, Any]]:
        return [
            {
                "path": self.others.names[int(self.beside.places[place])], "distance": float(distance),
                "label": self.their_labels[place],
            }
            for place, distance in zip(near.places[row], near.distances[row])
        ]  # fmt: skip

    def _duplicates(self, layer: str, at: Nearest, in_pixels: Nearest, row: int) -> list[str | None]:
        """The neighbours in either space that are near in both."""
        most = [self.method.duplicate * one.typical for one in (at, in_pixels)]
        either = [
            set(one.places[row][one.distances[row] <= limit].tolist()) for one, limit in zip((at, in_pixels), most)
        ]
        places = np.array(sorted(either[0] | either[1]), np.int64)
        if not len(places):
            return []
        near = np.ones(len(places), bool)
        for key, limit in zip((layer, _PIXELS), most):
            far = distances_to(self.found.arrays[key][row], self.beside.arrays[key], places, self.method.metric)
            near &= far <= limit
        return [self.others.names[int(self.beside.places[place])] for place in places[near]]

    def _drawn(self) -> frozenset[int]:
        count = len(self.found.places)
        places = np.linspace(0, count - 1, min(self.method.sheets, count)).round().astype(int)
        return frozenset(places.tolist())

    def _images(self, row: int, at: Nearest, in_pixels: Nearest) -> dict[str, NDArray[np.uint8]]:
        query = reduced(self.queries[int(self.found.places[row])].array, _SHOWN)[0]
        found = {"query": query}
        for role, near in (("neighbors", at), ("pixel-neighbors", in_pixels)):
            if near.places.shape[1]:
                others = self.others.rows(self.beside.places[near.places[row]]).array
                found[role] = np.concatenate(list(reduced(others, _SHOWN)), 2)
        return found
