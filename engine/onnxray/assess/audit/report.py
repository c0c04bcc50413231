"""What an audit gives: whether the policy is met, and everything that says why."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from onnxray.errors.shown_text import json_text
from onnxray.notebooks.displayed import one_line
from onnxray.notebooks.tables import Tabular
from onnxray.results.run_folder import RunFolder, told

DOCUMENT: Final = "audit.json"
POLICY: Final = "policy.toml"


@final
@dataclass(frozen=True, kw_only=True, repr=False)
class Audit(Tabular):
    """An audit. document: audit.json (see ``audit.schema.json``). policy: its text.

    files: what lies beside the document, by name: pictures, and reports where they are made.
    """

    document: Mapping[str, Any]
    files: Mapping[str, bytes]
    policy: str

    def __repr__(self) -> str:
        counts = self.document["counts"]
        said = "passed" if self.passed else f"not passed, {counts['blocking']} blocking"
        return one_line(self, f"{said}: {len(self.models)} models, {len(self.results)} results; {counts['fail']} fail")

    @property
    def passed(self) -> bool:
        """Whether the policy is met."""
        return bool(self.document["passed"])

    @property
    def models(self) -> list[dict[str, Any]]:
        """Each model: path, sha256, profile, ..."""
        return list(self.document["models"])

    @property
    def results(self) -> list[dict[str, Any]]:
        """One for each model and check: state, level, reasons, figures, limits, findings."""
        return list(self.document["results"])

    @property
    def findings(self) -> list[dict[str, Any]]:
        """What did not hold and what checks have to say: model, check, level, state, message, blocking."""
        found = []
        for result in self.results:
            about = {
                "model": self.models[result["model"]]["path"], "check": result["name"], "level": result["level"],
                "state": result["state"], "waived": result["waiver"] is not None,
            }  # fmt: skip
            if result["state"] in {"fail", "error"}:
                found += [{**about, "message": reason} for reason in result["reasons"]]
            found += [{**about, "message": one["message"]} for one in result["findings"] if one["level"] == "warning"]
        return found

    def rows(self) -> list[dict[str, Any]]:
        """A row a figure of each model and check; one without figures where there are none."""
        found = []
        for result in self.results:
            about = {
                "model": self.models[result["model"]]["path"], "check": result["name"], "level": result["level"],
                "state": result["state"],
            }  # fmt: skip
            reasons = "; ".join(result["reasons"])
            figures = result["figures"] or [{}]
            names = ("name", "slice", "value", "low", "high", "count", "unit")
            found += [
                {**about, **{("figure" if key == "name" else key): one.get(key) for key in names}, "reasons": reasons}
                for one in figures
            ]
        return found

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write audit.json, policy.toml and the files into a folder, each whole. Errors: OutputError."""
        held = RunFolder.claim(folder)
        done = False
        try:
            self.put(held)
            done = True
        finally:
            held.close(kept=done)

    def put(self, held: RunFolder) -> None:
        """The same into a folder that is held. Errors: OutputError."""
        with told(held.path):
            for name, data in self.written().items():
                held.put(name, data)

    def written(self) -> dict[str, bytes]:
        """File name -> bytes of all that ``save`` writes; the document last, so that what is cut short has none."""
        document = json_text(self.document).encode()
        return {**self.files, POLICY: self.policy.encode(), DOCUMENT: document}
