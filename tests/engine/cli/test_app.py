"""The program itself: what it lists, what that imports, and that each line of a list is the command's own."""

import functools
import inspect
import json
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from onnxray.cli import app as joined
from onnxray.cli.app import app, function_at
from onnxray.cli.lazy_group import Family, LazyGroup
from onnxray.cli.parts.shared_options import Opening
from onnxray.cli.usage.parameters import FunctionCommand
from onnxray.methods.attack.base import Attack
from onnxray.methods.catalogue import family
from onnxray.methods.fooling.base import Fooling
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.synthesis.base import Synthesis
from support.children import child

HEAVY = ("numpy", "onnx", "onnxruntime", "torch", "PIL", "matplotlib", "cv2")
PROGRAM = """
import json, sys
sys.argv = ["onnxray", *json.loads(sys.argv[1])]
from onnxray.cli import main
status = 0
try:
    main()
except SystemExit as done:
    status = done.code or 0
print(json.dumps([status, sorted(sys.modules)]))
"""


def ended(*arguments: str) -> tuple[int, set[str]]:
    """The exit status of the program, and the modules that it has imported."""
    out, error = child("-c", PROGRAM, json.dumps(arguments)).communicate(timeout=120)
    assert out, error
    status, modules = json.loads(out.splitlines()[-1])
    return status, set(modules)


def leaves(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every line of every list, by the path of what was typed."""
    for name, listed in group.commands.items():
        loaded = listed.load()
        if isinstance(loaded, LazyGroup):
            yield from leaves(loaded, (*path, name))
        else:
            yield (*path, name), listed


LEAVES = dict(leaves(joined.Commands()))
WITHOUT_A_MODEL = [("rerun",), ("convert",), ("diff",), *(("audit", name) for name in ("init", "explain", "compare"))]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(("--help",), 0), (("--version",), 0), (("-V",), 0), ((), 2), (("nonsense",), 2), (("--nonsense",), 2)],
)
def test_the_program_answers_by_itself_without_anything_heavy(arguments: tuple[str, ...], expected: int) -> None:
    status, modules = ended(*arguments)
    assert status == expected
    assert sorted(modules & set(HEAVY)) == []
    assert sorted(name for name in modules if name.startswith("onnxray.cli.commands.")) == []


@pytest.mark.parametrize(
    "command",
    [
        "inspect",
        "verify",
        "classify",
        "values",
        "apply",
        "convert",
        "diff",
        "rerun",
        "demo",
        "saliency layers",
        "features extract",
    ],
)
def test_wrong_usage_of_a_command_without_a_method_imports_nothing_heavy(command: str) -> None:
    status, modules = ended(*command.split(), "--nonsense")
    assert status == 2
    assert sorted(modules & set(HEAVY)) == []


def test_a_command_imports_no_other() -> None:
    for arguments, own in ((("classify", "--help"), "classify"), (("saliency", "grad-cam", "--help"), "saliency")):
        status, modules = ended(*arguments)
        assert status == 0
        commands = {name for name in modules if name.startswith("onnxray.cli.commands.")}
        assert commands == {f"onnxray.cli.commands.{own}"}
    assert "onnxray.methods.saliency.activation.grad_cam" in modules
    assert "onnxray.methods.saliency.perturbation.rise" not in modules


@pytest.mark.parametrize("path", LEAVES, ids="-".join)
def test_a_line_of_the_list_is_the_commands_own(path: tuple[str, ...]) -> None:
    own = inspect.getdoc(function_at(path))
    assert own is not None
    first, line = (" ".join(text.split("\n\n")[0].split()) for text in (own, LEAVES[path].help))
    assert line == first


def test_the_lists() -> None:
    bases: tuple[type[Any], ...] = (Attack, Saliency, Synthesis, Fooling)
    attacks, maps, pictures, fooling = map(family, bases)
    paths = [" ".join(path) for path in LEAVES]
    assert paths == [
        "inspect", "verify", "classify", "values", "lots", "invert", "tcav", "compare", "apply", "convert", "diff", "harden",
        "rerun", "explore", "demo",
        "audit run", "audit init", "audit explain", "audit compare",
        *(f"attack {name}" for name in attacks), *(f"attack {name}" for name in fooling),
        "attack evaluate", "attack universal", "attack patch",
        *(f"saliency {name}" for name in maps), "saliency layers", "saliency compare",
        *(f"saliency check {name}" for name in maps),
        *(f"visualize {name}" for name in pictures if name not in {"invert", *fooling}),
        *(f"features {name}" for name in ("extract", "neighbors", "tsne", "probe", "patches", "units", "invariance", "compare")),
        *(f"generator {name}" for name in ("train", "render", "fool", "inverter")),
    ]  # fmt: skip
    group: Any = typer.main.get_command(app)
    context = group.make_context("onnxray", ["--help"], resilient_parsing=True)
    assert group.list_commands(context) == list(dict.fromkeys(path[0] for path in LEAVES))
    offered = [item.value for item in group.shell_complete(context, "v")]
    assert offered == ["verify", "values", "visualize"]


def test_what_is_close_is_suggested() -> None:
    for arguments, near in ((["clasify"], "classify"), (["saliency", "grad-cma"], "grad-cam")):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert f"'{near}'" in result.stderr


def test_a_method_that_is_a_command_elsewhere_is_none_of_the_family() -> None:
    family_of = functools.partial(
        Family, "synthesis", "onnxray.methods.synthesis.base:Synthesis", "onnxray.cli.commands.visualize:command_of"
    )
    pictures, without = family_of(), family_of(without=frozenset({"invert"}))
    assert "invert" in pictures
    assert "invert" not in without
    assert len(without) == len(pictures) - 1
    assert "grad-cam" not in pictures, "a method of another family"


@pytest.mark.parametrize("path", [path for path in LEAVES if path not in WITHOUT_A_MODEL], ids="-".join)
def test_every_command_opens_its_model_by_the_same_options(path: tuple[str, ...]) -> None:
    parameters = inspect.signature(function_at(path)).parameters
    assert set(Opening.__dataclass_fields__) <= set(parameters)


@pytest.mark.parametrize("place", [(Family, "__getitem__"), (FunctionCommand, "parse_args")], ids=["imports", "words"])
def test_an_interruption_before_the_command_runs_is_one_line(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a command is imported, and while what was typed is read, for which typer imports more."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*place, interrupted)
    result = CliRunner().invoke(app, ["saliency", "gradient", "lenet", "four.png"])
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "onnxray: interrupted\n")
