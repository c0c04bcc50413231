"""Damaged models in bounded child processes: a model or one of our errors, and nothing read outside the folder.

``benchmarks/hostile.py`` does the same with thousands.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import InputError, ModelFileError, UnsupportedOperator
from onnxray.graph.file.checks import LARGEST_INLINED
from support import hostile, models
from support.damage_places import CANARY, point_outside
from support.mutation_seeds import Seed, seeds
from support.mutations import MUTATORS, write_case
from support.paths import ROOT

COUNT = 300
SEEDS = seeds()

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="select waits for no pipes there")


def test_mutations_end_in_a_model_or_in_our_own_error(tmp_path: Path) -> None:
    """Every kind of damage, each on several models."""
    kinds, healthy = len(MUTATORS), len(SEEDS)
    numbers = [k // kinds * kinds * healthy + k % kinds * healthy + k * 7 % healthy for k in range(COUNT)]
    found = list(hostile.run_cases(SEEDS, numbers, 0, tmp_path, stop=2.0))
    assert [finding for finding in found if finding.bad] == []
    outcomes = {finding.outcome for finding in found}
    assert {"model", "ModelFileError", "RuntimeRefusal"} <= outcomes
    assert len({finding.damage.split(": ")[1] for finding in found}) == kinds
    assert {finding.damage.split(": ")[0] for finding in found} == {seed.name for seed in SEEDS}


def test_healthy_models_come_through(tmp_path: Path) -> None:
    """Else a harness that refuses everything would pass."""
    for seed in SEEDS:
        folder = tmp_path / seed.name
        folder.mkdir()
        for name, data in seed.beside.items():
            (folder / name).write_bytes(data)
        (folder / "model.onnx").write_bytes(seed.model.SerializeToString())
        assert onnxray.open(folder / "model.onnx").verify().agrees, seed.name


def test_the_same_number_gives_the_same_file(tmp_path: Path) -> None:
    for number in (3, 100, 400):
        first, said = write_case(SEEDS, number, 5, tmp_path / f"a{number}")
        second, again = write_case(SEEDS, number, 5, tmp_path / f"b{number}")
        assert first.read_bytes() == second.read_bytes()
        assert said == again


VERIFY = """
import ctypes, sys
sys.argv[1:] = [{memory!r}, {canary!r}]
from support import hostile_child
import onnxray
real = onnxray.Model.verify

def verify(self):
    folder = self.graph.path.parent.name
    if folder == "traceback":
        1 / 0
    if folder == "python":
        open("/etc/hostname").close()
    if folder == "native":
        ctypes.CDLL(None).open(sys.argv[2].encode(), 0)
    if folder == "lines":
        raise onnxray.errors.InputError("one line")
    if folder == "memory":
        bytearray(3 * 2**30)
    return real(self)

onnxray.Model.verify = verify
hostile_child.main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="inotify and limits of memory")
def test_the_child_sees_what_it_has_to_see(tmp_path: Path) -> None:
    """A harness that notices nothing would let everything pass."""
    (tmp_path / CANARY).write_bytes(b"x")
    expected = {
        "healthy": "model", "traceback": "traceback", "python": "read outside", "native": "read outside",
        "lines": "InputError", "memory": "traceback",
    }  # fmt: skip
    paths = [tmp_path / name / "model.onnx" for name in expected]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(models.lenet().SerializeToString())
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join(["engine", "models", "tests"]), "ONNXRAY_CACHE": str(tmp_path / "c"),
    }  # fmt: skip
    script = VERIFY.format(memory=str(hostile.MEMORY), canary=str(tmp_path / CANARY))
    done = subprocess.run(
        [sys.executable, "-c", script], input="".join(f"{path}\n" for path in paths), capture_output=True, text=True,
        check=False, cwd=ROOT, env=environment,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    found = [answer["outcome"] for answer in answers if answer.get("done")]
    assert found == list(expected.values()), done.stderr


def test_a_crash_and_work_without_end_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / CANARY).write_bytes(b"x")
    monkeypatch.setattr(hostile, "GROWN", 100 * 2**20)
    predicting = 'print(\'{"stage": "predict"}\', flush=True)\n'
    for name, body, outcome in (
        ("crash", "import os; os.abort()", "crash"),
        ("sleep", "import time; time.sleep(60)", "too slow"),
        ("work", f"{predicting}import time; time.sleep(60)", "stopped"),
        ("grow", f"{predicting}data = b'x' * 2**28\nimport time; time.sleep(60)", "stopped growing"),
    ):
        script = tmp_path / f"{name}.py"
        script.write_text(f"import sys\nprint('{{\"ready\": true}}', flush=True)\nsys.stdin.readline()\n{body}\n")
        monkeypatch.setattr(hostile, "CHILD", script)
        monkeypatch.setattr(hostile, "SECONDS", 1.0)
        (tmp_path / name).mkdir()
        (found,) = hostile.run_cases(SEEDS, [0], 0, tmp_path / name)
        assert found.outcome == outcome
        assert found.bad is not outcome.startswith("stopped")


# What the mutations found


def test_a_constant_that_claims_more_than_it_holds() -> None:
    """Shape inference would take 16 GiB for it."""
    model = models.parse(
        """g (float[N,4] x) => (float[N,K] y) {
          to = Constant <value = int64[2] {2, 2}> ()
          y = Reshape (x, to)
        }"""
    )
    model.graph.node[0].attribute[0].t.dims[0] = 2**31 - 1
    with pytest.raises(ModelFileError, match=r"'value' of node 'Constant' has the shape \[2147483647\], and holds no"):
        onnxray.open(model)
    model.graph.node[0].attribute[0].t.dims[0] = -2
    with pytest.raises(ModelFileError, match="sizes of 0 and more"):
        onnxray.open(model)


def test_a_constant_of_another_type_than_it_says() -> None:
    """ONNX Runtime would crash when it runs it."""
    model = models.parse(
        "g (float[N,4] x) => (float[N,4] y) { c = Constant <value = float[4] {1, 2, 3, 4}> () y = Add (x, c) }"
    )
    model.graph.node[0].attribute[0].type = onnx.AttributeProto.INTS
    with pytest.raises(ModelFileError, match=r"'value' of Constant \['c'\] is of the type 7; 4 was expected"):
        onnxray.open(model)


@pytest.mark.parametrize("version", [2**40, -1, 2**31])
def test_an_opset_that_is_none(version: int) -> None:
    """Of a domain that no node is of, which ONNX Runtime therefore does not look at."""
    model = functions(2)
    model.opset_import[1].version = version
    with pytest.raises(ModelFileError, match=f"the opset of domain 'own' is {version}"):
        onnxray.open(model)


def functions(depth: int, first: str = "Relu") -> onnx.ModelProto:
    """Each calls the one before twice."""
    bodies = []
    for level in range(depth):
        inner = f"own.f{level - 1}" if level else first
        bodies.append(
            f'<opset_import: ["": 17, "own": 1], domain: "own"> f{level} (v) => (w) {{ m = {inner} (v) w = {inner} (m) }}'
        )
    return onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17, "own": 1]> g (float[N,4] x) => (float[N,4] y) '
        f"{{ y = own.f{depth - 1} (x) }}\n" + "\n".join(bodies)
    )


def test_functions_that_would_fill_the_memory() -> None:
    assert len(onnxray.open(functions(4)).graph.nodes) == 16
    with pytest.raises(ModelFileError, match=f"when written out, {LARGEST_INLINED:,} are the most"):
        onnxray.open(functions(40))


def test_functions_that_call_themselves() -> None:
    with pytest.raises(ModelFileError, match="calls itself"):
        onnxray.open(functions(3, "own.f2"))


def test_inputs_that_no_seeded_numbers_fill() -> None:
    huge = models.parse("g (float[N,1000000,1000000] x) => (float[N,1000000,1000000] y) { y = Relu (x) }")
    with pytest.raises(InputError, match="too large for seeded numbers"):
        onnxray.open(huge).verify()
    model = models.parse("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }")
    model.graph.input[0].type.map_type.key_type = 7
    with pytest.raises(InputError, match="'x' is of map"):
        onnxray.open(model).verify()


def test_a_batch_that_fits_no_memory() -> None:
    model = models.parse(f"g (float[{2**40},4] x) => (float[{2**40},4] y) {{ y = Relu (x) }}")
    with pytest.raises(InputError, match="the file fixes its batch at 1099511627776"):
        onnxray.open(model).values(np.zeros((1, 4), np.float32), ["y"])


def test_a_node_whose_constants_do_not_fit_is_refused_by_name() -> None:
    """Scales of one length and an axis of another: torch's own error while the node is converted."""
    model = models.parse(
        "g (float[N,2,1,1] x) => (float[N,2,1,1] y) { [odd] k = DequantizeLinear <axis = 1> (w, s, z) y = Conv (x, k) }",
        {"w": np.zeros((2, 3, 1, 1), np.int8), "s": np.float32([1, 2]), "z": np.int8([0, 0])},
        opset=13,
    )
    with pytest.raises(UnsupportedOperator, match="'odd'.*do not fit"):
        onnxray.to_torch(model, verify=False)


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop.bin").symlink_to(tmp_path / "loop.bin")
    model = models.lenet()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="loop.bin")
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match=r"'loop.bin', which (cannot be read|is missing)"):
        onnxray.open(tmp_path / "m.onnx")


@pytest.mark.parametrize("seed", range(4))
def test_the_canary_is_never_reached(seed: int, tmp_path: Path) -> None:
    """Whole and readable, with room for the weight: only the place is wrong."""
    (tmp_path / CANARY).write_bytes(np.ones(10**5, np.float32).tobytes())
    (tmp_path / "m").mkdir()
    model = Seed("lenet", models.lenet()).model
    point_outside(model, np.random.default_rng(seed), tmp_path / "m")
    for tensor in model.graph.initializer:
        while len(tensor.external_data) > 1:
            del tensor.external_data[-1]
    (tmp_path / "m" / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match="outside the model's folder"):
        onnxray.open(tmp_path / "m" / "m.onnx")
