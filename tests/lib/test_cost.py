"""hia_book.cost: what a ranking costs, on trials and runs that are made up."""

from __future__ import annotations

import numpy as np
import pandas as pd
from invented import trials
from rows import raw

from hia_book import cost, screening
from hia_book.cost import POOLED, SCREEN, Job


def recorded(n: int, *names: str) -> pd.DataFrame:
    return pd.concat(trials(n, seed).assign(dataset=name) for seed, name in enumerate(names))


def ranking(scope: str, method: str, trainings: int, scores, repeat: int = 0) -> dict:
    return {**vars(Job(scope, method, trainings, repeat)), "scores": scores, "problem": ""}


def test_jobs_take_half_at_most_and_the_whole_once() -> None:
    jobs = cost.jobs(
        recorded(60, "mnist", "svhn"), sizes=(25, 40), pooled_sizes=(50, 60, 70), repeats=2
    )
    parts = {(job.scope, job.trainings, job.repeat) for job in jobs}
    assert {n for scope, n, _ in parts if scope == "mnist"} == {25, 60}
    assert {n for scope, n, _ in parts if scope == POOLED} == {50, 60, 120}
    assert ("mnist", 60, 0) in parts
    assert ("mnist", 60, 1) not in parts
    assert len(jobs) == len(parts) * len(cost.SAMPLED)


def test_a_refusal_agrees_with_nothing() -> None:
    rows = recorded(40, "mnist").assign(accuracy=0.1)
    refused = cost.measure(rows, Job("mnist", "fanova", 20, 0))
    assert refused["scores"] is None
    assert "accuracy is 0.1 in all trials" in refused["problem"]
    wholes = [ranking("mnist", method, 40, list(range(10))) for method in cost.SAMPLED]
    found = cost.table([refused, *wholes])
    assert found.loc[~found["whole"], "tau_own"].tolist() == [0]


def test_effects_are_those_of_the_screen() -> None:
    table = raw("screening").query("dataset == 'usps'")
    expected = screening.screen(table).loc["usps", "effect"]
    pd.testing.assert_series_equal(cost.effects_of(table), expected, check_names=False)


def test_the_table_compares_with_the_whole_and_with_the_reference() -> None:
    up, down = list(range(10)), list(range(10))[::-1]
    rows = [ranking("mnist", method, 40, up) for method in cost.SAMPLED]
    rows += [ranking("mnist", "fanova", 20, down), ranking("mnist", "fanova", 20, up, repeat=1)]
    rows += [ranking("mnist", SCREEN, 72, down), ranking("mnist", SCREEN, 12, up)]
    found = cost.table(rows).set_index(["method", "trainings", "repeat"])
    assert found.loc[("fanova", 20, 0), ["tau_own", "tau_reference"]].tolist() == [-1, -1]
    assert found.loc[("fanova", 20, 1), ["tau_own", "tau_reference"]].tolist() == [1, 1]
    assert found.loc[(SCREEN, 12, 0), ["tau_own", "tau_reference"]].tolist() == [-1, 1]
    assert found.loc[found["whole"], "tau_own"].eq(1).all()
    assert found["whole"].sum() == len(cost.SAMPLED) + 1


def test_the_reference_is_the_mean_rank() -> None:
    first, second = [3.0, 2.0, 1.0, *[0.0] * 7], [30.0, 10.0, 20.0, *[0.0] * 7]
    wholes = {
        ("a", method): scores
        for method, scores in zip(cost.REFERENCE, (first, second, second), strict=True)
    }
    found = cost.reference(wholes, "a")
    assert found is not None
    np.testing.assert_allclose(found[:3], [-1, -8 / 3, -7 / 3])
    assert len(set(found[3:])) == 1
    assert cost.reference({}, "a") is None


def test_how_many_are_needed() -> None:
    rows = [("a", "fanova", n, tau, n == 400) for n, tau in ((25, 0.9), (50, 0.5), (100, 0.8))]
    rows += [("a", "fanova", 100, 0.9, False), ("a", "fanova", 400, 1.0, True)]
    rows += [("a", SCREEN, 12, 0.85, False), ("a", SCREEN, 72, 0.3, True)]
    table = pd.DataFrame(rows, columns=["scope", "method", "trainings", "tau_own", "whole"])
    table["tau_reference"] = table["tau_own"]
    own = cost.needed(table, "tau_own", 0.8)
    assert own["a", "fanova"] == 100
    assert own["a", SCREEN] == 12
    reference = cost.needed(table, "tau_reference", 0.8)
    assert reference["a", "fanova"] == 100
    assert np.isnan(reference["a", SCREEN])
    assert cost.needed(table, "tau_reference", 0.95)["a", "fanova"] == 400


def test_how_many_are_needed_in_words() -> None:
    rows = [("a", name, n, 0, n / 4000) for name in ("fanova", "nrrelieff") for n in (25, 2000)]
    rows += [("a", "nrrelieff_growing", n, 0, n / 4000) for n in (25, 2000)]
    names = ["scope", "method", "trainings", "repeat", "tau_reference"]
    table = pd.DataFrame(rows, columns=names).assign(whole=False)
    assert cost.write_needed(table, "tau_reference", 0.5, "fanova") == "2,000"
    assert cost.write_needed(table, "tau_reference", 0.8, "fanova") == "more than 2,000"
    assert cost.write_needed(table, "tau_reference", 0.5, "nrrelieff_growing") == ""
