"""onnxray audit: models and pictures in, a verdict by a policy out."""

from __future__ import annotations

import functools
import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onnxray.cli.parts.command_frame import progress_bar
from onnxray.cli.parts.document import default_folder, print_json
from onnxray.cli.parts.limits import limited, memory_option, timeout_option
from onnxray.cli.parts.memory_limit import check_limits_memory, limit_memory
from onnxray.cli.parts.shared_options import Opening, with_shared_options
from onnxray.cli.terminal.notes import note
from onnxray.errors import InputError, OutputError

if TYPE_CHECKING:
    from onnxray.assess.audit.policy import Policy
    from onnxray.assess.audit.report import Audit
    from onnxray.assess.audit.work import Opening as HowOpened
    from onnxray.assess.jobs.executors import Executor

NOT_MET = 3
"""Exit status: audited, and the policy is not met."""
_SPAN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(s|m|h|d)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def read_span(text: str) -> float:
    """Seconds from ``90s``, ``30m``, ``2h``, ``1d`` or a plain number of seconds."""
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no span of time; write it as 90s, 30m or 2h")
    return float(found[1]) * _SECONDS[found[2] or "s"]


@limited
@with_shared_options
def run(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...]",
            help="The .onnx files (or Caffe's .caffemodel), or folders of them; left out, those of the policy.",
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option("--images", metavar="FOLDER", help="Pictures, in folders inside it too; repeatable."),
    ] = None,
    true_labels: Annotated[
        str | None,
        typer.Option(
            "--labels", metavar="FILE.csv|folders",
            help="The true classes: a CSV of file,label, or folders: each picture lies in a folder named by its class.",
        ),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE.toml", help="What must hold; left out, the default one.")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            "--store", metavar="DIR",
            help="Where what is measured is kept and taken over; left out, DIR/store of -o, else "
            "onnxray-out/audit-store.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=0, help="How many processes work; 0: this one. Default: one for two cores."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="auto|ADDRESS", help="Work on a Ray cluster, with --jobs actors (onnxray[ray])."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Of whatever is drawn; left out, the policy's, and 0 where it states none."),
    ] = None,
    sequential: Annotated[
        bool | None,
        typer.Option(
            "--sequential/--no-sequential",
            help="Stop a check once its limits are cleared or broken; left out, as the policy says check by check.",
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget", metavar="SPAN", parser=read_span, rich_help_panel="Limits",
            help="Begin nothing after so long (30m, 2h); what is missing then fails the policy.",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        timeout_option("What a unit of work may take; one that takes longer fails its check, and the rest goes on."),
    ] = None,
    memory: Annotated[
        int | None,
        memory_option("of each process", "whose unit fails its check where it is not enough"),
    ] = None,
    *,
    shared: Opening,
) -> None:  # fmt: skip
    """Audit models on pictures by a policy: files, accuracy, robustness and more. Status 3 where it is not met.

    What is measured is kept by content: a run that was killed goes on where it was, and pictures or models that are
    added are all that is measured anew. Beside it: onnxray audit init, onnxray audit explain, onnxray audit compare.

    Examples: onnxray audit net.onnx --images photos/ --labels labels.csv; onnxray audit models/ --images classes/
    --labels folders --policy policy.toml -o report; onnxray audit --policy policy.toml --budget 2h --jobs 8
    """
    from onnxray.assess.audit.audit import audit
    from onnxray.assess.audit.default_policy import default_policy
    from onnxray.assess.audit.policy import read_policy
    from onnxray.assess.audit.report import DOCUMENT
    from onnxray.assess.jobs.store import Store
    from onnxray.report.audit.calls import plan_of, with_outputs
    from onnxray.results.run_folder import RunFolder

    chosen = default_policy() if policy is None else read_policy(policy)
    if shared.out is not None and not shared.overwrite and (shared.out / DOCUMENT).exists():
        raise OutputError(f"{shared.out} holds an audit; give another folder, or replace it by --overwrite")
    plan = plan_of(
        models or (), images or (), chosen, true_labels, _opening(shared), budget, seed=seed, sequential=sequential
    )
    executor = _executor(jobs, ray, timeout, memory)
    kept = store or (Path("onnxray-out") / "audit-store" if shared.out is None else shared.out / "store")
    if policy is None:
        _show_policy(chosen)
    folder = RunFolder.fresh(default_folder("audit")) if shared.out is None else RunFolder.claim(shared.out)
    done = False
    try:
        with Store.open(kept) as held, progress_bar() as tick:
            found = with_outputs(audit(plan, held, executor, tick))
        found.put(folder)
        done = True
    finally:
        folder.close(kept=done)
    note(f"written to {folder.path}")
    if shared.json:
        print_json(found.document)
    else:
        _show(found)
    if not found.passed:
        raise typer.Exit(NOT_MET)


def _opening(shared: Opening) -> HowOpened:
    from onnxray.assess.audit.work import Opening as HowOpened

    fields = ("size", "resize", "channels", "mean", "std", "scale")
    values = (
        shared.profile_size, shared.profile_resize, shared.profile_channels, shared.profile_mean, shared.profile_std,
        shared.profile_scale,
    )  # fmt: skip
    return HowOpened(
        profile=shared.profile, labels=shared.labels, output=shared.output, inputs=tuple(shared.input or ()),
        picture=tuple(zip(fields, values)), device=shared.device, strict=shared.strict, approximate=shared.approximate,
    )  # fmt: skip


def _executor(jobs: int | None, ray: str | None, timeout: float | None, memory: int | None) -> Executor:
    from onnxray.assess.jobs.executors import Inline
    from onnxray.assess.jobs.processes import Processes
    from onnxray.engines.machine import cores

    if memory is not None:
        check_limits_memory()
    start = None if memory is None else functools.partial(limit_memory, memory)
    if jobs == 0:
        if timeout is not None or memory is not None or ray is not None:
            raise InputError("--jobs 0 works in this process, which --timeout, --memory and --ray have no hold on")
        return Inline()
    count = jobs or max(1, cores() // 2)
    if ray is not None:  # an adapter, which is imported where it is asked for
        actors: Executor = importlib.import_module("onnxray_adapters.ray_jobs").Ray(
            ray, count, timeout=timeout, start=start
        )
        return actors
    return Processes(count, timeout=timeout, start=start)


def _show_policy(policy: Policy) -> None:
    note("no policy was given; this one is used (onnxray audit init writes one of your own):")
    for line in policy.text.splitlines():
        note(f"    {line}" if line else "")


def _show(found: Audit) -> None:
    """For people."""
    from rich.table import Table

    from onnxray.cli.parts.console import line, table_console
    from onnxray.cli.terminal.shown_names import shown_names
    from onnxray.report.audit.standing import headline

    console = table_console()
    colours = {"pass": "green", "fail": "red", "error": "red"}
    names = shown_names([model["path"] for model in found.models])
    for number, name in enumerate(names):
        table = Table("check", "figure", "limits", "state", "why", title=name)
        for result in found.results:
            if result["model"] == number:
                said = f"{result['state']}{', waived' if result['waiver'] is not None else ''}"
                level = "" if result["level"] == "block" else f" ({result['level']})"
                table.add_row(
                    result["name"], headline(result), limits_of(result),
                    line((said + level, colours.get(result["state"], "yellow"))), "; ".join(result["reasons"]),
                )  # fmt: skip
        console.print(table)
    counts = found.document["counts"]
    colour = "green" if found.passed else "red"
    console.print(line(
        ("PASSED" if found.passed else "NOT PASSED", colour),
        f": {counts['blocking']} of {len(found.results)} results block, {counts['waived']} are waived; policy "
        f"{found.document['policy']['name']}, sha256 {found.document['policy']['sha256'][:12]}.",
    ))  # fmt: skip


def limits_of(result: dict[str, Any]) -> str:
    """The limits of a result, and how many are met where there are several."""
    limits = result["limits"]
    if len(limits) > 2:
        return f"{sum(one['met'] for one in limits)} of {len(limits)} met"
    return ", ".join(f"{one['kind']} {one['limit']:g}" for one in limits)
