"""Files and names of preprocessing against their references, restated in support/preprocessing.py.

What is compared are grey levels: the difference of the two inputs, divided by the input's change a grey level.
"""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from onnxray.errors import ProfileError
from onnxray.images.pixels import read_images
from onnxray.images.profile.discovery import discover
from onnxray.images.profile.profile import Profile
from support.graph_facts import graph_facts
from support.preprocessing import (
    FORMS,
    SHAPES,
    TIMM,
    Form,
    Reference,
    caffe_classify,
    keras_applications,
    picture,
)


def beside(tmp_path: Path, option: str | None = None, shape: Any = ("N", 3, "h", "w"), **files: Any) -> Profile:
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    value = SimpleNamespace(name="input", shape=shape, dtype="float32")
    graph: Any = graph_facts(
        path=tmp_path / "m.onnx", inputs=(value,), producer="", metadata={}, logits="out", features=None
    )
    profile = discover(graph, option)
    assert profile is not None
    return profile


def grey_levels_apart(profile: Profile, shape: str, expected: np.ndarray) -> float:
    image = picture(SHAPES[shape])
    made = profile.encode(read_images(image, profile).array.astype(np.float64))[0]
    assert made.shape == expected.shape
    factor = np.reshape([profile.scale / one for one in profile.std], (3, 1, 1) if profile.layout == "NCHW" else -1)
    return float(np.abs((made - expected) / factor).max())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_transformers(tmp_path: Path, form: Form, shape: str) -> None:
    profile = beside(tmp_path, preprocessor_config=form.config)
    assert not profile.assumed
    assert grey_levels_apart(profile, shape, form.reference(picture(SHAPES[shape]))) < 0.01


def test_there_are_thirty_classes() -> None:
    assert len({form.name for form in FORMS}) >= 30


@pytest.mark.parametrize("form", [form for form in FORMS if form.name.endswith("ImageProcessor")][:6])
def test_the_same_under_other_names_and_in_processor_config(tmp_path: Path, form: Form) -> None:
    profile = beside(tmp_path, preprocessor_config=form.config)
    (tmp_path / "preprocessor_config.json").unlink()
    for suffix in ("Fast", "Pil"):
        named = form.config | {"image_processor_type": form.name + suffix}
        again = beside(tmp_path, processor_config={"processor_class": "X", "image_processor": named})
        assert grey_levels_apart(again, "wide", form.reference(picture(SHAPES["wide"]))) < 0.01
        assert (again.size, again.source) == (profile.size, "processor_config.json")


@pytest.mark.parametrize(
    ("model_type", "name"),
    [("resnet", "ConvNext"), ("swin", "ViT"), ("dinov2", "Bit"), ("levit", "Levit"), ("upernet", "Segformer")],
)
def test_a_file_that_names_no_class_is_read_by_the_model_type(tmp_path: Path, model_type: str, name: str) -> None:
    bare = {"do_rescale": True}
    implied = beside(tmp_path, preprocessor_config=bare, config={"model_type": model_type})
    named = beside(tmp_path, preprocessor_config=bare | {"image_processor_type": f"{name}ImageProcessor"})
    for field in ("size", "resize", "resized", "crop_fraction", "interpolation", "mean", "std", "assumed"):
        assert getattr(implied, field) == getattr(named, field)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("card", "reference"), TIMM, ids=range(len(TIMM)))
def test_timm(tmp_path: Path, card: dict[str, Any], reference: Reference, shape: str) -> None:
    profile = beside(tmp_path, config={"architecture": "net", "pretrained_cfg": card})
    assert grey_levels_apart(profile, shape, reference(picture(SHAPES[shape]))) < 0.01


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [224, 227, 256, 193])
def test_caffe(tmp_path: Path, side: int, shape: str) -> None:
    profile = beside(tmp_path, "caffe-imagenet", (1, 3, side, side))
    assert grey_levels_apart(profile, shape, caffe_classify(picture(SHAPES[shape]), side)) < 0.01


@pytest.mark.parametrize(("side", "resized"), [(32, 36), (299, 341), (64, 73), (16384, 16384)])
def test_caffe_of_other_sizes_keeps_the_proportion(tmp_path: Path, side: int, resized: int) -> None:
    assert beside(tmp_path, "caffe-imagenet", (1, 3, side, side)).resized == (resized, resized)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [224, 299])
def test_keras(tmp_path: Path, side: int, shape: str) -> None:
    profile = beside(tmp_path, "tensorflow", (1, side, side, 3))
    assert grey_levels_apart(profile, shape, keras_applications(picture(SHAPES[shape]), side)) < 0.01


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"image_processor_type": "DetrImageProcessor", "size": {"shortest_edge": 800, "longest_edge": 1333}},
         "DetrImageProcessor keeps the aspect of each picture"),
        ({"feature_extractor_type": "YolosFeatureExtractor", "size": 512}, "YolosImageProcessor keeps the aspect"),
        ({"image_processor_type": "PerceiverImageProcessor"}, "cuts the centre before it resizes"),
        ({"image_processor_type": "Idefics3ImageProcessorFast"}, "cuts pictures into parts"),
        ({"image_processor_type": "SamImageProcessor"}, "pads pictures by rules of its own"),
        ({"image_processor_type": "DPTImageProcessor", "keep_aspect_ratio": True}, "with keep_aspect_ratio True"),
        ({"image_processor_type": "GotOcr2ImageProcessor", "crop_to_patches": True}, "with crop_to_patches True"),
        ({"image_processor_type": "CLIPImageProcessor", "do_center_crop": False}, "without do_center_crop keeps"),
        ({"image_processor_type": "ViTImageProcessor", "do_resize": False}, "do_resize is False"),
        ({"image_processor_type": "ViTImageProcessor", "size": {"shortest_edge": 224}}, "takes height and width"),
        ({"image_processor_type": "ConvNextImageProcessor", "size": {"height": 224, "width": 224}},
         "takes shortest_edge"),
        ({"image_processor_type": "RTDetrImageProcessor", "size": {"shortest_edge": 8, "longest_edge": 9}},
         "which depends on the picture"),
        ({"image_processor_type": "ConvNextImageProcessor", "size": 224, "crop_pct": 0}, "crop_pct is 0"),
    ],
)  # fmt: skip
def test_what_no_profile_can_say_is_refused(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(message)) as caught:
        beside(tmp_path, preprocessor_config=config)
    assert str(caught.value).startswith("preprocessor_config.json: ")
    assert "\n" not in str(caught.value)
    # ... and can be passed over, as the line says
    assert beside(tmp_path, "unit", preprocessor_config=config).source == "option unit"


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("Beit", "do_center_crop", False),
        ("Beit", "size", {"height": 224, "width": 224}),
        ("ConvNext", "resample", 3),
        ("EfficientNet", "resample", 3),
        ("MobileViT", "resample", 3),
        ("Pvt", "resample", 3),
    ],
)
def test_what_differs_between_releases_is_said_where_a_file_is_silent(
    tmp_path: Path, name: str, key: str, value: object
) -> None:
    config = {"image_processor_type": f"{name}ImageProcessor"} | {"size": 224, "resample": 3}
    config |= {"do_center_crop": name == "MobileViT"}
    whole = beside(tmp_path, preprocessor_config=config | {key: value})
    silent = beside(tmp_path, preprocessor_config={k: one for k, one in config.items() if k != key})
    assert (whole.assumed, silent.assumed) == (False, True)
    assert any(reason.startswith(f"{key}: the file is silent") for reason in silent.reasons)
    made = whole.encode(read_images(picture(SHAPES["wide"]), whole).array.astype(np.float64))[0]
    assert grey_levels_apart(silent, "wide", made) < 1e-9


def test_a_class_of_ones_own_is_read_as_it_is_written_and_said_to_be_assumed(tmp_path: Path) -> None:
    config = {"image_processor_type": "MyProcessor", "size": {"height": 8, "width": 8}, "do_rescale": True}
    profile = beside(tmp_path, preprocessor_config=config)
    assert profile.assumed
    assert any("the steps of 'MyProcessor' are not known here" in reason for reason in profile.reasons)
