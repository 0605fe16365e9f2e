from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.swarm.scheduler import NoNode, rank
from machine.swarm.scheduler.expressions import parse
from machine.swarm.scheduler.node import Node, PlainContainer
from machine.swarm.scheduler.placement_request import PlacementRequest, Port
from machine.swarm.scheduler.strategy import weight

GIB = 1 << 30


def held(
    key: str,
    name: str = "",
    *,
    cpus: int = 0,
    memory: int = 0,
    ports: Any = (),
    labels: dict[str, str] | None = None,
    exposed: Any = (),
) -> PlainContainer:
    return PlainContainer(key, (name,) if name else (), labels or {}, cpus, memory, tuple(ports), frozenset(exposed))


def node(name: str, *containers: PlainContainer, cpus: int = 4, memory: int = 4 * GIB, **more: Any) -> Node:
    return Node(name=name, id=f"id-{name}", cpus=cpus, memory=memory, containers={c.id: c for c in containers}, **more)


def names(nodes: list[Node]) -> list[str]:
    return [n.name for n in nodes]


def test_weight_by_the_formula() -> None:
    n = node("a", held("x", cpus=1, memory=GIB))
    assert weight(PlacementRequest(), n, -10) == 100 + 100 - 1000
    assert weight(PlacementRequest(cpus=1), n, -10) == 50 + 100 - 1000
    assert weight(PlacementRequest(memory=GIB), n, 10) == 100 + 50 + 1000
    assert weight(PlacementRequest(cpus=5), n, 10) is None
    assert weight(PlacementRequest(cpus=4), n, 10) is None
    assert weight(PlacementRequest(cpus=3, memory=3 * GIB), n, 10) == 100 + 100 + 1000


def test_spread_takes_the_emptiest_then_the_one_with_fewest_containers() -> None:
    a, b, c = node("a", held("1"), held("2")), node("b", held("3")), node("c", held("4", memory=GIB))
    assert names(rank([a, b, c], PlacementRequest())) == ["b", "c", "a"]
    assert names(rank([c, a, b], PlacementRequest(memory=GIB))) == ["b", "a", "c"]


def test_binpack_fills_one() -> None:
    a, b = node("a", held("1", memory=GIB)), node("b")
    assert names(rank([b, a], PlacementRequest(memory=GIB), "binpack")) == ["a", "b"]
    full = node("f", held("1", memory=4 * GIB))
    assert names(rank([full, b], PlacementRequest(memory=GIB), "binpacking")) == ["b"]


@pytest.mark.parametrize("strategy", ["spread", "binpack"])
@pytest.mark.parametrize("asked", [PlacementRequest(), PlacementRequest(memory=GIB)])
def test_the_first_few_are_those_that_come_first(strategy: str, asked: PlacementRequest) -> None:
    nodes = [node(f"n{n}", failures=n % 2) for n in range(9)]
    for n, each in enumerate(nodes):
        each.creating = {str(number): held(str(number)) for number in range(n % 4)}
    nodes = [each for each in nodes if not asked.memory or not each.creating]
    for limit in (1, 2, 5):
        assert rank(nodes, asked, strategy, limit=limit) == rank(nodes, asked, strategy)[:limit]
    assert len(rank(nodes, asked, "random", limit=1)) == 1


def test_a_node_that_failed_lately_comes_last_whatever_is_on_it() -> None:
    a, b = node("a", failures=1), node("b", *(held(str(i)) for i in range(9)))
    assert names(rank([a, b], PlacementRequest())) == ["b", "a"]
    assert names(rank([a, b], PlacementRequest(), "binpack")) == ["b", "a"]


def test_random_looks_at_no_resources() -> None:
    nodes = [node(str(i)) for i in range(4)]
    seen = {names(rank(nodes, PlacementRequest(memory=99 * GIB), "random"))[0] for _ in range(200)}
    assert len(seen) == 4


def test_health() -> None:
    with pytest.raises(NoNode, match="No healthy node available in the cluster"):
        rank([node("a", healthy=False), node("b", failures=3)], PlacementRequest())


def test_no_resources() -> None:
    with pytest.raises(
        NoNode, match="no resources available to schedule container: 5368709120 bytes of memory wanted, a has"
    ):
        rank([node("a")], PlacementRequest(memory=5 * GIB))


def test_ports_of_stopped_and_pending_containers_count() -> None:
    port = Port("", "tcp", 80, 80)
    a, b = node("a", held("1", ports=[port])), node("b")
    b.creating["2"] = held("2", ports=[port])
    b.invalidate()
    assert names(rank([a, b, node("c")], PlacementRequest(ports=(port,)))) == ["c"]
    with pytest.raises(NoNode, match="80/tcp"):
        rank([a, b], PlacementRequest(ports=(port,)))


def test_ports_on_different_addresses_and_protocols_do_not_collide() -> None:
    a = node("a", held("1", ports=[Port("10.0.0.1", "tcp", 80, 80)]))
    assert a.is_free(Port("10.0.0.2", "tcp", 80, 80))
    assert a.is_free(Port("10.0.0.1", "udp", 80, 80))
    assert not a.is_free(Port("10.0.0.1", "tcp", 80, 80))
    assert not a.is_free(Port("", "tcp", 80, 80))
    assert a.is_free(Port("", "tcp", 80, 81))


def test_host_mode_looks_at_exposed_ports() -> None:
    a, b = node("a", held("1", exposed=["80/tcp"])), node("b", held("2", ports=[Port("", "tcp", 80, 80)]))
    asked = PlacementRequest(host_mode=True, exposed=frozenset({"80/tcp"}))
    assert names(rank([a, b], asked)) == ["b"]


def test_containerslots() -> None:
    a = node("a", held("1"), labels={"containerslots": "1"})
    b = node("b", *(held(str(i)) for i in range(9)), labels={"containerslots": "many"})
    assert names(rank([a, b], PlacementRequest())) == ["b"]
    with pytest.raises(NoNode, match="slot"):
        rank([a], PlacementRequest())


def test_dependencies_stay_together() -> None:
    a, b = node("a", held("1" * 64, "db")), node("b", held("2" * 64, "data"))
    assert names(rank([a, b], PlacementRequest(colocate_with=("db",)))) == ["a"]
    assert names(rank([a, b], PlacementRequest(colocate_with=("2" * 12,)))) == ["b"]
    with pytest.raises(NoNode, match="data, db"):
        rank([a, b], PlacementRequest(colocate_with=("data", "db")))


def wanting(*, affinity: Any = (), constraint: Any = (), whitelist: Any = ()) -> PlacementRequest:
    return PlacementRequest(
        affinities=tuple(map(parse, affinity)),
        constraints=tuple(map(parse, constraint)),
        whitelists=tuple(map(parse, whitelist)),
    )


def test_affinity() -> None:
    a = node("a", held("1", "web", labels={"tier": "front"}), images=frozenset({"sha256:1", "redis:7", "redis"}))
    b = node("b", held("2", "db"))
    assert names(rank([a, b], wanting(affinity=["container==web"]))) == ["a"]
    assert names(rank([a, b], wanting(affinity=["container!=web"]))) == ["b"]
    assert names(rank([a, b], wanting(affinity=["container==b/db"]))) == ["b"]
    assert names(rank([a, b], wanting(affinity=["container!=a/web"]))) == ["b"]
    assert names(rank([a, b], wanting(affinity=["image==redis"]))) == ["a"]
    assert names(rank([a, b], wanting(affinity=["tier==fr*"]))) == ["a"]
    with pytest.raises(NoNode, match="container==x"):
        rank([a, b], wanting(affinity=["container==x"]))


def test_soft_expressions_are_dropped_when_nothing_fits() -> None:
    nodes = [node("a"), node("b")]
    assert names(rank(nodes, wanting(constraint=["node==~b"]))) == ["b"]
    assert names(rank(nodes, wanting(constraint=["node==~z"]))) == ["a", "b"]
    with pytest.raises(NoNode):
        rank(nodes, wanting(constraint=["node==~b", "node==z"]))


def test_constraint_on_labels_counts_a_missing_one_as_empty() -> None:
    a, b = node("a", labels={"storage": "ssd"}), node("b")
    assert names(rank([a, b], wanting(constraint=["storage==ssd"]))) == ["a"]
    assert names(rank([a, b], wanting(constraint=["storage!=ssd"]))) == ["b"]
    assert names(rank([a, b], wanting(constraint=["node==id-b"]))) == ["b"]


def test_whitelist_takes_exact_names() -> None:
    nodes = [node("n1"), node("n11"), node("n2")]
    assert names(rank(nodes, wanting(whitelist=["node==n1|n2"]))) == ["n1", "n2"]


def test_only_the_filters_named_are_applied() -> None:
    assert names(rank([node("a", failures=2)], wanting(constraint=["node==z"]), filters=["health"])) == ["a"]


node_lists = st.lists(
    st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(0, 6), st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=8,
)


@given(node_lists, st.integers(0, 4), st.integers(0, 4), st.sampled_from(["spread", "binpack"]))
def test_whoever_is_chosen_has_room_and_no_fitting_node_is_better(
    specs: list[tuple[int, ...]], cpus: int, memory: int, strategy: str
) -> None:
    nodes = [
        node(str(i), *(held(f"{i}-{k}", cpus=1, memory=GIB) for k in range(used)), cpus=c, memory=m * GIB,
             failures=failures, healthy=healthy)
        for i, (c, m, used, failures, healthy) in enumerate(specs)
    ]  # fmt: skip
    asked = PlacementRequest(cpus=cpus, memory=memory * GIB)
    fitting = [
        n
        for n in nodes
        if n.healthy and n.failures < 3
        and n.cpus >= cpus and n.memory >= memory * GIB
        and (not cpus or n.used[0] + cpus <= n.cpus + n.cpus // 100)
        and (not memory or (n.used[1] + memory * GIB) * 100 // n.memory <= 100)
    ]  # fmt: skip
    try:
        chosen = rank(nodes, asked, strategy)
    except NoNode:
        assert not [n for n in fitting if not cpus or (n.used[0] + cpus) * 100 // n.cpus <= 100]
        return
    assert set(names(chosen)) <= set(names(fitting))
    factor = -10 if strategy == "spread" else 10
    weights = [weight(asked, n, factor) for n in chosen]
    assert weights == sorted((w for w in weights if w is not None), reverse=strategy == "binpack")
    assert rank(nodes, asked, strategy, limit=1) == chosen[:1]  # the best alone is found by a shorter way
