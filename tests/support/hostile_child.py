"""A process that opens damaged models, one a line of standard input, and says what came of each; bounded in memory."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("engine", "models", "tests")]


import onnxray  # noqa: E402
from onnxray.engines.seeded_inputs import seeded_inputs, seeded_pixels  # noqa: E402
from onnxray.errors import InputError, OnnxrayError  # noqa: E402
from onnxray.graph.weight_layers import weight_layers  # noqa: E402
from support.bounded import Say, Watch, answer_lines  # noqa: E402


def main() -> None:
    """Answer every line: stages as they begin, then the outcome."""
    private = tempfile.TemporaryDirectory()  # for copies that ONNX Runtime maps, which have no name
    tempfile.tempdir = private.name
    answer_lines(_prepared)


def _prepared(canary: Path) -> Callable[[Path, Say], dict[str, Any]]:
    opened: list[str] = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
    watch = Watch(canary)

    def run(path: Path, say: Say) -> dict[str, Any]:
        opened.clear()
        outcome = _outcome(path, say)
        outside = [name for name in opened if _is_outside(name, path.parent)]
        if outside or watch.touched():
            return {"outcome": "read outside", "error": f"{outside[:3] or canary}"}
        return outcome

    return run


def _outcome(path: Path, say: Say) -> dict[str, Any]:
    """Open, tell, predict, differentiate, verify: how far it came, and by which error it ended."""
    stage = "open"
    try:
        for stage, work in _stages(path):
            say({"stage": stage})
            work()
    except OnnxrayError as error:
        text = str(error)
        if not text or "\n" in text or "\r" in text or len(text) > 12_000:
            return {"outcome": "bad message", "error": repr(text[:300])}
        return {"outcome": type(error).__name__, "stage": stage}
    except BaseException as error:
        import traceback

        where = traceback.extract_tb(error.__traceback__)
        lines = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in where]
        return {"outcome": "traceback", "error": f"{stage}: {type(error).__name__}: {str(error)[:200]} {lines[-6:]}"}
    return {"outcome": "model"}


def _stages(path: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    found: dict[str, Any] = {}

    def opening() -> None:
        found["model"] = model = onnxray.open(path)
        graph = model.graph
        _ = (list(graph.values), dict(model.aliases), graph.parameters, graph.sha256, weight_layers(graph))

    yield "open", opening
    model: onnxray.Model = found["model"]

    def predict() -> None:
        profile = model.profile
        found["x"] = x = seeded_inputs(model.graph) if profile is None else seeded_pixels(profile.shape)
        try:
            _ = model.predict(x, scores=True).scores
        except InputError:
            model.values(x, [output.name for output in model.graph.outputs])

    yield "predict", predict
    real = [o.name for o in model.graph.outputs if o.is_float and o.name in model.graph.depends_on_input]
    real += [v.name for v in model.graph.values.values() if v.is_float and v.name in model.graph.depends_on_input]
    if real:
        yield "gradient", lambda: model.pullback(found["x"], {real[0]: lambda value, place: value})
    yield "verify", model.verify


def _is_outside(name: str, folder: Path) -> bool:
    """Whether a file that Python opened is neither the model's, nor Python's or a library's own, nor a cache's."""
    if name.isdigit() or name.startswith(("/proc/", "/sys/")):  # the process's own limits
        return name.startswith("/proc/self/environ")
    own = [folder, Path(sys.prefix), Path(sys.base_prefix), ROOT, Path(os.environ["ONNXRAY_CACHE"]), Path("/usr/lib")]
    own += [Path(entry) for entry in sys.path if entry]
    own += [Path(os.devnull), Path(tempfile.gettempdir())]
    resolved = Path(name).resolve() if "\x00" not in name else Path("/")
    return not any(resolved.is_relative_to(place) or resolved.is_relative_to(place.resolve()) for place in own)


if __name__ == "__main__":
    main()
