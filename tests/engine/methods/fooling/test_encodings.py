"""Mutation and crossover restated number by number, and networks that draw patterns evaluated by hand."""

from __future__ import annotations

import colorsys
import math

import numpy as np
import pytest

from onnxray.methods.fooling.encodings import CHANCE, Direct, changed, crossed
from onnxray.methods.fooling.pattern_networks import INPUTS, Network, Patterns


def test_polynomial_mutation_as_deb_has_it() -> None:
    numbers = np.random.default_rng(1).random(400)
    found = changed(numbers, 0.5, np.random.default_rng(7))
    random = np.random.default_rng(7)
    where = random.random(400) < 0.5
    u = iter(random.random(int(where.sum())))
    for before, after, moved in zip(numbers, found, where):
        if not moved:
            assert after == before
            continue
        r = next(u)
        delta = (2 * r) ** (1 / 16) - 1 if r < 0.5 else 1 - (2 * (1 - r)) ** (1 / 16)
        assert after == pytest.approx(min(max(before + delta, 0), 1), abs=1e-12)


def test_crossover_as_deb_has_it() -> None:
    first, second = np.random.default_rng(2).random((2, 300))
    second[:20] = first[:20]
    found = crossed(first, second, np.random.default_rng(3))
    random = np.random.default_rng(3)
    upper, u = random.random(300) < 0.5, random.random(300)
    for k in range(300):
        low, high = sorted((first[k], second[k]))
        if high - low <= np.finfo(np.float32).eps:
            assert found[k] == first[k]
            continue
        room = 1 - high if upper[k] else low
        alpha = 2 - (1 + 2 * room / (high - low)) ** -11
        q = (u[k] * alpha) ** (1 / 11) if u[k] <= 1 / alpha else (1 / (2 - u[k] * alpha)) ** (1 / 11)
        child = 0.5 * (low + high + (q if upper[k] else -q) * (high - low))
        assert found[k] == pytest.approx(min(max(child, 0), 1), abs=1e-12)


def test_half_as_many_pixels_change_after_each_thousand_generations() -> None:
    direct, random = Direct(shape=(3, 60, 60)), np.random.default_rng(0)
    genome = direct.drawn(random)
    for generation, share in ((1, CHANCE), (1000, CHANCE), (1001, CHANCE / 2), (3001, CHANCE / 8)):
        moved = np.mean([(direct.child(genome, genome, generation, random) != genome).mean() for _ in range(10)])
        assert moved == pytest.approx(share, rel=0.1)
    assert np.array_equal(direct.picture(genome), np.rint(genome * 255).astype(np.uint8))


def test_a_network_pixel_by_pixel() -> None:
    neurons = {INPUTS: (1.0, 0), INPUTS + 1: (0.5, 2), INPUTS + 2: (0.25, 1), INPUTS + 3: (0.75, 3)}
    links = {
        (0, 5): 0.53, (3, 5): 0.6, (1, 6): 0.41, (2, 6): 0.55, (5, 7): 0.9, (6, 7): 0.3, (7, 4): 0.71, (6, 4): 0.52,
    }  # fmt: skip
    found = Patterns(shape=(1, 5, 7)).picture(Network(neurons, links))
    for row in range(5):
        for column in range(7):
            x, y = -1 + column * 2 / 6, -1 + row * 2 / 4
            values = {0: x, 1: y, 2: math.hypot(x, y), 3: 1.0}
            for number, f in (
                (6, lambda s: 2 / (1 + math.exp(-s)) - 1), (5, lambda s: math.exp(-s * s)),
                (7, lambda s: min(max(s, -3), 3) / 3), (4, math.sin),
            ):  # fmt: skip
                values[number] = f(sum(20 * (w - 0.5) * values[a] for (a, b), w in links.items() if b == number))
            assert abs(int(found[0, row, column]) - 255 * abs(values[4])) <= 0.51


def test_three_outputs_are_hue_lightness_and_saturation() -> None:
    """Outputs that are constant: of the bias alone, through the clipped line."""
    for hls in np.random.default_rng(4).random((20, 3)):
        neurons = {INPUTS + k: (1.0, 3) for k in range(3)}
        links = {(3, INPUTS + k): 0.5 + 3 * value / 20 for k, value in enumerate(hls.tolist())}
        found = Patterns(shape=(3, 2, 2)).picture(Network(neurons, links))
        assert np.abs(found[:, 0, 0] - 255 * np.array(colorsys.hls_to_rgb(*hls))).max() <= 0.51


def test_networks_that_grow_stay_without_circles() -> None:
    random = np.random.default_rng(5)
    patterns = Patterns(shape=(3, 4, 4))
    network, largest = patterns.drawn(random), 0
    for generation in range(1, 600):
        network = patterns.child(network, network, generation, random)
        for source, sink in network.links:
            assert network.place(source) < network.place(sink)
        assert {INPUTS, INPUTS + 1, INPUTS + 2} <= set(network.neurons)
        assert all(0 <= weight <= 1 for weight in network.links.values())
        largest = max(largest, len(network.neurons))
    assert largest > 6
    assert patterns.picture(network).shape == (3, 4, 4)
