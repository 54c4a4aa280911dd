# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Behind the weights
#
# **A CNN's thirty nearest neighbours hardly ever differ in a hyperparameter with two values, so its
# weight is 0 whatever it does. If neighbours are chosen by the other hyperparameters, all weights
# but one exceed chance.**
#
# {numref}`table-neighbours` shows how often neighbours differ. {doc}`importance` has the weights
# themselves, computed in the four ways that are named here.
#
# :::{caption} table-neighbours
# How often trials differ in the hyperparameters of two or three values: any two of them, and a
# trial and its nearest neighbours, by the distance of *Random search*, over {glue:text}`n_asked:,`
# trials.
# :::

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
n_neighbors = 30  # J, neighbours of each CNN, the paper's value; at least 1
sigma = 20.0  # decay of a neighbour's influence with its rank; above 0
n_permutations = 999  # of each hyperparameter, to tell its weight from chance; at least 1
n_asked = 500  # CNNs whose neighbours are looked at; at least 1
n_trees = 16  # trees of the forests; at least 1
planted = ["num_fc_units", "batch_size"]  # made to matter; choices: hia.space.HYPERPARAMETERS
planted_part = 0.5  # part of the performance that they then are; 0 to 0.99
stretch = 100.0  # factor of a unit of measurement, as a test; above 0
random_state = 0  # seed of these draws and of the forests; 0 to 4294967295

# %%
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neighbors import NearestNeighbors

from hia.relief import NRReliefF
from hia.space import SPACE
from hia.trials import load
from hia_book import rankings, truth
from hia_book.claims import claim, glue, need
from hia_book.figures import show_table

fits, _ = truth.load("data")
rows = load(trials)
ways = rankings.ways(rows, n_neighbors, sigma)
X, X_drawn = ways["Ours"].X, ways["Random search"].X
drawn, columns = rows.loc[X_drawn.index], list(X)
need(n_neighbors < len(drawn), f"{trials} needs more than {n_neighbors} CNNs of random search")
many = ways["J = n/20"].relief.n_neighbors
W = pd.DataFrame({name: way.weights() for name, way in ways.items()})


def nearest(table, of, number):
    """The nearest rows (m, number) of rows `of`, where *Ours* takes its distance."""
    coded = {name: pd.factorize(table[name])[0] for name in table.select_dtypes(exclude="number")}
    places = table.assign(**coded).to_numpy(dtype=float)
    places = places / np.ptp(places, axis=0)
    finder = NearestNeighbors().fit(places)
    return finder.kneighbors(places[of], number + 1, return_distance=False)[:, 1:]


few = [name for name in columns if drawn[name].nunique() <= 3]
asked = np.random.default_rng(random_state).permutation(len(drawn))[:n_asked]
near = nearest(X_drawn, asked, many)


def differing(name, number):
    """Share of the nearest so many neighbours that have another value."""
    values = pd.factorize(drawn[name])[0]
    return float(np.mean(values[near[:, :number]] != values[asked, None]))


any_two = {name: 1 - (drawn[name].value_counts(normalize=True) ** 2).sum() for name in few}
numbers = sorted({n_neighbors, many})
differ = pd.DataFrame({n: {name: differing(name, n) for name in few} for n in numbers})
shown = pd.DataFrame({"Values": drawn[few].nunique(), "Any two trials": any_two})
shown = shown.join(differ.rename(columns="Nearest {:,}".format)).loc[few]
show_table(shown, "table-neighbours", dict.fromkeys(shown.columns[1:], ".1%"))

# %%
tau = truth.over_surfaces(fits, "tau_main")
fixed, grown = tau["nrrelieff"].dropna(), tau["nrrelieff_growing"].dropna()
most, peak = fixed.index.max(), fixed.idxmax()
two = [name for name in few if drawn[name].nunique() == 2]
frequent = differ.div(pd.Series(any_two), axis=0).mean()
rarely = (differ.loc[two, n_neighbors] < 0.005).all()
claim("the nearest thirty hardly ever differ in a hyperparameter of two values", rarely)
claim("more trials make thirty neighbours worse", fixed[peak] - fixed[most] > 0.05)
claim("with many trials n/20 neighbours are nearer to the truth", grown[most] > fixed[most])
glue(n_asked=len(asked), n_few=len(few), n_permutations=n_permutations, n_columns=len(columns))
glue(frequent=frequent[n_neighbors], frequent_many=frequent[many], n_neighbors=n_neighbors)
glue(many=many, peak=peak, most=most, at_peak=fixed[peak], at_most=fixed[most], grown=grown[most])

# %% [markdown]
# ## Thirty neighbours
#
# Among the nearest {glue:text}`n_neighbors`, differences in these {glue:text}`n_few`
# hyperparameters are {glue:text}`frequent:.0%` as frequent as between any two trials; among the
# nearest {glue:text}`many`, {glue:text}`frequent_many:.0%`. The more trials, the nearer the nearest
# thirty, and the fewer of them differ. A number of neighbours that grows with the trials keeps
# their distance the same.
#
# Where the truth is known, this can be measured ({doc}`methods`). With 30 neighbours N-RReliefF
# agrees with the true order by {glue:text}`at_peak:.2f` from {glue:text}`peak:,d` trials, but
# only by {glue:text}`at_most:.2f` from {glue:text}`most:,d`. With $J$ = n/20 it agrees by
# {glue:text}`grown:.2f`.
#
# ## What can be told from chance
#
# Without influence, a hyperparameter's $W$ is below 0, not at 0: if others matter, near CNNs that
# differ in it are alike in those. Permuting its values shows the weight that chance gives. Since
# permuted values would also change the neighbours, this test chooses them by the other
# hyperparameters ({numref}`table-importance-w`).
#
# :::{caption} table-importance-w
# The weights $W$ of {eq}`eq-10` behind the shares, from −1 to 1, and a test on the CNNs of random
# search. It takes {glue:text}`n_neighbors` neighbours by the other hyperparameters; $p$ is how
# often {glue:text}`n_permutations:,` permutations reach the weight. Holm's correction is for
# {glue:text}`n_columns` tests.
# :::

# %%
way = ways["Random search"]
test = way.relief.permutation_test(way.X, way.accuracy, n_permutations, random_state=random_state)
# Holm's: the smallest times their number, the next times one less, and never below one before.
steps = test["p_value"].sort_values()
adjusted = (steps * np.arange(len(steps), 0, -1)).cummax().clip(upper=1).reindex(columns)
shown = W.rename(columns="W, {}".format)
shown["By the others' neighbours"] = test["weight"]
formats = dict.fromkeys(shown, "+.4f") | dict.fromkeys(("p", "p, Holm"), ".3f")
shown = shown.assign(**{"p": test["p_value"], "p, Holm": adjusted})
show_table(shown, "table-importance-w", formats)
like_chance = list(adjusted.index[adjusted > 0.05])
claim("all weights but `num_fc_units`' are told from chance", like_chance == ["num_fc_units"])

# %% [markdown]
# All weights but that of `num_fc_units` exceed chance, which does not make them large; and
# `in_channel_num` stands for the data set ({doc}`channels`).
#
# ## What BOHB's CNNs do
#
# BOHB repeats what went well. Its CNNs lie close together and perform alike, because they were
# chosen to. Whatever sets its cluster apart then seems to make CNNs good.
#
# Of the {glue:text}`n_neighbors` nearest neighbours of a BOHB CNN, {glue:text}`same_run:.0%` come
# from the same run of BOHB; of random neighbours it would be {glue:text}`expected:.0%`. Without
# BOHB's CNNs, $W$ falls most for `epoch`, `num_fc_units` and `dropout_rate`; that of `epoch` falls
# from {glue:text}`epoch_Ours:.4f` to {glue:text}`epoch_Random_search:.4f`. {numref}`table-mixed`
# shows what such trials do to a ranking when the truth is known.

# %%
chosen = np.flatnonzero(rows["source"] != "random")
chosen = np.sort(np.random.default_rng(random_state).permutation(chosen)[:n_asked])
run_of = (rows["dataset"] + " " + rows["source"]).to_numpy()
same_run = np.nan  # where there are CNNs of random search alone
if len(chosen):
    same_run = np.mean(run_of[nearest(X, chosen, n_neighbors)] == run_of[chosen, None])
fallen = set((W["Ours"] - W["Random search"]).nlargest(3).index)
LOSE = {"epoch", "num_fc_units", "dropout_rate"}
claim("without BOHB `epoch`, `num_fc_units` and `dropout_rate` lose most", fallen == LOSE)
raw = rankings.design(rows, columns, log=False)
# Mean of (a - b)² over two random rows: twice the variance; of [a ≠ b]: how often it is 1.
squared = 2 * raw.var(ddof=0, numeric_only=True)
for name in raw.columns.difference(squared.index):
    squared[name] = 1 - (raw[name].value_counts(normalize=True) ** 2).sum()
part = squared / squared.sum()
large = ["num_fc_units", "batch_size"]
claim("`num_fc_units` and `batch_size` make the raw distance", part[large].sum() > 0.99)
claim("`num_fc_units` and `batch_size` weigh nothing if raw", (W.loc[large, "Raw"] <= 0).all())


def explained(table):
    """R² of a forest on CNNs that it has not seen, in 5-fold cross-validation."""
    values = pd.get_dummies(rankings.design(table, columns), dtype=float)
    folds = KFold(5, shuffle=True, random_state=random_state)
    forest = RandomForestRegressor(n_trees, random_state=random_state)
    return float(cross_val_score(forest, values, table["accuracy"], cv=folds, scoring="r2").mean())


glue(same_run=same_run, expected=np.mean([np.mean(run_of == one) for one in run_of[chosen]]))
glue(part_large=part[large].sum(), epoch=W.loc["epoch"], units=W.loc["num_fc_units"])
glue(explained=explained(rows), explained_drawn=explained(drawn))

# %% [markdown]
# ## What raw distances do
#
# On raw values, columns with large numbers decide who is a neighbour. `num_fc_units` and
# `batch_size` make up {glue:text}`part_large:.2%` of the mean squared raw distance between two of
# our CNNs. So neighbours hardly differ in these two, and their weights vanish: `num_fc_units` has
# {glue:text}`units_Raw:.4f`, but {glue:text}`units_Ours:.4f` in *Ours*. Their low ranks in the
# paper do not show that they are unimportant. The last section tests whether they are.
#
# ## Without the data sets
#
# Most of the difference between MNIST and CIFAR-100 is not in the hyperparameters.
# {numref}`table-importance-within` replaces each accuracy by its rank within the data set, from 0
# to 1. By functional ANOVA, `in_channel_num` explains {glue:text}`before:.1%` of the accuracy but
# {glue:text}`after:.1%` of this rank: it only explains which data set a CNN was trained on.
#
# :::{caption} table-importance-within
# Weights by the accuracy and by its rank in the data set, of {glue:text}`n_drawn:,` CNNs of random
# search: $W$ with {glue:text}`n_neighbors` neighbours, and `hia.ranking.fanova`, whose leaves have
# three CNNs at least.
# :::

# %%
place = drawn.groupby("dataset")["accuracy"].rank(pct=True)
shown = pd.DataFrame({"W": W["Random search"]})
shown["W, in data sets"] = way.relief.fit(way.X, place).weights_
of_forest = {"method": "fanova", "n_trees": n_trees, "random_state": random_state}
shown["ANOVA"] = rankings.weigh(drawn, columns, **of_forest)
shown["ANOVA, in data sets"] = rankings.weigh(drawn.assign(accuracy=place), columns, **of_forest)
formats = {name: ".4f" if "ANOVA" in name else "+.4f" for name in shown}
show_table(shown, "table-importance-within", formats)
before, after = shown.loc["in_channel_num", ["ANOVA", "ANOVA, in data sets"]]
claim("what `in_channel_num` explains is the data set", after < before / 2)
glue(before=before, after=after, n_drawn=len(drawn))

# %% [markdown]
# ## How good the forests are
#
# A random forest as in {numref}`table-4` explains {glue:text}`explained:.0%` of the variance of
# accuracies that it has not seen, and {glue:text}`explained_drawn:.0%` for random search.
#
# ## Are the last two unimportant?
#
# `num_fc_units` and `batch_size` are last in the paper. They also have the largest raw values,
# which decide who is a neighbour. Three tests tell whether they are unimportant or only invisible.
#
# **Planted importance.** We replace {glue:text}`planted_part:.0%` of the accuracy by the
# hyperparameter itself, scaled to [0, 1]. The normalised distance then ranks it first, as it
# should. The raw distance leaves it near the end: it cannot see these two, whether they matter or
# not.
#
# :::{caption} table-multiverse-planted
# W and rank among {glue:text}`n_varying`, with the accuracy as it is and with the hyperparameter
# planted in it. *Explains*: the share of the target's variance that a straight line in the
# hyperparameter explains.
# :::

# %%
varying = rankings.varying(rows)
numbers = [name for name in varying if SPACE[name].kind != "categorical"]
need(planted and {*planted} <= {*numbers}, f"planted: some of {', '.join(numbers)}")
X = {"raw": rankings.design(rows, varying, log=False), "normalised": rankings.design(rows, varying)}
scales = {"raw": "none", "normalised": "range"}
accuracy = rows["accuracy"]


def weigh(X, target, scale):
    return pd.Series(NRReliefF(scale=scale).fit(X, target).weights_, varying)


def unit(values):
    return (values - values.min()) / (values.max() - values.min())


def rank(weights, name):
    return (weights > weights[name]).sum() + 1


tests = []
for name in planted:
    itself = unit(rows[name].astype(float))
    mixed = planted_part * itself + (1 - planted_part) * accuracy
    for kind, target in (("accuracy", accuracy), ("planted", mixed)):
        explains = np.corrcoef(itself, target)[0, 1] ** 2
        for distance, scale in scales.items():
            W = weigh(X[distance], target, scale)
            tests.append((f"`{name}`", kind, explains, distance, W[name], rank(W, name)))
headings = "Hyperparameter | Target | Explains {:.1%} | Distance | W {:+.4f} | Rank"
show_table(tests, "table-multiverse-planted", headings)
of_planted = {x: [one[5] for one in tests if one[1] == "planted" and one[3] == x] for x in scales}
claim("the normalised distance ranks what is planted first", set(of_planted["normalised"]) == {1})
claim("raw distances rank what is planted low", min(of_planted["raw"]) > len(varying) / 2)

# %% [markdown]
# **Another unit.** Any hyperparameter loses its weight once its numbers are large enough. Made
# {glue:text}`stretch:g` times larger, one at a time, all {glue:text}`n_stretched` fall to the last
# two places by size, even `lr`, which was first ({numref}`table-multiverse-units`).
#
# :::{caption} table-multiverse-units
# W with all hyperparameters from 0 to 1, and after writing this one, alone, from 0 to
# {glue:text}`stretch:g`. *Place by size*: of |W| among {glue:text}`n_varying`.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show W in another unit, and the code"}
numbers = [name for name in numbers if pd.api.types.is_numeric_dtype(X["normalised"][name])]
flat = X["normalised"].assign(**{name: unit(X["normalised"][name]) for name in numbers})
before = weigh(flat, accuracy, "none")
units = []
for name in numbers:
    after = weigh(flat.assign(**{name: stretch * flat[name]}), accuracy, "none")
    places = rank(before.abs(), name), rank(after.abs(), name)
    units.append((f"`{name}`", before[name], places[0], after[name], places[1]))
headings = "Hyperparameter | W {:+.4f} | Place by size | W, other unit {:+.2g} | "
show_table(units, "table-multiverse-units", f"{headings}Place by size, other unit")
of_forest = rankings.weigh(rows, varying, "fanova", random_state=random_state)
in_last_two = all(place > len(varying) - 2 for *_, place in units)
claim("in another unit every weight falls to the last two places", in_last_two)
claim("in units from 0 to 1 `lr` has the largest weight", before[numbers].abs().idxmax() == "lr")
low = [rank(of_forest, name) > len(varying) / 2 for name in large]
claim("functional ANOVA has both of the paper's last in its lower half", all(low))
glue(planted_part=planted_part, stretch=stretch, n_stretched=len(units), n_varying=len(varying))
glue(share=of_forest[large], rank={name: rank(of_forest, name) for name in large})

# %% [markdown]
# **A method without distance.** Functional ANOVA has no neighbours, so units cannot mislead it. It
# gives `num_fc_units` {glue:text}`share_num_fc_units:.2%` of the variance and `batch_size`
# {glue:text}`share_batch_size:.2%`, ranks {glue:text}`rank_num_fc_units` and
# {glue:text}`rank_batch_size` of {glue:text}`n_varying`. So the paper may be right that both matter
# little, but its computation, taken literally, could not have shown otherwise.
