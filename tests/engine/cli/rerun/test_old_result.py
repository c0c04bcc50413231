"""Documents that are no results, or of strangers: each refused in one line, and nothing of them is run."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.cli.app import app
from onnxray.errors import OnnxrayError, OutputError

DIGIT = str(next(iter(onnxray_models.samples("lenet"))))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("good")
    result = CliRunner().invoke(app, ["classify", "lenet", DIGIT, "-o", str(folder / "r")])
    assert result.exit_code == 0
    return json.loads((folder / "r" / "result.json").read_bytes())


def refused(place: Path, lines: int = 1) -> str:
    """What is said of it; lines: on standard error, the error last."""
    with pytest.raises(OnnxrayError) as caught:
        onnxray.rerun(place)
    said = str(caught.value)
    assert "\n" not in said
    result = CliRunner().invoke(app, ["rerun", str(place)])
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == lines
    return said


def test_no_result_at_all(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path)
    assert "no such file" in refused(tmp_path / "nowhere")
    for text in ("", '{"schema": 1, "items"', "[" * 100_000, "\x00"):
        (tmp_path / "result.json").write_text(text)
        assert "no result that can be read" in refused(tmp_path)
    for text in ("[]", "1", "null"):
        (tmp_path / "result.json").write_text(text)
        assert "the document of a run was expected" in refused(tmp_path)
    if hasattr(os, "mkfifo"):
        (tmp_path / "result.json").unlink()
        os.mkfifo(tmp_path / "result.json")
        assert "no such file" in refused(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "is of schema 2 and 1 is known here; a newer onnxray wrote it"),
        ({"schema": "1"}, "is no result of onnxray"),
        ({"schema": True}, "is no result of onnxray"),
        ({"items": {}}, "is no result of onnxray"),
        ({"incomplete": True}, "did not come to its end"),
        ({"made_from": None}, "does not say what it was made from: onnxray '"),
        ({"made_from": {"command": "classify", "options": {}, "files": []}}, "is damaged"),
        ({"made_from": {"command": [], "options": {}, "files": []}}, "is damaged"),
        ({"made_from": {"command": ["classify"], "options": [], "files": []}}, "is damaged"),
        ({"made_from": {"command": ["classify"], "options": {}, "files": [{"path": "a"}]}}, "is damaged"),
        ({"made_from": {"command": ["classify"], "options": {}, "files": [{"path": "a\0", "absolute": "b"}]}}, "damaged"),
    ],
)  # fmt: skip
def test_documents_that_are_none(change: dict[str, Any], said: str, good: Any, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps({**good, **change}))
    assert said in refused(tmp_path)


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        (["rerun"], {"result": "."}, "its command is 'rerun', which this onnxray does not have"),
        (["nonsense"], {}, "which this onnxray does not have"),
        (["saliency"], {}, "which this onnxray does not have"),
        (["saliency", "nonsense"], {}, "which this onnxray does not have"),
        (["classify", "more"], {}, "which this onnxray does not have"),
        (["os:system"], {}, "which this onnxray does not have"),
        (["classify"], {"model": "lenet", "images": [DIGIT], "out": "/elsewhere"}, "has no option 'out'"),
        (["classify"], {"model": "lenet", "images": [DIGIT], "timeout": 1}, "has no option 'timeout'"),
        (["classify"], {"model": "lenet", "images": [DIGIT], "newer": 1}, "has no option 'newer'"),
        (["classify"], {"model": "lenet", "images": [DIGIT], "top": {"a": 1}}, "text or numbers were expected"),
        (["classify"], {"model": "lenet", "images": [DIGIT], "top": "many"}, "its command is none of this onnxray"),
        (["classify"], {"model": "lenet"}, "its command is none of this onnxray"),
        (["saliency", "--method-file=evil.py:Evil"], {"model": "lenet"}, "run only where it is stated again"),
        (["--method-file=evil.py:Evil"], {"model": "lenet"}, "run only where it is stated again"),
    ],
)
def test_commands_of_strangers(command: list[str], options: Any, said: str, good: Any, tmp_path: Path) -> None:
    evil = tmp_path / "evil.py"
    evil.write_text("raise SystemExit('it was run')")
    made = {"command": command, "options": options, "files": []}
    (tmp_path / "result.json").write_text(json.dumps({**good, "made_from": made}))
    assert said in refused(tmp_path)


def test_text_of_a_document_is_data(good: Any, tmp_path: Path) -> None:
    """Arguments that look like options, names with control characters, files that lead elsewhere."""
    image = {"path": DIGIT, "absolute": DIGIT, "sha256": good["made_from"]["files"][1]["sha256"]}
    options = {**good["made_from"]["options"], "images": ["--json", "-o", "\x1b[31m\u202e.png"]}
    (tmp_path / "result.json").write_text(
        json.dumps({**good, "made_from": {"command": ["classify"], "options": options, "files": [image]}})
    )
    said = refused(tmp_path, lines=2)
    assert "--json: no such file" in said
    assert not (tmp_path / "\x1b[31m\u202e.png").exists()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "r").mkdir()
    for name in ("../secret", "/etc/hostname", "..", "a\0b", 7):
        found = {**good, "items": [{**good["items"][0], "files": {"map": name}}]}
        (tmp_path / "r" / "result.json").write_text(json.dumps(found))
        again = onnxray.rerun(tmp_path / "r")
        assert not again.same
        assert all("items[0].files" in line for line in again.differences)


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        onnxray.rerun(7)  # type: ignore[arg-type]
    for options in ({"changed": 1}, {"quiet": "no"}, {"method_file": 3}):
        with pytest.raises(OnnxrayError):
            onnxray.rerun(tmp_path, **options)  # type: ignore[arg-type]
