# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which method, when?
#
# **From 1,000 trials on, functional ANOVA comes nearest to the true ranking. With the paper's 30
# neighbours, N-RReliefF gets worse as trials are added; with a number of neighbours that grows with
# the trials, it does not.**
#
# Two rankings that agree can both be wrong, so this page compares methods with the truth. It draws
# random trials from functions whose hyperparameters have known importances, and asks every method
# for its ranking ({numref}`fig-when`). The last section counts how many real trainings a ranking
# costs.
#
# :::{caption} fig-when
# :alt: Two panels with a line for each method. The lines of functional ANOVA rise to nearly 1; that
#   of N-RReliefF with 30 neighbours rises and falls again.
#
# Agreement with the true order of the hyperparameters against the number of trials, means over
# {glue:text}`n_surfaces` surfaces. Lines end where a method takes too long on one of them.
# :::

# %% tags=["parameters"]
folder = "data"  # of the recorded tables: truth.parquet, surfaces.parquet and cost.parquet
shown = [100, 1000, 10000]  # numbers of trials in the tables; at least 1
enough = 0.8  # agreement from which on a ranking has settled; 0 to 1
hidden: list[str] = []  # methods left out of the figures; choices: hia.ranking.methods.METHODS

# %%
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from hia_book import cost, mixed, recording, truth
from hia_book.agreement import student, write_mean
from hia_book.claims import claim, glue, need
from hia_book.figures import draw_cells, draw_lines, look, panels, show_figure, show_table

COMPARED = ("nrrelieff", "nrrelieff_growing", "fanova", "ped_anova")
OTHERS = ("forward_selection", "impurity", "optuna_fanova", "fanova_package")
LABELS = {name: contender.label for name, contender in truth.CONTENDERS.items()}
LABELS[cost.SCREEN] = "Plackett–Burman screen"
LOOKS = {name: look(name) for name in COMPARED}
LOOKS |= {name: look(name) | {"color": "0.6", "linewidth": 0.9} for name in OTHERS}
LOOKS["nrrelieff_growing"] |= {"linestyle": "--", "mfc": "white"}
LOOKS[cost.SCREEN] = look("screening") | {"markersize": 9}
DRAWN = {x: own | {"label": LABELS[x]} for x, own in LOOKS.items() if x not in hidden}
KINDS = {"main": "alone", "total": "in all"}
fits, true = truth.load(folder)
measured = fits[fits["state"] == truth.MEASURED]
draws = measured.groupby(["surface", "method", "trials"]).size()
sizes = sorted(measured["trials"].unique())
numbers = [n for n in shown if n in sizes] or sizes
present = [name for name in LOOKS if name in set(measured["method"])]
columns = ("tau_main", "tau_total", "top_main", "seconds")
each = {name: truth.by_surface(fits, name) for name in columns}
overall = {name: truth.over_surfaces(fits, name) for name in columns}
by_surface = {name: own.set_index("hyperparameter") for name, own in true.groupby("surface")}
order = [name for name in truth.SURFACES if name in by_surface]

# %%
figure, axes = panels(4.2, 1, 2, sharey=True)
for ax, (kind, words) in zip(axes, KINDS.items(), strict=True):
    draw_lines(ax, overall[f"tau_{kind}"], DRAWN)
    ax.set_title(f"order {words}")
    ax.set_xlabel("trials")
figure.supylabel("agreement with the truth", fontsize=11)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
drawn = [overall[f"tau_{kind}"].assign(order=words) for kind, words in KINDS.items()]
show_figure(figure, "fig-when", data=pd.concat(drawn).reset_index())

# %% [markdown]
# ## What is true
#
# Importance can mean two things, and both are known here. *Alone* is the share of the variance that
# a hyperparameter explains by itself (its first-order Sobol' index). *In all* is the share in which
# it takes part, alone or with others (its total index). Functional ANOVA
# {cite:p}`hutter2014efficient` estimates the first. N-RReliefF is said to see interactions too. The
# decrease of impurity {cite:p}`breiman2001random,louppe2013understanding` and forward selection
# {cite:p}`hutter2013identifying` mix both. PED-ANOVA {cite:p}`watanabe2023pedanova` asks what
# distinguishes the best tenth of the trials.
#
# Trials come from these *surfaces* ({numref}`table-surfaces`):
#
# - *additive*: each hyperparameter works on its own;
# - *interactions*: more than half of the variance belongs to pairs and a triple;
# - *product*: one bad value spoils all;
# - *conditional*: some trials lack filters of layers or the momentum, and there are categories;
# - *noise*: as additive, and half of the variance is noise;
# - *copy*: as additive, and a twelfth without influence has the value of `lr` in four of five
#   trials;
# - *study*: a forest fitted to the recorded trainings.
#
# :::{caption} table-surfaces
# The surfaces: sums of the true shares, and numbers of hyperparameters without effect. The first
# sum is 1 where nothing interacts; the second counts an interaction for each that takes part.
# :::
#
# :::{caption} table-study-truth
# What is true of the forest: shares of the variance of its predictions over Table 1's space, with
# standard errors.
# :::

# %%
of_shares = {name: by_surface[name][["main", "total"]] for name in order}
rows = [(name, *own.sum(), *(own == 0).sum()) for name, own in of_shares.items()]
headings = "Surface | Alone, sum {:.2f} | In all, sum {:.2f} | No effect alone | None at all"
show_table(rows, "table-surfaces", headings)
need("study" in by_surface, f"{folder}/surfaces.parquet has no surface of the study")
study = by_surface["study"].sort_values("total", ascending=False)
shares = study[["main", "main_error", "total", "total_error"]]
shares = shares.set_axis(["Alone", "±", "In all", "± "], axis=1)
show_table(shares, "table-study-truth", dict.fromkeys(shares, ".4f"))
gaps = -study["total"].diff().iloc[1:]
error = np.hypot(study["total_error"], study["total_error"].shift()).iloc[1:]
claim("`lr` matters most in the forest", study.index[0] == "lr")
claim("the forest's true order in all is beyond doubt", (gaps >= 2 * error).all())
glue(lr_total=study["total"].iloc[0], lr_main=study["main"].iloc[0], all_main=study["main"].sum())

# %% [markdown]
# In the forest `lr` takes part in {glue:text}`lr_total:.0%` of the variance and explains
# {glue:text}`lr_main:.0%` alone. All eleven alone explain {glue:text}`all_main:.0%`; the rest is
# interactions. ({doc}`joint` analyses single trees instead of their mean, so its sums differ.) The
# shares in all are estimates {cite:p}`jansen1999analysis`, but precise enough to fix their order.
#
# ## How near the methods come
#
# Agreement is Kendall's $\tau$ over the pairs that the truth orders: 1 for the true ranking, 0 for
# an unrelated one. All methods get the same trials. N-RReliefF takes part twice, with the paper's
# 30 neighbours and with $J$ = n/20, a twentieth of the trials. Up to 600 trials the two are the
# same.
#
# :::{caption} table-truth
# Agreement with the true order alone and in all, means over the surfaces, by the number of trials.
# *First {glue:text}`top`*: the share of the true first {glue:text}`top` alone that are among the
# method's, with {glue:text}`most_trials:,` trials. Empty: not measured on all surfaces.
# :::
#
# :::{caption} table-when
# The method of the highest mean agreement, and by how much the others are behind it on the same
# draws, with the standard error over the surfaces. *Clearly*: with 95% confidence.
# :::

# %%
summary = {"Method": pd.Series(LABELS)[present]}
for kind, words in KINDS.items():
    summary |= {f"{n:,} {words}": overall[f"tau_{kind}"].loc[n] for n in numbers}
summary[f"First {truth.TOP}"] = overall["top_main"].loc[numbers[-1]]
summary = pd.DataFrame(summary).loc[present]
show_table(summary, "table-truth", dict.fromkeys(summary.columns[1:], ".2f"))

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show by how much, and the code"}
rows, nearest = [], []
for kind, n in product(KINDS, sizes):
    best, gaps = truth.behind(fits, f"tau_{kind}", n)
    if n <= 600:  # a twentieth is no more than 30: the same method
        gaps.pop("nrrelieff_growing", None)
    of_others = {False: [], True: []}
    for name, gap in gaps.items():
        of_others[student(gap).low > 0].append(f"{LABELS[name]} ({write_mean(gap)})")
    close, clear = (", ".join(texts) or "none" for texts in of_others.values())
    first = f"{LABELS[best]} ({overall[f'tau_{kind}'].loc[n, best]:.2f})"
    rows.append((KINDS[kind], n, draws.xs(n, level="trials").max(), first, close, clear))
    nearest.append((kind, n, best, close == "none"))
rows = [row for row in rows if row[1] in numbers]
headings = "Order | Trials {:,} | Draws | Nearest | Not told apart from it | Clearly behind it"
show_table(rows, "table-when", headings)
nearest = pd.DataFrame(nearest, columns=["kind", "trials", "method", "told"])
wins = nearest["method"].eq("fanova").groupby(nearest["kind"]).sum()
many = nearest.loc[nearest["trials"] >= 1000, "method"]
of_fanova = many.isin(["fanova", "optuna_fanova", "fanova_package"]).all()
claim("functional ANOVA, ours or another, is nearest to the truth from 1,000 trials on", of_fanova)
claim(
    "the method nearest to the truth is never told apart from all others", not nearest["told"].any()
)
glue(top=truth.TOP, most_trials=numbers[-1], wins=wins, n_sizes=len(sizes))

# %% [markdown]
# Our functional ANOVA is nearest at {glue:text}`wins_main` of {glue:text}`n_sizes` numbers of
# trials for the order alone, and at {glue:text}`wins_total` for the order in all
# ({numref}`table-when`). It is never clearly ahead of all others, because two of these are
# functional ANOVA too. The *study* surface is a forest, which favours methods with forests inside:
# all but N-RReliefF and PED-ANOVA. {numref}`fig-truth-main` and {numref}`fig-truth-total` show each
# surface.
#
# :::{caption} fig-truth-main
# :alt: Coloured cells with numbers, a row for each method and a column for each surface
#
# Agreement with the true order alone on each surface with {glue:text}`common:,` trials, means of
# {glue:text}`common_draws` draws. The CSV has all numbers of trials.
# :::
#
# :::{caption} fig-truth-total
# :alt: Coloured cells with numbers, a row for each method and a column for each surface
#
# Agreement with the true order in all on each surface with {glue:text}`common:,` trials, means of
# {glue:text}`common_draws` draws. The CSV has all numbers of trials.
# :::

# %%
# The largest number of trials with which most methods were measured.
counts = overall["tau_main"].count(axis=1)
common = counts.index[counts == counts.max()].max()
for kind in KINDS:
    tau = each[f"tau_{kind}"]
    cells = tau.xs(common, level="trials").loc[order, present].T.rename(LABELS)
    figure, ax = panels(3)
    draw_cells(ax, cells, look("nrrelieff")["color"], ".2f", low=0, high=1)
    name = {"main": "fig-truth-main", "total": "fig-truth-total"}[kind]
    show_figure(figure, name, data=tau[present].reset_index())
glue(common=common, common_draws=draws.xs(common, level="trials").max())

# %% [markdown]
# ### More trials, and a worse ranking
#
# The more trials, the nearer are the nearest 30, and the fewer of them differ in a hyperparameter
# with few values ({numref}`table-neighbours`). With 30 neighbours, N-RReliefF agrees with the order
# alone most at {glue:text}`best:,d` trials, by {glue:text}`at_best:.2f`, and only by
# {glue:text}`at_most:.2f` with {glue:text}`most:,d`. Agreement falls on {glue:text}`n_worse` of
# {glue:text}`n_surfaces` surfaces, by {glue:text}`falls` on average. With $J$ = n/20 it is
# {glue:text}`growing:.2f`, better by {glue:text}`gains`.

# %%
tau = overall["tau_main"]
fixed, growing = tau["nrrelieff"].dropna(), tau["nrrelieff_growing"].dropna()
best, most = fixed.idxmax(), fixed.index[-1]
at_best, at_most = (each["tau_main"].xs(n, level="trials") for n in (best, most))
falls = at_best["nrrelieff"] - at_most["nrrelieff"]
gains = at_most["nrrelieff_growing"] - at_most["nrrelieff"]
claim("with 30 neighbours N-RReliefF gets worse with more trials", student(falls).low > 0)
claim("with a growing number of neighbours N-RReliefF is better", student(gains).low > 0)
glue(best=best, most=most, at_best=fixed[best], at_most=fixed[most], growing=growing[most])
glue(n_worse=(at_best["nrrelieff"] > at_most["nrrelieff"]).sum(), n_surfaces=len(order))
glue(falls=write_mean(falls), gains=write_mean(gains))

# %% [markdown]
# ### Trials that a search chose
#
# Some of the paper's trials come from BOHB, which chooses them near those that went well. Here
# Optuna's TPE, the part of BOHB that chooses, searches the surfaces for large values, and its
# trials are mixed with random ones ({numref}`table-mixed`).
#
# :::{caption} table-mixed
# Agreement with the true order alone, of so many trials: all of random search;
# {glue:text}`share_random:.0%` of them; and these with {glue:text}`share_bohb:.0%` chosen by TPE.
# *Lost*: what the chosen trials take from the agreement, with the standard error over the surfaces.
# :::

# %%
chosen = mixed.load(folder)
by = ["trials", "method", "surface"]
taus = chosen.pivot_table("tau_main", by, "table")[["random", "part", "mixed"]]
lost = dict(iter((taus["part"] - taus["mixed"]).dropna().groupby(by[:2])))
table = taus.groupby(by[:2]).mean()
table["lost"] = [write_mean(lost[key]) for key in table.index]
table = table.rename(LABELS, level="method").reset_index()
headings = "Trials {:,} | Method | Random {:.2f} | Random, part {:.2f} | Mixed {:.2f} | Lost"
show_table(table, "table-mixed", headings)
most = chosen["trials"].max()
worse = {x for n, x in lost if n == most and student(lost[n, x]).low > 0}
harmed = {"ped_anova", "nrrelieff_growing"}
claim("chosen trials clearly harm PED-ANOVA and N-RReliefF with n/20, no other", worse == harmed)
glue(n_mixed=most, share_random=1 - mixed.SHARE, share_bohb=mixed.SHARE)
for method in mixed.METHODS:
    before, after = taus.loc[(most, method, "study"), ["part", "mixed"]]
    glue(**{f"{method}_before": before, f"{method}_after": after})

# %% [markdown]
# With {glue:text}`n_mixed:,d` trials, chosen ones clearly harm PED-ANOVA and N-RReliefF with $J$ =
# n/20. On the surface of the study, agreement changes from {glue:text}`ped_anova_before:.2f` to
# {glue:text}`ped_anova_after:.2f` for PED-ANOVA, from {glue:text}`nrrelieff_before:.2f` to
# {glue:text}`nrrelieff_after:.2f` for N-RReliefF ({glue:text}`nrrelieff_growing_before:.2f` to
# {glue:text}`nrrelieff_growing_after:.2f` with $J$ = n/20), and from {glue:text}`fanova_before:.2f`
# to {glue:text}`fanova_after:.2f` for functional ANOVA. Chosen trials lie close together and
# perform alike, which a method can mistake for the effect of what they share ({doc}`weights`).
#
# ### Interactions, copies and noise
#
# N-RReliefF with $J$ = n/20 sees most of what works only together ({numref}`table-hard`). On the
# surface *interactions* it comes nearest to the order in all ({glue:text}`together_growing:.2f`;
# functional ANOVA {glue:text}`together_fanova:.2f`). A copy has no influence and belongs at the
# end: it fools forward selection least and N-RReliefF most. Noise costs forward selection most.
#
# :::{caption} table-hard
# Three hard cases with {glue:text}`common:,` trials. The mean rank of `stride` and `kernel` on the
# surface *interactions*, where they matter together only. The rank of the copy of `lr` on the
# surface *copy*. The agreement that is lost when half of the variance is noise.
# :::


# %%
pair, tau = ["stride", "kernel"], each["tau_main"].xs(common, level="trials")
places = {name: by_surface[name]["total"].rank(ascending=False) for name in order}
hard = {"interactions": pair, "copy": ["lr_copy"]}
paired, copied = (truth.mean_ranks(fits, by_surface[x], x, common, hard[x]) for x in hard)
lost = tau.loc["additive"] - tau.loc["noise"]
ranked = [name for name in present if np.isfinite(tau.loc["additive", name])]
rows = [("*the truth*", places["interactions"][pair].mean(), places["copy"]["lr_copy"], np.nan)]
rows += [(LABELS[x], paired.get(x), copied.get(x), lost[x]) for x in ranked]
headings = "Method | Only together: rank {:.1f} | Copy: rank {:.1f} | Lost by noise {:.2f}"
show_table(rows, "table-hard", headings)
together = each["tau_total"].loc[("interactions", common)]
growing = "nrrelieff_growing"
claim("N-RReliefF with n/20 sees most of what works together", paired[ranked].idxmin() == growing)
claim("with interactions J = n/20 is nearest to the order in all", together.idxmax() == growing)
claim("a copy takes in forward selection least", copied[ranked].idxmax() == "forward_selection")
claim("a copy takes in N-RReliefF most", copied[ranked].idxmin() == "nrrelieff")
claim("noise harms forward selection most", lost[ranked].idxmax() == "forward_selection")
glue(together_growing=together[growing], together_fanova=together["fanova"])

# %% [markdown]
# ## What it takes to compute
#
# :::{caption} fig-truth-seconds
# :alt: A line for each method. N-RReliefF is fastest, forward selection and Optuna's functional
#   ANOVA are slowest.
#
# Time for one ranking, without intervals, median over the surfaces. A method that takes longer than
# {glue:text}`limit:g` s is not asked with more trials.
# :::
#
# :::{caption} table-truth-seconds
# Seconds of processor time for one ranking, by the number of trials.
# :::

# %%
note = recording.read_note(f"{folder}/truth.json")
seconds = each["seconds"].groupby("trials").median()
figure, ax = panels(4)
draw_lines(ax, seconds, DRAWN)
ax.set_yscale("log")
ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
ax.axhline(note["limit"], color="0.5", linewidth=1, linestyle=":")
ax.text(sizes[0], note["limit"] * 1.1, "limit", fontsize=9.5, color="0.4")
ax.set_xlabel("trials")
ax.set_ylabel("seconds of processor time")
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
show_figure(figure, "fig-truth-seconds", data=seconds.reset_index())

named = [name for name in LOOKS if name in set(fits["method"])]
rows = {f"{n:,}": [truth.write_seconds(fits, name, n) for name in named] for n in shown}
show_table(pd.DataFrame({"Method": [LABELS[name] for name in named]} | rows), "table-truth-seconds")
claim("no method is left to be measured", not (fits["state"] == truth.MISSING).any())
glue(processor=note["processor"], limit=note["limit"])

# %% [markdown]
# Recorded on {glue:text}`processor`, by `python studies/record_truth.py --again`.
#
# ## How many trainings does a ranking cost?
#
# Nobody knows the true importances in real trainings, but one can ask when a ranking stops
# changing. Rankings of random parts of the recorded trainings are compared with the method's
# ranking of all of them (*own*). They are also compared with one *reference*: the mean rank by
# functional ANOVA, PED-ANOVA and N-RReliefF with $J$ = n/20 on all.
#
# :::{caption} fig-cost
# :alt: Four panels of agreement against trainings, a line for each of five methods; most lines rise
#   slowly, and PED-ANOVA and functional ANOVA are highest
#
# Agreement of rankings of real trainings with the method's own of all trainings, and with the
# reference, against the trainings spent: medians over random parts and {glue:text}`n_scopes` data
# sets. For the screen: 12 for one half of the design, 24 for both, 36 and 72 for these with three
# seeds.
# :::
#
# :::{caption} table-cost
# The fewest trainings from which on the median agreement is at least {glue:text}`enough:g`. Empty
# where a twentieth of the trainings is no more than 30 neighbours, the same as N-RReliefF.
# :::

# %%
recorded = ["scope", "method", "trainings", "repeat", "whole", "tau_own", "tau_reference"]
spent = recording.read(f"{folder}/cost.parquet", recorded, "record_truth.py cost")
# Data sets differ in how many trainings there are in all: only the screen has as many of each.
pooled = spent["scope"] == cost.POOLED
single = spent[~pooled & (~spent["whole"] | (spent["method"] == cost.SCREEN))]
parts = {"one data set": single, "all data sets together": spent[pooled]}
AGAINST = {"own": "its own whole ranking", "reference": "the reference"}

figure, axes = panels(6.2, 2, 2, sharey=True)
drawn = []
for ax, ((title, part), against) in zip(axes.flat, product(parts.items(), AGAINST), strict=True):
    some = part[~part["whole"]] if against == "own" else part
    tau = some.pivot_table(f"tau_{against}", "trainings", "method", "median")
    if cost.are_twins(some, f"tau_{against}"):
        tau = tau.drop(columns="nrrelieff_growing")
    draw_lines(ax, tau, DRAWN)
    drawn.append(tau.reset_index().assign(trials_of=title, compared_with=against))
    ax.set_title(f"{title},\n{AGAINST[against]}", fontsize=9.5)
for ax in axes[-1]:
    ax.set_xlabel("trainings")
figure.supylabel("agreement", fontsize=11)
marks = [ax.get_legend_handles_labels() for ax in axes.flat]
legend = {text: mark for some in marks for mark, text in zip(*some, strict=True)}
figure.legend(legend.values(), legend, loc="outside lower center", ncols=2)
show_figure(figure, "fig-cost", data=pd.concat(drawn).reset_index(drop=True))

need(cost.SCREEN in set(spent["method"]), f"{folder}/cost.parquet is without the screen")
named = [name for name in LOOKS if name in set(spent["method"])]
columns = {
    f"{title.capitalize()}, {against}": [
        cost.write_needed(part, f"tau_{against}", enough, name) for name in named
    ]
    for title, part in parts.items()
    for against in AGAINST
}
show_table(pd.DataFrame({"Method": [LABELS[x] for x in named]} | columns), "table-cost")
tau = single.groupby(["method", "trainings"])["tau_reference"].median()
screen, fanova = tau[cost.SCREEN], tau["fanova"]
claim("no method refused a ranking", (spent["problem"] == "").all())
claim("the fewest random trainings do as well as the screen", fanova.iloc[0] >= screen.max())
glue(enough=enough, n_scopes=single["scope"].nunique())
glue(fewest=fanova.index[0], screen_12=screen[12], screen_24=screen[24], screen_72=screen[72])

# %% [markdown]
# The Plackett–Burman screen agrees with the reference by {glue:text}`screen_12:.2f` with 12
# trainings per data set, by {glue:text}`screen_24:.2f` with 24, and by {glue:text}`screen_72:.2f`
# with 72. Functional ANOVA does as well with {glue:text}`fewest` random trainings, the fewest that
# we tried. The comparison favours it: the reference is made from these trainings, not the screen's.
# Also, the screen misses any hump between its two levels ({doc}`screening`).
#
# A method can settle early on a wrong ranking. `python studies/record_truth.py cost` computes this
# part.
