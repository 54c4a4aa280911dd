"""The paper's printed numbers, checked against each other and against its own definitions.

Every check is computed from what the paper prints (`Paper`); our own CNNs have no part in it. A
check says that a number "agrees" with what it should be, that it "differs", that what is said from
it is "not shown" by it, or that how it was made is "not said".
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from hia import space
from hia.relief import joint_importance
from hia_book import published, table1
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
    """What the paper prints.

    tables: by number, as of `hia_book.published.table`. figure2: models per data set. numbers,
    claims: by name, of values.csv and, as text, of claims.csv.
    """

    tables: Mapping[int, pd.DataFrame]
    figure2: pd.DataFrame
    numbers: Mapping[str, float]
    claims: Mapping[str, str]

    def weights(self, number: int) -> pd.Series:
        """The weights of Table 3, 4, 6 or 7 by hyperparameter."""
        return self.tables[number].set_index("hyperparameter")["weight"]

    def named(self, claim: str) -> list[str]:
        """The words of a claim that lists several."""
        return self.claims[claim].split()


@dataclass(frozen=True)
class Check:
    """A check: where (table, equation or section), what is checked, what is printed, what was found
    instead or besides, one of `STATUSES`, and the keys of `CLAIMS` on which it bears."""

    where: str
    about: str
    printed: str
    found: str
    status: str
    bears: tuple[str, ...] = ()


def load(folder: Path = published.FOLDER) -> Paper:
    """All that the paper prints. Raises FileNotFoundError where a file is missing."""
    tables = {number: published.table(number, folder) for number in range(1, 8)}
    names = pd.read_csv(folder / "values.csv")["name"]
    numbers = {name: published.value(name, folder) for name in names}
    claims = pd.read_csv(folder / "claims.csv", dtype=str).set_index("name")["value"]
    texts = {str(name): str(text) for name, text in claims.items()}
    return Paper(tables, published.figure2(folder), numbers, texts)


def checks(paper: Paper, facts: pd.DataFrame) -> list[Check]:
    """All checks, in the order of the paper. facts: as of `hia.datasets.table2`."""
    by_name = facts.set_index("name")
    return [check for section in _SECTIONS for check in section(paper, by_name)]


def labels(pairs: pd.DataFrame, weights: pd.Series) -> pd.DataFrame:
    """Whose weight each printed weight of a pair is. pairs: Table 5. weights: Table 3's.

    One row per pair: `rank`, `weight`, `first`, `second` as printed; `found_first`, `found_second`,
    `found_weight`, the pair whose weight by Eq. 11 is that number to one unit of its last digit
    (missing for none); `right`, whether it is the one in print.
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
    """Standard deviation of a weight between lists that an ICC of single lists leaves.

    From ICC = v / (v + e), v the variance of the weights of one list: the root of e.
    """
    return math.sqrt(float(weights.var(ddof=1)) * (1 - reliability) / reliability)


def told_apart(weights: pd.Series, sd: float) -> float:
    """The gap above which two weights of this standard deviation differ more than chance does (95
    %)."""
    return float(stats.norm.ppf(0.975) * math.sqrt(2) * sd)


def shuffled_icc(weights: pd.Series, kept: int, lists: int = 10, repeats: int = 200) -> float:
    """Mean ICC (`hia_book.agreement.REPORTED`) of lists that share their first `kept` weights only.

    The others are in random order in each list. From mean squares (Shrout and Fleiss 1979), which
    is much faster here than `hia_book.agreement.icc`.
    """
    rng = np.random.default_rng(0)
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


_SAME = "the same"
_RANKS_OF_3 = ("three", "five", "last")


def _check(
    where: str,
    about: str,
    printed: object,
    found: object,
    right: bool,
    otherwise: str = DIFFERS,
    bears: tuple[str, ...] = (),
) -> Check:
    """right: whether what is printed is right. otherwise: the status where it is not."""
    return Check(where, about, str(printed), str(found), AGREES if right else otherwise, bears)


def _of_the_text(paper: Paper, facts: pd.DataFrame) -> Iterator[Check]:
    """Equations and Algorithm 1, and Table 1."""
    both, theta, p = np.random.default_rng(0).uniform(0.05, 0.95, (3, 1000))
    given = both / theta  # P(diff p | diff theta), by Eq. 9
    first = given * theta / p - (1 - given) * theta / (1 - p)
    second = both / p - (theta - both) / (1 - p)
    gap = float(np.abs(first - second).max())
    found = f"largest difference at 1,000 random points {gap:.0e}"
    yield _check("Eq. 10", "both lines are the same number", "equal", found, gap < 1e-9)

    one, other = (paper.claims[f"{name}_symbol"] for name in ("neighbors", "hyperparameters"))
    claimed = int(paper.claims["hyperparameters"])
    printed = (
        f"{one} = {paper.numbers['neighbors']:g} neighbours; {other} = {claimed} hyperparameters"
    )
    found = "two letters are needed" if one == other else "two letters"
    where = "Algorithm 1, Section 5.3"
    yield _check(where, "a letter stands for one thing", printed, found, one != other)

    rows = paper.tables[1].to_dict("records")
    outside = [row for row in rows if not _inside(row["space"], row["default"])]
    printed = "; ".join(f"`{row['hyperparameter']}`: {row['default']}" for row in outside)
    spaces = "; ".join(f"space {row['space']}" for row in outside)
    about = "defaults are inside their spaces"
    yield _check("Table 1", about, printed or "all defaults", spaces or "all inside", not outside)

    ranked = set(paper.tables[3]["hyperparameter"])
    searched = set(paper.tables[1]["hyperparameter"]) - set(space.FILTERS)
    about = "the hyperparameters varied, without filters, are those ranked"
    found = f"{len(searched)} in Table 1, {len(ranked)} in Table 3"
    right = searched == ranked and len(ranked) == claimed
    yield _check("Table 1, Table 3", about, f"{claimed} in the text", found, right)


def _inside(allowed: str, default: str) -> bool:
    """Whether a printed default is in a printed space, such as "[1, 3]" or "Adam, SGD"."""
    entries = [entry.strip() for entry in allowed.strip("[]").split(",")]
    if allowed.startswith("["):
        low, high = map(float, entries)
        return low <= float(default) <= high
    return default in entries


def _of_the_collections(paper: Paper, facts: pd.DataFrame) -> Iterator[Check]:
    """Table 2 and what is trained on it."""
    once = paper.tables[2].drop_duplicates("dataset").set_index("dataset").reindex(facts.index)
    once["size"] = once["size"].str.split("*").str[0].astype(int)
    counted = {"images": "numbers of images", "classes": "numbers of classes"}
    counted |= {"channels": "numbers of channels", "size": "sides of the images"}
    for column, what in counted.items():
        other = facts.index[once[column] != facts[column]]
        given, true = (
            _listed(f"{facts['label'][name]} {values[name]:,}" for name in other)
            for values in (once[column], facts[column])
        )
        about = f"{what} are those of the published collections"
        yield _check("Table 2", about, given or f"all {len(facts)}", true or _SAME, other.empty)

    claimed = int(paper.claims["colour_datasets"])
    in_table, really = (int((table["channels"] == 3).sum()) for table in (once, facts))
    numbers, right = f"{claimed} in the text, {in_table} in Table 2", claimed == in_table == really
    yield _check(
        "Table 2, Section 4.4", "collections in colour", numbers, f"{really} really", right
    )

    counts = paper.tables[2].groupby("dataset")["channels"].nunique()
    several = int((counts > 1).sum())
    rank = paper.tables[3].set_index("hyperparameter")["rank"]["in_channel_num"]
    printed = f"rank {rank} of {len(paper.tables[3])}"
    found = f"{several} of {len(counts)} data sets have more than one number of channels"
    where, about = "Table 2, Table 3", "`in_channel_num` varies within a data set"
    yield _check(where, about, printed, found, several > 0, NOT_SHOWN, ("channels",))

    built = table1.structures({str(name): int(size) for name, size in facts["size"].items()})
    affected = built[built["impossible"] > 0]
    numbers = "; ".join(
        f"{rows['impossible'].iloc[0]} run out of pixels on {size} a side "
        f"({len(rows)} of the data sets)"
        for size, rows in affected.groupby("size")
    )
    printed = f"{built['structures'].iloc[0]} combinations of layers, kernel, stride, padding"
    where, about = "Table 1, Section 4.3", "every structure can be built on every data set"
    yield _check(where, about, printed, numbers or "all can", affected.empty, NOT_SAID)


def _of_the_models(paper: Paper, facts: pd.DataFrame) -> Iterator[Check]:
    """Fig. 2."""
    drawn, models = paper.figure2["dataset"], paper.figure2["models"]
    listed = paper.tables[2]["dataset"]
    total, over = int(models.sum()), int(paper.claims["models_over"])
    found = f"{total:,} in Fig. 2"
    yield _check("Fig. 2, Abstract", "number of CNNs", f"over {over:,}", found, total > over)

    stated = int(paper.claims["instances_over"])
    few = int((models <= stated).sum())
    found = f"{f'{few} of {len(models)} have' if few else 'at least'} {models.min():,}"
    printed = f'"surpassed the threshold of {stated:,}"'
    about = "every data set has more CNNs than stated"
    yield _check("Fig. 2, Section 5.1", about, printed, found, few == 0)

    right = set(drawn) == set(listed) and len(drawn) == int(paper.claims["datasets"])
    found = f"{len(drawn)} in Fig. 2, {len(listed)} in Table 2"
    about = "the same data sets, as many as the text says"
    yield _check("Fig. 2, Table 2", about, paper.claims["datasets"], found, right)

    share = paper.numbers["random_share"]
    whole = np.isclose(share * models, (share * models).round(), rtol=1e-9, atol=0)
    found = f"whole on {whole.sum()} of {len(whole)} data sets"
    about = "a share of 70% by random search is a whole number of CNNs"
    yield _check("Fig. 2, Section 4.1", about, f"{share:.0%}", found, bool(whole.all()))


def _of_the_icc(paper: Paper, facts: pd.DataFrame) -> Iterator[Check]:
    """Reliability, and what it says of Table 3."""
    low, high = float(paper.claims["icc_from"]), float(paper.claims["icc_to"])
    icc, weights = paper.numbers["icc"], paper.weights(3)
    about = "the ICC lies in the range that is said to confirm robustness"
    where = "Section 4.1, Section 5.2"
    yield _check(where, about, f"{icc:g}", f"{low:g} to {high:g}", low <= icc <= high)

    found = f"no random order of any part of the ranks gives {icc:g}"
    right = True
    for kept in range(len(weights) - 1):
        shuffled = shuffled_icc(weights, kept, int(paper.numbers["subsets"]))
        if shuffled >= icc:
            rest = f"the other {len(weights) - kept} are in random order"
            found, right = f"{shuffled:.4f} if only the first {kept} agree and {rest}", False
            break
    about = "an ICC as high needs an agreement about all ranks"
    yield _check("Section 5.2", about, f"{icc:g}", found, right, NOT_SHOWN, ("reliable",))

    weights = weights.sort_values(ascending=False)
    gaps = pd.Series(-np.diff(weights), index=range(1, len(weights)))
    needed = _needed(paper)
    clear = gaps.index[gaps > needed]
    names, (fifth, sixth) = weights.index[4:6], weights.iloc[4:6]
    printed = f"`{names[0]}` {fifth:.6f}, `{names[1]}` {sixth:.6f}: {gaps[5]:.6f} apart"
    found = (
        f"an ICC of {icc:g} leaves a standard deviation of {implied_sd(weights, icc):.4f}; gaps "
        f"above {needed:.3f} are clear: "
        + (f"after rank {_listed(clear)}" if len(clear) else "none")
    )
    where, about = "Section 5.2, Table 3", "rank 5 and rank 6 can be told apart"
    yield _check(where, about, printed, found, 5 in clear, NOT_SHOWN, ("five",))

    least = gaps[:3].min()
    about = "ranks 1 to 3 can be told apart from each other and from the rest"
    printed, found = f"smallest gap {least:.6f}", f"gaps above {needed:.3f} are clear"
    yield _check(where, about, printed, found, least > needed, NOT_SHOWN, ("three",))


def _needed(paper: Paper) -> float:
    """The gap between two weights that is clear by the ICC."""
    weights = paper.weights(3).sort_values(ascending=False)
    return told_apart(weights, implied_sd(weights, paper.numbers["icc"]))


def _sum(paper: Paper, number: int, bears: tuple[str, ...]) -> Check:
    weights = paper.weights(number)
    right = abs(weights.sum() - 1) <= ROUNDING * len(weights)
    found = f"1, to the rounding of {len(weights)} numbers"
    where, printed = f"Table {number}", f"sum {weights.sum():.6f}"
    return _check(where, "shares sum to 1", printed, found, right, DIFFERS, bears)


def _ranks(paper: Paper, number: int, bears: tuple[str, ...]) -> Check:
    table = paper.tables[number].set_index("hyperparameter")
    places = table["weight"].rank(ascending=False)
    wrong = table.index[table["rank"] != places]
    printed = _listed(f"`{name}` rank {table['rank'][name]}" for name in wrong)
    right = _listed(f"`{name}` {places[name]:g}" for name in wrong) or _SAME
    printed = printed or f"ranks 1 to {len(table)}"
    where, about = f"Table {number}", "ranks follow the weights"
    return _check(where, about, printed, right, wrong.empty, DIFFERS, bears)


def _of_the_rankings(paper: Paper, facts: pd.DataFrame) -> Iterator[Check]:
    """Tables 3 and 4."""
    yield _sum(paper, 3, _RANKS_OF_3)
    yield _ranks(paper, 3, _RANKS_OF_3)

    weights = paper.weights(3)
    order = list(weights.sort_values(ascending=False).index)
    three, five, last = (paper.named(claim) for claim in ("top_three", "top_five", "last_two"))
    first, end = order[: len(five)], order[-len(last) :]
    right = first == five and order[: len(three)] == three and set(end) == set(last)
    printed, found = (
        f"first {_listed(a)}; last {_listed(b)}" for a, b in ((five, last), (first, end))
    )
    where = "Abstract, Section 5.3, Table 3"
    about = "the hyperparameters named first and last in the text"
    yield _check(where, about, printed, found, right, DIFFERS, _RANKS_OF_3)

    total, least = weights.sum(), weights.min()
    shares = abs(total - 1) <= ROUNDING * len(weights) and least >= 0
    printed = f"{len(weights)} weights, the smallest {least:.6f}, that sum to {total:.6f}"
    found = (
        "Eq. 10 gives weights from -1 to 1 of any sum, and near 0 on both sides where a "
        "hyperparameter has no influence"
    )
    about = "the weights are those of Eq. 10"
    yield _check("Eq. 10, Table 3", about, printed, found, not shares, NOT_SAID)

    parts = table1.raw_distance_parts(list(weights.index))
    large = float(parts[last].sum())
    found = f"they are {large:.2%} of the mean squared distance over raw values"
    where, about = "Section 3.1, Table 3", "the last ranks are found, not made by the distance"
    right = large <= len(last) / len(parts)
    yield _check(
        where, about, f"{_listed(last)} have minimal impact", found, right, NOT_SHOWN, ("last",)
    )

    effects = paper.weights(4)
    about = "main effects of a functional ANOVA"
    found = "at most 1: they are parts of one variance that do not overlap"
    right = effects.sum() <= 1 + ROUNDING * len(effects)
    yield _check("Table 4", about, f"sum {effects.sum():.6f}", found, right, DIFFERS, ("second",))

    yield _ranks(paper, 4, ("second",))

    tau = rank_agreement(weights, effects).tau
    pairs = len(weights) * (len(weights) - 1) // 2
    against = round(pairs * (1 - tau) / 2)
    found = (
        f"by the printed weights {against} of {pairs} pairs are the other way round "
        f"(Kendall's τ {tau:.3f})"
    )
    where, about = "Section 5.3, Table 4", "both methods give the same ranking"
    yield _check(where, about, "the same ranking", found, against == 0, DIFFERS, ("second",))


def _of_the_pairs(paper: Paper, facts: pd.DataFrame) -> Iterator[Check]:
    """Table 5."""
    weights = paper.weights(3)
    labelled = labels(paper.tables[5], weights)
    matched, first = labelled["found_weight"].notna(), labelled.iloc[0]
    where, about = "Table 5, Eq. 11", "the weights are Eq. 11 on Table 3"
    found = f"{matched.sum()} are, to one unit of the sixth digit"
    printed, right = f"{len(matched)} weights", bool(matched.all())
    yield _check(where, about, printed, found, right, DIFFERS, ("pairs",))

    wrong = int((~labelled["right"]).sum())
    found = f"{wrong} of {len(labelled)} belong to another pair"
    if not first["right"] and isinstance(first["found_first"], str):
        pair = _pair(first["found_first"], first["found_second"])
        found += f"; {first['weight']:.6f} is {pair}"
    about = "the labels are those of the pairs with these weights"
    printed = f"{_pair(first['first'], first['second'])} first"
    yield _check(where, about, printed, found, wrong == 0, DIFFERS, ("pairs",))

    computed, leader = joint_importance(weights), str(weights.idxmax())
    own = (computed["first"] == leader) | (computed["second"] == leader)
    found = "which pairs come first follows from sums of Table 3"
    if computed["weight"][own].min() > computed["weight"][~own].max():
        found = f"all {own.sum()} pairs with `{leader}` come before all others, by Table 3 alone"
    where, printed = "Section 5.4, Table 5", "further proves the pivotal role"
    about = "the pairs say something about `num_conv_layers` that Table 3 does not"
    yield _check(where, about, printed, found, not right, NOT_SHOWN, ("pairs",))

    n, largest = len(weights), paper.tables[5]["weight"].max()
    itself = math.exp(2 * weights.max() - weights.sum())
    found = (
        f"both loops begin at 1: `{leader}` with itself would have {itself:.6f}, and each pair "
        f"would be there twice ({n**2} instead of {n * (n - 1) // 2})"
    )
    about, right = "the loops make the pairs that are shown", largest >= itself - 2 * ROUNDING
    yield _check("Algorithm 1, Table 5", about, f"largest {largest:.6f}", found, right)

    printed, shown = paper.claims["pairs_listed"], len(paper.tables[5])
    yield _check(where, "number of pairs shown", printed, shown, shown == int(printed))


def _of_the_filters(paper: Paper, facts: pd.DataFrame) -> Iterator[Check]:
    """Tables 6 and 7."""
    bears = ("filters",)
    for number, claim, layers in ((6, "filters_of_two", 2), (7, "filters_of_three", 3)):
        yield _sum(paper, number, bears)
        yield _ranks(paper, number, bears)

        said, weights = [float(text) for text in paper.named(claim)], paper.weights(number)
        printed, found = (_listed(f"{x:.6f}" for x in values) for values in (said, weights))
        where, right = f"Section 5.5, Table {number}", said == weights.tolist()
        yield _check(where, "numbers in the text", printed, found, right, DIFFERS, bears)

        least, needed = (-np.diff(weights)).min(), _needed(paper)
        about = f"layers 1 to {layers} can be told apart, each from the next"
        printed = f"smallest gap {least:.6f}"
        found = f"gaps above {needed:.3f} are clear by the ICC of {paper.numbers['icc']:g}"
        yield _check(where, about, printed, found, bool(least > needed), NOT_SHOWN, bears)


def _pair(first: str, second: str) -> str:
    return f"(`{first}`, `{second}`)"


def _listed(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))


_SECTIONS = (
    *(_of_the_text, _of_the_collections, _of_the_models, _of_the_icc),
    *(_of_the_rankings, _of_the_pairs, _of_the_filters),
)
