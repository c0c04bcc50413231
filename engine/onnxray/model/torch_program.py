"""An ONNX file as a program of torch.export, a .pt2: what ``to_torch`` gives, saved, loaded again and compared."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import OutputError, UnsupportedOperator
from onnxray.errors.short_values import short
from onnxray.model.encoding import seeded
from onnxray.model.opening import open_model
from onnxray.model.proving import Proof, prove


def write_program(source: str | os.PathLike[str], out: str | os.PathLike[str], *, overwrite: bool = False) -> Proof:
    """Write ``to_torch`` as ``out``, a .pt2, in the model's own units; how far it is from the file's numbers.

    Nothing is there before what was written was loaded again and computed ONNX Runtime's numbers.
    Errors: ModelFileError, UnsupportedOperator, MismatchError; OutputError for a file that is there.
    """
    import torch

    from onnxray.importer.nodes.weights import numpy_array
    from onnxray.model.to_torch import to_torch

    target = Path(out)
    if target.exists() and not overwrite:
        raise OutputError(f"{target} is there already; give another name, or replace it by --overwrite")
    model = open_model(source)
    module = to_torch(model)
    feeds = model.feeds(seeded(model.graph, model.profile, model.judge.outputs))
    names = tuple(value.name for value in model.graph.inputs)
    given = tuple(torch.from_numpy(np.array(feeds[name])) for name in names)
    free = tuple({0: torch.export.Dim.AUTO} if one.ndim else None for one in given)
    try:
        program = torch.export.export(module, given, dynamic_shapes=free)
    except Exception as error:  # of torch.export, which traces whatever the operators do
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise UnsupportedOperator(f"torch.export cannot trace the model: {short(said[0])}") from None
    outputs = tuple(value.name for value in model.graph.outputs)
    try:
        with tempfile.TemporaryDirectory(prefix=".convert-", dir=target.absolute().parent) as folder:
            written = Path(folder) / target.name
            torch.export.save(program, written)
            again = torch.export.load(written).module()

            def reference(arrays: Mapping[str, Array]) -> dict[str, Array]:
                result = again(*(torch.from_numpy(np.array(arrays[name])) for name in names))
                parts = result if isinstance(result, tuple | list) else (result,)
                return {name: numpy_array(part.detach()) for name, part in zip(outputs, parts)}

            proof = prove(model, reference, ())
            written.replace(target)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from None
    return proof
