"""The facts of a machine, from which its plan is made: plain values, parsed from the output of the gather script."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from machine.errors import ProvisionError
from machine.process import Completed
from machine.provision import engine_api, variables
from machine.provision.apply import run_batch
from machine.provision.gather_script import GATHER_SCRIPT
from machine.provision.units import exec_start, specifiers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.ssh.client import Shell


@dataclass(frozen=True, slots=True)
class File:
    """A file at one of the paths that provisioning writes."""

    mode: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Facts:
    """One machine as it is. Every default means: not there, or not known."""

    os_id: str = ""  # os-release ID, ID_LIKE, VERSION_ID, PRETTY_NAME
    os_like: tuple[str, ...] = ()
    os_version: str = ""
    os_name: str = ""
    arch: str = ""  # uname -m
    hostname: str = ""  # the kernel's
    static_hostname: str = ""  # /etc/hostname
    hosts: tuple[str, ...] = ()  # the names that /etc/hosts gives to 127.0.1.1
    init: str = ""  # "systemd", "openrc", "boot2docker" or ""
    package_manager: str = ""  # the package manager's command
    fetcher: str = ""  # "curl", "wget" or ""
    cloud_init: str = ""  # "running", "done" or ""
    unwritable: tuple[str, ...] = ()  # directories and files that provisioning has to write and cannot
    irregular: tuple[str, ...] = ()  # paths of files of ours at which there is a directory, a device or the like
    links: tuple[str, ...] = ()  # files of ours that are links
    listening: frozenset[int] = frozenset()  # TCP ports at which others than dockerd listen, a socket unit's included
    dockerd: str = ""  # path
    docker: str = ""  # path
    snap: bool = False  # there is Docker as a snap
    version: str = ""  # of the engine that runs, else of the dockerd on disk
    service: str = ""  # docker.service: "active", "inactive", "failed", "activating", ... or "" = no such unit
    enabled: bool = False
    socket: str = ""  # docker.socket likewise
    needs_socket: bool = False  # docker.service does not start without docker.socket
    exec_start: str = ""  # of docker.service without our drop-in
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # for exec_start; may hold secrets
    variable_files: Mapping[str, str] = field(default_factory=dict)  # name of a variable -> the file that sets it
    later_drop_ins: tuple[str, ...] = ()  # drop-ins that set ExecStart after ours would
    daemon_json: str | None = None
    drop_in: str | None = None
    conf_d: str | None = None  # OpenRC
    profile: str | None = None  # boot2docker
    files: Mapping[str, File] = field(default_factory=dict)
    engine_socket: str = engine_api.DEFAULT_SOCKET  # where the engine is asked on the machine itself
    pid_file: str = engine_api.DEFAULT_PID_FILE
    changed_since_start: tuple[str, ...] = ()  # configuration that changed after the running engine started
    interrupted: bool = False  # an earlier restart was cut short
    engine_unresponsive: bool = (
        False  # the engine runs and could not be asked: no curl and no docker client, or it hangs
    )
    only_tcp: bool = False  # it listens at no socket of the machine, only on the network
    shims: int = 0  # containerd's, one for each running container; counted if the engine does not answer
    containers_running: int = 0  # and paused
    images: int = 0
    storage_driver: str = ""  # of the running engine, or of the images on disk
    data_root_unknown: str = ""  # --data-root of an engine that does not run, if there is a variable in it
    live_restore: bool = False
    swarm_mode: bool = False
    swarm: Mapping[str, Any] = field(default_factory=dict)  # the object Swarm of the running engine's /info

    @property
    def distro(self) -> str:
        """The distribution's name for people."""
        return self.os_name or self.os_id or "an unknown system"

    @property
    def specifiers(self) -> dict[str, str] | None:
        """What systemd's specifiers stand for in docker.service; None where another program starts the engine."""
        return specifiers(self.hostname, self.os_id, self.os_version) if self.init == "systemd" else None

    @property
    def release(self) -> tuple[int, int]:
        """(major, minor) of the engine, (0, 0) if there is none."""
        numbers = re.findall(r"\d+", self.version)[:2]
        return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else (0, 0)


def gather(shell: Shell, log: Callable[[str], None]) -> Facts:
    """Gather the facts of a machine: one exec, nothing changed, no socket-activated engine started.

    Raises ProvisionError if they cannot be gathered or read.
    """
    log(GATHER_SCRIPT.name)
    return parse(run_batch([GATHER_SCRIPT], shell)[-1])


def parse(answer: Completed) -> Facts:
    """Return the facts in the output of GATHER_SCRIPT.

    Raises ProvisionError if it is incomplete or cannot be parsed.
    """
    try:
        return _parse_lines(answer)
    except (KeyError, IndexError, ValueError, RecursionError) as error:
        raise ProvisionError(
            "the machine gave an unreadable answer when its facts were gathered",
            details=f"{type(error).__name__}: {error}"[:200],
            resolution="see that its sh, sed, stat and systemctl are the system's own: machine ssh NAME",
        ) from None


def _parse_lines(answer: Completed) -> Facts:
    texts: dict[str, list[str]] = {}
    units: dict[str, list[str]] = {}
    variable_texts: dict[str, list[str]] = {}
    for line in answer.stdout.split("\n"):  # splitlines would also split at the rarer ends that JSON may hold
        key, bar, text = line.partition("|")
        if not bar:
            continue
        texts.setdefault(key, []).append(text)
        if key == "service_file":
            units[text] = []
        elif key == "service_text":
            units[texts["service_file"][-1]].append(text)
        elif key == "variables_file":
            variable_texts[text] = []
        elif key == "variables_text":
            variable_texts[texts["variables_file"][-1]].append(text)
    if "end" not in texts:
        raise ProvisionError(
            "the facts of the machine could not be gathered",
            details=answer.output[-2000:],
            resolution="see that its /tmp can be written and its disk has room: machine ssh NAME df -h",
        )
    values = {key: lines[-1].strip() for key, lines in texts.items()}
    system = _os(texts, values)
    unit_specifiers = specifiers(system["hostname"], system["os_id"], system["os_version"])
    return Facts(
        **system,
        **_files(texts),
        **_units(texts, units, values),
        **_variables(units, variable_texts, unit_specifiers),
        **_engine(texts, values),
    )


def _os(texts: dict[str, list[str]], values: dict[str, str]) -> dict[str, Any]:
    os_release: dict[str, str] = {}
    for line in texts.get("os", []):
        key, equals, value = line.partition("=")
        if equals and not key.startswith("#"):
            os_release[key.strip()] = "".join(shlex.split(value)[:1]) if _has_balanced_quotes(value) else value
    names = [name for line in texts.get("hosts", []) for name in line.split("#")[0].split()[1:]]
    boot2docker = "boot2docker" in values or os_release.get("ID") == "boot2docker"
    return {
        "os_id": "boot2docker" if boot2docker else os_release.get("ID", "").lower(),
        "os_like": tuple(os_release.get("ID_LIKE", "").lower().split()),
        "os_version": os_release.get("VERSION_ID", ""),
        "os_name": os_release.get("PRETTY_NAME", "") or os_release.get("NAME", ""),
        "arch": values.get("arch", ""),
        "hostname": values.get("hostname", ""),
        "static_hostname": values.get("etc_hostname", ""),
        "hosts": tuple(names),
        "init": "boot2docker" if boot2docker else values.get("init", ""),
        "package_manager": values.get("packages", ""),
        "unwritable": tuple(texts.get("unwritable", ())),
        "irregular": tuple(texts.get("irregular", ())),
        "links": tuple(texts.get("link", ())),
        "listening": frozenset(int(port, 16) for port in texts.get("listening", ())),
        "fetcher": values.get("curl", ""),
        "cloud_init": values.get("cloud_init", ""),
    }


def _has_balanced_quotes(value: str) -> bool:
    try:
        shlex.split(value)
    except ValueError:
        return False
    return True


def _files(texts: dict[str, list[str]]) -> dict[str, Any]:
    files = {}
    for line in texts.get("file", []):
        mode, digest, path = line.split(" ", 2)
        files[path] = File(int(mode, 8), digest)
    contents = {
        key: "\n".join(texts[key]) + "\n" if key in texts else None
        for key in ("daemon_json", "drop_in", "conf_d", "profile")
    }
    return {**contents, "files": files}


def _units(texts: dict[str, list[str]], units: dict[str, list[str]], values: dict[str, str]) -> dict[str, Any]:
    blocks: dict[str, dict[str, str]] = {}
    for block in "\n".join(texts.get("unit", [])).split("\n\n"):
        pairs = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        blocks[pairs.get("Id", "")] = pairs
    service, socket = blocks.get("docker.service", {}), blocks.get("docker.socket", {})
    command, overriding = exec_start([(path, "\n".join(lines)) for path, lines in units.items()])
    without_unit = "inactive" if values.get("dockerd") else ""  # where another program than systemd starts the engine
    if "info" in values:
        without_unit = "active"
    return {
        "service": _state(service) if service else without_unit,
        "enabled": service.get("UnitFileState") == "enabled",
        "socket": _state(socket),
        "needs_socket": "docker.socket" in f"{service.get('Requires', '')} {service.get('BindsTo', '')}".split(),
        "exec_start": command,
        "later_drop_ins": overriding,
    }


def _variables(
    units: dict[str, list[str]], texts: dict[str, list[str]], unit_specifiers: Mapping[str, str]
) -> dict[str, Any]:
    """The variables of docker.service, those of files over those of Environment= lines, as systemd has it."""
    files = {path: variables.from_file("\n".join(lines) + "\n") for path, lines in texts.items()}
    found = variables.from_units(((path, "\n".join(lines)) for path, lines in units.items()), unit_specifiers)
    file_of_variable: dict[str, str] = {}
    for path, content in files.items():
        found.update(content)
        file_of_variable.update(dict.fromkeys(content, path))
    return {"variables": found, "variable_files": file_of_variable}


def _state(unit: dict[str, str]) -> str:
    if unit.get("LoadState") == "masked":
        return "masked"
    return unit.get("ActiveState", "") if unit.get("LoadState") == "loaded" else ""


def _engine(texts: dict[str, list[str]], values: dict[str, str]) -> dict[str, Any]:
    info = _info(values.get("info", ""))
    swarm = info.get("Swarm")
    swarm = swarm if isinstance(swarm, dict) else {}
    match = re.search(r"version ([^\s,]+)", values.get("version", ""))
    on_disk = _current_first(texts.get("images_on_disk", []), "\n".join(texts.get("daemon_json", [])))
    return {
        "dockerd": values.get("dockerd", ""),
        "docker": values.get("docker", ""),
        "snap": "snap" in values,
        "version": info.get("ServerVersion", "") or (match[1] if match else ""),
        "changed_since_start": tuple(texts.get("newer", ())),
        "interrupted": "kept" in values,
        "engine_socket": values.get("engine_socket") or engine_api.DEFAULT_SOCKET,
        "pid_file": values.get("pid_file") or engine_api.DEFAULT_PID_FILE,
        "engine_unresponsive": "info" in values and not info,
        "only_tcp": "only_tcp" in values,
        "shims": int(values.get("shims") or 0),
        "data_root_unknown": values.get("data_root_unknown", ""),
        "containers_running": _count(info, "ContainersRunning") + _count(info, "ContainersPaused"),
        "images": _count(info, "Images") + _count(info, "Containers") if info else len(on_disk),
        "storage_driver": str(info.get("Driver") or "") or "".join(on_disk[:1]),
        "live_restore": info.get("LiveRestoreEnabled") is True,
        "swarm_mode": swarm.get("LocalNodeState", "inactive") not in ("inactive", ""),
        "swarm": swarm,
    }


def _info(text: str) -> dict[str, Any]:
    """Return the engine's /info; {} where the engine did not answer, so that the text is an error of the client."""
    try:
        info = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    is_info = isinstance(info, dict) and isinstance(info.get("ServerVersion"), str) and info["ServerVersion"]
    return info if is_info else {}


def _count(info: dict[str, Any], key: str) -> int:
    value = info.get(key)
    return value if isinstance(value, int) else 0


def _current_first(drivers: list[str], daemon_json: str) -> list[str]:
    """Return the storage drivers with images on disk, the one that daemon.json names first: it is the current one."""
    named = re.search(r'"storage-driver"\s*:\s*"([^"]*)"', daemon_json)
    return sorted(dict.fromkeys(drivers), key=lambda driver: named is None or driver != named[1])
