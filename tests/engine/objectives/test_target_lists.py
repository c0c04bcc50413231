"""What activation maximisation is after: ranges of channels, the middle of an even side, several in one batch."""

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError, UnknownValue
from onnxray.objectives.class_score import in_one_batch
from onnxray.objectives.parts_of_values import Channels
from onnxray.objectives.target_lists import channels_of, each_target, one_target
from support import models

WIDE = "g (float[N,1,4,6] x) => (float[N,300] y) { c = Conv (x, w)  p = GlobalAveragePool (c)  y = Flatten (p) }"


def wide() -> onnxray.Model:
    """300 channels of 3 x 5."""
    profile = models.Profile(
        name="grey", layout="NCHW", channels="GREY", scale=1.0, mean=(0.0,), std=(1.0,), size=(4, 6)
    )
    return onnxray.open(models.parse(WIDE, {"w": models.random(0, 300, 1, 2, 2)}), profile)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3", [3]), ("0-2", [0, 1, 2]), ("7, 3-4", [7, 3, 4]), ("200-299", list(range(200, 300))), ("299-299", [299])],
)
def test_ranges_of_channels(text: str, expected: list[int]) -> None:
    found = channels_of(wide(), "c", text, "mean")
    assert isinstance(found, Channels)
    assert found.channels.tolist() == expected


@pytest.mark.parametrize("text", ["", "3-", "-3", "4-3", "a", "0-100000", "1 2", "0-1,5-2", "12345678"])
def test_what_is_no_range_is_said(text: str) -> None:
    with pytest.raises(InputError, match="is no range; write 0-63 or 0-7,12"):
        channels_of(wide(), "c", text, "mean")


@pytest.mark.parametrize("text", ["300", "0-300", "1000-1010", "1-99999"])
def test_a_channel_that_is_not_there_is_said(text: str) -> None:
    last = text.rpartition("-")[2]
    with pytest.raises(UnknownValue, match=f"'c' has 300 channels, 0 to 299; there is no channel {last}$"):
        channels_of(wide(), "c", text, "mean")


def test_a_value_without_channels_has_none() -> None:
    text = "g (float[N,1,4,6] x) => (float[N,2] y) { f = Flatten (x)  m = ReduceSum <keepdims = 0> (f, one)  y = MatMul (f, w) }"
    proto = models.parse(text, {"one": np.int64([1]), "w": models.random(0, 24, 2)})
    model = onnxray.open(proto, wide().profile)
    with pytest.raises(UnknownValue, match="'m' has 0 channels, 0 to -1; there is no channel 0"):
        channels_of(model, "m", "0", "mean")


def test_the_centre_is_half_of_either_side() -> None:
    model = wide()  # 3 x 5
    value = models.random(1, 1, 300, 3, 5).astype(np.float64)
    for objective in (channels_of(model, "c", "4", "centre"), one_target(model, "c:4", where="centre")):
        assert objective.score({"c": value}, slice(0, 1))[0] == pytest.approx(value[0, 4, 1, 2])
    assert one_target(model, "c:4").score({"c": value}, slice(0, 1))[0] == pytest.approx(value[0, 4].mean())
    with pytest.raises(InputError, match=r"'y' has the shape \[1, 300\], so it has no centre; read its mean"):
        channels_of(model, "y", "4", "centre")


def test_a_weighted_sum_of_targets() -> None:
    value = {"ip2": models.random(2, 1, 5).astype(np.float64)}
    found = one_target(onnxray.open(models.lenet(), models.GREY), "2 * 1 + -0.5 * ip2:3")
    assert found.score(value, slice(0, 1))[0] == pytest.approx(2 * value["ip2"][0, 1] - 0.5 * value["ip2"][0, 3])
    for wrong in ("2 * 1 + 3", "2 * 1 + 1e999 * 3"):
        with pytest.raises(InputError, match="every term of a sum needs a weight"):
            one_target(onnxray.open(models.lenet(), models.GREY), wrong)


def test_several_classes_are_one_objective() -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    values = {
        "ip2": models.random(3, 2, 5).astype(np.float64),
        "relu2": models.random(4, 2, 32, 6, 6).astype(np.float64),
    }
    for targets, names in (((1, 3), {"ip2"}), ((1, "relu2:7"), {"ip2", "relu2"})):
        each = each_target(model, targets, "logit", "mean")
        together = in_one_batch(each)
        assert set(together.values) == names
        expected = [
            one.score({name: values[name][k : k + 1] for name in one.values}, slice(0, 1))[0]
            for k, one in enumerate(each)
        ]
        np.testing.assert_allclose(together.score({name: values[name] for name in names}, slice(0, 2)), expected)
