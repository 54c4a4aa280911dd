"""Tables of trials that nobody has run: of anyone's search, and of the paper's space."""

import numpy as np
import pandas as pd

from hia import space


def search(n: int = 160, seed: int = 0) -> pd.DataFrame:
    """`lr` matters most, on its logarithm, then `optimizer`; `idle` and `spare` do not."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "lr": 10 ** rng.uniform(-5, -1, n),
            "optimizer": rng.choice(["sgd", "adam"], n),
            "idle": rng.integers(1, 65, n),
            "spare": rng.uniform(0, 0.9, n),
        }
    )
    score = np.log10(table["lr"]) / 5 + 0.25 * (table["optimizer"] == "adam")
    return table.assign(accuracy=0.9 + 0.7 * score + rng.uniform(-0.02, 0.02, n))


def trials(n: int, seed: int = 0, best_lr: float = 1e-3) -> pd.DataFrame:
    """Of random search in Table 1, in grey: lr decides most of the accuracy, the optimizer some."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame([space.sample(rng) for _ in range(n)])
    for layer, name in enumerate(space.FILTERS, start=1):
        rows[name] = rows[name].astype("Int64").where(rows["num_conv_layers"] >= layer)
    away = (np.log10(rows["lr"]) - np.log10(best_lr)).abs() / 4
    accuracy = 0.8 - 0.6 * away.clip(upper=1) + 0.1 * (rows["optimizer"] == "Adam")
    accuracy += rng.uniform(0, 0.02, n)
    return rows.assign(in_channel_num=1, source="random", lr_scale="log", accuracy=accuracy)
