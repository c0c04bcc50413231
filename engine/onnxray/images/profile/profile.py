"""The profile: how pixels become a model's input, written once for numpy and for torch.

    input = (scale * pixels[the model's channel order] - mean) / std

pixels: float NCHW, RGB or grey, in [0, 255]. mean and std stand in the model's channel order, in scaled units.
The layout (NCHW or NHWC) is applied last. Where a profile comes from is told in discovery.py, its TOML
form in toml_form.py, the well-known preprocessings in families.py, resizing in images/pixels.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, get_args, overload

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError, ProfileError
from onnxray.errors.short_values import short
from onnxray.errors.type_checks import check_has, check_kind
from onnxray.graph.outputs.label_checks import label_fault
from onnxray.graph.outputs.stated import StatedOutput
from onnxray.images.profile.mean_image import MeanImage
from onnxray.notebooks.displayed import Displayed, one_line

if TYPE_CHECKING:
    import torch

Layout = Literal["NCHW", "NHWC"]
Channels = Literal["RGB", "BGR", "GREY"]
Resize = Literal["stretch", "crop", "pad"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
CropOffset = Literal["round", "floor", "start"]
Floats = NDArray[np.floating[Any]]

_CHOICES: Final = {
    "layout": Layout,
    "channels": Channels,
    "resize": Resize,
    "interpolation": Interpolation,
    "crop_offset": CropOffset,
}
# Larger sides are a slip of the pen or an attack on memory: one image of this size already takes 3 GB.
MAX_SIDE: Final = 16384
MAX_NAME: Final = 1000
"""Characters of a profile's own name and of what it says of its source."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile(Displayed):
    """input = (scale * pixels[the model's channel order] - mean) / std, laid out as NCHW or NHWC.

    mean is one number a channel, or a MeanImage; std one number a channel; size is (height, width). resize says how
    pictures of another size are brought to it: "stretch"; "crop" (shorter side to size / crop_fraction, then the
    centre); "pad" (fitted inside, centred, the rest filled). resized, (height, width), is what is stretched to, covered
    or fitted into where that is not what the rule itself says; its centre becomes the input. crop_offset: half a pixel
    is rounded as torchvision does ("round") or down; "start": the upper left corner in place of the centre. fill: the
    grey level around pictures, None for the mean colour. labels are the class names in the order of the logits;
    labels_assumed says why where nobody stated them. logits and features name values of the graph; None leaves them to
    what the graph shows. head states the output that is answered with, and what it is. source says where the profile
    was found; assumed that it was inferred, which no check of the graph can prove right; reasons why each inferred
    field was chosen.

    Errors: ProfileError names the offending field, its value and what was expected.
    """

    name: str
    layout: Layout
    channels: Channels
    scale: float
    mean: tuple[float, ...] | MeanImage
    std: tuple[float, ...]
    size: tuple[int, int]
    resize: Resize = "crop"
    interpolation: Interpolation = "bilinear"
    crop_fraction: float = 0.875
    resized: tuple[int, int] | None = None
    crop_offset: CropOffset = "round"
    fill: float | None = None
    range: tuple[float, float] = (0.0, 255.0)
    labels: tuple[str, ...] | None = field(default=None, repr=False)
    labels_assumed: str | None = None
    logits: str | None = None
    features: str | None = None
    head: StatedOutput | None = None
    source: str = "given"
    assumed: bool = False
    reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key in ("name", "source"):
            self._check_text(key, getattr(self, key))
            if len(getattr(self, key)) > MAX_NAME:
                self._refuse(key, getattr(self, key), f"at most {MAX_NAME} characters")
        for key in ("logits", "features"):
            if getattr(self, key) is not None:
                self._check_text(key, getattr(self, key))
        for key, kind in _CHOICES.items():
            self._check_choice(key, get_args(kind))
        self._check_numbers()
        if self.labels is not None:
            if (fault := label_fault(self.labels)) is not None:
                self._refuse("labels", *fault)
            object.__setattr__(self, "labels", tuple(self.labels))
        check_kind("a profile's head", self.head, StatedOutput | None)
        check_kind("a profile's labels_assumed", self.labels_assumed, str | None)
        check_kind("a profile's reasons", self.reasons, tuple[str, ...])
        check_kind("a profile's assumed", self.assumed, bool)
        object.__setattr__(self, "reasons", tuple(self.reasons))

    def _check_numbers(self) -> None:
        for key in ("scale", "crop_fraction"):
            object.__setattr__(self, key, self._number(key, getattr(self, key)))
        if self.scale == 0:
            self._refuse("scale", self.scale, "a number other than 0")
        if not 0.01 <= self.crop_fraction <= 1:
            self._refuse("crop_fraction", self.crop_fraction, "a number from 0.01 to 1")
        object.__setattr__(self, "size", self._sides("size", self.size))
        if self.resized is not None:
            object.__setattr__(self, "resized", self._sides("resized", self.resized))
        if self.fill is not None:
            object.__setattr__(self, "fill", self._number("fill", self.fill))
            if not 0 <= self.fill <= 255:
                self._refuse("fill", self.fill, "a grey level from 0 to 255")
        if self._tuple("range", self.range, 2) != (0.0, 255.0):
            self._refuse("range", self.range, "[0, 255], the only range of pixels there is")
        object.__setattr__(self, "range", (0.0, 255.0))
        if isinstance(self.mean, MeanImage):
            if self.mean.array.shape != (self.channel_count, *self.size):
                hint = "cut its centre to the model's size, or write one number a channel"
                self._refuse(
                    "mean", f"an image of shape {self.mean.array.shape}", f"{(self.channel_count, *self.size)}; {hint}"
                )
        else:
            object.__setattr__(self, "mean", self._tuple("mean", self.mean, self.channel_count))
        object.__setattr__(self, "std", self._tuple("std", self.std, self.channel_count))
        if 0.0 in self.std or not all(map(math.isfinite, self._factors)):
            self._refuse("std", list(self.std), "no zero among them (1 leaves the values as they are)")
        if not isinstance(self.mean, MeanImage) and not all(math.isfinite(m / s) for m, s in zip(self.mean, self.std)):
            self._refuse("mean", list(self.mean), "numbers that std divides into finite ones")

    def _refuse(self, key: str, value: object, expected: str) -> NoReturn:
        shown = value if isinstance(value, str) and value.startswith("an image") else short(value)
        origin = self.source[:80] if isinstance(self.source, str) else ""
        raise ProfileError(f"profile {short(self.name)} ({origin}): {key} is {shown}; expected {expected}")

    def _check_choice(self, key: str, choices: tuple[str, ...]) -> None:
        if not isinstance(getattr(self, key), str) or getattr(self, key) not in choices:
            self._refuse(key, getattr(self, key), "one of " + ", ".join(choices))

    def _check_text(self, key: str, value: object) -> None:
        if not isinstance(value, str) or not value:
            self._refuse(key, value, "text")
        try:
            value.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can carry and no file can
            self._refuse(key, value, "text that can be written as UTF-8")

    def _number(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
            self._refuse(key, value, "a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self._refuse(key, value, "a finite number")
        return number

    def _sides(self, key: str, value: object) -> tuple[int, int]:
        pair = value if isinstance(value, Sequence) and len(value) == 2 else ()
        if not pair or not all(type(n) is int and 1 <= n <= MAX_SIDE for n in pair):
            self._refuse(key, value, f"[height, width], two whole numbers from 1 to {MAX_SIDE}")
        return pair[0], pair[1]

    def _tuple(self, key: str, value: object, count: int) -> tuple[float, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != count:
            self._refuse(key, value, f"a list of {count} number{'s' if count > 1 else ''}")
        return tuple(self._number(key, one) for one in value)

    def __repr__(self) -> str:
        height, width = self.size
        labels = "" if self.labels is None else f", {len(self.labels)} labels"
        source = "ASSUMED" if self.assumed else self.source
        return one_line(self, f"{self.name}: {self.channels} {height}x{width}, {self.resize}{labels}; from: {source}")

    @property
    def channel_count(self) -> Literal[1, 3]:
        """1 for grey, else 3."""
        return 1 if self.channels == "GREY" else 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the pixels of one image."""
        return (self.channel_count, *self.size)

    @property
    def mean_colour(self) -> tuple[float, ...]:
        """mean / scale clipped to [0, 255]: the colour that becomes an input of zero, in the order of the pixels."""
        mean = self.mean.array.mean(axis=(1, 2)).tolist() if isinstance(self.mean, MeanImage) else self.mean
        colour = tuple(min(max(value / self.scale, 0.0), 255.0) for value in mean)
        return colour[::-1] if self.channels == "BGR" else colour

    @property
    def fill_colour(self) -> tuple[float, ...]:
        """What lies around a picture that is smaller than the input, in the order of the pixels."""
        return self.mean_colour if self.fill is None else (self.fill,) * self.channel_count

    @property
    def is_identity(self) -> bool:
        """Whether the numbers stay as they are (channels and axes may still move); integer inputs demand it."""
        plain = not isinstance(self.mean, MeanImage) and not any(self.mean)
        return plain and self.scale == 1 and set(self.std) == {1.0}

    @overload
    def encode(self, pixels: Floats) -> Floats: ...
    @overload
    def encode(self, pixels: torch.Tensor) -> torch.Tensor: ...
    def encode(self, pixels: Any) -> Any:
        """(scale * pixels[the model's channel order] - mean) / std as one fused map x * a + b, in the model's layout.

        pixels: floats of shape (N, channels, height, width), RGB or grey, in [0, 255]; numpy array or torch tensor,
        through which torch differentiates. The kind of float is kept. What needs no change is returned itself, not a
        copy. Errors: InputError for another shape or for integers.
        """
        numpy = isinstance(pixels, np.ndarray)
        check_has("the pixels", pixels, "ndim", "dtype")
        floats = pixels.dtype.kind == "f" if numpy else bool(pixels.is_floating_point())
        if not floats or pixels.ndim != 4 or pixels.shape[1] != self.channel_count:
            raise InputError(
                f"pixels of shape {tuple(pixels.shape)} and type {pixels.dtype}; "
                f"expected floats of shape (N, {self.channel_count}, height, width)"
            )
        if isinstance(self.mean, MeanImage) and tuple(pixels.shape[2:]) != self.size:
            raise InputError(f"pixels of {tuple(pixels.shape[2:])}; the mean image of the profile asks for {self.size}")
        x = pixels
        if self.channels == "BGR":
            x = x[:, ::-1] if numpy else x.flip(1)
        # Two roundings, multiplication and addition, in this order for both: numpy and torch give the same bits.
        if any(factor != 1.0 for factor in self._factors):
            x = x * _constant(self._factors, x)
        if isinstance(self.mean, MeanImage):
            x = x + _constant(-self.mean.array / np.reshape(self.std, (-1, 1, 1)), x)
        elif any(self.mean):
            x = x + _constant(tuple(-m / s for m, s in zip(self.mean, self.std)), x)
        if self.layout == "NHWC":
            x = x.transpose(0, 2, 3, 1) if numpy else x.permute(0, 2, 3, 1)
        return np.ascontiguousarray(x) if numpy else x

    @property
    def _factors(self) -> tuple[float, ...]:
        return tuple(self.scale / s for s in self.std)

    def decode(self, inputs: Floats) -> Floats:
        """(input * std + mean) / scale in the pixels' order and NCHW: the inverse of encode, for numpy arrays.

        Computed in float64 and given back in the kind of float that came; nothing is rounded or clipped.
        Errors: InputError for an array of another shape.
        """
        axis = 1 if self.layout == "NCHW" else 3
        check_kind("the input", inputs, np.ndarray)
        if inputs.dtype.kind != "f" or inputs.ndim != 4 or inputs.shape[axis] != self.channel_count:
            raise InputError(
                f"an input of shape {inputs.shape} and type {inputs.dtype}; "
                f"expected floats in the layout {self.layout} with {self.channel_count} channels"
            )
        x = np.moveaxis(inputs.astype(np.float64), axis, 1)
        mean = self.mean.array if isinstance(self.mean, MeanImage) else np.reshape(self.mean, (-1, 1, 1))
        x = (x * np.reshape(self.std, (-1, 1, 1)) + mean) / self.scale
        if self.channels == "BGR":
            x = x[:, ::-1]
        return np.ascontiguousarray(x, dtype=inputs.dtype)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; labels as their count, a mean image as its file name, sha256 and shape."""
        mean: Any = (
            list(self.mean)
            if not isinstance(self.mean, MeanImage)
            else {
                "path": self.mean.path,
                "sha256": self.mean.sha256,
                "shape": list(self.mean.array.shape),
            }
        )
        return {
            "name": self.name,
            "layout": self.layout,
            "channels": self.channels,
            "scale": self.scale,
            "mean": mean,
            "std": list(self.std),
            "size": list(self.size),
            "resize": self.resize,
            "interpolation": self.interpolation,
            "crop_fraction": self.crop_fraction,
            "resized": None if self.resized is None else list(self.resized),
            "crop_offset": self.crop_offset,
            "fill": self.fill,
            "range": list(self.range),
            "labels": None if self.labels is None else len(self.labels),
            **({} if self.labels_assumed is None else {"labels_assumed": self.labels_assumed}),
            "logits": self.logits,
            "features": self.features,
            **({} if self.head is None else {"head": self.head.to_dict()}),
            "source": self.source,
            "assumed": self.assumed,
            "reasons": list(self.reasons),
        }


def _constant(values: tuple[float, ...] | Floats, like: Any) -> Any:
    """Return a number where all are equal, else an array or tensor that broadcasts over (N, C, H, W).

    Nothing is cached: a tensor made under torch.inference_mode() would poison later gradients, and making it anew
    costs microseconds.
    """
    if isinstance(values, tuple):
        if len(set(values)) == 1:
            return values[0]
        values = np.reshape(values, (1, -1, 1, 1))
    if isinstance(like, np.ndarray):
        return values.astype(like.dtype)
    return like.new_tensor(values)
