"""Normalisations, products and sums against ONNX Runtime, where the node tests do not reach."""

from typing import Any

import numpy as np
import pytest
import torch

import onnxray
from onnxray.errors import UnsupportedOperator
from support.models import Array, node, random, run


def agrees(model: Any, feeds: dict[str, Array]) -> None:
    wanted = run(model, feeds)
    given = onnxray.to_torch(model, verify=False)(*(torch.from_numpy(feed) for feed in feeds.values()))
    given = [given] if isinstance(given, torch.Tensor) else given
    for one, other in zip(given, wanted, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-4, atol=1e-5)


def statistics(*shape: int) -> dict[str, Array]:
    return {"s": random(1, *shape), "b": random(2, *shape), "m": random(3, *shape), "v": np.abs(random(4, *shape))}


@pytest.mark.parametrize("opset", [7, 9, 14, 15])
def test_batch_normalisation(opset: int) -> None:
    for shape in ((2, 3), (2, 3, 4, 5)):
        x = random(0, *shape)
        agrees(node("BatchNormalization", {"x": x}, opset=opset, constants=statistics(3)), {"x": x})
        feeds = {"x": x, **statistics(3)}
        agrees(node("BatchNormalization", feeds, opset=opset), feeds)
        if opset >= 14:
            agrees(node("BatchNormalization", feeds, opset=opset, outputs=3, training_mode=1, momentum=0.7), feeds)


def test_batch_normalisation_of_every_place() -> None:
    feeds = {"x": random(0, 2, 3, 4), **statistics(3, 4)}
    agrees(node("BatchNormalization", feeds, opset=7, spatial=0), feeds)


def test_old_batch_normalisation_that_trains_is_refused() -> None:
    model = node("BatchNormalization", {"x": random(0, 2, 3, 4, 4)}, opset=6, constants=statistics(3))
    with pytest.raises(UnsupportedOperator, match="training mode"):
        onnxray.to_torch(model, verify=False)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_layer_normalisation_with_small_scales_and_statistics(axis: int) -> None:
    x = random(0, 2, 3, 4)
    feeds = {"x": x, "s": random(1, *x.shape[axis:])}
    agrees(node("LayerNormalization", feeds, opset=17, axis=axis, outputs=3), feeds)
    twin = onnxray.to_torch(node("LayerNormalization", {**feeds, "s": random(1, 4)}, opset=17, axis=axis), verify=False)
    whole = onnxray.to_torch(node("LayerNormalization", feeds, opset=17, axis=axis), verify=False)
    spread = np.broadcast_to(random(1, 4), x.shape[axis:]).copy()
    tensors = [torch.from_numpy(part) for part in (x, random(1, 4), spread)]
    torch.testing.assert_close(twin(tensors[0], tensors[1]), whole(tensors[0], tensors[2]))


def test_group_normalisation_of_both_kinds() -> None:
    x = random(0, 2, 6, 3, 3)
    for opset, size in ((18, 3), (21, 6)):
        feeds = {"x": x, "s": random(1, size), "b": random(2, size)}
        agrees(node("GroupNormalization", feeds, opset=opset, num_groups=3), feeds)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_local_response_normalisation_of_any_size_and_rank(size: int) -> None:
    x = random(0, 2, 5, 3, 3)
    stated = {"size": size, "alpha": 0.3, "beta": 0.6, "bias": 1.3}
    if size % 2:  # ONNX Runtime takes odd sizes alone
        agrees(node("LRN", {"x": x}, opset=13, **stated), {"x": x})
    flat = onnxray.to_torch(node("LRN", {"x": x[:, :, 0]}, opset=13, **stated), verify=False)
    whole = onnxray.to_torch(node("LRN", {"x": x}, opset=13, **stated), verify=False)
    torch.testing.assert_close(flat(torch.from_numpy(x[:, :, 0])), whole(torch.from_numpy(x))[:, :, 0])
    near = [slice(max(0, c - (size - 1) // 2), c + size // 2 + 1) for c in range(5)]
    sums = np.stack([(x[:, part] ** 2).sum(1) for part in near], axis=1)
    np.testing.assert_allclose(whole(torch.from_numpy(x)).numpy(), x / (1.3 + 0.3 / size * sums) ** 0.6, rtol=1e-4)


def test_norms_of_zeros_are_zero_and_so_are_their_slopes() -> None:
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    twin = onnxray.to_torch(node("LpNormalization", {"x": x.detach().numpy()}, opset=22, axis=1), verify=False)
    y = twin(x)
    assert y.tolist() == [[0.0, 0.0], [pytest.approx(0.6), pytest.approx(0.8)]]
    assert torch.isfinite(torch.autograd.grad(y.sum(), x)[0]).all()


@pytest.mark.parametrize("kind", [np.int32, np.uint32, np.uint64])
def test_products_of_whole_numbers_wrap_around(kind: Any) -> None:
    a, b = (np.random.default_rng(seed).integers(0, 2**31, (3, 3)).astype(kind) for seed in (0, 1))
    given = onnxray.to_torch(node("MatMul", {"a": a, "b": b}, opset=13), verify=False)(
        torch.from_numpy(a), torch.from_numpy(b)
    )
    assert given.tolist() == (a @ b).tolist()


def test_gemm_of_the_first_versions_broadcasts() -> None:
    feeds = {"a": random(0, 4, 3), "b": random(1, 4, 5), "c": random(2, 5)}
    twin = onnxray.to_torch(node("Gemm", feeds, opset=6, transA=1, broadcast=1, beta=0.5), verify=False)
    wanted = feeds["a"].T @ feeds["b"] + 0.5 * feeds["c"]
    np.testing.assert_allclose(twin(*map(torch.from_numpy, feeds.values())).numpy(), wanted, rtol=1e-5)
