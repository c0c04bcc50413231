"""The process behind the server: one that hears nothing, one that begins anew, and what it is asked twice."""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra onnxray[web] is not installed")

import onnxray
from onnxray.cli.parts.shared_options import Opening
from onnxray.errors import InputError
from onnxray.web.server import worker as server
from onnxray.web.server.worker import Failed, Worker
from onnxray.web.work import beginning, facts, process
from onnxray.web.work.bench import Bench
from support.auditing import digits
from support.working import deaf, echoing


def test_a_process_that_hears_nothing_can_be_ended(monkeypatch: Any) -> None:
    """More is asked of it than a pipe holds; the server goes on all the same."""
    monkeypatch.setattr(beginning, "work", deaf)

    async def main() -> None:
        worker = Worker(("x",), Opening())
        asked = [asyncio.create_task(worker.ask("graph", opened=["x" * 1000] * 200)) for _ in range(5)]
        await asyncio.sleep(0.2)
        await asyncio.wait_for(worker.ended(), 30)
        for one in asked:
            with pytest.raises(Failed, match="was ended"):
                await one

    asyncio.run(main())


def test_what_was_stated_of_a_profile_outlives_the_process(monkeypatch: Any) -> None:
    monkeypatch.setattr(beginning, "work", echoing)

    async def main() -> None:
        worker = Worker(("x", "y"), Opening())
        assert (await worker.ask("model"))["told"] == {}
        await worker.ask("profile", model=1, fields={"scale": "1", "mean": None})
        await worker.ask("profile", model=1, fields={"scale": "2"})
        await worker.ended()
        assert (await worker.ask("model"))["told"] == {0: {}, 1: {"scale": "2", "mean": None}}
        await worker.ended()

    asyncio.run(main())


def test_too_many_questions_are_refused(monkeypatch: Any) -> None:
    monkeypatch.setattr(beginning, "work", deaf)
    monkeypatch.setattr(server, "_MOST_WAITING", 3)

    async def main() -> None:
        worker = Worker(("x",), Opening())
        asked = [asyncio.create_task(worker.ask("model")) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Failed, match="3 questions are waiting"):
            await worker.ask("model")
        await worker.ended()
        await asyncio.gather(*asked, return_exceptions=True)

    asyncio.run(main())


def test_a_model_is_opened_anew_as_it_was_to_be_read() -> None:
    sha256 = facts.model_facts(Bench(["lenet"], Opening()))["sha256"]
    bench = Bench(["lenet"], Opening(), {0: (sha256, {"scale": "1"})})
    assert facts.model_facts(bench)["profile"]["fields"]["scale"] == "1"
    assert facts.model_facts(bench)["stated"] == {"profile_scale": "1"}


def test_a_file_that_was_changed_is_not_opened_in_its_place(tmp_path: Path) -> None:
    place = tmp_path / "net.onnx"
    shutil.copy(str(onnxray.open("lenet").graph.path), place)
    with pytest.raises(InputError, match="was changed since the page opened it"):
        Bench([str(place)], Opening(), {0: ("0" * 64, {})}).desk()


def test_a_picture_that_was_changed_is_read_anew(tmp_path: Path) -> None:
    bench, place = Bench(["lenet"], Opening()), tmp_path / "digit.png"
    first, second = (str(one.path) for one in digits(5)[3:5])
    shutil.copy(first, place)
    before = bench.desk().pixels(str(place)).array
    shutil.copy(second, place)
    assert (bench.desk().pixels(str(place)).array == bench.desk().pixels(second).array).all()
    assert (before != bench.desk().pixels(second).array).any()
    place.unlink()
    with pytest.raises(Exception, match=r"digit\.png"):
        bench.desk().pixels(str(place))


def test_what_is_told_is_not_broken_off_by_an_interruption() -> None:
    """Only the thread that speaks writes to the pipe; interruptions are the main one's."""
    written: list[int] = []
    heard = threading.Event()

    def send(_: Any) -> None:
        written.append(threading.get_ident())
        heard.set()

    worker = process.Worker(SimpleNamespace(send=send), Bench([], Opening()))  # type: ignore[arg-type]
    threading.Thread(target=worker._speak, daemon=True).start()
    worker._send("told", 1, {"png": b"x"})
    assert heard.wait(10)
    assert threading.get_ident() not in written
