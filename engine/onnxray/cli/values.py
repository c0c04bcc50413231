"""onnxray values: any named values of images, written to a .npz file."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from onnxray.cli.common import (
    ImagesArgument,
    ModelArgument,
    document,
    print_json,
    run_folder,
    write_document,
)
from onnxray.cli.consoles import table_console
from onnxray.cli.limits import limited
from onnxray.cli.shared import Opening, with_shared_options

_LONGEST = 200


@limited
@with_shared_options
def values(
    model: ModelArgument,
    images: ImagesArgument,
    value: Annotated[
        list[str],
        typer.Option("--value", metavar="NAME", help="A value's name, alias, short form or glob; repeatable."),
    ],
    engine: Annotated[str, typer.Option(metavar="judge|twin", help="ONNX Runtime, or the torch twin.")] = "judge",
    *,
    shared: Opening,
) -> None:
    """Write named values of images to values.npz, one array a value, images along its first axis.

    Example: onnxray values lenet four.png --value conv1 --value features
    """
    opened = shared.open(model)
    pixels = opened.pixels(images)
    found = opened.values(pixels, value, engine=engine)  # type: ignore[arg-type]
    keys = {name: _key(name) for name in found}
    items = [
        {
            "name": name,
            "key": keys[name],
            "shape": list(array.shape),
            "dtype": str(array.dtype),
            "files": {"array": "values.npz"},
        }
        for name, array in found.items()
    ]
    archive = _npz({keys[name]: array for name, array in found.items()})
    report = document(opened, "values", items, images=list(pixels.names), engine=engine, image_notes=list(pixels.notes))
    folder = run_folder(shared.out, "values")
    write_document(report, folder, {"values.npz": archive})
    if shared.json:
        print_json(report)
        return
    table = Table("value", "shape", "type", title=str(folder / "values.npz"))
    for name, array in found.items():
        table.add_row(name, str(list(array.shape)), str(array.dtype))
    table_console().print(table)


def _key(name: str) -> str:
    """A value's name in the archive: it leads into no folder, and is no longer than a file system takes."""
    quoted = quote(name, safe=" :;,()[]{}=+-_@")
    if len(quoted) <= _LONGEST:
        return quoted
    return f"{quoted[: _LONGEST // 2]}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """What np.savez writes, for keys that it takes for its own options as well; text as text, never as a pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                plain = array.astype(np.str_) if array.dtype == object else array
                np.lib.format.write_array(member, np.asanyarray(plain), allow_pickle=False)
    return stream.getvalue()
