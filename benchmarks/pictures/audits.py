"""Reports of audits of real networks, as a browser shows them: Caffe's LeNet on digits, four nets on photographs.

The photographs are foolbox's twenty of ImageNet and five more, all labelled; the digits are the first 300 of MNIST's
test set. The two policies of the photographs stand in docs/audit.md as they are here; one is met, the other is not.
"""

from __future__ import annotations

import dataclasses
import gzip
import shutil
from pathlib import Path

import numpy as np
from photographs import labelled, twenty
from PIL import Image
from studio import ROOT, Recipe, Studio

import onnxray
from onnxray.images.profile.toml_form import toml_of
from support.browser import BROWSERS, seen

POLICIES = ROOT / "docs" / "policies"
"""release.toml, which is met, and strict.toml, which is not."""
LABELLED = {"cat.jpg": 285, "dog.jpg": 207, "hummingbird.jpg": 94, "pelican.jpeg": 144, "bald_eagle.jpeg": 22}
SQUEEZENETS = {
    "squeezenet.onnx": "squeezenet.onnx", "squeezenet-fp16.onnx": "squeezenet-fp16.onnx",
    "squeezenet-int8.onnx": "squeezenet-qdq-int8.onnx",
}  # fmt: skip
LITE0 = "efficientnet-lite0"
LENET = ("lenet.prototxt", "lenet_iter_10000.caffemodel")
DIGITS = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
_COUNT = 300


def reports(studio: Studio) -> None:
    """The report that blocks, in the four forms that readers have; both verdicts are checked."""
    desk = photographs(studio)
    for name, status in (("release", 0), ("strict", 3)):
        shutil.copyfile(POLICIES / f"{name}.toml", desk / f"{name}.toml")
        place = desk.relative_to(studio.folder)  # a report names its files as they were typed
        run = studio.run("audit", "--policy", place / f"{name}.toml", "--store", place / "store", status=status)
    for name, width, dark in (("", 1280, False), ("-dark", 1280, True), ("-phone", 390, False)):
        _, log, picture = seen(run / "report.html", studio.folder, width=width, dark=dark)
        assert "CONSOLE" not in log, log
        with Image.open(picture) as shown:
            studio.save(f"audit-report{name}.png", shown.convert("P", palette=Image.Palette.ADAPTIVE))


def digits(studio: Studio) -> None:
    """Caffe's LeNet, which was trained on what it is shown here: what mistakes an audit draws."""
    packed = [gzip.decompress((studio.folder / name).read_bytes()) for name in DIGITS]
    pixels = np.frombuffer(packed[0], np.uint8)[16:].reshape(-1, 28, 28)[:_COUNT]
    folder = studio.folder / "digits"
    for place, (digit, label) in enumerate(zip(pixels, np.frombuffer(packed[1], np.uint8)[8:])):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(digit).save(folder / str(label) / f"{place:04d}.png")
    run = studio.run("audit", LENET[1], "--profile", "lenet", "--images", folder.name, "--labels", "folders")
    studio.save("audit-corruptions-lenet.png", next(run.glob("corruptions-*-examples.png")))


def photographs(studio: Studio) -> Path:
    """A folder with the four networks, their profiles, the photographs and their labels."""
    desk = studio.folder / "desk"
    (desk / "networks").mkdir(parents=True)
    for name, source in SQUEEZENETS.items():
        shutil.copyfile(studio.folder / source, desk / "networks" / name)
    profile = onnxray.open(desk / "networks" / "squeezenet.onnx", profile="caffe-imagenet").profile
    assert profile is not None
    text = toml_of(dataclasses.replace(profile, labels=None)) + '\n[head]\nlabels = "imagenet"\n'
    for name in SQUEEZENETS:
        (desk / "networks" / name).with_suffix(".toml").write_text(text, encoding="utf-8")
    for suffix in ("onnx", "toml"):
        shutil.copyfile(studio.folder / "example" / f"{LITE0}.{suffix}", desk / "networks" / f"{LITE0}.{suffix}")
    folder = twenty(desk / "photographs")
    table = labelled(desk / "photographs.csv", folder)
    with table.open("a", encoding="utf-8") as stream:
        for name, label in LABELLED.items():
            shutil.copyfile(studio.folder / name, folder / name)
            stream.write(f"{name},{label}\n")
    return desk


RECIPES = (
    Recipe(
        tuple(f"audit-report{name}.png" for name in ("", "-dark", "-phone")), reports,
        (*SQUEEZENETS.values(), f"example/{LITE0}.onnx", *LABELLED), packages=("foolbox",), programs=BROWSERS,
    ),
    Recipe(("audit-corruptions-lenet.png",), digits, (*LENET, *DIGITS)),
)  # fmt: skip
