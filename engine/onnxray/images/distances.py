"""How far a perturbed image is from its origin: L2, Linf, SSIM and PASS, all in grey levels.

Images are CHW arrays, uint8 or float, in [0, 255], with 1 (grey) or 3 (RGB) channels. Nothing here rounds, and the
interpolation is scikit-image's in double precision, so whoever holds the two PNGs and the homography can compute every
number again with numpy and scikit-image alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError

__all__ = ["NO_PASS", "PassScore", "l2", "linf", "perceptual_similarity", "similarities", "ssim", "warp"]

Homography = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
_Image = NDArray[np.float64]

_IDENTITY: Homography = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_SSIM_WINDOW = 11
# Iterations at most, and the least gain of the correlation that is worth another one. The papers give neither. OpenCV's
# own (50, 1e-3) stops early: over 52 pairs (photographs and digits, 28 to 224 px, shifted, rotated, noisy) it left up
# to 0.013 of PASS behind, these at most 0.0005 against (2000, 1e-10), at 8 ms a pair on two cores.
_ECC_ITERATIONS = 200
_ECC_EPSILON = 1e-6
# A homography that makes the picture ten times larger or smaller is a failed alignment, not a change of pose.
_AREA_RATIO = 10.0
_LUMA = np.array([0.299, 0.587, 0.114])


def l2(a: NDArray[Any], b: NDArray[Any]) -> float:
    """||a - b||_2 = sqrt(sum (a - b)^2) over all pixels and channels, in grey levels.

    ``a`` and ``b`` have one shape, whatever it is; InputError otherwise.
    """
    return float(np.sqrt(np.sum(np.square(_difference(a, b)))))


def linf(a: NDArray[Any], b: NDArray[Any]) -> float:
    """||a - b||_inf = max |a - b| over all pixels and channels, in grey levels.

    ``a`` and ``b`` have one shape, whatever it is; InputError otherwise.
    """
    return float(np.max(np.abs(_difference(a, b)), initial=0.0))


def ssim(a: NDArray[Any], b: NDArray[Any]) -> float:
    """SSIM = mean (2 m_a m_b + C1)(2 s_ab + C2) / ((m_a^2 + m_b^2 + C1)(s_a^2 + s_b^2 + C2)), mean over channels.

    Means, variances and covariance under 11x11 Gaussian weights of sigma 1.5, at every pixel whose whole window lies
    in the image; C1 = (0.01 * 255)^2, C2 = (0.03 * 255)^2 (Wang et al. 2004). ``a`` and ``b`` are CHW images of one
    shape; InputError where they differ, are not finite, or are below 11 pixels on a side.
    """
    return _ssim(*_pair(a, b))


NO_PASS: Final[Mapping[str, Any]] = MappingProxyType(
    {"pass": None, "aligned": False, "homography": None, "correlation": None, "alignment_note": None}
)
"""What a document states where there is no PASS."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PassScore:
    """A perceptual adversarial similarity score, and what is needed to compute it again."""

    score: float
    """PASS: SSIM between the perturbed image, warped by ``homography``, and the origin; at most 1."""
    ssim: float
    """SSIM between the two images as they are."""
    aligned: bool
    """Whether ``homography`` is an alignment that was found; where False it is the identity."""
    homography: Homography
    """Maps a pixel (x, y, 1) of the origin to the place in the perturbed image that is compared with it."""
    correlation: float | None
    """The enhanced correlation coefficient that the alignment reached; None where none was looked for or taken."""
    reason: str | None
    """Why there is no alignment; None where there is."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "pass": self.score, "aligned": self.aligned, "homography": [list(row) for row in self.homography],
            "correlation": self.correlation, "alignment_note": self.reason,
        }  # fmt: skip

    @classmethod
    def restore(cls, document: Mapping[str, Any]) -> Self:
        """From JSON, where ``ssim`` stands beside it."""
        (a, b, c), (d, e, f), (g, h, i) = document["homography"]
        return cls(
            score=document["pass"], ssim=document["ssim"], aligned=document["aligned"],
            homography=((a, b, c), (d, e, f), (g, h, i)), correlation=document["correlation"],
            reason=document["alignment_note"],
        )  # fmt: skip


def perceptual_similarity(perturbed: NDArray[Any], origin: NDArray[Any]) -> PassScore:
    """PASS(x~, x) = SSIM(psi(x~, x), x), with psi the homography warp of x~ that is most like x.

    psi maximises the enhanced correlation coefficient between the zero-mean, unit-norm luma of the warped x~ and of x
    (Rozsa, Rudd, Boult 2016, arXiv 1605.01775, section 3). Asymmetric: the perturbed image is warped onto the origin.
    Equal images score exactly 1.

    Both images are CHW of one shape, grey levels in [0, 255]; InputError where they are not finite or below 11 pixels
    on a side.

    The paper does not say how it aligned. Ours, so that a number can be compared: OpenCV's findTransformECC from the
    identity, at most 200 iterations, until the coefficient gains less than 1e-6, no smoothing; bilinear interpolation,
    outside pixels take the nearest edge's value. Also ours, not the paper's: where OpenCV finds no alignment, where it
    is degenerate, and where it lowers the SSIM, the images are compared as they are, and ``reason`` says so. Note that
    interpolation smooths, so that noise alone can gain a little by being aligned (up to 0.03 measured).
    """
    moving, fixed = _pair(perturbed, origin)
    plain = _ssim(moving, fixed)
    if np.array_equal(moving, fixed):
        return PassScore(score=1.0, ssim=1.0, aligned=True, homography=_IDENTITY, correlation=None, reason=None)

    def unaligned(reason: str) -> PassScore:
        return PassScore(score=plain, ssim=plain, aligned=False, homography=_IDENTITY, correlation=None, reason=reason)

    found = _align(moving, fixed)
    if isinstance(found, str):
        return unaligned(found)
    correlation, homography = found
    score = _ssim(_warp(moving, homography), fixed)
    if score < plain:
        return unaligned(f"alignment lowers the SSIM from {plain:.4f} to {score:.4f}")
    return PassScore(score=score, ssim=plain, aligned=True, homography=homography, correlation=correlation, reason=None)


def similarities(perturbed: NDArray[Any], origin: NDArray[Any]) -> tuple[PassScore | None, float | None, str | None]:
    """PASS and SSIM, or the reason why there are none: images below 11 pixels on a side."""
    try:
        return perceptual_similarity(perturbed, origin), ssim(perturbed, origin), None
    except InputError as error:
        return None, None, f"no SSIM and PASS: {error}"


def warp(image: NDArray[Any], homography: Sequence[Sequence[float]]) -> _Image:
    """out(x, y) = image(H (x, y, 1)): bilinear, the nearest edge's value outside, float64, not rounded.

    ``image`` is CHW in any unit, ``homography`` 3x3 in pixels, with (0, 0) the centre of the first one. The same as
    ``skimage.transform.warp(channel, ProjectiveTransform(H), order=1, mode="edge", preserve_range=True)``: OpenCV's
    own warp computes in fixed point, which nobody else could repeat. InputError for other shapes and for numbers that
    are not finite.
    """
    matrix = np.asarray(homography, dtype=np.float64)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise InputError(f"a homography is 3x3 and finite, not {matrix.tolist()}")
    return _warp(_image(image, "image"), matrix)


def _difference(a: NDArray[Any], b: NDArray[Any]) -> _Image:
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise InputError(f"images of shapes {first.shape} and {second.shape} cannot be compared; expected one shape")
    return first - second


def _image(image: NDArray[Any], name: str) -> _Image:
    array = np.ascontiguousarray(image, dtype=np.float64)
    if array.ndim != 3 or array.shape[0] not in (1, 3) or array.size == 0:
        raise InputError(f"{name} has shape {array.shape}; expected (1 or 3, height, width)")
    if not np.isfinite(array).all():
        raise InputError(f"{name} has values that are not finite")
    return array


def _pair(a: NDArray[Any], b: NDArray[Any]) -> tuple[_Image, _Image]:
    first, second = _image(a, "the first image"), _image(b, "the second image")
    if first.shape != second.shape:
        raise InputError(f"images of shapes {first.shape} and {second.shape} cannot be compared; expected one shape")
    height, width = first.shape[1:]
    if min(height, width) < _SSIM_WINDOW:
        raise InputError(f"SSIM is not defined for {width}x{height} pixels: its window is {_SSIM_WINDOW} on a side")
    return first, second


def _ssim(a: _Image, b: _Image) -> float:
    from skimage.metrics import structural_similarity

    # Truncated at 3.5 sigma, the Gaussian has 11 taps; scikit-image then averages over the whole windows alone.
    return float(
        structural_similarity(
            a, b, channel_axis=0, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )


def _warp(image: _Image, homography: Any) -> _Image:
    from skimage.transform import ProjectiveTransform
    from skimage.transform import warp as resample

    transform = ProjectiveTransform(np.asarray(homography, dtype=np.float64))
    return np.stack([resample(c, transform, order=1, mode="edge", preserve_range=True) for c in image])


def _luma(image: _Image) -> NDArray[np.float32]:
    grey = image[0] if image.shape[0] == 1 else np.tensordot(_LUMA, image, axes=1)
    return np.ascontiguousarray(grey, dtype=np.float32)


def _align(moving: _Image, fixed: _Image) -> tuple[float, Homography] | str:
    """The correlation and the homography, from fixed's pixels to moving's, of the best alignment; or why there is none.

    The same for any number of threads: OpenCV sums the normal equations in one of them (compared, bit by bit).
    """
    import cv2

    template, pixels = _luma(fixed), _luma(moving)
    if np.ptp(template) == 0.0 or np.ptp(pixels) == 0.0:
        return "an image of one grey level cannot be aligned"
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _ECC_ITERATIONS, _ECC_EPSILON)
    start = np.eye(3, dtype=np.float32)
    try:
        # By position: the names differ among versions. The last is the size of a smoothing filter, 1 for none: its
        # border makes the scale come out too small (opencv issue 29774).
        rho, found = cv2.findTransformECC(template, pixels, start, cv2.MOTION_HOMOGRAPHY, criteria, None, 1)
    except cv2.error as error:
        if error.code == cv2.Error.StsBadArg:  # this OpenCV takes other arguments: our fault, no property of the images
            raise
        return f"OpenCV finds no alignment: {error.err}"
    matrix = np.asarray(found, dtype=np.float64)
    flaw = _flaw(matrix, *template.shape)
    if flaw is not None or not math.isfinite(rho):
        return f"OpenCV's alignment is degenerate: {flaw or 'correlation is not finite'}"
    rows = (matrix / matrix[2, 2]).tolist()
    return float(rho), (tuple(rows[0]), tuple(rows[1]), tuple(rows[2]))


def _flaw(matrix: _Image, height: int, width: int) -> str | None:
    """What keeps a homography from being a change of pose of a picture of that size; None if nothing does."""
    if not np.isfinite(matrix).all():
        return "not finite"
    right, bottom = width - 1.0, height - 1.0
    corners = np.array([[0.0, 0.0, 1.0], [right, 0.0, 1.0], [right, bottom, 1.0], [0.0, bottom, 1.0]])
    x, y, depth = matrix @ corners.T
    if matrix[2, 2] <= 0.0 or (depth <= 0.0).any():
        return "the horizon crosses the image"
    x, y = x / depth, y / depth
    area = 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / (right * bottom)
    if not 1.0 / _AREA_RATIO < area < _AREA_RATIO:
        return f"areas change {area:.3g}-fold"
    return None
