"""The bars of a TCAV run: one PNG, whatever concepts and layers are called, and however many there are."""

import io

import numpy as np
import pytest
from PIL import Image

from onnxray.methods.concepts.item import ConceptItem
from onnxray.report.concept_report import concepts_plot


def item(concept: str, **changes: object) -> ConceptItem:
    facts: dict[str, object] = {
        "concept": concept, "folder": concept, "layer": "conv5", "target": "logit of class 3", "images": 12, "pictures_": 20,
        "score": 0.8, "spread": 0.1, "random_score": 0.5, "random_spread": 0.2, "p_value": 1e-4, "significant": True,
        "accuracy": 0.9, "trials": 4, "reason": None, "stem": "0", "scores": np.full(4, 0.8), "random_scores": np.full(4, 0.5),
        "sensitivities": np.zeros((4, 12), np.float32),
    }  # fmt: skip
    return ConceptItem(**{**facts, **changes})  # type: ignore[arg-type]


def drawn(items: list[ConceptItem], title: str = "TCAV on net.onnx") -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(concepts_plot(items, title=title))).convert("RGB")).astype(int)


def blue(picture: np.ndarray) -> int:
    """How many pixels have the colour of a significant concept, #0072b2."""
    return int((np.abs(picture - [0x00, 0x72, 0xB2]).max(2) < 8).sum())


def test_a_bar_is_as_long_as_its_score() -> None:
    counts = [blue(drawn([item("striped", score=score, spread=0.0)])) for score in (0.25, 0.5, 1.0)]
    assert counts[0] > 1000
    assert counts[1] == pytest.approx(2 * counts[0], rel=0.05)
    assert counts[2] == pytest.approx(4 * counts[0], rel=0.05)


def test_what_is_not_significant_is_pale() -> None:
    whole = blue(drawn([item("striped")]))
    assert blue(drawn([item("striped", significant=False)])) < whole / 20
    assert blue(drawn([item("striped", significant=False, reason="told from random by chance")])) < whole


@pytest.mark.parametrize(
    "name", ["$\\frac{", "<script>alert(1)</script>", "a\nb\x1b[31m\u202e", "\u4e2d\U0001f600", "n" * 400, ""]
)
def test_names_of_strangers(name: str) -> None:
    picture = drawn([item(name, layer=name, target=name)], title=name)
    assert picture.shape[1] < 1600
    assert blue(picture) > 1000


def test_many_concepts_are_cut_and_no_p_value_is_drawn() -> None:
    few, many = (drawn([item(str(k), p_value=None) for k in range(count)]) for count in (3, 90))
    assert few.shape[0] < many.shape[0] < 6000
