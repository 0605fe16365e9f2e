"""Docker to the newest that the machine's package source has, with its containers going on."""

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
_IF_MOVED = f"""\
[ "$(sed -n 's/^before //p' {_REPORT})" != "$(sed -n 's/^after //p' {_REPORT})" ] || exit 0
"""


def upgrade_engine(facts: Facts, shell: Shell, log: Callable[[str], None], env: Sequence[str] = ()) -> Outcome:
    """Play `upgrade_plan`, by the proxies in `env` ("K=V").

    In the outcome `before` and `after` are versions of the engine's package.
    """
    return apply_steps(upgrade_plan(facts, env), shell, log)


def upgrade_plan(facts: Facts, env: Sequence[str] = ()) -> Plan:
    """Move the packages, restart the engine only if they moved; one script, so that a failure is taken back in it."""
    move = _move(facts)
    move = replace(move, script=proxy.preamble(env) + move.script)
    gently = live_restore.needed(facts)
    yield rollback.begin(facts, [DAEMON_JSON])
    if gently:
        yield from live_restore.switch_on(facts)
    yield move
    restart = services.restart(facts)
    yield replace(restart, name="restart the engine if it is a newer one", script=_IF_MOVED + restart.script)
    if gently:
        yield from live_restore.restore(facts, _as_it_was(facts), settings.existing(facts), ())
    forget = rollback.commit([DAEMON_JSON])
    said = (yield replace(forget, script=f"cat {_REPORT}\n{forget.script}", needs_output=True)).stdout
    before, after = _versions(said)
    moved = before != after
    changed = (f"upgrade Docker from {before} to {after}",) if moved else ()
    notes = live_restore.warnings(facts) if moved else []
    if "stale yes" in said.splitlines():
        notes.append("not every package list could be fetched, so there may be a newer Docker than these know of")
    return Result(changed, tuple(notes), restarted=moved, before=before, after=after)


def _as_it_was(facts: Facts) -> WriteFile:
    """daemon.json with the bytes that the user had; an empty object if there was none."""
    there = facts.files.get(DAEMON_JSON)
    return WriteFile(DAEMON_JSON, (facts.daemon_json or "{}\n").encode(), there.mode if there else 0o644)


def _move(facts: Facts) -> Run:
    """Upgrade the package that dockerd came in and those beside it; prints the versions before and after."""
    distro = find(facts)
    manager = packages.MANAGERS.get(facts.packages)
    if not facts.dockerd:
        raise ProvisionError("there is no Docker on the machine to upgrade", resolution="first: machine provision NAME")
    if manager is None or facts.init not in services.SERVICES or (distro is not None and not distro.manager):
        raise ProvisionError(
            f"machine cannot upgrade Docker on {facts.distro}",
            resolution=distro.advice if distro else "upgrade it by the system's own means",
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
    advice = (
        "see that the package source Docker came from can be reached from the machine; a dockerd of no package is"
        " upgraded the way it was installed, and then machine provision NAME sets everything up"
    )
    return Run("upgrade Docker's packages", script, seconds=INSTALL_SECONDS, advice=advice)


def _versions(text: str) -> tuple[str, str]:
    """The two versions from the output of `_move`: "before NAME VERSION" and "after NAME VERSION"."""
    found = {words[0]: words[-1] for words in map(str.split, text.splitlines()) if words}
    return found.get("before", ""), found.get("after", "")
