"""An audit: models described, checks measured unit by unit, figures held against the policy.

Work goes in waves: first every model is described; then the units that are missing of all checks, model after model;
then, of checks that are sampled sequentially and are not decided yet, the further ones.
"""

from __future__ import annotations

import datetime
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from onnxray._version import __version__
from onnxray.assess.audit.baseline import Baseline, read_audit
from onnxray.assess.audit.check import Picture
from onnxray.assess.audit.document import audit_document, measured_result, opened_result, unmeasured_result
from onnxray.assess.audit.jobs import Job, Reading, kept
from onnxray.assess.audit.pictures import digest_of
from onnxray.assess.audit.policy import Policy, Use, names_model
from onnxray.assess.audit.report import Audit
from onnxray.assess.audit.work import Described, Opening, Task, forget, work
from onnxray.assess.jobs.executors import Executor, Failure
from onnxray.assess.jobs.store import Store
from onnxray.engines.machine import describe_machine
from onnxray.errors import ImageError, InputError
from onnxray.errors.short_values import short

Tick = Callable[[int, int, str], None]


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is audited, and by what. labels: where they came from; budget: seconds after which no unit is begun."""

    models: Sequence[str]
    pictures: tuple[Picture, ...]
    policy: Policy
    opening: Opening = field(default_factory=Opening)
    labels: str | None = None
    places: tuple[str, ...] = ()
    seed: int = 0
    budget: float | None = None
    today: datetime.date = field(default_factory=datetime.date.today)

    def __post_init__(self) -> None:
        if not self.models:
            raise InputError(
                "no model was given; name .onnx files, or state them in the policy: [scope] models = [...]"
            )
        twice = next((path for path, count in Counter(self.models).items() if count > 1), None)
        if twice is not None:
            raise InputError(f"the model {short(twice)} is given twice; once was expected")
        if not self.pictures and any(use.check.chunk for use in self.policy.uses):
            raise ImageError("no pictures were given; name a folder with --images, or in the policy: [scope] images")


def audit(plan: Plan, store: Store, executor: Executor, tick: Tick) -> Audit:
    """Carry it out. Errors: those of the store; what goes wrong with a model or a check is its result."""
    return _Auditing(plan, store, executor, tick).run()


@final
class _Auditing:
    """One audit at work."""

    def __init__(self, plan: Plan, store: Store, executor: Executor, tick: Tick) -> None:
        self.plan, self.store, self.executor, self.tick = plan, store, executor, tick
        self.started, self.clock = time.time(), time.monotonic()
        self.computed, self.seconds = 0, 0.0
        policy = plan.policy
        told = None if policy.baseline is None else read_audit(policy.baseline)
        self.baseline = Baseline(told, plan.models)
        self.facts: list[Mapping[str, Any] | None] = [None] * len(plan.models)
        self.closed: list[str | None] = [None] * len(plan.models)

    def run(self) -> Audit:
        """All of it."""
        try:
            self._describe()
            jobs = self._jobs()
            readings = self._measure([one for one in jobs.values() if isinstance(one, Job)])
            return self._told(jobs, readings)
        finally:
            self.executor.close()
            forget()

    def _describe(self) -> None:
        checks = tuple((use.name, use.check) for use in self.plan.policy.uses)
        tasks = [Described(path=path, opening=self.plan.opening, checks=checks) for path in self.plan.models]
        numbers = {id(task): number for number, task in enumerate(tasks)}
        for done, (task, answer) in enumerate(self._done(iter(tasks), lambda: True), 1):
            self.tick(done, len(tasks), "audit: opening models")
            if isinstance(answer, Failure):
                self.closed[numbers[id(task)]] = answer.message
            else:
                self.facts[numbers[id(task)]] = json.loads(answer)

    def _jobs(self) -> dict[tuple[int, str], Job | str]:
        """(model, check) -> the job, or why the check says nothing of the model."""
        found: dict[tuple[int, str], Job | str] = {}
        for use in self.plan.policy.uses:
            if use.models and not any(
                facts is None or self._means(use, number) for number, facts in enumerate(self.facts)
            ):
                raise InputError(
                    f"the check {short(use.name)} is for models = {short(list(use.models))}, and no model that is "
                    "audited is one; paths relative to the policy's folder, patterns or sha256:... were expected"
                )
        for number, facts in enumerate(self.facts):
            for use in self.plan.policy.uses if facts is not None else ():
                if facts is None or not self._means(use, number):
                    continue
                reason = facts["unfit"].get(use.name)
                if reason is None and use.check.needs_labels and self.plan.labels is None:
                    reason = "no labels were given"
                found[number, use.name] = reason if reason is not None else Job(
                    place=len(found), path=self.plan.models[number], opening=self.plan.opening, facts=facts, use=use,
                    pictures=self.plan.pictures, seed=self.plan.seed, baseline=self.baseline,
                )  # fmt: skip
        return found

    def _means(self, use: Use, number: int) -> bool:
        """Whether the policy states a check for a model."""
        facts, path = self.facts[number], self.plan.models[number]
        sha256 = None if facts is None else facts["sha256"]
        folder = self.plan.policy.folder
        return not use.models or any(names_model(text, folder, path, sha256) for text in use.models)

    def _measure(self, jobs: Sequence[Job]) -> dict[int, Reading]:
        readings: dict[int, Reading] = {}
        by_place = {job.place: job for job in jobs}
        open_, done = list(jobs), 0
        while open_:
            counts = {job.place: job.count(self.store) for job in open_}
            total = done + sum(counts.values())

            def tasks(now: Sequence[Job] = open_) -> Iterator[Task]:
                for job in now:
                    yield from job.tasks(self.store)

            for task, answer in self._done(tasks(), self._more):
                assert not isinstance(task, Described)
                done += 1
                self.tick(done, total, f"audit: {task.check.name}")
                if isinstance(answer, Failure):
                    by_place[task.place].failed(task, answer)
                else:
                    blob = kept(task, answer)
                    self.store.put(blob)
                    self.computed += 1
                    self.seconds += blob.seconds
            left = []
            for job in open_:
                readings[job.place] = job.read(self.store)
                if not job.decided(readings[job.place]):
                    job.look += 1
                    left.append(job)
            open_ = left
        return readings

    def _done(self, tasks: Iterator[Task], more: Callable[[], bool]) -> Iterator[tuple[Task, bytes | Failure]]:
        return self.executor.run(tasks, work, _group, more)

    def _more(self) -> bool:
        return self.plan.budget is None or time.monotonic() - self.clock < self.plan.budget

    def _told(self, jobs: Mapping[tuple[int, str], Job | str], readings: Mapping[int, Reading]) -> Audit:
        plan, results, files = self.plan, list[dict[str, Any]](), dict[str, bytes]()
        for number in range(len(plan.models)):
            results.append(opened_result(number, self.facts[number], self.closed[number], plan.policy))
            for use in plan.policy.uses:
                result, own = self._result(number, use, jobs.get((number, use.name)), readings)
                results.append(result)
                files |= own
        versions = next((facts["versions"] for facts in self.facts if facts is not None), {"onnxray": __version__})
        models = [self._model(number) for number in range(len(plan.models))]
        images = {
            "places": list(plan.places), "count": len(plan.pictures), "sha256": digest_of(plan.pictures),
            "labels": plan.labels, "classes": len({one.label for one in plan.pictures if one.label is not None}),
        }  # fmt: skip
        run = {
            "started": datetime.datetime.fromtimestamp(self.started, datetime.UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self.clock, 3), "executor": self.executor.described(),
            "units": self.computed, "unit_seconds": round(self.seconds, 3), "budget": plan.budget,
            "machine": dict(describe_machine()),
        }  # fmt: skip
        document = audit_document(
            policy=plan.policy, models=models, results=results, images=images, seed=plan.seed, today=plan.today,
            run=run, versions=versions,
        )  # fmt: skip
        return Audit(document=document, files=files, policy=plan.policy.text)

    def _result(
        self, number: int, use: Use, job: Job | str | None, readings: Mapping[int, Reading]
    ) -> tuple[dict[str, Any], dict[str, bytes]]:
        seed = self.plan.seed
        if self.facts[number] is not None and not self._means(use, number):
            said = "the policy states it for other models"
            return unmeasured_result(number, use, seed, said, state="not applicable", meant=False), {}
        if job is None:
            return unmeasured_result(number, use, seed, "the model cannot be opened"), {}
        if isinstance(job, str):
            return unmeasured_result(number, use, seed, job, state="not applicable"), {}
        reading = readings[job.place]
        if reading.failure is not None:
            return unmeasured_result(number, use, seed, reading.failure), {}
        if reading.outcome is None:
            whole = len(job.sample) if job.by_picture else 1
            what = "pictures" if job.by_picture else "units"
            said = f"{reading.missing} of {whole} {what} are not measured: the budget was over"
            return unmeasured_result(number, use, seed, said, missing=reading.missing), {}
        result, files = measured_result(number, use, seed, reading, job.place)
        if job.by_picture and len(job.looks) > 1:
            result["notes"].append(
                f"sampled sequentially: {len(job.sample)} of {job.looks[-1]} pictures, at most {len(job.looks)} looks, "
                f"intervals of {job.confidence:.5g} each"
            )
        elif use.images is not None and use.check.chunk and len(self.plan.pictures) > use.images:
            result["notes"].append(f"{use.images} of {len(self.plan.pictures)} pictures, drawn by the seed")
        return result, files

    def _model(self, number: int) -> dict[str, Any]:
        facts = self.facts[number]
        named = {"path": self.plan.models[number], "error": self.closed[number]}
        plain = ("file", "sha256", "external", "identity", "bytes", "opsets", "producer", "nodes", "parameters",
                 "output", "profile", "profile_sha256", "assumed")  # fmt: skip
        return {**named, **{key: None if facts is None else facts[key] for key in plain}}


def _group(task: Task) -> str:
    return task.group()
