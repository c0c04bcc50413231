"""The JSON files of timm and transformers beside a model: their formulas restated, and malformed ones named."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from onnxray.errors import ProfileError
from onnxray.images.profile.discovery import discover
from onnxray.images.profile.profile import Profile
from support.graph_facts import graph_facts

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def found(shape: Any = ("N", 3, 224, 224), *, path: Path, producer: str = "") -> Profile:
    value = SimpleNamespace(name="input", shape=shape, dtype="float32")
    graph: Any = graph_facts(path=path, inputs=(value,), producer=producer, metadata={}, logits="out", features=None)
    profile = discover(graph)
    assert profile is not None
    return profile


def beside(tmp_path: Path, shape: Any = ("N", 3, 224, 224), **files: Any) -> Profile:
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return found(shape, path=tmp_path / "m.onnx", producer="pytorch")


TIMM = {"input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "center", **IMAGENET}


@pytest.mark.parametrize("nested", [True, False])
def test_timm(tmp_path: Path, nested: bool) -> None:
    config = {"architecture": "resnet50", "label_names": ["a", "b"], **({"pretrained_cfg": TIMM} if nested else TIMM)}
    assert beside(tmp_path, config=config) == Profile(
        name="resnet50",
        layout="NCHW",
        channels="RGB",
        scale=1 / 255,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        size=(224, 224),
        resize="crop",
        interpolation="bicubic",
        crop_fraction=0.95,
        labels=("a", "b"),
        source="config.json",
        reasons=("layout NCHW: dimension 1 is 3",),
    )


def test_timm_variants(tmp_path: Path) -> None:
    squashed = beside(tmp_path, config=TIMM | {"crop_mode": "squash", "interpolation": "random"})
    assert (squashed.resize, squashed.resized, squashed.interpolation) == ("stretch", (235, 235), "bilinear")
    padded = beside(tmp_path, config=TIMM | {"crop_mode": "border", "crop_pct": 1.0})
    assert (padded.resize, len(padded.reasons)) == ("pad", 1)
    unsized = beside(tmp_path, ("N", 3, 96, 96), config={"crop_pct": 0.9, **IMAGENET})
    assert (unsized.size, unsized.interpolation, unsized.crop_fraction) == ((96, 96), "bicubic", 0.9)
    grey = beside(tmp_path, ("N", 1, 224, 224), config=TIMM | {"input_size": [1, 224, 224]})
    assert (grey.channels, grey.mean) == ("GREY", (pytest.approx(0.449, abs=1e-9),))
    described = {"label_names": ["n1", "n2"], "label_descriptions": {"n1": "tench"}}
    assert beside(tmp_path, config=TIMM | described).labels == ("tench", "n2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": "grey"}, "config.json: mean is 'grey'; expected a list of numbers"),
        ({"std": [0, 1, 1]}, "(config.json): std is"),
        ({"input_size": [4, 8, 8]}, "config.json: input_size is [4, 8, 8]; expected [channels, height, width]"),
        ({"input_size": [3, "8", 8]}, "config.json: input_size is"),
        ({"crop_mode": ["x"]}, "config.json: crop_mode is"),
        ({"interpolation": "cubic"}, "(config.json): interpolation is 'cubic'"),
        ({"crop_pct": "big"}, "(config.json): crop_fraction is 'big'"),
        ({"input_size": [3, 160, 160]}, "(config.json) makes RGB NCHW of shape (N, 3, 160, 160), the model's input"),
    ],
)
def test_malformed_timm(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(message)):
        beside(tmp_path, config=TIMM | change)


VIT: dict[str, Any] = {
    "do_normalize": True,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.5, 0.25, 0.125],
    "resample": 3,
    "size": {"height": 224, "width": 224},
}


def test_transformers_formula(tmp_path: Path) -> None:
    labels = {"id2label": {"1": "b", "0": "a"}, "model_type": "vit"}
    profile = beside(tmp_path, preprocessor_config=VIT, config=labels)
    assert (profile.source, profile.assumed, profile.labels) == ("preprocessor_config.json", False, ("a", "b"))
    assert (profile.resize, profile.interpolation, profile.size) == ("stretch", "bicubic", (224, 224))
    x = np.random.default_rng(0).uniform(0, 255, (1, 3, 224, 224))
    mean, std = (np.reshape(VIT[key], (3, 1, 1)) for key in ("image_mean", "image_std"))
    np.testing.assert_allclose(profile.encode(x), (x / 255 - mean) / std, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "layout"), [(("N", 3, 224, 224), "NCHW"), (("N", 224, 224, 3), "NHWC"), (("N", "C", "H", "W"), "NCHW")]
)
def test_transformers_layout_is_the_graph_s(tmp_path: Path, shape: Any, layout: str) -> None:
    """A file of transformers says nothing of it; where the graph does not either, it is torch's."""
    assert beside(tmp_path, shape, preprocessor_config=VIT).layout == layout


@pytest.mark.parametrize(
    ("change", "formula"),
    [
        ({"rescale_factor": 1 / 256}, lambda x, m, s: (x / 256 - m) / s),
        ({"do_rescale": False}, lambda x, m, s: (x - m) / s),
        ({"do_normalize": False}, lambda x, m, s: x / 255),
        ({"do_normalize": False, "do_flip_channel_order": True}, lambda x, m, s: x[:, ::-1] / 255),
        ({"rescale_factor": 1 / 127.5, "rescale_offset": True}, lambda x, m, s: (x / 127.5 - 1 - m) / s),
        ({"include_top": True}, lambda x, m, s: (x / 255 - m) / s / s),
    ],
)
def test_transformers_variants(tmp_path: Path, change: dict[str, Any], formula: Any) -> None:
    profile = beside(tmp_path, preprocessor_config=VIT | change)
    x = np.random.default_rng(0).uniform(0, 255, (1, 3, 224, 224))
    mean, std = (np.reshape(VIT[key], (3, 1, 1)) for key in ("image_mean", "image_std"))
    np.testing.assert_allclose(profile.encode(x), formula(x, mean, std), atol=1e-9)


@pytest.mark.parametrize(
    ("change", "rule", "fraction"),
    [
        (
            {"do_center_crop": True, "crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 256}},
            "crop",
            0.875,
        ),
        ({"do_center_crop": True, "crop_size": 224, "size": 256}, "crop", 0.875),
        ({"do_center_crop": True, "crop_size": 224, "size": {"height": 256, "width": 256}}, "stretch", 1.0),
        ({"do_center_crop": True, "crop_size": 224, "size": {"shortest_edge": 200}}, "crop", 1.0),
        ({"do_center_crop": True, "crop_size": 224, "size": None}, "crop", 1.0),
        ({"do_center_crop": False, "crop_size": 192, "size": 224}, "stretch", 1.0),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, "crop", 0.875),
        ({"size": {"shortest_edge": 224}}, "crop", 1.0),
        ({"size": {"longest_edge": 999}}, "stretch", 1.0),
    ],
)
def test_transformers_geometry(tmp_path: Path, change: dict[str, Any], rule: str, fraction: float) -> None:
    profile = beside(tmp_path, preprocessor_config=VIT | change)
    assert (profile.size, profile.resize, profile.crop_fraction) == ((224, 224), rule, fraction)


def test_transformers_convnext_above_384_is_stretched(tmp_path: Path) -> None:
    config = VIT | {"size": {"shortest_edge": 384}, "crop_pct": 0.875}
    profile = beside(tmp_path, ("N", 3, 384, 384), preprocessor_config=config)
    assert (profile.size, profile.resize) == ((384, 384), "stretch")


def test_transformers_grey(tmp_path: Path) -> None:
    profile = beside(tmp_path, ("N", 1, 224, 224), preprocessor_config=VIT)
    assert (profile.channels, profile.mean) == ("GREY", (pytest.approx(0.4),))
    assert beside(tmp_path, ("N", 1, 224, 224), preprocessor_config={"do_normalize": False}).std == (1.0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_mean": None}, "preprocessor_config.json: image_mean is None; expected a list of numbers"),
        ({"image_mean": [0.5]}, "(preprocessor_config.json): mean is (0.5,); expected a list of 3 numbers"),
        (
            {"image_mean": [10**400, 0, 0], "rescale_offset": True},
            "preprocessor_config.json: is no JSON (a whole number of 401 digits",
        ),
        ({"image_std": ["x"] * 3, "include_top": True}, "preprocessor_config.json: image_std is ['x', 'x', 'x']"),
        ({"resample": 9}, "preprocessor_config.json: resample is 9; expected Pillow's code"),
        ({"resample": "bilinear"}, "preprocessor_config.json: resample is 'bilinear'"),
        ({"size": "big"}, "preprocessor_config.json: size is 'big'; expected height and width"),
        ({"size": {"height": 0, "width": 3}}, "preprocessor_config.json: size is"),
        ({"size": {"shortest_edge": "x"}}, "preprocessor_config.json: size is"),
        ({"do_center_crop": True, "crop_size": {}}, "preprocessor_config.json: crop_size is {}"),
        ({"do_center_crop": True, "crop_size": 224, "size": {"height": "a"}}, "preprocessor_config.json: size is"),
        ({"rescale_factor": "x"}, "(preprocessor_config.json): scale is 'x'"),
    ],
)
def test_malformed_transformers(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(message)):
        beside(tmp_path, preprocessor_config=VIT | change)


@pytest.mark.parametrize("content", [{"debug": True}, [1, 2], "3", {"mean": 1, "std": 2}, {"pretrained_cfg": "x"}])
def test_unrelated_json_is_passed_over(tmp_path: Path, content: Any) -> None:
    profile = beside(tmp_path, config=content)
    assert (profile.name, profile.source, profile.assumed) == ("torchvision", "inferred", True)


@pytest.mark.parametrize("content", ["{", "[" * 100_000, "9" * 5000, ""])
def test_broken_json_is_named(tmp_path: Path, content: str) -> None:
    with pytest.raises(ProfileError, match=r"config\.json: is no JSON") as caught:
        beside(tmp_path, config=content)
    assert "\n" not in str(caught.value)


def test_side_files_have_a_limit(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"config\.json: larger than 8 MiB"):
        beside(tmp_path, config=" " * (8 * 2**20 + 1))


def test_optimum_keeps_its_models_one_folder_deeper(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(VIT))
    (tmp_path / "onnx").mkdir()
    (tmp_path / "other").mkdir()
    assert found(path=tmp_path / "onnx" / "model.onnx").source == "preprocessor_config.json"
    assert found(path=tmp_path / "other" / "model.onnx").source == "inferred"
