"""FMN, sigma-zero and PDPGD give what adv_lib's do, sample by sample, where nothing was mended."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.methods.attack.base import Attack
from onnxray.methods.catalogue import family
from support.attacking import attacked, bent
from support.linear import pictures

CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "fmn linf": ("fmn", {"norm": "linf", "step_size": 255.0}, {"norm": float("inf"), "steps": 100}),
    "fmn l1": ("fmn", {"norm": "l1"}, {"norm": 1, "steps": 100}),
    "fmn l0": ("fmn", {"norm": "l0"}, {"norm": 0, "steps": 100}),
    "sigma-zero": ("sigma-zero", {"steps": 100}, {"num_steps": 100}),
    "pdpgd l1": ("pdpgd", {"norm": "l1", "steps": 100}, {"norm": 1, "num_steps": 100}),
    "pdpgd l2": ("pdpgd", {"norm": "l2", "steps": 100}, {"norm": 2, "num_steps": 100}),
    "pdpgd linf": ("pdpgd", {"norm": "linf", "steps": 100}, {"norm": float("inf"), "num_steps": 100}),
}

FILES = {"fmn": "fast_minimum_norm", "sigma-zero": "sigma_zero", "pdpgd": "primal_dual_gradient_descent"}


@pytest.mark.parametrize("case", CASES)
def test_the_smallest_is_adv_libs(case: str) -> None:
    pytest.importorskip("adv_lib")
    import torch

    from support.attack_peers import adv_lib

    model, images = bent(6), pictures(10)
    inner = onnxray.to_torch(model).double()

    class Unit(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return inner(255 * x)

    name, options, theirs = CASES[case]
    x = torch.from_numpy(images.astype(np.float64)) / 255
    labels = torch.from_numpy(model.predict(model.pixels(images)).classes)
    peer = getattr(adv_lib(FILES[name]), FILES[name] if name == "sigma-zero" else name)
    method = family(Attack)[name](**options)  # type: ignore[type-abstract]
    other = method.measure.size(255 * (peer(Unit().eval(), x, labels, **theirs) - x).numpy().reshape(10, -1))
    own = method.measure.size(method.perturb(attacked(model, images, np.inf)).d)
    assert (own > 0).all()
    known = other > 0  # adv_lib's FMN stops short of the boundary of one sample, see fmn.py
    assert known.sum() >= 9
    assert own[known] == pytest.approx(other[known], rel=1e-3)
