"""Convolution, max-pooling and ReLU as one operation, and dropout: compiled, or else PyTorch's.

`kernels.c` says how the compiled ones work. They are compiled on first use, for this processor,
into the user's cache directory. PyTorch's own operations do the same on a GPU, in other precisions
than float32, and where there is no compiler or the cache cannot be written (`describe`). Both give
the same numbers up to float rounding, but dropout draws from other streams: a recorded row says
which of them trained it.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SOURCE = Path(__file__).with_suffix(".c")
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")
# What the kernels are written for: Table 1's ranges.
CHANNELS = frozenset((1, 3, *range(4, 65)))
MAX_FILTERS = 64
KERNELS = (2, 3)
SLACK = 8  # values that the forward kernel may write behind its outputs


def conv_pool_relu(
    x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int, fill: int
) -> Tensor:
    """relu(max_pool2d(conv2d(x), 2)) for square maps whose convolution has at least 2 x 2 values.

    x: (n, channels, size, size); weight: (filters, channels, kernel, kernel); bias: (filters,).
    fill: zeros in each direction beyond `padding`, of which the smaller half comes first. Returns
    (n, filters, windows, windows).
    """
    _, channels, size, _ = x.shape
    filters, _, kernel, _ = weight.shape
    if not (
        _fits(x)
        and _library() is not None
        and channels in CHANNELS
        and filters <= MAX_FILTERS
        and kernel in KERNELS
        and not (channels in (1, 3) and x.requires_grad)  # images have no gradient
    ):
        x = F.pad(x, (fill // 2, fill - fill // 2) * 2) if fill else x
        return F.relu(F.max_pool2d(F.conv2d(x, weight, bias, stride=stride, padding=padding), 2))
    before, padded = padding + fill // 2, size + 2 * padding + fill
    windows = ((padded - kernel) // stride + 1) // 2
    shape = _Shape(size, channels, filters, kernel, stride, before, padded, windows)
    return _ConvPoolReLU.apply(x, weight, bias, shape)  # type: ignore[no-any-return]


def dropout(x: Tensor, rate: float, training: bool) -> Tensor:
    """Each value 0 with probability `rate`, else divided by 1 - rate; x itself if not training."""
    if not training or rate == 0.0:
        return x
    if not _fits(x) or _library() is None:
        return F.dropout(x, rate)
    seed = int(torch.randint(2**63 - 1, ()))
    return _Dropout.apply(x, rate, seed)  # type: ignore[no-any-return]


def describe() -> str:
    """What computes float32 on this processor: "compiled" or "pytorch"."""
    return "pytorch" if _library() is None else "compiled"


def _fits(x: Tensor) -> bool:
    """Whether tensors like x are what the kernels are written for."""
    fits = x.device.type == "cpu" and x.dtype == torch.float32
    return fits and not torch.is_autocast_enabled("cpu")


_FIELDS = ("size", "channels", "filters", "kernel", "stride", "before", "padded", "windows")


class _Shape(ctypes.Structure):
    """`Shape` in kernels.c."""

    _fields_ = tuple((name, ctypes.c_int64) for name in _FIELDS)


class _ConvPoolReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, shape: _Shape) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        last = weight.permute(0, 2, 3, 1).contiguous()
        size = (len(x), shape.windows, shape.windows, shape.filters)
        values = size[0] * size[1] * size[2] * size[3]
        y = torch.empty(values + SLACK)
        winner = torch.empty(values + SLACK, dtype=torch.uint8)
        _call("block_forward", shape, len(x), x, last, bias, y, winner)
        ctx.save_for_backward(x, last, winner)
        ctx.shape = shape
        return y[:values].view(size).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, weight, winner = ctx.saved_tensors
        grad = grad.permute(0, 2, 3, 1).contiguous()
        d_weight = torch.empty_like(weight)
        d_bias = torch.empty(len(weight))
        d_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        tensors = (x, weight, grad, winner, d_weight, d_bias, d_x)
        _call("block_backward", ctx.shape, len(x), *tensors)
        return d_x, d_weight.permute(0, 3, 1, 2), d_bias, None


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float, seed: int) -> Tensor:
        ctx.rate, ctx.seed = rate, seed
        return _drop(x, rate, seed)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _drop(grad, ctx.rate, ctx.seed), None, None


def _drop(x: Tensor, rate: float, seed: int) -> Tensor:
    x = x.contiguous()
    y = torch.empty_like(x)
    threshold = min(round(rate * 2**32), 2**32 - 1)  # random numbers of 32 bits below it drop
    _library().dropout(x.numel(), x.data_ptr(), y.data_ptr(), seed, threshold, 1 / (1 - rate))
    return y


def _call(name: str, shape: _Shape, n: int, *tensors: Tensor | None) -> None:
    pointers = (None if tensor is None else tensor.data_ptr() for tensor in tensors)
    if getattr(_library(), name)(ctypes.byref(shape), n, *pointers):
        raise MemoryError(f"no memory for the maps of {n} images")


@cache
def _library() -> Any:
    """The compiled kernels, or None where there is no working compiler."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform == "win32":
        return None
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    try:
        target = subprocess.run(
            [compiler, "-march=native", "-E", "-dM", "-xc", os.devnull],
            capture_output=True,
            check=True,
        )
        key = hashlib.sha256(SOURCE.read_bytes() + target.stdout + " ".join(FLAGS).encode())
        path = Path(base, "hia", f"kernels-{key.hexdigest()[:16]}.so")
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
                built = Path(scratch, path.name)
                command = [compiler, *FLAGS, str(SOURCE), "-o", str(built)]
                subprocess.run(command, capture_output=True, check=True)
                built.replace(path)
        library = ctypes.CDLL(str(path))
    except (OSError, subprocess.CalledProcessError):
        return None
    pointer: Any = ctypes.c_void_p
    count: Any = ctypes.c_int64
    library.block_forward.argtypes = [pointer, count] + [pointer] * 5
    library.block_backward.argtypes = [pointer, count] + [pointer] * 7
    seed, threshold, scale = ctypes.c_uint64, ctypes.c_uint32, ctypes.c_float
    library.dropout.argtypes = [count, pointer, pointer, seed, threshold, scale]
    library.dropout.restype = None
    return library
