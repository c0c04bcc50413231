"""The rooms of the engine, in their order."""

from __future__ import annotations

from support.imports import folder

LEAVES = ("_version", "errors", "arrays", "notebooks")
"""What stands above all rooms: it imports nothing of the engine but its kind."""

ROOMS: dict[str, tuple[str, ...]] = {
    "graph": (
        "graph.file",
        "graph",
        "graph.samples graph.inputs graph.receptive graph.trainable",
        "graph.outputs graph.differences",
        "graph.classifier",
    ),
    "importer": (
        "importer.nodes",
        "importer.ops.neural importer.ops.classical",
        "importer.ops.pictures importer.ops.quantised",
        "importer.ops.tensors importer.ops.microsoft",
        "importer.ops",
        "importer.fusions",
        "importer",
        "importer.batches importer.relevance",
    ),
    "engines": ("engines", "engines.agreement engines.relevance"),
    "images": ("images.profile", "images.drawing.page", "images", "images.drawing images.corruptions"),
    "model": ("model.answers model.inputs", "model", "model.layers"),
    "objectives": ("objectives",),
    "results": ("results",),
    "methods": (
        "methods",
        "methods.attack",
        "methods.saliency methods.concepts methods.synthesis.ascent",
        "methods.attack.gradient methods.attack.minimum_norm methods.attack.score methods.attack.decision",
        "methods.attack.exact methods.attack.universal methods.attack.physical methods.lots",
        "methods.saliency.gradient methods.synthesis.parts methods.features.parts",
        "methods.saliency.activation methods.saliency.relevance methods.synthesis methods.features",
        "methods.saliency.perturbation methods.fooling",
    ),
    "assess": (
        "assess",
        "assess.maps assess.robustness assess.jobs",
        "assess.models",
        "assess.audit",
        "assess.audit.measures",
        "assess.audit.checks",
    ),
    "training": ("training", "training.generators"),
    "report": ("report.page report.parts", "report.audit", "report", "report.features report.training"),
    "display": ("display",),
    "cli": (
        "cli.terminal",
        "cli.usage",
        "cli.parts",
        "cli.rerun",
        "cli.commands cli.commands.attack cli.commands.audit cli.commands.files cli.commands.features "
        "cli.commands.generator",
        "cli",
    ),
    "web": ("web.work", "web.server", "web"),
}
"""The rooms from the top down, and in each its folders from the top down: a file imports only what stands above its own
folder, or beside it in the folder. Folders in one row are apart: neither imports the other."""

ORDER = {
    name: (room, row)
    for room, rows in enumerate(ROOMS.values(), 1)
    for row, names in enumerate(rows)
    for name in names.split()
}


def rank(name: str) -> tuple[int, int]:
    """A file's room and the row of its folder there."""
    return (0, 0) if is_leaf(name) else ORDER[folder(name)]


def is_leaf(name: str) -> bool:
    """Whether a file stands above all rooms."""
    return name in LEAVES or folder(name) in LEAVES
