# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What the book claims
#
# **The findings that pages state are checked by the code beside it, and the book is not built if
# one of them fails.** {numref}`table-claims` lists all {glue:text}`n_claims`, from
# {glue:text}`n_pages` pages, as checked when the pages were made.
#
# A page that you run with other parameters keeps its sentences, but begins with a list of the
# claims that no longer hold.
#
# :::{caption} table-claims
# The claims of the book, page by page: the section and the cell of code that checks each.
# :::

# %% tags=["parameters"]
folder = "book"  # of the executed pages, and of the table of contents

# %%
import re
from pathlib import Path

import nbformat
import pandas as pd

from hia_book.claims import glue
from hia_book.figures import show_table

pages = re.findall(r"(?:root|file): (\S+)", Path(folder, "_toc.yml").read_text(encoding="utf-8"))
paths = {page: Path(folder, f"{page}.ipynb") for page in pages if page != "claims"}
notebooks = {page: nbformat.read(path, 4) for page, path in paths.items() if path.is_file()}
claims = [
    (f"{{doc}}`{page}`", one["section"], one["cell"], one["text"])
    for page, notebook in notebooks.items()
    for one in notebook.metadata.get("hia", {}).get("claims", [])
]
claims = pd.DataFrame(claims, columns=["Page", "Section", "Cell", "Claim"])
glue(n_claims=len(claims), n_pages=claims["Page"].nunique())
show_table(claims, "table-claims")
