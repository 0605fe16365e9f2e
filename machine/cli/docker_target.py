"""What the docker client would talk to now: $DOCKER_HOST, else a docker context, else its default."""

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
    if not environ.get("DOCKER_CONTEXT") and not _has_configuration(environ):
        return ""
    from machine import docker_context

    name = environ.get("DOCKER_CONTEXT") or docker_context.current(environ)
    return docker_context.host_of(name, environ) if name not in ("", "default") else ""


def described(environ: Mapping[str, str]) -> str:
    """How the user has chosen what docker talks to, for errors."""
    if environ.get("DOCKER_HOST"):
        return f"$DOCKER_HOST, {environ['DOCKER_HOST']},"
    return f"$DOCKER_CONTEXT, {environ['DOCKER_CONTEXT']}," if environ.get("DOCKER_CONTEXT") else "docker's context"


def _has_configuration(environ: Mapping[str, str]) -> bool:
    """Whether the docker client's configuration names a context: a look at its bytes, which costs no import."""
    home = environ.get("USERPROFILE" if os.name == "nt" else "HOME") or os.path.expanduser("~")
    path = os.path.join(environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker"), "config.json")
    try:
        return b"currentContext" in files.read_plain(path)
    except OSError:
        return False
