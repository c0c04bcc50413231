"""Pictures of what everybody has: bundled digits, models that are trained here, those of ``models/example.py``."""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image
from studio import DIGITS, Recipe, Studio, enlarged, row, stack

NETWORK = "example/efficientnet-lite0.onnx"
PRESETS = (
    ("lucid", 128), ("plain", 128), ("simonyan", 200), ("yosinski-d", 200), ("mahendran", 300),
)  # fmt: skip
GRADIENTS, SIGNED = ("saliency", "integrated-gradients"), ("--target", 1, "--channels", "sum")
COFFEE = ("why-espresso.jpg", "why-compare.jpg", "tutorial-maps.jpg", "small-change.jpg", "small-budget.jpg")
FOUR, SEVEN = DIGITS / "4_0.png", DIGITS / "7_1.png"


def demo(studio: Studio) -> None:
    run = studio.run("demo")
    studio.save("lots-lenet.png", run / "sheet.png")
    studio.save("stability-lenet.png", run / "stability.png")


def inversion(studio: Studio) -> None:
    studio.save("inversion-lenet.png", studio.sheet(studio.run("invert", "lenet", FOUR, SEVEN)))
    run = studio.run("invert", "lenet", FOUR, "--layer", "ip1", "--layer", "ip2", "--samples", 4)
    studio.save("inversion-samples-lenet.png", studio.sheet(run))


def maximize(studio: Studio) -> None:
    targets = [word for digit in range(10) for word in ("--target", f"class:{digit}")]
    rows = []
    for preset, steps in PRESETS:
        more = ("--reference", 10) if preset == "mahendran" else ()
        run = studio.run("visualize", "maximize", "lenet", *targets, "--preset", preset, "--steps", steps, *more)
        rows.append(row([enlarged(one, 2) for one in studio.files(run, "image")], 4))
    studio.save("maximize-lenet.png", stack(rows, 4).convert("L"))


def checked(studio: Studio) -> None:
    digits = sorted(DIGITS.glob("*.png"))[::5]
    run = studio.run("saliency", "check", "gradient", "lenet", *digits)
    studio.save("saliency-curves-lenet.png", run / "curves.png")
    studio.save("saliency-weights-lenet.png", run / "weights.png")


def any_model(studio: Studio) -> None:
    folder = trained(studio)
    for name, sample in (("table", "patients.csv"), ("chirp", "spectrogram.npy"), ("beat", "signal.npy")):
        run = studio.run(*GRADIENTS, folder / f"{name}.onnx", folder / sample, *SIGNED)
        studio.save(f"any-{name}.png", studio.file(run, "map"))
    inputs = (f"rgb={folder / 'colour.png'}", f"depth={folder / 'depth.png'}")
    near = studio.run("saliency", "occlusion", folder / "near.onnx", *inputs, "--target", 1, "--fill", 0.5)
    studio.save("any-near.png", stack(studio.files(near, "map"), 0))
    files = (folder / "ill.csv", "--target", folder / "well.csv", "--layer", "h", "--steps", 200)
    studio.save("any-lots-table.png", studio.file(studio.run("lots", folder / "table.onnx", *files), "figure patient"))


def any_text(studio: Studio) -> None:
    text = "I loved the acting but the ending was not good, it was boring"
    run = studio.run(*GRADIENTS, trained(studio) / "review.onnx", text, *SIGNED)
    studio.save("any-review.png", studio.file(run, "map"))


def trained(studio: Studio) -> Path:
    """The folder of the models of docs/any-model.md, trained once."""
    folder = studio.folder / "any"
    if not folder.exists():
        studio.python("benchmarks/any_model.py", "any")
    return folder


def universal(studio: Studio) -> None:
    how = ("--held-out", 0.3, "--eps", 64, "--by", "gradient", "--loss", "margin", "--batch", 16)
    studio.save("universal-lenet.png", studio.sheet(studio.run("attack", "universal", "lenet", DIGITS, *how)))


def int8(studio: Studio) -> None:
    page = (studio.folder / "docs/fp32-against-int8.md").read_text(encoding="utf-8")
    (studio.folder / "int8.py").write_text(page.split("```python\n")[1].split("```")[0], encoding="utf-8")
    studio.python("int8.py")
    maps = [
        studio.file(studio.run("saliency", "gradient", *model, FOUR, "--enlarge", 8), role)
        for model in (("lenet",), ("int8.onnx", "--profile", "lenet"))
        for role in ("overlay", "map")
    ]
    studio.save("int8-lenet.png", row(maps[:1] + maps[1::2]))
    run = studio.run("features", "compare", "lenet", "int8.onnx", DIGITS, "--profile", "lenet")
    studio.save("features-compare-lenet-int8.png", run / "similarity.png")


def coffee(studio: Studio) -> None:
    photograph = "example/coffee.png"
    run = studio.run("saliency", "grad-cam", NETWORK, photograph, "--overlay-original")
    with Image.open(studio.folder / photograph) as plain:
        studio.save("why-espresso.jpg", row([plain.convert("RGB"), studio.file(run, "original-overlay")]))
    methods = ("--methods", "grad-cam,occlusion,smoothgrad")
    studio.save("why-compare.jpg", studio.timeless(studio.run("saliency", "compare", NETWORK, photograph, *methods)))
    studio.save("tutorial-maps.jpg", studio.timeless(studio.run("saliency", "compare", NETWORK, "example", *methods)))
    budget = ("--eps", 1, "--steps", 20)
    studio.save("small-budget.jpg", studio.sheet(studio.run("attack", "pgd", NETWORK, photograph, *budget)))
    goal = ("--target", "example/chelsea.png", "--layer", "logits", "--steps", 100)
    studio.save("small-change.jpg", studio.sheet(studio.run("lots", NETWORK, photograph, *goal)))


def fooling(studio: Studio) -> None:
    digits = [word for digit in range(10) for word in ("--target", digit)]
    cppn = studio.run("attack", "fooling-evolution", "lenet", "--encoding", "cppn")
    direct = studio.run("attack", "fooling-evolution", "lenet")
    runs = (studio.run("attack", "fooling-gradient", "lenet", *digits), direct, cppn)
    rows = [row([enlarged(one, 3) for one in studio.files(run, "image")], 4) for run in runs]
    studio.save("fooling-lenet.png", stack(rows, 4).convert("L"))
    studio.save("fooling-curve-lenet.png", direct / "curve.png")


def hot_cold_targets(studio: Studio) -> None:
    run = studio.run("lots", "lenet", FOUR, "--hot-cold", 9, "--layer", "conv1", "--layer", "conv2", "--steps", 300)
    studio.save("lots-hot-cold-lenet.png", studio.sheet(run))


def cup_inverted(studio: Studio) -> None:
    with Image.open(studio.folder / "example/coffee.png") as plain:
        plain.crop((60, 0, 460, 400)).save(studio.folder / "coffee.png")
    studio.save("inversion-efficientnet-lite0.jpg", studio.sheet(studio.run("invert", NETWORK, "coffee.png")))


def digits(studio: Studio) -> tuple[str, ...]:
    """LeNet, the bundled digits in folders of their classes, and what says so."""
    for path in sorted(DIGITS.glob("*.png")):
        place = studio.folder / "digits" / path.stem.partition("_")[0]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place / path.name)
    return "lenet", "digits", "--labels", "folders"


def learned(studio: Studio) -> None:
    run = studio.run("features", "tsne", *digits(studio), "--layer", "pool1", "--layer", "relu1")
    studio.save("features-tsne-lenet.png", run / "maps.png")
    run = studio.run("features", "probe", *digits(studio))
    studio.save("features-probe-lenet.png", run / "probe.png")


def features(studio: Studio) -> None:
    of_digits = digits(studio)
    run = studio.run("features", "neighbors", *of_digits, "--layer", "relu1", "--sheets", 8)
    studio.save("features-neighbors-lenet.png", studio.sheet(run))
    run = studio.run("features", "units", *of_digits, "--layer", "conv2", "--layer", "relu1")
    studio.save("features-units-lenet.png", run / "units.png")
    layers = [word for layer in ("pool1", "pool2", "relu1") for word in ("--layer", layer)]
    run = studio.run("features", "invariance", "lenet", DIGITS, *layers)
    studio.save("features-invariance-lenet.png", run / "invariance.png")
    studio.save("features-shares-lenet.png", run / "shares.png")


RECIPES = (
    Recipe(("lots-lenet.png", "stability-lenet.png"), demo),
    Recipe(("inversion-lenet.png", "inversion-samples-lenet.png"), inversion),
    Recipe(("maximize-lenet.png",), maximize),
    Recipe(("saliency-curves-lenet.png", "saliency-weights-lenet.png"), checked),
    Recipe(tuple(f"any-{name}.png" for name in ("table", "chirp", "beat", "near", "lots-table")), any_model),
    Recipe(("any-review.png",), any_text, packages=("tokenizers",)),
    Recipe(("universal-lenet.png",), universal),
    Recipe(("int8-lenet.png", "features-compare-lenet-int8.png"), int8),
    Recipe(tuple(f"features-{name}-lenet.png" for name in ("neighbors", "units", "invariance", "shares")), features),
    Recipe(("features-tsne-lenet.png", "features-probe-lenet.png"), learned, packages=("sklearn",)),
    Recipe(
        ("why-espresso.jpg", "why-compare.jpg", "tutorial-maps.jpg", "small-change.jpg", "small-budget.jpg"),
        coffee,
        (NETWORK,),
    ),
    Recipe(("fooling-lenet.png", "fooling-curve-lenet.png"), fooling),
    Recipe(("lots-hot-cold-lenet.png",), hot_cold_targets),
    Recipe(("inversion-efficientnet-lite0.jpg",), cup_inverted, (NETWORK,)),
)
