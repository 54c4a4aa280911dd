"""Max-pooling 2 x 2 followed by ReLU: a compiled kernel where there is one, else PyTorch's.

Both give the same numbers to the last bit, forwards and backwards. `pooling.c` says how; it is
compiled on first use, for this processor, into the user's cache directory.
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
MIN_CHANNELS = 8  # LANES in pooling.c
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")


def pool_relu(x: Tensor) -> Tensor:
    """relu(max_pool2d(x, 2)) for x of shape (n, channels, height, width), height and width >= 2."""
    fits = x.device.type == "cpu" and x.dtype == torch.float32 and x.shape[1] >= MIN_CHANNELS
    if fits and _library() is not None:
        return _PoolReLU.apply(x)  # type: ignore[no-any-return]
    return F.relu(F.max_pool2d(x, 2))


class _PoolReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        x = x.contiguous(memory_format=torch.channels_last)
        shape = (n, channels, height // 2, width // 2)
        y = torch.empty(shape, memory_format=torch.channels_last)
        winner = torch.empty(shape, dtype=torch.uint8, memory_format=torch.channels_last)
        _library().pool_relu_forward(
            x.data_ptr(), y.data_ptr(), winner.data_ptr(), n, height, width, channels
        )
        ctx.save_for_backward(winner)
        ctx.shape = x.shape
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (winner,) = ctx.saved_tensors
        n, channels, height, width = ctx.shape
        grad = grad.contiguous(memory_format=torch.channels_last)
        x = torch.empty(ctx.shape, memory_format=torch.channels_last)
        _library().pool_relu_backward(
            grad.data_ptr(), winner.data_ptr(), x.data_ptr(), n, height, width, channels
        )
        return x


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
        path = Path(base, "hia", f"pooling-{key.hexdigest()[:16]}.so")
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
    for function in (library.pool_relu_forward, library.pool_relu_backward):
        function.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 4
        function.restype = None
    return library
