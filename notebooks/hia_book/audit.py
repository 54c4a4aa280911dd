"""The paper's printed numbers, checked against each other and against its own definitions.

Every check is computed from what the paper prints (`Paper`); our own CNNs have no part in it. A
check says that a number "agrees" with what it should be, that it "differs", that what is said from
it is "not shown" by it, or that how it was made is "not said".
"""

import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from hia import space
from hia.relief import joint_importance
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


@dataclass(frozen=True)
class Paper:
    """What the paper prints: tables by number and Fig. 2, as of `hia_book.published`, and numbers
    and claims by name, of values.csv and, as text, of claims.csv."""

    tables: Mapping[int, pd.DataFrame]
    figure2: pd.DataFrame
    numbers: Mapping[str, float]
    claims: Mapping[Any, str]

    def weights(self, number: int) -> pd.Series:
        """The weights of Table 3, 4, 6 or 7 by hyperparameter."""
        return self.tables[number].set_index("hyperparameter")["weight"]

    def named(self, claim: str) -> list[str]:
        """The words of a claim that lists several."""
        return self.claims[claim].split()


@dataclass(frozen=True)
class Check:
    """Where (table, equation or section), what is checked, what is printed, what was found instead
    or besides, one of `STATUSES`, and the keys of `CLAIMS` on which it bears."""

    where: str
    about: str
    printed: str
    found: str
    status: str
    bears: tuple[str, ...] = ()


def load(folder: str | Path = published.FOLDER) -> Paper:
    """All that the paper prints. Raises FileNotFoundError where a file is missing."""
    folder = Path(folder)
    tables = {number: published.table(number, folder) for number in range(1, 8)}
    names = pd.read_csv(folder / "values.csv")["name"]
    numbers = {name: published.value(name, folder) for name in names}
    claims = pd.read_csv(folder / "claims.csv", dtype=str).set_index("name")["value"].to_dict()
    return Paper(tables, published.figure2(folder), numbers, claims)


def labels(pairs: pd.DataFrame, weights: pd.Series) -> pd.DataFrame:
    """Whose weight each printed weight of a pair is. pairs: Table 5. weights: Table 3's.

    One row per pair: `rank`, `weight`, `first`, `second` as printed; `found_first`, `found_second`,
    `found_weight`, of the pair that has it by Eq. 11, to one unit of the last digit (missing for
    none); `right`, whether it is the one in print.
    """
    computed = joint_importance(weights)
    gaps = np.abs(pairs["weight"].to_numpy()[:, None] - computed["weight"].to_numpy())
    found = computed.loc[gaps.argmin(axis=1)].add_prefix("found_").astype(object)
    found.loc[gaps.min(axis=1) > 2 * ROUNDING] = None
    printed = pairs[["rank", "weight", "first", "second"]]
    labelled = printed.join(found.set_axis(pairs.index))
    names = labelled[["first", "second", "found_first", "found_second"]].to_numpy()
    return labelled.assign(right=[{a, b} == {c, d} for a, b, c, d in names])


def implied_sd(weights: pd.Series, reliability: float) -> float:
    """Standard deviation of a weight between lists that an ICC of single lists leaves: the root of
    e in ICC = v / (v + e), v the variance of the weights of one list."""
    return math.sqrt(float(weights.var(ddof=1)) * (1 - reliability) / reliability)


def told_apart(weights: pd.Series, sd: float) -> float:
    """The gap above which two weights of this standard deviation differ more than chance does (95
    %)."""
    return float(stats.norm.ppf(0.975) * math.sqrt(2) * sd)


def shuffled_icc(weights: pd.Series, kept: int, lists: int = 10, repeats: int = 200) -> float:
    """Mean ICC (`hia_book.agreement.REPORTED`) of lists that share their first `kept` weights, the
    others in random order. From mean squares (Shrout and Fleiss 1979), which is much faster here
    than `hia_book.agreement.icc`."""
    rng, items = np.random.default_rng(0), len(weights)
    ordered = weights.sort_values(ascending=False).to_numpy(dtype=float)
    drawn = np.tile(ordered, (repeats, lists, 1))
    drawn[..., kept:] = rng.permuted(drawn[..., kept:], axis=-1)
    of_items, of_lists = drawn.mean(axis=1), drawn.mean(axis=2)
    between = lists * of_items.var(axis=1, ddof=1)
    raters = items * of_lists.var(axis=1, ddof=1)
    rest = drawn - of_items[:, None] - of_lists[..., None] + drawn.mean(axis=(1, 2))[:, None, None]
    error = (rest**2).sum(axis=(1, 2)) / ((items - 1) * (lists - 1))
    spread = between + (lists - 1) * error + lists * (raters - error) / items
    return float(((between - error) / spread).mean())


def raw_distance_parts(names: Sequence[str] = space.HYPERPARAMETERS) -> pd.Series:
    """Parts of the mean squared distance of Section 3.1 between two random configurations.

    Euclidean over values as they are, of configurations uniform over Table 1; two different
    categories count 1. The share of each hyperparameter, largest first.
    """
    parts = pd.Series({name: _mean_square(space.SPACE[name]) for name in names})
    return (parts / parts.sum()).sort_values(ascending=False)


def _mean_square(row: space.Hyperparameter) -> float:
    """Of the difference between two random values."""
    if row.kind == "categorical":
        return 1 - 1 / len(row.choices or ())
    low, high = row.bounds
    if row.choices is not None or row.kind == "integer":
        values = row.choices or range(int(low), int(high) + 1)
        return 2 * float(np.var(np.array(values, dtype=float)))
    if row.log:
        width = math.log(high / low)
        mean, square = (high - low) / width, (high**2 - low**2) / (2 * width)
        return 2 * (square - mean**2)
    return (high - low) ** 2 / 6


def structures(sizes: Mapping[Any, int]) -> pd.DataFrame:
    """How many of Table 1's structures run out of pixels, by data set. sizes: sides of the images.

    Columns `dataset`, `size`, `structures` (combinations of layers, kernel, stride and padding) and
    `impossible`: by `hia.cnn.shrinks`, whose pooling window is the usual one; the paper's is not
    given.
    """
    from hia import cnn  # PyTorch takes seconds

    names = ("num_conv_layers", "kernel", "stride", "padding")
    bounds = [map(int, space.SPACE[name].bounds) for name in names]
    values = product(*(range(low, high + 1) for low, high in bounds))
    every = [dict.fromkeys(space.FILTERS, 1) | dict(zip(names, one, strict=True)) for one in values]
    table = pd.DataFrame(sizes.items(), columns=["dataset", "size"]).assign(structures=len(every))
    impossible = [sum(cnn.shrinks(one, 1, size) for one in every) for size in table["size"]]
    return table.assign(impossible=impossible)


# The claims on which the checks of a table bear that name none.
_BEARS = {3: ("three", "five", "last"), 4: ("second",), 6: ("filters",), 7: ("filters",)}

# The key of a check in checks.toml, whether what is printed is right, and numbers for its text.
Answer = tuple[str, Any, dict[str, Any]]


def checks(paper: Paper, facts: pd.DataFrame) -> list[Check]:
    """All checks, in the order of the paper. facts: as of `hia.datasets.table2`."""
    texts = tomllib.loads(resources.files("hia_book").joinpath("checks.toml").read_text("utf-8"))
    by_name = facts.set_index("name")
    answers = chain.from_iterable(section(paper, by_name) for section in _SECTIONS)
    return [_tell(paper, texts[key], right, values) for key, right, values in answers]


def _tell(paper: Paper, text: Mapping[str, Any], right: Any, values: Mapping[str, Any]) -> Check:
    text = text | text.get("right", {}) if right else text
    parts = ("where", "about", "printed", "found")
    told = {name: text[name].format(paper=paper, **values) for name in parts}
    status = AGREES if right else text.get("status", DIFFERS)
    bears = text.get("bears", _BEARS.get(values.get("number", 0), ()))
    return Check(**told, status=status, bears=tuple(bears))


def _of_the_text(paper: Paper, facts: pd.DataFrame) -> Iterator[Answer]:
    both, theta, p = np.random.default_rng(0).uniform(0.05, 0.95, (3, 1000))
    given = both / theta  # P(diff p | diff theta), by Eq. 9
    first = given * theta / p - (1 - given) * theta / (1 - p)
    second = both / p - (theta - both) / (1 - p)
    gap = float(np.abs(first - second).max())
    yield "eq_10", gap < 1e-9, {"gap": gap}

    claims = paper.claims
    yield "letters", claims["neighbors_symbol"] != claims["hyperparameters_symbol"], {}

    rows = paper.tables[1].to_dict("records")
    outside = [row for row in rows if not _inside(row["space"], row["default"])]
    defaults = "; ".join(f"`{row['hyperparameter']}`: {row['default']}" for row in outside)
    spaces = "; ".join(f"space {row['space']}" for row in outside)
    yield "defaults", not outside, {"defaults": defaults, "spaces": spaces}

    ranked = set(paper.tables[3]["hyperparameter"])
    searched = set(paper.tables[1]["hyperparameter"]) - set(space.FILTERS)
    right = searched == ranked and len(ranked) == int(claims["hyperparameters"])
    yield "varied", right, {"searched": len(searched), "ranked": len(ranked)}


def _inside(allowed: str, default: str) -> bool:
    """Whether a printed default is in a printed space, such as "[1, 3]" or "Adam, SGD"."""
    entries = [entry.strip() for entry in allowed.strip("[]").split(",")]
    if allowed.startswith("["):
        low, high = map(float, entries)
        return low <= float(default) <= high
    return default in entries


def _of_table_2(paper: Paper, facts: pd.DataFrame) -> Iterator[Answer]:
    once = paper.tables[2].drop_duplicates("dataset").set_index("dataset").reindex(facts.index)
    once["size"] = once["size"].str.split("*").str[0].astype(int)
    for column in ("images", "classes", "channels", "size"):
        other = facts.index[once[column] != facts[column]]
        given, true = (
            _listed(f"{facts['label'][name]} {values[name]:,}" for name in other)
            for values in (once[column], facts[column])
        )
        what = "sides of the images" if column == "size" else f"numbers of {column}"
        texts = {"what": what, "given": given, "true": true, "n": len(facts)}
        yield "collections", other.empty, texts

    in_table, really = (int((table["channels"] == 3).sum()) for table in (once, facts))
    right = int(paper.claims["colour_datasets"]) == in_table == really
    yield "colour", right, {"in_table": in_table, "really": really}

    counts = paper.tables[2].groupby("dataset")["channels"].nunique()
    rank = paper.tables[3].set_index("hyperparameter")["rank"]["in_channel_num"]
    values = {"rank": rank, "ranked": len(paper.tables[3]), "n": len(counts)}
    several = int((counts > 1).sum())
    yield "channels", several > 0, values | {"several": several}

    built = structures(facts["size"].to_dict())
    affected = built[built["impossible"] > 0]
    numbers = "; ".join(
        f"{rows['impossible'].iloc[0]} run out of pixels on {size} a side "
        f"({len(rows)} of the data sets)"
        for size, rows in affected.groupby("size")
    )
    values = {"structures": built["structures"].iloc[0], "numbers": numbers}
    yield "structures", affected.empty, values


def _of_figure_2(paper: Paper, facts: pd.DataFrame) -> Iterator[Answer]:
    drawn, models = paper.figure2["dataset"], paper.figure2["models"]
    total, over = int(models.sum()), int(paper.claims["models_over"])
    yield "models", total > over, {"total": total, "over": over}

    stated = int(paper.claims["instances_over"])
    few = int((models <= stated).sum())
    values = {"stated": stated, "few": few, "n": len(models), "least": models.min()}
    yield "instances", few == 0, values

    listed = paper.tables[2]["dataset"]
    right = set(drawn) == set(listed) and len(drawn) == int(paper.claims["datasets"])
    yield "datasets", right, {"drawn": len(drawn), "listed": len(listed)}

    part = paper.numbers["random_share"] * models
    whole = np.isclose(part, part.round(), rtol=1e-9, atol=0)
    yield "share", whole.all(), {"whole": whole.sum(), "n": len(whole)}


def _of_the_icc(paper: Paper, facts: pd.DataFrame) -> Iterator[Answer]:
    low, high = float(paper.claims["icc_from"]), float(paper.claims["icc_to"])
    icc, weights = paper.numbers["icc"], paper.weights(3).sort_values(ascending=False)
    yield "icc", low <= icc <= high, {"low": low, "high": high}

    lists = int(paper.numbers["subsets"])
    by_kept = ((kept, shuffled_icc(weights, kept, lists)) for kept in range(len(weights) - 1))
    kept, shuffled = next((one for one in by_kept if one[1] >= icc), (0, 0.0))
    values = {"kept": kept, "shuffled": shuffled, "others": len(weights) - kept}
    yield "all_ranks", not shuffled, values

    gaps = pd.Series(-np.diff(weights), index=range(1, len(weights)))
    sd, needed = implied_sd(weights, icc), _needed(paper)
    clear = gaps.index[gaps > needed]
    told = f"after rank {_listed(clear)}" if len(clear) else "none"
    values = {"sd": sd, "needed": needed, "gap": gaps[5]}
    pair = {"names": weights.index[4:6], "values": weights.to_numpy()[4:6], "clear": told}
    yield "rank_5", 5 in clear, values | pair
    least = gaps[:3].min()
    yield "ranks_1_to_3", least > needed, {"least": least, "needed": needed}


def _needed(paper: Paper) -> float:
    """The gap between two weights that is clear by the ICC."""
    weights = paper.weights(3).sort_values(ascending=False)
    return told_apart(weights, implied_sd(weights, paper.numbers["icc"]))


def _sum(paper: Paper, number: int) -> Answer:
    weights = paper.weights(number)
    right = abs(weights.sum() - 1) <= ROUNDING * len(weights)
    return "sum", right, {"number": number, "total": weights.sum(), "n": len(weights)}


def _ranks(paper: Paper, number: int) -> Answer:
    table = paper.tables[number].set_index("hyperparameter")
    places = table["weight"].rank(ascending=False)
    wrong = table.index[table["rank"] != places]
    printed, found = (
        _listed(f"`{name}`{word} {ranks[name]:g}" for name in wrong)
        for word, ranks in ((" rank", table["rank"]), ("", places))
    )
    values = {"number": number, "printed": printed, "found": found, "n": len(table)}
    return "ranks", wrong.empty, values


def _of_tables_3_and_4(paper: Paper, facts: pd.DataFrame) -> Iterator[Answer]:
    yield _sum(paper, 3)
    yield _ranks(paper, 3)

    weights, effects = paper.weights(3), paper.weights(4)
    order = list(weights.sort_values(ascending=False).index)
    three, five, last = (paper.named(claim) for claim in ("top_three", "top_five", "last_two"))
    first, end = order[: len(five)], order[-len(last) :]
    right = first == five and order[: len(three)] == three and set(end) == set(last)
    texts = {"five": five, "last": last, "first": first, "end": end}
    yield "named", right, {key: _listed(names) for key, names in texts.items()}

    total, least = weights.sum(), weights.min()
    shares = abs(total - 1) <= ROUNDING * len(weights) and least >= 0
    yield "weights_of_eq_10", not shares, {"n": len(weights), "least": least, "total": total}

    parts = raw_distance_parts(list(weights.index))
    large = float(parts[last].sum())
    yield "distance", large <= len(last) / len(parts), {"last": _listed(last), "large": large}

    total = effects.sum()
    yield "main_effects", total <= 1 + ROUNDING * len(effects), {"total": total}
    yield _ranks(paper, 4)

    tau = rank_agreement(weights, effects).tau
    pairs = math.comb(len(weights), 2)
    against = round(pairs * (1 - tau) / 2)
    yield "same_ranking", against == 0, {"against": against, "pairs": pairs, "tau": tau}


def _of_table_5(paper: Paper, facts: pd.DataFrame) -> Iterator[Answer]:
    weights = paper.weights(3)
    labelled = labels(paper.tables[5], weights)
    matched, first = labelled["found_weight"].notna(), labelled.iloc[0]
    of_eq_11 = bool(matched.all())
    yield "eq_11", of_eq_11, {"n": len(matched), "matched": matched.sum()}

    wrong, whose = int((~labelled["right"]).sum()), ""
    if not first["right"] and isinstance(first["found_first"], str):
        whose = "; {weight:.6f} is (`{found_first}`, `{found_second}`)".format(**first)
    yield "labels", wrong == 0, {**first, "wrong": wrong, "n": len(labelled), "whose": whose}

    computed, leader = joint_importance(weights), str(weights.idxmax())
    own = (computed["first"] == leader) | (computed["second"] == leader)
    lead = computed["weight"][own].min() > computed["weight"][~own].max()
    leading = f"all {own.sum()}" if lead else "not all"
    yield "role", not of_eq_11, {"leading": leading, "leader": leader}

    n, largest = len(weights), paper.tables[5]["weight"].max()
    itself = math.exp(2 * weights.max() - weights.sum())
    values = {"largest": largest, "leader": leader, "itself": itself}
    values |= {"twice": n**2, "once": math.comb(n, 2)}
    yield "loops", largest >= itself - 2 * ROUNDING, values

    shown = len(paper.tables[5])
    yield "pairs_shown", shown == int(paper.claims["pairs_listed"]), {"shown": shown}


def _of_tables_6_and_7(paper: Paper, facts: pd.DataFrame) -> Iterator[Answer]:
    for number, claim, layers in ((6, "filters_of_two", 2), (7, "filters_of_three", 3)):
        yield _sum(paper, number)
        yield _ranks(paper, number)

        said, weights = [float(text) for text in paper.named(claim)], paper.weights(number)
        texts = (_listed(f"{x:.6f}" for x in values) for values in (said, weights))
        values = dict(zip(("said", "weights"), texts, strict=True), number=number)
        yield "layers_in_the_text", said == weights.tolist(), values

        least, needed = (-np.diff(weights)).min(), _needed(paper)
        values = {"number": number, "layers": layers, "least": least, "needed": needed}
        yield "layers_apart", least > needed, values


def _listed(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))


_SECTIONS = (
    *(_of_the_text, _of_table_2, _of_figure_2, _of_the_icc),
    *(_of_tables_3_and_4, _of_table_5, _of_tables_6_and_7),
)
