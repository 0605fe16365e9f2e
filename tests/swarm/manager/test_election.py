"""Who the primary is, when the store that says it is not to be trusted with more."""

from __future__ import annotations

import asyncio

import pytest

from machine.errors import UsageError
from machine.swarm.cli_flags import MANAGE, parse_args
from machine.swarm.discovery.candidate import ElectionCandidate
from machine.swarm.manager.config import manager_config_from
from machine.swarm.manager.election import Election


class Loser(ElectionCandidate):
    """Never wins; the store says who has."""

    def __init__(self, says: str) -> None:
        super().__init__("10.0.0.1:3376", 0)
        self.says = says

    async def leader(self) -> str:
        return self.says

    async def campaign(self) -> bool:
        return False

    async def renew(self) -> bool:
        return False

    async def resign(self) -> None:
        pass

    async def wait_for_change(self, seconds: float) -> None:
        await asyncio.sleep(30)


async def primary_when_told(text: str) -> tuple[str, list[str]]:
    lines: list[str] = []
    election = Election(Loser(text), log=lines.append)
    running = asyncio.ensure_future(election.run())
    await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return election.primary, lines


@pytest.mark.parametrize(
    "text", ["unix:///var/run/docker.sock", "tcp://h:1", "h", "a\nb:1", "u:p@h:1", "h:99999", "h:1/x"]
)
async def test_a_primary_is_a_host_and_a_port(text: str) -> None:
    primary, lines = await primary_when_told(text)
    assert primary == ""
    assert any("is not an address" in line for line in lines)


@pytest.mark.parametrize("text", ["", "10.0.0.2:3376", "[::1]:3376"])
async def test_a_primary_that_is_one_is_taken(text: str) -> None:
    assert (await primary_when_told(text))[0] == text


def test_what_replicas_would_not_take_is_not_advertised() -> None:
    words = ["--replication", "--advertise", "tcp://10.0.0.1:3376", "etcd://127.0.0.1/x"]
    with pytest.raises(UsageError, match="--advertise"):
        manager_config_from(parse_args("manage", words, MANAGE, {}), {}, "")
