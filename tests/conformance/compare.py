"""Whether what torch gives is what the case wants: shapes and types exactly, real numbers to the case's tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from onnxray.importer.nodes.weights import torch_tensor

RTOL = {torch.bfloat16: 2**-6, torch.float16: 2**-9}
"""At least so much for the short floats, compared in float32: two units in the last place, as onnx's own runner has it
for bfloat16. float8, whole numbers (4-bit ones too) and truth values must be equal."""

NOISE = 2**-21
"""float32 is let off 4 units in the last place of the output's largest number: what sums cancel to is left with that
much, and with another rest on every machine (the inverse of a Fourier transform)."""


def tensors(value: Any) -> Any:
    """Arrays as tensors, bit for bit. Errors: UnsupportedOperator for types that torch does not hold."""
    if isinstance(value, list):
        return [tensors(part) for part in value]
    return None if value is None else torch_tensor(value.copy(), "input")


def difference(got: Any, want: Any, rtol: float, atol: float, *, values: bool = True) -> str | None:
    """What differs, in words; None where nothing does. ``values``: compare the numbers, not only shapes and types."""
    if isinstance(want, list):
        if not isinstance(got, list | tuple) or len(got) != len(want):
            return f"a sequence of {len(want)} was wanted, not {_described(got)}"
        found = (difference(g, w, rtol, atol, values=values) for g, w in zip(got, want))
        return next((words for words in found if words), None)
    if want is None or not isinstance(got, torch.Tensor):
        return None if got is want else f"{_described(want)} was wanted, not {_described(got)}"
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"{_described(want)} was wanted, not {_described(got)}"
    return _numbers(got.detach(), want, max(rtol, RTOL.get(want.dtype, 0.0)), atol) if values else None


def _numbers(got: torch.Tensor, want: torch.Tensor, rtol: float, atol: float) -> str | None:
    if want.dtype.is_complex:
        got, want = torch.view_as_real(got.resolve_conj()), torch.view_as_real(want)
    if not want.is_floating_point() or want.dtype.itemsize == 1:
        same = got == want if not want.is_floating_point() else got.float().eq(want.float()) | _both_nan(got, want)
    else:
        largest = want.double().abs().nan_to_num(posinf=0).max() if want.dtype == torch.float32 and want.numel() else 0
        noise = max(atol, NOISE * float(largest))
        same = torch.isclose(got.double(), want.double(), rtol=rtol, atol=noise, equal_nan=True)
    if bool(same.all()):
        return None
    a, b = (np.atleast_1d(t[~same].double().numpy())[:3] for t in (got, want))
    return f"{int((~same).sum())} of {same.numel()} differ: {a} for {b}"


def _both_nan(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a.float().isnan() & b.float().isnan()


def _described(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    return f"a sequence of {len(value)}" if isinstance(value, list | tuple) else repr(value)
