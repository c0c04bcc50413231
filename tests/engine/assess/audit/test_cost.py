"""What an audit costs: a straight line in pictures, flat memory and handles, little over the bare checks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxray.assess.audit import work
from onnxray.assess.audit.check import Picture
from onnxray.assess.audit.checks.accuracy import Accuracy
from onnxray.assess.audit.checks.file import File
from onnxray.assess.audit.pictures import read_pictures
from support import models
from support.audits import at_least, audited, policy, use, write_model, write_pictures

STATED = policy(use(File(), level="block"), use(Accuracy(), level="block", limits=(at_least(0.5),)))


def memory() -> float:
    """Megabytes of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def handles() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def processor_time(model: str, images: str, store: Path) -> float:
    """Of an audit, the processor's: a clock on the wall counts what others do."""
    begun = time.process_time()
    assert audited([model], images, STATED, store, labels="folders").passed
    return time.process_time() - begun


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_time_is_a_straight_line_in_the_pictures_and_memory_is_flat(tmp_path: Path) -> None:
    model = write_model(tmp_path / "net.onnx")
    counts = (1000, 2000, 4000)
    folders = [write_pictures(tmp_path / str(count), count) for count in counts]
    processor_time(model, folders[0], tmp_path / "warm")
    before, rounds = memory(), [
        [processor_time(model, folder, tmp_path / f"s{count}-{again}") for count, folder in zip(counts, folders)]
        for again in range(5)  # one after the other, so that whatever slows the machine for a while slows all three
    ]  # fmt: skip
    seconds = [min(own) for own in zip(*rounds)]
    first, second = seconds[1] - seconds[0], seconds[2] - seconds[1]
    assert second / first == pytest.approx(2.0, rel=0.1), f"{seconds}: twice the pictures more take twice the time more"
    assert memory() - before < 30


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_two_hundred_models_leave_no_memory_and_no_handles(tmp_path: Path) -> None:
    paths = [write_model(tmp_path / f"{seed}.onnx", seed) for seed in range(200)]
    images = write_pictures(tmp_path / "images", 16)
    audited(paths[:40], images, STATED, tmp_path / "s", labels="folders")
    before, open_before = memory(), handles()
    audited(paths[40:], images, STATED, tmp_path / "s", labels="folders")
    assert handles() <= open_before
    assert memory() - before < 25, "of 160 models"


@pytest.mark.slow
def test_an_audit_takes_little_longer_than_its_checks(
    tmp_path: Path, photographs: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a small network on pictures of a usual size: where neither costs anything, the disk's share is larger.

    Both of one run, by processor time: two runs differ by more, on a machine that does other things as well.
    """
    model, bare = write_convolutions(tmp_path / "net.onnx"), list[float]()

    def timed(owner: Any, name: str) -> None:
        plain = getattr(owner, name)

        def run(*arguments: Any, **more: Any) -> Any:
            begun = time.process_time()
            try:
                return plain(*arguments, **more)
            finally:
                bare.append(time.process_time() - begun)

        monkeypatch.setattr(owner, name, run)

    timed(File, "measure")
    timed(Accuracy, "measure")
    timed(work, "open_model")
    shares = []
    for again in range(6):
        work.forget()
        bare.clear()
        whole = processor_time(model, str(tmp_path / "photographs"), tmp_path / f"s{again}")
        assert len(bare) == 2 + len(photographs) // Accuracy.chunk
        shares.append(whole / sum(bare))
    assert sorted(shares[1:])[2] < 1.05, shares


def write_convolutions(path: Path) -> str:
    """Grey pictures of 64 x 64 through 80 million multiplications, then whether the mean is above a half."""
    size = 64
    weights = {
        "a": models.random(0, 32, 1, 3, 3), "b": models.random(1, 32, 32, 3, 3), "c": models.random(2, 32, 32, 3, 3),
        "w": np.stack([np.full(size**2, -1 / size**2), np.full(size**2, 1 / size**2)]).astype(np.float32),
        "h": np.array([0.5, -0.5], np.float32), "zero": np.array(0, np.float32),
    }  # fmt: skip
    text = (
        "g (float[N,1,64,64] x) => (float[N,2] p) { c1 = Conv <pads = [1, 1, 1, 1]> (x, a) r1 = Relu (c1) "
        "c2 = Conv <pads = [1, 1, 1, 1]> (r1, b) r2 = Relu (c2) c3 = Conv <pads = [1, 1, 1, 1]> (r2, c) "
        "m = ReduceMean <axes = [1], keepdims = 1> (c3) n = Mul (m, zero) y = Add (x, n) f = Flatten (y) "
        "z = Gemm <transB = 1> (f, w, h) p = Softmax (z) }"
    )
    write_model(path)
    path.write_bytes(models.parse(text, weights).SerializeToString())
    side = path.with_suffix(".toml")
    side.write_text(side.read_text().replace("[8, 8]", "[64, 64]"))
    return str(path)


@pytest.fixture
def photographs(tmp_path: Path) -> list[Picture]:
    """500 x 375 JPEGs, as validation sets hold them."""
    random = np.random.default_rng(0)
    for number in range(256):
        folder = tmp_path / "photographs" / ("bright" if number % 2 else "dark")
        folder.mkdir(parents=True, exist_ok=True)
        coarse = random.integers(0, 60, (12, 16, 3), np.uint8) + np.uint8(180 if number % 2 else 10)
        Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC).save(folder / f"{number}.jpg", quality=92)
    return list(read_pictures([str(tmp_path / "photographs")], "folders"))
