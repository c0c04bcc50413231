"""Where two documents differ, place by place; runs within a run; what is no difference."""

from pathlib import Path
from typing import Any

import pytest

from onnxray.cli.rerun.differences import differences, lines_of

HEAD = {"schema": 1, "command": ["onnxray"], "seconds": 1.0, "versions": {"torch": "1"}, "machine": {"cores": 2}}


@pytest.mark.parametrize(
    ("there", "here", "lines"),
    [
        ({"a": [1, {"b": 0.1}]}, {"a": [1, {"b": 0.1}]}, []),
        ({"a": [1, {"b": 0.1}]}, {"a": [1, {"b": 0.1000000001}]}, ["a[1].b: 0.1 there, 0.1000000001 here"]),
        ({"a": 1}, {"b": 1}, ["a: there alone", "b: here alone"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a: 2 there, 1 here"]),
        ({"a": 1}, {"a": True}, ["a: 1 there, True here"]),
        ({"a": None}, {"a": 0}, ["a: None there, 0 here"]),
        ({"seconds": 1, "figures": {"seconds": 2}}, {"seconds": 3, "figures": {"seconds": 4}}, []),
        ({"a": "\x1b[31m"}, {"a": "b"}, [r"a: '\x1b[31m' there, 'b' here"]),
        ({"method": {"options": {"layer": "a"}}}, {"method": {"options": {"layer": ["a"]}}}, []),
        ({"method": {"options": {"layer": "a"}}}, {"method": {"options": {"layer": ["b"]}}},
         ["method.options.layer: 'a' there, ['b'] here"]),
    ],
)  # fmt: skip
def test_lines(there: Any, here: Any, lines: list[str]) -> None:
    assert list(lines_of(there, here, "")) == lines


def run(folder: Path, data: bytes, number: float = 1.0) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.png").write_bytes(data)
    return {**HEAD, "items": [{"number": number, "files": {"map": "a.png"}}]}


def test_runs_within_a_run_are_compared_in_their_folders(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    documents = [
        {**run(place, b"same"), "runs": {"one": run(place / "one", b"same"), "two": run(place / "two", data, number)}}
        for place, data, number in ((there, b"1", 1.0), (here, b"2", 2.0))
    ]
    found = differences(documents[0], there, documents[1], here, {})
    assert found.lines == [
        "runs.two.items[0].number: 1.0 there, 2.0 here", "runs.two.items[0].files.map: the bytes of a.png differ",
    ]  # fmt: skip
    assert (found.items, found.files) == (3, 3)
    documents[0]["runs"] = {"../two": {}, "one": documents[0]["runs"]["one"]}
    found = differences(documents[0], there, documents[1], here, {})
    assert [line.partition(":")[0] for line in found.lines] == ["runs.'../two'", "runs.'two'"]
    for odd in ({"items": 3}, {"items": [3, None]}, {"files": [{"a": 1}]}, {"runs": [1]}, {"runs": {"one": 3}}):
        assert differences({**documents[0], **odd}, there, documents[1], here, {}).lines


def test_paths_count_as_they_were_stated(tmp_path: Path) -> None:
    there = {**run(tmp_path, b""), "notes": ["like:cat.png was resized"]}
    here = {**run(tmp_path, b""), "notes": ["like:/far/cat.png was resized"]}
    assert differences(there, tmp_path, here, tmp_path, {"cat.png": "/far/cat.png"}).lines == []
    assert len(differences(there, tmp_path, here, tmp_path, {}).lines) == 1


def test_sheets_of_results_from_python_are_no_difference(tmp_path: Path) -> None:
    (tmp_path / "sheet.png").write_bytes(b"x")
    bare, drawn = run(tmp_path, b""), {**run(tmp_path, b""), "files": ["sheet.png"]}
    assert differences({**bare, "command": []}, tmp_path, drawn, tmp_path, {}).lines == []
    assert differences(bare, tmp_path, drawn, tmp_path, {}).lines == ["files: 'sheet.png' here alone"]


def test_what_has_seconds_drawn_on_it_is_not_compared(tmp_path: Path) -> None:
    places = tmp_path / "there", tmp_path / "here"
    documents = []
    for place in places:
        document = run(place, b"")
        document["items"][0]["figures"] = {"seconds": 1}
        (place / "sheet.png").write_text(str(place))
        documents.append({**document, "files": ["sheet.png"]})
    found = differences(documents[0], places[0], documents[1], places[1], {})
    assert found.lines == []
    assert found.untold == ["sheet.png: seconds are drawn on it, so its bytes are not compared"]
    del documents[0]["items"][0]["figures"], documents[1]["items"][0]["figures"]
    assert len(differences(documents[0], places[0], documents[1], places[1], {}).lines) == 1
    for place, document in zip(places, documents):
        (place / "sheet.png").rename(place / "index.html")
        document["files"] = ["index.html"]
    found = differences(documents[0], places[0], documents[1], places[1], {})
    assert found.lines == []
    assert found.untold == ["index.html: it states seconds and the command, so its bytes are not compared"]
