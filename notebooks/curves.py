# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Learning curves
#
# **Adam is ahead of SGD, and one convolutional layer ahead of three, from the first epoch on, and
# the gaps widen. The order of the CNNs after a single epoch is already close to the final one.**
#
# The validation accuracy of every CNN is recorded after each epoch. {numref}`fig-curves` follows
# those of random search that were trained long enough, so that a curve shows the same CNNs
# throughout. To combine ten data sets, accuracy is scaled from 0 (guessing, one over the number of
# classes) to 1 (the best CNN on that data set).
#
# :::{caption} fig-curves
# :alt: Two panels of rising curves, those of Adam far above those of SGD; after epoch
#   {glue:text}`last_epoch` the medians go from {glue:text}`end_min:.2f` to
#   {glue:text}`end_max:.2f`
#
# Validation accuracy after each epoch of {glue:text}`n_rows:,` CNNs of random search with at least
# {glue:text}`last_epoch` epochs, {glue:text}`group_min:,` to {glue:text}`group_max:,` in each
# group: median (line) and quartiles (band), by optimizer and number of convolutional layers.
# :::

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
datasets: list[str] = []  # data sets to use, all if empty; choices: hia.datasets.NAMES
epochs = 8  # how far to follow, CNNs with fewer epochs being left out; at least 2
early = [1, 3]  # epochs after which BOHB stops CNNs, compared with the last; at least 1

# %%
import numpy as np
import pandas as pd

from hia.datasets import FACTS
from hia.trials import load
from hia_book import rankings
from hia_book.agreement import mean_agreement, rank_agreement
from hia_book.claims import claim, glue, need
from hia_book.figures import dataset_panels, draw_quartiles, panels, show_figure, show_table

everything = rankings.select(load(trials), datasets)
present = [name for name in FACTS if name in set(everything["dataset"])]
rows = everything[(everything["source"] == "random") & (everything["epoch"] >= epochs)]
longest = everything["epoch"].max()
need(len(rows), f"epochs={epochs}: no CNN was trained so long; the longest has {longest}")
need(early and max(early) < epochs, f"early={early}: all must come before epochs={epochs}")

# Rows: CNNs. Columns: epochs.
accuracy = [list(curve)[:epochs] for curve in rows["accuracy_per_epoch"]]
accuracy = pd.DataFrame(accuracy, rows.index, range(1, epochs + 1))
guessing = rows["dataset"].map({name: 1 / FACTS[name].classes for name in present})
best = rows["dataset"].map(everything.groupby("dataset")["accuracy"].max())
progress = accuracy.sub(guessing, axis=0).div(best - guessing, axis=0)

OPTIMIZERS = sorted(rows["optimizer"].unique())
LAYERS = {1: "1 layer", 2: "2 layers", 3: "3 layers"}

# %%
figure, axes = panels(3.6, 1, len(OPTIMIZERS), sharey=True, squeeze=False)
drawn = {}
for ax, optimizer in zip(axes[0], OPTIMIZERS, strict=True):
    own = progress[rows["optimizer"] == optimizer]
    drawn[optimizer] = draw_quartiles(ax, own, rows["num_conv_layers"], LAYERS)
    ax.set_title(optimizer, loc="left")
    ax.set_xlabel("epoch")
axes[0, 0].set_ylabel("from guessing (0) to the best (1)")
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
ends = progress[epochs].groupby([rows["optimizer"], rows["num_conv_layers"]]).median()
sizes = rows.groupby(["optimizer", "num_conv_layers"]).size()
glue(n_rows=len(rows), group=sizes.agg(["min", "max"]), end=ends.agg(["min", "max"]))
drawn = pd.concat(drawn, names=["optimizer"]).reset_index("optimizer")
show_figure(figure, "fig-curves", data=drawn)

# %%
by_optimizer = progress.groupby(rows["optimizer"]).median().reindex(["Adam", "SGD"])
power = np.floor(np.log10(rows["lr"])).astype(int)
last = rows.assign(accuracy=accuracy[epochs], progress=progress[epochs], power=power)
medians = pd.pivot_table(last, "accuracy", "dataset", "optimizer", "median")
by_lr = pd.pivot_table(last, "progress", "power", "optimizer", "median")
medians, by_lr = (table.reindex(columns=["Adam", "SGD"]) for table in (medians, by_lr))
by_depth = progress.groupby(rows["num_conv_layers"]).median()
gap = by_depth.max() - by_depth.min()
gains = progress.diff(axis=1)
ahead = by_optimizer.loc["Adam"] - by_optimizer.loc["SGD"]
claim("Adam has the higher median accuracy on every data set", (medians.Adam > medians.SGD).all())
claim("Adam is ahead of SGD after the first epoch", ahead[1] > 0)
claim("the gap between Adam and SGD grows", ahead[epochs] > ahead[1])
claim("Adam does best between 1e-3 and 1e-2", by_lr["Adam"].idxmax() == -3)
claim("SGD does best between 1e-2 and 1e-1", by_lr["SGD"].idxmax() == -2)
claim("fewer layers are better after the first epoch", by_depth[1].is_monotonic_decreasing)
claim("fewer layers are better after the last epoch", by_depth[epochs].is_monotonic_decreasing)
claim("the gap between the depths grows", gap[epochs] > gap[1])
claim("the mean accuracy still rises in the last epoch", gains[epochs].mean() > 0)
glue(last_epoch=epochs, before_last=epochs - 1, first=by_optimizer[1], last=by_optimizer[epochs])
glue(best=by_lr.max(), gap_first=gap[1], gap_last=gap[epochs], gain_second=gains[2].mean())
end = gains[epochs]
glue(gain_last=end.mean(), better=(end > 0).mean(), worse=(end < 0).mean())

# %% [markdown]
# ## By optimizer, depth and epoch
#
# **Optimizer.** With Adam the median CNN reaches {glue:text}`first_Adam:.2f` on this scale after
# one epoch and {glue:text}`last_Adam:.2f` after {glue:text}`last_epoch`; with SGD it reaches
# {glue:text}`first_SGD:.2f` and {glue:text}`last_SGD:.2f`. Adam does best with learning rates
# between $10^{-3}$ and $10^{-2}$, with a median of {glue:text}`best_Adam:.2f`. SGD needs ten times
# more: it does best between $10^{-2}$ and $10^{-1}$, with {glue:text}`best_SGD:.2f`.
#
# **Depth.** One layer beats two and two beat three, after the first epoch and after the last. The
# gap between the medians of the best and the worst depth grows from {glue:text}`gap_first:.2f` to
# {glue:text}`gap_last:.2f`.
#
# **More epochs.** On average the CNNs gain {glue:text}`gain_second:+.3f` from the first epoch to
# the second, and {glue:text}`gain_last:+.3f` from epoch {glue:text}`before_last` to
# {glue:text}`last_epoch`. In that last epoch {glue:text}`better:.0%` of them improve and
# {glue:text}`worse:.0%` get worse. So these are the accuracies of short trainings, like the
# paper's, and not the best that the configurations can reach.
#
# ## Do the first epochs foretell the last?
#
# They do. BOHB stops CNNs early and continues the leaders, which loses nothing if the order after
# an early epoch is the final one. {numref}`table-early` has Kendall's $\tau$ between the two: 1 for
# the same order, 0 for an unrelated one.
#
# After epoch {glue:text}`early_first`, $\tau$ is {glue:text}`after_first_tau:.2f` on average over
# the data sets (95% interval {glue:text}`after_first_low:.2f` to
# {glue:text}`after_first_high:.2f`); after epoch {glue:text}`early_last` it is
# {glue:text}`after_last_tau:.2f` ({glue:text}`after_last_low:.2f` to
# {glue:text}`after_last_high:.2f`). Hyperband continues about a third of the CNNs at each stop:
# after either epoch, every CNN that ends in the best tenth is in that third.
#
# :::{caption} table-early
# Kendall's $\tau$ between the validation accuracies after an early epoch and after epoch
# {glue:text}`last_epoch`, with 95% intervals, over CNNs of random search.
# :::


# %%
by_dataset = {name: accuracy[rows["dataset"] == name] for name in present}
taus = {}
table = pd.DataFrame({"CNNs": {name: len(own) for name, own in by_dataset.items()}})
for epoch in early:
    # Not where an epoch has no order: with too few CNNs, or CNNs that are all alike.
    taus[epoch] = {
        name: rank_agreement(own[epoch], own[epochs])
        for name, own in by_dataset.items()
        if own[[epoch, epochs]].nunique().min() > 1
    }
    written = {x: f"{t.tau:.2f} ({t.low:.2f} to {t.high:.2f})" for x, t in taus[epoch].items()}
    table[f"After epoch {epoch}"] = pd.Series(written, dtype=str)
show_table(table, "table-early")
need(all(taus.values()), "no data set has two CNNs whose accuracies differ")
first, last = (mean_agreement(list(taus[epoch].values())) for epoch in (early[0], early[-1]))
rank = accuracy.groupby(rows["dataset"]).rank(pct=True)
kept = (rank.loc[rank[epochs] > 0.9, early] > 2 / 3).mean()
lowest = min(one.low for one in taus[early[0]].values())
claim("the early order of CNNs agrees with the last on every data set", lowest > 0.5)
claim("the later of the early epochs agrees better with the last", last.tau > first.tau)
claim("the best tenth of CNNs is in the best third after the early epochs", (kept > 0.995).all())
glue(early_first=early[0], early_last=early[-1], after_first=first, after_last=last)

# %% [markdown]
# ## Data set by data set
#
# {numref}`fig-curves-optimizer` and {numref}`fig-curves-depth` show unscaled accuracies.
#
# :::{caption} fig-curves-optimizer
# :alt: One panel per data set with a curve for each optimizer
#
# Validation accuracy after each epoch by optimizer: median and quartiles. Grey: guessing. The
# scales differ.
# :::
#
# :::{caption} fig-curves-depth
# :alt: One panel per data set with a curve for each number of layers
#
# Validation accuracy after each epoch by number of convolutional layers: median and quartiles.
# Grey: guessing. The scales differ.
# :::


# %%
for by, name in (("optimizer", "optimizer"), ("num_conv_layers", "depth")):
    figure, axes = dataset_panels(present, "epoch", sharex=True)
    drawn = {}
    for dataset, ax in axes.items():
        drawn[dataset] = draw_quartiles(ax, by_dataset[dataset], rows[by], LAYERS)
        ax.set_ylim(bottom=0)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    listed = pd.concat(drawn, names=["dataset"]).reset_index("dataset")
    show_figure(figure, f"fig-curves-{name}", data=listed)
