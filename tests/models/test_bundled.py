import gzip
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from onnx import numpy_helper
from PIL import Image

import onnxray_models

ROOT = Path(__file__).resolve().parents[2]
FOLDER = onnxray_models.path("lenet").parent
# The MNIST test digits are not in the repository; where a folder of test data stands beside it, they are measured.
MNIST_TEST = ROOT.parent / "shared" / "zoo" / "data-mnist-t10k"
SHAPES = {
    "conv1": (20, 24, 24),
    "pool1": (20, 12, 12),
    "conv2": (50, 8, 8),
    "pool2": (50, 4, 4),
    "flatten": (800,),
    "ip1": (500,),
    "relu1": (500,),
    "ip2": (10,),
    "prob": (10,),
}
Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def proto() -> onnx.ModelProto:
    return onnx.load(onnxray_models.path("lenet"))


@pytest.fixture(scope="module")
def session(proto: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """The shipped graph with every value made an output, so that each can be compared."""
    opened = onnx.shape_inference.infer_shapes(proto)
    known = {value.name: value for value in opened.graph.value_info}
    opened.graph.output.extend(known[name] for name in SHAPES if name != "prob")
    return onnxruntime.InferenceSession(opened.SerializeToString(), providers=["CPUExecutionProvider"])


def sample_digits() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    files = onnxray_models.samples("lenet")
    return np.stack([np.asarray(Image.open(file)) for file in files]), np.array([int(file.name[0]) for file in files])


def to_input(digits: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return digits[:, None].astype(np.float32) / np.float32(256)


def restate(proto: onnx.ModelProto, data: npt.NDArray[np.float32]) -> dict[str, Floats]:
    """Caffe's LeNet written out in float64 NumPy, knowing nothing of the file but its weights."""
    w = {tensor.name: numpy_helper.to_array(tensor).astype(np.float64) for tensor in proto.graph.initializer}

    def convolve(x: Floats, name: str) -> Floats:
        windows = sliding_window_view(x, (5, 5), (2, 3))
        return np.einsum("nchwij,ocij->nohw", windows, w[f"{name}.weight"]) + w[f"{name}.bias"][:, None, None]

    def pool(x: Floats) -> Floats:
        n, c, h, wide = x.shape
        return x.reshape(n, c, h // 2, 2, wide // 2, 2).max((3, 5))

    v: dict[str, Floats] = {}
    v["conv1"] = convolve(data.astype(np.float64), "conv1")
    v["pool1"] = pool(v["conv1"])
    v["conv2"] = convolve(v["pool1"], "conv2")
    v["pool2"] = pool(v["conv2"])
    v["flatten"] = v["pool2"].reshape(len(data), -1)
    v["ip1"] = v["flatten"] @ w["ip1.weight"].T + w["ip1.bias"]
    v["relu1"] = np.maximum(v["ip1"], 0)
    v["ip2"] = v["relu1"] @ w["ip2.weight"].T + w["ip2.bias"]
    grown = np.exp(v["ip2"] - v["ip2"].max(1, keepdims=True))
    v["prob"] = grown / grown.sum(1, keepdims=True)
    return v


def test_the_package_finds_its_model() -> None:
    assert onnxray_models.names() == ("lenet",)
    assert onnxray_models.path("lenet").is_file()
    for unknown in ("resnet", "../lenet", ""):
        with pytest.raises(KeyError, match="lenet"):
            onnxray_models.path(unknown)
    with pytest.raises(KeyError):
        onnxray_models.samples("resnet")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'models')!r}); import onnxray_models; onnxray_models.names(); "
        "print([m for m in ('numpy', 'onnx', 'onnxruntime', 'torch', 'PIL') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_file_is_valid_and_says_where_it_comes_from(proto: onnx.ModelProto) -> None:
    onnx.checker.check_model(proto, full_check=True)
    assert proto.producer_name == "onnxray"
    assert "MNIST" in proto.doc_string
    assert proto.ir_version == 8
    assert [(opset.domain, opset.version) for opset in proto.opset_import] == [("", 13)]


def test_values_carry_caffe_names_and_shapes(proto: onnx.ModelProto) -> None:
    graph = onnx.shape_inference.infer_shapes(proto, strict_mode=True).graph
    found = {
        value.name: tuple(dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    assert found == {"data": ("N", 1, 28, 28)} | {name: ("N", *shape) for name, shape in SHAPES.items()}
    assert [output for node in graph.node for output in node.output] == list(SHAPES)
    assert [value.name for value in graph.input] == ["data"]
    assert [value.name for value in graph.output] == ["prob"]
    assert {tensor.name: tuple(tensor.dims) for tensor in graph.initializer} == {
        "conv1.weight": (20, 1, 5, 5),
        "conv1.bias": (20,),
        "conv2.weight": (50, 20, 5, 5),
        "conv2.bias": (50,),
        "ip1.weight": (500, 800),
        "ip1.bias": (500,),
        "ip2.weight": (10, 500),
        "ip2.bias": (10,),
    }


@pytest.mark.parametrize("batch", [1, 7])
def test_every_value_equals_the_restatement(
    proto: onnx.ModelProto, session: onnxruntime.InferenceSession, batch: int
) -> None:
    data = to_input(sample_digits()[0])[::13][:batch]
    # Noise beside digits: on digits alone most of the border is zero, and a wrong pad or stride could hide there.
    data = np.concatenate([data, np.random.default_rng(0).random(data.shape, np.float32)])
    for name, expected in restate(proto, data).items():
        got = session.run([name], {"data": data})[0]
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max(), err_msg=name)


def test_the_samples_are_ten_small_grey_digits_a_class() -> None:
    files = onnxray_models.samples("lenet")
    assert [file.name for file in files] == [f"{digit}_{k}.png" for digit in range(10) for k in range(10)]
    for file in files:
        with Image.open(file) as image:
            assert (image.mode, image.size) == ("L", (28, 28))
            assert image.getpixel((0, 0)) == 0, "a digit is white on black"
    assert len({digit.tobytes() for digit in sample_digits()[0]}) == 100


def test_the_samples_are_named_rightly(session: onnxruntime.InferenceSession) -> None:
    digits, labels = sample_digits()
    assert (session.run(["prob"], {"data": to_input(digits)})[0].argmax(1) == labels).mean() >= 0.97


def test_the_profile_says_how_pixels_go_in(proto: onnx.ModelProto) -> None:
    assert tomllib.loads((FOLDER / "lenet.toml").read_text()) == {
        "name": "lenet",
        "layout": "NCHW",
        "channels": "GREY",
        "scale": 1 / 256,
        "mean": [0.0],
        "std": [1.0],
        "size": [28, 28],
        "resize": "stretch",
        "range": [0.0, 255.0],
        "labels": [str(digit) for digit in range(10)],
        "logits": "ip2",
        "features": "relu1",
    }


def card_accuracy() -> float:
    found = re.search(r"(\d+\.\d\d) % of the 10,000 MNIST test digits", (FOLDER / "CARD.md").read_text())
    assert found
    return float(found[1])


def test_the_card_and_the_data_licence_are_there() -> None:
    assert card_accuracy() >= 99.0
    licence = (FOLDER / "LICENSE-DATA.md").read_text()
    assert all(word in licence for word in ("CC BY-SA 3.0", "LeCun", "Cortes", "Juan Cazala", "MIT"))


@pytest.mark.skipif(not MNIST_TEST.is_dir(), reason="the MNIST test digits are not beside this checkout")
def test_the_accuracy_on_the_mnist_test_digits_is_what_the_card_says(session: onnxruntime.InferenceSession) -> None:
    raw = gzip.decompress((MNIST_TEST / "t10k-images-idx3-ubyte.gz").read_bytes())
    digits = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer(gzip.decompress((MNIST_TEST / "t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    right = (session.run(["prob"], {"data": to_input(digits)})[0].argmax(1) == labels).sum()
    assert len(digits) == 10_000
    assert right >= 9_900
    assert right / 100 == card_accuracy()
