"""Cast to few bits: by ONNX Runtime."""

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

import onnxray
from support import importing, models


@pytest.mark.parametrize(("kind", "number"), [("int4", 22), ("uint4", 21)])
def test_reals_are_rounded_to_four_bits_as_onnx_runtime_does(kind: str, number: int) -> None:
    """Halves away from zero, then the lowest four bits."""
    x = np.arange(-20, 20.1, 0.25, np.float32)
    text = f"g (float[N] x) => (float[N] y) {{ q = Cast <to = {number}> (x) y = Cast <to = 1> (q) }}"
    importing.assert_same(models.parse(text, opset=21), {"x": x})


@pytest.mark.parametrize(("kind", "number"), [("INT4", 22), ("UINT4", 21), ("INT2", 26), ("UINT2", 25)])
def test_beyond_onnx_runtime_they_are_truncated_as_the_reference_does(kind: str, number: int) -> None:
    if onnx.defs.onnx_opset_version() < 28:
        pytest.skip("this onnx has no Cast-28")
    x = np.arange(-20, 20.1, 0.25, np.float32)
    text = f"g (float[N] x) => (float[N] y) {{ q = Cast <to = {number}> (x) y = Cast <to = 1> (q) }}"
    model = models.parse(text, opset=28, ir=onnx.IR_VERSION)
    found = onnxray.to_torch(model, verify=False)(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(found, ReferenceEvaluator(model).run(None, {"x": x})[0])
