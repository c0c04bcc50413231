"""RNN, GRU and LSTM against ONNX Runtime in all their forms; torch's fused loops against our own; gradients."""

from typing import Any

import numpy as np
import pytest
import torch

import onnxray
from onnxray.errors import UnsupportedOperator
from support.models import Array, node, random, run

STEPS, BATCH, SIZE, HIDDEN = 5, 3, 4, 6
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def feeds(operator: str, directions: int, *extra: str) -> dict[str, Array]:
    gates = GATES[operator] * HIDDEN
    every = {
        "b": random(3, directions, 2 * gates, scale=0.5),
        "l": np.array([5, 2, 4], np.int32),
        "h": random(4, directions, BATCH, HIDDEN),
        "c": random(5, directions, BATCH, HIDDEN),
        "p": random(6, directions, 3 * HIDDEN, scale=0.5),
    }
    whole = {
        "x": random(0, STEPS, BATCH, SIZE),
        "w": random(1, directions, gates, SIZE, scale=0.5),
        "r": random(2, directions, gates, HIDDEN, scale=0.5),
    }
    return {**whole, **{name: every[name] for name in extra}}


def model(operator: str, given: dict[str, Array], opset: int = 14, **stated: Any) -> Any:
    order = [name if name in given else "" for name in ("x", "w", "r", "b", "l", "h", "c", "p")]
    while order[-1] == "":
        order.pop()
    outputs = 3 if operator == "LSTM" else 2
    return node(operator, given, opset=opset, order=order, outputs=outputs, hidden_size=HIDDEN, **stated)


def agrees(operator: str, given: dict[str, Array], **stated: Any) -> None:
    made = model(operator, given, **stated)
    twin = onnxray.to_torch(made, verify=False)(*map(torch.from_numpy, given.values()))
    for one, other in zip(twin, run(made, given), strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("operator", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_all_forms(operator: str, direction: str) -> None:
    count = 2 if direction == "bidirectional" else 1
    states = ("h", "c") if operator == "LSTM" else ("h",)
    for extra in ((), ("b",), ("b", *states), ("b", "l"), ("b", "l", *states)):
        agrees(operator, feeds(operator, count, *extra), direction=direction)
    if operator == "GRU":
        for extra in ((), ("b", "l", "h")):
            agrees(operator, feeds(operator, count, *extra), direction=direction, linear_before_reset=1)
    if operator == "LSTM":
        agrees(operator, feeds(operator, count, "b", "h", "c", "p"), direction=direction, opset=7)
        agrees(operator, feeds(operator, count, "b"), direction=direction, input_forget=1)
    agrees(operator, feeds(operator, count, "b"), direction=direction, clip=0.3)


def test_activations_take_their_alphas_and_betas_in_order() -> None:
    agrees(
        "LSTM", feeds("LSTM", 1, "b"), activations=["HardSigmoid", "Affine", "LeakyRelu"],
        activation_alpha=[0.3, 0.8, 0.2], activation_beta=[0.4, 0.1],
    )  # fmt: skip
    for name in ("Relu", "Elu", "Softsign", "LeakyRelu", "HardSigmoid"):
        agrees("RNN", feeds("RNN", 1, "b"), activations=[name])


def test_activations_without_defaults_and_without_a_meaning_are_refused() -> None:
    for name, reason in (("Affine", "no alpha or beta"), ("ThresholdedRelu", "no alpha"), ("Sine", "not one that")):
        with pytest.raises(UnsupportedOperator, match=reason):
            onnxray.to_torch(model("RNN", feeds("RNN", 1), activations=[name]), verify=False)


@pytest.mark.parametrize("operator", ["RNN", "GRU", "LSTM"])
def test_both_loops_give_the_same(operator: str) -> None:
    given = feeds(operator, 2, "b")
    stated: dict[str, Any] = {"direction": "bidirectional"}
    stated |= {"linear_before_reset": 1} if operator == "GRU" else {}
    fused = onnxray.to_torch(model(operator, given, **stated), verify=False)
    stepped = onnxray.to_torch(model(operator, given, clip=1e9, **stated), verify=False)
    tensors = tuple(map(torch.from_numpy, given.values()))
    for one, other in zip(fused(*tensors), stepped(*tensors), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("operator", ["GRU", "LSTM"])
def test_batches_first(operator: str) -> None:
    given = feeds(operator, 2, "b", "h")
    plain = onnxray.to_torch(model(operator, given, direction="bidirectional"), verify=False)
    swapped = {**given, "x": given["x"].swapaxes(0, 1).copy(), "h": given["h"].swapaxes(0, 1).copy()}
    first = onnxray.to_torch(model(operator, swapped, direction="bidirectional", layout=1), verify=False)
    y, *states = plain(*map(torch.from_numpy, given.values()))
    other, *others = first(*map(torch.from_numpy, swapped.values()))
    torch.testing.assert_close(y.permute(2, 0, 1, 3), other)
    for one, two in zip(states, others, strict=True):
        torch.testing.assert_close(one.transpose(0, 1), two)


@pytest.mark.parametrize("lengths", [False, True])
@pytest.mark.parametrize("operator", ["RNN", "GRU", "LSTM"])
def test_slopes(operator: str, lengths: bool) -> None:
    given = feeds(operator, 1, *(("b", "l") if lengths else ("b",)))
    given["x"] = given["x"][:3, :2].copy()
    given |= {"l": np.array([3, 1], np.int32)} if lengths else {}
    twin = onnxray.to_torch(model(operator, given), verify=False).double()
    leaves = [
        torch.from_numpy(part).double().requires_grad_() if part.dtype == np.float32 else torch.from_numpy(part)
        for part in given.values()
    ]
    assert torch.autograd.gradcheck(lambda *inputs: tuple(twin(*inputs)), leaves, fast_mode=True)
