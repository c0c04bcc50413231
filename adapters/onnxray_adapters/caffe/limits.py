"""What a Caffe file may ask for. Each limit is far above every public net, and is named where it is passed."""

from __future__ import annotations

from typing import Final

PROTOTXT: Final = 2 * 2**20
"""Bytes of a prototxt; ResNet-152's has 100 kilobytes."""
DEPTH: Final = 16
"""Messages in messages; Caffe's own go five deep."""
LAYERS: Final = 20_000
FIELDS: Final = 200_000
"""Fields of a caffemodel that are walked over; blobs count as one each."""
AXES: Final = 32
"""Caffe's own limit (kMaxBlobAxes)."""
ELEMENTS: Final = 2**28
"""Numbers of one blob between layers: a gigabyte."""
HELD: Final = 2**28
"""Numbers of one weight that has to be held: doubles, and floats that are not stored in one piece."""
NAME: Final = 1000
"""Characters of a name."""
