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
# **To share a study, run the same command on every machine that reaches one PostgreSQL server. One
# machine needs no server: through a journal file, {glue:text}`workers` workers that trained nothing
# finished {glue:text}`journal:,.0f` trials a second on {glue:text}`cores` cores.**
#
# The *storage* holds all trials; by default it is a journal file under `runs/`.
# {numref}`table-together` has what we measured, {numref}`table-limits` what follows.
#
# ## The commands
#
# ### A server
#
# Any PostgreSQL will do. On Debian and its relatives, as root on the server, with your own name and
# network:
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
# MySQL and MariaDB also work, by a URL such as `mysql+pymysql://hia@server/hia`. Tests start a
# PostgreSQL and a MariaDB server, let machines join, and kill some.
#
# ### The same command everywhere
#
# Each machine needs this project, set up by `make`. The URL can omit the password if PostgreSQL's
# own `~/.pgpass` or `PGPASSWORD` has it.
#
# ```
# hia study studies/paper.toml --storage postgresql://hia@server/hia --workers 8
# ```
#
# The first machine that runs it starts eight workers. Any other machine that runs it joins in, at
# any time. A worker enters in the storage which CNN it begins, and trains it. If two begin the same
# one, the later gives it up and takes another. In each command a coordinator counts what is left
# and frees what a dead worker had begun. Every command ends when the whole study has finished.
#
# A killed worker is replaced. If a machine fails, its trials fall silent; after two and a half
# minutes another machine declares them dead and they are trained again. Ctrl-C on one machine ends
# only that machine's workers. If the server restarts, all wait for about a minute.
#
# Random search gives the same rows whichever machine trains them, if all have the same kind of
# processor. BOHB learns from what has finished, so its configurations depend on the order.
#
# When the study is done, or earlier, any machine can write the table:
#
# ```
# hia export studies/paper.toml --storage postgresql://hia@server/hia --to data
# ```
#
# The storage is an ordinary one of Optuna's, with an Optuna study for each data set and search: its
# dashboard shows it, and `hia rank` reads it.
#
# ```
# hia rank runs/first.journal --study mnist/random
# ```
#
# ### GPUs
#
# ```
# hia study studies/paper.toml --device cuda --workers-per-device 4 --storage postgresql://hia@server/hia
# ```
#
# starts four processes on each GPU of the machine; `CUDA_VISIBLE_DEVICES` narrows this. One of
# these small CNNs leaves a large GPU mostly idle, so several share it.

# %% [markdown]
"""
### Slurm

A job array starts the same command in every task. Late tasks join in; tasks that are preempted and
requeued continue:

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

With `exec`, Slurm's signal at the time limit reaches the command itself, which then ends cleanly.
With GPUs, use `--gres=gpu:2` and `--workers-per-device 4` instead of `--workers 8`. `sbatch` with
the same file again continues where the array ended.
"""

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, whose times are those of the trainings
storage = "data/storage.json"  # what a storage costs: benchmarks/bench_storage.py writes it
models = 1_000_000  # CNNs of the study on paper; at least 1
cores = 8  # of the PostgreSQL server on paper; at least 1

# %%
from pathlib import Path

import pandas as pd

from hia.trials import load
from hia_book import recording
from hia_book.claims import claim, glue, need
from hia_book.figures import show_table

NAMES = {"journal": "Journal file", "postgresql": "PostgreSQL"}
need(Path(storage).is_file(), f"{storage} is missing; benchmarks/bench_storage.py writes it")
measured = recording.read_note(storage)
cost = pd.DataFrame(measured["trial"]).replace({"storage": NAMES}).astype({"server_ms": float})
seconds = load(trials)["seconds"].mean()
glue(cores=measured["cores"], models=models, n_cores_asked=cores)

# %% [markdown]
# ## How far a storage carries
#
# A trial costs its worker processor time, mostly in the library between Python and the storage
# ({numref}`table-storage`), and costs a PostgreSQL server processor time too. A journal file has no
# server, but only one process at a time can write, which sets its limit. Beyond a few hundred
# workers, put Optuna's `run_grpc_proxy_server` in front of the server. All measurements used
# trainings that take no time.
#
# :::{caption} table-storage
# Processor time of a trial of random search in a storage that already holds so many of its data
# set: of its worker, of the server, of all that writes, and of a look of the coordinator. The first
# look is what a coordinator reads when it starts; kB is the space of a finished trial.
# :::
#
# :::{caption} table-limits
# Where the storage is the limit, PostgreSQL's with {glue:text}`n_cores_asked` cores. Workers: as
# many as it takes to reach it with trainings of {glue:text}`seconds:.1f` s, the mean of the
# recorded study. Worker's share: of its time, what goes to the storage. GB: what
# {glue:text}`models:,` CNNs take.
# :::

# %%
headings = "Storage | Finished {:,d} | Worker, ms {:.1f} | Server, ms {:.1f} | "
headings += "Writing, ms {:.1f} | Coordinator, ms {:.1f} | First look, s {:.2f} | kB {:.1f}"
shown = ["storage", "finished", "worker_ms", "server_ms", "writes_ms", "poll_ms", "first_poll_s"]
table = cost[shown].assign(kB=cost["kB"].where(cost["finished"] > 0))
show_table(table, "table-storage", headings)

# %%
largest = cost[cost["finished"] == cost["finished"].max()]
one_at_a_time = (largest["server_ms"] / cores).fillna(largest["writes_ms"])
worker = largest["worker_ms"] / 1e3
limits = largest[["storage"]].assign(trials=1e3 / one_at_a_time)
limits["workers"] = limits["trials"] * (seconds + worker)
limits["share"] = worker / (seconds + worker)
limits["GB"] = models * largest["kB"] / 1e6
headings = "Storage | Trials a second {:,.0f} | Workers {:,.0f} | Worker's share {:.1%} | GB {:.1f}"
show_table(limits, "table-limits", headings)
week = 7 * 24 * 3600
glue(hours=models * seconds / 3600, for_a_week=models * seconds / week, wanted=models / week)

# %% [markdown]
# Training {glue:text}`models:,d` CNNs like ours takes {glue:text}`hours:,.0f` hours on one core: a
# week for {glue:text}`for_a_week:,.0f` workers, who finish {glue:text}`wanted:.1f` trials a second.
# A journal file can handle that.
#
# Workers that train nothing wait for each other, the coordinator and the server:
# {numref}`table-together` has what they finish on the {glue:text}`cores` cores of our machine. The
# limits above are calculated from the costs of each.
#
# :::{caption} table-together
# Trials that workers finish together when they train nothing.
# :::

# %%
together = pd.DataFrame(measured["together"])
best = together[together["storage"] == "journal"].nlargest(1, "per_second").iloc[0]
claim("what was measured carries a million CNNs in a week", best["per_second"] > 2 * models / week)
glue(journal=best["per_second"], workers=best["workers"])
together["storage"] = together["storage"].map(NAMES)
show_table(together, "table-together", "Storage | Workers | Trials a second {:.0f}")
proposal = pd.DataFrame(measured["proposal"]).sort_values("finished")
first, last = proposal.iloc[0], proposal.iloc[-1]
learned_from = 0.3 * models / 10
proposing = last["proposal_ms"] / last["finished"] * learned_from / 1e3
glue(first=first["proposal_ms"], first_after=first["finished"], last=last["proposal_ms"])
glue(last_after=last["finished"], learned_from=learned_from, proposing=proposing, seconds=seconds)
claim("BOHB's proposals grow dearer", proposal["proposal_ms"].is_monotonic_increasing)
claim("in a million CNNs a proposal costs a tenth of a training or more", proposing > seconds / 10)

# %% [markdown]
# ### BOHB
#
# **For a very large study, use random search alone, or more data sets with fewer trials each.**
# BOHB's proposals take longer the more trials they learn from: {glue:text}`first:.0f` ms after
# {glue:text}`first_after:,.0f` trials of a data set, {glue:text}`last:.0f` ms after
# {glue:text}`last_after:,.0f`. With {glue:text}`models:,d` CNNs on ten data sets, BOHB would learn
# from up to {glue:text}`learned_from:,.0f` trials of one. By the line through the last measurement,
# a proposal then takes {glue:text}`proposing:.1f` s of its worker's time, beside
# {glue:text}`seconds:.1f` s of training. Every worker keeps these trials in memory.
#
# ### What this leaves out
#
# We did not measure MySQL and MariaDB, disks that are slow to confirm writes, or the network, which
# each trial crosses some tens of times. Nor did we measure GPUs: trainings are shorter on them, so
# each worker asks more of the storage. `benchmarks/bench_storage.py` repeats the measurement on
# your own machine.
