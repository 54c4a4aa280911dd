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
# **The paper's printed numbers support its first three hyperparameters and their order. They cannot
# support the order of the other {glue:text}`n_other`, and {glue:text}`n_wrong` of the
# {glue:text}`n_pairs` names in its table of pairs stand beside the wrong weight.**
#
# The tables of {cite:t}`wang2024efficient` can be checked against each other, the text and the
# paper's own definitions, without our CNNs. Most slips change nothing; {numref}`table-audit-claims`
# lists what matters for the paper's claims.
#
# {numref}`fig-audit-error` shows which weights can be told apart. The paper's evidence for
# reliability is one intraclass correlation (ICC) of ten lists of weights. With a variance $v$
# between hyperparameters and $e$ between lists, the ICC is $v / (v + e)$. Table 3 gives $v$, so $e$
# follows from the ICC.
#
# :::{caption} fig-audit-error
# :alt: Eleven weights with bars. The first three are apart from each other and from the rest; the
#   bars of the other eight overlap.
#
# The paper's weights, with the spread of ±1.96 standard deviations between lists that its ICC of
# {glue:text}`reported:g` implies if all weights vary alike. Dotted lines: gaps too wide for chance.
# :::

# %% tags=["parameters"]
folder = "data/published"  # what the paper prints
deepest = 6  # ranks that agree in the last figure, at most; 1 to 11

# %%

import numpy as np
import pandas as pd

from hia import datasets
from hia_book import audit
from hia_book.audit import DIFFERS, NOT_SAID, NOT_SHOWN
from hia_book.claims import claim, glue
from hia_book.figures import list_down, look, panels, show_figure, show_table

paper = audit.load(folder)
weights = paper.weights(3).sort_values(ascending=False)
reported, lists = paper.numbers["icc"], int(paper.numbers["subsets"])
sd = audit.implied_sd(weights, reported)
needed = audit.told_apart(weights, sd)
gaps = -weights.diff().to_numpy()[1:]
clear = np.flatnonzero(gaps > needed) + 1  # ranks after which there is a clear gap
tied = weights.iloc[max(clear, default=0) :]

# %%
figure, ax = panels(3.8)
heights = range(len(weights))
ax.hlines(heights, weights - 1.96 * sd, weights + 1.96 * sd, color="0.6", linewidth=2)
ax.scatter(weights, heights, s=40, zorder=3, **look("paper"))
for rank in clear:
    ax.axhline(rank - 0.5, color="0.6", linestyle=":", linewidth=1)
list_down(ax, weights.index, "weight in the paper's Table 3")
drawn = pd.DataFrame({"hyperparameter": weights.index, "weight": weights.to_numpy(), "sd": sd})
show_figure(figure, "fig-audit-error", data=drawn)
labels = audit.labels(paper.tables[5], paper.weights(3))
claim("the paper's first three weights are clearly apart, no others", list(clear) == [1, 2, 3])
glue(n_other=len(tied), spread=tied.max() - tied.min(), n_wrong=(~labels["right"]).sum())
glue(n_pairs=len(labels), sd=sd, needed=needed, reported=reported, lists=lists)

# %% [markdown]
# A weight has a standard deviation of {glue:text}`sd:.4f`, and two differ clearly from a gap of
# {glue:text}`needed:.3f` on. The other {glue:text}`n_other` lie within {glue:text}`spread:.3f` of
# each other, so Table 3 prints more digits than its ICC supports. Subsets of the same CNNs are even
# more alike than lists of new CNNs would be ({doc}`reliability`).
#
# {numref}`fig-audit-icc` draws lists to test this. Lists that agree on the first
# {glue:text}`enough` and on nothing else have an ICC of {glue:text}`enough_icc:.4f`, above the
# printed one. So the ICC is no evidence for the order of the rest.
#
# :::{caption} fig-audit-icc
# :alt: The ICC rises steeply with the ranks that agree, and passes the printed one at three
#
# The ICC of {glue:text}`lists` lists with the paper's weights, in which only the first ranks agree
# and the others are in random order. Means of many draws.
# :::

# %%
kept = range(min(deepest, len(weights) - 2) + 1)
iccs = pd.Series([audit.shuffled_icc(weights, k, lists) for k in kept], kept)
figure, ax = panels(2.8)
ax.plot(iccs, **look("paper"))
ax.axhline(reported, color="0.5", linestyle=":")
ax.text(0, reported - 0.02, f"printed: {reported:g}", va="top", fontsize=9.5)
ax.set_xlabel("ranks that agree; those after them in random order")
ax.set_ylabel("ICC")
ax.set_xticks(kept)
ax.grid(axis="y")
show_figure(figure, "fig-audit-icc", data=pd.DataFrame({"ranks that agree": kept, "icc": iccs}))
enough = iccs.index[iccs >= reported]
claim("three ranks that agree are enough for the printed ICC", len(enough) and enough[0] == 3)
glue(enough=min(enough, default=np.nan), enough_icc=iccs[enough].min())

# %% [markdown]
# ## What it means for the paper's claims
#
# :::{caption} table-audit-claims
# The paper's claims, how many checks agree with them, and what speaks against them or leaves them
# open.
# :::

# %%
checks = audit.checks(paper, datasets.table2())
verdicts = []
for key, text in audit.CLAIMS.items():
    bearing = [check for check in checks if key in check.bears]
    against = [f"{c.about}: **{c.status}**" for c in bearing if c.status != audit.AGREES]
    agree = len(bearing) - len(against)
    verdicts.append((text, agree, "; ".join(against) or "nothing found here"))
show_table(verdicts, "table-audit-claims", "The paper's claim | Agrees | Against it")
by_status = {status: [c.where for c in checks if c.status == status] for status in audit.STATUSES}
EXPLAINED = {
    DIFFERS: "Algorithm 1, Section 5.3; Table 1; Table 2; Table 2; Table 2, Section 4.4; "
    "Fig. 2, Section 5.1; Section 4.1, Section 5.2; Table 4; Table 4; Section 5.3, Table 4; "
    "Table 5, Eq. 11; Algorithm 1, Table 5",
    NOT_SHOWN: "Table 2, Table 3; Section 5.2; Section 5.2, Table 3; Section 3.1, Table 3; "
    "Section 5.4, Table 5; Section 5.5, Table 6",
    NOT_SAID: "Table 1, Section 4.3; Eq. 10, Table 3",
}
for status, places in EXPLAINED.items():
    claim(f"the text explains what is marked: {status}", by_status[status] == places.split("; "))
nothing = [place for place, row in enumerate(verdicts) if row[-1] == "nothing found here"]
claim("nothing is found against the paper's first three alone", nothing == [0])
glue(**{f"n_{status.replace(' ', '_')}": len(found) for status, found in by_status.items()})

# %% [markdown]
# A check against a claim does not make it false; it says what the printed numbers can support.
#
# ## What follows from each finding
#
# Of {glue:text}`n_checks` checks in {numref}`table-audit`, {glue:text}`n_agrees` agree.
#
# **Differs** ({glue:text}`n_differs`): a printed number is wrong, or contradicts another.
#
# - *A letter for two things (Algorithm 1, Section 5.3), loops that begin at 1 (Algorithm 1), the
#   range of the ICC (Section 4.1).* Slips; nothing depends on them.
# - *More CNNs than stated (Fig. 2), a default outside its space (Table 1), two exchanged ranks of
#   small weights (Table 4).* Nothing depends on these either.
# - *Numbers of images (Table 2).* This changes no ranking.
# - *Numbers of channels (Table 2, Section 4.4).* The text says correctly which collections are in
#   colour; the table does not. This affects only the rank of `in_channel_num`.
# - *Main effects (Table 4).* They sum to more than 1, so they are not those of one functional
#   ANOVA. Their order may be right, but they are no shares of the variance.
# - *The same ranking by both methods (Section 5.3).* One pair is the other way round.
# - *Labels (Table 5).* The weights are right and in the right order, but the names beside them are
#   out of step. So what Table 5 says about any named pair does not hold.
#
# **Not shown** ({glue:text}`n_not_shown`): a statement does not follow from its number.
#
# - *The rank of `in_channel_num` (Table 3).* A data set has one number of channels, so this weight
#   measures everything that separates colour collections from grey ones.
# - *The ICC (Section 5.2) and the cut after rank 5 (Table 3).* See above.
# - *The last ranks (Table 3).* By the printed distance, neighbours are alike in these two
#   hyperparameters, whose weights are then near 0 whatever their influence. This would not apply if
#   values were scaled first, but the paper does not say so.
# - *Depth in pairs (Section 5.4).* Eq. 11 uses only the sum of two weights from Table 3. Even two
#   hyperparameters without importance would have $e^{-1}$.
# - *The order of two layers (Section 5.5, Table 6).* By the ICC, which is of more CNNs, the gap
#   could be chance.
#
# **Not said** ({glue:text}`n_not_said`): the paper gives too little to check it.
#
# - *Structures that cannot be built (Section 4.3).* If these configurations were left out, layers,
#   kernel, stride and padding are not independent in the data.
# - *From Eq. 10 to the weights of Table 3.* An undescribed step turned weights into shares. It
#   keeps the order, unless it changed weights below 0, but perhaps not the ratios.
#
# :::{caption} table-audit
# Every check: what is printed, and what it should be by the paper's own definitions and tables, or
# by the published collections of images.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show all checks and their code"}
answer = {one: one if one == audit.AGREES else f"**{one}**" for one in audit.STATUSES}
rows = [(c.where, c.about, c.printed, c.found, answer[c.status]) for c in checks]
show_table(rows, "table-audit", "Where | Checked | Printed | Found | Answer")

# %% [markdown]
# ## The labels of Table 5
#
# Eq. 11 computes the weight of a pair from two weights of Table 3, so each printed weight
# identifies its pair.
#
# :::{caption} table-audit-labels
# The paper's Table 5, and the pairs to which its weights belong by Eq. 11 and its Table 3.
# :::


# %%
def quoted(*columns):
    return [f"`{one}`, `{other}`" for one, other in labels[list(columns)].to_numpy()]


table = labels[["rank", "weight"]].set_axis(["Rank", "Printed weight"], axis=1)
table["Printed label"] = quoted("first", "second")
table["Pair with that weight"] = quoted("found_first", "found_second")
table["Eq. 11"] = labels["found_weight"].astype(float)
table["Label right"] = labels["right"].map({True: "yes", False: "**no**"})
show_table(table, "table-audit-labels", {"Printed weight": ".6f", "Eq. 11": ".6f"})
claim("each weight of Table 5 belongs to a pair of its own", labels["found_second"].is_unique)
claim("the weights of Table 5 are in order", labels["found_weight"].is_monotonic_decreasing)

# %% [markdown]
# ## What the printed distance does
#
# By Section 3.1 the distance between two CNNs is Euclidean over raw values. `batch_size` and
# `num_fc_units` make up {glue:text}`two_parts:.2%` of its square, so neighbours are CNNs that are
# alike in these two, whatever else differs. {doc}`weights` shows the effect on our CNNs.
#
# :::{caption} table-audit-distance
# Parts of the mean squared distance between two random configurations of Table 1; a category counts
# 1 where two differ.
# :::

# %%
parts = audit.raw_distance_parts()
ranks = paper.tables[3].set_index("hyperparameter")["rank"]
part, rank = "Part of the squared distance", "Rank in Table 3"
table = pd.DataFrame({part: parts, rank: ranks}).loc[parts.index]
show_table(table, "table-audit-distance", {part: ".2%"})
large = set(parts.index[parts > 1 / len(parts)])
claim("two hyperparameters make the paper's raw distance", large == {"batch_size", "num_fc_units"})
glue(two_parts=parts.iloc[:2].sum(), n_checks=len(checks))

# %% [markdown]
# ## Networks that cannot exist
#
# By Section 4.3 a pooling layer follows every convolution. With a stride of 2, a small image soon
# runs out of pixels, even with the smallest pooling window, two pixels. On {glue:text}`n_affected`
# of {glue:text}`n_sets` data sets, part of Table 1's space cannot be built as described.
# {doc}`setup` says what we do instead.
#
# :::{caption} table-audit-structures
# Combinations of layers, kernel, stride and padding in Table 1, and those in which a map gets
# smaller than the kernel or the pooling window.
# :::

# %%
sizes = {row.name: int(row.size) for row in datasets.table2().itertuples(index=False)}
structures = audit.structures(sizes)
sets = "`" + structures["dataset"] + "`"
rows = sets.groupby([structures[x] for x in ("size", "structures", "impossible")]).agg(", ".join)
rows = [(size, names, n, wrong, wrong / n) for (size, n, wrong), names in rows.items()]
headings = "Side, pixels | Data sets | Structures | Cannot exist | Share {:.1%}"
show_table(rows, "table-audit-structures", headings)
glue(n_affected=(structures["impossible"] > 0).sum(), n_sets=len(structures))

# %% [markdown]
# ## What cannot be checked
#
# The paper does not print the following, so no code can check it:
#
# - **How long** the ranking and the trainings took. {doc}`methods` has measured times.
# - **The options of the method**: the scale of the distance, $\sigma$, how often a row is sampled,
#   and how weights became shares ({numref}`table-open`).
# - **The intervals of performance** with 600 CNNs at most, and so the overlap of the subsets.
# - **Which ICC**, and its interval. It is of balanced subsets; Table 3 is of all CNNs.
# - **The forest of functional ANOVA**, the CNNs that it was given, and the scale of `lr` in it.
# - **How many CNNs have two layers, and three**, and the errors of Tables 6 and 7.
# - **The images used for training**, and the scale on which `lr` was drawn.
