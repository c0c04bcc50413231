"""onnxray explore: a page in the browser to look into a model with."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from onnxray.cli.parts.document import command_line, default_folder, print_json
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.memory_limit import check_limits_memory, read_size
from onnxray.cli.parts.shared_options import Opening, with_shared_options
from onnxray.cli.terminal.notes import note
from onnxray.errors import InputError

if TYPE_CHECKING:
    from onnxray.web.server.guard import Key

_NEEDED: Final = ("starlette", "uvicorn")
_PATIENCE: Final = 20.0
"""Seconds that a run which is on its way may take to keep what it has, at the end."""


@limited
@with_shared_options
def explore(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="An .onnx file, or a bundled model: lenet. Needed but for --results."),
    ] = None,
    images: Annotated[
        list[str] | None, typer.Argument(metavar="[IMAGE...]", help="Images, or folders of them, to begin with.")
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option("--beside", metavar="MODEL", help="A further model to compare with; repeatable."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="DIR", help="Show the run folders of the command line that lie in DIR."),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0: any that is free.")] = 0,
    host: Annotated[
        str,
        typer.Option("--host", help="Address to listen on; one that other machines reach needs --i-know as well."),
    ] = "127.0.0.1",
    known: Annotated[
        bool,
        typer.Option(
            "--i-know", help="Other machines may reach the page, unencrypted, and whoever reads along may use it."
        ),
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            min=0.1,
            rich_help_panel="Limits",
            help="End what a question of the page asks of the model after so long; runs have a button for that.",
        ),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(
            "--memory",
            metavar="SIZE",
            parser=read_size,
            rich_help_panel="Limits",
            help="The most memory that the process which works with the model may take (4GB, 500MB, 2GiB; address "
            "space, of which libraries alone take 1 to 3 GB).",
        ),
    ] = None,
    *,
    shared: Opening,
) -> None:
    """Look into a model on a page in the browser: graph, values, maps, LOTS and attacks under the mouse.

    The page is served to this machine alone, by an address that is good for one browser, and asks nothing of the
    network. What is run on it lies in onnxray-out/, as the command line would have left it. Ctrl-C ends it.

    Examples: onnxray explore lenet four.png; onnxray explore net.onnx photos/ --no-browser;
    onnxray explore --results onnxray-out
    """
    _refuse_without_the_extra()
    _check(model, images, results)
    if memory is not None:
        check_limits_memory()
    from onnxray.web.server.app import Site
    from onnxray.web.server.guard import Key, hosts_of, is_loopback
    from onnxray.web.server.runs import Runs
    from onnxray.web.server.serving import address_of, bound, serve
    from onnxray.web.server.store import Blobs, Files
    from onnxray.web.server.worker import Worker

    number_of_host = address_of(host)
    if not is_loopback(number_of_host) and not known:
        raise InputError(f"--host {host} can be reached from other machines, unencrypted; state --i-know as well")
    sources = () if model is None else (model, *(beside or ()))
    worker = Worker(sources, shared, timeout=timeout, memory=memory) if sources else None
    blobs = Blobs()
    runs = Runs(shared.out or default_folder("explore"), worker, blobs, results)
    files = Files(_there(images or []), sources)
    listening = bound(number_of_host, port)
    try:
        number = int(listening.getsockname()[1])
        key = Key(number)
        names = tuple(Path(source).name for source in sources)
        site = Site(worker=worker, files=files, runs=runs, blobs=blobs, models=names)
        address = f"http://{f'[{number_of_host}]' if ':' in number_of_host else number_of_host}:{number}/"
        hosts = hosts_of(number_of_host, number) | hosts_of(host, number)

        def ready() -> None:
            if worker is not None:
                worker.start()
            _tell(address, key, runs.folder, json=shared.json, browser=browser)

        with contextlib.suppress(KeyboardInterrupt):  # which is how it ends
            serve(site.application(key, hosts), listening, ready)
        if worker is not None and worker.runs:
            note("the run on its way ends with what it has; Ctrl-C once more gives it up")
            with contextlib.suppress(KeyboardInterrupt):
                worker.finish(_PATIENCE)
    finally:
        listening.close()
        if worker is not None:
            worker.end()
    note("ended")


def _tell(address: str, key: Key, folder: Path, *, json: bool, browser: bool) -> None:
    whole = f"{address}#{key.token}"
    if json:
        print_json({"schema": 1, "command": command_line(), "address": whole, "folder": str(folder)})
    else:
        print(whole)
        note("good for one browser; Ctrl-C ends it")
    sys.stdout.flush()  # whoever reads it from a pipe waits for it
    if browser:  # beside the server, for a browser in the terminal is waited for, and waits for the page
        threading.Thread(target=_open, args=(whole,), daemon=True).start()


def _open(whole: str) -> None:
    if not webbrowser.open(whole):
        note("no browser could be opened; open the address")


def _refuse_without_the_extra() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"explore needs {' and '.join(missing)}: pip install 'onnxray[web]'")


def _check(model: str | None, images: Any, results: Path | None) -> None:
    if model is None and (results is None or images):
        raise InputError("no model was given; name one, or a folder of results: --results DIR")
    if results is not None and not results.is_dir():
        raise InputError(f"{results} is no folder; --results takes one that holds run folders")


def _there(images: list[str]) -> list[str]:
    for image in images:
        if not Path(image).exists():
            raise InputError(f"{image}: no such file")
    return images
