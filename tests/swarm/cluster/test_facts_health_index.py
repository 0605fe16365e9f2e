"""Facts, health, containers and the index: values in, values out."""

from __future__ import annotations

from typing import Any

import pytest

from machine.swarm.cluster.container import ContainerRecord, shares
from machine.swarm.cluster.facts import facts_of, negotiate_version
from machine.swarm.cluster.health import Health, HealthTracker
from machine.swarm.cluster.index import Index
from machine.swarm.resolve import Ambiguous
from machine.swarm.scheduler.placement_request import Port


class FakeHost:
    """An engine as a container sees it."""

    def __init__(self, name: str, reachable: bool = True) -> None:
        self.name = self.id = name
        self.reachable = reachable


def entry(key: str = "a" * 64, *names: str, **more: Any) -> dict[str, Any]:
    return {"Id": key, "Names": [f"/{n}" for n in names], "Image": "x", "Created": 5, "State": "running",
            "Status": "Up 5 minutes", **more}  # fmt: skip


def container(host: FakeHost, key: str = "a" * 64, *names: str, **more: Any) -> ContainerRecord[FakeHost]:
    made = ContainerRecord(host)
    made.update(entry(key, *names, **more), host.name, "10.0.0.9", 1000.0)
    return made


def test_the_entry_is_that_of_the_cluster() -> None:
    ports = [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
             {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
             {"PrivatePort": 81, "Type": "tcp"}]  # fmt: skip
    made = container(FakeHost("n1"), "a" * 64, "web", "db/alias", Ports=ports)
    shown = made.value()
    assert shown["Names"] == ["/web", "/db/alias"]
    assert shown["Status"] == "Up 5 minutes"
    assert [p.get("IP") for p in shown["Ports"]] == ["10.0.0.9", None]
    assert made.names == ("web",)
    assert made.ports == (Port("0.0.0.0", "tcp", 8080, 8080), Port("::", "tcp", 8080, 8080))


def test_the_entry_says_when_the_host_is_down_and_when_it_is_back() -> None:
    host = FakeHost("n1")
    made = container(host, "a" * 64, "web")
    host.reachable = False
    made.update_status(1000.0)
    assert made.value()["Status"] == "Host Down"
    host.reachable = True
    made.update_status(1060.0)
    assert made.value()["Status"] == "Up 6 minutes"


def test_what_an_inspect_tells() -> None:
    made = container(FakeHost("n1"))
    assert not made.inspected
    host = {"CpuShares": 512, "Memory": 7, "PortBindings": {"80/tcp": [{"HostPort": "80"}]}}
    made.apply_inspect({"HostConfig": host}, 4)
    assert (made.inspected, made.cpus, made.memory) == (True, 2, 7)
    assert made.ports == (Port("", "tcp", 80, 80),)


@pytest.mark.parametrize("total", [1, 2, 3, 7, 64])
def test_shares_there_and_back(total: int) -> None:
    for cpus in range(1, total + 1):
        made = container(FakeHost("n1"))
        made.apply_inspect({"HostConfig": {"CpuShares": shares(cpus, total)}}, total)
        assert made.cpus in (cpus, cpus + 1)  # ceil on both ways, as classic Swarm has it


def test_only_what_a_manager_signed_may_move_and_the_signature_is_not_listed() -> None:
    labels = {"com.docker.swarm.reschedule-policies": '["on-node-failure"]', "com.docker.swarm.signed-create": "x"}
    made = container(FakeHost("n1"), Labels=labels)
    assert (made.labelled_reschedulable, made.is_reschedulable, made.signature_label) == (True, False, "x")
    assert list(made.value()["Labels"]) == ["com.docker.swarm.reschedule-policies"]


def test_found_by_id_name_node_and_beginning() -> None:
    index: Index[ContainerRecord[FakeHost]] = Index()
    n1, n2 = FakeHost("n1"), FakeHost("n2")
    web1 = container(n1, "ab" * 32, "web", Created=1)
    web2 = container(n2, "ac" * 32, "web", Created=2)
    one = container(n1, "ff" * 32, "one", Created=3, Labels={"com.docker.swarm.id": "sid"})
    for made in (web1, web2, one):
        index.add(made)
    assert index.newest_first() == [one, web2, web1]
    assert index.find("ab" * 32) is index.find("n1/web") is index.find("/n1/web") is index.find("aba") is web1
    assert index.find("n1/" + "ab" * 32) is web1
    assert index.find("one") is index.find("sid") is index.find("f") is one
    assert index.find("nothing") is index.find("") is index.find("n3/web") is None
    for text in ("web", "a"):
        with pytest.raises(Ambiguous, match="n1/web, n2/web"):
            index.find(text)
    n2.reachable = False
    assert index.find("web") is web1
    index.drop(web1)
    assert index.find("web") is web2
    web2.names = ("db",)
    index.update_names(web2, ("web",))
    assert index.find("web") is None
    assert index.find("db") is web2
    assert len(index) == 2


def test_health_goes_through_its_states() -> None:
    health = HealthTracker(3)
    assert (health.failure("x"), health.state) == ("", Health.PENDING)
    assert (health.success(), health.state, health.error) == ("engine_connect", Health.HEALTHY, "")
    assert [health.failure("x") for _ in range(4)] == ["", "", "engine_disconnect", ""]
    assert (health.state, health.error) == (Health.UNHEALTHY, "x")
    assert health.success() == "engine_reconnect"
    assert health.success() == ""


def test_pauses_grow_and_end_growing() -> None:
    health = HealthTracker(3)
    pauses = []
    for _ in range(20):
        pauses.append(health.pause)
        health.failure("x")
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1, 10)


def test_facts() -> None:
    version = {"Version": "29.0", "ApiVersion": "1.52", "MinAPIVersion": "1.44", "Os": "linux", "Arch": "amd64"}
    info = {
        "Name": "n",
        "ID": "I",
        "NCPU": 4,
        "MemTotal": 9,
        "Labels": ["a=b=c", "flag", "node=x"],
        "Driver": "overlay2",
    }
    facts = facts_of(version, info)
    assert facts.labels == {"a": "b=c", "flag": "", "storagedriver": "overlay2", "ostype": "linux"}
    assert [negotiate_version(v, facts) for v in ("", "1.24", "1.47", "1.99")] == ["", "1.44", "1.47", "1.52"]
    with pytest.raises(ValueError, match="not a Docker Engine"):
        facts_of(version, {})


def names(*containers: ContainerRecord[FakeHost]) -> list[str]:
    return [c.value()["Names"][0] for c in containers]


def test_a_name_is_shown_plain_and_with_its_node_only_while_it_alone_would_mean_nothing() -> None:
    index: Index[ContainerRecord[FakeHost]] = Index()
    hosts = [FakeHost("n1"), FakeHost("n2"), FakeHost("n3")]
    a, b, c = (container(host, key * 64, "web") for host, key in zip(hosts, "abc", strict=True))
    index.add(a)
    assert names(a) == ["/web"]
    index.add(b)
    assert names(a, b) == ["/n1/web", "/n2/web"]
    index.add(c)
    index.drop(b)
    assert names(a, c) == ["/n1/web", "/n3/web"]
    index.drop(a)
    assert names(c) == ["/web"]


def test_a_rename_settles_the_names_on_both_sides() -> None:
    index: Index[ContainerRecord[FakeHost]] = Index()
    a, b = container(FakeHost("n1"), "a" * 64, "web"), container(FakeHost("n2"), "b" * 64, "web", "other/web")
    index.add(a)
    index.add(b)
    assert b.value()["Names"] == ["/n2/web", "/n2/other/web"]
    before = b.names
    b.update(entry("b" * 64, "api"), "n2", "10.0.0.9", 1000.0)
    index.update_names(b, before)
    assert names(a, b) == ["/web", "/api"]


def test_of_two_the_one_whose_engine_answers_has_the_name() -> None:
    index: Index[ContainerRecord[FakeHost]] = Index()
    lost = FakeHost("n1")
    a, b = container(lost, "a" * 64, "web"), container(FakeHost("n2"), "b" * 64, "web")
    lost.reachable = False
    index.add(a)
    index.add(b)
    assert names(a, b) == ["/n1/web", "/web"]
    assert index.find("web") is b
    lost.reachable = True
    index.settle(a.names)
    assert names(a, b) == ["/n1/web", "/n2/web"]


def test_a_part_of_a_name_finds_the_same_as_a_look_at_each_one_after_every_change() -> None:
    index: Index[ContainerRecord[FakeHost]] = Index(lambda: 0.0)
    host = FakeHost("n1")
    known = [container(host, f"{n:064x}", f"/web-{n}", f"/alias-{n % 3}", Created=n % 7) for n in range(60)]
    nameless = container(host, "f" * 64)

    def agrees() -> None:
        for part in ("web-1", "web-17", "alias-2", "we", "b-5", "1", "-", "old", "none"):
            wanted = [c for c in index.newest_first() if any(part in name for name in c.names)]
            assert index.with_name_part(part) == wanted, part

    agrees()
    for each in (*known, nameless):
        index.add(each)
    agrees()
    before = known[17].names
    known[17].update({"Id": known[17].id, "Names": ["/old-17"], "Created": 3}, "n1", "10.0.0.1", 0.0)
    index.update_names(known[17], before)
    agrees()
    for each in known[10:20]:
        index.drop(each)
    agrees()
