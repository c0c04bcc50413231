"""Where profiles come from: the order of the sources, each source's reading, and what is refused."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from onnxray.errors import ProfileError
from onnxray.profile import Profile
from onnxray.profile_discovery import discover
from onnxray.profile_families import FAMILIES, image_input

TOML = FAMILIES["caffe-imagenet"].complete(
    SimpleNamespace(inputs=(SimpleNamespace(name="x", shape=None, dtype="float32"),)),  # type: ignore[arg-type]
    source="test",
)
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def graph(
    shape: tuple[int | str | None, ...] | None = ("N", 3, 224, 224),
    *,
    dtype: str = "float32",
    producer: str = "",
    metadata: dict[str, str] | None = None,
    path: Path | None = None,
    name: str = "input",
    inputs: int = 1,
) -> Any:
    value = SimpleNamespace(name=name, shape=shape, dtype=dtype)
    return SimpleNamespace(path=path, inputs=(value,) * inputs, producer=producer, metadata=metadata or {})


def found(*args: Any, option: Any = None, **kwargs: Any) -> Profile:
    profile = discover(graph(*args, **kwargs), option)
    assert profile is not None
    return profile


# --- what the graph's shape says


@pytest.mark.parametrize(
    ("shape", "layout", "channels", "size"),
    [
        (("N", 3, 32, 48), "NCHW", "RGB", (32, 48)),
        ((1, 32, 48, 3), "NHWC", "RGB", (32, 48)),
        ((None, 1, 20, 20), "NCHW", "GREY", (20, 20)),
        ((None, "h", "w", 1), "NHWC", "GREY", (28, 28)),
        (("N", 3, "h", "w"), "NCHW", "RGB", (224, 224)),
        ((-1, 3, "?", -1), "NCHW", "RGB", (224, 224)),
        ((1, 3, 48, None), "NCHW", "RGB", (48, 224)),
        ((1, 3, 8, 3), "NCHW", "RGB", (8, 3)),
    ],
)
def test_layout_channels_and_size_are_inferred(shape: Any, layout: str, channels: str, size: Any) -> None:
    profile = found(shape)
    assert (profile.layout, profile.channels, profile.size) == (layout, channels, size)
    assert (profile.assumed, profile.source) == (True, "inferred")
    assert any(f"layout {layout}" in reason for reason in profile.reasons)
    free = not all(isinstance(side, int) and side > 0 for side in shape[1:])
    assert any("leaves height or width free" in reason for reason in profile.reasons) == free


@pytest.mark.parametrize(
    ("kwargs", "why"),
    [
        ({"shape": ("N", 10)}, r"shape (N, 10); expected four dimensions"),
        ({"shape": ("N", 3, 224)}, r"expected four dimensions"),
        ({"shape": (1, 12, 64, 64)}, r"expected 1 or 3 channels in dimension 1 or the last"),
        ({"shape": (1, None, 4, 7, 7)}, r"shape (1, ?, 4, 7, 7)"),
        ({"dtype": "bool"}, r"is bool; expected a type that holds pixels"),
        ({"dtype": "str"}, r"is str; expected a type that holds pixels"),
        ({"dtype": "complex64"}, r"is complex64"),
        ({"dtype": ""}, r"expected a type that holds pixels"),
        ({"inputs": 2}, r"the model has 2 inputs (input, input)"),
        ({"inputs": 0}, r"the model has 0 inputs"),
    ],
)
def test_what_is_no_image_has_no_profile_unless_one_is_asked_for(kwargs: dict[str, Any], why: str) -> None:
    assert discover(graph(**kwargs)) is None
    for option in ("unit", TOML):
        with pytest.raises(ProfileError, match=re.escape(why)):
            discover(graph(**kwargs), option)


@pytest.mark.parametrize("shape", [None, ("N", "c", "h", "w"), ("N", "c", 224, 224), ("N", 224, 224, "c")])
def test_unknown_channels_are_not_guessed_but_an_option_is_taken(shape: Any) -> None:
    assert discover(graph(shape)) is None
    profile = found(shape, option="torchvision")
    assert (profile.channels, profile.size) == ("RGB", (224, 224))
    assert profile.layout == ("NHWC" if shape == ("N", 224, 224, "c") else "NCHW")
    assert found(shape, option="lenet" if shape is None else "raw").channel_count in (1, 3)


@pytest.mark.parametrize(
    ("kwargs", "family"),
    [
        ({"dtype": "uint8", "producer": "pytorch 2.5"}, "raw"),
        ({"dtype": "uint8", "shape": (1, 28, 28, 1)}, "raw"),
        ({"shape": (1, 1, 28, 28), "producer": "CNTK 2.5.1"}, "raw"),
        ({"producer": "CNTK 2.5.1"}, "raw"),
        ({"shape": (1, 1, 28, 28), "producer": "lab-caffe2onnx 1"}, "lenet"),
        ({"shape": (1, 1, 28, 28), "name": "data"}, "lenet"),
        ({"shape": (1, 1, 28, 28), "producer": "pytorch 2.5"}, "unit"),
        ({"shape": (1, 1, 64, 64), "producer": "caffe", "name": "data"}, "unit"),
        ({"producer": "onnx-caffe2"}, "caffe-imagenet"),
        ({"producer": "pytorch 1.2"}, "torchvision"),
        ({"shape": (1, 48, 48, 3), "producer": "keras2onnx 1.7.0"}, "tensorflow"),
        ({"shape": (1, 48, 48, 3), "producer": "tf2onnx 1.9"}, "tensorflow"),
        ({"producer": "PaddlePaddle"}, "unit"),
        ({}, "unit"),
        ({"dtype": "float16", "producer": "pytorch 2"}, "torchvision"),
    ],
)
def test_family_is_guessed_and_said(kwargs: dict[str, Any], family: str) -> None:
    profile = found(**kwargs)
    assert (profile.name, profile.assumed) == (family, True)
    assert profile.reasons[0].startswith(f"{family}: ")
    expected = FAMILIES[family]
    assert profile.scale == expected.scale


# --- options


def test_a_profile_given_is_taken_as_it_is() -> None:
    assert discover(graph(), TOML) is TOML


def test_a_family_given_is_not_assumed() -> None:
    profile = found(option="torchvision")
    assert (profile.source, profile.assumed, profile.mean) == ("option torchvision", False, (0.485, 0.456, 0.406))
    assert found((1, 3, 96, 96), option="vgg-face").size == (96, 96)
    assert found((1, 3, "h", "w"), option="vgg-face").size == (224, 224)


def test_a_toml_given_wins_over_the_one_beside(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(TOML.to_toml().replace("caffe-imagenet", "beside"))
    (tmp_path / "other.toml").write_text(TOML.to_toml().replace("caffe-imagenet", "other"))
    here = {"path": tmp_path / "m.onnx", "metadata": {"onnxray.profile": TOML.to_toml()}}
    assert found(**here).name == "beside"
    assert found(**here, option=tmp_path / "other.toml").name == "other"
    assert found(**here, option=str(tmp_path / "other.toml")).source == "other.toml"
    assert found(**here, option="raw").name == "raw"
    (tmp_path / "m.toml").unlink()
    assert found(**here) == Profile(
        **{key: getattr(TOML, key) for key in TOML.__slots__} | {"source": "ONNX metadata", "reasons": ()}
    )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("torchvison", "no profile 'torchvison': did you mean 'torchvision'?"),
        ("absent.toml", "Give the path of a TOML file or one of caffe-imagenet, vgg-face"),
        ("a\0b", "no profile"),
        ("lenet", "'lenet' is grey, the model's input 'input' has 3 channels"),
    ],
)
def test_unknown_options(option: str, message: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(message)):
        discover(graph(), option)


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((1, 3, 256, 256), "(1, 3, 256, 256)"),
        ((1, 224, 224, 3), "(1, 224, 224, 3)"),
        (("N", 1, 224, 224), "(N, 1, 224, 224)"),
        ((1, 3, "h", 192), "(1, 3, h, 192)"),
    ],
)
def test_a_profile_that_contradicts_the_graph_is_refused(shape: Any, shown: str) -> None:
    with pytest.raises(
        ProfileError, match=re.escape(f"of shape (N, 3, 224, 224), the model's input 'input' is {shown};")
    ):
        discover(graph(shape), TOML)


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_integer_inputs_take_whole_pixels_only(dtype: str) -> None:
    assert found(dtype=dtype, option="raw").is_identity
    for option in ("unit", "caffe-imagenet"):
        with pytest.raises(ProfileError, match=f"is {dtype}; expected scale 1, mean 0 and std 1"):
            discover(graph(dtype=dtype), option)


def test_malformed_toml_beside_the_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("layout = 3")
    with pytest.raises(ProfileError, match=r"^m.toml: missing name"):
        discover(graph(path=tmp_path / "m.onnx"))
    with pytest.raises(ProfileError, match="ONNX metadata: is no TOML"):
        discover(graph(metadata={"onnxray.profile": "["}))
    with pytest.raises(ProfileError, match="cannot name side files"):
        discover(graph(metadata={"onnxray.profile": TOML.to_toml() + 'labels = "/etc/hostname"'}))


# --- metadata


@pytest.mark.parametrize(
    ("pixel_range", "formula"),
    [
        ("NominalRange_0_255", lambda x: x),
        ("Normalized_0_1", lambda x: x / 255),
        ("normalized_1_1", lambda x: x / 127.5 - 1),
        ("NominalRange_16_235", lambda x: 16 + x * 219 / 255),
    ],
)
@pytest.mark.parametrize(("pixel_format", "channels"), [("Gray8", "GREY"), ("Rgb8", "RGB"), ("BGR8", "BGR")])
def test_windows_ml_metadata(pixel_range: str, formula: Any, pixel_format: str, channels: str) -> None:
    count = 1 if channels == "GREY" else 3
    told = {"Image.BitmapPixelFormat": pixel_format, "image.nominalpixelrange": pixel_range}
    profile = found((1, count, 8, 8), metadata=told, producer="pytorch")
    assert (profile.channels, profile.source, profile.assumed) == (channels, "ONNX metadata", False)
    x = np.random.default_rng(0).uniform(0, 255, (1, count, 8, 8))
    expected = formula(x[:, ::-1] if channels == "BGR" else x)
    np.testing.assert_allclose(profile.encode(x), expected, atol=1e-12)


def test_windows_ml_metadata_in_part() -> None:
    ranged = found(metadata={"Image.NominalPixelRange": "Normalized_0_1"})
    assert (ranged.channels, ranged.assumed, ranged.scale) == ("RGB", True, 1 / 255)
    assert found((1, 1, 8, 8), metadata={"Image.NominalPixelRange": "Normalized_0_1"}).channels == "GREY"
    ordered = found(metadata={"Image.BitmapPixelFormat": "Bgr8"})
    assert (ordered.channels, ordered.assumed, ordered.is_identity) == ("BGR", False, True)
    assert any("Windows ML's default" in reason for reason in ordered.reasons)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"Image.BitmapPixelFormat": "Rgba8"}, "Image.BitmapPixelFormat is 'Rgba8'; expected Gray8, Rgb8 or Bgr8"),
        ({"Image.NominalPixelRange": "0..1"}, "Image.NominalPixelRange is '0..1'; expected one of nominalrange_0_255"),
        ({"Image.BitmapPixelFormat": "Gray8"}, "makes GREY NCHW of shape (N, 1, 224, 224), the model's input"),
    ],
)
def test_windows_ml_metadata_that_cannot_be_followed(metadata: dict[str, str], message: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(message)):
        discover(graph(metadata=metadata))


@pytest.mark.parametrize(("task", "rule", "size"), [("classify", "crop", 224), ("detect", "pad", 640)])
def test_ultralytics_metadata(task: str, rule: str, size: int) -> None:
    metadata = {"author": "Ultralytics", "task": task, "names": "{0: 'person', 1: 'bicycle'}"}
    profile = found((1, 3, "h", "w"), metadata=metadata, producer="pytorch")
    assert (profile.name, profile.assumed, profile.scale, profile.mean) == ("ultralytics", False, 1 / 255, (0, 0, 0))
    assert (profile.resize, profile.crop_fraction, profile.size) == (rule, 1.0, (size, size))
    assert profile.labels == ("person", "bicycle")


@pytest.mark.parametrize(
    ("metadata", "labels"),
    [
        ({"names": "{0: 'a', 1: \"b's\"}"}, ("a", "b's")),
        ({"names": "{1: 'b', 0: 'a'}"}, ("a", "b")),
        ({"labels": '["x", "y"]', "names": "{0: 'a'}"}, ("x", "y")),
        ({"labels": '{"0": "x", "1": "y"}'}, ("x", "y")),
        ({"names": "('a', 'b')"}, ("a", "b")),
        ({"names": r"['\d']"}, (r"\d",)),
        ({"names": "{0: 'a', 2: 'c'}"}, None),
        ({"names": "{0: 'a', 1: 2}"}, None),
        ({"names": "__import__('os').abort()"}, None),
        ({"names": "[" * 100_000}, None),
        ({"names": "hello"}, None),
        ({"names": "[]"}, None),
        ({"names": "{'a': 1}"}, None),
    ],
)
def test_labels_of_the_metadata(metadata: dict[str, str], labels: Any) -> None:
    assert found(metadata=metadata).labels == labels
    assert found(metadata=metadata, option="unit").labels == labels


# --- JSON beside the model


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
    assert (squashed.resize, squashed.interpolation) == ("stretch", "bilinear")
    assert any("crop_pct 0.95 is left out" in reason for reason in squashed.reasons)
    padded = beside(tmp_path, config=TIMM | {"crop_mode": "border", "crop_pct": 1.0})
    assert (padded.resize, len(padded.reasons)) == ("pad", 1)
    unsized = beside(tmp_path, ("N", 3, 96, 96), config={"crop_pct": 0.9, **IMAGENET})
    assert (unsized.size, unsized.interpolation, unsized.crop_fraction) == ((96, 96), "bilinear", 0.9)
    grey = beside(tmp_path, ("N", 1, 224, 224), config=TIMM | {"input_size": [1, 224, 224]})
    assert (grey.channels, grey.mean) == ("GREY", (pytest.approx(0.449, abs=1e-9),))
    described = {"label_names": ["n1", "n2"], "label_descriptions": {"n1": "tench"}}
    assert beside(tmp_path, config=TIMM | described).labels == ("tench", "n2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": "grey"}, "(config.json): mean is 'grey'; expected a list of 3 numbers"),
        ({"std": [0, 1, 1]}, "(config.json): std is"),
        ({"input_size": [4, 8, 8]}, "config.json: input_size is '[4, 8, 8]'; expected [channels, height, width]"),
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
        ({"do_center_crop": True, "crop_size": 224, "size": {"height": 256, "width": 256}}, "crop", 0.875),
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
        ({"image_mean": None}, "(preprocessor_config.json): mean is None"),
        ({"image_mean": [0.5]}, "(preprocessor_config.json): mean is (0.5,); expected a list of 3 numbers"),
        ({"image_mean": "x", "rescale_offset": True}, "(preprocessor_config.json): mean is 'x'"),
        ({"image_std": ["x"] * 3, "include_top": True}, "(preprocessor_config.json): std is 'x'"),
        ({"resample": 9}, "preprocessor_config.json: resample is '9'; expected Pillow's code"),
        ({"resample": "bilinear"}, "preprocessor_config.json: resample is 'bilinear'"),
        ({"size": "big"}, "preprocessor_config.json: size is 'big'; expected height and width"),
        ({"size": {"height": 0, "width": 3}}, "preprocessor_config.json: size is"),
        ({"size": {"shortest_edge": "x"}}, "preprocessor_config.json: size is"),
        ({"do_center_crop": True, "crop_size": {}}, "preprocessor_config.json: crop_size is '{}'"),
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


def test_a_side_file_for_what_is_no_image_is_refused_or_passed_over(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(TIMM))
    assert discover(graph(("N", 7), path=tmp_path / "m.onnx")) is None
    (tmp_path / "m.toml").write_text(TOML.to_toml())
    with pytest.raises(ProfileError, match="expected four dimensions"):
        discover(graph(("N", 7), path=tmp_path / "m.onnx"))


def test_a_size_beyond_reason_is_refused() -> None:
    with pytest.raises(ProfileError, match="is 99999x8; at most 16384 a side"):
        discover(graph((1, 3, 99999, 8)))


def test_image_input_states_what_is_free() -> None:
    told = image_input(graph(("N", "c", 224, None)))
    assert (told.layout, told.channels, told.height, told.width) == (None, None, None, None)
