"""What sheets and pages say of layers and targets: as they were typed, and no longer than need be."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

from onnxray.results.provenance import Provenance

_LIKE = re.compile(r"(cosine of .+ with )(.+)", re.DOTALL)


def target_words(target: str) -> str:
    """A target in words; of a file that it names, the name alone."""
    found = _LIKE.fullmatch(target)
    return target if found is None else f"{found[1]}{PurePath(found[2]).name or found[2]}"


def typed_names(provenance: Provenance, layers: Iterable[str | None]) -> dict[str, str]:
    """Layer -> "typed (ONNX's own)", of those that were asked for by another name, such as ``logits``.

    The names that were typed belong to the layers in their order, if they are as many.
    """
    typed = provenance.method["options"].get("layer")
    names = [typed] if isinstance(typed, str) else [str(name) for name in typed or ()]
    own = list(dict.fromkeys(layer for layer in layers if layer is not None))
    if len(names) != len(own):
        return {}
    return {layer: f"{name} ({layer})" for name, layer in zip(names, own) if name != layer}
