"""image_converter.json of KerasHub as a profile: the picture as its ImageConverter would hand it on.

    input = scale * pixels + offset, each one number or one a channel, after the way to image_size

The way: crop_to_aspect_ratio cuts the largest window of the size's aspect out of the middle and resizes it,
pad_to_aspect_ratio fits the picture in on black, neither stretches. preprocessor.json holds the same under
image_converter.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from onnxray.errors import ProfileError
from onnxray.errors.short_values import short
from onnxray.images.profile.families import ImageInput, averaged, free_size
from onnxray.images.profile.file_values import name_of, numbers, sides
from onnxray.images.profile.profile import Interpolation, Profile, Resize

FILES: Final = ("image_converter.json", "preprocessor.json")
_PLAIN: Final = frozenset({"ImageConverter", "ResNetImageConverter", "DeepLabV3ImageConverter"})
"""Classes that do what the file states and nothing else, as their documentation says."""
_INTERPOLATIONS: Final[Mapping[str, Interpolation]] = MappingProxyType(
    {"bilinear": "bilinear", "nearest": "nearest", "bicubic": "bicubic", "lanczos3": "lanczos"}
)


def keras_profile(document: Mapping[str, Any], origin: str, found: ImageInput) -> Profile | None:
    """Return the profile that a file states; None where it holds no image converter. Errors: ProfileError."""
    inner = document.get("config")
    if isinstance(inner, dict) and isinstance(inner.get("image_converter"), dict):
        document = inner["image_converter"]
        inner = document.get("config")
    name = document.get("class_name")
    if not isinstance(name, str) or not name.endswith("ImageConverter") or not isinstance(inner, dict):
        return None
    reasons = found.reasons
    if name not in _PLAIN:
        reasons += (f"what else {short(name)} may do is not known here, so what the file states is all that is done",)
    if inner.get("image_size") is None:
        size, why = free_size(found, (224, 224))
        reasons += why
    else:
        size = sides(inner["image_size"], "image_size", origin)
    count = 1 if found.channels == 1 else 3
    scales, offsets = (_of_channels(inner, key, count, origin) for key in ("scale", "offset"))
    if 0.0 in scales:
        raise ProfileError(f"{origin}: scale is {short(inner['scale'])}; numbers other than 0 were expected")
    one = len(set(scales)) == 1
    interpolation = inner.get("interpolation", "bilinear")
    if not isinstance(interpolation, str) or interpolation not in _INTERPOLATIONS:
        raise ProfileError(
            f"{origin}: interpolation is {short(interpolation)}; expected one of {', '.join(_INTERPOLATIONS)}"
        )
    rule: Resize = "crop" if inner.get("crop_to_aspect_ratio", True) else "stretch"
    return Profile(
        name=name_of(name, "keras"),
        layout=found.layout or "NHWC",
        channels="GREY" if count == 1 else "RGB",
        scale=scales[0] if one else 1.0,
        mean=tuple(-offset / (1.0 if one else scale) for scale, offset in zip(scales, offsets)),
        std=tuple(1.0 if one else 1.0 / scale for scale in scales),
        size=size,
        resize="pad" if inner.get("pad_to_aspect_ratio") else rule,
        interpolation=_INTERPOLATIONS[interpolation],
        crop_fraction=1.0,
        fill=0.0 if inner.get("pad_to_aspect_ratio") else None,
        source=origin,
        assumed=name not in _PLAIN,
        reasons=reasons,
    )


def _of_channels(config: Mapping[str, Any], key: str, count: int, origin: str) -> tuple[float, ...]:
    """One number a channel; what is left out changes nothing. Errors: ProfileError."""
    value = config.get(key)
    if value is None:
        return (1.0 if key == "scale" else 0.0,) * count
    given = numbers([value] if isinstance(value, int | float) else value, key, origin)
    if len(given) == 3 and count == 1:
        given = averaged(given)
    if len(given) not in (1, count):
        raise ProfileError(f"{origin}: {key} is {short(value)}; one number or {count} were expected")
    return given * count if len(given) == 1 else given
