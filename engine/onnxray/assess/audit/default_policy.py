"""The policy of an audit that is given none: what can be judged without knowing what a model is for, is; the rest is
recorded, for a policy of one's own to bound."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from onnxray.assess.audit.catalogue import checks
from onnxray.assess.audit.policy import Policy, policy_from

SOURCE: Final = "default"
_ORDER: Final = (
    "file", "profile", "verify", "determinism", "batch-invariance", "accuracy", "robustness", "corruptions",
    "invariance", "layer-stability", "saliency-sanity", "quantisation", "latency", "near-duplicates",
)  # fmt: skip
_IMAGES: Final = {
    "robustness": 50, "corruptions": 100, "layer-stability": 20, "invariance": 100, "saliency-sanity": 10,
    "verify": 4, "determinism": 20, "batch-invariance": 50, "quantisation": 200, "latency": 8,
}  # fmt: skip
"""At most so many pictures of what takes many runs a picture."""


def default_policy(folder: Path | None = None) -> Policy:
    """The default policy."""
    return policy_from(default_text(), source=SOURCE, folder=folder or Path())


def default_text() -> str:
    """Its text: every check there is, blocking where it judges by itself, recorded where a limit would be a guess."""
    known = checks()
    names = [*(name for name in _ORDER if name in known), *(name for name in known if name not in _ORDER)]
    parts = ['policy = 1\nname = "default"\n\n[defaults]\nlevel = "record"    # what no limit is stated for\n']
    for name in names:
        check = known[name]
        lines = [f"[[check]]                # {check.title}", f'use = "{name}"']
        lines += ['level = "block"'] if check.judges and name != "latency" else []
        lines += [f"images = {_IMAGES[name]}"] if name in _IMAGES and check.chunk != 0 else []
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)
