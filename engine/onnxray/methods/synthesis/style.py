"""Style transfer: the content of one picture in the style of another (Gatys, Ecker, Bethge 2015).

    min_x alpha L_c + sum_l beta_l E_l,   L_c = 1/2 sum (F - P)^2,   E_l = sum (G_l - A_l)^2 / (4 N_l^2 M_l^2)

F the content layer's value, G_l = F_l F_l^T a style layer's Gram matrix, N_l its channels, M_l its places. alpha and
beta_l are stated in units of each loss's reference, see style_losses.py. At the model's own size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, final

from onnxray.errors import InputError
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.synthesis.base import Pictures, Stepwise
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.model.layers.grid import read_space
from onnxray.model.layers.scales import at_scale
from onnxray.model.model import Model
from onnxray.results.file_names import stem_of

_CONTENT_HALVINGS = 3


@final
@dataclass(frozen=True, kw_only=True)
class StyleTransfer(Stepwise):
    """Pictures in the style of another (--style); at the model's own size."""

    name: ClassVar[str] = "style"

    style: Annotated[str | None, "the picture whose style is taken"] = None
    layer: Annotated[
        str | tuple[str, ...] | None,
        "values whose Gram matrices are matched; default: one for each halving of the input",
    ] = None
    content_layer: Annotated[str | None, "value that is kept; default: the wide one at an eighth of the input"] = None
    content_weight: Annotated[float, "of the content's relative error", Range(0.0, 1e12)] = 1.0
    style_weight: Annotated[float, "of the style's relative error, the mean over layers", Range(0.0, 1e12)] = 20.0
    start: Annotated[Literal["content", "noise"], "what is begun from: content or noise"] = "content"
    optimizer: Annotated[Literal["lbfgs", "adam"], "lbfgs, as in the paper, or adam"] = "lbfgs"
    steps: Annotated[int, "evaluations of network and gradient", Range(2, 1_000_000)] = 300

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.content_weight == self.style_weight == 0:
            raise InputError("content_weight and style_weight are both 0; one above 0 was expected")

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[SynthesisItem]:
        """Give a picture for each content picture."""
        if goal is not None:
            raise InputError("style transfer takes no target; the style is a picture: --style")
        if not self.style:
            raise InputError("no style was given; give the picture whose style is taken: --style FILE")
        from onnxray.methods.synthesis.ascent.loop import climb
        from onnxray.methods.synthesis.parts.style_losses import (
            content_loss,
            measured,
            refuse_flat,
            style_layers,
            style_losses,
            style_plan,
            total_of,
        )

        model_style = model.pixels(self.style)
        if len(model_style) != 1:
            raise InputError(f"the style {self.style} holds {len(model_style)} pictures; one was expected")
        space = read_space(model)
        layers = style_layers(model, space, self.layer)
        kept = (
            at_scale(space, _CONTENT_HALVINGS).value
            if self.content_layer is None
            else model.select_value(self.content_layer)
        )
        run.note(f"style at {', '.join(grid.value for grid in layers)}; content at {kept}")
        towards = style_losses(space, model_style, layers, self.style_weight) if self.style_weight else []
        plan = style_plan(self.optimizer, self.steps)
        scale = float(model_style.array[0].size)
        for place, own in run.units(range(len(pixels))):
            picture = model.encoded(pixels.rows(slice(place, place + 1)))
            content = [content_loss(model, picture, kept, self.content_weight)] if self.content_weight else []
            losses = [*content, *towards]
            if not place:
                refuse_flat(model, losses)
            climbed = climb(
                model, total_of(losses, scale), plan, own, start=picture.array if self.start == "content" else None,
                every=self.every,
            )  # fmt: skip
            pictures, path = Pictures.of(model, climbed), pixels.names[place]
            before = measured(model, losses, picture)
            after = measured(model, losses, pictures.pixels)
            numbers: dict[str, Any] = {
                "content loss": sum(after[loss.name] for loss in content),
                "style loss": sum(after[loss.name] for loss in towards),
                "style loss left": _share(after, before, [loss.name for loss in towards]),
                "losses": after,
                "losses of the content picture": before,
                "weights": {loss.name: loss.weight for loss in losses},
            }
            yield from self.items(
                pictures, stems=[stem_of(path, place, self.name)], paths=[path],
                targets=[f"in the style of {Path(self.style).name}"], layers=[kept], numbers=[numbers],
                beside=[{"origin": to_uint8(picture.array[0]), "style": to_uint8(model_style.array[0])}],
            )  # fmt: skip


def _share(after: dict[str, float], before: dict[str, float], names: list[str]) -> float | None:
    """How much of the style loss is left; None where there was none."""
    whole = sum(before[name] for name in names)
    return sum(after[name] for name in names) / whole if whole else None
