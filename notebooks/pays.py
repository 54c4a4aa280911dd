# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does it pay?
#
# **With the paper's defaults, tuning only the first three of most rankings costs several points of
# accuracy. The paper's first three, which are also those of our first page, cost least. A better
# default is worth more than any ranking.**
#
# {numref}`fig-pays-rankings` follows random searches that tune the first {glue:text}`compared`
# hyperparameters of a ranking and leave the rest at a default. *Regret* is how far the best
# accuracy so far falls short of the best known.
#
# :::{caption} fig-pays-rankings
# :alt: Two panels of falling lines: with Table 1's default that of everything falls far below the
#   others, with the learned default all are close together
#
# Regret of random search that tunes the first {glue:text}`compared` of each ranking, mean over
# {glue:text}`n_sets` data sets; band: 95 % interval of tuning everything. N-RReliefF with J = n/20
# has the same first three as functional ANOVA, and so the same line.
# :::

# %% tags=["parameters"]
folder = "data"  # of the recorded searches: tuning.parquet and tuning.json
shown = [10, 50, 200]  # numbers of trials in the tables; at least 1
compared = 3  # hyperparameters tuned, where rankings are compared; choices: 1, 2, 3, 5
sizeable = 0.01  # smaller differences of accuracy are called none; 0 to 1

# %%
import json
from pathlib import Path

import pandas as pd

from hia_book import regret, tuning
from hia_book.claims import claim, glue, need
from hia_book.figures import look, shades, show_figure, show_table, use_style

use_style()
results = tuning.complete(tuning.load(Path(folder) / "tuning.parquet"))
notes = json.loads((Path(folder) / "tuning.json").read_text(encoding="utf-8"))
datasets = sorted(results.loc[results["search"] == "random", "dataset"].unique())
need(datasets, f"{folder}: on no data set are all searches recorded")
numbers = [n for n in shown if n in tuning.CHECKPOINTS["random"]]
need(numbers, f"shown={shown}: none of {', '.join(map(str, tuning.CHECKPOINTS['random']))}")
at = sorted(numbers)[len(numbers) // 2]
ALL, RANKED = tuning.everything(), tuning.everything(filters=False)
SETTINGS = [(default, "random") for default in tuning.DEFAULTS]
TITLES = ["rest: Table 1's default", "rest: learned default"]
EVERYTHING = (ALL, {"color": "#009E73", "linewidth": 2.6, "label": "everything"})
STYLES = {
    "nrrelieff": look("nrrelieff"),
    "nrrelieff_growing": {"color": "none"},  # the first three of functional ANOVA
    "fanova": look("fanova"),
    "paper": look("paper"),
    "random": {"color": "0.6", "marker": "x"},
    "reversed": {"color": "0.6", "marker": "v", "linestyle": "--"},
}
lines = [
    ((name, compared), {"label": label, **STYLES[name]}) for name, label in tuning.RANKINGS.items()
]
figure, drawn = regret.draw(results, [*lines, EVERYTHING], SETTINGS, TITLES)
show_figure(figure, "fig-pays-rankings", data=drawn)

# %% [markdown]
# ## How it is tried
#
# Rankings promise smaller searches. The paper gives this as its reason, but does not try it.
#
# Training is expensive, so the searches run on surrogates {cite:p}`eggensperger2015efficient`: for
# each data set a forest of extremely randomised trees {cite:p}`geurts2006extremely`, fitted to our
# CNNs, predicts the accuracy of any configuration. One data set is left out at a time. The
# hyperparameters are ranked on the other nine, pooled as in the paper. The first $k$ are tuned on
# the surrogate of the data set left out, and the rest stay at a default. The default is the first
# trial of every search.
#
# *Table 1's default* is the paper's. The *learned default* is the one of ten thousand random
# configurations that the other nine surrogates predict to be best; like a ranking, it needs only
# the other data sets. Every configuration has 10 epochs, because otherwise training lengths would
# be compared instead of choices. So nine of the paper's hyperparameters are ranked, all but `epoch`
# and `in_channel_num`. *Everything* is these nine and the three numbers of filters.
#
# {doc}`searches` has the details: rankings and defaults, the quality of the surrogates, each data
# set, searches that tune `epoch`, and TPE instead of random search.
#
# ## Tuning the first k
#
# {numref}`fig-pays-first` and {numref}`table-pays-answer` use N-RReliefF's ranking. A *loss* is a
# regret minus the regret of tuning everything with as many trials: above 0, tuning everything was
# better. *Ahead from* is the number of trials from which tuning everything stays ahead; *clearly*,
# with its whole 95 % interval.
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
# percentage points of accuracy, with the 95 % interval at {glue:text}`at` trials.
# :::

# %%
firsts = [
    (("nrrelieff", k), {"color": color, "marker": marker, "label": f"first {k}"})
    for k, color, marker in zip(
        tuning.TOP, shades("nrrelieff", len(tuning.TOP)), "osd^", strict=True
    )
]
ranked = {"color": "0.4", "linestyle": "--", "label": f"all {RANKED[1]}, not the filters"}
figure, drawn = regret.draw(results, [*firsts, (RANKED, ranked), EVERYTHING], SETTINGS, TITLES)
show_figure(figure, "fig-pays-first", data=drawn)
table = regret.answers(results, SETTINGS, numbers, at)
show_table(table, "table-pays-answer", dict.fromkeys([f"{n} trials" for n in numbers], "+.1f"))

# %%
curves = {
    (default, k): regret.losses(results, default, "random", "nrrelieff", k)
    for default in tuning.DEFAULTS
    for k in tuning.TOP
}
most = max(tuning.TOP)
start = {
    default: regret.regrets(results, default, "random", *ALL).at(1)[0]
    for default in tuning.DEFAULTS
}
end = regret.regrets(results, "table1", "random", "nrrelieff", compared).at(at)[0]
claim(
    "with Table 1's default everything stays ahead of every smaller search",
    all(regret.wins_from(curves["table1", k], surely=True) for k in tuning.TOP),
)
claim(
    "with Table 1's default no smaller search is ever ahead by a point",
    min(curves["table1", k].mean.min() for k in tuning.TOP) > -sizeable,
)
claim(
    "with the learned default the first five are ahead for some number of trials",
    curves["learned", most].mean.min() < -sizeable,
)
claim(
    "the better default is worth more than tuning the first few", start["learned"] < end - sizeable
)
glue(
    compared=compared,
    at=at,
    most=most,
    clearly=regret.wins_from(curves["table1", compared], surely=True),
    clearly_learned=regret.wins_from(curves["learned", compared], surely=True),
    gain_most=-100 * curves["learned", most].mean.min(),
    start=100 * start["table1"],
    start_learned=100 * start["learned"],
    end=100 * end,
    loss_table1=curves["table1", compared].at(at).points,
)

# %% [markdown]
# **With Table 1's default**, tuning everything is clearly ahead of the first {glue:text}`compared`
# from {glue:text}`clearly` trials on. After {glue:text}`at` trials these lose
# {glue:text}`loss_table1_mean:.1f` points of accuracy (95 % interval
# {glue:text}`loss_table1_low:.1f` to {glue:text}`loss_table1_high:.1f`). No smaller search is ever
# ahead by a point.
#
# **With the learned default**, it is clearly ahead only from {glue:text}`clearly_learned` trials
# on, and the first {glue:text}`most` are better by up to {glue:text}`gain_most:.1f` points.
#
# **The default matters more.** Before any tuning, Table 1's default is {glue:text}`start:.1f`
# points short of the best known, and the learned one {glue:text}`start_learned:.1f`.
# {glue:text}`at` trials of tuning the first {glue:text}`compared` from Table 1's still end
# {glue:text}`end:.1f` short.
#
# Random search loses little by tuning too much. An unimportant hyperparameter does no harm when it
# varies: each trial still tries new values of the important ones {cite:p}`bergstra2012random`. A
# smaller search gains only if its fixed values are good.
#
# ## Which ranking?
#
# With Table 1's default the paper's ranking loses least, {glue:text}`loss_paper:.1f` points, if it
# loses anything at all. Functional ANOVA's and that of $J$ = n/20 lose
# {glue:text}`loss_fanova:.1f`, and N-RReliefF's loses {glue:text}`loss_nrrelieff:.1f`, no less than
# a random order ({numref}`table-pays-rankings`). N-RReliefF's fails because it is pooled, with
# thirty neighbours ({doc}`searches`). On single data sets N-RReliefF has the paper's first three
# ({doc}`intro`), and they would lose what the paper's lose.
#
# :::{caption} table-pays-rankings
# Loss of tuning the first {glue:text}`compared` instead of everything after {glue:text}`at` trials
# of random search, by ranking and by default; percentage points. *Clearly*: from how many trials
# on, as in {numref}`table-pays-answer`.
# :::

# %%
rows = {"Ranking": list(tuning.RANKINGS.values())}
signed, lost = {}, {}
for default, label in tuning.DEFAULTS.items():
    again = " " * (default == "learned")
    heading = f"{label[0].upper()}{label[1:]}"
    of_rankings = [
        regret.losses(results, default, "random", name, compared) for name in tuning.RANKINGS
    ]
    lost |= {(default, x): one.at(at) for x, one in zip(tuning.RANKINGS, of_rankings, strict=True)}
    rows[heading] = [100 * one.at(at)[0] for one in of_rankings]
    rows["95 %" + again] = [regret.span(*one.at(at)[1:]) for one in of_rankings]
    rows["Clearly" + again] = [
        str(regret.wins_from(one, surely=True) or "never") for one in of_rankings
    ]
    signed[heading] = "+.1f"
show_table(pd.DataFrame(rows), "table-pays-rankings", signed)


def behind(default, name, ranking="nrrelieff"):
    """What a ranking loses more than another, with its interval."""
    against = (ranking, compared)
    curve = regret.losses(results, default, "random", name, compared, against=against)
    return curve.at(at)


order = sorted(tuning.RANKINGS, key=lambda name: lost["table1", name][0])
turned = behind("learned", "reversed")
claim("with Table 1's default the paper's ranking loses least", order[0] == "paper")
claim(
    "J = n/20 and functional ANOVA have the same first few",
    all(lost[x, "nrrelieff_growing"] == lost[x, "fanova"] for x in tuning.DEFAULTS),
)
claim("that the paper's ranking loses is not clear", lost["table1", "paper"][1] < 0)
claim(
    "with Table 1's default N-RReliefF's ranking is not clearly better than a random order",
    behind("table1", "random")[1] < 0,
)
claim("with the learned default the reversed ranking is better", turned.high < 0)
claim(
    "with the learned default no ranking but N-RReliefF's loses a sizeable part",
    max(lost["learned", name][0] for name in tuning.RANKINGS if name != "nrrelieff") < sizeable,
)
glue(
    loss={name: 100 * lost["table1", name].mean for name in tuning.RANKINGS},
    turned=-100 * turned.mean,
    low_turned=-100 * turned.high,
    high_turned=-100 * turned.low,
    n_sets=len(datasets),
)

# %% [markdown]
# A random order loses {glue:text}`loss_random:.1f`. With the learned default, all rankings come
# within about a point of tuning everything, and N-RReliefF's misleads: its reverse is better by
# {glue:text}`turned:.1f` points ({glue:text}`low_turned:.1f` to {glue:text}`high_turned:.1f`),
# because this default already has good values of what is important. Importance is what a
# hyperparameter does over its whole range, most of which is bad. What tuning it gains over a good
# value is its tunability {cite:p}`probst2019tunability`, which {doc}`importance` computes.
#
# ## What this cannot say
#
# - **Surrogates, not CNNs.** They are fitted to one study, and the rankings come from its other
#   data sets. {doc}`searches` says how good they are.
# - **Trials are not time.** Given equal time, small networks would do better.
# - **No noise.** A real search selects by noisy accuracies, so more trials gain less
#   ({doc}`noise`).
# - **Other defaults** would give other numbers.
# - **{glue:text}`n_sets` data sets** of small images are few and similar. The intervals treat them
#   as a random sample of such data sets.
# - **One way to use a ranking.** Tuning the first few first and the rest later was not tried.
