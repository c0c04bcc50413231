"""What is asked of a model: targets, objectives, goals, and their gradients.

An objective is a real number for each image, computed from named values. Objectives add up, and every method takes one
in place of a target:

    ClassScore("ip2", 4) - ClassScore("ip2", 9)     why a 4 and no 9
    2 * Channels("conv2", 7)                        a channel's mean, twice
    Like(image="dog.jpg", at="features")            the cosine with another image's embedding
"""

from onnxray.objectives.class_score import ClassScore
from onnxray.objectives.likeness import Direction, Similarity
from onnxray.objectives.objective import Objective, Sum
from onnxray.objectives.parts_of_values import Channels, Element, Part, Product, RegionScore
from onnxray.objectives.targets import Like

__all__ = [
    "Channels", "ClassScore", "Direction", "Element", "Like", "Objective", "Part", "Product", "RegionScore",
    "Similarity", "Sum",
]  # fmt: skip
