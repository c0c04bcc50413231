"""PyTorch's programs, TorchScript, and modules that a function gives, through `onnxray convert`."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.cli.app import app
from onnxray.errors import InputError, MismatchError, ModelFileError
from onnxray.model.converting import convert_model

pytest.importorskip("onnxscript")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv2d(3, 4, 3), nn.Linear(4 * 36, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(x)).flatten(1))


X = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def program(folder: Path, net: nn.Module | None = None) -> str:
    batch = ({0: torch.export.Dim.DYNAMIC},)
    torch.export.save(torch.export.export((net or Net()).eval(), (X,), dynamic_shapes=batch), folder / "net.pt2")
    return str(folder / "net.pt2")


def test_every_value_of_a_program_that_keeps_its_name_is_compared(tmp_path: Path) -> None:
    made = convert_model(program(tmp_path), tmp_path / "net.onnx", trust=True)
    assert made.proof is not None
    assert {"conv2d", "relu", "linear"} <= made.proof.differences.keys()
    assert made.proof.inputs == 2
    assert made.proof.largest < 1e-5
    (found,) = made.model.judge.outputs({made.model.graph.inputs[0].name: X.numpy()}).values()
    np.testing.assert_allclose(found, Net()(X).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_torchscript(tmp_path: Path) -> None:
    torch.jit.trace(Net().eval(), X).save(str(tmp_path / "net.pt"))
    with pytest.raises(InputError, match=r"state --shape 1x3x224x224"):
        convert_model(tmp_path / "net.pt", tmp_path / "net.onnx", trust=True)
    made = convert_model(tmp_path / "net.pt", tmp_path / "net.onnx", trust=True, shapes=("1x3x8x8",))
    assert made.proof is not None
    assert made.proof.largest < 1e-5
    with pytest.raises(ModelFileError, match="cannot be exported by torch.onnx"):
        convert_model(tmp_path / "net.pt", tmp_path / "other.onnx", trust=True, shapes=("1x3x9x9",))
    assert not (tmp_path / "other.onnx").exists()


def test_a_pickled_module_and_weights_alone(tmp_path: Path) -> None:
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(192, 5)), tmp_path / "net.pth")
    made = convert_model(tmp_path / "net.pth", tmp_path / "net.onnx", trust=True, shapes=("1x3x8x8",))
    assert made.model.graph.inputs[0].shape is not None
    torch.save(Net().state_dict(), tmp_path / "weights.pth")
    with pytest.raises(ModelFileError, match="holds weights without their network"):
        convert_model(tmp_path / "weights.pth", tmp_path / "weights.onnx", trust=True, shapes=("1x3x8x8",))


@pytest.mark.parametrize(("name", "said"), [("net.pt2", "holds pickles"), ("net.pt", "pickle"), ("net.pth", "pickle")])
def test_nothing_is_read_without_trust(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"anything")
    result = command("convert", str(tmp_path / name), "-o", str(tmp_path / "net.onnx"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert "State --trust" in result.stderr
    with pytest.raises(ModelFileError, match="cannot be read"):
        convert_model(tmp_path / name, tmp_path / "net.onnx", trust=True)


FACTORY = """
import torch
from torch import nn
def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
def fails():
    raise KeyError("no weights at hand")
def number():
    return 3
class Parts(nn.Module):
    def forward(self, x):
        return x * 2 if torch.onnx.is_in_onnx_export() else x
"""


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made_for_tests.py").write_text(FACTORY)
    monkeypatch.delitem(sys.modules, "made_for_tests", raising=False)
    return "made_for_tests"


def test_a_function_that_gives_a_module(factory: str, tmp_path: Path) -> None:
    result = command("convert", f"{factory}:make", "--shape", "1x3x8x8", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["written"] == ["make.onnx"]
    assert document["proof"]["largest"] < 1e-5
    assert len(document["proof"]["differences"]) >= 3
    shape = onnxray.open("make.onnx").graph.inputs[0].shape
    assert shape is not None
    assert shape[1:] == (3, 8, 8)


@pytest.mark.parametrize(
    ("function", "shape", "said"),
    [
        ("fails", "1x3x8x8", "raised: KeyError: 'no weights at hand'"), ("number", "1x3x8x8", "gives 'int'"),
        ("nothing", "1x3x8x8", "cannot be imported: AttributeError"), ("make", "1x3x9x9", "cannot be exported"),
        ("make", "1x2x8x8", "cannot be exported"), ("make", "1x0", "sizes from 1 on"), ("make", "ax3", "sizes from 1 on"),
        ("make", "99999x99999x99999", "more than a gigabyte"),
    ],
)  # fmt: skip
def test_functions_and_shapes_that_do_not_do(
    function: str, shape: str, said: str, factory: str, tmp_path: Path
) -> None:
    result = command("convert", f"{factory}:{function}", "--shape", shape, "-o", "net.onnx")
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "net.onnx").exists()


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be imported: ModuleNotFoundError"):
        convert_model("no_such_module_at_all:make", tmp_path / "net.onnx")


def test_examples_of_another_shape_than_the_programs(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 9, 8), np.float32))
    with pytest.raises(InputError, match=r"is Nx3x8x8 in the model; 2x3x9x8 was given"):
        convert_model(program(tmp_path), tmp_path / "net.onnx", trust=True, examples=(str(tmp_path / "x.npy"),))


def test_a_conversion_that_is_wrong_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's exporter is made to write another bias than the program has."""
    real = torch.onnx.export

    def export(*given: Any, **stated: Any) -> Any:
        model = real(*given, **stated).model_proto
        for tensor in model.graph.initializer:
            if tensor.name == "last.bias":
                tensor.CopyFrom(onnx_tensor(np.ones(5, np.float32), tensor.name))
        return SimpleNamespace(model_proto=model, exported_program=None)

    monkeypatch.setattr(torch.onnx, "export", export)
    source = program(tmp_path)
    with pytest.raises(MismatchError, match="the conversion is wrong: 'linear' is off by"):
        convert_model(source, tmp_path / "net.onnx", trust=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.pt2"]


def onnx_tensor(array: Any, name: str) -> Any:
    import onnx

    return onnx.numpy_helper.from_array(array, name)


def test_preprocessing_that_is_stated_goes_into_the_file(factory: str, tmp_path: Path) -> None:
    """timm's card, and torchvision's weights, as a function gives them beside its module."""
    (tmp_path / "made_with_cards.py").write_text(
        FACTORY + "card = make()\n"
        "card.pretrained_cfg = dict(input_size=(3, 8, 8), mean=(0.5,) * 3, std=(0.25,) * 3, crop_pct=0.8)\n"
        "from types import SimpleNamespace as S\n"
        "preset = S(crop_size=[8], resize_size=[10], mean=[0.1, 0.2, 0.3], std=[0.4] * 3, interpolation=S(value='bicubic'))\n"
        "weights = S(transforms=lambda: preset, meta={'categories': list('abcde')})\n"
        "def both():\n    return make(), weights\n"
    )
    sys.modules.pop("made_with_cards", None)
    timm = convert_model("made_with_cards:card", tmp_path / "timm.onnx").model.profile
    assert timm is not None
    assert (timm.mean, timm.std, timm.size, timm.assumed) == ((0.5,) * 3, (0.25,) * 3, (8, 8), False)
    vision = convert_model("made_with_cards:both", tmp_path / "vision.onnx", shapes=("1x3x8x8",)).model.profile
    assert vision is not None
    assert (vision.mean, vision.resized, vision.interpolation) == ((0.1, 0.2, 0.3), (10, 10), "bicubic")
    assert vision.labels == tuple("abcde")


def test_a_converted_network_is_classified_and_explained(tmp_path: Path) -> None:
    """The bundled trained LeNet as a module of torch, exported, and back."""
    net = onnxray.to_torch("lenet").eval()
    pixels = torch.zeros(2, 1, 28, 28)
    torch.export.save(torch.export.export(net, (pixels,)), tmp_path / "lenet.pt2")
    out = str(tmp_path / "again.onnx")
    result = command("convert", str(tmp_path / "lenet.pt2"), "--trust", "-o", out)
    assert result.exit_code == 0, result.stderr
    assert "off by at most" in result.stdout
    digits = [str(path) for path in onnxray_models.samples("lenet")[:2]]
    profile = ("--profile", "lenet", "--json")
    found, known = (json.loads(command("classify", net, *digits, *profile).stdout)["items"] for net in (out, "lenet"))
    assert [item["class"] for item in found] == [item["class"] for item in known]
    result = command("saliency", "gradient", out, digits[0], *profile, "-o", str(tmp_path / "maps"))
    assert result.exit_code == 0, result.stderr


class Heads(nn.Module):
    """Attention: the exporter takes it apart, and what it then calls view is not what the program calls so."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.mix, self.last = (
            nn.Conv2d(3, 8, 4, 4),
            nn.MultiheadAttention(8, 2, batch_first=True),
            nn.Linear(8, 3),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.first(x).flatten(2).transpose(1, 2)
        heads = tokens.view(tokens.shape[0], -1, 2, 4).transpose(1, 2)
        mixed = nn.functional.scaled_dot_product_attention(heads, heads, heads).transpose(1, 2).reshape(tokens.shape)
        return self.last((mixed + self.mix(tokens, tokens, tokens)[0]).mean(1))


def test_values_are_compared_by_the_names_of_what_was_exported(tmp_path: Path) -> None:
    made = convert_model(program(tmp_path, Heads()), tmp_path / "net.onnx", trust=True)
    assert made.proof is not None
    assert len(made.proof.differences) > 10
    (found,) = made.model.judge.outputs({made.model.graph.inputs[0].name: X.numpy()}).values()
    np.testing.assert_allclose(found, Heads().eval()(X).detach().numpy(), rtol=1e-4, atol=1e-5)


class Processor:
    """As transformers' image processors state themselves."""

    image_mean = (0.5, 0.4, 0.3)

    def to_dict(self) -> dict[str, Any]:
        return {
            "do_resize": True, "size": {"height": 8, "width": 8}, "resample": 2, "do_rescale": True,
            "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": self.image_mean, "image_std": (0.5, 0.5, 0.5),
            "image_processor_type": "ViTImageProcessor",
        }  # fmt: skip


def test_what_transformers_states_goes_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net()
    net.config = SimpleNamespace(id2label={i: f"kind {i}" for i in range(5)}, model_type="vit")  # type: ignore[assignment]
    module = ModuleType("made_of_transformers")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(module, "make", lambda: (net, Processor()), raising=False)
    made = convert_model(f"{module.__name__}:make", tmp_path / "net.onnx", shapes=("1x3x8x8",))
    profile = made.model.profile
    assert profile is not None
    assert (profile.mean, profile.std, profile.size) == ((0.5, 0.4, 0.3), (0.5, 0.5, 0.5), (8, 8))
    assert profile.labels == tuple(f"kind {i}" for i in range(5))
