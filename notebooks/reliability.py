# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How reliable the weights are
#
# **Lists of weights from different CNNs agree almost perfectly, as the paper says. But lists drawn
# as in the paper share most of their CNNs. When lists of random search share none, `lr`, drawn on a
# log scale, makes them agree: without it the ICC falls from {glue:text}`icc_draws:.2f` to
# {glue:text}`rest_draws_icc:.2f` (95% interval {glue:text}`rest_draws_low:.2f` to
# {glue:text}`rest_draws_high:.2f`).**
#
# The paper computes ten lists of weights, on ten subsets of its CNNs, and reports how well they
# agree, as an intraclass correlation (ICC; its Section 5.2 and Fig. 4). {numref}`fig-4` repeats
# this, and adds lists that have no CNN in common.
#
# :::{caption} fig-4
# :alt: Dots of {glue:text}`n_paper` hyperparameters' shares; their standard deviation is
#   {glue:text}`spread_subsets:.3f` on average over the subsets, {glue:text}`spread_parts:.3f` over
#   the parts and {glue:text}`spread_draws:.3f` over those of random search
#
# Share of each hyperparameter, one mark per list (the paper's Fig. 4 shows such marks without
# printing their values); on the right, how many lists have one below 0.5%. Hollow: the paper's
# shares on all its CNNs.
# :::

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
n_subsets = 10  # subsets, and so lists of weights, as in the paper; at least 3
max_per_interval: int | None = None  # CNNs per interval; null: the paper's 600, scaled; at least 1
n_intervals = 10  # intervals of accuracy, of equal width; at least 1
n_neighbors = 30  # J, neighbours of each CNN, the paper's value; at least 1
sigma = 20.0  # decay of a neighbour's influence with its rank; above 0
metric = "euclidean"  # distance between configurations; choices: euclidean, manhattan
scale = "range"  # what the distance is computed on, raw values by none; choices: range, none
random_state = 0  # seed of the subsets; 0 to 4294967295

# %%
from itertools import combinations

import numpy as np
import pandas as pd

from hia.relief import NRReliefF, shares
from hia.space import HYPERPARAMETERS
from hia.trials import load
from hia_book import published, rankings
from hia_book.agreement import REPORTED, balanced_subsamples, icc, intervals
from hia_book.claims import claim, glue, need
from hia_book.figures import LEAST, list_down, look, panels, show_figure, show_table, write_zeros

rows = load(trials)
X, accuracy, n = rankings.design(rows), rows["accuracy"], len(rows)
cap = max_per_interval or published.cap(n)
n_parts = min(n_subsets, n // (n_neighbors + 1))
need(n_parts > 1, f"two parts with {n_neighbors} neighbours need {2 * n_neighbors + 2} CNNs")
by_random_search = np.flatnonzero(rows["source"] == "random")
n_draws = len(by_random_search) // -(-n // n_parts)  # of the size of the largest part
need(n_draws > 1, f"{len(by_random_search)} CNNs of random search are too few for two parts")


def weights(subsets):
    """W of every subset: (subsets, hyperparameters)."""
    relief = NRReliefF(n_neighbors=n_neighbors, sigma=sigma, metric=metric, scale=scale)
    lists = [relief.fit(X.iloc[subset], accuracy.iloc[subset]).weights_ for subset in subsets]
    return pd.DataFrame(lists, columns=list(HYPERPARAMETERS))


def shuffled(numbers):
    return np.random.default_rng(random_state).permutation(numbers)


subsets = balanced_subsamples(accuracy, n_subsets, cap, n_intervals, random_state)
need(len(subsets[0]) > n_neighbors, f"{n_neighbors} neighbours need larger subsets")
parts = [np.sort(part) for part in np.array_split(shuffled(n), n_parts)]
size = len(parts[0])
draws = shuffled(by_random_search)[: n_draws * size].reshape(n_draws, -1)
lists = {"subsets": weights(subsets), "parts": weights(parts)}
lists["draws"] = weights(np.sort(draws, axis=1))
of_shares = {x: pd.DataFrame(shares(W), columns=W.columns) for x, W in lists.items()}

# %%
TITLES = {
    "subsets": f"{n_subsets} balanced subsets",
    "parts": f"{n_parts} parts without overlap",
    "draws": f"{n_draws} such parts of random search's CNNs",
}
paper = published.table(3).set_index("hyperparameter")["weight"]
figure, axes = panels(0.5 + 3.6 * len(lists), len(lists), 1, sharex=True)
for ax, (which, table) in zip(axes, lists.items(), strict=True):
    # One height per list within the hyperparameter's row, so that equal shares stay apart.
    heights = np.arange(len(paper)) + np.linspace(-0.36, 0.36, len(table))[:, None]
    own = of_shares[which][paper.index]
    ax.scatter(own.where(own >= LEAST), heights, s=9, alpha=0.8, **look("nrrelieff"))
    write_zeros(ax, own)
    hollow = {"marker": look("paper")["marker"], "edgecolor": look("paper")["color"]}
    ax.scatter(paper, range(len(paper)), facecolor="none", s=34, label="the paper", **hollow)
    ax.set_title(TITLES[which], loc="left")
    list_down(ax, paper.index, grid="y")
axes[-1].set_xlabel("share of the importance")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right")
spread = {which: table.std().mean() for which, table in of_shares.items()}
drawn = pd.concat(of_shares, names=["lists", "list"])
show_figure(figure, "fig-4", data=drawn.reset_index().assign(list=lambda table: table["list"] + 1))

# %%
pairs = combinations(subsets, 2)
overlap = np.mean([len(np.intersect1d(a, b)) / len(subsets[0]) for a, b in pairs])
means = of_shares["subsets"].mean()
forms, iccs, strongest, rest, tau = {}, {}, {}, {}, {}
for which, table in lists.items():
    forms |= {f"Share, {which}": icc(of_shares[which]), f"W, {which}": icc(table)}
    iccs[which] = forms[f"Share, {which}"].loc[REPORTED, "icc"]
    strongest[which] = of_shares[which].mean().idxmax()
    rest[which] = icc(of_shares[which].drop(columns=strongest[which])).loc[REPORTED]
    taus = table.T.corr(method="kendall").to_numpy()
    tau[which] = taus[np.triu_indices(len(table), 1)].mean()
printed = published.value("icc")
first = {name for table in lists.values() for name in table.idxmax(axis=1)}
less = max(iccs["parts"], iccs["draws"]) < iccs["subsets"]
claim("the ICC over balanced subsets is the paper's or higher", iccs["subsets"] >= printed)
claim("lists that share no CNN agree less than those that do", less)
claim("`lr` has the largest share in each kind of lists", set(strongest.values()) == {"lr"})
claim("`lr` comes first in every list of weights", first == {"lr"})
claim("without `lr` random search's parts agree only moderately", 0.4 < rest["draws"]["icc"] < 0.75)
claim(
    "without `lr` the other lists still agree well",
    min(rest["subsets"]["icc"], rest["parts"]["icc"]) > 0.9,
)
claim("two subsets share more than half of their CNNs", 0.5 < overlap < 1)
glue(printed=printed, overlap=overlap, n_paper=len(paper), between=means.std(), n_subsets=n_subsets)
glue(icc=iccs, rest=rest, tau=tau, spread=spread, title=TITLES, n_parts=n_parts, n_draws=n_draws)
glue(draws=forms["Share, draws"].loc[REPORTED], size=len(parts[-1]))

# %% [markdown] tags=["agreement-fig-4"]
# **Agreement with the paper.** Over {glue:text}`n_subsets` balanced subsets the ICC is
# {glue:text}`icc_subsets:.4f`; the paper's is {glue:text}`printed`. Two subsets share
# {glue:text}`overlap:.0%` of their CNNs. Over {glue:text}`n_parts` parts that share none it is
# {glue:text}`icc_parts:.4f`, and over {glue:text}`n_draws` such parts of random search's CNNs
# {glue:text}`icc_draws:.4f` (95% interval {glue:text}`draws_low:.4f` to
# {glue:text}`draws_high:.4f`).

# %% [markdown]
# ## Why the number is so high
#
# **The weights differ widely.** The mean shares have a standard deviation of
# {glue:text}`between:.3f` between hyperparameters, and {glue:text}`spread_subsets:.3f` between
# subsets. Without `lr`, which has the largest share, the subsets still have an ICC of
# {glue:text}`rest_subsets_icc:.4f` and the parts without overlap {glue:text}`rest_parts_icc:.2f`,
# but the parts of random search only {glue:text}`rest_draws_icc:.2f`.
#
# **The subsets overlap.** Parts that share no CNN agree less. But the parts are also smaller, with
# {glue:text}`size:,d` CNNs each.
#
# **The order is less certain than the values.** `lr` comes first in every list. But Kendall's
# $\tau$ between two lists is {glue:text}`tau_subsets:.2f` over the subsets,
# {glue:text}`tau_parts:.2f` over the parts, and {glue:text}`tau_draws:.2f` over the parts of random
# search.
#
# ## What the number does not say
#
# The ICC says how little the weights depend on which of *these* CNNs are drawn, not that they are
# right. A method that always errs in the same way has an ICC of 1. {doc}`audit` derives the errors
# of single weights; {doc}`methods` compares the method with the truth.
#
# ## Ten balanced subsets
#
# Few of the paper's CNNs have a middling accuracy ({numref}`fig-3` shows ours). So its subsets take
# at random at most 600 CNNs from each interval of performance; we make the intervals equally wide.
# The cap is scaled to the number of CNNs: if it never applied, all subsets would be the same. It
# applies in {glue:text}`binding` of {glue:text}`n_intervals` intervals, and a subset has
# {glue:text}`n_subset:,d` CNNs ({numref}`table-intervals`).
#
# :::{caption} table-intervals
# CNNs per interval of accuracy, and how many of them each subset takes: at most {glue:text}`cap`.
# :::

# %%
in_all = np.bincount(intervals(accuracy, n_intervals), minlength=n_intervals)
edges = np.linspace(0, 1, n_intervals + 1)
table = zip(edges[:-1], edges[1:], in_all, np.minimum(in_all, cap), strict=True)
headings = "Accuracy from {:.3g} | to {:.3g} | CNNs {:,} | In a subset {:,}"
show_table(table, "table-intervals", headings)
claim("the balanced subsets are not all the same", len(subsets[0]) < n)
glue(cap=cap, binding=(in_all > cap).sum(), n_intervals=n_intervals, n_subset=len(subsets[0]))

# %% [markdown]
# ## Parts that share nothing
#
# The CNNs are also dealt at random into parts, each CNN into one. BOHB's CNNs are alike in all
# parts. So those of random search, which are independent draws, are dealt into parts of the same
# size too; only their ICC has an interval.
#
# ## Which ICC
#
# There are six forms, and the paper does not say which it uses. We compare ICC(A,1), absolute
# agreement of single lists, which is ICC(2,1) of {cite:t}`shrout1979intraclass`. Every list of
# shares sums to 1, so the first three forms hardly differ. The last three describe the mean list
# and are larger by construction.
#
# :::{caption} table-icc
# Intraclass correlations by pingouin {cite}`vallat2018pingouin`, of shares and of $W$, over
# {glue:text}`title_subsets` (*subsets*), {glue:text}`title_parts` (*parts*), and
# {glue:text}`title_draws` (*draws*). The paper prints {glue:text}`printed`.
# :::

# %%
estimates = pd.DataFrame({name: table["icc"] for name, table in forms.items()})
table = estimates.reset_index(names="Form")
show_table(table, "table-icc", dict.fromkeys(estimates.columns, ".4f"))
