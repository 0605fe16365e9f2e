"""`--swarm-image`: docker-machine's two containers, as it makes them, through the machine's own engine."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from machine import clients, engine, hostport, paths
from machine.clusters.classic.addresses import client_address, manager_address
from machine.clusters.classic.program_arguments import CERTIFICATES
from machine.errors import EngineRefused
from machine.model import Endpoint, EngineOptions, SwarmOptions
from machine.session import Session
from machine.store import Record

MASTER, AGENT = "swarm-agent-master", "swarm-agent"
PULL_SECONDS = 600.0
_ALWAYS = {"Name": "always", "MaximumRetryCount": 0}


def container_bodies(
    options: SwarmOptions, engine_options: EngineOptions, endpoint: Endpoint
) -> dict[str, dict[str, Any]]:
    """Return the bodies of POST /containers/create by the containers' names.

    The manager always advertises port 3376, as docker-machine has it.
    """
    address = client_address(endpoint)
    bodies: dict[str, dict[str, Any]] = {}
    experimental = ["--experimental"] if options.experimental else []
    common = {"Image": options.image, "Env": list(engine_options.env)}
    if options.master:
        port = f"{manager_address(options).port}/tcp"
        certificates = CERTIFICATES
        command = [
            *("manage", "--tlsverify", f"--tlscacert={certificates}/{paths.CA}"),
            f"--tlscert={certificates}/{paths.SERVER_CERT}",
            *(f"--tlskey={certificates}/{paths.SERVER_KEY}", "-H", options.host, "--strategy", options.strategy),
            *("--advertise", hostport.join(endpoint.address, hostport.MANAGER_PORT)),
        ]
        bodies[MASTER] = {
            **common,
            "Cmd": [*experimental, *command, *(f"--{flag}" for flag in options.flags), options.discovery],
            "ExposedPorts": {"2375/tcp": {}, port: {}},
            "HostConfig": {
                "Binds": [f"{certificates}:{certificates}"],
                "PortBindings": {port: [{"HostIp": "0.0.0.0", "HostPort": port.partition("/")[0]}]},
                "RestartPolicy": _ALWAYS,
            },
        }
    if options.is_node:
        flags = [f"--{flag}" for flag in options.join_flags]
        command = [*experimental, "join", "--advertise", address, *flags, options.discovery]
        bodies[AGENT] = {**common, "Cmd": command, "HostConfig": {"RestartPolicy": _ALWAYS}}
    return bodies


def ensure(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Make and start the machine's containers of classic swarm; one that differs is made anew.

    Raises EngineError if the engine refuses a call.
    """
    bodies = container_bodies(record.swarm_options(), record.engine_options(), endpoint)
    client = engine_of(record, endpoint, PULL_SECONDS)
    for name, body in bodies.items():
        existing = _get_or_none(client, f"/containers/{name}/json")
        if existing is not None and not _was_made_from(existing, body):
            client.delete(f"/containers/{name}?force=1")
            existing = None
        if existing is None:
            session.console.step(f"Making the container {name} of {body['Image']}")
            if _get_or_none(client, f"/images/{body['Image']}/json") is None:
                client.pull(body["Image"])
            client.post(f"/containers/create?name={quote(name)}", body)
        _start(client, name)


def engine_of(record: Record, endpoint: Endpoint, seconds: float = 10.0) -> engine.EngineClient:
    """Return a client of the machine's own engine, with `seconds` for each answer."""
    return clients.engine_at(record, endpoint.address, endpoint.engine_port, seconds)


def _start(client: engine.EngineClient, name: str) -> None:
    try:
        client.post(f"/containers/{name}/start")
    except EngineRefused as refused:
        if refused.status != 304:  # it runs already
            raise


def _get_or_none(client: engine.EngineClient, path: str) -> dict[str, Any] | None:
    try:
        return dict(client.get(path))
    except EngineRefused as refused:
        if refused.status == 404:
            return None
        raise


def _was_made_from(container: dict[str, Any], body: dict[str, Any]) -> bool:
    """Return whether a container (GET /containers/NAME/json) was made from `body`."""
    config, host = container.get("Config") or {}, container.get("HostConfig") or {}
    return (
        config.get("Image") == body["Image"]
        and config.get("Cmd") == body["Cmd"]
        and set(body["Env"]) <= set(config.get("Env") or ())
        and (host.get("Binds") or []) == body["HostConfig"].get("Binds", [])
        and (host.get("RestartPolicy") or {}).get("Name") == "always"
    )
