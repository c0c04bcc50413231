"""The lists of class names that are shipped: those of their sources, in their order."""

import ast
import importlib.util
from pathlib import Path

import pytest

import onnxray_models

COUNTS = {"cifar10": 10, "cifar100": 100, "coco": 80, "imagenet": 1000, "mnist": 10, "voc": 20}
FOLDER = Path(onnxray_models.__file__).parent / "labels"


def test_every_list_has_its_classes_once() -> None:
    assert {name: len(onnxray_models.labels(name)) for name in onnxray_models.label_lists()} == COUNTS
    for name in COUNTS:
        labels = onnxray_models.labels(name)
        assert len(set(labels)) == len(labels)
        assert all(label == label.strip() and label for label in labels)


def test_each_file_says_what_it_holds_and_the_licence_is_there() -> None:
    for name in COUNTS:
        first = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("# ")
        assert "BSD" not in first or (FOLDER / "LICENSE-torchvision").read_text().startswith("BSD 3-Clause")


def torchvision_list(name: str) -> list[str]:
    """A list of torchvision's, read from its source: it cannot be imported beside every torch."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        pytest.skip("torchvision is not installed")
    tree = ast.parse((Path(spec.origin).parent / "models" / "_meta.py").read_text(encoding="utf-8"))
    found = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == name
    ]  # type: ignore[attr-defined]
    (labels,) = found
    assert isinstance(labels, list)
    return labels


def test_imagenet_is_torchvision_s() -> None:
    assert list(onnxray_models.labels("imagenet")) == torchvision_list("_IMAGENET_CATEGORIES")


def test_coco_and_voc_are_torchvision_s_but_for_what_has_no_boxes() -> None:
    coco = [label for label in torchvision_list("_COCO_CATEGORIES") if label not in {"__background__", "N/A"}]
    assert list(onnxray_models.labels("coco")) == coco
    assert ["__background__", *onnxray_models.labels("voc")] == torchvision_list("_VOC_CATEGORIES")


def test_cifar_100_is_in_the_order_of_the_alphabet() -> None:
    names = [label.replace(" ", "_") for label in onnxray_models.labels("cifar100")]
    assert names == sorted(names)
    assert (names[0], names[53], names[99]) == ("apple", "orange", "worm")


def test_an_unknown_list_is_refused() -> None:
    with pytest.raises(KeyError, match=r"no class names '\.\./lenet/lenet'; there are: cifar10"):
        onnxray_models.labels("../lenet/lenet")
