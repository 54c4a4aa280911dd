# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Importance weights
#
# The paper's main result is a weight for each of eleven hyperparameters, by N-RReliefF (its Table
# 3) and, as a check, by functional ANOVA (its Table 4). {numref}`table-3` and {numref}`table-4`
# have ours beside them.

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
datasets: list[str] = []  # data sets to use, all if empty; choices: hia.datasets.NAMES
sources = ["random", "bohb"]  # how configurations were found; choices: hia.trials.SOURCES
n_neighbors = 30  # J, neighbours of each CNN, the paper's value; at least 1
sigma = 20.0  # decay of a neighbour's influence with its rank; above 0
metric = "euclidean"  # distance, but of *Raw*; choices: euclidean, manhattan
scale = "range"  # what the distance is computed on, raw values by none; choices: range, none
weighting = "exp_rank"  # influence of the neighbours; choices: exp_rank, uniform
rank_base = 1  # rank of the nearest neighbour; choices: 0, 1
log_lr = True  # take the learning rate on its logarithm
fanova_rows = 3000  # CNNs that functional ANOVA uses at most, drawn at random; at least 1
n_trees = 16  # trees of its forest; at least 1
n_permutations = 999  # of each hyperparameter, to tell its weight from chance; at least 1
n_resamples = 200  # bootstrap samples for the intervals; at least 1
random_state = 0  # seed of these draws and of the forests; at least 0

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import kendalltau
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neighbors import NearestNeighbors

from hia.ranking import fanova_package
from hia.ranking.fanova import FAnova, measure_options
from hia.relief import NRReliefF
from hia.space import HYPERPARAMETERS, SPACE
from hia.trials import design, load, select
from hia_book import published, truth
from hia_book.agreement import rank_agreement
from hia_book.figures import look, show_agreement, show_figure, show_table, show_text, use_style

use_style()
rows = select(load(trials), datasets, sources)
drawn = rows[rows["source"] == "random"]
both = n_neighbors < len(drawn) < len(rows)  # CNNs of both searches, and enough of random search
if not both:
    drawn = rows
columns = [name for name in HYPERPARAMETERS if (drawn[name] != drawn[name].iloc[0]).any()]
constant = [name for name in HYPERPARAMETERS if name not in columns]
accuracy = rows["accuracy"]


def listed(names) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


show_text(
    f"Used are {len(rows):,} trained CNNs of {rows['dataset'].nunique()} data sets, with "
    f"{rows['images'].median():,.0f} training images each (the median); the paper has "
    f"{published.figure2()['models'].sum():,} CNNs, and mentions no limit on the images."
    + (f" Left out, because they have one value only: {listed(constant)}." if constant else "")
)

# %% [markdown]
# ## N-RReliefF
#
# The text does not determine the computation ({numref}`table-open`), so there are several of ours.
#
# - *Ours* is nearest to what the paper describes: CNNs of both searches, and its number of
#   neighbours. Every hyperparameter is divided by its range before distances are taken, `lr` on its
#   logarithm.
# - *Random search* is the same without the CNNs that BOHB chose. What BOHB tries depends on what it
#   has seen, so that only those of random search are independent draws from the space, of which
#   tests and intervals can say something.
# - *J = n/20* is of random search too, with a twentieth of these CNNs as neighbours, and $\sigma$
#   larger in proportion: why, the section *Thirty neighbours* says. With fewer CNNs than 20 times
#   the paper's number it is left out.
# - *Raw* takes the paper's definition of the distance to the letter, of both searches: raw values,
#   `lr` as it is.
#
# A share is $\max(W, 0)$ divided by the sum of these; ranks go by $W$, so that hyperparameters with
# a share of 0 have a rank too.

# %%
many = min(max(n_neighbors, len(drawn) // 20), len(drawn) - 1)
options = {"metric": metric, "scale": scale, "weighting": weighting, "rank_base": rank_base}
thirty = NRReliefF(n_neighbors=n_neighbors, sigma=sigma, **options)
growing = NRReliefF(n_neighbors=many, sigma=sigma * many / n_neighbors, **options)
raw_distance = NRReliefF(n_neighbors=n_neighbors, sigma=sigma, scale="none")
X, X_drawn = design(rows, columns, log=log_lr), design(drawn, columns, log=log_lr)
fitted = {"Ours": thirty.fit(X, accuracy).weights_}
if both:
    fitted["Random search"] = thirty.fit(X_drawn, drawn["accuracy"]).weights_
if many > n_neighbors:
    fitted["J = n/20"] = growing.fit(X_drawn, drawn["accuracy"]).weights_
fitted["Raw"] = raw_distance.fit(design(rows, columns, log=False), accuracy).weights_
of_drawn = "Random search" if both else "Ours"  # of independent draws, with the paper's J
W = pd.DataFrame(fitted, index=columns)
positive = W.clip(lower=0)
share = positive / positive.sum().replace(0, np.nan)  # missing where no weight is above 0
rank = W.rank(ascending=False, method="min").astype(int)
paper = published.table(3).set_index("hyperparameter").loc[columns]
table3 = pd.DataFrame({"Paper": paper["weight"], "Rank": paper["rank"]})
printed = [name for name in fitted if name != "Raw"]
for name in printed:
    table3[name] = share[name]
    table3[f"{name}, rank"] = rank[name]


def by_name(table: pd.DataFrame) -> pd.DataFrame:
    """With the hyperparameters in a column of their own."""
    return table.reset_index(drop=True).assign(
        Hyperparameter=[f"`{name}`" for name in table.index]
    )[["Hyperparameter", *table.columns]]


# The same words for a way of computing them wherever they are told.
WAYS = {
    "Ours": f"both searches, {n_neighbors} neighbours" if both else f"{n_neighbors} neighbours",
    "Random search": f"random search alone, {n_neighbors} neighbours",
    "J = n/20": ("random search alone, " if both else "") + f"{many:,} neighbours",
    "Raw": f"raw distances, {n_neighbors} neighbours",
}
show_table(
    by_name(table3),
    "table-3",
    f"Importance by N-RReliefF: the paper's Table 3 and ours, from {len(rows):,} CNNs"
    + (f", {len(drawn):,} of them of random search" if both else "")
    + ". "
    + "; ".join(f"*{name}*: {WAYS[name]}" for name in printed)
    + ".",
    dict.fromkeys(["Paper", *printed], ".4f"),
)

# %%
COLORS = {"Paper": "paper", "Ours": "nrrelieff", "Random search": "random"}
COLORS |= {"J = n/20": "nrrelieff_growing", "Raw": "nrrelieff_raw"}
figure, axes = plt.subplots(figsize=(5.4, 5))
heights = np.arange(len(table3))[::-1]
shares = pd.DataFrame({"Paper": paper["weight"], **share})
axes.hlines(heights, shares.min(axis=1), shares.max(axis=1), color="0.8", zorder=1)
for method in shares:
    axes.scatter(shares[method], heights, s=45, alpha=0.85, label=method, **look(COLORS[method]))
axes.set_yticks(heights, columns)
axes.set_xlabel("share of the importance")
axes.set_xlim(left=-0.015)
axes.grid(axis="x")
figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)


def largest(method: str) -> str:
    weights = shares[method]
    return f"{weights.idxmax()} ({method})" if weights.notna().any() else f"none ({method})"


show_figure(
    figure,
    "fig-importance",
    "Shares of {numref}`table-3`, and by raw distances, in the paper's order.",
    alt="Dot plot of the share of each hyperparameter: the paper's and ours. Largest: "
    + "; ".join(largest(method) for method in shares),
    data=by_name(shares),
)

# %%
first = 5
top_paper = list(paper["weight"].nlargest(first).index)


def compared_with_paper(name: str) -> str:
    found = W[name][W[name] > 0]
    top = list(found.nlargest(first).index)
    common = [one for one in top if one in top_paper]
    nothing = [one for one in columns if one not in found.index]
    words = f"*{name}* ({WAYS[name]}):"
    if not top:
        return f"{words} no weight is above 0."
    return (
        f"{words} {listed(top)}"
        + (", no others have a weight above 0" if len(top) < first else "")
        + f"; {len(common)} of the paper's are among them. "
        + (
            f"`{top[0]}` is first in both. "
            if top_paper[0] == top[0]
            else f"The paper's first, `{top_paper[0]}`, has rank "
            f"{rank.loc[top_paper[0], name]} of {len(columns)}. "
        )
        + (f"At 0 or below: {listed(nothing)}." if nothing else "All weights are above 0.")
    )


show_text(
    f"The paper's first {first} are {listed(top_paper)}. Ours:\n\n- "
    + "\n- ".join(compared_with_paper(name) for name in fitted)
)


# %%
def agree(one: pd.Series, other: pd.Series):
    """None where one of the lists has no order."""
    constant = any((weights == weights.iloc[0]).all() for weights in (one, other))
    return None if constant else rank_agreement(one, other)


def told(agreement) -> str:
    return "has no order to compare" if agreement is None else f"$\\tau$ = {agreement}"


with_paper = {name: agree(paper["weight"], W[name]) for name in fitted}
show_agreement(
    "table-3",
    f"Kendall's $\\tau$ between the paper's ranking and ours of {len(columns)} hyperparameters: "
    + "; ".join(f"{WAYS[name]}, {told(with_paper[name])}" for name in fitted)
    + ".",
)

# %% [markdown]
# ### What BOHB's CNNs do
#
# BOHB tries again what went well. Its CNNs stand close together, they are each other's neighbours,
# and they perform alike because they were chosen to: any hyperparameter in which its cluster
# differs from the rest then seems to tell good from bad. What such trials do to a ranking where the
# truth is known is in {numref}`table-mixed`.

# %%
is_text = [pd.api.types.is_string_dtype(X[name]) for name in columns]


def coordinates(table: pd.DataFrame) -> np.ndarray:
    """(n, K): where the distance of *Ours* is taken, for categories that are two."""
    values = table.assign(
        **{
            name: pd.factorize(table[name])[0]
            for name, text in zip(columns, is_text, strict=True)
            if text
        }
    ).to_numpy(dtype=float)
    return values / np.ptp(values, axis=0) if scale == "range" else values


def nearest(table: pd.DataFrame, of: np.ndarray, number: int) -> np.ndarray:
    """(m, number): the nearest rows of rows `of`."""
    places = coordinates(table)
    finder = NearestNeighbors(metric=metric).fit(places)
    return finder.kneighbors(places[of], number + 1, return_distance=False)[:, 1:]


if both:
    random = np.random.default_rng(random_state)
    chosen = np.flatnonzero(rows["source"] != "random")
    chosen = np.sort(random.permutation(chosen)[:500])
    near = nearest(X, chosen, n_neighbors)
    run_of = (rows["dataset"] + " " + rows["source"]).to_numpy()
    same_run = np.mean(run_of[near] == run_of[chosen, None])
    expected = np.mean([np.mean(run_of == one) for one in run_of[chosen]])
    moved = W["Ours"] - W["Random search"]
    gains = moved.nlargest(3).index
    lost = rank["Random search"] - rank["Ours"]
    show_text(
        f"Of the {n_neighbors} nearest neighbours of a CNN that BOHB chose, {same_run:.0%} were "
        f"chosen by the same run of BOHB; of random neighbours it would be {expected:.0%}. "
        f"Without its CNNs $W$ falls most for {listed(gains)}: "
        + ", ".join(
            f"from {W.loc[name, 'Ours']:.4f} to {W.loc[name, 'Random search']:.4f}"
            for name in gains
        )
        + ". "
        + (
            f"{listed(lost[lost >= 2].index)} lose two ranks or more by it. "
            if (lost >= 2).sum() > 1
            else ""
        )
        + f"With the paper's ranking *Ours* {told(with_paper['Ours'])}, *Random search* "
        f"{told(with_paper['Random search'])}. Tests and intervals below "
        "say something of chance, and therefore use the CNNs of random search alone."
    )
else:
    show_text("Here are CNNs of one search only: nothing to compare.")

# %% [markdown]
# ### What can be told from chance
#
# A weight of 0 is not what a hyperparameter without influence has. Where others matter, near CNNs
# that differ in it are alike in these, and its $W$ lies below 0; how far depends on the number of
# its values and of the neighbours. What it has by chance is found by permuting its values. In
# {numref}`table-importance-w` the neighbours of such a test are found by the other hyperparameters,
# for permuted values would find other ones: a hyperparameter of two values then has as many
# neighbours that differ in it as those that agree, and weighs more than in {numref}`table-3`.

# %%
test = thirty.permutation_test(
    X_drawn, drawn["accuracy"], n_permutations, random_state=random_state
)
# Holm's: the smallest times their number, the next times one less, and never below one before.
steps = test["p_value"].sort_values()
adjusted = (steps * np.arange(len(steps), 0, -1)).cummax().clip(upper=1).reindex(columns)
known = list(adjusted.index[adjusted <= 0.05])
unknown = [name for name in columns if name not in known]
shown = W.rename(columns="W, {}".format).assign(
    **{"By the others' neighbours": test["weight"], "p": test["p_value"], "p, Holm": adjusted}
)
show_table(
    by_name(shown),
    "table-importance-w",
    "The weights $W$ of {eq}`eq-10` behind the shares, from -1 to 1, and a test on the CNNs of "
    f"random search with {n_neighbors} neighbours, which the other hyperparameters find: the "
    f"weight, how often {n_permutations:,} permutations reach it ($p$), and the same with Holm's "
    f"correction for {len(columns)} tests.",
    dict.fromkeys([name for name in shown if not name.startswith("p")], "+.4f")
    | dict.fromkeys(("p", "p, Holm"), ".3f"),
)
show_text(
    (
        f"Told from chance, with at most 5 % error in all tests together: {listed(known)}"
        if known
        else "No hyperparameter is told from chance"
    )
    + (f"; not told from it: {listed(unknown)}" if known and unknown else "")
    + ". That something is told from chance does not make it large. `in_channel_num` stands for "
    "the data set, which differs in accuracy for other reasons than colour: {doc}`perdataset`."
)

# %% [markdown]
# ### Thirty neighbours
#
# What a neighbour tells about a hyperparameter it tells by differing in it. Two trials can be a
# little apart in `lr`, but in a hyperparameter of two values they are either the same or as far
# apart as can be. The more trials there are, the nearer are the nearest thirty, and the fewer of
# them differ in such a hyperparameter; its weight goes to 0, whatever its influence. A number of
# neighbours that grows with the trials keeps them at the same distance.

# %%
few = [name for name in columns if drawn[name].nunique() <= 3]
asked = np.random.default_rng(random_state).permutation(len(drawn))[:500]
near = nearest(X_drawn, asked, many)
numbers = sorted({n_neighbors, many})


def differing(name: str, number: int) -> float:
    """Share of the nearest so many neighbours that have another value."""
    values = pd.factorize(drawn[name])[0]
    return float(np.mean(values[near[:, :number]] != values[asked, None]))


any_two = pd.Series(
    {name: 1 - (drawn[name].value_counts(normalize=True) ** 2).sum() for name in few}
)
differ = pd.DataFrame({n: {name: differing(name, n) for name in few} for n in numbers})
if few:
    shown = pd.DataFrame({"Values": drawn[few].nunique(), "Any two trials": any_two})
    shown = shown.join(differ.rename(columns="Nearest {:,}".format))
    show_table(
        by_name(shown),
        "table-neighbours",
        "How often trials differ in the hyperparameters of two or three values: any two of them, "
        f"and a trial and its nearest {' or '.join(f'{n:,}' for n in numbers)}, by the distance of "
        f"*{of_drawn}*, over {len(asked):,} trials.",
        dict.fromkeys(shown.columns[1:], ".1%"),
    )
    frequent = differ.div(any_two, axis=0).mean()
    words = f"Among the nearest {n_neighbors}, differences in these {len(few)} hyperparameters are "
    words += f"{frequent[n_neighbors]:.0%} as frequent as between any two trials"
    if many > n_neighbors:
        rises = [name for name in few if rank.loc[name, "J = n/20"] < rank.loc[name, of_drawn]]
        words += f", among the nearest {many:,} {frequent[many]:.0%}. " + (
            f"{len(rises)} of them have a better rank with {many:,} neighbours: {listed(rises)}"
            if rises
            else f"None of them has a better rank with {many:,} neighbours"
        )
    show_text(f"{words}.")

# %%
try:
    fits, _ = truth.load(Path("data"))
except FileNotFoundError:
    fits = None
if fits is not None:
    tau = truth.over_surfaces(fits, "tau_main")
    fixed, grown = tau["nrrelieff"].dropna(), tau["nrrelieff_growing"].dropna()
    like_here = min(fixed.index, key=lambda n: abs(np.log(n / len(drawn))))
    most = fixed.index.max()
    peak = fixed.idxmax()
    sizes = [like_here] if like_here == most else [like_here, most]
    show_text(
        "Where the truth is known, that can be measured ({doc}`methods`). On functions of known "
        "importances the agreement of N-RReliefF with the true order is, with 30 neighbours, "
        + " and ".join(f"{fixed[n]:.2f} for {n:,} trials" for n in sizes)
        + (
            f": **past {peak:,} trials the ranking gets worse with more**. "
            if fixed[peak] - fixed[most] > 0.05
            else ". "
        )
        + f"With $J$ = n/20 it is {' and '.join(f'{grown[n]:.2f}' for n in sizes)}. "
        + (
            "With as many trials as here the growing number of neighbours comes nearer to the "
            "truth."
            if grown[like_here] > fixed[like_here] + 0.02
            else "With about as many trials as here the two are much the same."
        )
    )

# %% [markdown]
# ### What raw distances do
#
# On raw values, columns of large numbers decide who is a neighbour. Neighbours then hardly differ
# in these, and what neighbours do not differ in gets a weight near 0, whatever its influence
# ({doc}`method`; {doc}`audit` has the parts of the printed distance).

# %%
raw = design(rows, columns, log=False)
squared = pd.Series(
    {
        # Mean of (a - b)² over two random rows: twice the variance; of [a ≠ b]: how often it is 1.
        name: 2 * raw[name].var(ddof=0)
        if pd.api.types.is_numeric_dtype(raw[name])
        else 1 - (raw[name].value_counts(normalize=True) ** 2).sum()
        for name in columns
    }
)
part = squared / squared.sum()
large = part.nlargest(2).index
show_text(
    f"`{large[0]}` and `{large[1]}` are {part[large].sum():.2%} of the mean squared raw distance "
    "between two of our CNNs. "
    + " ".join(
        f"The $W$ of `{name}` is {W.loc[name, 'Raw']:.1g} by it, and {W.loc[name, 'Ours']:.1g} by "
        "*Ours*."
        for name in large
    )
    + " A low rank of these two by raw distances is no evidence that they are unimportant; "
    "{doc}`multiverse` tests whether they are."
)

# %% [markdown]
# ## Functional ANOVA
#
# Functional ANOVA {cite:p}`hutter2014efficient` fits a random forest to the accuracies and splits
# the variance of its predictions over the whole space into parts: one for each hyperparameter
# alone, one for each pair, and so on. The weight is the part of the hyperparameter alone.
# {numref}`table-4` is made with the authors' package `fanova`. Its forest may cut a number
# anywhere, and weighs the pieces by their lengths; columns with two or three values are therefore
# given to it as categories.

# %%
FEW_VALUES = ("num_conv_layers", "optimizer", "stride", "in_channel_num", "padding", "kernel")
sampled = rows.sample(min(fanova_rows, len(rows)), random_state=random_state)
paper4 = published.table(4).set_index("hyperparameter").loc[columns]
table4 = pd.DataFrame({"Paper": paper4["weight"], "Rank": paper4["rank"]})
try:
    found = fanova_package.importances(
        design(sampled, columns, log=False),
        sampled["accuracy"],
        n_trees=n_trees,
        log=("lr",) if log_lr else (),
        categorical=FEW_VALUES,
        random_state=random_state,
    )
except fanova_package.FanovaUnavailable as error:
    found, caption = None, "Ours is missing: the package `fanova` is not installed."
    show_text(f"**Missing here:** our weights by functional ANOVA. {error}.")
else:
    table4["Ours"] = found["weight"]
    table4["SD of trees"] = found["std"]
    table4["Ours, rank"] = found["weight"].rank(ascending=False, method="min").astype(int)
    caption = f"Ours: mean of {n_trees} trees on {len(sampled):,} of {len(rows):,} CNNs."
show_table(
    table4.reset_index(names="Hyperparameter").assign(
        Hyperparameter=[f"`{name}`" for name in columns]
    ),
    "table-4",
    f"Importance by functional ANOVA: the paper's Table 4, and ours. {caption}",
    {name: ".4f" for name in ("Ours", "SD of trees") if name in table4} | {"Paper": ".6f"},
)


# %%
def explained(table: pd.DataFrame) -> float:
    """R² of such a forest on CNNs that it has not seen, in 5-fold cross-validation."""
    values = pd.get_dummies(design(table, columns), dtype=float)
    folds = KFold(5, shuffle=True, random_state=random_state)
    forest = RandomForestRegressor(n_trees, random_state=random_state)
    return float(cross_val_score(forest, values, table["accuracy"], cv=folds, scoring="r2").mean())


show_text(
    f"The paper's weights sum to {published.table(4)['weight'].sum():.3f}, which parts of one "
    "variance cannot, and two of its ranks are exchanged ({doc}`audit`)."
    + (
        f" Ours sum to {found['weight'].sum():.3f}. The rest is interactions ({{doc}}`joint`), and "
        "noise that the forest has learnt as if it were interactions. Forests with larger leaves, "
        "as on other pages, learn less of it and give larger sums; what can be compared between "
        "pages is the order."
        if found is not None
        else ""
    )
    + " What a forest says of hyperparameters is worth no more than its predictions: a random "
    f"forest of {n_trees} trees explains {explained(rows):.0%} of the variance of accuracies that "
    "it has not seen"
    + (f", and {explained(drawn):.0%} of those of random search" if both else "")
    + "."
)

# %%
if found is not None:
    show_agreement(
        "table-4",
        f"Kendall's $\\tau$ between the paper's ranking by functional ANOVA and ours of "
        f"{len(columns)} hyperparameters: {told(agree(paper4['weight'], found['weight']))}.",
    )

# %% [markdown]
# ## Without the data sets
#
# Accuracies are pooled over the data sets, here as in the paper, and most of what tells MNIST from
# CIFAR-100 is no hyperparameter. {numref}`table-importance-within` takes, in place of the accuracy,
# the rank that it has in its data set, from 0 to 1.

# %%
lists = {
    "paper, N-RReliefF": paper["weight"],
    "paper, ANOVA": paper4["weight"],
    **{f"ours, {name}": W[name] for name in fitted},
}
if found is not None:
    lists["ours, ANOVA"] = found["weight"].reindex(columns)
several = len(drawn["dataset"].unique()) > 1
if several:
    place = drawn.groupby("dataset")["accuracy"].rank(pct=True)
    lists["in data sets, N-RReliefF"] = pd.Series(thirty.fit(X_drawn, place).weights_, columns)
    shown = pd.DataFrame(
        {"W": W[of_drawn], "W, in data sets": lists["in data sets, N-RReliefF"]}, index=columns
    )
    for words, performance in (("ANOVA", drawn["accuracy"]), ("ANOVA, in data sets", place)):
        forest = FAnova(
            n_trees,
            min_samples_leaf=3,
            random_state=random_state,
            **measure_options(SPACE, columns),
        ).fit(design(drawn, columns, log=False), performance)
        shown[words] = forest.importances_
    lists["in data sets, ANOVA"] = shown["ANOVA, in data sets"]
    show_table(
        by_name(shown),
        "table-importance-within",
        f"Weights by the accuracy and by its rank in the data set, of {len(drawn):,} CNNs"
        + (" of random search" if both else "")
        + f": $W$ with {n_neighbors} neighbours, and `hia.ranking.fanova`, whose leaves have "
        "three CNNs at least.",
        dict.fromkeys(("W", "W, in data sets"), "+.4f")
        | dict.fromkeys(("ANOVA", "ANOVA, in data sets"), ".4f"),
    )
    if "in_channel_num" in columns:
        before, after = shown.loc["in_channel_num", ["ANOVA", "ANOVA, in data sets"]]
        show_text(
            f"`in_channel_num`, which belongs to the data set, explains {before:.1%} of the "
            f"accuracy and {after:.1%} of the rank in the data set by functional ANOVA: "
            + (
                "what it explains is which data set it is."
                if after < before / 2
                else "it is more than a name of the data set."
            )
        )
else:
    show_text("Here is one data set only: nothing to take away.")

# %% [markdown]
# ## Do the rankings agree?
#
# Kendall's $\tau$ is the difference between the shares of pairs ordered alike and ordered the other
# way: 1 for the same ranking, 0 for unrelated ones, -1 for the opposite. Ours are ranked by $W$.
# Two intervals say different things. The first, used on every page, takes the hyperparameters for a
# sample of those that could have been compared, and is wide, because there are few; it says nothing
# of other CNNs. The second says by the bootstrap what other CNNs of random search would have given.

# %%
pairs = [("paper, N-RReliefF", f"ours, {name}") for name in fitted]
pairs += [("ours, Ours", f"ours, {name}") for name in fitted if name != "Ours"]
pairs += [("paper, N-RReliefF", "paper, ANOVA")]
if found is not None:
    pairs += [(f"ours, {name}", "ours, ANOVA") for name in fitted if name != "Raw"]
    pairs += [("paper, ANOVA", "ours, ANOVA")]
if several:
    pairs += [("paper, N-RReliefF", "in data sets, N-RReliefF")]
    pairs += [("paper, ANOVA", "in data sets, ANOVA")]
agreement = {pair: agree(*(lists[name] for name in pair)) for pair in pairs}
other_cnns = {}
for name, relief in ((of_drawn, thirty), ("J = n/20", growing)):
    if name in fitted and with_paper[name] is not None:
        resampled = relief.bootstrap(X_drawn, drawn["accuracy"], n_resamples, random_state)
        taus = [kendalltau(paper["weight"], weights).statistic for weights in resampled]
        other_cnns["paper, N-RReliefF", f"ours, {name}"] = np.quantile(taus, [0.025, 0.975])
show_table(
    pd.DataFrame(
        [
            (
                *(name.replace("ours, Ours", "ours") for name in pair),
                *((np.nan,) * 3 if one is None else one[:3]),
                *other_cnns.get(pair, (np.nan,) * 2),
            )
            for pair, one in agreement.items()
        ],
        columns=["One", "Other", "τ", "95 % from", "to", "Other CNNs, from", "to "],
    ),
    "table-importance-agreement",
    f"Agreement of the rankings of {len(columns)} hyperparameters, with both intervals.",
    dict.fromkeys(("τ", "95 % from", "to", "Other CNNs, from", "to "), ".2f"),
)


# %%
def verdict(*pair: str) -> str:
    if agreement[pair] is None:
        return "cannot be compared, for one of them has no order"
    tau, low, high, _ = agreement[pair]
    if low > 0:
        result = "agree more than unrelated rankings would"
    elif high < 0:
        result = "contradict each other"
    else:
        result = "cannot be told from unrelated rankings"
    return f"{result} ($\\tau$ = {tau:z.2f}, 95 % interval {low:z.2f} to {high:z.2f})"


PAPER = "paper, N-RReliefF"
parts = [f"The paper's N-RReliefF ranking and ours {verdict(PAPER, 'ours, Ours')}"]
parts += [
    f"{words} they {verdict(PAPER, f'ours, {name}')}"
    for name, words in (
        ("Random search", "without BOHB's CNNs"),
        ("J = n/20", f"with {many:,} neighbours"),
    )
    if name in fitted
]
parts.append(f"the paper's two methods {verdict(PAPER, 'paper, ANOVA')}")
if found is not None:
    parts.append(f"our two methods {verdict(f'ours, {of_drawn}', 'ours, ANOVA')}")
    if "J = n/20" in fitted:
        parts.append(f"with {many:,} neighbours they {verdict('ours, J = n/20', 'ours, ANOVA')}")
    parts.append(
        f"functional ANOVA, the paper's and ours, {verdict('paper, ANOVA', 'ours, ANOVA')}"
    )
show_text("; ".join(parts) + ".")

# %%
between = rows.groupby("dataset")["accuracy"].transform("mean").var() / accuracy.var()
part_random, part_paper = (rows["source"] == "random").mean(), published.value("random_share")
models, models_paper = len(rows), published.figure2()["models"].sum()
same = [name for name in few if differ.loc[name, n_neighbors] < 0.005]
alike = (
    f"- **The neighbours.** Among a CNN's nearest {n_neighbors} by the normalised distance hardly "
    f"any differs in {listed(same)} ({{numref}}`table-neighbours`), which makes "
    f"their $W$ nearly 0. In the paper these have shares of {paper['weight'][same].min():.3f} to "
    f"{paper['weight'][same].max():.3f}. So its distance was another, or its CNNs stood "
    "otherwise, or its weights are not of all CNNs at once.\n"
    if same
    else ""
)
show_text(
    "What differs from the paper, and may explain what differs in the result. Which of it does "
    "cannot be known: the paper's CNNs and code are not published.\n\n"
    "- **The CNNs.** Ours have seen the training images given above. "
    + (
        f"They are {models:,} instead of {models_paper:,}, and fewer CNNs have neighbours further "
        "away, and noisier weights ({doc}`reliability`).\n"
        if models < models_paper
        else f"There are {models:,} of them, {models_paper:,} in the paper.\n"
    )
    + "- **The search.** The scale on which the paper drew `lr` is not given. "
    f"{part_random:.0%} of our CNNs come from random search, {part_paper:.0%} of the paper's. The "
    "others are of BOHB, ours by Optuna's TPE with Hyperband; how near the paper's came together "
    "is not known. What BOHB stops early has a small `epoch`, which is then a result and not a "
    "choice.\n"
    "- **The method's options.** $\\sigma$ and the normalisation are not given, and the distance "
    "is given on raw values ({numref}`table-open`); *Raw* in {numref}`fig-importance` shows how "
    "much the distance can change.\n"
    + alike
    + "- **The data set is not a hyperparameter** here or in the paper, but accuracies differ "
    f"between data sets: that is {between:.0%} of their variance in ours. A neighbour from another "
    "data set differs in accuracy for this reason too, which blurs every weight."
)
