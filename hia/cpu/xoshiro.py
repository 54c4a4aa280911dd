"""The random numbers of dropout in kernels.c, in NumPy: xoshiro128+ (Blackman and Vigna 2021).

The generator is a chain, but each of its steps is linear in the bits of its state. So the states at
the beginnings of many short chains can be computed by doubling, and the chains go on side by side.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

_LANES = 16  # generators side by side in kernels.c
_CHAIN = 5  # steps of a chain, as a power of 2


def draw(seed: int, n: int) -> Words:
    """(n,) numbers of 32 bits: those that `dropout` in kernels.c compares with its threshold."""
    states = _seed(seed)
    power = _CHAIN
    while states.shape[1] * _LANES << _CHAIN < n:
        states = np.concatenate([states, _jump(states, power)], axis=1)
        power += 1
    numbers = np.empty((states.shape[1], 1 << _CHAIN, _LANES), np.uint32)
    for step in range(1 << _CHAIN):
        np.add(states[0], states[3], out=numbers[:, step])
        states = _advance(states)
    return numbers.reshape(-1)[:n]


def _seed(seed: int) -> Words:
    """(4, 1, lanes): the four words of each lane's state, by splitmix64."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, 33, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return z.astype("<u8").view("<u4").astype(np.uint32).reshape(4, 1, _LANES)


def _advance(states: Words) -> Words:
    """States (4, ...) one step on."""
    a, b, c, d = states
    c, d = c ^ a, d ^ b
    return np.stack([a ^ d, b ^ c, c ^ (b << 9), d << 11 | d >> 21])


def _jump(states: Words, power: int) -> Words:
    """States (4, ...) 2^power steps on: the sum of what each of their 16 bytes becomes."""
    table = _table(power)
    result = np.zeros_like(states)
    for place in range(16):
        result ^= table[place][:, states[place // 4] >> 8 * (place % 4) & 255]
    return result


@cache
def _table(power: int) -> Words:
    """(16, 4, 256): what each byte of a state, by place and value, becomes in 2^power steps."""
    bits = np.zeros((4, 128), np.uint32)  # the states of one bit each
    bits[np.arange(128) // 32, np.arange(128)] = (
        np.uint32(1) << np.arange(128, dtype=np.uint32) % 32
    )
    bits = _advance(bits) if power == 0 else _jump(_jump(bits, power - 1), power - 1)
    table = np.zeros((16, 4, 256), np.uint32)
    for value in range(256):
        for bit in range(8):
            if value >> bit & 1:
                table[:, :, value] ^= bits[:, bit::8].T
    return table
