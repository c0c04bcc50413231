"""Commands fed with what each kind of input takes: from a file to a number and a picture."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from typer.testing import CliRunner

from onnxray.cli.app import app
from onnxray.images.files import read_png
from support import kinds_of_input
from support.models import lenet, random


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


FEEDS: dict[str, tuple[Any, dict[str, Any], str | None]] = {
    "table": (kinds_of_input.table, {"x": random(0, 2, 5)}, None),
    "two": (kinds_of_input.two, {"rgb": random(0, 2, 3, 16, 16), "depth": random(1, 2, 1, 16, 16)}, None),
    "tokens": (
        kinds_of_input.tokens, {"input_ids": np.array([[1, 2, 3]]), "attention_mask": np.array([[1, 1, 0]])}, "e",
    ),
    "spectrogram": (kinds_of_input.spectrogram, {"mel": random(0, 1, 1, 20, 30)}, None),
    "series": (kinds_of_input.series, {"x": random(0, 1, 1, 100)}, None),
    "wave": (kinds_of_input.wave, {"audio": random(0, 1, 1, 800)}, None),
}  # fmt: skip


@pytest.fixture(params=list(FEEDS))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path, dict[str, Any], str | None]:
    make, feeds, wrt = FEEDS[request.param]
    onnx.save(make(), tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", **feeds)
    return tmp_path / "m.onnx", tmp_path / "x.npz", feeds, wrt


def test_values_verify_and_maps_of_every_kind(case: Any, tmp_path: Path) -> None:
    path, archive, feeds, wrt = case
    session = onnxruntime.InferenceSession(path)
    output = session.get_outputs()[0].name
    document("values", path, archive, "--value", output, "-o", tmp_path / "v")
    found = np.load(tmp_path / "v" / "values.npz")
    np.testing.assert_allclose(found[output], session.run(None, feeds)[0], rtol=1e-5, atol=1e-6)
    assert document("verify", path, archive)["agrees"]
    items = document("saliency", "gradient", path, archive, "--target", "0", "-o", tmp_path / "s")["items"]
    samples = len(next(iter(feeds.values())))
    real = [name for name, array in feeds.items() if array.dtype.kind == "f"]
    assert len(items) == samples * max(1, len(real))
    assert {item.get("wrt") for item in items} == ({wrt} if len(real) < 2 else set(real))
    for item in items:
        picture = read_png(tmp_path / "s" / item["files"]["map"])
        assert picture.shape[0] == 3
        assert picture.std() > 5
        assert np.load(tmp_path / "s" / item["files"]["heat"]).any()


def test_inspect_says_what_inputs_are_read_as(tmp_path: Path) -> None:
    onnx.save(kinds_of_input.tokens(), tmp_path / "m.onnx")
    said = document("inspect", tmp_path / "m.onnx")["read_as"]
    assert said["input_ids"] == {
        "kind": "token ids", "grounds": "int64, the rows of the table 'table' are gathered by it", "stated": False,
    }  # fmt: skip
    shown = run("inspect", tmp_path / "m.onnx").output
    assert "input_ids: token ids" in shown
    assert "gradients at e" in shown
    stated = document("inspect", tmp_path / "m.onnx", "--input", "input_ids=array")["read_as"]
    assert stated["input_ids"] == {"kind": "array", "grounds": "stated", "stated": True}


def test_pictures_are_declined_and_given_as_arrays(tmp_path: Path) -> None:
    onnx.save(lenet(), tmp_path / "m.onnx")
    array = random(0, 2, 1, 14, 14)
    np.save(tmp_path / "x.npy", array)
    found = document("classify", tmp_path / "m.onnx", tmp_path / "x.npy", "--input", "arrays", "--top", "1")
    assert found["profile"] is None
    expected = onnxruntime.InferenceSession(tmp_path / "m.onnx").run(None, {"x": array})[0]
    assert [item["probability"] for item in found["items"]] == pytest.approx(expected.max(1).tolist(), rel=1e-5)


def test_the_table_says_what_each_map_is_of(tmp_path: Path) -> None:
    onnx.save(kinds_of_input.two(), tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", **FEEDS["two"][1])
    shown = run("saliency", "gradient", tmp_path / "m.onnx", tmp_path / "x.npz", "-o", tmp_path / "s").output
    assert "depth" in shown
    one = document(
        "saliency", "gradient", tmp_path / "m.onnx", tmp_path / "x.npz", "--wrt", "depth", "-o", tmp_path / "t"
    )
    assert {item["wrt"] for item in one["items"]} == {"depth"}
    assert one["method"]["options"]["wrt"] == ["depth"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["rgb=zeros"], "nothing was given for the input 'depth'"),
        (["nothing.npz"], "no such file"),
        (["rgb=zeros", "depth=zeros", "--input", "depth=token-ids"], "token ids are whole numbers"),
        (["rgb=zeros", "depth=zeros", "--input", "hue=picture"], "the model has no input 'hue'"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path: Path, given: list[str], why: str) -> None:
    onnx.save(kinds_of_input.two(), tmp_path / "m.onnx")
    result = run("classify", tmp_path / "m.onnx", *given)
    assert result.exit_code == 1
    assert why in result.output
    assert len(result.output.strip().splitlines()) == 1
