"""The docker client's own configuration: which context is its current one, and where its files are.

The docker client decides in this order (https://docs.docker.com/reference/cli/docker/#environment-variables):
$DOCKER_HOST, $DOCKER_CONTEXT, "currentContext" in config.json, and at last its default, the engine of this computer.
Imported by the fast commands: needs `os`, `json` and `hashlib` only.
"""

from __future__ import annotations

import json
import os
import stat

from machine import files
from machine.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

DEFAULT = "default"  # docker's name of the context that there always is
NONE = ("", DEFAULT)  # what config.json has where no context was chosen
LOCK_SECONDS = 10.0  # for another command of ours that is writing config.json


def directory(environ: Mapping[str, str]) -> str:
    """Return where the docker client keeps its files."""
    home = environ.get("USERPROFILE" if os.name == "nt" else "HOME") or os.path.expanduser("~")
    return environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker")


def meta_path(environ: Mapping[str, str], context: str) -> str:
    """Return the path of a context's metadata; the context need not exist."""
    from hashlib import sha256

    return os.path.join(
        directory(environ), "contexts", "meta", sha256(context.encode(errors="replace")).hexdigest(), "meta.json"
    )


def selection(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return what decides which engine docker talks to, and its value, in docker's order.

    ("DOCKER_HOST", URL), ("DOCKER_CONTEXT", name), ("currentContext", name), or ("", "") if nothing was chosen: the
    current context is unset or "default", or config.json cannot be read.
    """
    for variable in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        if environ.get(variable):
            return variable, environ[variable]
    name = current_context(environ)
    return ("currentContext", name) if name not in NONE else ("", "")


def current_context(environ: Mapping[str, str] = os.environ) -> str:
    """Return the context chosen by `docker context use`; "" for the default, and where config.json cannot be read."""
    try:
        name = _read_config(_config_path(environ)).get("currentContext")
    except StoreError:  # the docker client goes on with its default, too
        return ""
    return name if isinstance(name, str) else ""


def override_warnings(environ: Mapping[str, str]) -> list[str]:
    """Return a warning of each variable that docker obeys before its current context."""
    return [
        f"${name} is set and goes before the current context: unset {name}"
        for name in ("DOCKER_HOST", "DOCKER_CONTEXT")
        if environ.get(name)
    ]


def set_current_context(name: str, environ: Mapping[str, str], replaces: Collection[str] | None = None) -> bool:
    """Write the context that docker uses from now on into config.json, "" for docker's default.

    With `replaces`, only in the place of one of these; False if another one is the current one by now.

    All else in the file stays, as do its mode, and the link that leads to it. Raises StoreError for a file that is
    damaged, somebody else's or read-only: that is left as it is.
    """
    from machine import lock

    what = "change docker's current context"
    with lock.hold(lock.of_user("docker-config"), seconds=LOCK_SECONDS, what=what):
        path = _config_path(environ)
        content = _read_config(path)
        old = content.get("currentContext", "")
        if replaces is not None and old not in replaces:
            return False
        if old == name:
            return True
        content.pop("currentContext", None)
        if name:
            content["currentContext"] = name
        files.write(path, json.dumps(content, indent="\t").encode(), _mode(path, name))
    return True


def endpoint_host(document: Mapping[str, Any]) -> str:
    """Return the engine's URL in a context's metadata, "" if there is none."""
    endpoints = document.get("Endpoints")
    docker = endpoints.get("docker") if isinstance(endpoints, dict) else None
    return str(docker.get("Host", "")) if isinstance(docker, dict) else ""


def host_of_context(name: str, environ: Mapping[str, str]) -> str:
    """Return the engine's URL in context `name`, ours or not; "" if there is no such context."""
    try:
        return endpoint_host(read_object(meta_path(environ, name)) or {})
    except StoreError:
        return ""


def read_object(path: str) -> dict[str, Any] | None:
    """Return a JSON object; {} for a file that is something else, None for no file."""
    content = files.read(path)
    if not content:
        return {} if os.path.lexists(path) else None
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _config_path(environ: Mapping[str, str]) -> str:
    """Return the path of config.json; of the file itself if there is a link, which stays then."""
    return os.path.realpath(os.path.join(directory(environ), "config.json"))


def _read_config(path: str) -> dict[str, Any]:
    """Return what config.json says, {} for an empty or missing file. Raises StoreError for anything but an object."""
    content = files.read(path).strip()
    if not content:
        return {}
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise StoreError(
            f"{path}, docker's configuration, is not a JSON object",
            resolution="mend that file, or move it away; it is left as it is",
        )
    return found


def _mode(path: str, name: str) -> int:
    """Return the mode that config.json keeps, 0600 for a new one.

    Raises StoreError for one that is not to be written.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return files.PRIVATE
    by_hand = f"docker context use {name or DEFAULT}"
    if not status.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise StoreError(
            f"{path}, docker's configuration, is read-only",
            resolution=f"set currentContext where that file is made; or chmod u+w {path} and: {by_hand}",
        )
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise StoreError(
            f"{path}, docker's configuration, belongs to another user",
            resolution=f"as its owner: {by_hand}; if it should be yours: sudo chown $(id -un) {path}",
        )
    return stat.S_IMODE(status.st_mode)
