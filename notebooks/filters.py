# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Filters of each layer
#
# **With {glue:text}`n_neighbors` neighbours, no layer's number of filters matters clearly more than
# another's. This does not confirm the paper's conclusion that layers nearer to the input matter
# more.**
#
# A network with one convolutional layer has no second number of filters. So the paper compares
# layers only within CNNs of the same depth: two in its Table 6, three in its Table 7.
# {numref}`fig-filters` does this in two ways, and repeats both on random halves of the CNNs to show
# the effect of chance.
#
# :::{caption} fig-filters
# :alt: Dots of W for each layer on random halves of the CNNs, which overlap between the layers, for
#   each number of layers, with only the filters and with all hyperparameters in the distance
#
# W of each layer's number of filters, on all CNNs (large marks) and on {glue:text}`n_halves` random
# halves of them, with half as many neighbours (dots). The left column has a scale of its own.
# :::

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
datasets: list[str] = []  # data sets to use, all if empty; choices: hia.datasets.NAMES
sources: list[str] = []  # how configurations were found, all if empty; choices: hia.trials.SOURCES
n_neighbors = 30  # J, neighbours of each CNN, the paper's value; at least 1
sigma = 20.0  # decay of a neighbour's influence with its rank; above 0
metric = "euclidean"  # distance between configurations; choices: euclidean, manhattan
log_lr: bool | None = None  # learning rate on its logarithm; null: where it was drawn on it
n_repeats = 20  # random halves of the CNNs, for the uncertainty; at least 2
random_state = 0  # seed of the halves; 0 to 4294967295

# %%
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, t

from hia.relief import NRReliefF, shares
from hia.space import FILTERS
from hia.trials import load
from hia_book import published, rankings
from hia_book.claims import claim, glue, need
from hia_book.figures import look, panels, show_figure, show_table

rows = rankings.select(load(trials), datasets, sources)
CASES = ("filters only", "all in the distance")
of_depth = {layers: rows[rows["num_conv_layers"] == layers] for layers in (2, 3)}
fewest = min(map(len, of_depth.values())) // 2
need(fewest > n_neighbors, f"{n_neighbors} neighbours are too many: half the CNNs are {fewest}")


def weights(some, layers, case, neighbors, fade):
    """W of the number of filters of each layer."""
    filters = list(FILTERS[:layers])
    names = filters if case == "filters only" else rankings.varying(some) + filters
    relief = NRReliefF(n_neighbors=max(1, round(neighbors)), sigma=fade, metric=metric)
    relief.fit(rankings.design(some, names, log=log_lr), some["accuracy"])
    return pd.Series(relief.weights_, names)[filters]


# Drawn without replacement: a row drawn twice would be its own nearest neighbour.
rng = np.random.default_rng(random_state)
picks = {
    layers: [rng.permutation(len(some))[: len(some) // 2] for _ in range(n_repeats)]
    for layers, some in of_depth.items()
}


def with_halves(layers, case, neighbors=n_neighbors, fade=sigma):
    """W of all CNNs of a depth, and of the halves: of fewer CNNs fewer are as near."""
    some, half = of_depth[layers], (neighbors / 2, fade / 2)
    found = {"all CNNs": weights(some, layers, case, neighbors, fade)}
    for number, pick in enumerate(picks[layers], start=1):
        found[f"half {number}"] = weights(some.iloc[pick], layers, case, *half)
    return pd.DataFrame(found).T


def error(found):
    """The standard error of the first row, by the scatter of the halves around it."""
    return ((found.iloc[1:] - found.iloc[0]) ** 2).mean() ** 0.5


W = {key: with_halves(*key) for key in product(of_depth, CASES)}

# %%
panels_of = {"sharex": "col", "sharey": "row", "height_ratios": [2, 3]}
figure, grid = panels(5.3, 2, 2, **panels_of)
for axes, ((layers, case), own) in zip(grid.flat, W.items(), strict=True):
    for position, name in enumerate(own):
        whole, *half = own[name]
        jitter = position + np.linspace(-0.2, 0.2, len(half))
        axes.scatter(half, jitter, s=12, alpha=0.6, color=look(name)["color"], zorder=2)
        axes.scatter(whole, position, s=70, edgecolor="white", zorder=3, **look(name))
    axes.axvline(0, color="0.3", linewidth=1, zorder=1)
    axes.set_yticks(range(layers), [f"layer {i}" for i in range(1, layers + 1)])
    axes.set_ylim(layers - 0.6, -0.4)
    axes.set_title(f"{layers} layers,\n{case}")
for axes in grid[-1]:
    axes.set_xlabel("W")
drawn = pd.concat(W, names=["layers", "distance", "CNNs"])
drawn = drawn.melt(var_name="hyperparameter", value_name="W", ignore_index=False).dropna()
show_figure(figure, "fig-filters", data=drawn.reset_index())

# %% [markdown]
# ## Two ways to weigh them
#
# *Filters only* measures distance in the numbers of filters alone. The paper's tables, which sum to
# 1, suggest this. But neighbours then differ in everything else, even the data set, which drowns
# the effect of the filters. No weight is above 0.
#
# *All in the distance* asks neighbours to be alike in the other hyperparameters too, but reports
# only the filters' weights. These are above 0, and nearly the same for every layer. Without BOHB's
# CNNs they are not above 0.
#
# Halves use half as many neighbours, to keep them equally near. So the scatter of the halves around
# the whole approximates its standard error: *± W* in {numref}`table-6` and
# {numref}`table-7`.
#
# :::{caption} table-6
# The number of filters of each layer in CNNs of 2 convolutional layers: the paper's Table 6, and
# ours from {glue:text}`n_2:,` CNNs. No share where no W is above 0.
# :::
#
# :::{caption} table-7
# The number of filters of each layer in CNNs of 3 convolutional layers: the paper's Table 7, and
# ours from {glue:text}`n_3:,` CNNs. No share where no W is above 0.
# :::


# %%
def show(layers, name):
    paper = published.table(int(name.removeprefix("table-"))).set_index("hyperparameter")["weight"]
    table = pd.DataFrame({"Number of filters": [f"layer {i + 1}" for i in range(layers)]})
    table["Paper"] = paper.to_numpy()
    for case, short in zip(CASES, ("filters", "all"), strict=True):
        weight = W[layers, case].iloc[0]
        table[f"Ours ({short})"] = shares(weight) if (weight > 0).any() else np.nan
        table[f"W ({short})"] = weight.to_numpy()
        table[f"± W ({short})"] = error(W[layers, case]).to_numpy()
    formats = {column: "+.4f" if column.startswith("W") else ".4f" for column in table.columns[1:]}
    show_table(table, name, formats)
    return paper


paper = {2: show(2, "table-6"), 3: show(3, "table-7")}
glue(n={layers: len(some) for layers, some in of_depth.items()})


# %%
def order(layers, weight):
    """Kendall's tau with the paper's order of the layers; NaN where no W is above 0."""
    above = (weight > 0).any()
    return kendalltau(paper[layers], weight[paper[layers].index]).statistic if above else np.nan


case = "all in the distance"
taus = {n: [order(n, one) for _, one in W[n, case].iterrows()] for n in paper}
tau, like = (
    {n: own[0] for n, own in taus.items()},
    {n: own[1:].count(1) for n, own in taus.items()},
)
only, among = (pd.concat([W[layers, x].iloc[0] for layers in paper]) for x in CASES)
claim("with filters only no layer's W is above 0", (only <= 0).all())
claim("with all in the distance every layer's W is above 0", (among > 0).all())
drawn = {n: some[some["source"] == "random"] for n, some in of_depth.items()}
alone = [weights(x, n, case, n_neighbors, sigma) for n, x in drawn.items() if len(x) > n_neighbors]
claim("without BOHB's CNNs no layer's W is above 0", alone and max(map(max, alone)) <= 0)
claim("the order of two layers is not the paper's", tau[2] < 1)
claim("the order of three layers is not the paper's", tau[3] < 1)
claim("fewer than half of the halves have the paper's order", max(like.values()) < n_repeats / 2)
glue(tau=tau, like=like, n_halves=n_repeats, n_neighbors=n_neighbors)

# %% [markdown] tags=["agreement-table-6"]
# **Agreement with the paper.** With two layers, *filters only* gives no shares, because no W is
# above 0. *All in the distance* puts the second layer before the first, against the paper. Of
# {glue:text}`n_halves` random halves, {glue:text}`like_2` have the paper's order; chance alone
# would give it half of the time.

# %% [markdown] tags=["agreement-table-7"]
# **Agreement with the paper.** With three layers, *filters only* gives no shares either. The order
# of *all in the distance* is not the paper's: $\tau$ is {glue:text}`tau_3:.2f`. Of
# {glue:text}`n_halves` random halves, {glue:text}`like_3` have the paper's order; chance alone
# would give it one time in six.

# %% [markdown]
# ## Is the order more than noise?
#
# Not clearly ({numref}`table-filters-differences`). With {glue:text}`n_differences` comparisons, a
# difference must exceed {glue:text}`needed:.1f` standard errors to be clear (5% level). The
# largest is {glue:text}`largest:.1f`.
#
# :::{caption} table-filters-differences
# Difference of W between two layers, and its standard error.
# :::

# %%
differences = []
for (layers, case), own in W.items():
    for one, other in combinations(own, 2):
        gap = own[one] - own[other]
        row = (f"{layers} layers, {case}", f"{one[-1]} - {other[-1]}", gap.iloc[0], error(gap))
        differences.append((*row, abs(gap.iloc[0]) / error(gap)))
headings = "CNNs | Layers | Difference of W {:+.4f} | ± {:.4f} | Standard errors {:.1f}"
show_table(differences, "table-filters-differences", headings)
# Bonferroni's correction, and Student's distribution, for the error is found from few halves.
needed, largest = t.isf(0.025 / len(differences), n_repeats), max(row[-1] for row in differences)
claim("no difference between two layers is clear", largest < needed)
many = max(n_neighbors, len(of_depth[2]) // 20)
wide = [with_halves(2, x, many, sigma * many / n_neighbors) @ [1, -1] for x in CASES]
only, among = (gap.iloc[0] / error(gap) for gap in wide)
claim("with n/20 neighbours the two ways clearly disagree on two layers", -only > needed < among)
glue(n_differences=len(differences), needed=needed, largest=largest, many=many)

# %% [markdown]
# With {glue:text}`many` neighbours, a twentieth of the CNNs of two layers, the two layers differ
# clearly, but the two ways disagree on which matters more.
#
# The errors treat the CNNs as independent draws. BOHB's are not, so the true errors may be larger.
#
# The paper gives no uncertainty for its shares, nor its number of CNNs of each depth.
