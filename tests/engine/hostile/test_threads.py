"""Threads may share a model: right numbers, nothing of the process changed, nothing left open."""

import gc
import os
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import onnxray
from onnxray.images.files import save_png
from support import models

COUNT = 50


def together(work: Callable[[int], None], count: int = COUNT) -> list[BaseException]:
    """What goes wrong when so many threads begin at once."""
    barrier, wrong = threading.Barrier(count), list[BaseException]()

    def run(place: int) -> None:
        barrier.wait()
        try:
            work(place)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def test_fifty_threads_on_one_model(tmp_path: Path) -> None:
    x, names = models.pictures(COUNT), ["conv1", "relu1", "pool1", "conv2", "relu2", "ip1"]
    known = onnxray.open(models.lenet(), models.GREY)
    scores, values = known.predict(x, scores=True).scores, known.values(x, names)
    slopes = known.pullback(x, {"ip1": lambda v, _: v})
    paths = [tmp_path / f"{k}.png" for k in range(COUNT)]
    for path, picture in zip(paths, np.rint(x).astype(np.uint8)):
        save_png(path, picture)
    model, out, err = onnxray.open(models.lenet(), models.GREY), sys.stdout, sys.stderr
    filters, seeds = list(warnings.filters), (torch.get_rng_state(), np.random.get_state()[1].tolist())  # noqa: NPY002

    def work(k: int) -> None:
        one = x[k : k + 1]
        for turn in range(4):
            name = names[(k + turn) % len(names)]
            np.testing.assert_allclose(model.predict(one, scores=True).scores, scores[k : k + 1], atol=1e-4)
            np.testing.assert_allclose(model.pullback(one, {"ip1": lambda v, _: v}), slopes[k : k + 1], atol=1e-3)
            np.testing.assert_allclose(model.values(one, [name])[name], values[name][k : k + 1], atol=1e-3)
            found = model.values(one, [name], engine="twin")[name]
            np.testing.assert_allclose(found, values[name][k : k + 1], atol=1e-3)
            assert sys.stdout is out
        model.predict(paths[k])

    assert together(work) == []
    assert (sys.stdout, sys.stderr) == (out, err)
    assert warnings.filters == filters
    assert torch.equal(torch.get_rng_state(), seeds[0])
    assert np.random.get_state()[1].tolist() == seeds[1]  # noqa: NPY002


def test_threads_start_one_session_and_one_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    real, started = onnxruntime.InferenceSession, list[object]()

    def session(*args: object, **options: object) -> object:
        started.append(args)
        return real(*args, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    model, x = onnxray.open(models.lenet(), models.GREY), models.pictures(1)
    assert together(lambda _: model.predict(x).classes, 20) == []
    assert len(started) == 1
    twins = list[object]()
    assert together(lambda _: twins.append(model.twin), 20) == []
    assert len(set(map(id, twins))) == 1


def test_a_fixed_batch_is_decided_once_by_threads() -> None:
    model, x = onnxray.open(models.lenet(batch=1), models.GREY), models.pictures(6)
    want = onnxray.open(models.lenet(batch=1), models.GREY).pullback(x, {"ip1": lambda v, _: v})

    def work(_: int) -> None:
        np.testing.assert_allclose(model.pullback(x, {"ip1": lambda v, _: v}), want, atol=1e-3)

    assert together(work, 20) == []


def files() -> int:
    """How many files are open."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def resident() -> float:
    """MiB of memory held now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("opened", "asked"), [(8, 150), pytest.param(200, 24_000, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_memory_and_files_stay_as_they_were(tmp_path: Path, opened: int, asked: int) -> None:
    """Models that are opened, used and let go leave nothing; neither do predictions on one of them."""
    path = tmp_path / "m.onnx"
    path.write_bytes(models.lenet().SerializeToString())
    x = models.pictures(8)

    def use() -> None:
        model = onnxray.open(path, models.GREY)
        model.predict(x, scores=True).scores  # noqa: B018
        model.values(x, ["conv1"])
        model.pullback(x, {"ip1": lambda v, _: v})

    for _ in range(max(opened, 20)):  # the first ones settle pools and arenas, by some MiB at once
        use()
    opened_files, memory = files(), resident()
    for _ in range(opened):
        use()
    assert files() <= opened_files
    assert resident() < memory + 16 + 0.02 * opened
    model = onnxray.open(path, models.GREY)
    for _ in range(100):
        model.predict(x[:1], scores=True).scores  # noqa: B018
    memory = resident()
    for _ in range(asked):
        model.predict(x[:1], scores=True).scores  # noqa: B018
    assert files() <= opened_files + 1
    assert resident() < memory + 8
