"""captum, foolbox and pytorch-grad-cam on ``onnxray.to_torch``: the same as on the network itself.

What each of them needs of the module:

- ``trainable`` may stay False for all of them: none reads the weights' gradients. captum and foolbox make the input
  require its gradient themselves.
- pytorch-grad-cam reads the gradient of a layer's activation: with frozen weights nothing has one, unless the input
  requires it. Give it an input with ``requires_grad=True``, or convert with ``trainable=True``.
- guided backpropagation and the like look for nn.ReLU, which Relu is.
"""

import copy
import importlib.util
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

import onnxray
from support import exporting

SIDE, CLASSES = 20, 6


def needs(*packages: str) -> pytest.MarkDecorator:
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


def native() -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 8, 3, padding=1), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(8, 12, 3, padding=1), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2), flat=nn.Flatten(),
            fc1=nn.Linear(12 * 25, 16), relu3=nn.ReLU(), fc2=nn.Linear(16, CLASSES),
        )
    )  # fmt: skip
    for layer in net:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    return net.eval()


OPERATORS = {
    "conv": ("Conv", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}), "relu": ("Relu", {}), "flat": ("Flatten", {}),
    "pool": ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}), "fc": ("Gemm", {"transB": 1}),
}  # fmt: skip


def as_onnx(net: nn.Sequential, batch: str | int = "N") -> onnx.ModelProto:
    """The same network, which begins with a convolution, node by node; a value is called what the layer is called."""
    nodes, value = [], "image"
    channels = next(net.parameters()).shape[1]
    for name, _ in net.named_children():
        operator, attributes = OPERATORS[name.rstrip("0123456789")]
        weights = [f"{name}.{part}" for part in ("weight", "bias")] if operator in {"Conv", "Gemm"} else []
        nodes.append(helper.make_node(operator, [value, *weights], [name], name=name, **attributes))
        value = name
    weights = [numpy_helper.from_array(p.detach().numpy(), name) for name, p in net.named_parameters()]
    ends = [
        helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [batch, channels, SIDE, SIDE]),
        helper.make_tensor_value_info(value, onnx.TensorProto.FLOAT, [batch, CLASSES]),
    ]
    graph = helper.make_graph(nodes, "peers", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def net() -> nn.Sequential:
    return native()


@pytest.fixture(params=["N", 1], ids=["free batch", "batch 1"])
def ours(net: nn.Sequential, tmp_path: Path, request: pytest.FixtureRequest) -> nn.Module:
    path = tmp_path / "net.onnx"
    onnx.save(as_onnx(net, request.param), path)
    return onnxray.to_torch(path)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


TARGETS = torch.tensor([0, 3, 5])


def same(ours: torch.Tensor | np.ndarray, theirs: torch.Tensor | np.ndarray) -> None:
    found, expected = (np.asarray(torch.as_tensor(side).detach()) for side in (ours, theirs))
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


@pytest.fixture(autouse=True)
def quiet():
    """Their warnings are not ours: of hooks, of inputs whose gradient they switch on, of old names in scipy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@needs("captum")
class TestCaptum:
    @pytest.mark.parametrize("method", ["Saliency", "InputXGradient", "Deconvolution", "GuidedBackprop"])
    def test_gradients(self, method, net, ours, images):
        import captum.attr

        make = getattr(captum.attr, method)
        same(make(ours).attribute(images, target=TARGETS), make(net).attribute(images, target=TARGETS))

    def test_integrated_gradients_and_their_completeness(self, net, ours, images):
        from captum.attr import IntegratedGradients

        found, delta = IntegratedGradients(ours).attribute(
            images, target=TARGETS, n_steps=64, return_convergence_delta=True
        )
        same(found, IntegratedGradients(net).attribute(images, target=TARGETS, n_steps=64))
        gained = (net(images) - net(torch.zeros_like(images))).gather(1, TARGETS[:, None])[:, 0]
        torch.testing.assert_close(found.sum((1, 2, 3)) - gained, delta.float(), rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("layer", ["conv2", "relu2"])
    def test_layer_grad_cam_on_the_layer_of_a_value(self, layer, net, ours, images):
        from captum.attr import LayerGradCam

        found = LayerGradCam(ours, ours.layer(layer)).attribute(images, target=TARGETS)
        same(found, LayerGradCam(net, net.get_submodule(layer)).attribute(images, target=TARGETS))

    def test_layer_activation_and_deep_lift(self, net, ours, images):
        from captum.attr import DeepLift, LayerActivation

        same(LayerActivation(ours, ours.layer("pool2")).attribute(images), net[:6](images))
        same(DeepLift(ours).attribute(images, target=TARGETS), DeepLift(net).attribute(images, target=TARGETS))


@needs("foolbox", "eagerpy", "git", "requests")  # tests/packages.txt installs foolbox alone
class TestFoolbox:
    @pytest.mark.parametrize("attack", ["LinfPGD", "L2PGD", "LinfFastGradientAttack", "L2DeepFoolAttack"])
    def test_attacks(self, attack, net, ours, images):
        import foolbox

        labels = net(images).argmax(1)
        results = []
        for module in (ours, net):
            model = foolbox.PyTorchModel(module, bounds=(0, 1), device="cpu")
            options = {} if "Deep" in attack or "Fast" in attack else {"steps": 8, "random_start": False}
            make = getattr(foolbox.attacks, attack)(**options)
            results.append(make(model, images, labels, epsilons=[0.1 if "Linf" in attack else 1]))
        (_, found, found_success), (_, expected, success) = results
        assert success.any()
        assert torch.equal(found_success, success)
        same(found[0] - images, expected[0] - images)


@needs("pytorch_grad_cam")
class TestGradCam:
    @pytest.fixture(autouse=True)
    def torchvision(self):
        """It imports torchvision, whose binary need not fit."""
        exporting.allow_torchvision()

    @staticmethod
    def cam(module: nn.Module, layer: nn.Module, images: torch.Tensor, method: str = "GradCAM") -> np.ndarray:
        import pytorch_grad_cam
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        with getattr(pytorch_grad_cam, method)(model=module, target_layers=[layer]) as explain:
            return explain(images, targets=[ClassifierOutputTarget(int(target)) for target in TARGETS])

    @pytest.mark.parametrize("method", ["GradCAM", "GradCAMPlusPlus", "LayerCAM", "HiResCAM"])
    def test_maps_where_the_input_requires_a_gradient(self, method, net, ours, images):
        found = self.cam(ours, ours.layer("relu2"), images.clone().requires_grad_(), method)
        same(found, self.cam(net, net.relu2, images.clone(), method))

    def test_frozen_module_and_frozen_input_leave_it_without_a_gradient(self, net, ours, images):
        for module, layer in ((ours, ours.layer("relu2")), (frozen := copy.deepcopy(net), frozen.relu2)):
            module.requires_grad_(False)
            with pytest.raises((IndexError, RuntimeError, TypeError, ValueError, AttributeError)):
                self.cam(module, layer, images.clone())

    def test_maps_of_a_trainable_module(self, net, images):
        ours = onnxray.to_torch(as_onnx(net), trainable=True)
        same(self.cam(ours, ours.layer("relu2"), images.clone()), self.cam(net, net.relu2, images.clone()))

    def test_guided_backpropagation(self, net, ours, images):
        from pytorch_grad_cam import GuidedBackpropReLUModel

        results = []
        for module in (ours, net):
            explain = GuidedBackpropReLUModel(model=copy.deepcopy(module), device="cpu")
            results.append(explain(images[:1].clone(), target_category=3))
        same(*results)
