"""Where the engine's configuration lives, by what starts it: systemd, OpenRC or boot2docker's init script.

Each function is pure: facts and specification in, files out. The content of the files is decided in
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
    """Return the files of the CA, the server's certificate, and its key, which only root may read."""
    directory = BOOT2DOCKER if facts.init == "boot2docker" else CERTIFICATES
    return [
        WriteFile(f"{directory}/{paths.CA}", spec.ca),
        WriteFile(f"{directory}/{paths.SERVER_CERT}", spec.server_cert),
        WriteFile(f"{directory}/{paths.SERVER_KEY}", spec.server_key, 0o600, secret=True),
    ]


def configuration(facts: Facts, spec: Spec) -> list[WriteFile]:
    """Return the files that make the engine listen behind TLS with the options of `spec`.

    Raises ProvisionError if docker.service holds what machine cannot move.
    """
    if facts.init == "boot2docker":
        return [_profile(spec)]
    if facts.init == "openrc":
        command = _conf_d_command(facts, spec)
        return [_daemon_json(facts, spec, command), _conf_d(facts, spec, command)]
    _check_command(facts)
    command = unit_command(facts, _moved_flags(spec))
    if command.unknown:
        raise ProvisionError(
            f"docker.service on the machine has {command.unknown[0]} in the command, which machine has to set or to"
            " move",
            details="It cannot tell what systemd puts in for the % there.",
            resolution="write the value itself there: systemctl edit docker.service on the machine",
        )
    return [_daemon_json(facts, spec, command), _drop_in(facts, spec, command)]


def notes(facts: Facts, spec: Spec) -> list[str]:
    """Return notes for the user on settings that were taken over from files of the host."""
    if facts.init != "systemd":
        return []
    command = unit_command(facts, _moved_flags(spec))
    return [
        f"the flags in {name} of {facts.variable_files[name]} were taken over into docker.service.d/{units.OURS};"
        " what is changed there later counts after the next machine provision"
        for name in command.expanded_variables
        if name in facts.variable_files
    ]


def unit_command(facts: Facts, drop: tuple[str, ...] = ()) -> dockerd_command.Command:
    """Return the parsed command of docker.service; flags named in `drop` are left out."""
    return dockerd_command.parse(facts.exec_start, drop=drop, variables=facts.variables, specifiers=facts.specifiers)


def _check_command(facts: Facts) -> None:
    """Raise ProvisionError where dockerd is not started by its own command, so that no flag can be given to it."""
    if facts.exec_start and not dockerd_command.is_understood(facts.exec_start):
        raise ProvisionError(
            "docker.service on the machine does not start dockerd itself, so machine cannot give it its flags",
            details=f"ExecStart={facts.exec_start}",
            resolution="have ExecStart of docker.service start dockerd: systemctl edit docker.service on the machine",
        )


def _conf_d_command(facts: Facts, spec: Spec) -> dockerd_command.Command:
    """Return the parsed flags of DOCKER_OPTS in /etc/conf.d/docker, without our own block.

    Raises ProvisionError if they cannot be read without running the file.
    """
    text = _BLOCK.sub("", facts.conf_d or "")
    value = variables.from_shell(text, "DOCKER_OPTS")
    if value is not None:
        return dockerd_command.parse(f"dockerd {value}", drop=_moved_flags(spec))
    if dockerd_command.mentions_own_flags(text):
        raise ProvisionError(
            f"{CONF_D} on the machine sets DOCKER_OPTS in a way that cannot be read without running it",
            details="It has flags that machine has to set or to move: hosts, TLS, labels or registries.",
            resolution=f'write it as one plain line, DOCKER_OPTS="--flag=value ...", in {CONF_D}',
        )
    return dockerd_command.Command()


def is_current(facts: Facts, file: WriteFile) -> bool:
    """Return whether a file on the machine has this content and mode already."""
    existing = facts.files.get(file.path)
    return (
        existing is not None
        and existing.sha256 == hashlib.sha256(file.content).hexdigest()
        and existing.mode == file.mode
    )


def _moved_flags(spec: Spec) -> tuple[str, ...]:
    """Return the names of flags that are left out of the shipped command, for our own replace them."""
    named = tuple(option.lstrip("-").partition("=")[0] for option in spec.engine.flags)
    scalars = tuple(name for name in named if name not in (*dockerd_flags.KEYS, "add-runtime"))
    return (*scalars, "storage-driver") if spec.engine.storage_driver else scalars


def _daemon_json(facts: Facts, spec: Spec, command: dockerd_command.Command) -> WriteFile:
    """Return daemon.json merged with our settings; with its own bytes when nothing in them changes."""
    found = settings.existing(facts)
    merged = settings.merge(found, command, spec)
    existing = facts.files.get(DAEMON_JSON)
    content = settings.text(merged)
    has_byte_order_mark = (facts.daemon_json or "").startswith(settings.BYTE_ORDER_MARK) and facts.release < VALIDATE
    if merged == found and facts.daemon_json is not None and not has_byte_order_mark:
        content = facts.daemon_json.encode()
    is_plain = settings.is_plain(merged) and not spec.engine.labels
    checked = facts.release >= VALIDATE and not is_plain  # a start of dockerd, seconds on a slow machine
    check = f'{shlex.quote(facts.dockerd)} --validate --config-file "$1"' if checked else ""
    return WriteFile(
        DAEMON_JSON,
        content,
        existing.mode if existing else 0o644,
        check=check,
        resolution=f"the engine refuses the settings: see --engine-opt, and {DAEMON_JSON} on the machine",
    )


def _drop_in(facts: Facts, spec: Spec, command: dockerd_command.Command) -> WriteFile:
    if facts.later_drop_ins:
        overriding = facts.later_drop_ins[0]
        raise ProvisionError(
            f"{overriding} on the machine sets dockerd's command after {units.OURS} would",
            details="systemd reads drop-ins in the order of their names, and the last ExecStart wins.",
            resolution="rename it, so that it comes first:"
            f" mv {overriding} {overriding.rsplit('/', 1)[0]}/05-override.conf",
        )
    foreign = _foreign_hosts(facts, facts.drop_in, "X-MachineHosts=")
    socket_unit = facts.socket not in ("", "masked")
    listen = dockerd_command.hosts(command, foreign, spec.host, socket_unit=socket_unit)
    flags = spec.engine.flags
    tls = dockerd_command.tls_flags(CERTIFICATES, flags)
    text = units.drop_in(dockerd_command.render(command, listen, flags, facts.dockerd, tls), spec.engine.env)
    if foreign:
        text += f"# what daemon.json had as hosts\nX-MachineHosts={' '.join(foreign)}\n"
    is_private = spec.engine.env or command.expanded_variables  # what a file of variables holds may be a secret
    return WriteFile(DROP_IN, text.encode(), 0o600 if is_private else 0o644)


def _foreign_hosts(facts: Facts, own_text: str | None, prefix: str) -> list[str]:
    """Return daemon.json's hosts, and those that an earlier run has moved from there to our file."""
    lines = [line for line in (own_text or "").splitlines() if line.startswith(prefix)]
    kept = lines[0].removeprefix(prefix).split() if lines else []
    value = settings.existing(facts).get("hosts", [])
    return list(dict.fromkeys([*kept, *(str(item) for item in value if isinstance(value, list))]))


def _conf_d(facts: Facts, spec: Spec, command: dockerd_command.Command) -> WriteFile:
    """Return /etc/conf.d/docker of OpenRC with our marked block at its end; the init script reads it as shell."""
    foreign = _foreign_hosts(facts, facts.conf_d, _KEPT)
    listen = dockerd_command.hosts(command, foreign, spec.host, socket_unit=False)
    flags = [word for host in listen for word in ("-H", host)]
    flags += dockerd_command.tls_flags(CERTIFICATES, spec.engine.flags) + dockerd_command.option_flags(
        spec.engine.flags
    )
    others_text = _BLOCK.sub("", facts.conf_d or "")
    other_flags = shlex.quote(" ".join([*command.kept, ""])) if command.took_flags else '"${DOCKER_OPTS:-} "'
    block = [_BEGIN, *([f"{_KEPT} {' '.join(foreign)}"] if foreign else [])]
    block += [f"export {_assignment(pair)}" for pair in spec.engine.env]
    block += [f"DOCKER_OPTS={other_flags}{shlex.quote(shlex.join(flags))}", _END]
    text = others_text + ("\n" if others_text and not others_text.endswith("\n") else "") + "\n".join(block) + "\n"
    return WriteFile(CONF_D, text.encode(), 0o600 if spec.engine.env else 0o644)


def _profile(spec: Spec) -> WriteFile:
    """Return the file that boot2docker's init script reads as shell, with variables of its own."""
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
