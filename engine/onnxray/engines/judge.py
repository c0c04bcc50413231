"""The judge: ONNX Runtime on the file's own bytes, and on cut copies of it for inner values.

Verdicts come from one session on the very file, with the runtime's default optimisations; on a copy where the file
cannot be fed, which results say (``readable_copies``). An inner value comes from a session on a copy cut to it:
appending outputs to the whole graph would switch fusions off and move its results.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import onnxruntime

from onnxray.arrays import Array, Arrays
from onnxray.engines.casting import as_given
from onnxray.engines.chunks import Through, chunk_size, in_chunks, sample_count, takes_one_alone
from onnxray.engines.integer_products import products, saturates
from onnxray.engines.machine import cores
from onnxray.engines.readable_copies import carried, own_names, readable, reasons
from onnxray.engines.session_source import SessionSource, cut_source, file_source
from onnxray.engines.sessions import Sessions
from onnxray.engines.shifted_weights import shifted
from onnxray.errors import DeviceError, InputError, RuntimeRefusal
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import fixed_batch_of, found_fixed
from onnxray.graph.samples.mixing import Mixing

_OPEN_CUTS = 3
_PRECISION = "session.x64quantprecision"


class Judge:
    """ONNX Runtime on one model. Sessions start when first needed; at most one on the file and a few on cuts stay open.

    exact: u8 x s8 products do not saturate, whatever the processor. What is fused is told so (x64quantprecision); what
    is not is a copy with uint8 weights. Only to compare the twin with: verdicts are those of the file as it ships.

    Threads may share a judge; in a forked process its sessions are opened again.
    Errors: RuntimeRefusal where the runtime refuses the model or an input, DeviceError where the device is not there.
    """

    def __init__(self, graph: Graph, device: str = "cpu", mixing: Mixing | None = None, *, exact: bool = False) -> None:
        self.graph = graph
        self.device = device
        self.mixing = mixing or Mixing(graph)
        self._products = products(graph) if exact else None
        self._files = Sessions(1, lasts=device == "cpu")
        self._cuts = Sessions(_OPEN_CUTS, lasts=device == "cpu")
        self._free: set[tuple[str, ...]] = set()
        """What was given for several samples at once, so that it need not be tried again."""
        self._given: WeakKeyDictionary[onnxruntime.InferenceSession, Sequence[Any]] = WeakKeyDictionary()

    def outputs(
        self, feeds: Arrays, names: Iterable[str] | None = None, *, once: bool = False, through: Through | None = None
    ) -> dict[str, Array]:
        """Give graph outputs (all, or ``names`` of them) for a batch of any size: the verdict of the file itself.

        once: the batch is of a size that will not come again, so the memory that it took is given back.
        """
        wanted = tuple(names) if names is not None else tuple(output.name for output in self.graph.outputs)
        return self._run(self._file_session(), feeds, wanted, once=once, through=through)

    def values(
        self, feeds: Arrays, names: Iterable[str], *, among: Iterable[str] = (), once: bool = False,
        through: Through | None = None,
    ) -> dict[str, Array]:  # fmt: skip
        """Give any values of the graph by a cut copy; inputs and outputs need none.

        among: values that were read together, ``names`` among them: by the session that gave those, no other is opened.
        once: as in ``outputs``, and a session that is opened for it does not stay open.
        """
        wanted = tuple(dict.fromkeys(names))
        cut = tuple(dict.fromkeys([*among, *wanted]))
        outputs = {output.name for output in self.graph.outputs}
        if outputs.issuperset(cut):
            return self.outputs(feeds, wanted, once=once, through=through)
        found = {name: feeds[name] for name in wanted if name in feeds}
        inner = tuple(name for name in wanted if name not in found)
        if inner:
            session = self._cut_session(tuple(name for name in cut if name not in feeds), keep=not once)
            found |= self._run(session, feeds, inner, once=once, through=through)
        return {name: found[name] for name in wanted}

    def segment(self, names: Iterable[str], given: Iterable[str] = ()) -> Callable[[Arrays], dict[str, Array]]:
        """The values ``names`` as a function of the values ``given``, and of those inputs that are read beside them.

        For what is asked many times: its weights are packed for speed. The session closes with the function. The
        arrays are one batch, which is fed as it is; a file that fixes its batch is fed so much at a time.
        """
        wanted = tuple(dict.fromkeys(names))
        # Threads that spin while they wait would take the cores from those of the next segment.
        entries = {"session.intra_op.allow_spinning": "0"}
        own, before = Sessions(1, lasts=self.device == "cpu"), tuple(given)

        def start() -> onnxruntime.InferenceSession:
            with self._cut(wanted, before) as source:
                return self._session(source, entries)

        own.get(None, start)
        return lambda feeds: self._run(own.get(None, start), feeds, wanted, chunk=sample_count(feeds))

    def part(self, names: Iterable[str], given: Iterable[str]) -> Callable[[Arrays], dict[str, Array]]:
        """The same for one pass through the graph: as ``values`` reads, and what it is given is fed as it is."""
        wanted = tuple(names)
        with self._cut(wanted, given) as source:
            session = self._session(source, {"session.disable_prepacking": "1"})
        return lambda feeds: dict(zip(wanted, self._feed(session, wanted)(feeds)))

    def together(self, feeds: Arrays, names: Iterable[str]) -> dict[str, Array]:
        """Give any values for one batch, which is fed as it is: how samples that are fed together are compared."""
        wanted = tuple(names)
        promoted = not {output.name for output in self.graph.outputs}.issuperset(wanted)
        session = self._cut_session(wanted, keep=False) if promoted else self._file_session()
        return self._run(session, feeds, wanted, once=True, chunk=sample_count(feeds), whole=True)

    def promoted_outputs(self, feeds: Arrays, names: Iterable[str]) -> dict[str, Array]:
        """Give the graph's outputs by a copy that also gives the inner values ``names``.

        Only to measure how far reading moves the outputs: such a copy never gives a verdict.
        """
        outputs = tuple(output.name for output in self.graph.outputs)
        read = self._run(self._cut_session((*names, *outputs)), feeds, outputs)
        return {name: read[name] for name in outputs}

    def plain_outputs(self, feeds: Arrays, names: Iterable[str]) -> dict[str, Array]:
        """Give graph outputs by the file with the runtime's optimisations off, in a session that does not stay open.

        Only to tell whether they move the outputs: verdicts come from the session that has them on.
        """
        with self._whole() as source:
            session = self._session(source, {}, optimised=False)
        return self._run(session, feeds, tuple(names), once=True)

    def where_exact(self) -> Judge:
        """This judge where its products of uint8 and int8 are exact, else one of the same file that is made so."""
        return Judge(self.graph, self.device, self.mixing, exact=True) if saturates(self.graph) else self

    @property
    def refusal(self) -> str | None:
        """Why ONNX Runtime does not take the model, whatever it is fed; None where it does."""
        try:
            self._file_session()
        except RuntimeRefusal as error:
            return str(error)
        return None

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers that the session on the file really uses."""
        return tuple(self._file_session().get_providers())

    def _run(
        self, session: onnxruntime.InferenceSession, feeds: Arrays, names: tuple[str, ...], *, once: bool = False,
        chunk: int | None = None, through: Through | None = None, whole: bool = False,
    ) -> dict[str, Array]:  # fmt: skip
        feed = self._feed(session, names, once=once)
        if any(isinstance(value, list) for value in feeds.values()):  # sequences have no samples to be cut into
            return dict(zip(names, feed(feeds)))

        def fed() -> dict[str, Array]:
            own = fixed_batch_of(self.graph)
            size = chunk if chunk is not None and own is None else chunk_size(self.graph, feeds)
            size = size if whole else self.mixing.chunk(feeds, names, size)
            return in_chunks(self.graph, feeds, names, size, feed if through is None else through(feed))

        try:
            found = fed()
        except RuntimeRefusal:
            if not takes_one_alone(self.graph, feeds, names, feed, None):
                raise
        else:
            if names in self._free or sample_count(feeds) == 1:
                return found
            if not takes_one_alone(self.graph, feeds, names, feed, found):
                self._free.add(names)
                return found
        found_fixed(self.graph, 1)
        return fed()

    def _feed(
        self, session: onnxruntime.InferenceSession, names: tuple[str, ...], *, once: bool = False
    ) -> Callable[[Arrays], list[Array]]:
        """Feeds a session what it reads. Errors: InputError where an input is missing, RuntimeRefusal."""
        read, given = (own_names(info.name for info in side) for side in (session.get_inputs(), session.get_outputs()))
        options = onnxruntime.RunOptions()
        if once and self.device == "cpu":
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

        def feed(part: Arrays) -> list[Array]:
            missing = sorted(read.keys() - part.keys())
            if missing:
                raise InputError(f"the model also reads the input {missing[0]!r}; give an array for each of its inputs")
            taken = {session_name: carried(part[name]) for name, session_name in read.items()}
            try:
                return [as_given(value) for value in session.run([given[n] for n in names], taken, options)]
            except Exception as error:
                raise RuntimeRefusal(f"ONNX Runtime refuses the input: {_first_line(error)}") from None

        return feed

    def _file_session(self) -> onnxruntime.InferenceSession:
        def start() -> onnxruntime.InferenceSession:
            with self._whole() as source:
                session = self._session(source, {})
            return_freed_memory()
            return session

        return self._files.get(None, start)

    @contextmanager
    def _whole(self) -> Iterator[SessionSource]:
        """The file itself; a copy where it cannot be fed, or where exact products are asked for and it has none."""
        products = self._products
        exact = products is not None and bool(products.direct or not products.avoidable)
        if exact or reasons(self.graph):
            with self._cut([output.name for output in self.graph.outputs]) as source:
                yield source
        else:
            with file_source(self.graph.container) as source:
                yield source

    @contextmanager
    def _cut(self, names: Iterable[str], given: Iterable[str] = ()) -> Iterator[SessionSource]:
        cut = self.graph.cut(names, given)
        if self._products is not None:
            if not self._products.avoidable:
                raise RuntimeRefusal("ONNX Runtime has no exact product of uint8 with computed int8, or in bodies")
            cut = shifted(cut, self.graph, self._products.direct)
        with cut_source(self.graph.container, readable(cut, self.graph)) as source:
            yield source

    def _cut_session(self, names: tuple[str, ...], *, keep: bool = True) -> onnxruntime.InferenceSession:
        def start() -> onnxruntime.InferenceSession:
            # Weights are mapped from a file and not packed into a second copy: a cut is read, not raced.
            with self._cut(names) as source:
                return self._session(source, {"session.disable_prepacking": "1"})

        return self._cuts.get(names, start, keep=keep)

    def _session(
        self, source: SessionSource, entries: Mapping[str, str], *, optimised: bool = True
    ) -> onnxruntime.InferenceSession:
        if self._products is not None and self._products.fused and optimised and _PRECISION not in entries:
            try:
                return self._session(source, {**entries, _PRECISION: "1"})
            except RuntimeRefusal:
                optimised = False  # what is not fused is computed in floats, which do not saturate
        options = onnxruntime.SessionOptions()
        if not optimised:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        if (own := cores()) < (os.cpu_count() or 1):  # it would start a thread for each that there is
            options.intra_op_num_threads = own
        # Its threads would go on spinning for 30 ms after a run, on cores that torch or the next session needs then.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        for key, value in {**entries, **source.entries}.items():
            options.add_session_config_entry(key, value)
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in source.weights.values()]
        if values:
            options.add_external_initializers(list(source.weights), values)
        wanted = providers_for(self.device)
        try:
            # It would print a fall-back on standard output, which belongs to --json, and to whoever calls us.
            session = onnxruntime.InferenceSession(source.model, options, providers=list(wanted), enable_fallback=0)
        except Exception as error:
            said = _first_line(error)
            if isinstance(source.model, str):  # the path of an open handle, which tells nobody anything
                said = said.replace(source.model, str(self.graph.path))
            raise RuntimeRefusal(f"ONNX Runtime refuses the model: {said}") from None
        if wanted[0] not in session.get_providers():
            raise DeviceError(
                f"device {self.device!r}: ONNX Runtime could not start {wanted[0]} and fell back to "
                f"{', '.join(session.get_providers())}; install its CUDA libraries, or use --device cpu"
            )
        if values:  # copied by some versions while the session is made, read where they are by others
            self._given[session] = values
        return session


def providers_for(device: str) -> tuple[str, ...]:
    """The execution providers that a device means: ``cpu`` or ``cuda``."""
    if device == "cpu":
        return ("CPUExecutionProvider",)
    if device != "cuda":
        raise DeviceError(f"unknown device {device!r}; use 'cpu' or 'cuda'")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise DeviceError("device 'cuda': this ONNX Runtime has no CUDA provider; install onnxruntime-gpu")
    return ("CUDAExecutionProvider", "CPUExecutionProvider")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:400]


def return_freed_memory() -> None:
    """Give freed pages back to the system: glibc keeps those of the parsed file, up to a seventh of a large model."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
