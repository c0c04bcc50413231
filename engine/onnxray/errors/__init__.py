"""Every error a user can cause, and what errors are worded with."""

from onnxray.errors.tree import (
    DeviceError,
    ImageError,
    InputError,
    MemoryLimitReached,
    MismatchError,
    ModelFileError,
    NotAClassifier,
    NotDifferentiable,
    OnnxrayError,
    OutputError,
    ProfileError,
    RuntimeRefusal,
    TimeLimitReached,
    UnknownValue,
    UnsupportedOperator,
    ZeroGradient,
)

__all__ = [
    "DeviceError",
    "ImageError",
    "InputError",
    "MemoryLimitReached",
    "MismatchError",
    "ModelFileError",
    "NotAClassifier",
    "NotDifferentiable",
    "OnnxrayError",
    "OutputError",
    "ProfileError",
    "RuntimeRefusal",
    "TimeLimitReached",
    "UnknownValue",
    "UnsupportedOperator",
    "ZeroGradient",
]
