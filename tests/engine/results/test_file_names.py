"""One naming of files for all methods: origin's name, place, layer, method, role; unique, and fit for every system."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

import onnxray
import onnxray_models
from onnxray.methods.attack.gradient.pgd import PGD
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.item import MapItem
from onnxray.methods.synthesis.activations import Activations
from onnxray.methods.synthesis.filters import Filters
from onnxray.methods.synthesis.invert import Invert
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.methods.synthesis.maximize import Maximize
from onnxray.objectives.goals import TargetImages
from onnxray.results.file_names import extended, file_names, place_of, plain_name, stem_named, stem_of
from onnxray.results.item import Item
from onnxray.results.result import Result
from support import models

FOUR, NINE, OTHER = (
    next(str(path) for path in onnxray_models.samples("lenet") if path.stem == name) for name in ("4_0", "9_0", "9_1")
)


@dataclass(frozen=True)
class Made(Item):
    """An item of some pictures."""

    shown: Mapping[str, tuple[str, np.ndarray]] = field(default_factory=dict)

    def numbers(self) -> dict[str, Any]:
        return {}

    def pictures(self) -> dict[str, tuple[str, np.ndarray]]:
        return dict(self.shown)

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, np.ndarray]) -> Self:
        return cls({role: ("restored", picture) for role, picture in pictures.items()})


def named(stems: list[str]) -> dict[str, str]:
    return file_names([Made({"image": (stem, np.zeros((1, 4, 4), np.uint8))}) for stem in stems])


def test_file_names_are_plain_unique_and_short() -> None:
    stems = [
        "pair-0-/layer4/layer4.1/relu_1/Relu_output_0-image", "pair-0-_layer4_layer4.1/relu_1/Relu_output_0-image",
        "a:0", "a/0", "a\\0", "A:0", "a-0", "a-0-2", "../../etc/passwd", "..", "", "/", "中", "é", "nul\x00", " ",
        "x" * 500 + "-image", "x" * 500 + "-perturbation", "x" * 501 + "-image", "y/" * 500, "/".join(["z" * 300] * 9),
        "CON", "nul", "com1", "sheet", "Sheet-2", "index", "result", "items", "part-0", "zoom-1", "trace",
    ]  # fmt: skip
    names = named(stems)
    assert list(names) == stems
    assert len({name.lower() for name in names.values()}) == len(stems)
    for name in names.values():
        assert name.isascii()
        assert len(name.encode()) <= 200
        assert Path(name).name == name
        assert set(name.lower()) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-.")
        assert not name.startswith((".", "-"))
        assert name.count(".") == 1
    assert names["x" * 500 + "-image"].endswith("-image.png")
    lower = {Path(name).stem.lower() for name in names.values()}
    assert not lower & {"con", "nul", "com1", "sheet", "sheet-2", "index", "result", "items", "part-0", "zoom-1"}


@pytest.mark.parametrize("origin", ["a", "sheet", "x" * 255, "кот", "café", "a/b", "con"])
def test_the_place_and_the_role_are_never_cut(origin: str) -> None:
    stem = stem_of(f"{origin}.jpg", 1234, "l" * 300, "grad-cam", "overlay")
    name = plain_name(stem)
    assert name.endswith("-grad-cam-overlay")
    assert "-1234-" in f"-{name}"
    assert len(name) <= 160
    assert place_of(stem_of(f"{origin}.jpg", 1234)) == 1234
    assert place_of(plain_name(stem_of(f"{origin}.jpg", 1234))) == 1234


def test_accents_are_dropped_and_not_the_letters() -> None:
    assert plain_name(stem_of("Crème brûlée.png", 0, "image")) == "Creme-brulee-0-image"


def test_different_parts_never_make_equal_stems() -> None:
    pieces = ["a", "", "/", "\\", "a/b", "a\\", "-", "0"]
    parts = [one for count in (0, 1, 2, 3) for one in itertools.product(pieces, repeat=count)]
    stems = [stem_named(name, place, *more) for name in pieces for place in (0, 1) for more in parts]
    assert len(set(stems)) == len(stems)
    assert extended("a", None, "b") == extended("a", "b")


def test_pictures_whose_parts_look_the_same_have_files_of_their_own() -> None:
    """Of 'a-0.png', second, and 'a.png', first, at a layer that is called '1-x': both are a-0-1-x in print."""
    one, other = stem_of("a-0.png", 1, "x", "lots", "image"), stem_of("a.png", 0, "1-x", "lots", "image")
    assert plain_name(one) == plain_name(other)
    names = named([one, other])
    assert len(set(names.values())) == 2


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open("lenet")


def saved_names(result: Result[Any]) -> set[str]:
    return {name for item in result.to_dict()["items"] for name in item["files"].values()}


def test_every_family_names_its_files_alike(lenet: onnxray.Model) -> None:
    assert {"4_0-0-image.png", "4_0-0-conv2-grad-cam-overlay.png", "9_0-1-conv2-grad-cam-map.png"} <= saved_names(
        GradCAM(layer="conv2")(lenet, [FOUR, NINE])
    )
    assert {"4_0-0-image.png", "4_0-0-gradient-heat.npy"} <= saved_names(Gradient()(lenet, [FOUR]))
    assert saved_names(LOTS(layer="conv1")(lenet, [FOUR], "inhibit")) == {
        "4_0-0-origin.png", "4_0-0-conv1-lots-image.png", "4_0-0-conv1-lots-perturbation.png",
    }  # fmt: skip
    several = TargetImages(images=[NINE, OTHER], pairing="all")
    assert saved_names(LOTS(layer="conv1")(lenet, [FOUR], several)) == {
        "4_0-0-origin.png", "9_0-0-target.png", "9_1-1-target.png",
        *(f"4_0-0-to-{name}-conv1-lots-{role}.png" for name in ("9_0-0", "9_1-1") for role in ("image", "perturbation")),
    }  # fmt: skip
    assert "4_0-0-conv1-invert-1-image.png" in saved_names(Invert(layer="conv1", steps=2, samples=2)(lenet, [FOUR]))
    assert "4_0-0-conv1-activations-image.png" in saved_names(Activations(layer="conv1")(lenet, [FOUR]))
    assert saved_names(PGD(eps=40, steps=2)(lenet, [FOUR])) == {
        "4_0-0-origin.png", "4_0-0-pgd-image.png", "4_0-0-pgd-perturbation.png",
    }  # fmt: skip
    assert saved_names(Filters()(lenet)) == {"conv1-0-filters-image.png"}
    assert saved_names(Maximize(steps=2)(lenet, None, "4")) == {"logit-of-class-4-0-maximize-0-image.png"}


def test_origins_without_a_file_are_called_images(lenet: onnxray.Model) -> None:
    pictures = np.zeros((2, 1, 28, 28), np.uint8)
    pictures[:, :, 8:20, 8:20] = 200
    assert {"image-0-image.png", "image-1-gradient-map.png"} <= saved_names(Gradient()(lenet, pictures, 4))


def test_a_result_that_is_loaded_and_saved_again_keeps_its_names(lenet: onnxray.Model, tmp_path: Path) -> None:
    for result, kind in (
        (GradCAM(layer="conv2")(lenet, [FOUR, NINE]), MapItem),
        (Activations(layer="conv1")(lenet, [FOUR]), SynthesisItem),
    ):
        result.save(tmp_path / kind.__name__)
        again = Result.load(tmp_path / kind.__name__, kind)
        assert again.to_dict()["items"] == result.to_dict()["items"]


def test_maps_of_rows_that_are_loaded_and_saved_again_stay_apart(tmp_path: Path) -> None:
    text = "rows (float[N,3] x) => (float[N,2] z) { z = MatMul (x, w) }"
    model = onnxray.open(models.parse(text, {"w": models.random(0, 3, 2)}))
    result = Gradient()(model, np.arange(6, dtype=np.float32).reshape(2, 3), "z[0]")
    result.save(tmp_path / "run")
    again = Result.load(tmp_path / "run", MapItem)
    assert again.to_dict()["items"] == result.to_dict()["items"]
    assert {entry["files"]["heat"] for entry in again.to_dict()["items"]} == {
        "image-0-gradient-heat.npy", "image-1-gradient-heat.npy",
    }  # fmt: skip


def test_folders_of_older_versions_are_loaded(lenet: onnxray.Model, tmp_path: Path) -> None:
    """There the image of the maps had no role in its name, and layer and method stood the other way round."""
    GradCAM(layer="conv2")(lenet, [FOUR]).save(tmp_path)
    document = json.loads((tmp_path / "result.json").read_text())
    files = document["items"][0]["files"]
    for role, name in files.items():
        older = "4_0-0.png" if role == "image" else name.replace("conv2-grad-cam", "grad-cam-conv2")
        (tmp_path / name).rename(tmp_path / older)
        files[role] = older
    (tmp_path / "result.json").write_text(json.dumps(document))
    (item,) = Result.load(tmp_path, MapItem).items
    assert item.stem == "4_0-0"
    assert place_of(item.stem) == 0
    assert item.images["image"].shape == (1, 28, 28)
