"""All runs are followed in one stream, which holds the latest of each and no more listeners than pages there are."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra onnxray[web] is not installed")

from onnxray.web.server import runs as server
from onnxray.web.server.bodies import Refused
from onnxray.web.server.runs import Runs
from onnxray.web.server.store import Blobs


class Slow:
    """A process whose runs end when they are told to."""

    def __init__(self) -> None:
        self.futures: list[asyncio.Future[Any]] = []
        self.told: list[Any] = []

    async def ask(self, _: str, **__: Any) -> dict[str, Any]:
        return {}

    def run(self, told: Any, **_: Any) -> tuple[int, asyncio.Future[Any]]:
        self.told.append(told)
        self.futures.append(asyncio.get_running_loop().create_future())
        return len(self.futures), self.futures[-1]


def test_one_stream_tells_of_every_run(tmp_path: Path) -> None:
    (tmp_path / "earlier" / "one").mkdir(parents=True)
    (tmp_path / "earlier" / "one" / "result.json").write_text("{}")

    async def main() -> None:
        worker: Any = Slow()
        runs = Runs(tmp_path / "out", worker, Blobs(), tmp_path / "earlier")
        keys = [(await runs.start(["verify"], [], {})).key for _ in range(8)]
        stream = runs.events()

        async def following() -> tuple[str, str, int]:
            state = json.loads((await asyncio.wait_for(anext(stream), 10)).removeprefix(b"data: "))
            return state["key"], state["state"], state["done"]

        assert [await following() for _ in keys] == [(key, "waiting", 0) for key in keys], (
            "and none of the earlier ones"
        )
        for done in range(1000):
            worker.told[2]({"done": done, "total": 1000, "what": "steps"})
        assert await following() == (keys[2], "running", 999), "the latest alone"
        worker.futures[5].set_result({"typed": ["onnxray"], "interrupted": False})
        assert await following() == (keys[5], "done", 0)
        await stream.aclose()
        for one in worker.futures:
            if not one.done():
                one.set_result({"typed": [], "interrupted": True})
        await asyncio.sleep(0)

    asyncio.run(main())


def test_ten_thousand_listeners_are_too_many(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(server, "_MOST_LISTENING", 3)

    async def main() -> None:
        worker: Any = Slow()
        runs = Runs(tmp_path / "out", worker, Blobs())
        run = await runs.start(["verify"], [], {})
        streams = [runs.events(), runs.events(run), runs.events()]
        for stream in streams:
            runs.check_listeners()
            await anext(stream)
        with pytest.raises(Refused) as refused:
            runs.check_listeners()
        assert refused.value.status == 429
        await streams[0].aclose()
        runs.check_listeners()
        for stream in streams[1:]:
            await stream.aclose()
        worker.futures[0].set_result({"typed": [], "interrupted": True})
        await asyncio.sleep(0)

    asyncio.run(main())
