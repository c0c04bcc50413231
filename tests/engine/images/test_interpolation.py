"""Maps to another size: as torch interpolates them."""

import numpy as np
import pytest
import torch

from onnxray.images.interpolation import bilinear


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("new", [(7, 9), (2, 3), (4, 5), (1, 1), (11, 1), (1, 12)])
@pytest.mark.parametrize("old", [(4, 5), (1, 6), (3, 1), (1, 1)])
def test_bilinear_is_torchs(old: tuple[int, int], new: tuple[int, int], corners: bool) -> None:
    maps = np.random.default_rng(0).standard_normal((2, 3, *old))
    wanted = torch.nn.functional.interpolate(torch.from_numpy(maps), new, mode="bilinear", align_corners=corners)
    found = bilinear(maps, new, corners=corners)
    assert found.shape == (2, 3, *new)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-12)
    assert bilinear(maps.astype(np.float32), new).dtype == np.float32
    assert bilinear(maps[0, 0].astype(np.int64), new).dtype == np.float64
