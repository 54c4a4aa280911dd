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
# **Nearly. `lr` comes first on every data set, and the rankings agree well. They differ slightly
# more than chance explains, but not clearly by colour, image size or number of classes.**
#
# The paper pools ten data sets and prints one ranking, but anyone who tunes a CNN has one data set.
# {numref}`fig-perdataset` ranks the hyperparameters on each data set separately.
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
alpha = 0.05  # level of the critical difference; 0 to 1
random_state = 0  # seed of the forests; at least 0

# %%
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats

from hia.datasets import FACTS
from hia.trials import load, select
from hia_book import rankings
from hia_book.agreement import friedman, kendalls_w, mantel, rank_agreement
from hia_book.claims import claim, glue, need
from hia_book.figures import draw_cells, look, show_figure, show_table, use_style

use_style()
METHODS = rankings.METHODS
recorded = load(trials)
rows = select(recorded, datasets, sources)
present = [name for name in FACTS if name in set(rows["dataset"])]
need(len(present) > 2, f"datasets={datasets}: agreement needs three data sets at least")


# The CNNs that are used, and those of the second line.
MAIN = rankings.searched(sources)
others = [name for name in beside if (recorded["source"] == name).any()] or sources
samples = {MAIN: rows, rankings.searched(others): select(recorded, present, others)}
columns = rankings.varied(*samples.values())
options = {"n_neighbors": n_neighbors, "sigma": sigma, "n_trees": n_trees}
options |= {"min_samples_leaf": min_samples_leaf, "random_state": random_state}
weights_of = {
    sample: {
        method: rankings.by_dataset(own, columns, method, **options).loc[present]
        for method in METHODS
    }
    for sample, own in samples.items()
}
weights = weights_of[MAIN]
labels = [FACTS[name].label for name in present]
ranks = {method: table.rank(axis=1, ascending=False) for method, table in weights.items()}
order = list(ranks["nrrelieff"].mean().sort_values().index)


figure, axes = plt.subplots(2, figsize=(5.4, 6.4), sharex=True)
for ax, method in zip(axes, METHODS, strict=True):
    table = ranks[method][order].T.set_axis(labels, axis=1)
    draw_cells(ax, table, look(method)["color"], ".3g", low=len(order), high=1)
    ax.set_title(METHODS[method])
drawn = pd.concat([table.assign(method=method) for method, table in ranks.items()])
show_figure(figure, "fig-perdataset", data=drawn.reset_index(names="dataset"))

# %% [markdown]
# The rankings use the {glue:text}`n_cnns:,d` CNNs of random search, {glue:text}`fewest:,d` to
# {glue:text}`largest:,d` per data set, which are independent draws from the whole space. BOHB's
# CNNs are not, and they explore a different region on each data set; the tables show their effect
# in separate rows. `in_channel_num` is left out, because it is constant on a data set.
#
# ## Do they agree?
#
# Kendall's W is 1 if all data sets have the same ranking, and near 0 if the rankings are unrelated.
# It is {glue:text}`nrrelieff_w:.2f` by N-RReliefF (95 % interval {glue:text}`nrrelieff_low:.2f` to
# {glue:text}`nrrelieff_high:.2f`) and {glue:text}`fanova_w:.2f` by functional ANOVA
# ({glue:text}`fanova_low:.2f` to {glue:text}`fanova_high:.2f`). On a single data set, the two
# methods agree by a Kendall's $\tau$ of {glue:text}`tau_methods:.2f` on average.
#
# :::{caption} table-perdataset-agreement
# Agreement of the rankings of {glue:text}`n_columns` hyperparameters on {glue:text}`n_sets` data
# sets: Kendall's W with a bootstrap interval over the data sets, the mean Spearman correlation
# between two of them, Friedman's test, and how many pairs of hyperparameters differ by the critical
# difference or more.
# :::

# %%
concordance = {
    sample: {method: kendalls_w(table, random_state=0) for method, table in tables.items()}
    for sample, tables in weights_of.items()
}
tested = {
    sample: {method: friedman(table, alpha) for method, table in tables.items()}
    for sample, tables in weights_of.items()
}


def told_apart(test):
    """Pairs of hyperparameters whose mean ranks differ by the critical difference at least."""
    means = combinations(test.mean_ranks, 2)
    return sum(abs(a - b) >= test.critical_difference for a, b in means)


n_pairs = len(columns) * (len(columns) - 1) // 2
table = [
    (METHODS[method], sample, *concordance[sample][method][:4], test.p, told_apart(test), n_pairs)
    for method in METHODS
    for sample in samples
    for test in [tested[sample][method]]
]
numbers = ["Kendall's W", "95 % from", "to", "Mean correlation"]
headings = ["Method", "CNNs of", *numbers, "Friedman's p", "Told apart", "Pairs"]
table = pd.DataFrame(table, columns=headings)
show_table(
    table, "table-perdataset-agreement", dict.fromkeys(numbers, ".2f") | {"Friedman's p": ".2g"}
)

# %% [markdown]
# Friedman's test rules out that all mean ranks are the same. Nemenyi's critical difference then
# says which hyperparameters can be told apart {cite:p}`demsar2006statistical`: `lr` from
# {glue:text}`behind_nrrelieff` of the other {glue:text}`others` by N-RReliefF, and from
# {glue:text}`behind_fanova` by functional ANOVA ({numref}`fig-critical-difference`).
#
# :::{caption} fig-critical-difference
# :alt: Two lines of ranks: lr is at 1 in both, far ahead of stride, kernel, batch_size and padding
#
# Mean ranks over {glue:text}`n_sets` data sets, the most important on the left. Hyperparameters
# under the same bar cannot be told apart at the level of {glue:text}`alpha:g`.
# :::


# %%
def diagram(ax, test, color):
    """A critical-difference diagram: mean ranks on a line, bars over what is not told apart."""
    means = test.mean_ranks
    half = -(-len(means) // 2)
    bars = len(test.groups)
    low, high = 1, len(means)
    ax.plot([low, high], [0, 0], color="black", lw=1)
    for tick in range(low, high + 1):
        ax.plot([tick, tick], [0, 0.25], color="black", lw=1)
        ax.text(tick, 0.4, str(tick), ha="center", va="bottom", fontsize=9.5)
    width = test.critical_difference
    ax.plot([low, low + width], [1.75, 1.75], color=color, lw=2.5, solid_capstyle="butt")
    ax.text(low + width + 0.15, 1.75, f"critical difference {width:.2f}", va="center", fontsize=9.5)
    for place, group in enumerate(test.groups):
        ends = means[group[0]] - 0.06, means[group[-1]] + 0.06
        ax.plot(ends, [-0.4 - 0.4 * place] * 2, color=color, lw=3.5, solid_capstyle="butt")
    for place, (name, mean) in enumerate(means.items()):
        left = place < half
        depth = place if left else len(means) - 1 - place
        height = -0.4 * bars - 0.9 - 0.85 * depth
        edge = low - 0.3 if left else high + 0.3
        ax.plot([mean, mean, edge], [0, height, height], color="0.45", lw=0.8)
        side = {"ha": "right" if left else "left", "va": "center", "fontsize": 9.5}
        ax.text(edge + (-0.1 if left else 0.1), height, name, **side)
    ax.set(xlim=(low - 4.3, high + 4.3), ylim=(-0.4 * bars - 0.9 - 0.85 * half, 2.2))
    ax.axis("off")


figure, axes = plt.subplots(2, figsize=(5.4, 5.4))
for ax, method in zip(axes, METHODS, strict=True):
    diagram(ax, tested[MAIN][method], look(method)["color"])
    ax.set_title(METHODS[method], loc="left")
drawn = pd.DataFrame({METHODS[m]: test.mean_ranks for m, test in tested[MAIN].items()})
show_figure(figure, "fig-critical-difference", data=drawn.reset_index(names="hyperparameter"))

# %%
behind = {
    method: (test.mean_ranks >= test.mean_ranks.iloc[0] + test.critical_difference).sum()
    for method, test in tested[MAIN].items()
}
by_method = [
    rank_agreement(weights["nrrelieff"].loc[name], weights["fanova"].loc[name]).tau
    for name in present
]
firsts = {name for table in ranks.values() for name in table.idxmin(axis=1)}
claim("`lr` is first on every data set, by both methods", firsts == {"lr"})
claim(
    "the rankings of the data sets agree well",
    min(one.low for one in concordance[MAIN].values()) > 0.5,
)
claim("the mean ranks are not all the same", all(x.p < alpha for x in tested[MAIN].values()))
glue(
    n_cnns=len(rows),
    fewest=rows.groupby("dataset").size().min(),
    largest=rows.groupby("dataset").size().max(),
    behind=behind,
    others=len(columns) - 1,
    tau_methods=np.mean(by_method),
    MAIN=MAIN,
    n_columns=len(columns),
    **concordance[MAIN],
)

# %% [markdown]
# ## Do the data sets differ, or is it noise?
#
# Rankings from few CNNs are noisy, and would disagree even if the truth were the same. So
# {doc}`halves` splits the CNNs of each data set into two random halves. By both methods, the two
# halves of one data set agree slightly better than halves of different ones. So data sets do have
# rankings of their own, but the difference is small.
#
# ## Colour, size, number of classes
#
# If one of these shaped the ranking, similar data sets would have similar rankings. Mantel's test
# {cite:p}`mantel1967detection` correlates, over all pairs of data sets, the difference in the
# property with the distance between the rankings ($1 - \tau$), and permutes the data sets. Size and
# classes are on a log scale ({numref}`table-perdataset-properties`).
#
# :::{caption} table-perdataset-properties
# Do data sets that differ in a property differ in their ranking? Correlation over pairs of data
# sets, and Mantel's test.
# :::

# %%
need(len(present) > 3, "for the properties of data sets four different ones are needed")
facts = pd.DataFrame(
    [(FACTS[x].channels, np.log2(FACTS[x].size), np.log10(FACTS[x].classes)) for x in present],
    index=present,
    columns=["channels", "size", "classes"],
).astype(float)
facts = facts.loc[:, (facts != facts.iloc[0]).any()]
need(len(facts.columns), "these data sets are alike in channels, size and number of classes")
rows_of_test = []
for method in METHODS:
    for name in facts:
        for sample in samples:
            distances = 1 - weights_of[sample][method].T.corr(method="kendall").to_numpy()
            apart = np.abs(np.subtract.outer(*[facts[name].to_numpy()] * 2))
            rows_of_test.append((name, METHODS[method], sample, *mantel(distances, apart)))
headings = ["Property", "Method", "CNNs of", "Correlation", "p, one-sided"]
properties = pd.DataFrame(rows_of_test, columns=headings)
formats = {"Correlation": "+.2f", "p, one-sided": ".3f"}
show_table(properties, "table-perdataset-properties", formats)
single = pd.DataFrame(
    [
        (METHODS[method], name, fact, *stats.kendalltau(table[name], facts[fact]))
        for method, table in weights.items()
        for name in columns
        for fact in facts
    ],
    columns=["Method", "Hyperparameter", "Property", "tau", "p"],
).dropna()
single["q"] = stats.false_discovery_control(single["p"])
strongest = single.sort_values("p").iloc[0]
own = properties[properties["CNNs of"] == MAIN]
low = own[own["p, one-sided"] < alpha]
claim("no property is clear after correction", (own["p, one-sided"] >= alpha / len(own)).all())
claim(
    "without correction the classes are below the level, by functional ANOVA alone",
    list(zip(low["Property"], low["Method"], strict=True)) == [("classes", METHODS["fanova"])],
)
claim("no single weight goes clearly with a property", (single["q"] >= alpha).all())
claim(
    "the strongest is that of `epoch` with size by functional ANOVA",
    list(strongest[["Method", "Hyperparameter", "Property"]])
    == [METHODS["fanova"], "epoch", "size"],
)
glue(
    n_tests=len(own),
    n_single=len(single),
    strongest=strongest[["tau", "p"]],
    n_sets=len(present),
    alpha=alpha,
)

# %% [markdown]
# **The ranking as a whole.** None of the {glue:text}`n_tests` tests on random search's CNNs is
# significant after correction for their number. Uncorrected, only the number of classes is, by
# functional ANOVA.
#
# **Single hyperparameters.** None of {glue:text}`n_single` correlations between a weight and a
# property is significant at a false discovery rate of {glue:text}`alpha:.0%`. The strongest is that
# of `epoch` with size by functional ANOVA ($\tau$ = {glue:text}`strongest_tau:+.2f`, p =
# {glue:text}`strongest_p:.3f` before correction). With {glue:text}`n_sets` data sets, and
# properties that go together, real effects may go unseen.
#
# The paper ranks the number of channels like any other hyperparameter. In its pool it stands for
# the data set, as {doc}`channels` shows.
