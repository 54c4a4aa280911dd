"""Write the tables of configurations that `hia study` trains beside a plan's.

    python studies/configurations.py [NAME ...] [--trials data/trials.parquet] [--to studies]

- replicates: `CONFIGURATIONS` of each data set, with `REPLICATES` other seeds each. They are among
  its first `FIRST` trials, so that the choice stays as it is when the study grows.
- scaling: the same configurations, with the trial's own seed, on a quarter, half, all and twice the
  trial's training images, as far as there are so many; the validation images stay the same.
- precision: the same configurations with the trial's own seed and images, in bfloat16.
- screening: the runs of the folded Plackett-Burman design (`hia_book.screening`) with
  `SCREENING_SEEDS` seeds each, on as many images as the trials of the data set.

All but `precision` with the precision of the trials.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from hia import datasets, space, trials
from hia.study import plans
from hia.study.plans import Row
from hia_book import noise, screening

CONFIGURATIONS = 12  # of each data set, in replicates and scaling
FIRST = 100  # trials of a data set, among which these are chosen
REPLICATES = 5
SCREENING_SEEDS = 3


def choose(table: pd.DataFrame, per_dataset: int = CONFIGURATIONS) -> pd.DataFrame:
    """Of a data set's n random trials below number `FIRST`, sorted by accuracy (and number), those
    at the places (k + 1/2) n / per_dataset, rounded down, k = 0, 1, ...; all where there are fewer.

    Equal steps in rank, not in accuracy, make it a sample in which every kind of trial has its
    weight: a mean over the rows estimates the mean over the study.
    """
    picked = []
    eligible = table[(table["source"] == "random") & (table["trial"] < FIRST)]
    for _, rows in eligible.groupby("dataset", sort=False):
        ordered = rows.sort_values(["accuracy", "trial"])
        n = min(per_dataset, len(ordered))
        picked.append(ordered.iloc[((np.arange(n) + 0.5) * len(ordered) / n).astype(int)])
    return pd.concat(picked) if picked else table.head(0)


def replicates(table: pd.DataFrame) -> Iterator[Row]:
    for row in plans.plain(choose(table)):
        for replicate in range(1, REPLICATES + 1):
            seed = plans.seed(f"replicates/{row['dataset']}/{row['trial']}", replicate)
            yield row | {"replicate": replicate, "seed": seed}


def scaling(table: pd.DataFrame) -> Iterator[Row]:
    for name, rows in choose(table).groupby("dataset", sort=False):
        total = len(datasets.read(str(name)).labels)
        available = total - -(-total // datasets.VALIDATION_EVERY)
        for row in plans.plain(rows):
            before = 0
            for fraction in noise.FRACTIONS:
                images = min(round(fraction * row["images"]), available)
                if images > before:
                    yield row | {"fraction": fraction, "images": images}
                before = images


def precision(table: pd.DataFrame) -> Iterator[Row]:
    for row in plans.plain(choose(table)):
        yield row | {"precision": "bf16"}


def screen(table: pd.DataFrame) -> Iterator[Row]:
    configs = screening.configs(screening.design(len(space.HYPERPARAMETERS)))
    for name, rows in table.groupby("dataset", sort=False):
        alike = plans.plain(rows[["images", "val_images", "precision"]].drop_duplicates())
        if len(alike) > 1:
            raise ValueError(
                f"{name}: the trials differ in images, val_images or precision, "
                f"{' and '.join(str(tuple(one.values())) for one in alike)}; screening needs one"
            )
        for (run, config), replicate in product(enumerate(configs), range(1, SCREENING_SEEDS + 1)):
            seed = plans.seed(f"screening/{name}/{run}", replicate)
            key = {"dataset": str(name), "run": run, "replicate": replicate, "seed": seed}
            yield dict.fromkeys(space.SPACE) | config | alike[0] | key


TABLES = {
    **{"replicates": replicates, "scaling": scaling, "precision": precision, "screening": screen}
}


def configurations(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """What the table NAME.csv holds, from the table of trials."""
    columns = trials.given_columns(trials.TABLES[name])
    rows = pd.DataFrame(TABLES[name](table), columns=columns)
    return rows.astype(dict.fromkeys(space.FILTERS, "Int64"))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("name", nargs="*", choices=[*TABLES, []], help="default: all")
    parser.add_argument("--trials", type=Path, default=Path("data/trials.parquet"))
    parser.add_argument("--to", type=Path, default=Path("studies"), help="folder")
    options = parser.parse_args(arguments)
    table = trials.load(options.trials)
    for name in options.name or TABLES:
        path = options.to / f"{name}.csv"
        rows = configurations(name, table)
        rows.to_csv(path, index=False)
        print(f"{path}: {len(rows):,} CNNs; `hia study {path}` trains them", flush=True)


if __name__ == "__main__":
    main()
