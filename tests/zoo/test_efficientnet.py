"""EfficientNet-Lite0 with its ImageNet weights: the file, the network it came from, and what it says of photographs."""

from pathlib import Path

import numpy as np
import pytest
import torch

import onnxray
from support import exporting, packages
from support.efficientnet import EfficientNetLite0, efficientnet_lite0


@pytest.fixture
def photos() -> list[tuple[Path, int]]:
    packages.needed("foolbox", "foolbox/data/imagenet_00_243.jpg")
    return packages.imagenet_photos()


def test_photographs_are_told_as_the_profile_beside_the_file_says(
    lite0: EfficientNetLite0, photos: list[tuple[Path, int]]
) -> None:
    model = onnxray.open(lite0.path, strict=True)
    assert model.profile is not None
    found = model.predict([path for path, _ in photos], scores=True)
    assert len(photos) == 20
    assert (found.classes == [index for _, index in photos]).sum() >= 17
    x = torch.from_numpy(model.profile.encode(model.pixels([photos[0][0]]).array))
    np.testing.assert_allclose(found.scores[:1], lite0.network(x).numpy(), atol=1e-4)


def test_values_and_gradients_are_the_network_s_own(lite0: EfficientNetLite0) -> None:
    found = exporting.check(lite0.path, exporting.reference_of(lite0.network, (224, 224)))
    assert found.batch == "free"


def test_every_value_agrees_on_a_photograph(lite0: EfficientNetLite0, photos: list[tuple[Path, int]]) -> None:
    found = onnxray.open(lite0.path).verify([photos[0][0]])
    assert found.agrees, found.first_divergence
    assert len(found.comparisons) > 100


def test_a_second_export_is_not_made(lite0: EfficientNetLite0) -> None:
    before = lite0.path.stat().st_mtime_ns
    again = efficientnet_lite0(lite0.path.parents[1])
    assert again.path == lite0.path
    assert again.path.stat().st_mtime_ns == before
