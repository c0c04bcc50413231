"""Files, numbers and names as they stand on a command line, for models that take no single picture."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxray
from onnxray.errors import ImageError, InputError
from support import kinds_of_input
from support.models import parse, random


def judged(model: onnx.ModelProto, feeds: dict[str, Any]) -> Any:
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)[0]


def opened(model: onnx.ModelProto, **options: Any) -> Any:
    return onnxray.open(model.SerializeToString(), **options)


ROWS = random(3, 4, 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "rows.npy", ROWS)
    np.save(tmp_path / "one.npy", ROWS[0])
    np.save(tmp_path / "double.npy", ROWS.astype(np.float64))
    np.savez(tmp_path / "rows.npz", anything=ROWS)
    np.savez(tmp_path / "two.npz", rgb=random(4, 2, 3, 16, 16), depth=random(5, 2, 1, 16, 16), more=ROWS)
    header = "a,b,c,d,e\n"
    lines = "".join(",".join(repr(float(cell)) for cell in row) + "\n" for row in ROWS)
    (tmp_path / "rows.csv").write_text(header + lines)
    (tmp_path / "bare.csv").write_text(lines)
    (tmp_path / "rows.tsv").write_text((header + lines).replace(",", "\t"))
    (tmp_path / "semicolons.csv").write_text((header + lines).replace(",", ";"))
    (tmp_path / "rows.json").write_text(json.dumps(ROWS.tolist()))
    (tmp_path / "named.json").write_text(json.dumps([dict(zip("abcde", row)) for row in ROWS.tolist()]))
    (tmp_path / "x.json").write_text(json.dumps({"x": ROWS.tolist()}))
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "rows.npy",
        "double.npy",
        "rows.npz",
        "rows.csv",
        "bare.csv",
        "rows.tsv",
        "semicolons.csv",
        "rows.json",
        "named.json",
        "x.json",
    ],
)
@pytest.mark.parametrize("prefix", ["", "x="])
def test_rows_of_every_kind_of_file_give_what_onnxruntime_gives(folder: Path, name: str, prefix: str) -> None:
    model = kinds_of_input.table()
    given = f"x={folder / name}" if prefix else str(folder / name)
    found = opened(model).predict([given])
    np.testing.assert_allclose(found.probabilities, judged(model, {"x": ROWS}), rtol=1e-5)


def test_one_sample_without_its_axis_is_taken_and_files_follow_each_other(folder: Path) -> None:
    model = opened(kinds_of_input.table())
    pixels = model.pixels([str(folder / "one.npy"), str(folder / "rows.npy")])
    np.testing.assert_array_equal(pixels.array, np.concatenate([ROWS[:1], ROWS]))
    assert [Path(str(name)).name for name in pixels.names] == ["one.npy", *["rows.npy"] * 4]


def test_columns_are_chosen_by_the_names_that_were_stated(folder: Path) -> None:
    model = opened(kinds_of_input.table(), inputs={"x": {"kind": "table row", "columns": ["e", "d", "c", "b", "a"]}})
    np.testing.assert_allclose(model.pixels(str(folder / "rows.csv")).array, ROWS[:, ::-1])
    with pytest.raises(InputError, match="bare.csv has no column 'e'; its columns are unnamed"):
        model.pixels(str(folder / "bare.csv"))


def test_columns_by_header_go_to_inputs_of_their_names(tmp_path: Path) -> None:
    text = "g (float[N,1] age, string[N,1] town, int64[N] year) => (float[N,1] y, string[N,1] t, int64[N] z) { y = Identity (age) t = Identity (town) z = Identity (year) }"
    (tmp_path / "rows.csv").write_text("town,year,age\nParis,1999,3.5\nRome,2001,4\n")
    found = opened(parse(text)).values(str(tmp_path / "rows.csv"), ["y", "t", "z"])
    assert found["y"].tolist() == [[3.5], [4.0]]
    assert found["t"].tolist() == [["Paris"], ["Rome"]]
    assert found["z"].tolist() == [1999, 2001]


def test_an_archive_feeds_several_inputs_and_says_what_it_leaves_out(folder: Path) -> None:
    proto = kinds_of_input.two()
    model = opened(proto)
    loaded = np.load(folder / "two.npz")
    expected = judged(proto, {name: loaded[name] for name in ("rgb", "depth")})
    for given in (str(folder / "two.npz"), {name: loaded[name] for name in ("rgb", "depth")}):
        np.testing.assert_allclose(model.values(given, ["y"])["y"], expected, rtol=1e-5, atol=1e-6)
    assert model.pixels(str(folder / "two.npz")).notes == ("two.npz: 'more' left out, no inputs of the model",)


def test_inputs_are_given_by_name_as_files_numbers_lists_and_zeros(tmp_path: Path) -> None:
    text = "g (float[N,T] input, float[2,N,4] state, int64 sr) => (float[N,T] y) { a = ReduceSum <keepdims = 0> (state) c = Cast <to = 1> (sr) b = Add (a, c) y = Add (input, b) }"
    model = opened(parse(text))
    np.save(tmp_path / "x.npy", random(0, 1, 6))
    found = model.values([f"input={tmp_path / 'x.npy'}", "state=zeros", "sr=16000"], ["y"])["y"]
    np.testing.assert_allclose(found, random(0, 1, 6) + 16000)
    found = model.values({"input": [[1.0, 2.0]], "state": "zeros", "sr": "3"}, ["y"])["y"]
    assert found.tolist() == [[4.0, 5.0]]
    with pytest.raises(InputError, match=r"sr=fast: no such file, and no number or list of them in JSON"):
        model.values([f"input={tmp_path / 'x.npy'}", "state=zeros", "sr=fast"], ["y"])


def test_one_sample_of_an_input_serves_all_of_another(tmp_path: Path) -> None:
    model = opened(kinds_of_input.two())
    rgb, depth = random(4, 3, 3, 16, 16), random(5, 1, 1, 16, 16)
    np.save(tmp_path / "rgb.npy", rgb)
    np.save(tmp_path / "depth.npy", depth)
    found = model.values([f"rgb={tmp_path / 'rgb.npy'}", f"depth={tmp_path / 'depth.npy'}"], ["y"])["y"]
    expected = judged(kinds_of_input.two(), {"rgb": rgb, "depth": np.repeat(depth, 3, axis=0)})
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    np.save(tmp_path / "depth.npy", random(5, 2, 1, 16, 16))
    with pytest.raises(InputError, match="'rgb' holds 3 samples and 'depth' 2; give as many, or one for all"):
        model.values([f"rgb={tmp_path / 'rgb.npy'}", f"depth={tmp_path / 'depth.npy'}"], ["y"])


def test_text_goes_to_a_file_that_wants_text(tmp_path: Path) -> None:
    model = opened(parse("g (string[N] words) => (string[N] y) { y = Identity (words) }"))
    assert model.values("hello world", ["y"])["y"].tolist() == ["hello world"]
    assert model.values({"words": np.array(["a", "b"])}, ["y"])["y"].tolist() == ["a", "b"]
    (tmp_path / "words.csv").write_text("words\none\ntwo\n")
    assert model.values(str(tmp_path / "words.csv"), ["y"])["y"].tolist() == ["one", "two"]
    with pytest.raises(InputError, match="holds 3; the input takes text"):
        model.values({"words": np.array([3])}, ["y"])


@pytest.mark.parametrize(
    ("make", "given", "why"),
    [
        (kinds_of_input.table, "short.npy", "holds float64 of shape [3, 4], and the input 'x' takes float32 of shape [N, 5]; numpy.zeros((1, 5), 'float32') is one that fits"),
        (kinds_of_input.table, "cube.npy", "holds float64 of shape [1, 5, 1], and the input 'x' takes float32 of shape [N, 5]"),
        (kinds_of_input.table, "missing.npy", "missing.npy: no such file"),
        (kinds_of_input.table, "missing", "no such file; a file for one of the inputs was expected: 'x'"),
        (kinds_of_input.table, "ragged.csv", "row 2 has 4 cells; 5 were expected, as in the first"),
        (kinds_of_input.table, "words.csv", "words.csv holds the text 'five', and the input 'x' takes float32 of shape [N, 5]"),
        (kinds_of_input.table, "empty.csv", "holds no rows"),
        (kinds_of_input.table, "ragged.json", "rows of different lengths"),
        (kinds_of_input.table, "broken.json", "is no JSON"),
        (kinds_of_input.table, "broken.npy", "is no .npy or .npz file of numbers or text"),
        (kinds_of_input.table, "pickle.npy", "is no .npy or .npz file of numbers or text"),
        (kinds_of_input.two, "short.npy", "the model has the inputs 'rgb', 'depth'; say which it is for, NAME=short.npy, or give all in one .npz by their names"),
        (kinds_of_input.two, "rgb=rgb.npy", "nothing was given for the input 'depth', which takes float32 of shape [N, 1, 16, 16] (picture); give it as depth=FILE"),
        (kinds_of_input.two, "others.npz", "holds 'a'; arrays named as the inputs were expected: 'rgb', 'depth'"),
        (kinds_of_input.two, "wrong.npz", "wrong.npz, 'rgb' holds float64 of shape [2, 2], and the input 'rgb' takes float32 of shape [N, 3, 16, 16]"),
        (kinds_of_input.tokens, "input_ids=half.npy", "takes a whole number from"),
        (kinds_of_input.table, "picture.png", "a picture was given, and the input 'x' is read as table row (numbers in 5 columns, and nothing slides over them)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, given: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("short.npy", np.zeros((3, 4)))
    np.save("cube.npy", np.zeros((1, 5, 1)))
    np.save("half.npy", np.full((1, 3), 0.5))
    np.save("rgb.npy", np.zeros((1, 3, 16, 16)))
    np.savez("others.npz", a=np.zeros(3))
    np.savez("wrong.npz", rgb=np.zeros((2, 2)), depth=np.zeros((2, 1, 16, 16)))
    np.save("pickle.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    Path("ragged.csv").write_text("1,2,3,4,5\n1,2,3,4\n")
    Path("words.csv").write_text("a,b,c,d,e\n1,2,3,4,five\n1,2,3,4,5\n")
    Path("empty.csv").write_text("")
    Path("ragged.json").write_text('{"x": [[1, 2], [3]]}')
    Path("broken.json").write_text("[[1, 2")
    Path("broken.npy").write_bytes(b"\x93NUMPY\x01\x00")
    Path("picture.png").write_bytes(b"")
    with pytest.raises(InputError, match=re.escape(why)) as caught:
        opened(make()).pixels([given])
    assert "\n" not in str(caught.value)


def test_several_inputs_are_gone_through_sample_by_sample() -> None:
    model = opened(kinds_of_input.two())
    pixels = model.pixels({"rgb": random(0, 3, 3, 16, 16), "depth": random(1, 3, 1, 16, 16)})
    assert (pixels.input, len(pixels)) == ("rgb", 3)
    part = pixels.rows(np.array([2, 0, 0]))
    np.testing.assert_array_equal(part.array, random(0, 3, 3, 16, 16)[[2, 0, 0]])
    np.testing.assert_array_equal(part.beside["depth"], random(1, 3, 1, 16, 16)[[2, 0, 0]])
    turned = pixels.looking_at("depth")
    np.testing.assert_array_equal(turned.array, random(1, 3, 1, 16, 16))
    np.testing.assert_array_equal(turned.beside["rgb"], random(0, 3, 3, 16, 16))
    np.testing.assert_array_equal(model.values(pixels, ["y"])["y"], model.values(turned, ["y"])["y"])


@pytest.mark.parametrize("state", ["2,N,4", "2,B,4"])
def test_samples_of_a_state_lie_along_an_axis_of_its_own(state: str) -> None:
    """ONNX Runtime's LSTM reads beyond a state of fewer samples than the signal, so none is ever fed so."""
    text = f"g (float[N,T] x, float[{state}] state) => (float[N,T] y) {{ a = ReduceMean <axes = [0, 2], keepdims = 0> (state) u = Unsqueeze (a, last) y = Add (x, u) }}"
    model = opened(parse(text, {"last": np.array([1])}))
    one = model.pixels({"x": random(0, 1, 3), "state": random(1, 2, 1, 4)})
    many = one.rows(np.zeros(5, np.int64))
    assert many.beside["state"].shape == (2, 5, 4)
    expected = np.repeat(model.values(one, ["y"])["y"], 5, axis=0)
    np.testing.assert_allclose(model.values(many, ["y"])["y"], expected, rtol=1e-5)
    with pytest.raises(ImageError, match="the rows of the input 'state' are no samples"):
        one.looking_at("state")
    if state == "2,N,4":
        three = model.pixels({"x": random(0, 3, 3), "state": random(1, 2, 1, 4)})
        assert three.beside["state"].shape == (2, 3, 4)
        picked = model.pixels({"x": random(0, 3, 3), "state": random(1, 2, 3, 4)}).rows(np.array([2, 0]))
        np.testing.assert_array_equal(picked.beside["state"], random(1, 2, 3, 4)[:, [2, 0]])
