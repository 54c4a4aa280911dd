"""Plans of small studies, and rows of CNNs that nobody has trained, for tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hia import space, trials
from hia.study import plans
from hia_book import screening

# Of a CNN that learns `digits`.
CONFIG: space.Config = {
    "num_conv_layers": 2,
    "lr": 3e-3,
    "dropout_rate": 0.2,
    "optimizer": "Adam",
    "epoch": 3,
    "stride": 1,
    "padding": 1,
    "kernel": 3,
    "num_fc_units": 64,
    "batch_size": 32,
    "num_filters_1": 16,
    "num_filters_2": 20,
    "num_filters_3": 9,
}


def digits_plan(folder: Path, models: int, before: str = "", images: int = 200) -> plans.Plan:
    """The plan of a file plan.toml in the folder; before: what it says at its top."""
    path = folder / "plan.toml"
    path.write_text(f"{before}[datasets.digits]\nmodels = {models}\nmax_images = {images}\n")
    return plans.load_plan(path)


def row(rng: np.random.Generator, config: space.Config | None = None, **values: Any) -> dict:
    """A row of a random configuration, or of this one, with these values."""
    config = space.validate(config or space.sample(rng)) | values
    accuracies = rng.uniform(0.1, 0.9, config["epoch"]).tolist()
    return {
        "dataset": "digits",
        "source": "random",
        "trial": 0,
        "in_channel_num": 1,
        **dict.fromkeys(space.FILTERS),
        "accuracy": accuracies[-1],
        "accuracy_per_epoch": accuracies,
        "loss": float(rng.uniform(0, 2)),
        "seconds": 1.5,
        "cpu_seconds": 1.25,
        "parameters": 1000,
        "flops": 10_000,
        "images": 160,
        "val_images": 40,
        "seed": int(rng.integers(2**32)),
        "diverged": False,
        "precision": "float32",
        "lr_scale": "log",
        "processor": "a processor",
        **config,
    }


def raw(name: str) -> pd.DataFrame:
    """A table, "trials" or one of `trials.TABLES`, of two data sets as it is put together from
    rows: unsorted, with the types that pandas guesses."""
    rng = np.random.default_rng(0)
    rows = []
    for dataset in ("usps", "digits"):
        own: dict[str, Any] = {"dataset": dataset}
        if name == "screening":
            for run, config in enumerate(screening.configs(screening.design(11))):
                rows += [row(rng, config, **own, run=run, replicate=one) for one in (2, 1)]
            continue
        for trial in (8, 2, 5, 9):
            own |= {"trial": trial, "source": "random" if trial % 2 else "bohb"}
            config = space.sample(rng)
            if name == "replicates":
                rows += [row(rng, config, **own, replicate=one) for one in (3, 1, 2)]
            elif name == "scaling":
                rows += [row(rng, config, **own, fraction=one) for one in (0.25, 1.0, 2.0)]
            else:
                rows.append(row(rng, config, **own))
    names = trials.COLUMNS if name == "trials" else trials.columns(trials.TABLES[name])
    return pd.DataFrame(rows)[list(reversed(names))]
