"""The engine that the docker client talks to now: by $DOCKER_HOST, else a docker context, else its default."""

from __future__ import annotations

from machine import docker_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from machine.store import Record


def docker_host(environ: Mapping[str, str]) -> str:
    """The URL that docker would use: $DOCKER_HOST, else that of $DOCKER_CONTEXT or of the current context; "" if none.

    "" also for a context that does not exist, and for docker's default one.
    """
    source, value = docker_config.selection(environ)
    if source == "DOCKER_HOST" or not source:
        return value
    return docker_config.host_of_context(value, environ) if value != docker_config.DEFAULT else ""


def url_behind_socket(current: str, records: Iterable[Record], environ: Mapping[str, str]) -> str:
    """Return the URL of the machine whose unix socket (`machine socket`) is at the URL `current`, else `current`."""
    if current.startswith("unix://"):
        from machine.socket_path import socket_url

        for record in records:
            if socket_url(record.root, record.name, environ) == current:
                return record.url()
    return current


def describe_target(environ: Mapping[str, str]) -> str:
    """Return for errors what selects the engine that docker talks to: a variable or docker's context."""
    source, value = docker_config.selection(environ)
    return f"docker's current context, {value}," if source == "currentContext" else f"${source}, {value},"
