"""report.html: an audit as an auditor reads it, in one file: the verdict, what blocks, then model after model.

Every text goes through ``html_text``; see whole_page.py for what a browser may do with it. There is no script.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final

from onnxray.errors.shown_text import html_text
from onnxray.report.audit.page_check import check_part, shown_standing
from onnxray.report.audit.standing import Standing, blocking, number, reasons, results_by_model, standing
from onnxray.report.page.whole_page import whole_page

NAME: Final = "report.html"
_GLYPHS: Final[Mapping[Standing, str]] = MappingProxyType({
    "passed": "\u2713", "failed": "\u2717", "warned": "!", "waived": "w", "recorded": "\u00b7",
    "not applicable": "\u2013",
})  # fmt: skip
_MOST_BLOCKING: Final = 100
_ANNEX: Final = (
    ("2(e)", "technical measures for interpreting outputs", "verify, saliency-sanity"),
    ("2(g)", "metrics of accuracy and robustness", "accuracy, robustness, corruptions, invariance, layer-stability"),
    ("2(g)", "test data and their characteristics", "pictures and classes above, near-duplicates"),
    ("2(g)", "test reports, dated and signed", "attestation.json, which is to be signed"),
    ("2(h)", "cybersecurity measures", "file, robustness, sha256 of every file"),
)


def report_page(document: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """The page. files: the PNG files that results name, by their names."""
    parts = [
        *_head(document), *_blocking(document), *_matrix(document),
        *(line for place, model, own in results_by_model(document) for line in _model(place, model, own, files)),
        *_waivers(document), *_made_by(document), *_annex(),
    ]  # fmt: skip
    verdict = "passed" if document["passed"] else "not passed"
    title = f"Model audit, {verdict}: {document['policy']['name']}"
    return whole_page(title, parts, styles=("base.css", "audit.css"))


def _head(document: Mapping[str, Any]) -> Iterator[str]:
    passed, policy, images = document["passed"], document["policy"], document["images"]
    badge = '<span class="badge passed">passed</span>' if passed else '<span class="badge failed">not passed</span>'
    yield f"<h1>Model audit {badge}</h1>"
    counts = document["counts"]
    labels = "no labels" if images["labels"] is None else f"{images['classes']} classes, labels: {images['labels']}"
    yield from _facts({
        "policy": f"{policy['name']} ({policy['source']}), sha256 {policy['sha256']}",
        "baseline": policy["baseline"],
        "models": len(document["models"]),
        "results": f"{len(document['results'])}: {counts['blocking']} block, {counts['waived']} waived",
        "pictures": f"{images['count']} in {', '.join(map(str, images['places'])) or 'no folder'}; {labels}; "
        f"sha256 {images['sha256']}",
        "measured": f"{document['run']['started']}, seed {document['seed']}",
    })  # fmt: skip


def _blocking(document: Mapping[str, Any]) -> Iterator[str]:
    found = blocking(document)
    if not found:
        return
    yield "<h2>What blocks</h2><ul>"
    for result in found[:_MOST_BLOCKING]:
        path = document["models"][result["model"]]["path"]
        place = f'<a href="#{_anchor(result)}">{html_text(path)}, {html_text(result["name"])}</a>'
        yield f"<li>{place}: {html_text('; '.join(reasons(result)))}</li>"
    yield f"</ul><p>and {len(found) - _MOST_BLOCKING} more</p>" if len(found) > _MOST_BLOCKING else "</ul>"


def _matrix(document: Mapping[str, Any]) -> Iterator[str]:
    """Models by checks, a sign each."""
    names = list(dict.fromkeys(result["name"] for result in document["results"]))
    yield '<h2>Models and checks</h2><div class="scroll"><table class="matrix"><thead><tr><th scope="col">model</th>'
    yield "".join(f'<th scope="col"><span>{html_text(name)}</span></th>' for name in names)
    yield "</tr></thead><tbody>"
    for place, model, results in results_by_model(document):
        own = {result["name"]: result for result in results}
        cells = "".join(_sign(own[name]) if name in own else "<td></td>" for name in names)
        yield f'<tr><th scope="row"><a href="#model-{place}">{html_text(model["path"])}</a></th>{cells}</tr>'
    yield "</tbody></table></div>"
    told = ", ".join(f"{glyph} {name}" for name, glyph in _GLYPHS.items())
    yield f'<p class="soft">{html_text(told)}</p>'


def _sign(result: Mapping[str, Any]) -> str:
    told = standing(result)
    words = f'<span class="unseen">{html_text(told)}</span>'
    link = f'<a href="#{_anchor(result)}" title="{html_text(told)}">{_GLYPHS[told]}{words}</a>'
    return f'<td class="{shown_standing(told)}">{link}</td>'


def _anchor(result: Mapping[str, Any]) -> str:
    return f"model-{result['model']}-{html_text(result['name']).replace(' ', '-')}"


def _model(
    place: int, model: Mapping[str, Any], results: Sequence[Mapping[str, Any]], files: Mapping[str, bytes]
) -> Iterator[str]:
    yield f'<section id="model-{place}"><h2>{html_text(model["path"])}</h2>'
    if model["error"] is not None:
        yield f'<p class="warning">{html_text(model["error"])}</p>'
    else:
        if model["assumed"]:
            grounds = "; ".join(map(str, model["profile"]["reasons"]))
            yield f'<p class="warning">ASSUMED profile {html_text(model["profile"]["name"])}: {html_text(grounds)}</p>'
        yield from _facts(_facts_of(model))
    for result in results:
        yield from check_part(result, _anchor(result), files)
    yield "</section>"


def _facts_of(model: Mapping[str, Any]) -> dict[str, object]:
    opsets = ", ".join(f"{domain} {version}" for domain, version in model["opsets"].items())
    return {
        _hashed(model): model["sha256"],
        **{f"sha256 of {name}": digest for name, digest in model["external"].items()},
        "size": None if model["bytes"] is None else f"{model['bytes']:,} bytes",
        "made by": model["producer"] or "not stated", "opsets": opsets,
        "graph": f"{number(model['nodes'])} nodes, {number(model['parameters'])} parameters",
        "output": f"{model['output']['name']}: {model['output']['kind']}", "profile": _preprocessing(model["profile"]),
    }  # fmt: skip


def _preprocessing(profile: Mapping[str, Any] | None) -> str:
    if profile is None:
        return "none: its input is no picture"
    height, width = profile["size"]
    mean = f"the image {profile['mean']['path']}" if isinstance(profile["mean"], Mapping) else _listed(profile["mean"])
    said = "assumed" if profile["assumed"] else f"stated by {profile['source']}"
    scaled = "x" if profile["scale"] == 1 else f"{number(profile['scale'])} x"
    return (
        f"{profile['name']}: {profile['channels']} {height} x {width}, {profile['resize']}, {profile['layout']}; "
        f"({scaled} - {mean}) / {_listed(profile['std'])}; {said}"
    )


def _listed(numbers: Sequence[float]) -> str:
    return f"({', '.join(map(number, numbers))})" if len(set(numbers)) > 1 else number(numbers[0])


def _hashed(model: Mapping[str, Any]) -> str:
    """What the sha256 is of, where the model's path does not say so."""
    return "sha256" if model["file"] in (model["path"], None) else f"sha256 of {PurePath(str(model['file'])).name}"


def _facts(named: Mapping[str, object]) -> Iterator[str]:
    yield "<dl>"
    for name, value in named.items():
        if value is not None:
            yield f"<dt>{html_text(name)}</dt><dd>{html_text(str(value))}</dd>"
    yield "</dl>"


def _waivers(document: Mapping[str, Any]) -> Iterator[str]:
    if not document["waivers"]:
        return
    yield '<h2>Waivers</h2><div class="scroll"><table><thead><tr>'
    keys = ("state", "model", "check", "until", "owner", "reason")
    yield "".join(f'<th scope="col">{key}</th>' for key in keys) + "</tr></thead><tbody>"
    for waiver in document["waivers"]:
        yield "<tr>" + "".join(f'<td class="text">{html_text(str(waiver[key]))}</td>' for key in keys) + "</tr>"
    yield "</tbody></table></div>"


def _made_by(document: Mapping[str, Any]) -> Iterator[str]:
    run, versions = document["run"], document["versions"]
    yield "<h2>How it was made</h2>"
    machine = run["machine"]
    yield from _facts({
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "machine": f"{machine.get('processor')}, {machine.get('cores')} cores, {', '.join(machine.get('flags', ()))}",
        "work": f"{run['units']} units measured now, {run['unit_seconds']:g} s of work in {run['seconds']:g} s, by "
        f"{run['executor']}",
        "budget": None if run["budget"] is None else f"{run['budget']:g} s",
    })  # fmt: skip
    yield '<p class="soft">Limits are met by the bound of the confidence interval, not by the value. Robust accuracy is'
    yield " an upper bound: a stronger attack may find more.</p>"


def _annex() -> Iterator[str]:
    yield "<details><summary>Where a reader of Annex IV of Regulation (EU) 2024/1689 finds what</summary>"
    yield '<div class="scroll"><table><thead><tr><th scope="col">point</th><th scope="col">asks for</th>'
    yield '<th scope="col">here</th></tr></thead><tbody>'
    for row in _ANNEX:
        yield "<tr>" + "".join(f'<td class="text">{html_text(cell)}</td>' for cell in row) + "</tr>"
    yield '</tbody></table></div><p class="soft">A cross-reference, and no statement of conformity.</p></details>'
