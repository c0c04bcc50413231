"""Reading files without their weights: what is left out comes back exactly, and nothing outside the folder is read."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxray
from onnxray.engines.judge import Judge
from onnxray.errors import ModelFileError
from onnxray.graph.file.container import INLINE_LIMIT, read_container
from onnxray.graph.reading import read_graph
from support import models

Write = Callable[..., Path]
DTYPES = [
    "float32",
    "float64",
    "float16",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "bool",
]


def big(dtype: str, elements: int = 2 * INLINE_LIMIT) -> np.ndarray:
    return (np.random.default_rng(0).standard_normal(elements) * 20).astype(dtype).reshape(2, -1)


def holding(*tensors: onnx.TensorProto) -> onnx.ModelProto:
    model = models.parse("g (float[N] x) => (float[N] y) { y = Relu (x) }")
    model.graph.initializer.extend(tensors)
    return model


def external(folder: Path, entries: dict[str, str], size: int = 2304 * 4) -> Path:
    """lenet with w2 moved out: ``entries`` are its external-data pairs, weights.bin beside it holds w2's bytes."""
    model = models.lenet()
    weight = next(t for t in model.graph.initializer if t.name == "w2")
    (folder / "weights.bin").write_bytes(b"\x00" * 7 + weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in entries.items():
        weight.external_data.add(key=key, value=value)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("from_bytes", [False, True])
def test_left_out_weights_come_back_exactly(dtype: str, from_bytes: bool, write: Write) -> None:
    array = big(dtype)
    path = write(holding(numpy_helper.from_array(array, "w")))
    container = read_container(path.read_bytes() if from_bytes else path)
    tensor = container.skeleton.graph.initializer[0]
    assert list(container.regions) == ["w"]
    assert not tensor.raw_data
    assert container.skeleton.ByteSize() < 500
    read = container.read(tensor)
    expected = numpy_helper.to_array(onnx.load(path).graph.initializer[0])
    assert read.dtype == expected.dtype == array.dtype
    np.testing.assert_array_equal(read, expected)
    assert read.flags.writeable


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.int4])
def test_types_that_numpy_has_not_come_back_exactly(dtype: type, write: Write) -> None:
    array = big("int8", 4 * INLINE_LIMIT).clip(-8, 7).astype(dtype)
    container = read_container(write(holding(numpy_helper.from_array(array, "w"))))
    assert list(container.regions) == ["w"]
    np.testing.assert_array_equal(container.read(container.skeleton.graph.initializer[0]), array)


@pytest.mark.parametrize("elements", [INLINE_LIMIT // 4, INLINE_LIMIT // 4 + 1])
def test_only_what_exceeds_the_limit_is_left_out(elements: int) -> None:
    array = models.random(0, elements)
    container = read_container(holding(numpy_helper.from_array(array, "w")))
    assert bool(container.regions) == (array.nbytes > INLINE_LIMIT)
    np.testing.assert_array_equal(container.read(container.skeleton.graph.initializer[0]), array)


def test_data_that_is_not_raw_stays_in_the_skeleton() -> None:
    floats = onnx.helper.make_tensor("f", onnx.TensorProto.FLOAT, [2000], np.arange(2000.0))
    integers = onnx.helper.make_tensor("i", onnx.TensorProto.INT64, [2000], np.arange(2000))
    container = read_container(holding(floats, integers))
    assert not container.regions
    for tensor in container.skeleton.graph.initializer:
        np.testing.assert_array_equal(container.read(tensor), np.arange(2000))


def test_several_weights_keep_their_own_bytes_and_order(write: Write) -> None:
    arrays = {f"w{k}": models.random(k, 1500 + k) for k in range(4)} | {"small": models.random(9, 3)}
    order = ["w2", "small", "w0", "w3", "w1"]
    path = write(holding(*(numpy_helper.from_array(arrays[name], name) for name in order)))
    container = read_container(path)
    assert [t.name for t in container.skeleton.graph.initializer] == order
    for tensor in container.skeleton.graph.initializer:
        np.testing.assert_array_equal(container.read(tensor), arrays[tensor.name])
    whole = container.with_weights(container.skeleton)
    onnx.external_data_helper.load_external_data_for_model(whole, str(path.parent))
    for tensor in whole.graph.initializer:
        np.testing.assert_array_equal(numpy_helper.to_array(tensor), arrays[tensor.name])


def test_sources_agree_and_the_hash_is_of_the_file(lenet: onnx.ModelProto, write: Write) -> None:
    path = write(lenet)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    feeds = {"x": models.random(0, 2, 1, 14, 14)}
    values = []
    for source in (path, str(path), path.read_bytes(), lenet):
        graph = read_graph(source)
        assert graph.sha256 == expected
        np.testing.assert_array_equal(graph.weight("w2"), models.lenet_weights()["w2"])
        values.append(Judge(graph).values(feeds, ["conv2", "ip2"]))
    for other in values[1:]:
        np.testing.assert_array_equal(other["ip2"], values[0]["ip2"])


def test_the_proto_that_was_given_is_left_alone(lenet: onnx.ModelProto) -> None:
    before = lenet.SerializeToString()
    onnxray.open(lenet, models.GREY).pullback(models.pictures(1), {"conv1": models.random(0, 4, 12, 12)})
    assert lenet.SerializeToString() == before


@pytest.mark.parametrize("length", [None, str(4 * 32 * 4 * 9)])
def test_external_data_serves_both_engines_from_an_unaligned_offset(tmp_path: Path, length: str | None) -> None:
    entries = {"location": "weights.bin", "offset": "7"} | ({"length": length} if length else {})
    path = external(tmp_path, entries)
    model = onnxray.open(path, models.GREY)
    plain = onnxray.open(models.lenet(), models.GREY)
    x = models.pictures(2)
    np.testing.assert_array_equal(model.graph.weight("w2"), models.lenet_weights()["w2"])
    np.testing.assert_array_equal(model.predict(x, scores=True).scores, plain.predict(x, scores=True).scores)
    np.testing.assert_array_equal(model.values(x, ["relu2"])["relu2"], plain.values(x, ["relu2"])["relu2"])
    cotangent = {"relu2": models.random(0, 32, 6, 6)}
    np.testing.assert_array_equal(model.pullback(x, cotangent), plain.pullback(x, cotangent))


def test_external_data_in_a_folder_below(tmp_path: Path) -> None:
    path = external(tmp_path, {"location": "sub/weights.bin", "offset": "7"})
    (tmp_path / "sub").mkdir()
    (tmp_path / "weights.bin").rename(tmp_path / "sub" / "weights.bin")
    model = onnxray.open(path, models.GREY)
    assert model.verify().agrees


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"location": "missing.bin"}, "missing beside"),
        ({"location": "../weights.bin"}, "outside the model's folder"),
        ({"location": "sub/../../weights.bin"}, "outside the model's folder"),
        ({"location": "/etc/hostname"}, "outside the model's folder"),
        ({"location": "C:\\weights.bin"}, "outside the model's folder"),
        ({"location": "..\\weights.bin"}, "outside the model's folder"),
        ({}, "outside the model's folder"),
        ({"location": "link.bin"}, "outside the model's folder"),
        ({"location": "weights.bin", "offset": "8", "length": "4608"}, "is the file whole"),
        ({"location": "weights.bin", "offset": "-1"}, "is the file whole"),
        ({"location": "weights.bin", "offset": "x"}, "damaged external-data entry"),
        ({"location": "weights.bin", "length": "99999999999999999999"}, "is the file whole"),
        ({"location": "a\x00b"}, "cannot be"),
    ],
)
def test_external_data_that_cannot_be_had_is_one_line(tmp_path: Path, entries: dict[str, str], said: str) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    outside = tmp_path / "outside.bin"
    outside.write_bytes(b"\x00" * 10000)
    (tmp_path / "weights.bin").write_bytes(b"\x00" * 10000)
    (folder / "link.bin").symlink_to(outside)
    with pytest.raises(ModelFileError, match=said) as caught:
        read_graph(external(folder, entries))
    assert "\n" not in str(caught.value)


def test_external_data_of_the_wrong_length_for_its_shape(tmp_path: Path) -> None:
    graph = read_graph(external(tmp_path, {"location": "weights.bin", "offset": "7", "length": "4604"}))
    with pytest.raises(ModelFileError, match="weight 'w2' cannot be read .*its shape"):
        graph.weight("w2")


def test_external_data_that_shrinks_after_opening(tmp_path: Path) -> None:
    graph = read_graph(external(tmp_path, {"location": "weights.bin", "offset": "7"}))
    os.truncate(tmp_path / "weights.bin", 100)
    with pytest.raises(ModelFileError, match="weight 'w2' cannot be read"):
        graph.weight("w2")


def test_external_data_without_a_path_says_so(tmp_path: Path) -> None:
    path = external(tmp_path, {"location": "weights.bin", "offset": "7"})
    with pytest.raises(ModelFileError, match="open the model by its path"):
        read_graph(path.read_bytes())


def test_a_model_opened_through_a_link(tmp_path: Path, write: Write, lenet: onnx.ModelProto) -> None:
    real = write(lenet)
    link = tmp_path / "elsewhere" / "link.onnx"
    link.parent.mkdir()
    link.symlink_to(real)
    model = onnxray.open(link, models.GREY)
    assert model.graph.path == link
    assert model.graph.sha256 == hashlib.sha256(real.read_bytes()).hexdigest()
    assert model.verify().agrees


def test_external_data_beside_a_link_as_in_hugging_faces_cache(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "main"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    external(blobs, {"location": "model.onnx_data", "offset": "7"}).rename(blobs / "1a2b")
    (blobs / "weights.bin").rename(blobs / "3c4d")
    (snapshot / "model.onnx").symlink_to("../../blobs/1a2b")
    (snapshot / "model.onnx_data").symlink_to("../../blobs/3c4d")
    model = onnxray.open(snapshot / "model.onnx", models.GREY)
    assert model.predict(models.pictures(1), scores=True).scores.shape == (1, 5)
    assert model.verify().agrees


def test_external_data_beside_the_file_that_a_link_points_at(tmp_path: Path) -> None:
    real = external(tmp_path, {"location": "weights.bin", "offset": "7"})
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "model.onnx"
    link.symlink_to(real)
    with pytest.raises(ModelFileError, match=r"missing beside .*; the path is a link, give .*model\.onnx itself"):
        read_graph(link)


@pytest.mark.parametrize("outside", [False, True])
def test_a_relative_path_is_of_the_folder_it_was_opened_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lenet: onnx.ModelProto, outside: bool
) -> None:
    if outside:
        path = external(tmp_path, {"location": "weights.bin", "offset": "7"})
    else:
        path = tmp_path / "model.onnx"
        path.write_bytes(lenet.SerializeToString())
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    model = onnxray.open(path.name, models.GREY)
    monkeypatch.chdir("other")
    (tmp_path / "other" / path.name).write_bytes(b"another file of that name")
    x = models.pictures(2)
    np.testing.assert_array_equal(
        model.predict(x, scores=True).scores, onnxray.open(path, models.GREY).predict(x, scores=True).scores
    )
    assert model.values(x, ["conv2"], engine="twin")["conv2"].shape[0] == 2
    assert model.graph.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert str(model.graph.path) == path.name
    assert model.verify().agrees
