"""What the commands share: options, errors as one line, the run folder, the JSON document."""

from __future__ import annotations

import functools
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from onnxray.cli.stopping import stoppable
from onnxray.errors import OnnxrayError

if TYPE_CHECKING:
    from onnxray.method import Progress as Tick
    from onnxray.model import Model
    from onnxray.results import Provenance

F = TypeVar("F", bound=Callable[..., None])

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="An .onnx file, or a bundled model: lenet.")]
ImagesArgument = Annotated[
    list[str], typer.Argument(metavar="IMAGE...", help="Image files, or folders of images.", show_default=False)
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME|FILE.toml",
        help="How pixels become the model's input: caffe-imagenet, vgg-face, torchvision, timm-half, tensorflow, unit, "
        "raw, lenet, or a TOML file. Found beside the model or in it where not given; guessed at last, which is said.",
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", metavar="cpu|cuda", help="Where both engines run.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Refuse a profile that was only guessed.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else there.")
]
OutOption = Annotated[
    Path | None,
    typer.Option("-o", "--out", metavar="DIR", help="Folder for pictures and result.json.", show_default=False),
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="With -o DIR: go on with this same run, which was stopped or killed in DIR; what is finished there is "
        "taken over. A folder that is empty or not there yet begins one.",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of whatever is random.")]

text = Console(stderr=True, highlight=False, soft_wrap=True)
"""Notes and progress: standard error."""


def guarded(command: F) -> F:
    """An error of ours is one line on standard error and status 1; an interruption is status 130."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            with stoppable():
                command(*args, **kwargs)
        except OnnxrayError as error:
            print(f"onnxray: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            print("onnxray: interrupted", file=sys.stderr)
            raise typer.Exit(130) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's last flush stays quiet
            raise typer.Exit(0) from None

    return run  # type: ignore[return-value]


def open_model(model: str, profile: str | None, device: str, strict: bool) -> Model:
    """Open a model, and say where its profile was guessed."""
    import onnxray

    opened = onnxray.open(model, profile, device=device, strict=strict)
    if opened.profile is not None and opened.profile.assumed:
        reasons = "; ".join(opened.profile.reasons)
        text.print(f"[yellow]assumed profile {opened.profile.name}[/]: {plain(reasons)}. State it with --profile.")
    return opened


def document(model: Model, name: str, items: Sequence[Mapping[str, Any]], **extra: Any) -> dict[str, Any]:
    """The document of a command that makes no pictures; the same keys as a Result's."""
    from onnxray.results import Result

    found = Result(provenance_of(model, name), (), None, extra).to_dict()
    return {**found, "command": command_line(), "items": list(items)}


def provenance_of(model: Model, name: str) -> Provenance:
    """What such a command ran on."""
    from onnxray.results import provenance

    seconds = round(time.perf_counter() - _STARTED, 3)
    return provenance(model, name=name, options={}, seed=0, seconds=seconds, notes=())


def write_document(found: Mapping[str, Any], folder: Path | None, files: Mapping[str, bytes] | None = None) -> None:
    """Write result.json (and ``files``) where a folder was asked for."""
    if folder is None:
        return
    from onnxray.results import write_folder

    write_folder(folder, found, dict(files or {}))
    text.print(f"written to {plain(str(folder))}")


def print_json(found: Mapping[str, Any]) -> None:
    """The one document, on standard output."""
    print(json.dumps(found, indent=1, allow_nan=False, ensure_ascii=False))


def table_console() -> Console:
    """Where tables go: standard output; as wide as they need where that is no terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def run_folder(out: Path | None, name: str) -> Path:
    """The folder of a run: the one asked for, or a new ``onnxray-out/<time>-<command>``, which no other run gets."""
    from onnxray.run_folder import new_folder, told

    if out is not None:
        return out
    with told(default_folder(name)):
        return new_folder(default_folder(name))


def default_folder(name: str) -> Path:
    """Where a run goes by default: a number is appended where that is taken."""
    return Path("onnxray-out") / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"


def command_line() -> list[str]:
    """The command as it was typed."""
    return ["onnxray", *sys.argv[1:]]


def plain(text: str) -> str:
    """Text from a model or a path, safe to show: no control characters, and no markup for rich."""
    from rich.markup import escape

    return escape(re.sub(r"[\x00-\x1f\x7f-\x9f]", "�", text))


@contextmanager
def progress_bar() -> Iterator[Tick]:
    """A bar on standard error; quiet where that is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=text, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)

        def tick(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=plain(what))

        yield tick


_STARTED = time.perf_counter()
