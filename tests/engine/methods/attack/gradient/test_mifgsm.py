"""MI-FGSM is torchattacks', to float tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.methods.attack.gradient.mifgsm import MIFGSM
from support.attacking import attacked, bent
from support.linear import pictures


def test_it_is_the_peers() -> None:
    torchattacks = pytest.importorskip("torchattacks")
    import torch

    model, images = bent(6), pictures(8)
    inner = onnxray.to_torch(model).double()

    class Unit(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return inner(255 * x)

    x = torch.from_numpy(images.astype(np.float64)) / 255
    labels = torch.from_numpy(model.predict(model.pixels(images)).classes)
    peer = torchattacks.MIFGSM(Unit().eval(), eps=0.9 / 255, alpha=0.09 / 255, steps=10, decay=0.8)
    theirs = 255 * (peer.forward(x, labels) - x).numpy().reshape(8, -1)
    ours = MIFGSM(eps=0.9, momentum=0.8).perturb(attacked(model, images, 0.9)).d
    assert np.abs(ours - theirs).max() < 1e-3
    assert np.abs(MIFGSM(eps=0.9, momentum=0.0).perturb(attacked(model, images, 0.9)).d - theirs).max() > 0.01
