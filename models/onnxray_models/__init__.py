"""Models that ship with onnxray: one folder each, with the ONNX file, its profile, its card and sample images.

Importing this package reads no model and imports nothing outside the standard library, so that asking where a
bundled file lies costs nothing.
"""

from pathlib import Path

__all__ = ["names", "path", "samples"]

_HERE = Path(__file__).resolve().parent


def names() -> tuple[str, ...]:
    """Return the names of the bundled models, sorted."""
    return tuple(sorted(file.stem for file in _HERE.glob("*/*.onnx") if file.stem == file.parent.name))


def path(name: str) -> Path:
    """Return where the ONNX file of a bundled model lies; its profile lies beside it as ``<name>.toml``."""
    known = names()
    # Looking the name up, rather than trying the path, keeps "../elsewhere" from being a model's name.
    if name not in known:
        raise KeyError(f"no bundled model {name!r}; there is: {', '.join(known)}")
    return _HERE / name / f"{name}.onnx"


def samples(name: str) -> tuple[Path, ...]:
    """Return the sample images of a bundled model, sorted by file name."""
    return tuple(sorted((path(name).parent / "samples").glob("*.png")))
