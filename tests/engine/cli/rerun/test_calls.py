"""A run done again from what its result says: the same, or where it differs; inputs found, changed or gone."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.errors import InputError, OutputError
from onnxray.images.files import save_png
from onnxray.images.profile.toml_form import toml_of
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.synthesis.maximize import Maximize
from onnxray.objectives.goals import read_values
from support import models

COMMANDS: dict[str, tuple[str, ...]] = {
    "lots": ("lots", "m.onnx", "a.png", "--target", "b.png", "--layer", "ip1"),
    "lots with values": ("lots", "m.onnx", "a.png", "--target-values", "t.npy", "--layer", "ip1"),
    "lots of a folder": ("lots", "m.onnx", "pictures", "--self", "inhibit", "--layer", "ip2", "--summary"),
    "saliency": ("saliency", "grad-cam", "m.onnx", "a.png", "--layer", "conv2", "--colormap", "PuOr"),
    "seeded": ("saliency", "rise", "m.onnx", "a.png", "--masks", "20", "--seed", "5"),
    "switches": ("saliency", "gradient", "m.onnx", "a.png", "--overlay-original", "--enlarge", "2", "--target", "3"),
    "check": ("saliency", "check", "gradient", "m.onnx", "a.png", "--curve-steps", "3", "--noise-copies", "2"),
    "compare maps": ("saliency", "compare", "m.onnx", "a.png", "--methods", "gradient,grad-cam", "--curve-steps", "3"),
    "layers": ("saliency", "layers", "m.onnx"),
    "invert": ("invert", "m.onnx", "a.png", "--layer", "ip1", "--steps", "3"),
    "visualize": ("visualize", "maximize", "m.onnx", "--target", "1", "--target", "class:2", "--steps", "3"),
    "values": ("values", "m.onnx", "a.png", "--value", "conv1", "--value", "ip*"),
    "classify": ("classify", "m.onnx", "pictures", "--top", "2"),
    "verify": ("verify", "m.onnx", "a.png"),
    "inspect": ("inspect", "m.onnx"),
    "attack": ("attack", "fgsm", "m.onnx", "a.png"),
    "robustness": (
        "attack", "evaluate", "m.onnx", "classes", "--labels", "folders", "--eps", "2,8", "--attacks", "fgsm,pgd",
    ),
    "universal": ("attack", "universal", "m.onnx", "pictures", "--held-out", "others", "--by", "gradient", "--epochs", "2"),
    "patch": (
        "attack", "patch", "m.onnx", "pictures", "--transform", "rotation=-9..9", "--steps", "2", "--batch", "2",
        "--trials", "4",
    ),
    "concepts": (
        "tcav", "m.onnx", "a.png", "--concept", "shown", "--random", "others", "--layer", "conv1", "--trials", "2",
    ),
    "compare models": ("compare", "m.onnx", "n.onnx", "a.png", "--method", "gradient"),
}  # fmt: skip


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def done(*arguments: object) -> None:
    result = run(*arguments)
    assert result.exit_code == 0, result.output


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder with two models and pictures, which is worked in."""
    before = Path.cwd()
    os.chdir(tmp_path)
    for name, seed in (("m", 0), ("n", 1)):
        onnx.save(models.lenet(weights=models.lenet_weights(seed)), f"{name}.onnx")
    Path("onnxray.toml").write_text("profile = 'p.toml'\n")
    Path("p.toml").write_text(toml_of(models.GREY))
    for name in ("pictures", "others", "shown"):
        Path(name).mkdir()
    for k, name in enumerate(
        (
            "a.png",
            "b.png",
            *(f"pictures/{x}.png" for x in "cd"),
            *(f"{folder}/{x}.png" for folder in ("others", "shown") for x in "efghij"),
        )
    ):
        save_png(Path(name), np.random.default_rng(k).integers(0, 256, (1, 14, 14)).astype(np.uint8))
    for number in "03":
        (Path("classes") / number).mkdir(parents=True)
        shutil.copy("a.png", f"classes/{number}/{number}.png")
    np.save("t.npy", np.random.default_rng(9).standard_normal(20).astype(np.float32))
    yield tmp_path
    os.chdir(before)


def document(folder: str = "r") -> Any:
    return json.loads((Path(folder) / "result.json").read_bytes())


def rewrite(found: Any, folder: str = "r") -> None:
    (Path(folder) / "result.json").write_text(json.dumps(found))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_run_again_with_the_same_bytes(name: str, place: Path) -> None:
    done(*COMMANDS[name], "-o", "r")
    again = onnxray.rerun("r")
    assert again.differences == ()
    assert again.same
    found = document()
    assert again.items == len(found["items"])
    files = {name for item in found["items"] for name in item.get("files", {}).values()} | {*found.get("files", ())}
    assert again.files + len(again.not_compared) >= len(files)


def test_what_was_stated_elsewhere_is_stated_in_the_result(place: Path) -> None:
    done("classify", "m.onnx", "a.png", "-o", "r")
    Path("onnxray.toml").unlink()
    assert document()["made_from"]["options"]["profile"] == "p.toml"
    assert run("rerun", "r").exit_code == 0


def test_status_and_lines(place: Path) -> None:
    done("saliency", "gradient", "m.onnx", "a.png", "-o", "r")
    result = run("rerun", "r/result.json")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].startswith("the same: 1 item and ")
    found = document()
    assert "onnxray saliency gradient" in result.stderr
    picture = Path("r") / found["items"][0]["files"]["map"]
    picture.write_bytes(picture.read_bytes() + b"\0")
    (Path("r") / found["items"][0]["files"]["levels"]).unlink()
    found["items"][0]["maximum"] += 1e-6
    found["items"][0]["label"] = "another"
    found["notes"].append("more")
    found["seconds"] = 1e9
    rewrite(found)
    result = run("rerun", "r", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert not told["same"]
    places = [line.partition(":")[0] for line in told["differences"]]
    assert places == [
        "notes", "items[0].label", "items[0].maximum", "items[0].files.map", "items[0].files.levels",
    ]  # fmt: skip


def test_versions_and_processor_are_said_and_are_no_difference(place: Path) -> None:
    done("classify", "m.onnx", "a.png", "-o", "r")
    found = document()
    found["versions"]["onnxruntime"] = "1.0"
    found["machine"]["u8s8_saturates"] = "maybe"
    rewrite(found)
    again = onnxray.rerun("r")
    assert again.same
    assert [line.partition(":")[0] for line in again.elsewhere] == ["versions.onnxruntime", "machine.u8s8_saturates"]


def test_inputs_that_were_moved_are_found_beside_the_result(place: Path) -> None:
    done("saliency", "gradient", "m.onnx", "a.png", "-o", "r")
    Path("elsewhere").mkdir()
    for name in ("m.onnx", "a.png", "p.toml"):
        shutil.move(name, f"r/{name}")
    shutil.move("r", "elsewhere/r")
    os.chdir("/")
    again = onnxray.rerun(place / "elsewhere" / "r")
    assert again.same, again.differences
    assert len(again.inputs) == 3
    assert all("taken from" in line for line in again.inputs)


def test_another_file_of_the_name_is_passed_over_for_the_same(place: Path) -> None:
    done("saliency", "gradient", "m.onnx", "a.png", "-o", "r")
    Path("other").mkdir()
    shutil.copy("b.png", "other/a.png")
    os.chdir("other")
    assert onnxray.rerun(place / "r").same


def test_what_has_changed_is_named_and_refused_unless_it_is_wanted(place: Path) -> None:
    done("saliency", "gradient", "m.onnx", "a.png", "-o", "r")
    shutil.copy("n.onnx", "m.onnx")
    shutil.copy("b.png", "a.png")
    with pytest.raises(InputError, match=r"other contents of m\.onnx \(its sha256 differs\), a\.png .*--changed"):
        onnxray.rerun("r")
    again = onnxray.rerun("r", changed=True)
    assert not again.same
    assert {line.partition(":")[0] for line in again.differences} >= {"model.sha256", "items[0].files.map"}
    assert run("rerun", "r", "--changed").exit_code == 1


def test_a_folder_of_which_pictures_changed(place: Path) -> None:
    done("classify", "m.onnx", "pictures", "-o", "r")
    shutil.copy("a.png", "pictures/e.png")
    shutil.copy("b.png", "pictures/c.png")
    Path("pictures/d.png").unlink()
    with pytest.raises(InputError, match=r"pictures \(new: e\.png; gone: d\.png; changed: c\.png\)"):
        onnxray.rerun("r")


def test_external_data_belongs_to_the_model(place: Path) -> None:
    model = onnx.load("m.onnx")
    onnx.save(model, "x.onnx", save_as_external_data=True, location="x.data", size_threshold=0)
    done("classify", "x.onnx", "a.png", "-o", "r")
    assert onnxray.rerun("r").same
    data = bytearray(Path("x.data").read_bytes())
    data[3] ^= 1
    Path("x.data").write_bytes(data)
    with pytest.raises(InputError, match=r"x\.onnx \(its weights differ\)"):
        onnxray.rerun("r")


def test_what_is_gone_is_named(place: Path) -> None:
    done("lots", "m.onnx", "a.png", "--target", "b.png", "--layer", "ip1", "-o", "r")
    Path("b.png").unlink()
    Path("a.png").unlink()
    for changed in (False, True):
        with pytest.raises(InputError, match=r"a\.png, b\.png cannot be found"):
            onnxray.rerun("r", changed=changed)


def test_profile_and_labels_stand_in_the_result(place: Path) -> None:
    Path("words.txt").write_text("\n".join("abcde"))
    done("saliency", "gradient", "m.onnx", "a.png", "--labels", "words.txt", "-o", "r")
    Path("words.txt").unlink()
    Path("p.toml").unlink()
    again = onnxray.rerun("r")
    assert again.same, again.differences
    assert sum("gone" in line for line in again.inputs) == 2


@pytest.mark.parametrize("option", ["labels", "profile"])
def test_a_name_that_no_file_can_have_is_one_line(option: str, place: Path) -> None:
    """What is gone is written anew by its name, which is whatever the document says."""
    Path("words.txt").write_text("\n".join("abcde"))
    done("saliency", "gradient", "m.onnx", "a.png", "--labels", "words.txt", "-o", "r")
    document = json.loads(Path("r/result.json").read_text())
    options, gone = document["made_from"]["options"], f"/nowhere/{'a' * 300}"
    for entry in document["made_from"]["files"]:
        if entry["path"] == options[option]:
            entry |= {"path": gone, "absolute": gone}
    options[option] = gone
    Path("r/result.json").write_text(json.dumps(document))
    with pytest.raises(OutputError, match=f"the {option} .* is gone, and is no file's name"):
        onnxray.rerun("r")


OWN = """
from typing import ClassVar
from dataclasses import dataclass
import numpy as np
from onnxray.methods.saliency.base import Map, Saliency

@dataclass(frozen=True, kw_only=True)
class Mine(Saliency):
    "A map of one number."
    name: ClassVar[str] = "mine"

    def maps(self, model, pixels, objective, run):
        for row in range(len(pixels)):
            yield row, Map(heat=np.abs(pixels.array[row]).sum(0))
"""


def test_a_users_own_method_is_run_only_where_its_file_is_stated_again(place: Path) -> None:
    Path("my.py").write_text(OWN)
    done("saliency", "--method-file", "my.py:Mine", "m.onnx", "a.png", "-o", "r")
    with pytest.raises(InputError, match=r"my\.py:Mine.* only where it is stated again: --method-file"):
        onnxray.rerun("r")
    assert run("rerun", "r").exit_code == 1
    assert run("rerun", "r", "--method-file", "my.py:Mine").exit_code == 0
    Path("other.py").write_text(f"{OWN}\n# another\n")
    with pytest.raises(InputError, match=r"other\.py:Mine is not the file"):
        onnxray.rerun("r", method_file="other.py:Mine")
    done("classify", "m.onnx", "a.png", "-o", "c")
    with pytest.raises(InputError, match="of no method of its user's own"):
        onnxray.rerun("c", method_file="my.py:Mine")


def test_the_new_run_is_kept_where_that_is_asked_for(place: Path) -> None:
    done("saliency", "gradient", "m.onnx", "a.png", "-o", "r")
    done("rerun", "r", "-o", "again")
    assert document("again")["items"] == document()["items"]
    assert onnxray.rerun("again").same
    refused = run("rerun", "r", "-o", "again")
    assert refused.exit_code == 1
    assert "holds the result of another run" in refused.stderr
    done("rerun", "r", "-o", "again", "--overwrite")
    assert "holds the result of another run" in run("rerun", "r", "-o", "r").stderr


def test_results_from_python_say_their_command(place: Path) -> None:
    model = onnxray.open("m.onnx", "p.toml", labels="none")
    results = {
        "map": Gradient(colormap="PuOr")(model, [Path("a.png")], 3, seed=4),
        "lots": LOTS(layer=("ip1", "ip2"))(model, "pictures", "magnify"),
        "targeted": LOTS(layer="ip1")(model, "a.png", "b.png"),
        "values": LOTS(layer="ip1")(model, "a.png", read_values("t.npy")),
        "climbed": Maximize(steps=2)(model, None, [1, "class:2"], seed=3),
        "compared": onnxray.compare(model, "a.png", [Gradient(score="margin"), "grad-cam"], curve_steps=2),
        "checked": onnxray.check(Gradient(wrt=None), model, "a.png", curve_steps=2, noise_copies=1),
        "models": onnxray.compare([model, onnxray.open("n.onnx", "p.toml", labels="none")], "a.png", "gradient"),
    }
    for name, result in results.items():
        result.save(name)
        again = onnxray.rerun(name)
        assert again.same, (name, again.differences)


def test_what_no_command_states_is_refused_with_the_reason(place: Path) -> None:
    model = onnxray.open("m.onnx", "p.toml")
    pixels = np.zeros((1, 14, 14), np.uint8)
    objective = onnxray.objectives.ClassScore("ip2", 1) - onnxray.objectives.ClassScore("ip2", 2)
    for result, said in (
        (Gradient()(model, pixels), "the images, given as"),
        (Gradient()(model, "a.png", objective), "the target, given as"),
        (Gradient()(onnxray.open("m.onnx", models.GREY), "a.png"), "the profile, given as"),
        (Gradient()(onnxray.open(models.lenet(), models.GREY), "a.png"), "came from no file"),
        (Gradient()(model, "a.png", each=lambda item: item), "given as each"),
    ):
        result.save("p")
        with pytest.raises(OutputError, match=f"cannot be made again by a command: .*{said}"):
            onnxray.rerun("p")


def test_standard_output_and_the_working_folder_stay(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done("classify", "m.onnx", "a.png", "-o", "r")
    onnxray.rerun("r")
    assert capsys.readouterr() == ("", "")
    assert Path.cwd() == place
    assert sorted(path.name for path in place.iterdir() if path.name.startswith("onnxray-")) == []
