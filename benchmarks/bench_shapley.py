"""How long exact Shapley importance takes beside `hypershap`: python benchmarks/bench_shapley.py

Both get the same forest (100 full trees of 700 recorded trials), the same default (Table 1's) and
the same samples (drawn by the package), and give the Shapley values of ten hyperparameters and the
interactions of all pairs ("SII" of order 2). Runs are interleaved. Seconds are of processor time on
one thread, without the drawing of samples. `bootstrap` is ours with 100 resamples of the trees, for
intervals, which the package does not have. `difference` is the largest of all values.

hypershap (0.0.6) is not among the pinned packages. Any environment will do that has it and pyarrow,
with the repository on PYTHONPATH; elsewhere the script says that it is skipped.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measure import describe, show
from sklearn.ensemble import RandomForestRegressor

from hia.ranking.shapley import game_values, shapley
from hia.space import HYPERPARAMETERS, SPACE, Hyperparameter

TRIALS = Path(__file__).parents[1] / "data" / "trials.parquet"
NAMES = [name for name in HYPERPARAMETERS if name != "in_channel_num"]


def configuration_space() -> Any:
    """Table 1 in the package's terms."""
    from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

    def of(row: Hyperparameter) -> Any:
        if row.kind == "categorical":
            return Categorical(row.name, list(row.choices or ()), default=row.default)
        if row.choices:
            return Categorical(row.name, row.choices, default=row.default, ordered=True)
        kind = Integer if row.kind == "integer" else Float
        return kind(row.name, row.bounds, default=row.default, log=row.log)

    space = ConfigurationSpace()
    space.add([of(SPACE[name]) for name in NAMES])
    return space


def seconds(work: Callable[..., Any], *args: Any, **options: Any) -> tuple[float, Any]:
    start = time.process_time()
    result = work(*args, **options)
    return time.process_time() - start, result


def ours(game: str, forest: Any, samples: Any, default: Any, weights: Any = None) -> Any:
    values = game_values(game, forest, samples, default, weights)
    return shapley(values, 1)[0], shapley(values, 2)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option, default in (("runs", 3), ("rows", 700), ("samples", 1000), ("trees", 100)):
        parser.add_argument(f"--{option}", type=int, default=default)
    options = parser.parse_args()
    try:
        from ConfigSpace import Configuration
        from hypershap import ExplanationTask, HyperSHAP
        from hypershap.task import TunabilityExplanationTask
        from hypershap.utils import RandomConfigSpaceSearcher
    except ImportError as error:
        print(f"skipped: {error.name} is not installed (pip install hypershap)")
        return
    space = configuration_space()
    order = [NAMES.index(name) for name in space]
    trials = pd.read_parquet(TRIALS, columns=[*NAMES, "accuracy"])
    trials = trials.sample(options.rows, random_state=0)
    rows = [dict(zip(NAMES, row, strict=True)) for row in trials[NAMES].to_numpy(dtype=object)]
    X = np.array([Configuration(space, values=row).get_array() for row in rows])
    forest = RandomForestRegressor(options.trees, random_state=0).fit(X, trials["accuracy"])
    task = ExplanationTask.from_base_model(space, forest)
    package, default = HyperSHAP(task), space.get_default_configuration()
    tuned = TunabilityExplanationTask(space, task.surrogate_model, default)
    drawing, searcher = seconds(RandomConfigSpaceSearcher, tuned, n_samples=options.samples)
    start, samples = default.get_array(), searcher.random_sample
    resamples = np.random.default_rng(0).multinomial(
        options.trees, np.full(options.trees, 1 / options.trees), 100
    )

    describe("numpy", "scikit-learn")
    table: list[dict[str, Any]] = []
    for game in ("tunability", "sensitivity"):
        times: dict[str, list[float]] = {"hypershap": [], "hia": [], "bootstrap": []}
        theirs = {"index": "SII", "order": 2, "n_samples": options.samples}
        for _ in range(options.runs):
            taken, result = seconds(ours, game, forest, samples, start)
            times["hia"].append(taken)
            taken, explained = seconds(getattr(package, game), default, **theirs)
            times["hypershap"].append(taken - drawing)
            taken, _ = seconds(ours, game, forest, samples, start, resamples / options.trees)
            times["bootstrap"].append(taken)
        values = explained.dict_values
        expected = [values[(k,)] for k in range(len(order))]
        expected += [values[pair] for pair in combinations(range(len(order)), 2)]
        middle = {name: statistics.median(taken) for name, taken in times.items()}
        middle["ratio"] = middle["hypershap"] / middle["hia"]
        difference = np.abs(np.concatenate(result) - expected).max()
        table.append({"game": game, **middle, "difference": f"{difference:.1e}"})
    title = f"{options.rows} rows, {len(order)} hyperparameters, {options.samples} samples, "
    show(f"{title}{options.trees} trees; medians of {options.runs} runs, s", table)


if __name__ == "__main__":
    main()
