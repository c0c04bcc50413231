"""Every method by its class and by its file, imported when it is asked for."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import onnxray
from onnxray.methods import GradCAM, catalogue
from onnxray.methods.method import Method
from support.paths import ROOT

FAMILIES = Path(catalogue.__file__).parent
FILES = sorted(catalogue.methods())


def test_every_class_of_a_method_in_the_folders_is_handed_on() -> None:
    walked = pkgutil.walk_packages([str(FAMILIES)], "onnxray.methods.")
    names = [found.name for found in walked if not found.ispkg and not {"ascent", "parts"} & set(found.name.split("."))]
    classes = {
        thing
        for name in names
        for thing in vars(importlib.import_module(name)).values()
        if isinstance(thing, type) and issubclass(thing, Method) and "name" in vars(thing) and thing.__module__ == name
    }
    assert len(classes) > 25
    assert {catalogue.look_up(kind.__name__) for kind in classes} == classes
    assert set(dir(onnxray.methods)) == {kind.__name__ for kind in classes} | {
        kind.__module__.rpartition(".")[2] for kind in classes
    }
    for own in (lambda kind: kind.__name__, lambda kind: kind.name, lambda kind: kind.__module__.rpartition(".")[2]):
        assert len({own(kind).lower() for kind in classes}) == len(classes)


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_the_same_module_however_it_is_imported(file: str) -> None:
    where = importlib.import_module(catalogue.files()[file])
    kind = catalogue.methods()[file]
    if file != "lots":  # whose name is its family's, a package that hands the class on
        assert importlib.import_module(f"onnxray.methods.{file}") is where
        assert getattr(onnxray.methods, file) is where
        assert where.__spec__ is not None
        assert where.__spec__.name == where.__name__ == kind.__module__
    assert getattr(getattr(onnxray.methods, file), kind.__name__) is kind is getattr(onnxray.methods, kind.__name__)


@pytest.mark.parametrize("file", FILES)
def test_help_shows_the_formula_the_options_and_the_source(file: str) -> None:
    kind = catalogue.methods()[file]
    shown = inspect.getdoc(kind) or ""
    assert kind.summary.splitlines()[0] in shown
    assert inspect.cleandoc(sys.modules[kind.__module__].__doc__ or "?") in shown
    text = " ".join(shown.split())
    for name, hint in inspect.get_annotations(kind, eval_str=True).items():
        if hasattr(hint, "__metadata__"):
            assert f"{name} (" in text
            assert " ".join(hint.__metadata__[0].split()) in text


def test_the_options_of_one_method() -> None:
    lines = (inspect.getdoc(onnxray.methods.SmoothGrad) or "").splitlines()
    assert "    samples (int, default 50): noisy copies of each image" in lines
    assert "    mean      mean_k A(x + s e_k)                                 SmoothGrad" in lines


@pytest.mark.parametrize("name", ["base", "item", "nothing", "GradCam", "loop", "method_", "windows"])
def test_what_is_no_method_is_no_attribute(name: str) -> None:
    with pytest.raises(AttributeError, match=f"no method '{name}'"):
        getattr(onnxray.methods, name)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"onnxray.methods.{name}")


def test_family() -> None:
    assert catalogue.family(GradCAM) == {"grad-cam": GradCAM}
    assert list(catalogue.family(Method)) == sorted(  # type: ignore[type-abstract]
        kind.name for kind in catalogue.methods().values()
    )


@pytest.mark.parametrize(
    "code",
    [
        "from onnxray.methods import LOTS, GradCAM, RISE", "from onnxray.methods.gradient import Gradient",
        "import onnxray; dir(onnxray.methods)", "import onnxray; onnxray.methods.lots.LOTS(layer='a')",
    ],
)  # fmt: skip
def test_listing_them_imports_no_torch(code: str) -> None:
    program = f"import sys; sys.path[:0] = ['engine']; {code}; assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_a_star_import_gives_the_classes() -> None:
    space: dict[str, object] = {}
    exec("from onnxray.methods import *", space)
    assert {kind.__name__ for kind in catalogue.methods().values()} == set(space) - {"__builtins__"}


@pytest.mark.parametrize("name", ["attack", "saliency", "synthesis", "fooling", "features"])
def test_no_two_classes_of_a_family_have_one_name(name: str) -> None:
    """Lists of commands are read off the files, where a base is told by its name."""
    folder = ROOT / "engine" / "onnxray" / "methods" / name
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")]
    classes = Counter(node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef))
    assert {one for one, count in classes.items() if count > 1 and not one.startswith("_")} == set()
