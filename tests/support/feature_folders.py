"""Folders of pictures for tests of what layers make of many: the bundled digits, labelled, and broken ones."""

from pathlib import Path

import onnxray_models


def digits(place: Path, each: int = 5) -> Path:
    """The bundled digits, ``each`` of every class, in folders that are named by it."""
    for sample in onnxray_models.samples("lenet"):
        label, number = sample.stem.split("_")
        if int(number) < each:
            (place / label).mkdir(parents=True, exist_ok=True)
            (place / label / sample.name).write_bytes(sample.read_bytes())
    return place


def plain(place: Path, count: int = 12) -> Path:
    """Some bundled digits in one folder."""
    place.mkdir(parents=True, exist_ok=True)
    for sample in onnxray_models.samples("lenet")[::7][:count]:
        (place / sample.name).write_bytes(sample.read_bytes())
    return place


def spoilt(place: Path, count: int = 2) -> Path:
    """A folder with so many files in it that are no pictures."""
    for k in range(count):
        (place / f"a{k}.png").write_bytes(b"no picture")
    return place
