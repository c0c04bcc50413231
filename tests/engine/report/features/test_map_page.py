"""The page of maps: whole, told by hashes, every text of strangers a text; and the files for other programs."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxray.methods.features.tsne_item import TsneItem
from onnxray.report.features.map_exports import atlas_table, projector_files
from onnxray.report.features.map_page import map_page
from onnxray.report.features.map_parts import in_square, unpacked

HOSTILE = ["</script><script>alert(1)</script>", "<!--", "a\u202eb\x00\x1b[31m", "\ud800", "a\tb\nc", '"\\', "ok"]


def item(count: int = 7, layer: str = "ip1", **more: Any) -> TsneItem:
    random = np.random.default_rng(count)
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    near = np.array([[k for k in range(count) if k != place][:2] for place in range(count)], np.int32)
    fields: dict[str, Any] = {
        "layer": layer, "pictures_seen": count, "numbers_each": 3, "metric": "euclidean", "perplexity": 2.0, "k": 2,
        "made_by": "scikit-learn 0", "divergence": 0.1, "trustworthiness": 0.9, "continuity": 0.8, "quality_of": count,
        "labelled_by": "labels", "accuracy": {"original": 0.5, "map": 0.25}, "columns": columns, "reason": None,
        "numbers_": {
            "positions": random.standard_normal((count, 2)).astype(np.float32), "neighbors": near,
            "distances": random.random((count, 2)).astype(np.float32),
            "codes": random.standard_normal((count, 3)).astype(np.float32),
        },
        "images": {"thumbnails": random.integers(0, 256, (3, rows * 6, columns * 4)).astype(np.uint8)},
        "stems": {},
    }  # fmt: skip
    return TsneItem(**{**fields, **more})


def known(count: int = 7) -> dict[str, Any]:
    return {
        "path": HOSTILE[:count], "label": [None, *HOSTILE[1:count]], "prediction": HOSTILE[:count],
        "probability": [None, *[0.5] * (count - 1)], "correct": [None, *[True] * (count - 1)],
    }  # fmt: skip


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_only_its_own_script_and_style_may_run_and_nothing_is_loaded() -> None:
    page = map_page([item()], known(), title="<b>maps</b>").decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert (len(scripts), len(styles)) == (1, 1)
    for kind, text in (("script-src", scripts[0]), ("style-src", styles[0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} &#x27;sha256-{digest}&#x27;" in policy[1]
    assert policy[1].startswith("default-src &#x27;none&#x27;; img-src data:")
    assert re.findall(r"(?:src|href)=\"([^\"]*)\"", page) == ["result.json", "index.html"]
    assert "&lt;b&gt;maps&lt;/b&gt;" in page
    assert " style=" not in page
    assert not re.search(r"\son\w+=", page.replace(scripts[0], ""))


def test_texts_of_strangers_end_no_element_and_hide_nothing() -> None:
    page = map_page([item(layer="</script>\u202e")], known(), title="maps").decode()
    data = data_of(page)
    assert data["paths"][:3] == [HOSTILE[0], HOSTILE[1], "a\\u202eb\\x00\\x1b[31m"]
    assert data["layers"][0]["name"] == "</script>\\u202e"
    assert "<" not in page.split('id="data">')[1].split("</script>")[0]
    assert data["label"]["words"][0] == '"\\'
    of = np.frombuffer(base64.b64decode(data["label"]["of"]), "<i4")
    assert of[0] == -1
    assert [data["label"]["words"][place] for place in of[1:2]] == [HOSTILE[1]]


def test_numbers_are_those_of_the_item() -> None:
    one = item()
    data = data_of(map_page([one, item(layer="pool1")], known(), title="maps").decode())
    assert [layer["name"] for layer in data["layers"]] == ["ip1", "pool1"]
    layer = data["layers"][0]
    positions = np.frombuffer(base64.b64decode(layer["positions"]), "<f4").reshape(-1, 2)
    np.testing.assert_allclose(positions, in_square(one.numbers_["positions"]), rtol=1e-6)
    assert positions.min() >= 0
    assert positions.max() <= 1
    assert np.ptp(positions, axis=0).max() == pytest.approx(1)
    near = np.frombuffer(base64.b64decode(layer["neighbors"]), "<i4").reshape(-1, 2)
    np.testing.assert_array_equal(near, one.numbers_["neighbors"])
    assert "trustworthiness 0.900" in layer["said"]
    assert "of 50.0% in the layer, of 25.0% on the map" in layer["said"]
    kind, _, coded = data["sheet"]["url"].partition(";base64,")
    assert kind in {"data:image/webp", "data:image/png"}
    with Image.open(io.BytesIO(base64.b64decode(coded))) as sheet:
        assert sheet.size == (3 * 4, 3 * 6)
    assert (data["sheet"]["columns"], data["sheet"]["width"], data["sheet"]["height"]) == (3, 4, 6)


def test_pictures_in_memory_have_numbers_for_names() -> None:
    bare = {"path": [None] * 7, "label": None, "prediction": None, "probability": None, "correct": None}
    data = data_of(map_page([item(accuracy=None, trustworthiness=None, continuity=None)], bare, title="maps").decode())
    assert data["paths"][2] == "picture 2"
    assert data["label"] is None
    assert data["layers"][0]["said"] == "by scikit-learn 0"


def test_the_projector_finds_codes_names_and_thumbnails() -> None:
    one, other = item(), item(layer="metadata")
    files = projector_files([one, other], known())
    assert sorted(files) == [
        "projector-ip1.tsv", "projector-metadata-1.tsv", "projector-metadata.tsv", "projector-sprite.png",
        "projector_config.pbtxt",
    ]  # fmt: skip
    codes = np.loadtxt(io.BytesIO(files["projector-ip1.tsv"]), delimiter="\t")
    np.testing.assert_allclose(codes, one.numbers_["codes"], rtol=1e-6)
    lines = files["projector-metadata.tsv"].decode().splitlines()
    assert lines[0].split("\t") == ["place", "path", "label", "prediction", "probability", "correct"]
    assert [len(line.split("\t")) for line in lines] == [6] * 8, "a tab in a name is no end of a cell"
    with Image.open(io.BytesIO(files["projector-sprite.png"])) as sprite:
        assert sprite.size == (3 * 4, 3 * 6)
        np.testing.assert_array_equal(np.asarray(sprite).transpose(2, 0, 1)[:, :6, 4:8], unpacked(one)[1])
    config = files["projector_config.pbtxt"].decode()
    assert config.count("embeddings {") == 2
    assert '  tensor_path: "projector-ip1.tsv"' in config
    assert "    single_image_dim: 4\n    single_image_dim: 6" in config


def test_a_sheet_with_a_row_less_becomes_a_square_sprite() -> None:
    one = replace(item(5), columns=3, images={"thumbnails": np.full((1, 2 * 6, 3 * 4), 9, np.uint8)})
    with Image.open(io.BytesIO(projector_files([one], known(5))["projector-sprite.png"])) as sprite:
        assert sprite.size == (12, 18)


def test_names_of_layers_are_quoted_for_the_projector() -> None:
    config = projector_files([item(layer='a"\n\u00e9\\b')], known())["projector_config.pbtxt"].decode("ascii")
    assert '  tensor_name: "a\\042\\012\\303\\251\\134b"' in config


def test_embedding_atlas_reads_a_row_a_picture(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    paths = ["caf\udce9.png", *(f"{k}.png" for k in range(1, 7))]
    one, told = item(), {**known(), "path": paths, "label": None, "prediction": list("abcabca")}
    (tmp_path / "a.parquet").write_bytes(atlas_table([one], told))
    table = parquet.read_table(tmp_path / "a.parquet").to_pydict()
    assert table["path"] == ["caf\\udce9.png", *paths[1:]], "a path whose bytes are no UTF-8"
    assert table["prediction"] == list("abcabca")
    assert "label" not in table
    np.testing.assert_array_equal(np.stack([table["x_ip1"], table["y_ip1"]], 1), one.numbers_["positions"])
    assert table["neighbors_ip1"][3]["ids"] == [0, 1]
    assert table["neighbors_ip1"][3]["distances"] == pytest.approx(one.numbers_["distances"][3].tolist())
    with Image.open(io.BytesIO(table["image"][4]["bytes"])) as picture:
        np.testing.assert_array_equal(np.asarray(picture).transpose(2, 0, 1), unpacked(one)[4])
