"""Which trials are ranked, in which groups, and which of them are good."""

import numpy as np
import pandas as pd
import pytest

from hia.ranking.selection import direction, groups, meets, select

TABLE = pd.DataFrame(
    {
        "epochs": [1, 5, 9, np.nan, 7],
        "epochs max": [1, 1, 2, 2, 2],
        "net": ["a", "b", "B", None, "a"],
        "warm": [True, False, True, False, True],
        "loss": [0.5, 0.1, 0.3, 0.2, np.inf],
    }
)


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("epochs >= 5", [1, 2, 4]),
        ("epochs<5", [0]),
        ("epochs != 5", [0, 2, 4]),
        ("epochs = 5.0", [1]),
        ("epochs max == 2", [2, 3, 4]),
        ('"epochs max"=2', [2, 3, 4]),
        ("net = b", [1, 2]),
        ("net != 'b'", [0, 4]),
        ("warm = true", [0, 2, 4]),
    ],
)
def test_conditions(condition, rows) -> None:
    assert np.flatnonzero(meets(TABLE, condition)).tolist() == rows


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("epochs", "--where 'epochs' is not COLUMN = VALUE"),
        ("depth > 1", "'depth > 1' is not COLUMN = VALUE, .*; there are epochs, epochs max, net"),
        ("epochs > 1 and epochs < 9", "epochs has numbers, and '1 and epochs < 9' is none; a sec"),
        ("net > a", "net has text, which is = or != to something"),
        ("__import__('os').remove('x') > 1", "is not COLUMN = VALUE"),
    ],
)
def test_what_is_no_condition(condition, message) -> None:
    with pytest.raises(ValueError, match=message):
        meets(TABLE, condition)


def test_trials_are_selected_by_conditions_bounds_and_rank() -> None:
    def chosen(**options) -> list[int]:
        return list(select(TABLE, "loss", False, **options)[0].index)

    assert chosen() == [0, 1, 2, 3]
    assert chosen(top="2") == [1, 3]
    assert chosen(top="25%") == [1]
    assert list(select(TABLE, "loss", True, top="1")[0].index) == [0]
    assert chosen(above=0.1, below=0.5) == [2, 3]
    assert chosen(where=["epochs max = 2"], top="1") == [3]
    assert chosen(by="epochs max", top="50%") == [1, 3]
    assert chosen(by="epochs") == [0, 1, 2]
    for by in ("loss", "depth"):
        with pytest.raises(ValueError, match=f"--by {by}: is not a column .* there are epochs, ep"):
            chosen(by=by)
    _, notes = select(TABLE, "loss", False, where=["net = a"], top="1")
    left_out = "Trials left out: 1 without loss"
    assert notes == [left_out, "Only net = a: 1 trials", "Only the best 1 of them"]
    with pytest.raises(ValueError, match=r"no trial is left .*loss above 9"):
        chosen(above=9)
    for wrong in ("0", "101%", "best", "-1", "0%"):
        with pytest.raises(ValueError, match=r"--top '.*' is no number of trials"):
            chosen(top=wrong)


def test_groups() -> None:
    assert [(name, list(rows.index)) for name, rows in groups(TABLE, "epochs max")] == [
        ("epochs max = 1", [0, 1]),
        ("epochs max = 2", [2, 3, 4]),
    ]
    assert next(groups(TABLE, "epochs"))[0] == "epochs = 1"
    assert next(groups(pd.DataFrame({"x": ["a\nb"]}), "x"))[0] == "x = a b"
    with pytest.raises(ValueError, match="--by x: it has 51 values, more than 50"):
        list(groups(pd.DataFrame({"x": range(51)}), "x"))


LARGE = "acc value val_accuracy metrics.f1 neg_log_loss -loss minus_loss explained_variance mrr "
LARGE += "mean_reciprocal_rank"
SMALL = "val_loss valLoss test/error RMSE cost 1-acc error_rate MAE[m] time_per_epoch Loss1 val_kl "
SMALL += "rank_test_score mean_rank brier_score cross_entropy false_negative_rate one_minus_auc "
SMALL += "Verlust"


@pytest.mark.parametrize(
    ("target", "large"),
    [(name, True) for name in LARGE.split()]
    + [(name, False) for name in (*SMALL.split(), "RMSE (eV)", "neg. log-lik")],
)
def test_the_direction_is_assumed_by_the_name(target, large) -> None:
    good = f"Good is a {'large' if large else 'small'} {target}"
    maximize, says = direction(target, None, False, False)
    assert maximize == large
    assert says.startswith(f"{good} (assumed by the")
    assert direction(target, None, not large, large) == (large, f"{good} (as asked).")
    assert direction(target, not large, False, False)[0] != large
