"""A process that runs every command on damaged models, and notices whatever their texts make it do.

One model a line of standard input. ``ONNXRAY_FUZZ_COMMANDS``: which of them, all where it is not set.
"""

import contextlib
import copy
import io
import os
import pickle
import re
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / part) for part in ("engine", "models", "tests")]

import matplotlib as mpl  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import typer  # noqa: E402
from PIL import Image  # noqa: E402

import onnxray  # noqa: E402
from onnxray.cli.app import app  # noqa: E402
from onnxray.errors import OnnxrayError  # noqa: E402
from support import models  # noqa: E402
from support.audit import Audit  # noqa: E402
from support.bounded import Watch, answer_lines  # noqa: E402
from support.payloads import MARK  # noqa: E402

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "inspect": ("inspect", "M"),
    "inspect --values": ("inspect", "M", "--values", "--json"),
    "verify": ("verify", "M"),
    "classify": ("classify", "M", "A"),
    "values": ("values", "M", "A", "--value", "*", "-o", "O"),
    "lots": ("lots", "M", "A", "--self", "magnify", "--steps", "2", "-o", "O"),
    "saliency gradient": ("saliency", "gradient", "M", "A", "-o", "O"),
    "saliency grad-cam": ("saliency", "grad-cam", "M", "A", "-o", "O"),
    "saliency occlusion": ("saliency", "occlusion", "M", "A", "--size", "4", "--stride", "4", "-o", "O"),
    "saliency compare": ("saliency", "compare", "M", "A", "--methods", "gradient,occlusion", "-o", "O"),
    "invert": ("invert", "M", "A", "--steps", "2", "-o", "O"),
    "visualize maximize": ("visualize", "maximize", "M", "--target", "0", "--steps", "2", "-o", "O", "--json"),
    "apply": ("apply", "M", "A", "-o", "O"),
}
"""M: the model, A: a picture, O: a folder."""
TWIN = "to_torch"
_SHOWN_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_COMMAND = typer.main.get_command(app)


def main() -> None:
    """Answer every line: stages as they begin, then the outcome."""
    warnings.simplefilter("ignore")
    answer_lines(lambda canary: Runner(canary).run)


class Runner:
    """The commands, in a folder of this process's own."""

    def __init__(self, canary: Path) -> None:
        self._mark = canary.parent / MARK
        own = canary.parent / f"process-{os.getpid()}"
        self._here, self._out, self._picture = own / "a" / "b" / "here", own / "out", own / "picture.png"
        self._temporary = own / "temporary"
        for folder in (self._here, self._temporary):
            folder.mkdir(parents=True)
        tempfile.tempdir = str(self._temporary)
        os.chdir(self._here)  # where a relative path would lead
        pixels = np.random.default_rng(0).integers(0, 255, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(self._picture)
        self._chosen = tuple(os.environ.get("ONNXRAY_FUZZ_COMMANDS", ",".join([*COMMANDS, TWIN])).split(","))
        places = [sys.prefix, sys.base_prefix, ROOT, "/usr", "/lib", "/lib64", "/etc/fonts", "/etc/ld.so.cache"]
        places += [os.environ["ONNXRAY_CACHE"], mpl.get_configdir(), mpl.get_cachedir(), self._picture]
        writes = [self._out, self._temporary, Path(os.environ["ONNXRAY_CACHE"]), Path(mpl.get_cachedir())]
        self._audit = Audit([Path(place) for place in places], writes, MARK)
        self._watch = Watch(canary)
        healthy = own / "healthy.onnx"
        healthy.write_bytes(models.lenet().SerializeToString())
        for name in self._chosen:  # what a first use imports and caches is no model's doing
            self._step(name, healthy)
        self._watch.touched()
        self._clean()

    def run(self, path: Path, say: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Every command on a model; the first thing that may not be ends it."""
        steps: dict[str, str] = {}
        for name in ("open", *self._chosen):
            say({"stage": name})
            with self._audit.on(path.parent) as leaks:
                outcome, error = self._step(name, path)
            leaks += [f"{place} was made" for place in self._made()]
            if name == TWIN:  # which unpickles what it has pickled
                leaks[:] = [leak for leak in leaks if not leak.startswith("pickle.")]
            if self._watch.touched():
                leaks.append("the canary was read")
            self._clean()
            if leaks:
                return {"outcome": "leak", "error": f"{name}: {'; '.join(leaks[:4])}", "steps": steps}
            if outcome in {"traceback", "bad message", "shown raw"}:
                return {"outcome": outcome, "error": f"{name}: {error}", "steps": steps}
            steps[name] = outcome
        return {"outcome": steps["open"] if steps["open"] != "done" else "model", "steps": steps}

    def _made(self) -> list[Path]:
        """What is there that should not be: the mark, files where relative paths lead, forgotten temporary files."""
        places = (self._mark, *self._here.iterdir(), *self._here.parent.iterdir(), *self._temporary.iterdir())
        return [place for place in places if place.exists() and place != self._here]

    def _clean(self) -> None:
        shutil.rmtree(self._out, ignore_errors=True)
        self._out.mkdir()
        for place in self._made():
            place.unlink() if not place.is_dir() else shutil.rmtree(place)

    def _step(self, name: str, path: Path) -> tuple[str, str]:
        """How it ended, and what was said of it where that may not be."""
        printed, said = io.StringIO(), io.StringIO()
        status: object = 0
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
                if name == "open":
                    onnxray.open(path)
                elif name == TWIN:
                    _through_the_twin(path)
                else:
                    given = {"M": str(path), "A": str(self._picture), "O": str(self._out / "run")}
                    _COMMAND.main([given.get(part, part) for part in COMMANDS[name]], prog_name="onnxray")
        except SystemExit as end:
            status = end.code or 0
        except OnnxrayError as error:
            text = str(error)
            bad = not text or len(text.splitlines()) != 1 or len(text) > 12_000
            return ("bad message", repr(text[:300])) if bad else (type(error).__name__, "")
        except BaseException as error:
            return "traceback", _told(error)
        if raw := _SHOWN_RAW.search(printed.getvalue() + said.getvalue()):
            return "shown raw", repr(raw.group())
        if status not in {0, 1, 2}:
            return "traceback", f"exit status {status}"
        if status == 1 and name == "verify" and printed.getvalue():
            return "refused", ""  # it disagrees, and says where
        if status == 1 and not (said.getvalue().splitlines() or [""])[-1].startswith("onnxray: "):
            return "bad message", repr(said.getvalue()[-300:])
        return ("refused" if status else "done"), ""


def _through_the_twin(path: Path) -> None:
    """The module, its copies, and everything that torch.fx writes of it."""
    module = onnxray.to_torch(path)
    for one in (module, copy.deepcopy(module), _unpickled(module)):
        texts = [one.code, str(one.graph), one.print_readable(print_output=False), repr(one)]
        if any(MARK in text for text in texts[:3]):
            raise AssertionError("torch.fx wrote the file's text into its source")
    torch.fx.Interpreter(module)


def _unpickled(module: torch.nn.Module) -> Any:
    return copy.copy(pickle.loads(pickle.dumps(module)))


def _told(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    return f"{type(error).__name__}: {str(error)[:200]} {lines[-6:]}"


if __name__ == "__main__":
    main()
