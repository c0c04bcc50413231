"""The line search against the definition, restated by brute force on made-up goals."""

from collections.abc import Callable

import numpy as np
import pytest

from onnxray.methods.attack.line_search import (
    NEAR,
    REFINED_TO,
    Found,
    Line,
    direction_of,
    resolve_search,
    search_scale,
)

Hit = Callable[[np.ndarray], bool]
SEED = np.random.default_rng(5)
ORIGIN = SEED.integers(0, 256, (1, 6, 6)).astype(np.uint8)
DIRECTION = SEED.uniform(-1, 1, (1, 6, 6))
DIRECTION /= np.abs(DIRECTION).max()


class Counted:
    """A goal on images that remembers what it was asked."""

    def __init__(self, hit: Hit) -> None:
        self.hit = hit
        self.batches: list[np.ndarray] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        assert images.dtype == np.uint8
        assert images.ndim == 4
        self.batches.append(images)
        return np.array([self.hit(image) for image in images])

    @property
    def judged(self) -> int:
        return sum(map(len, self.batches))


def moved(scale: float, origin: np.ndarray = ORIGIN, direction: np.ndarray = DIRECTION) -> np.ndarray:
    pixels = [round(min(max(float(o) + scale * float(d), 0.0), 255.0)) for o, d in zip(origin.flat, direction.flat)]
    return np.array(pixels, np.uint8).reshape(origin.shape)


def first_integer(hit: Hit, max_scale: int, **line: np.ndarray) -> int | None:
    return next((scale for scale in range(1, max_scale + 1) if hit(moved(scale, **line))), None)


def smallest(hit: Hit, max_scale: int, **line: np.ndarray) -> float | None:
    """The first of all sixteenths, where a whole number meets the goal; the origin itself is no hit."""
    whole, own = first_integer(hit, max_scale, **line), moved(0, **line)
    if whole is None:
        return None
    sixteenths = (k / 16 for k in range(1, 16 * whole + 1))
    images = ((scale, moved(scale, **line)) for scale in sixteenths)
    return next(scale for scale, image in images if hit(image) and not np.array_equal(image, own))


def refined(hit: Hit, first: int, **line: np.ndarray) -> float:
    """Four halvings of (first - 1, first], the origin itself never being taken for a hit."""
    low, high = float(first - 1), float(first)
    for _ in range(4):
        middle = (low + high) / 2
        image = moved(middle, **line)
        if hit(image) and not (low == 0 and np.array_equal(image, moved(0, **line))):
            high = middle
        else:
            low = middle
    return high


def search(hit: Hit, how: str = "exhaustive", max_scale: int = 1024, **line: np.ndarray) -> tuple[Found, Counted]:
    goal = Counted(hit)
    origin, direction = line.get("origin", ORIGIN), line.get("direction", DIRECTION)
    return search_scale(Line(origin, direction), goal, max_scale=max_scale, search=how), goal


def far(threshold: float) -> Hit:
    """Monotone: the distance from the origin only grows with the scale."""
    return lambda image: float(np.abs(image.astype(float) - ORIGIN).sum()) >= threshold


def scattered(seed: int, one_in: int) -> Hit:
    """Neither monotone nor an interval: whether an image hits is a matter of chance, of one in so many."""
    return lambda image: int(image.astype(np.int64).ravel() @ np.arange(seed, 36 + seed)) % one_in == 0


HITS = {
    "near": far(12),
    "middle": far(900),
    "beyond 255": far(float(np.abs(moved(400).astype(float) - ORIGIN).sum())),
    "one in fifty": scattered(1, 50),
    "one in three": scattered(2, 3),
}


@pytest.mark.parametrize("name", HITS)
def test_the_exhaustive_search_takes_the_smallest_of_all_sixteenths(name: str):
    hit = HITS[name]
    first = first_integer(hit, 1024)
    assert first is not None
    found, goal = search(hit)
    assert found.reached
    assert found.search == "exhaustive"
    assert found.scale == smallest(hit, 1024)
    assert found.image.tobytes() == moved(found.scale).tobytes()
    assert hit(found.image)
    assert goal.judged <= -(-first // 128) * 128 + 16 * first


@pytest.mark.parametrize("one_in", [2, 3, 10, 50])
def test_the_smallest_is_found_where_hits_are_scattered(one_in: int):
    """Bisection below the first whole number, or below one alone, finds larger ones here."""
    missed = 0
    for seed in range(1, 20):
        hit = scattered(seed, one_in)
        found, _ = search(hit)
        first = first_integer(hit, 1024)
        assert found.scale == (1024 if first is None else smallest(hit, 1024))
        missed += first is not None and refined(hit, first) > found.scale
    assert missed > 5


@pytest.mark.parametrize("first", [1, 31, 32, 33, 200])
@pytest.mark.parametrize("below", [0.5, 15.25, 31.9375, 32.5, 150.5])
def test_by_integers_the_last_of_them_are_searched_by_sixteenths_which_is_said(first: int, below: float):
    """A goal that is met at one sixteenth, and from a whole number on."""
    line = {"origin": np.zeros((1, 1, 16), np.uint8), "direction": np.linspace(0.5, 1, 16).reshape(1, 1, 16)}
    lucky = moved(first - below, **line).tobytes() if below < first else b""

    def hit(image: np.ndarray) -> bool:
        return image.tobytes() == lucky or int(image.max()) >= first

    for how in ("exhaustive", "integers"):
        found, _ = search(hit, how, **line)
        assert found.search == ("integers" if how == "integers" and first > NEAR else "exhaustive")
        if how == "exhaustive" or first <= NEAR or below < NEAR:
            assert found.scale == smallest(hit, 1024, **line)
        else:
            assert first - 1 < found.scale <= first


@pytest.mark.parametrize("name", ["near", "middle", "beyond 255"])
@pytest.mark.parametrize("max_scale", [1024, 1000, 700])
def test_bisection_finds_what_the_exhaustive_search_finds_where_hits_are_an_interval(name: str, max_scale: int):
    found, goal = search(HITS[name], "bisection", max_scale)
    exhaustive, _ = search(HITS[name], "exhaustive", max_scale)
    assert found.search == "bisection"
    assert (found.scale, found.reached) == (exhaustive.scale, True)
    assert found.image.tobytes() == exhaustive.image.tobytes()
    assert goal.judged <= 11 + 9 + 4
    assert all(len(batch) == 1 for batch in goal.batches)


def test_bisection_on_a_scattered_set_ends_on_a_hit_with_a_miss_a_sixteenth_below():
    reached = 0
    for seed in range(1, 25):
        hit = scattered(seed, 3)
        found, _ = search(hit, "bisection")
        below = moved(found.scale - REFINED_TO)
        assert found.scale % REFINED_TO == 0
        assert hit(found.image) == found.reached
        assert not found.reached or not hit(below) or below.tobytes() == ORIGIN.tobytes()
        reached += found.reached
    assert reached > 12


@pytest.mark.parametrize("how", ["exhaustive", "bisection"])
@pytest.mark.parametrize("max_scale", [1, 100, 128, 129, 300, 1024])
def test_never_is_reported_as_unreached_at_the_largest_scale(how: str, max_scale: int):
    found, goal = search(lambda image: False, how, max_scale)
    assert not found.reached
    assert found.scale == max_scale
    assert found.image.tobytes() == moved(max_scale).tobytes()
    asked = {image.tobytes() for batch in goal.batches for image in batch}
    assert asked <= {moved(scale).tobytes() for scale in range(1, max_scale + 1)}
    assert goal.judged == max_scale if how == "exhaustive" else goal.judged <= 11


@pytest.mark.parametrize("first", [1, 127, 128, 129, 256, 257])
def test_batch_boundaries_are_neither_skipped_nor_asked_twice(first: int):
    line = {"origin": np.zeros((1, 1, 2), np.uint8), "direction": np.array([[[0.75, 0.1]]])}

    def hit(image: np.ndarray) -> bool:
        return image.tobytes() == moved(first, **line).tobytes()

    found, goal = search(hit, max_scale=400, **line)
    integer = first_integer(hit, 400, **line)
    assert found.reached
    assert integer == first
    assert found.scale == smallest(hit, 400, **line)
    sizes, integers = [len(batch) for batch in goal.batches], -(-integer // 128)
    assert sizes[:integers] == [128] * integers
    assert set(sizes[integers:-1]) <= {128}
    assert 1 <= sizes[-1] <= 128


@pytest.mark.parametrize("first", [1, 2, 3, 100, 129])
def test_bisection_begins_with_scales_that_double(first: int):
    line = {"origin": np.zeros((1, 1, 1), np.uint8), "direction": np.ones((1, 1, 1))}
    found, goal = search(lambda image: int(image[0, 0, 0]) >= first, "bisection", 255, **line)
    assert found.reached
    asked = [int(batch[0, 0, 0, 0]) for batch in goal.batches]
    doubled = [1, 2, 4, 8, 16, 32, 64, 128, 255]
    assert asked[: doubled.index(max(asked)) + 1] == doubled[: doubled.index(max(asked)) + 1]
    assert max(asked) == next(scale for scale in doubled if scale >= first)


def test_a_hit_on_the_last_scale_alone_that_is_no_power_of_two():
    line = {"origin": np.zeros((1, 1, 1), np.uint8), "direction": np.array([[[0.25]]])}
    for how in ("exhaustive", "bisection"):
        found, _ = search(lambda image: int(image[0, 0, 0]) >= 175, how, 700, **line)
        assert found.reached
        assert found.scale == 698.0625  # 174.515625 rounds to 175; 698 gives 174.5, which rounds to the even 174
        missed, _ = search(lambda image: int(image[0, 0, 0]) >= 176, how, 700, **line)
        assert not missed.reached
        assert missed.scale == 700


def test_a_hit_below_scale_one_is_refined_to_a_sixteenth_and_the_origin_is_never_a_hit():
    line = {"origin": np.full((1, 1, 2), 100, np.uint8), "direction": np.array([[[1.0, 0.3]]])}
    for how in ("exhaustive", "bisection"):
        found, goal = search(lambda image: True, how, **line)
        assert found.scale == 0.5625  # half a level rounds to the even 100: the origin
        assert found.image.tolist() == [[[101, 100]]]
        assert not any(np.array_equal(image, line["origin"]) for batch in goal.batches for image in batch)


def test_images_that_round_to_one_another_are_not_judged_twice():
    line = {"origin": np.full((1, 1, 1), 100, np.uint8), "direction": np.ones((1, 1, 1))}
    found, goal = search(lambda image: int(image[0, 0, 0]) >= 150, "bisection", **line)
    assert found.scale == 49.5  # 49.5 gives 149.5, which rounds to the even 150
    assert found.scale == refined(lambda image: int(image[0, 0, 0]) >= 150, 50, **line)
    asked = [int(image[0, 0, 0]) for batch in goal.batches for image in batch]
    assert len(asked) == len(set(asked))


def test_a_goal_that_only_the_saturated_image_meets_is_found_beyond_255():
    origin, direction = np.full((1, 2, 2), 200, np.uint8), np.array([[[1.0, -1.0], [0.25, -0.4]]])
    saturated = moved(10_000, origin, direction)
    assert saturated.tolist() == [[[255, 0], [255, 0]]]
    for how in ("exhaustive", "bisection"):
        found, _ = search(lambda image: image.tobytes() == saturated.tobytes(), how, origin=origin, direction=direction)
        assert found.reached
        assert 498 < found.scale < 500  # 200 - 0.4 s <= 0.5
        assert np.array_equal(found.image, saturated)


def test_the_exhaustive_search_stops_early_once_every_pixel_is_saturated():
    origin, direction = np.full((1, 1, 2), 250, np.uint8), np.array([[[1.0, 0.0]]])
    found, goal = search(lambda image: False, max_scale=1024, origin=origin, direction=direction)
    assert not found.reached
    assert found.scale == 1024
    assert goal.judged == 128


def test_direction_has_a_largest_component_of_one_and_none_where_there_is_none():
    gradient = np.array([[[1e-38, -3e-38]]], np.float32)
    direction = direction_of(gradient)
    assert direction is not None
    assert direction.dtype == np.float64
    np.testing.assert_allclose(direction, [[[1 / 3, -1]]], rtol=1e-6)
    for bad in (np.zeros((1, 2, 2)), np.array([1.0, np.nan]), np.array([1.0, np.inf]), np.zeros(0)):
        assert direction_of(bad) is None


def test_candidates_are_rounded_to_even_after_clipping():
    image = Line(np.array([[[10, 11, 250, 3]]], np.uint8), np.array([[[0.5, 0.5, 1.0, -1.0]]])).at(9)
    assert image.tolist() == [[[14, 16, 255, 0]]]
    assert image.dtype == np.uint8


def test_auto_goes_by_the_size_of_the_image_alone():
    assert resolve_search("auto", 28 * 28) == "integers"
    assert resolve_search("auto", 128 * 128) == "integers"
    assert resolve_search("auto", 128 * 128 + 1) == "bisection"
    assert resolve_search("bisection", 4) == "bisection"
    assert resolve_search("integers", 10**9) == "integers"
    assert resolve_search("exhaustive", 10**9) == "exhaustive"
