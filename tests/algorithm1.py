"""Algorithm 1 of N-RReliefF in plain loops, and configurations to run it on."""

import math

import numpy as np


def reference_means(
    rows,
    p,
    n_neighbors=30,
    sigma=20.0,
    metric="euclidean",
    scale="range",
    rank_base=1,
    weighting="exp_rank",
    target_scale="none",
    sampled=None,
    order_ties=None,
):
    """Means of Eqs. 12 to 14 from `rows`, a list of tuples of numbers and strings (categories);
    equal ones are one, at their mean performance.

    `order_ties(m, candidates)` may put the neighbours of row m in an order of its own; by default
    those at the same distance share the weights of the ranks they occupy.
    """
    own = {}
    for row, value in zip(rows, p, strict=True):
        own.setdefault(row, []).append(value)
    rows, p = list(own), [sum(values) / len(values) for values in own.values()]
    n, k_all = len(rows), len(rows[0])
    columns = zip(*rows, strict=True)
    ranges = [1.0 if isinstance(own[0], str) else max(own) - min(own) for own in columns]
    p_range = max(p) - min(p) if target_scale == "range" else 1.0

    def raw_diff(a, b):
        return float(a != b) if isinstance(a, str) else abs(a - b)

    def distance(a, b):
        parts = [raw_diff(a[k], b[k]) for k in range(k_all)]
        if scale == "range":
            parts = [part / r for part, r in zip(parts, ranges, strict=True)]
        return sum(parts) if metric == "manhattan" else math.sqrt(sum(x * x for x in parts))

    d = [
        1.0 if weighting == "uniform" else math.exp(-(((rank + rank_base) / sigma) ** 2))
        for rank in range(n_neighbors)
    ]
    d = [x / sum(d) for x in d] + [0.0] * n

    n_p, n_theta, n_both = 0.0, [0.0] * k_all, [0.0] * k_all
    sampled = range(n) if sampled is None else sampled
    for m in sampled:
        others = sorted((distance(rows[m], rows[j]), j) for j in range(n) if j != m)
        if order_ties is None:
            influence = {}
            start = 0
            while start < len(others):
                stop = start + 1
                while stop < len(others) and math.isclose(
                    others[stop][0], others[stop - 1][0], rel_tol=1e-9
                ):
                    stop += 1
                for _, j in others[start:stop]:
                    influence[j] = sum(d[start:stop]) / (stop - start)
                start = stop
        else:
            influence = {j: d[rank] for rank, j in enumerate(order_ties(m, others))}
        for j, weight in influence.items():
            dp = abs(p[m] - p[j]) / p_range
            n_p += dp * weight
            for k in range(k_all):
                diff = raw_diff(rows[m][k], rows[j][k]) / ranges[k]
                n_theta[k] += diff * weight
                n_both[k] += dp * diff * weight
    size = len(sampled)
    return n_p / size, [x / size for x in n_theta], [x / size for x in n_both]


def eq_10(n_p, n_theta, n_both):
    return [b / n_p - (t - b) / (1 - n_p) for t, b in zip(n_theta, n_both, strict=True)]


def reference_weights(rows, p, **options):
    return eq_10(*reference_means(rows, p, **options))


def mixed_rows(seed, n=24):
    """Configurations with continuous, integer and categorical columns, a few rows twice."""
    rng = np.random.default_rng(seed)
    rows = [
        (
            float(rng.uniform(-6, -1)),
            float(rng.integers(8, 257)),
            str(rng.choice(["Adam", "SGD"])),
            str(rng.choice(["relu", "tanh", "gelu"])),
            float(rng.integers(1, 4)),
        )
        for _ in range(n)
    ]
    rows += rows[:3]
    return rows, list(rng.uniform(0, 0.9, len(rows)))


def tied_rows(seed, n=60):
    """Configurations on a coarse grid: nearly every distance is there more than once, and many
    configurations are, too."""
    rng = np.random.default_rng(seed)
    rows = [
        (float(rng.integers(1, 5)), float(rng.integers(0, 3)), str(rng.choice(["a", "b", "c"])))
        for _ in range(n)
    ]
    return rows, list(rng.uniform(0, 0.9, n))


def continuous(seed, n=60, k=4):
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(n, k))
    return X, np.clip(X[:, 0] * 0.6 + X[:, 1] * 0.2 + rng.uniform(0, 0.2, n), 0, 1)


def on_grid(seed, n=60):
    rng = np.random.default_rng(seed)
    X = np.array(np.unravel_index(rng.permutation(6**3)[:n], (6, 6, 6)), dtype=float).T
    return X, rng.uniform(0, 0.9, n)


def frequency_weights(X, p, counts, n_neighbors, by=None, rows=None):
    """W where row i of X (n, K), numbers without ties, is there counts[i] times and never a
    neighbour of itself; neighbours are found in the columns `by`."""
    ranges = np.ptp(X, axis=0)
    scaled = X / ranges
    near = scaled if by is None else scaled[:, by]
    d = np.exp(-((np.arange(1, n_neighbors + 1) / 20.0) ** 2))
    n_p, n_theta, n_both, total = 0.0, np.zeros(X.shape[1]), np.zeros(X.shape[1]), 0.0
    for m in range(len(X)) if rows is None else rows:
        others = np.argsort(np.square(near - near[m]).sum(axis=1))[1 : n_neighbors + 1]
        influence = d * counts[others]
        influence = influence / influence.sum()
        dp, diffs = np.abs(p[others] - p[m]), np.abs(scaled[others] - scaled[m])
        n_p += counts[m] * influence @ dp
        n_theta += counts[m] * influence @ diffs
        n_both += counts[m] * (influence * dp) @ diffs
        total += counts[m]
    return np.array(eq_10(n_p / total, n_theta / total, n_both / total))
