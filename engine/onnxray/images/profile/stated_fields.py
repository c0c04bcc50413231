"""Fields of a profile that are stated for one try, over whatever profile was found.

--size 224x320  --resize pad  --channels BGR  --mean 104,117,123  --std 1  --scale 1/255
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from onnxray.errors import ProfileError
from onnxray.errors.short_values import short
from onnxray.images.profile.profile import Profile

FIELDS: Final = ("size", "resize", "channels", "mean", "std", "scale")
_NUMBERS: Final = frozenset({"scale", "mean", "std"})


def with_fields(profile: Profile, fields: Mapping[str, Any]) -> Profile:
    """The profile with other fields; one number of mean or std serves all channels. It says which were stated.

    It is no longer assumed where scale, mean and std were all stated. Errors: ProfileError.
    """
    channels = fields.get("channels", profile.channels)
    count = 1 if channels == "GREY" else 3
    given = {key: _of_channels(value, count) if key in {"mean", "std"} else value for key, value in fields.items()}
    for key in ("mean", "std"):
        own = profile.mean if key == "mean" else profile.std
        if key not in given and isinstance(own, tuple) and len(own) != count and len(set(own)) == 1:
            given[key] = own[:1] * count
    if {"size", "resize"} & fields.keys():
        given.setdefault("resized", None)  # what was resized to before belongs to the size and the rule before
    said = f"stated: {', '.join(fields)}"
    try:
        return dataclasses.replace(
            profile, **given, source=f"{profile.source}; {said}", reasons=(*profile.reasons, said),
            assumed=profile.assumed and not fields.keys() >= _NUMBERS,
        )  # fmt: skip
    except TypeError as error:
        raise ProfileError(f"the input is no picture as it is stated: {error}") from None


def read_fields(texts: Mapping[str, str | None]) -> dict[str, Any]:
    """Fields as they stand on a command line; what is None is not stated. Errors: ProfileError."""
    found: dict[str, Any] = {}
    for key, text in texts.items():
        if text is None:
            continue
        if key == "size":
            found[key] = read_size(text)
        elif key == "scale":
            found[key] = _number(key, text)
        elif key in _NUMBERS:
            found[key] = tuple(_number(key, part) for part in text.split(","))
        else:
            found[key] = text.upper() if key == "channels" else text
    return found


def _of_channels(value: Any, count: int) -> Any:
    values = (value,) if isinstance(value, int | float) and not isinstance(value, bool) else value
    return tuple(values) * count if isinstance(values, tuple | list) and len(values) == 1 else values


def read_size(text: str) -> tuple[int, int]:
    """Height and width, as ``224x320`` or one number for both. Errors: ProfileError."""
    parts = text.lower().replace("×", "x").split("x")
    if not 1 <= len(parts) <= 2 or not all(part.isdecimal() and len(part) < 6 for part in parts):
        raise ProfileError(f"--size is {short(text)}; HEIGHTxWIDTH, or one number for both, was expected")
    return int(parts[0]), int(parts[-1])


def _number(key: str, text: str) -> float:
    """A number, or a share such as 1/255."""
    above, slash, below = text.partition("/")
    try:
        return float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        raise ProfileError(f"--{key} is {short(text)}; a number such as 0.5 or 1/255 was expected") from None
