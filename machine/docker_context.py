"""Docker contexts of machines, written in the docker client's own store (https://docs.docker.com/engine/manage-resources/contexts/).

    $DOCKER_CONFIG or ~/.docker
        contexts/meta/SHA256(name)/meta.json           name, description, endpoint; and our mark
        contexts/tls/SHA256(name)/docker/*.pem          copies of ca.pem, cert.pem, key.pem
        config.json                                     "currentContext", looked at when a context goes

The docker program is not needed. A context is ours if its metadata carries our mark, which the docker client keeps
when it edits a context; every other context is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from machine import docker_config, files, paths
from machine.docker_config import meta_path, read_object
from machine.errors import CertificateError, MachineNotFound, StoreError

_MARK = "Machine"  # key in a context's Metadata: {"Name": machine, "Directory": its directory}
_PEMS = (paths.CA, paths.CERT, paths.KEY)
_LOCAL = ("unix://", "npipe://", "ssh://")  # endpoints that do without TLS


@dataclass(frozen=True, slots=True)
class Context:
    """One context of ours."""

    name: str
    machine: str
    directory: str  # the machine's, which tells apart machines of one name in two stores
    host: str  # URL of the engine
    current: bool  # chosen by `docker context use`


def context_name(machine: str) -> str:
    """Return the context's name: the machine's, but for names that docker refuses (`default`, one letter)."""
    return f"machine-{machine}" if machine == "default" or len(machine) < 2 else machine


def write(machine: str, url: str, cert_dir: str, *, environ: Mapping[str, str] = os.environ) -> str:
    """Make or update the context of a machine; returns the context's name.

    `url` as in DOCKER_HOST; `cert_dir` has ca.pem, cert.pem and key.pem, or none of them for an engine without TLS.
    Raises StoreError if the name is taken by a context that is not this machine's, or nothing can be written. Raises
    CertificateError if one of the three files is missing. Raises MachineNotFound if `url` is empty.
    """
    name = context_name(machine)
    if not url:
        raise MachineNotFound(
            f"the address of {machine} is not known yet, so there is nothing a context could point to",
            resolution=f"machine start {machine}, or machine create --resume {machine}",
        )
    existing = read_object(meta_path(environ, name))
    if existing is not None and not _belongs_to(existing, machine, cert_dir):
        raise _foreign_context_error(name, existing)
    pems = {} if url.startswith(_LOCAL) else _pems(machine, cert_dir)
    metadata = (existing or {}).get("Metadata") or {"Description": f"machine: {machine}"}
    metadata[_MARK] = {"Name": machine, "Directory": os.path.abspath(cert_dir)}
    endpoint = {"Host": url, "SkipTLSVerify": False}
    document = {"Name": name, "Metadata": metadata, "Endpoints": {"docker": endpoint}}
    # the part that says whose it is goes first, so that a kill between the two leaves nothing that `remove` misses
    files.write(meta_path(environ, name), json.dumps(document).encode(), files.PUBLIC)
    tls = _tls(environ, name)
    if not pems:
        shutil.rmtree(tls, ignore_errors=True)
    for file, content in pems.items():
        files.write(os.path.join(tls, "docker", file), content)
    return name


def remove(machine: str, *, cert_dir: str = "", environ: Mapping[str, str] = os.environ) -> bool:
    """Remove a machine's context; False when there is none of ours. `cert_dir` as given to `write`, "" for any store.

    If it was the current one, the docker client goes back to its default.
    """
    name = context_name(machine)
    found = read_object(meta_path(environ, name))
    if found is None or not _belongs_to(found, machine, cert_dir):
        return False
    if docker_config.current_context(environ) == name:
        docker_config.set_current_context("", environ, (name,))
    try:
        if os.path.isdir(_tls(environ, name)):
            shutil.rmtree(_tls(environ, name))
        shutil.rmtree(os.path.dirname(meta_path(environ, name)))
    except OSError as error:
        raise StoreError(
            f"cannot remove the docker context {name}: {(error.strerror or str(error)).lower()}",
            resolution=f"docker context rm -f {name}",
        ) from error
    return True


def update_url(machine: str, old_url: str, url: str, cert_dir: str, *, environ: Mapping[str, str] = os.environ) -> bool:
    """Point a machine's context to `url`; False if it has none, or one that does not point to `old_url`.

    The errors of `write`.
    """
    expected = (context_name(machine), machine, os.path.abspath(cert_dir), old_url)
    if not any((one.name, one.machine, one.directory, one.host) == expected for one in own_contexts(environ)):
        return False
    write(machine, url, cert_dir, environ=environ)
    return True


def refresh(environ: Mapping[str, str] = os.environ, *, cert_dir: str = "") -> list[str]:
    """Copy renewed certificates into the contexts of all machines, or of the one in `cert_dir`; returns those changed.

    A machine that is gone, or whose files are not all there, is passed over. Raises StoreError if nothing can be
    written.
    """
    changed = []
    for context in own_contexts(environ):
        directory = os.path.join(_tls(environ, context.name), "docker")
        if not os.path.isdir(directory) or (cert_dir and context.directory != os.path.abspath(cert_dir)):
            continue
        contents = {file: files.read(os.path.join(context.directory, file)) for file in _PEMS}
        outdated = [file for file, content in contents.items() if files.read(os.path.join(directory, file)) != content]
        if outdated and all(contents.values()):
            for file in outdated:
                files.write(os.path.join(directory, file), contents[file])
            changed.append(context.name)
    return changed


def own_contexts(environ: Mapping[str, str] = os.environ) -> list[Context]:
    """Return every context that this program made, sorted by name."""
    top = os.path.join(docker_config.directory(environ), "contexts", "meta")
    try:
        names = os.listdir(top)
    except OSError:
        return []
    current_name = docker_config.current_context(environ)
    documents = (read_object(os.path.join(top, name, "meta.json")) for name in names)
    found = [_context(document, current_name) for document in documents if document and _mark(document)]
    return sorted(found, key=lambda context: context.name)


def use(
    machine: str, *, cert_dir: str, environ: Mapping[str, str] = os.environ, replaces: Collection[str] | None = None
) -> str:
    """Make a machine's context the current one, as `docker context use` does; returns the context's name.

    With `replaces`, only in the place of one of these contexts; "" if another one is the current one by now.
    Raises MachineNotFound if the machine has no context of ours, StoreError if docker's configuration cannot be
    written.
    """
    name = context_name(machine)
    found = read_object(meta_path(environ, name))
    if found is None or not _belongs_to(found, machine, cert_dir):
        raise MachineNotFound(
            f"there is no docker context of the machine {machine}",
            resolution=f"machine context create {machine}",
            machine=machine,
        )
    return name if docker_config.set_current_context(name, environ, replaces) else ""


def _context(document: dict[str, Any], current_name: str) -> Context:
    mark = _mark(document)
    host = docker_config.endpoint_host(document)
    name = str(document.get("Name", ""))
    return Context(name, str(mark.get("Name", "")), str(mark.get("Directory", "")), host, name == current_name)


def _mark(document: dict[str, Any]) -> dict[str, Any]:
    metadata = document.get("Metadata")
    mark = metadata.get(_MARK) if isinstance(metadata, dict) else None
    return mark if isinstance(mark, dict) else {}


def _belongs_to(document: dict[str, Any], machine: str, cert_dir: str) -> bool:
    """Return whether a context is that machine's. One whose machine is gone may be taken over by a namesake."""
    mark = _mark(document)
    if mark.get("Name") != machine:
        return False
    directory = str(mark.get("Directory", ""))
    return not cert_dir or directory == os.path.abspath(cert_dir) or not os.path.isdir(directory)


def _pems(machine: str, cert_dir: str) -> dict[str, bytes]:
    found = {name: files.read(os.path.join(cert_dir, name)) for name in _PEMS}
    missing = [name for name, content in found.items() if not content]
    if missing and len(missing) < len(_PEMS):
        raise CertificateError(
            f"{', '.join(missing)} missing in {cert_dir}",
            resolution=f"machine regenerate-certs {machine}",
        )
    return {} if missing else found


def _foreign_context_error(name: str, existing: dict[str, Any]) -> StoreError:
    directory = _mark(existing).get("Directory")
    whose = f"belongs to the machine in {directory}" if directory else "was not made by machine"
    return StoreError(
        f"there is a docker context {name} already, and it {whose}",
        resolution=f"docker context rm {name}, if nobody needs it",
    )


def _tls(environ: Mapping[str, str], name: str) -> str:
    return os.path.join(docker_config.directory(environ), "contexts", "tls", sha256(name.encode()).hexdigest())
