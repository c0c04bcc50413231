"""Pictures of what is trained: generators and inverters of the bundled LeNet and of SqueezeNet, and LeNet itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from networks import CAFFE, MORE_PHOTOS, PHOTOS, SQUEEZENET, TWENTY
from photographs import crops, others, twenty
from studio import DIGITS, Recipe, Studio, row, stack

from onnxray.images.drawing.page.palette import WHITE
from onnxray.report.training.generator_report import loss_curves

CLASSES = ("--classes", ",".join(map(str, TWENTY)))
SMALL = (*CAFFE, "--batch", 8, "--width", 8, "--rate", 0.002, "--until", 0)
"""What a minute of a processor takes a hundred steps of, at 224 pixels."""
PRIOR = ("--augment", "similarity", "--variation", 1, "--decay", 1)
_SQUARES = 2


def generator(studio: Studio) -> None:
    run = studio.run("generator", "train", "lenet", "--steps", 600)
    studio.save("generator-shown-lenet.png", studio.sheet(run))
    fooled = studio.run(
        "generator", "fool", "lenet", DIGITS, "--generator", run / "generator.onnx",
        "--coefficients", "1,5,10,20,35,50,65,80,95,110,125",
    )  # fmt: skip
    studio.save("generator-fooling-lenet.png", fooled / "curve.png")


def generator_with_prior(studio: Studio) -> None:
    run = studio.run("generator", "train", "lenet", "--steps", 300, "--until", 0, *PRIOR)
    studio.save("generator-prior-lenet.png", studio.sheet(run))


def generator_of_photographs(studio: Studio) -> None:
    """Three minutes of a processor."""
    run = studio.run("generator", "train", SQUEEZENET, *CLASSES, *SMALL, "--steps", 250, *PRIOR)
    studio.save("generator-shown-squeezenet.jpg", studio.sheet(run))


def fooled_photographs(studio: Studio) -> None:
    """The paper's generator without a prior, its ablation, and what it fools: nine minutes of a processor."""
    words = ("generator", "train", SQUEEZENET, *CLASSES, *SMALL, "--steps", 200)
    runs = {
        "the class is fed at every level": studio.run(*words),
        "it is fed once, at the first": studio.run(*words, "--feed", "once"),
    }
    losses = {name: json.loads((run / "result.json").read_text())["losses"] for name, run in runs.items()}
    title = "Generators of 20 classes of SqueezeNet v1.1"
    studio.save("generator-ablation-squeezenet.png", loss_curves(losses, title, WHITE))
    every = next(iter(runs.values()))
    pictures = [one.resize((160, 160)) for one in studio.files(every, "image")[:10]]
    studio.save("generator-plain-squeezenet.jpg", stack([row(pictures[:5], 4), row(pictures[5:], 4)], 4))
    of_others, squares = photographs_apart(studio)
    made = studio.run(
        "attack", "universal", SQUEEZENET, of_others, *CAFFE, "--by", "gradient", "--batch", 20, "--epochs", 4,
        "--fooling-rate", 0.95,
    )  # fmt: skip
    fooled = studio.run(
        "generator", "fool", SQUEEZENET, squares, *CAFFE, "--generator", every / "generator.onnx",
        "--coefficients", "1,5,10,20,35", "--universal", made / "universal.npy",
    )  # fmt: skip
    studio.save("generator-fooling-squeezenet.png", fooled / "curve.png")


def channels(studio: Studio) -> None:
    """Sixteen of each of two layers of one fire module, of one also without augmentation: five minutes."""
    grids = []
    small = (*CAFFE, "--batch", 8, "--width", 8, "--variation", 0.3, "--decay", 0.3)
    for layer, how in (
        ("squeeze1x1_2", ("--steps", 140, "--rate", 0.002, "--augment", "similarity")),
        ("expand3x3_2", ("--steps", 160, "--rate", 0.002, "--augment", "similarity")),
        ("expand3x3_2", ("--steps", 200, "--rate", 0.004)),
    ):
        run = studio.run("generator", "train", SQUEEZENET, "--channels", f"fire4/{layer}:0-15", *small, *how)
        pictures = [one.crop((56, 56, 168, 168)) for one in studio.files(run, "image")]
        grids.append(stack([row(pictures[:8], 4), row(pictures[8:], 4)], 4))
    studio.save("generator-channels-squeezenet.jpg", stack(grids, 16))


def inverters(studio: Studio) -> None:
    """Six of the twenty that are held out, above what comes of their codes: three minutes of a processor."""
    place = studio.folder / "inverted"
    place.mkdir()
    named = others(place / "others", [studio.folder / name for name in (*PHOTOS, *MORE_PHOTOS)])
    held, learnt = twenty(place / "twenty"), crops(place / "crops", named)
    how = ("--steps", 120, "--batch", 16, "--width", 8, "--rate", 0.004, "--held-out", held)
    runs = [
        studio.run("generator", "inverter", SQUEEZENET, learnt, *CAFFE, "--layer", layer, *how)
        for layer in ("fire4/concat_1", "fire9/concat_2")
    ]
    rows = [studio.files(runs[0], "original"), *(studio.files(run, "image") for run in runs)]
    studio.save(
        "inverter-squeezenet.jpg", stack([row([one.resize((136, 136)) for one in six[:6]], 4) for six in rows], 4)
    )


def photographs_apart(studio: Studio) -> tuple[Path, Path]:
    """200 squares of 25 photographs, and 40 of foolbox's twenty: two of each."""
    place = studio.folder / "apart"
    place.mkdir()
    named = others(place / "others", [studio.folder / name for name in (*PHOTOS, *MORE_PHOTOS)])
    squares = crops(place / "squares", twenty(place / "twenty"))
    for path in squares.glob("*.png"):
        if int(path.stem.rpartition("-")[2]) >= _SQUARES:
            path.unlink()
    return crops(place / "crops", named), squares


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
    Recipe(("generator-prior-lenet.png",), generator_with_prior),
    Recipe(("generator-shown-squeezenet.jpg",), generator_of_photographs, (SQUEEZENET,)),
    Recipe(
        (
            "generator-ablation-squeezenet.png",
            "generator-plain-squeezenet.jpg",
            "generator-fooling-squeezenet.png",
        ),
        fooled_photographs,
        (SQUEEZENET, *PHOTOS, *MORE_PHOTOS),
        packages=("foolbox",),
    ),
    Recipe(("generator-channels-squeezenet.jpg",), channels, (SQUEEZENET,)),
    Recipe(("inverter-lenet.png",), inverter),
    Recipe(("inverter-squeezenet.jpg",), inverters, (SQUEEZENET, *PHOTOS, *MORE_PHOTOS), packages=("foolbox",)),
    Recipe(("hardening-lenet.png",), hardening),
)
