"""A profile's TOML and the JSON beside a model are bounded: refused in one line, in time linear in their size."""

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import OnnxrayError, ProfileError
from onnxray.errors.short_values import short
from onnxray.graph.outputs.label_checks import MAX_LABEL
from onnxray.images.profile.discovery import METADATA_KEY, discover
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.side_text import MAX_BARE, MAX_DEPTH, MAX_DOTS, MAX_TOML, parse_json, parse_toml
from onnxray.images.profile.toml_form import read_mean, read_profile
from support import models
from support.graph_facts import graph_facts

GOOD = {
    "name": '"a"', "layout": '"NCHW"', "channels": '"GREY"', "scale": "1.0", "mean": "[0]", "std": "[1]",
    "size": "[28, 28]",
}  # fmt: skip
HEX = "0x1" + "0" * 900  # above 4300 bits, below the longest number; decimal digits would take it further
LONG = "0x1" + "0" * 6000
MODEL = "g (float[N,1,28,28] x) => (float[N,784] y) { y = Flatten (x) }"


def toml(**over: str) -> str:
    return "\n".join(f"{key} = {value}" for key, value in {**GOOD, **over}.items())


def refused(text: str, tmp_path: Path) -> str:
    """What is said of a TOML inside a file, which is the same beside it and named by the caller."""
    proto = models.parse(MODEL)
    proto.metadata_props.add(key=METADATA_KEY, value=text)
    plain = models.parse(MODEL).SerializeToString()
    (tmp_path / "m.onnx").write_bytes(plain)
    (tmp_path / "m.toml").write_text(text)
    said = []
    for source, profile in (
        (proto.SerializeToString(), None),
        (tmp_path / "m.onnx", None),
        (plain, tmp_path / "m.toml"),
    ):
        with pytest.raises(ProfileError) as caught:
            onnxray.open(source, profile)
        said.append(str(caught.value))
        assert "\n" not in said[-1]
        assert len(said[-1]) < 1000
    assert len({one.replace("ONNX metadata", "").replace("m.toml", "").partition("; a file")[0] for one in said}) == 1
    return said[0]


@pytest.mark.parametrize("key", GOOD)
@pytest.mark.parametrize(
    "value", [HEX, LONG, "-" * 3000, "1" * 5000, '"' + "x" * 100_000 + '"', "1e400", "nan"], ids=range(7)
)
def test_no_number_or_text_of_any_length_is_more_than_one_line(key: str, value: str, tmp_path: Path) -> None:
    if key in {"size", "mean", "std"} and value in (HEX, LONG):
        value = f"[{value}, 28]"
    if key in {"mean", "std"}:
        value = f"[{value}]" if not value.startswith(("[", "-")) else value
    assert refused(toml(**{key: value}), tmp_path)


BOMBS: tuple[tuple[str, str], ...] = (
        (toml(size="[true, 28]"), "size is (True, 28)"),
        (toml(size="[" + "1," * 20_000 + "]"), "size is (1, 1, 1, 1, 1, 1, 1, 1, ...)"),
        (toml(std="[" + "1.5," * 20_000 + "]"), "expected a list of 1 number"),
        (toml(scale="true"), "scale is True; expected a number"),
        (toml(scale="1979-05-27T07:32:00Z"), "scale is datetime.datetime(1979"),
        (toml(scale="-inf"), "scale is -inf; expected a finite number"),
        (toml(scale="1e308", std="[1e-308]"), "no zero among them"),
        (toml(mean="[1e308]", std="[1e-308]"), "std divides into finite ones"),
        (toml(layout="[" * 20 + "]" * 20), "layout is ([[[...]]],);"),
        (toml(labels="[" + "1," * 20_000 + "]"), "labels is 1; expected text"),
        (toml(labels=f'["{"x" * (MAX_LABEL + 1)}"]'), f"class names of at most {MAX_LABEL} characters, not 1001"),
        (toml(name='"' + "x" * 1001 + '"'), "name is 'xxx"),
        (".".join(["a"] * 16_000) + " = 1", f"a key with more than {MAX_DOTS} dots"),
        (".".join(['"a"'] * 16_000) + " = 1", f"a key with more than {MAX_DOTS} dots"),
        (" . ".join(["a"] * 16_000) + " = 1", f"a key with more than {MAX_DOTS} dots"),
        ("[" + ".".join(["a"] * 16_000) + "]", f"a key with more than {MAX_DOTS} dots"),
        ("x = {" + ".".join(["a"] * 16_000) + " = 1}", f"a key with more than {MAX_DOTS} dots"),
        ('x = {k = """a"""", ' + "a." * 16_000 + "b = 1}", f"a key with more than {MAX_DOTS} dots"),
        ("x = {k = '''a''''', " + "a." * 16_000 + "b = 1}", f"a key with more than {MAX_DOTS} dots"),
        (r'x = {k = "\"", ' + "a." * 16_000 + "b = 1}", f"a key with more than {MAX_DOTS} dots"),
        ("a = " + "[" * (MAX_DEPTH + 1), f"lists or tables more than {MAX_DEPTH} deep"),
        ("a = " + "{a = " * (MAX_DEPTH + 1), f"lists or tables more than {MAX_DEPTH} deep"),
        ("a = [" + "[]," * 60_000 + "]", "more than 50000 lists and tables"),
        ("scale = " + "1" * 100_000, f"a key or number of 100000 characters; at most {MAX_BARE} are taken"),
        ("a" * 100_000 + " = 1", f"a key or number of 100000 characters; at most {MAX_BARE} are taken"),
        ('"' + "a" * 100_000 + '" = 1', "unknown key 'aaaa"),
        ("#" * (MAX_TOML + 1), f"at most {MAX_TOML} are taken"),
        ("\n".join(f"{'a.' * 15}k{index} = 1" for index in range(1000)), "unknown key 'a'"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BOMBS, ids=range(len(BOMBS)))
def test_malformed_and_oversized_toml(text: str, message: str, tmp_path: Path) -> None:
    started = time.process_time()
    assert message in refused(text, tmp_path)
    assert time.process_time() - started < 5


def test_the_check_before_parsing_lets_every_toml_pass_that_a_profile_may_be() -> None:
    assert parse_toml("a = [[1, 2], [3.5, 4]]\n[b.c.d]\ne = {f.g = 1, h = '''x.y.z'''}") == {
        "a": [[1, 2], [3.5, 4]], "b": {"c": {"d": {"e": {"f": {"g": 1}, "h": "x.y.z"}}}},
    }  # fmt: skip
    dots = "." * 50
    text = f"""# {dots} [[[[ {{
    a = "{dots} \\" # [[" # {dots}
    b = '{dots} [[ \\'
    c = \"\"\"{dots} " "" \\\"\"\" [[\"\"\"\"\"
    d = '''{dots} ' '' [[''''
    e = 1979-05-27T07:32:00.5Z
    """
    found = parse_toml(text)
    assert (found["a"], found["b"]) == (f'{dots} " # [[', f"{dots} [[ \\")
    assert (found["c"], found["d"]) == (f'{dots} " "" """ [[""', f"{dots} ' '' [['")


def test_json_beside_a_model(tmp_path: Path) -> None:
    base = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"height": 8, "width": 8}}
    value = SimpleNamespace(name="x", shape=("N", 3, 8, 8), dtype="float32")
    graph: Any = graph_facts(
        path=tmp_path / "m.onnx", inputs=(value,), producer="", metadata={}, logits="y", features=None
    )
    whole = json.dumps(base)[:-1]
    huge = "1" + "0" * 300
    for text, message in {
        "[" * 100_000: "is no JSON (lists or tables more than 32 deep)",
        '{"a": ' * 100_000: "is no JSON (lists or tables more than 32 deep)",
        f'{whole}, "more": [{"[]," * 60_000}0]}}': "is no JSON (more than 50000 lists and tables)",
        f'{whole}, "size": {"1" * 5000}}}': "is no JSON (a whole number of 5000 digits; at most 310 are taken)",
        f'{whole}, "size": {huge}}}': "size is (a whole number of about 301 digits); expected height and width",
        f'{whole}, "do_center_crop": true, "crop_size": {huge}, "size": 1}}': "crop_size is (a whole number",
        f'{whole}, "do_center_crop": true, "crop_size": 8, "size": {huge}}}': "crop_fraction is ",
        f'{whole}, "size": {{"shortest_edge": {huge}}}}}': None,
        f'{whole}, "image_std": [NaN, 1, 1]}}': "std is nan",
        f'{whole}, "image_mean": [Infinity, 1, 1]}}': "mean is inf",
        f'{whole}, "image_mean": [{"1," * 100_000}1]}}': "mean is (1.0, 1.0",
        f'{whole}, "resample": [{"1," * 100_000}1]}}': "resample is [1, 1",
        f'{whole}, "image_processor_type": {"[" * 30}{"]" * 30}}}': None,
        f'{whole}, "image_processor_type": "{"x" * 2000}"}}': "name is 'xxx",
    }.items():
        (tmp_path / "preprocessor_config.json").write_text(text)
        if message is None:
            discover(graph)
            continue
        with pytest.raises(ProfileError, match=re.escape(message)) as caught:
            discover(graph)
        assert len(str(caught.value)) < 1000


def test_json_in_numbers_of_every_form() -> None:
    assert parse_json('{"a": [1, -2.5, 1e3, "[[[[\\"{", null, true], "b": 1000000000000000019884624838656}') == {
        "a": [1, -2.5, 1000.0, '[[[["{', None, True], "b": 1000000000000000019884624838656,
    }  # fmt: skip
    with pytest.raises(ValueError, match="a whole number of"):
        parse_json("-" + "9" * 400)


FIELDS = ("name", "layout", "scale", "mean", "std", "size", "resize", "crop_fraction", "range", "labels", "source")


@pytest.mark.parametrize("field", FIELDS)
def test_profiles_made_in_python(field: str) -> None:
    fields: dict[str, Any] = {"name": "a", "layout": "NCHW", "channels": "GREY", "scale": 1, "mean": (0,), "std": (1,)}
    many = [1] * 10**6
    for value in (16**6000, -(16**6000), float("nan"), "x" * 10**7, many, {"a": many}, [16**6000], 1j):
        with pytest.raises(OnnxrayError) as caught:
            Profile(**{**fields, "size": (8, 8), field: value})
        assert len(str(caught.value)) < 1000


def test_labels_and_means_in_files(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(toml(labels='"labels.txt"'))
    for text, message in (("a\n" * 1_000_001, "1000001 lines; at most 1000000"), ("x" * 5000, "at most 1000 char")):
        (tmp_path / "labels.txt").write_text(text)
        with pytest.raises(ProfileError, match=message) as caught:
            read_profile(path)
        assert len(str(caught.value)) < 1000
    for header in ("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 400 + ",), }",
                   "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1, " * 40 + "), }",
                   "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1" * 9000 + "}",
                   "(" * 9000, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"):  # fmt: skip
        (tmp_path / "mean.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        started = time.process_time()
        with pytest.raises(ProfileError, match="is no .npy file of format 1 or 2"):
            read_mean(tmp_path / "mean.npy")
        assert time.process_time() - started < 1


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "|u1", "<i2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_writes_is_read_as_numpy_reads_it(dtype: str, order: Any, tmp_path: Path) -> None:
    array = np.array(np.random.default_rng(0).integers(0, 99, (3, 4, 5)), dtype, order=order)
    np.save(tmp_path / "mean.npy", array)
    assert np.array_equal(read_mean(tmp_path / "mean.npy").array, array)


def test_values_are_shown_short() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise ValueError("no")

    for value in (1, 2.5, None, "a", (0.485, 0.456, 0.406), [1, 2], {"a": 1}, True, float("inf")):
        assert short(value) == repr(value)
    for value in (16**6000, "x" * 10**7, [1] * 10**6, {k: k for k in range(10**5)}, [["x" * 500] * 50] * 50, Broken()):
        assert len(short(value)) < 300
