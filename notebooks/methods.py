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
# The other chapters compare rankings with each other. Two that agree can both be wrong, so this one
# compares them with the truth. It takes functions of hyperparameters whose importances are known,
# draws trials from them as random search does, and asks every method for its ranking. One of the
# functions is a forest fitted to the recorded trainings, so nearly the real thing. The second part
# counts trainings: how many does a ranking of real ones cost?

# %% tags=["parameters"]
folder = "data"  # of the recorded tables: truth.parquet, surfaces.parquet and cost.parquet
shown = [100, 1000, 10000]  # numbers of trials in the tables; at least 1
enough = 0.8  # agreement from which on a ranking has settled; 0 to 1
hidden: list[str] = []  # methods left out of the figures; choices: hia.ranking.methods.METHODS

# %%
import json
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, NullFormatter
from scipy.stats import t

from hia_book import cost, mixed, surfaces, truth
from hia_book.figures import WIDTH, look, show_figure, show_table, show_text, use_style

use_style()
LABELS = {name: contender.label for name, contender in truth.CONTENDERS.items()}
LABELS[cost.SCREEN] = "Plackett–Burman screen"
LOOKS = {
    name: dict(look(name))
    for name in (
        *("nrrelieff", "nrrelieff_growing", "fanova", "ped_anova", "forward_selection"),
        *("impurity", "optuna_fanova", "fanova_package"),
    )
} | {cost.SCREEN: look("screening") | {"markersize": 9}}
LOOKS["nrrelieff_growing"] |= {"linestyle": "--", "mfc": "white"}
KINDS = {"main": "alone", "total": "in all"}
COLUMNS = ("tau_main", "tau_total", "top_main", "seconds")


def recorded(load, *given):
    """What there is of a recorded table, None with words on the page where it is not there."""
    try:
        return load(*given)
    except FileNotFoundError as error:
        show_text(f"**Missing here:** {error}.")
        return None


def listed(names) -> str:
    return ", ".join(names) or "none"


def numbered(axis, numbers) -> None:
    """Numbers of trials at an axis on a logarithmic scale, as a reader writes them."""
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axis.set_minor_formatter(NullFormatter())
    axis.set_ticks([n for n in numbers if n in (12, 50, 72, 200, 1000, 10000)] or numbers)


def lines(ax, table: pd.DataFrame) -> None:
    """A line for each method of a table (trials, methods) of agreements."""
    for name, own in LOOKS.items():
        if name in table and name not in hidden:
            found = table[name].dropna()
            style = {"markersize": 5, "linewidth": 1.4} | own
            ax.plot(found.index, found, label=LABELS[name], **style)
    ax.set_xscale("log")
    ax.grid()


# %% [markdown]
# ## What is true
#
# The importance of a hyperparameter can mean two things, and both are known here. *Alone*: the
# share of the variance, over the whole space, that goes with this hyperparameter whatever the
# others are (its first-order Sobol' index). *In all*: the share in which it takes part, alone or
# together with others (its total index). They differ where hyperparameters interact.
#
# Functional ANOVA {cite:p}`hutter2014efficient` estimates the first. N-RReliefF compares near
# configurations, and is said to see interactions as well: it may be nearer to the second. The other
# methods estimate neither: the decrease of impurity in a forest
# {cite:p}`breiman2001random,louppe2013understanding` and forward selection
# {cite:p}`hutter2013identifying` mix both, and PED-ANOVA {cite:p}`watanabe2023pedanova` asks what
# sets the best tenth of the trials apart. So every method is compared with both. The second is
# computed with the estimator of {cite:t}`jansen1999analysis`.

# %%
loaded = recorded(truth.load, Path(folder))
fits, true = loaded if loaded is not None else (None, None)
if fits is not None:
    texts = {name: surface.text for name, surface in surfaces.synthetic().items()}
    texts[surfaces.STUDY] = surfaces.STUDY_TEXT
    order = [name for name in texts if name in set(true["surface"])]
    by_surface = {name: true[true["surface"] == name].set_index("hyperparameter") for name in order}
    show_text("\n".join(f"- *{name}*: {texts[name]};" for name in order)[:-1] + ".")
    show_table(
        pd.DataFrame(
            {
                "Surface": order,
                "Alone, sum": [by_surface[name]["main"].sum() for name in order],
                "In all, sum": [by_surface[name]["total"].sum() for name in order],
                "No effect alone": [int((by_surface[name]["main"] == 0).sum()) for name in order],
                "None at all": [int((by_surface[name]["total"] == 0).sum()) for name in order],
            }
        ),
        "table-surfaces",
        "The surfaces, and the sums of the true shares of their hyperparameters. The first sum is "
        "1 where nothing interacts; the second counts an interaction for each that takes part. "
        "The last columns count hyperparameters.",
        {"Alone, sum": ".2f", "In all, sum": ".2f"},
    )

# %%
if fits is not None and surfaces.STUDY in by_surface:
    study = by_surface[surfaces.STUDY].sort_values("total", ascending=False)
    show_table(
        pd.DataFrame(
            {
                "Hyperparameter": [f"`{name}`" for name in study.index],
                "Alone": study["main"],
                "±": study["main_error"],
                "In all": study["total"],
                "± ": study["total_error"],
            }
        ),
        "table-study-truth",
        "What is true of the forest that is fitted to the recorded trainings: shares of the "
        "variance of its predictions over Table 1's space, with their standard errors.",
        {"Alone": ".4f", "±": ".4f", "In all": ".4f", "± ": ".4f"},
    )
    gaps = -study["total"].diff().iloc[1:]
    error = np.hypot(study["total_error"], study["total_error"].shift()).iloc[1:]
    unsure = [
        f"`{study.index[k]}` and `{study.index[k + 1]}`"
        for k in range(len(gaps))
        if gaps.iloc[k] < 2 * error.iloc[k]
    ]
    show_text(
        f"`{study.index[0]}` takes part in {study['total'].iloc[0]:.0%} of the variance of the "
        f"forest and explains {study['main'].iloc[0]:.0%} alone; all eleven alone explain "
        f"{study['main'].sum():.0%}, the rest are interactions. (Functional ANOVA in "
        "{doc}`joint` gives other sums for the same CNNs: it splits up every tree and takes the "
        "mean of the shares; here the mean of the trees is split up, in which their noise partly "
        "cancels. Only orders should be compared.) The shares alone are exact but for "
        "the variance they are divided by; those in all are estimated. "
        + (
            f"The order in all is beyond doubt but for {listed(unsure)}."
            if unsure
            else "The errors are too small to leave a doubt about the order in all."
        )
    )

# %% [markdown]
# ## How near the methods come
#
# Agreement is Kendall's $\tau$ over the pairs of hyperparameters that the truth orders: 1 for the
# true ranking, 0 for one that has nothing to do with it. All methods get the same trials. Each has
# the options that it has in the rest of the book, and N-RReliefF takes part a second time, with a
# number of neighbours $J$ that is a twentieth of the trials, but no fewer than the paper's 30: up
# to 600 trials the two are the same.

# %%
if fits is not None:
    measured = fits[fits["state"] == truth.MEASURED]
    sizes = sorted(measured["trials"].unique())
    present = [name for name in LOOKS if name in set(measured["method"])]
    draws = measured.groupby(["surface", "method", "trials"]).size()
    each = {name: truth.by_surface(fits, name) for name in COLUMNS}
    overall = {name: truth.over_surfaces(fits, name) for name in COLUMNS}

    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 4.2), sharey=True)
    for ax, (kind, words) in zip(axes, KINDS.items(), strict=True):
        lines(ax, overall[f"tau_{kind}"])
        ax.set_title(f"order {words}")
        ax.set_xlabel("trials")
        numbered(ax.xaxis, sizes)
    figure.supylabel("agreement with the truth", fontsize=11)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    show_figure(
        figure,
        "fig-when",
        "Which method, when: agreement with the true order of the hyperparameters against the "
        f"number of trials, means over {len(order)} surfaces. Lines end where a method takes too "
        "long on one of them.",
        "Two panels with a line for each method. Nearest with the fewest and the most trials: "
        + listed(
            f"{words} {LABELS[overall[f'tau_{kind}'].loc[n].idxmax()]} at {n:,}"
            for kind, words in KINDS.items()
            for n in (sizes[0], sizes[-1])
        ),
        data=pd.concat(
            [overall[f"tau_{kind}"].assign(order=words) for kind, words in KINDS.items()]
        ).reset_index(),
    )

# %% [markdown]
# {numref}`fig-truth-main` and {numref}`fig-truth-total` have the surfaces one by one.

# %%
if fits is not None:
    for kind, words in KINDS.items():
        tau = each[f"tau_{kind}"]
        rows = -(-(len(order) + 1) // 2)
        figure, axes = plt.subplots(
            rows, 2, figsize=(WIDTH, 2.3 * rows), sharex=True, sharey=True, squeeze=False
        )
        for ax, name in zip(axes.flat, order, strict=False):
            lines(ax, tau.loc[name])
            ax.set_title(name)
            numbered(ax.xaxis, sizes)
        for ax in axes.flat[len(order) :]:
            ax.set_axis_off()
        for ax in axes.flat[len(order) - 2 : len(order)]:  # the last of each column
            ax.tick_params(labelbottom=True)
        handles, labels = axes.flat[0].get_legend_handles_labels()
        if len(order) % 2:
            axes.flat[-1].legend(handles, labels, loc="center", fontsize=9.5)
        else:
            figure.legend(handles, labels, loc="outside lower center", ncols=2)
        lowest = np.floor(10 * tau.min(axis=None)) / 10
        axes.flat[0].set_ylim(min(lowest, 0.0) - 0.02, 1.03)
        figure.supxlabel("trials", fontsize=11)
        figure.supylabel(f"agreement with the true order {words}", fontsize=11)
        ends = overall[f"tau_{kind}"].loc[sizes[-1]].dropna()
        show_figure(
            figure,
            {"main": "fig-truth-main", "total": "fig-truth-total"}[kind],
            f"Agreement with the true shares {words}, against the number of trials: means of "
            f"{draws.min()} to {draws.max()} draws. The surfaces are those of "
            "{numref}`table-surfaces`. Lines end where a method takes too long.",
            f"A panel for each of {len(order)} surfaces with a line for each method. With "
            f"{sizes[-1]:,} trials, mean over the surfaces: "
            + listed(f"{LABELS[name]} {ends[name]:.2f}" for name in ends.index),
            data=tau[present].reset_index(),
        )

# %%
if fits is not None:
    numbers = [n for n in shown if n in sizes] or sizes
    columns = {"Method": [LABELS[name] for name in present]}
    for kind, words in KINDS.items():
        tau = overall[f"tau_{kind}"]
        columns |= {f"{n:,} {words}": tau.loc[n].reindex(present) for n in numbers}
    columns |= {f"First {truth.TOP}": overall["top_main"].loc[numbers[-1]].reindex(present)}
    summary = pd.DataFrame(columns, index=present)
    show_table(
        summary,
        "table-truth",
        "Agreement with the true order alone and in all, means over the surfaces, by the number of "
        f"trials; and the share of the true first {truth.TOP} alone that are among the method's "
        f"first {truth.TOP}, with {numbers[-1]:,} trials. Empty: not measured on all surfaces. "
        "{numref}`table-when` has the errors of differences.",
        dict.fromkeys(summary.columns[1:], ".2f"),
    )

# %%
if fits is not None:

    class Apart(NamedTuple):
        """Mean over the surfaces of a difference, its standard error, and whether it is above 0
        with 95 % confidence. Surfaces count as a sample of those that there could be; with one
        alone there is no error, and nothing is clear."""

        mean: float
        error: float
        clear: bool

        def __str__(self) -> str:
            error = f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{self.error:.2f}"
            return f"{self.mean:.2f}" + (error if self.error == self.error else "")

    def apart(of_surfaces: pd.Series) -> Apart:
        n, mean = len(of_surfaces), of_surfaces.mean()
        error = of_surfaces.std() / np.sqrt(n)
        return Apart(mean, error, bool(n > 1 and mean > t.isf(0.025, n - 1) * error))

    def behind(kind: str, n: int, best: str) -> dict[str, Apart]:
        """How far the other methods are behind one, by the draws that both had."""
        of_draws = measured[measured["trials"] == n].pivot_table(
            values=f"tau_{kind}", index=["surface", "repeat"], columns="method"
        )
        complete = overall[f"tau_{kind}"].loc[n].dropna().sort_values(ascending=False).index
        if n <= 20 * 30:  # a twentieth is no more than 30: the same method
            complete = complete.drop("nrrelieff_growing", errors="ignore")
        return {
            name: apart((of_draws[best] - of_draws[name]).dropna().groupby("surface").mean())
            for name in complete
            if name != best
        }

    choice, told = [], dict.fromkeys(KINDS, 0)
    for kind, words in KINDS.items():
        for n in sizes:
            tau = overall[f"tau_{kind}"].loc[n].dropna()
            others = behind(kind, n, tau.idxmax())
            told[kind] += all(one.clear for one in others.values())
            if n in numbers:
                parts = {
                    clear: listed(
                        f"{LABELS[name]} ({one})"
                        for name, one in others.items()
                        if one.clear == clear
                    )
                    for clear in (False, True)
                }
                choice.append(
                    {
                        "Order": words,
                        "Trials": n,
                        "Draws": draws.xs(n, level="trials").max(),
                        "Nearest": f"{LABELS[tau.idxmax()]} ({tau.max():.2f})",
                        "Not told apart from it": parts[False],
                        "Clearly behind it": parts[True],
                    }
                )
    show_table(
        pd.DataFrame(choice),
        "table-when",
        "The answer: the method of the highest mean agreement over the surfaces, by the order that "
        "is asked for and the number of trials, each drawn so many times from every surface; and "
        "by how much the others are behind it on the same draws, with the standard error over the "
        "surfaces. *Clearly*: with 95 % confidence.",
        {"Trials": ","},
    )
    winners = {kind: overall[f"tau_{kind}"].idxmax(axis=1).value_counts() for kind in KINDS}
    show_text(
        " ".join(
            f"For the order {words}, {LABELS[counts.index[0]]} is nearest at {counts.iloc[0]} of "
            f"{len(sizes)} numbers of trials"
            + ("" if len(counts) == 1 else ", ")
            + ", ".join(f"{LABELS[name]} at {n}" for name, n in counts.iloc[1:].items())
            + f"; the nearest is told apart from all others at {told[kind] or 'none'} of them."
            for (kind, words), counts in zip(KINDS.items(), winners.values(), strict=True)
        )
        + " The surface of the study is a forest, as are the models inside all methods but "
        "N-RReliefF and PED-ANOVA: it is easier for them than the world is."
    )

# %% [markdown]
# ### More trials, and a worse ranking
#
# The more trials there are, the nearer the nearest 30 are, and the fewer of them differ in a
# hyperparameter of few values ({numref}`table-neighbours`).

# %%
if fits is not None and {"nrrelieff", "nrrelieff_growing"} <= set(present):
    tau = overall["tau_main"]
    fixed, growing = tau["nrrelieff"].dropna(), tau["nrrelieff_growing"].dropna()
    best, most = fixed.idxmax(), fixed.index[-1]
    at_best, at_most = (each["tau_main"].xs(n, level="trials") for n in (best, most))
    lost = at_best["nrrelieff"] - at_most["nrrelieff"]
    falls = apart(lost)
    gains = apart(at_most["nrrelieff_growing"] - at_most["nrrelieff"])
    worse = [name for name in order if lost[name] > 0]
    show_text(
        f"With the paper's 30 neighbours, the agreement of N-RReliefF with the true order alone is "
        f"highest with {best:,} trials, {fixed[best]:.2f}, and is {fixed[most]:.2f} with {most:,}"
        + (
            ": it does not get worse with more trials. "
            if best == most
            else f". It falls on {len(worse)} of {len(order)} surfaces ({listed(worse)}), by "
            f"{falls} on average: "
            + (
                "**on average it gets worse with more trials.** "
                if falls.clear
                else "that it gets worse with more trials is not clear. "
            )
        )
        + f"With $J$ = n/20 it is {growing.iloc[-1]:.2f} with {most:,}, a difference of {gains}. "
        + (
            "So 30 neighbours are no constant of nature: their number has to grow with the trials. "
            if gains.clear
            else "That a growing number of neighbours is better is not clear. "
        )
    )

# %% [markdown]
# ### Trials that a search chose
#
# So far all trials are of random search. The paper's are of BOHB too, which chooses trials near to
# those that went well. Here Optuna's TPE, the part of BOHB that chooses, looks for large values of
# the surfaces, in runs of its own, and its trials are mixed with those of random search.

# %%
chosen = recorded(mixed.load, Path(folder))
if chosen is not None and fits is not None:
    taus = chosen.pivot_table(
        values="tau_main", index=["trials", "method", "surface", "repeat"], columns="table"
    )
    of_surfaces = taus.groupby(["trials", "method", "surface"]).mean()
    costs = {
        key: apart((found["part"] - found["mixed"]).dropna())
        for key, found in of_surfaces.groupby(["trials", "method"])
    }
    means = of_surfaces.groupby(["trials", "method"]).mean().reindex(list(costs))
    show_table(
        pd.DataFrame(
            {
                "Trials": [trials for trials, _ in costs],
                "Method": [LABELS[method] for _, method in costs],
                "Random": means["random"].to_numpy(),
                "Random, part": means["part"].to_numpy(),
                "Mixed": means["mixed"].to_numpy(),
                "Lost": [str(one) for one in costs.values()],
            }
        ),
        "table-mixed",
        f"Agreement with the true order alone, of so many trials: all of random search; "
        f"{1 - mixed.SHARE:.0%} of them; and these with {mixed.SHARE:.0%} chosen by TPE. *Lost*: "
        "what the chosen trials take from the agreement of the others, with the standard error "
        f"over {chosen['surface'].nunique()} surfaces.",
        {"Trials": ","} | dict.fromkeys(("Random", "Random, part", "Mixed"), ".2f"),
    )
    most = chosen["trials"].max()
    of_study = of_surfaces.loc[most].reset_index("surface")
    of_study = of_study[of_study["surface"] == surfaces.STUDY]
    worse = [LABELS[name] for name in mixed.METHODS if costs[most, name].clear]
    unclear = [LABELS[name] for name in mixed.METHODS if not costs[most, name].clear]
    show_text(
        f"With {most:,} trials "
        + (
            f"the chosen ones make the ranking worse by {' and '.join(worse)}"
            + (f"; that is not clear by {' and '.join(unclear)}" if unclear else "")
            if worse
            else "the chosen ones make no ranking clearly worse"
        )
        + ". "
        + (
            "On the surface of the study the agreement goes, with the chosen ones added, "
            + listed(
                f"from {of_study.loc[name, 'part']:.2f} to {of_study.loc[name, 'mixed']:.2f} by "
                f"{LABELS[name]}"
                for name in of_study.index
            )
            + ". "
            if len(of_study)
            else ""
        )
        + "Chosen trials stand close together and do alike, which a method can take for the "
        "influence of what they share. What they do to the recorded trainings is in "
        "{doc}`importance`."
    )

# %% [markdown]
# ### Interactions, copies and noise

# %%
if fits is not None:

    def mean_rank(surface: str, names: list[str], n: int) -> pd.Series:
        """Of hyperparameters of a surface, by method."""
        chosen = measured[(measured["surface"] == surface) & (measured["trials"] == n)]
        chosen = chosen[chosen["scores"].notna()]
        position = [by_surface[surface].index.get_loc(name) for name in names]
        ranks = [
            pd.Series(scores).rank(ascending=False).iloc[position].mean()
            for scores in chosen["scores"]
        ]
        found = pd.Series(ranks, index=chosen["method"], dtype=float).groupby(level=0).mean()
        return found.reindex([name for name in present if name in found])

    # The largest number with which most methods were measured.
    counts = overall["tau_main"].count(axis=1)
    common = counts.index[counts == counts.max()].max()
    hard = pd.DataFrame(index=[name for name in LOOKS if name in present])
    truly = {}
    if "interactions" in by_surface:
        pair = ["stride", "kernel"]
        hard["Only together: rank"] = mean_rank("interactions", pair, common)
        ranks = by_surface["interactions"]["total"].rank(ascending=False)
        truly["Only together: rank"] = ranks[pair].mean()
    if "copy" in by_surface:
        hard["Copy: rank"] = mean_rank("copy", ["lr_copy"], common)
        ranks = by_surface["copy"]["total"].rank(ascending=False)
        truly["Copy: rank"] = ranks["lr_copy"]
    if {"additive", "noise"} <= set(by_surface):
        tau = each["tau_main"]
        hard["Lost by noise"] = tau.loc["additive", common] - tau.loc["noise", common]
        truly["Lost by noise"] = np.nan
    hard = hard.dropna(how="all")
    if truly and len(hard):
        rows = pd.concat([pd.DataFrame(truly, index=["*the truth*"]), hard.rename(LABELS)])
        show_table(
            rows.reset_index(names="Method"),
            "table-hard",
            f"With {common:,} trials: the mean rank of `stride` and `kernel` on the surface "
            "*interactions*, where they matter together only, and their rank in all; the rank of "
            "the copy of `lr` on the surface *copy*; and the agreement that is lost when half of "
            "the variance is noise.",
            {name: ".2f" if name == "Lost by noise" else ".1f" for name in hard},
        )
        says = []
        if "Only together: rank" in hard:
            tau = each["tau_total"].loc[("interactions", common)].dropna()
            says.append(
                f"{LABELS[hard['Only together: rank'].idxmin()]} sees most of what works together "
                f"only. On the surface *interactions* as a whole, {LABELS[tau.idxmax()]} comes "
                f"nearest to the order in all ({tau.max():.2f}; fANOVA {tau['fanova']:.2f})."
            )
        if "Copy: rank" in hard:
            says.append(
                "A copy belongs at the end, as it has no influence. "
                f"Least taken in by it is {LABELS[hard['Copy: rank'].idxmax()]}, most "
                f"{LABELS[hard['Copy: rank'].idxmin()]}."
            )
        if "Lost by noise" in hard:
            says.append(
                f"Noise costs {LABELS[hard['Lost by noise'].idxmin()]} least and "
                f"{LABELS[hard['Lost by noise'].idxmax()]} most."
            )
        show_text(" ".join(says))

# %% [markdown]
# ## What it takes to compute

# %%
if fits is not None:
    note = Path(folder) / "truth.json"
    note = json.loads(note.read_text("utf-8")) if note.is_file() else {}
    limit = note.get("limit", truth.LIMIT)
    seconds = each["seconds"].groupby("trials").median()
    figure, ax = plt.subplots(figsize=(WIDTH, 4.4))
    lines(ax, seconds)
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.axhline(limit, color="0.5", linewidth=1, linestyle=":")
    ax.text(sizes[0], limit * 1.1, "limit", fontsize=9.5, color="0.4")
    numbered(ax.xaxis, sizes)
    ax.set_xlabel("trials")
    ax.set_ylabel("seconds of processor time")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    quick = seconds.loc[sizes[-1]].dropna().sort_values()
    show_figure(
        figure,
        "fig-truth-seconds",
        "Time for one ranking, without intervals, median over the surfaces. A method that takes "
        f"longer than {limit:g} s is not asked with more trials.",
        f"Seconds against the number of trials, a line for each method. With {sizes[-1]:,} trials: "
        + listed(f"{LABELS[name]} {found:.2g} s" for name, found in quick.items()),
        data=seconds.reset_index(),
    )

    states = fits.groupby(["method", "trials"])["state"]

    def cell(name: str, n: int) -> str:
        if (name, n) not in states.groups:
            return ""
        found = states.get_group((name, n))
        if (found == truth.MEASURED).any():
            over = fits[(fits["method"] == name) & (fits["trials"] == n)]
            over = (over["state"] == truth.OVER).sum()
            more = f" ({over} surface{'s' if over > 1 else ''} over the limit)" if over else ""
            return f"{seconds.loc[n, name]:.2g}{more}"
        return found.iloc[0]

    named = [name for name in LOOKS if name in set(fits["method"])]
    show_table(
        pd.DataFrame(
            {"Method": [LABELS[name] for name in named]}
            | {f"{n:,}": [cell(name, n) for name in named] for n in shown}
        ),
        "table-truth-seconds",
        "Seconds of processor time for one ranking, by the number of trials.",
    )
    waiting = int((fits["state"] == truth.MISSING).sum())
    show_text(
        "`python studies/record_truth.py` measures all of this again, with `--again` from the "
        "beginning. "
        + (f"It was recorded on {note['processor']}. " if "processor" in note else "")
        + (
            f"**Not complete:** {waiting} combinations of surface, method and number of trials are "
            "not measured yet; the command goes on with them."
            if waiting
            else ""
        )
    )

# %% [markdown]
# ## How many trainings does a ranking cost?
#
# Nobody knows the truth of real trainings, but one can ask when a ranking stops changing. Random
# parts of the recorded trainings are ranked, of one data set and of all together. Each ranking is
# compared with the one that the same method gives with all trainings (*own*), and with one
# reference for all methods, the mean rank by fANOVA, PED-ANOVA and N-RReliefF with $J$ = n/20 on
# all trainings. The Plackett–Burman screen is no part of the reference: it has trainings and levels
# of its own. Ten hyperparameters are compared; `in_channel_num` belongs to the data set.

# %%
spent = recorded(
    truth.read,
    Path(folder) / "cost.parquet",
    ["scope", "method", "trainings", "repeat", "whole", "tau_own", "tau_reference"],
    "cost",
)
if spent is not None:
    # Data sets differ in how many trainings there are in all: only the screen has as many of each.
    single = spent[
        (spent["scope"] != cost.POOLED) & (~spent["whole"] | (spent["method"] == cost.SCREEN))
    ]
    parts = {"one data set": single}
    if cost.POOLED in set(spent["scope"]):
        parts["all data sets together"] = spent[spent["scope"] == cost.POOLED]
    drawn = []
    AGAINST = {"own": "its own whole ranking", "reference": "the reference"}

    def twins(part: pd.DataFrame, against: str) -> bool:
        """Whether a twentieth of these trainings is never above 30: then n/20 is the same."""
        pair = part[part["method"].isin(["nrrelieff", "nrrelieff_growing"])].pivot_table(
            values=f"tau_{against}", index=["scope", "trainings", "repeat"], columns="method"
        )
        return len(pair.columns) == 2 and bool((pair.iloc[:, 0] == pair.iloc[:, 1]).all())

    figure, axes = plt.subplots(
        len(parts), 2, figsize=(WIDTH, 2.9 * len(parts) + 0.9), sharey=True, squeeze=False
    )
    for row, (title, part) in zip(axes, parts.items(), strict=True):
        for ax, against in zip(row, AGAINST, strict=True):
            some = part[~part["whole"]] if against == "own" else part
            tau = some.pivot_table(
                index="trainings", columns="method", values=f"tau_{against}", aggfunc="median"
            )
            if twins(some, against):
                tau = tau.drop(columns="nrrelieff_growing")
            lines(ax, tau)
            drawn.append(tau.reset_index().assign(trials_of=title, compared_with=against))
            numbered(ax.xaxis, list(tau.index))
            ax.set_title(f"{title},\n{AGAINST[against]}", fontsize=9.5)
    for ax in axes[-1]:
        ax.set_xlabel("trainings")
    figure.supylabel("agreement", fontsize=11)
    found = [ax.get_legend_handles_labels() for ax in axes.flat]
    legend = {text: mark for marks, texts in found for mark, text in zip(marks, texts, strict=True)}
    figure.legend(legend.values(), legend, loc="outside lower center", ncols=2)
    n_sets = single["scope"].nunique()
    show_figure(
        figure,
        "fig-cost",
        "Agreement of rankings of real trainings with the method's own of all trainings, and with "
        f"the reference, against the trainings spent: medians over random parts and {n_sets} data "
        "sets."
        + (
            " The screen's numbers are, for each data set, 12 for one half of the design, 24 for "
            "both, 36 and 72 for these with three seeds."
            if cost.SCREEN in set(spent["method"])
            else ""
        ),
        "Agreement against trainings, a line for each of "
        + listed(LABELS[name] for name in LOOKS if name in set(spent["method"])),
        data=pd.concat(drawn).reset_index(drop=True),
    )

# %%
if spent is not None:

    def trainings(part: pd.DataFrame, against: str, name: str) -> str:
        """From how many on the median agreement is enough, in words."""
        if name == "nrrelieff_growing" and twins(part, against):
            return ""
        found = cost.needed(part, f"tau_{against}", enough, by=["method"]).get(name, np.nan)
        most = part[part["method"] == name]["trainings"].max()
        return f"{found:,.0f}" if found == found else f"more than {most:,}"

    compared = [name for name in LOOKS if name in set(spent["method"])]
    show_table(
        pd.DataFrame(
            {"Method": [LABELS[name] for name in compared]}
            | {
                f"{title}, {against}": [trainings(part, against, name) for name in compared]
                for title, part in parts.items()
                for against in AGAINST
            }
        ).rename(columns=lambda name: name[0].upper() + name[1:]),
        "table-cost",
        f"The fewest trainings from which on the median agreement is at least {enough:g}."
        + (
            " Empty where a twentieth of the trainings is no more than 30 neighbours, the same as "
            "N-RReliefF."
            if any(twins(part, against) for part in parts.values() for against in AGAINST)
            else ""
        ),
    )
    says = []
    tau = single.groupby(["method", "trainings"])["tau_reference"].median()
    if cost.SCREEN in compared:
        screen, fanova = tau[cost.SCREEN], tau["fanova"]
        for n in (12, 24, 72):
            reached = fanova.index[fanova >= screen[n]]
            if not len(reached):
                needs = f"more than the {fanova.index[-1]:,} random trainings that were tried"
            elif reached[0] == fanova.index[0]:
                needs = f"no more than {reached[0]:,} random trainings, the fewest that were tried"
            else:
                needs = f"{reached[0]:,} random trainings"
            says.append(
                f"The screen's {n} trainings of one data set agree with the reference by "
                f"{screen[n]:.2f}; for as much, fANOVA needs {needs}."
            )
        says.append(
            "The screen compares two levels of each hyperparameter, near the quartiles of what "
            "random search draws: a hump between them is not seen ({doc}`screening`). And the "
            "comparison favours the others: their parts are taken from the trainings that the "
            "reference is made of, the screen's trainings are not among these."
        )
    else:
        says.append(
            "**Missing here:** the Plackett–Burman screen, which is not recorded: `hia study "
            "studies/screening.csv`, then `python studies/record_truth.py cost`."
        )
    refused = int((spent["problem"] != "").sum())
    if refused:
        says.append(
            f"In {refused} of {len(spent)} cases a method refused, mostly because all accuracies "
            "were the same; these count as no agreement."
        )
    says.append(
        "A method can settle early on a wrong ranking: the first part of this chapter says which "
        "ones come near the truth. `python studies/record_truth.py cost` computes this part."
    )
    show_text(" ".join(says))
