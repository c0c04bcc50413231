"""What the name of an input says of it: additional grounds, and never the only ones for what changes numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

from onnxray.errors.short_values import short

Subject = Literal["picture", "sound", "spectrum", "tokens", "rate"]

_WORDS: Final[Mapping[Subject, frozenset[str]]] = {
    "picture": frozenset({
        "image", "images", "img", "imgs", "picture", "pictures", "photo", "pixel", "pixels", "rgb", "bgr", "gray",
        "grey", "face", "faces", "pil",
    }),
    "sound": frozenset({"audio", "wav", "waveform", "waveforms", "wave", "pcm", "speech", "sound", "samples"}),
    "spectrum": frozenset({
        "mel", "mels", "logmel", "melspec", "melspectrogram", "spec", "spectrogram", "spectrum", "stft", "mfcc",
        "fbank", "cqt", "freq", "frequency", "bins", "time", "frames", "audio", "speech",
    }),
    "rate": frozenset({"sr", "rate", "sample", "fs", "hz"}),
    "tokens": frozenset({"ids", "mask", "token", "tokens", "type", "types", "segment", "attention", "position"}),
}  # fmt: skip


def says(name: str, subject: Subject) -> str | None:
    """The word of a name, between punctuation, digits and capitals, that speaks of a subject; None where none does."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name[:200])
    return next((part for part in parts if part.lower() in _WORDS[subject]), None)


def shown_word(word: str) -> str:
    """A word of a name, as it may be shown."""
    return short(word)
