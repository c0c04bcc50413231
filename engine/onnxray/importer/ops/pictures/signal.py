"""DFT, STFT, windows and mel weights, all versions: DFT-20 takes its axis as an input, by default the last but one.

Half precision is transformed in float32.
"""

from __future__ import annotations

import math

import numpy as np
import onnx
import torch
from torch import nn

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.ops.neural.normalization import widened


def _complex(x: torch.Tensor) -> torch.Tensor:
    """(…, 1) as real numbers, (…, 2) as complex ones."""
    return x[..., 0] if x.shape[-1] == 1 else torch.view_as_complex(x.contiguous())


class DFT(nn.Module):
    """y[k] = sum of x[n] e^(-2 pi i k n / N), or the inverse; one-sided: the half that is not mirrored, in and out."""

    def __init__(self, axis: int, inverse: bool, onesided: bool) -> None:
        super().__init__()
        self.axis, self.inverse, self.onesided = axis, inverse, onesided

    def forward(
        self, x: torch.Tensor, length: torch.Tensor | None = None, axis: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Transform; a signal is cut or filled up with zeros to the length."""
        dim = self.axis if axis is None else int(axis.item())
        dim = dim + x.ndim if dim < 0 else dim
        n = None if length is None else int(length.item())
        signal = _complex(widened(x))
        if self.inverse and self.onesided:
            real: torch.Tensor = torch.fft.irfft(signal, n, dim)
            return real.unsqueeze(-1).to(x.dtype)
        if self.inverse:
            spectrum = torch.fft.ifft(signal, n, dim)
        elif self.onesided and not signal.is_complex():
            spectrum = torch.fft.rfft(signal, n, dim)
        else:
            spectrum = torch.fft.fft(signal, n, dim)
            if self.onesided:
                spectrum = spectrum.narrow(dim, 0, spectrum.shape[dim] // 2 + 1)
        return torch.view_as_real(spectrum.resolve_conj()).to(x.dtype)


def _dft(scope: Scope) -> Converted:
    get = scope.attributes.get
    axis = int(get("axis", 1)) if scope.version < 20 else -2
    return Converted(DFT(axis, bool(get("inverse", 0)), bool(get("onesided", 0))), scope.node.inputs)


class STFT(nn.Module):
    """The DFT of every frame of the signal, each times the window."""

    def __init__(self, onesided: bool) -> None:
        super().__init__()
        self.onesided = onesided

    def forward(
        self,
        x: torch.Tensor,
        step: torch.Tensor,
        window: torch.Tensor | None = None,
        length: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Frames that the signal does not fill are left out."""
        size = x.shape[1] if length is None else int(length.item())
        size = window.shape[0] if length is None and window is not None else size
        frames = widened(x).unfold(1, size, int(step.item()))  # (batch, frames, 1 or 2, size)
        if window is not None:
            frames = frames * widened(window)
        signal = _complex(frames.transpose(2, 3))
        if self.onesided and not signal.is_complex():
            spectrum = torch.fft.rfft(signal)
        else:
            spectrum = torch.fft.fft(signal)
            spectrum = spectrum[..., : size // 2 + 1] if self.onesided else spectrum
        return torch.view_as_real(spectrum.resolve_conj()).to(x.dtype)


def _stft(scope: Scope) -> Converted:
    return Converted(STFT(bool(scope.attributes.get("onesided", 1))), scope.node.inputs)


_COSINES = {
    "HannWindow": (0.5, -0.5, 0.0),
    "HammingWindow": (25 / 46, -21 / 46, 0.0),
    "BlackmanWindow": (0.42, -0.5, 0.08),
}


class Window(nn.Module):
    """a + b cos(2 pi n / N) + c cos(4 pi n / N); N is the size, or one less where the window is symmetric."""

    def __init__(self, cosines: tuple[float, float, float], periodic: bool, dtype: torch.dtype) -> None:
        super().__init__()
        self.cosines, self.periodic, self.dtype = cosines, periodic, dtype

    def forward(self, size: torch.Tensor) -> torch.Tensor:
        """Make the window, in double precision first."""
        count = int(size.item())
        turns = torch.arange(count, dtype=torch.float64, device=size.device) / (count if self.periodic else count - 1)
        a, b, c = self.cosines
        return (a + b * torch.cos(2 * math.pi * turns) + c * torch.cos(4 * math.pi * turns)).to(self.dtype)


def _window(scope: Scope) -> Converted:
    periodic = bool(scope.attributes.get("periodic", 1))
    module = Window(_COSINES[scope.node.operator], periodic, output_type(scope, "output_datatype"))
    return Converted(module, scope.node.inputs)


class MelWeightMatrix(nn.Module):
    """Triangles over the bins of a one-sided spectrum, evenly spaced on the mel scale 2595 log10(1 + f / 700).

    It depends on sizes and frequencies by rounding and has no gradient.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(
        self, bands: torch.Tensor, length: torch.Tensor, rate: torch.Tensor, low: torch.Tensor, high: torch.Tensor
    ) -> torch.Tensor:
        """Make the matrix, on the CPU."""
        count, size = int(bands.item()), int(length.item())
        first, last = (2595 * np.log10(1 + float(edge.item()) / 700) for edge in (low, high))
        mels = first + np.arange(count + 2) * (last - first) / (count + 2)
        edges = np.floor((size + 1) * 700 * (10 ** (mels / 2595) - 1) / int(rate.item())).astype(np.int64)
        matrix = np.zeros((size // 2 + 1, count))
        for band in range(count):
            left, centre, right = (int(edge) for edge in edges[band : band + 3])
            if left == centre:
                matrix[centre, band] = 1
            else:
                matrix[left : centre + 1, band] = (np.arange(left, centre + 1) - left) / (centre - left)
            if right > centre:
                matrix[centre:right, band] = (right - np.arange(centre, right)) / (right - centre)
        return torch.from_numpy(matrix).to(bands.device, self.dtype)


def _mel(scope: Scope) -> Converted:
    return Converted(MelWeightMatrix(output_type(scope, "output_datatype")), scope.node.inputs)


def output_type(scope: Scope, attribute: str) -> torch.dtype:
    """The torch type that an attribute names, float32 by default."""
    name = str(onnx.helper.tensor_dtype_to_np_dtype(int(scope.attributes.get(attribute, 1))))
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype):
        raise scope.refuse(f"its {attribute} is {name}, which torch does not hold")
    return dtype


CONVERTERS: Converters = {
    **for_versions("DFT", (17, 20), _dft),
    **for_versions("STFT", (17,), _stft),
    **for_versions("HannWindow", (17,), _window),
    **for_versions("HammingWindow", (17,), _window),
    **for_versions("BlackmanWindow", (17,), _window),
    **for_versions("MelWeightMatrix", (17,), _mel),
}
