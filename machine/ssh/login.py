"""From an address to a logged-in paramiko Transport: connect, check the host key, offer the keys.

Every failure becomes a ShellError that says what to do. paramiko's own high-level client is not used: it looks
host keys up by address and offers keys that nobody asked for.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from machine import hostport
from machine.dial import dial
from machine.errors import ConnectionDropped, HostKeyMismatch, LoginRefused, LoginTimeout, ShellError, TooManyKeys
from machine.ssh import known_hosts as knownhosts
from machine.ssh import private_key
from machine.ssh.paramiko_import import paramiko

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # its tracebacks are not for users

_LINE_SECONDS = 2  # paramiko waits so long for one more line before sshd's name: what ends earlier was closed
_PUT_BACK = "put the right key there, readable for you; or name another as SSHKeyPath in the machine's config.json"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to log in, and under which name the host key is on record."""

    host: str
    port: int
    user: str
    alias: str
    known_hosts: str

    def __str__(self) -> str:
        return f"{self.alias} ({self.user}@{self.host}:{self.port})"


def login(
    target: Target, key_path: str | None, *, timeout: float, trust_new: bool, sock: socket.socket | None = None
) -> paramiko.Transport:
    """Return a Transport that is logged in; see `machine.ssh.client.SshShell.connect` for the rest."""
    deadline = time.monotonic() + timeout
    transport = _transport(sock or _connection(target, timeout))
    try:
        _exchange_keys(transport, target, deadline, timeout)
        _check_host_key(transport, target, trust_new)
        _authenticate(transport, target, key_path, deadline, timeout)
        transport.set_keepalive(30)
    except BaseException:
        transport.close()
        raise
    return transport


def _connection(target: Target, timeout: float) -> socket.socket:
    try:
        return dial(target.host, target.port, timeout)
    except TimeoutError:
        raise ShellError(
            f"{target} did not answer within {timeout:g} s",
            details="The packets vanish: the machine is down, or a firewall drops them.",
            resolution=f"machine status {target.alias}",
        ) from None
    except socket.gaierror as error:
        raise ShellError(
            f"the host name {target.host} of {target.alias} is unknown: {error.strerror}",
            resolution="check this computer's name server, and that the name is spelled as its owner does",
        ) from None
    except OSError as error:
        refused = isinstance(error, ConnectionRefusedError)
        raise ShellError(
            f"cannot connect to {target}: {error.strerror or error}",
            details="The host is there and nothing listens on that port." if refused else "",
            resolution=f"machine status {target.alias}",
        ) from None


def _transport(sock: socket.socket) -> paramiko.Transport:
    with contextlib.suppress(OSError):  # it was reset meanwhile, which the login tells in its own words
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _enable_keepalive(sock)
    return paramiko.Transport(sock)


def _enable_keepalive(sock: socket.socket) -> None:
    """Let the kernel end a connection whose other side has been silent for about a minute."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in (("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)


def _timeout_error(target: Target, timeout: float, details: str) -> LoginTimeout:
    """Return the error for an sshd that answers, and whose login was not through after `timeout` seconds."""
    return LoginTimeout(
        f"the ssh login at {hostport.join(target.host, target.port)} took longer than {timeout:g} s",
        details=details,
        resolution="run this again when that host, or this computer, is less busy",
    )


def _exchange_keys(transport: paramiko.Transport, target: Target, deadline: float, timeout: float) -> None:
    """Run the key exchange, asking first for the kind of host key that is on record."""
    kinds = [entry.kind for entry in knownhosts.entries(target.known_hosts, target.alias) if not entry.revoked]
    options = transport.get_security_options()
    algorithms = [name for kind in kinds for name in _algorithms(kind)]
    offered = tuple(options.key_types)
    options.key_types = tuple(dict.fromkeys([a for a in algorithms if a in offered] + list(offered)))
    started_at = time.monotonic()
    seconds = max(deadline - started_at, 0.1)
    transport.banner_timeout = transport.handshake_timeout = seconds
    try:
        transport.start_client(timeout=seconds)  # returns without a word when the time is up
        transport.get_remote_server_key()
    except (paramiko.SSHException, OSError, EOFError) as error:
        late = time.monotonic() >= deadline
        if not transport.remote_version and time.monotonic() - started_at < min(_LINE_SECONDS, seconds / 2):
            raise ConnectionDropped(
                f"{target} closed the connection before any login",
                details=str(error),
                resolution=f"wait until {target.alias} has booted, or check its ssh port",
            ) from None
        if late and transport.remote_version:
            raise _timeout_error(target, timeout, "sshd answers, and the exchange of keys did not end") from None
        text = "the time is up" if late else str(error) or "the connection was closed"
        raise ShellError(
            f"no ssh conversation with {target}: {text}",
            details="Something accepts the connection there and does not speak ssh (yet).",
            resolution=f"wait until {target.alias} has booted, or check its ssh port",
        ) from None


def _algorithms(kind: str) -> list[str]:
    """The signature algorithms of a kind of host key; an RSA key signs with SHA-2 (RFC 8332)."""
    return ["rsa-sha2-512", "rsa-sha2-256"] if kind == "ssh-rsa" else [kind]


def _check_host_key(transport: paramiko.Transport, target: Target, trust_new: bool) -> None:
    host_key = transport.get_remote_server_key()
    kind, key = host_key.get_name(), base64.b64encode(host_key.asbytes()).decode()
    known = knownhosts.entries(target.known_hosts, target.alias)
    if any(entry.revoked and entry.key == key for entry in known):
        raise HostKeyMismatch(
            f"{target} shows an ssh host key that is marked as revoked in {target.known_hosts}",
            details=f"{kind} {knownhosts.fingerprint(key)}",
            resolution="that key was given up as stolen; take its line out of the file only if you know better",
        )
    accepted = [entry for entry in known if not entry.revoked]
    if any(entry.kind == kind and entry.key == key for entry in accepted):
        return
    if not accepted and trust_new:
        knownhosts.add(target.known_hosts, target.alias, kind, key)
        return
    forget = f"machine ssh --forget-host-key {target.alias}"
    if not accepted:
        raise HostKeyMismatch(
            f"no ssh host key of {target.alias} is on record",
            details=f"{target.host}:{target.port} shows {kind} {knownhosts.fingerprint(key)}",
            resolution=f"machine ssh {target.alias}   (writes the key down in {target.known_hosts})",
        )
    rows = [f"{target.known_hosts}:{e.line} has {e.kind} {knownhosts.fingerprint(e.key)}" for e in accepted]
    raise HostKeyMismatch(
        f"{target} shows another ssh host key than the one on record",
        details="\n".join([*rows, f"{target.host}:{target.port} shows {kind} {knownhosts.fingerprint(key)}"]),
        resolution=f"{forget}   (only if the machine was reinstalled; else somebody sits in between)",
    )


def _authenticate(
    transport: paramiko.Transport, target: Target, key_path: str | None, deadline: float, timeout: float
) -> None:
    tried: list[str] = []
    reason = ""
    keys = _keys(target, key_path)
    for label, key in keys:
        tried.append(f"{label} ({key.get_name()} {knownhosts.fingerprint(key.get_base64())})")
        transport.auth_timeout = max(deadline - time.monotonic(), 0.1)
        try:
            more = transport.auth_publickey(target.user, key)
        except paramiko.BadAuthenticationType as error:
            reason = "sshd accepts only: " + ", ".join(error.allowed_types)
            break
        except paramiko.AuthenticationException as error:
            if "imeout" in str(error):
                raise _timeout_error(target, timeout, f"no answer yet about {tried[-1]}") from None
            untried = 0 if transport.is_active() else sum(1 for _ in keys)
            if untried:
                raise _too_many_keys_error(target, tried, untried) from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            reason = f"sshd ended the connection: {error or 'no reason given'}"
            break
        else:
            if not more:
                return
            reason = "sshd wants a second proof: " + ", ".join(more)
            break
    raise LoginRefused(
        f"sshd on {target.host}:{target.port} lets {target.user} in with none of our keys",
        details="\n".join([*(f"tried {row}" for row in tried), *([reason] if reason else [])]),
        resolution=f"put the public key into ~{target.user}/.ssh/authorized_keys on {target.host}",
    )


def _too_many_keys_error(target: Target, tried: list[str], untried: int) -> TooManyKeys:
    """sshd has had enough of wrong keys while the agent had more."""
    return TooManyKeys(
        f"the ssh-agent has too many keys: sshd on {target.host}:{target.port} lets {target.user} try {len(tried)}",
        details="\n".join(
            [*(f"tried {row}" for row in tried), f"{untried} more not tried (MaxAuthTries of that sshd)"]
        ),
        resolution=f"name the one that {target.alias} knows: --generic-ssh-key PATH at create, SSHKeyPath in its"
        " config.json later; or take the others out of the agent: ssh-add -d PATH",
    )


def _keys(target: Target, key_path: str | None) -> Iterator[tuple[str, paramiko.PKey]]:
    """(where it is from, key) of every key to offer, the best first."""
    if key_path is None:
        yield from _agent_keys("no ssh key is set for it")
        return
    try:
        file = private_key.load(key_path)
        key = None if file.needs_agent else paramiko.PKey.from_path(key_path)
    except FileNotFoundError:
        raise LoginRefused(f"the ssh key of {target.alias} is missing: {key_path}", resolution=_PUT_BACK) from None
    except OSError as error:
        raise LoginRefused(f"the ssh key {key_path} cannot be read: {error.strerror}", resolution=_PUT_BACK) from None
    except Exception as error:  # the parsers below paramiko raise a dozen kinds for a file that is no key
        raise LoginRefused(
            f"{key_path} is not a usable ssh private key", details=str(error), resolution=_PUT_BACK
        ) from None
    if key is not None:
        yield key_path, key
        return
    public = file.public or _public_half(key_path)
    yield from _agent_keys(agent_reason(key_path, file), public, f"ssh-add {key_path}")


def agent_reason(key_path: str, key: private_key.PrivateKey) -> str:
    """Why the key's file alone logs nobody in, for an error."""
    return f"{key_path} has a passphrase" if key.encrypted else f"{key_path} belongs to a hardware token"


def check_agent(reason: str, public: str = "", resolution: str = "ssh-add") -> None:
    """Check the running agent.

    Raises LoginRefused unless it has a key: any, or the one with public half `public` ("TYPE BASE64").
    """
    for _ in _agent_keys(reason, public, resolution):
        return


def _agent_keys(reason: str, public: str = "", resolution: str = "ssh-add") -> Iterator[tuple[str, paramiko.PKey]]:
    """The running agent's keys, or only the one whose public half is `public` ("TYPE BASE64")."""
    public = (public.split() or [""])[-1]
    agent = paramiko.Agent()
    try:
        keys = [key for key in agent.get_keys() if public in ("", base64.b64encode(key.asbytes()).decode())]
        if not keys:
            running = os.environ.get("SSH_AUTH_SOCK", "")
            raise LoginRefused(
                f"{reason}, and the ssh-agent has no key for it"
                if running
                else f"{reason}, and no ssh-agent is running",
                details=f"SSH_AUTH_SOCK={running}" if running else "SSH_AUTH_SOCK is not set",
                resolution=resolution if running else f'eval "$(ssh-agent)"; {resolution}',
            )
        for key in keys:
            yield f"ssh-agent: {key.comment or 'no comment'}", key
    finally:
        with contextlib.suppress(OSError):
            agent.close()


def _public_half(key_path: str) -> str:
    """TYPE BASE64 of KEY.pub, "" when there is no such file."""
    try:
        with open(key_path + ".pub", encoding="utf-8", errors="replace") as file:
            fields = file.read().split()
    except OSError:
        return ""
    return " ".join(fields[:2]) if len(fields) > 1 else ""
