"""A generative prior: the code of a generator is varied, not pixels; the generator is an ONNX file like any other.

    x = 255 (G(h) - low) / (high - low);   after each step  h <- min(max((1 - decay) h, least), most)

Nguyen et al. 2016 (DGN-AM, arXiv 1605.09304): h from N(0, 1), decay 0.01, 200 steps along g / mean|g| from 8 to 0.
Nguyen et al. 2017 (PPGN, arXiv 1612.00005): h also drifts towards E(x), the code that an encoder reads off the image:

    h <- h + lr d / mean|d|,   d = e1 (E(x) - h) + dlog p(y | x) / dh + N(0, e3^2)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from onnxray.errors import InputError
from onnxray.graph.reading import read_graph
from onnxray.methods.synthesis.ascent.parametrizations import Parametrization, Shape, Tensors
from onnxray.model.model import Model
from onnxray.model.sources import Source


@dataclass(frozen=True, kw_only=True)
class CodePrior:
    """weight (E(x) - h) + N(0, noise^2), added to the objective's gradient by h; E(x) itself is not differentiated.

    Of the paper's e1, e2, e3 only the ratios count, for d is normalised: weight is e1 / e2, noise e3 / e2. Its noise of
    1e-17 is below what float32 keeps beside a gradient; it is kept for what a larger one does.
    """

    encode: Callable[[torch.Tensor], torch.Tensor] = field(repr=False)
    weight: float = 1e-5
    noise: float = 1e-17


@dataclass(frozen=True, kw_only=True)
class Generated(Parametrization):
    """Images of a generator by its code h, the middle of them where they are larger than the network's.

    code: the shape of one code. output: (low, high), the values that mean black and white. reverse: channels are BGR.
    limits: (least, most) of the code. prior: of the code, see there.
    """

    generate: Callable[[torch.Tensor], torch.Tensor] = field(repr=False)
    code: tuple[int, ...]
    output: tuple[float, float] = (-1.0, 1.0)
    reverse: bool = False
    decay: float = 0.01
    limits: tuple[float, float] = (-3.0, 3.0)
    prior: CodePrior | None = None

    def start(self, shape: Shape, random: torch.Generator, image: torch.Tensor | None) -> Tensors:
        """N(0, 1) within the limits, and the size of the image. Errors: InputError where the images do not fit."""
        if image is not None:
            raise InputError("a generator starts from random codes; give no image to begin from")
        code = torch.randn((shape[0], *self.code), generator=random).clamp(*self.limits)
        with torch.no_grad():
            made = tuple(self.generate(code).shape)
        if len(made) != 4 or made[:2] != shape[:2] or made[2] < shape[2] or made[3] < shape[3]:
            raise InputError(
                f"the generator gives {list(made)} for {shape[0]} codes; {list(shape)}, or larger in its last two "
                "numbers, was expected"
            )
        return code, torch.tensor(shape[2:])

    def image(self, parameters: Tensors) -> torch.Tensor:
        """The images, cut out of the middle."""
        height, width = parameters[1].tolist()
        made = self.generate(parameters[0])
        top, left = (made.shape[2] - height) // 2, (made.shape[3] - width) // 2
        made = made[:, :, top : top + height, left : left + width]
        low, high = self.output
        return 255 * ((made.flip(1) if self.reverse else made) - low) / (high - low)

    def drift(self, parameters: Tensors, image: torch.Tensor, random: torch.Generator) -> torch.Tensor | None:
        """The prior's."""
        if self.prior is None:
            return None
        code = parameters[0].detach()
        with torch.no_grad():
            read = self.prior.encode(image).to(code).reshape(code.shape)
        return self.prior.weight * (read - code) + self.prior.noise * torch.randn(code.shape, generator=random)

    def settle(self, parameters: Tensors, random: torch.Generator) -> None:
        """Decay and limits."""
        with torch.no_grad():
            parameters[0].mul_(1 - self.decay).clamp_(*self.limits)


def generated(
    source: Source, *, count: int, output: tuple[float, float], reverse: bool, decay: float, limits: tuple[float, float]
) -> Generated:
    """The parametrisation by a generator's file, for ``count`` codes at once.

    Errors: InputError where it is no generator: several inputs, or a code of unknown size; as for opening a model.
    """
    model = Model(read_graph(source), None)
    inputs, result = model.graph.inputs, model.graph.outputs[0].name
    shape = inputs[0].shape if len(inputs) == 1 else None
    if shape is None or len(shape) < 2 or not all(isinstance(side, int) for side in shape[1:]):
        raise InputError(
            f"the generator's inputs are {[(value.name, list(value.shape or ())) for value in inputs]}; one code of "
            "known size was expected"
        )
    code = tuple(int(side) for side in shape[1:] if isinstance(side, int))
    function = model.twin_for(count).differentiable((result,))
    return Generated(
        generate=lambda h: function(h)[result], code=code, output=output, reverse=reverse, decay=decay, limits=limits
    )


def encoder(
    model: Model, layer: str | None, *, shape: tuple[int, int, int], code: tuple[int, ...], count: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """E: images (count, *shape) in grey levels -> what ``model`` gives at ``layer``, its first output by default.

    Errors: InputError where it takes images of another shape, or gives another number of values than ``code`` has.
    """
    if model.profile is None or model.profile.shape != shape:
        taken = "no image (no profile fits it)" if model.profile is None else f"images of {list(model.profile.shape)}"
        raise InputError(
            f"the encoder takes {taken}; {list(shape)}, as the model does, was expected: --encoder-profile"
        )
    name = model.graph.outputs[0].name if layer is None else model.select_value(layer)
    function = model.twin_for(count).differentiable((name,))
    with torch.no_grad():
        made = list(function(torch.zeros(1, *shape))[name].shape)
    if not made or made[0] != 1 or np.prod(made) != np.prod(code):
        raise InputError(
            f"the encoder gives {made} at {name!r} for an image; {list(code)}, the generator's code, was expected: "
            "--encoder-layer"
        )
    return lambda images: function(images)[name]
