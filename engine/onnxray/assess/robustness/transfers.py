"""Transfer: what is made on one file, judged on others (Papernot, McDaniel, Goodfellow 2016, arXiv 1605.07277).

Of each file, the evaluated one among them, MI-FGSM's perturbations within each budget, saved in 8 bits, are judged by
every file. A cell is the share flipped of those images that both files name rightly as they come, with Wilson's
interval; on the diagonal stands what the attack does to the file itself. A file without a gradient makes none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.assess.robustness.trust import NO_GRADIENT
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.profile.profile import Profile
from onnxray.methods.array_variable import variable_of
from onnxray.methods.attack.base import group_size
from onnxray.methods.attack.gradient.mifgsm import MIFGSM
from onnxray.methods.attack.oracle import Oracle, Queries
from onnxray.methods.attack.rates import wilson
from onnxray.methods.attack.success import OtherClass
from onnxray.methods.attack.threat import Floats, NormName
from onnxray.methods.run import silent
from onnxray.methods.shots import Shots
from onnxray.model.model import Model
from onnxray.model.opening import open_model


def opened_beside(criterion: OtherClass, paths: Sequence[str]) -> dict[str, Oracle]:
    """What asks each file, by name: the evaluated one and others, asked for the same images and right classes.

    Pixels enter as they do in the evaluated one where a file does not say.
    Errors: those of opening; InputError where two have one name, or a file takes other pictures or has other classes.
    """
    model = criterion.variable.whole
    found = {_name(model.graph.name): _on(criterion, model)}
    for path in paths:
        other = open_model(path, device=model.device, approximate=model.approximate)
        if other.profile is None or other.profile.assumed:
            profile = _entering(model.profile, other.profile)
            other = open_model(path, profile, device=model.device, approximate=model.approximate)
        name = _name(path)
        if name in found:
            raise InputError(f"two of the files are named {short(name)}; give each a name of its own")
        found[name] = _on(criterion, other)
    return found


def _entering(stated: Profile | None, own: Profile | None) -> Profile | None:
    """The numbers of a profile; which axes and values a file has is told by itself."""
    if stated is None or own is None:
        return None if stated is None else replace(stated, logits=None, features=None)
    return replace(
        stated, layout=own.layout, size=own.size, logits=own.logits, features=own.features,
        labels=own.labels, labels_assumed=own.labels_assumed,
    )  # fmt: skip


def _name(path: str) -> str:
    return Path(path).name


def transfer_table(
    oracles: Mapping[str, Oracle], norm: NormName, budgets: Sequence[float], seed: int
) -> Iterator[dict[str, Any]]:
    """A cell for each budget, file that perturbations are made on, and file that judges them; plain for JSON."""
    rightly = {name: _criterion(oracle).rightly for name, oracle in oracles.items()}
    for eps in budgets:
        attack = MIFGSM(norm=norm, eps=eps)
        for source, oracle in oracles.items():
            rows = np.flatnonzero(rightly[source])
            d, why = _made(attack, oracle, rows, seed)
            for judge, other in oracles.items():
                both = rightly[judge][rows]
                shared = rows[both]
                met = None if d is None else _met(other, d[both], shared)
                flipped = None if met is None else int(met.sum())
                yield {
                    "eps": eps, "made_on": source, "judged_by": judge, "images": len(shared),
                    "flipped": None if flipped is None or not len(shared) else flipped / len(shared),
                    "interval": None if flipped is None else list(wilson(flipped, len(shared))),
                    "reason": why,
                }  # fmt: skip


def _criterion(oracle: Oracle) -> OtherClass:
    assert isinstance(oracle.criterion, OtherClass)
    return oracle.criterion


def _on(criterion: OtherClass, model: Model) -> Oracle:
    """The same images and the same right classes, asked of another file. Errors: InputError."""
    variable = criterion.variable
    if model is not variable.whole:
        pixels = model.pixels(variable.samples)
        variable = variable_of(model, pixels, None, [model.head.name])
        said = Shots.of(variable)
        classes = 0 if said.predictions is None else said.said.probabilities.shape[1]
        if int(criterion.left.max()) >= classes or variable.start.shape != criterion.variable.start.shape:
            raise InputError(
                f"{short(model.graph.name)} has {classes} classes and takes "
                f"{list(variable.start.shape[1:])}; a file that takes the same pictures and numbers its "
                "classes alike was expected (--transfer)"
            )
        criterion = OtherClass(variable=variable, left=criterion.left, wanted=None, said=said)
    return Oracle(variable=variable, criterion=criterion, queries=Queries.none(len(variable)))


def _made(attack: MIFGSM, oracle: Oracle, rows: NDArray[np.int64], seed: int) -> tuple[Floats | None, str | None]:
    """(n, numbers): perturbations as they are saved; None where the file has no gradient, and why."""
    found, size = [np.zeros((0, oracle.numbers), np.float32)], group_size(oracle.numbers)
    try:
        for start in range(0, len(rows), size):
            attacked = attack.on(oracle, rows[start : start + size], seed, silent)
            found.append(attack.settled(attacked, attack.perturb(attacked))[1])
    except NO_GRADIENT as error:
        return None, f"the file has no gradient: {error}"
    return np.concatenate(found), None


def _met(oracle: Oracle, d: Floats, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    size = group_size(oracle.numbers)
    parts = [oracle.met(d[k : k + size], rows[k : k + size]) for k in range(0, len(rows), size)]
    return np.concatenate([np.zeros(0, bool), *parts])
