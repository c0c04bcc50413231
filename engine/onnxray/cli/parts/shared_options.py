"""The options that commands share: written once, given to a command as one value."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_type_hints

from typer.models import OptionInfo

from onnxray.cli.parts.arguments import (
    ApproximateOption,
    BackgroundOption,
    ChannelsOption,
    DeviceOption,
    InputOption,
    JsonOption,
    LabelsOption,
    MeanOption,
    OutOption,
    OutputOption,
    OverwriteOption,
    ProfileOption,
    ResizeOption,
    ResumeOption,
    ScaleOption,
    SeedOption,
    SizeOption,
    StdOption,
    StrictOption,
    TitleOption,
)
from onnxray.cli.parts.document import default_folder
from onnxray.cli.terminal.notes import note
from onnxray.errors import InputError, OutputError

if TYPE_CHECKING:
    from onnxray.model.model import Model
    from onnxray.results.keeping import Keeping


@dataclass(frozen=True, kw_only=True)
class Opening:
    """How the model is opened, where what is found is written, and how it is told."""

    profile: ProfileOption = None
    labels: LabelsOption = None
    output: OutputOption = None
    input: InputOption = None
    profile_size: SizeOption = None
    profile_resize: ResizeOption = None
    profile_channels: ChannelsOption = None
    profile_mean: MeanOption = None
    profile_std: StdOption = None
    profile_scale: ScaleOption = None
    device: DeviceOption = "cpu"
    strict: StrictOption = False
    approximate: ApproximateOption = False
    json: JsonOption = False
    out: OutOption = None
    overwrite: OverwriteOption = False

    def open(self, model: str, *, silent: bool = False) -> Model:
        """Open a model as these options say, and say where its profile was guessed, unless that is said elsewhere.

        Errors: those of opening; OutputError where the folder holds another run, which none of them replaces.
        """
        if self.out is not None and not self.replaces:
            refuse_another_run(self.out)
        return self.other(model, None, silent=silent)

    def other(self, model: str, profile: str | None, *, silent: bool = False) -> Model:
        """The same of a further model. profile: its own, where it has one."""
        held = _HELD.get()
        opened = None if held is None else held(self, model, profile)
        opened = opened or self._opened(model, profile)
        if not silent:
            _say_what_was_assumed(opened)
        return opened

    def _opened(self, model: str, profile: str | None) -> Model:
        from onnxray.images.profile.stated_fields import read_fields
        from onnxray.model.inputs.stated import read_option
        from onnxray.model.opening import open_model

        return open_model(
            model, profile or self.profile, labels=self.labels, device=self.device, strict=self.strict,
            approximate=self.approximate, output=self.output,
            inputs=read_option(self.input or ()),
            picture=read_fields({
                "size": self.profile_size, "resize": self.profile_resize, "channels": self.profile_channels,
                "mean": self.profile_mean, "std": self.profile_std, "scale": self.profile_scale,
            }),
        )  # fmt: skip

    @property
    def keeps(self) -> bool:
        """Whether the document is written or printed."""
        return self.json or self.out is not None

    @property
    def replaces(self) -> bool:
        """Whether a run that lies in the folder may be replaced or gone on with."""
        return self.overwrite


@dataclass(frozen=True, kw_only=True)
class Growing(Opening):
    """Those of a command whose run folder grows as items are finished."""

    resume: ResumeOption = False

    @property
    def replaces(self) -> bool:
        """Whether a run that lies in the folder may be replaced or gone on with. Errors: InputError for both."""
        if self.overwrite and self.resume:
            raise InputError("--overwrite replaces what lies in the folder and --resume goes on with it; give one")
        return self.overwrite or self.resume

    @contextmanager
    def keeping(self, name: str, **options: Any) -> Iterator[Keeping]:
        """Hold the folder of a run. options: what makes the run what it is, beside its method, model and inputs."""
        from onnxray.results.keeping import Keeping
        from onnxray.results.run_folder import RunFolder

        if self.resume and self.out is None:
            raise InputError("--resume needs the folder of the run that is gone on with: -o DIR")
        folder = RunFolder.fresh(default_folder(name)) if self.out is None else RunFolder.claim(self.out)
        with Keeping.into(folder, name, resume=self.resume, options=options) as keep:
            yield keep


@dataclass(frozen=True, kw_only=True)
class Shared(Growing):
    """Those of a command that runs a method: what seeds it, too."""

    seed: SeedOption = 0
    title: TitleOption = None
    background: BackgroundOption = "white"

    def __post_init__(self) -> None:
        """Refuse a background that is none before anything is done. Errors: InputError."""
        from onnxray.images.drawing.page.palette import palette_of

        palette_of(self.background)


Holder = Callable[[Opening, str, "str | None"], "Model | None"]
"""Gives a model that is open already, as these options open it; None where none is."""
_HELD: ContextVar[Holder | None] = ContextVar("held", default=None)


@contextmanager
def holding(held: Holder) -> Iterator[None]:
    """Within it commands are given models that are held open, in place of opening them once more."""
    before = _HELD.set(held)
    try:
        yield
    finally:
        _HELD.reset(before)


def _say_what_was_assumed(opened: Model) -> None:
    if opened.profile is not None and opened.profile.assumed:
        reasons = "; ".join(opened.profile.reasons).removeprefix(f"{opened.profile.name}: ")
        name = f"assumed profile {opened.profile.name}"
        note((name, "yellow"), f": {reasons}. State it with --profile.")
    if opened.profile is not None and opened.profile.labels_assumed is not None:
        note(("labels", "yellow"), f": {opened.profile.labels_assumed}. Decline them with --labels none.")


_INSTEAD: Final = {"--labels": "--class-names"}
"""What an option of every command is called in one that means something else by its name."""


def refuse_another_run(folder: Path) -> None:
    """Refuse a folder that a run has written to. Errors: OutputError."""
    from onnxray.results.earlier_run import holds_a_run

    if holds_a_run(folder):
        raise OutputError(
            f"{folder} holds the result of another run; give another folder, or replace it, with all its files, by "
            "--overwrite"
        )


def _beside(hint: Any, taken: set[str]) -> Any:
    """An annotated option without the names that the command has options of its own for, where it has others."""
    kind, option = get_args(hint)
    named = (option.default, *(option.param_decls or ()))  # typer keeps the first name as a default, until it reads it
    left = tuple(name for name in named if name not in taken)
    names = left or tuple(_INSTEAD[name] for name in named if name in _INSTEAD)
    if not names or names == named:
        return hint
    own = copy.copy(option)
    own.default, own.param_decls = names[0], names[1:]
    return Annotated[kind, own]


def _names(parameter: inspect.Parameter) -> list[str]:
    """The names of a command's own option: those that it states, else its parameter's."""
    options = [one for one in get_args(parameter.annotation)[1:] if isinstance(one, OptionInfo)]
    stated = [str(name) for one in options for name in (one.default, *(one.param_decls or ()))]
    return [name for name in stated if name.startswith("-")] or [f"--{parameter.name.replace('_', '-')}"]


def with_shared_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of ``Shared`` or ``Opening`` in place of its parameter ``shared``, as annotated."""
    signature = inspect.signature(command, eval_str=True)
    kind = signature.parameters["shared"].annotation
    hints = get_type_hints(kind, include_extras=True)
    taken = {name for one in signature.parameters.values() for name in _names(one)}
    added = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default,
            annotation=_beside(hints[field.name], taken),
        )
        for field in dataclasses.fields(kind)
    ]  # fmt: skip
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
        parameters += added if parameter.name == "shared" else own

    @functools.wraps(command)
    def run(**given: Any) -> None:
        command(shared=kind(**{one.name: given.pop(one.name) for one in added}), **given)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run
