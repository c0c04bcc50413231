"""onnxray features: every verb on digits, on what is wrong with folders, and gone on with where it was stopped."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.images.files import save_png
from onnxray.images.profile.toml_form import toml_of
from onnxray.methods.features.parts import walk as walking
from support import models
from support.feature_folders import digits, plain, spoilt

VERBS = ("extract", "neighbors", "tsne", "patches", "units", "invariance")
LAYER = {"extract": "ip1", "neighbors": "ip1", "tsne": "ip1", "patches": "relu1", "units": "relu1", "invariance": "ip1"}
FAST = {"patches": ("--picture", "none", "--most", "2"), "invariance": ("--factor", "flip", "--factor", "light")}


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["features", *map(str, arguments)])


def document(*arguments: object, status: int = 0) -> Any:
    result = invoke(*arguments, "--json")
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("verb", VERBS)
def test_unreadable_pictures_are_listed_and_skipped_and_the_status_says_so(verb: str, tmp_path: Path) -> None:
    folder = spoilt(plain(tmp_path / "in"))
    asked = (verb, "lenet", folder, "--layer", LAYER[verb], *FAST.get(verb, ()))
    result = invoke(*asked, "-o", tmp_path / "out", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["left_out"] == 2
    assert found["items"]
    said = " ".join(found["notes"] + found.get("image_notes", []))
    assert "2 of 14 pictures cannot be read" in said
    assert "a0.png" in said
    assert "2 pictures that cannot be read were left out" in result.stderr
    assert json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))["items"] == found["items"]
    assert sorted(path.name for path in (tmp_path / "out").glob(".onnxray*")) == []
    strict = invoke(*asked, "-o", tmp_path / "strict", "--strict")
    assert (strict.exit_code, (tmp_path / "strict").exists()) == (1, False)
    assert "a0.png" in strict.stderr


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("what", ["empty", "broken", "missing"])
def test_a_folder_of_nothing_is_one_line_and_leaves_nothing(verb: str, what: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    if what != "missing":
        folder.mkdir()
    if what == "broken":
        spoilt(folder)
    result = invoke(verb, "lenet", folder, "--layer", LAYER[verb], *FAST.get(verb, ()), "-o", tmp_path / "out")
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1
    assert ("a0.png" if what == "broken" else "in") in lines[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "tsne"])
def test_one_picture_alone(verb: str, tmp_path: Path) -> None:
    found = document(
        verb, "lenet", plain(tmp_path / "in", 1), "--layer", LAYER[verb], *FAST.get(verb, ()), "-o", tmp_path / "out"
    )
    assert found["items"]
    assert "NaN" not in json.dumps(found)
    if verb == "neighbors":
        assert found["items"][0]["neighbors"] == []
        assert found["items"][0]["reason"] == "there are 0 other pictures"
    if verb == "units":
        assert found["items"][0]["channels"][0]["correlation"] is None
        assert "correlation" in found["items"][0]["channels"][0]["reason"]
    if verb == "invariance":
        assert found["items"][0]["moved"] is None
        assert "one picture alone" in found["items"][0]["reason"]
        assert found["items"][0]["relative"] is not None


NUMBER = """
g (float[N,1,14,14] x) => (float[N,1] y) {
  c = Conv <kernel_shape = [14, 14]> (x, w)
  y = Flatten (c)
}"""


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("layer", ["c", "y"])
def test_a_layer_of_a_single_number(verb: str, layer: str, tmp_path: Path) -> None:
    import onnx

    onnx.save(models.parse(NUMBER, {"w": models.random(0, 1, 1, 14, 14)}), tmp_path / "one.onnx")
    profile = tmp_path / "one.toml"
    profile.write_text(toml_of(models.GREY), encoding="utf-8")
    folder = tmp_path / "in"
    folder.mkdir()
    for k, picture in enumerate(models.pictures(6).astype(np.uint8)):
        save_png(folder / f"{k}.png", picture)
    asked = (verb, tmp_path / "one.onnx", folder, "--layer", layer, "--profile", profile, *FAST.get(verb, ()))
    found = document(*asked, "-o", tmp_path / "out")
    assert found["items"]
    assert "NaN" not in json.dumps(found)
    if verb == "units":
        assert "no other channel" in found["items"][0]["channels"][0]["reason"]
    if verb == "neighbors":
        assert len(found["items"][0]["neighbors"]) == 5


@pytest.mark.parametrize("verb", ["extract", "neighbors", "units"])
def test_labels_that_some_pictures_lack(verb: str, tmp_path: Path) -> None:
    folder = plain(tmp_path / "in")
    names = sorted(path.name for path in folder.iterdir())
    table = tmp_path / "labels.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("file", "label"), *((f"in/{name}", name[0]) for name in names[:8])])
    asked = (verb, "lenet", folder, "--layer", LAYER[verb], "--labels", table)
    found = document(*asked, "-o", tmp_path / "out")
    assert "4 of 12 pictures have no label" in " ".join(found["notes"] + found.get("image_notes", []))
    if verb == "neighbors":
        assert [item["label"] for item in found["items"]] == [*(name[0] for name in names[:8]), *[None] * 4]
        assert found["spaces"][0]["queries"] <= 8
    if verb == "extract":
        with np.load(tmp_path / "out" / "features.npz") as archive:
            assert archive["picture:label"].tolist() == [*(name[0] for name in names[:8]), *[""] * 4]
    table.write_text("file,label\nother.png,7\n", encoding="utf-8")
    if verb != "extract":
        result = invoke(verb, "lenet", folder, "--layer", LAYER[verb], "--labels", table, "-o", tmp_path / "none")
        assert result.exit_code == 1
        assert "no label for any of the 12 pictures" in result.stderr


def test_extract_writes_the_models_values_with_what_is_known_of_the_pictures(tmp_path: Path) -> None:
    folder = digits(tmp_path / "in", 2)
    found = document(
        "extract", "lenet", folder, "--labels", "folders", "--layer", "ip1", "--layer", "conv2", "--pool", "max", "-o",
        tmp_path / "out",
    )  # fmt: skip
    model = onnxray.open("lenet")
    paths = [str(path) for path in sorted(folder.glob("*/*.png"))]
    values, said = model.values(paths, ["ip1", "conv2"]), model.predict(paths)
    with np.load(tmp_path / "out" / "features.npz", allow_pickle=False) as archive:
        assert archive["picture:path"].tolist() == paths
        assert archive["picture:sha256"].tolist() == [hashlib.sha256(Path(p).read_bytes()).hexdigest() for p in paths]
        assert archive["picture:label"].tolist() == [Path(path).parent.name for path in paths]
        np.testing.assert_array_equal(archive["picture:class"], said.classes)
        assert archive["picture:class_name"].tolist() == list(said.labels)
        np.testing.assert_allclose(archive["picture:probability"], said.probabilities.max(1), rtol=1e-6)
        np.testing.assert_allclose(archive["ip1"], values["ip1"], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(archive["conv2"], values["conv2"].max((2, 3)), rtol=1e-5, atol=1e-5)
    assert [(item["name"], item["shape"], item["pool"]) for item in found["items"]] == [
        ("ip1", [20, 500], "max"), ("conv2", [20, 50], "max"),
    ]  # fmt: skip
    assert onnxray.load(tmp_path / "out").items
    plain_ = document(
        "extract", "lenet", *(folder / "0", folder / "1"), "--layer", "conv2", "--no-predictions", "-o", tmp_path / "2"
    )
    assert plain_["items"][0]["shape"] == [4, 50, 8, 8]
    with np.load(tmp_path / "2" / "features.npz", allow_pickle=False) as archive:
        assert "picture:class" not in archive.files
        np.testing.assert_allclose(archive["conv2"], values["conv2"][:4], rtol=1e-5, atol=1e-5)


def test_extract_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "block_size", lambda _: 4)
    folder, out = plain(tmp_path / "in"), tmp_path / "out"
    asked = ("extract", "lenet", folder, "--layer", "ip1", "-o")
    assert invoke(*asked, tmp_path / "whole").exit_code == 0
    real, calls = walking.values_of, []

    def stopping(model: Any, layers: Any) -> Any:
        values = real(model, layers)

        def each(pixels: Any) -> Any:
            calls.append(len(pixels))
            if len(calls) == 3:
                raise KeyboardInterrupt
            return values(pixels)

        return each

    monkeypatch.setattr(walking, "values_of", stopping)
    assert invoke(*asked, out).exit_code == 130
    assert json.loads((out / "result.json").read_text(encoding="utf-8"))["incomplete"] is True
    refused = invoke(*asked, out)
    assert refused.exit_code == 1
    monkeypatch.setattr(walking, "values_of", real)
    assert invoke(*asked, out, "--resume").exit_code == 0
    assert (out / "features.npz").read_bytes() == (tmp_path / "whole" / "features.npz").read_bytes()
    assert not list(out.glob(".onnxray*"))
    assert invoke(*asked, out, "--resume").exit_code == 1  # complete
    assert invoke(*asked, out, "--overwrite").exit_code == 0


def test_a_probe_writes_a_model_that_classify_opens(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    folder = digits(tmp_path / "in", 4)
    asked = (
        "probe",
        "lenet",
        folder,
        "--labels",
        "folders",
        "--layer",
        "relu1",
        "--test",
        "0.5",
        "-o",
        tmp_path / "out",
    )
    found = document(*asked)
    told = found["probe_file"]
    assert (told["file"], told["layer"]) == ("probe.onnx", "relu1")
    assert told["same_class"] == told["pictures"] == 40
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "index.html", "probe.onnx", "probe.png", "relu1-0-probe-bias.npy", "relu1-0-probe-weights.npy", "result.json",
    ]  # fmt: skip
    fours = sorted((folder / "4").iterdir())
    said = CliRunner().invoke(app, ["classify", str(tmp_path / "out" / "probe.onnx"), *map(str, fours), "--json"])
    assert said.exit_code == 0, said.output
    assert [item["label"] for item in json.loads(said.stdout)["items"]] == ["4"] * 4
    alone = invoke(
        "probe", "lenet", folder, "--labels", "folders", "--layer", "relu1", "--test", "0.01", "-o", tmp_path / "no"
    )
    assert (alone.exit_code, (tmp_path / "no").exists()) == (1, False)
    assert "none is left to test" in alone.stderr


def test_a_probe_leaves_broken_pictures_out_and_pictures_without_labels(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    folder = digits(tmp_path / "in", 4)
    spoilt(folder / "3")
    asked = ("probe", "lenet", folder, "--labels", "folders", "--layer", "ip1", "--test", "0.5")
    found = document(*asked, "-o", tmp_path / "out", status=1)
    assert found["left_out"] == 2
    assert (found["items"][0]["learned_from"], found["items"][0]["tested_on"]) == (20, 20)
    strict = invoke(*asked, "-o", tmp_path / "strict", "--strict")
    assert (strict.exit_code, (tmp_path / "strict").exists()) == (1, False)
    table = tmp_path / "labels.csv"
    rows = [f"{folder / name / f'{name}_{k}.png'},{name}" for name in ("1", "7") for k in range(4)]
    table.write_text("\n".join(["file,label", *rows]), encoding="utf-8")
    some = document(
        "probe",
        "lenet",
        folder / "1",
        folder / "7",
        folder / "9",
        "--labels",
        table,
        "--layer",
        "ip1",
        "-o",
        tmp_path / "some",
    )
    assert some["items"][0]["classes"] == ["1", "7"]
    assert any("4 of 12 pictures have no label" in note for note in some["notes"])
    for labels, said in (("nowhere.csv", "nowhere.csv"), (None, "state them with --labels")):
        stated = () if labels is None else ("--labels", labels)
        result = invoke("probe", "lenet", folder / "1", *stated, "--layer", "ip1", "-o", tmp_path / "none")
        assert (result.exit_code, (tmp_path / "none").exists()) == (1, False)
        assert said in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


def test_a_probe_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    from onnxray.methods.features import probe

    folder, out = digits(tmp_path / "in", 4), tmp_path / "out"
    asked = ("probe", "lenet", folder, "--labels", "folders", "--layer", "ip1", "--layer", "ip2", "-o")
    assert invoke(*asked, tmp_path / "whole").exit_code == 0
    real, calls = probe.fit_probe, []

    def stopping(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(probe, "fit_probe", stopping)
    assert invoke(*asked, out).exit_code == 130
    assert invoke(*asked, out, "--resume").exit_code == 0
    assert len(calls) == 3, "the first layer is not fitted again"
    both = [json.loads((place / "result.json").read_text(encoding="utf-8")) for place in (out, tmp_path / "whole")]
    assert both[0]["items"] == both[1]["items"]
    assert (out / "probe.onnx").read_bytes() == (tmp_path / "whole" / "probe.onnx").read_bytes()


def test_a_map_is_written_with_a_page_and_files_for_others(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    found = document(
        "tsne", "lenet", plain(tmp_path / "in"), "--layer", "ip1", "--layer", "pool2", "--export", "projector", "-o",
        tmp_path / "out",
    )  # fmt: skip
    assert {"map.html", "maps.png", "projector_config.pbtxt", "projector-ip1.tsv", "projector-pool2.tsv"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }
    assert found["items"][0]["files"]["thumbnails"] == found["items"][1]["files"]["thumbnails"]
    assert "x" not in found["points"]["path"]
    assert "points" not in (tmp_path / "out" / "index.html").read_text()
    refused = invoke("tsne", "lenet", tmp_path / "in", "--perplexity", "12", "-o", tmp_path / "no")
    assert (refused.exit_code, (tmp_path / "no").exists()) == (1, False)
    assert "the perplexity is 12, and there are 12 pictures" in refused.stderr


def test_parquet_holds_the_same_or_says_what_it_takes(tmp_path: Path) -> None:
    folder = plain(tmp_path / "in")
    asked = ("extract", "lenet", folder, "--layer", "ip1", "--format", "parquet", "-o", tmp_path / "out")
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        result = invoke(*asked)
        assert result.exit_code == 1
        assert "pip install 'onnxray[parquet]'" in result.stderr
        assert not (tmp_path / "out").exists()
        return
    assert invoke(*asked).exit_code == 0
    table = parquet.read_table(tmp_path / "out" / "features.parquet")
    expected = onnxray.open("lenet").values(str(folder), ["ip1"])["ip1"]
    np.testing.assert_allclose(np.stack(table["ip1"].to_pylist()), expected, rtol=1e-5, atol=1e-5)
    assert table["path"].to_pylist() == [str(path) for path in sorted(folder.iterdir())]


def test_a_method_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "block_size", lambda _: 4)
    folder, out = plain(tmp_path / "in"), tmp_path / "out"
    asked = ("neighbors", "lenet", folder, "--layer", "ip1", "-o")
    assert invoke(*asked, tmp_path / "whole").exit_code == 0
    real, calls = walking.values_of, []

    def stopping(model: Any, layers: Any) -> Any:
        values = real(model, layers)

        def each(pixels: Any) -> Any:
            calls.append(len(pixels))
            if len(calls) == 3:
                raise KeyboardInterrupt
            return values(pixels)

        return each

    monkeypatch.setattr(walking, "values_of", stopping)
    assert invoke(*asked, out).exit_code == 130
    calls.clear()
    monkeypatch.setattr(walking, "values_of", real)
    assert invoke(*asked, out, "--resume").exit_code == 0
    both = [json.loads((place / "result.json").read_text(encoding="utf-8")) for place in (out, tmp_path / "whole")]
    assert both[0]["items"] == both[1]["items"]
    assert not list(out.glob(".onnxray*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("neighbors", "--layer", "nonsense"), "nonsense"),
        (("patches", "--layer", "conv2", "--channels", "40-60"), "numbers from 0 to 49"),
        (("patches", "--layer", "conv2", "--channels", "x"), "numbers from 0 to 49"),
        (("invariance", "--factor", "mood"), "rotation, scale"),
        (("invariance", "--factor", "hue"), "no factor is left"),
        (("invariance", "--factor", "flip", "--pairs", "nowhere.csv"), "before,after was expected"),
        (("neighbors", "--labels", "folders"), "has no folders inside it"),
    ],
)
def test_what_cannot_be_asked_is_one_line(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    verb, *options = arguments
    result = invoke(verb, "lenet", plain(tmp_path / "in", 3), *options, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_model_of_arrays_is_refused(tmp_path: Path) -> None:
    import onnx

    onnx.save(models.parse("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }"), tmp_path / "a.onnx")
    for verb in VERBS:
        result = invoke(verb, tmp_path / "a.onnx", plain(tmp_path / "in", 3), "-o", tmp_path / "out")
        assert result.exit_code == 1
        assert "works on" in result.stderr
