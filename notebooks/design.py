# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What the study's design decides
#
# **Analysed as in the paper, with the learning rate drawn uniformly and all data sets pooled,
# N-RReliefF's first three and last two are the paper's. Only depth and the learning rate change
# places. Drawn on a log scale, `lr` outweighs everything else.**
#
# The first page's ranking comes from CNNs that differ from the paper's in two choices of ours: `lr`
# is drawn on a log scale, and most data sets are cut to 5,000 images. The paper's Table 1 prints
# only "float, [1e-6, 1e-1]", which can be read as a uniform draw. {numref}`fig-pooled` compares
# the two draws on the same images. CNNs on all images are still being trained.
#
# :::{caption} fig-pooled
# :alt: Dots with intervals: with a uniform draw lr, num_conv_layers and dropout_rate have most, as
#   in the paper; with a log draw lr has nearly all
#
# Shares by N-RReliefF, all data sets pooled, with 95 % intervals over resampled CNNs. *log*,
# *uniform*: how `lr` is drawn. *some*: at most 5,000 images; *all*: the whole collection. Upright
# strokes: the paper's shares (its Table 3).
# :::

# %% tags=["parameters"]
log_reduced = "data/trials.parquet"  # `lr` on its logarithm, some images
linear_reduced = "data/linear_reduced/trials.parquet"  # `lr` uniform, the same images
log_all = "data/log_all/trials.parquet"  # `lr` on its logarithm, all images; left out if missing
linear_all = "data/linear_all/trials.parquet"  # `lr` uniform, all images; left out if missing
n_neighbors = 30  # J, neighbours of each CNN, the paper's value; at least 1
sigma = 20.0  # decay of a neighbour's influence with its rank; above 0
n_trees = 32  # trees of functional ANOVA on each data set; at least 1
min_samples_leaf = 2  # the fewest CNNs in a leaf of them; at least 1
n_resamples = 1000  # resamples of the pooled CNNs, for the intervals; at least 1
n_subsets = 10  # subsets of which the ICC is taken, as in the paper; at least 2
random_state = 0  # seed of the forests, the subsets and the intervals; at least 0

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from hia.datasets import FACTS, NAMES
from hia.relief import NRReliefF, shares
from hia.trials import design, load
from hia_book import conditions, published, rankings
from hia_book.agreement import REPORTED, balanced_subsamples, icc, rank_agreement
from hia_book.claims import claim, glue, need
from hia_book.figures import WIDTH, show_figure, show_table, use_style

use_style()
FILES = {
    "log, some": log_reduced,
    "uniform, some": linear_reduced,
    "log, all": log_all,
    "uniform, all": linear_all,
}
METHODS = rankings.METHODS | {"nrrelieff_raw": "N-RReliefF, raw distance"}
tables = {
    name: load(path) for name, path in FILES.items() if "some" in name or Path(path).is_file()
}
by_random_search = {name: rows[rows["source"] == "random"] for name, rows in tables.items()}
for name, rows in list(by_random_search.items()):
    # A recording under way has data sets of too few CNNs to have as many neighbours.
    if rows.groupby("dataset").size().reindex(NAMES, fill_value=0).min() <= n_neighbors:
        del by_random_search[name]
need(
    {"log, some", "uniform, some"} <= set(by_random_search),
    f"n_neighbors={n_neighbors}: the tables have data sets of no more CNNs than that",
)


def first(rows, counts):
    """As many CNNs of each data set as `counts` has."""
    return pd.concat([own.head(counts[name]) for name, own in rows.groupby("dataset")])


# The recorded study has more CNNs: as many of them as were trained with `lr` uniform, with the same
# configurations where these were random search's in both.
counts = by_random_search["uniform, some"]["dataset"].value_counts()
samples = by_random_search | {"log, some": first(by_random_search["log, some"], counts)}
options = {"n_neighbors": n_neighbors, "sigma": sigma, "n_trees": n_trees}
options |= {"min_samples_leaf": min_samples_leaf, "random_state": random_state}
columns = rankings.varied(samples["uniform, some"])
weights = {
    (name, method): rankings.by_dataset(rows, columns, method, **options)
    for name, rows in samples.items()
    for method in METHODS
}
ranks = {key: table.rank(axis=1, ascending=False) for key, table in weights.items()}
means = {key: conditions.average(table, random_state) for key, table in ranks.items()}
table3 = published.table(3).set_index("hyperparameter")
compared = [name for name in table3.index if name in columns]
paper = table3.loc[compared, "rank"].rank()

# %%
LOOKS = {
    "log, some": {"color": "#D9B25F", "marker": "o"},
    "uniform, some": {"color": "#8F92E0", "marker": "s"},
    "log, all": {"color": "#8A5A00", "marker": "^"},
    "uniform, all": {"color": "#2C2E8C", "marker": "D"},
}
CONDITIONS = list(samples)
offsets = np.linspace(-0.27, 0.27, len(CONDITIONS))
relief = NRReliefF(n_neighbors, sigma)
pooled, resampled = {}, {}
for name, rows in samples.items():
    X, accuracy = design(rows, list(table3.index)), rows["accuracy"]
    pooled[name] = relief.fit(X, accuracy).weights_
    resampled[name] = relief.bootstrap(X, accuracy, n_resamples, random_state)
pooled = pd.DataFrame(pooled, table3.index)

figure, ax = plt.subplots(figsize=(WIDTH, 4.6))
heights = np.arange(len(table3))
ax.scatter(table3["weight"], heights, marker="|", s=260, color="black", label="the paper")
drawn_shares = table3[["weight"]].rename(columns={"weight": "the paper"})
for offset, name in zip(offsets, CONDITIONS, strict=True):
    low, high = np.percentile(shares(resampled[name]), [2.5, 97.5], axis=0)
    drawn_shares[name] = shares(pooled[name])
    drawn_shares[f"{name}, low"], drawn_shares[f"{name}, high"] = low, high
    ax.hlines(heights + offset, low, high, color=LOOKS[name]["color"], linewidth=1.5)
    ax.scatter(drawn_shares[name], heights + offset, s=30, label=name, **LOOKS[name])
ax.set_yticks(heights, table3.index)
ax.xaxis.set_major_formatter(PercentFormatter(1))
ax.set_xlabel("share")
ax.grid(axis="y")
ax.invert_yaxis()
figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=3)
show_figure(figure, "fig-pooled", data=drawn_shares.reset_index())


# %%
def agree(one, other):
    """Kendall's tau of two rankings, of what both have."""
    return rank_agreement(-one[other.index], -other).tau


pooled_ranks = pooled.rank(ascending=False)
in_pool = {name: conditions.judge(pooled_ranks[name], table3["rank"]) for name in CONDITIONS}
drawn = pd.DataFrame(resampled["uniform, some"], columns=table3.index).rank(axis=1, ascending=False)
top = drawn[table3.index[:3]]
claim(
    "pooled, the first three are the paper's where `lr` is uniform, and not where it is not",
    in_pool["uniform, some"]["three"] and not in_pool["log, some"]["three"],
)
claim(
    "pooled, the last two are the paper's where `lr` is uniform", in_pool["uniform, some"]["last"]
)
claim(
    "pooled, `lr` is first and `num_conv_layers` second, with either draw",
    (pooled_ranks.loc[["lr", "num_conv_layers"], CONDITIONS[:2]].T == [1, 2]).all(axis=None),
)
claim(
    "pooled, `lr` has most of the shares where drawn on its logarithm",
    drawn_shares.loc["lr", "log, some"] > 0.75,
)
glue(
    pool=drawn_shares["uniform, some"],
    pool_log=drawn_shares["log, some"],
    printed=table3["weight"],
    three_sure=(top <= 3).all(axis=1).mean(),
    depth_first=(top["num_conv_layers"] == 1).mean(),
    tau_pool=agree(pooled_ranks["uniform, some"], table3["rank"]),
)

# %% [markdown]
# ## Pooled, as in the paper
#
# With a uniform draw, `lr` has {glue:text}`pool_lr:.0%`, `num_conv_layers`
# {glue:text}`pool_num_conv_layers:.0%` and `dropout_rate` {glue:text}`pool_dropout_rate:.0%`. The
# paper prints {glue:text}`printed_lr:.0%`, {glue:text}`printed_num_conv_layers:.0%` and
# {glue:text}`printed_dropout_rate:.0%`. These three come first in {glue:text}`three_sure:.0%` of
# resamples, depth first of all in {glue:text}`depth_first:.0%`. Kendall's τ with Table 3 is
# {glue:text}`tau_pool:.2f`. With a log draw `lr` alone has {glue:text}`pool_log_lr:.0%`.
#
# A pool mixes differences between hyperparameters with differences between data sets.
# `in_channel_num` shows it: its two values tell grey data sets from coloured ones, and so easy ones
# from hard ones. {numref}`table-pooled` has its rank: by functional ANOVA it is among the first
# two. On a single data set it is constant and cannot matter. So the rest of this page ranks each
# data set by itself.
#
# :::{caption} table-pooled
# Ranks of the hyperparameters where all data sets are pooled.
# :::

# %%
by_anova = {
    f"{METHODS['fanova']}, {name}": rankings.weigh(rows, list(table3.index), "fanova", **options)
    for name, rows in samples.items()
}
both = pd.DataFrame(by_anova, table3.index).rank(ascending=False)
claim(
    "pooled, `in_channel_num` is among the first two by functional ANOVA, with either draw",
    (both.loc["in_channel_num"] <= 2).all(),
)
table = pooled_ranks.add_prefix(f"{METHODS['nrrelieff']}, ").join(both)
table.insert(0, "Table 3", table3["rank"])
show_table(table.reset_index(names="Hyperparameter"), "table-pooled", dict.fromkeys(table, ".3g"))

# %% [markdown]
# ## Each data set by itself
#
# Then `optimizer` ranks first with a uniform draw, and `lr` no longer does
# ({numref}`fig-conditions`). The first five stay the paper's, though not in its order.
#
# :::{caption} fig-conditions
# :alt: Dots with intervals: with lr on its logarithm lr is first by both methods, with lr uniform
#   optimizer is
#
# Mean rank over the data sets, each ranked separately, with a 95 % interval over them. Upright
# strokes: the paper's order, without `in_channel_num`, which is constant on a data set.
# :::

# %%
figure, axes = plt.subplots(len(rankings.METHODS), 1, figsize=(WIDTH, 8.2), sharex=True)
for ax, method in zip(axes, rankings.METHODS, strict=True):
    ax.scatter(paper, range(len(compared)), marker="|", s=260, color="black", label="the paper")
    for offset, name in zip(offsets, samples, strict=True):
        table = means[name, method].loc[compared]
        height = np.arange(len(compared)) + offset
        ax.hlines(height, table["low"], table["high"], color=LOOKS[name]["color"], linewidth=1.5)
        ax.scatter(table["mean"], height, s=30, label=name, **LOOKS[name])
    ax.set_yticks(range(len(compared)), compared)
    ax.set_title(METHODS[method], loc="left")
    ax.grid(axis="y")
    ax.invert_yaxis()
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
axes[-1].set_xlabel("mean rank, 1 for the most important")
drawn_ranks = pd.concat(means, names=["condition", "method", "hyperparameter"]).reset_index()
show_figure(figure, "fig-conditions", data=drawn_ranks)


# %%
def change(hyperparameter, method):
    """What a uniform draw of `lr` adds to a mean rank, with the interval over the data sets."""
    added = ranks["uniform, some", method] - ranks["log, some", method]
    return conditions.average(added[[hyperparameter]], random_state).loc[hyperparameter]


anova = {name: weights[name, "fanova"].mean() for name in CONDITIONS}
lr, lr_anova = change("lr", "nrrelieff"), change("lr", "fanova")
layers, layers_anova = (change("num_conv_layers", method) for method in ("nrrelieff", "fanova"))
claim(
    "`optimizer` is first where `lr` is uniform, by both methods",
    all(means["uniform, some", method].index[0] == "optimizer" for method in rankings.METHODS),
)
claim(
    "`lr` is first where it is drawn on its logarithm, by both methods",
    all(means["log, some", method].index[0] == "lr" for method in rankings.METHODS),
)
claim("a uniform draw lowers `lr`, by both methods", min(lr["low"], lr_anova["low"]) > 0)
claim("how much `num_conv_layers` gains is not certain", layers["low"] < 0 < layers["high"])
claim(
    "a uniform draw raises `num_conv_layers`, by both methods",
    max(layers["mean"], layers_anova["mean"]) < 0,
)
glue(
    n_each=len(samples["uniform, some"]),
    log=means["log, some", "nrrelieff"]["mean"],
    uniform=means["uniform, some", "nrrelieff"]["mean"],
    log_anova=means["log, some", "fanova"]["mean"],
    uniform_anova=means["uniform, some", "fanova"]["mean"],
    log_share=anova["log, some"],
    uniform_share=anova["uniform, some"],
    layers=layers,
)

# %% [markdown]
# By functional ANOVA, `lr` explains {glue:text}`log_share_lr:.0%` of the variance on an average
# data set if drawn on a log scale, but only {glue:text}`uniform_share_lr:.0%` if drawn uniformly.
# Its mean rank by N-RReliefF falls from {glue:text}`log_lr:.1f` to {glue:text}`uniform_lr:.1f`.
# That of `num_conv_layers` rises from {glue:text}`log_num_conv_layers:.1f` to
# {glue:text}`uniform_num_conv_layers:.1f` (change {glue:text}`layers_mean:.1f`, 95 % interval
# {glue:text}`layers_low:.1f` to {glue:text}`layers_high:.1f`), and by functional ANOVA from
# {glue:text}`log_anova_num_conv_layers:.1f` to {glue:text}`uniform_anova_num_conv_layers:.1f`. How
# much it gains is not certain.
#
# {numref}`table-findings` shows which of the paper's findings hold.
#
# :::{caption} table-findings
# The paper's findings under each condition: the methods by which they hold, or the number itself.
# From mean ranks over the data sets; the ICC and what is *pooled* are by N-RReliefF from all data
# sets at once, as in the paper. These are fewer CNNs than on other pages
# ({numref}`table-conditions`), so numbers differ.
# :::


# %%
def icc_of_lists(rows):
    """The ICC of N-RReliefF's shares on balanced subsets of all data sets (Section 5.2)."""
    cap = published.value("points_per_interval") * len(rows) / published.figure2()["models"].sum()
    subsets = balanced_subsamples(
        rows["accuracy"], n_subsets, max(1, round(cap)), random_state=random_state
    )
    X = design(rows)
    lists = [
        shares(relief.fit(X.iloc[own], rows["accuracy"].iloc[own]).weights_) for own in subsets
    ]
    return icc(pd.DataFrame(lists)).set_index("form").loc[REPORTED, "icc"]


def holds(finding):
    """By condition, the methods by which one of the paper's findings holds."""
    return {
        name: ", ".join(label for method, label in METHODS.items() if judged[name, method][finding])
        or "no"
        for name in CONDITIONS
    }


mean = {key: table["mean"] for key, table in means.items()}
judged = {key: conditions.judge(table, paper) for key, table in mean.items()}
findings = {
    "`num_conv_layers`, `lr`, `dropout_rate` are the first three, in this order": holds("order"),
    "these, `optimizer` and `epoch` are the first five": holds("five"),
    "`num_fc_units` and `batch_size` are last": holds("last"),
    f"the ICC of {n_subsets} lists is above .95": {
        name: f"{icc_of_lists(rows):.3f}" for name, rows in samples.items()
    },
    "both methods agree (Kendall's $\\tau$ of their mean ranks)": {
        name: f"{agree(mean[name, 'nrrelieff'], mean[name, 'fanova']):.2f}" for name in CONDITIONS
    },
} | {
    f"*Beside:* $\\tau$ with Table 3, {label}": {
        name: f"{agree(mean[name, method], paper):.2f}" for name in CONDITIONS
    }
    for method, label in METHODS.items()
}
in_words = {True: "yes", False: "no"}
pooled_findings = {
    "order": "the first three, in this order",
    "three": "the first three, in any order",
    "five": "the first five",
    "last": "the last two",
}
findings |= {
    f"*Pooled:* {text}": {name: in_words[in_pool[name][finding]] for name in CONDITIONS}
    for finding, text in pooled_findings.items()
}
findings["*Pooled:* $\\tau$ with Table 3"] = {
    name: f"{agree(pooled_ranks[name], table3['rank']):.2f}" for name in CONDITIONS
}
show_table(pd.DataFrame(findings).T.reset_index(names="The paper's finding"), "table-findings")
claim(
    "the first five are the paper's by every method where `lr` is uniform",
    all(judged["uniform, some", method]["five"] for method in METHODS),
)
claim(
    "the first five are the paper's with either draw, by both methods",
    all(judged[name, x]["five"] for name in list(LOOKS)[:2] for x in rankings.METHODS),
)
claim(
    "the first three are the paper's, in its order, by no method and draw",
    not any(one["order"] for one in judged.values()),
)
claim(
    "`num_fc_units` and `batch_size` are last by no method and draw",
    not any(one["last"] for one in judged.values()),
)

# %% [markdown]
# With either draw, the first five by N-RReliefF and by functional ANOVA are the paper's, but not in
# its order; with a uniform draw they are so by raw distances too. The paper's last two come last
# nowhere.

# %% [markdown]
# ## Why: a uniform draw tries one decade
#
# Nine of ten uniform draws between $10^{-6}$ and $10^{-1}$ lie above $10^{-2}$; on a log scale one
# in five does. {numref}`fig-response` shows what that changes. Over all five decades, accuracy
# mostly depends on whether the rate is large enough to learn. Above $10^{-2}$ it is; there,
# accuracy depends on whether training survives so large a rate, which is a matter of optimizer and
# depth.
#
# :::{caption} fig-response
# :alt: Accuracy climbs with lr and falls again above 0.01 with Adam, the more so the deeper the CNN
#
# Mean validation accuracy by `lr`, optimizer and number of convolutional layers, over the CNNs of
# both draws; every data set counts the same. Grey: where nine of ten uniform draws lie.
# :::

# %%
edges = np.logspace(-6, -1, 11)
response = conditions.respond(pd.concat([by_random_search[name] for name in CONDITIONS[:2]]), edges)
figure, axes = plt.subplots(2, 1, figsize=(WIDTH, 6.4), sharex=True, sharey=True)
for ax, (optimizer, own) in zip(axes, response.groupby("optimizer"), strict=True):
    ax.axvspan(1e-2, 1e-1, color="0.9", zorder=0)
    for color, (layers_of, line) in zip(
        ("#9AC7E8", "#4A90C4", "#0B3C66"), own.groupby("num_conv_layers"), strict=True
    ):
        ax.plot(
            line["lr"], line["accuracy"], color=color, marker="o", markersize=4, label=layers_of
        )
    ax.set(xscale="log", title=optimizer, ylabel="mean accuracy")
axes[0].legend(title="convolutional layers", loc="upper left")
axes[-1].set_xlabel("learning rate")
show_figure(figure, "fig-response", data=response)

# %%
level = response.set_index(["optimizer", "num_conv_layers", "lr"])["accuracy"]
top = level.groupby(["optimizer", "num_conv_layers"]).max()
last = level.xs(level.index.get_level_values("lr").max(), level="lr")
claim(
    "with Adam the largest rates are far below the best, at every depth",
    (last["Adam"] < top["Adam"] / 2).all(),
)
claim(
    "with SGD the largest rates are the best, at every depth", np.allclose(last["SGD"], top["SGD"])
)
claim(
    "with SGD, one layer is far ahead of three at the largest rates",
    last["SGD"][1] > 1.5 * last["SGD"][3],
)
glue(adam_top=top["Adam"][1], adam_last=last["Adam"][1])
glue(sgd_one=last["SGD"][1], sgd_three=last["SGD"][3])

# %% [markdown]
# With Adam and one layer, mean accuracy is {glue:text}`adam_top:.2f` at the best rates and
# {glue:text}`adam_last:.2f` at the largest. With SGD the largest rates are the best: one layer
# reaches {glue:text}`sgd_one:.2f` there, three {glue:text}`sgd_three:.2f`. So a uniform draw mostly
# compares optimizers and depths, and a log draw mostly compares rates that learn with rates that do
# not. Both rankings are right about the CNNs that they saw; neither describes CNNs in general.
#
# **For tuning:** search `lr` on a log scale, together with the optimizer; a wrong `lr` costs most.
# Once you know the right decade, turn to optimizer and depth.
#
# ## Two heaps of accuracies
#
# The paper sees accuracies pile up at both ends, with few between (its Section 5.1 and Fig. 3). A
# uniform draw moves CNNs from the lower heap to the upper one.
#
# :::{caption} table-heaps
# Shares of CNNs by validation accuracy.
# :::

# %%
of_sets = {"all data sets": list(FACTS), **{FACTS[x].label: [x] for x in ("mnist", "usps")}}
shares_of = pd.DataFrame(
    {
        (label, name): conditions.heaps(rows.loc[rows["dataset"].isin(own), "accuracy"])
        for label, own in of_sets.items()
        for name, rows in samples.items()
    }
).T
below = {name: shares_of.xs(name, level=1)["below"] for name in samples}
claim(
    "a uniform draw moves CNNs from below to above",
    (below["uniform, some"] < below["log, some"]).all(),
)
shares_of.columns = [f"Below {conditions.LOW}", "Between", f"Above {conditions.HIGH}"]
table = shares_of.reset_index(names=["CNNs of", "Condition"])
show_table(table, "table-heaps", dict.fromkeys(shares_of, ".0%"))

# %% [markdown]
# {numref}`table-conditions-datasets` has the ranks of `num_conv_layers` and `lr` on every data set.
# With so few CNNs per data set, single ranks are uncertain; {doc}`perdataset` uses more.
#
# :::{caption} table-conditions-datasets
# Rank by N-RReliefF on each data set, 1 for the most important of {glue:text}`n_compared`
# hyperparameters.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the ranks by data set and their code"}
by_dataset = pd.DataFrame(
    {
        f"`{hyperparameter}`, {name}": ranks[name, "nrrelieff"][hyperparameter]
        for hyperparameter in ("num_conv_layers", "lr")
        for name in CONDITIONS
    }
)
glue(n_compared=len(compared))
table = by_dataset.rename(lambda name: FACTS[name].label).reset_index(names="Data set")
show_table(table, "table-conditions-datasets", dict.fromkeys(by_dataset, ".3g"))

# %% [markdown]
# ## What was trained
#
# All CNNs here come from random search, so only `lr` and the images differ between conditions. In
# both draws trial *n* of a data set has the same seed and, except for `lr`, the same configuration.
# {numref}`table-conditions` counts them; {numref}`table-conditions-images` says how much of each
# collection they saw.
#
# :::{caption} table-conditions
# The CNNs of each condition, and the processor time of their training where it was measured.
# :::
#
# :::{caption} table-conditions-images
# Images of each data set, training and validation: of the whole collection, and used here.
# :::

# %%
trained = pd.DataFrame(
    [
        {
            "Condition": name,
            "CNNs": len(rows),
            "per data set": rows["dataset"].value_counts().max(),
            "Core-hours": rows["cpu_seconds"].sum(skipna=False) / 3600,
        }
        for name, rows in samples.items()
    ]
)
formats = {"CNNs": ",", "per data set": ",", "Core-hours": ".1f"}
show_table(trained, "table-conditions", formats)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the images by data set and their code"}
used = {
    name: (rows["images"] + rows["val_images"]).groupby(rows["dataset"]).max()
    for name, rows in samples.items()
}
images = pd.DataFrame(used).T.groupby(lambda name: name.split(", ")[1], sort=False).max().T
images.insert(0, "Collection", pd.Series({name: FACTS[name].images for name in NAMES}))
part = images.iloc[:, 1:].div(images["Collection"], axis=0).add_suffix(", share")
formats = dict.fromkeys(images, ",") | dict.fromkeys(part, ".0%")
table = images.join(part).loc[list(NAMES)].rename(lambda name: FACTS[name].label)
show_table(table.reset_index(names="Data set"), "table-conditions-images", formats)
