"""Contact sheets of a run as PNG files, each saying what was assumed and what made it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

from PIL import Image

from onnxray.images.drawing.contact_sheet import Row, contact_sheet_pages
from onnxray.images.drawing.page.palette import palette_of
from onnxray.results.provenance import Provenance

MOST_ROWS: Final = 120
"""Rows that sheets show; ``index.html`` lists all."""


def drawn_pages(
    rows: Sequence[Row], *, title: str, subtitle: Sequence[str], provenance: Provenance, footer: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> dict[str, bytes]:  # fmt: skip
    """File name -> PNG: ``sheet.png``; where there are several, ``sheet-1.png``, ``sheet-2.png`` and so on. The profile
    stands under the title; where it was assumed, it is a warning.

    title: what heads them, unless the run has a title of its own. warnings: more of them.
    """
    profile = _profile_line(provenance)
    assumed = provenance.profile is not None and provenance.profile["assumed"]
    drawn = contact_sheet_pages(
        rows,
        title=provenance.title or title,
        subtitle=[*subtitle, *([] if assumed else profile)],
        warnings=[*(profile if assumed else []), *warnings],
        footer=[*footer, _versions_line(provenance)],
        palette=palette_of(provenance.background),
    )
    names = ["sheet.png"] if len(drawn) == 1 else [f"sheet-{number}.png" for number in range(1, len(drawn) + 1)]
    return {name: _png(page) for name, page in zip(names, drawn)}


def more_rows(count: int, what: str) -> list[str]:
    """That sheets leave some out, where they do."""
    return [f"{count - MOST_ROWS} more {what} in index.html"] if count > MOST_ROWS else []


def _png(page: Image.Image) -> bytes:
    stream = io.BytesIO()
    page.save(stream, "PNG")
    return stream.getvalue()


def model_name(provenance: Provenance) -> str:
    """The model's file name, for titles."""
    return provenance.model_name


def _profile_line(provenance: Provenance) -> list[str]:
    profile = provenance.profile
    if profile is None:
        return []
    labels = str(profile.get("labels_assumed") or "").partition(" because ")[0]
    named = f"; labels: {labels}" if labels else ""
    if not profile["assumed"]:
        return [f"profile {profile['name']} (from: {profile['source']}){named}"]
    reasons = "; ".join(str(reason).removeprefix(f"{profile['name']}: ") for reason in profile["reasons"])
    return [
        f"ASSUMED profile {profile['name']}{f' ({reasons})' if reasons else ''}{named}. If the model was made for "
        "other pictures, nothing below holds: state it with --profile, or --size, --resize, --channels, --mean, --std"
    ]


def _versions_line(provenance: Provenance) -> str:
    return f"onnxray {provenance.versions['onnxray']}, model sha256 {str(provenance.model['sha256'])[:16]}"
