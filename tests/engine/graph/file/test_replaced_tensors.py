"""Other numbers in a file, every other byte as it was: however the numbers are stored."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from onnxray.errors import InputError, OutputError
from onnxray.graph.file.container import read_container
from onnxray.graph.file.replaced_tensors import replaced_bytes, write_replaced
from support import models

R = models.random


def stored(array: np.ndarray, name: str, how: str) -> TensorProto:
    """A tensor with its numbers in a field of protobuf's own, or as raw data."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    if how == "raw":
        return numpy_helper.from_array(array, name)
    return onnx.helper.make_tensor(name, kind, array.shape, array.reshape(-1))


TYPES = [np.float32, np.float64, np.float16, np.int8, np.uint8, np.int32]


@pytest.mark.parametrize("how", ["raw", "field"])
@pytest.mark.parametrize("dtype", TYPES)
def test_numbers_are_exchanged_in_the_field_that_holds_them(dtype: type, how: str) -> None:
    old = np.arange(-3, 3).astype(dtype).reshape(2, 3)
    new = np.array([[100, 0, -100], [7, 1, 2]]).astype(dtype)
    model = models.parse("g (float[N,3] x) => (float[N,3] y) { y = Identity (x) }")
    model.graph.initializer.extend([stored(R(0, 4), "before", how), stored(old, "w", how), stored(R(1, 4), "b", how)])
    data = model.SerializeToString()
    result = replaced_bytes(read_container(data), {"w": new})
    wanted = onnx.ModelProto.FromString(data)
    wanted.graph.initializer[1].CopyFrom(stored(new, "w", how))
    assert result == wanted.SerializeToString()
    assert replaced_bytes(read_container(data), {"w": old}) == data


def test_numbers_with_a_key_each_stay_so() -> None:
    """Protobuf may write a packed field unpacked, and two parts of one field."""
    tensor = TensorProto(name="w", data_type=1, dims=[3]).SerializeToString()
    loose = b"".join(b"\x25" + np.float32(k).tobytes() for k in (1, 2, 3))
    body = tensor + loose
    graph = models.parse("g (float[3] x) => (float[3] y) { y = Add (x, w) }")
    inner = graph.graph.SerializeToString() + b"\x2a" + bytes([len(body)]) + body
    graph.ClearField("graph")
    data = graph.SerializeToString() + b"\x3a" + onnx_varint(len(inner)) + inner
    result = replaced_bytes(read_container(data), {"w": np.float32([4, 5, 6])})
    assert len(result) == len(data)
    assert result.endswith(b"".join(b"\x25" + np.float32(k).tobytes() for k in (4, 5, 6)))


def onnx_varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128, value >> 7])


def test_constant_nodes_unknown_fields_and_all_else_stay(tmp_path: Path) -> None:
    model = models.parse(
        """g (float[N,3] x) => (float[N,2] y) {
          w = Constant <value = float[3,2] {1, 2, 3, 4, 5, 6}> () h = MatMul (x, w) y = Add (h, b)
        }""",
        {"b": R(0, 2)},
    )
    model.metadata_props.add(key="who", value="me")
    data = model.SerializeToString() + b"\xfa\x3e\x03abc"  # a field that ONNX does not know
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    out = tmp_path / "new.onnx"
    assert write_replaced(read_container(path), {"w": R(1, 3, 2)}, out) == [out]
    result = out.read_bytes()
    assert len(result) == len(data)
    assert result.endswith(b"\xfa\x3e\x03abc")
    old = np.float32([1, 2, 3, 4, 5, 6]).tobytes()
    packed = data.find(old)
    assert packed > 0
    assert result == data[:packed] + R(1, 3, 2).tobytes() + data[packed + len(old) :]


def external(folder: Path) -> Path:
    """Two weights in a file beside the model, one of them not first there, and one in the model."""
    model = models.lenet()
    path = folder / "net.onnx"
    onnx.save(
        model, path, save_as_external_data=True, location="weights/net.bin", size_threshold=2000,
        convert_attribute=False,
    )  # fmt: skip
    return path


def test_external_data_goes_into_a_copy_at_its_places(tmp_path: Path) -> None:
    (tmp_path / "old" / "weights").mkdir(parents=True)
    (tmp_path / "new").mkdir()
    path = external(tmp_path / "old")
    container = read_container(path)
    new = {"w3": R(50, 20, 288), "w1": R(51, 4, 1, 3, 3)}
    out = tmp_path / "new" / "net.onnx"
    written = write_replaced(container, new, out)
    assert written == [out, tmp_path / "new" / "weights" / "net.bin"]
    again = onnx.load(out)
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in again.graph.initializer}
    for name, array in models.lenet_weights().items():
        np.testing.assert_array_equal(arrays[name], new.get(name, array))
    before, after = (folder / "weights" / "net.bin" for folder in (tmp_path / "old", tmp_path / "new"))
    assert before.stat().st_size == after.stat().st_size
    with pytest.raises(InputError, match="'w3' lies in a file of its own"):
        replaced_bytes(container, {"w3": new["w3"]})


def test_what_is_there_is_replaced_only_where_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(models.lenet(), path)
    before = path.read_bytes()
    container = read_container(path)
    with pytest.raises(OutputError, match="is there already.*--in-place"):
        write_replaced(container, {"w1": R(1, 4, 1, 3, 3)}, path)
    assert path.read_bytes() == before
    write_replaced(container, {"w1": R(1, 4, 1, 3, 3)}, path, in_place=True)
    assert numpy_helper.to_array(onnx.load(path).graph.initializer[0]).tolist() == R(1, 4, 1, 3, 3).tolist()
    assert [one.name for one in tmp_path.iterdir()] == ["m.onnx"]


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(models.lenet(), path)
    before, container = path.read_bytes(), read_container(path)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        write_replaced(container, {"w1": R(1, 4, 1, 3, 3)}, path, in_place=True)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["m.onnx"]


def test_what_does_not_fit_is_refused() -> None:
    container = read_container(models.lenet())
    with pytest.raises(InputError, match="holds no constant 'nothing'"):
        replaced_bytes(container, {"nothing": R(0, 3)})
    with pytest.raises(InputError, match=r"'b4' is float32 of shape \[5\]; float32 of \[4\] cannot"):
        replaced_bytes(container, {"b4": R(0, 4)})
    with pytest.raises(InputError, match="float64"):
        replaced_bytes(container, {"b4": np.zeros(5)})
