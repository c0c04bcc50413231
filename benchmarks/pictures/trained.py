"""Pictures of what is trained on the bundled digits: a generator, an inverter, and LeNet itself."""

from __future__ import annotations

import shutil

from studio import DIGITS, Recipe, Studio


def generator(studio: Studio) -> None:
    run = studio.run("generator", "train", "lenet", "--steps", 600)
    studio.save("generator-shown-lenet.png", studio.sheet(run))
    fooled = studio.run(
        "generator", "fool", "lenet", DIGITS, "--generator", run / "generator.onnx",
        "--coefficients", "1,5,10,20,35,50,65,80,95,110,125",
    )  # fmt: skip
    studio.save("generator-fooling-lenet.png", fooled / "curve.png")


def inverter(studio: Studio) -> None:
    run = studio.run("generator", "inverter", "lenet", DIGITS, "--layer", "pool2", "--steps", 600, "--held-out", 0.2)
    studio.save("inverter-lenet.png", studio.sheet(run))


def hardening(studio: Studio) -> None:
    for path in sorted(DIGITS.glob("*.png")):
        place = studio.folder / "classes" / path.stem.partition("_")[0]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place / path.name)
    run = studio.run(
        "harden", "lenet", "classes", "--labels", "folders", "--attacks", "fgsm", "--eps", 40, "--epochs", 8,
        "--rate", 1e-3, "--batch", 16, "--held-out", 0.3, "--max-drop", 0.1, "--evaluate", 30,
        "--evaluate-attacks", "apgd",
    )  # fmt: skip
    studio.save("hardening-lenet.png", run / "curve.png")


RECIPES = (
    Recipe(("generator-shown-lenet.png", "generator-fooling-lenet.png"), generator),
    Recipe(("inverter-lenet.png",), inverter),
    Recipe(("hardening-lenet.png",), hardening),
)
