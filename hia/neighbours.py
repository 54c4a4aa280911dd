"""The nearest rows of each row, exactly, with all that tie with the last of them.

A row's own cell is searched by all distances where it is small, the rest in a k-d tree; categories
of many levels, which no tree can part, by all distances. Memory is proportional to the input, as
neighbours come in pieces. One thread.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from hia.inputs import Bools, Floats, Ints

# Rows (m,), their nearest others (m, k), ascending, and which of these are further than the one
# before (m, k).
Piece = tuple[Ints, Ints, Bools]

# Distances that differ by less than this, relatively, are equal: the same distance computed from
# other columns of a grid differs in the last bits.
_TIE = 1e-9
# Pairs (row, neighbour) worked on at once, so that memory does not grow with the rows and the
# arrays stay in cache.
_PAIRS = 1 << 16
# Leaves of 48 rows were the fastest for 1e3 to 1e5 rows, as were trees that are not balanced: most
# hyperparameters have few values, and a median split leaves equal values on both sides.
_TREE = {"leafsize": 48, "balanced_tree": False}
# Up to this many rows, all distances in a cell are faster than the tree, and those to the rows in
# the cells beside it, up to so many.
_CELL = 1024
_BESIDE = 4096
# Distances worked on at once where all of them are computed.
_DISTANCES = 1 << 20
# Names and norms of the metrics in SciPy.
_METRICS = {"euclidean": "euclidean", "manhattan": "cityblock"}
_NORMS = {"euclidean": 2, "manhattan": 1}


def layout(coordinates: Floats) -> tuple[Ints, Ints]:
    """An order of the rows (n,) in which near rows are near in memory, and where its cells start.

    (The tree takes a quarter of the time on 100,000 rows that lie in its own order.)

    The rows of a cell agree in every coordinate that is only 0 or 1, such as those of two
    categories, so that rows of different cells are at least 1 apart. (c + 1,), from 0 to n.
    """
    n, n_coordinates = coordinates.shape
    order = cKDTree(coordinates, **_TREE).indices if n_coordinates else np.arange(n)
    binary = coordinates[:, _is_binary(coordinates)][order]
    by_cell = np.lexsort([np.arange(n), *binary.T])
    starts = np.flatnonzero(np.diff(binary[by_cell], axis=0).any(axis=1)) + 1
    return order[by_cell], np.concatenate([[0], starts, [n]])


def _is_binary(coordinates: Floats) -> Bools:
    """(D,): whether a coordinate is only 0 or 1."""
    return np.asarray(((coordinates == 0) | (coordinates == 1)).all(axis=0))


def search(
    coordinates: Floats, codes: Floats, cells: Ints, rows: Ints, metric: str, n_neighbors: int
) -> Iterator[Piece]:
    """The nearest others of the rows, in pieces.

    coordinates: (n, D). codes: (n, C) of further categories; two of them are 1 apart. cells: of
    `layout`; where there are none, all rows go to the tree. rows: (M,), ascending; every one comes
    once. metric: "euclidean" or "manhattan". k is at least n_neighbors, and all that tie with the
    last of these are among the k.
    """
    k = min(n_neighbors + 2, len(coordinates))  # itself, and one more to see a tie with the last
    has_codes = codes.shape[1] > 0
    searches = iter(()) if has_codes else _search_cells(coordinates, cells, rows, metric, k)
    left = rows
    while len(left):
        settled = [left[:0]]
        for piece, distances, others in searches:
            _put_first(piece, others)
            apart = distances[:, 1:]
            first = np.diff(apart, prepend=-np.inf) > _TIE * apart
            # The ties with the last end before the k-th, so that none of them can be missing.
            whole = first[:, n_neighbors:].any(axis=1) | (others.shape[1] == len(coordinates))
            settled.append(piece[whole])
            yield piece[whole], others[whole, 1:], first[whole]
        left = np.setdiff1d(left, np.concatenate(settled))
        if has_codes:
            searches = _search_all(coordinates, codes, left, metric, k)
        else:
            searches = _search_tree(coordinates, left, metric, k)
        k = min(2 * k, len(coordinates))


def _search_cells(
    coordinates: Floats, cells: Ints, rows: Ints, metric: str, k: int
) -> Iterator[tuple[Ints, Floats, Ints]]:
    """Some of the rows (m,), the distances (m, k) and indices (m, k) of their k nearest, ascending.

    Rows whose k nearest are in their own cell: all distances in a small cell take a third of the
    time of the tree. By Manhattan distances few are, and the cells beside it are searched as well.
    Stops at the first cell where this settles less than half of the rows.
    """
    binary = _is_binary(coordinates)
    keys, rest = coordinates[cells[:-1]][:, binary], coordinates[:, ~binary]
    sizes = np.diff(cells)
    for cell, (start, stop) in enumerate(pairwise(cells)):
        piece = rows[slice(*np.searchsorted(rows, (start, stop)))]
        if len(piece) == 0 or not k <= stop - start <= _CELL:
            continue
        distances = cdist(rest[piece], rest[start:stop], _METRICS[metric])
        others = np.argpartition(distances, k - 1)[:, :k]
        row = np.arange(len(piece))[:, None]
        distances = distances[row, others]
        others += start
        reach = 1  # the least distance to a cell that is not searched
        beside = np.flatnonzero(np.repeat(np.abs(keys - keys[cell]).sum(axis=1) == 1, sizes))
        if metric == "manhattan" and len(beside) <= _BESIDE:
            distances, others = _add_nearer(rest, piece, distances, others, beside)
            reach = 2
        ascending = np.argsort(distances)[:, :k]
        distances, others = distances[row, ascending], others[row, ascending]
        inside = distances[:, -1] < reach
        yield piece[inside], distances[inside], others[inside]
        if 2 * np.count_nonzero(inside) < len(piece):
            return


def _add_nearer(
    rest: Floats, rows: Ints, distances: Floats, others: Ints, beside: Ints
) -> tuple[Floats, Ints]:
    """Distances and indices (m, k) of the rows' nearest in their cell, and, behind them, of what is
    not further in the cells beside it: rows that differ by 1, and by their other coordinates."""
    furthest = distances.max(axis=1)
    far = np.flatnonzero(furthest >= 1)
    apart = cdist(rest[rows[far]], rest[beside], "cityblock")
    near = np.flatnonzero(apart <= furthest[far, None] - 1)  # far faster than `nonzero` of 2 axes
    row, column = np.divmod(near, len(beside))
    place = np.arange(len(row)) - np.searchsorted(row, row)
    shape = (len(rows), int(place.max(initial=-1)) + 1)
    added, indices = np.full(shape, np.inf), np.zeros(shape, np.intp)
    added[far[row], place] = 1 + apart[row, column]
    indices[far[row], place] = beside[column]
    return np.hstack([distances, added]), np.hstack([others, indices])


def _search_tree(
    coordinates: Floats, rows: Ints, metric: str, k: int
) -> Iterator[tuple[Ints, Floats, Ints]]:
    """As `_search_cells`, for all of the rows."""
    tree = cKDTree(coordinates, **_TREE)
    for piece in np.array_split(rows, -(-len(rows) * k // _PAIRS)):
        distances, others = tree.query(coordinates[piece], k=k, p=_NORMS[metric])
        yield piece, distances, others


def _search_all(
    coordinates: Floats, codes: Floats, rows: Ints, metric: str, k: int
) -> Iterator[tuple[Ints, Floats, Ints]]:
    """As `_search_tree`, with codes."""
    norm = _NORMS[metric]
    for piece in np.array_split(rows, -(-len(rows) * len(codes) // _DISTANCES)):
        distances = cdist(coordinates[piece], coordinates, _METRICS[metric]) ** norm
        for code in codes.T:
            distances += code[piece, None] != code
        others = np.argpartition(distances, k - 1)[:, :k]
        row = np.arange(len(piece))[:, None]
        distances = distances[row, others]
        ascending = np.argsort(distances)
        yield piece, distances[row, ascending] ** (1 / norm), others[row, ascending]


def _put_first(rows: Ints, others: Ints) -> None:
    """Move each row to the front of its own neighbours (m, k), in place.

    The tree returns duplicates of a row, all at distance 0, in any order. A row that is not among
    its k nearest has more than k duplicates: all its distances are 0, a tie that is cut off.
    """
    behind = np.flatnonzero(others[:, 0] != rows)
    place, position = np.nonzero(others[behind] == rows[behind, None])
    behind = behind[place]
    others[behind, position] = others[behind, 0]
    others[behind, 0] = rows[behind]
