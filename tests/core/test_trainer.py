"""hia.trainer: it trains, does what a plain loop does, and gives the same bits every time."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
import textbook
import torch
from rows import CONFIG
from torch import nn

from hia import cnn, datasets, trainer


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def few():
    """200 training and 50 validation images: the last batch is a small one."""
    return datasets.load("digits", max_images=250)


def same(first: trainer.Result, second: trainer.Result) -> bool:
    """Equal to the last bit in everything but the time."""
    no_time = {"seconds": 0.0, "cpu_seconds": 0.0}
    return replace(first, **no_time) == replace(second, **no_time)


def test_a_cnn_learns_the_digits(digits):
    result = trainer.train(CONFIG | {"epoch": 4}, digits, seed=0)
    assert result.accuracy > 0.9  # chance is 0.1
    assert result.accuracy_per_epoch[0] < result.accuracy == result.accuracy_per_epoch[-1]
    assert result.loss_per_epoch[-1] < 0.5 * result.loss_per_epoch[0] < math.log(10)
    assert len(result.accuracy_per_epoch) == len(result.loss_per_epoch) == 4
    assert not result.diverged
    assert result.seconds > 0
    assert result.flops == cnn.flops(CONFIG, 1, 8, 10)
    first = 16 * (9 + 1) + 20 * (16 * 9 + 1)
    assert result.parameters == first + 64 * (20 * 2 * 2 + 1) + 10 * (64 + 1)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        CONFIG | {"optimizer": "SGD", "lr": 0.05},
        CONFIG | {"num_filters_1": 5, "num_filters_2": 7, "batch_size": 256, "lr": 1e-2},
        CONFIG | {"num_conv_layers": 3},
        CONFIG | {"num_conv_layers": 1, "stride": 2, "optimizer": "SGD", "lr": 1e-2},
    ],
    ids=["adam", "sgd", "few filters", "three layers", "stride"],
)
def test_it_is_the_textbook_loop(few, config):
    config = config | {"dropout_rate": 0.0}
    result = trainer.train(config, few, seed=5)
    with torch.random.fork_rng():
        accuracies, losses = textbook.in_memory(config, few, seed=5)
    assert result.loss_per_epoch == pytest.approx(losses, rel=1e-3)
    one_image = 1 / len(few.val_labels)
    assert result.accuracy_per_epoch == pytest.approx(accuracies, abs=1.5 * one_image)


@pytest.mark.parametrize("part", [1, 7])
def test_batches_in_parts_give_the_same_training(monkeypatch, few, part):
    config = CONFIG | {"dropout_rate": 0.0, "optimizer": "SGD", "lr": 0.05, "epoch": 2}
    whole = trainer.train(config, few, seed=2)
    sizes: list[int] = []
    forward = cnn.CNN.forward
    monkeypatch.setattr(
        cnn.CNN, "forward", lambda self, x: sizes.append(len(x)) or forward(self, x)
    )
    monkeypatch.setattr(trainer, "PART_BYTES", part * 4 * 16 * 4**2)  # 16 pooled maps of 4 x 4
    parts = trainer.train(config, few, seed=2)
    assert max(sizes) == part
    assert sum(sizes) == 2 * (len(few.train_labels) + len(few.val_labels))
    assert parts.loss_per_epoch == pytest.approx(whole.loss_per_epoch, rel=1e-4)
    assert parts.accuracy_per_epoch == pytest.approx(whole.accuracy_per_epoch, abs=0.03)


def test_same_seed_same_bits_other_seed_others(few):
    first = trainer.train(CONFIG, few, seed=3)
    assert same(first, trainer.train(CONFIG, few, seed=3))
    assert not same(first, trainer.train(CONFIG, few, seed=4))


@pytest.mark.parametrize("number", [1, 2])
def test_threads_and_random_states_do_not_matter_and_are_left_alone(few, number):
    before = torch.get_num_threads()
    expected = trainer.train(CONFIG, few, seed=3)
    torch.set_num_threads(number)
    torch.manual_seed(number)
    random.seed(number)
    states = torch.get_rng_state(), random.getstate(), torch.backends.cudnn.benchmark
    numpy_state = np.random.get_state()  # noqa: NPY002 - the global state is what is checked
    assert same(trainer.train(CONFIG, few, seed=3), expected)

    def fail(epoch: int, accuracy: float) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train(CONFIG, few, seed=3, on_epoch=fail)
    assert torch.get_num_threads() == number
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), torch.backends.cudnn.benchmark) == states[1:]
    assert str(np.random.get_state()) == str(numpy_state)  # noqa: NPY002
    torch.set_num_threads(before)


@pytest.mark.parametrize("last", [1, 2])
def test_on_epoch_sees_every_epoch_and_may_stop(few, last):
    whole = trainer.train(CONFIG, few, seed=6)
    seen: list[tuple[int, float]] = []

    def on_epoch(epoch: int, accuracy: float) -> bool:
        seen.append((epoch, accuracy))
        return epoch == last

    stopped = trainer.train(CONFIG, few, seed=6, on_epoch=on_epoch)
    assert stopped.accuracy_per_epoch == whole.accuracy_per_epoch[:last]
    assert stopped.loss_per_epoch == whole.loss_per_epoch[:last]
    assert seen == list(enumerate(stopped.accuracy_per_epoch, start=1))
    # What lets `hia verify` train a stopped trial again with the epochs it ran.
    short = trainer.train(CONFIG | {"epoch": last}, few, seed=6)
    assert short.accuracy_per_epoch == stopped.accuracy_per_epoch


@pytest.mark.parametrize(("optimizer", "factor"), [("SGD", 1e30), ("Adam", 1e38)])
def test_divergence_is_recorded_not_raised(few, optimizer, factor):
    huge = replace(few, train_images=few.train_images * factor, val_images=few.val_images * factor)
    result = trainer.train(CONFIG | {"optimizer": optimizer, "lr": 0.1}, huge, seed=0)
    assert result.diverged
    assert not all(math.isfinite(loss) for loss in result.loss_per_epoch)
    assert len(result.accuracy_per_epoch) == CONFIG["epoch"]
    assert 0 <= result.accuracy <= 1


def test_channels_have_to_be_the_data_s(few):
    with pytest.raises(ValueError, match=r"in_channel_num: 3 .* digits were loaded with 1"):
        trainer.train(CONFIG | {"in_channel_num": 3}, few, seed=0)
    other = CONFIG | {"in_channel_num": 1, "num_filters_3": None}  # of a layer that is not there
    assert same(trainer.train(other, few, seed=0), trainer.train(CONFIG, few, seed=0))
    colour = datasets.load("digits", max_images=200, channels=3)
    result = trainer.train(CONFIG | {"in_channel_num": 3}, colour, seed=0)
    assert result.flops == cnn.flops(CONFIG, 3, 8, 10)
    with pytest.raises(ValueError, match=r"^epoch: 11 is not a value"):
        trainer.train(CONFIG | {"epoch": 11}, few, seed=0)


def test_a_precision_that_is_not_there_is_refused(monkeypatch, few):
    with pytest.raises(ValueError, match="'fp8' is not one of float32, bf16"):
        trainer.train(CONFIG, few, seed=0, precision="fp8")
    monkeypatch.setattr(trainer, "_has_bf16", lambda device: False)
    with pytest.raises(ValueError, match="this cpu has no instructions for bf16; use float32"):
        trainer.train(CONFIG, few, seed=0, precision="bf16")


@pytest.mark.slow
def test_bf16_learns_nearly_the_same(monkeypatch, few):
    """PyTorch computes bfloat16 everywhere, in software where there are no instructions."""
    monkeypatch.setattr(trainer, "_has_bf16", lambda device: True)
    half, again = (trainer.train(CONFIG, few, seed=5, precision="bf16") for _ in range(2))
    single = trainer.train(CONFIG, few, seed=5)
    assert half.loss_per_epoch != single.loss_per_epoch
    assert half.loss_per_epoch == pytest.approx(single.loss_per_epoch, rel=0.02)
    assert same(half, again)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_optimizer_is_pytorch_s(kind):
    """The same bits as torch.optim's fused optimizers, over several steps."""
    config = CONFIG | {"optimizer": kind, "lr": 0.01}
    networks = [nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 3)) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    ours = trainer._stepper(list(networks[0].parameters()), config)
    theirs = getattr(torch.optim, kind)(networks[1].parameters(), lr=0.01, fused=True).step
    for seed in range(5):
        torch.manual_seed(seed)
        x = torch.randn(4, 5)
        for network, step in zip(networks, (ours, theirs), strict=True):
            network.zero_grad()
            network(x).square().sum().backward()
            step()
    for mine, other in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert torch.equal(mine, other)


def test_devices(monkeypatch):
    assert trainer.resolve_device("cpu") == "cpu"
    with pytest.raises(ValueError, match="'gpu' is not one of auto, cpu, cuda"):
        trainer.resolve_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert trainer.resolve_device("auto") == "cpu"
    with pytest.raises(ValueError, match="finds no GPU here; use cpu"):
        trainer.resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert trainer.resolve_device("auto") == trainer.resolve_device("cuda") == "cuda"


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_gpu_trains_as_the_processor_does_and_gives_the_same_bits_again(digits):
    config = CONFIG | {"dropout_rate": 0.0}  # dropout draws other numbers there
    on_gpu = datasets.load("digits", device="cuda")
    torch.testing.assert_close(on_gpu.train_images.cpu(), digits.train_images)
    assert torch.equal(on_gpu.val_labels.cpu(), digits.val_labels)
    state = torch.cuda.get_rng_state()
    result = trainer.train(config, on_gpu, seed=5)
    expected = trainer.train(config, digits, seed=5)
    assert result.loss_per_epoch == pytest.approx(expected.loss_per_epoch, rel=0.02)
    assert result.accuracy_per_epoch == pytest.approx(expected.accuracy_per_epoch, abs=0.02)
    assert torch.equal(torch.cuda.get_rng_state(), state)
    first = trainer.train(CONFIG, on_gpu, seed=3)
    torch.cuda.manual_seed(99)
    assert same(first, trainer.train(CONFIG, on_gpu, seed=3))
    assert not same(first, trainer.train(CONFIG, on_gpu, seed=4))
