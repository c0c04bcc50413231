"""What differs between two audits: models that came, went or were exchanged, results whose state or figures moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from onnxray.assess.audit.baseline import matched
from onnxray.report.audit.standing import results_by_model


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Plain for JSON. Of a result: its state, level and waiver before and now, and each figure that moved."""
    paths = [str(model["path"]) for model in new["models"]]
    before = [str(model["path"]) for model in old["models"]]
    pairs = matched(before, paths)
    was, now = ({place: results for place, _, results in results_by_model(audit)} for audit in (old, new))
    models, results = list[dict[str, Any]](), list[dict[str, Any]]()
    for number, path in enumerate(paths):
        place = pairs.get(path)
        if place is None:
            models.append({"path": path, "change": "added"})
            continue
        if old["models"][place]["sha256"] != new["models"][number]["sha256"]:
            models.append({"path": path, "change": "another file"})
        results += _results(path, _named(was[place]), _named(now[number]))
    kept = set(pairs.values())
    models += [{"path": path, "change": "left out"} for place, path in enumerate(before) if place not in kept]
    same = {
        "policy": old["policy"]["sha256"] == new["policy"]["sha256"],
        "images": old["images"]["sha256"] == new["images"]["sha256"], "seed": old["seed"] == new["seed"],
        "versions": old["versions"] == new["versions"],
    }  # fmt: skip
    return {"passed": {"old": old["passed"], "new": new["passed"]}, "same": same, "models": models, "results": results}


def _named(results: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {str(one["name"]): one for one in results}


def _results(
    path: str, old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys([*new, *old]):
        was, now = old.get(name), new.get(name)
        states = {"old": None if was is None else was["state"], "new": None if now is None else now["state"]}
        moved = list(_figures(was, now)) if was is not None and now is not None else []
        if states["old"] != states["new"] or moved:
            waived = bool(now and now["waiver"])
            yield {
                "model": path, "check": name, "state": states, "waived": waived, "figures": moved,
                "reasons": list(now["reasons"]) if now is not None else [],
            }  # fmt: skip


def _figures(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    old = {(one["name"], one["slice"]): one["value"] for one in was["figures"]}
    fresh = {(one["name"], one["slice"]): one for one in now["figures"]}
    for key in dict.fromkeys([*fresh, *old]):
        before, figure = old.get(key), fresh.get(key)
        value = None if figure is None else figure["value"]
        if before != value:
            better = None if figure is None else figure["better"]
            yield {"figure": key[0], "slice": key[1], "old": before, "new": value, "better": better}
