"""Cast to few bits: by ONNX Runtime."""

import numpy as np
import pytest

from support import importing, models


@pytest.mark.parametrize(("kind", "number"), [("int4", 22), ("uint4", 21)])
def test_reals_are_rounded_to_four_bits_as_onnx_runtime_does(kind: str, number: int) -> None:
    """Halves away from zero, then the lowest four bits."""
    x = np.arange(-20, 20.1, 0.25, np.float32)
    text = f"g (float[N] x) => (float[N] y) {{ q = Cast <to = {number}> (x) y = Cast <to = 1> (q) }}"
    importing.assert_same(models.parse(text, opset=21), {"x": x})
