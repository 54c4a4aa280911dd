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
# What the recorded tables are, how they were made, what they are not, and the files themselves.
# What the CNNs achieved is in {doc}`data`.

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each

# %%
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd

from hia.datasets import FACTS
from hia.space import SPACE
from hia.study import records
from hia.trials import COLUMNS, load
from hia_book.figures import show_table, show_text, use_style

use_style()
table = load(trials)
present = [name for name in FACTS if name in set(table["dataset"])]
provenance_file = Path(trials).with_name("provenance.json")
provenance = json.loads(provenance_file.read_text("utf-8")) if provenance_file.is_file() else {}
sessions = provenance.get("sessions", [])
LABELS = {"random": "Random search", "bohb": "BOHB"}


def size(path: Path) -> str:
    return f"{path.stat().st_size / 1e3:,.0f} kB"


def counted(values: pd.Series) -> str:
    """Every value with how often it occurs, the most frequent first."""
    return "; ".join(f"{value} ({count:,})" for value, count in values.value_counts().items())


# %% [markdown]
# ## At a glance

# %%
facts = {
    "File": f"`{Path(trials).name}`, {size(Path(trials))}, SHA-256 "
    f"`{hashlib.sha256(Path(trials).read_bytes()).hexdigest()[:16]}…`",
    "Rows": f"{len(table):,}, one per trained CNN",
    "Data sets": f"{len(present)}: " + ", ".join(FACTS[name].label for name in present),
    "Source": f"{counted(table['source'].map(LABELS))}; {{numref}}`fig-2` has them by data set",
    "Trained on": counted(table["processor"]),
    "Precision": counted(table["precision"]),
    "Time": f"{table['seconds'].sum() / 3600:.1f} hours of training, one core each",
    "Diverged": f"{table['diverged'].sum():,} CNNs had a training loss that was not finite",
}
if sessions:
    started = sorted(session["started"][:10] for session in sessions)
    facts["Plan"] = f"`studies/{provenance['plan']}.toml`"
    facts["Recorded"] = f"in {len(sessions)} session" + ("s" if len(sessions) > 1 else "")
    facts["Recorded"] += f", begun {' to '.join(dict.fromkeys([started[0], started[-1]]))}"
facts["Licence"] = "MIT, as the text and the code; images are not included"
show_table(
    pd.DataFrame({"What": facts.keys(), "Here": facts.values()}),
    "table-card",
    "The table of trials at a glance.",
)

# %% [markdown]
# ## The files
#
# The book is built from Parquet files. Those with trained CNNs are here as CSV, for any program;
# in these, `accuracy_per_epoch` is a list in brackets, and what is missing is empty.

# %%
# Only the project's own tables, which are the same whoever builds the page: a rerun with another
# table does not change what the book offers.
FOLDER, SERVED = Path("data"), Path("book/_static/data")


def offer(path: Path) -> Path:
    """The table as a CSV file beside the pages; written anew only where it changed."""
    rows = pd.read_parquet(path)
    rows["accuracy_per_epoch"] = [json.dumps(list(one)) for one in rows["accuracy_per_epoch"]]
    csv = (SERVED / path.name).with_suffix(".csv")
    content = rows.to_csv(index=False).encode()
    if not csv.is_file() or csv.read_bytes() != content:
        SERVED.mkdir(parents=True, exist_ok=True)
        csv.write_bytes(content)
    return csv


files = [(Path(trials), "the study: all that this page is about", len(table))]
missing = []
for name, about in {
    "replicates": "configurations of the study, trained again with other seeds",
    "scaling": "configurations of the study, trained on fewer and on more images",
    "precision": "configurations of the study, trained again in bfloat16",
    "screening": "runs of a Plackett-Burman design, with several seeds each",
}.items():
    path = Path(trials).with_name(f"{name}.parquet")
    if path.is_file():
        files.append((path, about, len(records.load(name, path))))
    else:
        missing.append(f"`{path.name}` ({about}; `hia study studies/{name}.csv` makes it)")
own = Path(trials).parent == FOLDER
show_table(
    pd.DataFrame(
        [
            {"File": f"`{path.name}`", "What": about, "Rows": rows, "Parquet": size(path)}
            | (
                {"CSV": f'<a href="_static/data/{csv.name}" download>{csv.name}</a>, {size(csv)}'}
                if own and (csv := offer(path))
                else {}
            )
            for path, about, rows in files
        ]
    ),
    "table-card-files",
    "The recorded tables."
    + ("" if own else " Only the project's own are offered as CSV, not those of other folders."),
    formats={"Rows": ","},
)
if missing:
    show_text(f"Not recorded yet: {', '.join(missing)}.")

# %% [markdown]
# ```python
# import json
# import pandas as pd
#
# trials = pd.read_csv("trials.csv")
# curves = trials["accuracy_per_epoch"].map(json.loads)
# ```

# %% [markdown]
# ## Columns


# %%
def allowed(name: str) -> str:
    """What Table 1 allows."""
    row = SPACE.get(name)
    if row is None:
        return ""
    if row.choices is not None:
        return ", ".join(map(str, row.choices))
    return f"{row.low:g} to {row.high:g}" + (", log scale" if row.log else "")


def found(name: str) -> str:
    """What is in the file: the values where they are few, else the ends."""
    values = table[name].dropna()
    if name == "accuracy_per_epoch":
        return f"lists of {values.map(len).min()} to {values.map(len).max()}"
    distinct = sorted(values.unique())
    if len(distinct) <= 4 or isinstance(distinct[0], str):
        shown = ", ".join(map(str, distinct[:4]))
        shown += f" and {len(distinct) - 4} more" if len(distinct) > 4 else ""
    else:
        kind = ",d" if pd.api.types.is_integer_dtype(values) else ".4g"
        shown = f"{distinct[0]:{kind}} to {distinct[-1]:{kind}}"
    absent = len(table) - len(values)
    return "; ".join(filter(None, [shown, f"missing in {absent:,}" if absent else ""]))


show_table(
    pd.DataFrame(
        [
            {
                "Column": f"`{name}`",
                "What it is": text + (f" ({dtype})" if dtype != "object" else ""),
                "In the file": found(name),
                "Table 1": allowed(name),
            }
            for name, (dtype, text) in COLUMNS.items()
        ]
    ),
    "table-card-columns",
    "The columns of the table of trials: what each is and its type, what is in it, and what Table "
    "1 of the paper allows. Every load of the file checks types, ranges and what hangs together.",
)
extra = [
    f"`{column}` in `{name}`: {records.KEYS[column][1]}"
    for name, kind in records.TABLES.items()
    for column in kind.key
    if column not in COLUMNS
]
show_text(
    "The tables of the experiments have the same columns, as far as they apply, and: "
    f"{'; '.join(extra)}."
)

# %% [markdown]
# ## How it was made
#
# A plan says how many CNNs are trained on how many images of each data set. Of every ten trials of
# a data set seven are random search and three BOHB. Random search draws configuration number
# `trial` from a stream of random numbers of its own, uniformly over Table 1 (`lr` on the
# logarithm), so that it does not matter when and where a trial runs, and a study that goes on
# draws the same. BOHB proposes by the results so far, always with ten epochs in view, and may be
# stopped after each. A `seed` follows from the data set and the trial's number; so a row can be
# trained again, which `hia verify` does ({doc}`rerun`).

# %%
if (path := Path(trials).with_name("verified.csv")).is_file():
    again = pd.read_csv(path).merge(table, on=["dataset", "trial"], how="left")
    if (again["recorded"] == again["accuracy"]).all():  # and not of another table
        exact = again["exact"].sum()
        show_text(
            f"Of {len(again)} CNNs drawn at random from the finished table and trained again, "
            f"{'all' if exact == len(again) else exact} had the recorded accuracy in every epoch, "
            "to the last bit."
            + (
                ""
                if exact == len(again)
                else f" The others differ at the end by {again['difference'].max():.3f} at most."
            )
            + f" The command was `hia verify --sample {len(again)} --to data/verified.csv`."
        )
        each = again.groupby("dataset", sort=False)
        show_table(
            pd.DataFrame(
                {
                    "Data set": [FACTS[str(name)].label for name in each.groups],
                    "Trials": each["trial"].agg(lambda own: ", ".join(map(str, own))).to_numpy(),
                    "Trained again": each.size().to_numpy(),
                    "The same": each["exact"].sum().to_numpy(),
                }
            ),
            "table-card-verified",
            "The CNNs that were trained again, by their numbers, and how many came out the same.",
        )

# %%
if provenance:
    plan = f"```toml\n{provenance['plan_text'].strip()}\n```"
    show_text(f"~~~{{dropdown}} The plan, as it was recorded\n{plan}\n~~~")
    rows = pd.DataFrame(
        [
            {
                "Begun": f"{pd.Timestamp(session['started']):%Y-%m-%d %H:%M %Z}",
                "Workers": session["workers"],
                "Cores": session["cores"],
                "Processor": session["processor"],
                "Python": session["python"],
                **session["versions"],
                "Commit": (session["commit"] or "unknown")[:10]
                + (", changed" if str(session["commit"]).endswith("-dirty") else ""),
            }
            for session in sessions
        ]
    )
    same = [name for name in rows.columns[1:] if (rows[name] == rows[name].iloc[0]).all()]
    show_table(
        rows.drop(columns=same),
        "table-card-sessions",
        "The sessions in which the CNNs were trained; one that was interrupted is followed by one "
        "that goes on."
        + (" The same in all: " if same else "")
        + ", ".join(f"{name} {rows[name].iloc[0]}" for name in same)
        + ("." if same else ""),
    )
    hashes = {(name, sha) for session in sessions for name, sha in session["data_sha256"].items()}
    show_table(
        pd.DataFrame(
            [
                {"Data set": FACTS[name].label, "SHA-256 begins": f"`{sha[:16]}`"}
                for name, sha in sorted(hashes, key=lambda pair: (list(FACTS).index(pair[0]), pair))
            ]
        ),
        "table-card-images",
        f"The image files; `{provenance_file.name}` has the whole hashes. What is special about "
        "some of the files is in {doc}`data`.",
    )
else:
    show_text(
        f"**Missing here:** `{provenance_file}`, which says with which plan, versions and images "
        "the table was made. `hia export` writes it beside the table."
    )

# %% [markdown]
# ## How long it took

# %%
of_each = table.groupby("dataset")
seen = table["images"] * table["epoch"]
measured = table["cpu_seconds"].notna()
duration = pd.DataFrame(
    {
        "Hours": of_each["seconds"].sum() / 3600,
        "Processor hours": of_each["cpu_seconds"].sum(min_count=1) / 3600,
        "Seconds, median": of_each["seconds"].median(),
        "Seconds, longest": of_each["seconds"].max(),
        "Million images": seen.groupby(table["dataset"]).sum() / 1e6,
    }
).loc[present]
duration.insert(0, "Data set", [FACTS[name].label for name in present])
show_table(
    duration,
    "table-card-time",
    "Time of all trainings, validation included, by the clock; time of the processor, which other "
    f"programs do not lengthen and which {measured.sum():,} of {len(table):,} rows have; seconds "
    "of a single CNN; and training images that went through CNNs, epochs counted.",
    formats=dict.fromkeys(duration.columns[1:4], ".2f")
    | dict.fromkeys(duration.columns[4:], ",.1f"),
)
show_text(
    f"Together {table['seconds'].sum() / 3600:.1f} hours by the clock, in which "
    f"{seen.sum() / 1e6:,.0f} million images went through the CNNs. Every CNN had one core, and "
    "other programs, the other CNNs among them, beside it: times of single rows are no benchmark."
)

# %% [markdown]
# ## What it is not

# %%
ours = of_each["images"].max()[present]
whole = pd.Series({name: round(0.8 * FACTS[name].images) for name in present})
share = ours / whole
hyperparameters = ["dataset", *SPACE]
repeated = int(table.duplicated(hyperparameters).sum())
bohb, random = (table[table["source"] == source] for source in ("bohb", "random"))
stopped = (bohb["epoch"] < SPACE["epoch"].high).mean() if len(bohb) else np.nan
error = np.sqrt(0.25 / of_each["val_images"].min()[present])
both_channels = (of_each["in_channel_num"].max() > of_each["in_channel_num"].min()).sum()
points = [
    "**Not the paper's data.** No row is the paper's. These CNNs were trained for this book, with "
    "the paper's search space, data sets and methods of search as far as it describes them.",
    f"**Not on whole collections.** A CNN saw {share.min():.1%} ({FACTS[share.idxmin()].label}) "
    f"to {share.max():.0%} ({FACTS[share.idxmax()].label}) of the training images that the paper, "
    "as far as it says, used ({numref}`table-images`). Accuracies are lower for that. {doc}`noise` "
    "shows what the number of images does to the order of configurations.",
    f"**One seed per configuration.** {repeated or 'No'} configuration"
    + ("s occur" if repeated > 1 else " occurs")
    + " again within a data set. What part of a row is chance is in {doc}`noise`.",
    "**Accuracy on few validation images.** With its "
    f"{of_each['val_images'].min().min():,} to {of_each['val_images'].max().max():,} validation "
    f"images a CNN's accuracy has a standard error of {error.min():.3f} to {error.max():.3f} at "
    "worst, when it is one half. All CNNs of a data set share these images. There is no separate "
    "test set: the best of many rows looks better than it is.",
]
if len(bohb) and len(random):
    adam = [(rows["optimizer"] == "Adam").mean() for rows in (random, bohb)]
    rate = [10 ** np.log10(rows["lr"]).median() for rows in (random, bohb)]
    points.append(
        "**BOHB's rows are not independent.** Random search draws each configuration without a "
        "look at the others; BOHB goes where accuracies were high, and stops CNNs early: "
        f"{stopped:.0%} of its CNNs had fewer than {SPACE['epoch'].high:g} epochs. {adam[1]:.0%} "
        f"of its CNNs have Adam ({adam[0]:.0%} of random search's), and the median learning rate "
        f"is {rate[1]:.1e} ({rate[0]:.1e}). Intervals that take rows for independent draws hold "
        "for random search's rows only."
    )
points += [
    "**Not an experiment on colour.** `in_channel_num` belongs to the data set: "
    + (
        "no data set occurs with one channel and with three."
        if not both_channels
        else f"only {both_channels} of {len(present)} data sets occur with one channel and three."
    ),
    "**Not the same everywhere.** Training again gives the same numbers to the last bit on the "
    "same kind of processor with the same versions, and slightly other ones elsewhere.",
]
show_text("\n".join(f"- {point}" for point in points))
