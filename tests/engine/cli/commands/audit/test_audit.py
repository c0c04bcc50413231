"""onnxray audit from the command line: statuses, documents, folders, and its verbs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import onnxray
from onnxray.assess.audit.catalogue import checks
from onnxray.assess.audit.policy import policy_from
from onnxray.cli.app import app
from onnxray.cli.commands.audit.run import read_span
from support.audits import write_model, write_pictures


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "net.onnx")
    write_pictures(tmp_path / "images", 20)
    return tmp_path


WRITTEN = (
    "accuracy-0-mistakes.png", "attestation.json", "audit.json", "audit.sarif", "cyclonedx.json", "junit.xml", "policy.toml",
    "report.html", "summary.md",
)  # fmt: skip
"""The files of an audit by accuracy alone, which draws its mistakes."""

GATE = 'policy = 1\nname = "gate"\n[[check]]\nuse = "accuracy"\nmin = {}\n'


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


def gate(least: float) -> list[str]:
    Path("policy.toml").write_text(GATE.format(least))
    return [
        "net.onnx",
        "--images",
        "images",
        "--labels",
        "folders",
        "--policy",
        "policy.toml",
        "--jobs",
        "0",
        "-o",
        "out",
    ]


def test_a_policy_that_is_met_is_status_0_and_one_that_is_not_3(desk: Path) -> None:
    met = run(*gate(0.5))
    assert (met.exit_code, "PASSED: 0 of 2" in met.stdout) == (0, True)
    assert {path.name for path in Path("out").iterdir()} == {*WRITTEN, "store"}
    assert Path("out/policy.toml").read_text() == Path("policy.toml").read_text()
    again = run(*gate(0.5))
    assert (again.exit_code, "holds an audit" in again.stderr) == (1, True)
    missed = run(*gate(0.95), "--overwrite", "--json")
    told = json.loads(missed.stdout)
    assert (missed.exit_code, told["passed"], told["run"]["units"]) == (3, False, 0)
    assert told == json.loads(Path("out/audit.json").read_text())


def test_from_python_the_same_files_are_saved(desk: Path) -> None:
    run(*gate(0.5))
    onnxray.audit("net.onnx", "images", "policy.toml", labels="folders").save("two")
    assert {path.name for path in Path("two").iterdir()} == {*WRITTEN}
    told, other = (json.loads(Path(place, "audit.json").read_text()) for place in ("out", "two"))
    assert {**told, "run": None} == {**other, "run": None}


def test_without_a_policy_the_default_one_is_used_and_shown(desk: Path) -> None:
    found = run("net.onnx", "--images", "images", "--jobs", "0", "-o", "out")
    assert "no policy was given; this one is used" in found.stderr
    assert '    use = "accuracy"' in found.stderr.splitlines()
    assert found.exit_code in {0, 3}


def test_folders_of_models_and_the_policys_own_scope(desk: Path) -> None:
    (desk / "models" / "b").mkdir(parents=True)
    write_model(desk / "models" / "a.onnx", 1)
    write_model(desk / "models" / "b" / "a.onnx", 2)
    gate(0.5)
    found = run(
        "models", "--images", "images", "--labels", "folders", "--policy", "policy.toml", "--jobs", "0", "--json"
    )
    assert [one["path"] for one in json.loads(found.stdout)["models"]] == ["models/a.onnx", "models/b/a.onnx"]
    scope = '[scope]\nmodels = "net.onnx"\nimages = "images"\nlabels = "folders"\n'
    Path("policy.toml").write_text(GATE.format(0.5) + scope)
    found = run("--policy", "policy.toml", "--jobs", "0", "--json")
    assert [one["path"] for one in json.loads(found.stdout)["models"]] == ["net.onnx"]
    assert Path("onnxray-out/audit-store/store.json").exists()


WRONG: list[tuple[list[Any], str]] = [
    (["net.onnx"], "no pictures were given"), (["--images", "images"], "no model was given"),
    (["net.onnx", "--images", "gone"], "cannot be read"),
    (["net.onnx", "--images", "images", "--labels", "gone.csv"], "cannot be read"),
    (["net.onnx", "--images", "images", "--policy", "gone.toml"], "cannot be read"),
    (["net.onnx", "--images", "images", "--jobs", "0", "--timeout", "3"], "have no hold on"),
    (["net.onnx", "--images", "images", "--jobs", "0", "--store", "net.onnx"], "store"),
    (["explain", "acuracy"], "did you mean 'accuracy'"), (["compare", "gone", "gone"], "cannot be read"),
    (["init", "gone"], "cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_is_one_line_and_status_1(arguments: list[Any], said: str, desk: Path) -> None:
    found = run(*arguments)
    assert (found.exit_code, found.stdout) == (1, "")
    last = found.stderr.splitlines()[-1]
    assert last.startswith("onnxray: ")
    assert said in last
    assert not Path("onnxray-out").exists() or not list(Path("onnxray-out").glob("*-audit"))


def test_a_store_of_a_newer_version_is_one_line(desk: Path) -> None:
    Path("s").mkdir()
    Path("s/store.json").write_text('{"store": 2}')
    found = run(*gate(0.5), "--store", "s")
    assert (found.exit_code, "written by a newer onnxray" in found.stderr) == (1, True)
    assert not Path("out").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_store_is_one_line(desk: Path) -> None:
    Path("s").mkdir(mode=0o555)
    assert "cannot be written" in run(*gate(0.5), "--store", "s").stderr


def test_a_verb_that_is_mistyped_is_suggested_and_a_model_of_its_name_is_one(desk: Path) -> None:
    found = run("exlain", "accuracy")
    assert (found.exit_code, "'explain'" in found.stderr) == (2, True)
    write_model(desk / "compar")
    assert run("compar", "--images", "images", "--jobs", "0", "--json").exit_code in {0, 3}


def test_init_writes_a_policy_that_the_first_run_meets(desk: Path) -> None:
    assert run(*gate(0.5)).exit_code == 0
    assert run("init", "out", "-o", "own.toml").exit_code == 0
    assert "min = 0.69" in Path("own.toml").read_text(), "the lower bound 0.699, rounded down"
    again = run("init", "out", "-o", "own.toml")
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)
    arguments = [
        "net.onnx",
        "--images",
        "images",
        "--labels",
        "folders",
        "--jobs",
        "0",
        "--store",
        "out/store",
        "-o",
        "two",
    ]
    assert run(*arguments, "--policy", "own.toml").exit_code == 0
    assert run("init", "-o", "default.toml").exit_code == 0
    assert run(*arguments, "--policy", "default.toml", "--overwrite").exit_code in {0, 3}


def test_compare_tells_what_changed(desk: Path) -> None:
    run(*gate(0.5))
    write_pictures(desk / "images", 2, start=20)
    run(*gate(0.95)[:-1], "two")
    told = json.loads(run("compare", "out", "two", "--json").stdout)
    assert told["passed"] == {"old": True, "new": False}
    assert (told["same"]["policy"], told["same"]["images"], told["models"]) == (False, False, [])
    (accuracy,) = told["results"]
    assert accuracy["state"] == {"old": "pass", "new": "fail"}
    assert {one["figure"] for one in accuracy["figures"]} >= {"accuracy"}
    shown = run("compare", "out", "two")
    assert (shown.exit_code, "pass -> fail" in shown.stdout) == (0, True)
    assert "no result changed" in run("compare", "out", "out").stdout


def test_explain_tells_the_formula_and_the_options(desk: Path) -> None:
    shown = run("explain", "accuracy").stdout
    assert "sum_b n_b / n" in shown
    assert "bins = 15" in shown
    told = json.loads(run("explain", "accuracy", "--json").stdout)
    assert told["options"][0]["range"] == "from 1 to 1000"
    assert "accuracy" in {one["name"] for one in json.loads(run("explain", "--json").stdout)["checks"]}
    assert "accuracy" in run("explain").stdout


def test_what_explain_shows_of_each_check_is_a_policy_with_its_usual_options(desk: Path) -> None:
    for name, check in checks().items():
        text = run("explain", name).stdout
        part = text[text.index("    [[check]]") :]
        (use,) = policy_from(f"policy = 1\n{part}", source="shown", folder=desk).uses
        assert (use.name, use.level, use.check) == (name, "record", check())


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1.5h", 5400), ("1d", 86400)]
)
def test_spans(text: str, seconds: float) -> None:
    assert read_span(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "2 weeks", "-1s", "1e3", "nan"])
def test_what_is_no_span_is_wrong_usage(text: str, desk: Path) -> None:
    assert run("net.onnx", "--images", "images", f"--budget={text}").exit_code == 2


def test_init_keeps_the_options_pictures_and_figure_of_the_run(desk: Path) -> None:
    Path("policy.toml").write_text(
        'policy = 1\n[[check]]\nuse = "accuracy"\nname = "calibration"\nfigure = "calibration error"\nbins = 5\n'
        "images = 12\nmax = 1\n"
    )
    arguments = ("net.onnx", "--images", "images", "--labels", "folders", "--jobs", "0", "--store", "s")
    assert run(*arguments, "--policy", "policy.toml", "-o", "out").exit_code == 0
    assert run("init", "out", "-o", "own.toml").exit_code == 0
    lines = Path("own.toml").read_text().splitlines()
    assert {"bins = 5", 'figure = "calibration error"'} <= set(lines)
    assert any(line.startswith("images = 12 ") for line in lines)
    assert run(*arguments, "--policy", "own.toml", "-o", "two", "--seed", "0").exit_code == 0


def test_a_check_of_some_models_is_not_applicable_to_the_others(desk: Path) -> None:
    write_model(desk / "other.onnx", 1)
    Path("policy.toml").write_text(GATE.format(0.99) + 'models = "oth*.onnx"\n')
    arguments = ("--images", "images", "--labels", "folders", "--policy", "policy.toml", "--jobs", "0", "--json")
    told = json.loads(run("net.onnx", "other.onnx", *arguments, "--seed", "7").stdout)
    states = {(one["model"], one["name"]): one["state"] for one in told["results"]}
    assert (states[0, "accuracy"], states[1, "accuracy"], told["seed"]) == ("not applicable", "fail", 7)
    nobody = run("net.onnx", *arguments)
    assert (nobody.exit_code, "no model that is audited is one" in nobody.stderr + nobody.stdout) == (1, True)
