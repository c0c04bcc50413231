"""Rows of tables: what is flattened, what a spreadsheet is given, and what comes back."""

import csv
import io
import sys
from pathlib import Path
from typing import Any

import pytest

from onnxray.errors import InputError, OutputError
from onnxray.notebooks.tables import csv_text, data_frame, flat, write_csv

ROWS: list[dict[str, Any]] = [
    {"path": 'a,b "c".png', "l2": 0.1 + 0.2, "success": True, "label": "é 中"},
    {"path": None, "l2": -1e-300, "more": 7},
]


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_what_is_nested_gets_dotted_names_and_arrays_are_left_out() -> None:
    document = {
        "a": 1, "b": {"c": {"d": "x"}, "e": None}, "peak": [3, 4], "box": (1, 2.5, 3, 4), "five": [1, 2, 3, 4, 5],
        "texts": ["u", "v"], "nested": [{"x": 1}], "flags": [True, False], "none": [None], "empty": [], "mapping": {},
    }  # fmt: skip
    assert flat(document) == {
        "a": 1, "b.c.d": "x", "b.e": None, "peak.0": 3, "peak.1": 4, "box.0": 1, "box.1": 2.5, "box.2": 3, "box.3": 4,
    }  # fmt: skip


def test_a_csv_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ROWS)
    head, *rows = read((tmp_path / "t.csv").read_bytes().decode("utf-8"))
    assert head == ["path", "l2", "success", "label", "more"]
    assert rows[0][0] == ROWS[0]["path"]
    assert float(rows[0][1]) == ROWS[0]["l2"]
    assert rows[0][2:] == ["True", "é 中", ""]
    assert rows[1] == ["", "-1e-300", "", "", "7"]
    assert float(rows[1][1]) == ROWS[1]["l2"]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-2+3", "@SUM(A1)", '=HYPERLINK("x")', " =1", "\t=1", "\r=1", "\n=1", "＝1", "=\x1b[31m"]
)
def test_text_is_no_formula_whatever_it_begins_with(text: str) -> None:
    ((head,), (cell,)) = read(csv_text([{text: text}]))
    for told in (head, cell):
        assert told.startswith("'")
        assert "\x1b" not in told


def test_numbers_below_zero_stay_numbers_and_what_cannot_be_seen_is_an_escape() -> None:
    rows = read(csv_text([{"number": -3.5, "name": "a\u202eb\x1b[2J\nc\udce9"}]))
    assert rows[1] == ["-3.5", "a\\u202eb\\x1b[2J\\nc\\udce9"]


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "t.csv", tmp_path, "a\0b", 3):
        with pytest.raises(OutputError) as caught:
            write_csv(path, ROWS)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_without_pandas_one_line_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"pip install onnxray\[notebooks\]"):
        data_frame(ROWS)


def test_with_pandas_rows_are_a_data_frame() -> None:
    pandas = pytest.importorskip("pandas")
    frame = data_frame([*ROWS, {"path": "caf\udce9.png", "l2": None}])
    assert list(frame.columns) == ["path", "l2", "success", "label", "more"]
    assert frame["l2"].tolist()[:2] == [ROWS[0]["l2"], ROWS[1]["l2"]]
    assert frame["path"].tolist()[2] == "caf\udce9.png"
    assert pandas.isna(frame["l2"].iloc[2])
