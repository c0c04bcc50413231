"""The deconvolution network (Zeiler, Fergus 2014, arXiv 1311.2901, section 2.1).

    R = max(g, 0) at every rectifier; everything else as the gradient

g is what comes from above: the rectifier's own input is not asked. Unpooling by the switches of a max-pooling is its
gradient. The map is the image R at the pixels, a grey level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

from onnxray.methods.saliency.gradient.rectifiers import RectifierAttribution


@final
@dataclass(frozen=True, kw_only=True)
class DeconvNet(RectifierAttribution):
    """The target projected down to the pixels, rectified on the way down instead of by what was on."""

    name: ClassVar[str] = "deconvnet"
    rule: ClassVar[Literal["guided", "deconvnet"]] = "deconvnet"
