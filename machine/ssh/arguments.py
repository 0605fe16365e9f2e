"""Argument lists for the system's ssh, scp, rsync and sshfs. Pure: nothing is run and no file is read.

The user's own ssh configuration keeps working (ProxyJump, ControlMaster, ciphers): only what belongs to the machine is
set here, its key, port and own known_hosts. Options typed by the user stand first, and the first one wins (ssh(1)).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from machine import hostport

WITH_VALUE = frozenset("bceilmopBDEFIJLOPQRSWw")  # ssh's one-letter options that take a value, ssh(1)


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in to a machine. `key_path` "" means: whatever keys ssh finds by itself, the agent's first."""

    name: str
    address: str  # an IP literal without brackets, or a host name
    port: int
    user: str
    key_path: str
    known_hosts: str
    key_on_record: bool  # known_hosts has a host key of `name`; else the first one seen is written down

    @property
    def host(self) -> str:
        """The address as scp, rsync and sshfs want it before a colon."""
        return hostport.with_brackets(self.address)


@dataclass(frozen=True, slots=True)
class RemotePath:
    """One side of a copy: a path here (`machine` ""), or on a machine as `user` ("" = the usual one)."""

    machine: str
    user: str
    path: str


def parse_remote_path(text: str) -> RemotePath:
    """`[[user@]machine:]path`. What has a slash before its first colon is a path here; so is localhost:path."""
    host, colon, path = text.partition(":")
    if not colon or "/" in host or not host:
        return RemotePath("", "", text)
    user, _, machine = host.rpartition("@")
    return RemotePath("", "", path) if machine == "localhost" else RemotePath(machine, user, path)


def option_length(argv: Sequence[str]) -> int:
    """How many words the ssh option at the start of `argv` takes, with its value: 0 if there is none, 1 or 2."""
    if len(argv[0]) < 2 or not argv[0].startswith("-") or argv[0].startswith("--"):
        return 0
    letters = argv[0][1:]
    for index, letter in enumerate(letters):
        if letter in WITH_VALUE:
            return 2 if index == len(letters) - 1 else 1  # -L 1:a:2, or -L1:a:2 in one word
    return 1


def settings(login: Login) -> list[tuple[str, str]]:
    """The ssh_config(5) settings of a machine, all but its address and user."""
    found = [
        ("HostKeyAlias", login.name),
        ("UserKnownHostsFile", _quoted(login.known_hosts)),
        ("GlobalKnownHostsFile", "/dev/null"),
        ("StrictHostKeyChecking", "yes" if login.key_on_record else "accept-new"),
        ("HashKnownHosts", "no"),
        ("UpdateHostKeys", "no"),
        ("Port", str(login.port)),
        ("PasswordAuthentication", "no"),
        ("ConnectTimeout", "10"),
        ("ServerAliveInterval", "60"),
        ("LogLevel", "ERROR"),
    ]
    if login.key_path:
        found += [("IdentitiesOnly", "yes"), ("IdentityFile", _quoted(login.key_path))]
    return found


def ssh(login: Login, options: Sequence[str] = (), command: Sequence[str] = ()) -> list[str]:
    """ssh to a machine; the command's words reach the remote shell joined by spaces, as with plain ssh."""
    return ["ssh", *options, *_flags(login), "-o", f"User={login.user}", "--", login.address, *command]


def scp(
    logins: Sequence[Login], remote_paths: Sequence[RemotePath], *, recursive: bool, quiet: bool, config: str = ""
) -> list[str]:
    """scp between `remote_paths`. With more than one login `config` is a file with the text of `configuration`."""
    remote = sum(1 for one in remote_paths if one.machine) > 1
    flags = [*(["-3"] if remote else []), *(["-r"] if recursive else []), *(["-q"] if quiet else [])]
    if config:
        hosts = {login.name: login.name for login in logins}
        return ["scp", *flags, "-F", config, "--", *(_operand(one, logins, hosts) for one in remote_paths)]
    hosts = {login.name: login.host for login in logins}
    options = [flag for login in logins[:1] for flag in _flags(login)]
    return ["scp", *flags, *options, "--", *(_operand(one, logins, hosts) for one in remote_paths)]


def rsync(login: Login, remote_paths: Sequence[RemotePath], *, recursive: bool, quiet: bool) -> list[str]:
    """rsync between here and one machine; -t lets the next copy pass over what has not changed."""
    flags = ["-t", *(["-r"] if recursive else []), *([] if quiet else ["--progress"])]
    hosts = {login.name: login.host}
    remote_shell = shlex.join(["ssh", *_flags(login)])
    return ["rsync", *flags, "-e", remote_shell, "--", *(_operand(one, [login], hosts) for one in remote_paths)]


def sshfs(login: Login, source: RemotePath, target: str) -> list[str]:
    """sshfs of a machine's directory on a directory here."""
    pairs = [pair for pair in settings(login) if pair[0] not in ("Port", "HashKnownHosts")]  # it knows no more
    options = [part for key, value in pairs for part in ("-o", f"{key}={_fuse(value)}")]
    operand = _operand(source, [login], {login.name: login.host})
    return ["sshfs", "-p", str(login.port), *options, operand, target]


def configuration(logins: Sequence[Login]) -> str:
    """An ssh_config with a block for each machine, under its name, and then the user's and the system's own."""
    lines = []
    for login in logins:
        lines += [f"Host {login.name}", f"    HostName {login.address}"]
        lines += [f"    {key} {value}" for key, value in settings(login)]
    return "\n".join([*lines, "Host *", "    Include ~/.ssh/config", "    Include /etc/ssh/ssh_config", ""])


def _flags(login: Login) -> list[str]:
    return [part for key, value in settings(login) for part in ("-o", f"{key}={value}")]


def _operand(one: RemotePath, logins: Sequence[Login], hosts: dict[str, str]) -> str:
    if not one.machine:
        # a colon or a dash at the start would make it something else to scp and rsync
        ambiguous = ":" in one.path or one.path.startswith("-")
        return f"./{one.path}" if ambiguous and not one.path.startswith(("/", ".")) else one.path
    login = next(login for login in logins if login.name == one.machine)
    return f"{one.user or login.user}@{hosts[one.machine]}:{one.path}"


def _quoted(path: str) -> str:
    """A path as a value of ssh_config: quoted, and % written twice, for it starts a token there."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _fuse(value: str) -> str:
    """A value of sshfs's -o, where commas part options."""
    return value.replace("\\", "\\\\").replace(",", "\\,")
