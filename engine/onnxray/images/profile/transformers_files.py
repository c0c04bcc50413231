"""preprocessor_config.json of transformers as a profile: the picture as its image processor would hand it on.

    input = (rescale_factor * pixels - image_mean) / image_std, after the class's own way to the size

What a file leaves out is what its class does then (transformers_classes.py). A class that no profile can follow, and a
size that depends on the picture, are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from onnxray.errors import ProfileError
from onnxray.errors.short_values import short
from onnxray.images.profile.families import ImageInput, averaged, free_size
from onnxray.images.profile.file_values import name_of, numbers, sides
from onnxray.images.profile.profile import Interpolation, Profile, Resize
from onnxray.images.profile.transformers_classes import PROCESSORS, REFUSED, Processor, class_name

_PIL_CODES: Final[tuple[Interpolation, ...]] = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
_SMALLEST_FRACTION: Final = 0.01
_SQUASHED_FROM: Final = 384
"""ConvNeXt's own: pictures for inputs of this side are stretched, those for smaller ones cut."""


@dataclass(frozen=True, slots=True)
class _Geometry:
    """How pictures come to the size; see Profile."""

    size: tuple[int, int]
    resize: Resize
    resized: tuple[int, int] | None = None
    crop_fraction: float = 1.0
    cut: bool = False


def transformers_profile(
    config: Mapping[str, Any],
    origin: str,
    found: ImageInput,
    *,
    model_type: object = None,
    labels: tuple[str, ...] | None = None,
) -> Profile:
    """Return the profile that the file of an image processor states. Errors: ProfileError."""
    name = class_name(config, model_type) or ""
    if name in REFUSED:
        _refuse(origin, f"{name} {REFUSED[name]}")
    processor = PROCESSORS.get(name)
    if processor is None:
        geometry, why = _unnamed_geometry(config, origin, found)
        if name:
            why += (f"the steps of {short(name)} are not known here, so what the file states is all that is done",)
        elif "resample" not in config:
            why += ("resample: bilinear, the file names neither it nor a class",)
    else:
        for key in processor.never.split():
            if config.get(key):
                _refuse(origin, f"{name} with {key} {short(config[key])} does what no profile can say")
        silent = [key for key in processor.unsettled.split() if config.get(key) is None]
        why = tuple(f"{key}: the file is silent; taken as in transformers 5, transformers 4 differs" for key in silent)
        geometry = _geometry(processor, name, config, origin)
    assumed = bool(why)
    if _divides_twice(processor, config):
        why += ("std is squared: include_top divides by it twice",)
    scale, mean, std = _formula(processor, config, origin)
    if found.channels == 1 and len(mean) == len(std) == 3:
        if len(set(mean)) > 1 or len(set(std)) > 1:
            why += ("grey: the model has one channel, so mean and std are averaged",)
        mean, std = averaged(mean), averaged(std)
    code = config.get("resample", 2 if processor is None else processor.resample)
    code = 2 if code is None else code
    if type(code) is not int or not 0 <= code < len(_PIL_CODES):
        raise ProfileError(f"{origin}: resample is {short(code)}; expected Pillow's code, 0 to 5")
    return Profile(
        name=name_of(config.get("image_processor_type") or config.get("feature_extractor_type"), "transformers"),
        layout=found.layout or "NCHW",
        channels="GREY" if found.channels == 1 else "BGR" if _flips(processor, config) else "RGB",
        scale=scale,
        mean=mean,
        std=std,
        size=geometry.size,
        resize=geometry.resize,
        interpolation=_PIL_CODES[code],
        crop_fraction=geometry.crop_fraction,
        resized=geometry.resized,
        crop_offset="floor" if geometry.cut else "round",
        fill=0.0 if geometry.cut else None,  # what is smaller than the cut is surrounded with black
        labels=labels,
        source=origin,
        assumed=assumed,
        reasons=(*found.reasons, *why),
    )


def _refuse(origin: str, what: str) -> NoReturn:
    raise ProfileError(
        f"{origin}: {what}; name the profile yourself (--profile), or write one beside the model, MODEL.toml"
    )


def _flips(processor: Processor | None, config: Mapping[str, Any]) -> bool:
    if processor is not None and processor.flips is None:
        return False
    return bool(config.get("do_flip_channel_order", processor is not None and processor.flips))


def _formula(
    processor: Processor | None, config: Mapping[str, Any], origin: str
) -> tuple[Any, tuple[float, ...], tuple[float, ...]]:
    """Return scale, mean and std; the scale as the file has it, for the Profile to check."""
    rescales = config.get("do_rescale", True) and (processor is None or processor.rescales)
    factor = config.get("rescale_factor")
    if factor is None:
        factor = 1 / 255 if processor is None else processor.factor
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    deviation = std
    normalizes = config.get("do_normalize", "image_mean" in config if processor is None else processor.normalizes)
    if normalizes if processor is None else processor.statistics is not None:
        usual = None if processor is None else processor.statistics
        average = _statistic(config, "image_mean", usual and usual[0], origin)
        deviation = _statistic(config, "image_std", usual and usual[1], origin)
        if normalizes:
            mean, std = average, deviation
    if processor is None or processor.efficient:
        if rescales and config.get("rescale_offset"):  # rescaled to -1..1
            mean = tuple(one + 1 for one in mean)
        if _divides_twice(processor, config):
            std = tuple(one * other for one, other in zip(std, deviation))
    return factor if rescales else 1.0, mean, std


def _divides_twice(processor: Processor | None, config: Mapping[str, Any]) -> bool:
    """EfficientNet's own: the deviation divides once more."""
    return (processor is None or processor.efficient) and bool(config.get("include_top", processor is not None))


def _statistic(config: Mapping[str, Any], key: str, usual: tuple[float, ...] | None, origin: str) -> tuple[float, ...]:
    value = config.get(key)
    if value is None and usual is not None:
        return usual
    return numbers([value] * 3 if type(value) in (int, float) else value, key, origin)


def _geometry(processor: Processor, name: str, config: Mapping[str, Any], origin: str) -> _Geometry:
    if not config.get("do_resize", True):
        _refuse(origin, f"do_resize is {short(config['do_resize'])}, so that the inputs of {name} have no one size")
    edge, box = _size(config, processor, origin)
    if edge is not None and not processor.keeps_aspect:
        _refuse(origin, f"size is {short(config['size'])}, {name} takes height and width")
    fraction = config.get("crop_pct", {"convnext": 0.875, "poolformer": 0.9}.get(processor.steps))
    if processor.steps == "convnext":
        if edge is None:
            _refuse(origin, f"size is {short(config['size'])}, {name} takes shortest_edge")
        if edge >= _SQUASHED_FROM:
            return _Geometry((edge, edge), "stretch")
        return _covering(_reduced(edge, 0.875 if fraction is None else fraction, origin), (edge, edge))
    if processor.steps == "levit" and edge is not None:
        edge = int(256 / 224 * edge)
    if processor.steps == "poolformer" and fraction is not None:
        if box is not None and box[0] != box[1]:
            box = _reduced(box[0], fraction, origin), _reduced(box[1], fraction, origin)
        else:
            edge, box = _reduced(box[0] if box else edge or 0, fraction, origin), None
    cuts = processor.crop and config.get("do_center_crop", processor.crops)
    crop = config.get("crop_size")
    part = sides(processor.crop if crop is None else crop, "crop_size", origin) if cuts else None
    if box is not None:
        multiple = config.get("ensure_multiple_of") if "keep_aspect_ratio" in processor.never.split() else None
        if type(multiple) is int and multiple > 1:
            box = round(box[0] / multiple) * multiple, round(box[1] / multiple) * multiple
        return _Geometry(box, "stretch") if part is None else _Geometry(part, "stretch", box, cut=True)
    if part is None:
        _refuse(
            origin,
            f"{name} without do_center_crop keeps the aspect of each picture, so that its inputs have no one size",
        )
    return _covering(edge or 0, part)


def _size(config: Mapping[str, Any], processor: Processor, origin: str) -> tuple[int | None, tuple[int, int] | None]:
    """Return the shorter side, or else (height, width)."""
    size = config.get("size")
    size = processor.side if size is None else size
    if isinstance(size, Mapping) and size.keys() == {"shortest_edge"}:
        size, keeps = size["shortest_edge"], True
        if type(size) is not int:
            raise ProfileError(f"{origin}: size is {short(config['size'])}; expected a whole number of pixels")
    else:
        keeps = processor.keeps_aspect
    if isinstance(size, Mapping) and not {"height", "width"} <= size.keys() and size:
        _refuse(origin, f"size is {short(size)}, which depends on the picture")
    if keeps and type(size) is int:
        return sides(size, "size", origin)[0], None
    return None, sides(size, "size", origin)


def _reduced(side: int, fraction: object, origin: str) -> int:
    """side / fraction, rounded down."""
    if type(fraction) not in (int, float) or not _SMALLEST_FRACTION <= fraction <= 1 / _SMALLEST_FRACTION:  # type: ignore[operator]
        raise ProfileError(f"{origin}: crop_pct is {short(fraction)}; expected a number, such as 0.875")
    return int(side / fraction)  # type: ignore[operator]


def _covering(edge: int, part: tuple[int, int]) -> _Geometry:
    """The shorter side to ``edge``, then the centre: as a fraction where one says the same."""
    if part[0] == part[1] <= edge:
        return _Geometry(part, "crop", None, part[0] / edge, cut=True)
    return _Geometry(part, "crop", (edge, edge), cut=True)


def _unnamed_geometry(config: Mapping[str, Any], origin: str, found: ImageInput) -> tuple[_Geometry, tuple[str, ...]]:
    """What a file says by itself; reasons say what had to be supposed."""
    size = config.get("size")
    edge = size.get("shortest_edge") if isinstance(size, Mapping) else size
    if config.get("do_center_crop") is True and config.get("crop_size") is not None:
        part = sides(config["crop_size"], "crop_size", origin)
        if isinstance(edge, int) and edge > 0:
            return _covering(edge, part), () if isinstance(size, Mapping) else (
                f"size {short(size)}: of the shorter side",
            )
        if isinstance(size, Mapping) and "height" in size:
            return _Geometry(part, "stretch", sides(size, "size", origin), cut=True), ()
        return _Geometry(part, "crop", cut=True), (
            "size: the file names none, so the shorter side is that of the crop",
        )
    if isinstance(size, Mapping) and edge is not None:
        if type(edge) is not int or edge < 1:
            raise ProfileError(f"{origin}: size is {short(size)}; expected a whole number of pixels")
        if isinstance(config.get("crop_pct"), float):
            if edge >= _SQUASHED_FROM:
                return _Geometry((edge, edge), "stretch"), ()
            return _covering(_reduced(edge, config["crop_pct"], origin), (edge, edge)), ()
        free, why = free_size(found, (edge, edge))
        return _Geometry(free, "crop"), (*why, "crop: the processor keeps the aspect and a model's input has one size")
    if size is None or (isinstance(size, Mapping) and "height" not in size):
        free, why = free_size(found, (224, 224))
        return _Geometry(free, "stretch"), (*why, f"stretched: size is {short(size)}")
    return _Geometry(sides(size, "size", origin), "stretch"), ()
