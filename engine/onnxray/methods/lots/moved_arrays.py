"""What a LOTS item says and shows of what is moved in place of pixels: distances, arrays, pictures, figures."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from onnxray.methods.array_variable import ArrayVariable
from onnxray.methods.changed_sample import ChangedSample
from onnxray.methods.lots.aim import Aim
from onnxray.results.file_names import extended


def of_arrays(aim: Aim, layer: str, pair: int, image: NDArray[Any]) -> dict[str, Any]:
    """Distances, arrays, pictures and figures of an item, by its fields."""
    variable, target = aim.variable, aim.target_variable
    assert isinstance(variable, ArrayVariable)
    row, other = int(aim.origin_of[pair]), int(aim.target_of[pair])
    changed = ChangedSample.of(variable, row, image)
    roles = {
        "origin": changed.before, "image": changed.after,
        "perturbation": {name: changed.perturbation(name) for name in changed.after},
    }  # fmt: skip
    if isinstance(target, ArrayVariable):
        roles["target"] = {name: array[0] for name, array in target.parts(target.start[[other]]).items()}
    arrays, pictures = changed.saved(roles, "perturbation", "image", f"{aim.mode} at {layer}", "its perturbation")
    named = [(role, name) for role in (*roles, "figure") for name in variable.names]
    stems = {f"{role} {name}": extended(aim.stem(pair, layer, role), name) for role, name in named}
    score = changed.similarity
    similarity, reason = (None, score) if isinstance(score, str) else (score, None)
    return {
        "l2": changed.l2, "linf": changed.linf, "similarity": similarity, "gain": None, "reason": reason,
        "ssim": None if similarity is None else similarity.ssim,
        "stems": {role: stem for role, stem in stems.items() if role in arrays or role in pictures.of},
        "images": pictures, "moved": changed.numbers(), "arrays_": arrays,
    }  # fmt: skip
