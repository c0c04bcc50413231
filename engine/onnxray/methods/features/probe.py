"""Probes: how well labels of one's own can be told from a layer's numbers alone (Alain and Bengio 2016).

    linear   argmax of W f + b (probe_fit.py)          nearest   the majority of the k nearest that are learned from

f: the layer, by ONNX Runtime, of which a value with rows and columns is pooled to a number a channel. Pictures are
parted class by class, in an order by the seed and their bytes, into those that are learned from and those that are
tested; with ``folds`` each is tested once, by a probe of the other parts, and the probe that is kept is of all. What is
tested never chooses anything: the regularisation and the best layer are those of least loss on pictures left out of
what is learned from. The interval is Wilson's. A probe tells what can be read off a layer by a plane; not that the
model uses it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import spread_places
from onnxray.errors import InputError
from onnxray.graph.weight_layers import weight_layers
from onnxray.images.pixels import Pixels
from onnxray.methods.attack.rates import rate_of
from onnxray.methods.features.base import Features, asked, flat, labels_of, pictures_of, seed_of
from onnxray.methods.features.parts.libraries import scikit_learn
from onnxray.methods.features.parts.nearest import nearest
from onnxray.methods.features.parts.pooling import Pool, pool_of
from onnxray.methods.features.parts.probe_fit import LinearProbe, fit_probe
from onnxray.methods.features.parts.probe_model import probe_model
from onnxray.methods.features.parts.votes import majority
from onnxray.methods.features.parts.walk import Block, Question, Walked
from onnxray.methods.features.probe_item import ProbeItem
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.model.model import Model
from onnxray.model.opening import open_model
from onnxray.results.file_names import stem_named
from onnxray.results.finished_items import Tape

Places = NDArray[np.int64]
Split = tuple[Places, Places]
"""Which pictures are learned from, and which are tested."""

_SEEN: Final = 64
_TOLERANCE: Final = 1e-3
"""What scores of the file may be off the probe's own by, in parts of the largest."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """The pictures with a label, each once, in an order that hangs on their bytes and the seed alone.

    rows: which of those that were read; targets: which of the classes.
    """

    rows: Places
    paths: Sequence[str | None]
    targets: Places
    classes: tuple[str, ...]

    def splits(self, test: float, folds: int | None) -> list[Split]:
        """One, or one a fold. Errors: InputError where nothing is left to test, or a fold has no class to learn."""
        of_class = [np.flatnonzero(self.targets == number) for number in range(len(self.classes))]
        if folds is None:
            tested = [own[: round(test * len(own))] for own in of_class]
            if not sum(map(len, tested)):
                raise InputError(
                    f"of {len(self.targets)} labelled pictures none is left to test; give more, or --test, or --folds"
                )
            return [_split(np.concatenate(tested), len(self.targets))]
        fewest = min(map(len, of_class))
        if fewest < 2:
            raise InputError(
                "a class has one picture alone, so that it cannot be tested by the others; give more of it"
            )
        parts = [np.concatenate([own[number::folds] for own in of_class]) for number in range(folds)]
        return [_split(part, len(self.targets)) for part in parts if len(part)]


def _split(tested: Places, count: int) -> Split:
    return np.setdiff1d(np.arange(count), tested), np.sort(tested)


@final
@dataclass(frozen=True, kw_only=True)
class Probe(Features[ProbeItem]):
    """A linear and a k-nearest probe of layers for labels of one's own, the best of them as a file."""

    name: ClassVar[str] = "probe"
    item_type: ClassVar[type[Any]] = ProbeItem

    pool: Annotated[Pool, "what is kept of a value with rows and columns: a number a channel, or all (none)"] = "mean"
    test: Annotated[float, "share of each class that is tested and not learned from", Range(0.01, 0.99)] = 0.3
    folds: Annotated[
        int | None, "test every picture once, in so many parts, in place of one share of them", Range(2, 100)
    ] = None
    k: Annotated[int, "neighbours of the k-nearest probe", Range(1, 1000)] = 5
    most: Annotated[int, "layers, spread over all with weights, where none is named", Range(1, 200)] = 8

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[ProbeItem]:
        """Give every layer's probe."""
        scikit_learn("probes are fitted")
        if self.true_labels is None:
            raise InputError("a probe is of labels of your own; state them with --labels FILE.csv or folders")
        layers = self.layers(model, run)
        pictures = pictures_of(run)
        made = {name: (pool_of(model, name, self.pool), flat(name)) for name in layers}

        def keep(block: Block) -> Mapping[str, NDArray[Any]]:
            codes = {f"codes {name}": plain(pool(block.values[name])) for name, (pool, plain) in made.items()}
            return {**codes, "sha256": np.array([one.encode("ascii") for one in block.sha256], "S64")}

        with run.work_folder() as folder:
            question = Question(layers=layers, keep=keep, hashed=True)
            whole = len(pictures) * (1 + len(layers))  # a probe counts as long as the values of all layers
            found = asked(model, pictures, question, folder / "probe", run, "values", share=(0, whole - len(pictures)))
            stated = labels_of(pictures, found.places, self.true_labels, run)
            names = [pictures.names[int(place)] for place in found.places]
            labelled = _labelled(found, stated, names, seed_of(run), run)
            run.tell("seen", _spread(labelled.paths))
            splits = labelled.splits(self.test, self.folds)
            for layer, own in run.units(layers):
                run.progress(len(pictures) * (1 + layers.index(layer)), whole, f"probe of {layer}")
                yield self._item(layer, np.asarray(found.arrays[f"codes {layer}"]), labelled, splits, own)
            run.progress(whole, whole, "probes")

    def layers(self, model: Model, run: Run) -> tuple[str, ...]:
        """Those that are named, else some of those with weights and what the last layer reads."""
        if self.layer is not None:
            return super().layers(model, run)
        all_ = list(weight_layers(model.graph))
        last = model.aliases.get("features")
        if last is not None and last not in all_:
            all_.append(last)
        if not all_:
            raise InputError("no layer was named, and the file has none with weights; name one with --layer")
        order = {name: place for place, name in enumerate(model.graph.values)}
        all_ = sorted(set(all_), key=lambda name: order.get(name, len(order)))
        places = spread_places(len(all_), self.most)
        if len(places) < len(all_):
            run.note(f"{len(places)} of {len(all_)} layers are probed, spread over all; more by --most, or by --layer")
        return tuple(all_[place] for place in places)

    def _item(
        self, layer: str, codes: NDArray[np.float32], labelled: Labelled, splits: Sequence[Split], run: Run
    ) -> ProbeItem:  # fmt: skip
        own, targets, classes = codes[labelled.rows], labelled.targets, labelled.classes
        seed = seed_of(run) % 2**32
        said, near = np.full(len(own), -1), np.full(len(own), -1)
        k, probe = self.k, None
        for learned, tested in splits:
            probe = self._fit(own[learned], targets[learned], len(classes), seed, layer, run)
            said[tested] = probe.scores(own[tested]).argmax(1)
            k = min(self.k, len(learned))
            places = nearest(own[tested], own[learned], k, "euclidean").places
            near[tested] = [int(majority([str(targets[learned[place]]) for place in row])) for row in places.tolist()]
        everyone = np.sort(np.concatenate([tested for _, tested in splits]))
        learned = splits[0][0] if self.folds is None else np.arange(len(own))
        if self.folds is not None:
            probe = self._fit(own, targets, len(classes), seed, layer, run)
        assert probe is not None
        wrong = [place for place in everyone.tolist() if said[place] != targets[place]]
        right = [int((guess[everyone] == targets[everyone]).sum()) for guess in (said, near)]
        common = int(np.bincount(targets[learned]).argmax())
        return ProbeItem(
            layer=layer, pool=self.pool, numbers_each=own.shape[1], classes=classes, learned_from=len(learned),
            tested_on=len(everyone), folds=None if self.folds is None else len(splits), strength=probe.strength,
            validation=None if probe.loss is None or probe.accuracy is None
            else {"loss": probe.loss, "accuracy": probe.accuracy},
            linear=rate_of(right[0], len(everyone)), nearest=rate_of(right[1], len(everyone)), k=k,
            chance=float((targets[everyone] == common).mean()),
            wrong=[
                {"path": labelled.paths[place], "label": classes[targets[place]], "said": classes[said[place]]}
                for place in wrong
            ],
            reason="validation: a class has one picture alone to learn from" if probe.loss is None else None,
            numbers_={"weights": probe.weights, "bias": probe.bias}, images={},
            stems={role: stem_named(layer, 0, "probe", role) for role in ("weights", "bias")},
        )  # fmt: skip

    def _fit(
        self, codes: NDArray[np.float32], targets: Places, classes: int, seed: int, layer: str, run: Run
    ) -> LinearProbe:  # fmt: skip
        missing = classes - len(np.unique(targets))
        if missing:
            raise InputError(f"{missing} of {classes} classes have no picture that is learned from; give more of them")
        probe = fit_probe(codes, targets, classes, seed)
        if not probe.converged:
            run.note(f"a fit at {layer!r} had not settled after its last step; more pictures or --pool mean may help")
        return probe

    def extra(self, tape: Tape[ProbeItem]) -> dict[str, Any]:
        """``best``: the layer of least validation loss. ``seen``: some pictures, to try a file with a probe on."""
        chosen = best(tape.items)
        seen: list[str] = next(iter(tape.facts("seen")), [])
        return {**super().extra(tape), "best": None if chosen is None else chosen.layer, "seen": seen}


def best(items: Sequence[ProbeItem]) -> ProbeItem | None:
    """The probe of least loss on pictures left out of what it learned from, the deepest of those as good; without such
    a loss the last.
    """
    known = [item for item in items if item.validation is not None]
    if not known:
        return items[-1] if items else None
    return min(reversed(known), key=lambda item: item.validation["loss"] if item.validation else np.inf)


def _labelled(
    found: Walked, stated: Sequence[str | None], names: Sequence[str | None], seed: int, run: Run
) -> Labelled:  # fmt: skip
    """Errors: InputError where there are not two classes, or equal pictures have different labels."""
    hashes = [bytes(one).decode("ascii") for one in np.asarray(found.arrays["sha256"])]
    places: dict[str, int] = {}
    for place, (one, label) in enumerate(zip(hashes, stated)):
        if label is None:
            continue
        first = places.setdefault(one, place)
        if stated[first] != label:
            raise InputError(
                f"{names[first]} and {names[place]} are the same picture, labelled {stated[first]!r} and {label!r}"
            )
    known = sum(label is not None for label in stated)
    if len(places) < known:
        run.note(f"{known - len(places)} of {known} labelled pictures are copies of others, and count once")
    classes = tuple(sorted({str(stated[place]) for place in places.values()}))
    if len(classes) < 2:
        raise InputError(f"all pictures are labelled {classes[0]!r}; a probe tells two classes or more apart")

    def drawn(one: str) -> str:
        return hashlib.sha256(f"{seed} {one}".encode()).hexdigest()

    rows = np.array([places[one] for one in sorted(places, key=drawn)], np.int64)
    numbers = {name: number for number, name in enumerate(classes)}
    targets = np.array([numbers[str(stated[row])] for row in rows], np.int64)
    return Labelled(rows=rows, paths=[names[row] for row in rows], targets=targets, classes=classes)


def _spread(paths: Sequence[str | None]) -> list[str]:
    """Some of the pictures that are files, spread over all."""
    named = [path for path in paths if path is not None]
    return [named[place] for place in np.unique(np.linspace(0, len(named) - 1, min(_SEEN, len(named))).astype(int))]


def probe_file(model: Model, item: ProbeItem) -> bytes:
    """A probe as a file: the model up to the layer, and the probe (probe_model.py). Errors: InputError."""
    facts = {
        "learned from": item.learned_from, "tested on": item.tested_on, "right": item.linear["reached"],
        "strength": item.strength, "of": model.graph.sha256,
    }  # fmt: skip
    weights, bias = item.numbers_["weights"], item.numbers_["bias"]
    return probe_model(model, item.layer, item.pool, weights, bias, item.classes, facts)


def checked_against(model: Model, item: ProbeItem, data: bytes, images: object) -> dict[str, Any]:
    """The file of a probe, run by ONNX Runtime on pictures, beside the probe on the layer's own values.

    ``largest_difference``: of scores, in parts of the largest; ``same_class``: of how many ``pictures`` both say the
    same. Errors: InputError where they differ.
    """
    opened = open_model(data, device=model.device)
    said = opened.predict_classes(images, scores=True)
    value = pool_of(model, item.layer, item.pool)(model.values(images, [item.layer])[item.layer])
    codes = flat(item.layer)(value).astype(np.float64)
    own = codes @ np.asarray(item.numbers_["weights"]).T + item.numbers_["bias"]
    scores = np.asarray(said.scores, np.float64)
    apart = float(np.abs(scores - own).max() / max(float(np.abs(own).max()), 1e-30))
    if not apart <= _TOLERANCE:
        raise InputError(
            f"the file with the probe gives scores that are {apart:.2g} of the largest off the probe's own; it is not "
            "written"
        )
    return {
        "largest_difference": apart, "pictures": len(own), "same_class": int((scores.argmax(1) == own.argmax(1)).sum()),
    }  # fmt: skip
