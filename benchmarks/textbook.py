"""What people write: the two plain training loops that `bench_trainer.py` compares ours with.

Both make the network of Section 4.3 from stock layers, in PyTorch's default memory layout, and take
the optimizers as they are.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from hia import cnn
from hia.datasets import Dataset as Images


def network(config: Mapping[str, Any], channels: int, size: int, classes: int) -> nn.Module:
    """The CNN as a stack of stock layers: convolution, ReLU, pooling, and so on."""
    layers: list[nn.Module] = []
    parts = cnn.blocks(config, channels, size)
    for block in parts:
        if block.fill:
            before = block.fill // 2
            layers.append(nn.ZeroPad2d((before, block.fill - before) * 2))
        shape = block.channels_in, block.channels_out, config["kernel"]
        layers += [nn.Conv2d(*shape, config["stride"], config["padding"]), nn.ReLU()]
        if block.pooled:
            layers.append(nn.MaxPool2d(2))
    features = parts[-1].channels_out * parts[-1].size_out ** 2
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Dropout(config["dropout_rate"]),
        nn.Linear(features, config["num_fc_units"]),
        nn.ReLU(),
        nn.Dropout(config["dropout_rate"]),
        nn.Linear(config["num_fc_units"], classes),
    )


class Pictures(Dataset):
    """A torchvision-style data set: (H, W, C) bytes in, a transformed image and its label out."""

    def __init__(self, images: np.ndarray, labels: Tensor, transform: Any) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), int(self.labels[index])


def with_loader(config: Mapping[str, Any], data: Images, pixels: np.ndarray, seed: int) -> float:
    """Dataset, ToTensor, Normalize, DataLoader with shuffle, `.item()` at every step.

    pixels: the training images as bytes, (n, H, W, C). Returns the last validation accuracy.
    """
    torch.manual_seed(seed)
    model = network(config, data.channels, data.size, data.n_classes)
    half = [0.5] * data.channels
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(half, half)])
    loader = DataLoader(
        Pictures(pixels, data.train_labels, transform), config["batch_size"], shuffle=True
    )
    optimizer = _optimizer(model, config)
    for _ in range(config["epoch"]):
        _train_epoch(model, optimizer, loader)
    return _accuracy(model, data)


def in_memory(
    config: Mapping[str, Any], data: Images, seed: int
) -> tuple[list[float], list[float]]:
    """The same loop on tensors that are already in memory, with our order of the images. Returns
    the validation accuracy and the mean training loss of every epoch."""
    torch.manual_seed(seed)
    model = network(config, data.channels, data.size, data.n_classes)
    order = torch.Generator().manual_seed(seed)
    images_in = data.train_images.contiguous()
    optimizer = _optimizer(model, config)
    accuracies, losses = [], []
    for _ in range(config["epoch"]):
        permutation = torch.randperm(len(data.train_labels), generator=order)
        parts = permutation.split(config["batch_size"])
        batches = ((images_in[rows], data.train_labels[rows]) for rows in parts)
        losses.append(_train_epoch(model, optimizer, batches))
        accuracies.append(_accuracy(model, data))
    return accuracies, losses


def _train_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, batches: Iterable[Any]
) -> float:
    """The mean training loss."""
    model.train()
    total, n = 0.0, 0
    for images, labels in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        total, n = total + loss.item() * len(labels), n + len(labels)
    return total / n


def _optimizer(model: nn.Module, config: Mapping[str, Any]) -> torch.optim.Optimizer:
    return getattr(torch.optim, config["optimizer"])(model.parameters(), lr=config["lr"])


def _accuracy(model: nn.Module, data: Images) -> float:
    model.eval()
    with torch.no_grad():
        predicted = model(data.val_images.contiguous()).argmax(1)
    return (predicted == data.val_labels).double().mean().item()
