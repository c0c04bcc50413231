"""Harden a classifier: train the file on perturbed pictures, and write the same file with other weights.

    w <- w - rate d loss / d w,  the loss of losses.py on perturbations of perturbations.py, drawn for each batch

The budget grows from 0 to eps over the first ``warm_up`` of the epochs; the rate goes by a schedule (steps.py). A share
of the pictures is held out: after each epoch the file as it then stands is judged on them, and the best is kept
(``best_by``): the highest robust accuracy whose clean accuracy is at most ``max_drop`` below the file's own. Before and
after, those that are held out are attacked by onnxray's robustness evaluation, and the result is verified.

Goodfellow et al. 2015 (arXiv 1412.6572), Madry et al. 2018 (1706.06083), Rozsa et al. 2016 (1605.01775, 1611.06179),
Zhang et al. 2019 (1901.08573), Miyato et al. 2018 (1704.03976).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import spread_places
from onnxray.errors import InputError, OutputError
from onnxray.errors.short_values import short
from onnxray.graph.file.replaced_tensors import write_replaced
from onnxray.images.picture_list import PictureList, left_out_notes
from onnxray.images.pixels import Pixels
from onnxray.images.true_labels import FOLDERS, known_labels, pictures_in_folders
from onnxray.methods.as_typed import Unstated, path_texts, plain_fields
from onnxray.methods.method import Method
from onnxray.methods.run import Run
from onnxray.model.model import Model
from onnxray.objectives.targets import class_index
from onnxray.results.finished_items import Tape
from onnxray.training.item import EpochItem
from onnxray.training.options import HELD, HardeningOptions
from onnxray.training.saving import check_target

_FEWEST, _READ = 10, 64


@final
@dataclass(frozen=True, kw_only=True)
class Harden(HardeningOptions, Method[EpochItem]):
    """Train the file itself on perturbed pictures; the same graph is written, with other weights."""

    name: ClassVar[str] = "harden"
    item_type: ClassVar[type[Any]] = EpochItem

    def __post_init__(self) -> None:
        HardeningOptions.__post_init__(self)
        self.attacked()  # what it does not take is refused before anything is opened

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for it."""
        return ("harden",)

    def as_typed(self, images: object, goal: object) -> dict[str, Any]:
        """The command's options."""
        if not isinstance(goal, str):
            raise Unstated("its labels were given as they are, which no command line states")
        return {"images": path_texts("the images", images), "true_labels": goal, **plain_fields(self)}

    def read_as_needed(self, model: Model, images: object) -> Sequence[Pixels] | None:
        """The pictures of files and folders."""
        assert model.profile is not None
        return PictureList.of(images, model.profile, strict=model.strict)

    def run(self, model: Model, _pixels: Pixels, goal: Any, run: Run) -> Iterator[EpochItem]:
        """Give an item for the file as it came, and one for every epoch. goal: the labels; see ``labelled``."""
        from onnxray.training.course import Course

        assert isinstance(run.pictures, PictureList)
        self._refuse_the_model_itself(model, run)
        self.constants(model)  # what cannot be trained is refused before pictures are read
        if self.in_place:
            path = model.graph.container.absolute
            if path is None:
                raise InputError("the model came from no file that could be replaced in place")
            check_target(model.graph.container, path, in_place=True)
        pictures, classes = labelled(model, run.pictures, goal, run)
        kept, held = parted(classes, self.held_out, run.random)
        with run.work_folder() as folder:
            course = Course(self, model, pictures, classes, kept, held, folder, run)
            for step, own in run.units(range(self.epochs + 3)):
                if step == 0:
                    own.tell("before", course.evaluated(model, own))
                elif step <= self.epochs + 1:
                    item = course.epoch(step - 1, own)
                    if item is not None:
                        yield item
                else:
                    arrays = course.result(own)
                    own.tell("after", course.evaluated(course.model_of(arrays), own))
                    own.tell("verified", course.verified(arrays))
                    self._write(model, arrays, own)

    def _refuse_the_model_itself(self, model: Model, run: Run) -> None:
        """Refuse a run folder that the model lies in, where it would be written over. Errors: OutputError."""
        keep, container = None if run.tape is None else run.tape.keep, model.graph.container
        if keep is None or self.in_place or container.absolute is None:
            return
        for place in (container.absolute.name, *container.external):
            target = keep.path / place
            if target.exists() and any(one.exists() and target.samefile(one) for one in container.files):
                raise OutputError(
                    f"{target} is the model itself, which would be written over; give another folder, or replace the "
                    "model by --in-place"
                )

    def _write(self, model: Model, arrays: Any, run: Run) -> None:
        """The file, where there is a place for it."""
        container = model.graph.container
        keep = None if run.tape is None else run.tape.keep
        path = container.absolute
        name = path.name if path is not None else "model.onnx"
        if self.in_place:
            assert path is not None
            written = write_replaced(container, arrays, path, in_place=True)
            run.tell("written", [str(one) for one in written])
        elif keep is not None:
            folder = keep.work / "written"
            folder.mkdir(exist_ok=True)
            for old in folder.rglob("*"):
                if old.is_file():
                    old.unlink()
            files = write_replaced(container, arrays, folder / name)
            for file in files[::-1]:
                place = file.relative_to(folder).as_posix()
                keep.put_file(place, lambda target, source=file: _moved(source, target))  # type: ignore[misc]
            run.tell("written", [file.relative_to(folder).as_posix() for file in files])

    def extra(self, tape: Tape[EpochItem]) -> dict[str, Any]:
        """What was trained, the evaluations before and after, and what was written."""
        found = {name: next(iter(tape.facts(name)), None) for name in ("before", "after", "verified", "written")}
        return {"hardening": {**found, "trained": next(iter(tape.facts("trained")), None)}}


def _moved(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def labelled(model: Model, pictures: PictureList, goal: object, run: Run) -> tuple[PictureList, NDArray[np.int64]]:
    """The pictures that have a label and can be read, and the class of each.

    goal: a CSV of file,label, "folders" (the folder that a picture lies in), or a label for each picture.
    Errors: InputError for labels that are no class of the model, ImageError.
    """
    if goal is None:
        raise InputError("harden was given no labels; state them: --labels FILE.csv, or --labels folders")
    if isinstance(goal, str):
        texts = known_labels(pictures.names, goal)
    else:
        given = list(goal) if isinstance(goal, list | tuple | np.ndarray) else [goal]
        if len(given) != len(pictures):
            raise InputError(f"{len(given)} labels were given for {len(pictures)} pictures; one for each was expected")
        texts = [str(one) for one in given]
    missing = texts.count(None)
    if missing == len(texts):
        raise InputError(f"none of the {len(texts)} pictures has a label in {short(goal)}")
    if missing:
        run.note(f"{missing} of {len(texts)} pictures have no label in {goal} and are left out")
    count = model.predict_classes(Pixels.blank(pictures.profile)).probabilities.shape[1]
    index = {text: class_index(model, text, count) for text in dict.fromkeys(texts) if text is not None}
    classes = np.array([-1 if text is None else index[text] for text in texts], np.int64)
    return _readable(pictures, classes, run)


def _readable(pictures: PictureList, classes: NDArray[np.int64], run: Run) -> tuple[PictureList, NDArray[np.int64]]:
    """The pictures, held in memory where all fit; those that cannot be read have no class. Errors: ImageError."""
    held: list[Pixels] = []
    wrong: list[str] = []
    fits = 4 * math.prod(pictures.profile.shape) * len(pictures) <= HELD
    found = np.full(len(classes), -1, np.int64)
    for start in range(0, len(pictures), _READ):
        read = pictures.read(start, start + _READ)
        found[read.places] = classes[read.places]
        wrong += read.left_out
        if fits and read.pixels is not None:
            blank = np.zeros((min(_READ, len(pictures) - start), *pictures.profile.shape), np.float32)
            blank[read.places - start] = read.pixels.array
            held.append(Pixels(blank, pictures.names[start : start + _READ]))
        run.progress(start, len(pictures), f"reading {len(pictures)} pictures")
    for note in left_out_notes(wrong, len(pictures)):
        run.note(note)
    if fits:
        whole = Pixels(np.concatenate([one.array for one in held]), pictures.names)
        pictures = dataclasses.replace(pictures, held=whole, files=(), from_folder=())
    return pictures, found


def parted(
    classes: NDArray[np.int64], share: float, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places that are trained on and places that are held out, of each class alike, to one. Errors: InputError."""
    numbers = random.permutation(np.unique(classes[classes >= 0]))
    sorted_ = np.concatenate([random.permutation(np.flatnonzero(classes == number)) for number in numbers])
    out = np.sort(sorted_[spread_places(len(sorted_), max(1, round(share * len(sorted_))))])
    kept = np.setdiff1d(np.flatnonzero(classes >= 0), out)
    if len(kept) < _FEWEST:
        raise InputError(
            f"{len(kept)} pictures to train on and {len(out)} to judge by are left; at least {_FEWEST} and 1 are needed"
        )
    return kept, out


def folders_of(images: object, labels: object) -> object:
    """The folders inside the folders, where those are the classes."""
    return pictures_in_folders(path_texts("the images", images) or []) if labels == FOLDERS else images
