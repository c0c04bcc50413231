"""What a file's metadata says is read by our own bounded grammars: no evaluation, no memory, no time beyond its size."""

import ast
import dataclasses
import json
import time
import tracemalloc
import warnings
from typing import Any

import pytest

import onnxray
from onnxray.graph.classifier.class_names import MAX_TEXT, labels_of, read_class_names
from support import models

MODEL = "g (float[N,1,28,28] x) => (float[N,784] y) { y = Flatten (x) }"

TEXTS: tuple[str, ...] = (
    '["cat", "dog"]',
    "['cat', 'dog']",
    "('cat', 'dog')",
    "('cat',)",
    "{0: 'person', 1: 'bicycle'}",
    "{0: 'person', 1: \"driver's seat\"}",
    "{1: 'b', 0: 'a'}",
    "{'0': 'a', '1': 'b'}",
    '{"0": "a", "1": "b"}',
    ' \n[ "a" ,\t"b" ] \r\n',
    "['a', 'b',]",
    "{0: 'a',}",
    json.dumps(['q"uo\\te', "\n\t\r\b\f/", "é", "\U0001f600", "\x7f"]),
    json.dumps({str(k): f"class {k}" for k in range(1000)}),
    json.dumps({"0": "a/b\u2028"}, ensure_ascii=False),
    '["\\/", "\\u0041\\ud83d\\ude00"]',
    repr(["it's", 'a "b"', "both ' and \"", "\n\t\\ \x00\x1b\x7f\x85 é \u202e \U0001f600"]),
    ascii(dict(enumerate(["é", "\U0001f600", "\x1b"]))),
    repr({k: f"name {k}" for k in range(1000)}),
    r"['\d', '\101\60', '\x41\u0041\U00000041', '\a\b\f\v\0']",
    "['a\\\nb']",
    "{0: 'a', 0: 'b'}",
)
"""What exporters write, and what else reads the same by json.loads or by Python."""


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_class_names_are_read_as_json_or_python_would(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd backslashes
            expected = ast.literal_eval(text)
    assert labels_of(expected) is not None
    assert read_class_names(text) == labels_of(expected)


OTHERS: tuple[str, ...] = (
        "", " ", "hello", "[]", "{}", "()", "('a')", "'a'", "[", "]", "[,]", "['a' 'b']", "['a'", "['a', 'b'] x", "['a'] + ['b']",
        "['a',, 'b']", "{0: 'a', 2: 'c'}", "{0: 'a', 1: 2}", "{'a': 1}", "{0}", "{0: 'a', 'b'}", "[1, 2]", "[None]", "[['a']]",
        "{-1: 'a'}", "{0.0: 'a'}", "{1e0: 'a'}", "{00: 'a'}", "{99999999999999999999: 'a'}", "['a\nb']", "[b'a']", "[f'{1}']",
        r"['\x4']", r"['\N{BULLET}']", r"['\U99999999']", r"['\u12']", "__import__('os').abort()", "['a' if 0 else 'b']",
        "['a'][0]", "['a']*9", "[" * 100_000, "{0:" * 100_000, "['a", '["a', "['a\\", "\0", "['a']\0", "(" * 10**6,
)  # fmt: skip


@pytest.mark.parametrize("text", OTHERS, ids=range(len(OTHERS)))
def test_anything_else_is_no_class_names(text: str) -> None:
    assert read_class_names(text) is None


def opened(**metadata: str) -> onnxray.Model:
    proto = models.parse(MODEL)
    for key, value in metadata.items():
        proto.metadata_props.add(key=key, value=value)
    return onnxray.open(proto.SerializeToString())


@pytest.mark.parametrize("item", ["'a',", "'ab',", '"ab",', "'',", "'\\x41',", "[],", "1,", '"', "'a\\", "{0:'a',"])
def test_names_take_memory_linear_in_their_size(item: str) -> None:
    text = "[" + item * (2**15 // len(item)) + "]"
    tracemalloc.start()
    found = read_class_names(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is None or len(found) == text.count(",")
    assert peak < 40 * len(text)


def test_names_take_time_linear_in_their_size() -> None:
    for item in ("'a',", "'\\x41',", "[", "{0:'a',", '"'):
        seconds = []
        for size in (2**15, 2**18):
            text = ("" if item in "[{" else "[") + item * (size // len(item))
            started = time.process_time()
            read_class_names(text)
            seconds.append(time.process_time() - started)
        assert seconds[1] < 30 * seconds[0] + 0.1, item


def test_longer_names_are_said_to_be_left_out() -> None:
    profile = opened(names="['cat'" + " " * MAX_TEXT + "]").profile
    assert profile is not None
    assert profile.labels is None
    assert f"labels: ONNX metadata, names is not read, it has {MAX_TEXT + 7} characters" in profile.reasons[-1]
    profile = opened(names="['cat'" + " " * (MAX_TEXT - 8) + "]").profile
    assert profile is not None
    assert profile.labels == ("cat",)


@pytest.mark.parametrize(
    "metadata",
    [
        {"names": "['" + "x" * 100_000 + "']"},
        {"Image.NominalPixelRange": "x" * 10**6},
        {"Image.BitmapPixelFormat": "x" * 10**6},
        {"names": repr(["\ud800"])},
    ],
)
def test_a_refusal_is_one_short_line(metadata: Any) -> None:
    with pytest.raises(onnxray.errors.ProfileError) as caught:
        opened(**metadata)
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()


def test_long_texts_of_a_file_are_shown_cut() -> None:
    proto = models.parse(MODEL)
    proto.producer_name = "p" * 10**6
    proto.doc_string = "d" * 10**6
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n" * 10**5
    model = onnxray.open(proto.SerializeToString())
    assert model.profile is not None
    assert sum(map(len, model.profile.reasons)) < 1000
    with pytest.raises(onnxray.errors.ProfileError) as caught:
        onnxray.open(proto.SerializeToString(), dataclasses.replace(models.GREY, size=(9, 9)))
    assert len(str(caught.value)) < 1000


def test_entries_are_linear_in_number() -> None:
    proto = models.parse(MODEL)
    for index in range(50_000):
        proto.metadata_props.add(key=f"Image.{index}", value="['a']")
    data = proto.SerializeToString()
    started = time.process_time()
    assert len(onnxray.open(data).graph.metadata) == 50_000
    assert time.process_time() - started < 5
