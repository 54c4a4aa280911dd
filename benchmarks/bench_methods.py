"""How long the importance methods take, alone and beside others: python benchmarks/bench_methods.py

    python benchmarks/bench_methods.py [relief] [fanova] [peers]      (default: all three)

relief: how N-RReliefF grows, on random configurations of Table 1 with an invented accuracy. Peak
memory is what a fit needs beyond its input; less than the one before shows as 0. fanova: `fit` is
16 full trees and all single effects, `pairs` the interactions of all 55 pairs; on the same, on the
recorded trials, and on eleven columns of random numbers, the most that pairs can cost. Wall time.

peers: the same rows for all: 1,000 of the recorded trials, all, and the paper's 11,150; where fewer
are recorded, these are drawn with replacement and moved by a hundredth. Every method runs in a
process of its own, in an environment of its own where it cannot share ours: these are made under
_build/bench/ from benchmarks/peers/*.txt, once (PyPI is needed then). 30 neighbours and every row
for Relief, 16 full trees for functional ANOVA, one thread. Seconds are of processor time, without
importing and making a study or a table of a package's own. A fit over the limit is ended and
marked. `x ours` and `tau` (Kendall's) compare time and ranking with ours.

sklearn-relief, asked for every row once, gives the weights of ours to six digits. Not every ranking
is a check of ours: on 1,000 recorded rows, Orange's RReliefF (3.40.0) gives eleven weights well
above 0 (0.06 to 0.22), and much the same ones where the accuracies are random numbers. skrebate's
ReliefF takes targets as like or unlike by their standard deviation, which is another method.
"""

import argparse
import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measure import describe, progress, show, spread, time
from scipy.stats import kendalltau

from hia import space, trials
from hia.ranking.fanova import FAnova
from hia.relief import NRReliefF
from hia_book.surfaces import places_of, values_at

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"
CACHE = ROOT / "_build" / "bench"
PAPER = 11_150
RELIEF_FITS = {1_000: 21, 10_000: 11, PAPER: 11, 100_000: 5, 1_000_000: 1}
RESAMPLES, PERMUTATIONS = 1000, 199


@dataclass(frozen=True)
class Contender:
    """method: in peers/fit.py. label: for people. package: whose version is shown. ours: the method
    that it is compared with. environment: of peers/*.txt; None is the one that this runs in."""

    method: str
    label: str
    package: str
    ours: str
    environment: str | None = None


CONTENDERS = (
    Contender("hia_nrrelieff", "N-RReliefF, the paper's options", "hia", "hia_nrrelieff"),
    Contender("hia_rrelieff", "N-RReliefF, RReliefF's options", "hia", "hia_rrelieff"),
    Contender("orange", "RReliefF", "orange3", "hia_rrelieff", "orange"),
    Contender("skrebate", "ReliefF", "skrebate", "hia_rrelieff", "relief"),
    Contender("sklearn_relief", "RReliefF", "sklearn-relief", "hia_rrelieff", "relief"),
    Contender("hia_fanova", "fANOVA", "hia", "hia_fanova"),
    Contender("fast_fanova", "fANOVA", "optuna-fast-fanova", "hia_fanova", "fast_fanova"),
    Contender("fanova_package", "fANOVA", "fanova", "hia_fanova"),
    Contender("optuna_fanova", "fANOVA", "optuna", "hia_fanova"),
    Contender("hia_ped_anova", "PED-ANOVA through hia.ranking.methods", "hia", "hia_ped_anova"),
    Contender("optuna_ped_anova", "PED-ANOVA", "optuna", "hia_ped_anova"),
)
NAMES = [contender.method for contender in CONTENDERS]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parts = {"relief": time_relief, "fanova": time_fanova, "peers": time_peers}
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of a fit (default: 60)")
    parser.add_argument("--repeats", type=int, default=5, help="fits (default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", help="rows (default: 1000, all, 11150)")
    parser.add_argument("--methods", nargs="+", choices=NAMES, default=NAMES, metavar="NAME")
    parser.add_argument("--trials", type=Path, default=ROOT / "data" / "trials.parquet")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(parts):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    describe("numpy", "scipy", "scikit-learn", "optuna")
    for part in options.parts or parts:
        parts[part](options)
    return 0


def configurations(n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.Series]:
    """n configurations of Table 1 and an accuracy in [0, 1] that follows some of them."""
    X = pd.DataFrame({one.name: values_at(one, rng.random(n)) for one in space.TABLE1})
    accuracy = 0.5 + 0.05 * (X["num_conv_layers"] - 2) - 0.2 * X["dropout_rate"]
    accuracy += rng.normal(0, 0.05, n) - 0.02 * (np.log10(X["lr"]) + 3) ** 2
    return X, accuracy.clip(0, 1)


def time_relief(_: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    model = NRReliefF()
    rows = []
    for n, repeats in RELIEF_FITS.items():
        X, y = configurations(n, rng)
        X = X.assign(lr=np.log10(X["lr"]))
        if not rows:
            model.fit(X, y)  # the first fit also imports and fills caches
        before = peak_mib()
        columns = time(f"{n:,} rows", functools.partial(model.fit, X, y), repeats)
        columns |= {"µs per row": columns["median s"] / n * 1e6}
        columns |= {"input MiB": X.memory_usage(deep=True).sum() / 2**20}
        rows.append({"rows": n} | columns | {"peak MiB": peak_mib() - before})
    show("N-RReliefF", rows)
    X, y = configurations(PAPER, rng)
    X = X.assign(lr=np.log10(X["lr"]))
    test = functools.partial(model.permutation_test, X, y, PERMUTATIONS)
    rows = [
        {"": what} | time(what, work, 3)
        for what, work in (
            (f"{RESAMPLES} resamples", functools.partial(model.bootstrap, X, y, RESAMPLES, 0)),
            (f"{PERMUTATIONS} permutations of a column", functools.partial(test, "column", 0)),
            (f"{PERMUTATIONS} permutations of the target", functools.partial(test, "target", 0)),
        )
    ]
    show(f"N-RReliefF, {PAPER:,} rows", rows)


def peak_mib() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def time_fanova(options: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    of_space = {"space": space.SPACE}
    recorded = trials.load(options.trials)
    numbers = pd.DataFrame(rng.random((PAPER, len(space.HYPERPARAMETERS))))
    target = numbers.sum(axis=1) + numbers[0] * numbers[1] + rng.normal(0, 0.1, PAPER)
    rows = []
    for label, (X, y), measure, repeats in (
        ("random", configurations(1_000, rng), of_space, 11),
        ("random", configurations(PAPER, rng), of_space, 7),
        ("random", configurations(100_000, rng), of_space, 1),
        ("recorded", (recorded[list(space.HYPERPARAMETERS)], recorded["accuracy"]), of_space, 7),
        ("continuous", (numbers, target), {}, 3),
    ):
        model = FAnova(random_state=0, **measure).fit(X, y)
        row = {"rows of": label, "rows": len(X)}
        for what, work in (
            ("fit", functools.partial(model.fit, X, y)),
            ("pairs", model.pair_importances),
        ):
            rows.append(row | {"": what} | time(f"{row}, {what}", work, repeats))
    show("functional ANOVA", rows)


def time_peers(options: argparse.Namespace) -> None:
    recorded = trials.load(options.trials)
    CACHE.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for n in options.sizes or sorted({1_000, len(recorded), PAPER}):
        path = CACHE / f"{n}.npz"
        np.savez(path, **table(recorded, n, np.random.default_rng(n)))
        same_rows: dict[str, dict[str, Any]] = {}
        for contender in CONTENDERS:
            if contender.method in options.methods:
                progress(f"{contender.method} on {n:,} rows")
                outcome = measure(contender, path, options.limit, options.repeats)
                same_rows[contender.method] = vars(contender) | {"rows": n} | outcome
        rows = [line(outcome, same_rows.get(outcome["ours"])) for outcome in same_rows.values()]
        drawn = "drawn with replacement and moved" if n > len(recorded) else "recorded"
        show(f"{n:,} rows, {drawn}; limit of a fit {options.limit:g} s", rows)
        outcomes += same_rows.values()
    text = json.dumps(outcomes, indent=1)
    (CACHE / "methods.json").write_text(f"{text}\n", encoding="utf-8")


def table(recorded: pd.DataFrame, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """n rows in the form of peers/fit.py, drawn from the recorded ones."""
    more = n > len(recorded)
    rows = recorded.iloc[rng.choice(len(recorded), n, replace=more)]
    columns = [space.SPACE[name] for name in space.HYPERPARAMETERS]
    high = np.array([_highest(column) for column in columns], dtype=float)
    places = [places_of(column, rows[column.name]) for column in columns]
    kinds = np.array([column.kind for column in columns])
    X, y = high * np.column_stack(places), rows["accuracy"].to_numpy()
    X = np.where(kinds == "float", X, X.round())
    if more:
        X += np.where(kinds == "float", rng.uniform(-0.01, 0.01, X.shape), 0)
        X, y = np.clip(X, 0, high), np.clip(y + rng.normal(0, 0.01, n), 0, 1)
    return {"X": X, "y": y, "kind": kinds, "high": high}


def _highest(column: space.Hyperparameter) -> float:
    """The largest place among the possible values, 1 for a fraction."""
    if column.kind == "float":
        return 1
    return len(column.choices) - 1 if column.choices else column.bounds[1] - column.bounds[0]


def measure(contender: Contender, path: Path, limit: float, repeats: int) -> dict[str, Any]:
    """Fits of a method in a process of its own. Returns `seconds` of each finished fit, `scores` of
    the last (None without one), `package` with its version, and a `note` where something went
    wrong."""
    outcome: dict[str, Any] = {"seconds": [], "scores": None, "package": contender.package}
    try:
        python = environment(contender.environment)
    except subprocess.CalledProcessError as error:
        why = last_line(error.stderr or error.stdout) or error
        return outcome | {"note": f"cannot be installed: {why}"}
    command = [python, PEERS / "fit.py", contender.method, contender.package, path, limit, repeats]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run([*map(str, command)], env=one_thread, capture_output=True, text=True)
    fits = [json.loads(said) for said in run.stdout.splitlines() if said.startswith('{"seconds"')]
    note = ""
    if run.returncode == -27 and not fits:  # SIGPROF
        note = f"over {limit:g} s"
    elif run.returncode:
        note = f"failed: {last_line(run.stderr) or run.returncode}"
    outcome |= fits[-1] if fits else {}
    return outcome | {"seconds": [fit["seconds"] for fit in fits], "note": note}


def last_line(text: str | None) -> str:
    return ((text or "").strip().splitlines() or [""])[-1]


def environment(name: str | None) -> Path:
    """The interpreter of an environment, which is made where its pins are new or have changed.
    Raises CalledProcessError where they cannot be installed."""
    if name is None:
        return Path(sys.executable)
    # What a package needs to be compiled comes first, and is what it is compiled with.
    lists = [PEERS / f"{name}-build.txt", PEERS / f"{name}.txt"]
    lists = [path for path in lists if path.is_file()]
    pins = sha256(b"".join(path.read_bytes() for path in lists)).hexdigest()
    folder = CACHE / name
    python, stamp = folder / "bin" / "python", folder / "pins"
    if not stamp.is_file() or stamp.read_text() != pins:
        progress(f"nothing yet: making {folder.relative_to(ROOT)}")
        venv.create(folder, clear=True, with_pip=True)
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps"]
        if len(lists) > 1:
            pip.append("--no-build-isolation")
        for path in lists:
            command = [*map(str, [*pip, "-r", path])]
            subprocess.run(command, capture_output=True, text=True, check=True)
        stamp.write_text(pins)
    return python


def line(outcome: dict[str, Any], ours: dict[str, Any] | None) -> dict[str, Any]:
    """A row of the printed table."""
    row = {"": outcome["label"], "package": outcome["package"]}
    row |= spread(outcome["seconds"]) | {"x ours": None, "tau": None}
    other = ours is not None and outcome["method"] != outcome["ours"]
    if other and outcome["seconds"] and ours["seconds"]:
        row["x ours"] = row["median s"] / statistics.median(ours["seconds"])
        row["tau"] = kendalltau(outcome["scores"], ours["scores"]).statistic
    return row | {"note": outcome["note"]}


if __name__ == "__main__":
    sys.exit(main())
