"""Model: graph, judge, twin and profile behind four verbs: predict, values, pullback, verify."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, final

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxray._version import __version__
from onnxray.batching import Array, Arrays
from onnxray.errors import InputError, ProfileError
from onnxray.graph import Graph, Value, read_graph
from onnxray.images import Pixels, read_images
from onnxray.naming import Selection, resolve, resolve_values
from onnxray.profile import Profile
from onnxray.profile_discovery import discover
from onnxray.runtime import Judge, return_freed_memory
from onnxray.structure import closing_softmax, verdict_output
from onnxray.verification import (
    TOLERANCE,
    Comparison,
    Memory,
    Verification,
    check_outputs,
    compare,
    seeded_inputs,
    seeded_pixels,
)

if TYPE_CHECKING:
    import torch

    from onnxray.twin import Twin

Cotangent = NDArray[Any] | Callable[["torch.Tensor", slice], "torch.Tensor"]
Source: TypeAlias = str | os.PathLike[str] | bytes | onnx.ModelProto


@dataclass(frozen=True)
class Predictions:
    """What the judge says of a batch.

    ``classes``: (N,) the winning class of each image by the file itself. ``probabilities``: (N, K), float64.
    ``scores``: (N, K), before the softmax; read by a second, cut session when first asked for, where the file itself
    ends in a softmax. ``labels``: the winning class in words, or its number where the profile has no labels.
    """

    classes: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    labels: tuple[str, ...]
    read_scores: Callable[[], NDArray[np.float64]]

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """Scores before the softmax."""
        return self.read_scores()


@final
class Model:
    """One ONNX model, opened. Nothing runs until it is asked for; ``open`` is the way to make one."""

    def __init__(self, graph: Graph, profile: Profile | None, device: str = "cpu") -> None:
        self.graph = graph
        self.profile = profile
        self.device = device
        self.judge = Judge(graph, device)
        self._twin: Twin | None = None
        self._trusted = False

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """``logits``, ``features``, ``last-conv``; the profile's word on the first two counts."""
        stated: dict[str, str] = {}
        if self.profile is not None:
            for alias, name in (("logits", self.profile.logits), ("features", self.profile.features)):
                if name is not None:
                    stated[alias] = resolve(self.graph, name, self.graph.aliases).value
        return {**self.graph.aliases, **stated}

    def select(self, text: str) -> Selection:
        """Resolve a name as a user types it: a value, NAME:CHANNEL or NAME:CHANNEL,Y,X. Errors: UnknownValue."""
        return resolve(self.graph, text, self.aliases)

    def select_values(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Resolve names, aliases and globs to whole values. Errors: UnknownValue."""
        return resolve_values(self.graph, (texts,) if isinstance(texts, str) else tuple(texts), self.aliases)

    def pixels(self, images: object) -> Pixels:
        """Read images as the profile says: float32 NCHW, RGB or grey, in [0, 255], at the model's size."""
        if isinstance(images, Pixels):
            return images
        if self.profile is None:
            raise InputError("the model's input is no image; give arrays as the model takes them")
        return read_images(images, self.profile)

    def predict(self, images: object) -> Predictions:
        """Classify images (paths, PIL images or arrays) by the file itself.

        Errors: ImageError, InputError, RuntimeRefusal; InputError where the output is not one score a class.
        """
        feeds = self._feeds(images)
        output = verdict_output(self.graph)
        raw = self.judge.outputs(feeds, [output])[output]
        given = _per_class(raw, output)
        softmax = closing_softmax(self.graph, output)
        if softmax is None:
            probabilities = _softmax(given)
        else:
            probabilities = np.exp(given) if softmax.operator == "LogSoftmax" else given
        classes = given.argmax(1)

        def read_scores() -> NDArray[np.float64]:
            logits = self.aliases["logits"]
            return given if logits == output else _per_class(self.judge.values(feeds, [logits])[logits], logits)

        return Predictions(classes, probabilities, tuple(map(self.label, classes)), read_scores)

    def classify(self, images: object) -> NDArray[np.int64]:
        """The winning classes alone, (N,): what a line search asks hundreds of times."""
        output = verdict_output(self.graph)
        scores = _per_class(self.judge.outputs(self._feeds(images), [output])[output], output)
        return np.asarray(scores.argmax(1), np.int64)

    def label(self, index: int) -> str:
        """A class in words, or its number where the profile has no labels."""
        labels = self.profile.labels if self.profile is not None else None
        return labels[index] if labels is not None and 0 <= index < len(labels) else str(int(index))

    def values(
        self, images: object, names: Sequence[str], engine: Literal["judge", "twin"] = "judge"
    ) -> dict[str, Array]:
        """Give named values for images: name -> array of shape (N, ...), by ONNX Runtime or by the torch twin.

        Errors: UnknownValue; RuntimeRefusal or UnsupportedOperator where the engine cannot run what is asked.
        """
        wanted = self.select_values(names)
        if engine == "judge":
            return self.judge.values(self._feeds(images), wanted)
        if engine != "twin":
            raise InputError(f"engine {engine!r} is unknown; use 'judge' (ONNX Runtime) or 'twin' (torch)")
        return self._checked_twin().values(self._variables(images), wanted)

    def pullback(self, images: object, cotangents: Mapping[str, Cotangent]) -> Any:
        """J^T c summed over the values: d/d pixels of sum_v <c_v, v(pixels)>, the cotangents c held fixed.

        ``cotangents``: value name -> array of the value's shape (N, ...) or (...) for every image, or a function of
        the value (torch tensor, place in the batch). Gives float32 NCHW at the model's size, per grey level; for a
        model whose input is no image, an array like the input (a dict where there are several).
        Errors: MismatchError where the twin does not reproduce the judge, NotDifferentiable, UnknownValue, InputError.
        """
        if not cotangents:
            raise InputError("no cotangents were given; at least one value's is needed")
        resolved = {self.select_values([name])[0]: cotangent for name, cotangent in cotangents.items()}
        if len(resolved) != len(cotangents):
            raise InputError(f"two of {list(cotangents)} name the same value; give each value one cotangent")
        variables = self._variables(images)
        twin = self._checked_twin()
        from onnxray.twin import checked_cotangent, fixed_cotangents

        fixed = {name: c for name, c in resolved.items() if not callable(c)}
        give_fixed = fixed_cotangents(fixed, max(len(array) if array.ndim else 1 for array in variables.values()))

        def give(values: dict[str, torch.Tensor], place: slice) -> Mapping[str, torch.Tensor]:
            given = dict(give_fixed({name: values[name] for name in fixed}, place))
            for name, c in resolved.items():
                if callable(c):
                    given[name] = checked_cotangent(name, c(values[name], place), values[name])
            return given

        gradients = twin.pullback(variables, tuple(resolved), give)
        return next(iter(gradients.values())) if len(gradients) == 1 else gradients

    def verify(self, images: object = None, *, tolerance: float = TOLERANCE) -> Verification:
        """Compare twin and judge on every real value that is read or given, on the given or on seeded inputs.

        Also tells how far a copy of the model that gives every inner value moves the judge's own outputs.
        """
        described = "given" if images is not None else "seeded (uniform noise and smooth waves, seed 0)"
        if images is None:
            images = self._seeded()
        feeds, variables = self._feeds(images), self._variables(images)
        wanted: list[str] = []
        skipped: list[str] = []
        ends = {output.name for output in self.graph.outputs}
        for value in self.graph.values.values():
            if value.kind == "node" and (value.name in ends or value.name in self.graph.readers_of):
                real = value.is_float or not value.dtype
                (wanted if real and value.name in self.graph.depends_on_input else skipped).append(value.name)
        expected = self.judge.values(feeds, wanted)
        found = self._new_twin().values(variables, wanted)
        rows: list[Comparison] = []
        for name in wanted:
            if np.issubdtype(expected[name].dtype, np.floating):
                rows.append(compare(self.graph, name, expected[name], found[name], tolerance))
            else:
                skipped.append(name)
        outputs = self.judge.outputs(feeds)
        promoted = self.judge.promoted_outputs(feeds, wanted)
        numeric = [name for name, array in outputs.items() if array.dtype.kind in "fiub"]  # no strings, no dictionaries
        moved = max(
            (compare(self.graph, name, outputs[name], promoted[name]).absolute for name in numeric), default=0.0
        )
        return Verification(tuple(rows), tuple(skipped), tolerance, moved, described)

    def _feeds(self, images: object) -> Arrays:
        """What the judge is fed: encoded pixels, or arrays as they are."""
        if self.profile is None:
            return self._arrays(images)
        value = self.graph.inputs[0]
        encoded = self.profile.encode(self.pixels(images).array)
        if value.dtype and not value.is_float:
            encoded = np.rint(encoded)
        return {value.name: encoded.astype(value.dtype) if value.dtype not in {"", "bfloat16"} else encoded}

    def _variables(self, images: object) -> Arrays:
        """What is differentiated with respect to: pixels, or arrays as they are."""
        if self.profile is None:
            return self._arrays(images)
        return {self.graph.inputs[0].name: self.pixels(images).array}

    def _arrays(self, images: object) -> Arrays:
        if isinstance(images, Mapping):
            given = {str(name): np.asarray(array) for name, array in images.items()}
        elif len(self.graph.inputs) == 1 and isinstance(images, np.ndarray):
            given = {self.graph.inputs[0].name: images}
        else:
            names = ", ".join(repr(value.name) for value in self.graph.inputs)
            raise InputError(
                f"the model's input is no image (no profile fits it); give an array, or a dict of arrays for {names}"
            )
        for value in self.graph.inputs:
            if value.name not in given:
                raise InputError(f"the model also reads the input {value.name!r}; give an array for it")
        return {value.name: _cast(given[value.name], value) for value in self.graph.inputs}

    def _seeded(self) -> object:
        if self.profile is None:
            return seeded_inputs(self.graph)
        return seeded_pixels(self.profile.shape)

    def _new_twin(self) -> Twin:
        if self._twin is None:
            from onnxray.twin import Twin

            profile = self.profile
            self._twin = Twin(self.graph, (lambda pixels: pixels) if profile is None else profile.encode, self.device)
        return self._twin

    def _checked_twin(self) -> Twin:
        """The twin, after its outputs were compared with the judge's: once a file, remembered."""
        twin = self._new_twin()
        if self._trusted:
            return twin
        memory = Memory(self.graph, {"profile": self.profile and self.profile.to_dict(), **self.versions()})
        if not memory.recall():
            images = self._seeded()
            feeds, variables = self._feeds(images), self._variables(images)
            worst = check_outputs(
                self.graph,
                lambda names: self.judge.values(feeds, names, once=True),
                lambda names: twin.values(variables, names),
                twin.prepare,
            )
            memory.remember(worst)
            return_freed_memory()
        self._trusted = True
        return twin

    def versions(self) -> dict[str, str]:
        """Versions and device that results depend on; stated with every result."""
        import importlib.metadata
        import platform

        found = {"onnxray": __version__, "python": platform.python_version(), "device": self.device}
        for name in ("onnx", "torch", "onnx2torch", "numpy"):
            found[name] = importlib.metadata.version(name)
        import onnxruntime

        return {**found, "onnxruntime": onnxruntime.__version__}


def open_model(
    source: Source,
    profile: Profile | str | os.PathLike[str] | None = None,
    *,
    device: str = "cpu",
    strict: bool = False,
) -> Model:
    """Open an ONNX model: a path, a bundled name such as ``lenet``, bytes, or a ModelProto. Only parses.

    profile: a Profile, a built-in family's name or a TOML file; by default it is searched beside the model, in its
    metadata, and inferred at last, which is marked ``assumed``. strict: refuse an assumed profile.
    Errors: ModelFileError, ProfileError.
    """
    graph = read_graph(bundled(source))
    found = discover(graph, profile)
    if strict and found is not None and found.assumed:
        raise ProfileError(
            f"the profile {found.name!r} is assumed ({'; '.join(found.reasons)}) and --strict refuses that; "
            "state it with --profile, or in a TOML file beside the model"
        )
    return Model(graph, found, device)


def bundled(source: Source) -> Source:
    """The path of a bundled model where ``source`` is its name and no file of that name is there."""
    if isinstance(source, str) and Path(source).suffix == "" and not os.path.exists(source):  # noqa: PTH110
        try:
            import onnxray_models
        except ImportError:
            return source
        if source in onnxray_models.names():
            return onnxray_models.path(source)
    return source


def _cast(array: Array, value: Value) -> Array:
    """An array in the type of the graph's input."""
    if array.dtype.kind not in "fiub" or (not np.isfinite(array).all() and not value.is_float):
        raise InputError(
            f"the array for input {value.name!r} holds {array.dtype}; finite {value.dtype or 'numbers'} were expected"
        )
    try:
        return array.astype(value.dtype or array.dtype)
    except TypeError:
        raise InputError(f"the input {value.name!r} is of {value.dtype}, which no array of numbers holds") from None


def _per_class(raw: Array, name: str) -> NDArray[np.float64]:
    """(N, K) from (N, K) or (N, K, 1, 1); anything else is no classifier's output."""
    if raw.dtype.kind not in "fiub":
        raise InputError(f"output {name!r} holds {raw.dtype}, not one score a class; read it with `onnxray values`")
    scores = raw.astype(np.float64)
    if scores.ndim >= 2 and scores.size == scores.shape[0] * scores.shape[1]:
        scores = scores.reshape(scores.shape[:2])
    if scores.ndim != 2 or not scores.size:
        raise InputError(
            f"output {name!r} has the shape {list(raw.shape)}, not one score a class; read it with `onnxray values`"
        )
    if np.isnan(scores).any():
        raise InputError(f"output {name!r} holds NaN, so no class can be told; are there NaN in the weights?")
    if np.isinf(scores.max(1)).any():  # minus infinity marks a class that is ruled out, beside others
        raise InputError(f"output {name!r} holds infinity as its largest score, so no class can be told")
    return scores


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
