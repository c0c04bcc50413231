"""The methods that the page offers, and a field for each of their options: read off their commands and dataclasses.

Options that name files are chosen among the files that the page was given, by ids (file_options.py).
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from onnxray.assess.models.comparison import ModelComparison
from onnxray.cli.parts.limits import registered
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.profile.families import FAMILIES
from onnxray.methods.attack.base import Attack
from onnxray.methods.attack.gradient.feature_adversary import FeatureAdversary
from onnxray.methods.attack.physical.patch import Patch
from onnxray.methods.attack.universal.universal import Universal
from onnxray.methods.catalogue import family
from onnxray.methods.fooling.base import Fooling
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.option_checks import described
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.synthesis.base import Synthesis
from onnxray.methods.synthesis.invert import Invert
from onnxray.methods.synthesis.maximize import Maximize
from onnxray.web.work.bench import Bench
from onnxray.web.work.file_options import CHOSEN_PROFILES, FILE_OPTIONS, described_as, shown

_SLIDERS: Final = {"eps": (0.0, 64.0, 0.5), "linf": (1.0, 255.0, 1.0)}
"""Options that are set by a slider: least, most, step."""
_SAYS_FILE: Final = re.compile(r"\bfiles?\b|\bfolders?\b|\.npy", re.IGNORECASE)
"""What the help of an option says that is added and names a file: it is left out before it is listed among them."""
_CHOICES_ELSEWHERE: Final = frozenset({"start"})
"""Options that name a file where they are text, and are a choice in other methods."""


@dataclass(frozen=True)
class Offered:
    """A method on the page. path: its command. images: how that calls the pictures. target: pictures or words.

    many: made of many pictures together. more: options of the command itself.
    """

    path: tuple[str, ...]
    method: type[Any]
    family: str
    images: str = "images"
    target: Literal["", "text", "texts", "picture"] = "text"
    many: bool = False
    more: tuple[str, ...] = ()


@functools.cache
def offered() -> tuple[Offered, ...]:
    """Every method that the page offers, the families in the order of the page."""
    maps = [
        Offered(("saliency", name), one, "Saliency")
        for name, one in family(Saliency).items()  # type: ignore[type-abstract]
    ]
    attacks = [
        Offered(("attack", name), one, "Attacks", target="picture" if one is FeatureAdversary else "texts")
        for name, one in family(Attack).items()  # type: ignore[type-abstract]
    ]
    of_many = [Offered(("attack", one.name), one, "Attacks", many=True) for one in (Patch, Universal)]
    made = [
        Offered(("attack" if issubclass(one, Fooling) else "visualize", name), one, "Visualisation", target="texts")
        for name, one in family(Synthesis).items()  # type: ignore[type-abstract]
        if one is not Invert
    ]
    first = [one for one in made if one.method is Maximize]
    beside = ("target_values", "hot_cold", "pairs")
    return (
        *maps,
        Offered(("lots",), LOTS, "LOTS", images="origins", target="picture", more=beside),
        *sorted([*attacks, *of_many], key=lambda one: one.path),
        Offered(("invert",), Invert, "Inversion", target="", more=("values",)),
        *first, *(one for one in made if one not in first),
        Offered(("compare",), ModelComparison, "Models", more=("models", "map_method")),
    )  # fmt: skip


def forms(bench: Bench) -> dict[str, Any]:
    """Every method with its options, as the page makes forms of."""
    del bench
    return {"methods": _forms()}


@functools.cache
def _forms() -> tuple[dict[str, Any], ...]:
    return tuple(_form(one) for one in offered())


def method_at(path: Sequence[str]) -> Offered:
    """The method of a command. Errors: InputError where the page offers none such."""
    for one in offered():
        if one.path == tuple(path):
            return one
    raise InputError(f"the page has no method {short(' '.join(map(str, path)))}")


def field_names(one: Offered) -> frozenset[str]:
    """The options that the page may state of a method."""
    return frozenset(name for name, _, _ in _fields(one))


def file_names(one: Offered) -> frozenset[str]:
    """Those of them that are chosen among the files of the page."""
    return frozenset(name for name, hint, _ in _fields(one) if is_file(name, hint))


def _form(one: Offered) -> dict[str, Any]:
    text = inspect.cleandoc(one.method.summary)
    return {
        "path": list(one.path), "name": one.method.name, "family": one.family, "summary": text.split("\n\n")[0],
        "images": one.images if one.method.needs_images else "optional", "target": one.target,
        "images_only": one.method.images_only, "many": one.many, "live": is_tried(one),
        "fields": [_field(name, hint, default) for name, hint, default in _fields(one)],
    }  # fmt: skip


def is_tried(one: Offered) -> bool:
    """Whether the page shows at once what it would give: one picture along a scale, or within a budget."""
    return one.method is LOTS or (issubclass(one.method, Attack) and "eps" in _names(one.method))


def _names(method: type[Any]) -> frozenset[str]:
    return frozenset(field.name for field in dataclasses.fields(method))


def _fields(one: Offered) -> Iterator[tuple[str, Any, Any]]:
    """The options that are described, with their annotations and what they are by default."""
    hints = get_type_hints(one.method, include_extras=True)
    for field in dataclasses.fields(one.method):
        hint = hints[field.name]
        if get_origin(hint) is Annotated and not _is_unknown_file(field.name, hint):
            yield field.name, hint, field.default
    for name in one.more:
        if name == "models":
            yield name, Annotated[tuple[str, ...], "the models that stand beside this one"], ()
        elif name == "map_method":
            maps = ("none", *family(Saliency))  # type: ignore[type-abstract]
            yield name, Annotated[_one_of(maps), "the saliency method of the maps; none leaves them out"], "grad-cam"
        else:
            parameter = inspect.signature(registered(one.path)).parameters[name]
            kind, option = get_args(parameter.annotation)[:2]
            yield name, Annotated[kind, option.help], parameter.default


def _one_of(words: tuple[str, ...]) -> Any:
    return Literal[words]  # what mypy cannot follow


def _is_unknown_file(name: str, hint: Any) -> bool:
    kind, text, _ = described(hint)
    words = str in (get_args(kind) or (kind,))
    return words and name not in {*FILE_OPTIONS, *CHOSEN_PROFILES} and _SAYS_FILE.search(text) is not None


def is_file(name: str, hint: Any) -> bool:
    """Whether an option is chosen among the files of the page."""
    kind = described(hint)[0]
    choice = any(get_origin(one) is Literal for one in (kind, *get_args(kind)))
    return name in FILE_OPTIONS and not (name in _CHOICES_ELSEWHERE and choice)


def _field(name: str, hint: Any, default: Any) -> dict[str, Any]:
    kind, text, limits = described(hint)
    if name in CHOSEN_PROFILES:
        kind = _one_of(tuple(FAMILIES)) | None
    kinds = get_args(kind) if get_origin(kind) in {Union, types.UnionType} else (kind,)
    choices = next((get_args(one) for one in kinds if get_origin(one) is Literal), None)
    number = next((one for one in kinds if one in {int, float}), None)
    if is_file(name, hint):
        shown_as = "files"
    elif bool in kinds:
        shown_as = "switch"
    elif choices:
        shown_as = "choice"
    elif number is not None:
        shown_as = "slider" if name in _SLIDERS else "number"
    else:
        shown_as = "text"
    least, most, step = _SLIDERS.get(name, (None, None, 1 if number is int else "any"))
    return {
        "name": name, "label": shown(name), "help": text, "kind": shown_as,
        "choices": None if choices is None else [str(choice) for choice in choices],
        "default": _plain(default), "optional": type(None) in kinds, "step": step,
        "least": least if least is not None else None if limits is None else _finite(limits.least),
        "most": most if most is not None else None if limits is None else _finite(limits.most),
        "value": name == "layer" or name.endswith("_layer"),
        "many": any(get_origin(one) is tuple for one in kinds),
        **(described_as(name) if shown_as == "files" else {}),
    }  # fmt: skip


def _plain(default: Any) -> Any:
    if default is dataclasses.MISSING or default is None:
        return None
    return "; ".join(map(str, default)) if isinstance(default, tuple) else default


def _finite(limit: float) -> float | None:
    return limit if abs(limit) < 1e12 else None
