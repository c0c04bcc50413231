"""Libraries of ``onnxray[features]``, imported when they are used: none of them is needed for anything else."""

from __future__ import annotations

from typing import Any

from onnxray.errors import InputError


def scikit_learn(what: str) -> Any:
    """scikit-learn, with the parts that maps and probes use. what: needs it. Errors: InputError."""
    try:
        import sklearn
        import sklearn.decomposition
        import sklearn.linear_model
        import sklearn.manifold
        import sklearn.model_selection
    except ImportError:
        raise InputError(f"{what} by scikit-learn, which is not installed: pip install 'onnxray[features]'") from None
    return sklearn


def open_tsne() -> Any | None:
    """openTSNE, with the parts that maps use; None where it is not installed."""
    try:
        import openTSNE
        import openTSNE.affinity
        import openTSNE.initialization
        import openTSNE.nearest_neighbors
    except ImportError:
        return None
    return openTSNE
