"""What a result came from: enough to make it again, and to see what was assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from onnxray.engines.judge import providers_for
from onnxray.engines.machine import describe_machine
from onnxray.errors.short_values import short
from onnxray.graph.outputs.facts import CLASS_KINDS
from onnxray.images.profile.profile import Profile
from onnxray.model.model import Model
from onnxray.notebooks.displayed import Displayed, one_line


@dataclass(frozen=True, kw_only=True)
class Provenance(Displayed):
    """What a result came from: enough to make it again, and to see what was assumed."""

    model: Mapping[str, Any]
    profile: Mapping[str, Any] | None
    method: Mapping[str, Any]
    seed: int
    device: str
    versions: Mapping[str, str]
    seconds: float
    machine: Mapping[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    title: str | None = None
    """What heads the sheets in place of their own titles."""
    background: str | None = None
    """What sheets and plots are drawn on; None is white."""
    made_from: Mapping[str, Any] = field(default_factory=dict)
    """The call, and the files that it named by their contents: see ``results/made_from.py``."""

    @property
    def model_name(self) -> str:
        """The model's file name."""
        return Path(str(self.model["path"] or "model")).name

    def __repr__(self) -> str:
        seconds = f"{self.seconds:.3g} s" if isinstance(self.seconds, int | float) else ""
        return one_line(self, f"{self.method['name']} on {self.model_name}, seed {self.seed}, {self.device}, {seconds}")


AS_NEEDED: Final = frozenset({"title", "background", "made_from"})
"""What stands in a document where there is something to say."""


def check_provenance(fields: Mapping[str, Any]) -> None:
    """Refuse what a document states where it is of another kind than is written. Errors: ValueError."""
    mappings = ("model", "method", "versions", "machine")
    wrong = [name for name in mappings if not isinstance(fields[name], Mapping)]
    wrong += [name for name in ("device",) if not isinstance(fields[name], str)]
    wrong += [name for name in ("command", "notes") if not all(isinstance(one, str) for one in fields[name])]
    wrong += ["profile"] if not isinstance(fields["profile"], Mapping | None) else []
    wrong += ["title"] if not isinstance(fields.get("title"), str | None) else []
    wrong += ["made_from"] if not isinstance(fields.get("made_from", {}), Mapping) else []
    if wrong:
        raise ValueError(f"{wrong[0]} is {short(fields[wrong[0]])}, which no run has written")
    for name, keys in (("model", ("path", "sha256")), ("method", ("name", "options"))):
        for key in keys:
            if key not in fields[name]:
                raise ValueError(f"{name} has no {key}")
    if not isinstance(fields["method"]["name"], str) or not isinstance(fields["method"]["options"], Mapping):
        raise ValueError(f"method is {short(fields['method'])}, which no run has written")


def provenance(
    model: Model, *, name: str, options: Mapping[str, Any], seed: int, seconds: float, notes: Sequence[str]
) -> Provenance:
    """State what a method ran on."""
    graph, profile = model.graph, model.profile
    notes = [*profile_notes(profile), *notes, *_head_notes(model)]
    notes += model.notes
    return Provenance(
        model={
            "path": None if graph.path is None else str(graph.path),
            "sha256": graph.sha256,
            "opsets": dict(graph.opsets),
            "producer": graph.producer,
            "logits": model.aliases["logits"],
        },
        profile=None if profile is None else profile.to_dict(),
        method={"name": name, "options": dict(options)},
        seed=seed,
        device=model.device,
        versions=model.versions(),
        seconds=seconds,
        machine={
            **describe_machine(),
            "u8s8_saturates": model.saturates,
            "providers": list(providers_for(model.device)),
        },
        notes=tuple(dict.fromkeys(notes)),
    )


def profile_notes(profile: Profile | None) -> list[str]:
    """What was taken for granted of the profile: what whoever opens a model is told at once."""
    if profile is None:
        return []
    assumed = f"ASSUMED profile {profile.name!r}: {'; '.join(profile.reasons)}; state it with --profile"
    labels = f"labels: {profile.labels_assumed}; --labels none declines them"
    return [
        *([assumed] if profile.assumed else []), *([labels] if profile.labels_assumed is not None else []),
    ]  # fmt: skip


def _head_notes(model: Model) -> list[str]:
    """What was taken for granted of the output that the model is answered with."""
    head, closing = model.head, model.answering.closing
    if head.kind in CLASS_KINDS:
        sure = closing.kind is not None or head.stated or model.answering.labels_stated is not None
        return [] if sure else [f"no softmax closes the graph: its output {head.name!r} is taken as one score a class"]
    if not head.assumed and head.kind != "unknown":
        return []
    return [f"output {head.name!r} is taken for {head.said()}; state it with --output NAME=KIND"]
