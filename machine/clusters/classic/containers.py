"""`--swarm-image`: docker-machine's two containers, as it makes them, through the machine's own engine."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from machine import clients, engine, hostport, paths
from machine.clusters.classic import settings
from machine.errors import EngineRefused
from machine.model import Endpoint, EngineOptions, SwarmOptions
from machine.session import Session
from machine.store import Record

MASTER, AGENT = "swarm-agent-master", "swarm-agent"
PULL_SECONDS = 600.0
_ALWAYS = {"Name": "always", "MaximumRetryCount": 0}


def wanted(options: SwarmOptions, asked: EngineOptions, endpoint: Endpoint) -> dict[str, dict[str, Any]]:
    """The bodies of POST /containers/create, by name. The manager always advertises 3376, as docker-machine has it."""
    here = settings.client_address(endpoint)
    found: dict[str, dict[str, Any]] = {}
    experimental = ["--experimental"] if options.experimental else []
    common = {"Image": options.image, "Env": list(asked.env)}
    if options.master:
        port = f"{settings.manager_at(options).port}/tcp"
        certificates = settings.CERTIFICATES
        command = [
            *("manage", "--tlsverify", f"--tlscacert={certificates}/{paths.CA}"),
            f"--tlscert={certificates}/{paths.SERVER_CERT}",
            *(f"--tlskey={certificates}/{paths.SERVER_KEY}", "-H", options.host, "--strategy", options.strategy),
            *("--advertise", hostport.join(endpoint.address, settings.PORT)),
        ]
        found[MASTER] = {
            **common,
            "Cmd": [*experimental, *command, *(f"--{flag}" for flag in options.flags), options.discovery],
            "ExposedPorts": {"2375/tcp": {}, port: {}},
            "HostConfig": {
                "Binds": [f"{certificates}:{certificates}"],
                "PortBindings": {port: [{"HostIp": "0.0.0.0", "HostPort": port.partition("/")[0]}]},
                "RestartPolicy": _ALWAYS,
            },
        }
    if options.agent:
        flags = [f"--{flag}" for flag in options.join_flags]
        command = [*experimental, "join", "--advertise", here, *flags, options.discovery]
        found[AGENT] = {**common, "Cmd": command, "HostConfig": {"RestartPolicy": _ALWAYS}}
    return found


def ensure(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Containers that are as wanted run; others of those names are made anew. EngineError."""
    todo = wanted(record.swarm_options(), record.engine_options(), endpoint)
    asked = engine_of(record, endpoint, PULL_SECONDS)
    for name, body in todo.items():
        there = _found(asked, f"/containers/{name}/json")
        if there is not None and not _same(there, body):
            asked.delete(f"/containers/{name}?force=1")
            there = None
        if there is None:
            session.console.step(f"Making the container {name} of {body['Image']}")
            if _found(asked, f"/images/{body['Image']}/json") is None:
                asked.pull(body["Image"])
            asked.post(f"/containers/create?name={quote(name)}", body)
        _start(asked, name)


def engine_of(record: Record, endpoint: Endpoint, seconds: float = 10.0) -> engine.Engine:
    """The machine's own engine, with `seconds` for each answer."""
    return clients.engine_at(record, endpoint.address, endpoint.engine_port, seconds)


def _start(asked: engine.Engine, name: str) -> None:
    try:
        asked.post(f"/containers/{name}/start")
    except EngineRefused as refused:
        if refused.status != 304:  # it runs already
            raise


def _found(asked: engine.Engine, path: str) -> dict[str, Any] | None:
    try:
        return dict(asked.get(path))
    except EngineRefused as refused:
        if refused.status == 404:
            return None
        raise


def _same(there: dict[str, Any], body: dict[str, Any]) -> bool:
    """Whether a container was made from that body."""
    config, host = there.get("Config") or {}, there.get("HostConfig") or {}
    return (
        config.get("Image") == body["Image"]
        and config.get("Cmd") == body["Cmd"]
        and set(body["Env"]) <= set(config.get("Env") or ())
        and (host.get("Binds") or []) == body["HostConfig"].get("Binds", [])
        and (host.get("RestartPolicy") or {}).get("Name") == "always"
    )
