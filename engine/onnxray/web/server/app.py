"""The application: which paths there are, and what each answers.

GET  /, /*.js, /*.css            the page itself, which holds nothing of the model
POST /session                    the one-time token for a cookie
GET  /state                      models, files and runs
POST /ask/QUESTION               what is asked of a model; pictures by their ids
POST /files                      a picture, an array or a model that was dropped
GET  /blobs/ID                   a picture that was made for the page
POST /runs   GET, DELETE /runs/ID   GET /runs/ID/events, /runs/ID/zip, /runs/ID/files/NUMBER
GET  /runs/ID/picture            the picture of a run on its way, as it is now
GET  /events                     how far all runs are
POST /runs/ID/files/NUMBER       take that picture among the files
POST /tried, /along              what a run would give at once; along the change that one gave
POST /difference                 two pictures of runs, one minus the other
POST /ended                      end the process that works with the model
"""

from __future__ import annotations

import secrets
import urllib.parse
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import IO, Any, Final, final

import anyio.to_thread
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from onnxray.errors import OnnxrayError
from onnxray.web.server.answers import FAULTS, Answer, faulty, missing, refused
from onnxray.web.server.bodies import LARGEST_MODEL, LARGEST_PICTURE, Refused, read_body, read_question, save_body
from onnxray.web.server.differences import difference
from onnxray.web.server.guard import Guard, Key
from onnxray.web.server.questions import ASKED, OF_RUNS, OF_SLIDERS, check
from onnxray.web.server.runs import Run, Runs
from onnxray.web.server.store import ARRAY, PICTURE, Blobs, File, Files, Kind, kind_of, suffix_of, taken
from onnxray.web.server.worker import Failed, Worker

_KINDS: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_OF_PICTURES: Final = frozenset({"picture", "path"})
"""What a question states by the id of a picture."""
_MOST_ARRAYS: Final = 8
"""Arrays of one run that are offered to others."""
_PIECE: Final = 2**18


@final
class Site:
    """What the paths answer."""

    def __init__(self, *, worker: Worker | None, files: Files, runs: Runs, blobs: Blobs, models: tuple[str, ...]):
        self.worker, self.files, self.runs, self.blobs, self.models = worker, files, runs, blobs, models
        self.page = page_files()

    def application(self, key: Key, hosts: frozenset[str]) -> Starlette:
        """The application, with its guard in front."""

        async def session(request: Request) -> Response:
            text = b"" if key.token is None else await read_body(request, 512, patience=2, longest=5)
            cookie = key.exchange(text.decode("utf-8", "replace")) if text else None
            if cookie is None:
                raise Refused(403, "this address was opened before; start onnxray explore once more")
            answer = Answer({"session": True})
            answer.set_cookie(key.cookie, cookie, httponly=True, samesite="strict", path="/")
            return answer

        routes = [
            *(Route(path, self.static, methods=["GET"]) for path in self.page),
            Route("/session", session, methods=["POST"]), Route("/state", self.state, methods=["GET"]),
            Route("/ask/{question}", self.ask, methods=["POST"]), Route("/files", self.drop, methods=["POST"]),
            Route("/blobs/{key}", self.blob, methods=["GET"]), Route("/along", self.along, methods=["POST"]),
            Route("/tried", self.try_, methods=["POST"]),
            Route("/runs", self.start, methods=["POST"]), Route("/runs/{key}", self.run, methods=["GET"]),
            Route("/runs/{key}", self.stop, methods=["DELETE"]), Route("/difference", self.differ, methods=["POST"]),
            Route("/runs/{key}/events", self.events, methods=["GET"]), Route("/ended", self.end, methods=["POST"]),
            Route("/runs/{key}/zip", self.zip, methods=["GET"]), Route("/events", self.every_event, methods=["GET"]),
            Route("/runs/{key}/picture", self.now, methods=["GET"]),
            Route("/runs/{key}/files/{place}", self.file, methods=["GET"]),
            Route("/runs/{key}/files/{place}", self.take, methods=["POST"]),
        ]  # fmt: skip
        guard = Middleware(Guard, hosts=hosts, key=key, open_paths=frozenset({*self.page, "/session"}))
        handlers: dict[Any, Any] = {Refused: refused, Failed: refused, 404: missing, 405: missing}
        handlers.update(dict.fromkeys(FAULTS, faulty))
        application = Starlette(routes=routes, middleware=[guard], exception_handlers=handlers)
        application.router.redirect_slashes = False  # which would be made of ``request.url``
        return application

    async def static(self, request: Request) -> Response:
        """A file of the page."""
        data, kind = self.page[request.scope["path"]]
        return Response(data, media_type=kind)

    async def state(self, _: Request) -> Response:
        """What there is: models by their names, files, runs."""
        return Answer({
            "models": list(self.models), "files": [one.to_dict() for one in self.files],
            "runs": [one.to_dict() for one in self.runs],
        })  # fmt: skip

    async def ask(self, request: Request) -> Response:
        """A question about a model."""
        name, stated = request.path_params["question"], await read_question(request)
        if name not in ASKED:
            raise Refused(404, "there is no such question")
        check(stated, ASKED[name])
        options = {
            key: str(self.files.at(value, PICTURE, ARRAY).path) if key in _OF_PICTURES and value is not None else value
            for key, value in stated.items()
        }
        return Answer(self.blobs.shown(await self._worker().ask(name, **options)))

    async def drop(self, request: Request) -> Response:
        """Take a file that was dropped; it is read before it is taken."""
        label = urllib.parse.unquote(request.headers.get("x-label", "")) or "picture"
        folder = self.runs.folder / "dropped"
        await anyio.to_thread.run_sync(lambda: folder.mkdir(parents=True, exist_ok=True))
        place = folder / f".{secrets.token_urlsafe(12)}"
        try:
            await save_body(request, place, LARGEST_MODEL if label.lower().endswith(".onnx") else LARGEST_PICTURE)
            with place.open("rb") as begun:
                suffix = suffix_of(begun.read(16), label)
            place = taken(place, folder, suffix)
            await self._worker().ask("upload", path=str(place))
            file = self.files.add(place, label, kind_of(place), dropped=True)
        except Failed as error:
            place.unlink(missing_ok=True)
            raise Refused(415, str(error)) from None
        except BaseException:
            place.unlink(missing_ok=True)
            raise
        return Answer(file.to_dict(), 201)

    async def blob(self, request: Request) -> Response:
        """Bytes that were made for the page."""
        return Response(self.blobs.get(request.path_params["key"]), media_type="image/png")

    async def now(self, request: Request) -> Response:
        """The picture of a run on its way as it is now, whichever was told of: a slow browser is shown the latest."""
        run = self.runs.at(request.path_params["key"])
        return Response(self.blobs.get(run.picture or ""), media_type="image/png")

    async def start(self, request: Request) -> Response:
        """Begin a run."""
        path, inputs, stated = self._stated(await read_question(request))
        run = await self.runs.start(path, inputs, stated)
        return Answer(run.to_dict(), 201)

    async def try_(self, request: Request) -> Response:
        """What a run would give of one picture, at once and into no folder."""
        asked = await read_question(request)
        scale = asked.pop("scale", 0)
        check({"scale": scale}, OF_SLIDERS)
        path, _, stated = self._stated(asked)
        answer = await self._worker().ask("tried", path=path, scale=scale, **stated)
        return Answer(self.blobs.shown(answer))

    async def run(self, request: Request) -> Response:
        """What a run gave."""
        run = self.runs.at(request.path_params["key"])
        document = await anyio.to_thread.run_sync(self.runs.document, run)
        return Answer({**document, "files": [one.to_dict() for one in self._given_by(run)]})

    async def take(self, request: Request) -> Response:
        """Take a picture of a run among the files."""
        run, path = self._picture_at(request)
        file = self.files.add(path, f"{run.key} {run.title}: {path.stem}", PICTURE, dropped=True)
        return Answer(file.to_dict(), 201)

    async def stop(self, request: Request) -> Response:
        """Let a run end with what it has finished."""
        return Answer(self.runs.stop(request.path_params["key"]).to_dict())

    async def events(self, request: Request) -> Response:
        """How far a run is, as it goes on."""
        run = self.runs.at(request.path_params["key"])
        self.runs.check_listeners()
        return StreamingResponse(self.runs.events(run), media_type="text/event-stream")

    async def every_event(self, _: Request) -> Response:
        """How far all runs are, as they go on."""
        self.runs.check_listeners()
        return StreamingResponse(self.runs.events(), media_type="text/event-stream")

    async def zip(self, request: Request) -> Response:
        """A run folder as a zip."""
        run = self.runs.at(request.path_params["key"])
        stream = await anyio.to_thread.run_sync(self.runs.zipped, run)
        named = {"content-disposition": f'attachment; filename="onnxray-{run.key}.zip"'}
        return StreamingResponse(
            _pieces(stream), media_type="application/zip", headers=named, background=BackgroundTask(stream.close)
        )

    async def file(self, request: Request) -> Response:
        """A picture of a run."""
        _, path = self._picture_at(request)
        return FileResponse(path, media_type="image/png")

    async def along(self, request: Request) -> Response:
        """A picture along the change of an item, and what the judge says of it."""
        stated = await read_question(request)
        check(stated, OF_SLIDERS)
        run = self.runs.at(stated.pop("run", None))
        answer = await self._worker().ask("along", folder=str(run.folder), model=run.model, **stated)
        return Answer(self.blobs.shown(answer))

    async def differ(self, request: Request) -> Response:
        """Two pictures of runs, the second minus the first."""
        stated = await read_question(request)
        places: list[Path] = []
        for one in (stated.get("first"), stated.get("second")):
            if not isinstance(one, list) or len(one) != 2 or not isinstance(one[1], int):
                raise Refused(400, "two pictures of runs are stated, each by its run and place")
            places.append(self.runs.picture(self.runs.at(one[0]), one[1]))
        try:
            answer = await anyio.to_thread.run_sync(lambda: difference(*places))
        except OnnxrayError as error:
            raise Refused(400, str(error)) from None
        return Answer(self.blobs.shown(answer))

    async def end(self, _: Request) -> Response:
        """End the process that works with the model, whatever it does."""
        await self._worker().ended()
        return Answer({"ended": True})

    def _worker(self) -> Worker:
        if self.worker is None:
            raise Refused(409, "no model is open; start onnxray explore with one")
        return self.worker

    def _stated(self, stated: dict[str, Any]) -> tuple[list[str], list[File], dict[str, Any]]:
        """The command, the files and the options of a run, its files by their paths in place of ids."""
        path = stated.pop("path", None)
        if not isinstance(path, list) or not 0 < len(path) < 4 or not all(isinstance(word, str) for word in path):
            raise Refused(400, "a run states the path of its command")
        pictures, targets = (self._files(stated.pop(name, []), PICTURE, ARRAY) for name in ("pictures", "targets"))
        named = stated.pop("files", {})
        if not isinstance(named, dict):
            raise Refused(400, "files are stated by the options that take them")
        check(stated, OF_RUNS)
        chosen = {name: self._files(keys) for name, keys in named.items()}
        files = {name: [(one.kind, str(one.path)) for one in group] for name, group in chosen.items()}
        inputs = [*pictures, *targets, *(one for group in chosen.values() for one in group)]
        of_pictures = {"pictures": [str(one.path) for one in pictures], "targets": [str(one.path) for one in targets]}
        return path, inputs, {**stated, **of_pictures, "files": files}

    def _given_by(self, run: Run) -> list[File]:
        """The arrays of a finished run which others are made of; taken among the files when they are first seen."""
        if run.over and run.arrays is None:
            found = self.runs.arrays(run)[:_MOST_ARRAYS]
            named = [(path, f"{run.key} {run.title}: {path.name}") for path in found]
            run.arrays = [self.files.add(path, label, ARRAY, dropped=True, made=True) for path, label in named]
        return run.arrays or []

    def _picture_at(self, request: Request) -> tuple[Run, Path]:
        """The run and the picture of it that a path names."""
        run, place = self.runs.at(request.path_params["key"]), request.path_params["place"]
        return run, self.runs.picture(run, int(place) if place.isdecimal() and len(place) < 10 else -1)

    def _files(self, keys: object, *kinds: Kind) -> list[File]:
        if not isinstance(keys, list):
            raise Refused(400, "files are stated as a list of their ids")
        return [self.files.at(key, *kinds) for key in keys]


def page_files() -> dict[str, tuple[bytes, str]]:
    """Path -> bytes and kind, of every file of the page."""
    folder = resources.files("onnxray.web") / "page"
    placed = {f"/{one.name}": one for one in folder.iterdir()}
    placed |= {f"/style/{one.name}": one for one in (folder / "style").iterdir()}
    found = {
        path: (one.read_bytes(), _KINDS[Path(one.name).suffix])
        for path, one in placed.items()
        if Path(one.name).suffix in _KINDS
    }
    return {**found, "/": found["/index.html"]}


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(_PIECE):
        yield piece
