"""The work of `machine forward`: connect, follow the engine, and connect again whenever the link is lost."""

from __future__ import annotations

import contextlib
import os
import threading
import time

from machine import background, clients, files, hostport
from machine.engine.tls import Tls, context_of
from machine.errors import LockHeld, MachineError, MachineNotFound, NotSupported, StoreError
from machine.forwarded_ports import LOCALHOST, Port, of_machine
from machine.lifecycle import running
from machine.lifecycle.driver_record import open_driver
from machine.lifecycle.forward import published, state_file
from machine.lifecycle.forward.engine_over_ssh import EngineOverSsh
from machine.lifecycle.forward.open_ports import OpenPorts
from machine.lifecycle.forward.published import Published
from machine.lifecycle.forward.tunnel import Tunnel
from machine.session import Session
from machine.store import Record

LIST_EVERY = 15.0  # seconds between two looks at the list, whatever the engine tells; it shows too that the link lives
LIST_PAUSE = 0.5  # seconds between two lists at least: an engine may tell of containers without end
BACKOFF = (1.0, 30.0)  # seconds before another try to connect: the first, and the longest
CONNECT_SECONDS = 20.0


class Forwarding:
    """The forwards of one machine at `address`, from start to stop."""

    def __init__(self, session: Session, name: str, address: str) -> None:
        self._session, self._name = session, name
        self._tunnel = Tunnel(name)
        self._ports = OpenPorts(address, self._tunnel, session.console.info, session.console.warn)
        self._changed = threading.Event()
        self._path = state_file.path_of(session.store, name)
        self._written: object = None
        self._served = False  # whether a list was had once: what fails before that is told, and ends it

    def run(self) -> None:
        """Forward until interrupted, or until the machine is removed.

        Raises MachineError if the first connection fails, NotSupported for a machine without a host, LockHeld if
        another process forwards its ports.
        """
        store = self._session.store
        if store.load(self._name).is_only_url():
            raise NotSupported(
                f"{self._name} is only a URL: there is no ssh connection to carry its ports",
                resolution="machine create -d generic --generic-ip-address ADDRESS NAME adopts a host by ssh",
            )
        try:
            with background.Hold(state_file.lock_path(store, self._name), state_file.purpose(self._name)):
                self._hold()
        except LockHeld as error:
            error.resolution = f"machine forward --list {self._name} shows them; machine forward --stop {self._name}"
            raise

    def _hold(self) -> None:
        pause = BACKOFF[0]
        try:
            while self._session.store.exists(self._name):
                began = time.monotonic()
                try:
                    self._follow()
                except MachineNotFound:
                    return
                except MachineError as error:
                    if not self._served:
                        record = self._session.store.load(self._name)
                        running.require_if_known(record, open_driver(self._session, record))  # it says more
                        raise
                    self._lost(error)
                self._tunnel.use(None)
                self._write()
                pause = BACKOFF[0] if time.monotonic() - began > BACKOFF[1] else min(pause * 2, BACKOFF[1])
                self._wait_unless_removed(pause)
        finally:
            self._ports.close()
            self._tunnel.use(None)
            files.remove_quietly(self._path)

    def _lost(self, error: MachineError) -> None:
        self._session.console.info(f"{error.brief}: its ports are closed to clients until it is there again")

    def _wait_unless_removed(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._session.store.exists(self._name):
            time.sleep(0.2)

    def _follow(self) -> None:
        """Connect and follow the engine until the link is lost. Raises MachineError, which says of what."""
        record = self._session.store.load(self._name)
        endpoint = record.endpoint()
        if endpoint is None:
            raise MachineError(
                f"the address of {self._name} is not known",
                resolution=f"machine start {self._name}",
                machine=self._name,
            )
        with clients.connect(record, endpoint, CONNECT_SECONDS) as shell:
            self._tunnel.use(shell)
            udp = _udp_refusal(self._name, shell.run("command -v python3", timeout=CONNECT_SECONDS).status)
            engine = self._engine(record, endpoint.listen_port or hostport.ENGINE_PORT)
            engine.watch(self._changed.set)
            self._session.console.info(f"connected to {self._name}")
            while self._session.store.exists(self._name):
                self._changed.clear()
                wanted = published.read(engine.containers(), engine.services())
                self._ports.follow(self._without_driver(wanted, record), udp_refusal=udp)
                self._write()
                self._served = True
                time.sleep(LIST_PAUSE)
                self._changed.wait(LIST_EVERY)

    def _engine(self, record: Record, port: int) -> EngineOverSsh:
        certificates = clients.certificate_paths(record)
        context = context_of(Tls(*certificates), record.name) if os.path.exists(certificates[0]) else None
        return EngineOverSsh(self._tunnel, port, context, record.address())

    def _without_driver(self, wanted: dict[Port, Published], record: Record) -> dict[Port, Published]:
        """Leave out what the machine's driver has on localhost already."""
        opened = of_machine(record.cert_dir())[0] if self._ports.address == LOCALHOST else []
        return {port: one for port, one in wanted.items() if port not in opened}

    def _write(self) -> None:
        opened = {port: listener.published for port, listener in self._ports.open.items()}
        now = (opened, {port: refusal.reason for port, refusal in self._ports.refused.items()}, self._tunnel.alive)
        if now == self._written or not os.path.isdir(os.path.dirname(self._path)):
            return
        with contextlib.suppress(StoreError):  # the disk is full; it is tried again
            state_file.write(self._path, self._ports.address, opened, self._ports.refused, connected=self._tunnel.alive)
            self._written = now


def _udp_refusal(name: str, status: int) -> str:
    return "" if status == 0 else f"{name} has no python3, which carries UDP over ssh"
