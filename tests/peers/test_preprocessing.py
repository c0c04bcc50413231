"""The restated references of support/preprocessing.py against transformers, timm and keras themselves."""

import importlib.util
import sys
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from support.preprocessing import (
    BILINEAR,
    FORMS,
    LANCZOS,
    NEAREST,
    SHAPES,
    TIMM,
    Form,
    Reference,
    keras_applications,
    picture,
)


def needs(*packages: str) -> pytest.MarkDecorator:
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


def _with_torchvision() -> None:
    """Its operators by name, where its build does not go with this torch: importing it needs them defined."""
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        sys.modules.pop("torchvision", None)
        for schema in (
            "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        ):
            torch.library.define(f"torchvision::{schema.split('(')[0]}", schema[schema.index("(") :])


_with_torchvision()


def library_class(name: str) -> Any:
    """The class that works on Pillow's pictures: transformers 5 marks it, transformers 4 does not."""
    import transformers

    name = name.replace("FeatureExtractor", "ImageProcessor")
    return getattr(transformers, f"{name}Pil", None) or getattr(transformers, name, None)


@needs("transformers")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_transformers(form: Form, shape: str) -> None:
    made = library_class(form.name)
    if made is None:
        pytest.skip(f"this transformers has no {form.name}")
    image = picture(SHAPES[shape])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        processor = made.from_dict(dict(form.config))
        try:
            theirs = processor(image, return_tensors="np")["pixel_values"][0]
        except NotImplementedError as error:
            pytest.skip(str(error))
    ours = form.reference(image)
    assert theirs.shape == ours.shape
    np.testing.assert_allclose(theirs, ours, atol=2e-5 * max(1.0, float(np.abs(ours).max())))


OF_THEIR_OWN = {
    "OwlViTImageProcessor": "its tensors are reduced without averaging",
    "ChameleonImageProcessor": "torchvision has no Lanczos",
}


@needs("transformers", "torchvision")
@pytest.mark.parametrize("shape", ["square", "wide", "tall"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_transformers_on_tensors(form: Form, shape: str) -> None:
    """The classes that work on tensors: within a grey level, on average where bicubic overshoots."""
    import transformers

    name = form.name.replace("FeatureExtractor", "ImageProcessor")
    made = getattr(transformers, f"{name}Fast", None) or getattr(transformers, name, None)
    code = form.config.get("resample")
    if made is None or name in OF_THEIR_OWN or code in (LANCZOS, NEAREST):
        pytest.skip(OF_THEIR_OWN.get(name, "none here, or torchvision does not resample so"))
    image = picture(SHAPES[shape])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = np.asarray(made.from_dict(dict(form.config))(image, return_tensors="pt")["pixel_values"][0])
    black, next_level = (form.reference(Image.new("RGB", image.size, (one,) * 3)) for one in (0, 1))
    apart = np.abs(theirs - form.reference(image)) / np.abs(next_level - black).max()
    if code == BILINEAR:
        assert float(apart.max()) < 1.01
    else:  # what overshoots is cut off between two passes, in another order than Pillow's
        assert float(apart.mean()) < 0.5


@needs("timm", "torchvision")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("card", "reference"), TIMM, ids=range(len(TIMM)))
def test_timm(card: dict[str, Any], reference: Reference, shape: str) -> None:
    from timm.data import create_transform, resolve_data_config

    image = picture(SHAPES[shape])
    theirs = create_transform(**resolve_data_config({}, pretrained_cfg=dict(card)))(image)
    np.testing.assert_allclose(np.asarray(theirs), reference(image), atol=2e-5)


@needs("keras")
@pytest.mark.parametrize("shape", SHAPES)
def test_keras(shape: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    import keras

    image: Image.Image = picture(SHAPES[shape])
    image.save(tmp_path / "p.png")
    array = keras.utils.img_to_array(keras.utils.load_img(tmp_path / "p.png", target_size=(224, 224)))
    theirs = keras.applications.mobilenet_v2.preprocess_input(np.array(array))
    np.testing.assert_allclose(theirs, keras_applications(image, 224), atol=1e-6)
