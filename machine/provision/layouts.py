"""Where the engine's configuration lives, by what starts it: systemd, OpenRC or boot2docker's init script.

Each function is pure: facts and wishes in, files out. What the files say is decided in
dockerd_command.py and settings.py.
"""

from __future__ import annotations

import hashlib
import re
import shlex

from machine import paths
from machine.errors import ProvisionError
from machine.provision import dockerd_command, dockerd_flags, settings, units, variables
from machine.provision.facts import Facts
from machine.provision.host_files import BOOT2DOCKER, CERTIFICATES, CONF_D, DAEMON_JSON, DROP_IN
from machine.provision.spec import Spec
from machine.provision.steps import WriteFile

VALIDATE = (23, 0)  # the first release whose dockerd can check a configuration file
_BEGIN, _END = "# machine: begin", "# machine: end"
_BLOCK = re.compile(rf"(?ms)^{_BEGIN}.*?^{_END}\n?")
_KEPT = "# machine: hosts from daemon.json:"


def certificates(facts: Facts, spec: Spec) -> list[WriteFile]:
    """The CA, the server's certificate, and its key that only root may read."""
    directory = BOOT2DOCKER if facts.init == "boot2docker" else CERTIFICATES
    return [
        WriteFile(f"{directory}/{paths.CA}", spec.ca),
        WriteFile(f"{directory}/{paths.SERVER_CERT}", spec.server_cert),
        WriteFile(f"{directory}/{paths.SERVER_KEY}", spec.server_key, 0o600, secret=True),
    ]


def configuration(facts: Facts, spec: Spec) -> list[WriteFile]:
    """The files that make the engine listen behind TLS with the wanted options."""
    if facts.init == "boot2docker":
        return [_profile(spec)]
    if facts.init == "openrc":
        parts = _of_conf_d(facts, spec)
        return [_daemon_json(facts, spec, parts), _conf_d(facts, spec, parts)]
    _check_command(facts)
    parts = of_unit(facts, _moved_flags(spec))
    if parts.unknown:
        raise ProvisionError(
            f"docker.service on the machine has {parts.unknown[0]} in the command, which machine has to set or to move",
            details="It cannot tell what systemd puts in for the % there.",
            resolution="write the value itself there: systemctl edit docker.service on the machine",
        )
    return [_daemon_json(facts, spec, parts), _drop_in(facts, spec, parts)]


def notes(facts: Facts, spec: Spec) -> list[str]:
    """What the user should know of settings that were taken over from files of the host."""
    if facts.init != "systemd":
        return []
    parts = of_unit(facts, _moved_flags(spec))
    return [
        f"the flags in {name} of {facts.variable_files[name]} were taken over into docker.service.d/{units.OURS};"
        " what is changed there later counts after the next machine provision"
        for name in parts.opened
        if name in facts.variable_files
    ]


def of_unit(facts: Facts, drop: tuple[str, ...] = ()) -> dockerd_command.Command:
    """The command of docker.service, taken apart; flags named in `drop` are left out."""
    return dockerd_command.read(facts.exec_start, drop=drop, variables=facts.variables, specifiers=facts.specifiers)


def _check_command(facts: Facts) -> None:
    """ProvisionError where dockerd is not started by its own command, so that no flag could be given to it."""
    if facts.exec_start and not dockerd_command.is_understood(facts.exec_start):
        raise ProvisionError(
            "docker.service on the machine does not start dockerd itself, so machine cannot give it its flags",
            details=f"ExecStart={facts.exec_start}",
            resolution="have ExecStart of docker.service start dockerd: systemctl edit docker.service on the machine",
        )


def _of_conf_d(facts: Facts, spec: Spec) -> dockerd_command.Command:
    """The flags that /etc/conf.d/docker has in DOCKER_OPTS, our own block apart."""
    text = _BLOCK.sub("", facts.conf_d or "")
    value = variables.of_shell(text, "DOCKER_OPTS")
    if value is not None:
        return dockerd_command.read(f"dockerd {value}", drop=_moved_flags(spec))
    if dockerd_command.mentions_ours(text):
        raise ProvisionError(
            f"{CONF_D} on the machine sets DOCKER_OPTS in a way that cannot be read without running it",
            details="It has flags that machine has to set or to move: hosts, TLS, labels or registries.",
            resolution=f'write it as one plain line, DOCKER_OPTS="--flag=value ...", in {CONF_D}',
        )
    return dockerd_command.Command()


def is_current(facts: Facts, put: WriteFile) -> bool:
    """Whether a file on the machine is already as wanted, mode included."""
    there = facts.files.get(put.path)
    return there is not None and there.sha256 == hashlib.sha256(put.content).hexdigest() and there.mode == put.mode


def _moved_flags(spec: Spec) -> tuple[str, ...]:
    """Flags of the shipped command that one of ours takes the place of."""
    named = tuple(option.lstrip("-").partition("=")[0] for option in spec.engine.flags)
    scalars = tuple(name for name in named if name not in (*dockerd_flags.KEYS, "add-runtime"))
    return (*scalars, "storage-driver") if spec.engine.storage_driver else scalars


def _daemon_json(facts: Facts, spec: Spec, parts: dockerd_command.Command) -> WriteFile:
    """daemon.json merged; the very bytes that are there when nothing in them changes."""
    found = settings.existing(facts)
    merged = settings.merge(found, parts, spec)
    there = facts.files.get(DAEMON_JSON)
    content = settings.text(merged)
    marked = (facts.daemon_json or "").startswith(settings.BYTE_ORDER_MARK) and facts.release < VALIDATE
    if merged == found and facts.daemon_json is not None and not marked:
        content = facts.daemon_json.encode()
    plain = settings.plain(merged) and not spec.engine.labels
    checked = facts.release >= VALIDATE and not plain  # a start of dockerd, seconds on a slow machine
    check = f'{shlex.quote(facts.dockerd)} --validate --config-file "$1"' if checked else ""
    return WriteFile(
        DAEMON_JSON,
        content,
        there.mode if there else 0o644,
        check=check,
        advice=f"the engine refuses the settings: see --engine-opt, and {DAEMON_JSON} on the machine",
    )


def _drop_in(facts: Facts, spec: Spec, parts: dockerd_command.Command) -> WriteFile:
    if facts.overriding:
        late = facts.overriding[0]
        raise ProvisionError(
            f"{late} on the machine sets dockerd's command after {units.OURS} would",
            details="systemd reads drop-ins in the order of their names, and the last ExecStart wins.",
            resolution=f"rename it, so that it comes first: mv {late} {late.rsplit('/', 1)[0]}/05-override.conf",
        )
    foreign = _foreign_hosts(facts, facts.drop_in, "X-MachineHosts=")
    socket_unit = facts.socket not in ("", "masked")
    listen = dockerd_command.hosts(parts, foreign, spec.host, socket_unit=socket_unit)
    flags = spec.engine.flags
    tls = dockerd_command.tls_flags(CERTIFICATES, flags)
    text = units.drop_in(dockerd_command.write(parts, listen, flags, facts.dockerd, tls), spec.engine.env)
    if foreign:
        text += f"# what daemon.json had as hosts\nX-MachineHosts={' '.join(foreign)}\n"
    private = spec.engine.env or parts.opened  # what a file of variables holds may be a secret
    return WriteFile(DROP_IN, text.encode(), 0o600 if private else 0o644)


def _foreign_hosts(facts: Facts, ours: str | None, start: str) -> list[str]:
    """daemon.json's hosts, and those that an earlier run took out of it and wrote down in our file."""
    lines = [line for line in (ours or "").splitlines() if line.startswith(start)]
    kept = lines[0].removeprefix(start).split() if lines else []
    value = settings.existing(facts).get("hosts", [])
    return list(dict.fromkeys([*kept, *(str(item) for item in value if isinstance(value, list))]))


def _conf_d(facts: Facts, spec: Spec, parts: dockerd_command.Command) -> WriteFile:
    """OpenRC: a marked block at the end of /etc/conf.d/docker, which the init script reads as shell."""
    foreign = _foreign_hosts(facts, facts.conf_d, _KEPT)
    listen = dockerd_command.hosts(parts, foreign, spec.host, socket_unit=False)
    flags = [word for host in listen for word in ("-H", host)]
    flags += dockerd_command.tls_flags(CERTIFICATES, spec.engine.flags) + dockerd_command.option_flags(
        spec.engine.flags
    )
    before = _BLOCK.sub("", facts.conf_d or "")
    theirs = shlex.quote(" ".join([*parts.kept, ""])) if parts.took else '"${DOCKER_OPTS:-} "'
    block = [_BEGIN, *([f"{_KEPT} {' '.join(foreign)}"] if foreign else [])]
    block += [f"export {_assignment(pair)}" for pair in spec.engine.env]
    block += [f"DOCKER_OPTS={theirs}{shlex.quote(shlex.join(flags))}", _END]
    text = before + ("\n" if before and not before.endswith("\n") else "") + "\n".join(block) + "\n"
    return WriteFile(CONF_D, text.encode(), 0o600 if spec.engine.env else 0o644)


def _profile(spec: Spec) -> WriteFile:
    """boot2docker: its init script reads this file as shell and has variables of its own."""
    engine = spec.engine
    flags = [f"--label={label}" for label in spec.labels]
    flags += [f"--insecure-registry={name}" for name in engine.insecure_registries]
    flags += [f"--registry-mirror={name}" for name in engine.registry_mirrors]
    flags += dockerd_command.option_flags(engine.flags)
    lines = [
        "# Written by machine; changes are overwritten by: machine provision",
        f"EXTRA_ARGS={shlex.quote(' '.join(flags))}",
        f"CACERT={BOOT2DOCKER}/{paths.CA}",
        f"SERVERCERT={BOOT2DOCKER}/{paths.SERVER_CERT}",
        f"SERVERKEY={BOOT2DOCKER}/{paths.SERVER_KEY}",
        f"DOCKER_HOST={shlex.quote('-H ' + spec.host)}",
        "DOCKER_TLS=auto",
    ]
    if engine.storage_driver:
        lines.append(f"DOCKER_STORAGE={shlex.quote(engine.storage_driver)}")
    lines += [f"export {_assignment(pair)}" for pair in engine.env]
    return WriteFile(f"{BOOT2DOCKER}/profile", ("\n".join(lines) + "\n").encode(), 0o600 if engine.env else 0o644)


def _assignment(pair: str) -> str:
    name, _, value = pair.partition("=")
    return f"{name}={shlex.quote(value)}"
