"""Fields of a profile that are stated for one try."""

import json
import re
from typing import Any

import numpy as np
import onnxruntime
import pytest
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.cli.app import app
from onnxray.errors import InputError, ProfileError
from onnxray.images.profile.stated_fields import read_fields, with_fields
from support import kinds_of_input, models
from support.models import parse, random

FOUR = str(next(path for path in onnxray_models.samples("lenet") if path.stem == "4_0"))
NET = "g (float[N,3,H,W] x) => (float[N,2] y) { c = Conv (x, w) p = GlobalAveragePool (c) y = Flatten (p) }"


def network() -> bytes:
    return bytes(parse(NET, {"w": random(0, 2, 3, 3, 3)}).SerializeToString())


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"size": "224"}, {"size": (224, 224)}),
        ({"size": "224x320"}, {"size": (224, 320)}),
        ({"scale": "1/255", "mean": "104,117,123", "std": "1"}, {"scale": 1 / 255, "mean": (104.0, 117.0, 123.0), "std": (1.0,)}),
        ({"channels": "bgr", "resize": "pad", "size": None}, {"channels": "BGR", "resize": "pad"}),
        ({"size": None}, {}),
    ],
)  # fmt: skip
def test_fields_are_read_from_text(texts: dict[str, str | None], expected: dict[str, Any]) -> None:
    assert read_fields(texts) == expected


@pytest.mark.parametrize("texts", [{"size": "a"}, {"size": "1x2x3"}, {"size": "-3"}, {"scale": "1/0"}, {"mean": "1,b"}])
def test_what_is_no_number_is_one_line(texts: dict[str, str]) -> None:
    (key,) = texts
    with pytest.raises(ProfileError, match=re.escape(f"--{key} is ")):
        read_fields(texts)


def test_they_lie_over_the_profile_that_was_found_and_are_recorded() -> None:
    found = onnxray.open(network()).profile
    assert found is not None
    tried = onnxray.open(network(), picture={"size": (16, 24), "mean": 0.5, "channels": "BGR"}).profile
    assert tried is not None
    assert (tried.size, tried.mean, tried.channels, tried.scale) == ((16, 24), (0.5, 0.5, 0.5), "BGR", found.scale)
    assert tried.source == f"{found.source}; stated: size, mean, channels"
    assert tried.assumed
    whole = onnxray.open(network(), picture={"scale": 2.0, "mean": 1.0, "std": 4.0})
    assert whole.profile is not None
    assert not whole.profile.assumed
    picture = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    fed = (2.0 * picture.transpose(2, 0, 1)[None].astype(np.float32) - 1) / 4
    expected = onnxruntime.InferenceSession(network()).run(None, {"x": fed})[0]
    np.testing.assert_allclose(whole.values(picture, ["y"])["y"], expected, rtol=1e-4, atol=1e-4)


def test_a_grey_try_of_a_profile_without_colours() -> None:
    found = models.GREY
    assert with_fields(found, {"scale": 0.5}).mean == found.mean
    assert with_fields(found, {"mean": [3.0]}).mean == (3.0,)


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        ({"size": (30, 30)}, "makes GREY NCHW of shape (N, 1, 30, 30), the model's input 'data' is (N, 1, 28, 28)"),
        ({"channels": "RGB"}, "makes RGB NCHW of shape (N, 3, 28, 28)"),
        ({"resize": "squeeze"}, "resize is 'squeeze'; expected one of stretch, crop, pad"),
        ({"std": 0.0}, "std is [0.0]; expected no zero among them"),
    ],
)
def test_what_does_not_fit_the_file_is_refused(picture: dict[str, Any], why: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(why)):
        onnxray.open("lenet", picture=picture)


def test_of_several_inputs_and_of_arrays_nothing_is_stated_so() -> None:
    with pytest.raises(InputError, match="size of a picture: the model has 2 inputs; state them in tables"):
        onnxray.open(kinds_of_input.two().SerializeToString(), picture={"size": (3, 3)})
    with pytest.raises(InputError, match="scale of a picture: the inputs are stated to be arrays"):
        onnxray.open("lenet", inputs="arrays", picture={"scale": 1.0})
    with pytest.raises(InputError, match="4 axes were expected"):
        onnxray.open(kinds_of_input.table().SerializeToString(), picture={"scale": 1.0})


def document(*arguments: str) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_commands_have_the_options_and_keep_their_own(tmp_path: Any) -> None:
    stated = document("classify", "lenet", FOUR, "--scale", "1/255", "--mean", "0.1", "--std", "0.3")["profile"]
    assert (stated["scale"], stated["mean"], stated["std"]) == (1 / 255, [0.1], [0.3])
    assert stated["source"].endswith("stated: mean, std, scale")
    own = document(
        "saliency", "occlusion", "lenet", FOUR, "--size", "9", "--profile-mean", "0.2", "-o", str(tmp_path / "a")
    )
    assert own["method"]["options"]["size"] == 9
    assert own["profile"]["mean"] == [0.2]
    maps = document(
        "saliency", "gradient", "lenet", FOUR, "--channels", "sum", "--scale", "0.01", "-o", str(tmp_path / "b")
    )
    assert maps["method"]["options"]["channels"] == "sum"
    assert (maps["profile"]["channels"], maps["profile"]["scale"]) == ("GREY", 0.01)
