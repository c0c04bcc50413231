"""The store: what is kept is found again, whatever became of the index; what is not ours is refused in one line."""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from pathlib import Path
from typing import Any

import pytest

from onnxray.assess.jobs.store import VERSION, Blob, Store
from onnxray.assess.jobs.unit import Unit
from onnxray.errors import OutputError


def unit(*images: str, **more: Any) -> Unit:
    return Unit(**({"model": "m", "profile": "p", "check": "c@1", "params": "{}", "images": images} | more))


def blob(*images: str, **more: Any) -> Blob:
    return Blob(unit=unit(*images, **more), rows=[{"of": image} for image in images], seconds=0.5, machine={})


def test_a_key_is_of_all_that_goes_in_and_of_nothing_else() -> None:
    others = [unit("a", **{name: "other"}) for name in ("model", "profile", "check", "params")]
    assert len({one.key for one in (unit("a"), unit("b"), unit("a", "b"), *others)}) == 7
    assert unit("a").family == unit("b").family
    assert unit("a").key == unit("a").key
    assert {one.family for one in others}.isdisjoint({unit("a").family})
    assert Unit.read(json.loads(json.dumps(unit("a", "b").to_dict()))) == unit("a", "b")


def test_what_is_put_is_there_in_the_next_process(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s") as store:
        for one in (blob("a", "b"), blob("c"), blob("a", model="other")):
            store.put(one)
    with Store.open(tmp_path / "s") as store:
        family = unit().family
        assert store.measured(family) == {"a", "b", "c"}
        assert {row["of"] for one in store.blobs(family) for row in one.rows} == {"a", "b", "c"}
        assert store.totals() == {"c@1": (3, 4, 1.5)}


@pytest.mark.parametrize("harm", ["gone", "damaged", "another's", "not closed"])
def test_the_index_is_made_anew_from_the_blobs(harm: str, tmp_path: Path) -> None:
    place = tmp_path / "s"
    store = Store.open(place)
    store.put(blob("a"))
    store.put(blob("b"))
    store.close()
    index = place / "index.sqlite"
    if harm == "gone":
        index.unlink()
    elif harm == "damaged":
        index.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 20)
    elif harm == "another's":
        index.write_bytes(b"no database at all")
    else:  # killed between a rename and the insertion
        with sqlite3.connect(index) as own:
            own.execute("delete from units")
            own.execute("insert into state values ('open', '1')")
        own.close()
    with Store.open(place) as store:
        assert store.measured(unit().family) == {"a", "b"}


def test_a_damaged_blob_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s") as store:
        store.put(blob("a"))
        store.put(blob("b"))
        for image, data in (("a", b"no zlib"), ("b", b"")):
            key = unit(image).key
            (tmp_path / "s" / "objects" / key[:2] / key).write_bytes(data)
        assert store.measured(unit().family) == set()
        store.put(blob("a"))
        assert store.measured(unit().family) == {"a"}


def test_a_blob_under_another_name_does_not_count(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s") as store:
        store.put(blob("a"))
        store.put(blob("b"))
        places = [tmp_path / "s" / "objects" / unit(one).key[:2] / unit(one).key for one in "ab"]
        places[1].write_bytes(places[0].read_bytes())
        assert store.measured(unit().family) == {"a"}


def test_a_newer_store_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text(json.dumps({"store": VERSION + 1}))
    with pytest.raises(OutputError, match=rf"version {VERSION + 1}, written by a newer onnxray"):
        Store.open(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"store": "x"}', '{"store": 0}'])
def test_what_is_no_store_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text(text)
    with pytest.raises(OutputError, match="a store was expected"):
        Store.open(tmp_path)


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(OutputError, match="holds other files"):
        Store.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "inside", Path("/proc/self/store")):
        with pytest.raises(OutputError) as told:
            Store.open(place)
        assert "\n" not in str(told.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_store_is_one_line(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s") as store:
        store.put(blob("a"))
    (tmp_path / "s").chmod(0o555)
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            Store.open(tmp_path / "s")
    finally:
        (tmp_path / "s").chmod(0o755)


def test_a_disk_that_fails_in_between_is_one_line(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s") as store:
        objects = tmp_path / "s" / "objects"
        objects.rmdir()
        objects.write_text("")  # as where a disk turned read-only
        with pytest.raises(OutputError, match="cannot be written"):
            store.put(blob("a"))


def test_two_audits_do_not_write_at_once(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s"), pytest.raises(OutputError, match="another run is writing"):
        Store.open(tmp_path / "s")


def test_an_index_of_another_leads_nowhere(tmp_path: Path) -> None:
    """Keys that are paths, tables of other columns, and links are an index that is made anew."""
    with Store.open(tmp_path / "s") as store:
        store.put(blob("a"))
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    index = tmp_path / "s" / "index.sqlite"
    for path in ("../../victim", str(pipe), ""):
        with sqlite3.connect(index) as hostile:
            row = (path, unit().family, "c@1", "m", 1, 1.0)
            hostile.execute("insert or replace into units values (?, ?, ?, ?, ?, ?)", row)
        hostile.close()
        with Store.open(tmp_path / "s") as store:
            assert store.measured(unit().family) == {"a"}
    index.unlink()
    with sqlite3.connect(index) as hostile:
        hostile.execute("create table units (family text)")
    hostile.close()
    with Store.open(tmp_path / "s") as store:
        assert store.measured(unit().family) == {"a"}
    index.unlink()
    index.symlink_to(victim)
    with Store.open(tmp_path / "s") as store:
        assert store.measured(unit().family) == {"a"}
    assert victim.read_bytes() == b"mine"


@pytest.mark.parametrize("kind", ["pipe", "bomb", "endless", "no number"])
def test_a_blob_that_would_not_end_is_as_if_it_had_never_been(kind: str, tmp_path: Path) -> None:
    with Store.open(tmp_path / "s") as store:
        store.put(blob("a"))
        store.put(blob("b"))
    place = tmp_path / "s" / "objects" / unit("a").key[:2] / unit("a").key
    body = json.loads(zlib.decompress(place.read_bytes()))
    place.unlink()
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "endless":
        place.symlink_to("/dev/zero")
    elif kind == "no number":
        place.write_bytes(zlib.compress(json.dumps({**body, "rows": [{"of": float("nan")}]}).encode()))
    else:
        packer = zlib.compressobj()
        packed = b"".join(packer.compress(b"[]," * 2**20) for _ in range(30))
        place.write_bytes(packed + packer.flush())
    with Store.open(tmp_path / "s") as store:
        assert store.measured(unit().family) == {"b"}
