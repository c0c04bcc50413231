"""Preprocessing and class names out of the JSON files that timm and transformers put beside their models.

timm           config.json               x/255, then mean and std of pretrained_cfg
transformers   preprocessor_config.json  rescale_factor * x, then image_mean and image_std; config.json: id2label
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from onnxray.errors import ProfileError
from onnxray.errors.short_values import short
from onnxray.images.profile.class_names import labels_of
from onnxray.images.profile.families import ImageInput, averaged, free_size
from onnxray.images.profile.profile import MAX_SIDE, Interpolation, Profile, Resize
from onnxray.images.profile.side_text import parse_json
from onnxray.images.profile.toml_form import read_side_text

_PIL_CODES: Final[tuple[Interpolation, ...]] = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
_TIMM_RULES: Final[Mapping[str, Resize]] = {"center": "crop", "squash": "stretch", "border": "pad"}


def configured(path: Path, found: ImageInput) -> Profile | None:
    """Return the profile that the JSON files beside a model state; None where they say nothing of preprocessing.

    The folder above is looked into as well where the model lies in one called ``onnx``, as optimum writes it.
    Errors: ProfileError naming the file that is no JSON, or whose values make no profile.
    """
    folders = [path.parent, *([path.parent.parent] if path.parent.name == "onnx" else [])]
    for folder in folders:
        processor = _read(folder / "preprocessor_config.json")
        config = _read(folder / "config.json")
        if _is_transformers(processor):
            return _transformers(processor, "preprocessor_config.json", labels_of(config.get("id2label")), found)
        card = config.get("pretrained_cfg", config)
        if isinstance(card, dict) and {"mean", "std"} <= card.keys() and {"input_size", "crop_pct"} & card.keys():
            return _timm(card, config, found)
        if _is_transformers(config):
            return _transformers(config, "config.json", labels_of(config.get("id2label")), found)
    return None


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    text = read_side_text(path)
    try:
        value = parse_json(text)
    except ValueError as error:
        raise ProfileError(f"{path}: is no JSON ({error}); name the profile yourself to pass it over") from error
    return value if isinstance(value, dict) else {}


def _is_transformers(config: Mapping[str, Any]) -> bool:
    return bool({"image_mean", "do_normalize", "do_rescale", "rescale_factor"} & config.keys())


def _sides(value: object, key: str, origin: str) -> tuple[int, int]:
    """Return (height, width) from one number, a pair, or a mapping of height and width."""
    pair = (value.get("height"), value.get("width")) if isinstance(value, Mapping) else value
    if isinstance(pair, int):
        pair = (pair, pair)
    if (
        not isinstance(pair, list | tuple)
        or len(pair) != 2
        or not all(type(n) is int and 0 < n <= MAX_SIDE for n in pair)
    ):
        raise ProfileError(f"{origin}: {key} is {short(value)}; expected height and width, 1 to {MAX_SIDE} each")
    return pair[0], pair[1]


def _timm(card: dict[str, Any], config: dict[str, Any], found: ImageInput) -> Profile:
    origin, reasons = "config.json", found.reasons
    shape = card.get("input_size")
    if shape is None:
        count = found.channels or 3
        size, why = free_size(found, (224, 224))
        reasons += why
    elif isinstance(shape, list) and len(shape) == 3 and shape[0] in (1, 3):
        count, size = shape[0], _sides(shape[1:], "input_size", origin)
    else:
        raise ProfileError(f"{origin}: input_size is {short(shape)}; expected [channels, height, width]")
    mode = card.get("crop_mode") or "center"
    interpolation: Any = card.get("interpolation") or "bilinear"
    if mode not in tuple(_TIMM_RULES):
        raise ProfileError(f"{origin}: crop_mode is {short(mode)}; expected one of {', '.join(_TIMM_RULES)}")
    fraction = card.get("crop_pct") or 0.875
    if mode != "center" and fraction != 1:
        reasons += (f"crop_pct {short(fraction)} is left out: the whole picture is shown under crop_mode {mode!r}",)
    mean, std = _numbers(card["mean"], "mean", origin), _numbers(card["std"], "std", origin)
    if count == 1 and (len(mean), len(std)) == (3, 3):
        mean, std = averaged(mean), averaged(std)
        reasons += ("grey: the model has one channel, so mean and std are averaged",)
    names = labels_of(config.get("label_names")) or labels_of(card.get("label_names"))
    told = config.get("label_descriptions") or card.get("label_descriptions")
    if names and isinstance(told, dict):
        names = tuple(text if isinstance(text := told.get(name), str) else name for name in names)
    return Profile(
        name=_name(config.get("architecture") or card.get("architecture"), "timm"),
        layout=found.layout or "NCHW",
        channels="GREY" if count == 1 else "RGB",
        scale=1 / 255,
        mean=mean,
        std=std,
        size=size,
        resize=_TIMM_RULES[mode],
        interpolation="bilinear" if interpolation == "random" else interpolation,
        crop_fraction=fraction,
        labels=names or labels_of(config.get("id2label")),
        source=origin,
        reasons=reasons,
    )


def _name(value: object, otherwise: str) -> str:
    return value if isinstance(value, str) and value else otherwise


def _numbers(value: object, key: str, origin: str) -> tuple[float, ...]:
    """Return a list of numbers; how many there must be, the Profile says."""
    try:
        if isinstance(value, list) and value and all(type(one) in (int, float) for one in value):
            return tuple(float(one) for one in value)
    except OverflowError:
        pass
    raise ProfileError(f"{origin}: {key} is {short(value)}; expected a list of numbers")


def _transformers(config: dict[str, Any], origin: str, labels: tuple[str, ...] | None, found: ImageInput) -> Profile:
    grey = found.channels == 1
    count = 1 if grey else 3
    size, rule, fraction, why = _transformers_size(config, origin, found)
    scale = config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0
    mean, std = (0.0,) * count, (1.0,) * count
    if config.get("do_normalize", "image_mean" in config):
        mean, std = (_numbers(config.get(key), key, origin) for key in ("image_mean", "image_std"))
        if grey and len(mean) == len(std) == 3:
            mean, std = averaged(mean), averaged(std)
            why += ("grey: the model has one channel, so mean and std are averaged",)
    # EfficientNet's own: rescaled to -1..1 by an offset, and divided by std a second time.
    if config.get("rescale_offset") is True:
        mean = tuple(one + 1 for one in mean)
    if config.get("include_top") is True:
        std = tuple(one * one for one in std)
        why += ("std is squared: include_top divides by it twice",)
    resample = config.get("resample", 2)
    if type(resample) is not int or not 0 <= resample < len(_PIL_CODES):
        raise ProfileError(f"{origin}: resample is {short(resample)}; expected Pillow's code, 0 to 5")
    return Profile(
        name=_name(config.get("image_processor_type") or config.get("feature_extractor_type"), "transformers"),
        layout=found.layout or "NCHW",
        channels="GREY" if grey else "BGR" if config.get("do_flip_channel_order") is True else "RGB",
        scale=scale,
        mean=mean,
        std=std,
        size=size,
        resize=rule,
        interpolation=_PIL_CODES[resample],
        crop_fraction=fraction,
        labels=labels,
        source=origin,
        reasons=(*found.reasons, *why),
    )


def _transformers_size(
    config: dict[str, Any], origin: str, found: ImageInput
) -> tuple[tuple[int, int], Resize, float, tuple[str, ...]]:
    """Return size, rule, crop_fraction and reasons."""
    size = config.get("size")
    edge = size.get("shortest_edge") if isinstance(size, Mapping) else size
    if config.get("do_center_crop") is True and config.get("crop_size") is not None:
        crop = _sides(config["crop_size"], "crop_size", origin)
        if isinstance(edge, int) and edge > 0:
            # Some crop more than they resize to and fill up with black; nothing is cut then.
            return crop, "crop", min(1.0, min(crop) / edge), ()
        if isinstance(size, Mapping) and "height" in size:
            fraction = min(1.0, crop[0] / _sides(size, "size", origin)[0])
            return crop, "crop", fraction, ("crop: the aspect is kept where the processor stretches before it crops",)
        return crop, "crop", 1.0, ()
    if isinstance(size, Mapping) and edge is not None:
        if type(edge) is not int or edge < 1:
            raise ProfileError(f"{origin}: size is {short(size)}; expected a whole number of pixels")
        # ConvNeXt's own: below 384 a centre crop of crop_pct, from there on stretched.
        if isinstance(config.get("crop_pct"), float):
            return ((edge, edge), "crop", config["crop_pct"], ()) if edge < 384 else ((edge, edge), "stretch", 1.0, ())
        free, why = free_size(found, (edge, edge))
        return free, "crop", 1.0, (*why, "crop: the processor keeps the aspect and a model's input has one size")
    if size is None or (isinstance(size, Mapping) and "height" not in size):
        free, why = free_size(found, (224, 224))
        return free, "stretch", 1.0, why
    return _sides(size, "size", origin), "stretch", 1.0, ()
