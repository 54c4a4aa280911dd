# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Importance weights
#
# **With all data sets pooled and `lr` on a log scale, `lr` weighs most in three of four
# computations, not by raw distances; none puts the number of layers first. Among so many CNNs,
# {glue:text}`n_neighbors` neighbours give an order unlike the paper's; a larger $J$ and $\sigma$,
# a closer one.**
#
# :::{caption} fig-importance
# :alt: A table of shares: the paper's largest is that of num_conv_layers; ours is that of lr, but
#   not by raw distances
#
# Share of the importance by N-RReliefF: the paper's, and four computations of ours; hyperparameters
# in the paper's order. Empty: less than 0.005.
# :::

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
datasets: list[str] = []  # data sets to use, all if empty; choices: hia.datasets.NAMES
sources: list[str] = []  # how configurations were found, all if empty; choices: hia.trials.SOURCES
n_neighbors = 30  # J, neighbours of each CNN, the paper's value; at least 1
sigma = 20.0  # decay of a neighbour's influence with its rank; above 0
metric = "euclidean"  # distance, but of *Raw*; choices: euclidean, manhattan
scale = "range"  # what the distance is computed on, raw values by none; choices: range, none
weighting = "exp_rank"  # influence of the neighbours; choices: exp_rank, uniform
rank_base = 1  # rank of the nearest neighbour; choices: 0, 1
log_lr: bool | None = None  # learning rate on its logarithm; null: where it was drawn on it
fanova_rows = 3000  # CNNs that functional ANOVA uses at most, drawn at random; at least 100
n_trees = 16  # trees of its forest; at least 1
n_resamples = 200  # bootstrap samples for the intervals; at least 1
random_state = 0  # seed of these draws and of the forests; 0 to 4294967295

# %%
import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from hia.ranking import fanova_package
from hia.ranking.fanova import FAnova
from hia.relief import shares as relief_shares
from hia.trials import load
from hia_book import published, rankings
from hia_book.agreement import rank_agreement
from hia_book.claims import claim, glue, need
from hia_book.figures import LEAST, draw_cells, look, panels, show_figure, show_table

rows = rankings.select(load(trials), datasets, sources)
need(len(rows) > n_neighbors, f"{n_neighbors} neighbours need more than {len(rows)} CNNs")
options = {"metric": metric, "scale": scale, "weighting": weighting, "rank_base": rank_base}
ways = rankings.ways(rows, n_neighbors, sigma, log_lr, **options)
columns, drawn = list(ways["Ours"].X), rows.loc[ways["Random search"].X.index]
many = ways["J = n/20"].relief.n_neighbors
W = pd.DataFrame({name: way.weights() for name, way in ways.items()})
share = W.apply(relief_shares).where(W.max() > 0, axis=1)  # missing where no weight is above 0
rank = W.rank(ascending=False, method="min").astype(int)
paper = published.table(3).set_index("hyperparameter").loc[columns]
paper4 = published.table(4).set_index("hyperparameter").loc[columns]

shares = pd.DataFrame({"Paper": paper["weight"], **share})
figure, ax = panels(4)
color = look("nrrelieff")["color"]
draw_cells(ax, shares, color, ".2f", low=0, high=0.6, least=LEAST)
show_figure(figure, "fig-importance", data=shares)

# %% [markdown]
# ## Four ways to compute one definition
#
# The paper's text does not determine the computation ({numref}`table-open`). Ours are these:
#
# - *Ours* has its searches and its {glue:text}`n_neighbors` neighbours. Each hyperparameter is
#   divided by its range; `lr` is on a log scale.
# - *Random search* leaves out BOHB's CNNs, which are not independent draws.
# - *J = n/20* takes a twentieth of these CNNs as neighbours, {glue:text}`many`, and $\sigma$ in
#   proportion.
# - *Raw* takes the printed distance literally: raw values, both searches, `lr` as it is.
#
# A share is $\max(W, 0)$ divided by the sum of these. Ranks go by $W$, so even a share of 0 has
# one.
#
# :::{caption} table-3
# Importance by N-RReliefF: the paper's Table 3 and ours, from {glue:text}`models:,` CNNs,
# {glue:text}`n_drawn:,` of them of random search.
# :::

# %%
table3 = paper[["weight", "rank"]].set_axis(["Paper", "Rank"], axis=1)
printed = [name for name in ways if name != "Raw"]
for name in printed:
    table3[name] = share[name]
    table3[f"{name}, rank"] = rank[name]
show_table(table3, "table-3", dict.fromkeys(["Paper", *printed], ".3f"))

# %%
with_paper = {name: rank_agreement(paper["weight"], W[name]) for name in ways}
first = {name: list(W[name].nlargest(5).index) for name in ways}
above = list(W.index[W["Random search"] > 0])
taus = pd.Series({name: one.tau for name, one in with_paper.items()})
by_chance = all(one.low < 0 < one.high for one in with_paper.values())
last = W.loc[["num_fc_units", "batch_size"], "Raw"]
claim("pooled, `lr` is first but by raw distances", all(first[name][0] == "lr" for name in printed))
claim("pooled, the number of layers is first in no way", (rank.loc["num_conv_layers"] > 1).all())
claim("of random search alone, only `lr` weighs more than 0", above == ["lr"])
claim("with more neighbours the order is nearest to the paper's", taus.idxmax() == "J = n/20")
claim("pooled, no agreement with the paper's Table 3 is told from chance", by_chance)
claim("by raw distances `num_fc_units` and `batch_size` weigh nothing", (last <= 0).all())
glue(n_neighbors=n_neighbors, many=many, n_drawn=len(drawn), n_columns=len(columns))
theirs = set(paper["weight"].nlargest(5).index)
glue(common=len(theirs & set(first["Ours"])), common_many=len(theirs & set(first["J = n/20"])))
glue(**with_paper)

# %% [markdown] tags=["agreement-table-3"]
# **Agreement with the paper.** The paper's ranking of {glue:text}`n_columns` hyperparameters and
# ours from {glue:text}`models:,` pooled CNNs of both searches have a Kendall's $\tau$ of
# {glue:text}`Ours_tau:.2f` (95% interval {glue:text}`Ours_low:.2f` to {glue:text}`Ours_high:.2f`).
# From the {glue:text}`n_drawn:,` of random search it is {glue:text}`Random_search_tau:.2f`
# ({glue:text}`Random_search_low:.2f` to {glue:text}`Random_search_high:.2f`), with
# {glue:text}`many` instead of {glue:text}`n_neighbors` neighbours {glue:text}`J_n_20_tau:.2f`
# ({glue:text}`J_n_20_low:.3f` to {glue:text}`J_n_20_high:.2f`), and with raw distances
# {glue:text}`Raw_tau:.2f`. None of these can be told from chance. It depends on the number of CNNs,
# too: {numref}`table-findings` has a higher $\tau$ from fewer of them.

# %% [markdown]
# Of the paper's first five, {glue:text}`common` are in the first five of *Ours* and
# {glue:text}`common_many` in those of *J = n/20*.
#
# **Why thirty neighbours see so little.** Among thousands of CNNs the nearest thirty hardly ever
# differ in a hyperparameter with two values, so its weight is 0 whatever it does. {doc}`weights`
# measures this, what BOHB and raw distances do, and which weights exceed chance.
#
# **Why pooling misleads.** `in_channel_num` only reveals which data set a CNN was trained on
# ({doc}`channels`). So the first page averages over single data sets ({doc}`perdataset`), so its
# $\tau$ differs.
#
# ## Functional ANOVA
#
# Functional ANOVA {cite:p}`hutter2014efficient` fits a random forest to the accuracies. It splits
# the variance of the forest's predictions among single hyperparameters, pairs and so on; a weight
# is the part of one alone. {numref}`table-4` uses the authors' package `fanova`.
#
# :::{caption} table-4
# Importance by functional ANOVA: the paper's Table 4, and ours by {glue:text}`maker`, the mean of
# {glue:text}`n_trees` trees on {glue:text}`n_sampled:,` of {glue:text}`models:,` CNNs. Columns with
# two or three values enter as categories.
# :::

# %%
FEW_VALUES = ("num_conv_layers", "optimizer", "stride", "in_channel_num", "padding", "kernel")
sampled = rows.sample(min(fanova_rows, len(rows)), random_state=random_state)
X_sampled = rankings.design(sampled, columns, log=False)
if fanova_package.available():
    maker = "the authors' package"
    of_package = {"n_trees": n_trees, "categorical": FEW_VALUES, "random_state": random_state}
    of_package["log"] = ("lr",) if rankings.drawn_space(rows)["lr"].log else ()
    anova = fanova_package.importances(X_sampled, sampled["accuracy"], **of_package)
else:  # it needs a compiler
    maker = "`hia.ranking.fanova`"
    own = FAnova(n_trees, random_state=random_state, space=rankings.drawn_space(rows))
    own.fit(X_sampled, sampled["accuracy"])
    trees = {"weight": own.importances_, "std": own.tree_importances_.std(axis=0)}
    anova = pd.DataFrame(trees, columns)
table4 = paper4[["weight", "rank"]].join(anova[["weight", "std"]].add_prefix("our_"))
table4["ranked"] = anova["weight"].rank(ascending=False, method="min").astype(int)
glue(maker=maker, n_trees=n_trees, n_sampled=len(sampled))
show_table(table4, "table-4", "Paper {:.3f} | Rank | Ours {:.3f} | SD of trees {:.3f} | Ours, rank")
tau4 = rank_agreement(paper4["weight"], anova["weight"].reindex(columns))
claim("pooled, `lr` is first by functional ANOVA", anova["weight"].idxmax() == "lr")
claim("functional ANOVA agrees with the paper's Table 4 better than by chance", tau4.low > 0)
glue(anova=tau4, sum_ours=anova["weight"].sum(), sum_paper=published.table(4)["weight"].sum())

# %% [markdown] tags=["agreement-table-4"]
# **Agreement with the paper.** The paper's ranking by functional ANOVA and ours, from
# {glue:text}`n_sampled:,` pooled CNNs, have a Kendall's $\tau$ of {glue:text}`anova_tau:.2f` (95%
# interval {glue:text}`anova_low:.2f` to {glue:text}`anova_high:.2f`) over {glue:text}`n_columns`
# hyperparameters.

# %% [markdown]
# Our weights sum to {glue:text}`sum_ours:.2f`; the rest is interactions ({doc}`joint`) and noise
# that the forest has learnt. The paper's sum to {glue:text}`sum_paper:.3f`, which cannot be
# ({doc}`audit`).
#
# ## Do the rankings agree?
#
# The paper's two methods agree with each other by a $\tau$ of {glue:text}`papers_tau:.2f`. Ours
# agree by {glue:text}`methods_tau:.2f` with {glue:text}`many` neighbours, but only by
# {glue:text}`thirty_tau:.2f` with {glue:text}`n_neighbors` ({numref}`table-importance-agreement`).
# These intervals treat the hyperparameters as a sample; they are wide because there are few.
#
# :::{caption} table-importance-agreement
# Agreement of the rankings of {glue:text}`n_columns` hyperparameters, with two intervals: over
# hyperparameters, and, by bootstrap, over CNNs of random search. *In data sets*: all data sets
# pooled, with each accuracy replaced by its rank within its data set.
# :::
#
# :::{caption} table-importance-intervals
# Shares that other CNNs of random search would have given, 95% intervals by the bootstrap; those
# of all others end below 0.001.
# :::

# %%
place = drawn.groupby("dataset")["accuracy"].rank(pct=True)
way = ways["Random search"]
PAPER, PAPER4 = "paper, N-RReliefF", "paper, ANOVA"
lists = {PAPER: paper["weight"], PAPER4: paper4["weight"]}
lists |= {f"ours, {name}": W[name] for name in ways}
lists["ours, ANOVA"] = anova["weight"].reindex(columns)
lists["in data sets, N-RReliefF"] = pd.Series(way.relief.fit(way.X, place).weights_, columns)
within = {"method": "fanova", "n_trees": n_trees, "random_state": random_state}
lists["in data sets, ANOVA"] = rankings.weigh(drawn.assign(accuracy=place), columns, **within)
pairs = [(PAPER, f"ours, {name}") for name in ways]
pairs += [("ours, Ours", f"ours, {name}") for name in ways if name != "Ours"]
pairs += [(PAPER, PAPER4), *((f"ours, {name}", "ours, ANOVA") for name in printed)]
pairs += [(PAPER4, "ours, ANOVA"), (PAPER, "in data sets, N-RReliefF")]
pairs.append((PAPER4, "in data sets, ANOVA"))
agreement = {pair: rank_agreement(*(lists[name] for name in pair)) for pair in pairs}
other_cnns, limits = {}, {}
for name in ("Random search", "J = n/20"):
    way = ways[name]
    resampled = way.relief.bootstrap(way.X, way.accuracy, n_resamples, random_state)
    low, high = np.quantile(relief_shares(resampled), [0.025, 0.975], axis=0)
    limits |= {f"{name}, from": low, f"{name}, to": high}
    taus = [kendalltau(paper["weight"], weights).statistic for weights in resampled]
    other_cnns[PAPER, f"ours, {name}"] = np.quantile(taus, [0.025, 0.975])
headings = ["One", "Other", "τ", "95% from", "to", "Other CNNs, from", "to "]
unknown = (np.nan, np.nan)
table = [(*pair, *one[:3], *other_cnns.get(pair, unknown)) for pair, one in agreement.items()]
table = pd.DataFrame(table, columns=headings).replace("ours, Ours", "ours")
show_table(table, "table-importance-agreement", dict.fromkeys(headings[2:], ".2f"))
shown = pd.DataFrame(limits, columns)
shown = shown[(shown >= 0.001).any(axis=1)]
show_table(shown, "table-importance-intervals", dict.fromkeys(limits, ".3f"))
papers = agreement[PAPER, PAPER4]
growing, thirty = (agreement[f"ours, {x}", "ours, ANOVA"] for x in ("J = n/20", "Random search"))
claim("the paper's two methods agree", papers.low > 0)
claim("our two methods agree with many neighbours", growing.low > 0)
claim("our two methods do not clearly agree with thirty neighbours", thirty.low < 0)
between = rows.groupby("dataset")["accuracy"].transform("mean").var() / rows["accuracy"].var()
glue(papers=papers, methods=growing, thirty=thirty, models=len(rows), between=between)
glue(images=rows["images"].max())

# %% [markdown]
# ## Why ours may differ
#
# Ours saw at most {glue:text}`images:,d` training images; the paper mentions no limit. We drew `lr`
# on a log scale; it does not say how it did ({doc}`design`). It gives neither $\sigma$ nor the
# normalisation ({doc}`multiverse`). And {glue:text}`between:.0%` of the variance of our accuracies
# lies between data sets, which blurs every pooled weight.
