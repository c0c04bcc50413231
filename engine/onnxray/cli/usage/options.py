"""Options and arguments as click has them, with the group and the explanation that their help shows."""

from __future__ import annotations

from typing import Any, Literal, final

import click

PREFIX = "ONNXRAY_"
Statable = Literal["typed", "file", "anywhere"]


@final
class StatedArgument(click.Argument):
    """An argument with its explanation."""

    def __init__(self, names: list[str], *, explanation: str, **options: Any) -> None:
        super().__init__(names, **options)
        self.explanation = explanation


@final
class OptionInPanel(click.Option):
    """An option in a group of the help, which may be stated where ``statable`` says."""

    def __init__(self, names: list[str], *, panel: str, statable: Statable, **options: Any) -> None:
        super().__init__(names, **options)
        self.panel = panel
        self.statable = statable
        if statable == "anywhere":
            self.envvar = variable_of(self)

    @property
    def longest(self) -> str:
        """The name that is no other option's: ``--profile-size`` of ``--size, --profile-size``."""
        return max(self.opts, key=len)

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The variable's value, unless variables are left out."""
        return None if is_isolated(ctx) else super().resolve_envvar_value(ctx)


def variable_of(option: OptionInPanel) -> str:
    """``ONNXRAY_PROFILE_SIZE`` for ``--profile-size``."""
    return PREFIX + option.longest.lstrip("-").replace("-", "_").upper()


def is_isolated(context: click.Context) -> bool:
    """Whether what stands beside the command line is left out."""
    return bool(context.find_root().params.get("isolated"))
