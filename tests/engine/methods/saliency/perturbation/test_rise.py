"""RISE: masks as the authors make them (scikit-image's resize), the map from given masks by a plain session."""

import numpy as np
import pytest
from skimage.transform import resize

import onnxray
from onnxray.errors import InputError
from onnxray.methods.saliency.perturbation.random_masks import RandomMasks
from onnxray.methods.saliency.perturbation.rise import RISE
from support import models
from support.perturbing import logits, softmax

X = models.pictures(2, seed=3)


@pytest.mark.parametrize(("cells", "plane"), [(4, (14, 14)), (7, (40, 61)), (3, (9, 10)), (1, (5, 5)), (8, (224, 224))])
def test_masks_are_the_authors(cells: int, plane: tuple[int, int]) -> None:
    masks = RandomMasks.drawn(6, cells, 0.4, plane, np.random.default_rng(1))
    cell = [int(np.ceil(side / cells)) for side in plane]
    assert (masks.shifts >= 0).all()
    assert (masks.shifts < cell).all()
    enlarged = [(cells + 1) * length for length in cell]
    for k, mask in enumerate(masks.rows(0, 6)):
        whole = resize(masks.cells[k], enlarged, order=1, mode="reflect", anti_aliasing=False)
        top, left = masks.shifts[k]
        np.testing.assert_allclose(mask, whole[top : top + plane[0], left : left + plane[1]], atol=1e-6)
    np.testing.assert_array_equal(masks.rows(2, 4), masks.rows(0, 6)[2:4])


def test_masks_keep_what_they_should() -> None:
    masks = RandomMasks.drawn(4000, 5, 0.3, (20, 20), np.random.default_rng(0))
    assert masks.cells.mean() == pytest.approx(0.3, abs=0.01)
    assert np.abs(masks.rows(0, 4000).mean(0) - 0.3).max() < 0.04
    assert len(np.unique(masks.shifts[:, 0])) == 4


@pytest.mark.parametrize("batch", ["N", 1])
def test_rise(batch: int | str) -> None:
    model = onnxray.open(models.lenet(batch), models.GREY)
    found = RISE(masks=60, cells=4, keep=0.4, fill="30")(model, X, 2, seed=5).items
    masks = RandomMasks.drawn(60, 4, 0.4, (14, 14), np.random.default_rng(5)).rows(0, 60)[:, None]
    for item, image in zip(found, X, strict=True):
        scores = softmax(logits(masks * image + (1 - masks) * 30))[:, 2]
        expected = (scores[:, None, None] * masks[:, 0]).sum(0) / 60 / 0.4
        np.testing.assert_allclose(item.heat, expected, rtol=1e-4)
        assert item.target == "probability of class 2"


@pytest.mark.parametrize("keep", [0.0, 1.0, 1.5, -0.5, float("nan")])
def test_a_mask_keeps_some_cells_and_not_all(keep: float) -> None:
    with pytest.raises(InputError, match="^keep is .*; a number between 0 and 1, neither of them, was expected$"):
        RISE(keep=keep)
