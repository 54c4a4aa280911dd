# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The paper, item by item
#
# **This book recomputes all {glue:text}`n_items` figures and tables of the paper, its algorithm and
# its {glue:text}`n_equations` equations. {glue:text}`n_compared` of the figures and tables are
# compared with the paper's.**
#
# Figures and tables of the paper keep its numbers; the numbers of all others begin with S. This
# page is made last, from the other pages as they were computed. Only the paper's captions are typed
# in.
#
# :::{caption} table-items
# The figures and tables of the paper, and how far ours agree with them.
# :::

# %% tags=["parameters"]
folder = "book"  # of the executed pages, and of the table of contents

# %%
import re
from itertools import chain
from pathlib import Path

import nbformat
import pandas as pd

from hia_book.claims import agreements, claim, glue, labels, need, prose, shown
from hia_book.figures import show_table, show_text

LISTS = ("items", "claims")  # made after the others
paths = sorted(Path(folder).glob("*.ipynb"))
notebooks = {x.stem: nbformat.read(x, as_version=4) for x in paths if x.stem not in LISTS}
need(notebooks, f"there are no executed pages in {folder}; `make book` runs them")
captions = pd.read_csv("data/published/captions.csv", index_col="name")["caption"]
contents = re.findall(r"(?:root|file): (\S+)", Path(folder, "_toc.yml").read_text("utf-8"))
outputs = {page: shown(notebook) for page, notebook in notebooks.items()}
texts = {path.stem: path.read_text(encoding="utf-8") for path in Path(folder).glob("*.md")}
texts |= {page: f"{prose(one)}\n{outputs[page]}" for page, one in notebooks.items()}
where = {name: page for page in contents for name in labels(texts.get(page, ""))}
compared = {}
for notebook in notebooks.values():
    compared |= agreements(notebook)

# %%
rows = []
for name, caption in captions.items():
    at = f"{{numref}}`{name}` in {{doc}}`{where[name]}`" if name in where else f"{name}, missing"
    state = compared.get(name, "Drawn anew; there is nothing in it to be computed.")
    rows.append((f"{at}: *{caption}*", state))
show_table(rows, "table-items", "Item | Agreement")
required = {"algorithm-1", *(f"eq-{number}" for number in range(1, 15))}
claim("all figures and tables of the paper are in the book", set(captions.index) <= set(where))
claim("the paper's algorithm and equations are in the book", required <= set(where))
n_compared = captions.index.isin(list(compared)).sum()
glue(n_items=len(captions), n_equations=len(required) - 1, n_compared=n_compared)

# %% [markdown]
# ```{list-table} The algorithm and the equations of the paper.
# :name: table-items-equations
# :header-rows: 1
#
# * - Item
#   - What it is
# * - {ref}`Algorithm 1 <algorithm-1>`
#   - N-RReliefF
# * - Eq. {eq}`eq-1`
#   - weight, by classes
# * - Eq. {eq}`eq-2`
#   - weight, by performance
# * - Eq. {eq}`eq-3`
#   - performance differs
# * - Eq. {eq}`eq-4`
#   - hyperparameter differs
# * - Eq. {eq}`eq-5`
#   - performance differs, given that the hyperparameter does
# * - Eq. {eq}`eq-6`
#   - first term of the weight, by Bayes' theorem
# * - Eq. {eq}`eq-7`
#   - same and different
# * - Eq. {eq}`eq-8`
#   - second term of the weight
# * - Eq. {eq}`eq-9`
#   - both differ
# * - Eq. {eq}`eq-10`
#   - weight of a hyperparameter
# * - Eq. {eq}`eq-11`
#   - weight of a pair
# * - Eq. {eq}`eq-12`
#   - estimate of Eq. 3
# * - Eq. {eq}`eq-13`
#   - estimate of Eq. 4
# * - Eq. {eq}`eq-14`
#   - estimate of Eq. 9
# ```
#
# ## The pages
#
# The {glue:text}`n_pages` computed pages have {glue:text}`n_figures` figures and
# {glue:text}`n_tables` tables. Computing them took {glue:text}`seconds:.0f` s, not counting the
# start of Python, from {glue:text}`begun` to {glue:text}`ended` UTC. The other
# {glue:text}`n_others` pages are prose, reference, or such lists.
#
# :::{caption} table-pages
# The computed pages: figures and tables on each, the time that it took to run, and the recorded
# tables behind it ({numref}`table-recordings`).
# :::

# %%
states = {page: notebooks[page].metadata["hia"] for page in contents if page in notebooks}
rows = []
for page, state in states.items():
    kinds = [name.split("-")[0] for name in labels(outputs[page])]
    files = [one["file"].removeprefix("data/").split(".")[0] for one in state["recordings"]]
    counts = kinds.count("fig"), kinds.count("table")
    rows.append((f"{{doc}}`{page}`", *counts, state["seconds"], ", ".join(dict.fromkeys(files))))
show_table(rows, "table-pages", "Page | Figures | Tables | Seconds {:.1f} | Data")
_, n_figures, n_tables, seconds, _ = zip(*rows, strict=True)
made = sorted(state["made"].replace("T", " ")[:16] for state in states.values())
glue(n_pages=len(rows), n_figures=sum(n_figures), n_tables=sum(n_tables), seconds=sum(seconds))
glue(begun=made[0], ended=made[-1], n_others=len(contents) - len(rows))

# %% [markdown]
# ## What they were made with
#
# The pages read these recorded tables, with these versions of packages. `requirements.lock` has all
# packages.
#
# :::{caption} table-recordings
# The recorded tables that the pages read, and when they were recorded.
# :::
#
# :::{caption} table-versions
# Versions that the pages were computed with.
# :::

# %%
recordings = {one["file"]: one for state in states.values() for one in state["recordings"]}
rows = []
for file, one in sorted(recordings.items()):
    days = dict.fromkeys([one["first"] or "unknown", one["last"] or "unknown"])
    rows.append((f"`{file}`", one["rows"], " to ".join(days), str(one["sessions"] or "")))
show_table(rows, "table-recordings", "Table | Rows {:,} | Recorded | Sessions")
versions = [{"python": state["python"], **state["versions"]} for state in states.values()]
of_package = [
    (f"`{package}`", "; ".join(sorted({one[package] for one in versions if package in one})))
    for package in dict.fromkeys(chain.from_iterable(versions))
]
show_table(of_package, "table-versions", "Package | Version")

# %% [markdown]
# {glue:text}`n_changed` of the pages were made with other parameters than their own.

# %%
given = {page: state["given"] for page, state in states.items() if state["given"]}
glue(n_changed=len(given))
if given:
    show_text("\n".join(f"- {{doc}}`{page}`: {', '.join(one)}" for page, one in given.items()))
