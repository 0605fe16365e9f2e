"""A machine's part in a classic swarm: two systemd units that run one Python program, and what they need.

    /usr/local/lib/machine/machine-swarm.pyz    manager and agent, a zipapp
    /etc/machine-swarm.env                      the discovery, which may hold a secret token
    /var/lib/machine-swarm/swarm.key            what all masters of the swarm sign with, on a master
    machine-swarm-manager.service               on a master
    machine-swarm-agent.service                 on a node that enters itself

A unit's process carries in its environment a digest of everything that it was started with, so that a look tells
whether it has to be started anew: after a change, and also when an earlier run was cut short before that.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable

from machine.errors import ProvisionError
from machine.process import Completed
from machine.provision import layouts, packages, proxy, script_files, units
from machine.provision.distros import find
from machine.provision.facts import Facts
from machine.provision.host_files import SWARM_ENVIRONMENT, SWARM_FILES, SWARM_KEY, SWARM_PROGRAM, SWARM_UNITS
from machine.provision.spec import Spec, Swarm
from machine.provision.steps import Plan, Result, Run, Step, Steps, WriteFile

STATE = "/var/lib/machine-swarm"
CONFIG_DIGEST = "MACHINE_SWARM_SETUP"
NEWEST_FIRST = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")
INSTALL_SECONDS = 900.0
ABOUT = {"manager": "Manager of a classic Docker swarm", "agent": "Registers this engine with a classic Docker swarm"}

_PYTHON = script_files.read("find_python", names=" ".join(NEWEST_FIRST))
_UNITS = script_files.read("swarm_units", names=" ".join(SWARM_UNITS), config_digest=CONFIG_DIGEST)
_HOLDS = """\
import glob, os, sys  # does process ARGV1 listen on TCP port ARGV2? That somebody answers there proves nothing
files = {os.readlink(path) for path in glob.glob("/proc/%s/fd/*" % sys.argv[1])}
for name in filter(os.path.exists, ("/proc/net/tcp", "/proc/net/tcp6")):
    for words in map(str.split, open(name)):
        if words[3] == "0A" and words[1].endswith(":%04X" % int(sys.argv[2])) and "socket:[%s]" % words[9] in files:
            sys.exit(0)
sys.exit(1)
"""
LOOK = Run("look at the swarm's services", f"{_PYTHON}python\n{_UNITS}", needs_output=True)


def check(facts: Facts, spec: Spec) -> None:
    """ProvisionError where there is nothing to run the services."""
    if spec.swarm is not None and spec.swarm.runs and facts.init != "systemd":
        raise ProvisionError(
            f"the manager and agent of classic swarm run under systemd, which {facts.distro} does not have",
            resolution="take an image with systemd, or run docker-machine's containers: --swarm-image IMAGE",
        )


def steps(facts: Facts, spec: Spec) -> Steps[list[str]]:
    """What is missing or too much of the swarm's services; the names of the steps that change something."""
    there = [path for path in (*SWARM_FILES, *SWARM_UNITS.values()) if path in facts.files]
    swarm = spec.swarm
    if swarm is None or not swarm.runs:
        removal = [_remove([*SWARM_UNITS], SWARM_FILES, STATE)] if there else []
        yield from removal
        return [step.name for step in removal]
    seen = _read((yield LOOK))
    names = []
    if "python" not in seen:
        (install,) = proxy.through([_install(facts)], spec.engine.env)
        seen |= _read((yield install))
        names.append(install.name)
    if "python" not in seen:
        raise _no_python(facts)
    changes = list(_changes(facts, spec, swarm, seen))
    yield from changes
    return [*names, *(step.name for step in changes)]


def removal() -> Plan:
    """Away with all of it, on a machine that is not looked at first."""
    step = _remove([*SWARM_UNITS], SWARM_FILES, STATE)
    yield step
    return Result((step.name,))


def _changes(facts: Facts, spec: Spec, swarm: Swarm, seen: dict[str, str]) -> Iterable[Step]:
    program = WriteFile(SWARM_PROGRAM, swarm.program)
    environment = WriteFile(
        SWARM_ENVIRONMENT, f'SWARM_DISCOVERY="{_escaped(swarm.discovery)}"\n'.encode(), 0o600, secret=True
    )
    key = WriteFile(SWARM_KEY, swarm.key, 0o600, secret=True)
    for put in (program, environment, *([key] if swarm.key else [])):
        if not layouts.is_current(facts, put):
            yield put
    for name, words in (("manager", swarm.manage), ("agent", swarm.join)):
        path = SWARM_UNITS[name]
        if not words:
            if path in facts.files:
                yield _remove([name], (SWARM_KEY,) if name == "manager" else (), "")
            continue
        used = [program.content, environment.content]
        if name == "manager":
            used += [spec.ca, spec.server_cert, *([swarm.key] if swarm.key else [])]
        text, setup = unit(name, seen["python"], words, used)
        put = WriteFile(path, text.encode())
        current = layouts.is_current(facts, put)
        if not current:
            yield put
        if not current or seen.get(name, "").split(" ") != ["active", "enabled", setup]:
            yield _restart(name, swarm.port if name == "manager" else 0, seen["python"])


def unit(name: str, python: str, words: tuple[str, ...], used: Iterable[bytes]) -> tuple[str, str]:
    """A unit's text, and the digest of that and of the other things that its process depends on."""
    command = " ".join(units.argument(word) for word in (python, SWARM_PROGRAM, *words))
    text = f"""\
# Written by machine; changes are overwritten by: machine provision
[Unit]
Description={ABOUT[name]}
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
    setup = hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in (text.encode(), *used))).hexdigest()
    return text.replace(f"{CONFIG_DIGEST}=@", f"{CONFIG_DIGEST}={setup}"), setup


def _restart(name: str, port: int, python: str) -> Run:
    """Start a unit with what it has now, at every boot too; see that it stays, and that a manager has its `port`."""
    pid = "$(systemctl show \"$unit\" -p MainPID | sed 's/^MainPID=//')"
    holds = f'{shlex.quote(python)} -c {shlex.quote(_HOLDS)} "{pid}" {port} 2>/dev/null'
    up = holds if port else '[ "$tries" -ge 6 ]'
    script = script_files.read("restart_swarm_unit", name=name, is_up=up)
    advice = (
        "the end of its log is above; if --swarm-opt, --swarm-join-opt or --swarm-host is at fault, machine rm it and"
        " create it again, for those stay as create was given them; else see to what keeps it from starting"
    )
    return Run(f"start machine-swarm-{name}", script, advice=advice)


def _remove(names: list[str], files: Iterable[str], state: str) -> Run:
    """Away with units, with files, and with what the manager remembered."""
    services = " ".join(f"machine-swarm-{name}.service" for name in names)
    gone = [*(SWARM_UNITS[name] for name in names), *files]
    script = f"systemctl -q disable --now {services} 2>/dev/null || true\nrm -f {shlex.join(gone)}\n"
    script += f"rm -rf {state}\n" if state else ""
    return Run(f"remove {services}", f"{script}systemctl daemon-reload\n")


def _install(facts: Facts) -> Run:
    """Python by the package manager: the distribution's own, and if that is too old, a newer one beside it."""
    distro = find(facts)
    manager = facts.packages
    if manager not in packages.MANAGERS and distro is not None:
        manager = distro.manager
    if manager not in packages.MANAGERS:
        raise _no_python(facts)
    words = packages.MANAGERS[manager]
    newer = " ".join(reversed(NEWEST_FIRST[1:]))
    newer = newer.replace(".", "") if manager == "zypper" else newer
    script = f"""\
{_PYTHON}{words.prepare}
install() {{
    {words.install}
}}
install {"python" if manager == "pacman" else "python3"} >&2
for name in {newer}; do
    [ -z "$(python)" ] || break
    if {words.exists}; then install "$name" >&2; fi
done
python
"""
    advice = "see that the distribution's package mirror can be reached from the machine"
    return Run("install python3", script, needs_output=True, seconds=INSTALL_SECONDS, advice=advice)


def _no_python(facts: Facts) -> ProvisionError:
    return ProvisionError(
        f"the manager and agent of classic swarm need Python 3.11 or newer, and {facts.distro} has none",
        resolution="take a newer image (Debian 12, Ubuntu 24.04, Fedora), install python3.11 there by hand,"
        " or run docker-machine's containers: --swarm-image IMAGE",
    )


def _read(answer: Completed) -> dict[str, str]:
    """Lines `KEY|TEXT`."""
    return {key: text for key, bar, text in (line.partition("|") for line in answer.stdout.splitlines()) if bar}


def _escaped(text: str) -> str:
    """For inside double quotes of an environment file (systemd.exec(5))."""
    return "".join(f"\\{char}" if char in '"\\`$' else char for char in text)
