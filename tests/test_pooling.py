"""hia.pooling: the compiled kernel gives PyTorch's numbers, and PyTorch does where it cannot."""

from __future__ import annotations

import shutil
import sys

import pytest
import torch
import torch.nn.functional as F

from hia import pooling

SPECIAL = torch.tensor(
    [-0.0, 0.0, 1.0, 1.0, 2.0, -1.0, float("nan"), float("inf"), -float("inf"), 1e-42, -1e-42]
)
SHAPES = [(3, c, h, w) for c in (8, 9, 15, 16, 17, 33, 64, 70) for h, w in ((2, 2), (5, 3), (8, 9))]
needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None or sys.platform == "win32", reason="there is no C compiler"
)


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Nothing compiled yet, and an empty cache directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pooling._library.cache_clear()
    yield tmp_path
    pooling._library.cache_clear()


def plain(x: torch.Tensor) -> torch.Tensor:
    return F.relu(F.max_pool2d(x, 2))


def both_ways(function, x: torch.Tensor, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The result, and the gradient with respect to x."""
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    y = function(x)
    y.backward(grad)
    return y.detach(), x.grad


def bits(x: torch.Tensor) -> torch.Tensor:
    """A NaN's sign and payload say nothing; everything else has to agree, the sign of 0 too."""
    x = x.clone().contiguous()
    x[x.isnan()] = float("nan")
    return x.view(torch.int32)


def assert_same(x: torch.Tensor, grad: torch.Tensor) -> None:
    for ours, theirs in zip(
        both_ways(pooling.pool_relu, x, grad), both_ways(plain, x, grad), strict=True
    ):
        assert ours.shape == theirs.shape
        assert torch.equal(bits(ours), bits(theirs))


def compiled_calls(monkeypatch) -> list:
    """Counts the calls of the compiled kernel."""
    calls = []
    apply = pooling._PoolReLU.apply
    monkeypatch.setattr(pooling._PoolReLU, "apply", lambda x: calls.append(x.shape) or apply(x))
    return calls


# The kernel -----------------------------------------------------------------------------------


@needs_compiler
def test_it_compiles_here():
    assert pooling._library() is not None


@needs_compiler
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_kernel_is_pytorch_to_the_last_bit(monkeypatch, shape, memory):
    calls = compiled_calls(monkeypatch)
    generator = torch.Generator().manual_seed(sum(shape))
    n, channels, height, width = shape
    small = (n, channels, height // 2, width // 2)
    for draw in (
        lambda size: torch.randn(size, generator=generator),
        lambda size: torch.randint(-2, 3, size, generator=generator).float(),  # many ties
        lambda size: SPECIAL[torch.randint(len(SPECIAL), size, generator=generator)],
    ):
        assert_same(draw(shape).contiguous(memory_format=memory), draw(small))
    assert calls == [shape] * 3


@needs_compiler
@pytest.mark.parametrize("value", SPECIAL.tolist())
def test_a_map_of_one_value_is_a_tie_everywhere(value):
    shape = (2, 11, 6, 7)
    grad = torch.randn(2, 11, 3, 3, generator=torch.Generator().manual_seed(0))
    assert_same(torch.full(shape, value), grad)
    assert_same(torch.full(shape, value).contiguous(memory_format=torch.channels_last), grad)


@needs_compiler
def test_views_and_expanded_gradients(monkeypatch):
    calls = compiled_calls(monkeypatch)
    whole = torch.randn(4, 20, 12, 14, generator=torch.Generator().manual_seed(0))
    for view in (whole[:, 3:13], whole[::2], whole[..., 1:, 3:], whole.transpose(2, 3), whole[:0]):
        height, width = view.shape[2] // 2, view.shape[3] // 2
        grad = torch.ones(()).expand(*view.shape[:2], height, width)
        assert_same(view, grad)
        wide = torch.randn(*view.shape[:2], height, 2 * width)
        assert_same(view, wide[..., ::2])
    assert len(calls) == 10


@needs_compiler
def test_result_is_channels_last_and_the_argument_is_left_alone():
    x = torch.randn(2, 8, 4, 4)
    before = x.clone()
    y = pooling.pool_relu(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(x, before)
    with torch.inference_mode():
        assert torch.equal(pooling.pool_relu(x), y)


@needs_compiler
def test_gradient_passes_through_a_network():
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(3, 12, 3)
    images = torch.randn(2, 3, 9, 9)
    gradients = []
    for function in (pooling.pool_relu, plain):
        convolution.zero_grad()
        function(convolution(images)).square().sum().backward()
        gradients.append(convolution.weight.grad.clone())
    torch.testing.assert_close(*gradients)


# Without it -----------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [torch.randn(2, 7, 5, 6), torch.randn(2, 16, 4, 4).double()])
def test_few_channels_and_other_types_go_to_pytorch(monkeypatch, x):
    calls = compiled_calls(monkeypatch)
    ours, gradient = both_ways(pooling.pool_relu, x, plain(x))
    theirs, expected = both_ways(plain, x, plain(x))
    assert torch.equal(ours, theirs)
    assert torch.equal(gradient, expected)
    assert not calls


def give_compiler(monkeypatch, path, text: str | None) -> None:
    """Make `cc` a program with this text; None: there is none."""
    if text is not None:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: None if text is None else str(path))


BROKEN = {
    "none": None,
    "fails": "#!/bin/sh\nexit 1\n",
    "not a program": "\x7fnot a program",
    "writes nothing": "#!/bin/sh\nexit 0\n",
    "writes nonsense": '#!/bin/sh\nfor last; do :; done\necho nonsense > "$last"\n',
}


@pytest.mark.skipif(sys.platform == "win32", reason="the compilers are shell scripts")
@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_without_a_working_compiler_pytorch_does_it(monkeypatch, fresh, text):
    give_compiler(monkeypatch, fresh / "cc", text)
    calls = compiled_calls(monkeypatch)
    assert pooling._library() is None
    x = SPECIAL[torch.randint(len(SPECIAL), (2, 16, 5, 6))]
    assert_same(x, torch.randn(2, 16, 2, 3))
    assert not calls


@needs_compiler
def test_an_unwritable_cache_is_no_error(monkeypatch, fresh):
    (fresh / "cache").write_text("a file where the folder should be")
    assert pooling._library() is None
    x = torch.randn(2, 16, 5, 6)
    assert torch.equal(pooling.pool_relu(x), plain(x))


@needs_compiler
def test_it_is_compiled_once_and_nothing_else_is_left(monkeypatch, fresh):
    assert pooling._library() is not None
    (built,) = (fresh / "cache" / "hia").iterdir()
    assert built.suffix == ".so"
    before = built.stat().st_mtime_ns
    pooling._library.cache_clear()
    assert pooling._library() is not None
    assert [built] == list((fresh / "cache" / "hia").iterdir())
    assert built.stat().st_mtime_ns == before


@needs_compiler
def test_another_source_is_compiled_again(monkeypatch, fresh):
    assert pooling._library() is not None
    edited = fresh / "pooling.c"
    edited.write_text(pooling.SOURCE.read_text() + "/* edited */\n")
    monkeypatch.setattr(pooling, "SOURCE", edited)
    pooling._library.cache_clear()
    assert pooling._library() is not None
    assert len(list((fresh / "cache" / "hia").iterdir())) == 2
