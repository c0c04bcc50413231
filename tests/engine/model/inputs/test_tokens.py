"""Text as token ids, by a user's tokenizer.json; without the package or the file one line says what to do."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import InputError
from support import kinds_of_input

WORDS = ("[PAD]", "[UNK]", "i", "loved", "this", "film", "not")


def model(folder: Path, proto: onnx.ModelProto | None = None, **options: Any) -> Any:
    onnx.save(proto or kinds_of_input.tokens(), folder / "m.onnx")
    return onnxray.open(folder / "m.onnx", **options)


def save_tokenizer(path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: k for k, w in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.save(str(path))


def test_text_becomes_ids_and_a_mask(tmp_path: Path) -> None:
    save_tokenizer(tmp_path / "tokenizer.json")
    opened = model(tmp_path)
    (tmp_path / "texts.txt").write_text("i loved this film\n\nnot unheard\n")
    for given in (["i loved this film", "not unheard"], str(tmp_path / "texts.txt")):
        if isinstance(given, list):
            pixels = opened.pixels(given[0])
            assert pixels.words == (("i", "loved", "this", "film"),)
            continue
        pixels = opened.pixels(given)
        assert pixels.array.tolist() == [[2, 3, 4, 5], [6, 1, 0, 0]]
        assert pixels.beside["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
        assert pixels.notes == ("tokens by tokenizer.json",)
    ids = np.array([[2, 3, 4, 5]])
    expected = opened.values({"input_ids": ids, "attention_mask": np.ones_like(ids)}, ["logits"])["logits"]
    np.testing.assert_array_equal(opened.values("i loved this film", ["logits"])["logits"], expected)


def test_a_fixed_length_is_filled_and_cut(tmp_path: Path) -> None:
    save_tokenizer(tmp_path / "named.json")
    proto = kinds_of_input.tokens()
    for value in proto.graph.input:
        value.type.tensor_type.shape.dim[1].dim_value = 3
    opened = model(tmp_path, proto, inputs={"input_ids": {"kind": "token ids", "tokenizer": "named.json"}})
    assert opened.pixels("not").array.tolist() == [[6, 0, 0]]
    cut = opened.pixels("i loved this film")
    assert cut.array.tolist() == [[2, 3, 4]]
    assert cut.notes == ("tokens by named.json; 1 texts cut off at 3 tokens",)


def test_without_a_tokenizer_one_line_says_what_to_do(tmp_path: Path) -> None:
    opened = model(tmp_path)
    with pytest.raises(InputError, match=r"no tokenizer.json lies beside the model; put it there"):
        opened.pixels("some text")
    stated = model(tmp_path, inputs={"input_ids": {"kind": "token ids", "tokenizer": "gone.json"}})
    with pytest.raises(InputError, match=r"gone.json: no such file"):
        stated.pixels("some text")


def test_without_the_package_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(InputError, match=r"pip install onnxray\[text\]"):
        model(tmp_path).pixels("some text")


def test_a_damaged_tokenizer_is_named(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match=r"tokenizer.json is no tokenizer that can be read"):
        model(tmp_path).pixels("some text")


def test_ids_are_taken_as_numbers_too(tmp_path: Path) -> None:
    opened = model(tmp_path)
    found = opened.pixels(["input_ids=[[2, 3]]", "attention_mask=[[1, 1]]"])
    assert found.array.tolist() == [[2, 3]]
    with pytest.raises(InputError, match="takes a whole number"):
        opened.pixels(["input_ids=[[2, 3.5]]", "attention_mask=[[1, 1]]"])
