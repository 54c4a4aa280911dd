# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # N-RReliefF
#
# **A hyperparameter matters if networks that are alike in everything else, but differ in it,
# perform differently. N-RReliefF measures this by comparing each configuration with its nearest
# neighbours; its weight is essentially a covariance.**
#
# It needs no model of the performance. It is RReliefF
# {cite:p}`robniksikonja1997adaptation,robniksikonja2003theoretical`, a method that weighs the
# columns of a regression problem, applied to hyperparameters. The paper takes it from
# {cite:t}`sun2019hyperparameter`, of which we could read only the abstract. Below is the paper's
# derivation {cite:p}`wang2024efficient`, with its equation numbers. {ref}`worked-example` at the
# end computes the weights by hand.
#
# ## Symbols
#
# ```{list-table} What the symbols stand for.
# :name: table-symbols
# :header-rows: 1
#
# * - Symbol
#   - Meaning
# * - $\Theta_k$
#   - hyperparameter $k$ of $K$
# * - $h_m = (\theta_{m1}, \dots, \theta_{mK})$
#   - configuration $m$ of $n$
# * - $p_m$
#   - its performance: the accuracy on the validation images
# * - $h_{NN_j}$, $p_{NN_j}$
#   - its $j$-th nearest neighbour among the other configurations, and its performance
# * - $J$
#   - number of neighbours (Section 5.3 of the paper calls it $K$)
# * - $M$
#   - number of configurations whose neighbours are compared
# * - $\sigma$
#   - how fast the influence of a neighbour falls with its rank
# * - $d(h_m, h_{NN_j})$
#   - influence of that neighbour; over $j$ it sums to 1
# * - $W[\Theta_k]$
#   - weight of the hyperparameter, between -1 and 1
# ```
#
# Two numbers differ by their distance over the column's range, two categories by 0 or 1, and two
# performances by their distance:
#
# $$
# \begin{aligned}
# \mathrm{diff}(\theta_{mk}, \theta_{jk}) &=
#   \frac{|\theta_{mk} - \theta_{jk}|}{\max \Theta_k - \min \Theta_k}
#   \\
# &\text{or}\quad [\theta_{mk} \ne \theta_{jk}] \\
# \mathrm{diff}(p_m, p_j) &= |p_m - p_j|
# \end{aligned}
# $$
#
# Nearer neighbours count more. Their rank decides, not their distance, so every configuration has
# the same influence, however isolated it is:
#
# $$
# \begin{aligned}
# d(h_m, h_{NN_j}) &= \frac{d'(h_m, h_{NN_j})}{\sum_{i=1}^{J} d'(h_m, h_{NN_i})} \\
# d'(h_m, h_{NN_j}) &= e^{-(\mathrm{rank}(h_m, h_{NN_j}) / \sigma)^2}
# \end{aligned}
# $$
#
# ## The weight as a difference of two probabilities
#
# Relief {cite:p}`kononenko1994estimating` was made for classes. A column is good if it differs
# between a row and the nearest rows of another class, but not between rows of the same class:
#
# ```{math}
# :label: eq-1
# \begin{aligned}
# & W[\Theta_k] \\
# & \; = P(\text{diff. } \Theta_k \mid \text{nearest, diff. class}) \\
# & \; - P(\text{diff. } \Theta_k \mid \text{nearest, same class})
# \end{aligned}
# ```
#
# Accuracies are not classes, so "another class" becomes "another performance":
#
# ```{math}
# :label: eq-2
# \begin{aligned}
# & W[\Theta_k] \\
# & \; = P(\text{diff. } \Theta_k \mid \text{nearest, diff. } p) \\
# & \; - P(\text{diff. } \Theta_k \mid \text{nearest, same } p)
# \end{aligned}
# ```
#
# Nor can two accuracies simply be called "the same", but neither term is needed directly. Three
# probabilities that can be estimated suffice: that neighbours differ in performance, that they
# differ in the hyperparameter, and that they differ in performance given that they differ in the
# hyperparameter.
#
# ```{math}
# :label: eq-3
# P_{\mathrm{diff}(p)} = P(\text{diff. } p \mid \text{nearest})
# ```
#
# ```{math}
# :label: eq-4
# P_{\mathrm{diff}(\Theta_k)} = P(\text{diff. } \Theta_k \mid \text{nearest})
# ```
#
# ```{math}
# :label: eq-5
# \begin{aligned}
# & P_{\mathrm{diff}(p) \mid \mathrm{diff}(\Theta_k)} \\
# & \quad = P(\text{diff. } p \mid \text{diff. } \Theta_k, \text{nearest})
# \end{aligned}
# ```
#
# Bayes' theorem gives the first term of {eq}`eq-2`:
#
# ```{math}
# :label: eq-6
# \begin{aligned}
# & P(\text{diff. } \Theta_k \mid \text{nearest, diff. } p) \\
# & \quad
#   = \frac{P_{\mathrm{diff}(p) \mid \mathrm{diff}(\Theta_k)} \, P_{\mathrm{diff}(\Theta_k)}}
#          {P_{\mathrm{diff}(p)}}
# \end{aligned}
# ```
#
# "Same" is the opposite of "different", with or without the condition,
#
# ```{math}
# :label: eq-7
# \begin{aligned}
# & P(\text{same } p \mid \text{nearest}) = 1 - P_{\mathrm{diff}(p)} \\
# & P(\text{same } p \mid \text{diff. } \Theta_k, \text{nearest}) \\
# & \quad = 1 - P_{\mathrm{diff}(p) \mid \mathrm{diff}(\Theta_k)}
# \end{aligned}
# ```
#
# so that Bayes' theorem gives the second term as well:
#
# ```{math}
# :label: eq-8
# \begin{aligned}
# & P(\text{diff. } \Theta_k \mid \text{nearest, same } p) \\
# & \quad
#   = \frac{(1 - P_{\mathrm{diff}(p) \mid \mathrm{diff}(\Theta_k)}) \, P_{\mathrm{diff}(\Theta_k)}}
#          {1 - P_{\mathrm{diff}(p)}}
# \end{aligned}
# ```
#
# A conditional probability times that of its condition is the probability of both,
#
# ```{math}
# :label: eq-9
# \begin{aligned}
# & P_{\mathrm{diff}(p) \text{ and } \mathrm{diff}(\Theta_k)} \\
# & \quad = P_{\mathrm{diff}(p) \mid \mathrm{diff}(\Theta_k)} \, P_{\mathrm{diff}(\Theta_k)}
# \end{aligned}
# ```
#
# and the difference of the two terms is
#
# ```{math}
# :label: eq-10
# \begin{aligned}
# & W[\Theta_k] \\
# & \; = \frac{P_{\mathrm{diff}(p) \text{ and } \mathrm{diff}(\Theta_k)}}{P_{\mathrm{diff}(p)}} \\
# & \; - \frac{P_{\mathrm{diff}(\Theta_k)}
#             - P_{\mathrm{diff}(p) \text{ and } \mathrm{diff}(\Theta_k)}}
#           {1 - P_{\mathrm{diff}(p)}}
# \end{aligned}
# ```
#
# For a pair of hyperparameters the paper scales the weights to sum to 1 and defines
#
# ```{math}
# :label: eq-11
# W[\Theta_a \,\&\, \Theta_b] = \frac{e^{W[\Theta_a] + W[\Theta_b]}}{e^{\sum_k W[\Theta_k]}}
# ```
#
# {doc}`joint` says what this means.
#
# ## From probabilities to sums over neighbours
#
# The three probabilities of {eq}`eq-10` are estimated by how much neighbours differ, each weighted
# by its influence. For one configuration $h_m$,
#
# ```{math}
# :label: eq-12
# \begin{aligned}
# & N_{\mathrm{diff}(p)} \\
# & \; = \sum_{j=1}^{J} \mathrm{diff}(p_m, p_{NN_j}) \, d(h_m, h_{NN_j})
# \end{aligned}
# ```
#
# ```{math}
# :label: eq-13
# \begin{aligned}
# & N_{\mathrm{diff}(\Theta_k)} \\
# & \; = \sum_{j=1}^{J} \mathrm{diff}(\theta_{mk}, \theta_{NN_j k}) \\
# & \qquad \cdot d(h_m, h_{NN_j})
# \end{aligned}
# ```
#
# ```{math}
# :label: eq-14
# \begin{aligned}
# & N_{\mathrm{diff}(p) \text{ and } \mathrm{diff}(\Theta_k)} \\
# & \; = \sum_{j=1}^{J} \mathrm{diff}(p_m, p_{NN_j}) \\
# & \qquad \cdot \mathrm{diff}(\theta_{mk}, \theta_{NN_j k}) \, d(h_m, h_{NN_j})
# \end{aligned}
# ```
#
# and the estimates are the means over all $M$ sampled configurations.
#
# ```{admonition} Algorithm 1: N-RReliefF
# :name: algorithm-1
#
# **Given** configurations and performances $(h_1, p_1), \dots, (h_n, p_n)$, and $M$ and $J$.
#
# 1. Set $N_{\mathrm{diff}(p)}$ and, for every $k$, $N_{\mathrm{diff}(\Theta_k)}$ and
#    $N_{\mathrm{diff}(p) \text{ and } \mathrm{diff}(\Theta_k)}$ to 0.
# 2. Repeat $M$ times:
#    1. draw a configuration $(h_m, p_m)$;
#    2. find its $J$ nearest neighbours;
#    3. for each neighbour, add its term of {eq}`eq-12`, and for every $k$ those of {eq}`eq-13` and
#       {eq}`eq-14`.
# 3. Divide all of them by $M$.
# 4. For every $k$, compute $W[\Theta_k]$ by {eq}`eq-10`.
# 5. For every two hyperparameters, compute the weight of the pair by {eq}`eq-11`.
# ```
#
# Divided by $M$, all influences sum to 1. So the three sums are weighted means over pairs of
# neighbours, and {eq}`eq-10` can be rewritten in a form that the paper does not give:
#
# $$
# \begin{aligned}
# & W[\Theta_k] \\
# & \quad
#   = \frac{N_{\mathrm{diff}(p) \text{ and } \mathrm{diff}(\Theta_k)}
#           - N_{\mathrm{diff}(p)} \, N_{\mathrm{diff}(\Theta_k)}}
#          {N_{\mathrm{diff}(p)} \, (1 - N_{\mathrm{diff}(p)})}
# \end{aligned}
# $$
#
# The numerator is a covariance: do neighbours that differ more in the hyperparameter also differ
# more in performance? The denominator is the same for every hyperparameter. So
#
# - $W$ above 0 means yes; $W$ of 0 means no such tendency. Without influence $W$ is not 0 but below
#   it: if other hyperparameters matter, neighbours that differ in this one are more alike in those.
#   This is stronger with few values and many neighbours, so only permutation can tell a weight from
#   chance ({doc}`weights`);
# - a hyperparameter in which neighbours hardly ever differ gets a weight near 0, whatever its
#   influence. So the result depends on what "near" means.
#
# ## What the paper leaves open
#
# {numref}`table-open` lists what the text leaves undetermined, and the defaults of
# `hia.relief.NRReliefF`.
#
# ```{list-table} Choices that the equations leave open, and the options that make them.
# :name: table-open
# :header-rows: 1
#
# * - What
#   - Paper
#   - Here, by default
# * - distance
#   - Euclidean on the values as they are; nothing on categories
#   - Euclidean on values divided by their range, categories 0 or 1 apart (`scale="range"`); the
#     paper's by `scale="none"`, RReliefF's sum of differences by `metric="manhattan"`
# * - scale of a column
#   - not mentioned
#   - $\log_{10}$ of `lr`, which is drawn uniformly on that scale; the others as they are
# * - rank of the nearest
#   - 1, "among the first $J$"
#   - 1; other programs count from 0 (`rank_base=0`)
# * - $\sigma$
#   - "user-defined"
#   - 20, as in RReliefF; `weighting="uniform"` does without
# * - neighbours at the same distance
#   - not mentioned
#   - share the influence of the ranks that they occupy, so that the order of the rows does not
#     matter
# * - performance
#   - $|p_m - p_j|$
#   - the same; divided by the range, as in RReliefF, by `target_scale="range"`
# * - $M$
#   - "user-defined"
#   - every configuration once; `n_iterations` draws that many without replacement
# * - from $W$ to a share
#   - not mentioned; its Table 3 sums to 1 and has nothing below 0
#   - $\max(W, 0) / \sum \max(W, 0)$: a weight below 0 has no share; $W$ itself is kept
# ```
#
# (worked-example)=
# ## A worked example
#
# Five invented configurations have two hyperparameters, a number and a category. Every row is
# sampled once, as everywhere in this book.
#
# :::{caption} table-example-rows
# Five configurations and their accuracies (invented).
# :::

# %% tags=["parameters"]
n_neighbors = 2  # J, neighbours of each configuration; 1 to 4
sigma = 2.0  # decay of a neighbour's influence with its rank, small to show the effect; above 0

# %% tags=["show-input"]
import numpy as np
import pandas as pd

from hia.relief import NRReliefF, joint_importance
from hia_book.claims import claim, glue, need
from hia_book.figures import show_table

rows = pd.DataFrame(
    {
        "log10 lr": [-5.0, -4.5, -3.0, -2.3, -2.0],
        "optimizer": ["SGD", "SGD", "SGD", "Adam", "Adam"],
        "accuracy": [0.10, 0.15, 0.40, 0.75, 0.70],
    },
    index=pd.RangeIndex(1, 6, name="m"),
)
show_table(rows.reset_index(), "table-example-rows", {"log10 lr": ".1f", "accuracy": ".2f"})

# %% [markdown]
# **Differences and distances.** The number is divided by its range; the category differs by 0 or 1.
# {numref}`table-example-distances` has the Euclidean distances. A row is not its own neighbour.
#
# :::{caption} table-example-distances
# Distances between configurations.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the distances and their code"}
lr, optimizer, p = (rows[name].to_numpy() for name in rows)
diff = {
    "log10 lr": np.abs(lr[:, None] - lr) / np.ptp(lr),
    "optimizer": (optimizer[:, None] != optimizer).astype(float),
}
diff_p = np.abs(p[:, None] - p)
distance = np.sqrt(diff["log10 lr"] ** 2 + diff["optimizer"] ** 2)
np.fill_diagonal(distance, np.nan)

matrix = pd.DataFrame(distance, columns=[f"to {m}" for m in rows.index])
matrix.insert(0, "m", rows.index)
show_table(matrix, "table-example-distances", dict.fromkeys(matrix.columns[1:], ".3f"))

# %% [markdown]
# **Neighbours and their influence.** Each line of {numref}`table-example-neighbours` is one
# neighbour of one configuration, with its rank, its influence, and their differences.
#
# :::{caption} table-example-neighbours
# The {glue:text}`n_neighbors` nearest neighbours of each configuration.
# :::

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the neighbours and their code"}
m = np.repeat(np.arange(len(rows)), n_neighbors)
nearest = np.argsort(distance, axis=1)[:, :n_neighbors].ravel()  # NaN comes last
rank = np.tile(np.arange(1, n_neighbors + 1), len(rows))
d = np.exp(-((rank / sigma) ** 2))
d = d / d[:n_neighbors].sum()

terms = pd.DataFrame(
    {
        "m": rows.index[m],
        "neighbour": rows.index[nearest],
        "rank": rank,
        "d": d,
        "diff p": diff_p[m, nearest],
        "diff log10 lr": diff["log10 lr"][m, nearest],
        "diff optimizer": diff["optimizer"][m, nearest],
    }
)
glue(n_neighbors=n_neighbors)
show_table(terms, "table-example-neighbours", dict.fromkeys(terms.columns[3:], ".3f"))

# %% [markdown]
# **Sums and weights.** Equations {eq}`eq-12` to {eq}`eq-14` are summed over all lines and divided
# by the number of configurations; {eq}`eq-10` follows. The last column of
# {numref}`table-example-weights` is from `hia.relief.NRReliefF` on the same rows.
#
# :::{caption} table-example-weights
# The sums, and each weight: by hand, in its other form, and by the package.
# :::

# %% tags=["show-input"]
n_p = (terms["diff p"] * terms["d"]).sum() / len(rows)
by_hand = []
for name in diff:
    n_theta = (terms[f"diff {name}"] * terms["d"]).sum() / len(rows)
    n_both = (terms["diff p"] * terms[f"diff {name}"] * terms["d"]).sum() / len(rows)
    by_hand.append(
        {
            "hyperparameter": name,
            "N diff p": n_p,
            "N diff θ": n_theta,
            "N both": n_both,
            "W": n_both / n_p - (n_theta - n_both) / (1 - n_p),
            "W as a covariance": (n_both - n_p * n_theta) / (n_p * (1 - n_p)),
        }
    )
weights = pd.DataFrame(by_hand)
relief = NRReliefF(n_neighbors=n_neighbors, sigma=sigma).fit(rows[list(diff)], p)
weights["W of hia.relief"] = relief.weights_
show_table(weights, "table-example-weights", dict.fromkeys(weights.columns[1:], ".6f"))

# %% tags=["show-input"]
need((weights["W"] > 0).any(), "no weight is above 0, so there are no shares")
positive = np.maximum(weights["W"], 0)
shares = pd.Series((positive / positive.sum()).to_numpy(), index=list(diff))
pair = joint_importance(shares)["weight"].iloc[0]
difference = np.abs(weights["W"] - relief.weights_).max()
claim("the weights by hand and by the package are the same to twelve digits", difference < 1e-12)
claim(
    "both forms of the weight are the same", np.allclose(weights["W"], weights["W as a covariance"])
)
claim("the only pair of two hyperparameters has the weight 1", np.isclose(pair, 1))
glue(lr=shares["log10 lr"], optimizer=shares["optimizer"], pair=pair)

# %% [markdown]
# By hand and by the package, the weights agree to twelve digits.
#
# **Shares.** Scaled to sum to 1, the weights are {glue:text}`lr:.3f` for the learning rate and
# {glue:text}`optimizer:.3f` for the optimizer.
#
# **Pairs.** {eq}`eq-11` gives the only pair the weight {glue:text}`pair:.0f`, as it always does
# with two hyperparameters.
