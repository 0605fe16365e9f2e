"""dockerd's command line: the shipped one, with what we need and without what daemon.json says instead.

dockerd refuses to start when one setting stands both on its command line and in daemon.json. So every
setting has one place: hosts, TLS and --engine-opt are flags; labels and registries are in daemon.json. TLS stands
beside `-H tcp` in one file, so that no half-written or half-loaded configuration listens without it. Flags of
the shipped unit that belong in daemon.json are moved, whatever else it has is kept as it was written.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from machine.provision.units import argument, words

# Flag -> key, where the two differ (docs.docker.com/reference/cli/dockerd).
KEYS = {
    "label": "labels",
    "insecure-registry": "insecure-registries",
    "registry-mirror": "registry-mirrors",
    "host": "hosts",
    "log-opt": "log-opts",
    "storage-opt": "storage-opts",
    "exec-opt": "exec-opts",
    "dns-opt": "dns-opts",
    "default-ulimit": "default-ulimits",
    "authorization-plugin": "authorization-plugins",
    "add-runtime": "runtimes",
}
_SHORT = {"-H": "host", "-s": "storage-driver", "-l": "log-level", "-D": "debug", "-p": "pidfile", "-G": "group"}
_LISTS = ("label", "insecure-registry", "registry-mirror")
TLS = ("tls", "tlsverify", "tlscacert", "tlscert", "tlskey")  # all that decide about it, as flags and as keys
_SWITCHES = ("tls", "tlsverify", "debug")  # flags without a value


@dataclass
class Command:
    """A dockerd command line taken apart."""

    program: str = ""  # with systemd's prefix characters, and with what it is started by (env K=V), as written
    hosts: list[str] = field(default_factory=list)
    moved: dict[str, list[str]] = field(default_factory=dict)  # list flags that go to daemon.json
    kept: list[str] = field(default_factory=list)  # all other words, as written


def read(text: str, *, drop: tuple[str, ...] = ()) -> Command:
    """Take a command line apart; TLS flags and those named in `drop` are left out, for we set them."""
    command = Command()
    rest = words(text)
    start = next((at for at, (_, meant) in enumerate(rest) if meant.rpartition("/")[2] == "dockerd"), 0)
    command.program = " ".join(written for written, _ in rest[: start + 1])
    del rest[: start + 1]
    while rest:
        written, meant = rest.pop(0)
        flag, equals, value = meant.partition("=")
        name = _SHORT.get(flag) or (flag.lstrip("-") if flag.startswith("--") else "")
        if name not in ("host", *_LISTS, *TLS, *drop):
            command.kept.append(written)
            continue
        if not equals and name not in _SWITCHES and rest:
            value = rest.pop(0)[1]
        if name == "host":
            command.hosts.append(value)
        elif name in _LISTS:
            command.moved.setdefault(KEYS[name], []).append(value)
    return command


def settings_file(text: str, options: tuple[str, ...]) -> str:
    """The file that a command line or --engine-opt names by --config-file, "" if neither does."""
    given = [meant for _, meant in words(text)] + option_flags(options)
    found = ""
    for flag, after in zip(given, [*given[1:], ""], strict=False):
        name, equals, value = flag.partition("=")
        if name == "--config-file":
            found = value if equals else after
    return found


def option_flags(options: tuple[str, ...]) -> list[str]:
    """--engine-opt "k=v" or "k" as dockerd flags."""
    return ["--" + option.lstrip("-") for option in options]


def tls_flags(directory: str, options: tuple[str, ...]) -> list[str]:
    """The flags that let in nobody without a certificate of our CA; those that --engine-opt sets are left to it."""
    ours = {
        "tlsverify": "--tlsverify",
        "tlscacert": f"--tlscacert={directory}/ca.pem",
        "tlscert": f"--tlscert={directory}/server.pem",
        "tlskey": f"--tlskey={directory}/server-key.pem",
    }
    given = {option.lstrip("-").partition("=")[0] for option in options}
    return [flag for name, flag in ours.items() if name not in given]


def switches_tls_off(options: tuple[str, ...]) -> str:
    """The --engine-opt that would let anybody in over the network, "" if there is none (values as Go reads them)."""
    for option in options:
        name, equals, value = option.lstrip("-").partition("=")
        if name in ("tls", "tlsverify") and equals and value not in ("1", "t", "T", "TRUE", "true", "True"):
            return option
    return ""


def option_keys(options: tuple[str, ...]) -> list[str]:
    """The daemon.json keys that --engine-opt takes the place of."""
    names = [option.lstrip("-").partition("=")[0] for option in options]
    return [KEYS.get(name, name) for name in names]


def hosts(command: Command, also: list[str], ours: str, *, socket_unit: bool) -> list[str]:
    """All addresses to listen on: the shipped ones and daemon.json's, a local socket, and ours."""
    port = ours.rsplit(":", 1)[-1]
    found = list(dict.fromkeys([*command.hosts, *also]))
    found = [host for host in found if not (host.startswith("tcp://") and host.endswith(":" + port))]
    if not socket_unit:
        found = ["unix:///var/run/docker.sock" if host.startswith("fd://") else host for host in found]
    if not any(host.startswith(("fd://", "unix://")) for host in found):
        found.insert(0, "unix:///var/run/docker.sock")
    return [*found, ours]


def write(command: Command, listen: list[str], options: tuple[str, ...], dockerd: str, tls: list[str]) -> list[str]:
    """The words of the new command line, quoted for systemd."""
    program = command.program or dockerd
    flags = [word for host in listen for word in ("-H", argument(host))]
    # After what was there: of a flag that is given twice the last one counts, and a variable may hold one.
    return [program, *flags, *command.kept, *map(argument, tls), *(argument(flag) for flag in option_flags(options))]
