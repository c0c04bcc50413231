"""What a LOTS item says and shows of arrays: distances in their own units, the arrays, and a figure of each."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from onnxray.methods.array_variable import ArrayVariable
from onnxray.methods.changed_arrays import NO_PICTURES, ChangedArrays
from onnxray.methods.lots.aim import Aim


def of_arrays(aim: Aim, layer: str, pair: int, image: NDArray[Any]) -> dict[str, Any]:
    """Distances, arrays and figures of an item, by its fields."""
    variable, target = aim.variable, aim.target_variable
    assert isinstance(variable, ArrayVariable)
    row, other = int(aim.origin_of[pair]), int(aim.target_of[pair])
    changed = ChangedArrays.of(variable, row, image)
    perturbations = {name: x - changed.before[name] for name, x in changed.after.items()}
    roles = {"origin": changed.before, "image": changed.after, "perturbation": perturbations}
    run = f"{aim.mode}-{pair:04d}-{layer}"
    begin = {"origin": f"origin-{row:04d}", "target": f"target-{other:04d}"}
    if isinstance(target, ArrayVariable):
        roles["target"] = {name: array[other] for name, array in target.arrays.items()}
    named = [(role, name) for role in roles for name in variable.names]
    stems = {f"{role} {name}": f"{begin.get(role, f'{run}-{role}')}-{name}" for role, name in named}
    figures = changed.figures(perturbations, changed.after, f"{aim.mode} at {layer}", "its perturbation")
    return {
        "l2": changed.l2, "linf": changed.linf, "similarity": None, "ssim": None, "gain": None, "reason": NO_PICTURES,
        "stems": stems | {role: f"{run}-{role.replace(' ', '-')}" for role in figures.of}, "images": figures,
        "moved": changed.numbers(), "arrays_": {f"{role} {name}": roles[role][name] for role, name in named},
    }  # fmt: skip
