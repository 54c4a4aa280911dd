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
# QIM {cite:p}`jia2016qim` asks for the importance of hyperparameters before there is a study to
# take it from: a Plackett–Burman design {cite:p}`plackett1946design` says which few configurations
# to train, and the differences between their accuracies are the ranking. This chapter does that
# for the paper's eleven hyperparameters on all ten data sets, and compares the result with the
# recorded study.
#
# Only QIM's abstract is freely available, and we know no more of it. What it says, and what it
# leaves for us to decide:
#
# | Question | QIM's abstract | Here |
# | :-- | :-- | :-- |
# | Which trainings? | A Plackett–Burman design | The same |
# | Which hyperparameters? | Not said | The eleven of the paper's Table 3 |
# | How many trainings? | "As few as possible" | 12, 24 with the fold-over |
# | Which two values of each? | Not said | The quartiles of what random search draws |
# | Is the design folded over? | Not said | Yes, and what that changes is computed below |
# | What is the importance? | "Rank the importance" | The size of the effect, and its rank |
# | Several data sets? | "Different datasets" | Ranks are summed over them |
# | How often is a training repeated? | Not said | Three seeds |
# | Networks | In Caffe | Those of {doc}`setup`, with 16 filters in every layer |
#
# So what follows tests the idea of the abstract. It is not a reproduction of QIM's numbers, which
# cannot be read.

# %% tags=["parameters"]
screening = "data/screening.parquet"  # the trainings of the design, one row each
trials = "data/trials.parquet"  # the trained CNNs of the study, one row each
datasets: list[str] = []  # data sets to use, all if empty; choices: hia.datasets.NAMES
sources = ["random", "bohb"]  # how configurations were found; choices: hia.trials.SOURCES
n_trees = 32  # trees of the forests that are fitted to the study; at least 1
level = 0.05  # an effect stands out if its p-value is below; 0 to 1
random_state = 0  # seed of the forests, and of what N-RReliefF draws; at least 0

# %%
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from hia.datasets import FACTS
from hia.ranking.fanova import FAnova, measure_options
from hia.space import HYPERPARAMETERS, SAMPLED, SPACE, TABLE1
from hia.study import records
from hia.trials import load, select
from hia_book import screening as qim
from hia_book import truth
from hia_book.agreement import rank_agreement, typical_agreement
from hia_book.figures import WIDTH, look, show_figure, show_table, show_text, use_style

use_style()
ELEVEN = list(HYPERPARAMETERS)
TEN = [name for name in ELEVEN if name in SAMPLED]  # what a study of one data set can rank
study = select(load(trials), datasets, sources)


def listed(names, code: bool = True) -> str:
    shown = [f"`{name}`" if code else str(name) for name in names]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown) or "none"


def value(x) -> str:
    return f"{x:.3g}" if isinstance(x, float) else str(x)


def matrix(found: pd.DataFrame, column: str = "effect") -> pd.DataFrame:
    """(hyperparameters, data sets) of a column of `screen`."""
    shape = {"index": "hyperparameter", "columns": "dataset", "values": column}
    return found.pivot_table(**shape).reindex(index=ELEVEN, columns=names)


def count(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"


# %% [markdown]
# ## The design
#
# Every column of {numref}`table-pb-design` is a training. Each hyperparameter is at its high level
# (+) in half of them, and each pair of hyperparameters has each of its four combinations equally
# often. So the mean of the runs with + less the mean of those with − is the effect of one
# hyperparameter, and the effects of the others cancel. That takes one training more than there are
# hyperparameters, rounded up to a multiple of four. The fold-over is the same runs with all signs
# exchanged.

# %%
folded = pd.DataFrame(qim.design(len(ELEVEN)), columns=ELEVEN)
half = len(folded) // 2
signs = folded.iloc[:half].map(lambda sign: "+" if sign > 0 else "−").T
signs.columns = [str(run) for run in range(1, half + 1)]
show_table(
    signs.set_axis([f"`{name}`" for name in signs.index]).reset_index(names="Hyperparameter"),
    "table-pb-design",
    f"The first {half} runs, a column each. Runs {half + 1} to {2 * half}: + for − and − for +.",
)

# %%
at = qim.levels()
show_table(
    pd.DataFrame(
        {
            "Hyperparameter": [f"`{name}`" for name in at.index],
            "Random search draws": at["drawn"].to_list(),
            "−": at["low"].map(value).to_list(),
            "+": at["high"].map(value).to_list(),
        }
    ),
    "table-pb-levels",
    "The two levels of each hyperparameter: the lower and the upper quartile of what random search "
    "draws from Table 1, and for whole numbers and choices the outer ones that at least a quarter "
    "of the draws reach.",
)
plain, free = qim.aliases(folded.iloc[:half]), qim.aliases(folded)
mixed = int((plain.iloc[0] != 0).sum())
show_text(
    "The levels decide what an effect means. With the ends of the ranges, most of the networks "
    "would learn nothing, having either the smallest `lr` or the largest `dropout_rate`.\n\n"
    f"**What is mixed with what.** In {half} runs, the effect of each hyperparameter contains "
    f"{mixed} of the {plain.shape[1]} interactions of two, all of those that it has no part in, "
    f"each with a weight of {plain.abs().to_numpy().max():.2f}. In all {len(folded)} runs the "
    f"largest such weight is {free.abs().to_numpy().max():.0f}: this is what the other {half} "
    "trainings are for. Interactions of three remain mixed with the effects in both."
)


# %%
def recorded() -> pd.DataFrame:
    """The trainings of the design on data sets that have all of them; else words on the page."""
    try:
        table = records.load("screening", screening)
    except FileNotFoundError:
        show_text(
            f"**Missing here:** `{screening}`. `hia study studies/screening.csv` trains the "
            "design, `hia export` writes it; this page made again then shows the results."
        )
        return pd.DataFrame(columns=list(records.TABLES["screening"].columns))
    if datasets:
        table = table[table["dataset"].isin(datasets)]
    wanted = len(folded) * table["replicate"].nunique()
    size = table.groupby("dataset")["run"].transform("size")
    if partly := sorted(table.loc[size < wanted, "dataset"].unique()):
        show_text(
            f"**Not complete:** {listed(partly)}, left out. `hia study studies/screening.csv` goes "
            "on."
        )
    return table[size == wanted]


table = recorded()
there = len(table) > 0
names = [name for name in FACTS if name in set(table["dataset"])]
several = len(names) > 1

# %% [markdown]
# ## The effects

# %%
if there:
    screened = qim.screen(table, "replicates")
    effects = matrix(screened)
    ranks = qim.rank_sum(effects)
    overall = qim.pooled(screened) if several else screened.xs(names[0])
    overall = overall.loc[ranks.index]
    heights = np.arange(len(ranks))[::-1]
    figure, ax = plt.subplots(figsize=(WIDTH, 4.4))
    ax.axvline(0, color="0.6", linewidth=0.8)
    middle = overall["effect"]
    for name, height in zip(ranks.index, heights, strict=True):
        style = look(name)
        if several:
            ax.scatter(effects.loc[name], [height] * len(names), s=12, alpha=0.45, **style)
        low, high = overall.loc[name, ["low", "high"]]
        ax.errorbar(
            middle[name],
            height,
            xerr=[[middle[name] - low], [high - middle[name]]],
            markersize=8,
            capsize=3,
            **style,
        )
    ax.set_yticks(heights, ranks.index)
    ax.set_xlabel("accuracy at + less accuracy at −")
    ax.grid(axis="x")
    meaning = (
        "Large: means, with 95 % intervals for other data sets; small: the data sets."
        if several
        else "Intervals: 95 %, for other seeds."
    )
    show_figure(
        figure,
        "fig-pb-effects",
        f"The effects of {len(folded)} runs with {table['replicate'].nunique()} seeds each on "
        f"{count(len(names), 'data set')}, the smallest sum of ranks first. {meaning}",
        "Dots on a line for each hyperparameter; largest "
        + ("mean " if several else "")
        + ", ".join(f"{name} {middle[name]:+.3f}" for name in ranks.index[:4]),
        data=effects.reset_index().melt("hyperparameter", value_name="effect"),
    )

# %%
if there:
    shown = pd.DataFrame(
        {
            "Hyperparameter": [f"`{name}`" for name in ranks.index],
            "Effect": overall["effect"].to_numpy(),
            "from": overall["low"].to_numpy(),
            "to": overall["high"].to_numpy(),
            "p": overall["p"].to_numpy(),
        }
    )
    if several:
        shown["Sum"] = ranks["rank_sum"].to_numpy()
        shown["Ranks"] = [
            f"{low:g} to {high:g}"
            for low, high in ranks[names].agg(["min", "max"], axis=1).to_numpy()
        ]
    shown["Rank"] = ranks["rank"].to_numpy()
    show_table(
        shown,
        "table-pb-effects",
        (
            "Mean effects over the data sets, with 95 % intervals for other data sets, and the "
            "ranks of the effects' sizes on the data sets: their sum, the best and the worst, and "
            "the rank by the sum."
            if several
            else f"Effects on {FACTS[names[0]].label}, with 95 % intervals for other seeds."
        ),
        {"Effect": "+.3f", "from": "+.3f", "to": "+.3f", "p": ".2g"}
        | ({"Sum": "g"} if several else {})
        | {"Rank": "g"},
    )
    first, last = ranks.index[:3], ranks.index[-3:]
    by = "sum of ranks" if several else "size of the effect"
    says = f"By the {by}, {listed(first)} come first and {listed(last)} last. " + " ".join(
        f"`{name}` {'raises' if middle[name] > 0 else 'lowers'} the accuracy by "
        f"{abs(middle[name]):.3f} from {value(at.loc[name, 'low'])} to "
        f"{value(at.loc[name, 'high'])}."
        for name in first
    )
    if several:
        apart = typical_agreement(
            [rank_agreement(ranks[a], ranks[b]) for a, b in combinations(names, 2)]
        )
        tops = ranks[names].idxmin().value_counts()
        says += (
            f" `{tops.index[0]}` is first on {tops.iloc[0]} of {len(names)} data sets. Two data "
            f"sets agree on the ranking by $\\tau$ = {apart.tau:.2f} on average."
        )
    show_text(says)

# %% [markdown]
# ## With and without the fold-over
#
# Either half of the design is a Plackett–Burman design by itself. Had we stopped after one of them,
# its effects would have been the result. They differ from those of all runs by the interactions of
# two that are mixed in, with one sign in the first half and with the other in the second.

# %%
if there:
    first_half = table["run"] < half
    parts = {
        "first half": matrix(qim.screen(table[first_half], "replicates")),
        "second half": matrix(qim.screen(table[~first_half], "replicates")),
    }
    of_halves = pd.DataFrame({title: found.mean(axis=1) for title, found in parts.items()})
    of_halves["both"] = effects.mean(axis=1)
    of_halves = of_halves.loc[ranks.index]
    figure, ax = plt.subplots(figsize=(WIDTH, 4.2))
    ax.axvline(0, color="0.6", linewidth=0.8)
    ax.hlines(heights, of_halves.min(axis=1), of_halves.max(axis=1), color="0.8", zorder=1)
    color = look("screening")["color"]
    for title, how in {
        "first half": {"marker": "<", "facecolor": "none", "edgecolor": color},
        "second half": {"marker": ">", "facecolor": "none", "edgecolor": color},
        "both": {"marker": "*", "color": color, "s": 80},
    }.items():
        label = f"all {len(folded)} runs" if title == "both" else title
        ax.scatter(of_halves[title], heights, label=label, zorder=2, **({"s": 42} | how))
    ax.set_yticks(heights, of_halves.index)
    ax.set_xlabel("effect on the accuracy" + (", mean over the data sets" if several else ""))
    ax.grid(axis="x")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    flipped = of_halves.index[of_halves["first half"] * of_halves["second half"] < 0]
    widest = (of_halves["first half"] - of_halves["second half"]).abs().idxmax()
    one_half, other_half, both_halves = of_halves.loc[widest]
    show_figure(
        figure,
        "fig-pb-fold",
        "Effects from either half of the design and from both.",
        f"Three marks on a line for each hyperparameter. The halves differ most in {widest}: "
        f"{one_half:+.3f} and {other_half:+.3f}",
        data=of_halves.reset_index(names="hyperparameter"),
    )

    gap = (parts["first half"] - parts["second half"]) / 2  # what the interactions of two add
    seeds = screened["se"].groupby("dataset", sort=False).first().reindex(names)
    ratio = np.sqrt((gap**2).mean()) / seeds
    halves = typical_agreement(
        [rank_agreement(*(found[name].abs() for found in parts.values())) for name in names]
    )
    show_text(
        f"The interactions move an effect by {np.sqrt((gap**2).to_numpy().mean()):.3f} (root mean "
        f"square). The seeds alone would move it by {seeds.mean():.3f}; on the data sets the first "
        f"is {ratio.min():.1f} to {ratio.max():.1f} times the second. "
        + (
            f"The sign is another in the two halves for {listed(flipped)}. "
            if len(flipped)
            else "No sign is another in the two halves. "
        )
        + f"`{widest}` shows it best: {one_half:+.3f} in the first half, {other_half:+.3f} in the "
        f"second, {both_halves:+.3f} in both. The rankings of the halves agree by "
        f"$\\tau$ = {halves}"
        + (" on average over the data sets. " if several else ". ")
        + (
            f"**To repeat {half} trainings does not mend this: what is wrong with their effects is "
            "not noise.**"
            if ratio.median() > 2
            else "Here that is little more than noise."
        )
    )

# %% [markdown]
# ## What stands out, and of what
#
# There are two errors to hold an effect against. One is what other seeds would give. The other is
# what the design has left over: sums of interactions that no hyperparameter has to itself. An
# effect that is no larger than those is no more than an interaction of others might be.

# %%
if there:
    contrasts = qim.screen(table, "contrasts")
    replicates = sorted(table["replicate"].unique())
    single = {
        one: matrix(qim.screen(table[table["replicate"] == one], "contrasts")) for one in replicates
    }

    def of_seeds(name: str):
        pairs = list(combinations(replicates, 2))
        found = [rank_agreement(single[a][name].abs(), single[b][name].abs()) for a, b in pairs]
        return typical_agreement(found) if found else None

    between = {name: of_seeds(name) for name in names}
    described = pd.DataFrame(
        {
            "Data set": [FACTS[name].label for name in names],
            "Error, seeds": seeds.to_numpy(),
            "Error, interactions": [contrasts.xs(name)["se"].iloc[0] for name in names],
            "Beyond seeds": [int((screened.xs(name)["p"] < level).sum()) for name in names],
            "Beyond interactions": [int((contrasts.xs(name)["p"] < level).sum()) for name in names],
            "τ, seeds": [found.tau if found else np.nan for found in between.values()],
        }
    )
    show_table(
        described,
        "table-pb-errors",
        f"Standard errors of an effect of {len(folded)} runs with {len(replicates)} seeds each, by "
        "the seeds and by the interactions; how many of the eleven effects have a p-value below "
        f"{level:g} against each; and Kendall's $\\tau$ of the rankings from two single seeds.",
        {"Error, seeds": ".4f", "Error, interactions": ".4f", "τ, seeds": ".2f"},
    )
    counted = contrasts["p"].lt(level).groupby("hyperparameter").sum().reindex(ranks.index)
    always = counted.index[counted == len(names)]
    never = counted.index[counted == 0]
    seed_taus = [found.tau for found in between.values() if found]
    show_text(
        f"Against the seeds, {described['Beyond seeds'].mean():.1f} of eleven effects stand out on "
        f"average; against the interactions {described['Beyond interactions'].mean():.1f}. "
        + (f"{listed(always)} do so everywhere, " if len(always) else "None does so everywhere, ")
        + (f"{listed(never)} nowhere. " if len(never) else "and each does somewhere. ")
        + f"By chance alone, {11 * level:.2g} of eleven would. "
        + (
            f"One seed ranks as another does with $\\tau$ = {np.mean(seed_taus):.2f}: "
            + (
                "more seeds would change the ranking less than more configurations would."
                if np.mean(seed_taus) > 0.7
                else "that part of the ranking which one seed turns round is no result."
            )
            if seed_taus
            else ""
        )
    )

# %% [markdown]
# ## Against the study
#
# The study trains random configurations: many more of them, at all values. Its rankings of the ten
# hyperparameters that vary within a data set come from functional ANOVA and from N-RReliefF. One
# step between is of use: the forest of functional ANOVA can be asked for its own difference between
# the screen's two levels, averaged over all else. That is what the screen would find if it had no
# interactions of three, no noise and all of the space around its levels.

# %%
both = [name for name in names if name in set(study["dataset"])]
if there:
    scores: dict[str, pd.DataFrame] = {}
    options = measure_options(SPACE, TEN)

    def ranked(method: str, rows: pd.DataFrame) -> pd.Series:
        found = truth.CONTENDERS[method].rank(rows, "accuracy", TABLE1, random_state)
        return found.table["score"].loc[TEN]

    def step(forest: FAnova, name: str) -> float:
        """The forest's accuracy at the screen's high level less that at the low one."""
        low, high = forest.marginal(name, list(at.loc[name, ["low", "high"]]))["mean"]
        return high - low

    def forest_of(rows: pd.DataFrame) -> FAnova:
        forest = FAnova(n_trees, random_state=random_state, **options)
        return forest.fit(rows[TEN], rows["accuracy"])

    of_study = {name: rows for name, rows in study.groupby("dataset") if name in both}
    forests = {name: forest_of(of_study[name]) for name in both}
    steps = pd.DataFrame(
        {data: {name: step(forest, name) for name in TEN} for data, forest in forests.items()}
    )
    scores["fANOVA"] = pd.DataFrame(
        {name: pd.Series(forest.importances_, TEN) for name, forest in forests.items()}
    )
    for method, title in (("nrrelieff", "N-RReliefF"), ("nrrelieff_growing", "N-RReliefF, n/20")):
        scores[title] = pd.DataFrame({name: ranked(method, of_study[name]) for name in both})
    # A twentieth of up to 600 CNNs is no more than the paper's 30: the same method, shown once.
    growing = "N-RReliefF, n/20"
    if scores[growing].equals(scores["N-RReliefF"]):
        del scores[growing]
        growing = "N-RReliefF"
    random = np.random.default_rng(random_state)
    halved = {name: random.permutation(len(rows)) % 2 == 0 for name, rows in of_study.items()}
    for title, side in (("one half", True), ("the other half", False)):
        scores[title] = pd.DataFrame(
            {
                name: pd.Series(forest_of(rows[halved[name] == side]).importances_, TEN)
                for name, rows in of_study.items()
            }
        )
    scores["forest's steps"] = steps.abs()
    scores["screen"] = effects.loc[TEN, both].abs()


# %%
def compare(a: str, b: str):
    """Kendall's tau of two rankings, on each data set and on average."""
    each = {name: rank_agreement(scores[a][name], scores[b][name]) for name in both}
    return each, typical_agreement(list(each.values()))


if both:
    pairs = [
        ("screen", "fANOVA"),
        ("screen", "N-RReliefF"),
        *([("screen", growing)] if growing != "N-RReliefF" else []),
        ("screen", "forest's steps"),
        ("forest's steps", "fANOVA"),
        ("fANOVA", growing),
        ("one half", "the other half"),
    ]
    compared = {pair: compare(*pair) for pair in pairs}
    mean_rank = {title: found.rank(ascending=False).mean(axis=1) for title, found in scores.items()}
    rows = []
    for (a, b), (_, typical) in compared.items():
        over_all = rank_agreement(mean_rank[a], mean_rank[b])
        title = f"fANOVA, {a} – {b}" if a == "one half" else f"{a} – {b}"
        rows.append((title, *typical[:3], over_all.tau, over_all.low, over_all.high))
    headings = ["Rankings", "One data set, τ", "from", "to", "Mean ranks, τ", "from ", "to "]
    show_table(
        pd.DataFrame(rows, columns=headings),
        "table-pb-agreement",
        f"Kendall's $\\tau$ of rankings of {len(TEN)} hyperparameters, with 95 % intervals for "
        f"other hyperparameters: on one of {count(len(both), 'data set')}, typically, and of the "
        "mean ranks over them. N-RReliefF with the paper's 30 neighbours"
        + (", and with a twentieth of the CNNs" if growing != "N-RReliefF" else "")
        + ". Last: two halves of the study, split at random.",
        dict.fromkeys(headings[1:], ".2f"),
    )
    in_words = dict(zip(pairs, rows, strict=True))

    def reading(pair: tuple[str, str]) -> str:
        tau, low, high = in_words[pair][4:]
        return f"$\\tau$ = {tau:.2f} (95 % interval {low:.2f} to {high:.2f})"

    cnns = study[study["dataset"].isin(both)].groupby("dataset").size()
    with_study, of_methods, two_levels, corners, of_halves_of_study = (
        compared[pair][1].tau
        for pair in [
            ("screen", "fANOVA"),
            ("fANOVA", growing),
            ("forest's steps", "fANOVA"),
            ("screen", "forest's steps"),
            ("one half", "the other half"),
        ]
    )
    show_text(
        "Over the data sets, the mean ranks of the screen and those of fANOVA on "
        f"{cnns.median():,.0f} CNNs of each (median) agree by {reading(('screen', 'fANOVA'))}; the "
        f"screen and N-RReliefF with $J$ = {'30' if growing == 'N-RReliefF' else 'n/20'} by "
        f"{reading(('screen', growing))}. "
        + (
            "By its interval, the first is more than unrelated rankings would give"
            + (", and so is the second." if in_words["screen", growing][5] > 0 else ".")
            if in_words["screen", "fANOVA"][5] > 0
            else "By its interval, unrelated rankings could do as well as the first."
        )
        + f" On one data set the screen and fANOVA agree by {with_study:.2f}, fANOVA and "
        f"N-RReliefF by {of_methods:.2f}: "
        + (
            "two methods on one and the same study are no nearer to each other than the screen is "
            "to one of them."
            if of_methods <= with_study
            else "two methods on one study are no farther from each other than the screen is from "
            "one of them."
        )
        + f" The study has its own noise: fANOVA on one half of it and on the other agree by "
        f"{of_halves_of_study:.2f}."
        "\n\nWhere does the screen part from fANOVA? The forest's own steps between the two "
        f"levels rank as its shares do by {two_levels:.2f}, and as the screen does by "
        f"{corners:.2f}. "
        + (
            "So more is lost by the few configurations than by the two levels."
            if corners < two_levels
            else "So more is lost by the two levels than by the few configurations."
        )
    )

# %%
if both:
    of_screen = effects.loc[TEN, both]
    same = np.sign(steps) == np.sign(of_screen)
    large = of_screen.abs() > 2 * matrix(contrasts, "se").loc[TEN, both]
    x, y = steps.to_numpy().ravel(), of_screen.to_numpy().ravel()
    correlation, slope = np.corrcoef(x, y)[0, 1], np.polyfit(x, y, 1)[0]
    figure, ax = plt.subplots(figsize=(WIDTH, 4.6))
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.axvline(0, color="0.6", linewidth=0.8)
    for name in TEN:
        ax.scatter(
            steps.loc[name, both],
            of_screen.loc[name],
            s=24,
            alpha=0.85,
            label=name,
            **look(name),
        )
    ax.axline((0, 0), slope=1, color="0.6", linewidth=0.8, linestyle=":")
    ax.set_xlabel("the study's forest: accuracy at + less accuracy at −")
    ax.set_ylabel("the screen's effect")
    ax.grid()
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    show_figure(
        figure,
        "fig-pb-forest",
        "The same difference from two sources: the effects of the screen, and what forests fitted "
        "to the study predict for the same two levels, averaged over all else. A mark for each "
        "hyperparameter and data set; dotted: equal.",
        f"Scatter plot of {same.size} effects; the correlation is {correlation:.2f}",
        data=pd.DataFrame(
            [
                (name, data, steps.loc[name, data], of_screen.loc[name, data])
                for name in TEN
                for data in both
            ],
            columns=["hyperparameter", "dataset", "forest", "screen"],
        ),
    )
    means = pd.DataFrame({"screen": of_screen.mean(axis=1), "forest": steps.mean(axis=1)})
    apart = means[means["screen"] * means["forest"] < 0]
    show_text(
        f"The two have the same sign in {same.to_numpy().sum()} of {same.size} cases, and in "
        f"{(same & large).to_numpy().sum()} of the {large.to_numpy().sum()} in which the screen's "
        "effect is more than two standard errors by the interactions. "
        + (
            "Of the means over the data sets, the sign is another for "
            + listed(
                [
                    f"`{name}` ({pair.screen:+.3f} by the screen, {pair.forest:+.3f} by the forest)"
                    for name, pair in apart.iterrows()
                ],
                code=False,
            )
            + ". "
            if len(apart)
            else "The means over the data sets all have the same sign. "
        )
        + f"The correlation is {correlation:.2f}. "
        + (
            f"The screen's effects are larger ({slope:.1f} times, by least squares): a forest "
            "draws its predictions towards the mean, and the screen compares corners, not all of "
            "the space."
            if slope > 1.1
            else f"The screen's effects are {slope:.1f} times the forest's, by least squares."
        )
    )

# %% [markdown]
# ## What two levels do not see
#
# An effect is the slope of a line through two points. {numref}`fig-pb-curves` has the curves of the
# study for the hyperparameters that have more than two values, and the screen's points.

# %%
if both:
    CURVED = [name for name in TEN if len(forests[both[0]].marginal(name)) > 2]
    figure, axes = plt.subplots(-(-len(CURVED) // 2), 2, figsize=(WIDTH, 6.2), sharey=True)
    drawn, seen = [], []
    for name, ax in zip(CURVED, axes.flat, strict=True):
        own = {data: forest.marginal(name) for data, forest in forests.items()}
        x = own[both[0]]["value"].astype(float)
        moved = pd.DataFrame({data: curve["mean"] for data, curve in own.items()})
        moved = moved - moved.mean()
        curve = moved.mean(axis=1)
        low, high = (float(value) for value in at.loc[name, ["low", "high"]])
        on_curve = np.mean(
            [forest.marginal(name, [low, high])["mean"].mean() for forest in forests.values()]
        ) - np.mean([found["mean"].mean() for found in own.values()])
        effect = effects.loc[name, both].mean()
        ax.plot(x, curve, color=look("fanova")["color"], linewidth=1.6, label="study, fANOVA")
        ax.plot(
            [low, high],
            [on_curve - effect / 2, on_curve + effect / 2],
            linestyle="--",
            linewidth=1,
            markersize=9,
            label="screen",
            **look("screening"),
        )
        if SPACE[name].log:
            ax.set_xscale("log")
        ax.set_title(name)
        ax.grid()
        drawn.append(pd.DataFrame({"hyperparameter": name, "value": x, "accuracy": curve}))
        whole = curve.max() - curve.min()
        seen.append((x[curve.idxmax()], abs(steps.loc[name, both].mean()) / whole))
    figure.supylabel("accuracy, from its mean", fontsize=11)
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    best, between_levels = (pd.Series(values, CURVED) for values in zip(*seen, strict=True))
    show_figure(
        figure,
        "fig-pb-curves",
        "Marginal curves of the forests of the study, and the two points that the screen knows: "
        + (f"means over {len(both)} data sets. " if len(both) > 1 else "")
        + "The screen's pair is put at the height of the curve; its slope is what it measured.",
        "A panel for each hyperparameter with more than two values. Share of the curve's range "
        "between the two levels: "
        + ", ".join(f"{name} {share:.0%}" for name, share in between_levels.items()),
        data=pd.concat(drawn, ignore_index=True),
    )
    inside = [name for name in CURVED if at.loc[name, "low"] < best[name] < at.loc[name, "high"]]
    show_text(
        f"Between the two levels lies {between_levels.min():.0%} (`{between_levels.idxmin()}`) to "
        f"{between_levels.max():.0%} (`{between_levels.idxmax()}`) of what a hyperparameter does "
        "over its range, by the forests. "
        + (
            f"The best value of {listed(inside)} lies between the levels, where the screen does "
            "not look: of a hump there a part can cancel."
            if inside
            else "No best value lies between the levels, so no hump is missed; what the screen "
            "misses lies outside them."
        )
    )

# %% [markdown]
# ## What it costs

# %%
if there:
    one_seed = table["replicate"] == replicates[0]
    plans = {
        f"{half} runs, one seed": [table[one_seed & first_half], table[one_seed & ~first_half]],
        f"{len(folded)} runs, one seed": [table[table["replicate"] == one] for one in replicates],
        f"{len(folded)} runs, {len(replicates)} seeds": [table],
    }
    rows = [
        (title, len(parts[0]) / len(names), len(parts[0]), parts[0]["seconds"].sum() / 3600)
        for title, parts in plans.items()
    ]
    own = study[study["dataset"].isin(names)]
    if len(own):
        n_own = own["dataset"].nunique()
        rows.append(("The study", len(own) / n_own, len(own), own["seconds"].sum() / 3600))
    costs = pd.DataFrame(rows, columns=["What", "Each data set", "Trainings", "Hours"])

    def agreement_of(part: pd.DataFrame) -> float:
        found = {
            name: 2 * qim.code(rows).mul(rows["accuracy"], axis=0).mean().loc[TEN].abs()
            for name, rows in part.groupby("dataset")
        }
        return typical_agreement(
            [rank_agreement(found[name], scores["fANOVA"][name]) for name in both]
        ).tau

    if both:
        taus = [np.mean([agreement_of(part) for part in parts]) for parts in plans.values()]
        costs["τ with fANOVA"] = [*taus, np.nan]
    show_table(
        costs,
        "table-pb-cost",
        "Trainings and hours of training on one core each, of the screen and of the study on the "
        "same data sets with the same numbers of images; and the typical agreement on one data set "
        "with fANOVA on the study, of either half of the runs and of every seed on average.",
        {"Each data set": ",.0f", "Trainings": ",", "Hours": ".2f"}
        | ({"τ with fANOVA": ".2f"} if both else {}),
    )
    says = []
    if len(own):
        times = costs["Hours"].iloc[-1] / costs["Hours"].iloc[:-1]
        says.append(
            f"The study took {times.iloc[1]:,.0f} times as long as {len(folded)} runs of one seed, "
            f"and {times.iloc[2]:,.0f} times as long as all of the screen."
        )
    if both:
        half_tau, one_tau, all_tau = taus
        says.append(
            "The fold-over brings the ranking nearer to the study's "
            f"({half_tau:.2f} to {one_tau:.2f})."
            if one_tau - half_tau > 0.05
            else "The fold-over does not bring the ranking nearer to the study's "
            f"({half_tau:.2f} and {one_tau:.2f}), for all that it does to the effects."
        )
        says.append(
            f"More seeds do ({all_tau:.2f})."
            if all_tau - one_tau > 0.05
            else f"Nor do more seeds ({all_tau:.2f})."
            if one_tau - half_tau <= 0.05
            else f"More seeds do not ({all_tau:.2f})."
        )
    says.append(
        "{doc}`methods` asks how many random trainings other methods need for the same agreement."
    )
    show_text(" ".join(says))

# %% [markdown]
# ## What 24 trainings can tell, and what they cannot
#
# - They can tell **large main effects** between two stated levels, with their direction, and they
#   can do it before a study is paid for.
# - They can make a factor of what a study cannot vary. Here every data set is trained with one and
#   with three channels, its images converted; what comes of it is in {doc}`perdataset`.
# - They cannot see **curvature**: two levels are a line.
# - They cannot tell **interactions**: with the fold-over these leave the main effects alone, but
#   they are not estimated. Without it they are taken for main effects. What of the importance
#   belongs to hyperparameters together is the subject of {doc}`joint`.
# - They do not rank **small effects**: below the error by the interactions, an order is chance.
# - They depend on the **levels**. With other levels the effects are others, and so can be the
#   ranks; for a study, the range plays that part.
# - Effects are in units of accuracy, and so are mean effects: a data set on which accuracies differ
#   more weighs more in the mean. In the sum of ranks all weigh the same.

# %%
if there and both:
    top = list(ranks.index[:3])
    by_fanova = mean_rank["fANOVA"].sort_values()
    shared = [name for name in top if name in by_fanova.index[:3]]
    show_text(
        f"In short: the screen's first three are {listed(top)}, those of fANOVA on the study "
        f"{listed(by_fanova.index[:3])} (by mean rank); {count(len(shared), 'name')} in both. "
        + (
            "**For the question what to tune first, the screen would have been enough.** For the "
            "order of the rest it is not."
            if len(shared) == 3 and in_words["screen", "fANOVA"][4] < 0.8
            else "**The screen gives the study's order.**"
            if len(shared) == 3
            else "**The screen does not find all that matters most.**"
        )
    )
