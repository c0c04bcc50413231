"""What each input of a graph takes, told from the file with its grounds; nothing is read and no engine is started.

picture      1, 3 or 4 channels, and windows that slide over rows and columns, or other grounds (pictures.py)
video clip   five axes, 1 or 3 channels
token ids    whole numbers that index a table; their mask and types beside them
waveform     one long axis of samples in time
table row    (N, K) or (N,) of numbers or text, without windows
string       text
array        anything else, as it is
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from onnxray.graph.facts import Dim, Graph, Value
from onnxray.graph.inputs.indices import table_of
from onnxray.graph.inputs.names import says, shown_word
from onnxray.graph.inputs.pictures import picture_grounds
from onnxray.graph.inputs.windows import windows_over

Kind = Literal["picture", "array", "table row", "token ids", "waveform", "video clip", "string"]
KINDS: Final[tuple[Kind, ...]] = (
    "picture", "array", "table row", "token ids", "waveform", "video clip", "string",
)  # fmt: skip

_LONG = 1024
"""Samples in time that one reading of a sensor seldom has, and a tenth of a second of sound always."""
_LONGEST_ROW = 8000
"""More numbers along one axis than a series of measurements has; half a second of sound."""
_WIDE_WINDOW = 16
_SPECTRAL = frozenset({"DFT", "STFT"})


@dataclass(frozen=True, kw_only=True, slots=True)
class InputFacts:
    """One input: what it takes and why that is thought. shape and dtype as the file states them.

    gathered: of token ids, the value that holds their embeddings; None for others, and where there is none.
    """

    name: str
    kind: Kind
    grounds: str
    shape: tuple[Dim, ...] | None
    dtype: str
    gathered: str | None = None


def input_kinds(graph: Graph) -> tuple[InputFacts, ...]:
    """What each input takes, in the graph's order; asked of a graph by ``graph.once(input_kinds)``."""
    tokens = {value.name: found for value in graph.inputs if (found := _tokens(graph, value)) is not None}
    return tuple(_facts(graph, value, tokens) for value in graph.inputs)


def _facts(graph: Graph, value: Value, tokens: dict[str, tuple[str, str | None]]) -> InputFacts:
    gathered: str | None = None
    if value.name in tokens:
        kind: Kind = "token ids"
        grounds, gathered = tokens[value.name]
    else:
        kind, grounds = _other(graph, value, tokens)
    return InputFacts(
        name=value.name, kind=kind, grounds=grounds, shape=value.shape, dtype=value.dtype, gathered=gathered
    )


def _tokens(graph: Graph, value: Value) -> tuple[str, str | None] | None:
    """Why an input holds token ids, and the value that is gathered by them."""
    rank = None if value.shape is None else len(value.shape)
    table = table_of(graph, value) if rank in {None, 1, 2} else None
    if table is not None:
        what = "it is one-hot encoded" if table[0] is None else f"the rows of the table {table[0]!r} are gathered by it"
        return f"{value.dtype}, {what}", table[1]
    return None


def _other(graph: Graph, value: Value, tokens: dict[str, tuple[str, str | None]]) -> tuple[Kind, str]:
    shape = value.shape
    if value.dtype == "object":
        return "string", "the file wants text"
    if shape is None:
        return "array", "the file does not state its shape"
    if tokens and not value.is_float and (word := says(value.name, "tokens")):
        return "token ids", f"{value.dtype} beside token ids, named {shown_word(word)}"
    if (picture := picture_grounds(graph, value)) is not None:
        return "picture", picture
    if (clip := _clip(value)) is not None:
        return "video clip", clip
    if (waveform := _waveform(graph, value)) is not None:
        return "waveform", waveform
    windows = windows_over(graph, value)
    if windows:
        return "array", f"a {windows[0].operator} slides over axis {', '.join(map(str, windows[0].axes))}, no picture"
    if not shape:
        return "array", "a single number"
    if len(shape) == 1 or (len(shape) == 2 and isinstance(shape[1], int) and shape[1] > 0):
        return (
            "table row",
            f"numbers in {'one column' if len(shape) == 1 else f'{shape[1]} columns'}, and nothing slides over them",
        )
    return "array", f"{len(shape)} axes, nothing tells what they hold"


def _clip(value: Value) -> str | None:
    shape = value.shape
    if shape is None or len(shape) != 5 or not (value.is_float or value.dtype == "uint8"):
        return None
    for axis in (1, 2, 4):
        if shape[axis] == 3:
            return f"five axes, axis {axis} has 3 channels"
    return None


def _waveform(graph: Graph, value: Value) -> str | None:
    """Why an input is one signal in time: its name, a Fourier transform behind it, or windows over one long axis."""
    shape = value.shape
    if shape is None or not (value.is_float or value.dtype == "int16") or not 1 <= len(shape) <= 3:
        return None
    inner = [(axis, size) for axis, size in enumerate(shape) if axis or len(shape) == 1]
    long = [(axis, size) for axis, size in inner if size != 1]
    if len(long) != 1:
        return None
    axis, size = long[0]
    free = not isinstance(size, int) or size <= 0
    if not free and isinstance(size, int) and size < 256:
        return None
    if word := says(value.name, "sound"):
        return f"one signal along axis {axis}, named {shown_word(word)}"
    readers = graph.readers_of.get(value.name, ())
    if len(shape) == 3 and isinstance(size, int) and size >= _LONGEST_ROW:
        return f"{size} numbers along axis {axis} alone"
    if free and any(not other.shape and says(other.name, "rate") for other in graph.inputs):
        return f"one signal along axis {axis}, beside a sampling rate"
    if any(node.operator in _SPECTRAL for node in readers):
        return f"one signal along axis {axis}, and its Fourier transform is taken"
    for window in windows_over(graph, value)[:1]:
        wide = any((side or 0) >= _WIDE_WINDOW for side in window.sides)
        if axis in window.axes and (wide or (isinstance(size, int) and size >= _LONG)):
            return f"one signal along axis {axis}, a {window.operator} slides over it"
    return None
