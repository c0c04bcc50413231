"""Class names out of files of every form, and by name."""

import json
from pathlib import Path
from typing import Any

import pytest

import onnxray
from onnxray.errors import ProfileError
from onnxray.images.profile.discovery import read_labels
from onnxray.images.profile.label_files import LABEL_LISTS

NAMES = ("tench, Tinca tinca", "goldfish", "great white shark")


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(NAMES),
        "\n".join(NAMES) + "\r\n\n",
        list(NAMES),
        repr(list(NAMES)),
        repr(dict(enumerate(NAMES))),
        {str(k): name for k, name in enumerate(NAMES)},
        {name: k for k, name in enumerate(NAMES)},
        {str(k): [f"n0000000{k}", name] for k, name in enumerate(NAMES)},
        {"model_type": "x", "id2label": {str(k): name for k, name in reversed(list(enumerate(NAMES)))}},
        {"label2id": {name: k for k, name in enumerate(NAMES)}},
        {"label_names": list(NAMES)},
        {"names": {str(k): name for k, name in enumerate(NAMES)}, "nc": 3},
    ],
)
def test_every_form(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "labels"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    assert read_labels(path) == NAMES
    assert read_labels(str(path)) == NAMES


def test_synset_lines_stay_whole(tmp_path: Path) -> None:
    (tmp_path / "synset.txt").write_text("n01440764 tench, Tinca tinca\nn01443537 goldfish\n")
    assert read_labels(tmp_path / "synset.txt") == ("n01440764 tench, Tinca tinca", "n01443537 goldfish")


def test_quotes_around_each_line_are_no_part_of_the_names(tmp_path: Path) -> None:
    """As the synset files of the model zoo have them; a line in quotes among others keeps them."""
    (tmp_path / "synset.txt").write_text("'n01440764 tench, Tinca tinca'\n'n01443537 goldfish'\n")
    assert read_labels(tmp_path / "synset.txt") == ("n01440764 tench, Tinca tinca", "n01443537 goldfish")
    (tmp_path / "mixed.txt").write_text('"so-called"\ncat\n')
    assert read_labels(tmp_path / "mixed.txt") == ('"so-called"', "cat")
    (tmp_path / "odd.txt").write_text("'a\"\n'\n")
    assert read_labels(tmp_path / "odd.txt") == ("'a\"", "'")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no class names"),
        ("[]", "holds no class names"),
        ("{}", "holds no class names"),
        ("[1, 2]", "holds no class names"),
        ('{"0": "a", "2": "b"}', "holds no class names"),
        ('{"a": 0, "b": 0}', "holds no class names"),
        ('{"a": ', "is no JSON"),
    ],
)
def test_what_holds_none(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "l.json").write_text(content)
    with pytest.raises(ProfileError, match=message) as caught:
        read_labels(tmp_path / "l.json")
    assert "\n" not in str(caught.value)


def test_lists_by_name() -> None:
    assert {name: len(read_labels(name)) for name in LABEL_LISTS} == {
        "mnist": 10, "cifar10": 10, "cifar100": 100, "voc": 20, "voc21": 21, "coco": 80,
        "imagenet": 1000, "imagenet-1001": 1001,
    }  # fmt: skip
    assert read_labels("COCO")[16] == "dog"
    assert read_labels("voc21") == ("background", *read_labels("voc"))
    assert read_labels("imagenet-1001") == ("background", *read_labels("ImageNet"))
    assert read_labels("imagenet")[281] == "tabby"
    with pytest.raises(ProfileError, match="did you mean 'cifar10'"):
        read_labels("cifar-10")


def test_a_model_is_opened_with_labels(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("\n".join("abcdefghij"))
    for labels in (tmp_path / "l.txt", str(tmp_path / "l.txt"), list("abcdefghij")):
        assert onnxray.open("lenet", labels=labels).label(3) == "d"
    assert onnxray.open("lenet", labels="mnist").label(3) == "3"
