"""What the paper prints (Wang et al. 2024), as it prints it, mistakes included.

Paths are relative to the root of the repository, where the notebooks run.
"""

from pathlib import Path

import pandas as pd

from hia import space

FOLDER = Path("data/published")

_WEIGHTS = ("label", "hyperparameter", "weight", "rank")
_COLUMNS = {
    "table1": ("label", "hyperparameter", "type", "space", "default"),
    "table2": ("label", "dataset", "images", "classes", "channels", "size"),
    "table3": _WEIGHTS,
    "table4": _WEIGHTS,
    "table5": ("label", "first", "second", "weight", "rank"),
    "table6": _WEIGHTS,
    "table7": _WEIGHTS,
    "fig2": ("label", "dataset", "models"),
    "values": ("name", "value", "section"),
}
_NUMBERS = ["images", "classes", "channels", "models", "weight", "rank", "value"]


def table(number: int, folder: Path = FOLDER) -> pd.DataFrame:
    """Table 1 to 7 of the paper, rows in the paper's order, Table 1 as text.

    Raises ValueError for another number and for a file that has other columns or a value that is no
    number; FileNotFoundError where it is missing.
    """
    if number not in range(1, 8):
        raise ValueError(f"the paper has Tables 1 to 7, no Table {number!r}")
    return _read(folder / f"table{number}.csv")


def figure2(folder: Path = FOLDER) -> pd.DataFrame:
    """Models trained per data set (Fig. 2): `label`, `dataset`, `models`."""
    return _read(folder / "fig2.csv")


def value(name: str, folder: Path = FOLDER) -> float:
    """A number from the paper's text: "icc", "subsets", "points_per_interval" (Section 5.2),
    "neighbors" (5.3) or "random_share" (4.1). Raises ValueError for any other."""
    values = _read(folder / "values.csv").set_index("name")["value"]
    if name not in values.index:
        raise ValueError(f"no published value {name!r}; there are: {', '.join(values.index)}")
    return float(values[name])


def allowed(name: str) -> str:
    """The values of a hyperparameter, in words."""
    row = space.SPACE[name]
    return row.possible + (", log scale" if row.log else "")


def cap(n: int) -> int:
    """The paper's CNNs per interval of accuracy (Section 5.2), in proportion to n CNNs in all."""
    return max(1, round(value("points_per_interval") * (n / figure2()["models"].sum())))


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: run in the root of the repository, or give its folder"
        )
    try:
        table = pd.read_csv(path, dtype=str if path.stem == "table1" else None)
    except (ValueError, pd.errors.ParserError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from None
    columns = _COLUMNS[path.stem]
    if tuple(table.columns) != columns:
        raise ValueError(f"{path}: has the columns {list(table)}, not {list(columns)}")
    for name in table.columns.intersection(_NUMBERS):
        if not pd.api.types.is_any_real_numeric_dtype(table[name]) or table[name].isna().any():
            raise ValueError(f"{path}: column {name!r} is not all numbers")
    return table
