"""A part of a value for some samples of a batch: as many numbers as there are samples, wherever they lie in it."""

import numpy as np
import pytest

from onnxray.errors import InputError
from onnxray.graph.value_names import Selection
from onnxray.objectives.parts_of_values import Element, Part
from support import models

ROWS = models.random(0, 6, 4, 3, 5)
"""Two rows each of three samples."""


@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize(
    ("channel", "position"), [(None, None), (2, None), (2, (1, 4))], ids=["value", "channel", "neuron"]
)
def test_the_mean_of_each_sample(start: int, channel: int | None, position: tuple[int, int] | None) -> None:
    """mean a[n], mean a[n, c], a[n, c, y, x], averaged over the sample's rows."""
    part = Part(Selection("a", channel, position))
    chosen = ROWS if channel is None else ROWS[:, channel]
    chosen = chosen if position is None else chosen[:, position[0], position[1]]
    found = part.score({"a": ROWS}, slice(start, start + 3))
    np.testing.assert_allclose(found, [chosen[2 * k : 2 * k + 2].mean() for k in range(3)], rtol=1e-6)


@pytest.mark.parametrize(("place", "first"), [(slice(0, 2), "a[3,1]"), (slice(1, 3), "a[5,0]")])
def test_rows_of_several_samples_together_are_refused_by_the_first_of_them(place: slice, first: str) -> None:
    with pytest.raises(InputError) as caught:
        Element("a", np.array([[3, 1], [5, 0], [2, 2]]), alone=True).score({"a": ROWS}, place)
    said = f"the rows of 'a' are those of 2 samples together, so {first} is not known of each; give one image at a time"
    assert str(caught.value) == said
