"""The network in training: its gradients against the judge's numbers, its steps against torch's, what it writes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import onnxray
from onnxray.errors import InputError
from onnxray.graph.differences.files import differences
from onnxray.graph.file.replaced_tensors import replaced_bytes, write_replaced
from onnxray.graph.reading import read_graph
from onnxray.graph.trainable.listing import chosen, constants_of
from onnxray.model.model import Model
from onnxray.training.network import Network
from support import models

R = models.random


def network(model: Model, train: Sequence[str] | None = None, *, dropout: bool = False) -> Network:
    return Network(model, chosen(constants_of(model.graph), train), dropout=dropout)


def arrays(model: onnx.ModelProto) -> Model:
    return onnxray.open(model, inputs="arrays")


SHARED = (
    """g (float[N,2,5,5] x) => (float[N,4] y) {
      a = Conv <pads = [1, 1, 1, 1]> (x, w) t = Tanh (a) b = Conv <pads = [1, 1, 1, 1]> (t, w)
      p = GlobalAveragePool (b) f = Flatten (p) v = Transpose <perm = [1, 0]> (m) h = MatMul (f, v) s = Add (h, bias)
      y = Softmax (s)
    }""",
    {"w": R(0, 2, 2, 3, 3, scale=0.5), "m": R(1, 4, 2), "bias": R(2, 4)},
)
NORMALISED = (
    """g (float[N,2,5,5] x) => (float[N,3] y) {
      a = Conv (x, w) n = BatchNormalization (a, s, b, m, v) i = Constant <value = float[3] {0.5, -1, 2}> ()
      k = PRelu (n, slope) p = GlobalAveragePool (k) f = Flatten (p) l = LayerNormalization (f, ls, lb) h = Add (l, i)
      y = Tanh (h)
    }""",
    {
        "w": R(0, 3, 2, 3, 3, scale=0.5), "s": R(1, 3), "b": R(2, 3), "m": R(3, 3), "v": R(4, 3) ** 2 + 1,
        "slope": R(5, 3, 1, 1), "ls": R(6, 3), "lb": R(7, 3),
    },
)  # fmt: skip
RECURRENT = (
    """g (float[S,1,3] x) => (float[S,1,1,4] y) { y = GRU <hidden_size = 4, linear_before_reset = 1> (x, w, r, b) }""",
    {"w": R(0, 1, 12, 3), "r": R(1, 1, 12, 4), "b": R(2, 1, 24)},
)


@pytest.mark.parametrize(
    ("text", "weights", "shape"),
    [(*SHARED, (3, 2, 5, 5)), (*NORMALISED, (2, 2, 5, 5)), (*RECURRENT, (3, 1, 3))],
    ids=["shared", "normalised", "recurrent"],
)
def test_gradients_are_the_finite_differences_of_onnx_runtime(
    text: str, weights: Mapping[str, NDArray[Any]], shape: tuple[int, ...]
) -> None:
    """d <c, y> / d w along a random direction of each trained constant, by the file with other numbers in it."""
    model = arrays(models.parse(text, weights))
    trained = network(model)
    x = R(20, *shape)
    y = trained.values(torch.from_numpy(x), ["y"])["y"]
    c = R(21, *y.shape)
    (y * torch.from_numpy(c)).sum().backward()
    trained.take_gradients()
    for master in trained.masters:
        gradient = master.stepped.grad
        assert gradient is not None, master.constant.name
        direction = R(22, *master.constant.shape)
        step = 1e-2 / max(1.0, float(np.abs(direction).max()))

        def judged(sign: float) -> float:
            moved = {master.constant.name: master.stored() + np.float32(sign * step) * direction}  # noqa: B023
            other = onnxray.open(replaced_bytes(model.graph.container, moved), inputs="arrays")
            return float((other.values(x, ["y"])["y"].astype(np.float64) * c).sum())

        slope = (judged(1) - judged(-1)) / (2 * step)
        own = float((gradient.numpy().astype(np.float64) * direction).sum())
        assert own == pytest.approx(slope, rel=2e-2, abs=2e-3), master.constant.name


class Native(nn.Module):
    """Of the same weights, as torch users write it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 32, 3, padding=1)
        self.ip1, self.ip2 = nn.Linear(288, 20), nn.Linear(20, 5)
        held = models.lenet_weights()
        with torch.no_grad():
            for layer, weight, bias in (("conv1", "w1", "b1"), ("conv2", "w2", "b2"), ("ip1", "w3", "b3")):
                self.get_submodule(layer).weight.copy_(torch.from_numpy(held[weight]))
                self.get_submodule(layer).bias.copy_(torch.from_numpy(held[bias]))
            self.ip2.weight.copy_(torch.from_numpy(held["w4"].T))
            self.ip2.bias.copy_(torch.from_numpy(held["b4"]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = nn.functional.avg_pool2d(torch.relu(self.conv2(x)), 2)
        return self.ip2(self.ip1(x.flatten(1)))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_steps_are_those_of_torch_on_the_native_network(optimizer: str) -> None:
    model, native = arrays(models.lenet()), Native()
    trained = network(model)
    make = {
        "sgd": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=1e-3),
        "adam": lambda p: torch.optim.Adam(p, 1e-2),
    }[optimizer]
    ours, theirs = make(trained.parameters()), make(native.parameters())
    for step in range(5):
        x, y = torch.from_numpy(R(step, 8, 1, 14, 14)), torch.arange(8) % 5
        for optimiser, output in ((ours, trained.values(x, ["ip2"])["ip2"]), (theirs, native(x))):
            optimiser.zero_grad()
            nn.functional.cross_entropy(output, y).backward()
            trained.take_gradients()
            optimiser.step()
        trained.round()
    stored = trained.stored()
    named = {"w1": native.conv1.weight, "b2": native.conv2.bias, "w3": native.ip1.weight, "w4": native.ip2.weight.T}
    for name, theirs_ in named.items():
        difference = np.abs(stored[name] - theirs_.detach().numpy()).max()
        assert difference <= (1e-6 if optimizer == "sgd" else 1e-5), name
        assert np.abs(stored[name] - models.lenet_weights()[name]).max() > 1e-3


def trained_a_step(model: Model, shape: tuple[int, ...], output: str, rate: float = 0.05) -> Network:
    trained = network(model)
    optimizer = torch.optim.SGD(trained.parameters(), rate)
    value = trained.values(torch.from_numpy(R(9, *shape)), [output])[output]
    value.float().square().mean().backward()
    trained.take_gradients()
    optimizer.step()
    trained.round()
    return trained


def assert_the_file_computes_the_same(trained: Network, shape: tuple[int, ...], output: str, tolerance: float) -> Model:
    """ONNX Runtime on the written bytes against the network in training, and only weights differ."""
    written = trained.trained_model()
    x = R(10, *shape)
    with torch.no_grad():
        own = trained.values(torch.from_numpy(x), [output])[output].float().numpy()
    judged = written.values(x, [output])[output].astype(np.float32)
    assert np.abs(own - judged).max() <= tolerance * np.abs(judged).max()
    result = differences(trained.model.graph, written.graph)
    assert result.only_weights
    assert {one.name for one in result.tensors} <= {master.constant.name for master in trained.masters}
    assert result.tensors
    return written


def test_half_precision_is_stepped_in_float32_and_rounded() -> None:
    weights = {name: array.astype(np.float16) for name, array in models.lenet_weights().items()}
    text = models.LENET.format(batch="N").replace("float[", "float16[")
    model = arrays(models.parse(text, weights))
    trained = network(model)
    assert {master.stepped.dtype for master in trained.masters} == {torch.float32}
    x = torch.from_numpy(R(0, 2, 1, 14, 14).astype(np.float16))
    optimizer = torch.optim.SGD(trained.parameters(), 1e-6)
    for _ in range(50):  # each step is far below what float16 holds of a weight, all together are not
        optimizer.zero_grad()
        trained.values(x, ["ip2"])["ip2"].float().mul(30).sum().backward()
        trained.take_gradients()
        optimizer.step()
        trained.round()
    moved = {name: np.abs(stored.astype(np.float32) - weights[name]).max() for name, stored in trained.stored().items()}
    assert moved["b3"] > 0
    assert {stored.dtype for stored in trained.stored().values()} == {np.dtype(np.float16)}
    written = trained.trained_model()
    with torch.no_grad():
        own = trained.values(x, ["ip2"])["ip2"].float().numpy()
    np.testing.assert_allclose(written.values(x.numpy(), ["ip2"])["ip2"].astype(np.float32), own, rtol=2e-2, atol=2e-2)
    assert differences(model.graph, written.graph).only_weights


QDQ = """g (float[N,4] x) => (float[N,3] y) {
  xq = QuantizeLinear (x, xs, xz) xr = DequantizeLinear (xq, xs, xz)
  w = DequantizeLinear <axis = 1> (wq, ws, wz) b = DequantizeLinear <axis = 0> (bq, bs)
  h = MatMul (xr, w) y = Add (h, b)
}"""


def quantised() -> onnx.ModelProto:
    weights = {
        "xs": np.float32(0.05), "xz": np.uint8(128), "wq": np.random.default_rng(0).integers(-120, 120, (4, 3), np.int8),
        "ws": np.float32([0.01, 0.02, 0.03]), "wz": np.int8([0, 0, 0]), "bq": np.int32([100, -200, 300]),
        "bs": np.float32([0.0005, 0.001, 0.0015]),  # of the input's scale times the weights', as ONNX Runtime has it
    }  # fmt: skip
    return models.parse(QDQ, weights)


def test_quantised_weights_are_trained_straight_through_and_quantised_again() -> None:
    model = arrays(quantised())
    trained = network(model)
    before = trained.stored()
    for name, array in before.items():
        np.testing.assert_array_equal(array, model.graph.weight(name))
    optimizer = torch.optim.SGD(trained.parameters(), 0.01)
    x = torch.from_numpy(R(9, 16, 4))
    for _ in range(20):
        optimizer.zero_grad()
        trained.values(x, ["y"])["y"].square().mean().backward()
        trained.take_gradients()
        optimizer.step()
        trained.round()
    after = trained.stored()
    assert (after["wq"] != before["wq"]).any()
    assert after["wq"].dtype == np.int8
    assert_the_file_computes_the_same(trained, (8, 4), "y", 1e-5)
    loss = trained.values(x, ["y"])["y"].square().mean()
    assert loss < arrays(quantised()).values(x.numpy(), ["y"])["y"].astype(np.float64).__pow__(2).mean()


def test_whole_numbers_do_not_overflow() -> None:
    trained = network(arrays(quantised()))
    master = next(one for one in trained.masters if one.constant.name == "wq")
    with torch.no_grad():
        master.stepped.copy_(torch.full((4, 3), 1e6))
        master.stepped[0] = -1e6
    trained.round()
    assert master.stored()[0].tolist() == [-128] * 3
    assert master.stored()[1].tolist() == [127] * 3
    trained.values(torch.from_numpy(R(9, 2, 4)), ["y"])["y"].sum().backward()
    trained.take_gradients()
    assert master.stepped.grad is not None
    assert not master.stepped.grad.any()  # clipped: no gradient goes straight through


@pytest.mark.parametrize("case", ["lenet", "shared", "normalised", "fixed batch", "inputs"])
def test_the_written_file_computes_what_the_network_in_training_does(case: str) -> None:
    protos = {
        "lenet": models.lenet(), "shared": models.parse(*SHARED), "normalised": models.parse(*NORMALISED),
        "fixed batch": models.lenet(2), "inputs": models.lenet(),
    }  # fmt: skip
    proto = protos[case]
    if case == "inputs":
        for tensor in proto.graph.initializer:
            proto.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, 1, tensor.dims))
    output = {"shared": "y", "normalised": "y"}.get(case, "ip2")
    shape = (6, 2, 5, 5) if output == "y" else (6, 1, 14, 14)
    trained = trained_a_step(arrays(proto), shape, output)
    written = assert_the_file_computes_the_same(trained, shape, output, 1e-5)
    assert len(written.graph.inputs) == 1
    assert written.verify().agrees
    for name in ("m", "v"):
        if name in written.graph.initializers and case == "normalised":
            np.testing.assert_array_equal(written.graph.weight(name), NORMALISED[1][name])


def test_external_data_is_written_beside(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(models.lenet(), path, save_as_external_data=True, location="net.bin", size_threshold=0)
    trained = trained_a_step(onnxray.open(path, inputs="arrays"), (4, 1, 14, 14), "ip2")
    (tmp_path / "out").mkdir()
    files = write_replaced(trained.model.graph.container, trained.stored(), tmp_path / "out" / "net.onnx")
    assert [one.name for one in files] == ["net.onnx", "net.bin"]
    assert (tmp_path / "out" / "net.onnx").read_bytes() == path.read_bytes()  # every number lies in the other file
    assert_the_file_computes_the_same(trained, (4, 1, 14, 14), "ip2", 1e-5)
    assert differences(read_graph(path), read_graph(files[0])).only_weights


def test_dropout_draws_where_that_is_asked_for_alone() -> None:
    model = arrays(
        models.parse(
            "g (float[N,64] x) => (float[N,64] y) { h = MatMul (x, w) d = Dropout (h, ratio) y = Identity (d) }",
            {"w": np.eye(64, dtype=np.float32), "ratio": np.float32(0.25)},
        )
    )
    x = torch.ones(50, 64)
    torch.manual_seed(0)
    plain, drawing = network(model), network(model, dropout=True)
    assert plain.values(x, ["y"], drawn=True)["y"].eq(1).all()
    assert drawing.values(x, ["y"])["y"].eq(1).all()
    drawn = drawing.values(x, ["y"], drawn=True)["y"].detach()
    assert drawn.unique().tolist() == [0.0, pytest.approx(4 / 3)]
    assert float(drawn.eq(0).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert drawing.values(x, ["y"])["y"].eq(1).all()


def test_constants_that_are_no_numbers_are_refused() -> None:
    weights = {**models.lenet_weights(), "b3": np.full(20, np.nan, np.float32)}
    with pytest.raises(InputError, match="'b3' holds NaN"):
        network(arrays(models.lenet(weights=weights)))


def test_inputs_that_are_missing_are_named() -> None:
    model = arrays(
        models.parse(
            "g (float[N,2] x, float[N,2] z) => (float[N,3] y) { a = Mul (x, z) y = MatMul (a, w) }", {"w": R(0, 2, 3)}
        )
    )
    trained = network(model)
    x = torch.from_numpy(R(1, 4, 2))
    assert trained.values({"x": x, "z": x}, ["y"])["y"].shape == (4, 3)
    with pytest.raises(InputError, match="the model has 2 inputs"):
        trained.values(x, ["y"])
    with pytest.raises(InputError, match="the input 'z' is missing"):
        trained.values({"x": x}, ["y"])
