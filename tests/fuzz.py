"""What the fuzz tests share: how hard they try, and what an error has to be."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# `make torture` sets HIA_EXAMPLES: so many times as many cases.
TIMES = int(os.environ.get("HIA_EXAMPLES", "1"))


def examples(count: int) -> settings:
    """Settings for so many cases in `make test`."""
    return settings(
        max_examples=count * TIMES,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


extremes = st.sampled_from([0.0, -0.0, 1e-300, 5e-324, 1e300, 1.7e308, -1.7e308, 1e9, 1e9 + 1e-6])
finite = st.one_of(st.floats(allow_nan=False, allow_infinity=False), extremes)
floats = st.one_of(st.floats(), extremes)


def says(error: Exception, *words: object) -> None:
    """That the text of an error has one of the words."""
    assert any(str(word) in str(error) for word in words), repr(error)


@contextmanager
def clear(*kinds: type[Exception]) -> Iterator[None]:
    """Errors of these kinds that say something; all others, and warnings, fail the test."""
    try:
        yield
    except kinds as error:
        says(error, " ")
