"""Probes of digits: what is learned from and tested, and the file with a probe in it, by ONNX Runtime."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

import onnxray
from onnxray.errors import InputError
from onnxray.methods.features.parts.pooling import pool_of
from onnxray.methods.features.parts.probe_model import probe_model
from onnxray.methods.features.probe import Probe, best, checked_against, probe_file
from onnxray.methods.features.probe_item import ProbeItem
from onnxray.results.result import Result
from support import models
from support.feature_folders import digits

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open("lenet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits(tmp_path_factory.mktemp("digits"), 8)


@pytest.fixture(scope="module")
def odd(folder: Path) -> str:
    """Labels of one's own: odd or even."""
    table = folder / "odd.csv"
    rows = [
        f"{path.parent.name}/{path.name},{'odd' if int(path.parent.name) % 2 else 'even'}"
        for path in folder.glob("*/*.png")
    ]
    table.write_text("\n".join(["file,label", *rows]), encoding="utf-8")
    return str(table)


@pytest.fixture(scope="module")
def probed(lenet: onnxray.Model, folder: Path, odd: str) -> Result[ProbeItem]:
    return Probe(layer=("pool1", "relu1"), true_labels=odd)(lenet, places(folder))


def places(folder: Path) -> list[str]:
    return [str(place) for place in sorted(folder.iterdir()) if place.is_dir()]


def test_a_deeper_layer_tells_labels_of_ones_own_better(probed: Result[ProbeItem]) -> None:
    first, last = probed.items
    assert (first.layer, last.layer) == ("pool1", "relu1")
    assert (first.numbers_each, last.numbers_each) == (20, 500)
    assert last.linear["share"] > 0.85
    assert last.linear["share"] > first.linear["share"]
    assert last.linear["interval"][0] < last.linear["share"] <= last.linear["interval"][1]
    assert first.chance == pytest.approx(0.5, abs=0.1)
    assert (first.learned_from, first.tested_on) == (56, 24)
    assert len(last.wrong) == last.linear["count"] - last.linear["reached"]
    assert probed.extra["best"] == "relu1"


def test_what_is_tested_is_not_learned_from_whatever_the_order(lenet: onnxray.Model, folder: Path, odd: str) -> None:
    method, paths = Probe(layer="relu1", true_labels=odd), sorted(map(str, folder.glob("*/*.png")))
    one, other = method(lenet, paths), method(lenet, paths[::-1])
    assert one.items[0].linear == other.items[0].linear
    assert one.items[0].wrong == other.items[0].wrong
    np.testing.assert_allclose(
        one.items[0].numbers_["weights"], other.items[0].numbers_["weights"], rtol=1e-3, atol=1e-6
    )
    others = method(lenet, paths, seed=1).items[0]
    assert not np.allclose(one.items[0].numbers_["weights"], others.numbers_["weights"], rtol=1e-2)


def test_folds_test_every_picture_once(lenet: onnxray.Model, folder: Path, odd: str) -> None:
    item = Probe(layer="relu1", true_labels=odd, folds=4)(lenet, places(folder)).items[0]
    assert (item.tested_on, item.learned_from, item.folds) == (80, 80, 4)
    assert item.linear["count"] == 80
    assert item.linear["share"] > 0.85


def test_the_nearest_probe_is_the_majority_of_what_is_learned_from(lenet: onnxray.Model, tmp_path: Path) -> None:
    """Two of each: one is learned from, one tested, so that the nearest decides alone."""
    item = Probe(layer="ip1", true_labels="folders", test=0.5, k=1)(lenet, str(digits(tmp_path, 2))).items[0]
    paths = sorted(map(str, tmp_path.glob("*/*.png")))
    codes = lenet.values(paths, ["ip1"])["ip1"].astype(np.float64)
    labels = np.array([Path(path).parent.name for path in paths])
    far = np.linalg.norm(codes[:, None] - codes, axis=2)
    import hashlib

    order = [
        hashlib.sha256(f"0 {hashlib.sha256(Path(path).read_bytes()).hexdigest()}".encode()).hexdigest()
        for path in paths
    ]
    tested = [
        min((place for place in range(20) if labels[place] == label), key=lambda one: order[one])
        for label in sorted(set(labels))
    ]
    learned = [place for place in range(20) if place not in tested]
    right = [labels[learned[int(far[place][learned].argmin())]] == labels[place] for place in tested]
    assert (item.nearest["reached"], item.nearest["count"]) == (sum(right), 10)
    assert item.validation is None
    assert "one picture alone" in str(item.reason)


def test_the_file_says_what_the_probe_says_by_onnx_runtime(
    lenet: onnxray.Model, probed: Result[ProbeItem], tmp_path: Path
) -> None:
    import onnxruntime

    chosen = best(probed.items)
    assert chosen is not None
    data = probe_file(lenet, chosen)
    (tmp_path / "probe.onnx").write_bytes(data)
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    seen = probed.extra["seen"]
    opened = onnxray.open(tmp_path / "probe.onnx")
    assert opened.profile is not None
    assert not opened.profile.assumed
    said = opened.predict(seen)
    weights, bias = chosen.numbers_["weights"], chosen.numbers_["bias"]
    own = lenet.values(seen, ["relu1"])["relu1"].astype(np.float64) @ weights.T + bias
    assert list(said.labels) == [chosen.classes[k] for k in own.argmax(1)]
    wide = np.exp(own - own.max(1, keepdims=True))
    np.testing.assert_allclose(said.probabilities, wide / wide.sum(1, keepdims=True), atol=1e-5)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    raw = session.run(None, {"data": lenet.pixels(seen).array / 256})[0]
    np.testing.assert_allclose(raw, said.probabilities, atol=1e-5)
    kept = onnx.load_from_string(data).graph
    assert {node.name for node in kept.node if not node.name.startswith("probe")} <= {
        node.name for node in lenet.graph.nodes
    }
    told = checked_against(lenet, chosen, data, seen)
    assert told["largest_difference"] < 1e-5
    assert told["same_class"] == told["pictures"] == len(seen)
    stated = json.loads(next(e.value for e in onnx.load_from_string(data).metadata_props if e.key == "onnxray.probe"))
    assert stated["layer"] == "relu1"
    assert stated["of"] == lenet.graph.sha256


def test_a_file_that_says_something_else_is_told(lenet: onnxray.Model, probed: Result[ProbeItem]) -> None:
    item = probed.items[1]
    wrong = onnx.load_from_string(probe_file(lenet, item))
    weights = next(one for one in wrong.graph.initializer if one.name == "probe_weights")
    weights.CopyFrom(
        onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights) * np.float32(1.1), "probe_weights")
    )
    with pytest.raises(InputError, match="off the probe's own; it is not written"):
        checked_against(lenet, item, wrong.SerializeToString(), probed.extra["seen"])


MAPS = """
g (float[N,1,14,14] x) => (float[N,4] y) {
  c = Conv <kernel_shape = [3, 3]> (x, w)
  probe_scores = Relu (c)
  p = GlobalAveragePool (probe_scores)
  y = Flatten (p)
}"""
TOKENS = """
g (float[N,1,14,14] x) => (float[N,5,4] y) {
  c = Conv <kernel_shape = [7, 7], strides = [7, 7]> (x, w)
  s = Reshape (c, shape)
  t = Transpose <perm = [0, 2, 1]> (s)
  k = Slice (t, zero, one, one)
  y = Concat <axis = 1> (k, t)
}"""


@pytest.mark.parametrize("pool", ["mean", "max", "none"])
@pytest.mark.parametrize("opset", [9, 13, 18])
@pytest.mark.parametrize("kind", ["maps", "tokens"])
def test_pooling_is_written_as_the_opset_has_it(kind: str, pool: Any, opset: int) -> None:
    if kind == "maps":
        layer, made = "probe_scores", models.parse(MAPS, {"w": models.random(0, 4, 1, 3, 3)}, opset=opset)
    else:
        layer, text = "y", TOKENS
        numbers = {"shape": [0, 4, 4], "zero": [0], "one": [1]}
        if opset < 10:
            text = text.replace("Slice (t, zero, one, one)", "Slice <axes = [1], starts = [0], ends = [1]> (t)")
            del numbers["zero"], numbers["one"]
        held = {name: np.array(value, np.int64) for name, value in numbers.items()}
        made = models.parse(text, {"w": models.random(0, 4, 1, 7, 7), **held}, opset=opset)
    model = onnxray.open(made, profile=models.GREY)
    pictures = models.pictures(5)
    codes: NDArray[Any] = pool_of(model, layer, pool)(model.values(pictures, [layer])[layer]).reshape(5, -1)
    assert pool == "none" or codes.shape[1] == 4
    weights, bias = models.random(2, 3, codes.shape[1]), models.random(3, 3)
    data = probe_model(model, layer, pool, weights, bias, ("a", "b", "c"), {})
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    said = onnxray.open(data).predict_classes(pictures, scores=True)
    scores = codes.astype(np.float64) @ weights.T + bias
    np.testing.assert_allclose(said.scores, scores, atol=1e-4 * np.abs(scores).max())
    assert set(said.labels) <= {"a", "b", "c"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (None, "state them with --labels"),
        ("a", "all pictures are labelled 'same'; a probe tells two classes or more apart"),
        ("b", "none is left to test"),
    ],
)
def test_what_cannot_be_probed_is_one_line(
    lenet: onnxray.Model, folder: Path, tmp_path: Path, rows: str | None, said: str
) -> None:
    paths = sorted(folder.glob("*/*.png"))[:4]
    table = tmp_path / "labels.csv"
    labels = {"a": ["same"] * 4, "b": ["one", "two", "three", "four"]}.get(str(rows), [])
    table.write_text("\n".join(f"{path},{label}" for path, label in zip(paths, labels)), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        Probe(layer="ip1", true_labels=str(table) if rows else None)(lenet, [str(path) for path in paths])


def test_copies_count_once_and_never_with_two_labels(lenet: onnxray.Model, folder: Path, tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for path in sorted((folder / str(int(label == "b"))).iterdir()):
            (tmp_path / label / path.name).write_bytes(path.read_bytes())
    (tmp_path / "a" / "copy.png").write_bytes(sorted((tmp_path / "a").iterdir())[0].read_bytes())
    result = Probe(layer="ip1", true_labels="folders")(lenet, str(tmp_path))
    assert result.items[0].learned_from + result.items[0].tested_on == 16
    assert any("1 of 17 labelled pictures are copies" in note for note in result.provenance.notes)
    (tmp_path / "b" / "copy.png").write_bytes(sorted((tmp_path / "a").iterdir())[0].read_bytes())
    with pytest.raises(InputError, match="are the same picture, labelled 'a' and 'b'"):
        Probe(layer="ip1", true_labels="folders")(lenet, str(tmp_path))


def test_without_the_library_one_line_names_the_extra(
    lenet: onnxray.Model, folder: Path, odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match=r"pip install 'onnxray\[features\]'"):
        Probe(layer="ip1", true_labels=odd)(lenet, places(folder))
