# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The data card
#
# **All {glue:text}`n_rows:,d` CNNs of the study are in one table, with all it takes to train
# each of them again. {glue:text}`n_again` drawn at random were trained again: every one reached its
# recorded accuracy, to the last bit.**
#
# This page offers the recorded tables, and says how they were made and what they are not.
# {doc}`data` shows what the CNNs achieved.
#
# :::{caption} table-card
# The table of trials at a glance.
# :::

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
verified = "data/verified.csv"  # those that were trained again

# %%
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd

from hia.datasets import FACTS
from hia.space import SPACE
from hia.trials import COLUMNS, KEYS, TABLES, load
from hia_book import published, recording
from hia_book.claims import claim, glue, need
from hia_book.figures import show_table, show_text

path = Path(trials)
table = load(path)
provenance_file = path.with_name("provenance.json")
need(provenance_file.is_file(), f"{provenance_file} is missing; `hia export` writes it")
provenance = json.loads(provenance_file.read_text("utf-8"))
sessions = provenance["sessions"]
present = [name for name in FACTS if name in set(table["dataset"])]
of_each = table.groupby("dataset")


def counts(values):
    """Every value with how often it occurs, the most frequent first."""
    return "; ".join(f"{value} ({count:,})" for value, count in values.value_counts().items())


started = sorted(session["started"][:10] for session in sessions)
days = " to ".join(dict.fromkeys([started[0], started[-1]]))
sources = counts(table["source"].map({"random": "Random search", "bohb": "BOHB"}))
digest = hashlib.sha256(path.read_bytes()).hexdigest()
facts = {
    "File": f"`{path.name}`, {recording.size(path)}, SHA-256 `{digest[:16]}…`",
    "Rows": f"{len(table):,}, one per trained CNN",
    "Data sets": f"{len(present)}: {', '.join(FACTS[name].label for name in present)}",
    "Source": f"{sources}; {{numref}}`fig-2` has them by data set",
    "Trained on": counts(table["processor"]),
    "Precision": counts(table["precision"]),
    "Time": f"{table['seconds'].sum() / 3600:.1f} hours of training, one core each",
    "Diverged": f"{table['diverged'].sum():,} CNNs had a training loss that was not finite",
    "Plan": f"`studies/{provenance['plan']}.toml`",
    "Recorded": f"in {len(sessions)} sessions, begun {days}",
    "Licence": "MIT, as the text and the code; images are not included",
}
show_table(facts.items(), "table-card", "What | Here")

# %% [markdown]
# ## What it is not
#
# - **Not the paper's data.** These CNNs were trained for this book, with the paper's search space,
#   data sets and searches as far as it describes them.
# - **Not on whole collections.** A CNN saw {glue:text}`share_min:.1%` (EMNIST) to
#   {glue:text}`share_max:.0%` (SEMEION) of the training images that the paper seems to have used
#   ({numref}`table-images`), so accuracies are lower. {doc}`noise` shows the effect on the order of
#   configurations.
# - **One seed per configuration.** No configuration occurs twice on a data set. {doc}`noise` says
#   how much of an accuracy is chance.
# - **Few validation images.** With {glue:text}`least_images:,d` to {glue:text}`most_images:,d` of
#   them, an accuracy of one half has a standard error of {glue:text}`error_min:.3f` to
#   {glue:text}`error_max:.3f`. All CNNs of a data set share these images, and there is no separate
#   test set, so the best of many rows looks better than it is.
# - **BOHB's rows are not independent.** BOHB goes where accuracies were high and stops CNNs early:
#   {glue:text}`stopped:.0%` of its CNNs had fewer than {glue:text}`longest:.0f` epochs.
#   {glue:text}`adam_bohb:.0%` of them use Adam ({glue:text}`adam_random:.0%` in random search), and
#   their median learning rate is {glue:text}`lr_bohb:.1e` ({glue:text}`lr_random:.1e`). Intervals
#   that assume independent draws hold only for random search's rows.
# - **Not an experiment on colour.** `in_channel_num` belongs to the data set: no data set occurs
#   with both one channel and three.
# - **Not the same everywhere.** Training again gives the same numbers to the last bit on the same
#   kind of processor with the same versions, and slightly different ones elsewhere.

# %%
whole = pd.Series({name: round(0.8 * FACTS[name].images) for name in present})
share = of_each["images"].max()[present] / whole
images = of_each["val_images"]
error = np.sqrt(0.25 / images.min())
of_source = {name: table[table["source"] == name] for name in ("random", "bohb")}
stopped = of_source["bohb"]["epoch"] < SPACE["epoch"].high
claim("EMNIST has the least share of its images", share.idxmin() == "emnist")
claim("SEMEION has the largest share of its images", share.idxmax() == "semeion")
claim("no configuration occurs twice", not table.duplicated(["dataset", *SPACE]).any())
channels = of_each["in_channel_num"]
claim("no data set has two numbers of channels", (channels.min() == channels.max()).all())
glue(n_rows=len(table), share=share.agg(["min", "max"]), least_images=images.min().min())
glue(most_images=images.max().max(), error=error.agg(["min", "max"]), stopped=stopped.mean())
glue(longest=SPACE["epoch"].high)
for name, rows in of_source.items():
    adam, median = (rows["optimizer"] == "Adam").mean(), 10 ** np.log10(rows["lr"]).median()
    glue(**{f"adam_{name}": adam, f"lr_{name}": median})

# %% [markdown]
# ## The files
#
# The book reads Parquet files, in `data/` and its folders. Tables of trained CNNs are also here as
# CSV: `accuracy_per_epoch` is a list in brackets, and missing values are empty.
#
# ```python
# import json
# import pandas as pd
#
# trials = pd.read_csv("trials.csv")
# curves = trials["accuracy_per_epoch"].map(json.loads)
# ```
#
# :::{caption} table-card-files
# The recorded tables.
# :::

# %%
files = recording.list_tables(path)
show_table(files, "table-card-files", "Table | What | Rows {:,} | Parquet | CSV")
claim("all that the book trained is recorded", len(files) == 1 + len(recording.TABLES))

# %% [markdown]
# ## Columns
#
# Loading the file checks types, ranges and consistency. The tables of experiments have the same
# columns where they apply, and those of {numref}`table-card-experiments`.
#
# :::{caption} table-card-columns
# The columns of the table of trials: what each is, its type, what is in it, and what Table 1 of the
# paper allows.
# :::
#
# :::{caption} table-card-experiments
# Further columns of the tables of experiments.
# :::


# %%
rows = []
for name, (dtype, text) in COLUMNS.items():
    about = f"{text} ({dtype})" if dtype != "object" else text
    allowed = published.allowed(name) if name in SPACE else ""
    rows.append((f"`{name}`", about, recording.describe(table[name]), allowed))
show_table(rows, "table-card-columns", "Column | What it is | In the file | Table 1")
rows = [
    (f"`{name}`", f"`{column}`", KEYS[column][1])
    for name, key in TABLES.items()
    for column in key
    if column not in COLUMNS
]
show_table(rows, "table-card-experiments", "Table | Column | What it is")

# %% [markdown]
# ## How it was made
#
# A plan says how many CNNs to train on how many images of each data set. Of every ten trials on a
# data set, seven are random search and three BOHB. Random search draws configuration number `trial`
# from its own stream of random numbers, uniformly over Table 1 (`lr` on a log scale). So it does
# not matter when and where a trial runs, and a resumed study draws the same configurations. BOHB
# proposes by the results so far, always aiming at ten epochs, and may be stopped after each. The
# data set and the trial's number determine the `seed`.
#
# So any row can be trained again. {numref}`table-card-verified` lists those that `hia verify
# --sample` drew from the finished table ({doc}`rerun`).
#
# :::{caption} table-card-verified
# The CNNs that were trained again, by their numbers, and how many came out the same.
# :::
#
# :::{caption} table-card-sessions
# The sessions in which the CNNs were trained; one that was interrupted is followed by one that goes
# on.
# :::
#
# :::{caption} table-card-images
# The image files; `{glue:text}`provenance_file`` has the whole hashes.
# :::

# %%
key = {"left_on": ["dataset", "trial", "recorded"], "right_on": ["dataset", "trial", "accuracy"]}
again = pd.read_csv(verified).merge(table, **key)
each = again.groupby("dataset", sort=False)
columns = {"Trials": each["trial"].agg(lambda own: ", ".join(map(str, own)))}
columns |= {"Trained again": each.size(), "The same": each["exact"].sum()}
show_table(pd.DataFrame(columns), "table-card-verified")
claim("CNNs of this table were trained again", len(again) > 0)
claim("all CNNs trained again came out the same to the last bit", again["exact"].all())
same = [{"cores": one["cores"], "python": one["python"], **one["versions"]} for one in sessions]
claim("all sessions had the same machine and versions", all(one == same[0] for one in same))
versions = {name.replace("-", "_"): version for name, version in sessions[0]["versions"].items()}
first = {name: sessions[0][name] for name in ("workers", "cores", "python")}
glue(n_again=len(again), provenance_file=provenance_file.name, **first, **versions)
rows = []
for session in sessions:
    begun, commit = pd.Timestamp(session["started"]), session["commit"] or "unknown"
    changed = ", changed" if commit.endswith("-dirty") else ""
    rows.append((f"{begun:%Y-%m-%d %H:%M %Z}", f"{commit[:10]}{changed}"))
show_table(rows, "table-card-sessions", "Begun | Commit")
hashes = {(name, sha) for session in sessions for name, sha in session["data_sha256"].items()}
hashes = sorted(hashes, key=lambda pair: (list(FACTS).index(pair[0]), pair))
rows = [(FACTS[name].label, f"`{sha[:16]}`") for name, sha in hashes]
show_table(rows, "table-card-images", "Data set | SHA-256 begins")
# Those that stood in for downloads, by how their SHA-256 begins.
SPECIAL = {"emnist": "7b8a23c06976", "svhn": "8b2d2dd2266b", "usps": "c19aaf77e108"}
described = set(SPECIAL.values()) <= {sha[:12] for _, sha in hashes}
claim("the image files of EMNIST, SVHN and USPS are those described", described)
plan = f"```toml\n{provenance['plan_text'].strip()}\n```"
show_text(f"~~~{{dropdown}} The plan, as it was recorded\n{plan}\n~~~")

# %% [markdown]
# Three image files differ from the usual ones. EMNIST's mixes images of the Balanced split with
# images of the same 47 classes from the ByMerge test split (Balanced is a part of ByMerge). SVHN's
# has digits cut from full house-number images by their published boxes, as the official crops were,
# so neighbouring digits can overlap. USPS's grey values are rounded to 8 bits.
#
# All sessions had {glue:text}`workers` workers on {glue:text}`cores` cores, with Python
# {glue:text}`python`, NumPy {glue:text}`numpy`, Optuna {glue:text}`optuna`, scikit-learn
# {glue:text}`scikit_learn` and PyTorch {glue:text}`torch`.
#
# ## How long it took
#
# All trainings took {glue:text}`hours:.1f` hours by the clock, for {glue:text}`millions:,.0f`
# million images. Every CNN had one core and shared the machine with others, so times of single rows
# are no benchmark. Processor time is not affected; {glue:text}`n_measured:,d` rows have it.
#
# :::{caption} table-card-time
# Time of all trainings, validation included, by the clock and of the processor; seconds of a single
# CNN; and training images that went through CNNs, epochs counted.
# :::

# %%
images = table["images"] * table["epoch"]
hours = of_each[["seconds", "cpu_seconds"]].sum(min_count=1) / 3600
duration = hours.join(of_each["seconds"].agg(["median", "max"]))
duration["images"] = images.groupby(table["dataset"]).sum() / 1e6
headings = "Hours {:.2f} | Processor hours {:.2f} | Seconds, median {:.2f} | "
headings += "Seconds, longest {:,.1f} | Million images {:,.1f}"
show_table(duration.loc[present], "table-card-time", headings)
glue(hours=table["seconds"].sum() / 3600, millions=images.sum() / 1e6)
glue(n_measured=table["cpu_seconds"].notna().sum())
