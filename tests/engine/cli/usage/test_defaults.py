"""Options that are stated beside the command line: variables, and a file of the working folder, which may be a stranger's."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import onnxray_models
from onnxray.cli.app import app

FOUR = next(str(path) for path in onnxray_models.samples("lenet") if path.stem == "4_0")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def classify(*more: str, **variables: str) -> Result:
    return CliRunner().invoke(app, ["classify", "lenet", FOUR, "--json", *more], env=variables)


def stated(result: Result) -> tuple[str, int]:
    """The profile and the number of classes that a run went by."""
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    return document["profile"]["name"], len(document["items"][0]["top"])


def test_a_file_states_options_of_all_commands_and_of_one(here: Path) -> None:
    assert stated(classify()) == ("lenet", 5)
    (here / "onnxray.toml").write_text('profile = "unit"\nseed = 7\n[classify]\ntop = 2\n[saliency.rise]\nmasks = 10\n')
    result = classify()
    assert stated(result) == ("unit", 2)
    assert "--profile unit --top 2: from onnxray.toml" in result.stderr.replace(
        "--top 2 --profile unit", "--profile unit --top 2"
    )
    assert json.loads(result.stdout)["command"][-4:] in (
        ["--top", "2", "--profile", "unit"], ["--profile", "unit", "--top", "2"],
    )  # fmt: skip


def test_what_is_typed_counts_before_a_variable_and_that_before_the_file(here: Path) -> None:
    (here / "onnxray.toml").write_text('profile = "unit"\n')
    result = classify(ONNXRAY_PROFILE="raw")
    assert stated(result) == ("raw", 5)
    assert "--profile raw: from ONNXRAY_PROFILE" in result.stderr
    assert stated(classify("--profile", "lenet", ONNXRAY_PROFILE="raw")) == ("lenet", 5)


def test_isolated_leaves_both_out(here: Path) -> None:
    (here / "onnxray.toml").write_text("no toml [")
    arguments = ["--isolated", "classify", "lenet", FOUR, "--json"]
    result = CliRunner().invoke(app, arguments, env={"ONNXRAY_PROFILE": "nonsense"})
    assert stated(result) == ("lenet", 5)
    assert result.stderr == ""


def test_a_project_states_them_in_its_table(here: Path) -> None:
    (here / "pyproject.toml").write_text('[tool.ruff]\nx = 1\n[tool.onnxray]\nprofile = "unit"\n')
    result = classify()
    assert stated(result) == ("unit", 5)
    assert "from pyproject.toml" in result.stderr
    (here / "pyproject.toml").write_text("of another tool, and no TOML [")
    assert stated(classify()) == ("lenet", 5), "a project that states nothing of onnxray is none of ours"


def test_folders_above_state_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "onnxray.toml").write_text('profile = "unit"\n')
    (here / "inner").mkdir()
    monkeypatch.chdir(here / "inner")
    assert stated(classify()) == ("lenet", 5)


def test_a_switch_and_what_may_be_repeated(here: Path) -> None:
    (here / "onnxray.toml").write_text('strict = true\n[lots]\nlayer = ["conv1", "ip1"]\nself = "inhibit"\n')
    result = CliRunner().invoke(app, ["lots", "lenet", FOUR, "--json", "-o", "out"])
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["method"]["options"]["layer"] == ["conv1", "ip1"]
    assert {"--strict", "--layer", "ip1", "--self"} <= set(document["command"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('profil = "unit"', "outside of tables there is no option 'profil' that a file may state; did you mean 'profile'?"),
        ("top = 3", "outside of tables there is no option 'top'"),
        ("[clasify]\ntop = 3", "there is no command 'clasify' that a file may state; did you mean 'classify'?"),
        ("[classify]\ntpo = 3", "classify has no option 'tpo' that a file may state; did you mean 'top'?"),
        ("classify = 3", "classify is 3; a table of the command's options was expected"),
        ('[classify]\ntop = "a"', "top is 'a'; a whole number was expected"),
        ("[classify]\ntop = true", "top is True; a whole number was expected"),
        ("[classify]\ntop = 1.5", "top is 1.5; a whole number was expected"),
        ("[classify]\ntop = 0", "'--top': Input should be greater than or equal to 1, not 0"),
        ("strict = 1", "strict is 1; true or false was expected"),
        ("profile = 3", "profile is 3; text was expected"),
        ("timeout = []", "timeout is []; a number was expected"),
        ('out = "."', "no option 'out' that a file may state"),
        ("[classify]\noverwrite = true", "classify has no option 'overwrite' that a file may state"),
        ("no toml [", "onnxray.toml: cannot be read"),
        ("a" + ".a" * 40 + " = 1", "a key with more than 16 dots"),
        ("x = " + "[" * 100, "lists or tables more than 32 deep"),
    ],
)  # fmt: skip
def test_what_a_file_may_not_state_is_one_line(text: str, said: str, here: Path) -> None:
    (here / "onnxray.toml").write_text(text)
    result = classify()
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert json.loads(result.stdout)["error"]["kind"] == "UsageError"


def test_a_file_names_none_that_lies_elsewhere(here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    elsewhere.write_text("\n".join(f"secret {k}" for k in range(10)))
    (here / "link.txt").symlink_to(elsewhere)
    (here / "inner").mkdir()
    for name in (
        str(elsewhere),
        "link.txt",
        f"../{elsewhere.parent.name}/secret.txt",
        f"inner/../../{elsewhere.parent.name}/secret.txt",
    ):
        (here / "onnxray.toml").write_text(f"labels = {json.dumps(name)}")
        result = classify()
        assert result.exit_code == 2, name
        assert "a file that lies in the working folder was expected" in result.stderr
        assert "secret 4" not in result.output
    (here / "onnxray.toml").write_text(f'[saliency.gradient]\ntarget = "like:{elsewhere}"')
    result = CliRunner().invoke(app, ["saliency", "gradient", "lenet", FOUR])
    assert (result.exit_code, "lies in the working folder" in result.stderr) == (2, True)
    (here / "own.txt").write_text(elsewhere.read_text())
    (here / "onnxray.toml").write_text('labels = "own.txt"')
    assert json.loads(classify().stdout)["items"][0]["label"] == "secret 4"


def test_its_text_is_escaped_where_it_is_shown(here: Path) -> None:
    (here / "onnxray.toml").write_text('"\\u001b[2Jx" = 1\n')
    result = classify()
    assert result.exit_code == 2
    assert "\x1b" not in result.output


def test_what_every_command_is_told_is_no_option_of_ones_own(here: Path) -> None:
    """Outside of tables ``labels`` names classes; those of ``attack evaluate`` are the true ones."""
    (here / "onnxray.toml").write_text('labels = "mnist"')
    words = ["attack", "evaluate", "lenet", FOUR, "--attacks", "fgsm", "--eps", "8", "--trust-images", "0"]
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["items"][0]["correct"]
    (here / "onnxray.toml").write_text('[attack.evaluate]\nlabels = "folders"')
    assert "has no folders inside it" in CliRunner().invoke(app, words).stderr
