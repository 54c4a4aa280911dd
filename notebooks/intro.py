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
# **Learning rate, optimizer, depth, epochs and dropout matter most, as in the paper
# {cite:p}`wang2024efficient`. In our main study, on a log scale, the learning rate is first on all
# ten data sets; drawn uniformly, the optimizer leads on most, not clearly overall.
# {numref}`table-first` says what to tune first.**
#
# :::{caption} fig-headline
# :alt: Dot plot of ranks: the five hyperparameters that the paper puts first are first here too,
#   with lr drawn uniformly and on a log scale
#
# Mean ranks by N-RReliefF, with 95% intervals, and the paper's ranks.
# :::
#
# :::{caption} table-first
# What to tune in a short search: 10th to 90th percentile of the best.
# :::

# %% tags=["parameters", "remove-input"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
linear_all = "data/linear_all/trials.parquet"  # CNNs with `lr` drawn uniformly, on all images
searches = "data/tuning.parquet"  # searches over fewer hyperparameters
best = 0.1  # the CNNs whose values are called good, by data set and optimizer; 0.01 to 1

# %%
from itertools import product

import numpy as np
import pandas as pd

from hia.datasets import FACTS
from hia.trials import load
from hia_book import audit, conditions, published, rankings, regret, tuning
from hia_book.agreement import rank_agreement
from hia_book.claims import claim, glue, need
from hia_book.figures import list_down, look, panels, show_figure, show_table

done = tuning.complete(tuning.load(searches))
rows = load(trials)
drawn = rows[rows["source"] == "random"]
sets = sorted(drawn["dataset"].unique())
need(len(sets) > 1, "an order over data sets needs CNNs of random search on two at least")
columns = rankings.varied(drawn)
LOG, UNIFORM = "log lr, fewer images", "uniform lr, all images"
random = {UNIFORM: load(linear_all).query("source == 'random'"), LOG: drawn}
weights = rankings.by_sample(random, columns)
ranks = {key: table.rank(axis=1, ascending=False) for key, table in weights.items()}
means = {key: conditions.average(table) for key, table in ranks.items()}
table3 = published.table(3).set_index("hyperparameter")
printed = table3.loc[columns, "rank"].rank()  # among those compared here
order = list(means[UNIFORM, "nrrelieff"].index)

heights = np.arange(len(order))
figure, ax = panels(2.45)
for name, shift, size in ((UNIFORM, -0.12, 70), (LOG, 0.2, 22)):
    style, own = look(name), means[name, "nrrelieff"].loc[order]
    line = {"color": style["color"], "linewidth": size**0.3, "alpha": 0.6}
    ax.hlines(heights + shift, own["low"], own["high"], **line)
    ax.scatter(own["mean"], heights + shift, s=size, zorder=3, label=name, **style)
hollow = {"marker": look("paper")["marker"], "facecolor": "none", "edgecolor": "black"}
ax.scatter(printed[order], heights - 0.12, s=38, zorder=4, label="the paper", **hollow)
ax.set_xticks(range(1, len(order) + 1))
list_down(ax, order, "rank, 1 for what matters most", grid="both")
spacing = {"ncols": 3, "columnspacing": 1, "handletextpad": 0.2}
figure.legend(*ax.get_legend_handles_labels(), loc="outside upper right", **spacing)
means["the paper", ""] = printed.to_frame("mean")
shown = pd.concat(means, names=["condition", "method", "hyperparameter"]).reset_index()
show_figure(figure, "fig-headline", data=shown)

good = rankings.take_best(drawn, best, ["dataset", "optimizer"])
LISTED = {"lr": ".0e", "dropout_rate": ".1f", "num_fc_units": ".0f"}
table = {}
for key, own in good.groupby("optimizer"):
    ends = own[list(LISTED)].quantile([0.1, 0.9])
    spans = {x: " to ".join(f"{end:{form}}" for end in ends[x]) for x, form in LISTED.items()}
    table[f"Best {best:.0%} with {key}"] = pd.Series(spans).str.replace("e-0", "e-")
show_table(pd.DataFrame(table), "table-first")


# %%
leading = {name: rankings.take_best(own, best, "dataset") for name, own in random.items()}
adam = {x: own["optimizer"].eq("Adam").groupby(own["dataset"]).mean() for x, own in leading.items()}
PAPERS = set(printed.nsmallest(5).index)
same_five = all(set(means[key].index[:5]) == PAPERS for key in ranks)
claim("the first five are the paper's, by both methods in both studies", same_five)
with_bohb = rankings.by_dataset(rows, columns, "nrrelieff").rank(axis=1, ascending=False).mean()
others = set(with_bohb.nsmallest(5).index) != PAPERS
claim("with BOHB's CNNs N-RReliefF's first five in our main study are others", others)
first = {key: (own == 1).sum() for key, own in ranks.items()}  # on how many data sets
lr_first = all(first[LOG, method]["lr"] == len(sets) for method in rankings.METHODS)
claim("on a log scale `lr` is first on every data set, by both methods", lr_first)
behind = {x: ranks[UNIFORM, x].sub(ranks[UNIFORM, x]["lr"], axis=0) for x in rankings.METHODS}
behind = pd.concat({x: own[["optimizer", "num_conv_layers"]] for x, own in behind.items()}, axis=1)
by_chance = conditions.average(behind)
level = by_chance["low"].max() < 0 < by_chance["high"].min()
claim("drawn uniformly, `optimizer` and `num_conv_layers` cannot be told from `lr`", level)
most = all(first[UNIFORM, method]["optimizer"] > len(sets) / 2 for method in rankings.METHODS)
claim("drawn uniformly, `optimizer` is first on most data sets, by both methods", most)
claim("the paper puts the number of layers first", printed.idxmin() == "num_conv_layers")
no_depth = first[LOG, "nrrelieff"]["num_conv_layers"] == 0
claim("on a log scale `num_conv_layers` is first on no data set", no_depth)
claim("most of the best CNNs have Adam on every data set", (adam[LOG] > 0.5).all())
rates = good.groupby("optimizer")["lr"].median().reindex(["Adam", "SGD"])
about_ten = 5 < rates["SGD"] / rates["Adam"] < 20
claim("SGD's good learning rates are about ten times as high as Adam's", about_ten)
classes = drawn["dataset"].map({name: one.classes for name, one in FACTS.items()})
glue(n_best=best, n_sets=len(sets), adam=adam[LOG].agg(["min", "max"]))
glue(adam_uniform=adam[UNIFORM].mean(), first=first[UNIFORM, "nrrelieff"])
depth = means[UNIFORM, "nrrelieff"]["mean"]["num_conv_layers"]
glue(depth=depth, last=ranks[UNIFORM, "nrrelieff"]["optimizer"].max())
seen = (drawn["images"] + drawn["val_images"]).max()
glue(n_drawn=len(drawn), n_uniform=len(random[UNIFORM]), images=drawn["images"].max(), seen=seen)
by_mean = [means[name, "nrrelieff"].loc[columns, "mean"] for name in random]
by_uniform, by_log = (rank_agreement(-own, -printed) for own in by_mean)
glue(by_uniform=by_uniform, by_log=by_log)
glue(failing=(drawn["accuracy"] < 2 / classes).mean(), epochs=drawn["epoch"].agg(["min", "max"]))

# %% [markdown]
# Search `lr` on a log scale, and start with Adam: {glue:text}`adam_min:.0%` to
# {glue:text}`adam_max:.0%` of a data set's best {glue:text}`n_best:.0%` use it. (With a uniform
# draw, which tries mostly rates too large for Adam, {glue:text}`adam_uniform:.0%` do.) SGD's good
# learning rates are about ten times as high as Adam's. More epochs help on average ({doc}`curves`).
# {numref}`table-first` and this come from our main study:
# {glue:text}`n_drawn:,d` CNNs of random search on at most {glue:text}`seen:,d` images,
# {glue:text}`images:,d` of them for training.

# %% [markdown] tags=["design"]
# The circles in {numref}`fig-headline` follow the paper's design more closely:
# {glue:text}`n_uniform` CNNs of random search, with `lr` drawn uniformly, on all images that could
# be had. (The paper does not say how it draws.) The optimizer is first on
# {glue:text}`first_optimizer` of the ten data sets and `lr` on {glue:text}`first_lr`. But elsewhere
# the optimizer's rank is as low as {glue:text}`last:.0f`, so on average it cannot be told from `lr`
# and depth. Functional ANOVA has the same first five in both studies. With BOHB's CNNs, our main
# study's first five by N-RReliefF differ.
#
# **The paper also pools its data sets. So pooled, CNNs drawn uniformly can have its first three, in
# another order, and its last two,** but that depends on their number, and on options of
# N-RReliefF ({doc}`design`).

# %% [markdown]
# ## Should you tune only the first few?
#
# For a short search, yes, if tunability chooses them. With the paper's defaults, but 10 epochs for
# all, its first three (mostly `num_fc_units`, `dropout_rate` and `lr`) are clearly ahead of tuning
# everything after {glue:text}`few` trials, by {glue:text}`early:.1f` points of accuracy, and level
# after {glue:text}`n_trials`. The paper's first three, the best of the importance rankings, are
# then {glue:text}`lost_paper:.1f` points behind, which may be chance. **But what is important need
# not be worth tuning:** functional ANOVA's first three on pooled data (mostly `lr`, `optimizer` and
# `num_conv_layers`) lose {glue:text}`lost_fanova:.1f` points and N-RReliefF's
# {glue:text}`lost_nrrelieff:.1f`. With defaults learned on other data sets ({doc}`searches` lists
# them) the choice matters less: tunability's loses most, {glue:text}`learned:.1f` points after
# {glue:text}`n_trials` trials and {glue:text}`late:.1f` after {glue:text}`n_late` ({doc}`pays`).

# %%
FEW, N_TRIALS, N_LATE, N_TUNED = 10, 50, 200, 3
ORDERS = (*tuning.COMPUTED, "paper")
lost = pd.DataFrame(index=ORDERS, columns=list(tuning.DEFAULTS), dtype=float)
for one, default in product(ORDERS, tuning.DEFAULTS):
    loss = regret.losses(done, default, "random", one, N_TUNED).at(N_TRIALS)
    lost.loc[one, default] = 100 * loss.mean
least = list(lost["table1"].nsmallest(2).index)
claim("tunability's and the paper's first three lose least", least == ["tunability", "paper"])
claim("tuning tunability's first three loses nothing", lost.loc["tunability", "table1"] <= 0)
early = regret.losses(done, "table1", "random", "tunability", N_TUNED).at(FEW).points
tuned = done[done["k"] == N_TUNED].explode("tuned").groupby("ranking")["tuned"].value_counts()
MOSTLY = {"tunability": {*LISTED}, "fanova": {"lr", "optimizer", "num_conv_layers"}}
three = {name: {*tuned[name].index[:N_TUNED]} for name in MOSTLY}
claim("tunability's and functional ANOVA's first three are mostly those named", three == MOSTLY)
claim("after a few trials tunability's first three are clearly ahead of everything", early.high < 0)
late = {x: regret.losses(done, "learned", "random", x, N_TUNED).at(N_LATE).mean for x in ORDERS}
most = {lost["learned"].idxmax(), max(late, key=late.get)}
claim("with learned defaults tunability's first three lose most", most == {"tunability"})
glue(late=100 * late["tunability"], n_late=N_LATE)
paper = audit.load()
labels = audit.labels(paper.tables[5], paper.weights(3))
right, found = labels["right"], labels[["found_first", "found_second"]]
summed = published.table(4)["weight"].sum()
claim("the labels of the paper's Table 5 do not fit its weights", right.mean() < 0.5)
have_depth = (found == "num_conv_layers").any(axis=1).all()
claim("rightly labelled, all pairs of its Table 5 have the number of layers", have_depth)
claim("the paper's Table 4 sums to more than a variance can", summed > 1)
glue(few=FEW, early=-early.mean, n_trials=N_TRIALS, lost=lost["table1"], summed=summed)
glue(learned=lost["learned"].max(), wrong=(~right).sum(), n_labels=len(right))

# %% [markdown]
# ## What becomes of the paper's claims?
#
# - **Its first five hyperparameters** are our first five too, in another order. Kendall's $\tau$ of
#   its Table 3 with the mean ranks of {numref}`fig-headline` is {glue:text}`by_uniform_tau:.2f`
#   (95% interval {glue:text}`by_uniform_low:.2f` to {glue:text}`by_uniform_high:.2f`) with `lr`
#   drawn uniformly and {glue:text}`by_log_tau:.2f` ({glue:text}`by_log_low:.2f` to
#   {glue:text}`by_log_high:.2f`) on a log scale: 1 is the same order, 0 an unrelated one.
# - **Its top hyperparameter, the number of layers,** is first on {glue:text}`first_num_conv_layers`
#   of our {glue:text}`n_sets` data sets with `lr` drawn uniformly, and on none on a log scale. With
#   a uniform draw its mean rank, {glue:text}`depth:.1f`, is not clearly behind the first.
# - **Its pooled ranking** mixes ten data sets. `in_channel_num` only reveals the data set,
#   and thirty neighbours are too few ({doc}`importance`, {doc}`perdataset`).
# - **Its pairs** are mislabelled: {glue:text}`wrong` of the {glue:text}`n_labels` weights in its
#   Table 5 belong to another pair. All ten pairs still contain the number of layers, but the
#   equation only repeats Table 3 ({doc}`audit`, {doc}`joint`).
# - **Its functional ANOVA weights** sum to {glue:text}`summed:.3f`, more than shares of one
#   variance can. The order may still be right ({doc}`audit`).
#
# ## Where to read on
#
# - *The study:* {doc}`setup`, {doc}`data`, {doc}`method`.
# - *The results:* {doc}`importance`, {doc}`perdataset`, {doc}`reliability`, {doc}`joint`,
#   {doc}`filters`.
# - *How far they hold:* {doc}`design`, {doc}`multiverse`, {doc}`noise`.
# - *What they are good for:* {doc}`pays`, {doc}`screening`.
# - *The paper's figures, tables and equations:* {doc}`items`.
# - *With other parameters, or your own trials:* {doc}`rerun`.
#
# Figures and tables of the paper keep its numbers; all others begin with S.
#
# ## What this cannot say
#
# - **Other networks.** Ours are small and train for {glue:text}`epochs_min` to
#   {glue:text}`epochs_max` epochs. {glue:text}`failing:.0%` of random search's score below
#   twice chance level, so much of the importance is about whether a CNN learns at all.
# - **Other tasks.** All are small images to classify.
# - **Why we differ.** The paper's CNNs, code and some options are not public.
# - **What you would gain.** The searches ran on models of our CNNs, without a training's noise and
#   cost.
