"""The family base of methods that ask layers about many pictures, which are read a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.picture_list import PictureList, left_out_notes
from onnxray.images.pixels import Pixels
from onnxray.images.true_labels import FOLDERS, known_labels, pictures_in_folders
from onnxray.methods.as_typed import path_texts, plain_fields
from onnxray.methods.features.parts.walk import Question, Walked, walk
from onnxray.methods.method import Method
from onnxray.methods.option_checks import check_choices
from onnxray.methods.run import Run
from onnxray.model.model import Model
from onnxray.results.finished_items import Tape
from onnxray.results.item import ItemT


@dataclass(frozen=True, kw_only=True)
class Features(Method[ItemT]):
    """Asks layers of a model about pictures: files, and folders of them.

    true_labels: the classes of the pictures: a CSV of file,label, or ``folders`` where each picture lies in a folder
    that is named by its class.
    """

    layer: Annotated[
        str | tuple[str, ...] | None, "value or values that are looked at; default: what the last layer reads"
    ] = None
    true_labels: str | None = None

    def __post_init__(self) -> None:
        check_choices(self)

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for this method."""
        return "features", self.name

    def as_typed(self, images: object, goal: object) -> dict[str, Any]:
        """The command's options by their parameters' names."""
        options = plain_fields(self, without=("true_labels",))
        return {"images": path_texts("the images", images), "true_labels": self.true_labels, **options}

    def read_as_needed(self, model: Model, images: object) -> Sequence[Pixels]:
        """The pictures that are asked about. Errors: ImageError, InputError."""
        found = listed(model, images, self.true_labels)
        if self.true_labels is not None:  # a file that cannot be read is refused before anything is run
            known_labels(found.names, self.true_labels)
        return found

    def layers(self, model: Model, run: Run) -> tuple[str, ...]:
        """The values that are looked at. Errors: UnknownValue, InputError."""
        if self.layer is not None:
            return model.select_values((self.layer,) if isinstance(self.layer, str) else self.layer)
        found = self.default_layer(model)
        run.note(f"layer {found!r} was chosen; name others with --layer")
        return (found,)

    def default_layer(self, model: Model) -> str:
        """The value that is looked at where none is named. Errors: InputError."""
        return default_layer(model)

    def extra(self, tape: Tape[ItemT]) -> dict[str, Any]:
        """How many pictures were left out, for none of them could be read."""
        return {"left_out": sum(tape.facts("left_out"))}


def default_layer(model: Model) -> str:
    """What the last layer reads. Errors: InputError where that cannot be told."""
    if "features" not in model.aliases:
        raise InputError("no layer was named, and what the last layer reads cannot be told; name one with --layer")
    return model.aliases["features"]


def listed(model: Model, images: object, true_labels: str | None = None) -> PictureList:
    """The pictures of files and folders, and of the folders inside them where those are their classes.

    Errors: ImageError, InputError.
    """
    assert model.profile is not None
    if true_labels == FOLDERS:
        images = pictures_in_folders(path_texts("the images", images) or [])
    return PictureList.of(images, model.profile, strict=model.strict)


def labels_of(pictures: PictureList, places: NDArray[np.int64], stated: str | None, run: Run) -> list[str | None]:
    """The label of each picture that could be read; None where it has none, which is said. Errors: InputError."""
    if stated is None:
        return [None] * len(places)
    found = known_labels([pictures.names[place] for place in places], stated)
    missing = found.count(None)
    if missing == len(found):
        raise InputError(f"{stated} has no label for any of the {len(found)} pictures; a row file,label was expected")
    if missing:
        run.note(f"{missing} of {len(found)} pictures have no label in {stated}; what is told by label leaves them out")
    return found


def asked(
    model: Model, pictures: PictureList, question: Question, folder: Path, run: Run, what: str, *,
    share: tuple[int, int] = (0, 0),
) -> Walked:  # fmt: skip
    """A walk over the pictures, with its progress and its notes. share: how much was done before, and comes after."""
    before, after = share

    def tick(done: int, total: int) -> None:
        run.progress(before + done, before + total + after, what)

    folder.mkdir(exist_ok=True)
    found = walk(model, pictures, question, folder, tick)
    for note in left_out_notes(found.left_out, len(pictures)):
        run.note(note)
    run.tell("left_out", len(found.left_out))
    return found


def flat(name: str) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """Makes a value's rows codes, (pictures, numbers). name: of the value, for what is refused."""

    def codes(value: NDArray[Any]) -> NDArray[np.float32]:
        if not np.isfinite(value).all():
            raise InputError(f"{name!r} holds numbers that are not finite; name another layer")
        return np.ascontiguousarray(value.reshape(len(value), -1), np.float32)

    return codes


def pictures_of(run: Run) -> PictureList:
    """The pictures that a run was handed."""
    return cast(PictureList, run.pictures)


def seed_of(run: Run) -> int:
    """The seed that a run was called with."""
    sequence: Any = run.random.bit_generator.seed_seq
    return int(sequence.entropy)
