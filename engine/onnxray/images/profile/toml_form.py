"""A profile as TOML, and the side files a TOML may name: read and written, nothing else.

    name = "my net"                 layout = "NCHW"         channels = "BGR"        size = [224, 224]
    scale = 1.0                     mean = [104, 117, 123]  std = [1, 1, 1]
    # these may be left out
    resize = "crop"                 interpolation = "bilinear"                      crop_fraction = 0.875
    resized = [256, 256]            crop_offset = "floor"   fill = 114
    range = [0, 255]                labels = "synset.txt"   logits = "prob_in"      features = "pool5"

    [head]
    output = "scores"               kind = "multi-label"    threshold = 0.4         labels = ["no", "yes"]

Tables [inputs.NAME] beside it say what a model's inputs are read as (model/inputs/stated.py); they and [head] may stand
alone, for a model that takes no picture. mean may name a .npy file of shape (C, H, W) and labels a file of class names,
both in the TOML's folder; or labels a well-known list (label_files.py).
"""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path
from typing import Any, Final

import numpy as np

from onnxray.errors import InputError, ProfileError
from onnxray.errors.near_misses import did_you_mean
from onnxray.errors.short_values import short
from onnxray.errors.shown_text import terminal, toml_string
from onnxray.graph.outputs.stated import StatedOutput
from onnxray.images.profile.label_files import LABEL_LISTS, labels_in, listed_labels
from onnxray.images.profile.mean_image import MeanImage
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.side_text import parse_toml

NEEDED: Final = ("name", "layout", "channels", "scale", "mean", "std", "size")
OPTIONAL: Final = (
    "resize", "interpolation", "crop_fraction", "resized", "crop_offset", "fill", "range", "labels", "logits",
    "features",
)  # fmt: skip
HEAD: Final = ("output", "kind", "threshold", "labels")
_BESIDE: Final = frozenset({"inputs", "head"})
MAX_SIDE_FILE: Final = 8 * 2**20
_MAX_HEADER: Final = 10_000
_HEADER: Final = re.compile(
    r"""\{\s*+(?=[^}]*'descr':\s*+'([<>|=]?[a-zA-Z][0-9]{0,3})')(?=[^}]*'fortran_order':\s*+(True|False))"""
    r"""(?=[^}]*'shape':\s*+\(((?:[0-9]{1,18}+L?(?:,\s*+|(?=\)))){0,32})\))[^}]*\}\s*+"""
)


def read_side_file(path: Path) -> bytes:
    """Return the bytes of a small file beside a model. Errors: ProfileError if unreadable or above 8 MiB."""
    try:
        # A pipe or a device would block for ever, or never end.
        if not path.is_file():
            raise ProfileError(f"{path}: no such file")
        with path.open("rb") as stream:
            data = stream.read(MAX_SIDE_FILE + 1)
    except (OSError, ValueError) as error:
        raise ProfileError(f"{path}: cannot be read ({error})") from error
    if len(data) > MAX_SIDE_FILE:
        raise ProfileError(f"{path}: larger than {MAX_SIDE_FILE >> 20} MiB; expected a small file beside the model")
    return data


def read_side_text(path: Path) -> str:
    """Return a small UTF-8 file as text. Errors: ProfileError."""
    try:
        return read_side_file(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error


def read_profile(source: str | Path, origin: str = "TOML text") -> Profile:
    """Read a profile from a TOML file (a Path) or from TOML text (a str, called origin in errors).

    Errors: ProfileError, one line naming the file, the key, its value and what was expected.
    """
    return Profile(**_fields(source, origin))


def inputs_table(path: Path) -> dict[str, Any]:
    """The tables ``[inputs.NAME]`` of a TOML file: what a model's inputs are read as. Errors: ProfileError."""
    table = _parsed(read_side_text(path), terminal(path.name)).get("inputs", {})
    if not isinstance(table, dict):
        raise ProfileError(f"{terminal(path.name)}: inputs is {short(table)}; tables [inputs.NAME] were expected")
    return table


def head_table(path: Path) -> StatedOutput | None:
    """What a TOML file states of the outputs, with a profile or alone; None where it does not. Errors: ProfileError."""
    origin = terminal(path.name)
    table = _parsed(read_side_text(path), origin)
    return _head(table["head"], path.parent, origin) if "head" in table else None


def describes_picture(path: Path) -> bool:
    """Whether a TOML file holds a profile, beside what is said of inputs and outputs or alone. Errors: ProfileError."""
    keys = _parsed(read_side_text(path), terminal(path.name)).keys()
    return not keys or not keys <= _BESIDE


def _parsed(text: str, origin: str, hint: str = "") -> dict[str, Any]:
    try:
        return parse_toml(text)
    except ValueError as error:
        raise ProfileError(f"{origin}: is no TOML ({error}){hint}") from error


def _fields(source: str | Path, origin: str) -> dict[str, Any]:
    folder: Path | None = None
    text: str
    if isinstance(source, Path):
        folder, origin, text = source.parent, terminal(source.name), read_side_text(source)
    elif isinstance(source, str):
        text = source
    else:
        raise ProfileError(f"{origin}: is {short(source)}; a Path, or TOML as text, was expected")
    hint = "" if folder else "; a file is given as a pathlib.Path, a str is the text itself"
    table = _parsed(text, origin, hint)
    table.pop("inputs", None)  # what inputs are read as is none of the profile's
    for key in table:
        _check_key(key, (*NEEDED, *OPTIONAL, "head"), origin)
    missing = [key for key in NEEDED if key not in table]
    if missing:
        raise ProfileError(f"{origin}: missing {', '.join(missing)}; a profile needs {', '.join(NEEDED)}")
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    if isinstance(fields["mean"], str):
        fields["mean"] = read_mean(_beside(folder, fields["mean"], "mean", origin))
    if isinstance(fields.get("labels"), str):
        fields["labels"] = _labels(fields["labels"], folder, origin)
    if "head" in fields:
        fields["head"] = _head(fields["head"], folder, origin)
    return {**fields, "source": origin}


def _check_key(key: str, keys: tuple[str, ...], origin: str) -> None:
    if key not in keys:
        hint = did_you_mean(key, keys) or "the keys are " + ", ".join(keys)
        raise ProfileError(f"{origin}: unknown key {short(key)}; {hint.rstrip()}")


def _labels(name: str, folder: Path | None, origin: str) -> tuple[str, ...]:
    """Class names in a side file, else those of a list by its name. Errors: ProfileError."""
    if name in LABEL_LISTS and not (folder is not None and (folder / name).exists()):
        return listed_labels(name)
    path = _beside(folder, name, "labels", origin, "; class names from elsewhere: --labels FILE")
    return labels_in(read_side_text(path), path)


def _head(table: object, folder: Path | None, origin: str) -> StatedOutput:
    """The table of what is stated of the outputs. Errors: ProfileError."""
    if not isinstance(table, dict):
        raise ProfileError(f"{origin}: head is {short(table)}; a table [head] of {', '.join(HEAD)} was expected")
    for key in table:
        _check_key(key, HEAD, f"{origin}: [head]")
    if isinstance(table.get("labels"), str):
        table = {**table, "labels": _labels(table["labels"], folder, origin)}
    try:
        return StatedOutput(**table)
    except InputError as error:
        raise ProfileError(f"{origin}: [head]: {error}") from None


def _beside(folder: Path | None, name: str, key: str, origin: str, otherwise: str = "") -> Path:
    """Return the path of a side file, which may not leave the folder of the TOML, by a link either."""
    if folder is None:
        raise ProfileError(
            f"{origin}: {key} is {short(name)}; a profile that is no file of its own cannot name side files"
        )
    try:
        root, path = folder.resolve(), (folder / name).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise ProfileError(f"{origin}: {key} is {short(name)}; no such file ({error})") from error
    if not path.is_relative_to(root) or path == root:
        raise ProfileError(f"{origin}: {key} is {short(name)}; expected a file in the folder of the profile{otherwise}")
    return path


def read_mean(path: Path) -> MeanImage:
    """Read a mean image from a .npy file of shape (C, H, W), never unpickling. Errors: ProfileError."""
    data = read_side_file(path)
    try:
        dtype, fortran, shape, start = _npy_header(data)
    except (ValueError, TypeError) as error:
        raise ProfileError(f"{path}: is no .npy file of format 1 or 2 ({error})") from error
    # The header is believed only as far as the file reaches: nothing is allocated on its word.
    if dtype.kind not in "fiu" or len(data) - start != math.prod(shape) * dtype.itemsize or 0 in shape:
        raise ProfileError(
            f"{path}: {dtype} of shape {shape} in {len(data)} bytes; expected numbers of shape (C, H, W)"
        )
    array = np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if fortran else "C")
    return MeanImage(array.astype(np.float64), path.name, hashlib.sha256(data).hexdigest())


def _npy_header(data: bytes) -> tuple[np.dtype[Any], bool, tuple[int, ...], int]:
    """Type, Fortran order, shape, and where the numbers start. Errors: ValueError, TypeError.

    Read by a pattern: numpy hands the header to ``ast.literal_eval``.
    """
    width = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4}.get(data[:8])
    if width is None:
        raise ValueError("its first bytes are another's")
    start = 8 + width + int.from_bytes(data[8 : 8 + width], "little")
    if not 8 + width < start <= min(len(data), _MAX_HEADER):
        raise ValueError(f"its header ends at byte {start} of {len(data)}; at most {_MAX_HEADER} are taken")
    found = _HEADER.fullmatch(data[8 + width : start].decode("latin1"))
    if found is None:
        raise ValueError("its header does not state descr, fortran_order and shape")
    descr, fortran, shape = found.groups()
    return np.dtype(descr), fortran == "True", tuple(int(size) for size in re.findall("[0-9]+", shape)), start


def toml_of(profile: Profile) -> str:
    """A profile as TOML, which ``read_profile`` reads back (source, assumed and reasons are not in it).

    Errors: ProfileError for a mean image that has no file of its own.
    """
    mean: object = profile.mean
    if not isinstance(mean, tuple):
        mean = profile.to_dict()["mean"]["path"]
        if not mean:
            raise ProfileError(
                f"profile {profile.name!r}: its mean image is in no file; write MeanImage.npy_bytes() beside the TOML "
                "and give the MeanImage that path"
            )
    pairs = {key: getattr(profile, key) for key in NEEDED + OPTIONAL} | {"mean": mean}
    head = {} if profile.head is None else {key: getattr(profile.head, key) for key in HEAD}
    return _toml_lines(pairs) + ("" if not head else "[head]\n" + _toml_lines(head))


def _toml_lines(pairs: dict[str, Any]) -> str:
    return "".join(f"{key} = {_toml_value(value)}\n" for key, value in pairs.items() if value is not None)


def _toml_value(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml_value(one) for one in value) + "]"
    if isinstance(value, str):
        try:
            return toml_string(value)
        except ValueError:
            raise ProfileError(f"the text {value!r} of a profile is no Unicode, which TOML has to be") from None
    return repr(value)
