"""As many words as an output has classes, or one line that says what is wrong."""

import pytest

from onnxray.errors import ProfileError
from onnxray.graph.classifier.class_words import class_words


def test_as_many_labels_as_classes_are_their_words() -> None:
    assert class_words(None, "y", 3) is None
    assert class_words(["a", "b", "c"], "y", 3) == ("a", "b", "c")
    assert class_words(["no", "yes"], "y", 2, binary=True) == ("no", "yes")


def test_one_label_of_two_classes_is_the_second() -> None:
    assert class_words(["cat"], "y", 2, binary=True) == ("not cat", "cat")


@pytest.mark.parametrize(
    ("labels", "count", "binary", "said"),
    [
        (1, 2, False, "has 1 label and output 'y' gives 2 classes: state 2 of them in the profile (one a class in the order of the output); is the first or the last output a background class?"),
        (5, 3, False, "has 5 labels and output 'y' gives 3 classes: state 3 of them in the profile (one a class in the order of the output)"),
        (3, 2, True, "has 3 labels and output 'y' gives 2 classes: state 2 of them in the profile (those of no and of yes, or yes alone)"),
        (1000, 1001, False, "has 1000 labels and output 'y' gives 1001 classes: ImageNet's 1000 names for 1001 outputs: the first output is a background class; put one before them"),
    ],
)  # fmt: skip
def test_another_number_of_labels_is_refused(labels: int, count: int, binary: bool, said: str) -> None:
    with pytest.raises(ProfileError) as caught:
        class_words(["a"] * labels, "y", count, binary=binary)
    assert str(caught.value) == f"the profile {said}"
