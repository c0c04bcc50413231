"""Open any exported ONNX model, get trustworthy gradients at every named value of it, and run LOTS on it.

    model = onnxray.open("m.onnx")
    model.predict(images), model.values(images, names), model.pullback(images, {name: cotangent}), model.verify()
    onnxray.to_torch("m.onnx")
    onnxray.training.fine_tune(model, batches, loss), onnxray.save(trained, "new.onnx"): the same graph, other weights
    onnxray.methods.LOTS(layer="conv1")(model, images, target)
    onnxray.load("run folder"), which result.to_pandas(), result.to_csv("table.csv") and result.show() go on from
    onnxray.compare(model, images, ["grad-cam", "rise"]), onnxray.check("grad-cam", model, images)
    onnxray.audit(["a.onnx", "b.onnx"], "photos", "policy.toml", labels="labels.csv").passed
    onnxray.objectives.ClassScore("ip2", 4) - onnxray.objectives.ClassScore("ip2", 9)

Importing this package imports neither torch nor onnxruntime: they are imported when an engine is first needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from onnxray._version import __version__

if TYPE_CHECKING:
    from onnxray import errors, methods, objectives, training
    from onnxray.assess.maps.calls import check
    from onnxray.assess.models.calls import compare
    from onnxray.cli.rerun.calls import rerun
    from onnxray.display.loading import load
    from onnxray.images.profile.profile import Profile
    from onnxray.model.model import Model
    from onnxray.model.opening import open_model as open
    from onnxray.model.to_torch import to_torch
    from onnxray.objectives import goals
    from onnxray.report.audit.calls import audit
    from onnxray.training.saving import save

__all__ = [
    "Model", "Profile", "__version__", "audit", "check", "compare", "errors", "goals", "load", "methods", "objectives",
    "open", "rerun", "save", "to_torch", "training",
]  # fmt: skip

_LAZY = {
    "Model": ("onnxray.model.model", "Model"),
    "Profile": ("onnxray.images.profile.profile", "Profile"),
    "audit": ("onnxray.report.audit.calls", "audit"),
    "check": ("onnxray.assess.maps.calls", "check"),
    "compare": ("onnxray.assess.models.calls", "compare"),
    "errors": ("onnxray.errors", None),
    "goals": ("onnxray.objectives.goals", None),
    "load": ("onnxray.display.loading", "load"),
    "methods": ("onnxray.methods", None),
    "objectives": ("onnxray.objectives", None),
    "open": ("onnxray.model.opening", "open_model"),
    "rerun": ("onnxray.cli.rerun.calls", "rerun"),
    "save": ("onnxray.training.saving", "save"),
    "to_torch": ("onnxray.model.to_torch", "to_torch"),
    "training": ("onnxray.training", None),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'onnxray' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    found = importlib.import_module(module)
    return found if attribute is None else getattr(found, attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
