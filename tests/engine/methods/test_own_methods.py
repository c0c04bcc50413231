"""A user's own method from a file that is named on the command line, and never otherwise."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import onnxray
import onnxray_models
from onnxray.cli.app import app
from onnxray.errors import InputError
from onnxray.methods.own_methods import load_method
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.synthesis.base import Synthesis
from support.children import child
from support.paths import ROOT

FOUR = next(str(path) for path in onnxray_models.samples("lenet") if path.stem == "4_0")
PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
SOURCE = next(part.partition("```")[0] for part in PAGE.split("```python\n")[1:] if "class MyMap" in part)
"""The example of the documentation."""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def saliency(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["saliency", *arguments])


def test_it_is_a_command_with_its_options() -> None:
    result = saliency("--method-file", "my.py:MyMap", "lenet", FOUR, "--power", "3", "-o", "out", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["method"]["name"] == "my-map"
    assert document["method"]["options"]["power"] == 3.0
    digest = hashlib.sha256(Path("my.py").read_bytes()).hexdigest()
    assert f"method 'my-map' is the user's own: MyMap of my.py, sha256 {digest}" in document["notes"]
    heat = np.load(Path("out") / document["items"][0]["files"]["heat"])
    image = onnxray.open("lenet").pixels([FOUR]).array[0, 0]
    assert np.allclose(heat, image**3)
    page = saliency("--method-file", "my.py:MyMap", "lenet", "--help").stdout
    assert "Usage: onnxray saliency --method-file=my.py:MyMap [OPTIONS] MODEL IMAGE..." in " ".join(page.split())
    assert "--power" in page


def test_it_is_checked_and_runs_in_a_child() -> None:
    checked = CliRunner().invoke(
        app, ["saliency", "check", "--method-file", "my.py:MyMap", "lenet", FOUR, "--curve-steps", "0", "--weights", "none",
              "--noise-copies", "1", "--json", "-o", "out"],
    )  # fmt: skip
    assert "is the user's own" in " ".join(json.loads(checked.stdout)["notes"])
    out, error = child(
        "-m", "onnxray", "saliency", "--method-file", "my.py:MyMap", "lenet", FOUR, "--timeout", "100", "--json"
    ).communicate(timeout=100)
    assert json.loads(out)["method"]["name"] == "my-map", error


def test_nothing_finds_it_by_itself(here: Path) -> None:
    (here / "my_map.py").write_text(SOURCE + "\nraise SystemExit('it was run')\n")
    for arguments in (["my-map", "lenet", FOUR], ["my_map", "lenet", FOUR], ["my.py:MyMap", "lenet", FOUR], ["--help"]):
        result = saliency(*arguments)
        assert "it was run" not in result.output
        assert (result.exit_code == 2) is (arguments != ["--help"])
    (here / "onnxray.toml").write_text('[saliency]\nmethod-file = "my.py:MyMap"\n')
    assert json.loads(saliency("gradient", "lenet", FOUR, "--json", "-o", "out").stdout)["method"]["name"] == "gradient"
    (here / "onnxray.toml").write_text('method-file = "my.py:MyMap"\n')
    assert saliency("gradient", "lenet", FOUR).exit_code == 2


@pytest.mark.parametrize(
    ("stated", "source", "said"),
    [
        ("my.py:MyMpa", SOURCE, "my.py has no such method 'MyMpa'; did you mean 'MyMap'? there are: MyMap"),
        ("my.py", SOURCE, "the method is 'my.py'; FILE.py:CLASS was expected"),
        ("my.txt:MyMap", SOURCE, "FILE.py:CLASS was expected"),
        ("my.py:My Map", SOURCE, "FILE.py:CLASS was expected"),
        ("gone.py:MyMap", SOURCE, "gone.py: cannot be read (No such file or directory)"),
        ("my.py:MyMap", "1 / 0", "my.py: fails when it is run (ZeroDivisionError: division by zero)"),
        ("my.py:MyMap", "a b", "my.py: fails when it is run (SyntaxError: invalid syntax"),
        ("my.py:MyMap", "MyMap = 3", "which is a onnxray.methods.saliency.base.Saliency and has a name"),
        ("my.py:Saliency", SOURCE, "my.py has no such method 'Saliency'"),
    ],
)
def test_what_is_no_method_is_one_line(stated: str, source: str, said: str, here: Path) -> None:
    (here / "my.py").write_text(source)
    with pytest.raises(InputError) as error:
        load_method(stated, Saliency)  # type: ignore[type-abstract]
    assert said in str(error.value)
    result = saliency("--method-file", stated, "lenet", FOUR)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


def test_a_method_of_another_family_is_none_here() -> None:
    with pytest.raises(InputError, match=r"onnxray\.methods\.synthesis\.base\.Synthesis"):
        load_method("my.py:MyMap", Synthesis)  # type: ignore[type-abstract]
    assert CliRunner().invoke(app, ["visualize", "--method-file", "my.py:MyMap", "lenet"]).exit_code == 2


def test_a_file_is_run_once_and_again_when_it_changed(here: Path) -> None:
    first = load_method("my.py:MyMap", Saliency)  # type: ignore[type-abstract]
    assert load_method("my.py:MyMap", Saliency) is first  # type: ignore[type-abstract]
    (here / "my.py").write_text(SOURCE.replace("2.0", "5.0"))
    assert load_method("my.py:MyMap", Saliency)().power == 5.0  # type: ignore[type-abstract, attr-defined]
