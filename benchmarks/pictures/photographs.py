"""Photographs to make one thing for all of: foolbox's twenty, seven of the zoo, eighteen of scikit-image."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from support.packages import imagenet_photos

OF_SKIMAGE = {
    "astronaut": data.astronaut, "brick": data.brick, "camera": data.camera, "cell": data.cell, "chelsea": data.chelsea,
    "clock": data.clock, "coffee": data.coffee, "coins": data.coins, "colorwheel": data.colorwheel,
    "grass": data.grass, "gravel": data.gravel, "hubble_deep_field": data.hubble_deep_field,
    "immunohistochemistry": data.immunohistochemistry, "moon": data.moon, "page": data.page, "retina": data.retina,
    "rocket": data.rocket, "text": data.text,
}  # fmt: skip
_SIDE, _OF_EACH = 224, 8
_VEHICLES = frozenset({"0", "1", "8", "9"})


def twenty(folder: Path) -> Path:
    """foolbox's photographs of ImageNet."""
    folder.mkdir()
    for path, _ in imagenet_photos():
        shutil.copyfile(path, folder / path.name)
    return folder


def labelled(table: Path, folder: Path) -> Path:
    """``file,label`` of photographs whose names end in their classes."""
    names = sorted(path.name for path in folder.iterdir())
    lines = (f"{name},{Path(name).stem.rpartition('_')[2]}\n" for name in names)
    table.write_text("".join(lines), encoding="utf-8")
    return table


def others(folder: Path, named: Sequence[Path]) -> Path:
    """Those of scikit-image, and those that are named."""
    folder.mkdir()
    for path in named:
        shutil.copyfile(path, folder / path.name)
    for name, picture in OF_SKIMAGE.items():
        Image.fromarray(picture()).save(folder / f"sk_{name}.png")
    return folder


def crops(folder: Path, photographs: Path) -> Path:
    """Eight squares of each, half to all of the shorter side, 224 pixels wide."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for path in sorted(photographs.iterdir()):
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        for number in range(_OF_EACH):
            side = int(min(picture.size) * random.uniform(0.5, 1))
            x, y = (int(random.integers(0, length - side + 1)) for length in picture.size)
            square = picture.crop((x, y, x + side, y + side)).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
            square.save(folder / f"{path.stem}-{number}.png")
    return folder


def animals_and_vehicles(folder: Path) -> Path:
    """foolbox's pictures of CIFAR-10, in folders of the two; their names end in their classes."""
    import foolbox

    for path in sorted((Path(foolbox.__file__).parent / "data").glob("cifar10_*.png")):
        place = folder / ("vehicle" if path.stem.rpartition("_")[2] in _VEHICLES else "animal")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place / path.name)
    return folder
