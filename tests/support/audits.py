"""Audits in tests: small models, pictures with classes, checks that count, hang or die, policies of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
from PIL import Image

from onnxray.assess.audit.audit import Plan, audit
from onnxray.assess.audit.check import Check, Figure, Outcome, Picture, Row
from onnxray.assess.audit.pictures import read_pictures
from onnxray.assess.audit.policy import Limit, Policy, Scope, Use
from onnxray.assess.audit.report import Audit
from onnxray.assess.jobs.executors import Executor, Inline
from onnxray.assess.jobs.store import Store
from onnxray.model.model import Model
from support import models

SIZE = 8


def write_model(path: Path, seed: int = 0) -> str:
    """A classifier of 8 x 8 grey pictures in two classes, by whether the mean is above a half; seed: other bytes."""
    weights = {
        "w": np.stack([np.full(64, -1 / 64), np.full(64, 1 / 64)]).astype(np.float32),
        "b": np.float32([0.5, -0.5]),
    }
    text = "g (float[N,1,8,8] x) => (float[N,2] p) { f = Flatten (x) z = Gemm <transB = 1> (f, w, b) p = Softmax (z) }"
    proto = models.parse(text, weights)
    proto.doc_string = f"model {seed}"
    path.write_bytes(proto.SerializeToString())
    path.with_suffix(".toml").write_text(
        f'name = "grey"\nlayout = "NCHW"\nchannels = "GREY"\nsize = [8, 8]\nscale = {1 / 255}\nmean = [0]\nstd = [1]\n'
        'labels = ["dark", "bright"]\n'
    )
    return str(path)


def write_pictures(folder: Path, count: int, *, start: int = 0) -> str:
    """Pictures in the folders dark and bright; every tenth lies in the wrong one. Each has bytes of its own."""
    for number in range(start, start + count):
        bright = number % 2 == 1
        pixels = np.full((SIZE, SIZE), 200 if bright else 50, np.uint8)
        pixels[0, 0], pixels[0, 1], pixels[0, 2] = number % 256, number // 256 % 256, number // 65536
        own = folder / ("bright" if bright != (number % 10 == 0) else "dark")
        own.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(own / f"{number:05d}.png")
    return str(folder)


@final
@dataclass(frozen=True, kw_only=True)
class Brightness(Check):
    """The mean of each picture; log: a file that is told each picture that is measured."""

    name: ClassVar[str] = "brightness"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "how bright pictures are"
    chunk: ClassVar[int] = 8

    log: str = ""
    seconds: float = 0.0

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        if self.log:
            with Path(self.log).open("a") as stream:
                stream.write("".join(f"{model.graph.sha256[:8]} {one.sha256}\n" for one in pictures))
        time.sleep(self.seconds)
        pixels = model.pixels([one.path for one in pictures])
        return [{"mean": float(one.mean())} for one in pixels.array]

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        bright = sum(row["mean"] > 128 for row in rows)
        return Outcome(figures=(Figure.share("bright", bright, len(rows), confidence),))


@final
@dataclass(frozen=True, kw_only=True)
class Hanging(Check):
    """Never ends on a model whose nodes are more than ``nodes``."""

    name: ClassVar[str] = "hanging"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "does not end"
    chunk: ClassVar[int] = 0
    judges: ClassVar[bool] = True

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        while True:
            time.sleep(1)

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        return Outcome(figures=())


@final
@dataclass(frozen=True, kw_only=True)
class Dying(Check):
    """Its process dies, so many times as ``log`` has not yet lines."""

    name: ClassVar[str] = "dying"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "dies"
    chunk: ClassVar[int] = 0
    judges: ClassVar[bool] = True

    log: str = ""
    times: int = 1000

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        with Path(self.log).open("a+") as stream:
            stream.seek(0)
            before = len(stream.readlines())
            stream.write("died\n")
        if before < self.times:
            os.kill(os.getpid(), signal.SIGKILL)
        return [{}]

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        return Outcome(figures=(Figure.exact("findings", 0, better="lower"),))


def use(check: Check, **more: Any) -> Use:
    given: dict[str, Any] = {
        "name": check.name, "level": "record", "confidence": 0.95, "sequential": False, "images": None, "limits": (),
        "min_images": 1,
    }  # fmt: skip
    return Use(check=check, **(given | more))


def policy(*uses: Use, **more: Any) -> Policy:
    given: dict[str, Any] = {
        "name": "test", "scope": Scope(), "waivers": (), "baseline": None, "text": "policy = 1", "source": "test",
        "folder": Path(),
    }  # fmt: skip
    return Policy(uses=uses, **(given | more))


def at_least(bound: float, **more: Any) -> Limit:
    return Limit(kind="min", bound=bound, **more)


def audited(
    paths: Sequence[str], images: str, stated: Policy, store: Path, executor: Executor | None = None,
    labels: str | None = None, tick: Callable[[int, int, str], None] = lambda *_: None, **more: Any,
) -> Audit:  # fmt: skip
    plan = Plan(
        models=list(paths),
        pictures=read_pictures([images], labels),
        policy=stated,
        labels=labels,
        places=(images,),
        **more,
    )
    with Store.open(store) as held:
        return audit(plan, held, executor or Inline(), tick)


def result(found: Audit, check: str, model: int = 0) -> Mapping[str, Any]:
    """The one of a check on a model."""
    (own,) = (one for one in found.results if one["name"] == check and one["model"] == model)
    return own


def without_run(found: Audit) -> dict[str, Any]:
    """The document without what differs from run to run."""
    return {key: value for key, value in found.document.items() if key != "run"}
