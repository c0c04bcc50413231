"""Caffe's files as Caffe writes them: prototxt text of plain values, and caffemodels of all three generations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

Blobs = Sequence[NDArray[Any]]
NAMED = frozenset({"pool", "operation", "norm_region", "round_mode", "phase", "bn_mode"})
"""Fields whose values are an enum's names, which have no quotes."""


def message(fields: Mapping[str, Any]) -> str:
    """Fields as prototxt text; lists are repeated fields, mappings messages."""
    lines = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                lines.append(f"{name} {{ {message(one)} }}")
            elif isinstance(one, bool):
                lines.append(f"{name}: {str(one).lower()}")
            else:
                lines.append(f'{name}: "{one}"' if isinstance(one, str) and name not in NAMED else f"{name}: {one}")
    return " ".join(lines)


def layer(kind: str, name: str, bottoms: Iterable[str], tops: Iterable[str] = (), **options: Any) -> str:
    """A V2 layer."""
    fields = {"name": name, "type": kind, "bottom": list(bottoms), "top": list(tops) or [name], **options}
    return f"layer {{ {message(fields)} }}\n"


def inputs(**shapes: Sequence[int]) -> str:
    """Input layers."""
    return "".join(layer("Input", name, [], input_param={"shape": {"dim": [*dims]}}) for name, dims in shapes.items())


def varint(value: int) -> bytes:
    found = bytearray()
    value &= 2**64 - 1
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def field(number: int, data: bytes | str) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def blob(array: NDArray[Any], *, legacy: bool = False, stored: str = "packed") -> bytes:
    """A BlobProto. legacy: its shape as (num, channels, height, width). stored: packed, unpacked, pieces or double."""
    flat = array.reshape(-1)
    if legacy:
        dims = (1,) * (4 - array.ndim) + array.shape
        shape = b"".join(varint(number << 3) + varint(dim) for number, dim in enumerate(dims, 1))
    else:
        shape = field(7, field(1, b"".join(varint(dim) for dim in array.shape)))
    if stored == "double":
        return field(8, flat.astype("<f8").tobytes()) + shape
    numbers = flat.astype("<f4")
    if stored == "unpacked":
        return shape + b"".join(varint(5 << 3 | 5) + one.tobytes() for one in numbers)
    if stored == "pieces":
        half = len(numbers) // 2
        return field(5, numbers[:half].tobytes()) + shape + field(5, numbers[half:].tobytes())
    return field(5, numbers.tobytes()) + shape


def caffemodel(weights: Mapping[str, Blobs], *, generation: int = 2, stored: str = "packed") -> bytes:
    """A caffemodel of the second (``layer``), first (``layers``) or zeroth generation (``layers { layer {} }``)."""
    found = field(1, "net")
    for name, arrays in weights.items():
        if generation == 2:
            blobs = b"".join(field(7, blob(one, stored=stored)) for one in arrays)
            found += field(100, field(1, name) + field(2, "Type") + blobs)
            continue
        own = b"".join(field(6 if generation == 1 else 50, blob(one, legacy=True, stored=stored)) for one in arrays)
        if generation == 1:
            found += field(2, field(4, name) + varint(5 << 3) + varint(4) + own)
        else:
            found += field(2, field(1, field(1, name) + field(2, "conv") + own))
    return found


def write(folder: Path, text: str, weights: Mapping[str, Blobs] | bytes, name: str = "net", **how: Any) -> str:
    """The two files in a folder, and what opens them."""
    prototxt, model = folder / f"{name}.prototxt", folder / f"{name}.caffemodel"
    prototxt.write_text(text, encoding="utf-8")
    model.write_bytes(weights if isinstance(weights, bytes) else caffemodel(weights, **how))
    return f"{prototxt}+{model}"
