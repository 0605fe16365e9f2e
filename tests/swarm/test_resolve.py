"""What a text means, in dockerd's order, and that no engine gets calls for another's things by its own names."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from machine.swarm.resolve import (
    Ambiguous,
    EngineObjects,
    ObjectList,
    pick_container,
    pick_network,
    pick_volume,
    split_node,
)

KEY, OTHER = "ab" * 32, "cd" * 32


class Thing(NamedTuple):
    """A container."""

    id: str
    names: tuple[str, ...]
    node_names: tuple[str, ...] = ("n1",)
    reachable: bool = True


class Engine(NamedTuple):
    """An engine."""

    name: str
    reachable: bool = True


def found(text: str, *things: Thing) -> Thing | None:
    return pick_container(text, ObjectList(things))


@pytest.mark.parametrize("text", [KEY, f"/{KEY}", "web", "/web", "n1/web", "/n1/web", "ab", KEY[:12], f"n1/{KEY[:5]}"])
def test_a_container_is_found_by_id_name_node_and_beginning(text: str) -> None:
    web = Thing(KEY, ("web",))
    assert found(text, web, Thing(OTHER, ("db",))) is web


@pytest.mark.parametrize("text", ["", "/", "nothing", "n2/web", "n1/", "/web/x", "abc", KEY + "a"])
def test_what_fits_nothing_is_nothing(text: str) -> None:
    assert found(text, Thing(KEY, ("web",))) is None


def test_a_name_comes_before_the_beginning_of_an_id_and_a_full_id_before_a_name() -> None:
    web, named = Thing(KEY, ("web",)), Thing(OTHER, ("abab",))
    assert found("abab", web, named) is named
    assert found(KEY, web, Thing(OTHER, (KEY,))) is web


def test_a_short_id_means_both_who_has_it_and_who_is_called_so() -> None:
    for named in (Thing(OTHER, (KEY[:12],), ("bad",)), Thing(KEY[:12], ("x",), ("bad",))):
        web = Thing(KEY, ("web",))
        if named.names == ("x",):
            assert found(KEY[:12], web, named) is web, "an id that is cut short does not count beside a full one"
        else:
            with pytest.raises(Ambiguous, match=f"bad/{KEY[:12]}, n1/web: say which"):
                found(KEY[:12], web, named)


def test_an_id_that_looks_like_a_name_comes_last() -> None:
    web = Thing(KEY, ("web",))
    assert found("web", Thing("web", ("x",), ("bad",)), web) is web
    odd = Thing("odd id", ("x",))
    assert found("odd id", odd) is odd


def test_of_several_the_one_that_can_be_reached_is_meant() -> None:
    one, two = Thing(KEY, ("web",)), Thing(OTHER, ("web",), ("n2",))
    with pytest.raises(Ambiguous, match="web may be any of n1/web, n2/web: say which"):
        found("web", one, two)
    assert found("n2/web", one, two) is two
    assert found("web", one, two._replace(reachable=False)) is one


def networks(text: str, **lists: list[tuple[str, str]]) -> list[str]:
    source = EngineObjects(
        (Engine(name), [{"Id": key, "Name": called} for key, called in things]) for name, things in lists.items()
    )
    return sorted(f"{each.engine.name}/{each.names[0]}" for each in pick_network(text, source))


def test_networks() -> None:
    swarm = "k" * 25
    lists = {"a": [(KEY, "net"), (swarm, "wide")], "b": [(OTHER, "net"), (swarm, "wide"), ("ef" * 32, KEY)]}
    assert networks("net", **lists) == ["a/net", "b/net"]
    assert networks("b/net", **lists) == ["b/net"]
    assert networks(KEY, **lists) == ["a/net"], "not the one that is called so"
    assert networks(KEY[:12], **lists) == networks("ab", **lists) == ["a/net"]
    assert networks(swarm, **lists) == ["a/wide", "b/wide"]
    assert networks(swarm[:9], **lists) == networks("", **lists) == []
    assert networks(KEY[:25], **lists) == ["a/net"], "as long as an id of swarm mode, and the beginning of another"


def test_volumes_have_names_only() -> None:
    source = EngineObjects([(Engine("a"), [{"Name": "v"}]), (Engine("b"), [{"Name": "v"}, {"Name": "w"}])])
    assert [each.engine.name for each in pick_volume("v", source)] == ["a", "b"]
    assert [each.engine.name for each in pick_volume("w", source)] == ["b"]
    assert list(pick_volume("", source)) == []


def test_split_node() -> None:
    is_node = {"n1"}.__contains__
    assert split_node("n1/web", is_node) == ("n1", "web")
    for text in ("n2/web", "web", "n1/", "/web", "/n1/web", ""):
        assert split_node(text, is_node) == ("", text)
