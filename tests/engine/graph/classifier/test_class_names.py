"""Class names by any synonym, and the near misses among them."""

import pytest

from onnxray.graph.classifier.class_names import near_names, places_of, short_name

LABELS = (
    "n01440764 tench, Tinca tinca",
    "n01443537 goldfish, Carassius auratus",
    "n02012849 crane",
    "n03126707 crane",
    "n02123045 tabby, tabby cat",
    "n02123159 tiger cat",
    "Tiger Cat, large",
    "golden_retriever",
    "9",
    "",
)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("n01443537 goldfish, Carassius auratus", [1]),
        ("goldfish", [1]),
        ("Goldfish", [1]),
        ("'goldfish'", [1]),
        ("\u201cgoldfish\u201d", [1]),
        ("carassius AURATUS", [1]),
        ("n01443537", [1]),
        ("goldfish, carassius auratus", [1]),
        ("crane", [2, 3]),
        ("tabby cat", [4]),
        ("tiger cat", [5]),  # the whole name of one, a synonym of the other
        ("large", [6]),
        ("golden retriever", [7]),
        ("Golden_Retriever", [7]),
        ("9", [8]),
        ("fish", []),
        ("", [9]),
        ("''", []),
        ("cat", []),
    ],
)
def test_a_class_is_found_by_any_of_its_names(text: str, places: list[int]) -> None:
    assert places_of(LABELS, text) == places


def test_what_is_written_wins() -> None:
    assert places_of(("cat", "Cat", "CAT, felis"), "Cat") == [1]
    assert places_of(("cat", "Cat", "CAT, felis"), "cAt") == [0, 1]
    assert places_of(("a cat", "CAT, felis"), "cat") == [1]


@pytest.mark.parametrize(
    ("text", "near"), [("goldfsh", "goldfish"), ("Carasius auratus", "carassius auratus"), ("tenchh", "tench")]
)
def test_near_misses_are_names_of_classes(text: str, near: str) -> None:
    assert near_names(LABELS, text)[0] == near
    assert places_of(LABELS, near)


def test_nothing_is_near_what_is_far() -> None:
    assert near_names(LABELS, "x" * 100_000) == []
    assert near_names((), "cat") == []


@pytest.mark.parametrize(
    ("label", "short"),
    [
        ("n02058221 albatross, mollymawk", "albatross"), ("goldfish, Carassius auratus", "goldfish"), ("goldfish", "goldfish"),
        ("n02058221", "n02058221"), (", a", ", a"), ("", ""), ("n020 bird", "n020 bird"),
    ],
)  # fmt: skip
def test_short_names(label: str, short: str) -> None:
    assert short_name(label) == short
