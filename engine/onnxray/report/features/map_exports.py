"""Maps of codes as other programs open them: Embedding Atlas's table, and TensorBoard's projector.

    embedding-atlas embedding-atlas.parquet --x x_ip1 --y y_ip1 --neighbors neighbors_ip1 --image image
    tensorboard --logdir FOLDER       of the run, which holds projector_config.pbtxt

The projector draws maps of its own of the codes, which are those that were mapped.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from onnxray.errors.shown_text import terminal
from onnxray.methods.features.extraction import column, pyarrow
from onnxray.methods.features.tsne_item import TsneItem
from onnxray.report.features.map_parts import unpacked
from onnxray.results.file_names import plain_name
from onnxray.results.result import Result

_KNOWN = ("path", "label", "prediction", "probability", "correct")
_DIGITS = "%.7g"


def exported(result: Result[TsneItem]) -> dict[str, bytes]:
    """File name -> bytes of what the method's ``export`` names."""
    stated, items = result.provenance.method["options"]["export"], result.items
    wanted = (stated,) if isinstance(stated, str) else stated or ()
    known = result.extra["points"]
    found: dict[str, bytes] = {}
    if items and "embedding-atlas" in wanted:
        found["embedding-atlas.parquet"] = atlas_table(items, known)
    if items and "projector" in wanted:
        found |= projector_files(items, known)
    return found


def atlas_table(items: Sequence[TsneItem], known: Mapping[str, Any]) -> bytes:
    """A row a picture: what is known of it, ``image`` (PNG), and of each layer ``x_``, ``y_`` and ``neighbors_``, whose
    ids are numbers of rows. Errors: InputError where pyarrow is not there.
    """
    arrow, parquet = pyarrow()
    columns = {name: column(arrow, known[name]) for name in _KNOWN if known.get(name) is not None}
    columns["image"] = arrow.array([{"bytes": _png(one)} for one in unpacked(items[0])])
    for name, item in _named(items):
        positions = item.numbers_["positions"]
        columns[f"x_{name}"], columns[f"y_{name}"] = (
            arrow.array(np.ascontiguousarray(positions[:, k])) for k in (0, 1)
        )
        near, far = item.numbers_["neighbors"].tolist(), item.numbers_["distances"].tolist()
        columns[f"neighbors_{name}"] = arrow.array(
            [{"ids": ids, "distances": distances} for ids, distances in zip(near, far)]
        )
    stream = io.BytesIO()
    parquet.write_table(arrow.table(columns), stream)
    return stream.getvalue()


def projector_files(items: Sequence[TsneItem], known: Mapping[str, Any]) -> dict[str, bytes]:
    """Codes of each layer, what is known of the pictures, their thumbnails in a square, and what names them all."""
    sheet, config = _square(items[0]), list[str]()
    high, wide = unpacked(items[0]).shape[2:]
    found = {"projector-metadata.tsv": _metadata(known, items[0].pictures_seen), "projector-sprite.png": sheet}
    for name, item in _named(items):
        stream = io.StringIO()
        np.savetxt(stream, item.numbers_["codes"], fmt=_DIGITS, delimiter="\t")
        file = f"projector-{name}.tsv"
        found[file] = stream.getvalue().encode("ascii")
        config += [
            "embeddings {", f"  tensor_name: {_quoted(item.layer)}", f"  tensor_path: {_quoted(file)}",
            '  metadata_path: "projector-metadata.tsv"', "  sprite {", '    image_path: "projector-sprite.png"',
            f"    single_image_dim: {wide}", f"    single_image_dim: {high}", "  }", "}",
        ]  # fmt: skip
    return {**found, "projector_config.pbtxt": "\n".join([*config, ""]).encode("ascii")}


def _named(items: Sequence[TsneItem]) -> Iterator[tuple[str, TsneItem]]:
    """Items by the names of their layers, made fit for columns and files; equal ones with their place."""
    taken = {"metadata", "sprite"}
    for place, item in enumerate(items):
        name = plain_name(item.layer)
        name = f"{name}-{place}" if name.lower() in taken else name
        taken.add(name.lower())
        yield name, item


def _metadata(known: Mapping[str, Any], count: int) -> bytes:
    """A table whose first column is the path: at least two, for of one column the projector reads no heading."""
    names = [name for name in _KNOWN if known.get(name) is not None]
    rows = ["\t".join(["place", *names])]
    for place in range(count):
        cells = ("" if known[name][place] is None else terminal(str(known[name][place])) for name in names)
        rows.append("\t".join([str(place), *cells]))
    return "\n".join([*rows, ""]).encode()


def _square(item: TsneItem) -> bytes:
    """The thumbnails with as many rows as columns, which the projector counts on."""
    sheet = item.images["thumbnails"]
    high = sheet.shape[1] // math.ceil(item.pictures_seen / item.columns)
    whole = np.zeros((sheet.shape[0], high * item.columns, sheet.shape[2]), np.uint8)
    whole[:, : sheet.shape[1]] = sheet
    return _png(whole)


def _png(picture: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0).copy()).save(stream, "PNG")
    return stream.getvalue()


def _quoted(text: str) -> str:
    """A string of a text-format protobuf, in ASCII."""
    inside = "".join(
        chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03o}" for b in text.encode("utf-8", "replace")
    )
    return f'"{inside}"'
