"""Class names: stated ones, and those that are assumed on unmistakable grounds, which is said; never by a number alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.errors import OnnxrayError, ProfileError
from onnxray.images.profile.families import FAMILIES
from onnxray.images.profile.toml_form import toml_of
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.model.model import Model
from support import models

TIMM = {"input_size": [3, 8, 8], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "crop_pct": 1.0}


def classifier(
    count: int, *, closing: str = "Softmax", layout: str = "3,8,8", metadata: dict[str, str] | None = None
) -> onnx.ModelProto:
    """``count`` classes of a picture, the last of them the brightest weight."""
    last = "y = Identity (z)" if not closing else f"y = {closing} (z)"
    text = f"g (float[N,{layout}] x) => (float[N,{count}] y) {{ f = Flatten (x) z = MatMul (f, w) {last} }}"
    proto = models.parse(text, {"w": models.random(0, 192, count)})
    for key, value in (metadata or {}).items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    return proto


def opened(proto: onnx.ModelProto, folder: Path | None = None, config: Any = None, **options: Any) -> Model:
    if folder is None:
        return onnxray.open(proto, **options)
    onnx.save(proto, folder / "m.onnx")
    (folder / "config.json").write_text(json.dumps(config))
    return onnxray.open(folder / "m.onnx", **options)


def named(model: Model) -> tuple[int | None, str | None]:
    """How many names there are, and why where they were assumed."""
    assert model.profile is not None
    labels = model.answering.labels
    return None if labels is None else len(labels), model.profile.labels_assumed


@pytest.mark.parametrize("family", ["torchvision", "caffe-imagenet", "tensorflow"])
@pytest.mark.parametrize(
    ("count", "first", "called"),
    [(1000, "tench", "ImageNet-1k"), (1001, "background", "ImageNet-1k behind a background class")],
)
def test_a_preprocessing_of_imagenet_that_is_named(family: str, count: int, first: str, called: str) -> None:
    model = opened(classifier(count), profile=family)
    assert model.label(0) == first
    assert model.label(count - 1) == "toilet tissue"
    said = f"{called}, assumed because the profile {family}, as is stated, is ImageNet's and output 'y' gives {count} class scores"
    assert named(model) == (count, said)


@pytest.mark.parametrize("family", sorted(FAMILIES.keys() - {"torchvision", "caffe-imagenet", "tensorflow", "lenet"}))
def test_other_preprocessings_name_no_data_set(family: str) -> None:
    assert named(opened(classifier(1000), profile=family)) == (None, None)


@pytest.mark.parametrize("count", [2, 999, 1002])
def test_other_numbers_of_classes(count: int) -> None:
    assert named(opened(classifier(count), profile="torchvision")) == (None, None)


def test_never_by_the_number_alone() -> None:
    proto = classifier(1000)
    proto.producer_name = "pytorch"
    model = opened(proto)
    assert model.profile is not None
    assert model.profile.name == "torchvision"
    assert model.profile.assumed
    assert named(model) == (None, None)


def test_numbers_that_are_stated_over_a_family_make_it_another_s() -> None:
    assert named(opened(classifier(1000), profile="torchvision", picture={"resize": "stretch"}))[0] == 1000
    for other in ({"mean": (0.5,)}, {"std": (0.5,)}, {"scale": 1.0}, {"channels": "BGR"}):
        assert named(opened(classifier(1000), profile="torchvision", picture=other)) == (None, None)


def test_labels_of_each_by_itself_are_not_imagenet_s_by_a_preprocessing() -> None:
    assert named(opened(classifier(1000, closing="Sigmoid"), profile="torchvision")) == (None, None)
    stated = opened(classifier(1000, closing=""), profile="torchvision", output="y=embedding")
    assert named(stated) == (None, None)
    assert named(opened(classifier(1000, closing=""), profile="torchvision"))[0] == 1000


def test_names_that_were_assumed_make_no_output_surer() -> None:
    model = opened(classifier(1000, closing=""), profile="torchvision")
    assert model.head == opened(classifier(1000, closing=""), profile="torchvision", labels="none").head
    notes = Gradient()(model, [np.zeros((8, 8, 3), np.uint8)], 3).provenance.notes
    assert any("no softmax closes the graph" in note for note in notes)


@pytest.mark.parametrize(
    "value", ["ImageNet", "imagenet-1k", "ILSVRC/imagenet-1k", "ILSVRC2012", '["imagenet-21k", "timm/imagenet-1k"]']
)
@pytest.mark.parametrize("key", ["dataset", "datasets", "trained_on"])
def test_metadata_that_name_the_data_set(key: str, value: str) -> None:
    model = opened(classifier(1000, metadata={key: value}), profile="unit")
    count, why = named(model)
    assert count == 1000
    assert why is not None
    assert f"ImageNet-1k, assumed because ONNX metadata has {key} " in why


@pytest.mark.parametrize(
    ("value", "count", "closing", "name"),
    [
        ("CIFAR-10", 10, "Softmax", "airplane"), ("cifar100", 100, "Softmax", "apple"), ("MNIST", 10, "Softmax", "0"),
        ("PASCAL VOC 2012", 20, "Sigmoid", "aeroplane"), ("voc2007", 21, "Softmax", "background"), ("MS-COCO", 80, "Sigmoid", "person"),
    ],
)  # fmt: skip
def test_other_data_sets(value: str, count: int, closing: str, name: str) -> None:
    assert opened(classifier(count, closing=closing, metadata={"dataset": value}), profile="unit").label(0) == name


@pytest.mark.parametrize(
    "value", ["imagenet-21k", "imagenette", "a set like imagenet", '["imagenet-1k", "cifar10"]', "", "/"]
)
def test_metadata_that_name_no_such_set(value: str) -> None:
    assert named(opened(classifier(1000, metadata={"dataset": value}), profile="unit")) == (None, None)


@pytest.mark.parametrize("tag", ["a1_in1k", "in1k", "augreg_in21k_ft_in1k", "clip_laion2b_in12k_in1k_384"])
def test_a_tag_of_timm(tmp_path: Path, tag: str) -> None:
    model = opened(classifier(1000), tmp_path, {"architecture": "net", "pretrained_cfg": {**TIMM, "tag": tag}})
    count, why = named(model)
    assert count == 1000
    assert why is not None
    assert f"config.json has the tag '{tag}'" in why


@pytest.mark.parametrize("tag", ["augreg_in21k", "in1k_ft_in12k", "openai", "min1k", "in1kk", ""])
def test_a_tag_of_timm_for_another_set(tmp_path: Path, tag: str) -> None:
    config = {"architecture": "net", "pretrained_cfg": {**TIMM, "tag": tag}}
    assert named(opened(classifier(1000), tmp_path, config)) == (None, None)


def test_a_card_in_the_metadata(tmp_path: Path) -> None:
    card = json.dumps({**TIMM, "tag": "a1_in1k"})
    model = opened(classifier(1000, metadata={"pretrained_cfg": card}))
    assert named(model)[0] == 1000
    assert "ONNX metadata, pretrained_cfg has the tag 'a1_in1k'" in (named(model)[1] or "")


def test_a_transformers_configuration_that_names_the_set(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": "ViTImageProcessor",
                "size": {"height": 8, "width": 8},
                "do_normalize": True,
                "image_mean": [0.5] * 3,
                "image_std": [0.5] * 3,
            }
        )
    )
    model = opened(classifier(1000), tmp_path, {"model_type": "vit", "dataset": "imagenet-1k"})
    assert named(model)[0] == 1000
    stated = {str(k): f"thing {k}" for k in range(1000)}
    model = opened(classifier(1000), tmp_path, {"model_type": "vit", "dataset": "imagenet-1k", "id2label": stated})
    assert (model.label(3), named(model)) == ("thing 3", (1000, None))


def test_a_configuration_that_the_profile_does_not_come_from_is_passed_over(tmp_path: Path) -> None:
    assert named(opened(classifier(1000), tmp_path, {"dataset": "imagenet-1k"}, profile="unit")) == (None, None)


@pytest.mark.parametrize("options", [{"labels": "none"}, {"strict": True}])
def test_they_are_declined(options: dict[str, Any]) -> None:
    model = opened(classifier(1000), profile="torchvision", **options)
    assert named(model) == (None, None)
    assert model.label(0) == "0"


def test_none_declines_names_that_are_stated_too() -> None:
    proto = classifier(2, metadata={"names": '["a", "b"]'})
    model = opened(proto)
    assert model.label(1) == "b"
    assert opened(proto, labels="none").label(1) == "1"


def test_what_is_stated_counts_before_what_is_assumed(tmp_path: Path) -> None:
    own = [f"thing {k}" for k in range(1000)]
    model = opened(classifier(1000), profile="torchvision", labels=own)
    assert (model.label(3), named(model)) == ("thing 3", (1000, None))
    (tmp_path / "m.toml").write_text(toml_of(FAMILIES["torchvision"].complete(model.graph, source="x")))
    onnx.save(classifier(1000), tmp_path / "m.onnx")
    assert named(onnxray.open(tmp_path / "m.onnx")) == (None, None)


def test_every_result_says_it() -> None:
    model = opened(classifier(1000), profile="torchvision")
    result = Gradient()(model, [np.zeros((8, 8, 3), np.uint8)], "goldfish")
    assert result.items[0].target == "logit of class 1 (goldfish)"
    why = model.profile.labels_assumed if model.profile is not None else None
    assert f"labels: {why}; --labels none declines them" in result.provenance.notes
    assert result.to_dict()["profile"]["labels_assumed"] == why
    assert "labels_assumed" not in opened(classifier(1000), profile="torchvision", labels="imagenet").profile.to_dict()  # type: ignore[union-attr]


@pytest.mark.parametrize("labels", [5, 1.5, True, [1, 2], [], [None], ["a" * 1001], ["\ud800"], b"ab", object()])
@pytest.mark.parametrize("profile", [None, "torchvision"])
def test_what_is_no_labels_is_one_line(labels: Any, profile: str | None) -> None:
    with pytest.raises(OnnxrayError) as caught:
        onnxray.open(table() if profile is None else classifier(3), profile=profile, labels=labels)
    assert "\n" not in str(caught.value)
    assert "labels" in str(caught.value)


def test_any_row_of_names_is_labels() -> None:
    for labels in (np.array(["a", "b", "c"]), iter("abc"), {"a": 1, "b": 2, "c": 3}):
        assert onnxray.open(classifier(3), profile="torchvision", labels=labels).label(2) == "c"


# --- models without a picture


def table(count: int = 3) -> onnx.ModelProto:
    text = f"g (float[N,4] x) => (float[N,{count}] y) {{ z = MatMul (x, w) y = Softmax (z) }}"
    return models.parse(text, {"w": models.random(0, 4, count)})


ROWS = models.random(1, 5, 4)


def test_a_table_has_labels(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("setosa\nversicolor\nvirginica\n")
    expected = models.run(table(), {"x": ROWS})[0].argmax(1)
    for labels in (tmp_path / "l.txt", ["setosa", "versicolor", "virginica"]):
        model = onnxray.open(table(), labels=labels)
        assert model.profile is None
        assert model.predict(ROWS).labels == tuple(("setosa", "versicolor", "virginica")[k] for k in expected)
        assert Gradient()(model, ROWS[:1], "Virginica").items[0].target == "logit of class 2 (virginica)"
    with pytest.raises(ProfileError, match="2 labels are stated and output 'y' gives 3 classes: state 3 of them"):
        onnxray.open(table(), labels=["a", "b"]).predict(ROWS)
    assert onnxray.open(table(), labels="none").label(1) == "1"


@pytest.mark.parametrize("more", ["", '[inputs.x]\nkind = "table row"\n'])
def test_they_stand_in_the_toml_beside_a_model(tmp_path: Path, more: str) -> None:
    onnx.save(table(), tmp_path / "m.onnx")
    (tmp_path / "l.txt").write_text("a\nb\nc\n")
    for stated in ('["a", "b", "c"]', '"l.txt"'):
        (tmp_path / "m.toml").write_text(f"[head]\nlabels = {stated}\n{more}")
        model = onnxray.open(tmp_path / "m.onnx")
        assert (model.profile, model.label(2)) == (None, "c")
        assert onnxray.open(tmp_path / "m.onnx", output="y=classes").label(2) == "c"
        assert onnxray.open(tmp_path / "m.onnx", labels=["x", "y", "z"]).label(2) == "z"
        assert onnxray.open(tmp_path / "m.onnx", labels="none").label(2) == "2"


def test_the_outputs_of_a_table_are_stated_in_its_toml(tmp_path: Path) -> None:
    proto = models.parse(
        "g (float[N,4] x) => (float[N,1] y) { z = MatMul (x, w) y = Sigmoid (z) }", {"w": models.random(0, 4, 1)}
    )
    onnx.save(proto, tmp_path / "m.onnx")
    chance = models.run(proto, {"x": ROWS})[0][:, 0]
    (tmp_path / "m.toml").write_text('[head]\nthreshold = 0.9\nlabels = ["no", "yes"]\n')
    found = onnxray.open(tmp_path / "m.onnx").predict(ROWS)
    assert found.labels == tuple("yes" if one > 0.9 else "no" for one in chance)
    (tmp_path / "m.toml").write_text("[head]\nthreshold = 2\n")
    with pytest.raises(ProfileError, match=r"m\.toml: \[head\]: the threshold is 2"):
        onnxray.open(tmp_path / "m.onnx")


def test_they_count_where_a_model_begins_at_an_inner_value() -> None:
    model = onnxray.open(table(), labels=["a", "b", "c"])
    from onnxray.model.beginning import beginning_at

    inner, samples = beginning_at(model, "z", ["y"], model.pixels(ROWS))
    assert inner.predict(samples).labels == model.predict(ROWS).labels


ID2LABEL = {"model_type": "bert", "id2label": {"0": "low", "1": "middle", "2": "high"}}


@pytest.mark.parametrize("folder", [".", "onnx"])
def test_names_of_transformers_beside_a_model_without_pictures(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    onnx.save(table(), tmp_path / folder / "m.onnx")
    (tmp_path / "config.json").write_text(json.dumps(ID2LABEL))
    model = onnxray.open(tmp_path / folder / "m.onnx")
    assert [model.label(k) for k in range(3)] == ["low", "middle", "high"]
    assert onnxray.open(tmp_path / folder / "m.onnx", labels="none").label(0) == "0"
    assert onnxray.open(tmp_path / folder / "m.onnx", labels=["a", "b", "c"]).label(0) == "a"


@pytest.mark.parametrize(
    "config",
    [
        {"id2label": {"0": "low", "1": "high"}}, {"id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}},
        {"id2label": {"0": "low", "2": "high"}}, {"id2label": 3}, [], "{", None,
    ],
)  # fmt: skip
def test_what_does_not_fit_is_passed_over(tmp_path: Path, config: Any) -> None:
    onnx.save(table(), tmp_path / "m.onnx")
    if config is not None:
        (tmp_path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    model = onnxray.open(tmp_path / "m.onnx")
    assert model.answering.stated is None
    assert model.predict(ROWS).labels == tuple(str(k) for k in models.run(table(), {"x": ROWS})[0].argmax(1))


@pytest.mark.parametrize("key", ["labels", "names"])
def test_names_in_the_metadata_of_a_table(key: str) -> None:
    proto = table()
    entry = proto.metadata_props.add()
    entry.key, entry.value = key, "['a', 'b', 'c']"
    assert onnxray.open(proto).label(2) == "c"
    entry.value = "['a', 'b']"
    assert onnxray.open(proto).label(1) == "1"


@pytest.mark.parametrize(("labels", "shown"), [(["no", "yes"], ("no", "yes")), (["a", "b", "c"], ("0", "1"))])
def test_names_of_one_sigmoid(labels: list[str], shown: tuple[str, str]) -> None:
    proto = models.parse(
        "g (float[N,4] x) => (float[N,1] y) { z = MatMul (x, w) y = Sigmoid (z) }", {"w": models.random(0, 4, 1)}
    )
    entry = proto.metadata_props.add()
    entry.key, entry.value = "labels", repr(labels)
    model = onnxray.open(proto)
    assert (model.label(0), model.label(1)) == shown


def test_an_embedding_that_is_stated_has_no_classes(tmp_path: Path) -> None:
    proto = models.parse("g (float[N,4] x) => (float[N,3] y) { y = MatMul (x, w) }", {"w": models.random(0, 4, 3)})
    onnx.save(proto, tmp_path / "m.onnx")
    (tmp_path / "config.json").write_text(json.dumps(ID2LABEL))
    assert onnxray.open(tmp_path / "m.onnx", output="y=embedding").head.kind == "embedding"
    assert onnxray.open(tmp_path / "m.onnx", output="y=embedding").answering.labels is None
    assert onnxray.open(tmp_path / "m.onnx").predict(ROWS).labels[0] in {"low", "middle", "high"}


# --- the command line


def told(folder: Path, *arguments: str) -> Any:
    onnx.save(classifier(1000), folder / "m.onnx")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "p.png")
    result = CliRunner().invoke(app, [*arguments, "--profile", "torchvision"])
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.parametrize("command", [("classify",), ("saliency", "gradient", "-o", "OUT")])
def test_commands_say_it_once(tmp_path: Path, command: tuple[str, ...]) -> None:
    own = [str(tmp_path / "out") if part == "OUT" else part for part in command]
    result = told(tmp_path, *own, str(tmp_path / "m.onnx"), str(tmp_path / "p.png"), "--json")
    assert result.stderr.count("labels: ImageNet-1k, assumed because the profile torchvision") == 1
    document = json.loads(result.stdout)
    assert document["profile"]["labels"] == 1000
    assert document["profile"]["labels_assumed"].startswith("ImageNet-1k, assumed because")
    assert sum(note.startswith("labels: ImageNet-1k, assumed because") for note in document["notes"]) == 1
    declined = told(
        tmp_path, *own, str(tmp_path / "m.onnx"), str(tmp_path / "p.png"), "--json", "--labels", "none", "--overwrite"
    )
    assert "ImageNet" not in declined.output


def test_inspect_says_which_names_there_are(tmp_path: Path) -> None:
    result = told(tmp_path, "inspect", str(tmp_path / "m.onnx"))
    assert (
        "1000: tench, goldfish, great white shark, tiger shark, hammerhead, ...; ImageNet-1k, assumed because"
        in " ".join(result.stdout.split())
    )
    onnx.save(table(), tmp_path / "t.onnx")
    (tmp_path / "l.json").write_text('["a", "b", "c"]')
    for labels, shown in (("none", "labels none"), (str(tmp_path / "l.json"), "labels 3: a, b, c")):
        found = CliRunner().invoke(app, ["inspect", str(tmp_path / "t.onnx"), "--labels", labels])
        assert shown in " ".join(found.stdout.split())
