"""Archives of arrays: what numpy writes, of arrays in memory and of those that lie in files."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from onnxray.images import array_files
from onnxray.images.array_files import let_go, mapping_of, write_npz


@pytest.mark.parametrize("kind", ["float32", "uint8", "int64"])
@pytest.mark.parametrize("shape", [(7, 3, 2), (1, 5), (9,)])
def test_an_array_that_lies_in_a_file_is_written_as_one_in_memory(
    kind: str, shape: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_files, "_PART", 20)
    array = (np.random.default_rng(0).standard_normal(shape) * 40).astype(kind)
    (tmp_path / "rows.bin").write_bytes(array.tobytes())
    mapped = np.memmap(tmp_path / "rows.bin", array.dtype, "r", shape=shape)
    assert mapping_of(np.asarray(mapped)) is not None
    assert mapping_of(array) is None
    written, plain, theirs = io.BytesIO(), io.BytesIO(), io.BytesIO()
    write_npz(written, [("a", mapped), ("words", np.array(["x", "\u00e9"]))])
    write_npz(plain, [("a", array), ("words", np.array(["x", "\u00e9"]))])
    np.savez(theirs, a=array, words=np.array(["x", "\u00e9"]))
    for stream in (written, theirs):
        stream.seek(0)
    with np.load(written) as found, np.load(theirs) as expected:
        np.testing.assert_array_equal(found["a"], expected["a"])
        assert found["a"].dtype == expected["a"].dtype
        np.testing.assert_array_equal(found["words"], expected["words"])
    with zipfile.ZipFile(written) as one, zipfile.ZipFile(plain) as other:
        assert one.read("a.npy") == other.read("a.npy")
    let_go(mapped)
    np.testing.assert_array_equal(mapped, array)
