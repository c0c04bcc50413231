"""Runs that are killed at random moments, what they leave, and whether a resumed one equals an undisturbed one."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import onnxray_models
from onnxray.assess.maps.item import CheckedItem
from onnxray.report.map_check_report import comparison_pictures
from onnxray.report.page.run_page import run_page
from onnxray.results.journal import JOURNAL, digest_of_file, read_journal
from onnxray.results.result import Result
from onnxray.results.run_folder import STAGING
from support.children import child

DIGITS = [str(path) for path in onnxray_models.samples("lenet")]
_CHUNKS = 700
"""Images of which the judge takes several chunks."""

_EARLY = 0.05
"""Share of the moments that fall into the start of the process."""

COMMANDS: dict[str, list[str]] = {
    "short": ["lots", "lenet", *DIGITS[::10], "--self", "inhibit", "--layer", "ip2"],
    "lots": ["lots", "lenet", *DIGITS[::5], "--self", "inhibit"],
    "saliency compare": [
        "saliency", "compare", "lenet", *DIGITS[::10], "--methods", "gradient,grad-cam,occlusion,rise",
        "--set", "rise.masks=200", "--curve-steps", "5",
    ],
    "invert": ["invert", "lenet", *DIGITS[:3], "--steps", "60", "--samples", "2"],
    "visualize maximize": [
        "visualize", "maximize", "lenet", "--steps", "60", "--together", "2",
        *(part for number in range(8) for part in ("--target", f"class:{number}")),
    ],
    "attack evaluate": [
        "attack", "evaluate", "lenet", *DIGITS[:80], "--norm", "l2", "--eps", "255,510", "--attacks", "fgsm",
        "--trust-images", "1",
    ],
    "values": ["values", "lenet", *(DIGITS * 8)[:_CHUNKS], "--value", "conv1", "--value", "conv2", "--value", "ip1"],
}  # fmt: skip


@dataclass
class Told:
    """What came of the runs of one command."""

    runs: int = 0
    finished: int = 0
    """Those that were done before the signal came."""
    empty: int = 0
    """Those that had finished nothing yet."""
    items: int = 0
    """Items that were there after the signal, all in all."""
    faults: list[str] = field(default_factory=list)


def killed(name: str, folder: Path, moments: Sequence[tuple[float, signal.Signals]]) -> Told:
    """Kill the command once at each moment, and go on with it each time.

    A moment is a share of the time from when the run's folder is there, in an undisturbed run, to its end; below 0.05 it
    falls before that, while the process starts.
    """
    command, whole = COMMANDS[name], folder / "undisturbed"
    process = child("-m", "onnxray", *command, "-o", whole)
    at_work = _wait(process, whole)
    begun = time.perf_counter()
    _, error = process.communicate()
    assert process.returncode == 0, error
    took = time.perf_counter() - begun
    told, expected = Told(), contents(whole)
    for number, (share, sent) in enumerate(moments):
        place = folder / f"killed-{number}"
        told.runs += 1
        early = share < _EARLY
        after = at_work * share / _EARLY if early else share * took
        for fault in _killed_once([*command, "-o", str(place)], place, early, after, sent, expected, told):
            told.faults.append(f"{name}, {sent.name} at {share:.3f}: {fault}")
    return told


def _wait(process: subprocess.Popen[str], place: Path) -> float:
    """Wait until the run has begun its folder, or has ended; seconds."""
    begun = time.perf_counter()
    while not (place / JOURNAL).exists() and process.poll() is None:
        time.sleep(0.005)
    return time.perf_counter() - begun


def _killed_once(
    command: list[str], place: Path, early: bool, after: float, sent: signal.Signals, expected: dict[str, Any],
    told: Told,
) -> Iterator[str]:  # fmt: skip
    process = child("-m", "onnxray", *command)
    if not early:
        _wait(process, place)
    try:
        process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(sent)
        process.communicate()
    if process.returncode == 0:
        told.finished += 1
    elif process.returncode not in ({-sent} if sent is signal.SIGKILL else {130, -sent}):
        yield f"status {process.returncode}"
    journal = read_journal(place / JOURNAL)
    kept = 0 if journal is None else len(journal.entries)
    told.items += kept
    told.empty += process.returncode != 0 and not kept
    try:
        document = json.loads((place / "result.json").read_bytes())
    except FileNotFoundError:
        if kept:
            yield f"{kept} items are in the journal, and no result.json"
    except ValueError as error:
        yield f"result.json is cut: {error}"
    else:
        if not document.get("incomplete") and contents(place, completed=True) != expected:
            yield "result.json says not that it is incomplete"
    for entry in () if journal is None else journal.entries:
        for file, digest in entry.files.items():
            if digest_of_file(place / file) != digest:
                yield f"{file} is not there as the journal says"
    if process.returncode == 0:
        return
    if (place / "result.json").exists() and not document.get("incomplete"):  # killed after its last word
        return
    status, error = _run([*command, "--resume"])
    if status:
        yield f"resumed: status {status}, {error}"
    elif contents(place) != expected:
        yield f"resumed: {_difference(contents(place), expected)}"


def contents(folder: Path, *, completed: bool = False) -> dict[str, Any]:
    """A run folder as it is compared: every file's digest, and the document without its times.

    completed: leave out what a run that was killed after its last word had still to clear away.
    """
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name == "result.json":
            found[name] = without_times(json.loads(path.read_bytes()))
        elif path.name in _says_seconds(folder):
            found[name] = _drawn_without_seconds(folder)[path.name]
        elif not completed or not (name == JOURNAL or name.startswith((STAGING, "part-"))):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    return found


def _says_seconds(folder: Path) -> Sequence[str]:
    """The files that state seconds."""
    if not (folder / "result.json").exists():
        return ()
    method = json.loads((folder / "result.json").read_bytes())["method"]["name"]
    return {"compare": ("sheet.png", "index.html"), "evaluate": ("index.html",)}.get(method, ())


def _drawn_without_seconds(folder: Path) -> dict[str, str]:
    """The sheet of a comparison and the pages of some runs state seconds; drawn again without them they are compared."""
    document = without_times(json.loads((folder / "result.json").read_bytes()))
    drawn = {"index.html": run_page(document, folder, document["files"])}
    if "sheet.png" in _says_seconds(folder):
        result = Result.load(folder, CheckedItem)
        items = tuple(replace(item, figures={**item.figures, "seconds": 0.0}) for item in result.items)
        drawn["sheet.png"] = comparison_pictures(replace(result, items=items))["sheet.png"]
    return {name: hashlib.sha256(data).hexdigest() for name, data in drawn.items()}


def without_times(value: Any) -> Any:
    """A document without seconds, and without the command, which says --resume."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in {"seconds", "command"}}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def _difference(found: dict[str, Any], expected: dict[str, Any]) -> str:
    names = [name for name in {**found, **expected} if found.get(name) != expected.get(name)]
    return f"{len(names)} files differ, the first is {names[0]}"


def _run(command: list[str]) -> tuple[int, str]:
    process = child("-m", "onnxray", *command)
    _, error = process.communicate()
    return process.returncode, error
