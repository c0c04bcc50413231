"""The one JSON document of a command, and the folder that it goes to."""

from __future__ import annotations

import codecs
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from onnxray.cli.terminal.notes import note as say
from onnxray.errors.shown_text import json_text

if TYPE_CHECKING:
    from onnxray.model.model import Model
    from onnxray.results.provenance import Provenance


@dataclass(frozen=True)
class Work:
    """A command without a method, at work on an opened model: what its document says of it.

    seconds, here as in a method's run: from the images being read to the last item, by the wall clock. What starts an
    engine is in it, what opens the file and draws sheets is not; a run that was gone on with counts all its parts.
    """

    model: Model
    name: str
    options: Mapping[str, Any]
    kept: bool = True
    """Whether the document is written or printed, and says what it was made from, which takes reading that."""
    started: float = field(default_factory=time.perf_counter)

    def provenance(self, earlier: float = 0.0) -> Provenance:
        """What the command runs on. earlier: seconds of the parts before this one."""
        from onnxray.results.provenance import provenance

        seconds = round(time.perf_counter() - self.started + earlier, 3)
        return provenance(self.model, name=self.name, options=self.options, seed=0, seconds=seconds, notes=())

    def say_notes(self) -> None:
        """Say what every result of the model says of the processor and of a copy that is judged."""
        for note in self.model.notes:
            say(note)

    def document(
        self,
        items: Sequence[Mapping[str, Any]],
        extra: Mapping[str, Any] | None = None,
        *,
        interrupted: bool = False,
        earlier: float = 0.0,
    ) -> dict[str, Any]:
        """The document, with the keys of a Result's. extra: what stands beside the items."""
        from onnxray.results.result import Result

        self.say_notes()
        made = made_from_this(self.model) if self.kept else {}
        stamp = replace(
            self.provenance(earlier), command=tuple(command_line()), interrupted=interrupted, made_from=made
        )
        return {**Result(stamp, (), None, extra or {}).to_dict(), "items": list(items)}


def write_document(document: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
    """Write result.json and its page where a folder was asked for. Gives the document as it was written."""
    if folder is None:
        return dict(document)
    from onnxray.results.saved_files import with_files, write_folder

    files = with_page(document, folder, {})
    written = with_files(document, files)
    write_folder(folder, written, files)
    say(f"written to {folder}")
    return written


def with_page(document: Mapping[str, Any], folder: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Files of a run with the page that shows its items. folder: where those of the items lie."""
    from onnxray.report.page.run_page import run_page
    from onnxray.results.saved_files import PAGE, plain_values

    return {**files, PAGE: run_page(plain_values(document), folder, files)}


def print_json(document: Mapping[str, Any]) -> None:
    """The one document, on standard output."""
    print(json_text(document, ascii=codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8"))


def run_folder(out: Path | None, name: str) -> Path:
    """The folder of a run: the one asked for, or a new ``onnxray-out/<time>-<command>``, which no other run gets."""
    from onnxray.results.run_folder import new_folder, told

    if out is not None:
        return out
    with told(default_folder(name)):
        return new_folder(default_folder(name))


def default_folder(name: str) -> Path:
    """Where a run goes by default: a number is appended where that is taken."""
    return Path("onnxray-out") / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"


_STATED: ContextVar[tuple[str, ...]] = ContextVar("stated", default=())
_NO_COMMAND: tuple[tuple[str, ...], Mapping[str, Any]] = (), MappingProxyType({})
_CALLED: ContextVar[tuple[tuple[str, ...], Mapping[str, Any]]] = ContextVar("called", default=_NO_COMMAND)
_OF_THE_RUN = frozenset({"out", "overwrite", "resume", "json"})
"""Options that say where a result goes and how it is told, which it does not depend on."""


@contextmanager
def called(path: Sequence[str], options: Mapping[str, Any], stated: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Within it the command is known that runs, as documents state it.

    path: what is typed behind ``onnxray``. options: by their parameters' names. stated: those that were stated
    elsewhere, which the command line then has as if they had been typed.
    """
    before = _STATED.set(tuple(text for options in stated.values() for text in options))
    above = _CALLED.set((tuple(path), options))
    try:
        yield
    finally:
        _CALLED.reset(above)
        _STATED.reset(before)


def made_from_this(model: Model) -> dict[str, Any]:
    """What a document of the command that runs says it was made from; nothing where none runs."""
    from onnxray.results.made_from import Call, made_from

    path, options = _CALLED.get()
    if not path:
        return {}
    own = {name: value for name, value in options.items() if name not in _OF_THE_RUN}
    return made_from(Call(command=path, options=own), model)


def command_line() -> list[str]:
    """The command as it was typed, and behind it what was stated elsewhere."""
    return ["onnxray", *sys.argv[1:], *_STATED.get()]
