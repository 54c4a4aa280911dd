"""What a notebook's parameters may be, and what is said of anything else."""

import pytest

from parameters import Parameter, ParameterError, declared, parse, written

CELL = """\
# of the whole cell
trials = "data/trials.parquet"  # one row | each
n_neighbors = 30  # J; at least 1
sigma: float = 20.0  # decay; # in it; above 0
log_lr = True  # on its logarithm
datasets: list[str] = []  # all if empty; choices: hia.datasets.NAMES
metric = "euclidean"  # distance; choices: euclidean, manhattan
cap: int | None = None  # null: none
rank_base = 1  # of the nearest; choices: 0, 1
shown = [
    10,
]  # several lines; 1 to 50
"""
PARAMETERS = declared(CELL)


def test_declared_with_comments_and_types() -> None:
    assert PARAMETERS[0] == Parameter("trials", "data/trials.parquet", "one row | each", "str")
    assert PARAMETERS[2] == Parameter("sigma", 20.0, "decay; # in it; above 0", "float")
    types = ["str", "int", "float", "bool", "list[str]", "str", "int | None", "int", "list[int]"]
    assert [one.type for one in PARAMETERS] == types
    assert PARAMETERS[-1].comment == "several lines; 1 to 50"
    with pytest.raises(ValueError, match="None: such a parameter needs an annotation"):
        declared("x = None")


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("", {}),
        ("n_neighbors=50 sigma=10", {"n_neighbors": 50, "sigma": 10.0}),
        ("sigma=1e-3 log_lr=false", {"sigma": 0.001, "log_lr": False}),
        ("datasets=[mnist, usps]  metric=manhattan", {"datasets": ["mnist", "usps"]}),
        ("datasets='[mnist, usps]'", {"datasets": ["mnist", "usps"]}),
        ("datasets=['mnist', \"usps\"]", {"datasets": ["mnist", "usps"]}),
        ("datasets=[]", {"datasets": []}),
        ("cap=null", {"cap": None}),
        ("cap=7 rank_base=0", {"cap": 7, "rank_base": 0}),
        ("shown=[1, 50]", {"shown": [1, 50]}),
        ("trials='my data/a=b.csv'", {"trials": "my data/a=b.csv"}),
        ("trials=__import__('os')", {"trials": "__import__('os')"}),
        ("trials=", {"trials": ""}),
    ],
)
def test_values_by_their_types(line: str, values: dict) -> None:
    parsed = parse(line, PARAMETERS)
    assert {name: parsed[name] for name in values} == values


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("shown=[]", "one at least is meant, such as shown=\\[10\\]"),
        ("n_neighbors=0", "give a whole number of at least 1, such as n_neighbors=30"),
        ("n_neighbors=010", "give a whole number of at least 1"),
        ("n_neighbors=5.0", "give a whole number"),
        ("n_neighbors=null", "give a whole number"),
        ("sigma=1e999", "give a number above 0, such as sigma=20.0"),
        ("sigma=0", "give a number above 0"),
        ("log_lr=flase", "give true or false, such as log_lr=true"),
        ("datasets=mnist", r"a list is meant, such as datasets=\[mnist\]"),
        ("datasets=[mnits]", "'mnits' is none of cifar10, .*; is mnist meant?"),
        ("metric=[euclidean]", "is none of euclidean, manhattan"),
        ("rank_base=2", "'2' is none of 0, 1"),
        ("shown=[1, 51]", r"shown=\[1, 51\]: give a whole number from 1 to 50, such as shown="),
        ("cap=x", "give a whole number or null$"),
        ("neighbors=3", "no parameter 'neighbors'; there are: trials, n_neighbors, sigma"),
        ("n_neighbors", "'n_neighbors' is not of the form name=value"),
        ("=3", "'=3' is not of the form name=value"),
        ("sigma='1", '"sigma=\'1" is not of the form name=value'),
        ("datasets=[mnist, usps", "is not of the form name=value"),
    ],
)
def test_anything_else_is_one_line_that_says_what_would_be_right(line: str, right: str) -> None:
    with pytest.raises(ParameterError, match=right) as error:
        parse(line, PARAMETERS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["trials", "n_neighbors", "sigma", "log_lr", "cap", "shown"])
def test_values_are_written_as_they_are_read(name: str) -> None:
    (value,) = (one.value for one in PARAMETERS if one.name == name)
    assert parse(f"{name}={written(value)}", PARAMETERS) == {name: value}
