"""What an attack's item says and shows of arrays that it changed in place of pixels: files, figures, own units."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from onnxray.methods.array_variable import ArrayVariable
from onnxray.methods.changed_sample import ChangedSample
from onnxray.results.file_names import extended


def of_arrays(
    variable: ArrayVariable, row: int, image: NDArray[Any], stem: str, method: str, goal: str
) -> dict[str, Any]:
    """Arrays, pictures and numbers of a sample, by the fields of an item.

    moved: of each array its kind, L2 and L_inf in its own units, and ``unit``, what a step of the norms is there.
    """
    changed = ChangedSample.of(variable, row, image)
    roles = {
        "origin": changed.before, "image": changed.after,
        "perturbation": {name: changed.perturbation(name) for name in changed.after},
    }  # fmt: skip
    arrays, pictures = changed.saved(roles, "perturbation", "image", f"{method}, {goal}", "its perturbation")
    stems = {
        f"{role} {name}": extended(stem, None if role == "origin" else method, role, name)
        for role in (*roles, "figure")
        for name in variable.names
    }
    score = changed.similarity
    similarity, reason = (None, score) if isinstance(score, str) else (score, None)
    return {
        "similarity": similarity, "ssim": None if similarity is None else similarity.ssim, "gain": None,
        "reason": reason if variable.profiles else None, "moved": changed.numbers(), "images": pictures,
        "arrays_": arrays, "stems": {role: name for role, name in stems.items() if role in arrays or role in pictures},
    }  # fmt: skip
