"""`docker ps` of an aggregate: the newest over all engines, and what was made before or since a container."""

from __future__ import annotations

import json
from typing import Any

import pytest

from machine.swarm.pipeline import ApiError
from machine.swarmd.aggregate.listing import nanoseconds
from tests.swarmd.aggregate.test_aggregate import AggregateWithEngines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("0001-01-01T00:00:00Z", -62135596800 * 10**9),
        ("1970-13-01T00:00:00Z", 0),
        ("never", 0),
        (None, 0),
        (5, 0),
    ],
)
def test_times(text: object, expected: int) -> None:
    assert nanoseconds(text) == expected


async def three(fleet: AggregateWithEngines) -> None:
    """first on b, second on a, third on c, all in one second."""
    for name, node in (("first", "b"), ("second", "a"), ("third", "c")):
        assert await fleet.create(f"{node}/{name}") == node
    for engine in fleet.engines:
        for container in engine.containers.values():
            container.created, container.list_entry = 1_700_000_000, b""
            number = ("first", "second", "third").index(container.name)
            entry = container.inspect

            def inspect(entry: Any = entry, number: int = number) -> dict[str, Any]:
                return {**entry(), "Created": f"2023-11-14T22:13:20.00000000{number + 1}Z"}

            container.inspect = inspect  # type: ignore[method-assign]  # a simulated container has no time of its own


def names(listed: list[dict[str, Any]]) -> list[str]:
    return [each["Names"][0].strip("/") for each in listed]


async def test_the_newest_of_one_second_is_found() -> None:
    fleet = AggregateWithEngines(containers=0)
    await three(fleet)
    assert names(await fleet.get("/containers/json?limit=1")) == ["third"]
    assert names(await fleet.get("/containers/json?limit=2")) == ["third", "second"]


async def test_before_and_since_hold_over_all_engines() -> None:
    fleet = AggregateWithEngines(containers=0)
    await three(fleet)
    for query, expected in (
        ({"since": ["first"]}, ["third", "second"]),
        ({"before": ["third"]}, ["second", "first"]),
        ({"since": ["first"], "before": ["third"]}, ["second"]),
        ({"since": ["third"]}, []),
    ):
        text = json.dumps(query).replace(" ", "")
        assert sorted(names(await fleet.get(f"/containers/json?all=1&filters={text}"))) == sorted(expected)
    assert names(await fleet.get("/containers/json?since=first&limit=1")) == ["third"]
    with pytest.raises(ApiError, match="No such container: nobody"):
        await fleet.get('/containers/json?filters={"since":["nobody"]}')


@pytest.mark.parametrize("limit", ["--5", "x", "9" * 5000, "٣"])
async def test_a_limit_that_is_no_number_is_refused(limit: str) -> None:
    fleet = AggregateWithEngines()
    with pytest.raises(ApiError, match="limit must be a whole number") as no:
        await fleet.get(f"/containers/json?limit={limit}")
    assert no.value.status == 400
    assert len(await fleet.get("/containers/json?limit=-1")) == 6
