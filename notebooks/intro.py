# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which hyperparameters matter?
#
# **The learning rate, drawn on a log scale, is first on all ten data sets. Dropout, depth,
# optimizer and epochs follow: the paper {cite:p}`wang2024efficient` has the same five, depth first.
# Tune the top three; {numref}`table-first` gives ranges.**
#
# :::{caption} fig-headline
# :alt: Dot plot of ranks: lr is first by both methods; the five that the paper puts first are first
#   here too
#
# Mean ranks over {glue:text}`n_sets` data sets, 95% intervals, and the paper's ranks.
# :::
#
# :::{caption} table-first
# Good values: the middle 80% of each data set's best {glue:text}`n_best:.0%` of CNNs.
# :::

# %% tags=["parameters", "remove-input"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
linear_all = "data/linear_all/trials.parquet"  # CNNs with `lr` drawn uniformly, on all images
searches = "data/tuning.parquet"  # searches over fewer hyperparameters
best = 0.1  # the CNNs whose values are called good, by data set and optimizer; 0 to 1

# %%
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, t

from hia.datasets import FACTS
from hia.trials import load
from hia_book import audit, published, rankings, regret, tuning
from hia_book.claims import claim, glue, need
from hia_book.figures import list_down, look, panels, show_figure, show_table

done = tuning.complete(tuning.load(searches))
rows = load(trials)
drawn = rows[rows["source"] == "random"]
sets = sorted(drawn["dataset"].unique())
need(len(sets) > 1, "an order over data sets needs CNNs of random search on two at least")
columns = rankings.varied(drawn)
ranks = {
    method: rankings.by_dataset(drawn, columns, method).rank(axis=1, ascending=False)
    for method in rankings.METHODS
}
mean = pd.DataFrame({method: table.mean() for method, table in ranks.items()})
error = pd.DataFrame({method: table.sem() for method, table in ranks.items()})
paper_weights = published.table(3).set_index("hyperparameter")["weight"]
mean["paper"] = paper_weights[mean.index].rank(ascending=False)  # among those compared here
order = list(mean["nrrelieff"].sort_values().index)
uniform = load(linear_all).query("source == 'random'")
uniform = rankings.by_dataset(uniform, columns, "nrrelieff").rank(axis=1, ascending=False).mean()

heights = np.arange(len(order))
half = t.ppf(0.975, len(sets) - 1) * error.loc[order]
figure, ax = panels(2.55)
for method, shift, size in (("nrrelieff", 0.0, 70), ("fanova", 0.28, 22)):
    style, place = look(method), mean.loc[order, method]
    ends = place - half[method], place + half[method]
    ax.hlines(heights + shift, *ends, color=style["color"], linewidth=size / 20, alpha=0.5)
    label = f"ours, {rankings.METHODS[method]}"
    ax.scatter(place, heights + shift, s=size, zorder=3, label=label, **style)
hollow = {"facecolor": "none", "edgecolor": look("paper")["color"], "linewidth": 1.4}
marker = look("paper")["marker"]
ax.scatter(mean.loc[order, "paper"], heights, s=38, marker=marker, label="the paper", **hollow)
style = {"s": 24, "marker": "^", "color": "#5F3DC4", "label": "N-RReliefF, lr uniform, all images"}
ax.scatter(uniform[order], heights - 0.25, zorder=3, **style)
ax.set_xticks(range(1, len(order) + 1))
list_down(ax, order, "rank, 1 for what matters most", grid="both")
spacing = {"ncols": 2, "columnspacing": 1, "handletextpad": 0.4}
figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", **spacing)
shown = mean.join(half.add_suffix(", ±")).join(uniform.rename("uniform, all images")).loc[order]
shown = shown.reset_index(names="hyperparameter")
show_figure(figure, "fig-headline", data=shown)

place = drawn.groupby(["dataset", "optimizer"])["accuracy"].rank(pct=True, ascending=False)
good = drawn[place <= best]
LISTED = {"lr": ".0e", "dropout_rate": ".1f", "num_conv_layers": ".0f"}


def span(values, form):
    """The middle 80% of the values, in words."""
    low, high = values.quantile([0.1, 0.9])
    return f"{low:{form}} to {high:{form}}".replace("e-0", "e-")


table = {
    f"With {key}": {name: span(own[name], form) for name, form in LISTED.items()}
    for key, own in good.groupby("optimizer")
}
show_table(pd.DataFrame(table), "table-first")

# %%
overall = drawn.groupby("dataset")["accuracy"].rank(pct=True, ascending=False) <= best
adam = drawn[overall].groupby("dataset")["optimizer"].agg(lambda own: (own == "Adam").mean())
first = {method: set(mean[method].nsmallest(5).index) for method in mean}
next_three = mean["nrrelieff"].loc[order[1:4]]
width = half.loc[order[1:4], "nrrelieff"].min()
claim("the mean ranks of the three after `lr` lie within one interval", np.ptp(next_three) < width)
agreement = kendalltau(-mean["nrrelieff"], -mean["paper"]).statistic
FOLLOW = ["dropout_rate", "num_conv_layers", "optimizer", "epoch"]
claim("`lr` is first on every data set, by both methods", (mean.loc["lr"].drop("paper") == 1).all())
claim("N-RReliefF's first five are the paper's", first["nrrelieff"] == first["paper"])
claim("functional ANOVA's first five are the paper's", first["fanova"] == first["paper"])
claim("after `lr` follow dropout, depth, optimizer and epochs in this order", order[1:5] == FOLLOW)
claim("our first three are the paper's", set(order[:3]) == set(mean["paper"].nsmallest(3).index))
claim("the paper puts the number of layers first", mean["paper"].idxmin() == "num_conv_layers")
five = uniform.idxmin() == "optimizer" and set(uniform.nsmallest(5).index) == first["paper"]
claim("with the paper's draw, on all images, `optimizer` leads the paper's first five", five)
claim("most of the best CNNs have Adam on every data set", (adam > 0.5).all())
rates = good.groupby("optimizer")["lr"].median().reindex(["Adam", "SGD"])
about_ten = 5 < rates["SGD"] / rates["Adam"] < 20
claim("SGD's good learning rates are about ten times as high as Adam's", about_ten)
classes = drawn["dataset"].map({name: one.classes for name, one in FACTS.items()})
glue(n_best=best, n_sets=len(sets), adam=drawn.loc[overall, "optimizer"].eq("Adam").mean())
seen = (drawn["images"] + drawn["val_images"]).max()
glue(tau=agreement, n_drawn=len(drawn), images=drawn["images"].max(), seen=seen)
glue(failing=(drawn["accuracy"] < 2 / classes).mean())
glue(epochs_low=drawn["epoch"].min(), epochs_high=drawn["epoch"].max())

# %% [markdown]
# Start with Adam: {glue:text}`adam:.0%` of the best {glue:text}`n_best:.0%` use it. SGD's good
# learning rates are about ten times as high (medians of the best {glue:text}`n_best:.0%`, over all
# data sets). More epochs nearly always help ({doc}`curves`). Dropout, depth (`num_conv_layers`) and
# optimizer are too close to order. All of this comes from {glue:text}`n_drawn:,d` CNNs of random
# search, each data set ranked by itself.

# %% [markdown] tags=["design"]
# **With the learning rate drawn uniformly and all data sets pooled, N-RReliefF has the paper's
# first three, in another order, and its last two.** The paper pools; it does not say how it draws.
# We draw on a log scale, and our CNNs see at most {glue:text}`seen:,d` images,
# {glue:text}`images:,d` of them for training. On single data sets, a uniform draw puts the
# optimizer level with `lr` or just ahead; the first five stay the paper's. On all images the single
# data sets agree; the pool, which has fewer CNNs, does not ({doc}`design`). So search `lr` on a log
# scale and tune it first. With a uniform draw, tune the optimizer with it.

# %% [markdown]
# ## Should you tune only the first few?
#
# For a short search, yes. With the paper's defaults for the rest, the three with the highest
# tunability (mostly `num_fc_units`, `dropout_rate` and `lr`) are clearly ahead of tuning everything
# after {glue:text}`few` trials, by {glue:text}`ahead:.1f` points of accuracy, and level after
# {glue:text}`n_trials`. The paper's first three, which are ours too, are then
# {glue:text}`lost_paper:.1f` points behind, which may be chance. **But the wrong three cost more:**
# ranked on pooled data, functional ANOVA's first three lose {glue:text}`lost_fanova:.1f` points and
# N-RReliefF's {glue:text}`lost_nrrelieff:.1f`. With defaults learned on other data sets the choice
# matters less: no ranking loses more than {glue:text}`learned:.1f` points ({doc}`pays`).

# %%
FEW, N_TRIALS, N_TUNED = 10, 50, 3
ORDERS = (*tuning.COMPUTED, "paper")
lost = pd.DataFrame(index=ORDERS, columns=list(tuning.DEFAULTS), dtype=float)
for one, default in product(ORDERS, tuning.DEFAULTS):
    loss = regret.losses(done, default, "random", one, N_TUNED).at(N_TRIALS)
    lost.loc[one, default] = 100 * loss.mean
least = list(lost["table1"].nsmallest(2).index)
claim("tunability's and the paper's first three lose least", least == ["tunability", "paper"])
claim("tuning tunability's first three loses nothing", lost.loc["tunability", "table1"] <= 0)
early = regret.losses(done, "table1", "random", "tunability", N_TUNED).at(FEW).points
tuned = done.loc[(done["ranking"] == "tunability") & (done["k"] == N_TUNED), "tuned"].explode()
three = {"lr", "dropout_rate", "num_fc_units"}
claim("tunability's first three are mostly these", {*tuned.value_counts().index[:N_TUNED]} == three)
claim("after a few trials tunability's first three are clearly ahead of everything", early.high < 0)
claim("with learned defaults no ranking loses two points", lost["learned"].max() < 2)
paper = audit.load()
right = audit.labels(paper.tables[5], paper.weights(3))["right"]
summed = published.table(4)["weight"].sum()
claim("the labels of the paper's Table 5 do not fit its weights", right.mean() < 0.5)
claim("the paper's Table 4 sums to more than a variance can", summed > 1)
glue(few=FEW, ahead=-early.mean, n_trials=N_TRIALS, lost=lost["table1"], summed=summed)
glue(learned=lost["learned"].max(), wrong=(~right).sum(), n_labels=len(right))

# %% [markdown]
# ## What becomes of the paper's claims?
#
# - **Its first five hyperparameters** are our first five too, in another order. Kendall's $\tau$ of
#   its Table 3 with our mean ranks on single data sets ({glue:text}`n_drawn:,d` CNNs, ten
#   hyperparameters) is {glue:text}`tau:.2f`: 1 is the same order, 0 an unrelated one.
# - **Its top hyperparameter, the number of layers,** is first on none of our data sets.
# - **Its pooled ranking** mixes ten data sets. There, `in_channel_num` only reveals the data set,
#   and thirty neighbours are too few ({doc}`importance`, {doc}`perdataset`).
# - **Its pairs** are mislabelled: {glue:text}`wrong` of the {glue:text}`n_labels` weights in its
#   Table 5 belong to another pair, so its conclusion about pairs does not hold ({doc}`audit`,
#   {doc}`joint`).
# - **Its functional ANOVA weights** sum to {glue:text}`summed:.3f`, more than shares of one
#   variance can. The order may still be right ({doc}`audit`).
#
# ## Where to read on
#
# - *The study:* {doc}`setup`, {doc}`data`, {doc}`method`.
# - *The results:* {doc}`importance`, {doc}`perdataset`, {doc}`reliability`, {doc}`joint`,
#   {doc}`filters`.
# - *How far they hold:* {doc}`design`, {doc}`multiverse`, {doc}`noise`.
# - *What they are good for:* {doc}`pays`, and {doc}`screening`, instead of thousands.
# - *The paper's figures, tables and equations:* {doc}`items`.
# - *With other parameters, or your own trials:* {doc}`rerun`.
#
# Figures and tables of the paper keep its numbers; all others begin with S. *Show the code* opens
# the code behind a result, and every result can be downloaded as CSV. The book works offline.
#
# ## What this cannot say
#
# - **Other networks.** Ours are small and train for {glue:text}`epochs_low` to
#   {glue:text}`epochs_high` epochs. {glue:text}`failing:.0%` of random search's do less
#   than twice as well as guessing, so much of the importance is about whether a CNN learns at all.
# - **Other tasks.** All ten data sets are small images to classify.
# - **Why we differ.** The paper's CNNs, code and some options are not public.
# - **What you would gain.** The searches ran on models of our CNNs, without a training's noise and
#   cost.
