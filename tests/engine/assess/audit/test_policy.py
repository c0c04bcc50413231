"""Policies: what they state is what is read, and whatever is not understood is an error that names its place."""

from __future__ import annotations

import datetime
import hashlib
import os
from pathlib import Path

import pytest

from onnxray.assess.audit.baseline import Baseline, read_audit
from onnxray.assess.audit.catalogue import checks
from onnxray.assess.audit.checks.accuracy import Accuracy
from onnxray.assess.audit.default_policy import default_policy, default_text
from onnxray.assess.audit.policy import Limit, Policy, policy_from, read_policy
from onnxray.assess.audit.policy_keys import CHECK_KEYS, option_names
from onnxray.assess.audit.work import params_of
from onnxray.errors import InputError
from support.paths import ROOT

WHOLE = """policy = 1
name = "gate"
[scope]
models = ["a.onnx", "b.onnx"]
images = "validation/"
labels = "labels.csv"
seed = 7
profile = "required"
[defaults]
level = "warn"
confidence = 0.9
min_images = 200
sequential = true
[[check]]
use = "accuracy"
name = "clean"
min = 0.92
max_drop = 0.005
slices = { by = "class", min = 0.85, min_images = 5 }
bins = 10
images = 500
[[check]]
use = "accuracy"
figure = "calibration error"
max = 1
level = "block"
confidence = 0.99
min_images = 1
sequential = false
[[check]]
use = "file"
allow_domains = ["ai.onnx", "com.acme"]
[baseline]
report = "last/audit.json"
[[waiver]]
model = "b.onnx"
check = "clean"
reason = "retired"
owner = "j.doe"
until = 2027-01-31
"""


def read(text: str) -> Policy:
    return policy_from(text, source="p.toml", folder=Path("gate"))


def test_all_that_is_stated_is_read() -> None:
    found = read(WHOLE)
    clean, calibration, file = found.uses
    assert (found.name, found.sha256, found.source) == ("gate", hashlib.sha256(WHOLE.encode()).hexdigest(), "p.toml")
    assert (found.scope.models, found.scope.images) == (("gate/a.onnx", "gate/b.onnx"), ("gate/validation",))
    assert (found.scope.labels, found.scope.seed, found.scope.profile) == ("gate/labels.csv", 7, "required")
    assert found.baseline == Path("gate/last/audit.json")
    assert (clean.name, clean.check, clean.level, clean.confidence) == ("clean", Accuracy(bins=10), "warn", 0.9)
    assert (clean.images, clean.sequential, clean.min_images) == (500, True, 200)
    assert clean.limits == (
        Limit(kind="min", bound=0.92, min_images=200), Limit(kind="max_drop", bound=0.005, min_images=200),
        Limit(kind="min", bound=0.85, by="class", min_images=5),
    )  # fmt: skip
    assert (calibration.name, calibration.level, calibration.sequential) == ("accuracy", "block", False)
    assert calibration.limits == (Limit(kind="max", bound=1.0, figure="calibration error"),)
    assert file.check.options()["allow_domains"] == "ai.onnx,com.acme"
    (waiver,) = found.waivers
    assert (waiver.owner, waiver.until) == ("j.doe", datetime.date(2027, 1, 31))


ONE = 'policy = 1\n[[check]]\nuse = "file"\n'
ACCURACY = 'policy = 1\n[[check]]\nuse = "accuracy"\n'
WAIVER = ONE + '[[waiver]]\nmodel = "a"\ncheck = "file"\nreason = "r"\nowner = "o"\n'
WRONG = {
    "policy = ": "is no TOML",
    "": "policy is missing; a whole number was expected",
    "policy = 2\n": "policy is 2; version 1",
    'policy = "1"\n': "a whole number was expected",
    "policy = true\n": "a whole number was expected",
    "policy = 1\n": "there is no .*check",
    "policy = 1\ncheck = 3\n": "tables headed",
    "policy = 1\nchecks = []\n": "the key 'checks' is unknown; did you mean 'check'?",
    "policy = 1\n[[check]]\n": r"\[\[check\]\] 1: use is missing",
    'policy = 1\n[[check]]\nuse = "acuracy"\n': "no check 'acuracy'; did you mean 'accuracy'?",
    ONE + "minimum = 1\n": "the key 'minimum' is unknown",
    ONE + "min_opsett = 1\n": "did you mean 'min_opset'?",
    ONE + 'min_opset = "x"\n': "min_opset is 'x'",
    ONE + "min_opset = 0\n": "min_opset is 0",
    ONE + 'level = "blok"\n': "did you mean 'block'?",
    ONE + "confidence = 1.0\n": "confidence is 1.0",
    ONE + "confidence = nan\n": "confidence is nan",
    ONE + "max = nan\n": "max is nan; a number was expected",
    ONE + "max = inf\n": "max is inf; a number was expected",
    ONE + 'max = "0"\n': "max is '0'; a number was expected",
    ONE + "max = true\n": "max is True; a number was expected",
    ONE + "images = 0\n": "images is 0",
    ONE + ONE.removeprefix("policy = 1\n"): "the check 'file' is used twice",
    ACCURACY: "it states no limit",
    ACCURACY + "max_drop = 0.1\n": "baseline",
    ACCURACY + "max_drop = -0.1\n[baseline]\nreport = 'x'\n": "max_drop is -0.1",
    ACCURACY + "slices = { by = 'clas', min = 1 }\n": "did you mean 'class'?",
    ACCURACY + "slices = { by = 'class' }\n": "slices is",
    ACCURACY + "slices = { by = 'class', mim = 1 }\n": "did you mean 'min'?",
    ACCURACY + "slices = 3\n": "slices is 3; a table",
    ONE + "[baseline]\n": "",
    ONE + "[baseline]\nreports = 'x'\n": "did you mean 'report'?",
    ONE + "[defaults]\nlevels = 'block'\n": "did you mean 'level'?",
    ONE + "[scope]\nmodel = 'x'\n": "did you mean 'models'?",
    ONE + "[scope]\nmodels = [1]\n": "a list of text",
    ONE + "[scope]\nmodels = ['no/*.onnx']\n": "a pattern that a file fits",
    ONE + "[scope]\nseed = -1\n": "seed is -1",
    ONE + "[scope]\nprofile = 'yes'\n": "one of required, any",
    WAIVER: "until is missing; the date",
    WAIVER + 'until = "2027-01-31"\n': "the date that it ends on",
    WAIVER + "until = 2027-01-31T00:00:00\n": "the date that it ends on",
    WAIVER.replace('"o"', '" "') + "until = 2027-01-31\n": "owner is ' '; some text",
    WAIVER.replace('owner = "o"\n', "") + "until = 2027-01-31\n": "owner is missing",
    WAIVER.replace('check = "file"', 'check = "fil"') + "until = 2027-01-31\n": "one of this policy's: file",
    WAIVER + "until = 2027-01-31\nwho = 1\n": "the key 'who' is unknown",
}  # fmt: skip


@pytest.mark.parametrize("text", [text for text, said in WRONG.items() if said])
def test_what_is_not_understood_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match=WRONG[text]) as told:
        read(text)
    assert "\n" not in str(told.value)


def test_a_policy_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    for path in (tmp_path / "none.toml", tmp_path, tmp_path / "latin.toml"):
        with pytest.raises(InputError, match="cannot be read"):
            read_policy(path)


def test_models_are_found_by_patterns_in_the_policys_folder(tmp_path: Path) -> None:
    for name in ("b.onnx", "a.onnx", "c.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "policy.toml").write_text(ONE + '[scope]\nmodels = ["*.onnx"]\n')
    assert read_policy(tmp_path / "policy.toml").scope.models == (str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx"))


def test_the_default_policy_uses_every_check_and_blocks_by_those_that_judge() -> None:
    found = default_policy()
    assert {use.name for use in found.uses} == set(checks())
    for use in found.uses:
        assert use.level == ("block" if use.check.judges and use.name != "latency" else "record")
    assert found.text == default_text()


@pytest.mark.parametrize("name", checks())
def test_no_option_of_a_check_is_a_key_of_policies(name: str) -> None:
    assert not set(option_names(checks()[name])) & set(CHECK_KEYS)
    assert checks()[name].version >= 1
    assert checks()[name].title


@pytest.mark.parametrize("pattern", ["**/../**/*", "*/../../*"])
def test_a_pattern_does_not_climb_again_and_again(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"without \.\. behind its first"):
        policy_from(
            f'policy = 1\n[scope]\nmodels = ["{pattern}"]\n[[check]]\nuse = "file"\n', source="p", folder=tmp_path
        )


def test_so_many_checks_are_no_policy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there are 1,001 \[\[check\]\]; 1,000 at most"):
        policy_from("policy = 1\n" + '[[check]]\nuse = "file"\n' * 1001, source="p", folder=tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "[]", "null", '{"kind": "audit"}', '{"kind": "audit", "schema": 1, "results": []}',
        '{"kind": "audit", "schema": 1, "results": [], "models": [1]}',
        '{"kind": "audit", "schema": 1, "results": [3], "models": []}', "[" * 100_000,
    ],
)  # fmt: skip
def test_an_audit_of_before_is_one_or_is_refused(text: str, tmp_path: Path) -> None:
    place = tmp_path / "audit.json"
    place.write_text(text)
    with pytest.raises(InputError, match=r"audit\.json was expected|document that"):
        read_audit(place)


def test_an_audit_of_before_that_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (Path("/dev/zero"), tmp_path / "pipe"):
        with pytest.raises(InputError, match="no plain file"):
            read_audit(place)
        with pytest.raises(InputError, match="no plain file"):
            read_policy(place)


def test_figures_of_another_kind_are_none(tmp_path: Path) -> None:
    use = policy_from('policy = 1\n[[check]]\nuse = "accuracy"\nmin = 0.5\n', source="p", folder=tmp_path).uses[0]
    params = params_of(use.check, 0)
    result = {"model": 0, "name": "accuracy", "check": use.check.name, "version": use.check.version, "params": params}
    told = {"models": [{"path": "a.onnx"}], "results": [{**result, "figures": 5}]}
    assert Baseline(told, ["a.onnx"])("a.onnx", use, 0, "x").figures == ()


def test_the_policies_of_the_documentation_are_read_and_differ_in_their_limits(tmp_path: Path) -> None:
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "squeezenet.onnx").write_bytes(b"")
    read_as = {}
    for path in sorted((ROOT / "docs" / "policies").glob("*.toml")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        read_as[path.stem] = read_policy(tmp_path / path.name)
    release, strict = read_as["release"], read_as["strict"]
    assert [use.name for use in release.uses] == [use.name for use in strict.uses]
    assert {use.check.name for use in release.uses} == set(checks())
    assert {one.name for one, other in zip(release.uses, strict.uses) if one.limits != other.limits} == {
        "accuracy", "quantisation"
    }  # fmt: skip
    assert (len(release.waivers), len(strict.waivers)) == (0, 1)
