"""One importance method on one table, in the environment of its package (see bench_methods.py).

    python benchmarks/peers/fit.py METHOD PACKAGE TABLE.npz LIMIT REPEATS

TABLE.npz: X (n, K), categories and whole numbers from 0, fractions from 0 to 1; y (n,); kind (K,),
"categorical", "integer" or "float"; high (K,), the largest possible value. Prints a line of JSON
for each finished fit: seconds of processor time, reading and importing not counted, the scores in
the order of the columns, and the package with its version. A fit above LIMIT seconds ends the
process by SIGPROF. There are at most REPEATS, and none after half of the limit.
"""

import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

NEIGHBORS, SIGMA, TREES = 30, 20.0, 16

Fit = Callable[[], Sequence[float]]


class Table:
    """What is in the file; `unit` is X with every column from 0 to 1."""

    def __init__(self, path: str) -> None:
        with np.load(path) as content:
            self.X, self.y, self.kind, self.high = (content[x] for x in ("X", "y", "kind", "high"))
        self.unit = self.X / self.high
        self.categorical = np.flatnonzero(self.kind == "categorical").tolist()


def hia_nrrelieff(table: Table, **options: Any) -> Fit:
    from hia.relief import NRReliefF

    model = NRReliefF(categorical=table.categorical, **options)
    return lambda: model.fit(table.X, table.y).weights_


def hia_rrelieff(table: Table) -> Fit:
    """With the options of RReliefF, whose distance is Manhattan, as sklearn-relief has them."""
    return hia_nrrelieff(table, metric="manhattan", target_scale="range")


def sklearn_relief(table: Table) -> Fit:
    """It takes differences as they are, so all columns are divided by their ranges, and draws its
    rows with replacement; here every row is drawn once, as in ours."""
    from sklearn_relief import RReliefF

    target = (table.y - table.y.min()) / np.ptp(table.y)
    ranged = (table.X - table.X.min(axis=0)) / np.ptp(table.X, axis=0)

    class EveryRow(np.random.RandomState):
        def randint(self, n: int, size: int) -> Any:
            return np.arange(size)

    def fit() -> Sequence[float]:
        options = {"k": NEIGHBORS, "sigma": SIGMA, "n_iterations": len(target), "n_jobs": 1}
        options |= {"categorical": table.categorical, "random_state": EveryRow()}
        return RReliefF(**options).fit(ranged, target).w_

    return fit


def skrebate(table: Table) -> Fit:
    from skrebate import ReliefF

    options = {"n_neighbors": NEIGHBORS, "label_type": "continuous", "n_jobs": 1}
    options["categorical_features"] = table.categorical
    return lambda: ReliefF(**options).fit(table.unit.copy(), table.y).feature_importances_


def orange(table: Table) -> Fit:
    from Orange.data import ContinuousVariable, DiscreteVariable, Domain
    from Orange.data import Table as Data
    from Orange.preprocess.score import RReliefF

    columns = [
        DiscreteVariable(f"x{k}", [str(c) for c in range(int(table.high[k]) + 1)])
        if kind == "categorical"
        else ContinuousVariable(f"x{k}")
        for k, kind in enumerate(table.kind)
    ]
    data = Data.from_numpy(Domain(columns, ContinuousVariable("y")), table.X, table.y)
    scorer = RReliefF(n_iterations=len(table.y), k_nearest=NEIGHBORS, random_state=0)
    return lambda: scorer.score_data(data, None)


def hyperparameters(table: Table) -> Any:
    """The columns in our terms."""
    from hia.space import Hyperparameter

    columns = []
    for k, (kind, high) in enumerate(zip(table.kind, table.high, strict=True)):
        choices = tuple(np.arange(high + 1).tolist()) if kind == "categorical" else None
        columns.append(Hyperparameter(f"x{k:02}", str(kind), 0, high, choices))
    return columns


def hia_fanova(table: Table) -> Fit:
    from hia.ranking.fanova import FAnova

    model = FAnova(TREES, space=dict(enumerate(hyperparameters(table))), random_state=0)
    return lambda: model.fit(table.X, table.y).importances_


def fanova_package(table: Table) -> Fit:
    """The package of the authors. Numbers with few values are categories for it (see there)."""
    import pandas as pd

    from hia.ranking.fanova_package import importances

    X = pd.DataFrame(table.X, columns=[f"x{k}" for k in range(table.X.shape[1])])
    few = X.columns[(table.kind != "float") & (table.high <= 3)].tolist()
    options: dict[str, Any] = {"n_trees": TREES, "min_samples_leaf": 1, "log": ()}
    return lambda: importances(X, table.y, categorical=few, **options)["weight"].tolist()


def optuna_fanova(table: Table) -> Fit:
    from optuna.importance import FanovaImportanceEvaluator

    return _optuna(table, FanovaImportanceEvaluator(n_trees=TREES, seed=0))


def fast_fanova(table: Table) -> Fit:
    from optuna_fast_fanova import FanovaImportanceEvaluator

    return _optuna(table, FanovaImportanceEvaluator(n_trees=TREES, seed=0))


def optuna_ped_anova(table: Table) -> Fit:
    from optuna.importance import PedAnovaImportanceEvaluator

    return _optuna(table, PedAnovaImportanceEvaluator())


def hia_ped_anova(table: Table) -> Fit:
    """All that `hia.ranking.methods.rank` does, which asks Optuna in the end."""
    import pandas as pd

    from hia.ranking.methods import rank

    columns = hyperparameters(table)
    rows = pd.DataFrame(table.X, columns=[one.name for one in columns]).assign(y=table.y)
    return lambda: rank(rows, "y", columns, "ped_anova", n_bootstrap=0).table["score"].tolist()


def _optuna(table: Table, evaluator: Any) -> Fit:
    """An evaluator of Optuna on a study in memory, which is made beforehand."""
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions: dict[str, Any] = {}
    columns = [table.y.tolist()]
    for kind, high, column in zip(table.kind, table.high, table.X.T, strict=True):
        of_kind = {
            "float": FloatDistribution(0, high),
            "integer": IntDistribution(0, int(high)),
            "categorical": CategoricalDistribution(range(int(high) + 1)),
        }
        distributions[f"x{len(distributions)}"] = of_kind[kind]
        columns.append(column.astype(float if kind == "float" else int).tolist())
    study = optuna.create_study(direction="maximize")
    for value, *row in zip(*columns, strict=True):
        params = dict(zip(distributions, row, strict=True))
        trial = optuna.create_trial(params=params, distributions=distributions, value=value)
        study.add_trial(trial)

    def fit() -> Sequence[float]:
        importances = evaluator.evaluate(study)
        return [importances[name] for name in distributions]

    return fit


METHODS = {
    method.__name__: method
    for method in (
        *(hia_nrrelieff, hia_rrelieff, sklearn_relief, skrebate, orange),
        *(hia_fanova, fanova_package, optuna_fanova, fast_fanova),
        *(hia_ped_anova, optuna_ped_anova),
    )
}


def main(method: str, package: str, path: str, limit: str, repeats: str) -> None:
    fit = METHODS[method](Table(path))
    package = f"{package} {version(package)}"
    spent = 0.0
    for _ in range(int(repeats)):
        signal.setitimer(signal.ITIMER_PROF, float(limit))
        began = time.process_time()
        scores = fit()
        seconds = time.process_time() - began
        signal.setitimer(signal.ITIMER_PROF, 0)
        line = {"seconds": seconds, "scores": [float(score) for score in scores]}
        print(json.dumps(line | {"package": package}), flush=True)
        spent += seconds
        if spent > float(limit) / 2:
            break


if __name__ == "__main__":
    main(*sys.argv[1:])
