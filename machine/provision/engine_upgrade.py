"""Upgrade of Docker to the newest version that the machine's package source has; containers go on."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace

from machine.errors import ProvisionError
from machine.provision import live_restore, packages, proxy, rollback, script_files, services, settings
from machine.provision.apply import Outcome, apply_steps
from machine.provision.distros import find
from machine.provision.facts import Facts
from machine.provision.host_files import DAEMON_JSON, TRANSACTION
from machine.provision.install import INSTALL_SECONDS
from machine.provision.steps import Plan, Result, Run, WriteFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.ssh.client import Shell

# What belongs to an engine's package, under all the names it is packaged by; only what is installed is moved.
_COMPANIONS = (
    *("docker.io", "docker-cli", "containerd", "runc"),
    *("docker-ce", "docker-ce-cli", "docker-ce-rootless-extras", "containerd.io"),
    *("docker-buildx-plugin", "docker-compose-plugin"),
    *("moby-engine", "moby-cli", "moby-containerd", "moby-runc"),
    *("docker", "docker-openrc"),
)


_REPORT = f"{TRANSACTION}/report"  # of the packages, for the steps after them
_IF_UPGRADED = f"""\
[ "$(sed -n 's/^before //p' {_REPORT})" != "$(sed -n 's/^after //p' {_REPORT})" ] || exit 0
"""


def upgrade_engine(facts: Facts, shell: Shell, log: Callable[[str], None], env: Sequence[str] = ()) -> Outcome:
    """Run `upgrade_plan`, with the proxies in `env` ("K=V"), and return what was done.

    In the outcome `before` and `after` are versions of the engine's package.
    """
    return apply_steps(upgrade_plan(facts, env), shell, log)


def upgrade_plan(facts: Facts, env: Sequence[str] = ()) -> Plan:
    """Yield the steps: upgrade the packages and restart the engine if that changed them; one script, for a rollback."""
    upgrade = _upgrade_packages(facts)
    upgrade = replace(upgrade, script=proxy.preamble(env) + upgrade.script)
    keep_containers = live_restore.is_needed(facts)
    yield rollback.begin(facts, [DAEMON_JSON])
    if keep_containers:
        yield from live_restore.switch_on(facts)
    yield upgrade
    restart = services.restart(facts)
    yield replace(restart, name="restart the engine if it is a newer one", script=_IF_UPGRADED + restart.script)
    if keep_containers:
        yield from live_restore.restore(facts, _original_daemon_json(facts), settings.existing(facts), ())
    commit = rollback.commit([DAEMON_JSON])
    output = (yield replace(commit, script=f"cat {_REPORT}\n{commit.script}", needs_output=True)).stdout
    before, after = _versions(output)
    upgraded = before != after
    changed = (f"upgrade Docker from {before} to {after}",) if upgraded else ()
    notes = live_restore.warnings(facts) if upgraded else []
    if "stale yes" in output.splitlines():
        notes.append("not every package list could be fetched, so there may be a newer Docker than these know of")
    return Result(changed, tuple(notes), restarted=upgraded, before=before, after=after)


def _original_daemon_json(facts: Facts) -> WriteFile:
    """Return daemon.json with the user's own bytes; an empty object if there was none."""
    existing = facts.files.get(DAEMON_JSON)
    return WriteFile(DAEMON_JSON, (facts.daemon_json or "{}\n").encode(), existing.mode if existing else 0o644)


def _upgrade_packages(facts: Facts) -> Run:
    """Return the step that upgrades dockerd's package and its companions, and records the versions before and after."""
    distro = find(facts)
    manager = packages.MANAGERS.get(facts.package_manager)
    if not facts.dockerd:
        raise ProvisionError("there is no Docker on the machine to upgrade", resolution="first: machine provision NAME")
    if manager is None or facts.init not in services.SERVICES or (distro is not None and not distro.package_manager):
        raise ProvisionError(
            f"machine cannot upgrade Docker on {facts.distro}",
            resolution=distro.resolution if distro else "upgrade it by the system's own means",
        )
    script = script_files.read(
        "upgrade_packages",
        dockerd=shlex.quote(facts.dockerd),
        owner=manager.owner,
        installed=manager.installed,
        prepare=manager.prepare,
        companions=shlex.join(_COMPANIONS),
        upgrade=manager.upgrade,
        report=_REPORT,
    )
    resolution = (
        "see that the package source Docker came from can be reached from the machine; a dockerd of no package is"
        " upgraded the way it was installed, and then machine provision NAME sets everything up"
    )
    return Run("upgrade Docker's packages", script, seconds=INSTALL_SECONDS, resolution=resolution)


def _versions(text: str) -> tuple[str, str]:
    """Return both versions from the report of the packages: "before NAME VERSION" and "after NAME VERSION"."""
    found = {words[0]: words[-1] for words in map(str.split, text.splitlines()) if words}
    return found.get("before", ""), found.get("after", "")
