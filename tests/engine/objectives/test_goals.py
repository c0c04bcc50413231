"""What LOTS can be aimed at, how it is read, and what is refused in one line."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import onnxray
from onnxray.errors import InputError, NotDifferentiable, OnnxrayError, UnknownValue, ZeroGradient
from onnxray.images.files import save_png
from onnxray.methods.lots.lots import LOTS
from onnxray.objectives.goals import Own, TargetImages, TargetValues, as_goal, read_values
from support import models
from support.linear import RAW, SIDE, Linear, moved, pictures

NET = Linear.random()
LINF = {"until": "linf", "linf": 32}


def lenet(batch: int | str = "N") -> onnxray.Model:
    return onnxray.open(models.lenet(batch), models.GREY)


def refused(kind: type[OnnxrayError], method: LOTS, model: onnxray.Model, images: object, goal: object) -> str:
    with pytest.raises(kind) as caught:
        method(model, images, goal)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- reading


def test_goals_as_users_give_them():
    assert as_goal("inhibit") == Own(mode="inhibit")
    assert as_goal("magnify") == Own(mode="magnify")
    goal = TargetImages(images="a.png", pairing="all")
    assert as_goal(goal) is goal
    assert as_goal(["a.png", "b.png"]) == TargetImages(images=["a.png", "b.png"])
    assert isinstance(as_goal({"h": [1.0]}), TargetValues)
    assert isinstance(as_goal(np.zeros((1, 4, 4))), TargetImages)
    with pytest.raises(InputError, match="no goal"):
        as_goal(None)
    with pytest.raises(InputError, match="'fade'; 'inhibit' or 'magnify'"):
        Own(mode="fade")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'every'; 'zip' or 'all'"):
        TargetImages(images=[], pairing="every")  # type: ignore[arg-type]


def test_values_are_read_from_npy_and_npz(tmp_path: Path):
    array = np.arange(6, dtype=np.float32)
    np.save(tmp_path / "one.npy", array)
    np.savez(tmp_path / "more.npz", **{"h": array, "/a/b": array[None]})
    one, more = read_values(tmp_path / "one.npy"), read_values(str(tmp_path / "more.npz"))
    assert np.array_equal(one.values, array)  # type: ignore[arg-type]
    assert one.source == str(tmp_path / "one.npy")
    assert set(more.values) == {"h", "/a/b"}
    assert np.array_equal(more.values["/a/b"], array[None])  # type: ignore[call-overload]


class Bomb:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (Path.mkdir, (Path("unpickled"),))  # type: ignore[return-value]


def _bytes(write: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


ZIP = _bytes(lambda stream: np.savez_compressed(stream, h=np.arange(5000)))
BAD_FILES = {
    "pickle.npy": _bytes(lambda stream: np.save(stream, np.array([Bomb()], object), allow_pickle=True)),
    "pickle.npz": _bytes(lambda stream: np.savez(stream, h=np.array([Bomb()], object))),
    "empty.npy": b"",
    "text.npy": b"1 2 3\n",
    "cut.npy": _bytes(lambda stream: np.save(stream, np.arange(9)))[:-3],
    "cut.npz": ZIP[: len(ZIP) // 2],
    "damaged.npz": ZIP[:120] + bytes(64) + ZIP[184:],
    "huge.npy": b"\x93NUMPY\x01\x00\x76\x00"
    + b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999, 99999999), }".ljust(117)
    + b"\n",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_hold_no_numbers_are_refused_and_never_unpickled(name: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(BAD_FILES[name])
    with pytest.raises(InputError, match=name) as caught:
        read_values(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "unpickled").exists()


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        read_values(tmp_path / "none.npy")
    with pytest.raises(InputError, match=tmp_path.name):
        read_values(tmp_path)


# --- pairs


def test_one_target_for_all_one_each_and_every_pair(tmp_path: Path):
    origins, targets = pictures(3), pictures(3, seed=1)
    model, method = NET.open(), LOTS(layer=("h", "z"), **LINF)

    def pairs(images: object, goal: object) -> list[tuple[str, str | None, str]]:
        items = method(model, images, goal).items
        for item in items:
            origin, target = (int(item.stems[role].split("/")[1]) for role in ("origin", "target"))
            if item.layer == "h":
                eta = NET.eta(origins[origin], NET.h(item.images["target"]))
                assert np.array_equal(item.images["target"], targets[target])
                assert np.array_equal(item.images["image"], moved(origins[origin], eta, 32))
        return [(*(item.stems[role].split("/")[1] for role in ("origin", "target")), item.layer) for item in items]

    def both(*indices: str) -> list[tuple[str, str, str]]:
        return [(pair[0], pair[1], layer) for pair in indices for layer in ("h", "z")]

    assert pairs(origins, targets[:1]) == both("00", "10", "20")
    assert pairs(origins, targets) == both("00", "11", "22")
    assert pairs(origins[:1], targets) == both("00", "01", "02")
    every = TargetImages(images=targets[:2], pairing="all")
    assert pairs(origins, every) == both("00", "01", "10", "11", "20", "21")
    assert pairs(origins[:2], TargetImages(images=targets[:2], pairing="all")) == both("00", "01", "10", "11")
    assert "3 origins and 2 targets" in refused(InputError, method, model, origins, targets[:2])


def test_target_images_by_path_keep_their_names_and_notes(tmp_path: Path):
    save_png(tmp_path / "a.png", pictures(1)[0])
    Image.new("RGB", (30, 30), (200, 30, 90)).save(tmp_path / "b.png")
    result = LOTS(layer="h", **LINF)(NET.open(), tmp_path / "a.png", [tmp_path / "b.png"])
    item = result.items[0]
    assert item.origin.path == str(tmp_path / "a.png")
    assert item.target is not None
    assert item.target.path == str(tmp_path / "b.png")
    assert any("target" in note and "converted to grey" in note for note in result.provenance.notes)
    assert any("target" in note and "resized 30x30" in note for note in result.provenance.notes)


def test_representations_alone_for_one_or_several_layers():
    origins = pictures(2)
    h = np.stack([NET.h(image) for image in pictures(2, seed=1)])
    model = NET.open()
    for values in (h[0], h[:1], {"h": h[0]}, {"h": h[0].tolist()}, h[0].astype(np.int64)):
        for origin, item in zip(origins, LOTS(layer="h", **LINF)(model, origins, TargetValues(values=values)).items):
            assert np.array_equal(item.images["image"], moved(origin, NET.eta(origin, h[0]), 32))
            assert item.target is None
            assert item.target_source == "array"
    for origin, wanted, item in zip(origins, h, LOTS(layer="h", **LINF)(model, origins, {"h": h}).items):
        assert np.array_equal(item.images["image"], moved(origin, NET.eta(origin, wanted), 32))
    both = {"logits": np.ones(4), "h": h[0]}
    items = LOTS(layer=("h", "z"), **LINF)(model, origins, both).items
    assert [item.layer for item in items] == ["h", "z", "h", "z"]
    assert items[0].numbers()["target"] is None
    assert items[0].numbers()["target_values"] == "array"
    assert items[0].cosine_before is not None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros(5), "has the shape [5]; 'h' has [6] an image"),
        (np.zeros((2, 6, 1)), "has the shape [2, 6, 1]; 'h' has [6] an image"),
        (np.zeros((0, 6)), "has the shape [0, 6]; 'h' has [6] an image"),
        (np.zeros((3, 6)), "2 origins and 3 targets"),
        (np.float32(1), "has the shape []; 'h' has [6] an image"),
        (np.array([1, 2, 3, np.nan, 5, 6]), "finite numbers"),
        (np.array([1, 2, 3, np.inf, 5, 6]), "finite numbers"),
        (np.array([1, 2, 3, 1e300, 5, 6]), "finite numbers"),
        (np.zeros(6, complex), "finite numbers"),
        (np.array(["a"] * 6), "finite numbers"),
        (np.array([None] * 6), "finite numbers"),
        ([[1, 2], [3]], "finite numbers"),
        ({"z": np.zeros(4)}, "no target representation was given for 'h'; there are some for ['z']"),
        ({"h": np.zeros(6), "hh": np.zeros(6)}, "no value 'hh'"),
        ({"logits": np.zeros(4), "z": np.zeros(4), "h": np.zeros(6)}, "another one's"),
        ({"*": np.zeros(4)}, "no single layer"),
    ],
)
def test_representations_that_do_not_fit(values: object, words: str):
    with pytest.raises((InputError, UnknownValue)) as caught:
        LOTS(layer="h", **LINF)(NET.open(), pictures(2), TargetValues(values=values))  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layers_must_agree_on_the_number_of_representations():
    values = {"h": np.zeros((2, 6)), "z": np.zeros((3, 4))}
    said = refused(InputError, LOTS(layer=("h", "z"), **LINF), NET.open(), pictures(1), values)
    assert "different numbers of target representations: [2, 3]" in said
    said = refused(InputError, LOTS(layer=("h", "z")), NET.open(), pictures(1), TargetValues(values=np.zeros(6)))
    assert "one representation was given for 2 layers" in said


# --- nothing to do


def test_an_origin_of_the_targets_class_is_refused_by_name(tmp_path: Path):
    images = pictures(200)
    classes = [NET.class_of(image) for image in images]
    own = int(np.bincount(classes).argmax())
    same = [image for image, found in zip(images, classes) if found == own][:2]
    other = next(image for image, found in zip(images, classes) if found != own)
    paths = [tmp_path / name for name in ("other.png", "same.png", "target.png")]
    for path, image in zip(paths, (other, *same)):
        save_png(path, image)
    said = refused(InputError, LOTS(layer="h"), NET.open(), paths[:2], paths[2])
    assert str(paths[1]) in said
    assert str(paths[0]) not in said
    assert f"is of the target's class '{own}' already" in said
    said = refused(InputError, LOTS(layer="h", target_class=str(own)), NET.open(), [other, same[0]], "inhibit")
    assert "origin 1 is of the target's class" in said


def test_a_target_that_is_the_origin_leaves_no_direction():
    model = lenet()
    image = models.pictures(1)
    for goal in (image, TargetValues(values=model.values(image, ["conv1"])["conv1"])):
        for method in (LOTS(layer="conv1", **LINF), LOTS(layer="conv1", until="distance", steps=3)):
            # Two runs of one network never agree to the last bit: what they leave is noise, not a direction.
            said = refused(ZeroGradient, method, model, np.rint(image), _rounded(model, goal))
            assert "has the target's representation at 'conv1' already" in said


def test_under_the_cosine_a_parallel_target_leaves_no_direction_and_zero_is_none():
    origins = pictures(2)
    method = LOTS(layer="h", metric="cosine")
    parallel = TargetValues(values=3 * NET.h(origins[1]))
    said = refused(ZeroGradient, method, NET.open(), origins, parallel)
    assert "origin 1 has the target's representation at 'h' already" in said
    assert LOTS(layer="h", distance=0.9)(NET.open(), origins[1], parallel).items[0].success
    said = refused(InputError, method, NET.open(), origins, TargetValues(values=np.zeros(6)))
    assert "representation at 'h' is all zeros" in said


def _rounded(model: onnxray.Model, goal: object) -> object:
    if isinstance(goal, TargetValues):
        return TargetValues(values=model.values(np.rint(models.pictures(1)), ["conv1"])["conv1"])
    return np.rint(np.asarray(goal))


def test_an_origin_that_is_near_enough_already_is_refused():
    origins = pictures(2)
    wanted = NET.h(origins[1]) + 1
    method = LOTS(layer="h", relative=False, distance=100)
    said = refused(InputError, method, NET.open(), origins, TargetValues(values=wanted))
    assert "origin 1 is as near to the target at 'h' as is wanted already (2.449)" in said
    said = refused(InputError, LOTS(layer="h", distance=1), NET.open(), origins, TargetValues(values=wanted))
    assert "origin 0 is as near" in said


def test_a_dead_layer_names_itself_and_the_origin():
    weights = models.lenet_weights()
    weights["b2"] -= 1e4
    model = onnxray.open(models.lenet(weights=weights), models.GREY)
    images = models.pictures(2)
    for goal in ("inhibit", "magnify"):
        said = refused(ZeroGradient, LOTS(layer=("conv2", "relu2"), **LINF), model, images, goal)
        assert "origin 0: the gradient at 'relu2' is zero everywhere" in said
    for metric in ("euclidean", "cosine"):
        method = LOTS(layer="relu2", metric=metric, **LINF)  # type: ignore[arg-type]
        said = refused(ZeroGradient, method, model, images, {"relu2": np.ones((32, 6, 6))})
        assert "'relu2' is zero everywhere" in said


# --- layers


def test_layers_by_default_by_alias_by_glob_and_several():
    image = models.pictures(1)

    def layers(layer: object) -> list[str]:
        return [item.layer for item in LOTS(layer=layer, **LINF)(lenet(), image, "magnify").items]  # type: ignore[arg-type]

    assert layers(None) == ["conv1", "conv2", "ip1", "ip2"]
    assert layers("logits") == ["ip2"]
    assert layers("last-conv") == ["conv2"]
    assert layers("conv*") == ["conv1", "conv2"]
    assert layers(("ip1", "conv1", "ip1", "conv*")) == ["ip1", "conv1", "conv2"]
    assert layers(["first"]) == ["conv1"]  # the node's name
    with pytest.raises(UnknownValue, match="nearest: 'conv"):
        layers("conv9")
    with pytest.raises(UnknownValue, match="whole value"):
        layers("conv1:2")
    with pytest.raises(UnknownValue, match="pattern"):
        layers("fc*")


def test_a_representation_alone_is_a_goal_of_arrays_too():
    text = "flat (float[N,7] x) => (float[N,2] z) { z = MatMul (x, w) }"
    weights = models.random(0, 7, 2)
    model = onnxray.open(models.parse(text, {"w": weights}))
    x, goal = models.random(1, 1, 7), models.random(2, 2)
    (item,) = LOTS(layer="z", steps=300, distance=0.1)(model, x, TargetValues(values=goal)).items
    z = item.arrays()["image x"][1] @ weights
    assert item.success
    assert item.until == "distance"
    assert np.linalg.norm(z - goal) <= 0.1 * np.linalg.norm(x[0] @ weights - goal) * (1 + 1e-5)


def test_a_layer_without_one_row_an_image_is_refused():
    text = f"""rows (float[N,1,{SIDE},{SIDE}] x) => (float[N,2] z) {{
      halves = Reshape (x, two)
      flat = Flatten (x)
      z = MatMul (flat, w)
      winner = ArgMax <axis = 1> (z)
    }}"""
    weights = {"two": np.array([-1, SIDE * SIDE // 2]), "w": models.random(0, SIDE * SIDE, 2)}
    model = onnxray.open(models.parse(text, weights), RAW)
    said = refused(InputError, LOTS(layer="halves", **LINF), model, pictures(2), "magnify")
    assert "'halves' has the shape [2, 72] for one image" in said
    refused(NotDifferentiable, LOTS(layer="winner", **LINF), model, pictures(1), "magnify")


def test_a_graph_without_weights_asks_for_a_layer():
    text = f"""pool (float[N,1,{SIDE},{SIDE}] x) => (float[N,2] z) {{
      pooled = MaxPool <kernel_shape = [6, 12], strides = [6, 12]> (x)
      z = Flatten (pooled)
    }}"""
    said = refused(InputError, LOTS(), onnxray.open(models.parse(text), RAW), pictures(1), "inhibit")
    assert "no layers with weights" in said
