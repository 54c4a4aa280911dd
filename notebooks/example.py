# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # N-RReliefF by hand
#
# **Computed by hand from {doc}`method`'s equations, the weights of five configurations are those of
# `hia.relief.NRReliefF`, to twelve digits.**
#
# Five invented configurations have two hyperparameters, a number and a category. Every row is
# sampled once, as everywhere in this book.
#
# :::{caption} table-example-rows
# Five configurations and their accuracies (invented).
# :::

# %% tags=["parameters"]
n_neighbors = 2  # J, neighbours of each configuration; 1 to 4
sigma = 2.0  # decay of a neighbour's influence with its rank, small to show the effect; above 0

# %% tags=["show-input"]
import numpy as np
import pandas as pd

from hia.relief import NRReliefF, joint_importance
from hia_book.claims import claim, glue, need
from hia_book.figures import show_table

rows = pd.DataFrame({"log10 lr": [-5.0, -4.5, -3.0, -2.3, -2.0]}, pd.RangeIndex(1, 6, name="m"))
rows["optimizer"] = ["SGD", "SGD", "SGD", "Adam", "Adam"]
rows["accuracy"] = [0.10, 0.15, 0.40, 0.75, 0.70]
show_table(rows.reset_index(), "table-example-rows", {"log10 lr": ".1f", "accuracy": ".2f"})

# %% [markdown]
# **Differences and distances.** The number is divided by its range; the category differs by 0 or 1.
# {numref}`table-example-distances` has the Euclidean distances. A row is not its own neighbour.
#
# :::{caption} table-example-distances
# Distances between configurations.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the distances and their code"}
lr, optimizer, p = (rows[name].to_numpy() for name in rows)
diff = {"log10 lr": np.abs(lr[:, None] - lr) / np.ptp(lr)}
diff["optimizer"] = (optimizer[:, None] != optimizer).astype(float)
diff_p = np.abs(p[:, None] - p)
distance = np.sqrt(diff["log10 lr"] ** 2 + diff["optimizer"] ** 2)
np.fill_diagonal(distance, np.nan)

matrix = pd.DataFrame(distance, columns=[f"to {m}" for m in rows.index])
matrix.insert(0, "m", rows.index)
show_table(matrix, "table-example-distances", dict.fromkeys(matrix.columns[1:], ".3f"))

# %% [markdown]
# **Neighbours and their influence.** Each line of {numref}`table-example-neighbours` is one
# neighbour of one configuration, with its rank, its influence, and their differences.
#
# :::{caption} table-example-neighbours
# The {glue:text}`n_neighbors` nearest neighbours of each configuration.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the neighbours and their code"}
m = np.repeat(np.arange(len(rows)), n_neighbors)
nearest = np.argsort(distance, axis=1)[:, :n_neighbors].ravel()  # NaN comes last
rank = np.tile(np.arange(1, n_neighbors + 1), len(rows))
d = np.exp(-((rank / sigma) ** 2))
d = d / d[:n_neighbors].sum()

terms = pd.DataFrame({"m": rows.index[m], "neighbour": rows.index[nearest], "rank": rank, "d": d})
terms["diff p"] = diff_p[m, nearest]
for name, differences in diff.items():
    terms[f"diff {name}"] = differences[m, nearest]
glue(n_neighbors=n_neighbors)
show_table(terms, "table-example-neighbours", dict.fromkeys(terms.columns[3:], ".3f"))

# %% [markdown]
# **Sums and weights.** Equations {eq}`eq-12` to {eq}`eq-14` are summed over all lines and divided
# by the number of configurations; {eq}`eq-10` follows. The last column of
# {numref}`table-example-weights` is from `hia.relief.NRReliefF` on the same rows.
#
# :::{caption} table-example-weights
# The sums, and each weight: by hand, in its other form, and by the package.
# :::

# %% tags=["show-input"]
n_p = (terms["diff p"] * terms["d"]).sum() / len(rows)
by_hand = []
for name in diff:
    n_theta = (terms[f"diff {name}"] * terms["d"]).sum() / len(rows)
    n_both = (terms["diff p"] * terms[f"diff {name}"] * terms["d"]).sum() / len(rows)
    W = n_both / n_p - (n_theta - n_both) / (1 - n_p)
    covariance = (n_both - n_p * n_theta) / (n_p * (1 - n_p))
    by_hand.append((name, n_p, n_theta, n_both, W, covariance))
columns = ["hyperparameter", "N diff p", "N diff θ", "N both", "W", "W as a covariance"]
weights = pd.DataFrame(by_hand, columns=columns)
relief = NRReliefF(n_neighbors=n_neighbors, sigma=sigma).fit(rows[list(diff)], p)
weights["W of hia.relief"] = relief.weights_
show_table(weights, "table-example-weights", dict.fromkeys(weights.columns[1:], ".6f"))

# %% tags=["show-input"]
need((weights["W"] > 0).any(), "no weight is above 0, so there are no shares")
positive = np.maximum(weights["W"], 0)
shares = pd.Series((positive / positive.sum()).to_numpy(), index=list(diff))
pair = joint_importance(shares)["weight"].iloc[0]
difference = np.abs(weights["W"] - relief.weights_).max()
claim("the weights by hand and by the package are the same to twelve digits", difference < 1e-12)
both_forms = np.allclose(weights["W"], weights["W as a covariance"])
claim("both forms of the weight are the same", both_forms)
claim("the only pair of two hyperparameters has the weight 1", np.isclose(pair, 1))
glue(lr=shares["log10 lr"], optimizer=shares["optimizer"], pair=pair)

# %% [markdown]
# By hand and by the package, the weights agree to twelve digits.
#
# **Shares.** Scaled to sum to 1, the weights are {glue:text}`lr:.3f` for the learning rate and
# {glue:text}`optimizer:.3f` for the optimizer.
#
# **Pairs.** {eq}`eq-11` gives the only pair the weight {glue:text}`pair:.0f`, as it always does
# with two hyperparameters.
