"""Guided backpropagation (Springenberg, Dosovitskiy, Brox, Riedmiller 2015, arXiv 1412.6806, section 3.4).

    R = f'(h) max(g, 0) at every rectifier f; everything else as the gradient

g is what comes from above, h the rectifier's input. For Relu: R = g where g > 0 and h > 0, else 0. The map is the
paper's image R at the pixels, a grey level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

from onnxray.methods.saliency.gradient.rectifiers import RectifierAttribution


@final
@dataclass(frozen=True, kw_only=True)
class GuidedBackpropagation(RectifierAttribution):
    """The gradient that lets through, at each rectifier that is on, what speaks for the target alone."""

    name: ClassVar[str] = "guided-backpropagation"
    rule: ClassVar[Literal["guided", "deconvnet"]] = "guided"
