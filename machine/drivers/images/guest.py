"""What runs inside a machine: a program that says which ports are open to everybody, and its systemd unit.

It reads the kernel's tables of sockets and writes one JSON line to the virtio serial port whenever they change
(and every 15 seconds, for a watcher that came late). Python 3 is there wherever cloud-init is.
"""

from __future__ import annotations

UNIT = "machine-ports.service"
PROGRAM = "/usr/local/lib/machine/ports.py"

SCRIPT = '''\
"""Tell the host which ports are open on every address of this machine."""
import json
import os
import time

PORT = "/dev/virtio-ports/machine.ports"
ANY = ("00000000", "0" * 32)
TABLES = (("tcp", "tcp", "0A"), ("tcp6", "tcp", "0A"), ("udp", "udp", "07"), ("udp6", "udp", "07"))


def listening():
    found = set()
    for table, protocol, state in TABLES:
        try:
            with open("/proc/net/" + table) as lines:
                next(lines)
                for line in lines:
                    fields = line.split()
                    address, _, port = fields[1].partition(":")
                    if fields[3] != state or address not in ANY:
                        continue
                    if protocol == "tcp" or int(port, 16) < 32768:  # above: clients' own udp sockets
                        found.add((protocol, int(port, 16)))
        except (OSError, StopIteration):
            continue
    return sorted(found)


def main():
    said, when = None, 0.0
    out = os.open(PORT, os.O_WRONLY)
    while True:
        now = listening()
        if now != said or time.monotonic() - when > 15:
            os.write(out, (json.dumps({"open": now}) + "\\n").encode())
            said, when = now, time.monotonic()
        time.sleep(0.5)


main()
'''

SERVICE = f"""\
[Unit]
Description=Tell the host which ports are open
ConditionPathExists=/dev/virtio-ports/machine.ports

[Service]
ExecStart=/usr/bin/python3 -SE {PROGRAM}
Restart=always
RestartSec=2
Nice=10

[Install]
WantedBy=multi-user.target
"""

FILES = ((PROGRAM, "0755", SCRIPT), (f"/etc/systemd/system/{UNIT}", "0644", SERVICE))
