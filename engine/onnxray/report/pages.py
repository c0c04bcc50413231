"""Contact sheets of a run as PNG files, each saying what was assumed and what made it."""

from __future__ import annotations

import io
from collections.abc import Sequence

from onnxray.images.drawing.contact_sheet import Row, contact_sheet_pages
from onnxray.results.provenance import Provenance


def drawn_pages(
    rows: Sequence[Row], *, title: str, subtitle: Sequence[str], provenance: Provenance, footer: Sequence[str] = ()
) -> dict[str, bytes]:
    """File name -> PNG: ``sheet.png``, ``sheet-2.png`` and so on. The profile stands under the title, in a
    colour of its own where it was assumed.

    title: what heads them, unless the run has a title of its own.
    """
    profile = _profile_line(provenance)
    assumed = provenance.profile is not None and provenance.profile["assumed"]
    drawn = contact_sheet_pages(
        rows,
        title=provenance.title or title,
        subtitle=[*subtitle, *([] if assumed else profile)],
        warnings=profile if assumed else [],
        footer=[*footer, _versions_line(provenance)],
    )
    found = {}
    for index, page in enumerate(drawn):
        stream = io.BytesIO()
        page.save(stream, "PNG")
        found["sheet.png" if index == 0 else f"sheet-{index + 1}.png"] = stream.getvalue()
    return found


def model_name(provenance: Provenance) -> str:
    """The model's file name, for titles."""
    return provenance.model_name


def _profile_line(provenance: Provenance) -> list[str]:
    profile = provenance.profile
    if profile is None:
        return []
    assumed = "ASSUMED " if profile["assumed"] else ""
    labels = str(profile.get("labels_assumed") or "").partition(" because ")[0]
    named = f"; labels: {labels}" if labels else ""
    return [f"{assumed}profile {profile['name']} (from: {profile['source']}){named}"]


def _versions_line(provenance: Provenance) -> str:
    return f"onnxray {provenance.versions['onnxray']}, model sha256 {str(provenance.model['sha256'])[:16]}"
