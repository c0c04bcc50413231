"""Every pattern of nodes that a cut computes together, and which of them stand in a cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onnxray.graph.facts import Node
from onnxray.importer.fusions.attention import attention
from onnxray.importer.fusions.batchnorm import fold
from onnxray.importer.fusions.gelu import gelu
from onnxray.importer.fusions.layernorm import layer_norm
from onnxray.importer.fusions.linear import linear
from onnxray.importer.fusions.patch_embedding import patches
from onnxray.importer.fusions.pattern import Cut, Fusion
from onnxray.importer.fusions.view_sizes import sized_reshape
from onnxray.importer.fusions.window_partition import partition

_PATTERNS: tuple[Callable[[Node, Cut], Fusion | None], ...] = (
    fold, linear, layer_norm, gelu, attention, partition, patches, sized_reshape,
)  # fmt: skip


def find_fusions(nodes: Sequence[Node], cut: Cut) -> list[Fusion]:
    """The fusions of a cut, no node in two of them; of two that overlap the one that ends later."""
    found: list[Fusion] = []
    taken: set[int] = set()
    for node in reversed(nodes):
        for pattern in _PATTERNS:
            fusion = pattern(node, cut)
            if fusion is None or not cut.is_closed(fusion) or taken & {member.index for member in fusion.nodes}:
                continue
            found.append(fusion)
            taken |= {member.index for member in fusion.nodes}
            break
    return found
