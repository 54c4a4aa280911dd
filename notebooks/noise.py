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
# **The seed explains little of why one CNN is better than another. Training on a quarter of the
# images changes the order of configurations more than another seed does; half or twice as many
# images, or bfloat16, do not clearly.**
#
# The study trains every configuration once: one seed, part of the data set, single precision. Three
# experiments trained some configurations again, with other seeds, on fewer and more images, and in
# half precision. {numref}`fig-seeds` shows the first.
#
# :::{caption} fig-seeds
# :alt: One panel per data set; the dots of a column lie close together, the columns far apart
#
# Validation accuracy of {glue:text}`n_seeds:,` CNNs of {glue:text}`n_seeded` configurations: each
# column is a configuration, each dot a seed. Grey: guessing. The scales differ.
# :::

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
replicates = "data/replicates.parquet"  # configurations trained again with other seeds
scaling = "data/scaling.parquet"  # configurations trained on fewer and on more images
precision = "data/precision.parquet"  # configurations trained again in bfloat16
datasets: list[str] = []  # data sets to use, all if empty; choices: hia.datasets.NAMES
n_neighbors = 10  # J of N-RReliefF on the few configurations of these experiments; at least 1
n_samples = 50  # pairs of samples that show what so few can tell; at least 1
random_state = 0  # seed of these samples, and of the forests; at least 0

# %%
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

from hia.datasets import FACTS
from hia.relief import NRReliefF
from hia.space import FILTERS, HYPERPARAMETERS
from hia.trials import FRACTIONS, design, load, select
from hia_book import noise
from hia_book.agreement import Estimate, mean_agreement, rank_agreement, typical_agreement
from hia_book.claims import claim, glue, need
from hia_book.figures import WIDTH, dataset_panels, look, show_figure, show_table, use_style

use_style()
COLOUR = look("random")["color"]
NAMES = {0.25: "a quarter", 0.5: "half", 1.0: "all", 2.0: "twice"}  # of the study's images
KEY = ["dataset", "trial"]
tables = {"replicates": replicates, "scaling": scaling, "precision": precision}


def whole(table, rows_of_each):
    """The configurations that have so many rows, on data sets with three of them or more.

    An experiment can be recorded in part: then some have fewer.
    """
    complete = table[table.groupby(KEY)["seed"].transform("size") >= rows_of_each]
    return complete[complete.groupby("dataset")["trial"].transform("nunique") > 2]


def recorded(name):
    table = load(tables[name], name)
    return table[table["dataset"].isin(datasets or table["dataset"])]


seeds = whole(recorded("replicates"), rows_of_each=2)
sizes = recorded("scaling")
sizes = whole(sizes, rows_of_each=sizes["fraction"].nunique() - 1)  # some have no more images
halves = recorded("precision")
study = select(load(trials), datasets, ["random"])
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
good = whole(seeds[keys.isin(upper)], rows_of_each=2)
need(len(good), f"{trials} has too few of the configurations that were trained again")
of_good = noise.seed_share(good)
claim("the seed is a small part of the variance within a data set", share.high < 0.1)
claim("the seed is a small part among the better half too", of_good.high < 0.1)
glue(
    share=share,
    rest=1 - share.mean,
    between=variance,
    apart=np.median(apart),
    apart_95=np.quantile(apart, 0.95),
    n_seeds=len(seeds),
    n_seeded=seeds.groupby(KEY).ngroups,
    n_good=good.groupby(KEY).ngroups,
    good=of_good,
)

# %% [markdown]
# ## The seed
#
# The seed determines the initial weights, the order of the images and what dropout leaves out.
#
# **Within a data set, {glue:text}`share_mean:.1%` of the variance of accuracy comes from the seed**
# (95 % interval {glue:text}`share_low:.1%` to {glue:text}`share_high:.1%`). Over all data sets
# together, {glue:text}`between_dataset:.0%` of the variance lies between data sets,
# {glue:text}`between_configuration:.0%` between the configurations of one, and
# {glue:text}`between_seed:.1%` between seeds.
#
# **Importance.** No hyperparameter can explain the seed's part. So within a data set all of them
# together, with their interactions, explain at most {glue:text}`rest:.1%` of the variance. A forest
# explains {glue:text}`forest:.1%`; of what it leaves unexplained, the seed accounts for
# {glue:text}`of_unexplained:.0%`. More CNNs or a better model could explain the rest.
#
# **Two CNNs.** Two trainings that differ only in the seed have accuracies {glue:text}`apart:.3f`
# apart in the median, and more than {glue:text}`apart_95:.3f` in one pair of twenty. So a smaller
# difference between two rows of the study says little about their configurations.
#
# **Good CNNs.** Most of the variance separates configurations that train from those that hardly do.
# But among the {glue:text}`n_good` configurations above their data set's median, the seed's share
# is still only {glue:text}`good_mean:.1%` ({glue:text}`good_low:.1%` to
# {glue:text}`good_high:.1%`).
#
# The configurations run in equal steps from the worst to the best of each data set's random search,
# by the accuracy of their trial. The trial itself is left out, because it was chosen by its
# accuracy and is no random draw. {numref}`table-seeds` has each data set.
#
# :::{caption} table-seeds
# Standard deviation (SD) of accuracy between the seeds of one configuration, and between the
# configurations of one data set; the seed's share of the variance within the data set, with a 95 %
# interval; and the share that a random forest, which knows all hyperparameters, explains of CNNs of
# the study's random search that it has not seen.
# :::


# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the table by data set and its code"}
def explained(name):
    """Share of the variance (R²) that a forest explains of the study's CNNs, each out of bag."""
    own = study[study["dataset"] == name]
    if len(own) < 30:
        return np.nan
    X = design(own).assign(**{layer: own[layer].astype(float).fillna(0) for layer in FILTERS})
    X = pd.get_dummies(X, dtype=float).to_numpy()
    forest = RandomForestRegressor(100, oob_score=True, random_state=random_state)
    return float(forest.fit(X, own["accuracy"]).oob_score_)


def described(own):
    """Standard deviations by `noise.components`, and the seed's share with its interval."""
    parts = noise.components(own)
    return np.sqrt(parts.seed), np.sqrt(parts.configuration), *noise.seed_share(own)


names = in_order(seeds)
of_set = [described(seeds[seeds["dataset"] == name]) for name in names]
columns = ["SD, seeds", "SD, rest", "Seed's share", "from", "to"]
table = pd.DataFrame([*of_set, described(seeds)], columns=columns)
table.insert(0, "Data set", [*(FACTS[name].label for name in names), "all"])
forests = [explained(name) for name in names]
forest = np.nanmean(forests)
table["Forest"] = [*forests, forest]
formats = dict.fromkeys(columns[:2], ".3f") | dict.fromkeys(table.columns[3:], ".1%")
show_table(table, "table-seeds", formats)
glue(forest=forest, of_unexplained=share.mean / (1 - forest))

# %% [markdown]
# ## The size of the training set
#
# The same configurations were trained, with their trial's seed, on a quarter, half and twice the
# study's training images where there are so many ({numref}`table-sizes`). The validation images
# stay the same. Median accuracies hardly change ({numref}`table-sizes-winner`), but lines cross in
# {numref}`fig-sizes`.
#
# :::{caption} fig-sizes
# :alt: One panel per data set of nearly level lines, some of which cross
#
# Validation accuracy against the number of training images, one line per configuration, bolder for
# better ones on the study's number of images. Where lines cross, the order changes. Grey: guessing.
# The scales differ.
# :::
#
# :::{caption} table-sizes
# Training images of {glue:text}`n_sized` configurations, from a quarter to twice as many as in the
# study. Where an image file has fewer, all that it has; empty where the study has all of them
# already.
# :::

# %%
fractions = [one for one in FRACTIONS if one in set(sizes["fraction"])]
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
table = (
    images.rename(lambda name: FACTS[name].label)
    .rename(columns=NAMES)
    .rename_axis("Data set")
    .reset_index()
)
show_table(table, "table-sizes", dict.fromkeys(table.columns[1:], ",.0f"))
same_kind = [*KEY, "seed", "images", "precision", "processor"]
again = sizes[sizes["fraction"] == 1].merge(study, on=same_kind)
claim(
    "trainings repeated on the same kind of processor end with the recorded accuracy",
    len(again) > 0 and (again["accuracy_x"] == again["accuracy_y"]).all(),
)
glue(n_again=len(again), n_sized=sizes.groupby(KEY).ngroups)

# %% [markdown]
# On the study's own number of images, {glue:text}`n_again` of these trainings repeat a trial on the
# same kind of processor. All of them end with the recorded accuracy, to the last bit.
#
# ### Do the rankings of configurations move?
#
# On a quarter of the images they do, more than with another seed. For half and twice as many images
# this is not clear: the intervals in {numref}`fig-sizes-tau` include 0.
#
# :::{caption} fig-sizes-tau
# :alt: Difference of Kendall's tau for each number of images: its interval lies below 0 for a
#   quarter, and includes 0 for half and twice as many
#
# How the number of training images changes the order of configurations, beyond the seed. Compared
# are Kendall's $\tau$ with the orders of other seeds on the study's number of images: for this
# number minus for the study's own. Grey: data sets; with mean and Student's 95 % interval. Below 0,
# the number of images moves the order.
# :::
#
# :::{caption} table-sizes-tau
# Kendall's $\tau$ with the order on the study's number of images, mean over data sets: with the
# same seed, and with other seeds; beside it that of the study's own number with these other seeds;
# and the difference of the latter two, paired over data sets, with Student's 95 % interval.
# :::
#
# :::{caption} table-sizes-winner
# On how many data sets the same configuration wins, with the same seed; how much accuracy the
# winner of this size loses to the best on the study's number (mean over data sets); and the median
# change of accuracy from the study's number.
# :::

# %%
of_sizes = {one: taus for one in others if (taus := noise.between_sizes(sizes, one))}
against = {one: noise.with_other_seeds(noise.beside_full(sizes, one), seeds) for one in of_sizes}
need(
    any(len(taus) > 1 for taus in against.values()),
    "there are no trainings with other seeds on two data sets at least",
)
unknown = Estimate(np.nan, np.nan, np.nan)
beyond = dict.fromkeys(NAMES, unknown)
beyond |= {one: noise.beyond_seed(taus) for one, taus in against.items() if len(taus) > 1}
figure, ax = plt.subplots(figsize=(WIDTH, 3.4))
ax.axhline(0, color="grey", linewidth=0.8, zorder=0)
for place, one in enumerate(against):
    found = beyond[one]
    apart_by = against[one]["accuracy"] - against[one]["full"]
    spread = place + np.linspace(-0.2, 0.2, len(apart_by) + 2)[1:-1]
    ax.scatter(spread, apart_by, s=14, color="grey", alpha=0.6)
    limits = [[found.mean - found.low], [found.high - found.mean]]
    ax.errorbar(place, found.mean, limits, fmt="o", color=COLOUR, capsize=4)
ax.set_xticks(range(len(against)), [NAMES[one] for one in against])
ax.set(ylabel=r"difference of Kendall's $\tau$", xlim=(-0.5, len(against) - 0.5))
ax.set_xlabel("training images, against the study's number")
listed = [
    taus.rename_axis("dataset").reset_index().assign(images=NAMES[one])
    for one, taus in against.items()
]
show_figure(figure, "fig-sizes-tau", data=pd.concat(listed))


# %%
def change(fraction):
    """Median over the configurations of what this size adds to their accuracy."""
    both = noise.beside_full(sizes, fraction)
    return float((both["accuracy"] - both["full"]).median())


rows = [
    (
        NAMES[one],
        len(taus),
        mean_agreement(list(taus.values())).tau,
        *against[one].mean(),
        *beyond[one],
    )
    for one, taus in of_sizes.items()
]
columns = [
    "Images",
    "Data sets",
    "Same seed",
    "Other seeds",
    "All images",
    "Difference",
    "from",
    "to",
]
formats = dict.fromkeys(columns[2:5], ".2f") | dict.fromkeys(columns[5:], "+.3f")
show_table(pd.DataFrame(rows, columns=columns), "table-sizes-tau", formats)
losses = {one: noise.winner_loss(sizes, one) for one in of_sizes}
rows = [
    (NAMES[one], f"{(loss == 0).sum()} of {len(loss)}", loss.mean(), change(one))
    for one, loss in losses.items()
]
table = pd.DataFrame(rows, columns=["Images", "Same winner", "Loss", "Change"])
show_table(table, "table-sizes-winner", {"Loss": ".3f", "Change": "+.3f"})
seed_tau = mean_agreement(list(noise.between_seeds(seeds).values()))
most = max(against.values(), key=len)
claim("a quarter of the images moves the order beyond the seed", beyond[0.25].high < 0)
for one in (0.5, 2.0):
    claim(
        f"on {NAMES[one]} the images it is not clear that the order moves beyond the seed",
        beyond[one].low <= 0 <= beyond[one].high,
    )
claim(
    "the best configuration stays the best on nearly every data set",
    sum((loss != 0).sum() for loss in losses.values()) <= 1,
)
claim(
    "the median accuracy changes by less than a point",
    max(abs(change(one)) for one in others) < 0.01,
)
glue(seeds=seed_tau, tau_trials=most["full"].mean())

# %% [markdown]
# The best configuration is the same on nearly every data set, whatever the number of images.
#
# **Why not compare two sizes directly?** Trainings on two sizes share the seed, and so the initial
# weights, which alone makes their orders alike. Another seed changes the order too: $\tau$ between
# seeds is {glue:text}`seeds_tau:.2f` on average (95 % interval {glue:text}`seeds_low:.2f` to
# {glue:text}`seeds_high:.2f`), because configurations that hardly train are in random order. So
# both orders, on this number of images and on the study's, are compared with the same third ones:
# those of other seeds on the study's number. Both comparisons contain the seed's effect; their
# difference is that of the size.
#
# The trials were chosen by their accuracy, and the other seeds were not. This does not matter much:
# the trials' order agrees with those of other seeds by {glue:text}`tau_trials:.2f`, and these with
# each other by {glue:text}`seeds_tau:.2f`.
#
# ### Does importance move?
#
# So few CNNs cannot tell. Two samples of {glue:text}`n_sample` CNNs of the study that share none
# agree by a $\tau$ of {glue:text}`samples_tau:.2f` ({glue:text}`samples_low:.2f` to
# {glue:text}`samples_high:.2f`), which unrelated rankings may reach as well. Rankings from the
# *same* configurations agree by at least {glue:text}`tau_same:.2f`
# ({numref}`table-sizes-importance`).
#
# N-RReliefF ranks the configurations of all data sets together, once for each size and each seed,
# with fewer neighbours than in {doc}`importance` because there are fewer CNNs. Each accuracy is
# replaced by its rank within its data set and size; otherwise, the differences between data sets
# would drown everything else. `in_channel_num` is left out, because it is constant on a data set.
#
# :::{caption} table-sizes-importance
# Kendall's $\tau$ between two rankings of {glue:text}`n_columns` hyperparameters, each from at most
# {glue:text}`n_sample` CNNs, with the 95 % interval of a pair of rankings: of the same
# configurations on other sizes and with other seeds (mean over pairs of seeds), and of other
# configurations of the study's random search (mean over {glue:text}`n_samples` draws).
# :::

# %%
columns = [name for name in HYPERPARAMETERS if name != "in_channel_num"]


def importance(table):
    """W of every hyperparameter, on ranks of accuracy within the data sets, scaled to (0, 1]."""
    place = table.groupby("dataset")["accuracy"].rank(pct=True)
    relief = NRReliefF(n_neighbors=n_neighbors).fit(design(table, columns), place)
    return pd.Series(relief.weights_, index=columns)


def alike(tables):
    """Between the lists of weights of tables, typically, each from the same configurations."""
    tables = [table.set_index(KEY) for table in tables]
    shared = sorted(set.intersection(*(set(table.index) for table in tables)))
    need(len(shared) > 2 * n_neighbors, f"{len(shared)} CNNs are few for {n_neighbors} neighbours")
    lists = [importance(table.loc[shared].reset_index()) for table in tables]
    return typical_agreement([rank_agreement(*pair) for pair in combinations(lists, 2)])


def of_samples(per_dataset):
    """Between two samples of the study that share no CNN, with so many of each data set."""
    rng = np.random.default_rng(random_state)
    own = {name: study[study["dataset"] == name] for name in per_dataset.index}
    pairs = []
    for _ in range(n_samples):
        drawn = {name: rng.permutation(len(rows)) for name, rows in own.items()}
        two = [
            pd.concat(
                [own[name].iloc[drawn[name][part:][: 2 * n : 2]] for name, n in per_dataset.items()]
            )
            for part in (0, 1)
        ]
        pairs.append(rank_agreement(*map(importance, two)))
    return typical_agreement(pairs)


by_fraction = dict(list(sizes.groupby("fraction")))
lists = {
    f"{NAMES[one]} and all of the study's images, one seed": alike(
        [by_fraction[one], by_fraction[1]]
    )
    for one in others
}
lists["two seeds"] = alike([own for _, own in seeds.groupby("replicate")])
same = min(lists.values())
per_dataset = sizes.groupby("dataset")["trial"].nunique()
lists["other configurations of the study"] = other = of_samples(per_dataset)
table = pd.DataFrame(
    [(label, *one[:3]) for label, one in lists.items()],
    columns=["Between", "Kendall's tau", "from", "to"],
)
show_table(table, "table-sizes-importance", dict.fromkeys(table.columns[1:], ".2f"))
claim("so few CNNs are too few to rank importance", other.low <= 0)
claim("the same configurations give similar rankings", same.tau > 0.5)
glue(n_columns=len(columns), n_samples=n_samples, n_sample=per_dataset.sum())
glue(samples=other, tau_same=same.tau)

# %% [markdown]
# ## The arithmetic
#
# The study computes in float32. bfloat16 keeps a third of the digits and is faster on hardware made
# for it. Would it have changed a ranking? The same configurations were trained again in bfloat16,
# with their trial's seed and images, so only the arithmetic differs.
#
# On average it changes the accuracy by {glue:text}`shift:+.4f`. The test used for sizes above does
# not show that it moves the order beyond the seed. The order in bfloat16 agrees with those of other
# seeds by a $\tau$ of {glue:text}`tau_bf16:.2f`, the order in float32 by
# {glue:text}`tau_float:.2f`; the difference is {glue:text}`beyond_mean:+.3f` (95 % interval
# {glue:text}`beyond_low:+.3f` to {glue:text}`beyond_high:+.3f`). The rankings of hyperparameters
# from these CNNs agree by a $\tau$ of {glue:text}`ranks_tau:.2f` ({glue:text}`ranks_low:.2f` to
# {glue:text}`ranks_high:.2f`).
#
# On this processor bfloat16 took {glue:text}`slower:.1f` times the processor time of float32 (the
# median), because PyTorch has no fused convolution and pooling for it.
#
# :::{caption} table-precision
# What bfloat16 does to {glue:text}`n_both` CNNs, and what another seed does: difference of accuracy
# from a float32 training of the same configuration, and Kendall's $\tau$ of their orders, mean over
# data sets with a 95 % interval. In the first row only the arithmetic differs, in the second only
# the seed: two sizes to know, not to compare.
# :::

# %%
both = noise.beside_trial(halves, study)
shift = both["accuracy"] - both["trial_accuracy"]
ordered = list(noise.between_columns(both).values())
need(ordered, f"{trials} has too few of the configurations that were trained in bfloat16")
of_halves = mean_agreement(ordered)


rows = [
    ("bfloat16, same seed", *shift.abs().quantile([0.5, 0.95]), *of_halves[:3]),
    ("float32, another seed", *np.quantile(apart, [0.5, 0.95]), *seed_tau[:3]),
]
headings = ["Against", "Median difference", "95 % below", "Kendall's tau", "from", "to"]
formats = dict.fromkeys(headings[1:3], ".3f") | dict.fromkeys(headings[3:], ".2f")
show_table(pd.DataFrame(rows, columns=headings), "table-precision", formats)
taus = noise.with_other_seeds(both, seeds)
found = noise.beyond_seed(taus)
ranking = alike([study.merge(both.reset_index()[KEY]), halves])
timed = halves.merge(study, on=[*KEY, "processor"], suffixes=("", "_single"))
slower = (timed["cpu_seconds"] / timed["cpu_seconds_single"]).median()
claim("that bfloat16 moves the order beyond the seed is not clear", found.low <= 0 <= found.high)
claim("bfloat16 took longer than float32", slower > 1)
glue(
    shift=shift.mean(),
    tau_bf16=taus.iloc[:, 0].mean(),
    tau_float=taus.iloc[:, 1].mean(),
    beyond=found,
    ranks=ranking,
    n_both=len(both),
    slower=slower,
)
