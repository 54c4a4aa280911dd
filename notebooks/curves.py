# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Learning curves
#
# The validation accuracy of every recorded CNN is known after each of its epochs. This page follows
# it from the first epoch on, by the number of convolutional layers and by the optimizer, and asks
# whether the first epochs foretell the last. BOHB counts on that.

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
datasets: list[str] = []  # data sets to use, all if empty; choices: hia.datasets.NAMES
epochs = 8  # how far to follow, CNNs with fewer epochs being left out; at least 2
early = [
    1,
    3,
]  # epochs after which BOHB stops CNNs, compared with the last; at least 1

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from hia.datasets import FACTS
from hia.trials import load, select
from hia_book.agreement import mean_agreement, rank_agreement
from hia_book.figures import WIDTH, shades, show_figure, show_table, show_text, use_style

use_style()
everything = select(load(trials), datasets)
present = [name for name in FACTS if name in set(everything["dataset"])]
rows = everything[(everything["source"] == "random") & (everything["epoch"] >= epochs)]
if rows.empty or not all(1 <= epoch < epochs for epoch in early):
    raise ValueError(
        f"epochs={epochs}, early={early}: there must be CNNs with so many epochs (the longest have "
        f"{everything['epoch'].max()}), and the early ones must come before"
    )

# Rows: CNNs. Columns: epochs.
accuracy = pd.DataFrame(
    np.vstack([list(curve)[:epochs] for curve in rows["accuracy_per_epoch"]]),
    index=rows.index,
    columns=range(1, epochs + 1),
)
guessing = rows["dataset"].map({name: 1 / FACTS[name].classes for name in present})
best = rows["dataset"].map(everything.groupby("dataset")["accuracy"].max())
progress = accuracy.sub(guessing, axis=0).div(best - guessing, axis=0)

DEPTHS = sorted(rows["num_conv_layers"].unique())
OPTIMIZERS = sorted(rows["optimizer"].unique())
DEPTH_COLOURS = dict(zip(DEPTHS, shades("num_conv_layers", len(DEPTHS)), strict=True))
OPTIMIZER_COLOURS = dict(zip(OPTIMIZERS, shades("optimizer", len(OPTIMIZERS)), strict=True))
# A line's style says the same as its colour, for readers and printers without colours.
STYLES = ("-", "--", ":")


def layers(depth) -> str:
    return f"{depth} layer" + ("s" if depth > 1 else "")


def draw(ax, curves: pd.DataFrame, by: pd.Series, colours, label=str) -> pd.DataFrame:
    """Median and quartiles after every epoch, for every value of `by`; they are returned."""
    drawn = []
    for (value, colour), style in zip(colours.items(), STYLES, strict=False):
        own = curves[by.reindex(curves.index) == value]
        low, middle, high = own.quantile([0.25, 0.5, 0.75]).to_numpy()
        quartiles = {"lower quartile": low, "median": middle, "upper quartile": high}
        drawn.append(pd.DataFrame({by.name: value, "epoch": own.columns} | quartiles))
        ax.fill_between(own.columns, low, high, color=colour, alpha=0.15, linewidth=0)
        for edge in (low, high):
            ax.plot(own.columns, edge, style, color=colour, linewidth=0.6)
        ax.plot(own.columns, middle, style, color=colour, linewidth=2, label=label(value))
    ax.set(xlim=(1, epochs), xticks=range(1, epochs + 1))
    return pd.concat(drawn)


def key(figure) -> None:
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))


# %% [markdown]
# ## By depth and optimizer
#
# Only CNNs of random search are followed, because BOHB trains the promising ones longer, and only
# those with enough epochs, so that a curve is made of the same CNNs from its beginning to its end.
# The number of epochs was drawn at random too, so that these CNNs are no special ones. To put ten
# data sets into one picture, accuracy is put on a scale from 0 (guessing, one over the number of
# classes) to 1 (the best CNN on that data set).

# %%
figure, axes = plt.subplots(1, len(OPTIMIZERS), figsize=(WIDTH, 3.6), sharey=True, squeeze=False)
drawn = {}
for ax, optimizer in zip(axes[0], OPTIMIZERS, strict=True):
    own = progress[rows["optimizer"] == optimizer]
    drawn[optimizer] = draw(ax, own, rows["num_conv_layers"], DEPTH_COLOURS, layers)
    ax.set_title(optimizer, loc="left")
    ax.set_xlabel("epoch")
axes[0, 0].set_ylabel("from guessing (0) to the best (1)")
key(figure)
ends = progress.groupby([rows["optimizer"], rows["num_conv_layers"]]).median()
sizes = rows.groupby(["optimizer", "num_conv_layers"]).size()
show_figure(
    figure,
    "fig-curves",
    f"Validation accuracy after each epoch of {len(rows):,} CNNs of random search with at least "
    f"{epochs} epochs, {sizes.min():,} to {sizes.max():,} in each group: median (line) and "
    "quartiles (band), by optimizer and number of convolutional layers.",
    f"Two panels of rising curves; after epoch {epochs} the medians go from "
    f"{ends[epochs].min():.2f} ({ends[epochs].idxmin()[0]}, {layers(ends[epochs].idxmin()[1])}) to "
    f"{ends[epochs].max():.2f} ({ends[epochs].idxmax()[0]}, {layers(ends[epochs].idxmax()[1])})",
    data=pd.concat(drawn, names=["optimizer"]).reset_index("optimizer"),
)

# %%
paragraphs = []
if len(OPTIMIZERS) > 1:
    after = progress.groupby(rows["optimizer"]).median()
    ahead, behind = after[epochs].idxmax(), after[epochs].idxmin()
    medians = pd.pivot_table(
        rows.assign(last=accuracy[epochs]), "last", "dataset", "optimizer", "median"
    )
    paragraphs.append(
        f"**Optimizer.** With {ahead} the median CNN has come {after[1][ahead]:.2f} of the way "
        f"after one epoch and {after[epochs][ahead]:.2f} after {epochs}; with {behind} "
        f"{after[1][behind]:.2f} and {after[epochs][behind]:.2f}. {ahead} has the higher median "
        f"accuracy on {(medians[ahead] > medians[behind]).sum()} of {len(medians)} data sets. The "
        "bands are wide because all other hyperparameters vary, first of all the learning rate, "
        "drawn over five powers of ten: "
    )
    power = np.floor(np.log10(rows["lr"])).rename("power").astype(int)
    by_lr = progress[epochs].groupby([rows["optimizer"], power]).median()
    paragraphs[-1] += (
        "; ".join(
            f"{optimizer} does best between $10^{{{peak}}}$ and $10^{{{peak + 1}}}$, with a median "
            f"of {by_lr[optimizer, peak]:.2f}"
            for optimizer, peak in ((name, by_lr[name].idxmax()) for name in OPTIMIZERS)
        )
        + "."
    )
if len(DEPTHS) > 1:
    after = progress.groupby(rows["num_conv_layers"]).median()
    gap = after.max() - after.min()
    orders = [
        " > ".join(str(depth) for depth in after[epoch].sort_values(ascending=False).index)
        for epoch in (1, epochs)
    ]
    paragraphs.append(
        f"**Depth.** The order of the medians by number of layers is {orders[0]} after the first "
        f"epoch and {orders[1]} after epoch {epochs}; the gap between the best and the worst "
        f"{'grows' if gap[epochs] > gap[1] else 'shrinks'} from {gap[1]:.2f} to {gap[epochs]:.2f}."
    )
gains = progress.diff(axis=1)
last = gains[epochs]
paragraphs.append(
    f"**More epochs.** From the first epoch to the second the CNNs come {gains[2].mean():+.3f} of "
    f"the way in the mean, from epoch {epochs - 1} to {epochs} {last.mean():+.3f}: "
    f"{(last > 0).mean():.0%} of them get better then, {(last < 0).mean():.0%} worse. Gains that "
    "have not ended show that these accuracies are those of short trainings, as the paper's are, "
    "and not the best that the configurations can reach."
    if last.mean() > 0
    else f"**More epochs.** From epoch {epochs - 1} to {epochs} the CNNs come {last.mean():+.3f} "
    "of the way in the mean: on so few images more epochs would not help."
)
show_text("\n\n".join(paragraphs))

# %% [markdown]
# ## Data set by data set


# %%
def small_multiples(by: str, colours, label=str):
    """One panel of accuracies per data set, and what is drawn in them."""
    height = -(-len(present) // 2)
    figure, axes = plt.subplots(
        height, 2, figsize=(WIDTH, 1.6 * height + 0.5), sharex=True, squeeze=False
    )
    drawn = {}
    for ax in axes.flat[len(present) :]:
        ax.set_visible(False)
    for name, ax in zip(present, axes.flat, strict=False):
        drawn[name] = draw(ax, accuracy[rows["dataset"] == name], rows[by], colours, label)
        ax.axhline(1 / FACTS[name].classes, color="grey", linewidth=0.8, zorder=0)
        ax.set_title(FACTS[name].label, loc="left")
        ax.set_ylim(bottom=0)
    figure.supxlabel("epoch", fontsize=11)
    figure.supylabel("validation accuracy", fontsize=11)
    key(figure)
    return figure, pd.concat(drawn, names=["dataset"]).reset_index("dataset")


figure, drawn = small_multiples("optimizer", OPTIMIZER_COLOURS)
show_figure(
    figure,
    "fig-curves-optimizer",
    "Validation accuracy after each epoch by optimizer: median and quartiles. Grey: guessing. "
    "The scales differ.",
    f"One panel per data set with a curve for each of {' and '.join(OPTIMIZERS)}",
    data=drawn,
)
figure, drawn = small_multiples("num_conv_layers", DEPTH_COLOURS, layers)
show_figure(
    figure,
    "fig-curves-depth",
    "Validation accuracy after each epoch by number of convolutional layers: median and quartiles. "
    "Grey: guessing. The scales differ.",
    f"One panel per data set with a curve for each of {' and '.join(map(layers, DEPTHS))}",
    data=drawn,
)

# %% [markdown]
# ## Do the first epochs foretell the last?
#
# BOHB stops CNNs early and goes on with those that lead then. That loses nothing as far as the
# order of the CNNs after an early epoch is their order in the end. {numref}`table-early` has
# Kendall's $\tau$ between the two: 1 for the same order, 0 for an unrelated one.


# %%
def agreement(own: pd.DataFrame, epoch: int):
    """Between an early and the last epoch; None where one of them has no order."""
    if len(own) < 2 or min(np.ptp(own[epoch]), np.ptp(own[epochs])) == 0:
        return None
    return rank_agreement(own[epoch], own[epochs])


by_dataset = {name: accuracy[rows["dataset"] == name] for name in present}
found = {
    epoch: {name: agreement(own, epoch) for name, own in by_dataset.items()} for epoch in early
}
show_table(
    pd.DataFrame(
        {
            "Data set": [FACTS[name].label for name in present],
            "CNNs": [len(own) for own in by_dataset.values()],
        }
        | {
            f"After epoch {epoch}": [
                "" if one is None else f"{one.tau:.2f} ({one.low:.2f} to {one.high:.2f})"
                for one in taus.values()
            ]
            for epoch, taus in found.items()
        }
    ),
    "table-early",
    f"Kendall's $\\tau$ between the validation accuracies after an early epoch and after epoch "
    f"{epochs}, with 95 % intervals, over CNNs of random search.",
)

# %%
in_best_tenth = accuracy[epochs].groupby(rows["dataset"]).rank(pct=True) > 0.9
sentences = []
for epoch, taus in found.items():
    if known := [one for one in taus.values() if one is not None]:
        in_best_third = accuracy[epoch].groupby(rows["dataset"]).rank(pct=True) > 2 / 3
        sentences.append(
            f"After epoch {epoch}, $\\tau$ is {mean_agreement(known)} in the mean of the data "
            f"sets, and {in_best_third[in_best_tenth].mean():.0%} of the CNNs that end in the best "
            "tenth are in the best third."
        )
show_text(
    " ".join(sentences)
    + " Hyperband goes on with about a third of the CNNs at each stop; those of the best tenth "
    "that are outside of that third, if any, it would have lost."
)
