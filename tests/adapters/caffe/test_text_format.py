"""The reader of prototxt text: what it understands, and what it refuses, by its line."""

from typing import Any

import pytest

from onnxray_adapters.caffe.options import Options
from onnxray_adapters.caffe.text_format import Message, Word, parse


def plain(value: Any) -> Any:
    return (
        {name: [plain(one) for one in values] for name, values in value.fields.items()}
        if isinstance(value, Message)
        else value
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1 a: -2 # a comment: 3\nb: 0x1F", {"a": [1, -2], "b": [31]}),
        ("a: 017, b: 1e3; c: .5 d: 5. e: 2.5f", {"a": [15], "b": [1000.0], "c": [0.5], "d": [5.0], "e": [2.5]}),
        ("a: [1, 2, 3] b: []", {"a": [1, 2, 3], "b": []}),
        ("m { n: MAX } m: { n: true } m < n: -inf >", {"m": [{"n": ["MAX"]}, {"n": ["true"]}, {"n": ["-inf"]}]}),
        ("m [{ a: 1 }, { a: 2 }]", {"m": [{"a": [1]}, {"a": [2]}]}),
        (r"""a: "x" 'y' b: '"' c: "\n\"\101\x42\u" """, {"a": ["xy"], "b": ['"'], "c": ['\n"ABu']}),
        ('a: "caf\u00e9 \\303\\251"', {"a": ["café é"]}),
        ("", {}),
    ],
)
def test_text_is_read(text: str, expected: object) -> None:
    assert plain(parse(text)) == expected


def test_words_are_told_from_text() -> None:
    message = parse('a: MAX b: "MAX"')
    assert [isinstance(message.fields[name][0], Word) for name in "ab"] == [True, False]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n}", "line 2: the name of a field"), ("a {\n b: 1", "line 2: the name of a field, or '}' was expected, the text ends"),
        ("a 1", "':' or '{' was expected"), ("a: { b: 1 >", "the name of a field, or '}'"), ("a: [1 2]", "',' or ']'"),
        ('a: "x', "is not understood"), ("a: 'x\n'", "is not understood"), ("a: 09", "begins with a zero"),
        ("a: 1e999", "beyond every number"), ("a: 5x", "is not understood"), ("a: @", "is not understood"),
        (r'a: "\xff"', "no UTF-8 text"), ("[a.b]: 1", "the name of a field"), ("a:", "a value was expected, the text ends"),
        ("a {" * 10_000, "more than 16 deep"), ("a: [" * 10_000, "',' or ']'"), ("a: " + "1" * 5000, "is not understood"),
    ],
    ids=lambda part: part[:20],
)  # fmt: skip
def test_what_is_no_text_format_is_refused_by_its_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="line [0-9]+: ") as refused:
        parse(text)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kernel_size: -1", "kernel_size is -1; a whole number from 0 on"), ("kernel_size: 1.5", "kernel_size is 1.5"),
        ("kernel_size: 4294967296", "of 32 bits"), ("bias_term: 2", "true or false"), ("bias_term: maybe", "true or false"),
        ("num_output: 1 num_output: 2", "stands 2 times"), ("kernal_size: 3", "did you mean 'kernel_size'?"),
        ("engine: GPU", "DEFAULT, CAFFE, CUDNN"), ("num_output { }", "num_output is a message"), ("engine: 99", "DEFAULT, CAFFE"),
    ],
)  # fmt: skip
def test_what_an_option_cannot_be_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="line 1: ") as refused:
        Options("ConvolutionParameter", parse(text))
    assert said in str(refused.value)


def test_numbers_that_are_none_are_refused() -> None:
    for word in ("nan", "inf", "-inf", "1e39"):
        with pytest.raises(ValueError, match="a finite number was expected"):
            Options("PowerParameter", parse(f"power: {word}"))
    assert Options("PowerParameter", parse("power: 3")).one("power") == 3.0
    assert Options("PoolingParameter", parse("pool: 1")).one("pool") == "AVE"
