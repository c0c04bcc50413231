"""The methods that the page offers, and a field for each of their options: read off their commands and dataclasses.

Options that name a file are left out: the page states pictures by ids of its own, and no paths at all.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.methods.attack.base import Attack
from onnxray.methods.catalogue import family
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.option_checks import described
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.synthesis.base import Synthesis
from onnxray.methods.synthesis.invert import Invert
from onnxray.methods.synthesis.maximize import Maximize
from onnxray.web.work.bench import Bench

_SLIDERS: Final = {"eps": (0.0, 64.0, 0.5), "linf": (1.0, 255.0, 1.0)}
"""Options that are set by a slider: least, most, step."""
_FILES: Final = frozenset({
    "background_samples", "concepts", "direction", "encoder", "encoder_profile", "from_", "from_profile", "generator",
    "guide", "learned", "neighbours", "perturbation", "setting", "style", "train",
})  # fmt: skip
"""Options that name files or folders, or options of other methods, which may."""
_FILES_AS_TEXT: Final = frozenset({"start"})
"""Those that are a choice elsewhere, and name a file where they are text."""
_SAYS_FILE: Final = re.compile(r"\bfiles?\b|\bfolders?\b|\.npy", re.IGNORECASE)
"""What the help of an option says that is added and names a file: it is left out before it is listed above."""
_NEED_FILES: Final = frozenset({"apply", "feature-adversary", "patch", "surrogate", "style", "transfer", "universal"})
"""Methods that are made of files beside the picture."""


@dataclass(frozen=True)
class Offered:
    """A method on the page. path: its command; images: needed, optional; targets: pictures or words that it takes."""

    path: tuple[str, ...]
    method: type[Any]
    family: str
    images: str = "images"
    target: Literal["", "text", "texts", "picture"] = "text"


def offered() -> tuple[Offered, ...]:
    """Every method that the page offers, the families in the order of the page."""
    maps = [Offered(("saliency", name), one, "Saliency") for name, one in family(Saliency).items()]  # type: ignore[type-abstract]
    attacks = [
        Offered(("attack", name), one, "Attacks", target="texts")
        for name, one in family(Attack).items()  # type: ignore[type-abstract]
        if name not in _NEED_FILES
    ]
    made = [
        Offered(("visualize", name), one, "Visualisation", target="texts")
        for name, one in family(Synthesis).items()  # type: ignore[type-abstract]
        if one is not Invert and name not in _NEED_FILES
    ]
    first = [one for one in made if one.method is Maximize]
    return (
        *maps,
        Offered(("lots",), LOTS, "LOTS", images="origins", target="picture"),
        *attacks,
        Offered(("invert",), Invert, "Inversion", target=""),
        *first, *(one for one in made if one not in first),
    )  # fmt: skip


def forms(bench: Bench) -> dict[str, Any]:
    """Every method with its options, as the page makes forms of."""
    del bench
    return {"methods": [_form(one) for one in offered()]}


def method_at(path: Sequence[str]) -> Offered:
    """The method of a command. Errors: InputError where the page offers none such."""
    for one in offered():
        if one.path == tuple(path):
            return one
    raise InputError(f"the page has no method {short(' '.join(map(str, path)))}")


def field_names(one: Offered) -> frozenset[str]:
    """The options that the page may state of a method."""
    return frozenset(name for name, _ in _fields(one.method))


def _form(one: Offered) -> dict[str, Any]:
    text = inspect.cleandoc(one.method.summary)
    return {
        "path": list(one.path), "name": one.method.name, "family": one.family, "summary": text.split("\n\n")[0],
        "images": one.images if one.method.needs_images else "optional", "target": one.target,
        "images_only": one.method.images_only,
        "fields": [_field(name, hint, one.method) for name, hint in _fields(one.method)],
    }  # fmt: skip


def _fields(method: type[Any]) -> Iterator[tuple[str, Any]]:
    """The options that are described and name no file, with their annotations."""
    hints = get_type_hints(method, include_extras=True)
    for one in dataclasses.fields(method):
        if get_origin(hints[one.name]) is Annotated and one.name not in _FILES:
            kind, text, _ = described(hints[one.name])
            words = str in (get_args(kind) or (kind,))
            if words and (one.name in _FILES_AS_TEXT or _SAYS_FILE.search(text)):
                continue
            yield one.name, hints[one.name]


def _field(name: str, hint: Any, method: type[Any]) -> dict[str, Any]:
    kind, text, limits = described(hint)
    default = next(one.default for one in dataclasses.fields(method) if one.name == name)
    kinds = get_args(kind) if get_origin(kind) in {Union, types.UnionType} else (kind,)
    choices = next((get_args(one) for one in kinds if get_origin(one) is Literal), None)
    number = next((one for one in kinds if one in {int, float}), None)
    if bool in kinds:
        shown = "switch"
    elif choices:
        shown = "choice"
    elif number is not None:
        shown = "slider" if name in _SLIDERS else "number"
    else:
        shown = "text"
    least, most, step = _SLIDERS.get(name, (None, None, 1 if number is int else "any"))
    return {
        "name": name, "label": name.rstrip("_").replace("_", " "), "help": text, "kind": shown,
        "choices": None if choices is None else [str(choice) for choice in choices],
        "default": _plain(default), "optional": type(None) in kinds, "step": step,
        "least": least if least is not None else None if limits is None else _finite(limits.least),
        "most": most if most is not None else None if limits is None else _finite(limits.most),
        "value": name == "layer" or name.endswith("_layer"),
    }  # fmt: skip


def _plain(default: Any) -> Any:
    if default is dataclasses.MISSING or default is None:
        return None
    return ",".join(map(str, default)) if isinstance(default, tuple) else default


def _finite(limit: float) -> float | None:
    return limit if abs(limit) < 1e12 else None
