"""From a map to the object: masks and boxes of pictures whose object is known, IoU restated, boxes in a file's pixels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.cli.app import app
from onnxray.errors import InputError
from onnxray.images.drawing.heat_map import colour_bar, draw_map
from onnxray.images.placement import placement
from onnxray.images.profile.profile import Profile
from onnxray.methods.saliency.found_objects import (
    box_around,
    box_overlap,
    grabcut,
    is_pointed_at,
    mask_overlap,
    threshold,
)
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.item import MapItem, to_levels
from onnxray.methods.saliency.objects_of_maps import Reference, read_references, references_of, with_objects
from onnxray.results.result import Result
from support import models

BOX = (20, 12, 52, 44)


def scene(seed: int = 0) -> tuple[Any, Any]:
    """A red disc on a green ground, both noisy, and a blurred map that is largest in the disc's middle."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :72]
    disc = (x - 35.5) ** 2 + (y - 27.5) ** 2 < 16**2
    colours = np.where(disc, [[[200]], [[40]], [[50]]], [[[30]], [[150]], [[60]]])
    image = np.clip(colours + rng.normal(0, 8, (3, 64, 72)), 0, 255).astype(np.uint8)
    return image, np.exp(-((x - 38.0) ** 2 + (y - 25.0) ** 2) / (2 * 14.0**2)).astype(np.float32), disc


def test_grabcut_finds_the_disc() -> None:
    image, heat, disc = scene()
    found = grabcut(image, heat)
    assert found.mask is not None
    assert found.box is not None
    assert mask_overlap(found.mask, disc) > 0.95
    assert box_overlap(found.box, BOX) > 0.9
    assert found.share == pytest.approx(disc.mean(), rel=0.05)
    again = grabcut(image, heat)
    np.testing.assert_array_equal(found.mask, again.mask)


def test_the_seeds_are_kept() -> None:
    """Above the upper quantile all is object, below the lower one nothing, whatever the colours say."""
    image, heat, _ = scene()
    flat = np.full_like(image, 128)
    flat[:, ::2] = 90
    found = grabcut(flat, heat, foreground=0.9, background=0.4)
    assert found.mask is not None
    assert not found.mask[heat < np.quantile(heat, 0.4)].any()
    assert found.mask[heat > np.quantile(heat, 0.9)].all()


def test_grey_images_have_objects_too() -> None:
    image, heat, disc = scene()
    found = grabcut(image[:1], heat)
    assert found.mask is not None
    assert mask_overlap(found.mask, disc) > 0.95


def test_the_zeros_of_a_rectified_map_are_background() -> None:
    image, heat, disc = scene()
    rectified = np.maximum(heat - np.quantile(heat, 0.6), 0)
    found = grabcut(image, rectified)
    assert found.mask is not None
    assert not found.mask[rectified == 0].any()
    assert mask_overlap(found.mask, disc) > 0.9


@pytest.mark.parametrize("number", [0.0, 3.0, -2.0])
def test_a_flat_map_has_no_object_and_says_why(number: float) -> None:
    found = grabcut(scene()[0], np.full((64, 72), number, np.float32))
    assert found.box is None
    assert "too flat" in str(found.reason)
    assert threshold(np.full((4, 5), min(number, 0), np.float32)).box is None
    assert "nowhere above zero" in str(threshold(np.zeros((4, 5), np.float32)).reason)


def test_the_pictures_colours() -> None:
    """The scale's ends are the colours of its ends; a diverging scale shows zero as its middle."""
    heat = np.array([[-2.0, 0.0, 2.0]], np.float32)
    for name in ("auto", "inferno", "viridis", "cividis", "magma", "RdBu", "PuOr"):
        for signed in (True, False):
            bar = colour_bar(signed=signed, colormap=name)
            drawn = draw_map(heat, 2.0, signed=signed, colormap=name)
            np.testing.assert_array_equal(drawn[:, 0, 2], bar[:, 0, -1])
            np.testing.assert_array_equal(drawn[:, 0, 0], bar[:, 0, 0])
    assert (draw_map(heat, 2.0, signed=True)[:, 0, 1] > 240).all()  # nothing speaks either way: white
    red, blue = draw_map(heat, 2.0, signed=True)[[0, 2], 0, 2]
    assert red > blue


def test_the_threshold_takes_the_largest_component() -> None:
    heat = np.zeros((9, 12), np.float32)
    heat[1:3, 1:3] = 10
    heat[5:9, 6:10] = 2
    heat[4, 5] = 2  # touches the larger one by its corner
    found = threshold(heat, 0.2)
    assert found.box == (5, 4, 10, 9)
    assert found.mask is not None
    assert found.mask.sum() == 17
    assert threshold(heat, 0.21).box == (1, 1, 3, 3)
    assert threshold(-heat).box is None
    with pytest.raises(InputError, match="share of the map's maximum is 0"):
        threshold(heat, 0)
    with pytest.raises(InputError, match="quantiles are 0.9"):
        grabcut(np.zeros((3, 9, 12), np.uint8), heat, background=0.9, foreground=0.5)


@pytest.mark.parametrize(
    ("rows", "columns", "sides"),
    [(slice(3, 9), slice(0, 9), 3), (slice(0, 9), slice(2, 9), 3), (slice(3, 9), slice(0, 8), 0), (slice(2, 5), slice(0, 9), 0)],
)  # fmt: skip
def test_an_object_that_three_sides_cut_off_is_doubtful(rows: slice, columns: slice, sides: int) -> None:
    heat = np.zeros((9, 9), np.float32)
    heat[rows, columns] = 1
    found = threshold(heat, 0.5)
    assert (found.mask == (heat > 0)).all()
    assert found.reason == (
        f"the object reaches {sides} sides of the image: background may be in it" if sides else None
    )


def test_overlaps_by_counting_pixels() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        a, b = (
            (lambda p: (int(p[0]), int(p[1]), int(p[0] + p[2]), int(p[1] + p[3])))(rng.integers(1, 9, 4))
            for _ in range(2)
        )
        masks = []
        for x0, y0, x1, y1 in (a, b):
            mask = np.zeros((20, 20), bool)
            mask[y0:y1, x0:x1] = True
            masks.append(mask)
        expected = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
        assert box_overlap(a, b) == pytest.approx(expected)
        assert mask_overlap(*masks) == pytest.approx(expected)
        assert box_around(masks[0]) == a
    assert box_around(np.zeros((3, 3), bool)) is None
    with pytest.raises(InputError, match="cannot be compared"):
        mask_overlap(np.ones((2, 2), bool), np.ones((2, 3), bool))


def test_the_pointing_game_by_distance() -> None:
    """Hit where some pixel of the box lies at most the tolerance from the peak."""
    rng = np.random.default_rng(4)
    box = (10, 12, 18, 15)
    inside = np.array([(y, x) for y in range(12, 15) for x in range(10, 18)])
    for tolerance in (0.0, 3.0, 5.0):
        for _ in range(60):
            heat = rng.uniform(0, 1, (30, 32))
            peak = np.unravel_index(heat.argmax(), heat.shape)
            nearest = np.hypot(*(inside - np.array(peak)).T).min()
            assert is_pointed_at(heat, box, tolerance) == (nearest <= tolerance)


@pytest.mark.parametrize("rule", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(200, 100), (60, 300), (64, 48), (51, 77)])
def test_a_box_in_the_file_is_where_the_pixels_came_from(rule: Any, size: tuple[int, int]) -> None:
    """A bright rectangle in the file, found in the model's pixels, goes back to where it is, within two pixels' width."""
    width, height = size
    drawn = (width * 0.4, height * 0.35, width * 0.6, height * 0.7)
    inside = tuple(round(side) for side in drawn)
    picture = np.zeros((height, width), np.uint8)
    picture[inside[1] : inside[3], inside[0] : inside[2]] = 255
    profile = Profile(
        name="p", layout="NCHW", channels="GREY", scale=1.0, mean=(0.0,), std=(1.0,), size=(48, 64), resize=rule
    )
    model = onnxray.open(models.parse("n (float[N,1,48,64] x) => (float[N,3072] y) { y = Flatten (x) }"), profile)
    seen = model.pixels(picture).array[0, 0]
    box = threshold(seen, 0.5).box
    assert box is not None
    place = placement(profile, width, height)
    back = place.to_original(box)
    pixel = max(width / place.resized[0], height / place.resized[1], 1.0)
    visible = place.to_original((0, 0, 64, 48))
    expected = [min(max(s, visible[k % 2]), visible[k % 2 + 2]) for k, s in enumerate(inside)]
    np.testing.assert_allclose(back, expected, atol=2 * pixel)


def test_references() -> None:
    (given,) = read_references(["1,2,8.5,9"], None)
    assert given.box == (1, 2, 8.5, 9)
    assert references_of((), 3) == (None, None, None)
    for text in ("1,2,3", "a,b,c,d", ""):
        with pytest.raises(InputError, match="x0,y0,x1,y1 was expected"):
            read_references([text], None)
    with pytest.raises(InputError, match="2 references for 3 images"):
        references_of((given, given), 3)
    for box in ((5.0, 2.0, 5.0, 9.0), (0.0, 0.0, 15.0, 14.0), (-1.0, 0.0, 3.0, 3.0)):
        with pytest.raises(InputError, match="does not lie in the model's 14x14"):
            Reference(box=box).checked((14, 14))
    with pytest.raises(InputError, match="marks nothing"):
        Reference.of_mask(np.zeros((4, 4)))


def test_objects_are_saved_and_loaded(tmp_path: Path) -> None:
    model = onnxray.open("lenet")
    path = onnxray_models.samples("lenet")[40]
    result = Gradient()(model, [path])
    mask = result.items[0].images["image"][0] > 128
    reference = Reference.of_mask(mask)
    found = with_objects(result, model, "threshold", [reference], share=0.3)
    (item,) = found.items
    assert item.object_ is not None
    own = threshold(item.heat, 0.3)
    assert own.mask is not None
    assert own.box is not None
    assert item.object_["box"] == own.box
    assert item.object_["box_original"] == own.box  # the file has the model's size
    assert item.object_["mask_iou"] == pytest.approx(mask_overlap(own.mask, mask))
    assert item.object_["box_iou"] == pytest.approx(box_overlap(own.box, reference.box))
    found.save(tmp_path / "run")
    (loaded,) = Result.load(tmp_path / "run", MapItem).items
    assert loaded.object_ is not None
    assert loaded.object_["box"] == list(own.box)
    assert loaded.object_["share_of_maximum"] == 0.3
    np.testing.assert_array_equal(loaded.images["mask"][0] > 0, own.mask)
    np.testing.assert_array_equal(loaded.heat, item.heat)
    assert loaded.numbers()["object"]["box"] == list(own.box)
    # the 16-bit picture gives the map back by the two numbers that stand beside it
    document = json.loads((tmp_path / "run" / "result.json").read_text())["items"][0]
    with Image.open(tmp_path / "run" / document["files"]["levels"]) as picture:
        levels = np.asarray(picture).astype(np.float64)
    step = (document["maximum"] - document["minimum"]) / 65535
    np.testing.assert_allclose(document["minimum"] + levels * step, item.heat, atol=0.5001 * step)
    assert not to_levels(np.full((3, 3), 7, np.float32)).any()


def test_the_share_that_was_taken_stands_beside_the_object() -> None:
    """As stated; as published where it is not; none where no threshold is taken."""
    model = onnxray.open("lenet")
    result = Gradient()(model, onnxray_models.samples("lenet")[40:41])
    for how, stated, taken in (("threshold", 0.4, 0.4), ("threshold", None, 0.15), ("grabcut", None, None)):
        (item,) = with_objects(result, model, how, (), share=stated).items
        assert item.object_ is not None
        assert item.object_["share_of_maximum"] == taken
        if taken is not None:
            assert item.object_["box"] == threshold(item.heat, taken).box


def test_the_command_line_finds_objects(tmp_path: Path) -> None:
    path = str(onnxray_models.samples("lenet")[40])

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(
            app, ["saliency", "gradient", "lenet", path, "-o", str(tmp_path / "r"), "--overwrite", *arguments]
        )

    done = run("--object", "grabcut", "--reference-box", "2,2,26,26", "--json", "--colormap", "viridis")
    assert done.exit_code == 0, done.stderr
    (item,) = json.loads(done.stdout)["items"]
    assert item["object"]["how"] == "grabcut"
    assert item["object"]["reference_box"] == [2, 2, 26, 26]
    assert 0 <= item["object"]["box_iou"] <= 1
    assert {"mask", "object", "levels", "overlay", "map", "heat", "attribution", "image"} == set(item["files"])
    assert item["colormap"] == "viridis"
    for arguments, said in (
        (("--reference-box", "2,2,26,26"), "add --object grabcut or threshold"),
        (("--object", "threshold", "--object-share", "1.5"), "more than 0 and at most 1"),
        (("--object", "threshold", "--reference-box", "2,2,29,26"), "does not lie in the model's 28x28"),
        (("--object", "grabcut", "--reference-box", "1,1,3,3", "--reference-box", "1,1,2,2"), "2 references for 1"),
    ):
        failed = run(*arguments)
        assert failed.exit_code == 1
        assert said in failed.stderr


def test_pictures_are_drawn_when_they_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxray.images.drawing import heat_map
    from onnxray.methods.saliency.gradient.gradient import Gradient

    drawn = []
    draw = heat_map.draw_map
    monkeypatch.setattr(heat_map, "draw_map", lambda *given, **how: drawn.append(1) or draw(*given, **how))
    item = Gradient(channels="sum")(onnxray.open(models.lenet(), models.GREY), models.pictures(1), 3).items[0]
    assert not drawn
    expected = draw(item.heat, item.shown_at, signed=True)
    np.testing.assert_array_equal(item.images["map"], expected)
    assert len(drawn) == 1
    assert list(item.images) == ["image", "map", "overlay"]
    assert len(item.images) == 3
    assert "mask" not in item.images
    np.testing.assert_array_equal(item.images["image"], np.rint(models.pictures(1)[0]))
