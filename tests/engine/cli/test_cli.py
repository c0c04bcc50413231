"""The command line: one JSON document, one-line errors, exit statuses, nothing half-written."""

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn
from typer.testing import CliRunner, Result

import onnxray_models
from onnxray.cli.app import app
from onnxray.engines.judge import Judge
from onnxray.methods.lots.lots import LOTS
from support import models
from support.children import child, interrupted

SAMPLES = {path.stem: str(path) for path in onnxray_models.samples("lenet")}
FOUR, NINE = SAMPLES["4_0"], SAMPLES["9_0"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(*arguments: object) -> dict[str, object]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refused(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 1, (result.exit_code, result.stdout, result.exception)
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line and not line.startswith("assumed profile")]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("onnxray: ")
    return lines[0]


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_inspect_tells_the_facts() -> None:
    found = document("inspect", "lenet")
    assert found["layers"] == ["conv1", "conv2", "ip1", "ip2"]
    assert [item["name"] for item in found["items"]][:3] == ["data", "conv1", "pool1"]
    assert found["parameters"] == 431_080
    assert found["aliases"]["logits"] == "ip2"
    assert found["profile"]["source"] == "lenet.toml"
    assert found["schema"] == 1
    table = run("inspect", "lenet", "--values").stdout
    assert all(name in table for name in ("pool2", "relu1", "[N, 50, 8, 8]", "MaxPool"))


def test_inspect_tells_how_samples_go(tmp_path: Path) -> None:
    assert document("inspect", "lenet")["batch"] == {"file": None, "twin": "free", "reason": "the file's batch is free"}
    path = tmp_path / "fixed.onnx"
    path.write_bytes(models.lenet(2).SerializeToString())
    told = document("inspect", path)["batch"]
    assert told == {"file": 2, "twin": "not tried", "reason": "inspect --batch tries it"}
    told = document("inspect", path, "--batch")["batch"]
    assert (told["file"], told["twin"]) == (2, "rewrite")
    assert "batches of 4 and 6" in told["reason"]
    assert "2 in the file; twin: rewrite (within" in " ".join(run("inspect", path).stdout.split()), "it is remembered"


def test_inspect_runs_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where the batch is fixed, nor where a node may fix it or no rule tells whether samples are mixed."""
    texts = {
        "fixed": "g (float[1,2] x) => (float[1,2] y) { y = Neg (x) }",
        "a node may fix it": "g (float[N,2] x) => (float[M,2] y) { s = Constant <value_ints = [1, 2]> () y = Expand (x, s) }",
        "no rule": "g (float[N,2] x) => (float[M] y) { y = Unique <sorted = 1> (x) }",
    }
    sessions: list[object] = []
    real = Judge._session

    def counted(self: Judge, *arguments: Any, **options: Any) -> Any:
        sessions.append(arguments)
        return real(self, *arguments, **options)

    monkeypatch.setattr(Judge, "_session", counted)
    for name, text in texts.items():
        path = tmp_path / "model.onnx"
        path.write_bytes(models.parse(text).SerializeToString())
        found = document("inspect", path)
        said = f"{found['batch']['twin']} {found['mixing']}"
        assert ("not tried" in said, sessions) == (True, []), name
        found = document("inspect", path, "--batch")
        assert ("not tried" in f"{found['batch']['twin']} {found['mixing']}", bool(sessions)) == (False, True), name
        sessions.clear()


def test_inspect_tells_what_the_judge_alone_runs(tmp_path: Path) -> None:
    path = tmp_path / "strings.onnx"
    text = """g (float[1,2] x) => (float[1,2] y) {
      s = Cast <to = 8> (x) f = Cast <to = 1> (s) y = Identity (f)
    }"""
    path.write_bytes(models.parse(text).SerializeToString())
    told = document("inspect", path, "--batch")["batch"]
    assert (told["file"], told["twin"]) == (1, "loop")
    assert "no other way could be tried: node" in told["reason"]


@pytest.mark.parametrize("batch", ["N", 1])
def test_inspect_imports_torch_only_to_decide(batch: str | int, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(models.lenet(batch).SerializeToString())
    code = (
        f"import sys; from typer.testing import CliRunner; from onnxray.cli.app import app; "
        f"assert CliRunner().invoke(app, ['inspect', {str(path)!r}, *sys.argv[1:]]).exit_code == 0; "
        "print('torch' in sys.modules)"
    )
    said = [child("-c", code, *asked).communicate()[0].strip() for asked in ([], ["--batch"], ["--batch"])]
    assert said == (["False"] * 3 if batch == "N" else ["False", "True", "False"])


def test_verify_agrees_and_says_so() -> None:
    found = document("verify", "lenet")
    assert found["agrees"] is True
    assert found["first_divergence"] is None
    assert {item["name"] for item in found["items"]} >= {"conv1", "ip2", "prob"}
    assert run("verify", "lenet", FOUR).exit_code == 0


def test_verify_fails_with_status_1_where_a_value_diverges() -> None:
    result = run("verify", "lenet", "--tolerance", "-1", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["first_divergence"]["name"] == "conv1"
    assert found["fault"]["operator"] == "Conv"
    assert found["items"][0]["verdict"] == "at fault"
    assert {"absolute", "relative", "allowed", "rule", "own_absolute", "own_relative"} <= set(found["items"][0])


def test_verify_names_the_node_at_fault_and_what_was_let_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    told = " ".join(run("verify", "lenet").stdout.split())
    assert "OK: every value agrees." in told
    assert "9 values: 0.001 of the largest number" in told
    real = nn.MaxPool2d.forward
    monkeypatch.setattr(nn.MaxPool2d, "forward", lambda self, x: real(self, x) * 1.01)
    result = run("verify", "lenet")
    assert result.exit_code == 1
    told = " ".join(result.stdout.split())
    assert "FAILED: node 'pool1', operator MaxPool version 12, is at fault" in told
    assert "AT FAULT" in told
    assert "inherited" in told


def test_classify_gives_every_image_its_class() -> None:
    found = document("classify", "lenet", FOUR, NINE, "--top", 3)
    assert [item["label"] for item in found["items"]] == ["4", "9"]
    assert [len(item["top"]) for item in found["items"]] == [3, 3]
    assert found["items"][0]["top"][0]["class"] == 4
    assert found["items"][0]["path"] == FOUR


def test_values_are_written_and_read_back_as_a_target(tmp_path: Path) -> None:
    found = document("values", "lenet", NINE, "--value", "ip1", "--value", "con*", "-o", tmp_path / "v")
    assert [item["name"] for item in found["items"]] == ["ip1", "conv1", "conv2"]
    arrays = np.load(tmp_path / "v" / "values.npz")
    assert arrays["conv1"].shape == (1, 20, 24, 24)
    target = document(
        "lots", "lenet", FOUR, "--target-values", tmp_path / "v" / "values.npz", "--layer", "ip1", "-o", tmp_path / "l"
    )
    assert target["items"][0]["until"] == "distance"
    assert target["items"][0]["target"] is None


def test_lots_document_is_the_file_and_its_pictures_are_there(tmp_path: Path) -> None:
    found = document(
        "lots", "lenet", FOUR, "--target", NINE, "--layer", "conv1", "--layer", "logits", "-o", tmp_path / "r"
    )
    assert found == json.loads((tmp_path / "r" / "result.json").read_text(encoding="utf-8"))
    assert [item["layer"] for item in found["items"]] == ["conv1", "ip2"]
    for item in found["items"]:
        assert set(item["files"]) == {"origin", "target", "image", "perturbation"}
        for name in item["files"].values():
            assert size_of(tmp_path / "r" / name) == (28, 28)
    assert size_of(tmp_path / "r" / "sheet.png")[0] > 400
    assert found["method"]["options"]["layer"] == ["conv1", "logits"]


def test_summary_makes_a_table_a_plot_and_json(tmp_path: Path) -> None:
    found = document(
        "lots",
        "lenet",
        FOUR,
        NINE,
        SAMPLES["1_0"],
        "--self",
        "inhibit",
        "--summary",
        "--layer",
        "ip*",
        "-o",
        tmp_path / "s",
    )
    assert [row["layer"] for row in found["summary"]] == ["ip1", "ip2"]
    assert all(row["images"] == 3 for row in found["summary"])
    assert size_of(tmp_path / "s" / "stability.png")[0] > 400


def test_every_option_of_the_method_is_an_option_of_the_command() -> None:
    text = CliRunner().invoke(app, ["lots", "--help"], env={"COLUMNS": "300", "TERMINAL_WIDTH": "300"}).stdout
    for field in dataclasses.fields(LOTS):
        assert f"--{field.name.replace('_', '-')}" in text


@pytest.mark.parametrize("command", ["inspect", "verify", "classify", "values", "lots", "demo"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert "--json" in result.stdout


def test_commands_that_the_judge_can_serve_import_no_torch() -> None:
    script = (
        "import sys, typer.testing as t; from onnxray.cli.app import app; r = t.CliRunner(); "
        f"codes = [r.invoke(app, a).exit_code for a in (['--help'], ['inspect', 'lenet'], ['classify', 'lenet', {FOUR!r}])]; "
        "print(codes, 'torch' in sys.modules)"
    )
    out, error = child("-c", script).communicate()
    assert out.strip() == "[0, 0, 0] False", error


class TestRefusals:
    def test_no_such_model(self, tmp_path: Path) -> None:
        assert "no such file" in refused("inspect", tmp_path / "missing.onnx")

    def test_empty_garbage_and_truncated_models(self, tmp_path: Path) -> None:
        whole = Path(onnxray_models.path("lenet")).read_bytes()
        for name, data in {"empty": b"", "garbage": os.urandom(5000), "truncated": whole[: len(whole) // 2]}.items():
            path = tmp_path / f"{name}.onnx"
            path.write_bytes(data)
            assert path.name in refused("classify", path, FOUR)

    def test_picture_in_place_of_the_model(self) -> None:
        assert "picture" in refused("lots", FOUR, NINE, "--self", "inhibit")

    def test_unknown_layer_suggests_near_ones(self, tmp_path: Path) -> None:
        message = refused("lots", "lenet", FOUR, "--self", "inhibit", "--layer", "conv3", "-o", tmp_path / "x")
        assert "'conv1'" in message
        assert "inspect" in message
        assert not (tmp_path / "x").exists()

    def test_origin_of_the_targets_class(self, tmp_path: Path) -> None:
        message = refused("lots", "lenet", FOUR, "--target", SAMPLES["4_1"], "-o", tmp_path / "x")
        assert "4_0.png" in message
        assert "already" in message
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("goals", [[], ["--target", NINE, "--self", "inhibit"]])
    def test_not_exactly_one_goal(self, goals: list[str]) -> None:
        assert "exactly one" in refused("lots", "lenet", FOUR, *goals)

    def test_images_that_are_none(self, tmp_path: Path) -> None:
        (tmp_path / "text.png").write_text("not a picture")
        whole = Path(FOUR).read_bytes()
        (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
        for name in ("text.png", "cut.png", "missing.png"):
            assert name in refused("classify", "lenet", tmp_path / name)

    def test_decompression_bomb(self, tmp_path: Path) -> None:
        Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
        assert "bomb.png" in refused("classify", "lenet", tmp_path / "bomb.png")

    def test_target_values_of_the_wrong_shape(self, tmp_path: Path) -> None:
        np.save(tmp_path / "t.npy", np.zeros(499, np.float32))
        message = refused("lots", "lenet", FOUR, "--target-values", tmp_path / "t.npy", "--layer", "ip1")
        assert "499" in message
        assert "500" in message

    def test_output_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        message = refused("lots", "lenet", FOUR, "--self", "inhibit", "--layer", "ip2", "-o", tmp_path / "file" / "r")
        assert "cannot be written" in message

    def test_unknown_profile_and_device(self) -> None:
        assert "nonsense" in refused("inspect", "lenet", "--profile", "nonsense")
        assert "'tpu'" in refused("classify", "lenet", FOUR, "--device", "tpu")

    def test_strict_refuses_a_guess(self, tmp_path: Path) -> None:
        copied = tmp_path / "copy.onnx"
        copied.write_bytes(Path(onnxray_models.path("lenet")).read_bytes())
        assert "assumed" in refused("classify", copied, FOUR, "--strict")

    def test_options_out_of_range(self) -> None:
        assert "max_scale" in refused("lots", "lenet", FOUR, "--self", "inhibit", "--max-scale", "0")


def test_wrong_usage_is_status_2() -> None:
    assert run("lots", "lenet").exit_code == 2
    assert run("classify", "lenet", FOUR, "--nonsense").exit_code == 2


def test_colour_image_on_a_grey_model_is_converted_and_said(tmp_path: Path) -> None:
    grey = np.asarray(Image.open(FOUR))
    Image.fromarray(np.stack([grey] * 3, -1)).save(tmp_path / "colour.png")
    found = document("classify", "lenet", tmp_path / "colour.png")
    assert found["items"][0]["label"] == "4"
    assert any("grey" in note for note in found["image_notes"])


def test_guessed_profile_is_announced_and_marked(tmp_path: Path) -> None:
    copied = tmp_path / "copy.onnx"
    copied.write_bytes(Path(onnxray_models.path("lenet")).read_bytes())
    result = run("classify", copied, FOUR, "--json")
    assert "assumed profile" in result.stderr
    found = json.loads(result.stdout)
    assert found["profile"]["assumed"] is True
    assert any(note.startswith("ASSUMED") for note in found["notes"])


def test_interruption_keeps_what_is_finished_with_status_130(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def interrupting() -> Iterator[Callable[[int, int, str], None]]:
        def tick(done: int, total: int, what: str) -> None:
            if done == 4:
                raise KeyboardInterrupt

        yield tick

    monkeypatch.setattr("onnxray.cli.parts.method_command.progress_bar", interrupting)
    folder = Path(FOUR).parent
    result = run("lots", "lenet", folder, "--self", "inhibit", "--layer", "ip2", "-o", tmp_path / "r")
    assert result.exit_code == 130, result.stderr
    found = json.loads((tmp_path / "r" / "result.json").read_text(encoding="utf-8"))
    assert found["interrupted"] is True
    assert len(found["items"]) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_with_status_130(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(models.lenet().SerializeToString())
    folder = Path(FOUR).parent
    process = child(
        "-m", "onnxray", "lots", "net.onnx", folder, "--self", "inhibit", "-o", tmp_path / "r", cwd=tmp_path
    )
    _, error = interrupted(process)
    assert process.returncode == 130, error
    assert "Traceback" not in error


LONG_NAME = "a-very-long-name-of-a-picture-" * 6 + "end"


def test_nothing_of_a_table_is_cut_where_nobody_looks(tmp_path: Path) -> None:
    for name in (LONG_NAME, "other"):
        shutil.copy(FOUR, tmp_path / f"{name}.png")
    assert f"{LONG_NAME}.png" in run("classify", "lenet", tmp_path).stdout
    found = run("saliency", "gradient", "lenet", tmp_path, "-o", tmp_path / "run")
    assert f"{LONG_NAME}.png" in found.stdout
    assert str(tmp_path / "run" / "result.json") in found.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("classify", "lenet", FOUR), ("inspect", "lenet"), ("verify", "lenet"), ("saliency", "layers", "lenet"),
        ("saliency", "gradient", "lenet", FOUR), ("values", "lenet", FOUR, "--value", "ip1"),
        ("lots", "lenet", FOUR, "--self", "inhibit", "--steps", "1"), ("visualize", "filters", "lenet"),
    ],
    ids=lambda command: "-".join(command[:2]),
)  # fmt: skip
def test_a_folder_of_another_run_is_refused_or_replaced_whole(command: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert run("saliency", "occlusion", "lenet", NINE, "-o", folder).exit_code == 0
    (folder / "mine.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert "holds the result of another run; give another folder" in refused(*command, "-o", folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    done = run(*command, "-o", folder, "--overwrite")
    assert done.exit_code == 0, done.stderr
    assert run(*command, "-o", tmp_path / "fresh").exit_code == 0
    written = {path.name for path in (tmp_path / "fresh").iterdir()}
    assert {path.name for path in folder.iterdir()} == written | {"mine.txt"}


def test_overwriting_and_going_on_exclude_each_other(tmp_path: Path) -> None:
    command = ("saliency", "gradient", "lenet", FOUR, "-o", tmp_path / "run")
    assert "give one" in refused(*command, "--overwrite", "--resume")
