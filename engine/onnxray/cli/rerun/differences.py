"""Where two runs of one command differ: every number of their documents and every byte of their files, times apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final

from onnxray.errors.short_values import short
from onnxray.results.journal import is_plain_name
from onnxray.results.made_from import digest_of
from onnxray.results.saved_files import PAGE

_APART: Final = frozenset({"seconds", "command", "made_from", "versions", "machine", "files"})
"""What is no result: times, how it was called, where. Files are compared by their bytes."""
"""What shows where a result comes from, when and by which command."""
_ELSEWHERE: Final = ("versions", "machine")


@final
class Differences:
    """lines: what differs. elsewhere: versions and processor. files, items: how many were compared. untold: files that
    are not compared, and why.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.elsewhere: list[str] = []
        self.untold: list[str] = []
        self.files = 0
        self.items = 0


def differences(
    there: Mapping[str, Any], before: Path, here: Mapping[str, Any], now: Path, instead: Mapping[str, str]
) -> Differences:
    """Compare two documents and the files in their folders. instead: path as it was stated -> the one that was used."""
    found = Differences()
    for key in _ELSEWHERE:
        found.elsewhere += lines_of(there.get(key, {}), here.get(key, {}), key)
    _compare(found, there, before, _stated_again(here, instead), now, "")
    return found


def lines_of(there: Any, here: Any, name: str) -> Iterator[str]:
    """Every place in which two plain values differ: ``items[0].score: 1.0 there, 2.0 here``."""
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for key in dict.fromkeys([*there, *here]):
            place = f"{name}.{key}" if name else str(key)
            if key in _APART:
                continue
            if key not in there or key not in here:
                yield f"{place}: {'there' if key in there else 'here'} alone"
                continue
            yield from lines_of(there[key], here[key], place)
    elif isinstance(there, list) and isinstance(here, list):
        if len(there) != len(here):
            yield f"{name}: {len(there)} there, {len(here)} here"
        for number, (one, other) in enumerate(zip(there, here)):
            yield from lines_of(one, other, f"{name}[{number}]")
    elif "method.options." in name and (there == [here] or [there] == here):
        return  # one name, or a list of one: as it was written in Python
    elif there != here or type(there) is not type(here):
        yield f"{name}: {short(there)} there, {short(here)} here"


def _compare(
    found: Differences, there: Mapping[str, Any], before: Path, here: Mapping[str, Any], now: Path, name: str
) -> None:
    inner = "runs"  # whole runs in folders of their own, as the demo has them
    own, others = ({key: value for key, value in one.items() if key != inner} for one in (there, here))
    found.lines += lines_of(own, others, name.rstrip("."))
    found.lines += lines_of(_labels(there), _labels(here), f"{name}labels")
    items, again = _list(there.get("items")), _list(here.get("items"))
    found.items += len(items)
    timed = False
    for place, (one, other) in enumerate(zip(items, again)):
        timed = timed or "seconds" in _table(_table(one).get("figures"))
        old, new = _table(_table(one).get("files")), _table(_table(other).get("files"))
        for role in dict.fromkeys([*old, *new]):
            _file(found, old.get(role), before, new.get(role), now, f"{name}items[{place}].files.{role}")
    beside, besides = (_list(one.get("files")) for one in (there, here))
    # What was saved from Python has the sheets that its caller liked.
    drawn = besides if there.get("command") else []
    for file in dict.fromkeys(map(str, [*beside, *drawn])):
        one, other = (file if file in names else None for names in (beside, besides))
        if file == PAGE:  # which shows what stands in the document
            if one and other:
                found.untold.append(f"{file}: it states seconds and the command, so its bytes are not compared")
        elif one and other and timed:
            found.untold.append(f"{file}: seconds are drawn on it, so its bytes are not compared")
        else:
            _file(found, one, before, other, now, f"{name}files")
    runs, new_runs = _table(there.get(inner)), _table(here.get(inner))
    for run in dict.fromkeys([*runs, *new_runs]):
        if is_plain_name(run) and run in runs and run in new_runs:
            within = f"{name}{inner}.{run}."
            _compare(found, _table(runs[run]), before / run, _table(new_runs[run]), now / run, within)
        else:
            found.lines.append(f"{name}{inner}.{short(run)}: {'there' if run in runs else 'here'} alone")


def _file(found: Differences, one: Any, before: Path, other: Any, now: Path, place: str) -> None:
    """Compare a file by its bytes; names are a document's, and lead nowhere else."""
    if one is None or other is None:
        found.lines.append(f"{place}: {short(one or other)} {'here' if one is None else 'there'} alone")
        return
    if not isinstance(one, str) or not is_plain_name(one):
        found.lines.append(f"{place}: {short(one)} is the name of no file in the folder")
        return
    found.files += 1
    digest = digest_of(before / one) if (before / one).is_file() else None
    if digest is None:
        found.lines.append(f"{place}: {one} is not in {before} any more")
    elif digest != digest_of(now / str(other)):
        found.lines.append(f"{place}: the bytes of {one} differ")
    elif one != other:
        found.lines.append(f"{place}: {short(one)} there, {short(other)} here, of the same bytes")


def _stated_again(value: Any, instead: Mapping[str, str]) -> Any:
    """A document in which paths stand as they were stated."""
    if isinstance(value, dict):
        return {key: _stated_again(one, instead) for key, one in value.items()}
    if isinstance(value, list):
        return [_stated_again(one, instead) for one in value]
    if isinstance(value, str):
        for path, used in instead.items():
            value = value.replace(used, path)
    return value


def _labels(document: Mapping[str, Any]) -> Any:
    labels = _table(_table(document.get("made_from")).get("labels"))
    return {key: labels[key] for key in ("count", "sha256") if key in labels}


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
