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
# **SGD needs a higher learning rate than Adam on every data set: {glue:text}`least:.0f` to
# {glue:text}`most:.0f` times as high.** On each data set this compares the medians of each
# optimizer's best fifth of learning rates. The "about ten" of the first page compares its best
# tenth of CNNs, over all data sets at once.
#
# Below are all recorded CNNs, one dot and one row each. Choose some by ticking, by limits, or by
# drawing a rectangle; plot, means and table always show the same CNNs. Click a dot, or the first
# cell of a row, to find one in the other. Nothing is downloaded.

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
datasets: list[str] = []  # data sets to use, all if empty; choices: hia.datasets.NAMES
sources: list[str] = []  # how configurations were found, all if empty; choices: hia.trials.SOURCES
n_trees = 16  # trees of the forest behind the orange curve; at least 1
min_samples_leaf = 5  # the fewest CNNs in a leaf of it; at least 1
random_state = 0  # seed of the forest; 0 to 4294967295

# %%
import pandas as pd
from IPython.display import display
from matplotlib.lines import Line2D

from hia.trials import load
from hia_book import explorer, rankings
from hia_book.claims import claim, glue
from hia_book.figures import dataset_panels, look, show_figure, show_table

rows = rankings.select(load(trials), datasets, sources)
names = sorted(rows["dataset"].unique())
curves = explorer.marginals(rows, n_trees, min_samples_leaf, random_state)
words = f"functional ANOVA of all {len(rows):,} CNNs: mean and standard deviation of its trees"
display({"text/html": explorer.markup(rows, curves, words)}, raw=True)

# %% [markdown]
# ## How to read it
#
# - A hyperparameter with few values has a lane for each value, in which dots are scattered so that
#   they do not hide each other. Grey dots pass the ticks but not the limits.
# - *Mean accuracy by* shows two kinds of mean. Dots are plain means of the CNNs shown, with a 95%
#   interval (1.96 standard errors, assuming independent CNNs). The line is the marginal of
#   functional ANOVA {cite:p}`hutter2014efficient`: the prediction of a forest fitted to *all* CNNs
#   of this page, averaged over all other hyperparameters. It ignores ticks and limits.
# - If the two differ with all CNNs ticked, it is because BOHB tries good values more often and
#   stops bad CNNs early. Untick `bohb` to see random search alone.
# - Data sets differ more than most hyperparameters do, and a mean over several mixes both.
#
# ## The same without a program
#
# {numref}`fig-explorer` shows all CNNs by learning rate and optimizer, {numref}`table-explorer` the
# best on each data set. {doc}`card` offers the whole table.
#
# :::{caption} fig-explorer
# :alt: A scatter plot for each of {glue:text}`n_names` data sets. Adam's good learning rates lie
#   around a thousandth, SGD's above a hundredth.
#
# Accuracy and learning rate of every CNN, by data set; in brackets, how many CNNs. Grey: guessing.
# :::
#
# :::{caption} table-explorer
# Accuracies by data set, and the best CNN of each.
# :::

# %%
figure, axes = dataset_panels(names, "lr", sharex=True, sharey=True)
colors = {name: look(name)["color"] for name in ("Adam", "SGD")}
for name, ax in axes.items():
    own = rows[rows["dataset"] == name].sample(frac=1, random_state=0)
    # Thousands of dots are one picture, not thousands of shapes: the page stays small.
    style = {"s": 5, "linewidth": 0, "rasterized": True}
    ax.scatter(own["lr"], own["accuracy"], c=own["optimizer"].map(colors), **style)
    ax.set_title(f"{ax.get_title(loc='left')} ({len(own):,})", loc="left")
    ax.set(xscale="log", ylim=(-0.02, 1.02))
handles = [Line2D([], [], marker="o", ls="", c=color, label=x) for x, color in colors.items()]
figure.legend(handles=handles, loc="outside upper center", ncols=2)
show_figure(figure, "fig-explorer")


# %%
def median_of_best_fifth(own: pd.DataFrame) -> float:
    """Of the learning rates in five parts of equally many CNNs, those of the most accurate part."""
    fifth = pd.qcut(own["lr"].rank(method="first"), 5, labels=False)
    return own.loc[fifth == own["accuracy"].groupby(fifth).mean().idxmax(), "lr"].median()


by_optimizer = rows.groupby(["dataset", "optimizer"])[["lr", "accuracy"]]
good = by_optimizer.apply(median_of_best_fifth)
ratio = good.xs("SGD", level="optimizer") / good.xs("Adam", level="optimizer")
glue(least=ratio.min(), most=ratio.max(), n_names=len(names))
claim("SGD's best fifth of learning rates is above Adam's on every data set", (ratio > 1).all())

of_each = rows.groupby("dataset")["accuracy"]
best = rows.loc[of_each.idxmax()].set_index("dataset")
of_best = ["accuracy", "lr", "optimizer", "num_conv_layers", "dropout_rate", "epoch"]
summary = of_each.agg(["size", "median"]).join(best[of_best]).loc[names]
headings = "CNNs {:,} | Median {:.3f} | Best {:.3f} | Its lr {:.1e} | "
headings += "optimizer | layers | dropout {:.2f} | epoch"
show_table(summary, "table-explorer", headings)

# %% [markdown]
# Over all data sets and optimizers, mean accuracy is highest, {glue:text}`top:.3f`, in the tenth of
# the CNNs with an `lr` of {glue:text}`top_from:.2g` to {glue:text}`top_to:.2g`, and lowest,
# {glue:text}`bottom:.3f`, in that of {glue:text}`bottom_from:.2g` to {glue:text}`bottom_to:.2g`.

# %%
tenth = pd.qcut(rows["lr"].rank(method="first"), 10, labels=False)
by_tenth = rows["accuracy"].groupby(tenth).mean()
limits = rows["lr"].groupby(tenth).agg(["min", "max"])
for name, place in (("top", by_tenth.idxmax()), ("bottom", by_tenth.idxmin())):
    low, high = limits.loc[place]
    glue(**{name: by_tenth[place], f"{name}_from": low, f"{name}_to": high})
