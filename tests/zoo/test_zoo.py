"""Real trained models, where they are there: ``conformance.zoo`` says what is asked of them, and of which folder."""

import pytest
from torch import nn

import onnxray
from conformance import report, tables, zoo
from onnxray.engines.processor import u8s8_saturates

pytestmark = pytest.mark.skipif(not zoo.files(), reason="no models in ../shared/zoo, nor where ONNXRAY_ZOO says")

TABLE = tables.read(tables.FOLDER / "zoo.csv")


@pytest.mark.parametrize("name", zoo.files())
def test_model(name: str) -> None:
    found = zoo.run(name)
    report.count("zoo", found.kind)
    assert found.kind == TABLE.get(name), f"{name} is {found.kind}, {found.why}"


def test_table() -> None:
    """No model is wrong, and none has gone."""
    assert set(TABLE) == set(zoo.files())
    assert not {"wrong", "crash"} & set(TABLE.values())


SQUEEZENET = "squeezenet-v1.1-onnx/squeezenet_v1.1_{}.onnx"


@pytest.mark.parametrize("name", zoo.files())
def test_verify_says_that_all_is_well(name: str) -> None:
    found = onnxray.open(zoo.folder() / name).verify()
    assert found.agrees, found.reason
    assert found.comparisons


@pytest.mark.skipif(SQUEEZENET.format("qdq_int8") not in zoo.files(), reason="the quantised SqueezeNet is not there")
class TestQuantised:
    """With SqueezeNet's own profile, on which twin and judge are one step of quantisation apart."""

    def test_one_step_is_let_pass_and_stated(self) -> None:
        model = onnxray.open(zoo.folder() / SQUEEZENET.format("qdq_int8"), "caffe-imagenet")
        found = model.verify()
        assert found.agrees, found.reason
        assert found.quantised
        (output,) = found.outputs
        assert output.steps is not None
        assert output.steps < 1.001
        assert model.saturates is u8s8_saturates()
        assert ("made exact" in found.arithmetic) is u8s8_saturates()
        gradient = model.pullback(model._seeded(), {output.name: lambda value, place: value})
        assert gradient.any()

    @pytest.mark.parametrize("name", ["qdq_int8", "fp32_from_fp16"])
    @pytest.mark.parametrize("broken", [nn.MaxPool2d, nn.Softmax])
    def test_a_broken_converter_is_caught(
        self, name: str, broken: type[nn.Module], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = broken.forward
        monkeypatch.setattr(broken, "forward", lambda self, x: real(self, x) * 1.01)
        found = onnxray.open(zoo.folder() / SQUEEZENET.format(name), "caffe-imagenet").verify()
        assert not found.agrees
        assert found.fault is not None
        assert found.fault.operator == {nn.MaxPool2d: "MaxPool", nn.Softmax: "Softmax"}[broken]
        assert found.fault.own.relative == pytest.approx(0.01, rel=0.05)
