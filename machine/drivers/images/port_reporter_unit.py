"""The files of the port reporter as they are written into a machine: the program port_reporter.py and its systemd unit.

Python 3 is there wherever cloud-init is.
"""

from __future__ import annotations

import hashlib
import os

RANDOMIZE = "/proc/sys/kernel/randomize_va_space"
UNIT = "machine-ports.service"
PROGRAM = "/usr/local/lib/machine/ports.py"

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "port_reporter.py"), encoding="utf-8") as _file:
    SCRIPT = _file.read()

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

FILES = ((PROGRAM, "0755", SCRIPT), (f"/etc/systemd/system/{UNIT}", "0644", SERVICE))
VERSION = hashlib.sha256((SCRIPT + SERVICE).encode()).hexdigest()[:12]  # images say which one they have
