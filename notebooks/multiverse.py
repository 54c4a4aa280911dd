# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What the ranking owes to choices
#
# **The choices made in computing N-RReliefF move its ranking more than chance does, and the
# distance moves it most. No computation that the paper's text allows puts `num_conv_layers` first
# on our CNNs with `lr` drawn on a log scale.**
#
# The paper leaves some steps of its method open. This page computes the ranking with every
# combination of the options in {numref}`table-multiverse-choices`: a *multiverse* of
# {glue:text}`n_universes:,d` *universes* {cite:p}`steegen2016increasing`, of which the paper's text
# allows {glue:text}`n_allowed`.
#
# :::{caption} fig-multiverse
# :alt: Two tables of coloured cells. Above, the ranks of every hyperparameter are spread over most
#   places; below, the columns of distance, search and data sets stand out.
#
# {glue:text}`n_universes:,` ways to compute one ranking. Above: how often a hyperparameter has each
# rank; boxes mark the paper's. If no choice mattered, every row would have one filled cell. Below:
# how many places a rank moves, on average, when one choice changes and all others stay.
# :::

# %% tags=["parameters"]
universes = "data/multiverse.parquet"  # recorded weights, one row per computation
trials = "data/trials.parquet"  # the trained CNNs, one row each
n_resamples = 500  # resamples of the CNNs, for comparison; at least 2
random_state = 0  # seed of these; 0 to 4294967295

# %%

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from hia.relief import NRReliefF
from hia.space import HYPERPARAMETERS
from hia.trials import load
from hia_book import multiverse, published, rankings, recording
from hia_book.claims import claim, glue, need
from hia_book.figures import draw_cells, look, panels, show_figure, show_table

weights, rows = multiverse.load(universes), load(trials)
random = rows[rows["source"] == "random"]
need(len(random) > NRReliefF().n_neighbors, f"{trials} has too few CNNs of random search")
paper = published.table(3).set_index("hyperparameter")["rank"].sort_values()
names = list(paper.index)
choices, ranks = multiverse.ranked(weights)
ranks, allowed = ranks[names], multiverse.allowed(choices)
need(allowed.any(), f"the paper's text rules out every universe of {universes}")
moves = multiverse.moves(choices, ranks)
label = {name: multiverse.CHOICES[name].label for name in moves}

# %%
BLUE = look("nrrelieff")["color"]
places = range(1, len(names) + 1)
# A rank between two places, of ten stretched over eleven or of a tie, counts in part for both.
held = pd.DataFrame({place: (1 - (ranks - place).abs()).clip(lower=0).mean() for place in places})
figure, (upper, lower) = panels(7.4, 2, height_ratios=[11, 10])
most = 100 * max(0.5, held.max(axis=None))
draw_cells(upper, 100 * held, BLUE, ".0f", low=0, high=most, least=0.5)
for row, rank in enumerate(paper):
    box = Rectangle((rank - 1.46, row - 0.46), 0.92, 0.92, fill=False, lw=1.8)
    upper.add_patch(box)
upper.set_xticks(range(len(names)), places, rotation=0, ha="center")
upper.set_xlabel("rank")
upper.set_title("share of the universes, %")
draw_cells(lower, moves.rename(columns=label), BLUE, ".1f", low=0)
lower.set_title("places moved by one choice")
drawn = held.add_prefix("share_rank_").join(moves.add_prefix("moved_by_"))
show_figure(figure, "fig-multiverse", data=drawn.reset_index(names="hyperparameter"))


# A bootstrap takes rows for independent draws, which those of BOHB are not.
one = NRReliefF().bootstrap(rankings.design(random), random["accuracy"], n_resamples, random_state)
by_chance = multiverse.ranks(pd.DataFrame(one, columns=list(HYPERPARAMETERS)))
between, chance = (multiverse.places_apart(one[names]) for one in (ranks, by_chance))
claim("over universes every hyperparameter has several ranks", (ranks.max() > ranks.min()).all())
claim("`num_conv_layers` has the most stable rank", ranks.std().idxmin() == "num_conv_layers")
claim("`in_channel_num` has the least stable rank", ranks.std().idxmax() == "in_channel_num")
claim("choices move the ranking more than chance does", between > 1.25 * chance)
note = recording.read_note(universes)
claim("the universes are of these CNNs", note["fingerprint"] == multiverse.fingerprint(rows))
ends = ranks.quantile([0.05, 0.95]).set_axis(["low", "high"])
glue(n_universes=len(choices), n_allowed=allowed.sum(), n_random=len(random))
glue(steady=ends["num_conv_layers"], loose=ends["in_channel_num"], between=between)
glue(unrelated=(len(names) ** 2 - 1) / (3 * len(names)), chance=chance)

# %% [markdown]
# ## How far the ranks move
#
# The most stable rank is that of `num_conv_layers`: {glue:text}`steady_low:.0f` to
# {glue:text}`steady_high:.0f` in 90% of the universes. The least stable is that of
# `in_channel_num`: {glue:text}`loose_low:.0f` to {glue:text}`loose_high:.0f`. Between two random
# universes a rank moves by {glue:text}`between:.1f` places on average, between unrelated rankings
# by {glue:text}`unrelated:.1f`. Chance does less: resampling the {glue:text}`n_random:,d` CNNs of
# random search moves it by {glue:text}`chance:.1f`.
#
# ## Which choices matter
#
# The paper's text allows the options in bold. It states the number of neighbours, the CNNs and the
# distance, but not whether values are scaled first, nor $\sigma$, nor how weights become shares.
#
# :::{caption} table-multiverse-choices
# The choices: options, what the paper says, how many places a change moves a rank, and the share of
# a rank's variance that each explains alone (means over the hyperparameters).
# :::

# %%
shares = multiverse.variance_shares(choices, ranks)


def options(name):
    """Options of a choice, in bold those that the paper's text does not rule out."""
    there = choices[name].cat.remove_unused_categories().cat.categories
    against = multiverse.CHOICES[name].against
    return ", ".join(option if option in against else f"**{option}**" for option in there)


places_moved = moves.mean().sort_values(ascending=False)
rows_of_table = [
    (label[name], options(name), multiverse.CHOICES[name].paper, places, shares[name].mean())
    for name, places in places_moved.items()
]
headings = "Choice | Options | The paper | Moves {:.2f} | Alone {:.1%}"
show_table(rows_of_table, "table-multiverse-choices", headings)
strongest = shares[list(label)].idxmax(axis=1)
by_distance = shares["distance"][strongest == "distance"]
by_search = set(strongest.index[strongest == "source"])
ends_of_distance = by_distance.idxmin(), by_distance.idxmax()
idle = places_moved[["rank_base", "target"]]
claim("of all choices the distance moves ranks most", places_moved.index[0] == "distance")
claim("the search explains most of the ranks of `lr` and `epoch`", by_search == {"lr", "epoch"})
claim("the distance explains most of the ranks of all others", len(by_distance) == len(names) - 2)
claim("the distance explains least of `num_conv_layers`", ends_of_distance[0] == "num_conv_layers")
claim("the distance explains most of `in_channel_num`", ends_of_distance[1] == "in_channel_num")
claim("the first rank and the scale of accuracy hardly move a rank", (idle < 0.1).all())
glue(least=by_distance.min(), most=by_distance.max(), source=shares["source"])
glue(together=shares["together"].mean(), negative=(weights[names] < 0).any(axis=1).mean())

# %% [markdown]
# For `lr` ({glue:text}`source_lr:.0%` of the variance of its ranks) and `epoch`
# ({glue:text}`source_epoch:.0%`) the search explains more than any other choice. For all others the
# distance does, from {glue:text}`least:.0%` for `num_conv_layers` to {glue:text}`most:.0%` for
# `in_channel_num`. Combinations of choices explain {glue:text}`together:.0%` on average.
#
# Ranking by |W| instead of W changes the order, because some W are below 0 in
# {glue:text}`negative:.0%` of the universes.
#
# ## Which findings survive
#
# No finding from the paper's Table 3 survives every choice. Of {glue:text}`n_findings` findings,
# {glue:text}`n_made` are decided by the distance: among the universes that the text allows, they
# hold in at most a twentieth with one distance, and in more than half with another.
# {glue:text}`n_never` never hold there. Yet the first of these {glue:text}`n_never`, that
# `num_conv_layers` is first, holds in {glue:text}`leads:.1%` of all universes.
#
# :::{caption} table-multiverse-findings
# Share of the universes in which the paper's findings hold: of the {glue:text}`n_allowed:,` that
# the text allows, and of all {glue:text}`n_universes:,`. For those allowed: the verdict, and the
# choice whose options differ most in how often a finding holds.
# :::


# %%
def depends(verdict):
    """The choice that a finding depends most on, with the shares of its options."""
    if verdict.kind in ("survives every choice", "hardly ever holds", "never holds"):
        return ""
    options = ", ".join(f"{name}: {share:.0%}" for name, share in verdict.by_option.items())
    return f"{label[verdict.choice]} ({options})"


findings = multiverse.findings(paper)
everywhere = [multiverse.judge(choices, one.holds(ranks)) for one in findings]
permitted = [multiverse.judge(choices[allowed], one.holds(ranks[allowed])) for one in findings]
table = [
    (one.text, verdict.share, of_all.share, verdict.kind, depends(verdict))
    for one, verdict, of_all in zip(findings, permitted, everywhere, strict=True)
]
headings = "The paper finds | Allowed by the text {:.1%} | All {:.1%} | Verdict | Depends most on"
show_table(table, "table-multiverse-findings", headings)
made = [verdict.choice for verdict in permitted if verdict.kind == "made by one choice"]
claim("no finding of Table 3 survives every choice", all(x.share < 1 for x in permitted))
claim("findings that depend on one choice alone depend on the distance", set(made) == {"distance"})
claim("`num_conv_layers` is first in no universe that the text allows", permitted[0].share == 0)

tau = multiverse.taus(ranks, paper)
# To the letter: the first option of each choice; for sigma the paper names none.
literal = {name: one.options[0] for name, one in multiverse.CHOICES.items() if name != "sigma"}
to_the_letter = np.all([choices[name] == option for name, option in literal.items()], axis=0)
nearest = choices[tau >= tau.quantile(0.99)]
of_random = choices["source"] == "random"
claim("the universes nearest to the paper are of random search", of_random[nearest.index].all())
by_set, five = (nearest["scope"] == "each").mean(), (nearest["sigma"] == "5").mean()
claim("most universes nearest to the paper rank by data set", by_set > 0.75)
claim("most universes nearest to the paper have a sigma of 5", five > 0.5)
n_never = sum(verdict.share == 0 for verdict in permitted)
raw, last = choices["distance"] == "raw Euclidean", ["num_fc_units", "batch_size"]
glue(raw=ranks.loc[raw, last].median(), other=ranks.loc[~raw, last].median())
glue(n_findings=len(findings), n_made=len(made), n_never=n_never, leads=everywhere[0].share)
glue(tau=tau.agg(["median", "min", "max"]), tau_allowed=tau[allowed].agg(["min", "max"]))
glue(tau_letter=tau[to_the_letter].agg(["min", "max"]), near_each=by_set, near_sigma=five)

# %% [markdown]
# Kendall's $\tau$ with the paper's Table 3 is {glue:text}`tau_median:.2f` in the median universe,
# {glue:text}`tau_min:.2f` in the worst and {glue:text}`tau_max:.2f` in the best. Where the text
# allows it, $\tau$ is {glue:text}`tau_allowed_min:.2f` to {glue:text}`tau_allowed_max:.2f`; taken
# literally, {glue:text}`tau_letter_min:.2f` to {glue:text}`tau_letter_max:.2f`, depending on
# $\sigma$.
#
# The 1% of universes nearest to the paper all use random search alone;
# {glue:text}`near_each:.0%` rank each data set separately, and {glue:text}`near_sigma:.0%` have
# $\sigma = 5$. This does not show that the paper did so, because among so many universes some come
# close by chance.
#
# ## Are the last two unimportant?
#
# `num_fc_units` and `batch_size` are last in the paper. With the raw distance their median ranks
# are {glue:text}`raw_num_fc_units:.0f` and {glue:text}`raw_batch_size:.0f`, with the others
# {glue:text}`other_num_fc_units:.0f` and {glue:text}`other_batch_size:.0f`. The two may matter
# little, as the paper says. But its computation, taken literally, could not have shown otherwise:
# they have the largest raw values, so raw distances cannot see whether they matter
# ({doc}`weights`).
#
# ## What this cannot say
#
# All options count the same, sensible or not. All universes share our CNNs, their number and their
# draw of `lr`, which matter too ({doc}`design`). All use N-RReliefF; {doc}`methods` compares
# methods, and {doc}`perdataset` data sets.
