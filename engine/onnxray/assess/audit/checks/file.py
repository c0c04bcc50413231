"""File: what a model's file claims and holds, told from its bytes; nothing is run.

Findings: a domain of operators that is not allowed (error); an opset below what is asked for (error); weights with NaN
or infinity (error); external data (warning, with each location: it is part of the model's identity here); text in the
metadata that looks like a secret (error). Files whose external data leads out of their folder cannot be opened at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, final

import numpy as np

from onnxray.assess.audit.check import Check, Figure, Finding, Outcome, Picture, Row
from onnxray.errors.short_values import short
from onnxray.methods.option_checks import Range
from onnxray.model.model import Model

_SECRET: Final = re.compile(
    r"AKIA[0-9A-Z]{16}|ghp_[0-9A-Za-z]{36}|hf_[0-9A-Za-z]{30,}|xox[abprs]-[0-9A-Za-z-]{10,}|"
    r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----"
)
_LARGEST_TENSOR: Final = 2**28
"""Bytes of a weight that is looked through for NaN."""


@final
@dataclass(frozen=True, kw_only=True)
class File(Check):
    """Domains, opset, external data, weights that are no numbers, secrets in the metadata."""

    name: ClassVar[str] = "file"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "what the file claims and holds"
    chunk: ClassVar[int] = 0
    judges: ClassVar[bool] = True

    allow_domains: Annotated[str, "domains of operators that are no finding, with commas"] = (
        "ai.onnx,ai.onnx.ml,com.microsoft"
    )
    min_opset: Annotated[int, "the lowest operator set of ai.onnx that is no finding", Range(1)] = 1

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:  # noqa: ARG002
        """One row of facts."""
        graph = model.graph
        broken = []
        for tensor in graph.proto.graph.initializer:
            if 4 * np.prod(tensor.dims, dtype=np.float64) <= _LARGEST_TENSOR:
                values = graph.container.read(tensor)
                if values.dtype.kind == "f" and not np.isfinite(values).all():
                    broken.append(tensor.name)
        secrets = [entry.key for entry in graph.proto.metadata_props if _SECRET.search(entry.value)]
        facts: dict[str, Any] = {
            "opsets": {domain or "ai.onnx": version for domain, version in graph.opsets.items()},
            "domains": sorted({node.domain or "ai.onnx" for node in graph.nodes}),
            "external": sorted(name.removeprefix("external:") for name in graph.identity if name != "sha256"),
            "nodes": len(graph.nodes), "parameters": graph.parameters, "not_finite": broken, "secrets": secrets,
        }  # fmt: skip
        return [facts]

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:  # noqa: ARG002
        """How many findings there are that fail it, and each."""
        facts = rows[0]
        allowed = {part.strip() for part in self.allow_domains.split(",")}
        opset = facts["opsets"].get("ai.onnx")
        found = [
            Finding(level="error", message=f"operators of the domain {short(domain)}, which is not allowed")
            for domain in facts["domains"] if domain not in allowed
        ]  # fmt: skip
        if opset is not None and opset < self.min_opset:
            found.append(Finding(level="error", message=f"opset {opset}; at least {self.min_opset} was expected"))
        found += [
            Finding(level="error", message=f"weight {short(name)} holds NaN or infinity", value=name)
            for name in facts["not_finite"]
        ]
        found += [
            Finding(level="error", message=f"metadata {short(key)} looks like a secret") for key in facts["secrets"]
        ]
        count = len(found)
        found += [
            Finding(level="warning", message=f"weights lie in a file of their own, {short(name)}")
            for name in facts["external"]
        ]
        return Outcome(
            figures=(
                Figure.exact("findings", count, unit="findings", better="lower"),
                Figure.exact("nodes", facts["nodes"], unit="nodes"),
                Figure.exact("parameters", facts["parameters"], unit="numbers"),
            ),
            findings=tuple(found),
        )  # fmt: skip
