"""What the page is answered of a model: the library's own numbers, and one line where there are none."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import onnxray
from onnxray.cli.parts.shared_options import Opening
from onnxray.errors import ImageError, InputError, ModelFileError, OnnxrayError, ProfileError, UnknownValue
from onnxray.web.work import facts, pictures, values
from onnxray.web.work.along import along
from onnxray.web.work.bench import Bench
from support.auditing import digits

DIGIT = str(digits(5)[4].path)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(["lenet"], Opening())


def picture(data: Any) -> np.ndarray[Any, Any]:
    assert isinstance(data, bytes)
    return np.asarray(Image.open(io.BytesIO(data)))


def test_a_picture_as_the_model_sees_it_and_what_it_says(bench: Bench) -> None:
    seen = pictures.picture_seen(bench, path=DIGIT)
    model = onnxray.open("lenet")
    assert (picture(seen["png"]) == model.pixels([DIGIT]).array[0, 0]).all()
    said = model.predict([DIGIT]).top(5)[0]
    assert [(one["class"], one["probability"]) for one in seen["classes"]] == [
        (one.class_, one.probability) for one in said
    ]


def test_what_was_done_to_a_picture_is_said_without_its_folder(bench: Bench, tmp_path: Path) -> None:
    Image.open(DIGIT).resize((50, 40)).save(tmp_path / "wide.png")
    (note,) = pictures.picture_seen(bench, path=str(tmp_path / "wide.png"))["notes"]
    assert note.startswith("resized 50x40")


def test_channels_come_strongest_first_and_each_tile_is_its_channel(bench: Bench) -> None:
    found = values.value_shown(bench, value="conv2", picture=DIGIT)
    array = onnxray.open("lenet").values([DIGIT], ["conv2"])["conv2"][0]
    strength = np.abs(array).reshape(50, -1).max(1)
    assert [one["channel"] for one in found["channels"]] == np.argsort(-strength, kind="stable").tolist()
    assert found["statistics"]["mean"] == pytest.approx(array.mean(dtype=np.float64))
    assert sum(found["histogram"]["counts"]) == array.size
    sheet, tile = picture(found["png"]), found["tile"]
    k = 13
    top, left = k // tile["columns"] * tile["height"], k % tile["columns"] * tile["width"]
    own = sheet[top : top + tile["height"] - tile["line"], left : left + tile["width"] - tile["line"]]
    channel = array[found["channels"][k]["channel"]]
    row, column = np.unravel_index(np.abs(channel).argmax(), channel.shape)
    size = own.shape[0] // 8
    strongest = own[row * size, column * size].astype(int)
    assert abs(int(strongest[0]) - int(strongest[2])) > 50, "the end of the colour scale"


def test_a_cell_has_its_number_its_field_and_its_pullback(bench: Bench) -> None:
    found = values.cell_shown(bench, value="conv2", picture=DIGIT, channel=7, row=2, column=3)
    model = onnxray.open("lenet")
    array = model.values([DIGIT], ["conv2"])["conv2"]
    assert found["number"] == pytest.approx(float(array[0, 7, 2, 3]))
    top, left, bottom, right = found["box"]
    assert (bottom - top, right - left) == (14, 14)
    cotangent = np.zeros_like(array)
    cotangent[0, 7, 2, 3] = 1
    gradient = model.pullback([DIGIT], {"conv2": cotangent})[0].sum(0)
    assert found["span"] == pytest.approx(float(np.abs(gradient).max()))
    outside = gradient.copy()
    outside[top:bottom, left:right] = 0
    assert not outside.any(), "what moves the cell lies in what it sees"


@pytest.mark.parametrize("cell", [(50, 0, 0), (-1, 0, 0), (0, 8, 0), (0, 0, -1)])
def test_a_cell_that_is_not_there_is_refused(bench: Bench, cell: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="there is no cell"):
        values.cell_shown(bench, value="conv2", picture=DIGIT, channel=cell[0], row=cell[1], column=cell[2])


def test_a_value_without_rows_has_its_largest_numbers(bench: Bench) -> None:
    found = values.value_shown(bench, value="ip1", picture=DIGIT)
    array = onnxray.open("lenet").values([DIGIT], ["ip1"])["ip1"][0]
    assert found["png"] is None
    assert "no rows and columns" in found["reason"]
    assert found["channels"][0] == {
        "channel": int(np.abs(array).argmax()),
        "strength": pytest.approx(array[np.abs(array).argmax()]),
    }
    cell = values.cell_shown(bench, value="ip1", picture=DIGIT, channel=3, row=0, column=0)
    assert cell["number"] == pytest.approx(float(array[3]))
    assert "all places" in cell["reason"]
    with pytest.raises(UnknownValue):
        values.value_shown(bench, value="nothing", picture=DIGIT)


def test_a_node_says_what_it_is(bench: Bench) -> None:
    found = facts.node_facts(bench, node=2, picture=DIGIT)
    assert (found["operator"], found["name"]) == ("Conv", "conv2")
    assert {"name": "kernel_shape", "value": "[5, 5]"} in found["attributes"]
    assert [(one["name"], one["kind"], one["shape"]) for one in found["inputs"]][1] == (
        "conv2.weight",
        "weight",
        "50 × 20 × 5 × 5",
    )
    first = onnxray.open("lenet").values([DIGIT], ["conv2"])["conv2"].reshape(-1)[:8]
    assert [float(one) for one in found["outputs"][0]["numbers"]["first"]] == pytest.approx(first.tolist(), rel=1e-3)
    with pytest.raises(InputError, match="no node 99"):
        facts.node_facts(bench, node=99)


@pytest.mark.parametrize(("text", "names"), [("CONV", ["conv1", "conv2"]), ("50 x 8", ["conv2"]), ("50 × 8 × 8", ["conv2"]),
                                             ("gemm 500", ["ip1"]), ("no such", []), ("", []), ("   ", [])])  # fmt: skip
def test_search_finds_names_operators_and_shapes(bench: Bench, text: str, names: list[str]) -> None:
    found = facts.searched(bench, text=text)
    assert [one["value"] for one in found["found"]] == names
    assert found["count"] == len(names)


def test_a_profile_is_stated_otherwise_with_the_effect_of_the_command_lines(tmp_path: Path) -> None:
    bench = Bench(["lenet"], Opening())
    before = pictures.picture_seen(bench, path=DIGIT)["classes"]
    told = facts.profile_restated(bench, model=0, fields={"mean": "30", "scale": "1/100"})
    assert told["stated"] == {"profile_mean": "30", "profile_scale": "1/100"}
    expected = onnxray.open("lenet")
    assert expected.profile is not None
    after = pictures.picture_seen(bench, path=DIGIT)["classes"]
    assert after != before
    with pytest.raises(ProfileError, match="--mean is 'x'"):
        facts.profile_restated(bench, model=0, fields={"mean": "x"})
    assert pictures.picture_seen(bench, path=DIGIT)["classes"] == after, "what is wrong changes nothing"
    facts.profile_restated(bench, model=0, fields={"mean": None, "scale": None})
    assert pictures.picture_seen(bench, path=DIGIT)["classes"] == before
    with pytest.raises(InputError, match="no field 'labels'"):
        facts.profile_restated(bench, model=0, fields={"labels": "/etc/passwd"})


def test_the_slider_lies_on_lots_own_line(bench: Bench, tmp_path: Path) -> None:
    nine = str(digits(10)[9].path)
    result = onnxray.methods.LOTS(layer="relu1")(onnxray.open("lenet"), [DIGIT], target=[nine])
    result.save(tmp_path / "run")
    item = result[0]
    found = along(bench, folder=str(tmp_path / "run"), item=0, scale=item.scale)
    assert found["own"] == item.scale
    assert (picture(found["png"]) == item.images["image"][0]).all(), "at its own scale it is the picture that was saved"
    assert found["classes"][0]["class"] == item.class_
    start = along(bench, folder=str(tmp_path / "run"), item=0, scale=0)
    assert (start["linf"], start["l2"]) == (0, 0)
    with pytest.raises(InputError, match="no item 3"):
        along(bench, folder=str(tmp_path / "run"), item=3, scale=1)
    with pytest.raises(InputError, match="the scale is -1"):
        along(bench, folder=str(tmp_path / "run"), item=0, scale=-1)


def test_the_slider_asks_no_other_model_than_the_runs_own(bench: Bench, tmp_path: Path) -> None:
    onnxray.methods.FGSM(eps=20.0)(onnxray.open("lenet"), [DIGIT]).save(tmp_path / "run")
    text = (tmp_path / "run" / "result.json").read_text()
    (tmp_path / "run" / "result.json").write_text(text.replace(onnxray.open("lenet").graph.sha256, "0" * 64))
    with pytest.raises(InputError, match="of another model"):
        along(bench, folder=str(tmp_path / "run"), item=0, scale=5)


def test_the_slider_of_an_attack_lies_between_its_pictures(bench: Bench, tmp_path: Path) -> None:
    result = onnxray.methods.FGSM(eps=20.0)(onnxray.open("lenet"), [DIGIT])
    result.save(tmp_path / "run")
    found = along(bench, folder=str(tmp_path / "run"), item=0, scale=20)
    assert (picture(found["png"]) == result[0].images["image"][0]).all()
    assert along(bench, folder=str(tmp_path / "run"), item=0, scale=5)["linf"] == 5


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 50),
        ("x.npy", b"\x93NUMPY\x01\0"),
        ("x.jpg", b"\xff\xd8\xff" + b"x" * 30),
    ],
)
def test_damaged_uploads_are_one_line(bench: Bench, tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(OnnxrayError):
        pictures.check_upload(bench, path=str(tmp_path / name))


def test_a_picture_bomb_is_refused_by_its_header(bench: Bench, tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("1", (8, 8)).save(stream, "PNG")
    data = bytearray(stream.getvalue())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(bytes(data))
    with pytest.raises(ImageError, match="at most"):
        pictures.check_upload(bench, path=str(tmp_path / "bomb.png"))


def test_a_model_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"\x08\xff" * 20)
    with pytest.raises(ModelFileError):
        facts.model_facts(Bench([str(tmp_path / "bad.onnx")], Opening()))
    with pytest.raises(InputError, match="no model 1"):
        facts.model_facts(Bench(["lenet"], Opening()), model=1)


def test_models_beside_each_other(tmp_path: Path) -> None:
    (tmp_path / "other.onnx").write_bytes(Path(str(onnxray.open("lenet").graph.path)).read_bytes())
    bench = Bench(["lenet", str(tmp_path / "other.onnx")], Opening(profile="lenet"))
    assert facts.model_facts(bench, model=1)["name"] == "other.onnx"
    seen = [pictures.picture_seen(bench, model=k, path=DIGIT)["classes"] for k in (0, 1)]
    assert seen[0][0]["class"] == seen[1][0]["class"] == 4


def test_a_graph_is_laid_out_once_whatever_the_profile(bench: Bench) -> None:
    drawn = facts.graph_drawn(bench)
    desk = bench.desk().restated({"mean": "3"})
    assert desk.view.drawn() is drawn
