# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What the ranking owes to choices
#
# N-RReliefF cannot be computed from the paper's text alone: some choices are left open. Others the
# text settles, but could have settled otherwise. This page makes all of them, in every combination,
# and looks at what becomes of the ranking: where only that is varied which the text leaves open,
# and where everything is. Such a set of analyses of the same data is called a multiverse
# {cite:p}`steegen2016increasing`, and one of them a universe.

# %% tags=["parameters"]
universes = "data/multiverse.parquet"  # recorded weights, one row per computation
trials = "data/trials.parquet"  # the trained CNNs, one row each
planted = ["num_fc_units", "batch_size"]  # made to matter; choices: hia.space.HYPERPARAMETERS
planted_part = 0.5  # part of the performance that they then are; 0 to 1
stretch = 100.0  # factor of a unit of measurement, as a test; above 0
n_resamples = 500  # resamples of the CNNs, for comparison; at least 1
random_state = 0  # seed of these and of the forest; at least 0

# %%
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap

from hia.ranking.fanova import FAnova, measure_options
from hia.relief import NRReliefF
from hia.space import HYPERPARAMETERS, SPACE
from hia.trials import design, load
from hia_book import multiverse, published
from hia_book.figures import look, show_figure, show_table, show_text, use_style

use_style()
rows = load(trials)
paper = published.table(3).set_index("hyperparameter")["rank"]
names = list(paper.sort_values().index)
BLUE = look("nrrelieff")["color"]
BLUES = LinearSegmentedColormap.from_list("blues", [f"{BLUE}00", f"{BLUE}FF"])


def spelled(items) -> str:
    items = list(items)
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items) or "none"


def quoted(items) -> str:
    return spelled(f"`{item}`" for item in items)


def recorded():
    """The universes, None with words on the page where they are not there."""
    try:
        table = multiverse.load(universes)
    except FileNotFoundError as error:
        show_text(f"**Missing here:** {error}. Only what needs no universes follows.")
        return None
    note = Path(universes).with_suffix(".json")
    made = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    if made.get("fingerprint") != multiverse.fingerprint(rows):
        show_text(
            f"**Not of the same CNNs:** the universes were recorded from {made.get('trials', 0):,} "
            f"CNNs, and `{trials}` now has {len(rows):,} others. "
            "`python studies/record_multiverse.py` records them again."
        )
    return table


table = recorded()
if table is not None:
    choices, ranks = multiverse.ranked(table)
    ranks = ranks[names]
    moves = multiverse.moves(choices, ranks)
    shares = multiverse.variance_shares(choices, ranks)
    open_choices = [name for name in choices if len(choices[name].unique()) > 1]
    allowed = multiverse.allowed(choices)
    show_text(
        f"There are {len(choices):,} universes here: all combinations of the options in "
        "{numref}`table-multiverse-choices`. In each, N-RReliefF ranks the hyperparameters of "
        f"{table['rows'].min():,} to {table['rows'].max():,} CNNs, depending on the choices. "
        + (
            f"The paper's text rules out all but {allowed.sum():,} of them: it says how many "
            "neighbours there are, of which CNNs and by which distance, but not whether values are "
            "scaled beforehand, nor $\\sigma$, nor how weights become shares."
            if allowed.any()
            else "The paper's text rules out all of them."
        )
    )

# %%
if table is not None:
    places = range(1, len(names) + 1)
    # A rank between two places, of ten stretched over eleven or of a tie, counts in part for both.
    held = pd.DataFrame(
        {place: (1 - (ranks - place).abs()).clip(lower=0).mean() for place in places}
    )
    figure, (top, bottom) = plt.subplots(2, figsize=(5.4, 8.4), height_ratios=[11, 10])
    top.imshow(held, cmap=BLUES, vmin=0, vmax=max(0.5, held.max(axis=None)), aspect="auto")
    for row, name in enumerate(names):
        for column, share in enumerate(held.loc[name]):
            if share >= 0.005:
                strong = share > 0.75 * max(0.5, held.max(axis=None))
                color = "white" if strong else "black"
                top.text(
                    *(column, row, f"{100 * share:.0f}"),
                    ha="center", va="center", fontsize=9.5, color=color,
                )  # fmt: skip
        top.add_patch(
            plt.Rectangle((paper[name] - 1.46, row - 0.46), 0.92, 0.92, fill=False, lw=1.8)
        )
    top.set_xticks(range(len(names)), places)
    top.set_yticks(range(len(names)), names)
    top.set_xlabel("rank")
    top.set_title("share of the universes, %")

    labels = [multiverse.CHOICES[name].label for name in open_choices]
    shown = moves[open_choices]
    bottom.imshow(shown, cmap=BLUES, vmin=0, vmax=shown.max(axis=None), aspect="auto")
    for row, name in enumerate(names):
        for column, moved in enumerate(shown.loc[name]):
            if np.isfinite(moved):
                color = "white" if moved > 0.75 * shown.max(axis=None) else "black"
                bottom.text(
                    *(column, row, f"{moved:.1f}"),
                    ha="center", va="center", fontsize=9.5, color=color,
                )  # fmt: skip
    bottom.set_xticks(range(len(labels)), labels, rotation=40, ha="right")
    bottom.set_yticks(range(len(names)), names)
    bottom.set_title("places moved by one choice")
    for ax in (top, bottom):
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    mean_rank = ranks.mean().sort_values()
    largest = shown.mean().sort_values(ascending=False).index
    drawn = held.rename(columns=lambda place: f"share_rank_{place}").join(
        shown.add_prefix("moved_by_")
    )
    show_figure(
        figure,
        "fig-multiverse",
        f"{len(choices):,} ways to compute the same ranking. Above: how often a hyperparameter has "
        "each rank; boxes are the paper's ranks. If no choice mattered, every row would have one "
        "filled cell. Below: how many places a rank moves on average when one choice is made "
        "otherwise and all others stay.",
        "Two tables of coloured cells. Mean ranks over the universes: "
        + ", ".join(f"{name} {rank:.1f}" for name, rank in mean_rank.items())
        + f". The choice that moves ranks most is {multiverse.CHOICES[largest[0]].label}.",
        data=drawn.reset_index(names="hyperparameter"),
    )

# %%
if table is not None:
    # A bootstrap takes rows for independent draws, which those of BOHB are not.
    drawn = rows[rows["source"] == "random"]
    if len(drawn) <= NRReliefF().n_neighbors:
        drawn = rows
    one_universe = NRReliefF().bootstrap(
        design(drawn), drawn["accuracy"], n_resamples, random_state
    )
    by_chance = multiverse.ranks(pd.DataFrame(one_universe, columns=list(HYPERPARAMETERS)))

    def apart(ranks: pd.DataFrame) -> float:
        """Places between the ranks of a hyperparameter in two rows, the mean over all pairs."""
        columns = [np.sort(ranks[name].dropna().to_numpy()) for name in names]
        return float(np.mean([_gini(values) for values in columns if len(values) > 1]))

    def _gini(values: np.ndarray) -> float:
        n = len(values)
        return 2 * ((2 * np.arange(1, n + 1) - n - 1) @ values) / (n * (n - 1))

    between, chance = apart(ranks), apart(by_chance)
    fixed = [name for name in names if (ranks[name].dropna() == ranks[name].dropna().iloc[0]).all()]
    steady, loose = ranks.std().idxmin(), ranks.std().idxmax()
    show_text(
        (
            f"The same rank in all universes: {quoted(fixed)}. "
            if fixed
            else "No hyperparameter has the same rank in all universes. "
        )
        + f"The steadiest is `{steady}` (ranks {ranks[steady].quantile(0.05):.0f} to "
        f"{ranks[steady].quantile(0.95):.0f} in 90 % of them), the loosest `{loose}` "
        f"({ranks[loose].quantile(0.05):.0f} to {ranks[loose].quantile(0.95):.0f}). In two "
        f"universes drawn at random a hyperparameter is {between:.1f} places apart on average; in "
        f"unrelated rankings it would be {(len(names) ** 2 - 1) / (3 * len(names)):.1f}. "
        f"That is not all choice: resampling the {len(drawn):,} CNNs "
        + ("of random search, which are independent draws, " if len(drawn) < len(rows) else "")
        + "within one universe "
        "(normalised Euclidean distance, `lr` on its logarithm, all else as in "
        f"{{doc}}`importance`) moves it by {chance:.1f} places. "
        + (
            "**The choices move the ranking more than the luck of the draw does.**"
            if between > 1.25 * chance
            else "**The choices move the ranking less than the luck of the draw does:** these CNNs "
            "are too few to tell the universes apart."
            if between < 0.8 * chance
            else "**The choices move the ranking about as much as the luck of the draw does.**"
        )
        + " Universes on fewer CNNs, such as those of one search or of one data set at a time, "
        "have more of that luck in them."
    )

# %% [markdown]
# ## The choices
#
# Bold options are those that the paper's text does not rule out. Two measures of a choice. *Moves*:
# the places from the lower part of {numref}`fig-multiverse`, the mean over the hyperparameters.
# *Alone*: the share of the variance of a rank over the universes that goes with this choice,
# whatever the others are, as functional ANOVA would split it; here it is exact, because every
# combination is there once. The rest belongs to combinations of choices.

# %%
if table is not None:
    described = pd.DataFrame(
        {
            "Choice": [multiverse.CHOICES[name].label for name in open_choices],
            "Options": [
                ", ".join(
                    option if option in multiverse.CHOICES[name].against else f"**{option}**"
                    for option in choices[name].cat.remove_unused_categories().cat.categories
                )
                for name in open_choices
            ],
            "The paper": [multiverse.CHOICES[name].paper for name in open_choices],
            "Moves": [moves[name].mean() for name in open_choices],
            "Alone": [shares[name].mean() for name in open_choices],
        }
    ).sort_values("Moves", ascending=False)
    show_table(
        described,
        "table-multiverse-choices",
        "The choices, with the options that the paper's text allows in bold, what it says of them, "
        "by how many places one moves a rank, and which share of a rank's variance it explains "
        "alone (means over the hyperparameters).",
        formats={"Moves": ".2f", "Alone": ".1%"},
    )

# %%
if table is not None:
    strongest = shares[open_choices].idxmax(axis=1).dropna()
    parts = []
    for choice, group in strongest.groupby(strongest, sort=False):
        best = shares.loc[group.index, choice]
        shares_text = spelled(f"`{name}` ({share:.0%})" for name, share in best.items())
        parts.append(f"{multiverse.CHOICES[choice].label}: {shares_text}")
    idle = [name for name in open_choices if moves[name].mean() < 0.1]
    show_text(
        "The choice that explains most of a rank alone is, by hyperparameter: "
        + "; ".join(parts)
        + f". Combinations of choices explain {shares['together'].mean():.0%} on average: what one "
        "choice does depends on the others, and on the noise of the CNNs that it selects. "
        + (
            "These move a rank by less than a tenth of a place and can be left as they are: "
            + spelled(multiverse.CHOICES[name].label for name in idle)
            + "."
            if idle
            else ""
        )
    )
    show_text(
        "Not among the choices is how W becomes a share. All ways that keep the order keep the "
        "ranks; the one that does not, to rank by the size of W, is. The paper's shares sum to 1 "
        "and are all positive. Eq. 10 gives weights below 0 as well: in "
        f"{(table[names] < 0).any(axis=1).mean():.0%} of these universes at least one is."
    )

# %% [markdown]
# ## Which findings survive
#
# The paper's statements about its Table 3, looked up in every universe that its text allows, and in
# all. *Made by one choice* means: with one option of it the statement holds in at most a twentieth
# of the universes, and with another in more than half. The statements are nested, for a
# hyperparameter among the first three is among the first five as well, and all are about one
# ranking: how many of them hold is no count of independent findings.

# %%
KINDS = {
    "every": "survives every choice",
    "most": "survives nearly all",
    "mixed": "depends on the choices",
    "one choice": "made by one choice",
    "few": "hardly ever holds",
    "none": "never holds",
}
ALLOWED, ALL = "that the text allows", "in all"


def judged(some: pd.Series) -> list[multiverse.Verdict]:
    """A verdict on every finding, from some of the universes."""
    return [multiverse.judge(choices[some], one.holds(ranks[some])) for one in findings]


def counted(verdicts: list[multiverse.Verdict]) -> str:
    """How many findings have which verdict, which of them survive, and what makes the others."""
    found = {kind: [] for kind in KINDS}
    for one, verdict in zip(findings, verdicts, strict=True):
        found[verdict.kind].append((one.text, multiverse.CHOICES[verdict.choice].label))
    parts = []
    for words, kinds, named in (
        ("survive every choice", ("every",), 0),
        ("survive nearly all", ("most",), 0),
        ("made by one choice", ("one choice",), 1),
        ("depend on several choices", ("mixed",), None),
        ("hold hardly ever or never", ("few", "none"), None),
    ):
        some = [pair for kind in kinds for pair in found[kind]]
        names = dict.fromkeys(pair[named] for pair in some) if named is not None else ()
        parts.append(f"{words}: {len(some) or 'none'}" + (f" ({spelled(names)})" if names else ""))
    return "; ".join(parts)


if table is not None:
    findings = multiverse.findings(paper)
    sets = {ALL: pd.Series(True, choices.index)}
    if allowed.any():
        sets = {ALLOWED: allowed} | sets
    verdicts = {words: judged(some) for words, some in sets.items()}
    first = next(iter(sets))
    show_table(
        pd.DataFrame(
            {"The paper finds": [finding.text for finding in findings]}
            | {
                heading: [verdict.share for verdict in verdicts[words]]
                for words, heading in ((ALLOWED, "Allowed by the text"), (ALL, "All"))
                if words in verdicts
            }
            | {
                "Verdict": [KINDS[verdict.kind] for verdict in verdicts[first]],
                "Depends most on": [
                    f"{multiverse.CHOICES[verdict.choice].label} ("
                    + ", ".join(f"{name}: {s:.0%}" for name, s in verdict.by_option.items())
                    + ")"
                    if verdict.kind in ("most", "mixed", "one choice")
                    else ""
                    for verdict in verdicts[first]
                ],
            }
        ),
        "table-multiverse-findings",
        "In which share of the universes the paper's findings hold: of the "
        + " and of the ".join(f"{some.sum():,} {words}" for words, some in sets.items())
        + f". Of those {first}: the verdict, and the choice whose options differ most in how often "
        "a finding holds.",
        formats=dict.fromkeys(("Allowed by the text", "All")[-len(sets) :], ".1%"),
    )
    leads = {words: found[0].share for words, found in verdicts.items()}
    show_text(
        "\n".join(
            f"- **The {sets[words].sum():,} {words}.** Of {len(findings)} findings, "
            f"{counted(found)}."
            for words, found in verdicts.items()
        )
        + "\n\n"
        + f"That {findings[0].text} holds in "
        + " and in ".join(
            f"{'none' if not share else 'all' if share == 1 else f'{share:.1%}'} of the "
            f"{sets[words].sum():,} {words}"
            for words, share in leads.items()
        )
        + (
            ". What holds in none that the text allows, our CNNs do not show by any computation "
            "that the paper describes."
            if len(sets) > 1
            else ". What holds in none of them, our CNNs do not show by any of these computations."
        )
    )

# %%
if table is not None:
    tau = multiverse.taus(ranks, paper)
    # To the letter: the first option of each choice, where the paper says one.
    literal = {name: choice.options[0] for name, choice in multiverse.CHOICES.items()}
    del literal["sigma"]
    as_written = np.all([choices[name] == option for name, option in literal.items()], axis=0)
    nearest = tau >= tau.quantile(0.99)
    common = {
        name: choices.loc[nearest, name].value_counts(normalize=True).iloc[[0]]
        for name in open_choices
    }
    usual = {name: choices[name].value_counts(normalize=True).max() for name in open_choices}
    together = np.all(
        [choices[n] == common[n].index[0] for n in open_choices if common[n].iloc[0] == 1], axis=0
    )
    telling = [name for name in open_choices if common[name].iloc[0] > usual[name] + 0.25]
    show_text(
        "As a whole, the ranking agrees with the paper's with a Kendall's $\\tau$ of "
        f"{tau.median():.2f} in the median universe, {tau.min():.2f} in the worst and "
        f"{tau.max():.2f} in the best. "
        + (
            f"In the {allowed.sum():,} that the text allows it is {tau[allowed].min():.2f} to "
            f"{tau[allowed].max():.2f}. "
            if allowed.any()
            else ""
        )
        + (
            "In those that follow it to the letter, whatever $\\sigma$, it is "
            f"{tau[as_written].min():.2f} to {tau[as_written].max():.2f}. "
            if as_written.any()
            else ""
        )
        + (
            "What the nearest hundredth of the universes have in common is "
            + spelled(
                f"{multiverse.CHOICES[name].label} = {common[name].index[0]} "
                f"({common[name].iloc[0]:.0%} of them)"
                for name in telling
            )
            + f". All {together.sum():,} universes with what the nearest share without exception "
            f"have a median $\\tau$ of {tau[together].median():.2f}. That is no evidence that the "
            "paper made these choices: among so many universes some come near by chance."
            if telling
            else "The nearest hundredth of the universes have no option in common."
        )
    )

# %% [markdown]
# ## Are the last two unimportant?
#
# `num_fc_units` and `batch_size` are last in the paper. They also have by far the largest numbers,
# up to 256, and on raw values these decide who is a neighbour ({doc}`importance`). Three tests
# separate the two explanations. None of them needs the paper's data.
#
# **Planted importance.** What would raw distance say if such a hyperparameter did matter? Part of
# the performance is replaced by the hyperparameter itself, scaled to lie between 0 and 1.
#
# **Another unit.** If a low rank is the unit's work, then any hyperparameter should lose its weight
# when it is written in a smaller unit, with larger numbers.
#
# **A method without distance.** Functional ANOVA finds no neighbours, and cannot be misled by
# units.

# %%
varying = [name for name in HYPERPARAMETERS if (rows[name] != rows[name].iloc[0]).any()]
raw, scaled = design(rows, varying, log=False), design(rows, varying)
real = rows["accuracy"]


def weigh(X: pd.DataFrame, performance: pd.Series, scale: str) -> pd.Series:
    return pd.Series(NRReliefF(scale=scale).fit(X, performance).weights_, index=varying)


def rank(weights: pd.Series, name: str) -> int:
    return int((weights > weights[name]).sum()) + 1


def unit(values: pd.Series) -> pd.Series:
    return (values - values.min()) / (values.max() - values.min())


tests = []
for name in planted:
    itself = unit(rows[name].astype(float))
    mixed = planted_part * itself + (1 - planted_part) * real
    found = {
        ("raw", "real"): weigh(raw, real, "none"),
        ("normalised", "real"): weigh(scaled, real, "range"),
        ("raw", "planted"): weigh(raw, mixed, "none"),
        ("normalised", "planted"): weigh(scaled, mixed, "range"),
    }
    tests += [
        {
            "Hyperparameter": name,
            "Target": "accuracy" if performance == "real" else "planted",
            "Explains": np.corrcoef(itself, real if performance == "real" else mixed)[0, 1] ** 2,
            "Distance": distance,
            "W": weights[name],
            "Rank": rank(weights, name),
        }
        for (distance, performance), weights in found.items()
    ]
tests = pd.DataFrame(tests)
show_table(
    tests.assign(Hyperparameter=[f"`{name}`" for name in tests["Hyperparameter"]]),
    "table-multiverse-planted",
    f"W and rank among {len(varying)} with the accuracy as it is, and with {planted_part:.0%} of "
    "it replaced by the hyperparameter itself. *Explains*: the share of this target's "
    "variance that a straight line in the hyperparameter explains.",
    formats={"Explains": ".1%", "W": "+.4f"},
)

# %%
numbers = [name for name in varying if pd.api.types.is_numeric_dtype(scaled[name])]
flat = scaled.assign(**{name: unit(scaled[name]) for name in numbers})
before = weigh(flat, real, "none")
stretched = []
for name in numbers:
    after = weigh(flat.assign(**{name: stretch * flat[name]}), real, "none")
    stretched.append(
        {
            "Hyperparameter": name,
            "W": before[name],
            "Place by size": rank(before.abs(), name),
            "W, other unit": after[name],
            "Place by size, other unit": rank(after.abs(), name),
        }
    )
stretched = pd.DataFrame(stretched)
show_table(
    stretched.assign(Hyperparameter=[f"`{name}`" for name in stretched["Hyperparameter"]]),
    "table-multiverse-units",
    "W with all hyperparameters from 0 to 1, and after writing this one, alone, from 0 to "
    f"{stretch:g}. *Place by size*: of |W| among {len(varying)}.",
    formats={"W": "+.4f", "W, other unit": "+.2g"},
)

# %%
options = measure_options(SPACE, varying)
forest = FAnova(random_state=random_state, min_samples_leaf=3, **options)
without_distance = pd.Series(forest.fit(rows[varying], real).importances_, index=varying)
blind = tests[(tests["Distance"] == "raw") & (tests["Target"] == "planted")].set_index(
    "Hyperparameter"
)
seen = tests[(tests["Distance"] == "normalised") & (tests["Target"] == "planted")].set_index(
    "Hyperparameter"
)
missed = [n for n in planted if blind.loc[n, "Rank"] > 1 and seen.loc[n, "Rank"] == 1]
small = stretched[stretched["Place by size, other unit"] > len(varying) - 2]
low = [n for n in planted if rank(without_distance, n) > len(varying) / 2]
show_text(
    "**Planted importance.** "
    + (
        f"{'Both' if len(missed) == len(planted) == 2 else quoted(missed)}: with the normalised "
        "distance the planted hyperparameter is first, as it must be. With the raw distance it is "
        "not: "
        + spelled(
            f"`{n}` has W = {blind.loc[n, 'W']:.1g} and rank {blind.loc[n, 'Rank']}" for n in missed
        )
        + ", although what was planted explains "
        + spelled(f"{blind.loc[n, 'Explains']:.0%}" for n in missed)
        + " of the performance. **On raw values the method cannot see them, whether they matter or "
        "not.**"
        if missed
        else "The raw distance finds the planted hyperparameters too: here it does not hide them."
    )
)
show_text(
    f"**Another unit.** {len(small)} of {len(stretched)} hyperparameters are in the last two "
    f"places by size once their numbers are {stretch:g} times larger"
    + (f": {quoted(small['Hyperparameter'])}. " if len(small) else ". ")
    + (
        f"Among them is `{before.abs()[numbers].idxmax()}`, the one of the largest weight before. "
        if before.abs()[numbers].idxmax() in set(small["Hyperparameter"])
        else ""
    )
    + "The size of W then is what the unit makes it."
)
show_text(
    "**A method without distance.** Functional ANOVA gives "
    + spelled(
        f"`{n}` {without_distance[n]:.2%} of the variance (rank {rank(without_distance, n)} of "
        f"{len(varying)})"
        for n in planted
    )
    + "."
)

# %%
if table is not None:
    by_distance = {
        n: ranks[n].groupby(choices["distance"] == "raw Euclidean").median() for n in planted
    }
    text = " ".join(
        f"`{n}` has a median rank of {medians.get(True, np.nan):.1f} in universes with the raw "
        f"distance and of {medians.get(False, np.nan):.1f} in the others."
        for n, medians in by_distance.items()
        if n in ranks and len(medians) == 2
    )
else:
    text = ""
high = [n for n in planted if n not in low]


def are(items) -> str:
    return f"{quoted(items)} {'are' if len(items) > 1 else 'is'}"


answer = []
if missed:
    answer.append(
        f"A low rank by raw distance says nothing about {quoted(missed)}: it would be there anyway."
    )
if low:
    answer.append(f"Without any distance, {are(low)} in the lower half of the ranking too.")
if high:
    answer.append(f"Without any distance, {are(high)} in the upper half of the ranking.")
if missed and not high:
    answer.append(
        "So the paper may be right that they matter little. But its computation, taken to the "
        "letter, could not have shown otherwise."
    )
elif missed:
    answer.append(f"So for {quoted(high)} the low rank is the distance's work, not the CNNs'.")
show_text(f"**The answer.** {' '.join(answer)} {text}")

# %% [markdown]
# ## What this cannot say
#
# All options count the same here, sensible or not, and another list of options would give other
# shares. The universes share their CNNs, so they are no independent evidence: what all of them say
# can still be wrong for other CNNs. And the multiverse is one of N-RReliefF only; {doc}`methods`
# compares methods, and {doc}`perdataset` data sets.
