"""What a user states of an output counts, unless the file contradicts it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import InputError, OnnxrayError, ProfileError, UnknownValue
from onnxray.graph.outputs.facts import OutputKind
from onnxray.graph.outputs.stated import StatedOutput, answered_with, read_stated
from onnxray.graph.reading import read_graph
from support import models

WEIGHTS = {"w": models.random(0, 4, 3), "u": models.random(1, 4, 1)}
X = models.random(2, 5, 4)


def two() -> onnx.ModelProto:
    """Three numbers that nothing closes, and a sigmoid."""
    return models.parse(
        "g (float[N,4] x) => (float[N,3] a, float[N,1] p, float[N,1] q) "
        "{ a = MatMul (x, w) q = MatMul (x, u) p = Sigmoid (q) }",
        WEIGHTS,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", StatedOutput(output="a")),
        ("p", StatedOutput(output="p")),
        ("a=embedding", StatedOutput(output="a", kind="embedding")),
        ("a = multi-label".replace(" = ", "="), StatedOutput(output="a", kind="multi-label")),
    ],
)
def test_text(text: str, expected: StatedOutput) -> None:
    assert read_stated(read_graph(two()), text) == expected


def test_a_name_may_hold_the_sign() -> None:
    graph = read_graph(models.parse("g (float[N,4] x) => (float[N,4] y) { y = Sin (x) }"))
    proto = models.parse("g (float[N,4] x) => (float[N,4] y) { y = Sin (x) }")
    proto.graph.node[0].output[0] = proto.graph.output[0].name = "a=mask"
    assert read_stated(read_graph(proto), "a=mask") == StatedOutput(output="a=mask")
    assert read_stated(read_graph(proto), "a=mask=logits") == StatedOutput(output="a=mask", kind="logits")
    with pytest.raises(UnknownValue, match="the file has no output 'z'; its outputs are 'y'"):
        read_stated(graph, "z=logits")


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("b", "the file has no output 'b'; its outputs are 'a', 'p', 'q'"),
        ("x", "the file has no output 'x'"),
        ("a=cat", "the kind of an output is 'cat'; expected one of classes, binary"),
        ("a=binary", "stated as binary, and the file contradicts that: it gives 3 numbers a sample, not one"),
        ("p=classes", "it gives one number a sample"),
        ("p=logits", "it gives one number a sample"),
        ("a=mask", "it has 2 axes"),
        ("a=sequence", "it has 2 axes"),
    ],
)
def test_what_is_not_so_is_refused_when_the_model_is_opened(output: str, why: str) -> None:
    with pytest.raises(OnnxrayError, match=why):
        onnxray.open(two(), output=output)


@pytest.mark.parametrize("kind", ["binary", "multi-label", "logits"])
def test_a_softmax_is_no_other_kind_of_classes(kind: OutputKind) -> None:
    model = models.parse(
        "g (float[N,4] x) => (float[N,3] y) { z = MatMul (x, w) y = Softmax (z) }", {"w": WEIGHTS["w"]}
    )
    with pytest.raises(InputError, match="the file contradicts that: "):
        answered_with(read_graph(model), StatedOutput(output="y", kind=kind))


def test_stated_classes_of_bare_numbers() -> None:
    """softmax(z), sigmoid(z) each by itself, z as they are; [1 - sigmoid z, sigmoid z] of one number."""
    a, _, q = (array.astype(np.float64) for array in models.run(two(), {"x": X}))
    shares = np.exp(a) / np.exp(a).sum(1, keepdims=True)
    found = {kind: onnxray.open(two(), output=f"a={kind}").predict(X) for kind in ("classes", "logits", "multi-label")}
    np.testing.assert_allclose(found["classes"].probabilities, shares, rtol=1e-6)
    np.testing.assert_allclose(found["logits"].probabilities, shares, rtol=1e-6)
    np.testing.assert_allclose(found["multi-label"].probabilities, 1 / (1 + np.exp(-a)), rtol=1e-6)
    binary = onnxray.open(two(), output="q=binary").predict(X, scores=True)
    positive = 1 / (1 + np.exp(-q[:, 0]))
    np.testing.assert_allclose(binary.probabilities, np.stack([1 - positive, positive], axis=1), rtol=1e-6)
    np.testing.assert_allclose(binary.scores, np.stack([-q[:, 0], q[:, 0]], axis=1), rtol=1e-6)
    np.testing.assert_array_equal(binary.classes, q[:, 0] > 0)


def test_another_output_than_the_files_first() -> None:
    model = onnxray.open(two())
    assert (model.head.name, model.head.kind) == ("p", "binary")
    other = onnxray.open(two(), output="a=regression")
    np.testing.assert_array_equal(other.predict(X).values, models.run(two(), {"x": X})[0])
    assert other.aliases["logits"] == "a"


@pytest.mark.parametrize(
    ("shape", "kind", "axis", "time"),
    [
        ("float[N,3,2,2]", "mask", 1, None),
        ("int64[N,3,4]", "mask", None, None),
        ("float[N,3,4]", "sequence", 2, 1),
    ],
)  # fmt: skip
def test_where_the_classes_of_a_stated_output_lie(
    shape: str, kind: OutputKind, axis: int | None, time: int | None
) -> None:
    """On the second of four axes of a mask, of three none: it holds the classes; on the last of a sequence."""
    sizes = np.array([-1, *map(int, shape.rstrip("]").split(",")[1:])])
    to = 1 if shape.startswith("float") else 7
    proto = models.parse(
        f"g (float[N,12] x) => ({shape} y) {{ c = Cast <to = {to}> (x) y = Reshape (c, s) }}", {"s": sizes}
    )
    found = answered_with(read_graph(proto), StatedOutput(output="y", kind=kind))
    assert (found.kind, found.axis, found.time) == (kind, axis, time)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_the_second_of_two_classes_wins_above_the_threshold(threshold: float) -> None:
    model = onnxray.open(two(), output=StatedOutput(output="p", threshold=threshold))
    p = models.run(two(), {"x": X})[1][:, 0]
    assert {*model.predict(X).classes.tolist()} <= {0, 1}
    np.testing.assert_array_equal(model.predict(X).classes, p > threshold)
    np.testing.assert_array_equal(model.classify(X), p > threshold)
    head = model.predict(X).head.probabilities
    ranked = head.ranking(head.real(models.run(two(), {"x": X}, [head.value])[0].astype(np.float64)))
    np.testing.assert_array_equal(ranked.argmax(1), p > threshold)


@pytest.mark.parametrize("threshold", [0, 1, -0.1, True, "0.5", float("nan")])
def test_a_threshold_between_0_and_1(threshold: object) -> None:
    with pytest.raises(InputError, match="the threshold is .*; a number between 0 and 1 was expected"):
        StatedOutput(threshold=threshold)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('outptu = "a"', r"\[head\]: unknown key 'outptu'; did you mean 'output'\?"),
        ('kind = "cat"', r"\[head\]: the kind of an output is 'cat'; expected one of"),
        ("threshold = 2", r"\[head\]: the threshold is 2; a number between 0 and 1"),
        ("output = 3", r"\[head\]: the output is 3"),
    ],
)
def test_a_wrong_table_of_a_profile(table: str, why: str, tmp_path: object) -> None:
    from onnxray.images.profile.toml_form import read_profile

    text = (
        'name = "p"\nlayout = "NCHW"\nchannels = "GREY"\nscale = 1.0\nmean = [0]\nstd = [1]\nsize = [14, 14]\n[head]\n'
    )
    with pytest.raises(ProfileError, match=why):
        read_profile(text + table)


def test_a_profiles_table_goes_there_and_back() -> None:
    from dataclasses import replace

    from onnxray.images.profile.toml_form import read_profile, toml_of

    profile = replace(models.GREY, head=StatedOutput(output="prob", kind="classes"))
    assert read_profile(toml_of(profile)).head == profile.head
    assert profile.to_dict()["head"] == {"output": "prob", "kind": "classes", "threshold": None}
    assert "head" not in models.GREY.to_dict()
    assert onnxray.open(models.lenet(), profile).head.grounds == "as is stated"


def test_as_many_numbers_as_labels_are_classes() -> None:
    """An embedding by its name alone, of as many numbers as there are class names."""
    from dataclasses import replace

    text = "g (float[N,1,14,14] x) => (float[N,3] features) { f = Flatten (x) features = MatMul (f, w) }"
    proto = models.parse(text, {"w": models.random(0, 196, 3)})
    assert onnxray.open(proto, models.GREY).head.kind == "embedding"
    named = onnxray.open(proto, replace(models.GREY, labels=("a", "b", "c")))
    assert (named.head.kind, named.head.assumed) == ("logits", False)
    assert onnxray.open(proto, replace(models.GREY, labels=("a", "b"))).head.kind == "embedding"
