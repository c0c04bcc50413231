"""Every error a user can cause, each one line: the offending value, what was expected, what to do.

OnnxrayError
|-- ModelFileError          the file cannot be read as an ONNX model
|-- RuntimeRefusal          ONNX Runtime refuses the model or the input
|-- UnsupportedOperator     the importer has no converter that is surely right
|-- MismatchError           the torch twin and ONNX Runtime disagree; no gradient is given
|-- UnknownValue            no value of that name, or no such channel of it
|-- NotDifferentiable       the value has no gradient with respect to the input
|   `-- NotFiniteGradient   it has one, which holds NaN or infinity at these samples
|-- ZeroGradient            the gradient is zero everywhere, no direction can be taken from it
|-- ProfileError            the profile is wrong, missing or does not fit the model
|-- ImageError              an image cannot be read or does not fit the profile
|-- InputError              an array, a cotangent, a target or an option does not fit
|   |-- NotAClassifier      the model's output is not one score a class for each sample, so there is no verdict
|   `-- NotFinite           the scores of these samples hold NaN or infinity, so there is no verdict on them
|-- DeviceError             the device asked for is not there
|-- TimeLimitReached        the work was not done in the time that was given for it
|-- MemoryLimitReached      the work needs more memory than there is, or than was given for it
|-- OutputError             results cannot be written or read back
"""

from onnxray.errors.shown_text import one_line


class OnnxrayError(Exception):
    """Root of every error a user can cause; ``str(error)`` is one line that a terminal may show, whatever is in it."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class ModelFileError(OnnxrayError):
    """The file cannot be read as an ONNX model."""


class RuntimeRefusal(OnnxrayError):
    """ONNX Runtime refuses the model or the input."""


class UnsupportedOperator(OnnxrayError):
    """The importer has no converter that is surely right for a node."""


class MismatchError(OnnxrayError):
    """The torch twin and ONNX Runtime disagree on the same input."""


class UnknownValue(OnnxrayError):
    """The graph has no value of that name, or the value no such channel."""


class NotDifferentiable(OnnxrayError):
    """The value has no gradient with respect to the input."""


class NotFiniteGradient(NotDifferentiable):
    """The gradient at these samples holds NaN or infinity."""


class ZeroGradient(OnnxrayError):
    """The gradient is zero everywhere, so no direction can be taken from it."""


class ProfileError(OnnxrayError):
    """The profile is wrong, missing, or does not fit the model."""


class ImageError(OnnxrayError):
    """An image cannot be read, or does not fit the profile."""


class InputError(OnnxrayError):
    """An array, a cotangent, a target or an option does not fit."""


class NotAClassifier(InputError):
    """The model's output is not one score a class for each sample, so there is no verdict."""


class NotFinite(InputError):
    """The scores of these samples hold NaN or infinity, so there is no verdict on them."""


class NoSuchAnswer(NotAClassifier, AttributeError):
    """Something of a classifier was asked of an answer that is none's."""


class NoSuchItem(InputError, IndexError):
    """A result has no item of that number."""


class DeviceError(OnnxrayError):
    """The device asked for is not there."""


class TimeLimitReached(OnnxrayError):
    """The work was not done in the time that was given for it."""


class MemoryLimitReached(OnnxrayError):
    """The work needs more memory than there is, or than was given for it."""


class OutputError(OnnxrayError):
    """Results cannot be written or read back."""
