# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Searches in detail
#
# **A better search gains more than a smaller one: TPE over everything ends ahead of random search
# over any choice of hyperparameters. If `epoch` is tuned as well, tuning everything wins by more
# with Table 1's default, because it trains longer.**
#
# {numref}`fig-pays-tpe` shows the searches by TPE. This page is an appendix to {doc}`pays`, which
# says how the searches are made.
#
# :::{caption} fig-pays-tpe
# :alt: Falling lines; that of everything falls furthest
#
# As the first panel of {numref}`fig-pays-first`, by TPE, on {glue:text}`n_tpe` data sets.
# :::
#
# :::{caption} table-pays-tpe
# As {numref}`table-pays-answer`, by TPE, with the 95% interval at {glue:text}`last` trials.
# :::

# %% tags=["parameters"]
folder = "data"  # of the recorded searches: tuning.parquet and tuning.json
shown = [10, 50, 200]  # numbers of trials in the tables; at least 1
compared = 3  # hyperparameters tuned, where rankings are compared; choices: 1, 2, 3, 5
trials = "data/trials.parquet"  # the trained CNNs, one row each, for the tunability
n_trees = 16  # trees of the forest behind the tunability; at least 1
random_state = 0  # seed of that forest; 0 to 4294967295

# %%
from itertools import product

import numpy as np
import pandas as pd

from hia import space
from hia.ranking.shapley import explain
from hia.space import HYPERPARAMETERS
from hia.trials import load
from hia_book import rankings, recording, regret, tuning
from hia_book.agreement import rank_agreement
from hia_book.claims import claim, glue, need
from hia_book.figures import show_figure, show_table

results, datasets, _, at = regret.read(folder, shown)
notes = recording.read_note(f"{folder}/tuning.json")
by_tpe = results[results["search"] == "tpe"]
need(len(by_tpe), f"{folder}: on no data set are all searches by TPE recorded")
ALL, RANKED = tuning.everything(), tuning.everything(filters=False)
most = max(tuning.TOP)

# %%
TPE, TITLE = [("table1", "tpe")], ["TPE, the rest at Table 1's default"]
figure, drawn = regret.draw(results, regret.first_lines(), TPE, TITLE)
show_figure(figure, "fig-pays-tpe", data=drawn)
last = tuning.CHECKPOINTS["tpe"][-1]
of_tpe = [n for n in dict.fromkeys((*shown, last)) if n in tuning.CHECKPOINTS["tpe"]]
table = regret.answers(results, TPE, of_tpe, last)
show_table(table, "table-pays-tpe", dict.fromkeys([f"{n} trials" for n in of_tpe], "+.1f"))
same = results[results["dataset"].isin(set(by_tpe["dataset"]) & set(datasets))]
whole = {x: regret.regrets(same, "table1", x, *ALL).at(last)[0] for x in tuning.SEARCHES}
arms = product(tuning.RANKINGS, tuning.TOP)
least = min(regret.losses(same, "table1", "random", *arm).at(last)[0] for arm in arms)
of_tpe = [regret.losses(results, "table1", "tpe", "nrrelieff", k) for k in tuning.TOP]
ahead = all(regret.wins_from(one, surely=True) for one in of_tpe)
claim("TPE gains more than any smaller search", whole["random"] - whole["tpe"] > max(0, -least))
claim("by TPE, too, everything is clearly ahead of every smaller search", ahead)
glue(n_tpe=by_tpe["dataset"].nunique(), last=last)
glue(tpe=100 * whole["tpe"], random=100 * whole["random"])

# %% [markdown]
# TPE {cite:p}`bergstra2011algorithms,akiba2019optuna` proposes trials by the results so far. It may
# make more of a small space, but may also learn by itself what matters. It is slow, so it has fewer
# trials and repetitions, with Table 1's default only. With {glue:text}`last` trials, tuning
# everything has a regret of {glue:text}`tpe:.1f` points by TPE and {glue:text}`random:.1f` by
# random search.
#
# ## What is tuned, and what stays
#
# Rankings use only random search's CNNs, because BOHB's are not independent draws. They pool the
# nine data sets, as the paper pools ten. N-RReliefF appears twice, with the paper's 30 neighbours
# and with a twentieth of the CNNs. Tunability is over Table 1's default. Two controls are not in
# the table: *random* orders, a new one in each repetition, and N-RReliefF's order *reversed*. Only
# tuning everything tunes the numbers of filters, because the paper ranks them separately; filters
# of absent layers are not tuned.
#
# :::{caption} table-pays-space
# Rank among the {glue:text}`n_ranked` on the other data sets, mean over which one is left out; and
# the defaults.
# :::

# %%
LABELS = {name: tuning.RANKINGS[name] for name in tuning.COMPUTED} | {"paper": "Paper"}
positions = {}
for ranking, label in LABELS.items():
    orders = [notes["rankings"][name][ranking] for name in datasets]
    orders = [[one for one in order if one in tuning.ranked()] for order in orders]
    places = [pd.Series(range(1, len(order) + 1), order) for order in orders]
    positions[label] = pd.concat(places, axis=1).mean(axis=1)
table1 = notes["defaults"][tuning.LONGEST]["table1"][datasets[0]]
learned = pd.DataFrame(notes["defaults"][tuning.LONGEST]["learned"])[datasets].T


def common(values):
    """What the learned defaults are: the value of all, or the range of numbers."""
    if isinstance(values.iloc[0], str) or values.min() == values.max():
        return " and ".join(map(str, values.unique()))
    return f"{values.min():.3g} to {values.max():.3g}"


order = positions[LABELS["nrrelieff"]].sort_values(kind="stable").index
names = [*order, *space.FILTERS]
table = pd.DataFrame({"Learned default": [common(learned[name]) for name in names]}, names)
table["Table 1's default"] = [x if isinstance(x, str) else f"{x:g}" for x in map(table1.get, names)]
table = table.join(pd.DataFrame(positions))
formats = dict.fromkeys(positions, ".1f") | {"Paper": ".0f"}
show_table(table, "table-pays-space", formats)

# %% [markdown]
# ## What tuning each is worth
#
# Importance is what a hyperparameter does over its whole range, most of which is bad. Tunability
# {cite:p}`probst2019tunability` is what tuning it gains over a default, here Table 1's. HyperSHAP
# {cite:p}`wever2026hypershap` takes the best of many random configurations and divides its gain
# among the hyperparameters by Shapley values ({numref}`table-tunability`).
#
# :::{caption} table-tunability
# What tuning each hyperparameter from Table 1's default is worth, in percentage points of accuracy
# within a data set, with a 95% interval over the trees of the forest, and $W$ of {eq}`eq-10`.
# :::

# %%
drawn = rankings.select(load(trials), sources=["random"])
tuned, names = list(tuning.RANKED), list(HYPERPARAMETERS)
within = drawn["accuracy"] - drawn.groupby("dataset")["accuracy"].transform("mean")
spaces = [rankings.drawn_space(drawn)[name] for name in tuned]
options = {"n_trees": n_trees, "random_state": random_state}
game = explain("tunability", drawn[tuned], within, spaces, **options)
many = max(30, len(drawn) // 20)
W = rankings.weigh(drawn, names, "nrrelieff", n_neighbors=many, sigma=20 * many / 30)
gains = game.table.assign(W=W).sort_values("value", ascending=False)
table = 100 * gains[["value", "low", "high"]].set_axis(["Tunability", "from", "to"], axis=1)
formats = dict.fromkeys(table, ".1f") | {"W, J = n/20": "+.4f"}
show_table(table.assign(**{"W, J = n/20": gains["W"]}), "table-tunability", formats)
worth, TUNABLE = gains["value"], ["lr", "epoch", "num_fc_units", "dropout_rate"]
less = worth[["optimizer", "num_conv_layers"]].max() < worth[TUNABLE].min()
most_worth = set(gains.index[:4]) == set(TUNABLE)
claim("tuning `lr`, `epoch`, `num_fc_units` and `dropout_rate` is worth most", most_worth)
claim("tuning the optimizer or the number of layers is worth less", less)
glue(tau_tunable=rank_agreement(worth, gains["W"]).tau, gain=100 * game.total)

# %% [markdown]
# Tuning everything gains {glue:text}`gain:.0f` points, according to the forest. Most of the gain
# comes from `lr`, `epoch`, `num_fc_units` and `dropout_rate`, whose defaults are poor. The
# optimizer matters, but its default, Adam, is already good. So this order differs from that of $W$:
# $\tau$ is {glue:text}`tau_tunable:.2f`.
#
# ## How good the forests are
#
# All searches run on forests, not on CNNs. The forests learn from all CNNs, including BOHB's,
# because they must also predict where searches end. {numref}`table-pays-surrogates` says how well
# each predicts trainings that it has not seen. Its last column but one matters most: how well is
# the order known in the best quarter, where every search ends?
#
# :::{caption} table-pays-surrogates
# Cross-validated quality of the forest of each data set. *R²*: the share of the variance explained,
# of all CNNs and of random search's. *Rank correlation*: Spearman's, over all CNNs and over the
# quarter predicted best. *Mean error*: absolute, of the accuracy.
# :::

# %%
quality = pd.DataFrame(notes["surrogates"]).T.loc[datasets]
table = quality[["rows", "r2", "random", "spearman", "top", "error"]].astype({"rows": int})
headings = "CNNs | R² {:.2f} | of random search {:.2f} | Rank correlation {:.2f} | "
headings += "of the best quarter {:.2f} | Mean error {:.3f}"
show_table(table, "table-pays-surrogates", headings)
middle = quality.median()
fair = middle["random"] >= 0.7 and middle["top"] >= 0.5
claim("the surrogates are a fair picture, at the top as well", fair)
glue(median=middle, n_rows=int(quality["rows"].sum()), n_sets=len(datasets))
glue(repetitions=notes["repetitions"], n_ranked=RANKED[1], compared=compared)

# %% [markdown]
# The median R² is {glue:text}`median_r2:.2f`, but {glue:text}`median_random:.2f` on random search's
# CNNs alone: BOHB's are like each other, so the forest has nearly seen those left out. The median
# rank correlation is {glue:text}`median_spearman:.2f` over all and {glue:text}`median_top:.2f` over
# the best quarter, a fair picture of the data sets. But a forest is smoother than real CNNs, and
# single lucky configurations can be peaks.
#
# The searches were recorded on {glue:text}`n_sets` data sets with {glue:text}`n_rows:,d` CNNs, with
# {glue:text}`repetitions_random` repetitions of random search and {glue:text}`repetitions_tpe` of
# TPE. `python studies/record_tuning.py` records them again.
#
# ## What fixing the wrong ones costs
#
# However long a search, what is fixed stays fixed. {numref}`table-pays-wrong` has the loss that
# this makes inevitable: the best known accuracy minus the best found by tuning only these, first at
# random and then one hyperparameter at a time. With either default, tuning the last
# {glue:text}`compared` of N-RReliefF's ranking instead of the first loses nothing.
#
# :::{caption} table-pays-wrong
# What cannot be reached with the rest fixed, percentage points of accuracy, means over the data
# sets, with 95% intervals. With all {glue:text}`n_ranked` tuned it is {glue:text}`left_table1:.1f`
# with Table 1's default and {glue:text}`left_learned:.1f` with the learned default.
# :::

# %%
rows = []
for default, (ranking, label) in product(tuning.DEFAULTS, tuning.RANKINGS.items()):
    row = {"Default": tuning.SHORT[default], "Ranking": label}
    for k in tuning.TOP:
        mean, low, high = regret.unreachable(results, default, ranking, k).points
        row[f"{k} tuned"] = mean
        if k == compared:
            row["95%"] = f"{low:z.1f} to {high:z.1f}"
    rows.append(row)
floors = pd.DataFrame(rows)
left = {default: regret.unreachable(results, default, *RANKED)[0] for default in tuning.DEFAULTS}
glue(left={default: 100 * value for default, value in left.items()})
show_table(floors, "table-pays-wrong", dict.fromkeys([f"{k} tuned" for k in tuning.TOP], ".1f"))
floor = floors.set_index(["Default", "Ranking"])[f"{compared} tuned"]
last_few, first_few = (floor.xs(tuning.RANKINGS[x], level=1) for x in ("reversed", "nrrelieff"))
claim("fixing the first few instead of the last is no loss", (last_few < first_few).all())

# %% [markdown]
# ## And if `epoch` is tuned like the others?
#
# Now `epoch` is a hyperparameter too: it is ranked, and it is tuned if it is among the first $k$ or
# if everything is. Otherwise it stays at the default, which is 2 epochs in Table 1. This comparison
# seems natural, but mixes two questions: what is tuned, and how long the CNNs train.
#
# With Table 1's default the loss grows from {glue:text}`fixed_table1:.1f` to
# {glue:text}`free_table1:.1f` points. The difference, {glue:text}`more_table1_mean:.1f`
# ({glue:text}`more_table1_low:.1f` to {glue:text}`more_table1_high:.1f`), comes from the length of
# training, not from the choice. With the learned default, which has 10 epochs anyway, the loss
# falls by {glue:text}`less_learned:.1f`. Tunability alone mostly has `epoch` among its first
# {glue:text}`compared`; by the other rankings, only the searches over everything train longer.
#
# :::{caption} table-pays-epoch
# Loss of tuning the first {glue:text}`compared` against tuning everything, after {glue:text}`at`
# trials of random search, in percentage points: with {glue:text}`longest` epochs for all, and with
# `epoch` tuned like the others. *With epoch*: share of the latter searches that tune it.
# :::

# %%


def with_epoch(ranking):
    """Share of the searches by a ranking that tune `epoch` among the first."""
    orders = [notes["rankings"][name].get(ranking) for name in datasets]
    if ranking == "random":
        orders = product(datasets, range(notes["repetitions"]["random"]))
        orders = [tuning.random_order(*one) for one in orders]
    return np.mean(["epoch" in order[:compared] for order in orders])


shares = {ranking: with_epoch(ranking) for ranking in tuning.RANKINGS}
longest = int(space.SPACE["epoch"].bounds[1])
rows = []
for default, (ranking, label) in product(tuning.DEFAULTS, tuning.RANKINGS.items()):
    row = {"Default": tuning.SHORT[default], "Ranking": label, "With epoch": shares[ranking]}
    arm = (default, "random", ranking, compared)
    fixed, free = (regret.losses(results, *arm, x).at(at) for x in (tuning.LONGEST, tuning.TUNED))
    row |= {f"{longest} for all": 100 * fixed.mean, "95%": regret.span(*fixed[1:])}
    rows.append(row | {"tuned": 100 * free.mean, "95% ": regret.span(*free[1:])})
table = pd.DataFrame(rows)
formats = {"With epoch": ".0%", f"{longest} for all": "+.1f", "tuned": "+.1f"}
show_table(table, "table-pays-epoch", formats)
first = ("random", "nrrelieff", compared)
more = {x: regret.by_training(results, x, *first).at(at) for x in tuning.DEFAULTS}
of_thirty = table[table["Ranking"] == tuning.RANKINGS["nrrelieff"]].set_index("Default")
claim("with Table 1's default longer training adds to the loss", more["table1"].low > 0)
claim("with the learned default, `epoch` tuned, the loss falls", more["learned"].high < 0)
with_it = [ranking for ranking, share in shares.items() if share > 0.5]
claim("`epoch` is mostly among the first three by tunability alone", with_it == ["tunability"])
glue(fixed_table1=of_thirty.loc["paper's", f"{longest} for all"])
glue(free_table1=of_thirty.loc["paper's", "tuned"], more_table1=more["table1"].points, at=at)
glue(longest=longest, less_learned=-more["learned"].points.mean)

# %% [markdown]
# ## Data set by data set
#
# Tuning the first {glue:text}`most` of N-RReliefF is ahead of tuning everything on
# {glue:text}`ahead_table1` of {glue:text}`n_sets` data sets with Table 1's default, and on
# {glue:text}`ahead_learned` with the learned one.
#
# :::{caption} table-pays-datasets
# Regret after {glue:text}`at` trials of random search, percentage points of accuracy, by the
# default of what is not tuned. *First {glue:text}`most`* are those of N-RReliefF on the other nine.
# :::

# %%
columns = pd.DataFrame(index=datasets)
for default, short in (("table1", "Table 1"), ("learned", "learned")):
    trials, everything, _ = regret.by_dataset(results, default, "random", *ALL)
    _, part, _ = regret.by_dataset(results, default, "random", "nrrelieff", most)
    place = list(trials).index(at)
    columns[f"{short}: everything"] = 100 * everything[:, place]
    columns[f"{short}: first {most}"] = 100 * part[:, place]
    glue(**{f"ahead_{default}": (part[:, place] < everything[:, place]).sum()})
show_table(columns, "table-pays-datasets", dict.fromkeys(columns, ".1f"))
glue(most=most)
