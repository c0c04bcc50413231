"""onnxray apply: a network from pictures to pictures, run on pictures of any size."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from onnxray.applying import apply_network
from onnxray.cli.common import (
    ImagesArgument,
    ModelArgument,
    command_line,
    document,
    print_json,
    progress_bar,
    run_folder,
)
from onnxray.cli.consoles import table_console
from onnxray.cli.limits import limited
from onnxray.cli.shared import Opening, with_shared_options
from onnxray.errors import InputError
from onnxray.images import read_at_own_size


@limited
@with_shared_options
def apply(
    model: ModelArgument,
    images: ImagesArgument,
    range_: Annotated[
        str, typer.Option("--range", metavar="auto|255|1|signed", help="What the output's numbers mean as a picture.")
    ] = "auto",
    size: Annotated[int, typer.Option("--size", help="Pixels of the longer side at most.")] = 1024,
    overlap: Annotated[
        int | None,
        typer.Option("--overlap", help="Pixels that tiles share, where the size is fixed: 32, or a quarter of a tile."),
    ] = None,
    *,
    shared: Opening,
) -> None:
    """Turn pictures into what an image-to-image network makes of them, by ONNX Runtime.

    Pictures keep their size. A network of fixed size sees overlapping tiles, which are blended.
    Example: onnxray apply candy.onnx photo.jpg --profile raw --range 255
    """
    from onnxray.results import write_folder

    opened = shared.open(model)
    if opened.profile is None:
        raise InputError("the model's input is no image (no profile fits it); state how pixels enter it with --profile")
    if size < 1:
        raise InputError(f"size is {size}; a whole number from 1 was expected")
    started = time.perf_counter()
    pictures = read_at_own_size(images, opened.profile, size)
    items: list[dict[str, Any]] = []
    files: dict[str, Any] = {}
    with progress_bar() as tick:
        for place, picture in enumerate(pictures):
            applied = apply_network(opened, picture.array[0], overlap=overlap, range=range_)
            path = picture.names[0]
            name = f"{place}-{Path(path).stem if path else 'picture'}.png"
            files[name] = applied.image
            items.append(
                {
                    "path": path, "size": list(applied.image.shape[1:]), "range": applied.range,
                    "least": applied.least, "largest": applied.largest, "tiles": applied.tiles,
                    "notes": list(picture.notes), "files": {"image": name},
                }
            )  # fmt: skip
            tick(place + 1, len(pictures), "pictures")
    report = document(opened, "apply", items) | {
        "seconds": round(time.perf_counter() - started, 3), "command": command_line()
    }  # fmt: skip
    folder = run_folder(shared.out, "apply")
    write_folder(folder, report, {}, files)
    if shared.json:
        print_json(report)
        return
    for item in items:
        table_console().print(
            f"{folder / item['files']['image']}: {item['tiles']} tile(s), numbers from {item['least']:.4g} "
            f"to {item['largest']:.4g} read as {item['range']}"
        )
