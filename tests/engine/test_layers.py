"""Each module imports only what stands above it, and nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "engine" / "onnxray"

LAYERS: tuple[tuple[str, ...], ...] = (
    ("_version", "element_types", "shown_text"),
    ("errors", "short_values"),
    ("checks", "forks", "bundled"),
    ("warned",),
    ("machine", "processor"),
    ("opened_file", "skeleton", "tensors", "bodies", "attribute_values"),
    ("external_data", "inference"),
    ("private_copies",),
    ("container", "structure", "soundness"),
    ("graph",),
    ("integer_products",),
    ("check_memory",),
    ("value_shapes", "receptive_field"),
    ("naming", "batching"),
    ("casting",),
    ("constants",),
    ("shifted_weights",),
    ("sample_places",),
    ("sample_rules",),
    ("mixing",),
    ("readings",),
    ("verdict",),
    ("session_source", "sessions"),
    ("runtime",),
    ("patches",),
    ("importer.attributes",),
    ("importer.scope",),
    ("importer.carried",),
    ("importer.ops",),
    ("importer.bridge", "importer.rules", "importer.fusions"),
    ("importer.functions",),
    ("importer.module",),
    ("importer.build",),
    ("importer.placing",),
    ("importer.placing_rules",),
    ("importer.samples",),
    ("importer.free",),
    ("importer.ways",),
    ("importer",),
    ("cotangents",),
    ("twin",),
    ("verification",),
    ("first_check",),
    ("seeding",),
    ("deciding",),
    ("trial",),
    ("steps", "node_alone"),
    ("full_verification",),
    ("side_text", "class_names"),
    ("profile",),
    ("profile_toml",),
    ("profile_families",),
    ("profile_configs",),
    ("profile_discovery",),
    ("picture_memory", "picture_turning"),
    ("image_files", "placement"),
    ("images",),
    ("metrics",),
    ("predictions",),
    ("model",),
    ("export",),
    ("objectives",),
    ("differentiate", "matching"),
    ("targets",),
    ("regularizers", "parametrizations", "transforms", "projections", "optimizers"),
    ("resample",),
    ("windows", "fills", "masks", "copies"),
    ("scan", "resume"),
)
"""From the bottom up: a module imports what stands in rows above its own (or beside it in a package). What is not named
here (results, methods, reports, the command line) stands below all of them and may import any."""

LAZY = {("profile", "profile_toml")}
"""Imports inside functions that go down on purpose, where a module offers what a lower one does."""


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(ENGINE.rglob("*.py")):
        parts = path.relative_to(ENGINE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def rank(module: str) -> int:
    """A module's row; the longest name that is the module's or its package's counts."""
    rows = {name: row for row, names in enumerate(LAYERS) for name in names}
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in rows:
            return rows[".".join(parts[:length])]
    return len(LAYERS)


def imports(path: Path) -> list[str]:
    """Every module that a file imports, type-checking-only imports left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ignored: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            ignored |= {inner for part in node.body for inner in ast.walk(part)}
    found: list[str] = []
    for node in ast.walk(tree):
        if node in ignored:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            known = {f"onnxray.{name}" for name in modules()}
            found += [name if name in known else str(node.module) for name in names]
    return found


MODULES = modules()


def test_the_table_names_modules_that_exist() -> None:
    named = {name for row in LAYERS for name in row}
    assert named <= set(MODULES)


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_go_up_alone(module: str) -> None:
    for name in imports(MODULES[module]):
        if not name.startswith("onnxray.") or (module, name.removeprefix("onnxray.")) in LAZY:
            continue
        other = name.removeprefix("onnxray.")
        beside = "." in module and "." in other and rank(module) == rank(other)
        below_all = rank(module) == len(LAYERS)
        assert rank(other) < rank(module) or beside or below_all, f"{module} imports {other}, which stands below it"


def test_the_engine_imports_no_adapter() -> None:
    for module, path in MODULES.items():
        for name in imports(path):
            assert not name.startswith("onnxray_adapters"), module


HEAVY = {
    "torch": {
        "importer.scope", "importer.carried", "importer.ops", "importer.bridge", "importer.rules", "importer.attributes", "importer.module",
        "importer.build",
        "importer.fusions",
        "importer.samples", "importer.free", "importer.ways", "cotangents", "twin", "trial", "node_alone", "export", "objectives", "differentiate",
        "regularizers", "parametrizations", "transforms", "projections", "optimizers",
    },
    "onnx2torch": {"importer.bridge"},
    "onnxruntime": {"runtime", "machine", "processor"},
}  # fmt: skip


@pytest.mark.parametrize("library", sorted(HEAVY))
def test_engines_are_imported_by_their_own_modules_alone(library: str) -> None:
    core = {name for row in LAYERS for name in row}
    for module, path in MODULES.items():
        allowed = any(module == name or module.startswith(f"{name}.") for name in HEAVY[library])
        if module in core and not allowed:
            assert library not in {name.split(".")[0] for name in imports(path)}, module


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import onnxray", {"torch", "onnxruntime", "onnx", "onnx2torch", "numpy"}),
        ("import onnxray; dir(onnxray); onnxray.errors", {"torch", "onnxruntime"}),
        ("import onnxray.graph", {"torch", "onnxruntime", "onnx2torch"}),
        ("import onnxray.runtime", {"torch", "onnx2torch"}),
        ("import onnxray.model", {"torch", "onnx2torch"}),
        ("import onnxray; onnxray.open(models.lenet())", {"torch", "onnx2torch"}),
        (
            "import onnxray; m = onnxray.open(models.lenet(), models.GREY); m.predict(models.pictures(2)).scores; "
            "m.values(models.pictures(2), ['conv1']); m.classify(models.pictures(1)); m.select('conv1:1')",
            {"torch", "onnx2torch"},
        ),
        ("import onnxray.importer.ops", {"onnxruntime", "onnx2torch", "torchvision"}),
        ("import onnxray.cli.app", {"torch", "onnx2torch", "cv2", "matplotlib"}),
        (
            "import numpy, onnxray; from onnxray.believe.curves import insertion_and_deletion; "
            "from onnxray.targets import read_target; m = onnxray.open(models.lenet(), models.GREY); "
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
            "import onnxray; m = onnxray.open(models.lenet(), models.GREY); m._trusted = True; "
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
