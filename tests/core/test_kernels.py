"""hia.cpu: the compiled kernels give PyTorch's numbers, and PyTorch does where they cannot."""

import itertools
import shutil
import sys

import pytest
import torch
import torch.nn.functional as F

from hia.cpu import kernels
from hia.study import processes

# The corners of Table 1, and what lies between the widths of vectors.
FILTERS = (4, 7, 9, 16, 17, 33, 40, 57, 64)
CHANNELS = (1, 3, 5, 16, 64)
GEOMETRIES = list(itertools.product((2, 3), (1, 2), (0, 1)))  # kernel, stride, padding
needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None or sys.platform == "win32", reason="there is no C compiler"
)


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Nothing compiled yet, and an empty cache directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kernels._library.cache_clear()
    yield tmp_path
    kernels._library.cache_clear()


def plain(x, weight, bias, stride, padding, fill):
    x = F.pad(x, (fill // 2, fill - fill // 2) * 2)
    return F.relu(F.max_pool2d(F.conv2d(x, weight, bias, stride=stride, padding=padding), 2))


def draw(n, channels, filters, size, kernel, whole=False):
    """Images or maps, weights and biases; whole: small integers, whose sums are exact."""
    shapes = (n, channels, size, size), (filters, channels, kernel, kernel), (filters,)
    if whole:
        return [torch.randint(-2, 3, shape).float() for shape in shapes]
    x, weight, bias = (torch.randn(shape) for shape in shapes)
    return x, weight / (channels * kernel**2) ** 0.5, bias / 4


def both_ways(function, x, weight, bias, *geometry, grad=None):
    """The result, and the gradients of a fixed sum of it; None for images."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in (x, weight, bias)]
    leaves[0].requires_grad_(x.shape[1] > 3)
    y = function(*leaves, *geometry)
    torch.manual_seed(len(x))
    y.backward(torch.randint(-3, 4, y.shape).float() if grad is None else grad)
    return [y.detach(), *(leaf.grad for leaf in leaves)]


def assert_as_in_pytorch(case, *geometry, tolerance=0.0, grad=None):
    for mine, other in zip(
        *(both_ways(one, *case, *geometry, grad=grad) for one in (kernels.conv_pool_relu, plain)),
        strict=True,
    ):
        assert (mine is None) == (other is None)
        if mine is not None:
            torch.testing.assert_close(mine, other, atol=tolerance, rtol=tolerance)


def compiled_calls(monkeypatch) -> list:
    """Counts the calls of the compiled kernels."""
    calls: list[str] = []
    call = kernels._call
    monkeypatch.setattr(
        kernels, "_call", lambda name, *rest: calls.append(name) or call(name, *rest)
    )
    return calls


def convolved(size, kernel, stride, padding, fill=0):
    return (size + 2 * padding + fill - kernel) // stride + 1


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("filters", FILTERS)
def test_kernel_is_exact_where_sums_are(monkeypatch, channels, filters):
    """Integers leave nothing to round, and many of them tie: all has to be equal."""
    calls = compiled_calls(monkeypatch)
    torch.manual_seed(filters)
    done = 0
    for kernel, stride, padding in GEOMETRIES:
        size = 5 if (channels + filters + kernel) % 2 else 8
        if convolved(size, kernel, stride, padding) >= 2:
            case = draw(3, channels, filters, size, kernel, whole=True)
            assert_as_in_pytorch(case, stride, padding, 0)
            done += 1
    assert calls == ["block_forward", "block_backward"] * done


@needs_compiler
@pytest.mark.parametrize("size", [2, 3, 4, 7, 16, 33, 50])
def test_kernel_is_pytorch_s_up_to_rounding(size):
    torch.manual_seed(size)
    for (kernel, stride, padding), channels in itertools.product(GEOMETRIES, (1, 3, 9, 64)):
        if convolved(size, kernel, stride, padding) >= 2:
            case = draw(2, channels, 34, size, kernel)
            assert_as_in_pytorch(case, stride, padding, 0, tolerance=2e-4)


@needs_compiler
@pytest.mark.parametrize(("n", "fill"), [(1, 0), (2, 1), (5, 2), (2, 3), (70, 0), (300, 0)])
def test_small_maps_of_many_images_and_zeros_beyond_the_padding(n, fill):
    """Small maps are worked on together. Table 1 fills only maps that become one pixel."""
    torch.manual_seed(n)
    assert_as_in_pytorch(draw(n, 12, 10, 4, 3, whole=True), 1, 1, fill)


@needs_compiler
def test_views_odd_gradients_and_no_images_at_all():
    torch.manual_seed(0)
    x, weight, bias = draw(4, 12, 10, 8, 3, whole=True)
    for view in (x[::2], x.transpose(2, 3), x[:, :, 1:7, 1:7], x[:0]):
        windows = convolved(view.shape[2], 3, 1, 1) // 2
        wide = torch.randint(-2, 3, (len(view), 10, windows, 2 * windows)).float()[..., ::2]
        for grad in (wide, torch.ones(()).expand(len(view), 10, windows, windows)):
            assert_as_in_pytorch((view, weight, bias), 1, 1, 0, grad=grad)


@needs_compiler
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e38, 1e-42])
def test_what_diverges_diverges_as_in_pytorch(value):
    torch.manual_seed(0)
    x, weight, bias = draw(2, 8, 16, 6, 3)
    x[0, 3, 2, 2] = value
    ours, theirs = kernels.conv_pool_relu(x, weight, bias, 1, 1, 0), plain(x, weight, bias, 1, 1, 0)
    assert torch.equal(ours.isnan(), theirs.isnan())
    torch.testing.assert_close(ours, theirs, equal_nan=True, atol=1e-5, rtol=1e-4)


@needs_compiler
def test_the_same_call_gives_the_same_bits_and_leaves_its_arguments_alone():
    torch.manual_seed(0)
    case = draw(5, 20, 30, 9, 3)
    copies = [tensor.clone() for tensor in case]
    first = both_ways(kernels.conv_pool_relu, *case, 1, 1, 0)
    both_ways(kernels.conv_pool_relu, *draw(7, 64, 64, 30, 3), 1, 1, 0)  # other scratch memory
    again = both_ways(kernels.conv_pool_relu, *case, 1, 1, 0)
    for one, other in [*zip(first, again, strict=True), *zip(case, copies, strict=True)]:
        assert torch.equal(one, other)
    assert again[0].is_contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        assert torch.equal(kernels.conv_pool_relu(*case, 1, 1, 0), first[0])


@needs_compiler
@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_drops_the_rate(rate):
    torch.manual_seed(0)
    n = 200_003  # not a whole number of vectors
    x = torch.rand(n) + 1
    y = kernels.dropout(x, rate, training=True)
    kept = y != 0
    torch.testing.assert_close(y[kept], x[kept] / (1 - rate))
    deviation = (rate * (1 - rate) / n) ** 0.5
    assert abs(float(kept.float().mean()) - (1 - rate)) < 5 * deviation
    # Neighbours are dropped independently, those in the same place of the next vector too.
    for lag in (1, 16, 64):
        together = float((kept[lag:] & kept[:-lag]).float().mean())
        assert abs(together - (1 - rate) ** 2) < 8 * deviation


@needs_compiler
def test_the_gradient_passes_where_the_value_did():
    x = (torch.rand(7, 31) + 1).requires_grad_()
    y = kernels.dropout(x, 0.4, training=True)
    y.backward(torch.full_like(y, 2.0))
    torch.testing.assert_close(x.grad, 2 * (y.detach() != 0) / 0.6)


def test_dropout_follows_the_seed_and_does_nothing_without_a_rate_or_training():
    x = torch.rand(50, 40)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(kernels.dropout(x, 0.5, training=True))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[2], kernels.dropout(x, 0.5, training=True))
    assert kernels.dropout(x, 0.0, training=True) is x
    assert kernels.dropout(x, 0.5, training=False) is x


def test_what_the_kernels_are_not_written_for_goes_to_pytorch(monkeypatch):
    calls = compiled_calls(monkeypatch)
    for channels, filters, kernel in ((2, 8, 3), (65, 8, 3), (8, 65, 3), (8, 8, 4)):
        assert_as_in_pytorch(draw(2, channels, filters, 8, kernel), 1, 1, 0)
    assert_as_in_pytorch([tensor.double() for tensor in draw(2, 8, 8, 8, 3)], 1, 1, 0)
    images, weight, bias = draw(2, 3, 8, 8, 3)  # images that need a gradient do, too
    kernels.conv_pool_relu(images.requires_grad_(), weight, bias, 1, 1, 0).sum().backward()
    assert images.grad.abs().sum() > 0
    with torch.autocast("cpu", torch.bfloat16):
        assert kernels.conv_pool_relu(*draw(2, 8, 8, 8, 3), 1, 1, 0).dtype == torch.bfloat16
    assert not calls


# Programs called `cc`, in a cache that can be written.
BROKEN = {
    "fails": "#!/bin/sh\nexit 1\n",
    "not a program": "\x7fnot a program",
    "writes nothing": "#!/bin/sh\nexit 0\n",
    "writes nonsense": '#!/bin/sh\nfor last; do :; done\necho nonsense > "$last"\n',
}


@pytest.mark.skipif(sys.platform == "win32", reason="the compilers are shell scripts")
@pytest.mark.parametrize("fault", ["no compiler", "no cache", *BROKEN])
def test_without_a_working_compiler_pytorch_does_it(monkeypatch, fresh, fault):
    if fault == "no cache":
        (fresh / "cache").write_text("a file where the folder should be")
    else:
        compiler = fresh / "cc"
        compiler.write_text(BROKEN.get(fault, ""), encoding="utf-8")
        compiler.chmod(0o755)
        found = None if fault == "no compiler" else str(compiler)
        monkeypatch.setattr(shutil, "which", lambda name: found)
    calls = compiled_calls(monkeypatch)
    assert kernels.describe() == "pytorch"
    assert processes.describe_processor("cpu").endswith(", PyTorch's kernels")
    case = draw(2, 8, 9, 7, 3)
    assert torch.equal(kernels.conv_pool_relu(*case, 1, 0, 0), plain(*case, 1, 0, 0))
    x = torch.ones(1000)
    dropped = kernels.dropout(x, 0.5, training=True)
    assert 400 < int((dropped == 0).sum()) < 600
    assert not calls


@pytest.mark.slow
@needs_compiler
def test_it_is_compiled_once_and_nothing_else_is_left(fresh):
    assert kernels.describe() == "compiled"
    assert "kernels" not in processes.describe_processor("cpu")
    (built,) = (fresh / "cache" / "hia").iterdir()
    assert built.suffix == ".so"
    before = built.stat().st_mtime_ns
    kernels._library.cache_clear()
    assert kernels._library() is not None
    assert [built] == list((fresh / "cache" / "hia").iterdir())
    assert built.stat().st_mtime_ns == before
