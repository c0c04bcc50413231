"""Filters: the kernels of convolutions as pictures, 127.5 (1 + w / max|w|), the maximum over each kernel.

Those that read the picture itself are shown in colour, in the order red, green, blue whatever order the model takes;
those of later layers as a grid, a row for each filter, a column for each channel that it reads. Weights alone: nothing
is run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

import numpy as np

from onnxray.errors import InputError
from onnxray.graph.facts import Node
from onnxray.graph.operator_kinds import LAYER_OPERANDS
from onnxray.graph.weight_layers import layer_weights
from onnxray.images.drawing.mosaic import mosaic, signed
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.synthesis.base import Synthesis
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.model.model import Model
from onnxray.results.file_names import stem_named


@final
@dataclass(frozen=True, kw_only=True)
class Filters(Synthesis):
    """The kernels of convolutions as pictures; weights alone, nothing is run."""

    name: ClassVar[str] = "filters"
    needs_images: ClassVar[bool] = False

    layer: Annotated[str | tuple[str, ...] | None, "convolutions, by their outputs' names; default: the first"] = None
    most: Annotated[int, "rows and columns of a grid of later kernels; what is left out is said", Range(1, 1000)] = 32

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[SynthesisItem]:
        """Give a picture for each layer."""
        if goal is not None or len(pixels):
            raise InputError("filters are shown of the weights alone; give neither images nor targets")
        convolutions = _convolutions(model)
        if not convolutions:
            raise InputError("the graph holds no convolution with a weight in the file")
        names = list(convolutions)[:1]
        if self.layer is not None:
            names = list(model.select_values((self.layer,) if isinstance(self.layer, str) else self.layer))
        for (place, name), own in run.units(enumerate(names)):
            if name not in convolutions:
                known = ", ".join(map(repr, list(convolutions)[:3]))
                raise InputError(f"{name!r} is not what a convolution with a weight gives; some that are: {known}")
            node, weight = convolutions[name]
            kernels = model.graph.weight(weight).astype(np.float64)
            yield self._item(model, place, name, node, kernels, own)

    def _item(
        self, model: Model, place: int, name: str, node: Node, kernels: np.ndarray[Any, Any], run: Run
    ) -> SynthesisItem:
        assert model.profile is not None
        if kernels.ndim != 4:
            raise InputError(f"the kernels of {name!r} have the shape {list(kernels.shape)}; [O, I, h, w] was expected")
        colours = model.profile.channel_count
        if _reads_the_picture(model, node) and kernels.shape[1] == colours:
            ordered = kernels[:, ::-1] if model.profile.channels == "BGR" else kernels
            picture = mosaic(signed(ordered))
            shown = "kernels in red, green and blue" if colours == 3 else "kernels"
        else:
            rows, columns = min(self.most, len(kernels)), min(self.most, kernels.shape[1])
            if (rows, columns) != kernels.shape[:2]:
                run.note(f"{name}: {rows} of {len(kernels)} filters and {columns} of {kernels.shape[1]} channels shown")
            part = signed(kernels)[:rows, :columns]
            picture = mosaic(part.reshape(-1, 1, *kernels.shape[2:]), columns)
            shown = "a row a filter, a column a channel"
        numbers = {"shape": str(list(kernels.shape)), "largest": float(np.abs(kernels).max())}
        return self.item(
            model, picture, stem=stem_named(name, place, self.name), target=shown, layer=name, numbers=numbers,
            judged=False,
        )  # fmt: skip


def _convolutions(model: Model) -> dict[str, tuple[Node, str]]:
    """Output of a convolution (or the sum with its bias) -> its node and the initialiser of its weight."""
    graph = model.graph
    found = {}
    for layer, weights in layer_weights(graph).items():
        maker = graph.producer_of[layer]
        node = maker if maker.operator == "Conv" else graph.producer_of.get(maker.inputs[0])
        kernels = next((w for w in weights if w in graph.initializers and len(graph.initializers[w].dims) > 2), None)
        if node is not None and node.operator == "Conv" and kernels is not None:
            found[layer] = (node, kernels)
    return found


def _reads_the_picture(model: Model, node: Node) -> bool:
    """Whether no convolution or linear layer stands before it."""
    return not any(before.operator in LAYER_OPERANDS for before in model.graph.needed_for([node.inputs[0]]))
