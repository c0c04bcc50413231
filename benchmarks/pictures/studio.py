"""Where pictures of the documentation are made: a folder, the command line, montages, and the version's stamp."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

import onnxray
from onnxray import __version__
from onnxray.report.map_check_report import comparison_pictures

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
STAMP = f"onnxray {__version__}"
SOFTWARE = 0x0131
"""The field of EXIF that says which program made a picture; PNG has a text of that name."""
DIGITS = ROOT / "models/onnxray_models/lenet/samples"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """``names``: the pictures that it makes. ``needs``: files by the names that commands use, which not all have.

    ``packages``: what is to be imported. ``programs``: of which one is to be there.
    """

    names: tuple[str, ...]
    draw: Callable[[Studio], None]
    needs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Studio:
    """A folder in which commands run, with the digits, and whatever of other files is at hand."""

    folder: Path

    def run(self, *words: object, status: int = 0) -> Path:
        """Run an onnxray command; its run folder."""
        out = self.folder / f"run-{len(list(self.folder.glob('run-*')))}"
        self.python("-m", "onnxray", *words, "-o", out, status=status)
        return out

    def python(self, *words: object, status: int = 0) -> None:
        """Run Python in the folder. Errors: SystemExit with what it said, where it ends with another status."""
        ours = [str(ROOT / part) for part in ("engine", "adapters", "models", "tests")]
        path = os.pathsep.join([*ours, *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            [sys.executable, *map(str, words)], cwd=self.folder, env={**os.environ, "PYTHONPATH": path},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != status:
            sys.exit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")

    def file(self, run: Path, role: str, item: int = 0) -> Image.Image:
        """A picture of a run's item by its role (``image``, ``overlay``, ...), as its document names it."""
        document = json.loads((run / "result.json").read_text(encoding="utf-8"))
        return Image.open(run / document["items"][item]["files"][role]).convert("RGB")

    def files(self, run: Path, role: str) -> list[Image.Image]:
        """The same of every item."""
        count = len(json.loads((run / "result.json").read_text(encoding="utf-8"))["items"])
        return [self.file(run, role, item) for item in range(count)]

    def sheet(self, run: Path) -> Image.Image:
        """The run's sheet."""
        return Image.open(run / "sheet.png")

    def timeless(self, run: Path) -> Image.Image:
        """The sheet of a comparison without its times: they are those of the machine that draws, however busy it is."""
        result = onnxray.load(run)
        items = (
            dataclasses.replace(item, figures={name: one for name, one in item.figures.items() if name != "seconds"})
            for item in result.items
        )
        drawn = comparison_pictures(dataclasses.replace(result, items=tuple(items)))
        return Image.open(io.BytesIO(drawn["sheet.png"]))

    def save(self, name: str, picture: Image.Image | bytes | Path) -> None:
        """Into docs/images with the version in its metadata; .jpg at quality 88."""
        if isinstance(picture, bytes | Path):
            picture = Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture)
        target = IMAGES / name
        if target.suffix == ".png":
            text = PngInfo()
            text.add_text("Software", STAMP)
            picture.save(target, pnginfo=text, optimize=True)
        else:
            exif = Image.Exif()
            exif[SOFTWARE] = STAMP
            picture.convert("RGB").save(target, quality=88, exif=exif)
        print(f"{name}: {target.stat().st_size // 1024} KiB", flush=True)


def row(pictures: Sequence[Image.Image], gap: int = 8) -> Image.Image:
    """Side by side on white, all as high as the first."""
    high = pictures[0].height
    same = [one if one.height == high else one.resize((one.width * high // one.height, high)) for one in pictures]
    whole = Image.new("RGB", (sum(one.width for one in same) + gap * (len(same) - 1), high), "white")
    at = 0
    for one in same:
        whole.paste(one, (at, 0))
        at += one.width + gap
    return whole


def stack(pictures: Sequence[Image.Image], gap: int = 8) -> Image.Image:
    """One below the other on white."""
    whole = Image.new(
        "RGB",
        (max(one.width for one in pictures), sum(one.height for one in pictures) + gap * (len(pictures) - 1)),
        "white",
    )
    at = 0
    for one in pictures:
        whole.paste(one, (0, at))
        at += one.height + gap
    return whole


def enlarged(picture: Image.Image, times: int) -> Image.Image:
    """Pixel by pixel."""
    return picture.convert("RGB").resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def stamp_of(path: Path) -> str:
    """What a picture says that it was made by; "" where it says nothing."""
    with Image.open(path) as picture:
        stated: Any = picture.info.get("Software") or picture.getexif().get(SOFTWARE)
    return str(stated or "")
