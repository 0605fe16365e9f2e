"""The key of an autolocked cluster: kept with every manager's secrets, given to an engine that came up locked."""

from __future__ import annotations

from dataclasses import replace

from machine import secrets
from machine.clusters.swarm_mode import api, members
from machine.clusters.swarm_mode.membership import UNLOCK_KEY
from machine.engine import EngineClient
from machine.errors import EngineError, SwarmModeError
from machine.model import Endpoint
from machine.session import Session
from machine.store import Record
from machine.wait import NotYet, until

UNLOCK_SECONDS = 30.0


def keep_key(session: Session, record: Record, manager: EngineClient) -> None:
    """Store the cluster's unlock key, if it has one, among the secrets of this machine, which is a manager."""
    key = api.unlock_key(manager)
    membership = members.require_membership(record)
    if key:
        session.console.hide(key)
        secrets.save(session.store.directory(record.name), {UNLOCK_KEY: key}, session.environ)
    if membership.autolock != bool(key):
        members.save_membership(session, record, replace(membership, autolock=bool(key)))


def drop_key(session: Session, record: Record) -> None:
    """Forget the cluster's unlock key for a machine that is no manager any more."""
    directory = session.store.directory(record.name)
    secrets.forget(directory, [UNLOCK_KEY], session.environ)
    if UNLOCK_KEY in secrets.read(directory):
        secrets.save(directory, {UNLOCK_KEY: ""}, {})  # in the file


def stored(session: Session, cluster: str, first: str = "") -> list[str]:
    """Return the unlock keys that this store has for a cluster, that of machine `first` before the others."""
    names = [first, *(record.name for record, _ in members.members(session, cluster, excluding=[first]))]
    found = [secrets.find(session.store.directory(name), UNLOCK_KEY, session.environ) for name in names if name]
    return list(dict.fromkeys(key for key in found if key))


def unlock_if_locked(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Unlock the engine if it is locked; nothing to do for a machine without autolock."""
    if members.require_membership(record).autolock:
        unlock(session, record, members.engine_of(record, endpoint))


def unlock(session: Session, record: Record, engine: EngineClient) -> bool:
    """Unlock an engine; False if it was not locked. Raises SwarmModeError if no key is known or none fits."""
    if api.local_node(engine).state != "locked":
        return False
    membership = members.require_membership(record)
    keys = stored(session, membership.cluster, record.name)
    if not keys:
        raise SwarmModeError(
            f"{record.name} is locked, and this store has no key for the cluster {membership.cluster}",
            resolution=f"machine ssh {record.name} sudo docker swarm unlock",
        )
    session.console.step(f"Unlocking the manager {record.name}")
    last = ""
    for key in keys:
        session.console.hide(key)
        try:
            api.unlock(engine, key)
        except EngineError as error:
            last = error.details
        else:
            break
    else:
        raise SwarmModeError(
            f"{record.name} is locked, and no key of this store fits",
            details=last,
            resolution=f"machine ssh {record.name} sudo docker swarm unlock",
        )

    def probe() -> None:
        local = api.local_node(engine)
        if local.state != "active":
            raise NotYet(local.error)

    until(
        probe,
        what=f"{record.name} to be back in the cluster {membership.cluster}",
        seconds=UNLOCK_SECONDS,
        clock=session.clock,
        resolution=f"machine swarm-mode ls {membership.cluster}",
    )
    return True
