"""Images through the manager: known at once, one tag is its newest build, one id from many engines."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest

from machine.swarm.manager.routes import answer
from machine.swarm.pipeline import ApiError, CallNext, Hijack, Reply, Request
from tests.swarm.fleet import Fleet, SimulatedHost, swarm


def on(number: int) -> str:
    return "buildargs=" + quote(json.dumps({"constraint:node": f"=n{number}"}))


async def build(fleet: Fleet, number: int, what: str, tag: str = "") -> str:
    """Build on engine `number`; the image's id."""
    text = await (await fleet.call("POST", f"/build?remote={what}&t={tag}&{on(number)}")).read()
    return str(json.loads(text.splitlines()[0])["aux"]["ID"])


async def where(fleet: Fleet, image: str, **body: Any) -> tuple[str, ...]:
    """The engine on which a container of that image is made, and the image's id there."""
    key = await fleet.create(Image=image, **body)
    engine = fleet.cluster.find(key).engine
    return engine.name, *engine.image_table.find(image)


async def listed(fleet: Fleet, query: str = "") -> dict[str, list[str]]:
    """Tags of each image listed, by the beginning of its id."""
    return {image["Id"]: image["RepoTags"] for image in await fleet.ask("GET", f"/images/json?{query}")}


class Raw(Hijack):
    """The connection of a client that speaks to the engine in a way that nobody here reads."""

    async def read(self, limit: int = 65536) -> bytes:
        return b""

    async def write(self, data: bytes) -> None:
        pass

    async def end(self) -> None:
        pass

    def close(self) -> None:
        pass


def with_grpc(place: SimulatedHost) -> None:
    """Let an engine answer /grpc as Docker does."""
    ask = place.ask

    async def answer_raw(request: Request) -> Reply:
        return Reply(101, (), Raw()) if request.path == "/grpc" else await ask(request)

    place.ask = answer_raw


# known at once


async def test_a_build_that_answers_in_one_piece_is_listed_before_the_client_hears_its_end() -> None:
    async with swarm(refresh_min=60, refresh_max=61) as fleet:
        identity = await build(fleet, 2, "one", "app")
        assert (await listed(fleet))[identity] == ["app:latest"]
        assert await where(fleet, "app") == ("n2", identity)


async def test_a_build_without_a_tag_runs_by_its_id_and_by_its_beginning_as_often_as_one_likes() -> None:
    async with swarm(refresh_min=60, refresh_max=61) as fleet:
        identity = await build(fleet, 3, "one")
        for name in (identity, identity[7:], identity[7:19], identity[7:13]) * 2:
            assert (await where(fleet, name))[0] == "n3"
        shown = await fleet.ask("GET", f"/images/{identity[7:19]}/json")
        assert shown["Id"] == identity


async def test_an_image_that_no_list_shows_is_found_by_asking() -> None:
    async with swarm(refresh_min=60, refresh_max=61) as fleet:
        identity = await build(fleet, 3, "one")
        fleet.hosts[2].engine.hidden.add(identity)  # another image was made from it
        await fleet.engine("n3").refresh_kinds("image")
        assert (await fleet.ask("GET", f"/images/{identity[7:19]}/json"))["Id"] == identity
        key = await fleet.create(Image=identity[7:19])
        assert fleet.cluster.find(key).engine.name == "n3"


async def lists_again(fleet: Fleet) -> bool:
    """Whether who wants to know of images has the first engine list its own once more."""
    asked = fleet.hosts[0].asked
    asked.clear()
    await fleet.context.images.settle()
    return any("/images/json" in target for _, target in asked)


@pytest.mark.parametrize("over", [False, True])
async def test_what_buildx_builds_is_known_while_its_connection_is_open_and_after(over: bool) -> None:
    async with swarm(refresh_min=60, refresh_max=61) as fleet:
        with_grpc(fleet.hosts[0])
        reply = await answer(fleet.context, Request("POST", "/grpc"))
        builder = fleet.hosts[0].engine
        builder.answer("POST", "/build?remote=one&t=app")  # nothing says so
        if over:
            await reply.close()
        assert await where(fleet, "app") == ("n1", builder.images["app:latest"])
        assert await lists_again(fleet) is not over
        builder.answer("POST", "/build?remote=two&t=app")
        if not over:
            await reply.close()
            assert builder.images["app:latest"] in await listed(fleet)
            assert not await lists_again(fleet), "what was built is known"


async def test_a_commit_is_known_at_once() -> None:
    async with swarm(refresh_min=60, refresh_max=61) as fleet:
        await fleet.create("base", Env=["constraint:node==n2"])
        made = await fleet.ask("POST", "/commit?container=base&repo=copy&tag=1", {})
        assert await where(fleet, "copy:1") == ("n2", made["Id"])


async def test_an_older_list_that_comes_late_does_not_undo_a_newer_one() -> None:
    async with swarm(1, refresh_min=60, refresh_max=61) as fleet:
        engine, place = fleet.engine("n1"), fleet.hosts[0]
        ask, held = place.ask, asyncio.Event()

        async def slow(request: Request) -> Reply:
            reply = await ask(request)
            if request.path == "/images/json" and not held.is_set():
                held.set()
                await asyncio.sleep(0.05)
            return reply

        place.ask = slow
        old = asyncio.ensure_future(engine.refresh_kinds("image"))
        await held.wait()
        place.engine.answer("POST", "/build?remote=one&t=app")
        await engine.refresh_kinds("image")
        await old
        assert "app:latest" in engine.image_table.tags


# one tag means the newest build through this endpoint


async def test_after_a_second_build_every_container_is_of_the_second(fleet: Fleet) -> None:
    first = await build(fleet, 1, "v1", "app")
    second = await build(fleet, 2, "v2", "app")
    assert [await where(fleet, "app") for _ in range(6)] == [("n2", second)] * 6
    assert (await fleet.ask("GET", "/images/app/json"))["Id"] == second
    assert await listed(fleet) == {
        first: [],
        second: ["app:latest"],
        "sha256:" + "b" * 64: ["busybox:latest"],
    }
    assert (await where(fleet, first))[0] == "n1"


async def test_a_container_of_the_older_image_is_listed_with_its_id(fleet: Fleet) -> None:
    first = await build(fleet, 1, "v1", "app")
    await fleet.create("old", Image="app")
    await build(fleet, 2, "v2", "app")
    await fleet.create("new", Image="app")
    shown = {c["Names"][0].rpartition("/")[2]: c["Image"] for c in await fleet.ask("GET", "/containers/json?all=1")}
    assert shown == {"old": first, "new": "app"}
    found = await fleet.names("all=1&filters=" + quote(json.dumps({"ancestor": ["app"]})))
    assert [name.rpartition("/")[2] for name in found] == ["new"]


async def test_building_the_first_again_makes_it_the_newest_although_no_tag_moved_on_its_engine(fleet: Fleet) -> None:
    first = await build(fleet, 1, "v1", "app")
    await build(fleet, 2, "v2", "app")
    assert await build(fleet, 1, "v1", "app") == first
    assert {await where(fleet, "app:latest") for _ in range(3)} == {("n1", first)}


async def test_an_engine_with_the_older_image_counts_as_one_without_it(fleet: Fleet) -> None:
    await build(fleet, 1, "v1", "app")
    await build(fleet, 2, "v2", "app")
    with pytest.raises(ApiError, match=r"No such image: app .* n2") as told:
        await fleet.create(Image="app", Env=["constraint:node==n1"])
    assert told.value.status == 404  # so that clients pull it
    with pytest.raises(ApiError, match="node==nowhere"):
        await fleet.create(Image="app", Env=["constraint:node==nowhere"])
    fleet.hosts[1].switch(down=True)
    await fleet.until(lambda: len(fleet.cluster.healthy()) == 2)
    with pytest.raises(ApiError, match="No such image"):
        await fleet.create(Image="app")


async def test_a_tag_removed_everywhere_is_free_again(fleet: Fleet) -> None:
    await build(fleet, 1, "v1", "app")
    await build(fleet, 2, "v2", "app")
    await fleet.call("DELETE", "/images/app")
    assert not [tags for tags in (await listed(fleet)).values() if "app:latest" in tags]
    third = await build(fleet, 3, "v3", "app")
    assert await where(fleet, "app") == ("n3", third)


async def test_a_pull_makes_every_engine_fit_again_with_its_own_image(fleet: Fleet) -> None:
    await build(fleet, 1, "v1", "app")
    for place in fleet.hosts:
        place.engine.images.pop("app:latest", None)
    await (await fleet.call("POST", "/images/create?fromImage=app&tag=latest")).read()
    assert len({(await where(fleet, "app"))[0] for _ in range(3)}) == 3  # their ids differ, as on two architectures


async def test_a_tag_means_what_it_was_put_on_last(fleet: Fleet) -> None:
    first, second = await build(fleet, 1, "v1", "app:1"), await build(fleet, 2, "v2", "app:2")
    await fleet.call("POST", "/images/app:1/tag?repo=app&tag=live")
    assert await where(fleet, "app:live") == ("n1", first)
    await fleet.call("POST", "/images/app:2/tag?repo=app&tag=live")
    assert {(await where(fleet, "app:live"))[0] for _ in range(3)} == {"n2"}
    assert (await fleet.ask("GET", "/images/app:live/json"))["Id"] == second


async def test_tags_on_engines_that_differ_without_our_doing_spread_as_ever(fleet: Fleet) -> None:
    for place in fleet.hosts:
        place.engine.answer("POST", f"/build?remote={place.engine.name}&t=app")
    for engine in fleet.cluster.healthy():
        await engine.refresh_kinds("image")
    assert len({(await where(fleet, "app"))[0] for _ in range(3)}) == 3
    assert sum("app:latest" in tags for tags in (await listed(fleet)).values()) == 3


# filters of lists


async def test_dangling_and_reference_see_what_the_list_shows(fleet: Fleet) -> None:
    first = await build(fleet, 1, "v1", "app")
    second = await build(fleet, 2, "v2", "app")

    async def found(**filters: list[str]) -> set[str]:
        return set(await listed(fleet, "filters=" + quote(json.dumps(filters))))

    assert first in await found(dangling=["true"])
    assert second not in await found(dangling=["true"])
    assert first not in await found(dangling=["false"])
    assert second in await found(dangling=["false"])


async def test_before_and_since_compare_with_an_image_that_one_engine_has(fleet: Fleet) -> None:
    for number in (1, 2, 3):
        fleet.hosts[number - 1].engine.created_at["sha256:" + "b" * 64] -= 10 * number
    one = await build(fleet, 1, "v1", "one")
    fleet.hosts[1].engine.created_at["sha256:" + "c" * 64] = 1
    for engine in fleet.cluster.healthy():
        await engine.refresh_kinds("image")
    found = set(await listed(fleet, "filters=" + quote(json.dumps({"before": ["one"]}))))
    assert one not in found
    assert {"sha256:" + "b" * 64, "sha256:" + "c" * 64} <= found


# one id


async def test_an_import_prints_one_id_that_runs_and_its_tag_runs_everywhere(fleet: Fleet) -> None:
    text = await (await fleet.call("POST", "/images/create?fromSrc=-&repo=imported&tag=1")).read()
    (line,) = text.splitlines()
    identity = json.loads(line)["status"]
    assert identity == fleet.hosts[0].engine.images["imported:1"]
    assert await where(fleet, identity) == ("n1", identity)
    assert await where(fleet, identity[7:19]) == ("n1", identity)
    assert {(await where(fleet, "imported:1"))[0] for _ in range(7)} == {"n1", "n2", "n3"}
    text = await (await fleet.call("POST", "/images/create?fromSrc=-")).read()
    assert await where(fleet, json.loads(text)["status"])


async def test_a_load_prints_what_was_loaded_once_and_an_engine_that_cannot_is_named(fleet: Fleet) -> None:
    archive = json.dumps({"id": "sha256:" + "d" * 64, "tags": ["saved:1"]}).encode()
    reply = await answer(fleet.context, Request("POST", "/images/load?quiet=1", (), archive))
    assert [json.loads(line) for line in (await reply.read()).splitlines()] == [{"stream": "Loaded image: saved:1\n"}]
    ask = fleet.hosts[0].ask

    async def full(request: Request) -> Reply:
        return Reply.error(500, "disk full") if request.path == "/images/load" else await ask(request)

    fleet.hosts[0].ask = full
    reply = await answer(fleet.context, Request("POST", "/images/load?quiet=1", (), archive))
    first, second = [json.loads(line) for line in (await reply.read()).splitlines()]
    assert first["id"] == "n1"
    assert "disk full" in first["status"]
    assert second == {"stream": "Loaded image: saved:1\n"}


@pytest.mark.parametrize("path", ["/images/load", "/images/create?fromImage=nosuch&tag=1"])
async def test_what_every_engine_refuses_has_their_status_and_words(path: str, fleet: Fleet) -> None:
    for place in fleet.hosts:
        ask = place.ask

        async def denied(request: Request, ask: CallNext = ask) -> Reply:
            return Reply.error(404, "pull access denied") if request.method == "POST" else await ask(request)

        place.ask = denied
    with pytest.raises(ApiError, match=r"^pull access denied$") as refused:
        await fleet.call("POST", path)
    assert refused.value.status == 404


async def test_a_pull_ends_with_the_words_that_clients_look_for(fleet: Fleet) -> None:
    lines = (await (await fleet.call("POST", "/images/create?fromImage=redis&tag=7")).read()).splitlines()
    assert json.loads(lines[-1]) == {"status": "Status: Downloaded newer image for redis:7"}
    assert sum(b"Status: " in line for line in lines) == 1


async def test_a_save_of_images_that_no_engine_has_all_of(fleet: Fleet) -> None:
    await build(fleet, 1, "v1", "one")
    await build(fleet, 2, "v2", "two")
    with pytest.raises(ApiError, match="Unable to find a healthy engine containing all images"):
        await fleet.call("GET", "/images/get?names=one&names=two")
    assert (await fleet.call("GET", "/images/get?names=nosuch&names=one")).status == 404


# builds go where their cache is


def built_on(fleet: Fleet) -> list[int]:
    return [n for n, place in enumerate(fleet.hosts, 1) for _, target in place.asked if "/build?" in target]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("t=app:1", ["t=app:2", "t=app:3", "t=docker.io/library/app:4"]),
        ("t=reg:5000/app:1", ["t=reg:5000/app:2", "t=other&t=reg:5000/app:3"]),
        ("remote=https://git/x", ["remote=https://git/x"] * 2),
        ("t=base:1", [f"t=x&cachefrom={quote(json.dumps(['base:1']))}"]),
        ("t=base:1", [f"t=x&cachefrom={quote(json.dumps([{'Type': 'registry', 'Attrs': {'ref': 'base:1'}}]))}"]),
    ],
)
async def test_a_build_goes_where_its_cache_is_although_other_engines_have_less_to_do(
    first: str, then: list[str], fleet: Fleet
) -> None:
    await fleet.call("POST", f"/build?{first}&{on(2)}")
    for _ in range(3):
        await fleet.create(Env=["constraint:node==n2"])
    for query in then:
        await fleet.call("POST", f"/build?{query}")
    assert set(built_on(fleet)) == {2}


async def test_other_builds_and_those_that_may_not_go_there_are_placed_as_ever(fleet: Fleet) -> None:
    await fleet.call("POST", f"/build?t=app&{on(2)}")
    await fleet.create(Env=["constraint:node==n2"])
    await fleet.call("POST", "/build?t=other")
    await fleet.call("POST", f"/build?t=app&{on(3)}")
    await fleet.call("POST", "/build?t=nonsense&cachefrom=nonsense")
    assert sorted(built_on(fleet)) == [1, 1, 2, 3]
