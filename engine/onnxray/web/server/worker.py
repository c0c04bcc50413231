"""The process that models are worked with in, as the server speaks with it (``web/work/process.py``).

It is started as soon as the server listens and, where a native library ended it, with the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, final

from onnxray.assess.jobs.children import environment_of_children
from onnxray.cli.parts.shared_options import Opening
from onnxray.web.work import beginning

Told = Callable[[dict[str, Any]], None]

_MOST_WAITING: Final = 200
ENDED = "the process that works with the model was ended; what was opened is opened anew"
_CRASHED = "a native library ended the process that works with the model; the file is damaged, or needs more memory"


class Failed(Exception):
    """What was asked cannot be had; the text is one line for the page."""


@final
class Worker:
    """Questions and runs, answered by another process. All methods are the event loop's.

    timeout: seconds that a question may take. memory: bytes of address space that the process may.
    """

    def __init__(
        self, sources: tuple[str, ...], how: Opening, *, timeout: float | None = None, memory: int | None = None
    ) -> None:
        self._arguments, self._timeout = (sources, how, memory), timeout
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[asyncio.Future[dict[str, Any]], Told | None]] = {}
        self._opened: dict[int, tuple[str, Mapping[str, str | None]]] = {}
        self._messages: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._process: Any = None
        self._pipe: Any = None
        self._ended_by_us = False

    def start(self) -> None:
        """Start the process where it is not there, as a question does; ahead of the first one it is ready sooner."""
        if self._process is not None:
            return
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, *self._arguments, dict(self._opened))
        self._process = context.Process(target=beginning.work, args=arguments, daemon=True)
        with environment_of_children():
            self._process.start()
        theirs.close()
        self._ended_by_us = False
        loop = asyncio.get_running_loop()
        self._messages = queue.SimpleQueue()
        threading.Thread(target=_hand_over, args=(self._pipe, self._messages), daemon=True).start()
        threading.Thread(target=self._hear, args=(self._pipe, loop), daemon=True).start()

    async def ask(self, name: str, **options: Any) -> dict[str, Any]:
        """The answer to a question. Errors: Failed, also where it takes longer than a question may."""
        if len(self._waiting) >= _MOST_WAITING:
            raise Failed(f"{_MOST_WAITING} questions are waiting for the model; let some of them be answered")
        number, future = self._begin(None)
        self._send("ask", number, name, options)
        try:
            answer = await asyncio.wait_for(future, self._timeout)
            self._remember(name, answer, **options)
            return answer
        except TimeoutError:
            await self.ended()
            raise Failed(
                f"this was not answered within {self._timeout:g} s, so it was ended; give it longer with --timeout"
            ) from None

    def run(self, told: Told, **options: Any) -> tuple[int, asyncio.Future[dict[str, Any]]]:
        """A run, which is told of as it goes on: its number, and what is given at its end. Errors: Failed, then."""
        number, future = self._begin(told)
        self._send("run", number, options)
        return number, future

    def stop(self, number: int) -> None:
        """Let a run end as Ctrl-C does: what is finished is kept."""
        if self._process is not None:
            self._send("stop", number)

    @property
    def runs(self) -> list[int]:
        """The numbers of the runs that are on their way, or wait."""
        return [number for number, (_, told) in self._waiting.items() if told is not None]

    def finish(self, patience: float) -> None:
        """Let runs end as Ctrl-C does, and the process with them, where that takes no more seconds than this."""
        for number in self.runs:
            self.stop(number)
        self._send("finish", 0)
        if self._process is not None:
            self._process.join(patience)

    def end(self) -> None:
        """End the process, whatever it does."""
        process, self._ended_by_us = self._process, True
        if process is not None:
            process.kill()
            process.join(10)

    async def ended(self) -> None:
        """The same without keeping others waiting; what was asked is told so."""
        pipe = self._pipe
        await asyncio.to_thread(self.end)
        self._lost(pipe)

    def _begin(self, told: Told | None) -> tuple[int, asyncio.Future[dict[str, Any]]]:
        self.start()
        number = next(self._numbers)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future, told
        return number, future

    def _send(self, *message: Any) -> None:
        self._messages.put(message)

    def _remember(self, name: str, answer: Mapping[str, Any], *, model: int = 0, **options: Any) -> None:
        """What a further process has to know: of which content a file was opened, and how it was to be read."""
        if name in {"model", "profile"}:
            sha256, fields = self._opened.get(model, (answer["sha256"], {}))
            self._opened[model] = sha256, {**fields, **options.get("fields", {})}

    def _hear(self, pipe: Any, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of its own: hand on what the process says, until it says no more."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            with contextlib.suppress(EOFError, OSError):
                while True:
                    loop.call_soon_threadsafe(self._heard, *pipe.recv())
            loop.call_soon_threadsafe(self._lost, pipe)

    def _heard(self, kind: str, number: int, what: Any) -> None:
        future, told = self._waiting.get(number, (None, None))
        if future is None or future.done():
            return
        if kind == "told":
            if told is not None:
                told(what)
            return
        del self._waiting[number]
        if kind == "answer":
            future.set_result(what)
        else:
            future.set_exception(Failed(what))

    def _lost(self, pipe: Any) -> None:
        if pipe is not self._pipe or self._process is None:
            return
        self._process.kill()  # it may be about to end, and must not be asked again
        self._process = self._pipe = None
        self._messages.put(None)
        waiting, self._waiting = self._waiting, {}
        for future, _ in waiting.values():
            if not future.done():
                future.set_exception(Failed(ENDED if self._ended_by_us else _CRASHED))


def _hand_over(pipe: Any, messages: queue.SimpleQueue[tuple[Any, ...] | None]) -> None:
    """In a thread of its own, for a process that hears nothing must not keep the server from ending it."""
    with contextlib.suppress(OSError):  # it is gone, which the thread that hears it is about to say
        while (message := messages.get()) is not None:
            pipe.send(message)
