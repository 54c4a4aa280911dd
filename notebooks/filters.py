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
# A network with one convolutional layer has no second number of filters. So the paper fixes the
# number of layers, takes the CNNs that have so many, and weighs the numbers of filters of their
# layers against each other: its Table 6 for two layers, its Table 7 for three. It concludes that
# layers nearer to the input matter more.

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
datasets = []  # names of data sets to use, such as [mnist, usps]; empty: all
sources = ["random", "bohb"]  # how the configurations used were found
n_neighbors = 30  # J, neighbours of each CNN; the paper's value
sigma = 20.0  # decay of a neighbour's influence with its rank
metric = "euclidean"  # distance between configurations: euclidean or manhattan
log_lr = True  # take the learning rate on its logarithm, where it is in the distance
n_repeats = 20  # random halves of the CNNs, for the uncertainty
random_state = 0  # seed of the halves

# %%
import math
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import kendalltau, t

from hia.relief import NRReliefF
from hia.space import FILTERS, HYPERPARAMETERS
from hia.trials import design, load, select
from hia_book import published
from hia_book.figures import look, show_agreement, show_figure, show_table, show_text, use_style

use_style()
rows = select(load(trials), datasets, sources)

TABLES = {2: 6, 3: 7}  # layers -> the paper's table
CASES = ("filters only", "all in the distance")


def weights(some: pd.DataFrame, layers: int, case: str, part: float = 1.0) -> pd.Series:
    """W of the number of filters of each layer, from CNNs that all have so many layers. part: those
    that they are of all such CNNs."""
    filters = list(FILTERS[:layers])
    names = filters
    if case != "filters only":
        names = [n for n in HYPERPARAMETERS if (some[n] != some[n].iloc[0]).any()] + filters
    near = max(1, round(part * n_neighbors))  # of fewer CNNs fewer are as near
    relief = NRReliefF(n_neighbors=near, sigma=part * sigma, metric=metric)
    relief.fit(design(some, names, log=log_lr), some["accuracy"])
    return pd.Series(relief.weights_, names)[filters]


def shares(weight: pd.Series) -> pd.Series:
    """max(W, 0) over its sum; missing where no weight is above 0."""
    positive = weight.clip(lower=0)
    return positive / positive.sum() if positive.any() else positive * np.nan


rng = np.random.default_rng(random_state)
used = {layers: int((rows["num_conv_layers"] == layers).sum()) for layers in TABLES}
# Halves have to have neighbours enough.
TABLES = {layers: number for layers, number in TABLES.items() if used[layers] // 2 > n_neighbors}
if left_out := sorted(set(used) - set(TABLES)):
    show_text(
        "**Missing here:** "
        + " and ".join(f"CNNs of {layers} layers ({used[layers]})" for layers in left_out)
        + f" are too few for {n_neighbors} neighbours in each half of them."
    )
result, halves = {}, {}
for layers in TABLES:
    some = rows[rows["num_conv_layers"] == layers]
    picks = [rng.permutation(len(some))[: len(some) // 2] for _ in range(n_repeats)]
    for case in CASES:
        result[layers, case] = weights(some, layers, case)
        halves[layers, case] = pd.DataFrame(
            [weights(some.iloc[pick], layers, case, 0.5) for pick in picks]
        )

# %% [markdown]
# Two variants of ours stand beside the paper's shares. *Filters only* computes distances on the
# numbers of filters alone, as the paper's tables suggest, whose weights sum to 1: neighbours then
# differ in everything else, learning rate and data set included, and what that does to the accuracy
# is noise for this question. *All in the distance* looks for neighbours that are alike in the other
# hyperparameters too, and reports the filters' weights alone.
#
# Uncertainty: each is repeated on random halves of the CNNs, drawn without replacement (a row drawn
# twice would be its own nearest neighbour) and with half as many neighbours, which are then as near
# as those of the whole. How far the halves scatter around the whole is about the standard error of
# the whole; *± W* is that.


# %%
def spread(layers: int, case: str) -> pd.Series:
    """Root mean square of how far the halves are from the whole."""
    return ((halves[layers, case] - result[layers, case]) ** 2).mean() ** 0.5


for layers, number in TABLES.items():
    paper = published.table(number).set_index("hyperparameter")
    table = pd.DataFrame({"Number of filters": [f"layer {i}" for i in range(1, layers + 1)]})
    table["Paper"] = paper["weight"].to_numpy()
    for case, short in zip(CASES, ("filters", "all"), strict=True):
        table[f"Ours ({short})"] = shares(result[layers, case]).to_numpy()
        table[f"W ({short})"] = result[layers, case].to_numpy()
        table[f"± W ({short})"] = spread(layers, case).to_numpy()
    show_table(
        table,
        f"table-{number}",
        f"The number of filters of each layer in CNNs of {layers} convolutional layers: the "
        f"paper's Table {number}, and ours from {used[layers]:,} CNNs. A share is missing where no "
        "W is above 0.",
        {
            name: "+.4f" if name.startswith("W") else ".4f"
            for name in table.columns
            if name != "Number of filters"
        },
    )


# %%
def ordered(weight: pd.Series, paper: pd.Series) -> float | None:
    """Kendall's tau of the layers' order with the paper's; None where no W is above 0, for then no
    layer has an influence that could be larger than another's."""
    if not (weight > 0).any():
        return None
    return float(kendalltau(paper, weight[paper.index]).statistic)


for layers, number in TABLES.items():
    paper = published.table(number).set_index("hyperparameter")["weight"]
    said, some_order = [], False
    for case in CASES:
        whole = ordered(result[layers, case], paper)
        like_paper = [ordered(half, paper) for _, half in halves[layers, case].iterrows()].count(1)
        some_order |= whole is not None
        said.append(
            f"with {case} there is no order: no layer's W is above 0"
            if whole is None
            else f"with {case} the order of the {layers} layers {'is' if whole == 1 else 'is not'} "
            f"the paper's ($\\tau$ = {whole:.2f}), and it is in {like_paper} of {n_repeats} random "
            "halves of the CNNs"
        )
    text = "; ".join(said)
    show_agreement(
        f"table-{number}",
        f"{text[0].upper()}{text[1:]}."
        + (
            f" Chance alone has the paper's order once in {math.factorial(layers)} times."
            if some_order
            else ""
        ),
    )

# %%
if TABLES:
    figure, panels = plt.subplots(
        len(TABLES),
        2,
        figsize=(5.4, 0.8 + 0.9 * sum(TABLES)),
        sharex=True,
        sharey="row",
        height_ratios=list(TABLES),
        squeeze=False,
    )
    for line, layers in zip(panels, TABLES, strict=True):
        for axes, case in zip(line, CASES, strict=True):
            for position, name in enumerate(FILTERS[:layers]):
                half = halves[layers, case][name]
                jitter = position + np.linspace(-0.2, 0.2, len(half))
                style = look(name)
                axes.scatter(half, jitter, s=12, alpha=0.6, color=style["color"], zorder=2)
                whole = result[layers, case][name]
                axes.scatter(whole, position, s=70, edgecolor="white", zorder=3, **style)
            axes.axvline(0, color="0.3", linewidth=1, zorder=1)
            axes.set_yticks(range(layers), [f"layer {i}" for i in range(1, layers + 1)])
            axes.set_ylim(layers - 0.6, -0.4)
            axes.set_title(f"{layers} layers,\n{case}")
    for axes in panels[-1]:
        axes.set_xlabel("W")
    drawn = pd.concat(
        {
            key: pd.concat([halves[key], result[key].to_frame("all CNNs").T])
            .rename(index=lambda label: label if isinstance(label, str) else f"half {label + 1}")
            .melt(var_name="hyperparameter", value_name="W", ignore_index=False)
            for key in result
        },
        names=["layers", "distance", "CNNs"],
    ).reset_index()
    show_figure(
        figure,
        "fig-filters",
        "W of the number of filters of each layer: on all CNNs (large marks), and on "
        f"{n_repeats} random halves of them with half as many neighbours (dots).",
        alt="Dots of W for each layer on random halves of the CNNs around the value of all, for "
        "each number of layers, with only the filters and with all hyperparameters in the distance",
        data=drawn,
    )

# %% [markdown]
# ## Is the order of the layers more than noise?
#
# Every two neighbouring layers are compared, with both variants. A difference of their W counts as
# more than noise where it is larger than the largest of all of them would be by chance in 95 of 100
# cases; the text below has that limit, in standard errors.

# %%
n_comparisons = sum(layers - 1 for layers in TABLES) * len(CASES)
# Bonferroni's correction, and Student's distribution, for the error is found from few halves.
needed = t.isf(0.025 / n_comparisons, n_repeats) if n_comparisons else math.nan


def comparison(layers: int, case: str) -> tuple[list[str], list[bool]]:
    """Words on every two neighbouring layers, and whether each first is clearly the larger."""
    words, first_larger = [], []
    for one, other in pairwise(FILTERS[:layers]):
        whole = result[layers, case][one] - result[layers, case][other]
        half = halves[layers, case][one] - halves[layers, case][other]
        error = float(((half - whole) ** 2).mean() ** 0.5)
        clear = abs(whole) > needed * error
        order = f"layer {one[-1]} {'above' if whole > 0 else 'below'} layer {other[-1]}"
        words.append(
            f"{order} by {abs(whole):.4f} ± {error:.4f} ({'clear' if clear else 'within noise'})"
        )
        first_larger.append(bool(clear and whole > 0))
    return words, first_larger


supported = {}
lines = []
for layers in TABLES:
    for case in CASES:
        words, first_larger = comparison(layers, case)
        nothing = bool((result[layers, case] <= 0).all())
        supported[layers, case] = all(first_larger) and not nothing
        undefined = " No W is above 0, so there are no shares." * nothing
        lines.append(f"- {layers} layers, {case}: {'; '.join(words)}.{undefined}")
if TABLES:
    show_text(
        f"With {n_comparisons} differences, each counts as clear from {needed:.1f} standard errors "
        "on."
        + (
            " The errors take the CNNs for independent draws; BOHB's learn from each other, so the "
            "true errors may be larger."
            if "bohb" in set(rows["source"])
            else ""
        )
    )
    show_text("\n".join(lines))

# %%
yes = [f"{layers} layers, {case}" for (layers, case), holds in supported.items() if holds]
show_text(
    "That each layer matters more than the next "
    + (
        f"is not clear in any of the {len(supported)} computations."
        if not yes and TABLES
        else "cannot be said."
        if not TABLES
        else f"is clear in all {len(supported)} computations."
        if len(yes) == len(supported)
        else f"is clear in {len(yes)} of {len(supported)} computations ({'; '.join(yes)}), and not "
        "in the others."
    )
    + " The paper gives no uncertainty of its shares, nor how many CNNs of each depth it has; "
    f"a third of its {published.figure2()['models'].sum():,} would be "
    f"{published.figure2()['models'].sum() / 3:,.0f}, ours are "
    + " and ".join(f"{used[layers]:,} of {layers} layers" for layers in used)
    + "."
)
