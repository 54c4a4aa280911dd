# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Do data sets have rankings of their own?
#
# **Yes, but they differ little. By both methods, half of a data set's CNNs agrees better with its
# other half than with halves of other data sets. Neither colour, nor image size, nor the number of
# classes clearly accounts for the differences.**
#
# Noisy rankings disagree even if the truth is the same. So the CNNs of each data set are split into
# two random halves ({numref}`table-perdataset-halves`). If data sets did not differ, a half would
# agree no better with its other half than with equally large halves of other data sets. This page
# is an appendix to {doc}`perdataset`.
#
# :::{caption} table-perdataset-halves
# Kendall's $\tau$ between the rankings of two halves: of the same data set, and of two different
# ones; mean over {glue:text}`n_repeats` random divisions, and Student's interval over the data sets
# for the difference.
# :::

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
datasets: list[str] = []  # four or more, all if empty; choices: hia.datasets.NAMES
sources = ["random"]  # how configurations were found; choices: hia.trials.SOURCES
beside = ["random", "bohb"]  # of the second line of the table; choices: hia.trials.SOURCES
n_neighbors = 30  # J of N-RReliefF, all the other CNNs at most; at least 1
sigma = 20.0  # decay of a neighbour's influence with its rank; above 0
n_trees = 16  # trees of functional ANOVA on each data set; at least 1
min_samples_leaf = 3  # the fewest CNNs in a leaf of them; at least 1
alpha = 0.05  # level of the tests of properties; 0 to 1
n_repeats = 2  # random halves of each data set; at least 1
random_state = 0  # seed of these and of the forests; 0 to 4294967295

# %%
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from hia.datasets import FACTS
from hia.trials import load
from hia_book import rankings
from hia_book.agreement import mantel, student
from hia_book.claims import claim, glue, need
from hia_book.figures import show_table

samples, columns = rankings.samples(load(trials), datasets, sources, beside)
MAIN, BESIDE = next(iter(samples)), list(samples)[-1]
present = [name for name in FACTS if name in set(samples[MAIN]["dataset"])]
options = {"n_neighbors": n_neighbors, "sigma": sigma, "n_trees": n_trees}
options |= {"min_samples_leaf": min_samples_leaf, "random_state": random_state}
halves_of = {
    sample: rankings.compare_halves(own, present, columns, n_repeats, **options)
    for sample, own in samples.items()
}
compared = []
for method, label in rankings.METHODS.items():
    for sample, by_method in halves_of.items():
        itself, others = by_method[method]
        row = (label, sample, itself.mean(), others.mean(), *student(itself - others))
        compared.append(row)
formats = {"Method": "", "CNNs of": "", "Own data set": ".2f", "Other data sets": ".2f"}
formats |= dict.fromkeys(("Difference", "95% from", "to"), "+.2f")
compared = pd.DataFrame(compared, columns=list(formats))
show_table(compared, "table-perdataset-halves", formats)

# %%
main = compared[compared["CNNs of"] == MAIN].set_index("Method")
claim("by both methods the data sets have rankings of their own", (main["95% from"] > 0).all())
claim("halves of other data sets agree but little less", (main["Difference"] < 0.1).all())
beside = compared.loc[compared["CNNs of"] == BESIDE, "Difference"]
claim("with BOHB's CNNs halves of data sets differ more", beside.min() > main["Difference"].max())
glue(n_repeats=n_repeats, own=main["Own data set"], others=main["Other data sets"])

# %% [markdown]
# By N-RReliefF, the halves of a data set agree with a $\tau$ of {glue:text}`own_N_RReliefF:.2f`,
# and halves of different data sets by {glue:text}`others_N_RReliefF:.2f`. By functional ANOVA it is
# {glue:text}`own_functional_ANOVA:.2f` and {glue:text}`others_functional_ANOVA:.2f`.
#
# With BOHB's CNNs the difference is larger, but this is no evidence: both halves of a data set then
# share one run of BOHB, whose CNNs are alike.
#
# ## Colour, size, number of classes
#
# If one of these shaped the ranking, similar data sets would have similar rankings. Mantel's test
# {cite:p}`mantel1967detection` correlates, over all pairs of data sets, the difference in the
# property with the distance between the rankings ($1 - \tau$), and permutes the data sets
# ({numref}`table-perdataset-properties`).
#
# :::{caption} table-perdataset-properties
# Do data sets that differ in a property differ in their ranking? Correlation over pairs of data
# sets, and Mantel's test. Size and classes are on a log scale.
# :::

# %%
need(len(present) > 3, "for the properties of data sets four different ones are needed")
METHODS = rankings.METHODS
weights_of = rankings.by_sample(samples, columns, **options)
weights_of = {key: table.loc[present] for key, table in weights_of.items()}
facts = {x: (one.channels, np.log2(one.size), np.log10(one.classes)) for x, one in FACTS.items()}
facts = pd.DataFrame(facts, ["channels", "size", "classes"]).T.loc[present]
facts = facts.loc[:, (facts != facts.iloc[0]).any()]
need(len(facts.columns), "these data sets are alike in channels, size and number of classes")
tests = {}
for method, name, sample in product(METHODS, facts, samples):
    distances = 1 - weights_of[sample, method].T.corr(method="kendall").to_numpy()
    apart = np.abs(np.subtract.outer(*[facts[name].to_numpy()] * 2))
    tests[name, METHODS[method], sample] = mantel(distances, apart)
headings = "Property | Method | CNNs of | Correlation {:+.2f} | p, one-sided {:.3f}"
properties = [(*key, *test) for key, test in tests.items()]
show_table(properties, "table-perdataset-properties", headings)
single = {
    (METHODS[method], name, fact): stats.kendalltau(weights_of[MAIN, method][name], facts[fact])
    for method, name, fact in product(METHODS, columns, facts)
}
single = pd.DataFrame(single, ["tau", "p"]).T.dropna()
strongest = single.loc[single["p"].idxmin()]
p = {key[:2]: test.p for key, test in tests.items() if key[-1] == MAIN}
low = [key for key, value in p.items() if value < alpha]
q = stats.false_discovery_control(single["p"])
size, classes = (METHODS["fanova"], "epoch", "size"), ("classes", METHODS["fanova"])
claim("no property of data sets clearly goes with the ranking", min(p.values()) >= alpha / len(p))
claim("uncorrected, the number of classes alone does, by functional ANOVA", low == [classes])
claim("no single weight goes clearly with a property of data sets", (q >= alpha).all())
claim("most of all `epoch` goes with image size, by functional ANOVA", strongest.name == size)
glue(n_tests=len(p), n_single=len(single), strongest=strongest, n_sets=len(present), alpha=alpha)

# %% [markdown]
# **The ranking as a whole.** None of the {glue:text}`n_tests` tests on random search's CNNs is
# significant after correction for their number. Uncorrected, only that of the number of classes is,
# by functional ANOVA.
#
# **Single hyperparameters.** None of {glue:text}`n_single` correlations between a weight and a
# property is significant at a false discovery rate of {glue:text}`alpha:.0%`. The strongest is that
# of `epoch` with size by functional ANOVA ($\tau$ = {glue:text}`strongest_tau:+.2f`, p =
# {glue:text}`strongest_p:.3f` before correction). With {glue:text}`n_sets` data sets, and
# properties that go together, real effects may go unseen.
