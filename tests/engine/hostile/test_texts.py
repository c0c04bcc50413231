"""Foreign text in every field of a file, through every command: nothing of it runs, and nothing outside is touched.

``benchmarks/mutations.py`` does the same with thousands, and with damage of every other kind.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from support import hostile, models
from support.damage_places import CANARY
from support.damage_texts import TEXT_PLACES, WAYS, put
from support.mutation_pictures import picture_networks
from support.mutations import serialised
from support.paths import ROOT
from support.payloads import MARK, SINKS, payloads

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify and limits of memory")

CHILD = Path(hostile.__file__).with_name("commands_child.py")
NETWORKS = picture_networks()
FEW = "inspect,verify,values,to_torch"


def write(number: int, folder: Path) -> tuple[Path, str]:
    """Case ``number``: the places in turn, for each round another thing that text can become, way and network."""
    place, turn = TEXT_PLACES[number % len(TEXT_PLACES)], number // len(TEXT_PLACES)
    sink = SINKS[(number + turn) % len(SINKS)]
    texts, way = payloads(folder.parent / MARK)[sink], WAYS[(number + turn // len(SINKS)) % len(WAYS)]
    name = list(NETWORKS)[(number + turn) % len(NETWORKS)]
    random = np.random.default_rng(number)
    model = onnx.ModelProto()
    model.CopyFrom(NETWORKS[name])
    put(model, place, texts[int(random.integers(len(texts)))], way, random)
    folder.mkdir()
    path = folder / "model.onnx"
    path.write_bytes(serialised(model))
    return path, f"{name}: {sink} in {place}, {way}"


def bad(numbers: range, folder: Path) -> list[hostile.Finding]:
    return [one for one in hostile.run_files(write, numbers, folder, child=CHILD, stop=15.0) if one.bad]


def test_no_text_of_any_field_is_more_than_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every field once."""
    monkeypatch.setenv("ONNXRAY_FUZZ_COMMANDS", FEW)
    assert bad(range(len(TEXT_PLACES)), tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("way", range(len(WAYS)))
def test_no_text_of_any_field_is_more_than_text_in_any_command(way: int, tmp_path: Path) -> None:
    """Every field, for everything that text can become, through every command."""
    count = len(TEXT_PLACES) * len(SINKS)
    assert bad(range(way * count, (way + 1) * count), tmp_path) == []


def test_every_field_is_filled_by_its_name() -> None:
    """Whatever the format has; those that are known today, so that the walk cannot miss them."""
    places = {str(place) for place in TEXT_PLACES}
    assert len(places) == len(TEXT_PLACES)
    assert places >= {
        "producer_name", "doc_string", "domain", "ModelProto.metadata_props.key", "ModelProto.metadata_props.value",
        "ModelProto.graph.name", "GraphProto.node.name", "GraphProto.node.op_type", "GraphProto.node.input",
        "GraphProto.initializer.name", "GraphProto.initializer.string_data", "GraphProto.value_info.name",
        "NodeProto.attribute.name", "NodeProto.attribute.s", "NodeProto.attribute.strings", "ModelProto.functions.name",
        "TensorProto.external_data.key", "TensorProto.external_data.value", "TensorShapeProto.dim.dim_param",
        "TensorShapeProto.dim.denotation", "GraphProto.quantization_annotation.tensor_name", "AttributeProto.g.name",
        "SparseTensorProto.values.name", "ModelProto.opset_import.domain", "ValueInfoProto.type.denotation",
    }  # fmt: skip
    for number, place in enumerate(TEXT_PLACES):
        for way in WAYS:
            model = onnx.ModelProto()
            model.CopyFrom(NETWORKS["described"])
            put(model, place, "foreign", way, np.random.default_rng(number))
            assert b"foreign" in model.SerializeToString(), (place, way)


BEHAVES = """
import os, sys
from pathlib import Path
sys.path[:1] = [{tests!r}]  # in place of the working folder
sys.argv[1:] = [{memory!r}, {canary!r}]
from support import commands_child
import onnxray
real, folder = onnxray.open, Path({canary!r}).parent

def behave(path, *args, **options):
    what = Path(path).parent.name
    if what in CASES and isinstance(path, Path):
        exec(CASES[what], {{**globals(), "Path": Path, "folder": folder}})
    return real(path, *args, **options)

CASES = {cases!r}
onnxray.open = behave
commands_child.main()
"""
CASES = {
    "write": "(folder / 'elsewhere').write_text('x')",
    "relative": "Path('here').write_text('x')",
    "read": "open('/etc/hostname').close()",
    "canary": "__import__('ctypes').CDLL(None).open(bytes(folder / 'canary.bin'), 0)",
    "mark": "__import__('ctypes').CDLL(None).creat(bytes(folder / 'zzmark'), 0o600)",
    "remove": "os.remove(folder / 'elsewhere')",
    "rename": "os.rename(folder / 'a', folder / 'b')",
    "folder": "os.mkdir(folder / 'made')",
    "list": "os.listdir('/etc')",
    "shell": "os.system('true')",
    "program": "__import__('subprocess').run(['true'])",
    "fork": "os.fork() or os._exit(0)",
    "socket": "__import__('socket').socket()",
    "exec": "exec('zzmark = 1')",
    "eval": "eval(compile('\"zzmark\"', 'f', 'eval'))",
    "import": "__import__('zzmark')",
    "unpickle": "__import__('pickle').loads(b'cos\\nsystem\\n.')",
    "library": "__import__('ctypes').CDLL('/tmp/zzmark.so')",
}
OTHERS = {"healthy": "model", "error": "InputError", "traceback": "traceback", "control": "shown raw"}
OTHER_CASES = {
    "error": "raise onnxray.errors.InputError('one line')",
    "traceback": "1 / 0",
    "control": "print('\\x1b[31m')",
}


def test_the_child_sees_what_it_has_to_see(tmp_path: Path) -> None:
    """A harness that notices nothing would let everything pass."""
    (tmp_path / CANARY).write_bytes(b"x")
    expected = dict.fromkeys(CASES, "leak") | OTHERS
    paths = [tmp_path / "cases" / name / "model.onnx" for name in expected]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_bytes(models.lenet().SerializeToString())
    script = BEHAVES.format(
        memory=str(hostile.MEMORY), canary=str(tmp_path / CANARY), cases=CASES | OTHER_CASES, tests=str(ROOT / "tests")
    )
    environment = {
        **os.environ, "ONNXRAY_CACHE": str(tmp_path / "c"), "ONNXRAY_FUZZ_COMMANDS": "inspect",
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("engine", "models", "tests")),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script], input="".join(f"{path}\n" for path in paths), capture_output=True, text=True,
        check=False, cwd=ROOT, env=environment,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    found = [answer for answer in answers if answer.get("done")]
    assert {name: one["outcome"] for name, one in zip(expected, found)} == expected, found
    assert len(found) == len(expected), done.stderr


def test_healthy_networks_come_through_every_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a harness that refuses everything would pass."""
    monkeypatch.setattr(hostile, "SECONDS", 120.0)

    def healthy(number: int, folder: Path) -> tuple[Path, str]:
        folder.mkdir()
        (folder / "model.onnx").write_bytes(NETWORKS["described"].SerializeToString())
        return folder / "model.onnx", f"healthy {number}"

    (found,) = hostile.run_files(healthy, range(1), tmp_path, child=CHILD, stop=120.0)
    assert found.outcome == "model", found
    assert {step for step, end in found.steps.items() if end != "done"} == {"apply"}  # it gives no picture
