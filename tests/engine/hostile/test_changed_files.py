"""A file that changes after it was opened: one model throughout or one line, never a mix, never the end of the process."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxray
from onnxray.engines import session_source
from onnxray.engines.judge import Judge
from onnxray.errors import ModelFileError, OnnxrayError
from onnxray.graph.file import opened_file, private_copies
from onnxray.graph.file.container import read_container
from onnxray.graph.reading import read_graph
from support import models

X = models.pictures(2)
COTANGENT = {"ip2": models.random(0, 5)}

Put = Callable[[Path, bytes], None]


def by_renaming(path: Path, data: bytes) -> None:
    path.with_suffix(".new").write_bytes(data)
    path.with_suffix(".new").replace(path)


def in_place(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def with_its_time_put_back(path: Path, data: bytes) -> None:
    before = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


PUTS = (by_renaming, in_place, with_its_time_put_back)


def network(seed: int, folder: Path, *, external: bool) -> tuple[bytes, bytes]:
    """The bytes of lenet with weights of a seed, and of its external data; both are as long for every seed."""
    model, path = models.lenet(weights=models.lenet_weights(seed)), folder / f"{seed}.onnx"
    if not external:
        return model.SerializeToString(), b""
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=64)
    return path.read_bytes(), (folder / "weights.bin").read_bytes()


@pytest.fixture(params=["one file", "external data"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path, bytes]:
    """The model's path, the file with its weights, and what these are replaced by."""
    external = request.param == "external data"
    (tmp_path / "made").mkdir()
    other, other_data = network(100, tmp_path / "made", external=external)
    (tmp_path / "made" / "weights.bin").unlink(missing_ok=True)
    data, outside = network(0, tmp_path / "made", external=external)
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    if external:
        (tmp_path / "weights.bin").write_bytes(outside)
        return path, tmp_path / "weights.bin", other_data
    return path, path, other


@pytest.mark.parametrize("put", PUTS)
@pytest.mark.parametrize("used", [(), ("predict",), ("predict", "pullback"), ("pullback", "values", "sha256")])
def test_one_model_or_one_line(put: Put, used: tuple[str, ...], files: tuple[Path, Path, bytes]) -> None:
    path, weights, other = files
    reading = {
        "predict": lambda model: model.predict(X, scores=True).scores,
        "pullback": lambda model: model.pullback(X, COTANGENT),
        "values": lambda model: model.values(X, ["relu1", "ip1"])["ip1"],
        "sha256": lambda model: np.frombuffer(repr(model.graph.identity).encode(), np.uint8),
    }
    expected = {name: read(onnxray.open(path, models.GREY)) for name, read in reading.items()}
    model = onnxray.open(path, models.GREY)
    for name in used:
        reading[name](model)
    assert weights.stat().st_size == len(other)
    put(weights, other)
    refused, said = [], list[str]()
    for name, read in reading.items():
        try:
            np.testing.assert_array_equal(read(model), expected[name])
        except ModelFileError as error:
            refused.append(name)
            said.append(str(error))
    assert all("changed since it was opened" in text and weights.name in text for text in said)
    assert not set(refused) & set(used) - {"values"}
    assert used or refused == list(reading)


@pytest.mark.parametrize("put", PUTS)
def test_plain_outputs_and_other_weights_are_of_what_was_opened(put: Put, files: tuple[Path, Path, bytes]) -> None:
    path, weights, other = files
    graph = read_graph(path)
    put(weights, other)
    for work in (
        lambda: Judge(graph).plain_outputs({"x": models.random(0, 1, 1, 14, 14)}, ["prob"]),
        lambda: graph.container.whole(),
        lambda: graph.weight("w2"),
        lambda: graph.identity,
    ):
        with pytest.raises(ModelFileError, match="changed since it was opened"):
            work()


def cut_short(opened: opened_file.OpenedFile) -> None:
    with opened.reading():
        os.truncate(opened.path, 10)
        raise ValueError("what was read is too short")


def test_a_file_that_changes_while_it_is_read(files: tuple[Path, Path, bytes]) -> None:
    _, weights, other = files
    opened = opened_file.opened(weights, "it")
    with pytest.raises(ModelFileError, match="it changed since"), opened.reading():
        weights.write_bytes(other)
    opened = opened_file.opened(weights, "it")
    with pytest.raises(ModelFileError, match="it changed since"):
        cut_short(opened)


def test_a_file_that_is_gone(files: tuple[Path, Path, bytes]) -> None:
    path, weights, _ = files
    graph = read_graph(path)
    weights.unlink()
    with pytest.raises(ModelFileError, match="changed since it was opened"):
        Judge(graph).outputs({"x": models.random(0, 1, 1, 14, 14)})


def test_a_change_within_the_clocks_tick_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look is not over before a later change would get another time."""
    path, slept = tmp_path / "a", list[float]()
    path.write_bytes(b"a")
    changed = path.stat().st_ctime_ns
    monkeypatch.setattr(opened_file.time, "time_ns", lambda: changed + 1_000_000)
    monkeypatch.setattr(opened_file.time, "sleep", slept.append)
    opened_file.opened(path, "it")
    monkeypatch.setattr(opened_file.time, "time_ns", lambda: changed + 10**10)
    opened_file.opened(path, "it")
    assert slept == [pytest.approx(0.009)]


def test_a_pipe_is_no_model_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(ModelFileError):
        onnxray.open(tmp_path / "pipe.onnx")


TRUNCATED = """
import os, sys, onnxray
from support import models
path, weights = sys.argv[1:]
model = onnxray.open(path, models.GREY)
x = models.pictures(1)
names = ["relu1", "ip1"]
before = model.predict(x, scores=True).scores, model.values(x, names)["ip1"]
segment = model.judge.segment(["ip2"])
feeds = model.feeds(x)
os.truncate(weights, 0)
for _ in range(3):
    assert (model.predict(x, scores=True).scores == before[0]).all() and (model.values(x, names)["ip1"] == before[1]).all()
    segment(feeds)
print("alive")
"""


def test_weights_that_are_cut_short_do_not_end_the_process(files: tuple[Path, Path, bytes]) -> None:
    path, weights, _ = files
    done = subprocess.run(
        [sys.executable, "-c", TRUNCATED, path, weights], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(private_copies.os, "O_TMPFILE")


def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(private_copies.os, "link", link)


def no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    full = private_copies.shutil._ntuple_diskusage(10, 10, 0)
    monkeypatch.setattr(private_copies.shutil, "disk_usage", lambda _: full)


def no_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(*_: object) -> None:
        raise OSError("two file systems")

    monkeypatch.setattr(private_copies.os, "copy_file_range", copy)
    monkeypatch.setattr(private_copies, "_PART", 1000)


@pytest.mark.parametrize("without", [no_copies, no_names, no_space, no_ranges])
def test_where_no_private_copy_can_be_made(
    without: Callable[[pytest.MonkeyPatch], None], files: tuple[Path, Path, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights are then handed over in memory, the same for both engines."""
    path = files[0]
    usual = onnxray.open(path, models.GREY)
    names = ["relu1", "ip1", "ip2"]
    expected = usual.predict(X, scores=True).scores, usual.values(X, names)
    without(monkeypatch)
    model = onnxray.open(path, models.GREY)
    np.testing.assert_array_equal(model.predict(X, scores=True).scores, expected[0])
    found = model.values(X, names)
    for name in names:
        np.testing.assert_array_equal(found[name], expected[1][name])
    assert model.verify().agrees


def test_types_that_numpy_has_not_are_handed_over_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = (np.arange(3000) % 7).astype(ml_dtypes.bfloat16)
    model = models.parse("g (float[3000] x) => (float[3000] y) { v = Cast <to = 1> (w) y = Add (x, v) z = Neg (y) }")
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    no_copies(monkeypatch)
    x = models.random(0, 3000)
    found = Judge(read_graph(tmp_path / "model.onnx")).values({"x": x}, ["z"])["z"]
    np.testing.assert_array_equal(found, -(x + weights.astype(np.float32)))


def test_a_copy_holds_what_was_asked_for_and_leaves_no_name(
    files: tuple[Path, Path, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(private_copies.tempfile, "tempdir", str(tmp_path / "temporary"))
    path, weights, _ = files
    container = read_container(path)
    region = container.regions["w3"]
    with container.copies.named([region], container.external_folder) as folder:
        copy = (folder / weights.relative_to(path.parent)).read_bytes()
        assert (folder.stat().st_mode & 0o777, len(copy)) == (0o700, weights.stat().st_size)
        end = region.offset + region.length
        assert copy[region.offset : end] == weights.read_bytes()[region.offset : end]
        assert not any(copy[: region.offset])
    assert not list((tmp_path / "temporary").iterdir())


def test_holes_of_a_file_stay_holes(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    with path.open("wb") as file:
        file.write(b"a" * 5000)
        file.truncate(2**30)
        file.seek(2**30 - 3)
        file.write(b"end")
    parts = list(private_copies._filled(os.open(path, os.O_RDONLY), 10, 2**30))
    assert parts[0][0] == 10
    assert parts[-1][1] == 2**30
    assert sum(end - start for start, end in parts) < 2**20


def test_a_session_on_the_file_is_of_the_handle_that_was_checked(tmp_path: Path, lenet: onnx.ModelProto) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(lenet.SerializeToString())
    container, seen = read_container(path), list[bytes]()

    def replaced() -> None:
        with session_source.file_source(container) as source:
            by_renaming(path, b"another")
            seen.append(Path(str(source.model)).read_bytes())

    with pytest.raises(ModelFileError, match="changed"):
        replaced()
    assert seen == [lenet.SerializeToString()]


def test_the_files_that_a_model_is_of(files: tuple[Path, Path, bytes]) -> None:
    path, weights, other = files
    before = read_graph(path).identity
    assert before["sha256"] == read_graph(path).sha256
    assert set(before) == {"sha256", *([f"external:{weights.name}"] if weights != path else [])}
    weights.write_bytes(other)
    after = read_graph(path).identity
    assert [name for name in before if before[name] != after[name]] == [list(before)[-1]]


def test_handles_stay_few(files: tuple[Path, Path, bytes]) -> None:
    path, folder = files[0], Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("handles are counted in /proc")

    def use() -> int:
        model = onnxray.open(path, models.GREY)
        model.predict(X[:1])
        model.values(X[:1], ["relu1", "ip1"])
        del model
        gc.collect()
        return len(list(folder.iterdir()))

    first = use()
    assert [use() for _ in range(4)] == [first] * 4


@pytest.mark.slow
def test_two_hundred_models_leave_memory_and_handles_as_they_were(files: tuple[Path, Path, bytes]) -> None:
    path = files[0]

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    seen = []
    for _ in range(200):
        model = onnxray.open(path, models.GREY)
        model.predict(X[:1])
        model.pullback(X[:1], COTANGENT)
        model.values(X[:1], ["relu1"])
        del model
        gc.collect()
        seen.append((resident(), len(os.listdir("/proc/self/fd"))))  # noqa: PTH208
    assert seen[-1][1] == seen[20][1]
    assert seen[-1][0] - seen[20][0] < 20e6


def test_errors_name_the_file_and_not_the_handle(tmp_path: Path) -> None:
    path = tmp_path / "odd.onnx"
    path.write_bytes(models.parse("g (float[N] x) => (float[N] y) { y = Nowhere (x) }").SerializeToString())
    with pytest.raises(OnnxrayError) as caught:
        Judge(read_graph(path)).outputs({"x": models.random(0, 3)})
    assert "/proc/" not in str(caught.value)
