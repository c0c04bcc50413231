"""What `onnxray features` costs beside the bare work: ONNX Runtime's passes, and numpy's matrix product.

    python benchmarks/features.py MODEL FOLDER LAYER [COUNT]
    python benchmarks/features.py digits FOLDER        of MNIST's t10k-*.gz: the table of docs/features.md

extract: COUNT pictures of the folder (in turn, as copies), decoded and fed in the same batches, by a session of ONNX
Runtime on the same cut of the file, against `features extract --no-predictions`, in turns; the median of the quotients,
and the most memory that each number of pictures took. neighbours: 10,000 codes of 2,048 numbers against numpy's product
of them with their transpose.
"""

from __future__ import annotations

import gzip
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
from onnxray.methods.features.parts.votes import shared_labels
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


def sharing(folder: Path) -> None:
    """How often the five nearest of the first 1,000 digits are the same digit: among themselves, and among all."""
    digits = np.frombuffer(gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    digits = digits.reshape(-1, 1, 28, 28)
    packed = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    labels = [str(digit) for digit in packed]
    model, layers = onnxray.open("lenet"), ("ip1", "relu1", "ip2")
    parts = [model.values(digits[start : start + 1000], layers) for start in range(0, len(digits), 1000)]
    spaces = {name: np.concatenate([part[name] for part in parts]) for name in layers}
    spaces["pixels"] = digits.reshape(len(digits), -1).astype(np.float32)
    for name, codes in spaces.items():
        for metric in ("euclidean", "cosine"):
            for count in (1000, len(codes)):
                near = nearest(codes[:1000], codes[:count], 5, metric, own=np.arange(1000))
                shares, right = shared_labels(near.places, labels[:1000], labels[:count])
                told = f"{np.mean(shares):.1%} of neighbours, the majority is right for {np.mean(right):.1%}"
                print(f"{name}, {metric}, of {count}: {told}")


def main() -> None:
    """Measure and print."""
    if sys.argv[1] == "digits":
        sharing(Path(sys.argv[2]))
        return
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
