"""captum's TCAV of the native network gives our scores of the file, for the vectors that ours gives of the same
activations."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import onnxray
from onnxray.images.profile.profile import Profile
from onnxray.methods.concepts.concept_vectors import concept_vector
from onnxray.methods.concepts.tcav import TCAV
from peers.test_peers import SIDE, as_onnx, native, needs
from support import models
from support.behind import Behind

PROFILE = Profile(
    name="small", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25),
    size=(SIDE, SIDE),
)  # fmt: skip


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def pictures(seed: int, count: int) -> models.Array:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, SIDE, SIDE)).astype(np.float32)


@needs("captum")
@pytest.mark.parametrize("layer", ["relu1", "relu2", "fc1"])
@pytest.mark.parametrize("target", [0, 3])
def test_captums_scores(layer: str, target: int, tmp_path: Path) -> None:
    from captum.concept import TCAV as Captums
    from captum.concept import Classifier, Concept

    net, x = native(), pictures(0, 9)
    onnx.save(as_onnx(net), tmp_path / "net.onnx")
    shown, others = pictures(1, 12), pictures(2, 12)
    for name, array in (("concept", shown), ("random", others)):
        np.save(tmp_path / f"{name}.npy", array.astype(np.uint8))
    model = onnxray.open(tmp_path / "net.onnx", PROFILE)
    paths = {name: str(tmp_path / f"{name}.npy") for name in ("concept", "random")}
    item = TCAV(**paths, layer=layer, trials=4)(model, x, target, seed=6).items[0]

    random = np.random.default_rng(6)
    given: list[models.Array] = []

    class Ours(Classifier):
        """The vector of one trial: of the activations that captum has of the pictures which our trial drew."""

        def __init__(self) -> None:
            self.found, self.names = torch.zeros(0), [0, 1]

        def train_and_eval(self, dataloader: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
            parts = [(np.asarray(h).reshape(len(h), -1), np.asarray(y)) for h, y in dataloader]
            h, y = (np.concatenate(one) for one in zip(*parts))
            first, second = np.unique(y)
            vector = concept_vector(h[y == first], h[y == second], random)
            given.append(vector.direction)
            self.found = torch.from_numpy(np.stack([vector.direction, -vector.direction])).float()
            self.names = [int(first), int(second)]
            return {"accs": torch.tensor(vector.accuracy)}

        def weights(self) -> torch.Tensor:
            return self.found

        def classes(self) -> list[int]:
            return self.names

    for trial in range(4):
        chosen = [array[random.choice(12, 12, replace=False)] for array in (shown, others)]
        sets = [
            Concept(number, name, DataLoader(TensorDataset(torch.from_numpy(array)), 12, collate_fn=_plain))
            for number, (name, array) in enumerate(zip(("concept", "random"), chosen))
        ]
        theirs = Captums(
            Behind(net, PROFILE).eval(), [f"net.{layer}"], classifier=Ours(), save_path=str(tmp_path / f"c{trial}")
        )
        found = theirs.interpret(torch.from_numpy(x), [sets], target=target)["0-1"][f"net.{layer}"]
        assert float(found["sign_count"][0]) == pytest.approx(item.scores[trial], abs=1e-6)
        assert float(found["magnitude"][0]) == pytest.approx(item.sensitivities[trial].mean(), abs=1e-5)
        order = random.permutation(12)  # what our trial draws for random against random
        halves = [others[order[:6]], others[order[6:]]]
        concept_vector(*(half[random.choice(6, 6, replace=False)].reshape(6, -1) for half in halves), random)
    assert len(given) == 4


def _plain(rows: Any) -> torch.Tensor:
    return torch.stack([row[0] for row in rows])
