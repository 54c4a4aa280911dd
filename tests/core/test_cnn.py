"""hia.cnn: the network of Section 4.3, its geometry and its cost."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from rows import CONFIG
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hia import cnn, space
from hia.cpu import kernels
from hia.datasets import FACTS

SIZES = sorted({facts.size for facts in FACTS.values()})  # 8 to 96


STRUCTURES = [
    CONFIG | {"num_conv_layers": layers, "stride": stride, "padding": padding, "kernel": kernel}
    for layers, stride, padding, kernel in itertools.product((1, 2, 3), (1, 2), (0, 1), (2, 3))
]


def plain_forward(model: cnn.CNN, images: torch.Tensor) -> torch.Tensor:
    """Convolution, ReLU, pooling in the paper's order, without dropout, by PyTorch's own layers.
    The two rules for maps that shrink to nothing are written out again."""
    x = images
    for convolution in model.convolutions:
        kernel, padding = convolution.kernel_size[0], convolution.padding[0]
        short = kernel - (x.shape[-1] + 2 * padding)
        if short > 0:
            x = F.pad(x, (short // 2, short - short // 2) * 2)
        x = F.relu(convolution(x))
        if x.shape[-1] > 1:
            x = F.max_pool2d(x, 2)
    x = F.relu(model.hidden(x.permute(0, 2, 3, 1).flatten(1)))  # features channels last
    return model.output(x)


@pytest.fixture(params=["compiled", "PyTorch's"])
def kernels_used(request, monkeypatch):
    """Both ways that the blocks and dropout are computed; the first where there is a compiler."""
    if request.param == "PyTorch's":
        monkeypatch.setattr(kernels, "_library", lambda: None)


@pytest.mark.parametrize("size", SIZES)
def test_shrinks_agrees_with_torch(size):
    """Without our rules, PyTorch's own layers fail just where `shrinks` says so."""
    image = torch.zeros(1, 1, size, size, device="meta")
    for config in STRUCTURES:
        layers = []
        channels = 1
        for layer in range(1, config["num_conv_layers"] + 1):
            filters = config[f"num_filters_{layer}"]
            kernel, stride, padding = config["kernel"], config["stride"], config["padding"]
            layers += [nn.Conv2d(channels, filters, kernel, stride, padding), nn.MaxPool2d(2)]
            channels = filters
        plain = nn.Sequential(*layers).to("meta")
        try:
            plain(image)
        except RuntimeError:
            failed = True
        else:
            failed = False
        assert cnn.shrinks(config, 1, size) == failed, config


@pytest.mark.parametrize("size", SIZES)
def test_it_is_the_paper_s_network(kernels_used, size):
    torch.manual_seed(1)
    images = torch.randn(3, 3, size, size).to(memory_format=torch.channels_last)
    for config in STRUCTURES:
        model = cnn.CNN(config, 3, size, 10).to(memory_format=torch.channels_last).eval()
        with torch.no_grad():
            torch.testing.assert_close(model(images), plain_forward(model, images))


def test_gradients_are_the_paper_s_network_s(kernels_used):
    torch.manual_seed(1)
    model = cnn.CNN(CONFIG | {"num_conv_layers": 3, "dropout_rate": 0.0}, 3, 16, 10)
    images, labels = torch.randn(4, 3, 16, 16), torch.arange(4)
    gradients = []
    for forward in (model, lambda x: plain_forward(model, x)):
        model.zero_grad()
        F.cross_entropy(forward(images), labels).backward()
        gradients.append([weight.grad.clone() for weight in model.parameters()])
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain)
        assert ours.abs().max() > 0


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.9])
def test_dropout_comes_before_each_fully_connected_layer(monkeypatch, rate):
    model = cnn.CNN(CONFIG | {"dropout_rate": rate}, 1, 16, 10)
    calls = []
    dropout = kernels.dropout

    def spy(x, rate, training):
        calls.append((tuple(x.shape), rate, training))
        return dropout(x, rate, training)

    monkeypatch.setattr(kernels, "dropout", spy)
    images = torch.randn(2, 1, 16, 16)
    model.train()(images)
    model.eval()(images)
    features = model.hidden.in_features
    assert calls == [
        ((2, features), rate, True),
        ((2, 64), rate, True),
        ((2, features), rate, False),
        ((2, 64), rate, False),
    ]


def test_weights_follow_from_the_seed_and_are_pytorch_s_default():
    torch.manual_seed(7)
    model = cnn.CNN(CONFIG, 3, 32, 10)
    torch.manual_seed(7)
    plain = [nn.Conv2d(3, 16, 3), nn.Conv2d(16, 20, 3)]
    plain += [nn.Linear(model.hidden.in_features, 64), nn.Linear(64, 10)]
    with torch.no_grad():  # the features come channels last, each with the weight drawn for it
        drawn = plain[2].weight.unflatten(1, (20, -1))
        plain[2].weight.copy_(drawn.transpose(1, 2).flatten(1))
    expected = [weight for layer in plain for weight in layer.parameters()]
    for ours, theirs in zip(model.parameters(), expected, strict=True):
        assert torch.equal(ours, theirs)


def counted_flops(config, channels: int, size: int, classes: int) -> int:
    model = cnn.CNN(config, channels, size, classes).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        plain_forward(model, torch.zeros(1, channels, size, size))
    return counter.get_total_flops()


@pytest.mark.parametrize("name", FACTS)
def test_flops_of_random_configurations_are_what_torch_counts(name):
    facts = FACTS[name]
    rng = np.random.default_rng(len(name))
    for _ in range(3):
        config = space.validate(space.sample(rng))
        count = cnn.flops(config, facts.channels, facts.size, facts.classes)
        assert type(count) is int
        assert count == counted_flops(config, facts.channels, facts.size, facts.classes)
