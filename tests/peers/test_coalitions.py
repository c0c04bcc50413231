"""LIME and KernelSHAP on files equal captum's, lime's and shap's on the network that the file came from, where they are
given the same superpixels and the same samples."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import onnxray
from conformance import zoo
from onnxray.images.profile.profile import Profile
from onnxray.methods.saliency.perturbation.coalitions import superpixels
from onnxray.methods.saliency.perturbation.kernel_shap import KernelSHAP, drawn_coalitions, shapley_fit
from onnxray.methods.saliency.perturbation.lime import LIME, drawn, kernel, local_fit
from peers.test_peers import needs
from support import exporting, models
from support.behind import Behind
from support.efficientnet import EfficientNetLite0

PHOTO = zoo.folder() / "data-photos" / "bvlc_cat.jpg"
SQUEEZENET = zoo.folder() / "squeezenet-v1.1-onnx" / "squeezenet_v1.1_fp32_from_fp16.onnx"
FITTED, RUN = 1e-6, 1e-4
"""As shares of the largest number: where only the fit is compared, and where two runtimes give the scores."""

Scores = Callable[[models.Array], models.Array]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    exporting.allow_torchvision()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def same(found: models.Array, expected: models.Array, tolerance: float) -> None:
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max(), rtol=0)


def limes(z: models.Array, scores: models.Array, width: float) -> tuple[models.Array, float, float]:
    """lime's own coefficients, R^2 and intercept, under our kernel, which is the paper's."""
    from lime.lime_base import LimeBase
    from sklearn.metrics import pairwise_distances

    data = z.astype(float)
    distances = pairwise_distances(data, data[:1], metric="cosine").ravel()
    base = LimeBase(lambda d: np.exp(-((d / width) ** 2)))
    intercept, found, share, _ = base.explain_instance_with_data(
        data, scores[:, None], distances, 0, data.shape[1], feature_selection="none"
    )
    return np.array([weight for _, weight in sorted(found)]), share, intercept


def shaps(scores: Callable[[models.Array], models.Array], parts: int, samples: int) -> models.Array:
    import shap

    explain = shap.KernelExplainer(scores, np.zeros((1, parts)))
    return np.asarray(explain.shap_values(np.ones((1, parts)), nsamples=samples, l1_reg=0, silent=True)).reshape(-1)


def captums(z: models.Array, scores: models.Array, weights: models.Array, fit: Any) -> models.Array:
    """captum's LimeBase on samples that are given: it draws, weighs and asks by our numbers."""
    from captum.attr import LimeBase

    known = {tuple(row): (score, weight) for row, score, weight in zip(z.tolist(), scores, weights)}
    rows = iter(torch.from_numpy(z.astype(np.float64)))

    def ask(x: torch.Tensor) -> torch.Tensor:
        return torch.tensor([known[tuple(bool(one) for one in row)][0] for row in x], dtype=torch.float64)

    def weigh(original: Any, perturbed: Any, interpretable: torch.Tensor, **kwargs: Any) -> float:
        return float(known[tuple(bool(one) for one in interpretable[0])][1])

    explain = LimeBase(
        ask, fit, weigh, lambda *args, **kwargs: next(rows)[None], perturb_interpretable_space=True,
        from_interp_rep_transform=lambda sample, *args, **kwargs: sample, to_interp_rep_transform=None,
    )  # fmt: skip
    found = explain.attribute(torch.ones(1, z.shape[1], dtype=torch.float64), n_samples=len(z), show_progress=False)
    return np.asarray(found).reshape(-1)


def game(parts: int, count: int) -> tuple[models.Array, models.Array]:
    random = np.random.default_rng(parts)
    z = drawn(count, parts, random)
    linear, both = random.standard_normal(parts), random.standard_normal((parts, parts))
    return z, z @ linear + np.tanh(np.einsum("mi,ij,mj->m", z.astype(float), both, z.astype(float)))


@needs("lime", "sklearn")
@pytest.mark.parametrize("parts", [4, 17, 60])
def test_limes_own_fit(parts: int) -> None:
    z, scores = game(parts, 300)
    ours, intercept, share = local_fit(z, scores, kernel(z, "cosine", 0.354), 1.0)
    expected, r_squared, level = limes(z, scores, 0.354)
    same(ours, expected, FITTED)
    assert share == pytest.approx(r_squared, abs=1e-6)
    assert intercept == pytest.approx(level, abs=1e-6)


@needs("captum", "sklearn")
@pytest.mark.parametrize("parts", [5, 20])
def test_captums_lime_and_kernel_shap_on_the_same_samples(parts: int) -> None:
    from captum._utils.models.linear_model import SkLearnLinearRegression, SkLearnRidge

    z, scores = game(parts, 400)
    z, first = np.unique(z, axis=0, return_index=True)  # theirs asks by the sample alone
    weights, scores = kernel(z, "euclidean", 3.0), scores[first]
    same(local_fit(z, scores, weights, 1.0)[0], captums(z, scores, weights, SkLearnRidge(alpha=1.0)), FITTED)
    present, own = drawn_coalitions(parts, 400, np.random.default_rng(2))
    random = np.random.default_rng(7)
    scores, full = random.standard_normal(len(present)), 1.5
    ends = np.array([[False] * parts, [True] * parts])
    # As its KernelShap does, theirs holds the ends by a large weight, and counts in float32.
    expected = captums(
        np.concatenate([present, ends]), np.append(scores, [0.0, full]), np.append(own, [1e6, 1e6]),
        SkLearnLinearRegression(),
    )  # fmt: skip
    same(shapley_fit(present, scores, own, 0.0, full), expected, 5e-3)


@needs("shap")
@pytest.mark.parametrize("parts", [5, 20, 60])
def test_shaps_own_fit(parts: int) -> None:
    import shap
    from shap.utils._legacy import IdentityLink

    present, weights = drawn_coalitions(parts, 400, np.random.default_rng(2))
    random = np.random.default_rng(7)
    scores, empty, full = random.standard_normal(len(present)), -0.5, 1.5
    theirs = shap.KernelExplainer.__new__(shap.KernelExplainer)
    theirs.link, theirs.linkfv, theirs.l1_reg, theirs.M = IdentityLink(), np.vectorize(IdentityLink().f), 0, parts
    theirs.maskMatrix, theirs.kernelWeights, theirs.ey = present.astype(float), weights, scores[:, None]
    theirs.fnull, theirs.fx = np.array([empty]), np.array([full])
    same(shapley_fit(present, scores, weights, empty, full), theirs.solve(1.0, 0)[0], FITTED)


@needs("shap")
@pytest.mark.parametrize("parts", [3, 8, 11])
def test_shaps_values_of_all_coalitions(parts: int) -> None:
    random = np.random.default_rng(parts)
    linear, both = random.standard_normal(parts), random.standard_normal((parts, parts))

    def scores(z: models.Array) -> models.Array:
        return np.asarray(z @ linear + np.tanh(np.einsum("mi,ij,mj->m", z, both, z)))

    present, weights = drawn_coalitions(parts, 2**parts, random)
    ends = float(scores(np.zeros((1, parts)))[0]), float(scores(np.ones((1, parts)))[0])
    found = shapley_fit(present, scores(present.astype(float)), weights, *ends)
    same(found, shaps(scores, parts, 2**parts), FITTED)


@needs("shap", "sklearn")
def test_shap_of_a_table_against_a_background(tmp_path: Path) -> None:
    import shap

    text = "t (float[N,6] x) => (float[N,3] z) { a = MatMul (x, v) b = Tanh (a) z = MatMul (b, w) }"
    v, w = models.random(0, 6, 8), models.random(1, 8, 3)
    model = onnxray.open(models.parse(text, {"v": v, "w": w}))
    x, background = models.random(2, 2, 6), models.random(3, 9, 6)
    np.save(tmp_path / "background.npy", background)
    items = KernelSHAP(background_samples=str(tmp_path / "background.npy"))(model, x, 1).items
    explain = shap.KernelExplainer(lambda rows: (np.tanh(rows @ v) @ w)[:, 1], background)
    expected = np.asarray(explain.shap_values(x.astype(np.float64), nsamples=100, l1_reg=0, silent=True))
    same(np.stack([item.heat for item in items]), expected, 1e-5)


def scores_of(net: Any, profile: Profile, image: models.Array, index: models.Array, class_: int) -> Scores:
    """The torch network's logit of the picture with superpixels in the profile's mean colour."""
    behind = Behind(net, profile).eval()
    colour = np.asarray(profile.mean_colour, np.float32).reshape(-1, 1, 1)

    def ask(z: models.Array) -> models.Array:
        there = np.asarray(z, bool)[:, index][:, None]
        pictures = np.where(there, image, colour).astype(np.float32)
        with torch.no_grad():
            parts = [behind(torch.from_numpy(pictures[k : k + 16]))[:, class_] for k in range(0, len(pictures), 16)]
        return np.asarray(torch.cat(parts), np.float64)

    return ask


def compared(model: onnxray.Model, net: Any, photo: Any, class_: int) -> None:
    assert model.profile is not None
    pixels = np.array(model.pixels(photo).array)
    six: dict[str, Any] = {"superpixels": "grid", "segments": 6}
    index = superpixels(pixels[0], "grid", 6, 0.0, np.random.default_rng(0)).index
    ask = scores_of(net, model.profile, pixels[0], index, class_)
    shapley = KernelSHAP(**six)(model, pixels, class_).items[0]
    assert shapley.numbers_["complete"]
    same(shapley.attribution, shaps(ask, 6, 64), RUN)
    item = LIME(samples=120)(model, pixels, class_, seed=4).items[0]
    index = item.more["parts"]
    random = np.random.default_rng(4)
    z = drawn(120, item.numbers_["parts"], random)
    ask = scores_of(net, model.profile, pixels[0], index, class_)
    expected, r_squared, _ = limes(z, ask(z), 0.354)
    same(item.attribution, expected, RUN)
    assert item.numbers_["r_squared"] == pytest.approx(r_squared, abs=1e-3)


@needs("lime", "shap", "sklearn")
@pytest.mark.skipif(not SQUEEZENET.exists(), reason="the trained SqueezeNet is not there")
def test_a_trained_squeezenet() -> None:
    from peers.test_class_activation import SqueezeNet

    compared(onnxray.open(SQUEEZENET, "caffe-imagenet"), SqueezeNet().eval(), PHOTO, 282)


@needs("lime", "shap", "sklearn")
@pytest.mark.skipif(not PHOTO.exists(), reason="the photographs are not there")
def test_a_trained_efficientnet(lite0: EfficientNetLite0) -> None:
    compared(onnxray.open(lite0.path), lite0.network, PHOTO, 285)


@needs("lime", "shap", "sklearn", "timm")
def test_a_vision_transformer(tmp_path: Path) -> None:
    net = exporting.timm_network("vit_tiny_patch16_224", img_size=64, depth=2)
    exporting.export(net, (torch.zeros(1, 3, 64, 64),), exporting.Exporter(False, 17), tmp_path / "net.onnx")
    profile = Profile(
        name="half", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0.5,) * 3, std=(0.25,) * 3, size=(64, 64)
    )
    y, x = np.mgrid[:64, :64] * 4.0
    picture = np.stack([y, x, (x + y) / 2])[None].astype(np.float32)
    compared(onnxray.open(tmp_path / "net.onnx", profile), net, picture, 3)
