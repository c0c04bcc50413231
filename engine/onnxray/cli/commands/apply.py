"""onnxray apply: a network from pictures to pictures, run on pictures of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument
from onnxray.cli.parts.command_frame import progress_bar
from onnxray.cli.parts.document import Work, print_json, with_page
from onnxray.cli.parts.finishing import say_interrupted
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.shared_options import Growing, with_shared_options

if TYPE_CHECKING:
    from onnxray.images.pixels import Pixels
    from onnxray.model.model import Model
    from onnxray.model.picture_network import OutputRange
    from onnxray.results.keeping import Keeping


@limited
@with_shared_options
def apply(
    model: ModelArgument,
    images: ImagesArgument,
    range_: Annotated[
        Literal["auto", "255", "1", "signed"],
        typer.Option("--range", help="What the output's numbers mean as a picture."),
    ] = "auto",
    size: Annotated[int, typer.Option("--size", help="Pixels of the longer side at most (from 1).")] = 1024,
    overlap: Annotated[
        int | None,
        typer.Option("--overlap", help="Pixels that tiles share, where the size is fixed: 32, or a quarter of a tile."),
    ] = None,
    *,
    shared: Growing,
) -> None:
    """Turn pictures into what an image-to-image network makes of them, by ONNX Runtime.

    Pictures keep their size. A network of fixed size sees overlapping tiles, which are blended.

    Example: onnxray apply candy.onnx photo.jpg --profile raw --range 255
    """
    from onnxray.images.pixels import read_at_own_size
    from onnxray.methods.option_checks import Range, refuse_without_images

    opened = shared.open(model)
    refuse_without_images(opened, "apply works on images")
    Range(1).check("size", size)
    assert opened.profile is not None
    options = {"range": range_, "size": size, "overlap": overlap}
    work = Work(opened, "apply", options)
    pictures = read_at_own_size(images, opened.profile, size, strict=opened.strict)
    interrupted = False
    with shared.keeping("apply", **options) as keep:
        journal = keep.start(work.provenance, (images, *((one.names, one.array) for one in pictures)))
        try:
            with progress_bar() as tick:
                for place, picture in enumerate(pictures):
                    if (place,) not in journal.ended:
                        _apply(opened, keep, place, picture, overlap, range_)
                    tick(place + 1, len(pictures), "pictures")
        except KeyboardInterrupt:
            if not keep.count:
                raise
            interrupted = True
        document = work.document(keep.entries, interrupted=interrupted, earlier=journal.seconds)
        document = keep.complete_plain(document, with_page(document, keep.path, {}))
    if shared.json:
        print_json(document)
    else:
        from onnxray.cli.parts.console import table_console

        for item in document["items"]:
            table_console().print(
                f"{keep.path / item['files']['image']}: {item['tiles']} tile(s), numbers from "
                f"{item['least']:.4g} to {item['largest']:.4g} read as {item['range']}"
            )
    if interrupted:
        say_interrupted()


def _apply(model: Model, keep: Keeping, place: int, picture: Pixels, overlap: int | None, range_: OutputRange) -> None:
    """Apply the network to one picture, and keep it."""
    from onnxray.model.picture_network import apply_network
    from onnxray.results.file_names import plain_name, stem_of

    applied = apply_network(model, picture.array[0], overlap=overlap, range=range_)
    path = picture.names[0]
    name = f"{plain_name(stem_of(path, place, 'apply', 'image'))}.png"
    item = {
        "path": path, "size": list(applied.image.shape[1:]), "range": applied.range,
        "least": applied.least, "largest": applied.largest, "tiles": applied.tiles,
        "notes": list(picture.notes), "files": {"image": name},
    }  # fmt: skip
    keep.add_entry((place,), item, {name: applied.image})
    keep.end((place,))
