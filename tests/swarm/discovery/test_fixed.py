from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from machine.swarm.discovery import DiscoveryError, from_url
from machine.swarm.discovery.fixed import File


async def first(stream: AsyncIterator[Any], count: int) -> list[Any]:
    found = []
    async for one in stream:
        found.append(one)
        if len(found) == count:
            return found
    return found


async def test_nodes_with_and_without_a_scheme() -> None:
    for url in ("nodes://a:1,b:[1:2]", "a:1,b:[1:2]"):
        assert await from_url(url).nodes() == ["a:1", "b:1", "b:2"]


async def test_nodes_cannot_be_joined() -> None:
    with pytest.raises(DiscoveryError, match="fixed list"):
        await from_url("a:1").register("b:1", 9)


async def test_a_file_with_comments_and_ranges_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "cluster"
    path.write_text("# mine\na:1 # first\n\nb:[1:2]\n")
    found = from_url(f"file://{path}")

    stream = found.watch(0.02)
    assert await first(stream, 1) == [["a:1", "b:1", "b:2"]]
    path.write_text("c:1\n")
    assert await first(found.watch(0.02), 1) == [["c:1"]]
    path.unlink()
    (error,) = await first(found.watch(0.02), 1)
    assert isinstance(error, DiscoveryError)
    assert str(error) == f"{path} cannot be read: No such file or directory"


async def test_a_watch_speaks_when_something_changes_and_goes_on_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cluster"

    async def change() -> None:
        for text in ("a:1\n", "a:1\n", "nonsense\n", "a:1\nb:1\n"):
            await asyncio.sleep(0.05)
            path.write_text(text)

    task = asyncio.create_task(change())
    seen = []
    async with asyncio.timeout(10):
        async for one in from_url(f"file://{path}").watch(0.01):
            if not isinstance(one, DiscoveryError):
                seen.append(one)
            if len(seen) == 2:
                break
        await task
    assert seen == [["a:1"], ["a:1", "b:1"]]


async def test_a_file_that_is_being_written_counts_when_it_stays_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("machine.swarm.discovery.fixed.UNCHANGED", 0.1)
    path = tmp_path / "nodes"

    path.write_text("a:1\nb:1\n")
    discovery = File(str(path))
    assert await discovery.nodes() == ["a:1", "b:1"]
    path.write_text("a:1\n")
    asking = asyncio.ensure_future(discovery.nodes())
    await asyncio.sleep(0.05)
    path.write_text("a:1\nb:1\nc:1\n")
    assert await asking == ["a:1", "b:1", "c:1"]
    path.write_text("c:1\n")
    assert await discovery.nodes() == ["c:1"]


@pytest.mark.parametrize(
    ("url", "options", "cure"),
    [
        ("file:///nowhere/list", {}, "put a file with one HOST:PORT on each line there"),
        ("etcd://h:1/p", {"kv.cacertfile": "/nowhere"}, "kv.cacertfile=PATH"),
        ("token://t", {}, "--registry FILE"),
    ],
)
async def test_an_error_of_a_file_says_what_to_do_about_that_file(url: str, options: dict[str, str], cure: str) -> None:
    with pytest.raises(DiscoveryError) as caught:
        await from_url(url, options=options, registry="/proc/nowhere", environ={}).nodes()
    assert cure in caught.value.resolution
