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
# **The paper's weight of a pair depends only on the sum of two shares, so it cannot say which
# hyperparameters work together. Here `lr` interacts most with `optimizer`: SGD's good learning
# rates are higher than Adam's.**
#
# {numref}`fig-pairs` shows two measures of the same {glue:text}`n_pairs` pairs. Below the diagonal
# is the paper's weight by {eq}`eq-11`. Above it is the interaction by functional ANOVA: the part of
# the variance that two hyperparameters explain together and neither explains alone
# {cite:p}`hutter2014efficient`. {doc}`curves` shows the learning rates that suit each optimizer.
#
# :::{caption} fig-pairs
# :alt: A square of coloured cells: below the diagonal the column and row of lr stand out, above it
#   the cell of lr with optimizer
#
# Two measures of the same pairs. Below the diagonal, blue: the paper's weight by {eq}`eq-11`, from
# our shares. Above it, orange: the interaction by functional ANOVA, in percent of the variance of
# the forest's predictions.
# :::

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
datasets: list[str] = []  # data sets to use, all if empty; choices: hia.datasets.NAMES
sources: list[str] = []  # how configurations were found, all if empty; choices: hia.trials.SOURCES
n_neighbors = 30  # J, neighbours of each CNN, the paper's value; at least 1
sigma = 20.0  # decay of a neighbour's influence with its rank; above 0
metric = "euclidean"  # distance between configurations; choices: euclidean, manhattan
scale = "range"  # what the distance is computed on, raw values by none; choices: range, none
log_lr: bool | None = None  # learning rate on its logarithm; null: where it was drawn on it
top = 10  # pairs listed, as many as in the paper; at least 1
n_resamples = 200  # bootstrap samples for the interval of the agreement; at least 1
n_trees = 16  # trees of functional ANOVA's forest, for the interactions; at least 1
min_samples_leaf = 3  # the fewest CNNs in a leaf of it; at least 1
random_state = 0  # seed of these and of the forest; 0 to 4294967295

# %%
from itertools import zip_longest

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from hia.ranking.fanova import FAnova
from hia.relief import NRReliefF, joint_importance
from hia.relief import shares as relief_shares
from hia.trials import load
from hia_book import published
from hia_book.claims import claim, glue, need
from hia_book.figures import draw_cells, look, panels, show_figure, show_table
from hia_book.rankings import by_pair, design, drawn_space, select, square, varying

rows = select(load(trials), datasets, sources)
need(len(rows) > n_neighbors, f"{n_neighbors} neighbours need more than {len(rows)} CNNs")
columns = varying(rows)
X, accuracy = design(rows, columns, log=log_lr), rows["accuracy"]
relief = NRReliefF(n_neighbors=n_neighbors, sigma=sigma, metric=metric, scale=scale)
relief.fit(X, accuracy)
need((relief.weights_ > 0).any(), "no weight of N-RReliefF is above 0, so no pair has a weight")
shares = pd.Series(relief.importances_, columns)
pairs = relief.joint_importances()
space = drawn_space(rows)
forest = FAnova(n_trees, min_samples_leaf, random_state=random_state, space=space)
forest.fit(design(rows, columns, log=False), accuracy)
interactions = forest.pair_importances()

# %%
figure, ax = panels(5)
below = np.tri(len(columns), k=-1, dtype=bool)
draw_cells(ax, square(pairs, columns).where(below), look("nrrelieff")["color"], ".2f")
above = 100 * square(interactions, columns).where(below.T)
draw_cells(ax, above, look("fanova")["color"], ".1f")
weights = by_pair(pairs)
both = interactions.rename(columns={"weight": "interaction"})
both["eq_11"] = [weights[frozenset(pair)] for pair in both[["first", "second"]].to_numpy()]
show_figure(figure, "fig-pairs", data=both)

# %%
largest, *next_two = [{row.first, row.second} for row in interactions.head(3).itertuples()]
tau = kendalltau(both["eq_11"], both["interaction"]).statistic
of_channels = [{"lr", "in_channel_num"}, {"optimizer", "in_channel_num"}]
claim("the largest interaction is of `lr` with `optimizer`", largest == {"lr", "optimizer"})
claim("next interact `lr` and `optimizer` with `in_channel_num`", next_two == of_channels)
claim("the orders of pairs by Eq. 11 and by interaction agree in part", 0.2 < tau < 0.6)
glue(**dict(zip(("first", "second", "third"), interactions["weight"], strict=False)))
glue(n_rows=len(rows), together=interactions["weight"].sum(), alone=forest.importances_.sum())
glue(n_pairs=len(pairs), n_columns=len(columns), tau_both=tau)

# %% [markdown]
# ## What interacts
#
# The largest interaction, `lr` with `optimizer`, explains {glue:text}`first:.1%` of the variance of
# the forest's predictions. Next come these two with `in_channel_num` ({glue:text}`second:.1%` and
# {glue:text}`third:.1%`), which stands for the data set here: good values differ between data sets.
#
# All pairs together explain {glue:text}`together:.0%`, and single hyperparameters
# {glue:text}`alone:.0%`. The rest is interactions of three or more, and noise that the forest has
# learnt.
#
# ## What a weight by Eq. 11 means
#
# Two hyperparameters with shares $a$ and $b$ have the weight $\exp(a + b - 1)$, for all shares sum
# to 1. It depends on nothing but $a + b$. Two that work only together get the same weight as two
# that ignore each other, if their shares are the same.
#
# This order of the pairs and that of the interactions have a Kendall's $\tau$ of
# {glue:text}`tau_both:.2f`. Hyperparameters that matter alone also tend to interact, but the
# equation cannot say with which.
#
# ## The paper's ten pairs, and ours
#
# All of the paper's pairs contain `num_conv_layers`, the first in its Table 3; all of ours contain
# `lr`, the first in our ranking ({numref}`table-5`).
#
# :::{caption} table-5
# The pairs of the largest weight: the paper's Table 5 as printed, and ours from
# {glue:text}`n_rows:,` CNNs.
# :::


# %%
def named(table):
    return [f"`{pair.first}`, `{pair.second}`" for pair in table.itertuples()]


printed, ours = published.table(5), pairs.head(top)
lists = [named(printed), printed["weight"], named(ours), ours["weight"]]
rows_of_5 = ((rank, *row) for rank, row in enumerate(zip_longest(*lists), start=1))
show_table(rows_of_5, "table-5", "Rank | Paper | Weight {:.3f} | Ours | Our weight {:.3f}")

# %%
from_table3 = by_pair(joint_importance(published.table(3).set_index("hyperparameter")["weight"]))


def agreement(weights):
    """Kendall's tau with the order of the paper's pairs, of those that both have."""
    if not (weights > 0).any():
        return np.nan
    own = by_pair(joint_importance(pd.Series(relief_shares(weights), columns)))
    both = pd.DataFrame({"paper": from_table3, "ours": own}).dropna()
    return kendalltau(both["paper"], both["ours"]).statistic


# A bootstrap over CNNs takes them for independent draws, which BOHB's are not.
tau, first_ten = agreement(relief.weights_), pairs.head(len(printed))
drawn = (rows["source"] == "random").to_numpy()
tau_drawn, low = np.nan, np.nan
if drawn.any():
    tau_drawn = agreement(relief.fit(X[drawn], accuracy[drawn]).weights_)
    claim("of random search alone, only `lr` has a share", (relief.weights_ > 0).sum() == 1)
    resampled = relief.bootstrap(X[drawn], accuracy[drawn], n_resamples, random_state)
    low = np.nanquantile([agreement(weights) for weights in resampled], 0.025)
common = set(by_pair(printed).index) & set(by_pair(first_ten).index)
equal = pairs["weight"].duplicated(keep=False).sum()
leads = published.table(3)["hyperparameter"].iloc[0]
ours_have, theirs_have = (
    set.intersection(*({row.first, row.second} for row in table.itertuples()))
    for table in (first_ten, printed)
)
claim("the first in the paper's Table 3 is `num_conv_layers`", leads == "num_conv_layers")
claim("the first of our shares is `lr`", shares.idxmax() == "lr")
claim("all of the paper's pairs contain its first hyperparameter", theirs_have == {leads})
claim("all of our first ten pairs contain our first hyperparameter", ours_have == {shares.idxmax()})
claim("most of our pairs share their weight with another", equal > len(pairs) / 2)
claim("for other CNNs too the order of all pairs agrees with the paper's in part", low > 0)
glue(n_printed=len(printed), common=len(common), zero=(shares == 0).sum(), equal=equal, tau=tau)
glue(n_drawn=drawn.sum(), tau_drawn=tau_drawn, low=low)

# %% [markdown] tags=["agreement-table-5"]
# **Agreement with the paper.** As labelled, {glue:text}`common` of the paper's
# {glue:text}`n_printed` pairs is among our first ten. Over all pairs, computed for the paper from
# its Table 3, Kendall's $\tau$ is {glue:text}`tau:.2f`. From the {glue:text}`n_drawn:,d` CNNs of
# random search alone, where only `lr` has a share, it is {glue:text}`tau_drawn:.2f`
# ({glue:text}`low:.2f` or more in 97.5% of resamples).

# %% [markdown]
# This adds little to {numref}`table-3`, because {glue:text}`n_columns` shares determine all
# {glue:text}`n_pairs` pairs. {glue:text}`zero` of our shares are 0, so {glue:text}`equal` of our
# pairs are tied.
#
# The paper's labels are out of step with its weights: {numref}`table-audit-labels` shows which pair
# each weight belongs to.
