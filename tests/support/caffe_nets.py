"""Small whole nets of Caffe with random weights: prototxt, and layer name -> blobs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from support.caffe_files import inputs, layer

Net = tuple[str, dict[str, list[NDArray[np.float32]]]]


def _numbers(seed: int, *shape: int) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).standard_normal(shape) / 3).astype(np.float32)


def small() -> Net:
    """A convolution, an in-place ReLU, a pooling, two inner products with Dropout in place, and a Softmax."""
    text = (
        'name: "small"\n' + inputs(data=(1, 1, 8, 8))
        + layer("Convolution", "conv1", ["data"], convolution_param={"num_output": 3, "kernel_size": 3})
        + layer("ReLU", "relu1", ["conv1"], ["conv1"])
        + layer("Pooling", "pool1", ["conv1"], pooling_param={"pool": "MAX", "kernel_size": 2, "stride": 2})
        + layer("InnerProduct", "ip1", ["pool1"], inner_product_param={"num_output": 6})
        + layer("ReLU", "relu2", ["ip1"], ["ip1"]) + layer("Dropout", "drop2", ["ip1"], ["ip1"])
        + layer("InnerProduct", "ip2", ["ip1"], inner_product_param={"num_output": 4})
        + layer("Softmax", "prob", ["ip2"])
    )  # fmt: skip
    weights = {
        "conv1": [_numbers(1, 3, 1, 3, 3), _numbers(2, 3)], "ip1": [_numbers(3, 6, 27), _numbers(4, 6)],
        "ip2": [_numbers(5, 4, 6), _numbers(6, 4)],
    }  # fmt: skip
    return text, weights


def old() -> Net:
    """The same in V1's words, with the input beside the layers."""
    text = """name: "small"
input: "data" input_dim: 1 input_dim: 1 input_dim: 8 input_dim: 8
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" blobs_lr: 1 blobs_lr: 2
  convolution_param { num_output: 3 kernel_size: 3 } }
layers { name: "relu1" type: RELU bottom: "conv1" top: "conv1" }
layers { name: "pool1" type: POOLING bottom: "conv1" top: "pool1" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layers { name: "ip1" type: INNER_PRODUCT bottom: "pool1" top: "ip1" inner_product_param { num_output: 6 } }
layers { name: "relu2" type: RELU bottom: "ip1" top: "ip1" }
layers { name: "drop2" type: DROPOUT bottom: "ip1" top: "ip1" dropout_param { dropout_ratio: 0.5 } }
layers { name: "ip2" type: INNER_PRODUCT bottom: "ip1" top: "ip2" inner_product_param { num_output: 4 } }
layers { name: "prob" type: SOFTMAX bottom: "ip2" top: "prob" }
"""
    return text, small()[1]


def oldest() -> Net:
    """The same in V0's words, with a padding layer that pads by nothing."""
    text = """name: "small"
input: "data" input_dim: 1 input_dim: 1 input_dim: 8 input_dim: 8
layers { layer { name: "pad1" type: "padding" pad: 0 } bottom: "data" top: "pad1" }
layers { layer { name: "conv1" type: "conv" num_output: 3 kernelsize: 3 } bottom: "pad1" top: "conv1" }
layers { layer { name: "relu1" type: "relu" } bottom: "conv1" top: "conv1" }
layers { layer { name: "pool1" type: "pool" pool: MAX kernelsize: 2 stride: 2 } bottom: "conv1" top: "pool1" }
layers { layer { name: "ip1" type: "innerproduct" num_output: 6 } bottom: "pool1" top: "ip1" }
layers { layer { name: "relu2" type: "relu" } bottom: "ip1" top: "ip1" }
layers { layer { name: "drop2" type: "dropout" dropout_ratio: 0.5 } bottom: "ip1" top: "ip1" }
layers { layer { name: "ip2" type: "innerproduct" num_output: 4 } bottom: "ip1" top: "ip2" }
layers { layer { name: "prob" type: "softmax" } bottom: "ip2" top: "prob" }
"""
    return text, small()[1]


def training() -> Net:
    """The same as it is trained: two data layers, a label, a loss, an accuracy, and the profile in transform_param."""
    text = (
        layer("Data", "mnist", [], ["data", "label"], include={"phase": "TRAIN"}, transform_param={"scale": 0.5})
        + layer("Data", "mnist", [], ["data", "label"], include={"phase": "TEST"}, data_param={"batch_size": 100},
                transform_param={"scale": 0.00390625, "crop_size": 8, "mean_value": 33.0})
        + "".join(f"layer{part}" for part in small()[0].split("layer")[2:-1])
        + layer("Accuracy", "accuracy", ["ip2", "label"], include={"phase": "TEST"})
        + layer("SoftmaxWithLoss", "loss", ["ip2", "label"])
    )  # fmt: skip
    return text, small()[1]
