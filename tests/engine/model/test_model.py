"""Model: what it predicts is what the file says, and the four verbs refuse what cannot be meant."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import onnxray
from onnxray.errors import ImageError, InputError, NotAClassifier, OnnxrayError, ProfileError, UnknownValue
from support import models
from support.paths import ROOT

X = models.pictures(4)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def ending(ends: str, output: str = "y") -> onnx.ModelProto:
    """A linear classifier of four numbers with another end."""
    return models.parse(
        f"g (float[N,4] x) => (float[] {output}) {{ z = Gemm (x, w, b) {ends} }}",
        {"w": models.random(0, 4, 3), "b": models.random(1, 3)},
        opset=13,
    )


def logits_of(x: np.ndarray) -> np.ndarray:
    return np.asarray(x @ models.random(0, 4, 3) + models.random(1, 3))


@pytest.mark.parametrize(
    "ends",
    [
        "y = Identity (z)",
        "y = Softmax (z)",
        "y = LogSoftmax (z)",
        "s = Constant <value = int64[4] {0, 0, 1, 1}> () y = Reshape (z, s)",
        "p = Softmax (z) y = Identity (p)",
    ],
)
def test_predict_tells_scores_and_probabilities_of_any_end(ends: str) -> None:
    if "1, 1" in ends:  # (N, K, 1, 1)
        ends = ends.replace("{0, 0, 1, 1}", "{-1, 3, 1, 1}")
    x = models.random(2, 5, 4)
    found = onnxray.open(ending(ends)).predict(x, scores=True)
    np.testing.assert_allclose(found.scores, logits_of(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.probabilities, softmax(logits_of(x)), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found.classes, logits_of(x).argmax(1))
    assert found.labels == tuple(map(str, found.classes))
    np.testing.assert_array_equal(onnxray.open(ending(ends)).classify(x), found.classes)


def test_the_verdict_is_the_files_own(lenet: onnx.ModelProto) -> None:
    found = onnxray.open(lenet, models.GREY).predict(X)
    expected = models.run(lenet, {"x": models.GREY.encode(X)})[0]
    np.testing.assert_array_equal(found.probabilities, expected.astype(np.float64))
    np.testing.assert_array_equal(found.classes, expected.argmax(1))


@pytest.mark.parametrize(
    ("ends", "kind"),
    [
        ("y = ReduceMax <axes = [1], keepdims = 0> (z)", "regression"),
        (
            "s = Constant <value = int64[3] {-1, 3, 1}> () e = Constant <value = int64[3] {1, 1, 2}> () "
            "t = Reshape (z, s) y = Expand (t, e)",
            "unknown",
        ),
    ],
)
def test_an_output_that_is_no_score_a_class(ends: str, kind: str) -> None:
    x, proto = models.random(0, 2, 4), ending(ends)
    other = onnxray.open(proto)
    with pytest.raises(NotAClassifier, match=f"output 'y' is {kind}.*, not one score a class; .* --output y=KIND"):
        other.predict_classes(x)
    assert other.verdict(x) is None
    found = other.predict(x)
    assert (found.kind, found.output) == (kind, "y")
    np.testing.assert_array_equal(found.values, models.run(proto, {"x": x})[0])


def test_a_verdict_is_a_classifiers() -> None:
    x = models.random(0, 2, 4)
    said = onnxray.open(ending("y = Softmax (z)")).verdict(x)
    assert said is not None
    np.testing.assert_array_equal(said.classes, logits_of(x).argmax(1))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_classifier_that_says_nothing_is_no_other_model(wrong: float) -> None:
    model = onnxray.open(ending("y = Identity (z)"))
    x = models.random(0, 2, 4)
    x[1, 2] = wrong
    with pytest.raises(InputError, match="so no class can be told") as caught:
        model.verdict(x)
    assert not isinstance(caught.value, NotAClassifier)


def test_logits_of_a_profile_that_are_no_scores_are_not_taken_for_another_model() -> None:
    model = onnxray.open(models.lenet(), replace(models.GREY, logits="conv2"))
    with pytest.raises(
        InputError, match="no scores can be read where the profile says that the logits are: output 'conv2'"
    ):
        model.verdict(X, scores=True)
    said = model.verdict(X)
    assert said is not None
    np.testing.assert_array_equal(said.classes, onnxray.open(models.lenet(), models.GREY).classify(X))


def test_labels_of_the_profile() -> None:
    named = onnxray.open(models.lenet(), replace(models.GREY, labels=("a", "b", "c", "d", "e")))
    assert named.label(1) == "b"
    assert named.label(5) == "5"
    assert named.label(-1) == "-1"
    found = named.predict(X)
    assert found.labels == tuple(named.label(index) for index in found.classes)


@pytest.mark.parametrize("count", [1, 4, 6, 1000])
def test_labels_that_are_not_one_a_class_are_refused(count: int) -> None:
    """By both numbers; values and gradients need no labels."""
    named = onnxray.open(models.lenet(), replace(models.GREY, labels=tuple(map(str, range(count)))))
    for ask in (named.predict, named.verdict):
        with pytest.raises(ProfileError, match=f"{count} labels? (is|are) stated and output 'prob' gives 5 classes"):
            ask(X)
    assert named.values(X, ["ip2"])["ip2"].shape == (len(X), 5)


def test_the_profiles_word_on_logits_and_features_counts() -> None:
    stated = onnxray.open(models.lenet(), replace(models.GREY, logits="ip1", features="pool2"))
    assert stated.aliases == {"logits": "ip1", "features": "pool2", "last-conv": "conv2"}
    assert stated.select("logits:3").value == "ip1"
    with pytest.raises(UnknownValue):
        _ = onnxray.open(models.lenet(), replace(models.GREY, logits="nowhere")).aliases


def test_values_by_name_alias_and_pattern(lenet: onnx.ModelProto) -> None:
    opened = onnxray.open(lenet, models.GREY)
    assert list(opened.values(X, ["logits", "conv*", "x"])) == ["ip2", "conv1", "conv2", "x"]
    assert list(opened.values(X, "conv1")) == ["conv1"]  # one name alone is no row of letters
    np.testing.assert_array_equal(opened.values(X, ["x"])["x"], models.GREY.encode(X))


def test_images_of_every_kind(lenet: onnx.ModelProto, tmp_path: Path) -> None:
    opened = onnxray.open(lenet, models.GREY)
    bytes_ = np.rint(X).astype(np.uint8)
    expected = opened.predict(bytes_).probabilities
    pictures = [Image.fromarray(image[0]) for image in bytes_]
    paths = []
    for index, picture in enumerate(pictures):
        paths.append(f"{tmp_path}/{index}.png")
        picture.save(paths[-1])
    for given in (bytes_.astype(np.float32), bytes_.astype(np.float64), pictures, paths):
        np.testing.assert_array_equal(opened.predict(given).probabilities, expected)


def test_opening_only_parses(lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *args, **kwargs: pytest.fail("a session was started"))
    opened = onnxray.open(lenet, models.GREY)
    assert opened.graph.parameters
    assert opened.select("conv1:0").channel == 0


def test_a_profile_for_what_is_no_image() -> None:
    assert onnxray.open(ending("y = Identity (z)")).profile is None
    with pytest.raises(InputError, match="cat.png: a picture was given, and the input 'x' is read as table row"):
        onnxray.open(ending("y = Identity (z)")).predict(["cat.png"])
    with pytest.raises(InputError, match="'x'"):
        onnxray.open(ending("y = Identity (z)")).predict({"other": np.zeros((1, 4))})
    with pytest.raises(ProfileError):
        onnxray.open(ending("y = Identity (z)"), models.GREY)


def test_strict_refuses_what_is_assumed(lenet: onnx.ModelProto) -> None:
    assert onnxray.open(lenet).profile.assumed
    with pytest.raises(ProfileError, match="assumed"):
        onnxray.open(lenet, strict=True)
    assert not onnxray.open(lenet, models.GREY, strict=True).profile.assumed


def test_a_bundled_name_and_a_file_of_that_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lenet: onnx.ModelProto
) -> None:
    bundled = onnxray.open("lenet").graph
    assert bundled.path is not None
    monkeypatch.chdir(str(tmp_path))
    onnx.save(lenet, "lenet")
    assert onnxray.open("lenet", models.GREY).graph.sha256 != bundled.sha256


def test_arrays_in_another_type_are_cast() -> None:
    opened = onnxray.open(ending("y = Identity (z)"))
    x = models.random(0, 2, 4)
    np.testing.assert_array_equal(
        opened.predict(x.astype(np.float64), scores=True).scores, opened.predict(x, scores=True).scores
    )
    assert opened.predict(np.ones((1, 4), np.int64), scores=True).scores.shape == (1, 3)


def test_several_outputs_of_which_a_softmax_closes_one() -> None:
    opened = onnxray.open(
        models.parse(
            "g (float[N,4] x) => (float[N,2,2] boxes, float[N,3] p) "
            "{ s = Constant <value = int64[3] {-1, 2, 2}> () boxes = Reshape (x, s) z = Gemm (x, w, b) p = Softmax (z) }",
            {"w": models.random(0, 4, 3), "b": models.random(1, 3)},
            opset=13,
        )
    )
    x = models.random(2, 3, 4)
    np.testing.assert_array_equal(opened.predict(x).classes, logits_of(x).argmax(1))
    assert opened.verify().agrees
    assert opened.pullback(x, {"boxes": np.ones((2, 2))}).tolist() == np.ones((3, 4)).tolist()


def test_attributes_of_the_package() -> None:
    assert set(onnxray.__all__) <= set(dir(onnxray))
    for name in onnxray.__all__:
        assert getattr(onnxray, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = onnxray.nothing


def test_every_error_is_an_onnxray_error_of_one_line() -> None:
    from onnxray import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) >= 13
    for kind in kinds:
        assert issubclass(kind, OnnxrayError)
        assert str(kind("two\n  lines\tand\r\n tabs")) == "two lines and tabs"


def test_nothing_is_printed_on_standard_output(lenet: onnx.ModelProto, tmp_path: Path) -> None:
    path = f"{tmp_path}/m.onnx"
    onnx.save(lenet, path)
    code = f"""
import sys; sys.path[:0] = ['engine', 'tests']
import onnxray
from onnxray.errors import OnnxrayError
from support import models
model = onnxray.open({path!r}, models.GREY)
model.predict(models.pictures(1)); model.verify(); model.pullback(models.pictures(1), {{'ip2': models.random(0, 5)}})
try:
    onnxray.open({path!r}, models.GREY, device='cuda').predict(models.pictures(1))
except OnnxrayError:
    pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_pixels_that_were_read_for_another_model_are_refused() -> None:
    text = "g (float[N,{c},h,w] x) => (float[N,{c},1,1] y) {{ y = GlobalAveragePool (x) }}"
    colour = replace(models.GREY, channels="RGB", mean=(0.0,) * 3, std=(1.0,) * 3, size=(12, 12))
    model = onnxray.open(models.parse(text.format(c=3)), colour)
    others = (replace(colour, size=(10, 12)), models.GREY)
    for profile, channels in zip(others, (3, 1)):
        other = onnxray.open(models.parse(text.format(c=channels)), profile)
        foreign = other.pixels(np.zeros((2, *profile.shape), np.uint8))
        for question in (model.pixels, model.predict, model.classify, model.feeds):
            with pytest.raises(ImageError, match=r"read for another model; this one takes \[3, 12, 12\]"):
                question(foreign)
        with pytest.raises(ImageError, match="another model"):
            model.pullback(foreign, {"y": np.ones((2, 3, 1, 1), np.float32)})
    assert len(model.pixels(model.pixels(np.zeros((2, 3, 12, 12), np.uint8)))) == 2


def test_shapes_are_those_of_one_image_and_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    names = list(models.LENET_VALUES)
    fed = {"x": models.GREY.encode(models.pictures(1))}
    expected = {name: array.shape for name, array in zip(names, models.run(models.lenet(), fed, names))}
    runs = list[list[str]]()
    real = model.judge.values
    monkeypatch.setattr(model.judge, "values", lambda f, n, **k: runs.append(list(n)) or real(f, n, **k))
    assert model.shapes(["ip1", "conv1"]) == {"ip1": expected["ip1"], "conv1": expected["conv1"]}
    assert model.shapes(names) == expected
    assert model.shapes(reversed(names)) == expected
    assert runs == [["ip1", "conv1"], [name for name in names if name not in {"ip1", "conv1"}]]


@pytest.mark.parametrize("batch", [1, 3])
def test_shapes_where_the_file_fixes_its_batch(batch: int) -> None:
    model = onnxray.open(models.lenet(batch), models.GREY)
    assert model.shapes(["conv1", "prob"]) == {"conv1": (1, 4, 12, 12), "prob": (1, 5)}


def test_shapes_where_the_input_is_no_image() -> None:
    model = onnxray.open(ending("y = Softmax (z)"))
    shapes = model.shapes(["z", "y"])
    one = model.values(np.zeros((1, *model.graph.inputs[0].shape[1:]), np.float32), ["z", "y"])
    assert shapes == {name: array.shape for name, array in one.items()}
