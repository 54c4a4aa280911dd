"""Numbers of figures and tables: the paper's for the paper's, S1, S2, ... for all others.

What is called `fig-3` or `table-5` is Fig. 3 or Table 5 of the paper, wherever it stands in the
book. The others are counted in the book's order, figures and tables apart. A page that is made
alone has the book's numbers by the configuration value `hia_numbers`: name -> number.
"""

import re
from collections.abc import Mapping
from itertools import count
from types import MappingProxyType
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

OF_THE_PAPER = re.compile(r"(?:fig|table)-(\d+)")

Numbers = dict[str, dict[str, dict[str, tuple[Any, ...]]]]


def renumber(numbers: Numbers, given: Mapping[str, str] = MappingProxyType({})) -> None:
    """Changes Sphinx's numbers: document -> kind -> id -> number as a tuple.

    Of the kinds, figures and tables are numbered anew; equations, for one, are left as they are.
    given: name -> number of those that are not to be counted.
    """
    for kind in ("figure", "table"):
        found = [
            (number, identifier, of_document[kind])
            for of_document in numbers.values()
            for identifier, number in of_document.get(kind, {}).items()
        ]
        others = count(1)
        for _, identifier, place in sorted(found, key=lambda one: one[:2]):
            paper = OF_THE_PAPER.fullmatch(identifier)
            number = int(paper[1]) if paper else given.get(identifier)
            place[identifier] = (number or f"S{next(others)}",)


def after_sphinx(app: Sphinx, env: BuildEnvironment) -> list[str]:
    renumber(env.toc_fignumbers, app.config.hia_numbers)
    return list(env.toc_fignumbers)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("hia_numbers", {}, "env")
    app.connect("env-get-updated", after_sphinx, priority=900)  # Sphinx's own come at 500
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
