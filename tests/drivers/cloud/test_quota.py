"""Limits of an account: what is too much is told with its numbers."""

from __future__ import annotations

import pytest

from machine.drivers.cloud import quota
from machine.drivers.cloud.errors import ErrorTable, QuotaExceeded
from machine.drivers.cloud.quota import Quota

TABLE = ErrorTable("sky", advice={QuotaExceeded: "ask for more"})


@pytest.mark.parametrize(
    ("one", "exceeded"),
    [
        (Quota("servers", 1, 2), False),
        (Quota("servers", 2, 2), True),
        (Quota("cores", 6, 8, 4), True),
        (Quota("cores", 4, 8, 4), False),
        (Quota("servers", 99, -1), False),
        (Quota("servers", 0, 0), True),
    ],
)
def test_what_is_too_much(one: Quota, exceeded: bool) -> None:
    assert one.is_exceeded is exceeded


def test_the_first_that_is_exceeded_is_told() -> None:
    quotas = [Quota("servers", 1, 9), Quota("cores", 6, 8, 4), Quota("ports", 9, 9)]
    with pytest.raises(QuotaExceeded) as caught:
        quota.check(TABLE, "the project", quotas, "large", "quota L-1")
    assert caught.value.brief == "the project has 6 cores and may have 8, and large needs 4 more"
    assert (caught.value.details, caught.value.resolution) == ("quota L-1", "ask for more")
    with pytest.raises(QuotaExceeded, match=r"the account has 9 ports and may have 9$"):
        quota.check(TABLE, "the account", quotas[2:])
    quota.check(TABLE, "the account", quotas[:1])
