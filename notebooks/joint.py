# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Pairs
#
# The paper gives every pair of hyperparameters a weight of its own by {eq}`eq-11`, and lists the
# ten largest (its Table 5). The equation takes the shares of the single hyperparameters and nothing
# else.

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
datasets = []  # names of data sets to use, such as [mnist, usps]; empty: all
sources = ["random", "bohb"]  # how the configurations used were found
n_neighbors = 30  # J, neighbours of each CNN; the paper's value
sigma = 20.0  # decay of a neighbour's influence with its rank
metric = "euclidean"  # distance between configurations: euclidean or manhattan
scale = "range"  # what the distance is computed on: range, or none for raw values
log_lr = True  # take the learning rate on its logarithm
top = 10  # pairs listed; the paper lists ten
n_resamples = 200  # bootstrap samples for the interval of the agreement
random_state = 0  # seed of these

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from hia import published
from hia.figures import show_agreement, show_figure, show_table, show_text, use_style
from hia.relief import NRReliefF, joint_importance
from hia.space import HYPERPARAMETERS
from hia.trials import design, load, select

use_style()
rows = select(load(trials), datasets, sources)
columns = [name for name in HYPERPARAMETERS if (rows[name] != rows[name].iloc[0]).any()]
relief = NRReliefF(n_neighbors=n_neighbors, sigma=sigma, metric=metric, scale=scale)
X = design(rows, columns, log=log_lr)
relief.fit(X, rows["accuracy"])
# Without a weight above 0 there are no shares and no pairs.
shares = pd.Series(np.nan, columns)
pairs = pd.DataFrame(columns=["first", "second", "weight"])
if something := bool((relief.weights_ > 0).any()):
    shares[:] = relief.importances_
    pairs = relief.joint_importances()


def written(pair) -> str:
    return f"`{pair.first}`, `{pair.second}`"


printed = published.table(5)
table5 = pd.DataFrame(
    {
        "Paper": pd.Series([written(pair) for pair in printed.itertuples()]),
        "Weight": printed["weight"],
    }
)
if something:
    table5 = pd.concat(
        [
            table5,
            pd.DataFrame(
                {
                    "Ours": [written(pair) for pair in pairs.head(top).itertuples()],
                    "Our weight": pairs["weight"].head(top),
                }
            ),
        ],
        axis=1,
    )
else:
    show_text(
        f"**No pairs of ours:** none of the weights of N-RReliefF from these {len(rows):,} CNNs is "
        "above 0, so there are no shares to put into {eq}`eq-11`."
    )
table5.insert(0, "Rank", table5.index + 1)
show_table(
    table5,
    "table-5",
    "The pairs of the largest weight: the paper's Table 5 as printed"
    + (f", and ours from {len(rows):,} CNNs." if something else "."),
    {"Weight": ".6f"} | ({"Our weight": ".6f"} if something else {}),
)

# %%
from_table3 = joint_importance(published.table(3).set_index("hyperparameter")["weight"])


def by_pair(table: pd.DataFrame) -> pd.Series:
    """Weights by pairs, whichever of the two is named first."""
    return pd.Series({frozenset((row.first, row.second)): row.weight for row in table.itertuples()})


if something:
    zero = [name for name in columns if shares[name] == 0]
    ties = int(pairs["weight"].duplicated(keep=False).sum())
    in_paper = set(by_pair(printed).index)
    ours = set(by_pair(pairs.head(len(printed))).index)
    paper_leader = published.table(3).nlargest(1, "weight")["hyperparameter"].item()
    with_leader = int(pairs.head(top)[["first", "second"]].eq(shares.idxmax()).any(axis=1).sum())
    show_text(
        f"All of the paper's {len(in_paper)} pairs contain `{paper_leader}`, which has the largest "
        f"share; {with_leader} of our first {top} contain ours, `{shares.idxmax()}`."
        + (
            f" {len(zero)} of our shares are 0 ({', '.join(f'`{name}`' for name in zero)}), so "
            f"that {ties} of the {len(pairs)} pairs have the same weight as another; those are "
            "listed in the order of {numref}`table-3`."
            if zero
            else ""
        )
    )
    paper = by_pair(from_table3)

    def agreement(weights: np.ndarray) -> float:
        """Kendall's tau with the order of the paper's pairs, of those that both have."""
        share = np.maximum(weights, 0)
        if not share.any():
            return np.nan
        both = pd.DataFrame(
            {
                "paper": paper,
                "ours": by_pair(joint_importance(pd.Series(share / share.sum(), columns))),
            }
        ).dropna()
        return float(kendalltau(both["paper"], both["ours"]).statistic)

    tau = agreement(relief.weights_)
    resampled = relief.bootstrap(X, rows["accuracy"], n_resamples, random_state)
    low, high = np.nanquantile([agreement(weights) for weights in resampled], [0.025, 0.975])
    show_agreement(
        "table-5",
        f"{len(in_paper & ours)} of the paper's {len(in_paper)} pairs, as labelled, are among our "
        f"first {len(ours)}. Over all pairs, the paper's computed from its Table 3, Kendall's "
        f"$\\tau$ is {tau:.2f}; with other CNNs of the same kind it would be between {low:.2f} and "
        f"{high:.2f} (95 % bootstrap interval). It adds little to that of Table 3: the "
        f"{len(pairs)} pairs are made of {len(columns)} numbers.",
    )
else:
    show_agreement("table-5", "None: no weight of ours is above 0.")

# %%
if something:
    square = pd.DataFrame(np.nan, index=columns, columns=columns)
    for pair in pairs.itertuples():
        square.loc[pair.second, pair.first] = pair.weight
    lower = square.iloc[1:, :-1]
    figure, axes = plt.subplots(figsize=(5.4, 5))
    axes.imshow(lower, cmap="cividis")
    light = (pairs["weight"].min() + pairs["weight"].max()) / 2
    for i, j in zip(*np.nonzero(lower.notna().to_numpy()), strict=True):
        weight = lower.iloc[i, j]
        color = "black" if weight > light else "white"
        axes.text(j, i, f"{weight:.2f}", ha="center", va="center", color=color, fontsize=9)
    axes.set_xticks(range(lower.shape[1]), lower.columns, rotation=45, ha="right")
    axes.set_yticks(range(lower.shape[0]), lower.index)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    show_figure(
        figure,
        "fig-pairs",
        f"Weights of all {len(pairs)} pairs by {{eq}}`eq-11`, from our shares.",
        alt=f"Heat map of the weights of all pairs, from {pairs['weight'].min():.2f} to "
        f"{pairs['weight'].max():.2f}; the largest is {pairs['first'][0]} with "
        f"{pairs['second'][0]}.",
        data=pairs,
    )

# %% [markdown]
# ## The paper's labels
#
# The paper's Table 5 can be computed from its Table 3. {numref}`table-5-check` looks for the pair
# whose weight by {eq}`eq-11` is the printed number.

# %%
digits = 1e-6  # Both tables are printed to six digits.
check = []
for row in printed.itertuples():
    gap = (from_table3["weight"] - row.weight).abs()
    nearest = from_table3.loc[gap.idxmin()]
    match = gap.min() <= digits
    check.append(
        {
            "Printed weight": row.weight,
            "Printed label": written(row),
            "Pair with that weight": written(nearest) if match else "none",
            "Weight by Eq. 11": nearest["weight"] if match else np.nan,
            "right": match and {nearest["first"], nearest["second"]} == {row.first, row.second},
        }
    )
check = pd.DataFrame(check)
show_table(
    check.assign(right=check["right"].map({True: "yes", False: "no"})).rename(
        columns={"right": "Label right"}
    ),
    "table-5-check",
    "The paper's Table 5, computed from its Table 3.",
    {"Printed weight": ".6f", "Weight by Eq. 11": ".6f"},
)

# %%
matched = int((check["Pair with that weight"] != "none").sum())
wrong = int((~check["right"]).sum())
lr = next(row for row in printed.itertuples() if "lr" in (row.first, row.second))
first = check.iloc[0]
show_text(
    f"{matched} of the {len(check)} weights are those of {{eq}}`eq-11` on the paper's Table 3, to "
    "one unit of the sixth digit. "
    f"{wrong} of the labels belong to another pair: the largest weight is that of "
    f"{first['Pair with that weight']}, printed as {first['Printed label']}, while `lr` is printed "
    f"at rank {lr.rank}."
    if wrong
    else f"{matched} of the {len(check)} weights are those of {{eq}}`eq-11` on the paper's Table "
    "3, and all labels are right."
)

# %% [markdown]
# ## What a weight of a pair means
#
# The shares sum to 1, so {eq}`eq-11` is $e^{W[\Theta_a] + W[\Theta_b] - 1}$: it rises with the sum
# of two shares and depends on nothing else. The order of the pairs is the order of these sums, and
# the weights of all pairs follow from those of the single hyperparameters. Two hyperparameters that
# only work together and two that do not touch each other get the same weight if their shares are
# the same. The table measures no interaction.

# %%
if something:
    sums = shares[pairs["first"]].to_numpy() + shares[pairs["second"]].to_numpy()
    gap = float((np.log(pairs["weight"]) + 1 - sums).abs().max())
    show_text(
        f"For our {len(pairs)} pairs, the logarithm of the weight plus 1 differs from the sum of "
        f"the two shares by at most {gap:.1e}."
    )
