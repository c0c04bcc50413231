"""Trained models that lie inside installed packages (tests/packages.txt), each against plain ONNX Runtime.

Among them: NHWC inputs with free sides, weights as graph inputs, weights as Constant nodes, batches fixed at 1, 10 and
64, three inputs, up to four outputs, no image at all, and operators of nobody's standard, which are refused.
"""

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
import pytest
from skimage.data import coffee

import onnxray
from onnxray.errors import RuntimeRefusal, UnsupportedOperator
from onnxray.model.model import Model
from support import packages
from support.installed import FACE, INSTALLED, REFUSED, Array, Feeds, Installed, astronaut, protobuf

every = pytest.mark.parametrize("name", INSTALLED)


def by_session(case: Installed, model: Model, given: Feeds) -> dict[str, Array]:
    """What a plain session gives, sample by sample; a batch that the file fixes is filled with copies."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(case.path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    if isinstance(given, Mapping):
        return dict(zip(names, session.run(None, dict(given))))
    encoded = given if model.profile is None else model.profile.encode(given)
    fed = session.get_inputs()[0]
    count = fed.shape[0] if isinstance(fed.shape[0], int) else 1
    runs = [session.run(None, {fed.name: np.repeat(sample[None], count, 0)}) for sample in encoded]
    return {name: np.stack([run[k][0] for run in runs]) for k, name in enumerate(names)}


@every
def test_what_the_file_says(name: str) -> None:
    case = INSTALLED[name]
    model = case.open()
    assert model.graph.producer.startswith(case.producer)
    assert {value.name: value.shape for value in model.graph.inputs} == dict(case.inputs)
    assert {value.name: value.shape for value in model.graph.outputs} == dict(case.outputs)
    assert {value.dtype for value in (*model.graph.inputs, *model.graph.outputs)} == {"float32"}
    proto = onnx.load(case.path)
    constants = [node.attribute[0].t for node in proto.graph.node if node.op_type == "Constant"]
    weights = [*proto.graph.initializer, *constants]
    assert model.graph.parameters == sum(onnx.numpy_helper.to_array(weight).size for weight in weights)


@every
def test_the_judge_is_a_plain_session(name: str) -> None:
    case = INSTALLED[name]
    model, given = case.open(), case.give(INSTALLED[name])
    found = model.values(given, list(case.outputs))
    expected = by_session(case, model, given)
    assert set(found) == set(expected)
    for output, array in expected.items():
        np.testing.assert_allclose(found[output], array, rtol=1e-5, atol=1e-5 * np.abs(array).max())


@every
@pytest.mark.parametrize("real", [True, False], ids=["real", "seeded"])
def test_the_twin_agrees_at_every_float_value(name: str, real: bool) -> None:
    case = INSTALLED[name]
    model = case.open()
    found = model.verify(case.give(case) if real else None)
    assert found.agrees, found.first_divergence
    read = {v.name for v in model.graph.values.values() if v.name in model.graph.readers_of} | set(case.outputs)
    floats = {v.name for v in model.graph.values.values() if v.kind == "node" and v.is_float and v.name in read}
    moving = floats & model.graph.depends_on_input
    assert {comparison.name for comparison in found.comparisons} >= moving
    assert len(moving) >= 7


@every
def test_gradients_are_slopes_of_the_judge(name: str) -> None:
    """At the three places of each input where the gradient is largest: (f(x + h) - f(x - h)) / 2h, f of all outputs."""
    case = INSTALLED[name]
    model, given = case.open(), case.give(case)
    names = list(model.select_values(case.pulled or tuple(case.outputs)))
    generator = np.random.default_rng(1)
    at = model.values(given, names)
    cotangents = {n: generator.standard_normal(at[n].shape).astype(np.float32) for n in names}
    pulled = model.pullback(given, cotangents)
    gradients = pulled if isinstance(pulled, Mapping) else {"": pulled}

    def f(variable: str, moved: Array) -> float:
        found = model.values({**given, variable: moved} if isinstance(given, Mapping) else moved, names)
        return sum(float((found[n].astype(np.float64) * cotangents[n]).sum()) for n in names)

    for variable, gradient in gradients.items():
        start = given[variable] if isinstance(given, Mapping) else given
        assert gradient.shape == start.shape
        for flat in np.argsort(-np.abs(gradient).ravel())[:3]:
            place = np.unravel_index(flat, gradient.shape)
            up, down = start.copy(), start.copy()
            up[place] += case.step
            down[place] -= case.step
            slope = (f(variable, up) - f(variable, down)) / float(up[place] - down[place])
            assert slope == pytest.approx(gradient[place], rel=0.02), (variable, place)


@pytest.mark.parametrize("name", [name for name in INSTALLED if name != "attention"])
def test_a_batch_is_its_samples(name: str) -> None:
    """Values and gradients of three samples, also where the file fixes its batch at another number."""
    case = INSTALLED[name]
    model, two = case.open(), case.give(case)
    assert isinstance(two, np.ndarray)
    three = np.concatenate([two, two[:1]])
    names = list(case.outputs)
    together = model.values(three, names, engine="twin")
    cotangents = {n: np.ones_like(together[n]) for n in names}
    gradient = model.pullback(three, cotangents)
    assert gradient.shape == three.shape
    for k in range(3):
        alone = model.values(three[k : k + 1], names)
        for n in names:
            np.testing.assert_allclose(together[n][k], alone[n][0], rtol=1e-3, atol=1e-3 * np.abs(alone[n]).max())
        one = model.pullback(three[k : k + 1], {n: cotangents[n][k : k + 1] for n in names})[0]
        np.testing.assert_allclose(gradient[k], one, rtol=1e-2, atol=1e-3 * np.abs(one).max())


@every
def test_the_plain_module_is_checked(name: str) -> None:
    case = INSTALLED[name]
    assert len(onnxray.to_torch(case.path).output_names) == len(case.outputs)


@pytest.mark.parametrize("inside", REFUSED)
def test_operators_of_nobodys_standard_are_refused_by_name(inside: str) -> None:
    path = packages.needed("qonnx", inside)
    by_judge, by_importer = REFUSED[inside]
    with pytest.raises(RuntimeRefusal, match=by_judge):
        onnxray.open(path).judge.providers  # noqa: B018
    with pytest.raises(UnsupportedOperator, match=by_importer):
        onnxray.to_torch(path)


def test_the_pair_that_cntk_s_network_comes_with() -> None:
    """The output was computed by CNTK itself."""
    model = INSTALLED["cntk-mnist"].open()
    folder = "qonnx/data/onnx/mnist-conv/test_data_set_0/"
    given, expected = protobuf(folder + "input_0.pb"), protobuf(folder + "output_0.pb")
    output = model.graph.outputs[0].name
    for engine in ("judge", "twin"):
        found = model.values(given, [output], engine=engine)[output]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


def test_digits_are_told() -> None:
    packages.needed("foolbox", "foolbox/data/imagenet_00_243.jpg")
    digits = packages.mnist_digits()
    found = INSTALLED["cntk-mnist"].open().predict([path for path, _ in digits])
    assert list(found.classes) == [digit for _, digit in digits]
    pairs = [(path, digit) for path, digit in digits if digit < 2]
    assert len(pairs) > 4
    found = INSTALLED["dianna-mnist"].open().predict([path for path, _ in pairs])
    assert list(found.classes) == [digit for _, digit in pairs]


@pytest.mark.parametrize("name", ["mtcnn-rnet", "mtcnn-onet"])
def test_a_face_is_told_from_coffee(name: str) -> None:
    """By an NHWC profile; the networks read rows and columns swapped."""
    model = INSTALLED[name].open()
    face, cup = astronaut()[FACE].transpose(1, 0, 2), coffee()[100:200, 100:200]
    probabilities = model.predict([face, cup]).probabilities[:, 1]
    assert probabilities[0] > 0.99
    assert probabilities[1] < 0.05


def test_the_digits_of_dianna_are_told() -> None:
    with np.load(packages.needed("dianna", "dianna/data/binary-mnist.npz")) as data:
        pictures, classes = data["X_test"][:200].reshape(-1, 1, 28, 28), data["y_test"][:200]
    found = INSTALLED["dianna-mnist"].open().classify(pictures)
    assert (found == classes).mean() > 0.97
