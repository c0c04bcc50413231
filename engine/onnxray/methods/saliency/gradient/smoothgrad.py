"""SmoothGrad (Smilkov et al. 2017, arXiv 1706.03825) and its kin, around any saliency method.

    mean      mean_k A(x + s e_k)                                 SmoothGrad
    square    mean_k A(x + s e_k)^2                               SmoothGrad-squared (Hooker et al. 2019, 1806.10758)
    variance  mean_k A(x + s e_k)^2 - (mean_k A(x + s e_k))^2     VarGrad (Adebayo et al. 2018, 1810.03307)

e_k standard normal numbers, s a share of each image's own (max - min), or grey levels; the noisy images are not
clipped. A is the smoothed method's signed attribution of every pixel and channel, reduced over the channels at the
end; of methods without one (the class-activation family), the map itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range, check_choices, check_range
from onnxray.methods.options_from_text import configured
from onnxray.methods.run import Run, silent
from onnxray.methods.saliency.base import Map, Saliency
from onnxray.methods.saliency.gradient.base import Attribution, PixelAttribution, block_size
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective

Average = Literal["mean", "square", "variance"]


@final
@dataclass(frozen=True, kw_only=True)
class SmoothGrad(Saliency):
    """The average of another method's map under noise on the image; its mean square or variance as options."""

    name: ClassVar[str] = "smoothgrad"
    images_only: ClassVar[bool] = False

    of: Annotated[str, "saliency method that is smoothed, by name"] = "gradient"
    setting: Annotated[
        str | tuple[str, ...], "option of the smoothed method, as OPTION=VALUE (channels=sum); may be repeated"
    ] = ()
    average: Annotated[Average, "mean: SmoothGrad; square: SmoothGrad-squared; variance: VarGrad"] = "mean"
    samples: Annotated[int, "noisy copies of each image", Range(1, 100_000)] = 50
    noise: Annotated[float, "standard deviation of the noise", Range(1e-6, 1e6)] = 0.15
    unit: Annotated[
        Literal["range", "absolute"], "what the noise is in: shares of each image's (max - min), or grey levels"
    ] = "range"

    def __post_init__(self) -> None:
        check_choices(self)
        if self.average == "variance":
            check_range("samples", self.samples, 2, 100_000)
        self.smoothed()

    def smoothed(self) -> Saliency:
        """The method that is smoothed. Errors: InputError."""
        from onnxray.methods.catalogue import family

        if self.of == self.name:
            raise InputError(f"{self.name} of {self.name} is {self.name} with more samples; name another method")
        settings = (self.setting,) if isinstance(self.setting, str) else self.setting
        own = {one.name for one in fields(Saliency)}
        for setting in settings:
            if setting.partition("=")[0].replace("-", "_") in own:
                raise InputError(f"the setting {setting!r} is {self.name}'s own option; state it there")
        known = family(Saliency)  # type: ignore[type-abstract]
        return configured(known, (self.of,), [f"{self.of}.{setting}" for setting in settings])[0]

    def refuse_if_unfit(self, model: Model) -> None:
        """Refuse where the method that is smoothed does."""
        self.smoothed().refuse_if_unfit(model)

    def map_unit(self, score: str, step: str) -> str:
        """That of the method that is smoothed, squared where squares are averaged."""
        own = self.smoothed().map_unit(score, step)
        return own if self.average == "mean" or not own else f"({own}) squared"

    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """One average an image, and layer where the smoothed method has several."""
        method = self.smoothed()
        for row, own in run.units(range(len(pixels))):
            # Two streams: what the smoothed method draws must not move the noise.
            noise, theirs = (np.random.default_rng(seed) for seed in own.random.integers(2**63, size=2))
            inner = Run(theirs, silent, own.notes)
            found: dict[str | None, _Moments] = {}
            scale = self._scale(pixels, row)
            size = block_size(pixels)
            for first in range(0, self.samples, size):
                run.progress(row * self.samples + first, len(pixels) * self.samples, f"of {method.name}")
                count = min(size, self.samples - first)
                drawn = scale * noise.standard_normal((count, *pixels.array.shape[1:]))
                rows = np.full(count, row)
                noisy = pixels.rows(rows).replaced(pixels.array[row] + drawn.astype(pixels.array.dtype))
                for one in _maps_of(method, model, noisy, objective.rows(rows), inner):
                    found.setdefault(one.layer, _Moments(one)).add(one)
            for moments in found.values():
                yield row, self._map(method, model, pixels, row, objective, moments)

    def _scale(self, pixels: Pixels, row: int) -> float:
        """The noise's standard deviation in the image's own units."""
        if self.unit == "absolute":
            return self.noise
        extent = float(pixels.array[row].max()) - float(pixels.array[row].min())
        if not extent:
            raise InputError(
                f"{pixels.names[row] or f'image {row}'} is of one colour, so a share of its range is no noise; "
                "state the noise in grey levels: --unit absolute --noise 20"
            )
        return self.noise * extent

    def _map(
        self, method: Saliency, model: Model, pixels: Pixels, row: int, objective: Objective, moments: _Moments
    ) -> Map:
        array = moments.average(self.average).astype(np.float32)
        numbers = {"smoothed": method.name, "noise_scale": self._scale(pixels, row), **moments.largest}
        reason = moments.reason and f"in {moments.reasons} of {self.samples} samples: {moments.reason}"
        if isinstance(method, PixelAttribution):
            attribution = Attribution(array=array, numbers=numbers, reason=reason)
            made = method.map_of(attribution, model, pixels, row, objective)
        else:
            made = replace(moments.first, heat=array, attribution=None, numbers=numbers, reason=reason)
        return replace(made, signed=made.signed and self.average == "mean")


def _maps_of(method: Saliency, model: Model, noisy: Pixels, objective: Objective, run: Run) -> Iterator[Map]:
    """The smoothed method's maps of all noisy images; the attributions before they are reduced, where it has them."""
    if not isinstance(method, PixelAttribution):
        for _, found in method.maps(model, noisy, objective, run):
            yield found
        return
    for _, one in method.attributions(model, noisy, objective, run):
        yield Map(heat=one.array, numbers=one.numbers, reason=one.reason)


class _Moments:
    """Sums of the maps' differences from the first: the variance of maps that are much alike keeps its digits."""

    def __init__(self, first: Map) -> None:
        self.first = first
        self.origin = first.heat.astype(np.float64)
        self.count, self.reasons = 0, 0
        self.sum, self.squares = np.zeros_like(self.origin), np.zeros_like(self.origin)
        self.reason: str | None = None
        self.largest: dict[str, float] = {}

    def add(self, found: Map) -> None:
        """One more sample."""
        difference = found.heat - self.origin
        self.count += 1
        self.sum += difference
        self.squares += difference**2
        self.reason = self.reason or found.reason
        self.reasons += found.reason is not None
        for name, value in found.numbers.items():
            if isinstance(value, int | float):
                self.largest[f"largest_{name}"] = max(value, self.largest.get(f"largest_{name}", value))

    def average(self, kind: Average) -> NDArray[np.float64]:
        """The mean, the mean square or the variance of what was added."""
        shift = self.sum / self.count
        variance = np.maximum(self.squares / self.count - shift**2, 0)
        mean = self.origin + shift
        return {"mean": mean, "variance": variance, "square": variance + mean**2}[kind]
