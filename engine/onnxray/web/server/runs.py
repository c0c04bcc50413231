"""The runs of the page: one after the other in the worker, each in the folder that its command line would have made."""

from __future__ import annotations

import asyncio
import math
import shlex
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Literal, final

from onnxray.errors import OnnxrayError
from onnxray.errors.shown_text import terminal
from onnxray.graph.node_attributes import DAMAGED
from onnxray.notebooks.tables import flat
from onnxray.results.earlier_run import DOCUMENT
from onnxray.results.loading import own_file, stored_document
from onnxray.web.server.bodies import Refused
from onnxray.web.server.store import Blobs, File
from onnxray.web.server.worker import Failed, Worker
from onnxray.web.work.own_lines import is_on_own_line, own_scale

State = Literal["waiting", "running", "done", "failed", "stopped"]
_MOST_WAITING: Final = 20
_MOST_RUNS: Final = 1000
_MOST_ITEMS: Final = 200
_LONGEST_TEXT: Final = 300
_KEEP_ALIVE: Final = 15.0
_STILL_HERE: Final = b": still here\n\n"
_MOST_LISTENING: Final = 30


@final
class Run:
    """One run, as far as it is. version: counts its changes, which the page follows."""

    def __init__(self, key: str, title: str, folder: Path, state: State = "waiting") -> None:
        self.key, self.title, self.folder, self.state = key, title, folder, state
        self.model = self.done = self.total = self.version = 0
        self.number: int | None = None
        self.typed = self.what = ""
        self.picture: str | None = None
        self.error: str | None = None
        self.inputs: tuple[File, ...] = ()
        self.arrays: list[File] | None = None

    def to_dict(self) -> dict[str, Any]:
        """How far it is, for the page."""
        return {
            "key": self.key, "title": self.title, "state": self.state, "typed": self.typed, "done": self.done,
            "total": self.total, "what": self.what, "picture": self.picture, "error": self.error, "model": self.model,
        }  # fmt: skip

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in {"done", "failed", "stopped"}


@final
class Runs:
    """All of them, those that lay on the disk before among them. Errors: Refused."""

    def __init__(self, folder: Path, worker: Worker | None, blobs: Blobs, earlier: Path | None = None) -> None:
        self.folder, self._worker, self._blobs = folder, worker, blobs
        self._all: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed, self._listeners = asyncio.Event(), 0
        for place in _earlier(earlier):
            self._add(place.name, place, state="done")

    def __iter__(self) -> Iterator[Run]:
        return iter(self._all.values())

    def at(self, key: object) -> Run:
        """The run of an id. Errors: Refused with 404."""
        found = self._all.get(key) if isinstance(key, str) else None
        if found is None:
            raise Refused(404, "there is no such run")
        return found

    async def start(self, path: Sequence[str], inputs: Sequence[File], options: Mapping[str, Any]) -> Run:
        """Begin a run, or put it behind the others. Errors: Refused with what the command line says against it."""
        if self._worker is None:
            raise Refused(409, "no model is open; start onnxray explore with one")
        if sum(not run.over for run in self) >= _MOST_WAITING:
            raise Refused(429, f"{_MOST_WAITING} runs are waiting; let some of them end")
        try:
            await self._worker.ask("prepared", path=list(path), **options)
        except Failed as error:
            raise Refused(400, str(error)) from None
        title = " ".join(path)
        place = self._free(f"{len(self._all) + 1}-{'-'.join(path)}")
        run = self._add(title, place)
        run.inputs, run.model = tuple(inputs), int(options.get("model", 0))
        number, future = self._worker.run(
            lambda told: self._told(run, told), folder=str(place), path=list(path), **options
        )
        run.number = number
        task = asyncio.create_task(self._follow(run, future))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return run

    def stop(self, key: object) -> Run:
        """Let a run end with what it has finished."""
        run = self.at(key)
        if not run.over and run.number is not None and self._worker is not None:
            self._worker.stop(run.number)
        return run

    async def events(self, only: Run | None = None) -> AsyncIterator[bytes]:
        """How far runs are, each time that changes, the latest alone: server-sent events.

        Of all runs of the page in one stream, for a browser has six connections; or of one until it is over.
        """
        seen: dict[str, int] = {}
        self._listeners += 1
        try:
            while True:
                changed = self._changed
                followed = [one for one in self if one.number is not None] if only is None else [only]
                for run in [one for one in followed if seen.get(one.key) != one.version]:
                    seen[run.key] = run.version
                    yield _event(run.to_dict())
                if only is not None and only.over:
                    return
                if not await _comes(changed):
                    yield _STILL_HERE
        finally:
            self._listeners -= 1

    def check_listeners(self) -> None:
        """Errors: Refused with 429 where too many listen to the runs."""
        if self._listeners >= _MOST_LISTENING:
            raise Refused(429, f"{_MOST_LISTENING} pages listen already; close some of them")

    def document(self, run: Run) -> dict[str, Any]:
        """What a run gave, for the page: numbers and pictures of its items. Errors: Refused where it gave nothing."""
        try:
            return self._document(run, stored_document(run.folder))
        except OnnxrayError as error:
            raise Refused(404, run.error or str(error)) from None
        except DAMAGED as error:
            raise Refused(404, f"the run's document is damaged ({type(error).__name__})") from None

    def _document(self, run: Run, document: Mapping[str, Any]) -> dict[str, Any]:
        names = self.files(run)
        index = {name: place for place, name in enumerate(names)}
        items = [_item(entry, index) for entry in document["items"][:_MOST_ITEMS] if isinstance(entry, dict)]
        beside = document.get("files", [])
        sheets = [index[name] for name in beside if isinstance(name, str) and name in index]
        method, model = document.get("method"), document.get("model")
        return {
            **run.to_dict(), "items": items, "count": len(document["items"]),
            "sheets": [{"role": _short(names[place]), "file": place} for place in sheets],
            "notes": [_short(note) for note in document.get("notes", [])][:50],
            "seconds": _plain(document.get("seconds")),
            "interrupted": bool(document.get("interrupted") or document.get("incomplete")),
            "method": _short(method.get("name")) if isinstance(method, dict) else "",
            "sha256": _short(model.get("sha256")) if isinstance(model, dict) else "",
            "model_name": _short(Path(str(model.get("path"))).name) if isinstance(model, dict) else "",
            "command": shlex.join(map(str, document.get("command", []))), "verified": _verified(document),
        }  # fmt: skip

    def arrays(self, run: Run) -> list[Path]:
        """The arrays that a run was made for, such as a universal perturbation; none of a damaged one."""
        try:
            items = [entry for entry in stored_document(run.folder)["items"] if isinstance(entry, dict)]
            names = [entry["files"].get("values") for entry in items if isinstance(entry.get("files"), dict)]
            return [own_file(run.folder, name) for name in names if str(name).endswith(".npy")]
        except (OnnxrayError, ValueError, *DAMAGED):
            return []

    def files(self, run: Run) -> list[str]:
        """The names of a run's pictures, in an order that stays."""
        try:
            inside = sorted(one.name for one in run.folder.iterdir() if one.suffix == ".png" and one.is_file())
        except OSError:
            return []
        return inside

    def picture(self, run: Run, place: int) -> Path:
        """One of a run's pictures. Errors: Refused with 404."""
        names = self.files(run)
        if not 0 <= place < len(names):
            raise Refused(404, "the run has no such picture")
        try:
            return own_file(run.folder, names[place])
        except ValueError as error:
            raise Refused(404, str(error)) from None

    def zipped(self, run: Run) -> IO[bytes]:
        """The run folder as a zip, and in it the files that were dropped on the page. Errors: Refused."""
        if not (run.folder / DOCUMENT).is_file():
            raise Refused(404, run.error or "the run has written nothing yet")
        inside = [one for one in sorted(run.folder.iterdir()) if one.is_file() and not one.is_symlink()]
        dropped = [one.path for one in run.inputs if one.dropped and one.path.is_file()]
        stream: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        try:  # files may be of times that a zip cannot state
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, strict_timestamps=False) as file:
                for place in dict.fromkeys([*inside, *dropped]):
                    file.write(place, terminal(f"{run.folder.name}/{place.name}"))
        except BaseException:
            stream.close()
            raise
        stream.seek(0)
        return stream

    def _add(self, title: str, folder: Path, state: State = "waiting") -> Run:
        if len(self._all) >= _MOST_RUNS:
            raise Refused(429, f"there are {_MOST_RUNS} runs already")
        run = Run(f"r{len(self._all) + 1}", _short(title), folder, state)
        self._all[run.key] = run
        return run

    def _free(self, name: str) -> Path:
        place, count = self.folder / name, 1
        while place.exists():
            count += 1
            place = self.folder / f"{name}-{count}"
        return place

    def _touch(self, run: Run) -> None:
        """Something has changed: whoever follows is woken."""
        run.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def _told(self, run: Run, told: Mapping[str, Any]) -> None:
        run.state = "running"
        if "png" in told:
            self._blobs.drop(run.picture)
            run.picture = self._blobs.put(told["png"])
        else:
            run.done, run.total, run.what = told["done"], told["total"], _short(told["what"])
        self._touch(run)

    async def _follow(self, run: Run, future: asyncio.Future[dict[str, Any]]) -> None:
        try:
            ended = await future
            run.typed = shlex.join(ended["typed"])
            run.state = "stopped" if ended["interrupted"] else "done"
        except Failed as error:
            run.state, run.error = "failed", str(error)
        self._touch(run)


def _verified(document: Mapping[str, Any]) -> dict[str, list[Any]] | None:
    """Value -> verdict and relative difference, of a run that verified them; None of any other."""
    method = document.get("method")
    if not isinstance(method, dict) or method.get("name") != "verify":
        return None
    rows = (entry for entry in document["items"] if isinstance(entry, dict))
    return {str(row.get("name")): [_short(row.get("verdict")), _plain(row.get("relative"))] for row in rows}


def _earlier(folder: Path | None) -> list[Path]:
    """Run folders of the command line: the folder itself, and those right in it."""
    if folder is None:
        return []
    places: Iterable[Path] = [folder, *sorted(one for one in folder.iterdir() if one.is_dir())]
    return [one for one in places if (one / DOCUMENT).is_file()][:_MOST_RUNS]


def _event(value: Mapping[str, Any]) -> bytes:
    import json

    return f"data: {json.dumps(value)}\n\n".encode()


def _item(entry: Mapping[str, Any], index: Mapping[str, int]) -> dict[str, Any]:
    """An item's numbers, and its pictures by their places."""
    own = {key: value for key, value in entry.items() if key not in {"files", "trace"}}
    files = entry.get("files")
    roles = [pair for pair in files.items() if isinstance(pair[1], str)] if isinstance(files, dict) else []
    numbers = [{"name": _short(name), "value": _plain(value)} for name, value in flat(own).items()]
    return {
        "numbers": numbers,
        "pictures": [
            {"role": _short(role), "file": index[name]} for role, name in roles if name in index
        ],
        "slides": isinstance(files, dict) and {"origin", "image"} <= files.keys(),
        "scale": _plain(own_scale(entry)), "lots": is_on_own_line(entry),
    }  # fmt: skip


def _plain(value: object) -> int | float | bool | str | None:
    """What stands in a document as the page may be told it: numbers that are none are words."""
    if isinstance(value, float) and not math.isfinite(value):
        return "not finite"
    return value if isinstance(value, int | float | bool | None) else _short(value)


def _short(text: object) -> str:
    whole = str(text)
    return terminal(whole if len(whole) <= _LONGEST_TEXT else f"{whole[: _LONGEST_TEXT - 1]}…")


async def _comes(changed: asyncio.Event) -> bool:
    """Whether something changes before a listener has to be told that the server is still there."""
    try:
        await asyncio.wait_for(changed.wait(), _KEEP_ALIVE)
    except TimeoutError:
        return False
    return True
