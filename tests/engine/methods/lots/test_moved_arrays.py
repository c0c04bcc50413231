"""LOTS on arrays, on some of several inputs and on values inside the network, judged by ONNX Runtime alone."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import onnxray
from onnxray.errors import InputError, NotDifferentiable, ZeroGradient
from onnxray.images.distances import ssim
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.lots.summary import summarize
from onnxray.objectives.goals import TargetImages
from onnxray.report.lots_report import plot, sheets
from onnxray.results.result import Result
from support import kinds_of_input
from support.cut_models import from_value_on
from support.models import lenet, parse, pictures, random

FEEDS = {"rgb": random(1, 2, 3, 16, 16), "depth": random(2, 2, 1, 16, 16)}
IDS = {"input_ids": np.array([[2, 5, 9, 3], [1, 0, 7, 7]]), "attention_mask": np.array([[1, 1, 1, 0], [1, 1, 1, 1]])}
GIVEN: dict[str, tuple[Any, str, str, str]] = {
    "two": (FEEDS, "rgb", "picture", "y"),
    "table": (random(0, 2, 5), "x", "table row", "z"),
    "wave": (random(0, 2, 1, 800), "audio", "waveform", "y"),
    "clip": (random(0, 2, 3, 4, 16, 16), "video", "video clip", "y"),
    "spectrogram": (random(0, 2, 1, 20, 30), "mel", "array", "y"),
    "series": (random(0, 2, 1, 100), "x", "array", "y"),
    "tokens": (IDS, "e", "token ids", "logits"),
}


def opened(kind: str) -> Any:
    return onnxray.open(getattr(kinds_of_input, kind)().SerializeToString())


def unit_of(sample: Any) -> float:
    return float(np.ptp(sample.astype(np.float64))) / 255


@pytest.mark.parametrize("kind", GIVEN)
@pytest.mark.parametrize(("goal", "sign"), [("inhibit", -1), ("magnify", 1)])
def test_eq_4_in_the_units_of_the_array_for_every_kind_of_input(kind: str, goal: str, sign: int) -> None:
    """x' = x + s u eta / max|eta|, u = range / 255."""
    given, name, read_as, layer = GIVEN[kind]
    model = opened(kind)
    result = LOTS(layer=layer, until="linf", linf=20, wrt=name)(model, given, goal)
    own = model.values(given, [name, layer])
    slopes = model.pullback(given, {layer: lambda value, place: sign * value}, wrt=name)
    assert len(result.items) == 2
    for row, item in enumerate(result.items):
        x, unit = own[name][row], unit_of(own[name][row])
        expected = x + 20 * unit * slopes[row] / np.abs(slopes[row]).max()
        arrays = {role: array for role, (_, array) in item.arrays().items()}
        np.testing.assert_array_equal(arrays[f"origin {name}"], x)
        np.testing.assert_allclose(arrays[f"image {name}"], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(arrays[f"perturbation {name}"], arrays[f"image {name}"] - x)
        assert item.success
        assert item.linf == pytest.approx(20 * unit, rel=1e-4)
        assert item.l2 == pytest.approx(float(np.linalg.norm(expected - x)), rel=1e-3)
        numbers = item.numbers()
        assert numbers["wrt"] == [name]
        assert numbers["moved"][name]["unit"] == pytest.approx(unit)
        assert numbers["moved"][name]["kind"] == read_as
        assert numbers["pass"] is numbers["ssim"] is numbers["perturbation_gain"] is None
        assert "no SSIM and PASS of all together" in numbers["reason"]
    assert any(note.startswith(f"changed: {name}") for note in result.provenance.notes)


def test_the_smallest_scale_changes_the_class_by_onnx_runtime_and_the_sixteenth_below_does_not() -> None:
    model, session = opened("two"), onnxruntime.InferenceSession(kinds_of_input.two().SerializeToString())
    for wrt in ("depth", ("rgb", "depth")):
        items = LOTS(layer="y", search="exhaustive", wrt=wrt)(model, FEEDS, "inhibit").items
        assert any(item.success for item in items)
        for row, item in enumerate(items):
            if not item.success:
                continue
            own = {name: array[row : row + 1] for name, array in FEEDS.items()}
            before = session.run(None, own)[0].argmax()
            arrays = {role: array for role, (_, array) in item.arrays().items()}
            changed = {name: arrays[f"image {name}"][None] for name in item.moved}
            assert session.run(None, {**own, **changed})[0].argmax() == item.class_ != before
            assert item.origin.class_ == before
            share = (item.scale - 1 / 16) / item.scale
            less = {
                name: (own[name] + share * (array - own[name])).astype(np.float32) for name, array in changed.items()
            }
            assert session.run(None, {**own, **less})[0].argmax() == before


def test_an_inner_value_is_judged_on_the_file_from_there_on() -> None:
    model = onnxray.open(lenet().SerializeToString(), labels=["a", "b", "c", "d", "e"])
    images = pictures(3)
    at, run = from_value_on(model, "ip1", "ip2", model.feeds(images))
    result = LOTS(wrt="ip1", layer="ip2", steps=200)(model, images, "inhibit")
    for row, item in enumerate(result.items):
        arrays = {role: array for role, (_, array) in item.arrays().items()}
        np.testing.assert_allclose(arrays["origin ip1"], at[row], rtol=1e-4, atol=1e-6)
        moved = at.copy()
        moved[row] = arrays["image ip1"]
        assert run(moved)[row].argmax() == item.class_
        assert run(at)[row].argmax() == item.origin.class_
        assert item.label == "abcde"[item.class_]
        assert item.success == (item.class_ != item.origin.class_)
        assert item.moved["ip1"]["kind"] == "value"
    assert "judged by ONNX Runtime on the file from there on" in " ".join(result.provenance.notes)


def test_step_and_adjust_takes_the_gradient_anew_and_steps_by_units() -> None:
    model, x = opened("table"), random(3, 1, 5)
    other = random(8, 20, 5)
    classes, own = model.classify(other), model.classify(x)[0]
    target = other[classes != own][:1]
    item = LOTS(layer="h", steps=300, step_size=2)(model, x, target).items[0]
    goal, unit = model.values(target, ["h"])["h"], unit_of(x)
    at, taken = x.astype(np.float64), 0
    while taken < 300 and model.classify(at.astype(np.float32))[0] != model.classify(target)[0]:
        fed = at.astype(np.float32)
        eta = model.pullback(fed, {"h": goal - model.values(fed, ["h"])["h"]})
        at, taken = at + 2 * unit * eta / np.abs(eta).max(), taken + 1
    assert item.success
    assert (item.steps, item.search) == (taken, "step-and-adjust")
    np.testing.assert_allclose(item.arrays()["image x"][1], at[0], rtol=1e-4, atol=1e-5)
    assert item.target is not None
    np.testing.assert_array_equal(item.arrays()["target x"][1], target[0])


def test_targets_of_several_inputs_are_given_as_origins_are() -> None:
    model = opened("two")
    first, second = ({name: array[k : k + 1] for name, array in FEEDS.items()} for k in (0, 1))
    goal = TargetImages(images=second)
    item = LOTS(layer="f", wrt="rgb", steps=500, until="distance", distance=0.2)(model, first, goal).items[0]
    assert item.success
    moved = {**first, "rgb": item.arrays()["image rgb"][1][None]}
    values = [model.values(fed, ["f"])["f"][0] for fed in (first, moved, second)]
    assert np.linalg.norm(values[1] - values[2]) <= 0.2 * np.linalg.norm(values[0] - values[2]) * (1 + 1e-5)
    assert item.distance_after == pytest.approx(float(np.linalg.norm(values[1] - values[2])), rel=1e-4)
    with pytest.raises(InputError, match=r"'audio' has the shape \[1, 800\]|takes"):
        LOTS(layer="f")(opened("wave"), random(0, 1, 1, 800), random(0, 1, 1, 400))


def test_layers_that_nothing_reaches_are_left_out_or_refused() -> None:
    model = opened("tokens")
    assert {item.layer for item in LOTS(until="linf", linf=5)(model, IDS, "inhibit").items} == {"h", "logits"}
    with pytest.raises(InputError, match="does not depend on 's'; name a layer behind it"):
        LOTS(layer="h", wrt="s")(model, IDS, "inhibit")


def test_whole_numbers_inside_are_refused_and_zeros_have_a_step() -> None:
    text = "g (float[N,6] x) => (float[N,3] y) { c = Cast <to = 7> (x) d = Cast <to = 1> (c) e = Add (d, x) y = Gemm (e, w, b) }"
    weights = {"w": random(0, 6, 3), "b": random(1, 3)}
    model = onnxray.open(parse(text, weights).SerializeToString())
    with pytest.raises(NotDifferentiable, match="'c' holds int64; gradients exist for real numbers alone"):
        LOTS(layer="y", wrt="c")(model, random(1, 2, 6), "inhibit")
    item = LOTS(layer="y", until="linf", linf=51)(model, np.zeros((1, 6), np.float32), "inhibit").items[0]
    assert item.linf == pytest.approx(51 / 255)


def test_a_gradient_of_zero_is_said_of_arrays_too() -> None:
    model = opened("table")
    target = random(0, 1, 5)
    with pytest.raises(ZeroGradient, match="has the target's representation at 'h' already"):
        LOTS(layer="h", until="linf")(model, target, target)


@pytest.mark.parametrize("kind", ["two", "tokens", "table"])
def test_a_run_is_kept_and_read_back_with_its_arrays(kind: str, tmp_path: Path) -> None:
    given, _, _, layer = GIVEN[kind]
    result = LOTS(layer=layer, until="linf", linf=10)(opened(kind), given, "magnify")
    result.save(tmp_path / "run")
    again = Result.load(tmp_path / "run", LotsItem)
    for one, other in zip(again.items, result.items, strict=True):
        assert one.numbers() == other.numbers()
        assert one.arrays().keys() == other.arrays().keys()
        for role, (_, array) in other.arrays().items():
            np.testing.assert_array_equal(one.arrays()[role][1], array)
        for role, picture in other.images.items():
            np.testing.assert_array_equal(one.images[role], picture)
        assert {f"figure {name}" for name in other.moved} == set(other.images)
    assert sheets(result) == {}
    assert plot(result, summarize(result.items)).startswith(b"\x89PNG")


def test_a_picture_that_is_given_for_one_of_several_inputs_is_saved_in_8_bits_and_judged_so(tmp_path: Path) -> None:
    model, session = opened("two"), onnxruntime.InferenceSession(kinds_of_input.two().SerializeToString())
    colour = np.random.default_rng(3).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    given = {"rgb": str(tmp_path / "colour.png"), "depth": FEEDS["depth"][:1]}
    for wrt in ("rgb", ("rgb", "depth")):
        result = LOTS(layer="y", wrt=wrt)(model, given, "inhibit")
        (item,) = result.items
        result.save(tmp_path / "-".join(item.moved))
        saved = np.asarray(Image.open(tmp_path / "-".join(item.moved) / "colour-0-y-lots-image-rgb.png"))
        np.testing.assert_array_equal(saved.transpose(2, 0, 1), item.images["image rgb"])
        fed = {"rgb": (saved.transpose(2, 0, 1)[None] / np.float32(255)).astype(np.float32), "depth": given["depth"]}
        if "depth" in item.moved:
            fed["depth"] = item.arrays()["image depth"][1][None]
        assert session.run(None, fed)[0].argmax() == item.class_
        own = item.moved["rgb"]
        gone = saved.astype(np.float64) - colour
        assert own["l2"] == pytest.approx(np.linalg.norm(gone))
        assert own["linf"] == np.abs(gone).max()
        assert own["unit"] == 1
        assert own["ssim"] == pytest.approx(ssim(item.images["image rgb"], colour.transpose(2, 0, 1)))
        assert item.ssim == (own["ssim"] if wrt == "rgb" else None)
        assert (None if item.similarity is None else item.similarity.score) == (own["pass"] if wrt == "rgb" else None)
        again = Result.load(tmp_path / "-".join(item.moved), LotsItem).items[0]
        assert again.numbers() == item.numbers()
        np.testing.assert_array_equal(again.images["perturbation rgb"], item.images["perturbation rgb"])
        assert set(again.arrays()) == set(item.arrays())


def test_a_file_that_fixes_its_batch_takes_its_scales_one_after_the_other() -> None:
    weights = {"w": random(0, 4, 4, 3, 3), "v": random(1, 4, 4)}
    fixed = onnxray.open(parse(kinds_of_input.TWO.replace("float[N,", "float[1,"), weights).SerializeToString())
    one = {name: array[:1] for name, array in FEEDS.items()}
    for wrt in ("depth", "c"):
        own, free = (LOTS(layer="y", wrt=wrt)(model, one, "inhibit").items[0] for model in (fixed, opened("two")))
        assert (own.success, own.scale, own.class_) == (free.success, free.scale, free.class_)
        np.testing.assert_allclose(own.arrays()[f"image {wrt}"][1], free.arrays()[f"image {wrt}"][1], atol=1e-5)


def test_states_and_rates_are_held() -> None:
    """A sampling rate beside a signal and a state whose samples stand on its second axis: y = sr sum x^2 + 1."""
    text = (
        "g (float[N,T] input, float[2,N,4] state, int64 sr) => (float[N,1] output) { c = Cast <to = 1> (sr) "
        "s = ReduceSum (state, axes) f = Flatten (s) m = Mul (input, input) k = ReduceSum (m, last) q = Mul (k, c) "
        "output = Add (q, one) }"
    )
    weights = {"axes": np.array([0, 2]), "last": np.array([1]), "one": np.ones(1, np.float32)}
    model = onnxray.open(parse(text, weights).SerializeToString(), output="output=regression")
    feeds = {"input": random(0, 2, 6), "state": np.zeros((2, 2, 4), np.float32), "sr": np.array(3)}
    result = LOTS(layer="k", until="distance > 3", steps=200)(model, feeds, "magnify")
    assert any(note == "changed: input; held: state, sr" for note in result.provenance.notes)
    for item, before in zip(result.items, feeds["input"], strict=True):
        assert item.success
        after = item.arrays()["image input"][1]
        assert item.aim is not None
        assert item.aim["after"] == pytest.approx(3 * abs((after**2).sum() - (before**2).sum()), rel=1e-4)
        assert item.aim["after"] > 3
