"""Commands of this program that run when the user logs in: a systemd user unit, or a launchd agent on macOS.

    ~/.config/systemd/user/machine-KIND-HASH-NAME.service          HASH tells apart machines of one name in two stores
    ~/.config/systemd/user/default.target.wants/ -> ../             the link that `systemctl --user enable` makes
    ~/Library/LaunchAgents/machine-KIND-HASH-NAME.plist

The files are written without systemctl, so that they count from the next login on where no session is there to ask.
Nothing here needs root. Neither file has a secret in it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from machine import files, own_command
from machine.errors import CommandFailed, CommandTimeout, MachineError, StoreError
from machine.process import Completed, run

KINDS = ("start", "socket")
_VARIABLES = ("PATH", "DOCKER_CONFIG", "XDG_CONFIG_HOME", "MACHINE_SECRETS")  # that a login may not set
_SECONDS = 20.0  # for systemctl or launchctl
_NOT_IN_PROGRAM = re.compile(r"""[\x00-\x1f\x7f"'\\]""")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@+,")

Run = Callable[..., Completed]


@dataclass(frozen=True, slots=True)
class LoginService:
    """What is to run at login for one machine: `machine --storage-path ROOT ARGUMENTS`."""

    kind: str  # one of KINDS
    root: str  # of the store
    machine: str
    arguments: tuple[str, ...]
    stop_arguments: tuple[str, ...] = ()  # run at logout, before what the command left behind is killed
    stays: bool = False  # whether the command runs until it is ended, and is started again when it fails
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return the whole command line."""
        return [*own_command.own_command(), "--storage-path", self.root, *arguments]


def service_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the command needs as they are now: a login has a shorter PATH than a terminal."""
    return {name: environ[name] for name in _VARIABLES if environ.get(name)}


def unit_text(service: LoginService) -> str:
    """Return the systemd unit of a service. Raises StoreError for a path that systemd cannot be told."""
    lines = [
        f"# Made by machine, and removed by: machine {_switch(service.kind)}",
        "[Unit]",
        f"Description={_percent(f'machine {service.kind} {service.machine}')}",
        "StartLimitIntervalSec=300",
        "StartLimitBurst=5",
        "",
        "[Service]",
        *(f"Environment={_quoted(f'{name}={value}')}" for name, value in sorted(service.environment.items())),
        f"ExecStart={_command_line(service.command(service.arguments))}",
    ]
    if service.stop_arguments:
        lines.append(f"ExecStop={_command_line(service.command(service.stop_arguments))}")
    if service.stays:
        lines += ["Type=exec", "Restart=on-failure", "RestartSec=5"]
    else:  # what the command leaves behind, as a virtual machine, must outlive it
        lines += ["Type=oneshot", "RemainAfterExit=yes", "KillMode=process"]
    return "\n".join([*lines, "", "[Install]", "WantedBy=default.target", ""])


def agent(service: LoginService, log: str) -> bytes:
    """Return the property list of a launchd agent; `log` is the file that the command's output goes to."""
    import plistlib

    document: dict[str, object] = {
        "Label": label(service.kind, service.root, service.machine),
        "ProgramArguments": service.command(service.arguments),
        "RunAtLoad": True,
        "AbandonProcessGroup": True,  # what the command leaves behind, as a virtual machine, must outlive it
        "EnvironmentVariables": dict(service.environment),
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    if service.stays:
        document["KeepAlive"] = {"SuccessfulExit": False}
    return plistlib.dumps(document)


def label(kind: str, root: str, machine: str) -> str:
    """Return the name of a service without the ending of its file."""
    return f"machine-{kind}-{_store_hash(root)}-{machine}"


def install(service: LoginService, environ: Mapping[str, str], log: str, run: Run = run) -> list[str]:
    """Write the service, so that it runs at the next login; one that stays is started now, too.

    Return warnings: what the system's service manager said when it was told, and what to do. Raises StoreError if a
    file cannot be written, MachineError where there is no service manager that knows users.
    """
    if sys.platform == "darwin":
        path = _agent_path(service.kind, service.root, service.machine, environ)
        files.write(path, agent(service, log), files.PUBLIC)
        if not service.stays:
            return []
        _tell(run, ["launchctl", "bootout", _target(path)])
        return _tell(run, ["launchctl", "bootstrap", f"gui/{os.getuid()}", path])
    _require_systemd(service)
    path = _unit_path(service.kind, service.root, service.machine, environ)
    files.write(path, unit_text(service).encode(), files.PUBLIC)
    _link(path)
    warnings = _tell(run, ["systemctl", "--user", "daemon-reload"])
    if service.stays and not warnings:
        warnings = _tell(run, ["systemctl", "--user", "restart", os.path.basename(path)])
    return warnings


def remove(kind: str, root: str, machine: str, environ: Mapping[str, str], run: Run = run) -> bool:
    """Take a service away, and end one that stays; False if there is none. Raises StoreError if a file cannot go."""
    path = service_path(kind, root, machine, environ)
    link = _link_path(path)
    if not os.path.lexists(path) and not os.path.lexists(link):
        return False
    if sys.platform == "darwin":
        if kind == "socket":
            _tell(run, ["launchctl", "bootout", _target(path)])
        _unlink(path)
        return True
    _unlink(link)
    if kind == "socket":
        _tell(run, ["systemctl", "--user", "stop", os.path.basename(path)])
    _unlink(path)
    _tell(run, ["systemctl", "--user", "daemon-reload"])
    return True


def installed(kind: str, root: str, machine: str, environ: Mapping[str, str]) -> bool:
    """Return whether a service runs at login."""
    path = service_path(kind, root, machine, environ)
    return os.path.isfile(path) and (sys.platform == "darwin" or os.path.lexists(_link_path(path)))


def service_path(kind: str, root: str, machine: str, environ: Mapping[str, str]) -> str:
    """Return the path of a service's file on this computer."""
    find = _agent_path if sys.platform == "darwin" else _unit_path
    return find(kind, root, machine, environ)


def linger_hint(user: str, directory: str = "/var/lib/systemd/linger") -> str:
    """Return what makes services of a user run at boot, without a login; "" where they do, and on macOS."""
    if sys.platform == "darwin" or os.path.exists(os.path.join(directory, user)):
        return ""
    return f"it runs when you log in; to have it run at boot: loginctl enable-linger {user}"


def _require_systemd(service: LoginService) -> None:
    """Raise MachineError where there is no systemd."""
    import shutil

    if shutil.which("systemctl") is None:
        raise MachineError(
            "there is no systemd on this computer, which would run a command at login",
            resolution=f"have your session run: {_shell_line(service)}",
        )


def _shell_line(service: LoginService) -> str:
    import shlex

    return shlex.join(service.command(service.arguments))


def _tell(run: Run, argv: Sequence[str]) -> list[str]:
    """Tell the service manager something; return its complaint with what to do, if it has one."""
    try:
        run(list(argv), timeout=_SECONDS)
    except (CommandFailed, CommandTimeout) as error:
        command = " ".join(argv)
        said = " ".join((error.details or error.brief).split()).removeprefix(command).strip()[:300]
        return [f"it counts from the next login on, for `{command}` failed: {said}"]
    return []


def _switch(kind: str) -> str:
    return "autostart NAME off" if kind == "start" else "socket --at-login off NAME"


def _store_hash(root: str) -> str:
    return sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:8]


def _home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME") or os.path.expanduser("~")


def _unit_path(kind: str, root: str, machine: str, environ: Mapping[str, str]) -> str:
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(_home(environ), ".config")
    return os.path.join(config, "systemd", "user", f"{label(kind, root, machine)}.service")


def _link_path(unit: str) -> str:
    return os.path.join(os.path.dirname(unit), "default.target.wants", os.path.basename(unit))


def _agent_path(kind: str, root: str, machine: str, environ: Mapping[str, str]) -> str:
    return os.path.join(_home(environ), "Library", "LaunchAgents", f"{label(kind, root, machine)}.plist")


def _target(plist: str) -> str:
    return f"gui/{os.getuid()}/{os.path.basename(plist).removesuffix('.plist')}"


def _link(unit: str) -> None:
    """Enable a unit, as `systemctl --user enable` does: it needs nobody to run."""
    link = _link_path(unit)
    try:
        files.make_directory(os.path.dirname(link))
        if os.path.lexists(link):
            os.unlink(link)
        os.symlink(os.path.join("..", os.path.basename(unit)), link)
    except OSError as error:
        raise StoreError(
            f"cannot make {link}: {(error.strerror or str(error)).lower()}",
            resolution=f"check who owns {os.path.dirname(link)}",
        ) from error


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(
            f"cannot remove {path}: {(error.strerror or str(error)).lower()}", resolution=f"rm {path}"
        ) from error


def _command_line(argv: Sequence[str]) -> str:
    """Return words as systemd reads them. A `$` begins a variable everywhere but in the program's path.

    A path with quotes or backslashes is no program to systemd, and goes through a shell.
    """
    program, *arguments = argv
    if _NOT_IN_PROGRAM.search(program):
        program, *arguments = ["/bin/sh", "-c", 'exec "$0" "$@"', *argv]
    return " ".join([_quoted(program), *(_quoted(word).replace("$", "$$") for word in arguments)])


def _quoted(word: str) -> str:
    """Return a word in quotes, as systemd reads them (systemd.syntax, "Quoting"), with specifiers escaped.

    Raises StoreError for bytes that are no UTF-8: systemd leaves out a line that has some.
    """
    if word and _PLAIN.issuperset(word):
        return word
    try:
        word.encode()
    except UnicodeEncodeError:
        raise StoreError(
            f"{word!a} is not text, so that systemd cannot be told", resolution="choose a store with another path"
        ) from None
    escaped = "".join(_escape(character) for character in word)
    return f'"{_percent(escaped)}"'


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return f"\\x{ord(character):02x}" if ord(character) < 32 or ord(character) == 127 else character


def _percent(text: str) -> str:
    return text.replace("%", "%%")
