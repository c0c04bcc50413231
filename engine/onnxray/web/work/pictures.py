"""What a model sees of a picture, and what it says of it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxray.errors import OnnxrayError
from onnxray.errors.shown_text import terminal
from onnxray.graph.classifier.predictions import Predictions
from onnxray.images.distances import l2, linf
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.images.eight_bits import to_uint8
from onnxray.images.files import png_bytes, read_picture
from onnxray.images.pixels import Pixels
from onnxray.web.work.bench import Bench, Desk

_TOP: Final = 5
_WIDEST: Final = 1024
_SMALLEST: Final = 64


def png(picture: NDArray[Any]) -> bytes:
    """A picture, 8-bit CHW, as a PNG."""
    return png_bytes(picture)


def check_upload(bench: Bench, *, path: str) -> dict[str, Any]:
    """Read a file that was dropped, as far as to be sure of it. Errors: ImageError, and those of opening a model."""
    if Path(path).suffix == ".onnx":
        return {"size": [len(bench.looked_at(path).graph.nodes)], "kind": "model"}
    if Path(path).suffix == ".npy":
        from onnxray.images.array_files import read_npy

        return {"size": list(read_npy(Path(path)).shape), "kind": "array"}
    image, notes = read_picture(Path(path), "the picture", grey=False)
    return {"size": [image.height, image.width], "kind": "picture", "notes": notes}


def own_picture(bench: Bench, *, path: str) -> dict[str, Any]:
    """A picture as it is, no larger than a screen. Errors: ImageError."""
    del bench
    if Path(path).suffix == ".npy":
        return {"png": None, "text": "an array of numbers"}
    image, _ = read_picture(Path(path), "the picture", grey=False)
    if image.mode == "F":
        image = Image.fromarray(to_uint8(np.asarray(image)))
    size = f"{image.width} × {image.height}"
    image.thumbnail((_WIDEST, _WIDEST))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return {"png": stream.getvalue(), "text": size}


def picture_seen(bench: Bench, *, model: int = 0, path: str) -> dict[str, Any]:
    """What the model sees of it, at its own size, and what it says. Errors: ImageError, InputError, RuntimeRefusal."""
    desk = bench.desk(model)
    pixels = desk.pixels(path)
    seen = None if pixels.plain else png(to_uint8(pixels.array[0]))
    try:
        answer = answer_of(desk, pixels)
    except OnnxrayError as error:
        answer = {"classes": [], "text": "", "reason": str(error)}
    text = "" if pixels.plain else f"{pixels.array.shape[3]} × {pixels.array.shape[2]}"
    notes = [note.removeprefix(f"{terminal(path, 400)}: ") for note in answer.get("notes", ())]
    size = text or f"{pixels.array.dtype} {list(pixels.array.shape)}"
    return {"png": seen, "size": size, **answer, "notes": notes}


def answer_of(desk: Desk, images: Any) -> dict[str, Any]:
    """What the judge says of one sample: its likeliest classes, or a line of what else the output is."""
    said = desk.model.predict(images)
    notes = [terminal(note, 400) for note in said.notes]
    if isinstance(said, Predictions):
        rows = [
            {"class": one.class_, "label": terminal(one.label, 80), "probability": one.probability}
            for one in said.top(_TOP)[0]
        ]
        return {"classes": rows, "text": "", "reason": None, "notes": notes}
    return {"classes": [], "text": terminal(said.describe(0), 2000), "reason": None, "notes": notes}


def shown_change(desk: Desk, origin: NDArray[Any], image: NDArray[Any]) -> dict[str, Any]:
    """A picture, how it differs from what it was, and what the judge says of it."""
    return {
        "png": png_bytes(image), "change": png_bytes(signed_to_grey(image.astype(np.int16) - origin)[0]),
        "l2": l2(image, origin), "linf": linf(image, origin), **answer_of(desk, Pixels.of(image[None])),
    }  # fmt: skip


def enlarged(picture: NDArray[np.uint8], least: int = _SMALLEST) -> NDArray[np.uint8]:
    """A small picture pixel by pixel as large as ``least``, CHW."""
    factor = max(1, -(-least // max(picture.shape[1:])))
    return picture.repeat(factor, 1).repeat(factor, 2)
