"""Model: graph, judge, twin and profile behind four verbs: predict, values, pullback, verify."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array, Arrays
from onnxray.engines.agreement.batch_decision import decided, known_so_far, mixes
from onnxray.engines.agreement.comparison import TOLERANCE
from onnxray.engines.agreement.first_check import Agreement, check, in_exact_products, note, reference_note, remembered
from onnxray.engines.agreement.reference import outputs_or_reference
from onnxray.engines.chunks import Batch, Through, sample_count
from onnxray.engines.integer_products import saturates
from onnxray.engines.judge import Judge
from onnxray.engines.machine import versions
from onnxray.engines.processor import settle_threads
from onnxray.engines.readable_copies import note as copy_note
from onnxray.engines.slope import by_whole_names, pulled_back
from onnxray.errors import InputError, NotAClassifier, OnnxrayError
from onnxray.errors.forks import ProcessLock, check_process, torch_came_along
from onnxray.errors.short_values import short
from onnxray.errors.type_checks import check_callable, check_kind, check_names
from onnxray.graph.classifier.predictions import Predictions
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.outputs.facts import CLASS_KINDS, OutputFacts
from onnxray.graph.outputs.stated import StatedOutput
from onnxray.graph.samples.mixing import Mixing
from onnxray.graph.value_names import Selection, only_one, resolve, resolve_values
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile
from onnxray.model.answering import Answering
from onnxray.model.encoding import Encoded, Encoder, seeded
from onnxray.model.inputs.stated import Inputs, inputs_of
from onnxray.notebooks.displayed import CopiedAsItself, Displayed, one_line

if TYPE_CHECKING:
    import torch

    from onnxray.engines.agreement.verification import Verification
    from onnxray.engines.twin import Twin

Cotangent = NDArray[Any] | Callable[["torch.Tensor", slice], "torch.Tensor"]


@final
class Model(Displayed, CopiedAsItself):
    """One ONNX model, opened. Nothing runs until it is asked for; ``open`` is the way to make one.

    Threads may share a model: what is started is started once, and no lock is held while an engine runs. A forked
    process may predict with it; gradients only where no gradient was asked for before the fork (DeviceError says so),
    and with one thread where torch was loaded by then. 'spawn' has no such limits.
    """

    def __init__(
        self, graph: Graph, profile: Profile | None, device: str = "cpu", *,
        approximate: bool = False, strict: bool = False, output: StatedOutput | None = None,
        inputs: Inputs | None = None, opened: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.profile = profile
        self.device = device
        self.approximate = approximate
        self.strict = strict
        self.opened = opened
        self.inputs = inputs or inputs_of(graph)
        self.encoder = Encoder(graph, self.inputs, profile, strict)
        self.mixing = Mixing(graph, self._found_mixing, alone=profile is not None)
        self.judge = Judge(graph, device, self.mixing)
        stated = output if output is not None or profile is None else profile.head
        self.answering = Answering(graph=graph, judge=self.judge, profile=profile, stated=stated)
        self._twin: Twin | None = None
        self._trusted = False
        self._agreement: Agreement | None = None
        self._batch: Batch | None = None
        self._starting = ProcessLock()
        self._shapes: dict[str, tuple[int, ...]] = {}

    def __repr__(self) -> str:
        return one_line(self, f"{self.graph.name}: {self.head.kind} of {self.head.name!r}; {self.profile or 'arrays'}")

    @property
    def aliases(self) -> Mapping[str, str]:
        """``logits``, ``features``, ``last-conv``; the profile's word on the first two counts."""
        return self.answering.aliases

    @property
    def head(self) -> OutputFacts:
        """The output that is answered with and what it is: as it is stated, else as the file shows it."""
        return self.answering.head

    def select(self, text: str) -> Selection:
        """Resolve a name as a user types it: a value, NAME:CHANNEL or NAME:CHANNEL,Y,X. Errors: UnknownValue."""
        check_kind("the name of a value", text, str)
        return resolve(self.graph, text, self.aliases)

    def select_values(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Resolve names, aliases and globs to whole values. Errors: UnknownValue."""
        return resolve_values(self.graph, check_names(texts), self.aliases)

    def select_value(self, text: str) -> str:
        """Resolve what stands for one whole value. Errors: UnknownValue, also where it stands for several."""
        return only_one(text, self.select_values([text]))

    def pixels(self, images: object) -> Pixels:
        """Read images as the profile says: float32 NCHW, RGB or grey, in [0, 255], at the model's size.

        For a model whose input is no image: samples, one input's array with those of the others beside it, out of
        arrays, files and text as model/inputs/reading.py has it.
        Errors: ImageError; also for pixels that were read for a model of another size or number of colours.
        """
        return self.encoder.pixels(images)

    def encoded(self, images: object) -> Encoded:
        """The same with what the judge is fed for them: given in place of images of which several things are asked."""
        return self.encoder.encoded(images)

    def predict(self, images: object, *, scores: bool = False, through: Through | None = None) -> Any:
        """What the file itself says of images (paths, PIL images or arrays), as what its output is.

        ``Predictions`` where ``head`` is one score a class; else ``Numbers`` (regression), ``Embedding``,
        ``Detections``, ``Mask``, ``Sequence`` or ``Labels``. All have ``kind``, ``output``, ``notes`` and
        ``describe(i)``, one line for an image. scores, through: of classes, see ``predict_classes``.
        Errors: ImageError, InputError, RuntimeRefusal.
        """
        if self.head.kind in CLASS_KINDS:
            return self.predict_classes(images, scores=scores, through=through)
        images, notes, feeds = self._read(images)
        samples = len(images) if isinstance(images, Pixels) else sample_count(feeds, self.graph)
        return self.answering.answer(feeds, samples, notes)

    def predict_classes(self, images: object, *, scores: bool = False, through: Through | None = None) -> Predictions:
        """Classify images (paths, PIL images or arrays) by the file itself.

        scores: read those before the softmax or sigmoid at once; else when they are first asked for, until when what
        was fed is held. Where the file ends in one a second session gives them, which takes as long again.
        through: what the chunks of the batch go through.
        Errors: ImageError, InputError, RuntimeRefusal; NotAClassifier where the output is not one score a class;
        ProfileError where there are not as many labels as classes.
        """
        check_callable("through", through, "run", optional=True)
        images, notes, feeds = self._read(images)
        paths = images.names if isinstance(images, Pixels) else None
        return self.answering.predictions(feeds, paths, notes, scores=scores, through=through)

    def verdict(self, images: object, *, scores: bool = False) -> Predictions | None:
        """What ``predict_classes`` says; None where the model is no classifier.
        Errors: those of ``predict_classes``, scores of NaN or infinity among them, but for NotAClassifier.
        """
        try:
            return self.predict_classes(images, scores=scores)
        except NotAClassifier:
            return None

    def classify(self, images: object) -> NDArray[np.int64]:
        """The winning classes alone, (N,), for what asks hundreds of times. Errors: as ``predict_classes``."""
        images = self.encoder.read(images)
        return self.answering.winners(self.feeds(images), len(images) if isinstance(images, Pixels) else None)

    def label(self, index: int) -> str:
        """A class in the profile's words, else in those that the file lists, else its number."""
        if not isinstance(index, int | np.integer) or isinstance(index, bool):
            raise InputError(f"the class is {short(index)}; a whole number was expected")
        return self.answering.word(int(index))

    def _read(self, images: object) -> tuple[object, tuple[str, ...], Arrays]:
        """Images as they are fed, what is to be said of them, and what the judge is fed."""
        images = self.encoder.read(images)
        feeds = self.feeds(images)
        notes = images.notes if isinstance(images, Pixels) else ()
        mixed = self.mixing.note() if sample_count(feeds, self.graph) > 1 else None
        return images, notes if mixed is None else (*notes, mixed), feeds

    def values(
        self, images: object, names: Sequence[str], engine: Literal["judge", "twin"] = "judge", *,
        through: Through | None = None,
    ) -> dict[str, Array]:  # fmt: skip
        """Give named values for images: name -> array of shape (N, ...), by ONNX Runtime or by the torch twin.

        through: what the chunks of the batch go through.
        Errors: UnknownValue; RuntimeRefusal or UnsupportedOperator where the engine cannot run what is asked.
        """
        if not isinstance(engine, str) or engine not in {"judge", "twin"}:
            raise InputError(f"engine {short(engine)} is unknown; use 'judge' (ONNX Runtime) or 'twin' (torch)")
        check_callable("through", through, "run", optional=True)
        wanted = self.select_values(names)
        if engine == "judge":
            return self.judge.values(self.feeds(images), wanted, through=through)
        variables = self.variables(images)
        return self.twin_for(sample_count(variables, self.graph)).values(variables, wanted, through=through)

    def pullback(
        self, images: object, cotangents: Mapping[str, Cotangent], *, wrt: str | Sequence[str] | None = None
    ) -> Any:
        """J^T c summed over the values: d/d pixels of sum_v <c_v, v(pixels)>, the cotangents c held fixed.

        ``cotangents``: value name -> array of the value's shape (N, ...) or (...) for every image, or a function of
        the value (torch tensor, place in the batch). Gives float32 NCHW at the model's size, per grey level; for a
        model whose input is no image, an array like the input (a dict where there are several).
        wrt: with respect to this input, or this value inside the network, an array like it; a dict of several by name.
        Errors: MismatchError where the twin does not reproduce the judge, NotDifferentiable, UnknownValue, InputError.
        """
        resolved = by_whole_names(cotangents, self.select_value)
        subjects = None if wrt is None else self.select_values(check_names(wrt))
        variables = self.variables(images)
        found = pulled_back(self.twin_for(sample_count(variables, self.graph)), variables, resolved, subjects)
        alone = len(found) == 1 if wrt is None else isinstance(wrt, str)
        return next(iter(found.values())) if alone else found

    def verify(self, images: object = None, *, tolerance: float = TOLERANCE) -> Verification:
        """Compare twin and judge on every real or quantised value that is read or given, on given or seeded inputs.

        What is too far off is bisected (``engines/agreement/full_check.py``): each node alone, on the judge's inputs.
        Where this processor saturates u8 x s8 products of the file, the judge is made exact, which the result states.
        """
        check_kind("tolerance", tolerance, float)
        described = "given" if images is not None else "seeded (uniform noise and smooth waves, seed 0)"
        feeds, variables = self.encoder.both(self._seeded() if images is None else images)
        run = functools.partial(
            self._verified, feeds=feeds, variables=variables, described=described, tolerance=tolerance
        )
        return in_exact_products(self.judge, feeds, run) if self.saturates else run(self.judge)

    def _verified(
        self, judge: Judge, feeds: Arrays, variables: Arrays, described: str = "seeded", tolerance: float = TOLERANCE
    ) -> Verification:
        from onnxray.engines.agreement.full_check import verify

        return verify(judge, self._new_twin(), feeds, variables, described, tolerance)

    def feeds(self, images: object) -> Arrays:
        """What the judge is fed: encoded pixels, or arrays as they are."""
        return self.encoder.feeds(images)

    def variables(self, images: object) -> Arrays:
        """What is differentiated with respect to: pixels, or arrays as they are."""
        return self.encoder.variables(images)

    def shapes(self, names: Iterable[str], *, once: bool = False) -> dict[str, tuple[int, ...]]:
        """Value -> its shape for one sample, measured by the judge on a grey image or a seeded sample, once a value.

        names: whole names of values. once: what is opened to measure them does not stay open.
        Errors: RuntimeRefusal; InputError for several inputs.
        """
        wanted = tuple(dict.fromkeys(names))
        missing = [name for name in wanted if name not in self._shapes]
        if missing:
            one = Pixels.blank(self.profile) if self.profile else self.pixels(self._seeded()).rows(slice(0, 1))
            values = self.judge.values(self.feeds(one), missing, once=once)
            self._shapes.update({name: array.shape for name, array in values.items()})
        return {name: self._shapes[name] for name in wanted}

    def _seeded(self) -> object:
        return seeded(self.graph, self.profile, functools.partial(outputs_or_reference, self.judge))

    def _found_mixing(self, names: tuple[str, ...]) -> str | None:
        """Why the samples of values depend on each other, by the judge on seeded samples; tried once a file."""
        try:
            feeds = self.feeds(self._seeded())
        except OnnxrayError as error:
            return f"whether the samples of a batch depend on each other could not be tried ({error})"
        return mixes(self.graph, self.versions(), names, feeds, self.judge.together)

    def _new_twin(self) -> Twin:
        came_along = torch_came_along()
        from onnxray.engines.twin import STARTED_BY, Twin, use_one_thread

        check_process(STARTED_BY, "the torch twin")
        with self._starting:
            if self._twin is None:
                if came_along:
                    use_one_thread()
                settle_threads(self.graph)
                encode = (lambda pixels: pixels) if self.profile is None else self.profile.encode
                self._twin = Twin(self.graph, encode, self.device, mixing=self.mixing, judge=self.judge.values)
            return self._twin

    @property
    def twin(self) -> Twin:
        """The torch twin, after its outputs were compared with the judge's: once a file, remembered.

        Errors: MismatchError where they differ, UnsupportedOperator.
        """
        twin = self._new_twin()
        with self._starting:
            if not self._trusted:
                described = {"profile": self.profile and self.profile.to_dict(), **self.versions()}
                self._agreement = remembered(self.graph, described, self._check)
                self._trusted = True
        return twin

    def _check(self) -> Agreement:
        twin, (feeds, variables) = self._new_twin(), self.encoder.both(self._seeded())
        return check(
            self.judge, feeds, lambda names: twin.values(variables, names),
            lambda judge: self._verified(judge, feeds, variables), prepare=twin.prepare, approximate=self.approximate,
            ordered=True,
        )  # fmt: skip

    def batch(self) -> Batch:
        """How samples go through the twin: a file that fixes its batch is tried once, which is remembered.

        A file that the twin cannot run goes one batch of its own after the other, by the judge alone.
        """
        with self._starting:
            if self._batch is None or self._batch.file != fixed_batch_of(self.graph):
                self._batch = decided(
                    self.graph, self.versions(), self._decide_batch,
                    lambda: self.judge.outputs(self.feeds(self._seeded()), once=True),
                )  # fmt: skip
                assert self._batch is not None
            return self._batch

    def known_batch(self) -> Batch:
        """The same as far as it is known without running the model; ``not tried`` where it is not."""
        return known_so_far(self.graph, self.versions())

    def _decide_batch(self) -> Batch:
        from onnxray.engines.agreement.batch_trial import decide

        twin = self._new_twin()
        return decide(twin.importer, self.judge.where_exact(), twin.device)

    def twin_for(self, count: int) -> Twin:
        """The checked twin for so many samples at once: where the file's own batch is smaller, by the way that was
        decided. Errors: as for ``twin``.
        """
        twin, own = self.twin, fixed_batch_of(self.graph)
        return twin if own is None or count <= own else twin.going(self.batch())

    @cached_property
    def saturates(self) -> bool | None:
        """Whether this processor saturates u8 x s8 products of the file; None where it holds none: not tried."""
        return saturates(self.graph)

    @property
    def notes(self) -> tuple[str, ...]:
        """What every result of this model says: of its making, of products that are not exact, and of a copy judged."""
        own = note(self._agreement) if self.saturates else reference_note(self._agreement)
        return tuple(text for text in (*self.graph.container.notes, copy_note(self.graph), own) if text is not None)

    def versions(self) -> dict[str, str]:
        """Versions and device that results depend on; stated with every result."""
        return versions(self.device)
