"""What relevance does at each node that is no linear layer, by hand in numpy; and that the forward pass is the twin's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import onnxray
from onnxray.importer.imported_module import forward_all
from onnxray.importer.relevance.assignment import assign
from onnxray.importer.relevance.relevance_walk import relevance_cut
from onnxray.importer.relevance.rules import Epsilon
from support import models
from support.trusted import trusted

Array = NDArray[Any]

X = models.random(1, 2, 4, 6)
K = {"k": models.random(2, 6), "w": models.random(3, 6, 6), "l": models.random(5, 4, 4)}
E = 1e-6


def relevance(lines: str, start: Array, x: Array = X, shape: str = "N,4,6", **options: Any) -> Array:
    """What comes to x from R = start at z; every linear layer by the epsilon rule."""
    text = f"net (float[{shape}] x) => (float[N,k...] z) {{ {lines} }}".replace("k...", "a,b")
    model = onnxray.open(models.parse(text, K, **options))
    trusted(model)
    importer = model.twin.importer
    plan = assign(importer, ("z",), lambda layer, first: Epsilon(E))
    leaf = torch.tensor(x, requires_grad=True)
    ledger = torch.zeros((), requires_grad=True)
    (value,) = forward_all(relevance_cut(importer, ("z",), plan), (leaf, ledger))
    np.testing.assert_allclose(value.detach().numpy(), models.run(models.parse(text, K, **options), {"x": x})[0],
                               rtol=1e-4, atol=1e-5)  # fmt: skip
    found, kept = torch.autograd.grad(value, [leaf, ledger], torch.tensor(start), allow_unused=True)
    assert kept is None or kept.ndim == 0
    return np.asarray(found.numpy())


def stable(z: Array) -> Array:
    return z + np.where(z < 0, -E, E)


def of(shape: tuple[int, ...] = X.shape) -> Array:
    return models.random(8, *shape)


def tanh(x: Array) -> tuple[Array, Array, Array]:
    """Two values behind x, and R."""
    return np.tanh(x), x @ K["w"], of()


def dense(x: Array, r: Array, w: Array) -> Array:
    """The epsilon rule of x w."""
    return np.asarray(x * (r / stable(x @ w) @ w.T))


def softmaxed(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def attention(x: Array, r: Array) -> Array:
    """AttnLRP by hand: half to each factor of both products, softmax between them."""
    s = x @ x.swapaxes(1, 2)
    a = softmaxed(s)
    c = r / stable(2 * (a @ x))
    to_a, to_v = a * (c @ x.swapaxes(1, 2)), x * (a.swapaxes(1, 2) @ c)
    to_s = s * (to_a - a * to_a.sum(-1, keepdims=True))
    d = to_s / stable(2 * s)
    return np.asarray(to_v + x * (d @ x) + x * (d.swapaxes(1, 2) @ x))


CASES: dict[str, tuple[str, Callable[[Array, Array], Array]]] = {
    "an activation": ("a = Sigmoid (x)\n z = Selu (a)", lambda x, r: r),
    "relu6": ("z = Clip (x, low, high)\n low = Constant <value_float = 0.0> ()\n high = Constant <value_float = 6.0> ()",
              lambda x, r: r),
    "a factor": ("z = Mul (k, x)", lambda x, r: r),
    "a divisor": ("z = Div (x, k)", lambda x, r: r),
    "a shift at the beginning": ("z = Sub (x, k)", lambda x, r: r),
    "layer normalisation": ("z = LayerNormalization <axis = -1> (x, k)", lambda x, r: r),
    "a residual": ("t = Tanh (x)\n z = Add (x, t)", lambda x, r: (x + np.tanh(x)) * r / stable(x + np.tanh(x))),
    "a difference": ("n = Neg (x)\n h = MatMul (n, w)\n z = Sub (x, h)",
                     lambda x, r: x * r / stable(x + x @ K["w"]) + dense(x, r * (x @ K["w"]) / stable(x + x @ K["w"]), K["w"])),
    "a constant behind a layer": ("h = MatMul (x, w)\n t = Relu (h)\n z = Add (t, k)", lambda x, r: dense(
        x, np.maximum(x @ K["w"], 0) * r / stable(np.maximum(x @ K["w"], 0) + K["k"]), K["w"])),
    "an average": ("z = ReduceMean <axes = [1]> (x)", lambda x, r: x * r[:, :1] / stable(x.mean(1, keepdims=True)) / 4),
    "a product of two": ("h = MatMul (x, w)\n z = Mul (x, h)", lambda x, r: r / 2 + dense(x, r / 2, K["w"])),
    "a gate": ("s = Sigmoid (x)\n z = Mul (s, x)", lambda x, r: r),
    "a gate of another's": ("h = MatMul (x, w)\n s = HardSigmoid (h)\n z = Mul (x, s)", lambda x, r: r),
    "hard swish written out": ("a = Add (x, three)\n c = Clip (a, low, high)\n g = Mul (x, c)\n z = Div (g, high)\n"
                               "three = Constant <value_float = 3.0> ()\n low = Constant <value_float = 0.0> ()\n"
                               "high = Constant <value_float = 6.0> ()", lambda x, r: r),
    "a maximum of two": ("n = Neg (x)\n z = Max (x, n)", lambda x, r: r),
    "moved and copied": ("a, b = Split <axis = 2> (x)\n z = Concat <axis = 2> (b, x)",
                         lambda x, r: r[..., 3:] + np.concatenate([0 * r[..., :3], r[..., :3]], -1)),
    "broadcast": ("t = ReduceMax <axes = [2]> (x)\n z = Mul (t, k)",
                  lambda x, r: (x == x.max(2, keepdims=True)) * r.sum(2, keepdims=True)),
    "softmax": ("z = Softmax <axis = -1> (x)", lambda x, r: x * (r - softmaxed(x) * r.sum(-1, keepdims=True))),
    "attention": ("t = Transpose <perm = [0, 2, 1]> (x)\n s = MatMul (x, t)\n a = Softmax <axis = -1> (s)\n"
                  " z = MatMul (a, x)", attention),
    "a matrix from the left": ("z = MatMul (l, x)", lambda x, r: x * (K["l"].T @ (r / stable(K["l"] @ x)))),
    "quantised and back": ("q = QuantizeLinear (x, scale, zero)\n z = DequantizeLinear (q, scale, zero)\n"
                           "scale = Constant <value_float = 0.05> ()\n zero = Cast <to = 3> (none)\n"
                           "none = Constant <value_float = 0.0> ()", lambda x, r: r),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_rule_of_a_node(case: str) -> None:
    lines, expected = CASES[case]
    shape = {"moved and copied": (2, 4, 9), "an average": (2, 1, 6)}.get(case, X.shape)
    opset = 11 if case == "moved and copied" else 17
    start = of(shape)
    wanted = expected(X.astype(np.float64), start.astype(np.float64))
    np.testing.assert_allclose(relevance(lines, start, opset=opset), wanted, rtol=0, atol=5e-5 * np.abs(wanted).max())


def test_gelu_written_out_is_an_activation() -> None:
    text = """a = Div (x, root)\n e = Erf (a)\n s = Add (e, one)\n h = Mul (x, s)\n z = Mul (h, half)
      root = Constant <value_float = 1.41421356> ()\n one = Constant <value_float = 1.0> ()
      half = Constant <value_float = 0.5> ()"""
    np.testing.assert_array_equal(relevance(text, of()), of())


def test_the_winner_of_a_pool_takes_all_and_what_is_padded_nothing() -> None:
    x = models.random(3, 1, 2, 5, 5)
    start = models.random(4, 1, 2, 3, 3)
    text = "net (float[N,2,5,5] x) => (float[N,2,3,3] z) { z = MaxPool <kernel_shape = [3,3], pads = [1,1,1,1], strides = [2,2]> (x) }"
    model = onnxray.open(models.parse(text))
    trusted(model)
    importer = model.twin.importer
    cut = relevance_cut(importer, ("z",), assign(importer, ("z",), lambda layer, first: Epsilon()))
    leaf = torch.tensor(x, requires_grad=True)
    (value,) = forward_all(cut, (leaf, torch.zeros((), requires_grad=True)))
    (found,) = torch.autograd.grad(value, [leaf], torch.tensor(start))
    wanted = np.zeros_like(x)
    for c, i, j in np.ndindex(2, 3, 3):
        rows, columns = (range(max(2 * k - 1, 0), min(2 * k + 2, 5)) for k in (i, j))
        place = max((x[0, c, a, b], a, b) for a in rows for b in columns)
        wanted[0, c, place[1], place[2]] += start[0, c, i, j]
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5)
