"""Maps, objects and figures on photographs: writes the tables of docs/saliency.md.

python benchmarks/saliency_photos.py --photos FOLDER --network squeezenet=FILE.onnx@caffe-imagenet --network NAME=FILE

FOLDER holds the photos named below (scikit-image's chelsea is added); @PROFILE may be left out where the profile lies
beside the file. The page is written between its two markers; --print leaves it alone. The pictures that the tables
stand beside are drawn by benchmarks/pictures/draw.py.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from skimage.data import chelsea

import onnxray
import onnxray_models
from onnxray.assess.maps.check import Check
from onnxray.assess.maps.comparison import Comparison
from onnxray.assess.maps.summary import summarize
from onnxray.methods.catalogue import family
from onnxray.methods.options_from_text import configured
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.found_objects import box_overlap, is_pointed_at, threshold
from onnxray.methods.saliency.objects_of_maps import Reference, with_objects

PAGE = Path(__file__).resolve().parents[1] / "docs" / "saliency.md"
MARKERS = ("<!-- photographs: written by benchmarks/saliency_photos.py -->", "<!-- photographs: end -->")
# Drawn by hand around the whole animal, in the 224 x 224 pixels that a resize to 256 and a crop of the centre leave of
# each photo: x0, y0, x1, y1. Of the shorter side (torchvision, timm), where the cat of chelsea fills its crop:
CROPPED = {
    "cat.jpg": (16, 1, 224, 224),
    "dog.jpg": (32, 15, 155, 220),
    "hummingbird.jpg": (3, 0, 200, 224),
    "pelican.jpeg": (0, 40, 224, 190),
    "bald_eagle.jpeg": (0, 70, 224, 151),
    "chelsea.png": (0, 0, 224, 224),
}
# Of both sides (Caffe), which leaves more of those photos that are no squares:
STRETCHED = {
    **CROPPED,
    "pelican.jpeg": (0, 15, 224, 193),
    "bald_eagle.jpeg": (18, 70, 199, 151),
    "chelsea.png": (0, 0, 201, 224),
}
ENOUGH = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--network", action="append", required=True, metavar="NAME=FILE[@PROFILE]")
    parser.add_argument("--object-method", default="grad-cam", help="whose maps seed the objects")
    parser.add_argument("--methods", help="the methods compared, by name; default: those of the quicker families")
    parser.add_argument("--set", action="append", default=[], metavar="METHOD.OPTION=VALUE", dest="settings")
    parser.add_argument("--print", action="store_true", help="print the section, and leave the page as it is")
    given = parser.parse_args()
    known = family(Saliency)  # type: ignore[type-abstract]
    slow = {"rise", "occlusion", "value-occlusion", "score-cam"}
    names = given.methods.split(",") if given.methods else [name for name in known if name not in slow]
    methods = configured(known, names, [text for text in given.settings if text.partition(".")[0] in names])
    own = [text for text in given.settings if text.startswith(f"{given.object_method}.")]
    (objects_of,) = configured(known, [given.object_method], own)
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(chelsea()).save(Path(folder) / "chelsea.png")
        photos = [given.photos / name if name != "chelsea.png" else Path(folder) / name for name in CROPPED]
        sections = []
        for text in given.network:
            name, _, place = text.partition("=")
            file, _, profile = place.partition("@")
            model = onnxray.open(file, profile or None)
            print(f"{name}: objects of {objects_of.name}", file=sys.stderr)
            sections.append(objects_section(name, model, photos, objects_of))
            print(f"{name}: {', '.join(names)}", file=sys.stderr)
            sections.append(compared_section(name, model, photos, methods))
        sections.append(check_section())
    section = "\n\n".join(sections)
    if given.print:
        print(section)
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKERS[0])
    after = rest.partition(MARKERS[1])[2]
    PAGE.write_text(f"{before}{MARKERS[0]}\n\n{section}\n\n{MARKERS[1]}{after}", encoding="utf-8")


def boxes_of(model: onnxray.Model) -> tuple[tuple[int, int, int, int], ...]:
    """The boxes in the model's own pixels."""
    assert model.profile is not None
    return tuple((STRETCHED if model.profile.resize == "stretch" else CROPPED).values())


def objects_section(name: str, model: onnxray.Model, photos: Sequence[Path], method: Saliency) -> str:
    """The object of each photo, by GrabCut and by threshold, against the box drawn by hand."""
    boxes = boxes_of(model)
    references = [Reference(box=box) for box in boxes]
    result = with_objects(method(model, photos), model, "grabcut", references)
    lines = ["| photo | class | peak on the animal's box | GrabCut box, IoU | box at a share of the maximum, IoU |",
             "|---|---|---|---|---|"]  # fmt: skip
    enough = []
    for item, box in zip(result.items, boxes):
        found: Any = item.object_
        plain = threshold(item.heat).box
        enough.append(found["box_iou"] >= ENOUGH)
        hit = "yes" if is_pointed_at(item.heat, box, 0) else "no"
        overlap = "-" if plain is None else f"{box_overlap(plain, box):.2f}"
        said = f"{found['box_iou']:.2f}" + (f" ({found['reason']})" if found["reason"] else "")
        lines.append(f"| {Path(str(item.path)).stem} | {item.label} | {hit} | {said} | {overlap} |")
    layer = f" at `{result.items[0].layer}`" if result.items[0].layer else ""
    return "\n".join(
        [
            f"### {name}: objects from {method.name}{layer}",
            "",
            *lines,
            "",
            f"GrabCut reaches {ENOUGH} on {sum(enough[:5])} of the 5 photos, and {'also' if enough[5] else 'not'} on "
            "chelsea, whose face fills the picture.",
            "",
            f"![objects found in {method.name} maps of {name}](images/saliency-objects-{name}.jpg)",
        ]
    )


def compared_section(name: str, model: onnxray.Model, photos: Sequence[Path], methods: Sequence[Saliency]) -> str:
    """All methods on all photos: means of the figures."""
    references = tuple(Reference(box=box) for box in boxes_of(model))
    result = Comparison(methods=tuple(methods), references=references)(model, photos)
    lines = ["| method | layer | insertion | deletion | peak on the box |", "|---|---|---|---|---|"]
    for row in result.extra["summary"]:
        hits = round(row["pointed_at"]["mean"] * row["images"])
        lines.append(
            f"| {row['method']} | {row['layer'] or '-'} | {row['insertion']['mean']:.3f} | "
            f"{row['deletion']['mean']:.3f} | {hits} of {row['images']} |"
        )
    refused = dict.fromkeys(f"- {entry['method']}: {entry['reason']}" for entry in result.extra["refused"])
    lines += ["", "Refused:", "", *refused] if refused else []
    return "\n".join(
        [
            f"### {name}: the methods side by side",
            "",
            f"Means over the {len(photos)} photos:",
            "",
            *lines,
            "",
            f"![the maps of {name}](images/saliency-compare-{name}.jpg)",
        ]
    )


def check_section() -> str:
    """The gradient's maps of the bundled digits under weights drawn anew."""
    digits = onnxray_models.samples("lenet")[::5]
    result = Check(method=configured(family(Saliency), ["gradient"])[0])(onnxray.open("lenet"), digits)  # type: ignore[type-abstract]
    (row,) = summarize(result.items)
    last = row["weights"][-1]
    return "\n".join(
        [
            "### The gradient on the bundled LeNet, put to the test",
            "",
            f"`onnxray saliency check gradient lenet DIGITS`, {row['images']} of the bundled digits: insertion "
            f"{row['insertion']['mean']:.3f}, deletion {row['deletion']['mean']:.3f} (means of the areas); under noise "
            f"of 5 grey levels the map moves by {row['noise_mean']['mean']:.2f} of its norm; with all weights drawn "
            f"anew its rank correlation with the trained network's map is {last['mean']:.2f}.",
            "",
            "![insertion and deletion curves](images/saliency-curves-lenet.png)",
            "",
            "![rank correlation by layer](images/saliency-weights-lenet.png)",
        ]
    )


if __name__ == "__main__":
    main()
