"""DeepFool is foolbox's, to float tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.methods.attack.minimum_norm.deepfool import DeepFool
from support.attacking import attacked, bent
from support.linear import pictures


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_it_is_foolboxs(norm: str) -> None:
    foolbox = pytest.importorskip("foolbox")
    import torch

    model, images = bent(6), pictures(8)
    inner = onnxray.to_torch(model).double()

    class Unit(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return inner(255 * x)

    peer = foolbox.PyTorchModel(Unit().eval(), bounds=(0, 1))
    x = torch.from_numpy(images.astype(np.float64)) / 255
    labels = torch.from_numpy(model.predict(model.pixels(images)).classes)
    kind = {"l2": foolbox.attacks.L2DeepFoolAttack, "linf": foolbox.attacks.LinfDeepFoolAttack}[norm]
    theirs = 255 * (kind(candidates=4).run(peer, x, labels) - x).numpy().reshape(8, -1)
    asked = attacked(model, images, np.inf)
    ours = DeepFool(norm=norm, candidates=4).perturb(asked).d  # type: ignore[arg-type]
    assert np.abs(ours - theirs).max() < 1e-3 * np.abs(theirs).max()
    assert (asked.oracle.queries.backward % 3 == 1).all()  # a step looks at three boundaries, the last at one
