"""A container goes where its volumes, networks and predecessor are; what is empty or unused comes to it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from machine.swarm.pipeline import ApiError
from machine.swarm.scheduler.placement_request import EXPRESSION_LABELS
from machine.swarmd.simulator.engine import SimulatedEngine
from tests.swarm.fleet import Fleet, swarm

PREFIX = "com.docker.compose."
PORT = {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}


def service(number: str = "1", name: str = "web", **more: str) -> dict[str, str]:
    return {f"{PREFIX}project": "app", f"{PREFIX}service": name, f"{PREFIX}container-number": number, **more}


def where(fleet: Fleet, name: str) -> list[str]:
    return [p.engine.name for p in fleet.hosts if name in p.engine.names]


def volumes(fleet: Fleet) -> dict[str, list[str]]:
    return {p.engine.name: sorted(p.engine.volumes) for p in fleet.hosts}


async def busy(fleet: Fleet, node: str, count: int = 3) -> None:
    """So that the emptiest engine is another one."""
    for _ in range(count):
        await fleet.create(Env=[f"constraint:node=={node}"])


@pytest.mark.parametrize(
    "mounts",
    [
        {"Binds": ["data:/d"]},
        {"Binds": ["data:/d:ro,z", "/etc:/e"]},
        {"Mounts": [{"Type": "volume", "Source": "data", "Target": "/d"}]},
    ],
)
async def test_a_volume_that_one_engine_has_holds_the_container(mounts: dict[str, list[Any]], fleet: Fleet) -> None:
    await fleet.ask("POST", "/volumes/create", {"Name": "n2/data"})
    await busy(fleet, "n2")
    await fleet.create("job", HostConfig=mounts)
    assert where(fleet, "job") == ["n2"]
    assert volumes(fleet) == {"n1": [], "n2": ["data"], "n3": []}


async def test_a_new_volume_is_made_where_the_container_goes_and_holds_the_next(fleet: Fleet) -> None:
    await fleet.create("first", HostConfig={"Binds": ["cache:/c"]})
    assert [v["Name"] for v in (await fleet.ask("GET", "/volumes"))["Volumes"]] == ["cache"]
    await fleet.create("between")
    await fleet.call("DELETE", "/containers/first")
    await busy(fleet, "n1")
    await fleet.create("third", HostConfig={"Binds": ["cache:/c"]})
    assert where(fleet, "third") == ["n1"]


async def test_many_that_begin_a_volume_at_once_are_on_one_engine(fleet: Fleet) -> None:
    await asyncio.gather(*(fleet.create(f"c{n}", HostConfig={"Binds": ["new:/n"]}) for n in range(12)))
    assert sorted(filter(None, volumes(fleet).values())) == [["new"]]


async def test_of_several_volumes_of_one_name_the_one_with_data_is_meant(fleet: Fleet) -> None:
    for node in ("n1", "n2"):
        await fleet.ask("POST", "/volumes/create", {"Name": f"{node}/data"})
    fleet.hosts[1].engine.volumes_with_data.add("data")
    await busy(fleet, "n2")
    await fleet.create("job", HostConfig={"Binds": ["data:/d"]})
    assert where(fleet, "job") == ["n2"]
    await fleet.create("other", HostConfig={"Binds": ["n1/data:/d"]})
    assert where(fleet, "other") == ["n1"]  # NODE/NAME means that one


async def test_an_empty_volume_goes_to_where_the_rest_is_and_one_with_data_does_not(fleet: Fleet) -> None:
    await fleet.ask("POST", "/volumes/create", {"Name": "n2/data", "Labels": {"k": "v"}})
    await fleet.create("job", HostConfig={"Binds": ["data:/d"]}, Env=["constraint:node==n3"])
    assert volumes(fleet) == {"n1": [], "n2": [], "n3": ["data"]}
    assert (await fleet.ask("GET", "/volumes/data"))["Labels"] == {"k": "v"}
    await fleet.call("DELETE", "/containers/job")
    fleet.hosts[2].engine.volumes_with_data.add("data")
    with pytest.raises(ApiError, match=r"constraint node==n1 .*; volume data \(not on n1, n2\)"):
        await fleet.create("job", HostConfig={"Binds": ["data:/d"]}, Env=["constraint:node==n1"])
    assert volumes(fleet) == {"n1": [], "n2": [], "n3": ["data"]}


@pytest.mark.parametrize("body", [{"DriverOpts": {"type": "none", "device": "/srv"}}, {"Driver": "other"}])
async def test_a_volume_whose_data_is_elsewhere_is_not_moved_though_it_looks_empty(
    body: dict[str, Any], fleet: Fleet
) -> None:
    await fleet.ask("POST", "/volumes/create", {"Name": "n2/data", **body})
    with pytest.raises(ApiError, match="volume data"):
        await fleet.create("job", HostConfig={"Binds": ["data:/d"]}, Env=["constraint:node==n3"])
    assert volumes(fleet)["n2"] == ["data"]


async def test_a_volume_that_a_stopped_container_mounts_is_not_moved(fleet: Fleet) -> None:
    await fleet.create("keeps", HostConfig={"Binds": ["data:/d"]})
    with pytest.raises(ApiError, match="volume data"):
        await fleet.create("job", HostConfig={"Binds": ["data:/d"]}, Env=["constraint:node==n3"])
    assert volumes(fleet)["n1"] == ["data"]


async def test_an_unused_network_goes_to_the_volume_and_both_its_ids_mean_it(fleet: Fleet) -> None:
    await fleet.ask("POST", "/volumes/create", {"Name": "n3/cache"})
    fleet.hosts[2].engine.volumes_with_data.add("cache")
    made = await fleet.ask("POST", "/networks/create", {"Name": "build", "Labels": {"k": "v"}})
    await fleet.create("job", HostConfig={"Binds": ["cache:/c"], "NetworkMode": made["Id"]})
    assert where(fleet, "job") == ["n3"]
    shown = await fleet.ask("GET", f"/networks/{made['Id']}")
    assert (shown["Name"], shown["Labels"]) == ("build", {"k": "v"})
    (container,) = fleet.hosts[2].engine.containers.values()
    assert container.config["HostConfig"]["NetworkMode"] == shown["Id"] != made["Id"]
    assert "build" not in {n["Name"] for n in fleet.hosts[0].engine.networks.values()}
    await fleet.call("DELETE", f"/networks/{made['Id']}")
    assert "build" not in {n["Name"] for n in fleet.hosts[2].engine.networks.values()}


async def test_a_network_with_a_container_or_one_that_somebody_else_made_stays(fleet: Fleet) -> None:
    await fleet.ask("POST", "/volumes/create", {"Name": "n3/cache"})
    fleet.hosts[2].engine.volumes_with_data.add("cache")
    await fleet.ask("POST", "/networks/create", {"Name": "used"})
    await fleet.create("one", HostConfig={"NetworkMode": "used"})
    fleet.hosts[0].engine.answer("POST", "/networks/create", b'{"Name": "foreign"}')
    await fleet.engine("n1").refresh_kinds("network")
    for network in ("used", "foreign"):
        with pytest.raises(ApiError, match=f"volume cache .*network {network}"):
            await fleet.create("job", HostConfig={"Binds": ["cache:/c"], "NetworkMode": network})


@pytest.mark.parametrize("kind", ["volume", "network"])
async def test_two_that_want_the_same_empty_thing_on_two_engines_do_not_both_get_it(kind: str, fleet: Fleet) -> None:
    made = await fleet.ask("POST", f"/{kind}s/create", {"Name": "thing"})
    wanted = {"Binds": ["thing:/t"]} if kind == "volume" else {"NetworkMode": made["Id"]}
    calls = [fleet.create(f"c{n}", HostConfig=dict(wanted), Env=[f"constraint:node==n{2 + n % 2}"]) for n in range(10)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(each) for each in done} <= {str, ApiError}
    assert any(isinstance(each, str) for each in done)
    things = [getattr(p.engine, f"{kind}s").values() for p in fleet.hosts]
    assert sum(t["Name"] == "thing" for each in things for t in each) == 1
    assert len({n.split("/")[0] for n in await fleet.names()}) == 1


async def test_every_network_of_a_create_holds(fleet: Fleet) -> None:
    await fleet.ask("POST", "/networks/create", {"Name": "n2/back"})
    await fleet.create("web", NetworkingConfig={"EndpointsConfig": {"back": {"Aliases": ["w"]}}})
    assert where(fleet, "web") == ["n2"]


async def test_a_service_is_recreated_where_its_predecessor_frees_the_port(fleet: Fleet) -> None:
    """Compose v2: the new one is made, under another name, while the old one runs."""

    for n in range(1, 4):
        await fleet.create(f"app-web-{n}", start=True, HostConfig=PORT, Labels=service(str(n)))
    old = fleet.cluster.find("app-web-2")
    new = await fleet.create(f"{old.id[:12]}_app-web-2", HostConfig=PORT, Labels=service("2"))
    assert fleet.cluster.find(new).engine is old.engine
    with pytest.raises(ApiError, match="port 80/tcp free"):  # one more would be too many
        await fleet.create("app-web-4", HostConfig=PORT, Labels=service("4"))
    with pytest.raises(ApiError, match="port 80/tcp free"):  # `compose run` replaces nobody
        await fleet.create("run", HostConfig=PORT, Labels=service("2", **{f"{PREFIX}oneoff": "True"}))


async def test_a_container_renamed_from_the_wanted_name_and_stopped_is_followed(fleet: Fleet) -> None:
    """Compose 1 and scripts: stop, rename, make the new one."""

    await fleet.create("web", start=True, HostConfig=PORT, Env=["constraint:node==n2"])
    await busy(fleet, "n2")
    await fleet.call("POST", "/containers/web/stop")
    await fleet.call("POST", "/containers/web/rename?name=web-old")
    await fleet.create("web", HostConfig=PORT)
    assert where(fleet, "web") == ["n2"]


async def test_one_renamed_that_runs_on_is_nobodys_predecessor(fleet: Fleet) -> None:
    await fleet.create("web", start=True, HostConfig=PORT, Env=["constraint:node==n1"])
    await fleet.call("POST", "/containers/web/rename?name=blue")
    await fleet.create("web", HostConfig=PORT)
    assert where(fleet, "web") == ["n2"]


async def test_a_predecessor_is_known_after_the_manager_was_started_again() -> None:
    engine = SimulatedEngine("n2", container_names=("web",))
    (old,) = engine.containers.values()
    engine.answer("POST", f"/containers/{old.id}/stop")
    engine.answer("POST", f"/containers/{old.id}/rename?name={old.id[:12]}_web")
    async with swarm(simulated_engines=[SimulatedEngine("n1"), engine]) as fleet:
        (known,) = fleet.cluster.index.newest_first()
        await fleet.create("web", HostConfig=PORT)
        assert where(fleet, "web") == [known.engine.name] == ["n2"]


@pytest.mark.parametrize("given", ["db", "/db", "short", "id"])
@pytest.mark.parametrize("key", ["VolumesFrom", "Links", "NetworkMode", "PidMode", "IpcMode"])
async def test_references_are_kept_as_given_and_hold_the_container(key: str, given: str, fleet: Fleet) -> None:
    made = await fleet.create("db", Env=["constraint:node==n2"])
    text = {"short": made[:6], "id": made}.get(given, given)
    value = {"VolumesFrom": [f"{text}:ro"], "Links": [f"{text}:alias"]}.get(key, f"container:{text}")
    await fleet.create("web", HostConfig={key: value})
    (web,) = [c for c in fleet.hosts[1].engine.containers.values() if c.name == "web"]
    assert web.config["HostConfig"][key] == value
    with pytest.raises(ApiError, match="it depends on"):
        await fleet.create("apart", HostConfig={key: value}, Env=["constraint:node==n1"])


@pytest.mark.parametrize("key", ["VolumesFrom", "Links", "NetworkMode", "PidMode", "IpcMode"])
async def test_a_reference_with_its_node_or_a_swarm_id_becomes_what_the_engine_knows(key: str, fleet: Fleet) -> None:
    made = await fleet.create("db", Env=["constraint:node==n2"])
    swarm_id = fleet.cluster.find("db").swarm_id
    for number, (text, told) in enumerate((("n2/db", "db"), (swarm_id, made))):
        given = [text] if key in ("VolumesFrom", "Links") else f"container:{text}"
        await fleet.create(f"web{number}", HostConfig={key: given})
        (web,) = [c for c in fleet.hosts[1].engine.containers.values() if c.name == f"web{number}"]
        assert web.config["HostConfig"][key] == ([told] if isinstance(given, list) else f"container:{told}")


@pytest.mark.parametrize("labels", [5, ["x"], "x"])
async def test_labels_that_are_no_object_are_refused(labels: Any) -> None:
    async with swarm(1) as fleet:
        with pytest.raises(ApiError, match="Labels") as told:
            await fleet.create("web", Labels=labels)
        assert told.value.status == 400


async def test_a_name_that_is_an_id_is_refused() -> None:
    async with swarm(1) as fleet:
        await fleet.create("web")
        for call in (fleet.create("a" * 64), fleet.call("POST", f"/containers/web/rename?name={'a' * 64}")):
            with pytest.raises(ApiError, match="cannot specify 64-byte hexadecimal strings") as told:
                await call
            assert told.value.status == 400


async def test_a_label_with_the_shells_backslash_is_obeyed() -> None:
    async with swarm(2) as fleet:
        await fleet.create("c1", Env=["constraint:node==n1"])
        await fleet.create("c2", Labels={EXPRESSION_LABELS["affinity"]: r'["container\!=c1"]'})
        assert where(fleet, "c2") == ["n2"]
