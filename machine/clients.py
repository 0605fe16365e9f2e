"""Clients of a recorded machine: a shell on it over ssh, and its engine over TLS."""

from __future__ import annotations

import os
import socket

from machine import engine, files, paths
from machine.model import Endpoint
from machine.ssh.client import SshShell
from machine.store import Record

CONNECT_SECONDS = 10.0


def connect(
    record: Record, endpoint: Endpoint, seconds: float = CONNECT_SECONDS, sock: socket.socket | None = None
) -> SshShell:
    """Log in once, within `seconds`, and return the shell. Raises ShellError.

    `sock` is a connection to the machine's sshd, if there is one already (`machine.ssh.client.answering`).

    A host key that nobody has seen yet is accepted only if none is on record.
    """
    known_hosts = os.path.join(record.cert_dir(), paths.KNOWN_HOSTS)
    return SshShell.connect(
        endpoint.address,
        endpoint.ssh_port,
        endpoint.ssh_user,
        key_path=record.ssh_key_path() or None,
        known_hosts=known_hosts,
        alias=record.name,
        timeout=seconds,
        trust_new=not files.read(known_hosts),
        sock=sock,
    )


def certificate_paths(record: Record) -> tuple[str, str, str]:
    """Return the paths of the CA, the client certificate and its key that the machine's engine accepts."""
    directory = record.cert_dir()
    return (
        os.path.join(directory, paths.CA),
        os.path.join(directory, paths.CERT),
        os.path.join(directory, paths.KEY),
    )


def engine_at(record: Record, address: str, port: int, seconds: float) -> engine.EngineClient:
    """Return a client of what serves the Engine API on the machine at `port`, with `seconds` for each reply."""
    return engine.EngineClient(address, port, engine.Tls(*certificate_paths(record)), timeout=seconds, name=record.name)
