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
# **Accuracies pile up at both ends, as the paper says: most CNNs fail, some succeed, few lie
# between. Most of the upper peak is BOHB's; in random search alone it is not clear.**
#
# :::{caption} fig-3
# :alt: Histogram of accuracy, most CNNs of random search at the low end and most of BOHB's at the
#   high end
#
# Validation accuracy of all {glue:text}`n:,d` CNNs on ten data sets, after each one's last epoch
# (the paper's Fig. 3). Dotted lines: thirds.
# :::

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
bins = 20  # intervals of accuracy in the histograms; at least 1

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.patches import Patch

from hia import datasets
from hia.trials import SOURCES, load
from hia_book import published
from hia_book.bimodality import UNIFORM, end_over_middle, histogram, modes, sarle, thirds
from hia_book.claims import claim, glue
from hia_book.figures import list_down, look, panels, show_figure, show_table

rows, ours = load(trials), datasets.table2().set_index("name")
present = [name for name in ours.index if name in set(rows["dataset"])]
COLOURS = {source: look(source)["color"] for source in SOURCES}
LABELS = {"random": "random search", "bohb": "BOHB"}
PATCHES = [Patch(color=COLOURS[source], label=LABELS[source]) for source in SOURCES]

# %%
edges = np.linspace(0, 1, bins + 1)


def draw(values, ax):
    """The sources on top of each other."""
    # The last one is drawn at the bottom.
    hues = {"hue": "source", "hue_order": SOURCES[::-1], "palette": COLOURS, "legend": False}
    style = {"multiple": "stack", "alpha": 1, "edgecolor": "white", "linewidth": 0.5}
    sns.histplot(values, x="accuracy", bins=edges, ax=ax, **hues, **style)
    ax.set(xlim=(0, 1), xlabel="", ylabel="")


figure, ax = panels(3.6)
draw(rows, ax)
for edge in (1 / 3, 2 / 3):
    ax.axvline(edge, color="grey", linestyle=":")
ax.set(xlabel="validation accuracy", ylabel="CNNs")
figure.legend(handles=PATCHES, loc="outside upper center", ncols=2)
show_figure(figure, "fig-3", data=histogram(rows, edges))

# %%
kinds = {"all": rows["accuracy"]}
kinds |= {LABELS[source]: rows.loc[rows["source"] == source, "accuracy"] for source in SOURCES}
kinds = {kind: values for kind, values in kinds.items() if len(values)}
gaps = {kind: 100 * np.array(end_over_middle(values)) for kind, values in kinds.items()}
gaps = pd.DataFrame(gaps, ["gap", "low", "high"], ["all", *LABELS.values()])
share = dict(zip(("low", "middle", "high"), thirds(rows["accuracy"]), strict=True))
median = rows.groupby("source")["accuracy"].median().reindex(list(SOURCES))
claim("of all CNNs' accuracies both ends are fuller than the middle", gaps["all"]["low"] > 0)
claim("of BOHB's accuracies both ends are fuller than the middle", gaps["BOHB"]["low"] > 0)
low, high = gaps.loc[["low", "high"], "random search"]
claim("random search's ends are not clearly fuller or emptier", low < 0 < high)
claim("most CNNs are in the lowest third of accuracy", share["low"] > 0.5)
of_best = rows.loc[rows["accuracy"] > 2 / 3, "source"]
claim("most CNNs of the highest third are BOHB's", (of_best == "bohb").mean() > 0.5)
claim("BOHB's median accuracy is above that of random search", median["bohb"] > median["random"])
glue(n=len(rows), UNIFORM=UNIFORM, median=median, **share, **gaps)

# %% [markdown] tags=["agreement-fig-3"]
# **Agreement with the paper.** The paper describes two peaks and gives no numbers. Of all our CNNs
# {glue:text}`low:.0%` are in the lowest third of accuracy, {glue:text}`middle:.0%` in the middle
# and {glue:text}`high:.0%` in the highest. The smaller outer third is {glue:text}`all_low:.1f` to
# {glue:text}`all_high:.1f` points above the middle one (95% interval), among BOHB's CNNs
# {glue:text}`BOHB_low:.1f` to {glue:text}`BOHB_high:.1f`. Among random search's
# this is not clear: {glue:text}`random_search_low:+.1f` to {glue:text}`random_search_high:+.1f`.

# %% [markdown]
# The median accuracy is {glue:text}`median_random:.2f` in random search and
# {glue:text}`median_bohb:.2f` in BOHB. The intervals treat CNNs as independent draws, which BOHB's
# are not. {numref}`table-bimodal` has two more tests.
#
# :::{caption} table-bimodal
# Shares of the pooled CNNs in each third of accuracy, the maxima of a smoothed density (Gaussian
# kernel of Silverman's width), and Sarle's coefficient of bimodality: {glue:text}`UNIFORM:.2f` for
# a uniform distribution, and more for two modes, or for one with a long tail.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show tests of bimodality and their code"}
maxima = {kind: ", ".join(f"{x:.2f}" for x in modes(values)) for kind, values in kinds.items()}
described = [(x, len(own), *thirds(own), maxima[x], sarle(own)) for x, own in kinds.items()]
headings = "Source | CNNs {:,} | Low {:.1%} | Middle {:.1%} | High {:.1%} | Modes | Sarle {:.2f}"
show_table(described, "table-bimodal", headings)

# %% [markdown]
# ## How many CNNs
#
# Random search chose {glue:text}`random_share:.0%` of our configurations
# ({glue:text}`paper_share:.0%` of the paper's) and BOHB the rest ({numref}`fig-2`). CNNs that BOHB
# stopped early count too.
#
# :::{caption} fig-2
# :alt: Bars of up to {glue:text}`most_models:,` CNNs per data set, with the paper's numbers
#
# Number of trained CNNs per data set, the paper's (its Fig. 2) and ours by source.
# :::

# %%
counts = pd.crosstab(rows["dataset"], rows["source"])
counts = counts.reindex(index=ours.index, columns=list(SOURCES), fill_value=0)
paper = published.figure2().set_index("dataset")["models"].loc[ours.index]
figure, ax = panels(4)
places, left = range(len(ours)), 0
for source in SOURCES:
    style = {"color": COLOURS[source], "label": f"ours, {LABELS[source]}"}
    ax.barh(places, counts[source], left=left, **style)
    left += counts[source]
ax.scatter(paper, places, zorder=3, label="the paper", **look("paper"))
list_down(ax, ours["label"], "trained CNNs")
figure.legend(loc="outside upper center", ncols=2)
show_figure(figure, "fig-2", data=counts.assign(paper=paper).reset_index(names="dataset"))
as_many = counts.sum(axis=1) == paper
claim("there are as many CNNs as in the paper, on every data set", as_many.all())
glue(most_models=counts.sum(axis=1).max(), n_paper=paper.sum(), n_sets=as_many.sum())
glue(random_share=counts["random"].sum() / len(rows), paper_share=published.value("random_share"))

# %% [markdown] tags=["agreement-fig-2"]
# **Agreement with the paper.** {glue:text}`n:,d` CNNs here and {glue:text}`n_paper:,d` in the
# paper; the same number on all {glue:text}`n_sets` data sets.

# %% [markdown]
# ## The collections
#
# {numref}`table-2` lists the ten collections, {numref}`fig-samples` shows ten images of each.
#
# :::{caption} table-2
# The ten collections, training and test parts together; side in pixels. Where the paper
# {cite}`wang2024efficient` prints other numbers they stand beside ours, the different ones in bold.
# :::

# %%
theirs = published.table(2).set_index("dataset").loc[ours.index]
theirs["size"] = theirs["size"].str.split("*").str[0].astype(int)
facts = {"images": "Images", "classes": "Classes", "channels": "Channels", "size": "Side"}
differs = ours[list(facts)] != theirs[list(facts)]
table = pd.DataFrame({"Data set": ours["label"] + " (`" + ours.index + "`)"})
for fact, heading in facts.items():
    table[heading] = ours[fact]
    if differs[fact].any():
        printed = theirs[fact].map("{:,}".format)
        table[f"{heading}, paper"] = printed.mask(differs[fact], "**" + printed + "**")
show_table(table.reset_index(drop=True), "table-2", {"Images": ","})
different = {(fact, name) for fact in facts for name in ours.index[differs[fact]]}
WRONG = {("images", "eurosat"), ("channels", "semeion")}
claim("the paper differs in EuroSAT's images and SEMEION's channels alone", different == WRONG)
glue(n_facts=differs.size, n_different=len(different), images=ours["images"])
glue(images_paper=theirs["images"], channels=ours["channels"], channels_paper=theirs["channels"])

# %% [markdown] tags=["agreement-table-2"]
# **Agreement with the paper.** {glue:text}`n_different` of {glue:text}`n_facts` numbers differ
# ({doc}`audit` says what follows). EuroSAT has {glue:text}`images_eurosat:,d` images, not
# {glue:text}`images_paper_eurosat:,d`. SEMEION has {glue:text}`channels_semeion` channel, not
# {glue:text}`channels_paper_semeion`.
#
# :::{caption} fig-samples
# :alt: Ten rows of ten small images: photographs, handwritten digits and letters, clothes,
#   satellite images and house numbers
#
# Ten images of each collection, of ten different classes, scaled to the same size. Sources:
# CIFAR-10 and CIFAR-100 {cite}`krizhevsky2009learning`, MNIST {cite}`lecun1998gradient`, EMNIST
# {cite}`cohen2017emnist`, Fashion-MNIST {cite}`xiao2017fashion`, EuroSAT {cite}`helber2019eurosat`,
# Semeion {cite}`semeion1994`, STL10 {cite}`coates2011analysis`, SVHN {cite}`netzer2011reading`,
# USPS {cite}`hull1994database`.
# :::

# %%
sheet = plt.imread("data/samples.png")  # by studies/record_samples.py
figure, ax = panels(5.2)
ax.imshow(sheet)
ax.set_yticks((np.arange(len(ours)) + 0.5) * len(sheet) / len(ours), ours["label"])
ax.set_xticks([])
ax.tick_params(length=0)
ax.spines[:].set_visible(False)
show_figure(figure, "fig-samples", photographs=True)

# %% [markdown]
# The images belong to these collections and are not under this book's licence.
#
# ## What the CNNs were trained on
#
# As far as we can tell, the paper trains on whole collections. Our CNNs see fewer images, except
# SEMEION's, which are all used ({numref}`table-images`). They come in the collection's class
# proportions, split 8:2 into training and validation as in the paper. {doc}`noise` shows how their
# number changes the order of configurations.
#
# :::{caption} table-images
# Images per CNN. {doc}`card` has the times, and says what is special about three image files.
# :::


# %%
of_each = rows.groupby("dataset", sort=False)
most = (rows["images"] + rows["val_images"]).groupby(rows["dataset"]).max()
columns = {"Training images": of_each["images"].max().map("{:,}".format)}
columns |= {"Validation images": of_each["val_images"].max().map("{:,}".format)}
used = (most / ours["images"])[present]
columns |= {"Share of the collection": used.map("{:.1%}".format)}
show_table(pd.DataFrame(columns).loc[present], "table-images")
claim("SEMEION alone is used whole", list(used.index[used == 1]) == ["semeion"])

# %% [markdown]
# ## Data set by data set
#
# Two peaks in the pool may just be easy and hard data sets. So {numref}`fig-3-datasets` and
# {numref}`table-accuracy` show each by itself, the table on a scale from 0 (guessing) to 1 (the
# data set's best CNN).
#
# On this scale {glue:text}`scaled_low:.0%` of all CNNs are in the lowest third,
# {glue:text}`scaled_middle:.0%` in the middle and {glue:text}`scaled_high:.0%` in the highest. The
# middle third is the emptiest on {glue:text}`n_sparse` of ten data sets; on CIFAR-100, EuroSAT and
# STL10, few CNNs come near the best.
#
# :::{caption} fig-3-datasets
# :alt: Ten histograms of accuracy; the best accuracy goes from {glue:text}`best_least:.2f` to
#   {glue:text}`best_most:.2f`
#
# Validation accuracy per data set; dotted: one over the number of classes. A constant answer can do
# better where classes are unequal, as in SVHN. The scale of the counts differs.
# :::
#
# :::{caption} table-accuracy
# Accuracy per data set; the share of its CNNs in each third of the way from guessing to its best
# CNN; and Sarle's coefficient of bimodality of its accuracies, by source.
# :::

# %%
figure, axes = panels(7.5, 5, 2, sharex=True)
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
counted = {name: histogram(rows[rows["dataset"] == name], edges) for name in present}
glue(best_least=best.min(), best_most=best.max())
counted = pd.concat(counted, names=["dataset"]).reset_index("dataset")
show_figure(figure, "fig-3-datasets", data=counted)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the table by data set and its code"}
guessing = 1 / rows["dataset"].map(ours["classes"])
rows["progress"] = (rows["accuracy"] - guessing) / (rows["dataset"].map(best) - guessing)
parts = of_each["progress"].agg(thirds)
table = pd.DataFrame({"Median": of_each["accuracy"].median(), "Best": best})
table[["Low", "Middle", "High"]] = pd.DataFrame(parts.to_dict()).T
for kind, values in kinds.items():
    table[f"Sarle, {kind}"] = values.groupby(rows["dataset"]).agg(sarle)
table = table.loc[present]
show_table(table, "table-accuracy", dict.fromkeys(table, ".2f"))
full = set(table.index[table["Middle"] >= table[["Low", "High"]].min(axis=1)])
EXCEPT = {"cifar100", "eurosat", "stl10"}
claim("the middle third is the emptiest but on CIFAR-100, EuroSAT and STL10", full == EXCEPT)
claim("Sarle's coefficient is above a uniform's everywhere", (table["Sarle, all"] > UNIFORM).all())
scaled = pd.Series(thirds(rows["progress"]), ["low", "middle", "high"])
glue(n_sparse=len(table) - len(full), scaled=scaled)
