"""What people write: the two plain training loops that `bench_trainer.py` compares ours with.

Both make the network of Section 4.3 from stock layers, in PyTorch's default memory layout, and take
the optimizers as they are.
"""

from collections.abc import Callable, Iterable, Mapping
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
    half = [0.5] * data.channels
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(half, half)])
    pictures = Pictures(pixels, data.train_labels, transform)
    loader = DataLoader(pictures, config["batch_size"], shuffle=True)
    return _train(config, data, seed, lambda: loader)[0][-1]


def in_memory(
    config: Mapping[str, Any], data: Images, seed: int
) -> tuple[list[float], list[float]]:
    """The same loop on tensors that are already in memory, with our order of the images.

    Returns the validation accuracy and the mean training loss of every epoch.
    """
    order = torch.Generator().manual_seed(seed)
    images, labels = data.train_images.contiguous(), data.train_labels

    def batches() -> Iterable[Any]:
        permutation = torch.randperm(len(labels), generator=order)
        return ((images[rows], labels[rows]) for rows in permutation.split(config["batch_size"]))

    return _train(config, data, seed, batches)


def _train(
    config: Mapping[str, Any], data: Images, seed: int, batches: Callable[[], Iterable[Any]]
) -> tuple[list[float], list[float]]:
    torch.manual_seed(seed)
    model = network(config, data.channels, data.size, data.n_classes)
    optimizer = getattr(torch.optim, config["optimizer"])(model.parameters(), lr=config["lr"])
    accuracies, losses = [], []
    for _ in range(config["epoch"]):
        model.train()
        total = 0.0
        for images, labels in batches():
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        losses.append(total / len(data.train_labels))
        model.eval()
        with torch.no_grad():
            predicted = model(data.val_images.contiguous()).argmax(1)
        accuracies.append((predicted == data.val_labels).double().mean().item())
    return accuracies, losses
