"""Caffe files made wrong in a thousand ways: each ends in a model, or in one line, within bounded time and memory.

    python benchmarks/caffe_mutations.py FOLDER... --count 1000        FOLDER: one .prototxt and one .caffemodel each

Every mutant is converted, checked and run in a child process; those that end otherwise are listed, and are status 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("engine", "adapters", "models", "tests")]

from support.caffe_mutations import mutated  # noqa: E402

SECONDS = 60.0
ADDRESS_SPACE = 12 * 2**30


def work(connection: Connection) -> None:
    """In the child: convert what comes, and say how it ended."""
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401

    from onnxray.errors import OnnxrayError
    from onnxray.model.converting import convert_model

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    while True:
        try:
            source, out = connection.recv()
        except EOFError:
            return
        try:
            convert_model(source, out, overwrite=True)
            said = "model"
        except OnnxrayError as error:
            said = f"line: {error}" if "\n" not in str(error) else f"LINES: {error}"
        except BaseException as error:
            said = f"FAULT {type(error).__name__}: {error}"
        connection.send((said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


class Child:
    """A process that works, and is replaced where it ends."""

    def __init__(self) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(target=work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, source: str, out: str) -> tuple[str, int]:
        self.connection.send((source, out))
        try:
            if self.connection.poll(SECONDS):
                return self.connection.recv()  # type: ignore[no-any-return]
        except (EOFError, ConnectionResetError):
            self.process.join()
            return f"ENDED with {self.process.exitcode}", 0
        self.process.kill()
        return f"LATE: more than {SECONDS:g} s", 0


def main() -> int:
    """Make them, and count how they end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    pairs = [(next(one.glob("*.prototxt")), next(one.glob("*.caffemodel"))) for one in options.folders]
    child, ended, slowest, largest = Child(), {"model": 0, "line": 0, "other": 0}, 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.count):
            prototxt, model = pairs[number % len(pairs)]
            random = np.random.default_rng(number)
            text, data = mutated(prototxt.read_text(), model.read_bytes(), random)
            here = Path(folder)
            (here / "net.prototxt").write_bytes(text)
            (here / "net.caffemodel").write_bytes(data)
            begun = time.perf_counter()
            said, memory = child.ask(str(here / "net.caffemodel"), str(here / "net.onnx"))
            took = time.perf_counter() - begun
            kind = said.split(":")[0]
            ended[kind if kind in ended else "other"] += 1
            if kind not in ended or took > SECONDS / 6:
                print(f"{number} {prototxt.stem} {took:.1f} s: {said[:300]}", flush=True)
            if said.startswith(("ENDED", "LATE")):
                child = Child()
            slowest, largest = max(slowest, took), max(largest, memory)
    print(f"{ended}; the slowest took {slowest:.1f} s; the largest {largest / 2**20:.2f} GiB")
    return int(ended["other"] > 0)


if __name__ == "__main__":
    sys.exit(main())
