"""What a create does when the engine that was chosen cannot."""

from __future__ import annotations

import pytest

from machine.swarm.pipeline import ApiError, Reply, Request
from tests.swarm.fleet import Fleet, SimulatedHost, swarm


def refuse(place: SimulatedHost, status: int = 500, text: str = "no space left on device") -> None:
    """Let an engine refuse every create."""
    ask = place.ask

    async def call(request: Request) -> Reply:
        return Reply.error(status, text) if request.path == "/containers/create" else await ask(request)

    place.ask = call


def tried(fleet: Fleet) -> list[int]:
    """The numbers of the engines that were asked to create, in order of the engines."""
    return [n for n, p in enumerate(fleet.hosts, 1) for _, target in p.asked if "/containers/create" in target]


async def test_an_image_that_only_one_engine_has_takes_the_container_there(fleet: Fleet) -> None:
    await (await fleet.hosts[2](Request("POST", "/images/create?fromImage=built&tag=1"))).read()
    await fleet.until(lambda: "built:1" in fleet.engine("n3").node.images)
    await fleet.create("one", Image="built:1")
    assert await fleet.names() == ["n3/one"]
    assert tried(fleet) == [1, 3]
    with pytest.raises(ApiError, match="o such image") as told:
        await fleet.create("two", Image="nowhere")
    assert told.value.status == 404
    assert await fleet.names() == ["n3/one"]


async def test_an_image_is_asked_for_when_those_that_have_it_are_full(fleet: Fleet) -> None:
    """A host that came after the pull: `docker run` has to hear of the image, so that it pulls and tries again."""

    for place in fleet.hosts[:2]:
        await (await place(Request("POST", "/images/create?fromImage=web&tag=latest"))).read()
    await fleet.until(lambda: all("web" in fleet.engine(n).node.images for n in ("n1", "n2")))
    ports = {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}
    for name in ("one", "two"):
        await fleet.create(name, Image="web", HostConfig=ports)
    with pytest.raises(ApiError, match="o such image") as told:
        await fleet.create("three", Image="web", HostConfig=ports)
    assert told.value.status == 404
    await (await fleet.hosts[2](Request("POST", "/images/create?fromImage=web&tag=latest"))).read()
    await fleet.create("three", Image="web", HostConfig=ports)
    assert sorted(await fleet.names()) == ["n1/one", "n2/two", "n3/three"]


async def test_a_create_that_failed_is_not_tried_elsewhere_unless_asked(fleet: Fleet) -> None:
    refuse(fleet.hosts[0])
    with pytest.raises(ApiError, match="no space left"):
        await fleet.create("web")
    assert tried(fleet) == [1]
    assert fleet.engine("n1").node.creating == {}


async def test_createretry_tries_other_engines() -> None:
    async with swarm(createretry=5) as fleet:
        refuse(fleet.hosts[0])
        await fleet.create("web")
        assert await fleet.names() == ["n2/web"]
        for place in fleet.hosts[1:]:
            refuse(place)
        with pytest.raises(ApiError, match="no space left"):
            await fleet.create("other")


async def test_createretry_tries_no_more_often_than_it_says() -> None:
    async with swarm(createretry=1) as fleet:
        for place in fleet.hosts:
            refuse(place)
        with pytest.raises(ApiError, match="no space left"):
            await fleet.create("web")
        assert len(tried(fleet)) == 2


async def test_an_engine_that_died_just_now_is_passed_over(fleet: Fleet) -> None:
    fleet.hosts[0].down = True  # its events go on: nobody knows yet
    await fleet.create("web")
    assert await fleet.names() == ["n2/web"]
    fleet.hosts[1].down = fleet.hosts[2].down = True
    with pytest.raises(ApiError, match="connection refused"):
        await fleet.create("other")
