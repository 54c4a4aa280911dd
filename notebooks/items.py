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
# Every figure, table, algorithm and equation of the paper, where it is in this book, and how ours
# agrees with it; then the state of the book itself. Figures and tables of the paper have its
# numbers here, all others have numbers that begin with S. This page is made last, from the pages
# as they were computed: nothing on it is typed in but the paper's own captions.

# %% tags=["parameters"]
folder = "book"  # of the executed pages, and of the table of contents

# %%
import re
from itertools import chain
from pathlib import Path

import nbformat
import pandas as pd
import yaml

from hia_book.claims import glued, resolve
from hia_book.figures import show_table, show_text, use_style

use_style()
ITEMS = {
    "fig-1": "Workflow Diagram in Hyperparameter Importance Assessment",
    "fig-2": "The Amount of HIA Inputs Generated from Datasets",
    "fig-3": "Generated Data Distribution",
    "fig-4": "Dot Plot about the Relative Positions of All Importance Weights",
    "table-1": "Configuration Space of Investigated Hyperparameters in CNN",
    "table-2": "the Selected Image Datasets",
    "table-3": "Importance Weights of Investigated Hyperparameters",
    "table-4": "Results of Comparative Analysis via FANOVA",
    "table-5": "Joint Importance between Every Two Hyperparameters",
    "table-6": "If the number of convolutional layers is two",
    "table-7": "If the number of convolutional layers is three",
}
EQUATIONS = {
    1: "weight, by classes",
    2: "weight, by performance",
    3: "performance differs",
    4: "hyperparameter differs",
    5: "performance differs, given that the hyperparameter does",
    6: "first term of the weight, by Bayes' theorem",
    7: "same and different",
    8: "second term of the weight",
    9: "both differ",
    10: "weight of a hyperparameter",
    11: "weight of a pair",
    12: "estimate of Eq. 3",
    13: "estimate of Eq. 4",
    14: "estimate of Eq. 9",
}
PREFIX = "**Agreement with the paper.** "
NAMED = re.compile(
    r"(?:~~~|```)\{(?:figure|table|list-table|admonition)\}[^\n]*\n(?::.*\n)*?:name: (\S+)"
)
LABELLED = re.compile(r"^:label:\s+(\S+)", re.MULTILINE)


def files(contents) -> list[str]:
    """The pages of a table of contents, in their order."""
    if isinstance(contents, list):
        return list(chain.from_iterable(map(files, contents)))
    here = [contents[key] for key in ("root", "file") if key in contents]
    return here + [
        name for key in ("parts", "chapters", "sections") for name in files(contents.get(key, []))
    ]


def shown(notebook) -> list[dict]:
    """The outputs that the book shows, with what is said of them."""
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def title(text: str) -> str:
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    return found[1] if found else ""


contents = files(yaml.safe_load(Path(folder, "_toc.yml").read_text(encoding="utf-8")))
pages, texts, states, agreements, gaps = {}, {}, {}, {}, {}
for path in sorted(Path(folder).glob("*.ipynb")):
    if path.stem == "items":
        continue
    notebook = nbformat.read(path, as_version=4)
    values = glued(notebook)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    outputs = shown(notebook)
    texts[path.stem] = [output.get("data", {}).get("text/markdown", "") for output in outputs]
    pages[path.stem] = prose
    states[path.stem] = notebook.metadata.get("hia")
    for output in outputs:
        if said := output.get("metadata", {}).get("hia", {}):
            agreements[said["agreement"]] = said["text"]
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", []):
            if tag.startswith("agreement-"):
                said = resolve(" ".join(cell.source.split()), values)
                agreements[tag.removeprefix("agreement-")] = said.replace(PREFIX, "")
    gaps[path.stem] = [text for text in texts[path.stem] if "**Missing here:**" in text]
for path in sorted(Path(folder).glob("*.md")):
    if path.stem not in pages:
        pages[path.stem], texts[path.stem] = path.read_text(encoding="utf-8"), []

where = {
    name: page
    for page, prose in pages.items()
    if page in contents
    for name in chain(
        LABELLED.findall(prose), *(NAMED.findall(text) for text in (prose, *texts[page]))
    )
}


def number(name: str) -> str:
    kind, count = name.split("-")
    return f"{'Fig.' if kind == 'fig' else 'Table'} {count}"


# %% [markdown]
# ## Figures and tables of the paper

# %%
rows = []
for name, caption in ITEMS.items():
    if name not in where:
        state = "**missing**"
    elif name in agreements:
        state = agreements[name]
    else:
        state = "Drawn anew; there is nothing in it to be computed."
    here = f"{{numref}}`{name}` in {{doc}}`{where[name]}`" if name in where else number(name)
    rows.append({"Item": f"{here}: *{caption}*", "Agreement": state})
show_table(
    pd.DataFrame(rows),
    "table-items",
    "The figures and tables of the paper, and how far ours agree with them.",
)
missing = [number(name) for name in ITEMS if name not in where]
show_text(
    f"**Missing:** {', '.join(missing)}."
    if missing
    else f"All {len(ITEMS)} are regenerated; {len(set(agreements) & set(ITEMS))} of them are "
    "compared with the paper's."
)

# %% [markdown]
# ## Its algorithm and equations

# %%
known = "algorithm-1" in where
rows = [("{ref}`Algorithm 1 <algorithm-1>`" if known else "**missing:** Algorithm 1", "N-RReliefF")]
for count, text in EQUATIONS.items():
    here = f"Eq. {{eq}}`eq-{count}`" if f"eq-{count}" in where else f"**missing:** Eq. {count}"
    rows.append((here, text))
show_table(
    pd.DataFrame(rows, columns=["Item", "What it is"]),
    "table-items-equations",
    "The algorithm and the equations of the paper.",
)

# %% [markdown]
# ## The pages

# %%
computed = {page: state for page, state in states.items() if state is not None}
order = [page for page in contents if page in computed]
order += [page for page in computed if page not in contents]
names = {page: [one for text in texts[page] for one in NAMED.findall(text)] for page in order}
rows = []
for page in order:
    state = computed[page]
    rows.append(
        {
            "Page": f"{{doc}}`{page}`" if page in contents else title(pages[page]),
            "Figures": sum(name.startswith("fig-") for name in names[page]),
            "Tables": sum(name.startswith("table-") for name in names[page]),
            "Seconds": state["seconds"],
            "Data": ", ".join(Path(one["file"]).stem for one in state["recordings"]),
        }
    )
if rows:
    table = pd.DataFrame(rows)
    show_table(
        table,
        "table-pages",
        "The computed pages: figures and tables on each, the time that it took to run, and the "
        "recorded tables behind it ({numref}`table-recordings`).",
        {"Seconds": ".1f"},
    )
    made = sorted(computed[page]["made"].replace("T", " ")[:16] for page in order)
    unlisted = [title(pages[page]) for page in order if page not in contents]
    show_text(
        f"Together {table['Figures'].sum()} figures and {table['Tables'].sum()} tables, computed "
        f"in {table['Seconds'].sum():.0f} s, without the starts of Python for each page, "
        f"from {made[0]} to {made[-1]} UTC. "
        f"{sum(page not in computed for page in contents)} more pages are prose, reference, or "
        "this one." + (f" Not in the table of contents: {', '.join(unlisted)}." if unlisted else "")
    )
else:
    show_text(
        f"**Missing here:** there are no executed pages in `{folder}`. `make book` runs them."
    )

# %% [markdown]
# ## What it was made with

# %%
versions = {}
for page, state in computed.items():
    for package, version in {"python": state["python"], **state["versions"]}.items():
        versions.setdefault(package, {}).setdefault(version, []).append(page)
if versions:
    show_table(
        pd.DataFrame(
            [
                {
                    "Package": f"`{package}`",
                    "Version": "; ".join(
                        version if len(found) == 1 else f"{version} ({', '.join(on)})"
                        for version, on in found.items()
                    ),
                }
                for package, found in versions.items()
            ]
        ),
        "table-versions",
        "Versions that the pages were computed with; `requirements.lock` has all packages.",
    )
recordings = {one["file"]: one for state in computed.values() for one in state["recordings"]}
if recordings:
    show_table(
        pd.DataFrame(
            [
                {
                    "Table": f"`{one['file']}`",
                    "Rows": one["rows"],
                    "Recorded": "unknown"
                    if one["first"] is None
                    else " to ".join(dict.fromkeys([one["first"], one["last"]])),
                    "Sessions": str(one["sessions"] or ""),
                }
                for one in sorted(recordings.values(), key=lambda one: one["file"])
            ]
        ),
        "table-recordings",
        "The recorded tables that the pages read, and when they were recorded.",
        {"Rows": ","},
    )

# %%
reruns = {page: state["given"] for page, state in computed.items() if state["given"]}
lines = []
for page, found in gaps.items():
    link = f"{{doc}}`{page}`" if page in contents else page
    lines += [f"- {link}: {text.replace('**Missing here:** ', '')}" for text in found]
show_text(
    "**What the pages say is missing:**\n\n" + "\n".join(lines)
    if lines
    else "No page says that something is missing."
)
if reruns:
    show_text(
        "**Not with their own parameters:** "
        + "; ".join(f"{page} ({', '.join(given)})" for page, given in reruns.items())
        + "."
    )
