"""Predicted classes as colours: the legend shows them as they look over middle grey."""

import numpy as np

from onnxray.images.drawing.class_map import draw_class_map
from support.models import Array


def test_the_legends_colours_are_those_of_the_map_over_middle_grey() -> None:
    classes = np.repeat(np.arange(9), [28, 9, 8, 7, 6, 5, 4, 3, 2]).reshape(8, 9)
    drawn = draw_class_map(np.full((3, 16, 18), 127.5, np.float32), classes, 0, str)
    legend = drawn["class-map-legend"]
    lines = (legend.shape[1] - 16) // 24
    assert lines == 8  # the image's own class, six colours, and the rest together
    swatches = [tuple(legend[:, 8 + 24 * line + 12, 15].tolist()) for line in range(lines)]
    shown = {
        number: tuple(drawn["class-map"][:, 2 * row, 2 * column].tolist())
        for (row, column), number in np.ndenumerate(classes)
    }
    assert [shown[number] for number in range(7)] == swatches[:7]
    assert shown[7] == shown[8] == swatches[7]
    assert len(set(swatches)) == 8
    red, green, blue = swatches[0]
    assert red == green == blue == round(127.5 * 0.35 + 240 * 0.65)
    dark = (legend < 200).all(0)
    assert dark[:, 180:216].any()  # the shares end where the page's edge begins
    assert not dark[:, 217:].any()
    assert dark[:, 31:60].any()
    assert not dark[:, 23:29].any()  # between a swatch and its label


def test_a_name_that_does_not_fit_is_the_first_of_its_names() -> None:
    def legend(label: str) -> Array:
        image = np.full((3, 16, 18), 127.5, np.float32)
        return draw_class_map(image, np.zeros((2, 2), np.int64), 0, lambda _: label)["class-map-legend"]

    assert np.array_equal(legend("n02058221 albatross, mollymawk"), legend("albatross"))
    assert not np.array_equal(legend("tench, carp"), legend("tench"))  # it fits
    assert not np.array_equal(legend("albatross " * 20), legend("albatross"))
