"""The paper's printed numbers, checked against each other and against its own definitions.

Every check is a function of `Paper`, all that the paper prints as far as it is used here, and
computes what is printed and what it should be; tables with other numbers get other answers. A check
says one of four things (`Check.status`):

- "agrees": the printed number is what it should be;
- "differs": it is not, or two printed things contradict each other;
- "not shown": the number may be right, but what is said from it does not follow from it;
- "not said": it cannot be checked, for the paper does not say how it was made.

Nothing here needs our own CNNs. What follows from the answers is the page's to say.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

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
        return self.tables[number].set_index("hyperparameter")["weight"]

    def named(self, claim: str) -> list[str]:
        """The words of a claim that lists several."""
        return self.claims[claim].split()


@dataclass(frozen=True)
class Check:
    """What was checked, and the answer. where: table, equation or section. about: what is checked.
    printed, found: what the paper has, and what it should be or what else is true. status: one of
    `STATUSES`. bears: on which of `CLAIMS`, by their keys."""

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
    """All checks, in the order of the paper.

    facts: of the data sets, as `hia.datasets.table2` returns them.
    """
    by_name, answers = facts.set_index("name"), []
    for where, about, otherwise, bears, compare in _CHECKS:
        printed, found, right = compare(paper, by_name)
        status = AGREES if right else otherwise
        answers.append(Check(where, about, str(printed), str(found), status, bears))
    return answers


# --- what the notebooks share --------------------------------------------------------------------


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
    gaps = np.abs(pairs["weight"].to_numpy()[:, None] - computed["weight"].to_numpy())
    found = computed.loc[gaps.argmin(axis=1)].add_prefix("found_").astype(object)
    found.loc[gaps.min(axis=1) > 2 * ROUNDING] = None
    printed = pairs[["rank", "weight", "first", "second"]]
    labelled = printed.join(found.set_axis(pairs.index))
    names = labelled[["first", "second", "found_first", "found_second"]].to_numpy()
    return labelled.assign(right=[{a, b} == {c, d} for a, b, c, d in names])


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
    parts = pd.Series({name: _mean_square(space.SPACE[name]) for name in names})
    return (parts / parts.sum()).sort_values(ascending=False)


def _mean_square(row: space.Hyperparameter) -> float:
    """Of the difference between two random values."""
    if row.kind == "categorical":
        return 1 - 1 / len(row.choices or ())
    low, high = row.bounds
    if row.choices is not None or row.kind == "integer":
        return 2 * float(
            np.var([float(one) for one in row.choices or range(int(low), int(high) + 1)])
        )
    if row.log:
        width = math.log(high / low)
        mean, square = (high - low) / width, (high**2 - low**2) / (2 * width)
        return 2 * (square - mean**2)
    return (high - low) ** 2 / 6


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
    bounds = [space.SPACE[name].bounds for name in names]
    every = list(product(*(range(int(low), int(high) + 1) for low, high in bounds)))
    rows = [
        (name, size, len(every), sum(runs_out(size, *one) for one in every))
        for name, size in sizes.items()
    ]
    return pd.DataFrame(rows, columns=["dataset", "size", "structures", "impossible"])


# --- the checks ----------------------------------------------------------------------------------

# What is printed, what it should be, and whether that is the same. Of the paper, and of the data
# sets by name.
_Answer = tuple[object, object, bool]
_Compare = Callable[[Paper, pd.DataFrame], _Answer]
_CHECKS: list[tuple[str, str, str, tuple[str, ...], _Compare]] = []
_SAME = "the same"


def _check(
    where: str, about: str, otherwise: str = DIFFERS, bears: tuple[str, ...] = ()
) -> Callable[[_Compare], _Compare]:
    """Adds a function to the checks. otherwise: the status where it is not right."""

    def add(compare: _Compare) -> _Compare:
        _CHECKS.append((where, about, otherwise, bears, compare))
        return compare

    return add


@_check("Eq. 10", "both lines are the same number")
def _lines_of_equation10(paper: Paper, facts: pd.DataFrame) -> _Answer:
    both, theta, p = np.random.default_rng(0).uniform(0.05, 0.95, (3, 1000))
    given = both / theta  # P(diff p | diff theta), by Eq. 9
    first = given * theta / p - (1 - given) * theta / (1 - p)
    second = both / p - (theta - both) / (1 - p)
    gap = float(np.abs(first - second).max())
    return "equal", f"largest difference at 1,000 random points {gap:.0e}", gap < 1e-9


@_check("Algorithm 1, Section 5.3", "a letter stands for one thing")
def _letters(paper: Paper, facts: pd.DataFrame) -> _Answer:
    one, other = (paper.claims[f"{name}_symbol"] for name in ("neighbors", "hyperparameters"))
    printed = (
        f"{one} = {paper.numbers['neighbors']:g} neighbours; "
        f"{other} = {paper.claims['hyperparameters']} hyperparameters"
    )
    return printed, "two letters are needed" if one == other else "two letters", one != other


@_check("Table 1", "defaults are inside their spaces")
def _defaults(paper: Paper, facts: pd.DataFrame) -> _Answer:
    outside = [
        row
        for row in paper.tables[1].to_dict("records")
        if not _inside(row["space"], row["default"])
    ]
    printed = "; ".join(f"`{row['hyperparameter']}`: {row['default']}" for row in outside)
    spaces = "; ".join(f"space {row['space']}" for row in outside)
    return printed or "all defaults", spaces or "all inside", not outside


def _inside(allowed: str, default: str) -> bool:
    """Whether a printed default is in a printed space, such as "[1, 3]" or "Adam, SGD"."""
    entries = [entry.strip() for entry in allowed.strip("[]").split(",")]
    if allowed.startswith("["):
        low, high = map(float, entries)
        return low <= float(default) <= high
    return default in entries


@_check("Table 1, Table 3", "the hyperparameters varied, without filters, are those ranked")
def _ranked(paper: Paper, facts: pd.DataFrame) -> _Answer:
    ranked = set(paper.tables[3]["hyperparameter"])
    searched = set(paper.tables[1]["hyperparameter"]) - set(space.FILTERS)
    claimed = int(paper.claims["hyperparameters"])
    found = f"{len(searched)} in Table 1, {len(ranked)} in Table 3"
    return f"{claimed} in the text", found, searched == ranked and len(ranked) == claimed


def _printed_facts(paper: Paper, facts: pd.DataFrame) -> pd.DataFrame:
    """Table 2 by data set, in the order of the facts; `size` as a number."""
    once = paper.tables[2].drop_duplicates("dataset")
    printed = once.set_index("dataset").reindex(facts.index)
    return printed.assign(size=printed["size"].str.split("*").str[0].astype(int))


def _check_column(column: str, about: str) -> None:
    @_check("Table 2", f"{about} are those of the published collections")
    def compare(paper: Paper, facts: pd.DataFrame) -> _Answer:
        printed, true = _printed_facts(paper, facts)[column], facts[column]
        other = facts.index[printed != true]
        given, right = (
            _listed(f"{facts['label'][name]} {values[name]:,}" for name in other)
            for values in (printed, true)
        )
        return given or f"all {len(facts)}", right or _SAME, other.empty


_check_column("images", "numbers of images")
_check_column("classes", "numbers of classes")
_check_column("channels", "numbers of channels")
_check_column("size", "sides of the images")


@_check("Table 2, Section 4.4", "collections in colour")
def _colour(paper: Paper, facts: pd.DataFrame) -> _Answer:
    printed = int((_printed_facts(paper, facts)["channels"] == 3).sum())
    claimed, true = int(paper.claims["colour_datasets"]), int((facts["channels"] == 3).sum())
    numbers = f"{claimed} in the text, {printed} in Table 2"
    return numbers, f"{true} really", claimed == printed == true


@_check("Table 2, Table 3", "`in_channel_num` varies within a data set", NOT_SHOWN, ("channels",))
def _channels(paper: Paper, facts: pd.DataFrame) -> _Answer:
    counts = paper.tables[2].groupby("dataset")["channels"].nunique()
    several = int((counts > 1).sum())
    rank = paper.tables[3].set_index("hyperparameter")["rank"]["in_channel_num"]
    numbers = f"{several} of {len(counts)} data sets have more than one number of channels"
    return f"rank {rank} of {len(paper.tables[3])}", numbers, several > 0


@_check("Table 1, Section 4.3", "every structure can be built on every data set", NOT_SAID)
def _buildable(paper: Paper, facts: pd.DataFrame) -> _Answer:
    counts = structures({str(name): int(size) for name, size in facts["size"].items()})
    affected = counts[counts["impossible"] > 0]
    numbers = "; ".join(
        f"{rows['impossible'].iloc[0]} run out of pixels on {size} a side "
        f"({len(rows)} of the data sets)"
        for size, rows in affected.groupby("size")
    )
    printed = f"{counts['structures'].iloc[0]} combinations of layers, kernel, stride, padding"
    return printed, numbers or "all can", affected.empty


@_check("Fig. 2, Abstract", "number of CNNs")
def _cnns(paper: Paper, facts: pd.DataFrame) -> _Answer:
    total, over = int(paper.figure2["models"].sum()), int(paper.claims["models_over"])
    return f"over {over:,}", f"{total:,} in Fig. 2", total > over


@_check("Fig. 2, Section 5.1", "every data set has more CNNs than stated")
def _cnns_of_each(paper: Paper, facts: pd.DataFrame) -> _Answer:
    models, stated = paper.figure2["models"], int(paper.claims["instances_over"])
    few = int((models <= stated).sum())
    numbers = f"{few} of {len(models)} have" if few else "at least"
    return f'"surpassed the threshold of {stated:,}"', f"{numbers} {models.min():,}", few == 0


@_check("Fig. 2, Table 2", "the same data sets, as many as the text says")
def _same_datasets(paper: Paper, facts: pd.DataFrame) -> _Answer:
    drawn, listed = paper.figure2["dataset"], paper.tables[2]["dataset"]
    right = set(drawn) == set(listed) and len(drawn) == int(paper.claims["datasets"])
    numbers = f"{len(drawn)} in Fig. 2, {len(listed)} in Table 2"
    return paper.claims["datasets"], numbers, right


@_check("Fig. 2, Section 4.1", "a share of 70% by random search is a whole number of CNNs")
def _random_share(paper: Paper, facts: pd.DataFrame) -> _Answer:
    share = paper.numbers["random_share"]
    counts = share * paper.figure2["models"]
    whole = np.isclose(counts, counts.round(), rtol=1e-9, atol=0)
    return f"{share:.0%}", f"whole on {whole.sum()} of {len(whole)} data sets", bool(whole.all())


@_check("Section 4.1, Section 5.2", "the ICC lies in the range that is said to confirm robustness")
def _icc_range(paper: Paper, facts: pd.DataFrame) -> _Answer:
    low, high = float(paper.claims["icc_from"]), float(paper.claims["icc_to"])
    icc = paper.numbers["icc"]
    return f"{icc:g}", f"{low:g} to {high:g}", low <= icc <= high


@_check(
    "Section 5.2", "an ICC as high needs an agreement about all ranks", NOT_SHOWN, ("reliable",)
)
def _icc_of_all_ranks(paper: Paper, facts: pd.DataFrame) -> _Answer:
    icc, weights = paper.numbers["icc"], paper.weights(3)
    for kept in range(len(weights) - 1):
        shuffled = shuffled_icc(weights, kept, int(paper.numbers["subsets"]))
        if shuffled >= icc:
            rest = f"the other {len(weights) - kept} are in random order"
            return f"{icc:g}", f"{shuffled:.4f} if only the first {kept} agree and {rest}", False
    return f"{icc:g}", f"no random order of any part of the ranks gives {icc:g}", True


@_check("Section 5.2, Table 3", "rank 5 and rank 6 can be told apart", NOT_SHOWN, ("five",))
def _after_five(paper: Paper, facts: pd.DataFrame) -> _Answer:
    weights, gaps, sd, needed = _gaps(paper)
    clear = gaps.index[gaps > needed]
    names, (fifth, sixth) = weights.index[4:6], weights.iloc[4:6]
    printed = f"`{names[0]}` {fifth:.6f}, `{names[1]}` {sixth:.6f}: {gaps[5]:.6f} apart"
    found = (
        f"an ICC of {paper.numbers['icc']:g} leaves a standard deviation of {sd:.4f}; gaps above "
        f"{needed:.3f} are clear: " + (f"after rank {_listed(clear)}" if len(clear) else "none")
    )
    return printed, found, 5 in clear


@_check(
    "Section 5.2, Table 3",
    "ranks 1 to 3 can be told apart from each other and from the rest",
    NOT_SHOWN,
    ("three",),
)
def _first_three(paper: Paper, facts: pd.DataFrame) -> _Answer:
    _, gaps, _, needed = _gaps(paper)
    least = gaps[:3].min()
    return f"smallest gap {least:.6f}", f"gaps above {needed:.3f} are clear", least > needed


def _gaps(paper: Paper) -> tuple[pd.Series, pd.Series, float, float]:
    """Weights of Table 3 in their order, the gaps after each rank, by rank, the standard deviation
    that the ICC leaves, and the gap that is clear."""
    weights = paper.weights(3).sort_values(ascending=False)
    sd = implied_sd(weights, paper.numbers["icc"])
    gaps = pd.Series(-np.diff(weights), index=range(1, len(weights)))
    return weights, gaps, sd, told_apart(weights, sd)


def _check_sum(number: int, bears: tuple[str, ...]) -> None:
    @_check(f"Table {number}", "shares sum to 1", bears=bears)
    def compare(paper: Paper, facts: pd.DataFrame) -> _Answer:
        weights = paper.weights(number)
        right = abs(weights.sum() - 1) <= ROUNDING * len(weights)
        return f"sum {weights.sum():.6f}", f"1, to the rounding of {len(weights)} numbers", right


def _check_ranks(number: int, bears: tuple[str, ...]) -> None:
    @_check(f"Table {number}", "ranks follow the weights", bears=bears)
    def compare(paper: Paper, facts: pd.DataFrame) -> _Answer:
        table = paper.tables[number].set_index("hyperparameter")
        places = table["weight"].rank(ascending=False)
        wrong = table.index[table["rank"] != places]
        printed = _listed(f"`{name}` rank {table['rank'][name]}" for name in wrong)
        right = _listed(f"`{name}` {places[name]:g}" for name in wrong)
        return printed or f"ranks 1 to {len(table)}", right or _SAME, wrong.empty


_check_sum(3, ("three", "five", "last"))
_check_ranks(3, ("three", "five", "last"))


@_check(
    "Abstract, Section 5.3, Table 3",
    "the hyperparameters named first and last in the text",
    bears=("three", "five", "last"),
)
def _named(paper: Paper, facts: pd.DataFrame) -> _Answer:
    order = list(paper.weights(3).sort_values(ascending=False).index)
    three, five, last = (paper.named(claim) for claim in ("top_three", "top_five", "last_two"))
    first, end = order[: len(five)], order[-len(last) :]
    right = first == five and order[: len(three)] == three and set(end) == set(last)
    printed, found = (
        f"first {_listed(a)}; last {_listed(b)}" for a, b in ((five, last), (first, end))
    )
    return printed, found, right


@_check("Eq. 10, Table 3", "the weights are those of Eq. 10", NOT_SAID)
def _normalised(paper: Paper, facts: pd.DataFrame) -> _Answer:
    weights = paper.weights(3)
    total, least = weights.sum(), weights.min()
    shares = abs(total - 1) <= ROUNDING * len(weights) and least >= 0
    printed = f"{len(weights)} weights, the smallest {least:.6f}, that sum to {total:.6f}"
    found = (
        "Eq. 10 gives weights from -1 to 1 of any sum, and near 0 on both sides where a "
        "hyperparameter has no influence"
    )
    return printed, found, not shares


@_check(
    "Section 3.1, Table 3",
    "the last ranks are found, not made by the distance",
    NOT_SHOWN,
    ("last",),
)
def _last_by_distance(paper: Paper, facts: pd.DataFrame) -> _Answer:
    last, parts = paper.named("last_two"), raw_distance_parts(list(paper.weights(3).index))
    large = float(parts[last].sum())
    found = f"they are {large:.2%} of the mean squared distance over raw values"
    return f"{_listed(last)} have minimal impact", found, large <= len(last) / len(parts)


@_check("Table 4", "main effects of a functional ANOVA", bears=("second",))
def _main_effects(paper: Paper, facts: pd.DataFrame) -> _Answer:
    weights = paper.weights(4)
    found = "at most 1: they are parts of one variance that do not overlap"
    right = weights.sum() <= 1 + ROUNDING * len(weights)
    return f"sum {weights.sum():.6f}", found, right


_check_ranks(4, ("second",))


@_check("Section 5.3, Table 4", "both methods give the same ranking", bears=("second",))
def _same_ranking(paper: Paper, facts: pd.DataFrame) -> _Answer:
    weights = paper.weights(3)
    tau = rank_agreement(weights, paper.weights(4)).tau
    pairs = len(weights) * (len(weights) - 1) // 2
    against = round(pairs * (1 - tau) / 2)
    found = (
        f"by the printed weights {against} of {pairs} pairs are the other way round "
        f"(Kendall's τ {tau:.3f})"
    )
    return "the same ranking", found, against == 0


@_check("Table 5, Eq. 11", "the weights are Eq. 11 on Table 3", bears=("pairs",))
def _pair_weights(paper: Paper, facts: pd.DataFrame) -> _Answer:
    matched = labels(paper.tables[5], paper.weights(3))["found_weight"].notna()
    found = f"{matched.sum()} are, to one unit of the sixth digit"
    return f"{len(matched)} weights", found, bool(matched.all())


@_check("Table 5, Eq. 11", "the labels are those of the pairs with these weights", bears=("pairs",))
def _pair_labels(paper: Paper, facts: pd.DataFrame) -> _Answer:
    found = labels(paper.tables[5], paper.weights(3))
    first, wrong = found.iloc[0], int((~found["right"]).sum())
    numbers = f"{wrong} of {len(found)} belong to another pair"
    if not first["right"] and isinstance(first["found_first"], str):
        pair = _pair(first["found_first"], first["found_second"])
        numbers += f"; {first['weight']:.6f} is {pair}"
    return f"{_pair(first['first'], first['second'])} first", numbers, wrong == 0


@_check(
    "Section 5.4, Table 5",
    "the pairs say something about `num_conv_layers` that Table 3 does not",
    NOT_SHOWN,
    ("pairs",),
)
def _pairs_say_more(paper: Paper, facts: pd.DataFrame) -> _Answer:
    weights = paper.weights(3)
    computed, leader = equation11(weights), str(weights.idxmax())
    own = (computed["first"] == leader) | (computed["second"] == leader)
    forced = computed["weight"][own].min() > computed["weight"][~own].max()
    found = (
        f"all {own.sum()} pairs with `{leader}` come before all others, by Table 3 alone"
        if forced
        else "which pairs come first follows from sums of Table 3"
    )
    matched = labels(paper.tables[5], weights)["found_weight"].notna()
    return "further proves the pivotal role", found, not matched.all()


@_check("Algorithm 1, Table 5", "the loops make the pairs that are shown")
def _loops(paper: Paper, facts: pd.DataFrame) -> _Answer:
    weights, largest = paper.weights(3), paper.tables[5]["weight"].max()
    itself = math.exp(2 * weights.max() - weights.sum())
    n = len(weights)
    found = (
        f"both loops begin at 1: `{weights.idxmax()}` with itself would have {itself:.6f}, and "
        f"each pair would be there twice ({n**2} instead of {n * (n - 1) // 2})"
    )
    return f"largest {largest:.6f}", found, largest >= itself - 2 * ROUNDING


@_check("Section 5.4, Table 5", "number of pairs shown")
def _pairs_shown(paper: Paper, facts: pd.DataFrame) -> _Answer:
    printed, shown = paper.claims["pairs_listed"], len(paper.tables[5])
    return printed, shown, shown == int(printed)


def _check_filters(number: int, claim: str, layers: int) -> None:
    _check_sum(number, ("filters",))
    _check_ranks(number, ("filters",))

    @_check(f"Section 5.5, Table {number}", "numbers in the text", bears=("filters",))
    def numbers(paper: Paper, facts: pd.DataFrame) -> _Answer:
        said = [float(text) for text in paper.named(claim)]
        weights = paper.weights(number).tolist()
        printed, found = (_listed(f"{x:.6f}" for x in values) for values in (said, weights))
        return printed, found, said == weights

    @_check(
        f"Section 5.5, Table {number}",
        f"layers 1 to {layers} can be told apart, each from the next",
        NOT_SHOWN,
        ("filters",),
    )
    def apart(paper: Paper, facts: pd.DataFrame) -> _Answer:
        least = (-np.diff(paper.weights(number))).min()
        *_, needed = _gaps(paper)
        found = f"gaps above {needed:.3f} are clear by the ICC of {paper.numbers['icc']:g}"
        return f"smallest gap {least:.6f}", found, bool(least > needed)


_check_filters(6, "filters_of_two", 2)
_check_filters(7, "filters_of_three", 3)


def _pair(first: str, second: str) -> str:
    return f"(`{first}`, `{second}`)"


def _listed(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))
