"""One check of the report: its verdict in a line, and inside why, the figures with their intervals, the findings."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from onnxray.errors.shown_text import html_text, shortened
from onnxray.report.audit.standing import Standing, headline, number, reasons, standing

_MOST_ROWS: Final = 120
_MOST_FINDINGS: Final = 60
_LONGEST: Final = 600
_WIDTH, _HEIGHT, _MARGIN = 176, 18, 5
_OPENED: Final = frozenset({"failed", "warned", "waived"})


def check_part(result: Mapping[str, Any], anchor: str, files: Mapping[str, bytes]) -> Iterator[str]:
    """The check, folded where it holds."""
    told = standing(result)
    opened = " open" if told in _OPENED else ""
    measured = headline(result) or "; ".join(reasons(result))
    yield f'<details class="check" id="{anchor}"{opened}><summary>'
    yield f'<span><span class="badge {shown_standing(told)}">{html_text(told)}</span></span>'
    yield f"<strong>{html_text(result['name'])}</strong>"
    yield f'<span class="headline">{_text(measured)}</span></summary><div class="inside">'
    yield f'<p class="soft">{html_text(result["title"])}; {html_text(result["level"])}</p>'
    why = reasons(result)
    if why and result["figures"]:
        listed = "".join(f"<li>{_text(one)}</li>" for one in why[:_MOST_FINDINGS])
        yield f'<ul class="reasons {shown_standing(told)}">{listed}</ul>'
    yield from _figures(result)
    yield from _findings(result["findings"])
    yield from _pictures(result["files"], files)
    if result["notes"]:
        yield f'<ul class="soft">{"".join(f"<li>{_text(note)}</li>" for note in result["notes"])}</ul>'
    yield from _provenance(result)
    yield "</div></details>"


def shown_standing(told: Standing) -> str:
    """The name of its style."""
    return told.replace(" ", "-")


def _figures(result: Mapping[str, Any]) -> Iterator[str]:
    figures: Sequence[Mapping[str, Any]] = result["figures"]
    if not figures:
        return
    limits: dict[tuple[str, str | None], list[Mapping[str, Any]]] = {}
    for limit in result["limits"]:
        limits.setdefault((limit["figure"], limit["slice"]), []).append(limit)
    # Those that a limit is not met by stand first, whatever their number.
    ordered = sorted(figures, key=lambda one: all(limit["met"] for limit in limits.get(_key(one), ())))
    yield '<div class="scroll"><table><thead><tr><th scope="col">figure</th><th scope="col" class="number">value</th>'
    yield '<th scope="col"></th><th scope="col" class="number">interval</th><th scope="col" class="number">of</th>'
    yield '<th scope="col">unit</th><th scope="col">required</th></tr></thead><tbody>'
    for figure in ordered[:_MOST_ROWS]:
        own = limits.get(_key(figure), [])
        part = "" if figure["slice"] is None else f' <span class="soft">{_text(figure["slice"])}</span>'
        value = "none" if figure["value"] is None else html_text(number(figure["value"]))
        cells = [
            f'<td class="text">{_text(figure["name"])}{part}</td>', f'<td class="number">{value}</td>',
            f"<td>{_bar(figure, own)}</td>", f'<td class="number">{html_text(_interval(figure))}</td>',
            f'<td class="number">{figure["count"]}</td>', f"<td>{_text(figure['unit'])}</td>",
            f'<td class="text">{_required(figure, own)}</td>',
        ]  # fmt: skip
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"
    if len(figures) > _MOST_ROWS:
        yield f'<p class="soft">and {len(figures) - _MOST_ROWS} more, in audit.json</p>'


def _key(figure: Mapping[str, Any]) -> tuple[str, str | None]:
    return figure["name"], figure["slice"]


def _interval(figure: Mapping[str, Any]) -> str:
    low, high = figure["low"], figure["high"]
    if low is None and high is None:
        return "none"
    if low == high:
        return "exact"
    return " to ".join("none" if end is None else number(end) for end in (low, high))


def _required(figure: Mapping[str, Any], limits: Sequence[Mapping[str, Any]]) -> str:
    if figure["value"] is None:
        return _text(figure["reason"] or "no reason is told")
    words = {True: '<span class="passed">met</span>', False: '<span class="failed">not met</span>'}
    return "; ".join(
        f"{html_text(limit['kind'])} {html_text(number(limit['limit']))}: {words[limit['met']]}" for limit in limits
    )


def _bar(figure: Mapping[str, Any], limits: Sequence[Mapping[str, Any]]) -> str:
    """The interval and the value between 0 and 1, with the bounds that are required; nothing for other numbers."""
    ends = [figure[key] for key in ("low", "value", "high") if figure[key] is not None]
    if figure["unit"] not in {"share", "probability", "|rho|"} or not ends or not all(0 <= end <= 1 for end in ends):
        return ""
    middle = _HEIGHT / 2
    lines = [f'<line class="axis" x1="{_at(0)}" y1="{middle}" x2="{_at(1)}" y2="{middle}"/>']
    lines.append(f'<line class="interval" x1="{_at(min(ends))}" y1="{middle}" x2="{_at(max(ends))}" y2="{middle}"/>')
    bounds = {limit["bound"] for limit in limits if limit["bound"] is not None and 0 <= limit["bound"] <= 1}
    lines += [f'<line class="limit" x1="{_at(b)}" y1="1" x2="{_at(b)}" y2="{_HEIGHT - 1}"/>' for b in sorted(bounds)]
    if figure["value"] is not None:
        lines.append(f'<circle class="value" cx="{_at(figure["value"])}" cy="{middle}" r="4"/>')
    label = html_text(f"{_interval(figure)} between 0 and 1")
    return f'<svg class="bar" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(lines)}</svg>'


def _at(share: float) -> str:
    return f"{_MARGIN + share * (_WIDTH - 2 * _MARGIN):.1f}"


def _findings(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not findings:
        return
    yield "<h3>Findings</h3><ul>"
    styles = {"error": "failed", "warning": "warned", "note": "recorded"}
    for finding in findings[:_MOST_FINDINGS]:
        places = "".join(f", {kind} <code>{_text(finding[kind])}</code>" for kind in ("node", "value") if finding[kind])
        level = f'<span class="{styles[finding["level"]]}">{html_text(finding["level"])}</span>'
        yield f"<li>{level}: {_text(finding['message'])}{places}</li>"
    yield "</ul>"
    if len(findings) > _MOST_FINDINGS:
        yield f'<p class="soft">and {len(findings) - _MOST_FINDINGS} more, in audit.json</p>'


def _pictures(names: Sequence[str], files: Mapping[str, bytes]) -> Iterator[str]:
    held = [name for name in names if name in files]
    if not held:
        return
    yield '<div class="pictures">'
    for name in held:
        data = base64.b64encode(files[name]).decode("ascii")
        yield f'<figure><img src="data:image/png;base64,{data}" alt="{_text(name)}">'
        yield f"<figcaption>{_text(name)}</figcaption></figure>"
    yield "</div>"


def _provenance(result: Mapping[str, Any]) -> Iterator[str]:
    said = f"{result['check']}, version {result['version']}"
    if result["images"]:
        said += f", on {result['images']} pictures"
    if result["confidence"]:
        said += f", intervals of {100 * result['confidence']:.4g} %"
    if result["options"]:
        said += f"; options {json.dumps(result['options'], ensure_ascii=False, sort_keys=True)}"
    yield f'<p class="soft">{_text(said)}</p>'


def _text(text: object) -> str:
    return html_text(shortened(str(text), _LONGEST))
