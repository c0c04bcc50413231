"""Nothing that was finished is lost: kills, signals, full disks, two writers, two runs in a second; and going on."""

import errno
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.cli.app import app
from onnxray.cli.parts.document import run_folder
from onnxray.errors import OutputError
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.lots.lots import LOTS
from onnxray.results import keeping
from onnxray.results.journal import JOURNAL, read_journal
from onnxray.results.keeping import Keeping
from onnxray.results.result import Result
from onnxray.results.run_folder import STAGING, RunFolder, new_folder
from onnxray.results.saved_files import write_folder
from support.killed import contents, killed, without_times

DIGITS = [str(path) for path in onnxray_models.samples("lenet")]
LOTS_RUN = ("lots", "lenet", *DIGITS[::20], "--self", "inhibit", "--layer", "ip2", "--search", "bisection")


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@contextmanager
def stopped_at(count: int, with_: Callable[[], Any]) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar that ends the run when so many units are done."""
    seen = []

    def tick(done: int, total: int, what: str) -> None:
        seen.append(done)
        if len(seen) == count + 1:
            with_()

    yield tick


@contextmanager
def counted(ticks: list[int]) -> Iterator[Callable[[int, int, str], None]]:
    yield lambda done, total, what: ticks.append(done)


PROGRESS_BAR = "onnxray.cli.parts.method_command.progress_bar"


def stop(monkeypatch: pytest.MonkeyPatch, count: int, with_: Callable[[], Any]) -> None:
    monkeypatch.setattr(PROGRESS_BAR, lambda: stopped_at(count, with_))


def interrupt() -> None:
    raise KeyboardInterrupt


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_bytes())
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_run_leaves_what_is_finished_and_is_gone_on_with(tmp_path: Path) -> None:
    moments = [(0.75, signal.SIGKILL), (0.9, signal.SIGTERM)]
    told = killed("short", tmp_path, moments)
    assert not told.faults
    assert told.runs == 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_evaluation_that_is_killed_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    """Two units of pictures and one of tests."""
    told = killed("attack evaluate", tmp_path, [(0.6, signal.SIGKILL)])
    assert not told.faults
    assert told.runs == 1


RUNS: dict[str, tuple[object, ...]] = {
    "lots": LOTS_RUN,
    "adjust": (*LOTS_RUN, "--steps", 3, "--until", "linf", "--linf", 2, "--layer", "ip1"),
    "occlusion": ("saliency", "occlusion", "lenet", *DIGITS[:3], "--size", 9),
    "smoothgrad": ("saliency", "smoothgrad", "lenet", *DIGITS[:3], "--samples", 2, "--object", "threshold"),
    "rise": ("saliency", "rise", "lenet", *DIGITS[:3], "--masks", 60, "--fill", "noise"),
    "lime": ("saliency", "lime", "lenet", *DIGITS[:3], "--samples", 40, "--fill", "noise", "--superpixels", "grid"),
    "tcav": (
        "tcav", "lenet", *DIGITS[:3], "--concept", Path(DIGITS[0]).parent, "--random", Path(DIGITS[0]).parent, "--trials", 3,
        "--layer", "conv1", "--layer", "ip1",
    ),
    "check": (
        "saliency", "check", "gradient", "lenet", *DIGITS[:18], "--curve-steps", 2, "--noise-copies", 2,
        "--weights", "none",
    ),
    "compare": ("saliency", "compare", "lenet", *DIGITS[:2], "--methods", "gradient,cam", "--curve-steps", 3),
    "invert": ("invert", "lenet", DIGITS[0], "--steps", 4, "--layer", "conv1", "--layer", "ip1"),
    "maximize": (
        "visualize", "maximize", "lenet", "--target", "class:1", "--target", "class:2", "--target", "class:3",
        "--together", 1, "--steps", 4, "--every", 2,
    ),
    "texture": ("visualize", "texture", "lenet", DIGITS[0], "--samples", 3, "--steps", 3),
    "deepdream": (
        "visualize", "deepdream", "lenet", *DIGITS[:3], "--steps", 2, "--octaves", 1, "--layer", "conv1",
    ),
    "activations": ("visualize", "activations", "lenet", *DIGITS[:3]),
}  # fmt: skip
QUICK = {"lots", "rise", "maximize"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in RUNS])
def test_an_interrupted_run_is_incomplete_and_the_resumed_one_equals_an_undisturbed_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = RUNS[name]
    ticks: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(PROGRESS_BAR, lambda: counted(ticks))
        whole = run(*command, "-o", tmp_path / "whole")
    assert whole.exit_code == 0, (whole.stderr, whole.exception)
    with monkeypatch.context() as patch:
        stop(patch, 3 * len(ticks) // 4, interrupt)
        done = run(*command, "-o", tmp_path / "run")
    assert done.exit_code == 130, (done.exit_code, done.stderr)
    found = document(tmp_path / "run")
    assert (found["incomplete"], found["interrupted"]) == (True, True)
    assert 0 < len(found["items"]) <= len(document(tmp_path / "whole")["items"])
    assert not (tmp_path / "run" / STAGING).exists()
    done = run(*command, "-o", tmp_path / "run", "--resume")
    assert done.exit_code == 0, (done.stderr, done.exception)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_values_and_apply_go_on_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxray.engines import chunks as batching

    monkeypatch.setattr(batching, "_CHUNK_LIMIT", 3)
    command = ("values", "lenet", *DIGITS[:10], "--value", "ip1")
    assert run(*command, "-o", tmp_path / "whole").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "whole").iterdir()) == ["index.html", "result.json", "values.npz"]
    with monkeypatch.context() as patch:
        real, calls = Keeping.end, []

        def end(self: Keeping, *given: Any) -> None:
            real(self, *given)
            calls.append(given)
            if len(calls) == 2:
                raise KeyboardInterrupt

        patch.setattr(Keeping, "end", end)
        done = run(*command, "-o", tmp_path / "run")
    assert done.exit_code == 130
    found = document(tmp_path / "run")
    assert (found["incomplete"], len(found["images"]), found["items"][0]["shape"][0]) == (True, 3, 3)
    assert run(*command, "-o", tmp_path / "run", "--resume").exit_code == 0
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_an_error_midway_leaves_what_was_finished_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = keeping.write_checked, []

    def full(path: Path, picture: Any) -> bytes:
        calls.append(path)
        if len(calls) == 8:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, picture)

    monkeypatch.setattr(keeping, "write_checked", full)
    done = run(*LOTS_RUN, "-o", tmp_path / "run")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].endswith("run: No space left on device")
    loaded = Result.load(tmp_path / "run", LotsItem)
    assert loaded.incomplete
    assert len(loaded.items) == 2
    assert not (tmp_path / "run" / STAGING).exists()
    monkeypatch.undo()
    assert run(*LOTS_RUN, "-o", tmp_path / "run", "--resume").exit_code == 0
    assert not Result.load(tmp_path / "run", LotsItem).incomplete


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes")
def test_a_disk_that_is_full_for_the_journal_too(tmp_path: Path) -> None:
    model = onnxray.open("lenet")
    with Keeping.into(tmp_path / "run", "lots") as keep:
        LOTS(layer="ip2")(model, DIGITS[::40], "inhibit", keep=keep)
        journal = tmp_path / "run" / JOURNAL
        before = journal.read_bytes()
        import resource

        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
        try:
            with pytest.raises(OutputError, match="cannot be written"):
                keep.end((7,), ["a note " * 20])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert journal.read_bytes() == before
    assert len(Result.load(tmp_path / "run", LotsItem).items) == 3


def test_two_writers_are_told_before_anything_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = RunFolder.claim(tmp_path / "run")
    monkeypatch.setattr(LOTS, "run", lambda *_: pytest.fail("computed"))
    done = run(*LOTS_RUN, "-o", tmp_path / "run")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "another run is writing to" in done.stderr
    with pytest.raises(OutputError, match="another run is writing"):
        write_folder(tmp_path / "run", {"items": []}, {})
    held.close(kept=False)
    assert not (tmp_path / "run").exists()


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    staging = tmp_path / "run" / STAGING
    (staging / "new").mkdir(parents=True)
    (staging / "new" / "x.png").write_bytes(b"half")
    (staging / "result.json").write_bytes(b"{")
    (staging / "lock").touch()
    write_folder(tmp_path / "run", {"items": []}, {})
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["result.json"]


def test_runs_of_one_second_get_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    go = threading.Barrier(8)

    def claim() -> None:
        go.wait()
        names.append(new_folder(tmp_path / "x" / "run").name)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 8
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda _: "now")
    assert len({run_folder(None, "lots") for _ in range(5)}) == 5


def test_resume_refuses_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        stop(patch, 2, interrupt)
        assert run(*LOTS_RUN, "-o", tmp_path / "run").exit_code == 130
    before = contents(tmp_path / "run")
    for changed, said in (
        ((*LOTS_RUN, "--seed", 3), "seed: 0 there, 3 here"),
        ((*LOTS_RUN, "--max-scale", 512), "method.options.max_scale: 1024 there, 512 here"),
        ((*LOTS_RUN[:3], *LOTS_RUN[4:]), "images, targets or files differs in its contents"),
        ((*LOTS_RUN, "--summary"), "options.summary"),
        (("saliency", "gradient", "lenet", DIGITS[0]), "command: 'lots' there, 'saliency-gradient' here"),
    ):
        done = run(*changed, "-o", tmp_path / "run", "--resume")
        assert (done.exit_code, done.stdout) == (1, ""), done.stderr
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
        assert contents(tmp_path / "run") == before
    assert "--resume needs the folder" in run(*LOTS_RUN, "--resume").stderr
    assert run(*LOTS_RUN, "-o", tmp_path / "run", "--resume").exit_code == 0
    assert "holds a complete result" in run(*LOTS_RUN, "-o", tmp_path / "run", "--resume").stderr
    assert run(*LOTS_RUN, "-o", tmp_path / "fresh", "--resume").exit_code == 0
    assert contents(tmp_path / "fresh") == contents(tmp_path / "run")


def test_files_that_are_not_as_they_were_written_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*LOTS_RUN, "-o", tmp_path / "whole").exit_code == 0
    with monkeypatch.context() as patch:
        stop(patch, 4, interrupt)
        assert run(*LOTS_RUN, "-o", tmp_path / "run").exit_code == 130
    journal = read_journal(tmp_path / "run" / JOURNAL)
    assert journal is not None
    (tmp_path / "run" / next(iter(journal.entries[2].files))).write_bytes(b"bent")
    with (tmp_path / "run" / JOURNAL).open("ab") as stream:
        stream.write(b'{"item": 9, "unit"')
    sound = journal.sound(tmp_path / "run")
    assert len(sound.entries) == 2
    assert run(*LOTS_RUN, "-o", tmp_path / "run", "--resume").exit_code == 0
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_a_run_that_finishes_nothing_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(*LOTS_RUN, "-o", tmp_path / "run").exit_code == 0
    before = contents(tmp_path / "run")
    other = ("lots", "lenet", *DIGITS[:3], "--self", "magnify")
    with monkeypatch.context() as patch:
        stop(patch, 0, interrupt)
        assert run(*other, "-o", tmp_path / "run", "--overwrite").exit_code == 130
        assert contents(tmp_path / "run") == before
        assert run(*other, "-o", tmp_path / "fresh").exit_code == 130
        assert not (tmp_path / "fresh").exists()
    with monkeypatch.context() as patch:  # two runs' items never stand in one document
        stop(patch, 2, interrupt)
        assert run(*other, "-o", tmp_path / "run", "--overwrite").exit_code == 130
    found = document(tmp_path / "run")
    assert found["incomplete"]
    assert {item["mode"] for item in found["items"]} == {"magnify"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_only_be_read(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o555)
    done = run(*LOTS_RUN, "-o", tmp_path / "run")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_sigterm_is_as_ctrl_c_and_the_handlers_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    def terminated() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL, "a second one ends the process at once"

    stop(monkeypatch, 2, terminated)
    done = run(*LOTS_RUN, "-o", tmp_path / "run")
    assert done.exit_code == 130
    assert document(tmp_path / "run")["interrupted"]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_from_python_too(tmp_path: Path) -> None:
    model, method = onnxray.open("lenet"), LOTS(layer="ip2")
    seen: list[int] = []

    def stop_at_two(done: int, total: int, what: str) -> None:
        seen.append(done)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Keeping.into(tmp_path / "run", "mine") as keep:
        method(model, DIGITS[::20], "inhibit", keep=keep, progress=stop_at_two)
    loaded = Result.load(tmp_path / "run", LotsItem)
    assert (loaded.incomplete, len(loaded.items)) == (True, 2)
    with Keeping.into(tmp_path / "run", "mine", resume=True) as keep:
        result = method(model, DIGITS[::20], "inhibit", keep=keep)
        keep.complete(result)
    plain = method(model, DIGITS[::20], "inhibit").save(tmp_path / "plain")
    saved = without_times(plain.to_dict())
    beside = set(saved.pop("files"))  # the sheet and the page, which saving adds
    assert beside == {"sheet.png", "index.html"}
    assert saved == without_times(document(tmp_path / "run"))
    in_run, in_plain = contents(tmp_path / "run"), contents(tmp_path / "plain")
    assert in_plain.keys() - in_run.keys() == beside
    assert {**in_plain, "result.json": saved} == {**in_plain, **in_run}
