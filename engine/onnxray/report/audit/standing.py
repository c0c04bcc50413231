"""What a result of an audit comes to, in the words that every output shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from onnxray.assess.audit.document import OPEN

Standing = Literal["passed", "failed", "warned", "waived", "recorded", "not applicable"]
"""failed: it blocks; warned: it did not hold and blocks nothing, or it has a warning; waived: it would block."""


def standing(result: Mapping[str, Any]) -> Standing:
    """What one result comes to."""
    state, level = result["state"], result["level"]
    if state in {"fail", "error"}:
        if level != "block":
            return "warned"
        return "failed" if result["waiver"] is None else "waived"
    if state == "not applicable":
        return "not applicable"
    if any(finding["level"] == "warning" for finding in result["findings"]):
        return "warned"
    return "recorded" if state == "recorded" else "passed"


def blocking(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The results that block; of a model that cannot be opened that alone, for it is why all its others do."""
    found = [result for result in document["results"] if standing(result) == "failed"]
    closed = {result["model"] for result in found if result["name"] == OPEN and result["state"] == "error"}
    return [result for result in found if result["name"] == OPEN or result["model"] not in closed]


def reasons(result: Mapping[str, Any]) -> list[str]:
    """Why, in words: what did not hold, then warnings; of what holds, what was measured."""
    told = [*map(str, result["reasons"])]
    told += [one["message"] for one in result["findings"] if one["level"] == "warning" and one["message"] not in told]
    if result["waiver"] is not None:
        waiver = result["waiver"]
        told.append(f"waived until {waiver['until']} by {waiver['owner']}: {waiver['reason']}")
    return told


def headline(result: Mapping[str, Any]) -> str:
    """The figure that the first limit is for in words, else the first of all; "" where there is none."""
    figures, limits = result["figures"], result["limits"]
    meant = [one for one in figures if limits and one["name"] == limits[0]["figure"] and one["slice"] is None]
    return said((meant or figures)[0]) if figures else ""


def said(figure: Mapping[str, Any]) -> str:
    """A figure in words: name, value, interval, of how many."""
    part = "" if figure["slice"] is None else f" ({figure['slice']})"
    if figure["value"] is None:
        return f"{figure['name']}{part}: no value, {figure['reason'] or 'no reason is told'}"
    unit = "" if figure["unit"] in {"", "share"} or figure["name"].endswith(figure["unit"]) else f" {figure['unit']}"
    return f"{figure['name']}{part} {number(figure['value'])}{unit}{interval(figure)}"


def interval(figure: Mapping[str, Any]) -> str:
    """The interval and the count behind a value; "" where it is exact."""
    low, high = figure["low"], figure["high"]
    if low is not None and low == high == figure["value"]:
        return ""
    ends = "no interval" if low is None and high is None else f"{_end(low, 'none')} to {_end(high, 'none')}"
    return f" ({ends}, of {figure['count']})"


def number(value: float) -> str:
    """A number as people write it."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def results_by_model(document: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any], list[Mapping[str, Any]]]]:
    """(number, model, its results)."""
    own: dict[int, list[Mapping[str, Any]]] = {}
    for result in document["results"]:
        own.setdefault(result["model"], []).append(result)
    for place, model in enumerate(document["models"]):
        yield place, model, own.get(place, [])


def _end(value: float | None, missing: str) -> str:
    return missing if value is None else number(value)
