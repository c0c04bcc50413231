"""Run folders opened without being told what they are: every command's, unfinished ones, and hostile ones."""

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.assess.maps.item import CheckedItem
from onnxray.assess.models.item import ModelsItem
from onnxray.assess.robustness.item import RobustnessItem
from onnxray.cli.app import app
from onnxray.errors import OutputError
from onnxray.images.files import png_bytes, read_png
from onnxray.methods.attack.item import AttackItem
from onnxray.methods.attack.physical.patch_item import PatchItem
from onnxray.methods.attack.universal.item import UniversalItem
from onnxray.methods.catalogue import methods
from onnxray.methods.concepts.item import ConceptItem
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.item import MapItem
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.results import loading
from onnxray.results.item import Item
from onnxray.results.journal import JOURNAL
from onnxray.results.keeping import Keeping
from onnxray.results.plain_item import PlainItem
from onnxray.results.result import Result
from support.linear import Linear, pictures

FOUR, NINE = (next(str(p) for p in onnxray_models.samples("lenet") if p.stem == stem) for stem in ("4_0", "9_0"))
RUNS: dict[str, tuple[list[str], type[Item]]] = {
    "lots": (["lots", "lenet", FOUR, "--target", NINE, "--layer", "ip1"], LotsItem),
    "lots summary": (["lots", "lenet", FOUR, NINE, "--self", "inhibit", "--layer", "ip2", "--summary"], LotsItem),
    "grad-cam": (["saliency", "grad-cam", "lenet", FOUR, NINE, "--object", "threshold"], MapItem),
    "guided": (["saliency", "guided-grad-cam", "lenet", FOUR, "--enlarge", "3"], MapItem),
    "occlusion": (["saliency", "occlusion", "lenet", FOUR, "--size", "7", "--stride", "7"], MapItem),
    "compare": (["saliency", "compare", "lenet", FOUR, "--methods", "gradient,grad-cam", "--curve-steps", "3"], CheckedItem),
    "check": (["saliency", "check", "gradient", "lenet", FOUR, "--curve-steps", "3", "--noise-copies", "1", "--weights", "none"], CheckedItem),
    "invert": (["invert", "lenet", FOUR, "--layer", "ip1", "--steps", "3"], SynthesisItem),
    "maximize": (["visualize", "maximize", "lenet", "--target", "class:3", "--steps", "3"], SynthesisItem),
    "filters": (["visualize", "filters", "lenet"], SynthesisItem),
    "models": (["compare", "lenet", "lenet", FOUR, "--method", "gradient"], ModelsItem),
    "fgsm": (["attack", "fgsm", "lenet", FOUR, "--eps", "40"], AttackItem),
    "evaluate": (["attack", "evaluate", "lenet", FOUR, NINE, "--eps", "4,8", "--attacks", "fgsm"], RobustnessItem),
    "universal": (["attack", "universal", "lenet", FOUR, NINE, "--by", "gradient", "--epochs", "2"], UniversalItem),
    "patch": (["attack", "patch", "lenet", FOUR, NINE, "--steps", "2", "--batch", "2", "--trials", "4"], PatchItem),
    "eot": (["attack", "eot", "lenet", FOUR, "--steps", "2", "--draws", "2", "--trials", "3"], AttackItem),
    "classify": (["classify", "lenet", FOUR, NINE], PlainItem),
    "values": (["values", "lenet", FOUR, NINE, "--value", "ip1", "--value", "prob"], PlainItem),
    "inspect": (["inspect", "lenet"], PlainItem),
}  # fmt: skip


def run(arguments: list[str], folder: Path) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*arguments, "-o", str(folder)])
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads((folder / "result.json").read_bytes())
    return document


@pytest.mark.parametrize("name", sorted(RUNS))
def test_every_run_is_opened_as_what_it_is(name: str, tmp_path: Path) -> None:
    arguments, kind = RUNS[name]
    document = run(arguments, tmp_path / "run")
    loaded = onnxray.load(tmp_path / "run")
    assert loaded.folder == tmp_path / "run"
    assert len(loaded) == len(document["items"])
    assert {type(item) for item in loaded} <= {kind}
    assert not loaded.incomplete
    again = loaded.to_dict()
    if name == "values":  # each value is a file of its own where it is saved again
        assert [item.pop("files")["array"] for item in again["items"]] == ["values-ip1.npy", "values-prob.npy"]
        assert {item.pop("files")["array"] for item in document["items"]} == {"values.npz"}
    if name in {"classify", "inspect"}:
        assert all(item.pop("files") == {} for item in again["items"])
    assert again == document
    sheet = tmp_path / "run" / "sheet.png"
    if sheet.exists() and kind is not PlainItem:
        np.testing.assert_array_equal(np.asarray(loaded.sheet()).transpose(2, 0, 1), read_png(sheet))
    assert len(loaded.rows()) == len(loaded)
    assert isinstance(loaded._repr_html_(), str)


def test_concepts_come_back(tmp_path: Path) -> None:
    digits = onnxray_models.samples("lenet")
    for name, start in (("fours", "4_"), ("ones", "1_"), ("twos", "2_")):
        (tmp_path / name).mkdir()
        for digit in (one for one in digits if one.name.startswith(start)):
            (tmp_path / name / digit.name).write_bytes(digit.read_bytes())
    words = ["tcav", "lenet", FOUR, NINE, "--target", "class:4", "--concept", str(tmp_path / "fours")]
    words += ["--random", str(tmp_path / "ones"), "--random", str(tmp_path / "twos"), "--layer", "ip1"]
    document = run(words, tmp_path / "run")
    loaded = onnxray.load(tmp_path / "run")
    assert {type(item) for item in loaded} == {ConceptItem}
    assert loaded.to_dict() == document
    np.testing.assert_array_equal(
        np.asarray(loaded.sheet().convert("RGB")).transpose(2, 0, 1),
        np.asarray(Image.open(tmp_path / "run" / "concepts.png").convert("RGB")).transpose(2, 0, 1),
    )
    assert "<img" in loaded._repr_html_()


def test_named_values_come_back_as_arrays(tmp_path: Path) -> None:
    run(RUNS["values"][0], tmp_path / "run")
    loaded = onnxray.load(tmp_path / "run")
    expected = onnxray.open("lenet").values([FOUR, NINE], ["ip1", "prob"])
    for item in loaded:
        np.testing.assert_array_equal(item.arrays_["array"], expected[item.document["name"]])


def test_pictures_that_a_network_made_come_back(tmp_path: Path) -> None:
    from support import models

    text = "g (float[N,1,H,W] x) => (float[N,1,H,W] y) { y = Identity (x) }"
    path = tmp_path / "same.onnx"
    path.write_bytes(models.parse(text).SerializeToString())
    run(["apply", str(path), FOUR, "--profile", "raw", "--range", "255"], tmp_path / "run")
    (item,) = onnxray.load(tmp_path / "run")
    np.testing.assert_array_equal(item.images["image"], read_png(tmp_path / "run" / "4_0-0-apply-image.png"))


def test_every_method_gives_items_that_are_known_by_its_name() -> None:
    from onnxray.display.loading import _item_type

    for method in methods().values():
        assert _item_type({"method": {"name": method.name}, "items": []}) is method.item_type


@pytest.mark.parametrize("name", ["lots", "grad-cam", "compare", "maximize", "fgsm", "evaluate"])
def test_a_method_of_a_users_own_is_known_by_its_items(name: str, tmp_path: Path) -> None:
    arguments, kind = RUNS[name]
    document = run(arguments, tmp_path / "run")
    document["method"]["name"] = "mine"
    (tmp_path / "run" / "result.json").write_text(json.dumps(document))
    assert {type(item) for item in onnxray.load(tmp_path / "run")} == {kind}


# --- unfinished runs


def unfinished(folder: Path) -> None:
    """A run of three images that stops in its third."""

    def stop(done: int, total: int, what: str) -> None:
        if done >= 2 * total / 3:
            raise KeyboardInterrupt

    with Keeping.into(folder, "lots") as keep, pytest.raises(KeyboardInterrupt):
        LOTS(layer="h", until="linf", linf=20.0)(
            Linear.random().open(), pictures(3), "inhibit", keep=keep, progress=stop
        )


def test_what_a_stopped_run_finished_is_loaded(tmp_path: Path) -> None:
    unfinished(tmp_path / "run")
    loaded = onnxray.load(tmp_path / "run")
    assert loaded.incomplete
    assert 1 <= len(loaded) < 3
    assert "incomplete" in repr(loaded)


def test_what_the_journal_knows_beyond_the_document_is_loaded(tmp_path: Path) -> None:
    unfinished(tmp_path / "run")
    count = len(onnxray.load(tmp_path / "run"))
    document = json.loads((tmp_path / "run" / "result.json").read_bytes())
    (tmp_path / "run" / "result.json").write_text(json.dumps(document | {"items": []}))
    assert len(onnxray.load(tmp_path / "run")) == count


def test_a_file_of_an_unfinished_run_that_was_changed_is_named(tmp_path: Path) -> None:
    unfinished(tmp_path / "run")
    name = next(tmp_path.glob("run/*image*.png")).name
    data = (tmp_path / "run" / name).read_bytes()
    (tmp_path / "run" / name).write_bytes(data + b"\0")
    with pytest.raises(OutputError, match=f"{name}.*was changed"):
        onnxray.load(tmp_path / "run")


# --- files that are gone, changed, hostile


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    return Gradient()(Linear.random().open(), pictures(2)).save(tmp_path / "run").folder or tmp_path


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    result = LOTS(layer="h", until="linf", linf=20.0)(Linear.random().open(), pictures(2), "inhibit")
    return result.save(tmp_path / "run").folder or tmp_path


def refusal(folder: Path) -> str:
    with pytest.raises(OutputError) as caught:
        onnxray.load(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    return str(caught.value)


@pytest.mark.parametrize("role", ["image", "overlay", "heat", "attribution"])
def test_a_missing_file_is_named(role: str, maps: Path) -> None:
    name = json.loads((maps / "result.json").read_bytes())["items"][1]["files"][role]
    (maps / name).unlink()
    assert f"{name!r} is missing" in refusal(maps)


def test_a_map_that_was_changed_is_told_by_its_numbers(maps: Path) -> None:
    name = json.loads((maps / "result.json").read_bytes())["items"][0]["files"]["heat"]
    np.save(maps / name, np.load(maps / name) * np.float32(1.01))
    assert "were changed since they were written: maximum" in refusal(maps)


def test_a_picture_that_was_changed_is_told_by_its_numbers(moved: Path) -> None:
    name = json.loads((moved / "result.json").read_bytes())["items"][0]["files"]["image"]
    picture = read_png(moved / name)
    (moved / name).write_bytes(png_bytes(np.flip(picture, 1).copy()))
    assert "were changed since they were written: l2" in refusal(moved)
    (moved / name).write_bytes(png_bytes(picture[:, 1:]))
    assert "of the shapes" in refusal(moved)


def test_a_newer_schema_is_told_to_be_newer(maps: Path) -> None:
    document = json.loads((maps / "result.json").read_bytes())
    (maps / "result.json").write_text(json.dumps(document | {"schema": 2}))
    assert "schema 2" in refusal(maps)
    assert "a newer onnxray wrote it: upgrade" in refusal(maps)
    for schema in ("1", None, [1], 0, True, "x" * 5000):
        (maps / "result.json").write_text(json.dumps(document | {"schema": schema}))
        if schema is not True:
            assert "upgrade" not in refusal(maps)


def bomb(width: int) -> bytes:
    """A PNG whose header tells of more pixels than anybody has memory for."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, width, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def huge_npy() -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (2**40,)})
    return stream.getvalue()


def pickled_npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return stream.getvalue()


def npz_bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(".npy", b"\0" * 50_000_000)
    return stream.getvalue()


FILES: dict[str, tuple[str, bytes]] = {
    "a bomb": ("x.png", bomb(60_000)), "an array of 4 TiB": ("x.npy", huge_npy()), "a pickle": ("x.npy", pickled_npy()),
    "no array": ("x.npy", b"no array"), "no picture": ("x.png", b"no picture"), "nothing": ("x.npy", b""),
    "no archive": ("x.npz", b"PK"), "an archive": ("x.npz", npz_bomb()), "of another kind": ("x.svg", b"<svg/>"),
    "a pickle by its name": ("x.pkl", b"cos\nsystem\n(S'true'\ntR."),
}  # fmt: skip


@pytest.mark.parametrize("role", ["image", "heat"])
@pytest.mark.parametrize("name", sorted(FILES))
def test_files_that_are_not_what_they_should_be_are_one_line(
    name: str, role: str, maps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "LARGEST_FILES", 10_000_000)
    file, data = FILES[name]
    (maps / file).write_bytes(data)
    document = json.loads((maps / "result.json").read_bytes())
    document["items"][0]["files"][role] = file
    (maps / "result.json").write_text(json.dumps(document))
    refusal(maps)


def outside(folder: Path) -> list[Any]:
    (folder.parent / "secret.png").write_bytes(png_bytes(pictures(1)[0]))
    (folder / "inner").mkdir()
    return [
        "../secret.png", str(folder.parent / "secret.png"), "inner/../../secret.png", "inner", ".", "..", "", "/dev/zero",
        "a\0.png", None, 7, ["x.png"], {"a": 1}, "C:\\x.png", "file:///etc/passwd", "n" * 5000,
    ]  # fmt: skip


def test_no_name_leads_out_of_the_folder(maps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads((maps / "result.json").read_bytes())
    for name in outside(maps):
        document["items"][0]["files"]["image"] = name
        (maps / "result.json").write_text(json.dumps(document))
        refusal(maps)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_and_pipes_are_refused(maps: Path) -> None:
    document = json.loads((maps / "result.json").read_bytes())
    name = document["items"][0]["files"]["image"]
    (maps.parent / "elsewhere.png").write_bytes((maps / name).read_bytes())
    (maps / name).unlink()
    (maps / name).symlink_to(maps.parent / "elsewhere.png")
    assert "is a link" in refusal(maps)
    (maps / name).unlink()
    os.mkfifo(maps / name)
    assert "is missing" in refusal(maps)
    (maps / "result.json").rename(maps / "other.json")
    (maps / "result.json").symlink_to(maps / "other.json")
    assert "'result.json' is a link" in refusal(maps)


def test_sizes_are_bounded(maps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LARGEST_DOCUMENT", 100)
    assert "at most 100 are read" in refusal(maps)
    monkeypatch.setattr(loading, "LARGEST_DOCUMENT", 2**28)
    monkeypatch.setattr(loading, "LARGEST_FILES", 1000)
    assert "take more than 1000 bytes" in refusal(maps)


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no method": lambda d: d.pop("method"), "method": lambda d: d.update(method="lots"),
    "method's name": lambda d: d["method"].update(name=["lots"]), "options": lambda d: d["method"].update(options=3),
    "model": lambda d: d.update(model=[]), "no sha256": lambda d: d["model"].pop("sha256"),
    "notes": lambda d: d.update(notes=[{"a": 1}]), "command": lambda d: d.update(command=5),
    "profile": lambda d: d.update(profile="p"), "versions": lambda d: d.update(versions=None),
    "device": lambda d: d.update(device=["cpu"]), "title": lambda d: d.update(title=3),
    "items": lambda d: d.update(items="abc"), "an item": lambda d: d.update(items=[7]),
    "files": lambda d: d["items"][0].update(files=[1]), "no files": lambda d: d["items"][0].pop("files"),
    "an item's path": lambda d: d["items"][1].update(path=7),
    "another's method": lambda d: d["method"].update(name="lots"), "items gone": lambda d: d.pop("items"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_document_that_no_run_has_written_is_one_line(name: str, maps: Path) -> None:
    document = json.loads((maps / "result.json").read_bytes())
    CHANGES[name](document)
    (maps / "result.json").write_text(json.dumps(document))
    refusal(maps)


def test_a_sheet_that_cannot_be_drawn_is_one_line(tmp_path: Path) -> None:
    model = Linear.random().open()
    folder = onnxray.compare(model, pictures(1), ["gradient"], curve_steps=2).save(tmp_path / "run").folder
    assert folder is not None
    document = json.loads((folder / "result.json").read_bytes())
    for change in ({"refused": 7}, {"refused": ["x"]}):
        (folder / "result.json").write_text(json.dumps(document | change))
        loaded = onnxray.load(folder)
        with pytest.raises(OutputError, match="cannot be drawn"):
            loaded.sheet()
        assert "cannot be drawn" in loaded._repr_html_()
        assert loaded._repr_png_() is None
    document["items"][0]["figures"] = {"insertion": "none"}
    (folder / "result.json").write_text(json.dumps(document))
    with pytest.raises(OutputError, match="cannot be drawn"):
        onnxray.load(folder).show()


def test_what_is_no_folder_of_a_run_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path, tmp_path / "none", tmp_path / "file"):
        refusal(folder)
    for wrong in (None, 3, b"x", "a\0b"):
        with pytest.raises(OutputError):
            onnxray.load(wrong)  # type: ignore[arg-type]


def test_a_journal_alone_is_no_result(tmp_path: Path) -> None:
    unfinished(tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    assert (tmp_path / "run" / JOURNAL).exists()
    assert "'result.json' is missing" in refusal(tmp_path / "run")


def test_loading_with_a_type_and_without_is_the_same(maps: Path) -> None:
    assert Result.load(maps, MapItem).to_dict() == onnxray.load(maps).to_dict()
