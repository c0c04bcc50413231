"""The methods, each by its class and by its file: ``onnxray.methods.GradCAM``, ``onnxray.methods.grad_cam.GradCAM``.

``dir(onnxray.methods)`` lists them all; ``help(onnxray.methods.GradCAM)`` says what one computes, its options and
whom it is from. A family is a folder: lots, saliency, synthesis.
"""

from __future__ import annotations

from typing import Any

from onnxray.methods.catalogue import look_up, methods, names, serve_by_file

serve_by_file()


def __getattr__(name: str) -> Any:
    if name == "__all__":  # from onnxray.methods import *
        return [method.__name__ for method in methods().values()]
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return look_up(name)


def __dir__() -> list[str]:
    return names()
