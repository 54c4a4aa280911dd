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
datasets = []  # names of data sets to use, such as [mnist, usps]; empty: all
sources = ["random", "bohb"]  # how the configurations used were found
n_neighbors = 30  # J, neighbours of each CNN; the paper's value
sigma = 20.0  # decay of a neighbour's influence with its rank
metric = "euclidean"  # distance between configurations, euclidean or manhattan; not of *Raw*
scale = "range"  # what that is computed on: range, or none for raw values
weighting = "exp_rank"  # influence of the neighbours: exp_rank or uniform
rank_base = 1  # rank of the nearest neighbour: 1 or 0
log_lr = True  # take the learning rate on its logarithm
fanova_rows = 3000  # CNNs that functional ANOVA uses at most, drawn at random
n_trees = 16  # trees of its forest
random_state = 0  # seed of that draw and of the forest

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from hia import fanova_package, published, truth
from hia.agreement import rank_agreement
from hia.figures import look, show_agreement, show_figure, show_table, show_text, use_style
from hia.relief import NRReliefF
from hia.space import HYPERPARAMETERS
from hia.trials import design, load, select

use_style()
rows = select(load(trials), datasets, sources)
columns = [name for name in HYPERPARAMETERS if (rows[name] != rows[name].iloc[0]).any()]
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
# The text does not determine the computation ({numref}`table-open`), so there are three of ours.
# The first (*Ours*) divides every hyperparameter by its range before distances are taken, `lr` on
# its logarithm, and has the paper's number of neighbours. The second (*J = n/20*) is the same with
# a twentieth of the trials as neighbours, and $\sigma$ larger in proportion: why, the section
# *Thirty neighbours* says. With fewer trials than 20 times the paper's number it is the first. The
# third (*Raw*) takes the paper's definition of the distance to the letter: raw values, `lr` as it
# is. A share is $\max(W, 0)$ divided by the sum of these; ranks go by $W$, so that hyperparameters
# with a share of 0 have a rank too.

# %%
many = min(max(n_neighbors, len(rows) // 20), len(rows) - 1)
options = {"metric": metric, "scale": scale, "weighting": weighting, "rank_base": rank_base}
X = design(rows, columns, log=log_lr)
fitted = {
    "Ours": NRReliefF(n_neighbors=n_neighbors, sigma=sigma, **options).fit(X, accuracy),
    "J = n/20": NRReliefF(n_neighbors=many, sigma=sigma * many / n_neighbors, **options).fit(
        X, accuracy
    ),
    "Raw": NRReliefF(n_neighbors=n_neighbors, sigma=sigma, scale="none").fit(
        design(rows, columns, log=False), accuracy
    ),
}
W = pd.DataFrame({name: relief.weights_ for name, relief in fitted.items()}, index=columns)
positive = W.clip(lower=0)
share = positive / positive.sum().replace(0, np.nan)  # missing where no weight is above 0
rank = W.rank(ascending=False, method="min").astype(int)
paper = published.table(3).set_index("hyperparameter").loc[columns]
table3 = pd.DataFrame({"Paper": paper["weight"], "Rank": paper["rank"]})
for name in fitted:
    table3[name] = share[name]
    table3[f"{name}, rank"] = rank[name]


def by_name(table: pd.DataFrame) -> pd.DataFrame:
    """With the hyperparameters in a column of their own."""
    return table.reset_index(drop=True).assign(
        Hyperparameter=[f"`{name}`" for name in table.index]
    )[["Hyperparameter", *table.columns]]


show_table(
    by_name(table3),
    "table-3",
    "Importance by N-RReliefF: the paper's Table 3, and shares of ours with the paper's "
    f"{n_neighbors} neighbours (*Ours*), with {many:,} (*J = n/20*), and with {n_neighbors} by the "
    "paper's literal distance on raw values (*Raw*).",
    dict.fromkeys(["Paper", *fitted], ".4f"),
)
show_table(
    by_name(
        W.rename(
            columns=lambda name: (
                f"W, {name[0].lower()}{name[1:]}" if name != "J = n/20" else f"W, {name}"
            )
        )
    ),
    "table-importance-w",
    "The weights $W$ of {eq}`eq-10` behind the shares, from -1 to 1.",
    dict.fromkeys(["W, ours", "W, J = n/20", "W, raw"], "+.4f"),
)

# %%
NAMES = {"Paper": "paper", "Ours": "nrrelieff", "J = n/20": "nrrelieff_growing"}
NAMES |= {"Raw": "nrrelieff_raw"}
labels = {"Paper": "paper", "Ours": "ours", "J = n/20": "ours, J = n/20", "Raw": "ours, raw"}
figure, axes = plt.subplots(figsize=(5.4, 5))
heights = np.arange(len(table3))[::-1]
drawn = table3[list(NAMES)]
axes.hlines(heights, drawn.min(axis=1), drawn.max(axis=1), color="0.8", zorder=1)
for method, name in NAMES.items():
    axes.scatter(table3[method], heights, s=45, alpha=0.85, label=labels[method], **look(name))
axes.set_yticks(heights, columns)
axes.set_xlabel("share of the importance")
axes.set_xlim(left=-0.015)
axes.grid(axis="x")
figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)


def largest(method: str) -> str:
    weights = table3[method]
    return f"{weights.idxmax()} {labels[method]}" if weights.notna().any() else "none"


show_figure(
    figure,
    "fig-importance",
    "Shares of {numref}`table-3`, in the paper's order.",
    alt="Dot plot of the share of each hyperparameter: the paper's and three of ours. Largest: "
    + "; ".join(largest(method) for method in NAMES),
    data=by_name(drawn.rename(columns=labels)),
)

# %%
first = 5
top_paper = list(paper["weight"].nlargest(first).index)


def compared_with_paper(name: str, words: str) -> str:
    found = W[name][W[name] > 0]
    top = list(found.nlargest(first).index)
    both = [one for one in top if one in top_paper]
    nothing = [one for one in columns if one not in found.index]
    if not top:
        return f"{words} no weight is above 0: it finds no influence of anything."
    return (
        f"{words} they are {listed(top)}"
        + (", for no others have a weight above 0" if len(top) < first else "")
        + f"; {len(both)} of the paper's are among them. "
        + (
            f"`{top[0]}` is first in both. "
            if top_paper[0] == top[0]
            else f"The paper's first, `{top_paper[0]}`, has rank "
            f"{rank.loc[top_paper[0], name]} of {len(columns)}. "
        )
        + (f"At 0 or below: {listed(nothing)}." if nothing else "All weights are above 0.")
    )


show_text(
    f"- The paper's first {first} are {listed(top_paper)}.\n- "
    + "\n- ".join(
        [
            compared_with_paper("Ours", f"With {n_neighbors} neighbours"),
            compared_with_paper("J = n/20", f"With {many:,} neighbours"),
            compared_with_paper("Raw", "With raw distances"),
        ]
    )
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
    + "; ".join(
        f"{words}, {told(with_paper[name])}"
        for name, words in (
            ("Ours", f"with {n_neighbors} neighbours"),
            ("J = n/20", f"with {many:,}"),
            ("Raw", f"with {n_neighbors} by raw distances"),
        )
    )
    + ".",
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
few = [name for name in columns if rows[name].nunique() <= 3]
codes = {name: pd.factorize(rows[name])[0] for name in columns}
is_text = [pd.api.types.is_string_dtype(X[name]) for name in columns]
coordinates = X.assign(
    **{name: codes[name] for name, text in zip(columns, is_text, strict=True) if text}
)
coordinates = coordinates.to_numpy(dtype=float)
if scale == "range":
    coordinates = coordinates / np.ptp(coordinates, axis=0)
asked = np.random.default_rng(random_state).permutation(len(rows))[:500]
finder = NearestNeighbors(metric=metric).fit(coordinates)
near = finder.kneighbors(coordinates[asked], many + 1, return_distance=False)[:, 1:]


def differing(name: str, number: int) -> float:
    """Share of the nearest so many neighbours that have another value."""
    return float(np.mean(codes[name][near[:, :number]] != codes[name][asked, None]))


numbers = sorted({n_neighbors, many})
any_two = pd.Series(
    {name: 1 - (rows[name].value_counts(normalize=True) ** 2).sum() for name in few}
)
nearest = pd.DataFrame({n: {name: differing(name, n) for name in few} for n in numbers})
if few:
    shown = pd.DataFrame({"Values": rows[few].nunique(), "Any two trials": any_two})
    shown = shown.join(nearest.rename(columns="Nearest {:,}".format))
    show_table(
        by_name(shown),
        "table-neighbours",
        "How often trials differ in the hyperparameters of two or three values: any two of them, "
        f"and a trial and its nearest {' or '.join(f'{n:,}' for n in numbers)}, by the distance of "
        f"*Ours*, over {len(asked):,} trials.",
        dict.fromkeys(shown.columns[1:], ".1%"),
    )
    frequent = nearest.div(any_two, axis=0).mean()
    rises = [name for name in few if rank.loc[name, "J = n/20"] < rank.loc[name, "Ours"]]
    words = f"Among the nearest {n_neighbors}, differences in these {len(few)} hyperparameters are "
    words += f"{frequent[n_neighbors]:.0%} as frequent as between any two trials"
    if many > n_neighbors:
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
    fixed, growing = tau["nrrelieff"].dropna(), tau["nrrelieff_growing"].dropna()
    like_here = min(fixed.index, key=lambda n: abs(np.log(n / len(rows))))
    most = fixed.index.max()
    peak = fixed.idxmax()
    show_text(
        "Where the truth is known, that can be measured ({doc}`methods`). On functions of known "
        f"importances the agreement of N-RReliefF with the true order is, with 30 neighbours, "
        f"{fixed[like_here]:.2f} for {like_here:,} trials and {fixed[most]:.2f} for {most:,}"
        + (
            f": **past {peak:,} trials the ranking gets worse with more**. "
            if fixed[peak] - fixed[most] > 0.05
            else ". "
        )
        + f"With $J$ = n/20 it is {growing[like_here]:.2f} and {growing[most]:.2f}. "
        + (
            "With as many trials as here the growing number of neighbours is the better choice; "
            "the paper's thirty are kept in the book because they are the paper's."
            if growing[like_here] > fixed[like_here] + 0.02
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
        f"The W of `{name}` is {W.loc[name, 'Raw']:.1g} by it, and {W.loc[name, 'Ours']:.1g} by "
        "ours."
        for name in large
    )
    + " A low rank of these two by raw distances is no evidence that they are unimportant; "
    "{doc}`multiverse` tests whether they are. `in_channel_num` has a weight that is not its own "
    "either, for it belongs to the data set: {doc}`perdataset`."
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
    table4["± over trees"] = found["std"]
    table4["Ours, rank"] = found["weight"].rank(ascending=False, method="min").astype(int)
    caption = f"Ours: mean of {n_trees} trees on {len(sampled):,} of {len(rows):,} CNNs."
show_table(
    table4.reset_index(names="Hyperparameter").assign(
        Hyperparameter=[f"`{name}`" for name in columns]
    ),
    "table-4",
    f"Importance by functional ANOVA: the paper's Table 4, and ours. {caption}",
    {name: ".4f" for name in ("Ours", "± over trees") if name in table4} | {"Paper": ".6f"},
)

# %%
show_text(
    f"The paper's weights sum to {published.table(4)['weight'].sum():.3f}, which parts of one "
    "variance cannot, and two of its ranks are exchanged ({doc}`audit`)."
    + (
        f" Ours sum to {found['weight'].sum():.3f}. The rest is interactions ({{doc}}`joint`), and "
        "noise that the forest has learnt as if it were interactions."
        if found is not None
        else ""
    )
)

# %%
if found is not None:
    show_agreement(
        "table-4",
        f"Kendall's $\\tau$ between the paper's ranking by functional ANOVA and ours of "
        f"{len(columns)} hyperparameters: {told(agree(paper4['weight'], found['weight']))}.",
    )

# %% [markdown]
# ## Do the rankings agree?
#
# Kendall's $\tau$ is the difference between the shares of pairs ordered alike and ordered the other
# way: 1 for the same ranking, 0 for unrelated ones, -1 for the opposite. Ours are ranked by $W$.

# %%
lists = {
    "paper, N-RReliefF": paper["weight"],
    "ours, N-RReliefF": W["Ours"],
    "ours, J = n/20": W["J = n/20"],
    "ours, raw distance": W["Raw"],
    "paper, ANOVA": table4["Paper"],
}
compared = [
    ("paper, N-RReliefF", "ours, N-RReliefF"),
    ("paper, N-RReliefF", "ours, J = n/20"),
    ("paper, N-RReliefF", "ours, raw distance"),
    ("ours, N-RReliefF", "ours, J = n/20"),
    ("ours, N-RReliefF", "ours, raw distance"),
    ("paper, N-RReliefF", "paper, ANOVA"),
]
if found is not None:
    lists["ours, ANOVA"] = table4["Ours"]
    compared += [
        ("ours, N-RReliefF", "ours, ANOVA"),
        ("ours, J = n/20", "ours, ANOVA"),
        ("paper, ANOVA", "ours, ANOVA"),
    ]
agreement = {pair: agree(*(lists[name] for name in pair)) for pair in compared}
show_table(
    pd.DataFrame(
        [(*pair, *((np.nan,) * 3 if one is None else one[:3])) for pair, one in agreement.items()],
        columns=["One", "Other", "τ", "95 % from", "to"],
    ),
    "table-importance-agreement",
    f"Agreement of the rankings of {len(columns)} hyperparameters.",
    dict.fromkeys(("τ", "95 % from", "to"), ".2f"),
)

# %%
between = rows.groupby("dataset")["accuracy"].transform("mean").var() / accuracy.var()


def verdict(*pair: str) -> str:
    if agreement[pair] is None:
        return "cannot be compared, for one of them has no order"
    _, low, high, _ = agreement[pair]
    if low > 0:
        result = "agree more than unrelated rankings would"
    elif high < 0:
        result = "contradict each other"
    else:
        result = "cannot be told from unrelated rankings"
    return f"{result} ($\\tau$ = {agreement[pair].tau:.2f}, 95 % interval {low:.2f} to {high:.2f})"


show_text(
    f"The paper's N-RReliefF ranking and ours {verdict('paper, N-RReliefF', 'ours, N-RReliefF')}, "
    f"with $J$ = n/20 they {verdict('paper, N-RReliefF', 'ours, J = n/20')}. The paper's two "
    f"methods {verdict('paper, N-RReliefF', 'paper, ANOVA')}"
    + (
        f"; our two methods {verdict('ours, N-RReliefF', 'ours, ANOVA')}, and with $J$ = n/20 "
        f"they {verdict('ours, J = n/20', 'ours, ANOVA')}"
        if found is not None
        else ""
    )
    + "."
)
share, share_paper = (rows["source"] == "random").mean(), published.value("random_share")
models, models_paper = len(rows), published.figure2()["models"].sum()
show_text(
    "What differs from the paper, and may explain what differs in the result:\n\n"
    "- **The CNNs.** Ours have seen the training images given above. "
    + (
        f"They are {models:,} instead of {models_paper:,}, and fewer CNNs have neighbours further "
        "away, and noisier weights ({doc}`reliability`).\n"
        if models < models_paper
        else f"There are {models:,} of them, {models_paper:,} in the paper.\n"
    )
    + "- **The search.** The scale on which the paper drew `lr` is not given. "
    f"{share:.0%} of our CNNs come from random search, {share_paper:.0%} of the paper's.\n"
    "- **The method's options.** $\\sigma$ and the normalisation are not given, and the distance "
    "is given on raw values ({numref}`table-open`); *Raw* in {numref}`table-3` shows how much the "
    "distance can change.\n"
    "- **The data set is not a hyperparameter** here or in the paper, but accuracies differ "
    f"between data sets: that is {between:.0%} of their variance in ours. A neighbour from another "
    "data set differs in accuracy for this reason too, which blurs every weight."
)
