"""Pictures of networks and photographs that not everybody has: named as the commands of the documentation name them."""

from __future__ import annotations

import gzip

import numpy as np
from photographs import animals_and_vehicles, crops, labelled, others, twenty
from PIL import Image
from skimage.data import chelsea
from studio import Recipe, Studio, enlarged, row, stack

from support.browser import browser
from support.browser_session import session

MNIST = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
CAFFE = ("--profile", "caffe-imagenet")
METHODS = "gradient,input-x-gradient,integrated-gradients,smoothgrad,guided-backpropagation,grad-cam,cam"
PHOTOS = ("cat.jpg", "dog.jpg", "hummingbird.jpg", "pelican.jpeg", "bald_eagle.jpeg")
MORE_PHOTOS = ("bvlc_cat.jpg", "bvlc_fish-bike.jpg")
FOUR = ("bvlc_cat.jpg", "cat.jpg", "hummingbird.jpg", "pelican.jpeg")
BOXES = {
    "cat.jpg": "16,1,224,224", "dog.jpg": "32,15,155,220", "hummingbird.jpg": "3,0,200,224",
    "pelican.jpeg": "0,40,224,190", "bald_eagle.jpeg": "0,70,224,151", "chelsea.png": "0,0,224,224",
}  # fmt: skip
STRETCHED = {**BOXES, "pelican.jpeg": "0,15,224,193", "bald_eagle.jpeg": "18,70,199,151", "chelsea.png": "0,0,201,224"}
"""Drawn by hand around the animals: benchmarks/saliency_photos.py, which makes the figures of the page."""
TWENTY = (1, 9, 17, 76, 130, 207, 235, 285, 291, 323, 340, 388, 417, 483, 555, 609, 717, 779, 934, 949)
LITE0 = "example/efficientnet-lite0.onnx"
SALIENCY = (("squeezenet", ("squeezenet.onnx", *CAFFE), STRETCHED), ("efficientnet-lite0", (LITE0,), BOXES))
_TEST_DIGITS, _TEST_LABELS = MNIST
_TWO_ROWS = 735
"""How far down a sheet of an evaluation its second row of photographs ends, in pixels."""


def saliency(studio: Studio) -> None:
    for name, model, boxes in SALIENCY:
        two = [word for photo in PHOTOS[:2] for word in (photo, "--reference-box", boxes[photo])]
        run = studio.run("saliency", "compare", *model, *two, "--methods", METHODS)
        studio.save(f"saliency-compare-{name}.jpg", studio.timeless(run))


def objects(studio: Studio) -> None:
    Image.fromarray(chelsea()).save(studio.folder / "chelsea.png")
    for name, model, boxes in SALIENCY:
        six = [word for photo in (*PHOTOS, "chelsea.png") for word in (photo, "--reference-box", boxes[photo])]
        run = studio.run("saliency", "grad-cam", *model, *six, "--object", "grabcut")
        studio.save(f"saliency-objects-{name}.jpg", studio.sheet(run))


def robustness(studio: Studio) -> None:
    """The first 1,000 test digits, with their true classes: about nine minutes of a processor."""
    images, labels = (np.frombuffer(gzip.decompress((studio.folder / name).read_bytes()), np.uint8) for name in MNIST)
    digits, table = studio.folder / "robust", studio.folder / "robust.csv"
    digits.mkdir()
    for k, digit in enumerate(images[16:].reshape(-1, 28, 28)[:1000]):
        Image.fromarray(digit).save(digits / f"{k:04d}.png")
    table.write_text("".join(f"{k:04d}.png,{label}\n" for k, label in enumerate(labels[8:1008])), encoding="utf-8")
    evaluate = ("attack", "evaluate", "lenet", digits, "--labels", table)
    run = studio.run(*evaluate, "--eps", "8,16,25,38,51,76")
    studio.save("robustness-lenet.png", run / "curve.png")
    studio.save("robustness-sheet-lenet.png", run / "sheet.png")


def robust_photographs(studio: Studio) -> None:
    """Of foolbox's photographs, whose names end in their classes."""
    table = labelled(studio.folder / "labels.csv", twenty(studio.folder / "labelled"))
    evaluate = ("attack", "evaluate", LITE0, "labelled", "--labels", table)
    run = studio.run(*evaluate, "--eps", "1,2,4", "--attacks", "fmn", "--trust-images", 2)
    sheet = studio.sheet(run)
    studio.save("robustness-sheet-efficientnet-lite0.jpg", sheet.crop((0, 0, sheet.width, _TWO_ROWS)))
    smallest = ("--norm", "l2", "--eps", "16,32,64,128,255", "--attacks", "ddn", "--trust-images", 0)
    sheet = studio.sheet(studio.run(*evaluate, *smallest))
    studio.save("robustness-l2-efficientnet-lite0.jpg", sheet.crop((0, 0, sheet.width, _TWO_ROWS)))


def inversion(studio: Studio) -> None:
    with Image.open(studio.folder / "example/coffee.png") as plain:
        plain.crop((60, 0, 460, 400)).save(studio.folder / "coffee.png")
    studio.save("inversion-squeezenet.jpg", studio.sheet(studio.run("invert", "squeezenet.onnx", "coffee.png", *CAFFE)))


def dreams(studio: Studio) -> None:
    dream = ("visualize", "deepdream")
    runs = (
        studio.run(*dream, "squeezenet.onnx", "cat.jpg", *CAFFE, "--size", 448),
        studio.run(*dream, LITE0, "pelican.jpeg", "--size", 448),
        studio.run(*dream, "squeezenet.onnx", "cat.jpg", *CAFFE, "--size", 320, "--guide", "hummingbird.jpg"),
    )
    pictures = [studio.file(run, "image") for run in runs]
    studio.save("dreams.jpg", row([one.resize((one.width * 300 // one.height, 300)) for one in pictures]))


def zoom(studio: Studio) -> None:
    more = ("--size", 320, "--frames", 6, "--octaves", 2, "--steps", 6, "--zoom", ".08")
    run = studio.run("visualize", "deepdream", "squeezenet.onnx", "dog.jpg", *CAFFE, *more)
    frames = studio.files(run, "image")
    shown = [frames[number].resize((224, 224)) for number in (0, 2, 5)]
    studio.save("dream-zoom.jpg", row(shown))


def caricature(studio: Studio) -> None:
    layers = [word for fire in (4, 6, 9) for word in ("--layer", f"fire{fire}/concat_1")]
    words = ("squeezenet.onnx", "bald_eagle.jpeg", *CAFFE, "--steps", 100, *layers)
    run = studio.run("visualize", "caricature", *words)
    studio.save("caricature-squeezenet.jpg", row(studio.files(run, "image")))


def style(studio: Studio) -> None:
    words = ("squeezenet.onnx", "cat.jpg", "--style", "hummingbird.jpg", *CAFFE, "--steps", 120)
    run = studio.run("visualize", "style", *words)
    texture = studio.run("visualize", "texture", "squeezenet.onnx", "hummingbird.jpg", *CAFFE, "--steps", 200)
    small = []
    for name in ("cat.jpg", "hummingbird.jpg"):
        with Image.open(studio.folder / name) as photo:
            small.append(photo.convert("RGB").resize((256, 256)).crop((16, 16, 240, 240)))
    studio.save("style-squeezenet.jpg", row([*small, studio.file(run, "image"), studio.file(texture, "image")]))


def classes(studio: Studio) -> None:
    def climbed(numbers: tuple[int, ...], *more: object) -> list[Image.Image]:
        targets = [word for number in numbers for word in ("--target", f"class:{number}")]
        run = studio.run("visualize", "maximize", "squeezenet.onnx", *CAFFE, *targets, *more)
        return studio.files(run, "image")

    studio.save("centre-bias-squeezenet.jpg", row(climbed((130, 340, 285, 9), "--preset", "centre-bias"), 0))
    small = [one.resize((160, 160)) for one in climbed(TWENTY)]
    studio.save("maximize-squeezenet.jpg", stack([row(small[at : at + 5], 0) for at in range(0, 20, 5)], 0))


def generator(studio: Studio) -> None:
    studio.python("benchmarks/digit_generator.py", _TEST_DIGITS, "--out", "generator")
    targets = [word for digit in range(10) for word in ("--target", f"class:{digit}")]
    words = ("visualize", "maximize", "lenet", *targets, "--generator", "generator/generator.onnx", "--code-most", 11)
    runs = (
        studio.run(*words, "--preset", "dgn-am", "--rate", 1, "--code-least", 0),
        studio.run(*words, "--preset", "ppgn", "--encoder-layer", "relu1"),
    )
    rows = [row([one.resize((84, 84), 0) for one in studio.files(run, "image")], 0) for run in runs]
    studio.save("generator-lenet.png", stack(rows, 0).convert("L"))


def facets(studio: Studio) -> None:
    """Above the means that the facets of a digit start from, below what they come to."""
    images = gzip.decompress((studio.folder / _TEST_DIGITS).read_bytes())
    labels = np.frombuffer(gzip.decompress((studio.folder / _TEST_LABELS).read_bytes()), np.uint8)[8:]
    pictures = np.frombuffer(images, np.uint8)[16:].reshape(-1, 28, 28)
    rows = []
    for digit in (2, 7, 4):
        place = studio.folder / f"all-{digit}"
        place.mkdir()
        for k in np.flatnonzero(labels == digit):
            Image.fromarray(pictures[k]).save(place / f"{k:05d}.png")
        words = ("lenet", place, "--target", f"class:{digit}", "--preset", "multifaceted", "--steps", 40, "--weight", 0)
        run = studio.run("visualize", "maximize", *words)
        rows += [row([enlarged(one, 3) for one in studio.files(run, role)], 4) for role in ("mean", "image")]
    studio.save("facets-lenet.png", stack(rows, 4).convert("L"))


def detector(studio: Studio) -> None:
    scaling = ("--mean", 127, "--std", 128, "--scale", 1, "--resize", "stretch")
    words = ("ultraface.onnx", "example/astronaut.png", *scaling, "--target", "boxes[0].score")
    studio.save("detector.jpg", studio.sheet(studio.run("saliency", "occlusion", *words)))


def embedding(studio: Studio) -> None:
    with Image.open(studio.folder / "example/astronaut.png") as photograph:
        cut = photograph.convert("RGB").crop((167, 50, 279, 162))
    cut.save(studio.folder / "face.png")
    cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(studio.folder / "mirrored.png")
    scaling = ("--mean", 127.5, "--std", 128, "--scale", 1, "--resize", "stretch")
    words = ("mobilefacenet.onnx", "face.png", *scaling, "--target", "like:mirrored.png")
    studio.save("embedding.jpg", studio.sheet(studio.run("saliency", "occlusion", *words)))


def two_models(studio: Studio) -> None:
    """A picture of which they say different things, and three of which they do not."""
    run = studio.run("compare", *QUANTISED[:2], *FOUR, *CAFFE)
    studio.save("compare-models-squeezenet.jpg", studio.sheet(run))


def layers(studio: Studio) -> None:
    run = studio.run("compare", *QUANTISED, *PHOTOS, *CAFFE, "--method", "none")
    studio.save("compare-models-layers.png", run / "layers.png")


def universal(studio: Studio) -> None:
    named = others(studio.folder / "others", [studio.folder / name for name in (*PHOTOS, *MORE_PHOTOS)])
    crops(studio.folder / "crops", named)
    twenty(studio.folder / "twenty")
    how = ("--by", "gradient", "--batch", 20, "--epochs", 6, "--fooling-rate", 0.95)
    run = studio.run("attack", "universal", SQUEEZENET, "crops", *CAFFE, "--held-out", "twenty", *how)
    studio.save("universal-squeezenet.jpg", studio.sheet(run))


def patch(studio: Studio) -> None:
    everything = others(studio.folder / "photographs", [studio.folder / name for name in (*PHOTOS, *MORE_PHOTOS)])
    for path in twenty(studio.folder / "of-foolbox").iterdir():
        path.rename(everything / path.name)
    how = ("--target", "toaster", "--held-out", 0.33, "--steps", 150, "--batch", 8, "--step-size", 12)
    run = studio.run("attack", "patch", LITE0, "photographs", *how)
    studio.save("patch-efficientnet-lite0.jpg", studio.sheet(run))
    with Image.open(run / "print.png") as page:
        studio.save("patch-print.jpg", page.resize((620, 877), Image.Resampling.LANCZOS))


def looked_for(studio: Studio) -> None:
    everything = others(studio.folder / "all", [studio.folder / name for name in (*PHOTOS, *MORE_PHOTOS)])
    for path in twenty(studio.folder / "of-imagenet").iterdir():
        path.rename(everything / path.name)
    how = ("--layer", "fire5/concat_1", "--most", 5)
    run = studio.run("features", "patches", SQUEEZENET, "all", *CAFFE, *how)
    studio.save("features-patches-squeezenet.jpg", studio.sheet(run))


def alike(studio: Studio) -> None:
    of_crops = (pieces(studio), "--labels", "folders")
    run = studio.run("features", "neighbors", LITE0, *of_crops, "--sheets", 6, "--k", 4)
    studio.save("features-neighbors-efficientnet-lite0.jpg", studio.sheet(run))
    run = studio.run("features", "tsne", LITE0, *of_crops, "--k", 4)
    studio.save("features-tsne-efficientnet-lite0.jpg", run / "maps.png")


def arranged(studio: Studio) -> None:
    """The page itself, as a browser shows it."""
    if browser() is None:
        print("features-map-squeezenet.jpg: left alone, there is no Chromium")
        return
    layers = ("--layer", "pool3_1", "--layer", "pool10_1")
    run = studio.run("features", "tsne", SQUEEZENET, pieces(studio), "--labels", "folders", *CAFFE, *layers, "--k", 4)
    with session(studio.folder) as held:
        held.open((run / "map.html").as_uri(), width=1100)
        held.ask("image.decode()")
        held.ask("look(3)")
        held.frame()
        shown = held.picture(studio.folder / "map.png")
    with Image.open(shown) as page:
        studio.save("features-map-squeezenet.jpg", page.crop((0, 0, page.width, min(page.height, 1500))))


def pieces(studio: Studio) -> str:
    """The name of a folder of 160 crops of foolbox's photographs, in folders that are named by them."""
    folder = studio.folder / "pieces"
    if folder.exists():
        return folder.name
    crops(folder, twenty(studio.folder / "whole"))
    for path in sorted(folder.glob("*.png")):
        place = folder / path.stem.rpartition("-")[0]
        place.mkdir(exist_ok=True)
        path.rename(place / path.name)
    return folder.name


def quantised_layers(studio: Studio) -> None:
    everything = others(studio.folder / "both", [studio.folder / name for name in (*PHOTOS, *MORE_PHOTOS)])
    for path in twenty(studio.folder / "of-both").iterdir():
        path.rename(everything / path.name)
    run = studio.run("features", "compare", SQUEEZENET, QUANTISED[2], "both", *CAFFE)
    studio.save("features-compare-squeezenet-int8.png", run / "similarity.png")


def animals(studio: Studio) -> None:
    """Animals against vehicles, of foolbox's twenty pictures of CIFAR-10."""
    scaling = ("--mean", "125.3,123.0,113.9", "--std", 1, "--scale", 1, "--channels", "RGB")
    folder = animals_and_vehicles(studio.folder / "cifar")
    run = studio.run("features", "probe", "cifar10-full.onnx", folder, "--labels", "folders", *scaling, "--folds", 10)
    studio.save("features-probe-cifar10.png", run / "probe.png")


SQUEEZENET = "squeezenet.onnx"
QUANTISED = (SQUEEZENET, "squeezenet-uint8.onnx", "squeezenet-qdq-int8.onnx")
RECIPES = (
    Recipe(
        tuple(f"saliency-compare-{name}.jpg" for name, _, _ in SALIENCY), saliency, (SQUEEZENET, LITE0, *PHOTOS[:2])
    ),
    Recipe(tuple(f"saliency-objects-{name}.jpg" for name, _, _ in SALIENCY), objects, (SQUEEZENET, LITE0, *PHOTOS)),
    Recipe(("robustness-lenet.png", "robustness-sheet-lenet.png"), robustness, MNIST),
    Recipe(
        ("robustness-sheet-efficientnet-lite0.jpg", "robustness-l2-efficientnet-lite0.jpg"), robust_photographs,
        (LITE0,), packages=("foolbox",),
    ),
    Recipe(("inversion-squeezenet.jpg",), inversion, (SQUEEZENET, LITE0)),
    Recipe(("dreams.jpg",), dreams, (SQUEEZENET, LITE0, "cat.jpg", "pelican.jpeg", "hummingbird.jpg")),
    Recipe(("dream-zoom.jpg",), zoom, (SQUEEZENET, "dog.jpg")),
    Recipe(("caricature-squeezenet.jpg",), caricature, (SQUEEZENET, "bald_eagle.jpeg")),
    Recipe(("style-squeezenet.jpg",), style, (SQUEEZENET, "cat.jpg", "hummingbird.jpg")),
    Recipe(("centre-bias-squeezenet.jpg", "maximize-squeezenet.jpg"), classes, (SQUEEZENET,)),
    Recipe(("generator-lenet.png",), generator, (_TEST_DIGITS,)),
    Recipe(("facets-lenet.png",), facets, (_TEST_DIGITS, _TEST_LABELS)),
    Recipe(("detector.jpg",), detector, ("ultraface.onnx", LITE0)),
    Recipe(("compare-models-squeezenet.jpg",), two_models, (*QUANTISED[:2], *FOUR)),
    Recipe(("compare-models-layers.png",), layers, (*QUANTISED, *PHOTOS)),
    Recipe(("embedding.jpg",), embedding, ("mobilefacenet.onnx", LITE0)),
    Recipe(("universal-squeezenet.jpg",), universal, (SQUEEZENET, *PHOTOS, *MORE_PHOTOS), packages=("foolbox",)),
    Recipe(
        ("patch-efficientnet-lite0.jpg", "patch-print.jpg"), patch, (LITE0, *PHOTOS, *MORE_PHOTOS),
        packages=("foolbox",),
    ),
    Recipe(
        ("features-patches-squeezenet.jpg",), looked_for, (SQUEEZENET, *PHOTOS, *MORE_PHOTOS), packages=("foolbox",)
    ),
    Recipe(
        ("features-neighbors-efficientnet-lite0.jpg", "features-tsne-efficientnet-lite0.jpg"), alike, (LITE0,),
        packages=("foolbox", "sklearn"),
    ),
    Recipe(("features-map-squeezenet.jpg",), arranged, (SQUEEZENET,), packages=("foolbox", "sklearn")),
    Recipe(
        ("features-compare-squeezenet-int8.png",), quantised_layers,
        (SQUEEZENET, QUANTISED[2], *PHOTOS, *MORE_PHOTOS), packages=("foolbox",),
    ),
    Recipe(("features-probe-cifar10.png",), animals, ("cifar10-full.onnx",), packages=("foolbox", "sklearn")),
)  # fmt: skip
