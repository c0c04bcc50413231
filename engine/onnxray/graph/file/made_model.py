"""Models that are made of files of other kinds: what makes one is an entry point, named as the files' suffix is.

    [project.entry-points."onnxray.converters"]
    caffemodel = "onnxray_adapters.caffe.sources:from_caffe"       (source, Wishes) -> MadeModel

The weights of a made model stay where they are: in the files that it was made of.
"""

from __future__ import annotations

import importlib.metadata
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import onnx

from onnxray.errors import ModelFileError

GROUP: Final = "onnxray.converters"
_OWN_KIND: Final = "onnx"
_PROJECT: Final = Path(__file__).parents[4] / "pyproject.toml"
"""Where the package is used out of a source tree, which nothing was installed of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What a user states of a conversion. name: of the files that are written, without a suffix."""

    prototxt: str | None = None
    mean: str | None = None
    size: tuple[int, int] | None = None
    name: str = "model"


@dataclass(frozen=True, slots=True)
class MadeModel:
    """A model that was made. ``path``: the file that states the graph. ``files``: location in the model -> file.

    ``again``: what makes it again, from any folder. ``side``: suffix -> the bytes of what belongs beside a file of it.
    ``notes``: what is to be said of it.
    """

    model: onnx.ModelProto
    path: Path
    files: Mapping[str, Path]
    again: str
    side: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()


Maker = Callable[[str, Wishes], MadeModel]


def made_of(source: str | os.PathLike[str], wishes: Wishes | None = None) -> MadeModel | None:
    """The model that a converter makes of a source; None where its kind has none, or is ONNX's own.

    Errors: ModelFileError, from the converter.
    """
    stated = os.fspath(source)
    kind = Path(stated).suffix[1:].lower()
    make = None if kind in ("", _OWN_KIND) else _maker(kind)
    return None if make is None else make(stated, wishes or Wishes())


def kinds() -> list[str]:
    """The suffixes of files that a model can be made of."""
    return sorted({*importlib.metadata.entry_points(group=GROUP).names, *_of_the_tree()})


def _maker(kind: str) -> Maker | None:
    found = importlib.metadata.entry_points(group=GROUP, name=kind)
    entry = next(iter(found), None)
    if entry is None and kind in (own := _of_the_tree()):
        entry = importlib.metadata.EntryPoint(kind, own[kind], GROUP)
    if entry is None:
        return None
    try:
        make: Maker = entry.load()
    except (ImportError, AttributeError) as error:
        raise ModelFileError(
            f"files .{kind} are read by {entry.value}, which cannot be imported ({error}); install onnxray anew"
        ) from None
    return make


def _of_the_tree() -> Mapping[str, str]:
    """The entry points that the source tree states, where this is one."""
    try:
        project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
        return dict(project["entry-points"][GROUP]) if project["name"] == "onnxray" else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
