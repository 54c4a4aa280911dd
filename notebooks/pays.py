# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does tuning a few pay?
#
# **With the paper's defaults, but 10 epochs for all, tuning only N-RReliefF's or functional ANOVA's
# first three costs several points of accuracy after {glue:text}`at` trials; tunability's and the
# paper's cost nothing clear. With a better default the ranking matters less.**
#
# {numref}`fig-pays-rankings` follows random searches that tune the first {glue:text}`compared`
# hyperparameters of a ranking and leave the rest at a default. *Regret* is how far the best
# accuracy so far falls short of the best known.
#
# :::{caption} fig-pays-rankings
# :alt: Two panels of falling lines: with Table 1's default those of N-RReliefF and functional ANOVA
#   stay above the others, with the learned default all are close together
#
# Regret of random search that tunes the first {glue:text}`compared` of each ranking, mean over
# {glue:text}`n_sets` data sets; band: 95% interval of tuning everything. The scales differ.
# N-RReliefF with J = n/20
# has the same first three as functional ANOVA, and so the same line. The CSV has random and
# reversed orders too.
# :::

# %% tags=["parameters"]
folder = "data"  # of the recorded searches, tuning.parquet
shown = [10, 50, 200]  # numbers of trials in the tables; at least 1
compared = 3  # hyperparameters tuned, where rankings are compared; choices: 1, 2, 3, 5
sizeable = 0.01  # smaller differences of accuracy are called none; 0 to 1

# %%
import pandas as pd

from hia_book import regret, tuning
from hia_book.claims import claim, glue
from hia_book.figures import look, show_figure, show_table

results, datasets, numbers, at = regret.read(folder, shown)
ALL = tuning.everything()
SETTINGS = [(default, "random") for default in tuning.DEFAULTS]
TITLES = ["rest: Table 1's default", "rest: learned default"]
STYLES = {name: look(name) for name in ("nrrelieff", "fanova", "tunability", "paper")}
# That of J = n/20 has the first three of functional ANOVA; more than five colours are too many.
STYLES |= {key: {"color": "none"} for key in ("nrrelieff_growing", "random", "reversed")}
lines = [((x, compared), {"label": label, **STYLES[x]}) for x, label in tuning.RANKINGS.items()]
figure, drawn = regret.draw(results, [*lines, regret.EVERYTHING], SETTINGS, TITLES)
show_figure(figure, "fig-pays-rankings", data=drawn)

# %% [markdown]
# ## How it is tried
#
# The paper ranks to make searches smaller, but does not try it. Here searches run on surrogates
# {cite:p}`eggensperger2015efficient`: for each data set a forest of extremely randomised trees
# {cite:p}`geurts2006extremely`, fitted to our CNNs, predicts the accuracy of any configuration. The
# hyperparameters are ranked on nine data sets, pooled as in the paper. The first $k$ are tuned on
# the surrogate of the tenth. The rest stay at a default, which is the first trial of every search.
#
# *Table 1's default* is the paper's. The *learned default* is the one of ten thousand random
# configurations that the other nine surrogates predict to be best. Every configuration has 10
# epochs, because otherwise training lengths would be compared. So nine of the paper's
# hyperparameters are ranked, all but `epoch` and `in_channel_num`. *Everything* is these nine and
# the three numbers of filters.
#
# {doc}`searches` has the details, and searches that tune `epoch` or use TPE.
#
# ## Tuning the first k
#
# {numref}`fig-pays-first` and {numref}`table-pays-answer` use N-RReliefF's ranking. A *loss* is a
# regret minus the regret of tuning everything with as many trials: above 0, tuning everything was
# better.
#
# :::{caption} fig-pays-first
# :alt: Two panels of falling lines: the fewer are tuned, the higher they end
#
# Regret of random search that tunes the first $k$ of N-RReliefF's ranking, and of tuning
# everything; means over the data sets.
# :::
#
# :::{caption} table-pays-answer
# Loss of random search that tunes the first of N-RReliefF's ranking instead of everything, in
# percentage points of accuracy, with the 95% interval at {glue:text}`at` trials. *Ahead from* is
# the number of trials from which tuning everything stays ahead; *clearly*, with its whole 95%
# interval.
# :::

# %%
figure, drawn = regret.draw(results, regret.first_lines(), SETTINGS, TITLES)
show_figure(figure, "fig-pays-first", data=drawn)
table = regret.answers(results, SETTINGS, numbers, at)
show_table(table, "table-pays-answer", dict.fromkeys([f"{n} trials" for n in numbers], "+.1f"))

# %%
by_paper, by_learned = (
    {k: regret.losses(results, default, "random", "nrrelieff", k) for k in tuning.TOP}
    for default in tuning.DEFAULTS
)
most = max(tuning.TOP)
start = {x: regret.regrets(results, x, "random", *ALL).at(1)[0] for x in tuning.DEFAULTS}
end = regret.regrets(results, "table1", "random", "nrrelieff", compared).at(at)[0]
always_ahead = all(regret.wins_from(one, surely=True) for one in by_paper.values())
best_of_few = min(one.mean.min() for one in by_paper.values())
best_learned = by_learned[most].mean.min()
claim("everything stays ahead of tuning N-RReliefF's first from Table 1's default", always_ahead)
claim("with Table 1's default no smaller one is ahead by a point", best_of_few > -sizeable)
claim("with the learned default the first five are ahead for a while", best_learned < -sizeable)
claim("the better default is worth more than that", start["learned"] < end - sizeable)
glue(compared=compared, at=at, most=most, start=100 * start["table1"], end=100 * end)
clearly = [regret.wins_from(x[compared], surely=True) or "no" for x in (by_paper, by_learned)]
glue(clearly=clearly[0], clearly_learned=clearly[1], gain_most=-100 * best_learned)
glue(start_learned=100 * start["learned"], loss_table1=by_paper[compared].at(at).points)

# %% [markdown]
# **With Table 1's default**, tuning everything is clearly ahead of N-RReliefF's first
# {glue:text}`compared` from {glue:text}`clearly` trials on. After {glue:text}`at` these lose
# {glue:text}`loss_table1_mean:.1f` points of accuracy (95% interval
# {glue:text}`loss_table1_low:.1f` to {glue:text}`loss_table1_high:.1f`). No search over fewer by
# this ranking is ever ahead by a point.
#
# **With the learned default**, it is so only from {glue:text}`clearly_learned` trials on, and the
# first {glue:text}`most` are better by up to {glue:text}`gain_most:.1f` points. {doc}`searches`
# lists its values.
#
# **The default matters more than tuning a few.** Untuned, Table 1's default is
# {glue:text}`start:.1f` points short of the best known, and the learned one
# {glue:text}`start_learned:.1f`. {glue:text}`at` trials of tuning the first {glue:text}`compared`
# from Table 1's still end {glue:text}`end:.1f` short.
#
# Random search loses little by tuning too much: each trial still tries new values of what is
# important {cite:p}`bergstra2012random`.
#
# ## Which ranking?
#
# *Tunability* {cite:p}`probst2019tunability` is what tuning a hyperparameter gains over a default,
# here Table 1's ({numref}`table-tunability`). With this default its ranking loses least after
# {glue:text}`at` trials: {glue:text}`loss_tunability:+.1f` points, {glue:text}`saved_mean:.1f` less
# than functional ANOVA's (95% interval {glue:text}`saved_low:.1f` to {glue:text}`saved_high:.1f`).
# Its first {glue:text}`most` ({glue:text}`ahead_mean:+.1f`) and those of $J$ = n/20
# ({glue:text}`growing_mean:+.1f`) are clearly ahead of everything. The paper's first
# {glue:text}`compared` lose {glue:text}`loss_paper:.1f` points, which may be chance. Functional
# ANOVA's and those of $J$ = n/20 lose {glue:text}`loss_fanova:.1f`, a random order's
# {glue:text}`loss_random:.1f`, and those of N-RReliefF, pooled with thirty neighbours,
# {glue:text}`loss_nrrelieff:.1f`. If `epoch` is tuned too, and 2 by default as in the paper, the
# paper's first three lose more ({doc}`searches`).
#
# :::{caption} table-pays-rankings
# Loss of tuning the first {glue:text}`compared` instead of everything after {glue:text}`at` trials
# of random search, by ranking and by default; percentage points. *Clearly*: from how many trials
# on, as in {numref}`table-pays-answer`.
# :::

# %%
lost, signed = {}, {}
columns = {"Ranking": list(tuning.RANKINGS.values())}
for default, label in tuning.DEFAULTS.items():
    again, heading = " " * (default == "learned"), f"{label[0].upper()}{label[1:]}"
    own = [regret.losses(results, default, "random", x, compared) for x in tuning.RANKINGS]
    at_n = [curve.at(at) for curve in own]
    lost |= {(default, x): one for x, one in zip(tuning.RANKINGS, at_n, strict=True)}
    columns[heading], signed[heading] = [100 * one.mean for one in at_n], "+.1f"
    columns[f"95%{again}"] = [regret.span(*one[1:]) for one in at_n]
    columns[f"Clearly{again}"] = [str(regret.wins_from(x, surely=True) or "never") for x in own]
show_table(pd.DataFrame(columns), "table-pays-rankings", signed)


def behind(default, name, other):
    """What a ranking loses more than another, with its interval."""
    against = (other, compared)
    return regret.losses(results, default, "random", name, compared, against=against).at(at)


LEAST = ["tunability", "paper"]
by_loss = sorted(tuning.RANKINGS, key=lambda name: lost["table1", name].mean)
turned = behind("learned", "reversed", "nrrelieff")
random_order = behind("table1", "random", "nrrelieff")
saved = behind("table1", "fanova", "tunability").points
first_most = regret.losses(results, "table1", "random", "tunability", most).at(at).points
twins = all(lost[x, "nrrelieff_growing"] == lost[x, "fanova"] for x in tuning.DEFAULTS)
losing = {x for x in tuning.RANKINGS if lost["learned", x].mean >= sizeable}
level = max(abs(lost["learned", x].mean) for x in tuning.RANKINGS) < 2 * sizeable
claim("with Table 1's default tunability loses least, then the paper", by_loss[:2] == LEAST)
sizes = [lost["table1", x].mean > 2 * sizeable for x in tuning.RANKINGS if x not in LEAST]
claim("with Table 1's default all others lose more than two points", all(sizes))
claim("tunability and the paper need not lose", max(lost["table1", x].low for x in LEAST) < 0)
claim("tunability loses clearly less than functional ANOVA", saved.low > 0)
growing = regret.losses(results, "table1", "random", "nrrelieff_growing", most).at(at).points
ahead = max(first_most.high, growing.high) < 0
claim("tunability's first five, and those of J = n/20, are clearly ahead of everything", ahead)
claim("N-RReliefF with J = n/20 and functional ANOVA have the same first few", twins)
claim("N-RReliefF's order is not clearly better than a random one", random_order.low < 0)
claim("with the learned default N-RReliefF's order is better reversed", turned.high < 0)
claim("with the learned default no ranking is two points from tuning everything", level)
claim("N-RReliefF and tunability lose with the learned default", losing == {"nrrelieff", LEAST[0]})
glue(loss={name: 100 * lost["table1", name].mean for name in tuning.RANKINGS}, saved=saved)
glue(ahead=first_most, growing=growing, turned=-100 * turned.mean, low_turned=-100 * turned.high)
glue(high_turned=-100 * turned.low, n_sets=len(datasets))

# %% [markdown]
# With the learned default, no ranking is two points from tuning everything after
# {glue:text}`at` trials, not even a random one.
# N-RReliefF's misleads: its reverse is better by {glue:text}`turned:.1f` points
# ({glue:text}`low_turned:.1f` to {glue:text}`high_turned:.1f`), because this default already has
# good values of what is important.
# Tunability's ranking misleads too: it measures gains over Table 1's default, not over this one.
#
# ## What this cannot say
#
# - **Surrogates, not CNNs.** They are fitted to one study; {doc}`searches` says how good they are.
# - **Trials are not time.** Given equal time, small networks would do better.
# - **No noise.** A real search selects by noisy accuracies, so more trials gain less
#   ({doc}`noise`).
# - **{glue:text}`n_sets` data sets** are few and similar. The intervals treat them as a random
#   sample.
# - **One way to use a ranking.** Tuning the first few first and the rest later was not tried.
