"""What is said of wrong usage and of what cannot be done: one line, and with --json one object."""

import json

import pytest
from typer.testing import CliRunner

import onnxray_models
from onnxray.cli.app import app

FOUR = next(str(path) for path in onnxray_models.samples("lenet") if path.stem == "4_0")


@pytest.mark.parametrize(
    ("arguments", "status", "kind", "said"),
    [
        (["classify", "lenet", FOUR, "--topp", "3"], 2, "UsageError", "No such option: --topp (Possible options: --top)"),
        (["classify", "lenet", FOUR, "--target", "3"], 2, "UsageError", "No such option: --target. See"),
        (["classify", "lenet"], 2, "UsageError", "Missing argument 'IMAGE...'"),
        (["nonsense"], 2, "UsageError", "No such command 'nonsense'"),
        (["clasify"], 2, "UsageError", "Did you mean 'classify'?"),
        (["saliency", "gradcam"], 2, "UsageError", "'grad-cam'"),
        (["saliency", "gradient", "lenet", FOUR, "--layer", "conv1"], 2, "UsageError", "--layer is an option of ablation-cam, "),
        (["classify", "lenet", FOUR, "--top", "x"], 2, "UsageError", "'--top': Input should be a valid integer, unable to parse string as an integer, not 'x'. See"),
        (["values", "lenet", FOUR, "--value", "conv1", "--engine", "x"], 2, "UsageError", "'x' is not one of 'judge', 'twin'"),
        (["classify", "lenett", FOUR], 1, "ModelFileError", "no such file, and no model that comes with onnxray; did you mean 'lenet'?"),
        (["classify", "gone.onnx", FOUR], 1, "ModelFileError", "gone.onnx: no such file"),
        (["classify", "lenet", "gone.png"], 1, "ImageError", "gone.png"),
        (["saliency", "compare", "lenet", FOUR, "--methods", "gradcam"], 1, "InputError", "did you mean 'grad-cam'?"),
        (["saliency", "compare", "lenet", FOUR, "--set", "rise.mask=3", "--methods", "rise"], 1, "InputError", "did you mean 'masks'?"),
    ],
)  # fmt: skip
def test_one_line_and_one_object(arguments: list[str], status: int, kind: str, said: str) -> None:
    plain = CliRunner().invoke(app, arguments)
    assert (plain.exit_code, plain.stdout) == (status, "")
    (line,) = plain.stderr.splitlines()
    assert line.startswith("onnxray: ")
    assert said in line
    result = CliRunner().invoke(app, [*arguments, "--json"])
    document = json.loads(result.stdout)
    assert (result.exit_code, document["status"], document["error"]["kind"]) == (status, status, kind)
    assert f"onnxray: {document['error']['message']}" == line == result.stderr.splitlines()[-1]


def test_an_option_that_no_method_has_is_nobodys() -> None:
    result = CliRunner().invoke(app, ["saliency", "gradient", "lenet", FOUR, "--nonsense"])
    assert "No such option: --nonsense" in result.stderr
    result = CliRunner().invoke(app, ["saliency", "check", "gradient", "lenet", FOUR, "--layer", "conv1"])
    assert "--layer is an option of ablation-cam" in result.stderr
    assert "not of gradient" in result.stderr
