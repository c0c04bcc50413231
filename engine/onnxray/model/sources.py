"""What a model is opened from; the models that come with onnxray by their names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

import onnx

from onnxray.errors import ModelFileError
from onnxray.errors.near_misses import did_you_mean
from onnxray.errors.short_values import short

Source: TypeAlias = str | os.PathLike[str] | bytes | onnx.ModelProto


def bundled(source: Source) -> Source:
    """The path of a bundled model where ``source`` is its name and no file of that name is there."""
    if not isinstance(source, str | os.PathLike | bytes | onnx.ModelProto):
        raise ModelFileError(
            f"the model is {short(source)}; a path, a bundled model's name, bytes or a ModelProto was expected"
        )
    if isinstance(source, str) and Path(source).suffix == "" and not os.path.exists(source):  # noqa: PTH110
        try:
            import onnxray_models
        except ImportError:
            return source
        if source in onnxray_models.names():
            return onnxray_models.path(source)
        near = did_you_mean(source, onnxray_models.names())
        if near and "/" not in source:
            raise ModelFileError(f"{source}: no such file, and no model that comes with onnxray; {near.rstrip()}")
    return source
