"""A machine's part in a classic swarm: two systemd units that run one Python program, and what they need.

    /usr/local/lib/machine/machine-swarm.pyz    manager and agent, a zipapp
    /etc/machine-swarm.env                      the discovery, which may hold a secret token
    /var/lib/machine-swarm/swarm.key            what all masters of the swarm sign with, on a master
    machine-swarm-manager.service               on a master
    machine-swarm-agent.service                 on a node that registers itself

A unit's process carries in its environment a digest of everything that it was started with. It shows whether the unit
has to be restarted: after a change, and also when an earlier run was cut short before that.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable

from machine.errors import ProvisionError
from machine.process import Completed
from machine.provision import engine_config_files, packages, proxy, script_files, units
from machine.provision.distros import find
from machine.provision.facts import Facts
from machine.provision.host_files import SWARM_ENVIRONMENT, SWARM_FILES, SWARM_KEY, SWARM_PROGRAM, SWARM_UNITS
from machine.provision.spec import Spec, SwarmServices
from machine.provision.steps import Plan, Result, Run, Step, Steps, WriteFile

STATE = "/var/lib/machine-swarm"
CONFIG_DIGEST = "MACHINE_SWARM_SETUP"
NEWEST_FIRST = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")
INSTALL_SECONDS = 900.0
DESCRIPTIONS = {
    "manager": "Manager of a classic Docker swarm",
    "agent": "Registers this engine with a classic Docker swarm",
}

FIND_PYTHON = script_files.read("find_python", names=" ".join(NEWEST_FIRST))
_UNITS = script_files.read("swarm_units", names=" ".join(SWARM_UNITS), config_digest=CONFIG_DIGEST)
LISTENS_PROGRAM = """\
import glob, os, sys  # does process ARGV1 listen on TCP port ARGV2? That somebody answers there proves nothing
files = {os.readlink(path) for path in glob.glob("/proc/%s/fd/*" % sys.argv[1])}
for name in filter(os.path.exists, ("/proc/net/tcp", "/proc/net/tcp6")):
    for words in map(str.split, open(name)):
        if words[3] == "0A" and words[1].endswith(":%04X" % int(sys.argv[2])) and "socket:[%s]" % words[9] in files:
            sys.exit(0)
sys.exit(1)
"""
LOOK_AT_SERVICES = Run("look at the swarm's services", f"{FIND_PYTHON}python\n{_UNITS}", needs_output=True)


def check(facts: Facts, spec: Spec) -> None:
    """Raise ProvisionError for a host without systemd that is to run the services."""
    if spec.swarm is not None and spec.swarm.runs and facts.init != "systemd":
        raise ProvisionError(
            f"the manager and agent of classic swarm run under systemd, which {facts.distro} does not have",
            resolution="take an image with systemd, or run docker-machine's containers: --swarm-image IMAGE",
        )


def steps(facts: Facts, spec: Spec) -> Steps[list[str]]:
    """Yield the steps that make, change or remove the swarm's services; return the names of those that change."""
    existing = [path for path in (*SWARM_FILES, *SWARM_UNITS.values()) if path in facts.files]
    swarm = spec.swarm
    if swarm is None or not swarm.runs:
        removal = [_remove([*SWARM_UNITS], SWARM_FILES, STATE)] if existing else []
        yield from removal
        return [step.name for step in removal]
    service_states = _parse_lines((yield LOOK_AT_SERVICES))
    names = []
    if "python" not in service_states:
        (install,) = proxy.with_proxies([_install(facts)], spec.engine.env)
        service_states |= _parse_lines((yield install))
        names.append(install.name)
    if "python" not in service_states:
        raise _no_python_error(facts)
    changes = list(_changes(facts, spec, swarm, service_states))
    yield from changes
    return [*names, *(step.name for step in changes)]


def removal() -> Plan:
    """Return the plan that removes the services and their files from a host whose facts are not known."""
    step = _remove([*SWARM_UNITS], SWARM_FILES, STATE)
    yield step
    return Result((step.name,))


def _changes(facts: Facts, spec: Spec, swarm: SwarmServices, service_states: dict[str, str]) -> Iterable[Step]:
    program = WriteFile(SWARM_PROGRAM, swarm.program)
    environment = WriteFile(
        SWARM_ENVIRONMENT, f'SWARM_DISCOVERY="{_escape(swarm.discovery)}"\n'.encode(), 0o600, secret=True
    )
    key = WriteFile(SWARM_KEY, swarm.key, 0o600, secret=True)
    for file in (program, environment, *([key] if swarm.key else [])):
        if not engine_config_files.is_current(facts, file):
            yield file
    for name, arguments in (("manager", swarm.manager_argv), ("agent", swarm.agent_argv)):
        path = SWARM_UNITS[name]
        if not arguments:
            if path in facts.files:
                yield _remove([name], (SWARM_KEY,) if name == "manager" else (), "")
            continue
        dependencies = [program.content, environment.content]
        if name == "manager":
            dependencies += [spec.ca, spec.server_cert, *([swarm.key] if swarm.key else [])]
        text, digest = unit(name, service_states["python"], arguments, dependencies)
        file = WriteFile(path, text.encode())
        current = engine_config_files.is_current(facts, file)
        if not current:
            yield file
        if not current or service_states.get(name, "").split(" ") != ["active", "enabled", digest]:
            yield _restart(name, swarm.port if name == "manager" else 0, service_states["python"])


def unit(name: str, python: str, arguments: tuple[str, ...], dependencies: Iterable[bytes]) -> tuple[str, str]:
    """Return a unit's text, and the digest of that and of the `dependencies` of its process."""
    command = " ".join(units.quote_argument(word) for word in (python, SWARM_PROGRAM, *arguments))
    text = f"""\
# Written by machine; changes are overwritten by: machine provision
[Unit]
Description={DESCRIPTIONS[name]}
Wants=network-online.target
After=network-online.target docker.service
StartLimitIntervalSec=0

[Service]
Environment={CONFIG_DIGEST}=@
EnvironmentFile={SWARM_ENVIRONMENT}
ExecStart={command}
Restart=always
RestartSec=2
StateDirectory={STATE.rpartition("/")[2]}
StateDirectoryMode=0700
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=read-only
ProtectSystem=full

[Install]
WantedBy=multi-user.target
"""
    digest = hashlib.sha256(
        b"\0".join(hashlib.sha256(part).digest() for part in (text.encode(), *dependencies))
    ).hexdigest()
    return text.replace(f"{CONFIG_DIGEST}=@", f"{CONFIG_DIGEST}={digest}"), digest


def _restart(name: str, port: int, python: str) -> Run:
    """Return the step that restarts a unit and enables it; it fails unless the unit stays up and listens at `port`.

    `port` 0: it listens nowhere.
    """
    pid = "$(systemctl show \"$unit\" -p MainPID | sed 's/^MainPID=//')"
    listens = f'{shlex.quote(python)} -c {shlex.quote(LISTENS_PROGRAM)} "{pid}" {port} 2>/dev/null'
    is_up = listens if port else '[ "$tries" -ge 6 ]'
    script = script_files.read("restart_swarm_unit", name=name, is_up=is_up)
    resolution = (
        "the end of its log is above; if --swarm-opt, --swarm-join-opt or --swarm-host is at fault, machine rm it and"
        " create it again, for those stay as create was given them; else see to what keeps it from starting"
    )
    return Run(f"start machine-swarm-{name}", script, resolution=resolution)


def _remove(names: list[str], files: Iterable[str], state: str) -> Run:
    """Return the step that removes units, files, and the manager's directory `state` ("": it stays)."""
    services = " ".join(f"machine-swarm-{name}.service" for name in names)
    paths = [*(SWARM_UNITS[name] for name in names), *files]
    script = f"systemctl -q disable --now {services} 2>/dev/null || true\nrm -f {shlex.join(paths)}\n"
    script += f"rm -rf {state}\n" if state else ""
    return Run(f"remove {services}", f"{script}systemctl daemon-reload\n")


def _install(facts: Facts) -> Run:
    """Return the step that installs Python: the distribution's own, and if that is too old, a newer one beside it."""
    distro = find(facts)
    manager = facts.package_manager
    if manager not in packages.MANAGERS and distro is not None:
        manager = distro.package_manager
    if manager not in packages.MANAGERS:
        raise _no_python_error(facts)
    commands = packages.MANAGERS[manager]
    newer = " ".join(reversed(NEWEST_FIRST[1:]))
    newer = newer.replace(".", "") if manager == "zypper" else newer
    script = f"""\
{FIND_PYTHON}{commands.prepare}
install() {{
    {commands.install}
}}
install {"python" if manager == "pacman" else "python3"} >&2
for name in {newer}; do
    [ -z "$(python)" ] || break
    if {commands.exists}; then install "$name" >&2; fi
done
python
"""
    resolution = "see that the distribution's package mirror can be reached from the machine"
    return Run("install python3", script, needs_output=True, seconds=INSTALL_SECONDS, resolution=resolution)


def _no_python_error(facts: Facts) -> ProvisionError:
    return ProvisionError(
        f"the manager and agent of classic swarm need Python 3.11 or newer, and {facts.distro} has none",
        resolution="take a newer image (Debian 12, Ubuntu 24.04, Fedora), install python3.11 there by hand,"
        " or run docker-machine's containers: --swarm-image IMAGE",
    )


def _parse_lines(answer: Completed) -> dict[str, str]:
    """Return the lines `KEY|TEXT` of a step's output."""
    return {key: text for key, bar, text in (line.partition("|") for line in answer.stdout.splitlines()) if bar}


def _escape(text: str) -> str:
    """Escape text for double quotes in an environment file (systemd.exec(5))."""
    return "".join(f"\\{char}" if char in '"\\`$' else char for char in text)
