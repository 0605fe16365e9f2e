"""The engine that the docker client talks to now: by $DOCKER_HOST, else a docker context, else its default."""

from __future__ import annotations

import os

from machine import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def docker_host(environ: Mapping[str, str]) -> str:
    """The URL that docker would use: $DOCKER_HOST, else that of $DOCKER_CONTEXT or of the current context; "" if none.

    "" also for a context that does not exist, and for docker's default one.
    """
    if environ.get("DOCKER_HOST"):
        return environ["DOCKER_HOST"]
    if not environ.get("DOCKER_CONTEXT") and not _names_a_context(environ):
        return ""
    from machine import docker_context

    name = environ.get("DOCKER_CONTEXT") or docker_context.current(environ)
    return docker_context.host_of(name, environ) if name not in ("", "default") else ""


def describe_target(environ: Mapping[str, str]) -> str:
    """Return for errors what selects the engine that docker talks to: a variable or docker's context."""
    if environ.get("DOCKER_HOST"):
        return f"$DOCKER_HOST, {environ['DOCKER_HOST']},"
    return f"$DOCKER_CONTEXT, {environ['DOCKER_CONTEXT']}," if environ.get("DOCKER_CONTEXT") else "docker's context"


def _names_a_context(environ: Mapping[str, str]) -> bool:
    """Return whether the docker client's configuration names a context, by a search in its bytes."""
    home = environ.get("USERPROFILE" if os.name == "nt" else "HOME") or os.path.expanduser("~")
    path = os.path.join(environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker"), "config.json")
    try:
        return b"currentContext" in files.read_plain(path)
    except OSError:
        return False
