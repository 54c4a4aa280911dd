# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The data
#
# Ten collections of small images, and the CNNs that were trained on them. {numref}`table-2` has the
# collections, {numref}`fig-samples` shows what is in them, {numref}`fig-2` counts the CNNs, and
# {numref}`fig-3` is what they achieved.

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
bins = 20  # intervals of accuracy in the histograms; at least 1
remake_samples = False  # cut data/samples.png anew from the image files, downloading missing ones

# %%
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.patches import Patch
from PIL import Image

from hia import datasets
from hia.space import SPACE
from hia.study.records import FRACTIONS
from hia.trials import SOURCES, load
from hia_book import published
from hia_book.bimodality import UNIFORM, modes, sarle, thirds
from hia_book.figures import look, show_agreement, show_figure, show_table, show_text, use_style

use_style()
rows = load(trials)
COLOURS = {source: look(source)["color"] for source in SOURCES}
LABELS = {"random": "random search", "bohb": "BOHB"}


def spelled(items) -> str:
    items = list(items)
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


# %% [markdown]
# ## The collections

# %%
ours = datasets.table2().set_index("name")
theirs = published.table(2).set_index("dataset").loc[ours.index]
theirs["size"] = theirs["size"].str.split("*").str[0].astype(int)
facts = {"images": "Images", "classes": "Classes", "channels": "Channels", "size": "Side"}

table = pd.DataFrame({"Data set": [f"{row.label} (`{row.Index}`)" for row in ours.itertuples()]})
differences = []
for fact, heading in facts.items():
    table[heading] = ours[fact].to_numpy()
    different = ours.index[ours[fact] != theirs[fact]]
    if len(different):
        table[f"{heading}, paper"] = [
            f"**{value:,}**" if name in different else f"{value:,}"
            for name, value in theirs[fact].items()
        ]
        differences += [
            f"{fact} of {ours['label'][name]}: {theirs[fact][name]:,} in the paper, "
            f"{ours[fact][name]:,} in the collection"
            for name in different
        ]
show_table(
    table,
    "table-2",
    "The ten collections, training and test parts together; side in pixels. Where the paper "
    "{cite}`wang2024efficient` prints other numbers they stand beside ours, the different ones in "
    "bold.",
    formats={"Images": ","},
)
show_agreement(
    "table-2",
    f"{len(differences)} of {len(theirs) * len(facts)} numbers differ"
    + (f" ({'; '.join(differences)})." if differences else "."),
)
show_text(
    "Our numbers are those of the published collections, and of what the loader makes from "
    "torchvision's downloads. What follows from the differences is in {doc}`audit`."
)

# %%
SHEET = Path("data/samples.png")
CELL = 48  # pixels; larger images are scaled down to this
CLASSES = 10  # images per collection


def side(name) -> int:
    return min(ours["size"][name], CELL)


def make_sheet() -> None:
    """One row per collection, one cell per class: the first image of ten classes, evenly spread."""
    sheet = Image.new("RGB", (CELL * CLASSES, CELL * len(ours)), "white")
    for row, name in enumerate(ours.index):
        images, labels, _ = datasets.read(name)
        for column, label in enumerate(np.arange(CLASSES) * ours["classes"][name] // CLASSES):
            image = Image.fromarray(images[np.argmax(labels == label)]).convert("RGB")
            image.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(image, (column * CELL, row * CELL))
    sheet.save(SHEET, optimize=True)


if remake_samples:
    make_sheet()
sheet = np.asarray(Image.open(SHEET))
figure, axes = plt.subplots(
    len(ours), CLASSES, figsize=(5.9, 5.2), gridspec_kw={"wspace": 0.04, "hspace": 0.04}
)
for row, name in enumerate(ours.index):
    for column, ax in enumerate(axes[row]):
        top, left = row * CELL, column * CELL
        cell = sheet[top : top + side(name), left : left + side(name)]
        ax.imshow(cell, interpolation="none")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    axes[row, 0].set_ylabel(ours["label"][name], rotation=0, ha="right", va="center")
reduced = [ours["label"][name] for name in ours.index if ours["size"][name] > CELL]
show_figure(
    figure,
    "fig-samples",
    "Ten images of each collection, of ten different classes, scaled to the same size. Sources: "
    "CIFAR-10 and CIFAR-100 {cite}`krizhevsky2009learning`, MNIST {cite}`lecun1998gradient`, "
    "EMNIST {cite}`cohen2017emnist`, Fashion-MNIST {cite}`xiao2017fashion`, EuroSAT "
    "{cite}`helber2019eurosat`, Semeion {cite}`semeion1994`, STL10 {cite}`coates2011analysis`, "
    "SVHN {cite}`netzer2011reading`, USPS {cite}`hull1994database`.",
    "Ten rows of ten small images: photographs, handwritten digits and letters, clothes, "
    "satellite images and house numbers",
    photographs=True,
)
show_text(
    f"The images are quoted from these collections and are not under this book's licence. "
    f"{spelled(reduced)} are shown with {CELL} pixels a side instead of their own."
)

# %% [markdown]
# ## What the CNNs were trained on
#
# The paper trains, as far as it says, on whole collections. Here each CNN has the number of images
# in {numref}`table-images`, in the collection's class proportions and split 8:2 into training and
# validation images as in the paper (Section 4.4). With fewer images the same computer trains more
# CNNs, which reach lower accuracies.


# %%
def span(values: pd.Series) -> str:
    ends = dict.fromkeys([values.min(), values.max()])
    return " to ".join(f"{value:,}" for value in ends)


of_each = rows.groupby("dataset", sort=False)
present = [name for name in ours.index if name in set(rows["dataset"])]
table = pd.DataFrame(
    {
        "Data set": ours["label"][present],
        "Training images": of_each["images"].agg(span)[present],
        "Validation images": of_each["val_images"].agg(span)[present],
        "Share of the collection": (
            (rows["images"] + rows["val_images"]).groupby(rows["dataset"]).max() / ours["images"]
        )[present].map("{:.1%}".format),
    }
)
show_table(
    table,
    "table-images",
    "Images per CNN. {doc}`card` has the times.",
)

show_text(
    "What the number of images does to the order of configurations is in {doc}`noise`, for "
    f"{min(FRACTIONS):g} to {max(FRACTIONS):g} times as many as here. How far the paper's full "
    "collections are from that is not known."
)

# %%
# What is special about image files that stood in for downloads, by the beginning of their SHA-256.
NOTES = {
    "7b8a23c06976": "EMNIST's file mixes images of the Balanced split with images of the same 47 "
    "classes from the ByMerge test split, of which Balanced is a part",
    "8b2d2dd2266b": "SVHN's file has digits cut from full house-number images with their published "
    "boxes, as the official crops were made, so that neighbouring digits can overlap",
    "c19aaf77e108": "USPS's file has grey values rounded to 8 bits",
}
provenance = Path(trials).with_name("provenance.json")
if provenance.is_file():
    sessions = json.loads(provenance.read_text(encoding="utf-8"))["sessions"]
    hashes = {sha for session in sessions for sha in session["data_sha256"].values()}
    notes = [note for start, note in NOTES.items() if any(sha.startswith(start) for sha in hashes)]
    show_text(
        f"The SHA-256 of every image file that was used is in `{provenance.name}`. "
        + " ".join(f"{note}." for note in notes)
    )

# %% [markdown]
# ## How many CNNs

# %%
counts = pd.crosstab(rows["dataset"], rows["source"])
counts = counts.reindex(index=ours.index, columns=list(SOURCES), fill_value=0)
paper = published.figure2().set_index("dataset")["models"].loc[ours.index]

figure, ax = plt.subplots(figsize=(5.4, 4))
left = np.zeros(len(counts))
for source in SOURCES:
    label = f"ours, {LABELS[source]}"
    ax.barh(ours["label"], counts[source], left=left, color=COLOURS[source], label=label)
    left += counts[source]
ax.scatter(paper, ours["label"], zorder=3, label="the paper", **look("paper"))
ax.invert_yaxis()
ax.set_xlabel("trained CNNs")
figure.legend(loc="outside upper center", ncols=2)
show_figure(
    figure,
    "fig-2",
    "Number of trained CNNs per data set, the paper's (its Fig. 2) and ours by source.",
    f"Bars of {span(counts.sum(axis=1))} CNNs per data set, marks of the paper's {span(paper)}",
    data=counts.assign(paper=paper).reset_index(names="dataset"),
)
random_share = counts["random"].sum() / len(rows)
full = SPACE["epoch"].high
stopped = (rows.loc[rows["source"] == "bohb", "epoch"] < full).mean()
as_many = (counts.sum(axis=1) == paper).sum()
show_agreement(
    "fig-2",
    f"{len(rows):,} CNNs here and {paper.sum():,} in the paper, a ratio of "
    f"{len(rows) / paper.sum():.2f}; the same number on {as_many} of {len(paper)} data sets, "
    f"fewer on {(counts.sum(axis=1) < paper).sum()}.",
)
show_text(
    f"Random search found {random_share:.1%} of our configurations "
    f"(the paper: {published.value('random_share'):.0%}), BOHB the rest. Every CNN that was "
    f"trained counts, with the number of epochs that it had; {stopped:.0%} of BOHB's had fewer "
    f"than {full}, the most there are. Whether the paper counts those it does not say."
)

# %% [markdown]
# ## How accurate they are
#
# The paper describes its pooled accuracies (its Fig. 3) as bimodal: many CNNs that fail, many that
# succeed, few between. {numref}`fig-3` pools ours the same way.


# %%
edges = np.linspace(0, 1, bins + 1)


def histogram(values: pd.DataFrame) -> pd.DataFrame:
    """CNNs per interval of accuracy: `from`, `to`, and a column per source."""
    counted = {
        source: np.histogram(values.loc[values["source"] == source, "accuracy"], edges)[0]
        for source in SOURCES
    }
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], **counted})


def draw(values: pd.DataFrame, ax) -> None:
    """The sources on top of each other."""
    sns.histplot(
        values,
        x="accuracy",
        hue="source",
        hue_order=SOURCES[::-1],  # the last one is drawn at the bottom
        palette=COLOURS,
        multiple="stack",
        bins=np.linspace(0, 1, bins + 1),
        alpha=1,
        edgecolor="white",
        linewidth=0.5,
        legend=False,
        ax=ax,
    )
    ax.set(xlim=(0, 1), xlabel="", ylabel="")


# Seaborn's own legend would be one for each panel.
PATCHES = [Patch(color=COLOURS[source], label=LABELS[source]) for source in SOURCES]
figure, ax = plt.subplots(figsize=(5.4, 3.6))
counted = histogram(rows)
draw(rows, ax)
for edge in (1 / 3, 2 / 3):
    ax.axvline(edge, color="grey", linestyle=":")
ax.set(xlabel="validation accuracy", ylabel="CNNs")
figure.legend(handles=PATCHES, loc="outside upper center", ncols=2)
pooled = thirds(rows["accuracy"])
show_figure(
    figure,
    "fig-3",
    "Validation accuracy of all CNNs of all data sets, after the last epoch that each had (the "
    "paper's Fig. 3). Dotted lines: thirds.",
    f"Histogram of accuracy: {pooled[0]:.0%} of the CNNs in the lowest third, {pooled[1]:.0%} in "
    f"the middle, {pooled[2]:.0%} in the highest",
    data=counted,
)

# %%
kinds = {"all": rows} | {
    LABELS[source]: rows[rows["source"] == source]
    for source in SOURCES
    if source in set(rows["source"])
}


def shape(values: pd.Series) -> dict:
    """What there is to say of one or two modes."""
    low, middle, high = thirds(values)
    return {
        "CNNs": len(values),
        "Low": low,
        "Middle": middle,
        "High": high,
        "Modes": ", ".join(f"{x:.2f}" for x in modes(values)),
        "Sarle": sarle(values),
    }


shapes = pd.DataFrame([shape(some["accuracy"]) for some in kinds.values()], index=list(kinds))
show_table(
    shapes.reset_index(names="Source"),
    "table-bimodal",
    "Shares of the pooled CNNs in each third of accuracy, the maxima of a smoothed density "
    "(Gaussian kernel of Silverman's width), and Sarle's coefficient of bimodality: "
    f"{UNIFORM:.2f} for a uniform distribution, and more for two modes, or for one with a long "
    "tail.",
    dict.fromkeys(["Low", "Middle", "High"], ".1%") | {"Sarle": ".2f", "CNNs": ","},
)


def holds(kind: str) -> str:
    """Whether the paper's description, both ends fuller than the middle, does: by the difference of
    two shares of one sample, the emptier end's and the middle's, and its 95 % interval."""
    low, middle, high = shapes.loc[kind, ["Low", "Middle", "High"]]
    end = min(low, high)
    gap = end - middle
    half = 1.96 * np.sqrt((end + middle - gap**2) / shapes.loc[kind, "CNNs"])
    verdict = "clear" if gap > half else "clearly not so" if gap < -half else "not clear"
    return (
        f"is {verdict} for {'all CNNs' if kind == 'all' else f'those of {kind}'} (the emptier end "
        f"has {end:.1%}, the middle {middle:.1%}: {100 * gap:+.1f} points, 95 % interval "
        f"{100 * (gap - half):+.1f} to {100 * (gap + half):+.1f})"
    )


show_agreement(
    "fig-3",
    f"That both ends are fuller than the middle {'; '.join(map(holds, kinds))}. "
    + (
        "The intervals take the CNNs for independent draws, which BOHB's are not. "
        if LABELS["bohb"] in kinds
        else ""
    )
    + "The paper gives no numbers.",
)
by_source = rows.groupby("source")["accuracy"].median()
if set(SOURCES) <= set(by_source.index):
    better = "as the paper expects" if by_source["bohb"] > by_source["random"] else "unexpectedly"
    show_text(
        f"The median accuracy is {by_source['random']:.2f} by random search and "
        f"{by_source['bohb']:.2f} by BOHB, {better}: BOHB is there to fill the upper end. The CNNs "
        "that it stops early hold its median down."
    )

# %% [markdown]
# ## Data set by data set
#
# A pooled histogram mixes ten tasks: an accuracy that is the best to be had on CIFAR-100 is a
# failure on MNIST. What is bimodal in the pool may be easy sets beside hard ones. So
# {numref}`fig-3-datasets` and {numref}`table-accuracy` look at each alone, the table on a scale
# from 0 (guessing, one over the number of classes) to 1 (the best CNN on this data set).

# %%
figure, axes = plt.subplots(5, 2, figsize=(5.4, 7.5), sharex=True)
counted = {name: histogram(rows[rows["dataset"] == name]) for name in present}
for name, ax in zip(ours.index, axes.flat, strict=True):
    if name in present:
        draw(rows[rows["dataset"] == name], ax)
    ax.axvline(1 / ours["classes"][name], color="black", linestyle=":")
    ax.set(xlim=(0, 1))
    ax.yaxis.get_major_locator().set_params(integer=True, nbins=3)
    ax.set_title(ours["label"][name], loc="left")
figure.supxlabel("validation accuracy", fontsize=11)
figure.supylabel("CNNs", fontsize=11)
figure.legend(handles=PATCHES, loc="outside upper center", ncols=2)
best = of_each["accuracy"].max()[present]
show_figure(
    figure,
    "fig-3-datasets",
    "Validation accuracy per data set; dotted: one over the number of classes. A constant answer "
    "can do better where classes are unequal, as in SVHN. The scale of the counts differs.",
    "Ten histograms of accuracy; the best accuracy goes from "
    f"{best.min():.2f} on {ours['label'][best.idxmin()]} to {best.max():.2f} on "
    f"{ours['label'][best.idxmax()]}",
    data=pd.concat(counted, names=["dataset"]).reset_index("dataset"),
)

# %%
guessing = 1 / rows["dataset"].map(ours["classes"])
rows["progress"] = (rows["accuracy"] - guessing) / (rows["dataset"].map(best) - guessing)
described = []
for name in present:
    own = rows[rows["dataset"] == name]
    low, middle, high = thirds(own["progress"])
    described.append(
        {
            "Data set": ours["label"][name],
            "Median": own["accuracy"].median(),
            "Best": best[name],
            "Low": low,
            "Middle": middle,
            "High": high,
        }
        | {
            f"Sarle, {kind}": sarle(some.loc[some["dataset"] == name, "accuracy"])
            for kind, some in kinds.items()
        }
    )
table = pd.DataFrame(described)
show_table(
    table,
    "table-accuracy",
    "Accuracy per data set; the share of its CNNs in each third of the way from guessing to its "
    "best CNN; and Sarle's coefficient of bimodality of its accuracies, by source.",
    formats=dict.fromkeys(table.columns[1:], ".2f"),
)
low, middle, high = thirds(rows["progress"])
sparse = table["Middle"] < table[["Low", "High"]].min(axis=1)
show_text(
    f"On this scale {low:.0%} of all CNNs are in the lowest third, {middle:.0%} in the middle and "
    f"{high:.0%} in the highest. The middle third is the emptiest on {sparse.sum()} of "
    f"{len(table)} data sets"
    + (f" ({spelled(table['Data set'][sparse])})" if 0 < sparse.sum() < len(table) else "")
    + f". Sarle's coefficient is above {UNIFORM:.2f} on "
    + spelled(
        f"{(table[f'Sarle, {kind}'] > UNIFORM).sum()} for {'all CNNs' if kind == 'all' else kind}"
        for kind in kinds
    )
    + ". Where the lowest third is the fullest, many configurations have learnt next to nothing: "
    "the learning rate is drawn over five powers of ten, and few epochs on few images do not make "
    "up for a rate that is too small."
)
