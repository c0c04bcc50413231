"""Every synthesis on the kinds of networks that people have: what it is after is nearer, by the judge, on 8 bits."""

import numpy as np
import pytest
from numpy.typing import NDArray

import onnxray
from onnxray.methods.synthesis.caricature import Caricature
from onnxray.methods.synthesis.deepdream import DeepDream
from onnxray.methods.synthesis.invert import Invert
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.methods.synthesis.maximize import Maximize
from onnxray.methods.synthesis.style import StyleTransfer
from onnxray.methods.synthesis.texture import Texture
from support import networks

every_kind = pytest.mark.parametrize("kind", networks.KINDS)


@pytest.fixture(scope="module")
def opened():
    models: dict[str, onnxray.Model] = {}

    def get(kind: str) -> onnxray.Model:
        if kind not in models:
            models[kind] = networks.KINDS[kind]()
        return models[kind]

    return get


def value_of(model: onnxray.Model, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
    """ONNX Runtime's."""
    (found,) = model.values(image[None], [name]).values()
    return found.astype(np.float64)


def image_of(item: SynthesisItem, model: onnxray.Model) -> NDArray[np.uint8]:
    image = item.images["image"]
    assert model.profile is not None
    assert image.shape == model.profile.shape
    assert image.dtype == np.uint8
    return image


@every_kind
def test_inversion_comes_nearer_to_the_representation(opened, kind: str) -> None:
    model, layer = opened(kind), networks.PLACES[kind]
    original = networks.picture(model)
    (item,) = Invert(layer=layer, steps=12)(model, original[None]).items
    wanted = value_of(model, original, layer)
    error = ((value_of(model, image_of(item, model), layer) - wanted) ** 2).sum() / (wanted**2).sum()
    assert item.numbers_["error"] == pytest.approx(error, rel=1e-3)
    assert error < -0.6 * item.trace["objective"][0]


@every_kind
@pytest.mark.parametrize(("preset", "options"), [("plain", {"rate": 8.0, "steps": 3}), ("lucid", {"steps": 12})])
def test_maximisation_raises_its_class(opened, kind: str, preset: str, options: dict) -> None:
    model = opened(kind)
    items = Maximize(preset=preset, **options)(model, None, ("class:1", "class:3")).items
    for item, target in zip(items, (1, 3)):
        after = value_of(model, image_of(item, model), "logits").ravel()[target]
        assert item.numbers_["activation"] == pytest.approx(after, rel=1e-4)
        assert after > item.trace["objective"][0] + 0.02


@every_kind
def test_dreams_and_caricatures_excite_the_layer(opened, kind: str) -> None:
    model, layer = opened(kind), networks.PLACES[kind]
    original = networks.picture(model)
    before = value_of(model, original, layer)
    (dream,) = DeepDream(layer=layer, octaves=2, steps=3, jitter=4)(model, original[None]).items
    assert (value_of(model, image_of(dream, model), layer) ** 2).sum() > 1.05 * (before**2).sum()
    (caricature,) = Caricature(layer=layer, weight=2000, steps=3)(model, original[None]).items
    seen = np.maximum(before, 0)
    after = value_of(model, image_of(caricature, model), layer)
    assert (seen * after).sum() > 1.01 * (seen * before).sum()


@every_kind
def test_style_and_texture_come_nearer_to_the_moments(opened, kind: str, tmp_path) -> None:
    from onnxray.images.pixels import png_bytes

    model, layer = opened(kind), networks.PLACES[kind]
    content, style = networks.picture(model), networks.picture(model, seed=3)
    path = tmp_path / "style.png"
    path.write_bytes(png_bytes(style))

    def moments(image: NDArray[np.uint8]) -> NDArray[np.float64]:
        value = value_of(model, image, layer)
        rows = value.reshape(-1, value.shape[-1]).T if kind == "NHWC" else value[0].reshape(value.shape[1], -1)
        return rows @ rows.T

    def apart(image: NDArray[np.uint8]) -> float:
        return float(((moments(image) - moments(style)) ** 2).sum() / (moments(style) ** 2).sum())

    (texture,) = Texture(layer=layer, optimizer="adam", steps=8)(model, style[None]).items
    assert texture.numbers_["relative error"] == pytest.approx(apart(image_of(texture, model)), rel=1e-3)
    assert apart(image_of(texture, model)) < -0.5 * texture.trace["objective"][0] / style.size
    options = {"style": str(path), "layer": layer, "content_layer": layer, "steps": 8, "optimizer": "adam"}
    (styled,) = StyleTransfer(**options)(model, content[None]).items
    assert apart(image_of(styled, model)) < 0.7 * apart(content)
