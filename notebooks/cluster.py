# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Many machines
#
# A study lives in one place, its *storage*. By default that is a journal file under `runs/`, which
# serves the processes of one machine. In a PostgreSQL server it serves as many machines as
# reach the server: each runs the same command, and they share the work. This page has the commands.
#
# ## The commands
#
# ### A server
#
# Any PostgreSQL will do. On Debian and its relatives, as root on the machine that is to be the
# server, with the name and network of your own:
#
# ```
# apt-get install postgresql
# su postgres -c "createuser --pwprompt hia"
# su postgres -c "createdb --owner=hia hia"
# ```
#
# Then let the machines in: `listen_addresses = '*'` in `postgresql.conf`, and a line such as `host
# hia hia 10.0.0.0/16 scram-sha-256` in `pg_hba.conf`. A worker holds two connections at most and a
# coordinator one, so `max_connections`, 100 by default, should be over twice the number of workers.
#
# MySQL and MariaDB serve as well, by a URL such as `mysql+pymysql://hia@server/hia`. Tests start a
# PostgreSQL and a MariaDB server, let machines join and kill some.
#
# ### The same command everywhere
#
# The machines need this project, set up by `make`. The password can be left out of the URL:
# PostgreSQL's own `~/.pgpass` or `PGPASSWORD` give it.
#
# ```
# hia study studies/paper.toml --storage postgresql://hia@server/hia --workers 8
# ```
#
# The first machine that runs it fills the queue and starts eight workers. The second does the same
# and joins in; so does any other, at any time. Each command has a coordinator, which keeps trials
# queued and counts what is left, and workers, which take them. They need not know of each other: a
# queued trial is taken once, and what two coordinators queue twice is trained once. Every command
# ends when the whole study has finished.
#
# A worker that is killed is replaced. A machine that fails leaves trials of which nothing is
# heard; after two and a half minutes another machine takes them for dead, and they are trained
# anew. Ctrl-C on one machine ends the workers of that machine. If the server restarts, all wait
# for about a minute.
#
# Random search gives the same rows whichever machine trains what, as far as they have the same kind
# of processor. BOHB learns from what has finished, so its configurations depend on the order.
#
# When the study is done, or before, any machine writes the table:
#
# ```
# hia export studies/paper.toml --storage postgresql://hia@server/hia --to data
# ```
#
# ### GPUs
#
# ```
# hia study studies/paper.toml --device cuda --workers-per-device 4 --storage postgresql://hia@server/hia
# ```
#
# starts four processes on each GPU that the machine has; `CUDA_VISIBLE_DEVICES` narrows that. One
# of these small CNNs leaves a large GPU mostly idle, so several share it.

# %% [markdown]
"""
### Slurm

A job array starts the same command in every task. Tasks that start late join in, and tasks that
are preempted and requeued go on:

```
#!/bin/bash
#SBATCH --job-name=hia
#SBATCH --array=0-15
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=12:00:00
#SBATCH --requeue
exec hia study studies/paper.toml --storage postgresql://hia@server/hia --workers 8
```

`exec` makes the command itself what Slurm signals at the time limit; it then ends cleanly. With
GPUs, `--gres=gpu:2` and `--workers-per-device 4` take the place of `--workers 8`. `sbatch` with
the same file again goes on where the array ended.
"""

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, whose times are those of the trainings
storage = "data/storage.json"  # what a storage costs: benchmarks/bench_storage.py writes it
models = 1_000_000  # CNNs of the study on paper; at least 1
cores = 8  # of the PostgreSQL server on paper; at least 1

# %%
import json
from pathlib import Path

import pandas as pd

from hia.trials import load
from hia_book.figures import show_table, show_text, use_style

use_style()
NAMES = {"journal": "Journal file", "postgresql": "PostgreSQL"}
# There is no such section before it has been measured.
measured = None
if Path(storage).is_file():
    measured = json.loads(Path(storage).read_text(encoding="utf-8"))
    show_text(
        "## How far a storage carries\n\n"
        "What follows was measured with trainings that take no time. A trial costs its worker "
        "processor time, most of it in the library between Python and the database. It costs a "
        "PostgreSQL server processor time, too. A journal file has no server, but only one process "
        "at a time can write: what all workers write, one after the other, is its limit. Past a "
        "few hundred workers, Optuna's `run_grpc_proxy_server` stands before the server."
    )

# %%
if measured:
    cost = pd.DataFrame(measured["trial"])
    show_table(
        pd.DataFrame(
            {
                "Storage": cost["storage"].map(NAMES),
                "Finished": cost["finished"],
                "Worker, ms": cost["worker_ms"],
                "Server, ms": cost["server_ms"].astype(float),
                "Writing, ms": cost["writes_ms"],
                "Coordinator, ms": cost["poll_ms"],
                "First look, s": cost["first_poll_s"],
                "kB": cost["kB"].where(cost["finished"] > 0),
            }
        ),
        "table-storage",
        "Processor time that a trial of random search costs in a storage that already holds so "
        "many of its data set, on one core of "
        f"{measured['processor'].partition(',')[0]}: of its worker, of the server, of all that "
        "writes, and of the coordinator that queues it. The first look is what a coordinator reads "
        "when it starts; kB is the space of a finished trial.",
        formats={"Finished": ",d", "First look, s": ".2f", "kB": ".1f"}
        | dict.fromkeys(("Worker, ms", "Server, ms", "Writing, ms", "Coordinator, ms"), ".1f"),
    )

    seconds = load(trials)["seconds"].mean()
    largest = cost[cost["finished"] == cost["finished"].max()].set_index("storage")
    limits = []
    for kind, row in largest.iterrows():
        one_at_a_time = row["writes_ms"] if kind == "journal" else row["server_ms"] / cores
        per_second = 1e3 / one_at_a_time
        limits.append(
            {
                "Storage": NAMES[kind],
                "Trials a second": per_second,
                "Workers": per_second * (seconds + row["worker_ms"] / 1e3),
                "Worker's share": row["worker_ms"] / 1e3 / (seconds + row["worker_ms"] / 1e3),
                "GB": models * row["kB"] / 1e6,
            }
        )
    table = pd.DataFrame(limits)
    show_table(
        table,
        "table-limits",
        f"Where the storage is the limit, PostgreSQL's with {cores} cores. Workers: as many as it "
        f"takes to reach it with trainings of {seconds:.1f} s, the mean of the recorded study. "
        f"Worker's share: of its time, what goes to the storage. GB: what {models:,} CNNs take.",
        formats={
            "Trials a second": ",.0f",
            "Workers": ",.0f",
            "Worker's share": ".1%",
            "GB": ".1f",
        },
    )

    paragraphs = []
    together = pd.DataFrame(measured["together"], columns=["storage", "workers", "per_second"])
    for kind, rows in together.groupby("storage", sort=False):
        paragraphs.append(
            f"**{NAMES[kind]}, workers that train nothing,** with their coordinator on "
            f"{measured['cores']} cores: "
            + ", ".join(
                f"{row.per_second:.0f} trials a second with {row.workers}"
                for row in rows.itertuples()
            )
            + ". On these cores server, coordinator and workers wait for each other; the limits "
            "above are calculated from what each of them costs."
        )
    proposal = pd.DataFrame(measured["proposal"])
    last = proposal.iloc[-1]
    paragraphs.append(
        "**BOHB's proposals** grow dearer with what they learn from: "
        + ", ".join(
            f"{row.proposal_ms:.0f} ms after {row.finished:,.0f} trials"
            for row in proposal.itertuples()
        )
        + " of the same data set."
    )
    hours = models * seconds / 3600
    week = 7 * 24
    lines = [
        f"**{models:,} CNNs** like those recorded are {hours:,.0f} hours of training on one core: "
        f"{hours / week:,.0f} workers for a week, {models / week / 3600:.1f} trials a second."
    ]
    for row in table.itertuples():
        wanted = models / week / 3600
        verdict = "carries that" if row[2] > 2 * wanted else "would be near or over its limit"
        lines.append(f"{row.Storage}, at {row[2]:,.0f} trials a second, {verdict}.")
    bohb = 0.3 * models / 10
    slope = last["proposal_ms"] / last["finished"]
    proposing = slope * bohb / 1e3
    lines.append(
        f"With ten data sets, BOHB would learn from up to {bohb:,.0f} trials of one: by the line "
        f"through the last measurement a proposal then takes {proposing:.1f} s of its worker, next "
        f"to {seconds:.1f} s of training, and every worker keeps these trials in memory. "
        + (
            "So such a study would do better with random search alone, or with more data sets and "
            "fewer trials of each."
            if proposing > seconds / 10
            else "That is a small part of the training."
        )
    )
    paragraphs.append(" ".join(lines))
    show_text("\n\n".join(paragraphs))
    show_text(
        "What this leaves out: MySQL and MariaDB; the network between worker and server, some tens "
        "of round trips a trial; disks that are slow to confirm what is written; and GPUs, where a "
        "training is shorter and a given number of workers asks more of the storage. The "
        "measurement is repeated on a machine of one's own with `benchmarks/bench_storage.py`."
    )
