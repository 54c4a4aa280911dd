# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does `in_channel_num` mean anything?
#
# **It means the data set, not colour. On the same images, converted, three channels instead of one
# change almost nothing if the images have colour, and more if they have none.**
#
# In the paper's pooled ranking the number of input channels is a hyperparameter like the others.
# But each data set has only one number of channels, so its weight compares data sets. The screen
# ({doc}`screening`) trains the same configurations with one and with three channels on every data
# set: colour images are made grey, grey images repeated three times. Repetition adds no
# information, so the grey data sets are a control ({numref}`fig-channels`).
#
# :::{caption} fig-channels
# :alt: Effects near 0 on colour images, and down to a large loss on grey ones
#
# Effect of the number of channels on the same images, converted, on each data set, with two 95%
# intervals. Thick: for other seeds. Thin: from the interactions of hyperparameters in the same
# design.
# :::

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
screening = "data/screening.parquet"  # the recorded screen, with converted images
sources = ["random"]  # how configurations were found; choices: hia.trials.SOURCES
n_neighbors = 30  # J of N-RReliefF; at least 1
sigma = 20.0  # decay of a neighbour's influence with its rank; above 0
alpha = 0.05  # level of the tests; 0 to 1
n_divided = 2000  # the most CNNs on which all divisions are weighed; at least 100
random_state = 0  # seed of the draw of these; 0 to 4294967295

# %%
from itertools import combinations

import numpy as np
import pandas as pd

from hia.datasets import FACTS
from hia.relief import NRReliefF
from hia.trials import load
from hia_book import rankings
from hia_book import screening as design_of_screen
from hia_book.agreement import student
from hia_book.claims import claim, glue, need
from hia_book.figures import list_down, look, panels, show_figure

screened = load(screening, "screening")
rows = rankings.select(load(trials), sources=sources)
present = [name for name in FACTS if name in set(rows["dataset"])]
screened = screened[screened["dataset"].isin(present)]
seeds, contrasts = (
    design_of_screen.screen(screened, error).xs("in_channel_num", level="hyperparameter")
    for error in ("replicates", "contrasts")
)
kind = pd.Series({name: FACTS[name].channels for name in seeds.index})
need(set(kind) == {1, 3}, "this needs data sets of grey images and of colour images")
in_order = sorted(seeds.index, key=lambda name: (kind[name], list(FACTS).index(name)))
figure, ax = panels(0.34 * len(in_order) + 1.4)
for place, name in enumerate(in_order):
    color = look("screening" if kind[name] == 1 else "fanova")["color"]
    ax.plot(contrasts.loc[name, ["low", "high"]], [place] * 2, color=color, lw=1)
    ax.plot(seeds.loc[name, ["low", "high"]], [place] * 2, color=color, lw=4, alpha=0.5)
    ax.plot(seeds.loc[name, "effect"], place, color=color, marker="o")
ax.axvline(0, color="0.5", lw=0.8)
ticks = [f"{FACTS[x].label} ({'grey' if kind[x] == 1 else 'colour'})" for x in in_order]
list_down(ax, ticks, "accuracy with three channels minus with one")
limits = contrasts[["low", "high"]].add_suffix("_interactions")
drawn = seeds[["effect", "low", "high"]].join(limits)
show_figure(figure, "fig-channels", data=drawn.reset_index())


# %%
grey, colour = (seeds.loc[kind[kind == n].index] for n in (1, 3))
largest = seeds["effect"].abs().idxmax()
outside, beyond = (set(one.index[one["low"] * one["high"] > 0]) for one in (contrasts, colour))
most_grey, most_colour = (one["effect"].abs().max() for one in (grey, colour))
by_channels = rows.groupby("in_channel_num")["accuracy"].mean()
claim("the largest effect of channels is on images without colour", kind[largest] == 1)
claim("the largest effect of channels is on MNIST", largest == "mnist")
MNISTS, IN_COLOUR = {"mnist", "fashion_mnist"}, {"cifar100", "eurosat"}
claim("channels exceed interactions on MNIST and Fashion-MNIST alone", outside == MNISTS)
claim("in colour, channels exceed the seeds on CIFAR-100 and EuroSAT", beyond == IN_COLOUR)
claim("colour changes less than channels without information", most_colour < most_grey)
glue(largest=seeds.loc[largest, "effect"], most_colour=most_colour, rank=seeds["rank"].median())
glue(between=by_channels.get(3, np.nan) - by_channels.get(1, np.nan), grey=student(grey["effect"]))
glue(effect=seeds["effect"].reindex(["cifar100", "eurosat"]), colour=student(colour["effect"]))

# %% [markdown]
# ## On the same images
#
# Three channels instead of one change the accuracy by {glue:text}`colour_mean:+.3f` on colour
# images (95% interval {glue:text}`colour_low:+.3f` to {glue:text}`colour_high:+.3f`), and by
# {glue:text}`grey_mean:+.3f` on grey ones ({glue:text}`grey_low:+.3f` to
# {glue:text}`grey_high:+.3f`), to which they add nothing. Between data sets, by contrast, the
# study's CNNs with three channels differ from those with one by {glue:text}`between:+.3f`. Among
# the hyperparameters of the screen, the channels have a median rank of {glue:text}`rank:.0f`.
#
# **The control.** The largest effect is on MNIST ({glue:text}`largest:+.3f`), whose images are
# grey, so colour cannot be its cause. Three equal channels effectively triple the steps of the
# first layer. Also, effects in this design are free of two-way interactions, but not of three-way
# ones. Only the effects on MNIST and Fashion-MNIST exceed what interactions can do.
#
# **Colour** changes the accuracy by {glue:text}`most_colour:.3f` at most. It exceeds the noise of
# seeds on CIFAR-100 ({glue:text}`effect_cifar100:+.3f`) and EuroSAT
# ({glue:text}`effect_eurosat:+.3f`). That, not the pooled weight, is what the number of channels
# does to these CNNs.
#
# ## Any division of the data sets
#
# How much would any other division of the data sets into two kinds weigh? There are
# {glue:text}`n_divisions` divisions into groups of the same sizes. The one by channels has $W$ =
# {glue:text}`division_weight:+.4f` and rank {glue:text}`division_rank:.0f`; the median rank of all
# is {glue:text}`median_rank:.0f`. {glue:text}`count_weight` divisions, including this one, weigh as
# much (exact p = {glue:text}`p_weight:.2g`), and {glue:text}`count_apart` separate mean accuracies
# as far (exact p = {glue:text}`p_apart:.2g`). So this division stands out slightly by its weight,
# but not by accuracy. The cause stays open: colour data sets share more than colour.

# %%
drawn = rows.sample(min(n_divided, len(rows)), random_state=random_state)
columns = rankings.varied(rows)
X, accuracies = rankings.design(drawn, columns), rows.groupby("dataset")["accuracy"].mean()
colourful = frozenset(name for name in present if FACTS[name].channels == 3)


def described(part):
    """W and rank of a made-up hyperparameter, whether the data set is one of these, and how far
    the mean accuracies of the two kinds are apart."""
    made_up = X.assign(kind=drawn["dataset"].isin(part).astype(int))
    W = NRReliefF(n_neighbors, sigma=sigma).fit(made_up, drawn["accuracy"]).weights_
    among = accuracies.index.isin(part)
    apart = abs(accuracies[among].mean() - accuracies[~among].mean())
    return {"weight": W[-1], "rank": 1 + int((W[-1] < W).sum()), "apart": apart}


# Each division once: where both kinds are as many, a kind and the others make the same one.
divisions = [frozenset(part) for part in combinations(present, len(colourful))]
if 2 * len(colourful) == len(present):
    divisions = [part for part in divisions if present[0] in part]
table = pd.DataFrame(map(described, divisions))
by_colour = (colourful, frozenset(present) - colourful)
own = table.iloc[next(n for n, part in enumerate(divisions) if part in by_colour)]
as_much = {name: int((table[name] >= own[name]).sum()) for name in ("weight", "apart")}
claim("the division by channels stands out by its weight", as_much["weight"] / len(table) < alpha)
claim("by accuracy division by channels is no exception", as_much["apart"] / len(table) >= alpha)
glue(n_divisions=len(table), division=own, median_rank=table["rank"].median(), count=as_much)
glue(p={name: count / len(table) for name, count in as_much.items()})
