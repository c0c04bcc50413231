"""Files of image processors as models have them, each with what its reference makes of a picture, restated.

The steps are Pillow's and numpy's; tests/peers/test_preprocessing.py holds them against the libraries themselves.
A reference maps an RGB picture to an array (3, height, width) of float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import Any

import numpy as np
from PIL import Image

Reference = Callable[[Image.Image], np.ndarray]
NEAREST, LANCZOS, BILINEAR, BICUBIC = 0, 1, 2, 3
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALVES = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SHAPES = {"square": (300, 300), "wide": (233, 401), "tall": (350, 187), "odd": (271, 262), "small": (90, 101)}


def picture(shape: tuple[int, int]) -> Image.Image:
    """Edges, noise and gradients, so that half a pixel of shift shows."""
    rng = np.random.default_rng(sum(shape))
    array = rng.integers(0, 256, (*shape, 3)).astype(np.float64)
    array[:, : shape[1] // 3] = np.linspace(0, 255, shape[0])[:, None, None]
    array[shape[0] // 4 : shape[0] // 2, shape[1] // 3 : shape[1] // 2] = (250, 20, 90)
    return Image.fromarray(array.astype(np.uint8))


def stretched(image: Image.Image, height: int, width: int, code: int) -> Image.Image:
    return image.resize((width, height), Image.Resampling(code))


def shortest(image: Image.Image, side: int, code: int) -> Image.Image:
    short, long = sorted(image.size)
    longer = int(side * long / short)
    wide = image.width > image.height
    return stretched(image, side if wide else longer, longer if wide else side, code)


def cut(image: Image.Image, height: int, width: int) -> Image.Image:
    """The centre as transformers takes it: half a pixel goes down, what lies outside is black."""
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def centre(image: Image.Image, height: int, width: int, fill: Any = 0) -> Image.Image:
    """The centre as torchvision and timm take it: padded first, the smaller half before; half a pixel to the even."""
    wide, high = max(image.width, width), max(image.height, height)
    canvas = Image.new("RGB", (wide, high), fill)
    canvas.paste(image, ((wide - image.width) // 2, (high - image.height) // 2))
    left, top = round((wide - width) / 2), round((high - height) / 2)
    return canvas.crop((left, top, left + width, top + height))


def normal(image: Image.Image, statistics: Any = ((0.0,) * 3, (1.0,) * 3), factor: float = 1 / 255) -> np.ndarray:
    mean, std = (np.reshape(one, (3, 1, 1)) for one in statistics)
    return (np.asarray(image, np.float64).transpose(2, 0, 1) * factor - mean) / std


@dataclass(frozen=True)
class Form:
    """A preprocessor_config.json and its reference; library: the class of transformers that reads it."""

    name: str
    config: dict[str, Any]
    reference: Reference


def _form(name: str, config: dict[str, Any], reference: Reference) -> Form:
    kind = "feature_extractor_type" if name.endswith("FeatureExtractor") else "image_processor_type"
    return Form(name, {kind: name} | config, reference)


def _stretch(side: int, code: int, statistics: Any, **more: Any) -> Reference:
    return lambda image: normal(stretched(image, side, side, code), statistics, **more)


def _short_cut(side: int, part: int, code: int, statistics: Any, **more: Any) -> Reference:
    return lambda image: normal(cut(shortest(image, side, code), part, part), statistics, **more)


def _stretch_cut(side: int, part: int, code: int, statistics: Any) -> Reference:
    return lambda image: normal(cut(stretched(image, side, side, code), part, part), statistics)


def _flipped(reference: Reference) -> Reference:
    return lambda image: reference(image)[::-1]


def _stated(statistics: Any) -> dict[str, Any]:
    return {"do_normalize": True, "image_mean": list(statistics[0]), "image_std": list(statistics[1])}


_OLD = {"do_resize": True, "resample": BICUBIC}
_NONE = ((0.0,) * 3, (1.0,) * 3)
FORMS = [
    # older forms, as the Hub has them
    _form("ConvNextFeatureExtractor", _OLD | _stated(IMAGENET) | {"size": 224, "crop_pct": 0.875},
          _short_cut(256, 224, BICUBIC, IMAGENET)),
    _form("ConvNextFeatureExtractor", _OLD | _stated(IMAGENET) | {"size": 288, "crop_pct": 0.95},
          _short_cut(303, 288, BICUBIC, IMAGENET)),
    _form("ConvNextFeatureExtractor", _OLD | _stated(IMAGENET) | {"size": 384, "crop_pct": 0.875},
          _stretch(384, BICUBIC, IMAGENET)),
    _form("LevitFeatureExtractor", _OLD | _stated(IMAGENET) | {"size": 224, "do_center_crop": True},
          _short_cut(256, 224, BICUBIC, IMAGENET)),
    _form("PoolFormerFeatureExtractor", _OLD | _stated(IMAGENET) | {"size": 224, "crop_pct": 0.95},
          _short_cut(235, 224, BICUBIC, IMAGENET)),
    _form("DeiTFeatureExtractor", _OLD | _stated(IMAGENET) | {"size": 256, "crop_size": 224, "do_center_crop": True},
          _stretch_cut(256, 224, BICUBIC, IMAGENET)),
    _form("MobileViTFeatureExtractor",
          {"size": 288, "crop_size": 256, "do_center_crop": True, "do_flip_channel_order": True, "resample": BILINEAR},
          _flipped(_short_cut(288, 256, BILINEAR, _NONE))),
    _form("ViTFeatureExtractor", _stated(HALVES) | {"size": 224, "resample": BILINEAR}, _stretch(224, BILINEAR, HALVES)),
    _form("BeitFeatureExtractor", _OLD | _stated(HALVES) | {"size": 224, "crop_size": 224, "do_center_crop": False},
          _stretch(224, BICUBIC, HALVES)),
    _form("CLIPFeatureExtractor", _OLD | _stated(CLIP) | {"size": 224, "crop_size": 224, "do_center_crop": True},
          _short_cut(224, 224, BICUBIC, CLIP)),
    _form("SegformerFeatureExtractor", _stated(IMAGENET) | {"size": 512, "reduce_labels": True, "align": False},
          _stretch(512, BILINEAR, IMAGENET)),
    _form("DPTFeatureExtractor", _OLD | _stated(HALVES) | {"size": 384, "keep_aspect_ratio": False},
          _stretch(384, BICUBIC, HALVES)),
    # today's, and what a file may leave out
    _form("BeitImageProcessor", {"size": 256, "do_center_crop": True}, _stretch_cut(256, 224, BICUBIC, HALVES)),
    _form("BitImageProcessor", {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}},
          _short_cut(256, 224, BICUBIC, CLIP)),
    _form("BitImageProcessor", {"size": {"height": 448, "width": 448}, "crop_size": 448},
          _stretch(448, BICUBIC, CLIP)),
    _form("BlipImageProcessor", {}, _stretch(384, BICUBIC, CLIP)),
    _form("ChameleonImageProcessor", {},
          _short_cut(512, 512, LANCZOS, ((1.0,) * 3, (1.0,) * 3), factor=0.0078)),
    _form("ChineseCLIPImageProcessor", {"size": {"height": 224, "width": 224}}, _stretch(224, BICUBIC, CLIP)),
    _form("CLIPImageProcessor", {}, _short_cut(224, 224, BICUBIC, CLIP)),
    _form("CLIPImageProcessor", {"size": {"shortest_edge": 257}, "crop_size": 224, "resample": BILINEAR},
          _short_cut(257, 224, BILINEAR, CLIP)),
    _form("CLIPImageProcessor", {"size": {"shortest_edge": 240}, "crop_size": {"height": 200, "width": 232}},
          lambda image: normal(cut(shortest(image, 240, BICUBIC), 200, 232), CLIP)),
    _form("ConvNextImageProcessor", {"resample": BILINEAR}, _stretch(384, BILINEAR, HALVES)),
    _form("ConvNextImageProcessor", {"size": {"shortest_edge": 224}, "resample": BICUBIC},
          _short_cut(256, 224, BICUBIC, HALVES)),
    _form("DeiTImageProcessor", {}, _stretch_cut(256, 224, BICUBIC, HALVES)),
    _form("DeiTImageProcessor", {"do_center_crop": False, "size": {"height": 224, "width": 224}, "do_rescale": False},
          _stretch(224, BICUBIC, HALVES, factor=1.0)),
    _form("DPTImageProcessor", {"size": {"height": 390, "width": 370}, "ensure_multiple_of": 32},
          _stretch(384, BICUBIC, HALVES)),
    _form("EfficientNetImageProcessor", {"resample": NEAREST},
          lambda image: normal(stretched(image, 346, 346, NEAREST), HALVES) / 0.5),
    _form("EfficientNetImageProcessor",
          {"do_center_crop": True, "crop_size": 289, "rescale_offset": True, "rescale_factor": 1 / 127.5,
           "include_top": False, "resample": NEAREST},
          lambda image: (normal(cut(stretched(image, 346, 346, NEAREST), 289, 289), _NONE, 1 / 127.5) - 1 - 0.5) / 0.5),
    _form("EfficientNetImageProcessor", {"do_normalize": False, "resample": BICUBIC, "size": 224},
          lambda image: normal(stretched(image, 224, 224, BICUBIC)) / 0.5),
    _form("FlavaImageProcessor", {}, _stretch(224, BICUBIC, CLIP)),
    _form("Gemma3ImageProcessor", {"size": {"height": 448, "width": 448}}, _stretch(448, BILINEAR, HALVES)),
    _form("GotOcr2ImageProcessor", {}, _stretch(384, BICUBIC, CLIP)),
    _form("LayoutLMv3ImageProcessor", {"apply_ocr": False}, _stretch(224, BILINEAR, HALVES)),
    _form("LayoutLMv2ImageProcessor", {"apply_ocr": False}, _flipped(_stretch(224, BILINEAR, _NONE, factor=1.0))),
    _form("LevitImageProcessor", {}, _short_cut(256, 224, BICUBIC, IMAGENET)),
    _form("LevitImageProcessor", {"size": {"height": 230, "width": 224}, "crop_size": {"height": 224, "width": 192}},
          lambda image: normal(cut(stretched(image, 230, 224, BICUBIC), 224, 192), IMAGENET)),
    _form("LlavaImageProcessor", {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}},
          _short_cut(336, 336, BICUBIC, CLIP)),
    _form("MobileNetV1ImageProcessor", {}, _short_cut(256, 224, BILINEAR, HALVES)),
    _form("MobileNetV2ImageProcessor", {"size": {"shortest_edge": 192}, "crop_size": {"height": 160, "width": 160}},
          _short_cut(192, 160, BILINEAR, HALVES)),
    _form("MobileViTImageProcessor", {"resample": BILINEAR}, _flipped(_short_cut(224, 256, BILINEAR, _NONE))),
    _form("MobileViTImageProcessor",
          {"size": {"shortest_edge": 544}, "crop_size": {"height": 512, "width": 512}, "do_flip_channel_order": False,
           "resample": BILINEAR},
          _short_cut(544, 512, BILINEAR, _NONE)),
    _form("OwlViTImageProcessor", {"size": [512, 768], "resample": BICUBIC},
          lambda image: normal(stretched(image, 512, 768, BICUBIC), CLIP)),
    _form("PoolFormerImageProcessor", {}, _short_cut(248, 224, BICUBIC, IMAGENET)),
    _form("PoolFormerImageProcessor", {"size": {"height": 224, "width": 224}, "crop_pct": 1.0},
          _short_cut(224, 224, BICUBIC, IMAGENET)),
    _form("PoolFormerImageProcessor", {"size": {"height": 240, "width": 224}, "crop_pct": 0.9},
          lambda image: normal(cut(stretched(image, 266, 248, BICUBIC), 224, 224), IMAGENET)),
    _form("PoolFormerImageProcessor", {"size": {"shortest_edge": 230}, "crop_pct": None},
          _short_cut(230, 224, BICUBIC, IMAGENET)),
    _form("PromptDepthAnythingImageProcessor", {}, _stretch(384, BICUBIC, HALVES)),
    _form("PvtImageProcessor", {"resample": BILINEAR}, _stretch(224, BILINEAR, IMAGENET)),
    _form("RTDetrImageProcessor", {}, _stretch(640, BILINEAR, _NONE)),
    _form("RTDetrImageProcessor", {"do_normalize": True, "size": {"height": 320, "width": 320}},
          _stretch(320, BILINEAR, IMAGENET)),
    _form("SegformerImageProcessor", {"do_reduce_labels": True}, _stretch(512, BILINEAR, IMAGENET)),
    _form("SiglipImageProcessor", {}, _stretch(224, BICUBIC, HALVES)),
    _form("SuperPointImageProcessor", {}, lambda image: normal(stretched(image, 480, 640, BILINEAR))),
    _form("ViTImageProcessor", {}, _stretch(224, BILINEAR, HALVES)),
    _form("ViTImageProcessor", {"do_normalize": False, "image_mean": [0.1, 0.2, 0.3], "resample": LANCZOS},
          _stretch(224, LANCZOS, _NONE)),
    _form("ViTImageProcessor", {"image_mean": 0.3, "image_std": 0.2, "size": {"height": 200, "width": 240}},
          lambda image: normal(stretched(image, 200, 240, BILINEAR), ((0.3,) * 3, (0.2,) * 3))),
]  # fmt: skip


def _timm_ratio(image: Image.Image, target: tuple[int, int], longest: bool, code: int) -> Image.Image:
    ratios = image.height / target[0], image.width / target[1]
    ratio = max(ratios) if longest else min(ratios)
    return stretched(image, round(image.height / ratio), round(image.width / ratio), code)


def timm(size: tuple[int, int], fraction: float, mode: str, code: int, statistics: Any) -> Reference:
    """timm.data.transforms_imagenet_eval."""
    target = floor(size[0] / fraction), floor(size[1] / fraction)

    def reference(image: Image.Image) -> np.ndarray:
        if mode == "squash":
            placed = centre(stretched(image, *target, code), *size)
        elif mode == "border":
            fill = tuple(round(255 * one) for one in statistics[0])
            placed = centre(_timm_ratio(image, target, True, code), *size, fill)
        elif target[0] == target[1]:
            placed = centre(shortest(image, target[0], code), *size)
        else:
            placed = centre(_timm_ratio(image, target, False, code), *size)
        return normal(placed, statistics)

    return reference


_CARD = {"mean": list(IMAGENET[0]), "std": list(IMAGENET[1]), "input_size": [3, 224, 224]}
TIMM = [
    (card, timm(size, card.get("crop_pct", 0.875), card.get("crop_mode", "center"), code, IMAGENET))
    for card, size, code in [
        (_CARD | {"crop_pct": 0.95, "interpolation": "bicubic"}, (224, 224), BICUBIC),
        (_CARD | {"crop_pct": 0.9, "crop_mode": "squash", "interpolation": "bilinear"}, (224, 224), BILINEAR),
        (_CARD | {"crop_pct": 1.0, "crop_mode": "squash"}, (224, 224), BICUBIC),
        (_CARD | {"crop_pct": 0.95, "crop_mode": "border"}, (224, 224), BICUBIC),
        (_CARD | {"crop_pct": 1.0, "crop_mode": "border"}, (224, 224), BICUBIC),
        (_CARD | {"crop_pct": 0.965, "crop_mode": "center", "interpolation": "lanczos"}, (224, 224), LANCZOS),
        (_CARD | {"input_size": [3, 192, 256], "crop_pct": 0.875}, (192, 256), BICUBIC),
        (_CARD | {"input_size": [3, 255, 160], "crop_pct": 0.9, "crop_mode": "squash"}, (255, 160), BICUBIC),
        (_CARD | {"input_size": [3, 160, 256], "crop_pct": 0.9, "crop_mode": "border"}, (160, 256), BICUBIC),
        (_CARD | {"crop_pct": 1.1}, (224, 224), BICUBIC),
        (_CARD, (224, 224), BICUBIC),
    ]
]


def caffe_classify(image: Image.Image, side: int) -> np.ndarray:
    """classify.py: stretched to 256x256, the centre from int(128 - side / 2) on, BGR less the channels' means."""
    first = int(128 - side / 2)
    part = np.asarray(stretched(image, 256, 256, BILINEAR), np.float64)[first : first + side, first : first + side]
    return (part[:, :, ::-1] - (104, 117, 123)).transpose(2, 0, 1)


def keras_applications(image: Image.Image, side: int) -> np.ndarray:
    """keras.utils.load_img(path, target_size=(side, side)), img_to_array, preprocess_input of mode 'tf'; NHWC."""
    return np.asarray(stretched(image, side, side, NEAREST), np.float64) / 127.5 - 1
