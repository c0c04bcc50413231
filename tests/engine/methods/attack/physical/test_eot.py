"""EOT: what it is worth beside PGD when pictures are turned, and the rate that is stated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.assess.robustness.evaluation import RobustnessEvaluation
from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.methods import EOT, PGD
from onnxray.methods.attack.base import generators_of
from onnxray.methods.attack.bisection import Bisection
from onnxray.methods.attack.physical.transformations import draw, read_transformations
from onnxray.methods.attack.physical.views import viewed
from support.paths import ROOT

SAMPLES = ROOT / "models" / "onnxray_models" / "lenet" / "samples"
FILES = [str(SAMPLES / f"{name}.png") for name in ("4_0", "7_0", "1_0")]
TURNED = ("rotation=-35..35", "translation=-0.1..0.1")


def rate(model: Any, image: Any, own: int, count: int = 60) -> float:
    """How often another class than its own is given to a picture, turned anyhow."""
    random, kinds = np.random.default_rng(77), read_transformations(TURNED)
    draws = [draw(kinds, image.shape, random) for _ in range(count)]
    seen = viewed(np.repeat(image[None].astype(np.float32), count, 0), draws).array
    return float((model.classify(Pixels.of(np.rint(seen))) != own).mean())


def test_it_holds_where_pgd_does_not_and_says_how_often() -> None:
    model, eps = onnxray.open("lenet"), 60.0
    ours = EOT(eps=eps, transform=TURNED, steps=10, draws=4, trials=60)(model, FILES).items
    plain = PGD(eps=eps, steps=15)(model, FILES).items
    for item in ours:
        stated = item.numbers_["rate"]
        assert stated["count"] == 60
        assert stated["reached"] == round(60 * stated["share"])
        assert stated["interval"][0] <= stated["share"] <= stated["interval"][1]
        assert item.linf <= eps
        own = item.origin.class_
        assert own is not None
        assert abs(rate(model, item.images["image"], own) - stated["share"]) < 0.25
        assert abs(rate(model, item.images["origin"], own) - item.numbers_["rate_before"]["share"]) < 0.25
    shares = [
        np.mean([rate(model, one.images["image"], one.origin.class_) for one in items]) for items in (ours, plain)
    ]
    assert shares[0] > shares[1]


def test_a_rate_is_that_of_the_draws_of_its_own_generator() -> None:
    """One step of one draw, which is restated: then five fresh draws, of the origin and of the saved picture."""
    model = onnxray.open("lenet")
    item = EOT(eps=80.0, transform=TURNED, steps=1, draws=1, trials=5)(model, FILES[:1], seed=4).items[0]
    origin = item.images["origin"]
    (random,) = generators_of(origin[None], 4)
    draws = [draw(read_transformations(TURNED), origin.shape, random) for _ in range(6)][1:]
    for picture, name in ((origin, "rate_before"), (item.images["image"], "rate")):
        seen = viewed(np.repeat(picture[None].astype(np.float32), 5, 0), draws).array
        met = model.classify(Pixels.of(np.rint(seen))) != item.origin.class_
        assert item.numbers_[name]["reached"] == met.sum()
    assert item.queries == {"judge": 10, "forward": 1, "backward": 1}


def test_a_bisection_and_an_evaluation_take_it() -> None:
    """Success is that of the saved picture as it is; how often it holds when it is turned stands beside a bisection."""
    model, setting = onnxray.open("lenet"), ("steps=4", "draws=2", "trials=10", "transform=rotation=-20..20")
    item = Bisection(of="eot", setting=setting, first=64.0)(model, FILES[:1]).items[0]
    assert item.success
    assert item.linf <= item.numbers_["budget"]
    below = EOT(eps=item.linf - 1, steps=4, draws=2, trials=1, transform="rotation=-20..20")(model, FILES[:1]).items[0]
    assert not below.success or below.linf < item.linf  # it draws anew at each budget, so it may succeed below
    assert item.numbers_["rate"]["count"] == 10
    result = RobustnessEvaluation(eps="90", attacks="eot", trust_images=0)(model, FILES[:1])
    flipped = result.items[0].norms["eot"]
    assert flipped is not None
    assert flipped <= 90


def test_what_is_no_picture_and_no_transformation_is_refused() -> None:
    with pytest.raises(InputError, match="eot was given no transformation"):
        EOT(transform=())
    model = onnxray.open("lenet")
    with pytest.raises(InputError, match="turns and scales pictures"):
        EOT(wrt="relu1")(model, FILES[:1])
    with pytest.raises(InputError, match="turns and scales pictures"):
        Bisection(of="eot", wrt="relu1")(model, FILES[:1])
