"""The methods, one file each: ``onnxray.methods.lots.LOTS`` and whatever stands beside it."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any


def __getattr__(name: str) -> Any:
    if name in {module.name for module in pkgutil.iter_modules(__path__)}:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"onnxray.methods has no method {name!r}")
