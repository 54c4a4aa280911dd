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
# The paper repeats N-RReliefF on ten subsets of its CNNs and reports how well the ten lists of
# weights agree, as an intraclass correlation (ICC; its Section 5.2 and Fig. 4). {numref}`fig-4` and
# {numref}`table-icc` do so with ours, and then with lists that have no CNN in common.

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
n_subsets = 10  # subsets, and so lists of weights; the paper's number
max_per_interval = None  # CNNs per interval of accuracy; null: the paper's 600 scaled to our number
n_intervals = 10  # intervals of accuracy, of equal width
n_neighbors = 30  # J, neighbours of each CNN; the paper's value
sigma = 20.0  # decay of a neighbour's influence with its rank
metric = "euclidean"  # distance between configurations: euclidean or manhattan
scale = "range"  # what the distance is computed on: range, or none for raw values
random_state = 0  # seed of the subsets

# %%
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from hia.relief import NRReliefF
from hia.space import HYPERPARAMETERS
from hia.trials import design, load
from hia_book import published
from hia_book.agreement import REPORTED, balanced_subsamples, icc, intervals
from hia_book.figures import look, show_agreement, show_figure, show_table, show_text, use_style

use_style()
rows = load(trials)
X, accuracy = design(rows), rows["accuracy"]
n = len(rows)


def weights(subsets) -> pd.DataFrame:
    """W of every subset: (subsets, hyperparameters)."""
    relief = NRReliefF(n_neighbors=n_neighbors, sigma=sigma, metric=metric, scale=scale)
    return pd.DataFrame(
        [relief.fit(X.iloc[subset], accuracy.iloc[subset]).weights_ for subset in subsets],
        columns=list(HYPERPARAMETERS),
    )


def shares(lists: pd.DataFrame) -> pd.DataFrame:
    """Shares as in the other chapters; zeros where a small subset has no weight above 0."""
    positive = lists.clip(lower=0)
    return positive.div(positive.sum(axis=1).replace(0, 1), axis=0)


# %% [markdown]
# ## Ten balanced subsets
#
# Few of the paper's CNNs have a middling accuracy ({numref}`fig-3` has ours). So the paper takes at
# most 600 of any interval of performance into a subset, at random. It does not say what the
# intervals are; here they are equally wide. With fewer CNNs than the paper's a cap of 600 may never
# bind: every subset would be all CNNs, the ten lists the same and their ICC 1, which says nothing.
# So the cap is scaled to the number of CNNs.

# %%
models = published.figure2()["models"].sum()
printed_cap = int(published.value("points_per_interval"))
cap = max_per_interval
if cap is None:
    cap = max(1, round(printed_cap * n / models))
subsets = balanced_subsamples(accuracy, n_subsets, cap, n_intervals, random_state)
edges = np.linspace(0, 1, n_intervals + 1)
in_all = np.bincount(intervals(accuracy, n_intervals), minlength=n_intervals)
show_table(
    pd.DataFrame(
        {
            "Accuracy from": edges[:-1],
            "to": edges[1:],
            "CNNs": in_all,
            "In a subset": np.minimum(in_all, cap),
        }
    ),
    "table-intervals",
    f"CNNs per interval of accuracy, and how many of them each subset has: at most {cap}.",
    formats={"CNNs": ",", "In a subset": ",", "Accuracy from": ".3g", "to": ".3g"},
)
size = len(subsets[0])
overlap = np.mean([len(np.intersect1d(a, b)) / size for a, b in combinations(subsets, 2)])
same = size == n
show_text(
    (
        f"We have as many CNNs as the paper, {n:,}, so its cap holds as it is. "
        if n == models
        else f"{printed_cap} of {models:,} CNNs correspond to {printed_cap * n / models:.0f} of "
        f"our {n:,}. "
    )
    + f"The cap of {cap} binds in {(in_all > cap).sum()} of {n_intervals} intervals. A subset has "
    f"{size:,} CNNs, and two subsets have on average {overlap:.0%} of theirs in common."
    + (" **The subsets are all the same, and so the ICC is 1.**" if same else "")
)

# %% [markdown]
# ## Parts that share nothing
#
# Lists made from mostly the same CNNs agree for that reason alone. For contrast the CNNs are also
# dealt out at random into parts, each CNN into one: no two lists have a CNN in common. But BOHB
# tries what is like its best CNNs so far, so its CNNs are alike in all parts. Only those of random
# search are draws that know nothing of each other; so these are dealt out by themselves too, into
# parts of the same size. What agrees between them is in the method and in the world.

# %%
n_parts = min(n_subsets, n // (n_neighbors + 1))
if n_parts < 2:
    raise ValueError(
        f"n_neighbors={n_neighbors}: two parts need more than {2 * n_neighbors + 1} CNNs"
    )
shuffled = np.random.default_rng(random_state).permutation(n)
parts = [np.sort(part) for part in np.array_split(shuffled, n_parts)]

lists = {"subsets": weights(subsets), "parts": weights(parts)}
titles = {
    "subsets": f"{n_subsets} balanced subsets",
    "parts": f"{n_parts} parts without overlap",
}
by_random_search = np.flatnonzero(rows["source"] == "random")
n_draws = len(by_random_search) // len(parts[0])
if len(by_random_search) == n:
    independent = "parts"
elif n_draws > 1:
    independent = "draws"
    dealt = np.random.default_rng(random_state).permutation(by_random_search)
    dealt = dealt[: n_draws * len(parts[0])].reshape(n_draws, -1)
    lists["draws"] = weights(np.sort(dealt, axis=1))
    titles["draws"] = f"{n_draws} such parts of random search's CNNs"
else:
    independent = None
    show_text(
        f"**Missing here:** parts of random search's CNNs. There are {len(by_random_search):,} of "
        f"these, too few for two parts of {len(parts[0]):,}."
    )
paper = published.table(3).set_index("hyperparameter")["weight"]
figure, axes = plt.subplots(len(lists), 1, figsize=(5.4, 0.5 + 3.6 * len(lists)), sharex=True)
for ax, (which, table) in zip(axes, lists.items(), strict=True):
    # One height per list within the hyperparameter's row, so that equal weights stay apart.
    offsets = np.linspace(-0.3, 0.3, len(table))[:, None]
    heights = np.arange(len(paper)) + offsets
    for height, name in zip(heights.T, paper.index, strict=True):
        ax.scatter(shares(table)[name], height, s=16, alpha=0.8, **look(name))
    ax.scatter(
        paper,
        range(len(paper)),
        marker=look("paper")["marker"],
        facecolor="none",
        edgecolor=look("paper")["color"],
        s=34,
        label="the paper",
    )
    ax.set_title(titles[which], loc="left")
    ax.set_yticks(range(len(paper)), paper.index)
    ax.grid(axis="y")
    ax.invert_yaxis()
axes[-1].set_xlabel("share of the importance")
axes[0].legend(loc="lower right")
spread = {which: shares(table).std().mean() for which, table in lists.items()}
show_figure(
    figure,
    "fig-4",
    "Weights of each hyperparameter, one mark per list (as the paper's Fig. 4, whose values are "
    "not printed), and the paper's weights on all its CNNs (hollow), both as shares.",
    f"Dots of {len(paper)} hyperparameters' shares, with a standard deviation of "
    + " and ".join(f"{spread[which]:.3f} on average over {titles[which]}" for which in lists),
    data=pd.concat(
        {which: shares(table) for which, table in lists.items()}, names=["lists", "list"]
    )
    .reset_index()
    .assign(list=lambda drawn: drawn["list"] + 1),
)

# %%
all_forms = {
    f"{name}, {which}": icc(change(table))
    for which, table in lists.items()
    for name, change in (("share", shares), ("W", lambda table: table))
}
estimates = pd.DataFrame({name: table["icc"] for name, table in all_forms.items()})
estimates.insert(0, "Form", all_forms["share, subsets"]["form"])
found = {name: table.set_index("form").loc[REPORTED] for name, table in all_forms.items()}
printed = published.value("icc")
show_table(
    estimates.rename(columns=lambda name: name[0].upper() + name[1:]),
    "table-icc",
    "Intraclass correlations by pingouin {cite}`vallat2018pingouin`, of shares and of $W$, over "
    + "; over ".join(f"{titles[which]} (*{which}*)" for which in lists)
    + f". The paper prints {printed}.",
    formats=dict.fromkeys([name[0].upper() + name[1:] for name in estimates.columns[1:]], ".4f"),
)


def with_interval(name: str) -> str:
    row = found[name]
    return f"{row['icc']:.4f} (95 % interval {row['low']:.4f} to {row['high']:.4f})"


main = found["share, subsets"]
# An interval takes the lists for independent, which neither subsets nor parts with BOHB's CNNs are.
show_agreement(
    "fig-4",
    f"ICC {main['icc']:.4f} over {n_subsets} balanced subsets, the paper's {printed}. Two subsets "
    f"share {overlap:.0%} of their CNNs, so no interval is given. Over {n_parts} parts "
    "that share no CNN the ICC is "
    + (
        with_interval("share, parts")
        if independent == "parts"
        else f"{found['share, parts']['icc']:.4f}"
    )
    + (
        f"; over {n_draws} such parts of random search's CNNs, which are independent draws, "
        f"{with_interval('share, draws')}"
        if independent == "draws"
        else ""
    )
    + ".",
)
show_text(
    "The hyperparameters are what is rated, the lists are the raters. Which of the six forms the "
    f"paper has it does not say. Compared here is {REPORTED}, absolute agreement of single lists: "
    "ICC(2,1) of {cite:t}`shrout1979intraclass`. Every list of shares sums to 1, so no list can be "
    "higher than another as a whole, and the first three forms hardly differ. The last three are "
    "of the mean list, and larger by construction."
)

# %% [markdown]
# ## What this number can say
#
# An ICC compares the spread between hyperparameters with the spread between lists. It is near 1
# when the first is much larger, be it because the lists are precise, because they are made from the
# same CNNs, or because one or two hyperparameters tower over the rest.

# %%
by_list = shares(lists["subsets"])
strongest = list(by_list.mean().nlargest(2).index)
without = {
    which: icc(shares(table).drop(columns=strongest)).set_index("form").loc[REPORTED, "icc"]
    for which, table in lists.items()
}
tau = {
    which: table.T.corr(method="kendall").to_numpy()[np.triu_indices(len(table), 1)].mean()
    for which, table in lists.items()
}
first = {which: table.idxmax(axis=1).value_counts() for which, table in lists.items()}
KINDS = {"subsets": "subsets", "parts": "parts", "draws": "parts of random search's"}
number = {which: len(table) for which, table in lists.items()}
fairest = independent or "parts"
mean_list = all_forms[f"share, {fairest}"].set_index("form").loc["ICC(A,k)", "icc"]
less_alike = found[f"share, {fairest}"]["icc"] < main["icc"]
show_text(
    f"- **Spread.** Between hyperparameters the standard deviation of the mean shares is "
    f"{by_list.mean().std():.3f}, between subsets that of one hyperparameter's share is "
    f"{spread['subsets']:.3f} on average. Without the two strongest (`{strongest[0]}` and "
    f"`{strongest[1]}`) the ICC of the other {len(paper) - 2} is "
    f"{without['subsets']:.4f} instead of {main['icc']:.4f}"
    + (f", and {without['draws']:.4f} over the {KINDS['draws']}" if "draws" in lists else "")
    + ".\n"
    f"- **Overlap.** Two subsets share {overlap:.0%} of their CNNs. Between parts that share none, "
    f"of {len(parts[-1]):,} CNNs or one more, the ICC is {found['share, parts']['icc']:.4f}"
    + (
        f"; between those of random search, which are independent draws, "
        f"{found['share, draws']['icc']:.4f}"
        if independent == "draws"
        else ""
    )
    + (
        ". That is lower, as it must be if overlap has a share in the agreement, and because the "
        "parts are smaller than the subsets."
        if less_alike
        else ". That is no lower: overlap does not explain the agreement."
    )
    + "\n- **Order.** Kendall's $\\tau$ between the rankings of two lists is on average "
    + ", ".join(f"{tau[which]:.2f} over the {KINDS[which]}" for which in lists)
    + ". Most often first is "
    + ", ".join(
        f"`{first[which].index[0]}` in {first[which].iloc[0]} of {number[which]} {KINDS[which]}"
        for which in lists
    )
    + f".\n- **What remains.** The mean of the {number[fairest]} separate lists "
    + ("of random search " if independent == "draws" else "")
    + f"has an ICC(A,k) of {mean_list:.3f} and owes nothing to overlap"
    + (". " if independent else ", but something to BOHB's CNNs, which are alike in all parts. ")
    + "Single lists like these agree by the ICC(A,1) above, the one to compare."
)
show_text(
    "In any case it says how little the weights depend on which of *these* CNNs are drawn. It does "
    "not say that they would come out the same on other data sets, with another search or with "
    "other options of the method, and nothing about whether they are right: a method that is "
    "always wrong in the same way has an ICC of 1. {doc}`audit` works out how large the errors of "
    "single weights are by the printed ICC, {doc}`methods` compares the method with the truth."
)
