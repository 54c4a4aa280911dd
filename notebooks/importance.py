# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which hyperparameters matter
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
import matplotlib.pyplot as plt
import pandas as pd

from hia import fanova_package, published
from hia.agreement import rank_agreement
from hia.figures import show_figure, show_table, show_text, use_style
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
# The text does not determine the computation ({numref}`table-open`), so there are two of ours. The
# first divides every hyperparameter by its range before distances are taken, `lr` on its logarithm.
# The second takes the paper's definition of the distance to the letter: raw values, `lr` as it is.
# A share is $\max(W, 0)$ divided by the sum of these; ranks go by $W$, so that hyperparameters with
# a share of 0 have a rank too.

# %%
ours = NRReliefF(
    n_neighbors=n_neighbors,
    sigma=sigma,
    metric=metric,
    scale=scale,
    weighting=weighting,
    rank_base=rank_base,
).fit(design(rows, columns, log=log_lr), accuracy)
literal = NRReliefF(n_neighbors=n_neighbors, sigma=sigma, scale="none").fit(
    design(rows, columns, log=False), accuracy
)
paper = published.table(3).set_index("hyperparameter").loc[columns]
table3 = pd.DataFrame(
    {
        "Paper": paper["weight"],
        "Rank": paper["rank"],
        "Ours": ours.importances_,
        "Ours, W": ours.weights_,
        "Ours, rank": pd.Series(ours.weights_, columns)
        .rank(ascending=False, method="min")
        .astype(int),
        "Raw": literal.importances_,
        "Raw, W": literal.weights_,
        "Raw, rank": pd.Series(literal.weights_, columns)
        .rank(ascending=False, method="min")
        .astype(int),
    },
    index=pd.Index(columns, name="Hyperparameter"),
)
show_table(
    table3.reset_index().assign(Hyperparameter=[f"`{name}`" for name in columns]),
    "table-3",
    "Importance by N-RReliefF: the paper's Table 3, ours (*Ours*), and with the paper's literal "
    "distance on raw values (*Raw*).",
    {
        "Paper": ".4f",
        "Ours": ".4f",
        "Ours, W": "+.4f",
        "Raw": ".4f",
        "Raw, W": "+.4f",
    },
)

# %%
# Okabe and Ito's colours, one per method in all figures of this chapter, and a shape each.
looks = {
    "Paper": {"color": "#000000", "marker": "o"},
    "Ours": {"color": "#0072B2", "marker": "s"},
    "Raw": {"color": "#D55E00", "marker": "^"},
}
labels = {"Paper": "paper", "Ours": "ours", "Raw": "ours, raw distance"}
figure, axes = plt.subplots(figsize=(5.2, 4.6))
heights = range(len(table3))[::-1]
methods = table3[list(looks)]
axes.hlines(heights, methods.min(axis=1), methods.max(axis=1), color="0.8", zorder=1)
for method, look in looks.items():
    axes.scatter(table3[method], heights, s=45, alpha=0.85, label=labels[method], **look)
axes.set_yticks(list(heights), columns)
axes.set_xlabel("share of the importance")
axes.set_xlim(left=-0.015)
axes.grid(axis="x", color="0.92")
axes.set_axisbelow(True)
axes.legend(loc="lower right")
top = table3["Ours"].idxmax()
show_figure(
    figure,
    "fig-importance",
    "Shares of {numref}`table-3`, in the paper's order.",
    alt="Dot plot of the share of each hyperparameter: paper, ours, ours on raw distances. "
    f"Largest: {table3['Paper'].idxmax()} in the paper, {top} in ours, "
    f"{table3['Raw'].idxmax()} on raw distances.",
)

# %%
first = 5
top_paper = list(table3["Paper"].nlargest(first).index)
found_something = table3.loc[table3["Ours, W"] > 0, "Ours, W"]
top_ours = list(found_something.nlargest(first).index)
both = [name for name in top_ours if name in top_paper]
only_ours = [name for name in top_ours if name not in top_paper]
nothing = [name for name in columns if name not in found_something.index]
show_text(
    f"The paper's first {first} are {listed(top_paper)}. Ours are {listed(top_ours)}"
    + (", for no others have a weight above 0. " if len(top_ours) < first else ". ")
    + f"In both: {len(both)} ({listed(both)}); only in ours: {listed(only_ours)}. "
    + (
        f"`{top}` is first in both. "
        if top_paper[0] == top_ours[0]
        else f"The paper's first, `{top_paper[0]}`, has rank "
        f"{table3.loc[top_paper[0], 'Ours, rank']} of {len(columns)} in ours. "
    )
    + (
        f"{len(nothing)} of our {len(columns)} weights are 0 or below: {listed(nothing)}. "
        "These CNNs show no influence of them by this method."
        if nothing
        else "All of our weights are above 0."
    )
)

# %% [markdown]
# ### What raw distances do
#
# On raw values, columns of large numbers decide who is a neighbour. Neighbours then hardly differ
# in these, and what neighbours do not differ in gets a weight near 0, whatever its influence
# ({doc}`method`).

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
rank_of = table3[["Rank", "Ours, rank", "Raw, rank"]]
show_text(
    f"Of the mean squared raw distance between two CNNs, {part[large[0]]:.1%} is `{large[0]}` and "
    f"{part[large[1]]:.1%} `{large[1]}`; the other {len(part) - 2} together are "
    f"{part.drop(large).sum():.2%}. "
    + " ".join(
        f"`{name}` has rank {rank_of.loc[name, 'Rank']} of {len(HYPERPARAMETERS)} in the paper; "
        f"its W is {table3.loc[name, 'Ours, W']:+.4f} with our distance and "
        f"{table3.loc[name, 'Raw, W']:+.4f} with the raw one, "
        + (
            "nearer to 0."
            if abs(table3.loc[name, "Raw, W"]) < abs(table3.loc[name, "Ours, W"])
            else "not nearer to 0."
        )
        for name in large
    )
    + " A low rank of these two in a computation with raw distances is therefore no evidence that "
    "they are unimportant."
)

# %%
if "in_channel_num" in columns:
    by_channels = rows.groupby("in_channel_num")["accuracy"].mean()
    show_text(
        "`in_channel_num` belongs to the data set: no data set occurs with one channel and with "
        "three. Its weight is the difference between the data sets of colour and those of grey "
        "images, with all else that sets them apart, such as size and classes: mean accuracy "
        + ", ".join(f"{mean:.3f} with {number}" for number, mean in by_channels.items())
        + "."
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
printed = published.table(4)
swapped = printed[printed["rank"] != printed["weight"].rank(ascending=False)]
total = printed["weight"].sum()
show_text(
    f"The paper's weights sum to {total:.3f}. "
    + (
        "Those of one functional ANOVA are parts of one variance that do not overlap, and sum to "
        "at most 1: some of the printed weights are something else. "
        if total > 1
        else ""
    )
    + (
        "Against their own weights, the ranks of "
        + " and ".join(
            f"`{row.hyperparameter}` ({row.weight:.6f}, printed as {row.rank})"
            for row in swapped.itertuples()
        )
        + " are swapped. "
        if len(swapped)
        else ""
    )
    + (
        f"Ours sum to {found['weight'].sum():.3f}; the rest is interactions."
        if found is not None
        else ""
    )
)

# %% [markdown]
# ## Do the rankings agree?
#
# Kendall's $\tau$ is the difference between the shares of pairs ordered alike and ordered the other
# way: 1 for the same ranking, 0 for unrelated ones, -1 for the opposite. Ours are ranked by $W$.

# %%
lists = {
    "paper, N-RReliefF": table3["Paper"],
    "ours, N-RReliefF": table3["Ours, W"],
    "ours, raw distance": table3["Raw, W"],
    "paper, ANOVA": table4["Paper"],
}
compared = [
    ("paper, N-RReliefF", "ours, N-RReliefF"),
    ("paper, N-RReliefF", "ours, raw distance"),
    ("ours, N-RReliefF", "ours, raw distance"),
    ("paper, N-RReliefF", "paper, ANOVA"),
]
if found is not None:
    lists["ours, ANOVA"] = table4["Ours"]
    compared += [("ours, N-RReliefF", "ours, ANOVA"), ("paper, ANOVA", "ours, ANOVA")]
agreement = {pair: rank_agreement(lists[pair[0]], lists[pair[1]]) for pair in compared}
show_table(
    pd.DataFrame(
        [(*pair, tau, low, high) for pair, (tau, low, high, _) in agreement.items()],
        columns=["One", "Other", "τ", "95 % from", "to"],
    ),
    "table-importance-agreement",
    f"Agreement of the rankings of {len(columns)} hyperparameters.",
    dict.fromkeys(("τ", "95 % from", "to"), ".2f"),
)

# %%
between = rows.groupby("dataset")["accuracy"].transform("mean").var() / accuracy.var()


def verdict(pair: tuple[str, str]) -> str:
    tau, low, high, _ = agreement[pair]
    if low > 0:
        result = "agree more than unrelated rankings would"
    elif high < 0:
        result = "contradict each other"
    else:
        result = "cannot be told from unrelated rankings"
    return f"{result} ($\\tau$ = {tau:.2f}, 95 % interval {low:.2f} to {high:.2f})"


show_text(
    f"The paper's N-RReliefF ranking and ours {verdict(compared[0])}; the paper's two methods "
    f"{verdict(compared[3])}"
    + (f"; our two methods {verdict(compared[4])}" if found is not None else "")
    + "."
)
show_text(
    "What differs from the paper, and may explain what differs in the result:\n\n"
    f"- **The CNNs.** {len(rows):,} instead of {published.figure2()['models'].sum():,}, with the "
    "training images given above. Fewer CNNs have neighbours further away, and noisier weights "
    "({doc}`reliability`).\n"
    "- **The search.** "
    f"{(rows['source'] == 'random').mean():.0%} of ours come from random search, the paper's "
    f"{published.value('random_share'):.0%}. The scale on which it drew `lr` is not given.\n"
    "- **The method's options.** $\\sigma$ and the normalisation are not given, and the distance "
    "is given on raw values ({numref}`table-open`); *Raw* in {numref}`table-3` shows how much the "
    "distance can change.\n"
    "- **The data set is not a hyperparameter** here or in the paper, but accuracies differ "
    f"between data sets: that is {between:.0%} of their variance in ours. A neighbour from another "
    "data set differs in accuracy for this reason too, which blurs every weight."
)
