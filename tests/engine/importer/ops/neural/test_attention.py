"""Attention, spectra and random numbers where the node tests do not reach."""

from typing import Any

import numpy as np
import pytest
import torch

import onnxray
from onnxray.errors import UnsupportedOperator
from support.models import node, random, run


def test_attention_is_what_torch_computes() -> None:
    q, k, v = (torch.from_numpy(random(seed, 2, 4, 5, 8)) for seed in range(3))
    feeds = {"q": q.numpy(), "k": k[:, :2].numpy(), "v": v[:, :2].numpy()}
    twin = onnxray.to_torch(node("Attention", feeds, opset=23, is_causal=1, scale=0.3), verify=False)
    wanted = torch.nn.functional.scaled_dot_product_attention(
        q, k[:, :2], v[:, :2], is_causal=True, scale=0.3, enable_gqa=True
    )
    torch.testing.assert_close(twin(q, k[:, :2], v[:, :2]), wanted)


def test_a_query_that_sees_nothing_has_zeros_and_finite_slopes() -> None:
    q, k, v = (torch.from_numpy(random(seed, 1, 1, 2, 4)).requires_grad_() for seed in range(3))
    mask = torch.tensor([[False, False], [True, False]])
    feeds = {name: part.detach().numpy() for name, part in zip("qkvm", (q, k, v, mask))}
    y = onnxray.to_torch(node("Attention", feeds, opset=23), verify=False)(q, k, v, mask)
    assert y[0, 0, 0].abs().sum() == 0
    assert all(torch.isfinite(slope).all() for slope in torch.autograd.grad(y.sum(), (q, k, v)))


def test_attention_that_does_not_say_its_heads_is_refused() -> None:
    x = random(0, 1, 2, 4)
    model = node("Attention", {"q": x, "k": x, "v": x}, opset=23, q_num_heads=2, kv_num_heads=2)
    del model.graph.node[0].attribute[:]
    with pytest.raises(UnsupportedOperator, match="how many heads"):
        onnxray.to_torch(model, verify=False)


@pytest.mark.parametrize("length", [None, 4, 7])
@pytest.mark.parametrize(("inverse", "onesided", "parts"), [(0, 0, 2), (0, 1, 1), (1, 0, 2), (1, 1, 2)])
def test_spectra(inverse: int, onesided: int, parts: int, length: int | None) -> None:
    x = random(0, 2, 6, 3, parts)
    constants = {} if length is None else {"n": np.array(length)}
    stated: dict[str, Any] = {"inverse": inverse, "onesided": onesided}
    old = node("DFT", {"x": x}, opset=17, constants=constants, axis=1, **stated)
    order = ["x", "n" if length else "", "a"]
    new = node("DFT", {"x": x}, opset=20, constants={**constants, "a": np.array(-3)}, order=order, **stated)
    for model in (old, new):
        given = onnxray.to_torch(model, verify=False)(torch.from_numpy(x))
        if inverse and onesided:  # ONNX Runtime takes all bins of a spectrum that is to be cut, the standard does not
            wanted = np.fft.irfft(x[..., 0] + 1j * x[..., 1], length, 1)[..., None]
        else:
            wanted = run(model, {"x": x})[0]
        np.testing.assert_allclose(given.numpy(), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("operator", ["RandomNormal", "RandomUniform"])
def test_seeds_repeat_and_numbers_lie_where_they_should(operator: str) -> None:
    stated = {"mean": 5.0, "scale": 0.1} if operator == "RandomNormal" else {"low": 4.9, "high": 5.1}
    twin = onnxray.to_torch(node(operator, {}, opset=22, shape=[1000], seed=3.0, **stated), verify=False)
    drawn = twin()
    assert torch.equal(drawn, twin())
    assert drawn.dtype == torch.float32
    assert abs(drawn.mean().item() - 5) < 0.02
    other = onnxray.to_torch(node(operator, {}, opset=22, shape=[1000], seed=4.0, **stated), verify=False)
    assert not torch.equal(drawn, other())


def test_classes_are_drawn_by_their_odds() -> None:
    x = np.log(np.array([[0.25, 0.75, 1e-9]], np.float32))
    twin = onnxray.to_torch(node("Multinomial", {"x": x}, opset=7, sample_size=2000, seed=1.0, dtype=7), verify=False)
    drawn = twin(torch.from_numpy(x))
    assert drawn.shape == (1, 2000)
    assert drawn.dtype == torch.int64
    assert abs(drawn.float().mean().item() - 0.75) < 0.05


@pytest.mark.parametrize("operator", ["Adam", "Gradient"])
def test_training_operators_are_refused_by_name(operator: str) -> None:
    from onnxray.importer.ops.neural.losses import CONVERTERS

    class Refusing:
        def refuse(self, reason: str) -> UnsupportedOperator:
            return UnsupportedOperator(reason)

    with pytest.raises(UnsupportedOperator, match="training"):
        CONVERTERS["ai.onnx.preview.training", operator, 1](Refusing())  # type: ignore[arg-type]
