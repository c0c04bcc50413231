"""A profile as TOML with its side files: read, written, and every malformed one refused in one line."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from onnxray.errors import ProfileError
from onnxray.graph.outputs.stated import StatedOutput
from onnxray.images.profile.mean_image import MeanImage
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.toml_form import describes_picture, head_table, read_profile, toml_of
from support.profiles import PLAIN

TOML = """
name = "net"
layout = "NHWC"
channels = "BGR"
scale = 0.5
mean = [1, 2.5, 3]
std = [1, 2, 4]
size = [4, 5]
"""


def test_toml_is_read_with_defaults(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(TOML)
    profile = read_profile(path)
    assert profile == Profile(
        name="net",
        layout="NHWC",
        channels="BGR",
        scale=0.5,
        mean=(1, 2.5, 3),
        std=(1, 2, 4),
        size=(4, 5),
        source="m.toml",
    )
    assert (profile.resize, profile.interpolation, profile.crop_fraction) == ("crop", "bilinear", 0.875)
    assert read_profile(TOML).source == "TOML text"


def test_toml_round_trip() -> None:
    profile = Profile(
        **PLAIN
        | {"name": 'a "b"\\ \x7f\n\x01 é', "scale": 1 / 255, "mean": (1e-7, 1e22, -3), "resize": "pad"}
        | {"interpolation": "bicubic", "crop_fraction": 0.9, "labels": ("tench, Tinca", "\t'x'", ""), "logits": "a:0"},
        source="TOML text",
    )
    assert read_profile(toml_of(profile)) == profile


def test_side_files(tmp_path: Path) -> None:
    mean = np.asfortranarray(np.random.default_rng(0).uniform(0, 255, (3, 4, 5)).astype(np.float32))
    np.save(tmp_path / "mean.npy", mean)
    (tmp_path / "labels.txt").write_text("cat\n\ndog, hound\r\n\n", encoding="utf-8")
    text = re.sub("mean = .*", 'mean = "mean.npy"', TOML)
    (tmp_path / "m.toml").write_text(text + 'labels = "labels.txt"\n')
    profile = read_profile(tmp_path / "m.toml")
    assert isinstance(profile.mean, MeanImage)
    assert np.array_equal(profile.mean.array, mean)
    assert profile.mean.path == "mean.npy"
    assert profile.labels == ("cat", "", "dog, hound")
    (tmp_path / "n.toml").write_text(toml_of(profile))
    assert read_profile(tmp_path / "n.toml") == dataclasses.replace(profile, source="n.toml")


def test_labels_are_a_list_by_its_name_where_no_file_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(TOML + 'labels = "voc"\n')
    labels = read_profile(tmp_path / "m.toml").labels
    assert labels is not None
    assert (len(labels), labels[0]) == (20, "aeroplane")
    assert read_profile(TOML + 'labels = "imagenet-1001"\n').labels[:2] == ("background", "tench")  # type: ignore[index]
    (tmp_path / "voc").write_text("one\ntwo\n")
    assert read_profile(tmp_path / "m.toml").labels == ("one", "two")


def test_what_is_stated_of_the_outputs(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    (tmp_path / "l.txt").write_text("a\nb\n")
    expected = StatedOutput(output="y", kind="classes", threshold=0.4, labels=("a", "b"))
    for labels in ('["a", "b"]', '"l.txt"'):
        head = f'[head]\noutput = "y"\nkind = "classes"\nthreshold = 0.4\nlabels = {labels}\n'
        path.write_text(head)
        assert head_table(path) == expected
        assert not describes_picture(path)
        path.write_text(TOML + head)
        assert head_table(path) == read_profile(path).head == expected
        assert describes_picture(path)
    path.write_text(TOML)
    assert head_table(path) is None
    path.write_text(toml_of(dataclasses.replace(read_profile(TOML), head=expected)))
    assert read_profile(path).head == expected
    shown = dataclasses.replace(read_profile(TOML), head=expected).to_dict()["head"]
    assert shown == {"output": "y", "kind": "classes", "threshold": 0.4, "labels": 2}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("[]", "the labels of an output: "), ("[1]", "the labels of an output: 1; text expected"),
        ("3", "the labels of an output: 3; a list of class names, one a logit expected"),
        ('"../l.txt"', "expected a file in the folder of the profile; class names from elsewhere: --labels FILE"),
        ('"none.txt"', "no such file"),
        (f'["{"x" * 1001}"]', "class names of at most 1000 characters, not 1001 expected"),
    ],
)  # fmt: skip
def test_labels_of_an_output_that_are_none(tmp_path: Path, labels: str, message: str) -> None:
    (tmp_path / "m.toml").write_text(f"[head]\nlabels = {labels}\n")
    with pytest.raises(ProfileError, match=message) as caught:
        head_table(tmp_path / "m.toml")
    assert "\n" not in str(caught.value)


def test_mean_image_without_a_file_cannot_be_toml(tmp_path: Path) -> None:
    profile = Profile(**PLAIN | {"mean": MeanImage(np.ones((3, 4, 5), np.float32))})
    with pytest.raises(ProfileError, match="its mean image is in no file"):
        toml_of(profile)
    assert isinstance(profile.mean, MeanImage)
    (tmp_path / "mean.npy").write_bytes(profile.mean.npy_bytes())
    saved = dataclasses.replace(profile.mean, path="mean.npy")
    (tmp_path / "m.toml").write_text(toml_of(dataclasses.replace(profile, mean=saved)))
    assert read_profile(tmp_path / "m.toml").mean == saved


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no .npy file"),
        (b"not a numpy file at all", "is no .npy file"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\nsystem\n"), "object of shape (1,)"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999, 99999, 999), }"), "in 128 bytes"),
        (npy("__import__('os').abort()"), "is no .npy file"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2, 2), }", b"\0" * 48), "expected (3, 4, 5)"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", b"\0" * 16), "finite numbers of shape"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4, 5), }", b"\0\0\xc0\x7f" * 60), "finite"),
        (b"\0" * (8 * 2**20 + 1), "larger than 8 MiB"),
    ],
)
def test_malformed_mean_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "mean.npy").write_bytes(content)
    (tmp_path / "m.toml").write_text(re.sub("mean = .*", 'mean = "mean.npy"', TOML))
    with pytest.raises(ProfileError, match=re.escape(message)):
        read_profile(tmp_path / "m.toml")


@pytest.mark.parametrize("name", ["../mean.npy", "/etc/hostname", "link.npy", ".", "a/../../mean.npy"])
def test_side_files_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "mean.npy", np.zeros((3, 4, 5), np.float32))
    folder = tmp_path / "inner"
    folder.mkdir()
    try:
        (folder / "link.npy").symlink_to(tmp_path / "mean.npy")
    except OSError:  # Windows asks for a privilege
        pytest.skip("no symbolic links")
    for key, text in (("mean", re.sub("mean = .*", f'mean = "{name}"', TOML)), ("labels", f'{TOML}labels = "{name}"')):
        (folder / "m.toml").write_text(text)
        with pytest.raises(ProfileError, match=f"m.toml: {key} is '.*'; expected a file in the folder of the profile"):
            read_profile(folder / "m.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "TOML text: is no TOML"),
        ("a = " + "[" * 9000, "TOML text: is no TOML"),
        ('name = "x"', "missing layout, channels, scale, mean, std, size; a profile needs name"),
        (TOML + "meen = [1]", "unknown key 'meen'; did you mean 'mean'?"),
        (TOML + "zzzzzz = 1", "unknown key 'zzzzzz'; the keys are name, layout"),
        (TOML.replace('"NHWC"', '"nhwc"'), "(TOML text): layout is 'nhwc'; expected one of NCHW, NHWC"),
        (TOML.replace("0.5", "inf"), "scale is inf; expected a finite number"),
        (TOML.replace("[4, 5]", "[4.5, 5]"), "expected [height, width]"),
        (TOML.replace("[1, 2, 4]", "3"), "std is 3; expected a list of 3 numbers"),
        (TOML + 'labels = "labels.txt"', "cannot name side files"),
        (TOML.replace("[1, 2.5, 3]", '"mean.npy"'), "cannot name side files"),
    ],
)
def test_malformed_toml(text: str, message: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(message)) as caught:
        read_profile(text)
    assert "\n" not in str(caught.value)


def test_unreadable_toml_files(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"absent.toml: no such file"):
        read_profile(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(ProfileError, match=r"latin.toml: is not UTF-8"):
        read_profile(tmp_path / "latin.toml")
    (tmp_path / "m.toml").write_text(TOML + 'labels = "absent.txt"')
    with pytest.raises(ProfileError, match=r"absent.txt: no such file"):
        read_profile(tmp_path / "m.toml")
    (tmp_path / "m.toml").write_text(TOML + r'labels = "a\u0000b"')
    with pytest.raises(ProfileError, match="labels is"):
        read_profile(tmp_path / "m.toml")
