"""What the converter of a layer sees: what it reads, its options and weights, and how it writes ONNX nodes.

A converter is a function of a Scope that gives the blobs it computes, one a top. The last node of each is called as the
layer's output is; nodes before it get names of their own behind the layer's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
from numpy.typing import NDArray

from onnxray_adapters.caffe.limits import AXES, ELEMENTS
from onnxray_adapters.caffe.net import Layer
from onnxray_adapters.caffe.options import Options
from onnxray_adapters.caffe.weights import StoredBlob, without_ones

Array = NDArray[np.float32]

LOCATION: Final = "weights"
"""Where weights lie that are left in the caffemodel, until its place is known."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A value: its shape with the prototxt's own batch, and whether its first axis counts free samples."""

    name: str
    shape: tuple[int, ...]
    batched: bool = False

    @property
    def axes(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def onnx_shape(self) -> tuple[int | str, ...]:
        """The shape as ONNX states it."""
        return ("N", *self.shape[1:]) if self.batched else self.shape


class FixedBatch(Exception):
    """A layer states or mixes samples, so that the net can only have the batch that its prototxt states."""


@dataclass(slots=True)
class Writer:
    """Nodes and weights as they are written. free: whether the number of samples is left free."""

    free: bool
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def fresh(self, wished: str) -> str:
        """A name that nothing else has."""
        found, number = wished, 1
        while found in self.taken:
            number += 1
            found = f"{wished}_{number}"
        self.taken.add(found)
        return found


@dataclass(frozen=True, slots=True)
class Scope:
    """One layer at the point where it is converted."""

    layer: Layer
    inputs: tuple[Blob, ...]
    blobs: tuple[StoredBlob, ...]
    writer: Writer
    read: Callable[[StoredBlob], Array] = field(repr=False)

    def refuse(self, why: str) -> NoReturn:
        """Refuse the layer, by its name, type and line."""
        raise ValueError(f"{self.layer.place}: {why}")

    def options(self, name: str) -> Options:
        """The layer's options in one of its fields."""
        return self.layer.options(name)

    def bottom(self, count: int = 1) -> Blob:
        """The first of ``count`` blobs that are read."""
        if len(self.inputs) != count:
            self.refuse(f"it reads {len(self.inputs)} blobs; {count} were expected")
        return self.inputs[0]

    def axis(self, axis: int, blob: Blob, *, end: int = 0) -> int:
        """An axis counted from the front. end: how many behind the last one are taken too."""
        found = axis + blob.axes if axis < 0 else axis
        if not 0 <= found < blob.axes + end:
            self.refuse(f"axis {axis} of a blob of {blob.axes} axes, {shown(blob.shape)}")
        return found

    def keep_samples(self, *blobs: Blob) -> None:
        """The layer works on axis 0, which must be no free batch then."""
        if any(blob.batched for blob in blobs):
            raise FixedBatch

    def weight(self, index: int, shape: Sequence[int], expected: str, dims: Sequence[int] | None = None) -> str:
        """The blob of this number as an initialiser, left where it lies. dims: as the node reads it."""
        blob = self._blob(index, shape, expected)
        name = self.writer.fresh(f"{self.layer.name}.{index}")
        wanted = list(shape if dims is None else dims)
        if blob.array is not None:
            self.writer.weights.append(onnx.numpy_helper.from_array(blob.array.reshape(wanted), name))
            return name
        tensor = onnx.TensorProto(name=name, data_type=onnx.TensorProto.FLOAT, dims=wanted)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        pairs = {"location": LOCATION, "offset": str(blob.offset), "length": str(4 * blob.count)}
        for key, value in pairs.items():
            tensor.external_data.add(key=key, value=value)
        self.writer.weights.append(tensor)
        return name

    def numbers(self, index: int, shape: Sequence[int], expected: str) -> Array:
        """The numbers of a blob, for what is computed from them now."""
        return self.read(self._blob(index, shape, expected)).reshape(tuple(shape))

    def has_blobs(self, count: int) -> None:
        """Check how many blobs the layer has."""
        if len(self.blobs) != count:
            self.refuse(f"the caffemodel has {len(self.blobs)} blobs for it; {count} were expected")

    def _blob(self, index: int, shape: Sequence[int], expected: str) -> StoredBlob:
        if index >= len(self.blobs):
            self.refuse(f"the caffemodel has {len(self.blobs)} blobs for it; its {expected} is not among them")
        blob = self.blobs[index]
        if blob.plain_shape != without_ones(tuple(shape)):
            self.refuse(
                f"its {expected} is {shown(blob.shape)} in the caffemodel; {shown(shape)} was expected by the prototxt"
            )
        return blob

    def constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        """Numbers as an initialiser behind the layer's name."""
        own = self.writer.fresh(f"{self.layer.name}.{name}")
        self.writer.weights.append(onnx.numpy_helper.from_array(np.asarray(value, dtype), own))
        return own

    def inner(self, operator: str, reads: Sequence[str], name: str, **attributes: Any) -> str:
        """A node before the last one."""
        value = self.writer.fresh(f"{self.layer.name}.{name}")
        self._node(operator, reads, [value], value, attributes)
        return value

    def result(
        self, operator: str, reads: Sequence[str], shape: Sequence[int], *, batched: bool | None = None,
        top: int = 0, **attributes: Any,
    ) -> Blob:  # fmt: skip
        """The node that gives a top. batched: whether the samples stay on axis 0; as what is read, where left out."""
        found = self.blob(shape, batched=batched, top=top)
        self._node(operator, reads, [found.name], found.name, attributes)
        return found

    def blob(self, shape: Sequence[int], *, batched: bool | None = None, top: int = 0) -> Blob:
        """A top of this shape. Refuses one that is empty or larger than any net's."""
        if any(size < 1 for size in shape):
            self.refuse(f"it computes a blob of {shown(shape)}, which is empty")
        samples = any(one.batched for one in self.inputs) if batched is None else batched
        if math.prod(shape[1:] if samples else shape) > ELEMENTS or len(shape) > AXES:
            self.refuse(f"it computes a blob of {shown(shape)}; {ELEMENTS:,} numbers on {AXES} axes are the most")
        return Blob(self.layer.outputs[top], tuple(int(size) for size in shape), samples)

    def nodes(self, operator: str, reads: Sequence[str], writes: Sequence[str], **attributes: Any) -> None:
        """A node with several outputs."""
        self._node(operator, reads, writes, self.writer.fresh(f"{self.layer.name}.node"), attributes)

    def _node(
        self, operator: str, reads: Sequence[str], writes: Sequence[str], name: str, attributes: dict[str, Any]
    ) -> None:
        self.writer.nodes.append(onnx.helper.make_node(operator, list(reads), list(writes), name=name, **attributes))

    def reshaped(self, value: str, target: Blob, *, samples: int = 0) -> Blob:
        """A value in the shape of a top. samples: 0 where they lie on the value's first axis, -1 to count them anew."""
        dims = [samples, *target.shape[1:]] if target.batched else list(target.shape)
        shape = self.constant("shape", dims, np.int64)
        self._node("Reshape", [value, shape], [target.name], target.name, {})
        return target


def shown(shape: Sequence[int]) -> str:
    """A shape as people write it."""
    return "x".join(str(size) for size in shape) or "()"
