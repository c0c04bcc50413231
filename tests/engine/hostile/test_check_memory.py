"""The memory of checks: what another could have put there, or what is not whole, is as if it were not there."""

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.engines import check_memory, integer_products
from onnxray.engines.check_memory import Memory, cache_folder
from onnxray.engines.integer_products import saturates
from onnxray.errors import MismatchError, ModelFileError
from onnxray.graph.reading import read_graph
from support import models
from support.paths import ROOT

FACTS = {"worst_relative": float, "against": str}
FOUND = {"worst_relative": 1e-6, "against": "this processor"}
DESCRIBED = {"profile": None, "onnxray": "0", "device": "cpu"}


def memory(**more: Any) -> Memory:
    return Memory(read_graph(models.lenet()), {**DESCRIBED, **more})


@pytest.fixture
def note() -> Path:
    """A good note, which is believed."""
    kept = memory()
    kept.remember(FOUND)
    assert kept.recall(FACTS) == FOUND
    assert kept._file is not None
    return kept._file


def test_what_is_whole_is_believed_and_readable_by_its_user_alone(note: Path) -> None:
    assert memory().recall(FACTS) == FOUND
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert [place.name for place in note.parent.iterdir()] == [note.name]


def changed(entry: dict[str, Any], **more: Any) -> str:
    return json.dumps({**entry, **more})


FORGED = {
    "empty": lambda e: "", "an empty object": lambda e: "{}", "a list": lambda e: "[1]", "null": lambda e: "null",
    "truncated": lambda e: json.dumps(e)[:-9], "nested": lambda e: "[" * 100_000, "no text": lambda e: "\udcff",
    "a long number": lambda e: json.dumps(e).replace("1e-06", "1" * 5000), "another schema": lambda e: changed(e, schema=1),
    "more": lambda e: changed(e, more=1), "no key": lambda e: json.dumps({k: e[k] for k in ("schema", "found")}),
    "another file's": lambda e: changed(e, key={**e["key"], "files": {"sha256": "0" * 64}}),
    "a version less": lambda e: changed(e, key={k: v for k, v in e["key"].items() if k != "onnxray"}),
    "flat, as 0.3 wrote it": lambda e: json.dumps({**e["key"], **e["found"]}),
    "no facts": lambda e: changed(e, found={}), "facts as a list": lambda e: changed(e, found=[1]),
    "a fact less": lambda e: changed(e, found={"worst_relative": 0.0}),
    "a fact more": lambda e: changed(e, found={**e["found"], "twin": "loop"}),
    "not a number": lambda e: changed(e, found={**e["found"], "worst_relative": float("nan")}),
    "infinite": lambda e: changed(e, found={**e["found"], "worst_relative": float("inf")}),
    "null in it": lambda e: changed(e, found={**e["found"], "worst_relative": None}),
    "true in it": lambda e: changed(e, found={**e["found"], "worst_relative": True}),
    "too large": lambda e: json.dumps(e) + " " * 2**21,
}  # fmt: skip


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_what_is_not_whole_is_ignored(note: Path, forged: Any) -> None:
    note.write_bytes(forged(json.loads(note.read_text())).encode("utf-8", "surrogateescape"))
    assert memory().recall(FACTS) is None
    memory().remember(FOUND)
    assert memory().recall(FACTS) == FOUND


def test_a_fact_that_no_check_finds_is_ignored(note: Path) -> None:
    """As a check of the twin reads it: against what is none of its words."""
    entry = json.loads(note.read_text())
    opened = onnxray.open(models.lenet(), models.GREY)
    kept = Memory(opened.graph, {"profile": models.GREY.to_dict(), **opened.versions()})
    assert kept._file is not None
    for against in ("nothing", "a friend's word"):
        found = {"worst_relative": 0.0, "against": against}
        kept._file.write_text(changed(entry, key=kept._known, found=found))
        assert kept.recall(FACTS) == found
        _ = onnxray.open(models.lenet(), models.GREY).twin
        assert json.loads(kept._file.read_text())["found"]["against"] == "this processor"


DISAGREES = """g (float[N,4] x) => (float[N,4] y) {
  r = RandomNormalLike <scale = 3.0> (x)
  y = Add (x, r)
}"""


@pytest.mark.parametrize("text", ["{}", "[1]", '{"worst_relative": 0.0}', "", '{"sha'])
def test_a_twin_that_disagrees_is_not_believed_for_a_stray_note(text: str) -> None:
    opened = onnxray.open(models.parse(DISAGREES))
    kept = Memory(opened.graph, {"profile": None, **opened.versions()})
    assert kept._file is not None
    kept._file.parent.mkdir(parents=True)
    kept._file.write_text(text)
    with pytest.raises(MismatchError):
        opened.pullback(np.ones((1, 4), np.float32), {"y": np.ones(4, np.float32)})


# Whose it is


def test_a_link_is_not_followed(note: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    shutil.move(note, elsewhere)
    note.symlink_to(elsewhere)
    assert memory().recall(FACTS) is None
    memory().remember(FOUND)
    assert not note.is_symlink()
    assert memory().recall(FACTS) == FOUND
    assert json.loads(elsewhere.read_text())["found"] == FOUND


def test_what_is_no_file_is_not_waited_for(note: Path) -> None:
    note.unlink()
    os.mkfifo(note)
    assert memory().recall(FACTS) is None
    note.unlink()
    note.mkdir()
    assert memory().recall(FACTS) is None
    memory().remember(FOUND)
    assert list(note.parent.glob(".*")) == []


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_note_that_others_may_write_is_ignored(note: Path, mode: int) -> None:
    note.chmod(mode)
    assert memory().recall(FACTS) is None


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
@pytest.mark.parametrize("level", [0, 1])
def test_a_folder_that_others_may_write_is_not_used(note: Path, mode: int, level: int) -> None:
    folder = note.parents[level]
    folder.chmod(mode)
    assert memory().recall(FACTS) is None
    note.unlink()
    memory().remember(FOUND)
    assert not note.exists()
    folder.chmod(0o700)


def test_what_belongs_to_another_user_is_not_used(note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: note.stat().st_uid + 1)
        assert memory().recall(FACTS) is None
        note.write_text("{}")
        memory().remember(FOUND)
    assert note.read_text() == "{}"


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("level", ["file", "folder", "cache", "link"])
def test_what_was_given_by_another_user_is_not_used(note: Path, level: str, tmp_path: Path) -> None:
    place = {"file": note, "folder": note.parent, "cache": note.parents[1], "link": note.parents[1]}[level]
    if level == "link":  # another's link, to a folder of ours
        place.rename(tmp_path / "ours")
        place.symlink_to(tmp_path / "ours")
        assert memory().recall(FACTS) == FOUND  # a link of ours moves the cache to another disk
    os.chown(place, 12345, 12345, follow_symlinks=False)
    assert memory().recall(FACTS) is None
    os.chown(place, 0, 0, follow_symlinks=False)
    assert memory().recall(FACTS) == FOUND


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0, 0o022, 0o277])
def test_folders_are_the_users_alone_whatever_the_umask(
    mask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONNXRAY_CACHE", str(tmp_path / "a" / "b" / "c"))
    with umask(mask):
        memory().remember(FOUND)
    made = [tmp_path / "a", *sorted((tmp_path / "a").rglob("*"))]
    assert [stat.S_IMODE(place.stat().st_mode) for place in made] == [0o700] * 4 + [0o600]
    assert memory().recall(FACTS) == FOUND


def test_nothing_is_left_in_a_folder_that_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("ONNXRAY_CACHE", str(shared))
    memory().remember(FOUND)
    assert list(shared.iterdir()) == []


# What it is bound to


def test_every_part_of_the_key_counts(note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for more in ({"profile": {"name": "x"}}, {"onnxray": "1"}, {"device": "cuda"}, {"question": "batch"}):
        assert memory(**more).recall(FACTS) is None
        other = memory(**more)._file
        assert other is not None
        other.write_bytes(note.read_bytes())  # under the other's name, with its own key inside
        assert memory(**more).recall(FACTS) is None
    real = check_memory.describe_machine()
    with monkeypatch.context() as patch:
        patch.setattr(check_memory, "describe_machine", lambda: {**real, "flags": ["avx512_vnni"]})
        assert memory().recall(FACTS) is None
    with monkeypatch.context() as patch:
        patch.setattr(check_memory, "describe_machine", lambda: {**real, "cores": 1000})
        assert memory().recall(FACTS) == FOUND  # threads move sums by roundings


def test_what_the_processor_saturates_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    model = models.parse("g (uint8[N,4] x, int8[4,3] w) => (int32[N,3] y) { y = MatMulInteger (x, w) }")
    graph = read_graph(model)
    files = set()
    for answer in (True, False):
        monkeypatch.setattr(integer_products, "u8s8_saturates", lambda answer=answer: answer)
        assert saturates(graph) is answer
        files.add(Memory(graph, DESCRIBED)._file)
    assert len(files) == 2


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "model" / "m.onnx"
    path.parent.mkdir()
    onnx.save(models.lenet(), path, save_as_external_data=True, location="m.data", size_threshold=100)
    return path


def test_external_data_counts_by_its_content(outside: Path) -> None:
    kept = Memory(read_graph(outside), DESCRIBED)
    kept.remember(FOUND)
    data = outside.parent / "m.data"
    before, found = data.read_bytes(), data.stat()
    data.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    os.utime(data, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert Memory(read_graph(outside), DESCRIBED).recall(FACTS) is None
    data.write_bytes(before)
    moved = shutil.copytree(outside.parent, outside.parents[1] / "elsewhere")
    assert Memory(read_graph(moved / "m.onnx"), DESCRIBED).recall(FACTS) == FOUND
    assert list(read_graph(outside).identity) == ["sha256", "external:m.data"]


def test_external_data_that_is_gone_is_told_in_one_line(outside: Path) -> None:
    opened = onnxray.open(outside, models.GREY)
    (outside.parent / "m.data").unlink()
    with pytest.raises(ModelFileError, match=r"m\.data"):
        opened.pullback(models.pictures(1), {"logits": lambda value, place: value})


# Where it lies


def test_a_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ONNXRAY_CACHE", "~/of mine")
    assert cache_folder() == tmp_path / "of mine"


def test_what_is_no_absolute_path_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONNXRAY_CACHE", "cache")
    assert cache_folder() is None
    kept = memory()
    kept.remember(FOUND)
    assert kept.recall(FACTS) is None
    assert list(tmp_path.glob("cache")) == []
    monkeypatch.setenv("ONNXRAY_CACHE", "~nobody-of-that-name/cache")
    assert cache_folder() is None
    monkeypatch.setenv("ONNXRAY_CACHE", "")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "onnxray"  # empty is not set
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() is None


def test_no_home_is_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("ONNXRAY_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", none)
    assert cache_folder() is None
    opened = onnxray.open(models.lenet(batch=1), models.GREY)
    assert opened.pullback(models.pictures(2), {"logits": lambda value, place: value}).any()


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root becomes another user")
def test_a_user_without_an_entry_and_without_a_home() -> None:
    program = (
        "import sys, os; sys.path[:0] = ['engine']; import onnxray.engines.check_memory as c; os.setuid(54321); "
        "assert c.cache_folder() is None"
    )
    kept = {key: value for key, value in os.environ.items() if key not in {"HOME", "ONNXRAY_CACHE", "XDG_CACHE_HOME"}}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT, env=kept
    )
    assert done.returncode == 0, done.stderr


def test_a_full_disk_leaves_nothing_behind(note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    note.unlink()
    for name in ("replace", "fchmod"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            memory().remember(FOUND)
        assert list(note.parent.iterdir()) == []


def test_an_interruption_leaves_nothing_behind(note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    note.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            memory().remember(FOUND)
    assert list(note.parent.iterdir()) == []
