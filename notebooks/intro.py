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
# {cite:t}`wang2024efficient` trained over ten thousand convolutional networks on ten image data
# sets, each with other hyperparameters, and asked which hyperparameter the accuracy depends on
# most. They answered with N-RReliefF, a method that compares each network with the networks most
# like it, and checked the answer with functional ANOVA {cite:p}`hutter2014efficient`.
#
# This book does that again, as a reproducible paper: networks were trained for it in the same way,
# their results are recorded with the code, and every number about them is computed from that
# record. Beside ours stands the number that the paper printed. Then it asks what the paper does
# not: whether its numbers are consistent, what the ranking owes to choices and chance, and what it
# is good for.

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
universes = "data/multiverse.parquet"  # rankings by all choices
fits = "data/truth.parquet"  # rankings where the truth is known
replicates = "data/replicates.parquet"  # configurations trained again with other seeds
searches = "data/tuning.parquet"  # searches over fewer hyperparameters
n_trees = 16  # trees of functional ANOVA's forest; at least 1
n_resamples = 200  # bootstrap samples for the intervals; at least 1
random_state = 0  # seed of the forest and of the samples; at least 0

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import yaml

from hia import datasets
from hia.ranking.fanova import FAnova, measure_options
from hia.relief import NRReliefF
from hia.space import HYPERPARAMETERS, SPACE
from hia.study import records
from hia.trials import design, load
from hia_book import audit, multiverse, noise, published, truth, tuning
from hia_book.agreement import rank_agreement
from hia_book.figures import WIDTH, look, show_figure, show_text, use_style

use_style()
N_NEIGHBORS = 30  # the paper's
rows = load(trials)
# Only these are independent draws, of which intervals say something.
drawn = rows[rows["source"] == "random"]
if len(drawn) <= N_NEIGHBORS:
    drawn = rows
fewer = len(drawn) < len(rows)
columns = [name for name in HYPERPARAMETERS if (drawn[name] != drawn[name].iloc[0]).any()]
X, accuracy = design(drawn, columns), drawn["accuracy"]
# As many neighbours as in the paper, and as many as a twentieth of the CNNs: see `importance`.
relief = {N_NEIGHBORS: NRReliefF(N_NEIGHBORS)}
growing = truth.CONTENDERS["nrrelieff_growing"].options(len(drawn))
many = growing["n_neighbors"]
if many > N_NEIGHBORS:
    relief[many] = NRReliefF(**growing)
of_all = relief[N_NEIGHBORS].fit(design(rows, columns), rows["accuracy"]).weights_
W = {n: estimator.fit(X, accuracy).weights_ for n, estimator in relief.items()}


def shares(weights: np.ndarray) -> np.ndarray:
    """max(W, 0) over the sum, missing where no weight is above 0: (..., hyperparameters)."""
    positive = np.maximum(weights, 0)
    total = positive.sum(axis=-1, keepdims=True)
    return np.divide(positive, total, out=np.full_like(positive, np.nan), where=total > 0)


raw = design(drawn, columns, log=False)
measure = measure_options(SPACE, columns)
forest = FAnova(n_trees, min_samples_leaf=3, random_state=random_state, **measure)
forest.fit(raw, accuracy)
found = pd.DataFrame(
    {
        "paper, N-RReliefF": published.table(3).set_index("hyperparameter")["weight"][columns],
        "paper, ANOVA": published.table(4).set_index("hyperparameter")["weight"][columns],
        "ours, ANOVA": forest.importances_,
        "W, with BOHB": of_all,
        "ours, with BOHB": shares(of_all),
    },
    index=columns,
)
for n, estimator in relief.items():
    resampled = shares(estimator.bootstrap(X, accuracy, n_resamples, random_state))
    low, high = pd.DataFrame(resampled).quantile([0.025, 0.975]).to_numpy()
    own = {"W": W[n], "ours": shares(W[n]), "from": low, "to": high}
    found = found.assign(**{f"{name}, J = {n}": values for name, values in own.items()})

# %%
panels = {f"J = {n}": "N-RReliefF" for n in relief} | {"ANOVA": "ANOVA"}
figure, axes = plt.subplots(1, len(panels), figsize=(WIDTH, 4.4), sharey=True)
heights = np.arange(len(columns))[::-1]
colors = [look(name)["color"] for name in columns]
marks = look("paper")
axes[0].barh(0, 0, color="0.6", label="ours")
for ax, (name, method) in zip(axes, panels.items(), strict=True):
    ax.barh(heights, found[f"ours, {name}"], color=colors, height=0.66)
    ax.scatter(
        found[f"paper, {method}"],
        heights,
        s=38,
        marker=marks["marker"],
        facecolor="none",
        edgecolor=marks["color"],
        linewidth=1.3,
        label="the paper",
        zorder=3,
    )
    if method != name:
        limits = found[f"from, {name}"], found[f"to, {name}"]
        ax.hlines(heights, *limits, color="black", linewidth=1, label="95 % interval of ours")
    ax.grid(axis="x")
    ax.set_xlim(0, 1.06 * ax.dataLim.xmax)
    ax.set_title("functional\nANOVA" if method == name else f"N-RReliefF\n{name}", loc="left")
if fewer:
    axes[0].scatter(
        found["ours, with BOHB"],
        heights,
        s=70,
        marker="|",
        color=look("nrrelieff")["color"],
        linewidth=2,
        label="ours, with BOHB's CNNs",
        zorder=3,
    )
axes[0].set_yticks(heights, columns)
figure.supxlabel("share of the importance", fontsize=11)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
PAPERS = f"J = {N_NEIGHBORS}"  # the paper's


def first(method: str, n: int = 3) -> list[str]:
    weights = found[method]
    return list(weights[weights > 0].nlargest(n).index)


show_figure(
    figure,
    "fig-headline",
    f"Importance of {len(columns)} hyperparameters, from {len(drawn):,} CNNs"
    + (" of random search" if fewer else "")
    + " and as the paper prints it. A share of N-RReliefF is a part of the sum of all weights, one "
    "of functional ANOVA a part of the variance of a forest's predictions; the scales differ. "
    "N-RReliefF has the "
    f"paper's {N_NEIGHBORS} neighbours"
    + (f", and {many}, a twentieth of the CNNs" if many in relief else "")
    + "; the intervals are of the bootstrap."
    + (
        " The paper took CNNs of random search and of BOHB together, as do the upright marks, of "
        f"all our {len(rows):,}; why the bars are without BOHB's is in {{doc}}`importance`."
        if fewer
        else ""
    ),
    f"{len(panels)} panels of bars. Largest "
    + "; ".join(
        f"by {'functional ANOVA' if method == name else f'N-RReliefF, {name}'}: "
        f"{', '.join(first(f'ours, {name}'))}"
        for name, method in panels.items()
    )
    + f"; in the paper: {', '.join(first('paper, N-RReliefF'))}.",
    data=found.reset_index(names="hyperparameter"),
)


# %%
def listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def told(one: str, other: str) -> str:
    lists = found[one], found[other]
    if any((weights == weights.iloc[0]).all() for weights in lists):
        return "cannot be compared"
    return f"$\\tau$ = {rank_agreement(*lists)}"


leader = first("paper, N-RReliefF", 1)[0]
lists = [f"W, J = {n}" for n in relief]
rank = found[[*lists, "ours, ANOVA"]].rank(ascending=False, method="min").astype(int)
positive = first(f"W, {PAPERS}", len(columns))
answers = [
    f"**The ranking.** The paper's first three are {listed(first('paper, N-RReliefF'))}. Ours, "
    f"from CNNs on {rows['dataset'].nunique()} data sets, are by N-RReliefF with its "
    f"{N_NEIGHBORS} neighbours {listed(positive[:3])}"
    + (
        ", and no other has a weight above 0, for reasons that {doc}`importance` gives"
        if 0 < len(positive) < 3
        else ""
    )
    + (f"; with {many} neighbours {listed(first(lists[-1]))}" if many in relief else "")
    + f"; by functional ANOVA {listed(first('ours, ANOVA'))}"
    + (
        " (`in_channel_num` stands for the data set, not for colour: {doc}`perdataset`)"
        if "in_channel_num" in {*positive[:3], *first(lists[-1]), *first("ours, ANOVA")}
        else ""
    )
    + f". `{leader}`, the paper's first, has rank "
    + " and ".join(", ".join(str(r) for r in rank.loc[leader]).rsplit(", ", 1))
    + f" of {len(columns)} ({{doc}}`importance`)",
    "**Agreement with the paper.** Kendall's $\\tau$, 1 for the same order and 0 for an unrelated "
    f"one: N-RReliefF {told('paper, N-RReliefF', lists[0])}"
    + (f", with {many} neighbours {told('paper, N-RReliefF', lists[-1])}" if many in relief else "")
    + f"; functional ANOVA {told('paper, ANOVA', 'ours, ANOVA')}, all on random search's CNNs"
    + (
        f". With BOHB's CNNs, which the paper has too, N-RReliefF with {N_NEIGHBORS} agrees by "
        f"{told('paper, N-RReliefF', 'W, with BOHB')}: what BOHB tries is alike and does well, "
        "whatever matters"
        if fewer
        else ""
    )
    + " ({doc}`importance`)",
]
paper = audit.load()
checks = audit.checks(paper, datasets.table2())
agree = sum(check.status == audit.AGREES for check in checks)
right = audit.labels(paper.tables[5], paper.weights(3))["right"]
answers.append(
    f"**The printed numbers.** Of {len(checks)} checks of what the paper prints, {agree} agree. "
    f"{int((~right).sum())} of the {len(right)} weights of its Table 5 stand beside another pair's "
    "name ({doc}`audit`)"
)


# %%
def choices() -> str:
    """How many of the paper's findings hold in the universes that its text allows."""
    made, ranks = multiverse.ranked(multiverse.load(Path(universes)))
    permitted = multiverse.allowed(made)
    if not permitted.any():
        return "**The choices.** The paper's text rules out all that were tried ({doc}`multiverse`)"
    printed = published.table(3).set_index("hyperparameter")["rank"]
    holds = [one.holds(ranks)[permitted].mean() for one in multiverse.findings(printed)]
    leads = (ranks.loc[permitted, leader] == 1).mean()
    always, never = (sum(share == end for share in holds) for end in (1, 0))
    return (
        f"**The choices.** The paper's text allows {permitted.sum():,} ways to compute the ranking "
        f"from our CNNs. In {'none' if leads == 0 else f'{leads:.0%}'} of them `{leader}` is "
        f"first; of the paper's {len(holds)} statements about the ranking {always} hold in all of "
        f"them, {never} in none, and the "
        "others depend on the choice. With choices that the text rules out it is "
        f"{len(made):,} ways ({{doc}}`multiverse`)"
    )


def known_truth() -> str:
    """How near N-RReliefF comes to it, with few trials and with many."""
    table, _ = truth.load(Path(fits).parent)
    tau = truth.over_surfaces(table, "tau_main")
    fixed, growing, forest = tau["nrrelieff"].dropna(), tau["nrrelieff_growing"], tau["fanova"]
    peak, most = fixed.idxmax(), fixed.index.max()
    each = truth.by_surface(table, "tau_main")["nrrelieff"]
    falls = each.xs(peak, level="trials") > each.xs(most, level="trials")
    return (
        "**The method.** Where the true order is known, N-RReliefF with the paper's 30 neighbours "
        f"agrees with it by $\\tau$ = {fixed[peak]:.2f} with {peak:,} trials"
        + (
            f", and by {fixed[most]:.2f} with {most:,}: it falls on {falls.sum()} of {len(falls)} "
            "surfaces"
            if most > peak
            else ""
        )
        + f". With {most:,} trials a twentieth of them as neighbours agree by {growing[most]:.2f}, "
        f"functional ANOVA by {forest[most]:.2f} ({{doc}}`methods`)"
    )


def chance() -> str:
    """The seed's part of the accuracy."""
    share = noise.seed_share(records.load("replicates", replicates))
    return (
        f"**The noise.** Of the variance of accuracy within a data set, {share} is the seed of the "
        "training, which no hyperparameter can explain ({doc}`noise`)"
    )


def use() -> str:
    """From how many trials on a search over everything is ahead of one over the first three."""
    done = tuning.complete(tuning.load(Path(searches)))

    def ahead(name: str, default: str) -> str:
        curve = tuning.losses(done, default, "random", name, 3)
        n = tuning.wins_from(curve, surely=True)
        return "at no number of trials that we tried" if n is None else f"from {n} trials on"

    thirty, wider = (
        [ahead(name, default) for default in ("table1", "learned")]
        for name in ("nrrelieff", "nrrelieff_growing")
    )
    return (
        "**The use.** Is it enough to tune the first three? On forests fitted to our CNNs, all "
        f"trained for {SPACE['epoch'].bounds[1]:.0f} epochs, random search over everything is "
        f"clearly ahead of the first three by N-RReliefF {thirty[0]} where the rest is at the "
        f"paper's defaults, and {thirty[1]} where it is at defaults learned from other data sets; "
        "with a twentieth of the CNNs as neighbours "
        + ("it is no different" if wider == thirty else f"{wider[0]}, and {wider[1]}")
        + " ({doc}`pays`)"
    )


for answer in (choices, known_truth, chance, use):
    try:
        answers.append(answer())
    except FileNotFoundError:
        continue  # its own page says what is missing
show_text("**In short.**\n\n" + "\n".join(f"- {one}." for one in answers))

# %%
between = rows.groupby("dataset")["accuracy"].transform("mean").var() / rows["accuracy"].var()
guessing = 1 / drawn["dataset"].map(datasets.table2().set_index("name")["classes"])
limits = [
    f"**Other networks.** Ours are small, saw {rows['images'].median():,.0f} images each (the "
    f"median) for {rows['epoch'].min()} to {rows['epoch'].max()} epochs, and "
    f"{(drawn['accuracy'] < 2 * guessing).mean():.0%} of those of random search are not twice as "
    "good as guessing. Much of the importance here is whether a CNN learns anything at all "
    "({doc}`data`, {doc}`noise`)",
    "**Why we differ from the paper.** Its CNNs, its code and some of its options are not "
    "published. Where we differ it may be any of these, or ours ({doc}`importance`)",
    "**Both searches at once.** Without BOHB's CNNs a part of the paper's study is missing; with "
    "them no interval holds, for one trial follows from others ({doc}`card`)",
    f"**Other tasks.** The {rows['dataset'].nunique()} data sets are alike, small images to sort, "
    f"and are pooled by accuracy: {between:.0%} of its variance is between them "
    "({doc}`perdataset`)",
    "**The truth.** The true orders are those of invented functions and of a forest, and shares of "
    "variance are what functional ANOVA is made for. The searches are on forests, without the "
    "noise and the cost of trainings ({doc}`methods`, {doc}`pays`)",
]
show_text("**What this cannot say.**\n\n" + "\n".join(f"- {one}." for one in limits))

# %% [markdown]
# ## What is where

# %%
PAGES = {
    "setup": "what was varied, over what range, in what network",
    "data": "the images, how many CNNs, and how accurate they are",
    "card": "the recorded tables, described and to download",
    "curves": "accuracies over the epochs",
    "explorer": "all trials, to look through",
    "method": "the equations, and a small example",
    "importance": "the main result: Tables 3 and 4",
    "reliability": "the ICC and Fig. 4",
    "joint": "pairs of hyperparameters: Table 5",
    "filters": "the numbers of filters: Tables 6 and 7",
    "audit": "the paper's numbers against each other",
    "items": "every figure, table and equation of the paper, with where it is and how we agree",
    "multiverse": "every choice in the computation: those that the paper's text allows, and all",
    "perdataset": "a ranking for each data set",
    "noise": "the seed, and the number of images",
    "methods": "methods against a known truth, and against the cost of trainings",
    "screening": "a ranking from 24 designed trainings",
    "pays": "searches over fewer hyperparameters",
    "rerun": "all of this again, and on trials of your own",
    "live": "a few CNNs, trained while the page is made",
    "cluster": "a study on many machines",
    "extend": "another data set, hyperparameter or method, step by step",
    "api": "the package",
    "cite": "licence and citation",
}
toc = yaml.safe_load(Path("book/_toc.yml").read_text(encoding="utf-8"))
groups = []
for part in toc["parts"]:
    pages = [chapter["file"] for chapter in part["chapters"]]
    lines = [f"- {{doc}}`{page}`: {PAGES[page]}" for page in pages if page in PAGES]
    groups.append("\n".join([f"**{part['caption']}**\n", *lines]))
show_text("\n\n".join(groups))

# %% [markdown]
# - Above each result, *Show the code* opens the code that made it. The download button at the top
#   of a page gives the whole notebook, and the box at its end says how to run it with other
#   parameters.
# - Figures and tables of the paper have its numbers, all others have numbers that begin with S.
#   Under each stands its data, to download.
# - The book needs no network: it can be read from a folder, on any device.
