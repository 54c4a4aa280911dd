"""How long the importance methods take beside others: python benchmarks/bench_methods.py

The same rows for all: the recorded trials (1,000 of them and all), and as many as the paper has,
11,150; where fewer are recorded, these are drawn from them with replacement, lr and dropout_rate
moved by up to a hundredth of their ranges and accuracy by a normal number of deviation 0.01, so
that rows are not copies. Eleven columns; lr is a logarithm, batch_size and in_channel_num are
places among the possible values.

Every method runs in a process of its own, and in an environment of its own where it cannot share
ours: these are made under _build/bench/ from benchmarks/peers/*.txt, once (PyPI is needed then).
30 neighbours and every row for Relief, 16 full trees for functional ANOVA, one thread. Seconds are
of processor time, so that other work on the machine counts little; importing, and making a study
or a table of a package's own, are not counted. A fit over the limit is ended and marked. Each
median is set beside ours, and each ranking is compared with ours (Kendall's tau).

sklearn-relief, asked for every row once, gives the weights of ours to six digits. Not every ranking
is a check of ours: on 1,000 recorded rows, Orange's RReliefF (3.40.0) gives eleven weights well
above 0 (0.06 to 0.22), and much the same ones where the accuracies are replaced by random numbers.
skrebate's ReliefF divides a target of numbers into like and unlike by its standard deviation, which
is another method.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from hia import space, trials

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"
CACHE = ROOT / "_build" / "bench"
PAPER = 11_150
SIZES = (1_000, PAPER)
REPEATS = 5


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


@dataclass(frozen=True)
class Outcome:
    """seconds of each finished fit; scores of the last, None without one; what is to be said."""

    seconds: tuple[float, ...] = ()
    scores: tuple[float, ...] | None = None
    note: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    names = [contender.method for contender in CONTENDERS]
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of a fit (default: 60)")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="fits (default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", help="rows (default: 1000, all, 11150)")
    parser.add_argument("--methods", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--trials", type=Path, default=ROOT / "data" / "trials.parquet")
    options = parser.parse_args(arguments)
    recorded = trials.load(options.trials)
    sizes = options.sizes or sorted({*SIZES, len(recorded)})
    print(f"{os.cpu_count()} cores ({platform.machine()}), one used; Python", end=" ")
    print(
        f"{platform.python_version()}; {len(recorded):,} recorded trials; limit of a fit ", end=""
    )
    print(f"{options.limit:g} s")
    CACHE.mkdir(parents=True, exist_ok=True)
    found = []
    for n in sizes:
        path = CACHE / f"{n}.npz"
        np.savez(path, **table(recorded, n, np.random.default_rng(n)))
        drawn = "drawn with replacement and moved" if n > len(recorded) else "recorded"
        print(f"\n{n:,} rows, {drawn}\n{HEADER}", flush=True)
        outcomes: dict[str, Outcome] = {}
        for contender in CONTENDERS:
            if contender.method in options.methods:
                outcome = measure(contender, path, options.limit, options.repeats)
                outcomes[contender.method] = outcome
                print(line(contender, outcome, outcomes.get(contender.ours)), flush=True)
                found.append({"rows": n, **vars(contender), **vars(outcome)})
    pd.DataFrame(found).to_json(CACHE / "methods.json", orient="records", indent=1)
    return 0


def table(recorded: pd.DataFrame, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """n rows in the form of peers/fit.py, drawn from the recorded ones."""
    more = n > len(recorded)
    rows = recorded.iloc[rng.choice(len(recorded), n, replace=more)]
    y = rows["accuracy"].to_numpy()
    columns, kinds, lows, highs = [], [], [], []
    for name in space.HYPERPARAMETERS:
        row = space.SPACE[name]
        values = rows[name]
        if row.choices is not None:
            numbers = values.map({choice: k for k, choice in enumerate(row.choices)}).to_numpy(
                float
            )
            low, high = 0.0, len(row.choices) - 1.0
        else:
            low, high = row.bounds
            numbers = values.to_numpy(float)
            if row.log:
                numbers, low, high = np.log10(numbers), np.log10(low), np.log10(high)
            if more and row.kind == "float":
                moved = numbers + (high - low) * rng.uniform(-0.01, 0.01, n)
                numbers = np.clip(moved, low, high)
        columns.append(numbers)
        kinds.append(row.kind)
        lows.append(low)
        highs.append(high)
    if more:
        y = np.clip(y + rng.normal(0, 0.01, n), 0, 1)
    return {
        "X": np.column_stack(columns),
        "y": y,
        "kind": np.array(kinds),
        "low": np.array(lows),
        "high": np.array(highs),
    }


def measure(contender: Contender, path: Path, limit: float, repeats: int) -> Outcome:
    """Fits of a method in a process of its own."""
    try:
        python = environment(contender.environment)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "").strip().splitlines()
        return Outcome(note=f"cannot be installed: {said[-1] if said else error}")
    command = [python, PEERS / "fit.py", contender.method, path, str(limit), str(repeats)]
    run = subprocess.run(
        [*map(str, command)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    fits = [json.loads(one) for one in run.stdout.splitlines() if one.startswith('{"seconds"')]
    seconds = tuple(fit["seconds"] for fit in fits)
    scores = tuple(fits[-1]["scores"]) if fits else None
    if run.returncode == 0:
        return Outcome(seconds, scores)
    if run.returncode == -27 and not fits:  # SIGPROF
        return Outcome(note=f"over {limit:g} s")
    said = run.stderr.strip().splitlines()
    return Outcome(seconds, scores, f"failed: {said[-1] if said else run.returncode}")


def environment(name: str | None) -> Path:
    """The interpreter of an environment, which is made where its pins are new or have changed.

    Raises CalledProcessError where they cannot be installed.
    """
    if name is None:
        return Path(sys.executable)
    # What a package needs to be compiled comes first, and is what it is compiled with.
    lists = [
        path for path in (PEERS / f"{name}-build.txt", PEERS / f"{name}.txt") if path.is_file()
    ]
    pins = sha256(b"".join(path.read_bytes() for path in lists)).hexdigest()
    folder = CACHE / name
    python, stamp = folder / "bin" / "python", folder / "pins"
    if not stamp.is_file() or stamp.read_text() != pins:
        print(f"(making {folder.relative_to(ROOT)})", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        for path in lists:
            pip = [
                python,
                "-m",
                "pip",
                "--disable-pip-version-check",
                "install",
                "--quiet",
                "--no-deps",
            ]
            command = [*pip, *(["--no-build-isolation"] if len(lists) > 1 else []), "-r", path]
            subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
        stamp.write_text(pins)
    return python


HEADER = (
    f"{'':<31} {'package':<26} {'fits':>4} {'median s':>9} {'fastest':>8} {'slowest':>8} "
    f"{'times ours':>10} {'tau':>5}"
)


def line(contender: Contender, outcome: Outcome, ours: Outcome | None) -> str:
    """A row of the printed table."""
    text = f"{contender.label:<31} {pinned(contender):<26} {len(outcome.seconds):>4}"
    if not outcome.seconds:
        return f"{text} {outcome.note}"
    median = statistics.median(outcome.seconds)
    text += f" {median:>9.3f} {min(outcome.seconds):>8.3f} {max(outcome.seconds):>8.3f}"
    if ours is not None and ours.scores is not None and contender.method != contender.ours:
        tau = kendalltau(outcome.scores, ours.scores).statistic
        text += f" {median / statistics.median(ours.seconds):>10.1f} {tau:>5.2f}"
    return f"{text} {outcome.note}".rstrip()


def pinned(contender: Contender) -> str:
    """The package and its version."""
    command = f"from importlib.metadata import version; print(version({contender.package!r}))"
    try:
        python = environment(contender.environment)
        asked = [str(python), "-c", command]
        found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except subprocess.CalledProcessError:
        return contender.package
    return f"{contender.package} {found}"


if __name__ == "__main__":
    sys.exit(main())
