"""Gradients: against finite differences of the judge, against torch on a hand-written network, and their contract."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional

import onnxray
from onnxray.engines.chunks import Batch, Way
from onnxray.engines.twin import Twin, torch_device
from onnxray.errors import DeviceError, InputError, MismatchError, NotDifferentiable
from onnxray.graph.reading import read_graph
from onnxray.importer.imported_module import ImportedModule
from support import models
from support.trusted import trusted

R = models.random
X = models.pictures(3, seed=5)
SHAPES = {
    "x": (1, 14, 14), "conv1": (4, 12, 12), "relu1": (4, 12, 12), "pool1": (4, 6, 6), "conv2": (32, 6, 6),
    "relu2": (32, 6, 6), "pool2": (32, 3, 3), "flat": (288,), "ip1": (20,), "ip2": (5,), "prob": (5,),
}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> onnxray.Model:
    opened = onnxray.open(models.lenet(), models.GREY)
    trusted(opened)
    return opened


def by_hand(pixels: torch.Tensor, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """The same network, written in torch by hand."""
    w = {name: torch.from_numpy(array).to(dtype) for name, array in models.lenet_weights().items()}
    values = {"x": (pixels / 255 - 0.5) / 0.5}
    values["conv1"] = functional.conv2d(values["x"], w["w1"], w["b1"])
    values["relu1"] = functional.relu(values["conv1"])
    values["pool1"] = functional.max_pool2d(values["relu1"], 2)
    values["conv2"] = functional.conv2d(values["pool1"], w["w2"], w["b2"], padding=1)
    values["relu2"] = functional.relu(values["conv2"])
    values["pool2"] = functional.avg_pool2d(values["relu2"], 2)
    values["flat"] = values["pool2"].flatten(1)
    values["ip1"] = values["flat"] @ w["w3"].T + w["b3"]
    values["ip2"] = values["ip1"] @ w["w4"] + w["b4"]
    values["prob"] = values["ip2"].softmax(1)
    return values


def expected_gradient(cotangents: dict[str, np.ndarray], x: np.ndarray = X) -> np.ndarray:
    pixels = torch.from_numpy(x).double().requires_grad_()
    values = by_hand(pixels, torch.float64)
    loss = sum((values[name] * torch.from_numpy(np.asarray(c)).double()).sum() for name, c in cotangents.items())
    return torch.autograd.grad(loss, pixels)[0].numpy()


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max(), rtol=1e-5)


@pytest.mark.parametrize("name", SHAPES)
def test_pullback_equals_torch_on_the_network_written_by_hand(model: onnxray.Model, name: str) -> None:
    cotangent = R(1, 3, *SHAPES[name])
    assert_close(model.pullback(X, {name: cotangent}), expected_gradient({name: cotangent}))


@pytest.mark.parametrize("name", SHAPES)
def test_pullback_equals_finite_differences_of_the_judge(model: onnxray.Model, name: str) -> None:
    """<c, v(x + t d) - v(x - t d)> / 2t = <J^T c, d>.

    20 random directions over the pixels, each of one grey level's root mean square, t a twentieth of a grey level:
    large enough for float32, small enough that few directions cross a kink of ReLU or MaxPool, which 2 of the 20 may.
    The others agree within 2 % of the gradient's length, which is what it gives along a random direction.
    """
    x = models.pictures(1, seed=7) * 0.9 + 10
    cotangent = R(2, 1, *SHAPES[name])
    gradient = model.pullback(x, {name: cotangent}).astype(np.float64)
    directions = np.random.default_rng(3).standard_normal((20, *x.shape[1:]))
    t = 0.05
    ahead, behind = (model.values(np.float32(x + sign * t * directions), [name])[name] for sign in (1, -1))
    measured = ((ahead.astype(np.float64) - behind) * cotangent).reshape(20, -1).sum(1) / (2 * t)
    told = (directions * gradient).reshape(20, -1).sum(1)
    assert np.abs(told).max() > 0
    off = np.abs(measured - told) / np.linalg.norm(gradient)
    assert (off > 0.02).sum() <= 2, off


def test_values_of_the_twin_are_the_judges(model: onnxray.Model) -> None:
    judge, twin = (model.values(X, list(SHAPES), engine=engine) for engine in ("judge", "twin"))
    assert list(judge) == list(twin) == list(SHAPES)
    for name, array in judge.items():
        assert twin[name].dtype == array.dtype
        assert twin[name].flags.c_contiguous
        np.testing.assert_allclose(twin[name], array, rtol=1e-4, atol=1e-5)


# Cotangents


def test_several_values_sum_up(model: onnxray.Model) -> None:
    cotangents = {"ip2": R(1, 3, 5), "conv1": R(2, 3, 4, 12, 12), "prob": R(3, 3, 5)}
    together = model.pullback(X, cotangents)
    assert_close(together, expected_gradient(cotangents))
    alone = sum(model.pullback(X, {name: c}) for name, c in cotangents.items())
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(32, 6, 6), (1, 32, 6, 6)])
def test_one_samples_cotangent_serves_all(model: onnxray.Model, shape: tuple[int, ...]) -> None:
    cotangent = R(1, *shape)
    whole = np.broadcast_to(cotangent, (3, 32, 6, 6))
    np.testing.assert_array_equal(model.pullback(X, {"conv2": cotangent}), model.pullback(X, {"conv2": whole}))


def test_cotangents_of_any_real_type(model: onnxray.Model) -> None:
    one_hot = np.eye(5)[[2, 0, 4]]
    expected = model.pullback(X, {"ip2": one_hot.astype(np.float32)})
    for dtype in (np.float64, np.int64, np.uint8, np.float16, bool):
        np.testing.assert_array_equal(model.pullback(X, {"ip2": one_hot.astype(dtype)}), expected)
    np.testing.assert_array_equal(model.pullback(X, {"ip2": one_hot.tolist()}), expected)


@pytest.mark.parametrize("shape", [(), (3,), (4, 32, 6, 6), (2, 32, 6, 6), (32, 6), (3, 32, 36), (3, 1, 6, 6)])
def test_a_wrong_shape_is_told_with_both(model: onnxray.Model, shape: tuple[int, ...]) -> None:
    with pytest.raises(
        InputError, match=r"'conv2' has the shape \[.*\]; \[3, 32, 6, 6\], or \[32, 6, 6\] for every"
    ) as caught:
        model.pullback(X, {"conv2": np.zeros(shape)})
    assert str(list(shape)) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(model: onnxray.Model, bad: float) -> None:
    cotangent = R(1, 3, 5)
    cotangent[1, 2] = bad
    with pytest.raises(InputError, match="'ip2' holds NaN or infinity"):
        model.pullback(X, {"ip2": cotangent})
    with pytest.raises(InputError, match="'ip2' holds NaN or infinity"):
        model.pullback(X, {"ip2": lambda value, place: value * bad})


@pytest.mark.parametrize("cotangent", [np.array(["a"] * 5), np.array([None] * 5), np.ones(5) * 1j])
def test_what_is_no_number_is_refused(model: onnxray.Model, cotangent: np.ndarray) -> None:
    with pytest.raises(InputError, match="'ip2' has the type"):
        model.pullback(X, {"ip2": cotangent})


def test_a_function_of_the_value(model: onnxray.Model) -> None:
    """LOTS' own: t - f(x), held fixed."""
    target = R(1, 3, 20)
    seen: list[slice] = []

    def change(value: torch.Tensor, place: slice) -> torch.Tensor:
        assert not value.requires_grad
        seen.append(place)
        return torch.from_numpy(target[place]) - value

    found = model.pullback(X, {"ip1": change})
    value = model.values(X, ["ip1"])["ip1"]
    assert_close(found, expected_gradient({"ip1": target - value}))
    assert seen == [slice(0, 3)]


def test_a_function_of_the_wrong_shape(model: onnxray.Model) -> None:
    with pytest.raises(InputError, match=r"'ip2' has the shape \[5\]; \[3, 5\] was expected"):
        model.pullback(X, {"ip2": lambda value, place: value[0]})


def test_no_cotangent_and_two_of_one_value(model: onnxray.Model) -> None:
    with pytest.raises(InputError, match="no cotangents"):
        model.pullback(X, {})
    with pytest.raises(InputError, match="name the same value"):
        model.pullback(X, {"logits": R(0, 5), "ip2": R(0, 5)})


def test_aliases_and_short_forms_name_values_here_too(model: onnxray.Model) -> None:
    np.testing.assert_array_equal(model.pullback(X, {"logits": R(0, 5)}), model.pullback(X, {"ip2": R(0, 5)}))


def test_the_same_call_gives_the_same_bits(model: onnxray.Model) -> None:
    np.testing.assert_array_equal(*(model.pullback(X, {"conv2": R(0, 32, 6, 6)}) for _ in range(2)))


# Batches


def test_batches_larger_than_a_chunk(model: onnxray.Model) -> None:
    x = models.pictures(300)
    cotangent, places = R(0, 300, 5), []
    found = model.pullback(x, {"ip2": cotangent})
    assert_close(found, expected_gradient({"ip2": cotangent}, x))

    def give(value: torch.Tensor, place: slice) -> torch.Tensor:
        places.append(place)
        return torch.from_numpy(cotangent[place])

    np.testing.assert_array_equal(model.pullback(x, {"ip2": give}), found)
    assert places == [slice(0, 256), slice(256, 300)]
    values = model.values(x, ["ip2"], engine="twin")["ip2"]
    np.testing.assert_allclose(values, model.values(x, ["ip2"])["ip2"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("fixed", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 3, 5])
def test_files_that_fix_their_batch(model: onnxray.Model, fixed: int, count: int) -> None:
    bound = onnxray.open(models.lenet(fixed), models.GREY)
    x, cotangent = models.pictures(count), {"conv1": R(1, count, 4, 12, 12), "ip2": R(2, count, 5)}
    found = bound.pullback(x, cotangent)
    np.testing.assert_allclose(found, model.pullback(x, cotangent), rtol=1e-4, atol=1e-6)
    sizes = []

    def give(value: torch.Tensor, place: slice) -> torch.Tensor:
        sizes.append(len(value))
        assert len(value) == place.stop - place.start
        return torch.from_numpy(cotangent["ip2"][place])

    np.testing.assert_allclose(
        bound.pullback(x, {"ip2": give}), model.pullback(x, {"ip2": cotangent["ip2"]}), rtol=1e-4, atol=1e-6
    )
    assert sum(sizes) == count  # copies that fill a chunk up are nobody's business


def test_patches_take_cotangents_of_their_own_shape() -> None:
    """Four rows a sample, as window attention has them."""
    model = onnxray.open(
        models.parse(
            "g (float[N,8] x) => (float[N,8] y) { s = Constant <value = int64[2] {-1, 2}> () "
            "w = Reshape (x, s) t = Mul (w, w) b = Constant <value = int64[2] {-1, 8}> () y = Reshape (t, b) }"
        )
    )
    x, cotangent = R(0, 300, 8), R(1, 1200, 2)
    expected = (2 * x.reshape(-1, 2) * cotangent).reshape(300, 8)
    np.testing.assert_allclose(model.pullback(x, {"t": cotangent}), expected, rtol=1e-5)
    np.testing.assert_allclose(model.pullback(x[:1], {"t": cotangent[:4]}), expected[:1], rtol=1e-5)
    with pytest.raises(InputError, match=r"\[1200, 2\], or \[2\]"):
        model.pullback(x, {"t": R(1, 300, 2)})


def test_a_value_without_a_batch_axis() -> None:
    model = onnxray.open(
        models.parse("g (float[N,3] x) => (float y) { q = Mul (x, x) y = ReduceSum <keepdims = 0> (q) }")
    )
    x = R(0, 4, 3)
    np.testing.assert_allclose(model.pullback(x, {"y": np.float32(2)}), 4 * x, rtol=1e-6)
    np.testing.assert_allclose(model.pullback(x, {"y": lambda value, place: value * 0 + 2}), 4 * x, rtol=1e-6)


# Inputs that are no images


def test_several_inputs_of_several_types() -> None:
    model = onnxray.open(
        models.parse(
            """g (float[N,3] x, float[N,3] z, int64[N] pick) => (float[N,3] y) {
              m = Mul (x, z) e = Gather (table, pick) y = Add (m, e)
            }""",
            {"table": R(0, 7, 3)},
        )
    )
    feeds = {"x": R(1, 2, 3), "z": R(2, 2, 3), "pick": np.array([6, 0])}
    cotangent = R(3, 2, 3)
    found = model.pullback(feeds, {"y": cotangent})
    assert set(found) == {"x", "z"}
    np.testing.assert_allclose(found["x"], cotangent * feeds["z"], rtol=1e-6)
    np.testing.assert_allclose(found["z"], cotangent * feeds["x"], rtol=1e-6)
    with pytest.raises(InputError, match="'x', 'z', 'pick'"):
        model.pullback(feeds["x"], {"y": cotangent})
    with pytest.raises(InputError, match="'z'; give an array for it"):
        model.pullback({"x": feeds["x"]}, {"y": cotangent})


def test_an_input_that_a_value_does_not_read_gets_zeros() -> None:
    model = onnxray.open(
        models.parse("g (float[N,3] x, float[N,3] z) => (float[N,3] y) { r = Neg (x) y = Add (r, z) }")
    )
    found = model.pullback({"x": R(0, 2, 3), "z": R(1, 2, 3)}, {"r": np.ones(3)})
    np.testing.assert_array_equal(found["x"], -np.ones((2, 3)))
    np.testing.assert_array_equal(found["z"], np.zeros((2, 3)))


def test_inputs_of_whole_numbers_have_no_gradient() -> None:
    model = onnxray.open(
        models.parse("g (int64[N] i) => (float[N,3] y) { y = Gather (table, i) }", {"table": R(0, 4, 3)})
    )
    with pytest.raises(NotDifferentiable, match="whole numbers"):
        model.pullback(np.array([0, 1]), {"y": np.ones(3)})


@pytest.mark.parametrize("shape", ["", "3", "N,3"])
def test_inputs_of_any_rank(shape: str) -> None:
    kind = f"float[{shape}]" if shape else "float"
    model = onnxray.open(models.parse(f"g ({kind} x) => ({kind} y) {{ y = Mul (x, x) }}"))
    x = {"": np.array(3.0, np.float32), "3": R(0, 3), "N,3": R(0, 2, 3)}[shape]
    np.testing.assert_allclose(model.pullback(x, {"y": np.ones_like(x)}), 2 * x, rtol=1e-6)


def test_whole_number_pixels_pass_through_a_cast() -> None:
    """A model that takes uint8: the gradient is that of the real numbers behind it."""
    from onnxray.images.profile.profile import Profile

    raw = Profile(name="raw", layout="NHWC", channels="RGB", scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3, size=(4, 4))
    model = onnxray.open(
        models.parse(
            "g (uint8[N,4,4,3] x) => (float[N,2] y) { f = Cast <to = 1> (x) t = Flatten (f) y = MatMul (t, w) }",
            {"w": R(0, 48, 2)},
        ),
        raw,
    )
    cotangent = np.float32([1, 2])
    x = np.full((1, 3, 4, 4), 7, np.uint8)
    np.testing.assert_array_equal(model.values(x + 0.4, ["y"])["y"], model.values(x, ["y"])["y"])  # rounded
    np.testing.assert_array_equal(model.values(x - 0.4, ["y"])["y"], model.values(x, ["y"])["y"])
    found = model.pullback(x, {"y": cotangent})
    np.testing.assert_allclose(found[0].transpose(1, 2, 0).reshape(-1), R(0, 48, 2) @ cotangent, rtol=1e-5)


def test_a_model_of_doubles() -> None:
    """Arrays that are no images are differentiated in the type that the model takes them in."""
    w = R(0, 3, 2).astype(np.float64)
    model = onnxray.open(models.parse("g (double[N,3] x) => (double[N,2] y) { y = MatMul (x, w) }", {"w": w}))
    found = model.pullback(R(1, 4, 3), {"y": R(2, 4, 2)})
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, R(2, 4, 2).astype(np.float64) @ w.T, rtol=1e-12)


def test_a_model_of_halves(model: onnxray.Model) -> None:
    weights = {name: array.astype(np.float16) for name, array in models.lenet_weights().items()}
    other = onnxray.open(
        models.parse(models.LENET.format(batch="N").replace("float[", "float16["), weights), models.GREY
    )
    assert other.predict(X).classes.tolist() == model.predict(X).classes.tolist()
    cotangent = {"ip2": R(0, 5)}
    found, expected = other.pullback(X, cotangent), model.pullback(X, cotangent)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_devices(monkeypatch: pytest.MonkeyPatch, lenet: onnx.ModelProto) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="no CUDA device"):
        torch_device("cuda")
    with pytest.raises(DeviceError, match="unknown device 'tpu'"):
        torch_device("tpu")
    with pytest.raises(DeviceError):
        onnxray.open(lenet, models.GREY, device="cuda").pullback(X, {"ip2": R(0, 5)})


def test_an_unknown_engine(model: onnxray.Model) -> None:
    with pytest.raises(InputError, match="'tpu' is unknown; use 'judge' .* or 'twin'"):
        model.values(X, ["ip2"], engine="tpu")  # type: ignore[arg-type]


def test_gradients_survive_a_broken_converter_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: x)
    opened = onnxray.open(models.lenet(), models.GREY)
    calls: list[Callable[[], Any]] = [
        lambda: opened.pullback(X, {"ip2": R(0, 5)}),
        lambda: opened.pullback(X, {"conv1": R(0, 4, 12, 12)}),  # before the fault, and still not given
        lambda: opened.values(X, ["ip2"], engine="twin"),
    ]
    for call in calls:
        with pytest.raises(MismatchError):
            call()


def on_another_device(monkeypatch: pytest.MonkeyPatch, batch: Batch) -> Twin:
    """A twin on torch's device without numbers, which nothing can be copied back from; no CUDA device is needed."""
    monkeypatch.setattr("onnxray.engines.twin.torch_device", lambda device: torch.device("meta"))
    return Twin(read_graph(models.lenet(1)), lambda pixels: pixels, "cuda", batch)


@pytest.mark.parametrize("way", ["loop", "rewrite"])
def test_samples_are_counted_without_what_a_device_holds(monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    twin = on_another_device(monkeypatch, Batch(1, way, "a test"))
    values = twin.differentiable(("ip2",))(torch.zeros(3, 1, 14, 14, device="meta", requires_grad=True))
    assert values["ip2"].shape == (3, 5)
    assert values["ip2"].device.type == "meta"


@pytest.mark.parametrize("way", ["loop", "rewrite"])
def test_a_cut_is_moved_to_the_device_once(monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    moved: list[str] = []
    real = ImportedModule.to
    monkeypatch.setattr(ImportedModule, "to", lambda self, *where: moved.append(str(where)) or real(self, *where))
    function = on_another_device(monkeypatch, Batch(1, way, "a test")).differentiable(("ip2",))
    for _ in range(3):
        function(torch.zeros(3, 1, 14, 14, device="meta"))
    first = len(moved)
    for _ in range(3):
        function(torch.zeros(3, 1, 14, 14, device="meta"))
    assert first == (1 if way == "loop" else 2)  # a rewrite observes the shapes, with a cut of its own
    assert len(moved) == first
