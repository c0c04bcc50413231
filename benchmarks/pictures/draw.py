"""Draws the pictures of README.md and docs/ by the version that is checked out, and writes that version into each.

    python benchmarks/pictures/draw.py                       all that can be made here; lists those that are left alone
    python benchmarks/pictures/draw.py lots-lenet.png ...    these (and what is made together with them)
    python benchmarks/pictures/draw.py --list                each picture, the version it states, what it needs

Bundled pictures need nothing; those of EfficientNet-Lite0 the packages of models/example.py; the others a folder of
networks and photographs (``--zoo FOLDER``), whose pictures are left alone where it is not at hand.
tests/docs/test_pictures.py fails where a picture is of another minor version than the project, whatever it needs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path[:1] = [
    str(Path(__file__).parent),
    *(str(Path(__file__).parents[2] / part) for part in ("engine", "adapters", "models", "tests")),
]

import audits  # noqa: E402
import bundled  # noqa: E402
import explored  # noqa: E402
import networks  # noqa: E402
import trained  # noqa: E402
from studio import IMAGES, ROOT, Studio, stamp_of  # noqa: E402

import example  # noqa: E402
from support import efficientnet  # noqa: E402

PLACES = {
    "squeezenet.onnx": "squeezenet-v1.1-onnx/squeezenet_v1.1_fp32_from_fp16.onnx",
    "squeezenet-uint8.onnx": "squeezenet-v1.1-onnx/squeezenet_v1.1_qop_uint8.onnx",
    "squeezenet-fp16.onnx": "squeezenet-v1.1-onnx/SqueezeNet_fp16.onnx",
    "squeezenet-qdq-int8.onnx": "squeezenet-v1.1-onnx/squeezenet_v1.1_qdq_int8.onnx",
    "cifar10-full.onnx": "cifar10-full-caffe/cifar10_full.onnx",
    "ultraface.onnx": "ultraface/version-RFB-320.onnx",
    "mobilefacenet.onnx": "mobilefacenet-vface-onnx/mobilefacenet.onnx",
    **{name: f"data-mnist-t10k/{name}" for name in audits.DIGITS},
    **{name: f"lenet-bvlc-caffe/{name}" for name in audits.LENET},
    **{name: f"data-photos/{name}" for name in (*networks.PHOTOS, *networks.MORE_PHOTOS)},
}
"""Where the files lie in the folder of networks, by the names that commands use."""
RECIPES = (*bundled.RECIPES, *networks.RECIPES, *audits.RECIPES, *explored.RECIPES, *trained.RECIPES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="PICTURE", help="of docs/images; all where none is named")
    parser.add_argument("--zoo", type=Path, default=ROOT.parent / "shared" / "zoo")
    parser.add_argument("--list", action="store_true", help="as JSON: picture -> the version it states, what it needs")
    stated = parser.parse_args()
    if stated.list:
        print(json.dumps(listing()))
        return
    known = {name for recipe in RECIPES for name in recipe.names}
    if unknown := sorted(set(stated.names) - known):
        sys.exit(f"no recipe for {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    left = []
    with tempfile.TemporaryDirectory() as place:
        folder = desk(Path(place), stated.zoo)
        for recipe in RECIPES:
            if stated.names and not set(stated.names) & set(recipe.names):
                continue
            missing = [name for name in recipe.needs if not (folder / name).exists()]
            missing += [name for name in recipe.packages if importlib.util.find_spec(name) is None]
            if recipe.programs and not any(map(shutil.which, recipe.programs)):
                missing.append(f"one of {', '.join(recipe.programs)}")
            if missing:
                left += [f"{name}: {', '.join(missing)} not at hand" for name in recipe.names]
            else:
                recipe.draw(Studio(folder))
    for line in left:
        name = line.split(":")[0]
        path = IMAGES / name
        print(f"left alone ({(stamp_of(path) if path.exists() else '') or 'no version'}) {line}")


def listing() -> dict[str, dict[str, object]]:
    """Every picture that is there or could be."""
    needs = {name: [*recipe.needs, *recipe.packages, *recipe.programs] for recipe in RECIPES for name in recipe.names}
    present = {path.name: stamp_of(path) for path in sorted(IMAGES.iterdir())}
    return {name: {"version": present.get(name), "needs": needs.get(name)} for name in sorted({*needs, *present})}


def desk(folder: Path, zoo: Path) -> Path:
    """A working folder as a clone is, with whatever is at hand."""
    for name in ("models", "benchmarks", "docs"):
        (folder / name).symlink_to(ROOT / name)
    for name, place in PLACES.items():
        if (zoo / place).is_file():
            shutil.copyfile(zoo / place, folder / name)
    if not efficientnet.missing():
        example.write(folder / "photographs")
        (folder / "photographs").rename(folder / "example")
    return folder


if __name__ == "__main__":
    main()
