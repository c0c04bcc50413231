"""One command a method: the model is opened, the method configured and run, and the run is finished.

A family writes one function with its data arguments, and makes it the command of each of its methods:

    @method_command(method)
    def command(model: ModelArgument, images: ImagesArgument, *, shared: Shared, **options: Any) -> None:
        configured = method(**plain_options(options))
        run_method(configured, shared.open(model), images, shared=shared, folder="family-name", ending=Ending(...))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from onnxray.cli.parts.command_frame import progress_bar
from onnxray.cli.parts.finishing import Ending, finish
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.method_options import with_options_of
from onnxray.cli.parts.shared_options import Shared, with_shared_options
from onnxray.cli.terminal.notes import note
from onnxray.cli.terminal.progress_lines import Estimate

if TYPE_CHECKING:
    from onnxray.methods.method import Method
    from onnxray.model.model import Model


def method_command(*methods: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function the command of ``methods``: the fields of each are its options, in place of ``**options``."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        return limited(with_shared_options(with_options_of(*methods)(command)))

    return decorate


def run_method(
    method: Method[Any],
    model: Model,
    images: object,
    goal: object = None,
    *,
    shared: Shared,
    folder: str,
    ending: Ending,
    beside: Mapping[str, Any] | None = None,
    each: Callable[[Any], Any] | None = None,
    whole: int = 1,
    hint: str = "",
) -> None:
    """Run a configured method on an opened model, keep what it finishes, and tell of it.

    folder: the run's name, of its default folder too. beside: options of the command itself which make the run what it
    is. each: done to every item. whole, hint: of the estimate of a long run (:class:`Estimate`).
    Errors: those of the method; Exit with status 130 where it was interrupted.
    """
    from onnxray.images.drawing.page.palette import palette_of

    beside, palette = dict(beside or {}), palette_of(shared.background)
    if shared.background != "white":
        beside["background"] = shared.background
    with shared.keeping(folder, **beside) as keep:
        with progress_bar() as bar:
            tick = Estimate(bar, note, whole, hint)
            result = method(
                model,
                images,
                goal,
                seed=shared.seed,
                progress=tick,
                keep_partial=True,
                keep=keep,
                each=lambda item: (item if each is None else each(item)).drawn_in(palette),
            )
        finish(result, model, keep, ending, shared=shared)
