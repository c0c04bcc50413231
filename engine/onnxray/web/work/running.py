"""A method run from the page: the command that would be typed, called with the model that is open here.

What is run is what is shown: options are read by the parser of the command line, and the run folder is the command's.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import typer

from onnxray.arrays import Image8
from onnxray.cli.parts.command_frame import progress_told
from onnxray.cli.parts.document import called
from onnxray.cli.parts.limits import registered
from onnxray.cli.parts.shared_options import holding
from onnxray.cli.rerun.command import Command, read_options
from onnxray.cli.terminal.notes import told_as
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.drawing.mosaic import mosaic
from onnxray.images.files import png_bytes
from onnxray.images.profile.families import FAMILIES
from onnxray.notebooks.glimpses import looking_on
from onnxray.web.work.bench import Bench
from onnxray.web.work.file_options import CHOSEN_PROFILES, SETTINGS, check_settings, shown, stated_files
from onnxray.web.work.forms import Offered, field_names, file_names, method_at

Tell = Callable[[dict[str, Any]], None]

_VERIFY: Final = ("verify",)
_LIKE: Final = "like:FILE names a file, which the page takes by choosing a picture"
_EVERY: Final = 0.4
"""Seconds between two pictures of a run on its way."""
_OFTEN: Final = 0.1
_SHOWN: Final = 9


def prepared(bench: Bench, **stated: Any) -> dict[str, Any]:
    """The command line of a run, read by its own parser. stated: as for ``command_of``.

    Errors: InputError, OutputError where the command does not take it.
    """
    return {"typed": with_folder(command_of(bench, **stated).typed, None)}


def run(bench: Bench, tell: Tell, *, folder: str, **stated: Any) -> dict[str, Any]:
    """Run it into a folder; ``tell`` is told how far it is and shown pictures on their way. Errors: of the command.

    stated: as for ``command_of``. An interruption keeps what is finished, as it does on a terminal.
    """
    command = command_of(bench, **stated)
    typed = with_folder(command.typed, folder)
    values = {**command.values, "out": Path(folder), "json": True, "overwrite": False}
    work = cast(Any, command.function).__wrapped__  # the command, whose errors are raised and not printed
    with ExitStack() as stack:
        stack.enter_context(_command_line(typed))
        stack.enter_context(told_as(quiet=True, verbose=False))
        stack.enter_context(called(command.path, values, {}))
        stack.enter_context(holding(bench.held))
        stack.enter_context(progress_told(_often(tell)))
        stack.enter_context(looking_on(_seldom(tell)))
        nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123
        stack.enter_context(redirect_stdout(nowhere))
        if "resume" in command.function.__annotations__:
            values["resume"] = False
        try:
            work(**values)
        except typer.Exit as done:  # status 1 is an answer, as verify gives it
            return {"typed": typed, "interrupted": done.exit_code == 130}
    return {"typed": typed, "interrupted": False}


def with_folder(typed: Sequence[str], folder: str | None) -> list[str]:
    """A command line with its folder, and without the dashes before its arguments where none of them needs those."""
    at = typed.index("--") if "--" in typed else len(typed)
    before, behind = list(typed[:at]), list(typed[at + 1 :])
    dashes = ["--"] if any(word.startswith("-") for word in behind) else []
    return [*before, *(() if folder is None else ("-o", folder)), *dashes, *behind]


def command_of(
    bench: Bench, *, path: Sequence[str], model: int = 0, pictures: Sequence[str] = (), targets: Sequence[str] = (),
    options: Mapping[str, Any] | None = None, files: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    target: str | None = None, seed: int = 0,
) -> Command:  # fmt: skip
    """The command of a run. pictures, targets, files (kind and path of each): what the page knows by ids.

    Errors: InputError, OutputError where the page does not offer it or the command does not take it.
    """
    desk = bench.desk(model)
    stated: dict[str, Any] = {"model": desk.source, **desk.typed()}
    if tuple(path) == _VERIFY:
        return read_options(_VERIFY, registered(_VERIFY), {**stated, "images": list(pictures)})
    one = method_at(path)
    if not pictures and one.method.needs_images and not files:
        raise InputError(f"{one.method.name} works on a picture; choose one first")
    own = _options(one, options or {}, files or {})
    beside = own.pop("models", [])
    stated |= {**own, **({"seed": seed} if seed else {}), **_goal(one, target, targets)}
    stated[one.images] = [*beside, *pictures]
    return read_options(one.path, registered(one.path), {key: value for key, value in stated.items() if value != []})


def _options(
    one: Offered, options: Mapping[str, Any], files: Mapping[str, Sequence[tuple[str, str]]]
) -> dict[str, Any]:  # fmt: skip
    """Options as they are typed, those that name files by the files that were chosen. Errors: InputError."""
    allowed, chosen = field_names(one), file_names(one)
    for name in (*options, *files):
        if name not in allowed:
            raise InputError(f"{one.method.name} has no option {short(name)} on the page")
    for name in files:
        if name not in chosen:
            raise InputError(f"{shown(name)} of {one.method.name} names no file")
    found = {name: _text(value) for name, value in options.items() if value not in (None, "") and name not in chosen}
    for name, value in found.items():
        texts = value if isinstance(value, list) else [str(value)]
        if any("like:" in text for text in texts):
            raise InputError(_LIKE)
        if name in SETTINGS:
            check_settings(texts)
        if name in CHOSEN_PROFILES and value not in FAMILIES:
            raise InputError(f"{shown(name)} is {short(value)}; expected one of {', '.join(FAMILIES)}")
    for name in {*options, *files} & chosen:
        kinds, paths = zip(*files[name]) if files.get(name) else ((), ())
        found[name] = stated_files(name, kinds, paths, str(options.get(name) or ""))
    return found


def _goal(one: Offered, target: str | None, targets: Sequence[str]) -> dict[str, Any]:
    """Where a method is told what to reach: a picture where it takes one, or an embedding is compared with one's."""
    text = (target or "").strip()
    if one.target == "picture":
        if text in {"inhibit", "magnify"}:
            return {"own": text}
        return {"target": list(targets)}
    if not one.target:
        return {}
    if "like:" in text:
        raise InputError(_LIKE)
    if targets and text and text[0] not in "<>@":
        raise InputError(f"target is {short(text)}, and like a picture; state one of them, or a comparison: > 0.3")
    words = f"like:{targets[0]}{text if text.startswith('@') else f' {text}' if text else ''}" if targets else text
    return {"target": [words] if one.target == "texts" else words} if words else {}


def _text(value: Any) -> Any:
    """A field of a form as it is typed."""
    if isinstance(value, list):
        return [str(part) for part in value]
    return value if isinstance(value, bool) else str(value)


@contextmanager
def _command_line(typed: Sequence[str]) -> Iterator[None]:
    """Within it documents state this command line as theirs."""
    before = sys.argv
    sys.argv = list(typed)
    try:
        yield
    finally:
        sys.argv = before


def _often(tell: Tell) -> Callable[[int, int, str], None]:
    last = 0.0

    def tick(done: int, total: int, what: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _OFTEN or done == total:
            last = now
            tell({"done": done, "total": total, "what": short(what).strip("'")})

    return tick


def _seldom(tell: Tell) -> Callable[[Callable[[], Image8]], None]:
    last = 0.0

    def look(make: Callable[[], Image8]) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _EVERY:
            return
        pictures = make()[:_SHOWN]
        tell({"png": png_bytes(pictures[0] if len(pictures) == 1 else mosaic(np.asarray(pictures)))})
        last = time.monotonic()

    return look
