"""What inputs are stated to be: in Python, on the command line's terms, and in a TOML."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import InputError, ProfileError
from onnxray.model.inputs.stated import read_option
from support import kinds_of_input
from support.models import lenet, parse, random


def kind(model: Any) -> tuple[str, bool]:
    one = model.inputs.each[0]
    return one.kind, one.stated


def test_pictures_are_declined_with_arrays() -> None:
    data = lenet().SerializeToString()
    assert onnxray.open(data).profile is not None
    for stated in ("arrays", {"x": "array"}):
        model = onnxray.open(data, inputs=stated)
        assert model.profile is None
        assert kind(model) == ("array", True)
        array = random(0, 2, 1, 14, 14)
        np.testing.assert_allclose(model.predict(array).probabilities.sum(1), 1, rtol=1e-5)


def test_what_shows_no_picture_is_one_where_it_is_stated() -> None:
    data = parse("g (float[1,1,1,5] x) => (float[N,K] y) { y = Flatten (x) }").SerializeToString()
    assert onnxray.open(data).profile is None
    guessed = onnxray.open(data, inputs={"x": "picture"})
    assert guessed.profile is not None
    assert guessed.profile.assumed
    stated = {"kind": "picture", "scale": 0.5, "mean": [1.0], "std": [2.0]}
    model = onnxray.open(data, inputs={"x": stated})
    assert model.profile is not None
    assert not model.profile.assumed
    found = model.values(np.full((1, 1, 1, 5), 100, np.uint8), ["y"])["y"]
    np.testing.assert_allclose(found, (0.5 * 100 - 1) / 2)
    assert kind(onnxray.open(data, profile="unit")) == ("picture", False)


def test_a_toml_states_inputs_beside_the_model_by_name_and_with_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(lenet(), path)
    table = '[inputs.x]\nkind = "array"\n'
    path.with_suffix(".toml").write_text(table)
    assert onnxray.open(path).profile is None
    path.with_suffix(".toml").unlink()
    (tmp_path / "other.toml").write_text(table)
    assert onnxray.open(path, profile=tmp_path / "other.toml").profile is None
    (tmp_path / "both.toml").write_text(
        'name = "n"\nlayout = "NCHW"\nchannels = "GREY"\nscale = 1.0\nmean = [0]\nstd = [1]\nsize = [14, 14]\n'
        '[inputs.x]\nkind = "picture"\nscale = 0.25\n'
    )
    both = onnxray.open(path, profile=tmp_path / "both.toml").profile
    assert both is not None
    assert (both.name, both.scale) == ("n", 0.25)
    assert onnxray.open(path, profile=tmp_path / "other.toml", inputs={"x": "picture"}).profile is not None


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ({"y": "array"}, "the model has no input 'y'; its inputs are 'x'"),
        ({"x": "film"}, "the kind of the input 'x' is 'film'; expected one of picture, array, table-row"),
        ({"x": "token-ids"}, "the input 'x' is float32 of shape [N, 5], no token ids: token ids are whole numbers"),
        ({"x": "picture"}, "no picture: 4 axes were expected"),
        ({"x": "video_clip"}, "no video clip: 5 axes were expected"),
        ({"x": "string"}, "no string: the file wants numbers"),
        ({"x": {"kind": "waveform", "rates": 3}}, "has the key 'rates'; those of a waveform are: rate"),
        ({"x": {"kind": "waveform", "rate": "fast"}}, "rate is 'fast'; samples a second, a whole number, was expected"),
        ({"x": {"kind": "table row", "columns": "abc"}}, "columns is 'abc'; a list of their names was expected"),
        ({"x": 3}, "inputs.'x' is 3; a kind or a table with a kind was expected"),
        (["x"], "'arrays', or a dict of kinds by names of inputs was expected"),
    ],
)
def test_what_cannot_be_stated_is_one_line(stated: Any, why: str) -> None:
    with pytest.raises(InputError, match=re.escape(why)) as caught:
        onnxray.open(kinds_of_input.table().SerializeToString(), inputs=stated)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "stated", "why"),
    [
        (kinds_of_input.tokens, "waveform", "its samples are real numbers"),
        (
            lambda: parse("g (string[N] input_ids) => (string[N] y) { y = Identity (input_ids) }"),
            "token-ids",
            "the file wants text",
        ),
    ],
)
def test_a_kind_that_the_file_contradicts_is_refused(make: Any, stated: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        onnxray.open(make().SerializeToString(), inputs={"input_ids": stated})


def test_a_profile_and_another_kind_contradict_each_other() -> None:
    with pytest.raises(InputError, match="the profile 'unit' reads pictures, and the input is stated to be arrays"):
        onnxray.open(lenet().SerializeToString(), "unit", inputs="arrays")


def test_a_toml_of_inputs_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text("inputs = 3\n")
    with pytest.raises(ProfileError, match="inputs is 3"):
        onnxray.open(lenet().SerializeToString(), tmp_path / "p.toml")


def test_the_option_of_commands() -> None:
    assert read_option(()) is None
    assert read_option(("arrays",)) == "arrays"
    assert read_option(("a=picture", "b=c=table-row")) == {"a": "picture", "b=c": "table-row"}
    for wrong in (("a",), ("arrays", "a=picture"), ("=picture",)):
        with pytest.raises(InputError, match="NAME=KIND or arrays was expected"):
            read_option(wrong)
