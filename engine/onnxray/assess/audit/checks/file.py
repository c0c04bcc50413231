"""File: what a model's file claims and holds, told from its bytes; nothing is run.

error     a domain of operators that is not allowed, an operator that calls Python, an opset below what is asked for,
          weights with NaN or infinity, text that looks like a secret; external data where it is denied
warning   external data (each file is part of the model's identity here) and bytes of it that belong to no weight;
          weights with numbers more than 100 times the 99.9th percentile of the rest, or that nothing reads, as they
          carry what somebody put there; paths of somebody's own machine
note      weights that are too large to be looked through; the files that a model of another kind is made of, whose
          weights lie in a file of their own by their nature

Files whose external data leads out of their folder cannot be opened at all. Secrets are told by kind and place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, final

from onnxray.assess.audit.check import Check, Figure, Finding, Outcome, Picture, Row
from onnxray.assess.audit.measures.suspicious import RUNS_CODE, own_paths, secrets, unread, unread_bytes, weights
from onnxray.errors.short_values import short
from onnxray.methods.option_checks import Range
from onnxray.model.model import Model

_LISTED: Final = 10
_PADDING: Final = 65_536
"""Bytes between two weights of external data that alignment explains."""


@final
@dataclass(frozen=True, kw_only=True)
class File(Check):
    """Domains, opset, external data, weights out of range, secrets and paths in the text."""

    name: ClassVar[str] = "file"
    version: ClassVar[int] = 2
    title: ClassVar[str] = "what the file claims and holds"
    chunk: ClassVar[int] = 0
    judges: ClassVar[bool] = True

    allow_domains: Annotated[str, "domains of operators that are no finding, with commas"] = (
        "ai.onnx,ai.onnx.ml,com.microsoft"
    )
    min_opset: Annotated[int, "the lowest operator set of ai.onnx that is no finding", Range(1)] = 1
    deny_external: Annotated[bool, "weights in files of their own fail the check; else they are a warning"] = False

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """One row of facts."""
        graph = model.graph
        own, made = graph.container.own_file, graph.container.made
        size = own.size if own is not None else len(graph.container.data or b"")
        return [{
            "sha256": graph.sha256, "bytes": size, "ir_version": graph.proto.ir_version, "producer": graph.producer,
            "opsets": {domain or "ai.onnx": version for domain, version in graph.opsets.items()},
            "domains": sorted({node.domain or "ai.onnx" for node in graph.nodes}),
            "runs_code": [node.name for node in graph.nodes if node.operator in RUNS_CODE],
            "functions": len(graph.proto.functions), "made_of": graph.name if made else None,
            "external": {
                name: {"sha256": graph.identity[f"external:{name}"], "bytes": whole, "unread": rest}
                for name, (whole, rest) in unread_bytes(graph).items()
            },
            "nodes": len(graph.nodes), "parameters": graph.parameters, "weights": weights(graph),
            "unread": unread(graph), "secrets": secrets(graph), "paths": own_paths(graph),
        }]  # fmt: skip

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """How many findings fail it, and each; then sizes."""
        (facts,) = rows
        findings = [*self._errors(facts), *self._warnings(facts)]
        failing = sum(one.level == "error" for one in findings)
        opsets = ", ".join(f"{short(domain)} {version}" for domain, version in facts["opsets"].items())
        notes = (
            f"opsets {opsets}; IR version {facts['ir_version']}; made by {short(facts['producer'])}",
            f"sha256 {facts['sha256']}",
            *(f"{short(name)}: sha256 {one['sha256']}" for name, one in facts["external"].items()),
        )
        outside = sum(one["bytes"] for one in facts["external"].values())
        return Outcome(
            figures=(
                Figure.exact("findings", failing, unit="findings", better="lower"),
                Figure.exact("size", facts["bytes"] + outside, unit="bytes"),
                Figure.exact("nodes", facts["nodes"], unit="nodes"),
                Figure.exact("parameters", facts["parameters"], unit="numbers"),
                Figure.exact("opset", facts["opsets"].get("ai.onnx", 0), unit="version"),
            ),
            notes=notes, findings=tuple(findings),
        )  # fmt: skip

    def _errors(self, facts: Row) -> Iterator[Finding]:
        allowed = {part.strip() for part in self.allow_domains.split(",")}
        for domain in facts["domains"]:
            if domain not in allowed:
                yield Finding(level="error", message=f"operators of the domain {short(domain)}, which is not allowed")
        for node in facts["runs_code"]:
            yield Finding(level="error", message=f"node {short(node)} calls Python", node=node)
        opset = facts["opsets"].get("ai.onnx")
        if opset is not None and opset < self.min_opset:
            yield Finding(level="error", message=f"opset {opset}; at least {self.min_opset} was expected")
        for name in facts["weights"]["not_finite"]:
            yield Finding(level="error", message=f"weight {short(name)} holds NaN or infinity", value=name)
        for kind, where in facts["secrets"]:
            yield Finding(level="error", message=f"{where} holds what looks like a {kind}")
        if self.deny_external and facts["made_of"] is None:
            for name in facts["external"]:
                yield Finding(level="error", message=f"weights lie in a file of their own, {short(name)}")

    def _warnings(self, facts: Row) -> Iterator[Finding]:
        for name, one in facts["external"].items():
            if facts["made_of"] is not None:
                said = f"the model is made of {short(facts['made_of'])}, with the weights of {short(name)}"
                yield Finding(level="note", message=said)
            elif not self.deny_external:
                yield Finding(level="warning", message=f"weights lie in a file of their own, {short(name)}")
            if one["unread"] > _PADDING:
                said = f"{short(name)} has {one['unread']:,} of {one['bytes']:,} bytes that belong to no weight"
                yield Finding(level="warning", message=said)
        for name, times in facts["weights"]["far"]:
            said = f"weight {short(name)} holds a number {times:g} times the 99.9th percentile of the rest"
            yield Finding(level="warning", message=said, value=name)
        if facts["unread"]:
            count = sum(facts["unread"].values())
            names = ", ".join(short(name) for name in list(facts["unread"])[:_LISTED])
            said = f"{len(facts['unread'])} weights of {count:,} numbers that nothing reads: {names}"
            yield Finding(level="warning", message=said)
        if facts["paths"]:
            places = ", ".join(facts["paths"][:_LISTED])
            said = f"{len(facts['paths'])} texts hold a path of somebody's own machine: {places}"
            yield Finding(level="warning", message=said)
        if facts["weights"]["skipped"]:
            names = ", ".join(short(name) for name in facts["weights"]["skipped"][:_LISTED])
            yield Finding(level="note", message=f"too large to be looked through for NaN: {names}")
