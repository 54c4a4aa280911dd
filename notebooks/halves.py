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
# other half than with halves of other data sets.**
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
datasets: list[str] = []  # three or more, all if empty; choices: hia.datasets.NAMES
sources = ["random"]  # how configurations were found; choices: hia.trials.SOURCES
beside = ["random", "bohb"]  # of the second line of the table; choices: hia.trials.SOURCES
n_neighbors = 30  # J of N-RReliefF, all the other CNNs at most; at least 1
sigma = 20.0  # decay of a neighbour's influence with its rank; above 0
n_trees = 16  # trees of functional ANOVA on each data set; at least 1
min_samples_leaf = 3  # the fewest CNNs in a leaf of them; at least 1
n_repeats = 2  # random halves of each data set; at least 1
random_state = 0  # seed of these and of the forests; at least 0

# %%
import pandas as pd

from hia.datasets import FACTS
from hia.trials import load
from hia_book import rankings
from hia_book.agreement import student
from hia_book.claims import claim, glue
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
formats |= dict.fromkeys(("Difference", "95 % from", "to"), "+.2f")
compared = pd.DataFrame(compared, columns=list(formats))
show_table(compared, "table-perdataset-halves", formats)

# %%
main = compared[compared["CNNs of"] == MAIN].set_index("Method")
claim("by both methods the data sets have rankings of their own", (main["95 % from"] > 0).all())
claim("the difference is small", (main["Difference"] < 0.1).all())
beside = compared.loc[compared["CNNs of"] == BESIDE, "Difference"]
claim("with BOHB's CNNs the difference is larger", beside.min() > main["Difference"].max())
glue(n_repeats=n_repeats, own=main["Own data set"], others=main["Other data sets"])

# %% [markdown]
# By N-RReliefF, the halves of a data set agree by a $\tau$ of {glue:text}`own_N_RReliefF:.2f`, and
# halves of different data sets by {glue:text}`others_N_RReliefF:.2f`. By functional ANOVA it is
# {glue:text}`own_functional_ANOVA:.2f` and {glue:text}`others_functional_ANOVA:.2f`.
#
# With BOHB's CNNs the difference is larger, but this is no evidence: both halves of a data set then
# share one run of BOHB, whose CNNs are alike.
