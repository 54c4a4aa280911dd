# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Importance from 24 trainings
#
# **24 trainings on each data set find what matters most: `lr`, `optimizer` and `num_conv_layers`.
# Functional ANOVA of the whole study has these and `dropout_rate` first. They do not settle the
# order of the rest.**
#
# QIM {cite:p}`jia2016qim` ranks hyperparameters without a large study. A Plackett–Burman design
# {cite:p}`plackett1946design` picks a few configurations to train; the differences between their
# accuracies measure importance ({numref}`fig-pb-effects`).
#
# :::{caption} fig-pb-effects
# :alt: Dots on a line for each hyperparameter; those of lr lie far to the right, those of optimizer
#   and num_conv_layers far to the left, all others near 0
#
# Effects of the paper's eleven hyperparameters: the change of accuracy from one value to another,
# in {glue:text}`n_runs` runs with {glue:text}`n_replicates` seeds each, the most important first.
# Dots: {glue:text}`n_sets` data sets. Stars: their means, with 95% intervals over data sets.
# :::

# %% tags=["parameters"]
screening = "data/screening.parquet"  # the trainings of the design, one row each
trials = "data/trials.parquet"  # the trained CNNs of the study, one row each
datasets: list[str] = []  # data sets to use, all if empty; choices: hia.datasets.NAMES
sources: list[str] = []  # how configurations were found, all if empty; choices: hia.trials.SOURCES
n_trees = 32  # trees of the forests that are fitted to the study; at least 1
level = 0.05  # an effect stands out if its p-value is below; 0 to 1
random_state = 0  # seed of the forests, and of what N-RReliefF draws; 0 to 4294967295

# %%
from itertools import combinations

import numpy as np
import pandas as pd

from hia.datasets import FACTS
from hia.ranking.fanova import FAnova
from hia.space import HYPERPARAMETERS, SAMPLED, SPACE, TABLE1
from hia.trials import load
from hia_book import cost, rankings, truth
from hia_book import screening as qim
from hia_book.agreement import rank_agreement, typical_agreement
from hia_book.claims import claim, glue, need
from hia_book.figures import list_down, look, panels, show_figure, show_table

table = load(screening, "screening")
ELEVEN = list(HYPERPARAMETERS)
TEN = [name for name in ELEVEN if name in SAMPLED]  # what a study of one data set can rank
FIRST = ["lr", "optimizer", "num_conv_layers"]
folded = pd.DataFrame(qim.design(len(ELEVEN)), columns=ELEVEN)
half = len(folded) // 2
study = rankings.select(load(trials), datasets, sources)
table = table[table["dataset"].isin(study["dataset"])]
replicates = sorted(table["replicate"].unique())
runs = table.groupby("dataset")["run"].transform("size")
complete = runs == len(folded) * len(replicates)
claim("every data set has all runs of the design", complete.all())
need(complete.any(), f"{screening} has no data set with all runs of the design and with trials")
table = table[complete]
names = [name for name in FACTS if name in set(table["dataset"])]
need(len(names) > 1, "the screen compares data sets: it needs two at least")


def matrix(screened, column="effect"):
    """(hyperparameters, data sets) of a column of `screen`."""
    return pd.DataFrame({name: screened.xs(name)[column] for name in names}).reindex(ELEVEN)


def typical(one, other):
    """The typical agreement of two tables (hyperparameters, data sets) on one data set."""
    return typical_agreement([rank_agreement(one[name], other[name]) for name in names])


screened = qim.screen(table, "replicates")
effects = matrix(screened)
ranks = qim.rank_sum(effects)
overall = qim.pooled(screened).loc[ranks.index]

# %%
GREY = look("screening")["color"]
heights = range(len(ranks))
at = qim.levels()
of_levels = at[["low", "high"]].map(lambda x: f"{x:.3g}" if isinstance(x, float) else str(x))
spans = [f"{name}, {low} to {high}" for name, low, high in of_levels.loc[ranks.index].itertuples()]
figure, ax = panels(3.6)
ax.axvline(0, color="0.6", linewidth=0.8)
for name in names:
    ax.scatter(effects.loc[ranks.index, name], heights, s=12, alpha=0.6, color=GREY)
middle = overall["effect"]
margins = [middle - overall["low"], overall["high"] - middle]
ax.errorbar(middle, heights, xerr=margins, fmt="*", markersize=10, capsize=3, color="0.2")
list_down(ax, spans, "change of accuracy")
listed = effects.reset_index().melt("hyperparameter", var_name="dataset", value_name="effect")
show_figure(figure, "fig-pb-effects", data=listed)
firsts = ranks[names].idxmin().value_counts()
between = [rank_agreement(ranks[one], ranks[other]) for one, other in combinations(names, 2)]
claim("the screen has `lr`, `optimizer`, `num_conv_layers` first", list(ranks.index[:3]) == FIRST)
claim("in the screen `lr` is first on most data sets", firsts["lr"] > len(names) / 2)
better = np.sign(middle[FIRST])
claim("in the screen a higher `lr`, Adam and one layer are better", (better == [1, -1, -1]).all())
plain, free = qim.aliases(folded.iloc[:half]), qim.aliases(folded)
claim("the fold-over frees the effects of all interactions of two", (free == 0).all(axis=None))
glue(n_sets=len(names), lr_first=firsts["lr"], lr=middle["lr"], optimizer=-middle["optimizer"])
glue(layers=-middle["num_conv_layers"], between=np.mean([one.tau for one in between]))
glue(half=half, mixed=(plain.iloc[0] != 0).sum(), n_pairs=plain.shape[1])
glue(weight=plain.abs().max(axis=None), n_runs=len(folded), n_replicates=len(replicates))

# %% [markdown]
# `lr` is first on {glue:text}`lr_first` of {glue:text}`n_sets` data sets; its high level gains
# {glue:text}`lr:.3f` of accuracy. At these rates Adam beats SGD by {glue:text}`optimizer:.3f`, and
# one layer beats three by {glue:text}`layers:.3f` ({numref}`table-pb-effects`). The rankings of two
# data sets agree with a Kendall's $\tau$ of {glue:text}`between:.2f` on average. Over all data
# sets, each seed alone finds the same three.
#
# :::{caption} table-pb-effects
# Mean effects over the data sets with 95% intervals. On each data set the
# sizes of the effects are ranked: the sum of these ranks, the best and the worst, and the rank by
# the sum.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the table of effects and its code"}
of_effects = overall[["effect", "low", "high", "p"]].join(ranks[["rank_sum", "rank"]])
of_effects.insert(5, "ranks", [f"{min(row):g} to {max(row):g}" for row in ranks[names].to_numpy()])
headings = "Effect {:+.3f} | from {:+.3f} | to {:+.3f} | p {:.2g} | Sum {:g} | "
show_table(of_effects, "table-pb-effects", f"{headings}Ranks | Rank {{:g}}")

# %% [markdown]
# ## The design
#
# Each hyperparameter is at its high level (+) in half of the runs, whatever the level of any other
# ({numref}`table-pb-design`). Its *effect* is the mean accuracy at + minus that at −; the effects
# of the others cancel. The *fold-over* repeats the runs with all signs reversed. The levels are
# quartiles of what random search draws ({numref}`table-pb-levels`).
#
# We could read only QIM's abstract. It names the design, few trainings, ranks and several data
# sets. The levels, the fold-over, three seeds, 16 filters in every layer and summing ranks are our
# choices. So this tests QIM's idea, not its numbers.
#
# :::{caption} table-pb-design
# The first {glue:text}`half` runs, a column each. Runs {glue:text}`half_next` to
# {glue:text}`n_runs`: + for − and − for +.
# :::
#
# :::{caption} table-pb-levels
# The two levels: quartiles of what random search draws from Table 1; for whole numbers and choices,
# the outermost values that at least a quarter of the draws reach.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the design, the levels and their code"}
signs = folded.iloc[:half].map(lambda sign: "+" if sign > 0 else "−").T
signs.columns = [str(run) for run in range(1, half + 1)]
show_table(signs, "table-pb-design")

of_levels.insert(0, "drawn", at["drawn"])
show_table(of_levels, "table-pb-levels", "Random search draws | − | +")

# %% [markdown]
# ## What the fold-over buys
#
# In {glue:text}`half` runs, {glue:text}`mixed` of the {glue:text}`n_pairs` two-way interactions
# distort each effect, with a weight of {glue:text}`weight:.2f` each; in all {glue:text}`n_runs`
# none does ({numref}`fig-pb-fold`).
#
# :::{caption} fig-pb-fold
# :alt: Three marks on a line for each hyperparameter. The halves differ most in num_fc_units, whose
#   two effects lie on different sides of 0
#
# Effects from each half of the design and from both.
# :::

# %%
first_half = table["run"] < half
parts = {
    "first half": matrix(qim.screen(table[first_half], "replicates")),
    "second half": matrix(qim.screen(table[~first_half], "replicates")),
    "both": effects,
}
of_parts = pd.DataFrame({title: part.mean(axis=1) for title, part in parts.items()})
of_parts = of_parts.loc[ranks.index]
figure, ax = panels(3.4)
ax.axvline(0, color="0.6", linewidth=0.8)
ax.hlines(heights, of_parts.min(axis=1), of_parts.max(axis=1), color="0.8", zorder=1)
for title, marker, inside in zip(of_parts, "<>*", ("none", "none", GREY), strict=True):
    size = 80 if title == "both" else 42
    style = {"marker": marker, "s": size, "facecolor": inside, "edgecolor": GREY}
    ax.scatter(of_parts[title], heights, label=title, **style)
list_down(ax, of_parts.index, "effect on the accuracy, mean over the data sets")
figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
show_figure(figure, "fig-pb-fold", data=of_parts.reset_index(names="hyperparameter"))
gap = (parts["first half"] - parts["second half"]) / 2  # what the interactions of two add
by_seeds = screened["se"].groupby("dataset", sort=False).first()[names]
ratio = np.sqrt((gap**2).mean()) / by_seeds
halves = typical(parts["first half"].abs(), parts["second half"].abs())
flipped = of_parts.index[of_parts["first half"] * of_parts["second half"] < 0]
apart = (of_parts["first half"] - of_parts["second half"]).abs()
changing = {"num_fc_units", "in_channel_num", "kernel"}
claim("the halves flip `num_fc_units`, `in_channel_num` and `kernel`", set(flipped) == changing)
claim("the halves of the design differ most in `num_fc_units`", apart.idxmax() == "num_fc_units")
claim("interactions move effects more than seeds do", ratio.min() > 1 and ratio.median() > 2)
glue(gap=np.sqrt((gap**2).to_numpy().mean()), by_seeds=by_seeds.mean(), ratio_low=ratio.min())
glue(ratio_high=ratio.max(), units=of_parts.loc["num_fc_units"], halves=halves)

# %% [markdown]
# Interactions move an effect by {glue:text}`gap:.3f` (root mean square), seeds by
# {glue:text}`by_seeds:.3f`; the ratio is {glue:text}`ratio_low:.1f` to {glue:text}`ratio_high:.1f`
# on single data sets. So more seeds could not replace the second half.
#
# The halves differ most in `num_fc_units`: {glue:text}`units_first_half:+.3f` in the first,
# {glue:text}`units_second_half:+.3f` in the second. `in_channel_num` and `kernel` change sign too.
# The rankings of the halves agree with a $\tau$ of {glue:text}`halves_tau:.2f` (95% interval
# {glue:text}`halves_low:.2f` to {glue:text}`halves_high:.2f`).
#
# ## Which effects stand out
#
# An effect can be tested against seed noise or, more strictly, against interactions: the design's
# contrasts that belong to no single hyperparameter ({numref}`table-pb-errors`).
#
# :::{caption} table-pb-errors
# Standard errors of an effect by the seeds and by the interactions; how many of
# {glue:text}`n_ELEVEN` effects have a p-value below {glue:text}`level:g` against each; and
# Kendall's $\tau$ of the rankings from two single seeds (mean: {glue:text}`same:.2f`).
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the errors by data set and their code"}
contrasts = qim.screen(table, "contrasts")
by_seed = [own for _, own in table.groupby("replicate")]
of_seed = [matrix(qim.screen(own, "contrasts")).abs() for own in by_seed]
two = list(combinations(of_seed, 2))
same = {x: np.mean([rank_agreement(a[x], b[x]).tau for a, b in two]) for x in names}
in_each = [set(qim.rank_sum(one).index[:3]) == set(FIRST) for one in of_seed]
claim("each seed alone has the same three first", all(in_each))
clear = matrix(contrasts, "p") < level
columns = {"Error, seeds": by_seeds, "Error, interactions": matrix(contrasts, "se").iloc[0]}
columns["Beyond seeds"] = (matrix(screened, "p") < level).sum()
columns |= {"Beyond interactions": clear.sum(), "τ, seeds": same}
errors = pd.DataFrame(columns).loc[names]
glue(n_ELEVEN=len(ELEVEN), level=level, half_next=half + 1)
formats = {"Error, seeds": ".4f", "Error, interactions": ".4f", "τ, seeds": ".2f"}
show_table(errors, "table-pb-errors", formats)
always, never = (set(clear.index[one]) for one in (clear.all(axis=1), ~clear.any(axis=1)))
UNSETTLED = {"epoch", "num_fc_units", "padding", "dropout_rate", "stride", "kernel"}
claim("`lr` and depth alone always exceed interactions", always == {"lr", "num_conv_layers"})
claim("six of eleven hyperparameters never exceed interactions", never == UNSETTLED)
glue(beyond_seeds=errors["Beyond seeds"].mean(), beyond=errors["Beyond interactions"].mean())
glue(by_chance=level * len(ELEVEN), same=errors["τ, seeds"].mean())

# %% [markdown]
# Of eleven effects, {glue:text}`beyond_seeds:.1f` on average exceed the noise of seeds, and
# {glue:text}`beyond:.1f` the interactions (by chance {glue:text}`by_chance:.2f`). `lr` and
# `num_conv_layers` exceed the interactions on every data set. Six others never do, so their order
# is not established.
#
# ## Against the study
#
# The study's forests also predict a *step*, the difference between the two levels: what a screen
# would find without noise or three-way interactions.
#
# :::{caption} table-pb-agreement
# Kendall's $\tau$ of rankings of {glue:text}`n_TEN` hyperparameters, with 95% intervals over
# hyperparameters: on one data set, typically, and of the mean ranks over the data sets. N-RReliefF
# with the paper's 30 neighbours and with a twentieth of the CNNs. Last: two random halves of the
# study.
# :::

# %%
of_study = {name: rows for name, rows in study.groupby("dataset") if name in names}


def fit_forests(parts):
    """Functional ANOVA of the CNNs of each data set, and its importances."""
    forests = {
        name: FAnova(n_trees, space=SPACE, random_state=random_state).fit(x[TEN], x["accuracy"])
        for name, x in parts.items()
    }
    return forests, pd.DataFrame({name: one.importances_ for name, one in forests.items()}, TEN)


random = np.random.default_rng(random_state)
side = {name: random.permutation(len(rows)) % 2 == 0 for name, rows in of_study.items()}
forests, by_fanova = fit_forests(of_study)
ends = at[["low", "high"]].T
on_levels = {
    (one, name): forest.marginal(one, list(ends[one]))["mean"]
    for one in TEN
    for name, forest in forests.items()
}
on_levels = pd.DataFrame(on_levels)  # two rows: predictions at the low and the high level
change = on_levels.diff().loc[1]
steps = pd.DataFrame({name: change[:, name] for name in names})
scores = {"screen": effects.loc[TEN].abs(), "fANOVA": by_fanova, "forest's steps": steps.abs()}
for title, method in (("N-RReliefF", "nrrelieff"), ("N-RReliefF, n/20", "nrrelieff_growing")):
    rank = truth.CONTENDERS[method].rank
    ranked = {name: rank(x, "accuracy", TABLE1, random_state) for name, x in of_study.items()}
    scores[title] = pd.DataFrame(ranked).loc[TEN]
_, scores["fANOVA, one half"] = fit_forests({x: own[side[x]] for x, own in of_study.items()})
_, scores["the other half"] = fit_forests({x: own[~side[x]] for x, own in of_study.items()})
pairs = [("screen", one) for one in ("fANOVA", "N-RReliefF", "N-RReliefF, n/20", "forest's steps")]
pairs += [("forest's steps", "fANOVA"), ("fANOVA", "N-RReliefF, n/20")]
pairs.append(("fANOVA, one half", "the other half"))
mean_rank = {title: one.rank(ascending=False).mean(axis=1) for title, one in scores.items()}
of_means = {(a, b): rank_agreement(mean_rank[a], mean_rank[b]) for a, b in pairs}
on_one = {(a, b): typical(scores[a], scores[b]) for a, b in pairs}
rows = [(" – ".join(pair), *on_one[pair][:3], *of_means[pair][:3]) for pair in pairs]
columns = ["One data set, τ", "from", "to", "Mean ranks, τ", "from ", "to "]
show_table(rows, "table-pb-agreement", {"Rankings": ""} | dict.fromkeys(columns, ".2f"))
single = pd.Series({" – ".join(pair): one.tau for pair, one in on_one.items()})
of_screen = effects.loc[TEN]
agree = np.sign(steps) == np.sign(of_screen)
large = of_screen.abs() > 2 * matrix(contrasts, "se").loc[TEN]
x, y = steps.to_numpy().ravel(), of_screen.to_numpy().ravel()
means = pd.DataFrame({"screen": of_screen.mean(axis=1), "forest": steps.mean(axis=1)})
first_four = set(mean_rank["fANOVA"].nsmallest(4).index)
with_fanova = of_means["screen", "fANOVA"]
few, two_levels = single["screen – forest's steps"], single["forest's steps – fANOVA"]
signed_apart = list(means.index[means["screen"] * means["forest"] < 0])
claim(
    "functional ANOVA has the screen's three and `dropout_rate` first",
    first_four == {*FIRST, "dropout_rate"},
)
claim("screen and functional ANOVA agree better than unrelated rankings do", with_fanova.low > 0)
claim("few configurations cost the screen more agreement than two levels do", few < two_levels)
claim("the screen's large effects have the signs of the forest's", agree.to_numpy()[large].all())
claim("screen and forest differ in sign in `num_fc_units` only", signed_apart == ["num_fc_units"])
glue(n_TEN=len(TEN), single=single, agree=agree.sum(axis=None), slope=np.polyfit(x, y, 1)[0])
glue(means=of_means["screen", "fANOVA"], n_effects=agree.size, correlation=np.corrcoef(x, y)[0, 1])
glue(tau_relief=of_means["screen", "N-RReliefF, n/20"].tau)
glue(n_cnns=np.median([len(rows) for rows in of_study.values()]), n_large=large.sum(axis=None))

# %% [markdown]
# The screen's mean ranks agree with those of functional ANOVA on {glue:text}`n_cnns:,.0f` CNNs per
# data set by a $\tau$ of {glue:text}`means_tau:.2f` (95% interval {glue:text}`means_low:.2f` to
# {glue:text}`means_high:.2f`), and with those of N-RReliefF with $J$ = n/20 by
# {glue:text}`tau_relief:.2f`. On a single data set, screen and functional ANOVA agree by
# {glue:text}`single_screen_fANOVA:.2f`, and two halves of the study by
# {glue:text}`single_fANOVA_one_half_the_other_half:.2f`.
#
# The small number of configurations does more harm than having only two levels. The forest's steps
# agree by {glue:text}`single_forest_s_steps_fANOVA:.2f` with its shares, but by
# {glue:text}`single_screen_forest_s_steps:.2f` with the screen.
#
# :::{caption} fig-pb-forest
# :alt: Scatter plot with the marks near the diagonal: lr at the top right, optimizer and
#   num_conv_layers at the bottom left, all others near the middle
#
# Effects of the screen against the forest's steps. Each mark is a hyperparameter on a data set;
# dotted: equal. Of the means over data sets only that of `num_fc_units` differs in sign.
# :::

# %%
figure, ax = panels(3.6)
marks = pd.MultiIndex.from_product([TEN, names], names=["hyperparameter", "dataset"])
marks = pd.DataFrame({"forest": x, "screen": y}, marks).reset_index()
kinds = marks["hyperparameter"].where(marks["hyperparameter"].isin(ranks.index[:3]), "others")
ax.axhline(0, color="0.6", linewidth=0.8)
ax.axvline(0, color="0.6", linewidth=0.8)
ax.axline((0, 0), slope=1, color="0.6", linewidth=0.8, linestyle=":")
for name, own in marks.groupby(kinds):
    style = {"color": GREY, "marker": "."} if name == "others" else look(name)
    ax.scatter(own["forest"], own["screen"], s=24, alpha=0.85, label=name, **style)
ax.set_xlabel("the study's forest: accuracy at + less accuracy at −")
ax.set_ylabel("the screen's effect")
ax.grid()
ax.legend(loc="upper left")
show_figure(figure, "fig-pb-forest", data=marks)

# %% [markdown]
# Screen and forest agree in sign in {glue:text}`agree` of {glue:text}`n_effects` cases, and in all
# {glue:text}`n_large` whose effect exceeds two standard errors of the interactions. Their
# correlation is {glue:text}`correlation:.2f`. The screen's effects are {glue:text}`slope:.1f` times
# as large: a forest shrinks its predictions towards the mean, and the screen compares corners of
# the space.
#
# ## What two levels do not see
#
# An effect is the slope of a line through two points ({numref}`fig-pb-curves`). The range between
# these covers {glue:text}`least:.0%` (`epoch`) to {glue:text}`most:.0%` of what a hyperparameter
# does. The best value of `lr` lies between its levels, where the screen does not look.
#
# :::{caption} fig-pb-curves
# :alt: A panel for each hyperparameter with more than two values; lr has its best value between the
#   two levels, all others at an end of the curve or beyond the levels
#
# Marginal curves of the study's forests, and the screen's two points: means over the data sets. The
# slope between the points is the screen's; their height is set by the curve.
# :::


# %%
of_values = {
    one: pd.DataFrame({x: of.marginal(one).set_index("value")["mean"] for x, of in forests.items()})
    for one in TEN
}  # marginal curves (values, data sets)
CURVED = [column for column in TEN if len(of_values[column]) > 2]
drawn = {}
figure, axes = panels(3.8, -(-len(CURVED) // 3), 3, sharey=True)
for name, ax in zip(CURVED, axes.flat, strict=False):
    curves = of_values[name]
    curve = (curves - curves.mean()).mean(axis=1)
    drawn[name] = curve.set_axis(curve.index.astype(float))
    ax.plot(drawn[name], color=look("fanova")["color"], linewidth=1.6, label="study, fANOVA")
    middle = on_levels[name].mean().mean() - curves.mean().mean()
    line = middle + np.array([-0.5, 0.5]) * effects.loc[name].mean()
    style = look("screening") | {"linestyle": "--", "linewidth": 1, "markersize": 9}
    ax.plot(ends[name].astype(float), line, label="screen", **style)
    ax.set_xscale("log" if SPACE[name].log else "linear")
    ax.set_title(name, fontsize=10)
    ax.grid()
figure.supylabel("accuracy, from its mean", fontsize=11)
figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
listed = pd.concat(drawn, names=["hyperparameter", "value"]).rename("accuracy").reset_index()
show_figure(figure, "fig-pb-curves", data=listed)
inside = pd.Series({name: abs(steps.loc[name].mean()) / np.ptp(drawn[name]) for name in CURVED})
between_levels = [n for n in CURVED if ends[n]["low"] < drawn[n].idxmax() < ends[n]["high"]]
claim("the best value lies between the screen's levels for `lr` alone", between_levels == ["lr"])
claim("`epoch` has the least of its effect between the screen's levels", inside.idxmin() == "epoch")
glue(least=inside.min(), most=inside.max())

# %% [markdown]
# ## What it costs
#
# :::{caption} table-pb-cost
# Trainings, hours on one core, and the typical agreement on one data set with functional ANOVA on
# the study (the mean over either half of the runs, and over every seed).
# :::

# %%
one_seed = by_seed[0]["run"] < half
plans = {
    f"{half} runs, one seed": [by_seed[0][one_seed], by_seed[0][~one_seed]],
    f"{len(folded)} runs, one seed": by_seed,
    f"{len(folded)} runs, {len(replicates)} seeds": [table],
}


def sizes(part):
    """The sizes of the effects by some runs, by data set."""
    return {name: cost.effects_of(rows)[TEN].abs() for name, rows in part.groupby("dataset")}


of_plans = [[sizes(part) for part in parts] for parts in plans.values()]
taus = [np.mean([typical(scores["fANOVA"], own).tau for own in each]) for each in of_plans]
threes = [[set(x.nlargest(3).index) for own in each for x in own.values()] for each in of_plans]
found_half, found_all, _ = (np.mean([x == set(FIRST) for x in each]) for each in threes)
glue(found_half=found_half, found_all=found_all)
spent = [parts[0] for parts in plans.values()] + [pd.concat(of_study.values())]
hours = [part["seconds"].sum() / 3600 for part in spent]
costs = {"What": [*plans, "The study"], "Each data set": [len(one) / len(names) for one in spent]}
costs |= {"Trainings": map(len, spent), "Hours": hours, "τ with fANOVA": [*taus, np.nan]}
formats = {"Each data set": ",.0f", "Trainings": ",", "Hours": ".2f", "τ with fANOVA": ".2f"}
show_table(pd.DataFrame(costs), "table-pb-cost", formats)
claim("neither fold-over nor seeds bring the screen nearer to the study", np.ptp(taus) <= 0.05)
glue(times_one=hours[3] / hours[1], times_all=hours[3] / hours[2])

# %% [markdown]
# The study took {glue:text}`times_one:.0f` times as long as {glue:text}`n_runs` runs with one seed,
# and {glue:text}`times_all:.0f` times as long as the whole screen. By $\tau$, {glue:text}`half`
# runs do as well as {glue:text}`n_runs`; but they find these three on {glue:text}`found_half:.0%`
# of single data sets, not on {glue:text}`found_all:.0%`. {doc}`methods` asks how many random
# trainings other methods need.
#
# ## What 24 trainings can tell
#
# They show large main effects between two levels, and can vary what a study cannot, such as the
# number of channels ({doc}`channels`). They do not show curvature, interactions ({doc}`joint`), the
# order of small effects, anything beyond the levels, or what is worth tuning ({doc}`pays`).
