"""Text of strangers is shown escaped, by construction: whatever is in a name, a label, a path or an argument, what we
print holds no letter that a terminal obeys or nobody sees, no markup is read, and an error is one line."""

import html
import io
import json
import os
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from rich.table import Table
from typer.testing import CliRunner, Result

from onnxray.cli.app import app
from onnxray.cli.parts.console import PlainConsole, line
from onnxray.errors import OnnxrayError
from onnxray.errors.shown_text import html_text, json_text, one_line, shortened, terminal, toml_string
from onnxray.images.drawing.text import clean_text
from onnxray.images.profile.toml_form import toml_of
from onnxray.results.saved_files import write_folder
from support import models

FAKE = "x\nonnxray: OK: every value agrees.\r\n"
PAYLOADS = (
    "\x1b[2J\x1b[31mred", "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "\x1b]0;title\x07", "\x9b31m", "a\x7f\x08b",
    "gpj.\u202etac", "\u2066a\u2069\u200f\u061c", "ze\u200bro\ufeff\u2060", "a\u2028b\u2029c\x85d", "\U000e0041\U000e007f", "\ue000\ufff0",
    "[/x]", "[bold red]FAILED[/]", "[link=http://evil.example]y[/link]", ":boom:", "back\\slash\\", "<script>alert(1)</script>",
    "$\\frac$ $x_{", "{0} {name}", "%s %(a)d", FAKE,
)  # fmt: skip
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
LONG = "n" * 10**6


def raw_letters(text: str) -> set[str]:
    return {letter for letter in text if letter != "\n" and unicodedata.category(letter) in UNSEEN}


def run(*arguments: object, status: int | None = 0) -> Result:
    """A command in this process; what it prints is looked at, whatever it is."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert raw_letters(done.output) == set()
    assert not any(said.startswith("onnxray: OK") for said in done.output.splitlines())
    if status is not None:
        assert done.exit_code == status, done.output
    if done.exit_code == 1:
        assert sum(said.startswith("onnxray: ") for said in done.stderr.splitlines()) == 1, done.stderr
    return done


def hostile_model() -> onnx.ModelProto:
    """A classifier of grey pictures in whose every string field a payload stands."""
    model = models.lenet()
    model.CopyFrom(onnx.shape_inference.infer_shapes(model))
    payloads = iter([f"{payload} {place}" for place, payload in enumerate(PAYLOADS * 4)])
    names: dict[str, str] = {}

    def renamed(name: str) -> str:
        if name not in names:
            names[name] = next(payloads)
        return names[name]

    graph = model.graph
    for info in (*graph.input, *graph.output, *graph.value_info):
        info.name = renamed(info.name)
        info.doc_string = next(payloads)
        for dim in info.type.tensor_type.shape.dim:
            if dim.HasField("dim_param"):
                dim.dim_param = PAYLOADS[5]
    for tensor in graph.initializer:
        tensor.name = renamed(tensor.name)
    for node in graph.node:
        node.input[:] = map(renamed, node.input)
        node.output[:] = map(renamed, node.output)
        node.name = f"{PAYLOADS[len(node.name) % 11]}{node.output[0]}"
        node.doc_string = FAKE
    graph.name = model.producer_name = model.producer_version = model.doc_string = "".join(PAYLOADS)
    for place, payload in enumerate(PAYLOADS):
        model.metadata_props.add(key=f"{payload}{place}", value=payload)
    return model


LABELS = ("".join(PAYLOADS[:5]), "".join(PAYLOADS[5:11]), "".join(PAYLOADS[11:16]), FAKE, PAYLOADS[0])


@pytest.fixture
def beside(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A model, a picture and a profile, hostile inside and by name."""
    folder = tmp_path / "d\x1b[31m\u202e"
    folder.mkdir()
    model = folder / "m\x1b[2J [bold]\nonnxray: OK.onnx"
    model.write_bytes(hostile_model().SerializeToString())
    picture = folder / "p\x9b1m\u202e[x]$\\frac$\n.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (14, 14), np.uint8)).save(picture)
    profile = folder / "q\x1b[0m\u2066.toml"
    labels = ", ".join(map(toml_string, LABELS))
    profile.write_text(
        f'name = {toml_string(PAYLOADS[0])}\nlayout = "NCHW"\nchannels = "GREY"\nsize = [14, 14]\nscale = 0.01\n'
        f"mean = [100]\nstd = [1]\nlabels = [{labels}]\n",
        encoding="utf-8",
    )
    return model, picture, profile


def texts(document: object) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    for key, value in document.items() if isinstance(document, dict) else ():
        yield key
        yield from texts(value)
    for value in document if isinstance(document, list) else ():
        yield from texts(value)


COMMANDS = (
    ("inspect",), ("inspect", "--values"), ("classify", "PICTURE"), ("verify",), ("values", "PICTURE", "--value", "logits"),
    ("lots", "PICTURE", "--self", "inhibit", "--layer", "logits", "--summary"), ("saliency", "gradient", "PICTURE"),
    ("saliency", "layers"), ("saliency", "compare", "PICTURE", "--methods", "gradient,occlusion", "--curve-steps", "2"),
    ("saliency", "check", "gradient", "PICTURE", "--curve-steps", "2", "--noise-copies", "1"),
    ("visualize", "maximize", "--target", "1", "--steps", "1"), ("invert", "PICTURE", "--layer", "logits", "--steps", "1"),
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_shows_it_escaped(
    command: tuple[str, ...], beside: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    model, picture, profile = beside
    words = [picture if word == "PICTURE" else word for word in command]
    count = 1 if command[0] not in {"saliency", "visualize"} else 2 + (command[1] == "check")
    writes = [] if command[:2] == ("saliency", "layers") else ["-o", tmp_path / "\x1b[1mout"]
    arguments = [*words[:count], model, *words[count:], "--profile", profile]
    run(*arguments, *writes)
    told = run(*arguments, "--json").stdout if command[0] in {"inspect", "classify"} else ""
    if writes:
        told = (tmp_path / "\x1b[1mout" / "result.json").read_text(encoding="utf-8")
        assert raw_letters(told) == set()
    if told:
        assert str(model) in set(texts(json.loads(told)))


def test_markup_stays_text(beside: tuple[Path, Path, Path]) -> None:
    model, picture, profile = beside
    shown = run("inspect", model, "--values", "--profile", profile).stdout
    for payload in PAYLOADS[11:15]:
        assert payload in shown
    assert "backslash" not in run("classify", model, picture, "--profile", profile).stdout.replace("back\\slash\\", "")


def test_a_guessed_profile_and_the_json_of_it(beside: tuple[Path, Path, Path]) -> None:
    model, picture, _ = beside
    found = run("classify", model, picture, "--json")
    assert json.loads(found.stdout)["items"][0]["path"] == str(picture)
    assert "assumed profile" in found.stderr


@pytest.mark.parametrize("payload", ["".join(PAYLOADS[:11]), "".join(PAYLOADS[11:]), "nul\x00", LONG], ids=range(4))
def test_errors_and_wrong_usage_are_short_and_escaped(payload: str, beside: tuple[Path, Path, Path]) -> None:
    model, picture, profile = beside
    one = ["--profile", profile]
    said = [
        run("inspect", payload, status=1), run("classify", model, payload, *one, status=1),
        run("values", model, picture, "--value", f"no{payload}", *one, status=1),
        run("classify", model, picture, "--profile", f"no{payload[:99]}", status=1),
        run("classify", model, picture, *one, "--device", payload, status=1),
        run("saliency", "gradient", model, picture, *one, "--target", f"no{payload}", status=1),
        run(payload, status=2), run("inspect", "lenet", f"--{payload}", status=2),
        run("inspect", "lenet", payload, payload, status=2), run("inspect", "lenet", "--timeout", payload, status=2),
        run("inspect", "lenet", "--memory", payload, status=2),
    ]  # fmt: skip
    assert max(len(one.output) for one in said) < 6000


def test_names_of_a_million_letters(tmp_path: Path) -> None:
    text = "g (float[N,1,14,14] x) => (float[N,196] y) { [n] y = Flatten (x) }"
    model = models.parse(text)
    model.graph.output[0].name = model.graph.node[0].output[0] = model.graph.node[0].name = LONG
    model.metadata_props.add(key=LONG, value=LONG)
    model.producer_name = LONG
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    for command in (("inspect", path, "--values"), ("verify", path)):
        shown = run(*command).output
        assert len(shown) < 200_000
        assert "… (1000000 characters) …" in re.sub(r"\s+", " ", shown) or "characters" in shown


def test_a_native_library_names_a_node(tmp_path: Path) -> None:
    """ONNX Runtime and onnx write names into their messages as they are."""
    for place, payload in enumerate(PAYLOADS[::4]):
        model = models.parse("g (float[1,3] x) => (float[1,3] y) { [n] y = Relu (x) }")
        model.graph.node[0].op_type = model.graph.node[0].name = payload
        path = tmp_path / f"{place}.onnx"
        path.write_bytes(model.SerializeToString())
        run("verify", path, status=1)


def test_escapes_are_whole_and_stable() -> None:
    for payload in (*PAYLOADS, "nul\x00", "lone\ud800\udcff", "tag\ufe0f\u115f"):
        shown = terminal(payload)
        assert raw_letters(shown) == set()
        assert "\n" not in shown
        assert terminal(shown) == shown
        assert one_line(one_line(payload)) == one_line(payload) == str(OnnxrayError(payload))
    assert terminal("crème brûlée — 中 C:\\new\\x1b") == "crème brûlée — 中 C:\\new\\x1b"
    assert terminal("\x1b\x9b\u202e\U000e0041\ud800\n\t\r\x00") == r"\x1b\x9b\u202e\U000e0041\ud800\n\t\r\x00"
    assert one_line(" a\n  b\t c  d ") == "a b c  d"
    assert shortened("ab" * 50, 6) == "abab… (100 characters) …ab"


def test_a_page_gets_text_that_is_neither_a_tag_nor_an_end_of_an_attribute() -> None:
    assert html_text("<b class=\"a\" id='b'> & \u202e\n\x00") == (
        r"&lt;b class=&quot;a&quot; id=&#x27;b&#x27;&gt; &amp; \u202e\n\x00"
    )
    assert html_text("crème brûlée — 中") == "crème brûlée — 中"
    for payload in PAYLOADS:
        assert not set("<>\"'\n\x1b\x00") & set(html_text(payload))
        assert html.unescape(html_text(payload)) == terminal(payload)


def test_documents_read_back_as_they_were(tmp_path: Path) -> None:
    document = {payload: [payload, {"": payload}] for payload in (*PAYLOADS, "\x00\x7f", "\udcff.onnx", "\U0010ffff")}
    for plain in (True, False):
        text = json_text(document, ascii=plain)
        assert json.loads(text.encode()) == document
        assert raw_letters(text) == set()
        assert not plain or text.isascii()
    write_folder(tmp_path / "r", document, {})
    assert json.loads((tmp_path / "r" / "result.json").read_bytes()) == document
    for payload in (*PAYLOADS, "\x00\x7f", "\U0010ffff"):
        assert tomllib.loads(f"a = {toml_string(payload)}") == {"a": payload}
        assert raw_letters(toml_string(payload)) == set()
    with pytest.raises(UnicodeEncodeError):
        toml_string("\udcff")


def test_a_console_reads_no_markup_anywhere() -> None:
    """On a colour terminal too: in print, cells, heads, titles and lines of parts only our own styles colour."""
    stream = io.StringIO()
    console = PlainConsole(file=stream, force_terminal=True, color_system="truecolor", width=400, highlight=False)
    table = Table(*PAYLOADS[11:14], title=PAYLOADS[12], show_edge=False)
    table.add_row(*PAYLOADS[:3])
    console.print(table)
    for payload in PAYLOADS:
        console.print(payload)
        console.print(line(payload, (payload, "red")))
    ours = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert raw_letters(ours) == set()
    assert ours.count("[bold red]FAILED[/]") == 5
    assert "\x1b[1;31mFAILED" not in stream.getvalue()
    assert "\x1b]8" not in stream.getvalue()
    assert ":boom:" in ours


def test_pictures_and_plots_get_text_that_can_be_drawn() -> None:
    for payload in PAYLOADS:
        assert raw_letters(clean_text(payload)) == set()
        assert "\n" not in clean_text(payload)


def test_nothing_writes_another_kind_of_document() -> None:
    """A new sink (SVG, XML) needs an escaping function of its own in shown_text.py, and a test here."""
    pages = {"errors/shown_text.py", "report/page/run_page.py"}
    engine = Path(app.__module__ and toml_of.__code__.co_filename).parent
    for path in engine.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.relative_to(engine).as_posix() in pages:
            text = re.sub("<html|import html", "", text)
        assert not re.search(r"<svg|<html|format=.(svg|pdf|pgf)|\.to_html|import (html|xml)|console\.export", text), (
            path
        )
        assert not re.search(r"from rich\.markup|Text\.from_markup|markup=True|rich\.print|Console\(file", text), path


@pytest.mark.skipif(os.name == "nt", reason="paths there are Unicode")
def test_paths_that_are_no_utf8(tmp_path: Path) -> None:
    """In a document such a byte is the escape that Python reads back as the same path."""
    folder = tmp_path / os.fsdecode(b"d\xff")
    folder.mkdir()
    model, picture = folder / os.fsdecode(b"m\xff.onnx"), folder / os.fsdecode(b"caf\xe9.png")
    model.write_bytes(models.lenet().SerializeToString())
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (14, 14), np.uint8)).save(picture)
    other = folder / os.fsdecode(b"t\xfe.png")
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (14, 14), np.uint8)).save(other)
    profile = folder / os.fsdecode(b"p\xff.toml")
    profile.write_text(toml_of(models.GREY))
    outs = [folder / os.fsdecode(b"out\xff%d" % number) for number in range(8)]
    commands = (
        ("inspect", model), ("classify", model, picture), ("verify", model, picture),
        ("values", model, picture, "--value", "ip1"), ("saliency", "gradient", model, picture),
        ("lots", model, picture, "--target", other, "--layer", "ip1", "--until", "distance"),
        ("lots", model, other, "--target-values", outs[3] / "values.npz", "--layer", "ip1"),
        ("invert", model, picture, "--layer", "ip1", "--steps", 1),
    )  # fmt: skip
    for command, out in zip(commands, outs, strict=True):
        shown = run(*command, "--profile", profile, "-o", out).output
        assert "\\udc" in shown
        found = json.loads((out / "result.json").read_bytes())
        assert os.fsencode(found["model"]["path"]) == os.fsencode(model)
        assert found["profile"]["source"] == r"p\udcff.toml"
    assert os.fsencode(json.loads(run("classify", model, picture, "--json").stdout)["items"][0]["path"]) == os.fsencode(
        picture
    )
