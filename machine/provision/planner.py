"""The plan: from the facts of a machine and its specification to the steps that it lacks.

Docker is installed if there is none; files are written if they differ; the engine is restarted if one of them
did, or if it runs with older ones; everything else is left alone. On a machine that is as it should be the plan
is empty.
"""

from __future__ import annotations

import json
import shlex

from machine.errors import ProvisionError
from machine.provision import (
    classic_swarm,
    dockerd_command,
    engine_config_files,
    install,
    live_restore,
    package_proxies,
    proxy,
    rollback,
    services,
    settings,
)
from machine.provision.distros import find_or_refuse
from machine.provision.facts import Facts
from machine.provision.facts import parse as parse_facts
from machine.provision.gather_script import GATHER_SCRIPT
from machine.provision.host_files import BOOT2DOCKER, DAEMON_JSON
from machine.provision.spec import Spec
from machine.provision.steps import Plan, Result, Run, Step, Steps, WriteFile


def plan(facts: Facts, spec: Spec) -> Plan:
    """Yield the steps that make a machine a Docker host behind TLS. Raises ProvisionError where it cannot be one."""
    names: list[str] = []
    notes: list[str] = []
    find_or_refuse(facts)
    _check_writable(facts, spec)
    _check_port(facts, spec)
    if not facts.dockerd:
        if facts.snap:
            raise ProvisionError(
                "Docker on the machine is a snap, which machine cannot set up",
                details="a second Docker beside it would know nothing of its containers and images",
                resolution="remove it with all that it holds (machine ssh NAME sudo snap remove --purge docker)"
                " and have Docker installed as a package: machine provision NAME",
            )
        facts = yield from _install_docker(facts, spec)
        names.append("install Docker")
    _check(facts, spec)
    renaming = hostname(facts, spec.hostname)
    changes, restart = _engine(facts, spec, renaming)
    yield from changes
    names += [step.name for step in changes]
    names += yield from classic_swarm.steps(facts, spec)
    of_packages = package_proxies.steps(facts, spec)
    yield from of_packages
    names += [step.name for step in of_packages]
    notes += [
        f"{step.path} was a link on the machine; now it is a file of its own, and what the link led to is as it was"
        for step in changes
        if isinstance(step, WriteFile) and step.path in facts.links
    ]
    if restart:
        notes += [*live_restore.warnings(facts), *engine_config_files.notes(facts, spec)]
    notes += settings.hidden_images_notes(facts, spec)
    replaced_keys = settings.replaced_keys(settings.existing(facts), spec)
    notes += [f"--engine-opt took the place of {key!r} in {DAEMON_JSON}" for key in replaced_keys]
    return Result(tuple(dict.fromkeys(names)), tuple(notes), restarted=restart)


def hostname(facts: Facts, name: str) -> list[Run]:
    """Return the steps for the host name, now and after a reboot, and for its line in /etc/hosts.

    That line is written first, or sudo waits for a name server.

    `name` "": the host keeps the one that it has. Other names that the host's own line in /etc/hosts has stay, after
    ours: services and users of an adopted host may know it by them.

    A full disk shows while the new /etc/hosts is still beside the old one. That is then written over and not
    replaced: in containers it is a mount, and elsewhere it has a label of SELinux.
    """
    if not name:
        return []
    runs = []
    quoted = shlex.quote(name)
    if name not in facts.hosts:
        runs.append(
            Run(
                f"name the machine {name} in /etc/hosts",
                f"""\
name={quoted}
if grep -q '^127\\.0\\.1\\.1[[:space:]]' /etc/hosts 2>/dev/null; then
    sed -e '/^127\\.0\\.1\\.1[[:space:]]/{{' -e "s/^127\\.0\\.1\\.1[[:space:]]*/&$name /" \\
        -e ':rest' -e n -e 'b rest' -e '}}' /etc/hosts >/etc/hosts.machine-new
else
    there=$([ ! -f /etc/hosts ] || cat /etc/hosts)
    printf '%s\\n' ${{there:+"$there"}} "127.0.1.1 $name" >/etc/hosts.machine-new
fi
cat /etc/hosts.machine-new >/etc/hosts
rm -f /etc/hosts.machine-new
""",
            )
        )
    if name != facts.hostname or name != facts.static_hostname:
        boot2docker_file = BOOT2DOCKER + "/etc/hostname" if facts.init == "boot2docker" else ""
        keep = f"mkdir -p {BOOT2DOCKER}/etc\nprintf '%s\\n' {quoted} >{boot2docker_file}\n" if boot2docker_file else ""
        script = f"printf '%s\\n' {quoted} >/etc/hostname\n{keep}hostname {quoted} 2>/dev/null || printf '%s' {quoted}"
        runs.append(Run(f"call the machine {name}", f"{script} >/proc/sys/kernel/hostname"))
    return runs


def _install_docker(facts: Facts, spec: Spec) -> Steps[Facts]:
    """Yield the steps that install Docker; return the facts gathered again: its path and its start are known now."""
    if facts.cloud_init == "running":
        yield install.WAIT_FOR_CLOUD_INIT
        facts = parse_facts((yield GATHER_SCRIPT))
    if not facts.dockerd:
        yield from proxy.with_proxies(install.steps(facts, spec.engine.install_url), spec.engine.env)
        facts = parse_facts((yield GATHER_SCRIPT))
    if not facts.dockerd:
        raise ProvisionError("Docker was installed, and yet there is no dockerd on the machine's PATH")
    return facts


def _check(facts: Facts, spec: Spec) -> None:
    """Refuse what would damage the machine or cannot work, before anything is written."""
    settings.check(facts)
    settings.check_storage(facts, spec)
    classic_swarm.check(facts, spec)
    _check_swarm_mode(facts, spec)
    arguments = dockerd_command.arguments(facts.exec_start, facts.variables, facts.specifiers)
    settings_file = dockerd_command.settings_file(arguments, spec.engine.flags)
    unsafe = dockerd_command.switches_tls_off(spec.engine.flags)
    if unsafe:
        raise ProvisionError(
            f"--engine-opt {unsafe} would let anybody who reaches port {spec.listen_port} be root on the machine",
            details="machine's engines listen on the network, and only behind TLS with client certificates.",
            resolution="leave that option out",
        )
    if settings_file not in ("", DAEMON_JSON):  # labels and registries would be written where it never reads
        raise ProvisionError(
            f"dockerd on the machine is configured to read {settings_file} instead of {DAEMON_JSON}, where its labels"
            " go",
            resolution=f"move its settings to {DAEMON_JSON}, take --config-file out of the command of docker.service"
            " (or out of --engine-opt), then: machine provision NAME",
        )
    if facts.init not in services.SERVICES:
        raise ProvisionError(
            f"machine does not know what starts services on {facts.distro}",
            details="systemd, OpenRC and boot2docker are known.",
        )
    if facts.service == "masked":
        raise _masked_error("docker.service")
    if facts.socket == "masked" and facts.needs_socket:
        raise _masked_error("docker.socket")
    if facts.engine_unresponsive and facts.only_tcp:
        raise ProvisionError(
            "the engine on the machine listens at TCP only, and machine asks it over a socket of the machine",
            resolution="add -H unix:///var/run/docker.sock to its command (systemctl edit --full docker.service) or"
            f" to hosts in {DAEMON_JSON}, restart it, then: machine provision NAME",
        )
    if facts.engine_unresponsive and (facts.docker or facts.fetcher == "curl" or facts.shims):
        raise ProvisionError(
            "the engine on the machine runs and does not answer",
            details=f"asked at {facts.engine_socket}; to restart it without knowing would end what runs in it"
            f" ({facts.shims} containers, as far as their processes tell)",
            resolution="see why: machine ssh NAME sudo journalctl -u docker -n 50; then restart it:"
            " machine ssh NAME sudo systemctl restart docker",
        )
    if not facts.service:
        raise ProvisionError(
            f"there is {facts.dockerd} on the machine and no docker.service that starts it",
            resolution="install Docker as a package of the system (not as a snap), then: machine provision NAME",
        )


def _check_writable(facts: Facts, spec: Spec) -> None:
    """Raise ProvisionError where a file that is to be written cannot be."""
    not_written = () if spec.hostname else ("/etc/hosts", "/etc/hostname")
    paths = [place for place in facts.unwritable if place not in not_written]
    if paths:
        raise ProvisionError(
            f"{' and '.join(paths)} on the machine cannot be written",
            details="mounted read-only, or made immutable",
            resolution="see why (machine ssh NAME findmnt -T " + paths[0] + "), mount it writable,"
            " then: machine provision NAME",
        )
    if facts.irregular:
        raise ProvisionError(
            f"{facts.irregular[0]} on the machine is not a file, so machine cannot write it",
            resolution=f"see what it is (machine ssh NAME ls -ld {facts.irregular[0]}), move it away,"
            " then: machine provision NAME",
        )


def _check_port(facts: Facts, spec: Spec) -> None:
    """Raise ProvisionError where another program has the port at which the engine is to listen."""
    port = spec.listen_port
    if port in facts.listening:
        raise ProvisionError(
            f"port {port} of the machine is taken by another program, so its engine cannot listen there",
            details="a container that publishes it counts, and so does a ListenStream of docker.socket",
            resolution=f"see which one: machine ssh NAME sudo ss -ltnp sport = :{port}; end it or give it another port,"
            " then: machine provision NAME",
        )


def _check_swarm_mode(facts: Facts, spec: Spec) -> None:
    """Raise ProvisionError where the engine has live-restore and is to join a cluster, which it would refuse."""
    command = engine_config_files.unit_command(facts)
    if spec.swarm_mode and settings.live_restore(settings.existing(facts), command, spec):
        raise ProvisionError(
            "the engine on the machine has live-restore on, and Docker refuses that in swarm mode",
            resolution=f'take "live-restore" out of {DAEMON_JSON} or of the command of docker.service on the machine'
            " (without it containers end with the engine), then: machine provision NAME",
        )


def _masked_error(unit: str) -> ProvisionError:
    return ProvisionError(
        f"{unit} is masked on the machine",
        resolution=f"machine ssh NAME sudo systemctl unmask {unit}; then: machine provision NAME",
    )


def _engine(facts: Facts, spec: Spec, renaming: list[Run]) -> tuple[list[Step], bool]:
    """Return the steps for the host's name, certificates, configuration and restart, and whether it is restarted.

    Only what is missing, and all of it or none.
    """
    configuration = _daemon_json_last(engine_config_files.configuration(facts, spec))
    certificates = engine_config_files.certificates(facts, spec)
    paths = [put.path for put in (*configuration, *certificates)]
    if all(engine_config_files.is_current(facts, put) for put in certificates):
        certificates = []  # all or none: since we looked another's key may have come there
    pending = [put for put in configuration if not engine_config_files.is_current(facts, put)]
    is_stale = bool(facts.changed_since_start) or facts.interrupted or facts.service != "active"
    restarting = bool(certificates or pending or is_stale)
    is_to_be_enabled = (
        not facts.enabled if facts.init == "systemd" else facts.init == "openrc" and bool(pending or is_stale)
    )
    enable = [services.enable(facts, restarting=restarting)] if is_to_be_enabled else []
    if not restarting:
        return [*renaming, *enable], False
    if live_restore.is_needed(facts):
        changes = _with_live_restore(facts, spec, configuration, certificates)
    else:
        changes = [*certificates, *_reload_between(facts, pending), services.restart(facts)]
    return [
        *_present_settings(facts),
        rollback.begin(facts, paths),
        *renaming,
        *enable,
        *changes,
        rollback.commit(paths),
    ], True


def _present_settings(facts: Facts) -> list[Step]:
    """Return the step that checks a daemon.json changed after the engine's start, which a rollback would start with."""
    if (
        DAEMON_JSON not in facts.changed_since_start
        or facts.interrupted
        or facts.release < engine_config_files.VALIDATE
    ):
        return []
    return [
        Run(
            f"check the present {DAEMON_JSON}",
            f"{shlex.quote(facts.dockerd)} --validate --config-file {DAEMON_JSON}",
            resolution="it changed after the engine's start, and the engine refuses it now: correct it by hand"
            " (machine ssh NAME), then: machine provision NAME",
        )
    ]


def _with_live_restore(
    facts: Facts, spec: Spec, configuration: list[WriteFile], certificates: list[WriteFile]
) -> list[Step]:
    """Return the steps of configuration and restart for an engine whose containers are to go on."""
    final = next(put for put in configuration if put.path == DAEMON_JSON)
    final_settings = json.loads(final.content)
    flags = spec.engine.flags
    temporary = WriteFile(
        final.path,
        settings.text(live_restore.temporary_settings(final_settings, flags)),
        final.mode,
        check=final.check,
    )
    return [
        *live_restore.switch_on(facts),
        *certificates,
        *_reload_between(facts, [temporary if put is final else put for put in configuration]),
        services.restart(facts),
        *live_restore.restore(facts, final, final_settings, flags),
    ]


def _daemon_json_last(configuration: list[WriteFile]) -> list[WriteFile]:
    """Return the files with daemon.json last: TLS may be removed there only when the command has it."""
    others = [file for file in configuration if file.path != DAEMON_JSON]
    return others + [file for file in configuration if file.path == DAEMON_JSON]


def _reload_between(facts: Facts, files: list[WriteFile]) -> list[Step]:
    """Return the files; where TLS is in daemon.json, systemd reads the command with TLS before it is removed there."""
    if facts.init != "systemd" or len(files) < 2 or not settings.has_tls(settings.existing(facts)):
        return [*files]
    reload = Run("have systemd read the engine's command", "systemctl daemon-reload")
    return [*files[:-1], reload, files[-1]]
