"""A commented policy of one's own, written from what a first audit measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from onnxray.assess.audit.catalogue import check_class
from onnxray.assess.audit.document import OPEN
from onnxray.errors.shown_text import is_unicode, terminal, toml_string

_HEAD = """# A policy for `onnxray audit`, written from a first run by `onnxray audit init`.
# Every limit below is what that run reached, rounded to the loose side: read each, and set what your release needs.
# A limit is met by the bound of the confidence interval, so more pictures make it easier to meet, never luck.
policy = 1
name = "my-policy"

[scope]
# models = ["release/*.onnx"]
# images = "validation/"
# labels = "validation/labels.csv"      # or "folders"
seed = SEED
# profile = "required"                  # a preprocessing that was only guessed fails the audit

[defaults]
level = "block"                         # block | warn | record
confidence = 0.95
min_images = LEAST                      # figures of fewer pictures fail
# sequential = true                     # stop measuring once every limit is cleared, or one is broken
"""
_TAIL = """
# [baseline]                            # what max_drop and max_drop_relative are measured against
# report = "audits/last/audit.json"

# [[waiver]]                            # somebody answers for a failure, until a day
# model = "release/legacy.onnx"
# check = "accuracy"
# reason = "retired 2027-01"
# owner = "j.doe"
# until = 2027-01-31
"""


def suggested_policy(document: Mapping[str, Any]) -> str:
    """The text of a policy that this audit would have met, where its checks can be judged at all."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for result in document["results"]:
        if result["name"] != OPEN:
            by_name.setdefault(str(result["name"]), []).append(result)
    counts = [result["images"] for results in by_name.values() for result in results if result["images"]]
    head = _HEAD.replace("SEED", str(int(document["seed"]))).replace("LEAST", str(min(counts, default=1)))
    parts = [head]
    parts += [_check(name, results, document) for name, results in by_name.items()]
    return "\n".join(parts) + _TAIL


def _check(name: str, results: Sequence[Mapping[str, Any]], document: Mapping[str, Any]) -> str:
    first = results[0]
    told = dict(first["options"])
    missing = [f'# {key} = "..."' for key in check_class(first["check"]).files if told.get(key) is None]
    lines = [f"[[check]]                               # {terminal(str(first['title']), 100)}"]
    lines.append(f"use = {toml_string(str(first['check']))}")
    if name != first["check"]:
        lines.append(f"name = {toml_string(name)}")
    figure = _figure(results)
    limit = [] if missing else _limit(results, figure)
    if limit and figure is not None and figure != _first(results):
        lines.append(f"figure = {toml_string(figure)}")
    lines += limit
    judged = first["level"] != "record"
    if not limit and not judged:
        lines.append('level = "record"')
    lines += _of_some(results, document)
    counts = [int(result["images"]) for result in results if result["images"]]
    if counts:
        least = min(counts)
        all_of_them = least >= document["images"]["count"] or check_class(first["check"]).chunk < 1
        sign = "# " if all_of_them else ""
        lines.append(f"{f'{sign}images = {least}':<37} # at most so many pictures, drawn by the seed")
    if any(figure["slice"] for figure in first["figures"]):
        lines.append('# slices = { by = "class", min = 0.5, min_images = 20 }')
    usual = check_class(first["check"])().options()
    for key, value in sorted(told.items()):
        said = toml_value(_path_of(value, document) if isinstance(value, Mapping) else value)
        if said is not None:
            lines.append(f"{'# ' if value == usual.get(key) else ''}{key} = {said}")
    lines += missing
    return "\n".join(lines) + "\n"


def _of_some(results: Sequence[Mapping[str, Any]], document: Mapping[str, Any]) -> list[str]:
    """The models that the check says something of, where of others it says nothing: for these no limit can be met."""
    meant = [document["models"][result["model"]] for result in results if result["state"] != "not applicable"]
    if len(meant) in (0, len(results)):
        return []
    each = (model["path"] if is_unicode(model["path"]) else f"sha256:{model['sha256']}" for model in meant)
    return [f"models = [{', '.join(map(toml_string, each))}]"]


def _first(results: Sequence[Mapping[str, Any]]) -> str | None:
    return next((str(result["figures"][0]["name"]) for result in results if result["figures"]), None)


def _figure(results: Sequence[Mapping[str, Any]]) -> str | None:
    """The figure that the run's own limits were for, else the check's first."""
    limited = (str(result["limits"][0]["figure"]) for result in results if result["figures"] and result["limits"])
    return next(limited, _first(results))


def _path_of(identity: Mapping[str, Any], document: Mapping[str, Any]) -> str | None:
    """The file of an identity, where it is one of the audited models."""
    own = (model["path"] for model in document["models"] if model["sha256"] == identity.get("sha256"))
    return next(own, None)


def _limit(results: Sequence[Mapping[str, Any]], name: str | None) -> list[str]:
    """A limit on a figure that all models met, loose by two digits; none where there is no such figure."""
    heads = [
        figure for result in results for figure in result["figures"]
        if figure["name"] == name and figure["slice"] is None
    ]  # fmt: skip
    if not heads or heads[0]["better"] is None:
        return []
    up = heads[0]["better"] == "higher"
    bounds = [figure["low" if up else "high"] for figure in heads]
    if any(bound is None for bound in bounds):
        return []
    worst = min(bounds) if up else max(bounds)
    step = 10.0 ** (math.floor(math.log10(abs(worst))) - 1) if worst else 1.0
    rounded = (math.floor(worst / step) if up else math.ceil(worst / step)) * step
    missed = len(results) - len(heads)
    said = f"{heads[0]['name']}: the worst model's bound was {worst:.6g}" + (f"; {missed} had none" if missed else "")
    return [f"{'min' if up else 'max'} = {rounded:<33.4g} # {terminal(said, 90)}"]


def toml_value(value: Any) -> str | None:
    """A value as TOML has it; None for what it has no word for."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return toml_string(value) if isinstance(value, str) else None
