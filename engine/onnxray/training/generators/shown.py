"""What a generator's file holds, and the pictures that it gives, judged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.reading import read_graph
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.images.profile.side_text import parse_json
from onnxray.methods.run import Run
from onnxray.model.model import Model
from onnxray.results.file_names import stem_named
from onnxray.training.generators.item import GeneratedItem

CARD: Final = "onnxray_generator"
"""The key of a generator's metadata that says what its numbers stand for, as JSON."""
_BATCH: Final = 32


@dataclass(frozen=True, eq=False)
class Generator:
    """A generator's file. numbers: the class, or the channel of ``layer``, that each of its own numbers stands for."""

    model: Model
    numbers: tuple[int, ...]
    layer: str | None

    @classmethod
    def opened(cls, path: str) -> Generator:
        """From a file. Errors: InputError where it is none that onnxray trained, ModelFileError."""
        model = Model(read_graph(path), None)
        text = model.graph.metadata.get(CARD)
        try:
            card = parse_json(text or "")
            numbers = tuple(int(one) for one in card["numbers"])
            layer = None if card["layer"] is None else str(card["layer"])
        except (ValueError, OverflowError, TypeError, KeyError):
            raise InputError(
                f"{short(path)} is no generator that onnxray trained: its metadata {CARD!r} does not say what it "
                "shows; train one: onnxray generator train"
            ) from None
        return cls(model, numbers, layer)

    @property
    def noise(self) -> int:
        """How many numbers of noise it takes."""
        found = [value for value in self.model.graph.inputs if value.name == "noise"]
        return int(found[0].shape[1]) if found and found[0].shape and isinstance(found[0].shape[1], int) else 0

    def places(self, numbers: Sequence[int] | None) -> NDArray[np.int64]:
        """Its own numbers of some classes; of all where none is named. Errors: InputError."""
        if numbers is None:
            return np.arange(len(self.numbers))
        place = {number: k for k, number in enumerate(self.numbers)}
        missing = [number for number in numbers if number not in place]
        if missing:
            raise InputError(f"the generator does not show {missing[0]}; it shows {short(list(self.numbers))}")
        return np.array([place[number] for number in numbers], np.int64)

    def perturbations(self, places: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float32]:
        """V_i = G(i) in [-1, 1], (n, C, H, W)."""
        found = []
        for start in range(0, len(places), _BATCH):
            part = places[start : start + _BATCH]
            feeds: dict[str, NDArray[Any]] = {"class": part.astype(np.int64)}
            if self.noise:
                feeds["noise"] = random.standard_normal((len(part), self.noise)).astype(np.float32)
            found.append(self.model.judge.outputs(feeds, ["picture"])["picture"])
        return np.concatenate(found).astype(np.float32)


def pictures_of(v: NDArray[np.float32]) -> Image8:
    """As pictures: -1 black, 1 white."""
    return to_uint8(127.5 * (v + 1))


def judged(
    generator: Generator, model: Model, numbers: Sequence[int] | None, samples: int, random: np.random.Generator
) -> Iterator[GeneratedItem]:
    """The pictures of some classes, so many of each, as the judge sees them. Errors: InputError."""
    check_fits(generator, model)
    places = np.repeat(generator.places(numbers), samples)
    for start in range(0, len(places), _BATCH):
        part = places[start : start + _BATCH]
        images = pictures_of(generator.perturbations(part, random))
        shares = shares_of(model, Pixels.of(images.astype(np.float32)), generator.layer)
        for row, place in enumerate(part.tolist()):
            number, share = generator.numbers[place], shares[row]
            strongest, sample = int(share.argmax()), (start + row) % samples
            label, other = (_label(model, one, generator.layer) for one in (number, strongest))
            stem = stem_named(label, start + row, *([f"{sample}"] if samples > 1 else []))
            yield GeneratedItem(
                number=number, label=label, sample=sample, probability=float(share[number]), strongest=strongest,
                strongest_label=other, stem=stem, image=images[row],
            )  # fmt: skip


def shares_of(model: Model, pixels: Pixels, layer: str | None) -> NDArray[np.float64]:
    """(N, K): probabilities of the classes, or the softmax of the means of a layer's channels."""
    if layer is None:
        return np.asarray(model.predict_classes(pixels).probabilities, np.float64)
    value = model.values(pixels, [layer])[layer].astype(np.float64)
    means = value.reshape(*value.shape[:2], -1).mean(2)
    e = np.exp(means - means.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def check_fits(generator: Generator, model: Model) -> None:
    """Refuse a generator of pictures of another size. Errors: InputError."""
    given = generator.model.graph.outputs[0].shape
    wanted = None if model.profile is None else model.profile.shape
    if wanted is None or given is None or tuple(given[1:]) != wanted:
        raise InputError(
            f"the generator gives pictures of {list((given or ())[1:])}, and the model takes "
            f"{'none' if wanted is None else list(wanted)}; take the model that it was trained on"
        )


def read_numbers(text: str, what: str, most: int) -> tuple[int, ...]:
    """``0-9``, ``1,5,7`` or both, each below ``most``. Errors: InputError."""
    found: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.strip().partition("-")
            end = int(last) if last else int(first)
            if end - int(first) > most:
                raise ValueError
            found += range(int(first), end + 1)
    except ValueError:
        found = []
    if not found or not all(0 <= one < most for one in found) or len(set(found)) != len(found):
        raise InputError(f"{what} is {short(text)}; numbers from 0 to {most - 1} were expected, as 0-9 or 1,5,7")
    return tuple(found)


def _label(model: Model, number: int, layer: str | None) -> str:
    return model.label(number) if layer is None else f"{layer}:{number}"


def keep_network(data: bytes, key: str, name: str, run: Run) -> None:
    """Put a network's file into the run's folder, where it has one, and its sha256 into the document, under ``key``."""

    def write(path: Path) -> None:
        path.write_bytes(data)

    keep = None if run.tape is None else run.tape.keep
    if keep is not None:
        keep.put_file(name, write)
        run.tell(key, {"file": name, "sha256": hashlib.sha256(data).hexdigest()})
