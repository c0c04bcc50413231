"""The files that a result was made from, found again: the same by their contents, wherever they lie now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from onnxray.cli.rerun.old_result import OldResult
from onnxray.errors import InputError, OnnxrayError, OutputError
from onnxray.errors.short_values import short
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.toml_form import toml_of
from onnxray.model.sources import bundled
from onnxray.results.made_from import contents_of, digest_of, exists

_BY_CONTENT: Final = ("profile", "labels")
"""Options whose files stand in the document by their contents too."""
_NOT_IN_TOML: Final = frozenset({"labels", "labels_assumed", "head", "source", "assumed", "reasons"})


@dataclass(frozen=True, kw_only=True)
class FoundInputs:
    """instead: path as it was stated -> the one that is used. said: a line for what lies elsewhere or has changed."""

    instead: Mapping[str, str]
    said: tuple[str, ...] = ()


def find_inputs(old: OldResult, written: Path, *, changed: bool) -> FoundInputs:
    """Find every file: where it was, from here; where it was; beside the result, by name and by path.

    written: a folder for what stands in the document by its contents, and lies nowhere any more. changed: take a file
    whose contents are others. Errors: InputError for files that are gone, and for changed ones, each by its name.
    """
    instead: dict[str, str] = {}
    said: list[str] = []
    gone, others = [], []
    for entry in old.files:
        path = str(entry["path"])
        if any(path in word for word in old.command):  # the file of an own method, which is stated anew
            continue
        if (pair := next((text for text in (path, str(entry["absolute"])) if _is_pair(text, entry)), None)) is not None:
            instead[path] = path if _is_one_of(Path(path), entry) else pair
            continue
        places = list(dict.fromkeys(_places(old, entry)))
        there = [place for place in places if exists(place)]
        same = next((place for place in there if _is_same(place, entry)), None)
        if same is not None:
            used = path if same in (places[0], _bundled(path)) else str(same)
            if used not in (path, entry["absolute"]):
                said.append(f"{path}: taken from {used}, which has the same contents")
        elif there:
            used = path if there[0] == places[0] else str(there[0])
            others.append(f"{used} ({_difference(there[0], entry)})")
        else:
            made = _by_content(old, path, written)
            if made is None:
                gone.append(path)
                continue
            used = str(made)
            said.append(f"{path}: gone; what it held stands in the result, which is taken")
        if used != path:
            instead[path] = used
    if gone:
        raise InputError(
            f"{old.file}: {', '.join(gone)} cannot be found, neither where it was nor beside the result; put it there"
        )
    if others and not changed:
        raise InputError(
            f"{old.file} was made from other contents of {', '.join(others)}; --changed takes them as they are now"
        )
    return FoundInputs(instead=instead, said=(*said, *(f"changed since: {each}" for each in others)))


def _places(old: OldResult, entry: Mapping[str, Any]) -> Iterator[Path]:
    path = Path(str(entry["path"]))
    yield path
    own = _bundled(str(path)) if entry["path"] == old.options.get("model") else None
    if own is not None:
        yield own
    yield Path(str(entry["absolute"]))
    yield old.folder / path.name
    yield old.folder / path


def _bundled(name: str) -> Path | None:
    """Where a bundled model of that name lies."""
    try:
        found = bundled(name)
    except OnnxrayError:
        return None
    return found if isinstance(found, Path) else None


def _is_same(place: Path, entry: Mapping[str, Any]) -> bool:
    try:
        now = contents_of(place)
    except OSError:
        return False
    weights = ((place.parent / name, sha) for name, sha in entry.get("external", {}).items())
    sound = all(exists(file) and digest_of(file) == sha for file, sha in weights)
    return sound and all(entry.get(key) == now.get(key) for key in ("sha256", "pictures"))


def _is_pair(text: str, entry: Mapping[str, Any]) -> bool:
    """Whether a model was made of the two files ``deploy.prototxt+net.caffemodel``, and they are what they were."""
    if "+" not in text or exists(Path(text)) or not isinstance(entry.get("external"), dict):
        return False
    pairs = ((Path(text[:at]), Path(text[at + 1 :])) for at, sign in enumerate(text) if sign == "+")
    expected = sorted(map(str, [entry.get("sha256"), *entry["external"].values()]))
    return any(all(map(exists, pair)) and sorted(str(digest_of(one)) for one in pair) == expected for pair in pairs)


def _is_one_of(place: Path, entry: Mapping[str, Any]) -> bool:
    """Whether one file was stated of a pair, and lies there as it was: the other is found beside it again."""
    return exists(place) and digest_of(place) in (entry.get("sha256"), *entry["external"].values())


def _difference(place: Path, entry: Mapping[str, Any]) -> str:
    """What has changed of a file or folder, in words."""
    before, now = entry.get("pictures"), contents_of(place).get("pictures")
    if before is None or now is None:
        return "its sha256 differs" if entry.get("sha256") != contents_of(place).get("sha256") else "its weights differ"
    more, fewer = [name for name in now if name not in before], [name for name in before if name not in now]
    other = [name for name in now if name in before and now[name] != before[name]]
    told = (("new", more), ("gone", fewer), ("changed", other))
    return "; ".join(f"{what}: {', '.join(names[:3] + ['...'] * (len(names) > 3))}" for what, names in told if names)


def _by_content(old: OldResult, path: str, written: Path) -> Path | None:
    """A file that was stated as profile or labels, written anew from what the document says; None for any other."""
    option = next((name for name in _BY_CONTENT if old.options.get(name) == path), None)
    names = _names(old)
    target = written / Path(path).name
    if option == "labels" and names is not None:
        text = json.dumps(names)
    elif option == "profile":
        text = _profile_text(old, names)
    else:
        return None
    try:
        target.write_text(text, encoding="utf-8")
    except (OSError, UnicodeError) as error:  # the name is the document's, and may be that of no file
        said = getattr(error, "strerror", None) or error
        raise OutputError(f"{old.file}: the {option} {short(path)} is gone, and is no file's name ({said})") from None
    return target


def _names(old: OldResult) -> list[str] | None:
    labels = old.document["made_from"].get("labels")
    names = labels.get("names") if isinstance(labels, dict) else None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _profile_text(old: OldResult, names: list[str] | None) -> str:
    """The document's profile as TOML. Errors: OutputError where the document does not hold it whole."""
    stated = old.document.get("profile")
    try:
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in dict(stated or {}).items()
            if key not in _NOT_IN_TOML
        }
        return toml_of(Profile(**fields, labels=None if names is None else tuple(names)))
    except (TypeError, ValueError, OnnxrayError) as error:
        said = f"the profile's file is gone, and the result holds it in part ({error})"
        raise OutputError(f"{old.file}: {said}") from None
