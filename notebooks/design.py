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
# **By both methods, `lr` has the best mean rank over data sets with a log draw; drawn uniformly,
# `optimizer` is ahead of it on most, but not clearly on average. Pooled, {glue:text}`n_uniform:,d`
# CNNs drawn uniformly have the paper's first three (in any order) and last two by N-RReliefF;
# {glue:text}`cnns` CNNs, or larger $J$ and $\sigma$, do not.**
#
# We draw `lr` on a log scale; the paper's Table 1 prints only "float, [1e-6, 1e-1]", which can be
# read as a uniform draw. And most of our CNNs see {glue:text}`seen:,d` images,
# {glue:text}`images:,d` of them for training. This is *fewer images*, meant where nothing is said.
# *All images* are all that could be had: a small part of EMNIST and SVHN, the other eight data sets
# whole ({numref}`table-conditions-images`). On all images fewer CNNs were trained
# ({numref}`table-conditions`), so their ranks are less certain.
#
# :::{caption} fig-pooled
# :alt: Dots with intervals: with a uniform draw lr, num_conv_layers and dropout_rate have most, as
#   in the paper; with a log draw lr has nearly all
#
# Shares by N-RReliefF, all data sets pooled, with 95% intervals over resampled CNNs. Upright
# strokes: the paper's (its Table 3). Of shares below 0.5% only the intervals are drawn.
# :::

# %% tags=["parameters"]
log_reduced = "data/trials.parquet"  # `lr` on its logarithm, fewer images
linear_reduced = "data/linear_reduced/trials.parquet"  # `lr` uniform, the same images
log_all = "data/log_all/trials.parquet"  # `lr` on its logarithm, all images
linear_all = "data/linear_all/trials.parquet"  # `lr` uniform, all images
n_neighbors = 30  # J, neighbours of each CNN, the paper's value; at least 1
sigma = 20.0  # decay of a neighbour's influence with its rank; above 0
n_trees = 32  # trees of functional ANOVA on each data set; at least 1
min_samples_leaf = 2  # the fewest CNNs in a leaf of them; at least 1
n_resamples = 1000  # resamples of the pooled CNNs, for the intervals; at least 1
n_subsets = 10  # subsets of which the ICC is taken, as in the paper; at least 2
random_state = 0  # seed of the forests, the subsets and the intervals; 0 to 4294967295

# %%
import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from hia.datasets import FACTS, NAMES
from hia.relief import NRReliefF, shares
from hia.trials import load
from hia_book import conditions, published, rankings
from hia_book.agreement import REPORTED, balanced_subsamples, icc, rank_agreement
from hia_book.claims import claim, glue, need
from hia_book.figures import (
    LEAST,
    list_down,
    look,
    panels,
    shades,
    show_figure,
    show_table,
    write_zeros,
)

LOG, UNIFORM = DRAWS = ["log lr, fewer images", "uniform lr, fewer images"]
LOG_ALL, UNIFORM_ALL = "log lr, all images", "uniform lr, all images"
# What each choice changes: both conditions that differ in it alone.
IMAGES = {"all images, log lr": (LOG, LOG_ALL), "all images, uniform lr": (UNIFORM, UNIFORM_ALL)}
FILES = {LOG: log_reduced, UNIFORM: linear_reduced, LOG_ALL: log_all, UNIFORM_ALL: linear_all}
METHODS = rankings.METHODS | {"nrrelieff_raw": "N-RReliefF, raw distance"}
samples = {name: load(path).query("source == 'random'") for name, path in FILES.items()}
fewest = min(rows["dataset"].value_counts().reindex(NAMES).min() for rows in samples.values())
need(fewest > n_neighbors, f"n_neighbors={n_neighbors}: a data set has no more CNNs than that")
both_draws = pd.concat([samples[LOG], samples[UNIFORM]])
seen = both_draws["images"] + both_draws["val_images"]
glue(n_first=len(samples[LOG]), seen=seen.max(), images=both_draws["images"].max())
# The recorded study has more CNNs: as many of them as were trained with `lr` uniform, with the same
# configurations where these were random search's in both.
samples |= dict(zip(DRAWS, conditions.equal_counts(*(samples[x] for x in DRAWS)), strict=True))
options = {"n_neighbors": n_neighbors, "sigma": sigma, "n_trees": n_trees}
options |= {"min_samples_leaf": min_samples_leaf, "random_state": random_state}
columns = rankings.varied(samples[UNIFORM])
weights = rankings.by_sample(samples, columns, METHODS, **options)
ranks = {key: table.rank(axis=1, ascending=False) for key, table in weights.items()}
means = {key: conditions.average(table, random_state) for key, table in ranks.items()}
table3 = published.table(3).set_index("hyperparameter")
ELEVEN = list(table3.index)
compared = [name for name in table3.index if name in columns]
paper = table3.loc[compared, "rank"].rank()
offsets = dict(zip(samples, np.linspace(-0.33, 0.33, len(samples)), strict=True))


def draw(ax, printed, tables, xlabel=""):
    """What the paper prints, as strokes, and each condition's `mean`, `low` and `high`."""
    places = np.arange(len(printed))
    ax.scatter(printed, places, marker="|", s=260, color="black", label="the paper")
    for name, table in tables.items():
        own, heights = table.loc[printed.index], places + offsets[name]
        ax.hlines(heights, own["low"], own["high"], color=look(name)["color"], linewidth=1.5)
        ax.scatter(own["mean"], heights, s=18, label=name, **look(name))
    list_down(ax, printed.index, xlabel, grid="y")


relief = NRReliefF(n_neighbors, sigma)
pooled, resampled, in_pool = {}, {}, {}
for name, rows in samples.items():
    X, accuracy = rankings.design(rows, ELEVEN), rows["accuracy"]
    pooled[name] = relief.fit(X, accuracy).weights_
    resampled[name] = relief.bootstrap(X, accuracy, n_resamples, random_state)
    low, high = np.percentile(shares(resampled[name]), [2.5, 97.5], axis=0)
    limits = {"mean": shares(pooled[name]), "low": low, "high": high}
    in_pool[name] = pd.DataFrame(limits, table3.index)
figure, ax = panels(4.2)
above = {x: own.assign(mean=own["mean"].where(own["mean"] >= LEAST)) for x, own in in_pool.items()}
draw(ax, table3["weight"], above, "share")
write_zeros(ax, pd.DataFrame([own["mean"] for own in in_pool.values()]))
ax.xaxis.set_major_formatter(PercentFormatter(1))
figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
printed = {"the paper": table3[["weight"]].set_axis(["mean"], axis=1)}
listed = pd.concat(printed | in_pool, names=["condition"]).reset_index()
show_figure(figure, "fig-pooled", data=listed)


def agree(one, other):
    """Kendall's tau of two rankings, of what both have."""
    return rank_agreement(-one[other.index], -other).tau


pooled_ranks = pd.DataFrame(pooled, table3.index).rank(ascending=False)
judged_pool = {name: conditions.judge(pooled_ranks[name], table3["rank"]) for name in samples}
log, uniform = judged_pool[LOG], judged_pool[UNIFORM]
first_two = pooled_ranks.loc[["lr", "num_conv_layers"], DRAWS].T == [1, 2]
of_resamples = pd.DataFrame(resampled[UNIFORM], columns=table3.index).rank(axis=1, ascending=False)
top = of_resamples[table3.index[:3]]
pool, pool_log = in_pool[UNIFORM]["mean"], in_pool[LOG]["mean"]
claim("pooled, the first three are the paper's with a uniform draw", uniform["three"])
claim("pooled, the first three are not the paper's with a log draw", not log["three"])
claim("pooled, the last two are the paper's with a uniform draw", uniform["last"])
rows, many = samples[UNIFORM], len(samples[UNIFORM]) // 20
wide = {"n_neighbors": many, "sigma": sigma * many / n_neighbors}
wider = rankings.weigh(rows, ELEVEN, "nrrelieff", **options | wide)
wider = conditions.judge(wider.rank(ascending=False), table3["rank"])
claim("pooled, with larger J and sigma neither comes back", not (wider["three"] or wider["last"]))
claim("pooled, `lr` comes before `num_conv_layers` and both first", first_two.all(axis=None))
claim("pooled, `lr` has most of the shares with a log draw", pool_log["lr"] > 0.75)
glue(pool=pool, pool_log=pool_log, printed=table3["weight"], n_neighbors=n_neighbors, many=many)
last = of_resamples[table3.index[-2:]] > len(table3) - 2
glue(three_sure=(top <= 3).all(axis=1).mean(), depth_first=(top["num_conv_layers"] == 1).mean())
glue(last_sure=last.all(axis=1).mean(), n_below=(pooled[UNIFORM] < 0).sum())
glue(tau_pool=agree(pooled_ranks[UNIFORM], table3["rank"]), fade=wide["sigma"], sigma=sigma)

# %% [markdown]
# ## Pooled, as in the paper
#
# With a uniform draw, `lr` has {glue:text}`pool_lr:.0%`, `num_conv_layers`
# {glue:text}`pool_num_conv_layers:.0%` and `dropout_rate` {glue:text}`pool_dropout_rate:.0%`. The
# paper prints {glue:text}`printed_lr:.0%`, {glue:text}`printed_num_conv_layers:.0%` and
# {glue:text}`printed_dropout_rate:.0%`. These three come first in {glue:text}`three_sure:.0%` of
# resamples, depth first of all in {glue:text}`depth_first:.0%`. The paper's last two come last in
# {glue:text}`last_sure:.0%`, among {glue:text}`n_below` hyperparameters whose weights are below 0.
# With $J$ of {glue:text}`many` and $\sigma$ of {glue:text}`fade:.0f`, not {glue:text}`n_neighbors`
# and {glue:text}`sigma:.0f`, neither comes back. Kendall's $\tau$ of these
# {glue:text}`n_uniform:,d` pooled CNNs with Table 3 is {glue:text}`tau_pool:.2f`. With a log draw
# `lr` alone has {glue:text}`pool_log_lr:.0%`.
#
# A pool also mixes in the differences between data sets. By functional ANOVA `in_channel_num` is
# among its first three ({numref}`table-pooled`), because it tells grey, easy data sets from
# coloured, hard ones. So the rest of this page ranks each data set by itself.
#
# :::{caption} table-pooled
# Ranks of the hyperparameters where all data sets are pooled.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show all ranks of the pool and their code"}
by_anova = {
    f"{METHODS['fanova']}, {name}": rankings.weigh(rows, ELEVEN, "fanova", **options)
    for name, rows in samples.items()
}
both = pd.DataFrame(by_anova, table3.index).rank(ascending=False)
channels = both.loc["in_channel_num"]
claim("pooled, `in_channel_num` is among functional ANOVA's first three", (channels <= 3).all())
table = pooled_ranks.add_prefix(f"{METHODS['nrrelieff']}, ").join(both)
table.insert(0, "Table 3", table3["rank"])
letter = rankings.weigh(load(linear_all), ELEVEN, "nrrelieff", **options)
table[f"N-RReliefF, {UNIFORM_ALL}, with BOHB"] = letter = letter.rank(ascending=False)
judged_pool["letter"] = conditions.judge(letter, table3["rank"])
show_table(table, "table-pooled", dict.fromkeys(table, ".3g"))

# %% [markdown]
# ## Each data set by itself
#
# Then `optimizer` ranks first with a uniform draw, and `lr` no longer does
# ({numref}`fig-conditions`). It leads `lr` by {glue:text}`ahead_least:.1f` to
# {glue:text}`ahead_most:.1f` places, depending on method and images; perhaps chance. The first five
# stay the paper's, though not in its order. By raw distances, as the paper writes them, `optimizer`
# is first with either draw. Drawn uniformly, `num_conv_layers` cannot be told from `lr` either.
#
# :::{caption} fig-conditions
# :alt: Dots with intervals: with lr on its logarithm lr is first by both methods, with lr uniform
#   optimizer is
#
# Mean rank over the data sets, each ranked separately, with a 95% interval over them. Upright
# strokes: the paper's order, without `in_channel_num`, which is constant on a data set.
# :::

# %%
figure, axes = panels(6.5, len(rankings.METHODS), 1, sharex=True)
for ax, method in zip(axes, rankings.METHODS, strict=True):
    draw(ax, paper, {name: means[name, method] for name in samples})
    ax.set_title(METHODS[method], loc="left")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
axes[-1].set_xlabel("mean rank, 1 for the most important")
listed = pd.concat(means, names=["condition", "method", "hyperparameter"]).reset_index()
show_figure(figure, "fig-conditions", data=listed)


by_method = conditions.compare(weights, *DRAWS, random_state)
lr, lr_anova = (change.loc["lr"] for change in by_method.values())
layers, layers_anova = (change.loc["num_conv_layers"] for change in by_method.values())
leaders = {name: {means[name, method].index[0] for method in rankings.METHODS} for name in samples}
text = "by both methods, on fewer images and all, `lr` leads on a log scale, `optimizer` uniformly"
claim(text, list(leaders.values()) == [{"lr"}, {"optimizer"}] * 2)
by_raw = {means[name, "nrrelieff_raw"].index[0] for name in samples}
claim("by raw distances `optimizer` is first under every condition", by_raw == {"optimizer"})
drawn = {x: own for x, own in ranks.items() if x[0].startswith("uniform") and x[1] in by_method}
both = ("optimizer", "num_conv_layers")
ahead = {(y, *x): own["lr"] - own[y] for x, own in drawn.items() for y in both}
ahead = conditions.average(pd.DataFrame(ahead), random_state)
level = ahead["low"].max() < 0 < ahead["high"].min()
claim("drawn uniformly, `optimizer` and `num_conv_layers` cannot be told from `lr`", level)
most = all((own["optimizer"] < own["lr"]).mean() > 0.5 for own in drawn.values())
claim("drawn uniformly, `optimizer` is ahead of `lr` on most data sets", most)
ahead = ahead.xs("optimizer")
claim("a uniform draw lowers `lr`, by both methods", min(lr["low"], lr_anova["low"]) > 0)
glue(ahead_least=ahead["mean"].min(), ahead_most=ahead["mean"].max())
claim("a uniform draw raises depth, by both methods", max(layers["mean"], layers_anova["mean"]) < 0)
claim("by N-RReliefF that rise may be chance", layers["low"] < 0 < layers["high"])
glue(log=means[LOG, "nrrelieff"]["mean"], log_share=weights[LOG, "fanova"].mean())
glue(uniform=means[UNIFORM, "nrrelieff"]["mean"], uniform_share=weights[UNIFORM, "fanova"].mean())

# %% [markdown]
# By functional ANOVA, `lr` explains {glue:text}`log_share_lr:.0%` of the variance on an average
# data set if drawn on a log scale, but only {glue:text}`uniform_share_lr:.0%` if drawn uniformly.
# By N-RReliefF its mean rank worsens from {glue:text}`log_lr:.1f` to {glue:text}`uniform_lr:.1f`.
# That of `num_conv_layers` improves from {glue:text}`log_num_conv_layers:.1f` to
# {glue:text}`uniform_num_conv_layers:.1f`, which may be chance ({numref}`table-choices`).
#
# On fewer images, both methods have the paper's first five with either draw, and neither has its
# last two ({numref}`table-findings`). The ICC is above .90 under every condition. The paper has
# {glue:text}`printed_icc`, and calls .75 to .90 robust.
#
# :::{caption} table-findings
# The paper's findings under each condition: the methods by which they hold, or the number itself;
# *raw*: N-RReliefF by raw distances. Its first five are `num_conv_layers`, `lr`, `dropout_rate`,
# `optimizer` and `epoch`, its last two `num_fc_units` and `batch_size`; only the first line minds
# their order. From mean ranks over single data sets; the ICC and what is *pooled* are
# by N-RReliefF from all data sets at once. On fewer images, {glue:text}`n_uniform:,d` CNNs of each
# draw are compared; the first page's $\tau$ with Table 3 is of all {glue:text}`n_first:,d` drawn on
# a log scale.
# :::


# %%
def icc_of_lists(rows):
    """The ICC of N-RReliefF's shares on balanced subsets of all data sets (Section 5.2)."""
    X, accuracy, cap = rankings.design(rows), rows["accuracy"], published.cap(len(rows))
    subsets = balanced_subsamples(accuracy, n_subsets, cap, random_state=random_state)
    lists = [shares(relief.fit(X.iloc[own], accuracy.iloc[own]).weights_) for own in subsets]
    return icc(pd.DataFrame(lists)).loc[REPORTED, "icc"]


mean = {key: table["mean"] for key, table in means.items()}
judged = {key: conditions.judge(table, paper) for key, table in mean.items()}
FINDINGS = {"order": "its first three, in order", "five": "its first five", "last": "its last two"}
POOLED = {"three": "its first three", "five": "its first five", "last": "its last two"}
SHORT = {"nrrelieff": "N-RReliefF", "fanova": "fANOVA", "nrrelieff_raw": "raw"}
findings, iccs = {}, {}
for name, rows in samples.items():
    of_each = {x: judged[name, x] for x in METHODS}
    told = {
        text: ", ".join(SHORT[x] for x, own in of_each.items() if own[finding]) or "no"
        for finding, text in FINDINGS.items()
    }
    iccs[name] = icc_of_lists(rows)
    told[f"the ICC of {n_subsets} lists"] = f"{iccs[name]:.3f}"
    tau = agree(mean[name, "nrrelieff"], mean[name, "fanova"])
    told["both methods agree ($\\tau$ of mean ranks)"] = f"{tau:.2f}"
    for x, label in SHORT.items():
        told[f"$\\tau$ with Table 3, {label}"] = f"{agree(mean[name, x], paper):.2f}"
    for finding, text in POOLED.items():
        told[f"*Pooled:* {text}"] = "yes" if judged_pool[name][finding] else "no"
    tau = agree(pooled_ranks[name], table3["rank"])
    findings[name] = told | {"*Pooled:* $\\tau$ with Table 3": f"{tau:.2f}"}
show_table(pd.DataFrame(findings).reset_index(names="The paper's finding"), "table-findings")
both_methods = [judged[name, method] for name in DRAWS for method in rankings.METHODS]
by_both = all(one["five"] and not one["last"] for one in both_methods)
claim("on fewer images, both methods have the paper's first five and neither its last two", by_both)
ordered = any(one["order"] for one in judged.values())
claim("under no condition are the first three the paper's, in its order", not ordered)
claim("the ICC of lists is above .9 under every condition", min(iccs.values()) > 0.9)

# %% [markdown]
# ## All images
#
# **With a uniform draw and all images, the paper's first five are first** on single data sets by
# both methods ({numref}`table-findings`). Pooled, with BOHB's CNNs as in the paper or without,
# neither its first three nor its last two come back ({numref}`table-pooled`).
#
# Here, too, `lr` leads with a log draw and `optimizer` with a uniform one; from so few CNNs that
# may be chance. More images change little ({numref}`table-choices`): `num_conv_layers` clearly
# gains with neither draw, and `lr` gains {glue:text}`rate:.1f` places by N-RReliefF with a uniform
# one. On all images, a uniform draw changes the rank of `num_conv_layers` by
# {glue:text}`raised_anova_mean:+.1f` ({glue:text}`raised_anova_low:+.1f` to
# {glue:text}`raised_anova_high:+.1f`) by functional ANOVA, but by {glue:text}`raised_mean:+.1f`
# ({glue:text}`raised_low:+.1f` to {glue:text}`raised_high:+.1f`) by N-RReliefF.
#
# **Pooled, few CNNs cannot say what images do.** On fewer images, {glue:text}`cnns` CNNs drawn
# uniformly have `in_channel_num` among their first two and depth in place
# {glue:text}`few_num_conv_layers:.0f`; {glue:text}`n_uniform:,d` have them in places
# {glue:text}`channels:.0f` and 2. With {glue:text}`n_neighbors` neighbours, the number of CNNs
# alone moves a pooled ranking.
#
# :::{caption} table-choices
# What each choice adds to a mean rank, with a 95% interval over the data sets; below 0 the
# hyperparameter gains. All images are compared with fewer on the same configurations:
# {glue:text}`pairs_log` CNNs drawn on a log scale, {glue:text}`cnns` uniformly. The two draws are
# compared with as many CNNs of each data set. All ten data sets count, though Semeion has no more
# images to give and SVHN hardly more ({numref}`table-conditions-images`).
# :::


# %%
changes, pairs = {}, {}
for label, (fewer, every) in IMAGES.items():
    shared = samples[fewer].merge(samples[every], on=["dataset", "trial"])[["dataset", "trial"]]
    pair = {name: samples[name].merge(shared) for name in (fewer, every)}
    of_pair, pairs[label] = rankings.by_sample(pair, columns, **options), len(shared)
    changes[label] = conditions.compare(of_pair, *pair, random_state)
changes[UNIFORM] = by_method
equal = conditions.equal_counts(samples[LOG_ALL], samples[UNIFORM_ALL])
equal = dict(zip((LOG_ALL, UNIFORM_ALL), equal, strict=True))
of_equal = rankings.by_sample(equal, columns, **options)
changes[UNIFORM_ALL] = conditions.compare(of_equal, *equal, random_state)
changes = {(x, method): one for x, own in changes.items() for method, one in own.items()}
shown = ["num_conv_layers", "lr"]
written = {
    (label, METHODS[method]): change.loc[shown].apply(
        lambda x: f"{x['mean']:+.1f} ({x['low']:+.1f} to {x['high']:+.1f})", axis=1
    )
    for (label, method), change in changes.items()
}
table = pd.DataFrame(written).T.rename_axis(["Choice", "Method"])
show_table(table.add_prefix("`").add_suffix("`").reset_index(), "table-choices")
depth = {key: change.loc["num_conv_layers"] for key, change in changes.items()}
of_images = [depth[label, method] for label in IMAGES for method in rankings.METHODS]
claim("all images clearly raise `num_conv_layers` nowhere", all(x["high"] > 0 for x in of_images))
rate = changes["all images, uniform lr", "nrrelieff"].loc["lr"]
claim("with a uniform draw all images raise `lr`, by N-RReliefF", rate["high"] < 0)
raised, raised_anova = (depth[UNIFORM_ALL, method] for method in rankings.METHODS)
claim("on all images it does by functional ANOVA alone", raised_anova["high"] < 0 < raised["high"])
five = all(judged[UNIFORM_ALL, method]["five"] for method in rankings.METHODS)
claim("drawn uniformly on all images the paper's first five are first by both methods", five)
back = any(judged_pool[x][y] for x in (UNIFORM_ALL, "letter") for y in ("three", "last"))
claim("pooled, on all images, the paper's first three and last two do not come back", not back)
few = rankings.weigh(pair[UNIFORM], ELEVEN, "nrrelieff", **options).rank(ascending=False)
many = pooled_ranks.loc["in_channel_num", UNIFORM]
worse = few["in_channel_num"] <= 2 < many and few["num_conv_layers"] > 2
of_few = conditions.judge(few, table3["rank"])
claim("pooled, few CNNs have neither", not (of_few["three"] or of_few["last"]))
claim("pooled, few CNNs have `in_channel_num`, not depth, among the first two; many do not", worse)
glue(cnns=pairs["all images, uniform lr"], pairs_log=pairs["all images, log lr"], channels=many)
glue(n_uniform=len(samples[UNIFORM]), few=few, rate=-rate["mean"])
glue(raised=raised, raised_anova=raised_anova, printed_icc=published.value("icc"))

# %% [markdown]
# **Drawn uniformly, BOHB's CNNs change little on single data sets.** With {glue:text}`n_bohb` of
# these (30%, as in the paper) beside the {glue:text}`cnns` of random search, on all images, the
# first five stay the paper's and `optimizer` stays first. No mean rank moves by more than
# {glue:text}`moved:.1f` ({numref}`table-bohb`).
#
# :::{caption} table-bohb
# Mean ranks over the data sets on all images, `lr` drawn uniformly: of random search alone, and
# with BOHB's CNNs.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show all ranks with BOHB and their code"}
both_searches, with_bohb = load(linear_all), {}
for method in rankings.METHODS:
    own = rankings.by_dataset(both_searches, columns, method, **options)
    with_bohb[f"{METHODS[method]}, random"] = means[UNIFORM_ALL, method]["mean"]
    with_bohb[f"{METHODS[method]}, with BOHB"] = own.rank(axis=1, ascending=False).mean()
with_bohb = pd.DataFrame(with_bohb, columns)
moved = with_bohb.T.diff().iloc[1::2].abs()
claim("`optimizer` is first with BOHB's CNNs or without", (with_bohb.idxmin() == "optimizer").all())
five = [conditions.judge(own, paper)["five"] for _, own in with_bohb.items()]
claim("the first five are the paper's with BOHB's CNNs or without", all(five))
claim("BOHB's CNNs move no mean rank by more than two", moved.max(axis=None) < 2)
show_table(with_bohb, "table-bohb", dict.fromkeys(with_bohb, ".1f"))
glue(n_bohb=(both_searches["source"] == "bohb").sum(), moved=moved.max(axis=None))

# %% [markdown]
# ## Why: a uniform draw tries one decade
#
# Nine of ten uniform draws between $10^{-6}$ and $10^{-1}$ lie above $10^{-2}$; on a log scale one
# in five does. Over all five decades, accuracy depends most on whether the rate is large enough to
# learn. Above $10^{-2}$ Adam's accuracy falls while SGD's still rises, so optimizer and depth
# decide ({numref}`fig-response`).
#
# :::{caption} fig-response
# :alt: Accuracy climbs with lr; above 0.01 it falls again with Adam and still rises with SGD
#
# Mean validation accuracy by `lr`, optimizer and number of convolutional layers, over the CNNs of
# both draws; every data set counts the same. Grey: where nine of ten uniform draws lie.
# :::

# %%
response = conditions.respond(both_draws, np.logspace(-6, -1, 11))
figure, axes = panels(3.1, 1, 2, sharey=True)
for ax, (optimizer, own) in zip(axes, response.groupby("optimizer"), strict=True):
    ax.axvspan(1e-2, 1e-1, color="0.9", zorder=0)
    of_depth = own.groupby("num_conv_layers")
    for color, (depth, line) in zip(shades("num_conv_layers", 3), of_depth, strict=True):
        style = {"color": color, "marker": "osD"[depth - 1], "markersize": 4, "label": depth}
        ax.plot(line["lr"], line["accuracy"], **style)
    ax.set(xscale="log", title=optimizer, xlabel="learning rate")
axes[0].set_ylabel("mean accuracy")
axes[0].legend(title="layers", loc="upper left")
show_figure(figure, "fig-response", data=response)
level = response.set_index(["optimizer", "num_conv_layers", "lr"])["accuracy"]
top = level.groupby(["optimizer", "num_conv_layers"]).max()
last = level.xs(level.index.get_level_values("lr").max(), level="lr")
adam, sgd = last["Adam"], last["SGD"]
claim("Adam's largest rates are far below the best, at every depth", (adam < top["Adam"] / 2).all())
claim("SGD's largest rates are the best, at every depth", np.allclose(sgd, top["SGD"]))
claim("at SGD's largest rates one layer is far ahead of three", sgd[1] > 1.5 * sgd[3])
glue(adam_top=top["Adam"][1], adam_last=adam[1], sgd_one=sgd[1], sgd_three=sgd[3])

# %% [markdown]
# With Adam and one layer, mean accuracy is {glue:text}`adam_top:.2f` at the best rates and
# {glue:text}`adam_last:.2f` at the largest. With SGD the largest rates are the best:
# {glue:text}`sgd_one:.2f` with one layer, {glue:text}`sgd_three:.2f` with three. So a uniform draw
# mostly compares optimizers and depths, and a log draw rates that learn with rates that do not. On
# all images the pattern is the same, but SGD catches up with one layer
# ({numref}`table-response-all`).
#
# :::{caption} table-response-all
# Mean validation accuracy by decade of `lr` on all images, over the CNNs of both draws; every data
# set counts the same. Columns: optimizer and number of convolutional layers.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show accuracies on all images and their code"}
on_all = pd.concat([samples[LOG_ALL], samples[UNIFORM_ALL]])
on_all = conditions.respond(on_all, np.logspace(-6, -1, 6))
by_rate = on_all.pivot_table("accuracy", "lr", ["optimizer", "num_conv_layers"])
best_rates, largest = by_rate.idxmax(), by_rate.index[-1]
alike = (best_rates["Adam"] < largest).all() and (best_rates["SGD"] == largest).all()
caught_up = by_rate["SGD"][1].max() > 0.95 * by_rate["Adam"][1].max()
claim("with one layer SGD's best rates are as good as Adam's on all images", caught_up)
claim("on all images too Adam's largest rates are not the best, SGD's are, at every depth", alike)
by_rate.columns = [f"{optimizer}, {depth}" for optimizer, depth in by_rate]
table = by_rate.set_axis([f"1e{d} to 1e{d + 1}" for d in range(-6, -1)]).reset_index(names="`lr`")
show_table(table, "table-response-all", dict.fromkeys(by_rate, ".2f"))

# %% [markdown]
# ## Two peaks of accuracies
#
# The paper describes two peaks of accuracies over all ten data sets, with few CNNs between (its
# Section 5.1; {numref}`fig-3`). A uniform draw moves CNNs from the lower peak to the upper one. On
# MNIST {glue:text}`uniform_mnist_below:.0%` of them are below {glue:text}`low`, not
# {glue:text}`log_mnist_below:.0%`, and {glue:text}`uniform_mnist_above:.0%` above
# {glue:text}`high`, not {glue:text}`log_mnist_above:.0%` ({numref}`table-heaps`). On all its images
# MNIST then has two clear peaks, with {glue:text}`all_mnist_between:.0%` between; all data sets
# together have no such gap.
#
# :::{caption} table-heaps
# Shares of CNNs by validation accuracy.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show all shares and their code"}
SETS = {"all data sets": list(FACTS)} | {FACTS[x].label: [x] for x in ("mnist", "usps")}
shares_of = {
    (label, name): conditions.heaps(rows.loc[rows["dataset"].isin(own), "accuracy"])
    for label, own in SETS.items()
    for name, rows in samples.items()
}
shares_of = pd.DataFrame(shares_of).T
below = {name: shares_of.xs(name, level=1)["below"] for name in DRAWS}
on_mnist = shares_of.loc["MNIST"]
glue(log_mnist=on_mnist.loc[LOG], uniform_mnist=on_mnist.loc[UNIFORM])
glue(low=conditions.LOW, high=conditions.HIGH, all_mnist=on_mnist.loc[UNIFORM_ALL])
claim("a uniform draw moves CNNs to the upper peak", (below[UNIFORM] < below[LOG]).all())
shares_of.columns = [f"Below {conditions.LOW}", "Between", f"Above {conditions.HIGH}"]
table = shares_of.reset_index(names=["CNNs of", "Condition"])
show_table(table, "table-heaps", dict.fromkeys(shares_of, ".0%"))

# %% [markdown]
# {numref}`table-conditions-datasets` has all ranks; single ones are uncertain.
#
# :::{caption} table-conditions-datasets
# Ranks on each data set, 1 for the most important.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the ranks by data set and their code"}
table = pd.concat(ranks, names=["Condition", "Method", "Data set"]).rename(METHODS, level=1)
show_table(table.reset_index(), "table-conditions-datasets", dict.fromkeys(table, ".3g"))

# %% [markdown]
# ## What was trained
#
# All CNNs here come from random search, but for the columns with BOHB. Trials of one number and
# data set have the same seed in both draws and, but for `lr`, the same configuration.
# {numref}`table-conditions` counts CNNs, {numref}`table-conditions-images` images. Of the three
# recordings beside the study's, {glue:text}`n_again` random CNNs were trained again ({doc}`rerun`),
# some on another kind of processor: {glue:text}`exact` came out the same to the last bit.
#
# :::{caption} table-conditions
# The CNNs of each condition, and the processor time of their training; {glue:text}`n_untimed` of
# Semeion, on all images, have none.
# :::
#
# :::{caption} table-conditions-images
# Images of each data set, training and validation: of the whole collection, and used here.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show CNNs, images and their code"}
trained = samples | {f"{UNIFORM_ALL}, with BOHB": both_searches}
trained = [
    (x, len(own), own["dataset"].value_counts().max(), own["cpu_seconds"].sum() / 3600)
    for x, own in trained.items()
]
headings = "Condition | CNNs {:,} | per data set, at most {:,} | Core-hours {:.1f}"
show_table(trained, "table-conditions", headings)
untimed = samples[LOG_ALL].query("cpu_seconds.isna()")
claim("only CNNs of Semeion have no time", {*untimed["dataset"]} == {"semeion"})
FOLDERS = ("linear_reduced", "log_all", "linear_all")
again = pd.concat([pd.read_csv(f"data/{folder}/verified.csv") for folder in FOLDERS])
glue(n_untimed=len(untimed), n_again=len(again), exact=again["exact"].sum())
images = pd.DataFrame({"Collection": {name: FACTS[name].images for name in NAMES}})
for name in (UNIFORM, UNIFORM_ALL):
    rows = samples[name]
    used = (rows["images"] + rows["val_images"]).groupby(rows["dataset"]).max()
    images[name.split(", ")[1].capitalize()] = used
part = images.iloc[:, 1:].div(images["Collection"], axis=0).add_suffix(", share")
formats = dict.fromkeys(images, ",") | dict.fromkeys(part, ".0%")
show_table(images.join(part), "table-conditions-images", formats)
