"""LOTS restated in numpy on a linear model, where every gradient is exact, and its behaviour on the bundled LeNet."""

import itertools
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import onnxray
import onnxray_models
from onnxray.errors import InputError, ZeroGradient
from onnxray.images.distances import PassScore
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.lots.summary import quantile_with_infinities
from onnxray.objectives.goals import TargetImages, TargetValues
from support import models
from support.linear import SIDE, Linear, moved, pictures

NET = Linear.random()
ANEW = "try --steps 100, which takes the gradient anew at each step"
MORE = "try more --steps, or a larger --step-size"


def by_class(wanted: int, count: int, net: Linear = NET) -> np.ndarray:
    """The first seeded pictures that the restated model gives a class."""
    found = [image for image in pictures(400, seed=3) if net.class_of(image) == wanted]
    return np.stack(found[:count])


def some_classes(net: Linear = NET) -> tuple[int, int]:
    """The two classes most pictures are of."""
    counts = np.bincount([net.class_of(image) for image in pictures(400, seed=3)])
    first, second = np.argsort(counts)[::-1][:2]
    return int(first), int(second)


def line_search(image: np.ndarray, eta: np.ndarray, met, search: str = "exhaustive") -> float | None:
    scales = range(1, 1025) if search == "exhaustive" else [2**k for k in range(11)]
    first = next((scale for scale in scales if met(moved(image, eta, scale))), None)
    if first is None:
        return None
    if search == "exhaustive":
        return next(k / 16 for k in range(1, 16 * first + 1) if met(moved(image, eta, k / 16)))
    low, high = float(first // 2), float(first)
    while high - low > 1 / 16:
        middle = (low + high) / 2
        low, high = (low, middle) if met(moved(image, eta, middle)) else (middle, high)
    return high


def step_and_adjust(net: Linear, image, target, met, steps: int, step_size=1.0, *, rounding=False, test_float=False):
    """The image, how many gradients were taken, and whether it arrived."""
    x = image.astype(np.float32)
    for step in range(1, steps + 1):
        eta = net.eta(x, target)
        x = np.clip(x + step_size * (eta / np.abs(eta).max()), 0, 255).astype(np.float32)
        x = np.rint(x) if rounding else x
        if met(x if test_float else np.rint(x).astype(np.uint8)):
            return np.rint(x).astype(np.uint8), step, True
    return np.rint(x).astype(np.uint8), steps, False


# --- the formula


def test_eq_3_is_the_transposed_weights_times_what_is_missing_normalised_for_each_image_alone():
    origins, target = np.concatenate([pictures(3), pictures(1, seed=4) // 8 + 100]), pictures(1, seed=9)
    method = LOTS(layer="h", until="linf", linf=128)
    result = method(NET.open(), origins, target)
    assert len(result.items) == 4
    largest = set()
    for image, item in zip(origins, result.items):
        eta = NET.eta(image, NET.h(target[0]))
        assert np.array_equal(eta, np.rint(eta))  # whole, so the comparison is of bits
        largest.add(float(np.abs(eta).max()))
        assert np.array_equal(item.images["image"], moved(image, eta, 128))
        assert item.success
        assert (item.scale, item.steps, item.search, item.until) == (128.0, 1, "none", "linf")
    assert len(largest) == 4  # normalising over the batch would be seen


def test_what_is_said_of_an_alignment_is_the_score_s():
    item = LOTS(layer="h", until="linf")(NET.open(), pictures(1), pictures(1, seed=9)).items[0]
    pose = ((1.0, 0.0, 2.0), (0.0, 1.0, 3.0), (0.0, 0.0, 1.0))
    score = PassScore(score=0.75, ssim=0.5, aligned=True, homography=pose, correlation=0.875, reason="why")
    for similarity, expected in ((score, [0.75, True, [list(row) for row in pose], 0.875, "why"]),
                                 (None, [None, False, None, None, None])):  # fmt: skip
        said = replace(item, similarity=similarity).numbers()
        assert [said[key] for key in ("pass", "aligned", "homography", "correlation", "alignment_note")] == expected


@pytest.mark.parametrize(("goal", "sign"), [("inhibit", -1), ("magnify", 1)])
def test_eq_4_moves_along_the_own_representation_with_either_sign(goal: str, sign: int):
    origins = pictures(2)
    result = LOTS(layer="h", until="linf", linf=64)(NET.open(), origins, goal)
    for image, item in zip(origins, result.items):
        eta = sign * NET.eta(np.zeros_like(image), NET.h(image))  # W^T W x
        assert np.array_equal(item.images["image"], moved(image, eta, 64))
        assert item.mode == goal
        assert item.target is None
        norms = [np.linalg.norm(NET.h(picture)) for picture in (image, item.images["image"])]
        assert [item.distance_before, item.distance_after] == pytest.approx(norms)
        assert (norms[0] < norms[1]) == (goal == "magnify")


def test_the_gradient_is_taken_at_the_layer_that_is_named():
    image, target = pictures(2)
    at_logits = NET.v.astype(float) @ (NET.h(target) - NET.h(image))
    eta = (NET.w.T.astype(float) @ (NET.v.T.astype(float) @ at_logits)).reshape(image.shape)
    item = LOTS(layer="z", until="linf")(NET.open(), image, target).items[0]
    assert np.array_equal(item.images["image"], moved(image, eta, 128))


# --- one gradient and a line search


@pytest.mark.parametrize("search", ["exhaustive", "bisection"])
def test_line_search_to_the_targets_class(search: str):
    one, other = some_classes()
    origins, target = by_class(one, 4), by_class(other, 1)
    result = LOTS(layer="h", search=search)(NET.open(), origins, target)
    reached = 0
    for image, item in zip(origins, result.items):
        eta = NET.eta(image, NET.h(target[0]))
        scale = line_search(image, eta, lambda moved: NET.class_of(moved) == other, search)
        assert item.success == (scale is not None)
        assert item.scale == (scale or 1024.0)
        tried = {
            "exhaustive": f"scale 1024; {ANEW}",
            "bisection": f"the scales 1, 2, 4, ..., 1024; --search integers tries all; {ANEW}",
        }[search]
        assert item.reason == (None if item.success else f"the goal (target-class) was not reached within {tried}")
        assert item.search == search
        assert np.array_equal(item.images["image"], moved(image, eta, item.scale))
        assert (item.class_ == other) == item.success
        reached += item.success
    assert reached


def test_inhibition_says_that_it_is_no_measure_of_robustness():
    notes = {
        goal: LOTS(layer="z", max_scale=4)(NET.open(), pictures(1), goal).provenance.notes
        for goal in ("inhibit", "magnify")
    }
    assert sum("no sign of robustness" in note for note in notes["inhibit"]) == 1
    assert not any("robustness" in note for note in notes["magnify"])


def test_line_search_away_from_the_class_is_what_inhibit_means():
    origins = pictures(6, seed=3)
    items = LOTS(layer="h")(NET.open(), origins, "inhibit").items
    for image, item in zip(origins, items):
        eta = -NET.eta(np.zeros_like(image), NET.h(image))
        own = NET.class_of(image)
        scale = line_search(image, eta, lambda moved, own=own: NET.class_of(moved) != own)
        assert item.until == "other-class"
        assert (item.success, item.scale) == (scale is not None, scale or 1024.0)
    assert any(item.success for item in items)


def test_a_scale_that_max_scale_forbids_is_not_reached_and_says_so():
    one, other = some_classes()
    origin, target = by_class(one, 1), by_class(other, 1)
    free = LOTS(layer="h")(NET.open(), origin, target).items[0]
    assert free.success
    assert free.scale > 3
    assert free.reason is None
    below = int(free.scale) if free.scale > int(free.scale) else int(free.scale) - 1
    held = LOTS(layer="h", max_scale=below)(NET.open(), origin, target).items[0]
    assert not held.success
    assert held.scale == below
    assert held.reason == f"the goal (target-class) was not reached within scale {below}; {ANEW}"
    assert held.class_ == one
    assert LOTS(layer="h", max_scale=below + 1)(NET.open(), origin, target).items[0].success


def test_linf_stop_gives_the_scaled_image_and_clipping_makes_the_linf_smaller():
    image = np.full((1, SIDE, SIDE), 250, np.uint8)
    item = LOTS(layer="h")(NET.open(), image, "magnify").items[0]
    eta = NET.eta(np.zeros_like(image), NET.h(image))
    free = LOTS(layer="h")(NET.open(), np.full((1, SIDE, SIDE), 127, np.uint8), "magnify").items[0]
    assert item.until == "linf"
    assert np.array_equal(item.images["image"], moved(image, eta, 128))
    assert item.linf <= 128
    assert free.linf == 128
    clipped = Linear(np.abs(NET.w), NET.v, NET.b)
    item = LOTS(layer="h")(clipped.open(), image, "magnify").items[0]
    assert item.success
    assert item.linf == 5  # 255 - 250
    assert item.scale == 128


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_distance_stop(metric: str, relative: bool):
    def distance(a: np.ndarray, b: np.ndarray) -> float:
        if metric == "euclidean":
            return float(np.linalg.norm(a - b))
        return float(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    image, target = pictures(2, seed=7)
    wanted = NET.h(target)
    start = distance(NET.h(image), wanted)
    share = 0.6
    method = LOTS(layer="h", metric=metric, relative=relative, distance=share if relative else share * start)
    item = method(NET.open(), image, TargetValues(values=wanted)).items[0]
    # Under the cosine only the direction of the target counts: it is taken at the origin's own norm.
    norm = np.linalg.norm(NET.h(image)) / np.linalg.norm(wanted) if metric == "cosine" else 1.0
    eta = NET.eta(image, norm * wanted)
    scale = line_search(image, eta, lambda moved: distance(NET.h(moved), wanted) <= share * start)
    assert scale is not None
    assert (item.success, item.scale, item.until, item.metric) == (True, scale, "distance", metric)
    assert item.distance_before == pytest.approx(start, rel=1e-6)
    assert item.distance_after == pytest.approx(distance(NET.h(item.images["image"]), wanted), rel=1e-6)
    assert item.distance_after <= share * start


def test_the_class_to_reach_by_number_or_label_and_never_by_a_label_that_two_share():
    net = Linear.random(2)
    one, other = some_classes(net)
    image = by_class(one, 1, net)
    labels = tuple(f"kind {index}" for index in range(4))
    profile = onnxray.Profile(**{**_fields(net), "labels": labels})
    model = onnxray.open(net.proto(), profile)
    goal = TargetValues(values=net.h(by_class(other, 1, net)[0]))
    found = [
        LOTS(layer="h", target_class=text)(model, image, goal).items[0]
        for text in (str(other), f"class:{other}", labels[other])
    ]
    assert {item.until for item in found} == {"target-class"}
    assert len({item.scale for item in found}) == 1
    assert found[0].class_ == other
    assert found[0].label == labels[other]
    for wrong in ("4", "-1", "kind 9", "", "9" * 5000):
        with pytest.raises(InputError, match="there is no class"):
            LOTS(layer="h", target_class=wrong)(model, image, goal)
    twice = onnxray.open(net.proto(), onnxray.Profile(**{**_fields(net), "labels": ("a", "b", "b", "c")}))
    with pytest.raises(InputError, match="classes 1, 2 are all labelled 'b'"):
        LOTS(layer="h", target_class="b")(twice, image, goal)
    away = LOTS(layer="h", target_class=str(other))(model, image, "inhibit").items[0]
    assert away.until == "target-class"


def _fields(net: Linear) -> dict:
    profile = net.open().profile
    return {name: getattr(profile, name) for name in ("name", "layout", "channels", "scale", "mean", "std", "size")}


# --- step-and-adjust


def test_step_and_adjust_for_several_origins_that_stop_at_different_steps():
    one, other = some_classes()
    origins, target = by_class(one, 6), by_class(other, 1)
    wanted = NET.h(target[0])
    restated = [
        step_and_adjust(NET, image, wanted, lambda x: NET.class_of(x) == other, steps=60, step_size=0.7)
        for image in origins
    ]
    result = LOTS(layer="h", steps=60, step_size=0.7)(NET.open(), origins, target)
    assert [item.steps for item in result.items] == [steps for _, steps, _ in restated]
    assert [item.success for item in result.items] == [reached for _, _, reached in restated]
    assert len({item.steps for item in result.items}) >= 3
    for (image, _, _), item in zip(restated, result.items):
        differences = np.abs(image.astype(int) - item.images["image"])
        assert differences.max() <= 1
        assert (differences == 0).mean() > 0.98
        assert item.scale == 0.7
        assert item.search == "step-and-adjust"
    # An iterate that is rounded at each step is another method: most pixels never move.
    rounded = [
        step_and_adjust(NET, image, wanted, lambda x: NET.class_of(x) == other, steps=60, step_size=0.7, rounding=True)
        for image in origins
    ]
    assert any(a[1] != b[1] for a, b in zip(restated, rounded))
    changed = [np.mean(a[0] != b[0]) for a, b in zip(restated, rounded)]
    assert max(changed) > 0.1


def test_several_origins_end_as_each_does_alone():
    one, other = some_classes()
    origins, target = by_class(one, 4), by_class(other, 1)
    for options in ({"steps": 30, "step_size": 0.7}, {}):
        method = LOTS(layer=("h", "z"), **options)
        together = method(NET.open(), origins, target).items
        alone = [item for image in origins for item in method(NET.open(), image, target).items]
        for a, b in zip(together, alone, strict=True):
            assert (a.layer, a.steps, a.scale, a.success) == (b.layer, b.steps, b.scale, b.success)
            assert np.abs(a.images["image"].astype(int) - b.images["image"]).max() <= 1


def test_success_on_the_last_step_counts():
    one, other = some_classes()
    origin, target = by_class(one, 1), by_class(other, 1)
    needed = LOTS(layer="h", steps=200)(NET.open(), origin, target).items[0]
    assert needed.success
    assert needed.steps > 3
    exact = LOTS(layer="h", steps=needed.steps)(NET.open(), origin, target).items[0]
    assert (exact.success, exact.steps, exact.reason) == (True, needed.steps, None)
    short = LOTS(layer="h", steps=needed.steps - 1)(NET.open(), origin, target).items[0]
    assert (short.success, short.steps) == (False, needed.steps - 1)
    assert short.reason == f"the goal (target-class) was not reached within {needed.steps - 1} steps; {MORE}"
    assert short.class_ != other


def test_success_is_tested_on_the_rounded_image():
    w = np.zeros((1, SIDE * SIDE))
    w[0, 0] = 1
    net = Linear(w, np.array([[0], [1]]), np.array([0, -102.05]))  # class 1 from 102.05 on, in the first pixel
    image = np.full((1, SIDE, SIDE), 100, np.uint8)
    target = np.full((1, SIDE, SIDE), 140, np.uint8)
    by_float = step_and_adjust(net, image, net.h(target), lambda x: net.class_of(x) == 1, 50, 0.7, test_float=True)
    assert (by_float[1], net.class_of(by_float[0])) == (3, 0)  # 102.1 is of class 1, its 8-bit image 102 is not
    item = LOTS(layer="h", steps=50, step_size=0.7)(net.open(), image, target).items[0]
    assert (item.steps, item.success, item.class_) == (4, True, 1)
    assert item.images["image"][0, 0, 0] == 103
    assert not LOTS(layer="h", steps=3, step_size=0.7)(net.open(), image, target).items[0].success


def test_a_pair_whose_gradient_vanishes_on_the_way_stays_and_is_unreached():
    # h = relu(x0 - 100), inhibited: at 100 and below its gradient is zero.
    text = f"""dead (float[N,1,{SIDE},{SIDE}] x) => (float[N,2] z) {{
      flat = Flatten (x)
      g = MatMul (flat, w)
      c = Add (g, b)
      h = Relu (c)
      z = MatMul (h, v)
    }}"""
    w = np.zeros((SIDE * SIDE, 1), np.float32)
    w[0] = 1
    weights = {"w": w, "b": np.full(1, -100, np.float32), "v": np.array([[1, -1]], np.float32)}
    model = onnxray.open(models.parse(text, weights), Linear.random().open().profile)
    images = np.full((2, 1, SIDE, SIDE), 104, np.uint8)
    images[1] = 110
    items = LOTS(layer="h", steps=7)(model, images, "inhibit").items
    assert [(item.success, item.steps) for item in items] == [(False, 4), (False, 7)]
    assert [int(item.images["image"][0, 0, 0]) for item in items] == [100, 103]
    with pytest.raises(ZeroGradient, match=r"origin 1: the gradient at 'h' is zero everywhere"):
        LOTS(layer="h")(model, np.stack([images[0], images[0] - 50]), "inhibit")


def test_linf_is_a_stop_of_step_and_adjust_too():
    image = np.full((1, SIDE, SIDE), 100, np.uint8)
    item = LOTS(layer="h", steps=50, linf=9)(NET.open(), image, "magnify").items[0]
    assert item.success
    assert item.linf == 9
    assert 9 <= item.steps < 50


# --- options and files


@pytest.mark.parametrize(
    "options",
    [
        {"until": "other_class"}, {"metric": "l2"}, {"search": "binary"}, {"steps": 0}, {"steps": 2.5}, {"steps": True},
        {"step_size": float("nan")}, {"linf": 0.4}, {"linf": 300}, {"max_scale": 0}, {"max_scale": "9"},
        {"distance": -1}, {"distance": float("inf")}, {"relative": "yes"}, {"layer": ()},
    ],
)  # fmt: skip
def test_options_that_mean_nothing_are_refused(options: dict):
    with pytest.raises(InputError, match=next(iter(options))) as caught:
        LOTS(**options)(NET.open(), pictures(1), "inhibit")
    assert "\n" not in str(caught.value)


def test_a_stop_by_distance_needs_a_target():
    with pytest.raises(InputError, match="inhibit has none"):
        LOTS(layer="h", until="distance")(NET.open(), pictures(1), "inhibit")


@pytest.mark.parametrize("batch", [1, 4])
def test_files_that_fix_their_batch_give_the_same_as_free_ones(batch: int):
    one, other = some_classes()
    origins, targets = by_class(one, 7), by_class(other, 7)  # 4 and a rest of 3
    for options, goal in (({}, targets), ({"steps": 20}, targets), ({}, "inhibit"), ({"until": "distance"}, targets)):
        free = LOTS(layer=("h", "z"), **options)(NET.open(), origins, goal).items
        fixed = LOTS(layer=("h", "z"), **options)(NET.open(batch), origins, goal).items
        for a, b in zip(free, fixed, strict=True):
            assert (a.layer, a.scale, a.steps, a.success) == (b.layer, b.scale, b.steps, b.success)
            assert np.abs(a.images["image"].astype(int) - b.images["image"]).max() <= 1


def test_more_pairs_than_a_group_holds_come_in_order():
    origins = pictures(70, seed=11)
    items = LOTS(layer=("h", "z"), until="linf", linf=9)(NET.open(), origins, "magnify").items
    assert [(item.stems["origin"], item.layer) for item in items] == [
        (f"image/{index}/origin", layer) for index in range(70) for layer in ("h", "z")
    ]
    for index in (0, 63, 64, 69):
        eta = NET.eta(np.zeros_like(origins[index]), NET.h(origins[index]))
        assert np.array_equal(items[2 * index].images["image"], moved(origins[index], eta, 9))
        assert items[2 * index].distance_before == pytest.approx(np.linalg.norm(NET.h(origins[index])))


def test_the_same_seed_gives_the_same_bytes():
    origins, other = pictures(3), pictures(1, seed=9)
    for options in ({"until": "linf"}, {"steps": 5, "until": "linf"}):
        first, second = (LOTS(layer="h", **options)(NET.open(), origins, other, seed=3) for _ in range(2))
        for a, b in zip(first.items, second.items):
            assert a.numbers() == b.numbers()
            assert all(np.array_equal(a.images[role], b.images[role]) for role in a.images)


# --- the bundled LeNet

LAYERS = ("conv1", "conv2", "ip1", "ip2")


@cache
def digits(*classes: int) -> tuple[Path, ...]:
    return tuple(path for path in onnxray_models.samples("lenet") if int(path.name[0]) in (classes or range(10)))


def medians(items: tuple[LotsItem, ...]) -> dict[str, float]:
    return {
        layer: quantile_with_infinities([i.l2 if i.success else np.inf for i in items if i.layer == layer], 0.5)
        for layer in LAYERS
    }


def test_inhibition_on_the_bundled_lenet_costs_less_with_depth_and_needs_scales_above_255():
    every = digits()
    assert len(every) == 100
    some = [path for index, path in enumerate(every) if index % 10 < 4]
    items = LOTS(layer=LAYERS)(onnxray.open("lenet"), some, "inhibit").items
    cost = medians(items)
    assert all(deeper < shallower for shallower, deeper in itertools.pairwise(cost.values())), cost
    assert np.isfinite(cost["conv1"])
    conv1 = [item for item in items if item.layer == "conv1"]
    beyond = [item for item in conv1 if item.success and item.scale > 255]
    assert len(beyond) >= 3
    assert any(not item.success for item in conv1)
    for item in items:
        assert item.success == (item.class_ != item.origin.class_)
        assert item.linf <= 255
        assert item.origin.path in set(map(str, some))


def test_a_four_becomes_a_nine_at_the_linear_layers_of_the_bundled_lenet():
    pairs = TargetImages(images=digits(9)[:2], pairing="all")
    items = LOTS(layer=("ip1", "ip2"))(onnxray.open("lenet"), digits(4)[:2], pairs).items
    assert {item.origin.class_ for item in items} == {4}
    assert {item.target.class_ for item in items if item.target} == {9}
    for layer in ("ip1", "ip2"):
        reached = [item for item in items if item.layer == layer and item.success]
        assert reached, layer
        assert all(item.class_ == 9 and item.label == "9" for item in reached)
        assert all(item.similarity is not None and 0 < item.similarity.score < 1 for item in reached)
    stepped = LOTS(layer="ip1", steps=400)(onnxray.open("lenet"), digits(4)[:1], digits(9)[:1]).items
    assert all(item.success and item.distance_after < item.distance_before for item in stepped)


EMBEDDER = "g (float[N,1,14,14] x) => (float[N,6] embedding) { f = Flatten (x) embedding = MatMul (f, w) }"


def embedder() -> onnxray.Model:
    return onnxray.open(models.parse(EMBEDDER, {"w": models.random(0, 196, 6)}), models.GREY)


def test_of_what_is_no_classifier_nothing_is_said_of_classes(tmp_path: Path) -> None:
    """Towards a picture's embedding until it is near; no class, label or probability is invented on the way."""
    first, second = models.pictures(2)
    result = LOTS(layer="embedding", distance=0.5)(embedder(), first[None], TargetImages(images=second[None]))
    (item,) = result.items
    assert item.until == "distance"
    assert item.success
    assert item.distance_after <= 0.5 * item.distance_before
    for shown in (item.origin, item.target, item):
        assert shown is not None
        assert (shown.class_, shown.label, shown.score, shown.probability) == (None,) * 4
    result.save(tmp_path / "run")
    again = onnxray.methods.lots.LOTS.item_type
    assert type(result).load(tmp_path / "run", again).items[0].numbers() == item.numbers()


@pytest.mark.parametrize("until", ["target-class", "other-class"])
def test_a_class_is_no_aim_of_what_is_no_classifier(until: str) -> None:
    first, second = models.pictures(2)
    method = LOTS(layer="embedding", until=until)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"until '{until}' needs classes, and output 'embedding' is embedding"):
        method(embedder(), first[None], TargetImages(images=second[None]))
