# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Explore the trainings
#
# All recorded CNNs, one dot and one row each. Choose what is shown by ticking, by limits, or by
# drawing a rectangle in the plot; plot, curve and table always show the same CNNs. Click a dot, or
# the first cell of a row, to find one in the other. Everything is on this page: nothing is fetched.

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
datasets: list[str] = []  # data sets to use, all if empty; choices: hia.datasets.NAMES
sources = ["random", "bohb"]  # how configurations were found; choices: hia.trials.SOURCES
n_trees = 16  # trees of the forest behind the orange curve; at least 1
min_samples_leaf = 5  # the fewest CNNs in a leaf of it; at least 1
random_state = 0  # seed of the forest; at least 0

# %%
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display

from hia.space import SPACE
from hia.trials import load, select
from hia_book import explorer
from hia_book.figures import LOOKS, show_figure, show_table, show_text, use_style

use_style()
rows = select(load(trials), datasets, sources)
curves = explorer.marginals(rows, n_trees, min_samples_leaf, random_state)
words = f"functional ANOVA of all {len(rows):,} CNNs: mean and standard deviation of its trees"
display({"text/html": explorer.markup(rows, curves, words)}, raw=True)

# %% [markdown]
# ## How to read it
#
# - A hyperparameter with few values has a lane for each, in which the dots are strewn so that they
#   do not hide each other. Grey dots pass the ticks but not the limits.
# - *Mean accuracy by* has two kinds of mean. The dots are plain means of the CNNs that are shown,
#   in ten equal parts of the axis or at each value, with a 95 % interval of the mean (1.96 standard
#   errors, CNNs taken as independent). The line is the marginal of functional ANOVA
#   {cite:p}`hutter2014efficient`: what a forest fitted to *all* CNNs of this page predicts,
#   averaged over the whole space of the other hyperparameters. It does not follow the filters.
# - Where both are of all CNNs and differ, that is because BOHB tries good values more often, and
#   stops bad CNNs early; untick `bohb` to see the dots of random search alone. `epoch` then is
#   drawn, not a result.
# - The data sets differ more than most hyperparameters do. A mean over several of them mixes both.

# %% [markdown]
# ## The same without a program
#
# {numref}`fig-explorer` has all CNNs by their learning rate, {numref}`table-explorer` a summary of
# each data set. The whole table can be downloaded on {doc}`card`.

# %%
names = sorted(rows["dataset"].unique())
across = min(2, len(names))
down = -(-len(names) // across)
figure, axes = plt.subplots(
    down, across, figsize=(5.4, 0.6 + 1.35 * down), sharex=True, sharey=True, squeeze=False
)
for ax in axes.flat[len(names) :]:
    ax.set_axis_off()
for ax, name in zip(axes.flat, names, strict=False):
    own = rows[rows["dataset"] == name]
    # Thousands of dots are one picture, not thousands of shapes: the page stays small.
    style = {"s": 7, "alpha": 0.8, "linewidth": 0, "rasterized": True}
    ax.scatter(own["lr"], own["accuracy"], **style, **LOOKS.get(name, {"color": "0.4"}))
    ax.set_title(f"{name} ({len(own):,})")
    ax.set_xscale("log")
    ax.set_ylim(-0.02, 1.02)
    ax.grid()
figure.supxlabel("lr", fontsize=10)
figure.supylabel("accuracy", fontsize=10)
tenth = pd.qcut(rows["lr"].rank(method="first"), 10, labels=False)
by_tenth = rows["accuracy"].groupby(tenth).mean()
limits = rows["lr"].groupby(tenth).agg(["min", "max"])
best = by_tenth.idxmax()
show_figure(
    figure,
    "fig-explorer",
    "Accuracy and learning rate of every CNN, by data set; in brackets, how many CNNs.",
    alt=f"A scatter plot for each of {len(names)} data sets. Over all of them, the tenth of the "
    f"learning rates with the highest mean accuracy is {limits['min'][best]:.2g} to "
    f"{limits['max'][best]:.2g}.",
)

# %%
best_rows = rows.loc[rows.groupby("dataset")["accuracy"].idxmax()].set_index("dataset")
by_name = rows.groupby("dataset")
summary = pd.DataFrame(
    {
        "CNNs": by_name.size(),
        "Median": by_name["accuracy"].median(),
        "Best": best_rows["accuracy"],
        "Its lr": best_rows["lr"],
        "optimizer": best_rows["optimizer"],
        "layers": best_rows["num_conv_layers"],
        "dropout": best_rows["dropout_rate"],
        "epoch": best_rows["epoch"],
    }
).loc[names]
show_table(
    summary.reset_index(names="Data set").assign(**{"Data set": [f"`{name}`" for name in names]}),
    "table-explorer",
    "Accuracies by data set, and the best CNN of each.",
    {"CNNs": ",", "Median": ".3f", "Best": ".3f", "Its lr": ".1e", "dropout": ".2f"},
)

# %%
low, high = SPACE["lr"].bounds
worst = by_tenth.idxmin()


def between(part: int) -> str:
    return f"{limits['min'][part]:.2g} to {limits['max'][part]:.2g}"


show_text(
    f"Learning rates were drawn between {low:g} and {high:g}. Over all data sets, the mean "
    f"accuracy is highest, {by_tenth[best]:.3f}, in the tenth of the CNNs with an `lr` of "
    f"{between(best)}, and lowest, {by_tenth[worst]:.3f}, in that of {between(worst)}."
)
