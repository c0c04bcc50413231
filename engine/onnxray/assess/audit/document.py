"""audit.json: what an audit found, plain; every other output is made of it. Its schema: ``audit.schema.json`` beside.

Everything in it but ``run`` is the same however often and by whom the audit is run, interrupted and gone on with.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from onnxray.assess.audit.baseline import SCHEMA
from onnxray.assess.audit.check import Figure, Finding
from onnxray.assess.audit.jobs import Reading
from onnxray.assess.audit.pictures import digest_of
from onnxray.assess.audit.policy import Policy, Use, Waiver, names_model
from onnxray.assess.audit.verdicts import State
from onnxray.assess.audit.work import params_of
from onnxray.results.file_names import plain_name, stem_named

OPEN = "open"
"""The result that every model has: whether it can be opened, and by a profile that the policy takes."""
_SHOWN = 5


def opened_result(number: int, facts: Mapping[str, Any] | None, failure: str | None, policy: Policy) -> dict[str, Any]:
    """The result of opening a model."""
    reasons = [] if failure is None else [failure]
    if facts is not None and facts["assumed"] and policy.scope.profile == "required":
        reasons.append("its profile is assumed, and the policy requires one that is stated")
    state: State = "error" if failure is not None else "fail" if reasons else "pass"
    return _result(number, OPEN, OPEN, 1, {}, "", "block", state, reasons, key="")


def unmeasured_result(
    number: int, use: Use, seed: int, reason: str, *, state: State = "error", missing: int = 0, meant: bool = True
) -> dict[str, Any]:
    """The result of a check that there are no figures of. state: error, or not applicable. meant: the model is one of
    those that the policy states the check for."""
    required = meant and state == "not applicable" and bool(use.limits) and use.level != "record"
    reasons = [reason, *(["a figure that the policy limits is missing"] if required else [])]
    return _of_use(number, use, seed, "fail" if required else state, reasons, missing=missing)


def measured_result(
    number: int, use: Use, seed: int, reading: Reading, place: int
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The result of a check that was measured, and its pictures by file name."""
    outcome = reading.outcome
    assert outcome is not None
    reasons = [f"{_of(one.figure, one.slice)}: {one.reason}" for one in reading.judged if not one.met]
    reasons += [finding.message for finding in outcome.findings if finding.level == "error"]
    state: State = "recorded" if use.level == "record" else "fail" if reasons else "pass"
    files = {
        f"{plain_name(stem_named(use.name, place, PurePath(name).stem))}.png": data for name, data in outcome.pictures
    }
    notes = list(outcome.notes)
    if reading.unreadable:
        whole = len(reading.unreadable) + len(reading.pictures)
        notes.append(f"{len(reading.unreadable)} of {whole} pictures cannot be read and are left out")
        notes += [f"{picture.path}: {why}" for picture, why in reading.unreadable[:_SHOWN]]
    if len(reading.machines) > 1:
        notes.append(f"rows of {len(reading.machines)} machines or versions stand together")
    result = _of_use(
        number, use, seed, state, reasons,
        figures=[_figure(one) for one in outcome.figures], limits=[one.to_dict() for one in reading.judged],
        findings=[_finding(one) for one in outcome.findings], notes=notes, files=sorted(files),
        images=len(reading.pictures), unreadable=len(reading.unreadable), confidence=reading.confidence,
        pictures_sha256=digest_of(reading.pictures), key=reading.key, machines=list(reading.machines),
    )  # fmt: skip
    return result, files


def audit_document(
    *, policy: Policy, models: Sequence[Mapping[str, Any]], results: Sequence[dict[str, Any]],
    images: Mapping[str, Any], seed: int, today: datetime.date, run: Mapping[str, Any], versions: Mapping[str, str],
) -> dict[str, Any]:  # fmt: skip
    """The whole."""
    waivers = [_waiver(waiver, policy.folder, models, results, today) for waiver in policy.waivers]
    blocking = [
        one
        for one in results
        if one["level"] == "block" and one["state"] in {"fail", "error"} and one["waiver"] is None
    ]
    states = [str(one["state"]) for one in results]
    return {
        "schema": SCHEMA, "kind": "audit", "passed": not blocking,
        "policy": {
            "name": policy.name, "sha256": policy.sha256, "source": policy.source,
            "baseline": None if policy.baseline is None else str(policy.baseline),
        },
        "images": dict(images), "seed": seed, "versions": dict(versions), "models": list(models),
        "results": list(results), "waivers": waivers,
        "counts": {
            **{state: states.count(state) for state in ("pass", "fail", "error", "not applicable", "recorded")},
            "blocking": len(blocking), "waived": sum(one["waiver"] is not None for one in results),
        },
        "run": dict(run),
    }  # fmt: skip


def _waiver(
    waiver: Waiver, folder: Path, models: Sequence[Mapping[str, Any]], results: Sequence[dict[str, Any]],
    today: datetime.date,
) -> dict[str, Any]:  # fmt: skip
    """A waiver and what became of it; results that it excuses say so."""
    told = {
        "model": waiver.model, "check": waiver.check, "reason": waiver.reason, "owner": waiver.owner,
        "until": waiver.until.isoformat(),
    }  # fmt: skip
    fits = {
        number
        for number, model in enumerate(models)
        if names_model(waiver.model, folder, str(model["path"]), model["sha256"])
    }
    meant = [one for one in results if one["model"] in fits and one["name"] == waiver.check]
    failed = [one for one in meant if one["state"] in {"fail", "error"}]
    ended = today > waiver.until
    for result in failed:
        if ended:
            result["reasons"].append(f"its waiver by {waiver.owner} ended on {waiver.until.isoformat()}")
        else:
            result["waiver"] = told
    state = "ended" if ended else "in force" if failed else "not needed" if meant else "of no model"
    return {**told, "state": state}


def _of_use(number: int, use: Use, seed: int, state: State, reasons: Sequence[str], **more: Any) -> dict[str, Any]:
    return _result(
        number, use.name, use.check.name, use.check.version, use.check.options(), params_of(use.check, seed), use.level,
        state, reasons, title=use.check.title, **more,
    )  # fmt: skip


def _result(
    model: int, name: str, check: str, version: int, options: Mapping[str, Any], params: str, level: str, state: State,
    reasons: Sequence[str], **more: Any,
) -> dict[str, Any]:  # fmt: skip
    return {
        "model": model, "name": name, "check": check, "version": version, "options": dict(options), "params": params,
        "level": level, "state": state, "reasons": list(reasons), "waiver": None, "title": "the file can be opened",
        "figures": [], "limits": [], "findings": [], "notes": [], "files": [], "images": 0, "unreadable": 0,
        "missing": 0, "confidence": None, "pictures_sha256": None, "key": None, "machines": [], **more,
    }  # fmt: skip


def _of(figure: str, part: str | None) -> str:
    return figure if part is None else f"{figure} ({part})"


def _figure(figure: Figure) -> dict[str, Any]:
    """Plain; a number that is none is None, with the reason."""
    value, low, high = (
        None if one is None or not math.isfinite(one) else one for one in (figure.value, figure.low, figure.high)
    )
    reason = figure.reason if value is not None or figure.reason else "it is not finite"
    return {
        "name": figure.name, "value": value, "low": low, "high": high, "count": figure.count, "unit": figure.unit,
        "better": figure.better, "slice": figure.slice, "reason": reason,
    }  # fmt: skip


def _finding(finding: Finding) -> dict[str, Any]:
    return {"level": finding.level, "message": finding.message, "node": finding.node, "value": finding.value}
