"""Array types, once for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


Arrays = Mapping[str, Array]


Image8 = NDArray[np.uint8]


Floats = NDArray[np.float64]
