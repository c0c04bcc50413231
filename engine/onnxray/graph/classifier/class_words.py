"""The words for the classes of an output: as many as there are classes, or none."""

from __future__ import annotations

from collections.abc import Sequence

from onnxray.errors import ProfileError

_IMAGENET = 1000


def class_words(
    labels: Sequence[str] | None, output: str, count: int, *, binary: bool = False
) -> tuple[str, ...] | None:
    """A word for each of ``count`` classes, from the labels that are stated; None where there are none.

    binary: one label for the second of two classes is enough. Errors: ProfileError where the numbers do not fit.
    """
    if labels is None or len(labels) == count:
        return None if labels is None else tuple(labels)
    if binary and len(labels) == 1:
        return (f"not {labels[0]}", labels[0])
    told = "1 label is stated" if len(labels) == 1 else f"{len(labels)} labels are stated"
    expected = "one a class in the order of the output" if not binary else "those of no and of yes, or yes alone"
    hint = f"state {count} of them ({expected})"
    if (len(labels), count) == (_IMAGENET, _IMAGENET + 1):
        hint = (
            "ImageNet's 1000 names for 1001 outputs: the first output is a background class; say --labels imagenet-1001"
        )
    elif len(labels) == count - 1:
        hint += "; is the first or the last output a background class?"
    raise ProfileError(f"{told} and output {output!r} gives {count} classes: {hint}")
