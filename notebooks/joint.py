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
# The paper gives every pair of hyperparameters a weight by {eq}`eq-11`, and lists the ten largest
# (its Table 5). {numref}`table-5` has ours beside them, and {numref}`fig-pairs` what the equation
# cannot know: which hyperparameters work together.

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
n_trees = 16  # trees of functional ANOVA's forest, for the interactions
min_samples_leaf = 3  # the fewest CNNs in a leaf of it
random_state = 0  # seed of these and of the forest

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from scipy.stats import kendalltau

from hia.ranking.fanova import FAnova, measure_options
from hia.relief import NRReliefF, joint_importance
from hia.space import HYPERPARAMETERS, SPACE
from hia.trials import design, load, select
from hia_book import published
from hia_book.figures import (
    WIDTH,
    look,
    show_agreement,
    show_figure,
    show_table,
    show_text,
    use_style,
)

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
def trusted(tau: float) -> str:
    """The agreement, with an interval where the CNNs are independent draws: a bootstrap over CNNs
    takes them for that, and BOHB's depend on each other."""
    drawn = rows["source"] == "random"
    if not drawn.any():
        return f"{tau:.2f}. It has no interval, for BOHB's are not independent draws"
    own, own_tau = X[drawn], tau
    if not drawn.all():
        alone = NRReliefF(n_neighbors=n_neighbors, sigma=sigma, metric=metric, scale=scale)
        own_tau = agreement(alone.fit(own, rows.loc[drawn, "accuracy"]).weights_)
    resampled = relief.bootstrap(own, rows.loc[drawn, "accuracy"], n_resamples, random_state)
    found = [agreement(weights) for weights in resampled]
    if np.isnan(own_tau) or np.isnan(found).all():
        return f"{tau:.2f}; random search's CNNs alone give no weight above 0"
    low, high = np.nanquantile(found, [0.025, 0.975])
    interval = f"between {low:.2f} and {high:.2f} (95 % bootstrap interval)"
    if drawn.all():
        return f"{tau:.2f}; with other CNNs of the same kind it would be {interval}"
    return (
        f"{tau:.2f}. From random search's {drawn.sum():,} CNNs alone it is {own_tau:.2f}, and with "
        f"other CNNs of the same kind it would be {interval}; BOHB's are not independent draws, so "
        "for all together no interval is given"
    )


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
    show_agreement(
        "table-5",
        f"{len(in_paper & ours)} of the paper's {len(in_paper)} pairs, as labelled, are among our "
        f"first {len(ours)}. Over all pairs, the paper's computed from its Table 3, Kendall's "
        f"$\\tau$ is {trusted(tau)}. This agreement adds little to that of Table 3: the "
        f"{len(pairs)} pairs are made of {len(columns)} numbers.",
    )
else:
    show_agreement("table-5", "None: no weight of ours is above 0.")

# %% [markdown]
# The labels of the paper's pairs are out of step with their weights; {numref}`table-audit-labels`
# shows which pair each weight belongs to.
#
# ## What a weight of a pair means
#
# The shares sum to 1, so {eq}`eq-11` is $e^{W[\Theta_a] + W[\Theta_b] - 1}$: it rises with the sum
# of two shares and depends on nothing else. Two hyperparameters that only work together and two
# that do not touch each other get the same weight if their shares are the same. The table measures
# no interaction.
#
# Functional ANOVA does. The interaction of two hyperparameters is the part of the variance that
# they explain together and neither explains alone {cite:p}`hutter2014efficient`.
# {numref}`fig-pairs` has both.

# %%
forest = FAnova(
    n_trees, min_samples_leaf, random_state=random_state, **measure_options(SPACE, columns)
).fit(design(rows, columns, log=False), rows["accuracy"])
interactions = forest.pair_importances()


def triangle(table: pd.DataFrame, below: bool) -> pd.DataFrame:
    """A table of pairs as half a square (hyperparameters, hyperparameters)."""
    square = pd.DataFrame(np.nan, index=columns, columns=columns)
    for pair in table.itertuples():
        first, second = sorted((pair.first, pair.second), key=columns.index)
        place = (second, first) if below else (first, second)
        square.loc[place] = pair.weight
    return square


halves = [
    (triangle(interactions, below=False), look("fanova")["color"], lambda x: f"{100 * x:.1f}"),
    (triangle(pairs, below=True), look("nrrelieff")["color"], lambda x: f"{x:.2f}"),
]
figure, ax = plt.subplots(figsize=(WIDTH, 5))
for square, color, written_as in halves:
    if square.notna().any(axis=None):
        weakest, strongest = square.min(axis=None), square.max(axis=None)
        colors = LinearSegmentedColormap.from_list("half", [f"{color}00", f"{color}FF"])
        ax.imshow(square, cmap=colors, vmin=weakest, vmax=strongest)
        for (row, column), weight in np.ndenumerate(square.to_numpy()):
            if np.isfinite(weight):
                strong = weight - weakest > 0.7 * (strongest - weakest)
                ink = "white" if strong else "black"
                text = written_as(weight)
                ax.text(column, row, text, ha="center", va="center", color=ink, fontsize=9.5)
ax.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
ax.set_yticks(range(len(columns)), columns)
ax.spines[:].set_visible(False)
ax.tick_params(length=0)
top_interaction = interactions.iloc[0]
shown = interactions.rename(columns={"weight": "interaction"})
if something:
    by_equation = by_pair(pairs)
    shown["eq_11"] = [
        by_equation[frozenset(pair)] for pair in shown[["first", "second"]].to_numpy()
    ]
show_figure(
    figure,
    "fig-pairs",
    f"Two answers about the same {len(interactions)} pairs. Below the diagonal, blue: the weight "
    "by {eq}`eq-11`, from our shares. Above it, orange: the interaction by functional ANOVA, in "
    "percent of the variance of the forest's predictions.",
    alt="A square of coloured cells, one half for each measure. "
    + (f"Largest by Eq. 11: {pairs['first'][0]} with {pairs['second'][0]}. " if something else "")
    + f"Largest interaction: {top_interaction['first']} with {top_interaction['second']}, "
    f"{top_interaction['weight']:.1%}.",
    data=shown,
)

# %%
most = interactions.head(3)
says = (
    "The largest interactions are "
    + "; ".join(f"{written(pair)} ({pair.weight:.1%})" for pair in most.itertuples())
    + f". Of the variance of the forest's predictions all {len(interactions)} together explain "
    f"{interactions['weight'].sum():.0%} and the hyperparameters alone "
    f"{forest.importances_.sum():.0%}; what is left are interactions of three or more, and noise "
    f"that it has learnt. These sums are of a forest whose leaves have {min_samples_leaf} CNNs at "
    "least; another forest, as that of {numref}`table-4`, has others, and only orders should be "
    "compared."
)
if something:
    tau = kendalltau(shown["eq_11"], shown["interaction"]).statistic
    says += f" Kendall's $\\tau$ between the two orders of the pairs is {tau:.2f}: " + (
        "what matters much alone also takes part in interactions, but in which ones {eq}`eq-11` "
        "does not say."
        if tau > 0.3
        else "{eq}`eq-11` says next to nothing about interactions."
    )
if "in_channel_num" in columns:
    says += (
        " `in_channel_num` stands for the data set: an interaction with it says that other values "
        "are good on other data sets."
    )
show_text(says)
