"""No source of ours runs, unpickles or calls by name what could be text of a file; each exception is stated once."""

import ast
import re
from pathlib import Path

import pytest

from support.paths import ROOT
from support.source_rules import Found, findings

_E = "engine/onnxray/"

TRUSTED = "only where --trust is stated"
FIELDS = "names of a dataclass's own fields, or of a literal list of them"
LAZY = "names out of a literal table, looked up before"
COMMANDS = "whole literals of cli/app.py"
OWN = "the program that a user names by --method-file; no file of a model, no configuration names one"
METHODS = "names that pkgutil finds in this package's own folders"

ALLOWED: dict[tuple[str, str, str], str] = {
    (f"{_E}__init__.py", "__getattr__", "import_module"): LAZY,
    (f"{_E}__init__.py", "__getattr__", "getattr"): LAZY,
    (
        f"{_E}importer/onnx2torch_bridge.py",
        "_call",
        "import_module",
    ): "torchvision and torchvision.ops, whole literals of onnx2torch",
    (f"{_E}importer/onnx2torch_bridge.py", "_call", "getattr"): "what onnx2torch's own source imports from torchvision",
    (
        f"{_E}importer/onnx2torch_bridge.py",
        "load_onnx2torch",
        "sys.modules",
    ): "stand-ins for torchvision, put in and taken out",
    (
        f"{_E}importer/onnx2torch_bridge.py",
        "Bridge._share",
        "setattr",
    ): "Parameters of modules that onnx2torch made, by its names",
    ("adapters/onnxray_adapters/pytorch.py", "from_factory", "import_module"): "what the user names as code to run",
    ("adapters/onnxray_adapters/pytorch.py", "from_factory", "getattr"): "what the user names as code to run",
    ("adapters/onnxray_adapters/pytorch.py", "from_script_or_pickle", "torch.load"): TRUSTED,
    ("adapters/onnxray_adapters/torch_profile.py", "put_profile", "getattr"): "pretrained_cfg, a literal",
    ("adapters/onnxray_adapters/torch_profile.py", "_transformers", "getattr"): "two literals",
    ("adapters/onnxray_adapters/pytorch.py", "from_program", "torch.export.load"): TRUSTED,
    ("adapters/onnxray_adapters/pytorch.py", "from_script_or_pickle", "torch.jit.load"): TRUSTED,
    (f"{_E}model/torch_program.py", "write_program", "torch.export.load"): "what was just written, read back",
    ("adapters/onnxray_adapters/scikit_learn.py", "from_pickle", "joblib.load"): TRUSTED,
    ("adapters/onnxray_adapters/keras.py", "from_keras", "load_model"): TRUSTED,
    ("adapters/onnxray_adapters/keras_profile.py", "put_profile", "re.fullmatch"): "a literal table of patterns",
    ("adapters/onnxray_adapters/tensorflow.py", "from_saved_model", "tensorflow.saved_model.load"): TRUSTED,
    (
        "adapters/onnxray_adapters/tensorflow.py",
        "",
        "import subprocess",
    ): "tf2onnx; the folder is an argument of its own",
    ("adapters/onnxray_adapters/boosted_trees.py", "", "import subprocess"): "a literal program reads the file first",
    ("adapters/onnxray_adapters/boosted_trees.py", "from_xgboost", "load_model"): "JSON, no program",
    ("adapters/onnxray_adapters/frameworks.py", "needed", "import_module"): "frameworks, by literals of the converters",
    (f"{_E}report/audit/junit.py", "", "import xml.etree"): "it writes, and reads none",
    (f"{_E}importer/walk.py", "Walk.text_module", "fx call_module"): "callers give what helper_attribute made",
    (f"{_E}importer/walk.py", "Walk.finish", "__dict__"): "submodules whose names attributes.py made",
    (
        f"{_E}importer/imported_module.py",
        "register_weights",
        "add_module",
    ): "parts that keeps_its_name let through, or made names",
    (f"{_E}importer/imported_module.py", "register_weights", "register_parameter"): "as above",
    (f"{_E}importer/imported_module.py", "ImportedModule.__deepcopy__", "setattr"): FIELDS,
    (f"{_E}importer/imported_module.py", "ImportedModule.__deepcopy__", "getattr"): FIELDS,
    (f"{_E}importer/ops/classical/tree_ensembles.py", "Ensemble.__init__", "register_buffer"): FIELDS,
    (f"{_E}importer/ops/classical/tree_ensembles.py", "Ensemble.__init__", "getattr"): FIELDS,
    (f"{_E}importer/ops/quantised/casting.py", "", "getattr"): "types by a literal table",
    (f"{_E}importer/nodes/integers_as_floats.py", "_float8", "getattr"): "types by literals",
    (f"{_E}importer/nodes/weights.py", "torch_tensor", "getattr"): "types by a literal set",
    (
        f"{_E}importer/ops/quantised/quantization.py",
        "_torch_type",
        "getattr",
    ): "numpy's names of onnx's numbers; no dtype is refused",
    (
        f"{_E}importer/ops/pictures/signal.py",
        "output_type",
        "getattr",
    ): "numpy's names of onnx's numbers; no dtype is refused",
    (
        f"{_E}report/synthesis_report.py",
        "trace_figure",
        "legend",
    ): "its texts are set to be no markup before anything is drawn",
    (f"{_E}report/parts/curves.py", "share_axes", "legend"): "drawn without markup, as above",
    (f"{_E}report/features/invariance_report.py", "curves", "legend"): "as above",
    (f"{_E}report/features/probe_report.py", "probe_plot", "legend"): "names of its own, and a number",
    (
        f"{_E}report/features/tsne_report.py",
        "_legend",
        "legend",
    ): "its texts are set, to be no markup, before it is drawn",
    (f"{_E}report/features/similarity_report.py", "_measures", "legend"): "three names of a literal table",
    (f"{_E}report/training/generator_report.py", "loss_curves", "legend"): "drawn without markup, as above",
    (f"{_E}engines/twin.py", "_as_input", "getattr"): "numpy's names of onnx's float types",
    (f"{_E}training/network.py", "Network._inputs", "getattr"): "as above",
    (f"{_E}graph/differences/structure.py", "_model", "getattr"): FIELDS,
    (f"{_E}graph/differences/structure.py", "_graph", "getattr"): FIELDS,
    (f"{_E}graph/differences/structure.py", "_node", "getattr"): FIELDS,
    (
        f"{_E}methods/saliency/activation/attention_rollout.py",
        "rollout",
        "getattr",
    ): "check_choices let through mean, max and min alone",
    (f"{_E}engines/agreement/verification.py", "Verification.to_dict", "getattr"): FIELDS,
    (f"{_E}engines/agreement/verification.py", "_row", "getattr"): FIELDS,
    (f"{_E}methods/lots/summary.py", "LayerSummary.to_dict", "getattr"): FIELDS,
    (f"{_E}methods/as_typed.py", "plain_fields", "getattr"): FIELDS,
    (f"{_E}images/drawing/page/palette.py", "palette_of", "getattr"): FIELDS,
    ("models/example.py", "write", "getattr"): "photographs of scikit-image, by a literal table",
    (f"{_E}methods/concepts/item.py", "ConceptItem.numbers", "getattr"): FIELDS,
    (f"{_E}methods/features/drawn_item.py", "DrawnItem.numbers", "getattr"): FIELDS,
    (f"{_E}methods/features/units_item.py", "UnitsItem.numbers", "getattr"): FIELDS,
    (f"{_E}assess/models/similarity_item.py", "SimilarityItem.numbers", "getattr"): FIELDS,
    (f"{_E}cli/rerun/command.py", "_function", "FunctionType"): "it is asked whether one is a function; none is made",
    (f"{_E}methods/method.py", "Method.options", "getattr"): FIELDS,
    (f"{_E}methods/option_checks.py", "check_choices", "getattr"): FIELDS,
    (f"{_E}images/profile/profile.py", "Profile.__post_init__", "getattr"): FIELDS,
    (f"{_E}images/profile/profile.py", "Profile._check_numbers", "getattr"): FIELDS,
    (f"{_E}images/profile/profile.py", "Profile._check_numbers", "__setattr__"): FIELDS,
    (f"{_E}images/profile/profile.py", "Profile._check_choice", "getattr"): FIELDS,
    (f"{_E}images/profile/toml_form.py", "toml_of", "getattr"): FIELDS,
    (f"{_E}engines/agreement/first_check.py", "note", "format"): "sentences of a literal table",
    (f"{_E}results/run_identity.py", "_feed", "getattr"): FIELDS,
    (f"{_E}engines/judge.py", "", "import ctypes"): "malloc_trim of the C library, by a literal",
    (f"{_E}engines/judge.py", "return_freed_memory", "CDLL"): "the C library that is loaded already",
    (f"{_E}cli/lazy_group.py", "_imported", "import_module"): COMMANDS,
    (f"{_E}cli/lazy_group.py", "_imported", "getattr"): COMMANDS,
    (f"{_E}methods/documentation.py", "_option", "getattr"): FIELDS,
    (f"{_E}methods/catalogue.py", "look_up", "import_module"): METHODS,
    (f"{_E}methods/catalogue.py", "ByFile.create_module", "import_module"): METHODS,
    (f"{_E}methods/catalogue.py", "_method_in", "import_module"): METHODS,
    (
        f"{_E}assess/audit/catalogue.py",
        "_check_in",
        "import_module",
    ): "names that pkgutil finds in this package's own folder",
    (f"{_E}assess/audit/check.py", "Check.options", "getattr"): FIELDS,
    (f"{_E}assess/audit/work.py", "_opened", "getattr"): FIELDS,
    (
        f"{_E}assess/jobs/store.py",
        "",
        "import sqlite3",
    ): "statements are literals, what is stored goes in as parameters",
    (f"{_E}display/displays.py", "_looked_up", "import_module"): "modules of a literal table, by classes of our own",
    (f"{_E}display/displays.py", "_looked_up", "getattr"): "functions of the same table",
    (f"{_E}web/explore.py", "", "import webbrowser"): "the address of the server's own page",
    (f"{_E}web/server/serving.py", "", "import socket"): "what it listens on; it connects to nothing",
    (f"{_E}methods/own_methods.py", "_module", "sys.modules"): OWN,
    (f"{_E}methods/own_methods.py", "_module", "spec_from_file_location"): OWN,
    (f"{_E}methods/own_methods.py", "_module", "exec_module"): OWN,
}
"""(file, function, what) -> why no file's text can come there."""


def found() -> list[Found]:
    files = [path for part in ("engine", "adapters", "models") for path in sorted((ROOT / part).rglob("*.py"))]
    assert len(files) > 150
    return [one for path in files for one in findings(path, ROOT)]


def test_nothing_else_runs_or_names_what_could_be_text_of_a_file() -> None:
    unknown = [f"{one.file}:{one.line} {one.function}: {one.rule}" for one in found() if one.key not in ALLOWED]
    assert not unknown, "state in ALLOWED why no text of a file comes there:\n" + "\n".join(unknown)


def test_the_list_of_exceptions_is_true() -> None:
    there = {one.key for one in found()}
    assert [key for key in ALLOWED if key not in there] == []


BAD = {
    "exec(text)": "exec", "eval(text)": "eval", "compile(text, 'f', 'exec')": "compile", "__import__(text)": "__import__",
    "ast.literal_eval(text)": "literal_eval", "from ast import literal_eval\nliteral_eval(text)": "literal_eval",
    "import pickle": "import pickle", "from marshal import loads": "import marshal", "import subprocess": "import subprocess",
    "import os.path, webbrowser": "import webbrowser", "import yaml": "import yaml", "from torch import hub": "import torch.hub",
    "np.load(text)": "np.load", "np.load(text, allow_pickle=True)": "np.load", "torch.load(text)": "torch.load",
    "joblib.load(text)": "joblib.load", "torch.export.load(text)": "torch.export.load", "keras.saving.load_model(text)": "load_model",
    "load = torch.jit.load": "torch.jit.load",
    "os.system(text)": "os.system", "os.popen(text)": "os.popen", "os.execv(text, [])": "os.execv", "run(text, shell=True)": "shell=True",
    "def f(g, name):\n  g.get_attr(name)": "fx get_attr", "self.fx.call_module(f'nodes.{name}')": "fx call_module",
    "def f(g, name):\n  target = weight_attribute(1)\n  target = name\n  g.get_attr(target)": "fx get_attr",
    "g.placeholder(name)": "fx placeholder", "module.add_module(name, m)": "add_module", "m.register_buffer(name, t)": "register_buffer",
    "setattr(m, name, 1)": "setattr", "getattr(torch, name)": "getattr", "object.__setattr__(m, name, 1)": "__setattr__",
    "operator.attrgetter(name)": "attrgetter", "text.format(1)": "format", "text % (1,)": "%", "text % 'a'": "%",
    "logger.info(f'{name}')": "log", "logging.getLogger('a').warning(name)": "log", "importlib.import_module(name)": "import_module",
    "re.compile(name)": "re.compile", "re.sub(f'{name}', '', x)": "re.sub", "tempfile.mktemp()": "mktemp",
    "sys.modules[name] = m": "sys.modules", "sys.modules.update(x)": "sys.modules", "m.__dict__[name] = 1": "__dict__",
    "ax.set_title(name)": "set_title", "ctypes.CDLL(name)": "CDLL", "torch.ops.load_library(name)": "load_library",
    "options.register_custom_ops_library(name)": "register_custom_ops_library",
}  # fmt: skip
GOOD = (
    "re.compile(r'a+')", "np.load(path, allow_pickle=False)", "torch.load(path, weights_only=True)", "getattr(x, 'shape', None)",
    "'{}'.format(name)", "'%s' % (name,)", "count % own", "logger.info('%s', name)", "model.eval()", "importlib.import_module('torch')",
    "def f(g):\n  target = node_attribute('n', 1, name)\n  g.call_module(target, args)", "g.get_attr(weight_attribute(3))",
    "ax.set_title(name, parse_math=False)", "ax.set_title('step')", "re.match('a', name)", "ast.parse(text)",
)  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_the_rules_see_what_they_have_to_see(text: str, tmp_path: Path) -> None:
    path = tmp_path / "source.py"
    path.write_text(text)
    assert BAD[text] in {one.rule for one in findings(path, tmp_path)}


@pytest.mark.parametrize("text", GOOD)
def test_the_rules_let_sound_source_be(text: str, tmp_path: Path) -> None:
    ast.parse(text)
    path = tmp_path / "source.py"
    path.write_text(text)
    assert list(findings(path, tmp_path)) == []


def test_no_group_of_a_pattern_gives_nothing_back() -> None:
    """Python 3.11.2, which Debian 12 ships, skips text at ``(a|b)*+``: what a check let pass there was not checked."""
    group = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+")
    for path in sorted((ROOT / "engine").rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert not group.search(line), f"{path}:{number} {line}"
