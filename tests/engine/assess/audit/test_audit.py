"""Audits from end to end: what passes and what does not, what is taken over, and what goes wrong alone."""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import onnxray
from onnxray.assess.audit.audit import Plan, audit
from onnxray.assess.audit.checks.accuracy import Accuracy
from onnxray.assess.audit.checks.file import File
from onnxray.assess.audit.pictures import read_pictures
from onnxray.assess.audit.policy import Limit, Scope, Waiver
from onnxray.assess.audit.report import Audit
from onnxray.assess.jobs.executors import Inline
from onnxray.assess.jobs.processes import Processes
from onnxray.assess.jobs.store import Store
from onnxray.errors import ImageError, InputError
from onnxray.methods.attack.rates import wilson
from support.audits import (
    Brightness,
    Dying,
    Hanging,
    at_least,
    audited,
    policy,
    result,
    use,
    without_run,
    write_model,
    write_pictures,
)

COUNT = 40
ACCURATE = policy(use(File(), level="block"), use(Accuracy(), level="block", limits=(at_least(0.5),)))


@pytest.fixture
def model(tmp_path: Path) -> str:
    return write_model(tmp_path / "net.onnx")


@pytest.fixture
def images(tmp_path: Path) -> str:
    return write_pictures(tmp_path / "images", COUNT)


def test_an_audit_states_what_it_found(model: str, images: str, tmp_path: Path) -> None:
    found = audited([model], images, ACCURATE, tmp_path / "s", labels="folders")
    accuracy = result(found, "accuracy")
    headline = accuracy["figures"][0]
    right = COUNT - COUNT // 10
    assert found.passed
    assert (headline["value"], headline["count"]) == (right / COUNT, COUNT)
    assert (headline["low"], headline["high"]) == wilson(right, COUNT)
    assert [one["slice"] for one in accuracy["figures"][2:]] == [
        "class=bright",
        "class=dark",
        "folder=bright",
        "folder=dark",
    ]
    assert [one["state"] for one in found.results] == ["pass", "pass", "pass"]
    assert found.models[0]["sha256"] == onnxray.open(model).graph.sha256
    assert (found.findings, len(found.rows())) == ([], 1 + 5 + len(accuracy["figures"]))
    assert found.document["images"]["count"] == COUNT


def test_a_limit_that_is_not_met_fails_and_says_by_how_much(model: str, images: str, tmp_path: Path) -> None:
    strict = policy(use(Accuracy(), level="block", limits=(at_least(0.89),)))
    found = audited([model], images, strict, tmp_path / "s", labels="folders")
    low, _ = wilson(36, COUNT)
    assert not found.passed, "0.9 is above 0.89, its lower bound is not"
    (reason,) = result(found, "accuracy")["reasons"]
    assert f"{low:.6g} of 40; >= 0.89 was required" in reason
    assert found.document["counts"]["blocking"] == 1
    (told,) = found.findings
    assert (told["check"], told["level"], told["state"]) == ("accuracy", "block", "fail")


@pytest.mark.parametrize("level", ["warn", "record"])
def test_what_does_not_block_does_not_fail_the_audit(level: str, model: str, images: str, tmp_path: Path) -> None:
    lax = policy(use(Accuracy(), level=level, limits=(at_least(0.99),)))
    found = audited([model], images, lax, tmp_path / "s", labels="folders")
    assert found.passed
    assert result(found, "accuracy")["state"] == {"warn": "fail", "record": "recorded"}[level]


@pytest.mark.parametrize(
    ("pattern", "until", "state", "passed"),
    [
        ("net.onnx", "2030-01-01", "in force", True), ("*.onnx", "2030-01-01", "in force", True),
        ("sha256", "2030-01-01", "in force", True), ("net.onnx", "2029-12-31", "ended", False),
        ("other.onnx", "2030-01-01", "of no model", False), ("sub/net.onnx", "2030-01-01", "of no model", False),
    ],
)  # fmt: skip
def test_a_waiver_counts_for_its_model_until_its_day(
    pattern: str, until: str, state: str, passed: bool, model: str, images: str, tmp_path: Path
) -> None:
    if pattern == "sha256":
        pattern = f"sha256:{onnxray.open(model).graph.sha256}"
    waiver = Waiver(model=pattern, check="accuracy", reason="r", owner="o", until=datetime.date.fromisoformat(until))
    strict = policy(
        use(Accuracy(), level="block", limits=(at_least(0.99),)), waivers=(waiver,), folder=Path(model).parent
    )
    found = audited([model], images, strict, tmp_path / "s", labels="folders", today=datetime.date(2030, 1, 1))
    assert (found.passed, found.document["waivers"][0]["state"]) == (passed, state)
    assert (result(found, "accuracy")["waiver"] is not None) == passed
    ended = "its waiver by o ended on 2029-12-31"
    assert (ended in result(found, "accuracy")["reasons"]) == (state == "ended")


def test_a_waiver_that_nothing_needs_says_so(model: str, images: str, tmp_path: Path) -> None:
    waiver = Waiver(model="net.onnx", check="file", reason="r", owner="o", until=datetime.date(2999, 1, 1))
    lax = policy(use(File(), level="block"), waivers=(waiver,), folder=Path(model).parent)
    found = audited([model], images, lax, tmp_path / "s")
    assert found.document["waivers"][0]["state"] == "not needed"


def drops(bound: float, baseline: Path, bins: int = 15) -> Any:
    limits = (Limit(kind="max_drop", bound=bound),)
    return policy(use(Accuracy(bins=bins), level="block", limits=limits), baseline=baseline)


def test_a_drop_is_held_against_the_baseline(model: str, images: str, tmp_path: Path) -> None:
    first = audited([model], images, ACCURATE, tmp_path / "s", labels="folders")
    first.save(tmp_path / "first")
    again = audited([model], images, drops(0.0, tmp_path / "first"), tmp_path / "s", labels="folders")
    assert again.passed, "on the same pictures nothing dropped"
    other = write_pictures(tmp_path / "others", COUNT, start=1000)
    assert not audited([model], other, drops(0.0, tmp_path / "first"), tmp_path / "s", labels="folders").passed
    assert audited([model], other, drops(0.2, tmp_path / "first"), tmp_path / "s", labels="folders").passed


def test_a_baseline_of_another_policy_fails_the_drop(model: str, images: str, tmp_path: Path) -> None:
    first = audited([model], images, ACCURATE, tmp_path / "s", labels="folders")
    first.save(tmp_path / "first")
    found = audited([model], images, drops(0.5, tmp_path / "first", bins=3), tmp_path / "s", labels="folders")
    assert not found.passed
    assert "with other options or another seed" in result(found, "accuracy")["reasons"][0]
    only = policy(use(File(), level="block"))
    audited([model], images, only, tmp_path / "s").save(tmp_path / "only")
    found = audited([model], images, drops(0.5, tmp_path / "only"), tmp_path / "s", labels="folders")
    assert "it has no check 'accuracy'" in result(found, "accuracy")["reasons"][0]
    for text in ("", "[]", '{"kind": "audit", "schema": 99, "results": [], "models": []}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(InputError, match="was expected"):
            audited([model], images, drops(0.5, tmp_path / "bad.json"), tmp_path / "s", labels="folders")


def test_a_broken_model_fails_alone(model: str, images: str, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x01 this is no model")
    found = audited([model, str(tmp_path / "broken.onnx")], images, ACCURATE, tmp_path / "s", labels="folders")
    assert not found.passed
    assert [one["state"] for one in found.results] == ["pass"] * 3 + ["error"] * 3
    assert result(found, "accuracy", 1)["reasons"] == ["the model cannot be opened"]
    assert "broken.onnx" in found.models[1]["error"]


def test_two_models_of_the_same_name_are_two(images: str, tmp_path: Path) -> None:
    paths = []
    for seed, folder in enumerate("ab"):
        (tmp_path / folder).mkdir()
        paths.append(write_model(tmp_path / folder / "net.onnx", seed))
    found = audited(paths, images, ACCURATE, tmp_path / "s", labels="folders")
    assert found.passed
    assert len({one["sha256"] for one in found.models}) == 2
    assert len({one["key"] for one in found.results if one["name"] == "accuracy"}) == 2
    with pytest.raises(InputError, match="given twice"):
        audited([paths[0], paths[0]], images, ACCURATE, tmp_path / "s", labels="folders")


@pytest.mark.slow
def test_a_model_that_hangs_is_reported_and_the_rest_goes_on(model: str, images: str, tmp_path: Path) -> None:
    stated = policy(use(Hanging(), level="block"), use(File(), level="block"))
    found = audited([model], images, stated, tmp_path / "s", Processes(1, timeout=6))
    assert not found.passed
    assert result(found, "hanging")["reasons"] == ["it was not done within 6 s and was stopped"]
    assert result(found, "file")["state"] == "pass"


@pytest.mark.slow
def test_a_model_whose_process_dies_is_reported_and_the_rest_goes_on(model: str, images: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    stated = policy(use(Dying(log=str(log)), level="warn"), *ACCURATE.uses)
    found = audited([model], images, stated, tmp_path / "s", Processes(1), labels="folders")
    assert found.passed
    assert "its process died 2 times (signal 9)" in result(found, "dying")["reasons"][0]
    assert log.read_text().count("died") == 2
    assert result(found, "accuracy")["state"] == "pass"


def test_without_labels_a_limited_accuracy_fails_and_another_does_not_apply(
    model: str, images: str, tmp_path: Path
) -> None:
    found = audited([model], images, ACCURATE, tmp_path / "s")
    assert result(found, "accuracy")["state"] == "fail"
    assert result(found, "accuracy")["reasons"][0] == "no labels were given"
    found = audited([model], images, policy(use(Accuracy())), tmp_path / "s")
    assert (found.passed, result(found, "accuracy")["state"]) == (True, "not applicable")


def test_an_assumed_profile_fails_where_one_is_required(model: str, images: str, tmp_path: Path) -> None:
    Path(model).with_suffix(".toml").unlink()
    for profile, passed in (("any", True), ("required", False)):
        stated = replace(policy(use(File(), level="block")), scope=Scope(profile=profile))  # type: ignore[arg-type]
        found = audited([model], images, stated, tmp_path / "s")
        assert (found.passed, result(found, "open")["state"]) == (passed, "pass" if passed else "fail")


def test_ten_more_pictures_are_ten_more_measured_and_names_do_not_count(
    model: str, images: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    stated = policy(use(Brightness(log=str(log))))
    first = audited([model], images, stated, tmp_path / "s")
    assert len(log.read_text().splitlines()) == COUNT
    write_pictures(Path(images), 10, start=COUNT)
    second = audited([model], images, stated, tmp_path / "s")
    lines = log.read_text().splitlines()
    assert (len(lines), len(set(lines))) == (COUNT + 10, COUNT + 10)
    assert (result(first, "brightness")["images"], result(second, "brightness")["images"]) == (COUNT, COUNT + 10)
    Path(images).rename(tmp_path / "elsewhere")
    Path(model).rename(tmp_path / "renamed.onnx")
    Path(model).with_suffix(".toml").rename(tmp_path / "renamed.toml")
    third = audited([str(tmp_path / "renamed.onnx")], str(tmp_path / "elsewhere"), stated, tmp_path / "s")
    assert len(log.read_text().splitlines()) == COUNT + 10
    assert result(third, "brightness")["figures"] == result(second, "brightness")["figures"]


@pytest.mark.parametrize("changed", ["model", "profile", "options", "seed", "picture"])
def test_whatever_a_row_depends_on_is_measured_anew(changed: str, model: str, images: str, tmp_path: Path) -> None:
    log, more = tmp_path / "log", dict[str, Any]()
    stated = policy(use(Brightness(log=str(log))))
    audited([model], images, stated, tmp_path / "s")
    if changed == "model":
        write_model(Path(model), seed=1)
    elif changed == "profile":
        side = Path(model).with_suffix(".toml")
        side.write_text(side.read_text().replace("mean = [0]", "mean = [0.5]"))
    elif changed == "options":
        stated = policy(use(Brightness(log=str(log), seconds=0.001)))
    elif changed == "seed":
        more = {"seed": 1}
    else:
        picture = next(Path(images).rglob("00003.png"))
        picture.write_bytes(next(Path(images).rglob("00004.png")).read_bytes())
    audited([model], images, stated, tmp_path / "s", **more)
    again = len(log.read_text().splitlines()) - COUNT
    assert again == (0 if changed == "picture" else COUNT), "a picture that was measured under another name is known"


def test_a_label_counts_for_what_reads_labels_alone(model: str, images: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    stated = policy(use(Brightness(log=str(log))), use(Accuracy()))
    before = audited([model], images, stated, tmp_path / "s", labels="folders")
    moved = next(Path(images, "dark").glob("*.png"))
    moved.rename(Path(images, "bright", moved.name))
    after = audited([model], images, stated, tmp_path / "s", labels="folders")
    assert len(log.read_text().splitlines()) == COUNT
    values = [result(one, "accuracy")["figures"][0]["value"] for one in (before, after)]
    assert abs(values[0] - values[1]) == pytest.approx(1 / COUNT)


def test_a_picture_and_a_model_that_change_meanwhile_are_refused(model: str, images: str, tmp_path: Path) -> None:
    pictures = read_pictures([images], "folders")
    pictures[0].path.write_bytes(pictures[1].path.read_bytes())
    with Store.open(tmp_path / "s") as store:
        plan = Plan(models=[model], pictures=pictures, policy=ACCURATE, labels="folders")
        found = audit(plan, store, Inline(), lambda *_: None)
    assert "the picture changed while it was audited" in result(found, "accuracy")["reasons"][0]


def test_a_budget_that_is_over_fails_what_is_missing(model: str, images: str, tmp_path: Path) -> None:
    stated = policy(use(Brightness(), level="block", limits=(at_least(0.1),)))
    found = audited([model], images, stated, tmp_path / "s", budget=0.0)
    told = result(found, "brightness")
    assert (found.passed, told["state"], told["missing"]) == (False, "error", COUNT)
    assert told["reasons"] == [f"{COUNT} of {COUNT} pictures are not measured: the budget was over"]
    assert audited([model], images, stated, tmp_path / "s").passed, "a further run goes on"


@pytest.mark.parametrize(("bound", "expected"), [(0.2, 64), (0.9, 64), (0.45, 200)])
def test_sequential_sampling_ends_once_the_limit_is_cleared_or_broken(
    bound: float, expected: int, model: str, tmp_path: Path
) -> None:
    images = write_pictures(tmp_path / "many", 200)
    log = tmp_path / "log"
    stated = policy(use(Brightness(log=str(log)), level="block", limits=(at_least(bound),), sequential=True))
    found = audited([model], images, stated, tmp_path / "s")
    told = result(found, "brightness")
    assert (told["images"], len(log.read_text().splitlines())) == (expected, expected)
    assert told["confidence"] == pytest.approx(1 - 0.05 / 3), "three looks: 64, 128, 200"
    assert f"sampled sequentially: {expected} of 200 pictures" in told["notes"][0]
    figure = told["figures"][0]
    assert (figure["low"], figure["high"]) == wilson(round(figure["value"] * expected), expected, 1 - 0.05 / 3)
    assert found.passed == (bound == 0.2)


def test_a_share_of_the_pictures_is_drawn_by_the_seed(model: str, images: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    for seed in (0, 0, 1):
        found = audited([model], images, policy(use(Brightness(log=str(log)), images=8)), tmp_path / "s", seed=seed)
        assert result(found, "brightness")["images"] == 8
    first, other = (set(log.read_text().splitlines()[part]) for part in (slice(0, 8), slice(8, 16)))
    assert len(first) == len(other) == 8
    assert first != other


def test_processes_give_the_same_document(images: str, tmp_path: Path) -> None:
    paths = [write_model(tmp_path / f"{seed}.onnx", seed) for seed in range(2)]
    stated = policy(
        use(File(), level="block"), use(Accuracy(), level="block", limits=(at_least(0.5),)), use(Brightness())
    )
    inline = audited(paths, images, stated, tmp_path / "a", labels="folders")
    spawned = audited(paths, images, stated, tmp_path / "b", Processes(2), labels="folders")
    assert json.dumps(without_run(inline)) == json.dumps(without_run(spawned))


def test_what_is_saved_is_the_document_and_fits_its_schema(model: str, images: str, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    paths = [model, str(tmp_path / "broken.onnx")]
    stated = policy(*ACCURATE.uses, use(Brightness(), limits=(at_least(0.9),), level="warn"))
    found = audited(paths, images, stated, tmp_path / "s", labels="folders")
    found.save(tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    pictures = {name for name in names if name.endswith(".png")}
    assert names - pictures == {"audit.json", "policy.toml"}
    told = json.loads((tmp_path / "out" / "audit.json").read_bytes())
    assert pictures == set(re.findall(r"[\w-]+\.png", json.dumps(told)))
    assert told == found.document
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(resources.files("onnxray.assess.audit").joinpath("audit.schema.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(told, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**told, "more": 1}, schema)


def test_without_models_or_pictures_there_is_no_audit(model: str, images: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model was given"):
        audited([], images, ACCURATE, tmp_path / "s")
    with pytest.raises(ImageError, match="no pictures were given"):
        onnxray.audit(model)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="without image files"):
        audited([model], str(tmp_path / "empty"), ACCURATE, tmp_path / "s")
    with pytest.raises(ImageError, match="cannot be read"):
        audited([model], str(tmp_path / "gone.png"), ACCURATE, tmp_path / "s")
    with pytest.raises(InputError, match="without .onnx or .caffemodel files"):
        onnxray.audit(str(tmp_path / "empty"), images)


def test_labels_of_other_files_are_refused(model: str, images: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label\nelsewhere.png,dark\n")
    with pytest.raises(InputError, match="has no label for 40 of 40 pictures"):
        audited([model], images, ACCURATE, tmp_path / "s", labels=str(tmp_path / "labels.csv"))
    with pytest.raises(InputError, match="lies in no folder of a class"):
        audited([model], str(Path(images, "dark")), ACCURATE, tmp_path / "s", labels="folders")


def test_labels_that_no_class_has_fail_the_check(model: str, images: str, tmp_path: Path) -> None:
    Path(images, "dark").rename(Path(images, "daark"))
    found = audited([model], images, ACCURATE, tmp_path / "s", labels="folders")
    assert "did you mean the class 'dark'" in result(found, "accuracy")["reasons"][0]


def test_from_python(model: str, images: str, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(
        'policy = 1\n[scope]\nmodels = "net.onnx"\nimages = "images"\nlabels = "folders"\n[[check]]\nuse = "accuracy"\nmin = 0.5\n'
    )
    found = onnxray.audit(policy=tmp_path / "policy.toml")
    assert isinstance(found, Audit)
    assert (found.passed, repr(found)) == (True, "<Audit passed: 1 models, 2 results; 0 fail>")
    assert onnxray.audit(model, images, labels="folders", store=tmp_path / "s", profile="unit").passed
    for wrong in ({"processes": -1}, {"timeout": 3.0}, {"models": 3}, {"strict": 1}, {"budget": "2h"}):
        with pytest.raises(InputError):
            onnxray.audit(**{"models": model, "images": images, "labels": "folders"} | wrong)  # type: ignore[arg-type]
