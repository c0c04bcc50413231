"""TensorFlow's SavedModels, through tf2onnx: the signature serving_default, its inputs and outputs by their names.

    folder/saved_model.pb

A SavedModel is a program for TensorFlow, which can read and write files: it is read where it is trusted. The proof: the
outputs of TensorFlow on the same inputs.
"""

from __future__ import annotations

import subprocess  # the converter's own command line is what it offers for folders
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

from onnxray.arrays import Array
from onnxray.errors import ModelFileError
from onnxray.errors.short_values import short
from onnxray.graph.file.made_model import MadeModel, Wishes
from onnxray_adapters.frameworks import environment, examples_of, existing, fits, named, needed, told, trusted

_SIGNATURE: Final = "serving_default"
_OPSET: Final = 17
_LONGEST: Final = 3600


def from_saved_model(source: str, wishes: Wishes) -> MadeModel:
    """The model of a SavedModel folder. Errors: ModelFileError; InputError for examples that do not fit."""
    folder = existing(source)
    with environment("TF_CPP_MIN_LOG_LEVEL", "3"):
        tensorflow = needed("tensorflow", "tensorflow", "a SavedModel")
    needed("tf2onnx", "tensorflow", "the conversion of a SavedModel")
    trusted(source, wishes, "a SavedModel is a program for TensorFlow, which can read and write files")
    with told(source, "cannot be read by TensorFlow"):
        program = tensorflow.saved_model.load(str(folder))
        signatures = dict(program.signatures)
    if _SIGNATURE not in signatures:
        known = ", ".join(short(str(name)) for name in signatures) or "none"
        raise ModelFileError(f"{short(source)} has the signatures {known}; {_SIGNATURE} was expected")
    run = signatures[_SIGNATURE]
    model = fits(_converted(source, folder), source)
    inputs = tuple(value.name for value in model.graph.input)
    own = named(examples_of(wishes), inputs)

    def reference(feeds: Mapping[str, Array]) -> dict[str, Array]:
        with told(source, "cannot be run by TensorFlow"):
            found: Any = run(**{name: tensorflow.constant(np.asarray(array)) for name, array in feeds.items()})
            return {str(name): np.asarray(one.numpy()) for name, one in found.items()}

    notes = (f"{short(source)} was read, for --trust was stated: what its author wrote into it was run",)
    return MadeModel(
        model, folder / "saved_model.pb", {}, source, notes=notes, reference=reference, proofs=(own,) if own else ()
    )  # fmt: skip


def _converted(source: str, folder: Path) -> onnx.ModelProto:
    """What tf2onnx writes of the folder. Errors: ModelFileError with the last line that it prints."""
    with tempfile.TemporaryDirectory() as place:
        written = Path(place) / "net.onnx"
        command = [
            sys.executable, "-P", "-m", "tf2onnx.convert", "--saved-model", str(folder.absolute()), "--signature_def",
            _SIGNATURE, "--opset", str(_OPSET), "--output", str(written),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST, check=False)
        except subprocess.TimeoutExpired:
            raise ModelFileError(f"{short(source)}: tf2onnx did not end within an hour") from None
        if done.returncode or not written.exists():
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["it says nothing"]
            raise ModelFileError(f"{short(source)} cannot be converted by tf2onnx: {short(lines[-1][:300])}")
        with told(source, "cannot be read as tf2onnx wrote it"):
            return onnx.load(written)
