"""The published tables are the paper's: what is odd about them in print is odd here too."""

from pathlib import Path

import pandas as pd
import pytest

from hia.space import FILTERS, HYPERPARAMETERS, SPACE
from hia_book import published

FOLDER = Path(__file__).parents[2] / "data" / "published"


def table(number: int) -> pd.DataFrame:
    return published.table(number, FOLDER)


def test_names_are_those_of_the_space() -> None:
    for number in (3, 4):
        assert tuple(table(number)["hyperparameter"]) == HYPERPARAMETERS
    assert set(table(5)["second"]) == set(HYPERPARAMETERS[1:])
    assert tuple(table(7)["hyperparameter"]) == FILTERS


def test_table_1_is_the_space() -> None:
    for row in table(1).itertuples():
        hyperparameter = SPACE[row.hyperparameter]
        assert row.label == hyperparameter.label
        assert row.type == hyperparameter.kind
        if row.space.startswith("["):
            low, high = map(float, row.space.strip("[]").split(","))
            assert (low, high) == (hyperparameter.low, hyperparameter.high)
        elif hyperparameter.choices is not None:
            assert row.space == ", ".join(map(str, hyperparameter.choices))
        else:
            assert row.space == f"{hyperparameter.low}, {hyperparameter.high}"
        assert type(hyperparameter.default)(row.default) == hyperparameter.default


def test_a_table_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Tables 1 to 7, no Table 8"):
        published.table(8)
    with pytest.raises(FileNotFoundError, match=r"table3\.csv is missing: run in the root"):
        published.table(3, tmp_path)
