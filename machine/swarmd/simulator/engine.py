"""An engine's state, its events and its routes, without any I/O: bytes in, bytes out.

Quick enough for a thousand of them in one process: what was said of a container is kept as bytes.
"""

# ruff: noqa: ARG002 (every route is called alike)

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from secrets import token_hex
from typing import Any

from machine.swarm.parsing import routes
from machine.swarm.parsing import target as targets
from machine.swarm.parsing.routes import ROUTES, Route
from machine.swarm.pipeline import ApiError
from machine.swarmd.simulator.container import Container, now
from machine.swarmd.simulator.resources import Resources
from machine.swarmd.simulator.responses import Response, dump, json_response, value_of, with_default_tag

API, OLDEST_API = "1.51", "1.24"
GIB = 1 << 30
FULL_ID = 64  # digits


class SimulatedEngine(Resources):
    """An engine called `name`, with `containers` running ones NAME-1, NAME-2, ..., or those in `container_names`."""

    def __init__(
        self,
        name: str,
        containers: int = 0,
        *,
        container_names: tuple[str, ...] = (),
        cpus: int = 4,
        memory: int = 8 * GIB,
        labels: tuple[str, ...] = (),
        oldest_api: str = OLDEST_API,
    ) -> None:
        super().__init__()
        self.name = name
        self.id = token_hex(16)
        self.cpus, self.memory, self.labels, self.oldest_api = cpus, memory, labels, oldest_api
        self.containers: dict[str, Container] = {}
        self.names: dict[str, str] = {}
        self.listeners: set[Callable[[bytes], None]] = set()
        self.waiting: dict[str, list[Callable[[int], None]]] = {}
        self.calls = 0  # requests answered
        for container_name in container_names or tuple(f"{name}-{i + 1}" for i in range(containers)):
            container = self._add(
                {"Image": "busybox:latest", "Cmd": ["sleep", "1000"], "Labels": {"made-by": "simulator"}},
                container_name,
            )
            container.state, container.started = "running", now()

    def answer(self, method: str, target: str, body: bytes = b"") -> Response:
        """What the engine says to a call; errors are answers too."""
        self.calls += 1
        try:
            return self._route(method, target, body)
        except ApiError as error:
            return json_response({"message": error.message}, error.status)

    def _route(self, method: str, target: str, body: bytes) -> Response:
        parts = targets.parse(target)
        if parts.version and _number(parts.version) < _number(self.oldest_api):
            text = f"client version {parts.version} is too old. Minimum supported API version is {self.oldest_api}, "
            raise ApiError(400, text + "please upgrade your client to a newer version")
        query = {key: values[0] for key, values in parts.query.items()}
        route, name = routes.find(method, parts.path)
        answer = _ANSWERS.get(route) if route else None
        if route is None or answer is None:
            raise ApiError(404, f"page not found: {parts.path}")
        verb = [route.after[1:]] if answer is SimulatedEngine.act else []
        value = body if parts.path in _NOT_JSON else value_of(body)
        return answer(self, query, value, *([name] if name else []), *verb)

    # the whole engine

    def ping(self, query: Mapping[str, str], body: Any) -> Response:
        """GET /_ping"""
        return Response(200, b"OK")

    def version(self, query: Mapping[str, str], body: Any) -> Response:
        """GET /version"""
        facts = {
            "Version": "29.0.0",
            "ApiVersion": API,
            "MinAPIVersion": self.oldest_api,
            "Os": "linux",
            "Arch": "amd64",
        }
        return json_response(
            {**facts, "GitCommit": "simulator", "GoVersion": "", "KernelVersion": "6.1.0", "Components": []}
        )

    def info(self, query: Mapping[str, str], body: Any) -> Response:
        """GET /info"""
        states = [container.state for container in self.containers.values()]
        return json_response(
            {
                "ID": self.id,
                "Name": self.name,
                "Containers": len(states),
                "ContainersRunning": states.count("running"),
                "ContainersPaused": states.count("paused"),
                "ContainersStopped": len(states) - states.count("running") - states.count("paused"),
                "Images": len(self.images),
                "Driver": "overlay2",
                "DriverStatus": [],
                "KernelVersion": "6.1.0",
                "OperatingSystem": "Debian GNU/Linux 12 (simulated)",
                "OSType": "linux",
                "Architecture": "x86_64",
                "NCPU": self.cpus,
                "MemTotal": self.memory,
                "ServerVersion": "29.0.0",
                "Labels": list(self.labels),
                "SystemTime": now(),
                "Swarm": {"LocalNodeState": "inactive"},
                "SecurityOptions": [],
                "Plugins": {"Volume": ["local"], "Network": ["bridge", "host", "null"], "Log": ["json-file"]},
            }
        )

    def events(self, query: Mapping[str, str], body: Any) -> Response:
        """GET /events"""
        return Response(events=True)

    # containers

    def list(self, query: Mapping[str, str], body: Any) -> Response:
        """GET /containers/json"""
        filters = targets.filters(query.get("filters", ""), ApiError)
        filter_names = frozenset(filters)
        everything = query.get("all", "") not in ("", "0", "false") or "status" in filters
        ancestors = {container for name in filters.pop("ancestor", []) for container in self.made_from(name)}
        pieces = []
        for container in self._candidates(filters.get("id")):
            if "ancestor" in filter_names and container.image_id not in ancestors:
                continue
            if (everything or container.state in ("running", "paused")) and (
                not filters or _matches(container, filters)
            ):
                if not container.list_entry:
                    container.list_entry = dump(container.entry())
                pieces.append(container.list_entry)
        return Response(200, b"[" + b",".join(pieces) + b"]")

    def _candidates(self, ids: Sequence[str] | None) -> Iterable[Container]:
        """The containers that a list may show; whole ids are looked up, as an engine has an index of them."""
        if not ids or any(len(container_id) != FULL_ID for container_id in ids):
            return self.containers.values()
        return [self.containers[container_id] for container_id in dict.fromkeys(ids) if container_id in self.containers]

    def create(self, query: Mapping[str, str], body: Any) -> Response:
        """POST /containers/create"""
        if not isinstance(body, dict):
            raise ApiError(400, "invalid JSON: got no object")
        name = query.get("name") or "sim_" + token_hex(5)
        if name in self.names:
            text = f'Conflict. The container name "/{name}" is already in use by container "{self.names[name]}". '
            raise ApiError(409, text + "You have to remove (or rename) that container to be able to reuse that name.")
        if self._image(str(body.get("Image", ""))) is None:
            raise ApiError(404, f"No such image: {with_default_tag(str(body.get('Image', '')))}")
        container = self._add(body, name)
        for volume in container.refers.volumes:
            if volume not in self.volumes:
                self.volume_create({}, {"Name": volume})
        self.publish("create", container)
        return json_response({"Id": container.id, "Warnings": []}, 201)

    def inspect(self, query: Mapping[str, str], body: Any, x: str) -> Response:
        """GET /containers/X/json"""
        return json_response(self._find(x).inspect())

    def act(self, query: Mapping[str, str], body: Any, x: str, verb: str) -> Response:
        """POST /containers/X/(start|stop|kill|restart|pause|unpause|rename|wait)"""
        container = self._find(x)
        if verb == "rename":
            self._rename(container, query.get("name", ""))
        elif verb == "wait":
            return (
                Response(until=container.id)
                if container.state in ("running", "paused")
                else json_response({"StatusCode": container.exit_code})
            )
        elif verb in ("pause", "unpause"):
            container.state = "paused" if verb == "pause" else "running"
        elif verb in ("stop", "kill") and container.state in ("running", "paused"):
            self._end(container, 137 if verb == "kill" else 0)
        elif verb in ("start", "restart"):
            if container.state == "running" and verb == "start":
                return Response(304)
            self._check_ports(container)
            container.state, container.started = "running", now()
        else:
            return Response(304) if verb == "stop" else json_response({"message": f"Container {x} is not running"}, 409)
        self.publish(verb, container)
        return Response(204)

    def remove(self, query: Mapping[str, str], body: Any, x: str) -> Response:
        """DELETE /containers/X"""
        container = self._find(x)
        if container.state in ("running", "paused"):
            if query.get("force", "") in ("", "0", "false"):
                raise ApiError(409, f"cannot remove container {x}: container is running: stop it or use force")
            self._end(container, 137)
        del self.containers[container.id], self.names[container.name]
        self.publish("destroy", container)
        return Response(204)

    def logs(self, query: Mapping[str, str], body: Any, x: str) -> Response:
        """GET /containers/X/logs: one line, framed as stdout."""
        line = f"{self._find(x).name} on {self.name} runs nothing: it is simulated\n".encode()
        return Response(200, b"\x01\0\0\0" + len(line).to_bytes(4, "big") + line)

    def top(self, query: Mapping[str, str], body: Any, x: str) -> Response:
        """GET /containers/X/top"""
        self._find(x)
        return json_response({"Titles": ["PID", "CMD"], "Processes": []})

    def commit(self, query: Mapping[str, str], body: Any) -> Response:
        """POST /commit"""
        self._find(query.get("container", ""))
        return json_response({"Id": self._add_image(token_hex(32), query.get("repo", ""), query.get("tag", ""))}, 201)

    # inside

    def when_ended(self, identity: str, call: Callable[[int], None]) -> None:
        """Call `call(exit code)` once when that container has ended."""
        self.waiting.setdefault(identity, []).append(call)

    def _add(self, config: dict[str, Any], name: str) -> Container:
        number = len(self.containers) + 2
        address = f"172.17.{number // 250 % 250}.{number % 250}"
        container = Container(token_hex(32), name, self._image(config["Image"]) or "", config, address)
        self.containers[container.id], self.names[name] = container, container.id
        return container

    def _find(self, x: str) -> Container:
        identity = x if x in self.containers else self.names.get(x.lstrip("/"), "")
        if not identity:
            ids = [container_id for container_id in self.containers if container_id.startswith(x)] if x else []
            if len(ids) != 1:
                raise ApiError(404, f"No such container: {x}")
            identity = ids[0]
        return self.containers[identity]

    def _rename(self, container: Container, name: str) -> None:
        if not name or name in self.names:
            raise ApiError(409, f'Conflict. The container name "/{name}" is already in use')
        del self.names[container.name]
        self.names[name], container.name = container.id, name

    def _check_ports(self, starting: Container) -> None:
        used_ports = {
            (port["PublicPort"], port["Type"])
            for container in self.containers.values()
            if container.state in ("running", "paused") and container is not starting
            for port in container.ports
        }
        for port in starting.ports:
            if (port["PublicPort"], port["Type"]) in used_ports:
                text = f"Bind for 0.0.0.0:{port['PublicPort']} failed: port is already allocated"
                raise ApiError(
                    500, f"driver failed programming external connectivity on endpoint {starting.name}: {text}"
                )

    def _end(self, container: Container, code: int) -> None:
        container.state, container.exit_code, container.finished = "exited", code, now()
        self.publish("die", container)
        for call in self.waiting.pop(container.id, []):
            call(code)

    def publish(self, action: str, container: Container) -> None:
        """Send an event of a container to those who listen."""
        container.list_entry = b""
        if not self.listeners:
            return
        when = time.time_ns()
        attributes = {"image": container.config.get("Image", ""), "name": container.name, **container.labels}
        event = {
            "status": action,
            "id": container.id,
            "from": attributes["image"],
            "Type": "container",
            "Action": action,
        }
        actor = {"Actor": {"ID": container.id, "Attributes": attributes}, "scope": "local"}
        line = dump({**event, **actor, "time": when // 10**9, "timeNano": when}) + b"\n"
        for listener in tuple(self.listeners):
            listener(line)


_NOT_JSON = ("/build", "/images/load", "/images/create")  # what is sent there are archives
_ANSWERS: dict[Route, Callable[..., Response]] = {
    ROUTES[method, path]: answer
    for method, text, answer in (
        ("GET", "/_ping", SimulatedEngine.ping),
        ("HEAD", "/_ping", SimulatedEngine.ping),
        ("GET", "/version", SimulatedEngine.version),
        ("GET", "/info", SimulatedEngine.info),
        ("GET", "/events", SimulatedEngine.events),
        ("GET", "/containers/json", SimulatedEngine.list),
        ("POST", "/containers/create", SimulatedEngine.create),
        ("GET", "/containers/{name}/json", SimulatedEngine.inspect),
        ("GET", "/containers/{name}/logs", SimulatedEngine.logs),
        ("GET", "/containers/{name}/top", SimulatedEngine.top),
        ("POST", "/containers/{name}/start|stop|kill|restart|pause|unpause|rename|wait", SimulatedEngine.act),
        ("DELETE", "/containers/{name}", SimulatedEngine.remove),
        ("GET", "/images/json", SimulatedEngine.image_list),
        ("POST", "/images/create", SimulatedEngine.image_create),
        ("POST", "/images/load", SimulatedEngine.image_load),
        ("POST", "/build", SimulatedEngine.image_build),
        ("GET", "/images/get", SimulatedEngine.image_save),
        ("POST", "/images/{name}/tag", SimulatedEngine.image_tag),
        ("POST", "/commit", SimulatedEngine.commit),
        ("GET", "/images/{name}/json", SimulatedEngine.image_inspect),
        ("DELETE", "/images/{name}", SimulatedEngine.image_remove),
        ("GET", "/networks", SimulatedEngine.network_list),
        ("POST", "/networks/create", SimulatedEngine.network_create),
        ("GET", "/networks/{name}", SimulatedEngine.network),
        ("DELETE", "/networks/{name}", SimulatedEngine.network_remove),
        ("GET", "/system/df", SimulatedEngine.disk),
        ("GET", "/volumes", SimulatedEngine.volume_list),
        ("POST", "/volumes/create", SimulatedEngine.volume_create),
        ("GET", "/volumes/{name}", SimulatedEngine.volume),
        ("DELETE", "/volumes/{name}", SimulatedEngine.volume_remove),
    )
    for path in routes.paths_of(text)
}


def _matches(container: Container, filters: Mapping[str, Any]) -> bool:
    for key, values in filters.items():
        if key == "name":
            fits = any(re.search(value.lstrip("^/"), container.name) for value in values)
        elif key == "id":
            fits = any(container.id.startswith(value) for value in values)
        elif key == "status":
            fits = container.state in values
        elif key == "label":
            pairs = {f"{k}={v}" for k, v in container.labels.items()} | set(container.labels)
            fits = all(value in pairs for value in values)
        else:
            raise ApiError(400, f"invalid filter '{key}'")
        if not fits:
            return False
    return True


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(piece) for piece in version.split("."))
