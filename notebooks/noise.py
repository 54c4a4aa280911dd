# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Noise: seed, size, precision
#
# **Except on SVHN, the seed explains little of a CNN's accuracy. Training on a quarter of the
# images moves the order of configurations beyond seed noise; for half or twice as many images, and
# for bfloat16, this is not clear.**
#
# The study trains every configuration once: one seed, part of the data set, single precision. Three
# experiments trained some of them again: with other seeds ({numref}`fig-seeds`), on fewer and more
# images, and in half precision.
#
# :::{caption} fig-seeds
# :alt: One panel per data set; the dots of a column lie close together, the columns far apart
#
# Validation accuracy of {glue:text}`n_seeds:,` CNNs of {glue:text}`n_seeded` configurations: each
# column is a configuration, each dot a seed. Grey: guessing. The scales differ.
# :::

# %% tags=["parameters"]
originals = "data/trials.parquet"  # the CNNs that the others below are trainings of
replicates = "data/replicates.parquet"  # configurations trained again with other seeds
scaling = "data/scaling.parquet"  # configurations trained on fewer and on more images
precision = "data/precision.parquet"  # configurations trained again in bfloat16
datasets: list[str] = []  # data sets to use, all if empty; choices: hia.datasets.NAMES
n_neighbors = 10  # J of N-RReliefF on the few configurations of these experiments; at least 1
n_samples = 50  # pairs of samples that show what so few can tell; at least 1
random_state = 0  # seed of these samples, and of the forests; 0 to 4294967295

# %%
from itertools import combinations

import numpy as np
import pandas as pd

from hia.datasets import FACTS
from hia.space import HYPERPARAMETERS
from hia.trials import load
from hia_book import noise, rankings
from hia_book.agreement import Estimate, mean_agreement, typical_agreement
from hia_book.claims import claim, glue, need
from hia_book.figures import dataset_panels, look, panels, show_figure, show_table

COLOUR = look("random")["color"]
NAMES = {0.25: "a quarter", 0.5: "half", 1.0: "all", 2.0: "twice"}  # of the study's images
KEY = ["dataset", "trial"]

files = {"replicates": replicates, "scaling": scaling, "precision": precision}
tables = [load(path, name) for name, path in files.items()]
seeds, sizes, halves = (one[one["dataset"].isin(datasets or FACTS)] for one in tables)
seeds = noise.complete(seeds, rows_of_each=2)
most_sizes = sizes["fraction"].nunique()
sizes = noise.complete(sizes, rows_of_each=most_sizes - 1)  # some have no more images
study = rankings.select(load(originals), datasets, ["random"])
need(len(seeds), f"{replicates} has no data set with three configurations of two seeds")
need(len(sizes), f"{scaling} has no data set with three configurations of all sizes")


def in_order(table):
    return [name for name in FACTS if name in set(table["dataset"])]


# %%
figure, axes = dataset_panels(in_order(seeds), "configurations, by mean accuracy")
for name, ax in axes.items():
    own = seeds[seeds["dataset"] == name]
    place = own.groupby("trial")["accuracy"].mean().rank(method="first")
    ax.scatter(own["trial"].map(place), own["accuracy"], s=14, color=COLOUR, alpha=0.6)
    ax.set(xticks=[], ylim=(0, None))
show_figure(figure, "fig-seeds", data=seeds[[*KEY, "seed", "accuracy"]])

# %%
of_config = seeds.groupby(KEY)["accuracy"]
parts, share = noise.components(seeds), noise.seed_share(seeds)
variance = pd.Series(vars(parts)) / sum(vars(parts).values())
apart = [abs(a - b) for _, values in of_config for a, b in combinations(values, 2)]
# The better half, by the trial's own accuracy: its seed is none of those compared.
keys = pd.MultiIndex.from_frame(seeds[KEY])
chosen = study.set_index(KEY)["accuracy"].reindex(keys.unique()).dropna()
upper = chosen[chosen > chosen.groupby("dataset").transform("median")].index
good = noise.complete(seeds[keys.isin(upper)], rows_of_each=2)
need(len(good), f"{originals} has too few of the configurations that were trained again")
of_good = noise.seed_share(good)
claim("the seed is a small part of the variance within a data set", share.high < 0.1)
claim("the seed is a small part among the better half of CNNs too", of_good.high < 0.1)
glue(share=share, rest=1 - share.mean, between=variance, apart=np.median(apart))
glue(apart_95=np.quantile(apart, 0.95), n_seeds=len(seeds), n_seeded=seeds.groupby(KEY).ngroups)
glue(n_good=good.groupby(KEY).ngroups, good=of_good)

# %% [markdown]
# ## The seed
#
# **Within a data set, {glue:text}`share_mean:.1%` of the variance of accuracy comes from the seed**
# (95% interval {glue:text}`share_low:.1%` to {glue:text}`share_high:.1%`), which sets initial
# weights, the order of images and dropout. Over these {glue:text}`n_seeds:,` trainings together,
# {glue:text}`between_dataset:.0%` lies between data sets, {glue:text}`between_configuration:.0%`
# between the configurations of one, and {glue:text}`between_seed:.1%` between seeds.
#
# **Importance.** So hyperparameters can explain at most {glue:text}`rest:.1%` within a data set. A
# forest explains {glue:text}`forest:.1%`; the seed accounts for {glue:text}`of_unexplained:.0%` of
# what it misses.
#
# **Two CNNs.** Two trainings that differ only in the seed have accuracies {glue:text}`apart:.3f`
# apart in the median, and more than {glue:text}`apart_95:.3f` in one pair of twenty.
#
# **Good CNNs.** Among the {glue:text}`n_good` configurations above their data set's median, the
# seed's share is still only {glue:text}`good_mean:.1%` ({glue:text}`good_low:.1%` to
# {glue:text}`good_high:.1%`).
#
# The configurations run in equal steps from the worst to the best of each data set's random search
# ({numref}`table-seeds`).
#
# :::{caption} table-seeds
# Standard deviation (SD) of accuracy between the seeds of one configuration, and between
# configurations; the seed's share of the variance within the data set, with a 95% interval. The
# trials that configurations were chosen by are left out. *Forest*: what a random forest explains of
# the study's CNNs that it has not seen.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the table by data set and its code"}
forests = {x: noise.explained(study, x, random_state) for x in in_order(seeds)}
forest = np.nanmean(list(forests.values()))
rows = []
for name, of_forest in (forests | {"all": forest}).items():
    own = seeds if name == "all" else seeds[seeds["dataset"] == name]
    parts, label = noise.components(own), FACTS[name].label if name in FACTS else name
    spreads = np.sqrt([parts.seed, parts.configuration])
    rows.append((label, *spreads, *noise.seed_share(own), of_forest))
claim("the seed has over a tenth on SVHN alone", {x[0] for x in rows if x[3] > 0.1} == {"SVHN"})
headings = "Data set | SD, seeds {:.3f} | SD, rest {:.3f} | Seed's share {:.1%} | "
show_table(rows, "table-seeds", f"{headings}from {{:.1%}} | to {{:.1%}} | Forest {{:.1%}}")
glue(forest=forest, of_unexplained=share.mean / (1 - forest))

# %% [markdown]
# ## The size of the training set
#
# The same configurations were trained, with their trial's seed, on a quarter, half and twice the
# study's training images where there are enough ({numref}`table-sizes`). Most CNNs hardly change
# ({numref}`table-sizes-winner`); in {numref}`fig-sizes` good ones gain, and lines cross.
#
# :::{caption} fig-sizes
# :alt: One panel per data set of nearly level lines, some of which cross
#
# Validation accuracy against the number of training images, one line per configuration, bolder for
# better ones on the study's number. Grey: guessing. The scales differ.
# :::
#
# :::{caption} table-sizes
# Training images of {glue:text}`n_sized` configurations, from a quarter to twice as many as in the
# study. Where an image file has fewer, all that it has; empty where the study has all of them
# already. On the study's own number, {glue:text}`n_again` of these trainings repeat a trial on the
# same kind of processor: all end with the recorded accuracy, to the last bit.
# :::

# %%
fractions = [one for one in noise.FRACTIONS if one in set(sizes["fraction"])]
others = [one for one in fractions if one != 1]
images = pd.pivot_table(sizes, "images", "dataset", "fraction", "max").loc[in_order(sizes)]
figure, axes = dataset_panels(in_order(sizes), "training images")
full = sizes[sizes["fraction"] == 1].set_index(KEY)["accuracy"]
places = full.groupby("dataset").rank(pct=True)
for (name, number), line in sizes.groupby(KEY):
    strength = 0.2 + 0.8 * places.get((name, number), 0)
    style = {"ms": 3, "lw": 1.2, "color": COLOUR, "alpha": strength}
    axes[name].plot(line["images"], line["accuracy"], "o-", **style)
for name, ax in axes.items():
    ticks = images.loc[name].dropna().astype(int)
    ticks = ticks[(ticks / ticks.shift(fill_value=1)) > 1.4]  # others' labels would overlap
    ax.set(xscale="log", ylim=(0, None))
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks], fontsize=9.5)
    ax.minorticks_off()
show_figure(figure, "fig-sizes", data=sizes[[*KEY, "fraction", "images", "accuracy"]])

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the numbers of images and their code"}
images = images.rename(columns=NAMES)
show_table(images, "table-sizes", dict.fromkeys(images, ",.0f"))
same_kind = [*KEY, "seed", "images", "precision", "processor"]
again = sizes[sizes["fraction"] == 1].merge(study, on=same_kind)
equal = len(again) > 0 and (again["accuracy_x"] == again["accuracy_y"]).all()
claim("trainings repeated on the same processor end with the recorded accuracy", equal)
glue(n_again=len(again), n_sized=sizes.groupby(KEY).ngroups)

# %% [markdown]
# ### Do the rankings of configurations move?
#
# On a quarter of the images they do, beyond seed noise. For half and twice as many this
# is not clear ({numref}`fig-sizes-tau`). The best configuration stays the same on nearly every data
# set.
#
# :::{caption} fig-sizes-tau
# :alt: Difference of Kendall's tau for each number of images: its interval lies below 0 for a
#   quarter, and includes 0 for half and twice as many
#
# How the number of training images changes the order of configurations, beyond the seed. Grey, a
# dot for each data set: $\tau$ with other seeds' orders at this number of images, minus the same
# at the study's number; with mean and Student's 95% interval. Below 0, the number of images moves
# the order.
# :::
#
# :::{caption} table-sizes-tau
# Kendall's $\tau$ with the order on the study's number of images, mean over data sets: with the
# same seed, with other seeds, and of the study's own number with these seeds. *Difference*: of the
# latter two, with Student's 95% interval.
# :::
#
# :::{caption} table-sizes-winner
# On how many data sets the same configuration wins; what the winner of this size loses to the best
# on the study's number, mean over data sets; and the median change of accuracy.
# :::

# %%
both_sizes = {one: noise.beside_full(sizes, one) for one in others}
of_sizes = {one: noise.between_columns(lists) for one, lists in both_sizes.items()}
of_sizes = {one: taus for one, taus in of_sizes.items() if taus}
against = {one: noise.with_other_seeds(both_sizes[one], seeds) for one in of_sizes}
many = {one: taus for one, taus in against.items() if len(taus) > 1}
need(many, "there are no trainings with other seeds on two data sets at least")
beyond = dict.fromkeys(NAMES, Estimate(np.nan, np.nan, np.nan))
beyond |= {one: noise.beyond_seed(taus) for one, taus in many.items()}
figure, ax = panels(3.4)
ax.axhline(0, color="grey", linewidth=0.8, zorder=0)
for place, (one, taus) in enumerate(against.items()):
    apart_by, (mean, low, high) = taus["accuracy"] - taus["full"], beyond[one]
    spread = place + np.linspace(-0.2, 0.2, len(apart_by) + 2)[1:-1]
    ax.scatter(spread, apart_by, s=14, color="grey", alpha=0.6)
    ax.errorbar(place, mean, [[mean - low], [high - mean]], fmt="o", color=COLOUR, capsize=4)
ax.set_xticks(range(len(against)), [NAMES[one] for one in against])
ax.set(ylabel=r"difference of Kendall's $\tau$", xlim=(-0.5, len(against) - 0.5))
ax.set_xlabel("training images, against the study's number")
listed = pd.concat([taus.assign(images=NAMES[one]) for one, taus in against.items()])
show_figure(figure, "fig-sizes-tau", data=listed.reset_index(names="dataset"))


# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show both tables and their code"}
same_seed = {one: mean_agreement(list(taus.values())).tau for one, taus in of_sizes.items()}
rows = [
    (NAMES[one], len(taus), same_seed[one], *against[one].mean(), *beyond[one])
    for one, taus in of_sizes.items()
]
headings = "Images | Data sets | Same seed {:.2f} | Other seeds {:.2f} | All images {:.2f} | "
headings += "Difference {:+.3f} | from {:+.3f} | to {:+.3f}"
show_table(rows, "table-sizes-tau", headings)
losses = {one: noise.winner_loss(sizes, one) for one in of_sizes}
change = {x: (own["accuracy"] - own["full"]).median() for x, own in both_sizes.items()}
rows = [
    (NAMES[one], f"{(loss == 0).sum()} of {len(loss)}", loss.mean(), change[one])
    for one, loss in losses.items()
]
show_table(rows, "table-sizes-winner", "Images | Same winner | Loss {:.3f} | Change {:+.3f}")
seed_tau = mean_agreement(list(noise.between_seeds(seeds).values()))
claim("a quarter of the images moves the order of CNNs beyond the seed", beyond[0.25].high < 0)
for one in (0.5, 2.0):
    unclear = beyond[one].low <= 0 <= beyond[one].high
    claim(f"on {NAMES[one]} the images it is not clear that the order of CNNs moves", unclear)
others_win = sum((loss != 0).sum() for loss in losses.values())
most_change = max(map(abs, change.values()))
claim("the best configuration stays the best on nearly every data set", others_win <= 1)
claim("the number of images moves median accuracy by less than a point", most_change < 0.01)
glue(seeds=seed_tau)

# %% [markdown]
# **Why not compare two sizes directly?** They share the seed, which alone makes their orders alike;
# between seeds $\tau$ is only {glue:text}`seeds_tau:.2f` on average (95% interval
# {glue:text}`seeds_low:.2f` to {glue:text}`seeds_high:.2f`). So both are compared with orders of
# other seeds on the study's number; the difference is the effect of the size.
#
# ### Does importance move?
#
# {glue:text}`n_sample` CNNs are too few to tell. Two separate samples of as many from the study
# agree with a $\tau$ of only {glue:text}`samples_tau:.2f` ({glue:text}`samples_low:.2f` to
# {glue:text}`samples_high:.2f`), which may be chance. Rankings from the
# *same* configurations agree by at least {glue:text}`tau_same:.2f`
# ({numref}`table-sizes-importance`).
#
# :::{caption} table-sizes-importance
# Kendall's $\tau$ between two rankings of {glue:text}`n_columns` hyperparameters, each from at most
# {glue:text}`n_sample` CNNs, with the 95% interval of one pair: by N-RReliefF with fewer
# neighbours than elsewhere, of all data sets together, each accuracy replaced by its rank within
# its data set and size. Last: other configurations of the study's random search, mean over
# {glue:text}`n_samples` draws.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show these agreements and their code"}
columns = [name for name in HYPERPARAMETERS if name != "in_channel_num"]


def alike(tables):
    """Between the rankings from tables, typically, each of the same configurations."""
    return noise.between_rankings(noise.shared(tables), columns, n_neighbors)


by_fraction = dict(list(sizes.groupby("fraction")))
titles = {one: f"{NAMES[one]} and all of the study's images, one seed" for one in others}
lists = {titles[one]: alike([by_fraction[one], by_fraction[1]]) for one in others}
lists["two seeds"] = alike([own for _, own in seeds.groupby("replicate")])
same = min(lists.values())
per_dataset = sizes.groupby("dataset")["trial"].nunique()
pairs = noise.apart(study, per_dataset, n_samples, random_state)
pairs = [noise.between_rankings(pair, columns, n_neighbors) for pair in pairs]
lists["other configurations of the study"] = other = typical_agreement(pairs)
rows = [(label, *one[:3]) for label, one in lists.items()]
headings = "Between | Kendall's tau {:.2f} | from {:.2f} | to {:.2f}"
show_table(rows, "table-sizes-importance", headings)
claim("the CNNs of the experiments are too few to rank importance", other.low <= 0)
claim("the same configurations give similar rankings of importance", same.tau > 0.5)
glue(n_columns=len(columns), n_samples=n_samples, n_sample=per_dataset.sum())
glue(samples=other, tau_same=same.tau)

# %% [markdown]
# ## The arithmetic
#
# bfloat16 keeps a third of float32's digits. Trained again in it, with their trial's seed and
# images, the same configurations change in accuracy by {glue:text}`shift:+.4f` on average. Whether
# their order moves beyond seed noise is not clear. By $\tau$, the bfloat16 order agrees
# with other seeds' orders by {glue:text}`tau_bf16:.2f`, the float32 order by
# {glue:text}`tau_float:.2f` (difference {glue:text}`beyond_mean:+.3f`, 95% interval
# {glue:text}`beyond_low:+.3f` to {glue:text}`beyond_high:+.3f`). The rankings of hyperparameters
# agree by {glue:text}`ranks_tau:.2f` ({glue:text}`ranks_low:.2f` to {glue:text}`ranks_high:.2f`).
#
# On this processor bfloat16 took {glue:text}`slower:.1f` times the processor time of float32,
# because PyTorch has no fused convolution and pooling for it.
#
# :::{caption} table-precision
# What bfloat16 and what another seed does to {glue:text}`n_both` CNNs: difference of accuracy from
# a float32 training of the same configuration, and Kendall's $\tau$ of their orders with a 95%
# interval. The rows measure different things.
# :::

# %%
both = noise.beside_trial(halves, study)
shift = both["accuracy"] - both["trial_accuracy"]
ordered = list(noise.between_columns(both).values())
need(ordered, f"{originals} has too few of the configurations that were trained in bfloat16")
of_halves = mean_agreement(ordered)
rows = [
    ("bfloat16, same seed", *shift.abs().quantile([0.5, 0.95]), *of_halves[:3]),
    ("float32, another seed", *np.quantile(apart, [0.5, 0.95]), *seed_tau[:3]),
]
headings = "Against | Median difference {:.3f} | 95% below {:.3f} | Kendall's tau {:.2f} | "
show_table(rows, "table-precision", f"{headings}from {{:.2f}} | to {{:.2f}}")
taus = noise.with_other_seeds(both, seeds)
need(len(taus) > 1, "two data sets at least need trainings in bfloat16 and with other seeds")
found = noise.beyond_seed(taus)
ranking = alike([study.merge(both.reset_index()[KEY]), halves])
timed = halves.merge(study, on=[*KEY, "processor"], suffixes=("", "_single"))
slower = (timed["cpu_seconds"] / timed["cpu_seconds_single"]).median()
claim("that bfloat16 moves the order of CNNs is not clear", found.low <= 0 <= found.high)
claim("bfloat16 took longer than float32", slower > 1)
glue(shift=shift.mean(), tau_bf16=taus.iloc[:, 0].mean(), tau_float=taus.iloc[:, 1].mean())
glue(beyond=found, ranks=ranking, n_both=len(both), slower=slower)
