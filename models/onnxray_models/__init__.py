"""Models that ship with onnxray: one folder each, with the ONNX file, its profile, its card and sample images; and the
class names of well-known data sets, one list a file in ``labels``.

Importing this package reads no model and imports nothing outside the standard library, so that asking where a
bundled file lies costs nothing.
"""

from pathlib import Path

__all__ = ["label_lists", "labels", "names", "path", "samples"]

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


def label_lists() -> tuple[str, ...]:
    """Return the names of the lists of class names, sorted."""
    return tuple(sorted(file.stem for file in (_HERE / "labels").glob("*.txt")))


def labels(name: str) -> tuple[str, ...]:
    """Return the class names of a list in the order of its classes; a line that begins with # is none of them."""
    known = label_lists()
    if name not in known:
        raise KeyError(f"no class names {name!r}; there are: {', '.join(known)}")
    lines = (_HERE / "labels" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))
