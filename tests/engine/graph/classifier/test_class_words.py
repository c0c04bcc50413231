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
        (1, 2, False, "1 label is stated and output 'y' gives 2 classes: state 2 of them (one a class in the order of the output); is the first or the last output a background class?"),
        (5, 3, False, "5 labels are stated and output 'y' gives 3 classes: state 3 of them (one a class in the order of the output)"),
        (3, 2, True, "3 labels are stated and output 'y' gives 2 classes: state 2 of them (those of no and of yes, or yes alone)"),
        (1000, 1001, False, "1000 labels are stated and output 'y' gives 1001 classes: ImageNet's 1000 names for 1001 outputs: the first output is a background class; say --labels imagenet-1001"),
    ],
)  # fmt: skip
def test_another_number_of_labels_is_refused(labels: int, count: int, binary: bool, said: str) -> None:
    with pytest.raises(ProfileError) as caught:
        class_words(["a"] * labels, "y", count, binary=binary)
    assert str(caught.value) == said
