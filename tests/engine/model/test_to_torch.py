"""``to_torch``: a plain module, with the graph's outputs in their order and its weights under their names."""

import copy

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import onnxray
from onnxray.errors import MismatchError, RuntimeRefusal, UnknownValue
from onnxray.graph.reading import read_graph
from onnxray.importer.walk import Importer
from support import models
from support.importing import assert_same, outputs

R = models.random


def test_it_gives_what_the_judge_gives(lenet: onnx.ModelProto) -> None:
    module = onnxray.to_torch(lenet)
    x = R(0, 5, 1, 14, 14)
    assert isinstance(module, nn.Module)
    np.testing.assert_allclose(outputs(module, {"x": x})[0], models.run(lenet, {"x": x})[0], rtol=1e-5, atol=1e-6)


def test_it_takes_models_paths_bytes_and_bundled_names(lenet: onnx.ModelProto, tmp_path: object) -> None:
    for source in (lenet, lenet.SerializeToString(), onnxray.open(lenet, models.GREY), "lenet"):
        assert isinstance(onnxray.to_torch(source), nn.Module)


def test_no_profile_stands_in_front(lenet: onnx.ModelProto) -> None:
    x = R(0, 1, 1, 14, 14)
    through_model = onnxray.to_torch(onnxray.open(lenet, models.GREY))
    np.testing.assert_array_equal(*(outputs(m, {"x": x})[0] for m in (through_model, onnxray.to_torch(lenet))))


MANY = """
g (float[N,4] x) => (float[N,4] r, float[N,4] x, float[N,2] b, float[4] w, float[N,4] r, float[2] c, float[N,2] a) {
  c = Constant <value = float[2] {3, 4}> ()
  m = Mul (x, w)
  r = Relu (m)
  a, b = Split <axis = 1> (r)
}
"""


def test_outputs_in_the_graphs_order_of_every_kind() -> None:
    """Twice the same, an input, an initialiser, a constant, and two of one node in the other order."""
    weights, x = {"w": R(0, 4)}, R(1, 3, 4)
    module = onnxray.to_torch(models.parse(MANY, weights, opset=13), verify=False)
    found = outputs(module, {"x": x})
    r = np.maximum(x * weights["w"], 0)
    expected = [r, x, r[:, 2:], weights["w"], r, np.float32([3, 4]), r[:, :2]]
    assert isinstance(module(torch.from_numpy(x)), tuple)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_outputs_are_verified_against_the_judge_in_their_order() -> None:
    text = MANY.replace("float[N,4] r, float[2] c", "float[2] c")  # ONNX Runtime takes no output twice
    onnxray.to_torch(models.parse(text, {"w": R(0, 4)}, opset=13))


@pytest.mark.parametrize("wanted", ["y0", "y1"])
def test_one_of_several_outputs_of_a_node(wanted: str) -> None:
    model = models.node("TopK", {"x": R(0, 3, 5)}, opset=11, constants={"k": np.int64([2])}, outputs=2)
    kept = [info for info in model.graph.output if info.name == wanted]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    assert_same(model, {"x": R(0, 3, 5)})


def test_several_inputs_in_the_graphs_order() -> None:
    model = models.parse("g (float[N,2] b, float[N,2] a) => (float[N,2] y) { y = Sub (a, b) }")
    a, b = torch.tensor([[1.0, 2.0]]), torch.tensor([[5.0, 7.0]])
    module = onnxray.to_torch(model)
    assert module.input_names == ("b", "a")
    assert module(b, a).tolist() == [[-4, -5]]


def test_every_node_is_a_submodule_found_by_onnx_name(lenet: onnx.ModelProto) -> None:
    module = onnxray.to_torch(lenet)
    kinds = {"conv1": nn.Conv2d, "relu1": nn.ReLU, "pool1": nn.MaxPool2d, "pool2": nn.AvgPool2d, "prob": nn.Softmax}
    for name, kind in kinds.items():
        assert type(module.layer(name)) is kind
    assert module.layer("first") is module.layer("conv1")  # by the node's own name too
    seen = []
    module.layer("relu2").register_forward_hook(lambda layer, args, result: seen.append(result))
    x = R(0, 2, 1, 14, 14)
    module(torch.from_numpy(x))
    np.testing.assert_allclose(seen[0].numpy(), models.run(lenet, {"x": x}, ["relu2"])[0], rtol=1e-4, atol=1e-5)
    with pytest.raises(UnknownValue, match="no node of this module computes 'relu9'"):
        module.layer("relu9")


def test_frozen_and_in_eval_mode(lenet: onnx.ModelProto) -> None:
    module = onnxray.to_torch(lenet)
    assert not any(part.training for part in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert {name for name, _ in module.named_parameters()} == set(models.lenet_weights())


def test_trainable_weights_carry_their_names_and_gradients_reach_them(lenet: onnx.ModelProto) -> None:
    module = onnxray.to_torch(lenet, trainable=True)
    parameters = dict(module.named_parameters())
    assert set(parameters) == set(models.lenet_weights())
    assert not any(part.training for part in module.modules())
    x = torch.from_numpy(R(0, 4, 1, 14, 14))
    torch.log(module(x))[:, 2].sum().backward()
    for name, weight in models.lenet_weights().items():
        np.testing.assert_array_equal(parameters[name].detach().numpy(), weight)
        gradient = parameters[name].grad
        assert gradient is not None, name
        assert gradient.abs().max() > 0, name
    before = module(x).detach()
    with torch.no_grad():
        parameters["b4"][2] += 1
    assert (module(x)[:, 2] > before[:, 2]).all()


def test_trainable_weights_of_other_operators() -> None:
    """What a converter takes as a tensor, what it hides in a module, and what onnx2torch copies."""
    weights = {
        "add": R(0, 3, 1, 1), "slope": R(1, 3, 1, 1), "scale": R(2, 3), "shift": R(3, 3), "up": R(4, 3, 2, 2, 2),
        "upb": R(5, 2), "ls": R(6, 8), "lb": R(7, 8), "w": R(8, 8, 3), "s": R(9, 2), "b": R(10, 2), "m": R(11, 2),
        "v": np.abs(R(12, 2)) + 1,
    }  # fmt: skip
    model = models.parse(
        """g (float[N,3,4,4] x) => (float[N,2,8,3] y) {
          a = Add (x, add) p = PRelu (a, slope) i = InstanceNormalization (p, scale, shift)
          u = ConvTranspose <strides = [2, 2]> (i, up, upb)
          n = BatchNormalization (u, s, b, m, v)
          l = LayerNormalization (n, ls, lb)
          y = MatMul (l, w)
        }""",
        weights,
    )
    module = onnxray.to_torch(model, trainable=True)
    parameters = dict(module.named_parameters())
    assert set(parameters) == set(weights)
    (module(torch.from_numpy(R(20, 2, 3, 4, 4))) ** 2).sum().backward()
    without = {name for name, parameter in parameters.items() if parameter.grad is None}
    assert without <= {"m", "v"}  # the statistics of a normalisation are not trained by gradients


def test_a_weight_that_two_nodes_read_is_held_once() -> None:
    model = models.parse(
        """g (float[N,3,4,4] x) => (float[N,3,4,4] y, float[N,3] z) {
          a = Conv (x, w, b) y = Conv (a, w, b)
          p = GlobalAveragePool (y) f = Flatten (p) t = Identity (m) q = MatMul (f, m) z = Gemm <transB = 1> (q, t, b)
        }""",
        {"w": R(0, 3, 3, 1, 1), "b": R(1, 3), "m": R(2, 3, 3)},
    )
    module = onnxray.to_torch(model)
    first, second = module.layer("a"), module.layer("y")
    assert first.weight is second.weight
    assert first.bias is second.bias
    pointers = {parameter.data_ptr() for parameter in module.state_dict().values()}
    assert len(pointers) == 3
    assert len(list(module.parameters())) == 3


def test_modules_are_shared_among_cuts(lenet: onnx.ModelProto) -> None:
    importer = Importer(read_graph(lenet))
    first, second = importer.cut(("conv1",)), importer.cut(("relu2", "conv1"))
    assert first.layer("conv1") is second.layer("conv1")
    assert importer.cut(("conv1",)) is first
    assert "conv2" not in first.layers
    assert [name for name, _ in second.named_modules() if "Gemm" in name] == []


NAMES = [
    "conv1.weight",
    "/model/w",
    "a:0",
    "weight",
    "forward",
    "training",
    "nodes.0",
    "a..b",
    "a.",
    ".a",
    "w w",
    "__class__",
    "x.type",
    "graph",
    "ü",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_weight_is_kept_or_replaced_safely(name: str) -> None:
    model = models.parse("g (float[N,3] x) => (float[N,3] y) { t = Mul (x, w) y = Relu (t) }", {"w": R(0, 3)})
    model.graph.initializer[0].name = model.graph.node[0].input[1] = name
    module = onnxray.to_torch(model, trainable=True)
    parameters = dict(module.named_parameters())
    if name in {"conv1.weight", "/model/w", "a:0", "weight"}:
        assert list(parameters) == [name]
    assert module.parameter_names == {name: next(iter(parameters))}
    (weight,) = parameters.values()
    module(torch.from_numpy(R(1, 2, 3)) + 5).sum().backward()
    assert weight.grad is not None


@pytest.mark.parametrize("names", [("x..a/b", "x..a:b"), (".a", "a."), ("a..b", "a__b"), ("forward", "w_forward")])
def test_no_two_names_become_one(names: tuple[str, str]) -> None:
    model = models.parse(
        "g (float[N,3] x) => (float[N,3] y) { t = Mul (x, w) y = Add (t, b) }", {"w": R(0, 3), "b": R(1, 3)}
    )
    for node, tensor, name in zip(model.graph.node, model.graph.initializer, names):
        tensor.name = node.input[1] = name
    module = assert_same(model, {"x": R(2, 4, 3)})
    assert len(list(module.parameters())) == 2


def test_a_name_that_begins_another() -> None:
    model = models.parse(
        "g (float[N,3] x) => (float[N,3] y) { t = Mul (x, w) y = Add (t, b) }", {"w": R(0, 3), "b": R(1, 3)}
    )
    for node, tensor, name in zip(model.graph.node, model.graph.initializer, ("a", "a.b")):
        tensor.name = node.input[1] = name
    for swapped in (False, True):
        if swapped:
            model.graph.node[0].input[1], model.graph.node[1].input[1] = "a.b", "a"
        module = onnxray.to_torch(model, trainable=True)
        assert len(dict(module.named_parameters())) == 2


def test_a_copy_works_alone(lenet: onnx.ModelProto) -> None:
    module = onnxray.to_torch(lenet)
    other = copy.deepcopy(module)
    x = R(0, 2, 1, 14, 14)
    np.testing.assert_array_equal(outputs(other, {"x": x})[0], outputs(module, {"x": x})[0])
    assert type(other.layer("conv1")) is nn.Conv2d
    assert other.layer("conv1") is not module.layer("conv1")


def test_a_wrong_converter_is_caught(lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: x)
    with pytest.raises(MismatchError, match="disagree on value 'prob'"):
        onnxray.to_torch(lenet)
    assert isinstance(onnxray.to_torch(lenet, verify=False), nn.Module)


SEQUENCE = "g (seq(float[2]) s) => (float[K] y) { y = ConcatFromSequence <axis = 0> (s) }"


def test_what_no_seeded_inputs_fit_is_compared_at_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sequence cannot be invented; nothing of it is a veto."""
    model = models.parse(SEQUENCE)
    with pytest.warns(UserWarning, match="compared on the first"):
        module = onnxray.to_torch(model)
    parts = [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])]
    assert module(parts).tolist() == [1, 2, 3, 4]
    with pytest.warns(UserWarning, match="compared on the first"):
        wrong = onnxray.to_torch(model)
    monkeypatch.setattr(torch, "cat", lambda tensors, dim=0: torch.zeros(4))
    monkeypatch.setattr(torch, "concat", lambda tensors, dim=0: torch.zeros(4))
    with pytest.raises(MismatchError, match="'y'"):
        wrong(parts)


def test_half_precision() -> None:
    weights = {name: array.astype(np.float16) for name, array in models.lenet_weights().items()}
    model = models.parse(models.LENET.format(batch="N").replace("float[", "float16["), weights)
    module = onnxray.to_torch(model)
    assert module(torch.zeros(1, 1, 14, 14, dtype=torch.float16)).dtype == torch.float16


def test_what_the_module_cannot_run_is_told_in_one_line() -> None:
    """Three coefficients a class for two features: ONNX Runtime reads the first ones and says nothing."""
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 1]> g (float[3,2] x) => (int64[3] label, float[3,2] p) '
        "{ label, p = ai.onnx.ml.LinearClassifier <classlabels_ints = [0, 1], coefficients = [1.0, 2.0, 3.0, 4.0, 5.0, "
        "6.0], intercepts = [0.5, -0.5]> (x) }"
    )
    with pytest.raises(
        RuntimeRefusal, match="the torch twin cannot run the model on this input: mat1 and mat2"
    ) as told:
        onnxray.to_torch(model)
    assert "\n" not in str(told.value)


def test_sides_that_must_agree_are_no_veto() -> None:
    """Two inputs whose sides must agree, of which one alone is stated."""
    text = "g (float[1,5,3,4] x, float[1,7,N,M] r) => (float[A,B,C,D] y) { y = Concat <axis = 1> (x, r) }"
    with pytest.warns(UserWarning, match="compared on the first"):
        module = onnxray.to_torch(models.parse(text))
    x, r = torch.zeros(1, 5, 3, 4), torch.ones(1, 7, 3, 4)
    assert module(x, r).shape == (1, 12, 3, 4)
