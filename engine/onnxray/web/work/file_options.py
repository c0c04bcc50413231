"""Options of methods that name files: the page states these by ids of what it was given, and never in words.

style                 a picture                    --style dropped-3.png
direction             an array, and a value        --direction pca.npy@fc6
held_out              folders, pictures, or a share of the pictures (0.2), the one thing that is stated in words
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from onnxray.errors import InputError
from onnxray.errors.short_values import short

Kind = Literal["picture", "array", "folder", "model"]

PICTURES: Final[tuple[Kind, ...]] = ("picture", "folder")
SAMPLES: Final[tuple[Kind, ...]] = ("picture", "array", "folder")


@dataclass(frozen=True)
class FileOption:
    """What an option takes. beside: what is stated in words with it: a share in place of files, a value of an array.

    needed: the method does nothing without it.
    """

    accepts: tuple[Kind, ...]
    beside: Literal["", "share", "value"] = ""
    needed: bool = False


FILE_OPTIONS: Final[Mapping[str, FileOption]] = MappingProxyType({
    "background_samples": FileOption(SAMPLES), "direction": FileOption(("array",), "value"),
    "encoder": FileOption(("model",)), "from_": FileOption(("model",), needed=True),
    "generator": FileOption(("model",)), "guide": FileOption(("picture",)),
    "held_out": FileOption(SAMPLES, "share"), "learned": FileOption(("model",)),
    "models": FileOption(("model",), needed=True), "neighbours": FileOption(PICTURES),
    "perturbation": FileOption(("array",), needed=True), "start": FileOption(("picture", "array")),
    "style": FileOption(("picture",), needed=True), "target_values": FileOption(("array",)),
    "train": FileOption(SAMPLES, needed=True), "values": FileOption(("array",)),
})  # fmt: skip
"""By their names, which are the same in every method."""
CHOSEN_PROFILES: Final = frozenset({"encoder_profile", "from_profile"})
"""Options that name a profile, or a file of one: profiles that come with onnxray are offered."""
SETTINGS: Final = frozenset({"setting"})
"""OPTION=VALUE of another method, which may name a file as well."""


def stated_files(name: str, kinds: Sequence[str], paths: Sequence[str], text: str) -> list[str]:
    """An option's texts as they are typed. kinds, paths: of the files; text: what stands beside them in words.

    Errors: InputError for files of another kind, and for words that are none of what may stand there.
    """
    option = FILE_OPTIONS[name]
    for kind in kinds:
        if kind not in option.accepts:
            raise InputError(f"{shown(name)} takes {_listed(option.accepts)}, and this is a {kind}")
    if not text:
        return list(paths)
    if option.beside == "share" and not paths:
        return [_share(name, text)]
    if option.beside == "value" and paths:
        return [f"{path}@{text}" for path in paths]
    raise InputError(f"{shown(name)} is {short(text)}; the page names files by choosing them")


def check_settings(texts: Sequence[str]) -> None:
    """Refuse an option of another method that names a file. Errors: InputError."""
    for text in texts:
        name = text.partition("=")[0].strip().replace("-", "_")
        if {name, f"{name}_"} & {*FILE_OPTIONS, *CHOSEN_PROFILES, *SETTINGS}:
            raise InputError(f"{short(text)} may name a file, which the page does not take in words")


def described_as(name: str) -> dict[str, Any]:
    """What the page is told of it."""
    option = FILE_OPTIONS[name]
    return {"accepts": list(option.accepts), "beside": option.beside, "needed": option.needed}


def shown(name: str) -> str:
    """An option as it is called."""
    return name.rstrip("_").replace("_", " ")


def _share(name: str, text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 < number < 1:
        raise InputError(f"{shown(name)} is {short(text)}; a share between 0 and 1 was expected, or files")
    return text


def _listed(kinds: Sequence[str]) -> str:
    return " or ".join(f"{kind}s" for kind in kinds)
