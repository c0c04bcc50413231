"""Nothing heavy is imported before it is needed, and the engine imports no adapter."""

import json
import subprocess
import sys

import pytest

import onnxray_models
from support.children import child
from support.imports import files, imports
from support.paths import ROOT


def test_the_engine_imports_no_adapter() -> None:
    taken = [f"{name}:{each.line}" for name in files() for each in imports(name) if "onnxray_adapters" in each.module]
    assert taken == []


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import onnxray", {"torch", "onnxruntime", "onnx", "onnx2torch", "numpy"}),
        ("import onnxray; dir(onnxray); onnxray.errors", {"torch", "onnxruntime"}),
        ("import onnxray.graph.facts", {"torch", "onnxruntime", "onnx2torch"}),
        ("import onnxray.engines.judge", {"torch", "onnx2torch"}),
        ("import onnxray.model.model", {"torch", "onnx2torch"}),
        ("import onnxray; onnxray.open(models.lenet())", {"torch", "onnx2torch"}),
        (
            "import onnxray; m = onnxray.open(models.lenet(), models.GREY); m.predict(models.pictures(2)).scores; "
            "m.values(models.pictures(2), ['conv1']); m.classify(models.pictures(1)); m.select('conv1:1')",
            {"torch", "onnx2torch"},
        ),
        ("import onnxray.importer.ops", {"onnxruntime", "onnx2torch", "torchvision"}),
        ("import onnxray.cli.app", {"torch", "onnx2torch", "cv2", "matplotlib"}),
        (
            "import numpy, onnxray; from onnxray.assess.maps.insertion_deletion import insertion_and_deletion; "
            "from onnxray.objectives.targets import read_target; m = onnxray.open(models.lenet(), models.GREY); "
            "x = m.pixels(models.pictures(1)); "
            "insertion_and_deletion(m, x, read_target(m, x, None), x.array[0, 0], random=numpy.random.default_rng(0))",
            {"torch", "onnx2torch"},
        ),
        (
            "import onnxray, torch; module = onnxray.to_torch(models.parse("
            "'g (float[N,4] x) => (float[N,4] y) { y = Flatten (x) }'), verify=False)",
            {"torchvision"},
        ),
        (
            "import onnxray; from support.trusted import trusted; m = trusted(onnxray.open(models.lenet(), models.GREY)); "
            "m.pullback(models.pictures(1), {'logits': models.random(0, 1, 5)})",
            {"torchvision", "sympy"},
        ),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str, absent: set[str]) -> None:
    support = "from support import models; " if "models." in code else ""
    program = (
        f"import sys; sys.path[:0] = ['engine', 'tests']; {support}{code}; print(sorted(set(sys.modules) & {absent!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


FOUR = next(str(path) for path in onnxray_models.samples("lenet") if path.stem == "4_0")
PROGRAM = """
import json, sys
sys.argv = ["onnxray", *json.loads(sys.argv[1])]
from onnxray.cli import main
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules} | {"numpy.random"} & set(sys.modules))))
"""
TORCH = {"torch", "onnx2torch", "torchvision"}
PICTURES = {"matplotlib", "skimage", "scipy", "cv2"}
ENGINES = {"onnxruntime", "onnx", "numpy", "PIL"}
SHOWS = {"rich", "pydantic"}
"""What typer draws with, and what it reads values by."""
SPARED = {"multiprocessing", "pydantic", "numpy.random"}


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--version"], {*TORCH, *PICTURES, *ENGINES, *SHOWS}),
        (["--help"], {*TORCH, *PICTURES, *ENGINES, *SHOWS}),
        (["saliency", "--help"], {*TORCH, *PICTURES, *ENGINES, *SHOWS}),
        (["visualize", "--help"], {*TORCH, *PICTURES, *ENGINES, *SHOWS}),
        (["saliency", "check", "--help"], {*TORCH, *PICTURES, *ENGINES, *SHOWS}),
        (["classify", "--help"], {*TORCH, *PICTURES, *ENGINES, *SHOWS}),
        (["saliency", "grad-cam", "--help"], {*TORCH, "matplotlib", "skimage", "scipy", *SHOWS}),
        (["nonsense"], {*TORCH, *PICTURES, *ENGINES, *SHOWS}),
        (["saliency", "nonsense"], {*TORCH, *PICTURES, *ENGINES, *SHOWS}),
        (["classify", "--nonsense"], {*TORCH, *PICTURES, *ENGINES, *SHOWS}),
        (["classify", "lenet"], {*TORCH, *PICTURES, *ENGINES, *SHOWS}),
        (["inspect", "lenet"], {*TORCH, *PICTURES, *SPARED}),
        (["inspect", "lenet", "--json"], {*TORCH, *PICTURES, *SPARED, "rich"}),
        (["classify", "lenet", FOUR], {*TORCH, *PICTURES, *SPARED}),
        (["classify", "lenet", FOUR, "--json"], {*TORCH, *PICTURES, *SPARED, "rich"}),
    ],
    ids=lambda part: " ".join(part).replace(FOUR, "PICTURE") if isinstance(part, list) else "",
)
def test_a_command_imports_what_it_needs(arguments: list[str], absent: set[str]) -> None:
    out, error = child("-c", PROGRAM, json.dumps(arguments)).communicate(timeout=120)
    assert out, error
    assert absent & set(json.loads(out.splitlines()[-1])) == set()
