"""What the commands share: options, errors as one line, the run folder, the JSON document."""

from __future__ import annotations

import codecs
import functools
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from onnxray.cli.consoles import line, text
from onnxray.cli.memory import memory_ran_out
from onnxray.cli.stopping import stoppable
from onnxray.errors import OnnxrayError
from onnxray.shown_text import json_text, one_line, terminal

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
ApproximateOption = Annotated[
    bool,
    typer.Option(
        "--approximate",
        help="Give gradients also where this processor saturates u8 x s8 products, so that they cannot be checked.",
    ),
]
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


def guarded(command: F) -> F:
    """An error of ours is one line on standard error and status 1; an interruption is status 130.

    So is memory that ran out, and a warning of a library is one line too.
    """

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            with stoppable(), warnings.catch_warnings():
                warnings.showwarning = _show_warning
                command(*args, **kwargs)
        except typer.Exit:
            raise
        except KeyboardInterrupt:
            print("onnxray: interrupted", file=sys.stderr)
            raise typer.Exit(130) from None
        except Exception as error:
            told = memory_ran_out(error) or error
            if not isinstance(told, OnnxrayError):
                raise
            print(f"onnxray: {told}", file=sys.stderr)
            raise typer.Exit(1) from None

    return run  # type: ignore[return-value]


def _show_warning(message: Warning | str, category: type[Warning], *_place: Any, **_more: Any) -> None:
    print(one_line(f"onnxray: {category.__name__}: {message}"), file=sys.stderr)


def open_model(model: str, profile: str | None, device: str, strict: bool, *, approximate: bool = False) -> Model:
    """Open a model, and say where its profile was guessed."""
    import onnxray

    opened = onnxray.open(model, profile, device=device, strict=strict, approximate=approximate)
    if opened.profile is not None and opened.profile.assumed:
        reasons = "; ".join(opened.profile.reasons)
        name = f"assumed profile {opened.profile.name}"
        text.print(line((name, "yellow"), f": {reasons}. State it with --profile."))
    return opened


def document(model: Model, name: str, items: Sequence[Mapping[str, Any]], **extra: Any) -> dict[str, Any]:
    """The document of a command that makes no pictures; the same keys as a Result's."""
    from onnxray.results import Result

    for note in model.notes:
        text.print(note)
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
    text.print(f"written to {folder}")


def print_json(found: Mapping[str, Any]) -> None:
    """The one document, on standard output."""
    print(json_text(found, ascii=codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8"))


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


@contextmanager
def progress_bar() -> Iterator[Tick]:
    """A bar on standard error; quiet where that is no terminal."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=text, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)

        def tick(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=terminal(what, _LONGEST_TASK))

        yield tick


_LONGEST_TASK = 200
_STARTED = time.perf_counter()
