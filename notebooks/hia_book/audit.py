"""The paper's printed numbers, checked against each other and against its own definitions.

Every check is a function of `Paper`, all that the paper prints as far as it is used here, and finds
out by computing: what is printed, what it should be, and what follows. Nothing is known beforehand;
tables with other numbers get other answers. A check says one of four things (`Check.status`):

- "agrees": the printed number is what it should be;
- "differs": it is not, or two printed things contradict each other;
- "not shown": the number may be right, but what is said from it does not follow from it;
- "not said": it cannot be checked, for the paper does not say how it was made.

Nothing here needs our own CNNs, and nothing here says how a difference came about.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from hia import space
from hia_book import published
from hia_book.agreement import rank_agreement

AGREES, DIFFERS, NOT_SHOWN, NOT_SAID = "agrees", "differs", "not shown", "not said"
STATUSES = (AGREES, DIFFERS, NOT_SHOWN, NOT_SAID)

# What the paper claims, in short.
CLAIMS = {
    "three": "The number of convolutional layers, the learning rate and the dropout rate matter "
    "most, in this order.",
    "five": "The first five are these, the optimizer and the epochs.",
    "last": "The units of the fully connected layer and the batch size matter least.",
    "channels": "The number of input channels has its place among the eleven.",
    "reliable": "An ICC of ten subsets shows that the ranking is reliable.",
    "second": "Functional ANOVA gives the same ranking.",
    "pairs": "The importance of pairs proves the role of depth further.",
    "filters": "Filters of layers nearer to the input matter more.",
}

# Of weights printed to six digits, half a unit of the last.
ROUNDING = 0.5e-6
# The paper's CNNs have a pooling layer after each convolution; its window is not given. This is the
# usual one, and what `hia.cnn` has.
_POOL = 2


@dataclass(frozen=True)
class Paper:
    """What the paper prints.

    tables: by number, as `hia_book.published.table` returns them. figure2: models per data set.
    numbers, claims: by name, what is in values.csv and claims.csv, the second as text.
    """

    tables: Mapping[int, pd.DataFrame]
    figure2: pd.DataFrame
    numbers: Mapping[str, float]
    claims: Mapping[str, str]

    def weights(self, number: int) -> pd.Series:
        """The weights of Table 3, 4, 6 or 7 by hyperparameter."""
        table = self.tables[number]
        return table.set_index("hyperparameter")["weight"]

    def named(self, claim: str) -> list[str]:
        """The words of a claim that lists several."""
        return self.claims[claim].split()


@dataclass(frozen=True)
class Check:
    """What was checked and found. where: table, equation or section. about: what is checked.
    printed, found: what the paper has, and what it should be or what else is true. status: one of
    `STATUSES`. follows: what that means for the paper's claims; empty where it agrees. bears: on
    which of `CLAIMS`, by their keys."""

    where: str
    about: str
    printed: str
    found: str
    status: str
    follows: str = ""
    bears: tuple[str, ...] = ()


def load(folder: Path = published.FOLDER) -> Paper:
    """All that the paper prints. Raises FileNotFoundError where a file is missing."""
    path = folder / "claims.csv"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: run in the root of the repository, or give its folder"
        )
    claims = pd.read_csv(path, dtype=str).set_index("name")["value"]
    names = pd.read_csv(folder / "values.csv")["name"]
    return Paper(
        tables={number: published.table(number, folder) for number in range(1, 8)},
        figure2=published.figure2(folder),
        numbers={name: published.value(name, folder) for name in names},
        claims={str(name): str(value) for name, value in claims.items()},
    )


def checks(paper: Paper, facts: pd.DataFrame) -> list[Check]:
    """All checks, in the order of the paper.

    facts: of the data sets, as `hia.datasets.table2` returns them.
    """
    return [
        *_of_equations(paper),
        *_of_space(paper),
        *_of_datasets(paper, facts),
        *_of_counts(paper),
        *_of_reliability(paper),
        *_of_rankings(paper),
        *_of_pairs(paper),
        *_of_filters(paper),
    ]


# --- what the notebooks share --------------------------------------------------------------------


def swapped(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a printed table whose rank is not the place of their weight."""
    places = table["weight"].rank(ascending=False)
    return table[table["rank"] != places]


def equation11(weights: pd.Series) -> pd.DataFrame:
    """Weights of all pairs by Eq. 11, largest first: `first`, `second`, `weight`.

    As `hia.relief.joint_importance`, for printed weights that need not sum to 1.
    """
    names, values = list(weights.index), weights.to_numpy(dtype=float)
    first, second = np.triu_indices(len(names), 1)
    pairs = pd.DataFrame({"first": [names[i] for i in first], "second": [names[i] for i in second]})
    pairs["weight"] = np.exp(values[first] + values[second] - values.sum())
    return pairs.sort_values("weight", ascending=False, kind="stable", ignore_index=True)


def labels(pairs: pd.DataFrame, weights: pd.Series) -> pd.DataFrame:
    """Whose weight each printed weight of a pair is.

    pairs: Table 5. weights: Table 3's. One row per printed pair: `rank`, `weight`, `first` and
    `second` as printed, `found_first`, `found_second` and `found_weight`, the pair whose weight by
    Eq. 11 is the printed number to one unit of its last digit (missing where there is none), and
    `right`, whether it is the one in print.
    """
    computed = equation11(weights)
    rows = []
    for row in pairs.to_dict("records"):
        gap = (computed["weight"] - row["weight"]).abs()
        nearest = computed.loc[gap.idxmin()]
        found = nearest if gap.min() <= 2 * ROUNDING else pd.Series(dtype=object)
        names = {found.get("first"), found.get("second")}
        rows.append(
            {name: row[name] for name in ("rank", "weight", "first", "second")}
            | {f"found_{name}": found.get(name) for name in ("first", "second", "weight")}
            | {"right": names == {row["first"], row["second"]}}
        )
    return pd.DataFrame(rows)


def implied_sd(weights: pd.Series, reliability: float) -> float:
    """Standard deviation of a weight between lists, that an ICC of single lists leaves.

    weights: of one list, whose variance stands for that between hyperparameters, v. From
    ICC = v / (v + e): the root of e = v (1 - ICC) / ICC.
    """
    return math.sqrt(float(weights.var(ddof=1)) * (1 - reliability) / reliability)


def told_apart(weights: pd.Series, sd: float) -> float:
    """The gap above which two weights of one list differ more than chance does in 95 of 100 cases,
    if each varies with this standard deviation."""
    return float(stats.norm.ppf(0.975) * math.sqrt(2) * sd)


def shuffled_icc(
    weights: pd.Series, kept: int, lists: int = 10, repeats: int = 200, random_state: int = 0
) -> float:
    """Mean ICC of lists that share their first `kept` weights only.

    weights: of one list. In each of the lists the other weights are in a random order: what stands
    at rank kept + 1 and after it is chance. The ICC is `hia_book.agreement.REPORTED`, from mean
    squares (Shrout and Fleiss 1979), which is much faster here than `hia_book.agreement.icc`.
    """
    rng = np.random.default_rng(random_state)
    ordered = weights.sort_values(ascending=False).to_numpy(dtype=float)
    drawn = np.tile(ordered, (repeats, lists, 1))
    drawn[..., kept:] = rng.permuted(drawn[..., kept:], axis=-1)
    items = len(ordered)
    of_items, of_lists = drawn.mean(axis=1), drawn.mean(axis=2)
    between = lists * of_items.var(axis=1, ddof=1)
    raters = items * of_lists.var(axis=1, ddof=1)
    rest = drawn - of_items[:, None] - of_lists[..., None] + drawn.mean(axis=(1, 2))[:, None, None]
    error = (rest**2).sum(axis=(1, 2)) / ((items - 1) * (lists - 1))
    spread = between + (lists - 1) * error + lists * (raters - error) / items
    return float(((between - error) / spread).mean())


def raw_distance_parts(names: Sequence[str] = space.HYPERPARAMETERS) -> pd.Series:
    """Parts of the mean squared distance of Section 3.1 between two random configurations.

    That distance is Euclidean over the values as they are. Configurations are uniform over Table
    1's space, as `hia.space` reads it; a category counts 1 where two differ. The share of each
    hyperparameter, largest first.
    """
    squared = {}
    for name in names:
        row = space.SPACE[name]
        if row.kind == "categorical":
            squared[name] = 1 - 1 / len(row.choices or ())
        elif row.choices is not None or row.kind == "integer":
            low, high = row.bounds
            numbers = row.choices or range(int(low), int(high) + 1)
            squared[name] = 2 * float(np.var([float(number) for number in numbers]))
        elif row.log:
            low, high = row.bounds
            width = math.log(high / low)
            mean, square = (high - low) / width, (high**2 - low**2) / (2 * width)
            squared[name] = 2 * (square - mean**2)
        else:
            low, high = row.bounds
            squared[name] = (high - low) ** 2 / 6
    parts = pd.Series(squared)
    return (parts / parts.sum()).sort_values(ascending=False)


def runs_out(size: int, layers: int, kernel: int, stride: int, padding: int) -> bool:
    """Whether a map becomes smaller than the kernel or the pooling window, on images of this side,
    where the text is followed to the letter: every convolution is followed by a pooling layer."""
    for _ in range(layers):
        if size + 2 * padding < kernel:
            return True
        size = (size + 2 * padding - kernel) // stride + 1
        if size < _POOL:
            return True
        size //= _POOL
    return False


def structures(sizes: Mapping[str, int]) -> pd.DataFrame:
    """How many of Table 1's structures run out of pixels, per data set.

    sizes: data set -> side of its images. Columns `dataset`, `size`, `structures` (combinations of
    layers, kernel, stride and padding) and `impossible`.
    """
    names = ("num_conv_layers", "kernel", "stride", "padding")
    ranges = [
        range(int(space.SPACE[n].bounds[0]), int(space.SPACE[n].bounds[1]) + 1) for n in names
    ]
    every = list(product(*ranges))
    return pd.DataFrame(
        [
            {
                "dataset": name,
                "size": size,
                "structures": len(every),
                "impossible": sum(runs_out(size, *one) for one in every),
            }
            for name, size in sizes.items()
        ]
    )


# --- the checks ----------------------------------------------------------------------------------


def _check(
    where: str,
    about: str,
    printed: object,
    found: object,
    right: bool,
    otherwise: str = DIFFERS,
    follows: str = "",
    bears: tuple[str, ...] = (),
) -> Check:
    status = AGREES if right else otherwise
    return Check(where, about, str(printed), str(found), status, "" if right else follows, bears)


def _of_equations(paper: Paper) -> list[Check]:
    rng = np.random.default_rng(0)
    both, theta, p = rng.uniform(0.05, 0.95, (3, 1000))
    given = both / theta  # P(diff p | diff theta), by Eq. 9
    first = given * theta / p - (1 - given) * theta / (1 - p)
    second = both / p - (theta - both) / (1 - p)
    gap = float(np.abs(first - second).max())
    neighbours, hyperparameters = (
        paper.claims[f"{name}_symbol"] for name in ("neighbors", "hyperparameters")
    )
    return [
        _check(
            "Eq. 10",
            "both lines are the same number",
            "equal",
            f"largest difference at 1,000 random points {gap:.0e}",
            gap < 1e-9,
            follows="The definition is not what the derivation gives.",
        ),
        _check(
            "Algorithm 1, Section 5.3",
            "a letter stands for one thing",
            f"{neighbours} = {paper.numbers['neighbors']:g} neighbours; "
            f"{hyperparameters} = {paper.claims['hyperparameters']} hyperparameters",
            "two letters are needed" if neighbours == hyperparameters else "two letters",
            neighbours != hyperparameters,
            follows="A slip of notation. The sentence about neighbours leaves no doubt that J, as "
            "in Algorithm 1, is meant.",
        ),
    ]


def _of_space(paper: Paper) -> list[Check]:
    table = paper.tables[1]
    outside = [row for row in table.to_dict("records") if not _inside(row["space"], row["default"])]
    ranked = set(paper.tables[3]["hyperparameter"])
    searched = set(table["hyperparameter"]) - set(space.FILTERS)
    claimed = int(paper.claims["hyperparameters"])
    return [
        _check(
            "Table 1",
            "defaults are inside their spaces",
            "; ".join(f"`{row['hyperparameter']}`: {row['default']}" for row in outside)
            or "all defaults",
            "; ".join(f"space {row['space']}" for row in outside) or "all inside",
            not outside,
            follows="No result depends on it: nothing in the paper uses the defaults, and the "
            "number of channels is what the images have.",
        ),
        _check(
            "Table 1, Table 3",
            "the hyperparameters varied, without filters, are those ranked",
            f"{claimed} in the text",
            f"{len(searched)} in Table 1, {len(ranked)} in Table 3",
            searched == ranked and len(ranked) == claimed,
            follows="What was ranked is not what Table 1 says was varied.",
        ),
    ]


def _inside(allowed: str, default: str) -> bool:
    """Whether a printed default is in a printed space, such as "[1, 3]" or "Adam, SGD"."""
    entries = [entry.strip() for entry in allowed.strip("[]").split(",")]
    if allowed.startswith("["):
        low, high = map(float, entries)
        return low <= float(default) <= high
    return default in entries


# Columns of Table 2, what they have, and what a wrong one means.
_OF_TABLE2 = (
    (
        "images",
        "numbers of images",
        "A wrong number of images in a table changes no ranking. If more images than exist were "
        "used, the paper would have to say which.",
    ),
    ("classes", "numbers of classes", "A wrong number of classes would be another task."),
    (
        "channels",
        "numbers of channels",
        "If these images were trained as printed, their grey values were repeated, and "
        "`in_channel_num` is no property of the images. If not, the table is wrong. It matters for "
        "the rank of `in_channel_num` only.",
    ),
    ("size", "sides of the images", "Another size would be another task."),
)


def _of_datasets(paper: Paper, facts: pd.DataFrame) -> list[Check]:
    known = facts.set_index("name")
    once = paper.tables[2].drop_duplicates("dataset")
    printed = once.set_index("dataset").reindex(known.index)
    printed["size"] = printed["size"].str.split("*").str[0].astype(int)
    result = []
    for column, what, follows in _OF_TABLE2:
        other = [name for name in known.index if printed[column][name] != known[column][name]]
        result.append(
            _check(
                "Table 2",
                f"{what} are those of the published collections",
                _listed(f"{known['label'][name]} {printed[column][name]:,}" for name in other)
                or f"all {len(known)}",
                _listed(f"{known['label'][name]} {known[column][name]:,}" for name in other)
                or "the same",
                not other,
                follows=follows,
            )
        )
    colour, claimed = int((printed["channels"] == 3).sum()), int(paper.claims["colour_datasets"])
    really = int((known["channels"] == 3).sum())
    result.append(
        _check(
            "Table 2, Section 4.4",
            "collections in colour",
            f"{claimed} in the text, {colour} in Table 2",
            f"{really} really",
            claimed == colour == really,
            follows=(
                "The text is right and the table is not."
                if claimed == really != colour
                else "Text and table cannot both be right."
                if claimed != colour
                else "Text and table agree, and differ from the collections."
            ),
        )
    )
    counts = paper.tables[2].groupby("dataset")["channels"].nunique()
    several = int((counts > 1).sum())
    result.append(
        _check(
            "Table 2, Table 3",
            "`in_channel_num` varies within a data set",
            f"rank {_rank(paper, 'in_channel_num')} of {len(paper.tables[3])}",
            f"{several} of {len(counts)} data sets have more than one number of channels",
            several > 0,
            NOT_SHOWN,
            "A data set brings its number of channels with it, so this weight is that of all that "
            "tells colour and grey collections apart, and not that of channels alone.",
            ("channels",),
        )
    )
    impossible = structures({str(name): int(size) for name, size in known["size"].items()})
    affected = impossible[impossible["impossible"] > 0]
    result.append(
        _check(
            "Table 1, Section 4.3",
            "every structure can be built on every data set",
            f"{impossible['structures'].iloc[0]} combinations of layers, kernel, stride, padding",
            "; ".join(
                f"{rows['impossible'].iloc[0]} run out of pixels on {size} a side "
                f"({len(rows)} of the data sets)"
                for size, rows in affected.groupby("size")
            )
            or "all can",
            affected.empty,
            NOT_SAID,
            "With a pooling window of two pixels some networks cannot exist as described. What was "
            "done with these configurations is not said; if they were left out, layers, kernel, "
            "stride and padding are not independent of each other in the data.",
        )
    )
    return result


def _of_counts(paper: Paper) -> list[Check]:
    models = paper.figure2.set_index("dataset")["models"]
    total, over = int(models.sum()), int(paper.claims["models_over"])
    least = int(paper.claims["instances_over"])
    exactly = int((models <= least).sum())
    share = paper.numbers["random_share"]
    whole = [math.isclose(share * count, round(share * count)) for count in models]
    return [
        _check(
            "Fig. 2, Abstract",
            "number of CNNs",
            f"over {over:,}",
            f"{total:,} in Fig. 2",
            total > over,
            follows="There are fewer CNNs than the text says.",
        ),
        _check(
            "Fig. 2, Section 5.1",
            "every data set has more CNNs than stated",
            f'"surpassed the threshold of {least:,}"',
            f"{exactly} of {len(models)} have {models.min():,}"
            if exactly
            else f"at least {models.min():,}",
            exactly == 0,
            follows="Reached, not surpassed, if none has fewer; nothing depends on it.",
        ),
        _check(
            "Fig. 2, Table 2",
            "the same data sets, as many as the text says",
            paper.claims["datasets"],
            f"{len(models)} in Fig. 2, {len(paper.tables[2])} in Table 2",
            set(models.index) == set(paper.tables[2]["dataset"])
            and len(models) == int(paper.claims["datasets"]),
            follows="It is not clear on which data sets CNNs were trained.",
        ),
        _check(
            "Fig. 2, Section 4.1",
            f"a share of {share:.0%} by random search is a whole number of CNNs",
            f"{share:.0%}",
            f"whole on {sum(whole)} of {len(whole)} data sets",
            all(whole),
            follows="The share can hold roughly only.",
        ),
    ]


def _of_reliability(paper: Paper) -> list[Check]:
    reported = paper.numbers["icc"]
    low, high = float(paper.claims["icc_from"]), float(paper.claims["icc_to"])
    weights = paper.weights(3).sort_values(ascending=False)
    sd = implied_sd(weights, reported)
    needed = told_apart(weights, sd)
    gaps = -weights.diff().iloc[1:]
    three, five = len(paper.named("top_three")), len(paper.named("top_five"))
    clear = [place for place, gap in enumerate(gaps, start=1) if gap > needed]
    lists = int(paper.numbers["subsets"])
    with_kept = {k: shuffled_icc(weights, k, lists) for k in range(len(weights) - 1)}
    kept = next((k for k, mean in with_kept.items() if mean >= reported), None)
    chance = len(weights) if kept is None else kept
    return [
        _check(
            "Section 4.1, Section 5.2",
            "the ICC lies in the range that is said to confirm robustness",
            f"{reported:g}",
            f"{low:g} to {high:g}",
            low <= reported <= high,
            follows="A slip: the value is on the better side of the range."
            if reported > high
            else "The value does not confirm what it is said to.",
            bears=() if reported > high else ("reliable",),
        ),
        _check(
            "Section 5.2",
            "an ICC as high needs an agreement about all ranks",
            f"{reported:g}",
            f"{with_kept[chance]:.4f} if only the first {chance} agree and the other "
            f"{len(weights) - chance} are in random order"
            if kept is not None
            else f"no random order of any part of the ranks gives {reported:g}",
            chance >= len(weights) - 1,
            NOT_SHOWN,
            "The ICC is decided by the large weights. It says that the first ones come out the "
            f"same in all subsets, and would be as high with any order from rank {chance + 1} on.",
            ("reliable",),
        ),
        _check(
            "Section 5.2, Table 3",
            f"rank {five} and rank {five + 1} can be told apart",
            f"`{weights.index[five - 1]}` {weights.iloc[five - 1]:.6f}, "
            f"`{weights.index[five]}` {weights.iloc[five]:.6f}: {gaps.iloc[five - 1]:.6f} apart",
            f"an ICC of {reported:g} leaves a standard deviation of {sd:.4f}; gaps above "
            f"{needed:.3f} are clear: "
            + (f"after rank {_listed(map(str, clear))}" if clear else "none"),
            five in clear,
            NOT_SHOWN,
            f"The cut after rank {five} is not one that the data make. The estimate takes the "
            "error for the same in all weights, and the ICC for that of single lists; that of mean "
            "lists would leave a larger error.",
            ("five",),
        ),
        _check(
            "Section 5.2, Table 3",
            f"ranks 1 to {three} can be told apart from each other and from the rest",
            f"smallest gap {gaps.iloc[:three].min():.6f}",
            f"gaps above {needed:.3f} are clear",
            set(range(1, three + 1)) <= set(clear),
            NOT_SHOWN,
            "The subsets do not tell these ranks apart.",
            ("three",),
        ),
    ]


def _of_rankings(paper: Paper) -> list[Check]:
    three, four = paper.weights(3), paper.weights(4)
    claimed, order = paper.named("top_five"), list(three.sort_values(ascending=False).index)
    last = paper.named("last_two")
    result = [_sum_of(paper, 3), _ranks_of(paper, 3)]
    result.append(
        _check(
            "Abstract, Section 5.3, Table 3",
            "the hyperparameters named first and last in the text",
            f"first {_listed(claimed)}; last {_listed(last)}",
            f"first {_listed(order[: len(claimed)])}; last {_listed(order[-len(last) :])}",
            order[: len(claimed)] == claimed
            and order[: len(paper.named("top_three"))] == paper.named("top_three")
            and set(order[-len(last) :]) == set(last),
            follows="The text names others than the table.",
            bears=("three", "five", "last"),
        )
    )
    one = abs(three.sum() - 1) <= ROUNDING * len(three)
    result.append(
        _check(
            "Eq. 10, Table 3",
            "the weights are those of Eq. 10",
            f"{len(three)} weights, the smallest {three.min():.6f}, that sum to {three.sum():.6f}",
            "Eq. 10 gives weights from -1 to 1 of any sum, and near 0 on both sides where a "
            "hyperparameter has no influence",
            not (one and three.min() >= 0),
            NOT_SAID,
            "They were made shares by a step that is not described. The order is not touched by "
            "it unless weights below 0 were changed; the ratios may be.",
        )
    )
    parts = raw_distance_parts(order)
    large = float(parts[last].sum())
    result.append(
        _check(
            "Section 3.1, Table 3",
            "the last ranks are found, not made by the distance",
            f"{_listed(last)} have minimal impact",
            f"they are {large:.2%} of the mean squared distance over raw values",
            large <= len(last) / len(parts),
            NOT_SHOWN,
            "By the distance as printed, neighbours are CNNs that are alike in these two. What "
            "neighbours do not differ in gets a weight near 0, whatever its influence. If values "
            "were scaled first, the objection falls; the paper does not say so.",
            ("last",),
        )
    )
    result += [_sum_of(paper, 4), _ranks_of(paper, 4)]
    tau = rank_agreement(three, four).tau
    pairs = len(three) * (len(three) - 1) / 2
    against = round(pairs * (1 - tau) / 2)
    result.append(
        _check(
            "Section 5.3, Table 4",
            "both methods give the same ranking",
            "the same ranking",
            f"by the printed weights {against} of {pairs:.0f} pairs are the other way round "
            f"(Kendall's τ {tau:.3f})",
            against == 0,
            follows="Nearly the same ranking. The agreement that the paper reports stands but for "
            "this, as far as the weights of Table 4 can be taken for what they are called."
            if tau > 0.9
            else "The rankings differ.",
            bears=("second",),
        )
    )
    return result


# On which claims the sum and the ranks of a table bear.
_BEARS = {3: ("three", "five", "last"), 4: ("second",), 6: ("filters",), 7: ("filters",)}


def _sum_of(paper: Paper, number: int) -> Check:
    weights = paper.weights(number)
    total, slack = float(weights.sum()), ROUNDING * len(weights)
    if number == 4:
        return _check(
            "Table 4",
            "main effects of a functional ANOVA",
            f"sum {total:.6f}",
            "at most 1: they are parts of one variance that do not overlap",
            total <= 1 + slack,
            follows="These are not the main effects of one functional ANOVA. Some hold more than "
            "one effect, or they were scaled. Their order may be right all the same; their sizes "
            "cannot be read as shares of the variance.",
            bears=("second",),
        )
    return _check(
        f"Table {number}",
        "shares sum to 1",
        f"sum {total:.6f}",
        f"1, to the rounding of {len(weights)} numbers",
        abs(total - 1) <= slack,
        follows="The weights are not shares, or a digit is wrong.",
        bears=_BEARS[number],
    )


def _ranks_of(paper: Paper, number: int) -> Check:
    wrong = swapped(paper.tables[number])
    places = paper.tables[number]["weight"].rank(ascending=False)
    return _check(
        f"Table {number}",
        "ranks follow the weights",
        _listed(f"`{row['hyperparameter']}` rank {row['rank']}" for row in wrong.to_dict("records"))
        if len(wrong)
        else f"ranks 1 to {len(paper.tables[number])}",
        _listed(
            f"`{name}` {place:g}"
            for name, place in zip(
                wrong.get("hyperparameter", []), places[wrong.index], strict=True
            )
        )
        if len(wrong)
        else "the same",
        wrong.empty,
        follows=f"{len(wrong)} ranks are exchanged; they are those of small weights."
        if len(wrong) and wrong["weight"].max() < paper.tables[number]["weight"].median()
        else "Ranks are exchanged.",
        bears=_BEARS[number],
    )


def _rank(paper: Paper, name: str) -> Any:
    return paper.tables[3].set_index("hyperparameter")["rank"][name]


def _of_pairs(paper: Paper) -> list[Check]:
    table, weights = paper.tables[5], paper.weights(3)
    found = labels(table, weights)
    matched, wrong = int(found["found_weight"].notna().sum()), found[~found["right"]]
    leader = str(weights.idxmax())
    computed = equation11(weights)
    with_leader = (computed["first"] == leader) | (computed["second"] == leader)
    forced = bool(
        computed.loc[with_leader, "weight"].min() > computed.loc[~with_leader, "weight"].max()
    )
    itself = math.exp(2 * weights.max() - weights.sum())
    first = found.iloc[0]
    return [
        _check(
            "Table 5, Eq. 11",
            "the weights are Eq. 11 on Table 3",
            f"{len(table)} weights",
            f"{matched} are, to one unit of the sixth digit",
            matched == len(table),
            follows="Table 5 does not come from Table 3.",
            bears=("pairs",),
        ),
        _check(
            "Table 5, Eq. 11",
            "the labels are those of the pairs with these weights",
            _pair(first["first"], first["second"]) + " first",
            f"{len(wrong)} of {len(table)} belong to another pair"
            + (
                f"; {first['weight']:.6f} is {_pair(first['found_first'], first['found_second'])}"
                if not first["right"] and isinstance(first["found_first"], str)
                else ""
            ),
            wrong.empty,
            follows="The names beside the weights are out of step. The numbers stand; what Table 5 "
            "says about any pair by name does not.",
            bears=("pairs",),
        ),
        _check(
            "Section 5.4, Table 5",
            f"the pairs say something about `{leader}` that Table 3 does not",
            "further proves the pivotal role",
            f"all {int(with_leader.sum())} pairs with `{leader}` come before all others, by Table "
            "3 alone"
            if forced
            else "which pairs come first follows from sums of Table 3",
            matched < len(table),
            NOT_SHOWN,
            "Eq. 11 rises with the sum of two weights and knows nothing else. The table repeats "
            "Table 3, and measures no interaction. Two hyperparameters of no importance at all "
            f"would have {math.exp(-weights.sum()):.3f}.",
            ("pairs",),
        ),
        _check(
            "Algorithm 1, Table 5",
            "the loops make the pairs that are shown",
            f"largest {table['weight'].max():.6f}",
            f"both loops begin at 1: `{leader}` with itself would have {itself:.6f}, and each "
            f"pair would be there twice ({len(weights) ** 2} instead of {len(computed)})",
            table["weight"].max() >= itself - 2 * ROUNDING,
            follows="A slip in the listing; Table 5 has pairs of two.",
        ),
        _check(
            "Section 5.4, Table 5",
            "number of pairs shown",
            paper.claims["pairs_listed"],
            len(table),
            len(table) == int(paper.claims["pairs_listed"]),
            follows="More or fewer pairs are printed than the text says.",
        ),
    ]


def _of_filters(paper: Paper) -> list[Check]:
    reported = paper.numbers["icc"]
    needed = told_apart(paper.weights(3), implied_sd(paper.weights(3), reported))
    result = []
    for number, claim in ((6, "filters_of_two"), (7, "filters_of_three")):
        said = [float(text) for text in paper.named(claim)]
        weights = paper.weights(number)
        gaps = -weights.diff().iloc[1:]
        result += [
            _sum_of(paper, number),
            _ranks_of(paper, number),
            _check(
                f"Section 5.5, Table {number}",
                "numbers in the text",
                _listed(f"{value:.6f}" for value in said),
                _listed(f"{value:.6f}" for value in weights),
                said == weights.tolist(),
                follows="Text and table differ.",
                bears=("filters",),
            ),
            _check(
                f"Section 5.5, Table {number}",
                f"layers 1 to {len(weights)} can be told apart, each from the next",
                f"smallest gap {gaps.min():.6f}",
                f"gaps above {needed:.3f} are clear by the ICC of {reported:g}",
                bool((gaps > needed).all()),
                NOT_SHOWN,
                "The table does not show that filters nearer to the input matter more. The ICC is "
                "of the shares of eleven hyperparameters; none is given of these, which are from "
                "fewer CNNs, so that their errors are rather larger.",
                ("filters",),
            ),
        ]
    return result


def _pair(first: str, second: str) -> str:
    return f"(`{first}`, `{second}`)"


def _listed(items: Any) -> str:
    return ", ".join(map(str, items))
