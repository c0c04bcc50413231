"""A peer's view of a native network: pixels in, as onnxray's profile encodes them."""

import torch
from torch import nn

from onnxray.images.profile.profile import Profile


class Behind(nn.Module):
    """A network that takes pixels."""

    def __init__(self, net: nn.Module, profile: Profile) -> None:
        super().__init__()
        self.net, self.profile = net, profile

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.net(self.profile.encode(pixels))
