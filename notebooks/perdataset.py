# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One ranking for all data sets?
#
# **Nearly. Drawn on a log scale, `lr` comes first on every data set, and the rankings agree well.
# They differ slightly more than by chance, for no clear reason of colour, image size or classes.**
#
# The paper pools ten data sets, but anyone who tunes a CNN has one. {numref}`fig-perdataset` ranks
# the hyperparameters on each data set by itself.
#
# :::{caption} fig-perdataset
# :alt: Two tables of ranks; the row of lr is 1 throughout in both
#
# Rank of each hyperparameter on each data set, 1 for the most important, from the CNNs of
# {glue:text}`MAIN`. If all rankings were the same, every row would have one colour.
# :::

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
datasets: list[str] = []  # three or more, all if empty; choices: hia.datasets.NAMES
sources = ["random"]  # how configurations were found; choices: hia.trials.SOURCES
beside = ["random", "bohb"]  # of the second line of tables; choices: hia.trials.SOURCES
n_neighbors = 30  # J of N-RReliefF, all the other CNNs at most; at least 1
sigma = 20.0  # decay of a neighbour's influence with its rank; above 0
n_trees = 16  # trees of functional ANOVA on each data set; at least 1
min_samples_leaf = 3  # the fewest CNNs in a leaf of them; at least 1
alpha = 0.05  # level of the critical difference; 0.001 to 0.5
random_state = 0  # seed of the forests; 0 to 4294967295

# %%
from itertools import combinations, product

import numpy as np
import pandas as pd

from hia.datasets import FACTS
from hia.trials import load
from hia_book import rankings
from hia_book.agreement import friedman, kendalls_w, rank_agreement
from hia_book.claims import claim, glue
from hia_book.figures import draw_cells, list_down, look, panels, show_figure, show_table

METHODS = rankings.METHODS
samples, columns = rankings.samples(load(trials), datasets, sources, beside)
MAIN = next(iter(samples))
rows = samples[MAIN]
present = [name for name in FACTS if name in set(rows["dataset"])]
options = {"n_neighbors": n_neighbors, "sigma": sigma, "n_trees": n_trees}
options |= {"min_samples_leaf": min_samples_leaf, "random_state": random_state}
weights_of = rankings.by_sample(samples, columns, **options)
weights_of = {key: table.loc[present] for key, table in weights_of.items()}
weights = {method: weights_of[MAIN, method] for method in METHODS}
labels = [FACTS[name].label for name in present]
ranks = {method: table.rank(axis=1, ascending=False) for method, table in weights.items()}
order = list(ranks["nrrelieff"].mean().sort_values().index)


figure, axes = panels(6.4, 2, sharex=True)
for ax, method in zip(axes, METHODS, strict=True):
    table = ranks[method][order].T.set_axis(labels, axis=1)
    draw_cells(ax, table, look(method)["color"], ".3g", low=len(order), high=1)
    ax.set_title(METHODS[method])
drawn = pd.concat([table.assign(method=method) for method, table in ranks.items()])
show_figure(figure, "fig-perdataset", data=drawn.reset_index(names="dataset"))

# %% [markdown]
# The rankings use the {glue:text}`n_cnns:,d` CNNs of random search, {glue:text}`fewest:,d` to
# {glue:text}`largest:,d` per data set, which are independent draws from the whole space. BOHB's are
# not; the tables show their effect in separate rows. `in_channel_num` is left out, because it is
# constant on a data set.
#
# ## Do they agree?
#
# Kendall's W is 1 if all data sets have the same ranking, and near 0 if the rankings are unrelated.
# It is {glue:text}`nrrelieff_w:.2f` by N-RReliefF (95% interval {glue:text}`nrrelieff_low:.2f` to
# {glue:text}`nrrelieff_high:.2f`) and {glue:text}`fanova_w:.2f` by functional ANOVA
# ({glue:text}`fanova_low:.2f` to {glue:text}`fanova_high:.2f`). On a single data set, the two
# methods agree with a $\tau$ of {glue:text}`tau_methods:.2f` on average.
#
# :::{caption} table-perdataset-agreement
# Agreement of the rankings of {glue:text}`n_columns` hyperparameters on {glue:text}`n_sets` data
# sets: Kendall's W with a bootstrap interval over the data sets, the mean Spearman correlation
# between two of them, Friedman's test, and how many pairs of hyperparameters differ by the critical
# difference or more.
# :::

# %%
concordance = {key: kendalls_w(table, random_state=0) for key, table in weights_of.items()}
tested = {key: friedman(table, alpha) for key, table in weights_of.items()}


table = []
for method, sample in product(METHODS, samples):
    test = tested[sample, method]
    # Pairs of hyperparameters whose mean ranks differ by the critical difference at least.
    apart = [b - a >= test.critical_difference for a, b in combinations(test.mean_ranks, 2)]
    row = (METHODS[method], sample, *concordance[sample, method][:4])
    table.append((*row, test.p, sum(apart), len(apart)))
headings = "Method | CNNs of | Kendall's W {:.2f} | 95% from {:.2f} | to {:.2f} | "
headings += "Mean correlation {:.2f} | Friedman's p {:.2g} | Told apart | Pairs"
show_table(table, "table-perdataset-agreement", headings)

# %% [markdown]
# Friedman's test rules out that all mean ranks are the same. By Nemenyi's critical difference
# {cite:p}`demsar2006statistical`, which allows for all pairs and so is coarse, `lr` can be told
# from {glue:text}`behind_nrrelieff` of the other {glue:text}`others` by N-RReliefF, and from
# {glue:text}`behind_fanova` by functional ANOVA ({numref}`fig-critical-difference`).
#
# :::{caption} fig-critical-difference
# :alt: Two lists of mean ranks: lr is at 1 in both, far ahead of stride, kernel, batch_size and
#   padding
#
# Mean ranks over {glue:text}`n_sets` data sets. Hyperparameters beside the same bar cannot be told
# apart at the level of {glue:text}`alpha:g`.
# :::


# %%
figure, axes = panels(5.6, 2, sharex=True)
for ax, method in zip(axes, METHODS, strict=True):
    test, color = tested[MAIN, method], look(method)["color"]
    places = pd.Series(range(len(columns)), test.mean_ranks.index)
    ax.plot(test.mean_ranks, places, "o", color=color)
    for number, group in enumerate(test.groups):
        ends = places[group[0]] - 0.25, places[group[-1]] + 0.25
        ax.plot([len(columns) + 0.6 + 0.4 * number] * 2, ends, color=color, linewidth=3.5)
    list_down(ax, places.index)
    width = f"critical difference {test.critical_difference:.2f}"
    ax.set_title(f"{METHODS[method]}, {width}", loc="left")
axes[-1].set_xlabel("mean rank")
drawn = pd.DataFrame({METHODS[x]: tested[MAIN, x].mean_ranks for x in METHODS})
show_figure(figure, "fig-critical-difference", data=drawn.reset_index(names="hyperparameter"))

# %%
firsts = {name for table in ranks.values() for name in table.idxmin(axis=1)}
claim("`lr` is first on every data set, by both methods", firsts == {"lr"})
behind = {}
for method in METHODS:
    test = tested[MAIN, method]
    behind[method] = (test.mean_ranks >= test.mean_ranks.iloc[0] + test.critical_difference).sum()
    agree, differ = concordance[MAIN, method].low > 0.5, test.p < alpha
    claim(f"the rankings of the data sets agree well by {METHODS[method]}", agree)
    claim(f"the mean ranks are not all the same by {METHODS[method]}", differ)
one, other = weights.values()
by_method = [rank_agreement(one.loc[name], other.loc[name]).tau for name in present]
of_each = rows.groupby("dataset").size()
glue(n_cnns=len(rows), MAIN=MAIN, behind=behind, n_sets=len(present), alpha=alpha)
glue(fewest=of_each.min(), largest=of_each.max(), others=len(columns) - 1, n_columns=len(columns))
glue(tau_methods=np.mean(by_method), **{method: concordance[MAIN, method] for method in METHODS})

# %% [markdown]
# ## Do the data sets differ, or is it noise?
#
# Rankings from few CNNs would disagree even if the truth were the same. But by both methods, two
# random halves of one data set's CNNs agree slightly better than halves of different data sets
# ({doc}`halves`). So data sets do have rankings of their own, which differ little.
#
# Neither colour, nor image size, nor the number of classes clearly accounts for that. None of
# {numref}`table-perdataset-properties` is significant after correction, nor any correlation of a
# property with a single weight.
