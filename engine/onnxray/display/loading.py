"""Run folders opened as what they are, without being told what that is: ``onnxray.load``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from onnxray.assess.maps.check import Check
from onnxray.assess.maps.comparison import Comparison
from onnxray.assess.maps.item import CheckedItem
from onnxray.assess.models.comparison import ModelComparison
from onnxray.assess.models.similarity import LayerSimilarity
from onnxray.assess.robustness.evaluation import RobustnessEvaluation
from onnxray.assess.robustness.item import RobustnessItem
from onnxray.errors import OutputError
from onnxray.errors.type_checks import as_path
from onnxray.methods.attack.item import AttackItem
from onnxray.methods.catalogue import member
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.method import Method
from onnxray.methods.saliency.item import MapItem
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.results.item import Item
from onnxray.results.loading import stored_document
from onnxray.results.plain_item import PlainItem
from onnxray.results.result import Result, result_of
from onnxray.training.generators.fooling import FoolWithGenerator
from onnxray.training.generators.inversion import TrainInverter
from onnxray.training.generators.rendering import RenderGenerator
from onnxray.training.generators.training import TrainGenerator

_JUDGED: Final = (
    Check, Comparison, LayerSimilarity, ModelComparison, RobustnessEvaluation, TrainGenerator, RenderGenerator,
    FoolWithGenerator, TrainInverter,
)  # fmt: skip
_KEYS: Final[tuple[tuple[type[Item], frozenset[str]], ...]] = (
    (CheckedItem, frozenset({"figures", "target_score", "shown_at"})),
    (RobustnessItem, frozenset({"true", "correct", "smallest"})),
    (AttackItem, frozenset({"goal", "norm", "queries", "perturbation_gain"})),
    (MapItem, frozenset({"target_score", "shown_at", "colormap"})),
    (LotsItem, frozenset({"mode", "distance_before", "perturbation_gain"})),
    (SynthesisItem, frozenset({"trace", "steps", "target"})),
)
"""What items are of a method that is not onnxray's own, by what must stand in each of them; the first that fits."""

_COMMANDS: Final = frozenset({"apply"})
"""Commands without a method that are called as an attack is, whose items have a norm."""


def load(folder: str | os.PathLike[str]) -> Result[Any]:
    """The result of a run folder, whatever command wrote it: ``onnxray lots ... -o folder``, ``result.save(folder)``.

    Items are what the method gives (``LotsItem``, ``MapItem``, ``AttackItem``, ``CheckedItem``, ...); those of commands
    without a method, such as ``classify``, ``values`` and ``apply``, are ``PlainItem``s, numbers with their files. Of a
    run that is not at its end, what is finished: ``incomplete`` is true then.

    What stands in the folder is data: names lead out of it nowhere, links are refused, nothing is unpickled or run, no
    more than 256 MiB of result.json and 4 GiB of pictures and arrays are read.

    Errors: OutputError where the folder holds no result, a newer onnxray wrote it, or a file is missing or changed.
    """
    place = as_path("the folder", folder, OutputError)
    document = stored_document(place)
    return result_of(document, place, _item_type(document))


def _item_type(document: Mapping[str, Any]) -> type[Item]:
    method, items = document.get("method"), document.get("items")
    name = method.get("name") if isinstance(method, Mapping) else None
    first = items[0] if isinstance(items, list) and items else None
    there = frozenset(first) if isinstance(first, Mapping) else frozenset()
    if isinstance(name, str) and not (name in _COMMANDS and there and "norm" not in there):
        known = next((one for one in _JUDGED if one.name == name), None) or _method(name)
        if known is not None:
            kind: type[Item] = known.item_type
            return kind
    return next((kind for kind, keys in _KEYS if keys <= there), PlainItem)


def _method(name: str) -> type[Method[Any]] | None:
    """A method of ours by its own name."""
    return member(Method, name)  # type: ignore[type-abstract]
