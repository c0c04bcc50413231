"""Where profiles come from: the order of the sources, each source's reading, and what is refused."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxray.errors import ProfileError
from onnxray.images.pixels import read_images
from onnxray.images.profile.discovery import discover
from onnxray.images.profile.families import FAMILIES, image_input
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.toml_form import toml_of
from support.graph_facts import graph_facts

TOML = FAMILIES["caffe-imagenet"].complete(
    graph_facts(inputs=(SimpleNamespace(name="x", shape=None, dtype="float32"),)), source="test"
)


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
    return graph_facts(path=path, inputs=(value,) * inputs, producer=producer, metadata=metadata or {})


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


# --- readers of text


def reader(count: int | str | None, text: str, channels: int = 3, size: Any = ("h", "w"), **metadata: str) -> Any:
    """A graph of steps of ``count`` classes with the characters that it reads in its metadata."""
    value = SimpleNamespace(name="x", shape=("N", channels, *size), dtype="float32")
    out = SimpleNamespace(name="y", shape=None if count is None else ("N", "t", count), dtype="float32")
    facts = {"inputs": (value,), "outputs": (out,), "values": {"y": out}}
    return graph_facts(**facts, path=None, producer="", metadata={"character": text, **metadata})


@pytest.mark.parametrize("text", ["a\nb\n\u3000", "a\nb\n\u3000\n", "a\r\nb\r\n\u3000\r\n", "ab\u3000"])
@pytest.mark.parametrize(
    ("count", "labels"),
    [
        (3, ("a", "b", "\u3000")), (4, ("blank", "a", "b", "\u3000")), (5, ("blank", "a", "b", "\u3000", " ")),
        ("k", ("blank", "a", "b", "\u3000", " ")), (None, ("blank", "a", "b", "\u3000", " ")),
    ],
)  # fmt: skip
def test_characters_of_the_metadata_are_classes(text: str, count: int | str | None, labels: tuple[str, ...]) -> None:
    profile = discover(reader(count, text))
    assert profile is not None
    assert profile.labels == labels
    assert "labels: ONNX metadata, character" in profile.reasons


def test_a_reader_of_text_is_fed_as_paddle_ocr_is() -> None:
    profile = discover(reader(5, "a\nb\nc"))
    assert profile is not None
    assert (profile.channels, profile.size, profile.resize, profile.crop_offset) == ("BGR", (48, 320), "pad", "start")
    assert profile.fill_colour == (127.5,) * 3
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 3, 48, 320)).astype(np.float32)
    np.testing.assert_allclose(profile.encode(pixels), (pixels[:, ::-1] / 255 - 0.5) / 0.5, atol=1e-6)
    assert profile.assumed
    assert any("height 48: PP-OCRv3's and later, PP-OCRv2's is 32" in reason for reason in profile.reasons)


@pytest.mark.parametrize(
    ("kwargs", "channels", "size", "assumed"),
    [
        ({"size": (32, "w")}, "BGR", (32, 320), False), ({"size": (32, 100)}, "BGR", (32, 100), False),
        ({"img_h": "64", "img_w": "600"}, "BGR", (64, 600), False), ({"img_h": "tall"}, "BGR", (48, 320), True),
        ({"channels": 1, "img_h": "64"}, "GREY", (64, 320), True),
    ],
)  # fmt: skip
def test_sizes_of_readers_of_text(kwargs: Any, channels: str, size: tuple[int, int], assumed: bool) -> None:
    profile = discover(reader(5, "a\nb\nc", **kwargs))
    assert profile is not None
    assert (profile.channels, profile.size, profile.assumed) == (channels, size, assumed)


def test_characters_of_other_numbers_are_not_taken() -> None:
    for count in (2, 6, 1000):
        profile = discover(reader(count, "a\nb\nc"))
        assert profile is not None
        assert (profile.name, profile.labels) == ("unit", None)


# --- options


def test_a_profile_given_is_taken_as_it_is() -> None:
    assert discover(graph(), TOML) is TOML


def test_a_family_given_is_not_assumed() -> None:
    profile = found(option="torchvision")
    assert (profile.source, profile.assumed, profile.mean) == ("option torchvision", False, (0.485, 0.456, 0.406))
    assert found((1, 3, 96, 96), option="vgg-face").size == (96, 96)
    assert found((1, 3, "h", "w"), option="vgg-face").size == (224, 224)


def test_a_toml_given_wins_over_the_one_beside(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(toml_of(TOML).replace("caffe-imagenet", "beside"))
    (tmp_path / "other.toml").write_text(toml_of(TOML).replace("caffe-imagenet", "other"))
    here = {"path": tmp_path / "m.onnx", "metadata": {"onnxray.profile": toml_of(TOML)}}
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
        ("", "no profile '': "),
        ("zzz", "give the path of a TOML file or one of caffe-imagenet, vgg-face"),
        (
            "absent.toml",
            "'absent.toml': no such file; give the path of a TOML file, or one of caffe-imagenet, vgg-face",
        ),
        ("../torchvision", "'../torchvision': no such file; "),
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
        discover(graph(metadata={"onnxray.profile": toml_of(TOML) + 'labels = "/etc/hostname"'}))


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
    ("metadata", "shape", "size"),
    [
        ({"author": "Ultralytics", "imgsz": "[320, 416]"}, (1, 3, "h", "w"), (320, 416)),
        ({"author": "Ultralytics", "imgsz": "(320, 416)"}, (1, 3, "h", 512), (320, 512)),
        ({"author": "Ultralytics", "imgsz": "512"}, (1, 3, "h", "w"), (512, 512)),
        ({"author": "Ultralytics", "imgsz": "[0, 1, 2]"}, (1, 3, "h", "w"), (640, 640)),
        ({"stride": "32", "names": "['a']"}, (1, 3, "h", "w"), (640, 640)),
        ({"stride": "32", "names": "['a']", "imgsz": "[320, 320]"}, (1, 3, 64, 96), (64, 96)),
    ],
)
def test_what_ultralytics_says_of_sizes(metadata: dict[str, str], shape: Any, size: tuple[int, int]) -> None:
    profile = found(shape, metadata=metadata, producer="pytorch")
    assert (profile.name, profile.size, profile.resize, profile.fill) == ("ultralytics", size, "pad", 114.0)
    assert found(metadata={"stride": "32"}).name == "unit"
    assert found(metadata={"names": "['a']"}).name == "unit"


def test_letterboxing_is_ultralytics_own() -> None:
    """LetterBox: r = min(H / h, W / w), sides rounded, the smaller half of the border before, all of it grey 114."""
    profile = found((1, 3, 320, 320), metadata={"author": "Ultralytics"})
    for height, width in ((300, 200), (77, 333), (641, 640)):
        image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))
        ratio = min(320 / height, 320 / width)
        wide, high = round(width * ratio), round(height * ratio)
        left, top = round((320 - wide) / 2 - 0.1), round((320 - high) / 2 - 0.1)
        expected = np.full((320, 320, 3), 114, np.uint8)
        expected[top : top + high, left : left + wide] = np.asarray(
            image.resize((wide, high), Image.Resampling.BILINEAR)
        )
        assert np.array_equal(read_images(image, profile).array[0], expected.transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("key", "card", "resize", "interpolation"),
    [
        ("pretrained_cfg", {"mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 0.9, "crop_mode": "squash"},
         "stretch", "bicubic"),
        ("preprocessor_config", {"image_processor_type": "ViTImageProcessor"}, "stretch", "bilinear"),
        ("preprocessor_config.json", {"image_processor_type": "CLIPImageProcessor"}, "crop", "bicubic"),
        ("config", {"model_type": "resnet", "do_normalize": True, "resample": 3, "size": 224}, "crop", "bicubic"),
    ],
)  # fmt: skip
def test_files_of_timm_and_transformers_in_the_metadata(
    key: str, card: dict[str, Any], resize: str, interpolation: str
) -> None:
    profile = found(metadata={"other": "{}", key: json.dumps(card)})
    assert (profile.source, profile.assumed) == (f"ONNX metadata, {key}", False)
    assert (profile.resize, profile.interpolation, profile.size) == (resize, interpolation, (224, 224))
    with pytest.raises(ProfileError, match=re.escape(f"ONNX metadata, {key!r}: is no JSON")):
        found(metadata={key: "{broken"})
    assert found(metadata={key: "no card"}).source == "inferred"


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


def test_a_side_file_for_what_is_no_image_is_refused_or_passed_over(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"crop_pct": 0.9, "mean": [0.5] * 3, "std": [0.5] * 3}))
    assert discover(graph(("N", 7), path=tmp_path / "m.onnx")) is None
    (tmp_path / "m.toml").write_text(toml_of(TOML))
    with pytest.raises(ProfileError, match="expected four dimensions"):
        discover(graph(("N", 7), path=tmp_path / "m.onnx"))


def test_a_size_beyond_reason_is_refused() -> None:
    with pytest.raises(ProfileError, match="is 99999x8; at most 16384 a side"):
        discover(graph((1, 3, 99999, 8)))


def test_image_input_states_what_is_free() -> None:
    told = image_input(graph(("N", "c", 224, None)))
    assert (told.layout, told.channels, told.height, told.width) == (None, None, None, None)
