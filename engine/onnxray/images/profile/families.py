"""The well-known preprocessings by name, and how each completes itself from a graph's input.

input = (scale * pixels[channels] - mean) / std          (profile.py)

caffe-imagenet   BGR  x - (104, 117, 123)                     torchvision  RGB  (x/255 - ImageNet mean) / ImageNet std
vgg-face         BGR  x - (93.5940, 104.7624, 129.1863)       timm-half    RGB  (x/255 - 0.5) / 0.5
tensorflow       RGB  x/127.5 - 1                             unit         RGB  x/255
lenet            grey x/256                                   raw          RGB  x

How pictures of another size are brought to the model's:

caffe-imagenet        stretched to 256x256, then the centre, as Caffe's classify.py does
tensorflow            stretched, the nearest pixel taken, as keras.utils.load_img(path, target_size=...) does
lenet                 stretched
timm-half             shorter side to size / 0.9, then the centre, bicubic, as timm does
the others            shorter side to size / 0.875, then the centre, bilinear, as torchvision does
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from onnxray.errors import ProfileError
from onnxray.errors.short_values import LONGEST_SHOWN, short
from onnxray.graph.classifier.output import features_of, logits_of
from onnxray.images.profile.graph_scaling import input_scaling
from onnxray.images.profile.profile import MAX_SIDE, Channels, Interpolation, Layout, Profile, Resize

if TYPE_CHECKING:
    from onnxray.graph.facts import Graph

FLOATS: Final = frozenset({"float16", "bfloat16", "float32", "float64"})
_MOST_DIMENSIONS: Final = 12
# int8 cannot hold 255, so it is no type of pixels.
INTEGERS: Final = frozenset({"uint8", "uint16", "int16", "int32", "int64"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageInput:
    """What the graph says about its one image input; None where it leaves a dimension free or does not say."""

    name: str
    dtype: str
    layout: Layout | None
    channels: int | None
    height: int | None
    width: int | None
    reasons: tuple[str, ...]


def image_input(graph: Graph) -> ImageInput:
    """Read the image input's layout, channels and size off its shape.

    Errors: ProfileError saying why the graph's input is no image: several inputs, not four dimensions, no channel
    dimension of 1 or 3, no number type that holds pixels.
    """
    if len(graph.inputs) != 1:
        names = ", ".join(value.name[:LONGEST_SHOWN] for value in graph.inputs[:5])
        raise ProfileError(f"the model has {len(graph.inputs)} inputs ({names}); a profile describes one image input")
    value = graph.inputs[0]
    what = f"the model's input {short(value.name)}"
    if value.dtype not in FLOATS | INTEGERS:
        raise ProfileError(f"{what} is {value.dtype}; expected a type that holds pixels, such as float32 or uint8")
    if value.shape is None:
        return ImageInput(
            name=value.name, dtype=value.dtype, layout=None, channels=None, height=None, width=None, reasons=()
        )
    if len(value.shape) != 4:
        raise ProfileError(f"{what} has shape {shown(value.shape)}; expected four dimensions, NCHW or NHWC")
    # Exporters write 0 or -1 where they mean a free dimension.
    _, first, _, last = dims = [size if isinstance(size, int) and size > 0 else None for size in value.shape]
    layout: Layout | None
    if first in (1, 3):
        layout, why = "NCHW", f"dimension 1 is {first}"
    elif last in (1, 3):
        layout, why = "NHWC", f"the last dimension is {last} and dimension 1 is not 1 or 3"
    elif first is not None and last is not None:
        raise ProfileError(
            f"{what} has shape {shown(value.shape)}; expected 1 or 3 channels in dimension 1 or the last"
        )
    else:
        layout, why = ("NCHW" if last else "NHWC" if first else None), "the other end is fixed and no channel count"
    channels, height, width = (dims[3], dims[1], dims[2]) if layout == "NHWC" else (dims[1], dims[2], dims[3])
    return ImageInput(
        name=value.name,
        dtype=value.dtype,
        layout=layout,
        channels=channels,
        height=height if layout else None,
        width=width if layout else None,
        reasons=(f"layout {layout}: {why}",) if layout else (),
    )


def shown(shape: tuple[int | str | None, ...] | None) -> str:
    """Return a shape as people write it; what is free is shown by its name or as ?."""
    if shape is None:
        return "unknown"
    sizes = ["?" if size is None else str(size)[:LONGEST_SHOWN] for size in shape[:_MOST_DIMENSIONS]]
    return "(" + ", ".join([*sizes, *(["..."] if len(shape) > len(sizes) else [])]) + ")"


def free_size(found: ImageInput, default: tuple[int, int]) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Return the size with the graph's free sides filled in, and the reason where one was."""
    size = (found.height or default[0], found.width or default[1])
    if max(size) > MAX_SIDE:
        raise ProfileError(
            f"the model's input {short(found.name)} is {size[0]}x{size[1]}; at most {MAX_SIDE} a side is taken"
        )
    if found.height and found.width:
        return size, ()
    return size, (f"size {size[0]}x{size[1]}: the model leaves height or width free",)


def averaged(values: tuple[float, ...]) -> tuple[float]:
    """Return the mean over the channels, for the one channel of a grey model."""
    return (sum(values) / len(values),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """input = (scale * pixels[channels] - mean) / std; layout, size, channels, logits and features are the graph's.

    canonical: the side of the square that pictures are stretched to, whatever the input's size, before its centre is
    cut out, half pixels rounded down.
    """

    name: str
    channels: Channels
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int] = (224, 224)
    resize: Resize = "crop"
    interpolation: Interpolation = "bilinear"
    crop_fraction: float = 0.875
    canonical: int | None = None
    fill: float | None = None

    def resized(self, size: tuple[int, int]) -> tuple[int, int] | None:
        """What pictures are stretched to before the centre is cut: canonical, where the input is near it.

        Smaller and larger inputs keep the proportion of 224 to 256.
        """
        if self.canonical is None:
            return None
        if all(0.75 * self.canonical < side <= self.canonical for side in size):
            return self.canonical, self.canonical
        high, wide = (min(int(side / self.crop_fraction), MAX_SIDE) for side in size)
        return high, wide

    def complete(self, graph: Graph, *, source: str, assumed: bool = False, reasons: tuple[str, ...] = ()) -> Profile:
        """Return the family's profile for a graph: layout, size, channels, logits and features are the graph's.

        A colour family on a grey input takes the average of its mean and std, and says so in the reasons.
        Errors: ProfileError if the input is no image, or has three channels where the family is grey.
        """
        found = image_input(graph)
        grey = found.channels == 1 or (found.channels is None and self.channels == "GREY")
        if self.channels == "GREY" and not grey:
            raise ProfileError(
                f"profile {self.name!r} is grey, the model's input {short(found.name)} has {found.channels} channels; "
                "choose a family of colour"
            )
        if grey and (len(set(self.mean)) > 1 or len(set(self.std)) > 1):
            reasons = (*reasons, f"grey: the model has one channel, so {self.name}'s mean and std are averaged")
        size, why = free_size(found, (28, 28) if grey and assumed else self.size)
        return Profile(
            name=self.name,
            layout=found.layout or "NCHW",
            channels="GREY" if grey else self.channels,
            scale=self.scale,
            mean=averaged(self.mean) if grey else self.mean,
            std=averaged(self.std) if grey else self.std,
            size=size,
            resize=self.resize,
            interpolation=self.interpolation,
            crop_fraction=self.crop_fraction,
            resized=self.resized(size),
            crop_offset="round" if self.canonical is None else "floor",
            fill=self.fill,
            logits=logits_of(graph),
            features=features_of(graph),
            source=source,
            assumed=assumed,
            reasons=(*reasons, *found.reasons, *why),
        )


_ZEROS: Final = (0.0, 0.0, 0.0)
_ONES: Final = (1.0, 1.0, 1.0)
_HALVES: Final = (0.5, 0.5, 0.5)
_ALL: Final = (
    # Caffe's classify.py: stretched to 256x256, then the centre, with Pillow's anti-aliased bilinear in place of
    # scikit-image's, which skips rows where it reduces.
    Family(
        name="caffe-imagenet",
        channels="BGR",
        scale=1.0,
        mean=(104.0, 117.0, 123.0),
        std=(1.0, 1.0, 1.0),
        resize="stretch",
        canonical=256,
    ),
    Family(name="vgg-face", channels="BGR", scale=1.0, mean=(93.5940, 104.7624, 129.1863), std=(1.0, 1.0, 1.0)),
    Family(name="torchvision", channels="RGB", scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    Family(
        name="timm-half",
        channels="RGB",
        scale=1 / 255,
        interpolation="bicubic",
        crop_fraction=0.9,
        mean=_HALVES,
        std=_HALVES,
    ),
    # keras.applications: keras.utils.load_img(path, target_size=...) stretches, and takes the nearest pixel.
    Family(
        name="tensorflow",
        channels="RGB",
        scale=1 / 127.5,
        mean=(1.0, 1.0, 1.0),
        std=(1.0, 1.0, 1.0),
        resize="stretch",
        interpolation="nearest",
    ),
    Family(name="unit", channels="RGB", scale=1 / 255, mean=_ZEROS, std=_ONES),
    Family(name="raw", channels="RGB", scale=1.0, mean=_ZEROS, std=_ONES),
    Family(name="lenet", channels="GREY", scale=1 / 256, mean=(0.0,), std=(1.0,), size=(28, 28), resize="stretch"),
)
FAMILIES: Final[Mapping[str, Family]] = MappingProxyType({family.name: family for family in _ALL})


def guess_family(graph: Graph, found: ImageInput) -> tuple[Family, str]:
    """Return the likeliest family of a graph that says nothing of its preprocessing, and why.

    What the graph scales itself is not scaled before; the geometry then is that of the family of its producer.
    """
    if found.dtype in INTEGERS:
        return FAMILIES["raw"], f"raw: the input is {found.dtype}"
    family, why = _by_producer(graph, found)
    if found.layout is None or found.channels is None:
        return family, why
    scaling = input_scaling(graph, 1 if found.layout == "NCHW" else 3, found.channels)
    if scaling is None:
        return family, why
    plain = FAMILIES[scaling.pixels]
    numbers = replace(family, name=plain.name, scale=plain.scale, mean=plain.mean, std=plain.std)
    if found.channels == 3:
        numbers = replace(numbers, channels="BGR" if scaling.blue_first or family.channels == "BGR" else "RGB")
    return numbers, f"{plain.name}: {scaling.why}"


def _by_producer(graph: Graph, found: ImageInput) -> tuple[Family, str]:
    producer = graph.producer.lower()
    said = f"the producer is {short(graph.producer)}"
    if "cntk" in producer:
        return FAMILIES["raw"], f"raw: {said}"
    if found.channels == 1:
        small = (found.height, found.width) == (28, 28)
        if small and ("caffe" in producer or found.name == "data"):
            return FAMILIES["lenet"], f"lenet: grey 28x28, input {short(found.name)}, {said}"
        return FAMILIES["unit"], f"unit: a grey input, {said}"
    if "caffe" in producer:
        return FAMILIES["caffe-imagenet"], f"caffe-imagenet: {said}"
    if "pytorch" in producer:
        return FAMILIES["torchvision"], f"torchvision: three channels, {said}"
    if any(name in producer for name in ("keras", "tf2onnx")):
        return FAMILIES["tensorflow"], f"tensorflow: {said}"
    return FAMILIES["unit"], f"unit: nothing tells more, {said}"
