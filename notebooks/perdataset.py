# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One ranking for all data sets?
#
# The paper pools the CNNs of ten data sets and prints one ranking. Whoever tunes a CNN has one data
# set. So this page ranks the hyperparameters on each data set by itself, and asks how far the
# rankings agree, what sets the data sets apart, and whether the number of input channels, which in
# the pooled ranking stands for the data set, means anything.
#
# It is answered on the CNNs of random search, whose configurations are independent draws from the
# whole space. BOHB tries configurations that are like its good ones: its CNNs are no independent
# draws, and their part of the space is another one on each data set. What its CNNs would change
# stands beside, in a second line of the tables.

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
screening = "data/screening.parquet"  # the recorded screen, with converted images
datasets: list[str] = []  # three or more, all if empty; choices: hia.datasets.NAMES
sources = ["random"]  # how configurations were found; choices: hia.trials.SOURCES
beside = ["random", "bohb"]  # of the second line of tables, if any; choices: hia.trials.SOURCES
n_neighbors = 30  # J of N-RReliefF, all the other CNNs at most; at least 1
sigma = 20.0  # decay of a neighbour's influence with its rank; above 0
n_trees = 16  # trees of functional ANOVA on each data set; at least 1
min_samples_leaf = 3  # the fewest CNNs in a leaf of them; at least 1
alpha = 0.05  # level of the critical difference; 0 to 1
n_repeats = 4  # random halves of each data set; at least 1
n_divided = 2000  # the most CNNs on which all divisions are weighed; at least 1
random_state = 0  # seed of these and of the forests; at least 0

# %%
from itertools import combinations, permutations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from scipy import stats

from hia.datasets import FACTS
from hia.ranking.fanova import FAnova, measure_options
from hia.relief import NRReliefF
from hia.space import HYPERPARAMETERS, SPACE
from hia.study import records
from hia.trials import design, load, select
from hia_book import screening as design_of_screen
from hia_book.agreement import friedman, kendalls_w, mantel, rank_agreement
from hia_book.figures import look, show_figure, show_table, show_text, use_style

use_style()
recorded = load(trials)
rows = select(recorded, datasets, sources)
present = [name for name in FACTS if name in set(rows["dataset"])]
if len(present) < 3:
    raise ValueError(f"datasets={datasets}: agreement needs three data sets at least")
SEARCHES = {"random": "random search", "bohb": "BOHB"}


def spelled(items) -> str:
    items = list(items)
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items) or "none"


def quoted(items) -> str:
    return spelled(f"`{item}`" for item in items)


def searched(names) -> str:
    """Sources in words; none named means all."""
    return spelled(word for name, word in SEARCHES.items() if name in (names or SEARCHES))


def split(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {name: table[table["dataset"] == name] for name in present}


# The CNNs that are used, and those of the second line, by data set.
MAIN, BESIDE = searched(sources), searched(beside)
samples = {MAIN: split(rows)}
there = [name for name in beside if name in set(recorded["source"])]
if searched(there) != MAIN and there:
    samples[BESIDE] = split(select(recorded, present, there))
columns = [
    name
    for name in HYPERPARAMETERS
    if all((own[name] != own[name].iloc[0]).any() for of in samples.values() for own in of.values())
]
constant = [name for name in HYPERPARAMETERS if name not in columns]
labels = [FACTS[name].label for name in present]
METHODS = {"nrrelieff": "N-RReliefF", "fanova": "functional ANOVA"}


def weigh(own: pd.DataFrame, method: str) -> np.ndarray:
    """The weights of `columns` on the CNNs of one data set; 0 where all have the same value."""
    varied = [name for name in columns if (own[name] != own[name].iloc[0]).any()]
    if method == "nrrelieff":
        relief = NRReliefF(min(n_neighbors, len(own) - 1), sigma=sigma)
        found = relief.fit(design(own, varied), own["accuracy"]).weights_
    else:
        options = measure_options(SPACE, varied)
        forest = FAnova(n_trees, min_samples_leaf, random_state=random_state, **options)
        found = forest.fit(own[varied], own["accuracy"]).importances_
    return pd.Series(found, index=varied).reindex(columns, fill_value=0.0).to_numpy()


weights_of = {
    sample: {
        method: pd.DataFrame(
            [weigh(own, method) for own in of.values()], index=present, columns=columns
        )
        for method in METHODS
    }
    for sample, of in samples.items()
}
weights = weights_of[MAIN]
sizes = [len(own) for own in samples[MAIN].values()]
show_text(
    f"Used are {len(rows):,} CNNs of {MAIN} on {len(present)} data sets, {min(sizes):,} "
    + (f"to {max(sizes):,} " if max(sizes) > min(sizes) else "")
    + "of each. "
    + (
        f"The second lines have {sum(map(len, samples[BESIDE].values())):,} of {BESIDE}. "
        if BESIDE in samples and BESIDE != MAIN
        else ""
    )
    + f"Left out, because they have one value on a data set: {quoted(constant)}. "
    "N-RReliefF is that of {doc}`importance`, on normalised distances with `lr` on its logarithm; "
    f"functional ANOVA splits the variance of {n_trees} trees over the space of the paper's Table "
    "1 and counts each hyperparameter alone."
)

# %% [markdown]
# ## The rankings

# %%
ranks = {method: table.rank(axis=1, ascending=False) for method, table in weights.items()}
order = list(ranks["nrrelieff"].mean().sort_values().index)


def heat(ax, table: pd.DataFrame, color: str) -> None:
    """Ranks (hyperparameters, data sets) in coloured cells, the first in the strongest colour."""
    strength = LinearSegmentedColormap.from_list("ranks", [f"{color}FF", f"{color}00"])
    ax.imshow(table, cmap=strength, vmin=1, vmax=len(table), aspect="auto")
    for (row, column), rank in np.ndenumerate(table.to_numpy()):
        strong = rank < 1 + 0.33 * (len(table) - 1)
        ax.text(
            *(column, row, f"{rank:.3g}"),
            ha="center", va="center", fontsize=9.5, color="white" if strong else "black",
        )  # fmt: skip
    ax.set_yticks(range(len(table)), table.index)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


figure, axes = plt.subplots(2, figsize=(5.4, 7.6), sharex=True)
for ax, method in zip(axes, METHODS, strict=True):
    heat(ax, ranks[method][order].T, look(method)["color"])
    ax.set_title(METHODS[method])
axes[-1].set_xticks(range(len(labels)), labels, rotation=45, ha="right")
firsts = {method: table.idxmin(axis=1).value_counts() for method, table in ranks.items()}
show_figure(
    figure,
    "fig-perdataset",
    "Rank of each hyperparameter on each data set, 1 for the most important, sorted by the mean "
    f"rank by N-RReliefF; from the CNNs of {MAIN}. If all data sets had the same ranking, every "
    "row would have one colour.",
    "Two tables of ranks. Most often first: "
    + "; ".join(
        f"by {METHODS[method]} {counts.index[0]}, on {counts.iloc[0]} of {len(present)} data sets"
        for method, counts in firsts.items()
    ),
    data=pd.concat([table.assign(method=method) for method, table in ranks.items()])
    .rename_axis("dataset")
    .reset_index(),
)

# %% [markdown]
# ## Do they agree?
#
# Kendall's W is 1 where all data sets have the same ranking, and on average one over the number of
# data sets where the rankings are unrelated. Friedman's test asks whether all mean ranks could be
# the same. Where they are not, Nemenyi's critical difference says which hyperparameters can be told
# apart over the data sets; {cite:t}`demsar2006statistical` proposes this for classifiers.


# %%
def told_apart(found) -> int:
    """Pairs of hyperparameters whose mean ranks differ by the critical difference at least."""
    return sum(
        found.mean_ranks[b] - found.mean_ranks[a] >= found.critical_difference
        for a, b in permutations(columns, 2)
    )


concordance_of = {
    sample: {method: kendalls_w(table, random_state=0) for method, table in tables.items()}
    for sample, tables in weights_of.items()
}
tested_of = {
    sample: {method: friedman(table, alpha) for method, table in tables.items()}
    for sample, tables in weights_of.items()
}
concordance, tested = concordance_of[MAIN], tested_of[MAIN]
show_table(
    pd.DataFrame(
        [
            {
                "Method": METHODS[method],
                "CNNs of": sample,
                "Kendall's W": found.w,
                "95 % from": found.low,
                "to": found.high,
                "Mean correlation": found.correlation,
                "Friedman's p": tested_of[sample][method].p,
                "Told apart": told_apart(tested_of[sample][method]),
                "Pairs": len(columns) * (len(columns) - 1) // 2,
            }
            for method in METHODS
            for sample in samples
            for found in [concordance_of[sample][method]]
        ]
    ),
    "table-perdataset-agreement",
    f"Agreement of the rankings of {len(columns)} hyperparameters on {len(present)} data sets: "
    "Kendall's W with a bootstrap interval over the data sets, the mean Spearman correlation "
    "between two of them, Friedman's test, and how many of the pairs of hyperparameters differ by "
    "the critical difference at least.",
    formats=dict.fromkeys(("Kendall's W", "95 % from", "to", "Mean correlation"), ".2f")
    | {"Friedman's p": ".2g"},
)


# %%
def diagram(ax, found, color: str) -> None:
    """A critical-difference diagram: mean ranks on a line, bars over what is not told apart."""
    means = found.mean_ranks
    half = -(-len(means) // 2)
    bars = len(found.groups)
    low, high = 1, len(means)
    ax.plot([low, high], [0, 0], color="black", lw=1)
    for tick in range(low, high + 1):
        ax.plot([tick, tick], [0, 0.25], color="black", lw=1)
        ax.text(tick, 0.4, str(tick), ha="center", va="bottom", fontsize=9.5)
    width = found.critical_difference
    ax.plot([low, low + width], [1.75, 1.75], color=color, lw=2.5, solid_capstyle="butt")
    ax.text(low + width + 0.15, 1.75, f"critical difference {width:.2f}", va="center", fontsize=9.5)
    for place, group in enumerate(found.groups):
        ends = means[group[0]] - 0.06, means[group[-1]] + 0.06
        ax.plot(ends, [-0.4 - 0.4 * place] * 2, color=color, lw=3.5, solid_capstyle="butt")
    for place, (name, mean) in enumerate(means.items()):
        left = place < half
        depth = place if left else len(means) - 1 - place
        height = -0.4 * bars - 0.9 - 0.85 * depth
        edge = low - 0.3 if left else high + 0.3
        ax.plot([mean, mean, edge], [0, height, height], color="0.45", lw=0.8)
        side = {"ha": "right" if left else "left", "va": "center", "fontsize": 9.5}
        ax.text(edge + (-0.1 if left else 0.1), height, name, **side)
    ax.set(xlim=(low - 4.3, high + 4.3), ylim=(-0.4 * bars - 0.9 - 0.85 * half, 2.2))
    ax.axis("off")


figure, axes = plt.subplots(2, figsize=(5.4, 6.0))
for ax, method in zip(axes, METHODS, strict=True):
    diagram(ax, tested[method], look(method)["color"])
    ax.set_title(METHODS[method], loc="left")
show_figure(
    figure,
    "fig-critical-difference",
    f"Mean ranks over {len(present)} data sets, the most important on the left. Hyperparameters "
    f"under one bar are not told apart at the level of {alpha:g}. From the CNNs of {MAIN}.",
    "; ".join(
        f"{METHODS[method]}: "
        + ", ".join(f"{name} {mean:.1f}" for name, mean in found.mean_ranks.items())
        for method, found in tested.items()
    ),
    data=pd.DataFrame({METHODS[m]: found.mean_ranks for m, found in tested.items()})
    .rename_axis("hyperparameter")
    .reset_index(),
)

# %%
between_methods = [
    rank_agreement(weights["nrrelieff"].loc[name], weights["fanova"].loc[name]).tau
    for name in present
]
sentences = []
for method, found in tested.items():
    means, width = found.mean_ranks, found.critical_difference
    behind = list(means.index[means >= means.iloc[0] + width])
    w = concordance[method]
    sentences.append(
        f"By {METHODS[method]} W is {w}. "
        + (
            f"The mean ranks differ (Friedman's p = {found.p:.2g}). "
            if found.p < alpha
            else f"The mean ranks could all be the same (Friedman's p = {found.p:.2g}). "
        )
        + f"The first, `{means.index[0]}`, is ahead of {len(behind)} of {len(means) - 1} others "
        "by the critical difference" + (f": {quoted(behind)}." if behind else ".")
    )
if len(samples) > 1:
    sentences.append(
        f"From the CNNs of {BESIDE} W is "
        + spelled(f"{found} by {METHODS[m]}" for m, found in concordance_of[BESIDE].items())
        + "."
    )
show_text(
    " ".join(sentences) + " The two methods agree on one data set with a Kendall's $\\tau$ of "
    f"{np.mean(between_methods):.2f} on average ({min(between_methods):.2f} to "
    f"{max(between_methods):.2f})."
)

# %% [markdown]
# ## Do the data sets differ, or is it noise?
#
# A ranking from few CNNs is noisy, and noisy rankings disagree even where the truth is the same. So
# the CNNs of each data set are dealt into two random halves. If data sets did not differ, a half
# would agree with the other half of its own data set no more than with halves of other data sets,
# which have as many CNNs.


# %%
def of_halves(of: dict[str, pd.DataFrame]) -> dict[str, np.ndarray]:
    """By method the mean tau of the halves of a data set with its own other half, and with halves
    of others: (2, data sets)."""
    rng = np.random.default_rng(random_state)
    found = {method: np.zeros((2, len(of))) for method in METHODS}
    for _ in range(n_repeats):
        halves = []
        for own in of.values():
            shuffled = rng.permutation(len(own))
            middle = len(own) // 2
            parts = (shuffled[:middle], shuffled[middle:])
            halves.append([own.iloc[np.sort(part)] for part in parts])
        for method in METHODS:
            first, second = (
                stats.rankdata([weigh(pair[k], method) for pair in halves], axis=1) for k in (0, 1)
            )
            tau = np.array([[stats.kendalltau(a, b).statistic for b in second] for a in first])
            itself = np.diag(tau)
            others = (tau.sum(axis=0) + tau.sum(axis=1) - 2 * itself) / (2 * (len(of) - 1))
            found[method] += np.array([itself, others]) / n_repeats
    return found


halves_of = {sample: of_halves(of) for sample, of in samples.items()}
compared = []
for method in METHODS:
    for sample, by_method in halves_of.items():
        itself, others = by_method[method]
        apart = itself - others
        half = stats.t.ppf(0.975, len(apart) - 1) * stats.sem(apart)
        compared.append(
            {
                "Method": METHODS[method],
                "CNNs of": sample,
                "Own data set": itself.mean(),
                "Other data sets": others.mean(),
                "Difference": apart.mean(),
                "95 % from": apart.mean() - half,
                "to": apart.mean() + half,
            }
        )
compared = pd.DataFrame(compared)
show_table(
    compared,
    "table-perdataset-halves",
    "Kendall's $\\tau$ between the rankings of two halves: of the same data set, and of two "
    f"different ones; mean over {n_repeats} random divisions, and Student's interval over the data "
    "sets for the difference.",
    formats=dict.fromkeys(("Own data set", "Other data sets"), ".2f")
    | dict.fromkeys(("Difference", "95 % from", "to"), "+.2f"),
)


# %%
def clear_by(sample: str) -> list[str]:
    """The methods by which halves of one data set agree better than those of two."""
    return list(
        compared.loc[(compared["CNNs of"] == sample) & (compared["95 % from"] > 0), "Method"]
    )


SAME_RUN = (
    "both halves of a data set then have CNNs of the same run of BOHB, which are alike, and halves "
    "of two data sets have not. That is no evidence of rankings of their own."
)
clear = clear_by(MAIN)
sentences = [
    f"By {row['Method']} half a data set agrees with its other half with "
    f"$\\tau$ = {row['Own data set']:.2f}, and with halves of other data sets with "
    f"{row['Other data sets']:.2f}: "
    + (
        "its ranking differs from theirs by more than noise."
        if row["Method"] in clear
        else f"no difference is found (it could be from {row['95 % from']:+.2f} to "
        f"{row['to']:+.2f})."
    )
    for _, row in compared[compared["CNNs of"] == MAIN].iterrows()
]
sentences.append(
    f"But {SAME_RUN}"
    if clear and "BOHB" in MAIN
    else "**The data sets have rankings of their own.**"
    if len(clear) == len(METHODS)
    else "**Whether the data sets have rankings of their own depends on the method.**"
    if clear
    else "**With these CNNs the data sets cannot be told apart by their rankings**: one ranking "
    "for all is the safer reading, and more CNNs per data set would be needed to see another."
)
if len(samples) > 1:
    also = clear_by(BESIDE)
    more, fewer = ([m for m in a if m not in b] for a, b in ((also, clear), (clear, also)))
    if fewer:
        sentences.append(f"From the CNNs of {BESIDE} {spelled(fewer)} would find no difference.")
    if more:
        sentences.append(
            f"From the CNNs of {BESIDE} {spelled(more)} would find one"
            + (f", but {SAME_RUN}" if "BOHB" in BESIDE else ".")
        )
    if not more and not fewer:
        sentences.append(f"From the CNNs of {BESIDE} the verdict would be the same.")
show_text(" ".join(sentences))

# %% [markdown]
# ## Colour, size, number of classes
#
# If such a property shaped the ranking, data sets that are alike in it would have alike rankings.
# Mantel's test {cite:p}`mantel1967detection` correlates, over all pairs of data sets, the
# difference in the property with the distance of the rankings ($1 - \tau$), and permutes the data
# sets. Size and classes are taken on their logarithms.

# %%
facts = pd.DataFrame(
    {
        "channels": [FACTS[name].channels for name in present],
        "size": [np.log2(FACTS[name].size) for name in present],
        "classes": [np.log10(FACTS[name].classes) for name in present],
    },
    index=present,
).astype(float)
facts = facts.loc[:, (facts != facts.iloc[0]).any()]


def distance(table: pd.DataFrame) -> np.ndarray:
    """1 - tau between the rankings of the data sets."""
    return 1 - table.T.corr(method="kendall").to_numpy()


if len(present) > 3 and len(facts.columns):
    every = [
        {
            "Property": name,
            "Method": METHODS[method],
            "CNNs of": sample,
            **mantel(
                distance(weights_of[sample][method]),
                np.abs(np.subtract.outer(*[facts[name].to_numpy()] * 2)),
            )._asdict(),
        }
        for method in METHODS
        for name in facts
        for sample in samples
    ]
    every = pd.DataFrame(every).rename(columns={"correlation": "Correlation", "p": "p, one-sided"})
    properties = every[every["CNNs of"] == MAIN]
    show_table(
        every,
        "table-perdataset-properties",
        "Do data sets that differ in a property differ in their ranking? Correlation over pairs of "
        "data sets, and Mantel's test.",
        formats={"Correlation": "+.2f", "p, one-sided": ".3f"},
    )
    single = pd.DataFrame(
        [
            (METHODS[method], name, fact, *stats.kendalltau(table[name], facts[fact]))
            for method, table in weights.items()
            for name in columns
            for fact in facts
        ],
        columns=["Method", "Hyperparameter", "Property", "tau", "p"],
    ).dropna()
    single["q"] = stats.false_discovery_control(single["p"])
    surely = every[every["p, one-sided"] < alpha / len(properties)]
    clear = surely[surely["CNNs of"] == MAIN]
    hints = properties[properties["p, one-sided"] < alpha].drop(clear.index)
    sure = single[single["q"] < alpha].sort_values("q")
    best = single.sort_values("p").iloc[0]
    show_text(
        f"**The ranking as a whole.** Of {len(properties)} tests "
        + (
            spelled(f"{row.Property} by {row.Method}" for row in clear.itertuples())
            + f" {'are' if len(clear) > 1 else 'is'} clear even after correction for their number."
            if len(clear)
            else "none is clear after correction for their number."
        )
        + (
            " Below the level only without it: "
            + spelled(f"{row.Property} by {row.Method}" for row in hints.itertuples())
            + "."
            if len(hints)
            else ""
        )
        + (
            f" From the CNNs of {BESIDE}, where the rankings have BOHB's choices in them, clear "
            "would be: "
            + spelled(f"{row.Property} by {row.Method}" for row in others.itertuples())
            + "."
            if len(others := surely[surely["CNNs of"] != MAIN])
            else f" From the CNNs of {BESIDE} none would be."
            if len(samples) > 1
            else ""
        )
    )
    show_text(
        f"**Single hyperparameters.** Of {len(single)} correlations of a weight with a property "
        f"over the data sets, {len(sure)} remain at a false discovery rate of {alpha:.0%}"
        + (
            ": "
            + spelled(
                f"`{row.Hyperparameter}` with {row.Property} by {row.Method} "
                f"($\\tau$ = {row.tau:+.2f})"
                for row in sure.itertuples()
            )
            + ". "
            if len(sure)
            else ". The strongest is that of "
            f"`{best['Hyperparameter']}` with {best['Property']} by {best['Method']} "
            f"($\\tau$ = {best['tau']:+.2f}, p = {best['p']:.3f} before correction). "
        )
        + (
            "The properties hang together"
            + (
                f" (size and channels: $\\tau$ = "
                f"{stats.kendalltau(facts['size'], facts['channels']).statistic:+.2f})"
                if {"size", "channels"} <= set(facts)
                else ""
            )
            + f", and {len(present)} data sets are few: what is found here is a lead, not a cause, "
            "and what is not found may still be there."
        )
    )
else:
    show_text("**Missing here:** for the properties of data sets four different ones are needed.")

# %% [markdown]
# ## Does `in_channel_num` mean anything?
#
# In the paper's pooled ranking the number of input channels is a hyperparameter like the others.
# But each data set has one number of channels, so its weight compares data sets. Two questions
# follow. How much would *any* division of the data sets into two kinds weigh? And what happens when
# the images of one data set are converted?

# %%
kinds = rows.groupby("dataset")["in_channel_num"].first()
colour = set(kinds[kinds == 3].index)
if colour and len(colour) < len(present):
    drawn = rows.sample(min(n_divided, len(rows)), random_state=random_state)
    without = [name for name in HYPERPARAMETERS if name in columns]
    accuracies = rows.groupby("dataset")["accuracy"].mean()

    def described(kind: frozenset) -> dict[str, float]:
        """W and rank of a made-up hyperparameter, whether the data set is one of these, and how far
        the mean accuracies of the two kinds are apart."""
        X = design(drawn, without).assign(kind=drawn["dataset"].isin(kind).astype(int))
        found = NRReliefF(n_neighbors, sigma=sigma).fit(X, drawn["accuracy"]).weights_
        among = accuracies.index.isin(kind)
        return {
            "weight": found[-1],
            "rank": 1 + int((found > found[-1]).sum()),
            "apart": abs(accuracies[among].mean() - accuracies[~among].mean()),
        }

    # Each division once: where both kinds are as many, a kind and the others make the same one.
    divisions = [frozenset(kind) for kind in combinations(present, len(colour))]
    if 2 * len(colour) == len(present):
        divisions = [kind for kind in divisions if present[0] in kind]
    known = pd.DataFrame(map(described, divisions))
    by_channels = (colour, set(present) - colour)
    own = known.iloc[next(n for n, kind in enumerate(divisions) if kind in by_channels)]
    as_much = {name: int((known[name] >= own[name]).sum()) for name in ("weight", "apart")}
    p = {name: count / len(known) for name, count in as_much.items()}
    show_text(
        f"**Every division.** There are {len(known)} divisions of the data sets, {len(colour)} "
        f"against {len(present) - len(colour)}. That by the channels has W = {own['weight']:+.4f} "
        f"and rank {own['rank']:.0f} of {len(without) + 1} (on {len(drawn):,} CNNs); "
        f"{as_much['weight']} of all divisions, itself among them, weigh as much (exact p = "
        f"{p['weight']:.2g}), and their median rank is {known['rank'].median():.0f}. The mean "
        f"accuracies of {as_much['apart']} of them are as far apart (exact p = {p['apart']:.2g}). "
        + (
            "With so few divisions none could stand out."
            if 1 / len(known) >= alpha
            else "A meaningless label of the data sets can be about as important: the weight is "
            "that of the data set."
            if min(p.values()) >= alpha
            else (
                "So this division stands out"
                if max(p.values()) < alpha
                else "So this division stands out by its weight, and not by the accuracies"
                if p["weight"] < alpha
                else "So this division stands out by the accuracies, and not by its weight"
            )
            + ". What does that, a division cannot say: data sets of colour images may have more "
            "in common than colour, and no data set is on both sides."
        )
    )

# %% [markdown]
# The screen ({doc}`screening`) trains the same configurations with one and with three channels on
# every data set: colour images made grey, grey images repeated three times. Repeating adds no
# information, so the data sets of grey images are a control: an effect there has nothing to do with
# colour.

# %%
try:
    screened = records.load("screening", screening)
except FileNotFoundError as error:
    screened = None
    show_text(f"**Missing here:** {error}. It has the converted images.")

# %%
if screened is not None:
    screened = screened[screened["dataset"].isin(present)]
    by_error = {
        error: design_of_screen.screen(screened, error).xs("in_channel_num", level="hyperparameter")
        for error in design_of_screen.ERRORS
    }
    seeds, contrasts = by_error["replicates"], by_error["contrasts"]
    in_order = sorted(seeds.index, key=lambda name: (FACTS[name].channels, list(FACTS).index(name)))
    figure, ax = plt.subplots(figsize=(5.4, 0.34 * len(in_order) + 1.4))
    for place, name in enumerate(in_order):
        its_color = look("screening" if FACTS[name].channels == 1 else "fanova")["color"]
        ax.plot(contrasts.loc[name, ["low", "high"]], [place] * 2, color=its_color, lw=1)
        ax.plot(seeds.loc[name, ["low", "high"]], [place] * 2, color=its_color, lw=4, alpha=0.5)
        ax.plot(seeds.loc[name, "effect"], place, color=its_color, marker="o")
    ax.axvline(0, color="0.5", lw=0.8)
    ticks = [
        f"{FACTS[name].label} ({'grey' if FACTS[name].channels == 1 else 'colour'})"
        for name in in_order
    ]
    ax.set_yticks(range(len(in_order)), ticks)
    ax.set_xlabel("accuracy with three channels minus with one")
    ax.grid(axis="x")
    show_figure(
        figure,
        "fig-channels",
        "Effect of the number of channels on the same images, converted, on each data set, with "
        "two 95 % intervals: thick for other seeds, thin for whether it stands out from the "
        "interactions of hyperparameters in the same design.",
        "Effects: "
        + ", ".join(f"{FACTS[name].label} {seeds.loc[name, 'effect']:+.3f}" for name in in_order),
        data=seeds[["effect", "low", "high"]]
        .join(contrasts[["low", "high"]].add_suffix("_interactions"))
        .reset_index(),
    )

# %%
if screened is not None:
    kind = pd.Series({name: FACTS[name].channels for name in seeds.index})

    def mean_effect(channels: int) -> str:
        """With Student's 95 % interval over the data sets."""
        found = seeds.loc[kind[kind == channels].index, "effect"]
        if len(found) < 2:
            return "not known from fewer than two data sets"
        half = stats.t.ppf(0.975, len(found) - 1) * stats.sem(found)
        low, high = found.mean() - half, found.mean() + half
        return f"{found.mean():+.3f} (95 % interval {low:+.3f} to {high:+.3f})"

    grey_size = seeds.loc[kind[kind == 1].index, "effect"].abs()
    colour_size = seeds.loc[kind[kind == 3].index, "effect"].abs()
    stands_out = contrasts[(contrasts["low"] > 0) | (contrasts["high"] < 0)].index
    by_channels = rows.groupby("in_channel_num")["accuracy"].mean()
    show_text(
        "**On the same images.** Three channels instead of one change the accuracy by "
        f"{mean_effect(3)} on the data sets of colour images, and by {mean_effect(1)} on those of "
        "grey images, where they bring nothing new. "
        + (
            "Between data sets, the study's CNNs with three channels differ from those with one by "
            f"{by_channels[3] - by_channels[1]:+.3f}. "
            if set(by_channels.index) == {1, 3}
            else ""
        )
        + f"Among the {len(HYPERPARAMETERS)} factors of the screen, the channels have a median "
        f"rank of {seeds['rank'].median():.0f}."
    )
    if len(grey_size) and len(colour_size):
        show_text(
            "**The control.** "
            + (
                f"The largest effect is on {FACTS[grey_size.idxmax()].label} "
                f"({seeds.loc[grey_size.idxmax(), 'effect']:+.3f}), whose images are grey: it "
                "cannot be colour. Three equal channels triple the steps that the first layer "
                "effectively takes, which can help or harm; and in this design main effects are "
                "free of interactions of two hyperparameters, not of three. "
                if grey_size.max() > colour_size.max()
                else f"The largest effect is on {FACTS[colour_size.idxmax()].label} "
                f"({seeds.loc[colour_size.idxmax(), 'effect']:+.3f}), whose images have colour. "
            )
            + (
                "Beyond what interactions do, outside the thin intervals, are the effects on "
                f"{len(stands_out)} of {len(contrasts)} data sets: "
                + spelled(FACTS[name].label for name in stands_out)
                + "."
                if len(stands_out)
                else "No effect stands out from the interactions."
            )
        )
    of_colour = seeds.loc[kind[kind == 3].index]
    beyond_seeds = of_colour.index[(of_colour["low"] > 0) | (of_colour["high"] < 0)]
    show_text(
        "**The answer.** In the pooled ranking `in_channel_num` is a label of the data set, and "
        "its weight says how the data sets differ, whatever they differ in. "
        + (
            "On converted images, colour changes the accuracy by "
            f"{colour_size.max():.3f} at most"
            + (
                ", less than channels without information do elsewhere. "
                if len(grey_size) and colour_size.max() < grey_size.max()
                else ". "
            )
            + (
                "That other seeds would show an effect as well is clear on "
                + spelled(
                    f"{FACTS[name].label} ({of_colour.loc[name, 'effect']:+.3f})"
                    for name in beyond_seeds
                )
                + ". "
                if len(beyond_seeds)
                else "On none of these data sets is it clear of the seeds' noise. "
            )
            + "That, not the pooled weight, is what the number of channels does to these CNNs, "
            "trained for a few epochs on few images."
            if len(of_colour)
            else "There is no data set of colour images here to convert."
        )
    )
