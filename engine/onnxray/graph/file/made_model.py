"""Models that are made of files of other kinds: what makes one is an entry point, named as the files' suffix is.

    [project.entry-points."onnxray.converters"]
    caffemodel = "onnxray_adapters.caffe.sources:from_caffe"       (source, Wishes) -> MadeModel

What is named in ``onnxray.converters`` is opened wherever a model is; the weights stay in the files it was made of.
What is named in ``onnxray.exporters`` needs its framework, and is written as a file first, by ``onnxray convert``.
Two kinds have no suffix: ``package.module:function`` is a ``factory``, a folder with a saved_model.pb a ``savedmodel``.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import onnx

from onnxray.arrays import Array
from onnxray.errors import ModelFileError
from onnxray.errors.short_values import short

GROUP: Final = "onnxray.converters"
EXPORTERS: Final = "onnxray.exporters"
_FACTORY: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_OWN_KIND: Final = "onnx"
_WITHOUT_SUFFIX: Final = MappingProxyType(
    {"factory": "package.module:function", "savedmodel": "folders with a saved_model.pb"}
)
_OFTEN_OTHER: Final = frozenset({"json", "txt"})
"""Suffixes of much that is no model: only `onnxray convert` takes such a file for one."""
_PROJECT: Final = Path(__file__).parents[4] / "pyproject.toml"
"""Where the package is used out of a source tree, which nothing was installed of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What a user states of a conversion. name: of the files that are written, without a suffix.

    trust: whether what can run programs of the file's author is read. shapes: of the inputs, "1x3x32x32" or
    "NAME=1x3x32x32". examples: files of arrays to convert and compare with, "x.npy" or "NAME=x.npy".
    """

    prototxt: str | None = None
    mean: str | None = None
    size: tuple[int, int] | None = None
    name: str = "model"
    trust: bool = False
    shapes: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


Reference = Callable[[Mapping[str, Array]], Mapping[str, Array]]


@dataclass(frozen=True, slots=True)
class MadeModel:
    """A model that was made. ``path``: the file that states the graph. ``files``: location in the model -> file.

    ``again``: what makes it again, from any folder. ``side``: suffix -> the bytes of what belongs beside a file of it.
    ``notes``: what is to be said of it. ``reference``: inputs -> the framework's own numbers for values of the model,
    the outputs among them, hidden by a mask where they are not to be compared; ``proofs``: inputs that these are
    compared on, besides seeded ones.
    """

    model: onnx.ModelProto
    path: Path
    files: Mapping[str, Path]
    again: str
    side: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()
    reference: Reference | None = None
    proofs: tuple[Mapping[str, Array], ...] = ()


Maker = Callable[[str, Wishes], MadeModel]


def made_of(source: str | os.PathLike[str], wishes: Wishes | None = None) -> MadeModel | None:
    """The model that a converter makes of a source; None where its kind has none, or is ONNX's own.

    Without wishes it is to be opened as it is, which those that need their framework do not do.
    Errors: ModelFileError, from the converter.
    """
    stated = os.fspath(source)
    kind = _kind(stated)
    if kind in ("", _OWN_KIND) or (wishes is None and kind in _OFTEN_OTHER):
        return None
    make = _maker(kind, GROUP)
    if make is None and (make := _maker(kind, EXPORTERS)) is not None and wishes is None:
        raise ModelFileError(
            f"{short(stated)} is a model of another framework; make an ONNX file of it: onnxray convert {short(stated)}"
        )
    return None if make is None else make(stated, wishes or Wishes())


def kinds() -> list[str]:
    """What a model can be made of, in words: suffixes, and the kinds that have none."""
    known = {
        name
        for group in (GROUP, EXPORTERS)
        for name in (*importlib.metadata.entry_points(group=group).names, *_of_the_tree(group))
    }
    return [f".{name}" for name in sorted(known - _WITHOUT_SUFFIX.keys())] + [
        words for name, words in _WITHOUT_SUFFIX.items() if name in known
    ]


def _kind(stated: str) -> str:
    """A file's suffix, or what a source without one is."""
    if _FACTORY.fullmatch(stated) and not os.path.exists(stated):  # noqa: PTH110 - of a name that no file can have
        return "factory"
    if os.path.isfile(os.path.join(stated, "saved_model.pb")):  # noqa: PTH113, PTH118
        return "savedmodel"
    return Path(stated).suffix[1:].lower()


def _maker(kind: str, group: str) -> Maker | None:
    found = importlib.metadata.entry_points(group=group, name=kind)
    entry = next(iter(found), None)
    if entry is None and kind in (own := _of_the_tree(group)):
        entry = importlib.metadata.EntryPoint(kind, own[kind], group)
    if entry is None:
        return None
    try:
        make: Maker = entry.load()
    except (ImportError, AttributeError) as error:
        raise ModelFileError(
            f"files .{kind} are read by {entry.value}, which cannot be imported ({error}); install onnxray anew"
        ) from None
    return make


def _of_the_tree(group: str) -> Mapping[str, str]:
    """The entry points that the source tree states, where this is one."""
    try:
        project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
        return dict(project["entry-points"][group]) if project["name"] == "onnxray" else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
