"""What `onnxray features` costs beside the bare work: ONNX Runtime's passes, and numpy's matrix product.

    python benchmarks/features.py MODEL FOLDER LAYER [COUNT]

extract: COUNT pictures of the folder (in turn, as copies), decoded and fed in the same batches, by a session of ONNX
Runtime on the same cut of the file, against `features extract --no-predictions`, in turns; the median of the quotients,
and the most memory that each number of pictures took. neighbours: 10,000 codes of 2,048 numbers against numpy's product
of them with their transpose.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import onnxray
from onnxray.images.picture_list import PictureList
from onnxray.methods.features.extraction import Extraction
from onnxray.methods.features.parts.nearest import nearest
from onnxray.methods.features.parts.walk import block_size

_ROUNDS = 5


def copies(folder: Path, count: int, place: Path) -> Path:
    """So many pictures in one folder."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".png", ".jpg", ".jpeg"})
    for k in range(count):
        shutil.copy(files[k % len(files)], place / f"{k:06}{files[k % len(files)].suffix}")
    return place


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def extracting(model: onnxray.Model, folder: Path, layer: str) -> float:
    """The median quotient of extract and bare passes."""
    assert model.profile is not None
    pictures, size = PictureList.of(str(folder), model.profile), block_size(model)
    session = model.judge.segment((layer,))

    def bare() -> None:
        for start in range(0, len(pictures), size):
            read = pictures.read(start, start + size)
            assert read.pixels is not None
            session(model.feeds(read.pixels))

    def ours() -> None:
        with tempfile.TemporaryDirectory() as work:
            asked = Extraction(layers=(layer,), predictions=False)
            asked.walk(model, pictures, Path(work), lambda *_: None)

    ours(), bare()
    found = []
    for _ in range(_ROUNDS):
        found.append(seconds(ours) / seconds(bare))
    return statistics.median(found)


def searching() -> tuple[float, float]:
    """The median quotients of neighbours and numpy's product: of codes among themselves, and of two sets."""
    random = np.random.default_rng(0)
    codes, others = (random.standard_normal((10_000, 2_048)).astype(np.float32) for _ in range(2))
    own, same, two = np.arange(len(codes)), [], []
    for _ in range(_ROUNDS):
        product = seconds(lambda: codes @ codes.T)
        same.append(seconds(lambda: nearest(codes, codes, 5, "euclidean", own=own)) / product)
        product = seconds(lambda: codes @ others.T)
        two.append(seconds(lambda: nearest(codes, others, 5, "euclidean")) / product)
    return statistics.median(same), statistics.median(two)


def main() -> None:
    """Measure and print."""
    path, folder, layer, *rest = sys.argv[1:]
    count = int(rest[0]) if rest else 200
    model = onnxray.open(path)
    name = model.select_values([layer])[0]
    with tempfile.TemporaryDirectory() as place:
        quotient = extracting(model, copies(Path(folder), count, Path(place)), name)
        print(f"extract of {count} pictures: {quotient:.2f} of the bare passes")
        print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    if not rest[1:]:
        print("neighbours: {:.2f} of numpy's product, {:.2f} of that of two sets".format(*searching()))


if __name__ == "__main__":
    main()
