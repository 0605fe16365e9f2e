"""The routes of Docker's API: what each is about, who answers it among many engines, and how its answer comes. Pure.

https://docs.docker.com/reference/api/engine/ , versions 1.24 to 1.52, and /containers/ps and /images/viz of classic
Swarm. {name} takes slashes too: a container may be called NODE/NAME, an image REPOSITORY/NAME.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import product


class Answerer(Enum):
    """Who answers a call that is made to many engines as one."""

    ITSELF = "itself"  # the endpoint, for the engines as a whole
    ALL = "all"  # every engine, in one answer
    ANY = "any"  # whatever engine: they would all answer alike
    OWNER = "owner"  # the engine that has what is named, or those that have it
    CHOSEN = "chosen"  # an engine that is chosen for something new
    REFUSED = "refused"  # nobody


class Body(Enum):
    """How an answer is read."""

    WHOLE = "whole"  # JSON, or a few words
    TRANSFER = "transfer"  # an archive: of any size, but it goes on coming
    OPEN = "open"  # a stream that may be silent for as long as it likes


METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
SWARM_MODE = "swarm-mode"  # the kind of routes of Docker's swarm mode
# methods (* = all), path (see paths_of), kind, Answerer, Body
_TABLE = """
GET,HEAD    /_ping                                         system      itself   whole
GET         /version                                       system      itself   whole
GET         /info                                          system      itself   whole
GET         /events                                        system      all      open
GET         /system/df                                     system      all      whole
POST        /auth                                          registry    any      whole
GET         /images/search                                 registry    any      whole
GET         /distribution/{name}/json                      registry    any      whole
GET         /containers/json|ps                            container   all      whole
POST        /containers/prune                              container   all      whole
POST        /containers/create                             container   chosen   whole
GET         /containers/{name}/json|top|changes            container   owner    whole
GET         /containers/{name}/logs|stats                  container   owner    open
GET         /containers/{name}/attach/ws                   container   owner    open
GET         /containers/{name}/export|archive              container   owner    transfer
HEAD,PUT    /containers/{name}/archive                     container   owner    whole
GET,POST    /containers/{name}/checkpoints                 container   owner    whole
POST        /containers/{name}/attach|copy|wait            container   owner    open
POST        /containers/{name}/start|stop|restart|kill     container   owner    whole
POST        /containers/{name}/pause|unpause|resize        container   owner    whole
POST        /containers/{name}/update|rename|exec          container   owner    whole
DELETE      /containers/{name}                             container   owner    whole
POST        /commit                                        container   owner    whole
GET         /exec/{name}/json                              exec        owner    whole
POST        /exec/{name}/resize                            exec        owner    whole
POST        /exec/{name}/start                             exec        owner    open
GET         /images/json                                   image       all      whole
POST        /images/prune                                  image       all      whole
POST        /images/create|load                            image       all      open
GET         /images/get                                    image       owner    transfer
GET         /images/{name}/get                             image       owner    transfer
GET         /images/{name}/json|history                    image       owner    whole
POST        /images/{name}/push                            image       owner    open
POST        /images/{name}/tag                             image       owner    whole
DELETE      /images/{name}                                 image       owner    whole
GET         /images/viz                                    image       refused  whole
POST        /build|session|grpc                            build       chosen   open
POST        /build/cancel                                  build       owner    whole
POST        /build/prune                                   build       all      whole
GET         /networks                                      network     all      whole
POST        /networks/prune                                network     all      whole
POST        /networks/create                               network     chosen   whole
GET,DELETE  /networks/{name}                               network     owner    whole
POST        /networks/{name}/connect|disconnect            network     owner    whole
GET         /volumes                                       volume      all      whole
POST        /volumes/prune                                 volume      all      whole
POST        /volumes/create                                volume      chosen   whole
GET,DELETE  /volumes/{name}                                volume      owner    whole
GET         /plugins                                       plugin      all      whole
GET         /plugins/privileges                            plugin      refused  whole
GET         /plugins/{name}/json                           plugin      refused  whole
DELETE      /plugins/{name}                                plugin      refused  whole
POST        /plugins/pull|create                           plugin      refused  open
POST        /plugins/{name}/push|upgrade                   plugin      refused  open
POST        /plugins/{name}/enable|disable|set             plugin      refused  whole
GET         /services|tasks/{name}/logs                    swarm-mode  refused  open
*           /swarm|nodes|services|tasks|secrets|configs    swarm-mode  refused  whole
*           /swarm|nodes|services|tasks/{name}             swarm-mode  refused  whole
*           /secrets|configs/{name}                        swarm-mode  refused  whole
"""


@dataclass(frozen=True, eq=False, slots=True)  # eq=False: it is looked up at every call, by its identity
class Route:
    """One method of one path, as in the table; `kind` says what it is about."""

    method: str
    path: str
    kind: str
    answerer: Answerer
    body: Body
    after: str  # what follows {name}: "/json", ""

    @property
    def ends(self) -> tuple[str, str, str]:
        """Its method, and the first and the last word of a path with {name}, "" for {name} itself."""
        words = self.path.split("/")
        return self.method, words[1], "" if words[-1] == "{name}" else words[-1]


def paths_of(text: str) -> list[str]:
    """Return the paths that a text stands for, in which words of a path are joined by |."""
    return ["/".join(words) for words in product(*(word.split("|") for word in text.split("/")))]


def _read(table: str) -> dict[tuple[str, str], Route]:
    routes = {}
    for line in filter(None, table.splitlines()):
        methods, path, kind, answerer, body = line.split()
        for method, whole_path in product(METHODS if methods == "*" else methods.split(","), paths_of(path)):
            routes[method, whole_path] = Route(
                method, whole_path, kind, Answerer(answerer), Body(body), whole_path.partition("{name}")[2]
            )
    return routes


ROUTES = _read(_TABLE)  # by method and path
_NAMED = {route.ends: route for route in ROUTES.values() if "{name}" in route.path}


def find(method: str, path: str) -> tuple[Route | None, str]:
    """Return the route of a call, None if the API has none, and what {name} stands for, "" in a route without it.

    The path is decoded and has no version. Of two routes that fit, the one that says more of the path's end is meant.
    """
    route = ROUTES.get((method, path))
    if route is not None and "{" not in path:
        return route, ""
    start = path.find("/", 1) + 1  # of the name
    first = path[1 : start - 1]
    for last in (path[path.rfind("/") + 1 :], "") if start and path[0] == "/" else ():
        named = _NAMED.get((method, first, last))
        if named is not None and path.endswith(named.after):
            end = len(path) - len(named.after)
            if end > start:
                return named, path[start:end]
    return None, ""


def methods_of(path: str) -> list[str]:
    """Return what a path may be asked with; nothing if there is no such path."""
    return sorted(method for method in METHODS if find(method, path)[0])
