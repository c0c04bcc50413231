"""Runs of the page are those of the command line: the same typed line, the same document, the same bytes."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxray.cli.parts.limits import registered
from onnxray.cli.parts.shared_options import Opening
from onnxray.errors import InputError, OutputError
from onnxray.web.work.bench import Bench
from onnxray.web.work.file_options import FILE_OPTIONS
from onnxray.web.work.forms import field_names, forms, method_at, offered
from onnxray.web.work.running import prepared, run, with_folder
from support.auditing import digits

DIGIT, SEVEN, NINE = (str(digits(10)[k].path) for k in (4, 7, 9))
OTHERS = [str(digits(10)[k].path) for k in (0, 1, 2)]
APART = {"seconds", "command", "made_from"}


@pytest.fixture(scope="module")
def bench() -> Bench:
    found = Bench(["lenet"], Opening())
    found.desk()
    return found


def typed(line: list[str]) -> None:
    """What a user would type, run as it would be."""
    from onnxray.cli.app import app

    with pytest.raises(SystemExit) as ended:
        app(line[1:], prog_name="onnxray")
    assert ended.value.code == 0


@pytest.mark.parametrize(
    "stated",
    [
        {"path": ["saliency", "grad-cam"], "pictures": [DIGIT], "options": {"layer": "conv2"}, "target": "9"},
        {"path": ["lots"], "pictures": [DIGIT], "targets": [NINE], "options": {"layer": "relu1"}},
        {"path": ["attack", "pgd"], "pictures": [DIGIT, NINE], "options": {"eps": "30", "steps": 5}, "seed": 3},
        {"path": ["invert"], "pictures": [DIGIT], "options": {"layer": "relu1", "steps": 4}},
        {"path": ["visualize", "maximize"], "options": {"steps": 3}, "target": "conv2:7"},
        {
            "path": ["attack", "transfer"],
            "pictures": [DIGIT],
            "options": {"setting": ["steps=3"]},
            "files": {"from_": [("model", "lenet")]},
        },
        {
            "path": ["attack", "feature-adversary"],
            "pictures": [DIGIT],
            "targets": [NINE],
            "options": {"layer": "relu1", "steps": 3},
            "files": {"neighbours": [("picture", path) for path in OTHERS]},
        },
        {
            "path": ["attack", "universal"],
            "pictures": [DIGIT, NINE],
            "options": {"epochs": 1},
            "files": {"held_out": [("picture", SEVEN)]},
        },
        {
            "path": ["compare"],
            "pictures": [DIGIT],
            "options": {"map_method": "gradient"},
            "files": {"models": [("model", "lenet")]},
        },
    ],
    ids=lambda stated: stated["path"][-1],
)
def test_the_document_is_the_command_lines(
    bench: Bench, tmp_path: Path, stated: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    ended = run(bench, told.append, folder=str(tmp_path / "page"), **stated)
    assert ended["interrupted"] is False
    assert any("total" in one for one in told)
    line = [str(tmp_path / "again") if word == str(tmp_path / "page") else word for word in ended["typed"]]
    assert shlex.split(shlex.join(line)) == line
    monkeypatch.setattr("sys.argv", line)
    typed(line)
    one, other = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("page", "again"))
    assert one["command"] == ended["typed"]
    assert other["command"] == line
    assert {key: one[key] for key in one if key not in APART} == {key: other[key] for key in other if key not in APART}
    assert one["made_from"]["options"] == other["made_from"]["options"]
    names = {path.name for path in (tmp_path / "page").iterdir()}
    assert names == {path.name for path in (tmp_path / "again").iterdir()}
    for name in names - {"result.json", "index.html"}:
        assert (tmp_path / "page" / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_a_run_that_is_stopped_keeps_the_best_so_far_and_shows_it_growing(bench: Bench, tmp_path: Path) -> None:
    shown: list[bytes] = []

    def told(what: dict[str, Any]) -> None:
        shown.extend([what["png"]] if "png" in what else [])
        if what.get("done", 0) > 3:
            raise KeyboardInterrupt

    ended = run(
        bench, told, folder=str(tmp_path / "run"), path=["invert"], pictures=[DIGIT],
        options={"layer": "relu1", "steps": 1000},
    )  # fmt: skip
    assert ended["interrupted"] is True
    document = json.loads((tmp_path / "run" / "result.json").read_text())
    assert document["interrupted"] is True
    assert (tmp_path / "run" / document["items"][0]["files"]["image"]).is_file()
    assert shown
    assert shown[0].startswith(b"\x89PNG")


def test_the_profile_that_was_stated_on_the_page_is_in_the_line() -> None:
    bench = Bench(["lenet"], Opening(device="cpu", labels="none"))
    bench.restate(0, {"mean": "30"})
    line = prepared(bench, path=["saliency", "gradient"], pictures=[DIGIT])["typed"]
    assert line == ["onnxray", "saliency", "gradient", "--labels", "none", "--mean", "30", "lenet", DIGIT] or (
        "--profile-mean" in line and line[line.index("--profile-mean") + 1] == "30"
    )


def test_the_model_that_is_open_is_not_opened_again(bench: Bench) -> None:
    how = Opening()
    assert bench.held(how, "lenet", None) is bench.desk().model
    assert bench.held(Opening(strict=True), "lenet", None) is None
    assert bench.held(how, "other", None) is None
    assert bench.held(how, "lenet", "raw") is None


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"path": ["rerun"]}, "the page has no method 'rerun'"),
        ({"path": ["audit"]}, "the page has no method"),
        ({"path": ["saliency", "grad-cam"]}, "works on a picture"),
        ({"path": ["saliency", "grad-cam"], "pictures": [DIGIT], "options": {"out": "/tmp/x"}}, "no option 'out'"),
        ({"path": ["saliency", "kernel-shap"], "pictures": [DIGIT], "options": {"background_samples": "/etc"}}, "the page names files by choosing them"),
        ({"path": ["saliency", "kernel-shap"], "pictures": [DIGIT], "files": {"background_samples": [("model", "lenet")]}}, "this is a model"),
        ({"path": ["attack", "patch"], "pictures": [DIGIT], "options": {"held_out": "/etc"}}, "a share between 0 and 1"),
        ({"path": ["attack", "patch"], "pictures": [DIGIT], "options": {"held_out": "nan"}}, "a share between 0 and 1"),
        ({"path": ["visualize", "maximize"], "options": {"direction": "/etc/x.npy@fc"}}, "the page names files by choosing them"),
        ({"path": ["saliency", "grad-cam"], "pictures": [DIGIT], "files": {"layer": [("picture", DIGIT)]}}, "names no file"),
        ({"path": ["saliency", "smoothgrad"], "pictures": [DIGIT], "options": {"setting": ["background-samples=/etc"]}}, "may name a file"),
        ({"path": ["attack", "bisection"], "pictures": [DIGIT], "options": {"setting": ["from=/etc/x.onnx"]}}, "may name a file"),
        ({"path": ["attack", "transfer"], "pictures": [DIGIT], "options": {"from_profile": "/etc/x.toml"}}, "expected one of caffe"),
        ({"path": ["saliency", "gradient"], "pictures": [DIGIT], "target": "4", "targets": [NINE]}, "state one of them"),
        ({"path": ["saliency", "gradient"], "pictures": [DIGIT], "target": "> like:/etc", "targets": [NINE]}, "like:FILE names a file"),
        ({"path": ["saliency", "gradient"], "pictures": [DIGIT], "target": "like:/etc/passwd"}, "like:FILE names a file"),
        ({"path": ["lots"], "pictures": [DIGIT], "options": {"until": "like:/etc/passwd > 0.1"}}, "like:FILE names a file"),
    ],
)  # fmt: skip
def test_what_the_page_does_not_offer_is_refused(bench: Bench, stated: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        prepared(bench, **stated)


def test_a_number_that_is_none_is_refused_by_the_command_lines_parser(bench: Bench) -> None:
    with pytest.raises(OutputError, match="steps"):
        prepared(bench, path=["attack", "pgd"], pictures=[DIGIT], options={"steps": "many"})


def test_names_that_begin_with_a_dash_are_behind_two_dashes() -> None:
    assert with_folder(["onnxray", "x", "--", "m", "-a.png"], "d") == ["onnxray", "x", "-o", "d", "--", "m", "-a.png"]
    assert with_folder(["onnxray", "x", "--", "m", "a.png"], None) == ["onnxray", "x", "m", "a.png"]


def test_every_method_is_offered_with_the_help_of_its_own_options(bench: Bench) -> None:
    shown = forms(bench)["methods"]
    families = {one["family"] for one in shown}
    assert families == {"Saliency", "LOTS", "Attacks", "Inversion", "Visualisation", "Models"}
    for one, form in zip(offered(), shown):
        assert form["path"] == list(one.path)
        assert {field["name"] for field in form["fields"]} == field_names(one)
        assert all(field["help"] for field in form["fields"])
        json.dumps(form, allow_nan=False)
        prepared_path = method_at(form["path"])
        assert prepared_path == one


def test_options_that_name_files_are_no_texts(bench: Bench) -> None:
    said = re.compile(r"\bfiles?\b|\bfolders?\b|\.npy|\bpictures?,? or\b", re.IGNORECASE)
    fields = [(form["name"], field) for form in forms(bench)["methods"] for field in form["fields"]]
    texts = [(name, field["name"], field["help"]) for name, field in fields if field["kind"] == "text"]
    assert len(texts) > 20
    assert [entry for entry in texts if said.search(entry[2])] == []
    chosen = {field["name"] for _, field in fields if field["kind"] == "files"}
    assert chosen == set(FILE_OPTIONS), "every one that is listed is offered somewhere"


def test_files_are_typed_as_they_were_given(bench: Bench) -> None:
    def line(**stated: Any) -> str:
        return shlex.join(prepared(bench, pictures=[DIGIT], **stated)["typed"])

    direction = {"options": {"direction": "ip1"}, "files": {"direction": [("array", "a b.npy")]}}
    assert "--direction 'a b.npy@ip1'" in line(path=["visualize", "maximize"], **direction)
    style = line(path=["visualize", "style"], files={"style": [("picture", NINE)]})
    assert f"--style {NINE}" in style
    assert "--held-out 0.25" in line(path=["attack", "patch"], options={"held_out": "0.25"})
    assert line(path=["saliency", "gradient"], targets=[NINE]).count(f"--target like:{NINE}") == 1
    like = line(path=["attack", "pgd"], targets=[NINE], target="> 0.3")
    assert f"--target 'like:{NINE} > 0.3'" in like


def test_every_method_that_is_offered_is_a_command() -> None:
    for one in offered():
        assert callable(registered(one.path)), one.path


def test_arrays_run_too(tmp_path: Path) -> None:
    """A model of a table's rows, and a row in a .npy file, as it may be dropped on the page."""
    import onnx

    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (float[N, 3] row) => (float[N, 2] scores)
    <float[3, 2] w = {1.0, -1.0, 0.5, 2.0, -0.25, 0.75}> { scores = MatMul(row, w) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "table.onnx")
    np.save(tmp_path / "row.npy", np.array([[1.0, 2.0, 3.0]], np.float32))
    bench = Bench([str(tmp_path / "table.onnx")], Opening())
    ended = run(
        bench, lambda _: None, folder=str(tmp_path / "run"), path=["saliency", "gradient"],
        pictures=[str(tmp_path / "row.npy")], target="value:scores:1",
    )  # fmt: skip
    assert ended["interrupted"] is False
    assert (tmp_path / "run" / "result.json").is_file()
