"""What a text in a call means: which container, network or volume, on which engine. Pure.

The order is dockerd's: a full id, a name with or without a leading slash, the beginning of one id
(https://docs.docker.com/reference/api/engine/, "ID or name"). NODE/NAME means what that engine has.

No engine may take calls for another's things by what it calls its own: a full id comes before a name that looks like
one, an id that looks like a name comes after the name, and the short form that `docker ps` prints means the thing whose
id begins so as well as the one that is called so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

FULL_ID = re.compile(r"[0-9a-f]{64}\Z")
NETWORK_ID = re.compile(r"[0-9a-f]{64}\Z|[0-9a-z]{25}\Z")  # those of swarm mode are shorter
FULL_LENGTH = 64  # digits of a full id
SHORT_ID = 12  # digits of an id as `docker ps` prints it
_HEX = frozenset("0123456789abcdef")
_NAMED = 5  # things that an error names


class Ambiguous(LookupError):
    """Several things fit; the text names them."""


class NamedObject(Protocol):
    """A thing on one engine."""

    @property
    def id(self) -> str: ...
    @property
    def names(self) -> Sequence[str]:
        """The object's names on its engine, without a leading slash."""

    @property
    def node_names(self) -> Sequence[str]:
        """What its engine is called in NODE/NAME; the first is shown."""

    @property
    def reachable(self) -> bool:
        """Whether its engine answers."""


T = TypeVar("T", bound=NamedObject)
S_co = TypeVar("S_co", bound=NamedObject, covariant=True)


class Source(Protocol[S_co]):
    """Where objects are looked up: by id, by name, by the beginning of an id."""

    def with_id(self, key: str) -> Sequence[S_co]:
        """The objects of exactly that id."""

    def with_name(self, name: str) -> Sequence[S_co]:
        """The objects of exactly that name."""

    def with_prefix(self, start: str) -> Sequence[S_co]:
        """The objects whose ids begin with `start`."""


class ObjectList(Generic[T]):
    """A Source of a few things, such as the answers of a handful of engines."""

    def __init__(self, objects: Sequence[T]) -> None:
        self._objects = objects

    def with_id(self, key: str) -> Sequence[T]:
        """The objects of exactly that id."""
        return [item for item in self._objects if item.id == key]

    def with_name(self, name: str) -> Sequence[T]:
        """The objects of exactly that name."""
        return [item for item in self._objects if name in item.names]

    def with_prefix(self, start: str) -> Sequence[T]:
        """The objects whose ids begin with `start`."""
        return [item for item in self._objects if item.id.startswith(start)]


class NamedEngine(Protocol):
    """An engine, as far as finding things on it goes."""

    @property
    def name(self) -> str: ...
    @property
    def reachable(self) -> bool: ...


E = TypeVar("E", bound=NamedEngine)


class EngineObject(NamedTuple, Generic[E]):
    """A container, a network or a volume, as its engine describes it."""

    engine: E
    value: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The object's id; "" for a volume, which has none."""
        return str(self.value.get("Id") or "")

    @property
    def names(self) -> tuple[str]:
        """The object's only name; engines begin a container's with a slash."""
        return (str(self.value.get("Name")).lstrip("/"),)

    @property
    def node_names(self) -> tuple[str]:
        """The name of the object's engine, in NODE/NAME."""
        return (self.engine.name,)

    @property
    def reachable(self) -> bool:
        """Whether the object's engine answers."""
        return self.engine.reachable


class EngineObjects(Generic[E]):
    """A Source of the networks, or the volumes, of many engines."""

    def __init__(self, lists: Iterable[tuple[E, Sequence[Mapping[str, Any]]]]) -> None:
        self._lists = list(lists)

    def with_id(self, key: str) -> list[EngineObject[E]]:
        """The objects of exactly that id."""
        return [EngineObject(*pair) for pair in self._pairs() if pair[1].get("Id") == key]

    def with_name(self, name: str) -> list[EngineObject[E]]:
        """The objects of exactly that name."""
        return [EngineObject(*pair) for pair in self._pairs() if pair[1].get("Name") == name]

    def with_prefix(self, start: str) -> list[EngineObject[E]]:
        """The objects whose ids begin with `start`."""
        return [EngineObject(*pair) for pair in self._pairs() if str(pair[1].get("Id")).startswith(start)]

    def _pairs(self) -> Iterator[tuple[E, Mapping[str, Any]]]:
        return ((engine, value) for engine, values in self._lists for value in values)


def split_node(text: str, is_node: Callable[[str], object]) -> tuple[str, str]:
    """Return NODE/NAME as (NODE, NAME) if there is such a node, anything else as ("", text)."""
    node, slash, name = text.partition("/")
    return (node, name) if slash and node and name and is_node(node) else ("", text)


def candidates(text: str, source: Source[T], full_id: re.Pattern[str] = FULL_ID) -> Sequence[T]:
    """Return the things that `text` may mean: those of the first kind of match that there is."""
    node, slash, name = text.lstrip("/").partition("/")
    if not slash:
        node, name = "", node
    for found in _matches(name, source, full_id) if name else ():
        there = [thing for thing in found if node in thing.node_names] if slash else found
        if there:
            return there
    return ()


def _matches(name: str, source: Source[T], full_id: re.Pattern[str]) -> Iterator[Sequence[T]]:
    """Yield what matches by one kind of match after the other."""
    full = full_id.match(name)
    if full:
        yield source.with_id(name)
    may_begin = len(name) < FULL_LENGTH and _HEX.issuperset(name)
    if may_begin and len(name) >= SHORT_ID:
        both = [*source.with_name(name), *_with_prefix(name, source)]
        yield [thing for number, thing in enumerate(both) if thing not in both[:number]]
    else:
        yield source.with_name(name)
        yield _with_prefix(name, source) if may_begin else ()
    yield () if full else source.with_id(name)


def _with_prefix(start: str, source: Source[T]) -> Sequence[T]:
    """Return those whose ids begin so; ids that are cut short count only where no full one does."""
    found = source.with_prefix(start)
    return [thing for thing in found if FULL_ID.match(thing.id)] or found


def only(text: str, objects: Sequence[T]) -> T | None:
    """Return the one thing that is found, or the one of them that is on an engine that answers.

    Raises Ambiguous if several.

    None if nothing is found.
    """
    if len(objects) > 1:
        up = [item for item in objects if item.reachable]
        if len(up) == 1:
            return up[0]
        names = sorted(f"{item.node_names[0]}/{(*item.names, item.id[:12])[0]}" for item in objects)
        raise Ambiguous(f"{text} may be any of {', '.join(names[:_NAMED])}: say which")
    return objects[0] if objects else None


def pick_container(text: str, source: Source[T]) -> T | None:
    """Return the container that `text` means, None if there is none. Raises Ambiguous if several."""
    return only(text, candidates(text, source))


def pick_network(text: str, networks: EngineObjects[E]) -> Sequence[EngineObject[E]]:
    """Return the networks that `text` may mean: several engines may have one of that name."""
    return candidates(text, networks, NETWORK_ID)


def pick_volume(text: str, volumes: EngineObjects[E]) -> Sequence[EngineObject[E]]:
    """Return the volumes of that name, one of each engine that has it; a volume has no id."""
    return volumes.with_name(text)
