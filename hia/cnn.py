"""The convolutional network of the paper (Wang et al. 2024, Section 4.3).

One to three blocks of convolution, ReLU and max-pooling; then twice dropout followed by a fully
connected layer, the first of them followed by a ReLU; then softmax, which is part of the loss.
Kernel size, stride and padding are shared by all convolutions, the dropout rate by both dropouts.

What the paper does not give is ours: pooling is 2 x 2 with stride 2. A map that is smaller than
the kernel, padding included, is padded with zeros up to the kernel's size, so that the convolution
gives one pixel, and a map of one pixel is not pooled; `shrinks` says whether either is needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hia.cpu import kernels

POOL = 2


@dataclass(frozen=True)
class Block:
    """Geometry of one convolutional block; all sizes are the side of a square map, in pixels."""

    channels_in: int
    channels_out: int
    size_in: int
    fill: int  # pixels of zeros added, beyond `padding`, to reach the kernel's size
    size_conv: int
    size_out: int

    @property
    def pooled(self) -> bool:
        return self.size_out != self.size_conv


def blocks(config: Mapping[str, Any], channels: int, size: int) -> list[Block]:
    """The convolutional blocks that a configuration gives on (channels, size, size) images."""
    kernel, stride, padding = config["kernel"], config["stride"], config["padding"]
    result = []
    for layer in range(1, config["num_conv_layers"] + 1):
        out = config[f"num_filters_{layer}"]
        fill = max(0, kernel - (size + 2 * padding))
        conv = (size + 2 * padding + fill - kernel) // stride + 1
        pooled = conv // POOL if conv >= POOL else conv
        result.append(Block(channels, out, size, fill, conv, pooled))
        channels, size = out, pooled
    return result


def shrinks(config: Mapping[str, Any], channels: int, size: int) -> bool:
    """Whether a map is smaller than the kernel or too small to pool somewhere in the network."""
    return any(block.fill or not block.pooled for block in blocks(config, channels, size))


def flops(config: Mapping[str, Any], channels: int, size: int, n_classes: int) -> int:
    """Floating-point operations of one image's forward pass: multiplications and additions of
    convolutions and fully connected layers. Training costs about three times as much per image."""
    kernel, units = int(config["kernel"]), int(config["num_fc_units"])
    parts = blocks(config, channels, size)
    total = 2 * units * (parts[-1].channels_out * parts[-1].size_out ** 2 + n_classes)
    for block in parts:
        total += 2 * block.channels_in * block.channels_out * kernel**2 * block.size_conv**2
    return total


class CNN(nn.Module):
    """The network for one configuration.

    config: as returned by `hia.space.validate`. Input (batch, channels, size, size), output the
    logits (batch, n_classes). Weights are PyTorch's default initialisation, drawn from the global
    generator of the CPU whatever the device, so that a seed means the same network everywhere.
    """

    def __init__(self, config: Mapping[str, Any], channels: int, size: int, n_classes: int) -> None:
        super().__init__()
        self.blocks = blocks(config, channels, size)
        window = config["kernel"], config["stride"], config["padding"]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(block.channels_in, block.channels_out, *window) for block in self.blocks
        )
        last = self.blocks[-1]
        self.dropout_rate = float(config["dropout_rate"])
        self.hidden = nn.Linear(last.channels_out * last.size_out**2, config["num_fc_units"])
        self.output = nn.Linear(config["num_fc_units"], n_classes)
        # The features are flattened as they lie in memory, channels last; the weights that were
        # drawn belong to PyTorch's order, channels first. Row by row: there may be 150 MB of them.
        with torch.no_grad():
            for row in self.hidden.weight:
                row.copy_(row.unflatten(0, (last.channels_out, -1)).t().flatten())

    def forward(self, x: Tensor) -> Tensor:
        for block, convolution in zip(self.blocks, self.convolutions, strict=True):
            x = _block(x, block, convolution)
        x = x.permute(0, 2, 3, 1).flatten(1)
        x = kernels.dropout(x, self.dropout_rate, self.training)
        half = torch.is_autocast_enabled(x.device.type)
        x = F.relu((F.linear if half else _Linear.apply)(x, self.hidden.weight, self.hidden.bias))
        x = kernels.dropout(x, self.dropout_rate, self.training)
        logits: Tensor = self.output(x)
        return logits


class _Linear(torch.autograd.Function):
    """A fully connected layer whose weight's gradient, up to 150 MB, adds up where it is."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        ctx.weight = weight
        return F.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        (x,), weight = ctx.saved_tensors, ctx.weight
        if weight.grad is None:
            return grad @ weight, grad.t() @ x, grad.sum(0)
        weight.grad.addmm_(grad.t(), x)
        return grad @ weight, None, grad.sum(0)


def _block(x: Tensor, block: Block, convolution: nn.Module) -> Tensor:
    """One block: ReLU and max-pooling commute, so the kernel pools first."""
    assert isinstance(convolution, nn.Conv2d)
    weight, bias = convolution.weight, convolution.bias
    assert bias is not None
    padding = int(convolution.padding[0])
    if block.pooled:
        stride = convolution.stride[0]
        return kernels.conv_pool_relu(x, weight, bias, stride, padding, block.fill)
    # A map of one pixel is one product of matrices.
    before, kernel = padding + block.fill // 2, weight.shape[2]
    after = max(0, kernel - before - block.size_in)
    patch = F.pad(x, (before, after, before, after))[..., :kernel, :kernel]
    weights = weight.permute(0, 2, 3, 1).flatten(1)
    return F.relu(F.linear(patch.permute(0, 2, 3, 1).flatten(1), weights, bias))[..., None, None]
