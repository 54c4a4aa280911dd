"""The published tables have the names of the space; `tests/core/test_space.py` has the rest."""

from pathlib import Path

import pytest

from hia.space import FILTERS, HYPERPARAMETERS
from hia_book import published

FOLDER = Path(__file__).parents[2] / "data" / "published"


def test_names_are_those_of_the_space() -> None:
    four, five, seven = (published.table(number, FOLDER) for number in (4, 5, 7))
    assert tuple(four["hyperparameter"]) == HYPERPARAMETERS
    assert set(five["second"]) == set(HYPERPARAMETERS[1:])
    assert tuple(seven["hyperparameter"]) == FILTERS


def test_a_table_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Tables 1 to 7, no Table 8"):
        published.table(8)
    with pytest.raises(FileNotFoundError, match=r"table3\.csv is missing"):
        published.table(3, tmp_path)
