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
# A ranking of hyperparameters is made so that a search can be smaller: tune the first few, leave
# the rest. That is the paper's reason for it, and the paper does not try it. This chapter does. It
# asks how good the configurations are that such a search finds, against a search over everything
# with as many trials.
#
# For each data set a forest of extremely randomised trees {cite:p}`geurts2006extremely` is fitted
# to our recorded trainings and predicts the accuracy of any configuration, a usual stand-in where
# trainings are dear {cite:p}`eggensperger2015efficient`. One data set is left out at a time: the
# hyperparameters are ranked on the other nine, the first $k$ are tuned on the forest of the one
# left out, and the others stay at a default. The first trial of every search is the default, so
# that no search ends below it. *Regret* is how much the best accuracy so far lacks to the best that
# is known of the same forest.
#
# Longer training is better with nearly any choice of the others, and Table 1 trains 2 epochs by
# default where it allows 10. Where one search tunes `epoch` and another leaves it at 2, training
# lengths are compared, and not choices of hyperparameters. So every configuration here has 10
# epochs, and `epoch` is neither tuned nor counted in a ranking; {numref}`table-pays-epoch` has what
# comes out otherwise. The rankings are made from the CNNs of random search: BOHB's are no
# independent draws, and how many epochs they have follows from how good they were. N-RReliefF has
# the paper's 30 neighbours; as with so many CNNs these hardly differ in what has two values
# ({doc}`importance`), it is there a second time with a twentieth of the CNNs. The forests learn
# from all CNNs, for they are to predict, also where searches end up.

# %% tags=["parameters"]
folder = "data"  # of the recorded searches: tuning.parquet and tuning.json
shown = [10, 50, 200]  # numbers of trials in the tables; at least 1
compared = 3  # hyperparameters tuned, where rankings are compared; choices: 1, 2, 3, 5
sizeable = 0.01  # smaller differences of accuracy are called none; 0 to 1

# %%
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, NullFormatter

from hia import space
from hia.datasets import FACTS
from hia_book import tuning
from hia_book.figures import look, shades, show_figure, show_table, show_text, use_style

use_style()
ALL, RANKED = tuning.everything(), tuning.everything(filters=False)
MOST_EPOCHS = int(space.SPACE["epoch"].bounds[1])
DEFAULTS = {"table1": "Table 1's default", "learned": "the learned default"}
SHORT = {"table1": "paper's", "learned": "learned"}
LABELS = dict(tuning.RANKINGS)
LOOKS = {
    "nrrelieff": look("nrrelieff"),
    # On top and broken: where it has the same first three as another, both lines are seen.
    "nrrelieff_growing": look("nrrelieff_growing") | {"linestyle": (0, (3, 3)), "zorder": 3},
    "fanova": look("fanova"),
    "paper": look("paper"),
    "random": {"color": "0.6", "marker": "x"},
    "reversed": {"color": look("nrrelieff_raw")["color"], "marker": "v"},
}
EVERYTHING = {"color": "#009E73", "linewidth": 2.6, "label": "everything"}


def points(value: float, sign: str = "+") -> str:
    """An accuracy in percentage points."""
    return f"{100 * value:{sign}z.1f}"


def interval(estimate: tuple[float, float, float]) -> str:
    """A difference of accuracies with its interval."""
    mean, low, high = map(points, estimate)
    return f"{mean} points ({low} to {high})"


def span(numbers) -> str:
    """From the smallest to the largest."""
    return " to ".join(f"{n:,}" for n in dict.fromkeys([min(numbers), max(numbers)]))


def first_k(k: int) -> str:
    return "the first one" if k == 1 else f"the first {k}"


def ahead(curve: tuning.Curve) -> str:
    """From how many trials on a loss stays above 0, and from how many the whole interval does."""
    from_mean, surely = tuning.wins_from(curve), tuning.wins_from(curve, surely=True)
    if from_mean is None:
        return f"at no number up to {curve.trials[-1]} trials"
    return f"from {from_mean} trials on (clearly " + (
        "at no number)" if surely is None else "so)" if surely == from_mean else f"from {surely})"
    )


def listed(items) -> str:
    items = list(items)
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


try:
    recorded = tuning.load(Path(folder) / "tuning.parquet")
    notes = json.loads((Path(folder) / "tuning.json").read_text(encoding="utf-8"))
except FileNotFoundError as error:
    show_text(f"**Missing here:** {error}.")
    recorded = notes = None

# %%
if recorded is not None:
    found = tuning.complete(recorded)
    random = found[found["search"] == "random"]
    datasets = sorted(random["dataset"].unique())
    missing = len(recorded) - len(found)
    rows = [notes["surrogates"][name]["rows"] for name in datasets]
    show_text(
        f"The searches were recorded on {len(datasets)} data sets with {sum(rows):,} trained CNNs, "
        f"{span(rows)} each: by random search with "
        f"{notes['repetitions']['random']} repetitions, by TPE with {notes['repetitions']['tpe']}. "
        "`python studies/record_tuning.py` records them again."
        + (f" **Not complete:** {missing} finished jobs are not used here." if missing else "")
    )

# %%
if recorded is not None and len(random):
    numbers = [n for n in shown if n in tuning.CHECKPOINTS["random"]]
    at = sorted(numbers)[len(numbers) // 2]
    most = max(tuning.TOP)
    points_of = {
        (default, arm, n): tuning.regrets(found, default, "random", *arm).at(n)[0]
        for default in DEFAULTS
        for arm in (ALL, ("nrrelieff", compared))
        for n in (1, at)
    }
    said = []
    for default, label in DEFAULTS.items():
        curve = tuning.losses(found, default, "random", "nrrelieff", most)
        few = tuning.losses(found, default, "random", "nrrelieff", compared)
        said.append(
            f"With {label}, random search over everything stays ahead of tuning "
            + listed(f"{first_k(k)} {ahead(one)}" for k, one in ((compared, few), (most, curve)))
            + f"; with {at} trials the smaller searches lose {interval(few.at(at))} of accuracy "
            f"and {interval(curve.at(at))}, where below 0 they gain."
        )
    before = {default: points_of[default, ALL, 1] for default in DEFAULTS}
    after = points_of["table1", ("nrrelieff", compared), at]
    said.append(
        f"Before any tuning, Table 1's default lacks {points(before['table1'], '')} points to the "
        f"best known, the learned one {points(before['learned'], '')}, both with {MOST_EPOCHS} "
        "epochs. "
        + (
            f"So the better default alone is worth more than {at} trials that tune "
            f"{first_k(compared)} from Table 1's, which end at {points(after, '')}."
            if before["learned"] < after - sizeable
            else f"Tuning {first_k(compared)} from Table 1's for {at} trials ends at "
            f"{points(after, '')}."
        )
    )
    show_text("**In short.**\n\n" + "\n".join(f"- {one}" for one in said))

# %% [markdown]
# ## What is tuned, and what stays
#
# The paper's eleven are ranked, without `in_channel_num`, which comes with the images, and without
# `epoch`, which is 10 for all: nine. *All* is these and the three numbers of filters, twelve;
# filters of layers that a configuration does not have are neither asked for nor used. The numbers
# of filters are in no ranking, for the paper ranks them apart; they are tuned with everything only.
#
# What is not tuned needs a value. **Table 1's default**, the paper's own but for its epochs, is the
# primary one here. The second is the **learned default**: of ten thousand random configurations the
# one that the forests of the other nine data sets like best. It costs nothing more than the
# ranking, which needs the same trainings.
#
# Two controls: *random* orders, another one in each repetition, and N-RReliefF's order *reversed*,
# which tunes what matters least.

# %%
if recorded is not None:
    positions = {
        ranking: pd.DataFrame(
            {
                name: [one for one in notes["rankings"][name][ranking] if one in tuning.ranked()]
                for name in datasets
            }
        ).apply(lambda order: pd.Series(range(1, len(order) + 1), index=order))
        for ranking in (*tuning.COMPUTED, "paper")
    }
    table1 = notes["defaults"][tuning.LONGEST]["table1"][datasets[0]]
    learned = pd.DataFrame(notes["defaults"][tuning.LONGEST]["learned"])[datasets].T

    def common(name: str) -> str:
        """What the learned defaults are: the value of most, or the range of numbers."""
        values = learned[name]
        if len(set(values)) == 1:
            return str(values.iloc[0])
        if isinstance(values.iloc[0], str):
            return listed(values.unique())
        return f"{values.min():.3g} to {values.max():.3g}"

    SHOWN = {name: LABELS[name] for name in tuning.COMPUTED} | {"paper": "Paper"}
    order = positions["nrrelieff"].mean(axis=1).sort_values(kind="stable").index
    show_table(
        pd.DataFrame(
            [
                {
                    "Hyperparameter": f"`{name}`",
                    **{
                        label: positions[key].loc[name].mean() if name in order else np.nan
                        for key, label in SHOWN.items()
                    },
                    "Table 1's default": f"{table1[name]:g}"
                    if not isinstance(table1[name], str)
                    else table1[name],
                    "Learned default": common(name),
                }
                for name in [*order, *space.FILTERS]
            ]
        ),
        "table-pays-space",
        f"Rank among the {RANKED[1]} on the other data sets, mean over which one is left out; and "
        "the defaults.",
        dict.fromkeys([LABELS[name] for name in tuning.COMPUTED], ".1f") | {"Paper": ".0f"},
    )

# %% [markdown]
# ## How good the forests are
#
# Everything below happens on forests, not on CNNs. {numref}`table-pays-surrogates` says how well
# each predicts trainings that it has not seen, by cross-validation. What matters most is its last
# column but one: in the quarter that is predicted best, where every search ends up, how well is the
# order of the configurations known?

# %%
if recorded is not None:
    quality = pd.DataFrame(notes["surrogates"]).T.loc[datasets]
    show_table(
        pd.DataFrame(
            {
                "Data set": [FACTS[name].label for name in datasets],
                "CNNs": quality["rows"].astype(int).to_numpy(),
                "R²": quality["r2"].to_numpy(),
                "of random search": quality["random"].to_numpy(),
                "Rank correlation": quality["spearman"].to_numpy(),
                "of the best quarter": quality["top"].to_numpy(),
                "Mean error": quality["error"].to_numpy(),
            }
        ),
        "table-pays-surrogates",
        "Cross-validated quality of the forest of each data set: share of the variance explained, "
        "of all CNNs and of those of random search only, Spearman's rank correlation over all CNNs "
        "and over the quarter predicted best, and mean "
        "absolute error of the accuracy.",
        dict.fromkeys(["R²", "of random search", "Rank correlation", "of the best quarter"], ".2f")
        | {"Mean error": ".3f"},
    )
    middle = quality.median()
    show_text(
        f"The median R² is {middle['r2']:.2f}, and {middle['random']:.2f} of random search's CNNs "
        "only: BOHB's are like each other, so that what is left out has nearly been seen. "
        f"The median rank correlation is "
        f"{middle['spearman']:.2f} over all and {middle['top']:.2f} over the best quarter. "
        + (
            "That is a fair picture of the data sets, at the top as well. "
            if middle["random"] >= 0.7 and middle["top"] >= 0.5
            else "The forests know what is bad better than what is best. "
            if middle["spearman"] >= 0.7 and middle["top"] < 0.5
            else "**That is a rough picture.** The forests stand for tasks like these data sets, "
            "and not for the data sets themselves. "
        )
        + "What they have not learned is missing in every search alike. It makes the forest "
        "smoother than the CNNs are, and single configurations that were lucky can be peaks."
    )

# %% [markdown]
# ## Tuning the first k


# %%
def draw(ax, arms, default: str, search: str) -> pd.DataFrame:
    """A line for each arm (ranking, k, style) and its interval; what is drawn, as a table."""
    drawn = []
    for ranking, k, style in arms:
        curve = tuning.regrets(found, default, search, ranking, k)
        ax.plot(curve.trials, 100 * curve.mean, markersize=4, markevery=3, **style)
        if (ranking, k) == ALL:
            ax.fill_between(
                curve.trials, 100 * curve.low, 100 * curve.high, color=style["color"], alpha=0.15
            )
        limits = {"regret": curve.mean, "low": curve.low, "high": curve.high}
        drawn.append(
            pd.DataFrame({"trials": curve.trials} | limits).assign(
                default=default, search=search, tuned=style["label"]
            )
        )
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks([1, 2, 5, 10, 20, 50, *([100, 200] if curve.trials[-1] > 64 else [])])
    ax.set_ylim(bottom=0)
    ax.grid()
    return pd.concat(drawn)


def panels(arms, name: str, caption: str, settings) -> None:
    """A figure with a panel for each setting (default, search)."""
    figure, axes = plt.subplots(
        len(settings), 1, figsize=(5.4, 0.9 + 2.9 * len(settings)), squeeze=False
    )
    drawn = []
    for ax, (default, search) in zip(axes.flat, settings, strict=True):
        drawn.append(draw(ax, arms, default, search))
        ax.set_title(f"{tuning.SEARCHES[search]}, the rest at {DEFAULTS[default]}", loc="left")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    axes.flat[-1].set_xlabel("trials")
    figure.supylabel("regret, percentage points of accuracy", fontsize=10.5)
    data = pd.concat(drawn)
    last = data[data["trials"] == data.groupby("search")["trials"].transform("max")]
    show_figure(
        figure,
        name,
        caption,
        "Regret against the number of trials. At the end: "
        + "; ".join(
            f"{tuning.SEARCHES[search]}, {DEFAULTS[default]}: "
            + ", ".join(f"{row.tuned} {100 * row.regret:.1f}" for row in part.itertuples())
            for (search, default), part in last.groupby(["search", "default"], sort=False)
        ),
        data=data,
    )


FIRST = [
    ("nrrelieff", k, {"color": colour, "marker": marker, "label": f"first {k}"})
    for k, colour, marker in zip(
        tuning.TOP, shades("nrrelieff", len(tuning.TOP)), "osd^", strict=True
    )
]
WHOLE = [
    (*RANKED, {"color": "0.4", "linestyle": "--", "label": f"all {RANKED[1]}, not the filters"}),
    (*ALL, EVERYTHING),
]
if recorded is not None and len(random):
    panels(
        FIRST + WHOLE,
        "fig-pays-first",
        "Regret of random search that tunes the first $k$ of N-RReliefF's ranking on the other "
        "nine, against tuning everything; means over the data sets. The band is the 95 % interval "
        "of tuning everything, by a bootstrap over data sets and repetitions.",
        [(default, "random") for default in tuning.DEFAULTS],
    )

# %% [markdown]
# {numref}`table-pays-answer` is the plain answer. A loss is a regret minus that of tuning
# everything with as many trials: above 0 everything was the better choice. *Ahead from* is the
# number of trials from which on tuning everything stays ahead, and *clearly* that from which on the
# whole 95 % interval is above 0.

# %%
ARMS = [*(("nrrelieff", k) for k in tuning.TOP), RANKED]


def show_answer(settings, numbers, sure: int, name: str, caption: str) -> None:
    """A table with a row per setting (default, search) and arm: losses at numbers of trials, with
    the interval at one of them."""
    made = []
    for default, search in settings:
        for ranking, k in ARMS:
            curve = tuning.losses(found, default, search, ranking, k)
            row = {"Default": SHORT[default]}
            row["Tuned"] = f"first {k}" if ranking != tuning.ALL else f"all {k}"
            for n in numbers:
                mean, low, high = curve.at(n)
                row[f"{n} trials"] = 100 * mean
                if n == sure:
                    row["95 %"] = f"{points(low)} to {points(high)}"
            ahead, clearly = tuning.wins_from(curve), tuning.wins_from(curve, surely=True)
            row["Ahead from"] = "never" if ahead is None else str(ahead)
            row["Clearly"] = "never" if clearly is None else str(clearly)
            made.append(row)
    signed = dict.fromkeys([f"{n} trials" for n in numbers], "+.1f")
    show_table(pd.DataFrame(made), name, caption, signed)


if recorded is not None and len(random):
    show_answer(
        [(default, "random") for default in DEFAULTS],
        numbers,
        at,
        "table-pays-answer",
        "Loss of random search that tunes the first of N-RReliefF's ranking, against tuning "
        f"everything, in percentage points of accuracy, with the 95 % interval at {at} trials.",
    )

# %%
if recorded is not None and len(random):
    said = []
    for default, label in DEFAULTS.items():
        first = {k: tuning.losses(found, default, "random", "nrrelieff", k) for k in tuning.TOP}
        gains = {k: curve.mean.min() for k, curve in first.items() if curve.mean.min() < -sizeable}
        said.append(
            f"**With {label}** tuning everything stays ahead of "
            + listed(f"{first_k(k)} {ahead(curve)}" for k, curve in first.items())
            + ". "
            + (
                "At best, with some number of trials, the smaller search is better by "
                + listed(f"{points(-gain, '')} points ({first_k(k)})" for k, gain in gains.items())
                + "."
                if gains
                else f"With no number of trials is any of these smaller searches better by "
                f"{points(sizeable, '')} point{'s' if sizeable != 0.01 else ''} or more."
            )
        )
    show_text("\n\n".join(said))

# %% [markdown]
# A random search does not lose what one might think by tuning too much. A hyperparameter that does
# not matter does no harm when it varies: each trial still is a new value of those that do matter
# {cite:p}`bergstra2012random`. What a smaller search can gain is that the fixed ones are at better
# values than random ones, which depends on the default; what it can lose is everything that their
# best values are worth.

# %% [markdown]
# ## Which ranking?
#
# How much tuning a hyperparameter gains over leaving it at a good default is its tunability
# {cite:p}`probst2019tunability`. Importance is not that: it is measured over the whole space,
# whatever the default.

# %%
if recorded is not None and len(random):
    panels(
        [(name, compared, {"label": label, **LOOKS[name]}) for name, label in LABELS.items()]
        + [(*ALL, EVERYTHING)],
        "fig-pays-rankings",
        f"Regret of random search that tunes the first {compared} of each ranking; the band as in "
        "{numref}`fig-pays-first`.",
        [(default, "random") for default in tuning.DEFAULTS],
    )

# %%
if recorded is not None and len(random):
    curves = {
        default: {name: tuning.losses(found, default, "random", name, compared) for name in LABELS}
        for default in DEFAULTS
    }
    lost = {
        default: {name: curve.at(at) for name, curve in of_default.items()}
        for default, of_default in curves.items()
    }
    table = pd.DataFrame({"Ranking": LABELS.values()})
    signed = {}
    for default, label in DEFAULTS.items():
        heading = f"{label[0].upper()}{label[1:]}"
        again = " " * (default == "learned")
        signed[heading] = "+.1f"
        table[heading] = [100 * loss[0] for loss in lost[default].values()]
        table["95 %" + again] = [
            f"{points(low)} to {points(high)}" for _, low, high in lost[default].values()
        ]
        ahead_from = [tuning.wins_from(one, surely=True) for one in curves[default].values()]
        table["Clearly" + again] = ["never" if n is None else str(n) for n in ahead_from]
    show_table(
        table,
        "table-pays-rankings",
        f"Loss of tuning {first_k(compared)} against tuning everything, after {at} trials of "
        "random search, by the ranking and by the default of the rest; percentage points. "
        "*Clearly*: from how many trials on, as in {numref}`table-pays-answer`.",
        signed,
    )
    said = []
    for default, label in DEFAULTS.items():
        useful, wrong = (
            tuning.losses(
                found, default, "random", name, compared, against=("nrrelieff", compared)
            ).at(at)
            for name in ("random", "reversed")
        )
        best, second, *_ = sorted(LABELS, key=lambda name: lost[default][name][0])
        behind = tuning.losses(
            found, default, "random", second, compared, against=(best, compared)
        ).at(at)
        said.append(
            f"**With {label}** and {at} trials, the difference of the losses from that by "
            f"{LABELS['nrrelieff']} is {interval(useful)} for a random order and {interval(wrong)} "
            "for the reversed one. "
            + (
                "The ranking is better than none, and the wrong ones cost most."
                if useful[1] > 0 and wrong[1] > 0
                else "The wrong ones cost most; but that the ranking is better than a random order "
                "does not show."
                if wrong[1] > 0
                else "**Here the ranking misleads:** what it puts last is better to tune than what "
                "it puts first. A likely reason: this default already has good values of the "
                "important ones. Importance is what a hyperparameter does over its whole range, "
                "most of which is bad; what is left to gain from a good value on is another "
                "question."
                if wrong[2] < 0
                else "The intervals have 0 in them: whether one tunes the right ones or the wrong "
                "ones does not show."
            )
            + f" Least is lost by {LABELS[best]}; the next, {LABELS[second]}, loses "
            f"{interval(behind)} more, "
            + ("which is clear." if behind[1] > 0 else "which is not clear.")
        )
    show_text("\n\n".join(said))

# %% [markdown]
# ## What fixing the wrong ones costs
#
# However long one searches, what is fixed stays where it is. {numref}`table-pays-wrong` has what is
# out of reach then: the best known accuracy of the forest minus the best that was found with only
# these tuned, by random points and then by changing one hyperparameter at a time.

# %%
if recorded is not None and len(random):
    made = []
    for default in DEFAULTS:
        for ranking in LABELS:
            row = {"Default": SHORT[default], "Ranking": LABELS[ranking]}
            for k in tuning.TOP:
                mean, low, high = tuning.unreachable(found, default, ranking, k)
                row[f"{k} tuned"] = 100 * mean
                if k == compared:
                    row["95 %"] = f"{points(low, '')} to {points(high, '')}"
            made.append(row)
    floors = pd.DataFrame(made)
    left = [
        f"{points(tuning.unreachable(found, default, *RANKED)[0], '')} with {label}"
        for default, label in DEFAULTS.items()
    ]
    show_table(
        floors,
        "table-pays-wrong",
        "What cannot be reached with the rest fixed, percentage points of accuracy, means over the "
        f"data sets, with 95 % intervals. With all {RANKED[1]} tuned it is {listed(left)}.",
        dict.fromkeys([f"{k} tuned" for k in tuning.TOP], ".1f"),
    )
    floor = floors.set_index(["Default", "Ranking"])[f"{compared} tuned"] / 100
    show_text(
        " ".join(
            f"With {label}, the first {compared} of N-RReliefF leave "
            f"{points(floor[SHORT[default], LABELS['nrrelieff']], '')} points out of reach, its "
            f"last {compared} {points(floor[SHORT[default], LABELS['reversed']], '')}: choosing "
            "the wrong ones "
            + (
                f"costs {points(difference, '')} points that no number of trials brings back."
                if (
                    difference := floor[SHORT[default], LABELS["reversed"]]
                    - floor[SHORT[default], LABELS["nrrelieff"]]
                )
                > sizeable
                else "is no loss."
                if difference < -sizeable
                else "makes no difference in the end."
            )
            for default, label in DEFAULTS.items()
        )
    )

# %% [markdown]
# ## And if `epoch` is tuned like the others?
#
# The same once more with `epoch` as a hyperparameter: it is in the rankings, it is tuned where it
# is among the first $k$ or where everything is, and else it stays at the default, which is 2 epochs
# in Table 1. That is the comparison that suggests itself, and it mixes two questions: what is
# tuned, and how long the CNNs are trained.

# %%
if recorded is not None and len(random):

    def with_epoch(ranking: str) -> float:
        """Share of the searches by a ranking that tune `epoch` among the first."""
        repetitions = range(notes["repetitions"]["random"]) if ranking == "random" else [0]
        orders = [
            tuning.random_order(name, repetition)
            if ranking == "random"
            else notes["rankings"][name][ranking]
            for name in datasets
            for repetition in repetitions
        ]
        return float(np.mean(["epoch" in order[:compared] for order in orders]))

    shares = {ranking: with_epoch(ranking) for ranking in LABELS}
    loss_of = {
        (epochs, default, ranking): tuning.losses(
            found, default, "random", ranking, compared, epochs
        ).at(at)
        for epochs in tuning.EPOCHS
        for default in DEFAULTS
        for ranking in LABELS
    }
    made = []
    for default in DEFAULTS:
        for ranking, label in LABELS.items():
            row = {"Default": SHORT[default], "Ranking": label, "With epoch": shares[ranking]}
            for epochs, heading in (
                (tuning.LONGEST, f"{MOST_EPOCHS} for all"),
                (tuning.TUNED, "tuned"),
            ):
                mean, low, high = loss_of[epochs, default, ranking]
                row[heading] = 100 * mean
                row["95 %" + " " * (epochs == tuning.TUNED)] = f"{points(low)} to {points(high)}"
            made.append(row)
    show_table(
        pd.DataFrame(made),
        "table-pays-epoch",
        f"Loss of tuning {first_k(compared)} against tuning everything, after {at} trials of "
        f"random search, in percentage points: with {MOST_EPOCHS} epochs for all, and with `epoch` "
        "tuned like the others. *With epoch*: share of the latter searches that tune it, for it is "
        f"among {first_k(compared)}.",
        {"With epoch": ".0%", f"{MOST_EPOCHS} for all": "+.1f", "tuned": "+.1f"},
    )
    said = []
    for default, label in DEFAULTS.items():
        its = [notes["defaults"][tuning.TUNED][default][name]["epoch"] for name in datasets]
        fixed, free = (loss_of[epochs, default, "nrrelieff"] for epochs in tuning.EPOCHS)
        more = tuning.by_training(found, default, "random", "nrrelieff", compared).at(at)
        starts = [
            points(tuning.regrets(found, default, "random", *every, epochs).at(1)[0], "")
            for epochs in tuning.EPOCHS
            for every in [tuning.everything(epochs)]
        ]
        said.append(
            f"**With {label}**, "
            + ("learned anew for it, " if default == "learned" else "")
            + f"which then has {span(its)} epochs, tuning {first_k(compared)} of N-RReliefF loses "
            f"{interval(free)} if `epoch` is tuned like the others, and {interval(fixed)} with "
            f"{MOST_EPOCHS} epochs for all. The difference, {interval(more)}, "
            + (
                "comes with the length of training, and not with the choice."
                if more[1] > 0
                else "is what the length of training hides of the loss."
                if more[2] < 0
                else "is not clear of 0."
            )
            + f" Before any tuning the default lacks {starts[1]} points to the best known, against "
            f"{starts[0]}."
        )
    leading = [LABELS[ranking] for ranking, share in shares.items() if share > 0.5]
    said.append(
        f"By {listed(leading)} `epoch` is mostly among {first_k(compared)}: what tuning by it "
        "seems to gain on the others is longer training as well."
        if leading
        else f"In no ranking `epoch` is mostly among {first_k(compared)}, so that with Table 1's "
        "default it is the searches over everything that train longer."
    )
    show_text("\n\n".join(said))

# %% [markdown]
# ## By TPE
#
# TPE {cite:p}`bergstra2011algorithms,akiba2019optuna` proposes trials by the results so far, so it
# could make more of a small space, and also learn by itself what matters. It is slow, so there are
# fewer trials and repetitions of it, with Table 1's default only.

# %%
if recorded is not None and len(random):
    by_tpe = found[found["search"] == "tpe"]
    if by_tpe.empty:
        show_text("**Missing here:** no data set has all searches by TPE.")
    else:
        panels(
            FIRST + WHOLE,
            "fig-pays-tpe",
            "As the first panel of {numref}`fig-pays-first`, by TPE, on "
            f"{by_tpe['dataset'].nunique()} data sets.",
            [("table1", "tpe")],
        )
        last = tuning.CHECKPOINTS["tpe"][-1]
        show_answer(
            [("table1", "tpe")],
            [n for n in dict.fromkeys((*shown, last)) if n in tuning.CHECKPOINTS["tpe"]],
            last,
            "table-pays-tpe",
            f"As {{numref}}`table-pays-answer`, by TPE, with the 95 % interval at {last} trials.",
        )
        both = set(by_tpe["dataset"]) & set(datasets)
        same = found[found["dataset"].isin(both)]
        everything = {
            search: tuning.regrets(same, "table1", search, *ALL).at(last)[0]
            for search in tuning.SEARCHES
        }
        gain = everything["random"] - everything["tpe"]
        firsts = {k: tuning.losses(found, "table1", "tpe", "nrrelieff", k) for k in tuning.TOP}
        show_text(
            f"With {last} trials, tuning everything by TPE has a regret of "
            f"{points(everything['tpe'], '')} points, by random search of "
            f"{points(everything['random'], '')}. "
            + (
                "The better search gains more than any choice of hyperparameters did by random "
                "search. "
                if gain > sizeable
                and gain
                > -min(
                    tuning.losses(same, "table1", "random", ranking, k).at(last)[0]
                    for ranking in LABELS
                    for k in tuning.TOP
                )
                else ""
            )
            + "By TPE, tuning everything stays ahead of "
            + listed(f"{first_k(k)} {ahead(curve)}" for k, curve in firsts.items())
            + "."
        )

# %% [markdown]
# ## Data set by data set

# %%
if recorded is not None and len(random):
    made = {"Data set": [FACTS[name].label for name in datasets]}
    count = {}
    for default in DEFAULTS:
        at_trials, whole, _ = tuning.by_dataset(found, default, "random", *ALL)
        _, part, _ = tuning.by_dataset(found, default, "random", "nrrelieff", most)
        place = int(np.flatnonzero(at_trials == at)[0])
        short = "Table 1" if default == "table1" else "learned"
        made[f"{short}: everything"] = 100 * whole[:, place]
        made[f"{short}: first {most}"] = 100 * part[:, place]
        count[default] = int((part[:, place] < whole[:, place]).sum())
    table = pd.DataFrame(made)
    show_table(
        table,
        "table-pays-datasets",
        f"Regret after {at} trials of random search, percentage points of accuracy, by the default "
        f"of what is not tuned. *First {most}* are those of N-RReliefF on the other nine.",
        dict.fromkeys(table.columns[1:], ".1f"),
    )
    show_text(
        "The smaller search is ahead on "
        + listed(
            f"{count[default]} of {len(datasets)} data sets with {label}"
            for default, label in DEFAULTS.items()
        )
        + "."
    )

# %% [markdown]
# ## What this can and cannot say

# %%
if recorded is not None and len(random):
    show_text(
        "- **Forests, not CNNs.** See {numref}`table-pays-surrogates`. The forests are fitted to "
        "trainings of one study, and the rankings come from its other data sets.\n"
        "- **Trials are not time.** All have the same number of epochs, but layers, filters, "
        "strides and small batches take time as well. With equal time instead of equal trials, "
        "small networks would look better.\n"
        f"- **Rankings are of 1 to {MOST_EPOCHS} epochs.** They are made from CNNs of all lengths "
        "of training, and `epoch` is then left out. Among the CNNs that train longest others may "
        "matter most.\n"
        "- **No noise.** A real search picks by noisy accuracies; here the best is known. With "
        "noise, more trials bring less ({doc}`noise`).\n"
        "- **The defaults decide a good part.** Other defaults would give other numbers. The "
        "better the default, the less there is to gain by tuning a few, and the "
        "less importance over the whole space says about what is left.\n"
        f"- **{len(datasets)} data sets** of small images are not many, and are alike. The "
        "intervals take them for a random sample of such data sets.\n"
        "- **One way to use a ranking.** Tuning the first few first and the rest later is another, "
        "which was not tried."
    )
