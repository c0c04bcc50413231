"""Methods side by side, and the commands of the family: refusals stay in the sheet, figures are those of each map."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.assess.maps.check import Check
from onnxray.assess.maps.comparison import Comparison
from onnxray.assess.maps.item import CheckedItem
from onnxray.cli.app import app
from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile
from onnxray.methods.catalogue import family
from onnxray.methods.options_from_text import configured
from onnxray.methods.run import Run
from onnxray.methods.saliency.base import Map, Saliency
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.gradient.smoothgrad import SmoothGrad
from onnxray.methods.saliency.objects_of_maps import Reference
from onnxray.methods.saliency.perturbation.rise import RISE
from onnxray.objectives.objective import Objective
from onnxray.report.map_check_report import comparison_pictures
from onnxray.results.result import Result
from support import models

W = {"w": models.random(4, 6, 3)}
DIGITS = [str(onnxray_models.samples("lenet")[k]) for k in (3, 44)]


@dataclass(frozen=True, kw_only=True)
class Odd(Saliency):
    """Two layers an image; no map where the class is 4."""

    name: ClassVar[str] = "odd"

    times: Annotated[int, "a factor"] = 1
    share: Annotated[float | None, "a share"] = None
    way: Annotated[Literal["up", "down"], "a way"] = "up"
    layer: Annotated[str | tuple[str, ...] | None, "layers"] = None
    sure: Annotated[bool, "whether"] = True

    def maps(self, model: onnxray.Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        if "class 4" in objective.describe(0):
            raise InputError("odd has nothing to say of a four")
        for row, image in enumerate(pixels.array):
            for layer in ("a", "b"):
                yield row, Map(heat=self.times * image[0] + run.random.uniform(), layer=layer)


def test_methods_side_by_side(tmp_path: Path) -> None:
    model = onnxray.open("lenet")
    references = (Reference(box=(0, 0, 28, 28)), Reference(box=(0, 0, 3, 3)))
    both = (Gradient(), Odd())
    compared = Comparison(methods=both, references=references, curve_steps=20, pointing_tolerance=2)
    result = compared(model, DIGITS)
    assert [(item.map.method, item.map.layer) for item in result.items] == [
        ("gradient", None), ("odd", "a"), ("odd", "b"), ("gradient", None),
    ]  # fmt: skip
    assert [(row["method"], row["images"]) for row in result.extra["summary"]] == [
        ("gradient", 2), ("odd", 1), ("odd", 1),
    ]  # fmt: skip
    assert result.extra["refused"] == [
        {"image": 1, "path": DIGITS[1], "method": "odd", "reason": "odd has nothing to say of a four"}
    ]
    assert [item.figures["pointed_at"] for item in result.items] == [True, True, True, False]
    alone = Check(method=Gradient(), curve_steps=20, noise_copies=0, weights="none")(model, DIGITS)
    for item, own in zip((result.items[0], result.items[3]), alone.items):
        np.testing.assert_array_equal(item.map.heat, own.map.heat)
        assert item.figures["seconds"] > 0
        assert item.figures["insertion"]["area"] == pytest.approx(own.figures["insertion"]["area"], abs=0.02)
    pictures = comparison_pictures(result)
    assert set(pictures) == {"sheet.png"}
    result.save(tmp_path / "run", pictures)
    loaded = Result.load(tmp_path / "run", CheckedItem)
    assert loaded.extra["refused"][0]["method"] == "odd"
    assert comparison_pictures(replace(loaded, folder=None)) == pictures
    with pytest.raises(InputError, match="no methods"):
        Comparison(methods=())


def test_images_of_one_name_stay_apart(tmp_path: Path) -> None:
    for folder, grey in (("a", 40), ("b", 200)):
        (tmp_path / folder).mkdir()
        Image.new("L", (28, 28), grey).save(tmp_path / folder / "same.png")
    model = onnxray.open("lenet")
    result = Comparison(methods=(Odd(),), curve_steps=0)(model, [tmp_path / "a", tmp_path / "b"], 3)
    result.save(tmp_path / "run")
    loaded = Result.load(tmp_path / "run", CheckedItem)
    assert [item.map.images["image"].max() for item in loaded.items] == [40, 40, 200, 200]
    assert "insertion" not in loaded.items[0].figures


def test_a_run_that_is_interrupted_keeps_what_is_finished() -> None:
    model = onnxray.open("lenet")

    def stop(done: int, total: int, what: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    compared = Comparison(methods=(Gradient(), Odd()), curve_steps=0)
    result = compared(model, DIGITS, 3, progress=stop, keep_partial=True)
    assert result.provenance.interrupted
    assert len(result.items) == 3


def test_what_is_for_images_is_refused_beside_what_is_not() -> None:
    """One sentence, whoever refuses; a reference box needs images for every method."""
    model = onnxray.open(models.parse("n (float[N,6] x) => (float[N,3] z) { z = MatMul (x, w) }", W))
    result = Comparison(methods=(RISE(), Gradient()), curve_steps=0)(model, models.random(5, 1, 6), "z:1")
    assert [item.map.method for item in result.items] == ["gradient"]
    (refusal,) = result.extra["refused"]
    with pytest.raises(InputError) as alone:
        RISE().refuse_if_unfit(model)
    assert (refusal["method"], refusal["reason"]) == ("rise", str(alone.value))
    with pytest.raises(InputError, match="a reference box needs images"):
        Comparison(methods=(Gradient(),), references=(Reference(box=(1, 1, 2, 2)),))(model, models.random(5, 1, 6))


def test_every_method_begins_with_the_same_random_numbers() -> None:
    """Alone, in company and seed by seed: the map of a run of its own."""
    model = onnxray.open("lenet")
    smooth, odd = SmoothGrad(samples=2), Odd(times=0)
    in_company = Comparison(methods=(odd, smooth), curve_steps=0)(model, DIGITS[:1], 3, seed=7).items
    alone = [item for method in (odd, smooth) for item in method(model, DIGITS[:1], 3, seed=7).items]
    for item, own in zip(in_company, alone, strict=True):
        np.testing.assert_array_equal(item.map.heat, own.heat)


def test_methods_from_text() -> None:
    known: Any = {"odd": Odd, "gradient": Gradient}
    text = [
        "odd.times=3",
        "odd.share=0.5",
        "odd.way=down",
        "odd.layer=conv1",
        "odd.sure=false",
        "gradient.score=margin",
    ]
    odd, plain = configured(known, ["odd", "gradient"], text)
    assert odd == Odd(times=3, share=0.5, way="down", layer="conv1", sure=False)
    assert plain == Gradient(score="margin")
    assert configured(known, ["odd"], ["odd.share=none"]) == (Odd(),)
    for names, settings, said in (
        (["even"], [], "there is no method 'even'; there are: odd, gradient"),
        (["odd", "odd"], [], "named twice"),
        (["odd"], ["times=3"], "METHOD.OPTION=VALUE was expected"),
        (["odd"], ["gradient.score=margin"], "METHOD.OPTION=VALUE was expected, of odd"),
        (["odd"], ["odd.name=x"], "odd has no option 'name'; it has: score, wrt, colormap, times"),
        (["odd"], ["odd.times=2.5"], "a whole number was expected"),
        (["odd"], ["odd.share=x"], "a number was expected"),
        (["odd"], ["odd.sure=yes"], "true or false was expected"),
        (["odd"], ["odd.way=left"], "way is 'left'"),
    ):
        with pytest.raises(InputError, match=said):
            configured(known, names, settings)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["saliency", *map(str, arguments)])


def test_the_commands(tmp_path: Path) -> None:
    done = run("check", "gradient", "lenet", *DIGITS, "--channels", "sum", "--curve-steps", 10, "--noise-copies", 2,
               "--reference-box", "2,2,26,26", "--reference-box", "0,0,1,1", "-o", tmp_path / "c", "--json")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["method"]["options"]["method_options"]["channels"] == "sum"
    assert len(found["items"][0]["figures"]["insertion"]["scores"]) == 11
    assert found["summary"][0]["images"] == 2
    assert {path.name for path in (tmp_path / "c").glob("*.png")} >= {"sheet.png", "curves.png", "weights.png"}
    done = run("check", "gradient", "lenet", DIGITS[0], "--weights", "none", "-o", tmp_path / "d")
    assert done.exit_code == 0, done.stderr
    assert "mean (median)" in done.stdout
    done = run(
        "compare", "lenet", *DIGITS, "--methods", "gradient", "--set", "gradient.channels=sum", "-o", tmp_path / "e"
    )
    assert done.exit_code == 0, done.stderr
    assert "gradient" in done.stdout
    for arguments, said in (
        (("compare", "lenet", DIGITS[0], "--methods", "gradient,nothing"), "there is no method 'nothing'"),
        (("check", "gradient", "lenet", DIGITS[0], "--reference-box", "1,2,3"), "x0,y0,x1,y1 was expected"),
        (("check", "gradient", "lenet", DIGITS[0], "--noise-level", "0"), "noise_level is 0.0"),
    ):
        failed = run(*arguments)
        assert failed.exit_code == 1
        assert said in failed.stderr
        assert len(failed.stderr.strip().splitlines()) == 1


def test_options_of_methods_and_of_the_check_stay_apart() -> None:
    """Both stand on one command line, so that no name may mean two things."""
    own = {field.name for field in fields(Check)}
    for name, method in family(Saliency).items():  # type: ignore[type-abstract]
        assert not own & {field.name for field in fields(method)}, name


SHAPES = {
    "tiny": ((7, 5), "GREY"), "wide": ((20, 90), "RGB"), "tall": ((90, 20), "RGB"), "digits": ((28, 28), "GREY"),
    "large": ((300, 260), "RGB"),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_images_of_any_size(shape: str, tmp_path: Path) -> None:
    """Small, large, wide, tall, grey: maps, objects, sheets and figures have the image's size."""
    (height, width), channels = SHAPES[shape]
    count = 1 if channels == "GREY" else 3
    text = (
        f"net (float[N,{count},{height},{width}] x) => (float[N,3] z) "
        "{ c = Conv <pads = [1,1,1,1]> (x, k)  r = Relu (c)  p = GlobalAveragePool (r)  z = Flatten (p) }"
    )
    profile = Profile(
        name="p", layout="NCHW", channels=channels, scale=1 / 255, mean=(0.5,) * count, std=(1.0,) * count,  # type: ignore[arg-type]
        size=(height, width), resize="stretch",
    )  # fmt: skip
    model = onnxray.open(models.parse(text, {"k": models.random(0, 3, count, 3, 3)}), profile)
    rng = np.random.default_rng(0)
    for name in "ab":
        size = (height + 9, width + 4) if count == 1 else (height + 9, width + 4, 3)
        Image.fromarray(rng.integers(0, 255, size).astype(np.uint8)).save(tmp_path / f"{name}.png")
    result = Comparison(methods=(Gradient(), Odd()), curve_steps=4)(model, tmp_path, 1)
    assert len(result.items) == 6
    for item in result.items:
        assert item.map.heat.shape == (height, width)
        assert item.map.images["overlay"].shape == (3, height, width)
    sheet = comparison_pictures(result)["sheet.png"]
    (tmp_path / f"sheet-{shape}.png").write_bytes(sheet)
    with Image.open(tmp_path / f"sheet-{shape}.png") as page:
        assert page.size[0] >= 560
