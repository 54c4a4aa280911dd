# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Noise: seed, size, precision
#
# The recorded study trains every configuration once, with one seed, on a part of its data set, and
# in single precision. Three experiments beside it ask what that does to its results: some
# configurations trained again with other seeds, on fewer and more images, and in half precision.

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
replicates = "data/replicates.parquet"  # configurations trained again with other seeds
scaling = "data/scaling.parquet"  # configurations trained on fewer and on more images
precision = "data/precision.parquet"  # configurations trained again in bfloat16
n_neighbors = 10  # J of N-RReliefF on the few configurations of these experiments; at least 1
n_samples = 50  # pairs of samples that show what so few can tell; at least 1
random_state = 0  # seed of these samples, and of the forests; at least 0

# %%
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

from hia.datasets import FACTS
from hia.relief import NRReliefF
from hia.space import FILTERS, HYPERPARAMETERS
from hia.study import records
from hia.trials import design, load
from hia_book import noise
from hia_book.agreement import mean_agreement, rank_agreement, typical_agreement
from hia_book.figures import WIDTH, look, show_figure, show_table, show_text, use_style

use_style()
study = load(trials)
study = study[study["source"] == "random"]
COLOUR, OTHER = look("random")["color"], look("bohb")["color"]
NAMES = {0.25: "a quarter", 0.5: "half", 1.0: "all", 2.0: "twice"}  # of the study's images


def recorded(name: str, path: str) -> pd.DataFrame:
    """The table of an experiment; empty, with words on the page, where it is not there."""
    try:
        return records.load(name, path)
    except FileNotFoundError:
        show_text(
            f"**Missing here:** `{path}`. `hia record {name}` trains what is needed and writes it; "
            "this page made again then shows the results."
        )
        return pd.DataFrame(columns=list(records.TABLES[name].columns))


def whole(table: pd.DataFrame, rows_of_each: int) -> pd.DataFrame:
    """The configurations that have so many rows, on data sets with three of them or more.

    An experiment can be recorded in part: then some have fewer.
    """
    key = ["dataset", "trial"]
    complete = table[table.groupby(key)["seed"].transform("size") >= rows_of_each]
    return complete[complete.groupby("dataset")["trial"].transform("nunique") > 2]


def in_order(table: pd.DataFrame) -> list[str]:
    return [name for name in FACTS if name in set(table["dataset"])]


def panels(names, xlabel: str):
    """One panel of accuracies for each data set, two in a row."""
    height = -(-len(names) // 2)
    figure, axes = plt.subplots(height, 2, figsize=(WIDTH, 1.6 * height + 0.5), squeeze=False)
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    for name, ax in zip(names, axes.flat, strict=False):
        ax.set_title(FACTS[name].label, loc="left")
        ax.axhline(1 / FACTS[name].classes, color="grey", linewidth=0.8, zorder=0)
    figure.supxlabel(xlabel, fontsize=11)
    figure.supylabel("validation accuracy", fontsize=11)
    return figure, dict(zip(names, axes.flat, strict=False))


def spelled(items) -> str:
    items = list(items)
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


# %% [markdown]
# ## The seed
#
# The seed decides the initial weights, the order of the images and what dropout leaves out. The
# configurations trained again go in equal steps from the worst to the best of each data set's
# random search, by the accuracy of their trial. The trial itself is left out of what follows: it
# was chosen by its accuracy, and is no random draw.

# %%
seeds = whole(recorded("replicates", replicates), rows_of_each=2)
of_config = seeds.groupby(["dataset", "trial"])["accuracy"]

# %%
if len(seeds):
    figure, axes = panels(in_order(seeds), "configurations, by mean accuracy")
    for name, ax in axes.items():
        own = seeds[seeds["dataset"] == name]
        place = own.groupby("trial")["accuracy"].mean().rank(method="first")
        ax.scatter(own["trial"].map(place), own["accuracy"], s=14, color=COLOUR, alpha=0.6)
        ax.set(xticks=[], ylim=(0, None))
    deviation = of_config.std()
    show_figure(
        figure,
        "fig-seeds",
        f"Validation accuracy of {len(seeds):,} CNNs of {of_config.ngroups} configurations: a "
        "column is a configuration, a dot a seed. Grey: guessing. The scales differ.",
        "One panel per data set; the standard deviation between the seeds of a configuration goes "
        f"from {deviation.min():.3f} to {deviation.max():.3f}",
        data=seeds[["dataset", "trial", "seed", "accuracy"]],
    )


# %%
def explained(name: str) -> float:
    """Share of the variance (R²) that a forest explains of the study's CNNs, each out of bag."""
    own = study[study["dataset"] == name]
    if len(own) < 30:
        return np.nan
    X = design(own).assign(**{layer: own[layer].astype(float).fillna(0) for layer in FILTERS})
    X = pd.get_dummies(X, dtype=float).to_numpy()
    forest = RandomForestRegressor(100, oob_score=True, random_state=random_state)
    return float(forest.fit(X, own["accuracy"]).oob_score_)


if len(seeds):
    described = []
    for name in [*in_order(seeds), "all"]:
        own = seeds if name == "all" else seeds[seeds["dataset"] == name]
        parts, share = noise.components(own), noise.seed_share(own)
        described.append(
            {
                "Data set": "all" if name == "all" else FACTS[name].label,
                "SD, seeds": np.sqrt(parts.seed),
                "SD, rest": np.sqrt(parts.configuration),
                "Seed's share": share.share,
                "from": share.low,
                "to": share.high,
                "Forest": np.nan if name == "all" else explained(name),
            }
        )
    table = pd.DataFrame(described)
    forest = table["Forest"].mean()
    table.loc[table.index[-1], "Forest"] = forest
    show_table(
        table,
        "table-seeds",
        "Standard deviation (SD) of accuracy between the seeds of one configuration, and between "
        "the configurations of one data set; the seed's share of the variance within the data set, "
        "with a 95 % interval; and the share that a random forest, which knows all "
        "hyperparameters, explains of CNNs of the study's random search that it has not seen.",
        formats=dict.fromkeys(("Seed's share", "from", "to", "Forest"), ".1%")
        | dict.fromkeys(("SD, seeds", "SD, rest"), ".3f"),
    )

# %%
if len(seeds):
    total = parts.seed + parts.configuration + parts.dataset
    apart = [abs(a - b) for _, values in of_config for a, b in combinations(values, 2)]
    paragraphs = [
        f"**Within a data set, {share} of the variance of accuracy is the seed.** Over all data "
        f"sets together {parts.dataset / total:.0%} of the variance is between the data sets, "
        f"{parts.configuration / total:.0%} between the configurations of one, and "
        f"{parts.seed / total:.1%} between seeds.",
        "**Importance.** No hyperparameter can explain the seed's part: within a data set the "
        "shares of all of them together, interactions included, end at "
        f"{1 - share.share:.1%} of the variance."
        + (
            f" A forest explains {forest:.1%} of it. So the seed makes "
            f"{min(share.share / (1 - forest), 1):.0%} of what the forest leaves unexplained; the "
            "rest could be explained, with more CNNs or by something better."
            if forest < 1
            else ""
        ),
        "**Two CNNs.** Trainings that differ in nothing but the seed are "
        f"{np.median(apart):.3f} apart in the median, and more than {np.quantile(apart, 0.95):.3f} "
        "in one pair of twenty. A smaller difference between two rows of the study says little "
        "about their configurations.",
    ]
    # The better half, by the trial's own accuracy: its seed is none of those compared.
    keys = pd.MultiIndex.from_frame(seeds[["dataset", "trial"]])
    chosen = study.set_index(["dataset", "trial"])["accuracy"].reindex(keys.unique()).dropna()
    upper = chosen[chosen > chosen.groupby("dataset").transform("median")].index
    good = whole(seeds[keys.isin(upper)], rows_of_each=2)
    if len(good):
        paragraphs.append(
            f"**The good ones.** Most of the variance is between configurations that train and "
            f"such that hardly do. Among those above the median of their data set, "
            f"{good.groupby(['dataset', 'trial']).ngroups} configurations, the seed's share is "
            f"{noise.seed_share(good)}."
        )
    show_text("\n\n".join(paragraphs))

# %% [markdown]
# ## The size of the training set
#
# The same configurations, with their trial's own seed, on a quarter, on half and on twice the
# training images of the study, as far as there are so many. The validation images stay the same.

# %%
sizes = recorded("scaling", scaling)
sizes = whole(sizes, rows_of_each=sizes["fraction"].nunique() - 1)  # some have no more images
fractions = [one for one in records.FRACTIONS if one in set(sizes["fraction"])]
others = [one for one in fractions if one != 1]

# %%
if len(sizes):
    images = pd.pivot_table(sizes, "images", "dataset", "fraction", "max").loc[in_order(sizes)]
    table = images.rename(columns=NAMES).assign(
        **{"Data set": [FACTS[name].label for name in images.index]}
    )
    show_table(
        table[["Data set", *(NAMES[one] for one in fractions)]],
        "table-sizes",
        f"Training images of {sizes.groupby(['dataset', 'trial']).ngroups} configurations, from a "
        "quarter to twice as many as in the study. Where an image file has fewer, all "
        "that it has; empty where the study has all of them already.",
        formats={NAMES[one]: ",.0f" for one in fractions},
    )
    again = sizes[sizes["fraction"] == 1].merge(
        study, on=["dataset", "trial", "seed", "images", "precision", "processor"]
    )
    if len(again):
        show_text(
            f"On all images of the study, {len(again)} of these trainings repeat one of the "
            f"study's on the same kind of processor; "
            f"{(again['accuracy_x'] == again['accuracy_y']).sum()} of them end with the recorded "
            "accuracy, to the last bit."
        )


# %%
def change(fraction: float) -> float:
    """Median over the configurations of what this size adds to their accuracy."""
    both = noise.beside_full(sizes, fraction)
    return float((both["accuracy"] - both["full"]).median())


if others:
    figure, axes = panels(in_order(sizes), "training images")
    full = sizes[sizes["fraction"] == 1].set_index(["dataset", "trial"])["accuracy"]
    places = full.groupby("dataset").rank(pct=True)
    for (name, number), line in sizes.groupby(["dataset", "trial"]):
        strength = 0.2 + 0.8 * places.get((name, number), 0)
        style = {"ms": 3, "lw": 1.2, "color": COLOUR, "alpha": strength}
        axes[name].plot(line["images"], line["accuracy"], "o-", **style)
    for name, ax in axes.items():
        ticks = images.loc[name].dropna().astype(int)
        ticks = ticks[(ticks / ticks.shift(fill_value=1)) > 1.4]  # others' labels would overlap
        ax.set(xscale="log", ylim=(0, None))
        ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks], fontsize=9.5)
        ax.minorticks_off()
    show_figure(
        figure,
        "fig-sizes",
        "Validation accuracy against the number of training images, one line per configuration, "
        "the stronger the better it is on as many images as the study has. Where lines cross, the "
        "order changes. Grey: guessing. The scales differ.",
        "One panel of lines per data set; the median change of accuracy against the study's number "
        "of images is " + ", ".join(f"{change(one):+.3f} on {NAMES[one]}" for one in others),
        data=sizes[["dataset", "trial", "fraction", "images", "accuracy"]],
    )

# %% [markdown]
# ### Do the rankings of configurations move?
#
# Two trainings on as many images but with another seed do not put the configurations in the very
# same order either; among those that hardly train it is chance. And trainings on two sizes share
# the seed, with it the initial weights, and are alike for that alone: $\tau$ between two sizes must
# not be held against $\tau$ between two seeds. So the order on fewer or more images and that on the
# study's number, both with the trial's seed, are held against the same third orders: those on the
# study's number with the other seeds. What the seed does is in both; the difference is the size's.

# %%
of_seeds = noise.between_seeds(seeds)
seed_tau = mean_agreement(list(of_seeds.values())) if of_seeds else None
of_sizes = {one: taus for one in others if (taus := noise.between_sizes(sizes, one))}
against = {
    one: taus
    for one in of_sizes
    if len(taus := noise.with_other_seeds(noise.beside_full(sizes, one), seeds)) > 1
}
beyond = {one: noise.beyond_seed(taus) for one, taus in against.items()}
if beyond:
    figure, ax = plt.subplots(figsize=(WIDTH, 3.4))
    ax.axhline(0, color="grey", linewidth=0.8, zorder=0)
    for place, (one, found) in enumerate(beyond.items()):
        apart_by = against[one]["accuracy"] - against[one]["full"]
        spread = place + np.linspace(-0.2, 0.2, len(apart_by) + 2)[1:-1]
        ax.scatter(spread, apart_by, s=14, color="grey", alpha=0.6)
        limits = [[found.mean - found.low], [found.high - found.mean]]
        ax.errorbar(place, found.mean, limits, fmt="o", color=COLOUR, capsize=4)
    ax.set_xticks(range(len(beyond)), [NAMES[one] for one in beyond])
    ax.set(ylabel=r"difference of Kendall's $\tau$", xlim=(-0.5, len(beyond) - 0.5))
    ax.set_xlabel("training images, against the study's number")
    show_figure(
        figure,
        "fig-sizes-tau",
        "What the number of training images does to the order of configurations beyond the seed: "
        "Kendall's $\\tau$ with the orders of other seeds on the study's number of images, on this "
        "number less on the study's own, of each data set (grey), their mean and Student's 95 % "
        "interval. Below 0 the size moves the order.",
        "Difference of Kendall's tau: "
        + ", ".join(f"{NAMES[one]} {found}" for one, found in beyond.items()),
        data=pd.concat(
            taus.rename_axis("dataset").reset_index().assign(images=NAMES[one])
            for one, taus in against.items()
        ),
    )


# %%
def verdict(what: str, usual: str, taus: pd.DataFrame, found: noise.Difference) -> str:
    """Whether a change moves the order of configurations beyond the seed, in words."""
    changed, same = taus.mean()
    return (
        f"the order {what} has $\\tau$ = {changed:.2f} with them, that {usual} {same:.2f}, a "
        f"difference of {found}: "
        + (
            "**this moves the order beyond the seed**"
            if found.high < 0
            else "this order is the nearer one to theirs, as one with less chance in it would be"
            if found.low > 0
            else "that this moves the order beyond the seed is not clear"
        )
    )


if of_sizes:
    show_table(
        pd.DataFrame(
            [
                {
                    "Images": NAMES[one],
                    "Data sets": len(taus),
                    "Same seed": mean_agreement(list(taus.values())).tau,
                    "Other seeds": against[one]["accuracy"].mean() if one in against else np.nan,
                    "All images": against[one]["full"].mean() if one in against else np.nan,
                    "Difference": beyond[one].mean if one in beyond else np.nan,
                    "from": beyond[one].low if one in beyond else np.nan,
                    "to": beyond[one].high if one in beyond else np.nan,
                }
                for one, taus in of_sizes.items()
            ]
        ),
        "table-sizes-tau",
        "Kendall's $\\tau$ with the order on the study's number of images, mean over data sets: "
        "with the same seed, and with other seeds; beside it that of the study's own number with "
        "these other seeds; and the difference of the latter two, paired over data sets, with "
        "Student's 95 % interval.",
        formats=dict.fromkeys(("Same seed", "Other seeds", "All images"), ".2f")
        | dict.fromkeys(("Difference", "from", "to"), "+.3f"),
    )
    losses = {one: noise.winner_loss(sizes, one) for one in of_sizes}
    show_table(
        pd.DataFrame(
            [
                {
                    "Images": NAMES[one],
                    "Same winner": f"{(loss == 0).sum()} of {len(loss)}",
                    "Loss": loss.mean(),
                    "Change": change(one),
                }
                for one, loss in losses.items()
            ]
        ),
        "table-sizes-winner",
        "On how many data sets the same configuration wins, with the same seed; what the winner of "
        "this size loses in accuracy on the study's number against the best there, mean over data "
        "sets; and the median change of accuracy against the study's number.",
        formats={"Loss": ".3f", "Change": "+.3f"},
    )
said = []
if seed_tau:
    said.append(f"With another seed, and nothing else, $\\tau$ is {seed_tau} in the mean.")
if beyond:
    most = max(against.values(), key=len)
    said[-1] += " Held against the orders of other seeds,"
    said += [
        "\n".join(
            "- "
            + verdict(
                f"on {NAMES[one]} {'of ' if one < 1 else ''}the images",
                "on the study's number",
                against[one],
                found,
            )
            + "."
            for one, found in beyond.items()
        ),
        "The trials were chosen by their accuracy, in even steps, and the other seeds were not. "
        f"The trials' order agrees with theirs by {most['full'].mean():.2f}, theirs with each "
        f"other by {seed_tau.tau:.2f}.",
    ]
elif of_sizes:
    said.append(
        "How much of what the sizes do is the seed cannot be said as long as there are no "
        "trainings with other seeds on two data sets at least."
    )
if said:
    show_text("**Do they move?** " + "\n\n".join(said))

# %% [markdown]
# ### Does importance move?
#
# The configurations of all data sets together are ranked by N-RReliefF as in {doc}`importance`,
# but with fewer neighbours, as there are fewer CNNs,
# once for each size and each seed. In place of the accuracy stands its rank within its data set and
# size: with so few CNNs the differences between data sets would drown everything else.
# `in_channel_num`, which belongs to the data set, is left out.

# %%
columns = [name for name in HYPERPARAMETERS if name != "in_channel_num"]


def importance(table: pd.DataFrame) -> pd.Series:
    """W of every hyperparameter, on ranks of accuracy within the data sets, scaled to (0, 1]."""
    place = table.groupby("dataset")["accuracy"].rank(pct=True)
    relief = NRReliefF(n_neighbors=n_neighbors).fit(design(table, columns), place)
    return pd.Series(relief.weights_, index=columns)


def alike(tables) -> list:
    """Between all pairs of lists of weights, each from the same configurations; none if too few."""
    tables = [table.set_index(["dataset", "trial"]) for table in tables]
    shared = sorted(set.intersection(*(set(table.index) for table in tables)))
    if len(shared) <= 2 * n_neighbors:
        return []
    lists = [importance(table.loc[shared].reset_index()) for table in tables]
    return [rank_agreement(*pair) for pair in combinations(lists, 2)]


def of_samples(per_dataset: pd.Series):
    """Between two samples of the study that share no CNN, with so many of each data set."""
    rng = np.random.default_rng(random_state)
    own = {name: study[study["dataset"] == name] for name in per_dataset.index}
    pairs = []
    for _ in range(n_samples):
        drawn = {name: rng.permutation(len(rows)) for name, rows in own.items()}
        halves = (
            pd.concat(
                [own[name].iloc[drawn[name][part:][: 2 * n : 2]] for name, n in per_dataset.items()]
            )
            for part in (0, 1)
        )
        pairs.append(rank_agreement(*map(importance, halves)))
    return typical_agreement(pairs)


by_fraction = dict(list(sizes.groupby("fraction")))
pairs_of = {
    f"{NAMES[one]} and all of the study's images, one seed": alike(
        [by_fraction[one], by_fraction[1.0]]
    )
    for one in others
}
if len(seeds):
    pairs_of["two seeds"] = alike([own for _, own in seeds.groupby("replicate")])
lists = {label: typical_agreement(pairs) for label, pairs in pairs_of.items() if pairs}
per_dataset = (sizes if others else seeds).groupby("dataset")["trial"].nunique()
if lists:
    same = min(lists.values())
    lists["other configurations of the study"] = other = of_samples(per_dataset)
    show_table(
        pd.DataFrame(
            [
                {"Between": label, "Kendall's tau": t.tau, "from": t.low, "to": t.high}
                for label, t in lists.items()
            ]
        ),
        "table-sizes-importance",
        f"Kendall's $\\tau$ between two rankings of {len(columns)} hyperparameters, each from at "
        f"most {per_dataset.sum()} CNNs, with the 95 % interval of a pair of rankings: of the same "
        "configurations on other sizes and with other seeds (mean over pairs of seeds), and of "
        f"other configurations of the study's random search (mean over {n_samples} draws).",
        formats=dict.fromkeys(("Kendall's tau", "from", "to"), ".2f"),
    )
    show_text(
        f"Two samples of {per_dataset.sum()} CNNs of the study that share none, on the same "
        f"numbers of images, agree with $\\tau$ {other}. "
        + (
            "**That many suffice for a rough ranking of importance**, better than chance. "
            if other.low > 0
            else "**That is too few to rank importance:** unrelated rankings may agree as well. "
            "Whether the ranking from the whole study would move with the size cannot be said. "
        )
        + f"Rankings from the *same* configurations agree with $\\tau$ {same.tau:.2f} at least."
    )
elif per_dataset.sum():
    show_text(
        f"{per_dataset.sum()} configurations are too few to rank importance with {n_neighbors} "
        "neighbours."
    )

# %% [markdown]
# ## The arithmetic
#
# The study computes in float32. bfloat16 keeps a third of the digits and is faster on hardware
# made for it. The same configurations again, with their trial's own seed and images, in bfloat16:
# would that have changed a ranking? The seed is the same, so only the arithmetic differs. Whether
# that moves the order beyond the seed is again asked by holding both against the other seeds.

# %%
halves = recorded("precision", precision)
both = noise.beside_trial(halves, study)
of_halves = noise.between_columns(both)
if len(both):
    shift = both["accuracy"] - both["trial_accuracy"]
    difference = shift.abs()
    described = {
        "bfloat16, same seed": (
            difference.median(),
            difference.quantile(0.95),
            mean_agreement(list(of_halves.values())) if of_halves else None,
        )
    }
    if len(seeds):
        described["float32, another seed"] = (
            np.median(apart),
            np.quantile(apart, 0.95),
            seed_tau,
        )
    show_table(
        pd.DataFrame(
            [
                {
                    "Against": label,
                    "Median difference": median,
                    "95 % below": most,
                    "Kendall's tau": tau.tau if tau else np.nan,
                    "from": tau.low if tau else np.nan,
                    "to": tau.high if tau else np.nan,
                }
                for label, (median, most, tau) in described.items()
            ]
        ),
        "table-precision",
        f"What bfloat16 does to {len(both)} CNNs, and what another seed does: difference of "
        "accuracy from a float32 training of the same configuration, and Kendall's $\\tau$ of "
        "their orders, mean over data sets with a 95 % interval. In the first row only the "
        "arithmetic differs, in the second only the seed: two sizes to know, not to compare.",
        formats=dict.fromkeys(("Median difference", "95 % below"), ".3f")
        | dict.fromkeys(("Kendall's tau", "from", "to"), ".2f"),
    )
    sentences = [
        f"In the mean over all of them bfloat16 changes the accuracy by {shift.mean():+.4f}."
    ]
    taus = noise.with_other_seeds(both, seeds)
    sentences.append(
        f"Held against the orders of other seeds, "
        f"{verdict('in bfloat16', 'in float32', taus, noise.beyond_seed(taus))}."
        if len(taus) > 1
        else "Whether that moves the order of configurations beyond the seed cannot be said as "
        "long as there are no trainings with other seeds on two data sets at least."
    )
    in_single = study.merge(both.reset_index()[["dataset", "trial"]])
    tau = alike([in_single, halves])
    if tau:
        sentences.append(
            f"The rankings of hyperparameters from these CNNs, by N-RReliefF as above, agree with "
            f"$\\tau$ {tau[0]}."
        )
    timed = halves.merge(study, on=["dataset", "trial", "processor"], suffixes=("", "_single"))
    ratio = (timed["cpu_seconds"] / timed["cpu_seconds_single"]).dropna()
    if len(ratio):
        sentences.append(
            f"On this processor bfloat16 took {ratio.median():.1f} times the processor time of "
            "float32 (the median): PyTorch has no fused convolution and pooling for it."
        )
    show_text(" ".join(sentences))
