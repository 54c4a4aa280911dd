# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The paper's numbers, checked
#
# A paper's tables can be checked without training anything: against each other, against the text,
# and against the paper's own definitions. This chapter does so with everything in
# {cite:t}`wang2024efficient` that we found can be checked by computing. None of it uses our CNNs.
#
# Every paper with so many numbers has slips in it, and most of those found here change nothing. The
# chapter says which do. It does not say how a slip came about, for a printed number does not tell.

# %% tags=["parameters"]
folder = "data/published"  # what the paper prints
deepest = 6  # ranks that agree in the last figure, at most; 1 to 11

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from hia import datasets
from hia_book import audit
from hia_book.claims import claim
from hia_book.figures import look, show_figure, show_table, show_text, use_style

use_style()
paper = audit.load(Path(folder))
checks = audit.checks(paper, datasets.table2())
by_status = {status: [c for c in checks if c.status == status] for status in audit.STATUSES}
MEANINGS = {
    audit.AGREES: "the printed number is what it should be",
    audit.DIFFERS: "it is not, or two printed things contradict each other",
    audit.NOT_SHOWN: "what is said from a number does not follow from it",
    audit.NOT_SAID: "it cannot be checked, for the paper does not say how it was made",
}


def counted(status: str) -> str:
    return f"{len(by_status[status])} of {len(checks)}"


show_text(
    f"There are {len(checks)} checks. Each has one of four answers:\n\n"
    + "\n".join(
        f"- **{status}**, {counted(status)}: {meaning};" for status, meaning in MEANINGS.items()
    )[:-1]
    + "."
)

# %% [markdown]
# ## What it means for the paper's claims

# %%
verdicts = []
for key, text in audit.CLAIMS.items():
    bearing = [check for check in checks if key in check.bears]
    against = [check for check in bearing if check.status != audit.AGREES]
    verdicts.append(
        {
            "The paper's claim": text,
            "Agrees": len(bearing) - len(against),
            "Against it": "; ".join(f"{c.about}: **{c.status}**" for c in against)
            or "nothing found here",
        }
    )
verdicts = pd.DataFrame(verdicts)
show_table(
    verdicts,
    "table-audit-claims",
    "The paper's claims, how many checks agree with them, and what speaks against them or leaves "
    "them open.",
)
untouched = int((verdicts["Against it"] == "nothing found here").sum())
show_text(
    (
        f"Against {untouched} of the {len(verdicts)} claims nothing was found in the printed "
        "numbers. That leaves open whether they are true, and what is found against the others "
        "does not make them false: "
        if untouched
        else f"Against or beside each of the {len(verdicts)} claims something was found. That does "
        "not make them false: "
    )
    + "it says what the printed numbers can bear. Whether other CNNs give the same answers is the "
    "subject of the other chapters, {doc}`importance` first."
)

# %%
claim(
    "what differs, is not shown or not said is what the text below explains",
    {status: [check.where for check in by_status[status]] for status in audit.STATUSES[1:]}
    == {
        audit.DIFFERS: [
            *("Algorithm 1, Section 5.3", "Table 1", "Table 2", "Table 2", "Table 2, Section 4.4"),
            *("Fig. 2, Section 5.1", "Section 4.1, Section 5.2", "Table 4", "Table 4"),
            *("Section 5.3, Table 4", "Table 5, Eq. 11", "Algorithm 1, Table 5"),
        ],
        audit.NOT_SHOWN: [
            *("Table 2, Table 3", "Section 5.2", "Section 5.2, Table 3", "Section 3.1, Table 3"),
            *("Section 5.4, Table 5", "Section 5.5, Table 6"),
        ],
        audit.NOT_SAID: ["Table 1, Section 4.3", "Eq. 10, Table 3"],
    },
)

# %% [markdown]
# ## What follows from each finding
#
# **Differs.**
#
# - *A letter stands for one thing (Algorithm 1, Section 5.3).* A slip of notation. The sentence
#   about neighbours leaves no doubt that J, as in Algorithm 1, is meant.
# - *Defaults inside their spaces (Table 1).* No result depends on it: nothing in the paper uses the
#   defaults, and the number of channels is what the images have.
# - *Numbers of images (Table 2).* A wrong number of images in a table changes no ranking. If more
#   images than exist were used, the paper would have to say which.
# - *Numbers of channels (Table 2, Section 4.4).* If these images were trained as printed, their
#   grey values were repeated, and `in_channel_num` is no property of the images. If not, the text
#   is right and the table is not. It matters for the rank of `in_channel_num` only.
# - *More CNNs than stated (Fig. 2, Section 5.1).* Reached, not surpassed; nothing depends on it.
# - *The range of the ICC (Sections 4.1 and 5.2).* A slip: the value is on the better side of it.
# - *Main effects of a functional ANOVA (Table 4).* These are not the main effects of one functional
#   ANOVA. Some hold more than one effect, or they were scaled. Their order may be right all the
#   same; their sizes cannot be read as shares of the variance.
# - *Ranks (Table 4).* Two ranks are exchanged; they are those of small weights.
# - *The same ranking by both methods (Section 5.3, Table 4).* Nearly the same ranking. The
#   agreement that the paper reports stands but for this, as far as the weights of Table 4 can be
#   taken for what they are called.
# - *Labels (Table 5).* The names beside the weights are out of step. The numbers stand; what Table
#   5 says about any pair by name does not.
# - *The loops (Algorithm 1).* A slip in the listing; Table 5 has pairs of two.
#
# **Not shown.**
#
# - *The rank of `in_channel_num` (Table 3).* A data set brings its number of channels with it, so
#   this weight is that of all that tells colour and grey collections apart.
# - *The ICC (Section 5.2).* It is decided by the large weights. It says that the first ones come
#   out the same in all subsets, and would be as high with any order of the other eight.
# - *The cut after rank 5 (Section 5.2, Table 3).* It is not one that the data make. The estimate
#   takes the error for the same in all weights, and the ICC for that of single lists; that of mean
#   lists would leave a larger error.
# - *The last ranks (Section 3.1, Table 3).* By the distance as printed, neighbours are CNNs that
#   are alike in these two. What neighbours do not differ in gets a weight near 0, whatever its
#   influence. If values were scaled first, the objection falls; the paper does not say so.
# - *The role of `num_conv_layers` in pairs (Section 5.4, Table 5).* Eq. 11 rises with the sum of
#   two weights and knows nothing else. The table repeats Table 3, and measures no interaction. Two
#   hyperparameters of no importance at all would have $e^{-1}$, 0.368.
# - *The order of two layers (Section 5.5, Table 6).* The table does not show that filters nearer to
#   the input matter more. The ICC is of the shares of eleven hyperparameters; none is given of
#   these, which are from fewer CNNs, so that their errors are rather larger.
#
# **Not said.**
#
# - *Structures that cannot be built (Table 1, Section 4.3).* With a pooling window of two pixels
#   some networks cannot exist as described. What was done with these configurations is not said; if
#   they were left out, layers, kernel, stride and padding are not independent of each other in the
#   data.
# - *The weights of Eq. 10 (Table 3).* They were made shares by a step that is not described. The
#   order is not touched by it unless weights below 0 were changed; the ratios may be.

# %% [markdown]
# ## All checks

# %%
show_table(
    pd.DataFrame(
        [
            {
                "Where": check.where,
                "Checked": check.about,
                "Printed": check.printed,
                "Found": check.found,
                "Answer": check.status if check.status == audit.AGREES else f"**{check.status}**",
            }
            for check in checks
        ]
    ),
    "table-audit",
    "Every check: what is printed, and what it should be by the paper's own definitions and "
    "tables, or by the published collections of images.",
)

# %% [markdown]
# ## The labels of Table 5
#
# Eq. 11 makes the weight of a pair from two weights of Table 3. So for each printed weight the pair
# can be found to which it belongs.


# %%
def written(first: object, second: object) -> str:
    return f"`{first}`, `{second}`" if isinstance(first, str) else "none"


labels = audit.labels(paper.tables[5], paper.weights(3))
show_table(
    pd.DataFrame(
        {
            "Rank": labels["rank"],
            "Printed weight": labels["weight"],
            "Printed label": [written(r.first, r.second) for r in labels.itertuples()],
            "Pair with that weight": [
                written(r.found_first, r.found_second) for r in labels.itertuples()
            ],
            "Eq. 11": labels["found_weight"].astype(float),
            "Label right": labels["right"].map({True: "yes", False: "**no**"}),
        }
    ),
    "table-audit-labels",
    "The paper's Table 5, and the pairs to which its weights belong by Eq. 11 and its Table 3.",
    {"Printed weight": ".6f", "Eq. 11": ".6f"},
)
found = labels.dropna(subset="found_first")
order = found["found_weight"].astype(float).is_monotonic_decreasing
show_text(
    f"{int(labels['right'].sum())} of the {len(labels)} labels stand beside their own pair. "
    + (
        "The labels are as they should be."
        if labels["right"].all()
        else "Each weight belongs to a pair of its own, and they stand in the right order: the "
        "weights are right, and only the names beside them are out of step."
        if len(found) == len(labels) and order and not found.duplicated("found_second").any()
        else f"{len(labels) - len(found)} of the weights belong to no pair at all, and the order "
        f"of the others is {'right' if order else 'another one'}."
    )
)

# %% [markdown]
# ## What an ICC of this size says
#
# The paper's evidence for reliability is one number, the intraclass correlation of ten lists of
# weights. It compares the differences between hyperparameters with those between lists: with a
# variance $v$ between hyperparameters and $e$ between lists it is $v / (v + e)$. Table 3 has $v$,
# so the printed ICC has $e$ in it, averaged over the hyperparameters.

# %%
weights = paper.weights(3).sort_values(ascending=False)
reported = paper.numbers["icc"]
sd = audit.implied_sd(weights, reported)
needed = audit.told_apart(weights, sd)
gaps = -weights.diff().iloc[1:]
clear = [rank for rank, gap in enumerate(gaps, start=1) if gap > needed]

figure, ax = plt.subplots(figsize=(5.4, 4.2))
heights = range(len(weights))[::-1]
ax.hlines(heights, weights - 1.96 * sd, weights + 1.96 * sd, color="0.6", linewidth=2)
ax.scatter(weights, heights, s=40, zorder=3, **look("paper"))
for rank in clear:
    ax.axhline(len(weights) - rank - 0.5, color="0.6", linestyle=":", linewidth=1)
ax.set_yticks(list(heights), weights.index)
ax.set_xlabel("weight in the paper's Table 3")
ax.grid(axis="x")
show_figure(
    figure,
    "fig-audit-error",
    "The paper's weights, with the spread of ±1.96 standard deviations that its ICC of "
    f"{reported:g} leaves to a list, if it is the same for all hyperparameters. Dotted lines: gaps "
    "too wide for chance between two lists.",
    f"{len(weights)} weights with bars of {1.96 * sd:.3f} on both sides. The bars of rank "
    f"{clear[-1] + 1 if clear else 1} and below overlap.",
    data=pd.DataFrame({"hyperparameter": weights.index, "weight": weights.to_numpy(), "sd": sd}),
)
tied = len(weights) - (clear[-1] if clear else 0)
show_text(
    f"The ICC leaves each weight a standard deviation of {sd:.4f}. Two weights are clearly apart "
    f"from a gap of {needed:.3f} on. There are {len(clear)} such gaps between neighbours in rank, "
    + (f"the last after rank {clear[-1]}; " if clear else "")
    + f"the other {tied} hyperparameters lie within "
    f"{weights.iloc[-tied] - weights.iloc[-1]:.3f} of each other. The six digits of Table 3 are "
    "more than its ICC can bear. Two things would change this: small weights may vary less than "
    "large ones, and the full table of CNNs gives a steadier list than a part of it. One would "
    "make it worse: subsets of the same CNNs are more alike than lists of new CNNs would be "
    "({doc}`reliability`)."
)

# %%
kept = range(0, min(deepest, len(weights) - 2) + 1)
lists = int(paper.numbers["subsets"])
iccs = [audit.shuffled_icc(weights, k, lists) for k in kept]
enough = next((k for k, value in zip(kept, iccs, strict=True) if value >= reported), None)
figure, ax = plt.subplots(figsize=(5.4, 3))
ax.plot(list(kept), iccs, **look("paper"))
ax.axhline(reported, color="0.5", linestyle=":")
ax.text(0, reported - 0.02, f"printed: {reported:g}", va="top", fontsize=9.5)
ax.set_xlabel("ranks that agree; those after them in random order")
ax.set_ylabel("ICC")
ax.set_xticks(list(kept))
ax.grid(axis="y")
show_figure(
    figure,
    "fig-audit-icc",
    f"The ICC of {lists} lists with the paper's weights, in which only the first ranks agree and "
    "the others are drawn at random for each list. Means of many draws.",
    "ICC against the number of ranks that agree: "
    + ", ".join(f"{k}: {value:.4f}" for k, value in zip(kept, iccs, strict=True)),
    data=pd.DataFrame({"ranks that agree": list(kept), "icc": iccs}),
)
show_text(
    f"Lists that agree about the first {enough} and about nothing else have an ICC of "
    f"{iccs[enough]:.4f}, which is not below the printed one. So the ICC cannot be evidence for "
    f"the order of the other {len(weights) - enough}."
    if enough is not None
    else f"No list with up to {kept[-1]} agreeing ranks has an ICC as high as the printed one: it "
    "needs more agreement than that."
)

# %% [markdown]
# ## What the printed distance does
#
# By Section 3.1 the distance between two CNNs is Euclidean over the values of their
# hyperparameters, as they are. {numref}`table-audit-distance` has the parts of its square for two
# random configurations of Table 1; a category counts 1 where two differ.

# %%
parts = audit.raw_distance_parts()
show_table(
    pd.DataFrame(
        {
            "Hyperparameter": [f"`{name}`" for name in parts.index],
            "Part of the squared distance": parts.to_numpy(),
            "Rank in Table 3": [
                int(paper.tables[3].set_index("hyperparameter")["rank"][name])
                for name in parts.index
            ],
        }
    ),
    "table-audit-distance",
    "Parts of the mean squared distance of Section 3.1, from Table 1 alone.",
    {"Part of the squared distance": ".5%"},
)
first = [name for name in parts.index if parts[name] > 1 / len(parts)]
ranks = paper.tables[3].set_index("hyperparameter")["rank"][first]
show_text(
    f"{' and '.join(f'`{name}`' for name in first)} are {parts[first].sum():.2%} of it. Neighbours "
    "by this distance are CNNs that are alike in these, whatever they are in all else. A "
    "hyperparameter in which neighbours hardly differ gets a weight near 0, whatever its "
    "influence, so the "
    f"rank{'s' if len(first) > 1 else ''} {' and '.join(str(rank) for rank in ranks)} that Table 3 "
    "gives them say little about them, if the distance is the printed one. {doc}`importance` has "
    "what happens to our own CNNs by this distance and by a scaled one."
)

# %% [markdown]
# ## Networks that cannot exist
#
# By Section 4.3 every convolution is followed by a pooling layer. With a stride of 2 a small image
# is soon used up. The pooling window is not printed; two pixels is the smallest there is.

# %%
sizes = {row.name: int(row.size) for row in datasets.table2().itertuples(index=False)}
structures = audit.structures(sizes)
by_size = structures.groupby("size")
show_table(
    pd.DataFrame(
        [
            {
                "Side, pixels": size,
                "Data sets": ", ".join(f"`{name}`" for name in rows["dataset"]),
                "Structures": rows["structures"].iloc[0],
                "Cannot exist": rows["impossible"].iloc[0],
                "Share": rows["impossible"].iloc[0] / rows["structures"].iloc[0],
            }
            for size, rows in by_size
        ]
    ),
    "table-audit-structures",
    "Combinations of layers, kernel, stride and padding in Table 1, and those in which a map gets "
    "smaller than the kernel or the pooling window.",
    {"Share": ".1%"},
)
affected = structures[structures["impossible"] > 0]
show_text(
    (
        f"On {len(affected)} of {len(structures)} data sets some of Table 1's space cannot be "
        "built as described. What the paper did with such configurations is not said. "
        if len(affected)
        else "Every configuration can be built on every data set. "
    )
    + "What is done here is in {doc}`setup`."
)

# %% [markdown]
# ## What cannot be checked
#
# Some of what a reader would want to check is not printed, so no code can tell whether it is right:
#
# - **How long it took.** The title says *efficient*, and the text quotes an earlier study for
#   N-RReliefF's speed. No time is printed, neither of the ranking nor of the trainings.
#   {doc}`methods` has measured times.
# - **The options of the method**: the scale of the distance, $\sigma$, how often a row is sampled,
#   and how weights became shares ({numref}`table-open`).
# - **The intervals of performance** of which each has 600 CNNs at most, and with them the size and
#   the overlap of the subsets.
# - **Which ICC** of the several that exist, and its interval.
# - **What the ICC is of.** It was measured on balanced subsets; Table 3 was made from all CNNs,
#   unbalanced. That list was not tested.
# - **The forest of functional ANOVA**, how many of the CNNs it was given, and how the learning rate
#   was scaled.
# - **How many CNNs have two layers, and three**: Tables 6 and 7 are from parts of the data, whose
#   sizes and errors are not given.
# - **The images used for training**, and the scale on which the learning rate was drawn.
