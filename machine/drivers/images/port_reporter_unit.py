"""The files of the port reporter as they are written into a machine: port_reporter.py, port_relay.py, a systemd unit.

Python 3 is there wherever cloud-init is.
"""

from __future__ import annotations

import hashlib
import os

RANDOMIZE = "/proc/sys/kernel/randomize_va_space"
UNIT = "machine-ports.service"
PROGRAM = "/usr/local/lib/machine/ports.py"

RELAY_PROGRAM = "/usr/local/lib/machine/port_relay.py"  # the reporter imports it by this name, from its own directory


def _source(name: str) -> str:
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), encoding="utf-8") as file:
        return file.read()


SCRIPT, RELAY = _source("port_reporter.py"), _source("port_relay.py")

SERVICE = f"""\
[Unit]
Description=Tell the host which ports are open, and keep the clock
Before=docker.service
ConditionPathExists=/dev/virtio-ports/machine.ports

[Service]
ExecStartPre=-/bin/sh -c 'set -- /var/lib/docker/containers/*; ! [ -e "$1" ] || echo 2 >{RANDOMIZE}'
ExecStart=/usr/bin/python3 -SE {PROGRAM}
Restart=always
RestartSec=2
Nice=10

[Install]
WantedBy=multi-user.target
"""

FILES = (
    (PROGRAM, "0755", SCRIPT),
    (RELAY_PROGRAM, "0644", RELAY),
    (f"/etc/systemd/system/{UNIT}", "0644", SERVICE),
)
VERSION = hashlib.sha256((SCRIPT + RELAY + SERVICE).encode()).hexdigest()[:12]  # images say which one they have
