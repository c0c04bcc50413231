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
_LARGEST: Final = 1 + 1e-5
"""What ONNX Runtime's Tanh gives at most, and some."""


@dataclass(frozen=True, eq=False)
class Generator:
    """A generator's file. numbers: the class, or the channel of ``layer``, that each of its own numbers stands for.

    path: what the user calls it, for errors.
    """

    model: Model
    numbers: tuple[int, ...]
    layer: str | None
    path: str = "generator.onnx"
    trained_on: str | None = None
    """The sha256 of the model that it was trained on."""

    @classmethod
    def opened(cls, path: str) -> Generator:
        """From a file. Errors: InputError where it is none that onnxray trained, ModelFileError."""
        model = Model(read_graph(path), None)
        text = model.graph.metadata.get(CARD)
        try:
            card = parse_json(text or "")
            numbers, layer, origin = card["numbers"], card["layer"], card["sha256"]
        except (ValueError, OverflowError, TypeError, KeyError):
            numbers, layer, origin = None, None, None
        whole = isinstance(numbers, list) and all(type(one) is int and one >= 0 for one in numbers)
        if not whole or not numbers or len(set(numbers)) != len(numbers) or not isinstance(layer, str | None):
            raise InputError(
                f"{short(path)} is no generator that onnxray trained: its metadata {CARD!r} does not say what it "
                "shows; train one: onnxray generator train"
            )
        taken, given = ({one.name for one in values} for values in (model.graph.inputs, model.graph.outputs))
        if not {"class"} <= taken <= {"class", "noise"} or "picture" not in given:
            raise InputError(
                f"{short(path)} is no generator that onnxray trained: it takes {short(sorted(taken))} and gives "
                f"{short(sorted(given))}, in place of 'class' and 'picture'; train one: onnxray generator train"
            )
        return cls(model, tuple(numbers), layer, path, str(origin))

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
            found.append(self.model.judge.outputs(feeds, ["picture"])["picture"].astype(np.float32))
        whole = np.concatenate(found)
        if not np.abs(whole).max() <= _LARGEST:  # NaN too
            raise InputError(
                f"{short(self.path)} gives numbers that are none from -1 to 1, as its Tanh would; train it anew: "
                "onnxray generator train"
            )
        return whole


def pictures_of(v: NDArray[np.float32]) -> Image8:
    """As pictures: -1 black, 1 white."""
    return to_uint8(127.5 * (v + 1))


def judged(
    generator: Generator, model: Model, numbers: Sequence[int] | None, samples: int, random: np.random.Generator
) -> Iterator[GeneratedItem]:
    """The pictures of some classes, so many of each, as the judge sees them: see ``check_fits``. Errors: InputError."""
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


def check_fits(generator: Generator, model: Model) -> tuple[str, ...]:
    """Refuse a generator of pictures, classes or channels that the model has not; notes. Errors: InputError."""
    given = next(one.shape for one in generator.model.graph.outputs if one.name == "picture")
    expected = None if model.profile is None else model.profile.shape
    if expected is None or given is None or tuple(given[1:]) != expected:
        raise InputError(
            f"the generator gives pictures of {list((given or ())[1:])}, and the model takes "
            f"{'none' if expected is None else list(expected)}; take the model that it was trained on"
        )
    count, largest = count_of(model, generator.layer), max(generator.numbers)
    if largest >= count:
        what = "classes" if generator.layer is None else f"channels at {short(generator.layer)}"
        raise InputError(
            f"the generator shows {largest}, and the model has {count} {what}, from 0; take the model that it was "
            "trained on"
        )
    if generator.trained_on == model.graph.sha256:
        return ()
    return (f"the generator was trained on another file ({short(str(generator.trained_on)[:12])}) than is judged here",)


def count_of(model: Model, layer: str | None) -> int:
    """How many classes there are, or channels of a layer. Errors: UnknownValue, NotAClassifier, InputError."""
    if layer is None:
        assert model.profile is not None
        return int(model.predict_classes(Pixels.blank(model.profile)).probabilities.shape[1])
    name = model.select_value(layer)
    shape = model.shapes([name])[name]
    if len(shape) < 2 or shape[1] < 2:
        raise InputError(
            f"{short(layer)} has the shape {list(shape)}, which holds no channels to choose among; name another layer"
        )
    return int(shape[1])


def read_numbers(text: str, what: str, most: int, least: int = 0) -> tuple[int, ...]:
    """``0-9``, ``1,5,7`` or both, each from ``least`` and below ``most``. Errors: InputError."""
    found: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.strip().partition("-")
            begin = int(first)
            end = int(last) if dash else begin
            if end - begin > most:
                raise ValueError
            found += range(begin, end + 1)
    except ValueError:
        found = []
    if not found or not all(least <= one < most for one in found) or len(set(found)) != len(found):
        raise InputError(f"{what} is {short(text)}; numbers from {least} to {most - 1} were expected, as 1-9 or 1,5,7")
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
