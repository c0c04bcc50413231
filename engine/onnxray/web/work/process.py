"""The process that models are worked with in: it answers questions beside the one run that is on its way.

Messages to it      ("ask", number, name, options)   ("run", number, options)   ("stop", number)   ("finish", 0)
Messages of it      ("answer", number, value)   ("error", number, text)   ("told", number, what)

The main thread runs, so that an interruption reaches it; a second one answers, a third hears, and a fourth speaks: what
it says is not broken off by an interruption. A hostile file that ends the process by a fault of a native library ends
this one alone.
"""

from __future__ import annotations

import _thread
import contextlib
import queue
import signal
import threading
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.connection import Connection
from types import MappingProxyType
from typing import Any, Final

from onnxray.assess.jobs.children import end_with_the_parent
from onnxray.cli.parts.memory_limit import limit_memory
from onnxray.cli.parts.shared_options import Opening
from onnxray.errors import OnnxrayError
from onnxray.errors.shown_text import one_line
from onnxray.web.work import facts, pictures, values
from onnxray.web.work.bench import Before, Bench

QUESTIONS: Final[Mapping[str, Callable[..., dict[str, Any]]]] = MappingProxyType({
    "model": facts.model_facts, "profile": facts.profile_restated, "graph": facts.graph_drawn, "way": facts.way,
    "search": facts.searched, "node": facts.node_facts, "upload": pictures.check_upload, "own": pictures.own_picture,
    "seen": pictures.picture_seen, "value": values.value_shown, "cell": values.cell_shown,
})  # fmt: skip
"""What can be asked, by its name."""
_DRAWS: Final = frozenset({"graph", "seen"})


def work_for(
    parent: Connection, sources: tuple[str, ...], how: Opening, memory: int | None, before: Mapping[int, Before]
) -> None:
    """Work until the parent is gone, as ``beginning.work`` says."""
    end_with_the_parent()
    if memory is not None:
        limit_memory(memory)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal, which is the server's to hear
    warnings.simplefilter("ignore")
    Worker(parent, Bench(sources, how, before), warm=memory is None).go()


def answering(name: str) -> Callable[..., dict[str, Any]]:
    """What answers a question; those that need every method there is import them when they are first asked."""
    if name in QUESTIONS:
        return QUESTIONS[name]
    from onnxray.web.work import along, forms, running, trying

    of_methods: dict[str, Callable[..., dict[str, Any]]] = {
        "forms": forms.forms, "prepared": running.prepared, "along": along.along, "tried": trying.tried
    }  # fmt: skip
    return of_methods[name]


class Worker:
    """The four threads and what they share. warm: import what is needed soon when the page is drawn."""

    def __init__(self, parent: Connection, bench: Bench, *, warm: bool = False) -> None:
        self.bench, self._parent, self._warm = bench, parent, warm
        self._said: queue.SimpleQueue[tuple[str, int, Any]] = queue.SimpleQueue()
        self._asked: queue.SimpleQueue[tuple[int, str, dict[str, Any]]] = queue.SimpleQueue()
        self._runs: queue.SimpleQueue[tuple[int, dict[str, Any]] | None] = queue.SimpleQueue()
        self._running: int | None = None
        self._tried = 0
        self._stopped: set[int] = set()
        self._changing = threading.Lock()

    def go(self) -> None:
        """Run what is to be run, until there is nobody to hear of it."""
        for thread in (self._hear, self._answer, self._speak):
            threading.Thread(target=thread, daemon=True).start()
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # of a run that was over by then
                task = self._runs.get()
                if task is None:
                    return
                self._run(*task)

    def _hear(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                kind, number, *rest = self._parent.recv()
                if kind == "ask":
                    if rest[0] == "tried":
                        self._tried = number
                    self._asked.put((number, rest[0], rest[1]))
                elif kind == "run":
                    self._runs.put((number, rest[0]))
                elif kind == "stop":
                    self._stop(number)
                elif kind == "finish":
                    break
        self._runs.put(None)

    def _stop(self, number: int) -> None:
        with self._changing:
            self._stopped.add(number)
            if self._running == number:
                _thread.interrupt_main()

    def _answer(self) -> None:
        while True:
            number, name, options = self._asked.get()
            if name == "tried":
                options["stale"] = partial(self._is_stale, number)
            self._say(number, lambda: answering(name)(self.bench, **options))  # noqa: B023
            if self._warm and name in _DRAWS and self._asked.empty():
                self._warm = False
                threading.Thread(target=self._import_what_is_needed_soon, daemon=True).start()

    def _import_what_is_needed_soon(self) -> None:
        """While the page is being looked at: the forms of all methods, and torch."""
        answering("forms")(self.bench)
        from onnxray.engines import twin  # noqa: F401

    def _is_stale(self, number: int) -> bool:
        """Whether something else is tried by now."""
        return self._tried != number

    def _run(self, number: int, options: dict[str, Any]) -> None:
        def go() -> dict[str, Any]:
            from onnxray.web.work.running import run  # not interrupted in the middle

            try:
                with self._changing:
                    if number in self._stopped:
                        return {"typed": [], "interrupted": True}
                    signal.signal(signal.SIGINT, signal.default_int_handler)
                    self._running = number
                return run(self.bench, lambda what: self._send("told", number, what), **options)
            finally:
                with self._changing:
                    self._running = None
                    signal.signal(signal.SIGINT, signal.SIG_IGN)

        self._say(number, go)

    def _say(self, number: int, answer: Callable[[], dict[str, Any]]) -> None:
        """Send an answer, or what is wrong, in one line."""
        try:
            self._send("answer", number, answer())
        except KeyboardInterrupt:
            self._send("error", number, "stopped before anything was finished")
        except OnnxrayError as error:
            self._send("error", number, str(error))
        except MemoryError:
            self._send("error", number, "there is not enough memory for this")
        except Exception as error:  # a fault of ours, or options of no such question
            self._send("error", number, one_line(f"{type(error).__name__}: {error}"))

    def _send(self, kind: str, number: int, what: Any) -> None:
        self._said.put((kind, number, what))

    def _speak(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._parent.send(self._said.get())
