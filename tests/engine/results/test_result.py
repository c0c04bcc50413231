"""Results: the document, what is written and what is not, and what comes back."""

import csv
import errno
import json
import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from PIL import ImageShow

import onnxray
from onnxray.errors import InputError, NoSuchItem, OutputError
from onnxray.images.files import png_bytes
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from onnxray.methods.synthesis.maximize import Maximize
from onnxray.objectives.goals import TargetValues
from onnxray.results import saved_files
from onnxray.results.item import Item
from onnxray.results.provenance import Provenance
from onnxray.results.result import Result
from support import models
from support.linear import SIDE, Linear, pictures

NET = Linear.random()
PROVENANCE = Provenance(
    model={"path": "m.onnx", "sha256": "0" * 64, "opsets": {"": 17}, "producer": "", "logits": "z"},
    profile=None,
    method={"name": "made up", "options": {"layer": ("a", "b")}},
    seed=0,
    device="cpu",
    versions={"onnxray": "0"},
    seconds=1.5,
    notes=("a note",),
)


@dataclass(frozen=True, eq=False)
class Made(Item):
    """An item of one number and some pictures."""

    number: float | None
    shown: Mapping[str, tuple[str, np.ndarray]] = field(default_factory=dict)
    reason: str | None = None

    def numbers(self) -> dict[str, Any]:
        return {"number": self.number, "reason": self.reason}

    def pictures(self) -> dict[str, tuple[str, np.ndarray]]:
        return dict(self.shown)

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, np.ndarray]) -> Self:
        shown = {role: (document["files"][role].removesuffix(".png"), image) for role, image in pictures.items()}
        return cls(document["number"], shown, document["reason"])


def grey(value: int) -> np.ndarray:
    return np.full((1, 3, 4), value, np.uint8)


def made(count: int = 3, first: int = 0) -> Result[Made]:
    items = [
        Made(0.1 * k, {"origin": ("origin", grey(7)), "image": (f"image-{k}", grey(first + k))}) for k in range(count)
    ]
    return Result(PROVENANCE, tuple(items))


def lots(**options: Any) -> Result[LotsItem]:
    options = {"layer": ("h", "z"), "until": "linf", "linf": 30} | options
    return LOTS(**options)(NET.open(), pictures(2), pictures(1, seed=8))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


# --- the document


def test_a_lots_item_has_the_keys_that_the_design_names():
    document = lots().to_dict()
    assert set(document) >= {
        "schema", "command", "model", "profile", "method", "seed", "device", "versions", "seconds", "items",
    }  # fmt: skip
    assert document["schema"] == 1
    assert set(document["model"]) >= {"path", "sha256", "opsets", "producer"}
    assert document["method"]["name"] == "lots"
    assert document["method"]["options"]["layer"] == ["h", "z"]
    item = document["items"][0]
    assert set(item) >= {
        "mode", "origin", "target", "layer", "success", "class", "label", "score", "l2", "linf", "ssim", "pass",
        "aligned", "homography", "scale", "steps", "distance_before", "distance_after", "files",
    }  # fmt: skip
    for role in ("origin", "target"):
        assert set(item[role]) >= {"path", "class", "label", "score"}
    assert set(item["files"]) == {"origin", "target", "image", "perturbation"}
    assert np.array(item["homography"]).shape == (3, 3)
    alone = LOTS(layer="h", until="linf")(NET.open(), pictures(1), TargetValues(values=np.ones(6))).to_dict()["items"]
    assert alone[0]["target"] is None
    assert set(alone[0]["files"]) == {"origin", "image", "perturbation"}


def test_saved_loaded_and_printed_are_one_document(tmp_path: Path):
    result = lots(steps=3)
    saved = result.save(tmp_path / "run")
    assert saved.folder == tmp_path / "run"
    document = strict((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    loaded = Result.load(tmp_path / "run", LotsItem)
    assert (
        document
        == saved.to_dict()
        == loaded.to_dict()
        == saved_files.with_files(result.to_dict(), ["index.html", "sheet.png"])
    )
    again = loaded.save(tmp_path / "again")
    assert again.to_dict() == document
    assert tree(tmp_path / "run") == tree(tmp_path / "again")
    for before, after in zip(result.items, loaded.items):
        assert before.similarity == after.similarity
        assert all(np.array_equal(before.images[role], after.images[role]) for role in before.images)
    assert sorted(tree(tmp_path / "run")) == sorted(
        {name for item in document["items"] for name in item["files"].values()} | {"result.json", *document["files"]}
    )


def test_numbers_that_are_not_finite_are_null_with_a_reason(tmp_path: Path):
    result = Result(
        replace(PROVENANCE, method={"name": "made up", "options": {"big": np.float32(2)}}),
        (Made(float("nan")), Made(float("inf"), reason="too far"), Made(2.0)),
    )
    result.save(tmp_path / "run")
    document = strict((tmp_path / "run" / "result.json").read_text())
    assert [(item["number"], item["reason"]) for item in document["items"]] == [
        (None, "not finite: number"), (None, "too far; not finite: number"), (2.0, None),
    ]  # fmt: skip
    assert document == Result.load(tmp_path / "run", Made).to_dict()
    assert document["method"]["options"] == {"big": 2.0}


def test_tiny_images_have_no_similarity_and_say_why(tmp_path: Path):
    text = "tiny (float[N,1,5,5] x) => (float[N,2] z) { flat = Flatten (x)\n z = MatMul (flat, w) }"
    profile = replace(NET.open().profile, size=(5, 5))
    model = onnxray.open(models.parse(text, {"w": models.random(0, 25, 2)}), profile)
    result = LOTS(layer="z", until="linf")(model, np.full((1, 5, 5), 90, np.uint8), "magnify")
    result.save(tmp_path / "run")
    item = strict((tmp_path / "run" / "result.json").read_text())["items"][0]
    assert (item["ssim"], item["pass"], item["homography"], item["aligned"]) == (None, None, None, False)
    assert "no SSIM and PASS: SSIM is not defined for 5x5 pixels" in item["reason"]
    assert item["l2"] > 0
    assert Result.load(tmp_path / "run", LotsItem).to_dict()["items"] == [item]


def test_text_of_any_kind_survives(tmp_path: Path):
    nasty = "\ud800 中文 \x00 </script> \udcff"
    result = Result(replace(PROVENANCE, command=("onnxray", nasty)), (Made(1.0),))
    result.save(tmp_path / "run")
    assert Result.load(tmp_path / "run", Made).provenance.command == ("onnxray", nasty)
    assert "中文" in (tmp_path / "run" / "result.json").read_text(encoding="utf-8")


def test_layers_with_hard_names_keep_their_pictures_apart(tmp_path: Path):
    names = ["/a/b:0", "/a/b/0", "/A/b:0", "y" * 300]
    text = f"hard (float[N,1,{SIDE},{SIDE}] x) => (float[N,K] z) {{ flat = Flatten (x)\n h = MatMul (flat, w)\n"
    text += "p = Identity (h)\n q = Identity (h)\n r = Identity (h)\n s = Identity (h)\n z = MatMul (h, v) }"
    proto = models.parse(text, {"w": models.random(0, SIDE**2, 6), "v": models.random(1, 6, 3)})
    for node in proto.graph.node:
        for short, name in zip("pqrs", names):
            if node.output[0] == short:
                node.output[0] = name
    model = onnxray.open(proto, NET.open().profile)
    layers = tuple(names)
    result = LOTS(layer=layers, until="linf", linf=40)(model, pictures(2), "magnify")
    result.save(tmp_path / "run")
    loaded = Result.load(tmp_path / "run", LotsItem)
    assert [item.layer for item in loaded.items] == names * 2
    files = [item["files"]["image"] for item in loaded.to_dict()["items"]]
    assert len({name.lower() for name in files}) == 8
    for before_, after in zip(result.items, loaded.items):
        assert np.array_equal(before_.images["image"], after.images["image"])


# --- everything or nothing


def _full_disk(*args: Any, **kwargs: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def _third(real: Callable[..., Any], otherwise: Callable[..., Any] = _full_disk) -> Callable[..., Any]:
    calls = []

    def patched(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return (otherwise if len(calls) == 3 else real)(*args, **kwargs)

    return patched


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("broken", ["png_bytes", "write_bytes", "replace"])
def test_a_disk_that_fills_midway_leaves_what_was_there(there: bool, broken: str, tmp_path: Path, monkeypatch):
    folder = tmp_path / "run"
    if there:
        made(2, first=50).save(folder)
        (folder / "mine.txt").write_text("mine")
    before = tree(tmp_path)
    if broken == "png_bytes":
        monkeypatch.setattr(saved_files, "png_bytes", _third(png_bytes))
    elif broken == "write_bytes":
        monkeypatch.setattr(Path, "write_bytes", _third(Path.write_bytes))
    elif there:
        monkeypatch.setattr(Path, "replace", _third(Path.replace))
    else:
        monkeypatch.setattr(Path, "replace", _full_disk)
    with pytest.raises(OutputError, match=r"cannot be written to .*run: No space left on device"):
        made().save(folder)
    monkeypatch.undo()
    assert tree(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"run", "onnxray-cache"}


@pytest.mark.parametrize("at", range(1, 16))
def test_a_move_that_fails_at_any_file_is_undone(at: int, tmp_path: Path, monkeypatch):
    folder = tmp_path / "run"
    made(2, first=50).save(folder)
    before = tree(tmp_path)
    real, calls = Path.replace, []

    def patched(path: Path, place: Path) -> Path:
        calls.append(place)
        if len(calls) == at:
            raise KeyboardInterrupt
        return real(path, place)

    monkeypatch.setattr(Path, "replace", patched)
    # Six files are there already, of names that come again; seven come.
    if at <= 13:
        with pytest.raises(KeyboardInterrupt):
            made(3).save(folder)
        assert tree(tmp_path) == before
    else:
        made(3).save(folder)
        assert calls[0].name == calls[len(calls) - 1].name == "result.json"
        assert calls[-1] == folder / "result.json"


def test_a_png_that_does_not_read_back_is_no_result(tmp_path: Path, monkeypatch):
    def bent(path: Path, *, deep: bool) -> np.ndarray:
        return np.asarray(real(path) ^ 1)

    real = saved_files.read_png
    monkeypatch.setattr(saved_files, "read_png", bent)
    with pytest.raises(OutputError, match="does not read back"):
        made().save(tmp_path / "run")
    monkeypatch.setattr(saved_files, "png_bytes", lambda image: b"no PNG")
    monkeypatch.setattr(saved_files, "read_png", real)
    with pytest.raises(OutputError, match="does not read back"):
        made().save(tmp_path / "run")
    assert tree(tmp_path) == {}


def test_folders_that_cannot_be(tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(OutputError, match="is a file; give a folder"):
        made().save(tmp_path / "file")
    for folder in (tmp_path / "file" / "run", tmp_path / ("n" * 300), tmp_path / "a" / "b" / ("n" * 300), "a\x00b"):
        with pytest.raises(OutputError) as caught:
            made().save(folder)
        assert "\n" not in str(caught.value)
    assert tree(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "onnxray-cache"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable(tmp_path: Path):
    (tmp_path / "locked").mkdir(mode=0o555)
    with pytest.raises(OutputError, match="cannot be written"):
        made().save(tmp_path / "locked" / "run")


def test_a_folder_that_is_there_gets_the_new_files_and_keeps_the_users_own(tmp_path: Path):
    folder = tmp_path / "deep" / "run"
    made(3, first=50).save(folder)
    (folder / "mine.txt").write_text("mine")
    made(2).save(folder, {"sheet.png": b"sheet"})
    loaded = Result.load(folder, Made)
    assert [int(item.shown["image"][1][0, 0, 0]) for item in loaded.items] == [0, 1]
    assert (folder / "mine.txt").read_text() == "mine"
    assert (folder / "sheet.png").read_bytes() == b"sheet"
    assert not [path for path in (tmp_path / "deep").iterdir() if path.name != "run"]
    longest = tmp_path / ("n" * 255)
    made(1).save(longest)
    assert (longest / "result.json").is_file()


def test_a_new_folder_has_the_rights_that_the_user_gives_new_folders(tmp_path: Path):
    (tmp_path / "plain").mkdir()
    made().save(tmp_path / "run")
    assert (tmp_path / "run").stat().st_mode == (tmp_path / "plain").stat().st_mode


# --- loading


def test_what_is_no_result_is_refused_in_one_line(tmp_path: Path):
    made().save(tmp_path / "run")
    good = (tmp_path / "run" / "result.json").read_text()
    document = json.loads(good)
    bad: dict[str, str | bytes] = {
        "empty": "", "no json": "{", "bytes": b"\xff\xfe", "list": "[]", "no schema": "{}",
        "schema": json.dumps(document | {"schema": 2}),
        "no seed": json.dumps({name: value for name, value in document.items() if name != "seed"}),
        "items": json.dumps(document | {"items": [1]}),
        "files": json.dumps(document | {"items": [{"number": 1, "reason": None, "files": ["a.png"]}]}),
        "outside": json.dumps(document | {"items": [document["items"][0] | {"files": {"image": "../secret.png"}}]}),
        "no png": json.dumps(document | {"items": [document["items"][0] | {"files": {"image": "none.png"}}]}),
        "deep": "[" * 100_000,
    }  # fmt: skip
    (tmp_path / "secret.png").write_bytes(png_bytes(grey(1)))
    for name, text in bad.items():
        (tmp_path / "run" / "result.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(OutputError) as caught:
            Result.load(tmp_path / "run", Made)
        assert "\n" not in str(caught.value), name
    with pytest.raises(OutputError, match="no result"):
        Result.load(tmp_path / "none", Made)


@pytest.mark.parametrize(
    ("method", "goal"),
    [
        (LOTS(layer="z"), TargetValues(values=np.arange(4, dtype=np.float32))),
        (Gradient(), None),
        (Occlusion(), None),
        (Maximize(steps=2), 1),
    ],
    ids=["lots", "gradient", "occlusion", "maximize"],
)
def test_a_result_comes_back_from_a_pickle(method: Any, goal: object) -> None:
    """Work goes to other processes."""
    images = pictures(1) if method.needs_images else None
    result = method(NET.open(), images, goal)
    other = pickle.loads(pickle.dumps(result))
    assert other.to_dict() == result.to_dict()
    for mine, its in zip(result.items, other.items, strict=True):
        assert mine.files().keys() == its.files().keys()
        for role, (stem, array) in mine.files().items():
            assert its.files()[role][0] == stem
            np.testing.assert_array_equal(its.files()[role][1], array)


# --- a result is a sequence of its items, and a table


def test_a_result_is_a_sequence_of_its_items() -> None:
    result = made(5)
    assert len(result) == 5
    assert list(result) == list(result.items)
    assert result[0] is result.items[0]
    assert result[-1] is result.items[-1]
    assert result[np.int64(2)] is result.items[2]
    part = result[1:4:2]
    assert isinstance(part, Result)
    assert part.items == result.items[1:4:2]
    assert part.provenance.notes == (
        "a note",
        "2 of the 5 items of a run; what stands beside the items is of all of them",
    )
    assert list(reversed(result)) == list(result.items)[::-1]
    assert replace(result, items=())
    assert len(replace(result, items=())) == 0


def test_items_that_are_not_there_are_one_line() -> None:
    result = made(3)
    for place in (3, -4, 10**30):
        with pytest.raises(NoSuchItem, match="the result has 3") as caught:
            result[place]
        assert isinstance(caught.value, IndexError)
    for wrong in ("0", 1.0, True, None, (0, 1)):
        with pytest.raises(InputError, match="a whole number or a slice"):
            result[wrong]  # type: ignore[call-overload]


def test_rows_are_the_documents_items_flat(tmp_path: Path) -> None:
    result = lots()
    rows, items = result.rows(), result.to_dict()["items"]
    assert len(rows) == len(items)
    for row, item in zip(rows, items, strict=True):
        assert row["origin.label"] == item["origin"]["label"]
        assert row["l2"] == item["l2"]
        assert row["files.image"] == item["files"]["image"]
        assert "homography" not in row
    result.to_csv(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    assert list(read[0]) == list(rows[0])
    assert [float(row["l2"]) for row in read] == [row["l2"] for row in rows]


def test_show_shows_the_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(ImageShow, "show", lambda image: seen.append(image) or True)
    result = lots()
    result.show()
    assert np.array_equal(np.asarray(seen[0]), np.asarray(result.sheet()))
