"""summary.md: an audit in a comment of a pull request: the verdict, what blocks, a line for each model and check.

Text of models, pictures and policies is text here: what Markdown would read as its own, as a link or as somebody's
name, stands as a character reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from onnxray.errors.shown_text import shortened, terminal
from onnxray.report.audit.standing import Standing, blocking, headline, reasons, results_by_model, standing

_PLAIN: Final = re.compile(r"[^A-Za-z0-9 ,;=/()%+.\-\u00a1-\U0010ffff]")
_MARKS: Final[Mapping[Standing, str]] = MappingProxyType({
    "passed": "pass", "failed": "**FAIL**", "warned": "warning", "waived": "waived", "recorded": "recorded",
    "not applicable": "not applicable",
})  # fmt: skip
_LONGEST: Final = 300
_MOST: Final = 50


def summary_markdown(document: Mapping[str, Any]) -> str:
    """The document as Markdown."""
    return "\n".join([*_head(document), *_blocking(document), *_tables(document), *_foot(document)]) + "\n"


def _head(document: Mapping[str, Any]) -> Iterator[str]:
    verdict = "passed" if document["passed"] else "**not passed**"
    counts, images = document["counts"], document["images"]
    yield f"## Model audit: {verdict}"
    yield ""
    waived = f", {counts['waived']} waived" if counts["waived"] else ""
    count = len(document["models"])
    yield (
        f"Policy {_text(document['policy']['name'])}: {count} model{'' if count == 1 else 's'}, "
        f"{len(document['results'])} results, {counts['blocking']} blocking{waived}; "
        f"{images['count']} pictures, seed {document['seed']}."
    )


def _blocking(document: Mapping[str, Any]) -> Iterator[str]:
    found = blocking(document)
    if found:
        yield ""
        yield "### What blocks"
        yield ""
    for result in found[:_MOST]:
        path = document["models"][result["model"]]["path"]
        yield f"- {_text(path)}, {_text(result['name'])}: {_text('; '.join(reasons(result)))}"
    if len(found) > _MOST:
        yield f"- and {len(found) - _MOST} more"


def _tables(document: Mapping[str, Any]) -> Iterator[str]:
    for _, model, results in results_by_model(document):
        yield ""
        yield f"### {_text(model['path'])}"
        yield ""
        if model["sha256"] is not None:
            yield f"sha256 `{model['sha256']}`"
            yield ""
        yield "| check | result | measured | why |"
        yield "|---|---|---|---|"
        for result in results:
            told = standing(result)
            why = "; ".join(reasons(result))
            yield f"| {_text(result['name'])} | {_MARKS[told]} | {_text(headline(result))} | {_text(why)} |"


def _foot(document: Mapping[str, Any]) -> Iterator[str]:
    policy, versions = document["policy"], document["versions"]
    yield ""
    yield (
        f"onnxray {_text(versions['onnxray'])}, ONNX Runtime {_text(versions.get('onnxruntime', 'unknown'))}; policy "
        f"sha256 `{policy['sha256']}`, pictures sha256 `{document['images']['sha256']}`."
    )


def _text(text: object) -> str:
    """Text that stays text: one line, nothing of it markup, a link or a mention."""
    shown = shortened(terminal(str(text)), _LONGEST)
    return _PLAIN.sub(lambda found: f"&#{ord(found.group())};", shown).replace("www.", "www&#46;")
