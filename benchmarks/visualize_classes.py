"""Class visualisations judged: the wanted class's probability on the saved picture, and what another network says.

python benchmarks/visualize_classes.py MODEL --profile NAME --other MODEL --steps 512 --presets lucid plain --out FOLDER

Twenty classes of ImageNet, an image each, all in one batch. Prints a table and a line for each preset, and writes each
preset's pictures side by side as FOLDER/PRESET.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import onnxray
from onnxray.methods.synthesis.maximize import Maximize

CLASSES = {
    1: "goldfish", 9: "ostrich", 17: "jay", 76: "tarantula", 130: "flamingo", 207: "golden retriever",
    235: "German shepherd", 285: "Egyptian cat", 291: "lion", 323: "monarch", 340: "zebra", 388: "giant panda",
    417: "balloon", 483: "castle", 555: "fire engine", 609: "jeep", 717: "pickup", 779: "school bus", 934: "hotdog",
    949: "strawberry",
}  # fmt: skip
ACROSS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--profile")
    parser.add_argument("--other", required=True)
    parser.add_argument("--other-profile")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--presets", nargs="+", default=["lucid"])
    parser.add_argument("--classes", type=int, nargs="+", choices=CLASSES, default=list(CLASSES), metavar="N")
    parser.add_argument("--reference", type=float, help="what mahendran divides by: a class's score on its photographs")
    parser.add_argument("--out", type=Path, default=Path())
    chosen = parser.parse_args()
    model = onnxray.open(chosen.model, chosen.profile)
    other = onnxray.open(chosen.other, chosen.other_profile)
    chosen.out.mkdir(parents=True, exist_ok=True)
    for preset in chosen.presets:
        reference = chosen.reference if preset == "mahendran" else None
        method = Maximize(preset=preset, steps=chosen.steps, rate=chosen.rate, reference=reference)
        measure(model, other, method, chosen.classes, chosen.out)


def measure(model: onnxray.Model, other: onnxray.Model, method: Maximize, classes: list[int], out: Path) -> None:
    """One preset on all classes."""
    items, preset = method(model, None, tuple(f"class:{c}" for c in classes)).items, method.preset
    pictures = [np.moveaxis(item.images["image"], 0, -1) for item in items]
    own = model.predict([Image.fromarray(picture) for picture in pictures]).probabilities
    theirs = other.predict([Image.fromarray(picture) for picture in pictures])
    print(f"## {preset}, {items[0].steps} steps\n\n| class | probability | other network's class | its probability |")
    print("|---|---|---|---|")
    wanted = np.array(classes)
    for row, number in enumerate(classes):
        name = CLASSES[number]
        said = int(theirs.classes[row])
        print(
            f"| {number} {name} | {own[row, number]:.4f} | {said} {CLASSES.get(said, '')} | "
            f"{theirs.probabilities[row, said]:.3f} |"
        )
    reached = own[np.arange(len(wanted)), wanted]
    print(
        f"\n{preset}: probability above 0.99 for {int((reached > 0.99).sum())} of {len(wanted)}, above 0.9 for "
        f"{int((reached > 0.9).sum())}; the other network agrees on {int((theirs.classes == wanted).sum())}\n",
        flush=True,
    )
    side = [np.asarray(Image.fromarray(picture).resize((160, 160), Image.Resampling.LANCZOS)) for picture in pictures]
    rows = [np.concatenate(side[k : k + ACROSS], axis=1) for k in range(0, len(side), ACROSS)]
    Image.fromarray(np.concatenate(rows)).save(out / f"{preset}.png")


if __name__ == "__main__":
    main()
