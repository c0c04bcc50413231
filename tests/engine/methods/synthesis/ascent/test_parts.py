"""Regularisers and parametrisations against their formulas restated in numpy, and their gradients against differences."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from onnxray.errors import InputError
from onnxray.methods.synthesis.ascent.parametrizations import COLOUR_CORRELATION, Fourier, Pixels
from onnxray.methods.synthesis.ascent.regularizers import AlphaNorm, Regularizer, TotalVariation

MEAN = (120.0, 110.0, 100.0)


def images(seed: int = 0, shape: tuple[int, ...] = (2, 3, 6, 7)) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, shape)


def total_variation(x: np.ndarray, beta: float, floor: float = 1e-5) -> np.ndarray:
    found = np.zeros(len(x))
    for n, c, i, j in np.ndindex(*x.shape):
        across = x[n, c, i, j + 1] - x[n, c, i, j] if j + 1 < x.shape[3] else 0.0
        down = x[n, c, i + 1, j] - x[n, c, i, j] if i + 1 < x.shape[2] else 0.0
        found[n] += (across**2 + down**2 + (0 if beta == 2 else floor)) ** (beta / 2)
    return found


def alpha_norm(x: np.ndarray, alpha: float, *, by_pixel: bool) -> np.ndarray:
    moved = x - np.reshape(MEAN, (1, 3, 1, 1))
    size = np.sqrt((moved**2).sum(1)) if by_pixel else np.abs(moved)
    return (size**alpha).reshape(len(x), -1).sum(1)


CASES: list[tuple[Regularizer, Callable[[np.ndarray], np.ndarray]]] = [
    (TotalVariation(weight=3, beta=1, scale=0.1), lambda x: 0.1 * total_variation(x, 1)),
    (TotalVariation(weight=3, beta=2), lambda x: total_variation(x, 2)),
    (TotalVariation(weight=3, beta=1.5), lambda x: total_variation(x, 1.5)),
    (AlphaNorm(weight=3, alpha=6, centre=MEAN, scale=1e-6), lambda x: 1e-6 * alpha_norm(x, 6, by_pixel=False)),
    (AlphaNorm(weight=3, alpha=3, centre=MEAN), lambda x: alpha_norm(x, 3, by_pixel=False)),
    (AlphaNorm(weight=3, alpha=6, centre=MEAN, by_pixel=True), lambda x: alpha_norm(x, 6, by_pixel=True)),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_a_regulariser_is_its_formula_and_its_gradient_that_formulas_difference(case: int):
    regularizer, formula = CASES[case]
    x = images()
    variable = torch.from_numpy(x).requires_grad_()
    penalty = regularizer.penalty(variable)
    assert penalty.detach().numpy() == pytest.approx(formula(x), rel=1e-9)
    penalty.sum().backward()
    assert variable.grad is not None
    direction = np.random.default_rng(1).standard_normal(x.shape)
    step = 1e-4
    difference = (formula(x + step * direction) - formula(x - step * direction)) / (2 * step)
    slope = (variable.grad.numpy() * direction).reshape(2, -1).sum(1)
    assert slope == pytest.approx(difference, rel=1e-5)


def test_total_variation_has_a_finite_gradient_where_nothing_varies_and_pulls_small_steps_flat():
    x = torch.full((1, 1, 4, 4), 9.0, dtype=torch.float64)
    flat = x.clone().requires_grad_()
    TotalVariation(weight=1, beta=1).penalty(flat).sum().backward()
    assert flat.grad is not None
    assert not flat.grad.any()
    x[0, 0, 1, 1] += 1e-3  # below the floor, where a clamp would have no gradient
    bump = x.requires_grad_()
    TotalVariation(weight=1, beta=1).penalty(bump).sum().backward()
    assert bump.grad is not None
    assert bump.grad[0, 0, 1, 1] > 0


@pytest.mark.parametrize(("alpha", "by_pixel"), [(0.5, False), (1.0, True), (float("nan"), False)])
def test_exponents_without_a_finite_gradient_are_refused(alpha: float, by_pixel: bool):
    with pytest.raises(InputError, match="alpha is"):
        AlphaNorm(weight=1, alpha=alpha, by_pixel=by_pixel)


def fourier_image(z: np.ndarray, width: int, decay: float, *, decorrelated: bool) -> np.ndarray:
    """255 sigmoid(C irfft2(s_f z) / 4)."""
    height = z.shape[2]
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    scale = np.sqrt(width * height) / np.maximum(np.hypot(rows, columns), 1 / max(width, height)) ** decay
    flat = np.fft.irfft2(z * scale, s=(height, width)) / 4
    if decorrelated:
        matrix = np.array(COLOUR_CORRELATION)
        matrix = matrix / np.sqrt((matrix**2).sum(0)).max()
        flat = np.stack([sum(matrix[d, c] * flat[:, c] for c in range(3)) for d in range(3)], axis=1)
    return 255 / (1 + np.exp(-flat))


@pytest.mark.parametrize(
    ("shape", "decay", "decorrelated"),
    [((2, 3, 6, 7), 1.0, True), ((1, 3, 8, 6), 0.5, False), ((2, 1, 5, 9), 1.0, True)],
)
def test_the_fourier_parametrisation_is_its_formula_and_its_gradient_the_difference(shape, decay, decorrelated):
    parametrization = Fourier(decay=decay, decorrelated=decorrelated, deviation=0.5)
    parameters = parametrization.start(shape, torch.Generator().manual_seed(0), None)
    variable = parameters[0].requires_grad_()
    x = parametrization.image(parameters)
    assert x.shape == shape
    z = variable.detach().double().numpy()
    colours = decorrelated and shape[1] == 3
    expected = fourier_image(z[..., 0] + 1j * z[..., 1], shape[3], decay, decorrelated=colours)
    np.testing.assert_allclose(x.detach().numpy(), expected, atol=2e-3)
    weights = np.random.default_rng(2).standard_normal(shape)
    (x * torch.from_numpy(weights).float()).sum().backward()
    assert variable.grad is not None
    direction = np.random.default_rng(3).standard_normal(z.shape)
    step = 1e-4
    moved = [z + sign * step * direction for sign in (1, -1)]
    plus, minus = (fourier_image(m[..., 0] + 1j * m[..., 1], shape[3], decay, decorrelated=colours) for m in moved)
    difference = ((plus - minus) * weights).sum() / (2 * step)
    assert float((variable.grad.double().numpy() * direction).sum()) == pytest.approx(difference, rel=2e-3, abs=0.05)


@pytest.mark.parametrize("shape", [(2, 3, 6, 7), (1, 3, 9, 8), (2, 1, 1, 1), (1, 1, 2, 2)])
def test_the_gradient_of_the_inverse_transform_is_torchs_own(shape):
    parametrization = Fourier(decorrelated=False, deviation=0.5)
    parameters = parametrization.start(shape, torch.Generator().manual_seed(0), None)
    variable, cotangent = parameters[0].requires_grad_(), torch.randn(shape)
    (ours,) = torch.autograd.grad(parametrization.image(parameters), variable, cotangent)
    flat = torch.fft.irfft2(torch.view_as_complex(variable * parameters[2]), s=shape[2:])
    (theirs,) = torch.autograd.grad(255 * torch.sigmoid(flat), variable, cotangent)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-5 * float(theirs.abs().max()))


def test_fourier_starts_from_no_image():
    with pytest.raises(InputError, match="starts from noise"):
        Fourier().start((1, 3, 4, 4), torch.Generator(), torch.zeros(1, 3, 4, 4))


def test_pixels_start_about_the_mean_or_from_a_copy_of_the_image():
    (noise,) = Pixels(mean=MEAN, noise=10).start((4, 3, 50, 50), torch.Generator().manual_seed(0), None)
    assert noise.mean((0, 2, 3)).numpy() == pytest.approx(np.array(MEAN), abs=0.5)
    assert float(noise.std((0, 2, 3)).mean()) == pytest.approx(10, rel=0.02)
    image = torch.zeros(1, 3, 4, 4)
    (start,) = Pixels().start((1, 3, 4, 4), torch.Generator(), image)
    start += 1
    assert not image.any()
