"""fine_tune and save: a loss of one's own, the same file back."""

import copy
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import onnxray
import onnxray_models
from onnxray.errors import InputError, NotFinite, OutputError
from onnxray.graph.differences.files import differences
from onnxray.training import fine_tune, save, trainable
from support import models

R = models.random
DIGITS = onnxray_models.samples("lenet")
LABELS = torch.tensor([int(path.stem[0]) for path in DIGITS])


def cross_entropy(values: dict[str, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(values["logits"], labels)


@pytest.fixture(scope="module")
def worse() -> onnxray.Model:
    """The bundled LeNet with its last layer lost."""
    model = onnxray.open("lenet")
    proto = onnx.load(model.graph.path)
    tensor = next(one for one in proto.graph.initializer if one.name == "ip2.weight")
    tensor.CopyFrom(onnx.numpy_helper.from_array(R(0, 10, 500, scale=0.01), tensor.name))
    return onnxray.open(proto, model.profile)


def test_a_lost_layer_is_learnt_again_and_no_other_changes(worse: onnxray.Model) -> None:
    pixels = worse.pixels(list(DIGITS))
    before = (worse.classify(pixels) == LABELS.numpy()).mean()
    assert before < 0.5
    ticks: list[str] = []
    better = fine_tune(
        worse, [(pixels.rows(slice(k, k + 50)), LABELS[k : k + 50]) for k in (0, 50)], cross_entropy, train=["ip2.*"],
        epochs=10, rate=1e-2, progress=lambda _done, _all, what: ticks.append(what),
    )  # fmt: skip
    assert (better.classify(pixels) == LABELS.numpy()).mean() >= 0.98
    result = differences(worse.graph, better.graph)
    assert result.only_weights
    assert {one.name for one in result.tensors} == {"ip2.weight", "ip2.bias"}
    assert len(ticks) == 20
    assert better.profile == worse.profile
    assert better.verify(pixels.rows(slice(0, 4))).agrees


def test_the_same_seed_gives_the_same_file_and_any_value_may_be_trained_on(worse: onnxray.Model) -> None:
    pixels = torch.from_numpy(np.array(worse.pixels(list(DIGITS[:20])).array))
    wanted = worse.values(pixels.numpy(), ["pool2"])["pool2"] * 1.1

    def near(values: dict[str, torch.Tensor], target: torch.Tensor) -> torch.Tensor:
        return (values["pool2"] - target).square().mean()

    made = [
        fine_tune(
            worse, [(pixels, torch.from_numpy(wanted))], near, values=["pool2"], epochs=3, optimizer="sgd", rate=0.01
        )
        for _ in range(2)
    ]
    assert made[0].graph.sha256 == made[1].graph.sha256
    changed = {one.name for one in differences(worse.graph, made[0].graph).tensors}
    assert changed == {"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"}
    off = [np.square(m.values(pixels.numpy(), ["pool2"])["pool2"] - wanted).mean() for m in (worse, made[0])]
    assert off[1] < off[0]


def test_batches_of_an_epoch_and_an_optimizer_of_ones_own(worse: onnxray.Model) -> None:
    asked: list[int] = []

    def batches(epoch: int) -> list[tuple[list[object], torch.Tensor]]:
        asked.append(epoch)
        return [(list(DIGITS[:10]), LABELS[:10])]

    fine_tune(worse, batches, cross_entropy, epochs=2, optimizer=lambda p: torch.optim.RMSprop(p, 1e-4))
    assert asked == [0, 1]


def test_a_model_of_arrays_of_several_inputs() -> None:
    model = onnxray.open(
        models.parse(
            "g (float[N,2] x, float[N,2] z) => (float[N,3] y) { a = Mul (x, z) y = MatMul (a, w) }", {"w": R(0, 2, 3)}
        )
    )
    x, z = R(1, 8, 2), R(2, 8, 2)

    def small(values: dict[str, torch.Tensor], _: object) -> torch.Tensor:
        return values["y"].square().mean()

    trained = fine_tune(model, [({"x": x, "z": z}, None)], small, values=["y"], epochs=20, rate=0.1)
    assert np.abs(trained.graph.weight("w")).mean() < np.abs(R(0, 2, 3)).mean() / 2


def test_what_cannot_be_is_refused(worse: onnxray.Model) -> None:
    batch = [(list(DIGITS[:4]), LABELS[:4])]
    with pytest.raises(NotFinite, match="the loss is NaN; take a smaller rate"):
        fine_tune(worse, batch, lambda values, _: values["logits"].sum() * float("nan"))
    with pytest.raises(InputError, match="does not depend on what is trained"):
        fine_tune(worse, batch, lambda _, labels: labels.float().sum())
    with pytest.raises(InputError, match="there are no batches"):
        fine_tune(worse, [], cross_entropy)
    with pytest.raises(InputError, match="a pair of images and targets"):
        fine_tune(worse, [list(DIGITS[:3])], cross_entropy)
    with pytest.raises(InputError, match="optimizer 'best' is unknown"):
        fine_tune(worse, batch, cross_entropy, optimizer="best")
    with pytest.raises(InputError, match="epochs is 0"):
        fine_tune(worse, batch, cross_entropy, epochs=0)


def test_the_listing_is_for_users_too(worse: onnxray.Model) -> None:
    assert [one.name for one in trainable(worse) if not one.reason] == [
        "conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "ip1.weight", "ip1.bias", "ip2.weight", "ip2.bias",
    ]  # fmt: skip


def test_a_module_is_saved_as_the_file_it_came_from(tmp_path: Path) -> None:
    path, out = tmp_path / "net.onnx", tmp_path / "new.onnx"
    proto = models.parse(
        """g (float[N,3] x) => (float[N,2] y) {
          m = Constant <value = float[3,2] {1, 2, 3, 4, 5, 6}> () h = MatMul (x, m) y = Add (h, b)
        }""",
        {"b": R(0, 2)},
    )
    onnx.save(proto, path)
    module = onnxray.to_torch(path, trainable=True)
    assert set(module.parameter_names) == {"m", "b"}
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    module(torch.from_numpy(R(1, 4, 3))).square().sum().backward()
    optimizer.step()
    assert save(module, out) == [out]
    assert differences(onnxray.open(path).graph, onnxray.open(out).graph).only_weights
    x = R(2, 4, 3)
    with torch.no_grad():
        np.testing.assert_allclose(onnxray.open(out).values(x, ["y"])["y"], module(torch.from_numpy(x)), rtol=1e-5)
    with pytest.raises(OutputError, match="is there already"):
        save(module, out)
    before = out.read_bytes()
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        out.unlink()
        save(other, out)
        assert out.read_bytes() == before


def test_a_module_that_was_not_trained_is_saved_as_the_very_file(tmp_path: Path) -> None:
    onnx.save(models.lenet(), tmp_path / "net.onnx")
    save(onnxray.to_torch(tmp_path / "net.onnx", trainable=True), tmp_path / "new.onnx")
    assert (tmp_path / "new.onnx").read_bytes() == (tmp_path / "net.onnx").read_bytes()


def test_the_model_itself_is_replaced_only_where_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(models.lenet(), path)
    module = onnxray.to_torch(path, trainable=True)
    with torch.no_grad():
        module.get_parameter("b4").add_(1)
    with pytest.raises(OutputError, match="is the model itself"):
        save(module, path)
    save(module, path, in_place=True)
    np.testing.assert_array_equal(onnxray.open(path).graph.weight("b4"), models.lenet_weights()["b4"] + np.float32(1))
    with pytest.raises(OutputError, match="is not the model's own file"):
        save(onnxray.to_torch(path, trainable=True), tmp_path / "other.onnx", in_place=True)


def test_names_of_no_onnx_file_are_refused(tmp_path: Path) -> None:
    onnx.save(models.lenet(), tmp_path / "net.onnx")
    (tmp_path / "net.model").write_bytes((tmp_path / "net.onnx").read_bytes())
    model = onnxray.open(tmp_path / "net.onnx")
    for name in ("better", "better.pt", "better.onnx.tmp"):
        with pytest.raises(OutputError, match=r"ending in \.onnx, was expected"):
            save(model, tmp_path / name)
    assert save(model, tmp_path / "better.ONNX") == [tmp_path / "better.ONNX"]
    assert save(onnxray.open(tmp_path / "net.model"), tmp_path / "better.model") == [tmp_path / "better.model"]
    assert len(list(tmp_path.iterdir())) == 4


def test_what_came_from_no_file_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'Linear' cannot be saved"):
        save(nn.Linear(2, 2), tmp_path / "x.onnx")  # type: ignore[arg-type]
    pickled = pickle.loads(pickle.dumps(onnxray.to_torch(models.lenet(), trainable=True)))
    with pytest.raises(InputError, match="does not know which file"):
        save(pickled, tmp_path / "x.onnx")


def test_parameters_that_training_ruined_are_not_written(tmp_path: Path) -> None:
    onnx.save(models.lenet(), tmp_path / "net.onnx")
    module = onnxray.to_torch(tmp_path / "net.onnx", trainable=True)
    with torch.no_grad():
        module.get_parameter("b4")[0] = float("nan")
    with pytest.raises(InputError, match=r"'b4' holds what is no finite number"):
        save(module, tmp_path / "new.onnx")
    assert not (tmp_path / "new.onnx").exists()
