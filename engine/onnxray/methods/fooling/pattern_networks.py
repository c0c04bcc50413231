"""Compositional pattern producing networks (CPPNs; Stanley 2007): pictures whose pixels are a function of their place.

    pixel = |out(x, y, sqrt(x^2 + y^2), 1)|,   x, y from -1 to 1;   a neuron f(sum_j w_j v_j)

    f   sin s     2 / (1 + e^-s) - 1     e^(-s^2)     clip(s, -3, 3) / 3          w from -10 to 10

One output is a grey, three are hue, lightness and saturation. Networks grow as those of NEAT do (Stanley, Miikkulainen
2002), without crossover and species. Rates and functions are those of Nguyen, Yosinski and Clune's code, where the
coordinates of the first two inputs are counted in pixels; here they are those of the paper.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.eight_bits import to_uint8
from onnxray.methods.fooling.encodings import CHANCE, Encoding, changed

Neuron = tuple[float, int]
"""Where it stands between the inputs (0) and the outputs (1), and its function's number."""
Link = tuple[int, int]
"""From one neuron or input to another, which stands higher: so that there is no circle."""

INPUTS: Final = 4
FUNCTIONS: Final = (
    np.sin,
    lambda s: 2 / (1 + np.exp(-np.clip(s, -60, 60))) - 1,
    lambda s: np.exp(-np.square(s)),
    lambda s: np.clip(s, -3, 3) / 3,
)
_WIDEST = 10.0
_NEW_LINK, _LESS_LINKS, _NEW_NEURON, _LESS_NEURONS = 0.5, 0.3, 0.5, 0.2


@dataclass(frozen=True)
class Network:
    """neurons: by their numbers, outputs first from INPUTS on. links: a weight each, in [0, 1], which stands for w."""

    neurons: Mapping[int, Neuron]
    links: Mapping[Link, float]

    def place(self, number: int) -> float:
        """Where a neuron or an input stands."""
        return 0.0 if number < INPUTS else self.neurons[number][0]


@final
@dataclass(frozen=True, kw_only=True)
class Patterns(Encoding[Network]):
    """Networks that draw pictures of a shape (C, H, W)."""

    shape: tuple[int, int, int]

    @cached_property
    def inputs(self) -> NDArray[np.float32]:
        """(4, H, W): x, y, the distance from the middle, and 1."""
        height, width = self.shape[1:]
        y, x = np.meshgrid(_coordinates(height), _coordinates(width), indexing="ij")
        return np.stack([x, y, np.hypot(x, y), np.ones_like(x)]).astype(np.float32)

    def drawn(self, random: np.random.Generator) -> Network:
        """Each input linked to each output."""
        outputs = range(INPUTS, INPUTS + self.shape[0])
        neurons = {number: (1.0, int(random.integers(len(FUNCTIONS)))) for number in outputs}
        return Network(neurons, {(i, o): random.random() for i in range(INPUTS) for o in outputs})

    def child(self, first: Network, second: Network, generation: int, random: np.random.Generator) -> Network:
        """The first, changed: weights and functions each with their chance, then links and neurons."""
        weights = changed(np.array([*first.links.values()]), CHANCE, random)
        links = dict(zip(first.links, weights.tolist()))
        neurons = dict(first.neurons)
        for number in neurons:
            if random.random() < CHANCE:
                neurons[number] = (neurons[number][0], int(random.integers(len(FUNCTIONS))))
        found = Network(neurons, links)
        if random.random() < _NEW_LINK:
            self._link(found, links, random)
        if links and random.random() < _LESS_LINKS:
            del links[_one_of([*links], random)]
        if links and random.random() < _NEW_NEURON:
            self._split(found, neurons, links, random)
        hidden = [number for number in neurons if number >= INPUTS + self.shape[0]]
        if hidden and random.random() < _LESS_NEURONS:
            gone = _one_of(hidden, random)
            del neurons[gone]
            for link in [link for link in links if gone in link]:
                del links[link]
        return found

    def picture(self, genome: Network) -> Image8:
        """(C, H, W)."""
        values: dict[int, Any] = dict(enumerate(self.inputs))
        for number, (_, function) in sorted(genome.neurons.items(), key=lambda one: one[1][0]):
            total = np.zeros(self.shape[1:], np.float32)
            for (source, sink), weight in genome.links.items():
                if sink == number:
                    total += np.float32((2 * weight - 1) * _WIDEST) * values[source]
            values[number] = FUNCTIONS[function](total)
        out = np.clip(np.abs([values[INPUTS + channel] for channel in range(self.shape[0])]), 0, 1)
        return to_uint8(255 * (out if len(out) == 1 else _coloured(*out)))

    def packed(self, genomes: Sequence[Network]) -> NDArray[Any]:
        """JSON, in UTF-8: of each its neurons (number, place, function) and its links (from, to, weight), in order."""
        told = [
            {
                "neurons": [[number, *neuron] for number, neuron in one.neurons.items()],
                "links": [[*link, weight] for link, weight in one.links.items()],
            }
            for one in genomes
        ]
        return np.frombuffer(json.dumps(told).encode(), np.uint8)

    def unpacked(self, array: NDArray[Any]) -> list[Network]:
        """In the same order, which sums depend on."""
        return [
            Network(
                {int(number): (float(place), int(function)) for number, place, function in one["neurons"]},
                {(int(source), int(sink)): float(weight) for source, sink, weight in one["links"]},
            )
            for one in json.loads(array.tobytes())
        ]

    @staticmethod
    def _split(
        found: Network, neurons: dict[int, Neuron], links: dict[Link, float], random: np.random.Generator
    ) -> None:
        """A neuron in the middle of a link, unless its ends are so near that no number lies between them."""
        source, sink = _one_of([*links], random)
        low, high = found.place(source), found.place(sink)
        if low < (low + high) / 2 < high:
            new = max(neurons) + 1
            neurons[new] = ((low + high) / 2, int(random.integers(len(FUNCTIONS))))
            links[source, new] = links[new, sink] = links.pop((source, sink))

    @staticmethod
    def _link(found: Network, links: dict[Link, float], random: np.random.Generator) -> None:
        """A new one, from an input or a neuron to one that stands higher, where a draw finds room for it."""
        source = _one_of([*range(INPUTS), *found.neurons], random)
        sinks = [
            number for number in found.neurons
            if found.place(number) > found.place(source) and (source, number) not in links
        ]  # fmt: skip
        if sinks:
            links[source, _one_of(sinks, random)] = random.random()


def _coordinates(count: int) -> NDArray[np.float64]:
    return np.linspace(-1, 1, count) if count > 1 else np.zeros(1)


def _one_of(among: list[Any], random: np.random.Generator) -> Any:
    return among[int(random.integers(len(among)))]


def _coloured(hue: Any, lightness: Any, saturation: Any) -> NDArray[np.float32]:
    """(3, H, W): red, green and blue of hue, lightness and saturation, each from 0 to 1."""
    span = saturation * np.minimum(lightness, 1 - lightness)

    def channel(place: int) -> Any:
        k = (place + 12 * hue) % 12
        return lightness - span * np.clip(np.minimum(k - 3, 9 - k), -1, 1)

    return np.stack([channel(0), channel(8), channel(4)])
