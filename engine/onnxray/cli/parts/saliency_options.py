"""Options that the commands of the saliency family share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        rich_help_panel="Target",
        metavar="CLASS|VALUE",
        help="What is explained: a class (number or label), NAME:CHANNEL, NAME:CHANNEL,Y,X, NAME[I,J] or "
        "NAME[max,J] (a number), boxes[0].score (a detector's best), mask(class=2), output (a regression's), "
        "like:FILE or like:FILE@NAME (cosine of an embedding with an image's or a .npy). class:9 and value:NAME where "
        "a word could be both. Default: ONNX Runtime's class of each image, a regression's one number.",
    ),
]

ObjectOption = Annotated[
    Literal["none", "grabcut", "threshold"],
    typer.Option(
        "--object",
        rich_help_panel="Target",
        help="Find the object that the map points at: by GrabCut seeded with the map's quantiles, or where the map "
        "reaches a share of its maximum. Mask, box (in the model's pixels and the file's) and picture are saved.",
    ),
]
OriginalOption = Annotated[
    bool,
    typer.Option(
        "--overlay-original",
        help="Draw each map over its picture file at the file's own size as well (original-overlay); what the model "
        "does not see of it is dimmed.",
        rich_help_panel="Output",
    ),
]
EnlargedOption = Annotated[
    int,
    typer.Option(
        "--enlarge",
        min=1,
        max=64,
        help="Save map and overlay of small models this many times as large, pixel by pixel.",
        rich_help_panel="Output",
    ),
]
ShareOption = Annotated[
    float | None,
    typer.Option(
        "--object-share",
        rich_help_panel="Target",
        help="Share of the map's maximum (--object threshold). As published: 0.2 for cam, 0.15 for all others.",
    ),
]
BoxOption = Annotated[
    list[str] | None,
    typer.Option(
        "--reference-box",
        rich_help_panel="Target",
        metavar="X0,Y0,X1,Y1",
        help="Where the object is, in pixels of the model's size, x1 and y1 excluded: gives the IoU with what is "
        "found. Repeatable, one an image.",
    ),
]
MaskOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--reference-mask",
        rich_help_panel="Target",
        metavar="FILE.png",
        help="The same as a picture of the model's size, above zero on the object. Repeatable, one an image.",
    ),
]
