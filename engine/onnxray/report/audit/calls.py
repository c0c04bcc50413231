"""``onnxray.audit(models, images, policy)``."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from onnxray.assess.audit.audit import Plan
from onnxray.assess.audit.audit import audit as carried_out
from onnxray.assess.audit.default_policy import default_policy
from onnxray.assess.audit.pictures import read_pictures
from onnxray.assess.audit.policy import Policy, read_policy
from onnxray.assess.audit.report import Audit
from onnxray.assess.audit.work import Opening
from onnxray.assess.jobs.executors import Executor, Inline
from onnxray.assess.jobs.processes import Processes
from onnxray.assess.jobs.store import Store
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.errors.type_checks import as_path, check_kind
from onnxray.methods.run import Progress
from onnxray.notebooks.progress_bars import check_progress, shown
from onnxray.report.audit.outputs import outputs

_MODELS: Final = (".onnx", ".caffemodel")
"""Files that are models in a folder; the prototxt of Caffe's weights lies beside them."""
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def audit(
    models: Paths | None = None, images: Paths | None = None,
    policy: Policy | str | os.PathLike[str] | None = None, *,
    labels: str | os.PathLike[str] | None = None, profile: str | None = None, strict: bool = False,
    device: str = "cpu", store: str | os.PathLike[str] | None = None, processes: int = 0,
    timeout: float | None = None, budget: float | None = None, seed: int | None = None,
    sequential: bool | None = None, progress: Progress | bool | None = None,
) -> Audit:  # fmt: skip
    """Audit models on pictures by a policy: ``passed``, ``findings``, ``to_pandas()``, ``save(folder)``.

    models, images: paths, or folders of them; left out, those of the policy. policy: a TOML file; left out, the default
    one (onnxray.assess.audit.default_policy). labels: a CSV of file,label, or ``"folders"``. profile, strict, device:
    as for ``open``. store: a folder where what is measured is kept and taken over; left out, nothing is. processes: 0
    works in this one; a script that asks for more does so under ``if __name__ == "__main__"``. timeout: seconds a unit
    may take, which needs processes. budget: seconds after which no unit is begun; what is missing then fails.
    seed, sequential: in place of what the policy states. Errors: InputError, ImageError, OutputError. What
    goes wrong with a model is its result.
    """
    check_progress(progress)
    check_kind("profile", profile, str | None)
    check_kind("strict", strict, bool)
    check_kind("device", device, str)
    check_kind("seed", seed, int | None)
    check_kind("sequential", sequential, bool | None)
    for name, value in (("timeout", timeout), ("budget", budget)):
        check_kind(name, value, float | None)
    if isinstance(policy, Policy):
        chosen = policy
    else:
        chosen = default_policy() if policy is None else read_policy(as_path("the policy", policy))
    executor: Executor = Inline()
    if processes != 0:
        executor = Processes(processes, timeout=timeout)
    elif timeout is not None:
        raise InputError("a timeout needs processes=1 or more: work in this process cannot be stopped")
    stated = None if labels is None else str(as_path("labels", labels))
    opening = Opening(profile=profile, strict=strict, device=device)
    plan = plan_of(
        _texts("models", models), _texts("images", images), chosen, stated, opening, budget, seed=seed,
        sequential=sequential,
    )  # fmt: skip
    with ExitStack() as stack:
        place = as_path("the store", store) if store is not None else None
        held = stack.enter_context(Store.open(place or stack.enter_context(tempfile.TemporaryDirectory())))
        tick = stack.enter_context(shown(progress))
        return with_outputs(carried_out(plan, held, executor, tick or _silent))


def with_outputs(found: Audit) -> Audit:
    """The audit with the report and what else is made of its document among its files."""
    return replace(found, files={**found.files, **outputs(found.document, found.files)})


def plan_of(
    models: Sequence[str], images: Sequence[str], policy: Policy, labels: str | None, opening: Opening,
    budget: float | None = None, *, seed: int | None = None, sequential: bool | None = None,
) -> Plan:  # fmt: skip
    """What is audited, of what is stated and otherwise of the policy. Errors: InputError, ImageError."""
    scope = policy.scope
    if seed is not None and seed < 0:
        raise InputError(f"the seed is {seed}; a whole number from 0 was expected")
    if sequential is not None:
        policy = replace(policy, uses=tuple(replace(use, sequential=sequential) for use in policy.uses))
    labels = scope.labels if labels is None else labels
    places = tuple(images) or scope.images
    return Plan(
        models=_files(models or scope.models), pictures=read_pictures(places, labels), policy=policy, opening=opening,
        labels=labels, places=places, seed=scope.seed if seed is None else seed, budget=budget,
    )  # fmt: skip


def _files(models: Iterable[str]) -> list[str]:
    """The models; a folder stands for those in it, and in folders inside it. Errors: InputError."""
    found: list[str] = []
    for model in models:
        if not Path(model).is_dir():
            found.append(model)
            continue
        inside = sorted(path for path in Path(model).rglob("*") if path.suffix.lower() in _MODELS and path.is_file())
        if not inside:
            raise InputError(f"{model} is a folder without {' or '.join(_MODELS)} files; name the models")
        found += map(str, inside)
    return found


def _texts(name: str, paths: object) -> list[str]:
    if paths is None:
        return []
    each = [paths] if isinstance(paths, str | os.PathLike) else paths
    if not isinstance(each, list | tuple):
        raise InputError(f"{name} are {short(paths)}; paths were expected")
    return [str(as_path(f"one of {name}", one)) for one in each]


def _silent(done: int, total: int, what: str) -> None:
    pass
