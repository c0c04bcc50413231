"""Every command and every Python block of README.md and docs/ does what it says: run, or looked up where it is marked.

How blocks are marked, and what is their output: tests/support/documents.py.
"""

import contextlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import example as example_files
import onnxray
from support import efficientnet
from support.documents import Block, blocks, inline, pages
from support.paths import ROOT
from support.shown_commands import compare, look_up, run

PAGES = pages()
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
QUICK = [name for name in NAMES if any(b.kind in ("commands", "python") and not b.slow for b in blocks(ROOT / name))]
EVERY = [name for name in NAMES if any(block.kind in ("commands", "python") for block in blocks(ROOT / name))]
ZOO = ROOT.parent / "shared" / "zoo"
ELSEWHERE = {
    "squeezenet.onnx": "squeezenet-v1.1-onnx/squeezenet_v1.1_fp32_from_fp16.onnx",
    "squeezenet_v1.1.onnx": "squeezenet-v1.1-onnx/squeezenet_v1.1_fp32_from_fp16.onnx",
    "squeezenet-int8.onnx": "squeezenet-v1.1-onnx/squeezenet_v1.1_qdq_int8.onnx",
    "squeezenet-qdq-int8.onnx": "squeezenet-v1.1-onnx/squeezenet_v1.1_qdq_int8.onnx",
    "squeezenet-uint8.onnx": "squeezenet-v1.1-onnx/squeezenet_v1.1_qop_uint8.onnx",
    "squeezenet-fp16.onnx": "squeezenet-v1.1-onnx/SqueezeNet_fp16.onnx",
    "ultraface.onnx": "ultraface/version-RFB-320.onnx",
    "lenet.prototxt": "lenet-bvlc-caffe/lenet.prototxt",
    "lenet_iter_10000.caffemodel": "lenet-bvlc-caffe/lenet_iter_10000.caffemodel",
    "mobilefacenet.onnx": "mobilefacenet-vface-onnx/mobilefacenet.onnx",
    "photos": "data-photos",
    **{f"{name}.jpg": f"data-photos/{name}.jpg" for name in ("cat", "dog", "hummingbird")},
    **{f"{name}.jpeg": f"data-photos/{name}.jpeg" for name in ("bald_eagle", "pelican")},
}
"""Files that examples name and that lie with the developers."""


@pytest.fixture(scope="module", autouse=True)
def _drawn_off_screen() -> None:
    import matplotlib as mpl

    mpl.use("agg")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder as a clone is, for what the examples read and write."""
    place = tmp_path / "clone"
    place.mkdir()
    for name in ("models", "benchmarks"):
        (place / name).symlink_to(ROOT / name)
    for digit in ("4_0", "7_1", "9_0"):
        shutil.copyfile(ROOT / "models/onnxray_models/lenet/samples" / f"{digit}.png", place / f"{digit}.png")
    monkeypatch.chdir(place)
    return place


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """What ``python models/example.py`` writes, once for all pages; None where its packages are not installed."""
    if efficientnet.missing():
        return None
    folder = tmp_path_factory.mktemp("example")
    example_files.write(folder)
    return folder


@pytest.fixture(scope="module")
def any_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``python benchmarks/any_model.py`` writes."""
    folder = tmp_path_factory.mktemp("any")
    subprocess.run([sys.executable, ROOT / "benchmarks/any_model.py", folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_commands_and_options_exist(name: str) -> None:
    page = ROOT / name
    for command in inline(page):
        look_up(command)
    for block in blocks(page):
        if block.kind == "toml":
            tomllib.loads("\n".join(block.lines))
        for command, _ in block.commands() if block.kind == "commands" else ():
            look_up(command)


@pytest.mark.parametrize("page", QUICK)
def test_examples_run(page: str, desk: Path) -> None:
    perform([block for block in blocks(ROOT / page) if not block.slow])


def at_hand(desk: Path, name: str) -> bool:
    """Whether what an example needs is there: a file, or a library by its name."""
    return (desk / name).exists() or (name.isidentifier() and importlib.util.find_spec(name) is not None)


@pytest.mark.slow
@pytest.mark.parametrize("page", EVERY)
def test_slow_examples_run_and_what_they_write_is_made_again(
    page: str, desk: Path, example: Path | None, any_model: Path
) -> None:
    if example is not None:
        (desk / "example").symlink_to(example)
        for name in ("efficientnet-lite0.onnx", "efficientnet-lite0.toml", "coffee.png"):
            (desk / name).symlink_to(example / name)
    for path in any_model.iterdir():
        if path.name == "tokenizer.json" and importlib.util.find_spec("tokenizers") is None:
            continue
        shutil.copyfile(path, desk / path.name)
    for name, place in ELSEWHERE.items():
        if (ZOO / place).exists():
            (desk / name).symlink_to(ZOO / place)
    if (desk / "example/astronaut.png").is_file():
        face(desk)
    every = blocks(ROOT / page)
    perform([block for block in every if all(at_hand(desk, name) for name in block.needs)])
    make_again(desk)
    missing = {name for block in every for name in block.needs if not at_hand(desk, name)}
    if missing:
        pytest.skip(f"not at hand: {', '.join(sorted(missing))}; all other examples of the page ran")


def test_the_readme_s_table_runs(desk: Path) -> None:
    commands = [text for text in inline(ROOT / "README.md") if "lenet" in text.split()]
    assert len(commands) >= 7
    for command in commands:
        run(command, [])


@pytest.mark.parametrize(
    "command",
    ["onnxray salience MODEL", "onnxray saliency grad-cam MODEL IMAGE --quick-look", "make nothing",
     "python benchmarks/nothing.py", 'pip install ".[nothing]"', "onnxray invert MODEL --weight 3 --nothing"],
)  # fmt: skip
def test_what_is_not_there_is_noticed(command: str) -> None:
    with pytest.raises(AssertionError, match="no such|no command"):
        look_up(command)


def test_what_is_not_printed_is_noticed(desk: Path) -> None:
    page = desk / "page.md"
    text = "```console\n$ onnxray classify lenet 4_0.png --top 1\n│ 4_0.png │ 4 │ 4 │ 1.0000 │ 21.0{}33 │\n```\n"
    page.write_text(text.format(""), encoding="utf-8")
    (command, shown), *_ = next(iter(blocks(page))).commands()
    run(command, shown)
    with pytest.raises(AssertionError, match="prints no such line"):
        run(command, [shown[0].replace("21", "25")])
    with pytest.raises(AssertionError, match="prints no such line"):
        run(command, [*shown, *shown])


def make_again(desk: Path) -> None:
    """Every run that lies there is done again from its result.json, and gives the same numbers and bytes."""
    runs = sorted(found.parent for found in desk.rglob("result.json") if not found.parent.is_symlink())
    stated = {folder: json.loads((folder / "result.json").read_text(encoding="utf-8")) for folder in runs}
    parts = {folder / name for folder, document in stated.items() for name in document.get("runs", ())}
    told = []
    for folder in runs:
        if folder not in parts:  # a part of a run is made with the whole
            again = onnxray.rerun(folder)
            assert again.items or again.files, folder
            told += [f"{folder.relative_to(desk)} ({' '.join(again.command)}): {line}" for line in again.differences]
    assert not told, "\n".join(told)


def face(desk: Path) -> None:
    """A face and its mirror image, out of the astronaut, as docs/detector-embedding-table.md says."""
    with Image.open(desk / "example/astronaut.png") as photograph:
        cut = photograph.convert("RGB").crop((167, 50, 279, 162))
    cut.save(desk / "face.png")
    cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(desk / "mirrored.png")


def perform(chosen: list[Block]) -> None:
    """Run the blocks of a page one after the other; its Python shares one namespace."""
    page = types.ModuleType("onnxray_example")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, page.__name__, page)
        perform_in(vars(page), chosen)


def perform_in(names: dict[str, Any], chosen: list[Block]) -> None:
    for block in chosen:
        if block.usage:
            continue
        try:
            if block.kind == "python":
                printed = io.StringIO()
                with contextlib.redirect_stdout(printed):
                    exec(compile("\n".join(block.lines), block.place, "exec"), names)
                compare(printed.getvalue(), list(block.output), block.place)
            for command, shown in block.commands() if block.kind == "commands" else ():
                if command.startswith("onnxray "):
                    run(command, shown)
        except Exception as error:
            raise AssertionError(f"{block.place}: {error}; what cannot run is marked: {__doc__}") from error
